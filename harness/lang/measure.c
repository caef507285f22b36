/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements: the distance between two events, its samples and its limits. */
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"
#include "lang_private.h"

const char *const statistic_names[] = {[STATISTIC_P50] = "p50", [STATISTIC_P95] = "p95",   [STATISTIC_MAX] = "max",
                                       [STATISTIC_MIN] = "min", [STATISTIC_MEAN] = "mean", NULL};
static const char *const keys_of_measure[] = {"id", "title", "samples", "from", "to", "stages", "limits", NULL};
const char *const *const measure_keys = keys_of_measure;
static const char *const selector_keys[] = {"event", "role", "link", "where", NULL};
static const char *const stage_keys[] = {"name", "to", NULL};
static const char *const limit_keys[] = {"at_most", "at_least", NULL};

static void selector_clear(struct event_selector *selector)
{
	free(selector->kind);
	free(selector->role);
	free(selector->link);
	value_free(selector->where);
}

void measures_free(struct measure_def *measures, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		free(measures[i].id);
		free(measures[i].title);
		selector_clear(&measures[i].from);
		selector_clear(&measures[i].to);
		for (unsigned j = 0; j < measures[i].stage_count; j++) {
			free(measures[i].stages[j].name);
			selector_clear(&measures[i].stages[j].to);
		}
		free(measures[i].stages);
		free(measures[i].limits);
	}
	free(measures);
}

static void read_where(struct checker *checker, const struct value *where, struct event_selector *ret)
{
	struct value *resolved;

	if (where->type != VALUE_MAP) {
		checker_error(checker, where->place, "\"where\" is a map of fields of the event's data: {stage: app}");
		return;
	}
	for (unsigned i = 0; i < where->map.count; i++)
		if (where->map.entries[i].value->type == VALUE_MAP || where->map.entries[i].value->type == VALUE_LIST) {
			checker_error(checker, where->map.entries[i].value->place, "\"where\" compares for equality: give one value");
			return;
		}
	if (checker_references(checker, where) == REFERENCES_OPEN) {
		checker_error(checker, where->place, "a measurement may use parameters, but no variable of the run");
		return;
	}
	checker_resolve(checker, where, &resolved);
	ret->where = resolved;
}

static void read_selector(struct checker *checker, const struct value *value, const char *what, struct event_selector *ret)
{
	const struct value *event = value_get(value, "event"), *role = value_get(value, "role"), *link = value_get(value, "link");

	ret->place = value->place;
	if (value->type != VALUE_MAP) {
		checker_error(checker, value->place, "\"%s\" is a map: {event: power.on, role: zgw}", what);
		return;
	}
	checker_keys(checker, value, selector_keys, what);
	if (!event)
		checker_error(checker, value->place, "\"%s\" needs \"event\"", what);
	else
		ret->kind = checker_text(checker, event, "event");
	if (ret->kind)
		check_event_kind(checker, ret->kind, event->place);
	if (role && link)
		checker_error(checker, link->place, "an event is of a role or of a link, not of both");
	if (role)
		ret->role = checker_text(checker, role, "role");
	if (link)
		ret->link = checker_text(checker, link, "link");
	check_stage(checker, ret->kind, value_get(value, "where"));
	if (value_get(value, "where"))
		read_where(checker, value_get(value, "where"), ret);
}

static void read_stages(struct checker *checker, const struct value *list, struct measure_def *measure)
{
	const struct value *item, *name, *to;
	struct measure_stage *stage;

	if (list->type != VALUE_LIST) {
		checker_error(checker, list->place, "\"stages\" is a list of {name: …, to: {event: …}}");
		return;
	}
	measure->stages = calloc(list->list.count + 1, sizeof(*measure->stages));
	if (!measure->stages) {
		checker_no_memory(checker);
		return;
	}
	for (unsigned i = 0; i < list->list.count; i++) {
		item = list->list.items[i];
		name = value_get(item, "name");
		to = value_get(item, "to");
		if (item->type != VALUE_MAP || !name || !to) {
			checker_error(checker, item->place, "a stage is {name: …, to: {event: …}}");
			continue;
		}
		checker_keys(checker, item, stage_keys, "a stage");
		stage = &measure->stages[measure->stage_count++];
		stage->name = checker_text(checker, name, "name");
		read_selector(checker, to, "to", &stage->to);
	}
}

static int statistic_parse(const char *name)
{
	for (int i = 0; statistic_names[i]; i++)
		if (strcmp(statistic_names[i], name) == 0)
			return i;
	return -1;
}

static void read_limit(struct checker *checker, const struct value_entry *entry, struct measure_def *measure)
{
	int statistic = statistic_parse(entry->key);
	struct measure_limit *limit;
	char hint[160];

	if (statistic < 0) {
		checker_error(checker, entry->key_place, "unknown statistic \"%s\"%s: it is one of p50, p95, max, min, mean", entry->key,
		              suggest_text(entry->key, statistic_names, hint, sizeof(hint)));
		return;
	}
	if (entry->value->type != VALUE_MAP || entry->value->map.count == 0) {
		checker_error(checker, entry->value->place, "a limit is written {at_most: 600ms} or {at_least: 1ms}");
		return;
	}
	checker_keys(checker, entry->value, limit_keys, "a limit");
	for (unsigned i = 0; i < entry->value->map.count; i++) {
		const struct value_entry *bound = &entry->value->map.entries[i];

		limit = &measure->limits[measure->limit_count];
		*limit = (struct measure_limit){.statistic = (enum measure_statistic)statistic,
		                                .at_most = strcmp(bound->key, "at_most") == 0,
		                                .place = bound->key_place};
		checker_duration(checker, bound->value, bound->key, &limit->value_ns);
		if (limit->at_most || strcmp(bound->key, "at_least") == 0)
			measure->limit_count++;
	}
}

static void read_limits(struct checker *checker, const struct value *map, struct measure_def *measure)
{
	size_t bounds = 1;

	if (map->type != VALUE_MAP) {
		checker_error(checker, map->place, "\"limits\" is a map: {p95: {at_most: 600ms}}");
		return;
	}
	for (unsigned i = 0; i < map->map.count; i++)
		bounds += map->map.entries[i].value->type == VALUE_MAP ? map->map.entries[i].value->map.count : 0;
	measure->limits = calloc(bounds, sizeof(*measure->limits));
	if (!measure->limits) {
		checker_no_memory(checker);
		return;
	}
	for (unsigned i = 0; i < map->map.count; i++)
		read_limit(checker, &map->map.entries[i], measure);
}

static void read_samples(struct checker *checker, const struct value *value, struct measure_def *measure)
{
	measure->samples = 1;
	if (!value)
		return;
	if (value->type != VALUE_INTEGER || value->integer < 1 || value->integer > SAMPLES_MAX)
		checker_error(checker, value->place, "\"samples\" is an integer from 1 to %d", SAMPLES_MAX);
	else
		measure->samples = (unsigned)value->integer;
}

static void read_measure(struct checker *checker, const struct value *value, struct measure_def *measure)
{
	static const char *const needed[] = {"id", "from", "to"};

	measure->place = value->place;
	checker_keys(checker, value, measure_keys, "a measurement");
	for (unsigned i = 0; i < 3; i++)
		if (!value_get(value, needed[i]))
			checker_error(checker, value->place, "a measurement needs \"%s\"", needed[i]);
	if (value_get(value, "id"))
		measure->id = checker_text(checker, value_get(value, "id"), "id");
	if (value_get(value, "title"))
		measure->title = checker_text(checker, value_get(value, "title"), "title");
	else if (measure->id)
		measure->title = strdup(measure->id);
	read_samples(checker, value_get(value, "samples"), measure);
	if (value_get(value, "from"))
		read_selector(checker, value_get(value, "from"), "from", &measure->from);
	if (value_get(value, "to"))
		read_selector(checker, value_get(value, "to"), "to", &measure->to);
	if (value_get(value, "stages"))
		read_stages(checker, value_get(value, "stages"), measure);
	if (value_get(value, "limits"))
		read_limits(checker, value_get(value, "limits"), measure);
}

void read_measures(struct checker *checker, const struct value *list, struct case_def *definition)
{
	struct measure_def *measure;

	if (list->type != VALUE_LIST) {
		checker_error(checker, list->place, "\"measure\" is a list of measurements, got %s", value_type_name(list->type));
		return;
	}
	definition->measures = calloc(list->list.count + 1, sizeof(*definition->measures));
	if (!definition->measures) {
		checker_no_memory(checker);
		return;
	}
	for (unsigned i = 0; i < list->list.count; i++) {
		if (list->list.items[i]->type != VALUE_MAP) {
			checker_error(checker, list->list.items[i]->place, "a measurement is a map, got %s",
			              value_type_name(list->list.items[i]->type));
			continue;
		}
		measure = &definition->measures[definition->measure_count++];
		read_measure(checker, list->list.items[i], measure);
		for (unsigned j = 0; measure->id && j + 1 < definition->measure_count; j++)
			if (definition->measures[j].id && strcmp(definition->measures[j].id, measure->id) == 0)
				checker_error(checker, measure->place, "the measurement \"%s\" is in this case twice (first in line %u)",
				              measure->id, definition->measures[j].place.line);
	}
}
