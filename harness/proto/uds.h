/* SPDX-License-Identifier: Apache-2.0 */
/* UDS as a tester speaks it (ISO 14229-1:2020), sans-I/O; time is a parameter. */
#ifndef HARNESS_PROTO_UDS_H
#define HARNESS_PROTO_UDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/bytes.h"

const char *uds_service_name(uint8_t sid); /* of a request: "ReadDataByIdentifier"; NULL unknown */
const char *uds_nrc_name(uint8_t nrc);     /* "requestOutOfRange"; NULL unknown */

/* One request and its answer. */
enum uds_outcome {
	UDS_WAITING,
	UDS_POSITIVE,
	UDS_NEGATIVE,
	UDS_TIMEOUT,
	UDS_SILENT /* suppressed, nothing came by the deadline: as wanted */
};
struct uds_timing {
	int64_t p2_ns, p2_star_ns, margin_ns;
	unsigned max_pending;
}; /* defaults 50 ms, 5 s, 0, 50 */
struct uds_exchange {
	struct uds_timing timing;
	const uint8_t *request;
	size_t request_length; /* borrowed */
	bool expect_silence;
	int64_t deadline_ns; /* when uds_exchange_expire() may be called */
	unsigned pending;    /* 0x78 seen */
	enum uds_outcome outcome;
	uint8_t nrc;
	struct bytes response; /* owned: uds_exchange_clear(); empty after an answer for which no memory was left */
	unsigned stray;        /* answers that were not ours (wrong SID or echo) */
};
/* timing NULL, or a field of it 0: the default. exchange must not own a response (clear it first). */
void uds_exchange_begin(struct uds_exchange *, const uint8_t *request, size_t length, const struct uds_timing *, bool expect_silence,
                        int64_t now_ns);
/* A message from the server came. Returns true when the exchange ended. A 0x78 moves the deadline to now + P2* and
 * means that an answer is due even if silence was wanted; one more than max_pending of them is UDS_TIMEOUT. Whatever is
 * not the answer to this request, or comes after its end, counts as stray. */
bool uds_exchange_receive(struct uds_exchange *, const uint8_t *data, size_t length, int64_t now_ns);
/* The time may have come. Returns true when the exchange ended, now or before. */
bool uds_exchange_expire(struct uds_exchange *, int64_t now_ns);
void uds_exchange_clear(struct uds_exchange *);

#endif
