/* SPDX-License-Identifier: Apache-2.0 */
#include "ota_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../rig/flash.h"
#include "generic.h"

/* What a request may take on top of P2: the links between, and a bench that shares its processors. */
#define MARGIN_NS 2000000000
/* An erase of a whole bank answers 0x78 at least every P2*. */
#define PENDING_MAX 200

static const char *const stage_names[] = {"session", "security", "resume",   "offer", "erase",   "request", "transfer",
                                          "exit",    "check",    "activate", "reset", "confirm", "cancel",  "read"};

const char *ota_stage_name(enum ota_stage stage)
{
	return stage_names[stage];
}

const char *ota_outcome_name(enum ota_outcome outcome)
{
	static const char *const names[] = {"done", "refused", "lost"};

	return names[outcome];
}

int ota_client_begin(struct ota_client *client, struct step_context *context, const struct step_call *call, struct error *err)
{
	const struct value *address;
	int r;

	*client = (struct ota_client){.context = context, .stage = OTA_STAGE_SESSION};
	if ((r = tester_of_call(context, call, &client->tester, err)) < 0 || (r = step_board(context, call, &client->board, err)) < 0)
		return r;
	client->role = rig_board_role(client->board);
	address = rig_value(context->rig, client->role, "logical_address");
	if (!address || address->type != VALUE_INTEGER)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, call->place, "the rig gives role \"%s\" no logical address",
		                       client->role);
	client->target = (uint16_t)address->integer;
	client->tester->bulk = true;
	client->tester->board = client->board;
	return 0;
}

void ota_client_end(struct ota_client *client)
{
	if (client->tester) {
		client->tester->bulk = false;
		client->tester->board = NULL;
	}
	bytes_free(&client->response);
}

/* ---- requests ----------------------------------------------------------------------------------------------- */

static int take_outcome(struct ota_client *client, struct uds_exchange *exchange, struct error *err)
{
	switch (exchange->outcome) {
	case UDS_POSITIVE:
		client->outcome = OTA_DONE;
		bytes_free(&client->response);
		client->response = exchange->response;
		exchange->response = (struct bytes){0};
		return 0;
	case UDS_NEGATIVE:
		client->outcome = OTA_REFUSED;
		client->nrc = exchange->nrc;
		return 0;
	case UDS_TIMEOUT:
		client->outcome = OTA_LOST;
		snprintf(client->why, sizeof client->why, exchange->pending ? "silence after 0x78" : "no response");
		return 0;
	default:
		return error_set(err, ERROR_BENCH, EINVAL, "an exchange ended without an outcome");
	}
}

/* What the exchange calls a failure may be what the case is about. */
static int take_failure(struct ota_client *client, const struct uds_link_request *request, int r, const struct error *failure,
                        struct error *err)
{
	if (failure->domain == ERROR_DUT && r == -EBADMSG && (request->lost || request->refused)) {
		client->outcome = request->lost ? OTA_LOST : OTA_REFUSED;
		client->doip_nack = request->refused;
		snprintf(client->why, sizeof client->why, "%s", client->context->actual ? client->context->actual : "nobody answers");
		context_forget_check(client->context);
		return 0;
	}
	*err = *failure;
	return r;
}

int ota_client_request(struct ota_client *client, const void *data, size_t length, struct error *err)
{
	struct uds_link_request request = {.target = client->target, .data = data, .length = length};
	struct uds_exchange exchange = {0};
	struct error failure = {0};
	int r;

	client->nrc = client->doip_nack = 0;
	request.timing.margin_ns = MARGIN_NS;
	request.timing.max_pending = PENDING_MAX;
	r = uds_link_run(client->context, client->tester, &request, &exchange, &failure);
	client->sent_ns = request.sent_ns;
	client->answered_ns = request.answered_ns ? request.answered_ns : loop_now_ns();
	client->pending += exchange.pending;
	if (r < 0)
		r = take_failure(client, &request, r, &failure, err);
	else
		r = take_outcome(client, &exchange, err);
	uds_exchange_clear(&exchange);
	return r;
}

int ota_client_routine(struct ota_client *client, uint16_t routine, const void *option, size_t length, struct error *err)
{
	struct bytes request = {0};
	int r = -ENOMEM;

	if (bytes_append(&request, "\x31\x01", 2) == 0 && bytes_append_be16(&request, routine) == 0 &&
	    bytes_append(&request, option, length) == 0)
		r = ota_client_request(client, request.data, request.length, err);
	else
		(void)error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	bytes_free(&request);
	return r;
}

int ota_client_session(struct ota_client *client, uint8_t session, struct error *err)
{
	const uint8_t request[2] = {0x10, session};

	return ota_client_request(client, request, sizeof request, err);
}

int ota_client_unlock(struct ota_client *client, uint8_t level, struct error *err)
{
	uint8_t request[6] = {0x27, level};
	const struct bytes *seed = &client->response;
	bool unlocked = true;
	int r = ota_client_request(client, request, 2, err);

	if (r < 0 || client->outcome != OTA_DONE)
		return r;
	if (seed->length < 3)
		return step_check_failed(client->context, err, "a seed", "none", "27 %02x was answered without a seed", level);
	for (size_t i = 2; i < seed->length; i++)
		unlocked = unlocked && seed->data[i] == 0;
	if (unlocked)
		return 0;
	r = uds_key_of_seed(rig_value(client->context->rig, client->role, "security_key"), seed->data + 2, seed->length - 2, request + 2,
	                    err);
	if (r < 0)
		return r;
	request[1] = (uint8_t)(level + 1);
	return ota_client_request(client, request, sizeof request, err);
}

int ota_client_read(struct ota_client *client, uint16_t did, size_t least, struct error *err)
{
	const uint8_t request[3] = {0x22, (uint8_t)(did >> 8), (uint8_t)did};
	const struct bytes *response = &client->response;
	char actual[64];
	int r = ota_client_request(client, request, sizeof request, err);

	if (r < 0 || client->outcome != OTA_DONE)
		return r;
	if (response->length >= 3 + least && be16_read(response->data + 1) == did)
		return 0;
	snprintf(actual, sizeof actual, "%zu bytes", response->length);
	return step_check_failed(client->context, err, "a whole value", actual,
	                         "the answer to 22 %04x is too short or not the one asked for", did);
}

/* ---- timeline and verdict ----------------------------------------------------------------------------------- */

void ota_client_emit(const struct ota_client *client, struct instant at, const char *kind, json_t *stolen)
{
	char channel[96];

	snprintf(channel, sizeof channel, "board:%s", client->role);
	timeline_emit(client->context->timeline, at, channel, kind, stolen);
}

void ota_client_enter(struct ota_client *client, enum ota_stage stage)
{
	client->stage = stage;
	ota_client_emit(client, instant_now(), "ota.stage", json_pack("{s:s}", "stage", stage_names[stage]));
}

int ota_client_failed(struct ota_client *client, struct error *err)
{
	const char *name = uds_nrc_name(client->nrc), *stage = ota_stage_name(client->stage);
	char actual[200];

	if (client->outcome == OTA_LOST)
		snprintf(actual, sizeof actual, "%s", client->why);
	else if (client->doip_nack)
		snprintf(actual, sizeof actual, "DoIP NACK 0x%02x", client->doip_nack);
	else
		snprintf(actual, sizeof actual, "NRC 0x%02x (%s)", client->nrc, name ? name : "unknown");
	return step_check_failed(client->context, err, "a positive response", actual,
	                         client->outcome == OTA_LOST ? "%s: the board was lost at stage %s" : "%s: stage %s was refused",
	                         client->role, stage);
}

bool ota_call_expects(const struct step_call *call, const char *result)
{
	return call->expect && value_get(call->expect, result);
}

int ota_candidate_address(struct ota_client *client, uint32_t *ret, struct error *err)
{
	const struct value *address = rig_value(client->context->rig, client->role, "ota_address");
	struct rig_flash_geometry geometry;
	int r;

	if (address && address->type == VALUE_INTEGER) {
		*ret = (uint32_t)address->integer;
		return 0;
	}
	r = rig_flash_geometry(client->board, &geometry, err);
	if (r == 0)
		*ret = geometry.bank[1] + geometry.boot_size;
	return r;
}
