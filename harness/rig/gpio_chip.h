/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a GPIO chip: /dev/gpiochip0, its label, or, of several USB adapters of one kind, its label and serial number: ftdi-cbus@A50285BI.
 */
#ifndef HARNESS_RIG_GPIO_CHIP_H
#define HARNESS_RIG_GPIO_CHIP_H

#include <gpiod.h>

#include "../base/error.h"

/* ERROR_BENCH: there is none, no permission, or several have this label (which). The caller closes the chip. */
int gpio_chip_open(struct gpiod_chip **ret, const char *name, struct error *err) WARN_UNUSED;

#endif
