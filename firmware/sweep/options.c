/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_FILE     (4u << 20)
#define MIN_PACKAGE  (64u + 96u + 1u)
#define ALL_PHASES   7u
#define ALL_PROGRAMS 0x1Fu
#define ALL_ERASES   0x0Fu

enum {
	OPTION_TARGET = 1,
	OPTION_NAME,
	OPTION_SCENARIO,
	OPTION_OLDER,
	OPTION_OLD,
	OPTION_NEW,
	OPTION_KEY,
	OPTION_SEED,
	OPTION_BANK,
	OPTION_ENTRY,
	OPTION_POLICY,
	OPTION_FAULT,
	OPTION_OPS,
	OPTION_CLASSES,
	OPTION_PHASES,
	OPTION_SAMPLES,
	OPTION_PAIRS,
	OPTION_RANDOM,
	OPTION_RESET,
	OPTION_JOBS,
	OPTION_LIMIT,
	OPTION_CUTS,
};

static bool refuse(const char *what, const char *value)
{
	fprintf(stderr, "otasweep: %s: \"%s\"\n", what, value);
	return false;
}

static bool read_number(const char *text, uint64_t limit, uint64_t *ret_value)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	*ret_value = strtoull(text, &end, 0);
	return *end == '\0' && *ret_value <= limit;
}

static bool read_file(const char *path, const uint8_t **ret_bytes, size_t *ret_length)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = file ? malloc(MAX_FILE + 1u) : NULL;
	size_t length = bytes ? fread(bytes, 1, MAX_FILE, file) : 0;

	if (!bytes || ferror(file) || length == 0 || length == MAX_FILE)
		return refuse("cannot be read, or longer than 4 MiB", path);
	(void)fclose(file);
	bytes[length] = '\0';
	*ret_bytes = bytes;
	*ret_length = length;
	return true;
}

static bool read_image(const char *path, const char *name, struct image *image)
{
	size_t length;

	if (!read_file(path, &image->bytes, &length))
		return false;
	image->length = (uint32_t)length;
	image->name = name;
	if (length < MIN_PACKAGE || image_software_size(image) != length - (MIN_PACKAGE - 1u))
		return refuse("no package without compression and with a signature", path);
	return true;
}

static int word(const char *text, const char *const *words)
{
	for (int i = 0; words[i]; i++) {
		if (strcmp(text, words[i]) == 0)
			return i;
	}
	return -1;
}

/* What stands between two commas, for a message. */
static bool refuse_part(const char *option, const char *value, const char *at, const char *what)
{
	size_t length = strcspn(at, ",");

	fprintf(stderr, "otasweep: --%s \"%s\": \"%.*s\" %s\n", option, value, (int)length, at, what);
	return false;
}

#define OPERATION_DIGITS 9 /* more operations than can be */

static bool read_operation(const char **at, uint32_t *ret_operation)
{
	size_t length = strspn(*at, "0123456789");

	if (length == 0 || length > OPERATION_DIGITS)
		return false;
	*ret_operation = (uint32_t)strtoul(*at, NULL, 10);
	*at += length;
	return true;
}

static bool read_ranges(struct selection *selection, const char *text)
{
	const char *at = text, *begin;
	uint32_t first, last;

	if (strcmp(text, "all") == 0)
		return true;
	for (;; at++) {
		begin = at;
		bool right = read_operation(&at, &first);
		last = first;
		if (right && *at == '-') {
			at++;
			right = read_operation(&at, &last);
		}
		if (!right || (*at != ',' && *at != '\0'))
			return refuse_part("ops", text, begin,
			                   "is no operation and no range; they are like 7 and 0-99, with commas between");
		if (first > last)
			return refuse_part("ops", text, begin, "ends before it begins; ranges are like 0-99");
		if (selection->range_count == SELECTION_RANGES)
			return refuse_part("ops", text, begin, "is one too many: at most 32");
		selection->ranges[selection->range_count].first = first;
		selection->ranges[selection->range_count++].last = last;
		if (*at == '\0')
			return true;
	}
}

static bool read_classes(struct selection *selection, const char *text)
{
	const char *at = text;

	if (strcmp(text, "all") == 0)
		return true;
	selection->programs = selection->erases = 0;
	for (;; at++) {
		size_t length = strcspn(at, ",");
		unsigned number = (unsigned)(length == 2 ? at[1] : 0) - '0';
		if (length == 2 && at[0] == 'T' && number <= FLASH_T4)
			selection->programs |= 1u << number;
		else if (length == 2 && at[0] == 'E' && number <= FLASH_E3)
			selection->erases |= 1u << number;
		else
			return refuse_part(
			        "classes", text, at,
			        "is no class; there are T0 to T4 (a torn program) and E0 to E3 (a torn erase), with commas between");
		at += length;
		if (*at == '\0')
			return true;
	}
}

static bool read_phases(struct selection *selection, const char *text)
{
	static const char *const words[] = {"before", "during", "after"};
	const char *at = text;

	if (strcmp(text, "all") == 0)
		return true;
	selection->phases = 0;
	for (;; at++) {
		size_t length = strcspn(at, ",");
		unsigned i = 0;
		while (i < 3 && (strlen(words[i]) != length || strncmp(words[i], at, length) != 0))
			i++;
		if (i == 3)
			return refuse_part("phases", text, at, "is no phase; there are before, during, after, with commas between");
		selection->phases |= 1u << i;
		at += length;
		if (*at == '\0')
			return true;
	}
}

static bool read_cuts(struct options *options, const char *text)
{
	options->replay = true;
	if (point_parse(text, &options->point))
		return true;
	fprintf(stderr,
	        "otasweep: cuts \"%s\": a cut is the number of an operation and b, a (before, after) or d (during) with class and sample, "
	        "as "
	        "12b, 12a, 12dT3x1, 12dE0x1 (T0 to T4, E0 to E3), r12d for a watchdog reset; at most %u with + between; or base\n",
	        text, SWEEP_MAX_CUTS);
	return false;
}

static bool take_setup(struct setup *setup, int option, const char *value)
{
	static const char *const scenarios[] = {"update", "rollback", "confirm", "resume", NULL};
	static const char *const policies[] = {"orig", "copy", "stop", NULL}, *const banks[] = {"a", "b", NULL};
	uint64_t number = 0;
	int index = 0;

	switch (option) {
	case OPTION_NAME:
		setup->target_name = value;
		return true;
	case OPTION_FAULT:
		setup->fault = value;
		return true;
	case OPTION_SCENARIO:
		index = word(value, scenarios);
		setup->scenario = (enum scenario)index;
		return index >= 0;
	case OPTION_POLICY:
		index = word(value, policies);
		setup->policy = (enum ssw_policy)index;
		return index >= 0;
	case OPTION_BANK:
		index = word(value, banks);
		setup->bank = (uint8_t)index;
		return index >= 0;
	case OPTION_TARGET:
		setup->target = read_number(value, 0xFFFE, &number) ? (uint16_t)number : 0;
		return setup->target != 0;
	case OPTION_ENTRY:
		setup->entry = read_number(value, SSW_SWAP_ENTRIES - 1, &number) ? (uint8_t)number : 0;
		return number < SSW_SWAP_ENTRIES;
	default:
		return read_number(value, UINT32_MAX, &setup->seed);
	}
}

static bool take_file(struct setup *setup, int option, const char *value)
{
	switch (option) {
	case OPTION_OLDER:
		return read_image(value, "OLDER", &setup->older);
	case OPTION_OLD:
		return read_image(value, "OLD", &setup->old);
	case OPTION_NEW:
		return read_image(value, "NEW", &setup->new);
	default:
		if (!read_file(value, &setup->key, &setup->key_length))
			return false;
		setup->key_length++; /* PEM goes with its NUL */
		return true;
	}
}

static bool take_limit(struct selection *selection, const char *value)
{
	struct timespec now;
	uint64_t seconds;

	if (!read_number(value, 1000000, &seconds))
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	selection->deadline_ns = ((uint64_t)now.tv_sec + seconds) * 1000000000u + (uint64_t)now.tv_nsec;
	return true;
}

static bool take_selection(struct options *options, int option, const char *value)
{
	struct selection *selection = &options->selection;
	uint64_t number = 0;
	bool right;

	switch (option) {
	case OPTION_OPS:
		return read_ranges(selection, value);
	case OPTION_CLASSES:
		return read_classes(selection, value);
	case OPTION_PHASES:
		return read_phases(selection, value);
	case OPTION_LIMIT:
		return take_limit(selection, value);
	case OPTION_CUTS:
		return read_cuts(options, value);
	case OPTION_SAMPLES:
		right = read_number(value, 1000, &number) && number > 0;
		selection->samples = (unsigned)number;
		return right;
	case OPTION_RANDOM:
		right = read_number(value, 100000000, &number);
		selection->random = (uint32_t)number;
		return right;
	default:
		right = read_number(value, 256, &number) && number > 0;
		options->jobs = (unsigned)number;
		return right;
	}
}

static bool take(struct options *options, int option, const char *name, const char *value)
{
	bool right = true;

	if (option == OPTION_PAIRS)
		options->selection.depth = 2;
	else if (option == OPTION_RESET)
		options->selection.reset = true;
	else if (option >= OPTION_OLDER && option <= OPTION_KEY)
		return take_file(&options->setup, option, value);
	else if (option == OPTION_OPS || option == OPTION_CLASSES || option == OPTION_PHASES || option == OPTION_CUTS)
		return take_selection(options, option, value); /* they have said what is wrong */
	else if (option >= OPTION_OPS)
		right = take_selection(options, option, value);
	else
		right = take_setup(&options->setup, option, value);
	return right || refuse(name, value);
}

static bool complete(const struct options *options)
{
	const struct setup *setup = &options->setup;

	if (!setup->target || !setup->old.bytes || !setup->older.bytes || !setup->new.bytes || !setup->key) {
		fprintf(stderr, "otasweep: --target, --older, --old, --new and --key are needed (`hilbench sweep ota` gives them)\n");
		return false;
	}
	if (setup->old.length != setup->new.length || setup->older.length != setup->new.length) {
		fprintf(stderr, "otasweep: the images differ in length\n");
		return false;
	}
	return true;
}

bool options_read(struct options *options, int argc, char **argv)
{
	static const struct option table[] = {
	        {"target", 1, NULL, OPTION_TARGET},
	        {"name", 1, NULL, OPTION_NAME},
	        {"scenario", 1, NULL, OPTION_SCENARIO},
	        {"older", 1, NULL, OPTION_OLDER},
	        {"old", 1, NULL, OPTION_OLD},
	        {"new", 1, NULL, OPTION_NEW},
	        {"key", 1, NULL, OPTION_KEY},
	        {"seed", 1, NULL, OPTION_SEED},
	        {"bank", 1, NULL, OPTION_BANK},
	        {"entry", 1, NULL, OPTION_ENTRY},
	        {"policy", 1, NULL, OPTION_POLICY},
	        {"fault", 1, NULL, OPTION_FAULT},
	        {"ops", 1, NULL, OPTION_OPS},
	        {"classes", 1, NULL, OPTION_CLASSES},
	        {"phases", 1, NULL, OPTION_PHASES},
	        {"samples", 1, NULL, OPTION_SAMPLES},
	        {"pairs", 0, NULL, OPTION_PAIRS},
	        {"random", 1, NULL, OPTION_RANDOM},
	        {"reset", 0, NULL, OPTION_RESET},
	        {"jobs", 1, NULL, OPTION_JOBS},
	        {"limit", 1, NULL, OPTION_LIMIT},
	        {"cuts", 1, NULL, OPTION_CUTS},
	        {0},
	};
	int option, index = 0;

	*options = (struct options){
	        .setup = {.target_name = "board", .fault = "", .seed = 1},
	        .selection = {.phases = ALL_PHASES, .programs = ALL_PROGRAMS, .erases = ALL_ERASES, .samples = 1, .depth = 1},
	        .jobs = 1,
	};
	while ((option = getopt_long(argc, argv, "", table, &index)) != -1) {
		if (option == '?' || !take(options, option, table[index].name, optarg))
			return false;
	}
	return optind == argc ? complete(options) : refuse("not an option", argv[optind]);
}
