/* SPDX-License-Identifier: Apache-2.0 */
/* What is swept: the board, its images, the scenario. Together with the cuts it decides what a point does. */
#ifndef FIRMWARE_SWEEP_SETUP_H
#define FIRMWARE_SWEEP_SETUP_H

#include "../port/model/port_model.h"
#include "../silicon/ssw.h"

#define SWEEP_MAX_CUTS 3u
#define SWEEP_ID_SIZE  160u

enum scenario {
	SCENARIO_UPDATE,   /* offer to confirmation, everything */
	SCENARIO_ROLLBACK, /* from the first trial boot: never confirmed, until the old image runs again */
	SCENARIO_CONFIRM,  /* from the first trial boot to the confirmation */
	SCENARIO_RESUME,   /* power went in the middle of the transfer: from the boot after it, as an update that is resumed */
};

/* A package without compression: byte for byte what lies in a bank after it was installed. */
struct image {
	const uint8_t *bytes;
	uint32_t length;
	const char *name;
};

struct setup {
	const char *target_name;
	uint16_t target;
	enum scenario scenario;
	struct image older, old, new; /* in the other bank, running, and the update */
	const uint8_t *key;           /* PEM with its NUL */
	size_t key_length;
	uint64_t seed;
	uint8_t bank;  /* where `old` runs at the begin */
	uint8_t entry; /* of UCB_SWAP in use at the begin, 0..15 */
	enum ssw_policy policy;
	const char *fault; /* "" none */
};

uint32_t image_software_size(const struct image *image);
uint32_t image_counter(const struct image *image);
const uint8_t *image_digest(const struct image *image);  /* of the trailer */
const uint8_t *image_version(const struct image *image); /* major, minor, patch, build */

/* One cut: at which operation of what it interrupts, and how. */
struct cut {
	uint32_t operation;
	enum flash_phase phase;
	bool erase;
	unsigned torn;   /* during only */
	unsigned sample; /* during only: which of several seeds, from 1 */
	bool reset;      /* a watchdog reset instead: the command goes on */
};
struct point {
	unsigned count; /* 0: no cut */
	struct cut cuts[SWEEP_MAX_CUTS];
};

const char *scenario_name(enum scenario scenario);
/* "12b", "12dT2x1", "r12a"; several with +; "base" for none. */
void point_format(const struct point *point, char *buffer, size_t size);
bool point_parse(const char *text, struct point *ret_point);
/* "zgw.update.256k.s1.a0.orig.none.12dT2x1": what `hilbench sweep ota --point` takes. */
void point_id(const struct setup *setup, const struct point *point, char buffer[SWEEP_ID_SIZE]);
uint64_t cut_seed(const struct setup *setup, const struct cut *cut);

/* The flash of the board: banks just large enough for the images. */
void setup_geometry(const struct setup *setup, struct flash_geometry *ret_geometry);
/* What the factory left: bootloaders, `old` and `older` in their banks, UCBs with `entry` in use. */
void setup_factory(const struct setup *setup, struct flash *flash);
/* Parameters and objects for the port; static, of the last call. */
const struct port_model_parameter *setup_parameters(const struct setup *setup);
const struct port_model_object *setup_objects(const struct setup *setup);

#define SETUP_PASSWORD_TEXT "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210"
extern const uint32_t setup_password[8];
#define SETUP_SECRET "000102030405060708090a0b0c0d0e0f"
#define SETUP_TRIALS 3u

#endif
