/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An FTDI serial adapter (kernel driver ftdi_sio) over usbip.h: FT232R or one of the FT-X series, with its port, RTS and DTR, line status,
 * and its four CBUS pins as GPIO where its EEPROM says so. Requests after FTDI's published descriptions of the chips. For tests only.
 */
#ifndef HARNESS_TESTS_VM_FTDI_CHIP_H
#define HARNESS_TESTS_VM_FTDI_CHIP_H

#include "usb_chapter9.h"

enum ftdi_kind { FTDI_FT232R, FTDI_FTX };
enum { FTDI_CBUS_PINS = 4, FTDI_EEPROM = 128, FTDI_FIFO_MAX = 1 << 16, FTDI_DTR = 1, FTDI_RTS = 2 };
enum ftdi_error { FTDI_OVERRUN = 0x02, FTDI_FRAMING = 0x08, FTDI_BREAK = 0x10 };
/* What the chip does at its pins. */
struct ftdi_wiring {
	void *context;
	/* DTR and RTS as the host asks for them: 1 asserted. */
	void (*modem)(void *context, unsigned asserted);
	void (*baud)(void *context, uint32_t baud);
	void (*breaks)(void *context, bool on);
	/* Host to board. */
	void (*transmit)(void *context, const uint8_t *data, size_t length);
	/* Which pins are driven, and to what; all others float. */
	void (*cbus)(void *context, unsigned driven, unsigned level);
	/* What is at the pins that float. */
	unsigned (*pins)(void *context);
};
struct ftdi_chip {
	struct usbip usbip;
	struct usbip_device device;
	struct ftdi_wiring wiring;
	struct usb_description description;
	enum ftdi_kind kind;
	bool plugged;
	uint8_t eeprom[FTDI_EEPROM];
	uint8_t modem, latency_ms;
	uint32_t baud;
	bool breaking, transmitting; /* transmitting: not all of the host's bytes are out */
	unsigned driven, level;
	struct {
		uint8_t data[FTDI_FIFO_MAX], errors[FTDI_FIFO_MAX];
		size_t first, count;
		int64_t since_ns; /* when the oldest came */
	} fifo;
};

/* `gpio`: which CBUS pins the EEPROM leaves to the host. The wiring is copied, the name borrowed. */
void ftdi_chip_init(struct ftdi_chip *, enum ftdi_kind, unsigned port, const char *serial_number, unsigned gpio,
                    const struct ftdi_wiring *);
/* 0 or -errno. It begins with all pins floating. */
int ftdi_chip_plug(struct ftdi_chip *);
void ftdi_chip_unplug(struct ftdi_chip *);
/* One byte from the board, with what was wrong with it. */
void ftdi_chip_receive(struct ftdi_chip *, uint8_t data, uint8_t errors, int64_t now_ns);
/* Gives the host what is due; when it has to be called again at the latest, INT64_MAX: not before something happens. */
int64_t ftdi_chip_flush(struct ftdi_chip *, int64_t now_ns);

#endif
