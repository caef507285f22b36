/* SPDX-License-Identifier: Apache-2.0 */
#include "gpio_chip.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sysfs.h"

#define SERIAL_BYTES    80
#define NAME_BYTES      (SERIAL_BYTES + 80) /* the label or the path, and the serial number */
#define CHIPS_MAX       64
#define DESCRIPTION_MAX 130 /* of one chip in a message */

/* The USB device is some folders above the chip, and has an idVendor; "" for a chip of another kind. What lies above it is a hub. */
static void serial_number(const char *chip, char *ret, size_t size)
{
	char path[PATH_MAX], folder[PATH_MAX], vendor[8];
	ret[0] = '\0';
	(void)snprintf(path, sizeof(path), "/sys/bus/gpio/devices/%s", chip);
	if (!realpath(path, folder))
		return;
	for (char *slash; (slash = strrchr(folder, '/')) && slash > folder; *slash = '\0') {
		if (!sysfs_attribute(folder, "idVendor", vendor, sizeof(vendor)))
			continue;
		(void)sysfs_attribute(folder, "serial", ret, size);
		return;
	}
}

/* ---- which of them ---- */

/* What names it for good: its label alone is shared by adapters of one kind. */
static void whole_name(const struct gpio_seen *chip, char *ret, size_t size)
{
	const char *device = strrchr(chip->path, '/');
	(void)snprintf(ret, size, "%s%s%s",
	               chip->serial[0] ? chip->label
	               : device        ? device + 1
	                               : chip->path,
	               chip->serial[0] ? "@" : "", chip->serial);
}

static bool matches(const struct gpio_seen *chip, const char *wanted)
{
	const char *device = strrchr(chip->path, '/');
	char whole[NAME_BYTES];
	whole_name(chip, whole, sizeof(whole));
	return chip->code == 0 && (!strcmp(chip->label, wanted) || (device && !strcmp(device + 1, wanted)) || !strcmp(whole, wanted));
}

static void PRINTF_LIKE(3, 4) add_text(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text + used, size - used, format, arguments);
	va_end(arguments);
}

static int several(const struct gpio_seen *chips, unsigned count, const char *wanted, unsigned found, struct error *err)
{
	char names[300] = "", whole[NAME_BYTES];
	for (unsigned i = 0; i < count; i++)
		if (matches(&chips[i], wanted)) {
			whole_name(&chips[i], whole, sizeof(whole));
			add_text(names, sizeof(names), "%s%s", names[0] ? ", " : "", whole);
		}
	return error_set(err, ERROR_BENCH, ENOTUNIQ, "GPIO chip %s: %u chips have this label: name one of them: %s", wanted, found, names);
}

static void describe(const struct gpio_seen *chip, char *text, size_t size)
{
	add_text(text, size, "%s%s ", text[0] ? ", " : "", chip->path);
	if (chip->code == 0)
		add_text(text, size, "is %s%s%s", chip->label, chip->serial[0] ? "@" : "", chip->serial);
	else if (chip->code == EACCES || chip->code == EPERM)
		add_text(text, size, "may not be opened (it belongs to %s%s)", chip->group[0] ? "the group " : "root alone", chip->group);
	else
		add_text(text, size, "cannot be opened (%s)", strerror(chip->code));
}

/* Each of them, or as many as a message takes. */
static void describe_all(const struct gpio_seen *chips, unsigned count, char *text, size_t size)
{
	unsigned told = 0;
	text[0] = '\0';
	for (; told < count && strlen(text) + DESCRIPTION_MAX + sizeof(", and 64 more") < size; told++)
		describe(&chips[told], text, size);
	if (told < count)
		add_text(text, size, ", and %u more", count - told);
}

int gpio_choose(const struct gpio_seen *chips, unsigned count, const char *wanted, unsigned *ret, struct error *err)
{
	unsigned found = 0;
	int code = ENODEV;
	char all[600];
	for (unsigned i = 0; i < count; i++) {
		if (matches(&chips[i], wanted) && found++ == 0)
			*ret = i;
		/* The one that is meant may be one that nobody could look at; a lack of permission is what can be helped. */
		if (chips[i].code && code != EACCES)
			code = chips[i].code;
	}
	if (found == 1)
		return 0;
	if (found > 1)
		return several(chips, count, wanted, found, err);
	if (count == 0)
		return error_set(err, ERROR_BENCH, ENODEV,
		                 "GPIO chip %s: there is no such chip: this machine has none at all; is its adapter plugged in?", wanted);
	describe_all(chips, count, all, sizeof(all));
	return error_set(err, ERROR_BENCH, code, "GPIO chip %s: there is no such chip%s: %s", wanted,
	                 code == ENODEV ? "" : " among those that can be opened", all);
}

/* ---- looking ---- */

static void group_of(const char *path, char *ret, size_t size)
{
	struct stat status;
	const struct group *group = stat(path, &status) == 0 && status.st_mode & S_IRGRP ? getgrgid(status.st_gid) : NULL;
	(void)snprintf(ret, size, "%s", group ? group->gr_name : "");
}

static void look_at(struct gpio_seen *ret, const char *device)
{
	*ret = (struct gpio_seen){0};
	(void)snprintf(ret->path, sizeof(ret->path), "/dev/%.50s", device);
	struct gpiod_chip *chip = gpiod_chip_open(ret->path);
	struct gpiod_chip_info *info = chip ? gpiod_chip_get_info(chip) : NULL;
	if (info) {
		(void)snprintf(ret->label, sizeof(ret->label), "%s", gpiod_chip_info_get_label(info));
		serial_number(gpiod_chip_info_get_name(info), ret->serial, sizeof(ret->serial));
	} else {
		ret->code = errno ? errno : EIO;
		group_of(ret->path, ret->group, sizeof(ret->group));
	}
	gpiod_chip_info_free(info);
	if (chip)
		gpiod_chip_close(chip);
}

static int by_path(const void *a, const void *b)
{
	return strverscmp(((const struct gpio_seen *)a)->path, ((const struct gpio_seen *)b)->path);
}

static unsigned look_at_all(struct gpio_seen *chips)
{
	unsigned count = 0;
	DIR *folder = opendir("/dev");
	for (const struct dirent *entry; folder && count < CHIPS_MAX && (entry = readdir(folder));)
		if (!strncmp(entry->d_name, "gpiochip", 8))
			look_at(&chips[count++], entry->d_name);
	if (folder)
		(void)closedir(folder);
	qsort(chips, count, sizeof(*chips), by_path);
	return count;
}

static int refuse(const char *name, int code, struct error *err)
{
	char group[40];
	group_of(name, group, sizeof(group));
	switch (code) {
	case EACCES:
	case EPERM:
		return error_set(err, ERROR_BENCH, code, "GPIO chip %s: no permission; it belongs to %s%s", name,
		                 group[0] ? "the group " : "root alone", group);
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return error_set(err, ERROR_BENCH, code, "GPIO chip %s: there is no such chip (`gpiodetect` lists them); is it plugged in?",
		                 name);
	default:
		return error_set(err, ERROR_BENCH, code, "GPIO chip %s: %s", name, code == ENOTTY ? "it is no GPIO chip" : strerror(code));
	}
}

static int chip_by_path(struct gpiod_chip **ret, const char *path, struct error *err)
{
	*ret = gpiod_chip_open(path);
	if (*ret)
		return 0;
	int code = errno;
	return refuse(path, access(path, F_OK) == 0 && !gpiod_is_gpiochip_device(path) ? ENOTTY : code, err);
}

/* Labels are what stays the same when chips are numbered in another order, but adapters of one kind share theirs. */
static int chip_by_label(struct gpiod_chip **ret, const char *wanted, struct error *err)
{
	struct gpio_seen *chips = calloc(CHIPS_MAX, sizeof(*chips));
	unsigned chosen = 0;
	if (!chips)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	int r = gpio_choose(chips, look_at_all(chips), wanted, &chosen, err);
	if (r == 0)
		r = chip_by_path(ret, chips[chosen].path, err);
	free(chips);
	return r;
}

int gpio_chip_open(struct gpiod_chip **ret, const char *name, struct error *err)
{
	return name[0] == '/' ? chip_by_path(ret, name, err) : chip_by_label(ret, name, err);
}
