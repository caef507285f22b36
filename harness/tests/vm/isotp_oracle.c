/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isotp_oracle INTERFACE: the harness's ISO-TP against the kernel's (can-isotp), an implementation by others, in both
 * directions over one interface. The kernel's end is a CAN_ISOTP socket; ours is proto/isotp over a raw socket, confirmed
 * by the frames' own echo. Gaps between consecutive frames are measured by the kernel's stamps of the frames.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/can.h>
#include <linux/can/isotp.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../base/loop.h"
#include "../../proto/isotp.h"
#include "lines.h"

enum { ID_OURS = 0x7e0, ID_KERNEL = 0x7e8, MESSAGE_MAX = 5000, DEADLINE_MS = 30000, EXTENSION_OURS = 0x31, EXTENSION_KERNEL = 0x42 };

struct oracle_case {
	const char *name;
	unsigned length, tx_dl; /* tx_dl above 8: CAN FD */
	uint8_t block_size, st_min;
	bool pad, extended;
};
static const struct oracle_case cases[] = {
        {"single frame, 1 byte", 1, 8},
        {"single frame, 7 bytes, the most", 7, 8},
        {"8 bytes, the smallest first frame", 8, 8},
        {"100 bytes", 100, 8},
        {"100 bytes, padded", 100, 8, .pad = true},
        {"100 bytes, extended addressing", 100, 8, .extended = true},
        {"100 bytes, BS 1", 100, 8, 1, 0},
        {"100 bytes, BS 8, STmin 1 ms", 100, 8, 8, 1},
        {"100 bytes, BS 255, STmin 900 us", 100, 8, 255, 0xf9},
        {"40 bytes, STmin 127 ms", 40, 8, 0, 0x7f},
        {"4095 bytes, the longest 12-bit length", 4095, 8},
        {"4095 bytes, BS 15", 4095, 8, 15, 0},
        {"4096 bytes, the shortest 32-bit length", 4096, 8},
        {"5000 bytes", 5000, 8},
        {"FD, single frame of 62 bytes", 62, 64},
        {"FD, 63 bytes, the smallest first frame", 63, 64},
        {"FD, 100 bytes, frames of 32", 100, 32},
        {"FD, 4095 bytes", 4095, 64},
        {"FD, 5000 bytes, BS 4, STmin 1 ms", 5000, 64, 4, 1},
        {"FD, 5000 bytes, frames of 12", 5000, 12},
};

/* The newest message that came to either end; length -1: none. */
static uint8_t received[MESSAGE_MAX + 1];
static ssize_t received_length;

struct ends {
	int raw, kernel;
	struct isotp *ours;
	bool fd, extended;
	unsigned wrong_frames; /* frames of the kernel that we could not take */
	canid_t gap_of;        /* whose consecutive frames are timed */
	int64_t last_ns, smallest_gap_ns;
	unsigned consecutive, flow_controls; /* seen on the bus */
	bool after_flow;                     /* a flow control came in between: the next gap does not count */
};

static struct sockaddr_can address_of(const char *interface)
{
	return (struct sockaddr_can){.can_family = AF_CAN, .can_ifindex = (int)if_nametoindex(interface)};
}

static int open_raw(const char *interface)
{
	int fd = socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, CAN_RAW);
	int on = 1;
	struct can_filter filters[2] = {{ID_OURS, CAN_SFF_MASK | CAN_EFF_FLAG}, {ID_KERNEL, CAN_SFF_MASK | CAN_EFF_FLAG}};
	struct sockaddr_can address = address_of(interface);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FD_FRAMES, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_CAN_RAW, CAN_RAW_RECV_OWN_MSGS, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, filters, sizeof(filters)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int code = -errno;
		close(fd);
		return code;
	}
	return fd;
}

static int open_kernel(const char *interface, const struct oracle_case *this)
{
	int fd = socket(PF_CAN, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, CAN_ISOTP);
	struct can_isotp_options options = {
	        .ext_address = EXTENSION_OURS, .rx_ext_address = EXTENSION_KERNEL, .txpad_content = 0xaa, .rxpad_content = 0xcc};
	if (this->extended)
		options.flags |= CAN_ISOTP_EXTEND_ADDR | CAN_ISOTP_RX_EXT_ADDR;
	if (this->pad)
		options.flags |= CAN_ISOTP_TX_PADDING | CAN_ISOTP_RX_PADDING | CAN_ISOTP_CHK_PAD_LEN | CAN_ISOTP_CHK_PAD_DATA;
	struct can_isotp_fc_options flow = {.bs = this->block_size, .stmin = this->st_min};
	bool is_fd = this->tx_dl > 8;
	struct can_isotp_ll_options layer = {
	        .mtu = is_fd ? CANFD_MTU : CAN_MTU, .tx_dl = (__u8)this->tx_dl, .tx_flags = is_fd ? CANFD_BRS : 0};
	struct sockaddr_can address = address_of(interface);
	address.can_addr.tp.tx_id = ID_KERNEL;
	address.can_addr.tp.rx_id = ID_OURS;
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_CAN_ISOTP, CAN_ISOTP_OPTS, &options, sizeof(options)) < 0 ||
	    setsockopt(fd, SOL_CAN_ISOTP, CAN_ISOTP_RECV_FC, &flow, sizeof(flow)) < 0 ||
	    setsockopt(fd, SOL_CAN_ISOTP, CAN_ISOTP_LL_OPTS, &layer, sizeof(layer)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int code = -errno;
		close(fd);
		return code;
	}
	return fd;
}

static int open_ends(struct ends *ends, const char *interface, const struct oracle_case *this)
{
	struct isotp_options options = {
	        .addressing = this->extended ? ISOTP_EXTENDED : ISOTP_NORMAL,
	        .extension_tx = EXTENSION_KERNEL,
	        .extension_rx = EXTENSION_OURS,
	        .fd = this->tx_dl > 8,
	        .tx_dl = (uint8_t)this->tx_dl,
	        .pad = this->pad,
	        .padding = 0xcc,
	        .block_size = this->block_size,
	        .st_min = this->st_min,
	        .wft_max = 4,
	};
	received_length = -1;
	*ends = (struct ends){.smallest_gap_ns = INT64_MAX,
	                      .raw = open_raw(interface),
	                      .kernel = open_kernel(interface, this),
	                      .fd = options.fd,
	                      .extended = this->extended};
	if (ends->raw < 0)
		return ends->raw;
	if (ends->kernel < 0)
		return ends->kernel;
	return isotp_new(&ends->ours, &options);
}

static void close_ends(struct ends *ends)
{
	if (ends->raw >= 0)
		close(ends->raw);
	if (ends->kernel >= 0)
		close(ends->kernel);
	isotp_free(ends->ours);
}

/* Times the gaps between consecutive frames of the side that sends. */
static void note_gap(struct ends *ends, const struct canfd_frame *frame, struct msghdr *message)
{
	unsigned kind = frame->data[ends->extended ? 1 : 0] >> 4;
	if (frame->can_id != ends->gap_of) {
		ends->after_flow = true;
		ends->flow_controls += kind == 3;
	}
	if (frame->can_id != ends->gap_of || kind != 2)
		return;
	ends->consecutive++;
	int64_t at_ns = 0;
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
		struct timespec stamp;
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&stamp, CMSG_DATA(part), sizeof(stamp));
		at_ns = (int64_t)stamp.tv_sec * 1000000000 + stamp.tv_nsec;
	}
	if (ends->last_ns != 0 && at_ns != 0 && !ends->after_flow && at_ns - ends->last_ns < ends->smallest_gap_ns)
		ends->smallest_gap_ns = at_ns - ends->last_ns;
	ends->last_ns = at_ns;
	ends->after_flow = false;
}

/* false: nothing more to read. */
static bool take_frame(struct ends *ends)
{
	struct canfd_frame frame = {0};
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {.iov_base = &frame, .iov_len = sizeof(frame)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(ends->raw, &message, 0);
	if (got < 0)
		return false;
	note_gap(ends, &frame, &message);
	if (message.msg_flags & MSG_CONFIRM)
		isotp_confirmed(ends->ours, loop_now_ns());
	else if (frame.can_id == ID_KERNEL && (size_t)got == (ends->fd ? CANFD_MTU : CAN_MTU))
		isotp_receive(ends->ours, frame.data, frame.len, loop_now_ns());
	else
		ends->wrong_frames++;
	return true;
}

static void put_frames(struct ends *ends)
{
	struct isotp_frame next;
	while (isotp_next(ends->ours, loop_now_ns(), &next)) {
		struct canfd_frame frame = {.can_id = ID_OURS, .len = next.length, .flags = ends->fd ? CANFD_BRS : 0};
		memcpy(frame.data, next.data, next.length);
		size_t size = ends->fd ? CANFD_MTU : CAN_MTU;
		if (write(ends->raw, &frame, size) != (ssize_t)size)
			ends->wrong_frames++;
	}
}

/* Runs our end until done, or the deadline. */
static bool pump(struct ends *ends, bool (*done)(struct ends *))
{
	int64_t limit_ns = loop_now_ns() + (int64_t)DEADLINE_MS * 1000000;
	for (;;) {
		put_frames(ends);
		if (done(ends))
			return true;
		int64_t now_ns = loop_now_ns(), wake_ns = isotp_deadline(ends->ours);
		if (now_ns >= limit_ns)
			return false;
		if (wake_ns > limit_ns)
			wake_ns = limit_ns;
		int64_t wait_ns = wake_ns > now_ns ? wake_ns - now_ns : 0;
		struct timespec wait = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
		struct pollfd polled[2] = {{.fd = ends->raw, .events = POLLIN}, {.fd = ends->kernel, .events = POLLIN}};
		(void)ppoll(polled, 2, &wait, NULL);
		while (take_frame(ends))
			put_frames(ends);
		isotp_tick(ends->ours, loop_now_ns());
	}
}

static bool kernel_has_message(struct ends *ends)
{
	received_length = read(ends->kernel, received, sizeof(received));
	return received_length >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK) ||
	       (isotp_send_result(ends->ours) != ISOTP_PENDING && isotp_send_result(ends->ours) != ISOTP_OK);
}

static bool we_have_message(struct ends *ends)
{
	struct bytes message = {0};
	if (!isotp_take(ends->ours, &message))
		return isotp_receive_result(ends->ours) > ISOTP_OK;
	received_length = message.length > sizeof(received) ? -1 : (ssize_t)message.length;
	if (received_length > 0)
		memcpy(received, message.data, message.length);
	bytes_free(&message);
	return true;
}

static bool sending_ended(struct ends *ends)
{
	return isotp_send_result(ends->ours) != ISOTP_PENDING;
}

static int64_t st_min_ns(uint8_t st_min)
{
	return st_min >= 0xf1 ? (st_min - 0xf0) * INT64_C(100000) : st_min * INT64_C(1000000);
}

/* The message is right, and on the bus block size and STmin were kept. */
static void judge(const struct ends *ends, const struct oracle_case *this, const char *name, const uint8_t *sent)
{
	unsigned flows = 0;
	if (ends->consecutive > 0)
		flows = this->block_size > 0 ? 1 + (ends->consecutive - 1) / this->block_size : 1;
	if (received_length != (ssize_t)this->length || memcmp(received, sent, this->length) != 0)
		line_check(false, name, "%zd bytes came, %u were sent", received_length, this->length);
	else if (ends->smallest_gap_ns < st_min_ns(this->st_min))
		line_check(false, name, "two consecutive frames are %" PRId64 " ns apart", ends->smallest_gap_ns);
	else
		line_check(ends->flow_controls == flows, name, "%u flow controls for %u consecutive frames, not %u", ends->flow_controls,
		           ends->consecutive, flows);
}

static void to_kernel(const char *interface, const struct oracle_case *this, const uint8_t *message)
{
	struct ends ends;
	char name[160];
	snprintf(name, sizeof(name), "ISO-TP to the kernel: %s", this->name);
	int result = open_ends(&ends, interface, this);
	ends.gap_of = ID_OURS;
	if (result == 0)
		result = isotp_send(ends.ours, message, this->length, loop_now_ns());
	if (result < 0) {
		line_check(false, name, "%s", strerror(-result));
	} else {
		bool came = pump(&ends, kernel_has_message) && pump(&ends, sending_ended);
		if (!came || isotp_send_result(ends.ours) != ISOTP_OK)
			line_check(false, name, "our sender: %s, %u frames refused", isotp_result_name(isotp_send_result(ends.ours)),
			           ends.wrong_frames);
		else
			judge(&ends, this, name, message);
	}
	close_ends(&ends);
}

static void from_kernel(const char *interface, const struct oracle_case *this, const uint8_t *message)
{
	struct ends ends;
	char name[160];
	snprintf(name, sizeof(name), "ISO-TP from the kernel: %s", this->name);
	int result = open_ends(&ends, interface, this);
	ends.gap_of = ID_KERNEL;
	if (result == 0 && write(ends.kernel, message, this->length) != (ssize_t)this->length)
		result = -errno;
	if (result < 0)
		line_check(false, name, "%s", strerror(-result));
	else if (!pump(&ends, we_have_message) || received_length < 0)
		line_check(false, name, "our receiver: %s, %u frames refused", isotp_result_name(isotp_receive_result(ends.ours)),
		           ends.wrong_frames);
	else
		judge(&ends, this, name, message);
	close_ends(&ends);
}

/* Three messages one after the other over the same ends, ours and the kernel's in turn. */
static void in_turn(const char *interface, const uint8_t *message)
{
	static const struct oracle_case this = {"", 300, 8, 3, 0};
	const char *name = "ISO-TP in turn over one link: three messages each way";
	struct ends ends;
	int result = open_ends(&ends, interface, &this);
	bool right = result == 0;
	for (int i = 0; i < 3 && right; i++) {
		received_length = -1;
		right = isotp_send(ends.ours, message + i, this.length, loop_now_ns()) == 0 && pump(&ends, kernel_has_message) &&
		        pump(&ends, sending_ended) && received_length == (ssize_t)this.length &&
		        memcmp(received, message + i, this.length) == 0;
		received_length = -1;
		right = right && write(ends.kernel, message + 7 * i, this.length) == (ssize_t)this.length && pump(&ends, we_have_message) &&
		        received_length == (ssize_t)this.length && memcmp(received, message + 7 * i, this.length) == 0;
	}
	line_check(right, name, "%s", result < 0 ? strerror(-result) : "a message was lost or changed");
	close_ends(&ends);
}

int main(int argc, char **argv)
{
	static uint8_t message[MESSAGE_MAX];
	if (argc != 2) {
		fprintf(stderr, "usage: isotp_oracle INTERFACE\n");
		return 2;
	}
	/* The kernel stamps frames as they come only a while after the first socket asked for it; until then they are stamped
	 * when they are read. This socket keeps it at it. */
	int keeper = open_raw(argv[1]);
	if (keeper < 0) {
		line_check(false, "ISO-TP: interface", "%s", strerror(-keeper));
		return 1;
	}
	usleep(100000);
	for (unsigned i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)(i * 7 + (i >> 8) + 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		to_kernel(argv[1], &cases[i], message);
		from_kernel(argv[1], &cases[i], message);
	}
	in_turn(argv[1], message);
	close(keeper);
	return lines_status();
}
