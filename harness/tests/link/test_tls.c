/* SPDX-License-Identifier: Apache-2.0 */
/* Streams over TLS, and every way in which that can fail. */
#include <errno.h>
#include <sys/socket.h>

#include "../../link/stream_private.h"
#include "link_test.h"

static struct stream_listener *listener;
static struct party client, server;
static unsigned secrets;

static void setup(void)
{
	bench_setup();
	client = server = (struct party){0};
	listener = NULL;
	secrets = 0;
}

static void teardown(void)
{
	party_free(&client);
	party_free(&server);
	stream_listener_free(listener);
	bench_teardown();
}

static void on_secret(const char *line, void *context)
{
	secrets++;
}

/* NULL: that side speaks plain TCP. */
static void start(const struct tls_identity *ours, const struct tls_identity *theirs)
{
	struct stream_environment client_side = bench_environment("tester:client"), server_side = bench_environment("tester:server");
	struct stream_handlers handlers = party_handlers(&client);
	struct error err = {0};

	client_side.on_secret = on_secret;
	ck_assert_msg(stream_listen(&listener, &server_side, "127.0.0.1:0", theirs, party_accept, &server, &err) == 0, "%s", err.message);
	ck_assert_msg(stream_connect(&client.stream, &client_side, NULL, stream_listener_address(listener), ours, &handlers, &err) == 0,
	              "%s", err.message);
}

static void check_info(const struct party *party, const char *key, const char *expected)
{
	json_t *info = stream_tls_info(party->stream);
	const char *text = json_string_value(json_object_get(info, key));

	ck_assert_msg(text && strcmp(text, expected) == 0, "%s is %s, expected %s", key, text ? text : "absent", expected);
	json_decref(info);
}

static void connect_both(uint16_t version)
{
	struct tls_identity ours = identity("tester", "vmg.hilbench.test"), theirs = identity("vmg", NULL);

	ours.minimum_version = ours.maximum_version = version;
	start(&ours, &theirs);
	wait_for(&client.opened);
	wait_for(&server.opened);
}

static const struct {
	uint16_t number;
	const char *name;
} versions[] = {{0x0303, "TLSv1.2"}, {0x0304, "TLSv1.3"}};

START_TEST(test_conversation)
{
	static uint8_t data[100000];

	server.echo = true;
	connect_both(versions[_i].number);
	party_send(&client, data, sizeof(data));
	party_wait(&client, sizeof(data));
	check_info(&client, "version", versions[_i].name);
	check_info(&client, "peer_name", "vmg.hilbench.test");
	check_info(&server, "peer_name", "tester.hilbench.test");
	ck_assert_uint_eq(events_of("tls.open"), 2);
	ck_assert_uint_eq(events_of("tls.opened"), 2);
	ck_assert_str_eq(event_text(event_of("tls.opened", 0), "version"), versions[_i].name);
	ck_assert_str_ne(event_text(event_of("tls.opened", 0), "cipher"), "");
	ck_assert_str_ne(event_text(event_of("tls.opened", 0), "group"), "");
	ck_assert_uint_gt(secrets, 0);
	/* close_notify, FIN: in order from both sides. */
	stream_shutdown(client.stream);
	wait_for(&client.closed);
	wait_for(&server.closed);
	ck_assert_int_eq(client.end, STREAM_END_FIN);
	ck_assert_int_eq(server.end, STREAM_END_FIN);
	ck_assert_uint_eq(events_of("tls.failed"), 0);
}
END_TEST

START_TEST(test_group)
{
	struct tls_identity ours = identity("tester", "vmg.hilbench.test"), theirs = identity("vmg", NULL);

	ours.groups = "P-384";
	start(&ours, &theirs);
	wait_for(&client.opened);
	check_info(&client, "group", "secp384r1");
}
END_TEST

START_TEST(test_truncated)
{
	connect_both(versions[_i].number);
	party_send(&server, "part", 4);
	ck_assert_int_eq(shutdown(server.stream->fd, SHUT_WR), 0);
	wait_for(&client.closed);
	ck_assert_int_eq(client.end, STREAM_END_TRUNCATED);
	ck_assert_uint_eq(client.received.length, 4);
}
END_TEST

START_TEST(test_reset)
{
	connect_both(versions[_i].number);
	stream_abort(client.stream);
	wait_for(&server.closed);
	ck_assert_int_eq(server.end, STREAM_END_RESET);
}
END_TEST

/* ---- refusals ---- */

static const struct refusal {
	const char *ours, *theirs, *name; /* identities; name that the client expects */
	bool by_server;
	uint16_t version;
	const char *alert;
} refusals[] = {
        {"tester", "vmg-expired", "vmg.hilbench.test", false, 0x0304, "certificate_expired"},
        {"tester", "vmg-expired", "vmg.hilbench.test", false, 0x0303, "certificate_expired"},
        {"tester", "vmg-not-yet-valid", "vmg.hilbench.test", false, 0x0304, "bad_certificate"},
        {"tester", "vmg-wrong-ca", "vmg.hilbench.test", false, 0x0304, "unknown_ca"},
        {"tester", "vmg-self-signed", "vmg.hilbench.test", false, 0x0304, "unknown_ca"},
        {"tester", "vmg", "zgw.hilbench.test", false, 0x0304, "bad_certificate"},
        {"tester", "vmg-client-only", "vmg.hilbench.test", false, 0x0304, "unsupported_certificate"},
        {"tester-expired", "vmg", "vmg.hilbench.test", true, 0x0304, "certificate_expired"},
        {"tester-expired", "vmg", "vmg.hilbench.test", true, 0x0303, "certificate_expired"},
        {"tester-wrong-ca", "vmg", "vmg.hilbench.test", true, 0x0304, "unknown_ca"},
        {NULL, "vmg", "vmg.hilbench.test", true, 0x0304, "certificate_required"},
        {NULL, "vmg", "vmg.hilbench.test", true, 0x0303, "handshake_failure"},
};

START_TEST(test_refusal)
{
	const struct refusal *refusal = &refusals[_i];
	struct tls_identity ours = identity(refusal->ours ? refusal->ours : "tester", refusal->name),
	                    theirs = identity(refusal->theirs, NULL);
	const struct party *refusing = refusal->by_server ? &server : &client, *refused = refusal->by_server ? &client : &server;

	if (!refusal->ours)
		ours.certificate = ours.key = NULL;
	ours.minimum_version = ours.maximum_version = refusal->version;
	start(&ours, &theirs);
	wait_for(&client.closed);
	wait_for(&server.closed);
	ck_assert_int_eq(client.end, STREAM_END_TLS);
	ck_assert_int_eq(server.end, STREAM_END_TLS);
	check_info(refusing, "alert", refusal->alert);
	check_info(refusing, "alert_side", "sent");
	check_info(refused, "alert", refusal->alert);
	check_info(refused, "alert_side", "received");
	ck_assert(!refusing->opened);
	ck_assert_uint_eq(events_of("tls.failed"), 2);
	ck_assert_str_eq(event_text(event_of("tls.failed", 0), "alert"), refusal->alert);
	ck_assert_str_ne(event_text(event_of("tls.failed", 0), "reason"), "");
}
END_TEST

START_TEST(test_no_common_version)
{
	struct tls_identity ours = identity("tester", NULL), theirs = identity("vmg", NULL);

	ours.maximum_version = 0x0303;
	theirs.minimum_version = 0x0304;
	start(&ours, &theirs);
	wait_for(&client.closed);
	check_info(&client, "alert", "protocol_version");
}
END_TEST

START_TEST(test_take_any)
{
	struct tls_identity ours = identity("tester-wrong-ca", "zgw.hilbench.test"), theirs = identity("vmg-expired", NULL);

	ours.verify_peer = theirs.verify_peer = false;
	start(&ours, &theirs);
	wait_for(&client.opened);
	wait_for(&server.opened);
	check_info(&client, "peer_name", "vmg.hilbench.test");
	check_info(&client, "verify", "certificate has expired");
}
END_TEST

/* ---- rubbish ---- */

START_TEST(test_raw_bytes)
{
	static const uint8_t rubbish[40] = {0x17, 0x03, 0x03, 0x00, 0x23, 1, 2, 3};

	connect_both(versions[_i].number);
	ck_assert_int_eq(stream_send_raw(client.stream, rubbish, sizeof(rubbish), NULL), 0);
	wait_for(&server.closed);
	wait_for(&client.closed);
	ck_assert_int_eq(server.end, STREAM_END_TLS);
	check_info(&server, "alert", "bad_record_mac");
	check_info(&client, "alert", "bad_record_mac");
	check_info(&client, "alert_side", "received");
}
END_TEST

START_TEST(test_no_tls_at_all)
{
	struct tls_identity theirs = identity("vmg", NULL);

	start(NULL, &theirs);
	wait_for(&client.opened);
	party_send(&client, activation_request, sizeof(activation_request));
	wait_for(&server.closed);
	ck_assert_int_eq(server.end, STREAM_END_TLS);
	ck_assert(!server.opened);
}
END_TEST

START_TEST(test_closed_during_handshake)
{
	struct tls_identity ours = identity("tester", NULL);

	start(&ours, NULL);
	wait_for(&server.opened);
	if (_i == 0)
		stream_shutdown(server.stream);
	else
		stream_abort(server.stream);
	wait_for(&client.closed);
	ck_assert_int_eq(client.end, _i == 0 ? STREAM_END_FIN : STREAM_END_RESET);
	ck_assert_uint_eq(events_of("tls.failed"), 1);
}
END_TEST

/* The alert must reach a client that has sent a lot meanwhile. */
START_TEST(test_alert_survives_data)
{
	static uint8_t data[200000];
	struct tls_identity ours = identity("tester-expired", "vmg.hilbench.test"), theirs = identity("vmg", NULL);

	ours.minimum_version = 0x0304;
	start(&ours, &theirs);
	wait_for(&client.opened);
	party_send(&client, data, sizeof(data));
	wait_for(&client.closed);
	check_info(&client, "alert", "certificate_expired");
}
END_TEST

START_TEST(test_bad_identity)
{
	struct tls_identity ours = identity("tester", NULL), theirs = identity("vmg", NULL);
	struct stream_environment environment = bench_environment("tester:x");
	struct stream_listener *none = NULL;
	struct stream *stream = NULL;
	struct error err = {0};

	ours.certificate = "/nonexistent.pem";
	ck_assert_int_lt(stream_connect(&stream, &environment, NULL, "127.0.0.1:9", &ours, NULL, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "/nonexistent.pem"));
	ours = identity("tester", NULL);
	ours.key = theirs.key;
	ck_assert_int_lt(stream_connect(&stream, &environment, NULL, "127.0.0.1:9", &ours, NULL, &err), 0);
	ours = identity("tester", NULL);
	ours.groups = "no-such-group";
	ck_assert_int_lt(stream_connect(&stream, &environment, NULL, "127.0.0.1:9", &ours, NULL, &err), 0);
	ck_assert_ptr_null(stream);
	theirs.certificate = NULL;
	ck_assert_int_lt(stream_listen(&none, &environment, "127.0.0.1:0", &theirs, party_accept, &server, &err), 0);
	ck_assert_ptr_null(none);
}
END_TEST

Suite *tls_suite(void)
{
	Suite *suite = suite_create("tls");
	TCase *tests = tcase_create("tls");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, test_conversation, 0, 2);
	tcase_add_test(tests, test_group);
	tcase_add_loop_test(tests, test_truncated, 0, 2);
	tcase_add_loop_test(tests, test_reset, 0, 2);
	tcase_add_loop_test(tests, test_refusal, 0, sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(tests, test_no_common_version);
	tcase_add_test(tests, test_take_any);
	tcase_add_loop_test(tests, test_raw_bytes, 0, 2);
	tcase_add_test(tests, test_no_tls_at_all);
	tcase_add_loop_test(tests, test_closed_during_handshake, 0, 2);
	tcase_add_test(tests, test_alert_survives_data);
	tcase_add_test(tests, test_bad_identity);
	suite_add_tcase(suite, tests);
	return suite;
}
