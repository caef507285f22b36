/* SPDX-License-Identifier: Apache-2.0 */
/* Power supplies, and the boards behind them: who they are is asked only of a board that has power already. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check_private.h"
#include "log_keep.h"
#include "probe_private.h"
#include "supply.h"

/* Instruments that share an address take one client at a time. */
static void group_by_instrument(struct check_item *item)
{
	const char *address = map_text(value_get(item->role, "power"), "address");
	if (address)
		(void)snprintf(item->group, sizeof(item->group), "instrument %.80s", address);
}

static void supply_name(const struct value *map, char *ret, size_t size)
{
	const char *driver = map_text(map, "driver"), *address = map_text(map, "address"), *chip = map_text(map, "chip");
	const struct value *on = value_get(map, "on"), *channel = value_get(map, "channel"), *line = value_get(map, "line");
	if (address && channel && channel->type == VALUE_INTEGER)
		(void)snprintf(ret, size, "%s %s channel %d", driver, address, (int)channel->integer);
	else if (address)
		(void)snprintf(ret, size, "%s %s", driver, address);
	else if (chip && line && line->type == VALUE_INTEGER)
		(void)snprintf(ret, size, "%s %s line %d", driver, chip, (int)line->integer);
	else if (chip)
		(void)snprintf(ret, size, "%s %s", driver, chip);
	else if (on && on->type == VALUE_LIST && on->list.count)
		(void)snprintf(ret, size, "%s %s", driver, on->list.items[0]->text);
	else
		(void)snprintf(ret, size, "%s", driver ? driver : "");
}

/* ---- supply ---- */

static void add_supply(struct check_list *list, const struct check_kind *kind, const struct value_entry *role)
{
	const struct value *power = value_get(role->value, "power");
	struct check_item *item = power ? check_add(list, kind, role->key, power) : NULL;
	if (!item)
		return;
	item->role = role->value;
	supply_name(power, item->name, sizeof(item->name));
	group_by_instrument(item);
}

static void list_supplies(struct check_list *list, const struct check_kind *kind)
{
	check_each(list, kind, "roles", add_supply);
}

static const char *remedy_of(int code, const char *driver)
{
	if (!strcmp(driver, "command"))
		return "correct the program's path in `power`, make it executable, and try it by hand";
	switch (code) {
	case ENODEV:
		return "another instrument is at this address: correct `power.address`, or `power.identity` if it is the right one";
	case ECONNREFUSED:
		return "the instrument is there but takes no raw SCPI: switch its LAN socket on, or correct the port of `power.address`";
	case EBADMSG:
	case EREMOTEIO:
	case EIO:
		return "correct `power.dialect` and `power.channel`; look at the instrument's own display";
	case ERANGE:
		return "it measures nothing of use: look at the instrument's own display";
	default:
		return "is the supply switched on, its LAN cable in, this machine in the same network, and `power.address` its address?";
	}
}

/* Not every driver measures; of one that does, the answer has to be one. */
static int measures(struct check_context *context, struct supply *supply, struct error *err)
{
	int32_t mv, ma;
	int r = supply_measure(supply, &mv, &ma, check_deadline_ns(context), err);
	return r == -EOPNOTSUPP ? 0 : r;
}

static int ask_supply(struct check_context *context, const struct check_item *item, struct check_finding *finding, struct error *err)
{
	struct supply *supply = NULL;
	struct rig rig;
	char identity[160] = "";
	bool on = false;
	check_rig(context, item, &rig, NULL);
	int r = supply_open(&supply, &rig, item->map, item->owner, err);
	if (r == 0)
		r = supply_check(supply, identity, sizeof(identity), check_deadline_ns(context), err);
	if (r == 0)
		r = supply_is_on(supply, &on, check_deadline_ns(context), err);
	/* No `status`, or a relay that nobody has switched yet: nothing is wrong. */
	const bool known = r == 0;
	if (r == -EOPNOTSUPP || r == -ENODATA)
		r = 0;
	if (r == 0)
		r = measures(context, supply, err);
	if (r == 0) {
		(void)snprintf(context->powered_role, sizeof(context->powered_role), "%s", item->owner);
		context->power = !known ? CHECK_POWER_UNKNOWN : on ? CHECK_POWER_ON : CHECK_POWER_OFF;
		check_found(finding, "%s%soutput %s", identity, identity[0] ? ", " : "", !known ? "not known" : on ? "on" : "off");
	}
	supply_close(supply);
	return r;
}

static void look_at_supply(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	const char *address = map_text(item->map, "address"), *driver = map_text(item->map, "driver");
	struct error error = {0};
	int r;
	if (address && !strcmp(address, context->dead_address)) {
		error = context->dead;
		r = -(error.code ? error.code : EIO);
	} else {
		r = ask_supply(context, item, finding, &error);
	}
	if (r == 0)
		return;
	if (address && (r == -ETIMEDOUT || r == -EHOSTUNREACH || r == -ENETUNREACH || r == -ECONNREFUSED)) {
		(void)snprintf(context->dead_address, sizeof(context->dead_address), "%s", address);
		context->dead = error;
	}
	check_problem(finding, RIG_CHECK_BAD, "%s", error.message);
	if (!strcmp(driver, "gpio"))
		check_gpio_remedy(finding, -r, map_text(item->map, "chip"), "power");
	else
		check_remedy(finding, "%s", remedy_of(-r, driver));
}

const struct check_kind check_kind_supply = {.name = "supply", .instrument = true, .list = list_supplies, .look = look_at_supply};

/* ---- board ---- */

static void add_board(struct check_list *list, const struct check_kind *kind, const struct value_entry *role)
{
	struct check_item *item = check_add(list, kind, role->key, role->value);
	if (!item)
		return;
	item->role = role->value;
	(void)snprintf(item->name, sizeof(item->name), "%s %s", map_text(role->value, "driver"), map_text(role->value, "address"));
	item->after_supply = value_get(role->value, "power") != NULL;
	(void)snprintf(item->group, sizeof(item->group), "board %.60s", role->key);
}

static void list_boards(struct check_list *list, const struct check_kind *kind)
{
	check_each(list, kind, "roles", add_board);
}

static void identify(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	struct probe_identity identity = {0};
	struct error error = {0};
	struct rig_board board;
	struct rig rig;
	if (!context->folder) {
		check_problem(finding, RIG_CHECK_BAD, "%s", context->no_folder);
		check_remedy(finding, "OpenOCD's log needs a place: is /tmp full, or not to be written to?");
		return;
	}
	check_rig(context, item, &rig, &board);
	int r = probe_open(&board, &error);
	if (r == 0)
		r = probe_identify(board.probe, &identity, check_deadline_ns(context), &error);
	probe_close(&board);
	if (r == 0) {
		check_found(finding, "IDCODE 0x%08" PRIx32 ", id 0x%016" PRIx64 "%s%s", identity.idcode, identity.unique_id,
		            identity.slot[0] ? ", slot " : "", identity.slot);
		return;
	}
	log_keep(context->folder, &error);
	check_problem(finding, RIG_CHECK_BAD, "%s", error.message);
	check_remedy(finding, "%s",
	             r == -EXDEV ? "the probe's cable is in another board: change it, or `idcode`, `unique_id` and `slot` of `probe`"
	                         : "is the adapter's cable to the board in, and the right way round? Look at `probe.config`");
}

static void look_at_board(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	const struct board_driver *driver = board_driver_find(map_text(item->map, "driver"));
	const struct value *probe = value_get(item->map, "probe");
	enum check_power power = check_power_of(context, item);
	if (!driver->external)
		check_problem(finding, RIG_CHECK_NOT_ASKED, "not powered: a virtual board is there while a run or a rig command needs it");
	else if (power == CHECK_POWER_OFF)
		check_problem(finding, RIG_CHECK_NOT_ASKED, "not powered, so who it is was not asked");
	else if (power == CHECK_POWER_UNKNOWN)
		check_problem(finding, RIG_CHECK_NOT_ASKED, "whether it has power is not known, so who it is was not asked");
	else if (!probe)
		check_problem(finding, RIG_CHECK_NOT_ASKED, "it has power; nothing but a `probe` could tell which board it is");
	else if (strcmp(map_text(probe, "driver"), "openocd"))
		check_problem(finding, RIG_CHECK_NOT_ASKED, "it has power; a GDB server halts the board when somebody connects");
	else
		identify(context, item, finding);
}

const struct check_kind check_kind_board = {.name = "board", .instrument = true, .list = list_boards, .look = look_at_board};
