/* SPDX-License-Identifier: Apache-2.0 */
#include "error.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Open addressing, grows at half load; never shrinks, because places point into it for the program's life. */
static struct {
	char **slots;
	size_t capacity, count;
} interned;

static size_t intern_hash(const char *text)
{
	uint64_t hash = 14695981039346656037u;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 1099511628211u;
	return (size_t)hash;
}

static char **intern_slot(char **slots, size_t capacity, const char *text)
{
	size_t i = intern_hash(text) & (capacity - 1);

	while (slots[i] && strcmp(slots[i], text) != 0)
		i = (i + 1) & (capacity - 1);
	return &slots[i];
}

static bool intern_grow(void)
{
	size_t capacity = interned.capacity ? interned.capacity * 2 : 64;
	char **slots = calloc(capacity, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < interned.capacity; i++)
		if (interned.slots[i])
			*intern_slot(slots, capacity, interned.slots[i]) = interned.slots[i];
	free(interned.slots);
	interned.slots = slots;
	interned.capacity = capacity;
	return true;
}

const char *place_intern(const char *file)
{
	char **slot;

	if (!file)
		return NULL;
	if (interned.count * 2 >= interned.capacity && !intern_grow() && interned.count + 1 >= interned.capacity)
		return "?";
	slot = intern_slot(interned.slots, interned.capacity, file);
	if (!*slot) {
		*slot = strdup(file);
		if (!*slot)
			return "?";
		interned.count++;
	}
	return *slot;
}

/* Copies a text, cut between two characters if it is too long: journals and reports take only whole UTF-8. */
static void message_store(struct error *err, const char *text)
{
	size_t length = strnlen(text, sizeof(err->message));

	if (length == sizeof(err->message)) {
		length--;
		while (length > 0 && ((uint8_t)text[length] & 0xc0) == 0x80)
			length--;
	}
	memcpy(err->message, text, length);
	err->message[length] = '\0';
}

int error_set_at(struct error *err, enum error_domain domain, int code, struct place place, const char *source_file, int source_line,
                 const char *format, ...)
{
	char message[sizeof(err->message) + 1], source[128];
	va_list arguments;

	if (err) {
		/* Formatted aside first: an argument may be err->message itself. */
		va_start(arguments, format);
		(void)vsnprintf(message, sizeof(message), format, arguments);
		va_end(arguments);
		(void)snprintf(source, sizeof(source), "%s:%d", source_file, source_line);
		err->domain = domain;
		err->code = code;
		err->place = place;
		err->source = place_intern(source);
		message_store(err, message);
	}
	return code > 0 ? -code : -EINVAL;
}

void error_prefix(struct error *err, const char *format, ...)
{
	char message[2 * sizeof(err->message) + 2];
	size_t length;
	va_list arguments;

	if (!err)
		return;
	va_start(arguments, format);
	(void)vsnprintf(message, sizeof(err->message), format, arguments);
	va_end(arguments);
	length = strlen(message);
	(void)snprintf(message + length, sizeof(message) - length, ": %s", err->message);
	message_store(err, message);
}

const char *error_code_name(const struct error *err)
{
	return err->domain == ERROR_BENCH && err->code > 0 ? strerrorname_np(err->code) : NULL;
}

const char *error_describe(const struct error *err, char *buffer, unsigned size)
{
	if (!err->place.file)
		(void)snprintf(buffer, size, "%s", err->message);
	else if (!err->place.line)
		(void)snprintf(buffer, size, "%s: %s", err->place.file, err->message);
	else
		(void)snprintf(buffer, size, "%s:%u:%u: %s", err->place.file, err->place.line, err->place.column, err->message);
	return buffer;
}
