/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a submission makes sense, before anything of it is kept. */
#ifndef HARNESS_DAEMON_LAB_SUBMISSION_H
#define HARNESS_DAEMON_LAB_SUBMISSION_H

#include "../book/blobs.h"
#include "../book/jobs.h"

#define SUBMISSION_FILES 10000

/* Checks everything but the rigs; sets the size of each file, and limits that are 0 to these. -EINVAL or -ENOENT is ERROR_USAGE. */
struct submission_limits {
	int64_t time_limit_ns, silence_limit_ns;
};
int submission_check(struct book *, struct job_record *, const struct submission_limits *, struct error *err) WARN_UNUSED;
/* Relative, without empty parts, "." and "..", of printable UTF-8. */
bool submission_path_clean(const char *path);

#endif
