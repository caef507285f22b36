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

#endif
