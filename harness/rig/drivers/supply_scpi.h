/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by supply_scpi.c and supply_scpi_look.c only. */
#ifndef HARNESS_RIG_DRIVERS_SUPPLY_SCPI_H
#define HARNESS_RIG_DRIVERS_SUPPLY_SCPI_H

#include "../supply_private.h"
#include "supply_scpi_link.h"

#define SCPI_CHANNEL_NONE 0

struct scpi {
	struct scpi_link *link;
	bool list; /* dialect */
	unsigned channel;
	unsigned generation; /* of the connection on which it was identified; 0: of none yet */
	unsigned selected;   /* of the connection on which the instrument was seen to have taken the channel */
	char identity[128];
	int64_t settle_ns;
	int64_t retry_ns; /* not before is a connection tried again by who does not wait */
};

/* Whether the channel is named by a selection. */
bool scpi_selects(const struct scpi *);
void scpi_measure_message(const struct scpi *, char *message, size_t size);
/* Cuts the answer in two. */
int scpi_read_measured(const struct supply *, const char *message, char *answer, int32_t *ret_mv, int32_t *ret_ma,
                       struct error *err) WARN_UNUSED;
/* What *IDN? and INST:NSEL? gave: ERROR_BENCH when it is not what the rig file says. */
int scpi_look_at_identity(struct supply *, const char *answer, struct error *err) WARN_UNUSED;
int scpi_look_at_selection(const struct supply *, const char *answer, struct error *err) WARN_UNUSED;
/* Of SYST:ERR?; false: it is no answer to that. */
bool scpi_error_code(const char *answer, long *ret);

/* struct supply_driver's look. */
void scpi_look(struct supply *);

#endif
