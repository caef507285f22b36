/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of CAN, ISO-TP and SecOC refuse at check time: frames that cannot be, contradictions. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lang/program.h"
#include "../../run/steps/registry.h"

#define HEAD "cases:\n- id: a\n  title: A\n  params: {p: [1, 2], word: [true]}\n  steps:\n  - "
#define LINE 6

static struct error_list errors;
static struct program *program;

static int load(const char *step)
{
	char text[2048];

	(void)snprintf(text, sizeof(text), HEAD "%s\n", step);
	return program_load_text("t.yaml", text, strlen(text), step_registry_all(), &program, &errors);
}

static void setup(void)
{
	errors = (struct error_list){0};
	program = NULL;
}

static void teardown(void)
{
	error_list_free(&errors);
	program_free(program);
}

#define KEY15 "\"00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\""
#define NINE  "\"00 00 00 00 00 00 00 00 00\""

static const struct {
	const char *step, *message;
	const char *at; /* text of the step that the error's column points at */
} refused[] = {
        /* identifiers */
        {"can.send: {id: 0x800, extended: false}", "`id` 0x800 does not fit the 11 bits", "0x800"},
        {"can.expect: {id: 0x800, extended: false}", "`id` 0x800 does not fit", "0x800"},
        {"can.absent: {id: 0x1fffffff, extended: false, for: 1s}", "does not fit", "0x1f"},
        {"isotp.set: {request_id: 0x1000, response_id: 0x7e8, extended: false}", "`request_id` 0x1000", "0x1000"},
        {"isotp.set: {response_id: 0x1000, extended: false}", "`response_id` 0x1000", "0x1000"},
        {"isotp.frame: {id: 0x1000, extended: false, data: \"01\"}", "does not fit", "0x1000"},
        {"secoc.send: {id: 0x800, extended: false}", "does not fit", "0x800"},
        {"secoc.send: {id: 0x101, as_id: 0x800, extended: false}", "`as_id` 0x800", "0x800"},
        /* frames */
        {"can.send: {id: 1, data: " NINE "}", "`data` has 9 bytes, a classic CAN frame", "\"00"},
        {"can.send: {id: 1, length: 9}", "no classic frame has 9 bytes", "9}"},
        {"can.send: {id: 1, length: 9, fd: true}", "no CAN FD frame has 9 bytes", "9,"},
        {"can.send: {id: 1, length: 1, data: \"11 22\"}", "`length` is 1, but `data` has 2", "1, data"},
        {"can.send: {id: 1, brs: true}", "`brs` needs `fd: true`", "true"},
        {"can.send: {id: 1, esi: true, fd: false}", "`esi` needs `fd: true`", "true"},
        {"can.send: {id: 1, remote: true, fd: true}", "CAN FD has no remote frames", "true"},
        {"can.send: {id: 1, remote: true, data: \"01\"}", "a remote frame carries no data", "\"01"},
        {"can.send: {id: 1, remote: true, length: 9}", "no classic frame has 9 bytes", "9}"},
        {"can.load: {percent: 5, length: 9}", "no CAN FD frame has 9 bytes", "9}"},
        {"isotp.frame: {data: " NINE ", fd: false}", "`data` has 9 bytes", "\"00"},
        {"can.send: {id: 1, brs: \"${word}\"}", "`brs` needs", "\"${word}"},
        /* faults */
        {"can.error: {action: corrupt}", "action corrupt needs `id`", "corrupt"},
        {"can.error: {action: ack}", "action ack needs `id`", "ack"},
        {"can.error: {action: silence}", "action silence needs `node`", "silence"},
        {"can.error: {action: short, id: 1}", "`id` says nothing to action short", "1}"},
        {"can.error: {action: short, node: ecu}", "`node` says nothing", "ecu"},
        {"can.error: {action: ack, id: 1, kind: crc}", "`kind` says nothing", "crc"},
        {"can.error: {action: corrupt, id: 1, on: false}", "`on` says nothing", "false"},
        /* ISO-TP */
        {"isotp.set: {addressing: normal-fixed}", "normal-fixed addressing has 29-bit identifiers", "isotp"},
        {"isotp.set: {addressing: normal-fixed, request_id: 0x18dc11f1, response_id: 0x18daf111}", "`request_id` is 0x18dc11f1", "0x18dc"},
        {"isotp.set: {addressing: normal-fixed, request_id: 0x18da11f1, response_id: 0x18da11f2}", "exchanged", "0x18da11f2"},
        {"isotp.set: {addressing: extended, extension_rx: 1}", "needs `extension_tx`", "extended"},
        {"isotp.set: {addressing: mixed, extension_tx: 1}", "needs `extension_rx`", "mixed"},
        {"isotp.set: {extension_tx: 1}", "`extension_tx` says nothing", "1}"},
        {"isotp.set: {request_id: 5, response_id: 5}", "both 0x5", "5}"},
        {"isotp.set: {request_id: 0x7e8}", "both 0x7e8", "0x7e8"},
        {"isotp.set: {request_id: 0x18000000}", "one identifier has 11 bits, the other 29", "0x1800"},
        {"isotp.set: {tx_dl: 9}", "has 0 to 8, 12, 16", "9}"},
        {"isotp.set: {tx_dl: 16, fd: false}", "a classic frame (`fd: false`) has 8 bytes", "16"},
        {"isotp.send: {data: \"01 02\", length: 1B}", "`length` is 1, but", "1B"},
        {"isotp.request: {data: \"01\", length: 65MiB}", "at most 64 MiB", "65MiB"},
        {"isotp.request: {data: \"\"}", "no empty message", "\"\""},
        /* SecOC */
        {"secoc.pdu: {id: 1, layout: profile1, authentic_bytes: 4}", "layout profile1 needs `data_id`", "profile1"},
        {"secoc.pdu: {id: 1, layout: profile2, data_id: 1}", "layout profile2 needs `authentic_bytes`", "profile2"},
        {"secoc.pdu: {id: 1, layout: free, data_id_in_mac: true, authentic_bytes: 4, mac_bits: 8}", "needs `data_id`", "free"},
        {"secoc.pdu: {id: 1, layout: free, authentic_bytes: 4}", "a MAC has 1 to 128 bits", "free"},
        {"secoc.pdu: {id: 1, layout: demo, key: " KEY15 "}", "`key` has 15 bytes", "\"00"},
        {"secoc.send: {id: 1, key: " KEY15 "}", "`key` has 15 bytes", "\"00"},
        {"secoc.sync: {key: " KEY15 "}", "`key` has 15 bytes", "\"00"},
        {"secoc.send: {id: 1, freshness: 5, jump: 2}", "`jump` does not go with `freshness`", "2}"},
        {"secoc.send: {id: 1, pdu: \"01\", mac_is: zero}", "`mac_is` does not go with `pdu`", "zero"},
        {"secoc.send: {id: 1, pdu: \"01\", flip_bit: 1}", "`flip_bit` does not go with `pdu`", "1}"},
        {"secoc.send: {id: 1, mac: \"01\", mac_is: zero}", "`mac_is` does not go with `mac`", "zero"},
        {"secoc.send: {id: 1, mac_is: zero, mac_bits_right: 4}", "`mac_bits_right` does not go with `mac_is`", "4}"},
        {"secoc.send: {id: 1, without_data_id: true, data_id: 4}", "`data_id` does not go with", "4}"},
        {"secoc.send: {id: 1, length: 9}", "no CAN FD frame has 9", "9}"},
        {"secoc.send: {id: 1, length: 12, classic: true}", "no classic frame has 12", "12"},
        {"secoc.sync: {trip: 1, trip_step: 1}", "`trip_step` does not go with `trip`", "1}"},
        {"secoc.sync: {reset: 1, reset_step: 1}", "`reset_step` does not go with `reset`", "1}"},
        {"secoc.sync: {pdu: \"01\", trip: 1}", "`trip` does not go with `pdu`", "1}"},
        {"secoc.sync: {pdu: " NINE "}", "`pdu` has 9 bytes", "\"00"},
        {"secoc.pdu: {id: 1, layout: profile1, data_id: 1, authentic_bytes: 2}\n  - secoc.send: {id: 1, data: \"11 22 33\"}",
         "`data` has 3 bytes, the authentic PDU of 0x001 has 2", "\"11"},
        {"secoc.pdu: {id: 1, layout: demo}\n  - repeat: {times: 2, steps: [{secoc.sweep: {id: 1, mode: bits, data: \"00 00 00 00 00 00 00 "
         "00 00 "
         "00 00 00 00 00\"}}]}",
         "`data` has 14 bytes, the authentic PDU of 0x001 has 13", "\"00"},
        {"secoc.sweep: {id: 1, mode: bits, count: 5}", "`count` says nothing to mode bits", "5}"},
};

START_TEST(is_refused)
{
	const char *at = strstr(refused[_i].step, refused[_i].at), *line = strchr(refused[_i].step, '\n');
	unsigned column;

	ck_assert_ptr_nonnull(at);
	column = line ? (unsigned)(at - line) : (unsigned)(at - refused[_i].step) + 5;
	ck_assert_int_lt(load(refused[_i].step), 0);
	ck_assert_msg(strstr(errors.items[0].message, refused[_i].message) != NULL, "%s: %s", refused[_i].step, errors.items[0].message);
	ck_assert_msg(errors.count == 1, "%s: %u errors", refused[_i].step, errors.count); /* once, though there are two cases */
	ck_assert_str_eq(errors.items[0].place.file, "t.yaml");
	ck_assert_uint_eq(errors.items[0].place.line, line ? LINE + 1 : LINE);
	ck_assert_msg(errors.items[0].place.column == column, "%s: column %u, not %u", refused[_i].step, errors.items[0].place.column,
	              column);
}
END_TEST

/* Also what only the run will know. */
static const char *const taken[] = {
        "can.send: {id: 0x800}",
        "can.send: {id: 0x7ff, extended: true, data: \"01\"}",
        "can.send: {id: 1, remote: true, length: 8}",
        "can.send: {id: 1, fd: true, length: 64, data: \"01\"}",
        "can.send: {id: 1, fd: true, brs: false, data: " NINE "}",
        "can.error: {action: silence, node: ecu, on: false}",
        "can.error: {action: short}",
        "isotp.set: {tx_dl: 8}",
        "isotp.set: {tx_dl: 48}",
        "isotp.set: {addressing: normal-fixed, request_id: 0x18da11f1, response_id: 0x18daf111}",
        "isotp.set: {addressing: normal-fixed, request_id: 0x18db33f1, response_id: 0x18daf111}",
        "isotp.set: {addressing: mixed, extension_tx: 1, extension_rx: 1}",
        "isotp.set: {request_id: 0x18000000, extended: true}",
        "secoc.pdu: {id: 1, layout: demo}",
        "secoc.pdu: {id: 1, layout: free, authentic_bytes: 4, mac_bits: 8}",
        "secoc.pdu: {id: 1, layout: profile1, data_id: 0, authentic_bytes: \"${p}\"}",
        "secoc.send: {id: 1, mac_bits_right: 4, data_id: 3}",
        "secoc.send: {id: 1, pdu: \"01\", length: 12, remote: false, verdict: refused}",
        "secoc.sync: {trip: 1, reset: 1, flip_bit: 3}",
        "secoc.pdu: {id: 1, layout: profile1, data_id: 1, authentic_bytes: 3}\n  - secoc.send: {id: 1, data: \"11 22 33\"}",
        ("secoc.pdu: {id: 1, layout: profile1, data_id: 1, authentic_bytes: 1}\n  - secoc.pdu: {id: \"${p}\", layout: demo}\n"
         "  - secoc.send: {id: 1, data: \"11 22 33\"}"),
        "note: {text: x}\n  - secoc.read: {id: 1, save: {n: freshness}}\n  - can.send: {id: \"${n}\", extended: false, length: \"${n}\"}",
};

START_TEST(is_taken)
{
	int r = load(taken[_i]);

	ck_assert_msg(r == 0, "%s: %s", taken[_i], errors.count ? errors.items[0].message : "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("can arguments");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_loop_test(all, is_refused, 0, sizeof(refused) / sizeof(*refused));
	tcase_add_loop_test(all, is_taken, 0, sizeof(taken) / sizeof(*taken));
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
