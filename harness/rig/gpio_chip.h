/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a GPIO chip: /dev/gpiochip0, its label, or, of several USB adapters of one kind, its label and serial number: ftdi-cbus@A50285BI.
 */
#ifndef HARNESS_RIG_GPIO_CHIP_H
#define HARNESS_RIG_GPIO_CHIP_H

#include <gpiod.h>

#include "../base/error.h"

/* A chip of this machine, as it was found. */
struct gpio_seen {
	char path[64];              /* "/dev/gpiochip0" */
	char label[40], serial[80]; /* of a USB adapter its serial number, else "" */
	int code;                   /* errno of opening it, 0: it was opened */
	char group[40];             /* of one that could not be opened: who else may, "" nobody */
};
/* The one that is wanted by label, label@serial or name. ERROR_BENCH: none, with what each of them is or why it could not be opened (the
 * code is that of one that could not, else ENODEV), or several. */
int gpio_choose(const struct gpio_seen *, unsigned count, const char *wanted, unsigned *ret, struct error *err) WARN_UNUSED;

/* ERROR_BENCH: there is none, no permission, or several have this label (which). The caller closes the chip. */
int gpio_chip_open(struct gpiod_chip **ret, const char *name, struct error *err) WARN_UNUSED;

#endif
