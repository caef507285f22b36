/* SPDX-License-Identifier: Apache-2.0 */
/* What processes of the lab find in their environment, and the mark by which they are found again. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lab_private.h"

void lab_environment(const struct lab *lab, const char *job, const char *ret[10])
{
	size_t count = 0;
	for (char *const *text = lab->environment; *text; text++)
		ret[count++] = *text;
	if (job)
		ret[count++] = job;
	ret[count] = NULL;
}

void lab_mark(const struct lab *lab, const char *variable, int64_t job, int64_t run_or_lease, char *buffer, size_t size)
{
	if (job)
		(void)snprintf(buffer, size, "%s=job-%" PRId64 "-run-%" PRId64 "-%08" PRIx32, variable, job, run_or_lease,
		               lab->state_number);
	else
		(void)snprintf(buffer, size, "%s=lease-%" PRId64 "-%08" PRIx32, variable, run_or_lease, lab->state_number);
}

const char *lab_lease_mark(const struct lab *lab, int64_t lease, char buffer[LEASE_MARK_SIZE])
{
	char variable[80];
	lab_mark(lab, MARK_JOB, 0, lease, variable, sizeof(variable));
	(void)snprintf(buffer, LEASE_MARK_SIZE, "%s", strchr(variable, '=') + 1);
	return buffer;
}

/* The same for the next daemon of this directory, as long as the machine runs. */
void lab_number_state(struct lab *lab)
{
	struct stat status = {0};
	(void)stat(book_directory(lab->book), &status);
	uint64_t mixed = ((uint64_t)status.st_dev << 40 ^ (uint64_t)status.st_ino) * UINT64_C(0x9e3779b97f4a7c15);
	lab->state_number = (uint32_t)(mixed >> 32);
}

int lab_make_environment(struct lab *lab)
{
	static const char *const names[] = {"PATH", "HOME", "HILBENCH_LOCKS", "HILBENCH_PROGRAMS", "HILBENCH_FIXTURES"};
	size_t count = 0;
	if (!(lab->environment[count++] = strdup("LANG=C.UTF-8")))
		return -ENOMEM;
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *value = getenv(names[i]);
		if (!value && i < 2)
			value = i == 0 ? "/usr/local/bin:/usr/bin:/bin" : "/";
		if (value && asprintf(&lab->environment[count++], "%s=%s", names[i], value) < 0)
			return -ENOMEM;
	}
	return 0;
}
