/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench package: makes, signs, joins, opens and judges software packages. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "package_file.h"

#define PACKAGE_MAX  ((size_t)SWPG_SOFTWARE_MAX + 4096)
#define CAMPAIGN_MAX (SWPG_CAMPAIGN_MAX * PACKAGE_MAX)

/* What the subcommands here have for options; each takes those that are its own. */
struct arguments {
	const char *output, *key, *mutate, *type;
	uint32_t key_id;
	bool has_target, has_version, has_counter, has_sequence, has_key_id, installed;
	uint16_t target;
	struct swpg_options package;
	char **files;
	int count;
};

enum { TARGET = 256, VERSION, COUNTER, SEQUENCE, TYPE, GZIP, TIMESTAMP, SOURCE, KEY, KEY_ID, MUTATE, INSTALLED };

static const struct option build_options[] = {{"target", required_argument, NULL, TARGET},
                                              {"version", required_argument, NULL, VERSION},
                                              {"counter", required_argument, NULL, COUNTER},
                                              {"sequence", required_argument, NULL, SEQUENCE},
                                              {"type", required_argument, NULL, TYPE},
                                              {"gzip", no_argument, NULL, GZIP},
                                              {"timestamp", required_argument, NULL, TIMESTAMP},
                                              {"source", required_argument, NULL, SOURCE},
                                              {"key", required_argument, NULL, KEY},
                                              {"key-id", required_argument, NULL, KEY_ID},
                                              {"mutate", required_argument, NULL, MUTATE},
                                              {0}};
static const struct option sign_options[] = {{"key", required_argument, NULL, KEY}, {"key-id", required_argument, NULL, KEY_ID}, {0}};
static const struct option campaign_options[] = {{"mutate", required_argument, NULL, MUTATE}, {0}};
static const struct option extract_options[] = {
        {"installed", no_argument, NULL, INSTALLED}, {"target", required_argument, NULL, TARGET}, {0}};

static int parse_version(const char *text, uint8_t ret[4], struct error *err)
{
	unsigned part[4] = {0};
	int length = 0, count = sscanf(text, "%3u.%3u.%3u%n.%3u%n", &part[0], &part[1], &part[2], &length, &part[3], &length);

	if (count < 3 || text[length] != '\0' || strpbrk(text, "+- \t"))
		return error_set(err, ERROR_USAGE, 0, "--version %s: has the form 1.2.3 or 1.2.3.4", text);
	for (int i = 0; i < 4; i++) {
		if (part[i] > 255)
			return error_set(err, ERROR_USAGE, 0, "--version %s: %u is more than 255", text, part[i]);
		ret[i] = (uint8_t)part[i];
	}
	return 0;
}

static int parse_type(const char *text, uint8_t *ret, struct error *err)
{
	static const char *const names[] = {"app", "boot", "cal"};

	for (uint8_t i = 0; i < 3; i++) {
		if (!strcmp(names[i], text)) {
			*ret = (uint8_t)(i + 1);
			return 0;
		}
	}
	return error_set(err, ERROR_USAGE, 0, "--type %s: there are app, boot, cal", text);
}

/* 0 would be the present time to those who build. */
static int parse_timestamp(const char *text, uint32_t *ret, struct error *err)
{
	int r = package_number("timestamp", text, UINT32_MAX, ret, err);

	if (r == 0 && *ret < SWPG_OLDEST_TIME)
		return error_set(err, ERROR_USAGE, ERANGE, "--timestamp %s: not before %u (2020-01-01)", text, SWPG_OLDEST_TIME);
	return r;
}

/* Options of the package itself. */
static int take_field(struct arguments *a, int option, struct error *err)
{
	struct swpg_options *package = &a->package;

	switch (option) {
	case VERSION:
		a->has_version = true;
		return parse_version(optarg, package->version, err);
	case COUNTER:
		a->has_counter = true;
		return package_number("counter", optarg, UINT32_MAX, &package->security_counter, err);
	case SEQUENCE:
		a->has_sequence = true;
		return package_number("sequence", optarg, UINT32_MAX, &package->sequence, err);
	case TIMESTAMP:
		return parse_timestamp(optarg, &package->timestamp, err);
	case SOURCE:
		return package_target_parse(optarg, &package->source, err);
	case TYPE:
		return parse_type(optarg, &package->type, err);
	case GZIP:
		package->compression = 1;
	}
	return 0;
}

static int take(struct arguments *a, int option, struct error *err)
{
	switch (option) {
	case 'o':
		a->output = optarg;
		return 0;
	case KEY:
		a->key = optarg;
		return 0;
	case KEY_ID:
		a->has_key_id = true;
		return package_number("key-id", optarg, UINT32_MAX, &a->key_id, err);
	case MUTATE:
		a->mutate = optarg;
		return 0;
	case INSTALLED:
		a->installed = true;
		return 0;
	case TARGET:
		a->has_target = true;
		return package_target_parse(optarg, &a->target, err);
	}
	return take_field(a, option, err);
}

static int parse(struct arguments *a, int argc, char **argv, const struct option *options, struct error *err)
{
	int option, r = 0;

	while (r == 0 && (option = getopt_long(argc, argv, "o:", options, NULL)) != -1)
		r = option == '?' ? error_set(err, ERROR_USAGE, 0, "wrong or incomplete option %s", argv[optind - 1])
		                  : take(a, option, err);
	a->files = argv + optind;
	a->count = argc - optind;
	if (r == 0 && !a->output)
		r = error_set(err, ERROR_USAGE, 0, "where to? -o FILE is missing");
	if (r == 0 && (a->key != NULL) != a->has_key_id)
		r = error_set(err, ERROR_USAGE, 0, "--key FILE and --key-id N go together");
	return r;
}

/* "hilbench package: FILE: message". */
static int fail_in(const char *file, struct error *err)
{
	error_prefix(err, "%s", file);
	return package_fail(err);
}

static int write_out(const struct arguments *a, const struct bytes *data)
{
	struct error err = {0};

	return package_file_write(a->output, data, &err) < 0 ? package_fail(&err) : 0;
}

/* ---- build --------------------------------------------------------------------------------------------------------------- */

static bool has_word(const char *mutations, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = mutations; at && *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == length && strncmp(at, word, length) == 0)
			return true;
	return false;
}

static int check_build(const struct arguments *a, struct error *err)
{
	if (!a->has_target || !a->has_version || !a->has_counter || !a->has_sequence)
		return error_set(err, ERROR_USAGE, 0, "--%s is missing",
		                 !a->has_target    ? "target"
		                 : !a->has_version ? "version"
		                 : !a->has_counter ? "counter"
		                                   : "sequence");
	if (a->count != 1)
		return error_set(err, ERROR_USAGE, 0, "exactly one file with the software is needed");
	return 0;
}

static int check_software(const struct arguments *a, const struct bytes *software, struct error *err)
{
	if ((package_is_package(software) || package_is_campaign(software)) && !has_word(a->mutate, "nested"))
		return error_set(err, ERROR_USAGE, 0, "offset 0: is a %s already (--mutate nested puts it into another all the same)",
		                 package_is_package(software) ? "package" : "campaign");
	if (a->package.type == 3 && software->length >= 4 && memcmp(software->data, "\177ELF", 4) == 0)
		return error_set(err, ERROR_USAGE, 0, "offset 0: is an ELF executable, not calibration data");
	return 0;
}

/* One package from the arguments; the exit status. */
static int build_with(struct arguments *a, const struct swpg_key *key)
{
	struct bytes software = {0}, package = {0};
	struct error err = {0};
	int status = 0;

	a->package.key = key;
	a->package.target = a->target;
	if (package_file_read(a->files[0], SWPG_SOFTWARE_MAX, &software, &err) < 0)
		return package_fail(&err);
	if (check_software(a, &software, &err) < 0 || swpg_build(&a->package, software.data, software.length, &package, &err) < 0)
		status = fail_in(a->files[0], &err);
	else if (a->mutate && swpg_mutate(&package, a->mutate, key, &err) < 0)
		status = fail_in("--mutate", &err);
	else
		status = write_out(a, &package);
	bytes_free(&software);
	bytes_free(&package);
	return status;
}

static int build(int argc, char **argv)
{
	struct arguments a = {0};
	struct swpg_key *key = NULL;
	struct error err = {0};
	int status;

	if (parse(&a, argc, argv, build_options, &err) < 0 || check_build(&a, &err) < 0)
		return command_usage_error("package", "build: %s", err.message);
	if (a.key && package_key_load(&key, a.key, a.key_id, &err) < 0)
		return package_fail(&err);
	status = build_with(&a, key);
	swpg_key_free(key);
	return status;
}

/* ---- sign ---------------------------------------------------------------------------------------------------------------- */

static int sign(int argc, char **argv)
{
	struct arguments a = {0};
	struct swpg_key *key = NULL;
	struct bytes package = {0};
	struct error err = {0};
	int status;

	if (parse(&a, argc, argv, sign_options, &err) < 0)
		return command_usage_error("package", "sign: %s", err.message);
	if (!a.key || a.count != 1)
		return command_usage_error("package", "sign: %s", a.key ? "exactly one package is needed" : "--key FILE is missing");
	if (package_key_load(&key, a.key, a.key_id, &err) < 0 || package_file_read(a.files[0], PACKAGE_MAX, &package, &err) < 0)
		status = package_fail(&err);
	else if (swpg_sign(&package, key, &err) < 0)
		status = fail_in(a.files[0], &err);
	else
		status = write_out(&a, &package);
	swpg_key_free(key);
	bytes_free(&package);
	return status;
}

/* ---- campaign ------------------------------------------------------------------------------------------------------------ */

static int read_packages(const struct arguments *a, struct bytes *packages)
{
	struct swpg_view view;
	struct error err = {0};

	for (int i = 0; i < a->count; i++) {
		if (package_file_read(a->files[i], PACKAGE_MAX, &packages[i], &err) < 0)
			return package_fail(&err);
		if (swpg_parse(packages[i].data, packages[i].length, &view, &err) < 0)
			return fail_in(a->files[i], &err);
	}
	return 0;
}

static int campaign(int argc, char **argv)
{
	struct bytes packages[SWPG_CAMPAIGN_MAX] = {0}, made = {0};
	struct arguments a = {0};
	struct error err = {0};
	int status;

	if (parse(&a, argc, argv, campaign_options, &err) < 0)
		return command_usage_error("package", "campaign: %s", err.message);
	if (a.count < 1 || a.count > (int)SWPG_CAMPAIGN_MAX)
		return command_usage_error("package", "campaign: takes 1 to %u packages", SWPG_CAMPAIGN_MAX);
	status = read_packages(&a, packages);
	if (status == 0) {
		if (swpg_campaign_build(packages, (size_t)a.count, &made, &err) < 0)
			status = package_fail(&err);
		else if (a.mutate && swpg_campaign_mutate(&made, a.mutate, &err) < 0)
			status = fail_in("--mutate", &err);
		else
			status = write_out(&a, &made);
	}
	for (size_t i = 0; i < SWPG_CAMPAIGN_MAX; i++)
		bytes_free(&packages[i]);
	bytes_free(&made);
	return status;
}

/* ---- extract ------------------------------------------------------------------------------------------------------------- */

static int extract_from_campaign(const struct arguments *a, const struct bytes *file, struct bytes *ret, struct error *err)
{
	struct swpg_campaign_entry entries[SWPG_CAMPAIGN_MAX];
	size_t count;

	if (!a->has_target)
		return error_set(err, ERROR_USAGE, 0, "is a campaign: --target says which package to take");
	if (swpg_campaign_parse(file->data, file->length, entries, SWPG_CAMPAIGN_MAX, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (entries[i].target == a->target)
			return bytes_append(ret, entries[i].package, entries[i].length) < 0
			               ? error_set(err, ERROR_BENCH, 0, "out of memory")
			               : 0;
	return error_set(err, ERROR_USAGE, 0, "has no package for 0x%04x", a->target);
}

static int extract_from_package(const struct arguments *a, const struct bytes *file, struct bytes *ret, struct error *err)
{
	struct swpg_view view;

	if (a->has_target)
		return error_set(err, ERROR_USAGE, 0, "is no campaign, --target chooses nothing in it");
	if (swpg_parse(file->data, file->length, &view, err) < 0)
		return -1;
	return a->installed ? swpg_installed(&view, ret, err) : swpg_software(&view, SWPG_SOFTWARE_MAX, ret, err);
}

static int extract(int argc, char **argv)
{
	struct bytes file = {0}, part = {0};
	struct arguments a = {0};
	struct error err = {0};
	int status, r;

	if (parse(&a, argc, argv, extract_options, &err) < 0)
		return command_usage_error("package", "extract: %s", err.message);
	if (a.count != 1)
		return command_usage_error("package", "extract: exactly one file is needed");
	if (package_file_read(a.files[0], CAMPAIGN_MAX, &file, &err) < 0)
		return package_fail(&err);
	r = package_is_campaign(&file) ? extract_from_campaign(&a, &file, &part, &err) : extract_from_package(&a, &file, &part, &err);
	status = r < 0 ? fail_in(a.files[0], &err) : write_out(&a, &part);
	bytes_free(&file);
	bytes_free(&part);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} table[] = {{"build", build}, {"verify", package_verify}, {"show", package_show},
	             {"sign", sign},   {"campaign", campaign},     {"extract", extract}};

	if (argc < 2)
		return command_usage_error(argv[0], "what? There are build, verify, show, sign, campaign, extract");
	optind = 0;
	opterr = 0;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (!strcmp(table[i].name, argv[1]))
			return table[i].run(argc - 1, argv + 1);
	return command_usage_error(argv[0], "there is no \"%s\"; there are build, verify, show, sign, campaign, extract", argv[1]);
}

const struct command command_package = {
        .name = "package",
        .summary = "makes, signs, joins, opens and judges software packages",
        .usage = "package build --target T --version A.B.C[.D] --counter N --sequence N [OPTION]… -o OUT SOFTWARE\n"
                 "       hilbench package verify [--key FILE [--key-id N]] [--counter N] FILE\n"
                 "       hilbench package show [--json] FILE\n"
                 "       hilbench package sign --key FILE --key-id N -o OUT PACKAGE\n"
                 "       hilbench package campaign [--mutate SPEC] -o OUT PACKAGE…\n"
                 "       hilbench package extract [--installed | --target T] -o OUT FILE\n"
                 "  --target T               vmg, zgw, ecu or a logical address (0x0091)\n"
                 "  --counter, --sequence N  security counter (verify: the least that counts), sequence number; from 1\n"
                 "  --type app|boot|cal      kind of software; default app\n"
                 "  --gzip                   compressed\n"
                 "  --timestamp T            seconds since 1970; default SOURCE_DATE_EPOCH, else now\n"
                 "  --source A               who sends; default 0, the OEM\n"
                 "  --key FILE --key-id N    P-256 key (PEM), a path or a name among the fixtures; without: unsigned\n"
                 "  --mutate SPEC            makes it wrong on purpose: docs/how-to/make-a-package.md\n"
                 "  --installed              as it lies in a flash bank: header, software, trailer",
        .run = run,
};
