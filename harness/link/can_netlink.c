/* SPDX-License-Identifier: Apache-2.0 */
#include "can_netlink.h"

#include <errno.h>
#include <linux/can.h>
#include <linux/can/netlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct nlmsghdr header;
	struct ifinfomsg link;
	char attributes[512];
};

static int begin(struct request *request, uint16_t type, uint16_t flags, const char *interface)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(sizeof(request->link));
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	request->link.ifi_index = (int)if_nametoindex(interface);
	return request->link.ifi_index ? 0 : -ENODEV;
}

/* A few attributes of known size: they fit. */
static struct rtattr *put(struct request *request, uint16_t type, const void *data, size_t length)
{
	struct rtattr *attribute = (void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));
	attribute->rta_type = type;
	attribute->rta_len = (uint16_t)RTA_LENGTH(length);
	if (length)
		memcpy(RTA_DATA(attribute), data, length);
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + (uint32_t)RTA_ALIGN(attribute->rta_len);
	return attribute;
}

static void nest_end(struct request *request, struct rtattr *nest)
{
	nest->rta_len = (uint16_t)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len) - (char *)nest);
}

/* Sends and reads one answer. Its length or -errno. */
static ssize_t talk(const struct request *request, void *answer, size_t size)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	ssize_t n = send(fd, request, request->header.nlmsg_len, 0);
	if (n >= 0)
		n = recv(fd, answer, size, 0);
	int code = errno;
	close(fd);
	return n < 0 ? -code : n;
}

static int error_of(const struct nlmsghdr *header)
{
	const struct nlmsgerr *error = NLMSG_DATA(header);
	return header->nlmsg_len >= NLMSG_LENGTH(sizeof(*error)) ? error->error : -EPROTO;
}

/* ---- reading ---- */

static uint32_t bit_rate(struct rtattr *attribute)
{
	struct can_bittiming timing;
	if (RTA_PAYLOAD(attribute) < sizeof(timing))
		return 0;
	memcpy(&timing, RTA_DATA(attribute), sizeof(timing));
	return timing.bitrate;
}

static void read_can(struct rtattr *nest, struct can_interface *ret)
{
	int left = (int)RTA_PAYLOAD(nest);
	for (struct rtattr *attribute = RTA_DATA(nest); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		struct can_ctrlmode mode;
		if (attribute->rta_type == IFLA_CAN_BITTIMING)
			ret->nominal_bit_rate = bit_rate(attribute);
		if (attribute->rta_type == IFLA_CAN_DATA_BITTIMING)
			ret->data_bit_rate = bit_rate(attribute);
		if (attribute->rta_type == IFLA_CAN_CTRLMODE && RTA_PAYLOAD(attribute) >= sizeof(mode)) {
			memcpy(&mode, RTA_DATA(attribute), sizeof(mode));
			ret->fd_mode = mode.flags & CAN_CTRLMODE_FD;
		}
	}
}

static void read_information(struct rtattr *nest, struct can_interface *ret)
{
	struct rtattr *data = NULL;
	int left = (int)RTA_PAYLOAD(nest);
	for (struct rtattr *attribute = RTA_DATA(nest); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		if (attribute->rta_type == IFLA_INFO_KIND)
			ret->is_can = RTA_PAYLOAD(attribute) >= 4 && memcmp(RTA_DATA(attribute), "can", 4) == 0;
		if (attribute->rta_type == IFLA_INFO_DATA)
			data = attribute;
	}
	if (ret->is_can && data)
		read_can(data, ret);
}

int can_netlink_read(const char *interface, struct can_interface *ret)
{
	_Alignas(struct nlmsghdr) char answer[16384];
	struct can_interface found = {0};
	struct request request;
	int r = begin(&request, RTM_GETLINK, 0, interface);
	if (r < 0)
		return r;
	ssize_t n = talk(&request, answer, sizeof(answer));
	struct nlmsghdr *header = (void *)answer;
	if (n < 0)
		return (int)n;
	if (!NLMSG_OK(header, (size_t)n))
		return -EPROTO;
	if (header->nlmsg_type == NLMSG_ERROR)
		return error_of(header) ? error_of(header) : -EPROTO;
	struct ifinfomsg *link = NLMSG_DATA(header);
	int left = (int)IFLA_PAYLOAD(header);
	found.up = link->ifi_flags & IFF_UP;
	for (struct rtattr *attribute = IFLA_RTA(link); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		uint32_t mtu;
		if (attribute->rta_type == IFLA_MTU && RTA_PAYLOAD(attribute) >= sizeof(mtu)) {
			memcpy(&mtu, RTA_DATA(attribute), sizeof(mtu));
			found.fd = mtu >= CANFD_MTU;
		}
		if (attribute->rta_type == IFLA_LINKINFO)
			read_information(attribute, &found);
	}
	*ret = found;
	return 0;
}

/* ---- setting ---- */

int can_netlink_set_fd(const char *interface, uint32_t nominal, uint32_t data)
{
	_Alignas(struct nlmsghdr) char answer[1024];
	const struct can_bittiming nominal_timing = {.bitrate = nominal}, data_timing = {.bitrate = data};
	const struct can_ctrlmode mode = {.mask = CAN_CTRLMODE_FD, .flags = CAN_CTRLMODE_FD};
	struct request request;
	int r = begin(&request, RTM_NEWLINK, NLM_F_ACK, interface);
	if (r < 0)
		return r;
	struct rtattr *information = put(&request, IFLA_LINKINFO, NULL, 0);
	put(&request, IFLA_INFO_KIND, "can", 3);
	struct rtattr *settings = put(&request, IFLA_INFO_DATA, NULL, 0);
	put(&request, IFLA_CAN_BITTIMING, &nominal_timing, sizeof(nominal_timing));
	put(&request, IFLA_CAN_DATA_BITTIMING, &data_timing, sizeof(data_timing));
	put(&request, IFLA_CAN_CTRLMODE, &mode, sizeof(mode));
	nest_end(&request, settings);
	nest_end(&request, information);
	ssize_t n = talk(&request, answer, sizeof(answer));
	struct nlmsghdr *header = (void *)answer;
	if (n < 0)
		return (int)n;
	return NLMSG_OK(header, (size_t)n) && header->nlmsg_type == NLMSG_ERROR ? error_of(header) : -EPROTO;
}
