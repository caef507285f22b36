/* SPDX-License-Identifier: Apache-2.0 */
#include "supply.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig_keys.h"
#include "rig_private.h"
#include "supply_private.h"
#include "supply_units.h"

#define CLOSE_NS       (INT64_C(5) * 1000000000)
#define RESTORE_NS     (INT64_C(3) * 1000000000)
#define QUIET_NS       (INT64_C(300) * 1000000) /* after a change nothing is said of a missing voltage */
#define LOW_LIMIT      2U
#define MISSING_NS     (INT64_C(2) * 1000000000)
#define AGAIN_NS       (INT64_C(500) * 1000000) /* to come back, however rarely it is measured */
#define SHORTEST_EVERY (INT64_C(10) * 1000000)

static const struct supply_driver *const drivers[] = {
        &supply_scpi,
        &supply_gpio,
        &supply_command,
};

static const struct supply_driver *driver_find(const char *name)
{
	for (size_t i = 0; name && i < sizeof(drivers) / sizeof(*drivers); i++)
		if (!strcmp(drivers[i]->name, name))
			return drivers[i];
	return NULL;
}

/* ---- the map ---- */

static int read_map(const struct value *map, struct supply *ret, struct error *err)
{
	const struct value *voltage = value_get(map, "voltage"), *limit = value_get(map, "current_limit"),
	                   *off = value_get(map, "off_at_end");
	int r = voltage ? supply_value_voltage(voltage, "voltage", &ret->nominal_mv, err) : 0;
	if (r == 0 && limit)
		r = supply_value_current(limit, "current_limit", &ret->limit_ma, err);
	if (r == 0)
		r = supply_value_time(map, "measure_every", 0, &ret->measure_every_ns, err);
	if (r == 0 && value_get(map, "measure_every") && ret->measure_every_ns < SHORTEST_EVERY)
		r = error_set_place(err, ERROR_USAGE, ERANGE, value_get(map, "measure_every")->place, "`measure_every` is at least 10ms");
	ret->off_at_end = off && off->boolean;
	return r;
}

int supply_check_map(const struct value *map, struct error *err)
{
	const struct supply_driver *driver = driver_find(map_text(map, "driver"));
	struct supply read = {0};
	if (!driver)
		return error_set_place(err, ERROR_USAGE, EINVAL, map->place, "`power` lacks `driver`");
	int r = rig_keys_of_driver(map, driver->name, driver->keys, err);
	if (r == 0)
		r = driver->check(map, err);
	return r == 0 ? read_map(map, &read, err) : r;
}

/* ---- measurements without being asked ---- */

static void trip(struct supply *supply, int32_t mv, int32_t ma, struct instant at)
{
	(void)snprintf(supply->tripped, sizeof(supply->tripped),
	               "the output gives %" PRId32 " mV of %" PRIu32 " mV, %" PRId32
	               " mA, although it was switched on: did its protection trip, or was it switched off by hand?",
	               mv, supply->now_mv, ma);
	timeline_emit(supply->timeline, at, supply->channel, "supply.trip",
	              json_pack("{s:i,s:i,s:i}", "voltage_mv", (int)mv, "current_ma", (int)ma, "set_mv", (int)supply->now_mv));
}

static void tell(const struct supply *supply, json_t *stolen_text)
{
	timeline_emit_now(supply->timeline, supply->channel, "note", json_pack("{s:o}", "text", stolen_text));
}

void supply_missing(struct supply *supply, const char *why)
{
	if (supply->missing[0])
		return;
	(void)snprintf(supply->missing, sizeof(supply->missing), "%s", why);
	const int64_t now_ns = loop_now_ns();
	supply->missing_ns = supply->measured_ns ? supply->measured_ns : now_ns;
	supply->fault_ns = supply->missing_ns + MISSING_NS;
	if (supply->fault_ns < now_ns + AGAIN_NS)
		supply->fault_ns = now_ns + AGAIN_NS;
	tell(supply, json_sprintf("the supply gives no measurement any more: %s", supply->missing));
}

static void found_again(struct supply *supply)
{
	tell(supply, json_sprintf("the supply measures again, after %.1f s", (double)(loop_now_ns() - supply->missing_ns) / 1e9));
	supply->missing[0] = '\0';
}

void supply_measured(struct supply *supply, int32_t mv, int32_t ma, struct instant at)
{
	if (supply->missing[0])
		found_again(supply);
	supply->measured_ns = at.ns;
	timeline_emit(supply->timeline, at, supply->channel, "supply.measure",
	              json_pack("{s:i,s:i}", "voltage_mv", (int)mv, "current_ma", (int)ma));
	bool expected = supply->on && supply->now_mv >= 1000 && at.ns - supply->changed_ns > QUIET_NS;
	supply->low = expected && mv < (int32_t)(supply->now_mv / 5) ? supply->low + 1 : 0;
	if (supply->low == LOW_LIMIT && !supply->tripped[0])
		trip(supply, mv, ma, at);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	struct supply *supply = context;
	supply->driver->look(supply);
	(void)sd_event_source_set_time(source, usec + (uint64_t)supply->measure_every_ns / 1000);
	return 0;
}

static int begin_looking(struct supply *supply, struct error *err)
{
	if (!supply->measure_every_ns || !supply->driver->look)
		return 0;
	uint64_t first = (uint64_t)(loop_now_ns() + supply->measure_every_ns) / 1000;
	int r = sd_event_add_time(loop_event(supply->loop), &supply->timer, CLOCK_MONOTONIC, first, 1000, on_timer, supply);
	if (r >= 0)
		r = sd_event_source_set_enabled(supply->timer, SD_EVENT_ON);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot make a timer: %s", strerror(-r)) : 0;
}

/* ---- open, close ---- */

int supply_open(struct supply **ret, struct rig *rig, const struct value *map, const char *channel, struct error *err)
{
	struct supply *supply = calloc(1, sizeof(*supply));
	if (!supply || !(supply->channel = strdup(channel))) {
		free(supply);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	supply->rig = rig;
	supply->loop = rig->loop;
	supply->timeline = rig->timeline;
	supply->map = map;
	int r = supply_check_map(map, err);
	if (r == 0)
		r = read_map(map, supply, err);
	if (r == 0) {
		supply->driver = driver_find(map_text(map, "driver"));
		r = supply->driver->open(supply, err);
	}
	if (r == 0)
		r = begin_looking(supply, err);
	if (r < 0) {
		supply->on = false; /* nothing of ours to be taken back */
		supply_close(supply);
		return r;
	}
	*ret = supply;
	return 0;
}

int supply_end(struct supply *supply, struct error *err)
{
	struct instant at;
	const bool due = supply->off_at_end && supply->on;
	supply->timer = sd_event_source_disable_unref(supply->timer);
	supply->off_at_end = false;
	int r = due ? supply_switch(supply, false, loop_now_ns() + CLOSE_NS, &at, err) : 0;
	if (r < 0)
		error_prefix(err, "the power could not be switched off at the end");
	return r;
}

void supply_keep(struct supply *supply)
{
	supply->off_at_end = false;
}

void supply_close(struct supply *supply)
{
	if (!supply)
		return;
	struct error error = {0};
	if (supply_end(supply, &error) < 0)
		tell(supply, json_sprintf("%s", error.message));
	if (supply->driver)
		supply->driver->close(supply);
	free(supply->channel);
	free(supply);
}

/* ---- verbs ---- */

static int cannot(const struct supply *supply, const char *what, struct error *err)
{
	return error_set(err, ERROR_BENCH, EOPNOTSUPP, "power by driver %s: it cannot %s", supply->driver->name, what);
}

static void tell_set(struct supply *supply)
{
	json_t *data = json_object();
	if (supply->set)
		json_object_set_new(data, "voltage_mv", json_integer(supply->now_mv));
	if (supply->now_ma)
		json_object_set_new(data, "current_limit_ma", json_integer(supply->now_ma));
	timeline_emit_now(supply->timeline, supply->channel, "supply.set", data);
}

int supply_switch(struct supply *supply, bool on, int64_t deadline_ns, struct instant *ret_at, struct error *err)
{
	supply->tripped[0] = '\0';
	supply->low = 0;
	supply->changed_ns = loop_now_ns();
	bool before = supply->on;
	supply->on = on;
	int r = supply->driver->output(supply, on, deadline_ns, ret_at, err);
	supply->changed_ns = loop_now_ns();
	/* After a failure nobody knows: what would be worse is assumed. */
	if (r < 0)
		supply->on = before || on;
	return r;
}

int supply_settle(struct supply *supply, int64_t deadline_ns, struct error *err)
{
	return supply->on && supply->driver->settle ? supply->driver->settle(supply, deadline_ns, err) : 0;
}

int supply_is_on(struct supply *supply, bool *ret, int64_t deadline_ns, struct error *err)
{
	return supply->driver->is_on ? supply->driver->is_on(supply, ret, deadline_ns, err) : cannot(supply, "tell whether it is on", err);
}

/* Without a line in the journal: a ramp has many. */
static int set_voltage(struct supply *supply, uint32_t mv, int64_t deadline_ns, struct error *err)
{
	if (!supply->driver->voltage)
		return cannot(supply, "set a voltage", err);
	int r = supply->driver->voltage(supply, mv, deadline_ns, err);
	supply->changed_ns = loop_now_ns();
	supply->low = 0;
	if (r == 0) {
		supply->now_mv = mv;
		supply->set = true;
	}
	return r;
}

int supply_set_voltage(struct supply *supply, uint32_t mv, int64_t deadline_ns, struct error *err)
{
	int r = set_voltage(supply, mv, deadline_ns, err);
	if (r == 0)
		tell_set(supply);
	return r;
}

int supply_set_limit(struct supply *supply, uint32_t ma, int64_t deadline_ns, struct error *err)
{
	if (!supply->driver->limit)
		return cannot(supply, "limit the current", err);
	int r = supply->driver->limit(supply, ma, deadline_ns, err);
	if (r == 0) {
		supply->now_ma = ma;
		tell_set(supply);
	}
	return r;
}

int supply_measure(struct supply *supply, int32_t *ret_mv, int32_t *ret_ma, int64_t deadline_ns, struct error *err)
{
	int32_t mv, ma;
	if (!supply->driver->measure)
		return cannot(supply, "measure", err);
	int64_t begin_ns = loop_now_ns();
	int r = supply->driver->measure(supply, &mv, &ma, deadline_ns, err);
	if (r < 0)
		return r;
	struct instant at = instant_now();
	at.uncertainty_ns += (at.ns - begin_ns) / 2;
	at.ns -= (at.ns - begin_ns) / 2;
	supply_measured(supply, mv, ma, at);
	*ret_mv = mv;
	*ret_ma = ma;
	return 0;
}

int supply_check(struct supply *supply, char *ret_identity, size_t size, int64_t deadline_ns, struct error *err)
{
	return supply->driver->identify(supply, ret_identity, size, deadline_ns, err);
}

int supply_prepare(struct supply *supply, int64_t deadline_ns, struct error *err)
{
	struct instant at;
	int r = supply_switch(supply, false, deadline_ns, &at, err);
	if (r == 0 && supply->limit_ma)
		r = supply_set_limit(supply, supply->limit_ma, deadline_ns, err);
	if (r == 0 && supply->nominal_mv)
		r = supply_set_voltage(supply, supply->nominal_mv, deadline_ns, err);
	return r;
}

int supply_restore(struct supply *supply, int64_t deadline_ns, struct error *err)
{
	int r = 0;
	if (supply->limit_ma && supply->now_ma != supply->limit_ma)
		r = supply_set_limit(supply, supply->limit_ma, deadline_ns, err);
	if (r == 0 && supply->nominal_mv && supply->now_mv != supply->nominal_mv)
		r = supply_set_voltage(supply, supply->nominal_mv, deadline_ns, err);
	return r;
}

int supply_alive(const struct supply *supply, struct error *err)
{
	const char *address = map_text(supply->map, "address");
	if (supply->tripped[0])
		return error_set(err, ERROR_BENCH, EIO, "power supply %s: %s", address ? address : "", supply->tripped);
	const int64_t now_ns = loop_now_ns();
	if (supply->missing[0] && now_ns >= supply->fault_ns)
		return error_set(err, ERROR_BENCH, EIO, "no measurement for %.1f s: %s", (double)(now_ns - supply->missing_ns) / 1e9,
		                 supply->missing);
	return supply->driver->alive ? supply->driver->alive(supply, err) : 0;
}

uint32_t supply_voltage(const struct supply *supply)
{
	return supply->now_mv;
}

uint32_t supply_limit(const struct supply *supply)
{
	return supply->now_ma;
}

const char *supply_driver_name(const struct supply *supply)
{
	return supply->driver->name;
}

struct supply *supply_of_board(struct rig_board *board)
{
	return board->supply;
}

/* ---- profiles ---- */

static int rest(struct supply *supply, int64_t until_ns, int64_t deadline_ns, struct error *err)
{
	int r = loop_until(supply->loop, NULL, NULL, until_ns < deadline_ns ? until_ns : deadline_ns);
	if (r == -ECANCELED)
		return error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	return until_ns > deadline_ns ? error_set(err, ERROR_BENCH, ETIMEDOUT, "the profile takes longer than its deadline") : 0;
}

/* A straight line in time: each setting is what is due when it is sent, so a slow device makes coarser steps, not a longer ramp. */
static int ramp(struct supply *supply, const struct supply_level *level, int64_t deadline_ns, struct error *err)
{
	const int64_t from = supply->now_mv, begin_ns = loop_now_ns(), end_ns = begin_ns + level->ramp_ns;
	int r = 0;
	for (int64_t now_ns = begin_ns; r == 0 && now_ns < end_ns; now_ns = loop_now_ns()) {
		double share = (double)(now_ns - begin_ns) / (double)level->ramp_ns;
		uint32_t due = (uint32_t)(from + (int64_t)(((double)level->millivolts - (double)from) * share));
		if (due != supply->now_mv)
			r = set_voltage(supply, due, deadline_ns, err);
		if (r == 0)
			r = rest(supply, loop_now_ns() + 1000000, deadline_ns, err);
	}
	return r;
}

static int levels(struct supply *supply, const struct supply_level *level, size_t count, int64_t deadline_ns, struct error *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (level[i].ramp_ns > 0)
			r = ramp(supply, &level[i], deadline_ns, err);
		/* The hold begins when the level is sent: a glitch is as long as it was asked for, not longer by the answer. */
		int64_t begin_ns = loop_now_ns();
		if (r == 0)
			r = supply_set_voltage(supply, level[i].millivolts, deadline_ns, err);
		if (r == 0)
			r = rest(supply, begin_ns + level[i].hold_ns, deadline_ns, err);
	}
	return r;
}

static json_t *describe(const struct supply_level *level, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:i,s:I,s:I}", "voltage_mv", (int)level[i].millivolts, "hold_ns",
		                                      (json_int_t)level[i].hold_ns, "ramp_ns", (json_int_t)level[i].ramp_ns));
	return json_pack("{s:o}", "levels", list);
}

int supply_profile(struct supply *supply, const struct supply_level *level, size_t count, int64_t deadline_ns, struct error *err)
{
	const uint32_t back_mv = supply->nominal_mv ? supply->nominal_mv : supply->now_mv;
	struct error lost;
	if (!supply->driver->voltage)
		return cannot(supply, "set a voltage", err);
	if (!back_mv)
		return error_set(err, ERROR_BENCH, EINVAL, "the supply's voltage is not known: `power` lacks `voltage`");
	timeline_emit_now(supply->timeline, supply->channel, "supply.profile", describe(level, count));
	int r = levels(supply, level, count, deadline_ns, err);
	int64_t limit_ns = loop_now_ns() + RESTORE_NS;
	int back = supply_set_voltage(supply, back_mv, r < 0 || limit_ns > deadline_ns ? limit_ns : deadline_ns, r < 0 ? &lost : err);
	return r < 0 ? r : back;
}
