/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target is one file fuzz_NAME.c that defines this, one folder corpus/NAME, and one line in meson.build. */
#ifndef HARNESS_FUZZ_FUZZ_H
#define HARNESS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's entry; 0 always. Finds a bug by abort() or by what the sanitizers see. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
