/* SPDX-License-Identifier: Apache-2.0 */
/* Files that a submission will name, written as they come. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api_private.h"

struct upload {
	struct blob_writer *writer;
	uint64_t received;
};

static void upload_drop(struct http_request *request)
{
	struct upload *upload = http_state(request);
	if (!upload)
		return;
	http_set_state(request, NULL);
	blob_drop(upload->writer);
	free(upload);
}

static int too_large(const struct api *api, struct error *err)
{
	return error_set(err, ERROR_USAGE, EFBIG, "a file has at most %llu bytes here (jobs.upload_limit)",
	                 (unsigned long long)api->options.upload_limit);
}

/* Before a byte of it is read. */
static int upload_begin(struct api *api, struct http_request *request, struct error *err)
{
	const char *announced = http_header(request, "Content-Length");
	char reason[512];
	if (api->stopping)
		return error_set(err, ERROR_USAGE, ESHUTDOWN, "the daemon ends");
	if (!blob_name_valid(http_parameter(request, "sha256")))
		return error_set(err, ERROR_USAGE, EINVAL, "the name must be 64 lower-case hexadecimal digits");
	if (announced && strtoull(announced, NULL, 10) > api->options.upload_limit)
		return too_large(api, err);
	/* Files of a job that would not be taken only fill the disk. */
	if (!lab_accepts(api->lab, reason, sizeof(reason)))
		return error_set(err, ERROR_BENCH, ENOSPC, "%s", reason);
	struct upload *upload = calloc(1, sizeof(*upload));
	if (!upload)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	int r = blob_begin(api->book, &upload->writer, err);
	if (r < 0)
		free(upload);
	else
		http_set_state(request, upload);
	return r;
}

int api_blob_body(struct http_request *request, const void *data, size_t length, void *context, struct error *err)
{
	struct api *api = context;
	if (!data)
		return upload_begin(api, request, err);
	struct upload *upload = http_state(request);
	if (!upload)
		return error_set(err, ERROR_BENCH, EPROTO, "the upload has failed before");
	upload->received += length;
	int r = upload->received > api->options.upload_limit ? too_large(api, err) : blob_write(upload->writer, data, length, err);
	if (r < 0)
		upload_drop(request);
	return r;
}

void api_blob_drop(struct http_request *request, void *context)
{
	upload_drop(request);
}

void api_blob_put(struct http_request *request, void *context)
{
	struct upload *upload = http_state(request);
	char name[BLOB_NAME_SIZE];
	struct error error = {0};
	bool is_new = false;
	http_set_state(request, NULL);
	if (!upload) {
		http_answer_error(request, HTTP_INTERNAL, "there is no upload");
		return;
	}
	int r = blob_end(upload->writer, http_parameter(request, "sha256"), name, &is_new, &error);
	uint64_t received = upload->received;
	free(upload);
	if (r == -EBADMSG)
		http_answer_error(request, HTTP_BAD_REQUEST, "%s", error.message);
	else
		api_answer(request, r, &error, is_new ? 201 : 200,
		           r == 0 ? json_pack("{s:s, s:I}", "sha256", name, "size", (json_int_t)received) : NULL);
}

void api_blob_head(struct http_request *request, void *context)
{
	struct api *api = api_enter(request, context);
	const char *name = http_parameter(request, "sha256");
	struct error error = {0};
	uint64_t size;
	if (!api)
		return;
	int r = blob_name_valid(name) ? blob_find(api->book, name, &size, &error) : -ENOENT;
	if (r == -ENOENT)
		http_answer_error(request, HTTP_NOT_FOUND, "there is no such file");
	else if (r < 0)
		api_fail(request, r, &error);
	else
		http_answer_empty(request, 200);
}
