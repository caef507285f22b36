/* SPDX-License-Identifier: Apache-2.0 */
#include "stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Sums and products of nanoseconds pass 64 bits. */
__extension__ typedef __int128 stats_wide;

static int compare_ns(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

void stats_sort(int64_t *values_ns, size_t count)
{
	if (count > 1)
		qsort(values_ns, count, sizeof(*values_ns), compare_ns);
}

int64_t stats_quantile(const int64_t *sorted_ns, size_t count, unsigned per_mille)
{
	size_t position, below;
	int64_t rest;

	if (count == 0)
		return 0;
	/* Thousandths of an index: whole numbers keep the result the same on every machine. */
	position = (count - 1) * (per_mille > 1000 ? 1000 : per_mille);
	below = position / 1000;
	rest = (int64_t)(position % 1000);
	if (rest == 0)
		return sorted_ns[below];
	return sorted_ns[below] + (int64_t)(((stats_wide)(sorted_ns[below + 1] - sorted_ns[below]) * rest + 500) / 1000);
}

static int64_t mean_ns(const int64_t *values_ns, size_t count)
{
	stats_wide sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += values_ns[i];
	sum += sum < 0 ? -(stats_wide)(count / 2) : (stats_wide)(count / 2);
	return (int64_t)(sum / (stats_wide)count);
}

int stats_of(const int64_t *values_ns, size_t count, struct stats *ret)
{
	int64_t *sorted;

	if (count == 0) {
		*ret = (struct stats){0};
		return 0;
	}
	sorted = calloc(count, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, values_ns, count * sizeof(*sorted));
	stats_sort(sorted, count);
	*ret = (struct stats){
	        .count = count,
	        .min_ns = sorted[0],
	        .p50_ns = stats_quantile(sorted, count, 500),
	        .p95_ns = stats_quantile(sorted, count, 950),
	        .max_ns = sorted[count - 1],
	        .mean_ns = mean_ns(sorted, count),
	};
	free(sorted);
	return 0;
}
