/* SPDX-License-Identifier: Apache-2.0 */
/* What a board takes from whoever is plugged into its debug connector: any characters, in any pieces. The first byte is the size of the
 * pieces; the same characters in one piece have to do the same. */
#include "../../silicon/jtag_bitbang.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
	if (!right)
		__builtin_trap();
}

struct chip {
	uint8_t memory[256];
	unsigned holds;
	struct dap dap;
	struct jtag jtag;
	struct jtag_bitbang bitbang;
	char answers[4096];
	size_t answered;
};

static bool chip_read(void *context, uint32_t address, unsigned size, uint32_t *ret_value)
{
	struct chip *chip = context;
	check((size == 1 || size == 2 || size == 4) && address % size == 0);
	if (address > sizeof chip->memory - size)
		return false;
	*ret_value = 0;
	memcpy(ret_value, chip->memory + address, size);
	return true;
}

static bool chip_write(void *context, uint32_t address, unsigned size, uint32_t value)
{
	struct chip *chip = context;
	check((size == 1 || size == 2 || size == 4) && address % size == 0);
	check(size == 4 || value >> 8 * size == 0);
	if (address > sizeof chip->memory - size)
		return false;
	memcpy(chip->memory + address, &value, size);
	return true;
}

static void chip_hold(void *context, bool on)
{
	struct chip *chip = context;
	check(on == !(chip->holds++ & 1)); /* on and off take turns */
}

/* false: it said that it goes. */
static bool feed(struct chip *chip, const uint8_t *data, size_t size)
{
	char answer[4096];
	size_t answered = 0;
	bool quit = jtag_bitbang_take(&chip->bitbang, (const char *)data, size, answer, &answered);
	check(answered <= size && chip->answered + answered <= sizeof chip->answers);
	memcpy(chip->answers + chip->answered, answer, answered);
	chip->answered += answered;
	check(chip->jtag.length <= DAP_LENGTH && (unsigned)chip->jtag.state < 16 && chip->jtag.instruction < 16);
	return !quit;
}

static void run(struct chip *chip, const struct dap_memory *memory, const uint8_t *data, size_t size, size_t piece)
{
	memset(chip, 0, sizeof *chip);
	dap_init(&chip->dap, memory);
	jtag_init(&chip->jtag, JTAG_IDCODE, &chip->dap);
	chip->bitbang = (struct jtag_bitbang){.jtag = &chip->jtag, .hold = chip_hold, .context = chip};
	while (size > 0) {
		const size_t part = size < piece ? size : piece;
		if (!feed(chip, data, part))
			break;
		data += part;
		size -= part;
	}
	jtag_bitbang_release(&chip->bitbang);
	check((chip->holds & 1) == 0);
	/* A debugger always finds back. */
	for (int i = 0; i < 5; i++)
		jtag_clock(&chip->jtag, true, false);
	check(chip->jtag.state == JTAG_RESET && chip->jtag.instruction == JTAG_IR_IDCODE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct chip whole, pieces;
	const struct dap_memory memory = {chip_read, chip_write, &whole}, other = {chip_read, chip_write, &pieces};
	if (size < 1 || size > 4096)
		return 0;
	run(&whole, &memory, data + 1, size - 1, 4096);
	run(&pieces, &other, data + 1, size - 1, (size_t)data[0] % 64 + 1);
	check(whole.answered == pieces.answered && memcmp(whole.answers, pieces.answers, whole.answered) == 0);
	check(memcmp(whole.memory, pieces.memory, sizeof whole.memory) == 0);
	return 0;
}
