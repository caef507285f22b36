/* SPDX-License-Identifier: Apache-2.0 */
/* Right packages. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "swpg_private.h"

static int timestamp_now(uint32_t *ret, struct error *err)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");

	if (!epoch || !*epoch) {
		*ret = (uint32_t)time(NULL);
		return 0;
	}
	if (swpg_number(epoch, 4, NULL, ret, err) < 0) {
		error_prefix(err, "SOURCE_DATE_EPOCH");
		return -EINVAL;
	}
	return 0;
}

static int check_timestamp(uint32_t timestamp, struct error *err)
{
	if (timestamp < SWPG_OLDEST_TIME)
		return error_set(err, ERROR_USAGE, ERANGE, "version_timestamp: %" PRIu32 ", not before %u (2020-01-01)", timestamp,
		                 SWPG_OLDEST_TIME);
	if ((time_t)timestamp > time(NULL))
		return error_set(err, ERROR_USAGE, ERANGE, "version_timestamp: %" PRIu32 " is later than now", timestamp);
	return 0;
}

static int check_options(const struct swpg_options *options, size_t length, struct error *err)
{
	if (options->target == 0 || options->target == 0xffff)
		return error_set(err, ERROR_USAGE, ERANGE, "target_ecu_id: 0x%04x is never a target", options->target);
	if (options->source == 0xffff)
		return error_set(err, ERROR_USAGE, ERANGE, "source_ecu_id: 0xffff is no address");
	if (options->type > 3)
		return error_set(err, ERROR_USAGE, ERANGE, "software_type: %u, there are 1 application, 2 bootloader, 3 calibration",
		                 options->type);
	if (options->compression > 1)
		return error_set(err, ERROR_USAGE, ERANGE, "compression: %u, there are 0 none, 1 gzip", options->compression);
	if (options->sequence == 0)
		return error_set(err, ERROR_USAGE, ERANGE, "sequence_number: counts from 1");
	if (options->security_counter == 0)
		return error_set(err, ERROR_USAGE, ERANGE, "security_counter: counts from 1");
	if (length == 0)
		return error_set(err, ERROR_USAGE, ERANGE, "the software is empty");
	if (length > SWPG_SOFTWARE_MAX)
		return error_set(err, ERROR_USAGE, EFBIG, "the software has %zu bytes, at most %u are possible", length, SWPG_SOFTWARE_MAX);
	return 0;
}

static int append_payload(const struct swpg_options *options, const void *software, size_t length, struct bytes *package, struct error *err)
{
	if (options->compression == 1)
		return swpg_gzip(software, length, 9, package, err);
	if (swpg_reserve(package, length + SWPG_TRAILER_BYTES) < 0 || bytes_append(package, software, length) < 0)
		return swpg_no_memory(err);
	return 0;
}

/* Kind, key, CRC, and the trailer behind the payload. key NULL: unsigned. */
static int finish(struct bytes *package, const struct swpg_key *key, const void *software, size_t length, struct error *err)
{
	const struct swpg_kind *kind = key ? swpg_kind_find(1) : NULL;
	uint8_t *header = package->data, digest[SWPG_DIGEST_BYTES], trailer[256];
	int r;

	le32_write(header + SWPG_AT_KIND, kind ? kind->number : 0);
	le32_write(header + SWPG_AT_TRAILER_LENGTH, kind ? kind->length : 0);
	le32_write(header + SWPG_AT_KEY_ID, key ? swpg_key_id(key) : 0);
	le32_write(header + SWPG_AT_CRC32, swpg_crc(header, software, length));
	if (!kind)
		return 0;
	if (swpg_digest_make(header, software, length, digest) < 0)
		return swpg_no_memory(err);
	r = kind->sign(key, digest, trailer, err);
	if (r == 0 && bytes_append(package, trailer, kind->length) < 0)
		r = swpg_no_memory(err);
	return r;
}

static int build(const struct swpg_options *options, uint32_t timestamp, const void *software, size_t length, struct bytes *package,
                 struct error *err)
{
	const uint8_t *v = options->version;
	struct swpg_fields fields = {
	        .magic = SWPG_MAGIC_WORD,
	        .target = options->target,
	        .source = options->source,
	        .type = options->type ? options->type : 1,
	        .compression = options->compression,
	        .uncompressed_size = (uint32_t)length,
	        .version = {v[0], v[1], v[2], v[3]},
	        .timestamp = timestamp,
	        .serial = be32_read(v),
	        .sequence = options->sequence,
	        .security_counter = options->security_counter,
	};
	uint8_t header[SWPG_HEADER_BYTES];
	int r;

	swpg_header_write(&fields, header);
	if (bytes_append(package, header, sizeof(header)) < 0)
		return swpg_no_memory(err);
	r = append_payload(options, software, length, package, err);
	if (r < 0)
		return r;
	le32_write(package->data + SWPG_AT_PAYLOAD_SIZE, (uint32_t)(package->length - SWPG_HEADER_BYTES));
	return finish(package, options->key, software, length, err);
}

int swpg_build(const struct swpg_options *options, const void *software, size_t length, struct bytes *ret_package, struct error *err)
{
	uint32_t timestamp = options->timestamp;
	struct bytes package = {0};
	int r = check_options(options, length, err);

	if (r == 0 && timestamp == 0)
		r = timestamp_now(&timestamp, err);
	if (r == 0)
		r = check_timestamp(timestamp, err);
	if (r == 0)
		r = build(options, timestamp, software, length, &package, err);
	if (r < 0) {
		bytes_free(&package);
		return r;
	}
	bytes_free(ret_package);
	*ret_package = package;
	return 0;
}

int swpg_sign(struct bytes *package, const struct swpg_key *key, struct error *err)
{
	struct bytes software = {0}, made = {0};
	struct swpg_view view;
	int r = swpg_parse(package->data, package->length, &view, err);

	if (r == 0)
		r = swpg_software(&view, SWPG_SOFTWARE_MAX, &software, err);
	if (r == 0 && bytes_append(&made, package->data, SWPG_HEADER_BYTES + view.payload_length) < 0)
		r = swpg_no_memory(err);
	if (r == 0)
		r = finish(&made, key, software.data, software.length, err);
	bytes_free(&software);
	if (r < 0) {
		bytes_free(&made);
		return r;
	}
	bytes_free(package);
	*package = made;
	return 0;
}
