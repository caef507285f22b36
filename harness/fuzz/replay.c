/* SPDX-License-Identifier: Apache-2.0 */
/* Without libFuzzer: every file of a corpus folder, whole, cut at every eighth of its length, and with bytes changed, so
 * that what fuzzing once found stays found. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define INPUT_MAX (1u << 20)
#define CHANGES   64

/* A copy of its own size, so that the address sanitizer sees a read past its end. */
static void try_input(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		exit(99);
	memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void replay(uint8_t *data, size_t size)
{
	unsigned seed = 1;
	uint8_t kept;
	size_t at;

	for (unsigned i = 0; i <= 8; i++)
		try_input(data, size * i / 8);
	for (unsigned i = 0; size > 0 && i < CHANGES; i++) {
		at = (size_t)rand_r(&seed) % size;
		kept = data[at];
		data[at] = (uint8_t)rand_r(&seed);
		try_input(data, size);
		data[at] = kept;
	}
}

static int by_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	static uint8_t data[INPUT_MAX];
	struct dirent **entries;
	char path[4096];
	FILE *file;
	int count;

	if (argc != 2 || (count = scandir(argv[1], &entries, by_name, alphasort)) <= 0) {
		(void)fprintf(stderr, "usage: %s CORPUS (a folder that is not empty)\n", argv[0]);
		return 99;
	}
	for (int i = 0; i < count; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", argv[1], entries[i]->d_name);
		free(entries[i]);
		file = fopen(path, "rb");
		if (!file)
			return 99;
		replay(data, fread(data, 1, sizeof(data), file));
		(void)fclose(file);
	}
	free(entries);
	(void)printf("%d inputs replayed\n", count);
	return 0;
}
