/* SPDX-License-Identifier: Apache-2.0 */
/* The debug probe at a board: files to memory, memory to files, flash. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "generic.h"
#include "probe_step.h"
#include "steps.h"

#define PROBE_FILE                                                                                                                         \
	{"file",                                                                                                                           \
	 VALUE_TEXT,                                                                                                                       \
	 ARG_REQUIRED | ARG_FILE,                                                                                                          \
	 NULL,                                                                                                                             \
	 NULL,                                                                                                                             \
	 0,                                                                                                                                \
	 0,                                                                                                                                \
	 "The file, its bytes as they lie in memory: an absolute path, or one that is looked for in the run's directory first, then from " \
	 "where "                                                                                                                          \
	 "the run was started."}

/* What an earlier step dumped comes first. */
static void find_file(const struct step_context *context, const char *name, char *ret, size_t size)
{
	const char *directory = context->executor->options->run_directory;
	if (name[0] != '/' && directory) {
		snprintf(ret, size, "%s/%s", directory, name);
		if (access(ret, F_OK) == 0)
			return;
	}
	snprintf(ret, size, "%s", name);
}

static int file_call(struct step_context *context, const struct step_call *call, bool changes, struct probe_call *probe, uint32_t *address,
                     char *path, size_t size, struct error *err)
{
	const char *name = NULL;
	int64_t number = 0;
	int r = probe_of_call(context, call, probe, err);
	if (r == 0)
		r = step_arg_integer(context, call, "address", 0, &number, err);
	if (r == 0)
		r = step_arg_text(context, call, "file", &name, err);
	if (r < 0)
		return r;
	if (changes)
		boards_changed(context->executor, probe->board);
	*address = (uint32_t)number;
	find_file(context, name, path, size);
	return 0;
}

static const struct arg_def file_args[] = {PROBE_ROLE, PROBE_ADDRESS, PROBE_FILE, PROBE_WITHIN, {NULL}};

static int load_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct probe_call probe;
	uint32_t address;
	char path[PATH_MAX];
	int r = file_call(context, call, true, &probe, &address, path, sizeof(path), err);
	return r < 0 ? r : probe_load(probe.probe, address, path, probe.deadline_ns, err);
}

const struct step_def step_probe_load = {
        .name = "probe.load",
        .doc = "Writes a whole file to a board's memory (RAM; probe.program is for flash).",
        .example = "- probe.load: {role: zgw, address: 0x20000000, file: patch.bin, within: 10s}",
        .flags = STEP_ACTION,
        .args = file_args,
        .capabilities = probe_capability,
        .run = load_run,
};

static const struct arg_def dump_args[] = {
        PROBE_ROLE,
        PROBE_ADDRESS,
        {"length", VALUE_SIZE, ARG_REQUIRED | ARG_POSITIVE, NULL, NULL, 0, 0, "How much."},
        {"file", VALUE_TEXT, ARG_REQUIRED | ARG_MADE, NULL, NULL, 0, 0, "The file, in the run's directory unless its path is absolute."},
        PROBE_WITHIN,
        {NULL}};

static int dump_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct probe_call probe;
	const char *name = NULL, *directory = context->executor->options->run_directory;
	char path[PATH_MAX];
	int64_t address = 0, length = 0;
	int r = probe_of_call(context, call, &probe, err);
	if (r == 0)
		r = step_arg_integer(context, call, "address", 0, &address, err);
	if (r == 0)
		r = step_arg_integer(context, call, "length", 0, &length, err);
	if (r == 0)
		r = step_arg_text(context, call, "file", &name, err);
	if (r < 0)
		return r;
	if (name[0] == '/' || !directory)
		snprintf(path, sizeof(path), "%s", name);
	else
		snprintf(path, sizeof(path), "%s/%s", directory, name);
	return probe_dump(probe.probe, (uint32_t)address, (size_t)length, path, probe.deadline_ns, err);
}

const struct step_def step_probe_dump = {
        .name = "probe.dump",
        .doc = "Writes a range of a board's memory to a file, which appears when it is whole.",
        .example = "- probe.dump: {role: zgw, address: 0x20000000, length: 64KiB, file: ram.bin}",
        .args = dump_args,
        .capabilities = probe_capability,
        .run = dump_run,
};

static const struct result_def compare_results[] = {
        {"equal", VALUE_BOOL, "No byte differs."},
        {"offset", VALUE_INTEGER, "Of the first byte that differs; absent when none does."},
        {NULL},
};

static int compare_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct probe_call probe;
	uint32_t address = 0;
	size_t offset = SIZE_MAX;
	char path[PATH_MAX], actual[80];
	int r = file_call(context, call, false, &probe, &address, path, sizeof(path), err);
	if (r == 0)
		r = probe_compare(probe.probe, address, path, &offset, probe.deadline_ns, err);
	if (r < 0)
		return r;
	if (step_result_bool(context, "equal", offset == SIZE_MAX) < 0 ||
	    (offset != SIZE_MAX && step_result_integer(context, "offset", (int64_t)offset) < 0))
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (call->expect || offset == SIZE_MAX)
		return 0;
	snprintf(actual, sizeof(actual), "they differ from byte %zu on, at %08Xh", offset, (unsigned)(address + offset));
	return step_check_failed(context, err, "the same bytes", actual, "the memory of %s is not what %s has: %s",
	                         rig_board_role(probe.board), path, actual);
}

const struct step_def step_probe_compare = {
        .name = "probe.compare",
        .doc = "Compares a board's memory with a file. Without `expect` a difference fails the step, cause dut.",
        .example = "- probe.compare: {role: zgw, address: 0x20000000, file: ram.bin}",
        .args = file_args,
        .results = compare_results,
        .capabilities = probe_capability,
        .run = compare_run,
};

static int program_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct probe_call probe;
	uint32_t address;
	char path[PATH_MAX];
	int r = file_call(context, call, true, &probe, &address, path, sizeof(path), err);
	return r < 0 ? r : probe_program(probe.probe, address, path, probe.deadline_ns, err);
}

const struct step_def step_probe_program = {
        .name = "probe.program",
        .doc = "Programs a file into a board's flash at a physical address: erases the sectors that it touches, writes and compares. The "
               "rest "
               "of the last burst is programmed with zeroes. Halt the CPU before, which may run out of that flash.",
        .example = "- probe.program: {role: zgw, address: 0xA0380000, file: bank-b.bin, within: 60s}",
        .flags = STEP_ACTION,
        .args = file_args,
        .capabilities = probe_capability,
        .run = program_run,
};
