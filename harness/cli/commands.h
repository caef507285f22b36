/* SPDX-License-Identifier: Apache-2.0 */
/* Every command, for main.c's table. */
#ifndef HARNESS_CLI_COMMANDS_H
#define HARNESS_CLI_COMMANDS_H

#include "command.h"

extern const struct command command_check, command_list, command_package, command_report, command_rig, command_run, command_schema,
        command_shell, command_steps, command_sweep, command_trace;

#endif
