/* SPDX-License-Identifier: Apache-2.0 */
/* The base of a sweep: the scenario without a cut, recorded. */
#ifndef FIRMWARE_SWEEP_PREPARE_H
#define FIRMWARE_SWEEP_PREPARE_H

#include "explore.h"

/* False: no memory. True with findings in board->shared: without any cut the scenario does not go as it should. */
bool base_prepare(struct base *base, struct board *board);

#endif
