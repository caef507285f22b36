/* SPDX-License-Identifier: Apache-2.0 */
/* Whose fault the end of a run was. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../../../daemon/lab/lab_private.h"

#define LIMIT "the run was ended: not done after 3 s"

static struct run_verdict judged(const char *reason, json_t *results)
{
	struct run_verdict verdict;
	struct keeper_exit exit = {.exit_status = 3};
	(void)snprintf(exit.reason, sizeof(exit.reason), "%s", reason);
	(void)snprintf(exit.message, sizeof(exit.message), "not done after 3 s");
	ck_assert_ptr_nonnull(results);
	run_verdict(&exit, results, "", &verdict);
	json_decref(results);
	return verdict;
}

static json_t *attempt(const char *id, const char *message)
{
	return json_pack("{s:s, s:s, s:[{s:b, s:s, s:s, s:s}]}", "id", id, "verdict", "error", "attempts", "complete", 1, "verdict",
	                 "error", "cause", "bench", "message", message);
}

static json_t *stopped(const char *reason, json_t *cases)
{
	return json_pack("{s:{s:b, s:{s:s, s:s}}, s:o}", "run", "complete", 1, "stopped", "reason", reason, "message", LIMIT, "cases",
	                 cases);
}

START_TEST(an_end_by_the_keeper_is_no_bench_error)
{
	static const char *const reasons[] = {"time_limit", "silence", "output", "memory", "cancelled"};
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		struct run_verdict verdict = judged(reasons[i], stopped(reasons[i], json_pack("[o]", attempt("slow.a", LIMIT))));
		ck_assert_int_eq(verdict.outcome, OUTCOME_ERROR);
		ck_assert_msg(!verdict.bench_error, "%s: %s", reasons[i], verdict.bench_text);
		ck_assert_str_eq(verdict.bench_text, "");
		ck_assert(!verdict.good);
	}
}
END_TEST

/* The run ended by itself at the moment in which it was told to. */
START_TEST(a_status_of_its_own_changes_nothing)
{
	struct run_verdict verdict = judged("exited", stopped("time_limit", json_pack("[o]", attempt("slow.a", LIMIT))));
	ck_assert_int_eq(verdict.outcome, OUTCOME_ERROR);
	ck_assert(!verdict.bench_error);
}
END_TEST

START_TEST(an_error_before_the_end_counts)
{
	json_t *cases = json_pack("[o, o]", attempt("boot.a", "board zgw did not boot"), attempt("slow.a", LIMIT));
	struct run_verdict verdict = judged("time_limit", stopped("time_limit", cases));
	ck_assert(verdict.bench_error);
	ck_assert_str_eq(verdict.bench_text, "boot.a: board zgw did not boot");
}
END_TEST

START_TEST(neither_a_board_nor_the_start_is_to_blame)
{
	json_t *board = json_pack("{s:{s:b, s:{s:s, s:s}, s:[{s:s, s:s}]}, s:[]}", "run", "complete", 1, "stopped", "reason", "time_limit",
	                          "message", LIMIT, "boards_given_up", "board", "zgw", "message", LIMIT, "cases");
	ck_assert(!judged("time_limit", board).bench_error);
	json_t *start = json_pack("{s:{s:b, s:{s:s, s:s}, s:{s:s, s:s}}, s:[]}", "run", "complete", 1, "stopped", "reason", "time_limit",
	                          "message", LIMIT, "error", "domain", "bench", "message", LIMIT, "cases");
	ck_assert(!judged("time_limit", start).bench_error);
	board = json_pack("{s:{s:b, s:{s:s, s:s}, s:[{s:s, s:s}]}, s:[]}", "run", "complete", 1, "stopped", "reason", "time_limit",
	                  "message", LIMIT, "boards_given_up", "board", "zgw", "message", "no answer", "cases");
	ck_assert(judged("time_limit", board).bench_error);
}
END_TEST

START_TEST(a_bench_error_without_an_end_counts)
{
	json_t *results = json_pack("{s:{s:b}, s:[o]}", "run", "complete", 1, "cases", attempt("slow.a", LIMIT));
	ck_assert(judged("exited", results).bench_error);
}
END_TEST

/* Every case passed: the cause is the board that stayed on, and not that all passed. */
START_TEST(a_board_that_stayed_on_is_the_reason)
{
	static const char told[] = "vmg: the power could not be switched off; the board may still have power";
	struct run_verdict verdict;
	const struct keeper_exit exit = {.exit_status = 3, .reason = "exited"};
	json_t *results = json_pack("{s:{s:b, s:{s:s, s:s, s:b}}, s:[{s:s, s:s, s:[{s:b, s:s}]}]}", "run", "complete", 1, "error", "domain",
	                            "bench", "message", told, "at_end", 1, "cases", "id", "a", "verdict", "pass", "attempts", "complete", 1,
	                            "verdict", "pass");
	ck_assert_ptr_nonnull(results);
	run_verdict(&exit, results, "1 case: 1 passed", &verdict);
	json_decref(results);
	ck_assert_int_eq(verdict.outcome, OUTCOME_ERROR);
	ck_assert_str_eq(verdict.cause, "bench");
	ck_assert_str_eq(verdict.reason, told);
	ck_assert(verdict.bench_error && !verdict.good);
}
END_TEST

START_TEST(a_long_message_is_cut_with_a_mark)
{
	static const char letter[] = "ä"; /* of more than one byte */
	char text[500 * (sizeof(letter) - 1) + 1] = "";
	for (size_t at = 0; at + 1 < sizeof(text); at += sizeof(letter) - 1)
		memcpy(text + at, letter, sizeof(letter));
	json_t *results = json_pack("{s:{s:b}, s:[o]}", "run", "complete", 1, "cases", attempt("slow.a", text));
	struct run_verdict verdict = judged("exited", results);
	size_t length = strlen(verdict.bench_text);
	ck_assert_str_eq(verdict.bench_text + length - 3, "…");
	json_t *valid = json_string(verdict.bench_text);
	ck_assert_ptr_nonnull(valid);
	json_decref(valid);
}
END_TEST

/* The bench names a board first, alone or behind what it did. */
START_TEST(boards_that_errors_name)
{
	static const struct {
		const char *message, *role;
	} table[] = {{"board zgw: vboard closed its control channel", "zgw"},
	             {"rack.ready: board vmg did not reach stage rtos within 20.000 s", "vmg"},
	             {"board zg: gone", NULL},
	             {"board zgwx: gone", NULL},
	             {"board zgw", NULL},
	             {"the dashboard zgw: gone", NULL},
	             {"no answer from zgw", NULL},
	             {"", NULL}};
	char vmg[] = "vmg", zgw[] = "zgw", *const roles[] = {vmg, zgw, NULL};
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct lost_board boards[VERDICT_BOARDS_MAX];
		json_t *results = json_pack("{s:{s:b}, s:[o, o]}", "run", "complete", 1, "cases", attempt("a", table[i].message),
		                            attempt("b", table[i].message));
		ck_assert_msg(verdict_lost_boards(results, roles, boards) == (table[i].role != NULL), "%s", table[i].message);
		if (table[i].role)
			ck_assert_str_eq(boards[0].role, table[i].role);
		ck_assert_uint_eq(verdict_lost_boards(results, NULL, boards), 0);
		json_decref(results);
	}
}
END_TEST

START_TEST(each_lost_board_once)
{
	char vmg[] = "vmg", zgw[] = "zgw", *const roles[] = {vmg, zgw, NULL};
	struct lost_board boards[VERDICT_BOARDS_MAX];
	json_t *results = json_pack("{s:{s:b, s:{s:s, s:s}, s:[{s:s, s:s}]}, s:[o]}", "run", "complete", 1, "error", "domain", "bench",
	                            "message", "board vmg: no console", "boards_given_up", "board", "zgw", "message", "it does not boot",
	                            "cases", attempt("a", "board zgw: gone"));
	ck_assert_uint_eq(verdict_lost_boards(results, roles, boards), 2);
	ck_assert_str_eq(boards[0].role, "zgw");
	ck_assert_str_eq(boards[0].text, "it does not boot");
	ck_assert_str_eq(boards[1].role, "vmg");
	json_decref(results);
	ck_assert_uint_eq(verdict_lost_boards(NULL, roles, boards), 0);
	json_t *ended = stopped("time_limit", json_pack("[o]", attempt("a", LIMIT)));
	ck_assert_uint_eq(verdict_lost_boards(ended, roles, boards), 0);
	json_decref(ended);
}
END_TEST

/* What is wrong stands at the beginning of what was said. */
START_TEST(a_long_reason_is_cut_at_its_end)
{
	char words[1200] = "hilbench run: the parameter fault cannot be bogus: ", *end = words + strlen(words);
	memset(end, 'x', 1000);
	end[1000] = '\0';
	struct run_verdict verdict;
	struct keeper_exit exit = {.exit_status = 2, .reason = "exited"};
	run_verdict(&exit, NULL, words, &verdict);
	ck_assert_int_eq(strncmp(verdict.reason, words, 100), 0);
	ck_assert_str_eq(verdict.reason + strlen(verdict.reason) - strlen("…"), "…");
}
END_TEST

/* The last line of the output is no cause of a crash. */
START_TEST(last_words_are_told_as_what_they_are)
{
	struct run_verdict verdict;
	struct keeper_exit exit = {.exit_status = -1, .signal = 11, .reason = "exited"};
	run_verdict(&exit, NULL, "pass f.wait (1.01 s)", &verdict);
	ck_assert_str_eq(verdict.reason, "the runner was ended by signal 11 (SIGSEGV); the last that it printed: pass f.wait (1.01 s)");
	run_verdict(&exit, NULL, "", &verdict);
	ck_assert_str_eq(verdict.reason, "the runner was ended by signal 11 (SIGSEGV)");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("verdict");
	TCase *cases = tcase_create("verdict");
	tcase_add_test(cases, an_end_by_the_keeper_is_no_bench_error);
	tcase_add_test(cases, a_status_of_its_own_changes_nothing);
	tcase_add_test(cases, an_error_before_the_end_counts);
	tcase_add_test(cases, neither_a_board_nor_the_start_is_to_blame);
	tcase_add_test(cases, a_bench_error_without_an_end_counts);
	tcase_add_test(cases, a_long_message_is_cut_with_a_mark);
	tcase_add_test(cases, a_board_that_stayed_on_is_the_reason);
	tcase_add_test(cases, boards_that_errors_name);
	tcase_add_test(cases, each_lost_board_once);
	tcase_add_test(cases, a_long_reason_is_cut_at_its_end);
	tcase_add_test(cases, last_words_are_told_as_what_they_are);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
