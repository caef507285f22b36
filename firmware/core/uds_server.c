/* SPDX-License-Identifier: Apache-2.0 */
#include "uds_private.h"

#include "../faults/fault.h"

#include <string.h>

#define SUPPRESS_BIT     0x80u
#define TESTER_PRESENT   0x3Eu
#define NEVER            UINT64_MAX
#define US_PER_MS        1000u
#define RESPONSE_OFFSET  0x40u
#define NEGATIVE_SERVICE 0x7Fu

struct uds_server_config uds_config;
struct uds_application uds_application;

static struct {
	enum uds_session session;
	uint16_t owner;          /* of a session that is not the default one: the tester that entered it */
	bool foreign;            /* the call under way is of another tester */
	uint64_t s3_deadline_us; /* NEVER: not running */
	uint64_t s3_left_us;     /* of the owner's S3, which stands still during a foreign call */
	struct uds_call call;    /* the call under way while busy */
	const struct uds_service *service;
	bool busy;
	uint64_t pending_deadline_us; /* next 0x78 */
	bool resetting;               /* the reset handler was called or is to be called */
	bool reset_wanted;
	uint8_t reset_type;
	uint8_t response[UDS_MAX_RESPONSE];
} server;

/* ---- state for the services ------------------------------------------------------------------------------ */

enum uds_session uds_session_active(void)
{
	return server.foreign ? UDS_DEFAULT : server.session;
}

bool uds_session_in(uint8_t sessions)
{
	return (sessions >> (uds_session_active() - 1) & 1u) != 0;
}

bool uds_session_owned_by(uint16_t tester)
{
	return server.session == UDS_DEFAULT || server.owner == tester;
}

bool uds_session_foreign(void)
{
	return server.foreign;
}

void uds_session_enter(enum uds_session session)
{
	enum uds_session from = server.session;

	server.session = session;
	server.owner = server.call.tester;
	for (uint8_t i = 0; i < uds_service_count; i++) {
		if (uds_services[i].session_changed != NULL)
			uds_services[i].session_changed(from, session);
	}
}

void uds_server_reset_after_answer(uint8_t type)
{
	server.reset_wanted = true;
	server.reset_type = type;
}

bool uds_put(struct uds_call *call, const void *data, size_t length)
{
	if (length > call->out_size - call->out_length)
		return false;
	memcpy(call->out + call->out_length, data, length);
	call->out_length += length;
	return true;
}

bool uds_put_u8(struct uds_call *call, uint8_t value)
{
	return uds_put(call, &value, 1);
}

bool uds_put_u16(struct uds_call *call, uint16_t value)
{
	uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	return uds_put(call, bytes, sizeof(bytes));
}

/* ---- answers --------------------------------------------------------------------------------------------- */

static void send(uint16_t tester, const uint8_t *data, size_t length)
{
	uds_application.respond(uds_application.context, tester, data, length);
}

static void send_negative(uint16_t tester, uint8_t service, uint8_t nrc)
{
	uint8_t response[3] = {NEGATIVE_SERVICE, service, nrc};

	send(tester, response, sizeof(response));
}

/* ISO 14229-1:2020 8.7.2: a server that was asked functionally does not say what it cannot do. */
static bool silent_when_functional(uint8_t nrc)
{
	return nrc == UDS_SERVICE_NOT_SUPPORTED || nrc == UDS_SUB_FUNCTION_NOT_SUPPORTED || nrc == UDS_OUT_OF_RANGE ||
	       nrc == UDS_SUB_FUNCTION_NOT_IN_SESSION || nrc == UDS_SERVICE_NOT_IN_SESSION;
}

static void answer(const struct uds_call *call, uint8_t nrc)
{
	if (nrc != UDS_POSITIVE) {
		if (!call->functional || call->pending_sent || !silent_when_functional(nrc))
			send_negative(call->tester, call->service, nrc);
		return;
	}
	if (call->suppress && !call->pending_sent && !fault_active(FAULT_SUPPRESS_IGNORED))
		return;
	send(call->tester, call->out, call->out_length);
}

/* It is the owner's to keep the session: a foreign call neither restarts S3 nor, however long it takes, uses it up. */
static void stop_s3(uint64_t now_us)
{
	server.s3_left_us = server.s3_deadline_us == NEVER ? 0 : server.s3_deadline_us - now_us;
	server.s3_deadline_us = NEVER;
}

static void start_s3(uint64_t now_us)
{
	uint64_t left_us = server.foreign ? server.s3_left_us : (uint64_t)uds_config.s3_ms * US_PER_MS;

	server.s3_deadline_us = server.session == UDS_DEFAULT ? NEVER : now_us + left_us;
}

static void finish(const struct uds_call *call, uint8_t nrc, uint64_t now_us)
{
	server.busy = false;
	answer(call, nrc);
	start_s3(now_us);
	server.foreign = false;
	if (server.reset_wanted && !server.resetting) {
		server.resetting = true;
		uds_application.reset(uds_application.context, server.reset_type);
	}
}

/* ---- the checks ------------------------------------------------------------------------------------------ */

static const struct uds_service *find_service(uint8_t id)
{
	for (uint8_t i = 0; i < uds_service_count; i++) {
		if (uds_services[i].id == id && (uds_services[i].available == NULL || uds_services[i].available()))
			return &uds_services[i];
	}
	return NULL;
}

static const struct uds_sub_function *find_sub_function(const struct uds_service *service, uint8_t id)
{
	for (uint8_t i = 0; i < service->sub_function_count; i++) {
		if (service->sub_functions[i].id == id)
			return &service->sub_functions[i];
	}
	return NULL;
}

/* The session and the access are another tester's. */
static bool taken(const struct uds_service *service)
{
	return server.foreign && (service->sessions & UDS_OF_OWNER) != 0;
}

static uint8_t run_sub_function(const struct uds_service *service, struct uds_call *call)
{
	const struct uds_sub_function *sub = find_sub_function(service, call->sub_function);
	uint8_t nrc;

	if (sub == NULL)
		return UDS_SUB_FUNCTION_NOT_SUPPORTED;
	if (taken(service))
		return UDS_CONDITIONS_NOT_CORRECT;
	if (!uds_session_in(sub->sessions))
		return UDS_SUB_FUNCTION_NOT_IN_SESSION;
	if (!uds_security_unlocked(sub->security))
		return UDS_ACCESS_DENIED;
	nrc = sub->sequence == NULL ? UDS_POSITIVE : sub->sequence(call);
	if (nrc != UDS_POSITIVE)
		return nrc;
	if (sub->total != UDS_ANY_LENGTH && call->length != sub->total)
		return UDS_INCORRECT_LENGTH;
	(void)uds_put_u8(call, call->sub_function);
	return sub->run(call);
}

static uint8_t run_service(const struct uds_service *service, struct uds_call *call)
{
	if (service == NULL)
		return UDS_SERVICE_NOT_SUPPORTED;
	if (!taken(service) && !uds_session_in(service->sessions))
		return UDS_SERVICE_NOT_IN_SESSION;
	if (!uds_security_unlocked(service->security))
		return UDS_ACCESS_DENIED;
	if (call->length < service->minimum)
		return UDS_INCORRECT_LENGTH;
	(void)uds_put_u8(call, (uint8_t)(call->service + RESPONSE_OFFSET));
	if (service->sub_functions == NULL)
		return service->run(call);
	call->sub_function = call->data[1] & (uint8_t)~SUPPRESS_BIT;
	call->suppress = (call->data[1] & SUPPRESS_BIT) != 0;
	return run_sub_function(service, call);
}

/* ---- entry points ---------------------------------------------------------------------------------------- */

void uds_server_config_load(struct uds_server_config *config)
{
	uint32_t p2 = 50, p2_star = 5000, s3 = 5000, delay = 10000, attempts = 3, from_extended = 0;

	(void)port_param_u32("uds.p2_ms", &p2);
	(void)port_param_u32("uds.p2_star_ms", &p2_star);
	(void)port_param_u32("uds.s3_ms", &s3);
	(void)port_param_u32("uds.security_delay_ms", &delay);
	(void)port_param_u32("uds.security_attempts", &attempts);
	(void)port_param_u32("uds.programming_from_extended", &from_extended);
	config->p2_ms = p2 == 0 || p2 > UINT16_MAX ? 50 : (uint16_t)p2;
	config->p2_star_ms = p2_star < 10 || p2_star > UINT16_MAX ? 5000 : (uint16_t)p2_star;
	config->s3_ms = s3 == 0 ? 5000 : s3;
	config->security_delay_ms = delay;
	config->security_attempts = attempts == 0 || attempts > UINT8_MAX ? 3 : (uint8_t)attempts;
	config->programming_from_extended = from_extended != 0;
}

void uds_server_start(const struct uds_server_config *config, const struct uds_application *application)
{
	memset(&server, 0, sizeof(server));
	uds_config = *config;
	uds_application = *application;
	if (uds_application.max_response == 0 || uds_application.max_response > UDS_MAX_RESPONSE)
		uds_application.max_response = UDS_MAX_RESPONSE;
	server.session = UDS_DEFAULT;
	server.s3_deadline_us = NEVER;
	for (uint8_t i = 0; i < uds_service_count; i++) {
		if (uds_services[i].start != NULL)
			uds_services[i].start(port_time_us());
	}
}

/* While a request is under way only a functional TesterPresent is answered as usual: ISO 14229-1:2020 9.6.
 * It does not touch the call in progress. */
static void request_while_busy(uint16_t tester, bool functional, const uint8_t *data, size_t length)
{
	static const uint8_t present[2] = {TESTER_PRESENT + RESPONSE_OFFSET, 0x00};

	if (!functional || data[0] != TESTER_PRESENT) {
		send_negative(tester, data[0], UDS_BUSY_REPEAT_REQUEST);
		return;
	}
	if (length < 2)
		send_negative(tester, data[0], UDS_INCORRECT_LENGTH);
	else if ((data[1] & (uint8_t)~SUPPRESS_BIT) != 0)
		return; /* 12 is silent when functional */
	else if (length > 2)
		send_negative(tester, data[0], UDS_INCORRECT_LENGTH);
	else if ((data[1] & SUPPRESS_BIT) == 0)
		send(tester, present, sizeof(present));
}

void uds_server_request(uint16_t tester, bool functional, const uint8_t *data, size_t length, uint64_t now_us)
{
	uint64_t deadline_us = NEVER;
	uint8_t nrc;

	if (length == 0)
		return;
	/* The main loop may hand in a request before it polled: an S3 that is over must not be saved by it. */
	if (!server.busy)
		uds_server_poll(now_us, &deadline_us);
	if (server.busy || server.resetting) {
		request_while_busy(tester, functional, data, length);
		return;
	}
	stop_s3(now_us);
	server.foreign = !uds_session_owned_by(tester);
	server.service = find_service(data[0]);
	server.call = (struct uds_call){
	        .tester = tester,
	        .functional = functional,
	        .service = data[0],
	        .data = data,
	        .length = length,
	        .out = server.response,
	        .out_size = uds_application.max_response,
	        .now_us = now_us,
	};
	nrc = run_service(server.service, &server.call);
	server.call.data = NULL;
	server.call.length = 0;
	if (nrc != UDS_RESPONSE_PENDING) {
		finish(&server.call, nrc, now_us);
		return;
	}
	server.busy = true;
	/* Half of P2: the rest is the main loop's and the transport's. */
	server.pending_deadline_us = server.call.slow ? now_us : now_us + (uint64_t)uds_config.p2_ms * US_PER_MS / 2;
}

/* Resumes the call under way; sends a 0x78 in time: the first within P2, each other within P2* of the one before
 * and not sooner than 0.3 P2* (ISO 14229-2:2021, P2*server). */
static uint64_t poll_busy(uint64_t now_us)
{
	uint64_t deadline_us = NEVER;
	uint8_t nrc;

	server.call.now_us = now_us;
	nrc = server.service->resume(&server.call, &deadline_us);
	if (nrc != UDS_RESPONSE_PENDING) {
		finish(&server.call, nrc, now_us);
		return server.s3_deadline_us;
	}
	if (now_us >= server.pending_deadline_us) {
		send_negative(server.call.tester, server.call.service, UDS_RESPONSE_PENDING);
		server.call.pending_sent = true;
		server.pending_deadline_us = now_us + (uint64_t)uds_config.p2_star_ms * US_PER_MS * 7 / 10;
	}
	return deadline_us < server.pending_deadline_us ? deadline_us : server.pending_deadline_us;
}

void uds_server_poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	if (server.busy) {
		*ret_deadline_us = poll_busy(now_us);
		return;
	}
	if (now_us >= server.s3_deadline_us) {
		server.s3_deadline_us = NEVER;
		uds_session_enter(UDS_DEFAULT);
	}
	*ret_deadline_us = server.s3_deadline_us;
}
