/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that stand in files of their own: declared here, listed in registry.c. */
#ifndef HARNESS_RUN_STEPS_STEPS_H
#define HARNESS_RUN_STEPS_STEPS_H

#include "../../lang/step.h"

/* tester.c */
extern const struct step_def step_tester_connect, step_tester_close, step_tester_set, step_tester_expect_closed, step_tester_expect_open;
/* server.c */
extern const struct step_def step_server_start, step_server_stop, step_server_accept;
/* doip.c */
extern const struct step_def step_doip_send, step_doip_send_raw, step_doip_expect, step_doip_absent, step_doip_activate,
        step_doip_diagnostic;
/* discovery.c */
extern const struct step_def step_doip_udp, step_doip_listen, step_doip_announcements;
/* uds.c */
extern const struct step_def step_uds_request, step_uds_unlock;
/* can.c */
extern const struct step_def step_can_send, step_can_expect, step_can_absent, step_can_monitor, step_can_load, step_can_error,
        step_can_restore, step_can_recover, step_can_status;
/* isotp.c */
extern const struct step_def step_isotp_set, step_isotp_misbehave, step_isotp_send, step_isotp_request, step_isotp_receive,
        step_isotp_frame;
/* secoc.c, secoc_expect.c, secoc_sweep.c */
extern const struct step_def step_secoc_pdu, step_secoc_send, step_secoc_verdict, step_secoc_read, step_secoc_sync, step_secoc_expect,
        step_secoc_sweep;

#endif
