/* SPDX-License-Identifier: Apache-2.0 */
#include "consent.h"

#include <string.h>

#include "../core/console.h"
#include "../core/doip_entity.h"

#define SECRET_LENGTH   4u
#define TEXT_SIZE       16u
#define CONFIRMATION_MS 300u

static struct {
	bool has_secret;
	uint8_t secret[SECRET_LENGTH];
	enum consent confirmation;
	uint64_t confirmation_us;
	/* Confirmations asked for. Only testers of the entity's list come here, so there is room for all. */
	struct {
		bool used;
		uint16_t source;
		uint64_t asked_us;
	} asked[DOIP_MAX_TESTERS];
} consent;

static void complain(const char *name)
{
	struct console_line line;

	console_begin(&line);
	console_text(&line, "! parameter not understood, activations are refused: ");
	console_text(&line, name);
	console_end(&line);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_secret(const char *text)
{
	if (strlen(text) != 2 * SECRET_LENGTH)
		return false;
	for (unsigned i = 0; i < SECRET_LENGTH; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		consent.secret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static void load_secret(void)
{
	char text[TEXT_SIZE];
	enum port_status status = port_param_text("doip.activation_secret", text, sizeof(text));

	if (status == PORT_ABSENT || (status == PORT_OK && text[0] == '\0'))
		return;
	consent.has_secret = status == PORT_OK && read_secret(text);
	if (!consent.has_secret)
		complain("doip.activation_secret");
}

static void load_confirmation(void)
{
	char text[TEXT_SIZE];
	uint32_t wait_ms = CONFIRMATION_MS;
	enum port_status status = port_param_text("doip.confirmation", text, sizeof(text));

	(void)port_param_u32("doip.confirmation_ms", &wait_ms);
	consent.confirmation_us = (uint64_t)wait_ms * 1000;
	consent.confirmation = CONSENT_GRANTED;
	if (status == PORT_ABSENT || (status == PORT_OK && strcmp(text, "granted") == 0))
		return;
	consent.confirmation = CONSENT_REFUSED;
	if (status == PORT_OK && strcmp(text, "pending") == 0)
		consent.confirmation = CONSENT_PENDING;
	else if (status != PORT_OK || strcmp(text, "refused") != 0)
		complain("doip.confirmation");
}

void consent_start(void)
{
	memset(&consent, 0, sizeof(consent));
	load_secret();
	load_confirmation();
}

int consent_authenticate(void *context, uint16_t source, const uint8_t *oem, size_t oem_length)
{
	uint8_t difference = 0;

	(void)context;
	(void)source;
	if (!consent.has_secret || oem_length != SECRET_LENGTH)
		return CONSENT_REFUSED;
	/* In the same time wherever it differs. */
	for (unsigned i = 0; i < SECRET_LENGTH; i++)
		difference |= oem[i] ^ consent.secret[i];
	return difference == 0 ? CONSENT_GRANTED : CONSENT_REFUSED;
}

/* Index of the source's entry, made when there is none; -1: all are in use. */
static int find(uint16_t source)
{
	int unused = -1;

	for (int i = 0; i < (int)DOIP_MAX_TESTERS; i++) {
		if (consent.asked[i].used && consent.asked[i].source == source)
			return i;
		if (!consent.asked[i].used)
			unused = i;
	}
	if (unused < 0)
		return -1;
	consent.asked[unused].used = true;
	consent.asked[unused].source = source;
	consent.asked[unused].asked_us = port_time_us();
	return unused;
}

int consent_confirm(void *context, uint16_t source)
{
	int index;

	(void)context;
	if (consent.confirmation != CONSENT_PENDING)
		return consent.confirmation;
	index = find(source);
	if (index < 0)
		return CONSENT_REFUSED;
	return port_time_us() - consent.asked[index].asked_us >= consent.confirmation_us ? CONSENT_GRANTED : CONSENT_PENDING;
}

void consent_forget(uint16_t source)
{
	for (unsigned i = 0; i < DOIP_MAX_TESTERS; i++) {
		if (consent.asked[i].source == source)
			consent.asked[i].used = false;
	}
}
