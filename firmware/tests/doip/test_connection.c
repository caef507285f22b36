/* SPDX-License-Identifier: Apache-2.0 */
/* The connection that the clients share, without any protocol over it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/connection.h"
#include "../fake_port.h"
#include "fake_tls.h"

#define ATTEMPT_MS 2000u
#define FIRST_MS   100u
#define LIMIT_MS   400u
#define NEVER      UINT64_MAX

static struct connection connection;
static unsigned entered; /* states since the last turn() */

static enum port_status start(struct tls_config *tls, const char *verify)
{
	struct connection_config config = {.owner = "test",
	                                   .verify = verify,
	                                   .tls = tls,
	                                   .attempt_ms = ATTEMPT_MS,
	                                   .backoff_first_ms = FIRST_MS,
	                                   .backoff_limit_ms = LIMIT_MS};
	ck_assert_int_eq(port_endpoint_parse("10.0.0.1:13400", &config.remote), PORT_OK);
	return connection_start(&connection, &config);
}

static void prepare(void)
{
	fake_port_clear();
	memset(&connection, 0, sizeof connection);
}

/* A turn as an owner takes it that has nothing to say. */
static void turn(void)
{
	entered = 0;
	connection_turn(&connection, port_time_us());
	while (connection_advance(&connection)) {
		entered++;
		ck_assert_uint_lt(entered, 10);
	}
	if (connection_is_late(&connection))
		connection_lose(&connection, "connect timeout", false);
}

static int accepted(void)
{
	turn();
	int peer = fake_peer_incoming();
	ck_assert_int_ge(peer, 0);
	fake_peer_accept(peer);
	turn();
	return peer;
}

static uint64_t wait_us(void)
{
	ck_assert_int_eq(connection.state, CONNECTION_BACKOFF);
	return connection_deadline_us(&connection, NEVER) - port_time_us();
}

static void assert_within(uint64_t us, uint32_t whole_ms)
{
	ck_assert_uint_ge(us, whole_ms * 500u);
	ck_assert_uint_le(us, whole_ms * 1000u);
}

START_TEST(nothing_happens_before_the_start)
{
	ck_assert_uint_eq(connection_deadline_us(&connection, 5), NEVER);
	turn();
	ck_assert_int_eq(fake_peer_incoming(), -1);
	connection_stop(&connection);
	ck_assert_int_eq(connection.state, CONNECTION_IDLE);
}
END_TEST

START_TEST(a_start_needs_a_port_and_an_idle_connection)
{
	struct connection_config config = {.owner = "test"};
	ck_assert_int_eq(connection_start(&connection, &config), PORT_INVALID);
	ck_assert_int_eq(start(NULL, NULL), PORT_OK);
	ck_assert_int_eq(start(NULL, NULL), PORT_INVALID);
}
END_TEST

START_TEST(plain_goes_up_without_a_tls_marker)
{
	ck_assert_int_eq(start(NULL, NULL), PORT_OK);
	int peer = accepted();
	ck_assert_int_eq(connection.state, CONNECTION_INTRODUCING);
	ck_assert(connection_talks(&connection));
	ck_assert_ptr_nonnull(strstr(fake_console(), "connected"));
	ck_assert_ptr_null(strstr(fake_console(), "tls"));
	ck_assert_uint_eq(connection_deadline_us(&connection, NEVER), ATTEMPT_MS * 1000u);
	ck_assert_uint_eq(connection_deadline_us(&connection, 7), 7);
	connection_agreed(&connection);
	ck_assert_uint_eq(connection_deadline_us(&connection, NEVER), NEVER);
	size_t sent = 0;
	ck_assert_int_eq(stream_send(&connection.stream, (const uint8_t *)"hello", 5, &sent), PORT_OK);
	ck_assert_uint_eq(fake_peer_available(peer), 5);
	connection_stop(&connection);
	ck_assert_int_eq(fake_peer_state(peer), FAKE_PEER_FINISHED);
	ck_assert_uint_eq(fake_sockets_open(), 0);
}
END_TEST

START_TEST(the_tls_marker_tells_version_and_verification)
{
	ck_assert_int_eq(start(fake_tls_config(), "full"), PORT_OK);
	fake_tls_handshake(PORT_WOULD_BLOCK);
	(void)accepted();
	ck_assert_int_eq(connection.state, CONNECTION_HANDSHAKING);
	ck_assert(!connection_talks(&connection));
	ck_assert_ptr_null(strstr(fake_console(), "TLSv1.3"));
	fake_tls_handshake(PORT_OK);
	turn();
	ck_assert_int_eq(connection.state, CONNECTION_INTRODUCING);
	ck_assert_ptr_nonnull(strstr(fake_console(), " version=TLSv1.3 verify=full"));
}
END_TEST

START_TEST(a_failed_handshake_closes_in_order_so_that_the_alert_arrives)
{
	ck_assert_int_eq(start(fake_tls_config(), NULL), PORT_OK);
	fake_tls_handshake(PORT_FAILED);
	int peer = accepted();
	assert_within(wait_us(), FIRST_MS);
	ck_assert_int_eq(fake_peer_state(peer), FAKE_PEER_FINISHED);
	ck_assert_ptr_nonnull(strstr(fake_console(), "test: handshake failed, next attempt in "));
}
END_TEST

START_TEST(without_a_free_tls_session_no_socket_is_kept)
{
	ck_assert_int_eq(start(fake_tls_config(), NULL), PORT_OK);
	fake_tls_sessions(PORT_FULL);
	int peer = accepted();
	ck_assert_int_eq(connection.state, CONNECTION_BACKOFF);
	ck_assert_int_eq(fake_peer_state(peer), FAKE_PEER_RESET);
	ck_assert_uint_eq(fake_sockets_open(), 0);
}
END_TEST

START_TEST(waits_grow_to_their_limit_and_begin_anew_after_an_agreement)
{
	static const uint32_t whole_ms[] = {FIRST_MS, 2 * FIRST_MS, LIMIT_MS, LIMIT_MS};
	ck_assert_int_eq(start(NULL, NULL), PORT_OK);
	for (size_t i = 0; i < sizeof whole_ms / sizeof *whole_ms; i++) {
		turn();
		fake_peer_refuse(fake_peer_incoming());
		turn();
		assert_within(wait_us(), whole_ms[i]);
		fake_time_advance(wait_us());
	}
	(void)accepted();
	connection_agreed(&connection);
	connection_lose(&connection, "server left", true);
	assert_within(wait_us(), FIRST_MS);
}
END_TEST

START_TEST(a_server_that_never_agrees_does_not_shorten_the_wait)
{
	ck_assert_int_eq(start(NULL, NULL), PORT_OK);
	(void)accepted();
	connection_lose(&connection, "refused", true);
	fake_time_advance(wait_us());
	(void)accepted();
	connection_lose(&connection, "refused", true);
	assert_within(wait_us(), 2 * FIRST_MS);
}
END_TEST

START_TEST(one_time_for_connecting_handshake_and_introduction)
{
	ck_assert_int_eq(start(fake_tls_config(), NULL), PORT_OK);
	fake_tls_handshake(PORT_WOULD_BLOCK);
	turn();
	fake_time_advance((ATTEMPT_MS - 2) * 1000u);
	fake_peer_accept(fake_peer_incoming());
	turn();
	ck_assert_int_eq(connection.state, CONNECTION_HANDSHAKING);
	fake_time_advance(1000);
	fake_tls_handshake(PORT_OK);
	turn();
	ck_assert_int_eq(connection.state, CONNECTION_INTRODUCING);
	fake_time_advance(1000);
	turn();
	ck_assert_int_eq(connection.state, CONNECTION_BACKOFF);
	ck_assert_ptr_nonnull(strstr(fake_console(), "connect timeout"));
	ck_assert_uint_eq(fake_sockets_open(), 0);
}
END_TEST

START_TEST(once_agreed_it_is_never_late)
{
	ck_assert_int_eq(start(NULL, NULL), PORT_OK);
	(void)accepted();
	connection_agreed(&connection);
	fake_time_advance(10ull * ATTEMPT_MS * 1000u);
	turn();
	ck_assert_int_eq(connection.state, CONNECTION_UP);
}
END_TEST

START_TEST(a_link_that_comes_back_ends_the_wait)
{
	ck_assert_int_eq(start(NULL, NULL), PORT_OK);
	turn();
	fake_peer_refuse(fake_peer_incoming());
	turn();
	fake_link_set(false);
	fake_time_advance(1000);
	turn();
	ck_assert_int_eq(connection.state, CONNECTION_BACKOFF);
	fake_link_set(true);
	turn();
	ck_assert_int_eq(connection.state, CONNECTION_CONNECTING);
}
END_TEST

START_TEST(one_attempt_a_turn_however_short_the_wait)
{
	ck_assert_int_eq(start(NULL, NULL), PORT_OK);
	connection.backoff.first_ms = connection.backoff.limit_ms = 0;
	fake_fail_every(FAKE_OPEN, 1, PORT_FAILED);
	turn();
	ck_assert_int_eq(connection.state, CONNECTION_BACKOFF);
	ck_assert_uint_eq(wait_us(), 0);
	ck_assert_uint_eq(entered, 2); /* connecting, and back */
	ck_assert_ptr_nonnull(strstr(fake_console(), "cannot connect"));
}
END_TEST

START_TEST(talk_without_end_leaves_the_others_their_turn)
{
	ck_assert_int_eq(start(NULL, NULL), PORT_OK);
	(void)accepted();
	connection_agreed(&connection);
	turn();
	unsigned steps = 0;
	while (connection_goes_on(&connection))
		ck_assert_uint_lt(++steps, 1000);
	ck_assert_uint_gt(steps, 0);
	ck_assert_uint_eq(connection_deadline_us(&connection, NEVER), port_time_us());
	turn();
	ck_assert_uint_eq(connection_deadline_us(&connection, NEVER), NEVER);
	ck_assert(connection_goes_on(&connection));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {nothing_happens_before_the_start,
	                              a_start_needs_a_port_and_an_idle_connection,
	                              plain_goes_up_without_a_tls_marker,
	                              the_tls_marker_tells_version_and_verification,
	                              a_failed_handshake_closes_in_order_so_that_the_alert_arrives,
	                              without_a_free_tls_session_no_socket_is_kept,
	                              waits_grow_to_their_limit_and_begin_anew_after_an_agreement,
	                              a_server_that_never_agrees_does_not_shorten_the_wait,
	                              one_time_for_connecting_handshake_and_introduction,
	                              once_agreed_it_is_never_late,
	                              a_link_that_comes_back_ends_the_wait,
	                              one_attempt_a_turn_however_short_the_wait,
	                              talk_without_end_leaves_the_others_their_turn};
	Suite *suite = suite_create("connection");
	TCase *tcase = tcase_create("connection");
	tcase_add_checked_fixture(tcase, prepare, NULL);
	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
