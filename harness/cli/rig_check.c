/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench rig check: what of a rig is there and right, and what to do about the rest. */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../rig/check.h"
#include "rig.h"

#define WITHIN_NS (INT64_C(4500) * 1000000)

static void print_text(const struct rig_check_report *report)
{
	unsigned counts[RIG_CHECK_BAD + 1] = {0};
	for (unsigned i = 0; i < report->count; i++) {
		const struct rig_check_result *result = &report->results[i];
		counts[result->state]++;
		(void)printf("%-9s %-8s %-9s %s%s%s\n", rig_check_state_name(result->state), result->kind, result->owner, result->name,
		             result->found[0] ? ": " : "", result->found);
		if (result->problem[0])
			(void)printf("          %s\n", result->problem);
		if (result->remedy[0])
			(void)printf("          -> %s\n", result->remedy);
	}
	if (report->numbered)
		(void)puts(RIG_NUMBER_LEGEND);
	(void)printf("%u resources: %u ok, %u not asked, %u with a warning, %u bad\n", report->count, counts[RIG_CHECK_OK],
	             counts[RIG_CHECK_NOT_ASKED], counts[RIG_CHECK_WARNING], counts[RIG_CHECK_BAD]);
}

static int print_json(const struct rig_call *call, const struct rig_check_report *report, int64_t duration_ns)
{
	json_t *list = json_array(), *root;
	for (unsigned i = 0; i < report->count; i++) {
		const struct rig_check_result *result = &report->results[i];
		(void)json_array_append_new(list,
		                            json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I}", "role", result->owner, "kind", result->kind,
		                                      "name", result->name, "state", rig_check_state_name(result->state), "found",
		                                      result->found, "problem", result->problem, "remedy", result->remedy, "duration_ms",
		                                      (json_int_t)(result->duration_ns / 1000000)));
	}
	root = json_pack("{s:s,s:s,s:I,s:o}", "rig", rig_file_name(call->file), "state", rig_check_state_name(rig_check_worst(report)),
	                 "duration_ms", (json_int_t)(duration_ns / 1000000), "resources", list);
	int r = root ? json_dumpf(root, stdout, JSON_INDENT(1)) : -1;
	(void)putchar('\n');
	json_decref(root);
	return r < 0 ? EXIT_BENCH : 0;
}

/* A Ctrl-C ends what was started, not this process alone. */
static int catch_signals(struct error *err)
{
	sigset_t set;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? error_set(err, ERROR_BENCH, errno, "cannot catch signals: %s", strerror(errno)) : fd;
}

static int check(const struct rig_call *call)
{
	struct rig_check_report report;
	struct error error = {0};
	int64_t begin_ns = loop_now_ns();
	int status = 0, interrupt = catch_signals(&error);
	int r = interrupt < 0 ? interrupt : rig_check_resources_unless(call->file, WITHIN_NS, interrupt, &report, &error);
	if (interrupt >= 0)
		(void)close(interrupt);
	if (r < 0)
		return rig_fail(&error);
	if (call->json)
		status = print_json(call, &report, loop_now_ns() - begin_ns);
	else
		print_text(&report);
	if (status == 0 && rig_check_worst(&report) == RIG_CHECK_BAD)
		status = 1;
	rig_check_report_free(&report);
	return status;
}

const struct rig_verb rig_verb_check = {.name = "check", .options = "j", .run = check};
