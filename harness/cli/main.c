/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stddef.h>

#include "commands.h"

/* One line a command; this is the order in which help lists them. */
static const struct command *const table[] = {
        &command_run,   &command_check,  &command_list,  &command_package, &command_report, &command_rig,  &command_schema,
        &command_shell, &command_steps,  &command_sweep, &command_trace,   &command_submit, &command_jobs, &command_status,
        &command_log,   &command_cancel, &command_rerun, &command_fetch,   &command_token,  NULL,
};

int main(int argc, char **argv)
{
	(void)signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error to report, not an end */
	return command_main(table, argc, argv);
}
