/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench rig cleanup: a rig into the safe state, after a user who may have died in the middle of anything. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../link/can.h"
#include "rig_job.h"
#include "rig_work.h"

#define WITHIN_NS  (15 * RIG_SECOND_NS) /* of the 20 s that it may take: what is opened may be slow to close */
#define PART_NS    (4 * RIG_SECOND_NS)
#define RECOVER_NS (RIG_SECOND_NS / 2)

static int64_t part_deadline_ns(const struct rig_work *work, unsigned left)
{
	int64_t share_ns = rig_work_deadline_ns(work, left), part_ns = loop_now_ns() + PART_NS;
	return share_ns < part_ns ? share_ns : part_ns;
}

/* ---- boards ---- */

static void name_part(char *ret, size_t size, const char *part, const char *role)
{
	(void)snprintf(ret, size, "%s %.60s", part, role);
}

static void power_off(struct rig_work *work, struct rig_attached *attached, const char *role, int64_t deadline_ns)
{
	struct supply *supply = NULL;
	struct instant at;
	struct error error = {0};
	char name[80];
	bool on = false;
	name_part(name, sizeof(name), "power", role);
	int r = rig_attached_supply(attached, &supply, &error);
	if (r == 0)
		r = supply_switch(supply, false, deadline_ns, &at, &error);
	if (r < 0) {
		rig_work_item(work, false, name, "cannot be switched off: %s", error.message);
		return;
	}
	r = supply_is_on(supply, &on, deadline_ns, &error);
	if (r == -EOPNOTSUPP)
		rig_work_item(work, true, name, "switched off; its output cannot be read back");
	else if (r < 0)
		rig_work_item(work, false, name, "switched off, but its output cannot be read back: %s", error.message);
	else
		rig_work_item(work, !on, name, on ? "switched off, but the output reads on" : "off, read back");
}

static void free_console(struct rig_work *work, struct rig_attached *attached, const char *role)
{
	struct console *console;
	struct error error = {0};
	char name[80];
	name_part(name, sizeof(name), "console", role);
	if (rig_attached_console(attached, &console, &error) < 0)
		rig_work_item(work, false, name, "%s", error.message);
	else
		rig_work_item(work, true, name, "can be opened");
}

static void release_reset(struct rig_work *work, struct rig_attached *attached, const char *role, int64_t deadline_ns)
{
	struct error error = {0};
	char name[80];
	name_part(name, sizeof(name), "reset", role);
	int r = rig_attached_release(attached, deadline_ns, &error);
	if (r == -EOPNOTSUPP)
		rig_work_item(work, true, name, "it does not hold the board");
	else if (r < 0)
		rig_work_item(work, false, name, "cannot be released: %s", error.message);
	else
		rig_work_item(work, true, name, "released");
}

/* Power first: whatever hangs afterwards, the board is off. */
static void clean_board(struct rig_work *work, const struct value_entry *role, unsigned *left)
{
	struct rig_attached *attached = NULL;
	struct error error = {0};
	if (rig_attach(&attached, work->call->file, work->loop, work->timeline, role->key, bus_folder_path(work->folder), &error) < 0) {
		rig_work_item(work, false, role->key, "%s", error.message);
		*left -= 3;
		return;
	}
	if (value_get(role->value, "power"))
		power_off(work, attached, role->key, part_deadline_ns(work, *left));
	(*left)--;
	if (value_get(role->value, "console"))
		free_console(work, attached, role->key);
	(*left)--;
	if (value_get(role->value, "reset"))
		release_reset(work, attached, role->key, part_deadline_ns(work, *left));
	(*left)--;
	rig_detach(attached);
}

/* ---- buses ---- */

static void recover_bus(struct rig_work *work, const char *name, struct can *can)
{
	struct can_counters counters = {0};
	struct error error = {0};
	can_counters_read(can, &counters);
	if (counters.state != CAN_BUS_OFF) {
		rig_work_item(work, true, name, "%s", can_state_name(counters.state));
		return;
	}
	if (can_recover(can, &error) < 0) {
		rig_work_item(work, false, name, "bus-off, and it stays so: %s", error.message);
		return;
	}
	(void)!loop_until(work->loop, NULL, NULL, loop_now_ns() + RECOVER_NS);
	can_counters_read(can, &counters);
	rig_work_item(work, counters.state != CAN_BUS_OFF, name, "was bus-off, is %s", can_state_name(counters.state));
}

static void clean_bus(struct rig_work *work, const struct value_entry *bus)
{
	const char *driver = value_get(bus->value, "driver")->text;
	const struct value *interface = value_get(bus->value, "interface");
	const struct can_handlers handlers = {0};
	struct can *can = NULL;
	struct error error = {0};
	char name[80];
	name_part(name, sizeof(name), "bus", bus->key);
	if (strcmp(driver, "socketcan") != 0 || !interface) {
		rig_work_item(work, true, name, "driver %s: no controller of this machine is on it", driver);
		return;
	}
	const struct can_options options = {.driver = "socketcan", .address = interface->text, .name = bus->key};
	if (can_open(&can, work->loop, work->timeline, &options, &handlers, &error) < 0)
		rig_work_item(work, false, name, "%s", error.message);
	else
		recover_bus(work, name, can);
	can_close(can);
}

/* ---- all ---- */

static void clean_real(struct rig_work *work)
{
	const struct value *roles = value_get(rig_file_root(work->call->file), "roles"),
	                   *buses = value_get(rig_file_root(work->call->file), "buses");
	unsigned left = 3 * roles->map.count + 1;
	/* Before the boards: what lives could switch them on again. */
	rig_job_end(work);
	for (unsigned i = 0; i < roles->map.count; i++)
		clean_board(work, &roles->map.entries[i], &left);
	for (unsigned i = 0; buses && i < buses->map.count; i++)
		clean_bus(work, &buses->map.entries[i]);
}

static void clean_virtual(struct rig_work *work)
{
	static const char *const prefixes[] = {"hilbench-rig", "hilbench-bus", "hilbench-jtag"};
	unsigned removed = 0;
	rig_job_end(work);
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		removed += bus_folder_sweep("/tmp", prefixes[i]);
	rig_work_item(work, true, "folders", "%u of dead processes were removed", removed);
}

static int cleanup(const struct rig_call *call)
{
	struct rig_work work;
	const char *job = rig_job_mark();
	/* One that is stopped may hold the lock of the rig. */
	if (job && !rig_file_is_virtual(call->file))
		(void)rig_job_end_all(job, NULL);
	if (rig_work_begin(&work, call, WITHIN_NS)) {
		if (rig_file_is_virtual(call->file))
			clean_virtual(&work);
		else
			clean_real(&work);
	}
	return rig_work_end(&work);
}

const struct rig_verb rig_verb_cleanup = {.name = "cleanup", .options = "j", .run = cleanup};
