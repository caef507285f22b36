/* SPDX-License-Identifier: Apache-2.0 */
/* How long 1,000 cases take to load and check. Fails above 0.3 s. Prints the floor beside it: the same file parsed only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/loop.h"
#include "../../lang/program.h"
#include "registry_for_tests.h"

#define CASES    1000
#define LIMIT_NS 300000000

static char *make_cases(size_t *ret_length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_length);

	for (unsigned i = 0; i < CASES; i++)
		(void)fprintf(
		        out,
		        "- id: bench.case-%u\n  title: Case number %u\n  verifies: [ISO-1, ISO-2]\n  tags: [doip, negative]\n"
		        "  requires: [zgw, tls]\n  timeout: 20s\n  setup:\n    - rack.ready:\n    - power.on: zgw\n  steps:\n"
		        "    - doip.activate: {source: 0x0e80, within: 2s, expect: {code: 0x10, elapsed: {at_most: 50ms}}, save: {c: "
		        "code}}\n"
		        "    - doip.send: {payload: \"02 10 03\", targets: [1, 2]}\n"
		        "    - repeat:\n        count: 3\n        as: n\n        steps:\n          - note: \"turn ${n} of ${c}\"\n"
		        "          - wait: 5ms\n    - doip.activate: {source: \"${c}\", expect: {payload: {bytes: \"62 f1 90 ..\"}}}\n"
		        "  always:\n    - note: the end\n",
		        i, i);
	(void)fclose(out);
	return text;
}

int main(void)
{
	size_t length;
	char *text = make_cases(&length), line[2048];
	struct error_list errors = {0};
	struct program *program = NULL;
	int64_t best_ns = INT64_MAX, floor_ns = INT64_MAX, begin_ns;
	struct value *tree;

	for (unsigned i = 0; i < 5; i++) {
		begin_ns = loop_now_ns();
		if (value_parse_text("bench.yaml", text, length, &tree, NULL) < 0)
			return 1;
		value_free(tree);
		if (loop_now_ns() - begin_ns < floor_ns)
			floor_ns = loop_now_ns() - begin_ns;
		begin_ns = loop_now_ns();
		if (program_load_text("bench.yaml", text, length, registry_for_tests(), &program, &errors) < 0) {
			(void)fprintf(stderr, "%s\n", error_describe(&errors.items[0], line, sizeof(line)));
			return 1;
		}
		if (loop_now_ns() - begin_ns < best_ns)
			best_ns = loop_now_ns() - begin_ns;
		program_free(program);
	}
	(void)printf("check of %d cases (%zu KiB): %.1f ms, of which reading YAML %.1f ms; limit %.0f ms\n", CASES, length / 1024,
	             (double)best_ns / 1e6, (double)floor_ns / 1e6, LIMIT_NS / 1e6);
	free(text);
	return best_ns <= LIMIT_NS ? 0 : 1;
}
