/* SPDX-License-Identifier: Apache-2.0 */
/* What viewers get: the hub, the throttle, stored journals. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../../daemon/api/hub.h"
#include "../../../daemon/api/journal_file.h"
#include "../../../daemon/api/throttle.h"

#define ERA 0xabc

static char text[HUB_BYTES + 4096];

/* Everything that the viewer gets now, in pieces of `size`; *ended: it was dropped. */
static const char *read_all(struct hub *hub, struct hub_viewer *viewer, size_t size, bool *ended)
{
	size_t length = 0;
	*ended = false;
	for (;;) {
		ck_assert_uint_le(length + size, sizeof(text) - 1);
		ssize_t n = hub_viewer_read(hub, viewer, text + length, size);
		*ended = n == -ENODATA;
		if (n <= 0) {
			ck_assert(n == 0 || n == -ENODATA);
			break;
		}
		length += (size_t)n;
	}
	text[length] = '\0';
	return text;
}

static void put(struct hub *hub, int number)
{
	json_t *data = json_pack("{s:i}", "n", number);
	hub_put(hub, "job", data);
	json_decref(data);
}

START_TEST(viewers_get_every_event_once)
{
	struct hub *hub = hub_new(ERA);
	struct hub_viewer early, late;
	bool ended;
	hub_viewer_begin(hub, &early, NULL);
	ck_assert_str_eq(read_all(hub, &early, 256, &ended), "retry: 2000\nid: abc-0\n\n");
	put(hub, 1);
	hub_viewer_begin(hub, &late, NULL);
	put(hub, 2);
	ck_assert_str_eq(read_all(hub, &early, 256, &ended),
	                 "id: abc-1\nevent: job\ndata: {\"n\":1}\n\nid: abc-2\nevent: job\ndata: {\"n\":2}\n\n");
	ck_assert(!ended);
	ck_assert_str_eq(read_all(hub, &early, 256, &ended), "");
	ck_assert_str_eq(read_all(hub, &late, 256, &ended), "retry: 2000\nid: abc-1\n\nid: abc-2\nevent: job\ndata: {\"n\":2}\n\n");
	hub_viewer_end(&early);
	hub_viewer_end(&late);
	hub_free(hub);
}
END_TEST

START_TEST(small_pieces_join)
{
	struct hub *hub = hub_new(ERA);
	struct hub_viewer viewer;
	bool ended;
	char whole[4096];
	hub_viewer_begin(hub, &viewer, "abc-0");
	read_all(hub, &viewer, 256, &ended);
	for (int i = 0; i < 20; i++)
		put(hub, i);
	struct hub_viewer other;
	hub_viewer_begin(hub, &other, "abc-0");
	read_all(hub, &other, 4096, &ended);
	snprintf(whole, sizeof(whole), "%s", strstr(text, "id: abc-1\n"));
	ck_assert_str_eq(read_all(hub, &viewer, 7, &ended), whole);
	hub_viewer_end(&viewer);
	hub_viewer_end(&other);
	hub_free(hub);
}
END_TEST

START_TEST(who_comes_back_goes_on)
{
	struct hub *hub = hub_new(ERA);
	struct hub_viewer viewer;
	bool ended;
	for (int i = 1; i <= 3; i++)
		put(hub, i);
	hub_viewer_begin(hub, &viewer, "abc-2");
	read_all(hub, &viewer, 256, &ended);
	ck_assert_ptr_null(strstr(text, "{\"n\":2}"));
	ck_assert_ptr_nonnull(strstr(text, "{\"n\":3}"));
	hub_viewer_end(&viewer);
	hub_free(hub);
}
END_TEST

START_TEST(positions_of_others_are_refused)
{
	static const char *const strange[] = {"abd-1", "abc-9", "abc", "abc-1x", "7", "-1", "abc-"};
	struct hub *hub = hub_new(ERA);
	put(hub, 1);
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		struct hub_viewer viewer;
		bool ended;
		hub_viewer_begin(hub, &viewer, strange[i]);
		read_all(hub, &viewer, 512, &ended);
		ck_assert_msg(ended && strstr(text, "event: dropped\ndata: {\"reason\":"), "%s: %s", strange[i], text);
		ck_assert_ptr_nonnull(strstr(text, "id: abc-1\n")); /* a browser comes back to now */
		hub_viewer_end(&viewer);
	}
	ck_assert_uint_eq(hub_dropped(hub), sizeof(strange) / sizeof(strange[0]));
	hub_free(hub);
}
END_TEST

START_TEST(slow_viewers_are_dropped_with_a_notice)
{
	struct hub *hub = hub_new(ERA);
	struct hub_viewer slow, quick;
	char part[10];
	bool ended;
	hub_viewer_begin(hub, &slow, NULL);
	hub_viewer_begin(hub, &quick, NULL);
	read_all(hub, &slow, 256, &ended);
	put(hub, 0);
	ck_assert_int_eq(hub_viewer_read(hub, &slow, part, sizeof(part)), sizeof(part));
	for (unsigned i = 1; i <= HUB_EVENTS + 10; i++) {
		put(hub, (int)i);
		read_all(hub, &quick, 512, &ended);
		ck_assert(!ended);
	}
	/* What was begun is finished first. */
	read_all(hub, &slow, 512, &ended);
	ck_assert(ended);
	ck_assert_msg(strstr(text, "{\"n\":0}\n\nid: ") != NULL, "%s", text);
	ck_assert_ptr_nonnull(strstr(text, "event: dropped"));
	ck_assert_ptr_null(strstr(text, "{\"n\":1}"));
	ck_assert_uint_eq(hub_dropped(hub), 1);
	ck_assert_int_eq(hub_viewer_read(hub, &slow, part, sizeof(part)), -ENODATA);
	hub_viewer_end(&slow);
	hub_viewer_end(&quick);
	hub_free(hub);
}
END_TEST

START_TEST(memory_is_bounded)
{
	struct hub *hub = hub_new(ERA);
	struct hub_viewer viewer;
	bool ended;
	char *large = malloc(300001);
	memset(large, 'x', 300000);
	large[300000] = '\0';
	json_t *data = json_pack("{s:s}", "x", large);
	for (int i = 0; i < 200; i++)
		hub_put(hub, "run", data);
	hub_viewer_begin(hub, &viewer, "abc-187");
	read_all(hub, &viewer, 32768, &ended);
	ck_assert(!ended);
	ck_assert_uint_le(strlen(text), HUB_BYTES);
	ck_assert_uint_ge(strlen(text), 13u * 300000);
	hub_viewer_end(&viewer);
	hub_viewer_begin(hub, &viewer, "abc-180");
	read_all(hub, &viewer, 32768, &ended);
	ck_assert(ended);
	hub_viewer_end(&viewer);
	json_decref(data);
	free(large);
	hub_free(hub);
}
END_TEST

START_TEST(what_cannot_be_kept_drops_everybody)
{
	struct hub *hub = hub_new(ERA);
	struct hub_viewer viewer;
	bool ended;
	char *large = malloc(HUB_BYTES);
	memset(large, 'x', HUB_BYTES - 1);
	large[HUB_BYTES - 1] = '\0';
	json_t *data = json_pack("{s:s}", "x", large);
	hub_viewer_begin(hub, &viewer, NULL);
	read_all(hub, &viewer, 256, &ended);
	hub_put(hub, "run", data);
	read_all(hub, &viewer, 512, &ended);
	ck_assert(ended);
	hub_viewer_end(&viewer);
	json_decref(data);
	free(large);
	hub_free(hub);
}
END_TEST

START_TEST(runs_are_throttled_and_the_newest_is_kept)
{
	struct throttle *throttle = throttle_new(250);
	json_t *data[4];
	for (int i = 0; i < 4; i++)
		data[i] = json_integer(i);
	ck_assert(throttle_offer(throttle, 7, data[0], 1000));
	ck_assert(throttle_offer(throttle, 8, data[0], 1000));
	ck_assert(!throttle_offer(throttle, 7, data[1], 1010));
	ck_assert(!throttle_offer(throttle, 7, data[2], 1249));
	ck_assert_int_eq(throttle_next_ns(throttle), 1250);
	ck_assert_ptr_null(throttle_due(throttle, 1249));
	json_t *due = throttle_due(throttle, 1250);
	ck_assert_int_eq(json_integer_value(due), 2);
	json_decref(due);
	ck_assert_ptr_null(throttle_due(throttle, 1250));
	ck_assert_int_eq(throttle_next_ns(throttle), INT64_MAX);
	ck_assert(!throttle_offer(throttle, 7, data[3], 1499)); /* the one that was due counts */
	ck_assert(throttle_offer(throttle, 8, data[3], 1499));
	throttle_free(throttle);
	for (int i = 0; i < 4; i++)
		json_decref(data[i]);
}
END_TEST

START_TEST(four_a_second_at_most)
{
	struct throttle *throttle = throttle_new(250000000);
	json_t *data = json_true(), *due;
	unsigned sent = 0;
	for (int64_t now = 0; now < INT64_C(10000000000); now += 1000000) {
		sent += throttle_offer(throttle, 1, data, now);
		while ((due = throttle_due(throttle, now))) {
			json_decref(due);
			sent++;
		}
	}
	ck_assert_uint_le(sent, 41);
	ck_assert_uint_ge(sent, 39);
	throttle_free(throttle);
}
END_TEST

/* ---- journals ---- */

#define LINE(n, kind) "{\"n\":" #n ",\"t\":1,\"clock\":\"user\",\"u\":1,\"ch\":\"run\",\"kind\":\"" kind "\"}\n"

static int journal(const char *content)
{
	int fd = memfd_create("journal", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	return fd;
}

START_TEST(journal_in_whole_lines)
{
	const char *content = LINE(1, "run.begin") LINE(2, "can.rx") LINE(3, "case.begin");
	int fd = journal(LINE(1, "run.begin") LINE(2, "can.rx") LINE(3, "case.begin") "{\"n\":4,\"t");
	char buffer[160];
	uint64_t offset = 0;
	size_t length, total = 0;
	ck_assert_int_eq(journal_file_read(fd, &offset, false, buffer, sizeof(buffer), &length), 1);
	ck_assert_uint_eq(buffer[length - 1], '\n');
	total += length;
	ck_assert_int_eq(journal_file_read(fd, &offset, false, buffer, sizeof(buffer), &length), 1);
	total += length;
	ck_assert_uint_eq(total, strlen(content));
	ck_assert_int_eq(journal_file_read(fd, &offset, false, buffer, sizeof(buffer), &length), 0);
	ck_assert_uint_eq(length, 0);
	ck_assert_uint_eq(offset, strlen(content));
	ck_assert(journal_file_line_begins(fd, offset));
	ck_assert(!journal_file_line_begins(fd, offset - 1));
	close(fd);
}
END_TEST

START_TEST(summary_leaves_traffic_out)
{
	int fd = journal(LINE(1, "run.begin") LINE(2, "can.rx") LINE(3, "console.line") LINE(4, "case.begin"));
	char buffer[1024];
	uint64_t offset = 0;
	size_t length;
	ck_assert_int_eq(journal_file_read(fd, &offset, true, buffer, sizeof(buffer), &length), 1);
	buffer[length] = '\0';
	ck_assert_str_eq(buffer, LINE(1, "run.begin") LINE(4, "case.begin"));
	close(fd);
}
END_TEST

START_TEST(long_lines_are_left_out)
{
	char content[2000], buffer[256];
	memset(content, 'x', 1000);
	snprintf(content + 1000, sizeof(content) - 1000, "\n%s", LINE(2, "case.begin"));
	int fd = journal(content);
	uint64_t offset = 0;
	size_t length;
	ck_assert_int_eq(journal_file_read(fd, &offset, false, buffer, sizeof(buffer), &length), 1);
	buffer[length] = '\0';
	ck_assert_str_eq(buffer, "{\"kind\":\"left-out\"}\n");
	ck_assert_uint_eq(offset, 1001);
	ck_assert_int_eq(journal_file_read(fd, &offset, false, buffer, sizeof(buffer), &length), 1);
	buffer[length] = '\0';
	ck_assert_str_eq(buffer, LINE(2, "case.begin"));
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("api_live");
	TCase *tests = tcase_create("live");
	tcase_set_timeout(tests, 60); /* a loaded machine takes its time */
	tcase_add_test(tests, viewers_get_every_event_once);
	tcase_add_test(tests, small_pieces_join);
	tcase_add_test(tests, who_comes_back_goes_on);
	tcase_add_test(tests, positions_of_others_are_refused);
	tcase_add_test(tests, slow_viewers_are_dropped_with_a_notice);
	tcase_add_test(tests, memory_is_bounded);
	tcase_add_test(tests, what_cannot_be_kept_drops_everybody);
	tcase_add_test(tests, runs_are_throttled_and_the_newest_is_kept);
	tcase_add_test(tests, four_a_second_at_most);
	tcase_add_test(tests, journal_in_whole_lines);
	tcase_add_test(tests, summary_leaves_traffic_out);
	tcase_add_test(tests, long_lines_are_left_out);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
