/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A debug probe at a board: memory, run control, reset and flash, whatever program or protocol does it. A driver is one file
 * harness/rig/drivers/probe_NAME.c and one line in harness/rig/probe.c. Names of the rig file: docs/reference/probe.md.
 *
 * Every call has a deadline (CLOCK_MONOTONIC ns) of its own, and pumps the loop. What goes wrong is the bench's (ERROR_BENCH) with
 * what to look at, but for an access the board itself refuses: ERROR_DUT, -EFAULT, with the address. The probe is connected at the first
 * use, and its board is identified before anything is written (probe_identify() runs by itself); a probe that died is started anew at the
 * next call. After a failure the next call works, or says why not, within its deadline.
 */
#ifndef HARNESS_RIG_PROBE_H
#define HARNESS_RIG_PROBE_H

#include "rig.h"

struct probe;
/* NULL: the board has no probe. Owned by the board. */
struct probe *rig_board_probe(struct rig_board *);
const char *probe_driver_name(const struct probe *);

enum probe_reset {
	PROBE_RESET_SYSTEM,
	PROBE_RESET_APPLICATION,
	PROBE_RESET_HALT /* system reset, then halted before the first instruction */
};

struct probe_identity {
	uint32_t idcode;    /* of the TAP, 0 where the protocol has none */
	uint64_t unique_id; /* of the chip, 0 not known */
	char slot[32];      /* of the rig, as the board itself tells, "" not known */
};
/* Connects and compares with the rig file's `idcode`, `unique_id` and `slot`: what differs is named. */
int probe_identify(struct probe *, struct probe_identity *ret_or_null, int64_t deadline_ns, struct error *err) WARN_UNUSED;

int probe_halt(struct probe *, int64_t deadline_ns, struct error *err) WARN_UNUSED;
int probe_resume(struct probe *, int64_t deadline_ns, struct error *err) WARN_UNUSED;
int probe_halted(struct probe *, bool *ret, int64_t deadline_ns, struct error *err) WARN_UNUSED;
int probe_reset(struct probe *, enum probe_reset, int64_t deadline_ns, struct error *err) WARN_UNUSED;
/* width: 1, 2, 4 or 8 bytes an access; address and length are multiples of it. What the probe cannot do in one access of 8 it refuses
 * (ERROR_BENCH, -EOPNOTSUPP): it is never done by two. */
int probe_read(struct probe *, uint32_t address, unsigned width, void *buffer, size_t length, int64_t deadline_ns,
               struct error *err) WARN_UNUSED;
int probe_write(struct probe *, uint32_t address, unsigned width, const void *data, size_t length, int64_t deadline_ns,
                struct error *err) WARN_UNUSED;
/* Files: the whole file to memory; memory to a file (written beside it and renamed); memory against a file. */
int probe_load(struct probe *, uint32_t address, const char *path, int64_t deadline_ns, struct error *err) WARN_UNUSED;
int probe_dump(struct probe *, uint32_t address, size_t length, const char *path, int64_t deadline_ns, struct error *err) WARN_UNUSED;
/* *ret_offset: of the first byte that differs, SIZE_MAX when they are equal. */
int probe_compare(struct probe *, uint32_t address, const char *path, size_t *ret_offset, int64_t deadline_ns,
                  struct error *err) WARN_UNUSED;
/* Erases what is needed and programs a file at a physical flash address, then compares. */
int probe_program(struct probe *, uint32_t address, const char *path, int64_t deadline_ns, struct error *err) WARN_UNUSED;
/* A command in the probe's own language, for people: its answer, newly allocated. */
int probe_command(struct probe *, const char *command, char **ret_answer, int64_t deadline_ns, struct error *err) WARN_UNUSED;

/* The time a single verb may take as the rig file says, ns; a deadline from now on. */
int64_t probe_verb_ns(const struct probe *);
int64_t probe_deadline_ns(const struct probe *);

/* Process id of the probe's program, 0 without: for tests that end it. */
int probe_process(const struct probe *);

struct probe_driver {
	const char *name;
	int (*check)(const struct value *map, struct error *err); /* keys of its own, ERROR_USAGE with place */
	/* That the programs and files which the map names are there, ERROR_USAGE with place; NULL: it needs none. */
	int (*check_files)(const struct rig_file *, const struct value *map, struct error *err);
	int (*open)(struct probe *, struct error *err); /* nothing is connected yet */
	void (*close)(struct probe *);
	/* Whether it is connected and alive; connecting. */
	bool (*connected)(const struct probe *);
	/* Ends the connection, if there is one, at once. */
	void (*disconnect)(struct probe *);
	int (*connect)(struct probe *, int64_t deadline_ns, struct error *err);
	/* Fills idcode, as it is now; the rest is read from memory by probe.c. */
	int (*identify)(struct probe *, struct probe_identity *ret, int64_t deadline_ns, struct error *err);
	int (*halt)(struct probe *, bool halted, int64_t deadline_ns, struct error *err);
	int (*halted)(struct probe *, bool *ret, int64_t deadline_ns, struct error *err);
	int (*reset)(struct probe *, enum probe_reset, int64_t deadline_ns, struct error *err);
	int (*read)(struct probe *, uint32_t address, unsigned width, void *buffer, size_t length, int64_t deadline_ns, struct error *err);
	int (*write)(struct probe *, uint32_t address, unsigned width, const void *data, size_t length, int64_t deadline_ns,
	             struct error *err);
	/* May be NULL: done with read and write; program NULL: not supported. */
	int (*load)(struct probe *, uint32_t address, const char *path, int64_t deadline_ns, struct error *err);
	int (*dump)(struct probe *, uint32_t address, size_t length, const char *path, int64_t deadline_ns, struct error *err);
	int (*program)(struct probe *, uint32_t address, const char *path, int64_t deadline_ns, struct error *err);
	int (*command)(struct probe *, const char *command, char **ret_answer, int64_t deadline_ns, struct error *err);
	int (*process)(const struct probe *);
};

#endif
