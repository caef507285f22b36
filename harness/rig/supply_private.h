/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by supply*.c and the drivers drivers/supply_*.c only. */
#ifndef HARNESS_RIG_SUPPLY_PRIVATE_H
#define HARNESS_RIG_SUPPLY_PRIVATE_H

#include "supply.h"

struct supply_driver {
	const char *name;
	const char *const *keys; /* of the map, beside `driver`; NULL-terminated */
	/* What the map must say for this driver; ERROR_USAGE with place. */
	int (*check)(const struct value *map, struct error *err);
	int (*open)(struct supply *, struct error *err);
	void (*close)(struct supply *);
	int (*output)(struct supply *, bool on, int64_t deadline_ns, struct instant *ret_at, struct error *err);
	/* NULL: nothing can be seen. */
	int (*settle)(struct supply *, int64_t deadline_ns, struct error *err);
	int (*is_on)(struct supply *, bool *ret, int64_t deadline_ns, struct error *err);
	/* NULL: it never goes away by itself. Asks nothing of the device. */
	int (*alive)(const struct supply *, struct error *err);
	int (*identify)(struct supply *, char *ret_identity, size_t size, int64_t deadline_ns, struct error *err);
	/* NULL: the device has no such thing. */
	int (*voltage)(struct supply *, uint32_t millivolts, int64_t deadline_ns, struct error *err);
	int (*limit)(struct supply *, uint32_t milliamperes, int64_t deadline_ns, struct error *err);
	int (*measure)(struct supply *, int32_t *ret_mv, int32_t *ret_ma, int64_t deadline_ns, struct error *err);
	/* Begins a measurement without waiting; supply_measured() or supply_missing() follows, or nothing while somebody else is at the
	 * device. Called from the loop. */
	void (*look)(struct supply *);
};

struct supply {
	const struct supply_driver *driver;
	void *state; /* the driver's */
	struct rig *rig;
	struct loop *loop;
	struct timeline *timeline;
	const struct value *map;
	char *channel;                 /* of the timeline */
	uint32_t nominal_mv, limit_ma; /* of the map, 0: not given */
	uint32_t now_mv, now_ma;       /* set, 0: not known */
	bool set;                      /* now_mv is known: it may be 0 */
	bool on, off_at_end;
	int64_t changed_ns; /* when output or voltage was last changed */
	int64_t measure_every_ns;
	sd_event_source *timer;
	unsigned low; /* measurements in a row that found no voltage */
	char tripped[256];
	int64_t measured_ns; /* the last measurement, 0: none yet */
	char missing[300];   /* why there are no measurements any more, "": there are */
	int64_t missing_ns;  /* since when: the last measurement */
	int64_t fault_ns;    /* from when on the bench is at fault */
};

extern const struct supply_driver supply_scpi, supply_gpio, supply_command;

void supply_measured(struct supply *, int32_t mv, int32_t ma, struct instant at);
/* What was asked for without waiting did not come. why: with the device's name; the first one counts, until it is measured again. */
void supply_missing(struct supply *, const char *why);

#endif
