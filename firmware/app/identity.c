/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include <string.h>

#ifndef FIRMWARE_VERSION
#define FIRMWARE_VERSION "0.0.0"
#endif

#define SERIAL_SIZE 32u
#define EID_DIGITS  12u

bool identity_vin(uint8_t vin[UDS_VIN_LENGTH])
{
	char text[UDS_VIN_LENGTH + 1];

	if (uds_did_stored_vin(vin))
		return true;
	if (port_param_text("doip.vin", text, sizeof(text)) != PORT_OK || strlen(text) != UDS_VIN_LENGTH)
		return false;
	memcpy(vin, text, UDS_VIN_LENGTH);
	return true;
}

static void address_text(uint16_t address, char text[EID_DIGITS + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < 4; i++)
		text[i] = digits[address >> (12 - 4 * i) & 0xFu];
	text[4] = '\0';
}

static void make_serial(char serial[SERIAL_SIZE], const char *name, uint16_t address)
{
	char number[EID_DIGITS + 1];
	size_t length = strlen(name);

	if (port_param_text("doip.eid", number, sizeof(number)) != PORT_OK || number[0] == '\0')
		address_text(address, number);
	if (length > SERIAL_SIZE - EID_DIGITS - 2)
		length = SERIAL_SIZE - EID_DIGITS - 2;
	memcpy(serial, name, length);
	serial[length] = '-';
	memcpy(serial + length + 1, number, strlen(number) + 1);
}

const struct uds_identity *identity_make(const char *name, const char *part_number, uint16_t address)
{
	static struct uds_identity identity;
	static char serial[SERIAL_SIZE];

	make_serial(serial, name, address);
	if (!identity_vin(identity.vin))
		memset(identity.vin, 0xFF, sizeof(identity.vin));
	identity.serial_number = serial;
	identity.software_version = FIRMWARE_VERSION;
	identity.part_number = part_number;
	return &identity;
}
