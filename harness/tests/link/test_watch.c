/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../link/watch.h"
#include "link_test.h"
#include "tls_recording.h"

static struct watch *watch;
static struct tls_recording recording;
static char told[512];

static void on_tls(const char *event, void *context)
{
	size_t length = strlen(told);

	(void)snprintf(told + length, sizeof(told) - length, "%s ", event);
}

static void setup(void)
{
	bench_setup();
	recording = (struct tls_recording){0};
	told[0] = '\0';
	watch = NULL;
}

static void teardown(void)
{
	watch_free(watch);
	tls_recording_free(&recording);
	bench_teardown();
}

static void begin(void)
{
	watch_free(watch);
	timeline_free(bench.timeline);
	ck_assert_int_eq(timeline_new(&bench.timeline, NULL, 256, NULL), 0);
	watch = watch_new(bench.timeline, "link:test", 7);
	ck_assert_ptr_nonnull(watch);
	told[0] = '\0';
	watch_on_tls(watch, on_tls, NULL);
}

/* Each flight is a segment that came at a time of its own. */
static struct instant time_of(unsigned flight)
{
	return (struct instant){.ns = 1000000LL * (flight + 1), .source = CLOCK_SOURCE_KERNEL, .uncertainty_ns = 50};
}

static void play_flight(unsigned flight)
{
	watch_bytes(watch, recording.flights[flight].from_client, recording.flights[flight].bytes.data,
	            recording.flights[flight].bytes.length, time_of(flight));
}

static void play_secrets(void)
{
	for (unsigned i = 0; i < recording.line_count; i++)
		watch_secret(watch, recording.lines[i]);
}

static const struct suite {
	int version;
	const char *name, *standard;
} suites[] = {
        {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"},
        {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"},
        {TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
        {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
};
enum { SUITES = sizeof(suites) / sizeof(suites[0]) };

static void check_handshake(const struct suite *suite, bool inferred)
{
	const char *version = suite->version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2";
	const struct event *event = event_of("tls.client_hello", 0);

	ck_assert_ptr_nonnull(event);
	ck_assert_int_eq(event->at.ns, time_of(0).ns);
	ck_assert_int_eq(json_integer_value(json_object_get(event->data, "conn")), 7);
	ck_assert_str_eq(event_text(event, "side"), "client");
	ck_assert_str_eq(event_text(event, "version"), version);
	event = event_of("tls.server_hello", 0);
	ck_assert_str_eq(event_text(event, "version"), version);
	ck_assert_str_eq(event_text(event, "cipher"), suite->standard);
	ck_assert_uint_eq(events_of("tls.client_finished"), 1);
	ck_assert_uint_eq(events_of("tls.finished"), 1);
	event = event_of("tls.client_finished", 0);
	ck_assert_int_eq(event->at.ns, time_of(recording.client_finished).ns);
	ck_assert_int_eq(event->at.source, CLOCK_SOURCE_KERNEL);
	ck_assert(json_is_true(json_object_get(event->data, "inferred")) == inferred);
	event = event_of("tls.finished", 0);
	ck_assert_int_eq(event->at.ns, time_of(recording.finished).ns);
	ck_assert(json_is_true(json_object_get(event->data, "inferred")) == inferred);
}

/* The key log lines of the two directions come one after the other, so which message is told first is open. */
static const struct event *doip_of(const char *side)
{
	const struct event *event = event_of("doip", 0);

	return strcmp(event_text(event, "side"), side) == 0 ? event : event_of("doip", 1);
}

static void check_content(void)
{
	const struct event *event;

	ck_assert_uint_eq(events_of("doip"), 2);
	event = doip_of("client");
	ck_assert_str_eq(event_text(event, "side"), "client");
	ck_assert_int_eq(json_integer_value(json_object_get(event->data, "type")), 5);
	ck_assert_int_eq(json_integer_value(json_object_get(event->data, "length")), 7);
	ck_assert_str_eq(event_text(event, "hex"), "02fd0005000000070e800000000000");
	ck_assert_int_eq(event->at.ns, time_of(recording.flight_count - 4).ns);
	event = doip_of("server");
	ck_assert_str_eq(event_text(event, "side"), "server");
	ck_assert_int_eq(event->at.ns, time_of(recording.flight_count - 3).ns);
	ck_assert_uint_eq(events_of("tls.alert"), 2);
	ck_assert_str_eq(event_text(event_of("tls.alert", 0), "description"), "close_notify");
	ck_assert_uint_eq(events_of("note"), 0);
}

START_TEST(test_secrets_early)
{
	tls_record(&recording, suites[_i].version, suites[_i].name, false, false);
	begin();
	watch_secret(watch, "CLIENT_RANDOM 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff 00");
	watch_secret(watch, "rubbish");
	play_secrets();
	for (unsigned i = 0; i < recording.flight_count; i++)
		play_flight(i);
	check_handshake(&suites[_i], false);
	check_content();
	ck_assert_str_eq(told, "client_hello server_hello client_finished finished alert alert ");
	ck_assert_int_eq(watch_deadline_ns(watch), INT64_MAX);
}
END_TEST

/* The secrets come at each possible moment, all events have the time of their segment. */
START_TEST(test_secrets_late)
{
	tls_record(&recording, suites[_i].version, suites[_i].name, false, false);
	for (unsigned when = 1; when <= recording.flight_count; when++) {
		begin();
		for (unsigned i = 0; i < recording.flight_count; i++) {
			if (i == when)
				play_secrets();
			play_flight(i);
		}
		if (when == recording.flight_count)
			play_secrets();
		check_handshake(&suites[_i], false);
		check_content();
		watch_settle(watch, INT64_MAX);
		ck_assert_uint_eq(events_of("tls.finished"), 1);
	}
}
END_TEST

START_TEST(test_no_secrets)
{
	bool tls13 = suites[_i].version == TLS1_3_VERSION;

	tls_record(&recording, suites[_i].version, suites[_i].name, false, false);
	begin();
	for (unsigned i = 0; i < recording.flight_count; i++)
		play_flight(i);
	/* Who waits to cut is told at once; the timeline waits for secrets. */
	ck_assert_ptr_nonnull(strstr(told, "client_finished"));
	if (tls13) {
		ck_assert_uint_eq(events_of("tls.finished"), 0);
		ck_assert_int_eq(watch_deadline_ns(watch), time_of(recording.client_finished).ns + WATCH_SECRET_DELAY_NS);
		watch_settle(watch, watch_deadline_ns(watch) - 1);
		ck_assert_uint_eq(events_of("tls.finished"), 0);
		watch_settle(watch, watch_deadline_ns(watch));
	}
	check_handshake(&suites[_i], tls13);
	ck_assert_int_eq(watch_deadline_ns(watch), INT64_MAX);
	ck_assert_uint_eq(events_of("doip"), 0);
	watch_settle(watch, INT64_MAX);
	ck_assert_uint_eq(events_of("tls.alert"), tls13 ? 0 : 2);
	ck_assert_uint_eq(events_of("tls.finished"), 1);
}
END_TEST

/* Secrets after the time was up: the content is still read, nothing is told twice. */
START_TEST(test_secrets_too_late)
{
	tls_record(&recording, suites[_i].version, suites[_i].name, false, false);
	begin();
	for (unsigned i = 0; i < recording.flight_count; i++)
		play_flight(i);
	watch_settle(watch, 10 * SECOND_NS);
	play_secrets();
	check_handshake(&suites[_i], suites[_i].version == TLS1_3_VERSION);
	check_content();
}
END_TEST

START_TEST(test_wrong_secrets)
{
	tls_record(&recording, suites[_i].version, suites[_i].name, false, false);
	begin();
	for (unsigned i = 0; i < recording.line_count; i++) {
		char *last = recording.lines[i] + strlen(recording.lines[i]) - 1;

		*last = *last == '0' ? '1' : '0';
	}
	play_secrets();
	for (unsigned i = 0; i < recording.flight_count; i++)
		play_flight(i);
	watch_settle(watch, 10 * SECOND_NS);
	ck_assert_uint_eq(events_of("note"), 1);
	ck_assert_uint_eq(events_of("tls.finished"), 1);
	ck_assert_uint_eq(events_of("doip"), 0);
}
END_TEST

/* Whatever the network makes of the segments, the same events come. */
START_TEST(test_every_split)
{
	size_t longest = 0;

	tls_record(&recording, suites[_i].version, suites[_i].name, false, false);
	for (unsigned i = 0; i < recording.flight_count; i++)
		longest = recording.flights[i].bytes.length > longest ? recording.flights[i].bytes.length : longest;
	for (size_t split = 1; split < longest; split++) {
		begin();
		play_secrets();
		for (unsigned i = 0; i < recording.flight_count; i++) {
			const struct bytes *bytes = &recording.flights[i].bytes;
			size_t first = split < bytes->length ? split : bytes->length;

			watch_bytes(watch, recording.flights[i].from_client, bytes->data, first, time_of(i));
			watch_bytes(watch, recording.flights[i].from_client, bytes->data + first, bytes->length - first, time_of(i));
		}
		check_handshake(&suites[_i], false);
		check_content();
	}
}
END_TEST

START_TEST(test_byte_by_byte)
{
	tls_record(&recording, suites[_i].version, suites[_i].name, false, false);
	begin();
	for (unsigned i = 0; i < recording.flight_count; i++) {
		for (size_t at = 0; at < recording.flights[i].bytes.length; at++)
			watch_bytes(watch, recording.flights[i].from_client, recording.flights[i].bytes.data + at, 1, time_of(i));
	}
	play_secrets();
	check_handshake(&suites[_i], false);
	check_content();
}
END_TEST

START_TEST(test_retry)
{
	tls_record(&recording, TLS1_3_VERSION, suites[0].name, true, false);
	begin();
	play_secrets();
	for (unsigned i = 0; i < recording.flight_count; i++)
		play_flight(i);
	ck_assert_uint_eq(events_of("tls.client_hello"), 2);
	ck_assert_uint_eq(events_of("tls.server_hello"), 1);
	ck_assert(json_is_true(json_object_get(event_of("tls.client_hello", 1)->data, "retry")));
	check_handshake(&suites[0], false);
	check_content();
}
END_TEST

START_TEST(test_key_update)
{
	tls_record(&recording, TLS1_3_VERSION, suites[_i].name, false, true);
	begin();
	play_secrets();
	for (unsigned i = 0; i < recording.flight_count; i++)
		play_flight(i);
	check_handshake(&suites[_i], false);
	check_content();
}
END_TEST

/* Any byte of the session may be wrong: nothing breaks, and the watch says at most once that it is lost. */
START_TEST(test_damaged)
{
	tls_record(&recording, suites[_i].version, suites[_i].name, false, false);
	for (unsigned flight = 0; flight < recording.flight_count; flight++) {
		struct bytes *bytes = &recording.flights[flight].bytes;

		for (size_t at = 0; at < bytes->length; at++) {
			begin();
			play_secrets();
			bytes->data[at] ^= 0x55;
			for (unsigned i = 0; i < recording.flight_count; i++)
				play_flight(i);
			bytes->data[at] ^= 0x55;
			watch_settle(watch, INT64_MAX);
			ck_assert_uint_le(events_of("note"), 1);
			ck_assert_uint_le(events_of("tls.finished"), 1);
		}
	}
}
END_TEST

/* ---- plain DoIP ---- */

static json_t *describe(const uint8_t *message, size_t length, void *context)
{
	(*(unsigned *)context)++;
	return json_pack("{s:s, s:i, s:s}", "name", "routing activation request", "type", 99, "hex", "mine");
}

START_TEST(test_doip)
{
	unsigned described = 0;
	uint8_t both[sizeof(activation_request) * 2];

	for (size_t split = 1; split < sizeof(both); split++) {
		begin();
		watch_on_doip(watch, describe, &described);
		memcpy(both, activation_request, sizeof(activation_request));
		memcpy(both + sizeof(activation_request), activation_request, sizeof(activation_request));
		watch_bytes(watch, true, both, split, time_of(0));
		watch_bytes(watch, true, both + split, sizeof(both) - split, time_of(1));
		ck_assert_uint_eq(events_of("doip"), 2);
		ck_assert_str_eq(event_text(event_of("doip", 0), "name"), "routing activation request");
		/* What the watch knows itself is not overruled. */
		ck_assert_int_eq(json_integer_value(json_object_get(event_of("doip", 0)->data, "type")), 5);
		ck_assert_str_ne(event_text(event_of("doip", 0), "hex"), "mine");
		ck_assert_int_eq(event_of("doip", 0)->at.ns, time_of(split >= sizeof(activation_request) ? 0 : 1).ns);
		ck_assert_int_eq(event_of("doip", 1)->at.ns, time_of(1).ns);
	}
	ck_assert_uint_eq(described, 2 * (sizeof(both) - 1));
}
END_TEST

START_TEST(test_large_doip)
{
	static uint8_t payload[200000];
	const uint8_t header[8] = {0x03, 0xfc, 0x80, 0x01, 0, 0x03, 0x0d, 0x40}; /* 200000 */

	begin();
	watch_bytes(watch, false, header, sizeof(header), time_of(0));
	watch_bytes(watch, false, payload, 100000, time_of(0));
	ck_assert_uint_eq(events_of("doip"), 0);
	watch_bytes(watch, false, payload, 100000, time_of(1));
	ck_assert_uint_eq(events_of("doip"), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(event_of("doip", 0)->data, "length")), 200000);
	ck_assert_uint_eq(strlen(event_text(event_of("doip", 0), "hex")), 8192);
	ck_assert_int_eq(json_integer_value(json_object_get(event_of("doip", 0)->data, "truncated")), 200008 - 4096);
	watch_bytes(watch, false, activation_response, sizeof(activation_response), time_of(2));
	ck_assert_uint_eq(events_of("doip"), 2);
}
END_TEST

START_TEST(test_bad_doip_header)
{
	const uint8_t header[8] = {0x02, 0x02, 0x00, 0x05, 0, 0, 0, 7};
	const uint8_t endless[9] = {0x02, 0xfd, 0x80, 0x01, 0xff, 0xff, 0xff, 0xff, 0x01};

	begin();
	watch_bytes(watch, true, activation_request, sizeof(activation_request), time_of(0));
	watch_bytes(watch, true, header, sizeof(header), time_of(1));
	watch_bytes(watch, true, activation_request, sizeof(activation_request), time_of(2));
	ck_assert_uint_eq(events_of("doip"), 2);
	ck_assert_str_ne(event_text(event_of("doip", 1), "malformed"), "");
	/* The other direction goes on. */
	watch_bytes(watch, false, endless, sizeof(endless), time_of(3));
	ck_assert_uint_eq(events_of("doip"), 2);
	watch_settle(watch, INT64_MAX);
	ck_assert_uint_eq(events_of("doip"), 3);
	ck_assert_str_ne(event_text(event_of("doip", 2), "malformed"), "");
}
END_TEST

START_TEST(test_rubbish)
{
	uint8_t rubbish[300];

	for (unsigned seed = 1; seed < 2000; seed++) {
		uint32_t random = seed * 2654435761U;

		begin();
		for (size_t i = 0; i < sizeof(rubbish); i++) {
			random = random * 1664525U + 1013904223U;
			rubbish[i] = (uint8_t)(random >> 24);
		}
		/* Most begin as TLS or DoIP would, so that what is behind it is reached. */
		if (seed % 3 == 0)
			memcpy(rubbish, "\x16\x03\x01\x00\x20\x01\x00\x00", 8);
		else if (seed % 3 == 1)
			rubbish[1] = (uint8_t)~rubbish[0];
		watch_bytes(watch, seed & 1, rubbish, sizeof(rubbish), time_of(0));
		watch_bytes(watch, !(seed & 1), rubbish, sizeof(rubbish), time_of(1));
		ck_assert_uint_le(events_of("note"), 1);
	}
}
END_TEST

START_TEST(test_bounded_queue)
{
	static uint8_t record[5 + 16000] = {0x17, 0x03, 0x03, 0x3e, 0x80};

	tls_record(&recording, TLS1_3_VERSION, suites[0].name, false, false);
	begin();
	for (unsigned i = 0; i < 2; i++)
		play_flight(i);
	for (unsigned i = 0; i < 2000; i++)
		watch_bytes(watch, false, record, sizeof(record), time_of(3)); /* 32 MB without a secret */
	play_secrets();
	ck_assert_uint_eq(events_of("doip"), 0);
}
END_TEST

/* Seeds for the fuzzer: see harness/fuzz/fuzz_watch.c. Only on demand: HILBENCH_WATCH_SEEDS=folder. */
START_TEST(test_write_seeds)
{
	const char *folder = getenv("HILBENCH_WATCH_SEEDS");
	char path[256];
	FILE *file;

	if (!folder)
		return;
	tls_record(&recording, suites[_i].version, suites[_i].name, _i == 0, _i == 1);
	(void)snprintf(path, sizeof(path), "%s/%s", folder, suites[_i].standard);
	file = fopen(path, "wb");
	ck_assert_ptr_nonnull(file);
	for (unsigned i = 0; i < recording.line_count; i++)
		ck_assert_int_gt(fprintf(file, "%c%c%c%s", 2, (int)(strlen(recording.lines[i]) >> 8),
		                         (int)(strlen(recording.lines[i]) & 255), recording.lines[i]),
		                 0);
	for (unsigned i = 0; i < recording.flight_count; i++) {
		const struct bytes *bytes = &recording.flights[i].bytes;

		ck_assert_int_eq(fputc(recording.flights[i].from_client, file), recording.flights[i].from_client);
		(void)fputc((int)(bytes->length >> 8), file);
		(void)fputc((int)(bytes->length & 255), file);
		ck_assert_uint_eq(fwrite(bytes->data, 1, bytes->length, file), bytes->length);
	}
	ck_assert_int_eq(fclose(file), 0);
}
END_TEST

Suite *watch_suite(void)
{
	Suite *suite = suite_create("watch");
	TCase *tests = tcase_create("watch");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 300);
	tcase_add_loop_test(tests, test_secrets_early, 0, SUITES);
	tcase_add_loop_test(tests, test_secrets_late, 0, SUITES);
	tcase_add_loop_test(tests, test_no_secrets, 0, SUITES);
	tcase_add_loop_test(tests, test_secrets_too_late, 0, SUITES);
	tcase_add_loop_test(tests, test_wrong_secrets, 0, SUITES);
	tcase_add_loop_test(tests, test_every_split, 0, SUITES);
	tcase_add_loop_test(tests, test_byte_by_byte, 0, SUITES);
	tcase_add_test(tests, test_retry);
	tcase_add_loop_test(tests, test_key_update, 0, 3);
	tcase_add_loop_test(tests, test_damaged, 0, SUITES);
	tcase_add_test(tests, test_doip);
	tcase_add_test(tests, test_large_doip);
	tcase_add_test(tests, test_bad_doip_header);
	tcase_add_test(tests, test_rubbish);
	tcase_add_test(tests, test_bounded_queue);
	tcase_add_loop_test(tests, test_write_seeds, 0, SUITES);
	suite_add_tcase(suite, tests);
	return suite;
}
