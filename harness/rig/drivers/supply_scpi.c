/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bench supplies that speak SCPI-1999 over raw TCP. Each setting is followed by *OPC? (IEEE 488.2, 10.19: it is answered when the setting
 * is complete) and by SYST:ERR? (SCPI-1999 volume 2, 21.8): what an instrument refuses it says only there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../rig_private.h"
#include "../supply_units.h"
#include "supply_scpi.h"

#define ERRORS_MAX 32 /* a queue that never gets empty is broken */
#define SETTLE_NS  (INT64_C(1) * 1000000000)
#define POLL_NS    (INT64_C(10) * 1000000)

static int scpi_check(const struct value *map, struct error *err)
{
	const struct value *address = value_get(map, "address");
	int64_t settle_ns;
	if (!address)
		return error_set_place(err, ERROR_USAGE, EINVAL, map->place, "driver scpi lacks `address`");
	if (value_get(map, "current_limit") && !value_get(map, "voltage"))
		return error_set_place(err, ERROR_USAGE, EINVAL, map->place, "driver scpi lacks `voltage`");
	return supply_value_time(map, "settle", SETTLE_NS, &settle_ns, err);
}

static int scpi_open(struct supply *supply, struct error *err)
{
	struct scpi *scpi = calloc(1, sizeof(*scpi));
	const char *dialect = map_text(supply->map, "dialect");
	const struct value *channel = value_get(supply->map, "channel");
	if (!scpi)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	supply->state = scpi;
	scpi->list = dialect && !strcmp(dialect, "list");
	scpi->channel = channel ? (unsigned)channel->integer : scpi->list ? 1 : SCPI_CHANNEL_NONE;
	int r = supply_value_time(supply->map, "settle", SETTLE_NS, &scpi->settle_ns, err);
	return r < 0 ? r : scpi_link_get(&scpi->link, supply->loop, map_text(supply->map, "address"), err);
}

static void scpi_close(struct supply *supply)
{
	struct scpi *scpi = supply->state;
	if (scpi && scpi->link) {
		scpi_forget(scpi->link, supply);
		scpi_link_put(scpi->link);
	}
	free(scpi);
	supply->state = NULL;
}

/* ---- session ---- */

bool scpi_error_code(const char *answer, long *ret)
{
	char *end;
	*ret = strtol(answer, &end, 10);
	return end != answer && (!*end || *end == ',');
}

static int device_error(const struct supply *supply, const char *command, const char *answer, struct error *err)
{
	return error_set(err, ERROR_BENCH, EREMOTEIO, "power supply %s: refuses \"%s\": %s", map_text(supply->map, "address"), command,
	                 answer);
}

/* Reads the error queue until it is empty; the first entry is the one that counts. command NULL: whatever is there is only looked at. */
static int read_errors(struct supply *supply, const char *command, int64_t deadline_ns, struct error *err)
{
	struct scpi *scpi = supply->state;
	char answer[SCPI_ANSWER_MAX], first[SCPI_ANSWER_MAX] = "";
	for (unsigned i = 0; i < ERRORS_MAX; i++) {
		long code;
		int r = scpi_ask(scpi->link, "SYST:ERR?", answer, deadline_ns, err);
		if (r < 0)
			return r;
		if (!scpi_error_code(answer, &code))
			return error_set(err, ERROR_BENCH, EBADMSG, "power supply %s: answers \"SYST:ERR?\" with \"%.60s\"",
			                 map_text(supply->map, "address"), answer);
		if (code == 0)
			return first[0] ? device_error(supply, command ? command : "something before", first, err) : 0;
		if (!first[0])
			(void)snprintf(first, sizeof(first), "%s", answer);
	}
	return error_set(err, ERROR_BENCH, EIO, "power supply %s: its error queue does not get empty: %s", map_text(supply->map, "address"),
	                 first);
}

int scpi_look_at_identity(struct supply *supply, const char *answer, struct error *err)
{
	struct scpi *scpi = supply->state;
	const char *wanted = map_text(supply->map, "identity");
	(void)snprintf(scpi->identity, sizeof(scpi->identity), "%.120s", answer);
	if (wanted && !strstr(answer, wanted))
		return error_set(err, ERROR_BENCH, ENODEV, "power supply %s: it is \"%.120s\", not a \"%s\" (`identity`)",
		                 map_text(supply->map, "address"), answer, wanted);
	return 0;
}

static int identify(struct supply *supply, int64_t deadline_ns, struct error *err)
{
	struct scpi *scpi = supply->state;
	char answer[SCPI_ANSWER_MAX];
	int r = scpi_ask(scpi->link, "*IDN?", answer, deadline_ns, err);
	return r < 0 ? r : scpi_look_at_identity(supply, answer, err);
}

/* A connection that is new: the right instrument, and an error queue that holds only what is ours. */
static int session(struct supply *supply, int64_t deadline_ns, struct error *err)
{
	struct scpi *scpi = supply->state;
	int r = scpi_begin(scpi->link, deadline_ns, err);
	if (r < 0 || scpi->generation == scpi_generation(scpi->link))
		return r;
	r = identify(supply, deadline_ns, err);
	if (r == 0)
		r = scpi_tell(scpi->link, "*CLS", err);
	if (r == 0)
		scpi->generation = scpi_generation(scpi->link);
	else
		scpi_end(scpi->link);
	return r;
}

bool scpi_selects(const struct scpi *scpi)
{
	return !scpi->list && scpi->channel != SCPI_CHANNEL_NONE;
}

int scpi_look_at_selection(const struct supply *supply, const char *answer, struct error *err)
{
	const struct scpi *scpi = supply->state;
	char *end;
	double number = strtod(answer, &end);
	if (end != answer && !*end && number > scpi->channel - 0.5 && number < scpi->channel + 0.5)
		return 0;
	return error_set(err, ERROR_BENCH, EBADMSG, "power supply %s: after \"INST:NSEL %u\" it answers \"INST:NSEL?\" with \"%.60s\"",
	                 map_text(supply->map, "address"), scpi->channel, answer);
}

/* Whatever follows would go to the channel that was selected before, which is another board's: so the refusal is looked for each time,
 * and once a connection whether the instrument took the number in silence. */
static int select_it(struct supply *supply, int64_t deadline_ns, struct error *err)
{
	struct scpi *scpi = supply->state;
	char message[32], answer[SCPI_ANSWER_MAX];
	(void)snprintf(message, sizeof(message), "INST:NSEL %u", scpi->channel);
	int r = scpi_tell(scpi->link, message, err);
	if (r == 0)
		r = read_errors(supply, message, deadline_ns, err);
	if (r < 0 || scpi->selected == scpi_generation(scpi->link))
		return r;
	r = scpi_ask(scpi->link, "INST:NSEL?", answer, deadline_ns, err);
	if (r == 0)
		r = scpi_look_at_selection(supply, answer, err);
	if (r == 0)
		scpi->selected = scpi_generation(scpi->link);
	return r;
}

static int select_channel(struct supply *supply, int64_t deadline_ns, struct error *err)
{
	struct scpi *scpi = supply->state;
	int r = session(supply, deadline_ns, err);
	if (r < 0 || !scpi_selects(scpi))
		return r;
	r = select_it(supply, deadline_ns, err);
	if (r < 0)
		scpi_end(scpi->link);
	return r;
}

/* "VOLT", "12.000" -> "VOLT 12.000" or "VOLT 12.000,(@2)". */
static int setting(struct supply *supply, const char *header, const char *value, int64_t deadline_ns, struct error *err)
{
	struct scpi *scpi = supply->state;
	char message[64], answer[SCPI_ANSWER_MAX];
	if (scpi->list)
		(void)snprintf(message, sizeof(message), "%s %s,(@%u)", header, value, scpi->channel);
	else
		(void)snprintf(message, sizeof(message), "%s %s", header, value);
	int r = scpi_tell(scpi->link, message, err);
	if (r == 0)
		r = scpi_ask(scpi->link, "*OPC?", answer, deadline_ns, err);
	if (r < 0) {
		error_prefix(err, "after \"%s\"", message);
		return r;
	}
	if (strcmp(answer, "1"))
		return error_set(err, ERROR_BENCH, EBADMSG, "power supply %s: answers \"*OPC?\" after \"%s\" with \"%.60s\" in place of 1",
		                 map_text(supply->map, "address"), message, answer);
	return read_errors(supply, message, deadline_ns, err);
}

static int set(struct supply *supply, const char *header, const char *value, int64_t deadline_ns, struct error *err)
{
	struct scpi *scpi = supply->state;
	int r = select_channel(supply, deadline_ns, err);
	if (r < 0)
		return r;
	r = setting(supply, header, value, deadline_ns, err);
	scpi_end(scpi->link);
	return r;
}

static int scpi_voltage(struct supply *supply, uint32_t mv, int64_t deadline_ns, struct error *err)
{
	char value[24];
	(void)snprintf(value, sizeof(value), "%" PRIu32 ".%03" PRIu32, mv / 1000, mv % 1000);
	return set(supply, "VOLT", value, deadline_ns, err);
}

static int scpi_limit(struct supply *supply, uint32_t ma, int64_t deadline_ns, struct error *err)
{
	char value[24];
	(void)snprintf(value, sizeof(value), "%" PRIu32 ".%03" PRIu32, ma / 1000, ma % 1000);
	return set(supply, "CURR", value, deadline_ns, err);
}

/* ---- measuring ---- */

/* Both in one message, so that they are of one moment: the answers come in one line, with `;` between (488.2, 8.4.1). */
void scpi_measure_message(const struct scpi *scpi, char *message, size_t size)
{
	if (scpi->list)
		(void)snprintf(message, size, "MEAS:VOLT? (@%u);:MEAS:CURR? (@%u)", scpi->channel, scpi->channel);
	else if (scpi_selects(scpi))
		(void)snprintf(message, size, "INST:NSEL %u;:MEAS:VOLT?;:MEAS:CURR?", scpi->channel);
	else
		(void)snprintf(message, size, "MEAS:VOLT?;:MEAS:CURR?");
}

int scpi_read_measured(const struct supply *supply, const char *message, char *answer, int32_t *ret_mv, int32_t *ret_ma, struct error *err)
{
	const struct scpi *scpi = supply->state;
	char *second = strchr(answer, ';');
	if (!second)
		return error_set(err, ERROR_BENCH, EBADMSG, "power supply %s: answers \"%s\" with \"%.60s\" in place of two numbers",
		                 map_text(supply->map, "address"), message, answer);
	*second++ = '\0';
	int r = scpi_milli(scpi->link, "MEAS:VOLT?", answer, "V", ret_mv, err);
	return r < 0 ? r : scpi_milli(scpi->link, "MEAS:CURR?", second, "A", ret_ma, err);
}

static int measure(struct supply *supply, int32_t *ret_mv, int32_t *ret_ma, int64_t deadline_ns, struct error *err)
{
	struct scpi *scpi = supply->state;
	char message[64], answer[SCPI_ANSWER_MAX];
	scpi_measure_message(scpi, message, sizeof(message));
	int r = session(supply, deadline_ns, err);
	/* A channel that the instrument has once taken it takes again. */
	if (r == 0 && scpi_selects(scpi) && scpi->selected != scpi_generation(scpi->link))
		r = select_channel(supply, deadline_ns, err);
	if (r < 0)
		return r;
	r = scpi_ask(scpi->link, message, answer, deadline_ns, err);
	scpi_end(scpi->link);
	return r < 0 ? r : scpi_read_measured(supply, message, answer, ret_mv, ret_ma, err);
}

/* ---- output ---- */

static int ask_output(struct supply *supply, bool *ret, int64_t deadline_ns, struct error *err)
{
	struct scpi *scpi = supply->state;
	char message[32] = "OUTP?", answer[SCPI_ANSWER_MAX];
	if (scpi->list)
		(void)snprintf(message, sizeof(message), "OUTP? (@%u)", scpi->channel);
	int r = select_channel(supply, deadline_ns, err);
	if (r < 0)
		return r;
	r = scpi_ask(scpi->link, message, answer, deadline_ns, err);
	scpi_end(scpi->link);
	if (r < 0)
		return r;
	bool on = !strcmp(answer, "1") || !strcmp(answer, "ON"), off = !strcmp(answer, "0") || !strcmp(answer, "OFF");
	if (!on && !off)
		return error_set(err, ERROR_BENCH, EBADMSG, "power supply %s: answers \"%s\" with \"%.60s\" in place of 0 or 1",
		                 map_text(supply->map, "address"), message, answer);
	*ret = on;
	return 0;
}

/* It gives no voltage although it took the command. */
static int not_settled(struct supply *supply, int32_t mv, int32_t ma, int64_t deadline_ns, struct error *err)
{
	bool on = true;
	const char *address = map_text(supply->map, "address");
	int r = ask_output(supply, &on, deadline_ns, err);
	if (r < 0)
		return r;
	if (!on)
		return error_set(err, ERROR_BENCH, EIO,
		                 "power supply %s: the output switched itself off: did its protection trip (short circuit?)", address);
	if (supply->now_ma && ma >= (int32_t)(supply->now_ma - supply->now_ma / 20))
		return error_set(
		        err, ERROR_BENCH, EIO,
		        "power supply %s: %.3f V of %.3f V: the current limit of %.3f A holds it down (short circuit, or limit too small?)",
		        address, mv / 1e3, supply->now_mv / 1e3, supply->now_ma / 1e3);
	return error_set(err, ERROR_BENCH, EIO, "power supply %s: the output is on but gives %.3f V of %.3f V", address, mv / 1e3,
	                 supply->now_mv / 1e3);
}

static int settle(struct supply *supply, int64_t deadline_ns, struct error *err)
{
	struct scpi *scpi = supply->state;
	int64_t end_ns = loop_now_ns() + scpi->settle_ns;
	int32_t mv = 0, ma = 0;
	if (!supply->now_mv || !scpi->settle_ns)
		return 0;
	for (;;) {
		int r = measure(supply, &mv, &ma, deadline_ns, err);
		if (r < 0)
			return r;
		if (mv >= (int32_t)(supply->now_mv - supply->now_mv / 10))
			return 0;
		if (loop_now_ns() >= end_ns)
			return not_settled(supply, mv, ma, deadline_ns, err);
		if (loop_until(supply->loop, NULL, NULL, loop_now_ns() + POLL_NS) == -ECANCELED)
			return error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	}
}

static int scpi_output(struct supply *supply, bool on, int64_t deadline_ns, struct instant *ret_at, struct error *err)
{
	struct scpi *scpi = supply->state;
	int r = select_channel(supply, deadline_ns, err);
	if (r < 0)
		return r;
	int64_t begin_ns = loop_now_ns();
	r = setting(supply, "OUTP", on ? "ON" : "OFF", deadline_ns, err);
	struct instant at = instant_now();
	scpi_end(scpi->link);
	if (r < 0)
		return r;
	/* Somewhere between the command and the answer that it is done. */
	at.uncertainty_ns += (at.ns - begin_ns) / 2;
	at.ns -= (at.ns - begin_ns) / 2;
	*ret_at = at;
	return 0;
}

static int scpi_identify(struct supply *supply, char *ret_identity, size_t size, int64_t deadline_ns, struct error *err)
{
	struct scpi *scpi = supply->state;
	int r = scpi_begin(scpi->link, deadline_ns, err);
	if (r < 0)
		return r;
	r = identify(supply, deadline_ns, err);
	if (r == 0)
		r = read_errors(supply, NULL, deadline_ns, err);
	scpi_end(scpi->link);
	if (r == 0)
		(void)snprintf(ret_identity, size, "%s", scpi->identity);
	return r;
}

static const char *const keys[] = {"address",  "channel",       "dialect", "voltage",    "current_limit",
                                   "identity", "measure_every", "settle",  "off_at_end", NULL};

const struct supply_driver supply_scpi = {
        .name = "scpi",
        .keys = keys,
        .check = scpi_check,
        .open = scpi_open,
        .close = scpi_close,
        .output = scpi_output,
        .settle = settle,
        .is_on = ask_output,
        .identify = scpi_identify,
        .voltage = scpi_voltage,
        .limit = scpi_limit,
        .measure = measure,
        .look = scpi_look,
};
