/* SPDX-License-Identifier: Apache-2.0 */
/* ota.activate: activation and reset, and how long it takes until the new software answers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "generic.h"
#include "ota_state.h"
#include "ota_step.h"
#include "ota_transfer.h"
#include "steps.h"

#define POLL_NS    10000000
#define OPEN_NS    1000000000
#define ACTIVATED  0x10
#define DEFAULT_NS 15000000000

static const char *const resets[] = {"system", "application", "power", "line", "none", NULL};

static const struct arg_def activate_args[] = {
        ARG_CONNECTION,
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE | ARG_SCALAR, NULL, NULL, 0, 0, "The board."},
        {"session", VALUE_BOOL, 0, "true", NULL, 0, 0, "Enter the programming session and unlock it first."},
        {"activate", VALUE_BOOL, 0, "true", NULL, 0, 0, "false: only the reset and the wait (after an activation that was made before)."},
        {"reset", VALUE_TEXT, 0, "system", resets, 0, 0,
         "How the board is restarted: 11 01, 11 03 (nothing swaps), power off and on, the reset line, or not at all."},
        {"within", VALUE_DURATION, ARG_POSITIVE, "15s", NULL, 0, 0, "How long it may take until the board answers again."},
        {NULL},
};
static const struct result_def activate_results[] = {
        OTA_RESULTS,
        {"at", VALUE_TEXT, "Stage of the last request: session, security, activate, reset, read; \"done\"."},
        {"version", VALUE_TEXT, "What runs afterwards (F195)."},
        {"before", VALUE_TEXT, "What ran before."},
        {"active", VALUE_TEXT, "Bank that runs afterwards."},
        {"state", VALUE_TEXT, "State of the update afterwards, as in ota.state."},
        {"switch", VALUE_DURATION, "From the activation request to the answer with the version."},
        {"outage", VALUE_DURATION,
         "From the last answer before the reset to the new routing activation, or behind a gateway to the first answer."},
        {"activation", VALUE_DURATION, "From the activation request to its answer."},
        {"boot", VALUE_DURATION, "From the reset to the answer with the version."},
        {NULL},
};

struct activation {
	struct ota_client client;
	const char *reset;
	bool session, activate, direct; /* direct: the connection is to the board itself */
	int64_t within_ns;
	int64_t request_ns, activated_ns, reset_ns, last_ns, back_ns, answer_ns;
	char before[64];
	struct ota_state before_state, state;
};

/* ---- the way back ------------------------------------------------------------------------------------------- */

/* The connection leads to the board itself: its address is one of the board's own. */
static bool is_direct(const struct activation *a)
{
	static const char *const keys[] = {"plain", "tls"};

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		const struct value *address = rig_value(a->client.context->rig, a->client.role, keys[i]);

		if (address && address->type == VALUE_TEXT && strcmp(address->text, a->client.tester->address) == 0)
			return true;
	}
	return false;
}

/* Routing activation; 1: not yet. */
static int route(struct activation *a, struct error *err)
{
	struct tester *t = a->client.tester;
	struct tester_message message;
	struct bytes payload = {0};
	int r = doip_encode_activation(&payload, t->source, 0, NULL, 0);

	if (r < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	r = tester_send(t, DOIP_ACTIVATION_REQUEST, payload.data, payload.length, NULL, err);
	bytes_free(&payload);
	if (r == 0)
		r = tester_receive(a->client.context, t, OPEN_NS, &message, err);
	if (r == -ETIMEDOUT || r == -EPIPE || r == -ENOTCONN)
		return 1;
	if (r < 0)
		return r;
	r = message.decoded.type == DOIP_ACTIVATION_RESPONSE && message.decoded.code == ACTIVATED ? 0 : 1;
	if (r == 0)
		a->back_ns = message.at.ns;
	tester_message_free(&message);
	return r;
}

static int reconnect(struct activation *a, struct error *err)
{
	int r = tester_reopen(a->client.context, a->client.tester, OPEN_NS, err);

	if (r == -ETIMEDOUT || (r == 0 && !a->client.tester->opened))
		return 1;
	return r < 0 ? r : route(a, err);
}

/* What came of an earlier try must not be taken for the answer of the next. */
static void forget_queue(struct tester *t)
{
	for (unsigned i = 0; i < t->queued; i++)
		bytes_free(&t->queue[i].raw);
	t->queued = 0;
}

static int ask_version(struct activation *a, struct error *err)
{
	struct error failure = {0};
	int r;

	forget_queue(a->client.tester);
	r = ota_version_read(&a->client, a->state.version, sizeof a->state.version, &failure);
	if (r == -EBADMSG && failure.domain == ERROR_DUT)
		return 1; /* a late answer between two boots */
	if (r < 0) {
		*err = failure;
		return r;
	}
	if (a->client.outcome != OTA_DONE)
		return 1;
	a->answer_ns = a->client.answered_ns;
	if (!a->direct)
		a->back_ns = a->answer_ns;
	return 0;
}

static bool is_over(const struct activation *a, int64_t deadline_ns)
{
	return loop_now_ns() >= deadline_ns || !rig_board_powered(a->client.board);
}

/* Until the board answers F195 again. The outcome is OTA_LOST when it does not. */
static int come_back(struct activation *a, struct error *err)
{
	int64_t deadline_ns = loop_now_ns() + a->within_ns;
	bool connected = !a->direct;
	int r = 0;

	a->client.stage = OTA_STAGE_READ;
	while (r >= 0) {
		r = connected ? 0 : reconnect(a, err);
		connected = r == 0;
		if (r == 0)
			r = ask_version(a, err);
		if (r <= 0)
			return r;
		if (a->client.tester->ended)
			connected = false;
		if (is_over(a, deadline_ns))
			break;
		r = step_pause(a->client.context, POLL_NS, err);
	}
	if (r < 0)
		return r;
	a->client.outcome = OTA_LOST;
	snprintf(a->client.why, sizeof a->client.why,
	         rig_board_powered(a->client.board) ? "no answer within %.1f s" : "the board's power is gone", (double)a->within_ns / 1e9);
	return 0;
}

/* ---- restart ------------------------------------------------------------------------------------------------ */

static int restart_by_bench(struct activation *a, struct error *err)
{
	int64_t limit_ns = loop_now_ns() + 5000000000;
	int r;

	boards_changed(a->client.context->executor, a->client.board);
	if (strcmp(a->reset, "line") == 0)
		return rig_board_reset(a->client.board, limit_ns, err);
	r = rig_board_power(a->client.board, false, limit_ns, err);
	return r < 0 ? r : rig_board_power(a->client.board, true, limit_ns, err);
}

static int restart(struct activation *a, struct error *err)
{
	const uint8_t request[2] = {0x11, strcmp(a->reset, "application") == 0 ? 0x03 : 0x01};
	int r;

	ota_client_enter(&a->client, OTA_STAGE_RESET);
	a->reset_ns = a->last_ns = loop_now_ns();
	a->client.outcome = OTA_DONE;
	if (strcmp(a->reset, "power") == 0 || strcmp(a->reset, "line") == 0)
		return restart_by_bench(a, err);
	r = ota_client_request(&a->client, request, sizeof request, err);
	a->last_ns = a->client.answered_ns;
	return r;
}

/* ---- the step ----------------------------------------------------------------------------------------------- */

static int activate(struct activation *a, struct error *err)
{
	int r = a->session ? ota_stage_enter(&a->client, err) : 0;

	if (r < 0 || a->client.outcome != OTA_DONE)
		return r;
	a->client.stage = OTA_STAGE_READ;
	if ((r = ota_version_read(&a->client, a->before, sizeof a->before, err)) < 0 || a->client.outcome != OTA_DONE ||
	    (r = ota_state_read(&a->client, &a->before_state, err)) < 0 || a->client.outcome != OTA_DONE || !a->activate)
		return r;
	ota_client_enter(&a->client, OTA_STAGE_ACTIVATE);
	r = ota_client_routine(&a->client, 0xf011, NULL, 0, err);
	a->request_ns = a->client.sent_ns;
	a->activated_ns = a->client.answered_ns;
	return r;
}

static void tell_switch(const struct activation *a)
{
	struct instant at = instant_now();

	at.ns = a->answer_ns;
	ota_client_emit(&a->client, at, "ota.switch",
	                json_pack("{s:I,s:s,s:s,s:s,s:I,s:I}", "ns", (json_int_t)(a->answer_ns - a->request_ns), "version",
	                          a->state.version, "before", a->before, "active", ota_bank_name(a->state.active), "outage_ns",
	                          (json_int_t)(a->back_ns - a->last_ns), "boot_ns", (json_int_t)(a->answer_ns - a->reset_ns)));
}

static int sequence(struct activation *a, struct error *err)
{
	int r = activate(a, err);

	if (r < 0 || a->client.outcome != OTA_DONE || strcmp(a->reset, "none") == 0)
		return r;
	if (!a->activate)
		a->request_ns = loop_now_ns();
	r = restart(a, err);
	if (r < 0 || a->client.outcome != OTA_DONE)
		return r;
	r = come_back(a, err);
	if (r < 0 || a->client.outcome != OTA_DONE)
		return r;
	a->client.stage = OTA_STAGE_READ;
	r = ota_state_read(&a->client, &a->state, err);
	if (r == 0 && a->client.outcome == OTA_DONE)
		tell_switch(a);
	return r;
}

static int durations_set(struct step_context *context, const struct activation *a)
{
	if (a->activated_ns > 0 && step_result_duration(context, "activation", a->activated_ns - a->request_ns) < 0)
		return -ENOMEM;
	if (a->answer_ns == 0)
		return 0;
	if (step_result_duration(context, "switch", a->answer_ns - a->request_ns) < 0 ||
	    step_result_duration(context, "outage", a->back_ns - a->last_ns) < 0)
		return -ENOMEM;
	return step_result_duration(context, "boot", a->answer_ns - a->reset_ns);
}

static int results_set(struct step_context *context, const struct activation *a)
{
	if (ota_results_set(context, &a->client) < 0 ||
	    step_result_text(context, "at", a->client.outcome == OTA_DONE ? "done" : ota_stage_name(a->client.stage)) < 0 ||
	    step_result_text(context, "before", a->before) < 0 || durations_set(context, a) < 0)
		return -ENOMEM;
	if (a->client.outcome != OTA_DONE || a->answer_ns == 0)
		return 0;
	if (step_result_text(context, "version", a->state.version) < 0 ||
	    step_result_text(context, "active", ota_bank_name(a->state.active)) < 0)
		return -ENOMEM;
	return step_result_text(context, "state", ota_state_name(a->state.state));
}

/* A swap is what the step is for: a board that runs the same bank as before has not made it. */
static int judge(struct activation *a, const struct step_call *call, struct error *err)
{
	int r = ota_judge(&a->client, call, err);

	if (r < 0 || a->client.outcome != OTA_DONE || a->answer_ns == 0 || !a->activate || ota_call_expects(call, "active") ||
	    ota_call_expects(call, "version") || a->state.active != a->before_state.active)
		return r;
	return step_check_failed(a->client.context, err, "the other bank", ota_bank_name(a->state.active),
	                         "%s: after activation and reset the same bank runs as before", a->client.role);
}

static int activation_of_call(struct step_context *context, const struct step_call *call, struct activation *a, struct error *err)
{
	int r;

	if ((r = ota_client_begin(&a->client, context, call, err)) < 0 || (r = step_arg_text(context, call, "reset", &a->reset, err)) < 0 ||
	    (r = step_arg_bool(context, call, "session", true, &a->session, err)) < 0 ||
	    (r = step_arg_bool(context, call, "activate", true, &a->activate, err)) < 0)
		return r;
	a->direct = is_direct(a);
	return step_arg_integer(context, call, "within", DEFAULT_NS, &a->within_ns, err);
}

static int ota_activate_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct activation a = {0};
	int r = activation_of_call(context, call, &a, err);

	if (r == 0)
		r = sequence(&a, err);
	if (r == 0)
		r = judge(&a, call, err);
	if (r == 0 && results_set(context, &a) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	ota_client_end(&a.client);
	return r;
}

const struct step_def step_ota_activate = {
        .name = "ota.activate",
        .doc = "Activates what was checked, resets the board and waits until it answers its version again; the connection is opened and "
               "activated "
               "anew where it leads to the board itself. Without an `expect` of `active` or `version` the other bank must run afterwards; "
               "without one of "
               "`nrc`, `outcome` or `at` everything must be done.",
        .example = "- ota.activate: {role: zgw, expect: {version: 1.1.0, state: trial, switch: {at_most: 2s}}}",
        .flags = STEP_ACTION,
        .args = activate_args,
        .results = activate_results,
        .capabilities = ota_capability,
        .run = ota_activate_run,
};
