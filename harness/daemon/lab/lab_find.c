/* SPDX-License-Identifier: Apache-2.0 */
/* Rigs by their name; jobs and runs by their number. */
#include <stdio.h>
#include <string.h>

#include "lab_private.h"

struct lab_rig *lab_rig_find(const struct lab *lab, const char *name)
{
	for (size_t i = 0; name && i < lab->config->rig_count; i++)
		if (strcmp(lab->rigs[i].config->name, name) == 0)
			return &lab->rigs[i];
	return NULL;
}

struct lab_job *lab_job_find(const struct lab *lab, int64_t id)
{
	for (size_t i = 0; i < lab->job_count; i++)
		if (lab->jobs[i]->record->id == id)
			return lab->jobs[i];
	return NULL;
}

struct lab_run *lab_run_find(const struct lab *lab, int64_t id)
{
	for (size_t i = 0; i < lab->job_count; i++)
		for (size_t j = 0; j < lab->jobs[i]->run_count; j++)
			if (lab->jobs[i]->runs[j]->record->id == id)
				return lab->jobs[i]->runs[j];
	return NULL;
}

const char *lab_rig_file(const struct lab *lab, const char *name)
{
	const struct lab_rig *rig = lab_rig_find(lab, name);
	return rig ? rig->config->file : NULL;
}

struct tail *lab_run_tail(struct lab *lab, int64_t id)
{
	const struct lab_run *run = lab_run_find(lab, id);
	return run ? run->tail : NULL;
}

void lab_run_directory(struct lab *lab, int64_t id, char *buffer, size_t size)
{
	const struct lab_run *run = lab_run_find(lab, id);
	buffer[0] = '\0';
	if (run && run->stage != STAGE_DONE)
		(void)snprintf(buffer, size, "%s/out", run->directory);
}
