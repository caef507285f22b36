/* SPDX-License-Identifier: Apache-2.0 */
/* Following a journal, and the lanes of one. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../daemon/job/regions.h"
#include "../../../daemon/job/tail.h"

static char root[256], path[300];
static sd_event *event;
static FILE *journal;
static unsigned number;
static int64_t clock_now;

static void setup(void)
{
	const char *below = getenv("TMPDIR");
	(void)snprintf(root, sizeof(root), "%s/hilbench-tail-XXXXXX", below ? below : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(root));
	(void)snprintf(path, sizeof(path), "%s/events.jsonl", root);
	ck_assert_int_ge(sd_event_new(&event), 0);
	number = 0;
	clock_now = 5000000000;
}

static void teardown(void)
{
	if (journal)
		(void)fclose(journal);
	journal = NULL;
	sd_event_unref(event);
	(void)unlink(path);
	(void)rmdir(root);
}

/* A line as the runner writes it; data may be "". The clock goes on by a millisecond each. */
static void PRINTF_LIKE(3, 4) put(const char *channel, const char *kind, const char *data, ...)
{
	char text[4096];
	va_list list;
	va_start(list, data);
	(void)vsnprintf(text, sizeof(text), data, list);
	va_end(list);
	if (!journal)
		journal = fopen(path, "ae");
	clock_now += 1000000;
	(void)fprintf(journal, "{\"n\":%u,\"t\":%lld,\"clock\":\"user\",\"u\":1000,\"ch\":\"%s\",\"kind\":\"%s\"%s%s}\n", ++number,
	              (long long)clock_now, channel, kind, text[0] ? ",\"data\":" : "", text);
}

static void put_frames(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		put("can:can0", "can.rx", "{\"id\":%u,\"flags\":[],\"length\":8,\"hex\":\"0011223344556677\"}", i % 2048);
}

static void put_begin(void)
{
	put("run", "run.begin",
	    "{\"virtual\":true,\"realtime_offset_ns\":1700000000000000000,\"cases\":[{\"id\":\"a\"},{\"id\":\"b\"}],\"repeat\":2}");
}

static void put_case(const char *id, unsigned index, const char *verdict)
{
	put("case", "case.begin", "{\"id\":\"%s\",\"title\":\"Title of %s\",\"attempt\":1,\"of\":4,\"index\":%u}", id, id, index);
	put("case", "step.begin", "{\"id\":\"%s/steps/0\",\"name\":\"call\",\"text\":\"call: {}\"}", id);
	put("case", "step.begin", "{\"id\":\"%s/steps/0/0\",\"name\":\"wait\",\"text\":\"wait: 1 s\"}", id);
	put("case", "step.end", "{\"id\":\"%s/steps/0/0\",\"verdict\":\"%s\"}", id, verdict);
	put("case", "step.end", "{\"id\":\"%s/steps/0\",\"verdict\":\"%s\"}", id, verdict);
	put("case", "case.end", "{\"id\":\"%s\",\"attempt\":1,\"verdict\":\"%s\",\"message\":\"so it is\"}", id, verdict);
}

static unsigned changes;

static void on_change(struct tail *tail, void *context)
{
	changes++;
}

static struct tail *follow(void)
{
	struct tail *tail;
	struct error err = {0};
	changes = 0;
	ck_assert_msg(tail_new(&tail, event, path, on_change, NULL, &err) == 0, "%s", err.message);
	return tail;
}

static void flush(void)
{
	ck_assert_int_eq(fflush(journal), 0);
}

/* Until the tail knows `bytes`. */
static void settle(struct tail *tail, uint64_t bytes)
{
	for (unsigned i = 0; tail_end(tail) < bytes && i < 2000; i++)
		ck_assert_int_ge(sd_event_run(event, 10000), 0);
	ck_assert_uint_eq(tail_end(tail), bytes);
}

static char *file_text(size_t *ret_length)
{
	FILE *file = fopen(path, "re");
	(void)fseek(file, 0, SEEK_END);
	*ret_length = (size_t)ftell(file);
	char *text = malloc(*ret_length + 1);
	rewind(file);
	ck_assert_uint_eq(fread(text, 1, *ret_length, file), *ret_length);
	text[*ret_length] = '\0';
	(void)fclose(file);
	return text;
}

/* Everything there is for the reader now. */
static char *read_all(struct tail *tail, struct tail_reader *reader, size_t piece, size_t *ret_length)
{
	char *text = NULL, *buffer = malloc(piece);
	size_t total = 0, n;
	for (;;) {
		ck_assert_int_eq(tail_read(tail, reader, buffer, piece, &n, NULL), 0);
		if (n == 0)
			break;
		ck_assert_int_eq(buffer[n - 1], '\n');
		text = realloc(text, total + n + 1);
		memcpy(text + total, buffer, n);
		total += n;
		text[total] = '\0';
	}
	free(buffer);
	*ret_length = total;
	return text;
}

static void expect_whole_file(struct tail *tail, size_t piece)
{
	struct tail_reader reader = {0};
	size_t length, expected_length;
	char *text = read_all(tail, &reader, piece, &length), *expected = file_text(&expected_length);
	ck_assert_uint_eq(length, expected_length);
	ck_assert_int_eq(memcmp(text, expected, length), 0);
	free(text);
	free(expected);
}

START_TEST(file_that_comes_later_is_followed)
{
	struct tail *tail = follow();
	ck_assert_int_ge(sd_event_run(event, 1000), 0);
	ck_assert_uint_eq(tail_end(tail), 0);
	put_begin();
	flush();
	settle(tail, (uint64_t)ftell(journal));
	ck_assert_uint_ge(changes, 1);
	put_frames(1000);
	flush();
	settle(tail, (uint64_t)ftell(journal));
	expect_whole_file(tail, 4096);
	expect_whole_file(tail, 1 << 20);
	ck_assert_uint_eq(tail_progress(tail)->events, 1001);
	tail_free(tail);
}
END_TEST

START_TEST(only_whole_lines_are_given)
{
	struct tail *tail = follow();
	put_begin();
	const uint64_t whole = (uint64_t)ftell(journal);
	(void)fputs("{\"n\":2,\"t\":1", journal);
	flush();
	settle(tail, whole);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_ge(sd_event_run(event, 10000), 0);
	struct tail_reader reader = {0};
	size_t length;
	free(read_all(tail, &reader, 4096, &length));
	ck_assert_uint_eq(length, whole);
	/* The writer takes it back, and writes something else. */
	ck_assert_int_eq(ftruncate(fileno(journal), (off_t)whole), 0);
	put_frames(1);
	flush();
	settle(tail, (uint64_t)ftell(journal));
	expect_whole_file(tail, 4096);
	tail_free(tail);
}
END_TEST

START_TEST(progress_is_told)
{
	struct tail *tail = follow();
	const struct tail_progress *progress = tail_progress(tail);
	put_begin();
	put_case("a", 1, "pass");
	put_case("b", 2, "fail");
	put("case", "case.begin", "{\"id\":\"a\",\"attempt\":1,\"of\":4,\"index\":3}");
	put("case", "step.begin", "{\"id\":\"a/steps/0\",\"text\":\"outer\"}");
	put("case", "step.begin", "{\"id\":\"a/steps/0/0\",\"text\":\"inner\"}");
	flush();
	settle(tail, (uint64_t)ftell(journal));
	ck_assert_str_eq(progress->case_id, "a");
	ck_assert_str_eq(progress->step, "inner");
	ck_assert(progress->is_virtual);
	ck_assert_int_eq(progress->begin_utc_ns, 1700000000000000000 + 5001000000);
	ck_assert_uint_eq(progress->done, 2);
	ck_assert_uint_eq(progress->of, 4);
	ck_assert_uint_eq(progress->pass, 1);
	ck_assert_uint_eq(progress->fail, 1);
	put("case", "step.end", "{\"id\":\"a/steps/0/0\",\"verdict\":\"pass\"}");
	flush();
	settle(tail, (uint64_t)ftell(journal));
	ck_assert_str_eq(progress->step, "outer");
	put("case", "case.end", "{\"id\":\"a\",\"verdict\":\"inconclusive\"}");
	put("run", "run.end", "{}");
	flush();
	ck_assert_int_eq(tail_finish(tail, NULL), 0);
	ck_assert_uint_eq(tail_end(tail), (uint64_t)ftell(journal));
	ck_assert_str_eq(progress->case_id, "");
	ck_assert_uint_eq(progress->inconclusive, 1);
	ck_assert_uint_eq(progress->done, 3);
	tail_free(tail);
}
END_TEST

/* What a program that is not ours may have written. */
START_TEST(mad_lines_do_no_harm)
{
	static const char *const lines[] = {
	        "",
	        "{",
	        "null",
	        "[]",
	        "\"kind\":\"",
	        "{\"kind\":\"\"}",
	        "{\"kind\":\"case.end\"}",
	        "{\"kind\":\"case.begin\",\"data\":[]}",
	        "{\"kind\":\"case.begin\",\"data\":{\"id\":7,\"index\":-1,\"of\":1e9}}",
	        "{\"kind\":\"step.end\"}",
	        "{\"n\":1,\"t\":99999999999999999999999,\"ch\":\"\\u0000\",\"kind\":\"case.begin\",\"data\":{}}",
	        "{\"t\":-5,\"ch\":\"board:\xff\",\"kind\":\"boot.stage\"}",
	        "{\"t\":1,\"ch\":\"x:\\\"y\",\"kind\":\"nobody.knows\"}"};
	json_t *answer = NULL;
	journal = fopen(path, "ae");
	for (unsigned i = 0; i < 40; i++)
		(void)fprintf(journal, "{\"n\":1,\"t\":%u,\"ch\":\"case\",\"kind\":\"step.begin\",\"data\":{\"id\":\"x\"}}\n", i);
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		(void)fprintf(journal, "%s\n", lines[i]);
	for (unsigned i = 0; i < 300; i++)
		(void)fprintf(journal, "{\"n\":1,\"t\":%u,\"ch\":\"board:b%u\",\"kind\":\"power.on\"}\n", i, i);
	flush();
	struct tail *tail = follow();
	ck_assert_int_eq(tail_finish(tail, NULL), 0);
	expect_whole_file(tail, 4096);
	tail_free(tail);
	ck_assert_int_eq(timeline_lanes(path, 0, -1, 100, &answer, NULL), 0);
	ck_assert(json_is_object(answer));
	json_decref(answer);
}
END_TEST

START_TEST(summary_leaves_the_traffic_out)
{
	struct tail *tail = follow();
	size_t length, lines = 0;
	put_begin();
	for (unsigned i = 0; i < 100; i++) {
		put_frames(50);
		put("board:zgw", "console.line", "{\"text\":\"hello\"}");
		put("board:zgw", "boot.stage", "{\"stage\":\"ssw\"}");
		put("link:a-b", "doip", "{\"hex\":\"00\"}");
	}
	flush();
	settle(tail, (uint64_t)ftell(journal));
	for (size_t piece = 300; piece < 1 << 20; piece *= 16) {
		struct tail_reader reader = {.summary = true};
		char *text = read_all(tail, &reader, piece, &length);
		lines = 0;
		for (char *line = text; *line; line = strchr(line, '\n') + 1)
			lines++;
		ck_assert_uint_eq(lines, 101);
		ck_assert_ptr_null(strstr(text, "can.rx"));
		ck_assert_uint_eq(reader.offset, tail_end(tail));
		free(text);
	}
	tail_free(tail);
}
END_TEST

START_TEST(long_line_is_left_out)
{
	struct tail *tail = follow();
	struct tail_reader reader = {0};
	size_t length;
	put_begin();
	(void)fprintf(journal, "{\"n\":2,\"t\":1,\"ch\":\"case\",\"kind\":\"note\",\"data\":{\"text\":\"%05000d\"}}\n", 7);
	put("case", "note", "{\"text\":\"after\"}");
	flush();
	settle(tail, (uint64_t)ftell(journal));
	char *text = read_all(tail, &reader, 1000, &length);
	ck_assert_ptr_nonnull(strstr(text, "run.begin"));
	ck_assert_ptr_nonnull(strstr(text, "\n{\"kind\":\"left-out\"}\n"));
	ck_assert_ptr_nonnull(strstr(text, "after"));
	ck_assert_ptr_null(strstr(text, "00007"));
	free(text);
	tail_free(tail);
}
END_TEST

START_TEST(line_longer_than_the_ring_is_passed)
{
	char *line = malloc(6 << 20);
	memset(line, 'x', 6 << 20);
	put_begin();
	ck_assert_uint_eq(fwrite(line, 1, 6 << 20, journal), 6 << 20);
	(void)fputc('\n', journal);
	put_case("a", 1, "pass");
	flush();
	free(line);
	struct tail *tail = follow();
	settle(tail, (uint64_t)ftell(journal));
	ck_assert_uint_eq(tail_progress(tail)->pass, 1);
	expect_whole_file(tail, 8 << 20);
	tail_free(tail);
}
END_TEST

/* Longer than the ring: from the file what the ring has no more, and lines across its end. */
START_TEST(readers_far_behind_read_the_file)
{
	struct tail *tail = follow();
	size_t lengths[2];
	put_begin();
	for (unsigned i = 0; i < 60; i++) {
		put_frames(1000);
		put_case("a", i + 1, i % 2 ? "pass" : "fail");
	}
	flush();
	settle(tail, (uint64_t)ftell(journal));
	ck_assert_uint_gt(tail_end(tail), TAIL_RING + 100000);
	ck_assert_uint_eq(tail_progress(tail)->pass, 30);
	ck_assert_uint_eq(tail_progress(tail)->fail, 30);
	expect_whole_file(tail, 65536);
	struct tail_reader all = {0}, summary = {.summary = true};
	free(read_all(tail, &all, 65536, &lengths[0]));
	char *text = read_all(tail, &summary, 65536, &lengths[1]);
	ck_assert_uint_lt(lengths[1], lengths[0] / 50);
	ck_assert_ptr_null(strstr(text, "can.rx"));
	free(text);
	tail_free(tail);
}
END_TEST

START_TEST(offsets_that_are_none_are_refused)
{
	static const uint64_t offsets[] = {1, 10, 1 << 20, UINT64_MAX, UINT64_C(1) << 63};
	char buffer[4096];
	size_t length;
	struct tail *tail = follow();
	put_begin();
	const uint64_t second = (uint64_t)ftell(journal);
	put_frames(3);
	flush();
	settle(tail, (uint64_t)ftell(journal));
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		struct tail_reader reader = {.offset = offsets[i]};
		ck_assert_int_eq(tail_read(tail, &reader, buffer, sizeof(buffer), &length, NULL), -EINVAL);
	}
	struct tail_reader reader = {.offset = second};
	ck_assert_int_eq(tail_read(tail, &reader, buffer, sizeof(buffer), &length, NULL), 0);
	ck_assert_uint_eq(length, tail_end(tail) - second);
	tail_free(tail);
}
END_TEST

START_TEST(who_reads_too_slowly_is_told)
{
	char *block = malloc(1 << 20), buffer[4096];
	size_t length;
	struct tail_reader slow = {0}, late = {0};
	struct tail *tail = follow();
	memset(block, 'x', 1 << 20);
	block[(1 << 20) - 1] = '\n';
	put_begin();
	flush();
	settle(tail, (uint64_t)ftell(journal));
	ck_assert_int_eq(tail_read(tail, &slow, buffer, sizeof(buffer), &length, NULL), 0);
	for (unsigned i = 0; i < (TAIL_LAG >> 20) + 1; i++)
		ck_assert_uint_eq(fwrite(block, 1, 1 << 20, journal), 1 << 20);
	flush();
	free(block);
	settle(tail, (uint64_t)ftell(journal));
	ck_assert_int_eq(tail_read(tail, &slow, buffer, sizeof(buffer), &length, NULL), -EOVERFLOW);
	ck_assert_uint_eq(length, 0);
	/* Who comes now and begins at the beginning has not been slow. */
	ck_assert_int_eq(tail_read(tail, &late, buffer, sizeof(buffer), &length, NULL), 0);
	ck_assert_uint_gt(length, 0);
	ck_assert_int_eq(tail_finish(tail, NULL), 0);
	ck_assert_int_eq(tail_read(tail, &slow, buffer, sizeof(buffer), &length, NULL), 0);
	tail_free(tail);
}
END_TEST

START_TEST(regions_forget_nothing)
{
	struct regions *regions = regions_new();
	uint64_t offset, end;
	for (uint64_t i = 0; i < 200000; i++)
		regions_add(regions, i * 100, i * 100 + 10);
	for (uint64_t i = 0; i < 200000; i++) {
		offset = i * 100;
		ck_assert(regions_next(regions, &offset, &end));
		ck_assert(offset == i * 100 && end >= i * 100 + 10);
	}
	offset = 200000 * 100;
	ck_assert(!regions_next(regions, &offset, &end));
	regions_free(regions);
}
END_TEST

/* ---- lanes ---- */

static json_t *lanes_of(int64_t from_ns, int64_t to_ns, unsigned limit)
{
	json_t *answer = NULL;
	struct error err = {0};
	flush();
	ck_assert_msg(timeline_lanes(path, from_ns, to_ns, limit, &answer, &err) == 0, "%s", err.message);
	return answer;
}

static const json_t *lane(const json_t *answer, const char *name, const char *kind)
{
	const json_t *one;
	size_t i;
	json_array_foreach (json_object_get(answer, "lanes"), i, one) {
		if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0) {
			ck_assert_str_eq(json_string_value(json_object_get(one, "kind")), kind);
			return json_object_get(one, "items");
		}
	}
	ck_abort_msg("there is no lane %s", name);
	return NULL;
}

static void expect_item(const json_t *items, size_t i, int64_t t_ms, int64_t end_ms, const char *label, const char *level)
{
	const json_t *item = json_array_get(items, i), *end = json_object_get(item, "end");
	ck_assert_ptr_nonnull(item);
	ck_assert_str_eq(json_string_value(json_object_get(item, "label")), label);
	ck_assert_str_eq(json_string_value(json_object_get(item, "level")), level);
	ck_assert_int_eq(json_integer_value(json_object_get(item, "t")), t_ms * 1000000);
	if (end_ms < 0)
		ck_assert(json_is_null(end));
	else
		ck_assert_int_eq(json_integer_value(end), end_ms * 1000000);
}

START_TEST(lanes_have_what_happened)
{
	put_begin();                                                                        /* 0 */
	put("board:zgw", "power.on", "%s", "");                                             /* 1 */
	put("board:zgw", "boot.stage", "{\"stage\":\"ssw\",\"t_us\":10}");                  /* 2 */
	put("board:zgw", "boot.stage", "{\"stage\":\"application\",\"t_us\":2000}");        /* 3 */
	put("link:zgw-vmg", "tls.client_hello", "{\"conn\":1,\"side\":\"client\"}");        /* 4 */
	put("link:zgw-vmg", "tls.finished", "{\"conn\":1,\"side\":\"client\"}");            /* 5 */
	put_case("a", 1, "fail");                                                           /* 6 to 11 */
	put("can:can0", "can.rx", "{\"id\":291,\"length\":1,\"hex\":\"7f\",\"flags\":[]}"); /* 12 */
	put("board:zgw", "console.line", "{\"text\":\"!fault \\u00e4\"}");                  /* 13 */
	put("board:zgw", "power.off", "%s", "");                                            /* 14 */
	put("link:zgw-vmg", "tls.alert", "{\"description\":\"bad certificate\"}");          /* 15 */
	put("case", "case.begin", "{\"id\":\"b\",\"title\":\"T\"}");                        /* 16 */
	(void)fputs("{\"n\":99,\"t\":1", journal);
	json_t *answer = lanes_of(0, -1, 4000);
	ck_assert_int_eq(json_integer_value(json_object_get(answer, "end_ns")), 16000000);
	ck_assert_int_eq(json_integer_value(json_object_get(answer, "left_off")), 0);
	ck_assert(json_is_true(json_object_get(answer, "virtual")));
	expect_item(lane(answer, "case", "case"), 0, 6, 11, "a", "fail");
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(lane(answer, "case", "case"), 0), "detail")),
	                 "Title of a — fail: so it is");
	expect_item(lane(answer, "case", "case"), 1, 16, 16, "b", "");
	expect_item(lane(answer, "step", "step"), 0, 7, 10, "call", "fail");
	expect_item(lane(answer, "step 2", "step"), 0, 8, 9, "wait", "fail");
	expect_item(lane(answer, "power zgw", "power"), 0, 1, 14, "on", "info");
	expect_item(lane(answer, "boot zgw", "boot"), 0, 2, 3, "ssw", "info");
	expect_item(lane(answer, "boot zgw", "boot"), 1, 3, 14, "application", "info");
	expect_item(lane(answer, "tls zgw-vmg", "tls"), 0, 4, 5, "handshake", "info");
	expect_item(lane(answer, "tls zgw-vmg", "tls"), 1, 15, -1, "tls.alert", "error");
	expect_item(lane(answer, "can0", "can"), 0, 12, -1, "123 [1] 7f", "info");
	expect_item(lane(answer, "console zgw", "console"), 0, 13, -1, "!fault ä", "info");
	json_decref(answer);
}
END_TEST

START_TEST(lanes_are_thinned_from_the_chatter)
{
	put_begin();
	for (unsigned i = 0; i < 40; i++) {
		put_frames(500);
		put_case("a", i + 1, "pass");
	}
	json_t *answer = lanes_of(0, -1, 300);
	const json_t *frames = lane(answer, "can0", "can");
	ck_assert_uint_eq(json_array_size(lane(answer, "case", "case")), 40);
	ck_assert_uint_eq(json_array_size(lane(answer, "step", "step")), 40);
	ck_assert_uint_eq(json_array_size(lane(answer, "step 2", "step")), 40);
	ck_assert_uint_ge(json_array_size(frames), 100);
	ck_assert_uint_le(json_array_size(frames), 180);
	ck_assert_int_eq(json_integer_value(json_object_get(answer, "left_off")), 20000 - (json_int_t)json_array_size(frames));
	/* Evenly: no gap is much longer than another. */
	for (size_t i = 1; i < json_array_size(frames); i++) {
		int64_t gap = json_integer_value(json_object_get(json_array_get(frames, i), "t")) -
		              json_integer_value(json_object_get(json_array_get(frames, i - 1), "t"));
		ck_assert(gap > 0 && gap < 3 * INT64_C(20240000000) / 100);
	}
	json_decref(answer);
}
END_TEST

START_TEST(failures_are_thinned_last)
{
	put_begin();
	for (unsigned i = 0; i < 1000; i++)
		put_case("a", i + 1, i % 250 == 99 ? "fail" : "pass");
	json_t *answer = lanes_of(0, -1, 30);
	unsigned failed = 0, total = 0;
	const json_t *one, *item;
	size_t i, k;
	json_array_foreach (json_object_get(answer, "lanes"), i, one)
		json_array_foreach (json_object_get(one, "items"), k, item) {
			total++;
			failed += strcmp(json_string_value(json_object_get(item, "level")), "fail") == 0;
		}
	ck_assert_uint_le(total, 30);
	ck_assert_uint_eq(failed, 12); /* 4 cases, and the two steps of each */
	json_decref(answer);
}
END_TEST

static size_t items_of(const json_t *answer)
{
	const json_t *one;
	size_t i, count = 0;
	json_array_foreach (json_object_get(answer, "lanes"), i, one)
		count += json_array_size(json_object_get(one, "items"));
	return count;
}

START_TEST(lanes_of_a_range)
{
	put_begin();
	put("board:zgw", "power.on", "%s", ""); /* 1 ms, to the end */
	put_frames(1000);                       /* 2 to 1001 ms */
	json_t *answer = lanes_of(500000000, 599500000, 4000);
	ck_assert_uint_eq(json_array_size(lane(answer, "can0", "can")), 100);
	expect_item(lane(answer, "power zgw", "power"), 0, 1, 1001, "on", "info");
	ck_assert_int_eq(json_integer_value(json_object_get(answer, "begin_ns")), 500000000);
	ck_assert_int_eq(json_integer_value(json_object_get(answer, "end_ns")), 599500000);
	json_decref(answer);
	answer = lanes_of(0, 0, 4000); /* a moment, not everything */
	ck_assert_int_eq(json_integer_value(json_object_get(answer, "end_ns")), 0);
	ck_assert_uint_lt(items_of(answer), 10);
	json_decref(answer);
	answer = lanes_of(0, -1, 1);
	ck_assert_uint_eq(items_of(answer), 1);
	json_decref(answer);
}
END_TEST

START_TEST(lanes_of_nothing)
{
	json_t *answer = NULL;
	ck_assert_int_eq(timeline_lanes(path, 0, -1, 10, &answer, NULL), -ENOENT);
	ck_assert_ptr_null(answer);
	journal = fopen(path, "ae");
	answer = lanes_of(0, -1, 0);
	ck_assert_uint_eq(json_array_size(json_object_get(answer, "lanes")), 0);
	json_decref(answer);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	        file_that_comes_later_is_followed,
	        only_whole_lines_are_given,
	        progress_is_told,
	        mad_lines_do_no_harm,
	        summary_leaves_the_traffic_out,
	        long_line_is_left_out,
	        line_longer_than_the_ring_is_passed,
	        readers_far_behind_read_the_file,
	        offsets_that_are_none_are_refused,
	        who_reads_too_slowly_is_told,
	        regions_forget_nothing,
	        lanes_have_what_happened,
	        lanes_are_thinned_from_the_chatter,
	        failures_are_thinned_last,
	        lanes_of_a_range,
	        lanes_of_nothing,
	};
	Suite *suite = suite_create("tail");
	TCase *cases = tcase_create("tail");
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_set_timeout(cases, 60);
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tcase_add_test(cases, tests[i]);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
