/* SPDX-License-Identifier: Apache-2.0 */
/* DoIP over UDP: vehicle identification, entity status, power mode, announcements. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../link/datagram.h"
#include "journal_hex.h"
#include "steps.h"
#include "tester.h"

#define COLLECT_LIMIT 256

/* Datagrams that came from one place, in order. */
struct collector {
	struct step_context *context;
	struct datagram_socket *socket;
	struct tester_message messages[COLLECT_LIMIT];
	char senders[COLLECT_LIMIT][64];
	unsigned count;
	char channel[64];
	char only_from[64]; /* address without port; "" = everybody */
	unsigned wanted;
};

static void address_only(const char *endpoint, char *buffer, size_t size)
{
	const char *colon = strrchr(endpoint, ':');

	snprintf(buffer, size, "%.*s", (int)(colon ? colon - endpoint : (ptrdiff_t)strlen(endpoint)), endpoint);
}

static void note_datagram(struct collector *collector, const char *kind, struct instant at, const char *peer,
                          const struct doip_message *message, const void *raw, size_t length)
{
	json_t *data = message ? doip_to_json(message) : json_pack("{s:I}", "length", (json_int_t)length);

	json_object_set_new(data, "transport", json_string("udp"));
	json_object_set_new(data, "peer", json_string(peer));
	journal_put_hex(data, raw, length);
	timeline_emit(collector->context->timeline, at, collector->channel, kind, data);
}

static void on_datagram(struct datagram_socket *socket, const uint8_t *data, size_t length, const char *from, struct instant at,
                        void *context)
{
	struct collector *collector = context;
	struct tester_message *entry;
	char sender[64];

	address_only(from, sender, sizeof sender);
	/* Other racks of this machine share the broadcast domain. */
	if (collector->only_from[0] && strcmp(sender, collector->only_from) != 0)
		return;
	if (collector->count == COLLECT_LIMIT)
		return;
	entry = &collector->messages[collector->count];
	memset(entry, 0, sizeof *entry);
	entry->at = at;
	if (bytes_append(&entry->raw, data, length) < 0)
		return;
	snprintf(collector->senders[collector->count], sizeof collector->senders[0], "%s", from);
	if (doip_decode(entry->raw.data, entry->raw.length, UINT32_MAX, &entry->decoded) <= 0) {
		note_datagram(collector, "doip.rx", at, from, NULL, data, length);
		bytes_free(&entry->raw);
		return;
	}
	note_datagram(collector, "doip.rx", at, from, &entry->decoded, data, length);
	collector->count++;
}

static void collector_free(void *object)
{
	struct collector *collector = object;

	if (!collector)
		return;
	datagram_free(collector->socket);
	for (unsigned i = 0; i < collector->count; i++)
		bytes_free(&collector->messages[i].raw);
	free(collector);
}

static bool collected_enough(void *context)
{
	const struct collector *collector = context;

	return collector->count >= collector->wanted;
}

static int collector_open(struct step_context *context, const char *name, const char *local, bool broadcast, struct collector **ret,
                          struct error *err)
{
	struct collector *collector = calloc(1, sizeof *collector);
	struct stream_environment environment;
	int r;

	if (!collector)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	collector->context = context;
	snprintf(collector->channel, sizeof collector->channel, "tester:%s", name);
	environment = (struct stream_environment){context->loop, context->timeline, rig_capture(context->rig), collector->channel};
	r = datagram_open(&collector->socket, &environment, local, broadcast, on_datagram, collector, err);
	if (r < 0) {
		collector_free(collector);
		return r;
	}
	*ret = collector;
	return 0;
}

static int role_text(struct step_context *context, const struct step_call *call, const char *role, const char *key, const char **ret,
                     struct error *err)
{
	const struct value *value = rig_value(context->rig, role, key);

	if (!value || value->type != VALUE_TEXT)
		return error_set_place(err, ERROR_TESTCASE, ENOENT, call->place, "the rig gives role \"%s\" no \"%s\"", role, key);
	*ret = value->text;
	return 0;
}

/* ---- doip.udp ---------------------------------------------------------------------------------------------- */

static const struct arg_def udp_args[] = {
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE, NULL, NULL, 0, 0, "The entity that is asked; only its answers count."},
        {"type", VALUE_TEXT, ARG_REQUIRED, NULL, NULL, 0, 0, "Payload type, by name or number."},
        {"payload", VALUE_BYTES, 0, NULL, NULL, 0, 0, "Payload bytes (default: none)."},
        {"version", VALUE_INTEGER, 0, "3", NULL, 0, 255, "Protocol version of the header."},
        {"inverse", VALUE_INTEGER, 0, NULL, NULL, 0, 255, "Inverse protocol version (default: the right one)."},
        {"length", VALUE_INTEGER, 0, NULL, NULL, 0, 4294967295, "Payload length that the header claims (default: the true one)."},
        {"times", VALUE_INTEGER, ARG_POSITIVE, "1", NULL, 1, 100, "Send so many datagrams."},
        {"messages", VALUE_INTEGER, ARG_POSITIVE, "1", NULL, 1, 16, "Put so many copies of the message into one datagram."},
        {"cut", VALUE_INTEGER, 0, NULL, NULL, 0, 65535, "Send only so many bytes."},
        {"to", VALUE_TEXT, 0, "unicast", (const char *const[]){"unicast", "broadcast", NULL}, 0, 0,
         "To the entity's address, or to the broadcast address."},
        {"from_port", VALUE_INTEGER, 0, NULL, NULL, 1, 65535, "Source port (default: any free one)."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "2s", NULL, 0, 0, "How long to wait for the answer (A_DoIP_Ctrl)."},
        {"answers", VALUE_INTEGER, 0, "1", NULL, 0, 200,
         "Answers that must come; 0: there must be none in the whole time; more than one: waits for all."},
        {NULL},
};
static const struct result_def udp_results[] = {
        DOIP_RESULTS,
        {"vin", VALUE_TEXT, "Vehicle identification number."},
        {"eid", VALUE_BYTES, "Entity identification."},
        {"gid", VALUE_BYTES, "Group identification."},
        {"address", VALUE_INTEGER, "Logical address of the entity."},
        {"further_action", VALUE_INTEGER, "Further action byte."},
        {"sync_status", VALUE_INTEGER, "VIN/GID sync status; -1 when it is not there."},
        {"node_type", VALUE_INTEGER, "0 gateway, 1 node."},
        {"max_sockets", VALUE_INTEGER, "MCTS."},
        {"open_sockets", VALUE_INTEGER, "NCTS."},
        {"max_data", VALUE_INTEGER, "Maximum data size; -1 when it is not there."},
        {"port", VALUE_INTEGER, "Port that the answer came from."},
        {NULL},
};

static int identity_results(struct step_context *context, const struct doip_message *m)
{
	if (step_result_text(context, "vin", m->identity.vin) < 0 || step_result_bytes(context, "eid", m->identity.eid, 6) < 0 ||
	    step_result_bytes(context, "gid", m->identity.gid, 6) < 0 || step_result_integer(context, "address", m->identity.address) < 0 ||
	    step_result_integer(context, "further_action", m->identity.further_action) < 0)
		return -ENOMEM;
	return step_result_integer(context, "sync_status", m->identity.has_sync ? m->identity.sync_status : -1);
}

static int status_results(struct step_context *context, const struct doip_message *m)
{
	if (step_result_integer(context, "node_type", m->status.node_type) < 0 ||
	    step_result_integer(context, "max_sockets", m->status.max_sockets) < 0 ||
	    step_result_integer(context, "open_sockets", m->status.open_sockets) < 0)
		return -ENOMEM;
	return step_result_integer(context, "max_data", m->status.has_max_data ? (int64_t)m->status.max_data : -1);
}

static int udp_results_set(struct step_context *context, const struct collector *collector, struct instant sent)
{
	const struct tester_message *message = &collector->messages[0];
	const char *colon = strrchr(collector->senders[0], ':');

	if (doip_results_set(context, message, sent) < 0 || identity_results(context, &message->decoded) < 0 ||
	    status_results(context, &message->decoded) < 0)
		return -ENOMEM;
	return step_result_integer(context, "port", colon ? strtol(colon + 1, NULL, 10) : 0);
}

static int build_datagram(struct step_context *context, const struct step_call *call, struct bytes *datagram, struct error *err)
{
	struct doip_header_options header;
	const struct bytes *payload;
	int64_t messages, cut, version;
	uint16_t type;
	int r;

	if ((r = doip_type_of_call(context, call, &type, err)) < 0 || (r = header_options_of_call(context, call, &header, err)) < 0 ||
	    (r = step_arg_bytes(context, call, "payload", &payload, err)) < 0 ||
	    (r = step_arg_integer(context, call, "messages", 1, &messages, err)) < 0 ||
	    (r = step_arg_integer(context, call, "cut", INT64_MAX, &cut, err)) < 0 ||
	    (r = step_arg_integer(context, call, "version", 3, &version, err)) < 0)
		return r;
	header.has_version = true;
	header.version = (uint8_t)version;
	for (int64_t i = 0; i < messages; i++)
		if (doip_encode(datagram, type, payload ? payload->data : NULL, payload ? payload->length : 0, &header) < 0)
			return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if ((uint64_t)cut < datagram->length)
		datagram->length = (size_t)cut;
	return 0;
}

static int udp_target(struct step_context *context, const struct step_call *call, const char *role, char *to, size_t size, char *only_from,
                      size_t only_size, struct error *err)
{
	const char *udp = NULL, *where, *broadcast = NULL;
	int r;

	if ((r = role_text(context, call, role, "udp", &udp, err)) < 0 || (r = step_arg_text(context, call, "to", &where, err)) < 0)
		return r;
	address_only(udp, only_from, only_size);
	if (strcmp(where, "broadcast") != 0) {
		snprintf(to, size, "%s", udp);
		return 0;
	}
	r = role_text(context, call, "tester", "broadcast", &broadcast, err);
	if (r == 0)
		snprintf(to, size, "%s", broadcast);
	return r;
}

/* Judges the number of answers. */
static int check_answers(struct step_context *context, const struct collector *collector, int64_t answers, int64_t within,
                         struct error *err)
{
	char expected[48], actual[64], word[8];

	if (collector->count == answers)
		return 0;
	snprintf(expected, sizeof expected, "%lld answers", (long long)answers);
	if (collector->count == 0)
		snprintf(actual, sizeof actual, "none within %lld ms", (long long)(within / 1000000));
	else
		snprintf(actual, sizeof actual, "%u (first: %s)", collector->count,
		         doip_type_word(collector->messages[0].decoded.type, word));
	return step_check_failed(context, err,
	                         answers == 0   ? "silence"
	                         : answers == 1 ? "an answer"
	                                        : expected,
	                         actual, "wrong number of answers over UDP");
}

static int udp_exchange(struct step_context *context, const struct step_call *call, struct collector *collector, const char *to,
                        const struct bytes *datagram, struct error *err)
{
	struct doip_message decoded;
	struct instant sent;
	int64_t times, within, answers;
	int r;

	if ((r = step_arg_integer(context, call, "times", 1, &times, err)) < 0 ||
	    (r = step_arg_integer(context, call, "within", 2000000000, &within, err)) < 0 ||
	    (r = step_arg_integer(context, call, "answers", 1, &answers, err)) < 0)
		return r;
	sent = instant_now();
	bool whole = doip_decode(datagram->data, datagram->length, UINT32_MAX, &decoded) > 0;
	for (int64_t i = 0; i < times; i++) {
		note_datagram(collector, "doip.tx", instant_now(), to, whole ? &decoded : NULL, datagram->data, datagram->length);
		r = datagram_send(collector->socket, to, datagram->data, datagram->length, err);
		if (r < 0)
			return r;
	}
	collector->wanted = answers > 0 ? (unsigned)answers : UINT32_MAX;
	r = step_wait(context, collected_enough, collector, within, err);
	if (r < 0 && r != -ETIMEDOUT)
		return r;
	r = check_answers(context, collector, answers, within, err);
	if (r < 0 || answers == 0)
		return r;
	return udp_results_set(context, collector, sent) < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
}

static int doip_udp_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	char to[96], only_from[64], local[96];
	const char *role, *address = NULL;
	struct collector *collector;
	struct bytes datagram = {0};
	int64_t port;
	int r;

	if ((r = step_arg_text(context, call, "role", &role, err)) < 0 ||
	    (r = step_arg_integer(context, call, "from_port", 0, &port, err)) < 0 ||
	    (r = role_text(context, call, "tester", "address", &address, err)) < 0 ||
	    (r = udp_target(context, call, role, to, sizeof to, only_from, sizeof only_from, err)) < 0)
		return r;
	snprintf(local, sizeof local, "%s:%lld", address, (long long)port);
	r = collector_open(context, "udp", local, true, &collector, err);
	if (r < 0)
		return r;
	snprintf(collector->only_from, sizeof collector->only_from, "%s", only_from);
	r = build_datagram(context, call, &datagram, err);
	if (r == 0)
		r = udp_exchange(context, call, collector, to, &datagram, err);
	bytes_free(&datagram);
	collector_free(collector);
	return r;
}

const struct step_def step_doip_udp = {
        .name = "doip.udp",
        .doc = "Sends DoIP over UDP from a socket of its own and waits for the entity's answers.",
        .example = "- doip.udp: {role: zgw, type: identification_request, expect: {type: announcement, address: 0x0091}}",
        .flags = STEP_ACTION,
        .args = udp_args,
        .results = udp_results,
        .run = doip_udp_run,
};

/* ---- announcements ----------------------------------------------------------------------------------------- */

#define LISTEN_KIND "listener"

static const struct arg_def listen_args[] = {
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE | ARG_SCALAR, NULL, NULL, 0, 0,
         "The entity whose announcements are collected from now on."},
        {NULL},
};

static int doip_listen_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	const char *role, *broadcast = NULL, *udp = NULL;
	struct collector *collector;
	int r;

	if ((r = step_arg_text(context, call, "role", &role, err)) < 0 ||
	    (r = role_text(context, call, "tester", "broadcast", &broadcast, err)) < 0 ||
	    (r = role_text(context, call, role, "udp", &udp, err)) < 0)
		return r;
	if (step_object_find(context, LISTEN_KIND, role))
		step_object_remove(context, LISTEN_KIND, role);
	r = collector_open(context, "announcements", broadcast, true, &collector, err);
	if (r < 0)
		return r;
	address_only(udp, collector->only_from, sizeof collector->only_from);
	if (step_object_add(context, LISTEN_KIND, role, collector, collector_free) < 0) {
		collector_free(collector);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	return 0;
}

const struct step_def step_doip_listen = {
        .name = "doip.listen",
        .doc = "Begins to collect a role's vehicle announcements on the broadcast address; doip.announcements judges them.",
        .example = "- doip.listen: zgw",
        .args = listen_args,
        .run = doip_listen_run,
};

static const struct arg_def announcements_args[] = {
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE | ARG_SCALAR, NULL, NULL, 0, 0, "The entity."},
        {"count", VALUE_INTEGER, 0, "3", NULL, 0, 200, "Announcements to wait for (A_DoIP_Announce_Num)."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "3s", NULL, 0, 0, "How long to wait for them."},
        {"then_silent", VALUE_DURATION, 0, "0ms", NULL, 0, 0, "Afterwards no further one may come for so long."},
        {NULL},
};
static const struct result_def announcements_results[] = {
        {"count", VALUE_INTEGER, "Announcements seen."},
        {"first_after", VALUE_DURATION, "From the marker of the `server` stage to the first announcement."},
        {"interval_min", VALUE_DURATION, "Smallest distance of two."},
        {"interval_max", VALUE_DURATION, "Largest distance of two."},
        {"vin", VALUE_TEXT, "VIN of the last one."},
        {"address", VALUE_INTEGER, "Logical address in the last one."},
        {"type", VALUE_TEXT, "Payload type of the last one."},
        {"length", VALUE_INTEGER, "Payload length of the last one."},
        {NULL},
};

struct stage_query {
	char channel[64];
};

static bool is_server_stage(const struct event *event, void *context)
{
	const struct stage_query *query = context;
	const char *stage = json_string_value(json_object_get(event->data, "stage"));

	return strcmp(event->kind, "boot.stage") == 0 && strcmp(event->channel, query->channel) == 0 && stage &&
	       strcmp(stage, "server") == 0;
}

static int announcement_results(struct step_context *context, const struct collector *collector, const char *role)
{
	struct stage_query query;
	const struct event *event;
	const struct doip_message *last = &collector->messages[collector->count - 1].decoded;
	int64_t smallest = INT64_MAX, largest = 0, first_after;
	char word[8];

	snprintf(query.channel, sizeof query.channel, "board:%s", role);
	event = timeline_find(context->timeline, context->action_mark, is_server_stage, &query);
	first_after = event ? collector->messages[0].at.ns - event->at.ns : 0;
	for (unsigned i = 1; i < collector->count; i++) {
		int64_t gap = collector->messages[i].at.ns - collector->messages[i - 1].at.ns;

		smallest = gap < smallest ? gap : smallest;
		largest = gap > largest ? gap : largest;
	}
	if (step_result_integer(context, "count", collector->count) < 0 || step_result_duration(context, "first_after", first_after) < 0 ||
	    step_result_duration(context, "interval_min", collector->count > 1 ? smallest : 0) < 0 ||
	    step_result_duration(context, "interval_max", largest) < 0 || step_result_text(context, "vin", last->identity.vin) < 0 ||
	    step_result_integer(context, "address", last->identity.address) < 0 || step_result_integer(context, "length", last->length) < 0)
		return -ENOMEM;
	return step_result_text(context, "type", doip_type_word(last->type, word));
}

static int wait_announcements(struct step_context *context, const struct step_call *call, struct collector *collector, struct error *err)
{
	int64_t count, within, silent;
	char expected[48], actual[48];
	int r;

	if ((r = step_arg_integer(context, call, "count", 3, &count, err)) < 0 ||
	    (r = step_arg_integer(context, call, "within", 3000000000, &within, err)) < 0 ||
	    (r = step_arg_integer(context, call, "then_silent", 0, &silent, err)) < 0)
		return r;
	collector->wanted = (unsigned)count;
	r = step_wait(context, collected_enough, collector, within, err);
	if (r < 0 && r != -ETIMEDOUT)
		return r;
	collector->wanted = UINT32_MAX;
	r = r == 0 && silent > 0 ? step_wait(context, collected_enough, collector, silent, err) : 0;
	if (r < 0 && r != -ETIMEDOUT)
		return r;
	if (collector->count == count)
		return 0;
	snprintf(expected, sizeof expected, "%lld announcements", (long long)count);
	snprintf(actual, sizeof actual, "%u", collector->count);
	return step_check_failed(context, err, expected, actual, "wrong number of vehicle announcements");
}

static int doip_announcements_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct collector *collector;
	const char *role;
	int r = step_arg_text(context, call, "role", &role, err);

	if (r < 0)
		return r;
	collector = step_object_find(context, LISTEN_KIND, role);
	if (!collector)
		return error_set_place(err, ERROR_TESTCASE, ENOENT, call->place,
		                       "nobody listens to \"%s\": put doip.listen before the board starts", role);
	r = wait_announcements(context, call, collector, err);
	if (r < 0 || collector->count == 0)
		return r;
	return announcement_results(context, collector, role) < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
}

const struct step_def step_doip_announcements = {
        .name = "doip.announcements",
        .doc = "Waits for the announcements that came since doip.listen and judges their number.",
        .example = "- doip.announcements: {role: zgw, count: 3, then_silent: 1s, expect: {first_after: {at_most: 520ms}}}",
        .args = announcements_args,
        .results = announcements_results,
        .run = doip_announcements_run,
};
