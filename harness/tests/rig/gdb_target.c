/* SPDX-License-Identifier: Apache-2.0 */
/* What a gdbserver debugs in the tests: a program that counts, at an address below 4 GiB that the linker is told. */
#include <unistd.h>

__attribute__((section(".counter"))) volatile unsigned counter = 1;

int main(void)
{
	alarm(30); /* whatever becomes of the debugger */
	for (;;) {
		counter++;
		usleep(1000);
	}
}
