/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RoutineControl 31 (ISO 14229-1:2020 clause 14.2).
 *   0201 quick self test: start, results (one byte, 00 = passed); every session
 *   0202 long routine: start with its duration in ms (2 bytes, not 0), answers when it is over; results (2 bytes, the
 *        duration that ran); every session
 *   0203 secured background routine: start, stop, results (4 bytes, ms it ran); level 1, not in the default session
 *   FF00 erase, FF01 check, F010 offer, F011 activate, F012 confirm, F013 cancel: uds_programming.c, where there is flash
 *   0204 DTC test: start with a DTC (3 bytes) and 00 passed / 01 failed; extended session
 */
#include "uds_dtc.h"
#include "uds_programming.h"
#include "uds_services.h"

#define OPTION_BEGIN 4u
#define US_PER_MS    1000u
#define ANY_OPTION   UINT8_MAX /* the routine looks at the length itself */

enum { START = 1, STOP = 2, RESULTS = 3 };

struct routine {
	uint16_t id;
	uint8_t sessions;
	uint8_t security;
	uint8_t option_length; /* of start; stop and results take none */
	uint8_t (*start)(struct uds_call *call);
	uint8_t (*stop)(struct uds_call *call);    /* NULL: the routine cannot be stopped */
	uint8_t (*results)(struct uds_call *call); /* NULL: it has none */
	bool *started;                             /* stop and results need it */
	bool *running;                             /* start needs it to be false, stop to be true; NULL: never in the background */
};

static struct {
	bool self_test_started, long_started, secured_started;
	bool secured_running;
	uint64_t long_end_us;
	uint16_t long_ms;
	uint64_t secured_begin_us, secured_ran_us;
	uint8_t (*resume)(struct uds_call *call, uint64_t *ret_deadline_us); /* of the routine that answers late */
} state;

static const uint8_t passed;

static uint8_t self_test_start(struct uds_call *call)
{
	(void)call;
	(void)uds_dtc_report(UDS_DTC_SELF_TEST, false);
	return UDS_POSITIVE;
}

static uint8_t self_test_results(struct uds_call *call)
{
	(void)uds_put_u8(call, passed);
	return UDS_POSITIVE;
}

static uint8_t long_start(struct uds_call *call)
{
	uint16_t duration_ms = uds_get_u16(call->data + OPTION_BEGIN);

	if (duration_ms == 0)
		return UDS_OUT_OF_RANGE;
	state.long_ms = duration_ms;
	state.long_end_us = call->now_us + (uint64_t)duration_ms * US_PER_MS;
	return UDS_RESPONSE_PENDING;
}

static uint8_t long_results(struct uds_call *call)
{
	(void)uds_put_u16(call, state.long_ms);
	return UDS_POSITIVE;
}

static uint8_t long_resume(struct uds_call *call, uint64_t *ret_deadline_us)
{
	if (call->now_us < state.long_end_us) {
		*ret_deadline_us = state.long_end_us;
		return UDS_RESPONSE_PENDING;
	}
	state.long_started = true;
	(void)uds_put_u8(call, passed);
	return UDS_POSITIVE;
}

uint8_t uds_routine_resume(struct uds_call *call, uint64_t *ret_deadline_us)
{
	return state.resume(call, ret_deadline_us);
}

static uint8_t secured_start(struct uds_call *call)
{
	state.secured_running = true;
	state.secured_begin_us = call->now_us;
	return UDS_POSITIVE;
}

static uint8_t secured_stop(struct uds_call *call)
{
	state.secured_running = false;
	state.secured_ran_us = call->now_us - state.secured_begin_us;
	return UDS_POSITIVE;
}

static uint8_t secured_results(struct uds_call *call)
{
	uint64_t ran_us = state.secured_running ? call->now_us - state.secured_begin_us : state.secured_ran_us;
	uint32_t ran_ms = (uint32_t)(ran_us / US_PER_MS);

	(void)uds_put_u16(call, (uint16_t)(ran_ms >> 16));
	(void)uds_put_u16(call, (uint16_t)ran_ms);
	return UDS_POSITIVE;
}

static uint8_t dtc_test_start(struct uds_call *call)
{
	const uint8_t *option = call->data + OPTION_BEGIN;

	if (option[3] > 1 || !uds_dtc_report(uds_get_u24(option), option[3] == 1))
		return UDS_OUT_OF_RANGE;
	return UDS_POSITIVE;
}

static const struct routine routines[] = {
        {0x0201, UDS_IN_ALL, 0, 0, self_test_start, NULL, self_test_results, &state.self_test_started, NULL},
        {0x0202, UDS_IN_ALL, 0, 2, long_start, NULL, long_results, &state.long_started, NULL},
        {0x0203, UDS_IN_NON_DEFAULT, 1, 0, secured_start, secured_stop, secured_results, &state.secured_started, &state.secured_running},
        {0x0204, UDS_IN_EXTENDED, 0, 4, dtc_test_start, NULL, NULL, NULL, NULL},
};

static const struct routine update_routines[] = {
        {0xF010, UDS_IN_PROGRAMMING, 0, ANY_OPTION, uds_programming_offer, NULL, NULL, NULL, NULL},
        {0xF011, UDS_IN_PROGRAMMING, 0, ANY_OPTION, uds_programming_activate, NULL, NULL, NULL, NULL},
        {0xF012, UDS_IN_NON_DEFAULT, 0, ANY_OPTION, uds_programming_confirm, NULL, NULL, NULL, NULL},
        {0xF013, UDS_IN_PROGRAMMING, 0, ANY_OPTION, uds_programming_cancel, NULL, NULL, NULL, NULL},
        {0xFF00, UDS_IN_PROGRAMMING, 0, ANY_OPTION, uds_programming_erase, NULL, NULL, NULL, NULL},
        {0xFF01, UDS_IN_PROGRAMMING, 0, ANY_OPTION, uds_programming_check, NULL, NULL, NULL, NULL},
};

static const struct routine *find_in(const struct routine *table, size_t count, uint16_t id)
{
	for (size_t i = 0; i < count; i++) {
		if (table[i].id == id && uds_session_in(table[i].sessions))
			return &table[i];
	}
	return NULL;
}

static const struct routine *find(uint16_t id)
{
	const struct routine *routine = find_in(routines, UDS_ARRAY_SIZE(routines), id);

	if (routine != NULL || !uds_programming_available())
		return routine;
	return find_in(update_routines, UDS_ARRAY_SIZE(update_routines), id);
}

static bool length_fits(const struct routine *routine, const struct uds_call *call)
{
	if (call->sub_function != START)
		return call->length == OPTION_BEGIN;
	return routine->option_length == ANY_OPTION || call->length == OPTION_BEGIN + routine->option_length;
}

static uint8_t check_sequence(const struct routine *routine, uint8_t control)
{
	if (control == START)
		return routine->running != NULL && *routine->running ? UDS_SEQUENCE_ERROR : UDS_POSITIVE;
	if (routine->started == NULL || !*routine->started)
		return UDS_SEQUENCE_ERROR;
	if (control == STOP && (routine->running == NULL || !*routine->running))
		return UDS_SEQUENCE_ERROR;
	return UDS_POSITIVE;
}

static uint8_t control_run(struct uds_call *call)
{
	const struct routine *routine = find(uds_get_u16(call->data + 2));
	uint8_t (*run)(struct uds_call *);
	uint8_t nrc;

	if (routine == NULL)
		return UDS_OUT_OF_RANGE;
	run = call->sub_function == START ? routine->start : call->sub_function == STOP ? routine->stop : routine->results;
	if (run == NULL)
		return UDS_SUB_FUNCTION_NOT_SUPPORTED;
	if (!uds_security_unlocked(routine->security))
		return UDS_ACCESS_DENIED;
	nrc = check_sequence(routine, call->sub_function);
	if (nrc != UDS_POSITIVE)
		return nrc;
	if (!length_fits(routine, call))
		return UDS_INCORRECT_LENGTH;
	(void)uds_put_u16(call, routine->id);
	state.resume = run == long_start ? long_resume : uds_programming_resume;
	nrc = run(call);
	if (nrc == UDS_POSITIVE && call->sub_function == START && routine->started != NULL)
		*routine->started = true;
	return nrc;
}

void uds_routine_start(uint64_t now_us)
{
	(void)now_us;
	state.self_test_started = false;
	state.long_started = false;
	state.secured_started = false;
	state.secured_running = false;
}

/* What needs a non-default session ends with it; the lock that comes with every transition stops the secured one. */
void uds_routine_session_changed(enum uds_session from, enum uds_session to)
{
	(void)from;
	(void)to;
	state.secured_running = false;
	state.secured_started = false;
}

const struct uds_sub_function uds_routine_sub_functions[3] = {
        {START, UDS_IN_ALL, 0, UDS_ANY_LENGTH, NULL, control_run},
        {STOP, UDS_IN_ALL, 0, UDS_ANY_LENGTH, NULL, control_run},
        {RESULTS, UDS_IN_ALL, 0, UDS_ANY_LENGTH, NULL, control_run},
};
