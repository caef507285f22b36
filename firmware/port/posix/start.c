/* SPDX-License-Identifier: Apache-2.0 */
/* How the process comes to life: as the CPU of a virtual board, or alone from its command line. */
#include "port_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESTART_VARIABLE "BOARD_RESET_REASON"

static struct {
	bool on_board;
	char **arguments;
	const char *application;
	int nvm;
} start_state = {.nvm = -1};

static const char usage[] = "usage: %s [options]\n"
                            "Runs the firmware without a board: the console is standard input and output.\n"
                            "  --param NAME=VALUE   a parameter of the board (docs/reference/virtual-board.md)\n"
                            "  --object NAME=FILE   a file of the board: tls.ca, tls.certificate, tls.key\n"
                            "  --nvm FILE           non-volatile memory, made when missing (without: lost at the end)\n"
                            "  --application FILE   the program a bootloader starts\n"
                            "  --key-log FILE       appends the TLS key log (test builds)\n"
                            "  --help\n";

static _Noreturn void fail(const char *what, const char *which)
{
	fprintf(stderr, "%s: %s: %s\n", start_state.arguments[0], which, what);
	exit(2);
}

bool port_posix_on_board(void)
{
	return start_state.on_board;
}

const char *port_posix_application_path(void)
{
	return start_state.application;
}

char **port_posix_arguments(void)
{
	return start_state.arguments;
}

void port_posix_restart(enum port_reset kind)
{
	setenv(RESTART_VARIABLE, kind == PORT_RESET_SYSTEM ? "system" : "application", 1);
	execv("/proc/self/exe", start_state.arguments);
	fail(strerror(errno), "restart");
}

/* Splits NAME=VALUE in a copy, for the two options that have it. */
static char *split_pair(const char *option, const char *text, char *copy, size_t size)
{
	if (strlen(text) >= size)
		fail("too long", option);
	memcpy(copy, text, strlen(text) + 1);
	char *equals = strchr(copy, '=');
	if (!equals || equals == copy)
		fail("NAME=… expected", option);
	*equals = '\0';
	return equals + 1;
}

static void option_param(const char *text)
{
	char copy[1024];
	const char *value = split_pair("--param", text, copy, sizeof copy);
	if (port_posix_parameter_set(copy, value) < 0)
		fail("no room for this parameter, or a bad name", text);
}

static void option_object(const char *text)
{
	char copy[4096];
	const char *path = split_pair("--object", text, copy, sizeof copy);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail(strerror(errno), path);
	if (port_posix_object_read(copy, fd) < 0)
		fail("cannot be read, or is too large", path);
	close(fd);
}

static void option_nvm(const char *path)
{
	start_state.nvm = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (start_state.nvm < 0)
		fail(strerror(errno), path);
	off_t size = lseek(start_state.nvm, 0, SEEK_END);
	if (size != 0 && size != (off_t)PORT_NVM_SIZE)
		fail("a non-volatile memory has 4096 bytes", path);
	int r = posix_fallocate(start_state.nvm, 0, PORT_NVM_SIZE); /* it is mapped: a hole on a full disk would be a SIGBUS */
	if (r != 0)
		fail(strerror(r), path);
}

static void option_key_log(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		fail(strerror(errno), path);
	port_posix_key_log(fd);
}

static void option_application(const char *path)
{
	start_state.application = path;
}

static void read_command_line(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*take)(const char *value);
	} options[] = {{"--param", option_param},
	               {"--object", option_object},
	               {"--nvm", option_nvm},
	               {"--application", option_application},
	               {"--key-log", option_key_log}};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			printf(usage, argv[0]);
			exit(0);
		}
		size_t n = 0;
		while (n < sizeof options / sizeof *options && strcmp(argv[i], options[n].name) != 0)
			n++;
		if (n == sizeof options / sizeof *options)
			fail("unknown option (--help tells the known ones)", argv[i]);
		if (i + 1 == argc)
			fail("a value is missing", argv[i]);
		options[n].take(argv[++i]);
	}
}

static void read_board_object(const char *name, const char *value)
{
	int fd = atoi(value);
	if (fd <= PORT_FD_NVM || port_posix_object_read(name, fd) < 0)
		fail("the board's object cannot be read", name);
}

static void read_board(void)
{
	static char text[16384];
	ssize_t length = pread(PORT_FD_PARAMETERS, text, sizeof text - 1, 0);
	if (length < 0 || length == (ssize_t)sizeof text - 1)
		fail("the board's parameters cannot be read", "fd 4");
	text[length] = '\0';
	if (port_posix_parameters_parse(text) < 0)
		fail("the board's parameters do not parse", "fd 4");
	port_posix_parameters_each("object.", read_board_object);
	if (!port_posix_flash_open())
		fail("the board's flash does not answer", "fd 5");
	start_state.nvm = PORT_FD_NVM;
	const char *name = port_posix_parameter("board.name");
	if (name)
		prctl(PR_SET_NAME, name);
}

/* The trace port is a sequenced-packet socket: nothing else that may have been left open at that number is. */
static bool board_present(void)
{
	int type;
	socklen_t length = sizeof type;
	return getsockopt(PORT_FD_TRACE, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET &&
	       fcntl(PORT_FD_PARAMETERS, F_GETFD) >= 0;
}

static void die_with_board(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	char byte;
	if (recv(PORT_FD_TRACE, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		_exit(2); /* it died before the request took effect */
}

static void start_clock(void)
{
	const char *reset = port_posix_parameter("reset.time_ns");
	port_posix_clock_start(reset ? strtoull(reset, NULL, 10) : port_posix_now_ns());
	uint32_t watchdog_ms = 0;
	port_param_u32("watchdog.ms", &watchdog_ms);
	port_posix_watchdog_start(start_state.on_board ? watchdog_ms : 0);
}

void port_posix_start(int argc, char **argv)
{
	start_state.arguments = argv;
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_TIMERSLACK, 1UL);
	start_state.on_board = board_present();
	if (start_state.on_board) {
		die_with_board();
		read_board();
	} else {
		read_command_line(argc, argv);
		const char *reason = getenv(RESTART_VARIABLE);
		port_posix_parameter_set("reset.reason", reason ? reason : "power-on");
	}
	start_clock();
	if (port_posix_nvm_open(start_state.nvm) < 0)
		fail("cannot be mapped", "non-volatile memory");
	uint32_t ram;
	bool on_board = start_state.on_board && port_param_u32("ram.fd", &ram) == PORT_OK;
	if (port_posix_ram_open(on_board ? (int)ram : -1) < 0)
		fail("cannot be mapped", "RAM");
	const char *device = port_posix_parameter("net.device");
	if (device && port_posix_link_open(device) < 0)
		fail("no such network device", device);
}
