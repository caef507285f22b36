/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "relay_private.h"
#include "stamp.h"

#define BACKLOG               64
#define ACCEPT_UNCERTAINTY_NS 100000       /* from the SYN to accept(): waking up, and what the loop did before */
#define GHOST_NS              1000000000LL /* how late secrets may be */

void relay_emit(struct relay *relay, struct instant at, const char *kind, const struct relay_connection *connection, const char *side,
                json_t *data)
{
	if (!relay->timeline) {
		json_decref(data);
		return;
	}
	if (!data)
		data = json_object();
	if (connection)
		(void)json_object_set_new(data, "conn", json_integer((json_int_t)connection->number));
	if (side)
		(void)json_object_set_new(data, "side", json_string(side));
	timeline_emit(relay->timeline, at, relay->channel, kind, data);
}

static void emit_fault(struct relay *relay, const char *action, json_t *data)
{
	if (!data)
		data = json_object();
	(void)json_object_set_new(data, "action", json_string(action));
	relay_emit(relay, instant_now(), "link.fault", NULL, NULL, data);
}

/* ---- the timer, and the end of connections ----------------------------------------------------------------- */

static void bury(struct relay *relay, struct watch *watch)
{
	struct relay_ghost *ghost = watch ? malloc(sizeof(*ghost)) : NULL;

	if (watch)
		watch_on_tls(watch, NULL, NULL); /* its connection is about to be freed */
	if (!ghost) {
		watch_free(watch);
		return;
	}
	*ghost = (struct relay_ghost){relay->ghosts, watch, loop_now_ns() + GHOST_NS};
	relay->ghosts = ghost;
}

static void free_closed(struct relay *relay)
{
	struct relay_connection **place = &relay->connections;

	while (*place) {
		struct relay_connection *connection = *place;

		if (!connection->closed) {
			place = &connection->next;
			continue;
		}
		*place = connection->next;
		bury(relay, connection->watch);
		relay_connection_free(connection);
	}
}

static void settle_ghosts(struct relay *relay, int64_t now_ns)
{
	struct relay_ghost **place = &relay->ghosts;

	while (*place) {
		struct relay_ghost *ghost = *place;

		if (ghost->until_ns > now_ns) {
			watch_settle(ghost->watch, now_ns);
			place = &ghost->next;
			continue;
		}
		*place = ghost->next;
		watch_free(ghost->watch);
		free(ghost);
	}
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void relay_tidy(struct relay *relay)
{
	int64_t due_ns = INT64_MAX;

	free_closed(relay);
	for (const struct relay_connection *c = relay->connections; c; c = c->next) {
		due_ns = earlier(due_ns, relay_connection_due_ns(c));
		if (c->watch)
			due_ns = earlier(due_ns, watch_deadline_ns(c->watch));
	}
	for (const struct relay_ghost *ghost = relay->ghosts; ghost; ghost = ghost->next)
		due_ns = earlier(due_ns, earlier(ghost->until_ns, watch_deadline_ns(ghost->watch)));
	if (due_ns == INT64_MAX) {
		(void)sd_event_source_set_enabled(relay->timer, SD_EVENT_OFF);
		return;
	}
	(void)sd_event_source_set_time(relay->timer, ((uint64_t)due_ns + 999) / 1000);
	(void)sd_event_source_set_enabled(relay->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct relay *relay = context;
	int64_t now_ns = loop_now_ns();

	for (struct relay_connection *c = relay->connections; c; c = c->next) {
		if (c->watch)
			watch_settle(c->watch, now_ns);
		if (!c->closed)
			relay_connection_pump(c);
	}
	settle_ghosts(relay, now_ns);
	relay_tidy(relay);
	return 0;
}

static int on_accept(sd_event_source *source, int listening, uint32_t events, void *context)
{
	struct relay *relay = context;
	struct address client = {.length = sizeof(client.v6)};
	int fd = accept4(listening, &client.any, &client.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct instant at = instant_now();

	at.uncertainty_ns += ACCEPT_UNCERTAINTY_NS;
	if (fd >= 0)
		relay_connection_new(relay, fd, &client, at);
	relay_tidy(relay);
	return 0;
}

/* ---- making one -------------------------------------------------------------------------------------------- */

static int open_listener(struct relay *relay, const char *text, struct error *err)
{
	struct address address;
	int one = 1, r = address_parse(text, &address, err);

	if (r < 0)
		return r;
	relay->fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (relay->fd < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot make a socket: %s", strerror(errno));
	(void)setsockopt(relay->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	stamp_enable(relay->fd);
	if (bind(relay->fd, &address.any, address.length) < 0 || listen(relay->fd, BACKLOG) < 0)
		return error_set(err, ERROR_BENCH, errno, "%s: cannot listen on %s: %s", relay->channel, text, strerror(errno));
	address = address_of_socket(relay->fd);
	(void)address_format(&address, relay->listen_text);
	return 0;
}

static int watch_descriptors(struct relay *relay, struct error *err)
{
	sd_event *event = loop_event(relay->loop);
	int r = sd_event_add_io(event, &relay->io, relay->fd, EPOLLIN, on_accept, relay);

	if (r >= 0)
		r = sd_event_add_time(event, &relay->timer, CLOCK_MONOTONIC, UINT64_MAX, 1, on_timer, relay);
	if (r >= 0)
		r = sd_event_source_set_enabled(relay->timer, SD_EVENT_OFF);
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "%s: cannot watch the link: %s", relay->channel, strerror(-r));
	return 0;
}

static void clear_faults(struct relay *relay)
{
	relay->down = relay->stalled[0] = relay->stalled[1] = false;
	relay->delay_ns = relay->gap_ns = 0;
	relay->piece = 0;
	relay->cut_after[0] = relay->cut_after[1] = UINT64_MAX;
	relay->cut_at = NULL;
}

int relay_new(struct relay **ret, struct loop *loop, struct timeline *timeline, struct capture *capture, const char *channel,
              const char *listen_text, const char *target, const char *source, struct error *err)
{
	struct relay *relay = calloc(1, sizeof(*relay));
	int r;

	if (!relay)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*relay = (struct relay){.loop = loop, .timeline = timeline, .capture = capture, .fd = -1, .channel = strdup(channel)};
	clear_faults(relay);
	r = relay->channel ? address_parse(target, &relay->target, err) : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r == 0 && source)
		r = address_parse(source, &relay->source, err);
	if (r == 0)
		r = open_listener(relay, listen_text, err);
	if (r == 0)
		r = watch_descriptors(relay, err);
	if (r < 0) {
		relay_free(relay);
		return r;
	}
	relay->original_target = relay->target;
	*ret = relay;
	return 0;
}

void relay_free(struct relay *relay)
{
	if (!relay)
		return;
	for (struct relay_connection *c = relay->connections; c; c = c->next) {
		if (!c->closed)
			relay_connection_close(c, true, c->silent || c->held);
	}
	free_closed(relay);
	settle_ghosts(relay, INT64_MAX);
	sd_event_source_disable_unref(relay->io);
	sd_event_source_disable_unref(relay->timer);
	if (relay->fd >= 0)
		(void)close(relay->fd);
	free(relay->channel);
	free(relay);
}

const char *relay_address(const struct relay *relay)
{
	return relay->listen_text;
}

void relay_on_doip(struct relay *relay, watch_doip_describe describe, void *context)
{
	relay->describe = describe;
	relay->describe_context = context;
}

void relay_journal_segments(struct relay *relay, bool journal)
{
	relay->journal_segments = journal;
}

unsigned relay_connections(const struct relay *relay)
{
	unsigned count = 0;

	for (const struct relay_connection *c = relay->connections; c; c = c->next)
		count += !c->closed && !c->silent;
	return count;
}

void relay_secret(struct relay *relay, const char *line)
{
	capture_secret(relay->capture, line);
	for (struct relay_connection *c = relay->connections; c; c = c->next) {
		if (c->watch && !c->silent)
			watch_secret(c->watch, line);
		if (c->cut_now && !c->closed)
			relay_connection_cut(c, json_pack("{s:s}", "at", c->cut_at));
	}
	for (struct relay_ghost *ghost = relay->ghosts; ghost; ghost = ghost->next)
		watch_secret(ghost->watch, line);
	relay_tidy(relay);
}

/* ---- faults ------------------------------------------------------------------------------------------------ */

static void pump_all(struct relay *relay)
{
	for (struct relay_connection *c = relay->connections; c; c = c->next) {
		if (!c->closed)
			relay_connection_pump(c);
	}
	relay_tidy(relay);
}

void relay_cut(struct relay *relay)
{
	bool any = false;

	for (struct relay_connection *c = relay->connections; c; c = c->next) {
		if (c->closed)
			continue;
		any = true;
		relay_connection_cut(c, NULL);
	}
	if (!any)
		emit_fault(relay, "cut", NULL);
	relay_tidy(relay);
}

void relay_down(struct relay *relay)
{
	emit_fault(relay, "down", NULL);
	relay->down = true;
	pump_all(relay);
}

void relay_stall(struct relay *relay, bool from_client)
{
	emit_fault(relay, "stall", json_pack("{s:s}", "from", from_client ? "client" : "server"));
	relay->stalled[from_client ? 0 : 1] = true;
	pump_all(relay);
}

void relay_delay(struct relay *relay, int64_t ns)
{
	emit_fault(relay, "delay", json_pack("{s:I}", "delay_ns", (json_int_t)ns));
	relay->delay_ns = ns > 0 ? ns : 0;
}

void relay_split(struct relay *relay, unsigned bytes, int64_t gap_ns)
{
	emit_fault(relay, "split", json_pack("{s:I, s:I}", "bytes", (json_int_t)bytes, "gap_ns", (json_int_t)gap_ns));
	relay->piece = bytes;
	relay->gap_ns = gap_ns > 0 ? gap_ns : 0;
}

void relay_cut_after(struct relay *relay, bool from_client, uint64_t bytes)
{
	emit_fault(relay, "cut", json_pack("{s:I, s:s}", "after", (json_int_t)bytes, "from", from_client ? "client" : "server"));
	relay->cut_after[from_client ? 0 : 1] = bytes;
}

int relay_cut_at(struct relay *relay, const char *event, struct error *err)
{
	static const char *const events[] = {"client_hello", "server_hello", "client_finished"};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (strcmp(events[i], event) != 0)
			continue;
		emit_fault(relay, "cut", json_pack("{s:s}", "at", events[i]));
		relay->cut_at = events[i];
		return 0;
	}
	return error_set(err, ERROR_TESTCASE, EINVAL, "'%s' is not one of client_hello, server_hello, client_finished", event);
}

void relay_restore(struct relay *relay)
{
	emit_fault(relay, relay->down ? "up" : "restore", NULL);
	clear_faults(relay);
	for (struct relay_connection *c = relay->connections; c; c = c->next) {
		if (!c->closed && (c->held || c->silent))
			relay_connection_close(c, false, true);
	}
	pump_all(relay);
}

void relay_silence(struct relay *relay)
{
	emit_fault(relay, "silence", NULL);
	for (struct relay_connection *c = relay->connections; c; c = c->next)
		c->silent = true;
	pump_all(relay);
}

int relay_retarget(struct relay *relay, const char *target, struct error *err)
{
	struct address address;
	int r;

	if (!target) {
		emit_fault(relay, "replace", json_pack("{s:n}", "target"));
		relay->target = relay->original_target;
		return 0;
	}
	r = address_parse(target, &address, err);
	if (r < 0)
		return r;
	emit_fault(relay, "replace", json_pack("{s:s}", "target", target));
	relay->target = address;
	return 0;
}
