/* SPDX-License-Identifier: Apache-2.0 */
/* gpio_hold CHIP LINE NAME: holds a GPIO line as it is, under this name, until it is ended. Prints "held" when it has it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct gpio_v2_line_request request = {.num_lines = 1};
	if (argc != 4) {
		fprintf(stderr, "usage: gpio_hold CHIP LINE NAME\n");
		return 2;
	}
	request.offsets[0] = (unsigned)strtoul(argv[2], NULL, 10);
	(void)snprintf(request.consumer, sizeof(request.consumer), "%s", argv[3]);
	int chip = open(argv[1], O_RDWR | O_CLOEXEC);
	if (chip < 0 || ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &request) < 0) {
		fprintf(stderr, "gpio_hold: %s line %s: %s\n", argv[1], argv[2], strerror(errno));
		return 1;
	}
	(void)puts("held");
	(void)fflush(stdout);
	for (;;)
		pause();
}
