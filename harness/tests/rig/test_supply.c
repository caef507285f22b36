/* SPDX-License-Identifier: Apache-2.0 */
/* Supplies: units, an instrument that behaves and misbehaves, programs, GPIO lines that are not there. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../rig/gpio_chip.h"
#include "../../rig/rig_private.h"
#include "../../rig/run_command.h"
#include "../../rig/supply.h"
#include "../../rig/supply_units.h"
#include "scpi_server.h"

#define SECOND_NS INT64_C(1000000000)

static struct rig rig;
static struct error error;
static struct scpi_server *server;
static struct supply *supply;
static struct value *map;
static struct instant at;
static unsigned trips, measured, notes;
static char last_note[400];
static int64_t last_measured_ns, last_note_ns;
static double again_s, again_most_s; /* the silence as it was told, and how long it was when that was seen */

static void on_event(const struct event *event, void *context)
{
	(void)context;
	trips += !strcmp(event->kind, "supply.trip");
	measured += !strcmp(event->kind, "supply.measure");
	if (!strcmp(event->kind, "supply.measure"))
		last_measured_ns = event->at.ns;
	if (strcmp(event->kind, "note") != 0)
		return;
	notes++;
	(void)snprintf(last_note, sizeof(last_note), "%s", json_string_value(json_object_get(event->data, "text")));
	last_note_ns = loop_now_ns();
	if (sscanf(last_note, "the supply measures again, after %lf s", &again_s) == 1)
		again_most_s = (double)(last_note_ns - last_measured_ns) / 1e9;
}

static void setup(void)
{
	memset(&error, 0, sizeof(error));
	trips = measured = notes = 0;
	supply = NULL;
	map = NULL;
	ck_assert_int_eq(loop_new(&rig.loop, &error), 0);
	ck_assert_int_eq(timeline_new(&rig.timeline, NULL, 1000, &error), 0);
	ck_assert_int_eq(timeline_observe(rig.timeline, on_event, NULL), 0);
	server = scpi_server_new();
	scpi_server_rule(server, "*IDN?", "ACME,PS3,1,2\n", 0, false);
	scpi_server_rule(server, "*OPC?", "1\r\n", 0, false);
	scpi_server_rule(server, "SYST:ERR?", "0,\"No error\"\n", 0, false);
	scpi_server_rule(server, "MEAS:VOLT?;:MEAS:CURR?", "+1.20000E+01;+3.50000E-01\n", 0, false);
	scpi_server_rule(server, "OUTP?", "1\n", 0, false);
	scpi_server_rule(server, "INST:NSEL?", "2\n", 0, false);
	scpi_server_rule(server, "INST:NSEL 2;:MEAS:VOLT?;:MEAS:CURR?", "12;0.1\n", 0, false);
}

static void teardown(void)
{
	supply_close(supply);
	value_free(map);
	scpi_server_free(server);
	timeline_free(rig.timeline);
	loop_free(rig.loop);
}

static int64_t soon(void)
{
	return loop_now_ns() + 10 * SECOND_NS;
}

/* `more` follows the address in the map. */
static int open_supply(const char *more)
{
	char text[512];
	int length = snprintf(text, sizeof(text), "{driver: scpi, address: \"%s\", voltage: 12V, current_limit: 2A%s}",
	                      scpi_server_address(server), more);
	ck_assert_int_eq(value_parse_text("map", text, (size_t)length, &map, &error), 0);
	return supply_open(&supply, &rig, map, "board:x", &error);
}

static void must_open(const char *more)
{
	ck_assert_msg(open_supply(more) == 0, "%s", error.message);
}

/* ---- units ---- */

static const struct {
	const char *text;
	int volts, amperes; /* mV, mA; -1: refused */
} quantities[] = {
        {"12V", 12000, -1},     {"3300mV", 3300, -1},   {"1.5 V", 1500, -1},
        {"0V", 0, -1},          {"12.345V", 12345, -1}, {"12.3450V", 12345, -1},
        {"2A", -1, 2000},       {"500mA", -1, 500},     {"12", -1, -1},
        {"V", -1, -1},          {"-1V", -1, -1},        {"12.3456V", -1, -1},
        {"1.5mV", -1, -1},      {"12v", -1, -1},        {"12V ", -1, -1},
        {"1000V", 1000000, -1}, {"1001V", -1, -1},      {"99999999999999999999V", -1, -1},
        {"1e1V", -1, -1},       {".5V", -1, -1},        {"", -1, -1},
        {"12VV", -1, -1},
};

START_TEST(quantities_have_units)
{
	uint32_t mv = 77, ma = 77;
	int r = supply_parse_voltage(quantities[_i].text, &mv);
	ck_assert_int_eq(r == 0 ? (int)mv : -1, quantities[_i].volts);
	r = supply_parse_current(quantities[_i].text, &ma);
	ck_assert_int_eq(r == 0 ? (int)ma : -1, quantities[_i].amperes);
}
END_TEST

/* ---- SCPI ---- */

START_TEST(a_supply_is_set_up_and_switched)
{
	int32_t mv = 0, ma = 0;
	int64_t begin_ns = loop_now_ns();
	must_open(", identity: PS3");
	ck_assert_uint_eq(scpi_server_connections(server), 0);
	ck_assert_msg(supply_prepare(supply, soon(), &error) == 0, "%s", error.message);
	ck_assert_uint_eq(scpi_server_heard(server, "OUTP OFF"), 1);
	ck_assert_uint_eq(scpi_server_heard(server, "CURR 2.000"), 1);
	ck_assert_uint_eq(scpi_server_heard(server, "VOLT 12.000"), 1);
	ck_assert_uint_eq(scpi_server_heard(server, "*OPC?"), 3);
	ck_assert_uint_eq(scpi_server_heard(server, "SYST:ERR?"), 3);
	ck_assert_uint_eq(scpi_server_heard(server, "INST:NSEL 1"), 0);
	ck_assert_int_eq(supply_switch(supply, true, soon(), &at, &error), 0);
	ck_assert(at.ns > begin_ns && at.ns <= loop_now_ns() && at.uncertainty_ns > 0);
	ck_assert_int_eq(supply_settle(supply, soon(), &error), 0);
	ck_assert_int_eq(supply_measure(supply, &mv, &ma, soon(), &error), 0);
	ck_assert_int_eq(mv, 12000);
	ck_assert_int_eq(ma, 350);
	ck_assert_uint_eq(supply_voltage(supply), 12000);
	ck_assert_uint_eq(scpi_server_connections(server), 1);
}
END_TEST

START_TEST(channels_are_named_by_dialect)
{
	scpi_server_rule(server, "MEAS:VOLT? (@3);:MEAS:CURR? (@3)", "5 V;20 mA\n", 0, false);
	int32_t mv, ma;
	must_open(", channel: 3, dialect: list");
	ck_assert_int_eq(supply_set_voltage(supply, 5000, soon(), &error), 0);
	ck_assert_uint_eq(scpi_server_heard(server, "VOLT 5.000,(@3)"), 1);
	ck_assert_int_eq(supply_measure(supply, &mv, &ma, soon(), &error), 0);
	ck_assert_int_eq(mv, 5000);
	ck_assert_int_eq(ma, 20);
	supply_close(supply);
	value_free(map);
	supply = NULL;
	must_open(", channel: 2");
	ck_assert_int_eq(supply_set_limit(supply, 100, soon(), &error), 0);
	ck_assert_uint_eq(scpi_server_heard(server, "INST:NSEL 2"), 1);
	ck_assert_uint_eq(scpi_server_heard(server, "CURR 0.100"), 1);
}
END_TEST

enum { VOLTAGE, LIMIT, OFF, IS_ON, MEASURE, SELECTING };

static int use_channel(int what)
{
	int32_t mv, ma;
	bool on;
	switch (what) {
	case VOLTAGE:
		return supply_set_voltage(supply, 9000, soon(), &error);
	case LIMIT:
		return supply_set_limit(supply, 7000, soon(), &error);
	case OFF:
		return supply_switch(supply, false, soon(), &at, &error);
	case IS_ON:
		return supply_is_on(supply, &on, soon(), &error);
	default:
		return supply_measure(supply, &mv, &ma, soon(), &error);
	}
}

/* Another board is at the channel that was selected before: it must hear nothing, whether the instrument says that it refused, or is
 * silent about it. */
START_TEST(a_channel_that_is_not_there)
{
	static const char *const forbidden[] = {"VOLT 9.000", "CURR 7.000", "OUTP OFF", "OUTP?", "INST:NSEL 9;:MEAS:VOLT?;:MEAS:CURR?"};
	const int what = _i % SELECTING;
	must_open(", channel: 9");
	if (_i < SELECTING)
		scpi_server_rule(server, "SYST:ERR?", "-222,\"Data out of range\"\n", 0, false);
	ck_assert_int_lt(use_channel(what), 0);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_msg(strstr(error.message, _i < SELECTING ? "-222,\"Data out of range\"" : "answers \"INST:NSEL?\" with \"2\"") != NULL,
	              "%s", error.message);
	ck_assert_msg(strstr(error.message, "INST:NSEL 9") || _i < SELECTING, "%s", error.message);
	ck_assert_uint_eq(scpi_server_heard(server, "INST:NSEL 9"), 1);
	ck_assert_uint_eq(scpi_server_heard(server, forbidden[what]), 0);
}
END_TEST

static const struct {
	const char *message, *answer, *said;
	unsigned delay_ms;
	bool close;
} faults[] = {
        {"*OPC?", "1\n", "no answer to \"*OPC?\" in time", 6000, false},
        {"*OPC?", "0\n", "in place of 1", 0, false},
        {"*OPC?", "\xff\x80\n", "no text: \"\\xff\\x80\"", 0, false},
        {"*OPC?", "1", "it closed the connection in the middle of the answer (\"1\")", 0, true},
        {"*OPC?", NULL, "is another program connected?", 0, true},
        {"SYST:ERR?", "-222,\"Data out of range\"\n", "error queue does not get empty: -222", 0, false},
        {"SYST:ERR?", "fine\n", "answers \"SYST:ERR?\" with \"fine\"", 0, false},
        {"*IDN?", "OTHER,X,1,1\n", "it is \"OTHER,X,1,1\", not a \"PS3\"", 0, false},
};

START_TEST(a_fault_is_told_in_time_and_the_next_call_works)
{
	int64_t begin_ns = loop_now_ns();
	must_open(", identity: PS3");
	scpi_server_rule(server, faults[_i].message, faults[_i].answer, faults[_i].delay_ms, faults[_i].close);
	ck_assert_int_lt(supply_set_voltage(supply, 9000, begin_ns + (faults[_i].delay_ms ? SECOND_NS / 2 : 10 * SECOND_NS), &error), 0);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_msg(strstr(error.message, faults[_i].said) != NULL, "%s", error.message);
	ck_assert_msg(strstr(error.message, scpi_server_address(server)) != NULL, "%s", error.message);
	ck_assert_int_lt(loop_now_ns() - begin_ns, 5 * SECOND_NS); /* before anything answers late, and before the other deadline */
	scpi_server_rule(server, "*OPC?", "1\n", 0, false);
	scpi_server_rule(server, "SYST:ERR?", "0,\"No error\"\n", 0, false);
	scpi_server_rule(server, "*IDN?", "ACME,PS3,1,2\n", 0, false);
	ck_assert_msg(supply_set_voltage(supply, 9000, loop_now_ns() + 30 * SECOND_NS, &error) == 0, "%s", error.message);
}
END_TEST

static const struct {
	const char *answer, *said;
} numbers[] = {
        {"12.0 OHM;0.1\n", "which is not in V"}, {"12.0 A;0.1\n", "which is not in V"}, {"12.0;0.1 V\n", "which is not in A"},
        {"ON;0.1\n", "which is no number"},      {"9.91E37;0.1\n", "not measured"},     {"12.0\n", "in place of two numbers"},
        {"9.9E37;9.9E37\n", "out of range"},     {";\n", "which is no number"},         {"nan;0\n", "which is no number"},
        {"+-1;0\n", "which is no number"},
};

START_TEST(answers_that_are_no_measurement)
{
	int32_t mv, ma;
	must_open("");
	scpi_server_rule(server, "MEAS:VOLT?;:MEAS:CURR?", numbers[_i].answer, 0, false);
	ck_assert_int_lt(supply_measure(supply, &mv, &ma, soon(), &error), 0);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_msg(strstr(error.message, numbers[_i].said) != NULL, "%s", error.message);
}
END_TEST

START_TEST(an_answer_without_end)
{
	static char endless[700];
	int32_t mv, ma;
	memset(endless, '1', sizeof(endless) - 1);
	must_open("");
	scpi_server_rule(server, "MEAS:VOLT?;:MEAS:CURR?", endless, 0, false);
	ck_assert_int_lt(supply_measure(supply, &mv, &ma, soon(), &error), 0);
	ck_assert_msg(strstr(error.message, "answer without end") != NULL, "%s", error.message);
}
END_TEST

START_TEST(a_voltage_that_does_not_come)
{
	static const char *const said[] = {"switched itself off", "current limit of 2.000 A", "is on but gives 3.000 V"};
	static const char *const measurement[] = {"0;0\n", "3;2.0\n", "3;0.1\n"};
	must_open(", settle: 50ms");
	ck_assert_int_eq(supply_prepare(supply, soon(), &error), 0);
	scpi_server_rule(server, "OUTP?", _i == 0 ? "0\n" : "1\n", 0, false);
	scpi_server_rule(server, "MEAS:VOLT?;:MEAS:CURR?", measurement[_i], 0, false);
	ck_assert_int_eq(supply_switch(supply, true, soon(), &at, &error), 0);
	ck_assert_int_lt(supply_settle(supply, soon(), &error), 0);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_msg(strstr(error.message, said[_i]) != NULL, "%s", error.message);
}
END_TEST

static bool has_tripped(void *context)
{
	(void)context;
	return trips > 0;
}

static bool has_measured(void *context)
{
	(void)context;
	return measured >= 5;
}

START_TEST(measured_without_being_asked)
{
	must_open(", measure_every: 10ms");
	ck_assert_int_eq(supply_prepare(supply, soon(), &error), 0);
	ck_assert_int_eq(supply_switch(supply, true, soon(), &at, &error), 0);
	ck_assert_int_eq(loop_until(rig.loop, has_measured, NULL, soon()), 0);
	ck_assert_int_eq(supply_alive(supply, &error), 0);
	ck_assert_int_eq(supply_set_limit(supply, 1500, soon(), &error), 0); /* between the measurements */
	scpi_server_rule(server, "MEAS:VOLT?;:MEAS:CURR?", "0;0\n", 0, false);
	ck_assert_int_eq(loop_until(rig.loop, has_tripped, NULL, soon()), 0);
	ck_assert_int_lt(supply_alive(supply, &error), 0);
	ck_assert_msg(strstr(error.message, "protection") != NULL, "%s", error.message);
	ck_assert_int_eq(supply_switch(supply, false, soon(), &at, &error), 0);
	ck_assert_int_eq(supply_alive(supply, &error), 0);
	ck_assert_uint_eq(trips, 1);
}
END_TEST

static bool has_noted(void *context)
{
	return notes >= *(const unsigned *)context;
}

/* *context: how long there was no measurement when it was asked, at least. */
static bool is_dead(void *context)
{
	const int64_t now_ns = loop_now_ns(), due_ns = last_measured_ns + 2 * SECOND_NS, again_ns = last_note_ns + SECOND_NS / 2;
	*(double *)context = (double)(now_ns - last_measured_ns) / 1e9;
	if (supply_alive(supply, &error) < 0)
		return true;
	/* Since then, but not without the chance to come back. */
	ck_assert_int_lt(now_ns, due_ns > again_ns ? due_ns : again_ns);
	return false;
}

#define ROUNDED_S 0.051

static void dies_in_time(void)
{
	double least_s, told_s;
	ck_assert_int_eq(loop_until(rig.loop, is_dead, &least_s, soon()), 0);
	const double most_s = (double)(loop_now_ns() - last_measured_ns) / 1e9;
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_msg(sscanf(error.message, "no measurement for %lf s", &told_s) == 1, "%s", error.message);
	ck_assert_msg(told_s > 2.0 - ROUNDED_S && told_s > least_s - ROUNDED_S && told_s < most_s + ROUNDED_S, "%s", error.message);
}

/* The cable is pulled, or the instrument hangs: the journal has it at once, the bench is at fault when it stays so, and an instrument
 * that comes back is measured again. */
START_TEST(a_supply_that_goes_away_while_it_is_measured)
{
	static const char question[] = "INST:NSEL 2;:MEAS:VOLT?;:MEAS:CURR?";
	static const char *const answers[] = {NULL, NULL, "12 A;0.1\n"};
	static const char *const said[] = {"it closed the connection", "no answer in time", "which is not in V"};
	unsigned wanted = 1;
	must_open(", channel: 2, measure_every: 10ms");
	ck_assert_msg(supply_prepare(supply, soon(), &error) == 0, "%s", error.message);
	ck_assert_int_eq(loop_until(rig.loop, has_measured, NULL, soon()), 0);
	scpi_server_rule(server, question, answers[_i], 0, _i == 0);
	ck_assert_int_eq(loop_until(rig.loop, has_noted, &wanted, soon()), 0);
	ck_assert_msg(strstr(last_note, said[_i]) && strstr(last_note, scpi_server_address(server)), "%s", last_note);
	if (_i < 2) {
		dies_in_time();
		ck_assert_msg(strstr(error.message, said[_i]) != NULL, "%s", error.message);
	}
	const double silent_s = (double)(loop_now_ns() - last_measured_ns) / 1e9;
	scpi_server_rule(server, question, "12;0.1\n", 0, false);
	measured = 0;
	wanted = 2;
	ck_assert_int_eq(loop_until(rig.loop, has_measured, NULL, soon()), 0);
	ck_assert_int_eq(supply_alive(supply, &error), 0);
	ck_assert_msg(notes == wanted && strstr(last_note, "measures again"), "%s", last_note);
	ck_assert_msg(again_s > silent_s - ROUNDED_S && again_s < again_most_s + ROUNDED_S, "%s", last_note);
}
END_TEST

struct hearing {
	const char *message;
	unsigned count;
};

static bool has_heard(void *context)
{
	const struct hearing *wanted = context;
	return scpi_server_heard(server, wanted->message) >= wanted->count;
}

/* Another instrument, or one that refuses the channel, is not what was measured before. */
START_TEST(what_comes_back_is_asked_who_it_is)
{
	static const char question[] = "INST:NSEL 2;:MEAS:VOLT?;:MEAS:CURR?";
	static const char *const questions[] = {"*IDN?", "SYST:ERR?", "INST:NSEL?"};
	static const char *const answers[] = {"OTHER,X,1,1\n", "-222,\"Data out of range\"\n", "1\n"};
	must_open(", channel: 2, measure_every: 10ms, identity: PS3");
	ck_assert_msg(supply_prepare(supply, soon(), &error) == 0, "%s", error.message);
	ck_assert_int_eq(loop_until(rig.loop, has_measured, NULL, soon()), 0);
	scpi_server_rule(server, questions[_i], answers[_i], 0, false);
	scpi_server_rule(server, question, NULL, 0, true);
	struct hearing again = {questions[_i], scpi_server_heard(server, questions[_i]) + 1};
	ck_assert_int_eq(loop_until(rig.loop, has_heard, &again, soon()), 0);
	const unsigned asked = scpi_server_heard(server, question);
	again.count += 3;
	ck_assert_int_eq(loop_until(rig.loop, has_heard, &again, soon()), 0);
	ck_assert_uint_ge(scpi_server_connections(server), 2);
	ck_assert_uint_eq(scpi_server_heard(server, question), asked);
}
END_TEST

START_TEST(off_at_the_end)
{
	must_open(_i == 0 ? ", off_at_end: true" : _i == 1 ? "" : ", off_at_end: true");
	ck_assert_int_eq(supply_switch(supply, true, soon(), &at, &error), 0);
	if (_i == 2)
		supply_keep(supply);
	ck_assert_int_eq(supply_end(supply, &error), 0);
	ck_assert_int_eq(supply_end(supply, &error), 0);
	supply_close(supply);
	supply = NULL;
	ck_assert_uint_eq(scpi_server_heard(server, "OUTP OFF"), _i == 0 ? 1 : 0);
}
END_TEST

START_TEST(off_at_the_end_in_vain)
{
	must_open(", off_at_end: true");
	ck_assert_int_eq(supply_switch(supply, true, soon(), &at, &error), 0);
	scpi_server_rule(server, "*OPC?", NULL, 0, true);
	if (_i == 0) {
		ck_assert_int_lt(supply_end(supply, &error), 0);
		ck_assert_msg(strstr(error.message, "could not be switched off at the end: ") != NULL, "%s", error.message);
	}
	supply_close(supply);
	supply = NULL;
	ck_assert_uint_eq(notes, _i == 0 ? 0 : 1);
}
END_TEST

START_TEST(a_profile_comes_back)
{
	static const struct supply_level levels[] = {{6000, 30000000, 20000000}, {0, 10000000, 0}};
	must_open("");
	ck_assert_int_eq(supply_prepare(supply, soon(), &error), 0);
	int64_t begin_ns = loop_now_ns();
	ck_assert_msg(supply_profile(supply, levels, 2, soon(), &error) == 0, "%s", error.message);
	ck_assert_int_ge(loop_now_ns() - begin_ns, 60000000);
	ck_assert_uint_eq(scpi_server_heard(server, "VOLT 6.000"), 1);
	ck_assert_uint_eq(scpi_server_heard(server, "VOLT 0.000"), 1);
	ck_assert_uint_eq(scpi_server_heard(server, "VOLT 12.000"), 2);
	ck_assert_uint_eq(supply_voltage(supply), 12000);
	/* In the middle of a profile something is refused: the nominal voltage comes back all the same. */
	ck_assert_int_lt(supply_profile(supply, levels, 2, loop_now_ns() + 5000000, &error), 0);
	ck_assert_uint_eq(supply_voltage(supply), 12000);
}
END_TEST

START_TEST(a_check_changes_nothing)
{
	char identity[64];
	must_open(", identity: PS3");
	ck_assert_int_eq(supply_check(supply, identity, sizeof(identity), soon(), &error), 0);
	ck_assert_str_eq(identity, "ACME,PS3,1,2");
	ck_assert_uint_eq(scpi_server_heard(server, "*CLS"), 0);
	ck_assert_uint_eq(scpi_server_heard(server, "OUTP OFF"), 0);
	scpi_server_rule(server, "SYST:ERR?", "-350,\"Queue overflow\"\n", 0, true);
	ck_assert_int_lt(supply_check(supply, identity, sizeof(identity), soon(), &error), 0);
}
END_TEST

START_TEST(nobody_at_the_address)
{
	char text[] = "{driver: scpi, address: \"127.0.0.1:1\", voltage: 12V}";
	ck_assert_int_eq(value_parse_text("map", text, strlen(text), &map, &error), 0);
	ck_assert_int_eq(supply_open(&supply, &rig, map, "board:x", &error), 0);
	ck_assert_int_eq(supply_prepare(supply, soon(), &error), -ECONNREFUSED);
	ck_assert_msg(strstr(error.message, "is its LAN interface on") != NULL, "%s", error.message);
}
END_TEST

/* ---- commands ---- */

static int open_text(const char *text)
{
	ck_assert_int_eq(value_parse_text("map", text, strlen(text), &map, &error), 0);
	return supply_open(&supply, &rig, map, "board:x", &error);
}

START_TEST(programs_switch_power)
{
	bool on = false;
	char identity[64];
	ck_assert_int_eq(
	        open_text("{driver: command, on: [/bin/true], off: [/bin/sh, -c, \"echo no $0; exit 3\", star], status: [/bin/false]}"), 0);
	ck_assert_int_eq(supply_switch(supply, true, soon(), &at, &error), 0);
	ck_assert_int_eq(supply_switch(supply, false, soon(), &at, &error), -EREMOTEIO);
	ck_assert_str_eq(error.message, "power off: /bin/sh ended with status 3: no star");
	ck_assert_int_eq(supply_is_on(supply, &on, soon(), &error), 0);
	ck_assert(!on);
	ck_assert_int_eq(supply_check(supply, identity, sizeof(identity), soon(), &error), 0);
	ck_assert_int_eq(supply_set_voltage(supply, 12000, soon(), &error), -EOPNOTSUPP);
	int32_t mv, ma;
	ck_assert_int_eq(supply_measure(supply, &mv, &ma, soon(), &error), -EOPNOTSUPP);
}
END_TEST

START_TEST(a_program_that_hangs_is_ended_with_its_children)
{
	char pid_file[] = "/tmp/test-supply-XXXXXX", text[256];
	int fd = mkstemp(pid_file), pid = 0;
	ck_assert_int_ge(fd, 0);
	close(fd);
	(void)snprintf(text, sizeof(text), "{driver: command, on: [/bin/sh, -c, \"sleep 60 & echo $! > %s; wait\"], off: [/bin/true]}",
	               pid_file);
	ck_assert_int_eq(open_text(text), 0);
	int64_t begin_ns = loop_now_ns();
	ck_assert_int_eq(supply_switch(supply, true, begin_ns + 3 * SECOND_NS, &at, &error), -ETIMEDOUT);
	ck_assert_int_lt(loop_now_ns() - begin_ns, 20 * SECOND_NS);
	ck_assert_msg(strstr(error.message, "/bin/sh has not ended within ") != NULL, "%s", error.message);
	FILE *file = fopen(pid_file, "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%d", &pid), 1);
	(void)fclose(file);
	(void)unlink(pid_file);
	for (int i = 0; i < 1000 && kill(pid, 0) == 0; i++) {
		char path[64], state[256] = "";
		(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		FILE *stat = fopen(path, "r");
		if (stat && !fgets(state, sizeof(state), stat))
			state[0] = '\0';
		if (stat)
			(void)fclose(stat);
		if (strstr(state, ") Z "))
			return; /* dead; whoever reaps orphans here has not come yet */
		usleep(10000);
	}
	ck_assert_int_eq(kill(pid, 0), -1);
}
END_TEST

/* Whatever time its caller has. */
START_TEST(a_program_has_five_seconds)
{
	ck_assert_int_eq(open_text("{driver: command, on: [/bin/sleep, \"60\"], off: [/bin/true]}"), 0);
	ck_assert_int_eq(supply_switch(supply, true, loop_now_ns() + 50 * SECOND_NS, &at, &error), -ETIMEDOUT);
	/* From the call, not from the begin of the program: a loaded machine takes its time in between. */
	double seconds = 0;
	ck_assert_msg(sscanf(error.message, "power on: /bin/sleep has not ended within %lf s", &seconds) == 1, "%s", error.message);
	ck_assert(seconds > 0 && seconds < 20);
}
END_TEST

START_TEST(a_program_that_is_not_there)
{
	ck_assert_int_eq(open_text("{driver: command, on: [/nowhere/relay], off: [/bin/true]}"), 0);
	ck_assert_int_eq(supply_switch(supply, true, soon(), &at, &error), -ENOENT);
	ck_assert_str_eq(error.message, "power on: /nowhere/relay cannot be run: No such file or directory");
	char identity[64];
	ck_assert_int_eq(supply_check(supply, identity, sizeof(identity), soon(), &error), -ENOENT);
}
END_TEST

START_TEST(a_program_talks_much)
{
	ck_assert_int_eq(
	        open_text("{driver: command, on: [/bin/sh, -c, \"head -c 300000 /dev/zero; echo the end; kill -9 $$\"], off: [/bin/true]}"),
	        0);
	ck_assert_int_eq(supply_switch(supply, true, soon(), &at, &error), -EREMOTEIO);
	ck_assert_msg(strstr(error.message, "was ended by signal 9: ") != NULL && strstr(error.message, "the end") != NULL, "%s",
	              error.message);
}
END_TEST

/* ---- GPIO ---- */

START_TEST(gpio_lines_that_are_not_there)
{
	static const char *const chips[] = {"/dev/gpiochip-none", "no-such-label", "/dev/null"};
	char text[128], identity[64];
	(void)snprintf(text, sizeof(text), "{driver: gpio, chip: %s, line: 5, on_delay: 5ms}", chips[_i]);
	ck_assert_int_eq(open_text(text), 0);
	ck_assert_int_lt(supply_switch(supply, true, soon(), &at, &error), 0);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_msg(strstr(error.message, chips[_i]) != NULL, "%s", error.message);
	ck_assert_int_lt(supply_check(supply, identity, sizeof(identity), soon(), &error), 0);
}
END_TEST

/* What a label is looked for among: a board's own chip, two adapters of one kind, one that nobody may open, one that just went. */
static const struct gpio_seen seen[] = {{.path = "/dev/gpiochip0", .label = "pinctrl"},
                                        {.path = "/dev/gpiochip1", .label = "ftdi-cbus", .serial = "A1"},
                                        {.path = "/dev/gpiochip2", .label = "ftdi-cbus", .serial = "A2"},
                                        {.path = "/dev/gpiochip3", .code = EACCES, .group = "gpio"},
                                        {.path = "/dev/gpiochip4", .code = ENODEV},
                                        {.path = "/dev/gpiochip5", .code = EACCES}};

static const struct {
	const char *wanted;
	unsigned count, chosen;
	int code;
	const char *words[6];
} choices[] = {
        {"pinctrl", 6, 0, 0, {0}},
        {"ftdi-cbus@A2", 6, 2, 0, {0}},
        {"gpiochip1", 6, 1, 0, {0}},
        {"ftdi-cbus", 6, 0, ENOTUNIQ, {"2 chips have this label", "ftdi-cbus@A1, ftdi-cbus@A2"}},
        {"relay",
         6,
         0,
         EACCES,
         {"there is no such chip among those that can be opened", "/dev/gpiochip0 is pinctrl", "/dev/gpiochip2 is ftdi-cbus@A2",
          "/dev/gpiochip3 may not be opened (it belongs to the group gpio)", "/dev/gpiochip4 cannot be opened (No such device)",
          "/dev/gpiochip5 may not be opened (it belongs to root alone)"}},
        {"relay", 3, 0, ENODEV, {"there is no such chip: /dev/gpiochip0 is pinctrl, /dev/gpiochip1 is ftdi-cbus@A1, "}},
        {"relay", 0, 0, ENODEV, {"there is no such chip: this machine has none at all"}},
        /* Its name alone is known of it, and it cannot be had. */
        {"gpiochip3", 6, 0, EACCES, {"/dev/gpiochip3 may not be opened"}},
};

START_TEST(gpio_chips_by_label)
{
	unsigned chosen = 99;
	memset(&error, 0, sizeof(error));
	int r = gpio_choose(seen, choices[_i].count, choices[_i].wanted, &chosen, &error);
	ck_assert_int_eq(r, -choices[_i].code);
	if (r == 0)
		ck_assert_uint_eq(chosen, choices[_i].chosen);
	for (unsigned i = 0; i < 6 && choices[_i].words[i]; i++)
		ck_assert_msg(strstr(error.message, choices[_i].words[i]) != NULL, "%s", error.message);
}
END_TEST

/* However many there are, the message ends well. */
START_TEST(gpio_chips_by_the_dozen)
{
	static struct gpio_seen many[64];
	unsigned chosen;
	memset(&error, 0, sizeof(error));
	for (unsigned i = 0; i < 64; i++) {
		(void)snprintf(many[i].path, sizeof(many[i].path), "/dev/gpiochip%u", i);
		(void)snprintf(many[i].label, sizeof(many[i].label), "an-adapter-with-a-long-label-%u", i);
	}
	ck_assert_int_eq(gpio_choose(many, 64, "none", &chosen, &error), -ENODEV);
	ck_assert_msg(strstr(error.message, "/dev/gpiochip0 is an-adapter-with-a-long-label-0, ") && strstr(error.message, ", and ") &&
	                      strstr(error.message, " more"),
	              "%s", error.message);
}
END_TEST

static const char *const wrong_maps[] = {
        "{driver: gpio, chip: x}",
        "{driver: gpio, line: 1}",
        "{driver: gpio, chip: x, line: 1, voltage: 12V}",
        "{driver: gpio, chip: x, line: 1, on_delay: 5}",
        "{driver: command, on: [/bin/true]}",
        "{driver: command, on: [true], off: [/bin/true]}",
        "{driver: command, on: [], off: [/bin/true]}",
        "{driver: scpi}",
        "{driver: scpi, address: \"1.2.3.4:5\", voltage: 12A}",
        "{driver: scpi, address: \"1.2.3.4:5\", current_limit: 2A}",
        "{driver: scpi, address: \"1.2.3.4:5\", voltage: 12V, measure_every: 1ms}",
        "{driver: scpi, address: \"1.2.3.4:5\", voltage: 12V, settle: soon}",
        "{driver: scpy}",
        "{}",
};

START_TEST(maps_that_are_wrong)
{
	ck_assert_int_lt(open_text(wrong_maps[_i]), 0);
	ck_assert_int_eq(error.domain, ERROR_USAGE);
	ck_assert_uint_eq(error.place.line, 1);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

int main(void)
{
	Suite *suite = suite_create("supply");
	TCase *tcase = tcase_create("supply");
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, quantities_have_units, 0, COUNT(quantities));
	tcase_add_test(tcase, a_supply_is_set_up_and_switched);
	tcase_add_test(tcase, channels_are_named_by_dialect);
	tcase_add_loop_test(tcase, a_channel_that_is_not_there, 0, 2 * SELECTING);
	tcase_add_loop_test(tcase, a_fault_is_told_in_time_and_the_next_call_works, 0, COUNT(faults));
	tcase_add_loop_test(tcase, answers_that_are_no_measurement, 0, COUNT(numbers));
	tcase_add_test(tcase, an_answer_without_end);
	tcase_add_loop_test(tcase, a_voltage_that_does_not_come, 0, 3);
	tcase_add_test(tcase, measured_without_being_asked);
	tcase_add_loop_test(tcase, a_supply_that_goes_away_while_it_is_measured, 0, 3);
	tcase_add_loop_test(tcase, what_comes_back_is_asked_who_it_is, 0, 3);
	tcase_add_loop_test(tcase, off_at_the_end, 0, 3);
	tcase_add_loop_test(tcase, off_at_the_end_in_vain, 0, 2);
	tcase_add_test(tcase, a_program_has_five_seconds);
	tcase_add_test(tcase, a_profile_comes_back);
	tcase_add_test(tcase, a_check_changes_nothing);
	tcase_add_test(tcase, nobody_at_the_address);
	tcase_add_test(tcase, programs_switch_power);
	tcase_add_test(tcase, a_program_that_hangs_is_ended_with_its_children);
	tcase_add_test(tcase, a_program_that_is_not_there);
	tcase_add_test(tcase, a_program_talks_much);
	tcase_add_loop_test(tcase, gpio_lines_that_are_not_there, 0, 3);
	tcase_add_loop_test(tcase, gpio_chips_by_label, 0, (int)(sizeof(choices) / sizeof(*choices)));
	tcase_add_test(tcase, gpio_chips_by_the_dozen);
	tcase_add_loop_test(tcase, maps_that_are_wrong, 0, COUNT(wrong_maps));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
