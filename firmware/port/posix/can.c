/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CAN controllers of the board: a socket each to the virtual bus (docs/reference/virtual-bus.md), handed over by
 * the board. A controller joins its bus when the firmware opens it, as one that leaves its initialisation mode.
 */
#include "port_posix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define QUEUE   16u
#define FIFO    64u /* received frames that the firmware has not taken yet */
#define TICKETS 64u /* outcomes that are remembered */
#define MESSAGE 128u
#define HEAD    6u /* id, flags and length of a frame */

static struct controller {
	bool open, unserved, gone;
	bool told; /* what the FIFO holds has ended a sleep already */
	bool news; /* an outcome or a state was read, and no sleep has ended for it yet */
	int fd;
	struct port_can_frame fifo[FIFO];
	unsigned fifo_head, fifo_count, waiting;
	enum port_status outcome[TICKETS];
	uint32_t last_ticket, lost;
	enum port_can_state state;
	uint16_t transmit_errors, receive_errors;
} controllers[PORT_CAN_NODES];

static struct controller *controller_of(uint8_t node)
{
	return node < PORT_CAN_NODES && controllers[node].open ? &controllers[node] : NULL;
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static void put32(uint8_t *p, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

/* ---- what the bus says --------------------------------------------------------------------------------------- */

static void take_frame(struct controller *c, const uint8_t *m, size_t length)
{
	const size_t at = 1 + 8 + 8 + 2;
	if (length < at + HEAD || m[at + 5] > PORT_CAN_MAX_DATA)
		return;
	uint8_t bytes = m[at + 4] & PORT_CAN_REMOTE ? 0 : m[at + 5];
	if (length != at + HEAD + bytes)
		return;
	if (c->fifo_count == FIFO) {
		c->lost++;
		return;
	}
	struct port_can_frame *frame = &c->fifo[(c->fifo_head + c->fifo_count++) % FIFO];
	memset(frame, 0, sizeof *frame);
	frame->id = get32(m + at);
	frame->flags = m[at + 4];
	frame->length = m[at + 5];
	memcpy(frame->data, m + at + HEAD, bytes);
	frame->time_us = port_posix_board_us(get64(m + 9));
	c->told = false;
}

static void take_outcome(struct controller *c, uint32_t ticket, enum port_status outcome)
{
	if (c->last_ticket - ticket >= TICKETS || c->outcome[ticket % TICKETS] != PORT_WOULD_BLOCK)
		return;
	c->outcome[ticket % TICKETS] = outcome;
	c->waiting--;
	c->news = true;
}

static void take_message(struct controller *c, const uint8_t *m, size_t length)
{
	if (m[0] == 'R')
		take_frame(c, m, length);
	else if (m[0] == 'C' && length == 13)
		take_outcome(c, get32(m + 1), PORT_OK);
	else if (m[0] == 'N' && length == 6)
		take_outcome(c, get32(m + 1), PORT_FAILED);
	else if (m[0] == 'O' && length == 5)
		c->lost += get32(m + 1);
	if (m[0] != 'S' || length != 16 || m[11] > PORT_CAN_BUS_OFF)
		return;
	c->state = (enum port_can_state)m[11];
	c->transmit_errors = get16(m + 12);
	c->receive_errors = get16(m + 14);
	c->news = true;
}

/* The bus is gone: nothing that waits will ever be sent. */
static void lose_bus(struct controller *c)
{
	c->gone = true;
	c->state = PORT_CAN_BUS_OFF;
	for (unsigned i = 0; i < TICKETS; i++) {
		if (c->outcome[i] == PORT_WOULD_BLOCK)
			c->outcome[i] = PORT_FAILED;
	}
	c->waiting = 0;
}

/* Reads what has come; for frames only until there is one. */
static void pump(struct controller *c, bool frames_only)
{
	uint8_t message[MESSAGE];
	while (!c->gone && !(frames_only && c->fifo_count > 0)) {
		ssize_t n = recv(c->fd, message, sizeof message, MSG_DONTWAIT);
		if (n > 0)
			take_message(c, message, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			lose_bus(c);
		else if (errno == EAGAIN)
			break;
	}
	c->unserved = false;
}

/* ---- what the firmware asks ---------------------------------------------------------------------------------- */

static int wire_of(uint8_t node)
{
	char name[16];
	uint32_t fd;
	snprintf(name, sizeof name, "can.%u.fd", node);
	return port_param_u32(name, &fd) == PORT_OK && fd < 65536 ? (int)fd : -1;
}

enum port_status port_can_open(uint8_t node)
{
	uint8_t message[MESSAGE] = {'A', 0};
	if (node >= PORT_CAN_NODES)
		return PORT_ABSENT;
	struct controller *c = &controllers[node];
	if (c->open)
		return PORT_OK;
	int fd = wire_of(node);
	if (fd < 0)
		return PORT_ABSENT;
	const char *name = port_posix_parameter("board.name");
	size_t length = name ? strnlen(name, MESSAGE - 2) : 0;
	memcpy(message + 2, name ? name : "", length);
	if (send(fd, message, 2 + length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return PORT_ABSENT;
	memset(c, 0, sizeof *c);
	c->fd = fd;
	c->open = true;
	return PORT_OK;
}

static bool length_legal(uint8_t length, bool fd)
{
	if (length <= 8 || !fd)
		return length <= 8;
	return length == 64 || length == 48 || length == 32 || (length <= 24 && length % 4 == 0);
}

static bool frame_legal(const struct port_can_frame *frame)
{
	const bool fd = frame->flags & PORT_CAN_FD;
	const uint8_t forbidden = fd ? PORT_CAN_REMOTE : PORT_CAN_BRS | PORT_CAN_ESI;
	if (frame->flags & forbidden || frame->flags > 31)
		return false;
	if (frame->id > (frame->flags & PORT_CAN_EXTENDED ? 0x1FFFFFFFu : 0x7FFu))
		return false;
	return length_legal(frame->length, fd);
}

static enum port_status transmit(struct controller *c, const struct port_can_frame *frame, uint32_t ticket)
{
	uint8_t message[MESSAGE] = {'T'};
	const size_t bytes = frame->flags & PORT_CAN_REMOTE ? 0 : frame->length;
	put32(message + 1, ticket);
	put32(message + 5, frame->id);
	message[9] = frame->flags;
	message[10] = frame->length;
	memcpy(message + 11, frame->data, bytes);
	if (send(c->fd, message, 11 + bytes, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		return PORT_OK;
	if (errno == EAGAIN)
		return PORT_WOULD_BLOCK;
	lose_bus(c);
	return PORT_FAILED;
}

enum port_status port_can_send(uint8_t node, const struct port_can_frame *frame, uint32_t *ret_ticket)
{
	struct controller *c = controller_of(node);
	if (!c || !frame_legal(frame))
		return c ? PORT_INVALID : PORT_ABSENT;
	pump(c, false);
	if (c->state == PORT_CAN_BUS_OFF)
		return PORT_FAILED;
	if (c->waiting == QUEUE)
		return PORT_WOULD_BLOCK;
	enum port_status status = transmit(c, frame, c->last_ticket + 1);
	if (status != PORT_OK)
		return status;
	c->last_ticket++;
	c->outcome[c->last_ticket % TICKETS] = PORT_WOULD_BLOCK;
	c->waiting++;
	if (ret_ticket)
		*ret_ticket = c->last_ticket;
	return PORT_OK;
}

enum port_status port_can_sent(uint8_t node, uint32_t ticket)
{
	struct controller *c = controller_of(node);
	if (!c)
		return PORT_ABSENT;
	pump(c, false);
	if (ticket == 0 || ticket > c->last_ticket || c->last_ticket - ticket >= TICKETS)
		return PORT_FAILED;
	return c->outcome[ticket % TICKETS];
}

enum port_status port_can_cancel(uint8_t node, uint32_t ticket)
{
	uint8_t message[5] = {'X'};
	struct controller *c = controller_of(node);
	if (!c)
		return PORT_ABSENT;
	if (port_can_sent(node, ticket) != PORT_WOULD_BLOCK)
		return PORT_FAILED;
	put32(message + 1, ticket);
	return send(c->fd, message, sizeof message, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 ? PORT_OK : PORT_FAILED;
}

enum port_status port_can_receive(uint8_t node, struct port_can_frame *ret_frame)
{
	struct controller *c = controller_of(node);
	if (!c)
		return PORT_ABSENT;
	pump(c, true);
	if (c->fifo_count == 0)
		return PORT_WOULD_BLOCK;
	*ret_frame = c->fifo[c->fifo_head];
	c->fifo_head = (c->fifo_head + 1) % FIFO;
	c->fifo_count--;
	c->told = false;
	return PORT_OK;
}

static uint8_t saturated(uint16_t value)
{
	return value > 255 ? 255 : (uint8_t)value;
}

enum port_can_state port_can_state(uint8_t node, uint8_t *ret_transmit_errors, uint8_t *ret_receive_errors)
{
	static struct controller absent = {.state = PORT_CAN_BUS_OFF};
	struct controller *c = controller_of(node);
	if (c)
		pump(c, false);
	else
		c = &absent;
	if (ret_transmit_errors)
		*ret_transmit_errors = saturated(c->transmit_errors);
	if (ret_receive_errors)
		*ret_receive_errors = saturated(c->receive_errors);
	return c->state;
}

uint32_t port_can_lost(uint8_t node)
{
	const struct controller *c = controller_of(node);
	return c ? c->lost : 0;
}

enum port_status port_can_recover(uint8_t node)
{
	struct controller *c = controller_of(node);
	if (!c)
		return PORT_ABSENT;
	return send(c->fd, "B", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 ? PORT_OK : PORT_FAILED;
}

/* ---- sleeping ------------------------------------------------------------------------------------------------ */

int port_posix_can_fd(int node)
{
	const struct controller *c = &controllers[node];
	return c->open && !c->gone && !c->unserved ? c->fd : -1;
}

bool port_posix_can_ready(int node, short events)
{
	(void)events;
	controllers[node].unserved = true;
	return true;
}

/*
 * Whoever asked last may have read what somebody else waits for (the state after the outcomes were looked at): its
 * descriptor is quiet then, so each of these ends one sleep more.
 */
bool port_posix_can_waiting(void)
{
	bool waiting = false;
	for (size_t i = 0; i < PORT_CAN_NODES; i++) {
		struct controller *c = &controllers[i];
		if (c->open && c->fifo_count > 0 && !c->told)
			waiting = c->told = true;
		if (c->open && c->news)
			waiting = true;
		c->news = false;
	}
	return waiting;
}
