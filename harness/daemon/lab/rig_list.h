/* SPDX-License-Identifier: Apache-2.0 */
/* What rig files say of their rigs. */
#ifndef HARNESS_DAEMON_LAB_RIG_LIST_H
#define HARNESS_DAEMON_LAB_RIG_LIST_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "../../base/error.h"

struct rig_facts {
	bool known; /* the file could be read */
	bool is_virtual;
	char **capabilities, **roles; /* NULL-terminated, owned */
	const char **offers;          /* both together: what a job may require; borrowed from them */
	char problem[600];            /* why it could not be read, "" */
	/* the file as it was read */
	struct timespec modified;
	off_t size;
	ino_t inode;
};
/* Reads the file when it is not as it was when it was last read. True: something is new. A file that cannot be read leaves what was
 * known and sets `problem`. */
bool rig_facts_load(struct rig_facts *, const char *path);
void rig_facts_free(struct rig_facts *);

#endif
