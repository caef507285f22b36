/* SPDX-License-Identifier: Apache-2.0 */
/* Stamps of a CAN controller's own clock on the machine's monotonic clock. */
#ifndef HARNESS_LINK_CAN_HARDWARE_CLOCK_H
#define HARNESS_LINK_CAN_HARDWARE_CLOCK_H

#include "../base/timeline.h"

/* The least distance ever seen between the kernel's stamp and the controller's, followed as the clocks drift. Zero first. */
struct hardware_clock {
	bool known;
	int64_t distance_ns, updated_ns;
};

/* hardware_ns: the controller's stamp; kernel: when the kernel had the frame. Returns the controller's stamp as an instant
 * of CLOCK_MONOTONIC, never later than the kernel's. Distances between such stamps are as exact as the controller's clock;
 * their common offset is uncertain by what the fastest transfer from the controller took. */
struct instant hardware_clock_convert(struct hardware_clock *, int64_t hardware_ns, struct instant kernel);

#endif
