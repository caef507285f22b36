/* SPDX-License-Identifier: Apache-2.0 */
/* One line of a GPIO chip, driven by libgpiod 2: a relay, a reset line. Keys of a map: `chip`, `line`, `active_low`. */
#ifndef HARNESS_RIG_GPIO_LINE_H
#define HARNESS_RIG_GPIO_LINE_H

#include "../base/value.h"

struct gpio_line;
/* ERROR_USAGE with place. */
int gpio_line_check(const struct value *map, struct error *err) WARN_UNUSED;
/* Touches no hardware. The map is borrowed. */
int gpio_line_new(struct gpio_line **ret, const struct value *map, struct error *err) WARN_UNUSED;
/* Gives the line back. Most chips keep its level; the kernel does not promise it. NULL allowed. */
void gpio_line_free(struct gpio_line *);
/* The first call makes the line an output, at this level without a glitch. ERROR_BENCH: no such chip or line, no permission, used by whom.
 */
int gpio_line_set(struct gpio_line *, bool active, struct error *err) WARN_UNUSED;
/* The level that an output has; direction and level are not changed. -ENODATA: it is an input, which nobody has switched. */
int gpio_line_get(struct gpio_line *, bool *ret_active, struct error *err) WARN_UNUSED;
/* ERROR_BENCH when the line is ours and its chip went away. Asks nothing of the chip. */
int gpio_line_alive(const struct gpio_line *, struct error *err) WARN_UNUSED;
/* "gpiochip0 line 5 (relay-zgw)"; whether it is there, and free or ours. Changes nothing. */
int gpio_line_look(struct gpio_line *, char *ret, size_t size, struct error *err) WARN_UNUSED;

#endif
