/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
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

#include "../base/bytes.h"

#define REQUEST_NS       INT64_C(5000000000)
#define LINE_LIMIT_BYTES (1u << 20)
#define EXIT_PATIENCE_MS 2000

struct child {
	struct loop *loop;
	struct timeline *timeline;
	char *title, *program;
	void (*event)(const char *event, json_t *message, void *context);
	void *context;
	pid_t pid; /* 0: ended and waited for */
	int pidfd, control;
	sd_event_source *pid_source, *control_source;
	struct bytes input;
	size_t scanned;
	int64_t next_id, waiting_id, told_id;
	json_t *answer;
	bool gone;
	unsigned nonsense;
	char reason[400];
	char *log;
	off_t log_begin; /* what was in the log before this child */
};

/* The last line that the child wrote, without the control characters of a console. "" when it wrote none. */
static void last_words(const struct child *child, char *ret, size_t size)
{
	char tail[512];
	size_t begin, end, length = 0;
	int fd = child->log ? open(child->log, O_RDONLY | O_CLOEXEC) : -1;
	off_t whole = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	off_t from = whole - child->log_begin > (off_t)sizeof(tail) ? whole - (off_t)sizeof(tail) : child->log_begin;
	ssize_t n = fd >= 0 && whole > from ? pread(fd, tail, (size_t)(whole - from), from) : 0;

	if (fd >= 0)
		close(fd);
	for (end = n > 0 ? (size_t)n : 0; end > 0 && (tail[end - 1] == '\n' || tail[end - 1] == '\r' || tail[end - 1] == ' ');)
		end--;
	for (begin = end; begin > 0 && tail[begin - 1] != '\n';)
		begin--;
	for (size_t i = begin; i < end && length + 1 < size; i++)
		ret[length++] = tail[i] >= ' ' && tail[i] <= '~' ? tail[i] : '?';
	ret[length] = '\0';
}

struct instant child_stamp(json_t *message, int64_t uncertainty_ns)
{
	json_t *t = json_object_get(message, "t");
	struct instant at = instant_now();
	/* A stamp from the future or from before this boot of the machine is no stamp. */
	if (json_is_integer(t) && json_integer_value(t) > 0 && json_integer_value(t) <= at.ns)
		at.ns = json_integer_value(t);
	at.uncertainty_ns = uncertainty_ns;
	return at;
}

static void lost(struct child *child, const char *reason)
{
	char words[240];
	if (child->gone)
		return;
	child->gone = true;
	last_words(child, words, sizeof(words));
	snprintf(child->reason, sizeof(child->reason), "%s %s%s%s%s", child->program, reason, *words ? " (its log ends with \"" : "", words,
	         *words ? "\")" : "");
	timeline_emit_now(child->timeline, "case", "note", json_pack("{s:o}", "text", json_sprintf("%s: %s", child->title, child->reason)));
}

/* ---- what it says ---- */

static void on_message(struct child *child, const char *line, size_t length)
{
	json_t *message = json_loadb(line, length, 0, NULL);
	const char *event = json_string_value(json_object_get(message, "event"));
	json_t *id = json_object_get(message, "id");
	if (event) {
		if (child->event)
			child->event(event, message, child->context);
	} else if (json_is_integer(id)) {
		/* An answer that comes after its deadline is nobody's: its id was never told. */
		if (json_integer_value(id) == child->waiting_id && !child->answer)
			child->answer = json_incref(message);
		else if (json_integer_value(id) == child->told_id && child->event)
			child->event("answer", message, child->context);
	} else if (child->nonsense++ == 0) {
		timeline_emit_now(
		        child->timeline, "case", "note",
		        json_pack("{s:o}", "text", json_sprintf("%s of %s wrote what is no message", child->program, child->title)));
	}
	json_decref(message);
}

static void take_lines(struct child *child)
{
	size_t begin = 0;
	for (size_t i = child->scanned; i < child->input.length; i++) {
		if (child->input.data[i] != '\n')
			continue;
		on_message(child, (const char *)child->input.data + begin, i - begin);
		begin = i + 1;
	}
	bytes_drop_front(&child->input, begin);
	child->scanned = child->input.length;
	if (child->input.length > LINE_LIMIT_BYTES)
		lost(child, "sent a line without end");
}

static int on_control(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct child *child = context;
	char buffer[65536];
	ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		lost(child, "closed its control channel");
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		return 0;
	}
	if (bytes_append(&child->input, buffer, (size_t)n) < 0) {
		lost(child, "said more than memory holds");
		return 0;
	}
	take_lines(child);
	return 0;
}

static int on_exit_of_child(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct child *child = context;
	siginfo_t info = {0};
	char reason[64];
	if (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return 0;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	child->pid = 0;
	snprintf(reason, sizeof(reason), info.si_code == CLD_EXITED ? "ended with status %d" : "was ended by signal %d", info.si_status);
	child->gone = false; /* the exit says more than the closed channel */
	lost(child, reason);
	return 0;
}

/* ---- requests ---- */

int child_alive(const struct child *child, struct error *err)
{
	if (!child->gone)
		return 0;
	return error_set(err, ERROR_BENCH, EPIPE, "%s: %s", child->title, child->reason);
}

/* A process that exits is marked so before anything that it had open is closed, and so before anybody can notice its end. */
bool child_going(const struct child *child)
{
	const unsigned long exiting = 0x4; /* PF_EXITING, see proc_pid_stat(5), flags */
	char path[64], text[512] = "", state = 'X';
	unsigned long flags = exiting;
	if (child->gone || child->pid <= 0)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)child->pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return true;
	const char *behind_name = fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
	fclose(file);
	return !behind_name || sscanf(behind_name, ") %c %*d %*d %*d %*d %*d %lu", &state, &flags) != 2 || state == 'Z' ||
	       (flags & exiting);
}

static bool answered(void *context)
{
	struct child *child = context;
	return child->answer || child->gone;
}

static int send_line(struct child *child, json_t *request, struct error *err)
{
	char *text = json_dumps(request, JSON_COMPACT), *line;
	if (!text || !(line = realloc(text, strlen(text) + 2))) {
		free(text);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	size_t length = strlen(line);
	line[length++] = '\n';
	ssize_t n = send(child->control, line, length, MSG_NOSIGNAL | MSG_DONTWAIT);
	int code = errno;
	free(line);
	if (n == (ssize_t)length)
		return 0;
	if (n < 0 && (code == EPIPE || code == ECONNRESET)) {
		lost(child, "closed its control channel");
		return child_alive(child, err);
	}
	if (n >= 0 || code == EAGAIN)
		lost(child, "does not read its control channel");
	return error_set(err, ERROR_BENCH, n < 0 ? code : EAGAIN, "%s takes no request: %s", child->program,
	                 n < 0 ? strerror(code) : "its channel is full");
}

static int wait_answer(struct child *child, int64_t deadline_ns, struct error *err)
{
	int64_t limit_ns = loop_now_ns() + REQUEST_NS;
	int r = loop_until(child->loop, answered, child, deadline_ns < limit_ns ? deadline_ns : limit_ns);
	if (r == -ECANCELED)
		return error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	if (r < 0)
		return error_set(err, ERROR_BENCH, ETIMEDOUT, "%s does not answer", child->program);
	return child->answer ? 0 : child_alive(child, err);
}

int child_request(struct child *child, json_t *message, int64_t deadline_ns, json_t **ret_answer, struct error *err)
{
	int r = message ? child_alive(child, err) : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	child->waiting_id = ++child->next_id;
	json_object_set_new(message, "id", json_integer(child->waiting_id));
	if (r == 0)
		r = send_line(child, message, err);
	if (r == 0)
		r = wait_answer(child, deadline_ns, err);
	if (r == 0 && !json_is_true(json_object_get(child->answer, "ok"))) {
		const char *text = json_string_value(json_object_get(child->answer, "error"));
		r = error_set(err, ERROR_BENCH, EREMOTEIO, "%s refuses \"%s\": %s", child->program,
		              json_string_value(json_object_get(message, "cmd")), text ? text : "no reason given");
	}
	if (r == 0 && ret_answer)
		*ret_answer = json_incref(child->answer);
	json_decref(child->answer);
	child->answer = NULL;
	child->waiting_id = 0;
	json_decref(message);
	return r;
}

void child_tell(struct child *child, json_t *message)
{
	struct error why;
	child->told_id = ++child->next_id;
	json_object_set_new(message, "id", json_integer(child->told_id));
	if (message && !child->gone)
		(void)send_line(child, message, &why); /* a channel that is full or closed was noted as lost */
	json_decref(message);
}

/* ---- start and end ---- */

/* Runs in the child: only async-signal-safe calls. */
static _Noreturn void become(char *const *arguments, int control, int log, pid_t parent)
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
	if (control == CHILD_CONTROL_FD)
		fcntl(CHILD_CONTROL_FD, F_SETFD, 0);
	else
		dup2(control, CHILD_CONTROL_FD);
	execv(arguments[0], arguments);
	_exit(127);
}

static int spawn(struct child *child, char *const *arguments, const char *log_path, struct error *err)
{
	int pair[2];
	int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (log < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot write %s: %s", log_path, strerror(errno));
	child->log_begin = lseek(log, 0, SEEK_END);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		close(log);
		return error_set(err, ERROR_BENCH, errno, "cannot make a socket pair: %s", strerror(errno));
	}
	pid_t parent = getpid();
	child->pid = fork();
	if (child->pid == 0)
		become(arguments, pair[1], log, parent);
	close(pair[1]);
	close(log);
	child->control = pair[0];
	if (child->pid < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot start %s: %s", child->program, strerror(errno));
	child->pidfd = pidfd_open(child->pid, 0);
	return child->pidfd < 0 ? error_set(err, ERROR_BENCH, errno, "pidfd_open: %s", strerror(errno)) : 0;
}

static int watch(struct child *child, struct error *err)
{
	sd_event *event = loop_event(child->loop);
	int r = sd_event_add_io(event, &child->control_source, child->control, EPOLLIN, on_control, child);
	if (r >= 0)
		r = sd_event_add_io(event, &child->pid_source, child->pidfd, EPOLLIN, on_exit_of_child, child);
	/* What it still said comes before the news of its end. */
	if (r >= 0)
		r = sd_event_source_set_priority(child->pid_source, SD_EVENT_PRIORITY_NORMAL + 1);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot watch %s: %s", child->program, strerror(-r)) : 0;
}

int child_start(struct child **ret, struct loop *loop, struct timeline *timeline, const struct child_options *options, struct error *err)
{
	struct child *child = calloc(1, sizeof(*child));
	if (!child)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*ret = child;
	*child = (struct child){.loop = loop,
	                        .timeline = timeline,
	                        .title = strdup(options->title),
	                        .program = strdup(options->program),
	                        .event = options->event,
	                        .context = options->context,
	                        .pidfd = -1,
	                        .control = -1,
	                        .log = strdup(options->log)};
	if (!child->title || !child->program || !child->log)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	int r = spawn(child, options->arguments, options->log, err);
	if (r == 0)
		r = watch(child, err);
	/* A program that is none shows here, not at the first request that matters. */
	return r == 0 ? child_request(child, json_pack("{s:s}", "cmd", "status"), INT64_MAX, NULL, err) : r;
}

static void reap(struct child *child)
{
	struct pollfd poller = {child->pidfd, POLLIN, 0};
	if (child->pidfd < 0 || poll(&poller, 1, EXIT_PATIENCE_MS) <= 0)
		kill(child->pid, SIGKILL);
	while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void child_end(struct child *child)
{
	if (!child)
		return;
	sd_event_source_disable_unref(child->control_source);
	sd_event_source_disable_unref(child->pid_source);
	if (child->control >= 0)
		close(child->control);
	if (child->pid > 0)
		reap(child);
	if (child->pidfd >= 0)
		close(child->pidfd);
	bytes_free(&child->input);
	json_decref(child->answer);
	free(child->title);
	free(child->program);
	free(child->log);
	free(child);
}
