/* SPDX-License-Identifier: Apache-2.0 */
/* Consoles and reset lines. A serial port is never opened: opening raises RTS and DTR, which reset many a board. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "check_private.h"
#include "drivers/board_parts.h"
#include "gpio_line.h"
#include "rig_unique.h"
#include "run_command.h"
#include "sysfs.h"

/* ---- who has a device open ---- */

static bool process_has(const char *pid, dev_t device)
{
	char path[300], link[620];
	struct stat status;
	bool found = false;
	(void)snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	DIR *folder = opendir(path);
	for (const struct dirent *entry; folder && !found && (entry = readdir(folder));) {
		(void)snprintf(link, sizeof(link), "%s/%s", path, entry->d_name);
		found = entry->d_name[0] != '.' && stat(link, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == device;
	}
	if (folder)
		(void)closedir(folder);
	return found;
}

static void process_name(const char *pid, char *ret, size_t size)
{
	char path[300];
	(void)snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	FILE *file = fopen(path, "re");
	if (!file || !fgets(ret, (int)size, file))
		(void)snprintf(ret, size, "?");
	ret[strcspn(ret, "\n")] = '\0';
	if (file)
		(void)fclose(file);
}

bool check_device_users(const char *path, char *ret, size_t size)
{
	struct stat status;
	size_t used = 0;
	ret[0] = '\0';
	if (stat(path, &status) < 0 || !S_ISCHR(status.st_mode))
		return false;
	DIR *folder = opendir("/proc");
	for (const struct dirent *entry; folder && used + 1 < size && (entry = readdir(folder));) {
		char name[64];
		if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) == (int)getppid() ||
		    !process_has(entry->d_name, status.st_rdev))
			continue;
		process_name(entry->d_name, name, sizeof(name));
		int n = snprintf(ret + used, size - used, "%s%s (process %.12s)", used ? ", " : "", name, entry->d_name);
		used += n > 0 ? (size_t)n : 0;
	}
	if (folder)
		(void)closedir(folder);
	return ret[0] != '\0';
}

/* ---- serial ports ---- */

static void list_ports(char *ret, size_t size)
{
	size_t used = 0;
	ret[0] = '\0';
	DIR *folder = opendir("/dev/serial/by-id");
	for (const struct dirent *entry; folder && used + 1 < size && (entry = readdir(folder));) {
		int n = entry->d_name[0] == '.' ? 0 : snprintf(ret + used, size - used, "%s%s", used ? ", " : "", entry->d_name);
		used += n > 0 ? (size_t)n : 0;
	}
	if (folder)
		(void)closedir(folder);
}

/* "/dev/ttyUSB0, FT232R USB UART, serial A50285BI": the USB device is some folders above the port. */
static void describe_port(const struct stat *status, const char *path, char *ret, size_t size)
{
	char link[128], folder[PATH_MAX], product[64], serial[64], *real = realpath(path, NULL);
	(void)snprintf(link, sizeof(link), "/sys/dev/char/%u:%u", major(status->st_rdev), minor(status->st_rdev));
	(void)snprintf(ret, size, "%.60s", real ? real : path);
	free(real);
	if (!realpath(link, folder))
		return;
	for (char *slash; (slash = strrchr(folder, '/')) && slash > folder; *slash = '\0') {
		if (!sysfs_attribute(folder, "product", product, sizeof(product)))
			continue;
		size_t used = strlen(ret);
		(void)snprintf(ret + used, size - used, ", %.60s", product);
		used = strlen(ret);
		if (sysfs_attribute(folder, "serial", serial, sizeof(serial)))
			(void)snprintf(ret + used, size - used, ", serial %.60s", serial);
		return;
	}
}

static void device_missing(const char *path, enum serial_kind kind, struct check_finding *finding)
{
	char ports[200];
	list_ports(ports, sizeof(ports));
	check_problem(finding, RIG_CHECK_BAD, "%s: there is no such %s", path, kind == SERIAL_PTY ? "pseudo-terminal" : "device");
	if (kind == SERIAL_PTY)
		check_remedy(finding, "start the program that makes the pseudo-terminal, or correct `console.path`");
	else if (ports[0])
		check_remedy(finding, "is the USB cable of this console in? There are: %s; correct `console.device` if it is one of them",
		             ports);
	else
		check_remedy(finding, "is the USB cable of this console in, at both ends? No USB serial port is plugged into this machine");
}

/* A line of /proc/tty/drivers: "pty_slave /dev/pts 136 0-1048575 pty:slave". */
static bool driver_has(const char *line, dev_t device)
{
	unsigned number, first, last;
	char type[40];
	if (sscanf(line, "%*s %*s %u %u-%u %39s", &number, &first, &last, type) != 4) {
		if (sscanf(line, "%*s %*s %u %u %39s", &number, &first, type) != 3)
			return false;
		last = first;
	}
	return number == major(device) && minor(device) >= first && minor(device) <= last &&
	       (!strcmp(type, "serial") || !strcmp(type, "pty:slave"));
}

/* As the kernel lists its terminals: nothing has to be opened. */
static bool is_serial_port(const struct stat *status)
{
	char line[200];
	FILE *file = S_ISCHR(status->st_mode) ? fopen("/proc/tty/drivers", "re") : NULL;
	bool found = S_ISCHR(status->st_mode) && !file; /* a kernel that does not tell */
	while (file && !found && fgets(line, sizeof(line), file))
		found = driver_has(line, status->st_rdev);
	if (file)
		(void)fclose(file);
	return found;
}

static const char *device_key(enum serial_kind kind)
{
	return kind == SERIAL_PTY ? "console.path" : "console.device";
}

void check_permission_remedy(struct check_finding *finding, const char *path, const char *subsystem)
{
	struct stat status;
	const mode_t both = S_IRGRP | S_IWGRP;
	const struct group *group =
	        stat(path, &status) == 0 && (status.st_mode & both) == both && status.st_gid ? getgrgid(status.st_gid) : NULL;
	if (group)
		check_remedy(finding, "add your user to the group %s (`sudo usermod -a -G %s $USER`) and log in again", group->gr_name,
		             group->gr_name);
	else
		check_remedy(finding,
		             "%s is its owner's alone: a udev rule gives it to a group that your user is in: SUBSYSTEM==\"%s\", "
		             "GROUP=\"%s\", MODE=\"0660\" in /etc/udev/rules.d/70-hilbench.rules, then plug it in again",
		             path, subsystem, strcmp(subsystem, "tty") ? "plugdev" : "dialout");
}

void check_gpio_remedy(struct check_finding *finding, int code, const char *chip, const char *key)
{
	if (code != EACCES && code != EPERM)
		check_remedy(finding, "correct `%s.chip` and `%s.line`, or end the program that has the line", key, key);
	else if (chip[0] == '/')
		check_permission_remedy(finding, chip, "gpio");
	else
		check_remedy(
		        finding,
		        "add your user to the group that the chip belongs to; where that is root, a udev rule gives it away: "
		        "SUBSYSTEM==\"gpio\", GROUP=\"plugdev\", MODE=\"0660\" in /etc/udev/rules.d/70-hilbench.rules, then plug it in "
		        "again. `%s.chip` may be another one",
		        key);
}

static void look_at_device(const char *path, enum serial_kind kind, struct check_finding *finding)
{
	struct stat status;
	char text[200], users[200];
	if (stat(path, &status) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			device_missing(path, kind, finding);
		else
			check_problem(finding, RIG_CHECK_BAD, "%s: %s", path, strerror(errno));
		return;
	}
	if (!is_serial_port(&status)) {
		check_problem(finding, RIG_CHECK_BAD, "%s is no serial port", path);
		check_remedy(finding, "correct `%s`", device_key(kind));
		return;
	}
	describe_port(&status, path, text, sizeof(text));
	check_found(finding, "%s", text);
	if (access(path, R_OK | W_OK) < 0) {
		check_problem(finding, RIG_CHECK_BAD, "%s: no permission to read and write", path);
		check_permission_remedy(finding, path, "tty");
	}
	if (check_device_users(path, users, sizeof(users))) {
		check_problem(finding, RIG_CHECK_BAD, "%s: in use by %s", path, users);
		check_remedy(finding, "end that program: two readers would each get half of what the board says");
	}
}

static bool standard_rate(uint32_t baud)
{
	static const uint32_t rates[] = {9600,   19200,  38400,  57600,   115200,  230400,  460800,
	                                 500000, 576000, 921600, 1000000, 1500000, 2000000, 3000000};
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++)
		if (rates[i] == baud)
			return true;
	return false;
}

/* ---- console ---- */

static void add_console(struct check_list *list, const struct check_kind *kind, const struct value_entry *role)
{
	const struct value *console = value_get(role->value, "console");
	struct check_item *item = console ? check_add(list, kind, role->key, console) : NULL;
	struct serial_options options;
	if (!item)
		return;
	board_line_options(console, &options);
	(void)snprintf(item->name, sizeof(item->name), "%s %s", map_text(console, "driver"), options.address ? options.address : "");
	(void)snprintf(item->group, sizeof(item->group), "console %.60s", role->key);
}

static void list_consoles(struct check_list *list, const struct check_kind *kind)
{
	check_each(list, kind, "roles", add_console);
}

static void look_at_server(struct check_context *context, const char *address, struct check_finding *finding)
{
	int r = check_connect(address, check_deadline_ns(context));
	if (r == 0) {
		check_found(finding, "takes connections");
		return;
	}
	check_problem(finding, RIG_CHECK_BAD, "console server %s: %s", address, strerror(-r));
	check_remedy(finding, "%s",
	             r == -ECONNREFUSED
	                     ? "the console server is there, but not this port: correct `console.address`, or end its other client"
	                     : "is the console server switched on, its network cable in, and `console.address` its address?");
}

/* A link and the port that it is have different names in the file. */
static void look_for_twin(const struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	const struct value *roles = value_get(rig_file_root(context->file), "roles");
	for (unsigned i = 0; i < roles->map.count; i++) {
		const struct value *other = value_get(roles->map.entries[i].value, "console");
		if (!other || other == item->map || !rig_unique_same_device(item->map, other))
			continue;
		check_problem(finding, RIG_CHECK_BAD, "the console of `%s` is the same device", roles->map.entries[i].key);
		check_remedy(finding, "correct one of the two: two readers would each get half of what the board says");
	}
}

static void look_at_console(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	struct serial_options options;
	board_line_options(item->map, &options);
	if (options.kind == SERIAL_TCP) {
		look_at_server(context, options.address, finding);
		return;
	}
	look_at_device(options.address, options.kind, finding);
	look_for_twin(context, item, finding);
	if (options.kind == SERIAL_TTY && options.baud && !standard_rate(options.baud)) {
		check_problem(finding, RIG_CHECK_WARNING, "%u baud is no usual speed: not every adapter can do it", (unsigned)options.baud);
		check_remedy(finding, "compare `console.baud` with the board's own setting");
	}
}

const struct check_kind check_kind_console = {.name = "console", .instrument = true, .list = list_consoles, .look = look_at_console};

/* ---- reset ---- */

static void add_reset(struct check_list *list, const struct check_kind *kind, const struct value_entry *role)
{
	const struct value *reset = value_get(role->value, "reset");
	struct check_item *item = reset ? check_add(list, kind, role->key, reset) : NULL;
	if (!item)
		return;
	item->role = role->value;
	(void)snprintf(item->name, sizeof(item->name), "%s", map_text(reset, "driver") ? map_text(reset, "driver") : "");
	(void)snprintf(item->group, sizeof(item->group), "reset %.60s", role->key);
}

static void list_resets(struct check_list *list, const struct check_kind *kind)
{
	check_each(list, kind, "roles", add_reset);
}

static void look_at_gpio(const struct check_item *item, struct check_finding *finding)
{
	struct gpio_line *line = NULL;
	struct error error = {0};
	char text[120] = "";
	int r = gpio_line_new(&line, item->map, &error);
	if (r == 0)
		r = gpio_line_look(line, text, sizeof(text), &error);
	gpio_line_free(line);
	check_found(finding, "%s", text);
	if (r == 0)
		return;
	check_problem(finding, RIG_CHECK_BAD, "%s", error.message);
	check_gpio_remedy(finding, -r, map_text(item->map, "chip"), "reset");
}

/* A line of the console's port is there when the port is. */
static void look_at_serial_line(const struct check_item *item, const char *line, struct check_finding *finding)
{
	struct check_finding port = {.state = RIG_CHECK_OK};
	const struct value *console = value_get(item->role, "console");
	struct serial_options options = {0};
	if (console)
		board_line_options(console, &options);
	if (!options.address) {
		check_problem(finding, RIG_CHECK_BAD, "the role has no console whose port could carry it");
		check_remedy(finding, "give the role a `console` with driver serial, or correct `reset.driver`");
		return;
	}
	check_found(finding, "by %s of the console's port", line ? line : "a line");
	look_at_device(options.address, options.kind, &port);
	if (port.state == RIG_CHECK_OK)
		return;
	check_problem(finding, port.state, "its port is that of the console: %.600s", port.problem);
	check_remedy(finding, "%s", port.remedy[0] ? port.remedy : "see the console of this role");
}

static void look_at_reset(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	const char *driver = map_text(item->map, "driver"), *line = map_text(item->map, "line");
	(void)context;
	if (driver && !strcmp(driver, "gpio")) {
		look_at_gpio(item, finding);
		return;
	}
	if (driver && !strcmp(driver, "serial")) {
		look_at_serial_line(item, line, finding);
		return;
	}
	if (driver && !strcmp(driver, "probe")) {
		check_found(finding, "by the probe");
		return;
	}
	for (unsigned i = 0; i < item->map->map.count; i++) {
		struct error error = {0};
		const struct value *words = item->map->map.entries[i].value;
		if (words->type == VALUE_LIST && words->list.count && run_command_look(words, &error) < 0) {
			check_problem(finding, RIG_CHECK_BAD, "%s", error.message);
			check_remedy(finding, "correct the program's path in `reset`, and make it executable");
		}
	}
	check_found(finding, "by a command");
}

const struct check_kind check_kind_reset = {.name = "reset", .instrument = true, .list = list_resets, .look = look_at_reset};
