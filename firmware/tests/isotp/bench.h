/* SPDX-License-Identifier: Apache-2.0 */
/* ISO-TP channels on the fake port: frames in and out as hexadecimal text, virtual time, results kept to look at. */
#ifndef FIRMWARE_TESTS_ISOTP_BENCH_H
#define FIRMWARE_TESTS_ISOTP_BENCH_H

#include "../../core/isotp.h"
#include "../fake_port.h"

#define MS 1000ull

struct isotp_bench {
	uint8_t channel;
	unsigned received, failed, sent, first_frames;
	enum isotp_result failure, confirmation;
	size_t length, announced;
	uint8_t data[ISOTP_MAX_MESSAGE];
	uint8_t frame_flags; /* of the frames that isotp_bench_rx() hands in */
	uint32_t frame_id;
};
extern struct isotp_bench bench;

/* Request 0x7E0 in, response 0x7E8 out; classic or FD with 64-byte frames. */
struct isotp_config isotp_bench_config(bool fd);
/* A fresh port with this one channel; optional: the faults' names. */
void isotp_bench_open(const struct isotp_config *config, const char *faults);
/* A frame from the peer. */
bool isotp_bench_rx(const char *hex);
bool isotp_bench_rx_bytes(const uint8_t *bytes, uint8_t length);
/* The oldest frame that the channel has sent, as hexadecimal text; "" when there is none. */
const char *isotp_bench_tx(void);
/* Lets time pass, polling at every deadline. */
void isotp_bench_run(uint64_t us);
/* Sends so many bytes, byte i being i modulo 251. */
enum port_status isotp_bench_send(size_t length);
void isotp_bench_pattern(uint8_t *data, size_t length);

#endif
