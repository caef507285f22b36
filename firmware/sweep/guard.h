/* SPDX-License-Identifier: Apache-2.0 */
/* Invariant I5, and the recorder: what every flash operation of a CPU goes through. */
#ifndef FIRMWARE_SWEEP_GUARD_H
#define FIRMWARE_SWEEP_GUARD_H

struct board;
/* In the process of the CPU, before and after its program. */
void guard_begin(struct board *board);
void guard_end(struct board *board);

#endif
