/* SPDX-License-Identifier: Apache-2.0 */
#include "board_driver.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 30000

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *driver_file(struct board_driver *driver, const char *name, size_t size)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", driver->folder, name);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	close(fd);
	return path;
}

static void run_vboard(int fd, const char *nvm, const char *const *extra)
{
	char number[12];
	snprintf(number, sizeof number, "%d", fd);
	const char *arguments[48] = {"vboard",
	                             "--name",
	                             "test",
	                             "--control-fd",
	                             number,
	                             "--boot",
	                             getenv("TEST_BOOTLOADER"),
	                             "--application",
	                             getenv("TEST_APPLICATION"),
	                             "--nvm",
	                             nvm};
	size_t count = 11;
	bool verified = false;
	for (; extra && *extra; extra++) {
		arguments[count++] = *extra;
		verified = verified || strncmp(*extra, "ota.key.", 8) == 0;
	}
	if (!verified) {
		arguments[count++] = "--param";
		arguments[count++] = "test.unverified=1";
	}
	execv(getenv("TEST_VBOARD"), (char *const *)arguments);
	_exit(99);
}

void driver_start(struct board_driver *driver, const char *const *extra)
{
	int pair[2];
	char nvm[96];
	if (!driver->folder[0]) {
		snprintf(driver->folder, sizeof driver->folder, "/tmp/board-test-XXXXXX");
		ck_assert_ptr_nonnull(mkdtemp(driver->folder));
	}
	snprintf(nvm, sizeof nvm, "%s/nvm", driver->folder);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	driver->in_length = driver->console_length = driver->console_seen = 0;
	driver->events = json_array();
	driver->pid = fork();
	if (driver->pid == 0) {
		fcntl(pair[1], F_SETFD, 0);
		run_vboard(pair[1], nvm, extra);
	}
	close(pair[1]);
	driver->fd = pair[0];
}

int driver_end(struct board_driver *driver)
{
	int status;
	close(driver->fd);
	waitpid(driver->pid, &status, 0);
	json_decref(driver->events);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void take_console(struct board_driver *driver, json_t *event)
{
	const char *hex = json_string_value(json_object_get(event, "data"));
	driver->console_t_ns = (uint64_t)json_integer_value(json_object_get(event, "t"));
	for (; *hex; hex += 2) {
		unsigned byte;
		ck_assert_int_eq(sscanf(hex, "%2x", &byte), 1);
		if (driver->console_length < sizeof driver->console - 1)
			driver->console[driver->console_length++] = (char)byte;
	}
	driver->console[driver->console_length] = '\0';
	json_decref(event);
}

static void take_lines(struct board_driver *driver)
{
	char *at = driver->in, *end;
	char *limit = driver->in + driver->in_length;
	while ((end = memchr(at, '\n', (size_t)(limit - at)))) {
		json_t *line = json_loadb(at, (size_t)(end - at), 0, NULL);
		ck_assert_msg(line != NULL, "not JSON: %.*s", (int)(end - at), at);
		const char *event = json_string_value(json_object_get(line, "event"));
		if (event && strcmp(event, "console") == 0)
			take_console(driver, line);
		else
			json_array_append_new(driver->events, line);
		at = end + 1;
	}
	driver->in_length = (size_t)(limit - at);
	memmove(driver->in, at, driver->in_length);
}

void driver_read(struct board_driver *driver, int timeout_ms)
{
	struct pollfd fd = {.fd = driver->fd, .events = POLLIN};
	if (timeout_ms < 0 || poll(&fd, 1, timeout_ms) != 1)
		return;
	ssize_t n = recv(driver->fd, driver->in + driver->in_length, sizeof driver->in - driver->in_length, MSG_DONTWAIT);
	ck_assert_msg(n > 0, "vboard closed the channel");
	driver->in_length += (size_t)n;
	take_lines(driver);
}

static int __attribute__((format(printf, 2, 0))) send_text(struct board_driver *driver, const char *format, va_list arguments)
{
	char fields[16384], line[16500];
	vsnprintf(fields, sizeof fields, format, arguments);
	int length = snprintf(line, sizeof line, "{\"id\":%d,%s}\n", ++driver->next_id, fields);
	ck_assert_int_eq(send(driver->fd, line, (size_t)length, MSG_NOSIGNAL), length);
	return driver->next_id;
}

int driver_send(struct board_driver *driver, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int id = send_text(driver, format, arguments);
	va_end(arguments);
	return id;
}

/* Takes the first kept line whose member has the value. */
static json_t *take(struct board_driver *driver, const char *member, json_t *value)
{
	size_t i;
	json_t *line;
	json_array_foreach (driver->events, i, line) {
		if (json_equal(json_object_get(line, member), value)) {
			json_incref(line);
			json_array_remove(driver->events, i);
			json_decref(value);
			return line;
		}
	}
	json_decref(value);
	return NULL;
}

static json_t *answer_to(struct board_driver *driver, int id)
{
	int64_t end = now_ms() + PATIENCE_MS;
	json_t *answer;
	while (!(answer = take(driver, "id", json_integer(id)))) {
		ck_assert_msg(now_ms() < end, "no answer to request %d", id);
		driver_read(driver, (int)(end - now_ms()));
	}
	return answer;
}

json_t *driver_ask(struct board_driver *driver, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int id = send_text(driver, format, arguments);
	va_end(arguments);
	return answer_to(driver, id);
}

uint64_t driver_do(struct board_driver *driver, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int id = send_text(driver, format, arguments);
	va_end(arguments);
	json_t *answer = answer_to(driver, id);
	const char *error = json_string_value(json_object_get(answer, "error"));
	ck_assert_msg(json_is_true(json_object_get(answer, "ok")), "refused: %s", error ? error : "?");
	uint64_t t_ns = (uint64_t)json_integer_value(json_object_get(answer, "t"));
	json_decref(answer);
	return t_ns;
}

const char *driver_expect(struct board_driver *driver, const char *text)
{
	int64_t end = now_ms() + PATIENCE_MS;
	for (;;) {
		char *from = driver->console + driver->console_seen;
		char *at = memmem(from, driver->console_length - driver->console_seen, text, strlen(text));
		if (at && memchr(at, '\n', (size_t)(driver->console + driver->console_length - at))) {
			driver->console_seen = (size_t)(at - driver->console) + strlen(text);
			return at;
		}
		ck_assert_msg(now_ms() < end, "the console never said \"%s\", but:\n%s", text, driver->console);
		driver_read(driver, (int)(end - now_ms()));
	}
}

json_t *driver_event(struct board_driver *driver, const char *name)
{
	int64_t end = now_ms() + PATIENCE_MS;
	json_t *event;
	while (!(event = take(driver, "event", json_string(name)))) {
		ck_assert_msg(now_ms() < end, "no event %s", name);
		driver_read(driver, (int)(end - now_ms()));
	}
	return event;
}

pid_t driver_cpu(struct board_driver *driver)
{
	json_t *status = driver_ask(driver, "\"cmd\":\"status\"");
	pid_t pid = (pid_t)json_integer_value(json_object_get(status, "pid"));
	json_decref(status);
	return pid;
}

bool process_gone(pid_t pid)
{
	/* Readable at its end, whether or not somebody reaps it. */
	struct pollfd end = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	if (end.fd < 0)
		return errno == ESRCH;
	bool gone = poll(&end, 1, PATIENCE_MS) == 1;
	close(end.fd);
	return gone;
}

const char *driver_refused_start(struct board_driver *driver, const char *const *extra)
{
	static char text[1024];
	int pair[2], saved = dup(2);
	ck_assert_int_eq(pipe(pair), 0);
	dup2(pair[1], 2);
	driver_start(driver, extra);
	dup2(saved, 2);
	close(saved);
	close(pair[1]);
	size_t length = 0;
	ssize_t n;
	while ((n = read(pair[0], text + length, sizeof text - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	close(pair[0]);
	ck_assert_int_eq(driver_end(driver), 2);
	return text;
}
