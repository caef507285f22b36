/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../../daemon/lab/queue.h"

static const char *const plain[] = {"virtual", NULL}, *const fd[] = {"virtual", "can-fd", NULL};
static struct rig_record healthy = {.online = true}, suspect = {.online = true, .health = HEALTH_SUSPECT};
static char dead_reason[] = "board zgw is lost", off_reason[] = "can0 is down";
static struct rig_record quarantined = {.online = true, .health = HEALTH_QUARANTINED, .reason = dead_reason},
                         offline = {.reason = off_reason};

#define RIG(n, p, c, r, f) {.name = n, .pool = p, .capabilities = c, .record = &r, .free = f}

START_TEST(priority_then_age)
{
	const struct queue_rig rigs[] = {RIG("v1", "v", plain, healthy, true), RIG("v2", "v", plain, healthy, true)};
	const struct queue_want wants[] = {{.job = 9, .shards = 1}, {.job = 3, .shards = 1}, {.job = 12, .priority = 5, .shards = 1}};
	struct queue_grant grants[2];
	ck_assert_uint_eq(queue_assign(wants, 3, rigs, 2, grants), 2);
	ck_assert_int_eq(grants[0].job, 12);
	ck_assert_uint_eq(grants[0].rig, 0);
	ck_assert_int_eq(grants[1].job, 3);
	ck_assert_uint_eq(grants[1].rig, 1);
}
END_TEST

START_TEST(a_waiting_job_does_not_block_others)
{
	const struct queue_rig rigs[] = {RIG("v1", "v", plain, healthy, false), RIG("v2", "v", plain, healthy, true)};
	const struct queue_want wants[] = {{.job = 1, .rig = "v1", .priority = 100, .shards = 1}, {.job = 2, .shards = 1}};
	struct queue_grant grants[2];
	ck_assert_uint_eq(queue_assign(wants, 2, rigs, 2, grants), 1);
	ck_assert_int_eq(grants[0].job, 2);
	ck_assert_uint_eq(grants[0].rig, 1);
}
END_TEST

START_TEST(healthy_before_suspect_and_never_unfit)
{
	const struct queue_rig rigs[] = {RIG("a", "v", plain, quarantined, true), RIG("b", "v", plain, offline, true),
	                                 RIG("c", "v", plain, suspect, true), RIG("d", "v", plain, healthy, true)};
	const struct queue_want wants[] = {{.job = 1, .shards = 1}, {.job = 2, .shards = 1}, {.job = 3, .shards = 1}};
	struct queue_grant grants[4];
	ck_assert_uint_eq(queue_assign(wants, 3, rigs, 4, grants), 2);
	ck_assert_uint_eq(grants[0].rig, 3);
	ck_assert_uint_eq(grants[1].rig, 2);
}
END_TEST

START_TEST(what_a_job_asks_for)
{
	const struct queue_rig rigs[] = {RIG("a", "x", plain, healthy, true), RIG("b", "y", fd, healthy, true),
	                                 RIG("c", NULL, fd, healthy, true)};
	struct queue_grant grants[3];
	static const char *const needs[] = {"can-fd", NULL}, *const much[] = {"can-fd", "laser", NULL};
	const struct {
		struct queue_want want;
		int rig; /* -1: none */
	} table[] = {
	        {{.rig = "b"}, 1},
	        {{.rig = "z"}, -1},
	        {{.pool = "y"}, 1},
	        {{.pool = "z"}, -1},
	        {{.requires = needs}, 1},
	        {{.requires = needs, .pool = "x"}, -1},
	        {{.requires = needs, .rig = "a"}, -1},
	        {{.requires = much}, -1},
	        {{.job = 1}, 0},
	        {{.rig = "c"}, 2},
	};
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct queue_want want = table[i].want;
		char text[200];
		want.shards = 1;
		size_t count = queue_assign(&want, 1, rigs, 3, grants);
		ck_assert_uint_eq(count, table[i].rig >= 0);
		ck_assert_int_eq(queue_possible(&want, rigs, 3, text, sizeof(text)), table[i].rig >= 0);
		if (count)
			ck_assert_int_eq((int)grants[0].rig, table[i].rig);
	}
}
END_TEST

START_TEST(shards_of_one_pool)
{
	const struct queue_rig rigs[] = {RIG("a", "x", plain, healthy, true),  RIG("b", "y", plain, suspect, true),
	                                 RIG("c", "y", plain, healthy, true),  RIG("d", "y", plain, healthy, false),
	                                 RIG("e", NULL, plain, healthy, true), RIG("f", "y", plain, healthy, true)};
	struct queue_grant grants[6];
	struct queue_want want = {.job = 1, .shards = 2};
	ck_assert_uint_eq(queue_assign(&want, 1, rigs, 6, grants), 2);
	ck_assert_uint_eq(grants[0].rig, 2); /* healthy ones of the larger pool */
	ck_assert_uint_eq(grants[1].rig, 5);
	want.shards = 16;
	ck_assert_uint_eq(queue_assign(&want, 1, rigs, 6, grants), 3);
	want.pool = "x";
	ck_assert_uint_eq(queue_assign(&want, 1, rigs, 6, grants), 1);
}
END_TEST

START_TEST(a_retry_goes_elsewhere)
{
	struct queue_rig rigs[] = {RIG("a", "x", plain, healthy, true), RIG("b", "x", plain, healthy, false),
	                           RIG("c", "x", plain, quarantined, true)};
	struct queue_grant grants[3];
	struct queue_want want = {.job = 1, .shards = 1, .avoid = "a"};
	char text[100];
	ck_assert_uint_eq(queue_assign(&want, 1, rigs, 3, grants), 0); /* b will be free */
	queue_waits_for(&want, rigs, 3, text, sizeof(text));
	ck_assert_str_eq(text, "b is busy");
	rigs[1].free = true;
	ck_assert_uint_eq(queue_assign(&want, 1, rigs, 3, grants), 1);
	ck_assert_uint_eq(grants[0].rig, 1);
	rigs[1].record = &quarantined; /* nobody else is left */
	ck_assert_uint_eq(queue_assign(&want, 1, rigs, 3, grants), 1);
	ck_assert_uint_eq(grants[0].rig, 0);
}
END_TEST

START_TEST(reasons)
{
	struct queue_rig rigs[] = {RIG("a", "x", plain, quarantined, true), RIG("b", "x", fd, offline, true),
	                           RIG("c", "y", fd, healthy, false)};
	static const char *const needs[] = {"can-fd", NULL};
	char text[300];
	ck_assert(!queue_possible(&(struct queue_want){.pool = "x"}, rigs, 3, text, sizeof(text)));
	ck_assert_str_eq(text, "a: quarantined: board zgw is lost\nb: offline: can0 is down");
	ck_assert(!queue_possible(&(struct queue_want){.pool = "x", .requires = needs}, rigs, 3, text, sizeof(text)));
	ck_assert_str_eq(text, "a: has no can-fd\nb: offline: can0 is down");
	ck_assert(!queue_possible(&(struct queue_want){.rig = "q"}, rigs, 3, text, sizeof(text)));
	ck_assert_str_eq(text, "q: no such rig");
	ck_assert(!queue_possible(&(struct queue_want){.pool = "q"}, rigs, 3, text, sizeof(text)));
	ck_assert_str_eq(text, "no rig is in the pool q");
	ck_assert(!queue_possible(&(struct queue_want){.job = 1}, rigs, 0, text, sizeof(text)));
	ck_assert_str_eq(text, "there is no rig");
	ck_assert(!queue_possible(&(struct queue_want){.pool = "x"}, rigs, 3, text, 9)); /* a small buffer is not overrun */
	ck_assert_str_eq(text, "a: quara");
	ck_assert(queue_possible(&(struct queue_want){.job = 1}, rigs, 3, text, sizeof(text)));
	ck_assert_str_eq(text, "");
	queue_waits_for(&(struct queue_want){.job = 1}, rigs, 3, text, sizeof(text));
	ck_assert_str_eq(text, "c is busy");
	rigs[0].record = &healthy;
	rigs[0].free = false;
	queue_waits_for(&(struct queue_want){.job = 1}, rigs, 3, text, sizeof(text));
	ck_assert_str_eq(text, "a and c are busy");
	rigs[0].free = true;
	queue_waits_for(&(struct queue_want){.job = 1}, rigs, 3, text, sizeof(text));
	ck_assert_str_eq(text, "its turn");
}
END_TEST

START_TEST(many_are_counted)
{
	struct queue_rig rigs[9];
	char names[9][4], text[100];
	for (unsigned i = 0; i < 9; i++) {
		snprintf(names[i], sizeof(names[i]), "v%u", i + 1);
		rigs[i] = (struct queue_rig)RIG(names[i], "v", plain, healthy, false);
	}
	queue_waits_for(&(struct queue_want){.job = 1}, rigs, 9, text, sizeof(text));
	ck_assert_str_eq(text, "v1, v2, v3, v4, v5, v6 and 3 more are busy");
	queue_waits_for(&(struct queue_want){.job = 1}, rigs, 3, text, sizeof(text));
	ck_assert_str_eq(text, "v1, v2 and v3 are busy");
}
END_TEST

static const char *const rig_names[] = {"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"}, *const pools[] = {"x", "y", NULL};

static bool suits(const struct queue_want *want, const struct queue_rig *rig)
{
	bool has = !want->
	                    requires;
	for (const char *const *one = rig->capabilities; want->requires && *one; one++)
		has |= strcmp(*one, want->requires[0]) == 0;
	return has && rig->record->online && rig->record->health != HEALTH_QUARANTINED && (!want->rig || !strcmp(want->rig, rig->name)) &&
	       (!want->pool || (rig->pool && !strcmp(want->pool, rig->pool)));
}

static void check_deal(const struct queue_want *wants, size_t want_count, const struct queue_rig *rigs, size_t rig_count,
                       const struct queue_grant *grants, size_t count)
{
	bool taken[8] = {false};
	for (size_t i = 0; i < count; i++) {
		const struct queue_want *want = NULL;
		unsigned shards = 0;
		for (size_t j = 0; j < want_count; j++)
			want = wants[j].job == grants[i].job ? &wants[j] : want;
		ck_assert_ptr_nonnull(want);
		ck_assert(!taken[grants[i].rig]); /* no rig twice */
		taken[grants[i].rig] = true;
		ck_assert(rigs[grants[i].rig].free);
		ck_assert(suits(want, &rigs[grants[i].rig]));
		for (size_t j = 0; j < count; j++)
			shards += grants[j].job == want->job;
		ck_assert_uint_le(shards, want->shards);
	}
	/* Nobody goes without while a rig that would do is free, or with somebody less urgent. */
	for (size_t j = 0; j < want_count; j++) {
		bool served = false;
		for (size_t i = 0; i < count; i++)
			served |= grants[i].job == wants[j].job;
		for (size_t r = 0; !served && r < rig_count; r++) {
			if (!rigs[r].free || !suits(&wants[j], &rigs[r]))
				continue;
			ck_assert(taken[r]);
			for (size_t i = 0; i < count; i++)
				for (size_t k = 0; k < want_count; k++)
					if (grants[i].rig == r && wants[k].job == grants[i].job)
						ck_assert(wants[k].priority > wants[j].priority ||
						          (wants[k].priority == wants[j].priority && wants[k].job < wants[j].job));
		}
	}
}

START_TEST(any_deal_is_fair)
{
	static const char *const needs[] = {"can-fd", NULL};
	struct rig_record *const records[] = {&healthy, &healthy, &suspect, &quarantined, &offline};
	srand(11);
	for (unsigned round = 0; round < 3000; round++) {
		struct queue_rig rigs[8];
		struct queue_want wants[12];
		struct queue_grant grants[8];
		size_t rig_count = (size_t)rand() % 9, want_count = (size_t)rand() % 13;
		for (size_t i = 0; i < rig_count; i++)
			rigs[i] = (struct queue_rig)RIG(rig_names[i], pools[rand() % 3], rand() % 2 ? plain : fd, *records[rand() % 5],
			                                rand() % 3 != 0);
		for (size_t i = 0; i < want_count; i++) {
			wants[i] = (struct queue_want){
			        .job = (int64_t)((i * 5) % 12), .priority = rand() % 3, .shards = 1 + (unsigned)rand() % 3};
			if (rand() % 4 == 0)
				wants[i].rig = rig_names[rand() % 8];
			else if (rand() % 2)
				wants[i].pool = pools[rand() % 2];
			if (rand() % 3 == 0)
			wants[i].
			        requires
			= needs;
		}
		check_deal(wants, want_count, rigs, rig_count, grants, queue_assign(wants, want_count, rigs, rig_count, grants));
	}
}
END_TEST

/* 10,000 jobs that wait for one busy rig while another is free for the last of them: a turn stays far below what anybody would notice. */
START_TEST(ten_thousand_wants)
{
	const struct queue_rig rigs[] = {RIG("v1", "v", plain, healthy, false), RIG("v2", "v", plain, healthy, true)};
	static struct queue_want wants[10000];
	struct queue_grant grants[2];
	struct timespec begin, end;
	for (int i = 0; i < 10000; i++)
		wants[i] = (struct queue_want){.job = i, .rig = i == 0 ? "v2" : "v1", .priority = i == 0 ? -1 : 0, .shards = 1};
	int64_t best_ns = INT64_MAX;
	for (int tries = 0; tries < 10 && best_ns >= 50000000; tries++) {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
		ck_assert_uint_eq(queue_assign(wants, 10000, rigs, 2, grants), 1);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
		int64_t took_ns = (end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec;
		best_ns = took_ns < best_ns ? took_ns : best_ns;
	}
	ck_assert_int_eq(grants[0].job, 0);
	ck_assert_int_lt(best_ns, 50000000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue");
	TCase *cases = tcase_create("queue");
	tcase_add_test(cases, priority_then_age);
	tcase_add_test(cases, a_waiting_job_does_not_block_others);
	tcase_add_test(cases, healthy_before_suspect_and_never_unfit);
	tcase_add_test(cases, what_a_job_asks_for);
	tcase_add_test(cases, shards_of_one_pool);
	tcase_add_test(cases, a_retry_goes_elsewhere);
	tcase_add_test(cases, reasons);
	tcase_add_test(cases, many_are_counted);
	tcase_add_test(cases, any_deal_is_fair);
	tcase_add_test(cases, ten_thousand_wants);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
