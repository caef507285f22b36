/* SPDX-License-Identifier: Apache-2.0 */
/* Who listens is told of jobs, runs, rigs and the queue. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab_private.h"

bool lab_listened(const struct lab *lab)
{
	return lab->ear_count > 0;
}

void lab_tell(struct lab *lab, enum lab_event event, int64_t id, json_t *stolen)
{
	for (size_t i = 0; i < lab->ear_count; i++)
		lab->ears[i].listener(event, id, stolen, lab->ears[i].context);
	json_decref(stolen);
}

void lab_tell_job(struct lab *lab, int64_t id)
{
	struct error error = {0};
	json_t *json = NULL;
	if (!lab_listened(lab) || lab_job_json(lab, id, &json, &error) < 0)
		return;
	json_object_del(json, "files");
	json_object_del(json, "runs");
	lab_tell(lab, LAB_JOB, id, json);
}

void lab_tell_run(struct lab *lab, int64_t id)
{
	static const char *const details[] = {"cases", "measurements", "artefacts"};
	struct error error = {0};
	json_t *json = NULL;
	if (!lab_listened(lab) || lab_run_json(lab, id, &json, &error) < 0)
		return;
	for (unsigned i = 0; i < 3; i++)
		json_object_del(json, details[i]);
	lab_tell(lab, LAB_RUN, id, json);
}

void lab_tell_rig(struct lab_rig *rig)
{
	struct error error = {0};
	json_t *json = NULL;
	if (rig->lab->started && lab_listened(rig->lab) && lab_rig_json(rig->lab, rig->config->name, &json, &error) == 0)
		lab_tell(rig->lab, LAB_RIG, 0, json);
}

void lab_tell_queue(struct lab *lab)
{
	unsigned queued, running;
	lab_count_jobs(lab, &queued, &running);
	if (queued == lab->told_queued && running == lab->told_running)
		return;
	lab->told_queued = queued;
	lab->told_running = running;
	if (lab_listened(lab))
		lab_tell(lab, LAB_QUEUE, 0, json_pack("{s:i,s:i}", "queued", (int)queued, "running", (int)running));
}

int lab_listen(struct lab *lab, lab_listener listener, void *context, struct error *err)
{
	struct lab_ear *ears = realloc(lab->ears, (lab->ear_count + 1) * sizeof(*ears));
	if (!ears)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	lab->ears = ears;
	ears[lab->ear_count++] = (struct lab_ear){listener, context};
	return 0;
}

void lab_unlisten(struct lab *lab, lab_listener listener, void *context)
{
	for (size_t i = 0; i < lab->ear_count; i++)
		if (lab->ears[i].listener == listener && lab->ears[i].context == context) {
			memmove(&lab->ears[i], &lab->ears[i + 1], (--lab->ear_count - i) * sizeof(*lab->ears));
			return;
		}
}

static int on_tell(sd_event_source *source, uint64_t at_us, void *context)
{
	struct lab *lab = context;
	for (size_t i = 0; i < lab->job_count; i++)
		for (size_t j = 0; j < lab->jobs[i]->run_count; j++) {
			struct lab_run *run = lab->jobs[i]->runs[j];
			if (!run->tell_due)
				continue;
			run->tell_due = false;
			run->told_ns = lab_now_ns();
			lab_tell_run(lab, run->record->id);
		}
	return 0;
}

int lab_tell_add(struct lab *lab)
{
	int r = sd_event_add_time(lab->event, &lab->tell, CLOCK_BOOTTIME, UINT64_MAX / 2, 10000, on_tell, lab);
	return r < 0 ? r : sd_event_source_set_enabled(lab->tell, SD_EVENT_OFF);
}
