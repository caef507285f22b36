/* SPDX-License-Identifier: Apache-2.0 */
/* Secured PDUs on the fake port. Layouts and expected bytes are those of the reference vectors. */
#ifndef FIRMWARE_TESTS_SECOC_BENCH_H
#define FIRMWARE_TESTS_SECOC_BENCH_H

#include "../../core/secoc.h"
#include "../fake_port.h"

extern const uint8_t secoc_bench_key[16];

struct secoc_pdu_config secoc_bench_profile_1(uint8_t authentic_bytes);
struct secoc_pdu_config secoc_bench_profile_2(void);
struct secoc_pdu_config secoc_bench_profile_3(void);
/* Reading B has the sent byte of the freshness under the MAC too. */
struct secoc_pdu_config secoc_bench_demo(bool reading_b);

/* A fresh port; optional: the faults' names. */
void secoc_bench_setup(const char *faults);
/* As after power off and on: the memory stays, all else is gone. */
void secoc_bench_power_cycle(const char *faults);
/* Two ends of a PDU: the sender keeps its freshness elsewhere. */
uint8_t secoc_bench_open(const struct secoc_pdu_config *config, unsigned place);
size_t secoc_bench_bytes(const char *hex, uint8_t *buffer);
const char *secoc_bench_hex(const uint8_t *bytes, size_t length);

#endif
