/* SPDX-License-Identifier: Apache-2.0 */
#include "swpg.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "swpg_private.h"

const struct swpg_field swpg_field_table[] = {
        {"magic", 0, 4},
        {"target_ecu_id", SWPG_AT_TARGET, 2},
        {"software_type", SWPG_AT_TYPE, 1},
        {"compression", SWPG_AT_COMPRESSION, 1},
        {"payload_size", SWPG_AT_PAYLOAD_SIZE, 4},
        {"uncompressed_size", SWPG_AT_UNCOMPRESSED_SIZE, 4},
        {"version", 16, 4},
        {"version_timestamp", 20, 4},
        {"version_serial", 24, 4},
        {"crc32", SWPG_AT_CRC32, 4},
        {"kind", SWPG_AT_KIND, 4},
        {"trailer_length", SWPG_AT_TRAILER_LENGTH, 4},
        {"key_id", SWPG_AT_KEY_ID, 4},
        {"source_ecu_id", 44, 2},
        {"hop_count", SWPG_AT_HOP_COUNT, 2},
        {"sequence_number", 48, 4},
        {"security_counter", 52, 4},
        {"reserved", 56, 8},
        {0},
};

void swpg_header_read(const uint8_t header[SWPG_HEADER_BYTES], struct swpg_fields *fields)
{
	*fields = (struct swpg_fields){
	        .magic = le32_read(header),
	        .target = le16_read(header + SWPG_AT_TARGET),
	        .type = header[SWPG_AT_TYPE],
	        .compression = header[SWPG_AT_COMPRESSION],
	        .payload_size = le32_read(header + SWPG_AT_PAYLOAD_SIZE),
	        .uncompressed_size = le32_read(header + SWPG_AT_UNCOMPRESSED_SIZE),
	        .timestamp = le32_read(header + 20),
	        .serial = le32_read(header + 24),
	        .crc32 = le32_read(header + SWPG_AT_CRC32),
	        .kind = le32_read(header + SWPG_AT_KIND),
	        .trailer_length = le32_read(header + SWPG_AT_TRAILER_LENGTH),
	        .key_id = le32_read(header + SWPG_AT_KEY_ID),
	        .source = le16_read(header + 44),
	        .hop_count = le16_read(header + SWPG_AT_HOP_COUNT),
	        .sequence = le32_read(header + 48),
	        .security_counter = le32_read(header + 52),
	};
	memcpy(fields->version, header + 16, sizeof(fields->version));
	memcpy(fields->reserved, header + 56, sizeof(fields->reserved));
}

void swpg_header_write(const struct swpg_fields *fields, uint8_t header[SWPG_HEADER_BYTES])
{
	le32_write(header, fields->magic);
	le16_write(header + SWPG_AT_TARGET, fields->target);
	header[SWPG_AT_TYPE] = fields->type;
	header[SWPG_AT_COMPRESSION] = fields->compression;
	le32_write(header + SWPG_AT_PAYLOAD_SIZE, fields->payload_size);
	le32_write(header + SWPG_AT_UNCOMPRESSED_SIZE, fields->uncompressed_size);
	memcpy(header + 16, fields->version, sizeof(fields->version));
	le32_write(header + 20, fields->timestamp);
	le32_write(header + 24, fields->serial);
	le32_write(header + SWPG_AT_CRC32, fields->crc32);
	le32_write(header + SWPG_AT_KIND, fields->kind);
	le32_write(header + SWPG_AT_TRAILER_LENGTH, fields->trailer_length);
	le32_write(header + SWPG_AT_KEY_ID, fields->key_id);
	le16_write(header + 44, fields->source);
	le16_write(header + SWPG_AT_HOP_COUNT, fields->hop_count);
	le32_write(header + 48, fields->sequence);
	le32_write(header + 52, fields->security_counter);
	memcpy(header + 56, fields->reserved, sizeof(fields->reserved));
}

/* A gateway adds to hop_count on the way, so neither CRC nor digest may see it. */
static void without_hops(const uint8_t header[SWPG_HEADER_BYTES], uint8_t ret[SWPG_HEADER_BYTES])
{
	memcpy(ret, header, SWPG_HEADER_BYTES);
	le16_write(ret + SWPG_AT_HOP_COUNT, 0);
}

uint32_t swpg_crc(const uint8_t header[SWPG_HEADER_BYTES], const void *software, size_t length)
{
	uint8_t covered[SWPG_HEADER_BYTES];

	without_hops(header, covered);
	le32_write(covered + SWPG_AT_CRC32, 0);
	return (uint32_t)crc32_z(crc32_z(0, covered, sizeof(covered)), software, length);
}

int swpg_digest_make(const uint8_t header[SWPG_HEADER_BYTES], const void *software, size_t length, uint8_t ret_digest[SWPG_DIGEST_BYTES])
{
	uint8_t covered[SWPG_HEADER_BYTES];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool done;

	without_hops(header, covered);
	done = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) && EVP_DigestUpdate(context, covered, sizeof(covered)) &&
	       EVP_DigestUpdate(context, software, length) && EVP_DigestFinal_ex(context, ret_digest, NULL);
	EVP_MD_CTX_free(context);
	return done ? 0 : -ENOMEM;
}

void swpg_digest(const uint8_t header[SWPG_HEADER_BYTES], const void *software, size_t length, uint8_t ret_digest[SWPG_DIGEST_BYTES])
{
	if (swpg_digest_make(header, software, length, ret_digest) < 0)
		abort();
}

int swpg_no_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

int swpg_reserve(struct bytes *bytes, size_t more)
{
	uint8_t *grown;

	if (more <= bytes->capacity - bytes->length)
		return 0;
	if (more > SIZE_MAX / 4 - bytes->length)
		return -ENOMEM;
	grown = realloc(bytes->data, bytes->length + more);
	if (!grown)
		return -ENOMEM;
	bytes->data = grown;
	bytes->capacity = bytes->length + more;
	return 0;
}

int swpg_parse(const void *package, size_t length, struct swpg_view *ret_view, struct error *err)
{
	const uint8_t *bytes = package;
	struct swpg_fields fields;
	uint64_t wanted;

	if (length < SWPG_HEADER_BYTES)
		return error_set(err, ERROR_USAGE, EBADMSG, "offset %zu: ends within the header, %u bytes are needed", length,
		                 SWPG_HEADER_BYTES);
	swpg_header_read(bytes, &fields);
	if (fields.magic != SWPG_MAGIC_WORD)
		return error_set(err, ERROR_USAGE, EBADMSG, "offset 0, magic: 0x%08" PRIx32 ", a package has 0x%08x%s", fields.magic,
		                 SWPG_MAGIC_WORD, fields.magic == SWPG_CAMPAIGN_MAGIC ? " (this is a campaign)" : "");
	if (fields.payload_size > SWPG_SOFTWARE_MAX)
		return error_set(err, ERROR_USAGE, EBADMSG, "offset %d, payload_size: %" PRIu32 ", at most %u is possible",
		                 SWPG_AT_PAYLOAD_SIZE, fields.payload_size, SWPG_SOFTWARE_MAX);
	wanted = (uint64_t)SWPG_HEADER_BYTES + fields.payload_size + fields.trailer_length;
	if (wanted != length)
		return error_set(err, ERROR_USAGE, EBADMSG,
		                 "offset %d, payload_size: header 64 + payload %" PRIu32 " + trailer %" PRIu32 " are %" PRIu64
		                 " bytes, there are %zu (%" PRIu64 " %s)",
		                 SWPG_AT_PAYLOAD_SIZE, fields.payload_size, fields.trailer_length, wanted, length,
		                 wanted > length ? wanted - length : length - wanted, wanted > length ? "missing" : "too many");
	*ret_view = (struct swpg_view){
	        .fields = fields,
	        .header = bytes,
	        .payload = bytes + SWPG_HEADER_BYTES,
	        .trailer = bytes + SWPG_HEADER_BYTES + fields.payload_size,
	        .payload_length = fields.payload_size,
	        .trailer_length = fields.trailer_length,
	};
	return 0;
}

static int software_take(const struct swpg_view *view, size_t limit, struct bytes *software, struct error *err)
{
	if (view->fields.compression == 1)
		return swpg_gunzip(view->payload, view->payload_length, limit, software, err);
	if (view->fields.compression != 0)
		return error_set(err, ERROR_USAGE, EBADMSG, "offset %d, compression: %u is unknown", SWPG_AT_COMPRESSION,
		                 view->fields.compression);
	if (view->payload_length > limit)
		return error_set(err, ERROR_USAGE, EFBIG, "offset %u, payload: %zu bytes, at most %zu are allowed", SWPG_HEADER_BYTES,
		                 view->payload_length, limit);
	if (swpg_reserve(software, view->payload_length) < 0 || bytes_append(software, view->payload, view->payload_length) < 0)
		return swpg_no_memory(err);
	return 0;
}

int swpg_software(const struct swpg_view *view, size_t limit, struct bytes *ret_software, struct error *err)
{
	struct bytes software = {0};
	uint32_t size = view->fields.uncompressed_size;
	int r = software_take(view, size < limit ? size : limit, &software, err);

	if (r == 0 && software.length != size)
		r = error_set(err, ERROR_USAGE, EBADMSG, "offset %d, uncompressed_size: %" PRIu32 ", the payload holds %zu bytes",
		              SWPG_AT_UNCOMPRESSED_SIZE, size, software.length);
	if (r < 0) {
		bytes_free(&software);
		return r;
	}
	bytes_free(ret_software);
	*ret_software = software;
	return 0;
}

int swpg_installed(const struct swpg_view *view, struct bytes *ret_image, struct error *err)
{
	struct bytes software = {0}, image = {0};
	int r = swpg_software(view, SWPG_SOFTWARE_MAX, &software, err);

	if (r < 0)
		return r;
	if (swpg_reserve(&image, SWPG_HEADER_BYTES + software.length + view->trailer_length) < 0 ||
	    bytes_append(&image, view->header, SWPG_HEADER_BYTES) < 0 || bytes_append(&image, software.data, software.length) < 0 ||
	    bytes_append(&image, view->trailer, view->trailer_length) < 0)
		r = swpg_no_memory(err);
	bytes_free(&software);
	if (r < 0) {
		bytes_free(&image);
		return r;
	}
	bytes_free(ret_image);
	*ret_image = image;
	return 0;
}
