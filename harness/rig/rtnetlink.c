/* SPDX-License-Identifier: Apache-2.0 */
#include "rtnetlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct nlmsghdr header;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg address;
	};
	char attributes[512];
};

int rtnetlink_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	return fd < 0 ? -errno : fd;
}

static void request_begin(struct request *request, uint16_t type, uint16_t flags, size_t body)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
}

static struct rtattr *tail(struct request *request)
{
	return (void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));
}

/* Every attribute here is short: names, numbers and nests of them; 512 bytes hold them all. */
static struct rtattr *put(struct request *request, uint16_t type, const void *data, size_t length)
{
	struct rtattr *attribute = tail(request);
	attribute->rta_type = type;
	attribute->rta_len = (uint16_t)RTA_LENGTH(length);
	if (length)
		memcpy(RTA_DATA(attribute), data, length);
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + (uint32_t)RTA_ALIGN(attribute->rta_len);
	return attribute;
}

static void put_text(struct request *request, uint16_t type, const char *text)
{
	put(request, type, text, strlen(text) + 1);
}

static void nest_end(struct request *request, struct rtattr *nest)
{
	nest->rta_len = (uint16_t)((char *)request + request->header.nlmsg_len - (char *)nest);
}

static int transact(int fd, struct request *request)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	char buffer[4096] __attribute__((aligned(NLMSG_ALIGNTO)));
	if (sendto(fd, request, request->header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
	if (n < 0)
		return -errno;
	const struct nlmsghdr *answer = (void *)buffer;
	if (!NLMSG_OK(answer, (size_t)n) || answer->nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return ((const struct nlmsgerr *)NLMSG_DATA(answer))->error;
}

int rtnetlink_bridge_add(int fd, const char *name)
{
	struct request request;
	request_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(request.link));
	put_text(&request, IFLA_IFNAME, name);
	struct rtattr *info = put(&request, IFLA_LINKINFO, NULL, 0);
	put(&request, IFLA_INFO_KIND, "bridge", 6);
	nest_end(&request, info);
	return transact(fd, &request);
}

int rtnetlink_veth_add(int fd, const char *name, const char *peer, int peer_netns)
{
	struct request request;
	const struct ifinfomsg peer_info = {0};
	const uint32_t netns = (uint32_t)peer_netns;
	request_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(request.link));
	put_text(&request, IFLA_IFNAME, name);
	struct rtattr *info = put(&request, IFLA_LINKINFO, NULL, 0);
	put(&request, IFLA_INFO_KIND, "veth", 4);
	struct rtattr *data = put(&request, IFLA_INFO_DATA, NULL, 0);
	struct rtattr *other = put(&request, VETH_INFO_PEER, &peer_info, sizeof(peer_info));
	put_text(&request, IFLA_IFNAME, peer);
	put(&request, IFLA_NET_NS_FD, &netns, sizeof(netns));
	nest_end(&request, other);
	nest_end(&request, data);
	nest_end(&request, info);
	return transact(fd, &request);
}

int rtnetlink_device_set(int fd, const char *name, bool up, const char *master)
{
	struct request request;
	unsigned index = if_nametoindex(name), master_index = master ? if_nametoindex(master) : 0;
	if (!index || (master && !master_index))
		return -ENODEV;
	request_begin(&request, RTM_NEWLINK, 0, sizeof(request.link));
	request.link.ifi_index = (int)index;
	request.link.ifi_flags = up ? IFF_UP : 0;
	request.link.ifi_change = IFF_UP;
	if (master)
		put(&request, IFLA_MASTER, &master_index, sizeof(master_index));
	return transact(fd, &request);
}

int rtnetlink_device_delete(int fd, const char *name)
{
	struct request request;
	unsigned index = if_nametoindex(name);
	if (!index)
		return -ENODEV;
	request_begin(&request, RTM_DELLINK, 0, sizeof(request.link));
	request.link.ifi_index = (int)index;
	return transact(fd, &request);
}

int rtnetlink_address_add(int fd, const char *device, uint32_t address, unsigned prefix_length)
{
	struct request request;
	unsigned index = if_nametoindex(device);
	uint32_t local = htonl(address), broadcast = htonl(address | (prefix_length < 32 ? UINT32_MAX >> prefix_length : 0));
	if (!index)
		return -ENODEV;
	request_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(request.address));
	request.address.ifa_family = AF_INET;
	request.address.ifa_prefixlen = (uint8_t)prefix_length;
	request.address.ifa_index = index;
	put(&request, IFA_LOCAL, &local, sizeof(local));
	put(&request, IFA_ADDRESS, &local, sizeof(local));
	put(&request, IFA_BROADCAST, &broadcast, sizeof(broadcast));
	return transact(fd, &request);
}
