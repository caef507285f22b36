/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <errno.h>
#include <limits.h>

#include "junit.h"
#include "merge.h"
#include "page.h"
#include "portable.h"
#include "results.h"
#include "store.h"

/* The files one after the other, so that only one is in memory. */
static int reports_write(struct report_run *run, const char *directory, bool attach, struct error *err)
{
	struct text text = {0};
	int r = results_compose(run, &text, err);
	if (r == 0)
		r = store_file(directory, "results.json", text.bytes.data, text.bytes.length, err);
	bytes_clear(&text.bytes);
	if (r == 0)
		r = junit_compose(run, attach ? directory : NULL, &text, err);
	if (r == 0)
		r = store_file(directory, "junit.xml", text.bytes.data, text.bytes.length, err);
	bytes_clear(&text.bytes);
	if (r == 0)
		r = page_compose(run, &text, err);
	if (r == 0)
		r = store_file(directory, "report.html", text.bytes.data, text.bytes.length, err);
	text_free(&text);
	return r;
}

static int run_write(struct report_run *run, const char *directory, const struct report_options *options, struct report_summary *ret,
                     struct error *err)
{
	if (options->portable && report_run_make_portable(run) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	int r = reports_write(run, directory, !options->portable, err);
	if (r == 0 && ret)
		r = report_summary_of(run, options->portable ? NULL : directory, ret, err);
	return r;
}

int report_write(const char *run_directory, const struct report_options *options, struct report_summary *ret, struct error *err)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/events.jsonl", run_directory) >= (int)sizeof(path))
		return error_set(err, ERROR_BENCH, ENAMETOOLONG, "the path of the run's directory is too long");
	struct report_run *run = NULL;
	int r = report_run_read(path, &run, err);
	if (r < 0)
		return r;
	r = run_write(run, run_directory, options, ret, err);
	report_run_free(run);
	return r;
}

int report_write_all(const char *run_directory, struct error *err)
{
	return report_write(run_directory, &(struct report_options){0}, NULL, err);
}

int report_write_merged(const char *directory, const struct merge_part *parts, size_t count, const struct report_options *options,
                        struct report_summary *ret, struct error *err)
{
	struct report_run *run = NULL;
	int r = report_run_merge(parts, count, &run, err);
	if (r < 0)
		return r;
	r = run_write(run, directory, options, ret, err);
	report_run_free(run);
	return r;
}
