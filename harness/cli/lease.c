/* SPDX-License-Identifier: Apache-2.0 */
#include "lease.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../base/loop.h"
#include "daemon_command.h"
#include "lease_feed.h"
#include "rig_job.h"

#define S_NS         INT64_C(1000000000)
#define PERIOD_NS    (5 * S_NS)
#define AGAIN_NS     (S_NS / 2) /* a heartbeat that did not get through */
#define BEAT_MS      4000
#define WAIT_MS      (7 * 86400000L) /* for a rig that others have */
#define GIVE_BACK_NS (5 * S_NS)      /* while the daemon is away */
#define FINISH_NS    (2 * S_NS)      /* for the last lines of a journal */
#define OVER_NS      (S_NS / 50)     /* after the deadline: the times of an answer are in whole ms */
#define JOURNAL_NAME "events.jsonl"
/* What the helper's words begin with. */
#define IS_LOST 'L'
#define IS_NEWS 'N'
/* How the helper ends. */
#define GIVEN_BACK 0
#define NOT_DONE   1
#define WAS_OVER   2

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

/* ---- taking and giving back ---- */

/* "2026-01-02T03:04:05.678Z" in ns; 0: none. */
static int64_t utc_ns(const char *text)
{
	struct tm parts = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	return rest ? (int64_t)timegm(&parts) * S_NS + (*rest == '.' ? (int64_t)atoi(rest + 1) * 1000000 : 0) : 0;
}

/* A third of the time that a heartbeat gives, by the daemon's clock alone. */
static int64_t period_of(const json_t *lease)
{
	int64_t third_ns = (utc_ns(daemon_text(lease, "expires")) - utc_ns(daemon_text(lease, "granted"))) / 3;
	return third_ns <= 0 || third_ns > PERIOD_NS ? PERIOD_NS : third_ns < S_NS / 10 ? S_NS / 10 : third_ns;
}

/* Counted from the answer, by this machine's clock: the daemon's may be another. */
static int64_t over_of(const json_t *lease)
{
	int64_t for_ns = utc_ns(daemon_text(lease, "deadline")) - utc_ns(daemon_text(lease, "granted"));
	return loop_now_ns() + (for_ns > 0 ? for_ns : 0) + OVER_NS;
}

static int read_lease(const json_t *answer, const char *rig, struct lease *ret, struct error *err)
{
	const json_t *lease = json_object_get(answer, "lease");
	*ret = (struct lease){.id = daemon_integer(lease, "id"),
	                      .rig = strdup(rig),
	                      .secret = strdup(daemon_text(answer, "secret")),
	                      .file = strdup(daemon_text(answer, "file")),
	                      .mark = strdup(daemon_text(answer, "mark")),
	                      .deadline = strdup(daemon_text(lease, "deadline")),
	                      .period_ns = period_of(lease),
	                      .over_ns = over_of(lease),
	                      .control = -1,
	                      .lost = -1};
	if (!ret->rig || !ret->secret || !ret->file || !ret->mark || !ret->deadline) {
		lease_clear(ret);
		return no_memory(err);
	}
	if (ret->id > 0 && *ret->secret && *ret->mark)
		return 0;
	lease_clear(ret);
	return error_set(err, ERROR_BENCH, EPROTO, "what answers is no hilbenchd: it names no lease");
}

static int ask_for(struct daemon_client *client, const struct lease_request *request, const char *duration, json_t **ret, struct error *err)
{
	char *rig = daemon_escape(request->rig, false);
	json_t *body = json_pack("{s:s,s:b,s:b,s:s*}", "for", duration, "heartbeat", request->heartbeat, "wait", request->wait, "note",
	                         request->note);
	char *path = NULL;
	int r = !rig || !body || asprintf(&path, "/api/v1/rigs/%s/lease", rig) < 0 ? -ENOMEM : 0;
	const struct daemon_request post = {.method = "POST", .path = path, .json = body, .limit_ms = request->wait ? WAIT_MS : 0};
	r = r < 0 ? no_memory(err) : daemon_ask(client, &post, NULL, ret, err);
	json_decref(body);
	free(path);
	free(rig);
	/* That somebody has it is no mistake of who asks. */
	if (r == -EBUSY && err)
		err->domain = ERROR_BENCH;
	return r;
}

int lease_take(struct daemon_client *client, const struct lease_request *request, struct lease *ret, struct error *err)
{
	/* Nobody said for how long: as long as it lives, or half an hour; a daemon may allow less. */
	static const char *const usual[] = {"8h", "2h", "30min", "5min", "1min"};
	json_t *answer = NULL;
	int r = -EINVAL;
	if (request->duration)
		r = ask_for(client, request, request->duration, &answer, err);
	for (size_t i = request->heartbeat ? 0 : 2; !request->duration && r == -EINVAL && i < sizeof(usual) / sizeof(*usual); i++)
		r = ask_for(client, request, usual[i], &answer, err);
	if (r == 0)
		r = read_lease(answer, request->rig, ret, err);
	if (r == 0 && *daemon_text(answer, "warning"))
		(void)fprintf(stderr, "hilbench: %s\n", daemon_text(answer, "warning"));
	json_decref(answer);
	return r;
}

int lease_give_back(struct daemon_client *client, int64_t id, const char *secret, struct error *err)
{
	char path[64];
	json_t *body = secret ? json_pack("{s:s}", "secret", secret) : json_object();
	(void)snprintf(path, sizeof(path), "/api/v1/leases/%" PRId64, id);
	const struct daemon_request request = {
	        .method = "DELETE", .path = path, .json = body, .limit_ms = BEAT_MS, .patience_ns = secret ? GIVE_BACK_NS : 0};
	int r = body ? daemon_ask(client, &request, NULL, NULL, err) : no_memory(err);
	json_decref(body);
	return r;
}

void lease_clear(struct lease *lease)
{
	if (lease->secret)
		explicit_bzero(lease->secret, strlen(lease->secret));
	free(lease->rig);
	free(lease->secret);
	free(lease->file);
	free(lease->mark);
	free(lease->deadline);
	if (lease->control >= 0)
		(void)close(lease->control);
	if (lease->lost >= 0)
		(void)close(lease->lost);
	*lease = (struct lease){.control = -1, .lost = -1};
}

/* ---- the helper ---- */

static int beat(struct daemon_client *client, const struct lease *lease, struct error *err)
{
	char path[80];
	json_t *body = json_pack("{s:s}", "secret", lease->secret);
	(void)snprintf(path, sizeof(path), "/api/v1/leases/%" PRId64 "/heartbeat", lease->id);
	int r = daemon_ask(client, &(struct daemon_request){.method = "POST", .path = path, .json = body, .limit_ms = BEAT_MS}, NULL, NULL,
	                   err);
	json_decref(body);
	return r;
}

static int finish(struct daemon_client *client, const struct lease *lease, struct lease_feed *feed)
{
	struct error error = {0};
	/* A moment more, for those that take their time to end. */
	(void)!beat(client, lease, &error);
	lease_feed_finish(feed, loop_now_ns() + FINISH_NS);
	/* The daemon may be another user, who sees nothing of ours: what is left is ended here too. */
	(void)rig_job_end_all(lease->mark, NULL);
	int r = lease_give_back(client, lease->id, lease->secret, &error);
	return r == 0 ? GIVEN_BACK : r == -ESTALE ? WAS_OVER : NOT_DONE;
}

/* One message; a program that reads none does not hold up the helper. */
static void say(int to, char what, const char *text)
{
	char message[700];
	int length = snprintf(message, sizeof(message), "%c%s", what, text);
	(void)!write(to, message, length < (int)sizeof(message) ? (size_t)length : sizeof(message) - 1);
}

/* False: the program has ended. */
static bool listen_to(int control, struct lease_feed *feed)
{
	struct pollfd parent = {control, POLLIN, 0};
	char path[PATH_MAX + 1];
	if (poll(&parent, 1, 0) <= 0)
		return true;
	ssize_t n = read(control, path, PATH_MAX);
	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	path[n] = '\0';
	lease_feed_follow(feed, path);
	return true;
}

/* The first one after the deadline comes at once: who has no right to the rig any more is to learn it. */
static int64_t next_beat_ns(const struct lease *lease, int64_t period_ns)
{
	int64_t now_ns = loop_now_ns(), next_ns = now_ns + period_ns;
	return lease->over_ns > now_ns && lease->over_ns < next_ns ? lease->over_ns : next_ns;
}

/* While the daemon is away nobody else gets the rig: only its word ends the lease. */
static int keep(struct daemon_client *client, const struct lease *lease, struct lease_feed *feed, int control, int lost)
{
	struct error error = {0};
	int64_t next_ns = next_beat_ns(lease, lease->period_ns);
	for (;;) {
		lease_feed_serve(feed, control, next_ns);
		if (!listen_to(control, feed))
			return finish(client, lease, feed);
		const char *news = lease_feed_news(feed);
		if (news)
			say(lost, IS_NEWS, news);
		if (loop_now_ns() < next_ns)
			continue;
		int r = beat(client, lease, &error);
		next_ns = next_beat_ns(lease, r < 0 ? AGAIN_NS : lease->period_ns);
		if (r < 0 && error.domain == ERROR_USAGE) {
			say(lost, IS_LOST, error.message);
			(void)rig_job_end_all(lease->mark, NULL); /* as in finish() */
			return r == -ESTALE ? WAS_OVER : NOT_DONE;
		}
	}
}

/* Nothing of the program's stays open here, and no signal that is meant for it ends the helper. */
static void settle(int control, int lost)
{
	sigset_t none;
	int nothing = open("/dev/null", O_RDWR);
	for (int i = 0; i < 3; i++)
		(void)dup2(nothing, i);
	for (int fd = 3, end = (int)sysconf(_SC_OPEN_MAX); fd < (end > 4096 ? 4096 : end); fd++)
		if (fd != control && fd != lost)
			(void)close(fd);
	(void)setsid();
	(void)prctl(PR_SET_NAME, "hilbench-lease");
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGHUP, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN);
}

static void help(const struct daemon_client *of, const struct lease *lease, int control, int lost)
{
	struct daemon_client *client;
	struct lease_feed *feed;
	struct error error = {0};
	settle(control, lost);
	int r = daemon_client_again(&client, of, &error);
	if (r == 0)
		r = lease_feed_new(&feed, client, lease, &error);
	_exit(r < 0 ? NOT_DONE : keep(client, lease, feed, control, lost));
}

int lease_keep(struct daemon_client *client, struct lease *lease, struct error *err)
{
	int control[2], lost[2] = {-1, -1};
	/* One message a read. The helper waits for nobody who does not read. */
	if (pipe2(control, O_CLOEXEC | O_DIRECT) < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot make a pipe: %s", strerror(errno));
	pid_t pid = pipe2(lost, O_CLOEXEC | O_DIRECT) < 0 ? -1 : fork();
	if (pid == 0) {
		(void)close(control[1]);
		(void)close(lost[0]);
		(void)fcntl(lost[1], F_SETFL, O_DIRECT | O_NONBLOCK);
		help(client, lease, control[0], lost[1]);
	}
	int code = errno;
	(void)close(control[0]);
	if (lost[1] >= 0)
		(void)close(lost[1]);
	lease->control = control[1];
	lease->lost = lost[0];
	if (pid < 0)
		return error_set(err, ERROR_BENCH, code, "cannot start the helper that keeps the lease: %s", strerror(code));
	lease->helper = pid;
	return setenv("HILBENCH_JOB", lease->mark, 1) < 0 ? no_memory(err) : 0;
}

int lease_show(struct lease *lease, const char *directory, struct error *err)
{
	char path[PATH_MAX + sizeof("/" JOURNAL_NAME)];
	int code = realpath(directory, path) ? 0 : errno;
	if (code == 0 && strlen(path) + sizeof("/" JOURNAL_NAME) > PATH_MAX)
		code = ENAMETOOLONG;
	if (code != 0)
		return error_set(err, ERROR_BENCH, code, "the journal in %s cannot be shown: %s", directory, strerror(code));
	(void)stpcpy(path + strlen(path), "/" JOURNAL_NAME);
	if (write(lease->control, path, strlen(path)) < 0 && errno != EPIPE) /* a helper that is gone is noticed elsewhere */
		return error_set(err, ERROR_BENCH, errno, "the journal in %s cannot be shown: %s", directory, strerror(errno));
	return 0;
}

bool lease_hear(struct lease *lease, char *buffer, size_t size)
{
	char text[800];
	ssize_t n = read(lease->lost, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	(void)daemon_plain(n > 1 ? text + 1 : "the helper that kept it has ended", buffer, size);
	return n <= 1 || text[0] != IS_NEWS;
}

const char *lease_why(struct lease *lease, char *buffer, size_t size)
{
	while (!lease_hear(lease, buffer, size))
		;
	return buffer;
}

int lease_end(struct daemon_client *client, struct lease *lease, struct error *err)
{
	int status = -1, r = 0;
	if (lease->helper > 0) {
		(void)close(lease->control);
		lease->control = -1;
		while (waitpid(lease->helper, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == WAS_OVER)
		r = error_set(err, ERROR_BENCH, ESTALE, "the lease of %s is lost: it was over before it was given back", lease->rig);
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != GIVEN_BACK) /* what the helper could not do, or was not there to do */
		r = lease_give_back(client, lease->id, lease->secret, err);
	lease_clear(lease);
	return r;
}
