/* SPDX-License-Identifier: Apache-2.0 */
#include "isotp_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "journal_hex.h"

#define SESSION_KIND  "isotp"
#define UDS_SESSION   "isotp-uds" /* a name that no case uses */
#define UDS_WITHIN_NS INT64_C(2000000000)

void isotp_setup_default(struct isotp_setup *setup)
{
	*setup = (struct isotp_setup){
	        .options = {.addressing = ISOTP_NORMAL, .fd = true, .tx_dl = 64, .pad = true, .padding = 0xcc, .wft_max = 8},
	        .request_id = 0x7e0,
	        .response_id = 0x7e8,
	        .functional_id = 0x7df,
	        .brs = true,
	};
}

/* ---- timeline ---------------------------------------------------------------------------------------------- */

static void session_note(struct isotp_session *session, const char *kind, uint32_t id, const struct bytes *message,
                         enum isotp_result result)
{
	json_t *data = json_pack("{s:I,s:I,s:s}", "id", (json_int_t)id, "length", (json_int_t)message->length, "result",
	                         isotp_result_name(result));

	journal_put_hex(data, message->data, message->length);
	timeline_emit_now(session->timeline, session->watch->channel, kind, data);
}

static void session_watch_results(struct isotp_session *session, enum isotp_result received_before)
{
	enum isotp_result sent = isotp_send_result(session->link), received = isotp_receive_result(session->link);

	if (sent != session->send_result && sent != ISOTP_PENDING)
		session_note(session, "isotp.tx", session->request_id, &session->outgoing, sent);
	session->send_result = sent;
	if (received != received_before && received != ISOTP_PENDING && received != ISOTP_OK) {
		const struct bytes nothing = {0};

		session_note(session, "isotp.rx", session->response_id, &nothing, received);
	}
}

/* ---- the link and the bus ---------------------------------------------------------------------------------- */

static void session_arm(struct isotp_session *session)
{
	int64_t deadline_ns = isotp_deadline(session->link);

	if (deadline_ns == INT64_MAX) {
		sd_event_source_set_enabled(session->timer, SD_EVENT_OFF);
		return;
	}
	/* Rounded up: a timer that comes too early would only come again. */
	sd_event_source_set_time(session->timer, deadline_ns < 0 ? 0 : (uint64_t)(deadline_ns + 999) / 1000);
	sd_event_source_set_enabled(session->timer, SD_EVENT_ONESHOT);
}

static void session_pump(struct isotp_session *session)
{
	struct can *can = rig_bus_channel(session->watch->bus);
	struct can_message message = {.id = session->request_id, .flags = session->flags};
	struct isotp_frame frame;
	struct error ignored;

	/* A frame that the channel refuses is never confirmed: N_As says so. */
	while (!session->waiting && isotp_next(session->link, loop_now_ns(), &frame)) {
		memcpy(message.data, frame.data, frame.length);
		message.length = frame.length;
		session->waiting = true;
		if (!can || can_send(can, &message, &session->ticket, &ignored) < 0)
			session->ticket = UINT64_MAX;
	}
	session_arm(session);
}

static void session_on_frame(const struct can_message *message, bool transmitted, void *context)
{
	struct isotp_session *session = context;
	enum isotp_result before = isotp_receive_result(session->link);

	if (transmitted) {
		if (!session->waiting || message->ticket != session->ticket)
			return;
		session->waiting = false;
		/* Flow control of ours after the message does not count. */
		if (session->send_result == ISOTP_PENDING)
			session->sent_ns = message->at.ns;
		isotp_confirmed(session->link, message->at.ns);
	} else {
		if (message->id != session->response_id || message->flags & CAN_MESSAGE_REMOTE ||
		    ((message->flags ^ session->flags) & CAN_MESSAGE_EXTENDED))
			return;
		session->received_ns = message->at.ns;
		isotp_receive(session->link, message->data, message->length, message->at.ns);
	}
	session_watch_results(session, before);
	session_pump(session);
}

static int session_on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct isotp_session *session = context;
	enum isotp_result before = isotp_receive_result(session->link);
	bool was_waiting = session->waiting;

	isotp_tick(session->link, loop_now_ns());
	/* After N_TIMEOUT_A the link no longer waits for its frame. */
	if (was_waiting && isotp_send_result(session->link) == ISOTP_TIMEOUT_A)
		session->waiting = false;
	session_watch_results(session, before);
	session_pump(session);
	return 0;
}

/* ---- life -------------------------------------------------------------------------------------------------- */

static void session_free(void *object)
{
	struct isotp_session *session = object;

	rig_bus_unobserve(session->watch->bus, session_on_frame, session);
	sd_event_source_disable_unref(session->timer);
	isotp_free(session->link);
	bytes_free(&session->outgoing);
	free(session);
}

static int session_begin(struct step_context *context, struct isotp_session *session, const struct isotp_setup *setup, struct error *err)
{
	int r = isotp_new(&session->link, &setup->options);

	if (r < 0)
		return error_set(err, ERROR_TESTCASE, -r, "ISO-TP options that cannot be (tx_dl is 8, with `fd` 8 to 64)");
	isotp_misbehave(session->link, &setup->misdeeds);
	session->request_id = setup->request_id;
	session->response_id = setup->response_id;
	session->functional_id = setup->functional_id;
	session->flags = (uint8_t)((setup->options.fd ? CAN_MESSAGE_FD : 0) | (setup->options.fd && setup->brs ? CAN_MESSAGE_BRS : 0) |
	                           (setup->extended_id ? CAN_MESSAGE_EXTENDED : 0));
	r = sd_event_add_time(loop_event(context->loop), &session->timer, CLOCK_MONOTONIC, UINT64_MAX, 1, session_on_timer, session);
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "no timer for the ISO-TP link");
	sd_event_source_set_enabled(session->timer, SD_EVENT_OFF);
	return rig_bus_observe(session->watch->bus, session_on_frame, session, err);
}

struct isotp_session *isotp_session_find(struct step_context *context, const char *name)
{
	return step_object_find(context, SESSION_KIND, name);
}

int isotp_session_open(struct step_context *context, struct bus_watch *watch, const char *name, const struct isotp_setup *setup,
                       struct isotp_session **ret, struct error *err)
{
	struct isotp_session *session = calloc(1, sizeof(*session));
	int r;

	step_object_remove(context, SESSION_KIND, name);
	if (!session)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	session->watch = watch;
	session->timeline = context->timeline;
	r = session_begin(context, session, setup, err);
	if (r == 0 && step_object_add(context, SESSION_KIND, name, session, session_free) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r < 0) {
		session_free(session);
		return r;
	}
	*ret = session;
	return 0;
}

/* ---- messages ---------------------------------------------------------------------------------------------- */

int isotp_session_send(struct isotp_session *session, const uint8_t *data, size_t length, struct error *err)
{
	int r = bus_hears(session->watch, err);

	if (r < 0)
		return r;
	r = isotp_send(session->link, data, length, loop_now_ns());
	if (r < 0)
		return error_set(err, ERROR_TESTCASE, -r, r == -EBUSY ? "a message of this connection is under way" : "no such message");
	session->begun_ns = loop_now_ns();
	session->send_result = ISOTP_PENDING;
	bytes_clear(&session->outgoing);
	if (bytes_append(&session->outgoing, data, length) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	session_pump(session);
	return 0;
}

static bool session_is_sent(void *context)
{
	return isotp_send_result(((struct isotp_session *)context)->link) != ISOTP_PENDING;
}

int isotp_session_sent(struct step_context *context, struct isotp_session *session, int64_t within_ns, struct error *err)
{
	return step_wait(context, session_is_sent, session, within_ns, err);
}

struct reception {
	struct isotp_session *session;
	struct bytes message;
	bool taken;
	enum isotp_result before;
};

static bool reception_step(void *context)
{
	struct reception *reception = context;
	enum isotp_result result = isotp_receive_result(reception->session->link);

	if (result == ISOTP_OK)
		reception->taken = isotp_take(reception->session->link, &reception->message);
	return reception->taken || (result != ISOTP_PENDING && result != ISOTP_OK);
}

int isotp_session_receive(struct step_context *context, struct isotp_session *session, int64_t within_ns, struct bytes *ret,
                          struct error *err)
{
	struct reception reception = {.session = session};
	int r = step_wait(context, reception_step, &reception, within_ns, err);

	if (r < 0)
		return r;
	if (!reception.taken)
		return -EPIPE;
	session_note(session, "isotp.rx", session->response_id, &reception.message, ISOTP_OK);
	*ret = reception.message;
	return 0;
}

void isotp_session_forget(struct isotp_session *session)
{
	struct bytes message = {0};

	while (isotp_take(session->link, &message)) {
		bytes_free(&message);
		message = (struct bytes){0};
	}
}

/* ---- a UDS exchange of the steps' own ---------------------------------------------------------------------- */

static int uds_answer(struct step_context *context, struct isotp_session *session, const uint8_t *request, struct bytes *ret,
                      struct error *err)
{
	for (;;) {
		struct bytes answer = {0};
		int r = isotp_session_receive(context, session, UDS_WITHIN_NS, &answer, err);

		if (r == -ETIMEDOUT || r == -EPIPE) {
			r = bus_listened(&(struct bus_listening){session->watch, session->begun_ns}, -ETIMEDOUT, err);
			if (r != -ETIMEDOUT)
				return r;
			return step_check_failed(context, err, "a response", "none", "request %02x over ISO-TP was not answered",
			                         request[0]);
		}
		if (r < 0)
			return r;
		if (answer.length > 0 && answer.data[0] == (request[0] | 0x40)) {
			*ret = answer;
			return 0;
		}
		r = answer.length == 3 && answer.data[0] == 0x7f && answer.data[2] == 0x78;
		if (!r && answer.length >= 3)
			(void)step_check_failed(context, err, "a positive response", "a negative one",
			                        "request %02x was refused with 0x%02x", request[0], answer.data[2]);
		bytes_free(&answer);
		if (!r)
			return -EBADMSG;
	}
}

int isotp_uds(struct step_context *context, struct bus_watch *watch, const uint8_t *request, size_t length, struct bytes *ret,
              struct error *err)
{
	struct isotp_session *session = isotp_session_find(context, UDS_SESSION);
	struct isotp_setup setup;
	int r = 0;

	isotp_setup_default(&setup);
	if (!session)
		r = isotp_session_open(context, watch, UDS_SESSION, &setup, &session, err);
	if (r < 0)
		return r;
	isotp_session_forget(session);
	r = isotp_session_send(session, request, length, err);
	if (r == 0)
		r = isotp_session_sent(context, session, UDS_WITHIN_NS, err);
	if (r == -ETIMEDOUT || (r == 0 && isotp_send_result(session->link) != ISOTP_OK))
		r = bus_listened(&(struct bus_listening){session->watch, session->begun_ns}, -ETIMEDOUT, err);
	if (r == -ETIMEDOUT)
		r = step_check_failed(context, err, "N_OK", isotp_result_name(isotp_send_result(session->link)),
		                      "request %02x could not be sent over ISO-TP", request[0]);
	if (r == 0)
		r = uds_answer(context, session, request, ret, err);
	/* Two links on one pair of identifiers would both answer with flow control. */
	step_object_remove(context, SESSION_KIND, UDS_SESSION);
	return r;
}
