/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_LINK_SERIAL_PRIVATE_H
#define HARNESS_LINK_SERIAL_PRIVATE_H

#include "serial.h"

/* Opens and sets up a tty: 8N1, no flow control, no echo, the speed exactly (termios2). A descriptor or -errno with err. */
int serial_tty_open(const char *path, uint32_t baud, struct error *err) WARN_UNUSED;
int serial_tty_lines(int fd, const char *path, bool rts, bool dtr, struct error *err) WARN_UNUSED;
/* "ttyUSB0 at 921600 8N1" and the kernel's counters, where the driver has them. */
void serial_tty_state(int fd, const char *path, struct serial_state *ret);

#endif
