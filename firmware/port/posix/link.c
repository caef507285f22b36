/* SPDX-License-Identifier: Apache-2.0 */
/* The physical link: the carrier of one network device, told by the kernel (rtnetlink), so nothing is polled. */
#include "port_posix.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static char device_name[IFNAMSIZ];
static int notices = -1;
static bool up = true;

static int query(bool *ret_up)
{
	struct ifreq request = {0};
	memcpy(request.ifr_name, device_name, sizeof device_name);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	int r = ioctl(fd, SIOCGIFFLAGS, &request);
	close(fd);
	if (r == 0)
		*ret_up = (request.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
	return r;
}

int port_posix_link_open(const char *device)
{
	if (strlen(device) >= sizeof device_name)
		return -1;
	memcpy(device_name, device, strlen(device) + 1);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || query(&up) < 0) {
		close(fd);
		return -1;
	}
	notices = fd;
	return 0;
}

int port_posix_link_fd(void)
{
	return notices;
}

bool port_posix_link_update(void)
{
	char buffer[4096];
	bool before = up;
	/* What the notices say does not matter: the state is asked for. */
	while (recv(notices, buffer, sizeof buffer, 0) > 0)
		;
	if (query(&up) < 0)
		up = false; /* the device went away */
	return up != before;
}

bool port_link_up(void)
{
	return up;
}
