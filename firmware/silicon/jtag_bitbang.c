/* SPDX-License-Identifier: Apache-2.0 */
#include "jtag_bitbang.h"

static void set_srst(struct jtag_bitbang *bitbang, bool on)
{
	if (bitbang->srst == on)
		return;
	bitbang->srst = on;
	if (bitbang->hold)
		bitbang->hold(bitbang->context, on);
}

static void set_resets(struct jtag_bitbang *bitbang, bool trst, bool srst)
{
	if (trst)
		jtag_reset(bitbang->jtag);
	set_srst(bitbang, srst);
}

static void set_lines(struct jtag_bitbang *bitbang, unsigned lines)
{
	const bool tck = lines & 4;
	if (tck && !bitbang->tck)
		jtag_clock(bitbang->jtag, lines & 2, lines & 1);
	bitbang->tck = tck;
}

bool jtag_bitbang_take(struct jtag_bitbang *bitbang, const char *text, size_t length, char *answer, size_t *ret_answered)
{
	size_t answered = 0;
	bool quit = false;
	for (size_t i = 0; i < length && !quit; i++) {
		const char c = text[i];
		if (c >= '0' && c <= '7')
			set_lines(bitbang, (unsigned)(c - '0'));
		else if (c == 'R')
			answer[answered++] = jtag_tdo(bitbang->jtag) ? '1' : '0';
		else if (c >= 'r' && c <= 'u')
			set_resets(bitbang, (c - 'r') & 2, (c - 'r') & 1);
		quit = c == 'Q';
	}
	*ret_answered = answered;
	return quit;
}

void jtag_bitbang_release(struct jtag_bitbang *bitbang)
{
	set_srst(bitbang, false);
	bitbang->tck = false;
}
