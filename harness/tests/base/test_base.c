/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../base/hex.h"
#include "../../base/loop.h"
#include "../../base/paths.h"
#include "../../base/size.h"
#include "../../base/stats.h"
#include "../../base/suggest.h"
#include "../../base/timeline.h"
#include "../../base/value.h"
#include "../../base/verdict.h"

START_TEST(errors_carry_place_and_context)
{
	struct error err = {0};
	char text[256];
	struct place place = {.file = place_intern("a.yaml"), .line = 3, .column = 9};

	ck_assert_int_eq(error_set_place(&err, ERROR_USAGE, ENOENT, place, "no %s", "such thing"), -ENOENT);
	ck_assert_int_eq(err.code, ENOENT);
	ck_assert_ptr_nonnull(strstr(err.source, "test_base.c:"));
	error_prefix(&err, "while %d", 5);
	ck_assert_str_eq(error_describe(&err, text, sizeof(text)), "a.yaml:3:9: while 5: no such thing");
	/* Its own message as an argument. */
	ck_assert_int_eq(error_set(&err, ERROR_BENCH, 0, "again: %s", err.message), -EINVAL);
	ck_assert_str_eq(error_describe(&err, text, sizeof(text)), "again: while 5: no such thing");
	ck_assert_int_eq(error_set(NULL, ERROR_BENCH, EIO, "nobody listens"), -EIO);
	error_prefix(NULL, "nor here");
	ck_assert_ptr_eq(place_intern("a.yaml"), place.file);
}
END_TEST

START_TEST(long_errors_end_between_characters)
{
	struct error err;
	char text[4096];
	json_t *json;

	for (size_t pad = 0; pad < 4; pad++) {
		memset(text, 'x', pad);
		for (size_t i = pad; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "€", 4);
		(void)error_set(&err, ERROR_BENCH, 0, "%s", text);
		json = json_string(err.message); /* NULL when it is not UTF-8 */
		ck_assert_ptr_nonnull(json);
		json_decref(json);
		error_prefix(&err, "prefix %s", "ä");
		json = json_string(err.message);
		ck_assert_ptr_nonnull(json);
		json_decref(json);
		ck_assert_uint_lt(strlen(err.message), sizeof(err.message));
	}
}
END_TEST

START_TEST(interning_survives_growth)
{
	const char *first[500];
	char text[32];

	for (unsigned i = 0; i < 500; i++) {
		(void)snprintf(text, sizeof(text), "file-%u", i);
		first[i] = place_intern(text);
	}
	for (unsigned i = 0; i < 500; i++) {
		(void)snprintf(text, sizeof(text), "file-%u", i);
		ck_assert_ptr_eq(place_intern(text), first[i]);
		ck_assert_str_eq(first[i], text);
	}
}
END_TEST

START_TEST(digests_are_text)
{
	static const unsigned char bytes[] = {0x00, 0x0f, 0xa5, 0xff};
	char text[] = "xxxxxxxxxx";
	ck_assert_str_eq(hex_text(bytes, sizeof(bytes), text), "000fa5ff");
	ck_assert_int_eq(text[9], 'x'); /* not a byte behind its end */
	ck_assert_str_eq(hex_text(bytes, 0, text), "");
}
END_TEST

START_TEST(bytes_grow_parse_and_print)
{
	struct bytes bytes = {0};
	char *hex;

	ck_assert_int_eq(bytes_append_u8(&bytes, 1), 0);
	ck_assert_int_eq(bytes_append_be16(&bytes, 0x0203), 0);
	ck_assert_int_eq(bytes_append_be32(&bytes, 0x04050607), 0);
	hex = bytes_to_hex(bytes.data, bytes.length, 0);
	ck_assert_str_eq(hex, "01 02 03 04 05 06 07");
	free(hex);
	hex = bytes_to_hex(bytes.data, bytes.length, 2);
	ck_assert_str_eq(hex, "01 02 … (+5)");
	free(hex);
	bytes_drop_front(&bytes, 5);
	ck_assert_uint_eq(bytes.length, 2);
	ck_assert_uint_eq(be16_read(bytes.data), 0x0607);
	bytes_drop_front(&bytes, 9);
	ck_assert_uint_eq(bytes.length, 0);
	ck_assert_int_eq(bytes_append(&bytes, "x", SIZE_MAX / 2), -ENOMEM);
	bytes_free(&bytes);
	ck_assert_int_eq(bytes_parse_hex("02 1003fF", &bytes), 0);
	ck_assert_uint_eq(bytes.length, 4);
	ck_assert_uint_eq(bytes.data[3], 0xff);
	bytes_free(&bytes);
	ck_assert_int_eq(bytes_parse_hex("02 1", &bytes), -EINVAL);
	ck_assert_int_eq(bytes_parse_hex("0 21", &bytes), -EINVAL);
	ck_assert_int_eq(bytes_parse_hex("zz", &bytes), -EINVAL);
	ck_assert_ptr_null(bytes.data);
}
END_TEST

START_TEST(verdicts_decide_the_exit_status)
{
	struct verdict_tally tally = {0};
	enum verdict verdict;
	enum cause cause;

	ck_assert_int_eq(verdict_exit_status(&tally), 0);
	verdict_tally_add(&tally, VERDICT_PASS, CAUSE_NONE);
	verdict_tally_add(&tally, VERDICT_SKIPPED, CAUSE_BENCH);
	ck_assert_int_eq(verdict_exit_status(&tally), 0);
	verdict_tally_add(&tally, VERDICT_INCONCLUSIVE, CAUSE_DUT);
	ck_assert_int_eq(verdict_exit_status(&tally), 4);
	verdict_tally_add(&tally, VERDICT_FAIL, CAUSE_DUT);
	ck_assert_int_eq(verdict_exit_status(&tally), 1);
	verdict_tally_add(&tally, VERDICT_ERROR, CAUSE_TESTCASE);
	ck_assert_int_eq(verdict_exit_status(&tally), 2);
	verdict_tally_add(&tally, VERDICT_ERROR, CAUSE_BENCH);
	ck_assert_int_eq(verdict_exit_status(&tally), 3);
	verdict_tally_add(&tally, VERDICT_ERROR, CAUSE_OPERATOR);
	ck_assert_int_eq(verdict_exit_status(&tally), 130);
	for (int i = VERDICT_PASS; i <= VERDICT_ERROR; i++) {
		ck_assert_int_eq(verdict_parse(verdict_name((enum verdict)i), &verdict), 0);
		ck_assert_int_eq(verdict, i);
	}
	ck_assert_int_eq(cause_parse(NULL, &cause), 0);
	ck_assert_int_eq(cause, CAUSE_NONE);
	ck_assert_int_eq(cause_parse("dut", &cause), 0);
	ck_assert_int_eq(cause, CAUSE_DUT);
	ck_assert_int_eq(cause_parse("weather", &cause), -EINVAL);
	ck_assert_int_eq(verdict_parse(NULL, &verdict), -EINVAL);
	ck_assert_int_eq(verdict_worse(VERDICT_FAIL, VERDICT_INCONCLUSIVE), VERDICT_FAIL);
}
END_TEST

/* Quantiles as R's quantile(x, type = 7) gives them. */
START_TEST(statistics_are_type_7)
{
	int64_t values[] = {40, 10, 30, 20}, one[] = {7}, negative[] = {-5, -10, 5};
	struct stats stats;

	ck_assert_int_eq(stats_of(values, 4, &stats), 0);
	ck_assert_int_eq(values[0], 40);
	ck_assert_int_eq(stats.min_ns, 10);
	ck_assert_int_eq(stats.p50_ns, 25);
	ck_assert_int_eq(stats.p95_ns, 39); /* 38.5 */
	ck_assert_int_eq(stats.max_ns, 40);
	ck_assert_int_eq(stats.mean_ns, 25);
	ck_assert_int_eq(stats_of(one, 1, &stats), 0);
	ck_assert_int_eq(stats.p95_ns, 7);
	ck_assert_int_eq(stats_of(NULL, 0, &stats), 0);
	ck_assert_uint_eq(stats.count, 0);
	ck_assert_int_eq(stats_of(negative, 3, &stats), 0);
	ck_assert_int_eq(stats.mean_ns, -3);
	ck_assert_int_eq(stats.p50_ns, -5);
	int64_t large[] = {0, INT64_MAX};

	ck_assert_int_eq(stats_of(large, 2, &stats), 0);
	ck_assert_int_eq(stats.mean_ns, INT64_MAX / 2 + 1);
	ck_assert_int_eq(stats_quantile(large, 2, 1000), INT64_MAX);
}
END_TEST

START_TEST(near_words_are_suggested)
{
	static const char *const words[] = {"title", "tags", "timeout", NULL};
	char text[64];

	ck_assert_uint_eq(edit_distance("titel", "title"), 1); /* a swap */
	ck_assert_uint_eq(edit_distance("", "abc"), 3);
	ck_assert_str_eq(suggest_text("titel", words, text, sizeof(text)), " (did you mean \"title\"?)");
	ck_assert_str_eq(suggest_text("TIMEOUT", words, text, sizeof(text)), " (did you mean \"timeout\"?)");
	ck_assert_str_eq(suggest_text("zebra", words, text, sizeof(text)), "");
	ck_assert_uint_eq(edit_distance("0123456789012345678901234567890123456789012345678901234567890123", "0"), UINT_MAX);
}
END_TEST

/* ---- loop ---- */

static bool count_down(void *context)
{
	return --*(int *)context <= 0;
}

static int on_time(sd_event_source *source, uint64_t us, void *context)
{
	*(bool *)context = true;
	return 0;
}

static bool is_set(void *context)
{
	return *(bool *)context;
}

START_TEST(loop_meets_deadlines)
{
	struct loop *loop;
	int64_t begin_ns, late_ns, worst_ns = 0;
	int left = 1;
	bool fired = false;

	ck_assert_int_eq(loop_new(&loop, NULL), 0);
	for (unsigned i = 0; i < 10; i++) {
		begin_ns = loop_now_ns();
		ck_assert_int_eq(loop_until(loop, NULL, NULL, begin_ns + 3000000), -ETIMEDOUT);
		late_ns = loop_now_ns() - begin_ns - 3000000;
		ck_assert_int_ge(late_ns, 0);
		worst_ns = i == 0 || late_ns < worst_ns ? late_ns : worst_ns;
	}
	ck_assert_int_lt(worst_ns, 1000000); /* the best of ten: a loaded machine must not fail this */
	ck_assert_int_eq(loop_until(loop, count_down, &left, loop_now_ns()), 0);
	ck_assert_int_eq(sd_event_add_time_relative(loop_event(loop), NULL, CLOCK_MONOTONIC, 1000, 1, on_time, &fired), 0);
	ck_assert_int_eq(loop_until(loop, is_set, &fired, INT64_MAX), 0);
	loop_cancel(loop);
	ck_assert_int_eq(loop_until(loop, NULL, NULL, INT64_MAX), -ECANCELED);
	ck_assert(loop_cancelled(loop));
	loop_rearm(loop);
	ck_assert_int_eq(loop_until(loop, NULL, NULL, 0), -ETIMEDOUT);
	loop_free(loop);
}
END_TEST

static int on_pipe(sd_event_source *source, int fd, uint32_t events, void *context)
{
	char c;

	*(bool *)context = read(fd, &c, 1) == 1;
	return 0;
}

START_TEST(loop_handles_what_is_ready_after_the_deadline)
{
	struct loop *loop;
	int ends[2];
	bool seen = false;

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(loop_new(&loop, NULL), 0);
	ck_assert_int_eq(sd_event_add_io(loop_event(loop), NULL, ends[0], 1 /* EPOLLIN */, on_pipe, &seen), 0);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(loop_until(loop, is_set, &seen, loop_now_ns() - 1), 0);
	loop_free(loop);
	(void)close(ends[0]);
	(void)close(ends[1]);
}
END_TEST

/* ---- timeline ---- */

static char directory[] = "/tmp/hilbench-base-XXXXXX";
static char journal[64];

static void directory_make(void)
{
	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(journal, sizeof(journal), "%s/events.jsonl", directory);
}

static void directory_remove(void)
{
	(void)unlink(journal);
	(void)rmdir(directory);
}

static char *file_text(const char *path)
{
	static char text[1 << 20];
	FILE *file = fopen(path, "r");
	size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	text[length] = '\0';
	if (file)
		(void)fclose(file);
	return text;
}

START_TEST(timeline_writes_the_journal_in_field_order)
{
	struct timeline *timeline, *second;
	struct instant at = {.ns = 81234567890, .source = CLOCK_SOURCE_KERNEL, .uncertainty_ns = 2000};
	struct error err;

	directory_make();
	ck_assert_int_eq(timeline_new(&timeline, directory, 4, &err), 0);
	ck_assert_int_eq(timeline_new(&second, directory, 4, &err), -EEXIST);
	timeline_emit(timeline, at, "run", "run.begin", NULL);
	timeline_set_step(timeline, "boot-zgw/steps/2");
	timeline_emit(timeline, at, "link:zgw-vmg", "tls.finished", json_pack("{s:i, s:s}", "conn", 1, "side", "cli\"ent"));
	timeline_set_step(timeline, NULL);
	timeline_emit(timeline, at, "case", "note", json_object());
	ck_assert_int_eq(timeline_sync(timeline, &err), 0);
	ck_assert_str_eq(file_text(journal),
	                 "{\"n\":1,\"t\":81234567890,\"clock\":\"kernel\",\"u\":2000,\"ch\":\"run\",\"kind\":\"run.begin\"}\n"
	                 "{\"n\":2,\"t\":81234567890,\"clock\":\"kernel\",\"u\":2000,\"ch\":\"link:zgw-vmg\",\"kind\":\"tls.finished\","
	                 "\"step\":\"boot-zgw/steps/2\",\"data\":{\"conn\":1,\"side\":\"cli\\\"ent\"}}\n"
	                 "{\"n\":3,\"t\":81234567890,\"clock\":\"kernel\",\"u\":2000,\"ch\":\"case\",\"kind\":\"note\"}\n");
	timeline_free(timeline);
	directory_remove();
}
END_TEST

static bool has_index(const struct event *event, void *context)
{
	return json_integer_value(json_object_get(event->data, "i")) >= *(int *)context;
}

START_TEST(timeline_remembers_the_newest)
{
	struct timeline *timeline;
	int from = 0;

	ck_assert_int_eq(timeline_new(&timeline, NULL, 4, NULL), 0);
	ck_assert_uint_eq(timeline_mark(timeline), 0);
	for (int i = 0; i < 10; i++)
		timeline_emit_now(timeline, "case", "note", json_pack("{s:i}", "i", i));
	ck_assert_uint_eq(timeline_mark(timeline), 10);
	ck_assert_uint_eq(timeline_find(timeline, 0, has_index, &from)->number, 7);
	ck_assert_uint_eq(timeline_find(timeline, 8, has_index, &from)->number, 9);
	from = 9;
	ck_assert_uint_eq(timeline_find(timeline, 0, has_index, &from)->number, 10);
	ck_assert_ptr_null(timeline_find(timeline, 10, has_index, &from));
	timeline_free(timeline);
}
END_TEST

struct watcher {
	struct timeline *timeline;
	unsigned seen;
	bool echo, leave;
};

static void watch(const struct event *event, void *context)
{
	struct watcher *watcher = context;

	watcher->seen++;
	if (watcher->leave)
		timeline_unobserve(watcher->timeline, watch, watcher);
	if (watcher->echo && strcmp(event->kind, "echo") != 0)
		timeline_emit_now(watcher->timeline, "case", "echo", NULL);
	ck_assert_str_eq(event->channel, "case"); /* still valid after the nested emit */
}

START_TEST(observers_may_emit_and_leave)
{
	struct timeline *timeline;
	struct watcher a = {.leave = true}, b = {.echo = true}, c = {0};

	ck_assert_int_eq(timeline_new(&timeline, NULL, 1, NULL), 0);
	a.timeline = b.timeline = c.timeline = timeline;
	ck_assert_int_eq(timeline_observe(timeline, watch, &a), 0);
	ck_assert_int_eq(timeline_observe(timeline, watch, &b), 0);
	ck_assert_int_eq(timeline_observe(timeline, watch, &c), 0);
	timeline_emit_now(timeline, "case", "note", json_pack("{s:i}", "i", 1));
	timeline_emit_now(timeline, "case", "note", NULL);
	ck_assert_uint_eq(a.seen, 1);
	ck_assert_uint_eq(b.seen, 4);
	ck_assert_uint_eq(c.seen, 4);
	timeline_free(timeline);
}
END_TEST

/* A full disk, played by the limit of a file's size (the write is cut short, then fails with EFBIG). */
START_TEST(a_full_disk_leaves_whole_lines)
{
	struct rlimit limit = {.rlim_cur = 1000, .rlim_max = RLIM_INFINITY}, before;
	struct timeline *timeline;
	struct error err = {0};
	char *text, *line;
	unsigned lines = 0;

	directory_make();
	ck_assert_int_eq(timeline_new(&timeline, directory, 64, &err), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)getrlimit(RLIMIT_FSIZE, &before);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int i = 0; i < 50; i++)
		timeline_emit_now(timeline, "case", "note", json_pack("{s:i}", "i", i));
	(void)setrlimit(RLIMIT_FSIZE, &before);
	ck_assert(timeline_failed(timeline, &err));
	ck_assert_int_eq(err.domain, ERROR_BENCH);
	ck_assert_int_eq(err.code, EFBIG);
	ck_assert_int_eq(timeline_sync(timeline, &err), -EFBIG);
	/* There is room again, but a hole in the journal would be worse than its end. */
	timeline_emit_now(timeline, "case", "note", NULL);
	ck_assert_uint_eq(timeline_mark(timeline), 51);
	text = file_text(journal);
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		json_t *json = json_loads(line, 0, NULL);

		ck_assert_ptr_nonnull(json);
		ck_assert_int_eq(json_integer_value(json_object_get(json, "n")), ++lines);
		json_decref(json);
	}
	ck_assert_uint_gt(lines, 5);
	ck_assert_uint_lt(lines, 50);
	timeline_free(timeline);
	directory_remove();
}
END_TEST

/* The real thing where it can be had: /dev/full in the journal's place. */
START_TEST(enospc_is_told_once)
{
	struct timeline *timeline;
	struct error err = {0};
	int full, fd;

	directory_make();
	ck_assert_int_eq(timeline_new(&timeline, directory, 4, &err), 0);
	full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(full, 0);
	/* The journal is the newest file before it. */
	fd = full - 1;
	ck_assert_int_eq(dup2(full, fd), fd);
	timeline_emit_now(timeline, "case", "note", NULL);
	ck_assert(timeline_failed(timeline, &err));
	ck_assert_int_eq(err.code, ENOSPC);
	ck_assert_ptr_nonnull(strstr(err.message, "cannot write the journal: No space left on device"));
	timeline_free(timeline);
	(void)close(full);
	directory_remove();
}
END_TEST

START_TEST(kernel_stamps_become_monotonic)
{
	struct timespec real;
	struct instant before, after, converted;

	clock_bracket();
	before = instant_now();
	(void)clock_gettime(CLOCK_REALTIME, &real);
	after = instant_now();
	converted = instant_from_realtime((int64_t)real.tv_sec * 1000000000 + real.tv_nsec);
	ck_assert_int_eq(converted.source, CLOCK_SOURCE_KERNEL);
	ck_assert_int_ge(converted.uncertainty_ns, 0);
	/* However long the machine took between the readings. The clocks may have moved by a millisecond against each other. */
	ck_assert_int_ge(converted.ns, before.ns - converted.uncertainty_ns - 1000000);
	ck_assert_int_le(converted.ns, after.ns + converted.uncertainty_ns + 1000000);
	ck_assert_str_eq(clock_source_name(CLOCK_SOURCE_HARDWARE), "hardware");
}
END_TEST

/* ---- paths ---- */

START_TEST(programs_and_fixtures_are_found)
{
	char path[PATH_MAX];
	struct error err;

	ck_assert_int_eq(program_find("/bin/sh", path, sizeof(path), &err), 0);
	ck_assert_str_eq(path, "/bin/sh");
	ck_assert_int_eq(program_find("test_base", path, sizeof(path), &err), 0);
	ck_assert_ptr_nonnull(strstr(path, "/test_base"));
	(void)setenv("HILBENCH_PROGRAMS", "/nowhere::/bin", 1);
	ck_assert_int_eq(program_find("sh", path, sizeof(path), &err), 0);
	ck_assert_str_eq(path, "/bin/sh");
	ck_assert_int_eq(program_find("no-such-program", path, sizeof(path), &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.message, "/nowhere::/bin"));
	ck_assert_int_eq(program_find("./nothing", path, sizeof(path), &err), -ENOENT);
	ck_assert_int_eq(program_find("/bin/sh", path, 3, &err), -ENAMETOOLONG);
	(void)setenv("HILBENCH_FIXTURES", "/etc", 1);
	ck_assert_int_eq(fixture_find("passwd", path, sizeof(path), &err), 0);
	ck_assert_str_eq(path, "/etc/passwd");
	ck_assert_int_eq(fixture_find("no/such", path, sizeof(path), &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.message, "/etc"));
}
END_TEST

START_TEST(sizes_read_well)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} table[] = {{0, "0 B"},
	             {1023, "1023 B"},
	             {1024, "1 KiB"},
	             {9900000, "9.4 MiB"},
	             {40 << 20, "40 MiB"},
	             {(40 << 20) - 1, "39.9 MiB"}, /* less than 40 */
	             {UINT64_C(3) << 29, "1.5 GiB"},
	             {UINT64_C(5000) << 30, "5000 GiB"},
	             {UINT64_MAX, "17179869183.9 GiB"}};
	char text[SIZE_TEXT_MAX];
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		ck_assert_str_eq(size_text(table[i].bytes, text, sizeof(text)), table[i].text);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {errors_carry_place_and_context,
	                              long_errors_end_between_characters,
	                              interning_survives_growth,
	                              digests_are_text,
	                              bytes_grow_parse_and_print,
	                              verdicts_decide_the_exit_status,
	                              statistics_are_type_7,
	                              near_words_are_suggested,
	                              loop_meets_deadlines,
	                              loop_handles_what_is_ready_after_the_deadline,
	                              timeline_writes_the_journal_in_field_order,
	                              timeline_remembers_the_newest,
	                              observers_may_emit_and_leave,
	                              a_full_disk_leaves_whole_lines,
	                              enospc_is_told_once,
	                              kernel_stamps_become_monotonic,
	                              programs_and_fixtures_are_found,
	                              sizes_read_well};
	Suite *suite = suite_create("base");
	TCase *cases = tcase_create("base");
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(cases, tests[i]);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
