/* SPDX-License-Identifier: Apache-2.0 */
/* The files of `hilbench package`, and the names of boards in its arguments. */
#ifndef HARNESS_CLI_PACKAGE_FILE_H
#define HARNESS_CLI_PACKAGE_FILE_H

#include <stdbool.h>

#include "../proto/swpg.h"

/* The whole file, at most limit bytes. ERROR_USAGE when it cannot be read or has more. */
int package_file_read(const char *path, size_t limit, struct bytes *ret_data, struct error *err) WARN_UNUSED;
/* Whole or not at all. ERROR_USAGE for a path that is no place for a file, ERROR_BENCH when writing fails. */
int package_file_write(const char *path, const struct bytes *data, struct error *err) WARN_UNUSED;
/* A key by its path, or by its name among the fixtures (keys/ota-1.key). Warns when others can read a private one. */
int package_key_load(struct swpg_key **ret, const char *path, uint32_t key_id, struct error *err) WARN_UNUSED;

bool package_is_package(const struct bytes *data); /* by its first bytes */
bool package_is_campaign(const struct bytes *data);

/* "zgw", "0x0091", "145". */
int package_target_parse(const char *text, uint16_t *ret, struct error *err) WARN_UNUSED;
const char *package_target_name(uint16_t target); /* "zgw", or "board" */
/* A number from 0 to max, decimal or 0x. */
int package_number(const char *option, const char *text, uint32_t max, uint32_t *ret, struct error *err) WARN_UNUSED;

/* "hilbench package: message" on stderr; the exit status. */
int package_fail(const struct error *err);

/* The subcommands of package_show.c. argv[0] is the subcommand's name. */
int package_show(int argc, char **argv);
int package_verify(int argc, char **argv);

#endif
