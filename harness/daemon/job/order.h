/* SPDX-License-Identifier: Apache-2.0 */
/* order.json and exit.json: what daemon and keeper tell each other. */
#ifndef HARNESS_DAEMON_JOB_ORDER_H
#define HARNESS_DAEMON_JOB_ORDER_H

#include "keeper.h"

#define KEEPER_MARK     "HILBENCH_KEEPER="         /* the variable by which processes are found that lost their keeper */
#define KEEPER_LOCK_FD  3                          /* the locked file, as the keeper gets it */
#define EXIT_SIZE_MAX   4096                       /* of exit.json; reserved on disk before the command starts */
#define KEEPER_SWEEP_NS (10 * INT64_C(1000000000)) /* longest time to end what a command left */

/* Into directory/order.json. The environment gets a KEEPER_MARK with the directory's real path, which no
 * other keeper of the machine has. */
int order_write(const char *directory, const struct keeper_order *, struct error *err) WARN_UNUSED;

struct order_file {
	struct keeper_order order; /* points into json, and to arrays of its own */
	json_t *json;
};
int order_read(const char *directory, struct order_file *ret, struct error *err) WARN_UNUSED;
void order_clear(struct order_file *);
/* "HILBENCH_KEEPER=…" of its environment, borrowed; NULL when it has none. */
const char *order_mark(const struct keeper_order *);

/* Makes the file that exit_write() fills and renames, with its blocks, so that a full disk cannot keep the end a secret. Its descriptor. */
int exit_reserve(const char *directory, struct error *err) WARN_UNUSED;
int exit_write(const char *directory, int reserved, const struct keeper_exit *, struct error *err) WARN_UNUSED;
/* 0; -ENOENT: there is none; other: it is damaged. */
int exit_read(const char *directory, struct keeper_exit *ret) WARN_UNUSED;

#endif
