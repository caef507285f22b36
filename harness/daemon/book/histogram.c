/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define ENCODING_VERSION 1
#define SUB_BITS         5 /* 32 bins in each power of two */

/* Products of nanoseconds and thousandths pass 64 bits. */
__extension__ typedef __int128 histogram_wide;

void histogram_clear(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
}

static unsigned bin_of_magnitude(uint64_t magnitude)
{
	if (magnitude < 1u << SUB_BITS)
		return (unsigned)magnitude;
	unsigned shift = 63 - (unsigned)__builtin_clzll(magnitude) - SUB_BITS;
	return (shift << SUB_BITS) + (unsigned)(magnitude >> shift);
}

/* The middle of a bin: [low, low + width). */
static uint64_t magnitude_of_bin(unsigned bin)
{
	if (bin < 2u << SUB_BITS)
		return bin;
	unsigned shift = (bin >> SUB_BITS) - 1;
	uint64_t low = (uint64_t)((bin & ((1u << SUB_BITS) - 1)) + (1u << SUB_BITS)) << shift;
	return low + ((((uint64_t)1 << shift) - 1) >> 1);
}

void histogram_add(struct histogram *h, int64_t value_ns)
{
	unsigned bin;
	if (value_ns >= 0)
		bin = HISTOGRAM_SIDE + bin_of_magnitude((uint64_t)value_ns);
	else
		bin = HISTOGRAM_SIDE - 1 - bin_of_magnitude(value_ns == INT64_MIN ? (uint64_t)INT64_MAX : (uint64_t)-value_ns);
	h->bins[bin]++;
	h->total++;
}

static int64_t value_of_bin(unsigned bin)
{
	if (bin >= HISTOGRAM_SIDE)
		return (int64_t)magnitude_of_bin(bin - HISTOGRAM_SIDE);
	return -(int64_t)magnitude_of_bin(HISTOGRAM_SIDE - 1 - bin);
}

static bool number_read(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
	*ret = 0;
	for (unsigned shift = 0; *p < end && shift < 63; shift += 7) {
		uint8_t byte = *(*p)++;
		*ret |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

int histogram_merge(struct histogram *h, const void *data, size_t length)
{
	const uint8_t *p = data, *end = p + length;
	if (length == 0 || *p++ != ENCODING_VERSION)
		return -EBADMSG;
	uint64_t bin = 0;
	while (p < end) {
		uint64_t distance, count;
		if (!number_read(&p, end, &distance) || !number_read(&p, end, &count) || distance >= HISTOGRAM_BINS || count == 0)
			return -EBADMSG;
		bin += distance;
		if (bin >= HISTOGRAM_BINS || __builtin_add_overflow(h->total, count, &h->total))
			return -EBADMSG;
		h->bins[bin] += count;
	}
	return 0;
}

static int number_write(struct bytes *out, uint64_t number)
{
	int r = 0;
	for (; number >= 0x80 && r >= 0; number >>= 7)
		r = bytes_append_u8(out, (uint8_t)(number | 0x80));
	return r < 0 ? r : bytes_append_u8(out, (uint8_t)number);
}

int histogram_encode(const struct histogram *h, struct bytes *ret)
{
	bytes_clear(ret);
	int r = bytes_append_u8(ret, ENCODING_VERSION);
	unsigned before = 0;
	for (unsigned bin = 0; bin < HISTOGRAM_BINS && r >= 0; bin++) {
		if (h->bins[bin] == 0)
			continue;
		r = number_write(ret, bin - before);
		if (r >= 0)
			r = number_write(ret, h->bins[bin]);
		before = bin;
	}
	return r;
}

/* The value at two neighbouring ranks, the second not beyond the last. */
static void values_at(const struct histogram *h, uint64_t rank, int64_t ret[2])
{
	uint64_t next = rank + 1 < h->total ? rank + 1 : rank, below = 0;
	for (unsigned bin = 0; bin < HISTOGRAM_BINS; bin++) {
		uint64_t above = below + h->bins[bin];
		if (rank >= below && rank < above)
			ret[0] = value_of_bin(bin);
		if (next >= below && next < above) {
			ret[1] = value_of_bin(bin);
			return;
		}
		below = above;
	}
}

static int64_t between(int64_t value, int64_t low, int64_t high)
{
	return value < low ? low : value > high ? high : value;
}

int64_t histogram_quantile(const struct histogram *h, unsigned per_mille, int64_t min_ns, int64_t max_ns)
{
	if (h->total == 0)
		return 0;
	int64_t at[2] = {min_ns, min_ns};
	histogram_wide position = (histogram_wide)(h->total - 1) * (per_mille > 1000 ? 1000 : per_mille);
	uint64_t rank = (uint64_t)(position / 1000);
	values_at(h, rank, at);
	/* The ends are known exactly. */
	int64_t low = rank == 0 ? min_ns : between(at[0], min_ns, max_ns);
	int64_t high = rank + 2 >= h->total ? max_ns : between(at[1], min_ns, max_ns);
	if (rank + 1 >= h->total)
		low = max_ns;
	return low + (int64_t)((((histogram_wide)high - low) * (int64_t)(position % 1000) + 500) / 1000);
}
