/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and packages for the tests of packages. */
#ifndef HARNESS_TESTS_PROTO_SWPG_MAKER_H
#define HARNESS_TESTS_PROTO_SWPG_MAKER_H

#include "../../proto/swpg.h"

#define MAKER_TIME 1767225600u

/* A new P-256 key in a file of its own that is removed again; fails the test when that cannot be. */
struct swpg_key *maker_key(uint32_t id);
/* The same key, its public half alone. */
struct swpg_key *maker_public(uint32_t id);
/* Writes text into a new file and returns its name (free it after unlink). */
char *maker_file(const char *text);

/* Zonal gateway, 1.2.3.4, sequence 5, counter 7. */
struct swpg_options maker_options(const struct swpg_key *, uint8_t compression);
/* Bytes that compress well and have no structure of a package. */
void maker_software(uint8_t *software, size_t length);
/* Right package of `length` bytes of such software. */
void maker_package(struct bytes *ret, const struct swpg_key *, uint8_t compression, size_t length);

/* What parse (then "parse: …") or verify finds, as lines; "" for a right one. Free it. */
char *maker_findings(const struct bytes *package, const struct swpg_key *, uint32_t counter);

#endif
