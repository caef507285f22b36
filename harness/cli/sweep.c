/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench sweep ota: an update, cut at every flash operation, in virtual time. */
#include "sweep.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../base/suggest.h"
#include "../rig/board_params.h"
#include "commands.h"
#include "run_directory.h"

#define KIB          1024u
#define SIZE_DEFAULT (256u * KIB)
#define SIZE_SMALL   (64u * KIB) /* of sweeps that cut more than once */
#define SIZE_LEAST   (4u * KIB)
#define SIZE_MOST    (2048u * KIB)
#define MAX_FAULTS   64

enum {
	TARGET = 256,
	OPS,
	CLASSES,
	PHASES,
	PAIRS,
	RANDOM,
	RESET,
	SCENARIO,
	FAULT,
	SIZE,
	SEED,
	JOBS,
	POINT,
	LIMIT,
	POLICY,
	OUT,
	BANK,
	ENTRY,
	SAMPLES,
};

static const char *const targets[] = {"zgw", "ecu", NULL}, *const scenarios[] = {"update", "rollback", "confirm", "resume", NULL},
                         *const policies[] = {"orig", "copy", "stop", NULL}, *const banks[] = {"a", "b", NULL};

/* "zgw, ecu" */
static const char *list_words(const char *const *words, char *buffer, size_t size)
{
	size_t used = 0;

	buffer[0] = '\0';
	for (unsigned i = 0; words[i] && used < size; i++)
		used += (size_t)snprintf(buffer + used, size - used, "%s%s", i ? ", " : "", words[i]);
	return buffer;
}

static int one_of(const char *option, const char *value, const char *const *words, const char **ret)
{
	char near[80], list[640];

	for (unsigned i = 0; words[i]; i++) {
		if (!strcmp(words[i], value)) {
			*ret = words[i];
			return 0;
		}
	}
	return command_usage_error("sweep", "%s: there is no \"%s\"%s; there are %s", option, value,
	                           suggest_text(value, words, near, sizeof(near)), list_words(words, list, sizeof(list)));
}

/* "12", with a unit out of "NAME=FACTOR" pairs behind it. */
static int read_number(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
	if (*text < '0' || *text > '9' || *end || errno || *ret < least || *ret > most)
		return command_usage_error("sweep", "%s: \"%s\" is not a number from %llu to %llu", option, text, (unsigned long long)least,
		                           (unsigned long long)most);
	return 0;
}

struct unit {
	const char *name;
	uint32_t factor;
};

static int read_unit(const char *option, const char *text, const struct unit *units, uint64_t most, uint64_t *ret)
{
	char digits[16], *end;
	size_t length = strspn(text, "0123456789");

	if (length > 0 && length < sizeof(digits)) {
		memcpy(digits, text, length);
		digits[length] = '\0';
		for (unsigned i = 0; units[i].name; i++) {
			*ret = strtoull(digits, &end, 10) * units[i].factor;
			if (!strcmp(units[i].name, text + length) && *ret <= most && *ret > 0)
				return 0;
		}
	}
	return command_usage_error("sweep", "%s: \"%s\" is not like 1%s, or too much", option, text, units[0].name);
}

static int take_size(struct sweep_request *request, const char *text)
{
	static const struct unit units[] = {{"KiB", KIB}, {"MiB", KIB * KIB}, {0}};
	uint64_t size = 0;
	int status = read_unit("--size", text, units, UINT32_MAX, &size);

	if (status == 0 && (size < SIZE_LEAST || size > SIZE_MOST))
		return command_usage_error("sweep", "--size: %s is not from 4KiB to 2MiB", text);
	request->size = (uint32_t)size;
	return status;
}

static int take_limit(struct sweep_request *request, const char *text)
{
	static const struct unit units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {0}};
	uint64_t seconds = 0;
	int status = read_unit("--limit-time", text, units, 1000000, &seconds);

	request->limit_s = (uint32_t)seconds;
	return status;
}

/* A sweep installs nothing but right packages: what boards should have refused it does not see. */
static bool is_refusal_fault(const char *name)
{
	static const char *const names[] = {"ota-signature-ignored", "ota-counter-ignored", "ota-target-ignored"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static int take_fault(struct sweep_request *request, const char *name)
{
	const char *seen[MAX_FAULTS + 1] = {0};
	unsigned count = 0;

	if (is_refusal_fault(name))
		return command_usage_error("sweep",
		                           "--fault: a sweep cannot see %s, all its packages are right; cases on the rack show it "
		                           "(a board with the parameter fault, docs/reference/faults.md)",
		                           name);
	for (unsigned i = 0; vboard_faults[i] && count < MAX_FAULTS; i++)
		if (!strncmp(vboard_faults[i], "ota-", 4) && !is_refusal_fault(vboard_faults[i]))
			seen[count++] = vboard_faults[i];
	return one_of("--fault", name, seen, &request->fault);
}

static int take_number(struct sweep_request *request, int option, const char *text)
{
	uint64_t value = 0;
	int status = 0;

	if (option == SEED)
		return read_number("--seed", text, 0, UINT32_MAX, &request->seed);
	if (option == RANDOM) {
		status = read_number("--random", text, 1, 100000000, &value);
		request->random = (uint32_t)value;
	} else if (option == JOBS) {
		status = read_number("--jobs", text, 1, 256, &value);
		request->jobs = (uint32_t)value;
	} else if (option == SAMPLES) {
		status = read_number("--samples", text, 1, 1000, &value);
		request->samples = (uint32_t)value;
	} else {
		status = read_number("--swap-entry", text, 0, 15, &value);
		request->entry = (uint32_t)value;
	}
	return status;
}

static int take_word(struct sweep_request *request, int option, const char *value)
{
	const char *bank = NULL;
	int status;

	switch (option) {
	case TARGET:
		return one_of("--target", value, targets, &request->target);
	case SCENARIO:
		return one_of("--scenario", value, scenarios, &request->scenario);
	case POLICY:
		return one_of("--swap-policy", value, policies, &request->policy);
	case FAULT:
		return take_fault(request, value);
	default:
		status = one_of("--bank", value, banks, &bank);
		request->bank = bank ? *bank : 'a';
		return status;
	}
}

/* An id says all that the point depends on: "zgw.update.256k.s1.a0.orig.none.12dT2x1". */
static int take_point(struct sweep_request *request, const char *id)
{
	char *field[8], *rest = request->parts, text[24];
	unsigned count = 0;
	int status = 0;

	if ((size_t)snprintf(request->parts, sizeof(request->parts), "%s", id) >= sizeof(request->parts))
		return command_usage_error("sweep", "--point: \"%s\" is no id of a point", id);
	while (count < 8 && (field[count] = strsep(&rest, ".")))
		count++;
	size_t size_length = count == 8 ? strlen(field[2]) : 0;
	if (count != 8 || rest || size_length < 2 || size_length > 10 || field[2][size_length - 1] != 'k' || field[3][0] != 's' ||
	    strlen(field[4]) < 2)
		return command_usage_error("sweep", "--point: \"%s\" is no id of a point", id);
	field[2][size_length - 1] = '\0';
	snprintf(text, sizeof(text), "%sKiB", field[2]);
	status = take_word(request, TARGET, field[0]);
	if (status == 0)
		status = take_word(request, SCENARIO, field[1]);
	if (status == 0)
		status = take_size(request, text);
	if (status == 0)
		status = take_number(request, SEED, field[3] + 1);
	if (status == 0)
		status = take_number(request, ENTRY, field[4] + 1);
	field[4][1] = '\0';
	if (status == 0)
		status = take_word(request, BANK, field[4]);
	if (status == 0)
		status = take_word(request, POLICY, field[5]);
	if (status == 0 && strcmp(field[6], "none"))
		status = take_fault(request, field[6]);
	request->point = field[7];
	return status;
}

static int take(struct sweep_request *request, int option, const char *value)
{
	switch (option) {
	case OPS:
		request->operations = value;
		return 0;
	case CLASSES:
		request->classes = value;
		return 0;
	case PHASES:
		request->phases = value;
		return 0;
	case OUT:
		request->out = value;
		return 0;
	case PAIRS:
		request->pairs = true;
		return 0;
	case RESET:
		request->reset = true;
		return 0;
	case SIZE:
		return take_size(request, value);
	case LIMIT:
		return take_limit(request, value);
	case POINT:
		return take_point(request, value);
	case SEED:
	case RANDOM:
	case JOBS:
	case ENTRY:
	case SAMPLES:
		return take_number(request, option, value);
	default:
		return take_word(request, option, value);
	}
}

static uint32_t cores(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
}

static void complete(struct sweep_request *request)
{
	if (!request->size)
		request->size = request->pairs || request->random ? SIZE_SMALL : SIZE_DEFAULT;
	if (!request->jobs)
		request->jobs = cores();
	request->address = strcmp(request->target, "ecu") ? 0x0091 : 0x0011;
}

static int read_arguments(struct sweep_request *request, int argc, char **argv)
{
	static const struct option options[] = {
	        {"target", 1, NULL, TARGET},      {"ops", 1, NULL, OPS},
	        {"classes", 1, NULL, CLASSES},    {"phases", 1, NULL, PHASES},
	        {"pairs", 0, NULL, PAIRS},        {"random", 1, NULL, RANDOM},
	        {"reset", 0, NULL, RESET},        {"scenario", 1, NULL, SCENARIO},
	        {"fault", 1, NULL, FAULT},        {"size", 1, NULL, SIZE},
	        {"seed", 1, NULL, SEED},          {"jobs", 1, NULL, JOBS},
	        {"point", 1, NULL, POINT},        {"limit-time", 1, NULL, LIMIT},
	        {"swap-policy", 1, NULL, POLICY}, {"out", 1, NULL, OUT},
	        {"bank", 1, NULL, BANK},          {"swap-entry", 1, NULL, ENTRY},
	        {"samples", 1, NULL, SAMPLES},    {0},
	};
	int option, status = 0;

	if (argc < 2 || strcmp(argv[1], "ota"))
		return command_usage_error(argv[0], "what is to be swept? There is: ota");
	optind = 2;
	opterr = 0;
	while (status == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return command_usage_error(argv[0], "wrong or incomplete option %s", argv[optind - 1]);
		status = take(request, option, optarg);
	}
	if (status == 0 && optind < argc)
		return command_usage_error(argv[0], "%s is not an option", argv[optind]);
	if (status == 0 && request->pairs && request->random)
		return command_usage_error(argv[0], "--pairs and --random do not go together");
	complete(request);
	return status;
}

/* ---- running ------------------------------------------------------------------------------------------------------------ */

/* What the sweep as a whole ends with; r and status: of the engine. */
static int conclude(const struct sweep_result *result, int r, int status, const struct error *err)
{
	if (r < 0)
		return run_failure("sweep", err);
	if (status > EXIT_BENCH || (!result->end && status != EXIT_USAGE))
		return EXIT_BENCH;
	return status == 0 && !json_is_true(json_object_get(result->end, "complete")) ? SWEEP_INCONCLUSIVE : status;
}

static int sweep(const struct sweep_request *request, const struct sweep_images *images)
{
	struct sweep_result result;
	struct error err = {0};
	char directory[PATH_MAX - 64];
	bool made;
	int status = 0, r = run_directory_open(request->out, "sweep-", directory, sizeof(directory), &made, &err);

	if (r < 0)
		return run_failure("sweep", &err);
	sweep_result_init(&result, request);
	r = sweep_engine_run(request, images, sweep_result_line, &result, &status, &err);
	status = conclude(&result, r, status, &err);
	if (result.end && status != EXIT_USAGE)
		sweep_result_print(&result, status);
	if (status == EXIT_USAGE && made)
		(void)rmdir(directory);
	else if (status != EXIT_USAGE && sweep_report_write(&result, directory, status, &err) < 0)
		status = run_failure("sweep", &err);
	else if (status != EXIT_USAGE)
		printf("results     %s\n", directory);
	sweep_result_free(&result);
	return status;
}

static int run(int argc, char **argv)
{
	struct sweep_request request = {.target = "zgw", .scenario = "update", .policy = "orig", .bank = 'a', .seed = 1, .samples = 1};
	struct sweep_images images = {0};
	struct error err = {0};
	int status = read_arguments(&request, argc, argv);

	if (status != 0)
		return status;
	if (sweep_images_make(&images, request.address, request.size, request.seed, &err) < 0)
		status = run_failure("sweep", &err);
	else if (!request.point)
		status = sweep(&request, &images);
	else if (sweep_engine_run(&request, &images, NULL, NULL, &status, &err) < 0)
		status = run_failure("sweep", &err);
	sweep_images_remove(&images);
	return status;
}

const struct command command_sweep = {
        .name = "sweep",
        .summary = "cuts the power at every flash operation of an update, in virtual time",
        .usage = "sweep ota [OPTION…]\n\n"
                 "  --target zgw|ecu       the board (zgw)\n"
                 "  --scenario NAME        update, rollback, confirm, resume (update)\n"
                 "  --ops RANGE            operations, as 0-99,200 (all)\n"
                 "  --phases LIST          before,during,after (all)\n"
                 "  --classes LIST         of a torn operation: T0..T4, E0..E3 (all)\n"
                 "  --samples N            seeds of a class that has chance in it (1)\n"
                 "  --pairs                a second cut at every operation of what follows the first\n"
                 "  --random N             N times three cuts at random in place of all that\n"
                 "  --reset                watchdog resets in place of power cuts\n"
                 "  --bank a|b             where the old software runs at the begin (a)\n"
                 "  --swap-entry N         of UCB_SWAP in use at the begin, 0 to 15 (0)\n"
                 "  --swap-policy NAME     ORIG and COPY contradict each other: orig, copy, stop (orig)\n"
                 "  --fault NAME           a planted defect\n"
                 "  --size SIZE            of the software (256KiB; 64KiB with --pairs and --random)\n"
                 "  --seed N               of images and torn operations (1)\n"
                 "  --jobs N               processes (all cores)\n"
                 "  --limit-time T         ends after so long: 90s, 10min\n"
                 "  --out DIR              where results go (reports/out/UTC-sweep-N)\n"
                 "  --point ID             one point alone, with a timeline",
        .run = run,
};
