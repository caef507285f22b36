/* SPDX-License-Identifier: Apache-2.0 */
/* HOST:PORT as endpoint.inject writes it. */
#ifndef HARNESS_RUN_STEPS_ENDPOINT_CHECK_H
#define HARNESS_RUN_STEPS_ENDPOINT_CHECK_H

#include "../../lang/program.h"

#define ENDPOINT_TEXT_MAX 255 /* characters; a device whose profile says `endpoint_size` takes fewer than that */

/* One of `endpoint` and `bytes`, and what they hold: HOST is a name, an IPv4 address or an IPv6 address in brackets, PORT 1..65535;
 * either has 1..ENDPOINT_TEXT_MAX bytes, `bytes` may also be empty. ERROR_USAGE at the argument. */
int endpoint_check_call(const struct step_call *, const struct value *known, struct error *err) WARN_UNUSED;

#endif
