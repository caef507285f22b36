/* SPDX-License-Identifier: Apache-2.0 */
#include "registry.h"

#include "generic.h"
#include "steps.h"

/* One line a step: its definition stands in the file that runs it. The order is that of docs/reference/steps.md. */
static const struct step_def *const steps[] = {
        &step_wait_for,
        &step_note,
        &step_repeat,
        &step_poll,
        &step_retry,
        &step_wait_event,
        &step_expect_absent_event,
        &step_rack_ready,
        &step_board_power_on,
        &step_board_power_off,
        &step_board_reset,
        &step_board_hold,
        &step_board_release,
        &step_board_boot,
        &step_board_restart,
        &step_board_param,
        &step_console_expect,
        &step_console_send,
        &step_link_cut,
        &step_link_reset,
        &step_link_down,
        &step_link_up,
        &step_link_stall,
        &step_link_delay,
        &step_link_split,
        &step_link_cut_after,
        &step_link_cut_at,
        &step_link_restore,
        &step_link_expect_event,
        &step_measure_begin,
        &step_measure_end,
        &step_measure_block,
        &step_tester_connect,
        &step_tester_close,
        &step_tester_set,
        &step_tester_expect_closed,
        &step_tester_expect_open,
        &step_server_start,
        &step_server_stop,
        &step_server_accept,
        &step_doip_send,
        &step_doip_send_raw,
        &step_doip_expect,
        &step_doip_absent,
        &step_doip_activate,
        &step_doip_diagnostic,
        &step_doip_udp,
        &step_doip_listen,
        &step_doip_announcements,
        &step_uds_request,
        &step_uds_unlock,
};

const struct step_registry *step_registry_all(void)
{
	static const struct step_registry registry = {steps, sizeof(steps) / sizeof(*steps)};
	return &registry;
}
