/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench rig power, rig reset: a board's power and reset by hand. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rig.h"

#define SWITCH_NS (10 * RIG_SECOND_NS)
#define OFF_NS    RIG_SECOND_NS /* of a cycle, at least: capacitors take their time */

static int64_t switch_deadline(void)
{
	return loop_now_ns() + SWITCH_NS;
}

/* ---- power of a real board ---- */

/* Fails where the supply measures, and its answer is none. */
static int tell_supply(struct supply *supply, const char *role, bool on, struct error *err)
{
	int32_t mv, ma;
	int r = supply_measure(supply, &mv, &ma, switch_deadline(), err);
	if (r == 0)
		(void)printf("%s is %s: %.3f V, %.3f A\n", role, on ? "on" : "off", mv / 1e3, ma / 1e3);
	else
		(void)printf("%s is %s\n", role, on ? "on" : "off");
	return r == -EOPNOTSUPP ? 0 : r;
}

/* Between the two halves of a cycle, from the moment at which the board is known to be off. */
static int stay_off(struct rig_live *live, const char *role, struct error *err)
{
	int r = loop_until(live->loop, NULL, NULL, loop_now_ns() + OFF_NS);
	return r == -ECANCELED ? error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled: %s is off", role) : 0;
}

static int switch_supply(struct rig_live *live, struct supply *supply, const char *role, const char *verb, struct error *err)
{
	struct instant at;
	bool cycle = !strcmp(verb, "cycle"), on = cycle || !strcmp(verb, "on");
	int r = cycle ? supply_switch(supply, false, switch_deadline(), &at, err) : 0;
	if (r == 0 && cycle)
		r = stay_off(live, role, err);
	if (r == 0 && on)
		r = supply_restore(supply, switch_deadline(), err); /* voltage and limit before the output */
	if (r == 0)
		r = supply_switch(supply, on, switch_deadline(), &at, err);
	if (r == 0)
		r = supply_settle(supply, switch_deadline(), err);
	return r == 0 ? tell_supply(supply, role, on, err) : r;
}

static int power_real(struct rig_live *live, const char *role, const char *verb, struct error *err)
{
	struct supply *supply;
	char identity[160] = "";
	bool on;
	int r = rig_attached_supply(live->attached, &supply, err);
	if (r < 0 || strcmp(verb, "status"))
		return r < 0 ? r : switch_supply(live, supply, role, verb, err);
	r = supply_check(supply, identity, sizeof(identity), switch_deadline(), err);
	if (r == 0)
		r = supply_is_on(supply, &on, switch_deadline(), err);
	if (r == 0)
		r = tell_supply(supply, role, on, err);
	if (r == 0 && identity[0])
		(void)printf("supply: %s\n", identity);
	return r;
}

/* ---- power of a virtual one ---- */

static int boot_and_tell(struct rig_live *live, const char *role, struct error *err)
{
	int64_t begin_ns = loop_now_ns();
	int r = rig_live_boot(live, err);
	if (r == 0)
		(void)printf("%s is on, booted to \"%s\" within %" PRId64 " ms\n", role, rig_board_stage(live->board),
		             (loop_now_ns() - begin_ns) / 1000000);
	return r;
}

static int off_and_tell(struct rig_live *live, const char *role, struct error *err)
{
	int r = rig_board_power(live->board, false, switch_deadline(), err);
	if (r == 0)
		(void)printf("%s is off\n", role);
	return r;
}

static int power_virtual(struct rig_live *live, const char *role, const char *verb, struct error *err)
{
	bool cycle = !strcmp(verb, "cycle"), on = cycle || !strcmp(verb, "on");
	int r = 0;
	if (!on)
		return off_and_tell(live, role, err);
	r = boot_and_tell(live, role, err);
	if (r == 0 && cycle)
		r = off_and_tell(live, role, err);
	if (r == 0 && cycle)
		r = stay_off(live, role, err);
	if (r == 0 && cycle)
		r = boot_and_tell(live, role, err);
	if (r == 0)
		(void)printf("the rig is virtual: its boards end with this command\n");
	return r;
}

static int power(const struct rig_call *call)
{
	static const char *const words[] = {"on", "off", "cycle", "status", NULL};
	struct rig_live live;
	struct error error = {0};
	const char *role = call->words[0], *verb = call->words[1];
	if (rig_word("way of switching", verb, words) < 0 || !rig_role(call, role))
		return EXIT_USAGE;
	int status = rig_live_start(&live, call, role);
	if (status)
		return status;
	int r = live.rig ? power_virtual(&live, role, verb, &error) : power_real(&live, role, verb, &error);
	(void)fflush(stdout);
	rig_live_stop(&live);
	return r < 0 ? rig_fail(&error) : 0;
}

const struct rig_verb rig_verb_power = {
        .name = "power", .options = "", .words = "ROLE on|off|cycle|status", .least = 2, .most = 2, .run = power};

/* ---- reset ---- */

static int by_probe(struct rig_live *live, enum probe_reset kind, struct error *err)
{
	struct probe *probe;
	int r = rig_live_probe(live, &probe, err);
	return r < 0 ? r : probe_reset(probe, kind, probe_deadline_ns(probe), err);
}

static int reset_board(struct rig_live *live, int kind, struct error *err)
{
	if (kind == 0 || kind == 1)
		return by_probe(live, kind == 0 ? PROBE_RESET_SYSTEM : PROBE_RESET_APPLICATION, err);
	return live->rig ? rig_board_reset(live->board, switch_deadline(), err)
	                 : rig_attached_reset(live->attached, switch_deadline(), err);
}

static int reset_in(struct rig_live *live, const char *role, int kind, struct error *err)
{
	int r = live->rig ? boot_and_tell(live, role, err) : 0;
	if (r == 0)
		r = reset_board(live, kind, err);
	if (r == 0)
		(void)printf("%s was reset\n", role);
	return r == 0 && live->rig ? boot_and_tell(live, role, err) : r;
}

static int reset(const struct rig_call *call)
{
	static const char *const kinds[] = {"system", "application", "external", NULL};
	struct rig_live live;
	struct error error = {0};
	int kind = call->kind ? rig_word("kind of reset", call->kind, kinds) : 2;
	if (kind < 0 || !rig_role(call, call->words[0]))
		return EXIT_USAGE;
	int status = rig_live_start(&live, call, call->words[0]);
	if (status)
		return status;
	int r = reset_in(&live, call->words[0], kind, &error);
	(void)fflush(stdout);
	if (r < 0)
		rig_live_keep_log(&live, &error);
	rig_live_stop(&live);
	return r < 0 ? rig_fail(&error) : 0;
}

const struct rig_verb rig_verb_reset = {
        .name = "reset", .options = "k", .words = "ROLE [--kind system|application|external]", .least = 1, .most = 1, .run = reset};
