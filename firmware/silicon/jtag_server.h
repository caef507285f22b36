/* SPDX-License-Identifier: Apache-2.0 */
/* The debug connector of the board: a remote_bitbang server on a UNIX socket, one adapter at a time. */
#ifndef FIRMWARE_SILICON_JTAG_SERVER_H
#define FIRMWARE_SILICON_JTAG_SERVER_H

#include "jtag_bitbang.h"

struct board;

/* Listens at path, in whose place nothing else may be. 0, or -1 with errno. */
int jtag_server_open(struct board *board, const char *path);
void jtag_server_close(void);
/* What to poll: the descriptor (-1 none) and its events. */
int jtag_server_listener(void);
int jtag_server_adapter(short *ret_events);
/* After poll. */
void jtag_server_accept(void);
void jtag_server_serve(void);

#endif
