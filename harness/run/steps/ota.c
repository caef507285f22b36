/* SPDX-License-Identifier: Apache-2.0 */
/* Installing: ota.install does the whole sequence up to a stage, ota.transfer goes on with single blocks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ota_check.h"
#include "ota_step.h"
#include "ota_transfer.h"
#include "steps.h"

static const char *const untils[] = {"offered", "erased", "requested", "transferred", "ended", "checked", "activated", NULL};

static const struct arg_def install_args[] = {
        ARG_CONNECTION,
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE, NULL, NULL, 0, 0,
         "The board that is programmed; behind a gateway the connection leads to that."},
        {"package", VALUE_TEXT, ARG_REQUIRED | ARG_PACKAGE, NULL, NULL, 0, 0,
         "The package: a file (with a slash; a relative one from where hilbench was started), or a name among the fixtures' packages "
         "(zgw-1.1.0)."},
        {"part", VALUE_BOOL, 0, "false", NULL, 0, 0, "The file is a campaign: the package of this role out of it."},
        {"mutate", VALUE_TEXT, 0, NULL, NULL, 0, 0, "What is made wrong in it first (docs/how-to/make-a-package.md)."},
        {"key", VALUE_TEXT, ARG_KEY, "ota-1", NULL, 0, 0, "Key that `mutate` signs with: a file, or a name among the fixtures' keys."},
        {"until", VALUE_TEXT, 0, "checked", untils, 0, 0, "How far to go."},
        {"resume", VALUE_BOOL, 0, "false", NULL, 0, 0,
         "Go on where an interrupted download stands (FD52), without erase; from the begin when there is none."},
        {"dfi", VALUE_INTEGER, 0, NULL, NULL, 0, 255, "dataFormatIdentifier (default: that of the package)."},
        {"block", VALUE_SIZE, ARG_POSITIVE, NULL, NULL, 0, 0, "Data bytes a TransferData at most (default: what the board takes)."},
        {"blocks", VALUE_INTEGER, ARG_POSITIVE, NULL, NULL, 0, 0, "Send only so many TransferData and stop (`until` transferred)."},
        {"pace", VALUE_DURATION, 0, "0ms", NULL, 0, 0, "Pause between two TransferData; TesterPresent keeps the session."},
        {"crc", VALUE_BOOL, 0, "true", NULL, 0, 0, "RequestTransferExit carries the CRC-32 of what was sent."},
        {"session", VALUE_BOOL, 0, "true", NULL, 0, 0, "Enter the programming session and unlock it first."},
        {"erase", VALUE_BOOL, 0, "true", NULL, 0, 0, "Erase before the download."},
        {NULL},
};
static const char *const at_words[] = {"session",  "security", "resume", "offer",    "erase", "request",
                                       "transfer", "exit",     "check",  "activate", "done",  NULL};
static const struct result_def install_results[] = {
        OTA_RESULTS,
        {"at", VALUE_TEXT,
         "Stage of the last request: session, security, resume, offer, erase, request, transfer, exit, check, activate; \"done\".",
         at_words},
        {"bytes", VALUE_INTEGER, "Bytes of the package that were taken by this step."},
        {"blocks", VALUE_INTEGER, "TransferData that were taken."},
        {"begin", VALUE_INTEGER, "Where the transfer began: 0, or the bookmark of a resumed one."},
        {"size", VALUE_INTEGER, "Bytes of the package."},
        {"duration", VALUE_DURATION, "The whole step."},
        {"erase", VALUE_DURATION, "From the erase request to its answer."},
        {"transfer", VALUE_DURATION, "From the first TransferData to the answer of RequestTransferExit."},
        {"check", VALUE_DURATION, "From the check request to its answer."},
        {"throughput", VALUE_INTEGER, "Bytes a second of `transfer`."},
        {NULL},
};

struct install {
	struct ota_client client;
	struct ota_transfer *transfer;
	const char *until;
	bool resume, crc, session, erase, resumed;
	int64_t block, blocks, pace_ns;
	int64_t begin_ns, erase_ns, transfer_begin_ns, transfer_ns, check_ns;
	size_t size;
};

/* ---- stages ------------------------------------------------------------------------------------------------- */

static int install_offer(struct install *in, struct error *err)
{
	return ota_stage_offer(&in->client, &in->transfer->package, err);
}

/* What lies in the bank already: only of this very package. */
static int install_bookmark(struct install *in, struct error *err)
{
	struct ota_parts parts = ota_package_parts(&in->transfer->package);
	const uint8_t *value;
	uint32_t bookmark;
	int r = ota_client_read(&in->client, 0xfd52, 36, err);

	if (r < 0 || in->client.outcome != OTA_DONE)
		return r;
	value = in->client.response.data + 3;
	bookmark = be32_read(value);
	in->resumed = bookmark > 0 && bookmark < in->transfer->package.length && parts.trailer_length >= SWPG_DIGEST_BYTES &&
	              memcmp(value + 4, parts.trailer, SWPG_DIGEST_BYTES) == 0;
	in->transfer->begin = in->resumed ? bookmark : 0;
	return 0;
}

static int install_erase(struct install *in, struct error *err)
{
	int r = ota_stage_erase(&in->client, &in->transfer->package, err);

	in->erase_ns = in->client.answered_ns - in->client.sent_ns;
	return r;
}

static int install_request(struct install *in, struct error *err)
{
	return ota_stage_request(&in->client, in->transfer, (size_t)in->block, err);
}

static int install_transfer(struct install *in, struct error *err)
{
	int r;

	in->transfer_begin_ns = loop_now_ns();
	r = ota_stage_transfer(&in->client, in->transfer, in->blocks < 0 ? UINT64_MAX : (uint64_t)in->blocks, in->pace_ns, err);
	in->transfer_ns = loop_now_ns() - in->transfer_begin_ns;
	return r;
}

static int install_exit(struct install *in, struct error *err)
{
	int r = ota_stage_exit(&in->client, in->transfer, in->crc, err);

	in->transfer_ns = loop_now_ns() - in->transfer_begin_ns;
	return r;
}

static int install_check(struct install *in, struct error *err)
{
	int r = ota_stage_check(&in->client, err);

	in->check_ns = in->client.answered_ns - in->client.sent_ns;
	return r;
}

static int install_activate(struct install *in, struct error *err)
{
	return ota_client_routine(&in->client, 0xf011, NULL, 0, err);
}

static bool wants_resume(const struct install *in)
{
	return in->resume;
}

static bool wants_erase(const struct install *in)
{
	return in->erase && !in->resumed;
}

static bool wants_exit(const struct install *in)
{
	return in->transfer->position == in->transfer->package.length || in->blocks < 0;
}

static const struct {
	enum ota_stage stage;
	const char *until; /* the last stage of this word */
	int (*run)(struct install *, struct error *);
	bool (*wanted)(const struct install *); /* NULL: always */
} install_stages[] = {
        {OTA_STAGE_OFFER, NULL, install_offer, NULL},
        {OTA_STAGE_RESUME, "offered", install_bookmark, wants_resume},
        {OTA_STAGE_ERASE, "erased", install_erase, wants_erase},
        {OTA_STAGE_REQUEST, "requested", install_request, NULL},
        {OTA_STAGE_TRANSFER, "transferred", install_transfer, NULL},
        {OTA_STAGE_EXIT, "ended", install_exit, wants_exit},
        {OTA_STAGE_CHECK, "checked", install_check, wants_exit},
        {OTA_STAGE_ACTIVATE, "activated", install_activate, wants_exit},
};

static int install_sequence(struct install *in, struct error *err)
{
	int r = in->session ? ota_stage_enter(&in->client, err) : 0;

	for (size_t i = 0; r == 0 && in->client.outcome == OTA_DONE && i < sizeof install_stages / sizeof install_stages[0]; i++) {
		if (!install_stages[i].wanted || install_stages[i].wanted(in)) {
			ota_client_enter(&in->client, install_stages[i].stage);
			r = install_stages[i].run(in, err);
		}
		if (install_stages[i].until && strcmp(in->until, install_stages[i].until) == 0)
			break;
	}
	return r;
}

/* ---- the step ----------------------------------------------------------------------------------------------- */

static int install_package(struct step_context *context, const struct step_call *call, struct install *in, struct error *err)
{
	const char *name, *mutate, *key;
	struct bytes package = {0};
	int64_t dfi;
	bool part;
	int r;

	if ((r = step_arg_text(context, call, "package", &name, err)) < 0 ||
	    (r = step_arg_text(context, call, "mutate", &mutate, err)) < 0 || (r = step_arg_text(context, call, "key", &key, err)) < 0 ||
	    (r = step_arg_bool(context, call, "part", false, &part, err)) < 0 ||
	    (r = step_arg_integer(context, call, "dfi", -1, &dfi, err)) < 0)
		return r;
	r = ota_package_read(name, &package, err);
	if (r == 0)
		r = ota_package_plausible(context, name, &package, part, err);
	if (r == 0 && part)
		r = ota_package_part(&package, in->client.target, err);
	if (r == 0)
		r = ota_package_mutate(&package, mutate, key, err);
	if (r == 0)
		r = ota_transfer_new(context, in->client.role, &package, &in->transfer, err);
	bytes_free(&package);
	if (r == 0 && dfi >= 0)
		in->transfer->dfi = (uint8_t)dfi;
	return r;
}

static int install_of_call(struct step_context *context, const struct step_call *call, struct install *in, struct error *err)
{
	int r;

	if ((r = ota_client_begin(&in->client, context, call, err)) < 0 ||
	    (r = step_arg_text(context, call, "until", &in->until, err)) < 0 ||
	    (r = step_arg_bool(context, call, "resume", false, &in->resume, err)) < 0 ||
	    (r = step_arg_bool(context, call, "crc", true, &in->crc, err)) < 0 ||
	    (r = step_arg_bool(context, call, "session", true, &in->session, err)) < 0 ||
	    (r = step_arg_bool(context, call, "erase", true, &in->erase, err)) < 0 ||
	    (r = step_arg_integer(context, call, "block", 0, &in->block, err)) < 0 ||
	    (r = step_arg_integer(context, call, "blocks", -1, &in->blocks, err)) < 0 ||
	    (r = step_arg_integer(context, call, "pace", 0, &in->pace_ns, err)) < 0)
		return r;
	r = install_package(context, call, in, err);
	in->size = r == 0 ? in->transfer->package.length : 0;
	return r;
}

static int install_results_set(struct step_context *context, const struct install *in)
{
	const struct ota_transfer *transfer = in->transfer;
	size_t sent = transfer->position - transfer->begin;
	bool done = in->client.outcome == OTA_DONE;

	if (ota_results_set(context, &in->client) < 0 ||
	    step_result_text(context, "at", done ? "done" : ota_stage_name(in->client.stage)) < 0 ||
	    step_result_integer(context, "bytes", (int64_t)sent) < 0 ||
	    step_result_integer(context, "blocks", (int64_t)transfer->blocks) < 0 ||
	    step_result_integer(context, "begin", (int64_t)transfer->begin) < 0 ||
	    step_result_integer(context, "size", (int64_t)in->size) < 0 ||
	    step_result_duration(context, "duration", loop_now_ns() - in->begin_ns) < 0)
		return -ENOMEM;
	if (in->erase_ns > 0 && step_result_duration(context, "erase", in->erase_ns) < 0)
		return -ENOMEM;
	if (in->check_ns > 0 && step_result_duration(context, "check", in->check_ns) < 0)
		return -ENOMEM;
	if (in->transfer_ns <= 0)
		return 0;
	return step_result_duration(context, "transfer", in->transfer_ns) < 0
	               ? -ENOMEM
	               : step_result_integer(context, "throughput", (int64_t)((double)sent * 1e9 / (double)in->transfer_ns));
}

static void install_tell(const struct install *in)
{
	const struct ota_transfer *transfer = in->transfer;
	json_t *data = json_pack("{s:s,s:s,s:i,s:I,s:I,s:I}", "outcome", ota_outcome_name(in->client.outcome), "at",
	                         in->client.outcome == OTA_DONE ? "done" : ota_stage_name(in->client.stage), "nrc", in->client.nrc, "bytes",
	                         (json_int_t)(transfer->position - transfer->begin), "blocks", (json_int_t)transfer->blocks, "duration_ns",
	                         (json_int_t)(loop_now_ns() - in->begin_ns));

	if (in->transfer_ns > 0)
		json_object_set_new(data, "transfer_ns", json_integer((json_int_t)in->transfer_ns));
	ota_client_emit(&in->client, instant_now(), "ota.end", data);
}

static void install_announce(const struct install *in)
{
	struct ota_parts parts = ota_package_parts(&in->transfer->package);
	char version[20] = "";

	if (parts.header_length >= 20)
		ota_version_text(parts.header + 16, version);
	ota_client_emit(&in->client, instant_now(), "ota.begin",
	                json_pack("{s:s,s:I,s:s,s:b}", "version", version, "bytes", (json_int_t)in->size, "until", in->until, "resume",
	                          in->resume));
}

static int ota_install_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct install in = {.begin_ns = loop_now_ns()};
	int r = install_of_call(context, call, &in, err);

	if (r == 0) {
		install_announce(&in);
		in.begin_ns = loop_now_ns();
		r = install_sequence(&in, err);
		install_tell(&in);
	}
	if (r == 0)
		r = ota_judge(&in.client, call, err);
	if (r == 0 && install_results_set(context, &in) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	ota_client_end(&in.client);
	return r;
}

const struct step_def step_ota_install = {
        .name = "ota.install",
        .doc = "Programs a package into the bank that does not run: programming session, security access, offer, erase, download, "
               "transfer, end, "
               "check. Without an `expect` of `nrc`, `outcome` or `at` everything asked for must be done; with one of them a refusal or "
               "the loss of the "
               "board is a result to be judged. What was transferred stays known to ota.transfer until the next ota.install of the role.",
        .example = "- ota.install: {role: zgw, package: zgw-1.1.0, expect: {blocks: {at_least: 40}}}\n"
                   "- ota.install: {role: zgw, package: zgw-1.1.0, mutate: \"version=0.9.0.0,+crc,+digest,+sign\", expect: {nrc: 0x22, at: "
                   "offer}}",
        .flags = STEP_ACTION,
        .args = install_args,
        .results = install_results,
        .capabilities = ota_capability,
        .run = ota_install_run,
        .check = ota_check_mutation,
};

/* ---- ota.transfer ------------------------------------------------------------------------------------------- */

static const struct arg_def transfer_args[] = {
        ARG_CONNECTION,
        {"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE | ARG_SCALAR, NULL, NULL, 0, 0, "The board whose transfer goes on."},
        {"blocks", VALUE_INTEGER, ARG_POSITIVE, NULL, NULL, 0, 0,
         "How many blocks (default: all that is left; with `counter`, `data` or `repeat` one)."},
        {"counter", VALUE_INTEGER, 0, NULL, NULL, 0, 255, "Another block sequence counter than the right one."},
        {"data", VALUE_BYTES, 0, NULL, NULL, 0, 0, "These bytes in place of the package's next ones."},
        {"repeat", VALUE_BOOL, 0, "false", NULL, 0, 0, "The block before once more, with its counter; `data`: with other bytes."},
        {"block", VALUE_SIZE, ARG_POSITIVE, NULL, NULL, 0, 0, "Data bytes a TransferData (may be more than the board takes)."},
        {NULL},
};
static const struct result_def transfer_results[] = {
        OTA_RESULTS,
        {"bytes", VALUE_INTEGER, "Bytes of the package that are taken in all."},
        {"left", VALUE_INTEGER, "Bytes that are left."},
        {"counter", VALUE_INTEGER, "Counter of the next block."},
        {NULL},
};

struct single {
	int64_t blocks, counter, block;
	const struct bytes *data;
	bool repeat;
};

static int single_of_call(struct step_context *context, const struct step_call *call, struct single *single, struct error *err)
{
	int r;

	if ((r = step_arg_integer(context, call, "blocks", -1, &single->blocks, err)) < 0 ||
	    (r = step_arg_integer(context, call, "counter", -1, &single->counter, err)) < 0 ||
	    (r = step_arg_integer(context, call, "block", 0, &single->block, err)) < 0 ||
	    (r = step_arg_bytes(context, call, "data", &single->data, err)) < 0)
		return r;
	return step_arg_bool(context, call, "repeat", false, &single->repeat, err);
}

static int single_send(struct ota_client *client, struct ota_transfer *transfer, const struct single *single, struct error *err)
{
	size_t begin = single->repeat ? transfer->last_begin : transfer->position, left = transfer->package.length - begin;
	size_t length = single->repeat ? transfer->last_length : left < transfer->block ? left : transfer->block;
	uint8_t counter = single->repeat ? (uint8_t)(transfer->counter - 1) : transfer->counter;

	if (single->counter < 0 && !single->data && !single->repeat)
		return ota_stage_transfer(client, transfer, single->blocks < 0 ? UINT64_MAX : (uint64_t)single->blocks, 0, err);
	if (single->counter >= 0)
		counter = (uint8_t)single->counter;
	return ota_stage_block(client, transfer, counter, single->data ? single->data->data : transfer->package.data + begin,
	                       single->data ? single->data->length : length, !single->repeat, err);
}

static int transfer_results_set(struct step_context *context, const struct ota_client *client, const struct ota_transfer *transfer)
{
	size_t length = transfer->package.length;

	if (ota_results_set(context, client) < 0 || step_result_integer(context, "bytes", (int64_t)transfer->position) < 0 ||
	    step_result_integer(context, "counter", transfer->counter) < 0)
		return -ENOMEM;
	return step_result_integer(context, "left", transfer->position < length ? (int64_t)(length - transfer->position) : 0);
}

static int ota_transfer_run(struct step_context *context, const struct step_call *call, struct error *err)
{
	struct ota_client client = {0};
	struct ota_transfer *transfer = NULL;
	struct single single;
	int r = ota_client_begin(&client, context, call, err);

	if (r == 0)
		r = single_of_call(context, call, &single, err);
	if (r == 0 && !(transfer = step_object_find(context, OTA_TRANSFER_KIND, client.role)))
		r = error_set_place(err, ERROR_TESTCASE, ENOENT, call->place, "no transfer to %s was begun: ota.install does", client.role);
	if (r == 0) {
		client.stage = OTA_STAGE_TRANSFER;
		if (single.block > 0)
			transfer->block = (size_t)single.block;
		r = single_send(&client, transfer, &single, err);
	}
	if (r == 0)
		r = ota_judge(&client, call, err);
	if (r == 0 && transfer_results_set(context, &client, transfer) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	ota_client_end(&client);
	return r;
}

const struct step_def step_ota_transfer = {
        .name = "ota.transfer",
        .doc = "Goes on with the transfer that ota.install has begun (`until: requested`, or `blocks`): more blocks, or one that is not as "
               "it should "
               "be. A refusal is judged as in ota.install.",
        .example = "- ota.transfer: {role: zgw, counter: 7, expect: {nrc: 0x73}}\n- ota.transfer: {role: zgw, repeat: true}\n- "
                   "ota.transfer: zgw",
        .flags = STEP_ACTION,
        .args = transfer_args,
        .results = transfer_results,
        .capabilities = ota_capability,
        .run = ota_transfer_run,
};
