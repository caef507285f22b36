/* SPDX-License-Identifier: Apache-2.0 */
#include "stamp.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <string.h>
#include <time.h>

#define BRACKET_AGE_NS     100000000LL   /* 500 ppm, the fastest slew, is 50 us in this time */
#define STAMP_AGE_MAX_NS   60000000000LL /* an older stamp means that the wall clock was set, not that bytes waited so long */
#define STAMP_AHEAD_MAX_NS 100000LL      /* within the uncertainty of the conversion a stamp may seem to be ahead */

void stamp_enable(int fd)
{
	int flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;

	(void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags));
}

static struct instant to_instant(const struct timespec *stamp)
{
	static int64_t bracket_ns;
	struct instant now = instant_now(), at;

	if (bracket_ns == 0 || now.ns - bracket_ns > BRACKET_AGE_NS) {
		clock_bracket();
		bracket_ns = now.ns;
	}
	at = instant_from_realtime((int64_t)stamp->tv_sec * 1000000000 + stamp->tv_nsec);
	if (at.ns > now.ns + STAMP_AHEAD_MAX_NS || at.ns < now.ns - STAMP_AGE_MAX_NS)
		return now;
	return at;
}

struct instant stamp_of_message(struct msghdr *message)
{
	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
		struct scm_timestamping stamps;

		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SO_TIMESTAMPING ||
		    control->cmsg_len < CMSG_LEN(sizeof(stamps)))
			continue;
		memcpy(&stamps, CMSG_DATA(control), sizeof(stamps));
		if (stamps.ts[0].tv_sec != 0)
			return to_instant(&stamps.ts[0]);
	}
	return instant_now();
}

ssize_t stamp_receive(int fd, void *buffer, size_t size, struct instant *ret_at)
{
	_Alignas(struct cmsghdr) char control[STAMP_CONTROL_SIZE];
	struct iovec part = {buffer, size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);

	if (n > 0)
		*ret_at = stamp_of_message(&message);
	else
		*ret_at = instant_now();
	return n;
}
