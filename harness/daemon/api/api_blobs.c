/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that a submission will name, written as they come. A turn of the loop takes what the network brought and no more; that everything
 * is on the disk is waited for in a thread, and the answer comes after it. Viewers can fetch what lies here: what holds a private key is
 * refused before it has a name, and its temporary file goes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/private_key.h"
#include "../lab/worker.h"
#include "api_private.h"

struct upload {
	LIST_ENTRY(upload) link; /* while its end is waited for */
	struct api *api;
	struct http_request *request;
	struct blob_writer *writer;
	struct worker *worker;
	struct private_key_search key;
	uint64_t received;
	char expected[BLOB_NAME_SIZE], name[BLOB_NAME_SIZE];
	bool is_new;
	int r;
};

static void upload_free(struct upload *upload)
{
	worker_free(upload->worker); /* first: it has the writer */
	blob_drop(upload->writer);
	free(upload);
}

static void upload_drop(struct http_request *request)
{
	struct upload *upload = http_state(request);
	if (!upload)
		return;
	http_set_state(request, NULL);
	upload_free(upload);
}

/* ---- its bytes ---- */

static int too_large(const struct api *api, struct error *err)
{
	return error_set(err, ERROR_USAGE, EFBIG, "a file has at most %llu bytes here (jobs.upload_limit)",
	                 (unsigned long long)api->options.upload_limit);
}

static int is_key(struct error *err)
{
	return error_set(err, ERROR_USAGE, EINVAL,
	                 "the file holds a private key, and files of a job can be fetched by everybody who may look at the lab: sign the "
	                 "package beforehand, or have the key put among the fixtures of the lab");
}

/* What a text shows is seen before it is written. */
static int take(struct upload *upload, const void *data, size_t length, struct error *err)
{
	upload->received += length;
	if (upload->received > upload->api->options.upload_limit)
		return too_large(upload->api, err);
	private_key_look(&upload->key, data, length);
	return upload->key.in_text ? is_key(err) : blob_write(upload->writer, data, length, err);
}

/* Before a byte of it is read. */
static int upload_begin(struct api *api, struct http_request *request, struct error *err)
{
	const char *announced = http_header(request, "Content-Length"), *name = http_parameter(request, "sha256");
	char reason[512];
	if (api->stopping)
		return error_set(err, ERROR_USAGE, ESHUTDOWN, "the daemon ends");
	if (!blob_name_valid(name))
		return error_set(err, ERROR_USAGE, EINVAL, "the name must be 64 lower-case hexadecimal digits");
	if (announced && strtoull(announced, NULL, 10) > api->options.upload_limit)
		return too_large(api, err);
	/* Files of a job that would not be taken only fill the disk. */
	if (!lab_accepts(api->lab, reason, sizeof(reason)))
		return error_set(err, ERROR_BENCH, ENOSPC, "%s", reason);
	struct upload *upload = calloc(1, sizeof(*upload));
	if (!upload)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	upload->api = api;
	upload->request = request;
	memcpy(upload->expected, name, BLOB_NAME_SIZE);
	int r = blob_begin(api->book, &upload->writer, err);
	if (r < 0) {
		free(upload);
		return r;
	}
	blob_hasten(upload->writer);
	http_set_state(request, upload);
	return 0;
}

int api_blob_body(struct http_request *request, const void *data, size_t length, void *context, struct error *err)
{
	struct api *api = context;
	if (!data)
		return upload_begin(api, request, err);
	struct upload *upload = http_state(request);
	if (!upload)
		return error_set(err, ERROR_BENCH, EPROTO, "the upload has failed before");
	int r = take(upload, data, length, err);
	if (r < 0)
		upload_drop(request);
	return r;
}

void api_blob_drop(struct http_request *request, void *context)
{
	upload_drop(request);
}

/* ---- its end ---- */

/* In a thread. */
static int end_upload(void *context, const struct worker *worker, struct error *err)
{
	struct upload *upload = context;
	struct blob_writer *writer = upload->writer;
	upload->writer = NULL;
	upload->r = blob_end(writer, upload->expected, upload->name, &upload->is_new, err);
	return upload->r;
}

static void answer_upload(struct http_request *request, const struct upload *upload, const struct error *error)
{
	json_t *json = upload->r == 0 ? json_pack("{s:s, s:I}", "sha256", upload->name, "size", (json_int_t)upload->received) : NULL;
	if (upload->r == -EBADMSG)
		http_answer_error(request, HTTP_BAD_REQUEST, "%s", error->message);
	else
		api_answer(request, upload->r, error, upload->is_new ? 201 : 200, json);
}

static void on_ended(const struct error *error, void *context)
{
	struct upload *upload = context;
	answer_upload(upload->request, upload, error);
	LIST_REMOVE(upload, link);
	upload_free(upload);
}

void api_blob_put(struct http_request *request, void *context)
{
	struct api *api = context;
	struct upload *upload = http_state(request);
	struct error error = {0};
	http_set_state(request, NULL);
	if (!upload) {
		http_answer_error(request, HTTP_INTERNAL, "there is no upload");
		return;
	}
	int r = private_key_seen(&upload->key) ? is_key(&error) : 0;
	if (r < 0) {
		upload_free(upload);
		api_fail(request, r, &error);
		return;
	}
	LIST_INSERT_HEAD(&api->uploads, upload, link);
	r = worker_start(&upload->worker, api->event, end_upload, on_ended, upload, &error);
	if (r == 0)
		return;
	LIST_REMOVE(upload, link);
	upload_free(upload);
	api_fail(request, r, &error);
}

void uploads_end(struct api *api)
{
	while (!LIST_EMPTY(&api->uploads)) {
		struct upload *upload = LIST_FIRST(&api->uploads);
		LIST_REMOVE(upload, link);
		http_answer_error(upload->request, HTTP_SHUTTING_DOWN, "the daemon ends"); /* to nobody, but the request goes with it */
		upload_free(upload);
	}
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
