/* SPDX-License-Identifier: Apache-2.0 */
#include "gpio_chip.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sysfs.h"

#define SERIAL_BYTES 80

/* What looking through all chips found. */
struct search {
	const char *wanted;
	struct gpiod_chip *found;
	unsigned matches;
	char closed[40]; /* a chip that cannot be opened */
	int code;        /* why */
	char names[200];
};

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

static bool matches(struct search *search, struct gpiod_chip_info *info)
{
	char serial[SERIAL_BYTES], whole[SERIAL_BYTES + 40];
	const char *label = gpiod_chip_info_get_label(info), *name = gpiod_chip_info_get_name(info);
	serial_number(name, serial, sizeof(serial));
	(void)snprintf(whole, sizeof(whole), "%s%s%s", serial[0] ? label : name, serial[0] ? "@" : "", serial);
	if (strcmp(label, search->wanted) != 0 && strcmp(name, search->wanted) != 0 && strcmp(whole, search->wanted) != 0)
		return false;
	size_t used = strlen(search->names);
	(void)snprintf(search->names + used, sizeof(search->names) - used, "%s%s", used ? ", " : "", whole);
	return true;
}

static void look_at(struct search *search, const char *path)
{
	struct gpiod_chip *chip = gpiod_chip_open(path);
	if (!chip) {
		search->code = errno;
		(void)snprintf(search->closed, sizeof(search->closed), "%.39s", path);
		return;
	}
	struct gpiod_chip_info *info = gpiod_chip_get_info(chip);
	bool match = info && matches(search, info);
	gpiod_chip_info_free(info);
	if (match && search->matches++ == 0)
		search->found = chip;
	else
		gpiod_chip_close(chip);
}

static int refuse(const char *name, int code, struct error *err)
{
	switch (code) {
	case EACCES:
	case EPERM:
		return error_set(err, ERROR_BENCH, code, "GPIO chip %s: no permission; GPIO chips usually belong to the group gpio", name);
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
	struct search search = {.wanted = wanted};
	DIR *folder = opendir("/dev");
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		char path[PATH_MAX];
		if (strncmp(entry->d_name, "gpiochip", 8))
			continue;
		(void)snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		look_at(&search, path);
	}
	if (folder)
		(void)closedir(folder);
	if (search.matches > 1) {
		gpiod_chip_close(search.found);
		return error_set(err, ERROR_BENCH, ENOTUNIQ, "GPIO chip %s: %u chips have this label: name one of them: %s", wanted,
		                 search.matches, search.names);
	}
	*ret = search.found;
	if (search.found)
		return 0;
	if (!search.closed[0])
		return refuse(wanted, ENODEV, err);
	return error_set(err, ERROR_BENCH, search.code,
	                 "GPIO chip %s: none of those that may be opened; %s cannot be: %s (GPIO chips usually belong to the group gpio)",
	                 wanted, search.closed, strerror(search.code));
}

int gpio_chip_open(struct gpiod_chip **ret, const char *name, struct error *err)
{
	return name[0] == '/' ? chip_by_path(ret, name, err) : chip_by_label(ret, name, err);
}
