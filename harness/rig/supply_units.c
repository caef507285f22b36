/* SPDX-License-Identifier: Apache-2.0 */
#include "supply_units.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Decimal digits with at most three after the point, in thousandths; *ret_end behind them. */
static int parse_thousandths(const char *text, uint64_t *ret, const char **ret_end)
{
	uint64_t whole = 0, part = 0;
	unsigned digits = 0, scale = 1000;
	for (; isdigit((unsigned char)*text); text++, digits++) {
		if (whole > UINT32_MAX)
			return -EINVAL;
		whole = whole * 10 + (unsigned)(*text - '0');
	}
	if (digits && *text == '.') {
		for (digits = 0, text++; isdigit((unsigned char)*text); text++, digits++) {
			if (scale == 1 && *text != '0')
				return -EINVAL;
			if (scale > 1) {
				scale /= 10;
				part += (unsigned)(*text - '0') * scale;
			}
		}
	}
	if (!digits)
		return -EINVAL;
	*ret = whole * 1000 + part;
	*ret_end = text;
	return 0;
}

static int parse(const char *text, char unit, uint32_t maximum, uint32_t *ret)
{
	uint64_t thousandths;
	while (*text == ' ')
		text++;
	int r = parse_thousandths(text, &thousandths, &text);
	if (r < 0)
		return r;
	while (*text == ' ')
		text++;
	bool milli = *text == 'm';
	text += milli ? 1 : 0;
	if (text[0] != unit || text[1])
		return -EINVAL;
	if (milli && thousandths % 1000)
		return -EINVAL;
	thousandths = milli ? thousandths / 1000 : thousandths;
	if (thousandths > maximum)
		return -EINVAL;
	*ret = (uint32_t)thousandths;
	return 0;
}

int supply_parse_voltage(const char *text, uint32_t *ret_mv)
{
	return parse(text, 'V', SUPPLY_MAX_MV, ret_mv);
}

int supply_parse_current(const char *text, uint32_t *ret_ma)
{
	return parse(text, 'A', SUPPLY_MAX_MA, ret_ma);
}

int supply_value_voltage(const struct value *value, const char *name, uint32_t *ret_mv, struct error *err)
{
	if (value->type == VALUE_TEXT && supply_parse_voltage(value->text, ret_mv) == 0)
		return 0;
	return error_set_place(err, ERROR_USAGE, EINVAL, value->place,
	                       "`%s` must be a voltage in V or mV, like 12V or 3300mV (at most 1000V)", name);
}

int supply_value_current(const struct value *value, const char *name, uint32_t *ret_ma, struct error *err)
{
	if (value->type == VALUE_TEXT && supply_parse_current(value->text, ret_ma) == 0)
		return 0;
	return error_set_place(err, ERROR_USAGE, EINVAL, value->place,
	                       "`%s` must be a current in A or mA, like 2A or 500mA (at most 1000A)", name);
}

int supply_value_time(const struct value *map, const char *key, int64_t fallback_ns, int64_t *ret_ns, struct error *err)
{
	const struct value *value = value_get(map, key);
	struct value *duration = NULL;
	*ret_ns = fallback_ns;
	if (!value)
		return 0;
	int r = value_convert(value, VALUE_DURATION, &duration, err);
	if (r < 0) {
		error_prefix(err, "`%s`", key);
		return r;
	}
	if (duration->integer < 0)
		r = error_set_place(err, ERROR_USAGE, EINVAL, value->place, "`%s` must not be negative", key);
	else
		*ret_ns = duration->integer;
	value_free(duration);
	return r;
}
