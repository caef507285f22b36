/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define ELLIPSIS    "\xe2\x80\xa6"

void text_free(struct text *text)
{
	bytes_free(&text->bytes);
	text->failed = false;
}

static void put(struct text *text, const void *data, size_t length)
{
	if (!text->failed && bytes_append(&text->bytes, data, length) < 0)
		text->failed = true;
}

void text_put(struct text *text, const char *s)
{
	if (s)
		put(text, s, strlen(s));
}

void text_printf(struct text *text, const char *format, ...)
{
	char *line = NULL;
	va_list arguments;
	va_start(arguments, format);
	int length = vasprintf(&line, format, arguments);
	va_end(arguments);
	if (length < 0) {
		text->failed = true;
		return;
	}
	put(text, line, (size_t)length);
	free(line);
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void text_put_html(struct text *text, const char *s)
{
	for (; s && *s != '\0'; s++) {
		const char *escaped = entity(*s);
		if (escaped)
			text_put(text, escaped);
		else
			put(text, s, 1);
	}
}

void text_put_ms(struct text *text, int64_t ns)
{
	char buffer[TEXT_NUMBER_SIZE];
	text_put(text, text_ms(ns, buffer));
}

void text_put_seconds(struct text *text, int64_t ns)
{
	char buffer[TEXT_NUMBER_SIZE];
	text_put(text, text_seconds(ns, buffer));
}

const char *text_end(struct text *text)
{
	put(text, "", 1);
	if (text->failed)
		return "";
	text->bytes.length--;
	return (const char *)text->bytes.data;
}

/* Length of the well-formed UTF-8 sequence at p (RFC 3629), 0 when there is none. */
static size_t sequence_length(const unsigned char *p, size_t left, uint32_t *ret_point)
{
	if (p[0] < 0x80) {
		*ret_point = p[0];
		return 1;
	}
	size_t length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || length > left)
		return 0;
	uint32_t point = p[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (p[i] & 0x3fu);
	}
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret_point = point;
	return length;
}

/* Marks that reorder text could make a device's output look like something else. */
static bool reorders(uint32_t point)
{
	return (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

static bool xml_allows(uint32_t point)
{
	if (point < 0x20)
		return point == '\t' || point == '\n' || point == '\r';
	return point != 0xfffe && point != 0xffff;
}

char *text_clean(const char *data, size_t length, size_t limit)
{
	const unsigned char *p = (const unsigned char *)data;
	/* The worst input is all bad bytes: three bytes for each. */
	char *clean = malloc(length * 3 + sizeof(ELLIPSIS));
	if (!clean)
		return NULL;
	size_t used = 0;
	for (size_t i = 0; i < length;) {
		uint32_t point = 0;
		size_t n = sequence_length(p + i, length - i, &point);
		bool good = n > 0 && xml_allows(point) && !reorders(point);
		size_t adds = good ? n : strlen(REPLACEMENT);
		if (limit > 0 && used + adds > limit) {
			memcpy(clean + used, ELLIPSIS, strlen(ELLIPSIS));
			used += strlen(ELLIPSIS);
			break;
		}
		memcpy(clean + used, good ? (const char *)p + i : REPLACEMENT, adds);
		used += adds;
		i += n > 0 ? n : 1;
	}
	clean[used] = '\0';
	return clean;
}

static const char *decimal(int64_t value, int64_t unit, int digits, char *buffer)
{
	uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	snprintf(buffer, TEXT_NUMBER_SIZE, "%s%" PRIu64 ".%0*" PRIu64, value < 0 && magnitude > 0 ? "-" : "", magnitude / (uint64_t)unit,
	         digits, magnitude % (uint64_t)unit);
	return buffer;
}

static int64_t round_us(int64_t ns)
{
	return ns / 1000 + (ns % 1000 >= 500) - (ns % 1000 <= -500);
}

const char *text_ms(int64_t ns, char *buffer)
{
	return decimal(round_us(ns), 1000, 3, buffer);
}

const char *text_seconds(int64_t ns, char *buffer)
{
	return decimal(round_us(ns), 1000000, 6, buffer);
}

const char *text_real(double value, char *buffer)
{
	snprintf(buffer, TEXT_NUMBER_SIZE, "%.4g", value);
	/* Whatever the locale writes between whole and fraction. */
	for (char *p = buffer; *p; p++)
		if (!strchr("0123456789+-e", *p)) {
			size_t length = strcspn(p, "0123456789");
			*p = '.';
			memmove(p + 1, p + length, strlen(p + length) + 1);
		}
	return buffer;
}

const char *text_utc(int64_t realtime_ns, char *buffer)
{
	time_t seconds = (time_t)(realtime_ns / 1000000000);
	struct tm utc;
	if (realtime_ns < 0 || !gmtime_r(&seconds, &utc)) {
		buffer[0] = '\0';
		return buffer;
	}
	size_t used = strftime(buffer, TEXT_NUMBER_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(buffer + used, TEXT_NUMBER_SIZE - used, ".%03dZ", (int)(realtime_ns % 1000000000 / 1000000));
	return buffer;
}
