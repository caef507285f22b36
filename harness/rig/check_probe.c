/* SPDX-License-Identifier: Apache-2.0 */
/* Probes: the program, its configuration files, the adapter on USB, the GDB server's port. No adapter is opened here. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_private.h"
#include "probe_private.h"
#include "sysfs.h"
#include "words.h"

extern char **environ;

/* ---- programs ---- */

int check_find_program(const char *name, char *ret, size_t size)
{
	const char *path = getenv("PATH");
	if (strchr(name, '/')) {
		(void)snprintf(ret, size, "%s", name);
		return access(ret, X_OK) == 0 ? 0 : -errno;
	}
	for (const char *at = path; at && *at; at += *at == ':') {
		size_t length = strcspn(at, ":");
		(void)snprintf(ret, size, "%.*s/%s", (int)length, at, name);
		if (length && access(ret, X_OK) == 0)
			return 0;
		at += length;
	}
	(void)snprintf(ret, size, "%s", name);
	return -ENOENT;
}

static pid_t start_program(char *const *words, int output)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -1;
	if (posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) != 0 ||
	    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) != 0 ||
	    posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO) != 0 ||
	    posix_spawn(&pid, words[0], &actions, NULL, words, environ) != 0)
		pid = -1;
	(void)posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* False: the end of what comes. Beyond `size` it is read and let go, so that the program is not held up. */
static bool read_piece(int fd, char *ret, size_t *used, size_t size)
{
	char piece[1024];
	ssize_t n = read(fd, piece, sizeof(piece));
	size_t room = size - 1 - *used, taken = n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
	(void)memcpy(ret + *used, piece, taken);
	*used += taken;
	ret[*used] = '\0';
	return n > 0 || (n < 0 && errno == EINTR);
}

/* What comes until the program ends, or at least the beginning of that. What it started may hold the pipe for longer. */
static void read_text(int fd, int pidfd, int64_t end_ns, char *ret, size_t size)
{
	size_t used = 0;
	ret[0] = '\0';
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	for (;;) {
		struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
		int64_t left_ns = end_ns - loop_now_ns();
		if (left_ns <= 0 || poll(fds, 2, (int)(left_ns / 1000000) + 1) <= 0)
			return;
		if (fds[0].revents ? !read_piece(fd, ret, &used, size) : fds[1].revents != 0)
			return;
	}
}

/* Its status; -1: it had to be killed, or had none. */
static int end_program(pid_t pid, int pidfd, int64_t end_ns)
{
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
	int64_t left_ns = end_ns - loop_now_ns();
	int status = 0;
	const bool ended = poll(&poll_fd, 1, left_ns > 0 ? (int)(left_ns / 1000000) + 1 : 0) > 0;
	if (!ended)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A program of this machine has all the time there is: many of them at once are slow, and none of them is another machine's. What it leaves
 * behind is in the group of this process, and ended with it. Returns its status; -1: it had none by itself. */
static int run_program(struct check_context *context, char *const *words, char *ret, size_t size)
{
	const int64_t end_ns = context->deadline_ns;
	int pipes[2], status = -1;
	ret[0] = '\0';
	if (!context->guard.pid && group_guard_begin(&context->guard, getpgrp(), NULL) < 0)
		return -1;
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -1;
	pid_t pid = start_program(words, pipes[1]);
	(void)close(pipes[1]);
	if (pid > 0) {
		int pidfd = pidfd_open(pid, 0);
		read_text(pipes[0], pidfd, end_ns, ret, size);
		status = end_program(pid, pidfd, pidfd < 0 ? 0 : end_ns);
		(void)close(pidfd);
	}
	(void)close(pipes[0]);
	return status;
}

void check_program_says(struct check_context *context, const char *path, const char *argument, const char *word, char *ret, size_t size)
{
	char *words[] = {(char *)(uintptr_t)path, (char *)(uintptr_t)argument, NULL}, said[2048];
	(void)run_program(context, words, said, sizeof(said));
	const char *line = strstr(said, word);
	if (!line)
		line = said;
	while (line > said && line[-1] != '\n')
		line--;
	(void)snprintf(ret, size, "%.*s", (int)strcspn(line, "\r\n"), line);
}

/* ---- probe ---- */

static bool is_gdb(const struct value *map)
{
	return !strcmp(map_text(map, "driver"), "gdb");
}

static void add_probe(struct check_list *list, const struct check_kind *kind, const struct value_entry *role)
{
	const struct value *probe = value_get(role->value, "probe");
	struct check_item *item = probe ? check_add(list, kind, role->key, probe) : NULL;
	if (!item)
		return;
	item->role = role->value;
	const char *address = map_text(probe, "address"), *program = map_text(probe, "program");
	const struct value *config = value_get(probe, "config");
	if (!address && !program && config && config->list.count)
		program = config->list.items[0]->text; /* without a program of its own it is known by its board */
	(void)snprintf(item->name, sizeof(item->name), "%s %s", map_text(probe, "driver"),
	               is_gdb(probe) ? address
	               : program     ? program
	                             : "openocd");
	(void)snprintf(item->group, sizeof(item->group), "probe %.60s", role->key);
	item->after_supply = is_gdb(probe) && value_get(role->value, "power"); /* its answer says whether a server may be asked */
}

static void list_probes(struct check_list *list, const struct check_kind *kind)
{
	check_each(list, kind, "roles", add_probe);
}

static void look_at_config(const struct check_context *context, const struct check_item *item, const struct value *name,
                           struct check_finding *finding)
{
	struct error error = {0};
	if (openocd_check_config(context->file, item->map, name, &error) == 0)
		return;
	check_problem(finding, RIG_CHECK_BAD, "%s", error.message);
	check_remedy(finding, "correct `probe.config` at line %u of the rig file, or put the file there", name->place.line);
}

/* The line of OpenOCD's complaint; its place stands before it. */
static const char *complaint(char *said)
{
	char *error = strstr(said, "Error: ");
	if (!error)
		return "it does not say why";
	while (error > said && error[-1] != '\n')
		error--;
	error[strcspn(error, "\r\n")] = '\0';
	return error;
}

/* Only OpenOCD knows what its configuration files read further, and what their commands are in this version of it. */
static void look_at_reading(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	static char connector[] = "no-connector"; /* is not opened */
	struct words words = {0};
	struct rig rig;
	struct rig_board board;
	char said[4096];
	struct error error = {0};
	check_rig(context, item, &rig, &board);
	board.jtag = connector;
	const struct probe probe = {.board = &board, .map = item->map};
	int r = openocd_words_to_read(&words, &probe, &error);
	int status = r == 0 ? run_program(context, words.items, said, sizeof(said)) : 0;
	words_free(&words);
	if (r == 0 && status == 0)
		return;
	check_problem(finding, RIG_CHECK_BAD, "OpenOCD cannot read its configuration: %.300s",
	              r < 0        ? error.message
	              : status < 0 ? "it did not come to its end"
	                           : complaint(said));
	check_remedy(finding, "is `probe.program` the OpenOCD that this configuration is for?");
}

/* "Open On-Chip Debugger 0.11.0": without read_memory and write_memory. A version that is no number is let pass. */
static bool too_old(const char *version)
{
	static const char name[] = "Open On-Chip Debugger ";
	const char *number = strstr(version, name);
	unsigned major, minor;
	return number && sscanf(number + sizeof(name) - 1, "%u.%u", &major, &minor) == 2 && major == 0 && minor < 12;
}

static void look_at_openocd(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	const char *program = map_text(item->map, "program") ? map_text(item->map, "program") : "openocd";
	const struct value *config = value_get(item->map, "config");
	static const char openocd[] = "Open On-Chip Debugger";
	char path[PATH_MAX], version[120];
	int r = check_find_program(program, path, sizeof(path));
	if (r < 0) {
		check_problem(finding, RIG_CHECK_BAD, "program %s: %s", path, r == -ENOENT ? "there is none" : strerror(-r));
		check_remedy(finding, "install OpenOCD (package openocd), or name another one by `probe.program`");
		return;
	}
	check_program_says(context, path, "--version", openocd, version, sizeof(version));
	check_found(finding, "%.100s: %s", path, version);
	if (!version[0]) {
		check_problem(finding, RIG_CHECK_BAD, "%s does not tell its version", path);
		check_remedy(finding, "try `%s --version` by hand", path);
	} else if (!strstr(version, openocd)) {
		check_problem(finding, RIG_CHECK_BAD, "%s is not OpenOCD: it says \"%.60s\" of itself", path, version);
		check_remedy(finding, "correct `probe.program`");
	} else if (too_old(version)) {
		check_problem(finding, RIG_CHECK_BAD, "%s is too old (%.60s): the driver needs OpenOCD 0.12 or later", path, version);
		check_remedy(finding, "install a later one (package openocd), or name it by `probe.program`");
	}
	for (unsigned i = 0; config && i < config->list.count; i++)
		look_at_config(context, item, config->list.items[i], finding);
	if (finding->state < RIG_CHECK_WARNING)
		look_at_reading(context, item, finding);
}

/* Connecting halts the board: a server on this machine is looked up in the kernel's table, another one is asked only when the board has
 * no power. */
static void look_at_server(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	const char *address = map_text(item->map, "address");
	int listens = check_listens(address), r = 0;
	if (listens == 1) {
		check_found(finding, "somebody listens there");
		return;
	}
	if (listens == -ENOENT && check_power_of(context, item) != CHECK_POWER_OFF) {
		check_problem(finding, RIG_CHECK_NOT_ASKED, "a GDB server halts the board when somebody connects");
		return;
	}
	if (listens == -ENOENT && (r = check_connect(address, check_deadline_ns(context))) == 0) {
		check_found(finding, "takes connections");
		return;
	}
	check_problem(finding, RIG_CHECK_BAD, "GDB server %s: %s", address, listens == 0 ? "nobody listens there" : strerror(-r));
	check_remedy(finding, "start the server, or correct `probe.address`");
}

static void look_at_probe(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	if (is_gdb(item->map))
		look_at_server(context, item, finding);
	else
		look_at_openocd(context, item, finding);
}

const struct check_kind check_kind_probe = {.name = "probe", .instrument = true, .list = list_probes, .look = look_at_probe};

/* ---- adapter ---- */

static bool usb_attribute(const char *device, const char *name, char *ret, size_t size)
{
	char folder[400];
	(void)snprintf(folder, sizeof(folder), "/sys/bus/usb/devices/%.255s", device);
	return sysfs_attribute(folder, name, ret, size);
}

static void add_adapter(struct check_list *list, const struct check_kind *kind, const struct value_entry *role)
{
	const struct value *probe = value_get(role->value, "probe"), *serial = probe ? value_get(probe, "adapter_serial") : NULL;
	const struct board_driver *driver = board_driver_find(map_text(role->value, "driver"));
	if (!probe || is_gdb(probe) || (!driver->external && !serial))
		return;
	struct check_item *item = check_add(list, kind, role->key, probe);
	char *text = serial ? serial->type == VALUE_TEXT ? strdup(serial->text) : value_describe(serial) : NULL;
	if (item) {
		(void)snprintf(item->name, sizeof(item->name), "%s", text ? text : "any");
		(void)snprintf(item->group, sizeof(item->group), "adapter %.60s", role->key);
	}
	free(text);
}

static void list_adapters(struct check_list *list, const struct check_kind *kind)
{
	check_each(list, kind, "roles", add_adapter);
}

static void look_at_usb(const char *device, struct check_finding *finding)
{
	char product[80], bus[16], number[16], path[64];
	(void)usb_attribute(device, "product", product, sizeof(product));
	(void)usb_attribute(device, "busnum", bus, sizeof(bus));
	(void)usb_attribute(device, "devnum", number, sizeof(number));
	(void)snprintf(path, sizeof(path), "/dev/bus/usb/%03d/%03d", atoi(bus), atoi(number));
	check_found(finding, "%s at USB %s", product, device);
	if (access(path, R_OK | W_OK) < 0) {
		check_problem(finding, RIG_CHECK_BAD, "%s: %s", path, strerror(errno));
		check_remedy(finding,
		             "install OpenOCD's udev rules (60-openocd.rules, which give it to the group plugdev), be in that group, and "
		             "plug the adapter in again");
	}
}

static void look_at_adapter(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	char serial[128], others[200] = "";
	bool found = false;
	(void)context;
	if (!value_get(item->map, "adapter_serial")) {
		check_problem(finding, RIG_CHECK_NOT_ASKED, "the rig file names no `adapter_serial`: any adapter is taken");
		return;
	}
	DIR *folder = opendir("/sys/bus/usb/devices");
	for (const struct dirent *entry; folder && !found && (entry = readdir(folder));) {
		if (entry->d_name[0] == '.' || !usb_attribute(entry->d_name, "serial", serial, sizeof(serial)))
			continue;
		size_t used = strlen(others);
		(void)snprintf(others + used, sizeof(others) - used, "%s%.60s", used ? ", " : "", serial);
		found = !strcmp(serial, item->name);
		if (found)
			look_at_usb(entry->d_name, finding);
	}
	if (folder)
		(void)closedir(folder);
	if (found)
		return;
	check_problem(finding, RIG_CHECK_BAD, "no USB device has the serial number %s", item->name);
	check_remedy(
	        finding,
	        "is the adapter's USB cable in? Serial numbers that are there: %s; correct `probe.adapter_serial` if it is one of them",
	        others[0] ? others : "none");
}

const struct check_kind check_kind_adapter = {.name = "adapter", .instrument = true, .list = list_adapters, .look = look_at_adapter};
