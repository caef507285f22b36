/* SPDX-License-Identifier: Apache-2.0 */
/* A role's `probe:`. */
#include <stddef.h>

#include "probe_private.h"
#include "rig_keys.h"

static const char *const line_choices[] = {"srst", "none", NULL};

static const struct rig_key unique_id_keys[] = {
        {"address", RIG_KEY_INTEGER, true, .minimum = 0, .maximum = 0xFFFFFFFF, .doc = "Where the chip tells its 64-bit id."},
        {"value", RIG_KEY_NAME, true, .doc = "The id, a number."},
        {NULL}};
static const struct rig_key slot_keys[] = {
        {"address", RIG_KEY_INTEGER, true, .minimum = 0, .maximum = 0xFFFFFFFF, .doc = "Where the board tells its slot, 16 bytes."},
        {"value", RIG_KEY_TEXT, true, .doc = "The slot that it has to be in."},
        {NULL}};
const struct rig_key rig_probe_keys[] = {
        {"driver", RIG_KEY_TEXT, true, .choices = probe_driver_names, .doc = "What the probe is driven by."},
        {"config", RIG_KEY_LIST, .doc = "openocd: configuration files, relative to the rig file, then shared ones, then OpenOCD's own."},
        {"adapter_serial", RIG_KEY_NAME, .doc = "openocd: serial number of the adapter, when several are plugged in."},
        {"target", RIG_KEY_TEXT, .doc = "openocd: OpenOCD's name of the target whose memory is meant."},
        {"idcode", RIG_KEY_INTEGER, .minimum = 0, .maximum = 0xFFFFFFFF, .doc = "What the chip's test access port has to answer."},
        {"unique_id", RIG_KEY_MAP, .keys = unique_id_keys, .doc = "The chip that has to be there."},
        {"slot", RIG_KEY_MAP, .keys = slot_keys, .doc = "The slot of the rig that the board has to be in."},
        {"deadline", RIG_KEY_NAME, .doc = "How long a single verb may take, standard 5s."},
        {"program", RIG_KEY_TEXT, .doc = "openocd: the program, standard openocd."},
        {"variables", RIG_KEY_VARIABLES,
         .doc = "openocd: NAME: VALUE, set before the configuration is read; ${jtag} is the debug connector of a virtual board."},
        {"reset_line", RIG_KEY_TEXT, .choices = line_choices, .doc = "openocd: whether the adapter's SRST is wired, standard srst."},
        {"address", RIG_KEY_TEXT, .doc = "gdb: HOST:PORT or the path of a UNIX socket."},
        {"monitor_reset", RIG_KEY_TEXT, .doc = "gdb: the server's command that resets the board."},
        {"monitor_halt", RIG_KEY_TEXT, .doc = "gdb: the server's command that resets the board and halts it."},
        {"physical", RIG_KEY_BOOL,
         .doc = "gdb: qemu's server is to take addresses as physical ones, past the MMU, and to write device registers, standard false."},
        {NULL}};
