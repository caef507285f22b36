/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SecurityAccess 27 (ISO 14229-1:2020 clause 10.4 and annex I). Level 1 (seed 01, key 02) in the programming and
 * extended sessions, level 3 (seed 03, key 04) in the programming session. One level is unlocked at a time.
 * key = first 4 bytes of AES-CMAC(secret, seed). Failed attempts and a running delay survive a reset; the delay then
 * begins anew.
 */
#include "cmac.h"
#include "uds_nvm.h"
#include "uds_services.h"

#include <string.h>

#define SEED_LENGTH 4u
#define KEY_LENGTH  4u
#define SECRET_SIZE 16u

static struct {
	uint8_t unlocked;   /* level, 0 none */
	uint8_t seed_level; /* level whose seed is out, 0 none */
	uint8_t seed[SEED_LENGTH];
	uint8_t attempts; /* wrong keys so far */
	bool delayed;
	uint64_t delay_end_us;
	uint8_t secret[SECRET_SIZE];
	bool has_secret;
} security;

bool uds_security_unlocked(uint8_t level)
{
	return level == 0 || (security.unlocked == level && !uds_session_foreign());
}

static void store(void)
{
	uint8_t record[2] = {security.attempts, security.delayed};

	/* A memory that takes nothing must not let anybody in: the state in RAM holds until the next reset. */
	(void)uds_nvm_store(UDS_NVM_SECURITY, record, sizeof(record));
}

static bool hex_digit(char c, uint8_t *ret_value)
{
	if (c >= '0' && c <= '9')
		*ret_value = (uint8_t)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*ret_value = (uint8_t)(c - 'a' + 10);
	else if (c >= 'A' && c <= 'F')
		*ret_value = (uint8_t)(c - 'A' + 10);
	else
		return false;
	return true;
}

static bool load_secret(uint8_t secret[SECRET_SIZE])
{
	char text[2 * SECRET_SIZE + 1];
	uint8_t high = 0, low = 0;

	if (port_param_text("uds.security_key", text, sizeof(text)) != PORT_OK || strlen(text) != 2 * SECRET_SIZE)
		return false;
	for (size_t i = 0; i < SECRET_SIZE; i++) {
		if (!hex_digit(text[2 * i], &high) || !hex_digit(text[2 * i + 1], &low))
			return false;
		secret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static void begin_delay(uint64_t now_us)
{
	security.delayed = true;
	security.delay_end_us = now_us + (uint64_t)uds_config.security_delay_ms * 1000u;
}

void uds_security_start(uint64_t now_us)
{
	uint8_t record[2];
	size_t length;

	memset(&security, 0, sizeof(security));
	security.has_secret = load_secret(security.secret);
	if (!uds_nvm_load(UDS_NVM_SECURITY, record, sizeof(record), &length) || length != sizeof(record))
		return;
	security.attempts = record[0];
	if (record[1] != 0)
		begin_delay(now_us);
}

/* Any transition locks, a session to itself as well (ISO 14229-1:2020 clause 10.2.1). */
void uds_security_session_changed(enum uds_session from, enum uds_session to)
{
	(void)from;
	(void)to;
	security.unlocked = 0;
	security.seed_level = 0;
}

static bool in_delay(uint64_t now_us)
{
	if (security.delayed && now_us >= security.delay_end_us) {
		security.delayed = false;
		security.attempts = 0;
		store();
	}
	return security.delayed;
}

static void make_seed(void)
{
	static const uint8_t zero[SEED_LENGTH];

	/* All zero means "already unlocked" and must not come by chance. */
	do
		port_random(security.seed, sizeof(security.seed));
	while (memcmp(security.seed, zero, sizeof(zero)) == 0);
}

static uint8_t seed_run(struct uds_call *call)
{
	static const uint8_t zero[SEED_LENGTH];

	if (!security.has_secret)
		return UDS_CONDITIONS_NOT_CORRECT;
	if (uds_security_unlocked(call->sub_function)) {
		(void)uds_put(call, zero, sizeof(zero));
		return UDS_POSITIVE;
	}
	if (in_delay(call->now_us))
		return UDS_DELAY_NOT_EXPIRED;
	make_seed();
	security.seed_level = call->sub_function;
	(void)uds_put(call, security.seed, sizeof(security.seed));
	return UDS_POSITIVE;
}

static uint8_t key_sequence(const struct uds_call *call)
{
	/* A key without a byte of key is too short whatever went before it. */
	if (call->length == 2)
		return UDS_INCORRECT_LENGTH;
	return security.seed_level == call->sub_function - 1 ? UDS_POSITIVE : UDS_SEQUENCE_ERROR;
}

static uint8_t wrong_key(uint64_t now_us)
{
	if (security.attempts < UINT8_MAX)
		security.attempts++;
	if (security.attempts >= uds_config.security_attempts)
		begin_delay(now_us);
	store();
	return security.delayed ? UDS_ATTEMPTS_EXCEEDED : UDS_INVALID_KEY;
}

static bool key_matches(const uint8_t *key)
{
	uint8_t mac[16], difference = 0;

	if (!cmac_once(security.secret, security.seed, sizeof(security.seed), mac))
		return false;
	/* All bytes are looked at, so that the time tells nothing about the key. */
	for (size_t i = 0; i < KEY_LENGTH; i++)
		difference |= (uint8_t)(mac[i] ^ key[i]);
	return difference == 0;
}

static uint8_t key_run(struct uds_call *call)
{
	uint8_t level = security.seed_level;

	security.seed_level = 0; /* a seed is good for one key */
	if (!key_matches(call->data + 2))
		return wrong_key(call->now_us);
	security.unlocked = level;
	if (security.attempts != 0) {
		security.attempts = 0;
		store();
	}
	return UDS_POSITIVE;
}

const struct uds_sub_function uds_security_sub_functions[4] = {
        {0x01, UDS_IN_NON_DEFAULT, 0, 2, NULL, seed_run},
        {0x02, UDS_IN_NON_DEFAULT, 0, 2 + KEY_LENGTH, key_sequence, key_run},
        {0x03, UDS_IN_PROGRAMMING, 0, 2, NULL, seed_run},
        {0x04, UDS_IN_PROGRAMMING, 0, 2 + KEY_LENGTH, key_sequence, key_run},
};
