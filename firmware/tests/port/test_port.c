/* SPDX-License-Identifier: Apache-2.0 */
/* The POSIX port's own behaviour. Each test runs in a process of its own (Check forks). */
#include "../../port.h"
#include "../../port/posix/port_posix.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void setup(void)
{
	int quiet[2];
	/* A console on which nobody types; its other end stays open. */
	ck_assert_int_eq(pipe(quiet), 0);
	dup2(quiet[0], STDIN_FILENO);
	port_posix_clock_start(port_posix_now_ns());
}

static struct port_endpoint loopback(uint16_t port)
{
	return (struct port_endpoint){.family = 4, .address = {127, 0, 0, 1}, .port = port};
}

static uint16_t port_of(port_socket socket)
{
	struct sockaddr_in address;
	socklen_t length = sizeof address;
	ck_assert_int_eq(getsockname(port_posix_socket_get(socket)->fd, (struct sockaddr *)&address, &length), 0);
	return ntohs(address.sin_port);
}

/* A connected pair of the port's own sockets. */
static void connect_pair(port_socket *ret_client, port_socket *ret_server)
{
	struct port_endpoint any = loopback(0), peer;
	port_socket listener;
	ck_assert_int_eq(port_tcp_listen(&any, 4, &listener), PORT_OK);
	struct port_endpoint remote = loopback(port_of(listener));
	ck_assert_int_eq(port_tcp_connect(NULL, &remote, ret_client), PORT_OK);
	while (port_tcp_accept(listener, ret_server, &peer) == PORT_WOULD_BLOCK)
		port_wait(port_time_us() + 10000);
	ck_assert_int_eq(peer.family, 4);
	ck_assert_uint_eq(peer.port, port_of(*ret_client));
	while (port_tcp_connected(*ret_client) == PORT_WOULD_BLOCK)
		port_wait(port_time_us() + 10000);
	port_tcp_close(listener);
}

/* What comes next, whenever it comes; at most 15 s. */
static enum port_status receive(port_socket socket, uint8_t *data, size_t size, size_t *ret_length)
{
	const uint64_t end_us = port_time_us() + 15000000;
	enum port_status status;
	while ((status = port_tcp_receive(socket, data, size, ret_length)) == PORT_WOULD_BLOCK && port_time_us() < end_us)
		port_wait(end_us);
	return status;
}

static enum port_status receive_datagram(port_socket socket, uint8_t *data, size_t size, size_t *ret_length, struct port_endpoint *from)
{
	const uint64_t end_us = port_time_us() + 15000000;
	enum port_status status;
	while ((status = port_udp_receive(socket, data, size, ret_length, from)) == PORT_WOULD_BLOCK && port_time_us() < end_us)
		port_wait(end_us);
	return status;
}

START_TEST(endpoints)
{
	static const char *const bad[] = {
	        "",        "127.0.0.1",     "127.0.0.1:",     "127.0.0.1:65536", "127.0.0.1:-1",  "host:1",
	        "1.2.3:5", "[::1]",         "[::1:5",         "::1:5",           "[zz::]:5",      "127.0.0.1:1x",
	        ":5",      "[fe80::1%]:80", "[fe80::1%0]:80", "[]:80",           "127.0.0.1: 80", "[fe80::1%no-such-dev]:80"};
	struct port_endpoint e;
	ck_assert_int_eq(port_endpoint_parse("192.168.2.1:13400", &e), PORT_OK);
	ck_assert_uint_eq(e.family, 4);
	ck_assert_uint_eq(e.port, 13400);
	ck_assert_int_eq(memcmp(e.address, "\xc0\xa8\x02\x01", 4), 0);
	ck_assert_int_eq(port_endpoint_parse("[fe80::1%2]:13400", &e), PORT_OK);
	ck_assert_uint_eq(e.family, 6);
	ck_assert_uint_eq(e.scope_id, 2);
	ck_assert_uint_eq(e.address[0], 0xfe);
	ck_assert_int_eq(port_endpoint_parse("[::1%lo]:1", &e), PORT_OK);
	ck_assert_uint_eq(e.scope_id, 1);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(port_endpoint_parse(bad[i], &e) == PORT_INVALID, "\"%s\" was taken", bad[i]);
	ck_assert_uint_eq(e.scope_id, 1); /* untouched */
}
END_TEST

START_TEST(parameters)
{
	uint32_t value = 7;
	char text[8];
	ck_assert_int_eq(port_posix_parameters_parse("a=1\nb=0x1F\nc=\nd=x=y\nbig=4294967296\nlong=12345678\nneg=-1\nhex=0x\n"), 0);
	ck_assert_int_eq(port_param_u32("missing", &value), PORT_ABSENT);
	ck_assert_int_eq(port_param_u32("c", &value), PORT_INVALID);
	ck_assert_int_eq(port_param_u32("d", &value), PORT_INVALID);
	ck_assert_int_eq(port_param_u32("big", &value), PORT_INVALID);
	ck_assert_int_eq(port_param_u32("neg", &value), PORT_INVALID);
	ck_assert_int_eq(port_param_u32("hex", &value), PORT_INVALID);
	ck_assert_uint_eq(value, 7);
	ck_assert_int_eq(port_param_u32("a", &value), PORT_OK);
	ck_assert_uint_eq(value, 1);
	ck_assert_int_eq(port_param_u32("b", &value), PORT_OK);
	ck_assert_uint_eq(value, 31);
	ck_assert_int_eq(port_param_text("d", text, sizeof text), PORT_OK);
	ck_assert_str_eq(text, "x=y");
	ck_assert_int_eq(port_param_text("long", text, sizeof text), PORT_INVALID);
	ck_assert_str_eq(text, "x=y");
	ck_assert_int_eq(port_posix_parameter_set("a", "other"), 0);
	ck_assert_int_eq(port_param_text("a", text, sizeof text), PORT_OK);
	ck_assert_str_eq(text, "other");
	ck_assert_int_eq(port_posix_parameters_parse("no value"), -1);
	ck_assert_int_eq(port_posix_parameters_parse("=value"), -1);
}
END_TEST

START_TEST(objects)
{
	const uint8_t *data;
	size_t length;
	ck_assert_int_eq(port_object("x", &data, &length), PORT_ABSENT);
	ck_assert_int_eq(port_posix_object_set("x", "\x30\x82\x00", 3), 0);
	ck_assert_int_eq(port_posix_object_set("y", "-----BEGIN X", 12), 0);
	ck_assert_int_eq(port_object("x", &data, &length), PORT_OK);
	ck_assert_uint_eq(length, 3);
	ck_assert_int_eq(port_object("y", &data, &length), PORT_OK);
	ck_assert_uint_eq(length, 13); /* with the NUL */
	ck_assert_int_eq(data[12], 0);
	static uint8_t large[100000];
	ck_assert_int_eq(port_posix_object_set("z", large, sizeof large), -1);
}
END_TEST

START_TEST(nvm_bounds)
{
	uint8_t data[4] = {1, 2, 3, 4}, got[4] = {0};
	ck_assert_int_eq(port_posix_nvm_open(-1), 0);
	ck_assert_int_eq(port_nvm_write(PORT_NVM_SIZE - 4, data, 4), PORT_OK);
	ck_assert_int_eq(port_nvm_read(PORT_NVM_SIZE - 4, got, 4), PORT_OK);
	ck_assert_int_eq(memcmp(data, got, 4), 0);
	ck_assert_int_eq(port_nvm_write(PORT_NVM_SIZE - 3, data, 4), PORT_INVALID);
	ck_assert_int_eq(port_nvm_read(UINT32_MAX, got, 4), PORT_INVALID);
	ck_assert_int_eq(port_nvm_read(4, got, SIZE_MAX), PORT_INVALID);
}
END_TEST

START_TEST(time_and_delay)
{
	uint64_t late_us = UINT64_MAX;
	/* Errors do not add up: on time at least once after twenty delays, whenever the machine has time for it. */
	for (uint64_t i = 1; i <= 20 || (late_us >= 1900 && i <= 5000); i++) {
		port_delay_until_us(i * 2000);
		ck_assert_uint_ge(port_time_us(), i * 2000);
		late_us = port_time_us() - i * 2000;
	}
	ck_assert_uint_lt(late_us, 1900);
	uint64_t from_us = port_time_us();
	port_wait(from_us + 5000);
	ck_assert_uint_ge(port_time_us(), from_us + 5000);
	from_us = port_time_us();
	port_wake_at(from_us + 3000);
	port_wait(UINT64_MAX);
	ck_assert_uint_ge(port_time_us(), from_us + 3000);
	port_wait(0); /* a deadline that has passed does not sleep */
}
END_TEST

START_TEST(tcp_both_ways)
{
	port_socket client, server;
	uint8_t data[64];
	size_t n = 99;
	connect_pair(&client, &server);
	ck_assert_int_eq(port_tcp_receive(server, data, sizeof data, &n), PORT_WOULD_BLOCK);
	ck_assert_uint_eq(n, 99);
	ck_assert_int_eq(port_tcp_send(client, (const uint8_t *)"hello", 5, &n), PORT_OK);
	ck_assert_uint_eq(n, 5);
	ck_assert_int_eq(receive(server, data, sizeof data, &n), PORT_OK);
	ck_assert_uint_eq(n, 5);
	port_tcp_close(client);
	ck_assert_int_eq(receive(server, data, sizeof data, &n), PORT_CLOSED);
	port_tcp_close(server);
	ck_assert_uint_eq(port_posix_socket_count(), 0);
	ck_assert_int_eq(port_tcp_receive(server, data, sizeof data, &n), PORT_INVALID);
}
END_TEST

START_TEST(abort_is_a_reset)
{
	port_socket client, server;
	uint8_t byte;
	size_t n;
	connect_pair(&client, &server);
	port_tcp_abort(client);
	ck_assert_int_eq(receive(server, &byte, 1, &n), PORT_FAILED);
	port_tcp_abort(server);
}
END_TEST

/* The last answer reaches a peer that still sends: FIN, not RST, although bytes were left unread. */
START_TEST(close_with_unread_bytes_is_orderly)
{
	port_socket client, server;
	uint8_t data[16];
	size_t n;
	connect_pair(&client, &server);
	ck_assert_int_eq(port_tcp_send(client, (const uint8_t *)"unread", 6, &n), PORT_OK);
	port_wait(UINT64_MAX);
	ck_assert_int_eq(port_tcp_send(server, (const uint8_t *)"nack", 4, &n), PORT_OK);
	port_tcp_close(server);
	ck_assert_int_eq(port_tcp_send(client, (const uint8_t *)"more", 4, &n), PORT_OK);
	ck_assert_int_eq(receive(client, data, sizeof data, &n), PORT_OK);
	ck_assert_uint_eq(n, 4);
	ck_assert_int_eq(receive(client, data, sizeof data, &n), PORT_CLOSED);
	port_tcp_close(client);
}
END_TEST

START_TEST(connection_refused)
{
	struct port_endpoint any = loopback(0);
	port_socket listener, client;
	ck_assert_int_eq(port_tcp_listen(&any, 1, &listener), PORT_OK);
	struct port_endpoint remote = loopback(port_of(listener));
	port_tcp_close(listener);
	port_wait(port_time_us() + 1000);
	enum port_status status = port_tcp_connect(NULL, &remote, &client);
	while (status == PORT_OK && (status = port_tcp_connected(client)) == PORT_WOULD_BLOCK) {
		port_wait(port_time_us() + 100000);
		status = PORT_OK;
	}
	ck_assert_int_eq(status, PORT_FAILED);
}
END_TEST

START_TEST(address_in_use)
{
	struct port_endpoint any = loopback(0);
	port_socket first, second = 55;
	ck_assert_int_eq(port_tcp_listen(&any, 1, &first), PORT_OK);
	struct port_endpoint same = loopback(port_of(first));
	ck_assert_int_eq(port_tcp_listen(&same, 1, &second), PORT_FAILED);
	ck_assert_int_eq(second, 55);
}
END_TEST

START_TEST(table_is_bounded)
{
	struct port_endpoint any = loopback(0);
	port_socket sockets[PORT_MAX_SOCKETS], one_more;
	for (int i = 0; i < PORT_MAX_SOCKETS; i++)
		ck_assert_int_eq(port_udp_open(&any, false, &sockets[i]), PORT_OK);
	ck_assert_int_eq(port_udp_open(&any, false, &one_more), PORT_FULL);
	ck_assert_int_eq(port_tcp_listen(&any, 1, &one_more), PORT_FULL);
	port_udp_close(sockets[5]);
	ck_assert_int_eq(port_udp_open(&any, false, &one_more), PORT_OK);
	ck_assert_int_eq(one_more, sockets[5]);
}
END_TEST

START_TEST(full_send_buffer_wakes_when_room)
{
	static uint8_t data[65536];
	port_socket client, server;
	size_t n;
	connect_pair(&client, &server);
	/* Neither full nor unread is a reason to wake again; what is still on its way may be, for a while. */
	bool slept = false;
	for (int i = 0; i < 100 && !slept; i++) {
		while (port_tcp_send(client, data, sizeof data, &n) == PORT_OK)
			;
		port_wait(port_time_us() + 1000); /* the server's side became readable */
		uint64_t from_us = port_time_us();
		port_wait(from_us + 20000);
		slept = port_time_us() >= from_us + 20000;
	}
	ck_assert(slept);
	while (port_tcp_receive(server, data, sizeof data, &n) == PORT_OK)
		;
	const uint64_t end_us = port_time_us() + 15000000;
	enum port_status status;
	while ((status = port_tcp_send(client, data, 1, &n)) == PORT_WOULD_BLOCK && port_time_us() < end_us) {
		port_wait(end_us);
		while (port_tcp_receive(server, data, sizeof data, &n) == PORT_OK) /* also what came meanwhile */
			;
	}
	ck_assert_int_eq(status, PORT_OK);
}
END_TEST

START_TEST(udp_shared_broadcast)
{
	struct port_endpoint address = {.family = 4, .address = {127, 255, 255, 255}}, own = loopback(0), from;
	port_socket first, second, sender;
	uint8_t data[16];
	size_t n;
	ck_assert_int_eq(port_udp_open(&address, true, &first), PORT_OK);
	address.port = port_of(first);
	ck_assert_int_eq(port_udp_open(&address, true, &second), PORT_OK);
	ck_assert_int_eq(port_udp_open(&own, true, &sender), PORT_OK);
	ck_assert_int_eq(port_udp_send(sender, &address, (const uint8_t *)"who", 3), PORT_OK);
	ck_assert_int_eq(receive_datagram(first, data, sizeof data, &n, &from), PORT_OK);
	ck_assert_int_eq(receive_datagram(second, data, sizeof data, &n, &from), PORT_OK);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(from.port, port_of(sender));
	ck_assert_int_eq(port_udp_receive(second, data, sizeof data, &n, &from), PORT_WOULD_BLOCK);
}
END_TEST

/* A datagram to a closed port comes back as an ICMP error, which must not break the socket. */
START_TEST(udp_survives_unreachable)
{
	struct port_endpoint any = loopback(0);
	port_socket a, b;
	uint8_t byte;
	size_t n;
	ck_assert_int_eq(port_udp_open(&any, false, &a), PORT_OK);
	ck_assert_int_eq(port_udp_open(&any, false, &b), PORT_OK);
	struct port_endpoint dead = loopback(port_of(b));
	port_udp_close(b);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(port_udp_send(a, &dead, (const uint8_t *)"x", 1), PORT_OK);
	ck_assert_int_eq(port_udp_receive(a, &byte, 1, &n, NULL), PORT_WOULD_BLOCK);
}
END_TEST

START_TEST(ipv6_stream)
{
	struct port_endpoint any, remote, peer;
	port_socket listener, client, server;
	ck_assert_int_eq(port_endpoint_parse("[::1]:0", &any), PORT_OK);
	if (port_tcp_listen(&any, 1, &listener) != PORT_OK)
		return; /* a machine without IPv6 */
	remote = any;
	remote.port = port_of(listener);
	ck_assert_int_eq(port_tcp_connect(NULL, &remote, &client), PORT_OK);
	while (port_tcp_accept(listener, &server, &peer) == PORT_WOULD_BLOCK)
		port_wait(port_time_us() + 10000);
	ck_assert_int_eq(peer.family, 6);
}
END_TEST

START_TEST(random_differs)
{
	uint8_t a[32] = {0}, b[32] = {0};
	port_random(a, sizeof a);
	port_random(b, sizeof b);
	ck_assert_int_ne(memcmp(a, b, sizeof a), 0);
}
END_TEST

START_TEST(console_input_wakes_once)
{
	int pair[2];
	char byte;
	ck_assert_int_eq(pipe(pair), 0);
	dup2(pair[0], STDIN_FILENO);
	ck_assert_uint_eq(port_console_read(&byte, 1), 0);
	ck_assert_int_eq(write(pair[1], "k", 1), 1);
	port_wait(UINT64_MAX);
	ck_assert_uint_eq(port_console_read(&byte, 1), 1);
	ck_assert_int_eq(byte, 'k');
	close(pair[1]);
	close(pair[0]);
	uint64_t from_us = port_time_us();
	ck_assert_uint_eq(port_console_read(&byte, 1), 0); /* ended: it does not keep the program awake */
	port_wait(from_us + 10000);
	ck_assert_uint_ge(port_time_us(), from_us + 10000);
}
END_TEST

/* Runs a program; returns its exit status and the beginning of what it wrote. */
static int run(const char *const *arguments, char *text, size_t size)
{
	int pair[2], status;
	ck_assert_int_eq(pipe(pair), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(pair[1], 1);
		dup2(pair[1], 2);
		close(pair[0]);
		close(pair[1]);
		execv(arguments[0], (char *const *)arguments);
		_exit(99);
	}
	close(pair[1]);
	size_t length = 0;
	ssize_t n;
	while (length < size - 1 && (n = read(pair[0], text + length, size - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	close(pair[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(standalone_command_line)
{
	char text[4096];
	const char *program = getenv("TEST_BOOTLOADER");
	ck_assert_int_eq(run((const char *const[]){program, "--help", NULL}, text, sizeof text), 0);
	ck_assert_ptr_nonnull(strstr(text, "--param NAME=VALUE"));
	ck_assert_int_eq(run((const char *const[]){program, "--fast", NULL}, text, sizeof text), 2);
	ck_assert_ptr_nonnull(strstr(text, "--fast: unknown option"));
	ck_assert_int_eq(run((const char *const[]){program, "--param", "x", NULL}, text, sizeof text), 2);
	ck_assert_int_eq(run((const char *const[]){program, "--param", NULL}, text, sizeof text), 2);
	ck_assert_int_eq(run((const char *const[]){program, "--object", "a=/nowhere", NULL}, text, sizeof text), 2);
	ck_assert_ptr_nonnull(strstr(text, "/nowhere: No such file"));
	ck_assert_int_eq(run((const char *const[]){program, "--param", "net.device=none0", NULL}, text, sizeof text), 2);
	ck_assert_ptr_nonnull(strstr(text, "no such network device"));
}
END_TEST

/* The bootloader starts the application, which takes commands from its standard input and resets itself. */
START_TEST(standalone_boot_and_reset)
{
	char text[4096];
	int input[2];
	const char *const arguments[] = {getenv("TEST_BOOTLOADER"), "--application", getenv("TEST_APPLICATION"), NULL};
	ck_assert_int_eq(pipe(input), 0);
	dup2(input[0], STDIN_FILENO);
	ck_assert_int_eq(write(input[1], "wrwx", 4), 4);
	close(input[1]);
	ck_assert_int_eq(run(arguments, text, sizeof text), 3);
	const char *at = strstr(text, "@boot stage=bootloader");
	ck_assert_ptr_nonnull(at);
	at = strstr(at, "reason 0\r\n");
	ck_assert_ptr_nonnull(at);
	ck_assert_ptr_nonnull(strstr(at, "reason 1\r\n")); /* PORT_REASON_SYSTEM */
}
END_TEST

static TCase *make_case(void)
{
	TCase *tests = tcase_create("port");
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, endpoints);
	tcase_add_test(tests, parameters);
	tcase_add_test(tests, objects);
	tcase_add_test(tests, nvm_bounds);
	tcase_add_test(tests, time_and_delay);
	tcase_add_test(tests, tcp_both_ways);
	tcase_add_test(tests, abort_is_a_reset);
	tcase_add_test(tests, close_with_unread_bytes_is_orderly);
	tcase_add_test(tests, connection_refused);
	tcase_add_test(tests, address_in_use);
	tcase_add_test(tests, table_is_bounded);
	tcase_add_test(tests, full_send_buffer_wakes_when_room);
	tcase_add_test(tests, udp_shared_broadcast);
	tcase_add_test(tests, udp_survives_unreachable);
	tcase_add_test(tests, ipv6_stream);
	tcase_add_test(tests, random_differs);
	tcase_add_test(tests, console_input_wakes_once);
	tcase_add_test(tests, standalone_command_line);
	tcase_add_test(tests, standalone_boot_and_reset);
	return tests;
}

int main(void)
{
	Suite *suite = suite_create("port");
	suite_add_tcase(suite, make_case());
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
