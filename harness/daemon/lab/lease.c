/* SPDX-License-Identifier: Apache-2.0 */
/* When a lease ends. */
#include "lease.h"

/* a + b, a >= 0, that ends at the end of time. */
static int64_t later(int64_t a, int64_t b)
{
	int64_t sum;
	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static int64_t window_ns(int64_t heartbeat_ns)
{
	int64_t window;
	return __builtin_mul_overflow(heartbeat_ns, (int64_t)LEASE_BEATS, &window) ? INT64_MAX : window;
}

struct lease_times lease_times_new(int64_t now_ns, int64_t for_ns, int64_t heartbeat_ns)
{
	struct lease_times times = {.deadline_ns = for_ns > 0 ? later(now_ns, for_ns) : 0};
	if (heartbeat_ns > 0)
		times.expires_ns = later(now_ns, window_ns(heartbeat_ns));
	return times;
}

void lease_times_beat(struct lease_times *times, int64_t now_ns, int64_t heartbeat_ns)
{
	if (times->expires_ns)
		times->expires_ns = later(now_ns, window_ns(heartbeat_ns));
}

void lease_times_forgive(struct lease_times *times, int64_t late_ns)
{
	if (times->expires_ns && late_ns > 0)
		times->expires_ns = later(times->expires_ns, late_ns);
}

enum lease_verdict lease_times_judge(const struct lease_times *times, int64_t now_ns)
{
	if (times->deadline_ns && now_ns >= times->deadline_ns)
		return LEASE_EXPIRED;
	return times->expires_ns && now_ns >= times->expires_ns ? LEASE_OVERDUE : LEASE_HELD;
}

int64_t lease_times_next_ns(const struct lease_times *times)
{
	int64_t next_ns = times->deadline_ns ? times->deadline_ns : INT64_MAX;
	return times->expires_ns && times->expires_ns < next_ns ? times->expires_ns : next_ns;
}

struct lease_times lease_times_resume(const struct lease_record *lease, int64_t now_ns, int64_t now_utc_ns, int64_t heartbeat_ns)
{
	struct lease_times times = {0};
	if (lease->deadline_utc_ns) {
		int64_t granted_ns = lease->deadline_utc_ns - lease->granted_utc_ns, left_ns = lease->deadline_utc_ns - now_utc_ns;
		if (granted_ns < 0)
			granted_ns = 0;
		if (left_ns < 0)
			left_ns = 0;
		times.deadline_ns = later(now_ns, left_ns < granted_ns ? left_ns : granted_ns);
		if (times.deadline_ns == 0)
			times.deadline_ns = 1;
	}
	if (lease->expires_utc_ns)
		times.expires_ns = later(now_ns, window_ns(heartbeat_ns));
	return times;
}
