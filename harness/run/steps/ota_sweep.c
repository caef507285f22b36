/* SPDX-License-Identifier: Apache-2.0 */
/* ota.sweep: many packages, each made wrong in another way, offered one after the other on one connection; counted. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../rig/flash.h"
#include "../executor_private.h"
#include "ota_check.h"
#include "ota_step.h"
#include "ota_transfer.h"
#include "steps.h"

#define SPEC_SIZE 512
#define COUNT_MAX 100000
#define SHOWN_MAX 4 /* violations that a message names */

static const struct arg_def sweep_args[] = {
        ARG_CONNECTION,
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE, NULL, NULL, 0, 0, "The board."},
        {"package", VALUE_TEXT, ARG_REQUIRED | ARG_PACKAGE, NULL, NULL, 0, 0,
         "The right package that each mutation begins from (named as in ota.install)."},
        {"mutate", VALUE_TEXT, ARG_REQUIRED | ARG_LIST, NULL, NULL, 0, 0,
         "Mutations, each with at most one range FIRST..LAST or FIRST..LAST/STEP (\"header-flip=0..511\")."},
        {"key", VALUE_TEXT, ARG_KEY, "ota-1", NULL, 0, 0, "Key that `mutate` signs with."},
        {"until", VALUE_TEXT, 0, "offered", (const char *const[]){"offered", "checked", NULL}, 0, 0,
         "How far a package goes whose offer is accepted."},
        {"allow", VALUE_INTEGER, ARG_LIST, NULL, NULL, 0, 255, "Negative response codes that are right (default: any)."},
        {"control", VALUE_BOOL, 0, "true", NULL, 0, 0, "At the end the right package has to be taken as far."},
        {NULL},
};
static const struct result_def sweep_results[] = {
        {"total", VALUE_INTEGER, "Packages in all."},
        {"accepted", VALUE_INTEGER, "Taken as far as `until`."},
        {"refused", VALUE_INTEGER, "Refused."},
        {"at_offer", VALUE_INTEGER, "Refused at the offer: before anything was erased."},
        {"later", VALUE_INTEGER, "Refused at a later stage."},
        {"codes", VALUE_TEXT, "Refusals by code, as \"0x31: 480, 0x72: 32\"."},
        {"accepted_list", VALUE_TEXT, "The first mutations that were accepted."},
        {"touched", VALUE_INTEGER, "Refused offers after which the flash had been commanded (where the bench sees it)."},
        {"duration", VALUE_DURATION, "The whole sweep."},
        {NULL},
};

struct sweep {
	struct ota_client client;
	const struct value *mutations, *allow;
	const char *key;
	struct bytes package;
	bool checked, control, watched;
	int64_t total, accepted, at_offer, later, touched, wrong_code, begin_ns;
	uint64_t codes[256];
	char accepted_list[SPEC_SIZE], wrong_list[SPEC_SIZE];
};

/* ---- one package -------------------------------------------------------------------------------------------- */

static void list_add(char *list, int64_t before, const char *spec)
{
	size_t length = strlen(list);

	if (before < SHOWN_MAX && length + 3 < SPEC_SIZE)
		snprintf(list + length, SPEC_SIZE - length, "%s%.100s", length ? "; " : "", spec);
}

static int try_rest(struct sweep *sweep, struct bytes *package, struct error *err)
{
	struct ota_client *client = &sweep->client;
	struct ota_transfer *transfer;
	int r = ota_transfer_new(client->context, client->role, package, &transfer, err);

	if (r == 0)
		r = ota_stage_erase(client, &transfer->package, err);
	if (r == 0 && client->outcome == OTA_DONE)
		r = ota_stage_request(client, transfer, 0, err);
	if (r == 0 && client->outcome == OTA_DONE)
		r = ota_stage_transfer(client, transfer, UINT64_MAX, 0, err);
	if (r == 0 && client->outcome == OTA_DONE)
		r = ota_stage_exit(client, transfer, true, err);
	if (r == 0 && client->outcome == OTA_DONE)
		r = ota_stage_check(client, err);
	return r;
}

/* *ret_offered: the offer was accepted. */
static int try_package(struct sweep *sweep, struct bytes *package, bool *ret_offered, struct error *err)
{
	int r = ota_stage_offer(&sweep->client, package, err);

	*ret_offered = r == 0 && sweep->client.outcome == OTA_DONE;
	return *ret_offered && sweep->checked ? try_rest(sweep, package, err) : r;
}

static int operations(struct sweep *sweep, uint64_t *ret, struct error *err)
{
	struct rig_flash_status status = {0};
	int r = sweep->watched ? rig_flash_status(sweep->client.board, &status, err) : 0;

	*ret = status.operations;
	return r;
}

static bool is_allowed(const struct sweep *sweep, uint8_t nrc)
{
	if (!sweep->allow)
		return true;
	for (unsigned i = 0; i < sweep->allow->list.count; i++)
		if (sweep->allow->list.items[i]->integer == nrc)
			return true;
	return false;
}

static void count(struct sweep *sweep, const char *spec, bool offered, bool touched)
{
	const struct ota_client *client = &sweep->client;

	sweep->total++;
	if (client->outcome == OTA_DONE) {
		list_add(sweep->accepted_list, sweep->accepted++, spec);
		return;
	}
	if (offered)
		sweep->later++;
	else
		sweep->at_offer++;
	sweep->touched += touched;
	sweep->codes[client->nrc]++;
	if (!is_allowed(sweep, client->nrc))
		list_add(sweep->wrong_list, sweep->wrong_code++, spec);
}

static int sweep_one(struct sweep *sweep, const char *spec, struct error *err)
{
	struct bytes package = {0};
	uint64_t before = 0, after = 0;
	bool offered = false;
	int r = bytes_append(&package, sweep->package.data, sweep->package.length) < 0
	                ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory")
	                : 0;

	if (r == 0)
		r = ota_package_mutate(&package, spec, sweep->key, err);
	if (r == 0)
		r = operations(sweep, &before, err);
	if (r == 0)
		r = try_package(sweep, &package, &offered, err);
	if (r == 0)
		r = operations(sweep, &after, err);
	bytes_free(&package);
	if (r < 0) {
		error_prefix(err, "%s", spec);
		return r;
	}
	if (sweep->client.outcome == OTA_LOST)
		return ota_client_failed(&sweep->client, err);
	count(sweep, spec, offered, !offered && after != before);
	return 0;
}

/* ---- ranges ------------------------------------------------------------------------------------------------- */

/* "header-flip=0..511/3,+crc": what stands before and behind the range, and the range. False: there is none. */
static bool range_find(const char *text, int *ret_before, const char **ret_behind, long long *first, long long *last, long long *step)
{
	for (const char *dots = strstr(text, ".."); dots; dots = strstr(dots + 2, "..")) {
		const char *begin = dots;
		char *end;

		while (begin > text && begin[-1] >= '0' && begin[-1] <= '9')
			begin--;
		if (begin == dots || dots[2] < '0' || dots[2] > '9')
			continue;
		*first = strtoll(begin, NULL, 10);
		*last = strtoll(dots + 2, &end, 10);
		*step = *end == '/' ? strtoll(end + 1, &end, 10) : 1;
		*ret_before = (int)(begin - text);
		*ret_behind = end;
		return *step > 0;
	}
	return false;
}

static int sweep_spec(struct sweep *sweep, const struct value *mutation, struct error *err)
{
	long long first = 0, last = 0, step = 1;
	const char *behind = "";
	char spec[SPEC_SIZE];
	int before = 0, r = 0;

	if (!range_find(mutation->text, &before, &behind, &first, &last, &step))
		return sweep_one(sweep, mutation->text, err);
	if (last < first || (last - first) / step >= COUNT_MAX)
		return error_set_place(err, ERROR_TESTCASE, EINVAL, mutation->place, "the range of \"%s\" is empty or too long",
		                       mutation->text);
	for (long long n = first; r == 0 && n <= last; n += step) {
		snprintf(spec, sizeof spec, "%.*s%lld%s", before, mutation->text, n, behind);
		r = sweep_one(sweep, spec, err);
	}
	return r;
}

/* The first and the last of a range say whether all can be. */
static int check_spec(const struct step_call *call, const char *text, struct error *err)
{
	long long first = 0, last = 0, step = 1;
	const char *behind = "";
	char spec[SPEC_SIZE];
	int before = 0, r = 0;
	bool range = range_find(text, &before, &behind, &first, &last, &step);
	struct error why;

	if (range && (last < first || (last - first) / step >= COUNT_MAX))
		return call_refuse(call, "mutate", err, "the range of \"%s\" is empty or too long", text);
	if (!range)
		r = swpg_mutation_check(text, &why);
	for (int i = 0; range && r == 0 && i < 2; i++) {
		snprintf(spec, sizeof spec, "%.*s%lld%s", before, text, i ? last - (last - first) % step : first, behind);
		r = swpg_mutation_check(spec, &why);
	}
	return r < 0 ? call_refuse(call, "mutate", err, "`mutate`: %s", why.message) : 0;
}

static int ota_sweep_check(const struct step_call *call, const struct value *known, struct error *err)
{
	const struct value *list = value_get(known, "mutate");
	int r = 0;

	if (!list || list->type != VALUE_LIST)
		return 0;
	if (list->list.count == 0)
		return call_refuse(call, "mutate", err, "`mutate` is empty: nothing would be offered");
	for (unsigned i = 0; r == 0 && i < list->list.count; i++)
		r = check_spec(call, list->list.items[i]->text, err);
	return r;
}

/* ---- the step ----------------------------------------------------------------------------------------------- */

static int control(struct sweep *sweep, struct error *err)
{
	struct bytes package = {0};
	bool offered;
	int r = bytes_append(&package, sweep->package.data, sweep->package.length) < 0
	                ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory")
	                : 0;

	if (r == 0)
		r = try_package(sweep, &package, &offered, err);
	bytes_free(&package);
	if (r < 0 || sweep->client.outcome == OTA_DONE)
		return r;
	(void)ota_client_failed(&sweep->client, err);
	error_prefix(err, "after the sweep the right package is not taken");
	return -EBADMSG;
}

static int sweep_run_all(struct sweep *sweep, struct error *err)
{
	int r = ota_stage_enter(&sweep->client, err);

	if (r == 0 && sweep->client.outcome != OTA_DONE)
		return ota_client_failed(&sweep->client, err);
	sweep->client.stage = OTA_STAGE_OFFER;
	for (unsigned i = 0; r == 0 && i < sweep->mutations->list.count; i++)
		r = sweep_spec(sweep, sweep->mutations->list.items[i], err);
	return r == 0 && sweep->control ? control(sweep, err) : r;
}

static void codes_text(const struct sweep *sweep, char *text, size_t size)
{
	size_t length = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < 256 && length < size; i++)
		if (sweep->codes[i])
			length += (size_t)snprintf(text + length, size - length, "%s0x%02x: %" PRIu64, length ? ", " : "", i,
			                           sweep->codes[i]);
}

static void sweep_tell(const struct sweep *sweep, const char *codes)
{
	ota_client_emit(&sweep->client, instant_now(), "ota.sweep",
	                json_pack("{s:I,s:I,s:I,s:I,s:s,s:I,s:s,s:I}", "total", (json_int_t)sweep->total, "accepted",
	                          (json_int_t)sweep->accepted, "at_offer", (json_int_t)sweep->at_offer, "later", (json_int_t)sweep->later,
	                          "codes", codes, "touched", (json_int_t)sweep->touched, "accepted_list", sweep->accepted_list,
	                          "duration_ns", (json_int_t)(loop_now_ns() - sweep->begin_ns)));
}

static int sweep_results_set(struct step_context *context, const struct sweep *sweep, const char *codes)
{
	if (step_result_integer(context, "total", sweep->total) < 0 || step_result_integer(context, "accepted", sweep->accepted) < 0 ||
	    step_result_integer(context, "refused", sweep->at_offer + sweep->later) < 0 ||
	    step_result_integer(context, "at_offer", sweep->at_offer) < 0 || step_result_integer(context, "later", sweep->later) < 0 ||
	    step_result_integer(context, "touched", sweep->touched) < 0 || step_result_text(context, "codes", codes) < 0 ||
	    step_result_text(context, "accepted_list", sweep->accepted_list) < 0)
		return -ENOMEM;
	return step_result_duration(context, "duration", loop_now_ns() - sweep->begin_ns);
}

static int sweep_judge(struct sweep *sweep, const struct step_call *call, struct error *err)
{
	struct step_context *context = sweep->client.context;

	if (sweep->accepted > 0 && !ota_call_expects(call, "accepted"))
		return step_check_failed(context, err, "every one refused", sweep->accepted_list,
		                         "%s took %" PRId64 " of %" PRId64 " wrong packages", sweep->client.role, sweep->accepted,
		                         sweep->total);
	if (sweep->wrong_code > 0)
		return step_check_failed(context, err, "the codes of `allow`", sweep->wrong_list,
		                         "%s refused %" PRId64 " packages with another code", sweep->client.role, sweep->wrong_code);
	if (sweep->touched > 0 && !ota_call_expects(call, "touched"))
		return step_check_failed(context, err, "an untouched flash", "flash commands",
		                         "%s wrote or erased flash for %" PRId64 " refused offers", sweep->client.role, sweep->touched);
	return 0;
}

static int sweep_of_call(struct step_context *context, const struct step_call *call, struct sweep *sweep, struct error *err)
{
	const struct rig_file *file = context->executor->options->rig_file;
	const char *package, *until;
	int r;

	if ((r = ota_client_begin(&sweep->client, context, call, err)) < 0 ||
	    (r = step_arg_text(context, call, "package", &package, err)) < 0 ||
	    (r = step_arg(context, call, "mutate", &sweep->mutations, err)) < 0 ||
	    (r = step_arg(context, call, "allow", &sweep->allow, err)) < 0 ||
	    (r = step_arg_text(context, call, "key", &sweep->key, err)) < 0 ||
	    (r = step_arg_text(context, call, "until", &until, err)) < 0 ||
	    (r = step_arg_bool(context, call, "control", true, &sweep->control, err)) < 0)
		return r;
	sweep->checked = strcmp(until, "checked") == 0;
	sweep->watched = file && rig_file_has_capability(file, "flash");
	sweep->begin_ns = loop_now_ns();
	return ota_package_read(package, &sweep->package, err);
}

static int ota_sweep_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct sweep *sweep = calloc(1, sizeof *sweep);
	char codes[SPEC_SIZE];
	int r = sweep ? sweep_of_call(context, call, sweep, err) : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");

	if (r == 0) {
		r = sweep_run_all(sweep, err);
		codes_text(sweep, codes, sizeof codes);
		sweep_tell(sweep, codes);
	}
	if (r == 0)
		r = sweep_judge(sweep, call, err);
	if (r == 0 && sweep_results_set(context, sweep, codes) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (sweep) {
		ota_client_end(&sweep->client);
		bytes_free(&sweep->package);
	}
	free(sweep);
	return r;
}

const struct step_def step_ota_sweep = {
        .name = "ota.sweep",
        .doc = "Makes many wrong packages of a right one and offers each, on one connection and in one unlocked session; with `until: "
               "checked` what is "
               "offered successfully is transferred and checked as well. Every one must be refused, with a code of `allow`; an offer that "
               "is refused must "
               "not have commanded the flash; at the end the right package must still be taken. `expect` of `accepted` or `touched` judges "
               "these figures "
               "in place of that.",
        .example = "- ota.sweep: {role: zgw, package: zgw-1.1.0, mutate: [\"header-flip=0..31\"], allow: [0x31], expect: {total: 32}}",
        .flags = STEP_ACTION,
        .args = sweep_args,
        .results = sweep_results,
        .capabilities = ota_capability,
        .run = ota_sweep_run,
        .check = ota_sweep_check,
};
