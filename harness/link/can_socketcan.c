/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SocketCAN interface: raw socket with FD and error frames. What was sent is confirmed by the reception of one's own
 * frames: the kernel echoes a frame when the controller has sent it, with the stamp of that moment.
 */
/* linux/errqueue.h needs it and does not say so. */
#include <time.h>

#include <errno.h>
#include <libsocketcan.h>
#include <linux/can.h>
#include <linux/can/error.h>
#include <linux/can/raw.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "can_drops.h"
#include "can_hardware_clock.h"
#include "can_netlink.h"
#include "can_private.h"
#include "stamp.h"

#define FRAMES_AT_ONCE 64
#define RECEIVE_BYTES  (8 << 20)
#define RETRY_US       500 /* the interface's queue was full: nothing tells when it has room again */

struct raw {
	int fd;
	char interface[IFNAMSIZ];
	sd_event_source *io, *retry;
	struct can_interface link;
	struct can_drops drops;
	struct hardware_clock clock;
};

/* ---- in ---- */

static int64_t hardware_stamp(struct msghdr *message)
{
	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
		struct scm_timestamping stamps;
		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SO_TIMESTAMPING ||
		    control->cmsg_len < CMSG_LEN(sizeof(stamps)))
			continue;
		memcpy(&stamps, CMSG_DATA(control), sizeof(stamps));
		return (int64_t)stamps.ts[2].tv_sec * 1000000000 + stamps.ts[2].tv_nsec;
	}
	return 0;
}

/* The best clock there is: the controller's, else the kernel's, else (the first frame may lack its stamp) this reader's. */
static struct instant stamp(struct raw *raw, struct msghdr *message)
{
	struct instant kernel = stamp_of_message(message);
	int64_t hardware_ns = hardware_stamp(message);
	return hardware_ns ? hardware_clock_convert(&raw->clock, hardware_ns, kernel) : kernel;
}

static enum can_error_kind protocol_error(const struct canfd_frame *frame)
{
	if (frame->can_id & CAN_ERR_ACK)
		return CAN_ERROR_ACK;
	if (!(frame->can_id & CAN_ERR_PROT))
		return CAN_ERROR_OTHER;
	if (frame->data[3] == CAN_ERR_PROT_LOC_CRC_SEQ || frame->data[3] == CAN_ERR_PROT_LOC_CRC_DEL)
		return CAN_ERROR_CRC;
	if (frame->data[3] == CAN_ERR_PROT_LOC_ACK || frame->data[3] == CAN_ERR_PROT_LOC_ACK_DEL)
		return CAN_ERROR_ACK;
	if (frame->data[2] & CAN_ERR_PROT_STUFF)
		return CAN_ERROR_STUFF;
	if (frame->data[2] & CAN_ERR_PROT_FORM)
		return CAN_ERROR_FORM;
	return frame->data[2] & (CAN_ERR_PROT_BIT | CAN_ERR_PROT_BIT0 | CAN_ERR_PROT_BIT1) ? CAN_ERROR_BIT : CAN_ERROR_OTHER;
}

static void take_controller_error(struct can *can, uint8_t status, struct instant at)
{
	/* The controller does not tell how many it lost: one at least. */
	if (status & CAN_ERR_CRTL_RX_OVERFLOW)
		can_report_lost(can, 1);
	if (status & (CAN_ERR_CRTL_RX_PASSIVE | CAN_ERR_CRTL_TX_PASSIVE))
		can_report_state(can, CAN_BUS_PASSIVE, at);
	else if (status & (CAN_ERR_CRTL_RX_WARNING | CAN_ERR_CRTL_TX_WARNING))
		can_report_state(can, CAN_BUS_WARNING, at);
	else if (status & CAN_ERR_CRTL_ACTIVE)
		can_report_state(can, CAN_BUS_ACTIVE, at);
}

static void take_error_frame(struct can *can, const struct canfd_frame *frame, struct instant at)
{
#ifdef CAN_ERR_CNT
	if (frame->can_id & CAN_ERR_CNT) {
		can->counters.tec = frame->data[6];
		can->counters.rec = frame->data[7];
	}
#endif
	if (frame->can_id & (CAN_ERR_ACK | CAN_ERR_PROT | CAN_ERR_BUSERROR))
		can_report_error(can, protocol_error(frame), 0, at);
	if (frame->can_id & CAN_ERR_CRTL)
		take_controller_error(can, frame->data[1], at);
	if (frame->can_id & CAN_ERR_BUSOFF) {
		can_report_state(can, CAN_BUS_OFF, at);
		can_report_all_not_sent(can, "bus-off");
	}
	if (frame->can_id & CAN_ERR_RESTARTED)
		can_report_state(can, CAN_BUS_ACTIVE, at);
}

static bool message_of_frame(const struct canfd_frame *frame, size_t size, struct can_message *ret)
{
	bool fd = size == CANFD_MTU, remote = frame->can_id & CAN_RTR_FLAG;
	*ret = (struct can_message){.length = frame->len};
	ret->id = frame->can_id & (frame->can_id & CAN_EFF_FLAG ? CAN_EFF_MASK : CAN_SFF_MASK);
	ret->flags = (uint8_t)((frame->can_id & CAN_EFF_FLAG ? CAN_MESSAGE_EXTENDED : 0) | (remote ? CAN_MESSAGE_REMOTE : 0));
	if (fd)
		ret->flags |= (uint8_t)(CAN_MESSAGE_FD | (frame->flags & CANFD_BRS ? CAN_MESSAGE_BRS : 0) |
		                        (frame->flags & CANFD_ESI ? CAN_MESSAGE_ESI : 0));
	if ((size != CAN_MTU && !fd) || can_message_check(ret, NULL) < 0)
		return false;
	if (!remote)
		memcpy(ret->data, frame->data, ret->length);
	return true;
}

static void take_own(struct can *can, struct can_message *message, struct instant at)
{
	struct can_pending_entry entry;
	if (!can_pending_take_equal(&can->pending, message, &entry))
		return; /* of a frame that was given up at bus-off */
	entry.message.flags = message->flags;
	can_report_sent(can, &entry, at);
}

static void take_frame(struct can *can, const struct canfd_frame *frame, size_t size, bool own, struct instant at)
{
	struct can_message message;
	if (frame->can_id & CAN_ERR_FLAG) {
		take_error_frame(can, frame, at);
		return;
	}
	if (!message_of_frame(frame, size, &message)) {
		can_report_garbage(can, "the interface delivered what is no frame");
		return;
	}
	if (own) {
		take_own(can, &message, at);
		return;
	}
	message.at = at;
	can_report_received(can, &message);
}

/* Reads and discards: nothing here asks for entries, but one that stayed would keep the socket readable for ever. */
static void drain_error_queue(struct raw *raw)
{
	char data[CANFD_MTU], control[STAMP_CONTROL_SIZE];
	for (unsigned i = 0; i < FRAMES_AT_ONCE; i++) {
		struct iovec part = {data, sizeof(data)};
		struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
		if (recvmsg(raw->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
	}
}

static void lose_interface(struct can *can, int code)
{
	struct raw *raw = can->state;
	char reason[96];
	if (code == ENETDOWN)
		snprintf(reason, sizeof(reason), "interface %s went down", raw->interface);
	else if (code == ENODEV)
		snprintf(reason, sizeof(reason), "interface %s was removed", raw->interface);
	else
		snprintf(reason, sizeof(reason), "interface %s: %s", raw->interface, strerror(code));
	sd_event_source_set_enabled(raw->io, SD_EVENT_OFF);
	sd_event_source_set_enabled(raw->retry, SD_EVENT_OFF);
	can_report_closed(can, reason);
}

/* false: nothing more for now. */
static bool read_one(struct can *can)
{
	struct raw *raw = can->state;
	struct canfd_frame frame = {0};
	_Alignas(struct cmsghdr) char control[STAMP_CONTROL_SIZE];
	struct iovec part = {&frame, sizeof(frame)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(raw->fd, &message, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0) {
		lose_interface(can, errno);
		return false;
	}
	struct instant at = stamp(raw, &message);
	can_report_lost(can, can_drops_of_message(&raw->drops, &message));
	take_frame(can, &frame, (size_t)n, message.msg_flags & MSG_CONFIRM, at);
	return true;
}

/* ---- out ---- */

static size_t frame_of_message(const struct can_message *message, struct canfd_frame *ret)
{
	*ret = (struct canfd_frame){.can_id = message->id, .len = message->length};
	if (message->flags & CAN_MESSAGE_EXTENDED)
		ret->can_id |= CAN_EFF_FLAG;
	if (message->flags & CAN_MESSAGE_REMOTE)
		ret->can_id |= CAN_RTR_FLAG;
	else
		memcpy(ret->data, message->data, message->length);
	if (!(message->flags & CAN_MESSAGE_FD))
		return CAN_MTU;
	ret->flags = (uint8_t)((message->flags & CAN_MESSAGE_BRS ? CANFD_BRS : 0) | (message->flags & CAN_MESSAGE_ESI ? CANFD_ESI : 0));
	return CANFD_MTU;
}

static void retry_later(struct raw *raw)
{
	sd_event_source_set_time_relative(raw->retry, RETRY_US);
	sd_event_source_set_enabled(raw->retry, SD_EVENT_ONESHOT);
}

/* As many as the interface takes. 0 or -errno. */
static int flush(struct can *can)
{
	struct raw *raw = can->state;
	struct can_pending_entry *entry;
	struct canfd_frame frame;
	while ((entry = can_pending_next(&can->pending))) {
		size_t size = frame_of_message(&entry->message, &frame);
		if (send(raw->fd, &frame, size, MSG_DONTWAIT) < 0) {
			if (errno != ENOBUFS && errno != EAGAIN)
				return -errno;
			retry_later(raw);
			return 0;
		}
		can_pending_was_handed(&can->pending);
	}
	return 0;
}

static int socketcan_send(struct can *can, struct error *err)
{
	struct raw *raw = can->state;
	int r = flush(can);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "interface %s takes no frame: %s", raw->interface, strerror(-r)) : 0;
}

static void flush_or_lose(struct can *can)
{
	int r = can->closed || can->freed ? 0 : flush(can);
	if (r < 0)
		lose_interface(can, -r);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *context)
{
	struct can *can = context;
	can_enter(can);
	flush_or_lose(can);
	can_leave(can);
	return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct can *can = context;
	struct raw *raw = can->state;
	can_enter(can);
	/* The error queue first: while it is not empty poll says POLLERR and recvmsg() without MSG_DONTWAIT would block. */
	if (events & EPOLLERR)
		drain_error_queue(raw);
	for (unsigned i = 0; i < FRAMES_AT_ONCE && !can->freed && !can->closed && read_one(can); i++)
		;
	flush_or_lose(can);
	can_leave(can);
	return 0;
}

/* ---- state ---- */

static enum can_bus_state bus_state(int state)
{
	switch (state) {
	case CAN_STATE_ERROR_ACTIVE:
		return CAN_BUS_ACTIVE;
	case CAN_STATE_ERROR_WARNING:
		return CAN_BUS_WARNING;
	case CAN_STATE_ERROR_PASSIVE:
		return CAN_BUS_PASSIVE;
	case CAN_STATE_BUS_OFF:
		return CAN_BUS_OFF;
	default:
		return CAN_BUS_STOPPED;
	}
}

/* vcan and vxcan have no controller to ask. */
static void socketcan_refresh(struct can *can)
{
	struct raw *raw = can->state;
	struct can_berr_counter counter;
	int state;
	can_report_lost(can, can_drops_of_socket(&raw->drops, raw->fd));
	if (!raw->link.is_can || can->closed || can->freed)
		return;
	if (can_get_state(raw->interface, &state) == 0)
		can_report_state(can, bus_state(state), instant_now());
	if (can_get_berr_counter(raw->interface, &counter) == 0) {
		can->counters.tec = counter.txerr;
		can->counters.rec = counter.rxerr;
	}
}

/* Some drivers (gs_usb) know no restart: down and up does the same. 0 or -1. */
static int restart(struct raw *raw)
{
	int state, code;
	socklen_t size = sizeof(code);
	if (can_do_restart(raw->interface) == 0)
		return 0;
	if (can_get_state(raw->interface, &state) < 0 || state != CAN_STATE_BUS_OFF)
		return -1;
	if (can_do_stop(raw->interface) < 0 || can_do_start(raw->interface) < 0)
		return -1;
	/* The socket's ENETDOWN is of our own doing: taken off, so that the channel is not closed by it. */
	(void)getsockopt(raw->fd, SOL_SOCKET, SO_ERROR, &code, &size);
	return 0;
}

static int socketcan_recover(struct can *can, struct error *err)
{
	struct raw *raw = can->state;
	if (!raw->link.is_can)
		return error_set(err, ERROR_TESTCASE, ENOTSUP, "interface %s has no bus-off to leave", raw->interface);
	if (restart(raw) < 0)
		return error_set(err, ERROR_BENCH, EPERM,
		                 "interface %s cannot be restarted (it is not bus-off, or the privilege is missing)", raw->interface);
	/* Down and up sends no "restarted". */
	socketcan_refresh(can);
	return 0;
}

/* ---- start and end ---- */

static int socketcan_check(const char *address, struct error *err)
{
	if (strlen(address) < IFNAMSIZ && !strchr(address, '/') && !strchr(address, ' '))
		return 0;
	return error_set(err, ERROR_USAGE, EINVAL, "\"%s\" cannot be the name of an interface", address);
}

static int set_classic(const char *interface, uint32_t nominal)
{
	struct can_ctrlmode mode = {.mask = CAN_CTRLMODE_FD};
	(void)can_set_ctrlmode(interface, &mode); /* refused by what never had FD */
	return can_set_bitrate(interface, nominal) < 0 ? -EOPNOTSUPP : 0;
}

/* The bit rates that were asked for; an interface that has them already is left alone: that needs no privilege. */
static int configure(struct raw *raw, const struct can_options *options, struct error *err)
{
	const struct can_interface *link = &raw->link;
	bool fd = options->data_bit_rate != 0;
	if (options->nominal_bit_rate == 0 || !link->is_can)
		return 0;
	if (link->up && link->nominal_bit_rate == options->nominal_bit_rate &&
	    (!fd || (link->fd_mode && link->data_bit_rate == options->data_bit_rate)))
		return 0;
	if (link->up && can_do_stop(raw->interface) < 0)
		return error_set(err, ERROR_BENCH, EPERM, "interface %s cannot be stopped to set its bit rates (needs CAP_NET_ADMIN)",
		                 raw->interface);
	int r = fd ? can_netlink_set_fd(raw->interface, options->nominal_bit_rate, options->data_bit_rate)
	           : set_classic(raw->interface, options->nominal_bit_rate);
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "interface %s does not take %u/%u bit/s: %s", raw->interface,
		                 options->nominal_bit_rate, options->data_bit_rate, strerror(-r));
	if (can_do_start(raw->interface) < 0)
		return error_set(err, ERROR_BENCH, EIO, "interface %s cannot be started", raw->interface);
	r = can_netlink_read(raw->interface, &raw->link);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "interface %s: %s", raw->interface, strerror(-r)) : 0;
}

/* Hardware stamps where the driver has them. Without the privilege the administrator's setting stays. */
static void enable_stamps(struct raw *raw)
{
	struct hwtstamp_config config = {.tx_type = HWTSTAMP_TX_ON, .rx_filter = HWTSTAMP_FILTER_ALL};
	struct ifreq request = {.ifr_data = (void *)&config};
	int flags = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_RAW_HARDWARE | SOF_TIMESTAMPING_SOFTWARE;
	memcpy(request.ifr_name, raw->interface, IFNAMSIZ);
	(void)ioctl(raw->fd, SIOCSHWTSTAMP, &request);
	(void)setsockopt(raw->fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags));
}

static int open_socket(struct can *can, struct raw *raw, struct error *err)
{
	int one = 1;
	can_err_mask_t mask = CAN_ERR_MASK;
	raw->fd = socket(PF_CAN, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, CAN_RAW);
	if (raw->fd < 0)
		return error_set(err, ERROR_BENCH, errno, "this kernel gives no CAN socket: %s", strerror(errno));
	struct sockaddr_can address = {.can_family = AF_CAN, .can_ifindex = (int)if_nametoindex(raw->interface)};
	if ((can->fd && setsockopt(raw->fd, SOL_CAN_RAW, CAN_RAW_FD_FRAMES, &one, sizeof(one)) < 0) ||
	    setsockopt(raw->fd, SOL_CAN_RAW, CAN_RAW_ERR_FILTER, &mask, sizeof(mask)) < 0 ||
	    setsockopt(raw->fd, SOL_CAN_RAW, CAN_RAW_RECV_OWN_MSGS, &one, sizeof(one)) < 0)
		return error_set(err, ERROR_BENCH, errno, "interface %s: the socket lacks an option: %s", raw->interface, strerror(errno));
	can_drops_enable(raw->fd, RECEIVE_BYTES);
	enable_stamps(raw);
	if (bind(raw->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(err, ERROR_BENCH, errno, "interface %s cannot be used: %s", raw->interface, strerror(errno));
	return 0;
}

static int watch(struct can *can, struct raw *raw, struct error *err)
{
	sd_event *event = loop_event(can->loop);
	int r = sd_event_add_io(event, &raw->io, raw->fd, EPOLLIN, on_io, can);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &raw->retry, CLOCK_MONOTONIC, RETRY_US, 1, on_retry, can);
	if (r >= 0)
		r = sd_event_source_set_enabled(raw->retry, SD_EVENT_OFF);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot watch a socket: %s", strerror(-r)) : 0;
}

static int socketcan_open(struct can *can, const struct can_options *options, struct error *err)
{
	struct raw *raw = calloc(1, sizeof(*raw));
	if (!raw)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	raw->fd = -1;
	can->state = raw;
	snprintf(raw->interface, sizeof(raw->interface), "%s", options->address);
	int r = can_netlink_read(raw->interface, &raw->link);
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "interface %s: %s", raw->interface, strerror(-r));
	r = configure(raw, options, err);
	if (r < 0)
		return r;
	if (!raw->link.up)
		return error_set(err, ERROR_BENCH, ENETDOWN, "interface %s is down", raw->interface);
	if (raw->link.is_can) {
		can->counters.nominal_bit_rate = raw->link.nominal_bit_rate;
		can->counters.data_bit_rate = raw->link.fd_mode ? raw->link.data_bit_rate : 0;
	}
	can->fd = options->fd && raw->link.fd;
	r = open_socket(can, raw, err);
	return r < 0 ? r : watch(can, raw, err);
}

static void socketcan_close(struct can *can)
{
	struct raw *raw = can->state;
	if (!raw)
		return;
	sd_event_source_disable_unref(raw->io);
	sd_event_source_disable_unref(raw->retry);
	if (raw->fd >= 0)
		close(raw->fd);
	free(raw);
}

const struct can_backend can_socketcan = {
        .name = "socketcan",
        .check = socketcan_check,
        .open = socketcan_open,
        .close = socketcan_close,
        .send = socketcan_send,
        .refresh = socketcan_refresh,
        .recover = socketcan_recover,
};
