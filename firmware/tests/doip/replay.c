/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target once over every file named on the command line. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_SIZE 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	static uint8_t input[INPUT_SIZE];
	if (argc < 2) {
		fputs("usage: replay FILE...\n", stderr);
		return EXIT_FAILURE;
	}
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");
		if (file == NULL) {
			perror(argv[i]);
			return EXIT_FAILURE;
		}
		size_t size = fread(input, 1, sizeof input, file);
		fclose(file);
		LLVMFuzzerTestOneInput(input, size);
	}
	printf("%d inputs replayed\n", argc - 1);
	return EXIT_SUCCESS;
}
