/* SPDX-License-Identifier: Apache-2.0 */
#include "gpio_line.h"

#include <errno.h>
#include <gpiod.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpio_chip.h"
#include "rig_private.h"

#define CONSUMER "hilbench"

struct gpio_line {
	const struct value *map;
	bool active_low;
	struct gpiod_line_request *request; /* NULL: the line is not ours */
	unsigned offset;
};

int gpio_line_check(const struct value *map, struct error *err)
{
	const struct value *line = value_get(map, "line");
	if (!map_text(map, "chip"))
		return error_set_place(err, ERROR_USAGE, EINVAL, map->place,
		                       "driver gpio lacks `chip`: a path like /dev/gpiochip0, or the chip's label");
	if (!line)
		return error_set_place(err, ERROR_USAGE, EINVAL, map->place, "driver gpio lacks `line`: its number or its name");
	if (line->type == VALUE_INTEGER && (line->integer < 0 || line->integer > 65535))
		return error_set_place(err, ERROR_USAGE, ERANGE, line->place, "`line` must be a number from 0 to 65535, or a name");
	return 0;
}

int gpio_line_new(struct gpio_line **ret, const struct value *map, struct error *err)
{
	const struct value *low = value_get(map, "active_low");
	struct gpio_line *line = calloc(1, sizeof(*line));
	if (!line)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	line->map = map;
	line->active_low = low && low->boolean;
	*ret = line;
	return 0;
}

void gpio_line_free(struct gpio_line *line)
{
	if (line && line->request)
		gpiod_line_request_release(line->request);
	free(line);
}

/* ---- finding ---- */

static int line_find(struct gpio_line *line, struct gpiod_chip *chip, struct error *err)
{
	const struct value *wanted = value_get(line->map, "line");
	struct gpiod_chip_info *info = gpiod_chip_get_info(chip);
	size_t count = info ? gpiod_chip_info_get_num_lines(info) : 0;
	gpiod_chip_info_free(info);
	if (wanted->type == VALUE_INTEGER) {
		line->offset = (unsigned)wanted->integer;
		return line->offset < count ? 0
		                            : error_set(err, ERROR_BENCH, ENOENT, "GPIO chip %s: it has no line %u, only 0 to %zu",
		                                        map_text(line->map, "chip"), line->offset, count ? count - 1 : 0);
	}
	int offset = gpiod_chip_get_line_offset_from_name(chip, wanted->text);
	if (offset < 0)
		return error_set(err, ERROR_BENCH, ENOENT, "GPIO chip %s: none of its %zu lines is named \"%s\"",
		                 map_text(line->map, "chip"), count, wanted->text);
	line->offset = (unsigned)offset;
	return 0;
}

/* ---- requests ---- */

/* The kernel calls a line used also when it is none at all: a pin that has another function on this chip. Then nobody is named. */
static int line_busy(const struct gpio_line *line, struct gpiod_chip *chip, struct error *err)
{
	struct gpiod_line_info *info = gpiod_chip_get_line_info(chip, line->offset);
	const char *consumer = info && gpiod_line_info_is_used(info) ? gpiod_line_info_get_consumer(info) : NULL,
	           *name = map_text(line->map, "chip");
	int r = consumer && consumer[0]
	                ? error_set(err, ERROR_BENCH, EBUSY, "GPIO chip %s line %u: in use by \"%s\"", name, line->offset, consumer)
	                : error_set(err, ERROR_BENCH, EBUSY,
	                            "GPIO chip %s line %u: the kernel does not give it away: the pin has another function (of a USB "
	                            "adapter its "
	                            "EEPROM says which), or a driver has it",
	                            name, line->offset);
	gpiod_line_info_free(info);
	return r;
}

static bool line_used(struct gpiod_chip *chip, unsigned offset)
{
	struct gpiod_line_info *info = gpiod_chip_get_line_info(chip, offset);
	bool used = info && gpiod_line_info_is_used(info);
	gpiod_line_info_free(info);
	return used;
}

static int line_failed(const struct gpio_line *line, int code, struct error *err)
{
	bool gone = code == ENODEV || code == ENXIO;
	return error_set(err, ERROR_BENCH, code, "GPIO chip %s line %u: %s", map_text(line->map, "chip"), line->offset,
	                 gone ? "the chip is gone: was it unplugged?" : strerror(code));
}

static int request_failed(const struct gpio_line *line, struct gpiod_chip *chip, int code, struct error *err)
{
	return code == EBUSY || (code == EINVAL && line_used(chip, line->offset)) ? line_busy(line, chip, err)
	                                                                          : line_failed(line, code, err);
}

static int request(struct gpio_line *line, struct gpiod_chip *chip, enum gpiod_line_direction direction, bool active,
                   struct gpiod_line_request **ret)
{
	struct gpiod_line_settings *settings = gpiod_line_settings_new();
	struct gpiod_line_config *lines = gpiod_line_config_new();
	struct gpiod_request_config *config = gpiod_request_config_new();
	int code = 0;
	if (!settings || !lines || !config) {
		code = ENOMEM;
	} else {
		gpiod_request_config_set_consumer(config, CONSUMER);
		gpiod_line_settings_set_active_low(settings, line->active_low);
		(void)gpiod_line_settings_set_direction(settings, direction);
		(void)gpiod_line_settings_set_output_value(settings, active ? GPIOD_LINE_VALUE_ACTIVE : GPIOD_LINE_VALUE_INACTIVE);
		if (gpiod_line_config_add_line_settings(lines, &line->offset, 1, settings) < 0 ||
		    !(*ret = gpiod_chip_request_lines(chip, config, lines)))
			code = errno ? errno : EIO;
	}
	gpiod_request_config_free(config);
	gpiod_line_config_free(lines);
	gpiod_line_settings_free(settings);
	return -code;
}

static int acquire(struct gpio_line *line, enum gpiod_line_direction direction, bool active, struct gpiod_line_request **ret,
                   struct error *err)
{
	struct gpiod_chip *chip;
	int r = gpio_chip_open(&chip, map_text(line->map, "chip"), err);
	if (r < 0)
		return r;
	r = line_find(line, chip, err);
	if (r == 0 && (r = request(line, chip, direction, active, ret)) < 0)
		r = request_failed(line, chip, -r, err);
	gpiod_chip_close(chip);
	return r;
}

int gpio_line_set(struct gpio_line *line, bool active, struct error *err)
{
	if (!line->request)
		return acquire(line, GPIOD_LINE_DIRECTION_OUTPUT, active, &line->request, err);
	if (gpiod_line_request_set_value(line->request, line->offset, active ? GPIOD_LINE_VALUE_ACTIVE : GPIOD_LINE_VALUE_INACTIVE) == 0)
		return 0;
	int code = errno;
	/* A chip that was unplugged: the next call begins anew. */
	gpiod_line_request_release(line->request);
	line->request = NULL;
	return line_failed(line, code, err);
}

/* What an input reads is what is at the pin, not what somebody has switched: a relay's line floats until it is driven. */
static int line_driven(const struct gpio_line *line, struct error *err)
{
	struct gpiod_chip *chip;
	int r = gpio_chip_open(&chip, map_text(line->map, "chip"), err);
	if (r < 0)
		return r;
	struct gpiod_line_info *info = gpiod_chip_get_line_info(chip, line->offset);
	bool driven = info && gpiod_line_info_get_direction(info) == GPIOD_LINE_DIRECTION_OUTPUT;
	gpiod_line_info_free(info);
	gpiod_chip_close(chip);
	return driven ? 0
	              : error_set(err, ERROR_BENCH, ENODATA, "GPIO chip %s line %u: it is an input: nothing drives it until it is switched",
	                          map_text(line->map, "chip"), line->offset);
}

int gpio_line_get(struct gpio_line *line, bool *ret_active, struct error *err)
{
	struct gpiod_line_request *look = line->request;
	int r = look ? 0 : acquire(line, GPIOD_LINE_DIRECTION_AS_IS, false, &look, err);
	if (r < 0)
		return r;
	enum gpiod_line_value value = gpiod_line_request_get_value(look, line->offset);
	int code = errno;
	if (value == GPIOD_LINE_VALUE_ERROR)
		r = line_failed(line, code, err);
	else if (!line->request)
		r = line_driven(line, err);
	if (!line->request)
		gpiod_line_request_release(look);
	if (r == 0)
		*ret_active = value == GPIOD_LINE_VALUE_ACTIVE;
	return r;
}

int gpio_line_alive(const struct gpio_line *line, struct error *err)
{
	struct pollfd polled = {.fd = line->request ? gpiod_line_request_get_fd(line->request) : -1};
	bool gone = line->request && poll(&polled, 1, 0) == 1 && polled.revents & (POLLERR | POLLHUP);
	return gone ? line_failed(line, ENODEV, err) : 0;
}

int gpio_line_look(struct gpio_line *line, char *ret, size_t size, struct error *err)
{
	struct gpiod_chip *chip;
	int r = gpio_chip_open(&chip, map_text(line->map, "chip"), err);
	if (r < 0)
		return r;
	r = line_find(line, chip, err);
	struct gpiod_line_info *info = r == 0 ? gpiod_chip_get_line_info(chip, line->offset) : NULL;
	if (info && gpiod_line_info_is_used(info) && !line->request)
		r = line_busy(line, chip, err);
	if (r == 0) {
		const char *name = info ? gpiod_line_info_get_name(info) : NULL;
		(void)snprintf(ret, size, "%s line %u%s%s%s", map_text(line->map, "chip"), line->offset, name ? " (" : "", name ? name : "",
		               name ? ")" : "");
	}
	gpiod_line_info_free(info);
	gpiod_chip_close(chip);
	return r;
}
