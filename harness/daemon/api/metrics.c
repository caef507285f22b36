/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP hilbench_%s %s\n# TYPE hilbench_%s %s\n", name, help, name, type);
}

static void counter(FILE *out, const char *name, const char *help, uint64_t value)
{
	head(out, name, "counter", help);
	fprintf(out, "hilbench_%s %" PRIu64 "\n", name, value);
}

static void gauge(FILE *out, const char *name, const char *help, uint64_t value)
{
	head(out, name, "gauge", help);
	fprintf(out, "hilbench_%s %" PRIu64 "\n", name, value);
}

/* Decimals without the locale's point. */
static void seconds(FILE *out, const char *name, const char *help, int64_t ns)
{
	head(out, name, "gauge", help);
	fprintf(out, "hilbench_%s %" PRId64 ".%09" PRId64 "\n", name, ns / 1000000000, ns % 1000000000);
}

static void label(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s=\"", name);
	for (; value && *value; value++) {
		if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		else
			fputc(*value, out);
	}
	fputc('"', out);
}

static void outcomes(FILE *out, const char *name, const char *help, const uint64_t counts[6])
{
	head(out, name, "counter", help);
	for (int i = OUTCOME_PASSED; i <= OUTCOME_CANCELLED; i++)
		fprintf(out, "hilbench_%s{outcome=\"%s\"} %" PRIu64 "\n", name, job_outcome_name((enum job_outcome)i), counts[i]);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static void rig_value(FILE *out, const char *name, const json_t *rig, bool value)
{
	fprintf(out, "hilbench_%s{", name);
	label(out, "rig", text_of(rig, "name"));
	fprintf(out, "} %d\n", value);
}

static void rig_health(FILE *out, const json_t *rig)
{
	for (int i = HEALTH_HEALTHY; i <= HEALTH_QUARANTINED; i++) {
		const char *health = rig_health_name((enum rig_health)i), *is = text_of(rig, "health");
		fputs("hilbench_rig_health{", out);
		label(out, "rig", text_of(rig, "name"));
		fprintf(out, ",health=\"%s\"} %d\n", health, strcmp(health, is) == 0);
	}
}

static void rigs(FILE *out, const json_t *list)
{
	const json_t *rig;
	size_t i;
	head(out, "rig_health", "gauge", "1 for the health that the rig has.");
	json_array_foreach (list, i, rig)
		rig_health(out, rig);
	head(out, "rig_online", "gauge", "Whether the rig was reached when it was looked at last.");
	json_array_foreach (list, i, rig)
		rig_value(out, "rig_online", rig, json_is_true(json_object_get(rig, "online")));
	head(out, "rig_leased", "gauge", "Whether somebody has the rig, or it is being cleaned.");
	json_array_foreach (list, i, rig)
		rig_value(out, "rig_leased", rig, json_is_object(json_object_get(rig, "lease")));
	head(out, "rig_bench_errors", "gauge", "Bench errors of the rig in a row.");
	json_array_foreach (list, i, rig) {
		fputs("hilbench_rig_bench_errors{", out);
		label(out, "rig", text_of(rig, "name"));
		fprintf(out, "} %" JSON_INTEGER_FORMAT "\n", json_integer_value(json_object_get(rig, "bench_errors")));
	}
}

static void lab(FILE *out, const struct lab_figures *figures)
{
	outcomes(out, "jobs_total", "Jobs that came to their end since the daemon started.", figures->jobs_by_outcome);
	outcomes(out, "runs_total", "Runs that came to their end since the daemon started.", figures->runs_by_outcome);
	gauge(out, "jobs_queued", "Jobs that wait for a rig.", figures->queued);
	gauge(out, "jobs_running", "Jobs that have a rig.", figures->running);
	counter(out, "bench_errors_total", "Runs that the bench broke.", figures->bench_errors);
	counter(out, "cleanups_total", "Clean-ups of rigs.", figures->cleanups);
	counter(out, "cleanups_failed_total", "Clean-ups that did not come to a verified end.", figures->cleanups_failed);
	counter(out, "recoveries_total", "Recoveries of rigs.", figures->recoveries);
	counter(out, "recoveries_failed_total", "Recoveries that the self-test did not confirm.", figures->recoveries_failed);
	counter(out, "leases_expired_total", "Leases that ended by their deadline or without a heartbeat.", figures->leases_expired);
	counter(out, "runs_adopted_total", "Runs of an earlier daemon that this one took over.", figures->adopted);
}

static void process(FILE *out, const struct metrics_figures *figures)
{
	head(out, "build_info", "gauge", "The daemon's version.");
	fputs("hilbench_build_info{", out);
	label(out, "version", figures->version);
	fputs("} 1\n", out);
	seconds(out, "start_time_seconds", "When the daemon started, seconds since 1970.", figures->started_utc_ns);
	gauge(out, "accepts_jobs", "Whether new jobs are taken.", figures->accepts_jobs);
	gauge(out, "viewers", "Open streams of events and logs.", figures->viewers);
	counter(out, "viewers_dropped_total", "Viewers that did not take what was sent to them.", figures->viewers_dropped);
	gauge(out, "state_bytes", "Database and stored files.", figures->book_bytes);
	gauge(out, "disk_free_bytes", "What the disk of the state directory still has.", figures->free_bytes);
	gauge(out, "memory_bytes", "Resident memory of the daemon itself.", figures->memory_bytes);
	seconds(out, "loop_lag_seconds", "The most that the event loop was late within the last minute.", figures->lag_ns);
}

char *metrics_text(const struct metrics_figures *figures, size_t *ret_length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_length);
	if (!out)
		return NULL;
	lab(out, &figures->lab);
	rigs(out, figures->rigs);
	process(out, figures);
	bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed) {
		free(text);
		return NULL;
	}
	return text;
}
