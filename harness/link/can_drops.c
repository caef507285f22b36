/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>

#include <linux/sock_diag.h>
#include <string.h>

#include "can_drops.h"

void can_drops_enable(int fd, int receive_bytes)
{
	int one = 1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof(one));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof(receive_bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
}

static uint32_t since(struct can_drops *drops, uint32_t total)
{
	uint32_t lost = total - drops->seen;
	/* Messages were queued with the counter of their time: a number from before the last answer is old news. */
	if (lost > UINT32_MAX / 2)
		return 0;
	drops->seen = total;
	return lost;
}

uint32_t can_drops_of_message(struct can_drops *drops, struct msghdr *message)
{
	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
		uint32_t total;
		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SO_RXQ_OVFL || control->cmsg_len < CMSG_LEN(sizeof(total)))
			continue;
		memcpy(&total, CMSG_DATA(control), sizeof(total));
		return since(drops, total);
	}
	return 0;
}

uint32_t can_drops_of_socket(struct can_drops *drops, int fd)
{
	uint32_t information[SK_MEMINFO_VARS] = {0};
	socklen_t size = sizeof(information);
	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, information, &size) < 0 || size < sizeof(information))
		return 0;
	return since(drops, information[SK_MEMINFO_DROPS]);
}
