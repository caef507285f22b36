/* SPDX-License-Identifier: Apache-2.0 */
#include "totals.h"

#include <stdio.h>
#include <string.h>

void group_name(unsigned group, char *buffer, size_t size)
{
	snprintf(buffer, size, "%s.%s.%s", stage_name((enum stage)(group / 2u / REGIONS)), region_name((enum region)(group / 2u % REGIONS)),
	         group % 2u == FLASH_PROGRAM ? "program" : "erase");
}

void totals_wear(struct totals *totals, unsigned region, uint32_t erases)
{
	unsigned most = atomic_load(&totals->wear[region]);

	while (erases > most && !atomic_compare_exchange_weak(&totals->wear[region], &most, erases)) {}
}

void totals_violation(struct totals *totals, unsigned group, const char *id, const struct finding *finding)
{
	unsigned number = atomic_fetch_add(&totals->violations, 1), none = 0;

	atomic_fetch_add(&totals->by_invariant[finding->invariant], 1);
	atomic_fetch_add(&totals->groups[group].violations, 1);
	if (number >= TOTALS_VIOLATIONS)
		return;
	struct violation *violation = &totals->list[number];
	violation->invariant = finding->invariant;
	violation->group = group;
	snprintf(violation->id, sizeof(violation->id), "%s", id);
	snprintf(violation->text, sizeof(violation->text), "%s", finding->text);
	atomic_compare_exchange_strong(&totals->groups[group].first, &none, number + 1);
	atomic_store(&violation->ready, true);
}
