/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that a CPU runs or reads: what was there at the reset is what it sees until the next one. */
#ifndef FIRMWARE_SILICON_IMAGE_H
#define FIRMWARE_SILICON_IMAGE_H

#include "straps.h"

/* A memfd that may be written until it is sealed, and run. -errno. */
int image_create(const char *name);
int image_seal(int fd);

/* A sealed memfd of NAME=VALUE lines; the values of objects are their descriptors, object_fd onwards in order. -errno. */
int image_parameters(const struct straps *straps, int first_object_fd);

#endif
