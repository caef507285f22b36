/* SPDX-License-Identifier: Apache-2.0 */
/* What clients send: submissions, durations, times. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../../daemon/api/fields.h"
#include "../../../daemon/api/job_request.h"
#include "../../../daemon/api/utc.h"

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FILES  "\"files\": [{\"path\": \"a/b.yaml\", \"sha256\": \"" DIGEST "\"}]"
#define NEEDED FILES ", \"paths\": [\"a\"]"
#define S_NS   INT64_C(1000000000)

static int read_job(const char *text, struct job_record **ret, struct error *err)
{
	json_error_t error;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(json != NULL, "%s: %s", text, error.text);
	int r = job_request_read(json, 3, ret, err);
	json_decref(json); /* the record has copies */
	return r;
}

START_TEST(whole_submission_is_read)
{
	struct job_record *job;
	struct error error = {0};
	ck_assert_int_eq(read_job("{\"title\": \"n\", \"series\": \"nightly\", \"key\": \"k\", \"rig\": null, \"pool\": \"virtual\", "
	                          "\"requires\": [\"can-fd\"], \"priority\": -100, \"spread\": 16, " FILES ", \"paths\": [\"a/\"], "
	                          "\"options\": {\"tags\": [\"!slow\"], \"repeat\": 2, \"seed\": 0, \"stop_at_failure\": true}, "
	                          "\"time_limit\": \"1.5h\", \"silence_limit\": \"2d\", \"retries\": 0}",
	                          &job, &error),
	                 0);
	ck_assert_str_eq(job->title, "n");
	ck_assert_str_eq(job->series, "nightly");
	ck_assert_str_eq(job->key, "k");
	ck_assert_ptr_null(job->rig);
	ck_assert_str_eq(job->pool, "virtual");
	ck_assert_str_eq(job->requires[0], "can-fd");
	ck_assert_ptr_null(job->requires[1]);
	ck_assert_int_eq(job->priority, -100);
	ck_assert_uint_eq(job->spread, 16);
	ck_assert_uint_eq(job->retries, 0);
	ck_assert_uint_eq(job->file_count, 1);
	ck_assert_str_eq(job->files[0].path, "a/b.yaml");
	ck_assert_str_eq(job->files[0].sha256, DIGEST);
	ck_assert_str_eq(job->paths[0], "a");
	ck_assert_int_eq(json_integer_value(json_object_get(job->options, "repeat")), 2);
	ck_assert_int_eq(job->time_limit_ns, 5400 * S_NS);
	ck_assert_int_eq(job->silence_limit_ns, 2 * 86400 * S_NS);
	job_record_free(job);
}
END_TEST

START_TEST(what_is_not_said_has_its_standard)
{
	struct job_record *job;
	struct error error = {0};
	ck_assert_int_eq(read_job("{" NEEDED "}", &job, &error), 0);
	ck_assert_str_eq(job->title, "a");
	ck_assert_str_eq(job->series, JOB_REQUEST_SERIES);
	ck_assert_ptr_null(job->key);
	ck_assert_uint_eq(job->spread, 1);
	ck_assert_uint_eq(job->retries, 3);
	ck_assert_int_eq(job->time_limit_ns, 0);
	ck_assert(json_is_object(job->options));
	job_record_free(job);
}
END_TEST

static const struct {
	const char *text, *says;
} refused[] = {
        {"{}", "needs \"files\""},
        {"{" FILES "}", "needs \"paths\""},
        {"{" NEEDED ", \"tilte\": \"x\"}", "unknown key \"tilte\" of the submission (did you mean \"title\"?)"},
        {"{" NEEDED ", \"title\": 7}", "\"title\" must be text, not a whole number"},
        {"{" NEEDED ", \"title\": \"\"}", "\"title\" must have 1 to 200 bytes"},
        {"{" NEEDED ", \"title\": \"a\\u001b[0m\"}", "\"title\" has a control character"},
        {"{" NEEDED ", \"series\": \"\"}", "\"series\""},
        {"{" NEEDED ", \"priority\": 1.0}", "\"priority\" must be a whole number, not a number with a fraction"},
        {"{" NEEDED ", \"priority\": -101}", "\"priority\" must be from -100 to 100"},
        {"{" NEEDED ", \"spread\": 0}", "\"spread\" must be from 1 to 16"},
        {"{" NEEDED ", \"retries\": 11}", "\"retries\" must be from 0 to 10"},
        {"{" NEEDED ", \"rig\": \"a\", \"pool\": \"b\"}", "at most one of \"rig\" and \"pool\""},
        {"{" NEEDED ", \"requires\": \"can\"}", "\"requires\" must be an array, not text"},
        {"{" NEEDED ", \"requires\": [\"\"]}", "\"requires\": item 1 must be text that is not empty"},
        {"{" NEEDED ", \"requires\": [null]}", "\"requires\": item 1"},
        {"{" NEEDED ", \"time_limit\": 5}", "\"time_limit\" must be a duration with its unit as text"},
        {"{" NEEDED ", \"time_limit\": \"5\"}", "\"time_limit\": "},
        {"{" NEEDED ", \"time_limit\": \"31d\"}", "\"time_limit\" must be from 1s to 720h"},
        {"{" NEEDED ", \"options\": []}", "\"options\" must be an object, not an array"},
        {"{" NEEDED ", \"options\": {\"tag\": []}}", "unknown key \"tag\" of the options (did you mean \"tags\"?)"},
        {"{" NEEDED ", \"options\": {\"repeat\": 0}}", "\"repeat\" must be from 1"},
        {"{" NEEDED ", \"options\": {\"stop_at_failure\": 1}}", "\"stop_at_failure\" must be true or false"},
        {"{\"files\": [], \"paths\": [\"a\"]}", "\"files\" must have 1 to 10000 items"},
        {"{\"files\": [3], \"paths\": [\"a\"]}", "\"files\", item 1: the file must be an object"},
        {"{\"files\": [{\"path\": \"a\"}], \"paths\": [\"a\"]}", "\"files\", item 1: the file needs \"sha256\""},
        {"{\"files\": [{\"path\": \"a\", \"sha256\": \"12\"}], \"paths\": [\"a\"]}", "\"sha256\" must have 64 bytes, not 2"},
        {"{" FILES ", \"paths\": []}", "\"paths\" must have 1 to 1000 items"},
};

START_TEST(what_is_wrong_is_named)
{
	struct job_record *job = NULL;
	struct error error = {0};
	ck_assert_int_eq(read_job(refused[_i].text, &job, &error), -EINVAL);
	ck_assert_int_eq(error.domain, ERROR_USAGE);
	ck_assert_msg(strstr(error.message, refused[_i].says) != NULL, "%s says: %s", refused[_i].text, error.message);
	ck_assert_ptr_null(job);
}
END_TEST

START_TEST(an_array_is_no_submission)
{
	struct error error = {0};
	struct job_record *job;
	ck_assert_int_eq(read_job("[]", &job, &error), -EINVAL);
}
END_TEST

START_TEST(durations_have_units)
{
	static const char *const wrong[] = {"", "5", "d", "-1d", "1.5d", "5 parsecs", "99999999999999999999d", "106752d"};
	struct error error = {0};
	int64_t ns;
	ck_assert_int_eq(duration_read("90d", &ns, &error), 0);
	ck_assert_int_eq(ns, INT64_C(90) * 86400 * S_NS);
	ck_assert_int_eq(duration_read("250ms", &ns, &error), 0);
	ck_assert_int_eq(ns, 250000000);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(duration_read(wrong[i], &ns, &error) < 0, "\"%s\" was taken", wrong[i]);
}
END_TEST

START_TEST(times_are_read_and_written)
{
	static const char *const wrong[] = {"",
	                                    "2026",
	                                    "2026-13-01",
	                                    "2026-02-30",
	                                    "2026-11-21T",
	                                    "2026-11-21T24:00:00Z",
	                                    "2026-11-21T21:53Z",
	                                    "2026-11-21T21:53:15",
	                                    "2026-11-21T21:53:15.Z",
	                                    "2026-11-21T21:53:15Zx",
	                                    "2026-11-21 21:53:15Z",
	                                    "1969-12-31",
	                                    "2262-01-01",
	                                    "2026-11-21T21:53:15+1:00",
	                                    "yesterday"};
	char text[UTC_SIZE];
	int64_t ns;
	ck_assert(utc_parse("2026-11-21T21:53:15.0123Z", &ns));
	ck_assert_str_eq(utc_format(ns, text), "2026-11-21T21:53:15.012Z");
	ck_assert_int_eq(ns % S_NS, 12300000);
	ck_assert(utc_parse("2026-11-21", &ns));
	ck_assert_str_eq(utc_format(ns, text), "2026-11-21T00:00:00.000Z");
	ck_assert(utc_parse("2026-11-21T01:00:00+02:30", &ns));
	ck_assert_str_eq(utc_format(ns, text), "2026-11-20T22:30:00.000Z");
	ck_assert(utc_parse("1970-01-01T00:00:00Z", &ns));
	ck_assert_int_eq(ns, 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(!utc_parse(wrong[i], &ns), "\"%s\" was taken", wrong[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("api_requests");
	TCase *tests = tcase_create("requests");
	tcase_set_timeout(tests, 60); /* a loaded machine takes its time */
	tcase_add_test(tests, whole_submission_is_read);
	tcase_add_test(tests, what_is_not_said_has_its_standard);
	tcase_add_loop_test(tests, what_is_wrong_is_named, 0, (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(tests, an_array_is_no_submission);
	tcase_add_test(tests, durations_have_units);
	tcase_add_test(tests, times_are_read_and_written);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
