/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include "../../faults/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint8_t secoc_bench_key[16] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};

static struct secoc_pdu_config base(uint8_t authentic_bytes)
{
	struct secoc_pdu_config config = {
	        .data_id = 0x0101,
	        .data_id_in_mac = true,
	        .authentic_bytes = authentic_bytes,
	        .mac_bytes = authentic_bytes,
	        .freshness_bits = 64,
	        .mac_bits = 24,
	        .attempts = 1,
	};

	memcpy(config.key, secoc_bench_key, sizeof(config.key));
	return config;
}

struct secoc_pdu_config secoc_bench_profile_1(uint8_t authentic_bytes)
{
	struct secoc_pdu_config config = base(authentic_bytes);

	config.freshness_sent_bits = 8;
	return config;
}

struct secoc_pdu_config secoc_bench_profile_2(void)
{
	return base(5);
}

struct secoc_pdu_config secoc_bench_profile_3(void)
{
	struct secoc_pdu_config config = base(4);

	config.freshness_sent_bits = 4;
	config.mac_bits = 28;
	config.freshness = SECOC_TRIP_RESET;
	config.trip_bits = 24;
	config.reset_bits = 16;
	config.counter_bits = 22;
	config.flag_bits = 2;
	config.attempts = 2;
	return config;
}

struct secoc_pdu_config secoc_bench_demo(bool reading_b)
{
	struct secoc_pdu_config config = base(13);

	config.data_id_in_mac = false;
	config.mac_bytes = reading_b ? 14 : 13;
	config.freshness_bits = 48;
	config.freshness_sent_bits = 8;
	config.mac_bits = 16;
	return config;
}

void secoc_bench_power_cycle(const char *faults)
{
	fake_param_set("fault", faults);
	fault_load();
	secoc_reset();
}

void secoc_bench_setup(const char *faults)
{
	fake_port_clear();
	secoc_bench_power_cycle(faults);
}

uint8_t secoc_bench_open(const struct secoc_pdu_config *config, unsigned place)
{
	struct secoc_pdu_config placed = *config;
	uint8_t pdu;

	placed.nvm_offset = (uint16_t)(SECOC_NVM_PDUS + place * SECOC_NVM_RECORD);
	if (secoc_open(&placed, &pdu) != PORT_OK)
		abort();
	return pdu;
}

size_t secoc_bench_bytes(const char *hex, uint8_t *buffer)
{
	size_t length = 0;

	for (unsigned value; sscanf(hex, "%2x", &value) == 1; hex += 2)
		buffer[length++] = (uint8_t)value;
	return length;
}

const char *secoc_bench_hex(const uint8_t *bytes, size_t length)
{
	static char text[2 * SECOC_MAX_BYTES + 1];

	text[0] = '\0';
	for (size_t i = 0; i < length; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return text;
}
