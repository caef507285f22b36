/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of files that a CPU runs or reads: what was loaded at the reset is what it sees until the next one. */
#ifndef FIRMWARE_SILICON_IMAGE_H
#define FIRMWARE_SILICON_IMAGE_H

#include <sys/stat.h>

#include "straps.h"

struct image {
	int fd; /* sealed memfd, -1 none */
	struct stat source;
};

/* Loads the file unless the image is already a copy of it. 0/-errno. */
int image_load(struct image *image, const char *path);
void image_drop(struct image *image);

/* A sealed memfd of NAME=VALUE lines; the values of objects are their descriptors, object_fd onwards in order. -errno. */
int image_parameters(const struct straps *straps, int first_object_fd);

#endif
