/* SPDX-License-Identifier: Apache-2.0 */
/* A file of case ids, one a line: which cases a run takes when there are more than a command line holds. */
#ifndef HARNESS_CLI_CASE_IDS_H
#define HARNESS_CLI_CASE_IDS_H

/* Exit status; with 0 *ret is a NULL-terminated list of patterns, each of which fits exactly one id. Empty lines are left out; a file
 * without ids is an error, since it would select everything. */
int case_ids_load(const char *path, char ***ret);
void case_ids_free(char **); /* NULL allowed */

#endif
