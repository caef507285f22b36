/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../proto/doip.h"
#include "test_proto.h"

#define LIMIT 4096

static const struct {
	const char *word;
	uint16_t type;
	uint32_t good[3]; /* payload lengths that fit, UINT32_MAX ends */
} types[] = {
        {"header_nack", 0x0000, {1, UINT32_MAX}},
        {"identification_request", 0x0001, {0, UINT32_MAX}},
        {"identification_request_eid", 0x0002, {6, UINT32_MAX}},
        {"identification_request_vin", 0x0003, {17, UINT32_MAX}},
        {"announcement", 0x0004, {32, 33, UINT32_MAX}},
        {"activation_request", 0x0005, {7, 11, UINT32_MAX}},
        {"activation_response", 0x0006, {9, 13, UINT32_MAX}},
        {"alive_request", 0x0007, {0, UINT32_MAX}},
        {"alive_response", 0x0008, {2, UINT32_MAX}},
        {"status_request", 0x4001, {0, UINT32_MAX}},
        {"status_response", 0x4002, {3, 7, UINT32_MAX}},
        {"power_mode_request", 0x4003, {0, UINT32_MAX}},
        {"power_mode_response", 0x4004, {1, UINT32_MAX}},
};
#define TYPES (sizeof(types) / sizeof(types[0]))

/* Decodes bytes given as hex from a buffer of exactly their size, so that a sanitizer sees an overread. */
static ssize_t decode_hex(const char *hex, struct bytes *storage, struct doip_message *m)
{
	bytes_free(storage);
	ck_assert_int_eq(bytes_parse_hex(hex, storage), 0);
	return doip_decode(storage->data, storage->length, LIMIT, m);
}

START_TEST(names_map_to_types)
{
	uint16_t type = 0;
	ck_assert_int_eq(doip_type_parse(types[_i].word, &type), 0);
	ck_assert_uint_eq(type, types[_i].type);
	ck_assert_ptr_nonnull(doip_type_name(type));
}
END_TEST

START_TEST(unknown_names_are_refused)
{
	uint16_t type = 77;
	ck_assert_int_eq(doip_type_parse("activation", &type), -EINVAL);
	ck_assert_int_eq(doip_type_parse("", &type), -EINVAL);
	ck_assert_int_eq(doip_type_parse(NULL, &type), -EINVAL);
	ck_assert_uint_eq(type, 77);
	ck_assert_int_eq(doip_type_parse("diagnostic_nack", &type), 0);
	ck_assert_uint_eq(type, 0x8003);
	ck_assert_ptr_null(doip_type_name(0x0009));
	ck_assert_ptr_null(doip_activation_code_name(0x08));
	ck_assert_str_eq(doip_activation_code_name(0x10), "activated");
	ck_assert_ptr_null(doip_header_nack_name(5));
	ck_assert_ptr_null(doip_diagnostic_nack_name(0));
	ck_assert_ptr_null(doip_diagnostic_nack_name(9));
	ck_assert_str_eq(doip_diagnostic_nack_name(3), "unknown target address");
}
END_TEST

/* Every payload length from 0 to 40 for every type of fixed length: malformed exactly when the standard says so. */
START_TEST(lengths_are_judged)
{
	for (uint32_t length = 0; length <= 40; length++) {
		uint8_t payload[40] = {0};
		struct bytes out = {0};
		ck_assert_int_eq(doip_encode(&out, types[_i].type, payload, length, NULL), 0);
		struct doip_message m;
		ck_assert_int_eq(doip_decode(out.data, out.length, LIMIT, &m), 8 + length);
		bool good = false;
		for (const uint32_t *p = types[_i].good; *p != UINT32_MAX; p++)
			good = good || *p == length;
		ck_assert_msg(m.malformed == !good, "type 0x%04x length %u", types[_i].type, length);
		json_decref(doip_to_json(&m));
		bytes_free(&out);
	}
}
END_TEST

START_TEST(diagnostic_needs_user_data)
{
	static const uint16_t kinds[] = {DOIP_DIAGNOSTIC, DOIP_DIAGNOSTIC_ACK, DOIP_DIAGNOSTIC_NACK};
	for (size_t length = 0; length < 8; length++) {
		uint8_t payload[8] = {0x0e, 0x80, 0x00, 0x91, 0x22, 0xf1, 0x90, 0x00};
		struct bytes out = {0};
		ck_assert_int_eq(doip_encode(&out, kinds[_i], payload, length, NULL), 0);
		struct doip_message m;
		ck_assert_int_eq(doip_decode(out.data, out.length, LIMIT, &m), (ssize_t)(8 + length));
		ck_assert(m.malformed == (length < 5));
		if (length >= 5) {
			size_t overhead = kinds[_i] == DOIP_DIAGNOSTIC ? 4 : 5;
			ck_assert_uint_eq(m.source, 0x0e80);
			ck_assert_uint_eq(m.target, 0x0091);
			ck_assert_uint_eq(m.data_length, length - overhead);
		}
		bytes_free(&out);
	}
}
END_TEST

START_TEST(activation_round_trip)
{
	static const uint8_t oem[4] = {1, 2, 3, 4};
	struct bytes payload = {0}, out = {0};
	ck_assert_int_eq(doip_encode_activation(&payload, 0x0e80, 0xe0, oem, 4), 0);
	ck_assert_int_eq(doip_encode(&out, DOIP_ACTIVATION_REQUEST, payload.data, payload.length, NULL), 0);
	static const uint8_t wire[] = {3, 0xfc, 0, 5, 0, 0, 0, 11, 0x0e, 0x80, 0xe0, 0, 0, 0, 0, 1, 2, 3, 4};
	ck_assert_uint_eq(out.length, sizeof(wire));
	ck_assert_mem_eq(out.data, wire, sizeof(wire));
	struct doip_message m;
	ck_assert_int_eq(doip_decode(out.data, out.length, LIMIT, &m), sizeof(wire));
	ck_assert_uint_eq(m.source, 0x0e80);
	ck_assert_uint_eq(m.code, 0xe0);
	ck_assert_uint_eq(m.data_length, 4);
	ck_assert_mem_eq(m.data, oem, 4);
	bytes_free(&payload);
	bytes_free(&out);
}
END_TEST

START_TEST(responses_are_decoded)
{
	struct bytes b = {0};
	struct doip_message m;
	ck_assert_int_gt(decode_hex("02 fd 00 06 00 00 00 09 0e 80 00 91 06 00 00 00 00", &b, &m), 0);
	ck_assert_uint_eq(m.version, 2);
	ck_assert_uint_eq(m.source, 0x0e80);
	ck_assert_uint_eq(m.target, 0x0091);
	ck_assert_uint_eq(m.code, 6);
	ck_assert_uint_eq(m.data_length, 0);
	ck_assert_int_gt(decode_hex("03 fc 40 02 00 00 00 07 01 04 02 00 00 10 00", &b, &m), 0);
	ck_assert(m.status.node_type == 1 && m.status.max_sockets == 4 && m.status.open_sockets == 2);
	ck_assert(m.status.has_max_data && m.status.max_data == 4096);
	ck_assert_int_gt(decode_hex("03 fc 40 02 00 00 00 03 01 04 02", &b, &m), 0);
	ck_assert(!m.status.has_max_data);
	ck_assert_int_gt(decode_hex("03 fc 00 08 00 00 00 02 0e 81", &b, &m), 0);
	ck_assert_uint_eq(m.source, 0x0e81);
	ck_assert_int_gt(decode_hex("03 fc 80 03 00 00 00 07 00 91 0e 80 03 22 f1", &b, &m), 0);
	ck_assert(m.code == 3 && m.data_length == 2 && m.data[0] == 0x22);
	bytes_free(&b);
}
END_TEST

START_TEST(announcement_is_decoded)
{
	struct bytes b = {0};
	struct doip_message m;
	ck_assert_int_gt(decode_hex("03fc000400000021 5741555a5a5a344d304a44303030303031 0091 020304050607 0a0b0c0d0e0f 10 00", &b, &m), 0);
	ck_assert(!m.malformed);
	ck_assert_str_eq(m.identity.vin, "WAUZZZ4M0JD000001");
	ck_assert_uint_eq(m.identity.address, 0x0091);
	ck_assert_uint_eq(m.identity.eid[0], 2);
	ck_assert_uint_eq(m.identity.gid[5], 0x0f);
	ck_assert_uint_eq(m.identity.further_action, 0x10);
	ck_assert(m.identity.has_sync);
	json_t *object = doip_to_json(&m);
	ck_assert_str_eq(json_string_value(json_object_get(object, "vin")), "WAUZZZ4M0JD000001");
	ck_assert_str_eq(json_string_value(json_object_get(object, "eid")), "020304050607");
	json_decref(object);
	bytes_free(&b);
}
END_TEST

/* A message that comes in two pieces is asked for until it is whole; what follows it is left alone. */
START_TEST(every_split_waits)
{
	struct bytes b = {0};
	struct doip_message m;
	ck_assert_int_eq(decode_hex("03fc 8001 00000007 0e800091 22f190  03fc00070000000003", &b, &m), 15);
	for (size_t cut = 0; cut < 15; cut++) {
		uint8_t *piece = malloc(cut > 0 ? cut : 1);
		memcpy(piece, b.data, cut);
		ck_assert_int_eq(doip_decode(piece, cut, LIMIT, &m), 0);
		free(piece);
	}
	ck_assert_int_eq(doip_decode(b.data, 15, LIMIT, &m), 15);
	bytes_free(&b);
}
END_TEST

START_TEST(bad_headers_are_refused_but_filled)
{
	struct bytes b = {0};
	struct doip_message m = {0};
	ck_assert_int_eq(decode_hex("03 fd 00 05 00 00 00 07", &b, &m), -EBADMSG);
	ck_assert_uint_eq(m.inverse, 0xfd);
	ck_assert_uint_eq(m.type, 5);
	ck_assert_int_eq(decode_hex("03 fc 80 01 ff ff ff ff", &b, &m), -EBADMSG);
	ck_assert_uint_eq(m.length, 0xffffffff);
	ck_assert_int_eq(decode_hex("03 fc 80 01 00 00 10 01", &b, &m), -EBADMSG);
	ck_assert_int_eq(decode_hex("03 fc 80 01 00 00 10 00", &b, &m), 0);
	ck_assert_int_eq(decode_hex("ff 00 00 01 00 00 00 00", &b, &m), 8);
	bytes_free(&b);
}
END_TEST

START_TEST(malformed_messages_can_be_made)
{
	struct bytes out = {0};
	struct doip_header_options options = {.has_version = true, .version = 0x02};
	ck_assert_int_eq(doip_encode(&out, DOIP_ALIVE_REQUEST, NULL, 0, &options), 0);
	ck_assert_mem_eq(out.data, "\x02\xfd\x00\x07\x00\x00\x00\x00", 8);
	bytes_clear(&out);
	options = (struct doip_header_options){.has_inverse = true, .inverse = 0x03, .has_length = true, .length = 0xfffffff0};
	ck_assert_int_eq(doip_encode(&out, 0xabcd, "x", 1, &options), 0);
	ck_assert_mem_eq(out.data, "\x03\x03\xab\xcd\xff\xff\xff\xf0x", 9);
	bytes_free(&out);
}
END_TEST

START_TEST(json_says_what_is_wrong)
{
	struct bytes b = {0};
	struct doip_message m;
	ck_assert_int_gt(decode_hex("03fc 0009 00000002 beef", &b, &m), 0);
	ck_assert(!m.malformed);
	json_t *object = doip_to_json(&m);
	ck_assert_ptr_null(json_object_get(object, "name"));
	ck_assert_str_eq(json_string_value(json_object_get(object, "hex")), "beef");
	json_decref(object);
	ck_assert_int_gt(decode_hex("03fc 0006 00000002 beef", &b, &m), 0);
	object = doip_to_json(&m);
	ck_assert(json_is_true(json_object_get(object, "malformed")));
	ck_assert_ptr_null(json_object_get(object, "code"));
	json_decref(object);
	ck_assert_int_gt(decode_hex("03fc 0003 00000011 00ff41424344454647484950515253545a", &b, &m), 0);
	object = doip_to_json(&m);
	ck_assert_str_eq(json_string_value(json_object_get(object, "vin")), "\\x00\\xffABCDEFGHIPQRSTZ");
	json_decref(object);
	bytes_free(&b);
}
END_TEST

START_TEST(long_payloads_are_cut_in_the_journal)
{
	uint8_t *payload = calloc(1, 5000);
	struct bytes out = {0};
	ck_assert_int_eq(doip_encode(&out, DOIP_DIAGNOSTIC, payload, 5000, NULL), 0);
	struct doip_message m;
	ck_assert_int_eq(doip_decode(out.data, out.length, 5000, &m), 5008);
	json_t *object = doip_to_json(&m);
	ck_assert_uint_eq(json_string_length(json_object_get(object, "hex")), 2 * 4096);
	ck_assert_int_eq(json_integer_value(json_object_get(object, "truncated")), 904);
	json_decref(object);
	bytes_free(&out);
	free(payload);
}
END_TEST

Suite *doip_suite(void)
{
	Suite *suite = suite_create("doip");
	TCase *tests = tcase_create("doip");
	tcase_add_loop_test(tests, names_map_to_types, 0, TYPES);
	tcase_add_test(tests, unknown_names_are_refused);
	tcase_add_loop_test(tests, lengths_are_judged, 0, TYPES);
	tcase_add_loop_test(tests, diagnostic_needs_user_data, 0, 3);
	tcase_add_test(tests, activation_round_trip);
	tcase_add_test(tests, responses_are_decoded);
	tcase_add_test(tests, announcement_is_decoded);
	tcase_add_test(tests, every_split_waits);
	tcase_add_test(tests, bad_headers_are_refused_but_filled);
	tcase_add_test(tests, malformed_messages_can_be_made);
	tcase_add_test(tests, json_says_what_is_wrong);
	tcase_add_test(tests, long_payloads_are_cut_in_the_journal);
	suite_add_tcase(suite, tests);
	return suite;
}
