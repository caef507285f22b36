/* SPDX-License-Identifier: Apache-2.0 */
#include "supply_scpi_link.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../link/address.h"
#include "../console.h"

#define CONNECT_NS (INT64_C(3) * 1000000000)

struct scpi_link {
	struct scpi_link *next;
	unsigned users, generation;
	struct loop *loop;
	char *address;
	int fd; /* -1: not connected */
	bool connected, lost;
	char reason[128]; /* why it was lost */
	sd_event_source *source, *timer;
	char input[SCPI_ANSWER_MAX];
	size_t length;
	bool complete; /* input holds a whole line, without its end */
	bool held;     /* between begin and end */
	scpi_later done;
	void *context;
	bool asking; /* without waiting */
	int64_t sent_ns;
};

static struct scpi_link *links;

int scpi_link_get(struct scpi_link **ret, struct loop *loop, const char *address, struct error *err)
{
	struct address parsed;
	for (struct scpi_link *link = links; link; link = link->next)
		if (link->loop == loop && !strcmp(link->address, address)) {
			link->users++;
			*ret = link;
			return 0;
		}
	int r = address_parse(address, &parsed, err);
	if (r < 0)
		return r;
	struct scpi_link *link = calloc(1, sizeof(*link));
	if (!link || !(link->address = strdup(address))) {
		free(link);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	link->loop = loop;
	link->users = 1;
	link->fd = -1;
	link->next = links;
	*ret = links = link;
	return 0;
}

/* ---- the connection ---- */

static void drop(struct scpi_link *link)
{
	link->source = sd_event_source_disable_unref(link->source);
	link->timer = sd_event_source_disable_unref(link->timer);
	if (link->fd >= 0)
		(void)close(link->fd);
	link->fd = -1;
	link->connected = link->complete = link->asking = false;
	link->length = 0;
}

static void give_up(struct scpi_link *link, const char *reason)
{
	(void)snprintf(link->reason, sizeof(link->reason), "%s", reason);
	drop(link);
}

void scpi_link_put(struct scpi_link *link)
{
	if (!link || --link->users > 0)
		return;
	for (struct scpi_link **at = &links; *at; at = &(*at)->next)
		if (*at == link) {
			*at = link->next;
			break;
		}
	drop(link);
	free(link->address);
	free(link);
}

static void lose(struct scpi_link *link, const char *reason)
{
	bool asking = link->asking;
	(void)snprintf(link->reason, sizeof(link->reason), "%s", reason);
	link->lost = true;
	link->source = sd_event_source_disable_unref(link->source);
	link->timer = sd_event_source_disable_unref(link->timer);
	link->asking = false;
	if (asking && link->done)
		link->done(NULL, link->sent_ns, link->context);
}

static void answer_later(struct scpi_link *link)
{
	char answer[SCPI_ANSWER_MAX];
	memcpy(answer, link->input, link->length + 1);
	link->timer = sd_event_source_disable_unref(link->timer);
	link->asking = link->complete = false;
	link->length = 0;
	if (link->done)
		link->done(answer, link->sent_ns, link->context);
}

/* One question, one line: what comes after it belongs to nobody, and shows at the next question. */
static void take(struct scpi_link *link, const char *data, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (link->complete) {
			lose(link, "it said more than it was asked");
			return;
		}
		if (data[i] == '\n') {
			while (link->length > 0 && link->input[link->length - 1] == '\r')
				link->length--;
			link->input[link->length] = '\0';
			link->complete = true;
		} else if (link->length + 1 < sizeof(link->input)) {
			link->input[link->length++] = data[i];
		} else {
			lose(link, "it sent an answer without end");
			return;
		}
	}
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct scpi_link *link = context;
	char data[1024];
	(void)source;
	(void)events;
	ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		lose(link, n == 0 ? "it closed the connection" : strerror(errno));
		return 0;
	}
	take(link, data, (size_t)n);
	if (link->complete && link->asking)
		answer_later(link);
	return 0;
}

static int on_connect(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct scpi_link *link = context;
	(void)source;
	(void)fd;
	(void)events;
	link->connected = true;
	return 0;
}

static bool is_connected(void *context)
{
	const struct scpi_link *link = context;
	return link->connected;
}

static int no_connection(struct scpi_link *link, int code, struct error *err)
{
	const char *hint = code == ECONNREFUSED
	                           ? " (is its LAN interface on, is the port right, does another program hold its only connection?)"
	                   : code == ETIMEDOUT || code == EHOSTUNREACH ? " (is it switched on, is the cable in, is the address right?)"
	                                                               : "";
	give_up(link, strerror(code));
	return error_set(err, ERROR_BENCH, code, "power supply %s: cannot connect: %s%s", link->address, strerror(code), hint);
}

/* Of a socket that became writable: 0 or -errno. */
static int be_connected(struct scpi_link *link)
{
	int code = 0, on = 1;
	socklen_t length = sizeof(code);
	link->source = sd_event_source_disable_unref(link->source);
	if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &code, &length) < 0 || code != 0)
		return code ? -code : -EIO;
	(void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	int r = sd_event_add_io(loop_event(link->loop), &link->source, link->fd, EPOLLIN, on_io, link);
	if (r < 0)
		return r;
	link->connected = true;
	link->generation++;
	return 0;
}

static int await_connection(struct scpi_link *link, int64_t deadline_ns, struct error *err)
{
	int64_t limit_ns = loop_now_ns() + CONNECT_NS;
	int r = sd_event_add_io(loop_event(link->loop), &link->source, link->fd, EPOLLOUT, on_connect, link);
	if (r < 0)
		return no_connection(link, -r, err);
	r = loop_until(link->loop, is_connected, link, deadline_ns < limit_ns ? deadline_ns : limit_ns);
	if (r == -ECANCELED) {
		drop(link);
		return error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	}
	if (r == 0)
		r = be_connected(link);
	return r < 0 ? no_connection(link, -r, err) : 0;
}

/* 0 or -errno; the address was looked at when the link was made. */
static int begin_connecting(struct scpi_link *link)
{
	struct address to;
	struct error wrong;
	drop(link);
	link->lost = false;
	if (address_parse(link->address, &to, &wrong) < 0)
		return -EINVAL;
	link->fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (link->fd < 0)
		return -errno;
	return connect(link->fd, &to.any, to.length) < 0 && errno != EINPROGRESS ? -errno : 0;
}

static int connect_to(struct scpi_link *link, int64_t deadline_ns, struct error *err)
{
	int r = begin_connecting(link);
	return r < 0 ? no_connection(link, -r, err) : await_connection(link, deadline_ns, err);
}

static bool is_idle(void *context)
{
	const struct scpi_link *link = context;
	return !link->asking;
}

int scpi_begin(struct scpi_link *link, int64_t deadline_ns, struct error *err)
{
	link->held = true; /* nothing new is asked meanwhile */
	int r = loop_until(link->loop, is_idle, link, deadline_ns);
	if (r == -ECANCELED)
		r = error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	else if (r < 0)
		r = error_set(err, ERROR_BENCH, ETIMEDOUT, "power supply %s: no answer", link->address);
	/* A connection that was closed meanwhile, or on which somebody talks unasked, begins anew. */
	if (r == 0 && (link->fd < 0 || link->lost || link->length > 0 || link->complete))
		r = connect_to(link, deadline_ns, err);
	link->held = r == 0;
	return r;
}

void scpi_end(struct scpi_link *link)
{
	link->held = false;
}

unsigned scpi_generation(const struct scpi_link *link)
{
	return link->generation;
}

bool scpi_is_connected(const struct scpi_link *link)
{
	return link->fd >= 0 && link->connected && !link->lost;
}

const char *scpi_reason(const struct scpi_link *link)
{
	return link->reason[0] ? link->reason : "it is not connected";
}

/* ---- messages ---- */

static int send_message(struct scpi_link *link, const char *message)
{
	char line[256];
	int length = snprintf(line, sizeof(line), "%s\n", message);
	if (length >= (int)sizeof(line))
		return -EMSGSIZE;
	ssize_t n = send(link->fd, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == length)
		return 0;
	return n < 0 ? -errno : -EAGAIN;
}

int scpi_tell(struct scpi_link *link, const char *message, struct error *err)
{
	int r = link->lost ? -EPIPE : send_message(link, message);
	if (r == 0)
		return 0;
	r = error_set(err, ERROR_BENCH, -r, "power supply %s: \"%s\" cannot be sent: %s", link->address, message,
	              link->lost ? link->reason : strerror(-r));
	drop(link);
	return r;
}

static bool is_answered(void *context)
{
	const struct scpi_link *link = context;
	return link->complete || link->lost;
}

/* What came of the answer so far, for a message. */
static const char *so_far(const struct scpi_link *link, char *text, size_t size)
{
	char *clean = link->length ? console_clean(link->input, link->length < 60 ? link->length : 60) : NULL;
	if (clean)
		(void)snprintf(text, size, " in the middle of the answer (\"%s\")", clean);
	else
		text[0] = '\0';
	free(clean);
	return text;
}

static int no_answer(struct scpi_link *link, const char *message, int r, struct error *err)
{
	char part[320];
	const char *reason = r == -ECANCELED ? "a question was given up" : "no answer in time";
	so_far(link, part, sizeof(part));
	if (r == -ECANCELED)
		r = error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	else if (r < 0)
		r = error_set(err, ERROR_BENCH, ETIMEDOUT, "power supply %s: no answer to \"%s\" in time%s", link->address, message, part);
	else
		r = error_set(err, ERROR_BENCH, EPIPE, "power supply %s: \"%s\": %s%s%s", link->address, message, link->reason, part,
		              part[0] ? "" : " (many supplies take one client: is another program connected?)");
	if (link->lost)
		drop(link);
	else
		give_up(link, reason);
	return r;
}

static bool is_text(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7E)
			return false;
	return true;
}

int scpi_ask(struct scpi_link *link, const char *message, char answer[static SCPI_ANSWER_MAX], int64_t deadline_ns, struct error *err)
{
	int r = scpi_tell(link, message, err);
	if (r < 0)
		return r;
	r = loop_until(link->loop, is_answered, link, deadline_ns);
	if (r < 0 || !link->complete)
		return no_answer(link, message, r, err);
	bool text = strlen(link->input) == link->length && is_text(link->input);
	if (!text) {
		char *clean = console_clean(link->input, link->length < 60 ? link->length : 60);
		r = error_set(err, ERROR_BENCH, EBADMSG, "power supply %s: answers \"%s\" with what is no text: \"%s\"", link->address,
		              message, clean ? clean : "");
		free(clean);
		give_up(link, "it answered with what is no text");
		return r;
	}
	memcpy(answer, link->input, link->length + 1);
	link->length = 0;
	link->complete = false;
	return 0;
}

static int on_late(sd_event_source *source, uint64_t usec, void *context)
{
	(void)source;
	(void)usec;
	struct scpi_link *link = context;
	lose(link, link->connected ? "no answer in time" : "cannot connect in time");
	return 0;
}

/* Who asks without waiting, until answer_later() or lose(). */
static int begin_asking(struct scpi_link *link, int64_t within_ns, scpi_later done, void *context)
{
	int r = sd_event_add_time(loop_event(link->loop), &link->timer, CLOCK_MONOTONIC, (uint64_t)(loop_now_ns() + within_ns) / 1000, 1000,
	                          on_late, link);
	if (r < 0)
		return r;
	link->done = done;
	link->context = context;
	link->sent_ns = loop_now_ns();
	return 0;
}

static int on_connect_later(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct scpi_link *link = context;
	(void)source;
	(void)fd;
	(void)events;
	int r = be_connected(link);
	if (r < 0) {
		lose(link, strerror(-r));
		return 0;
	}
	link->timer = sd_event_source_disable_unref(link->timer);
	link->asking = false;
	if (link->done)
		link->done("", link->sent_ns, link->context);
	return 0;
}

int scpi_connect_later(struct scpi_link *link, int64_t within_ns, scpi_later done, void *context)
{
	if (link->held || link->asking || scpi_is_connected(link))
		return -EBUSY;
	int r = begin_connecting(link);
	if (r == 0)
		r = sd_event_add_io(loop_event(link->loop), &link->source, link->fd, EPOLLOUT, on_connect_later, link);
	if (r >= 0)
		r = begin_asking(link, within_ns, done, context);
	if (r < 0) {
		give_up(link, strerror(-r));
		return r;
	}
	link->asking = true;
	return 0;
}

int scpi_ask_later(struct scpi_link *link, const char *message, int64_t within_ns, scpi_later done, void *context)
{
	if (link->held || link->asking || !scpi_is_connected(link) || link->length > 0 || link->complete)
		return -EBUSY;
	int r = begin_asking(link, within_ns, done, context);
	if (r < 0)
		return r;
	r = send_message(link, message);
	if (r < 0) {
		lose(link, strerror(-r));
		return r;
	}
	link->asking = true;
	return 0;
}

void scpi_forget(struct scpi_link *link, void *context)
{
	if (link->context == context)
		link->done = NULL;
}

/* ---- numbers ---- */

/* IEEE 488.2, 8.7.2 to 8.7.4 (NR1, NR2, NR3); a suffix is not foreseen in a response, but instruments send one. */
static bool read_number(const char *text, double *ret, const char **ret_rest)
{
	char *end;
	size_t length = strspn(text, "+-.0123456789");
	if (!length || !strpbrk(text, "0123456789") || strpbrk(text, "0123456789") >= text + length)
		return false;
	*ret = strtod(text, &end);
	if (end == text)
		return false;
	while (*end == ' ')
		end++;
	*ret_rest = end;
	return true;
}

int scpi_milli(const struct scpi_link *link, const char *what, const char *answer, const char *unit, int32_t *ret, struct error *err)
{
	double number, scale = 1000;
	const char *rest;
	if (!read_number(answer, &number, &rest))
		return error_set(err, ERROR_BENCH, EBADMSG, "power supply %s: answers \"%s\" with \"%.60s\", which is no number",
		                 link->address, what, answer);
	/* 488.2, 7.7.3: M is milli; upper and lower case are the same. */
	if ((*rest == 'm' || *rest == 'M') && rest[1]) {
		scale = 1;
		rest++;
	}
	if (*rest && strcasecmp(rest, unit))
		return error_set(err, ERROR_BENCH, EBADMSG, "power supply %s: answers \"%s\" with \"%.60s\", which is not in %s",
		                 link->address, what, answer, unit);
	/* SCPI-1999 volume 1, 7.2.1.4 and 7.2.1.5: 9.9E37 is infinity, 9.91E37 not a number. */
	number *= scale;
	if (!isfinite(number) || fabs(number) > 1e9)
		return error_set(err, ERROR_BENCH, ERANGE, "power supply %s: answers \"%s\" with \"%.60s\": out of range, or not measured",
		                 link->address, what, answer);
	*ret = (int32_t)lround(number);
	return 0;
}
