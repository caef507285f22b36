/* SPDX-License-Identifier: Apache-2.0 */
/* The adapter at the JTAG connector: OpenOCD's remote_bitbang protocol, one character a change of the lines. Pure. */
#ifndef FIRMWARE_SILICON_JTAG_BITBANG_H
#define FIRMWARE_SILICON_JTAG_BITBANG_H

#include <stddef.h>

#include "jtag.h"

struct jtag_bitbang {
	struct jtag *jtag;
	bool tck, srst;
	void (*hold)(void *context, bool on); /* SRST went on or off */
	void *context;
};

/* Takes characters: `0`..`7` the lines (TCK, TMS, TDI), `R` asks for TDO, `r`..`u` the resets (TRST, SRST), `Q` ends; others, among
 * them `B` and `b` for a lamp, do nothing. Answers (at most one byte a character) go to answer[]; *ret_answered bytes.
 * true: the other side said that it goes. */
bool jtag_bitbang_take(struct jtag_bitbang *, const char *text, size_t length, char *answer, size_t *ret_answered);
/* Nobody drives the lines any more: they are pulled to their idle levels. */
void jtag_bitbang_release(struct jtag_bitbang *);

#endif
