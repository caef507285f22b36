/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A two-channel CAN-FD adapter of the candleLight kind (kernel driver gs_usb) that exists only in this process, for a
 * kernel without hardware: gs_usb_emulator CONTROL. Both channels are on one bus, which has frame times, arbitration,
 * acknowledges, bit rates that must agree, error counters and bus-off, and stamps in microseconds.
 * CONTROL is a FIFO that takes lines: "corrupt N" (the next N attempts on the bus fail with a bit error), "busoff C"
 * (channel C is driven off the bus), "unplug" (the adapter is pulled out; the program ends with status 0).
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/can.h>
#include <linux/can/error.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "usb_chapter9.h"
#include "usbip.h"

enum { CHANNELS = 2, QUEUE_MAX = 64, UP_MAX = 512, CLOCK_HZ = 80000000, RETRY_NS = 1000000 };

/* What the driver asks of the adapter (vendor requests) and how. All numbers are little-endian. */
enum vendor_request {
	REQUEST_HOST_FORMAT = 0,
	REQUEST_BIT_TIMING = 1,
	REQUEST_MODE = 2,
	REQUEST_BIT_TIMING_LIMITS = 4,
	REQUEST_DEVICE_CONFIG = 5,
	REQUEST_TIMESTAMP = 6,
	REQUEST_DATA_BIT_TIMING = 10,
	REQUEST_BIT_TIMING_LIMITS_FD = 11,
	REQUEST_GET_STATE = 14,
};
enum feature {
	FEATURE_LISTEN_ONLY = 1 << 0,
	FEATURE_ONE_SHOT = 1 << 3,
	FEATURE_TIMESTAMP = 1 << 4,
	FEATURE_FD = 1 << 8,
	FEATURE_LIMITS_FD = 1 << 10,
	FEATURE_ERROR_REPORTS = 1 << 12,
	FEATURE_GET_STATE = 1 << 13,
	FEATURES = FEATURE_LISTEN_ONLY | FEATURE_ONE_SHOT | FEATURE_TIMESTAMP | FEATURE_FD | FEATURE_LIMITS_FD | FEATURE_ERROR_REPORTS |
	           FEATURE_GET_STATE,
};
enum frame_flag { FRAME_OVERFLOW = 1, FRAME_FD = 2, FRAME_BRS = 4, FRAME_ESI = 8 };
enum bus_state { STATE_ACTIVE, STATE_WARNING, STATE_PASSIVE, STATE_OFF };
#define NOT_AN_ECHO UINT32_MAX

/* One frame as it goes over the bulk endpoints; the stamp stands right behind the 8 or 64 data bytes. */
struct host_frame {
	uint32_t echo_id, can_id;
	uint8_t dlc, channel, flags, reserved;
	uint8_t data[64 + 4];
} __attribute__((packed));

struct channel {
	bool started;
	uint32_t features; /* of the last start */
	uint32_t bit_rate, data_bit_rate;
	unsigned transmit_errors, receive_errors;
	enum bus_state state;
	struct host_frame queue[QUEUE_MAX];
	unsigned queued;
};

struct adapter {
	struct usbip usbip;
	struct channel channels[CHANNELS];
	struct host_frame up[UP_MAX]; /* to the host, oldest first (ring) */
	size_t up_length[UP_MAX];
	unsigned up_first, up_count;
	bool overflowed;
	int sender; /* channel that is on the bus, -1 none */
	int64_t until_ns;
	int64_t stamp_ns; /* the end of the newest frame: one instant for all who saw it */
	unsigned corrupt;
	bool unplugged;
};

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static unsigned length_of(const struct host_frame *frame)
{
	static const uint8_t lengths[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64};
	unsigned length = lengths[frame->dlc & 15];
	return frame->flags & FRAME_FD ? length : length < 8 ? length : 8;
}

/* Puts a frame for the host in line, with the newest stamp where the channel was started so. */
static void send_up(struct adapter *adapter, const struct host_frame *frame)
{
	if (adapter->up_count == UP_MAX) {
		adapter->overflowed = true;
		return;
	}
	unsigned at = (adapter->up_first + adapter->up_count++) % UP_MAX;
	struct host_frame *out = &adapter->up[at];
	*out = *frame;
	if (adapter->overflowed)
		out->flags |= FRAME_OVERFLOW;
	adapter->overflowed = false;
	size_t bytes = frame->flags & FRAME_FD ? 64 : 8;
	if (adapter->channels[frame->channel].features & FEATURE_TIMESTAMP) {
		uint32_t stamp_us = htole32((uint32_t)(adapter->stamp_ns / 1000));
		memcpy(out->data + bytes, &stamp_us, sizeof(stamp_us));
		bytes += sizeof(stamp_us);
	}
	adapter->up_length[at] = offsetof(struct host_frame, data) + bytes;
}

static void flush_up(struct adapter *adapter)
{
	while (adapter->up_count > 0 &&
	       usbip_bulk_in(&adapter->usbip, &adapter->up[adapter->up_first], adapter->up_length[adapter->up_first])) {
		adapter->up_first = (adapter->up_first + 1) % UP_MAX;
		adapter->up_count--;
	}
}

static void send_error(struct adapter *adapter, unsigned channel, uint32_t class, unsigned place, uint8_t detail)
{
	struct channel *of = &adapter->channels[channel];
	struct host_frame frame = {
	        .echo_id = NOT_AN_ECHO, .can_id = htole32(CAN_ERR_FLAG | class), .dlc = CAN_ERR_DLC, .channel = (uint8_t)channel};
	frame.data[place] = detail;
	frame.data[6] = (uint8_t)(of->transmit_errors > 255 ? 255 : of->transmit_errors);
	frame.data[7] = (uint8_t)(of->receive_errors > 255 ? 255 : of->receive_errors);
	send_up(adapter, &frame);
}

/* ISO 11898-1, fault confinement: the state that follows from the counters, told to the host when it changes. */
static void update_state(struct adapter *adapter, unsigned channel)
{
	struct channel *of = &adapter->channels[channel];
	unsigned worst = of->transmit_errors > of->receive_errors ? of->transmit_errors : of->receive_errors;
	enum bus_state state = of->transmit_errors > 255 ? STATE_OFF
	                       : worst > 127             ? STATE_PASSIVE
	                       : worst > 95              ? STATE_WARNING
	                                                 : STATE_ACTIVE;
	if (of->state == STATE_OFF || state == of->state)
		return;
	of->state = state;
	bool transmitting = of->transmit_errors >= of->receive_errors;
	if (state == STATE_OFF)
		send_error(adapter, channel, CAN_ERR_BUSOFF, 1, 0);
	else if (state == STATE_PASSIVE)
		send_error(adapter, channel, CAN_ERR_CRTL, 1, transmitting ? CAN_ERR_CRTL_TX_PASSIVE : CAN_ERR_CRTL_RX_PASSIVE);
	else if (state == STATE_WARNING)
		send_error(adapter, channel, CAN_ERR_CRTL, 1, transmitting ? CAN_ERR_CRTL_TX_WARNING : CAN_ERR_CRTL_RX_WARNING);
	else
		send_error(adapter, channel, CAN_ERR_CRTL, 1, CAN_ERR_CRTL_ACTIVE);
}

/* Time on the bus without stuff bits: the parts at the nominal rate and those between BRS and the CRC delimiter. */
static int64_t frame_ns(const struct channel *channel, const struct host_frame *frame)
{
	bool extended = le32toh(frame->can_id) & CAN_EFF_FLAG;
	int64_t nominal = extended ? 67 : 47, data = (int64_t)length_of(frame) * 8;
	if (frame->flags & FRAME_BRS) {
		nominal = extended ? 49 : 30;
		data += length_of(frame) > 16 ? 32 : 27;
		return nominal * 1000000000 / channel->bit_rate + data * 1000000000 / channel->data_bit_rate;
	}
	return (nominal + data) * 1000000000 / channel->bit_rate;
}

static bool understands(const struct channel *receiver, const struct channel *sender, const struct host_frame *frame)
{
	if (receiver->bit_rate != sender->bit_rate)
		return false;
	if (!(frame->flags & FRAME_FD))
		return true;
	return receiver->features & FEATURE_FD && (!(frame->flags & FRAME_BRS) || receiver->data_bit_rate == sender->data_bit_rate);
}

static void attempt_failed(struct adapter *adapter, uint32_t class, unsigned place, uint8_t detail, bool acknowledge)
{
	unsigned sender = (unsigned)adapter->sender;
	struct channel *of = &adapter->channels[sender];
	/* A passive sender that only misses its acknowledge does not count on (exception 1 of the rule). */
	if (!acknowledge || of->state < STATE_PASSIVE)
		of->transmit_errors += 8;
	if (of->features & FEATURE_ERROR_REPORTS)
		send_error(adapter, sender, class | CAN_ERR_BUSERROR, place, detail);
	update_state(adapter, sender);
	adapter->sender = -1;
	adapter->until_ns = now_ns() + RETRY_NS;
}

static void attempt_succeeded(struct adapter *adapter, struct channel *receiver)
{
	unsigned sender = (unsigned)adapter->sender;
	struct channel *of = &adapter->channels[sender];
	struct host_frame frame = of->queue[0];
	of->queued--;
	memmove(of->queue, of->queue + 1, of->queued * sizeof(of->queue[0]));
	if (of->transmit_errors > 0)
		of->transmit_errors--;
	if (receiver->receive_errors > 0)
		receiver->receive_errors--;
	if (of->state == STATE_PASSIVE && frame.flags & FRAME_FD)
		frame.flags |= FRAME_ESI;
	send_up(adapter, &frame);
	frame.echo_id = NOT_AN_ECHO;
	frame.channel = (uint8_t)!sender;
	send_up(adapter, &frame);
	update_state(adapter, sender);
	update_state(adapter, !sender);
	adapter->sender = -1;
}

/* The frame on the bus came to its end: everybody's verdict about it. */
static void end_of_frame(struct adapter *adapter)
{
	adapter->stamp_ns = now_ns();
	struct channel *sender = &adapter->channels[adapter->sender], *receiver = &adapter->channels[!adapter->sender];
	if (!sender->started || sender->queued == 0) {
		adapter->sender = -1;
	} else if (adapter->corrupt > 0) {
		adapter->corrupt--;
		attempt_failed(adapter, CAN_ERR_PROT, 2, CAN_ERR_PROT_BIT, false);
	} else if (!receiver->started || receiver->state == STATE_OFF || receiver->features & FEATURE_LISTEN_ONLY) {
		attempt_failed(adapter, CAN_ERR_ACK, 2, 0, true);
	} else if (!understands(receiver, sender, &sender->queue[0])) {
		receiver->receive_errors += receiver->receive_errors < 128;
		update_state(adapter, !adapter->sender);
		attempt_failed(adapter, CAN_ERR_PROT, 2, CAN_ERR_PROT_FORM, false);
	} else {
		attempt_succeeded(adapter, receiver);
	}
}

/* Arbitration: of the channels that want to send, the one with the lower identifier begins. */
static void begin_frame(struct adapter *adapter)
{
	int best = -1;
	uint32_t best_id = UINT32_MAX;
	for (int i = 0; i < CHANNELS; i++) {
		const struct channel *of = &adapter->channels[i];
		if (!of->started || of->queued == 0 || of->state == STATE_OFF)
			continue;
		uint32_t id = le32toh(of->queue[0].can_id);
		/* Left-aligned, so that the base of an extended identifier is compared first and loses against an equal one. */
		uint32_t order = id & CAN_EFF_FLAG ? (id & CAN_EFF_MASK) << 1 | 1 : (id & CAN_SFF_MASK) << 19;
		if (order < best_id) {
			best = i;
			best_id = order;
		}
	}
	adapter->sender = best;
	if (best >= 0)
		adapter->until_ns = now_ns() + frame_ns(&adapter->channels[best], &adapter->channels[best].queue[0]);
}

static void run_bus(struct adapter *adapter)
{
	while (now_ns() >= adapter->until_ns) {
		if (adapter->sender >= 0)
			end_of_frame(adapter);
		else
			begin_frame(adapter);
		if (adapter->sender < 0 && now_ns() >= adapter->until_ns)
			begin_frame(adapter);
		if (adapter->sender < 0)
			break;
	}
}

static void bulk_out(void *context, const uint8_t *data, size_t length)
{
	struct adapter *adapter = context;
	struct host_frame frame = {0};
	if (length < offsetof(struct host_frame, data) || length > sizeof(frame))
		return;
	memcpy(&frame, data, length);
	if (frame.channel >= CHANNELS)
		return;
	struct channel *channel = &adapter->channels[frame.channel];
	if (channel->started && channel->queued < QUEUE_MAX)
		channel->queue[channel->queued++] = frame;
}

static int standard_request(const struct usbip_setup *setup, uint8_t *data)
{
	static const uint8_t device[18] = {18, 1, 0x00, 0x02, 0, 0, 0, 64, 0x09, 0x12, 0x23, 0x23, 0x00, 0x01, 1, 2, 3, 1};
	static const uint8_t configuration[32] = {
	        9, 2, 32,   0, 1,  1,    0,    0x80, 75, /* one interface */
	        9, 4, 0,    0, 2,  0xff, 0xff, 0xff, 0,  /* vendor class, two endpoints */
	        7, 5, 0x81, 2, 64, 0,    0,              /* bulk IN 1 */
	        7, 5, 0x02, 2, 64, 0,    0,              /* bulk OUT 2 */
	};
	static const struct usb_description description = {
	        device, configuration, sizeof(configuration), {"", "hilbench", "emulated candleLight FD", "0001"}};
	return usb_standard_request(&description, setup, data);
}

static uint32_t word(const uint8_t *data, unsigned index)
{
	uint32_t value;
	memcpy(&value, data + 4 * index, sizeof(value));
	return le32toh(value);
}

/* Words: propagation, phase 1, phase 2, jump width, prescaler. */
static uint32_t rate_of(const uint8_t *data)
{
	uint64_t quanta = 1 + (uint64_t)word(data, 0) + word(data, 1) + word(data, 2);
	uint64_t divisor = quanta * word(data, 4);
	return divisor == 0 ? 0 : (uint32_t)(CLOCK_HZ / divisor);
}

static int set_mode(struct adapter *adapter, unsigned number, const uint8_t *data)
{
	struct channel *channel = &adapter->channels[number];
	bool start = word(data, 0) == 1;
	uint32_t bit_rate = channel->bit_rate, data_bit_rate = channel->data_bit_rate;
	if (start && (bit_rate == 0 || (word(data, 1) & FEATURE_FD && data_bit_rate == 0)))
		return -EPIPE;
	if (adapter->sender == (int)number)
		adapter->sender = -1;
	*channel = (struct channel){.started = start, .features = word(data, 1), .bit_rate = bit_rate, .data_bit_rate = data_bit_rate};
	return 0;
}

static int vendor_in(struct adapter *adapter, const struct usbip_setup *setup, uint8_t *data)
{
	/* features, clock, then minimum and maximum of both segments, jump width, prescaler (min, max, step); data phase alike */
	static const uint32_t limits[18] = {FEATURES, CLOCK_HZ, 1, 256, 1, 128, 128, 1, 512, 1, 1, 32, 1, 16, 16, 1, 32, 1};
	const struct channel *channel = &adapter->channels[setup->value % CHANNELS];
	uint32_t words[18] = {0};
	size_t length = 0;
	switch (setup->request) {
	case REQUEST_DEVICE_CONFIG: /* icount is the last byte of the first word; software and hardware version */
		words[0] = (CHANNELS - 1) << 24;
		words[1] = 2;
		words[2] = 1;
		length = 12;
		break;
	case REQUEST_BIT_TIMING_LIMITS:
	case REQUEST_BIT_TIMING_LIMITS_FD:
		memcpy(words, limits, sizeof(limits));
		length = setup->request == REQUEST_BIT_TIMING_LIMITS ? 40 : 72;
		break;
	case REQUEST_TIMESTAMP:
		words[0] = (uint32_t)(now_ns() / 1000);
		length = 4;
		break;
	case REQUEST_GET_STATE:
		words[0] = channel->state;
		words[1] = channel->receive_errors;
		words[2] = channel->transmit_errors;
		length = 12;
		break;
	default:
		return -EPIPE;
	}
	for (unsigned i = 0; i < 18; i++)
		words[i] = htole32(words[i]);
	return usb_reply(data, setup, words, length);
}

static int vendor_out(struct adapter *adapter, const struct usbip_setup *setup, const uint8_t *data)
{
	unsigned channel = setup->value;
	switch (setup->request) {
	case REQUEST_HOST_FORMAT:
		return setup->length == 4 && word(data, 0) == 0x0000beef ? 0 : -EPIPE;
	case REQUEST_BIT_TIMING:
	case REQUEST_DATA_BIT_TIMING:
		if (channel >= CHANNELS || setup->length != 20)
			return -EPIPE;
		if (setup->request == REQUEST_BIT_TIMING)
			adapter->channels[channel].bit_rate = rate_of(data);
		else
			adapter->channels[channel].data_bit_rate = rate_of(data);
		return 0;
	case REQUEST_MODE:
		return channel < CHANNELS && setup->length == 8 ? set_mode(adapter, channel, data) : -EPIPE;
	default:
		return -EPIPE;
	}
}

static int control(void *context, const struct usbip_setup *setup, uint8_t *data)
{
	struct adapter *adapter = context;
	if ((setup->request_type & 0x60) == 0)
		return standard_request(setup, data);
	if ((setup->request_type & 0x60) != 0x40)
		return -EPIPE;
	return setup->request_type & 0x80 ? vendor_in(adapter, setup, data) : vendor_out(adapter, setup, data);
}

static void command(struct adapter *adapter, const char *line)
{
	unsigned number;
	if (sscanf(line, "corrupt %u", &number) == 1) {
		adapter->corrupt = number;
	} else if (sscanf(line, "busoff %u", &number) == 1 && number < CHANNELS) {
		adapter->channels[number].transmit_errors = 256;
		adapter->stamp_ns = now_ns();
		update_state(adapter, number);
	} else if (strncmp(line, "unplug", 6) == 0) {
		adapter->unplugged = true;
	} else {
		fprintf(stderr, "gs_usb_emulator: what is \"%s\"?\n", line);
	}
}

static void read_commands(struct adapter *adapter, int fifo)
{
	char text[512];
	ssize_t got = read(fifo, text, sizeof(text) - 1);
	if (got <= 0)
		return;
	text[got] = '\0';
	char *rest = text;
	for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
		if (*line != '\0')
			command(adapter, line);
	}
}

static int serve(struct adapter *adapter, int fifo)
{
	while (!adapter->unplugged) {
		run_bus(adapter);
		flush_up(adapter);
		bool busy = adapter->sender >= 0;
		for (unsigned i = 0; i < CHANNELS; i++)
			busy |= adapter->channels[i].started && adapter->channels[i].queued > 0 && adapter->channels[i].state != STATE_OFF;
		int64_t wait = adapter->until_ns - now_ns();
		struct timespec limit = {.tv_nsec = wait > 0 && wait < 1000000000 ? wait : 0};
		struct pollfd polled[2] = {{.fd = adapter->usbip.fd, .events = POLLIN}, {.fd = fifo, .events = POLLIN}};
		if (ppoll(polled, 2, busy ? &limit : NULL, NULL) < 0 && errno != EINTR)
			return -errno;
		if (polled[1].revents & POLLIN)
			read_commands(adapter, fifo);
		if (polled[0].revents == 0)
			continue;
		int result = usbip_serve(&adapter->usbip);
		if (result < 0)
			return result;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct adapter adapter = {.sender = -1};
	static struct usbip_device device = {.context = &adapter, .control = control, .bulk_out = bulk_out};
	if (argc != 2) {
		fprintf(stderr, "usage: gs_usb_emulator CONTROL\n");
		return 2;
	}
	/* Read and write, so that the last writer who leaves makes no end of file. */
	int fifo = open(argv[1], O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fifo < 0) {
		perror(argv[1]);
		return 1;
	}
	int result = usbip_attach(&adapter.usbip, &device);
	if (result == 0)
		result = serve(&adapter, fifo);
	close(fifo);
	if (result < 0)
		fprintf(stderr, "gs_usb_emulator: %s\n", strerror(-result));
	return result < 0 ? 1 : 0;
}
