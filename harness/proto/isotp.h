/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ISO 15765-2:2016 as a tester speaks it, sans-I/O; time is a parameter. Can misbehave on purpose (struct isotp_misdeeds).
 * Independent of the firmware's implementation.
 */
#ifndef HARNESS_PROTO_ISOTP_H
#define HARNESS_PROTO_ISOTP_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/bytes.h"

enum isotp_addressing { ISOTP_NORMAL, ISOTP_NORMAL_FIXED, ISOTP_EXTENDED, ISOTP_MIXED };
enum isotp_result {
	ISOTP_PENDING,
	ISOTP_OK,
	ISOTP_TIMEOUT_A,
	ISOTP_TIMEOUT_BS,
	ISOTP_TIMEOUT_CR,
	ISOTP_WRONG_SN,
	ISOTP_INVALID_FS,
	ISOTP_UNEXP_PDU,
	ISOTP_WFT_OVRN,
	ISOTP_BUFFER_OVFLW
};
const char *isotp_result_name(enum isotp_result); /* "N_OK", "N_TIMEOUT_Bs", … */

struct isotp_frame {
	uint8_t length, data[64];
};

struct isotp_options {
	enum isotp_addressing addressing;
	uint8_t extension_tx, extension_rx;
	bool fd;
	uint8_t tx_dl; /* 8; FD: 8,12,16,20,24,32,48,64 */
	bool pad;
	uint8_t padding;
	uint8_t block_size, st_min; /* what we ask for as a receiver */
	unsigned wft_max;
	uint32_t receive_limit;            /* larger first frames get FC overflow; 0: 64 MiB */
	int64_t n_as_ns, n_bs_ns, n_cr_ns; /* 0: 1 s each */
};
/* What a sender or receiver does wrong on purpose; zero-initialised = nothing. Counters are from 1. */
struct isotp_misdeeds {
	unsigned wrong_sn_at, skip_cf_at, repeat_cf_at; /* consecutive frame number */
	bool ignore_st_min, ignore_block_size;
	bool no_flow_control;          /* sends none as a receiver, waits for none as a sender */
	unsigned waits_before_flow;    /* FC.WAIT so often first */
	int flow_status;               /* 0: the right one; else FS sent (1 wait, 2 overflow, 3..15 reserved) */
	uint8_t short_flow_control;    /* send an FC of so many bytes (0 = right) */
	bool first_frame_fits_single;  /* FF although an SF would do */
	bool escape_small;             /* 32-bit length although <= 4095 */
	int64_t delay_cf_ns;           /* before each CF */
	uint32_t announce_length;      /* SF_DL or FF_DL claimed (0 = true one) */
	int64_t wait_gap_ns;           /* between FC.WAIT frames; 0: 100 ms */
	int64_t delay_flow_control_ns; /* before each FC */
};

struct isotp;                                                                /* one link, both directions; opaque */
int isotp_new(struct isotp **ret, const struct isotp_options *) WARN_UNUSED; /* 0, -EINVAL, -ENOMEM */
void isotp_free(struct isotp *);
void isotp_misbehave(struct isotp *, const struct isotp_misdeeds *);
/* Starts a message (copied). 0, -EBUSY, -EMSGSIZE, -ENOMEM. */
int isotp_send(struct isotp *, const uint8_t *data, size_t length, int64_t now_ns) WARN_UNUSED;
/* A frame came (payload of a CAN frame of the right identifier). */
void isotp_receive(struct isotp *, const uint8_t *data, size_t length, int64_t now_ns);
/* The frame given out last was seen on the bus. */
void isotp_confirmed(struct isotp *, int64_t now_ns);
/* Next frame to put on the bus now; false: none. */
bool isotp_next(struct isotp *, int64_t now_ns, struct isotp_frame *ret);
/* Timers: when to call isotp_tick() at the latest; INT64_MAX none. */
int64_t isotp_deadline(const struct isotp *);
void isotp_tick(struct isotp *, int64_t now_ns);
enum isotp_result isotp_send_result(const struct isotp *);    /* of the last message; ISOTP_PENDING while under way */
enum isotp_result isotp_receive_result(const struct isotp *); /* of the last reception; ISOTP_PENDING: none finished since the last take */
/* Takes a whole received message; false: none. Owner: caller (bytes_free). */
bool isotp_take(struct isotp *, struct bytes *ret);
/* Facts about the last exchange, for checks: flow controls seen, their BS/STmin, smallest gap of consecutive frames. */
struct isotp_facts {
	unsigned flow_controls, waits, overflows;
	uint8_t block_size, st_min;
	int64_t smallest_cf_gap_ns, largest_cf_gap_ns;
	unsigned consecutive_frames;
	uint8_t last_fc[8], last_fc_length;
};
void isotp_facts_read(const struct isotp *, struct isotp_facts *);

#endif
