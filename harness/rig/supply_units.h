/* SPDX-License-Identifier: Apache-2.0 */
/* Voltages and currents as rig files and cases write them. */
#ifndef HARNESS_RIG_SUPPLY_UNITS_H
#define HARNESS_RIG_SUPPLY_UNITS_H

#include "../base/value.h"

#define SUPPLY_MAX_MV 1000000U
#define SUPPLY_MAX_MA 1000000U

/* "12V", "3300mV", "1.5 V" -> mV; "2A", "500mA" -> mA. A fraction has to end at the whole mV or mA. 0 or -EINVAL. */
int supply_parse_voltage(const char *text, uint32_t *ret_mv) WARN_UNUSED;
int supply_parse_current(const char *text, uint32_t *ret_ma) WARN_UNUSED;
/* The same of a value; ERROR_USAGE at its place, `name` is the key. */
int supply_value_voltage(const struct value *, const char *name, uint32_t *ret_mv, struct error *err) WARN_UNUSED;
int supply_value_current(const struct value *, const char *name, uint32_t *ret_ma, struct error *err) WARN_UNUSED;
/* A duration by key of a map, ns; fallback when the key is absent. ERROR_USAGE at its place. */
int supply_value_time(const struct value *map, const char *key, int64_t fallback_ns, int64_t *ret_ns, struct error *err) WARN_UNUSED;

#endif
