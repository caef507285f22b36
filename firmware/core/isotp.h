/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ISO 15765-2:2016 network layer on the target: segmented messages over classic CAN and CAN FD. A channel is one
 * N_AI pair (one tester, one node), full duplex; static storage, all calls from the main loop, frames through port.h.
 */
#ifndef FIRMWARE_CORE_ISOTP_H
#define FIRMWARE_CORE_ISOTP_H

#include "../port.h"

#ifndef ISOTP_MAX_CHANNELS
#define ISOTP_MAX_CHANNELS 4u /* a target build sets its own: each takes two messages of RAM */
#endif
#define ISOTP_MAX_MESSAGE 4096u /* longer first frames are answered FC overflow */

enum isotp_addressing { ISOTP_NORMAL, ISOTP_NORMAL_FIXED, ISOTP_EXTENDED, ISOTP_MIXED };

struct isotp_config {
	uint8_t can_node;
	enum isotp_addressing addressing;
	uint32_t tx_id, rx_id; /* identifiers; normal fixed: with target and source address in them */
	bool extended_id;
	uint8_t address_extension_tx, address_extension_rx; /* N_TA (extended) or N_AE (mixed) */
	bool fd, brs;
	uint8_t tx_dl;      /* 8, or FD 8..64 */
	uint8_t block_size; /* BS that we ask for; 0 no further flow control */
	uint8_t st_min;     /* STmin that we ask for, coded */
	uint8_t wft_max;    /* N_WFTmax: FC.WAIT accepted in a row */
	uint8_t padding;    /* 0xCC */
	bool pad;
	bool functional;                                               /* receives single frames only, never sends flow control */
	uint32_t n_as_ms, n_ar_ms, n_bs_ms, n_br_ms, n_cs_ms, n_cr_ms; /* 1000, 1000, 1000, 0, 0, 1000 */
};

enum isotp_result { /* N_Result */
	            ISOTP_OK,
	            ISOTP_TIMEOUT_A,
	            ISOTP_TIMEOUT_BS,
	            ISOTP_TIMEOUT_CR,
	            ISOTP_WRONG_SN,
	            ISOTP_INVALID_FS,
	            ISOTP_UNEXP_PDU,
	            ISOTP_WFT_OVRN,
	            ISOTP_BUFFER_OVFLW,
	            ISOTP_ERROR,
};

struct isotp_handlers {
	void *context;
	void (*received)(void *context, const uint8_t *data, size_t length); /* a whole message; may be NULL (send only) */
	void (*first_frame)(void *context, size_t length);                   /* N_USData_FF.indication; may be NULL */
	void (*receive_failed)(void *context, enum isotp_result result);     /* may be NULL */
	void (*sent)(void *context, enum isotp_result result);               /* N_USData.confirm; may be NULL */
};

/* Index of the channel in *ret_channel. PORT_FULL: no channel left; PORT_INVALID: a configuration that cannot be. */
enum port_status isotp_open(const struct isotp_config *, const struct isotp_handlers *, uint8_t *ret_channel);
/* Starts a message; the data is copied. PORT_WOULD_BLOCK: one is under way; PORT_INVALID: empty, too long, or segmented
 * on a functional channel; PORT_FAILED: the controller takes no frame (bus-off), nothing was started. */
enum port_status isotp_send(uint8_t channel, const uint8_t *data, size_t length);
/* Offers a received frame to every channel. true: it was one of theirs. What came later than a timer is late, whenever
 * it is handed in: the frame's own time counts when it has one. */
bool isotp_frame(const struct port_can_frame *frame, uint64_t now_us);
void isotp_poll(uint64_t now_us, uint64_t *ret_deadline_us);
/* Forgets all channels (start-up, tests). */
void isotp_reset(void);

#endif
