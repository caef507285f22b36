/* SPDX-License-Identifier: Apache-2.0 */
/* Every command, for main.c's table. */
#ifndef HARNESS_CLI_COMMANDS_H
#define HARNESS_CLI_COMMANDS_H

#include "command.h"

extern const struct command command_cancel, command_check, command_fetch, command_jobs, command_list, command_log, command_package,
        command_report, command_rerun, command_rig, command_run, command_schema, command_shell, command_status, command_steps,
        command_submit, command_sweep, command_token, command_trace;

#endif
