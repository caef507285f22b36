/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of the CAN bus check of a call before it runs (step_def.check): frames that cannot be, and arguments that
 * contradict each other. */
#ifndef HARNESS_RUN_STEPS_CAN_CHECK_H
#define HARNESS_RUN_STEPS_CAN_CHECK_H

#include "../../lang/program.h"

/* False: the argument is absent without default, or its value is not known yet. */
bool known_integer(const struct value *known, const char *name, int64_t *ret);
bool known_bool(const struct value *known, const char *name, bool *ret);
const char *known_text(const struct value *known, const char *name);          /* NULL as above */
const struct bytes *known_bytes(const struct value *known, const char *name); /* NULL as above */

/* ERROR_USAGE at the argument, or at the step when it is not written. Returns -EINVAL. */
int call_refuse(const struct step_call *, const char *name, struct error *, const char *format, ...) PRINTF_LIKE(4, 5);
/* Refuses the first of the others (NULL-terminated) that stands beside `name`; `why` ends the message. */
int call_check_alone(const struct step_call *, const char *name, const char *const *others, const char *why, struct error *) WARN_UNUSED;

/* A standard identifier has 11 bits: `id_name` against the argument `extended`. */
int can_check_id(const struct step_call *, const struct value *known, const char *id_name, struct error *) WARN_UNUSED;
/* id, extended, fd, brs, esi, remote, data, length of a frame, as far as the step has them (ISO 11898-1:2015, 10.4). */
int can_check_frame(const struct step_call *, const struct value *known, struct error *) WARN_UNUSED;
/* A length that a DLC stands for: 0 to 8, and with CAN FD 12, 16, 20, 24, 32, 48, 64. */
int can_check_length(const struct step_call *, const struct value *known, const char *name, bool fd, struct error *) WARN_UNUSED;
/* At most so many bytes in the argument. */
int can_check_bytes(const struct step_call *, const struct value *known, const char *name, size_t limit, const char *what,
                    struct error *) WARN_UNUSED;
/* `key`: AES-128 has 16 bytes. */
int secoc_check_key(const struct step_call *, const struct value *known, struct error *) WARN_UNUSED;

#endif
