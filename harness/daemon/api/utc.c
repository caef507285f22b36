/* SPDX-License-Identifier: Apache-2.0 */
#include "utc.h"

#include <stdio.h>
#include <time.h>

#define S_NS  INT64_C(1000000000)
#define MS_NS INT64_C(1000000)

const char *utc_format(int64_t utc_ns, char text[UTC_SIZE])
{
	time_t seconds = (time_t)(utc_ns / S_NS);
	struct tm tm;
	if (utc_ns < 0)
		seconds = 0, utc_ns = 0;
	gmtime_r(&seconds, &tm);
	size_t length = strftime(text, UTC_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + length, UTC_SIZE - length, ".%03uZ", (unsigned)(utc_ns % S_NS / MS_NS));
	return text;
}

/* count digits; -1: there are others. */
static int digits(const char **text, unsigned count)
{
	int number = 0;
	for (; count > 0; count--, (*text)++) {
		if (**text < '0' || **text > '9')
			return -1;
		number = number * 10 + (**text - '0');
	}
	return number;
}

static bool literal(const char **text, char wanted)
{
	if (**text != wanted)
		return false;
	(*text)++;
	return true;
}

static bool parse_date(const char **text, struct tm *tm)
{
	int year = digits(text, 4);
	bool fits = literal(text, '-');
	int month = fits ? digits(text, 2) : -1;
	fits = fits && literal(text, '-');
	int day = fits ? digits(text, 2) : -1;
	if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	*tm = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
	return true;
}

static bool parse_time(const char **text, struct tm *tm, int64_t *ret_ns)
{
	int hour = digits(text, 2);
	bool fits = literal(text, ':');
	int minute = fits ? digits(text, 2) : -1;
	fits = fits && literal(text, ':');
	int second = fits ? digits(text, 2) : -1;
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
		return false;
	tm->tm_hour = hour, tm->tm_min = minute, tm->tm_sec = second < 60 ? second : 59; /* a leap second is none to the clock */
	*ret_ns = 0;
	if (!literal(text, '.'))
		return true;
	int64_t unit = S_NS / 10;
	for (; **text >= '0' && **text <= '9' && unit > 0; (*text)++, unit /= 10)
		*ret_ns += (**text - '0') * unit;
	return unit < S_NS / 10;
}

static bool parse_offset(const char **text, int64_t *ret_s)
{
	*ret_s = 0;
	if (literal(text, 'Z'))
		return true;
	int sign = **text == '-' ? -1 : 1;
	if (!literal(text, '+') && !literal(text, '-'))
		return false;
	int hour = digits(text, 2);
	int minute = literal(text, ':') ? digits(text, 2) : -1;
	*ret_s = sign * (hour * 3600 + minute * 60);
	return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59;
}

bool utc_parse(const char *text, int64_t *ret_utc_ns)
{
	struct tm tm;
	int64_t ns = 0, offset_s = 0;
	if (!parse_date(&text, &tm))
		return false;
	int day = tm.tm_mday;
	if (*text != '\0' && !(literal(&text, 'T') && parse_time(&text, &tm, &ns) && parse_offset(&text, &offset_s) && *text == '\0'))
		return false;
	time_t seconds = timegm(&tm);
	if (tm.tm_mday != day) /* 30 February */
		return false;
	*ret_utc_ns = (seconds - offset_s) * S_NS + ns;
	return true;
}
