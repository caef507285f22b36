/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_SILICON_INSTANT_H
#define FIRMWARE_SILICON_INSTANT_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC, ns. */
static inline uint64_t instant_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#define INSTANT_NEVER UINT64_MAX

#endif
