/* SPDX-License-Identifier: Apache-2.0 */
/* Each test runs in a process of its own (Check forks), so the static state of the firmware is fresh. */
#include "peer.h"

#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../port/posix/port_posix.h"

static struct peer peer;

static void run(bool server, int version, const char *certificate)
{
	peer.server = server;
	peer.version = version;
	peer.certificate = certificate;
	peer_connect(&peer, server ? "vmg.hilbench.test" : NULL);
	peer_handshake(&peer);
}

static void expect_console(const char *text)
{
	ck_assert_msg(strstr(peer_console(), text) != NULL, "the console does not say \"%s\" but:\n%s", text, peer_console());
}

/* Both directions, more than one record. */
static void exchange(void)
{
	static uint8_t sent[40000], got[40000];
	for (size_t i = 0; i < sizeof sent; i++)
		sent[i] = (uint8_t)(i * 31 + i / 251);
	ck_assert_int_eq(SSL_write(peer.ssl, "request", 7), 7);
	size_t out = 0, in = 0, n = 0;
	enum port_status status;
	while ((status = stream_receive(&peer.stream, got, sizeof got, &n)) == PORT_WOULD_BLOCK)
		port_wait(port_time_us() + 1000);
	ck_assert_int_eq(status, PORT_OK);
	ck_assert_uint_eq(n, 7);
	while (in < sizeof sent) {
		if (out < sizeof sent && stream_send(&peer.stream, sent + out, sizeof sent - out, &n) == PORT_OK)
			out += n;
		int r = peer_turn(&peer, got + in, sizeof got - in);
		ck_assert_int_ge(r, 0);
		in += (size_t)r;
	}
	ck_assert_int_eq(memcmp(sent, got, sizeof sent), 0);
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

START_TEST(server_mutual)
{
	peer_firmware("ca", "vmg", NULL);
	run(false, versions[_i], "zgw");
	ck_assert_int_eq(peer.status, PORT_OK);
	ck_assert(peer.stream.secured);
	ck_assert_str_eq(tls_version_name(&peer.stream), _i ? "TLSv1.3" : "TLSv1.2");
	expect_console(_i ? "tls: server handshake ok TLSv1.3 CN=zgw.hilbench.test\r\n"
	                  : "tls: server handshake ok TLSv1.2 CN=zgw.hilbench.test\r\n");
	exchange();
	peer_free(&peer);
}
END_TEST

START_TEST(client_mutual)
{
	peer_firmware("ca", "zgw", NULL);
	run(true, versions[_i], "vmg");
	ck_assert_int_eq(peer.status, PORT_OK);
	ck_assert(peer.established);
	X509 *certificate = SSL_get1_peer_certificate(peer.ssl);
	ck_assert_ptr_nonnull(certificate);
	X509_free(certificate);
	ck_assert_str_eq(SSL_get_servername(peer.ssl, TLSEXT_NAMETYPE_host_name), "vmg.hilbench.test");
	expect_console("tls: client handshake ok");
	exchange();
	peer_free(&peer);
}
END_TEST

/* What the firmware says when the other side's certificate is wrong (RFC 5246 7.2.2, RFC 8446 6.2). */
static const struct {
	bool server; /* the certificate is a server's */
	const char *certificate;
	int alert12, alert13;
	const char *console;
} refusals[] = {
        {false, "tester-wrong-ca", TLS1_AD_UNKNOWN_CA, TLS1_AD_UNKNOWN_CA, "unknown issuer"},
        {false, "tester-self-signed", TLS1_AD_UNKNOWN_CA, TLS1_AD_UNKNOWN_CA, "unknown issuer"},
        {false, "tester-expired", SSL3_AD_CERTIFICATE_EXPIRED, SSL3_AD_CERTIFICATE_EXPIRED, "certificate expired"},
        {false, "tester-not-yet-valid", SSL3_AD_CERTIFICATE_UNKNOWN, SSL3_AD_CERTIFICATE_UNKNOWN, "not yet valid"},
        {false, "tester-server-only", SSL3_AD_UNSUPPORTED_CERTIFICATE, SSL3_AD_UNSUPPORTED_CERTIFICATE, "not for this use"},
        {false, NULL, SSL3_AD_HANDSHAKE_FAILURE, TLS13_AD_CERTIFICATE_REQUIRED, "no certificate"},
        {true, "vmg-wrong-ca", TLS1_AD_UNKNOWN_CA, TLS1_AD_UNKNOWN_CA, "unknown issuer"},
        {true, "vmg-self-signed", TLS1_AD_UNKNOWN_CA, TLS1_AD_UNKNOWN_CA, "unknown issuer"},
        {true, "vmg-expired", SSL3_AD_CERTIFICATE_EXPIRED, SSL3_AD_CERTIFICATE_EXPIRED, "certificate expired"},
        {true, "vmg-not-yet-valid", SSL3_AD_CERTIFICATE_UNKNOWN, SSL3_AD_CERTIFICATE_UNKNOWN, "not yet valid"},
        {true, "vmg-wrong-name", SSL3_AD_BAD_CERTIFICATE, SSL3_AD_BAD_CERTIFICATE, "another name"},
        {true, "vmg-client-only", SSL3_AD_UNSUPPORTED_CERTIFICATE, SSL3_AD_UNSUPPORTED_CERTIFICATE, "not for this use"},
};

static void refuse(int index, int version)
{
	peer_firmware("ca", refusals[index].server ? "zgw" : "vmg", NULL);
	run(refusals[index].server, version, refusals[index].certificate);
	ck_assert_int_eq(peer.status, PORT_FAILED);
	int alert = version == TLS1_2_VERSION ? refusals[index].alert12 : refusals[index].alert13;
	const char *name = refusals[index].certificate ? refusals[index].certificate : "none";
	ck_assert_msg(peer.alert == alert, "%s: alert %d instead of %d\n%s", name, peer.alert, alert, peer_console());
	expect_console("handshake failed: ");
	expect_console(refusals[index].console);
	size_t n;
	ck_assert_int_eq(stream_send(&peer.stream, (const uint8_t *)"x", 1, &n), PORT_FAILED);
	peer_free(&peer);
}

START_TEST(refused_tls12)
{
	refuse(_i, TLS1_2_VERSION);
}
END_TEST

START_TEST(refused_tls13)
{
	refuse(_i, TLS1_3_VERSION);
}
END_TEST

/* A fault makes the firmware overlook one thing and nothing else. */
static const struct {
	const char *fault;
	bool server;
	const char *certificate;
	bool accepted;
} faults[] = {
        {"accept-expired", false, "tester-expired", true},
        {"accept-expired", false, "tester-wrong-ca", false},
        {"accept-expired", true, "vmg-expired", true},
        {"accept-expired", true, "vmg-wrong-name", false},
        {"accept-any-ca", false, "tester-wrong-ca", true},
        {"accept-any-ca", false, "tester-expired", false},
        {"accept-any-ca", true, "vmg-self-signed", true},
        {"accept-any-ca", true, "vmg-wrong-name", false},
        {"accept-any-name", true, "vmg-wrong-name", true},
        {"accept-any-name", true, "vmg-expired", false},
        {"no-client-auth", false, NULL, true},
        {"no-client-auth", false, "tester-expired", false},
        {"no-client-auth", false, "tester", true},
        {"no-client-auth", true, "vmg-wrong-ca", false},
};

static void overlook(int index, int version)
{
	peer_firmware("ca", faults[index].server ? "zgw" : "vmg", faults[index].fault);
	run(faults[index].server, version, faults[index].certificate);
	ck_assert_msg(peer.status == (faults[index].accepted ? PORT_OK : PORT_FAILED), "%s, %s: %d\n%s", faults[index].fault,
	              faults[index].certificate, peer.status, peer_console());
	if (faults[index].accepted)
		exchange();
	peer_free(&peer);
}

START_TEST(faults_tls12)
{
	overlook(_i, TLS1_2_VERSION);
}
END_TEST

START_TEST(faults_tls13)
{
	overlook(_i, TLS1_3_VERSION);
}
END_TEST

START_TEST(slow_handshake)
{
	peer_firmware("ca", _i ? "zgw" : "vmg", "slow-handshake");
	uint64_t from_us = port_time_us();
	run(_i, TLS1_3_VERSION, _i ? "vmg" : "zgw");
	ck_assert_int_eq(peer.status, PORT_OK);
	uint64_t took_us = port_time_us() - from_us;
	ck_assert_uint_ge(took_us, 300000);
	ck_assert_uint_lt(took_us, 900000);
	peer_free(&peer);
}
END_TEST

/* The delay must not need a caller that polls, and must not burn time: the port wakes once it is over. */
START_TEST(slow_handshake_wakes)
{
	peer_firmware("ca", "vmg", "slow-handshake");
	peer.version = TLS1_3_VERSION;
	peer.certificate = "zgw";
	peer_connect(&peer, NULL);
	uint64_t from_us = port_time_us();
	int wakes = 0;
	ck_assert_int_eq(peer_turn(&peer, NULL, 0), 0); /* its ClientHello waits in the socket */
	while (port_time_us() - from_us < 300000) {
		ck_assert_int_eq(stream_establish(&peer.stream), PORT_WOULD_BLOCK);
		port_wait(UINT64_MAX);
		wakes++;
	}
	ck_assert_int_le(wakes, 4);
	peer_handshake(&peer);
	ck_assert_int_eq(peer.status, PORT_OK);
	peer_free(&peer);
}
END_TEST

/* Every line that one side logged has to be the other's too: the same randoms, the same secrets. */
START_TEST(key_log_matches)
{
	peer_firmware("ca", "vmg", NULL);
	run(false, versions[_i], "zgw");
	ck_assert_int_eq(peer.status, PORT_OK);
	char lines[4096];
	const char *secrets = peer_firmware_secrets();
	int length = snprintf(lines, sizeof lines, "%s", secrets);
	ck_assert_uint_lt((size_t)length, sizeof lines);
	int count = 0;
	for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n"), count++)
		ck_assert_msg(strstr(peer.secrets, line) != NULL, "%s is not in\n%s", line, peer.secrets);
	ck_assert_int_eq(count, _i ? 4 : 1);
	ck_assert_ptr_null(strstr(peer_console(), "CLIENT_"));
	peer_free(&peer);
}
END_TEST

/* A server's flight is one segment, not one a record. */
START_TEST(flight_is_one_segment)
{
	uint8_t data[8192];
	peer_firmware("ca", "vmg", NULL);
	peer.version = TLS1_3_VERSION;
	peer.certificate = "zgw";
	peer_connect(&peer, NULL);
	ck_assert_int_eq(peer_turn(&peer, NULL, 0), 0);
	struct pollfd fd = {.fd = peer.fd, .events = POLLIN};
	while (poll(&fd, 1, 0) == 0)
		ck_assert_int_eq(stream_establish(&peer.stream), PORT_WOULD_BLOCK);
	/* All of it is there at once: ServerHello up to Finished, with a certificate inside. */
	ssize_t n = recv(peer.fd, data, sizeof data, MSG_PEEK);
	ck_assert_int_gt(n, 700);
	ck_assert_int_eq(stream_establish(&peer.stream), PORT_WOULD_BLOCK);
	ck_assert_int_eq(recv(peer.fd, data, sizeof data, MSG_PEEK), n);
	peer_handshake(&peer);
	ck_assert_int_eq(peer.status, PORT_OK);
	peer_free(&peer);
}
END_TEST

START_TEST(orderly_close_both_ways)
{
	uint8_t byte;
	size_t n;
	enum port_status status;
	peer_firmware("ca", "vmg", NULL);
	run(false, versions[_i], "zgw");
	SSL_shutdown(peer.ssl);
	while ((status = stream_receive(&peer.stream, &byte, 1, &n)) == PORT_WOULD_BLOCK)
		port_wait(port_time_us() + 1000);
	ck_assert_int_eq(status, PORT_CLOSED);
	stream_close(&peer.stream);
	ck_assert(!stream_is_open(&peer.stream));
	port_wait(port_time_us() + 1000);
	ck_assert_int_eq(SSL_read(peer.ssl, &byte, 1), 0);
	ck_assert_int_eq(SSL_get_error(peer.ssl, 0), SSL_ERROR_ZERO_RETURN); /* close_notify */
	SSL_free(peer.ssl);
	SSL_CTX_free(peer.context);
	close(peer.fd);
}
END_TEST

START_TEST(cut_stream_is_a_failure)
{
	uint8_t byte;
	size_t n;
	enum port_status status;
	peer_firmware("ca", "vmg", NULL);
	run(false, versions[_i], "zgw");
	shutdown(peer.fd, SHUT_WR); /* FIN without close_notify */
	while ((status = stream_receive(&peer.stream, &byte, 1, &n)) == PORT_WOULD_BLOCK)
		port_wait(port_time_us() + 1000);
	ck_assert_int_eq(status, PORT_FAILED);
	expect_console("connection lost");
	peer_free(&peer);
}
END_TEST

/* A refused write that is asked again with more data must not lose any. */
START_TEST(back_pressure_loses_nothing)
{
	enum { TOTAL = 3000000 };
	static uint8_t data[TOTAL], got[16384];
	size_t out = 0, in = 0, n, length = 1;
	bool blocked = false;
	for (size_t i = 0; i < TOTAL; i++)
		data[i] = (uint8_t)(i % 253);
	peer_firmware("ca", "vmg", NULL);
	run(false, versions[_i], "zgw");
	setsockopt(port_posix_socket_get(peer.stream.socket)->fd, SOL_SOCKET, SO_SNDBUF, &(int){8192}, sizeof(int));
	while (in < TOTAL) {
		/* Each try offers another length. */
		length = 1 + (length * 7 + 13) % 9000;
		size_t most = TOTAL - out < length ? TOTAL - out : length;
		enum port_status status = most ? stream_send(&peer.stream, data + out, most, &n) : PORT_WOULD_BLOCK;
		if (status == PORT_OK) {
			out += n;
			continue;
		}
		ck_assert_int_eq(status, PORT_WOULD_BLOCK);
		blocked = true;
		int r = peer_turn(&peer, got, sizeof got);
		ck_assert_int_ge(r, 0);
		ck_assert_int_eq(memcmp(got, data + in, (size_t)r), 0);
		in += (size_t)r;
	}
	ck_assert(blocked);
	peer_free(&peer);
}
END_TEST

START_TEST(rubbish_is_refused)
{
	peer_firmware("ca", "vmg", NULL);
	peer_connect(&peer, NULL);
	ck_assert_int_eq(send(peer.fd, "\x02\xfd\x00\x05\x00\x00\x00\x0b\x0e\x80", 10, 0), 10); /* plain DoIP on the TLS port */
	enum port_status status;
	while ((status = stream_establish(&peer.stream)) == PORT_WOULD_BLOCK)
		port_wait(port_time_us() + 1000);
	ck_assert_int_eq(status, PORT_FAILED);
	expect_console("tls: server handshake failed: mbedtls -0x72");
	peer_free(&peer);
}
END_TEST

START_TEST(sessions_are_bounded)
{
	struct stream streams[TLS_MAX_SESSIONS + 1];
	const struct tls_config_options options = {.role = TLS_SERVER, .minimum_version = 0x0303, .maximum_version = 0x0304};
	struct tls_config *config;
	peer_firmware("ca", "vmg", NULL);
	ck_assert_int_eq(tls_config_make(&options, &config), PORT_OK);
	for (int i = 0; i < TLS_MAX_SESSIONS; i++)
		ck_assert_int_eq(tls_stream(&streams[i], config, PORT_NO_SOCKET), PORT_OK);
	ck_assert_int_eq(tls_stream(&streams[TLS_MAX_SESSIONS], config, PORT_NO_SOCKET), PORT_FULL);
	stream_abort(&streams[3]);
	ck_assert_int_eq(tls_stream(&streams[3], config, PORT_NO_SOCKET), PORT_OK);
	for (int i = 0; i < TLS_MAX_SESSIONS; i++)
		stream_abort(&streams[i]);
	for (int i = 1; i < TLS_MAX_CONFIGS; i++)
		ck_assert_int_eq(tls_config_make(&options, &config), PORT_OK);
	ck_assert_int_eq(tls_config_make(&options, &config), PORT_FULL);
}
END_TEST

START_TEST(bad_configurations)
{
	struct tls_config *config = NULL;
	const struct tls_config_options bad[] = {
	        {.role = TLS_CLIENT, .minimum_version = 0x0303, .maximum_version = 0x0304}, /* no name */
	        {.role = TLS_CLIENT, .minimum_version = 0x0303, .maximum_version = 0x0304, .peer_name = ""},
	        {.role = TLS_SERVER, .minimum_version = 0x0304, .maximum_version = 0x0303},
	        {.role = TLS_SERVER, .minimum_version = 0x0302, .maximum_version = 0x0303},
	};
	peer_firmware("ca", "vmg", NULL);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_int_eq(tls_config_make(&bad[i], &config), PORT_INVALID);
	ck_assert_ptr_null(config);
}
END_TEST

START_TEST(bad_credentials)
{
	ck_assert_int_eq(tls_start(), PORT_ABSENT);
	port_posix_object_set("tls.ca", "rubbish", 7);
	port_posix_object_set("tls.certificate", "rubbish", 7);
	port_posix_object_set("tls.key", "rubbish", 7);
	ck_assert_int_eq(tls_start(), PORT_INVALID);
}
END_TEST

START_TEST(version_limits)
{
	static const struct {
		uint16_t minimum, maximum;
		int offered;
		enum port_status status;
	} cases[] = {{0x0304, 0x0304, TLS1_2_VERSION, PORT_FAILED},
	             {0x0303, 0x0303, TLS1_3_VERSION, PORT_FAILED},
	             {0x0303, 0x0303, TLS1_2_VERSION, PORT_OK},
	             {0x0304, 0x0304, TLS1_3_VERSION, PORT_OK}};
	const struct tls_config_options options = {
	        .role = TLS_SERVER, .minimum_version = cases[_i].minimum, .maximum_version = cases[_i].maximum};
	struct tls_config *config;
	port_socket socket;
	peer_firmware("ca", "vmg", NULL);
	peer.version = cases[_i].offered;
	peer.certificate = "zgw";
	peer_connect(&peer, NULL);
	/* The same connection under another configuration. */
	ck_assert_int_eq(tls_config_make(&options, &config), PORT_OK);
	socket = peer.stream.socket;
	struct stream narrow;
	ck_assert_int_eq(tls_stream(&narrow, config, socket), PORT_OK);
	peer.stream = narrow;
	peer_handshake(&peer);
	ck_assert_int_eq(peer.status, cases[_i].status);
	peer_free(&peer);
}
END_TEST

static TCase *make_case(void)
{
	TCase *tests = tcase_create("tls");
	tcase_set_timeout(tests, 30);
	tcase_add_loop_test(tests, server_mutual, 0, 2);
	tcase_add_loop_test(tests, client_mutual, 0, 2);
	tcase_add_loop_test(tests, refused_tls12, 0, sizeof refusals / sizeof *refusals);
	tcase_add_loop_test(tests, refused_tls13, 0, sizeof refusals / sizeof *refusals);
	tcase_add_loop_test(tests, faults_tls12, 0, sizeof faults / sizeof *faults);
	tcase_add_loop_test(tests, faults_tls13, 0, sizeof faults / sizeof *faults);
	tcase_add_loop_test(tests, slow_handshake, 0, 2);
	tcase_add_test(tests, slow_handshake_wakes);
	tcase_add_loop_test(tests, key_log_matches, 0, 2);
	tcase_add_test(tests, flight_is_one_segment);
	tcase_add_loop_test(tests, orderly_close_both_ways, 0, 2);
	tcase_add_loop_test(tests, cut_stream_is_a_failure, 0, 2);
	tcase_add_loop_test(tests, back_pressure_loses_nothing, 0, 2);
	tcase_add_test(tests, rubbish_is_refused);
	tcase_add_test(tests, sessions_are_bounded);
	tcase_add_test(tests, bad_configurations);
	tcase_add_test(tests, bad_credentials);
	tcase_add_loop_test(tests, version_limits, 0, 4);
	return tests;
}

int main(void)
{
	Suite *suite = suite_create("tls");
	suite_add_tcase(suite, make_case());
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
