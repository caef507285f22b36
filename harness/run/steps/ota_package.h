/* SPDX-License-Identifier: Apache-2.0 */
/* Packages as steps name them: found among the fixtures, changed on purpose, kept in the run's directory. */
#ifndef HARNESS_RUN_STEPS_OTA_PACKAGE_H
#define HARNESS_RUN_STEPS_OTA_PACKAGE_H

#include "../../proto/swpg.h"
#include "../step_context.h"

/* A file by its path, or by its name among the fixtures' packages ("zgw-1.1.0"; without suffix .swpg is meant). Replaces what
 * ret_package held. ERROR_TESTCASE when it is not there, a directory or too large, ERROR_BENCH when it cannot be read. */
int ota_package_read(const char *name, struct bytes *ret_package, struct error *err) WARN_UNUSED;
/* Whether a package, or a key, is there by the name that a step gives it. */
int ota_package_exists(const char *name, bool key, struct error *err) WARN_UNUSED;
/* ERROR_TESTCASE for a file that nobody means as a package: shorter than a header, or a campaign without `part`. What package.build made
 * in this run passes, however wrong. */
int ota_package_plausible(struct step_context *, const char *name, const struct bytes *content, bool part, struct error *err) WARN_UNUSED;
/* The package of a target out of a campaign. ERROR_TESTCASE when it has none. */
int ota_package_part(struct bytes *campaign, uint16_t target, struct error *err) WARN_UNUSED;
/* A key by its path or its name among the fixtures' keys ("ota-1"); a number at the end of the name is its id, else 1. */
int ota_package_key(const char *name, struct swpg_key **ret, struct error *err) WARN_UNUSED;
/* swpg_mutate() with a key by name; mutations NULL: nothing. A mutation that cannot be is ERROR_TESTCASE. */
int ota_package_mutate(struct bytes *package, const char *mutations_or_null, const char *key, struct error *err) WARN_UNUSED;
/* Writes a package into the run's directory under a name of its own; ret_path is its absolute path. */
int ota_package_keep(struct step_context *, const char *name, const struct bytes *package, char *ret_path, size_t size,
                     struct error *err) WARN_UNUSED;
/* Where header, payload and trailer of anything lie, however wrong it is: what does not decode has a header of its first bytes
 * and a trailer of its last ones. */
struct ota_parts {
	const uint8_t *header, *trailer;
	size_t header_length, trailer_length;
};
struct ota_parts ota_package_parts(const struct bytes *package);
/* "1.2.3" or "1.2.3.4" of a header's version field. */
void ota_version_text(const uint8_t version[4], char ret[20]);
/* ERROR_TESTCASE for a text that is none. */
int ota_version_parse(const char *text, uint8_t ret[4], struct error *err) WARN_UNUSED;

#endif
