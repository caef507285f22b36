/* SPDX-License-Identifier: Apache-2.0 */
#include "ota_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ota_step.h"
#include "steps.h"

#define STATE_BYTES  20
#define RESUME_BYTES 36

const char *ota_state_name(uint8_t state)
{
	static const char *const names[] = {"idle",      "offered", "writing",     "written", "verified",
	                                    "activated", "trial",   "rolled-back", "recovery"};

	return state < sizeof names / sizeof names[0] ? names[state] : "?";
}

const char *ota_bank_name(uint8_t bank)
{
	return bank == 0 ? "A" : bank == 1 ? "B" : "none";
}

int ota_state_read(struct ota_client *client, struct ota_state *ret, struct error *err)
{
	const uint8_t *value;
	int r = ota_client_read(client, 0xfd50, STATE_BYTES, err);

	if (r < 0 || client->outcome != OTA_DONE)
		return r;
	value = client->response.data + 3;
	ret->state = value[0];
	ret->active = value[1];
	ret->candidate = value[2];
	ret->trial_boots = value[3];
	ret->trial_allowed = value[4];
	ret->last_result = value[5];
	ret->counter = be32_read(value + 8);
	ret->bookmark = be32_read(value + 12);
	ret->boots = be32_read(value + 16);
	return 0;
}

int ota_version_read(struct ota_client *client, char *ret, size_t size, struct error *err)
{
	int r = ota_client_read(client, 0xf195, 1, err);
	size_t length;

	if (r < 0 || client->outcome != OTA_DONE)
		return r;
	length = client->response.length - 3;
	if (length >= size)
		length = size - 1;
	for (size_t i = 0; i < length; i++) {
		char c = (char)client->response.data[3 + i];

		ret[i] = c >= ' ' && c <= '~' ? c : '?';
	}
	while (length > 0 && ret[length - 1] == ' ')
		length--;
	ret[length] = '\0';
	return 0;
}

int ota_state_read_all(struct ota_client *client, struct ota_state *ret, struct error *err)
{
	int r = ota_state_read(client, ret, err);

	if (r < 0 || client->outcome != OTA_DONE)
		return r;
	r = ota_client_read(client, 0xfd51, sizeof ret->digest, err);
	if (r < 0 || client->outcome != OTA_DONE)
		return r;
	memcpy(ret->digest, client->response.data + 3, sizeof ret->digest);
	r = ota_client_read(client, 0xfd52, RESUME_BYTES, err);
	if (r < 0 || client->outcome != OTA_DONE)
		return r;
	ret->resume = be32_read(client->response.data + 3);
	memcpy(ret->resume_digest, client->response.data + 7, sizeof ret->resume_digest);
	return ota_version_read(client, ret->version, sizeof ret->version, err);
}

/* ---- ota.state ---------------------------------------------------------------------------------------------- */

static const struct arg_def state_args[] = {
        ARG_CONNECTION,
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE | ARG_SCALAR, NULL, NULL, 0, 0, "The board that is asked."},
        {NULL},
};
static const char *const state_words[] = {"idle",      "offered", "writing",     "written",  "verified",
                                          "activated", "trial",   "rolled-back", "recovery", NULL};
static const struct result_def state_results[] = {
        OTA_RESULTS,
        {"state", VALUE_TEXT, "idle, offered, writing, written, verified, activated, trial, rolled-back, recovery.", state_words},
        {"version", VALUE_TEXT, "What runs (F195)."},
        {"active", VALUE_TEXT, "Bank that runs: A or B.", ota_bank_words},
        {"candidate", VALUE_TEXT, "Bank of the candidate: A, B or none.", ota_bank_words},
        {"trial_boots", VALUE_INTEGER, "Boots of the unconfirmed image so far."},
        {"trial_allowed", VALUE_INTEGER, "Boots that it has."},
        {"last_result", VALUE_INTEGER, "Last negative response code of an update service."},
        {"counter", VALUE_INTEGER, "Security counter of the board."},
        {"bookmark", VALUE_INTEGER, "Bytes of the package that are surely in the bank."},
        {"boots", VALUE_INTEGER, "Boots since the last confirm."},
        {"digest", VALUE_BYTES, "Digest of what runs (FD51)."},
        {"resume", VALUE_INTEGER, "Bookmark of the download that can be resumed, 0: none (FD52)."},
        {"resume_digest", VALUE_BYTES, "Digest of that download."},
        {NULL},
};

static int numbers_set(struct step_context *context, const struct ota_state *state)
{
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
	        {"trial_boots", state->trial_boots}, {"trial_allowed", state->trial_allowed}, {"last_result", state->last_result},
	        {"counter", state->counter},         {"bookmark", state->bookmark},           {"boots", state->boots},
	        {"resume", state->resume},
	};

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (step_result_integer(context, numbers[i].name, numbers[i].value) < 0)
			return -ENOMEM;
	return 0;
}

static int state_results_set(struct step_context *context, const struct ota_state *state)
{
	if (step_result_text(context, "state", ota_state_name(state->state)) < 0 ||
	    step_result_text(context, "version", state->version) < 0 ||
	    step_result_text(context, "active", ota_bank_name(state->active)) < 0 ||
	    step_result_text(context, "candidate", ota_bank_name(state->candidate)) < 0 || numbers_set(context, state) < 0 ||
	    step_result_bytes(context, "digest", state->digest, sizeof state->digest) < 0)
		return -ENOMEM;
	return step_result_bytes(context, "resume_digest", state->resume_digest, sizeof state->resume_digest);
}

static int ota_state_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct ota_client client;
	struct ota_state state = {0};
	int r = ota_client_begin(&client, context, call, err);

	client.stage = OTA_STAGE_READ;
	if (r == 0)
		r = ota_state_read_all(&client, &state, err);
	if (r == 0)
		r = ota_judge(&client, call, err);
	if (r == 0 && (ota_results_set(context, &client) < 0 || (client.outcome == OTA_DONE && state_results_set(context, &state) < 0)))
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	ota_client_end(&client);
	return r;
}

const struct step_def step_ota_state = {
        .name = "ota.state",
        .doc = "Reads what a board reports about its software: state of the update, banks, counters, digest, bookmark, version.",
        .example = "- ota.state: {role: zgw, expect: {state: trial, active: B, trial_boots: 1}}",
        .args = state_args,
        .results = state_results,
        .capabilities = ota_capability,
        .run = ota_state_run,
};

/* ---- ota.confirm, ota.cancel -------------------------------------------------------------------------------- */

static const struct arg_def routine_args[] = {
        ARG_CONNECTION,
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE | ARG_SCALAR, NULL, NULL, 0, 0, "The board."},
        {"session", VALUE_TEXT, 0, "programming", (const char *const[]){"programming", "extended", "none", NULL}, 0, 0,
         "Session that is entered and unlocked first (extended: level 1); none: as it is."},
        {NULL},
};
static const struct result_def routine_results[] = {
        OTA_RESULTS,
        {"at", VALUE_TEXT, "Stage of the last request: session, security, confirm, cancel; \"done\"."},
        {"duration", VALUE_DURATION, "From the last request to its answer."},
        {NULL},
};

static int open_session(struct ota_client *client, const char *session, struct error *err)
{
	bool extended = strcmp(session, "extended") == 0;
	int r;

	if (strcmp(session, "none") == 0)
		return 0;
	client->stage = OTA_STAGE_SESSION;
	r = ota_client_session(client, extended ? 0x03 : 0x02, err);
	if (r < 0 || client->outcome != OTA_DONE)
		return r;
	client->stage = OTA_STAGE_SECURITY;
	return ota_client_unlock(client, extended ? 1 : OTA_PROGRAMMING_LEVEL, err);
}

static int routine_results_set(struct step_context *context, const struct ota_client *client)
{
	if (ota_results_set(context, client) < 0 ||
	    step_result_text(context, "at", client->outcome == OTA_DONE ? "done" : ota_stage_name(client->stage)) < 0)
		return -ENOMEM;
	return step_result_duration(context, "duration", client->answered_ns - client->sent_ns);
}

static int routine_run(struct step_context *context, const struct step_call *call, uint16_t routine, enum ota_stage stage,
                       struct error *err)
{
	struct ota_client client;
	const char *session;
	int r = ota_client_begin(&client, context, call, err);

	if (r == 0)
		r = step_arg_text(context, call, "session", &session, err);
	if (r == 0)
		r = open_session(&client, session, err);
	if (r == 0 && client.outcome == OTA_DONE) {
		ota_client_enter(&client, stage);
		r = ota_client_routine(&client, routine, NULL, 0, err);
	}
	if (r == 0)
		r = ota_judge(&client, call, err);
	if (r == 0 && routine_results_set(context, &client) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	ota_client_end(&client);
	return r;
}

static int ota_confirm_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	return routine_run(context, call, 0xf012, OTA_STAGE_CONFIRM, err);
}

static int ota_cancel_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	return routine_run(context, call, 0xf013, OTA_STAGE_CANCEL, err);
}

const struct step_def step_ota_confirm = {
        .name = "ota.confirm",
        .doc = "Confirms the software that runs on trial: the trial ends and the security counter rises. Without an `expect` of `nrc`, "
               "`outcome` or "
               "`at` it must be done.",
        .example = "- ota.confirm: zgw",
        .flags = STEP_ACTION,
        .args = routine_args,
        .results = routine_results,
        .capabilities = ota_capability,
        .run = ota_confirm_run,
};

const struct step_def step_ota_cancel = {
        .name = "ota.cancel",
        .doc = "Forgets a download that was not activated; in a trial, writes the swap back (in force from the next system reset).",
        .example = "- ota.cancel: zgw",
        .flags = STEP_ACTION | STEP_ALWAYS_OK,
        .args = routine_args,
        .results = routine_results,
        .capabilities = ota_capability,
        .run = ota_cancel_run,
};
