/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of the driver gdb: questions to the server, and what is said of its answers. */
#ifndef HARNESS_RIG_DRIVERS_PROBE_GDB_H
#define HARNESS_RIG_DRIVERS_PROBE_GDB_H

#include "probe_gdb_link.h"

#define GDB_PACKET_FRAME 32 /* "$X12345678,1234:" and "#00" */

struct gdb {
	struct gdb_link *link; /* NULL: not connected */
	size_t packet;         /* largest DATA that the server takes */
	bool standing;         /* as far as we know */
	bool wanted_halted;    /* by a verb, across connections */
	bool packed_writes;    /* X works */
	bool continues;        /* vCont;c works */
	bool memory_map;       /* it announces one */
	bool unsure_writes;    /* it says OK to writes that it does not do: qemu's, but for physical addresses */
};

/* A question of any bytes, its answer: past stops and output. `what`: for messages. Valid until the next question. */
int gdb_ask_bytes(struct gdb *, const struct bytes *question, const char *what, const char **ret, size_t *ret_length, int64_t deadline_ns,
                  struct error *err) WARN_UNUSED;
int gdb_ask(struct gdb *, const char *question, const char **ret, size_t *ret_length, int64_t deadline_ns, struct error *err) WARN_UNUSED;
/* ERROR_BENCH: an answer that is none; gives the connection up. */
int gdb_strange_answer(struct gdb *, const char *question, const char *answer, struct error *err);
/* ERROR_DUT, -EFAULT: E01, or "E.why" in words. */
int gdb_refused(const struct gdb *, const char *verb, uint32_t address, const char *answer, struct error *err);

/* ---- probe_gdb_flash.c ---- */

/* Erases the blocks that the range touches, whole, and programs it. The target stands. -EOPNOTSUPP: the server does not program flash;
 * ERROR_TESTCASE: there is no flash at the address. */
int gdb_flash_program(struct gdb *, uint32_t address, const uint8_t *data, size_t length, int64_t deadline_ns,
                      struct error *err) WARN_UNUSED;

#endif
