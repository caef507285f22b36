/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../report/report.h"
#include "../../report/text.h"
#include "schema.h"
#include "synthetic.h"

#define YAML "testcases/doip/a.yaml"

static void write_all(struct synthetic *s)
{
	struct error err = {0};
	int r = report_write_all(s->directory, &err);
	ck_assert_msg(r == 0, "%s", err.message);
}

/* A number, a count or the text of an XPath expression over junit.xml. */
static double junit_number(const struct synthetic *s, const char *expression)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/junit.xml", s->directory);
	xmlDoc *document = xmlReadFile(path, NULL, XML_PARSE_NONET);
	ck_assert_msg(document != NULL, "junit.xml is not well formed");
	xmlXPathContext *context = xmlXPathNewContext(document);
	xmlXPathObject *object = xmlXPathEvalExpression(BAD_CAST expression, context);
	ck_assert_msg(object != NULL, "bad expression %s", expression);
	double number = xmlXPathCastToNumber(object);
	xmlXPathFreeObject(object);
	xmlXPathFreeContext(context);
	xmlFreeDoc(document);
	return number;
}

static char *junit_text(const struct synthetic *s, const char *expression)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/junit.xml", s->directory);
	xmlDoc *document = xmlReadFile(path, NULL, XML_PARSE_NONET);
	ck_assert_ptr_nonnull(document);
	xmlXPathContext *context = xmlXPathNewContext(document);
	xmlXPathObject *object = xmlXPathEvalExpression(BAD_CAST expression, context);
	char *text = (char *)xmlXPathCastToString(object);
	xmlXPathFreeObject(object);
	xmlXPathFreeContext(context);
	xmlFreeDoc(document);
	return text;
}

#define JUNIT_IS(s, expression, wanted)                                                                                                    \
	ck_assert_msg(junit_number((s), (expression)) == (wanted), "%s is %g", (expression), junit_number((s), (expression)))

static void junit_says(const struct synthetic *s, const char *expression, const char *wanted)
{
	char *text = junit_text(s, expression);
	ck_assert_msg(strstr(text, wanted) != NULL, "%s is \"%s\", without \"%s\"", expression, text, wanted);
	xmlFree(text);
}

static json_t *results_load(const struct synthetic *s)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/results.json", s->directory);
	json_error_t problem;
	json_t *results = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
	ck_assert_msg(results != NULL, "results.json: %s", problem.text);
	json_t *schema = json_load_file(RESULTS_SCHEMA, 0, &problem);
	ck_assert_msg(schema != NULL, "schema: %s", problem.text);
	schema_assert(schema, schema, results, "");
	json_decref(schema);
	return results;
}

static void says(const struct synthetic *s, const char *name, const char *wanted, bool there)
{
	char *text = synthetic_read(s, name);
	ck_assert_msg((strstr(text, wanted) != NULL) == there, "%s %s: %s", name, there ? "lacks" : "has", wanted);
	free(text);
}

/* A run with every verdict, a flaky case, a case that fails twice, and a measurement. */
static void every_verdict(struct synthetic *s)
{
	synthetic_run(s, "bench-1");
	synthetic_case_begin(s, "pass", YAML, 1);
	synthetic_samples(s, "pass", 30, true);
	synthetic_case_end(s, "pass", 1, "pass", "", "");
	synthetic_case_begin(s, "fail", YAML, 1);
	synthetic_event(s, "case", "step.begin",
	                "{\"id\":\"fail/steps/0\",\"name\":\"doip.activate\",\"phase\":\"steps\",\"file\":\"" YAML
	                "\",\"line\":7,\"column\":5,\"text\":\"- doip.activate: {tester: <1>}\"}");
	synthetic_event(s, "tester:1", "doip.rx",
	                "{\"type\":6,\"name\":\"routing activation "
	                "response\",\"source\":3712,\"target\":145,\"code\":6,\"hex\":\"0e8000910600000000\"}");
	synthetic_event(s, "case", "step.end",
	                "{\"id\":\"fail/steps/0\",\"verdict\":\"fail\",\"cause\":\"dut\",\"message\":\"code\",\"expected\":\"0x00 & "
	                "more\",\"actual\":\"0x06\",\"duration_ns\":5}");
	synthetic_event(s, "case", "case.end",
	                "{\"id\":\"fail\",\"attempt\":1,\"verdict\":\"fail\",\"cause\":\"dut\",\"message\":\"wrong code\",\"file\":\"" YAML
	                "\",\"line\":7,\"column\":5,\"duration_ns\":2000000,\"expected\":\"0x00 & more\",\"actual\":\"0x06\"}");
	synthetic_case_begin(s, "skipped", "testcases/b.yaml", 1);
	synthetic_case_end(s, "skipped", 1, "skipped", "", "no capability");
	synthetic_case_begin(s, "inconclusive", "testcases/b.yaml", 1);
	synthetic_case_end(s, "inconclusive", 1, "inconclusive", "", "limit not decided");
	synthetic_case_begin(s, "error", "testcases/b.yaml", 1);
	synthetic_case_end(s, "error", 1, "error", "bench", "board died");
	synthetic_case_begin(s, "flaky", YAML, 1);
	synthetic_case_end(s, "flaky", 1, "error", "bench", "first attempt lost");
	synthetic_case_begin(s, "flaky", YAML, 2);
	synthetic_case_end(s, "flaky", 2, "pass", "", "");
	synthetic_case_begin(s, "twice", YAML, 1);
	synthetic_case_end(s, "twice", 1, "error", "bench", "first");
	synthetic_case_begin(s, "twice", YAML, 2);
	synthetic_case_end(s, "twice", 2, "fail", "dut", "second");
	synthetic_end(s, 3, false);
}

static void report_every_verdict(struct synthetic *s)
{
	synthetic_begin(s);
	every_verdict(s);
	synthetic_close(s);
	write_all(s);
}

START_TEST(junit_has_one_case_an_id)
{
	struct synthetic s;
	report_every_verdict(&s);
	JUNIT_IS(&s, "count(//testcase)", 7);
	JUNIT_IS(&s, "count(//testcase[@name='twice'])", 1);
	JUNIT_IS(&s, "count(/testsuites/testsuite)", 2);
	JUNIT_IS(&s, "/testsuites/@tests", 7);
	JUNIT_IS(&s, "/testsuites/@failures", 2);
	JUNIT_IS(&s, "/testsuites/@errors", 2);
	JUNIT_IS(&s, "/testsuites/@skipped", 1);
	JUNIT_IS(&s, "sum(//testsuite/@tests)", 7);
	JUNIT_IS(&s, "count(//testcase/failure)", 2);
	JUNIT_IS(&s, "count(//testcase/error)", 2);
	JUNIT_IS(&s, "count(//testcase[@name='error']/error[@type='infrastructure'])", 1);
	JUNIT_IS(&s, "count(//testcase[@name='inconclusive']/error[@type='inconclusive'])", 1);
	JUNIT_IS(&s, "count(//testcase[@name='skipped']/skipped)", 1);
	JUNIT_IS(&s, "count(//testcase[@name='pass']/*[self::error or self::failure or self::skipped])", 0);
	JUNIT_IS(&s, "count(//testcase[@name='flaky']/flakyFailure[@message='first attempt lost'])", 1);
	JUNIT_IS(&s, "count(//testcase[@name='twice']/failure[@message='second']/../rerunFailure[@message='first'])", 1);
	synthetic_remove(&s);
}
END_TEST

START_TEST(junit_failure_stands_alone)
{
	struct synthetic s;
	report_every_verdict(&s);
	JUNIT_IS(&s, "count(//testcase[@name='fail'][@line='7'][@file='" YAML "'][@classname='testcases.doip.a'])", 1);
	junit_says(&s, "string(//testcase[@name='fail']/failure/@message)", "wrong code");
	junit_says(&s, "string(//testcase[@name='fail']/failure)", YAML ":7:5: wrong code");
	junit_says(&s, "string(//testcase[@name='fail']/failure)", "expected: 0x00 & more");
	junit_says(&s, "string(//testcase[@name='fail']/failure)", "- doip.activate: {tester: <1>}");
	junit_says(&s, "string(//testcase[@name='fail']/system-out)", "routing activation response 0x0e80 → 0x0091 code 0x06: 0e 80");
	junit_says(&s, "string(//testsuite[1]/@timestamp)", "2026-01-02T03:04:05.002Z");
	junit_says(&s, "string(//testcase[@name='error']/@time)", "1.234567");
	JUNIT_IS(&s, "count(//testcase[@name='pass']/properties/property[@name='requirement'])", 2);
	JUNIT_IS(&s, "count(//testcase[@name='pass']//property[@name='measurement.boot.p95_ms'][@value='227.550'])", 1);
	JUNIT_IS(&s, "count(//testcase[@name='pass']//property[@name='measurement.boot.virtual'][@value='true'])", 1);
	JUNIT_IS(&s, "count(//testsuite/properties/property[@name='virtual'][@value='true'])", 2);
	synthetic_remove(&s);
}
END_TEST

START_TEST(junit_attaches_for_failures_only)
{
	struct synthetic s;
	synthetic_begin(&s);
	every_verdict(&s);
	synthetic_close(&s);
	char path[128];
	snprintf(path, sizeof(path), "%s/console-zgw.log", s.directory);
	fclose(fopen(path, "we"));
	write_all(&s);
	char wanted[256];
	snprintf(wanted, sizeof(wanted), "[[ATTACHMENT|%s]]\n", path);
	junit_says(&s, "string(//testcase[@name='fail']/system-out)", wanted);
	char *text = junit_text(&s, "string(//testcase[@name='fail']/system-out)");
	ck_assert_str_eq(text + strlen(text) - 3, "]]\n"); /* last in the output */
	xmlFree(text);
	JUNIT_IS(&s, "count(//testcase[@name='pass' or @name='skipped'][contains(system-out,'ATTACHMENT')])", 0);
	synthetic_remove(&s);
}
END_TEST

START_TEST(results_fit_the_schema)
{
	struct synthetic s;
	report_every_verdict(&s);
	json_t *results = results_load(&s);
	ck_assert_str_eq(json_string_value(json_object_get(results, "verdict")), "error");
	json_t *counts = json_object_get(results, "counts");
	ck_assert_int_eq(json_integer_value(json_object_get(counts, "pass")), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(counts, "flaky")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(counts, "planned")),
	                 (json_int_t)json_array_size(json_object_get(results, "cases")));
	json_t *measurement = json_array_get(json_object_get(results, "measurements"), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(measurement, "samples")), 30);
	ck_assert_int_eq(json_integer_value(json_object_get(measurement, "p50_ns")), 214500000);
	ck_assert_uint_eq(json_array_size(json_object_get(measurement, "stages")), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(json_object_get(measurement, "stages"), 0), "p50_ns")),
	                 10000015);
	json_decref(results);
	synthetic_remove(&s);
}
END_TEST

/* Programs act by the name of an error; its words are for people. */
START_TEST(errors_have_their_names)
{
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_run(&s, "h");
	synthetic_case_begin(&s, "one", "a.yaml", 1);
	synthetic_event(
	        &s, "case", "case.end",
	        "{\"id\":\"one\",\"attempt\":1,\"verdict\":\"error\",\"cause\":\"bench\",\"message\":\"full\",\"errno\":\"ENOSPC\"}");
	synthetic_event(&s, "run", "run.end",
	                "{\"status\":3,\"interrupted\":false,\"clock_moved_ns\":0,\"error\":{\"domain\":\"bench\",\"message\":\"it broke\","
	                "\"errno\":\"EIO\"}}");
	synthetic_close(&s);
	write_all(&s);
	json_t *results = results_load(&s), *one = json_array_get(json_object_get(results, "cases"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(one, "errno")), "ENOSPC");
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(json_object_get(one, "attempts"), 0), "errno")), "ENOSPC");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(json_object_get(results, "run"), "error"), "errno")), "EIO");
	json_decref(results);
	synthetic_remove(&s);
}
END_TEST

/* Forged PDUs are counted in the journal; every report shows the counts, of the last attempt only. */
START_TEST(sweeps_are_in_every_report)
{
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_run(&s, "bench");
	synthetic_case_begin(&s, "sweep", YAML, 1);
	synthetic_sweep(&s, 9, false);
	synthetic_case_end(&s, "sweep", 1, "error", "bench", "gone");
	synthetic_case_begin(&s, "sweep", YAML, 2);
	synthetic_sweep(&s, 2, true);
	synthetic_sweep(&s, 4, true);
	synthetic_case_end(&s, "sweep", 2, "pass", "", "");
	synthetic_end(&s, 3, false);
	synthetic_close(&s);
	write_all(&s);
	json_t *results = results_load(&s), *sweeps = json_object_get(results, "sweeps"), *first = json_array_get(sweeps, 0);
	ck_assert_uint_eq(json_array_size(sweeps), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(first, "accepted")), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(first, "rejected")), 196606);
	ck_assert_double_eq_tol(json_real_value(json_object_get(first, "expected")), 3, 1e-9);
	ck_assert_double_eq_tol(json_real_value(json_object_get(first, "upper")), 3.6741e-5, 1e-12);
	ck_assert(json_is_true(json_object_get(first, "virtual")));
	json_decref(results);
	JUNIT_IS(&s, "count(//testcase[@name='sweep']//property[@name='sweep.1.accepted'][@value='2'])", 1);
	JUNIT_IS(&s, "count(//testcase[@name='sweep']//property[@name='sweep.2.accepted'][@value='4'])", 1);
	JUNIT_IS(&s, "count(//testcase[@name='sweep']//property[@name='sweep.1.upper'][@value='3.674e-05'])", 1);
	JUNIT_IS(&s, "count(//testcase[@name='sweep']//property[@name='sweep.1.virtual'][@value='true'])", 1);
	says(&s, "report.html", "Forged PDUs, counted", true);
	says(&s, "report.html", "<td class=\"number\">196606</td>", true);
	says(&s, "report.html", "1.232e-06 – 3.674e-05<span class=\"sub\">at 95 %</span>", true);
	says(&s, "report.html", "<code>0x101</code> <span class=\"tag virtual\">virtual</span>", true);
	says(&s, "report.html", "broken off", false);
	synthetic_remove(&s);
}
END_TEST

START_TEST(page_shows_and_escapes)
{
	struct synthetic s;
	report_every_verdict(&s);
	says(&s, "report.html", "- doip.activate: {tester: &lt;1&gt;}", true);
	says(&s, "report.html", YAML ":7:5", true);
	says(&s, "report.html", "0x00 &amp; more", true);
	says(&s, "report.html", "Boot &amp; handshake", true);
	says(&s, "report.html", "&lt;tls&gt;", true);
	says(&s, "report.html", "<tls>", false);
	says(&s, "report.html", "227.550", true);
	says(&s, "report.html", "class=\"limit\"", true);
	says(&s, "report.html", "REQ-inconclusive", true);
	says(&s, "report.html", "http://", false); /* nothing from outside */
	says(&s, "report.html", "https://", false);
	synthetic_remove(&s);
}
END_TEST

START_TEST(the_same_journal_gives_the_same_bytes)
{
	static const char *const names[] = {"results.json", "junit.xml", "report.html"};
	struct synthetic s;
	report_every_verdict(&s);
	char *before[3];
	for (int i = 0; i < 3; i++)
		before[i] = synthetic_read(&s, names[i]);
	write_all(&s);
	for (int i = 0; i < 3; i++) {
		char *after = synthetic_read(&s, names[i]);
		ck_assert_str_eq(before[i], after);
		free(before[i]);
		free(after);
	}
	synthetic_remove(&s);
}
END_TEST

/* Compiles a locale with a decimal comma into directory. False where the machine has no sources of locales. */
static bool locale_make(const char *directory)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/de_DE.UTF-8", directory);
	pid_t pid = fork();
	if (pid == 0) {
		execlp("localedef", "localedef", "--quiet", "--no-archive", "-i", "de_DE", "-f", "UTF-8", path, (char *)NULL);
		_exit(127);
	}
	int status = -1;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	setenv("LOCPATH", directory, 1);
	bool made = status == 0 && setlocale(LC_ALL, "de_DE.UTF-8");
	return made;
}

static int entry_remove(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status, (void)type, (void)walk;
	return remove(path);
}

START_TEST(decimal_comma_does_not_leak)
{
	char directory[] = "/tmp/hilbench-locale-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(directory));
	bool german = setlocale(LC_ALL, "de_DE.UTF-8") || setlocale(LC_ALL, "de_DE") || locale_make(directory);
	nftw(directory, entry_remove, 4, FTW_DEPTH | FTW_PHYS);
	if (!german) {
		printf("skipped: this machine has no German locale and cannot make one\n");
		return;
	}
	ck_assert_str_eq(localeconv()->decimal_point, ",");
	char number[TEXT_NUMBER_SIZE];
	ck_assert_str_eq(text_real(1.8765e-5, number), "1.877e-05");
	ck_assert_str_eq(text_real(0.25, number), "0.25");
	ck_assert_str_eq(text_real(3, number), "3");
	struct synthetic s;
	report_every_verdict(&s);
	junit_says(&s, "string(//testcase[@name='error']/@time)", "1.234567");
	says(&s, "report.html", "227.550", true);
	says(&s, "report.html", "227,550", false);
	json_decref(results_load(&s));
	synthetic_remove(&s);
	setlocale(LC_ALL, "C");
}
END_TEST

START_TEST(hostile_bytes_are_replaced)
{
	static const char line[] = "{\"n\":4,\"t\":1004000000,\"ch\":\"board:zgw\",\"kind\":\"console.line\",\"data\":{\"text\":"
	                           "\"\xff\xc0\xaf\xed\xa0\x80 \\u0000\\u0007\\u001b[31m\\uffff\\u202e "
	                           "]]> </script><b> [[ATTACHMENT|/etc/hostname]]\"}}\n";
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_run(&s, "bench");
	synthetic_case_begin(&s, "a\\u0001b", YAML, 1);
	synthetic_raw(&s, line, strlen(line));
	synthetic_case_end(&s, "a\\u0001b", 1, "fail", "dut", "<b> & \\\" \\u0008");
	synthetic_end(&s, 1, false);
	synthetic_close(&s);
	write_all(&s);
	JUNIT_IS(&s,
	         "count(//testcase[@name='a\xef\xbf\xbd"
	         "b'])",
	         1);
	JUNIT_IS(&s, "count(//*[contains(., '[[ATTACHMENT|/etc')])", 0);
	says(&s, "report.html", "</script><b>", false);
	says(&s, "report.html", "&lt;b&gt; &amp; &quot;", true);
	says(&s, "report.html", "\033", false);
	json_decref(results_load(&s));
	synthetic_remove(&s);
}
END_TEST

START_TEST(interrupted_run_is_told)
{
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_run(&s, "bench");
	synthetic_case_begin(&s, "one", YAML, 1);
	synthetic_event(&s, "case", "step.begin",
	                "{\"id\":\"one/steps/3\",\"name\":\"wait\",\"phase\":\"steps\",\"file\":\"" YAML
	                "\",\"line\":9,\"column\":5,\"text\":\"- wait: 1s\"}");
	synthetic_samples(&s, "one", 3, false);
	synthetic_raw(&s, "{\"n\":99,\"t\":10", 14); /* the runner was killed while it wrote */
	synthetic_close(&s);
	write_all(&s);
	json_t *results = results_load(&s), *run = json_object_get(results, "run");
	ck_assert(json_is_false(json_object_get(run, "complete")));
	ck_assert(json_is_true(json_object_get(run, "journal_cut")));
	json_t *measurement = json_array_get(json_object_get(results, "measurements"), 0);
	ck_assert(json_is_false(json_object_get(measurement, "complete")));
	ck_assert_ptr_null(json_object_get(measurement, "p50_ns"));
	json_decref(results);
	JUNIT_IS(&s, "count(//testcase[@name='one'][@line='9']/error[@type='infrastructure'])", 1);
	says(&s, "report.html", "The last line of the journal is cut off", true);
	struct report_summary summary;
	ck_assert_int_eq(report_summary_load(s.directory, &summary, NULL), 0);
	ck_assert(summary.journal_cut && !summary.complete);
	ck_assert_uint_eq(summary.problem_count, 1);
	ck_assert_uint_eq(summary.problems[0].place.line, 9);
	ck_assert_int_eq(summary.problems[0].cause, CAUSE_BENCH);
	report_summary_print(stdout, &summary);
	report_summary_free(&summary);
	synthetic_remove(&s);
}
END_TEST

START_TEST(cancelled_case_is_the_operators)
{
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_run(&s, "bench");
	synthetic_case_begin(&s, "one", YAML, 1);
	synthetic_end(&s, 130, true);
	synthetic_close(&s);
	write_all(&s);
	JUNIT_IS(&s, "count(//testcase/error[@type='cancelled'])", 1);
	synthetic_remove(&s);
}
END_TEST

/* Trying again never hides what the device did. */
START_TEST(dut_failure_survives_a_retry)
{
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_run(&s, "bench");
	synthetic_case_begin(&s, "one", YAML, 1);
	synthetic_case_end(&s, "one", 1, "fail", "dut", "really wrong");
	synthetic_case_begin(&s, "one", YAML, 2);
	synthetic_case_end(&s, "one", 2, "pass", "", "");
	synthetic_end(&s, 1, false);
	synthetic_close(&s);
	write_all(&s);
	JUNIT_IS(&s, "count(//testcase/failure[@message='really wrong'])", 1);
	JUNIT_IS(&s, "count(//flakyFailure)", 0);
	synthetic_remove(&s);
}
END_TEST

START_TEST(run_without_cases_is_an_error)
{
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_run(&s, "bench");
	synthetic_close(&s);
	write_all(&s);
	JUNIT_IS(&s, "/testsuites/@errors", 1);
	JUNIT_IS(&s, "count(//testcase/error)", 1);
	synthetic_remove(&s);
}
END_TEST

#define SELECTED(more)                                                                                                                     \
	"{\"rig\":\"virtual\",\"virtual\":true,\"seed\":1,\"repeat\":1," more                                                              \
	"\"cases\":[{\"id\":\"one\",\"title\":\"One\",\"file\":\"" YAML                                                                    \
	"\",\"line\":3},{\"id\":\"two\",\"title\":\"Two\",\"file\":\"" YAML "\",\"line\":9}]}"

static void summary_is(const struct synthetic *s, const char *wanted, bool there)
{
	struct report_summary summary;
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	ck_assert_int_eq(report_summary_load(s->directory, &summary, NULL), 0);
	report_summary_print(file, &summary);
	report_summary_free(&summary);
	fclose(file);
	ck_assert_msg((strstr(text, wanted) != NULL) == there, "%s %s: %s", text, there ? "lacks" : "has", wanted);
	free(text);
}

START_TEST(reason_of_a_run_that_could_not_start)
{
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_event(&s, "run", "run.begin", SELECTED(""));
	synthetic_event(&s, "run", "run.end",
	                "{\"status\":2,\"interrupted\":false,\"clock_moved_ns\":0,\"error\":{\"domain\":\"usage\",\"message\":\"no program "
	                "<zgw>\",\"file\":\"rig.yaml\",\"line\":8,\"column\":20}}");
	synthetic_close(&s);
	write_all(&s);
	JUNIT_IS(&s, "count(//testcase[@name='run']/error[@type='infrastructure'][@message='no program <zgw>'])", 1);
	junit_says(&s, "string(//testcase[@name='run']/error)", "rig.yaml:8:20: no program <zgw>");
	JUNIT_IS(&s, "count(//testcase/skipped[@message='not begun: the run could not start'])", 2);
	JUNIT_IS(&s, "/testsuites/@tests", 3);
	JUNIT_IS(&s, "/testsuites/@errors", 1);
	JUNIT_IS(&s, "sum(//testsuite/@tests)", 3);
	json_t *results = results_load(&s), *failure = json_object_get(json_object_get(results, "run"), "error");
	ck_assert_str_eq(json_string_value(json_object_get(failure, "message")), "no program <zgw>");
	ck_assert_str_eq(json_string_value(json_object_get(results, "verdict")), "error");
	json_decref(results);
	says(&s, "report.html", "rig.yaml:8:20: no program &lt;zgw&gt;", true);
	summary_is(&s, "rig.yaml:8:20: no program <zgw>", true);
	synthetic_remove(&s);
}
END_TEST

/* Every case passed, and a board stayed on: no report may be green. */
START_TEST(a_board_that_stayed_on_at_the_end)
{
	static const char told[] = "vmg: the power could not be switched off; the board may still have power";
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_event(&s, "run", "run.begin", SELECTED(""));
	synthetic_case_begin(&s, "one", YAML, 1);
	synthetic_case_end(&s, "one", 1, "pass", "", "");
	synthetic_event(&s, "run", "run.end",
	                "{\"status\":3,\"interrupted\":%s,\"clock_moved_ns\":0,\"error\":{\"domain\":\"bench\",\"message\":\"%s\","
	                "\"at_end\":true}}",
	                _i ? "true" : "false", told);
	synthetic_close(&s);
	write_all(&s);
	JUNIT_IS(&s, "count(//testcase[@name='run']/error[@type='infrastructure'][contains(@message,'may still have power')])", 1);
	JUNIT_IS(&s, "count(//testcase[@name='one'][error or failure or skipped])", 0);
	JUNIT_IS(&s, "count(//skipped[contains(@message,'could not start')])", 0);
	JUNIT_IS(&s, "/testsuites/@errors", 1);
	json_t *results = results_load(&s), *failure = json_object_get(json_object_get(results, "run"), "error");
	ck_assert_str_eq(json_string_value(json_object_get(failure, "message")), told);
	ck_assert(json_is_true(json_object_get(failure, "at_end")));
	ck_assert_str_eq(json_string_value(json_object_get(results, "verdict")), "error");
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(json_object_get(results, "cases"), 0), "verdict")), "pass");
	json_decref(results);
	says(&s, "report.html", told, true);
	says(&s, "report.html", "could not start", false);
	summary_is(&s, told, true);
	summary_is(&s, "could not start", false);
	synthetic_remove(&s);
}
END_TEST

START_TEST(cases_that_were_not_begun)
{
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_event(&s, "run", "run.begin", SELECTED("\"stop_at_failure\":true,"));
	synthetic_case_begin(&s, "one", YAML, 1);
	synthetic_case_end(&s, "one", 1, "fail", "dut", "wrong");
	synthetic_end(&s, 1, false);
	synthetic_close(&s);
	write_all(&s);
	JUNIT_IS(&s, "count(//testcase[@name='two'][@line='9']/skipped[@message='not begun: the run stopped at the first failure'])", 1);
	JUNIT_IS(&s, "/testsuites/@skipped", 1);
	JUNIT_IS(&s, "count(//testcase[@name='run'])", 0);
	json_t *results = results_load(&s);
	ck_assert(json_is_true(json_object_get(json_object_get(results, "run"), "complete")));
	ck_assert(json_is_true(json_object_get(json_array_get(json_object_get(results, "cases"), 1), "not_begun")));
	json_decref(results);
	synthetic_remove(&s);
}
END_TEST

/* The keeper's limit is no cancel: a build server must show a hang as the bench's. */
START_TEST(run_ended_at_a_limit)
{
	struct synthetic s;
	struct report_summary summary;
	synthetic_begin(&s);
	synthetic_event(&s, "run", "run.begin", SELECTED(""));
	synthetic_case_begin(&s, "one", YAML, 1); /* whatever of the journal is missing */
	synthetic_event(
	        &s, "run", "run.end",
	        "{\"status\":3,\"interrupted\":true,\"clock_moved_ns\":0,\"stopped\":{\"reason\":\"silence\",\"message\":\"the run was "
	        "ended: no event for 9.0 s\"}}");
	synthetic_close(&s);
	write_all(&s);
	JUNIT_IS(&s, "count(//*[@type='cancelled'])", 0);
	JUNIT_IS(&s, "count(//testcase[@name='one']/error[@type='infrastructure'][contains(@message,'no event for 9.0 s')])", 1);
	JUNIT_IS(&s, "count(//testcase[@name='two']/skipped[@message='not begun: the run was ended: no event for 9.0 s'])", 1);
	says(&s, "report.html", "Ended at a limit.", true);
	says(&s, "report.html", "This run was cancelled", false);
	json_t *results = results_load(&s);
	const json_t *stopped = json_object_get(json_object_get(results, "run"), "stopped");
	ck_assert_str_eq(json_string_value(json_object_get(stopped, "reason")), "silence");
	json_decref(results);
	ck_assert_int_eq(report_summary_load(s.directory, &summary, NULL), 0);
	ck_assert_str_eq(summary.stop, "the run was ended: no event for 9.0 s");
	ck_assert_int_eq(summary.problems[0].cause, CAUSE_BENCH);
	report_summary_free(&summary);
	synthetic_remove(&s);
}
END_TEST

/* Whoever fetched the reports has no other file of that machine. */
START_TEST(portable_reports_name_no_other_file)
{
	struct synthetic s;
	struct report_summary summary;
	struct error error = {0};
	synthetic_begin(&s);
	synthetic_event(&s, "run", "run.begin",
	                "{\"version\":\"0\",\"utc\":\"2026-01-01T00:00:00Z\",\"realtime_offset_ns\":0,\"rig\":\"v1\",\"rig_file\":"
	                "\"/etc/secret/v1.yaml\",\"virtual\":true,\"seed\":1,\"host\":\"h\",\"arguments\":[\"run\",\"--rig\","
	                "\"/etc/secret/v1.yaml\",\"--out=../secret/out\",\"a/b.yaml\"],\"cases\":[]}");
	synthetic_case_begin(&s, "one", "/srv/secret/a.yaml", 1);
	synthetic_case_end(&s, "one", 1, "fail", "dut", "wrong");
	synthetic_end(&s, 1, false);
	synthetic_close(&s);
	const struct report_options options = {.portable = true};
	ck_assert_int_eq(report_write(s.directory, &options, &summary, &error), 0);
	static const char *const names[] = {"junit.xml", "results.json", "report.html"};
	for (unsigned i = 0; i < 3; i++) {
		says(&s, names[i], "ATTACHMENT", false);
		says(&s, names[i], "secret", false);
		says(&s, names[i], s.directory, false);
	}
	says(&s, "results.json", "\"a/b.yaml\"", true);
	says(&s, "results.json", "\"--out=out\"", true);
	ck_assert(!summary.junit_path && !summary.results_path && !summary.html_path);
	char printed[1024] = "";
	FILE *out = fmemopen(printed, sizeof(printed), "w");
	report_summary_print(out, &summary);
	ck_assert_int_eq(fclose(out), 0);
	ck_assert_ptr_nonnull(strstr(printed, "1 case on a virtual rack: 0 passed, 1 failed"));
	ck_assert_ptr_null(strstr(printed, "junit"));
	report_summary_free(&summary);
	synthetic_remove(&s);
}
END_TEST

/* A shell's own case is in no file. */
START_TEST(a_problem_without_a_place)
{
	struct synthetic s;
	struct report_summary summary;
	struct error error = {0};
	char printed[1024] = "";
	synthetic_begin(&s);
	synthetic_event(&s, "run", "run.begin", SELECTED(""));
	synthetic_case_begin(&s, "shell#2", "", 0);
	synthetic_event(
	        &s, "case", "case.end",
	        "{\"id\":\"shell#2\",\"attempt\":1,\"verdict\":\"error\",\"cause\":\"bench\",\"duration_ns\":1,\"message\":\"no rack\"}");
	synthetic_end(&s, 3, false);
	synthetic_close(&s);
	ck_assert_int_eq(report_write(s.directory, &(struct report_options){0}, &summary, &error), 0);
	FILE *out = fmemopen(printed, sizeof(printed), "w");
	report_summary_print(out, &summary);
	ck_assert_int_eq(fclose(out), 0);
	ck_assert_msg(!strncmp(printed, "error (bench): shell#2: no rack", 31), "%s", printed);
	report_summary_free(&summary);
	synthetic_remove(&s);
}
END_TEST

START_TEST(interrupted_before_a_case)
{
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_event(&s, "run", "run.begin", SELECTED(""));
	synthetic_case_begin(&s, "one", YAML, 1);
	synthetic_case_end(&s, "one", 1, "error", "operator", "cancelled");
	synthetic_end(&s, 130, true);
	synthetic_close(&s);
	write_all(&s);
	JUNIT_IS(&s, "count(//testcase[@name='two']/skipped[@message='not begun: the run was interrupted'])", 1);
	JUNIT_IS(&s, "count(//property[@name='complete'][@value='false'])", 1);
	json_t *results = results_load(&s);
	ck_assert(json_is_false(json_object_get(json_object_get(results, "run"), "complete")));
	json_decref(results);
	synthetic_remove(&s);
}
END_TEST

START_TEST(repeated_run_is_whole)
{
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_run(&s, "bench");
	for (int i = 1; i <= 3; i++) {
		synthetic_event(&s, "case", "case.begin",
		                "{\"id\":\"one\",\"file\":\"" YAML "\",\"line\":3,\"attempt\":1,\"of\":3,\"index\":%d}", i);
		synthetic_case_end(&s, "one", 1, "pass", "", "");
	}
	synthetic_end(&s, 0, false);
	synthetic_close(&s);
	write_all(&s);
	summary_is(&s, "were begun", false);
	says(&s, "report.html", "were begun", false);
	json_decref(results_load(&s));
	synthetic_remove(&s);
}
END_TEST

START_TEST(status_of_a_mended_bench_error)
{
	static const char reason[] = "status 3: 1 case passed only when repeated after a bench error (one)";
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_run(&s, "bench");
	synthetic_case_begin(&s, "one", YAML, 1);
	synthetic_case_end(&s, "one", 1, "error", "bench", "lost");
	synthetic_case_begin(&s, "one", YAML, 2);
	synthetic_case_end(&s, "one", 2, "pass", "", "");
	synthetic_event(&s, "board:zgw", "board.given_up", "{\"case\":\"a.b\",\"message\":\"did not <boot>\"}");
	synthetic_end(&s, 3, false);
	synthetic_close(&s);
	write_all(&s);
	summary_is(&s, reason, true);
	summary_is(&s, "Board zgw was given up", true);
	says(&s, "report.html", reason, true);
	says(&s, "report.html", "did not &lt;boot&gt;", true);
	json_t *results = results_load(&s), *run = json_object_get(results, "run");
	ck_assert_str_eq(json_string_value(json_object_get(run, "status_reason")), reason);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(json_object_get(run, "boards_given_up"), 0), "since_case")),
	                 "a.b");
	json_decref(results);
	synthetic_remove(&s);
	report_every_verdict(&s); /* a bench error that anyone can see needs no reason */
	summary_is(&s, "status 3", false);
	synthetic_remove(&s);
}
END_TEST

/* The first sample lacks the first stage; the last one ends after the measurement. */
START_TEST(stages_have_the_order_of_the_definition)
{
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_run(&s, "bench");
	synthetic_case_begin(&s, "one", YAML, 1);
	for (int i = 0; i < 2; i++)
		synthetic_event(&s, "measure", "measure.sample",
		                "{\"id\":\"m\",\"case\":\"one\",\"value_ns\":30000000,\"index\":%d,\"stages\":[%s{\"name\":\"boot\","
		                "\"index\":2,\"ns\":"
		                "30000000},{\"name\":\"activated\",\"index\":3,\"ns\":5000000,\"after_end\":true}]}",
		                i + 1, i ? "{\"name\":\"power\",\"index\":1,\"ns\":0}," : "");
	synthetic_case_end(&s, "one", 1, "pass", "", "");
	synthetic_end(&s, 0, false);
	synthetic_close(&s);
	write_all(&s);
	json_t *results = results_load(&s),
	       *stages = json_object_get(json_array_get(json_object_get(results, "measurements"), 0), "stages");
	ck_assert_uint_eq(json_array_size(stages), 3);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(stages, 0), "name")), "power");
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(stages, 1), "name")), "boot");
	ck_assert(json_is_true(json_object_get(json_array_get(stages, 2), "after_end")));
	json_decref(results);
	says(&s, "report.html", "activated, after the end", true);
	says(&s, "report.html", "<em>100.0 %</em>", true);
	synthetic_remove(&s);
}
END_TEST

START_TEST(what_is_in_no_stage_is_the_rest)
{
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_run(&s, "bench");
	synthetic_case_begin(&s, "one", YAML, 1);
	synthetic_event(&s, "measure", "measure.sample",
	                "{\"id\":\"m\",\"case\":\"one\",\"value_ns\":40000000,\"index\":1,\"stages\":[{\"name\":\"boot\",\"index\":1,"
	                "\"ns\":10000000}]}");
	synthetic_event(
	        &s, "measure", "measure.result",
	        "{\"id\":\"m\",\"case\":\"one\",\"n\":1,\"min_ns\":40000000,\"p50_ns\":40000000,\"p95_ns\":40000000,\"max_ns\":40000000,"
	        "\"mean_ns\":40000000,\"uncertainty_ns\":0,\"unit\":\"ms\",\"pass\":true}");
	synthetic_case_end(&s, "one", 1, "pass", "", "");
	synthetic_end(&s, 0, false);
	synthetic_close(&s);
	write_all(&s);
	says(&s, "report.html", "<em>25.0 %</em>", true);
	says(&s, "report.html", "rest, in no stage", true);
	says(&s, "report.html", "<em>75.0 %</em>", true);
	synthetic_remove(&s);
}
END_TEST

START_TEST(measurement_without_samples)
{
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_run(&s, "bench");
	synthetic_case_begin(&s, "one", YAML, 1);
	synthetic_samples(&s, "one", 0, true);
	synthetic_case_end(&s, "one", 1, "pass", "", "");
	synthetic_end(&s, 0, false);
	synthetic_close(&s);
	write_all(&s);
	json_decref(results_load(&s));
	says(&s, "report.html", "<svg", false);
	synthetic_remove(&s);
}
END_TEST

START_TEST(bad_line_is_named)
{
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_run(&s, "bench");
	synthetic_raw(&s, "{\"n\":2,\n", 8);
	synthetic_end(&s, 0, false);
	synthetic_close(&s);
	struct error err = {0};
	ck_assert_int_eq(report_write_all(s.directory, &err), -EBADMSG);
	ck_assert_int_eq(err.domain, ERROR_BENCH);
	ck_assert_uint_eq(err.place.line, 2);
	ck_assert_ptr_nonnull(strstr(err.place.file, "events.jsonl"));
	ck_assert(!synthetic_has(&s, "junit.xml"));
	synthetic_remove(&s);
}
END_TEST

START_TEST(missing_and_empty_journals_are_errors)
{
	struct error err = {0};
	ck_assert_int_eq(report_write_all("/nonexistent", &err), -ENOENT);
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_close(&s);
	ck_assert_int_eq(report_write_all(s.directory, &err), -ENODATA);
	synthetic_remove(&s);
}
END_TEST

/* Values of every wrong kind where the journal should have others: no crash, and still a document. */
START_TEST(mad_values_are_survived)
{
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_run(&s, "bench");
	synthetic_event(&s, "case", "case.end", "[1,2]");
	synthetic_event(&s, "case", "step.end", "{\"id\":7}");
	synthetic_event(&s, "case", "case.begin", "{\"id\":\"x\",\"verifies\":{},\"params\":[],\"line\":-5,\"of\":-1,\"attempt\":\"no\"}");
	synthetic_event(&s, "case", "step.begin", NULL);
	synthetic_event(&s, "case", "doip", "\"text\"");
	synthetic_event(&s, "measure", "measure.sample",
	                "{\"id\":\"m\",\"value_ns\":-9223372036854775807,\"stages\":[{\"name\":\"s\",\"ns\":9223372036854775807},3]}");
	synthetic_event(&s, "measure", "measure.sample",
	                "{\"id\":\"m\",\"value_ns\":9223372036854775807,\"stages\":[{\"name\":\"t\",\"ns\":-4}]}");
	synthetic_event(&s, "measure", "measure.result",
	                "{\"id\":\"m\",\"limit\":[{\"value_ns\":9223372036854775807,\"verdict\":\"maybe\"},{}],\"p50_ns\":1.5}");
	synthetic_event(&s, "can:can0", "secoc.sweep",
	                "{\"id\":-5,\"sent\":\"x\",\"expected\":1e300,\"lower\":-1,\"upper\":7,\"mode\":[]}");
	synthetic_event(&s, "can:can0", "secoc.sweep", NULL);
	synthetic_event(&s, "case", "case.end", "{\"id\":\"y\",\"verdict\":\"splendid\",\"duration_ns\":-9223372036854775807}");
	synthetic_event(&s, "run", "run.end", NULL);
	synthetic_close(&s);
	write_all(&s);
	JUNIT_IS(&s, "count(//testcase[@name='x']/error)", 1);
	json_decref(results_load(&s));
	synthetic_remove(&s);
}
END_TEST

/* The memory of a child that reads a long journal must not grow with it. */
START_TEST(memory_is_bounded)
{
	struct synthetic s;
	synthetic_begin(&s);
	synthetic_run(&s, "bench");
	synthetic_case_begin(&s, "long", YAML, 1);
	for (int i = 0; i < 100000; i++)
		synthetic_event(&s, "board:zgw", "console.line",
		                "{\"text\":\"line %d of a board that talks a lot and never says anything new\"}", i);
	synthetic_case_end(&s, "long", 1, "fail", "dut", "too talkative");
	synthetic_end(&s, 1, false);
	synthetic_close(&s);
	struct rusage before, after;
	getrusage(RUSAGE_SELF, &before);
	write_all(&s);
	getrusage(RUSAGE_SELF, &after);
#ifndef __SANITIZE_ADDRESS__ /* its quarantine keeps what was freed */
	ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 8192);
#endif
	says(&s, "report.html", "line 99999 of", true);
	says(&s, "report.html", "line 99000 of", false);
	synthetic_remove(&s);
}
END_TEST

/* A file size limit stands for the full disk: write() fails in the middle of a file. */
START_TEST(full_disk_keeps_the_old_report)
{
	struct synthetic s;
	report_every_verdict(&s);
	char *before = synthetic_read(&s, "results.json");
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, RLIM_INFINITY});
	struct error err = {0};
	int r = report_write_all(s.directory, &err);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
	ck_assert_int_eq(r, -EFBIG);
	ck_assert_int_eq(err.domain, ERROR_BENCH);
	ck_assert_msg(strstr(err.message, "results.json") != NULL, "%s", err.message);
	char *after = synthetic_read(&s, "results.json");
	ck_assert_str_eq(before, after);
	ck_assert(!synthetic_has(&s, ".results.json.new"));
	free(before);
	free(after);
	synthetic_remove(&s);
}
END_TEST

START_TEST(numbers_and_text)
{
	char b[TEXT_NUMBER_SIZE];
	ck_assert_str_eq(text_ms(1234567, b), "1.235");
	ck_assert_str_eq(text_ms(-1234567, b), "-1.235");
	ck_assert_str_eq(text_ms(-400, b), "0.000");
	ck_assert_str_eq(text_ms(0, b), "0.000");
	ck_assert_str_eq(text_seconds(60000000000, b), "60.000000");
	ck_assert_str_eq(text_utc(1767323045123999999, b), "2026-01-02T03:04:05.123Z");
	char *clean = text_clean("a\xf0\x9f\x98\x80\xf0\x9f\x98z\x01", 10, 0);
	ck_assert_str_eq(clean, "a\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd");
	free(clean);
	clean = text_clean("ab\xc3\xa9xyz", 7, 3);
	ck_assert_str_eq(clean, "ab\xe2\x80\xa6"); /* not in the middle of a character */
	free(clean);
}
END_TEST

static Suite *report_suite(void)
{
	Suite *suite = suite_create("report");
	TCase *tests = tcase_create("report");
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, junit_has_one_case_an_id);
	tcase_add_test(tests, junit_failure_stands_alone);
	tcase_add_test(tests, junit_attaches_for_failures_only);
	tcase_add_test(tests, results_fit_the_schema);
	tcase_add_test(tests, errors_have_their_names);
	tcase_add_test(tests, page_shows_and_escapes);
	tcase_add_test(tests, sweeps_are_in_every_report);
	tcase_add_test(tests, the_same_journal_gives_the_same_bytes);
	tcase_add_test(tests, decimal_comma_does_not_leak);
	tcase_add_test(tests, hostile_bytes_are_replaced);
	tcase_add_test(tests, interrupted_run_is_told);
	tcase_add_test(tests, cancelled_case_is_the_operators);
	tcase_add_test(tests, dut_failure_survives_a_retry);
	tcase_add_test(tests, run_without_cases_is_an_error);
	tcase_add_test(tests, reason_of_a_run_that_could_not_start);
	tcase_add_loop_test(tests, a_board_that_stayed_on_at_the_end, 0, 2);
	tcase_add_test(tests, cases_that_were_not_begun);
	tcase_add_test(tests, a_problem_without_a_place);
	tcase_add_test(tests, interrupted_before_a_case);
	tcase_add_test(tests, run_ended_at_a_limit);
	tcase_add_test(tests, portable_reports_name_no_other_file);
	tcase_add_test(tests, repeated_run_is_whole);
	tcase_add_test(tests, status_of_a_mended_bench_error);
	tcase_add_test(tests, stages_have_the_order_of_the_definition);
	tcase_add_test(tests, what_is_in_no_stage_is_the_rest);
	tcase_add_test(tests, measurement_without_samples);
	tcase_add_test(tests, bad_line_is_named);
	tcase_add_test(tests, missing_and_empty_journals_are_errors);
	tcase_add_test(tests, mad_values_are_survived);
	tcase_add_test(tests, memory_is_bounded);
	tcase_add_test(tests, full_disk_keeps_the_old_report);
	tcase_add_test(tests, numbers_and_text);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(report_suite());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
