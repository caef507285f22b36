/* SPDX-License-Identifier: Apache-2.0 */
/* A folder for the sockets and logs of buses that have none in a run's directory. Its name tells whose it is; those that a
 * killed process left behind are removed by the next one that makes a folder. */
#ifndef HARNESS_RIG_BUS_FOLDER_H
#define HARNESS_RIG_BUS_FOLDER_H

#include "../base/error.h"

struct bus_folder;
/* Makes PARENT/PREFIX-PID-START-XXXXXX (mode 0700; START: when the process began, in clock ticks since the boot), after
 * bus_folder_sweep(). ERROR_BENCH. */
int bus_folder_new(struct bus_folder **ret, const char *parent, const char *prefix, struct error *) WARN_UNUSED;
const char *bus_folder_path(const struct bus_folder *);
/* Removes the folder with the files in it. NULL allowed. */
void bus_folder_free(struct bus_folder *);
/* Removes folders of this user whose process is gone and which nobody holds a lock on (in another PID namespace the
 * process only seems to be gone). What holds folders in turn is left alone. Returns how many were removed. */
unsigned bus_folder_sweep(const char *parent, const char *prefix);

#endif
