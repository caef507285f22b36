/* SPDX-License-Identifier: Apache-2.0 */
#include "suggest.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define WORD_MAX 63

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

unsigned edit_distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1], *before = rows[0], *above = rows[1], *row = rows[2], *spare;
	size_t a_length = strlen(a), b_length = strlen(b);

	if (a_length > WORD_MAX || b_length > WORD_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= b_length; j++)
		above[j] = before[j] = (unsigned)j;
	for (size_t i = 1; i <= a_length; i++) {
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_length; j++) {
			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + !same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]) && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[b_length];
}

void suggestion_offer(struct suggestion *suggestion, const char *candidate)
{
	size_t length = strlen(suggestion->word);
	/* A third of the word may be wrong; of a short one, one letter. */
	unsigned limit = length < 6 ? 1 + (length > 3) : (unsigned)length / 3, distance;

	if (strcmp(suggestion->word, candidate) == 0)
		return;
	distance = edit_distance(suggestion->word, candidate);
	/* One-letter words are near to all others. */
	if (distance > limit || distance >= strlen(candidate) || (suggestion->best && distance >= suggestion->distance))
		return;
	suggestion->best = candidate;
	suggestion->distance = distance;
}

const char *suggestion_text(const struct suggestion *suggestion, char *buffer, size_t size)
{
	if (suggestion->best)
		(void)snprintf(buffer, size, " (did you mean \"%s\"?)", suggestion->best);
	else if (size > 0)
		buffer[0] = '\0';
	return buffer;
}

const char *suggest_text(const char *word, const char *const *words, char *buffer, size_t size)
{
	struct suggestion suggestion = {.word = word};

	for (; words && *words; words++)
		suggestion_offer(&suggestion, *words);
	return suggestion_text(&suggestion, buffer, size);
}
