/* SPDX-License-Identifier: Apache-2.0 */
/* What was typed in a shell, to be written as a test case. */
#ifndef HARNESS_CLI_SHELL_LOG_H
#define HARNESS_CLI_SHELL_LOG_H

#include "../lang/program.h"

struct shell_log_entry {
	char *name;          /* of a variable that was set; NULL: steps */
	struct value *value; /* what it was set to */
	char *yaml;          /* a list of steps */
	bool passed;
	int64_t took_ns;
};
struct shell_log {
	struct shell_log_entry *entries;
	unsigned count;
};
void shell_log_clear(struct shell_log *);
/* Both copy. 0 or -ENOMEM. */
int shell_log_set(struct shell_log *, const char *name, const struct value *) WARN_UNUSED;
/* Variables that the steps use and nothing before them set or saved are noted with their values in the scope. */
int shell_log_steps(struct shell_log *, const char *yaml, const struct step_block *, const struct scope *, bool passed,
                    int64_t took_ns) WARN_UNUSED;
/* The file of one case. `all`: also the steps that failed. Newly allocated text; -ENOENT (ERROR_USAGE): nothing to save,
 * -EINVAL: a variable that no file can hold. */
int shell_log_write(const struct shell_log *, const char *id, bool all, char **ret, struct error *err) WARN_UNUSED;

#endif
