/* SPDX-License-Identifier: Apache-2.0 */
/* package.build: a package made within a case, right or wrong on purpose. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ota_check.h"
#include "ota_package.h"
#include "steps.h"

#define SOFTWARE_LIMIT ((size_t)SWPG_SOFTWARE_MAX)

static const struct arg_def build_args[] = {
        {"package", VALUE_TEXT, ARG_PACKAGE, NULL, NULL, 0, 0,
         "The package whose software and fields it begins from (named as in ota.install)."},
        {"size", VALUE_SIZE, ARG_POSITIVE, NULL, NULL, 0, 0,
         "In place of it: so many pseudo-random bytes of software (never activate those)."},
        {"part", VALUE_TEXT, ARG_ROLE, NULL, NULL, 0, 0, "`package` is a campaign: the package of this role out of it."},
        {"role", VALUE_TEXT, ARG_ROLE, NULL, NULL, 0, 0, "Target (default: that of `package`)."},
        {"version", VALUE_TEXT, 0, NULL, NULL, 0, 0, "Version, as 1.2.3 or 1.2.3.4."},
        {"counter", VALUE_INTEGER, 0, NULL, NULL, 0, 0xffffffff, "Security counter."},
        {"sequence", VALUE_INTEGER, 0, NULL, NULL, 0, 0xffffffff, "Sequence number."},
        {"gzip", VALUE_BOOL, 0, NULL, NULL, 0, 0, "Compressed (default: as `package` is)."},
        {"key", VALUE_TEXT, ARG_KEY, "ota-1", NULL, 0, 0, "Key that signs; a file, or a name among the fixtures' keys."},
        {"mutate", VALUE_TEXT, 0, NULL, NULL, 0, 0, "What is made wrong then (docs/how-to/make-a-package.md)."},
        {"name", VALUE_TEXT, 0, "case", NULL, 0, 0, "Part of the file's name."},
        {NULL},
};
static const struct result_def build_results[] = {
        {"path", VALUE_TEXT, "The file, in the run's directory."},
        {"size", VALUE_INTEGER, "Its bytes."},
        {"offer", VALUE_BYTES, "The request that offers it: 31 01 F0 10, header, trailer."},
        {"header", VALUE_BYTES, "Its header."},
        {"digest", VALUE_BYTES, "The digest in its trailer; absent when it has none."},
        {NULL},
};

struct build {
	struct swpg_options options;
	struct bytes software, package;
	const char *base, *key, *mutate, *name;
	bool plain; /* nothing but the base: it is taken as it is */
};

static int as_testcase(int r, struct error *err)
{
	if (r < 0 && err->domain == ERROR_USAGE)
		err->domain = ERROR_TESTCASE;
	return r;
}

static int target_of_role(struct step_context *context, const struct step_call *call, const char *role, uint16_t *ret, struct error *err)
{
	const struct value *address = rig_value(context->rig, role, "logical_address");

	if (!address || address->type != VALUE_INTEGER)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, call->place, "the rig gives role \"%s\" no logical address", role);
	*ret = (uint16_t)address->integer;
	return 0;
}

/* Software and fields of an existing package. */
static int take_base(struct build *build, struct error *err)
{
	struct swpg_view view;
	int r = as_testcase(swpg_parse(build->package.data, build->package.length, &view, err), err);

	if (r == 0)
		r = as_testcase(swpg_software(&view, SOFTWARE_LIMIT, &build->software, err), err);
	if (r < 0)
		return r;
	build->options = (struct swpg_options){
	        .target = view.fields.target,
	        .source = view.fields.source,
	        .type = view.fields.type,
	        .compression = view.fields.compression,
	        .timestamp = view.fields.timestamp,
	        .sequence = view.fields.sequence,
	        .security_counter = view.fields.security_counter,
	};
	memcpy(build->options.version, view.fields.version, sizeof view.fields.version);
	return 0;
}

/* Reproducible bytes that do not compress. */
static int take_random(struct step_context *context, struct build *build, int64_t size, struct error *err)
{
	uint64_t state = context->seed | 1;

	for (int64_t i = 0; i < size; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		if (bytes_append_u8(&build->software, (uint8_t)(state >> 24)) < 0)
			return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	build->options = (struct swpg_options){.type = 1, .version = {1}, .sequence = 1, .security_counter = 1};
	return 0;
}

static int source_of_call(struct step_context *context, const struct step_call *call, struct build *build, struct error *err)
{
	const char *part;
	uint16_t target;
	int64_t size;
	int r;

	if ((r = step_arg_text(context, call, "package", &build->base, err)) < 0 ||
	    (r = step_arg_integer(context, call, "size", 0, &size, err)) < 0 || (r = step_arg_text(context, call, "part", &part, err)) < 0)
		return r;
	if (!build->base)
		return take_random(context, build, size, err);
	r = ota_package_read(build->base, &build->package, err);
	if (r == 0 && part)
		r = target_of_role(context, call, part, &target, err);
	if (r == 0 && part)
		r = ota_package_part(&build->package, target, err);
	return r < 0 ? r : take_base(build, err);
}

static int numbers_of_call(struct step_context *context, const struct step_call *call, struct build *build, struct error *err)
{
	int64_t counter, sequence;
	bool gzip;
	int r;

	if ((r = step_arg_integer(context, call, "counter", build->options.security_counter, &counter, err)) < 0 ||
	    (r = step_arg_integer(context, call, "sequence", build->options.sequence, &sequence, err)) < 0 ||
	    (r = step_arg_bool(context, call, "gzip", build->options.compression == 1, &gzip, err)) < 0)
		return r;
	build->options.security_counter = (uint32_t)counter;
	build->options.sequence = (uint32_t)sequence;
	build->options.compression = gzip;
	return 0;
}

static int fields_of_call(struct step_context *context, const struct step_call *call, struct build *build, struct error *err)
{
	const char *role, *version;
	int r;

	if ((r = step_arg_text(context, call, "role", &role, err)) < 0 ||
	    (r = step_arg_text(context, call, "version", &version, err)) < 0 ||
	    (r = step_arg_text(context, call, "key", &build->key, err)) < 0 ||
	    (r = step_arg_text(context, call, "mutate", &build->mutate, err)) < 0 ||
	    (r = step_arg_text(context, call, "name", &build->name, err)) < 0 || (r = numbers_of_call(context, call, build, err)) < 0)
		return r;
	if (role)
		r = target_of_role(context, call, role, &build->options.target, err);
	if (r == 0 && version)
		r = ota_version_parse(version, build->options.version, err);
	build->plain = build->base && !role && !version && !step_has_arg(call, "counter") && !step_has_arg(call, "sequence") &&
	               !step_has_arg(call, "gzip") && !step_has_arg(call, "key");
	return r;
}

static int make(struct build *build, struct error *err)
{
	struct swpg_key *key = NULL;
	int r = 0;

	if (!build->plain) {
		r = ota_package_key(build->key, &key, err);
		build->options.key = key;
		if (r == 0)
			r = as_testcase(swpg_build(&build->options, build->software.data, build->software.length, &build->package, err),
			                err);
		swpg_key_free(key);
	}
	return r < 0 ? r : ota_package_mutate(&build->package, build->mutate, build->key, err);
}

static int build_results_set(struct step_context *context, const struct build *build, const char *path)
{
	struct ota_parts parts = ota_package_parts(&build->package);
	struct bytes offer = {0};
	int r = -ENOMEM;

	if (bytes_append(&offer, "\x31\x01\xf0\x10", 4) == 0 && bytes_append(&offer, parts.header, parts.header_length) == 0 &&
	    bytes_append(&offer, parts.trailer, parts.trailer_length) == 0 && step_result_text(context, "path", path) == 0 &&
	    step_result_integer(context, "size", (int64_t)build->package.length) == 0 &&
	    step_result_bytes(context, "header", parts.header, parts.header_length) == 0)
		r = step_result_bytes(context, "offer", offer.data, offer.length);
	if (r == 0 && parts.trailer_length >= SWPG_DIGEST_BYTES)
		r = step_result_bytes(context, "digest", parts.trailer, SWPG_DIGEST_BYTES);
	bytes_free(&offer);
	return r;
}

static int package_build_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct build build = {0};
	char path[PATH_MAX];
	int r = source_of_call(context, call, &build, err);

	if (r == 0)
		r = fields_of_call(context, call, &build, err);
	if (r == 0)
		r = make(&build, err);
	if (r == 0)
		r = ota_package_keep(context, build.name, &build.package, path, sizeof path, err);
	if (r == 0 && build_results_set(context, &build, path) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	bytes_free(&build.software);
	bytes_free(&build.package);
	return r;
}

static int package_build_check(const struct step_call *call, const struct value *known, struct error *err)
{
	const struct value *name = value_get(known, "name");

	if ((value_get(call->args, "package") != NULL) == (value_get(call->args, "size") != NULL))
		return error_set_place(err, ERROR_USAGE, EINVAL, call->place, "package.build: needs either `package` or `size`");
	if (!value_get(call->args, "package") && !value_get(call->args, "role"))
		return error_set_place(err, ERROR_USAGE, EINVAL, call->place,
		                       "package.build: with `size` the target `role` has to be named");
	if (name && name->type == VALUE_TEXT && strpbrk(name->text, "/"))
		return error_set_place(err, ERROR_USAGE, EINVAL, call->place,
		                       "package.build: `name` is a part of a file's name, not a path");
	return ota_check_version(call, known, err) < 0 ? -EINVAL : ota_check_mutation(call, known, err);
}

const struct step_def step_package_build = {
        .name = "package.build",
        .doc = "Builds a package within the case and keeps it in the run's directory: from an existing one with other fields, signed anew, "
               "or from random "
               "software; then, on purpose, wrong. The path is what ota.install and flash.install take.",
        .example = "- package.build: {package: zgw-1.1.0, version: 1.2.0, counter: 3, save: {newer: path}}",
        .args = build_args,
        .results = build_results,
        .run = package_build_run,
        .check = package_build_check,
};
