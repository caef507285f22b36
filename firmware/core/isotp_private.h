/* SPDX-License-Identifier: Apache-2.0 */
/* The inner parts of the ISO-TP channel: a sender and a receiver, each a state machine of its own. */
#ifndef FIRMWARE_CORE_ISOTP_PRIVATE_H
#define FIRMWARE_CORE_ISOTP_PRIVATE_H

#include "isotp.h"

#define ISOTP_NEVER     UINT64_MAX
#define ISOTP_US_PER_MS 1000u

/* N_PCI types and flow status values, ISO 15765-2:2016 tables 9 and 19. */
enum isotp_pci { ISOTP_SF = 0, ISOTP_FF = 1, ISOTP_CF = 2, ISOTP_FC = 3 };
enum isotp_flow { ISOTP_CTS = 0, ISOTP_WAIT = 1, ISOTP_OVFLW = 2 };

/* A frame on its way to the bus. */
enum isotp_frame_state {
	ISOTP_FRAME_NONE,
	ISOTP_FRAME_QUEUED, /* the controller has no room yet */
	ISOTP_FRAME_SENDING /* handed over, not yet acknowledged */
};
struct isotp_frame_out {
	enum isotp_frame_state state;
	struct port_can_frame frame;
	uint32_t ticket;
	uint64_t deadline_us; /* N_As or N_Ar */
};

enum isotp_send_state { ISOTP_SEND_IDLE, ISOTP_SEND_SINGLE, ISOTP_SEND_FIRST, ISOTP_SEND_CONSECUTIVE, ISOTP_SEND_WAIT_FC, ISOTP_SEND_GAP };
struct isotp_sender {
	enum isotp_send_state state;
	struct isotp_frame_out out;
	uint64_t deadline_us; /* N_Bs, or the end of the gap */
	uint64_t gap_us;      /* STmin or N_Cs */
	size_t length, sent;
	uint8_t sequence, block_left, waits;
	bool limited_block; /* the receiver wants a flow control after each block */
	uint8_t data[ISOTP_MAX_MESSAGE];
};

enum isotp_receive_state { ISOTP_RECEIVE_IDLE, ISOTP_RECEIVE_DELAY, ISOTP_RECEIVE_FC, ISOTP_RECEIVE_REFUSE, ISOTP_RECEIVE_CF };
struct isotp_receiver {
	enum isotp_receive_state state;
	struct isotp_frame_out out;
	uint64_t deadline_us; /* N_Cr, or the end of N_Br */
	size_t length, got;
	uint8_t frame_length; /* RX_DL */
	uint8_t sequence, block_left;
	uint8_t data[ISOTP_MAX_MESSAGE];
};

struct isotp_channel {
	bool open;
	struct isotp_config config;
	struct isotp_handlers handlers;
	struct isotp_sender sender;
	struct isotp_receiver receiver;
};

/* ---- isotp_frame.c: single frames of the bus -------------------------------------------------------------- */

/* Bytes of the address extension before the N_PCI: 0 or 1. */
uint8_t isotp_offset(const struct isotp_config *config);
/* The data length that a frame with so many bytes must have (0..8, 12, 16, 20, 24, 32, 48, 64). */
uint8_t isotp_round_up(uint8_t length);
/* Payload of the longest single frame in a frame of so many bytes. */
uint8_t isotp_single_max(const struct isotp_config *config, uint8_t frame_length);
/* Begins a frame: identifier, flags, address extension. length is then the number of bytes written. */
void isotp_frame_begin(const struct isotp_config *config, struct port_can_frame *frame);
/* Padding, to the length that the bus can carry. */
void isotp_frame_end(const struct isotp_config *config, struct port_can_frame *frame);

/* Hands a frame to the controller; timeout_us counts from now. */
enum port_status isotp_out_start(struct isotp_frame_out *out, uint8_t node, uint64_t now_us, uint64_t timeout_us);
/* PORT_OK: acknowledged; PORT_WOULD_BLOCK: not yet; PORT_FAILED: never, or its time is over. */
enum port_status isotp_out_poll(struct isotp_frame_out *out, uint8_t node, uint64_t now_us);

/* ---- isotp_send.c and isotp_receive.c ----------------------------------------------------------------------- */

enum port_status isotp_sender_start(struct isotp_channel *channel, const uint8_t *data, size_t length, uint64_t now_us);
void isotp_sender_flow(struct isotp_channel *channel, const uint8_t *pci, uint8_t length, uint64_t now_us);
/* Returns when it wants to be called again. */
uint64_t isotp_sender_poll(struct isotp_channel *channel, uint64_t now_us);

/* Ends what waited for a frame for too long, and nothing else: STmin must not begin before a confirmation is seen. */
void isotp_sender_expire(struct isotp_channel *channel, uint64_t now_us);
void isotp_receiver_expire(struct isotp_channel *channel, uint64_t now_us);

/* pci: the frame's bytes from the N_PCI on, length of them; frame_length: with the address extension. */
void isotp_receiver_single(struct isotp_channel *channel, const uint8_t *pci, uint8_t length, uint8_t frame_length);
void isotp_receiver_first(struct isotp_channel *channel, const uint8_t *pci, uint8_t length, uint8_t frame_length, uint64_t now_us);
void isotp_receiver_consecutive(struct isotp_channel *channel, const uint8_t *pci, uint8_t length, uint8_t frame_length, uint64_t now_us);
uint64_t isotp_receiver_poll(struct isotp_channel *channel, uint64_t now_us);

#endif
