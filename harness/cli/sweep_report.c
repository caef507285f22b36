/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "../base/loop.h"
#include "../base/timeline.h"
#include "../report/report.h"
#include "command.h"
#include "sweep.h"

#define KEPT_EVENTS 16u

static json_t *request_json(const struct sweep_request *request)
{
	return json_pack("{s:s,s:s,s:i,s:I,s:s#,s:i,s:s,s:s?,s:s?,s:s?,s:s?,s:i,s:b,s:b,s:i,s:i,s:i}", "target", request->target,
	                 "scenario", request->scenario, "size", (int)request->size, "seed", (json_int_t)request->seed, "bank",
	                 &request->bank, 1, "entry", (int)request->entry, "policy", request->policy, "fault", request->fault, "operations",
	                 request->operations, "classes", request->classes, "phases", request->phases, "samples", (int)request->samples,
	                 "pairs", request->pairs, "reset", request->reset, "random", (int)request->random, "jobs", (int)request->jobs,
	                 "limit_s", (int)request->limit_s);
}

static int write_json(const struct sweep_result *result, const char *directory, struct error *err)
{
	char path[4096];
	json_t *all = json_pack("{s:o,s:O?,s:O?,s:O,s:O}", "request", request_json(result->request), "begin", result->begin, "end",
	                        result->end, "groups", result->groups, "violations", result->violations);

	snprintf(path, sizeof(path), "%s/sweep.json", directory);
	int r = all && json_dump_file(all, path, JSON_INDENT(1)) == 0 ? 0 : -1;
	json_decref(all);
	return r == 0 ? 0 : error_set(err, ERROR_BENCH, errno, "cannot write %s: %s", path, strerror(errno));
}

/* ---- the journal ---------------------------------------------------------------------------------------------------- */

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

struct writer {
	struct timeline *timeline;
	const struct sweep_result *result;
	char file[64]; /* the suite */
	int status;    /* of the sweep */
	int64_t at_ns, end_ns;
};

/* "sweep.ota.zgw.update.transfer.bank.program" */
static void case_id(const struct writer *writer, const json_t *group, char *id, size_t size)
{
	snprintf(id, size, "sweep.ota.%s.%s.%s", writer->result->request->target, writer->result->request->scenario, text(group, "name"));
}

static json_t *cases_json(const struct writer *writer)
{
	json_t *cases = json_array(), *group;
	size_t index;
	char id[160];

	json_array_foreach (writer->result->groups, index, group) {
		case_id(writer, group, id, sizeof(id));
		json_array_append_new(cases, json_pack("{s:s,s:s,s:s,s:i}", "id", id, "title", id, "file", writer->file, "line", 1));
	}
	return cases;
}

static void emit(const struct writer *writer, int64_t at_ns, const char *channel, const char *kind, json_t *data)
{
	struct instant at = instant_now();

	at.ns = at_ns;
	timeline_emit(writer->timeline, at, channel, kind, data);
}

static void put_begin(const struct writer *writer)
{
	const struct sweep_result *result = writer->result;
	struct utsname host = {0};
	time_t begin = (time_t)((result->begin_ns + clock_run_offset_ns()) / 1000000000);
	struct tm parts;
	char utc[32];

	gmtime_r(&begin, &parts);
	strftime(utc, sizeof(utc), "%Y-%m-%dT%H:%M:%SZ", &parts);
	uname(&host);
	emit(writer, result->begin_ns, "run", "run.begin",
	     json_pack("{s:s,s:s,s:I,s:s,s:s,s:b,s:I,s:s,s:o,s:i,s:b}", "version", HILBENCH_VERSION, "utc", utc, "realtime_offset_ns",
	               (json_int_t)clock_run_offset_ns(), "rig", "sweep", "rig_file", "", "virtual", 1, "seed",
	               (json_int_t)result->request->seed, "host", host.nodename, "cases", cases_json(writer), "repeat", 1,
	               "stop_at_failure", 0));
}

static void name_default(json_t *options, const char *key, const char *value)
{
	if (!json_is_string(json_object_get(options, key)))
		json_object_set_new(options, key, json_string(value));
}

/* A line of the engine without its kind. */
static json_t *figures(const json_t *line)
{
	json_t *copy = line ? json_copy((json_t *)line) : json_object();

	json_object_del(copy, "kind");
	return copy;
}

/* What readers of the reports want to know of the sweep as a whole. */
static void put_sweep(const struct writer *writer)
{
	const struct sweep_result *result = writer->result;
	json_t *options = request_json(result->request);

	name_default(options, "fault", "none");
	name_default(options, "operations", "all");
	name_default(options, "classes", "all");
	name_default(options, "phases", "all");
	emit(writer, result->begin_ns, "run", "sweep.end",
	     json_pack("{s:o,s:o,s:o}", "options", options, "planned", figures(result->begin), "done", figures(result->end)));
}

/* What ended a group: violations, else that it was not gone through. */
static json_t *verdict_json(const struct writer *writer, const json_t *group, const char *id, int64_t duration_ns)
{
	json_int_t violations = number(group, "violations"), selected = number(group, "selected"), done = number(group, "done");
	bool broken = writer->status == EXIT_BENCH, unfinished = done < selected;
	const char *verdict = violations ? "fail" : !unfinished ? "pass" : broken ? "error" : "inconclusive";
	char message[640] = "";
	json_t *end = json_pack("{s:s,s:i,s:s,s:s,s:I}", "id", id, "attempt", 1, "verdict", verdict, "cause",
	                        violations             ? "dut"
	                        : unfinished && broken ? "bench"
	                                               : "",
	                        "duration_ns", (json_int_t)duration_ns);

	if (violations)
		snprintf(message, sizeof(message), "%lld violations, first: %s (hilbench sweep ota --point %s)", (long long)violations,
		         text(group, "text"), text(group, "first"));
	else if (unfinished)
		snprintf(message, sizeof(message), "not finished: the sweep ended after %lld of %lld operations, no violation so far",
		         (long long)done, (long long)selected);
	if (*message)
		json_object_set_new(end, "message", json_string(message));
	return end;
}

/* Cases lie one after the other, each as long as its share of the processes' time. */
static void put_case(struct writer *writer, const json_t *group, int index)
{
	char id[160], title[256];
	int64_t begin_ns = writer->at_ns, duration_ns = number(group, "time_ns") / writer->result->request->jobs;

	case_id(writer, group, id, sizeof(id));
	snprintf(title, sizeof(title), "%s: %lld operations, cut %lld times", text(group, "name"), (long long)number(group, "operations"),
	         (long long)number(group, "points"));
	emit(writer, begin_ns, "case", "case.begin",
	     json_pack("{s:s,s:s,s:s,s:i,s:[],s:[s,s],s:{},s:i,s:i,s:i}", "id", id, "title", title, "file", writer->file, "line", 1,
	               "verifies", "tags", "sweep", "ota", "params", "attempt", 1, "of", (int)json_array_size(writer->result->groups),
	               "index", index));
	writer->at_ns += duration_ns;
	if (writer->at_ns > writer->end_ns)
		writer->at_ns = writer->end_ns;
	emit(writer, writer->at_ns, "case", "case.end", verdict_json(writer, group, id, duration_ns));
}

static void put_end(const struct writer *writer)
{
	emit(writer, writer->end_ns, "run", "run.end",
	     json_pack("{s:i,s:b,s:i}", "status", writer->status, "interrupted", writer->status == SWEEP_INTERRUPTED, "clock_moved_ns", 0));
}

static int write_journal(const struct sweep_result *result, const char *directory, int status, struct error *err)
{
	struct writer writer = {.result = result, .status = status, .at_ns = result->begin_ns, .end_ns = instant_now().ns};
	size_t index;
	json_t *group;
	int r = timeline_new(&writer.timeline, directory, KEPT_EVENTS, err);

	if (r < 0)
		return r;
	snprintf(writer.file, sizeof(writer.file), "sweep-%s-%s", result->request->target, result->request->scenario);
	put_begin(&writer);
	put_sweep(&writer);
	json_array_foreach (result->groups, index, group)
		put_case(&writer, group, (int)index + 1);
	put_end(&writer);
	r = timeline_failed(writer.timeline, err) ? -EIO : timeline_sync(writer.timeline, err);
	timeline_free(writer.timeline);
	return r;
}

int sweep_report_write(const struct sweep_result *result, const char *directory, int status, struct error *err)
{
	int r = write_json(result, directory, err);

	if (r == 0)
		r = write_journal(result, directory, status, err);
	return r == 0 ? report_write_all(directory, err) : r;
}
