/* SPDX-License-Identifier: Apache-2.0 */
#include "measurement.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/stats.h"
#include "event.h"

#define STAGES_LIMIT 64

static int stage_add(struct report_stage *stage, int64_t ns, int64_t uncertainty_ns)
{
	if (stage->count == stage->capacity) {
		size_t capacity = stage->capacity > 0 ? stage->capacity * 2 : 32;
		int64_t *grown = realloc(stage->values_ns, capacity * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		stage->values_ns = grown;
		stage->capacity = capacity;
	}
	stage->values_ns[stage->count++] = ns;
	if (uncertainty_ns > stage->uncertainty_ns)
		stage->uncertainty_ns = uncertainty_ns;
	return 0;
}

/* The order of the definition, what comes after the end last; journals without an index keep the order of their samples. */
static size_t stage_place(const struct report_measurement *m, int64_t index, bool after_end)
{
	size_t i = m->stage_count;
	while (i > 0 &&
	       (m->stages[i - 1].after_end > after_end || (m->stages[i - 1].after_end == after_end && m->stages[i - 1].index > index)))
		i--;
	return i;
}

/* NULL in *ret: no room. */
static int stage_find(struct report_measurement *m, const char *name, int64_t index, bool after_end, struct report_stage **ret)
{
	*ret = NULL;
	for (size_t i = 0; i < m->stage_count; i++)
		if (strcmp(m->stages[i].name, name) == 0 && m->stages[i].after_end == after_end)
			*ret = &m->stages[i];
	if (*ret || m->stage_count == STAGES_LIMIT)
		return 0;
	struct report_stage *grown = realloc(m->stages, (m->stage_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	m->stages = grown;
	char *copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	size_t at = stage_place(m, index, after_end);
	memmove(&m->stages[at + 1], &m->stages[at], (m->stage_count - at) * sizeof(*m->stages));
	m->stages[at] = (struct report_stage){.name = copy, .index = index, .after_end = after_end};
	m->stage_count++;
	*ret = &m->stages[at];
	return 0;
}

static int sample_stage(struct report_measurement *m, const json_t *item)
{
	bool failed = false;
	char *name = event_text(item, "name", &failed);
	if (!name)
		return failed ? -ENOMEM : 0;
	struct report_stage *stage = NULL;
	int r = stage_find(m, name, event_integer(item, "index", INT32_MAX), json_is_true(json_object_get(item, "after_end")), &stage);
	free(name);
	if (r < 0 || !stage)
		return r;
	return stage_add(stage, event_integer(item, "ns", 0), event_integer(item, "uncertainty_ns", 0));
}

static int sample_room(struct report_measurement *m)
{
	if (m->sample_count < m->sample_capacity)
		return 0;
	size_t capacity = m->sample_capacity > 0 ? m->sample_capacity * 2 : 32;
	struct report_sample *grown = realloc(m->samples, capacity * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	m->samples = grown;
	m->sample_capacity = capacity;
	return 0;
}

int report_measurement_sample(struct report_measurement *m, json_t *data)
{
	if (!m->complete)
		m->n++;
	if (m->sample_count == MEASUREMENT_SAMPLES_LIMIT) {
		m->samples_left_out++;
		return 0;
	}
	int r = sample_room(m);
	if (r < 0)
		return r;
	m->samples[m->sample_count++] = (struct report_sample){
	        .index = event_integer(data, "index", (int64_t)m->sample_count),
	        .value_ns = event_integer(data, "value_ns", 0),
	        .uncertainty_ns = event_integer(data, "uncertainty_ns", 0),
	};
	size_t i;
	json_t *item;
	json_array_foreach (json_object_get(data, "stages"), i, item) {
		r = sample_stage(m, item);
		if (r < 0)
			return r;
	}
	return 0;
}

static int limit_add(struct report_measurement *m, const json_t *item)
{
	struct report_limit *grown = realloc(m->limits, (m->limit_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	m->limits = grown;
	bool failed = false;
	struct report_limit *limit = &m->limits[m->limit_count++];
	*limit = (struct report_limit){.value_ns = event_integer(item, "value_ns", 0), .verdict = VERDICT_INCONCLUSIVE};
	limit->statistic = event_text(item, "statistic", &failed);
	limit->op = event_text(item, "op", &failed);
	const char *verdict = json_string_value(json_object_get(item, "verdict"));
	if (verdict)
		(void)!verdict_parse(verdict, &limit->verdict); /* an unknown word stays inconclusive */
	return failed ? -ENOMEM : 0;
}

static void limits_clear(struct report_measurement *m)
{
	for (size_t i = 0; i < m->limit_count; i++) {
		free(m->limits[i].statistic);
		free(m->limits[i].op);
	}
	free(m->limits);
	m->limits = NULL;
	m->limit_count = 0;
}

int report_measurement_result(struct report_measurement *m, json_t *data)
{
	bool failed = false;
	free(m->title);
	free(m->unit);
	m->title = event_text(data, "title", &failed);
	m->unit = event_text(data, "unit", &failed);
	m->virtual_rack = json_is_true(json_object_get(data, "virtual")) || m->virtual_rack;
	m->n = (uint64_t)event_integer(data, "n", (int64_t)m->n);
	m->min_ns = event_integer(data, "min_ns", 0);
	m->p50_ns = event_integer(data, "p50_ns", 0);
	m->p95_ns = event_integer(data, "p95_ns", 0);
	m->max_ns = event_integer(data, "max_ns", 0);
	m->mean_ns = event_integer(data, "mean_ns", 0);
	m->uncertainty_ns = event_integer(data, "uncertainty_ns", 0);
	m->complete = true;
	limits_clear(m);
	size_t i;
	json_t *item;
	json_array_foreach (json_object_get(data, "limit"), i, item) {
		if (limit_add(m, item) < 0)
			failed = true;
	}
	return failed ? -ENOMEM : 0;
}

void report_measurement_restart(struct report_measurement *m)
{
	struct report_measurement fresh = {.id = m->id, .case_id = m->case_id, .virtual_rack = m->virtual_rack};
	m->id = m->case_id = NULL;
	report_measurement_free(m);
	*m = fresh;
}

void report_measurement_free(struct report_measurement *m)
{
	for (size_t i = 0; i < m->stage_count; i++) {
		free(m->stages[i].name);
		free(m->stages[i].values_ns);
	}
	free(m->stages);
	free(m->samples);
	limits_clear(m);
	free(m->id);
	free(m->case_id);
	free(m->title);
	free(m->unit);
	*m = (struct report_measurement){0};
}

int64_t report_stage_median(struct report_stage *stage)
{
	stats_sort(stage->values_ns, stage->count);
	return stats_quantile(stage->values_ns, stage->count, 500);
}
