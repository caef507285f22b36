/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of what a board of the driver `board` is put together from. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../base/suggest.h"
#include "rig_keys.h"

static const char *const power_drivers[] = {"scpi", "gpio", "command", NULL};
static const char *const console_drivers[] = {"serial", "tcp", "pty", NULL};
static const char *const reset_drivers[] = {"serial", "gpio", "command", "probe", NULL};
static const char *const dialects[] = {"standard", "list", NULL};

const struct rig_key rig_power_keys[] = {
        {"driver", RIG_KEY_TEXT, true, .choices = power_drivers, .doc = "What switches the board's power."},
        {"address", RIG_KEY_ENDPOINT, .doc = "scpi: HOST:PORT of the instrument, raw SCPI over TCP."},
        {"channel", RIG_KEY_INTEGER, .minimum = 1, .maximum = 99, .doc = "scpi: output channel; without it none is selected."},
        {"dialect", RIG_KEY_TEXT, .choices = dialects, .doc = "scpi: how a channel is named; standard: INST:NSEL, list: (@n)."},
        {"voltage", RIG_KEY_TEXT, .doc = "scpi: nominal voltage, in V or mV."},
        {"current_limit", RIG_KEY_TEXT, .doc = "scpi: current limit, in A or mA."},
        {"identity", RIG_KEY_TEXT, .doc = "scpi: what the answer to *IDN? has to contain."},
        {"measure_every", RIG_KEY_TEXT, .doc = "scpi: how often voltage and current go into the timeline; default never."},
        {"settle", RIG_KEY_TEXT,
         .doc = "scpi: within what time 90 % of the voltage has to be there after switching on; default 1s, 0ms: not looked at."},
        {"chip", RIG_KEY_TEXT, .doc = "gpio: path or label of the chip."},
        {"line", RIG_KEY_NAME, .doc = "gpio: number or name of the line."},
        {"active_low", RIG_KEY_BOOL, .doc = "gpio: whether the board has power while the line is low."},
        {"on_delay", RIG_KEY_TEXT, .doc = "gpio: how long the relay takes to close."},
        {"on", RIG_KEY_LIST, .doc = "command: program with its path, and its arguments, that switches on."},
        {"off", RIG_KEY_LIST, .doc = "command: the same, that switches off."},
        {"status", RIG_KEY_LIST, .doc = "command: the same, that ends with 0 when it is on, 1 when off."},
        {"off_at_end", RIG_KEY_BOOL,
         .doc = "Whether the power is switched off when the rig is no longer used; default: it stays as it is."},
        {NULL}};
const struct rig_key rig_console_keys[] = {
        {"driver", RIG_KEY_TEXT, true, .choices = console_drivers, .doc = "What the console is connected by."},
        {"device", RIG_KEY_TEXT, .doc = "serial: path of the port; one of /dev/serial/by-id stays the same."},
        {"baud", RIG_KEY_INTEGER, .minimum = 50, .maximum = 3000000, .doc = "serial: bit/s, 8N1; default 115200."},
        {"rts", RIG_KEY_BOOL, .doc = "serial: state of RTS while open."},
        {"dtr", RIG_KEY_BOOL, .doc = "serial: state of DTR while open."},
        {"address", RIG_KEY_TEXT, .doc = "tcp: HOST:PORT of a terminal server, raw."},
        {"path", RIG_KEY_TEXT, .doc = "pty: path of the slave, or of a link to it."},
        {NULL}};
const struct rig_key rig_reset_keys[] = {
        {"driver", RIG_KEY_TEXT, true, .choices = reset_drivers, .doc = "What resets the board; without `reset` it is a power cycle."},
        {"line", RIG_KEY_NAME, .doc = "serial: rts or dtr of the console's port; gpio: number or name of the line."},
        {"chip", RIG_KEY_TEXT, .doc = "gpio: path or label of the chip."},
        {"active_low", RIG_KEY_BOOL, .doc = "serial, gpio: whether the board is in reset while the line is off."},
        {"pulse_for", RIG_KEY_TEXT, .doc = "How long the board is in reset; default 100ms."},
        {"assert", RIG_KEY_LIST, .doc = "command: program with its path, and its arguments, that puts the board into reset."},
        {"release", RIG_KEY_LIST, .doc = "command: the same, that lets it run."},
        {"pulse", RIG_KEY_LIST, .doc = "command: the same, that does both."},
        {NULL}};

int rig_keys_of_driver(const struct value *map, const char *driver, const char *const *keys, struct error *err)
{
	char hint[128];
	for (unsigned i = 0; i < map->map.count; i++) {
		const struct value_entry *entry = &map->map.entries[i];
		const char *const *key = keys;
		while (*key && strcmp(*key, entry->key))
			key++;
		if (!*key && strcmp(entry->key, "driver"))
			return error_set_place(err, ERROR_USAGE, EINVAL, entry->key_place, "driver %s has no `%s`%s", driver, entry->key,
			                       suggest_text(entry->key, keys, hint, sizeof(hint)));
	}
	return 0;
}
