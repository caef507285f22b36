/* SPDX-License-Identifier: Apache-2.0 */
#include "lease_feed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/bytes.h"
#include "../base/loop.h"
#include "daemon_command.h"

#define MS_NS         INT64_C(1000000)
#define LOOK_NS       (100 * MS_NS)  /* between two looks at a file that has nothing new */
#define AGAIN_NS      (500 * MS_NS)  /* after what did not get through; doubled up to … */
#define AGAIN_MOST_NS (5000 * MS_NS) /* … this */
#define PATIENCE_NS   (5000 * MS_NS) /* a daemon that is away is no news before */
#define LIMIT_MS      30000L         /* for one request */
#define LINES_MAX     (1u << 20)     /* what the daemon takes at once */
#define LINES_USUAL   (256u << 10)
#define ANSWER_MAX    65536
#define LEFT_OUT      "{\"kind\":\"left-out\"}" /* in place of a line that is longer than the daemon takes at once */

struct lease_feed {
	struct daemon_client *client;
	CURLM *multi;
	CURL *transfer; /* a request is under way */
	struct curl_slist *headers;
	char *path; /* NULL: nothing to show */
	int file;
	int64_t lease;
	uint64_t offset; /* of what the daemon has */
	char *lines;
	size_t length;
	bool inside, next_inside; /* at offset, behind the lines: a line that is too long goes on */
	struct bytes answer;
	int64_t next_ns, pause_ns, failing_ns; /* failing_ns: since when nothing gets through, 0: it does */
	bool out, told, news;                  /* out: for good; told: that nobody sees anything */
	char why[700], text[900];
};

/* ---- what is told ---- */

static void tell(struct lease_feed *feed, bool out)
{
	feed->out |= out;
	if (feed->told)
		return;
	feed->told = feed->news = true;
	(void)snprintf(feed->text, sizeof(feed->text), "nobody can watch this session%s: %s", out ? "" : " for now", feed->why);
}

static void went_well(struct lease_feed *feed)
{
	feed->failing_ns = feed->next_ns = 0;
	feed->pause_ns = AGAIN_NS;
	if (!feed->told)
		return;
	feed->told = false;
	feed->news = true;
	(void)snprintf(feed->text, sizeof(feed->text), "this session can be watched again");
}

static void went_wrong(struct lease_feed *feed, bool away)
{
	int64_t now_ns = loop_now_ns();
	if (!feed->failing_ns)
		feed->failing_ns = now_ns;
	if (!away || now_ns - feed->failing_ns > PATIENCE_NS)
		tell(feed, false);
	feed->next_ns = now_ns + feed->pause_ns;
	feed->pause_ns = 2 * feed->pause_ns < AGAIN_MOST_NS ? 2 * feed->pause_ns : AGAIN_MOST_NS;
}

const char *lease_feed_news(struct lease_feed *feed)
{
	bool news = feed->news;
	feed->news = false;
	return news ? feed->text : NULL;
}

/* ---- the journal ---- */

static ssize_t read_at(const struct lease_feed *feed, size_t size)
{
	ssize_t n;
	while ((n = pread(feed->file, feed->lines, size, (off_t)feed->offset)) < 0 && errno == EINTR)
		;
	return n;
}

/* Of a line that the daemon would not take at once: as many bytes that say so, as offsets are those of the file. */
static void leave_out(struct lease_feed *feed, size_t length)
{
	memset(feed->lines, ' ', length);
	memcpy(feed->lines, LEFT_OUT, sizeof(LEFT_OUT) - 1);
	feed->lines[length - 1] = '\n';
	feed->length = length;
}

/* Whole lines that are not sent yet; false: there are none now. */
static bool take_lines(struct lease_feed *feed, size_t size)
{
	ssize_t n = read_at(feed, size);
	const char *newline = n > 0 ? memchr(feed->lines, '\n', (size_t)n) : NULL;
	bool inside = n > 0 && (feed->inside || feed->lines[0] != '{');
	if (inside && newline) {
		leave_out(feed, (size_t)(newline - feed->lines) + 1);
		feed->next_inside = false;
	} else if (newline) {
		feed->length = (size_t)((const char *)memrchr(feed->lines, '\n', (size_t)n) - feed->lines) + 1;
		feed->next_inside = false;
	} else if (n == LINES_MAX) { /* what is left of it has room for as many words */
		leave_out(feed, LINES_MAX - 2 * sizeof(LEFT_OUT));
		feed->next_inside = true;
	}
	return feed->length > 0;
}

static bool read_lines(struct lease_feed *feed)
{
	feed->length = 0;
	if (feed->file < 0)
		feed->file = open(feed->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
	return feed->file >= 0 && (take_lines(feed, LINES_USUAL) || take_lines(feed, LINES_MAX));
}

/* ---- requests ---- */

static size_t on_answer(char *data, size_t size, size_t count, void *context)
{
	struct lease_feed *feed = context;
	size_t length = size * count;
	return feed->answer.length + length > ANSWER_MAX || bytes_append(&feed->answer, data, length) < 0 ? CURL_WRITEFUNC_ERROR : length;
}

static int begin(struct lease_feed *feed)
{
	char path[120];
	(void)snprintf(path, sizeof(path), "/api/v1/leases/%" PRId64 "/journal?from=%" PRIu64, feed->lease, feed->offset);
	CURL *transfer = daemon_client_transfer(feed->client, path);
	if (!transfer)
		return -ENOMEM;
	bytes_clear(&feed->answer);
	(void)curl_easy_setopt(transfer, CURLOPT_POSTFIELDS, feed->lines);
	(void)curl_easy_setopt(transfer, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)feed->length);
	(void)curl_easy_setopt(transfer, CURLOPT_HTTPHEADER, feed->headers);
	(void)curl_easy_setopt(transfer, CURLOPT_WRITEFUNCTION, on_answer);
	(void)curl_easy_setopt(transfer, CURLOPT_WRITEDATA, feed);
	(void)curl_easy_setopt(transfer, CURLOPT_TIMEOUT_MS, LIMIT_MS);
	if (curl_multi_add_handle(feed->multi, transfer) != CURLM_OK) {
		curl_easy_cleanup(transfer);
		return -ENOMEM;
	}
	feed->transfer = transfer;
	return 0;
}

static void end(struct lease_feed *feed)
{
	if (!feed->transfer)
		return;
	(void)curl_multi_remove_handle(feed->multi, feed->transfer);
	curl_easy_cleanup(feed->transfer);
	feed->transfer = NULL;
}

static void take_next(struct lease_feed *feed, bool elsewhere)
{
	json_t *answer = json_loadb((const char *)feed->answer.data, feed->answer.length, 0, NULL);
	int64_t next = json_is_object(answer) ? daemon_integer(answer, "next") : -1;
	json_decref(answer);
	off_t size = lseek(feed->file, 0, SEEK_END);
	/* What nobody of us sent cannot be gone on with. */
	if (next < 0 || next > size) {
		(void)snprintf(feed->why, sizeof(feed->why), "the daemon has another journal of this lease");
		tell(feed, true);
		return;
	}
	feed->inside = elsewhere ? false : feed->next_inside;
	if (elsewhere && (uint64_t)next == feed->offset)
		went_wrong(feed, false);
	else
		went_well(feed);
	feed->offset = (uint64_t)next;
}

static void take_answer(struct lease_feed *feed, CURLcode code, long status)
{
	struct error error = {0};
	if (code != CURLE_OK) {
		(void)snprintf(feed->why, sizeof(feed->why), "%s", curl_easy_strerror(code));
		went_wrong(feed, true);
	} else if (status == 200 || status == 409) {
		(void)snprintf(feed->why, sizeof(feed->why), "the daemon does not say where it goes on");
		take_next(feed, status == 409);
	} else {
		int r = daemon_refused(feed->client, status, (const char *)feed->answer.data, feed->answer.length, &error);
		(void)daemon_plain(error.message, feed->why, sizeof(feed->why));
		if (status == 410)
			feed->out = true; /* the heartbeat says it */
		else if (status < 500 && r != -EAGAIN)
			tell(feed, true);
		else
			went_wrong(feed, daemon_is_away(r));
	}
}

static void collect(struct lease_feed *feed)
{
	int left;
	for (CURLMsg *message; (message = curl_multi_info_read(feed->multi, &left));) {
		CURLcode code = message->data.result;
		long status = 0;
		if (message->msg != CURLMSG_DONE || message->easy_handle != feed->transfer)
			continue;
		(void)curl_easy_getinfo(feed->transfer, CURLINFO_RESPONSE_CODE, &status);
		end(feed);
		take_answer(feed, code, status);
	}
}

/* Begins what is due; when to look again. */
static int64_t tend(struct lease_feed *feed, int64_t now_ns)
{
	if (!feed->path || feed->out || feed->transfer)
		return INT64_MAX;
	if (now_ns < feed->next_ns)
		return feed->next_ns;
	if (read_lines(feed) && begin(feed) == 0)
		return INT64_MAX;
	feed->next_ns = now_ns + LOOK_NS;
	return feed->next_ns;
}

/* ---- life ---- */

static bool ready(int fd)
{
	struct pollfd one = {fd, POLLIN, 0};
	return fd >= 0 && poll(&one, 1, 0) > 0;
}

void lease_feed_serve(struct lease_feed *feed, int fd, int64_t until_ns)
{
	int running;
	while (!ready(fd)) {
		int64_t now_ns = loop_now_ns(), next_ns = tend(feed, now_ns);
		(void)curl_multi_perform(feed->multi, &running);
		collect(feed);
		if (now_ns >= until_ns || feed->news)
			return;
		if (!feed->transfer && next_ns == INT64_MAX)
			next_ns = feed->path && !feed->out ? now_ns : until_ns; /* it ended at once: on with it */
		int64_t left_ns = (next_ns < until_ns ? next_ns : until_ns) - now_ns;
		struct curl_waitfd extra = {.fd = fd, .events = CURL_WAIT_POLLIN};
		(void)curl_multi_poll(feed->multi, &extra, fd >= 0,
		                      left_ns <= 0             ? 0
		                      : left_ns > 1000 * MS_NS ? 1000
		                                               : (int)(left_ns / MS_NS) + 1,
		                      NULL);
	}
}

void lease_feed_finish(struct lease_feed *feed, int64_t until_ns)
{
	int running;
	if (!feed->failing_ns)
		feed->next_ns = 0; /* what came since the last look */
	for (int64_t now_ns; (now_ns = loop_now_ns()) < until_ns && !feed->out && !feed->failing_ns;) {
		(void)tend(feed, now_ns);
		if (!feed->transfer)
			break;
		(void)curl_multi_perform(feed->multi, &running);
		collect(feed);
		if (feed->transfer)
			(void)curl_multi_poll(feed->multi, NULL, 0, 50, NULL);
	}
}

void lease_feed_follow(struct lease_feed *feed, const char *path)
{
	if (!feed->path)
		feed->path = strdup(path);
}

static bool add_header(struct curl_slist **list, const char *text)
{
	struct curl_slist *longer = curl_slist_append(*list, text);
	if (longer)
		*list = longer;
	return longer != NULL;
}

int lease_feed_new(struct lease_feed **ret, struct daemon_client *client, const struct lease *lease, struct error *err)
{
	struct lease_feed *feed = calloc(1, sizeof(*feed));
	char header[160];
	if (!feed)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*feed = (struct lease_feed){.client = client, .file = -1, .lease = lease->id, .pause_ns = AGAIN_NS};
	(void)snprintf(header, sizeof(header), "Hilbench-Lease-Secret: %s", lease->secret);
	feed->multi = curl_multi_init();
	feed->lines = malloc(LINES_MAX);
	feed->headers = daemon_client_headers(client, header);
	bool good = feed->multi && feed->lines && feed->headers && add_header(&feed->headers, "Content-Type: application/x-ndjson");
	explicit_bzero(header, sizeof(header));
	if (!good) {
		lease_feed_free(feed);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	*ret = feed;
	return 0;
}

void lease_feed_free(struct lease_feed *feed)
{
	if (!feed)
		return;
	end(feed);
	curl_slist_free_all(feed->headers);
	if (feed->multi)
		curl_multi_cleanup(feed->multi);
	if (feed->file >= 0)
		(void)close(feed->file);
	bytes_free(&feed->answer);
	free(feed->lines);
	free(feed->path);
	free(feed);
}
