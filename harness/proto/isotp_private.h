/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_PROTO_ISOTP_PRIVATE_H
#define HARNESS_PROTO_ISOTP_PRIVATE_H

#include "isotp.h"

enum { PCI_SINGLE = 0, PCI_FIRST = 1, PCI_CONSECUTIVE = 2, PCI_FLOW = 3 };
enum { FLOW_CONTINUE = 0, FLOW_WAIT = 1, FLOW_OVERFLOW = 2 };

/* What is on its way to the bus and not confirmed yet. */
enum isotp_outstanding { OUT_NONE, OUT_SINGLE, OUT_FIRST, OUT_CONSECUTIVE, OUT_FLOW };

enum isotp_sender_state { SENDER_IDLE, SENDER_BEGIN, SENDER_WAIT_FLOW, SENDER_CONSECUTIVE };
struct isotp_sender {
	enum isotp_sender_state state;
	struct bytes message;
	size_t offset;
	unsigned sequence, number; /* SN of the next CF; its number from 1 */
	bool repeated;             /* the CF that is to be sent twice was sent once */
	unsigned block_left;       /* CFs until the next FC; 0: no more FC */
	unsigned waits;
	int64_t gap_ns;     /* STmin asked by the peer */
	int64_t ready_ns;   /* the next CF not before this */
	int64_t timeout_ns; /* N_Bs; INT64_MAX: not running */
	enum isotp_result result;
};

struct isotp_receiver {
	bool active;
	struct bytes message;
	uint32_t expected;
	unsigned sequence, frame_length; /* RX_DL */
	unsigned block_left;             /* CFs until we send an FC; 0: none */
	int64_t timeout_ns;              /* N_Cr; INT64_MAX: not running */
	int64_t last_cf_ns;
	bool seen_cf;
	enum isotp_result result;
	struct bytes *done; /* messages that wait to be taken */
	unsigned done_count;
	/* The flow control that is to be sent. */
	bool flow_due;
	int flow_status;
	unsigned waits_left;
	int64_t flow_at_ns;
};

struct isotp {
	struct isotp_options options;
	struct isotp_misdeeds misdeeds;
	struct isotp_facts facts;
	unsigned prefix; /* address bytes in front of the PCI */
	enum isotp_outstanding outstanding;
	int64_t confirm_by_ns;
	struct isotp_sender sender;
	struct isotp_receiver receiver;
};

int64_t isotp_st_min_ns(uint8_t coded);                                 /* reserved codes count as 127 ms */
unsigned isotp_single_max(const struct isotp *, unsigned frame_length); /* largest SF_DL of a frame of this length */
unsigned isotp_frame_fit(unsigned length, unsigned minimum);            /* smallest DLC length that holds it */

void isotp_sender_finish(struct isotp *, enum isotp_result);
void isotp_sender_flow(struct isotp *, const uint8_t *pci, size_t length, int64_t now_ns);
void isotp_sender_confirmed(struct isotp *, enum isotp_outstanding, int64_t now_ns);
bool isotp_sender_next(struct isotp *, int64_t now_ns, struct isotp_frame *ret);
int64_t isotp_sender_ready_ns(const struct isotp *); /* INT64_MAX: nothing to send */

void isotp_receiver_single(struct isotp *, const uint8_t *pci, size_t length, size_t frame_length);
void isotp_receiver_first(struct isotp *, const uint8_t *pci, size_t length, size_t frame_length, int64_t now_ns);
void isotp_receiver_consecutive(struct isotp *, const uint8_t *pci, size_t length, size_t frame_length, int64_t now_ns);
void isotp_receiver_abort(struct isotp *, enum isotp_result);
void isotp_receiver_confirmed(struct isotp *, int64_t now_ns);
bool isotp_receiver_next(struct isotp *, int64_t now_ns, struct isotp_frame *ret);

/* Puts address bytes in front and pads or fits. */
void isotp_frame_begin(const struct isotp *, struct isotp_frame *);
void isotp_frame_end(const struct isotp *, struct isotp_frame *);

#endif
