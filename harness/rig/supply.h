/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What switches a board's power: a bench supply (SCPI), a relay (GPIO), an external command. A driver is one file
 * harness/rig/drivers/supply_NAME.c and one line in harness/rig/supply.c. Keys: docs/reference/power.md.
 * Calls pump the loop until done or deadline; failures are the bench's (ERROR_BENCH) and name the device and what it answered.
 */
#ifndef HARNESS_RIG_SUPPLY_H
#define HARNESS_RIG_SUPPLY_H

#include "rig.h"

struct supply;
/* Keys of a role's `power:`; ERROR_USAGE with place. */
int supply_check_map(const struct value *map, struct error *err) WARN_UNUSED;
/* Reads the map and connects to nothing yet. `map` is borrowed. */
int supply_open(struct supply **ret, struct rig *, const struct value *map, const char *channel, struct error *err) WARN_UNUSED;
/* The output stays as it is unless the map says `off_at_end: true`: then supply_end(), and its failure is a note. */
void supply_close(struct supply *);
/* With `off_at_end: true` the output is switched off, once, whatever becomes of it. */
int supply_end(struct supply *, struct error *err) WARN_UNUSED;
/* From now on the output stays as it is at the end, whatever the map says. */
void supply_keep(struct supply *);
/* *ret_at: when it took effect, with the uncertainty of the way there. */
int supply_switch(struct supply *, bool on, int64_t deadline_ns, struct instant *ret_at, struct error *err) WARN_UNUSED;
/* After switching on: waits until the voltage is there, or says why it is not (short circuit, limit, protection). */
int supply_settle(struct supply *, int64_t deadline_ns, struct error *err) WARN_UNUSED;
int supply_is_on(struct supply *, bool *ret, int64_t deadline_ns, struct error *err) WARN_UNUSED;
/* -EOPNOTSUPP where the device has no such thing. */
int supply_set_voltage(struct supply *, uint32_t millivolts, int64_t deadline_ns, struct error *err) WARN_UNUSED;
int supply_set_limit(struct supply *, uint32_t milliamperes, int64_t deadline_ns, struct error *err) WARN_UNUSED;
int supply_measure(struct supply *, int32_t *ret_millivolts, int32_t *ret_milliamperes, int64_t deadline_ns, struct error *err) WARN_UNUSED;
/* A brown-out or glitch: levels with their durations, back to the nominal voltage at the end. */
struct supply_level {
	uint32_t millivolts;
	int64_t hold_ns, ramp_ns; /* time to get there from the level before, in steps as small as the device takes */
};
int supply_profile(struct supply *, const struct supply_level *, size_t count, int64_t deadline_ns, struct error *err) WARN_UNUSED;
/* Reachable, the right device (`identity:` of the map in its *IDN?), no error in its queue. Changes nothing. */
int supply_check(struct supply *, char *ret_identity, size_t size, int64_t deadline_ns, struct error *err) WARN_UNUSED;

/* Output off, voltage and current limit as the map says: the state in which a rig starts. */
int supply_prepare(struct supply *, int64_t deadline_ns, struct error *err) WARN_UNUSED;
/* Voltage and limit back to those of the map where they differ. */
int supply_restore(struct supply *, int64_t deadline_ns, struct error *err) WARN_UNUSED;
/* ERROR_BENCH when the output went away by itself or measurements are missing for 2 s (seen where `measure_every` looks), or a relay's
 * chip went. Asks nothing of the device. */
int supply_alive(const struct supply *, struct error *err) WARN_UNUSED;
/* What is set now, mV and mA; 0: not known. */
uint32_t supply_voltage(const struct supply *);
uint32_t supply_limit(const struct supply *);
const char *supply_driver_name(const struct supply *);
/* Of a board; NULL: its power is not switched by a supply. Owned by the board. */
struct supply *supply_of_board(struct rig_board *);

#endif
