/* SPDX-License-Identifier: Apache-2.0 */
/* A board and its flash: the CPU's commands in real time, cuts of the power, what survives, what the factory put there. */
#include "../../silicon/flash.h"
#include "../../silicon/ssw.h"
#include "../ota/maker.h"
#include "board_driver.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define AREA_B 0xA0380000u  /* application area of bank B */
#define MAGIC  "1398231111" /* 53575047h */

static struct board_driver board;
static char flash_file[96];

static const char *in_folder(const char *name)
{
	static char path[512];
	snprintf(path, sizeof path, "%s/%s", board.folder, name);
	return path;
}

static void setup(void)
{
	memset(&board, 0, sizeof board);
	ck_assert_int_lt(snprintf(board.folder, sizeof board.folder, "%s", "/tmp/board-test-XXXXXX"), (int)sizeof board.folder);
	ck_assert_ptr_nonnull(mkdtemp(board.folder));
	snprintf(flash_file, sizeof flash_file, "%s/flash", board.folder);
}

static void teardown(void)
{
	DIR *folder = opendir(board.folder);
	for (struct dirent *entry; folder && (entry = readdir(folder));)
		unlink(in_folder(entry->d_name));
	closedir(folder);
	rmdir(board.folder);
}

static void start(void)
{
	driver_start(&board, (const char *const[]){"--flash", flash_file, NULL});
}

static void finish(void)
{
	ck_assert_int_eq(driver_end(&board), 0);
}

static void type(char command)
{
	driver_do(&board, "\"cmd\":\"input\",\"data\":\"%02x\"", (unsigned)command);
}

static void ask_cpu(char command, const char *answer)
{
	type(command);
	driver_expect(&board, answer);
}

static void power(bool on)
{
	driver_do(&board, "\"cmd\":\"power\",\"on\":%s", on ? "true" : "false");
}

static void boot(void)
{
	power(true);
	driver_expect(&board, "@boot stage=rtos");
}

static void expect_refusal(const char *text, json_t *answer)
{
	ck_assert(json_is_false(json_object_get(answer, "ok")));
	const char *error = json_string_value(json_object_get(answer, "error"));
	ck_assert_msg(error && strstr(error, text), "\"%s\" does not say \"%s\"", error, text);
	json_decref(answer);
}

static void expect_state(const char *state)
{
	json_t *status = driver_ask(&board, "\"cmd\":\"status\"");
	ck_assert_str_eq(json_string_value(json_object_get(status, "cpu")), state);
	json_decref(status);
}

static long long field(json_t *object, const char *name)
{
	ck_assert_msg(json_object_get(object, name) != NULL, "there is no \"%s\"", name);
	return (long long)json_integer_value(json_object_get(object, name));
}

static long long status_field(const char *name)
{
	json_t *answer = driver_ask(&board, "\"cmd\":\"flash\"");
	json_t *value = json_object_get(answer, name);
	long long number = json_is_boolean(value) ? json_is_true(value) : field(answer, name);
	json_decref(answer);
	return number;
}

/* An event of the flash with that kind; what it says of the rest is the caller's. */
static json_t *flash_event(const char *kind)
{
	for (;;) {
		json_t *event = driver_event(&board, "flash");
		if (strcmp(json_string_value(json_object_get(event, "kind")), kind) == 0)
			return event;
		json_decref(event);
	}
}

static void expect_flash_event(const char *kind, const char *status, long long address)
{
	json_t *event = flash_event(kind);
	ck_assert_str_eq(json_string_value(json_object_get(event, "status")), status);
	ck_assert_int_eq(field(event, "address"), address);
	json_decref(event);
}

static const char *digest_of(uint32_t address, uint32_t length)
{
	static char texts[2][65];
	static int next;
	char *text = texts[next++ % 2];
	json_t *answer = driver_ask(&board, "\"cmd\":\"flash-digest\",\"address\":%u,\"length\":%u", address, length);
	const char *digest = json_string_value(json_object_get(answer, "digest"));
	ck_assert_ptr_nonnull(digest);
	ck_assert_int_eq(snprintf(text, sizeof texts[0], "%s", digest), sizeof texts[0] - 1);
	json_decref(answer);
	return text;
}

static void expect_bytes(uint32_t address, uint32_t length, const char *hex)
{
	json_t *answer = driver_ask(&board, "\"cmd\":\"flash-read\",\"address\":%u,\"length\":%u", address, length);
	const char *data = json_string_value(json_object_get(answer, "data"));
	ck_assert_msg(data != NULL && strcmp(data, hex) == 0, "%s instead of %s", data ? data : "nothing", hex);
	json_decref(answer);
}

static void expect_unreadable(uint32_t address)
{
	json_t *answer = driver_ask(&board, "\"cmd\":\"flash-read\",\"address\":%u,\"length\":32", address);
	ck_assert_int_eq(field(answer, "ecc"), address);
	json_decref(answer);
}

/* ---- commands ------------------------------------------------------------------------------------------------------ */

START_TEST(commands)
{
	start();
	boot();
	ask_cpu('G', "active 0 bank 3145728\r\n");
	ask_cpu('O', "own 0 magic " MAGIC "\r\n"); /* the bootloader's header, which the CPU runs from */
	ask_cpu('R', "read 3 byte 0\r\n");         /* erased: a trap */
	ask_cpu('E', "erase 0 us ");
	expect_flash_event("erase", "ok", AREA_B);
	ask_cpu('P', "program 0 ");
	expect_flash_event("program", "ok", AREA_B);
	ask_cpu('R', "read 0 byte 7\r\n");
	expect_bytes(AREA_B, 8, "0001020304050607");
	ask_cpu('P', "program 3 "); /* not erased: PVER */
	expect_flash_event("program", "verify", AREA_B);
	ask_cpu('W', "wrong 5 5\r\n"); /* SQER */
	driver_expect(&board, "nowhere 3 3\r\n");
	expect_flash_event("program", "sequence", AREA_B + 8);
	expect_flash_event("program", "protected", 0xA0000000);
	ask_cpu('V', "supply 12000 ");
	driver_do(&board, "\"cmd\":\"supply\",\"mv\":8500");
	ask_cpu('V', "supply 8500 ");
	finish();
}
END_TEST

START_TEST(long_runs)
{
	long us = 0;
	start();
	boot();
	ask_cpu('E', "erase 0 us ");
	type('L');
	ck_assert_int_eq(sscanf(driver_expect(&board, "run 0 us "), "run 0 us %ld", &us), 1);
	json_t *event = flash_event("program");
	ck_assert_int_eq(field(event, "length"), 65536); /* one event for all */
	ck_assert_int_eq(field(event, "count"), 256);
	ck_assert_str_eq(json_string_value(json_object_get(event, "by")), "application");
	ck_assert_int_ge(field(event, "duration"), 256 * 530000);
	json_decref(event);
	printf("64 KiB in %ld us, %.3f of the modelled speed\n", us, 256 * 530.0 / (double)us);
	ck_assert_int_ge(us, 255 * 530);
	ask_cpu('M', "readback 0 wrong 0\r\n");
	finish();
}
END_TEST

START_TEST(erase_goes_on_alone)
{
	start();
	boot();
	ask_cpu('D', "begun 0 busy 1\r\n"); /* half a second; the board goes on meanwhile */
	ask_cpu('w', "reason 0\r\n");
	expect_refusal("busy", driver_ask(&board, "\"cmd\":\"flash-read\",\"address\":%u,\"length\":32", AREA_B));
	type('a'); /* a reset of the CPU does not end it */
	driver_expect(&board, "@boot stage=rtos");
	expect_flash_event("erase", "ok", AREA_B);
	finish();
}
END_TEST

START_TEST(ucb_password)
{
	start();
	boot();
	ask_cpu('U', "unlock 0 ucb 0\r\n");
	ask_cpu('K', "unlock 3 ucb 3\r\n");
	ask_cpu('U', "unlock 3 ucb 3\r\n"); /* locked out until a reset */
	type('a');
	driver_expect(&board, "@boot stage=rtos");
	ask_cpu('U', "unlock 0 ucb ");
	driver_do(&board, "\"cmd\":\"set\",\"param\":\"flash.password\",\"value\":\"%064d\"", 7);
	type('r');
	driver_expect(&board, "@boot stage=rtos");
	ask_cpu('U', "unlock 3 ucb 3\r\n"); /* the chip has the factory's */
	finish();
}
END_TEST

/* ---- what survives --------------------------------------------------------------------------------------------------- */

START_TEST(survives)
{
	char before[65];
	start();
	boot();
	ask_cpu('E', "erase 0 us ");
	ask_cpu('P', "program 0 ");
	ck_assert_int_lt(snprintf(before, sizeof before, "%s", digest_of(0xA0300000, 0x300000)), (int)sizeof before);
	ck_assert_int_eq(status_field("changed"), 1);
	power(false);
	boot();
	ask_cpu('R', "read 0 byte 7\r\n");
	kill(board.pid, SIGKILL);
	ck_assert_int_eq(driver_end(&board), 128 + SIGKILL);
	start();
	ck_assert_str_eq(digest_of(0xA0300000, 0x300000), before);
	boot();
	ask_cpu('R', "read 0 byte 7\r\n");
	ck_assert_int_ge(status_field("operations"), 5);
	finish();
}
END_TEST

START_TEST(killed_in_a_command)
{
	start();
	boot();
	ask_cpu('D', "begun 0 ");
	kill(board.pid, SIGKILL);
	ck_assert_int_eq(driver_end(&board), 128 + SIGKILL);
	start();
	boot();
	ask_cpu('E', "erase 0 us ");
	finish();
}
END_TEST

START_TEST(snapshots)
{
	char path[512], other[512];
	ck_assert_int_lt(snprintf(path, sizeof path, "%s", in_folder("snapshot")), (int)sizeof path);
	ck_assert_int_lt(snprintf(other, sizeof other, "%s", in_folder("other")), (int)sizeof other);
	start();
	boot();
	ask_cpu('E', "erase 0 us ");
	ask_cpu('P', "program 0 ");
	driver_do(&board, "\"cmd\":\"flash-save\",\"path\":\"%s\"", path);
	expect_refusal("off, or held", driver_ask(&board, "\"cmd\":\"flash-factory\""));
	expect_refusal("off, or held", driver_ask(&board, "\"cmd\":\"flash-load\",\"path\":\"%s\"", path));
	power(false);
	driver_do(&board, "\"cmd\":\"flash-factory\"");
	ck_assert_int_eq(status_field("changed"), 0);
	expect_unreadable(AREA_B);
	driver_do(&board, "\"cmd\":\"flash-load\",\"path\":\"%s\"", path);
	expect_bytes(AREA_B, 4, "00010203");
	expect_refusal("No such file", driver_ask(&board, "\"cmd\":\"flash-load\",\"path\":\"/nowhere/x\""));
	expect_refusal("No such file", driver_ask(&board, "\"cmd\":\"flash-save\",\"path\":\"/nowhere/x\""));
	struct flash *small = flash_new(&flash_sweep, &flash_cost_tc375);
	ck_assert_int_eq(flash_save(small, other), 0);
	flash_free(small);
	expect_refusal("another geometry", driver_ask(&board, "\"cmd\":\"flash-load\",\"path\":\"%s\"", other));
	ck_assert_int_eq(truncate(path, 70000), 0);
	expect_refusal("damaged", driver_ask(&board, "\"cmd\":\"flash-load\",\"path\":\"%s\"", path));
	expect_bytes(AREA_B, 4, "00010203");
	boot();
	finish();
}
END_TEST

/* ---- cuts -------------------------------------------------------------------------------------------------------------- */

static json_t *expect_cut(pid_t cpu)
{
	json_t *event = driver_event(&board, "cut");
	expect_state("off");
	ck_assert(process_gone(cpu));
	return event;
}

static void arm(const char *rest)
{
	driver_do(&board, "\"cmd\":\"cut\",%s", rest);
}

static const struct {
	const char *cut;
	char command;
	const char *phase, *torn;
} cuts[] = {{"\"operation\":0,\"phase\":\"before\"", 'E', "before", NULL},
            {"\"operation\":2,\"phase\":\"before\"", 'E', "before", NULL},
            {"\"operation\":1,\"phase\":\"during\",\"torn\":\"E3\",\"seed\":5", 'E', "during", "E3"},
            {"\"operation\":3,\"phase\":\"after\"", 'E', "after", NULL},
            {"\"operation\":0,\"phase\":\"during\",\"torn\":\"T4\"", 'P', "during", "T4"},
            {"\"operation\":100,\"phase\":\"during\",\"torn\":\"T1\"", 'L', "during", "T1"},
            {"\"operation\":17,\"phase\":\"before\"", 'L', "before", NULL},
            {"\"operation\":17,\"phase\":\"after\"", 'L', "after", NULL},
            {"\"operation\":0,\"phase\":\"during\",\"torn\":\"T2\",\"kind\":\"erase\"", 'E', "during", "E2"}};

START_TEST(cut_at_an_operation)
{
	start();
	boot();
	if (cuts[_i].command != 'E')
		ask_cpu('E', "erase 0 us ");
	long long operations = status_field("operations");
	pid_t cpu = driver_cpu(&board);
	arm(cuts[_i].cut);
	type(cuts[_i].command);
	json_t *event = expect_cut(cpu);
	ck_assert_str_eq(json_string_value(json_object_get(event, "phase")), cuts[_i].phase);
	const char *torn = json_string_value(json_object_get(event, "torn"));
	ck_assert_int_eq(torn != NULL, cuts[_i].torn != NULL);
	if (torn)
		ck_assert_str_eq(torn, cuts[_i].torn);
	ck_assert_int_eq(field(event, "op"), operations + strtol(cuts[_i].cut + strlen("\"operation\":"), NULL, 10));
	json_decref(event);
	boot(); /* it is armed no more */
	ask_cpu('E', "erase 0 us ");
	finish();
}
END_TEST

START_TEST(cut_filtered)
{
	start();
	boot();
	arm("\"operation\":1,\"phase\":\"after\",\"from\":2936012800,\"to\":2936274944,\"kind\":\"program\""); /* DFLASH */
	ask_cpu('E', "erase 0 us ");
	ask_cpu('P', "program 0 ");
	ask_cpu('T', "data ");
	pid_t cpu = driver_cpu(&board);
	type('T');
	json_t *event = expect_cut(cpu);
	ck_assert_int_eq(field(event, "address"), 0xAF000000);
	json_decref(event);
	arm("\"operation\":0,\"phase\":\"before\",\"from\":1,\"to\":2");
	boot();
	ask_cpu('E', "erase 0 us ");
	arm("\"operation\":0,\"phase\":\"before\"");
	driver_do(&board, "\"cmd\":\"cut\"");
	ask_cpu('P', "program 0 ");
	finish();
}
END_TEST

START_TEST(torn_page_reads_so)
{
	start();
	boot();
	ask_cpu('E', "erase 0 us ");
	pid_t cpu = driver_cpu(&board);
	arm("\"operation\":0,\"phase\":\"during\",\"torn\":\"T4\",\"seed\":1");
	type('L');
	json_decref(expect_cut(cpu));
	expect_flash_event("program", "cut", AREA_B);
	unsigned bad = 0;
	for (uint32_t at = AREA_B; at < AREA_B + 256; at += 32) {
		json_t *answer = driver_ask(&board, "\"cmd\":\"flash-read\",\"address\":%u,\"length\":32", at);
		bad += json_object_get(answer, "ecc") != NULL;
		json_decref(answer);
	}
	ck_assert_uint_ge(bad, 1);
	finish();
}
END_TEST

START_TEST(power_off_tears)
{
	char before[65];
	start();
	boot();
	ask_cpu('E', "erase 0 us ");
	ask_cpu('L', "run 0 us ");
	ck_assert_int_lt(snprintf(before, sizeof before, "%s", digest_of(AREA_B, 0x80000)), (int)sizeof before);
	unsigned changed = 0;
	for (unsigned i = 0; i < 12 && !changed; i++) { /* the class is chance, and one of them leaves everything */
		ask_cpu('D', "begun 0 ");
		power(false);
		json_t *event;
		do
			event = flash_event("erase");
		while (strcmp(json_string_value(json_object_get(event, "status")), "cut") != 0 && (json_decref(event), true));
		json_decref(event);
		changed = strcmp(digest_of(AREA_B, 0x80000), before) != 0;
		boot();
	}
	ck_assert_uint_eq(changed, 1);
	finish();
}
END_TEST

/* ---- the start-up software -------------------------------------------------------------------------------------------- */

START_TEST(no_boot_header)
{
	start();
	driver_do(&board, "\"cmd\":\"flash-erase\",\"address\":%u,\"length\":512", FLASH_UCB_BMHD_ORIG(0));
	boot(); /* COPY is there */
	power(false);
	driver_do(&board, "\"cmd\":\"flash-erase\",\"address\":%u,\"length\":512", FLASH_UCB_BMHD_COPY(0));
	power(true);
	json_t *event = driver_event(&board, "cpu");
	ck_assert_str_eq(json_string_value(json_object_get(event, "state")), "dead");
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(event, "exit")), "no boot mode header: "));
	json_decref(event);
	expect_state("dead");
	json_t *answer = driver_ask(&board, "\"cmd\":\"flash\"");
	ck_assert_str_ne(json_string_value(json_object_get(answer, "boot")), "");
	json_decref(answer);
	power(false);
	driver_do(&board, "\"cmd\":\"flash-factory\"");
	boot();
	finish();
}
END_TEST

START_TEST(bootloader_does_not_read)
{
	start();
	driver_do(&board, "\"cmd\":\"flash-defect\",\"defect\":\"double-bit\",\"address\":%u", 0xA0000400u);
	power(true);
	json_t *event = driver_event(&board, "cpu");
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(event, "exit")), "does not read: ecc"));
	json_decref(event);
	driver_do(&board, "\"cmd\":\"flash-defect\",\"defect\":null");
	driver_do(&board, "\"cmd\":\"reset\",\"kind\":\"external\"");
	driver_expect(&board, "@boot stage=rtos");
	power(false);
	driver_do(&board, "\"cmd\":\"flash-write\",\"address\":%u,\"data\":\"%064d\"", 0xA0000000u, 0);
	power(true);
	event = driver_event(&board, "cpu");
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(event, "exit")), "no bootloader at A0000000h"));
	json_decref(event);
	finish();
}
END_TEST

static void write_swap_entry(uint32_t block, unsigned entry)
{
	uint32_t at = block + 16 * entry, words[4] = {SSW_MARKER_B, at, SSW_CONFIRMATION, at + 8};
	char hex[33];
	for (unsigned i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", words[i / 4] >> 8 * (i % 4) & 0xFF);
	driver_do(&board, "\"cmd\":\"flash-write\",\"address\":%u,\"data\":\"%s\"", at, hex);
}

/* The package of the test application, signed; the public key beside it. */
static const char *make_package(const char *name)
{
	static char path[512];
	static uint8_t software[8 << 20], image[(8 << 20) + 4096], pem[MAKER_KEY_SIZE];
	FILE *file = fopen(getenv("TEST_APPLICATION"), "rb");
	size_t size = fread(software, 1, sizeof software, file);
	fclose(file);
	EVP_PKEY *key = maker_key("P-256");
	struct maker_fields fields = maker_defaults((uint32_t)size);
	size_t length = maker_image(key, &fields, software, size, image);
	size_t pem_length = maker_public_pem(key, pem);
	EVP_PKEY_free(key);
	file = fopen(in_folder("key"), "wb");
	fwrite(pem, 1, pem_length - 1, file);
	fclose(file);
	ck_assert_int_lt(snprintf(path, sizeof path, "%s", in_folder(name)), (int)sizeof path);
	file = fopen(path, "wb");
	fwrite(image, 1, length, file);
	fclose(file);
	return path;
}

START_TEST(map_changes_at_a_system_reset)
{
	const char *package = make_package("package");
	start();
	boot();
	driver_do(&board, "\"cmd\":\"flash-install\",\"bank\":1,\"path\":\"%s\"", package);
	write_swap_entry(FLASH_UCB_SWAP_COPY, 1);
	ck_assert_int_eq(status_field("contradiction"), 1);
	write_swap_entry(FLASH_UCB_SWAP_ORIG, 1);
	ck_assert_int_eq(status_field("orig_entry"), 1);
	type('a');
	driver_expect(&board, "@boot stage=rtos");
	ask_cpu('G', "active 0 ");
	ck_assert_int_eq(status_field("active"), 0);
	type('r');
	json_t *event = driver_event(&board, "map");
	ck_assert_int_eq(field(event, "active"), 1);
	json_decref(event);
	driver_expect(&board, "@boot stage=rtos");
	ask_cpu('G', "active 1 ");
	ask_cpu('O', "own 0 magic " MAGIC "\r\n"); /* bank B's bootloader, at the same address */
	power(false);
	boot();
	ask_cpu('G', "active 1 ");
	finish();
}
END_TEST

START_TEST(contradiction_stops)
{
	driver_start(&board, (const char *const[]){"--flash", flash_file, "--swap-policy", "stop", NULL});
	write_swap_entry(FLASH_UCB_SWAP_COPY, 1);
	power(true);
	json_t *event = driver_event(&board, "cpu");
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(event, "exit")), "contradict"));
	json_decref(event);
	finish();
}
END_TEST

/* With a key the bootloader lets nothing run that is not signed with it, to the last bit. */
START_TEST(signed_package_runs)
{
	const char *package = make_package("package");
	char object[544];
	snprintf(object, sizeof object, "ota.key.1=%s", in_folder("key"));
	driver_start(&board, (const char *const[]){"--flash", flash_file, "--bank-a", package, "--object", object, "--param",
	                                           "doip.logical_address=0x0091", NULL});
	boot();
	ck_assert_ptr_nonnull(strstr(board.console, " image=1.1.0.7 "));
	power(false);
	driver_do(&board, "\"cmd\":\"flash-defect\",\"defect\":\"flip\",\"address\":%u,\"bit\":3", 0xA0080000u + 5000 / 32 * 32);
	power(true);
	driver_expect(&board, "@boot stage=recovery");
	power(false);
	driver_do(&board, "\"cmd\":\"flash-install\",\"bank\":0,\"path\":\"%s\"", package);
	boot();
	finish();
}
END_TEST

START_TEST(crash_meets_the_watchdog)
{
	driver_start(&board, (const char *const[]){"--flash", flash_file, "--param", "watchdog.ms=150", NULL});
	boot();
	type('c');
	json_decref(driver_event(&board, "cpu"));
	driver_expect(&board, "reason=watchdog");
	driver_expect(&board, "@boot stage=rtos");
	finish();
}
END_TEST

/* ---- starts that are refused, requests that are wrong ------------------------------------------------------------------ */

static void expect_start_refused(const char *why, const char *const *extra)
{
	const char *text = driver_refused_start(&board, extra);
	ck_assert_msg(strstr(text, why) != NULL, "\"%s\" does not say \"%s\"", text, why);
}

START_TEST(refused_starts)
{
	const char *garbage = driver_file(&board, "garbage", 9000);
	char copy[128];
	ck_assert_int_lt(snprintf(copy, sizeof copy, "%s", garbage), (int)sizeof copy);
	expect_start_refused("tc375 or sweep", (const char *const[]){"--geometry", "tc399", NULL});
	expect_start_refused("orig, copy or stop", (const char *const[]){"--swap-policy", "both", NULL});
	expect_start_refused("do not fit", (const char *const[]){"--geometry", "sweep", NULL});
	expect_start_refused("no software package", (const char *const[]){"--bank-b", copy, NULL});
	expect_start_refused("not a flash file", (const char *const[]){"--flash", copy, NULL});
	expect_start_refused("64 hex digits", (const char *const[]){"--param", "flash.password=12", NULL});
	expect_start_refused("/nowhere/flash", (const char *const[]){"--flash", "/nowhere/flash", NULL});
	ck_assert_int_eq(access(flash_file, F_OK), -1);
}
END_TEST

START_TEST(one_file_two_boards)
{
	static struct board_driver first;
	start();
	driver_do(&board, "\"cmd\":\"status\"");
	first = board;
	memset(&board, 0, sizeof board);
	ck_assert_int_lt(snprintf(board.folder, sizeof board.folder, "%s", "/tmp/board-test-XXXXXX"), (int)sizeof board.folder);
	ck_assert_ptr_nonnull(mkdtemp(board.folder)); /* another memory, the same flash */
	expect_start_refused("another board uses it", (const char *const[]){"--flash", flash_file, NULL});
	teardown();
	board = first;
	boot();
	finish();
}
END_TEST

START_TEST(full_disk)
{
	struct rlimit old, limit;
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = 1 << 20;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	const char *text = driver_refused_start(&board, (const char *const[]){"--flash", flash_file, NULL});
	setrlimit(RLIMIT_FSIZE, &old);
	ck_assert_msg(strstr(text, "File too large") != NULL, "%s", text);
	DIR *folder = opendir(board.folder);
	for (struct dirent *entry; (entry = readdir(folder));) /* nothing half made is left */
		ck_assert_msg(entry->d_name[0] == '.' || strcmp(entry->d_name, "nvm") == 0, "%s", entry->d_name);
	closedir(folder);
	start();
	boot();
	finish();
}
END_TEST

START_TEST(bad_requests)
{
	start();
	expect_refusal("no flash at", driver_ask(&board, "\"cmd\":\"flash-read\",\"address\":0,\"length\":1"));
	expect_refusal("65536", driver_ask(&board, "\"cmd\":\"flash-read\",\"address\":2684354560,\"length\":65537"));
	expect_refusal("address", driver_ask(&board, "\"cmd\":\"flash-read\",\"address\":-1,\"length\":1"));
	expect_refusal("length", driver_ask(&board, "\"cmd\":\"flash-read\",\"address\":1"));
	expect_refusal("hex", driver_ask(&board, "\"cmd\":\"flash-write\",\"address\":2684354560,\"data\":\"0\""));
	expect_refusal("sequence", driver_ask(&board, "\"cmd\":\"flash-write\",\"address\":2684354561,\"data\":\"00\""));
	expect_refusal("no flash", driver_ask(&board, "\"cmd\":\"flash-erase\",\"address\":2690646016,\"length\":9999999"));
	expect_refusal("no flash", driver_ask(&board, "\"cmd\":\"flash-digest\",\"address\":2684354560,\"length\":4294967295"));
	expect_refusal("no flash", driver_ask(&board, "\"cmd\":\"flash-erases\",\"address\":1"));
	expect_refusal("pver", driver_ask(&board, "\"cmd\":\"flash-defect\",\"defect\":\"rust\",\"address\":2684354560"));
	expect_refusal("no flash", driver_ask(&board, "\"cmd\":\"flash-defect\",\"defect\":\"flip\",\"address\":1"));
	expect_refusal("phase", driver_ask(&board, "\"cmd\":\"cut\",\"operation\":1"));
	expect_refusal("T0 to T4", driver_ask(&board, "\"cmd\":\"cut\",\"operation\":1,\"phase\":\"during\",\"torn\":\"T5\""));
	expect_refusal("erase or program", driver_ask(&board, "\"cmd\":\"cut\",\"operation\":1,\"phase\":\"after\",\"kind\":\"x\""));
	expect_refusal("operation", driver_ask(&board, "\"cmd\":\"cut\",\"operation\":-1,\"phase\":\"after\""));
	expect_refusal("mv", driver_ask(&board, "\"cmd\":\"supply\""));
	expect_refusal("bank", driver_ask(&board, "\"cmd\":\"flash-install\",\"bank\":2,\"path\":\"/x\""));
	expect_refusal("/nowhere", driver_ask(&board, "\"cmd\":\"flash-install\",\"bank\":1,\"path\":\"/nowhere\""));
	json_t *answer = driver_ask(&board, "\"cmd\":\"flash-read\",\"address\":2684354560,\"length\":65536");
	ck_assert_ptr_nonnull(json_object_get(answer, "data"));
	json_decref(answer);
	finish();
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("vboard flash");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 60);
	tcase_add_test(all, commands);
	tcase_add_test(all, long_runs);
	tcase_add_test(all, erase_goes_on_alone);
	tcase_add_test(all, ucb_password);
	tcase_add_test(all, survives);
	tcase_add_test(all, killed_in_a_command);
	tcase_add_test(all, snapshots);
	tcase_add_loop_test(all, cut_at_an_operation, 0, (int)(sizeof cuts / sizeof *cuts));
	tcase_add_test(all, cut_filtered);
	tcase_add_test(all, torn_page_reads_so);
	tcase_add_test(all, power_off_tears);
	tcase_add_test(all, no_boot_header);
	tcase_add_test(all, bootloader_does_not_read);
	tcase_add_test(all, map_changes_at_a_system_reset);
	tcase_add_test(all, contradiction_stops);
	tcase_add_test(all, signed_package_runs);
	tcase_add_test(all, crash_meets_the_watchdog);
	tcase_add_test(all, refused_starts);
	tcase_add_test(all, one_file_two_boards);
	tcase_add_test(all, full_disk);
	tcase_add_test(all, bad_requests);
	suite_add_tcase(suite, all);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
