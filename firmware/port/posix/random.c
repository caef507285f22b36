/* SPDX-License-Identifier: Apache-2.0 */
#include "port_posix.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void port_random(uint8_t *buffer, size_t length)
{
	while (length) {
		ssize_t n = getrandom(buffer, length, 0);
		if (n > 0) {
			buffer += n;
			length -= (size_t)n;
		} else if (errno != EINTR) {
			abort(); /* a node without entropy must not run */
		}
	}
}
