/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine tells: kept for the reports, and shown to whoever waits. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../base/loop.h"
#include "sweep.h"

#define PLAIN_INTERVAL_NS INT64_C(10000000000) /* between lines where no line can be redrawn */
#define VIOLATIONS_SHOWN  12

void sweep_result_init(struct sweep_result *result, const struct sweep_request *request)
{
	*result = (struct sweep_result){.request = request,
	                                .terminal = isatty(STDOUT_FILENO),
	                                .begin_ns = loop_now_ns(),
	                                .told_ns = loop_now_ns(),
	                                .groups = json_array(),
	                                .violations = json_array()};
}

void sweep_result_free(struct sweep_result *result)
{
	json_decref(result->begin);
	json_decref(result->end);
	json_decref(result->groups);
	json_decref(result->violations);
}

static int64_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

static void clear(const struct sweep_result *result)
{
	if (result->terminal)
		fputs("\r\033[K", stdout);
}

static void show_progress(struct sweep_result *result, const json_t *line)
{
	int64_t now_ns = loop_now_ns(), done = number(line, "operations"), all = number(result->begin, "selected");
	double seconds = (double)(now_ns - result->begin_ns) / 1e9;
	char left[48] = "";

	if (!result->terminal && now_ns - result->told_ns < PLAIN_INTERVAL_NS)
		return;
	result->told_ns = now_ns;
	if (done > 0)
		snprintf(left, sizeof(left), ", about %.0f s left", seconds / (double)done * (double)(all - done));
	clear(result);
	printf("[%" PRId64 "/%" PRId64 " operations] %" PRId64 " cuts, %" PRId64 " violations, %.0f s%s", done, all, number(line, "points"),
	       number(line, "violations"), seconds, left);
	fputs(result->terminal ? "" : "\n", stdout);
	fflush(stdout);
}

static void show_violation(struct sweep_result *result, const json_t *line)
{
	size_t count = json_array_size(result->violations);

	if (count > VIOLATIONS_SHOWN)
		return;
	clear(result);
	printf("I%" PRId64 "  %s\n    %s\n", number(line, "invariant"), text(line, "id"), text(line, "text"));
	if (count == VIOLATIONS_SHOWN)
		printf("    (further ones: sweep.json)\n");
	fflush(stdout);
}

void sweep_result_line(const json_t *line, void *context)
{
	struct sweep_result *result = context;
	const char *kind = text(line, "kind");
	json_t *kept = (json_t *)line;

	if (!strcmp(kind, "begin")) {
		result->begin = json_incref(kept);
	} else if (!strcmp(kind, "end")) {
		result->end = json_incref(kept);
	} else if (!strcmp(kind, "group")) {
		json_array_append(result->groups, kept);
	} else if (!strcmp(kind, "violation")) {
		json_array_append(result->violations, kept);
		show_violation(result, line);
	} else if (!strcmp(kind, "progress")) {
		show_progress(result, line);
	}
}

static void print_counts(const char *title, const json_t *counts)
{
	const char *key;
	json_t *value;

	printf("%s", title);
	json_object_foreach ((json_t *)counts, key, value)
		printf("%s %" JSON_INTEGER_FORMAT "  ", key, json_integer_value(value));
	putchar('\n');
}

static void print_operations(const struct sweep_result *result)
{
	const json_t *end = result->end;

	printf("operations  %" PRId64 " of %" PRId64 " cut", number(end, "operations"), number(result->begin, "total"));
	if (result->request->random)
		printf(" first, in %" PRId64 " of %u triples", number(end, "triples"), result->request->random);
	else if (!json_is_true(json_object_get(end, "complete")))
		printf(", %" PRId64 " were asked for", number(result->begin, "selected"));
	if (!number(end, "points") && number(end, "violations"))
		printf(": the scenario is wrong without a cut");
	puts(json_is_true(json_object_get(end, "complete")) ? "" : ": NOT FINISHED");
}

static void print_verdict(const struct sweep_result *result, int status)
{
	if (status == SWEEP_INCONCLUSIVE)
		printf("verdict     inconclusive: --limit-time ended the sweep before it was finished\n");
	else if (status == 1 && !json_is_true(json_object_get(result->end, "complete")))
		printf("verdict     fail; --limit-time ended the sweep before it was finished\n");
	else if (status > 1)
		printf("verdict     error: the sweep did not come to its end\n");
	else
		printf("verdict     %s\n", status ? "fail" : "pass");
}

void sweep_result_print(const struct sweep_result *result, int status)
{
	const struct sweep_request *request = result->request;
	const json_t *end = result->end, *wear = json_object_get(end, "wear");
	double seconds = json_real_value(json_object_get(end, "seconds"));

	clear(result);
	printf("sweep       ota, %s, %s, %u KiB, seed %" PRIu64 ", bank %c, UCB_SWAP entry %u, policy %s%s%s\n", request->target,
	       request->scenario, request->size / 1024u, request->seed, request->bank, request->entry, request->policy,
	       request->fault ? ", fault " : "", request->fault ? request->fault : "");
	print_operations(result);
	print_counts("phases      ", json_object_get(end, "phases"));
	print_counts("classes     ", json_object_get(end, "classes"));
	printf("cuts        %" PRId64 ": %" PRId64 " distinct flash states, %" PRId64 " seen before\n", number(end, "points"),
	       number(end, "states"), number(end, "same"));
	printf("recoveries  %" PRId64 " told to the end, %" PRId64 " known once the boot had settled; %" PRId64 " boots\n",
	       number(end, "played"), number(end, "settled"), number(end, "boots"));
	printf("wear        most erases of a sector: bank %" PRId64 ", DFLASH %" PRId64 ", UCB %" PRId64 "\n", number(wear, "bank"),
	       number(wear, "dflash"), number(wear, "ucb"));
	printf("time        %.1f s, %.0f points a second\n", seconds, seconds > 0 ? (double)number(end, "points") / seconds : 0.0);
	printf("violations  %" PRId64 "%s", number(end, "violations"), number(end, "violations") ? ": " : "\n");
	if (number(end, "violations"))
		print_counts("", json_object_get(end, "invariants"));
	print_verdict(result, status);
}
