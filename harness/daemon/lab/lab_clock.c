/* SPDX-License-Identifier: Apache-2.0 */
/* The wall clock, which anybody may set: it decides nothing here, but what is shown and stored is to be right by it. */
#include "../../base/log.h"
#include "lab_private.h"

#define JUMP_NS LAB_SECOND_NS /* less is a clock that is being slewed: it adds up */

static bool is_jump(int64_t by_ns)
{
	return by_ns >= JUMP_NS || by_ns <= -JUMP_NS;
}

/* The next daemon goes by the stored times too. */
static void move_lease(struct lab_rig *rig, int64_t offset_ns)
{
	struct error error = {0};
	struct lab *lab = rig->lab;
	int64_t by_ns = offset_ns + rig->lease.ends_ns - rig->lease.deadline_utc_ns;
	if (!rig->lease.id || !rig->lease.ends_ns || rig->lease.state != LEASE_ACTIVE || !is_jump(by_ns) || book_damage(lab->book))
		return;
	if (book_lease_moved(lab->book, rig->lease.id, by_ns, &error) < 0) {
		lab_again(lab, &error);
		return;
	}
	rig->lease.deadline_utc_ns += by_ns;
	lab_tell_rig(rig);
}

void lab_look_at_clock(struct lab *lab)
{
	const int64_t offset_ns = lab_utc_ns() - lab_now_ns(), moved_ns = offset_ns - lab->clock_offset_ns;
	if (lab->clock_offset_ns && is_jump(moved_ns))
		log_warning("the clock was set by %+.0f s: limits and leases last as long as ever", (double)moved_ns / LAB_SECOND_NS);
	if (!lab->clock_offset_ns || is_jump(moved_ns))
		lab->clock_offset_ns = offset_ns;
	for (size_t i = 0; i < lab->config->rig_count; i++)
		move_lease(&lab->rigs[i], offset_ns);
}
