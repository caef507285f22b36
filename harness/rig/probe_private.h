/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by probe.c and the drivers of probes. */
#ifndef HARNESS_RIG_PROBE_PRIVATE_H
#define HARNESS_RIG_PROBE_PRIVATE_H

#include "probe.h"
#include "rig_private.h"

#define PROBE_JTAG "${jtag}" /* in `variables`: the socket of the virtual board's debug connector */

struct probe {
	struct rig_board *board;
	const struct value *map; /* the role's `probe:` */
	const struct probe_driver *driver;
	void *state; /* the driver's */
	int64_t verb_ns;
	bool identified; /* since it was connected */
	struct probe_identity identity;
};

/* The map of a role: the keys of its driver, and that their values mean something. ERROR_USAGE with place. */
int probe_check_map(const struct value *map, struct error *err) WARN_UNUSED;
/* That the programs and files which it names are there. ERROR_USAGE with place. */
int probe_check_files(const struct rig_file *, const struct value *map, struct error *err) WARN_UNUSED;
/* Of a board that has `probe:`; nothing is started. */
int probe_open(struct rig_board *, struct error *err) WARN_UNUSED;
void probe_close(struct rig_board *);

/* An integer, or a text with one ("0x8000000000000001"); false: neither. */
bool probe_number(const struct value *, uint64_t *ret);

/* ---- probe_file.c: the board is there and the right one ---- */

/* Of a regular file that fits at the address. ERROR_TESTCASE: it cannot be read, or is empty or too long. */
int probe_file_length(const char *path, uint32_t address, size_t *ret, struct error *err) WARN_UNUSED;
int probe_file_load(struct probe *, uint32_t address, const char *path, size_t length, int64_t deadline_ns, struct error *err) WARN_UNUSED;
int probe_file_dump(struct probe *, uint32_t address, size_t length, const char *path, int64_t deadline_ns, struct error *err) WARN_UNUSED;
int probe_file_compare(struct probe *, uint32_t address, const char *path, size_t length, size_t *ret_offset, int64_t deadline_ns,
                       struct error *err) WARN_UNUSED;
/* The bytes of a file of so many, until probe_file_unmap(). */
int probe_file_map(const char *path, size_t length, const uint8_t **ret, struct error *err) WARN_UNUSED;
void probe_file_unmap(const uint8_t *data, size_t length);
/* Newly allocated: from the root, whatever the working directory of a program is; NULL: out of memory. */
char *probe_file_absolute(const char *path);

/* ---- drivers/probe_openocd_files.c ---- */

/* The map's `program`, standard openocd of $PATH. ERROR_BENCH with place. */
int openocd_find_program(const struct value *map, char *ret, size_t size, struct error *err) WARN_UNUSED;
/* Beside the rig file or among the shared ones; -ENOENT: OpenOCD may have it. */
int openocd_find_config(const struct rig_file *, const struct value *name, char *ret, size_t size) WARN_UNUSED;
/* That a configuration is there, also where OpenOCD itself looks. ERROR_USAGE with place. */
int openocd_check_config(const struct rig_file *, const struct value *map, const struct value *name, struct error *err) WARN_UNUSED;
int openocd_check_files(const struct rig_file *, const struct value *map, struct error *err) WARN_UNUSED;

/* ---- drivers/probe_openocd.c ---- */

/* The command line by which OpenOCD reads the probe's whole configuration, opens nothing, and ends: status 0 when it can. */
struct words;
int openocd_words_to_read(struct words *, const struct probe *, struct error *err) WARN_UNUSED;

extern const struct probe_driver probe_driver_openocd, probe_driver_gdb;
extern const char *const probe_driver_names[]; /* NULL-terminated */

#endif
