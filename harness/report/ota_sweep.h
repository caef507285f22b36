/* SPDX-License-Identifier: Apache-2.0 */
/* A run that was no run of cases but a sweep of an update in virtual time: what it was asked for and what it did, as the
 * event sweep.end tells it. */
#ifndef HARNESS_REPORT_OTA_SWEEP_H
#define HARNESS_REPORT_OTA_SWEEP_H

#include <jansson.h>

#include "text.h"

/* Calls `each` with every figure: "planned.total" or "done.classes.T3", and its value as clean text. 0 or -ENOMEM. */
int ota_sweep_each(const json_t *sweep, void (*each)(void *context, const char *name, const char *value), void *context)
        __attribute__((warn_unused_result));
/* The section of the page. */
void ota_sweep_put_section(struct text *out, const json_t *sweep);
/* In place of what is said about virtual racks. */
#define OTA_SWEEP_NOTICE                                                                                                                   \
	"<p class=\"notice\"><b>A sweep in virtual time, no rack.</b> The firmware's update code ran on a model of the flash; the "        \
	"tester is a script of the sweep, without a network and without TLS. Each case is a group of flash operations that were "          \
	"cut. Durations are those of this computer and say nothing about a board.</p>"

#endif
