/* SPDX-License-Identifier: Apache-2.0 */
#include "port_posix.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

static uint64_t reset_ns;
static uint64_t watchdog_interval_ns, watchdog_next_ns;

uint64_t port_posix_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void port_posix_clock_start(uint64_t reset_time_ns)
{
	reset_ns = reset_time_ns;
}

uint64_t port_time_us(void)
{
	return (port_posix_now_ns() - reset_ns) / 1000;
}

uint64_t port_posix_board_us(uint64_t monotonic_ns)
{
	return monotonic_ns > reset_ns ? (monotonic_ns - reset_ns) / 1000 : 0;
}

void port_posix_watchdog_start(uint32_t watchdog_ms)
{
	/* Four kicks a period: one may come late without an end. */
	watchdog_interval_ns = (uint64_t)watchdog_ms * 1000000u / 4;
}

uint64_t port_posix_watchdog_kick(void)
{
	if (!watchdog_interval_ns)
		return UINT64_MAX;
	uint64_t now_ns = port_posix_now_ns();
	if (now_ns >= watchdog_next_ns) {
		send(PORT_FD_TRACE, "kick", 4, MSG_DONTWAIT | MSG_NOSIGNAL);
		watchdog_next_ns = now_ns + watchdog_interval_ns;
	}
	return watchdog_next_ns - now_ns;
}

void port_delay_until_us(uint64_t deadline_us)
{
	const uint64_t deadline_ns = reset_ns + deadline_us * 1000;
	uint64_t now_ns;
	while ((now_ns = port_posix_now_ns()) < deadline_ns) {
		uint64_t most_ns = port_posix_watchdog_kick();
		uint64_t until_ns = most_ns < deadline_ns - now_ns ? now_ns + most_ns : deadline_ns;
		struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u), .tv_nsec = (long)(until_ns % 1000000000u)};
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
			;
	}
}
