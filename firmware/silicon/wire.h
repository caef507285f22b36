/* SPDX-License-Identifier: Apache-2.0 */
/* The wire from a board to a bus. */
#ifndef FIRMWARE_SILICON_WIRE_H
#define FIRMWARE_SILICON_WIRE_H

/* Connects to the socket of a virtual bus without joining it. A descriptor; -1 with errno when nobody listens there. */
int wire_connect(const char *path);

#endif
