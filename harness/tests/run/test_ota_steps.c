/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of an update against a board that is made of this file (the exchange below it is replaced by the linker):
 * counters, lengths, what counts as refused or lost; packages as steps name them; what is refused at check time.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "../../lang/program.h"
#include "../../rig/flash.h"
#include "../../run/executor_private.h"
#include "../../run/steps/flash_area.h"
#include "../../run/steps/ota_transfer.h"
#include "../../run/steps/registry.h"

/* ---- the board ---------------------------------------------------------------------------------------------- */

#define SIZE 60000u

static struct {
	uint8_t answer_length[4]; /* what follows 74 */
	size_t answer_bytes;
	uint8_t next; /* counter */
	struct bytes memory;
	uint32_t begin, announced;
	unsigned requests, refuse_at, lose_at; /* the n-th request, 0: none */
	uint8_t refusal;
	uint8_t wrong_echo;
	uint8_t last[32];
	size_t last_length;
	bool powered;
} board;

int __wrap_uds_link_run(struct step_context *, struct tester *, struct uds_link_request *, struct uds_exchange *, struct error *);
const struct value *__wrap_rig_value(const struct rig *, const char *, const char *);
int __wrap_rig_flash_geometry(struct rig_board *, struct rig_flash_geometry *, struct error *);

const struct value *__wrap_rig_value(const struct rig *rig, const char *role, const char *key)
{
	return NULL;
}

int __wrap_rig_flash_geometry(struct rig_board *which, struct rig_flash_geometry *ret, struct error *err)
{
	*ret = (struct rig_flash_geometry){
	        .bank = {0xa0000000, 0xa0300000}, .bank_size = 3u << 20, .sector_size = 16384, .boot_size = 512u << 10};
	return 0;
}

static void answer(struct uds_exchange *exchange, const void *data, size_t length)
{
	exchange->outcome = UDS_POSITIVE;
	ck_assert_int_eq(bytes_append(&exchange->response, data, length), 0);
}

static void refuse(struct uds_exchange *exchange, uint8_t nrc)
{
	exchange->outcome = UDS_NEGATIVE;
	exchange->nrc = nrc;
}

static void serve_download(struct uds_exchange *exchange, const uint8_t *data)
{
	uint8_t response[8] = {0x74};

	board.begin = be32_read(data + 3);
	board.announced = be32_read(data + 7);
	board.next = 1;
	bytes_clear(&board.memory);
	memcpy(response + 1, board.answer_length, board.answer_bytes);
	answer(exchange, response, 1 + board.answer_bytes);
}

static void serve_block(struct uds_exchange *exchange, const uint8_t *data, size_t length)
{
	if (data[1] != board.next) {
		refuse(exchange, 0x73);
		return;
	}
	ck_assert_int_eq(bytes_append(&board.memory, data + 2, length - 2), 0);
	board.next++;
	answer(exchange, (uint8_t[]){0x76, (uint8_t)(data[1] + board.wrong_echo)}, 2);
}

static void serve_exit(struct uds_exchange *exchange, const uint8_t *data, size_t length)
{
	uint32_t right = (uint32_t)crc32(0, board.memory.data, (uInt)board.memory.length);

	if (board.memory.length != board.announced)
		refuse(exchange, 0x24);
	else if (length == 5 && be32_read(data + 1) != right)
		refuse(exchange, 0x31);
	else
		answer(exchange, (uint8_t[]){0x77}, 1);
}

int __wrap_uds_link_run(struct step_context *context, struct tester *t, struct uds_link_request *request, struct uds_exchange *exchange,
                        struct error *err)
{
	const uint8_t *data = request->data;

	board.requests++;
	board.last_length = request->length < sizeof board.last ? request->length : sizeof board.last;
	memcpy(board.last, data, board.last_length);
	if (board.requests == board.lose_at) {
		request->lost = true;
		return step_check_failed(context, err, "diagnostic_ack", "nothing", "the request was not acknowledged");
	}
	if (board.requests == board.refuse_at)
		refuse(exchange, board.refusal);
	else if (data[0] == 0x34)
		serve_download(exchange, data);
	else if (data[0] == 0x36)
		serve_block(exchange, data, request->length);
	else if (data[0] == 0x37)
		serve_exit(exchange, data, request->length);
	else
		answer(exchange, (uint8_t[]){(uint8_t)(data[0] + 0x40), data[1]}, 2);
	return 0;
}

/* ---- the client --------------------------------------------------------------------------------------------- */

static struct executor_options options;
static struct executor executor;
static struct step_context context;
static struct ota_client client;
static struct ota_transfer *transfer;
static struct tester tester;
static struct error error;

static void setup(void)
{
	struct bytes package = {0};

	memset(&board, 0, sizeof board);
	memcpy(board.answer_length, (uint8_t[]){0x20, 0x00, 0x66}, 3); /* 100 bytes of data */
	board.answer_bytes = 3;
	executor = (struct executor){.options = &options, .phase = "steps"};
	context = (struct step_context){.executor = &executor, .deadline_ns = INT64_MAX};
	ck_assert_int_eq(timeline_new(&context.timeline, NULL, 100, &error), 0);
	client = (struct ota_client){.context = &context, .tester = &tester, .role = "zgw", .target = 0x91};
	error = (struct error){0};
	for (unsigned i = 0; i < SIZE; i++)
		ck_assert_int_eq(bytes_append_u8(&package, (uint8_t)(i * 7 + i / 251)), 0);
	memset(package.data, 0, 64);
	package.data[13] = 0xe0; /* uncompressed_size 0xe000 */
	ck_assert_int_eq(ota_transfer_new(&context, "zgw", &package, &transfer, &error), 0);
	ck_assert_ptr_null(package.data);
}

static void teardown(void)
{
	context_objects_free(&context);
	context_forget_check(&context);
	timeline_free(context.timeline);
	bytes_free(&client.response);
	bytes_free(&board.memory);
}

static void request(void)
{
	ck_assert_int_eq(ota_stage_request(&client, transfer, 0, &error), 0);
	ck_assert_int_eq(client.outcome, OTA_DONE);
}

static int send_all(uint64_t blocks)
{
	return ota_stage_transfer(&client, transfer, blocks, 0, &error);
}

START_TEST(whole_package_wraps_to_zero)
{
	request();
	ck_assert_uint_eq(board.begin, 0xa0380000);
	ck_assert_uint_eq(board.announced, SIZE);
	ck_assert_uint_eq(transfer->block, 100);
	ck_assert_int_eq(send_all(UINT64_MAX), 0);
	ck_assert_int_eq(client.outcome, OTA_DONE);
	ck_assert_uint_eq(transfer->blocks, 600);
	ck_assert_uint_eq(board.next, (uint8_t)601); /* 01 … FF, 00, twice over */
	ck_assert_mem_eq(board.memory.data, transfer->package.data, SIZE);
	ck_assert_int_eq(ota_stage_exit(&client, transfer, true, &error), 0);
	ck_assert_int_eq(client.outcome, OTA_DONE);
}
END_TEST

START_TEST(resumed_rest_has_its_own_crc_and_counter)
{
	transfer->begin = 32768;
	request();
	ck_assert_uint_eq(board.begin, 0xa0380000 + 32768);
	ck_assert_uint_eq(board.announced, SIZE - 32768);
	ck_assert_int_eq(send_all(UINT64_MAX), 0);
	ck_assert_mem_eq(board.memory.data, transfer->package.data + 32768, SIZE - 32768);
	ck_assert_int_eq(ota_stage_exit(&client, transfer, true, &error), 0);
	ck_assert_int_eq(client.outcome, OTA_DONE);
}
END_TEST

START_TEST(refusal_is_a_result)
{
	request();
	board.refuse_at = board.requests + 4;
	board.refusal = 0x72;
	ck_assert_int_eq(send_all(UINT64_MAX), 0);
	ck_assert_int_eq(client.outcome, OTA_REFUSED);
	ck_assert_uint_eq(client.nrc, 0x72);
	ck_assert_uint_eq(transfer->position, 300); /* the refused block was not counted */
	ck_assert_uint_eq(transfer->counter, 4);
	ck_assert_int_eq(ota_client_failed(&client, &error), -EBADMSG);
	ck_assert_int_eq(error.domain, ERROR_DUT);
	ck_assert_ptr_nonnull(strstr(context.actual, "NRC 0x72"));
}
END_TEST

START_TEST(lost_board_is_a_result)
{
	request();
	board.lose_at = board.requests + 2;
	ck_assert_int_eq(send_all(UINT64_MAX), 0);
	ck_assert_int_eq(client.outcome, OTA_LOST);
	ck_assert_uint_eq(transfer->blocks, 1);
	ck_assert_ptr_null(context.actual); /* the failed check below is forgotten: it is the case's to judge */
}
END_TEST

START_TEST(wrong_counter_is_the_boards_to_refuse)
{
	request();
	ck_assert_int_eq(send_all(2), 0);
	ck_assert_int_eq(ota_stage_block(&client, transfer, 9, "x", 1, true, &error), 0);
	ck_assert_int_eq(client.outcome, OTA_REFUSED);
	ck_assert_uint_eq(client.nrc, 0x73);
	ck_assert_uint_eq(transfer->position, 200);
}
END_TEST

START_TEST(wrong_echo_is_a_failure)
{
	request();
	board.wrong_echo = 1;
	ck_assert_int_eq(send_all(1), -EBADMSG);
	ck_assert_int_eq(error.domain, ERROR_DUT);
}
END_TEST

START_TEST(block_length_is_read_in_every_form)
{
	static const struct {
		uint8_t bytes[4];
		size_t length, block; /* 0: no usable answer */
	} forms[] = {
	        {{0x10, 0x22}, 2, 0x20},
	        {{0x20, 0x01, 0x02}, 3, 0x100},
	        {{0x30, 0x00, 0x01, 0x02}, 4, 0x100},
	        {{0x20, 0xff, 0xff}, 3, 4093},
	        {{0x00}, 1, 0},
	        {{0x10, 0x02}, 2, 0},
	        {{0x20, 0x01}, 2, 0},
	        {{0}, 0, 0},
	};
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		memcpy(board.answer_length, forms[i].bytes, 4);
		board.answer_bytes = forms[i].length;
		int r = ota_stage_request(&client, transfer, 0, &error);
		ck_assert_msg(r == (forms[i].block ? 0 : -EBADMSG), "form %zu", i);
		if (forms[i].block)
			ck_assert_uint_eq(transfer->block, forms[i].block);
	}
	memcpy(board.answer_length, (uint8_t[]){0x20, 0x01, 0x02}, 3);
	board.answer_bytes = 3;
	ck_assert_int_eq(ota_stage_request(&client, transfer, 33, &error), 0);
	ck_assert_uint_eq(transfer->block, 33);
}
END_TEST

START_TEST(erase_covers_whole_sectors)
{
	ck_assert_int_eq(ota_stage_erase(&client, &transfer->package, &error), 0);
	ck_assert_uint_eq(board.last_length, 13);
	ck_assert_uint_eq(be32_read(board.last + 5), 0xa0380000);
	/* 64 + 0xe000 + 96 bytes: one sector more than the software alone */
	ck_assert_uint_eq(be32_read(board.last + 9), 0x10000);
	memset(transfer->package.data + 12, 0xff, 4);
	ck_assert_int_eq(ota_stage_erase(&client, &transfer->package, &error), 0);
	ck_assert_uint_eq(be32_read(board.last + 9), (3u << 20) - (512u << 10));
}
END_TEST

/* ---- packages ----------------------------------------------------------------------------------------------- */

START_TEST(parts_of_what_does_not_decode)
{
	uint8_t bytes[200];
	struct bytes package = {bytes, 0, sizeof bytes};

	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)i;
	for (size_t length = 0; length <= sizeof bytes; length++) {
		package.length = length;
		struct ota_parts parts = ota_package_parts(&package);
		ck_assert_uint_eq(parts.header_length, length < 64 ? length : 64);
		ck_assert_uint_eq(parts.trailer_length, length < 64 ? 0 : length < 160 ? length - 64 : 96);
		if (parts.trailer_length)
			ck_assert_ptr_eq(parts.trailer, bytes + length - parts.trailer_length);
	}
}
END_TEST

START_TEST(versions)
{
	uint8_t version[4];
	char text[20];

	ck_assert_int_eq(ota_version_parse("1.20.255", version, &error), 0);
	ota_version_text(version, text);
	ck_assert_str_eq(text, "1.20.255");
	ck_assert_int_eq(ota_version_parse("1.2.3.4", version, &error), 0);
	ota_version_text(version, text);
	ck_assert_str_eq(text, "1.2.3.4");
	ck_assert_int_lt(ota_version_parse("1.2", version, &error), 0);
	ck_assert_int_lt(ota_version_parse("1.2.256", version, &error), 0);
	ck_assert_int_lt(ota_version_parse("1.2.3x", version, &error), 0);
	ck_assert_int_eq(error.domain, ERROR_TESTCASE);
}
END_TEST

START_TEST(packages_that_are_not_there)
{
	struct bytes package = {0};

	ck_assert_int_eq(ota_package_read("no-such-package", &package, &error), -ENOENT);
	ck_assert_int_eq(error.domain, ERROR_TESTCASE);
	ck_assert_int_lt(ota_package_mutate(&package, "+sign", "no-such-key", &error), 0);
	ck_assert_int_eq(ota_package_mutate(&package, NULL, "no-such-key", &error), 0);
}
END_TEST

START_TEST(what_is_no_package_is_the_cases_mistake)
{
	const struct bytes small = {.data = (uint8_t[]){1, 2, 3}, .length = 3};
	uint8_t table[100] = "GKPF";
	const struct bytes campaign = {.data = table, .length = sizeof table};
	struct bytes package = {0};

	executor.options = &options;
	context.executor = &executor;
	ck_assert_int_eq(ota_package_read("/", &package, &error), -EISDIR);
	ck_assert_int_eq(error.domain, ERROR_TESTCASE);
	ck_assert_int_lt(ota_package_plausible(&context, "small", &small, false, &error), 0);
	ck_assert_int_eq(error.domain, ERROR_TESTCASE);
	ck_assert_int_lt(ota_package_plausible(&context, "campaign", &campaign, false, &error), 0);
	ck_assert_int_eq(error.domain, ERROR_TESTCASE);
	ck_assert_ptr_nonnull(strstr(error.message, "part"));
	ck_assert_int_eq(ota_package_plausible(&context, "campaign", &campaign, true, &error), 0);
	ck_assert_int_lt(ota_package_exists("no-such-package", false, &error), 0);
	ck_assert_int_lt(ota_package_exists("no-such-key", true, &error), 0);
}
END_TEST

START_TEST(places_in_the_flash)
{
	const struct rig_flash_geometry geometry = {.bank = {0xa0000000, 0xa0300000},
	                                            .bank_size = 3u << 20,
	                                            .sector_size = 16384,
	                                            .data = 0xaf000000,
	                                            .data_size = 256u << 10,
	                                            .ucb = 0xaf400000,
	                                            .ucb_size = 512,
	                                            .ucb_count = 48};
	const struct flash_area bank = {0xa0000000, 3u << 20, 0};
	struct flash_area area;

	ck_assert(!flash_area_at(&geometry, 0x1000, &area));
	ck_assert(!flash_area_at(&geometry, 0xa0600000, &area));
	ck_assert(flash_area_at(&geometry, 0xa05fffff, &area));
	ck_assert_int_eq(area.bank, 1);
	ck_assert_uint_eq(area.length, 1);
	ck_assert_uint_eq(flash_area_unit(&geometry, 0xa0000000, false), 32);
	ck_assert_uint_eq(flash_area_unit(&geometry, 0xa0000000, true), 16384);
	ck_assert_uint_eq(flash_area_unit(&geometry, 0xaf000000, false), 8);
	ck_assert_uint_eq(flash_area_unit(&geometry, 0xaf000000, true), 4096);
	ck_assert_uint_eq(flash_area_unit(&geometry, 0xaf400000, true), 512);
	ck_assert_int_eq(flash_area_aligned(NULL, &bank, 64, false, (struct place){0}, &error), 0);
	ck_assert_int_eq(flash_area_aligned(NULL, &bank, 33, false, (struct place){0}, &error), -EINVAL);
	ck_assert_int_eq(error.domain, ERROR_TESTCASE);
	ck_assert_int_eq(flash_area_aligned(NULL, &bank, 32, true, (struct place){0}, &error), -EINVAL);
	ck_assert_int_eq(flash_area_aligned(NULL, &bank, (3u << 20) + 32, false, (struct place){0}, &error), -ERANGE);
	ck_assert_int_eq(error.domain, ERROR_TESTCASE);
}
END_TEST

/* ---- check time --------------------------------------------------------------------------------------------- */

static const struct {
	const char *step, *message;
} refused[] = {
        {"package.build: {name: x}", "either `package` or `size`"},
        {"package.build: {package: a, size: 1KiB}", "either `package` or `size`"},
        {"package.build: {size: 1KiB}", "`role` has to be named"},
        {"package.build: {package: a, name: ../b}", "not a path"},
        {"power.cut: {role: zgw, phase: before, torn: T1}", "is of the phase during"},
        {"power.cut: {role: zgw, kind: erase, torn: T1}", "T1 is no class of operation erase"},
        {"power.cut: {role: zgw, kind: program, torn: E2}", "E2 is no class of operation program"},
        {"ota.install: {role: zgw}", "package"},
        {"ota.install: {role: zgw, package: a, until: done}", "until"},
        {"ota.install: {role: zgw, package: a, expect: {code: 1}}", "code"},
        {"bank.expect: {role: zgw, active: C}", "active"},
        {"flash.defect: {role: zgw, defect: rust, address: 1}", "rust"},
        {"ota.install: {role: zgw, package: a, blocks: -5}", "above zero"},
        {"ota.install: {role: zgw, package: a, blocks: 0}", "above zero"},
        {"ota.install: {role: zgw, package: a, mutate: \"colour=3\"}", "colour=3: is neither"},
        {"ota.install: {role: zgw, package: a, expect: {outcome: {ne: refusd}}}", "did you mean \"refused\""},
        {"ota.install: {role: zgw, package: a, expect: {at: offered}}", "is never \"offered\""},
        {"ota.install: {role: zgw, package: a, expect: {at: {one_of: [offer, chek]}}}", "is never \"chek\""},
        {"ota.state: {role: zgw, expect: {state: triall}}", "is never \"triall\""},
        {"ota.sweep: {role: zgw, package: a, mutate: []}", "is empty"},
        {"ota.sweep: {role: zgw, package: a, mutate: \"header-flip=31..0\"}", "empty or too long"},
        {"ota.sweep: {role: zgw, package: a, mutate: \"header-flip=0..512\"}", "512 bits"},
        {"ota.sweep: {role: zgw, package: a, mutate: [\"flip=1\", \"gzip=fast\"]}", "there are truncated"},
        {"package.build: {package: a, version: \"1.x\"}", "is no version"},
        {"package.build: {package: a, mutate: \"flip\"}", "needs a value"},
        {"flash.install: {role: zgw, bank: A, package: a, mutate: \"signature=odd\"}", "there are zero"},
        {"power.cut: {role: zgw, from: 0xa0000100, to: 0xa0000000}", "no operation lies"},
        {"power.cut: {role: zgw, area: data, from: 0xa0000100}", "does not go with"},
        {"flash.expect: {role: zgw, area: data}", "nothing to judge"},
        {"flash.expect: {role: zgw, area: data, untouched: x}", "no flash.expect before this step"},
        {"bank.expect: {role: zgw}", "nothing to judge"},
        {"bank.expect: {role: zgw, reported: false}", "nothing to judge"},
        {"bank.expect: {role: zgw, version: 1.x.0}", "is no version"},
        {"bank.expect: {role: zgw, untouched: x}", "no bank.remember before this step"},
        {"flash.read: {role: zgw, length: 4B}", "`area` or `address`"},
        {"flash.read: {role: zgw, area: A, address: 0xa0000000, length: 4B}", "does not go with"},
        {"flash.erase: {role: zgw, address: 0xa0000000, offset: 4}", "does not go with"},
        {"board.boot: {role: zgw, stage: recover}", "it is one of ssw, bootloader"},
};

static const char *const taken[] = {
        "package.build: {package: a, version: 1.2.3, save: {p: path}}",
        "power.cut: {role: zgw, kind: erase, torn: E2, area: other-application}",
        "ota.sweep: {role: zgw, package: a, mutate: \"flip=0..7\", allow: 0x31}",
        "ota.install: {role: zgw, package: a, expect: {nrc: 0x72, at: offer}}",
        "ota.transfer: zgw",
        "flash.expect: {role: zgw, area: ucb, remember: x}",
        "ota.install: {role: zgw, package: a, expect: {outcome: {ne: refused}, at: {matches: \"o.*\"}}}",
        "ota.sweep: {role: zgw, package: a, mutate: [\"header-flip=5..511/5\", \"security_counter=+0..3,+crc\"]}",
        "bank.expect: {role: zgw, expect: {there: false}}",
        "bank.expect: {role: zgw, reported: true}",
        "bank.expect: {role: zgw, version: 1.0.0.7}\n  - bank.remember: {role: zgw, as: x}\n  - bank.expect: {role: zgw, untouched: x}",
        "board.boot: {role: zgw, stage: recovery}",
};

static int load(const char *step, struct error_list *errors)
{
	struct program *program = NULL;
	char text[1024];
	int r;

	(void)snprintf(text, sizeof text, "cases:\n- id: a\n  title: A\n  steps:\n  - %s\n", step);
	r = program_load_text("t.yaml", text, strlen(text), step_registry_all(), &program, errors);
	program_free(program);
	return r;
}

START_TEST(refused_at_check_time)
{
	struct error_list errors = {0};

	ck_assert_int_lt(load(refused[_i].step, &errors), 0);
	ck_assert_uint_ge(errors.count, 1);
	ck_assert_msg(strstr(errors.items[0].message, refused[_i].message) != NULL, "%s: %s", refused[_i].step, errors.items[0].message);
	error_list_free(&errors);
}
END_TEST

START_TEST(taken_at_check_time)
{
	struct error_list errors = {0};

	ck_assert_msg(load(taken[_i], &errors) == 0, "%s: %s", taken[_i], errors.count ? errors.items[0].message : "?");
	error_list_free(&errors);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("ota steps");
	TCase *c = tcase_create("transfer"), *p = tcase_create("packages and arguments");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, whole_package_wraps_to_zero);
	tcase_add_test(c, resumed_rest_has_its_own_crc_and_counter);
	tcase_add_test(c, refusal_is_a_result);
	tcase_add_test(c, lost_board_is_a_result);
	tcase_add_test(c, wrong_counter_is_the_boards_to_refuse);
	tcase_add_test(c, wrong_echo_is_a_failure);
	tcase_add_test(c, block_length_is_read_in_every_form);
	tcase_add_test(c, erase_covers_whole_sectors);
	suite_add_tcase(s, c);
	tcase_add_test(p, parts_of_what_does_not_decode);
	tcase_add_test(p, versions);
	tcase_add_test(p, packages_that_are_not_there);
	tcase_add_test(p, what_is_no_package_is_the_cases_mistake);
	tcase_add_test(p, places_in_the_flash);
	tcase_add_loop_test(p, refused_at_check_time, 0, sizeof refused / sizeof refused[0]);
	tcase_add_loop_test(p, taken_at_check_time, 0, sizeof taken / sizeof taken[0]);
	suite_add_tcase(s, p);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
