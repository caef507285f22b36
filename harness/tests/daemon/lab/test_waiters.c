/* SPDX-License-Identifier: Apache-2.0 */
/* People who wait for a rig: their order among themselves and among jobs, and what becomes of them when it never gets free. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bed.h"

#define SECOND INT64_C(1000000000)

static struct bed bed;
static char order[100]; /* who was answered, in that order */

struct person {
	char name[8];
	bool gone;
	int r, answers;
	int64_t lease;
	char secret[LEASE_SECRET_SIZE], message[200];
	struct lab_waiter *waiter;
};

static bool there(void *context)
{
	return !((struct person *)context)->gone;
}

static void answered(int r, const struct error *error, int64_t lease, const char *secret, void *context)
{
	struct person *person = context;
	person->r = r;
	person->answers++;
	person->lease = lease;
	person->waiter = NULL;
	snprintf(person->secret, sizeof(person->secret), "%s", secret ? secret : "");
	snprintf(person->message, sizeof(person->message), "%.150s", error ? error->message : "");
	size_t used = strlen(order);
	ck_assert_int_lt(snprintf(order + used, sizeof(order) - used, "%s", person->name), (int)(sizeof(order) - used));
}

static int wait_for(struct person *person, const char *name, const char *rig, bool anyway)
{
	static const struct lab_waiter_calls calls = {.there = there, .answered = answered};
	const struct lab_lease_request request = {.rig = rig, .by = name, .for_ns = 60 * SECOND};
	struct error error = {0};
	*person = (struct person){0};
	snprintf(person->name, sizeof(person->name), "%s", name);
	return lab_wait(bed.lab, &request, anyway, &calls, person, &person->waiter, &error);
}

static struct person lock_rig(const char *name)
{
	struct person person = {0};
	struct error error = {0};
	const struct lab_lease_request request = {.rig = "v1", .by = name, .for_ns = 60 * SECOND};
	ck_assert_msg(lab_lease(bed.lab, &request, false, &person.lease, person.secret, &error) == 0, "%s", error.message);
	snprintf(person.name, sizeof(person.name), "%s", name);
	return person;
}

static void give_back(const struct person *person)
{
	struct error error = {0};
	ck_assert_msg(lab_unlease(bed.lab, person->lease, person->secret, person->name, &error) == 0, "%s", error.message);
}

static struct person *awaited;
static bool is_answered(struct bed *ignored, int64_t number)
{
	return awaited->answers > 0;
}

static void until_answered(struct person *person)
{
	awaited = person;
	bed_until(&bed, is_answered, 0);
	ck_assert_int_eq(person->answers, 1);
}

static void waits_for(int64_t job, const char *text)
{
	json_t *json = bed_job_json(&bed, job);
	const char *is = json_string_value(json_object_get(json, "waiting_for"));
	ck_assert_msg(is && strstr(is, text), "\"%s\" without \"%s\"", is ? is : "", text);
	json_decref(json);
}

static void begin(size_t rigs)
{
	order[0] = '\0';
	bed_make(&bed, rigs);
	bed_open(&bed);
}

static void all_still(void)
{
	bed_until(&bed, bed_idle, 0);
	bed_check(&bed);
	bed_remove(&bed);
}

START_TEST(first_come_first_served)
{
	struct person ada, bob, eve;
	struct error error = {0};
	begin(1);
	struct person cal = lock_rig("cal");
	ck_assert_int_eq(wait_for(&ada, "ada", "v1", false), 0);
	ck_assert_int_eq(wait_for(&bob, "bob", "v1", false), 0);
	ck_assert_int_eq(wait_for(&eve, "eve", "v1", true), 0); /* an admin waits like everybody else */
	give_back(&cal);
	until_answered(&ada);
	ck_assert_msg(ada.r == 0, "%s", ada.message);
	ck_assert_int_eq(lab_heartbeat(bed.lab, ada.lease, ada.secret, &error), 0);
	bed_pump(&bed, SECOND / 5);
	ck_assert_int_eq(bob.answers, 0);
	give_back(&ada);
	until_answered(&bob);
	give_back(&bob);
	until_answered(&eve);
	give_back(&eve);
	ck_assert_str_eq(order, "adabobeve");
	all_still();
}
END_TEST

START_TEST(before_jobs_of_their_priority)
{
	struct person ada;
	begin(1);
	struct person cal = lock_rig("cal");
	/* Jobs that came before. */
	int64_t low = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n", .priority = -1});
	int64_t same = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"});
	int64_t high = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n", .priority = 1});
	ck_assert_int_eq(wait_for(&ada, "ada", "v1", false), 0);
	waits_for(same, "v1 is locked by cal until ");
	waits_for(same, "; before it ada waits for v1");
	json_t *json = bed_job_json(&bed, high);
	ck_assert_ptr_null(strstr(json_string_value(json_object_get(json, "waiting_for")), "ada"));
	json_decref(json);
	give_back(&cal);
	until_answered(&ada);
	ck_assert_int_eq(ada.r, 0);
	ck_assert(bed_job_done(&bed, high));
	ck_assert(!bed_job_done(&bed, same) && !bed_job_done(&bed, low));
	ck_assert_uint_eq(bed_runs(&bed, same) + bed_runs(&bed, low), 0);
	waits_for(same, "v1 is locked by ada until ");
	give_back(&ada);
	bed_until(&bed, bed_job_done, low);
	ck_assert(bed_job_done(&bed, same));
	all_still();
}
END_TEST

START_TEST(ahead_of_a_stream_of_jobs)
{
	struct person ada;
	begin(1);
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "case a pass - 0.3\n"});
	for (unsigned i = 0; i < 5; i++)
		(void)bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"});
	ck_assert_int_eq(wait_for(&ada, "ada", "v1", false), 0);
	until_answered(&ada);
	ck_assert(bed_job_done(&bed, job));
	ck_assert(!bed_job_done(&bed, job + 1));
	give_back(&ada);
	all_still();
}
END_TEST

START_TEST(who_is_gone_keeps_nobody_waiting)
{
	struct person ada, bob, eve;
	begin(1);
	struct person cal = lock_rig("cal");
	ck_assert_int_eq(wait_for(&ada, "ada", "v1", false), 0);
	ck_assert_int_eq(wait_for(&bob, "bob", "v1", false), 0);
	ck_assert_int_eq(wait_for(&eve, "eve", "v1", false), 0);
	int64_t job = bed_submit(&bed, &(struct bed_job){.plan = "case a pass\n"});
	ada.gone = true;
	until_answered(&ada); /* also as long as the rig is not free */
	ck_assert_int_eq(ada.r, -ECANCELED);
	waits_for(job, "; before it bob waits for v1");
	lab_wait_drop(bob.waiter);
	eve.gone = true;
	give_back(&cal);
	bed_until(&bed, bed_job_done, job);
	ck_assert_int_eq(bob.answers, 0);
	ck_assert_int_eq(eve.r, -ECANCELED);
	all_still();
}
END_TEST

START_TEST(nobody_waits_for_what_is_sick)
{
	struct person ada, admin;
	struct error error = {0};
	begin(2);
	struct person cal = lock_rig("cal");
	ck_assert_int_eq(wait_for(&ada, "ada", "v1", false), 0);
	ck_assert_int_eq(wait_for(&admin, "root", "v1", true), 0);
	ck_assert_int_eq(lab_quarantine(bed.lab, "v1", "smoke", "op", &error), 0);
	until_answered(&ada);
	ck_assert_int_eq(ada.r, -EHOSTDOWN);
	ck_assert_ptr_nonnull(strstr(ada.message, "smoke"));
	ck_assert_int_eq(wait_for(&ada, "ada", "v1", false), -EHOSTDOWN);
	ck_assert_int_eq(wait_for(&ada, "ada", "v9", false), -ENOENT);
	ck_assert_int_eq(admin.answers, 0); /* cal has it */
	give_back(&cal);
	until_answered(&admin);
	ck_assert_msg(admin.r == 0, "%s", admin.message);
	give_back(&admin);
	all_still();
}
END_TEST

START_TEST(too_many_and_the_end)
{
	static struct person people[LAB_WAITERS_MAX + 1];
	begin(1);
	struct person cal = lock_rig("cal");
	for (unsigned i = 0; i < LAB_WAITERS_MAX; i++)
		ck_assert_int_eq(wait_for(&people[i], "", "v1", false), 0);
	ck_assert_int_eq(wait_for(&people[LAB_WAITERS_MAX], "", "v1", false), -EAGAIN);
	give_back(&cal);
	until_answered(&people[0]);
	give_back(&people[0]);
	lab_stop(bed.lab, NULL, NULL);
	for (unsigned i = 2; i < LAB_WAITERS_MAX; i++)
		ck_assert_int_eq(people[i].r, -ESHUTDOWN);
	all_still();
}
END_TEST

int main(int argc, char **argv)
{
	int status = bed_stand_in(argc, argv);
	if (status >= 0)
		return status;
	Suite *suite = suite_create("waiters");
	TCase *cases = tcase_create("waiters");
	tcase_set_timeout(cases, 120);
	tcase_add_test(cases, first_come_first_served);
	tcase_add_test(cases, before_jobs_of_their_priority);
	tcase_add_test(cases, ahead_of_a_stream_of_jobs);
	tcase_add_test(cases, who_is_gone_keeps_nobody_waiting);
	tcase_add_test(cases, nobody_waits_for_what_is_sick);
	tcase_add_test(cases, too_many_and_the_end);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
