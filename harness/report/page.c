/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "chart.h"
#include "ota_sweep.h"
#include "templates.h" /* made of reports/templates/ */

#define EVENTS_SHOWN   12
#define CLOCK_MOVED_NS 1000000 /* below this it is the clock being steered, and the width of the two readings */

static void put_verdict(struct text *out, enum verdict verdict, bool full)
{
	text_printf(out, "<span class=\"tag%s v-%s\">%s</span>", full ? " full" : "", verdict_name(verdict), verdict_name(verdict));
}

static void put_virtual(struct text *out, bool virtual_rack)
{
	if (virtual_rack)
		text_put(out, " <span class=\"tag virtual\">virtual</span>");
}

static void put_place(struct text *out, struct place place)
{
	if (!place.file)
		return;
	text_put_html(out, place.file);
	if (place.line > 0)
		text_printf(out, ":%u", place.line);
	if (place.column > 0)
		text_printf(out, ":%u", place.column);
}

/* A string or any other value of the journal, cleaned. */
static void put_json(struct text *out, const json_t *value)
{
	char *dump = json_is_string(value) ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	const char *raw = dump ? dump : json_string_value(value);
	char *clean = raw ? text_clean(raw, dump ? strlen(dump) : json_string_length(value), 0) : NULL;
	text_put_html(out, clean);
	free(clean);
	free(dump);
}

/* Head */

static void put_head(struct text *out, const struct report_run *run)
{
	text_put(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src "
	              "'unsafe-inline'\">\n"
	              "<title>");
	text_printf(out, "%s: ", verdict_name(run->verdict));
	text_put_html(out, run->rig ? run->rig : "hilbench run");
	text_put(out, "</title>\n<style>\n");
	text_put(out, template_css);
	text_put(out, "</style>\n</head>\n<body>\n");
}

static void put_meta(struct text *out, const char *name, const char *value)
{
	if (!value || *value == '\0')
		return;
	text_printf(out, "<div><dt>%s</dt><dd>", name);
	text_put_html(out, value);
	text_put(out, "</dd></div>");
}

static void put_meta_json(struct text *out, const char *name, const json_t *value)
{
	if (!value)
		return;
	text_printf(out, "<div><dt>%s</dt><dd><code>", name);
	size_t i;
	json_t *item;
	json_array_foreach ((json_t *)value, i, item) {
		text_put(out, i > 0 ? " " : "");
		put_json(out, item);
	}
	if (!json_is_array(value))
		put_json(out, value);
	text_put(out, "</code></dd></div>");
}

static void put_run_meta(struct text *out, const struct report_run *run)
{
	char buffer[TEXT_NUMBER_SIZE];
	text_put(out, "<dl class=\"meta\"><div><dt>Rig</dt><dd>");
	text_put_html(out, run->rig ? run->rig : "unknown");
	put_virtual(out, run->virtual_rack);
	text_put(out, "</dd></div>");
	put_meta(out, "Started", run->has_offset ? report_run_utc(run, run->begin_ns, buffer) : run->utc);
	text_put(out, "<div><dt>Duration</dt><dd>");
	int64_t tenths = (run->end_ns - run->begin_ns) / 100000000;
	text_printf(out, "%" PRId64 ".%" PRId64 " s</dd></div>", tenths / 10, tenths % 10);
	put_meta_json(out, "Seed", run->seed);
	put_meta(out, "hilbench", run->version);
	put_meta(out, "Host", run->host);
	put_meta_json(out, "Arguments", run->arguments);
	text_put(out, "</dl>");
}

static void put_counts(struct text *out, const struct report_run *run)
{
	static const enum verdict order[] = {VERDICT_PASS, VERDICT_FAIL, VERDICT_ERROR, VERDICT_INCONCLUSIVE, VERDICT_SKIPPED};
	static const char *const words[] = {"passed", "failed", "errors", "inconclusive", "skipped"};
	text_put(out, "<ul class=\"counts\">");
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		unsigned count = run->by_verdict[order[i]];
		text_printf(out, "<li%s><b class=\"v-%s\">%u</b><span>%s</span></li>", count == 0 ? " class=\"zero\"" : "",
		            verdict_name(order[i]), count, words[i]);
	}
	if (run->flaky > 0)
		text_printf(out, "<li><b class=\"v-inconclusive\">%u</b><span>passed only when repeated</span></li>", run->flaky);
	text_put(out, "</ul>");
}

static void put_status_reason(struct text *out, const struct report_run *run)
{
	char *reason;
	if (report_run_status_reason(run, &reason) < 0)
		out->failed = true;
	if (!reason)
		return;
	text_put(out, "<p class=\"notice bad\">");
	text_put_html(out, reason);
	text_put(out, "</p>");
	free(reason);
}

static void put_lost_boards(struct text *out, const struct report_run *run)
{
	for (size_t i = 0; i < run->lost_board_count; i++) {
		const struct report_lost_board *lost = &run->lost_boards[i];
		text_put(out, "<p class=\"notice bad\"><b>Board ");
		text_put_html(out, lost->board);
		text_put(out, " was given up</b> ");
		text_put_seconds(out, lost->at_ns - run->begin_ns);
		text_put(out, " s after the begin, since case <code>");
		text_put_html(out, lost->case_id);
		text_put(out, "</code>: ");
		text_put_html(out, lost->message);
		text_put(out, "</p>");
	}
}

/* How the run ended, when it did not as it should. */
static void put_end_notices(struct text *out, const struct report_run *run)
{
	for (size_t i = 0; i < run->lost_run_count; i++) {
		const struct report_lost_run *lost = &run->lost_runs[i];
		text_put(out, "<p class=\"notice bad\"><b>Run ");
		text_put_html(out, lost->label);
		text_put(out, " never began.</b> ");
		text_put_html(out, lost->message ? lost->message : "It left no journal.");
		text_put(out, "</p>");
	}
	if (run->stop.message) {
		text_put(out, "<p class=\"notice bad\"><b>Ended at a limit.</b> ");
		text_put_html(out, run->stop.message);
		text_put(out, "</p>");
	} else if (run->interrupted) {
		text_put(out, "<p class=\"notice bad\"><b>Interrupted.</b> This run was cancelled before its end.</p>");
	} else if (!run->complete && run->lost_run_count == 0) {
		text_put(out, "<p class=\"notice bad\"><b>Not complete.</b> The journal ends without the end of the run: the runner was "
		              "ended from outside, or it could not write.</p>");
	}
}

static void put_notices(struct text *out, const struct report_run *run)
{
	if (run->ota_sweep)
		text_put(out, OTA_SWEEP_NOTICE);
	else if (run->virtual_rack)
		text_put(out, "<p class=\"notice\"><b>Virtual rack.</b> The boards' stage delays are modelled; the protocol stacks and TLS "
		              "are real. "
		              "Every figure below is marked <span class=\"tag virtual\">virtual</span> and says nothing about a board's "
		              "own speed.</p>");
	if (run->failure.message) {
		text_printf(out, "<p class=\"notice bad\"><b>%s</b> ",
		            run->failure.at_end ? "An error at the end of the run." : "The run could not start.");
		put_place(out, run->failure.place);
		text_put(out, run->failure.place.file ? ": " : "");
		text_put_html(out, run->failure.message);
		text_put(out, "</p>");
	}
	put_end_notices(out, run);
	if (run->journal_cut)
		text_put(out, "<p class=\"notice bad\">The last line of the journal is cut off and was left out.</p>");
	if (run->planned > run->begun)
		text_printf(out, "<p class=\"notice bad\">%u of %u case%s begun; the others did not run.</p>", run->begun, run->planned,
		            run->planned == 1 ? " was" : "s were");
	put_status_reason(out, run);
	put_lost_boards(out, run);
	if (llabs(run->clock_moved_ns) >= CLOCK_MOVED_NS) {
		text_put(out, "<p class=\"notice bad\">The time of day was set during the run, by ");
		text_put_ms(out, run->clock_moved_ns);
		text_put(out, " ms: UTC times are from before.</p>");
	}
}

static void put_top(struct text *out, const struct report_run *run)
{
	text_put(out, "<div class=\"top\"><div>\n<p class=\"brand\">hilbench run report</p>\n<h1>");
	unsigned passed = run->by_verdict[VERDICT_PASS];
	put_verdict(out, run->verdict, true);
	if (run->case_count > 0 && passed == run->case_count)
		text_printf(out, passed == 1 ? " The only case passed" : " All %u cases passed", passed);
	else
		text_printf(out, " %u of %zu case%s passed", passed, run->case_count, run->case_count == 1 ? "" : "s");
	text_put(out, "</h1>\n");
	put_run_meta(out, run);
	put_counts(out, run);
	put_notices(out, run);
	text_put(out, "\n</div></div>\n<main>\n");
}

/* What did not pass */

static void put_compare(struct text *out, const struct report_attempt *a)
{
	const char *expected = a->expected ? a->expected : a->step.expected, *actual = a->actual ? a->actual : a->step.actual;
	if (!expected && !actual)
		return;
	text_put(out, "<div class=\"compare\"><div><span>Expected</span><code>");
	text_put_html(out, expected ? expected : "–");
	text_put(out, "</code></div><div><span>Actual</span><code>");
	text_put_html(out, actual ? actual : "–");
	text_put(out, "</code></div></div>\n");
}

static void put_event_rows(struct text *out, const struct report_attempt *a, size_t from, size_t to)
{
	text_put(out, "<div class=\"scroll\"><table class=\"events\"><thead><tr><th class=\"number\">ms</th><th>Channel</th><th>Event</th>"
	              "<th></th></tr></thead><tbody>\n");
	for (size_t i = from; i < to; i++) {
		const struct report_event *e = &a->events[i];
		text_put(out, "<tr><td class=\"number\">");
		text_put_ms(out, e->at_ns - a->begin_ns);
		text_put(out, "</td><td class=\"kind\">");
		text_put_html(out, e->channel);
		text_put(out, "</td><td class=\"kind\">");
		text_put_html(out, e->kind);
		text_put(out, "</td><td>");
		text_put_html(out, e->text);
		text_put(out, "</td></tr>\n");
	}
	text_put(out, "</tbody></table></div>\n");
}

/* The newest events at once, what was before them on request. */
static void put_events(struct text *out, const struct report_attempt *a)
{
	if (a->event_count == 0)
		return;
	size_t earlier = a->event_count > EVENTS_SHOWN ? a->event_count - EVENTS_SHOWN : 0;
	text_printf(out, "<h4>Last events before the %s</h4>\n", a->ended ? "failure" : "end");
	if (earlier > 0) {
		text_printf(out, "<details><summary>%zu earlier event%s</summary>", earlier, earlier == 1 ? "" : "s");
		put_event_rows(out, a, 0, earlier);
		text_put(out, "</details>\n");
	}
	put_event_rows(out, a, earlier, a->event_count);
}

static void put_attempt(struct text *out, const struct report_attempt *a)
{
	const char *message = a->message && *a->message != '\0' ? a->message : a->step.message;
	text_put(out, "<p class=\"message\">");
	text_put_html(out, message && *message != '\0' ? message : "no message");
	text_put(out, "</p>\n");
	if (a->place.file) {
		text_put(out, "<p class=\"where\"><code>");
		put_place(out, a->place);
		text_put(out, "</code>");
		if (a->step.phase) {
			text_put(out, " in ");
			text_put_html(out, a->step.phase);
		}
		text_put(out, "</p>\n");
	}
	if (a->step.text) {
		text_put(out, "<code class=\"step\">");
		text_put_html(out, a->step.text);
		text_put(out, "</code>\n");
	}
	put_compare(out, a);
	put_events(out, a);
}

static bool is_problem(enum verdict verdict)
{
	return verdict != VERDICT_PASS && verdict != VERDICT_SKIPPED;
}

/* Where an attempt of several runs was, and with which seed. */
static void put_rig(struct text *out, const struct report_attempt *a, bool with_seed)
{
	if (!a->rig)
		return;
	text_put(out, "on rig ");
	text_put_html(out, a->rig);
	if (!with_seed || !a->seed)
		return;
	text_put(out, ", seed ");
	put_json(out, a->seed);
}

static void put_other_attempts(struct text *out, const struct report_case *c)
{
	for (size_t i = 0; i < c->attempt_count; i++) {
		if (i == c->deciding)
			continue;
		text_printf(out, "<details><summary>Attempt %" PRId64 " of %zu%s", c->attempts[i].number, c->attempt_count,
		            c->attempts[i].rig ? " " : "");
		put_rig(out, &c->attempts[i], true);
		text_printf(out, ": %s</summary>", verdict_name(c->attempts[i].verdict));
		if (is_problem(c->attempts[i].verdict))
			put_attempt(out, &c->attempts[i]);
		text_put(out, "</details>\n");
	}
}

static void put_problem(struct text *out, const struct report_run *run, size_t index)
{
	const struct report_case *c = &run->cases[index];
	const struct report_attempt *a = report_case_attempt(c);
	text_printf(out, "<article class=\"card %s\" id=\"problem-%zu\"><header>", verdict_name(a->verdict), index + 1);
	put_verdict(out, a->verdict, true);
	text_put(out, "<h3>");
	text_put_html(out, c->title && *c->title != '\0' ? c->title : c->id);
	text_put(out, "</h3><span class=\"mono\">");
	text_put_html(out, c->id);
	text_put(out, "</span>");
	if (a->cause != CAUSE_NONE)
		text_printf(out, "<span class=\"where\">cause: %s</span>", cause_name(a->cause));
	if (a->rig) {
		text_put(out, "<span class=\"where\">");
		put_rig(out, a, true);
		text_put(out, "</span>");
	}
	put_virtual(out, run->virtual_rack);
	text_put(out, "</header>\n");
	if (a->verdict == VERDICT_PASS)
		text_printf(out, "<p class=\"message\">Passed in attempt %" PRId64 " of %zu.</p>\n", a->number, c->attempt_count);
	else
		put_attempt(out, a);
	put_other_attempts(out, c);
	text_put(out, "</article>\n");
}

static bool was_unstable(const struct report_case *c)
{
	for (size_t i = 0; i < c->attempt_count; i++)
		if (is_problem(c->attempts[i].verdict))
			return true;
	return false;
}

static void put_problems(struct text *out, const struct report_run *run)
{
	static const enum verdict order[] = {VERDICT_FAIL, VERDICT_ERROR, VERDICT_INCONCLUSIVE, VERDICT_PASS};
	bool any = false;
	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		for (size_t i = 0; i < run->case_count; i++) {
			if (report_case_attempt(&run->cases[i])->verdict != order[k] || !was_unstable(&run->cases[i]))
				continue;
			text_put(out, any ? "" : "<section><h2>What did not pass</h2>\n");
			any = true;
			put_problem(out, run, i);
		}
	}
	if (any)
		text_put(out, "</section>\n");
}

/* Measurements */

static void put_figure(struct text *out, const char *name, int64_t ns, const char *sign)
{
	text_printf(out, "<div><dt>%s</dt><dd>%s", name, sign);
	text_put_ms(out, ns);
	text_put(out, " <small>ms</small></dd></div>");
}

static void put_figures(struct text *out, const struct report_measurement *m)
{
	text_put(out, "<dl class=\"figures\">");
	if (m->complete) {
		put_figure(out, "p50", m->p50_ns, "");
		put_figure(out, "p95", m->p95_ns, "");
		put_figure(out, "Largest", m->max_ns, "");
		put_figure(out, "Smallest", m->min_ns, "");
		put_figure(out, "Mean", m->mean_ns, "");
		put_figure(out, "Uncertainty", m->uncertainty_ns, "±");
	}
	text_printf(out, "<div><dt>Samples</dt><dd>%" PRIu64 "</dd></div></dl>\n", m->n);
	if (!m->complete)
		text_put(out, "<p class=\"where\">The case ended before this measurement was complete: no statistics.</p>\n");
}

static const char *operator_sign(const char *op)
{
	static const char *const signs[][2] = {{"at_most", "≤"}, {"at_least", "≥"}, {"<=", "≤"}, {">=", "≥"},
	                                       {"lt", "<"},      {"gt", ">"},       {"le", "≤"}, {"ge", "≥"}};
	for (size_t i = 0; op && i < sizeof(signs) / sizeof(signs[0]); i++)
		if (strcmp(signs[i][0], op) == 0)
			return signs[i][1];
	return op;
}

static void put_limits(struct text *out, const struct report_measurement *m)
{
	if (m->limit_count == 0)
		return;
	text_put(out, "<p>");
	for (size_t i = 0; i < m->limit_count; i++) {
		text_put(out, i > 0 ? " &ensp; " : "Limit ");
		text_put_html(out, m->limits[i].statistic);
		text_put(out, " ");
		text_put_html(out, operator_sign(m->limits[i].op));
		text_put(out, " ");
		text_put_ms(out, m->limits[i].value_ns);
		text_put(out, " ms ");
		put_verdict(out, m->limits[i].verdict, false);
	}
	text_put(out, "</p>\n");
}

static void put_measurement(struct text *out, struct report_measurement *m)
{
	text_put(out, "<article class=\"card\"><header><h3>");
	text_put_html(out, m->title && *m->title != '\0' ? m->title : m->id);
	text_put(out, "</h3><span class=\"mono\">");
	text_put_html(out, m->case_id);
	text_put(out, " / ");
	text_put_html(out, m->id);
	text_put(out, "</span>");
	put_virtual(out, m->virtual_rack);
	text_put(out, "</header>\n");
	put_figures(out, m);
	put_limits(out, m);
	text_put(out, "<div class=\"charts\">");
	if (m->sample_count > 0) {
		text_printf(out, "<div><h4>%zu samples%s</h4>", m->sample_count, m->virtual_rack ? ", virtual" : "");
		chart_put_histogram(out, m);
		text_put(out, "</div>");
	}
	if (m->stage_count > 0) {
		text_printf(out, "<div><h4>Stages, median of each%s</h4>", m->virtual_rack ? ", virtual" : "");
		chart_put_stages(out, m);
		text_put(out, "</div>");
	}
	text_put(out, "</div></article>\n");
}

static void put_measurements(struct text *out, struct report_run *run)
{
	if (run->measurement_count == 0)
		return;
	text_put(out, "<section><h2>Measurements</h2>\n");
	for (size_t i = 0; i < run->measurement_count; i++)
		put_measurement(out, &run->measurements[i]);
	text_put(out, "</section>\n");
}

/* Forged PDUs, counted */

static void put_number_cell(struct text *out, const char *value)
{
	text_printf(out, "<td class=\"number\">%s</td>", value);
}

static void put_count_cell(struct text *out, int64_t value)
{
	text_printf(out, "<td class=\"number\">%" PRId64 "</td>", value);
}

static void put_sweep_row(struct text *out, const struct report_sweep *sweep)
{
	char buffer[TEXT_NUMBER_SIZE];
	text_put(out, "<tr><td><code>");
	text_put(out, report_sweep_id(sweep, buffer));
	text_put(out, "</code>");
	put_virtual(out, sweep->virtual_rack);
	text_put(out, "<span class=\"sub mono\">");
	text_put_html(out, sweep->case_id);
	text_put(out, "</span>");
	if (!sweep->complete)
		text_put(out, "<span class=\"sub\">broken off</span>");
	text_put(out, "</td>");
	put_count_cell(out, sweep->mac_bits);
	put_count_cell(out, sweep->sent);
	put_count_cell(out, sweep->accepted);
	put_count_cell(out, sweep->rejected);
	put_number_cell(out, text_real(sweep->expected, buffer));
	put_count_cell(out, sweep->by_chance);
	text_printf(out, "<td class=\"number%s\">%" PRId64 "</td>", sweep->unexplained > 0 ? " v-fail" : "", sweep->unexplained);
	text_put(out, "<td class=\"number\">");
	text_put(out, text_real(sweep->lower, buffer));
	text_put(out, " – ");
	text_put(out, text_real(sweep->upper, buffer));
	text_printf(out, "<span class=\"sub\">at %s %%</span></td></tr>\n", text_real(sweep->confidence * 100, buffer));
}

static void put_sweeps(struct text *out, const struct report_run *run)
{
	if (run->sweep_count == 0)
		return;
	text_put(out, "<section><h2>Forged PDUs, counted</h2>\n<p class=\"where\">A truncated MAC is guessed right now and then: "
	              "<b>expected</b> are "
	              "sent × attempts × 2<sup>−MAC bits</sup> acceptances, <b>by chance</b> those whose MAC was right, "
	              "<b>unexplained</b> the others. The interval of the acceptance probability is the two-sided one of Clopper and "
	              "Pearson.</p>\n<div class=\"scroll\"><table class=\"sweeps\"><thead><tr><th>Identifier</th><th class=\"number\">MAC "
	              "bits</th><th class=\"number\">Sent</th><th class=\"number\">Accepted</th><th class=\"number\">Rejected</th><th "
	              "class=\"number\">Expected</th><th class=\"number\">By chance</th><th class=\"number\">Unexplained</th><th "
	              "class=\"number\">Acceptance probability</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < run->sweep_count; i++)
		put_sweep_row(out, &run->sweeps[i]);
	text_put(out, "</tbody></table></div></section>\n");
}

/* All cases */

static void put_filter(struct text *out, const struct report_run *run)
{
	text_printf(out, "<div class=\"filter\"><button type=\"button\" data-verdict=\"all\" aria-pressed=\"true\">All %zu</button>",
	            run->case_count);
	for (enum verdict v = VERDICT_PASS; v <= VERDICT_ERROR; v++)
		if (run->by_verdict[v] > 0)
			text_printf(out, "<button type=\"button\" data-verdict=\"%s\" aria-pressed=\"false\">%s %u</button>",
			            verdict_name(v), verdict_name(v), run->by_verdict[v]);
	text_put(out, "</div>\n");
}

static void put_case_row(struct text *out, const struct report_case *c, size_t index)
{
	const struct report_attempt *a = report_case_attempt(c);
	text_printf(out, "<tr id=\"case-%zu\" data-verdict=\"%s\"><td>", index + 1, verdict_name(a->verdict));
	put_verdict(out, a->verdict, false);
	text_put(out, "</td><td>");
	if (was_unstable(c))
		text_printf(out, "<a href=\"#problem-%zu\">", index + 1);
	text_put_html(out, c->title && *c->title != '\0' ? c->title : c->id);
	text_put(out, was_unstable(c) ? "</a>" : "");
	text_put(out, "<span class=\"sub mono\">");
	text_put_html(out, c->id);
	text_put(out, "</span>");
	if (a->verdict == VERDICT_SKIPPED && a->message) {
		text_put(out, "<span class=\"sub\">");
		text_put_html(out, a->message);
		text_put(out, "</span>");
	}
	if (a->rig) {
		text_put(out, "<span class=\"sub\">");
		put_rig(out, a, false);
		text_put(out, "</span>");
	}
	for (size_t i = 0; i < a->note_count; i++) {
		text_put(out, "<span class=\"sub\">");
		text_put_html(out, a->notes[i]);
		text_put(out, "</span>");
	}
	text_put(out, "</td><td class=\"hide-narrow\"><code>");
	put_place(out, c->place);
	text_printf(out, "</code></td><td class=\"number hide-narrow\">%zu</td><td class=\"number\">", c->attempt_count);
	text_put_ms(out, a->duration_ns);
	text_put(out, "</td></tr>\n");
}

static void put_cases(struct text *out, const struct report_run *run)
{
	text_put(out, "<section><h2>Cases</h2>\n");
	put_filter(out, run);
	text_put(out,
	         "<div class=\"scroll\"><table class=\"cases\"><thead><tr><th>Verdict</th><th>Case</th><th class=\"hide-narrow\">File</th>"
	         "<th class=\"number hide-narrow\">Attempts</th><th class=\"number\">ms</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < run->case_count; i++)
		put_case_row(out, &run->cases[i], i);
	text_put(out, "</tbody></table></div></section>\n");
}

/* Requirements */

static void put_coverage_row(struct text *out, const struct report_run *run, const char *requirement, const json_t *positions)
{
	text_put(out, "<tr><td><code>");
	char *clean = text_clean(requirement, strlen(requirement), 0);
	text_put_html(out, clean);
	free(clean);
	text_put(out, "</code></td><td>");
	enum verdict worst = VERDICT_PASS;
	size_t i;
	json_t *position;
	json_array_foreach ((json_t *)positions, i, position) {
		worst = verdict_worse(worst, report_case_attempt(&run->cases[json_integer_value(position)])->verdict);
	}
	put_verdict(out, worst, false);
	text_put(out, "</td><td><div class=\"covers\">");
	json_array_foreach ((json_t *)positions, i, position) {
		size_t index = (size_t)json_integer_value(position);
		text_printf(out, "<a class=\"mono\" href=\"#case-%zu\">", index + 1);
		text_put_html(out, run->cases[index].id);
		text_put(out, "</a>");
	}
	text_put(out, "</div></td></tr>\n");
}

/* requirement -> positions of the cases that verify it. NULL when out of memory. */
static json_t *coverage_collect(const struct report_run *run)
{
	json_t *coverage = json_object();
	for (size_t i = 0; coverage && i < run->case_count; i++) {
		size_t k;
		json_t *item;
		json_array_foreach (run->cases[i].verifies, k, item) {
			const char *id = json_string_value(item);
			if (!id)
				continue;
			if (!json_object_get(coverage, id) && json_object_set_new(coverage, id, json_array()) < 0)
				continue;
			json_array_append_new(json_object_get(coverage, id), json_integer((json_int_t)i));
		}
	}
	return coverage;
}

static int compare_names(const void *a, const void *b)
{
	return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_coverage_rows(struct text *out, const struct report_run *run, json_t *coverage)
{
	const char **names = calloc(json_object_size(coverage), sizeof(*names));
	if (!names) {
		out->failed = true;
		return;
	}
	size_t count = 0;
	const char *name;
	json_t *positions;
	json_object_foreach (coverage, name, positions) {
		names[count++] = name;
	}
	qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 0; i < count; i++)
		put_coverage_row(out, run, names[i], json_object_get(coverage, names[i]));
	free(names);
}

static void put_coverage(struct text *out, const struct report_run *run)
{
	json_t *coverage = coverage_collect(run);
	if (!coverage)
		out->failed = true;
	if (json_object_size(coverage) > 0) {
		size_t count = json_object_size(coverage);
		text_printf(out,
		            "<section><h2>Requirements</h2>\n<p class=\"where\">%zu requirement%s verified by the cases of this run.</p>\n",
		            count, count == 1 ? " is" : "s are");
		text_put(
		        out,
		        "<div class=\"scroll\"><table><thead><tr><th>Requirement</th><th>Verdict</th><th>Cases</th></tr></thead><tbody>\n");
		put_coverage_rows(out, run, coverage);
		text_put(out, "</tbody></table></div></section>\n");
	}
	json_decref(coverage);
}

int page_compose(struct report_run *run, struct text *out, struct error *err)
{
	put_head(out, run);
	put_top(out, run);
	put_problems(out, run);
	if (run->ota_sweep)
		ota_sweep_put_section(out, run->ota_sweep);
	put_measurements(out, run);
	put_sweeps(out, run);
	put_cases(out, run);
	put_coverage(out, run);
	text_printf(out,
	            "<footer>Made from events.jsonl, %" PRIu64
	            " events. Times of events are milliseconds since the begin of their case.</footer>\n",
	            run->events);
	text_put(out, "</main>\n<script>\n");
	text_put(out, template_js);
	text_put(out, "</script>\n</body>\n</html>\n");
	return out->failed ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory while writing report.html") : 0;
}
