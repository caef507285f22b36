/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a package: everything, not only the first. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "swpg_private.h"

int swpg_finding(struct bytes *findings, const char *format, ...)
{
	char line[512];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	if (length < 0 || length > (int)sizeof(line) - 2)
		length = (int)sizeof(line) - 2;
	line[length] = '\n';
	return bytes_append(findings, line, (size_t)length + 1);
}

/* Findings of one verification; a failure to note one is kept until the end. */
struct judge {
	struct bytes *findings;
	int status;
};
#define FOUND(judge, ...)                                                                                                                  \
	do {                                                                                                                               \
		if (swpg_finding((judge)->findings, __VA_ARGS__) < 0)                                                                      \
			(judge)->status = -ENOMEM;                                                                                         \
	} while (0)

static void judge_purpose(struct judge *judge, const struct swpg_fields *fields)
{
	if (fields->target == 0 || fields->target == 0xffff)
		FOUND(judge, "target_ecu_id: 0x%04x is never a target", fields->target);
	if (fields->type < 1 || fields->type > 3)
		FOUND(judge, "software_type: %u is unknown", fields->type);
	else if (fields->type != 1)
		FOUND(judge, "software_type: %u (%s), an update server takes 1 (application) only", fields->type,
		      fields->type == 2 ? "bootloader" : "calibration");
	if (fields->compression > 1)
		FOUND(judge, "compression: %u is unknown", fields->compression);
	if (fields->payload_size == 0)
		FOUND(judge, "payload_size: 0");
	if (fields->uncompressed_size == 0)
		FOUND(judge, "uncompressed_size: 0");
	else if (fields->uncompressed_size > SWPG_SOFTWARE_MAX)
		FOUND(judge, "uncompressed_size: %" PRIu32 ", at most %u", fields->uncompressed_size, SWPG_SOFTWARE_MAX);
	if (fields->compression == 0 && fields->payload_size != fields->uncompressed_size)
		FOUND(judge, "uncompressed_size: %" PRIu32 ", but payload_size is %" PRIu32 " and nothing is compressed",
		      fields->uncompressed_size, fields->payload_size);
}

static void judge_version(struct judge *judge, const struct swpg_fields *fields, uint32_t counter)
{
	static const uint8_t zero[sizeof(fields->reserved)];
	time_t now = time(NULL);

	if (fields->timestamp < SWPG_OLDEST_TIME)
		FOUND(judge, "version_timestamp: %" PRIu32 ", not before %u (2020-01-01)", fields->timestamp, SWPG_OLDEST_TIME);
	else if ((time_t)fields->timestamp > now)
		FOUND(judge, "version_timestamp: %" PRIu32 " is later than now", fields->timestamp);
	if (fields->serial != be32_read(fields->version))
		FOUND(judge, "version_serial: 0x%08" PRIx32 ", the version says 0x%08" PRIx32, fields->serial, be32_read(fields->version));
	if (fields->source == 0xffff)
		FOUND(judge, "source_ecu_id: 0xffff is no address");
	if (fields->hop_count > SWPG_HOPS_MAX)
		FOUND(judge, "hop_count: %u, at most %u", fields->hop_count, SWPG_HOPS_MAX);
	if (fields->sequence == 0)
		FOUND(judge, "sequence_number: 0");
	if (fields->security_counter == 0)
		FOUND(judge, "security_counter: absent (0)");
	else if (fields->security_counter < counter)
		FOUND(judge, "security_counter: %" PRIu32 ", at least %" PRIu32 " is needed", fields->security_counter, counter);
	if (memcmp(fields->reserved, zero, sizeof(zero)) != 0)
		FOUND(judge, "reserved: not zero");
}

static void judge_trailer(struct judge *judge, const struct swpg_view *view, const struct swpg_key *key, const uint8_t *digest)
{
	const struct swpg_fields *fields = &view->fields;
	const struct swpg_kind *kind = swpg_kind_find(fields->kind);

	if (!kind) {
		FOUND(judge, "kind: %" PRIu32 "%s", fields->kind, fields->kind == 0 ? ", the package is not signed" : " is unknown");
		if (fields->kind == 0 && fields->trailer_length != 0)
			FOUND(judge, "trailer_length: %" PRIu32 ", an unsigned package has none", fields->trailer_length);
		return;
	}
	if (key && fields->key_id != swpg_key_id(key))
		FOUND(judge, "key_id: %" PRIu32 ", the key at hand is %" PRIu32, fields->key_id, swpg_key_id(key));
	if (view->trailer_length != kind->length)
		FOUND(judge, "trailer_length: %" PRIu32 ", kind %" PRIu32 " (%s) has %" PRIu32, fields->trailer_length, fields->kind,
		      kind->name, kind->length);
	else if (kind->judge(key, digest, view->trailer, judge->findings) < 0)
		judge->status = -ENOMEM;
}

static void judge_software(struct judge *judge, const struct swpg_view *view, const uint8_t *software, size_t length, uint8_t *ret_digest)
{
	uint32_t crc = swpg_crc(view->header, software, length), word = length >= 4 ? le32_read(software) : 0;

	if (view->fields.compression == 1 && length != view->fields.uncompressed_size)
		FOUND(judge, "uncompressed_size: %" PRIu32 ", the payload decompresses to %zu", view->fields.uncompressed_size, length);
	if (word == SWPG_MAGIC_WORD || word == SWPG_CAMPAIGN_MAGIC)
		FOUND(judge, "payload: the software is a %s itself", word == SWPG_MAGIC_WORD ? "package" : "campaign");
	if (crc != view->fields.crc32)
		FOUND(judge, "crc32: %08" PRIx32 ", computed %08" PRIx32, view->fields.crc32, crc);
	if (swpg_digest_make(view->header, software, length, ret_digest) < 0)
		judge->status = -ENOMEM;
}

int swpg_verify(const struct swpg_view *view, const struct swpg_key *key, uint32_t counter, struct bytes *ret_findings, struct error *err)
{
	struct bytes software = {0}, findings = {0};
	struct judge judge = {.findings = &findings};
	uint8_t digest[SWPG_DIGEST_BYTES];
	bool has_software = view->fields.compression == 0;
	struct error reason;
	int r;

	judge_purpose(&judge, &view->fields);
	judge_version(&judge, &view->fields, counter);
	if (has_software) {
		judge_software(&judge, view, view->payload, view->payload_length, digest);
	} else if (view->fields.compression == 1) {
		r = swpg_gunzip(view->payload, view->payload_length, view->fields.uncompressed_size, &software, &reason);
		has_software = r == 0;
		if (has_software)
			judge_software(&judge, view, software.data, software.length, digest);
		else if (r == -ENOMEM)
			judge.status = r;
		else
			FOUND(&judge, "%s", reason.message);
		bytes_free(&software);
	}
	judge_trailer(&judge, view, key, has_software ? digest : NULL);
	if (judge.status < 0) {
		bytes_free(&findings);
		return swpg_no_memory(err);
	}
	bytes_free(ret_findings);
	*ret_findings = findings;
	return 0;
}
