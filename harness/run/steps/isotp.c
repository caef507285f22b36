/* SPDX-License-Identifier: Apache-2.0 */
/* Messages over ISO-TP: right ones, wrong ones, and frames by hand. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "can_check.h"
#include "isotp_session.h"
#include "steps.h"

#define MESSAGE_MAX (INT64_C(64) << 20)
#define ARG_SESSION {"connection", VALUE_TEXT, ARG_NAME, ISOTP_DEFAULT_NAME, NULL, 0, 0, "Name of the ISO-TP connection."}

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

/* The call's connection; opened with default parameters at its first use. */
static int session_of_call(struct step_context *context, const struct step_call *call, struct isotp_session **ret, struct error *err)
{
	struct isotp_setup setup;
	struct bus_watch *watch;
	const char *name;
	int r;

	if ((r = step_arg_text(context, call, "connection", &name, err)) < 0 || (r = bus_watch_of_call(context, call, &watch, err)) < 0)
		return r;
	*ret = isotp_session_find(context, name);
	if (*ret)
		return 0;
	isotp_setup_default(&setup);
	return isotp_session_open(context, watch, name, &setup, ret, err);
}

/* ---- isotp.set --------------------------------------------------------------------------------------------- */

static const char *const addressings[] = {"normal", "normal-fixed", "extended", "mixed", NULL};

static const struct arg_def set_args[] = {
        ARG_BUS,
        ARG_SESSION,
        {"request_id", VALUE_INTEGER, 0, "0x7e0", NULL, 0, 0x1fffffff, "Identifier that we send with."},
        {"response_id", VALUE_INTEGER, 0, "0x7e8", NULL, 0, 0x1fffffff, "Identifier that we receive."},
        {"addressing", VALUE_TEXT, 0, "normal", addressings, 0, 0, "Addressing format; fixed ones have their addresses in the ids."},
        {"extended", VALUE_BOOL, 0, NULL, NULL, 0, 0, "29-bit identifiers (default: as soon as one needs more than 11 bits)."},
        {"extension_tx", VALUE_INTEGER, 0, NULL, NULL, 0, 255, "N_TA or N_AE that we send (extended and mixed need it)."},
        {"extension_rx", VALUE_INTEGER, 0, NULL, NULL, 0, 255, "N_TA or N_AE that we take (extended and mixed need it)."},
        {"fd", VALUE_BOOL, 0, "true", NULL, 0, 0, "CAN FD frames."},
        {"tx_dl", VALUE_INTEGER, 0, NULL, NULL, 8, 64, "Largest frame (default: 64, classic 8)."},
        {"pad", VALUE_BOOL, 0, "true", NULL, 0, 0, "Fill frames up to 8 bytes."},
        {"padding", VALUE_INTEGER, 0, "0xcc", NULL, 0, 255, "What fills up."},
        {"block_size", VALUE_INTEGER, 0, "0", NULL, 0, 255, "BS that we ask for."},
        {"st_min", VALUE_INTEGER, 0, "0", NULL, 0, 255, "STmin that we ask for, as coded."},
        {"wft_max", VALUE_INTEGER, 0, "8", NULL, 0, 1000, "FC.WAIT that we take in a row."},
        {"receive_limit", VALUE_SIZE, 0, NULL, NULL, 0, 0, "Longer messages get an FC overflow."},
        {"n_bs", VALUE_DURATION, ARG_POSITIVE, "1s", NULL, 0, 0, "How long we wait for a flow control."},
        {"n_cr", VALUE_DURATION, ARG_POSITIVE, "1s", NULL, 0, 0, "How long we wait for a consecutive frame."},
        {NULL},
};

static int ids_of_call(struct step_context *context, const struct step_call *call, struct isotp_setup *setup, struct error *err)
{
	int64_t request, response;
	int r;

	if ((r = step_arg_integer(context, call, "request_id", 0x7e0, &request, err)) < 0 ||
	    (r = step_arg_integer(context, call, "response_id", 0x7e8, &response, err)) < 0)
		return r;
	setup->request_id = (uint32_t)request;
	setup->response_id = (uint32_t)response;
	return step_arg_bool(context, call, "extended", request > 0x7ff || response > 0x7ff, &setup->extended_id, err);
}

/* ISO 15765-2:2016 10.3.3: 0x18DA, N_TA, N_SA physical, 0x18DB functional; the priority may be another one. */
static bool is_fixed(int64_t id)
{
	return id > 0x7ff && ((id >> 16 & 0x3ff) == 0xda || (id >> 16 & 0x3ff) == 0xdb);
}

static int check_fixed(const struct step_call *call, const struct value *known, struct error *err)
{
	static const char *const names[] = {"request_id", "response_id"};
	int64_t ids[2];

	for (unsigned i = 0; i < 2; i++) {
		if (!known_integer(known, names[i], &ids[i]))
			return 0;
		if (!is_fixed(ids[i]))
			return call_refuse(call, names[i], err,
			                   "normal-fixed addressing has 29-bit identifiers 0x18DAttss or 0x18DBttss, `%s` is 0x%llx",
			                   names[i], (unsigned long long)ids[i]);
	}
	/* A functional request is answered with a physical one. */
	if ((ids[0] >> 16 & 0xff) == 0xdb || ids[1] == ((ids[0] & ~0xffff) | (ids[0] & 0xff) << 8 | (ids[0] >> 8 & 0xff)))
		return 0;
	return call_refuse(call, "response_id", err,
	                   "the addresses in `response_id` 0x%llx are not those of `request_id` 0x%llx, exchanged",
	                   (unsigned long long)ids[1], (unsigned long long)ids[0]);
}

static int check_extension(const struct step_call *call, const char *addressing, struct error *err)
{
	static const char *const names[] = {"extension_tx", "extension_rx"};
	bool needed = strcmp(addressing, "extended") == 0 || strcmp(addressing, "mixed") == 0;

	for (unsigned i = 0; i < 2; i++) {
		bool there = value_get(call->args, names[i]) != NULL;

		if (needed && !there)
			return call_refuse(call, "addressing", err, "%s addressing needs `%s`: the address byte before the PCI", addressing,
			                   names[i]);
		if (!needed && there)
			return call_refuse(call, names[i], err, "%s addressing has no address byte: `%s` says nothing", addressing,
			                   names[i]);
	}
	return 0;
}

static int check_ids(const struct step_call *call, const struct value *known, struct error *err)
{
	int64_t request, response;
	bool extended;
	int r;

	if ((r = can_check_id(call, known, "request_id", err)) < 0 || (r = can_check_id(call, known, "response_id", err)) < 0)
		return r;
	if (!known_integer(known, "request_id", &request) || !known_integer(known, "response_id", &response))
		return 0;
	if (request == response)
		return call_refuse(call, value_get(call->args, "response_id") ? "response_id" : "request_id", err,
		                   "`request_id` and `response_id` are both 0x%llx: two nodes must not send one identifier",
		                   (unsigned long long)request);
	if (!known_bool(known, "extended", &extended) && (request > 0x7ff) != (response > 0x7ff))
		return call_refuse(call, request > 0x7ff ? "request_id" : "response_id", err,
		                   "one identifier has 11 bits, the other 29: `extended: true` makes both 29 bits");
	return 0;
}

static int check_tx_dl(const struct step_call *call, const struct value *known, struct error *err)
{
	int64_t tx_dl;
	bool fd;

	if (!known_integer(known, "tx_dl", &tx_dl) || !known_bool(known, "fd", &fd))
		return 0;
	if (!fd && tx_dl != 8)
		return call_refuse(call, "tx_dl", err, "`tx_dl` is %lld: a classic frame (`fd: false`) has 8 bytes", (long long)tx_dl);
	return can_check_length(call, known, "tx_dl", true, err);
}

static int set_check(const struct step_call *call, const struct value *known, struct error *err)
{
	const char *addressing = known_text(known, "addressing");
	int r = check_ids(call, known, err);

	if (r == 0)
		r = check_tx_dl(call, known, err);
	if (r == 0 && addressing)
		r = check_extension(call, addressing, err);
	return r == 0 && addressing && strcmp(addressing, "normal-fixed") == 0 ? check_fixed(call, known, err) : r;
}

static int bytes_of_call(struct step_context *context, const struct step_call *call, struct isotp_options *options, struct error *err)
{
	const struct {
		const char *name;
		uint8_t *field;
		int64_t fallback;
	} fields[] = {{"extension_tx", &options->extension_tx, 0},      {"extension_rx", &options->extension_rx, 0},
	              {"tx_dl", &options->tx_dl, options->fd ? 64 : 8}, {"padding", &options->padding, 0xcc},
	              {"block_size", &options->block_size, 0},          {"st_min", &options->st_min, 0}};
	int64_t value;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < sizeof(fields) / sizeof(*fields); i++) {
		r = step_arg_integer(context, call, fields[i].name, fields[i].fallback, &value, err);
		if (r == 0)
			*fields[i].field = (uint8_t)value;
	}
	return r;
}

static int setup_of_call(struct step_context *context, const struct step_call *call, struct isotp_setup *setup, struct error *err)
{
	struct isotp_options *options = &setup->options;
	const char *addressing;
	int64_t wft_max, limit;
	int r;

	isotp_setup_default(setup);
	if ((r = ids_of_call(context, call, setup, err)) < 0 || (r = step_arg_text(context, call, "addressing", &addressing, err)) < 0 ||
	    (r = step_arg_bool(context, call, "fd", true, &options->fd, err)) < 0 ||
	    (r = step_arg_bool(context, call, "pad", true, &options->pad, err)) < 0 ||
	    (r = bytes_of_call(context, call, options, err)) < 0 ||
	    (r = step_arg_integer(context, call, "wft_max", 8, &wft_max, err)) < 0 ||
	    (r = step_arg_integer(context, call, "receive_limit", 0, &limit, err)) < 0 ||
	    (r = step_arg_integer(context, call, "n_bs", 1000000000, &options->n_bs_ns, err)) < 0 ||
	    (r = step_arg_integer(context, call, "n_cr", 1000000000, &options->n_cr_ns, err)) < 0)
		return r;
	options->wft_max = (unsigned)wft_max;
	options->receive_limit = limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit;
	for (int i = 0; addressings[i]; i++)
		if (strcmp(addressings[i], addressing) == 0)
			options->addressing = (enum isotp_addressing)i;
	return 0;
}

static int isotp_set_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct isotp_session *session;
	struct isotp_setup setup;
	struct bus_watch *watch;
	const char *name;
	int r;

	if ((r = step_arg_text(context, call, "connection", &name, err)) < 0 || (r = bus_watch_of_call(context, call, &watch, err)) < 0 ||
	    (r = setup_of_call(context, call, &setup, err)) < 0)
		return r;
	r = isotp_session_open(context, watch, name, &setup, &session, err);
	if (r < 0 && err && err->domain == ERROR_TESTCASE)
		err->place = call->place;
	return r;
}

const struct step_def step_isotp_set = {
        .name = "isotp.set",
        .doc = "Opens an ISO-TP connection with these parameters, or opens it anew: what is not given has its default. Without this step a "
               "connection opens with the defaults at its first use.",
        .example = "- isotp.set: {block_size: 2, st_min: 5}",
        .args = set_args,
        .run = isotp_set_run,
        .check = set_check,
};

/* ---- isotp.misbehave --------------------------------------------------------------------------------------- */

static const struct arg_def misbehave_args[] = {
        ARG_BUS,
        ARG_SESSION,
        {"wrong_sn_at", VALUE_INTEGER, 0, NULL, NULL, 0, 100000, "Number of the consecutive frame, from 1, with a wrong SN."},
        {"skip_cf_at", VALUE_INTEGER, 0, NULL, NULL, 0, 100000, "Number of the consecutive frame that is left out."},
        {"repeat_cf_at", VALUE_INTEGER, 0, NULL, NULL, 0, 100000, "Number of the consecutive frame that is sent twice."},
        {"ignore_st_min", VALUE_BOOL, 0, "false", NULL, 0, 0, "Do not keep the gap asked for."},
        {"ignore_block_size", VALUE_BOOL, 0, "false", NULL, 0, 0, "Do not wait for flow control after a block."},
        {"no_flow_control", VALUE_BOOL, 0, "false", NULL, 0, 0, "Send no flow control, wait for none."},
        {"waits", VALUE_INTEGER, 0, NULL, NULL, 0, 1000, "FC.WAIT so often before the flow control."},
        {"wait_gap", VALUE_DURATION, ARG_POSITIVE, NULL, NULL, 0, 0, "Between two FC.WAIT (default 100 ms)."},
        {"flow_delay", VALUE_DURATION, 0, NULL, NULL, 0, 0, "Before each flow control."},
        {"flow_status", VALUE_INTEGER, 0, NULL, NULL, 1, 15, "FS sent: 2 overflow, 3 to 15 reserved."},
        {"short_flow_control", VALUE_INTEGER, 0, NULL, NULL, 1, 2, "Flow control of so many bytes."},
        {"first_frame_fits_single", VALUE_BOOL, 0, "false", NULL, 0, 0, "A first frame although a single one would do."},
        {"escape_small", VALUE_BOOL, 0, "false", NULL, 0, 0, "32-bit length although 12 bits would do."},
        {"cf_delay", VALUE_DURATION, 0, NULL, NULL, 0, 0, "Before each consecutive frame."},
        {"announce", VALUE_SIZE, 0, NULL, NULL, 0, 0, "Length that is claimed."},
        {NULL},
};

static int numbers_of_call(struct step_context *context, const struct step_call *call, struct isotp_misdeeds *misdeeds, struct error *err)
{
	int64_t status, length, announce;
	const struct {
		const char *name;
		unsigned *field;
	} counts[] = {{"wrong_sn_at", &misdeeds->wrong_sn_at},
	              {"skip_cf_at", &misdeeds->skip_cf_at},
	              {"repeat_cf_at", &misdeeds->repeat_cf_at},
	              {"waits", &misdeeds->waits_before_flow}};
	int r = 0;

	for (unsigned i = 0; r == 0 && i < sizeof(counts) / sizeof(*counts); i++) {
		r = step_arg_integer(context, call, counts[i].name, 0, &length, err);
		if (r == 0)
			*counts[i].field = (unsigned)length;
	}
	if (r < 0 || (r = step_arg_integer(context, call, "flow_status", 0, &status, err)) < 0 ||
	    (r = step_arg_integer(context, call, "short_flow_control", 0, &length, err)) < 0 ||
	    (r = step_arg_integer(context, call, "announce", 0, &announce, err)) < 0)
		return r;
	misdeeds->flow_status = (int)status;
	misdeeds->short_flow_control = (uint8_t)length;
	misdeeds->announce_length = announce > UINT32_MAX ? UINT32_MAX : (uint32_t)announce;
	return 0;
}

static int misdeeds_of_call(struct step_context *context, const struct step_call *call, struct isotp_misdeeds *misdeeds, struct error *err)
{
	const struct {
		const char *name;
		bool *field;
	} flags[] = {{"ignore_st_min", &misdeeds->ignore_st_min},
	             {"ignore_block_size", &misdeeds->ignore_block_size},
	             {"no_flow_control", &misdeeds->no_flow_control},
	             {"first_frame_fits_single", &misdeeds->first_frame_fits_single},
	             {"escape_small", &misdeeds->escape_small}};
	const struct {
		const char *name;
		int64_t *field;
	} times[] = {{"cf_delay", &misdeeds->delay_cf_ns},
	             {"wait_gap", &misdeeds->wait_gap_ns},
	             {"flow_delay", &misdeeds->delay_flow_control_ns}};
	int r = numbers_of_call(context, call, misdeeds, err);

	for (unsigned i = 0; r == 0 && i < sizeof(flags) / sizeof(*flags); i++)
		r = step_arg_bool(context, call, flags[i].name, false, flags[i].field, err);
	for (unsigned i = 0; r == 0 && i < sizeof(times) / sizeof(*times); i++)
		r = step_arg_integer(context, call, times[i].name, 0, times[i].field, err);
	return r;
}

static int isotp_misbehave_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct isotp_misdeeds misdeeds = {0};
	struct isotp_session *session;
	int r;

	if ((r = session_of_call(context, call, &session, err)) < 0 || (r = misdeeds_of_call(context, call, &misdeeds, err)) < 0)
		return r;
	isotp_misbehave(session->link, &misdeeds);
	return 0;
}

const struct step_def step_isotp_misbehave = {
        .name = "isotp.misbehave",
        .doc = "What an ISO-TP connection of ours does wrong from here on. Without arguments it behaves again.",
        .example = "- isotp.misbehave: {wrong_sn_at: 3}",
        .args = misbehave_args,
        .run = isotp_misbehave_run,
};

/* ---- messages of calls ------------------------------------------------------------------------------------- */

#define MESSAGE_ARGS                                                                                                                       \
	ARG_BUS, ARG_SESSION, {"data", VALUE_BYTES, ARG_REQUIRED, NULL, NULL, 0, 0, "The message, or its begin."},                         \
	        {"length", VALUE_SIZE, ARG_POSITIVE, NULL, NULL, 0, 0, "Continued to this length by counting bytes."}

#define FACT_RESULTS                                                                                                                       \
	{"result", VALUE_TEXT, "N_Result of the message that we sent: N_OK, N_TIMEOUT_Bs, …"},                                             \
	        {"flow_controls", VALUE_INTEGER, "Flow controls of the node."}, {"waits", VALUE_INTEGER, "FC.WAIT among them."},           \
	        {"overflows", VALUE_INTEGER, "FC overflow among them."}, {"block_size", VALUE_INTEGER, "BS of the last one."},             \
	        {"st_min", VALUE_INTEGER, "STmin of the last one."},                                                                       \
	        {"flow_control", VALUE_BYTES, "The last one, without padding above 8 bytes."},                                             \
	        {"consecutive_frames", VALUE_INTEGER, "Consecutive frames received."},                                                     \
	        {"smallest_gap", VALUE_DURATION, "Shortest time between the ends of two of them within a block."},                         \
	        {"largest_gap", VALUE_DURATION, "Longest time between the ends of two of them within a block."}

static int facts_set(struct step_context *context, const struct isotp_session *session)
{
	struct isotp_facts facts;

	isotp_facts_read(session->link, &facts);
	if (step_result_text(context, "result", isotp_result_name(isotp_send_result(session->link))) < 0 ||
	    step_result_integer(context, "flow_controls", facts.flow_controls) < 0 ||
	    step_result_integer(context, "waits", facts.waits) < 0 || step_result_integer(context, "overflows", facts.overflows) < 0 ||
	    step_result_integer(context, "block_size", facts.block_size) < 0 || step_result_integer(context, "st_min", facts.st_min) < 0 ||
	    step_result_bytes(context, "flow_control", facts.last_fc, facts.last_fc_length) < 0 ||
	    step_result_integer(context, "consecutive_frames", facts.consecutive_frames) < 0 ||
	    step_result_duration(context, "smallest_gap", facts.smallest_cf_gap_ns) < 0)
		return -ENOMEM;
	return step_result_duration(context, "largest_gap", facts.largest_cf_gap_ns);
}

static int message_check(const struct step_call *call, const struct value *known, struct error *err)
{
	const struct bytes *data = known_bytes(known, "data");
	int64_t length;

	if (data && data->length == 0)
		return call_refuse(call, "data", err, "ISO-TP has no empty message");
	if (!known_integer(known, "length", &length))
		return 0;
	if (length > MESSAGE_MAX)
		return call_refuse(call, "length", err, "a message has at most 64 MiB here");
	if (data && (int64_t)data->length > length)
		return call_refuse(call, "length", err, "`length` is %lld, but `data` has %zu bytes", (long long)length, data->length);
	return 0;
}

static int message_of_call(struct step_context *context, const struct step_call *call, struct bytes *ret, struct error *err)
{
	const struct bytes *data;
	int64_t length;
	int r;

	if ((r = step_arg_bytes(context, call, "data", &data, err)) < 0 ||
	    (r = step_arg_integer(context, call, "length", 0, &length, err)) < 0)
		return r;
	if (bytes_append(ret, data->data, data->length) < 0)
		return out_of_memory(err);
	while ((int64_t)ret->length < length)
		if (bytes_append_u8(ret, (uint8_t)ret->length) < 0)
			return out_of_memory(err);
	return 0;
}

/* Begins the call's message and waits for its end; how it ended is in the link's send result. */
static int message_send(struct step_context *context, const struct step_call *call, struct isotp_session *session, int64_t within_ns,
                        struct error *err)
{
	struct bytes message = {0};
	int r = message_of_call(context, call, &message, err);

	if (r == 0) {
		isotp_session_forget(session);
		r = isotp_session_send(session, message.data, message.length, err);
	}
	bytes_free(&message);
	if (r == 0)
		r = isotp_session_sent(context, session, within_ns, err);
	/* What did not get through says nothing of the device when we were off the bus. */
	if (r == -ETIMEDOUT || (r == 0 && isotp_send_result(session->link) != ISOTP_OK))
		r = bus_listened(&(struct bus_listening){session->watch, session->begun_ns}, -ETIMEDOUT, err);
	return r == -ETIMEDOUT ? 0 : r;
}

static int check_sent(struct step_context *context, const struct isotp_session *session, struct error *err)
{
	enum isotp_result result = isotp_send_result(session->link);

	if (result == ISOTP_OK)
		return 0;
	return step_check_failed(context, err, "N_OK", isotp_result_name(result), "the message was not sent: %s",
	                         isotp_result_name(result));
}

/* ---- isotp.send -------------------------------------------------------------------------------------------- */

static const struct arg_def send_args[] = {
        MESSAGE_ARGS,
        {"within", VALUE_DURATION, ARG_POSITIVE, "5s", NULL, 0, 0, "How long the whole transfer may take."},
        {NULL},
};
static const struct result_def send_results[] = {FACT_RESULTS, {NULL}};

static int isotp_send_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct isotp_session *session;
	int64_t within_ns;
	int r;

	if ((r = session_of_call(context, call, &session, err)) < 0 ||
	    (r = step_arg_integer(context, call, "within", 5000000000, &within_ns, err)) < 0 ||
	    (r = message_send(context, call, session, within_ns, err)) < 0)
		return r;
	if (!call->expect && (r = check_sent(context, session, err)) < 0)
		return r;
	return facts_set(context, session) < 0 ? out_of_memory(err) : 0;
}

const struct step_def step_isotp_send = {
        .name = "isotp.send",
        .doc = "Sends a message over ISO-TP and waits until it was sent. Without `expect` it must end with N_OK.",
        .example = "- isotp.send: {data: \"3e 00\", length: 4095B, expect: {result: N_OK, flow_controls: 1}}",
        .flags = STEP_ACTION,
        .args = send_args,
        .results = send_results,
        .run = isotp_send_run,
        .check = message_check,
};

/* ---- isotp.request, isotp.receive -------------------------------------------------------------------------- */

#define RECEIVED_RESULTS                                                                                                                   \
	{"response", VALUE_BYTES, "The whole message; empty when none came."}, {"length", VALUE_INTEGER, "Its length."},                   \
	        {"receive_result", VALUE_TEXT, "N_Result of the reception; \"none\" when nothing came."},                                  \
	        {"after", VALUE_DURATION, "From the end of our last frame to the end of the last frame that came."}

static int received_set(struct step_context *context, const struct isotp_session *session, const struct bytes *message, const char *result)
{
	if (step_result_bytes(context, "response", message->data, message->length) < 0 ||
	    step_result_integer(context, "length", (int64_t)message->length) < 0 ||
	    step_result_text(context, "receive_result", result) < 0 ||
	    step_result_duration(context, "after", session->received_ns - session->sent_ns) < 0)
		return -ENOMEM;
	return facts_set(context, session);
}

static bool is_pending(const struct bytes *message)
{
	return message->length == 3 && message->data[0] == 0x7f && message->data[2] == 0x78;
}

/* Waits for a message, through 0x78. *ret_result: its name; 0 also when none came to a bench that listened since then. */
static int answer_wait(struct step_context *context, struct isotp_session *session, int64_t since_ns, int64_t within_ns, bool silent,
                       struct bytes *ret, const char **ret_result, struct error *err)
{
	struct bus_listening listening = {session->watch, since_ns};
	int r;

	do {
		bytes_free(ret);
		*ret = (struct bytes){0};
		r = isotp_session_receive(context, session, within_ns, ret, err);
	} while (r == 0 && is_pending(ret));
	*ret_result = r == 0 ? "N_OK" : r == -EPIPE ? isotp_result_name(isotp_receive_result(session->link)) : "none";
	if (r == -EPIPE) /* a reception that broke off: by our own deafness? */
		r = bus_listened(&listening, -ETIMEDOUT, err);
	else
		r = silent ? bus_heard_nothing(&listening, r, err) : bus_listened(&listening, r, err);
	return r == -ETIMEDOUT ? 0 : r;
}

static int answer_judge(struct step_context *context, const struct step_call *call, const struct isotp_session *session,
                        const struct bytes *message, const char *result, bool silent, struct error *err)
{
	int r = 0;

	if (silent && message->length) {
		char *hex = bytes_to_hex(message->data, message->length, 32);

		r = step_check_failed(context, err, "silence", hex, "an answer came, though none is due");
		free(hex);
	} else if (!silent && !call->expect && strcmp(result, "N_OK") != 0) {
		r = step_check_failed(context, err, "a message", result, "no message came");
	}
	if (r == 0 && received_set(context, session, message, result) < 0)
		r = out_of_memory(err);
	return r;
}

static const struct arg_def request_args[] = {
        MESSAGE_ARGS,
        {"within", VALUE_DURATION, ARG_POSITIVE, "5s", NULL, 0, 0, "How long the sending may take."},
        {"answer_within", VALUE_DURATION, ARG_POSITIVE, "500ms", NULL, 0, 0, "How long the answer may take; after 0x78 again."},
        {"silent", VALUE_BOOL, 0, "false", NULL, 0, 0, "No answer is expected: one fails the step."},
        {NULL},
};
static const struct result_def request_results[] = {RECEIVED_RESULTS, FACT_RESULTS, {NULL}};

static int isotp_request_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	int64_t within_ns, answer_within_ns;
	struct isotp_session *session;
	struct bytes answer = {0};
	const char *result;
	bool silent;
	int r;

	if ((r = session_of_call(context, call, &session, err)) < 0 ||
	    (r = step_arg_integer(context, call, "within", 5000000000, &within_ns, err)) < 0 ||
	    (r = step_arg_integer(context, call, "answer_within", 500000000, &answer_within_ns, err)) < 0 ||
	    (r = step_arg_bool(context, call, "silent", false, &silent, err)) < 0 ||
	    (r = message_send(context, call, session, within_ns, err)) < 0)
		return r;
	if (!call->expect && (r = check_sent(context, session, err)) < 0)
		return r;
	r = answer_wait(context, session, session->begun_ns, answer_within_ns, silent, &answer, &result, err);
	if (r == 0)
		r = answer_judge(context, call, session, &answer, result, silent, err);
	bytes_free(&answer);
	return r;
}

const struct step_def step_isotp_request = {
        .name = "isotp.request",
        .doc = "Sends a message to a node over ISO-TP and waits for its answer, 0x78 included. Without `expect` the sending must end with "
               "N_OK and an answer must come.",
        .example = "- isotp.request: {data: \"22 f1 90\", expect: {response: {bytes: \"62 f1 90 ..\"}}}",
        .flags = STEP_ACTION,
        .args = request_args,
        .results = request_results,
        .run = isotp_request_run,
        .check = message_check,
};

static const struct arg_def receive_args[] = {
        ARG_BUS,
        ARG_SESSION,
        {"within", VALUE_DURATION, ARG_POSITIVE, "2s", NULL, 0, 0, "How long to wait."},
        {"silent", VALUE_BOOL, 0, "false", NULL, 0, 0, "No message may come meanwhile."},
        {NULL},
};

static int isotp_receive_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct isotp_session *session;
	struct bytes answer = {0};
	const char *result;
	int64_t within_ns;
	bool silent;
	int r;

	if ((r = session_of_call(context, call, &session, err)) < 0 ||
	    (r = step_arg_integer(context, call, "within", 2000000000, &within_ns, err)) < 0 ||
	    (r = step_arg_bool(context, call, "silent", false, &silent, err)) < 0)
		return r;
	r = answer_wait(context, session, loop_now_ns(), within_ns, silent, &answer, &result, err);
	if (r == 0)
		r = answer_judge(context, call, session, &answer, result, silent, err);
	bytes_free(&answer);
	return r;
}

const struct step_def step_isotp_receive = {
        .name = "isotp.receive",
        .doc = "Waits for a whole message of a node.",
        .example = "- isotp.receive: {within: 500ms, expect: {receive_result: N_OK}}",
        .args = receive_args,
        .results = request_results,
        .run = isotp_receive_run,
};

/* ---- isotp.frame ------------------------------------------------------------------------------------------- */

static const struct arg_def frame_args[] = {
        ARG_BUS,
        {"data", VALUE_BYTES, ARG_REQUIRED | ARG_SCALAR, NULL, NULL, 0, 0, "The frame's bytes, PCI included; nothing is filled up to 8."},
        {"id", VALUE_INTEGER, 0, "0x7e0", NULL, 0, 0x1fffffff, "Identifier."},
        {"extended", VALUE_BOOL, 0, NULL, NULL, 0, 0, "29-bit identifier (default: as soon as it needs more than 11 bits)."},
        {"fd", VALUE_BOOL, 0, "true", NULL, 0, 0, "CAN FD frame with bit rate switch."},
        {NULL},
};

static int isotp_frame_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct can_message message = {0};
	const struct bytes *data;
	struct bus_watch *watch;
	int64_t id;
	bool fd, extended;
	int r;

	if ((r = bus_watch_of_call(context, call, &watch, err)) < 0 || (r = step_arg_bytes(context, call, "data", &data, err)) < 0 ||
	    (r = step_arg_integer(context, call, "id", 0x7e0, &id, err)) < 0 ||
	    (r = step_arg_bool(context, call, "extended", id > 0x7ff, &extended, err)) < 0 ||
	    (r = step_arg_bool(context, call, "fd", true, &fd, err)) < 0)
		return r;
	message.id = (uint32_t)id;
	message.flags = (uint8_t)((fd ? CAN_MESSAGE_FD | CAN_MESSAGE_BRS : 0) | (extended ? CAN_MESSAGE_EXTENDED : 0));
	bus_message_set_data(&message, data->data, data->length, 0xcc);
	return bus_transmit(context, watch, &message, NULL, err);
}

const struct step_def step_isotp_frame = {
        .name = "isotp.frame",
        .doc = "Sends one frame of an ISO-TP link by hand; what comes back is for can.expect. No connection of ours is opened by it.",
        .example = "- isotp.frame: \"10 0a 22 f1 90 f1 90 f1\"",
        .flags = STEP_ACTION,
        .args = frame_args,
        .run = isotp_frame_run,
        .check = can_check_frame,
};
