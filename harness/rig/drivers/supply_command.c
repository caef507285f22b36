/* SPDX-License-Identifier: Apache-2.0 */
/* Power by an external command: `on`, `off` and `status` are lists of words. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../run_command.h"
#include "../supply_private.h"

static int command_check(const struct value *map, struct error *err)
{
	static const char *const names[] = {"on", "off", "status"};
	int r = 0;
	for (unsigned i = 0; r == 0 && i < 3; i++) {
		const struct value *words = value_get(map, names[i]);
		if (words)
			r = run_command_check(words, names[i], err);
		else if (i < 2)
			r = error_set_place(err, ERROR_USAGE, EINVAL, map->place, "driver command lacks `%s`", names[i]);
	}
	return r;
}

static int command_open(struct supply *supply, struct error *err)
{
	(void)supply;
	(void)err;
	return 0;
}

static void command_close(struct supply *supply)
{
	(void)supply;
}

static int command_output(struct supply *supply, bool on, int64_t deadline_ns, struct instant *ret_at, struct error *err)
{
	const struct value *words = value_get(supply->map, on ? "on" : "off");
	struct run_command_result result;
	int r = run_command(supply->loop, words, deadline_ns, &result, err);
	if (r == 0 && result.status != 0)
		r = run_command_failed(words, &result, err);
	if (r < 0) {
		error_prefix(err, "power %s", on ? "on" : "off");
		return r;
	}
	*ret_at = result.at;
	return 0;
}

static int command_is_on(struct supply *supply, bool *ret, int64_t deadline_ns, struct error *err)
{
	const struct value *words = value_get(supply->map, "status");
	struct run_command_result result;
	if (!words)
		return error_set(err, ERROR_BENCH, EOPNOTSUPP, "power by driver command: it has no `status`");
	int r = run_command(supply->loop, words, deadline_ns, &result, err);
	if (r == 0 && result.status != 0 && result.status != 1)
		r = run_command_failed(words, &result, err);
	if (r < 0) {
		error_prefix(err, "power status");
		return r;
	}
	*ret = result.status == 0;
	return 0;
}

/* The programs are there; `status` is the only one that may be run for a look. */
static int command_identify(struct supply *supply, char *ret_identity, size_t size, int64_t deadline_ns, struct error *err)
{
	const struct value *on_words = value_get(supply->map, "on");
	bool on;
	int r = run_command_look(on_words, err);
	if (r == 0)
		r = run_command_look(value_get(supply->map, "off"), err);
	if (r < 0)
		return r;
	(void)snprintf(ret_identity, size, "%s", on_words->list.items[0]->text);
	return value_get(supply->map, "status") ? command_is_on(supply, &on, deadline_ns, err) : 0;
}

static const char *const keys[] = {"on", "off", "status", "off_at_end", NULL};

const struct supply_driver supply_command = {
        .name = "command",
        .keys = keys,
        .check = command_check,
        .open = command_open,
        .close = command_close,
        .output = command_output,
        .is_on = command_is_on,
        .identify = command_identify,
};
