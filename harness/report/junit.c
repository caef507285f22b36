/* SPDX-License-Identifier: Apache-2.0 */
#include "junit.h"

#include "ota_sweep.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <libxml/xmlwriter.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define ATTACHMENTS_LIMIT 32

struct writer {
	xmlTextWriter *xml;
	const struct report_run *run;
	char *attachments[ATTACHMENTS_LIMIT]; /* absolute paths */
	size_t attachment_count;
	bool failed;
};

struct counts {
	unsigned tests, failures, errors, skipped;
	int64_t duration_ns;
};

static void open_element(struct writer *w, const char *name)
{
	if (xmlTextWriterStartElement(w->xml, BAD_CAST name) < 0)
		w->failed = true;
}

static void close_element(struct writer *w)
{
	if (xmlTextWriterEndElement(w->xml) < 0)
		w->failed = true;
}

static void put_attribute(struct writer *w, const char *name, const char *value)
{
	if (value && xmlTextWriterWriteAttribute(w->xml, BAD_CAST name, BAD_CAST value) < 0)
		w->failed = true;
}

static void put_count(struct writer *w, const char *name, uint64_t value)
{
	char buffer[TEXT_NUMBER_SIZE];
	snprintf(buffer, sizeof(buffer), "%" PRIu64, value);
	put_attribute(w, name, buffer);
}

static void put_seconds(struct writer *w, const char *name, int64_t ns)
{
	char buffer[TEXT_NUMBER_SIZE];
	put_attribute(w, name, text_seconds(ns, buffer));
}

static void put_content(struct writer *w, const char *content)
{
	if (content && xmlTextWriterWriteString(w->xml, BAD_CAST content) < 0)
		w->failed = true;
}

static void put_property(struct writer *w, const char *name, const char *value)
{
	if (!value)
		return;
	open_element(w, "property");
	put_attribute(w, "name", name);
	put_attribute(w, "value", value);
	close_element(w);
}

/* Writes a composed text and releases it. */
static void put_text_content(struct writer *w, struct text *text)
{
	put_content(w, text_end(text));
	w->failed = w->failed || text->failed;
	text_free(text);
}

/* Counts */

static bool same_suite(const struct report_case *a, const struct report_case *b)
{
	return a->place.file == b->place.file; /* interned */
}

static void counts_add(struct counts *counts, const struct report_case *c)
{
	const struct report_attempt *a = report_case_attempt(c);
	counts->tests++;
	counts->failures += a->verdict == VERDICT_FAIL;
	counts->errors += a->verdict == VERDICT_ERROR || a->verdict == VERDICT_INCONCLUSIVE;
	counts->skipped += a->verdict == VERDICT_SKIPPED;
	counts->duration_ns += a->duration_ns;
}

static void put_counts(struct writer *w, const struct counts *counts)
{
	put_count(w, "tests", counts->tests);
	put_count(w, "failures", counts->failures);
	put_count(w, "errors", counts->errors);
	put_count(w, "skipped", counts->skipped);
	put_seconds(w, "time", counts->duration_ns);
}

/* One attempt */

static const char *outcome_type(const struct report_attempt *a)
{
	if (a->verdict == VERDICT_INCONCLUSIVE)
		return "inconclusive";
	if (a->verdict == VERDICT_FAIL)
		return "dut";
	if (a->cause == CAUSE_TESTCASE)
		return "testcase";
	return a->cause == CAUSE_OPERATOR ? "cancelled" : "infrastructure";
}

static const char *outcome_message(const struct report_attempt *a)
{
	if (a->message && *a->message != '\0')
		return a->message;
	return a->step.message && *a->step.message != '\0' ? a->step.message : verdict_name(a->verdict);
}

static void put_place(struct text *text, struct place place)
{
	if (!place.file)
		return;
	text_printf(text, "%s:%u:", place.file, place.line);
	if (place.column > 0)
		text_printf(text, "%u:", place.column);
	text_put(text, " ");
}

/* What GitLab and Jenkins show of a failure: the body must stand alone. */
static void compose_body(struct text *text, const struct report_attempt *a)
{
	put_place(text, a->place);
	text_printf(text, "%s\n", outcome_message(a));
	const char *expected = a->expected ? a->expected : a->step.expected;
	const char *actual = a->actual ? a->actual : a->step.actual;
	if (a->step.text)
		text_printf(text, "step:     %s\n", a->step.text);
	if (expected)
		text_printf(text, "expected: %s\n", expected);
	if (actual)
		text_printf(text, "actual:   %s\n", actual);
}

static void compose_events(struct text *text, const struct report_attempt *a)
{
	if (a->event_count == 0)
		return;
	text_put(text, "Last events before the failure (ms since the case began):\n");
	for (size_t i = 0; i < a->event_count; i++) {
		const struct report_event *e = &a->events[i];
		char buffer[TEXT_NUMBER_SIZE];
		text_printf(text, "%12s  %s  %s  %s\n", text_ms(e->at_ns - a->begin_ns, buffer), e->channel ? e->channel : "", e->kind,
		            e->text);
	}
}

/* Text of devices must not make the reader attach files of its choice. */
static void disarm(struct text *text)
{
	static const char mark[] = "[[ATTACHMENT";
	for (size_t i = 0; i + strlen(mark) <= text->bytes.length; i++)
		if (strncasecmp((const char *)text->bytes.data + i, mark, strlen(mark)) == 0)
			text->bytes.data[i] = '(';
}

/* The verdict's own element: failure, error or skipped; none for a pass. */
static void put_outcome(struct writer *w, const struct report_attempt *a)
{
	if (a->verdict == VERDICT_PASS)
		return;
	bool skipped = a->verdict == VERDICT_SKIPPED;
	open_element(w, skipped ? "skipped" : a->verdict == VERDICT_FAIL ? "failure" : "error");
	put_attribute(w, "message", outcome_message(a));
	if (!skipped)
		put_attribute(w, "type", outcome_type(a));
	struct text body = {0};
	compose_body(&body, a);
	disarm(&body);
	put_text_content(w, &body);
	close_element(w);
}

/* An attempt that did not decide the verdict. */
static void put_other_attempt(struct writer *w, const struct report_attempt *a, bool passed_at_last)
{
	open_element(w, passed_at_last ? "flakyFailure" : "rerunFailure");
	put_attribute(w, "message", outcome_message(a));
	put_attribute(w, "type", outcome_type(a));
	open_element(w, "stackTrace");
	struct text body = {0};
	text_printf(&body, "attempt %" PRId64 "%s%s: %s\n", a->number, a->rig ? " on rig " : "", a->rig ? a->rig : "",
	            verdict_name(a->verdict));
	compose_body(&body, a);
	disarm(&body);
	put_text_content(w, &body);
	close_element(w);
	if (a->event_count > 0) {
		open_element(w, "system-out");
		compose_events(&body, a);
		disarm(&body);
		put_text_content(w, &body);
		close_element(w);
	}
	close_element(w);
}

static void put_other_attempts(struct writer *w, const struct report_case *c)
{
	bool passed = report_case_attempt(c)->verdict == VERDICT_PASS;
	for (size_t i = 0; i < c->attempt_count; i++) {
		bool silent = c->attempts[i].verdict == VERDICT_PASS || c->attempts[i].verdict == VERDICT_SKIPPED;
		if (i != c->deciding && !silent)
			put_other_attempt(w, &c->attempts[i], passed);
	}
}

/* Properties */

static void put_seed(struct writer *w, const json_t *seed)
{
	if (!seed)
		return;
	char *dump =
	        json_is_string(seed) ? text_clean(json_string_value(seed), json_string_length(seed), 0) : json_dumps(seed, JSON_ENCODE_ANY);
	put_property(w, "seed", dump);
	free(dump);
}

static void put_figure(struct writer *w, const struct report_measurement *m, const char *statistic, int64_t ns)
{
	char name[512], value[TEXT_NUMBER_SIZE];
	snprintf(name, sizeof(name), "measurement.%.400s.%s_ms", m->id, statistic);
	put_property(w, name, text_ms(ns, value));
}

static void put_measurement(struct writer *w, const struct report_measurement *m)
{
	char name[512], value[TEXT_NUMBER_SIZE];
	snprintf(name, sizeof(name), "measurement.%.400s.n", m->id);
	snprintf(value, sizeof(value), "%" PRIu64, m->n);
	put_property(w, name, value);
	snprintf(name, sizeof(name), "measurement.%.400s.virtual", m->id);
	put_property(w, name, m->virtual_rack ? "true" : "false");
	if (!m->complete)
		return;
	put_figure(w, m, "p50", m->p50_ns);
	put_figure(w, m, "p95", m->p95_ns);
	put_figure(w, m, "max", m->max_ns);
	put_figure(w, m, "uncertainty", m->uncertainty_ns);
}

static void put_sweep_property(struct writer *w, unsigned number, const char *name, const char *value)
{
	char full[TEXT_NUMBER_SIZE];
	snprintf(full, sizeof(full), "sweep.%u.%s", number, name);
	put_property(w, full, value);
}

/* number: of the sweep in its case, from 1. */
static void put_sweep(struct writer *w, const struct report_sweep *sweep, unsigned number)
{
	const struct {
		const char *name;
		int64_t value;
	} counts[] = {{"mac_bits", sweep->mac_bits}, {"attempts", sweep->attempts},      {"sent", sweep->sent},
	              {"accepted", sweep->accepted}, {"rejected", sweep->rejected},      {"by_chance", sweep->by_chance},
	              {"rate", sweep->rate},         {"unexplained", sweep->unexplained}};
	const struct {
		const char *name;
		double value;
	} reals[] = {{"expected", sweep->expected}, {"confidence", sweep->confidence}, {"lower", sweep->lower}, {"upper", sweep->upper}};
	char value[TEXT_NUMBER_SIZE];
	put_sweep_property(w, number, "id", report_sweep_id(sweep, value));
	put_sweep_property(w, number, "mode", sweep->mode);
	put_sweep_property(w, number, "virtual", sweep->virtual_rack ? "true" : "false");
	put_sweep_property(w, number, "complete", sweep->complete ? "true" : "false");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		snprintf(value, sizeof(value), "%" PRId64, counts[i].value);
		put_sweep_property(w, number, counts[i].name, value);
	}
	for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]); i++)
		put_sweep_property(w, number, reals[i].name, text_real(reals[i].value, value));
}

static void put_sweeps(struct writer *w, const struct report_case *c)
{
	unsigned number = 0;
	for (size_t i = 0; i < w->run->sweep_count; i++)
		if (strcmp(w->run->sweeps[i].case_id, c->id) == 0)
			put_sweep(w, &w->run->sweeps[i], ++number);
}

/* A member of verifies as text: cleaned, for the journal's own strings may hold what XML does not allow. */
static void put_requirement(struct writer *w, const json_t *item)
{
	if (!json_is_string(item))
		return;
	char *id = text_clean(json_string_value(item), json_string_length(item), 0);
	w->failed = w->failed || !id;
	put_property(w, "requirement", id);
	free(id);
}

static void put_case_properties(struct writer *w, const struct report_case *c)
{
	const struct report_attempt *a = report_case_attempt(c);
	char buffer[TEXT_NUMBER_SIZE];
	open_element(w, "properties");
	put_property(w, "verdict", verdict_name(a->verdict));
	put_property(w, "rig", a->rig);
	put_seed(w, a->seed);
	if (a->cause != CAUSE_NONE)
		put_property(w, "cause", cause_name(a->cause));
	snprintf(buffer, sizeof(buffer), "%zu", c->attempt_count);
	put_property(w, "attempts", buffer);
	put_property(w, "virtual", w->run->virtual_rack ? "true" : "false");
	report_run_utc(w->run, a->begin_ns, buffer);
	put_property(w, "started", *buffer != '\0' ? buffer : NULL);
	report_run_utc(w->run, a->end_ns, buffer);
	put_property(w, "ended", *buffer != '\0' ? buffer : NULL);
	size_t i;
	json_t *item;
	json_array_foreach (c->verifies, i, item) {
		put_requirement(w, item);
	}
	for (i = 0; i < w->run->measurement_count; i++)
		if (strcmp(w->run->measurements[i].case_id, c->id) == 0)
			put_measurement(w, &w->run->measurements[i]);
	put_sweeps(w, c);
	close_element(w);
}

/* "testcases/doip/header.yaml" -> "testcases.doip.header". NULL when out of memory. */
static char *class_name(const char *file)
{
	char *name = strdup(file ? file : "hilbench");
	if (!name)
		return NULL;
	char *dot = strrchr(name, '.'), *slash = strrchr(name, '/');
	if (dot && (!slash || dot > slash) && dot != name)
		*dot = '\0';
	for (char *p = name; *p != '\0'; p++)
		if (*p == '/')
			*p = '.';
	size_t skip = strspn(name, ".");
	memmove(name, name + skip, strlen(name + skip) + 1);
	return name;
}

/* Attachments go last, one a line, and only where somebody will look: Jenkins copies each file for each case. */
static void put_output(struct writer *w, const struct report_case *c)
{
	const struct report_attempt *a = report_case_attempt(c);
	struct text output = {0};
	text_printf(&output, "%s: %s%s\n", c->id, verdict_name(a->verdict),
	            w->run->ota_sweep      ? " (a sweep in virtual time)"
	            : w->run->virtual_rack ? " (virtual rack)"
	                                   : "");
	compose_events(&output, a);
	disarm(&output);
	bool attach = a->verdict != VERDICT_PASS && a->verdict != VERDICT_SKIPPED;
	for (size_t i = 0; attach && i < w->attachment_count; i++)
		text_printf(&output, "[[ATTACHMENT|%s]]\n", w->attachments[i]);
	open_element(w, "system-out");
	put_text_content(w, &output);
	close_element(w);
}

static void put_case(struct writer *w, const struct report_case *c)
{
	const struct report_attempt *a = report_case_attempt(c);
	char *class = class_name(c->place.file);
	char started[TEXT_NUMBER_SIZE];
	w->failed = w->failed || !class;
	report_run_utc(w->run, a->begin_ns, started);
	open_element(w, "testcase");
	put_attribute(w, "name", c->id);
	put_attribute(w, "classname", class);
	put_attribute(w, "file", a->place.file);
	if (a->place.line > 0)
		put_count(w, "line", a->place.line);
	put_seconds(w, "time", a->duration_ns);
	put_attribute(w, "timestamp", *started != '\0' ? started : NULL);
	free(class);
	put_case_properties(w, c);
	put_outcome(w, a);
	put_other_attempts(w, c);
	put_output(w, c);
	close_element(w);
}

/* Suites */

static void put_figure_property(void *context, const char *name, const char *value)
{
	put_property(context, name, value);
}

static void put_suite_properties(struct writer *w)
{
	const struct report_run *run = w->run;
	open_element(w, "properties");
	put_property(w, "rig", run->rig);
	put_property(w, "rig_file", run->rig_file);
	put_property(w, "virtual", run->virtual_rack ? "true" : "false");
	put_seed(w, run->seed);
	put_property(w, "hilbench", run->version);
	put_property(w, "complete", run->complete ? "true" : "false");
	if (run->ota_sweep && ota_sweep_each(run->ota_sweep, put_figure_property, w) < 0)
		w->failed = true;
	close_element(w);
}

static void put_suite(struct writer *w, size_t first)
{
	const struct report_run *run = w->run;
	const struct report_case *head = &run->cases[first];
	struct counts counts = {0};
	for (size_t i = first; i < run->case_count; i++)
		if (same_suite(head, &run->cases[i]))
			counts_add(&counts, &run->cases[i]);
	char started[TEXT_NUMBER_SIZE];
	report_run_utc(run, head->attempts[0].begin_ns, started);
	open_element(w, "testsuite");
	put_attribute(w, "name", head->place.file ? head->place.file : "hilbench");
	put_counts(w, &counts);
	put_attribute(w, "timestamp", *started != '\0' ? started : NULL);
	put_attribute(w, "hostname", run->host);
	put_attribute(w, "file", head->place.file);
	put_suite_properties(w);
	for (size_t i = first; i < run->case_count; i++)
		if (same_suite(head, &run->cases[i]))
			put_case(w, &run->cases[i]);
	close_element(w);
}

static bool suite_begins(const struct report_run *run, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (same_suite(&run->cases[k], &run->cases[i]))
			return false;
	return true;
}

/* A run that ended before any case must not look like an empty success (Jenkins takes no file for a success). */
static bool is_lost(const struct report_run *run)
{
	return run->failure.message || (run->begun == 0 && run->lost_run_count == 0);
}

static void put_run_error(struct writer *w, const char *name, const char *message, struct place place, const char *type)
{
	struct text body = {0};
	put_place(&body, place);
	text_printf(&body, "%s\n", message);
	disarm(&body);
	open_element(w, "testcase");
	put_attribute(w, "name", name);
	put_attribute(w, "classname", "hilbench");
	put_attribute(w, "file", place.file);
	if (place.line > 0)
		put_count(w, "line", place.line);
	put_attribute(w, "time", "0.000000");
	open_element(w, "error");
	put_attribute(w, "message", message);
	put_attribute(w, "type", type);
	put_text_content(w, &body);
	close_element(w);
	close_element(w);
}

/* One of several runs left no journal. */
static void put_lost_run(struct writer *w, const struct report_lost_run *lost)
{
	struct text name = {0}, message = {0};
	text_printf(&name, "run %s", lost->label);
	text_printf(&message, "run %s never began%s%s", lost->label, lost->message ? ": " : "", lost->message ? lost->message : "");
	put_run_error(w, text_end(&name), text_end(&message), (struct place){0}, lost->cancelled ? "cancelled" : "infrastructure");
	w->failed = w->failed || name.failed || message.failed;
	text_free(&name);
	text_free(&message);
}

/* Errors of the whole that no case tells. */
static unsigned run_errors(const struct report_run *run)
{
	return is_lost(run) + (unsigned)run->lost_run_count;
}

static void put_run_errors(struct writer *w)
{
	const struct report_run *run = w->run;
	const struct counts counts = {.tests = run_errors(run), .errors = run_errors(run)};
	const char *message = run->failure.message ? run->failure.message
	                      : run->stop.message  ? run->stop.message
	                                           : "the run ended before its first case";
	if (counts.tests == 0)
		return;
	open_element(w, "testsuite");
	put_attribute(w, "name", "hilbench");
	put_counts(w, &counts);
	if (is_lost(run))
		put_run_error(w, "run", message, run->failure.place,
		              run->interrupted && !run->stop.message && !run->failure.at_end ? "cancelled" : "infrastructure");
	for (size_t i = 0; i < run->lost_run_count; i++)
		put_lost_run(w, &run->lost_runs[i]);
	close_element(w);
}

static void put_document(struct writer *w)
{
	const struct report_run *run = w->run;
	struct counts counts = {0};
	for (size_t i = 0; i < run->case_count; i++)
		counts_add(&counts, &run->cases[i]);
	counts.tests += run_errors(run);
	counts.errors += run_errors(run);
	if (xmlTextWriterSetIndent(w->xml, 1) < 0 || xmlTextWriterStartDocument(w->xml, NULL, "UTF-8", NULL) < 0)
		w->failed = true;
	open_element(w, "testsuites");
	put_attribute(w, "name", "hilbench");
	put_counts(w, &counts);
	put_run_errors(w);
	for (size_t i = 0; i < run->case_count; i++)
		if (suite_begins(run, i))
			put_suite(w, i);
	close_element(w);
	if (xmlTextWriterEndDocument(w->xml) < 0)
		w->failed = true;
}

/* Attachments */

static int is_attachment(const struct dirent *entry)
{
	const char *name = entry->d_name;
	size_t length = strlen(name);
	bool console = strncmp(name, "console-", 8) == 0 && length > 4 && strcmp(name + length - 4, ".log") == 0;
	return console || strcmp(name, "capture.pcapng") == 0 || strcmp(name, "can.log") == 0 || strcmp(name, "events.jsonl") == 0;
}

static void attachments_find(struct writer *w, const char *run_directory)
{
	char absolute[PATH_MAX];
	struct dirent **entries = NULL;
	if (!run_directory || !realpath(run_directory, absolute))
		return;
	int count = scandir(absolute, &entries, is_attachment, alphasort);
	for (int i = 0; i < count; i++) {
		char *path = NULL;
		if (w->attachment_count < ATTACHMENTS_LIMIT && asprintf(&path, "%s/%s", absolute, entries[i]->d_name) >= 0) {
			w->attachments[w->attachment_count] = text_clean(path, strlen(path), 0);
			if (w->attachments[w->attachment_count])
				w->attachment_count++;
			free(path);
		}
		free(entries[i]);
	}
	free(entries);
}

int junit_compose(const struct report_run *run, const char *run_directory, struct text *out, struct error *err)
{
	struct writer w = {.run = run};
	xmlBuffer *buffer = xmlBufferCreate();
	w.xml = buffer ? xmlNewTextWriterMemory(buffer, 0) : NULL;
	if (w.xml) {
		attachments_find(&w, run_directory);
		put_document(&w);
		xmlFreeTextWriter(w.xml); /* flushes */
		text_put(out, (const char *)xmlBufferContent(buffer));
	}
	bool failed = !w.xml || w.failed || out->failed;
	for (size_t i = 0; i < w.attachment_count; i++)
		free(w.attachments[i]);
	xmlBufferFree(buffer);
	return failed ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory while writing junit.xml") : 0;
}
