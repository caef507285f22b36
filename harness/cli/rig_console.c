/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench rig console: a board's console as it is, for a person at a terminal or a program at a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "rig.h"

#define END_BYTE 0x1d          /* Ctrl-], as telnet has it */
#define QUIET_NS RIG_SECOND_NS /* after the end of a pipe: the board has said what it had to say */
#define BOOT_NS  (3 * RIG_SECOND_NS)
#define LOOK_NS  (RIG_SECOND_NS / 5)
#define ROOM_NS  (RIG_SECOND_NS / 200) /* until a full queue is tried again: some hundred bytes at usual speeds */

#define INTERRUPTED 130 /* exit status */

struct session {
	struct rig_live live;
	const char *role;
	const char *log_path;
	int log; /* -1: none */
	bool stamps, at_line_begin;
	bool terminal; /* standard input was made raw */
	struct termios before;
	sd_event_source *input;
	bool input_ended, asked_to_end, output_failed, interrupted;
	int64_t end_ns;
	int64_t heard_ns; /* when the board last said something, or was told something */
	struct error error, output_error;
	int failed; /* -errno of what ended it */
};

/* ---- from the board ---- */

/* The first that cannot be written is told. */
static void output_fails(struct session *session, int fd, int number)
{
	if (!session->output_failed)
		(void)error_set(&session->output_error, ERROR_BENCH, number, "cannot write what the console says to %s: %s",
		                fd == STDOUT_FILENO ? "standard output" : session->log_path, strerror(number));
	session->output_failed = true;
}

static void write_all(struct session *session, int fd, const void *data, size_t length)
{
	const char *at = data;
	while (length > 0) {
		ssize_t n = write(fd, at, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			output_fails(session, fd, errno);
			return;
		}
		at += n;
		length -= (size_t)n;
	}
}

static void write_stamp(struct session *session, struct instant at)
{
	char text[64];
	int64_t ns = at.ns + clock_realtime_offset_ns();
	time_t seconds = (time_t)(ns / RIG_SECOND_NS);
	struct tm parts;
	(void)localtime_r(&seconds, &parts);
	int n = snprintf(text, sizeof(text), "%02d:%02d:%02d.%06d ", parts.tm_hour, parts.tm_min, parts.tm_sec,
	                 (int)(ns % RIG_SECOND_NS / 1000));
	write_all(session, STDOUT_FILENO, text, (size_t)n);
}

/* The stamp is that of the read in which the line began. */
static void show(struct session *session, const char *data, size_t length, struct instant at)
{
	for (size_t done = 0; done < length;) {
		const char *end = memchr(data + done, '\n', length - done);
		size_t part = end ? (size_t)(end - data) - done + 1 : length - done;
		if (session->stamps && session->at_line_begin)
			write_stamp(session, at);
		write_all(session, STDOUT_FILENO, data + done, part);
		session->at_line_begin = end != NULL;
		done += part;
	}
}

static void on_console(const void *data, size_t length, struct instant at, void *context)
{
	struct session *session = context;
	session->heard_ns = loop_now_ns();
	show(session, data, length, at);
	if (session->log >= 0)
		write_all(session, session->log, data, length);
}

/* ---- to the board ---- */

static int write_to_board(struct session *session, const char *data, size_t length)
{
	return session->live.rig ? rig_board_input(session->live.board, data, length, &session->error)
	                         : rig_attached_input(session->live.attached, data, length, &session->error);
}

/* A pipe or a file is faster than a serial line: what does not fit into its queue waits here, and with it what comes behind. */
static void send_to_board(struct session *session, const char *data, size_t length)
{
	int r;
	while ((r = write_to_board(session, data, length)) == -ENOBUFS && loop_now_ns() < session->end_ns) {
		if (loop_until(session->live.loop, NULL, NULL, loop_now_ns() + ROOM_NS) != -ECANCELED)
			continue;
		session->interrupted = true;
		return;
	}
	session->heard_ns = loop_now_ns();
	/* A board that is being reset, or has ended, hears nothing: its console goes on. */
	if (r == -EREMOTEIO)
		(void)fprintf(stderr, "%s: not taken: %s\n", session->role, session->error.message);
	else if (r < 0)
		session->failed = r;
}

static void end_input(struct session *session)
{
	session->input = sd_event_source_disable_unref(session->input);
	session->input_ended = true;
	session->heard_ns = loop_now_ns();
}

struct typed {
	char data[512];
	size_t length;
};

/* Reads what there is; false: nothing more comes. */
static bool read_input(struct session *session, struct typed *typed)
{
	ssize_t n = read(STDIN_FILENO, typed->data, sizeof(typed->data));
	typed->length = n > 0 ? (size_t)n : 0;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0)
		return false;
	const char *end = session->terminal ? memchr(typed->data, END_BYTE, typed->length) : NULL;
	if (end) {
		typed->length = (size_t)(end - typed->data);
		session->asked_to_end = true;
	}
	return true;
}

/* Board input may pump the loop, which a callback must not: only noted here. */
static int on_input(sd_event_source *source, int fd, uint32_t events, void *context)
{
	(void)fd;
	(void)events;
	(void)context;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

static bool input_waits(const struct session *session)
{
	int enabled = SD_EVENT_ON;
	return session->input && sd_event_source_get_enabled(session->input, &enabled) >= 0 && enabled == SD_EVENT_OFF;
}

static void take_input(struct session *session)
{
	struct typed typed;
	if (!read_input(session, &typed))
		end_input(session);
	else
		(void)sd_event_source_set_enabled(session->input, SD_EVENT_ON);
	if (typed.length)
		send_to_board(session, typed.data, typed.length);
}

/* A file cannot be waited for: it is there as a whole. */
static void take_file(struct session *session)
{
	struct typed typed;
	while (!session->failed && !session->interrupted && read_input(session, &typed))
		if (typed.length)
			send_to_board(session, typed.data, typed.length);
	end_input(session);
}

static int open_input(struct session *session, struct error *err)
{
	struct termios raw;
	int r = sd_event_add_io(loop_event(session->live.loop), &session->input, STDIN_FILENO, EPOLLIN, on_input, session);
	if (r == -EPERM) {
		session->input = NULL;
		return 0;
	}
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "standard input cannot be watched: %s", strerror(-r));
	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &session->before) < 0)
		return 0;
	raw = session->before;
	raw.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INLCR | IGNCR | INPCK | ISTRIP | IXON);
	raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG); /* Ctrl-C is for the board */
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	session->terminal = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
	return 0;
}

static void close_input(struct session *session)
{
	session->input = sd_event_source_disable_unref(session->input);
	if (session->terminal)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &session->before);
	session->terminal = false;
}

/* ---- the session ---- */

static int board_alive(struct session *session)
{
	return session->live.rig ? rig_board_check(session->live.board, &session->error)
	                         : rig_attached_alive(session->live.attached, &session->error);
}

static bool something(void *context)
{
	const struct session *session = context;
	return input_waits(session) || session->failed || session->output_failed;
}

static bool hears(void *context)
{
	struct rig_board *board = context;
	return rig_board_ready(board) || rig_board_dead(board) || rig_board_halted(board);
}

/* Nobody hears what comes before the boot; a board that does not boot is worth a look all the same. */
static void wait_boot(struct session *session, int64_t end_ns)
{
	int64_t boot_ns = loop_now_ns() + BOOT_NS;
	if (session->live.rig && loop_until(session->live.loop, hears, session->live.board, boot_ns < end_ns ? boot_ns : end_ns) < 0)
		return; /* talk() sees why */
}

static void talk(struct session *session, int64_t end_ns)
{
	wait_boot(session, end_ns);
	session->end_ns = end_ns;
	if (!session->input)
		take_file(session);
	while (!session->failed && !session->interrupted && !session->asked_to_end && !session->output_failed) {
		int64_t now_ns = loop_now_ns();
		if (now_ns >= end_ns || (session->input_ended && end_ns == INT64_MAX && now_ns - session->heard_ns > QUIET_NS))
			return;
		int64_t next_ns = now_ns + LOOK_NS < end_ns ? now_ns + LOOK_NS : end_ns;
		if (loop_until(session->live.loop, something, session, next_ns) == -ECANCELED) {
			session->interrupted = true;
			return;
		}
		if (input_waits(session))
			take_input(session);
		if (!session->failed)
			session->failed = board_alive(session);
	}
}

static int open_console(struct session *session, struct console **ret, struct error *err)
{
	if (!session->live.rig)
		return rig_attached_console(session->live.attached, ret, err);
	*ret = rig_board_console(session->live.board);
	return 0;
}

static int run_session(struct session *session, const struct rig_call *call, struct error *err)
{
	struct console *console;
	int r = open_console(session, &console, err);
	if (r == 0)
		r = console_add_reader(console, on_console, session, err);
	if (r < 0)
		return r;
	r = rig_live_power_all(&session->live, err);
	if (r == 0)
		r = open_input(session, err);
	if (r == 0) {
		if (session->terminal)
			(void)fprintf(stderr, "console of %s; Ctrl-] ends\n", session->role);
		talk(session, call->for_ns ? loop_now_ns() + call->for_ns : INT64_MAX);
	}
	close_input(session);
	console_remove_reader(console, on_console, session);
	if (r < 0)
		return r;
	if (session->failed && err)
		*err = session->error;
	if (!session->output_failed || session->failed)
		return session->failed;
	if (err)
		*err = session->output_error;
	return -session->output_error.code;
}

static int console(const struct rig_call *call)
{
	struct session session = {.role = call->words[0], .log_path = call->log, .log = -1, .stamps = call->time, .at_line_begin = true};
	struct error error = {0};
	if (!rig_role(call, session.role))
		return EXIT_USAGE;
	if (call->log && (session.log = open(call->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) < 0)
		return command_usage_error("rig", "cannot write %s: %s", call->log, strerror(errno));
	int status = rig_live_start(&session.live, call, session.role);
	if (!status) {
		int r = run_session(&session, call, &error);
		rig_live_stop(&session.live);
		status = r < 0 ? rig_fail(&error) : session.interrupted ? INTERRUPTED : 0;
	}
	/* Some file systems say only now that there was no space. */
	if (session.log >= 0 && close(session.log) < 0 && status == 0) {
		(void)error_set(&error, ERROR_BENCH, errno, "cannot write what the console says to %s: %s", call->log, strerror(errno));
		status = rig_fail(&error);
	}
	return status;
}

const struct rig_verb rig_verb_console = {
        .name = "console", .options = "ltf", .words = "ROLE [--log FILE] [--time] [--for TIME]", .least = 1, .most = 1, .run = console};
