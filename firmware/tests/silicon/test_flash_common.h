/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the flash model share: a flash of few pages, and commands that are waited for in virtual time. */
#ifndef FIRMWARE_TESTS_SILICON_TEST_FLASH_COMMON_H
#define FIRMWARE_TESTS_SILICON_TEST_FLASH_COMMON_H

#include "../../silicon/flash.h"

#include <check.h>

/* Banks of 8 sectors of 512 bytes, the first one protected; DFLASH of 4 sectors. */
extern const struct flash_geometry flash_tiny;
#define BANK_A 0xA0000000u
#define BANK_B 0xA0300000u
#define APP_A  (BANK_A + 512u)
#define APP_B  (BANK_B + 512u)
#define DATA   0xAF000000u
#define UCB    0xAF400000u

extern const uint32_t test_password[8];

struct flash *tiny_new(void);
/* Time goes on until nothing is under way; the time. */
uint64_t settle(struct flash *flash);
/* A command and its end: how it was taken, or how it ended. */
enum flash_status program(struct flash *flash, uint32_t address, const void *data, size_t length);
enum flash_status erase(struct flash *flash, uint32_t address, uint32_t sectors);
/* Bytes that are neither 00 nor FF, different for every seed. */
void fill(uint8_t *bytes, size_t length, unsigned seed);
/* The bytes read well and are these. */
void check_bytes(struct flash *flash, uint32_t address, const void *bytes, size_t length);
/* Runs a suite of one case; the exit status of main. */
int run_case(const char *name, TCase *tcase);

#endif
