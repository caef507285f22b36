/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench package show, verify: what is in a package or a campaign, and whether it is right. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "package_file.h"

#define FILE_MAX ((size_t)SWPG_CAMPAIGN_MAX * (SWPG_SOFTWARE_MAX + 4096))

static const char *type_name(unsigned type)
{
	static const char *const names[] = {"unknown", "application", "bootloader", "calibration"};

	return names[type < 4 ? type : 0];
}

static const char *compression_name(unsigned compression)
{
	return compression == 0 ? "none" : compression == 1 ? "gzip" : "unknown";
}

static const char *kind_name(uint32_t kind)
{
	return kind == 0 ? "unsigned" : kind == 1 ? "ECDSA P-256 with SHA-256" : "unknown";
}

static const char *time_text(uint32_t timestamp, char *buffer, size_t size)
{
	time_t seconds = (time_t)timestamp;
	struct tm parts;

	if (!gmtime_r(&seconds, &parts) || strftime(buffer, size, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
		return "?";
	return buffer;
}

static void print_bytes(const char *name, const uint8_t *data, size_t length)
{
	(void)printf("%-18s ", name);
	for (size_t i = 0; i < length; i++)
		(void)printf("%02x", data[i]);
	(void)putchar('\n');
}

static void print_trailer(const struct swpg_view *view)
{
	if (view->fields.kind == 1 && view->trailer_length == SWPG_TRAILER_BYTES) {
		print_bytes("digest", view->trailer, SWPG_DIGEST_BYTES);
		print_bytes("r", view->trailer + SWPG_DIGEST_BYTES, 32);
		print_bytes("s", view->trailer + SWPG_DIGEST_BYTES + 32, 32);
	} else if (view->trailer_length > 0) {
		print_bytes("trailer", view->trailer, view->trailer_length < 256 ? view->trailer_length : 256);
	}
}

static void print_package(const struct swpg_view *view)
{
	const struct swpg_fields *f = &view->fields;
	char when[64];

	(void)printf("target_ecu_id      0x%04x (%s)\n", f->target, package_target_name(f->target));
	(void)printf("software_type      %u (%s)\n", f->type, type_name(f->type));
	(void)printf("compression        %u (%s)\n", f->compression, compression_name(f->compression));
	(void)printf("payload_size       %" PRIu32 "\n", f->payload_size);
	(void)printf("uncompressed_size  %" PRIu32 "\n", f->uncompressed_size);
	(void)printf("version            %u.%u.%u.%u\n", f->version[0], f->version[1], f->version[2], f->version[3]);
	(void)printf("version_timestamp  %" PRIu32 " (%s)\n", f->timestamp, time_text(f->timestamp, when, sizeof(when)));
	(void)printf("version_serial     0x%08" PRIx32 "\n", f->serial);
	(void)printf("crc32              0x%08" PRIx32 "\n", f->crc32);
	(void)printf("kind               %" PRIu32 " (%s)\n", f->kind, kind_name(f->kind));
	(void)printf("trailer_length     %" PRIu32 "\n", f->trailer_length);
	(void)printf("key_id             %" PRIu32 "\n", f->key_id);
	(void)printf("source_ecu_id      0x%04x%s\n", f->source, f->source == 0 ? " (OEM)" : "");
	(void)printf("hop_count          %u\n", f->hop_count);
	(void)printf("sequence_number    %" PRIu32 "\n", f->sequence);
	(void)printf("security_counter   %" PRIu32 "\n", f->security_counter);
	print_bytes("reserved", f->reserved, sizeof(f->reserved));
	print_trailer(view);
}

static json_t *hex_json(const uint8_t *data, size_t length)
{
	char *text = calloc(2, length + 1);
	json_t *json;

	for (size_t i = 0; text && i < length; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", data[i]);
	json = text ? json_string(text) : NULL;
	free(text);
	return json;
}

static json_t *package_json(const struct swpg_view *view)
{
	const struct swpg_fields *f = &view->fields;
	char version[32];
	json_t *json;

	(void)snprintf(version, sizeof(version), "%u.%u.%u.%u", f->version[0], f->version[1], f->version[2], f->version[3]);
	json = json_pack("{s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "target_ecu_id",
	                 (json_int_t)f->target, "software_type", (json_int_t)f->type, "compression", (json_int_t)f->compression,
	                 "payload_size", (json_int_t)f->payload_size, "uncompressed_size", (json_int_t)f->uncompressed_size, "version",
	                 version, "version_timestamp", (json_int_t)f->timestamp, "version_serial", (json_int_t)f->serial, "crc32",
	                 (json_int_t)f->crc32, "kind", (json_int_t)f->kind, "trailer_length", (json_int_t)f->trailer_length, "key_id",
	                 (json_int_t)f->key_id, "source_ecu_id", (json_int_t)f->source, "hop_count", (json_int_t)f->hop_count,
	                 "sequence_number", (json_int_t)f->sequence, "security_counter", (json_int_t)f->security_counter, "reserved",
	                 hex_json(f->reserved, sizeof(f->reserved)));
	if (json && f->kind == 1 && view->trailer_length == SWPG_TRAILER_BYTES) {
		(void)json_object_set_new(json, "digest", hex_json(view->trailer, SWPG_DIGEST_BYTES));
		(void)json_object_set_new(json, "signature", hex_json(view->trailer + SWPG_DIGEST_BYTES, SWPG_SIGNATURE_BYTES));
	} else if (json && view->trailer_length > 0) {
		(void)json_object_set_new(json, "trailer", hex_json(view->trailer, view->trailer_length));
	}
	return json;
}

static void print_json(json_t *json)
{
	(void)json_dumpf(json, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(json);
}

/* ---- both, one package or several ------------------------------------------------------------------------------------ */

struct content {
	struct bytes file;
	bool campaign;
	struct swpg_campaign_entry entries[SWPG_CAMPAIGN_MAX]; /* a package alone is one entry */
	size_t count;
};

static int content_read(struct content *content, const char *path, struct error *err)
{
	return package_file_read(path, FILE_MAX, &content->file, err);
}

static int content_parse(struct content *content, struct error *err)
{
	content->campaign = package_is_campaign(&content->file);
	if (content->campaign)
		return swpg_campaign_parse(content->file.data, content->file.length, content->entries, SWPG_CAMPAIGN_MAX, &content->count,
		                           err);
	content->count = 1;
	content->entries[0] = (struct swpg_campaign_entry){.package = content->file.data, .length = content->file.length};
	return 0;
}

static size_t entry_offset(const struct content *content, size_t i)
{
	return (size_t)(content->entries[i].package - content->file.data);
}

static int views_of(const struct content *content, struct swpg_view *views, struct error *err)
{
	for (size_t i = 0; i < content->count; i++) {
		int r = swpg_parse(content->entries[i].package, content->entries[i].length, &views[i], err);

		if (r < 0) {
			if (content->campaign)
				error_prefix(err, "package %zu at offset %zu", i, entry_offset(content, i));
			return r;
		}
	}
	return 0;
}

static int show_all(const struct content *content, bool json, struct error *err)
{
	struct swpg_view views[SWPG_CAMPAIGN_MAX];
	json_t *list;

	if (views_of(content, views, err) < 0)
		return -1;
	if (json && !content->campaign) {
		print_json(package_json(&views[0]));
		return 0;
	}
	list = json_array();
	for (size_t i = 0; i < content->count; i++) {
		if (json)
			(void)json_array_append_new(list,
			                            json_pack("{s:I, s:I, s:o}", "offset", (json_int_t)entry_offset(content, i), "length",
			                                      (json_int_t)content->entries[i].length, "package", package_json(&views[i])));
		else if (content->campaign)
			(void)printf("%s--- package %zu: %s, offset %zu, %zu bytes\n", i ? "\n" : "", i,
			             package_target_name(content->entries[i].target), entry_offset(content, i), content->entries[i].length);
		if (!json)
			print_package(&views[i]);
	}
	if (json)
		print_json(json_pack("{s:O}", "campaign", list));
	json_decref(list);
	return 0;
}

int package_show(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	struct content content = {0};
	struct error err = {0};
	bool json = false;
	int option, status = 0;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'j')
			return command_usage_error("package", "show: unknown option %s", argv[optind - 1]);
		json = true;
	}
	if (optind != argc - 1)
		return command_usage_error("package", "show: exactly one file is needed");
	if (content_read(&content, argv[optind], &err) < 0) {
		status = package_fail(&err);
	} else if (content_parse(&content, &err) < 0 || show_all(&content, json, &err) < 0) {
		error_prefix(&err, "%s", argv[optind]);
		status = package_fail(&err);
	}
	bytes_free(&content.file);
	return status;
}

/* ---- verify ------------------------------------------------------------------------------------------------------------ */

struct verification {
	const char *path;
	struct swpg_key *key;
	bool has_key_id; /* else the package's own is taken */
	uint32_t counter;
	unsigned findings;
};

static void print_findings(struct verification *v, const char *prefix, const struct bytes *findings)
{
	const char *at = (const char *)findings->data, *end = at + findings->length, *line;

	for (; at < end; at = line + 1) {
		line = memchr(at, '\n', (size_t)(end - at));
		(void)printf("%s: %s%.*s\n", v->path, prefix, (int)(line - at), at);
		v->findings++;
	}
}

static void note(struct verification *v, const char *text)
{
	(void)printf("%s: %s\n", v->path, text);
	v->findings++;
}

static int verify_one(struct verification *v, const struct content *content, size_t i, struct error *err)
{
	const struct swpg_campaign_entry *entry = &content->entries[i];
	struct bytes findings = {0};
	struct swpg_view view;
	char prefix[32] = "";
	int r;

	if (content->campaign)
		(void)snprintf(prefix, sizeof(prefix), "package %zu (%s): ", i, package_target_name(entry->target));
	if (swpg_parse(entry->package, entry->length, &view, err) < 0) {
		error_prefix(err, "%.*s", (int)(strlen(prefix) > 2 ? strlen(prefix) - 2 : 0), prefix);
		note(v, prefix[0] ? err->message : err->message + 2);
		return 0;
	}
	if (v->key && !v->has_key_id)
		swpg_key_set_id(v->key, view.fields.key_id);
	r = swpg_verify(&view, v->key, v->counter, &findings, err);
	if (r < 0)
		return r;
	print_findings(v, prefix, &findings);
	bytes_free(&findings);
	return 0;
}

static int verify_file(struct verification *v)
{
	struct content content = {0};
	struct error err = {0};
	int r = content_read(&content, v->path, &err);

	if (r == 0 && content_parse(&content, &err) < 0) {
		note(v, err.message);
		content.count = 0;
	}
	for (size_t i = 0; r == 0 && i < content.count; i++)
		r = verify_one(v, &content, i, &err);
	bytes_free(&content.file);
	if (r < 0)
		return package_fail(&err);
	if (v->findings > 0)
		(void)printf("%s: refused, %u finding%s\n", v->path, v->findings, v->findings == 1 ? "" : "s");
	else
		(void)printf("%s: right\n", v->path);
	return v->findings > 0;
}

static int verify_options(struct verification *v, int argc, char **argv, const char **ret_key, uint32_t *ret_key_id, struct error *err)
{
	static const struct option options[] = {{"key", required_argument, NULL, 'k'},
	                                        {"key-id", required_argument, NULL, 'i'},
	                                        {"counter", required_argument, NULL, 'c'},
	                                        {0}};
	int option, r = 0;

	while (r == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'k')
			*ret_key = optarg;
		else if (option == 'c')
			r = package_number("counter", optarg, UINT32_MAX, &v->counter, err);
		else if (option == 'i')
			r = package_number("key-id", optarg, UINT32_MAX, ret_key_id, err);
		else
			r = error_set(err, ERROR_USAGE, 0, "wrong or incomplete option %s", argv[optind - 1]);
		v->has_key_id |= option == 'i';
	}
	return r;
}

int package_verify(int argc, char **argv)
{
	struct verification v = {0};
	const char *key = NULL;
	uint32_t key_id = 0;
	struct error err = {0};
	int status = 0;

	if (verify_options(&v, argc, argv, &key, &key_id, &err) < 0)
		return command_usage_error("package", "verify: %s", err.message);
	if (optind != argc - 1)
		return command_usage_error("package", "verify: exactly one file is needed");
	v.path = argv[optind];
	if (key && package_key_load(&v.key, key, key_id, &err) < 0)
		return package_fail(&err);
	status = verify_file(&v);
	swpg_key_free(v.key);
	return status;
}
