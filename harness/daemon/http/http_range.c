/* SPDX-License-Identifier: Apache-2.0 */
#include "http_range.h"

#include <string.h>
#include <strings.h>

/* Digits at *text, which is moved behind them; false when there are none or the number is too large. */
static bool take_number(const char **text, uint64_t *ret)
{
	const char *at = *text;

	for (*ret = 0; *at >= '0' && *at <= '9'; at++) {
		if (*ret > (UINT64_MAX - 9) / 10)
			return false;
		*ret = *ret * 10 + (uint64_t)(*at - '0');
	}
	if (at == *text)
		return false;
	*text = at;
	return true;
}

enum http_range http_range_parse(const char *header, uint64_t size, uint64_t *ret_first, uint64_t *ret_length)
{
	uint64_t first, last = UINT64_MAX;
	bool suffix;

	*ret_first = 0;
	*ret_length = size;
	if (!header || strncasecmp(header, "bytes=", 6) != 0)
		return HTTP_RANGE_WHOLE;
	header += 6;
	suffix = *header == '-';
	header += suffix;
	if (!take_number(&header, &first))
		return HTTP_RANGE_WHOLE;
	if (suffix) {
		if (*header != '\0')
			return HTTP_RANGE_WHOLE;
		if (first == 0 || size == 0)
			return HTTP_RANGE_OUTSIDE;
		*ret_length = first < size ? first : size;
		*ret_first = size - *ret_length;
		return HTTP_RANGE_PART;
	}
	if (*header++ != '-' || (*header != '\0' && !take_number(&header, &last)) || *header != '\0' || last < first)
		return HTTP_RANGE_WHOLE;
	if (first >= size)
		return HTTP_RANGE_OUTSIDE;
	*ret_first = first;
	*ret_length = (last < size ? last + 1 : size) - first;
	return HTTP_RANGE_PART;
}

bool http_tag_matches(const char *header, const char *tag)
{
	size_t length;

	if (!header || !tag)
		return false;
	if (strncmp(tag, "W/", 2) == 0)
		tag += 2;
	length = strlen(tag);
	while (*header) {
		header += strspn(header, " \t,");
		if (*header == '*')
			return true;
		if (strncmp(header, "W/", 2) == 0)
			header += 2;
		if (strncmp(header, tag, length) == 0 && (header[length] == '\0' || strchr(" \t,", header[length])))
			return true;
		if (*header == '"') { /* a tag may hold commas */
			header++;
			header += strcspn(header, "\"");
			header += *header == '"';
		} else {
			header += strcspn(header, ",");
		}
	}
	return false;
}
