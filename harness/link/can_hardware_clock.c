/* SPDX-License-Identifier: Apache-2.0 */
#include "can_hardware_clock.h"

#define DRIFT_PPM            100                /* of two crystals against each other */
#define JUMP_NS              INT64_C(100000000) /* no transfer takes so long: one of the clocks was set */
#define TRANSFER_UNCERTAINTY INT64_C(125000)    /* a microframe of USB, the slowest way that adapters have */

struct instant hardware_clock_convert(struct hardware_clock *clock, int64_t hardware_ns, struct instant kernel)
{
	int64_t distance_ns = kernel.ns - hardware_ns;
	if (clock->known && kernel.ns > clock->updated_ns)
		clock->distance_ns += (kernel.ns - clock->updated_ns) / 1000000 * DRIFT_PPM;
	if (!clock->known || distance_ns < clock->distance_ns || distance_ns - clock->distance_ns > JUMP_NS)
		clock->distance_ns = distance_ns;
	clock->known = true;
	clock->updated_ns = kernel.ns;
	return (struct instant){.ns = hardware_ns + clock->distance_ns,
	                        .source = CLOCK_SOURCE_HARDWARE,
	                        .uncertainty_ns = kernel.uncertainty_ns + TRANSFER_UNCERTAINTY};
}
