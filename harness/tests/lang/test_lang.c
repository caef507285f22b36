/* SPDX-License-Identifier: Apache-2.0 */
/* errors.txt: blocks of YAML, "-----", the expected errors as line:column: message; "OK n" when it must load n cases. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../lang/program.h"
#include "registry_for_tests.h"

static struct {
	char *yaml, *expected;
} *blocks;
static int block_count;

static void blocks_read(const char *path)
{
	static char text[1 << 18];
	FILE *file = fopen(path, "r");
	char *at = text, *end, *middle;

	if (!file) {
		(void)fprintf(stderr, "cannot read %s\n", path);
		exit(99);
	}
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	(void)fclose(file);
	while (at) {
		end = strstr(at, "=====\n");
		if (end)
			*end = '\0';
		middle = strncmp(at, "-----\n", 6) == 0 ? at : strstr(at, "\n-----\n");
		if (!middle)
			exit(99);
		blocks = realloc(blocks, (size_t)(block_count + 1) * sizeof(*blocks));
		blocks[block_count].expected = middle + (middle == at ? 6 : 7);
		*(middle == at ? middle : middle + 1) = '\0';
		blocks[block_count++].yaml = at;
		at = end ? end + 6 : NULL;
	}
}

static struct program *load(const char *text)
{
	struct error_list errors = {0};
	struct program *program = NULL;
	char line[2048];

	if (program_load_text("t.yaml", text, strlen(text), registry_for_tests(), &program, &errors) < 0)
		ck_abort_msg("%s", error_describe(&errors.items[0], line, sizeof(line)));
	error_list_free(&errors);
	return program;
}

START_TEST(every_error_has_its_place_and_words)
{
	struct error_list errors = {0};
	struct program *program;
	char *actual = NULL, line[2048];
	size_t length;
	FILE *out = open_memstream(&actual, &length);

	if (program_load_text("t.yaml", blocks[_i].yaml, strlen(blocks[_i].yaml), registry_for_tests(), &program, &errors) == 0) {
		(void)fprintf(out, "OK %u\n", program->count);
		program_free(program);
	}
	for (unsigned i = 0; i < errors.count; i++) {
		ck_assert_int_eq(errors.items[i].domain, ERROR_USAGE);
		(void)fprintf(out, "%s\n", error_describe(&errors.items[i], line, sizeof(line)) + strlen("t.yaml:"));
	}
	(void)fclose(out);
	/* "OK" lines have no file in front. */
	ck_assert_str_eq(actual, blocks[_i].expected);
	free(actual);
	error_list_free(&errors);
}
END_TEST

START_TEST(parameters_make_every_combination)
{
	struct program *program = load("- id: a\n  title: V${v} ${r}\n  params: {v: [1, 0x10], r: [hard, soft]}\n"
	                               "  steps:\n    - doip.activate: {source: \"${v}\"}\n");

	ck_assert_uint_eq(program->count, 4);
	ck_assert_str_eq(program->cases[0]->id, "a[v=1,r=hard]");
	ck_assert_str_eq(program->cases[1]->id, "a[v=1,r=soft]");
	ck_assert_str_eq(program->cases[3]->id, "a[v=0x10,r=soft]");
	ck_assert_str_eq(program->cases[3]->title, "V0x10 soft");
	ck_assert_int_eq(value_get(program->cases[3]->params, "v")->integer, 16);
	ck_assert_str_eq(program->cases[3]->steps.calls[0]->id, "a[v=0x10,r=soft]/steps/0");
	program_free(program);
}
END_TEST

START_TEST(defaults_stand_around_the_case)
{
	struct program *program = load("defaults:\n  tags: [x]\n  timeout: 5s\n  setup: [{note: outer}]\n  always: [{note: outer}]\n"
	                               "cases:\n  - id: a\n    tags: y\n    setup: [{note: inner}]\n    steps: [rack.ready]\n"
	                               "    always: [{note: inner}]\n  - {id: b, timeout: 1min, steps: [rack.ready]}\n");
	const struct case_def *a = program->cases[0];

	ck_assert_str_eq(a->tags[0], "x");
	ck_assert_str_eq(a->tags[1], "y");
	ck_assert_ptr_null(a->tags[2]);
	ck_assert_int_eq(a->timeout_ns, 5000000000);
	ck_assert_int_eq(a->always_timeout_ns, 15000000000);
	ck_assert_str_eq(a->setup.calls[0]->text, "note: outer");
	ck_assert_str_eq(a->setup.calls[1]->id, "a/setup/1");
	ck_assert_str_eq(a->always.calls[0]->text, "note: inner");
	ck_assert_str_eq(a->always.calls[1]->text, "note: outer");
	ck_assert_int_eq(program->cases[1]->timeout_ns, 60000000000);
	ck_assert_str_eq(program->cases[1]->title, "b");
	program_free(program);
}
END_TEST

START_TEST(steps_keep_what_was_written)
{
	struct program *program = load("- id: a\n  steps:\n    - repeat: {count: 2, as: n, steps: [{wait: 5ms}, {note: \"${n}\"}]}\n"
	                               "    - doip.activate: {source: 0x0e80, expect: {code: 0x10}, save: {c: code}}\n");
	const struct step_block *steps = &program->cases[0]->steps;

	ck_assert_uint_eq(steps->count, 2);
	ck_assert_str_eq(steps->calls[0]->text, "repeat: {count: 2, as: n}");
	ck_assert_uint_eq(steps->calls[0]->block->count, 2);
	ck_assert_str_eq(steps->calls[0]->block->calls[1]->id, "a/steps/0/1");
	ck_assert_str_eq(steps->calls[1]->text, "doip.activate: {source: 0xe80, expect: {code: 0x10}, save: {c: code}}");
	ck_assert_uint_eq(steps->calls[1]->place.line, 4);
	ck_assert_uint_eq(steps->calls[1]->place.column, 7);
	ck_assert_ptr_null(value_get(steps->calls[1]->args, "expect"));
	ck_assert_ptr_nonnull(value_get(steps->calls[1]->expect, "code"));
	ck_assert_ptr_nonnull(value_get(steps->calls[1]->save, "c"));
	program_free(program);
}
END_TEST

START_TEST(long_steps_are_cut_between_characters)
{
	char yaml[512], note[300];
	struct program *program;
	size_t length;

	for (unsigned n = 220; n < 260; n++) {
		memset(note, 'x', n);
		memcpy(note + n - n % 2, "ä", sizeof("ä"));
		(void)snprintf(yaml, sizeof(yaml), "- {id: a, steps: [{note: %s}]}\n", note);
		program = load(yaml);
		length = strlen(program->cases[0]->steps.calls[0]->text);
		ck_assert_uint_eq(length, strlen(note) + 6 <= 240 ? strlen(note) + 6 : length);
		ck_assert_uint_le(length, 240);
		ck_assert(strlen(note) + 6 <= 240 || strcmp(program->cases[0]->steps.calls[0]->text + length - 3, "…") == 0);
		program_free(program);
	}
}
END_TEST

START_TEST(arguments_are_resolved_and_defaulted)
{
	struct program *program = load("- id: a\n  steps:\n    - doip.activate: {save: {s: code, t: name}}\n"
	                               "    - doip.activate: {source: \"${s}\"}\n    - note: \"a ${s} $${s} ${t}\"\n    - power.on: zgw\n");
	const struct step_block *steps = &program->cases[0]->steps;
	struct scope *scope = scope_new();
	struct value *value;
	struct error err;

	ck_assert_int_eq(step_call_arg(steps->calls[1], "source", scope, &value, &err), -ENOENT);
	ck_assert_int_eq(err.domain, ERROR_TESTCASE);
	ck_assert_uint_eq(err.place.line, 4);
	ck_assert_int_eq(scope_set(scope, "s", value_new_integer(0x10000)), 0);
	ck_assert_int_eq(step_call_arg(steps->calls[1], "source", scope, &value, &err), -ERANGE);
	ck_assert_int_eq(err.domain, ERROR_TESTCASE);
	ck_assert_int_eq(scope_set(scope, "s", value_new_integer(7)), 0);
	ck_assert_int_eq(scope_set(scope, "t", value_new_text("x")), 0);
	ck_assert_int_eq(step_call_arg(steps->calls[1], "source", scope, &value, &err), 0);
	ck_assert_int_eq(value->integer, 7);
	value_free(value);
	ck_assert_int_eq(step_call_arg(steps->calls[0], "source", scope, &value, &err), 0);
	ck_assert_int_eq(value->integer, 0x0e80);
	value_free(value);
	ck_assert_int_eq(step_call_arg(steps->calls[0], "within", scope, &value, &err), 0);
	ck_assert_int_eq(value->type, VALUE_DURATION);
	ck_assert_int_eq(value->integer, 2000000000);
	value_free(value);
	ck_assert_int_eq(step_call_arg(steps->calls[0], "link", scope, &value, &err), 0);
	ck_assert_ptr_null(value);
	ck_assert_int_eq(step_call_arg(steps->calls[2], "text", scope, &value, &err), 0);
	ck_assert_str_eq(value->text, "a 7 ${s} x");
	value_free(value);
	ck_assert_int_eq(step_call_arg(steps->calls[3], "role", scope, &value, &err), 0);
	ck_assert_int_eq(value->type, VALUE_LIST);
	ck_assert_str_eq(value->list.items[0]->text, "zgw");
	value_free(value);
	ck_assert_int_eq(step_call_arg(steps->calls[3], "nothing", scope, &value, &err), -EINVAL);
	scope_free(scope);
	program_free(program);
}
END_TEST

static const struct {
	const char *expect;
	int result;
	const char *expected, *actual;
} expectations[] = {
        {"{code: 16}", 0, NULL, NULL},
        {"{code: 0x11}", -EBADMSG, "code: 0x11", "code: 0x10"},
        {"{code: {eq: 0x10}}", 0, NULL, NULL},
        {"{code: {ne: 16}}", -EBADMSG, "code: not 16", "code: 16"},
        {"{code: {ne: 17}}", 0, NULL, NULL},
        {"{code: {in_range: [16, 20]}}", 0, NULL, NULL},
        {"{code: {in_range: [17, 20]}}", -EBADMSG, "code: in [17, 20]", "code: 16"},
        {"{code: {one_of: [0x10, 0x11]}}", 0, NULL, NULL},
        {"{code: {one_of: [0x12, 0x11]}}", -EBADMSG, "code: one of [0x12, 0x11]", "code: 0x10"},
        {"{code: {at_least: 16, at_most: 16}}", 0, NULL, NULL},
        {"{code: {at_least: 16, at_most: 15}}", -EBADMSG, "code: at most 15", "code: 16"},
        {"{code: \"${known}\"}", 0, NULL, NULL},
        {"{code: \"${unknown}\"}", -ENOENT, NULL, NULL},
        {"{elapsed: {at_most: 50ms}}", 0, NULL, NULL},
        {"{elapsed: {at_most: 49.9ms}}", -EBADMSG, "elapsed: at most 49.9ms", "elapsed: 50ms"},
        {"{elapsed: {at_most: 50}}", -EINVAL, NULL, NULL},
        {"{payload: \"62 f1 90 01\"}", 0, NULL, NULL},
        {"{payload: \"62f19001\"}", 0, NULL, NULL},
        {"{payload: \"62 f1 90 ..\"}", 0, NULL, NULL},
        {"{payload: \"62 ?? 90 01\"}", 0, NULL, NULL},
        {"{payload: \"62 f2 ..\"}", -EBADMSG, "payload: 62 f2 ..", "payload: 62 f1 90 01"},
        {"{payload: {ne: \"62 f1 ..\"}}", -EBADMSG, "payload: not 62 f1 ..", "payload: 62 f1 90 01"},
        {"{payload: {one_of: [\"7f ..\", \"62 ..\"]}}", 0, NULL, NULL},
        {"{payload: \"62f19002\"}", -EBADMSG, "payload: 62 f1 90 02", "payload: 62 f1 90 01"},
        {"{payload: {bytes: \"62 f1 90 ..\"}}", 0, NULL, NULL},
        {"{payload: {bytes: \"62 F1 ?? 01\"}}", 0, NULL, NULL},
        {"{payload: {bytes: \"62 f1 90 01 ..\"}}", 0, NULL, NULL},
        {"{payload: {bytes: \"62 f1 90 01 ??\"}}", -EBADMSG, "payload: bytes 62 f1 90 01 ??", "payload: 62 f1 90 01"},
        {"{payload: {bytes: \"62 f1\"}}", -EBADMSG, "payload: bytes 62 f1", "payload: 62 f1 90 01"},
        {"{payload: {bytes: \"..\"}}", 0, NULL, NULL},
        {"{name: {matches: \"^ro.*e$\"}}", 0, NULL, NULL},
        {"{name: {matches: \"^x\"}}", -EBADMSG, "name: a text that matches ^x", "name: route"},
        {"{name: route}", 0, NULL, NULL},
        {"{closed: true}", 0, NULL, NULL},
        {"{closed: false}", -EBADMSG, "closed: false", "closed: true"},
        {"{nack: {absent: true}}", 0, NULL, NULL},
        {"{nack: {present: true}}", -EBADMSG, "nack: present", "nack: absent"},
        {"{nack: 1}", -EBADMSG, "nack: 1", "nack: absent"},
        {"{nack: {ne: 1}}", -EBADMSG, "nack: not 1", "nack: absent"},
        {"{code: {absent: true}}", -EBADMSG, "code: absent", "code: 16"},
        {"{targets: [1, 2]}", 0, NULL, NULL},
        {"{targets: [1, 3]}", -EBADMSG, "targets: [1, 3]", "targets: [1, 2]"},
        {"{code: 0x10, closed: false}", -EBADMSG, "closed: false", "closed: true"},
};

static struct value *results_make(void)
{
	struct value *results = value_new_map(), *targets = value_new_list();

	ck_assert_int_eq(value_list_add(targets, value_new_integer(1)), 0);
	ck_assert_int_eq(value_list_add(targets, value_new_integer(2)), 0);
	ck_assert_int_eq(value_map_set(results, "code", value_new_integer(16)), 0);
	ck_assert_int_eq(value_map_set(results, "elapsed", value_new_duration(50000000)), 0);
	ck_assert_int_eq(value_map_set(results, "payload", value_new_bytes("\x62\xf1\x90\x01", 4)), 0);
	ck_assert_int_eq(value_map_set(results, "name", value_new_text("route")), 0);
	ck_assert_int_eq(value_map_set(results, "closed", value_new_bool(true)), 0);
	ck_assert_int_eq(value_map_set(results, "targets", targets), 0);
	return results;
}

START_TEST(expectations_hold_or_tell)
{
	struct value *expect, *results = results_make();
	struct scope *scope = scope_new();
	char *expected = NULL, *actual = NULL;
	struct error err = {0};
	const char *text = expectations[_i].expect;

	ck_assert_int_eq(scope_set(scope, "known", value_new_integer(16)), 0);
	ck_assert_int_eq(value_parse_text("t.yaml", text, strlen(text), &expect, &err), 0);
	ck_assert_int_eq(expect_check(expect, results, scope, &expected, &actual, &err), expectations[_i].result);
	if (expectations[_i].expected) {
		ck_assert_str_eq(expected, expectations[_i].expected);
		ck_assert_str_eq(actual, expectations[_i].actual);
		ck_assert_int_eq(err.domain, ERROR_DUT);
		ck_assert_uint_eq(err.place.line, 1);
	} else {
		ck_assert_ptr_null(expected);
		ck_assert(expectations[_i].result == 0 || err.domain == ERROR_TESTCASE);
	}
	free(expected);
	free(actual);
	value_free(expect);
	value_free(results);
	scope_free(scope);
}
END_TEST

static bool rig_has_role(void *context, const char *role)
{
	return strcmp(role, "zgw") == 0;
}
static bool rig_has_link(void *context, const char *link)
{
	return strcmp(link, "zgw-vmg") == 0;
}
static bool rig_has_capability(void *context, const char *capability)
{
	return strcmp(capability, "tls") == 0;
}

START_TEST(a_rig_must_have_what_cases_name)
{
	struct program_rig rig = {.has_role = rig_has_role, .has_link = rig_has_link, .has_capability = rig_has_capability};
	struct program *program = load("- id: a\n  params: {who: [zgw, ecu]}\n  steps:\n    - power.on: [zgw, \"${who}\"]\n"
	                               "    - doip.activate: {link: zgw-vmgg}\n    - link.cut:\n    - note: \"${rig.tester.address} "
	                               "${rig.vmg.address}\"\n    - measure.begin: m\n"
	                               "  measure: [{id: m, from: {event: power.on, role: x}, to: {event: doip, link: zgw-vmg}}]\n"
	                               "- id: b\n  requires: [zgw, relay]\n  steps: [{power.on: nobody}]\n");
	struct error_list errors = {0};
	static const char *const expected[] = {
	        "t.yaml:4:23: the rig has no role \"ecu\"", "t.yaml:5:29: the rig has no link \"zgw-vmgg\"",
	        "t.yaml:6:7: link.cut needs \"relay\", which the rig lacks: add \"requires: [relay]\" to skip the case there",
	        "t.yaml:7:13: the rig has no role \"vmg\"", "t.yaml:9:27: the rig has no role \"x\""};
	char line[2048];

	ck_assert_str_eq(case_missing(program->cases[2], &rig), "relay");
	ck_assert_int_eq(program_check_rig(program, &rig, &errors), -EINVAL);
	ck_assert_uint_eq(errors.count, 5);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_str_eq(error_describe(&errors.items[i], line, sizeof(line)), expected[i]);
	error_list_free(&errors);
	program_free(program);
}
END_TEST

static bool rig_has_can0(void *context, const char *bus)
{
	return strcmp(bus, "can0") == 0;
}
static bool rig_has_tester(void *context, const char *identity)
{
	return strcmp(identity, "tester") == 0;
}
static int rig_check_param(void *context, const char *role, const char *name, struct place name_place, const char *value,
                           struct place value_place, struct error *err)
{
	if (strcmp(name, "mode") != 0)
		return error_set_place(err, ERROR_USAGE, EINVAL, name_place, "%s has no parameter %s", role, name);
	if (value && strcmp(value, "3") != 0)
		return error_set_place(err, ERROR_USAGE, EINVAL, value_place, "%s cannot be %s", name, value);
	return 0;
}

START_TEST(a_rig_knows_identities_buses_and_parameters)
{
	struct program_rig rig = {.has_role = rig_has_role,
	                          .has_link = rig_has_link,
	                          .has_capability = rig_has_capability,
	                          .has_identity = rig_has_tester,
	                          .has_bus = rig_has_can0,
	                          .check_param = rig_check_param};
	struct program *program =
	        load("- id: a\n  params: {n: [3, 4]}\n  steps:\n    - board.param: {role: zgw, name: mode, value: \"${n}\"}\n"
	             "    - board.param: {role: zgw, name: mod, identity: testr}\n"
	             "    - board.param: {role: zgw, name: mode, bus: can1}\n"
	             "    - board.param: {role: zgw, name: mode, identity: tester}\n");
	struct error_list errors = {0};
	static const char *const expected[] = {"t.yaml:4:51: mode cannot be 4", "t.yaml:5:38: zgw has no parameter mod",
	                                       "t.yaml:5:53: the rig has no identity \"testr\"",
	                                       "t.yaml:6:49: the rig has no bus \"can1\""};
	char line[2048];

	ck_assert_int_eq(program_check_rig(program, &rig, &errors), -EINVAL);
	ck_assert_uint_eq(errors.count, 4);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_str_eq(error_describe(&errors.items[i], line, sizeof(line)), expected[i]);
	error_list_free(&errors);
	program_free(program);
}
END_TEST

START_TEST(errors_stop_at_the_limit)
{
	struct error_list errors = {.limit = 3};
	struct program *program;
	static const char text[] = "- id: a\n  steps: [a, b, c, d, e]\n";

	ck_assert_int_eq(program_load_text("t.yaml", text, sizeof(text) - 1, registry_for_tests(), &program, &errors), -EINVAL);
	ck_assert_uint_eq(errors.count, 3);
	ck_assert_uint_eq(errors.dropped, 2);
	error_list_free(&errors);
}
END_TEST

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[512];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	(void)fputs(text, file);
	(void)fclose(file);
}

START_TEST(directories_are_searched_and_ids_are_unique)
{
	char directory[] = "/tmp/hilbench-lang-XXXXXX", sub[64], file[64], line[2048], expected[256];
	const char *paths[2] = {directory, file};
	struct error_list errors = {0};
	struct program *program;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(sub, sizeof(sub), "%s/sub", directory);
	(void)snprintf(file, sizeof(file), "%s/b.yaml", directory);
	ck_assert_int_eq(mkdir(sub, 0755), 0);
	write_file(directory, "b.yaml", "- {id: b, steps: [rack.ready]}\n");
	write_file(directory, "notes.txt", "not yaml: [");
	write_file(sub, "c.yaml", "- {id: c, steps: [rack.ready]}\n");
	ck_assert_int_eq(program_load(paths, 2, registry_for_tests(), &program, &errors), 0);
	ck_assert_uint_eq(program->count, 2); /* b.yaml is named twice and read once */
	ck_assert_str_eq(program->cases[0]->id, "b");
	ck_assert_str_eq(program->cases[1]->id, "c");
	program_free(program);
	write_file(sub, "c.yaml", "# second\n- {id: b, steps: [rack.ready]}\n");
	ck_assert_int_eq(program_load(paths, 1, registry_for_tests(), &program, &errors), -EINVAL);
	(void)snprintf(expected, sizeof(expected), "%s/c.yaml:2:8: the id \"b\" is taken: %s/b.yaml:1:8 has it", sub, directory);
	ck_assert_str_eq(error_describe(&errors.items[0], line, sizeof(line)), expected);
	error_list_free(&errors);
	paths[0] = "/tmp/hilbench-no-such-place";
	ck_assert_int_eq(program_load(paths, 1, registry_for_tests(), &program, &errors), -EINVAL);
	ck_assert_str_eq(error_describe(&errors.items[0], line, sizeof(line)),
	                 "/tmp/hilbench-no-such-place: cannot open: No such file or directory");
	error_list_free(&errors);
	(void)snprintf(line, sizeof(line), "%s/c.yaml", sub);
	(void)unlink(line);
	(void)unlink(file);
	(void)snprintf(line, sizeof(line), "%s/notes.txt", directory);
	(void)unlink(line);
	(void)rmdir(sub);
	(void)rmdir(directory);
}
END_TEST

START_TEST(cases_are_selected)
{
	struct program *program =
	        load("- {id: doip.a, tags: [x, y], params: {v: [1, 2]}, steps: [rack.ready]}\n- {id: b, tags: x, steps: [rack.ready]}\n");
	const char *tags[] = {"x", "!y", NULL}, *exact[] = {"doip.a[v=2]", NULL}, *base[] = {"doip.*", NULL};

	ck_assert(!case_selected(program->cases[0], &(struct case_filter){.tags = tags}));
	ck_assert(case_selected(program->cases[2], &(struct case_filter){.tags = tags}));
	ck_assert(!case_selected(program->cases[0], &(struct case_filter){.patterns = exact}));
	ck_assert(case_selected(program->cases[1], &(struct case_filter){.patterns = exact}));
	ck_assert(case_selected(program->cases[1], &(struct case_filter){.patterns = base}));
	ck_assert(!case_selected(program->cases[2], &(struct case_filter){.patterns = base}));
	ck_assert(case_selected(program->cases[2], &(struct case_filter){0}));
	program_free(program);
}
END_TEST

START_TEST(measurements_are_read)
{
	struct program *program =
	        load("- id: a\n  params: {n: [3]}\n  steps: [{measure.begin: boot}]\n  measure:\n    - id: boot\n      samples: 30\n"
	             "      from: {event: power.on, role: zgw}\n      to: {event: tls.finished, link: zgw-vmg, where: {conn: \"${n}\"}}\n"
	             "      stages: [{name: ssw, to: {event: boot.stage, where: {stage: ssw}}}]\n"
	             "      limits: {p95: {at_most: 600ms}, min: {at_least: 1us}}\n");
	const struct measure_def *measure = &program->cases[0]->measures[0];

	ck_assert_uint_eq(program->cases[0]->measure_count, 1);
	ck_assert_str_eq(measure->title, "boot");
	ck_assert_uint_eq(measure->samples, 30);
	ck_assert_str_eq(measure->from.role, "zgw");
	ck_assert_ptr_null(measure->from.link);
	ck_assert_int_eq(value_get(measure->to.where, "conn")->integer, 3);
	ck_assert_uint_eq(measure->stage_count, 1);
	ck_assert_str_eq(measure->stages[0].to.kind, "boot.stage");
	ck_assert_uint_eq(measure->limit_count, 2);
	ck_assert_int_eq(measure->limits[0].statistic, STATISTIC_P95);
	ck_assert(measure->limits[0].at_most);
	ck_assert_int_eq(measure->limits[0].value_ns, 600000000);
	ck_assert(!measure->limits[1].at_most);
	program_free(program);
}
END_TEST

/* Every "$ref" must lead somewhere. */
static void check_references(const json_t *root, const json_t *node)
{
	const char *key, *reference;
	json_t *child;
	size_t i;

	json_object_foreach ((json_t *)node, key, child) {
		if (strcmp(key, "$ref") == 0) {
			reference = json_string_value(child);
			ck_assert(strncmp(reference, "#/$defs/", 8) == 0);
			ck_assert_ptr_nonnull(json_object_get(json_object_get(root, "$defs"), reference + 8));
		}
		check_references(root, child);
	}
	json_array_foreach ((json_t *)node, i, child)
		check_references(root, child);
}

START_TEST(the_schema_knows_every_step)
{
	json_t *schema = schema_testcase(registry_for_tests()), *steps, *step;

	ck_assert_ptr_nonnull(schema);
	check_references(schema, schema);
	steps = json_object_get(json_object_get(json_object_get(schema, "$defs"), "steps"), "items");
	steps = json_object_get(json_array_get(json_object_get(steps, "anyOf"), 0), "properties");
	ck_assert_uint_eq(json_object_size(steps), registry_for_tests()->count);
	step = json_object_get(steps, "doip.activate");
	step = json_array_get(json_object_get(step, "anyOf"), 0);
	ck_assert(json_is_false(json_object_get(step, "additionalProperties")));
	step = json_object_get(json_object_get(step, "properties"), "source");
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(json_object_get(step, "anyOf"), 0), "maximum")), 0xffff);
	json_decref(schema);
}
END_TEST

START_TEST(the_reference_names_arguments_and_results)
{
	char *text = steps_markdown(registry_for_tests());

	ck_assert_ptr_nonnull(strstr(text, "### doip.activate\n\nActivates routing.\n"));
	ck_assert_ptr_nonnull(strstr(text, "| `source` | an integer, 0 … 65535 | `0x0e80` | Logical address. |"));
	ck_assert_ptr_nonnull(strstr(text, "| `transport` | a text: `tcp`, `tls`, `udp` | `tcp` | How. |"));
	ck_assert_ptr_nonnull(strstr(text, "| `code` | an integer | Response code. |"));
	ck_assert_ptr_nonnull(strstr(text, "The text \\| of it."));
	free(text);
}
END_TEST

/* Bytes of good files, changed at random: whatever comes out, it is a program or an error with a place. */
START_TEST(mutations_never_pass_silently)
{
	unsigned seed = getenv("HILBENCH_SEED") ? (unsigned)atoi(getenv("HILBENCH_SEED")) : 20260;
	static const char pool[] = "{}[]:,-#&*!|>'\"%@`\t\n ?$.0az\xc3\xff\x01";
	struct program *program;

	for (unsigned i = 0; i < 3000; i++) {
		const char *yaml = blocks[i % (unsigned)block_count].yaml;
		size_t length = strlen(yaml);
		struct error_list errors = {0};
		char *text = malloc(length + 1);

		memcpy(text, yaml, length);
		for (unsigned j = 0; length > 0 && j < 1 + i % 4; j++)
			text[(size_t)rand_r(&seed) % length] = pool[(size_t)rand_r(&seed) % (sizeof(pool) - 1)];
		if (program_load_text("m.yaml", text, length, registry_for_tests(), &program, &errors) == 0)
			program_free(program);
		else
			ck_assert_msg(errors.count > 0 && errors.items[0].place.line > 0, "seed step %u: %.*s", i, (int)length, text);
		error_list_free(&errors);
		free(text);
	}
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("lang");
	TCase *tests = tcase_create("lang");
	SRunner *runner;
	int failed;

	if (argc != 2)
		return 99;
	blocks_read(argv[1]);
	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, every_error_has_its_place_and_words, 0, block_count);
	tcase_add_loop_test(tests, expectations_hold_or_tell, 0, (int)(sizeof(expectations) / sizeof(expectations[0])));
	tcase_add_test(tests, parameters_make_every_combination);
	tcase_add_test(tests, defaults_stand_around_the_case);
	tcase_add_test(tests, steps_keep_what_was_written);
	tcase_add_test(tests, long_steps_are_cut_between_characters);
	tcase_add_test(tests, arguments_are_resolved_and_defaulted);
	tcase_add_test(tests, a_rig_must_have_what_cases_name);
	tcase_add_test(tests, errors_stop_at_the_limit);
	tcase_add_test(tests, directories_are_searched_and_ids_are_unique);
	tcase_add_test(tests, cases_are_selected);
	tcase_add_test(tests, measurements_are_read);
	tcase_add_test(tests, a_rig_knows_identities_buses_and_parameters);
	tcase_add_test(tests, the_schema_knows_every_step);
	tcase_add_test(tests, the_reference_names_arguments_and_results);
	tcase_add_test(tests, mutations_never_pass_silently);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	free(blocks);
	return failed ? 1 : 0;
}
