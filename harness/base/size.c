/* SPDX-License-Identifier: Apache-2.0 */
#include "size.h"

#include <inttypes.h>
#include <stdio.h>

const char *size_text(uint64_t bytes, char *buffer, size_t size)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB"};
	unsigned unit = 0;
	while (unit + 1 < sizeof(names) / sizeof(*names) && bytes >> (10 * (unit + 1)))
		unit++;
	uint64_t whole = bytes >> (10 * unit), rest = bytes - (whole << (10 * unit));
	unsigned tenths = (unsigned)((rest * 10) >> (10 * unit));
	if (tenths)
		(void)snprintf(buffer, size, "%" PRIu64 ".%u %s", whole, tenths, names[unit]);
	else
		(void)snprintf(buffer, size, "%" PRIu64 " %s", whole, names[unit]);
	return buffer;
}
