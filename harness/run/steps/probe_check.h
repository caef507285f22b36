/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of the debug probe check of a call before it runs (step_def.check): accesses that no probe can make. */
#ifndef HARNESS_RUN_STEPS_PROBE_CHECK_H
#define HARNESS_RUN_STEPS_PROBE_CHECK_H

#include "../../lang/program.h"

#define PROBE_READ_MAX (1u << 20) /* of probe.read, bytes */

/* Bytes that are read where no `length` is given. */
int64_t probe_read_standard(int64_t width);
/* address, length, width of probe.read: what probe_read() takes (rig/probe.h). ERROR_USAGE at the argument. */
int probe_check_read(const struct step_call *, const struct value *known, struct error *err) WARN_UNUSED;
/* address, width and one of data, word, text of probe.write, likewise. Without `width` any address and length will do. */
int probe_check_write(const struct step_call *, const struct value *known, struct error *err) WARN_UNUSED;

#endif
