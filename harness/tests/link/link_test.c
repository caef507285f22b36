/* SPDX-License-Identifier: Apache-2.0 */
#include "link_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../link/tls_context.h"

struct bench bench;

const uint8_t activation_request[15] = {0x02, 0xfd, 0x00, 0x05, 0, 0, 0, 7, 0x0e, 0x80, 0x00, 0, 0, 0, 0};
const uint8_t activation_response[17] = {0x02, 0xfd, 0x00, 0x06, 0, 0, 0, 9, 0x0e, 0x80, 0x10, 0x01, 0x10, 0, 0, 0, 0};

void bench_setup(void)
{
	struct error err = {0};

	bench = (struct bench){.folder = "/tmp/hilbench-link-XXXXXX"};
	ck_assert_ptr_nonnull(mkdtemp(bench.folder));
	(void)snprintf(bench.path, sizeof(bench.path), "%s/capture.pcapng", bench.folder);
	ck_assert_msg(loop_new(&bench.loop, &err) == 0, "%s", err.message);
	ck_assert_msg(timeline_new(&bench.timeline, NULL, 8192, &err) == 0, "%s", err.message);
}

void bench_open_capture(bool secrets)
{
	struct error err = {0};

	ck_assert_msg(capture_open(&bench.capture, bench.loop, bench.path, secrets, &err) == 0, "%s", err.message);
}

void bench_close_capture(void)
{
	struct error err = {0};

	ck_assert_msg(capture_close(bench.capture, &err) == 0, "%s", err.message);
	bench.capture = NULL;
}

void bench_teardown(void)
{
	(void)capture_close(bench.capture, NULL);
	tls_context_forget();
	timeline_free(bench.timeline);
	loop_free(bench.loop);
	(void)unlink(bench.path);
	(void)rmdir(bench.folder);
}

struct stream_environment bench_environment(const char *channel)
{
	return (struct stream_environment){bench.loop, bench.timeline, bench.capture, channel, NULL, NULL};
}

void wait_until(bool (*done)(void *), void *context)
{
	ck_assert_int_eq(loop_until(bench.loop, done, context, loop_now_ns() + 40 * SECOND_NS), 0);
}

static bool is_set(void *flag)
{
	return *(bool *)flag;
}

void wait_for(bool *flag)
{
	wait_until(is_set, flag);
}

void pump_ms(unsigned ms)
{
	ck_assert_int_eq(loop_until(bench.loop, NULL, NULL, loop_now_ns() + ms * 1000000LL), -ETIMEDOUT);
}

struct wanted {
	const char *kind;
	unsigned skip, seen;
};

static bool is_kind(const struct event *event, void *context)
{
	struct wanted *wanted = context;

	if (strcmp(event->kind, wanted->kind) != 0)
		return false;
	wanted->seen++;
	return wanted->seen > wanted->skip;
}

const struct event *event_of(const char *kind, unsigned nth)
{
	struct wanted wanted = {kind, nth, 0};

	return timeline_find(bench.timeline, 0, is_kind, &wanted);
}

unsigned events_of(const char *kind)
{
	struct wanted wanted = {kind, UINT32_MAX - 1, 0};

	(void)timeline_find(bench.timeline, 0, is_kind, &wanted);
	return wanted.seen;
}

const char *event_text(const struct event *event, const char *key)
{
	const char *text = event ? json_string_value(json_object_get(event->data, key)) : NULL;

	return text ? text : "";
}

/* ---- parties ----------------------------------------------------------------------------------------------- */

static void on_opened(struct stream *stream, void *context)
{
	((struct party *)context)->opened = true;
}

static void on_received(struct stream *stream, const uint8_t *data, size_t length, struct instant at, void *context)
{
	struct party *party = context;

	ck_assert_int_eq(bytes_append(&party->received, data, length), 0);
	party->last = at;
	party->enough = party->wanted > 0 && party->received.length >= party->wanted;
	if (party->echo)
		ck_assert_int_eq(stream_send(stream, data, length, NULL), 0);
}

static void on_closed(struct stream *stream, enum stream_end end, void *context)
{
	struct party *party = context;

	party->closed = true;
	party->end = end;
	if (party->free_when_closed) {
		party->stream = NULL;
		stream_free(stream);
	}
}

struct stream_handlers party_handlers(struct party *party)
{
	return (struct stream_handlers){party, on_opened, on_received, on_closed};
}

void party_accept(struct stream *stream, void *context)
{
	struct party *party = context;
	struct stream_handlers handlers = party_handlers(party);

	stream_free(party->stream);
	party->stream = stream;
	stream_set_handlers(stream, &handlers);
}

void party_free(struct party *party)
{
	stream_free(party->stream);
	bytes_free(&party->received);
	*party = (struct party){0};
}

void party_wait(struct party *party, size_t bytes)
{
	party->wanted = bytes;
	party->enough = party->received.length >= bytes;
	wait_for(&party->enough);
}

void party_send(struct party *party, const void *data, size_t length)
{
	struct error err = {0};

	ck_assert_msg(stream_send(party->stream, data, length, &err) == 0, "%s", err.message);
}

struct tls_identity identity(const char *name, const char *peer_name)
{
	static char paths[8][2][256];
	static unsigned next;
	char(*pair)[256] = paths[next++ % 8];

	(void)snprintf(pair[0], 256, "%s/%s.pem", CERTIFICATES, name);
	(void)snprintf(pair[1], 256, "%s/%s.key", CERTIFICATES, name);
	return (struct tls_identity){.ca = CERTIFICATES "/ca.pem",
	                             .certificate = pair[0],
	                             .key = pair[1],
	                             .peer_name = peer_name,
	                             .minimum_version = 0x0303,
	                             .maximum_version = 0x0304,
	                             .verify_peer = true};
}

/* ---- programs ---------------------------------------------------------------------------------------------- */

static int read_all(int fd, struct bytes *out)
{
	char buffer[4096];
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		ck_assert_int_eq(bytes_append(out, buffer, (size_t)n), 0);
	return bytes_append_u8(out, 0);
}

int run_program(const char *const argv[], struct bytes *out)
{
	int pipes[2], status;
	pid_t child;

	ck_assert_int_eq(pipe(pipes), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		(void)dup2(pipes[1], STDOUT_FILENO);
		(void)close(pipes[0]);
		(void)close(pipes[1]);
		(void)close(STDERR_FILENO);
		(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	(void)close(pipes[1]);
	ck_assert_int_eq(read_all(pipes[0], out), 0);
	(void)close(pipes[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return -ENOENT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

int main(void)
{
	SRunner *runner = srunner_create(stream_suite());
	int failed;

	srunner_add_suite(runner, tls_suite());
	srunner_add_suite(runner, datagram_suite());
	srunner_add_suite(runner, capture_suite());
	srunner_add_suite(runner, relay_suite());
	srunner_add_suite(runner, watch_suite());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
