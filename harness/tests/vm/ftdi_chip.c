/* SPDX-License-Identifier: Apache-2.0 */
#include "ftdi_chip.h"

#include <errno.h>
#include <string.h>

enum { PACKET = 64, STATUS = 2, PAYLOAD = PACKET - STATUS, REPLY_MAX = 8 * PACKET, LATENCY_MS = 16 };
enum request {
	REQUEST_RESET = 0,
	REQUEST_MODEM_CONTROL = 1,
	REQUEST_FLOW_CONTROL = 2,
	REQUEST_BAUD_RATE = 3,
	REQUEST_DATA = 4,
	REQUEST_MODEM_STATUS = 5,
	REQUEST_EVENT_CHARACTER = 6,
	REQUEST_ERROR_CHARACTER = 7,
	REQUEST_SET_LATENCY = 9,
	REQUEST_GET_LATENCY = 10,
	REQUEST_BIT_MODE = 11,
	REQUEST_PINS = 12,
	REQUEST_READ_EEPROM = 0x90,
};
enum { RESET_ALL = 0, RESET_RECEIVE = 1, BIT_MODE_OFF = 0x00, BIT_MODE_CBUS = 0x20, DATA_BREAK = 0x4000 };
enum { MODEM_STATUS = 0x01, LINE_EMPTY = 0x60 }; /* no line of a modem is asserted; transmitter empty */

/* Where the EEPROM tells what the CBUS pins are: nibbles on an FT232R, bytes on an FT-X. */
enum { FT232R_CBUS = 0x14, FT232R_IO = 0xa, FT232R_SLEEP = 0x5, FTX_CBUS = 0x1a, FTX_IO = 0x8, FTX_TRISTATE = 0x0 };

static const uint8_t configuration[32] = {
        9, 2, 32,   0, 1,  1,    0,    0x80, 45, /* one interface, 90 mA */
        9, 4, 0,    0, 2,  0xff, 0xff, 0xff, 2,  /* vendor class, two endpoints */
        7, 5, 0x81, 2, 64, 0,    0,              /* bulk IN 1 */
        7, 5, 0x02, 2, 64, 0,    0,              /* bulk OUT 2 */
};

static uint8_t line_status(const struct ftdi_chip *chip)
{
	return chip->transmitting ? 0 : LINE_EMPTY;
}

/* The divisor of 3 MHz in eighths: whole in bits 0 to 13, the eighths coded in bits 14 to 16. Without a whole part there are two codes. */
static uint32_t baud_of(unsigned value, unsigned index)
{
	static const uint8_t eighths[8] = {0, 4, 2, 1, 3, 5, 6, 7};
	unsigned whole = value & 0x3fff, part = eighths[value >> 14 | (index & 1) << 2];
	if (whole == 0)
		return 3000000;
	if (whole == 1 && part == 0)
		return 2000000;
	return 3000000U * 8 / (whole * 8 + part);
}

static void set_modem(struct ftdi_chip *chip, unsigned value)
{
	unsigned changed = value >> 8 & (FTDI_DTR | FTDI_RTS);
	uint8_t modem = (uint8_t)((chip->modem & ~changed) | (value & changed));
	if (modem == chip->modem)
		return;
	chip->modem = modem;
	chip->wiring.modem(chip->wiring.context, modem);
}

static unsigned gpio_pins(const struct ftdi_chip *chip)
{
	unsigned pins = 0;
	for (unsigned i = 0; i < FTDI_CBUS_PINS; i++) {
		unsigned is = chip->kind == FTDI_FTX ? chip->eeprom[FTX_CBUS + i] : chip->eeprom[FT232R_CBUS + i / 2] >> 4 * (i % 2) & 15;
		pins |= (unsigned)(is == (chip->kind == FTDI_FTX ? FTX_IO : FT232R_IO)) << i;
	}
	return pins;
}

static int set_bit_mode(struct ftdi_chip *chip, unsigned value)
{
	unsigned mode = value >> 8;
	if (mode != BIT_MODE_OFF && mode != BIT_MODE_CBUS)
		return -EPIPE;
	/* High nibble: which are outputs; low nibble: their levels. */
	unsigned driven = mode == BIT_MODE_CBUS ? value >> 4 & 15 & gpio_pins(chip) : 0, level = value & driven;
	if (driven == chip->driven && level == chip->level)
		return 0;
	chip->driven = driven;
	chip->level = level;
	chip->wiring.cbus(chip->wiring.context, driven, level);
	return 0;
}

static int vendor_in(struct ftdi_chip *chip, const struct usbip_setup *setup, uint8_t *data)
{
	uint8_t answer[STATUS] = {0};
	switch (setup->request) {
	case REQUEST_MODEM_STATUS:
		answer[0] = MODEM_STATUS;
		answer[1] = line_status(chip);
		return usb_reply(data, setup, answer, sizeof(answer));
	case REQUEST_GET_LATENCY:
		return usb_reply(data, setup, &chip->latency_ms, 1);
	case REQUEST_PINS:
		answer[0] = (uint8_t)((chip->level & chip->driven) | (chip->wiring.pins(chip->wiring.context) & ~chip->driven & 15));
		return usb_reply(data, setup, answer, 1);
	case REQUEST_READ_EEPROM:
		if (setup->index >= FTDI_EEPROM / 2)
			return -EPIPE;
		return usb_reply(data, setup, chip->eeprom + (size_t)2 * setup->index, 2);
	default:
		return -EPIPE;
	}
}

static int vendor_out(struct ftdi_chip *chip, const struct usbip_setup *setup)
{
	switch (setup->request) {
	case REQUEST_RESET:
		if (setup->value == RESET_ALL || setup->value == RESET_RECEIVE)
			chip->fifo.count = 0;
		return 0;
	case REQUEST_MODEM_CONTROL:
		set_modem(chip, setup->value);
		return 0;
	case REQUEST_BAUD_RATE:
		chip->baud = baud_of(setup->value, setup->index);
		chip->wiring.baud(chip->wiring.context, chip->baud);
		return 0;
	case REQUEST_DATA:
		if (chip->breaking != !!(setup->value & DATA_BREAK)) {
			chip->breaking = !chip->breaking;
			chip->wiring.breaks(chip->wiring.context, chip->breaking);
		}
		return 0;
	case REQUEST_SET_LATENCY:
		chip->latency_ms = (uint8_t)setup->value;
		return 0;
	case REQUEST_BIT_MODE:
		return set_bit_mode(chip, setup->value);
	case REQUEST_FLOW_CONTROL:
	case REQUEST_EVENT_CHARACTER:
	case REQUEST_ERROR_CHARACTER:
		return 0;
	default:
		return -EPIPE;
	}
}

static int control(void *context, const struct usbip_setup *setup, uint8_t *data)
{
	struct ftdi_chip *chip = context;
	if ((setup->request_type & 0x60) == 0)
		return usb_standard_request(&chip->description, setup, data);
	if ((setup->request_type & 0x60) != 0x40)
		return -EPIPE;
	return setup->request_type & 0x80 ? vendor_in(chip, setup, data) : vendor_out(chip, setup);
}

static void bulk_out(void *context, const uint8_t *data, size_t length)
{
	struct ftdi_chip *chip = context;
	chip->wiring.transmit(chip->wiring.context, data, length);
}

static void write_eeprom(struct ftdi_chip *chip, unsigned gpio)
{
	for (unsigned i = 0; i < FTDI_CBUS_PINS; i++) {
		bool io = gpio >> i & 1;
		if (chip->kind == FTDI_FTX)
			chip->eeprom[FTX_CBUS + i] = io ? FTX_IO : FTX_TRISTATE;
		else
			chip->eeprom[FT232R_CBUS + i / 2] |= (uint8_t)((io ? FT232R_IO : FT232R_SLEEP) << 4 * (i % 2));
	}
}

void ftdi_chip_init(struct ftdi_chip *chip, enum ftdi_kind kind, unsigned port, const char *serial_number, unsigned gpio,
                    const struct ftdi_wiring *wiring)
{
	static const uint8_t ft232r[18] = {18, 1, 0x00, 0x02, 0, 0, 0, 8, 0x03, 0x04, 0x01, 0x60, 0x00, 0x06, 1, 2, 3, 1};
	static const uint8_t ftx[18] = {18, 1, 0x00, 0x02, 0, 0, 0, 8, 0x03, 0x04, 0x15, 0x60, 0x00, 0x10, 1, 2, 3, 1};
	*chip = (struct ftdi_chip){
	        .usbip.fd = -1, .device = {chip, port, control, bulk_out}, .wiring = *wiring, .kind = kind, .latency_ms = LATENCY_MS};
	chip->description =
	        (struct usb_description){kind == FTDI_FTX ? ftx : ft232r,
	                                 configuration,
	                                 sizeof(configuration),
	                                 {"", "FTDI", kind == FTDI_FTX ? "FT230X Basic UART" : "FT232R USB UART", serial_number}};
	write_eeprom(chip, gpio);
}

int ftdi_chip_plug(struct ftdi_chip *chip)
{
	int result = usbip_attach(&chip->usbip, &chip->device);
	chip->plugged = result == 0;
	return result;
}

/* Without its supply the chip drives nothing. */
void ftdi_chip_unplug(struct ftdi_chip *chip)
{
	usbip_detach(&chip->usbip);
	chip->plugged = false;
	chip->fifo.count = 0;
	chip->transmitting = false;
	set_modem(chip, (FTDI_DTR | FTDI_RTS) << 8);
	(void)set_bit_mode(chip, BIT_MODE_OFF);
}

void ftdi_chip_receive(struct ftdi_chip *chip, uint8_t data, uint8_t errors, int64_t now_ns)
{
	if (!chip->plugged || chip->fifo.count == FTDI_FIFO_MAX)
		return;
	if (chip->fifo.count == 0)
		chip->fifo.since_ns = now_ns;
	size_t at = (chip->fifo.first + chip->fifo.count++) % FTDI_FIFO_MAX;
	chip->fifo.data[at] = data;
	chip->fifo.errors[at] = errors;
}

/* Errors are told per packet, not per byte: a packet ends before a byte of another state. */
static size_t fill_packet(struct ftdi_chip *chip, uint8_t *packet)
{
	size_t length = STATUS;
	uint8_t errors = chip->fifo.errors[chip->fifo.first];
	packet[0] = MODEM_STATUS;
	packet[1] = line_status(chip) | errors;
	while (length < PACKET && chip->fifo.count > 0 && chip->fifo.errors[chip->fifo.first] == errors) {
		packet[length++] = chip->fifo.data[chip->fifo.first];
		chip->fifo.first = (chip->fifo.first + 1) % FTDI_FIFO_MAX;
		chip->fifo.count--;
	}
	return length;
}

int64_t ftdi_chip_flush(struct ftdi_chip *chip, int64_t now_ns)
{
	int64_t due_ns = chip->fifo.since_ns + chip->latency_ms * INT64_C(1000000);
	size_t room;
	while (chip->fifo.count > 0 && (chip->fifo.count >= PAYLOAD || now_ns >= due_ns) && (room = usbip_bulk_in_room(&chip->usbip)) > 0) {
		uint8_t reply[REPLY_MAX];
		size_t length = 0, packet = PACKET;
		/* A packet that is not full ends the transfer. */
		while (packet == PACKET && chip->fifo.count > 0 && length + PACKET <= room && length + PACKET <= sizeof(reply))
			length += packet = fill_packet(chip, reply + length);
		if (length == 0 || !usbip_bulk_in(&chip->usbip, reply, length))
			break;
		chip->fifo.since_ns = now_ns;
		due_ns = now_ns; /* what is left of an error's packet */
	}
	return chip->fifo.count == 0 || usbip_bulk_in_room(&chip->usbip) == 0 ? INT64_MAX : due_ns;
}
