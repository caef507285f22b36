/* SPDX-License-Identifier: Apache-2.0 */
#include "words.h"

#include <stdio.h>
#include <stdlib.h>

static void add(struct words *words, char *stolen)
{
	char **items = realloc(words->items, (words->count + 2) * sizeof(*items));
	if (items)
		words->items = items;
	if (!items || !stolen) {
		free(stolen);
		words->failed = true;
		return;
	}
	items[words->count++] = stolen;
	items[words->count] = NULL;
}

void words_add(struct words *words, const char *format, ...)
{
	va_list arguments;
	char *text = NULL;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	add(words, text);
}

void words_free(struct words *words)
{
	for (unsigned i = 0; i < words->count; i++)
		free(words->items[i]);
	free(words->items);
}
