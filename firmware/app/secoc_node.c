/* SPDX-License-Identifier: Apache-2.0 */
#include "secoc_node.h"

#include <string.h>

#include "../core/console.h"
#include "../core/uds_communication.h"
#include "../faults/fault.h"
#include "can_bus.h"
#include "secoc_verdict.h"

#define KEY_LENGTH   16u
#define KEY_TEXT     33u
#define SEND_MS      1000u
#define OUT_OF_RANGE 0x31u
#define SENT_FLAG    0x8000u

/* The coordination message: request | target | freshness to set | zeros. */
enum { REQUEST = 0, TARGET = 1, INITIAL = 3, ZEROS = 9, INITIAL_LENGTH = 6 };
#define REQUEST_SET_FRESHNESS 1u
#define TARGET_ALL            0xAAAAu

/* Begins what this node sends. The demo layout has no data id, so a sender's name keeps its frames from being taken
 * for another's when they are thrown back at it. */
static const uint8_t origin[4] = {'E', 'C', 'U', 0x11};

static struct {
	uint8_t key[KEY_LENGTH];
	uint8_t handles[SECOC_PDUS];
	bool running;
	uint16_t send_id;
	uint64_t send_us, next_us; /* 0: does not send */
	uint32_t sent;
} node;

/* ---- set-up ------------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool load_key(void)
{
	/* The key of the published test vectors. */
	static const uint8_t preset[KEY_LENGTH] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
	                                           0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
	char text[KEY_TEXT];
	enum port_status status = port_param_text("secoc.key", text, sizeof(text));

	memcpy(node.key, preset, KEY_LENGTH);
	if (status == PORT_ABSENT)
		return true;
	if (status != PORT_OK || strlen(text) != 2 * KEY_LENGTH)
		return false;
	for (unsigned i = 0; i < KEY_LENGTH; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		node.key[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static enum port_status open_pdus(void)
{
	for (unsigned i = 0; i < SECOC_PDUS; i++) {
		struct secoc_pdu_config config = secoc_pdu_table[i].config;
		enum port_status status;

		memcpy(config.key, node.key, KEY_LENGTH);
		status = secoc_open(&config, &node.handles[i]);
		if (status != PORT_OK)
			return status;
	}
	return PORT_OK;
}

enum port_status secoc_node_start(void)
{
	uint32_t send_ms = SEND_MS;
	enum port_status status;

	memset(&node, 0, sizeof(node));
	secoc_reset();
	secoc_verdict_start();
	if (!load_key())
		return PORT_INVALID;
	status = open_pdus();
	if (status != PORT_OK)
		return status;
	node.send_id = (uint16_t)can_bus_id("secoc.send_id", secoc_pdu_table[SECOC_PDU_SENT].can_id);
	(void)port_param_u32("secoc.send_ms", &send_ms);
	node.send_us = (uint64_t)send_ms * 1000u;
	node.next_us = port_time_us() + node.send_us;
	node.running = true;
	return PORT_OK;
}

/* ---- receiving ---------------------------------------------------------------------------------------------- */

static uint64_t freshness_of(unsigned pdu)
{
	struct secoc_counters counters;

	secoc_counters_read(node.handles[pdu], &counters);
	return counters.freshness;
}

static uint64_t get(const uint8_t *bytes, unsigned count)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < count; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* Counters only: the trip and reset manager has its own message, and this message its own freshness. */
static bool is_target(unsigned pdu, uint16_t target)
{
	if (secoc_pdu_table[pdu].config.freshness != SECOC_COUNTER || pdu == SECOC_PDU_COORDINATION || pdu == SECOC_PDU_SENT)
		return false;
	return target == TARGET_ALL || target == secoc_pdu_table[pdu].can_id;
}

static void coordinate(const uint8_t *data)
{
	static const uint8_t zeros[SECOC_DEMO_BYTES - ZEROS];
	uint16_t target = (uint16_t)get(data + TARGET, 2);
	uint64_t initial = get(data + INITIAL, INITIAL_LENGTH);
	unsigned count = 0;
	struct console_line line;

	if (data[REQUEST] == REQUEST_SET_FRESHNESS && memcmp(data + ZEROS, zeros, sizeof(zeros)) == 0) {
		for (unsigned i = 0; i < SECOC_PDUS; i++)
			count += is_target(i, target) && secoc_set_freshness(node.handles[i], initial) == PORT_OK;
	}
	console_begin(&line);
	console_text(&line, "secoc: coordination target=0x");
	console_hexadecimal(&line, target, 4);
	console_text(&line, " fv=");
	console_decimal(&line, initial);
	console_text(&line, " pdus=");
	console_decimal(&line, count);
	console_end(&line);
}

static enum secoc_result verify(unsigned pdu, const struct port_can_frame *frame)
{
	if (pdu == SECOC_PDU_DEMO && frame->length >= sizeof(origin) && memcmp(frame->data, origin, sizeof(origin)) == 0)
		return secoc_refuse(node.handles[pdu]);
	if (pdu == SECOC_PDU_COORDINATION && frame->length == SECOC_DEMO_BYTES + 3 && fault_active(FAULT_SECOC_COORDINATION))
		return SECOC_OK;
	return secoc_verify(node.handles[pdu], frame->data, frame->length);
}

static void take_pdu(unsigned pdu, const struct port_can_frame *frame)
{
	enum secoc_result result = verify(pdu, frame);

	if (pdu == SECOC_PDU_COORDINATION && result == SECOC_OK)
		coordinate(frame->data);
	secoc_verdict(secoc_pdu_table[pdu].can_id, result, freshness_of(pdu));
}

static void take_sync(const struct port_can_frame *frame)
{
	enum secoc_result result = secoc_verify_sync(node.key, SECOC_SYNC_MESSAGE_ID, SECOC_SYNC_MAC_BITS, frame->data, frame->length);
	uint32_t trip, reset;

	secoc_trip_read(&trip, &reset);
	secoc_verdict(SECOC_SYNC_ID, result, (uint64_t)trip << secoc_pdu_table[SECOC_PDU_PROFILE_3].config.reset_bits | reset);
}

void secoc_node_frame(const struct port_can_frame *frame)
{
	if (!node.running || (frame->flags & (PORT_CAN_EXTENDED | PORT_CAN_REMOTE)) != 0 ||
	    !uds_reception_enabled(UDS_NORMAL_COMMUNICATION))
		return;
	if (frame->id == SECOC_SYNC_ID) {
		take_sync(frame);
		return;
	}
	for (unsigned i = 0; i < SECOC_PDUS; i++) {
		if (i == SECOC_PDU_SENT || frame->id != secoc_pdu_table[i].can_id)
			continue;
		if (!secoc_pdu_table[i].fd_only || (frame->flags & PORT_CAN_FD) != 0)
			take_pdu(i, frame);
		return;
	}
}

/* ---- sending ------------------------------------------------------------------------------------------------ */

static void send_own(void)
{
	struct port_can_frame frame = {.id = node.send_id, .flags = PORT_CAN_FD | PORT_CAN_BRS};
	uint8_t data[SECOC_DEMO_BYTES] = {0};
	size_t length;

	if (!uds_transmission_enabled(UDS_NORMAL_COMMUNICATION))
		return;
	memcpy(data, origin, sizeof(origin));
	node.sent++;
	for (unsigned i = 0; i < 4; i++)
		data[sizeof(origin) + i] = (uint8_t)(node.sent >> (24 - 8 * i));
	if (secoc_make(node.handles[SECOC_PDU_SENT], data, frame.data, sizeof(frame.data), &length) != PORT_OK)
		return;
	frame.length = (uint8_t)length;
	(void)port_can_send(CAN_BUS_NODE, &frame, NULL); /* on a full or dead bus this one is left out; the next comes */
}

void secoc_node_poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	secoc_verdict_poll(now_us, ret_deadline_us);
	if (!node.running || node.send_us == 0)
		return;
	if (now_us >= node.next_us) {
		send_own();
		/* No bunch of frames after a long turn. */
		node.next_us += (now_us - node.next_us) / node.send_us * node.send_us + node.send_us;
	}
	if (node.next_us < *ret_deadline_us)
		*ret_deadline_us = node.next_us;
}

/* ---- diagnostics -------------------------------------------------------------------------------------------- */

static uint8_t *put(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*at++ = (uint8_t)(value >> 8 * (bytes - 1 - i));
	return at;
}

size_t secoc_node_records_read(void *context, uint8_t *buffer, size_t size)
{
	uint8_t *at = buffer;

	(void)context;
	if (size < SECOC_NODE_RECORDS_LENGTH)
		return size;
	for (unsigned i = 0; i < SECOC_PDUS; i++) {
		struct secoc_counters counters = {0};

		if (node.running)
			secoc_counters_read(node.handles[i], &counters);
		at = put(at, i == SECOC_PDU_SENT ? node.send_id | SENT_FLAG : secoc_pdu_table[i].can_id, 2);
		at = put(at, counters.last, 1);
		at = put(at, i == SECOC_PDU_SENT ? counters.sent : counters.accepted, 4);
		at = put(at, counters.rejected, 4);
		for (unsigned result = 0; result < 6; result++)
			at = put(at, counters.by_result[result], 4);
		at = put(at, counters.freshness, 8);
	}
	return (size_t)(at - buffer);
}

uint8_t secoc_node_override_write(void *context, const uint8_t *data, size_t length)
{
	(void)context;
	(void)length;
	if (!node.running || data[0] >= SECOC_PDUS || data[0] == SECOC_PDU_SENT)
		return OUT_OF_RANGE;
	return secoc_override(node.handles[data[0]], (enum secoc_override)data[1], (uint16_t)get(data + 2, 2)) == PORT_OK ? 0
	                                                                                                                  : OUT_OF_RANGE;
}
