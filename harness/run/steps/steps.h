/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that stand in files of their own: declared here, listed in registry.c. */
#ifndef HARNESS_RUN_STEPS_STEPS_H
#define HARNESS_RUN_STEPS_STEPS_H

#include "../../lang/step.h"

/* tester.c */
extern const struct step_def step_tester_connect, step_tester_close, step_tester_set, step_tester_expect_closed, step_tester_expect_open;
/* power.c */
extern const struct step_def step_power_set, step_power_measure, step_power_profile, step_power_cycle;
/* server.c */
extern const struct step_def step_server_start, step_server_stop, step_server_accept;
/* endpoint.c */
extern const struct step_def step_endpoint_inject;
/* message.c, message_echo.c */
extern const struct step_def step_gateway_start, step_gateway_stop, step_gateway_expect, step_gateway_echo, step_gateway_close,
        step_gateway_stall, step_gateway_send;
/* doip.c */
extern const struct step_def step_doip_send, step_doip_send_raw, step_doip_expect, step_doip_absent, step_doip_activate,
        step_doip_diagnostic;
/* discovery.c */
extern const struct step_def step_doip_udp, step_doip_listen, step_doip_announcements;
/* uds.c */
extern const struct step_def step_uds_request, step_uds_unlock;
/* probe.c, probe_file.c */
extern const struct step_def step_probe_identify, step_probe_halt, step_probe_resume, step_probe_halted, step_probe_reset, step_probe_read,
        step_probe_write, step_probe_load, step_probe_dump, step_probe_compare, step_probe_program, step_probe_command;
/* can.c */
extern const struct step_def step_can_send, step_can_expect, step_can_absent, step_can_monitor, step_can_load, step_can_error,
        step_can_restore, step_can_recover, step_can_status;
/* isotp.c */
extern const struct step_def step_isotp_set, step_isotp_misbehave, step_isotp_send, step_isotp_request, step_isotp_receive,
        step_isotp_frame;
/* secoc.c, secoc_expect.c, secoc_sweep.c */
extern const struct step_def step_secoc_pdu, step_secoc_send, step_secoc_verdict, step_secoc_read, step_secoc_sync, step_secoc_expect,
        step_secoc_sweep;
/* ota.c, ota_switch.c, ota_state.c, ota_sweep.c */
extern const struct step_def step_ota_install, step_ota_transfer, step_ota_activate, step_ota_confirm, step_ota_cancel, step_ota_state,
        step_ota_sweep;
/* bank.c, package_build.c */
extern const struct step_def step_bank_expect, step_bank_remember, step_package_build;
/* flash.c */
extern const struct step_def step_flash_read, step_flash_write, step_flash_erase, step_flash_defect, step_flash_heal, step_flash_save,
        step_flash_load, step_flash_factory, step_flash_install, step_flash_erases, step_flash_status, step_flash_expect;
/* power_cut.c */
extern const struct step_def step_power_cut, step_power_cut_expect, step_board_supply;

#endif
