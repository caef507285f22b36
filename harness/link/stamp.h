/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel receive stamps of sockets (SO_TIMESTAMPING, software). */
#ifndef HARNESS_LINK_STAMP_H
#define HARNESS_LINK_STAMP_H

#include <sys/socket.h>
#include <sys/types.h>

#include "../base/timeline.h"

/* Room for a stamp and a packet information message. */
#define STAMP_CONTROL_SIZE 256

/* Asks for stamps; a kernel that refuses is no error (the reader's clock serves then). Accepted sockets inherit it. */
void stamp_enable(int fd);
/* The stamp that came with a message, else now. Renews the clock bracket when it is older than 100 ms, so that a
 * slewed CLOCK_REALTIME stays within its stated uncertainty. */
struct instant stamp_of_message(struct msghdr *);
/* recv() with stamp. For a stream the stamp is that of the last segment whose bytes were returned. */
ssize_t stamp_receive(int fd, void *buffer, size_t size, struct instant *ret_at);

#endif
