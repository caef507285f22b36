/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_TESTS_DEVICE_TEST_DEVICE_H
#define FIRMWARE_TESTS_DEVICE_TEST_DEVICE_H

#include <check.h>

#define ENDPOINT_TEST_ADDRESS 0x20001000u

TCase *endpoint_cases(void);
TCase *message_cases(void);
TCase *client_cases(void);
TCase *program_cases(void);

/* Writes an endpoint into the fake port's RAM as a debugger does. */
void inject(uint32_t address, uint32_t length, const char *text);

#endif
