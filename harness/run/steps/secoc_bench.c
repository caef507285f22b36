/* SPDX-License-Identifier: Apache-2.0 */
#include "secoc_bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isotp_session.h"
#include "journal_hex.h"

#define BENCH_KIND    "secoc"
#define RECORD_LENGTH 43u

const char *const secoc_expectations[] = {"accepted", "refused", "rejected", "verification", "freshness", "ignored", "any", NULL};

/* ---- the bench of a case ----------------------------------------------------------------------------------- */

static void bench_free(void *object)
{
	struct secoc_bench *bench = object;

	for (unsigned i = 0; i < bench->count; i++)
		secoc_key_free(bench->pdus[i].key);
	free(bench);
}

int secoc_bench_of_call(struct step_context *context, const struct step_call *call, struct secoc_bench **ret, struct error *err)
{
	struct bus_watch *watch;
	int r = bus_watch_of_call(context, call, &watch, err);

	if (r < 0)
		return r;
	*ret = step_object_find(context, BENCH_KIND, watch->channel);
	if (*ret)
		return 0;
	*ret = calloc(1, sizeof(**ret));
	if (!*ret || step_object_add(context, BENCH_KIND, watch->channel, *ret, bench_free) < 0) {
		free(*ret);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	(*ret)->watch = watch;
	return 0;
}

int secoc_pdu_of_call(struct step_context *context, const struct step_call *call, struct secoc_bench **ret_bench,
                      struct secoc_pdu_state **ret, struct error *err)
{
	int64_t id;
	int r;

	if ((r = secoc_bench_of_call(context, call, ret_bench, err)) < 0 || (r = step_arg_integer(context, call, "id", 0, &id, err)) < 0)
		return r;
	for (unsigned i = 0; i < (*ret_bench)->count; i++)
		if ((*ret_bench)->pdus[i].id == (uint32_t)id) {
			*ret = &(*ret_bench)->pdus[i];
			return 0;
		}
	return error_set_place(err, ERROR_TESTCASE, ENOENT, call->place, "no secoc.pdu step has said what 0x%03llx looks like",
	                       (long long)id);
}

int secoc_key_of_call(struct step_context *context, const struct step_call *call, struct secoc_key **ret, struct error *err)
{
	static const uint8_t test_key[16] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
	                                     0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
	const struct value *own = rig_value(context->rig, "ecu", "secoc_key");
	const struct bytes *argument;
	struct bytes bytes = {0};
	int r = step_arg_bytes(context, call, "key", &argument, err);

	if (r < 0)
		return r;
	if (argument)
		r = bytes_append(&bytes, argument->data, argument->length);
	else if (own && own->type == VALUE_TEXT)
		r = bytes_parse_hex(own->text, &bytes);
	else
		r = bytes_append(&bytes, test_key, sizeof(test_key));
	if (r == 0 && bytes.length == 16)
		r = secoc_key_new(ret, bytes.data);
	else if (r != -ENOMEM)
		r = -EINVAL;
	bytes_free(&bytes);
	if (r == -EINVAL)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, call->place, "a SecOC key has 16 bytes");
	return r < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
}

/* ---- DID FD40 ---------------------------------------------------------------------------------------------- */

static uint64_t be64_read(const uint8_t *at)
{
	return (uint64_t)be32_read(at) << 32 | be32_read(at + 4);
}

int secoc_record_read(struct step_context *context, struct secoc_bench *bench, uint16_t id, struct secoc_record *ret, struct error *err)
{
	static const uint8_t request[] = {0x22, 0xfd, 0x40};
	struct bytes answer = {0};
	int r = isotp_uds(context, bench->watch, request, sizeof(request), &answer, err);

	if (r < 0) {
		error_prefix(err, "reading the SecOC records");
		return r;
	}
	r = -ENOENT;
	for (size_t at = 3; r < 0 && at + RECORD_LENGTH <= answer.length; at += RECORD_LENGTH) {
		const uint8_t *record = answer.data + at;

		if (be16_read(record) != id)
			continue;
		*ret = (struct secoc_record){record[2], be32_read(record + 3), be32_read(record + 7), be64_read(record + 35)};
		r = 0;
	}
	bytes_free(&answer);
	if (r < 0)
		return step_check_failed(context, err, "a record", "none", "DID FD40 has no record of the PDU 0x%04x", id);
	return 0;
}

int secoc_pdu_learn(struct step_context *context, struct secoc_bench *bench, struct secoc_pdu_state *pdu, struct error *err)
{
	struct secoc_record record;
	int r;

	if (pdu->knows_last)
		return 0;
	r = secoc_record_read(context, bench, (uint16_t)pdu->id, &record, err);
	if (r < 0)
		return r;
	pdu->last = record.freshness;
	pdu->knows_last = true;
	return 0;
}

/* ---- verdicts ---------------------------------------------------------------------------------------------- */

void secoc_frame(const struct secoc_pdu_state *pdu, const struct bytes *bytes, struct can_message *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->id = pdu->id;
	ret->flags = (uint8_t)((pdu->fd ? CAN_MESSAGE_FD | CAN_MESSAGE_BRS : 0) | (pdu->id > 0x7ff ? CAN_MESSAGE_EXTENDED : 0));
	bus_message_set_data(ret, bytes->data, bytes->length, 0);
}

const char *secoc_verdict_name(int result)
{
	static const char *const names[] = {"accepted", "verification", "freshness", "build", "not-verified", "overwritten"};

	if (result == SECOC_RESULT_NONE)
		return "none";
	return result >= 0 && result < (int)(sizeof(names) / sizeof(*names)) ? names[result] : "unknown";
}

bool secoc_verdict_read(const struct can_message *message, uint32_t id, struct secoc_verdict *ret)
{
	if (message->id != SECOC_VERDICT_ID || message->flags & (CAN_MESSAGE_EXTENDED | CAN_MESSAGE_REMOTE) || message->length != 8 ||
	    be16_read(message->data) != id)
		return false;
	ret->result = message->data[2];
	ret->freshness = (uint64_t)message->data[3] << 32 | be32_read(message->data + 4);
	ret->at = message->at;
	if (message->begin_ns)
		ret->at.ns = message->begin_ns;
	return true;
}

struct verdict_search {
	struct secoc_bench *bench;
	uint32_t id;
	uint64_t number;
	struct secoc_verdict verdict;
	bool found;
};

static bool verdict_step(void *context)
{
	struct verdict_search *search = context;
	struct bus_watch *watch = search->bench->watch;

	while (!search->found && search->number < watch->next) {
		const struct bus_frame *frame = bus_watch_frame(watch, search->number++);

		search->found = !frame->transmitted && secoc_verdict_read(&frame->message, search->id, &search->verdict);
	}
	return search->found;
}

int secoc_verdict_wait(struct step_context *context, struct secoc_bench *bench, uint32_t id, uint64_t from, int64_t within_ns,
                       struct secoc_verdict *ret, struct error *err)
{
	struct verdict_search search = {.bench = bench, .id = id, .number = from};
	struct bus_listening listening = {bench->watch, loop_now_ns()};
	int r = step_wait(context, verdict_step, &search, within_ns, err);

	if (r < 0 && (r = bus_listened(&listening, r, err)) != -ETIMEDOUT)
		return r;
	*ret = (struct secoc_verdict){.result = SECOC_RESULT_NONE};
	if (r < 0)
		return 0;
	*ret = search.verdict;
	secoc_note(bench, "secoc.rx", ret->at, id, ret->freshness, NULL, secoc_verdict_name(ret->result), NULL);
	return 0;
}

static bool verdict_fits(const char *expectation, int result)
{
	bool rejected = result == 1 || result == 2 || result == 3;

	if (strcmp(expectation, "any") == 0)
		return true;
	if (strcmp(expectation, "refused") == 0)
		return rejected || result == SECOC_RESULT_NONE;
	if (strcmp(expectation, "rejected") == 0)
		return rejected;
	if (strcmp(expectation, "ignored") == 0)
		return result == SECOC_RESULT_NONE;
	return strcmp(expectation, secoc_verdict_name(result)) == 0;
}

int secoc_verdict_judge(struct step_context *context, const char *expectation, const struct secoc_verdict *verdict, const char *what,
                        struct error *err)
{
	if (verdict_fits(expectation, verdict->result))
		return 0;
	return step_check_failed(context, err, expectation, secoc_verdict_name(verdict->result), "%s: expected %s, the verdict is %s", what,
	                         expectation, secoc_verdict_name(verdict->result));
}

int secoc_verdict_results(struct step_context *context, const struct secoc_verdict *verdict, int64_t frame_end_ns, const struct bytes *pdu)
{
	bool none = verdict->result == SECOC_RESULT_NONE;

	if (step_result_text(context, "verdict", secoc_verdict_name(verdict->result)) < 0 ||
	    step_result_integer(context, "result", verdict->result) < 0 ||
	    step_result_integer(context, "receiver_freshness", (int64_t)verdict->freshness) < 0 ||
	    step_result_duration(context, "accept_time", none ? 0 : verdict->at.ns - frame_end_ns) < 0)
		return -ENOMEM;
	return step_result_bytes(context, "pdu", pdu ? pdu->data : NULL, pdu ? pdu->length : 0);
}

void secoc_note(struct secoc_bench *bench, const char *kind, struct instant at, uint32_t id, uint64_t freshness, const char *mutation,
                const char *verdict, const struct bytes *pdu)
{
	json_t *data = json_pack("{s:I,s:I}", "id", (json_int_t)id, "freshness", (json_int_t)freshness);

	if (data && mutation)
		json_object_set_new(data, "mutation", json_string(mutation));
	if (data && verdict)
		json_object_set_new(data, "verdict", json_string(verdict));
	if (pdu)
		journal_put_hex(data, pdu->data, pdu->length);
	timeline_emit(bench->watch->timeline, at, bench->watch->channel, kind, data);
}
