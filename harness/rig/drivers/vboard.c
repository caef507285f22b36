/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual board: one vboard process a board, JSON lines over a socket pair (docs/reference/virtual-board.md). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../base/paths.h"
#include "../network.h"
#include "../rig_private.h"

#define CONTROL_FD       3
#define REQUEST_NS       INT64_C(5000000000)
#define LINE_LIMIT_BYTES (1u << 20)
#define EXIT_PATIENCE_MS 2000
/* vboard reads the clock right at what it does; a console byte waits for vboard to be scheduled. */
#define ACTION_UNCERTAINTY_NS  20000
#define CONSOLE_UNCERTAINTY_NS 200000

struct vboard {
	struct rig_board *board;
	pid_t pid;
	int pidfd, control;
	sd_event_source *pid_source, *control_source;
	struct bytes input;
	size_t scanned;
	int64_t next_id, waiting_id;
	json_t *answer;
	bool gone;
	unsigned nonsense;
	char reason[256];
};

static struct instant stamp(json_t *message, int64_t uncertainty_ns)
{
	json_t *t = json_object_get(message, "t");
	struct instant at = instant_now();
	/* A stamp from the future or from before this boot of the machine is no stamp. */
	if (json_is_integer(t) && json_integer_value(t) > 0 && json_integer_value(t) <= at.ns)
		at.ns = json_integer_value(t);
	at.uncertainty_ns = uncertainty_ns;
	return at;
}

static void lost(struct vboard *vboard, const char *reason)
{
	if (vboard->gone)
		return;
	vboard->gone = true;
	snprintf(vboard->reason, sizeof(vboard->reason), "%s", reason);
	timeline_emit_now(vboard->board->rig->timeline, "case", "note",
	                  json_pack("{s:o}", "text", json_sprintf("board %s: %s", vboard->board->role, reason)));
}

static void on_console(struct vboard *vboard, json_t *message)
{
	struct bytes data = {0};
	const char *hex = json_string_value(json_object_get(message, "data"));
	if (hex && bytes_parse_hex(hex, &data) == 0)
		board_console(vboard->board, data.data, data.length, stamp(message, CONSOLE_UNCERTAINTY_NS));
	bytes_free(&data);
}

static void on_event(struct vboard *vboard, const char *event, json_t *message)
{
	const char *text;
	if (!strcmp(event, "console")) {
		on_console(vboard, message);
	} else if (!strcmp(event, "secret")) {
		text = json_string_value(json_object_get(message, "line"));
		if (text)
			board_secret(vboard->board, text);
	} else if (!strcmp(event, "reset")) {
		text = json_string_value(json_object_get(message, "kind"));
		board_was_reset(vboard->board, text ? text : "unknown", json_integer_value(json_object_get(message, "boot")),
		                stamp(message, ACTION_UNCERTAINTY_NS));
	} else if (!strcmp(event, "cpu")) {
		text = json_string_value(json_object_get(message, "exit"));
		if (vboard->board->powered)
			board_died(vboard->board, text ? text : "unknown", stamp(message, ACTION_UNCERTAINTY_NS));
	}
}

static void on_message(struct vboard *vboard, const char *line, size_t length)
{
	json_t *message = json_loadb(line, length, 0, NULL);
	const char *event = json_string_value(json_object_get(message, "event"));
	json_t *id = json_object_get(message, "id");
	if (event) {
		on_event(vboard, event, message);
	} else if (json_is_integer(id)) {
		/* An answer that comes after its deadline is nobody's. */
		if (json_integer_value(id) == vboard->waiting_id && !vboard->answer)
			vboard->answer = json_incref(message);
	} else if (vboard->nonsense++ == 0) {
		timeline_emit_now(vboard->board->rig->timeline, "case", "note",
		                  json_pack("{s:o}", "text", json_sprintf("vboard of %s wrote what is no message", vboard->board->role)));
	}
	json_decref(message);
}

static void take_lines(struct vboard *vboard)
{
	size_t begin = 0;
	for (size_t i = vboard->scanned; i < vboard->input.length; i++) {
		if (vboard->input.data[i] != '\n')
			continue;
		on_message(vboard, (const char *)vboard->input.data + begin, i - begin);
		begin = i + 1;
	}
	bytes_drop_front(&vboard->input, begin);
	vboard->scanned = vboard->input.length;
	if (vboard->input.length > LINE_LIMIT_BYTES)
		lost(vboard, "vboard sent a line without end");
}

static int on_control(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct vboard *vboard = context;
	char buffer[65536];
	ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		lost(vboard, "vboard closed its control channel");
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		return 0;
	}
	if (bytes_append(&vboard->input, buffer, (size_t)n) < 0) {
		lost(vboard, "out of memory");
		return 0;
	}
	take_lines(vboard);
	return 0;
}

static int on_exit_of_child(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct vboard *vboard = context;
	siginfo_t info = {0};
	char reason[64];
	if (waitid(P_PIDFD, (id_t)vboard->pidfd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return 0;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	vboard->pid = 0;
	snprintf(reason, sizeof(reason), info.si_code == CLD_EXITED ? "vboard ended with status %d" : "vboard was ended by signal %d",
	         info.si_status);
	vboard->gone = false; /* the exit says more than the closed channel */
	lost(vboard, reason);
	return 0;
}

/* ---- requests ---- */

static int vboard_alive(const struct rig_board *board, struct error *err)
{
	const struct vboard *vboard = board->state;
	if (!vboard->gone)
		return 0;
	return error_set(err, ERROR_BENCH, EPIPE, "board %s: %s", board->role, vboard->reason);
}

static bool answered(void *context)
{
	struct vboard *vboard = context;
	return vboard->answer || vboard->gone;
}

static int send_line(struct vboard *vboard, json_t *request, struct error *err)
{
	char *text = json_dumps(request, JSON_COMPACT);
	if (!text || !(text = realloc(text, strlen(text) + 2))) {
		free(text);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	size_t length = strlen(text);
	text[length++] = '\n';
	ssize_t n = send(vboard->control, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);
	int code = errno;
	free(text);
	if (n == (ssize_t)length)
		return 0;
	if (n >= 0 || code == EAGAIN)
		lost(vboard, "vboard does not read its control channel");
	return error_set(err, ERROR_BENCH, n < 0 ? code : EAGAIN, "vboard takes no request: %s",
	                 n < 0 ? strerror(code) : "its channel is full");
}

static int wait_answer(struct vboard *vboard, int64_t deadline_ns, struct error *err)
{
	int64_t limit_ns = loop_now_ns() + REQUEST_NS;
	int r = loop_until(vboard->board->rig->loop, answered, vboard, deadline_ns < limit_ns ? deadline_ns : limit_ns);
	if (r == -ECANCELED)
		return error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	if (r < 0)
		return error_set(err, ERROR_BENCH, ETIMEDOUT, "vboard does not answer");
	return vboard->answer ? 0 : vboard_alive(vboard->board, err);
}

/* Sends {"cmd":…} (stolen) and waits for its answer. */
static int request(struct rig_board *board, json_t *message, int64_t deadline_ns, struct instant *ret_at, struct error *err)
{
	struct vboard *vboard = board->state;
	int r = message ? vboard_alive(board, err) : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	vboard->waiting_id = ++vboard->next_id;
	json_object_set_new(message, "id", json_integer(vboard->waiting_id));
	if (r == 0)
		r = send_line(vboard, message, err);
	if (r == 0)
		r = wait_answer(vboard, deadline_ns, err);
	if (r == 0 && !json_is_true(json_object_get(vboard->answer, "ok"))) {
		const char *text = json_string_value(json_object_get(vboard->answer, "error"));
		r = error_set(err, ERROR_BENCH, EREMOTEIO, "vboard refuses \"%s\": %s", json_string_value(json_object_get(message, "cmd")),
		              text ? text : "no reason given");
	}
	if (r == 0 && ret_at)
		*ret_at = stamp(vboard->answer, ACTION_UNCERTAINTY_NS);
	json_decref(vboard->answer);
	vboard->answer = NULL;
	vboard->waiting_id = 0;
	json_decref(message);
	return r;
}

static int vboard_power(struct rig_board *board, bool on, int64_t deadline_ns, struct instant *ret_at, struct error *err)
{
	return request(board, json_pack("{s:s,s:b}", "cmd", "power", "on", on), deadline_ns, ret_at, err);
}

static int vboard_reset(struct rig_board *board, int64_t deadline_ns, struct error *err)
{
	return request(board, json_pack("{s:s,s:s}", "cmd", "reset", "kind", "external"), deadline_ns, NULL, err);
}

static int vboard_hold(struct rig_board *board, bool on, int64_t deadline_ns, struct error *err)
{
	return request(board, json_pack("{s:s,s:b}", "cmd", "hold", "on", on), deadline_ns, NULL, err);
}

static int vboard_set_param(struct rig_board *board, const char *name, const char *value, struct error *err)
{
	return request(board, json_pack("{s:s,s:s,s:s?}", "cmd", "set", "param", name, "value", value), INT64_MAX, NULL, err);
}

static int vboard_input(struct rig_board *board, const void *data, size_t length, struct error *err)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;
	char *hex = malloc(length * 2 + 1);
	if (!hex)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	for (size_t i = 0; i < length; i++) {
		hex[2 * i] = digits[p[i] >> 4];
		hex[2 * i + 1] = digits[p[i] & 15];
	}
	hex[2 * length] = '\0';
	int r = request(board, json_pack("{s:s,s:s}", "cmd", "input", "data", hex), INT64_MAX, NULL, err);
	free(hex);
	return r;
}

/* ---- start and end ---- */

static int vboard_check(const struct value *role, struct error *err)
{
	static const char *const needed[] = {"bootloader", "application", NULL};
	for (unsigned i = 0; needed[i]; i++)
		if (!value_get(role, needed[i]))
			return error_set_place(err, ERROR_USAGE, EINVAL, role->place, "a role with driver vboard lacks `%s`", needed[i]);
	return 0;
}

/* The argument vector; grows as needed, every word is owned. */
struct words {
	char **items;
	unsigned count;
	bool failed;
};

static void word(struct words *words, char *stolen)
{
	char **items = realloc(words->items, (words->count + 2) * sizeof(*items));
	if (items)
		words->items = items;
	if (!items || !stolen) {
		free(stolen);
		words->failed = true;
		return;
	}
	items[words->count++] = stolen;
	items[words->count] = NULL;
}

static void word_format(struct words *words, const char *format, ...) PRINTF_LIKE(2, 3);
static void word_format(struct words *words, const char *format, ...)
{
	va_list arguments;
	char *text = NULL;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	word(words, text);
}

static void words_free(struct words *words)
{
	for (unsigned i = 0; i < words->count; i++)
		free(words->items[i]);
	free(words->items);
}

static int word_program(struct words *words, const struct rig_board *board, const char *key, struct error *err)
{
	const struct value *value = value_get(board->map, key);
	char path[PATH_MAX];
	int r = program_find(value->text, path, sizeof(path), err);
	if (r < 0) {
		if (err)
			err->place = value->place;
		error_prefix(err, "%s of %s", key, board->role);
		return r;
	}
	word_format(words, key[0] == 'b' ? "--boot" : "--application");
	word_format(words, "%s", path);
	return 0;
}

static int word_objects(struct words *words, const struct rig_board *board, struct error *err)
{
	const struct value *objects = value_get(board->map, "objects");
	for (unsigned i = 0; objects && i < objects->map.count; i++) {
		const struct value_entry *entry = &objects->map.entries[i];
		char path[PATH_MAX];
		int r = entry->value->type == VALUE_TEXT ? rig_file_find(board->rig->file, entry->value, path, sizeof(path), err)
		                                         : error_set_place(err, ERROR_USAGE, EINVAL, entry->value->place,
		                                                           "`%s` must be the path of a file", entry->key);
		if (r < 0)
			return r;
		word_format(words, "--object");
		word_format(words, "%s=%s", entry->key, path);
	}
	return 0;
}

static int build_words(struct words *words, const struct rig_board *board, struct error *err)
{
	char path[PATH_MAX];
	int r = program_find("vboard", path, sizeof(path), err);
	if (r < 0)
		return r;
	word_format(words, "%s", path);
	word_format(words, "--name");
	word_format(words, "%s", board->role);
	word_format(words, "--control-fd");
	word_format(words, "%d", CONTROL_FD);
	word_format(words, "--nvm");
	word_format(words, "%s/nvm-%s.bin", board->rig->directory, board->role);
	r = word_program(words, board, "bootloader", err);
	if (r == 0)
		r = word_program(words, board, "application", err);
	if (r == 0)
		r = word_objects(words, board, err);
	for (unsigned i = 0; r == 0 && i < board->params->map.count; i++) {
		word_format(words, "--param");
		word_format(words, "%s=%s", board->params->map.entries[i].key, board->params->map.entries[i].value->text);
	}
	const char *netns = network_path(board->rig->network, board->role);
	if (r == 0 && netns) {
		word_format(words, "--netns");
		word_format(words, "%s", netns);
	}
	if (r == 0 && words->failed)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	return r;
}

/* Runs in the child: only async-signal-safe calls. */
static _Noreturn void become_vboard(char *const *arguments, int control, int log, pid_t parent)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* A group of its own: a Ctrl-C at the terminal is for the runner, which still has `always` steps to run. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	int null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(log, 1);
	dup2(log, 2);
	if (control == CONTROL_FD)
		fcntl(CONTROL_FD, F_SETFD, 0);
	else
		dup2(control, CONTROL_FD);
	execv(arguments[0], arguments);
	_exit(127);
}

static int spawn(struct vboard *vboard, char *const *arguments, struct error *err)
{
	int pair[2];
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/vboard-%s.log", vboard->board->rig->directory, vboard->board->role);
	int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (log < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot write %s: %s", path, strerror(errno));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		close(log);
		return error_set(err, ERROR_BENCH, errno, "cannot make a socket pair: %s", strerror(errno));
	}
	pid_t parent = getpid();
	vboard->pid = fork();
	if (vboard->pid == 0)
		become_vboard(arguments, pair[1], log, parent);
	close(pair[1]);
	close(log);
	vboard->control = pair[0];
	if (vboard->pid < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot start vboard: %s", strerror(errno));
	vboard->pidfd = pidfd_open(vboard->pid, 0);
	return vboard->pidfd < 0 ? error_set(err, ERROR_BENCH, errno, "pidfd_open: %s", strerror(errno)) : 0;
}

static int watch_child(struct vboard *vboard, struct error *err)
{
	sd_event *event = loop_event(vboard->board->rig->loop);
	int r = sd_event_add_io(event, &vboard->control_source, vboard->control, EPOLLIN, on_control, vboard);
	if (r >= 0)
		r = sd_event_add_io(event, &vboard->pid_source, vboard->pidfd, EPOLLIN, on_exit_of_child, vboard);
	/* What the board still said comes before the news of its end. */
	if (r >= 0)
		r = sd_event_source_set_priority(vboard->pid_source, SD_EVENT_PRIORITY_NORMAL + 1);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot watch vboard: %s", strerror(-r)) : 0;
}

static int vboard_open(struct rig_board *board, struct error *err)
{
	struct words words = {0};
	struct vboard *vboard = calloc(1, sizeof(*vboard));
	if (!vboard)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	vboard->board = board;
	vboard->control = vboard->pidfd = -1;
	board->state = vboard;
	int r = build_words(&words, board, err);
	if (r == 0)
		r = spawn(vboard, words.items, err);
	words_free(&words);
	if (r == 0)
		r = watch_child(vboard, err);
	/* A program that is none shows here, not at the first power on. */
	if (r == 0)
		r = request(board, json_pack("{s:s}", "cmd", "status"), INT64_MAX, NULL, err);
	if (r < 0)
		error_prefix(err, "%s", board->role);
	return r;
}

static void reap(struct vboard *vboard)
{
	struct pollfd poller = {vboard->pidfd, POLLIN, 0};
	if (vboard->pidfd < 0 || poll(&poller, 1, EXIT_PATIENCE_MS) <= 0)
		kill(vboard->pid, SIGKILL);
	while (waitpid(vboard->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void vboard_close(struct rig_board *board)
{
	struct vboard *vboard = board->state;
	if (!vboard)
		return;
	sd_event_source_disable_unref(vboard->control_source);
	sd_event_source_disable_unref(vboard->pid_source);
	if (vboard->control >= 0)
		close(vboard->control);
	if (vboard->pid > 0)
		reap(vboard);
	if (vboard->pidfd >= 0)
		close(vboard->pidfd);
	bytes_free(&vboard->input);
	json_decref(vboard->answer);
	free(vboard);
	board->state = NULL;
}

const struct board_driver driver_vboard = {
        .name = "vboard",
        .check = vboard_check,
        .open = vboard_open,
        .close = vboard_close,
        .power = vboard_power,
        .reset = vboard_reset,
        .hold = vboard_hold,
        .set_param = vboard_set_param,
        .input = vboard_input,
        .alive = vboard_alive,
};
