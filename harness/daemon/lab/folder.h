/* SPDX-License-Identifier: Apache-2.0 */
/* Working directories: made, and taken away in small portions, whatever a job has left in them. */
#ifndef HARNESS_DAEMON_LAB_FOLDER_H
#define HARNESS_DAEMON_LAB_FOLDER_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "../../base/error.h"

/* With its parents, mode 0750; what is there stays. */
int folder_make(const char *path, struct error *err) WARN_UNUSED;

/* What is given to it is gone from its place at once (renamed into `trash`) and removed while the loop is idle. */
struct folder_remover;
/* trash is made; what an earlier daemon left in it is removed too. */
int folder_remover_new(struct folder_remover **ret, sd_event *, const char *trash, struct error *err) WARN_UNUSED;
void folder_remover_free(struct folder_remover *); /* the rest is removed by the next */
/* -ENOENT is no failure. */
int folder_remove(struct folder_remover *, const char *path, struct error *err) WARN_UNUSED;

#endif
