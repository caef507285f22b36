/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lang_private.h"

#define LIMIT_DEFAULT 100

void error_list_add(struct error_list *list, const struct error *err)
{
	unsigned limit = list->limit ? list->limit : LIMIT_DEFAULT, capacity;
	struct error *grown;

	if (list->count >= limit) {
		list->dropped++;
		return;
	}
	if (list->count == list->capacity) {
		capacity = list->capacity ? list->capacity * 2 : 8;
		grown = realloc(list->items, capacity * sizeof(*grown));
		if (!grown) {
			list->dropped++;
			return;
		}
		list->items = grown;
		list->capacity = capacity;
	}
	list->items[list->count++] = *err;
}

void error_list_free(struct error_list *list)
{
	free(list->items);
	list->items = NULL;
	list->count = list->capacity = list->dropped = 0;
}

static int compare_places(const void *a, const void *b)
{
	const struct error *left = a, *right = b;
	int order = strcmp(left->place.file ? left->place.file : "", right->place.file ? right->place.file : "");

	if (order)
		return order;
	if (left->place.line != right->place.line)
		return left->place.line < right->place.line ? -1 : 1;
	if (left->place.column != right->place.column)
		return left->place.column < right->place.column ? -1 : 1;
	return strcmp(left->message, right->message);
}

void error_list_sort(struct error_list *list)
{
	if (list->count > 1)
		qsort(list->items, list->count, sizeof(*list->items), compare_places);
}

/* The same sentence about the same place, or the same place with another combination of parameters. */
static bool same_error(const struct error *a, const struct error *b)
{
	const char *with_a = strstr(a->message, " (with "), *with_b = strstr(b->message, " (with ");

	if (a->place.line != b->place.line || a->place.column != b->place.column || a->place.file != b->place.file)
		return false;
	return (with_a && with_b) || strcmp(a->message, b->message) == 0;
}

void checker_add(struct checker *checker, const struct error *err)
{
	checker->found++;
	for (unsigned i = 0; i < checker->errors->count; i++)
		if (same_error(&checker->errors->items[i], err))
			return;
	error_list_add(checker->errors, err);
}

void checker_error(struct checker *checker, struct place place, const char *format, ...)
{
	struct error err = {0};
	char message[sizeof(err.message)];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	(void)error_set_place(&err, ERROR_USAGE, 0, place, "%s", message);
	checker_add(checker, &err);
}

void checker_no_memory(struct checker *checker)
{
	struct error err = {0};

	(void)error_set(&err, ERROR_BENCH, ENOMEM, "out of memory");
	checker_add(checker, &err);
}
