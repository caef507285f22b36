/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms against exact percentiles; spans when runs come, come again and go; which level a trend takes. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/stats.h"
#include "daemon/book/histogram.h"
#include "results_fixture.h"

#define HOUR (3600 * SECOND)
#define DAY  (24 * HOUR)

static int64_t random_value(uint64_t *state, unsigned kind)
{
	uint64_t r = random_next(state);
	switch (kind % 5) {
	case 0:
		return (int64_t)(r % 50);
	case 1:
		return 70000000 + (int64_t)(r % 20000000);
	case 2: /* any magnitude */
		return (int64_t)((r >> 4) >> (random_next(state) % 60));
	case 3: /* both signs */
		return (int64_t)(r % 2000001) - 1000000;
	default: /* two far clusters */
		return r % 3 ? 1000 + (int64_t)(r % 100) : 9000000000 + (int64_t)(r % 1000);
	}
}

static void check_quantile(const struct histogram *h, const int64_t *sorted, size_t count, unsigned per_mille, unsigned seed)
{
	int64_t exact = stats_quantile(sorted, count, per_mille);
	int64_t is = histogram_quantile(h, per_mille, sorted[0], sorted[count - 1]);
	/* Between values of both signs the larger of the two counts. */
	size_t rank = (count - 1) * per_mille / 1000;
	int64_t beside = sorted[rank + 1 < count ? rank + 1 : rank];
	double size = fmax(fmax(fabs((double)exact), fabs((double)sorted[rank])), fabs((double)beside));
	ck_assert_msg(fabs((double)(is - exact)) <= size / 64 + 1, "seed %u, n %zu, %u per mille: %lld instead of %lld", seed, count,
	              per_mille, (long long)is, (long long)exact);
}

/* Values in several histograms, each encoded, are together what they are in one. */
START_TEST(merged_histograms_are_near_the_exact_percentiles)
{
	static const unsigned quantiles[] = {0, 1, 250, 500, 900, 950, 999, 1000};
	static struct histogram part, all, whole;
	static int64_t values[3000];
	struct bytes encoded = {0}, again = {0};
	for (unsigned seed = 1; seed <= 300; seed++) {
		uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15);
		size_t count = 1 + random_next(&state) % (seed % 10 == 0 ? 3000 : 40), parts = 1 + random_next(&state) % 7;
		for (size_t i = 0; i < count; i++)
			values[i] = random_value(&state, seed);
		histogram_clear(&all);
		histogram_clear(&whole);
		for (size_t p = 0; p < parts; p++) {
			histogram_clear(&part);
			for (size_t i = p; i < count; i += parts)
				histogram_add(&part, values[i]);
			ck_assert_int_eq(histogram_encode(&part, &encoded), 0);
			ck_assert_int_eq(histogram_merge(&all, encoded.data, encoded.length), 0);
		}
		for (size_t i = 0; i < count; i++)
			histogram_add(&whole, values[i]);
		ck_assert_uint_eq(all.total, count);
		ck_assert_int_eq(histogram_encode(&all, &encoded), 0);
		ck_assert_int_eq(histogram_encode(&whole, &again), 0);
		ck_assert_uint_eq(encoded.length, again.length);
		ck_assert_mem_eq(encoded.data, again.data, again.length);
		stats_sort(values, count);
		for (size_t q = 0; q < sizeof(quantiles) / sizeof(quantiles[0]); q++)
			check_quantile(&all, values, count, quantiles[q], seed);
	}
	bytes_free(&encoded);
	bytes_free(&again);
}
END_TEST

START_TEST(the_ends_of_the_range_have_bins)
{
	static struct histogram h;
	static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, -65, -64, -1, 0, 1, 31, 32, 63, 64, 65, INT64_MAX};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		histogram_clear(&h);
		histogram_add(&h, ends[i]);
		double is = (double)histogram_quantile(&h, 500, INT64_MIN, INT64_MAX);
		(void)is; /* one value: the ends are known, this must only not leave the table */
		histogram_add(&h, ends[i]);
		histogram_add(&h, ends[i]);
		is = (double)histogram_quantile(&h, 500, INT64_MIN, INT64_MAX);
		ck_assert_msg(fabs(is - (double)ends[i]) <= fabs((double)ends[i]) / 64, "%g instead of %g", is, (double)ends[i]);
	}
}
END_TEST

START_TEST(damaged_histograms_are_refused)
{
	static struct histogram h;
	static const uint8_t bad[][12] = {{0}, {2, 1, 1}, {1, 1}, {1, 0x80}, {1, 0xff, 0xff, 0xff, 0x7f, 1}, {1, 1, 0}, {1, 5, 0x80, 0x80}};
	static const size_t lengths[] = {1, 3, 2, 2, 6, 3, 4};
	histogram_clear(&h);
	ck_assert_int_lt(histogram_merge(&h, "", 0), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(histogram_merge(&h, bad[i], lengths[i]) < 0, "%zu", i);
	uint64_t state = 99;
	for (int i = 0; i < 20000; i++) {
		uint8_t noise[32];
		for (size_t k = 0; k < sizeof(noise); k++)
			noise[k] = (uint8_t)random_next(&state);
		noise[0] = 1;
		histogram_clear(&h);
		(void)!histogram_merge(&h, noise, random_next(&state) % sizeof(noise));
	}
}
END_TEST

/* ---- spans ---- */
static json_t *trend(unsigned points, int64_t from, int64_t to, const char *rig)
{
	json_t *json = NULL;
	ck_done(book_trend_json(fixture_book, 1, from, to, points, rig, &json, &fixture_error));
	return json;
}

static int64_t of_point(const json_t *json, size_t i, const char *member)
{
	return json_integer_value(json_object_get(json_array_get(json_object_get(json, "points"), i), member));
}

static size_t points_of(const json_t *json)
{
	return json_array_size(json_object_get(json, "points"));
}

START_TEST(spans_are_the_sums_of_their_runs)
{
	uint64_t state = 4711;
	int64_t runs[60], samples[50];
	fixture_open();
	fixture_rigs(fixture_book);
	for (size_t i = 0; i < 60; i++) {
		for (size_t k = 0; k < 50; k++)
			samples[k] = random_value(&state, 1);
		runs[i] = night_measured(i % 3 ? "v1" : "v2", NIGHT_NS + (int64_t)(random_next(&state) % (3 * (uint64_t)DAY)), samples,
		                         1 + i % 50);
	}
	ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	/* Stored a second time with other samples, or without the measurement. */
	for (size_t i = 0; i < 60; i += 4) {
		json_t *results = results_of("c=pass");
		for (size_t k = 0; k < 50; k++)
			samples[k] = random_value(&state, 4);
		if (i % 8)
			results_measure(results, "c", "m", samples, 7);
		ck_done(book_results_add(fixture_book, runs[i], results, &fixture_error));
		ck_done(book_results_add(fixture_book, runs[i], results, &fixture_error));
		json_decref(results);
		ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	}
	/* Removed by retention, some at a time. */
	struct retention rules = {.age_ns = DAY};
	struct retained removed;
	unsigned all = 0;
	for (int64_t now = NIGHT_NS + DAY; all < 60; now += DAY / 2) {
		ck_assert_int_lt(now, NIGHT_NS + 9 * DAY);
		do {
			ck_done(book_retain(fixture_book, &rules, now, 3, &removed, &fixture_error));
			all += removed.whole;
		} while (removed.more);
		ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
	}
	int64_t left;
	ck_done(book_integer(fixture_book, &left, &fixture_error,
	                     "SELECT (SELECT count(*) FROM measured) + (SELECT count(*) FROM measured_spans) + (SELECT count(*) FROM "
	                     "measurement_series) + "
	                     "(SELECT count(*) FROM case_names) + (SELECT count(*) FROM case_texts) + (SELECT count(*) FROM runs)",
	                     NO_VALUES));
	ck_assert_int_eq(left, 0);
}
END_TEST

/* A check that cannot fail proves nothing. */
START_TEST(wrong_spans_are_found)
{
	static const char *const harm[] = {
	        "UPDATE measured_spans SET n = n + 1 WHERE level = 'hour'",
	        "UPDATE measured_spans SET max_ns = max_ns + 1 WHERE level = 'day'",
	        "DELETE FROM measured_spans WHERE level = 'hour'",
	        "UPDATE measured_spans SET histogram = x'010501' WHERE level = 'day'",
	        "UPDATE measurement_series SET runs = runs + 1",
	        "UPDATE runs SET counts = '{\"planned\":9}'",
	        "UPDATE cases SET text = 77",
	        "UPDATE blob_bytes SET bytes = bytes + 1",
	        "UPDATE cases SET verdict = 'fail', cause = 'dut'",
	};
	const int64_t samples[] = {5, 6, 7};
	fixture_open();
	fixture_rigs(fixture_book);
	(void)night_measured("v1", NIGHT_NS, samples, 3);
	for (size_t i = 0; i < sizeof(harm) / sizeof(harm[0]); i++) {
		ck_assert_uint_eq(fixture_breaches(fixture_book, true), 0);
		ck_done(book_begin(fixture_book, &fixture_error));
		ck_done(book_execute(fixture_book, &fixture_error, harm[i], NO_VALUES));
		ck_assert_msg(fixture_breaches(fixture_book, true) > 0, "%s", harm[i]);
		book_roll_back(fixture_book);
	}
}
END_TEST

START_TEST(a_trend_takes_the_finest_level_that_fits)
{
	fixture_open();
	fixture_rigs(fixture_book);
	/* 40 runs: 20 days, two in different hours of each. */
	const int64_t base = NIGHT_NS - NIGHT_NS % DAY;
	for (int64_t i = 0; i < 40; i++) {
		const int64_t samples[] = {1000 * i, 1000 * i + 500, 1000 * i + 900};
		(void)night_measured(i % 2 ? "v1" : "v2", base + i / 2 * DAY + (i % 2 ? 5 * HOUR : 30), samples, 3);
	}
	json_t *json = trend(40, 0, 0, NULL);
	ck_assert_uint_eq(points_of(json), 40);
	ck_assert_int_eq(of_point(json, 7, "p50_ns"), 7500);
	ck_assert_int_eq(of_point(json, 7, "runs"), 1);
	ck_assert_int_eq(of_point(json, 7, "job"), job_of_run(of_point(json, 7, "run")));
	ck_assert_str_eq(json_string_value(json_object_get(json, "unit")), "ns");
	ck_assert_double_eq(json_real_value(json_object_get(json, "resolution")), 1.0 / 64);
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(json_object_get(json, "limits"), 0), "value_ns")), 2000000);
	json_decref(json);

	json = trend(39, 0, 0, NULL); /* as many hours as runs: days */
	ck_assert_uint_eq(points_of(json), 20);
	ck_assert_int_eq(of_point(json, 3, "runs"), 2);
	ck_assert(json_is_null(json_object_get(json_array_get(json_object_get(json, "points"), 3), "job")));
	ck_assert(json_is_null(json_object_get(json_array_get(json_object_get(json, "points"), 3), "run")));
	ck_assert_int_eq(of_point(json, 3, "n"), 6);
	ck_assert_int_eq(of_point(json, 3, "min_ns"), 6000);
	ck_assert_int_eq(of_point(json, 3, "max_ns"), 7900);
	ck_assert_int_le(llabs(of_point(json, 3, "p50_ns") - 6950), 6950 / 64 + 1);
	json_decref(json);

	json = trend(7, 0, 0, NULL); /* three days together */
	ck_assert_uint_eq(points_of(json), 7);
	ck_assert_int_eq(of_point(json, 0, "runs"), 6);
	ck_assert_int_eq(of_point(json, 6, "runs"), 4);
	json_decref(json);

	json = trend(1, 0, 0, NULL);
	ck_assert_uint_eq(points_of(json), 1);
	ck_assert_int_eq(of_point(json, 0, "n"), 120);
	json_decref(json);

	json = trend(19, 0, 0, "v2"); /* of one rig: 20 runs in 20 hours of 20 days */
	ck_assert_uint_eq(points_of(json), 10);
	ck_assert_int_eq(of_point(json, 0, "runs"), 2);
	json_decref(json);
	json = trend(100, 0, 0, "v3");
	ck_assert_uint_eq(points_of(json), 0);
	json_decref(json);
	json = trend(100, base + 2 * DAY, base + 4 * DAY, NULL);
	ck_assert_uint_eq(points_of(json), 4);
	json_decref(json);
	ck_fails(ENOENT, book_trend_json(fixture_book, 99, 0, 0, 10, NULL, &json, &fixture_error));
}
END_TEST

START_TEST(hours_are_taken_when_runs_are_too_many)
{
	const int64_t samples[] = {100, 200};
	fixture_open();
	fixture_rigs(fixture_book);
	const int64_t base = NIGHT_NS - NIGHT_NS % HOUR;
	for (int64_t i = 0; i < 30; i++)
		(void)night_measured("v1", base + i % 3 * HOUR + i * SECOND, samples, 2);
	json_t *json = trend(10, 0, 0, NULL);
	ck_assert_uint_eq(points_of(json), 3);
	ck_assert_int_eq(of_point(json, 1, "runs"), 10);
	json_decref(json);
	ck_done(book_measurements_json(fixture_book, &json, &fixture_error));
	const json_t *m = json_array_get(json_object_get(json, "measurements"), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "measurements")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(m, "runs")), 30);
	ck_assert_int_eq(json_integer_value(json_object_get(m, "n")), 60);
	ck_assert_int_eq(json_integer_value(json_object_get(m, "last_p50_ns")), 150);
	ck_assert_str_eq(json_string_value(json_object_get(m, "case")), "c");
	ck_assert_str_eq(json_string_value(json_object_get(m, "id")), "m");
	json_decref(json);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trend");
	TCase *plain = tcase_create("histogram"), *book = tcase_create("spans");
	tcase_add_test(plain, merged_histograms_are_near_the_exact_percentiles);
	tcase_add_test(plain, the_ends_of_the_range_have_bins);
	tcase_add_test(plain, damaged_histograms_are_refused);
	tcase_add_checked_fixture(book, fixture_begin, fixture_end);
	tcase_add_test(book, spans_are_the_sums_of_their_runs);
	tcase_add_test(book, wrong_spans_are_found);
	tcase_add_test(book, a_trend_takes_the_finest_level_that_fits);
	tcase_add_test(book, hours_are_taken_when_runs_are_too_many);
	tcase_set_timeout(book, 120);
	suite_add_tcase(suite, plain);
	suite_add_tcase(suite, book);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
