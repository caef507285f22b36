/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define REDRAW_US 200000

struct progress {
	struct loop *loop;
	struct timeline *timeline;
	FILE *file;
	bool terminal, paused;
	sd_event_source *timer;
	int64_t begin_ns, case_ns;
	unsigned index, of, done;
	char id[160], step[160];
};

static double seconds_since(int64_t ns)
{
	return (double)(loop_now_ns() - ns) / 1e9;
}

static void clear_line(struct progress *progress)
{
	if (progress->terminal)
		fputs("\r\033[K", progress->file);
}

static unsigned columns(FILE *file)
{
	struct winsize size;
	return ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

/* What is left, if the cases to come take as long as those that ended. */
static double estimate(const struct progress *progress)
{
	return progress->done ? seconds_since(progress->begin_ns) / progress->done * (progress->of - progress->done) : -1;
}

static void draw(struct progress *progress)
{
	char text[512], left[32] = "";
	if (!progress->terminal || !progress->index || progress->paused)
		return;
	if (estimate(progress) >= 0)
		snprintf(left, sizeof(left), ", about %.0f s left", estimate(progress));
	snprintf(text, sizeof(text), "[%u/%u] %s  %s  %.0f s%s", progress->index, progress->of, progress->id, progress->step,
	         seconds_since(progress->begin_ns), left);
	clear_line(progress);
	/* One column stays free: a full line would wrap on some terminals. */
	fprintf(progress->file, "%.*s", (int)columns(progress->file) - 1, text);
	fflush(progress->file);
}

static const char *text_of(const json_t *data, const char *key)
{
	const char *text = json_string_value(json_object_get(data, key));
	return text ? text : "";
}

static void on_case_begin(struct progress *progress, const json_t *data)
{
	progress->index = (unsigned)json_integer_value(json_object_get(data, "index"));
	progress->of = (unsigned)json_integer_value(json_object_get(data, "of"));
	progress->case_ns = loop_now_ns();
	progress->step[0] = '\0';
	snprintf(progress->id, sizeof(progress->id), "%s", text_of(data, "id"));
	draw(progress);
}

static void print_reason(struct progress *progress, const json_t *data)
{
	const char *file = text_of(data, "file"), *message = text_of(data, "message"), *cause = text_of(data, "cause");
	if (!*message)
		return;
	fputs("              ", progress->file);
	if (*file)
		fprintf(progress->file, "%s:%d:%d: ", file, (int)json_integer_value(json_object_get(data, "line")),
		        (int)json_integer_value(json_object_get(data, "column")));
	fprintf(progress->file, "%s%s%s%s\n", message, *cause ? " (cause: " : "", cause, *cause ? ")" : "");
}

static void on_case_end(struct progress *progress, const json_t *data)
{
	const char *verdict = text_of(data, "verdict");
	json_int_t attempt = json_integer_value(json_object_get(data, "attempt"));
	char again[32] = "";
	progress->done = progress->index;
	if (attempt > 1)
		snprintf(again, sizeof(again), ", attempt %d", (int)attempt);
	clear_line(progress);
	fprintf(progress->file, "%-12s  %s (%.2f s%s)\n", verdict, progress->id, seconds_since(progress->case_ns), again);
	if (strcmp(verdict, "pass"))
		print_reason(progress, data);
	fflush(progress->file);
	draw(progress);
}

static void on_event(const struct event *event, void *context)
{
	struct progress *progress = context;
	if (strcmp(event->channel, "case"))
		return;
	if (!strcmp(event->kind, "step.begin"))
		snprintf(progress->step, sizeof(progress->step), "%s", text_of(event->data, "name"));
	else if (!strcmp(event->kind, "case.begin"))
		on_case_begin(progress, event->data);
	else if (!strcmp(event->kind, "case.end"))
		on_case_end(progress, event->data);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
	draw(context);
	sd_event_source_set_time_relative(source, REDRAW_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int progress_new(struct progress **ret, struct loop *loop, struct timeline *timeline, FILE *file, bool terminal, struct error *err)
{
	struct progress *progress = calloc(1, sizeof(*progress));
	if (!progress)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*progress = (struct progress){.loop = loop, .timeline = timeline, .file = file, .terminal = terminal, .begin_ns = loop_now_ns()};
	int r = timeline_observe(timeline, on_event, progress);
	if (r >= 0 && terminal)
		r = sd_event_add_time_relative(loop_event(loop), &progress->timer, CLOCK_MONOTONIC, REDRAW_US, 0, on_timer, progress);
	if (r < 0) {
		progress_free(progress);
		return error_set(err, ERROR_BENCH, -r, "cannot show progress: %s", strerror(-r));
	}
	*ret = progress;
	return 0;
}

void progress_pause(struct progress *progress, bool paused)
{
	if (paused)
		clear_line(progress);
	progress->paused = paused;
	draw(progress);
}

void progress_free(struct progress *progress)
{
	if (!progress)
		return;
	clear_line(progress);
	timeline_unobserve(progress->timeline, on_event, progress);
	sd_event_source_disable_unref(progress->timer);
	free(progress);
}
