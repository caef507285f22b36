/* SPDX-License-Identifier: Apache-2.0 */
/* Rows become records, lists and JSON; what was made before a failure is not kept. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "book_fixture.h"

#define UP_TO_40  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) SELECT i FROM n"
#define NO_NUMBER "SELECT i FROM (" UP_TO_40 ") WHERE i > 40"

static struct error *const err = &fixture_error;
static int64_t refused; /* the number that cannot be read; 0: none */
static int alive;

struct number {
	int64_t value;
};

static int read_number(struct book *book, sqlite3_stmt *row, void *ret, struct error *error)
{
	struct number *number;

	if (sqlite3_column_int64(row, 0) == refused)
		return error_set(error, ERROR_BENCH, EDOM, "not this one");
	number = malloc(sizeof(*number));
	ck_assert_ptr_nonnull(number);
	number->value = sqlite3_column_int64(row, 0);
	alive++;
	*(struct number **)ret = number;
	return 0;
}

static void drop_number(void *number)
{
	free(number);
	alive--;
}

static int stop_at(struct book *book, sqlite3_stmt *row, void *context, struct error *error)
{
	int64_t *last = context;

	if (sqlite3_column_int64(row, 0) == refused)
		return 7;
	*last = sqlite3_column_int64(row, 0);
	return 0;
}

static json_t *number_json(sqlite3_stmt *row)
{
	return sqlite3_column_int64(row, 0) == refused ? NULL : json_integer(sqlite3_column_int64(row, 0));
}

static void begin(void)
{
	fixture_begin();
	fixture_open();
	refused = 0;
	alive = 0;
}

START_TEST(every_row_is_read_until_one_says_enough)
{
	int64_t last = 0;

	ck_assert_int_eq(book_each(fixture_book, stop_at, &last, err, UP_TO_40, NO_VALUES), 0);
	ck_assert_int_eq(last, 40);
	refused = 3;
	ck_assert_int_eq(book_each(fixture_book, stop_at, &last, err, UP_TO_40, NO_VALUES), 7);
	ck_assert_int_eq(last, 2);
	ck_assert_int_lt(book_each(fixture_book, stop_at, &last, err, "SELECT nothing FROM nowhere", NO_VALUES), 0);
}
END_TEST

START_TEST(one_row_is_one_thing)
{
	struct number *number = NULL;

	ck_assert_int_eq(book_one(fixture_book, read_number, &number, err, NO_NUMBER, NO_VALUES), 0);
	ck_assert_ptr_null(number);
	ck_assert_int_eq(book_one(fixture_book, read_number, &number, err, UP_TO_40, NO_VALUES), 1);
	ck_assert_int_eq(number->value, 1);
	drop_number(number);
	refused = 1;
	ck_fails(EDOM, book_one(fixture_book, read_number, &number, err, UP_TO_40, NO_VALUES));
	ck_assert_int_eq(alive, 0);
}
END_TEST

START_TEST(an_id_that_is_not_there_is_named)
{
	struct number *number = NULL;

	ck_done(book_by_id(fixture_book, "number", 5, read_number, &number, err, "SELECT ?1 WHERE ?1 < 10"));
	ck_assert_int_eq(number->value, 5);
	drop_number(number);
	ck_fails(ENOENT, book_by_id(fixture_book, "number", 50, read_number, &number, err, "SELECT ?1 WHERE ?1 < 10"));
	ck_assert_str_eq(err->message, "there is no number 50");
}
END_TEST

START_TEST(a_list_is_whole_or_nothing)
{
	struct number **numbers = NULL;
	size_t count = 9;

	ck_done(book_list(fixture_book, read_number, drop_number, &numbers, &count, err, NO_NUMBER, NO_VALUES));
	ck_assert_uint_eq(count, 0);
	ck_assert_ptr_null(numbers);
	ck_done(book_list(fixture_book, read_number, drop_number, &numbers, &count, err, UP_TO_40, NO_VALUES));
	ck_assert_uint_eq(count, 40);
	for (size_t i = 0; i < count; i++) {
		ck_assert_int_eq(numbers[i]->value, (int64_t)i + 1);
		drop_number(numbers[i]);
	}
	free(numbers);
	/* Each may be the one that fails: the first, one at which the list grows, the last. */
	for (refused = 1; refused <= 40; refused++) {
		numbers = NULL;
		ck_fails(EDOM, book_list(fixture_book, read_number, drop_number, &numbers, &count, err, UP_TO_40, NO_VALUES));
		ck_assert_ptr_null(numbers);
		ck_assert_int_eq(alive, 0);
	}
}
END_TEST

START_TEST(rows_are_appended_as_json)
{
	json_t *array = json_pack("[i]", 0);

	ck_done(book_json_list(fixture_book, number_json, array, err, UP_TO_40, NO_VALUES));
	ck_assert_uint_eq(json_array_size(array), 41);
	ck_assert_int_eq(json_integer_value(json_array_get(array, 40)), 40);
	refused = 2;
	ck_fails(ENOMEM, book_json_list(fixture_book, number_json, array, err, UP_TO_40, NO_VALUES));
	json_decref(array);
	ck_fails(ENOMEM, book_json_list(fixture_book, number_json, NULL, err, UP_TO_40, NO_VALUES));
}
END_TEST

/* A reader that reads rows of its own, by the same text too. */
static int read_inner(struct book *book, sqlite3_stmt *row, void *context, struct error *error)
{
	int64_t *sum = context, last = 0;

	ck_assert_int_eq(book_each(book, stop_at, &last, error, UP_TO_40, NO_VALUES), 0);
	*sum += last;
	return 0;
}

START_TEST(readers_may_read)
{
	int64_t sum = 0;

	ck_assert_int_eq(book_each(fixture_book, read_inner, &sum, err, UP_TO_40, NO_VALUES), 0);
	ck_assert_int_eq(sum, 1600);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("book: rows");
	TCase *tests = tcase_create("rows");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, begin, fixture_end);
	tcase_add_test(tests, every_row_is_read_until_one_says_enough);
	tcase_add_test(tests, one_row_is_one_thing);
	tcase_add_test(tests, an_id_that_is_not_there_is_named);
	tcase_add_test(tests, a_list_is_whole_or_nothing);
	tcase_add_test(tests, rows_are_appended_as_json);
	tcase_add_test(tests, readers_may_read);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
