/* SPDX-License-Identifier: Apache-2.0 */
#include "chart.h"

#include <inttypes.h>

#define BINS_LIMIT 24
#define BINS_LEAST 6
#define COLOURS    10 /* .k0 … .k9 of reports/templates/report.css */
/* Plot area in user units; the drawing scales with the page. */
#define WIDTH       460
#define LEFT        8
#define RIGHT       452
#define BARS        120 /* height */
#define LABEL_LINE  14
#define LIMIT_LINES 4 /* labels of limits, one below the other */

struct scale {
	int64_t low_ns, high_ns;
	unsigned bins;
	unsigned counts[BINS_LIMIT], highest;
	/* From the top: a line for each limit's label, one for those of the quantiles, the bars. */
	int quantiles_y, bars_top, bottom;
};

/* A position in hundredths of a unit: integers need no locale. */
static int64_t x_of(const struct scale *s, int64_t ns)
{
	double share = (double)(ns - s->low_ns) / (double)(s->high_ns - s->low_ns);
	return (int64_t)((LEFT + share * (RIGHT - LEFT)) * 100);
}

static void put_hundredths(struct text *out, const char *name, int64_t value)
{
	text_printf(out, " %s=\"%" PRId64 ".%02" PRId64 "\"", name, value / 100, value % 100);
}

static void put_label(struct text *out, int64_t x, int y, const char *class)
{
	const char *anchor = x<(LEFT + 60) * 100 ? "start" : x>(RIGHT - 60) * 100 ? "end" : "middle";
	text_printf(out, "<text y=\"%d\" text-anchor=\"%s\"", y, anchor);
	put_hundredths(out, "x", x);
	if (class)
		text_printf(out, " class=\"%s\"", class);
	text_put(out, ">");
}

static void put_line(struct text *out, const struct scale *s, int64_t x, int top, const char *class)
{
	text_printf(out, "<line class=\"%s\" y1=\"%d\" y2=\"%d\"", class, top, s->bottom);
	put_hundredths(out, "x1", x);
	put_hundredths(out, "x2", x);
	text_put(out, "/>");
}

/* A limit is drawn to scale as long as it leaves the samples at least a third of the width. */
static bool limit_fits(int64_t low, int64_t high, int64_t limit)
{
	double range = (double)(high - low);
	return (double)limit >= (double)low - range && (double)limit <= (double)high + 2 * range;
}

static void scale_samples(struct scale *s, const struct report_measurement *m)
{
	s->low_ns = s->high_ns = m->samples[0].value_ns;
	for (size_t i = 1; i < m->sample_count; i++) {
		int64_t value = m->samples[i].value_ns;
		s->low_ns = value < s->low_ns ? value : s->low_ns;
		s->high_ns = value > s->high_ns ? value : s->high_ns;
	}
	if (s->low_ns == s->high_ns) { /* one bar needs some width: +-1 us */
		s->low_ns -= 1000;
		s->high_ns += 1000;
	}
	int64_t low = s->low_ns, high = s->high_ns;
	for (size_t i = 0; i < m->limit_count; i++) {
		int64_t limit = m->limits[i].value_ns;
		if (!limit_fits(low, high, limit))
			continue;
		s->low_ns = limit < s->low_ns ? limit : s->low_ns;
		s->high_ns = limit > s->high_ns ? limit : s->high_ns;
	}
	int64_t margin = (s->high_ns - s->low_ns) / 40 + 1;
	s->low_ns -= margin;
	s->high_ns += margin;
}

static void scale_count(struct scale *s, const struct report_measurement *m)
{
	s->bins = BINS_LEAST;
	while (s->bins < BINS_LIMIT && (size_t)s->bins * s->bins < m->sample_count * 9) /* about 3 sqrt(n): shows clusters */
		s->bins++;
	for (size_t i = 0; i < m->sample_count; i++) {
		double share = (double)(m->samples[i].value_ns - s->low_ns) / (double)(s->high_ns - s->low_ns);
		unsigned bin = (unsigned)(share * s->bins);
		bin = bin < s->bins ? bin : s->bins - 1;
		s->counts[bin]++;
		if (s->counts[bin] > s->highest)
			s->highest = s->counts[bin];
	}
}

static void scale_rows(struct scale *s, const struct report_measurement *m)
{
	int lines = m->limit_count < LIMIT_LINES ? (int)m->limit_count : LIMIT_LINES;
	s->quantiles_y = 12 + LABEL_LINE * lines;
	s->bars_top = s->quantiles_y + 10;
	s->bottom = s->bars_top + BARS;
}

static void put_bins(struct text *out, const struct scale *s)
{
	int64_t width = (RIGHT - LEFT) * 100 / s->bins;
	for (unsigned i = 0; i < s->bins; i++) {
		if (s->counts[i] == 0)
			continue;
		int64_t height = (int64_t)(s->bottom - s->bars_top) * 100 * s->counts[i] / s->highest;
		text_put(out, "<rect class=\"bin\"");
		put_hundredths(out, "x", LEFT * 100 + width * i + 50);
		put_hundredths(out, "y", s->bottom * INT64_C(100) - height);
		put_hundredths(out, "width", width - 100);
		put_hundredths(out, "height", height);
		text_printf(out, "><title>%u samples</title></rect>", s->counts[i]);
	}
}

static void put_limits(struct text *out, const struct scale *s, const struct report_measurement *m)
{
	for (size_t i = 0; i < m->limit_count; i++) {
		const struct report_limit *limit = &m->limits[i];
		bool left = limit->value_ns<s->low_ns, right = limit->value_ns> s->high_ns;
		int y = 12 + LABEL_LINE * (int)(i % LIMIT_LINES);
		int64_t x = left ? LEFT * 100 : right ? RIGHT * 100 : x_of(s, limit->value_ns);
		if (!left && !right)
			put_line(out, s, x, y + 4, "limit");
		put_label(out, x, y, "limit-text");
		text_put(out, left ? "← limit " : "limit ");
		text_put_html(out, limit->statistic);
		text_put(out, " ");
		text_put_ms(out, limit->value_ns);
		text_put(out, right ? " ms →" : " ms");
		text_put(out, "</text>");
	}
}

static void put_quantile(struct text *out, const struct scale *s, int64_t ns, const char *name)
{
	if (ns < s->low_ns || ns > s->high_ns)
		return;
	put_line(out, s, x_of(s, ns), s->quantiles_y + 4, "quantile");
	text_printf(out, "<text y=\"%d\" text-anchor=\"%s\"", s->quantiles_y, name[1] == '5' ? "end" : "start");
	put_hundredths(out, "x", x_of(s, ns) + (name[1] == '5' ? 300 : -300));
	text_printf(out, ">%s</text>", name);
}

static void put_ends(struct text *out, const struct scale *s)
{
	text_printf(out, "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", LEFT, RIGHT, s->bottom, s->bottom);
	text_printf(out, "<text x=\"%d\" y=\"%d\">", LEFT, s->bottom + 17);
	text_put_ms(out, s->low_ns);
	text_printf(out, " ms</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">", RIGHT, s->bottom + 17);
	text_put_ms(out, s->high_ns);
	text_put(out, " ms</text>");
}

void chart_put_histogram(struct text *out, const struct report_measurement *m)
{
	if (m->sample_count == 0)
		return;
	struct scale scale = {0};
	scale_samples(&scale, m);
	scale_count(&scale, m);
	scale_rows(&scale, m);
	text_printf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Histogram of %zu samples\">", WIDTH, scale.bottom + 26,
	            m->sample_count);
	put_bins(out, &scale);
	put_ends(out, &scale);
	if (m->complete) {
		put_quantile(out, &scale, m->p50_ns, "p50");
		put_quantile(out, &scale, m->p95_ns, "p95");
	}
	put_limits(out, &scale, m);
	text_put(out, "</svg>");
}

/* Diagonal lines in front of what lies after the end. */
static void put_hatch(struct text *out, int64_t x, int64_t end)
{
	for (int64_t at = x; at < end; at += 600) {
		text_put(out, "<line class=\"hatch\" y1=\"34\" y2=\"0\"");
		put_hundredths(out, "x1", at);
		put_hundredths(out, "x2", at + 600 < end ? at + 600 : end);
		text_put(out, "/>");
	}
}

static void put_segment(struct text *out, int64_t from, int64_t to, int64_t whole, size_t i, bool after_end)
{
	int64_t x = (int64_t)((double)from / (double)whole * WIDTH * 100), end = (int64_t)((double)to / (double)whole * WIDTH * 100);
	text_printf(out, "<rect class=\"k%zu gap%s\" y=\"0\" height=\"34\"", i % COLOURS, after_end ? " after" : "");
	put_hundredths(out, "x", x);
	put_hundredths(out, "width", end - x);
	text_put(out, "/>");
	if (after_end)
		put_hatch(out, x, end);
}

/* What of the samples lies in no stage: before the first, between them, after the last. */
static void put_rest(struct text *out, int64_t rest_ns, int64_t total)
{
	int64_t per_mille = (int64_t)((double)rest_ns / (double)total * 1000 + 0.5);

	if (per_mille <= 0)
		return;
	text_put(out, "<li><i></i><span>rest, in no stage</span><b>");
	text_put_ms(out, rest_ns);
	text_printf(out, " ms</b><em>%" PRId64 ".%" PRId64 " %%</em></li>", per_mille / 10, per_mille % 10);
}

static void put_legend(struct text *out, struct report_measurement *m, int64_t total, int64_t rest_ns)
{
	text_put(out, "<ul class=\"legend\">");
	for (size_t i = 0; i < m->stage_count; i++) {
		const bool after_end = m->stages[i].after_end;
		int64_t median = report_stage_median(&m->stages[i]);
		int64_t per_mille = median > 0 && total > 0 ? (int64_t)((double)median / (double)total * 1000 + 0.5) : 0;
		text_printf(out, "<li><i class=\"k%zu%s\"></i><span>", i % COLOURS, after_end ? " after" : "");
		text_put_html(out, m->stages[i].name);
		text_printf(out, "%s</span><b>", after_end ? ", after the end" : "");
		text_put_ms(out, median);
		if (after_end)
			text_put(out, " ms</b><em>–</em></li>");
		else
			text_printf(out, " ms</b><em>%" PRId64 ".%" PRId64 " %%</em></li>", per_mille / 10, per_mille % 10);
	}
	put_rest(out, rest_ns, total);
	text_put(out, "</ul>");
}

/* Medians of the stages that are in the value, or of those after the end; by 64, of which there are at most: no overflow. */
static int64_t stages_sum(struct report_measurement *m, bool after_end)
{
	int64_t sum = 0;
	for (size_t i = 0; i < m->stage_count; i++) {
		int64_t median = m->stages[i].after_end == after_end ? report_stage_median(&m->stages[i]) : 0;
		sum += median > 0 ? median / 64 : 0;
	}
	return sum;
}

void chart_put_stages(struct text *out, struct report_measurement *m)
{
	int64_t inside = stages_sum(m, false), after = stages_sum(m, true);
	int64_t rest = m->complete && m->p50_ns / 64 > inside ? m->p50_ns / 64 - inside : 0;
	int64_t total = inside + rest, whole = total + after;
	if (m->stage_count == 0 || inside + after == 0)
		return;
	text_printf(out, "<svg viewBox=\"0 0 %d 34\" role=\"img\" aria-label=\"Stages, values in the list below\">", WIDTH);
	int64_t from = 0;
	for (size_t i = 0; i < m->stage_count; i++) {
		int64_t median = report_stage_median(&m->stages[i]) / 64;
		if (median <= 0)
			continue;
		if (m->stages[i].after_end && from < total)
			from = total;
		put_segment(out, from, from + median, whole, i, m->stages[i].after_end);
		from += median;
	}
	text_put(out, "</svg>");
	put_legend(out, m, total * 64, rest * 64);
}
