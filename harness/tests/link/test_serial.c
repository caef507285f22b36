/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../base/bytes.h"
#include "../../link/serial.h"

#define SECOND_NS INT64_C(1000000000)

static struct {
	struct loop *loop;
	struct serial *serial;
	struct bytes received;
	size_t wanted;
	int64_t stamp_ns;
	char gone[128];
	unsigned gone_count;
	int master, slave;
	char name[128];
} line;

static void on_received(const void *data, size_t length, struct instant at, void *context)
{
	(void)context;
	line.stamp_ns = at.ns;
	ck_assert_int_eq(bytes_append(&line.received, data, length), 0);
}

static void on_gone(const char *reason, void *context)
{
	(void)context;
	line.gone_count++;
	(void)snprintf(line.gone, sizeof(line.gone), "%s", reason);
}

static bool have_wanted(void *context)
{
	(void)context;
	return line.received.length >= line.wanted;
}

static bool is_gone(void *context)
{
	(void)context;
	return line.gone_count > 0;
}

static void setup(void)
{
	struct error err = {0};
	memset(&line, 0, sizeof(line));
	ck_assert_int_eq(loop_new(&line.loop, &err), 0);
	ck_assert_int_eq(openpty(&line.master, &line.slave, line.name, NULL, NULL), 0);
}

static void teardown(void)
{
	serial_close(line.serial);
	bytes_free(&line.received);
	loop_free(line.loop);
	if (line.master >= 0)
		(void)close(line.master);
	if (line.slave >= 0)
		(void)close(line.slave);
}

static int open_line(enum serial_kind kind, const char *address, uint32_t baud, struct error *err)
{
	struct serial_options options = {.kind = kind, .address = address, .baud = baud, .received = on_received, .gone = on_gone};
	return serial_open(&line.serial, line.loop, &options, err);
}

static void open_pty(void)
{
	struct error err = {0};
	ck_assert_msg(open_line(SERIAL_PTY, line.name, 115200, &err) == 0, "%s", err.message);
}

START_TEST(bytes_pass_as_they_are)
{
	uint8_t all[256];
	int64_t begin_ns = loop_now_ns();
	for (unsigned i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	open_pty();
	ck_assert_int_eq(write(line.master, all, sizeof(all)), sizeof(all));
	line.wanted = sizeof(all);
	ck_assert_int_eq(loop_until(line.loop, have_wanted, NULL, loop_now_ns() + 20 * SECOND_NS), 0);
	ck_assert_mem_eq(line.received.data, all, sizeof(all));
	ck_assert(line.stamp_ns >= begin_ns && line.stamp_ns <= loop_now_ns());
}
END_TEST

START_TEST(what_is_written_arrives)
{
	static const uint8_t text[] = "a\r\n\x00\x03\x11\x13\xff";
	uint8_t back[sizeof(text)] = {0};
	struct error err = {0};
	open_pty();
	ck_assert_int_eq(serial_write(line.serial, text, sizeof(text), &err), 0);
	ck_assert_int_eq(read(line.master, back, sizeof(back)), sizeof(back));
	ck_assert_mem_eq(back, text, sizeof(text));
}
END_TEST

START_TEST(a_line_that_takes_nothing_is_told)
{
	static uint8_t block[4096];
	struct error err = {0};
	int r = 0;
	open_pty();
	for (unsigned i = 0; r == 0 && i < 1000; i++)
		r = serial_write(line.serial, block, sizeof(block), &err);
	ck_assert_int_eq(r, -ENOBUFS);
	ck_assert_int_eq(err.domain, ERROR_BENCH);
}
END_TEST

START_TEST(a_line_that_is_pulled_out_is_told_once)
{
	struct error err = {0};
	open_pty();
	(void)close(line.slave);
	line.slave = -1;
	(void)close(line.master);
	line.master = -1;
	ck_assert_int_eq(loop_until(line.loop, is_gone, NULL, loop_now_ns() + 20 * SECOND_NS), 0);
	ck_assert_int_eq(loop_until(line.loop, NULL, NULL, loop_now_ns() + SECOND_NS / 50), -ETIMEDOUT);
	ck_assert_uint_eq(line.gone_count, 1);
	ck_assert_int_eq(serial_write(line.serial, "x", 1, &err), -EPIPE);
}
END_TEST

START_TEST(a_second_user_is_told)
{
	struct serial *second;
	struct serial_options options = {.kind = SERIAL_PTY, .address = line.name, .received = on_received};
	struct error err = {0};
	if (geteuid() == 0)
		return; /* TIOCEXCL does not bind root */
	open_pty();
	ck_assert_int_eq(serial_open(&second, line.loop, &options, &err), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.message, "in use"));
}
END_TEST

static const struct {
	const char *path;
	uint32_t baud;
	int r;
	const char *text;
} bad_ports[] = {
        {"/dev/hilbench-none", 0, -ENOENT, "is it plugged in"},
        {"/dev/null", 0, -ENOTTY, "not a serial port"},
        {"/tmp", 0, -EISDIR, "/tmp"},
        {NULL, 4000000, -EINVAL, "above"},
};

START_TEST(what_is_no_port_is_told)
{
	struct error err = {0};
	const char *path = bad_ports[_i].path ? bad_ports[_i].path : line.name;
	ck_assert_int_eq(open_line(SERIAL_TTY, path, bad_ports[_i].baud, &err), bad_ports[_i].r);
	ck_assert_ptr_nonnull(strstr(err.message, bad_ports[_i].text));
	ck_assert_int_eq(err.domain, ERROR_BENCH);
	ck_assert_ptr_null(line.serial);
}
END_TEST

START_TEST(odd_speeds_are_set_exactly)
{
	struct error err = {0};
	struct serial_state state;
	ck_assert_msg(open_line(SERIAL_TTY, line.name, 921600, &err) == 0, "%s", err.message);
	serial_state_read(line.serial, &state);
	ck_assert_ptr_nonnull(strstr(state.text, "921600 8N1"));
	serial_close(line.serial);
	line.serial = NULL;
	ck_assert_msg(open_line(SERIAL_TTY, line.name, 2500000, &err) == 0, "%s", err.message);
	serial_state_read(line.serial, &state);
	ck_assert_ptr_nonnull(strstr(state.text, "2500000 8N1"));
}
END_TEST

static int listen_somewhere(char *address, size_t size)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(own);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&own, &length), 0);
	(void)snprintf(address, size, "127.0.0.1:%u", ntohs(own.sin_port));
	return fd;
}

START_TEST(a_terminal_server_is_a_line)
{
	char address[64], byte = 0;
	struct error err = {0};
	int listener = listen_somewhere(address, sizeof(address));
	ck_assert_msg(open_line(SERIAL_TCP, address, 0, &err) == 0, "%s", err.message);
	int server = accept(listener, NULL, NULL);
	ck_assert_int_eq(write(server, "hello", 5), 5);
	line.wanted = 5;
	ck_assert_int_eq(loop_until(line.loop, have_wanted, NULL, loop_now_ns() + 20 * SECOND_NS), 0);
	ck_assert_int_eq(serial_write(line.serial, "!", 1, &err), 0);
	ck_assert_int_eq(read(server, &byte, 1), 1);
	ck_assert_int_eq(byte, '!');
	ck_assert_int_eq(serial_set_lines(line.serial, true, true, &err), -EOPNOTSUPP);
	(void)close(server);
	ck_assert_int_eq(loop_until(line.loop, is_gone, NULL, loop_now_ns() + 20 * SECOND_NS), 0);
	ck_assert_ptr_nonnull(strstr(line.gone, "closed"));
	(void)close(listener);
}
END_TEST

START_TEST(a_terminal_server_that_is_not_there_is_told)
{
	char address[64];
	struct error err = {0};
	(void)close(listen_somewhere(address, sizeof(address)));
	ck_assert_int_eq(open_line(SERIAL_TCP, address, 0, &err), -ECONNREFUSED);
	ck_assert_ptr_nonnull(strstr(err.message, address));
	ck_assert_int_eq(open_line(SERIAL_TCP, "no-number", 0, &err), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("serial");
	TCase *tcase = tcase_create("serial");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, bytes_pass_as_they_are);
	tcase_add_test(tcase, what_is_written_arrives);
	tcase_add_test(tcase, a_line_that_takes_nothing_is_told);
	tcase_add_test(tcase, a_line_that_is_pulled_out_is_told_once);
	tcase_add_test(tcase, a_second_user_is_told);
	tcase_add_loop_test(tcase, what_is_no_port_is_told, 0, (int)(sizeof(bad_ports) / sizeof(*bad_ports)));
	tcase_add_test(tcase, odd_speeds_are_set_exactly);
	tcase_add_test(tcase, a_terminal_server_is_a_line);
	tcase_add_test(tcase, a_terminal_server_that_is_not_there_is_told);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
