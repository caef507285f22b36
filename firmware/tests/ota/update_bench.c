/* SPDX-License-Identifier: Apache-2.0 */
#include "update_bench.h"

#include "../../core/cmac.h"
#include "../../core/uds_server.h"
#include "../../faults/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define SECRET     "000102030405060708090a0b0c0d0e0f"
#define TESTER     0x0E80u
#define PARAMETERS 8u
#define SILENCE_US 5000000u
#define MAX_BOOTS  20u

/* Not libcheck's: the fuzz target has no tests around it. */
#define MUST(condition) must(condition, #condition, __LINE__)

struct update_bench bench;
struct update_package update_old;
static uint8_t key_text[MAKER_KEY_SIZE];
static struct {
	char name[32], value[96];
} parameters[PARAMETERS];

static void must(bool condition, const char *what, int line)
{
	if (condition)
		return;
	fprintf(stderr, "update_bench.c:%d: %s; answer %02X %02X %02X\n", line, what, bench.answer[0], bench.answer[1], bench.answer[2]);
	abort();
}

/* ---- the board ---------------------------------------------------------------------------------------------------- */

void update_param(const char *name, const char *value)
{
	for (unsigned i = 0; i < PARAMETERS; i++) {
		if (parameters[i].name[0] != '\0' && strcmp(parameters[i].name, name) != 0)
			continue;
		snprintf(parameters[i].name, sizeof(parameters[i].name), "%s", value == NULL ? "-" : name);
		snprintf(parameters[i].value, sizeof(parameters[i].value), "%s", value == NULL ? "" : value);
		fake_param_set(name, value);
		return;
	}
	abort();
}

static void respond(void *context, uint16_t tester, const uint8_t *data, size_t length)
{
	(void)context;
	(void)tester;
	MUST(length <= sizeof(bench.answer));
	memcpy(bench.answer, data, length);
	bench.length = length;
	bench.last_us = port_time_us();
	if (bench.answers++ == 0)
		bench.first_us = bench.last_us;
}

static void reset(void *context, uint8_t type)
{
	(void)context;
	bench.reset_wanted = true;
	bench.reset_type = type;
}

static void start_services(bool recovery)
{
	static const struct uds_identity identity = {
	        .vin = "HILBENCHZGW000001", .serial_number = "", .software_version = "", .part_number = ""};
	struct uds_application application = {.respond = respond, .reset = reset, .identity = &identity};
	struct uds_server_config config;

	ota_update_start(MAKER_TARGET, recovery);
	uds_server_config_load(&config);
	uds_server_start(&config, &application);
	ota_update_ready(port_time_us());
}

static void boot(void *context)
{
	(void)context;
	fault_load();
	ota_image_start(MAKER_TARGET);
	ota_boot(&bench.boot);
	if (bench.boot.decision == OTA_BOOT_SWAPPED)
		port_reset(PORT_RESET_SYSTEM);
}

void update_power(enum port_reset_reason reason)
{
	fake_port_clear();
	fake_param_set("uds.security_key", SECRET);
	for (unsigned i = 0; i < PARAMETERS; i++)
		if (parameters[i].value[0] != '\0')
			fake_param_set(parameters[i].name, parameters[i].value);
	fake_object_set("ota.key.1", key_text, strlen((const char *)key_text) + 1);
	fake_reset_reason_set(reason);
	if (reason != PORT_REASON_APPLICATION)
		fake_flash_reset();
}

void update_boot(enum port_reset_reason reason)
{
	for (unsigned i = 0; i < MAX_BOOTS; i++) {
		update_power(reason);
		bench.boots++;
		bench.end = fake_run(boot, NULL);
		if (bench.end != FAKE_RESET_SYSTEM)
			break;
		reason = PORT_REASON_SYSTEM;
	}
	MUST(bench.end == FAKE_RETURNED);
	bench.reset_wanted = false;
	start_services(bench.boot.decision == OTA_BOOT_RECOVERY);
}

void update_setup(void)
{
	memset(&bench, 0, sizeof(bench));
	memset(parameters, 0, sizeof(parameters));
	bench.tester = TESTER;
	bench.key = maker_key("P-256");
	bench.stranger = maker_key("P-256");
	maker_public_pem(bench.key, key_text);
	fake_port_clear();
	fake_flash_clear(&flash_sweep);
	update_make(&update_old, 0, 1, 20000);
	MUST(flash_factory_write(fake_flash(), flash_sweep.bank_address[0] + flash_sweep.boot_size, update_old.bytes, update_old.length) ==
	     FLASH_OK);
	update_boot(PORT_REASON_POWER_ON);
	MUST(bench.boot.decision == OTA_BOOT_RUN);
}

void update_teardown(void)
{
	EVP_PKEY_free(bench.key);
	EVP_PKEY_free(bench.stranger);
	fake_flash_clear(NULL);
}

/* ---- packages ----------------------------------------------------------------------------------------------------- */

void update_seal(struct update_package *package, EVP_PKEY *key)
{
	package->length = maker_image(key, &package->fields, package->software, package->size, package->bytes);
	memcpy(package->digest, update_trailer(package), sizeof(package->digest));
}

void update_make(struct update_package *package, uint8_t minor, uint32_t counter, uint32_t size)
{
	memset(package, 0, sizeof(*package));
	package->size = size;
	maker_software(minor, package->software, size);
	package->fields = maker_defaults(size);
	memcpy(package->fields.version, (uint8_t[]){1, minor, 0, 0}, 4);
	package->fields.serial = 0x01000000u | (uint32_t)minor << 16;
	package->fields.security_counter = counter;
	package->fields.sequence = counter;
	update_seal(package, bench.key);
}

void update_gzip(struct update_package *package)
{
	z_stream stream = {.next_in = package->software, .avail_in = package->size};
	uint8_t header[MAKER_HEADER], trailer[MAKER_TRAILER];
	uint8_t *payload = package->bytes + MAKER_HEADER;

	MUST(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY) == Z_OK);
	stream.next_out = payload;
	stream.avail_out = sizeof(package->bytes) - MAKER_HEADER - MAKER_TRAILER;
	MUST(deflate(&stream, Z_FINISH) == Z_STREAM_END);
	package->fields.compression = 1;
	package->fields.payload_size = (uint32_t)stream.total_out;
	deflateEnd(&stream);
	package->fields.crc32 = 0;
	maker_header(&package->fields, header);
	package->fields.crc32 = maker_crc(header, package->software, package->size);
	maker_header(&package->fields, header);
	maker_trailer(bench.key, header, package->software, package->size, trailer);
	memcpy(package->bytes, header, sizeof(header));
	memcpy(payload + package->fields.payload_size, trailer, sizeof(trailer));
	package->length = MAKER_HEADER + package->fields.payload_size + MAKER_TRAILER;
	memcpy(package->digest, trailer, sizeof(package->digest));
}

const uint8_t *update_trailer(const struct update_package *package)
{
	return package->bytes + package->length - MAKER_TRAILER;
}

/* ---- asking ------------------------------------------------------------------------------------------------------- */

static uint64_t turn(void)
{
	uint64_t update_us, uds_us;

	ota_update_poll(port_time_us(), &update_us);
	uds_server_poll(port_time_us(), &uds_us);
	return update_us < uds_us ? update_us : uds_us;
}

static bool answered(void)
{
	return bench.answers > 0 && !(bench.length == 3 && bench.answer[0] == 0x7F && bench.answer[2] == 0x78);
}

void update_run_us(uint64_t us)
{
	uint64_t end_us = port_time_us() + us;

	while (port_time_us() < end_us) {
		uint64_t deadline_us = turn();

		port_wait(deadline_us < end_us ? deadline_us : end_us);
	}
	(void)turn();
}

static const char *text_of_answer(void)
{
	static char text[3 * sizeof(bench.answer) + 1];

	text[0] = '\0';
	for (size_t i = 0; i < bench.length; i++)
		snprintf(text + (i == 0 ? 0 : 3 * i - 1), 4, i == 0 ? "%02X" : " %02X", bench.answer[i]);
	return text;
}

const char *update_send(const uint8_t *data, size_t length)
{
	uint8_t *exact = malloc(length);
	uint64_t begin_us = port_time_us();

	bench.answers = 0;
	bench.length = 0;
	MUST(exact != NULL);
	memcpy(exact, data, length);
	uds_server_request(bench.tester, false, exact, length, begin_us);
	free(exact); /* a request is gone once it was handed in */
	for (uint64_t heard_us = begin_us; !answered() && port_time_us() < heard_us + SILENCE_US;) {
		uint64_t deadline_us = turn();

		if (bench.answers > 0 && bench.last_us > heard_us)
			heard_us = bench.last_us;
		if (!answered())
			port_wait(deadline_us < heard_us + SILENCE_US ? deadline_us : heard_us + SILENCE_US);
	}
	bench.first_us -= begin_us;
	bench.last_us -= begin_us;
	return text_of_answer();
}

const char *update_ask(const char *hex)
{
	uint8_t request[256];
	size_t length = 0;
	unsigned value;
	int used;

	for (; sscanf(hex, " %2x%n", &value, &used) == 1; hex += used)
		request[length++] = (uint8_t)value;
	return update_send(request, length);
}

bool update_try_unlock(void)
{
	uint8_t secret[16], key[6] = {0x27, 0x04}, mac[16];

	for (unsigned i = 0; i < 16; i++)
		secret[i] = (uint8_t)i;
	if (strcmp(update_ask("10 02"), "50 02 00 32 01 F4") != 0)
		return false;
	(void)update_ask("27 03");
	if (bench.length != 6 || !cmac_once(secret, bench.answer + 2, 4, mac))
		return false;
	memcpy(key + 2, mac, 4);
	return strcmp(update_send(key, sizeof(key)), "67 04") == 0;
}

void update_unlock(void)
{
	MUST(update_try_unlock());
}

static void put_u32(uint8_t *at, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

const char *update_offer(const struct update_package *package)
{
	uint8_t request[4 + MAKER_HEADER + MAKER_TRAILER] = {0x31, 0x01, 0xF0, 0x10};

	memcpy(request + 4, package->bytes, MAKER_HEADER);
	memcpy(request + 4 + MAKER_HEADER, update_trailer(package), MAKER_TRAILER);
	return update_send(request, sizeof(request));
}

const char *update_erase(const struct update_package *package)
{
	uint8_t request[13] = {0x31, 0x01, 0xFF, 0x00, 0x44};
	uint32_t length = MAKER_HEADER + package->size + MAKER_TRAILER;

	put_u32(request + 5, UPDATE_AREA);
	put_u32(request + 9, (length + flash_sweep.bank_sector - 1) / flash_sweep.bank_sector * flash_sweep.bank_sector);
	return update_send(request, sizeof(request));
}

const char *update_download(const struct update_package *package, uint32_t offset)
{
	uint8_t request[11] = {0x34, package->fields.compression == 1 ? 0x10 : 0x00, 0x44};

	bench.counter = 1;
	put_u32(request + 3, UPDATE_AREA + offset);
	put_u32(request + 7, (uint32_t)package->length - offset);
	return update_send(request, sizeof(request));
}

const char *update_block(const uint8_t *data, size_t length)
{
	uint8_t request[4200] = {0x36, bench.counter++};

	memcpy(request + 2, data, length);
	return update_send(request, length + 2);
}

const char *update_blocks(const struct update_package *package, uint32_t offset, uint32_t end)
{
	const char *answer = "";

	while (offset < end) {
		uint32_t length = end - offset < UPDATE_BLOCK ? end - offset : UPDATE_BLOCK;

		answer = update_block(package->bytes + offset, length);
		if (strncmp(answer, "76", 2) != 0)
			break;
		offset += length;
	}
	return answer;
}

const char *update_exit(void)
{
	return update_ask("37");
}

const char *update_check(void)
{
	return update_ask("31 01 FF 01");
}

const char *update_activate(void)
{
	return update_ask("31 01 F0 11");
}

const char *update_confirm(void)
{
	return update_ask("31 01 F0 12");
}

void update_transfer(const struct update_package *package)
{
	update_unlock();
	MUST(strcmp(update_offer(package), "71 01 F0 10") == 0);
	MUST(strcmp(update_erase(package), "71 01 FF 00 00") == 0);
	MUST(strcmp(update_download(package, 0), "74 20 0F FF") == 0);
	MUST(strncmp(update_blocks(package, 0, (uint32_t)package->length), "76", 2) == 0);
	MUST(strcmp(update_exit(), "77") == 0);
	MUST(strcmp(update_check(), "71 01 FF 01") == 0);
}

void update_reset(void)
{
	MUST(strcmp(update_ask("11 01"), "51 01") == 0);
	MUST(bench.reset_wanted);
	update_boot(PORT_REASON_SYSTEM);
}

void update_install(const struct update_package *package)
{
	update_transfer(package);
	MUST(strcmp(update_activate(), "71 01 F0 11") == 0);
	update_reset();
}

/* ---- looking ------------------------------------------------------------------------------------------------------ */

static uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

struct update_state update_state(void)
{
	const uint8_t *at = bench.answer + 3;

	(void)update_ask("22 FD 50");
	MUST(bench.length == 3 + OTA_STATE_LENGTH);
	return (struct update_state){at[0], at[1], at[2], at[3], at[4], at[5], get_u32(at + 8), get_u32(at + 12), get_u32(at + 16)};
}

bool update_holds(unsigned bank, const struct update_package *package)
{
	static uint8_t found[sizeof(package->bytes)];
	uint32_t address = flash_sweep.bank_address[bank] + flash_sweep.boot_size;

	if (flash_read(fake_flash(), address, found, MAKER_HEADER + package->size + MAKER_TRAILER) != FLASH_OK)
		return false;
	return memcmp(found, package->bytes, MAKER_HEADER) == 0 && memcmp(found + MAKER_HEADER, package->software, package->size) == 0 &&
	       memcmp(found + MAKER_HEADER + package->size, update_trailer(package), MAKER_TRAILER) == 0;
}

bool update_erased(unsigned bank)
{
	for (uint32_t at = flash_sweep.boot_size; at < flash_sweep.bank_size; at += FLASH_PAGE)
		if (flash_page_state(fake_flash(), flash_sweep.bank_address[bank] + at) != FLASH_ERASED)
			return false;
	return true;
}
