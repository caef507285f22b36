/* SPDX-License-Identifier: Apache-2.0 */
#include "measurement.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/stats.h"
#include "../base/timeline.h"
#include "event_match.h"

/* One selector inside an open window. */
struct watchpoint {
	const struct event_selector *selector;
	char channel[80];
	struct value *where;
	bool seen;
	struct instant at;
};

struct measurement {
	const struct measure_def *def;
	bool open, held; /* somebody stood at a prompt while it was open */
	struct watchpoint from, to, *stages;
	int64_t *values_ns, *uncertainties_ns;
	unsigned count, begun, missed, held_count; /* samples; windows opened; of these without their events; that do not count */
};

struct measurements {
	struct timeline *timeline;
	const struct case_def *def;
	bool is_virtual;
	struct measurement *items;
	unsigned count;
};

static bool watchpoint_matches(const struct watchpoint *point, const struct event *event)
{
	const struct event_match match = {point->selector->kind, point->channel[0] ? point->channel : NULL, point->where};
	return !point->seen && event_matches(event, &match);
}

static void look(struct watchpoint *point, const struct event *event, const struct instant *not_before)
{
	if (!watchpoint_matches(point, event) || (not_before && event->at.ns < not_before->ns))
		return;
	point->seen = true;
	point->at = event->at;
}

/* The journal may learn of a stage before it learns of the beginning, with a stamp that is the same or later: the
 * newest such event is kept until the beginning is known. */
static void look_early(struct measurement *item, const struct event *event)
{
	for (unsigned k = 0; k < item->def->stage_count; k++) {
		bool earlier = item->stages[k].seen;
		item->stages[k].seen = false;
		look(&item->stages[k], event, NULL);
		item->stages[k].seen |= earlier;
	}
}

static void forget_earlier(struct measurement *item)
{
	for (unsigned k = 0; k < item->def->stage_count; k++)
		if (item->stages[k].seen && item->stages[k].at.ns < item->from.at.ns)
			item->stages[k].seen = false;
}

static void on_event(const struct event *event, void *context)
{
	struct measurements *all = context;
	for (unsigned i = 0; i < all->count; i++) {
		struct measurement *item = &all->items[i];
		if (!item->open)
			continue;
		if (!item->from.seen) {
			look_early(item, event);
			look(&item->from, event, NULL);
			if (item->from.seen)
				forget_earlier(item);
			continue;
		}
		/* Each stage is looked for by itself: the journal's order between two channels is that of learning, not
		 * of happening. */
		for (unsigned k = 0; k < item->def->stage_count; k++)
			look(&item->stages[k], event, &item->from.at);
		look(&item->to, event, &item->from.at);
	}
}

int measurements_new(struct measurements **ret, struct timeline *timeline, const struct case_def *def, bool is_virtual, struct error *err)
{
	struct measurements *all = calloc(1, sizeof(*all));
	if (!all || !(all->items = calloc(def->measure_count + 1, sizeof(*all->items))))
		goto out_of_memory;
	all->timeline = timeline;
	all->def = def;
	all->is_virtual = is_virtual;
	all->count = def->measure_count;
	for (unsigned i = 0; i < all->count; i++) {
		all->items[i].def = &def->measures[i];
		all->items[i].stages = calloc(def->measures[i].stage_count + 1, sizeof(struct watchpoint));
		if (!all->items[i].stages)
			goto out_of_memory;
	}
	if (all->count && timeline_observe(timeline, on_event, all) < 0)
		goto out_of_memory;
	*ret = all;
	return 0;
out_of_memory:
	measurements_free(all);
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

static void watchpoint_clear(struct watchpoint *point)
{
	value_free(point->where);
	memset(point, 0, sizeof(*point));
}

static void window_close(struct measurement *item)
{
	watchpoint_clear(&item->from);
	watchpoint_clear(&item->to);
	for (unsigned i = 0; item->stages && i < item->def->stage_count; i++)
		watchpoint_clear(&item->stages[i]);
	item->open = item->held = false;
}

void measurements_free(struct measurements *all)
{
	if (!all)
		return;
	if (all->timeline)
		timeline_unobserve(all->timeline, on_event, all);
	for (unsigned i = 0; i < all->count; i++) {
		if (all->items[i].def)
			window_close(&all->items[i]);
		free(all->items[i].stages);
		free(all->items[i].values_ns);
		free(all->items[i].uncertainties_ns);
	}
	free(all->items);
	free(all);
}

static struct measurement *find(const struct measurements *all, const char *id)
{
	for (unsigned i = 0; i < all->count; i++)
		if (!strcmp(all->items[i].def->id, id))
			return &all->items[i];
	return NULL;
}

static int watchpoint_set(struct watchpoint *point, const struct event_selector *selector, const struct scope *scope, struct error *err)
{
	point->selector = selector;
	if (selector->role)
		snprintf(point->channel, sizeof(point->channel), "board:%s", selector->role);
	else if (selector->link)
		snprintf(point->channel, sizeof(point->channel), "link:%s", selector->link);
	return selector->where ? value_resolve(selector->where, scope, &point->where, err) : 0;
}

int measurement_begin(struct measurements *all, const char *id, const struct scope *scope, struct error *err)
{
	struct measurement *item = find(all, id);
	if (!item)
		return error_set(err, ERROR_TESTCASE, ENOENT, "the case has no measurement \"%s\"", id);
	if (item->open)
		return error_set(err, ERROR_TESTCASE, EALREADY, "the measurement \"%s\" has begun already", id);
	int r = watchpoint_set(&item->from, &item->def->from, scope, err);
	if (r == 0)
		r = watchpoint_set(&item->to, &item->def->to, scope, err);
	for (unsigned i = 0; r == 0 && i < item->def->stage_count; i++)
		r = watchpoint_set(&item->stages[i], &item->def->stages[i].to, scope, err);
	item->open = r == 0;
	item->begun += item->open;
	return r;
}

bool measurement_complete(const struct measurements *all, const char *id)
{
	const struct measurement *item = find(all, id);
	return item && item->open && item->to.seen;
}

static void put_stage(json_t *list, const struct measurement *item, unsigned i, const struct instant *from, const struct instant *to,
                      bool after_end)
{
	json_t *stage =
	        json_pack("{s:s,s:i,s:I,s:I}", "name", item->def->stages[i].name, "index", (int)i + 1, "ns",
	                  (json_int_t)(to->ns - from->ns), "uncertainty_ns", (json_int_t)(to->uncertainty_ns + from->uncertainty_ns));
	if (after_end)
		json_object_set_new(stage, "after_end", json_true());
	json_array_append_new(list, stage);
}

/* What of a stage lies after the measurement's end is told apart, so that the others sum to the value. */
static json_t *stages_json(const struct measurement *item)
{
	json_t *list = json_array();
	const struct instant *inside = &item->from.at, *outside = &item->to.at, *end = &item->to.at;
	for (unsigned i = 0; i < item->def->stage_count; i++) {
		const struct watchpoint *point = &item->stages[i];
		bool after_end = point->at.ns > end->ns;
		const struct instant *to = after_end ? end : &point->at;
		if (!point->seen)
			continue;
		if (!after_end || inside->ns < end->ns)
			put_stage(list, item, i, inside, to, false);
		inside = to;
		if (after_end) {
			put_stage(list, item, i, outside, &point->at, true);
			outside = &point->at;
		}
	}
	return list;
}

static int sample_add(struct measurement *item, int64_t value_ns, int64_t uncertainty_ns)
{
	int64_t *values = realloc(item->values_ns, (item->count + 1) * sizeof(*values));
	if (values)
		item->values_ns = values;
	int64_t *uncertainties = realloc(item->uncertainties_ns, (item->count + 1) * sizeof(*uncertainties));
	if (uncertainties)
		item->uncertainties_ns = uncertainties;
	if (!values || !uncertainties)
		return -ENOMEM;
	values[item->count] = value_ns;
	uncertainties[item->count++] = uncertainty_ns;
	return 0;
}

static int not_seen(const struct measurement *item, struct error *err)
{
	const struct watchpoint *point = item->from.seen ? &item->to : &item->from;
	return error_set_place(err, ERROR_DUT, ETIMEDOUT, point->selector->place, "measurement \"%s\": no %s%s%s came %s", item->def->id,
	                       point->selector->kind, point->channel[0] ? " on " : "", point->channel,
	                       item->from.seen ? "after its beginning" : "to begin with");
}

static void drop_held(struct measurements *all, struct measurement *item)
{
	item->held_count++;
	window_close(item);
	timeline_emit_now(all->timeline, "case", "note",
	                  json_pack("{s:o}", "text",
	                            json_sprintf("measurement \"%s\": a sample in which somebody stood at the prompt does not count",
	                                         item->def->id)));
}

int measurement_end(struct measurements *all, const char *id, int64_t *ret_value_ns, struct error *err)
{
	struct measurement *item = find(all, id);
	int r;
	if (!item || !item->open)
		return error_set(err, ERROR_TESTCASE, ENOENT, "the measurement \"%s\" has not begun", id);
	if (!item->to.seen) {
		r = not_seen(item, err);
		item->missed++;
		window_close(item);
		return r;
	}
	int64_t value_ns = item->to.at.ns - item->from.at.ns;
	int64_t uncertainty_ns = item->to.at.uncertainty_ns + item->from.at.uncertainty_ns;
	*ret_value_ns = value_ns;
	if (item->held) {
		drop_held(all, item);
		return 0;
	}
	if (sample_add(item, value_ns, uncertainty_ns) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	json_t *data =
	        json_pack("{s:s,s:s,s:I,s:I,s:I,s:o}", "id", id, "case", all->def->id, "value_ns", (json_int_t)value_ns, "uncertainty_ns",
	                  (json_int_t)uncertainty_ns, "index", (json_int_t)item->count, "stages", stages_json(item));
	window_close(item);
	timeline_emit_now(all->timeline, "measure", "measure.sample", data);
	return 0;
}

void measurements_hold(struct measurements *all)
{
	for (unsigned i = 0; i < all->count; i++)
		all->items[i].held = all->items[i].held || all->items[i].open;
}

void measurement_abandon(struct measurements *all, const char *id)
{
	struct measurement *item = find(all, id);
	if (item && item->open)
		window_close(item);
}

void measurements_abandon(struct measurements *all)
{
	for (unsigned i = 0; i < all->count; i++)
		if (all->items[i].open)
			window_close(&all->items[i]);
}

enum verdict limit_judge(bool at_most, int64_t limit_ns, int64_t statistic_ns, int64_t uncertainty_ns)
{
	int64_t over_ns = statistic_ns - limit_ns;
	if (over_ns <= uncertainty_ns && over_ns >= -uncertainty_ns)
		return VERDICT_INCONCLUSIVE;
	return (over_ns < 0) == at_most ? VERDICT_PASS : VERDICT_FAIL;
}

static const char *const statistic_names[] = {"p50", "p95", "max", "min", "mean"};

static int64_t statistic_of(const struct stats *stats, enum measure_statistic statistic)
{
	switch (statistic) {
	case STATISTIC_P50:
		return stats->p50_ns;
	case STATISTIC_P95:
		return stats->p95_ns;
	case STATISTIC_MAX:
		return stats->max_ns;
	case STATISTIC_MIN:
		return stats->min_ns;
	case STATISTIC_MEAN:
		return stats->mean_ns;
	}
	return 0;
}

static void found(struct measure_verdict *verdict, enum verdict heavier, const struct measure_def *def, const struct measure_limit *limit,
                  int64_t value_ns, int64_t uncertainty_ns)
{
	if (heavier == VERDICT_PASS || heavier <= verdict->verdict)
		return;
	const char *name = statistic_names[limit->statistic];
	verdict->verdict = heavier;
	snprintf(verdict->expected, sizeof(verdict->expected), "%s %s %.3f ms", name,
	         limit->at_most ? "<=" : ">=", (double)limit->value_ns / 1e6);
	snprintf(verdict->actual, sizeof(verdict->actual), "%s = %.3f ms +- %.3f ms", name, (double)value_ns / 1e6,
	         (double)uncertainty_ns / 1e6);
	error_set_place(&verdict->error, heavier == VERDICT_FAIL ? ERROR_DUT : ERROR_NONE, 0, limit->place, "measurement \"%s\": %s, %s",
	                def->id, verdict->actual, heavier == VERDICT_FAIL ? "outside its limit" : "too near to its limit to decide");
}

static json_t *limits_json(const struct measurement *item, const struct stats *stats, int64_t uncertainty_ns,
                           struct measure_verdict *verdict)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < item->def->limit_count; i++) {
		const struct measure_limit *limit = &item->def->limits[i];
		int64_t value_ns = statistic_of(stats, limit->statistic);
		enum verdict judged = limit_judge(limit->at_most, limit->value_ns, value_ns, uncertainty_ns);
		found(verdict, judged, item->def, limit, value_ns, uncertainty_ns);
		json_array_append_new(list, json_pack("{s:s,s:s,s:I,s:s}", "statistic", statistic_names[limit->statistic], "op",
		                                      limit->at_most ? "at_most" : "at_least", "value_ns", (json_int_t)limit->value_ns,
		                                      "verdict", verdict_name(judged)));
	}
	return list;
}

static void emit_result(struct measurements *all, const struct measurement *item, struct measure_verdict *verdict)
{
	struct stats stats;
	int64_t uncertainty_ns = 0;
	if (stats_of(item->values_ns, item->count, &stats) < 0)
		return;
	for (unsigned i = 0; i < item->count; i++)
		if (item->uncertainties_ns[i] > uncertainty_ns)
			uncertainty_ns = item->uncertainties_ns[i];
	json_t *data = json_pack("{s:s,s:s,s:s,s:s,s:b,s:o,s:I}", "id", item->def->id, "case", all->def->id, "title",
	                         item->def->title ? item->def->title : item->def->id, "unit", "ns", "virtual", all->is_virtual, "limit",
	                         limits_json(item, &stats, uncertainty_ns, verdict), "n", (json_int_t)item->count);
	json_t *figures = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "min_ns", (json_int_t)stats.min_ns, "p50_ns", (json_int_t)stats.p50_ns,
	                            "p95_ns", (json_int_t)stats.p95_ns, "max_ns", (json_int_t)stats.max_ns, "mean_ns",
	                            (json_int_t)stats.mean_ns, "uncertainty_ns", (json_int_t)uncertainty_ns);
	json_object_update(data, figures);
	json_decref(figures);
	timeline_emit_now(all->timeline, "measure", "measure.result", data);
}

/* Where every window that was opened gave its sample, too few were opened: the test case's mistake. */
static void lacks_samples(const struct measurement *item, struct measure_verdict *ret)
{
	bool own_mistake = item->missed == 0, held = own_mistake && item->count + item->held_count >= item->def->samples;
	ret->verdict = own_mistake ? VERDICT_ERROR : VERDICT_FAIL;
	snprintf(ret->expected, sizeof(ret->expected), "%u samples", item->def->samples);
	snprintf(ret->actual, sizeof(ret->actual), "%u samples", item->count);
	if (held) {
		error_set_place(&ret->error, ERROR_OPERATOR, 0, item->def->place,
		                "measurement \"%s\": %u of %u samples, without those in which somebody stood at the prompt", item->def->id,
		                item->count, item->def->samples);
		return;
	}
	error_set_place(&ret->error, own_mistake ? ERROR_TESTCASE : ERROR_DUT, 0, item->def->place,
	                item->begun ? "measurement \"%s\": %u of %u samples"
	                            : "measurement \"%s\": %u of %u samples: no step ever began one (measure.begin, measure.block)",
	                item->def->id, item->count, item->def->samples);
}

void measurements_finish(struct measurements *all, struct measure_verdict *ret)
{
	memset(ret, 0, sizeof(*ret));
	measurements_abandon(all);
	for (unsigned i = 0; i < all->count; i++) {
		const struct measurement *item = &all->items[i];
		if (item->count)
			emit_result(all, item, ret);
		if (item->count < item->def->samples && ret->verdict < VERDICT_FAIL)
			lacks_samples(item, ret);
	}
}
