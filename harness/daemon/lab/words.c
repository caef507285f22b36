/* SPDX-License-Identifier: Apache-2.0 */
#include "words.h"

#include <stdio.h>
#include <stdlib.h>

void words_add(struct words *words, const char *word)
{
	if (word && words->count < WORDS_MOST)
		words->word[words->count++] = word;
	else
		words->failed = true;
}

void words_add_list(struct words *words, const char *option, const json_t *list)
{
	const json_t *text;
	size_t i;
	json_array_foreach (list, i, text) {
		char *word = NULL;
		if (words->made_count == WORDS_MADE || asprintf(&word, "%s=%s", option, json_string_value(text)) < 0) {
			words->failed = true;
			return;
		}
		words->made[words->made_count++] = word;
		words_add(words, word);
	}
}

void words_free(struct words *words)
{
	for (size_t i = 0; words && i < words->made_count; i++)
		free(words->made[i]);
	free(words);
}
