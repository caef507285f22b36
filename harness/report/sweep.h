/* SPDX-License-Identifier: Apache-2.0 */
/* Forged PDUs, counted by one secoc.sweep: how many were accepted, how many chance lets expect, and the interval of the
 * acceptance probability. */
#ifndef HARNESS_REPORT_SWEEP_H
#define HARNESS_REPORT_SWEEP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

struct report_sweep {
	char *case_id, *channel, *mode;
	bool virtual_rack;
	bool complete; /* every forged PDU had its verdict */
	int64_t id, mac_bits, attempts;
	int64_t sent, accepted, rejected;
	int64_t by_chance, unexplained;  /* of the accepted: right by chance, and not */
	int64_t rate;                    /* PDUs a second */
	double expected;                 /* acceptances: sent x attempts x 2^-mac_bits */
	double confidence, lower, upper; /* two-sided Clopper-Pearson interval of the acceptance probability */
};

/* An event secoc.sweep. 0 or -ENOMEM with *ret empty. Values that cannot be (a mad journal) are held within their range. */
int report_sweep_read(const json_t *event, const char *case_id, bool virtual_rack, struct report_sweep *ret)
        __attribute__((warn_unused_result));
void report_sweep_free(struct report_sweep *); /* its members */

/* "0x101" into buffer (TEXT_NUMBER_SIZE), which is returned. */
const char *report_sweep_id(const struct report_sweep *, char *buffer);
/* One line for a terminal, without its newline. */
void report_sweep_put_line(struct text *, const struct report_sweep *);

#endif
