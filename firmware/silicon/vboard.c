/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual board's program: options and the loop. */
#include "board.h"

#include "instant.h"
#include "jtag_server.h"
#include "nvm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char usage[] =
        "usage: vboard --name NAME --control-fd N --boot PATH --nvm FILE [options]\n"
        "The silicon of one virtual board, driven over the socket N with JSON lines (docs/reference/virtual-board.md).\n"
        "  --boot PATH          the bootloader's program\n"
        "  --bank-a PACKAGE     what the factory wrote into bank A, and\n"
        "  --bank-b PACKAGE     into bank B: software packages\n"
        "  --application PATH   a program for bank A without a signature\n"
        "  --flash FILE         the flash, made when missing (without: lost at the end)\n"
        "  --geometry NAME      tc375 (standard) or sweep\n"
        "  --swap-policy P      when UCB_SWAP ORIG and COPY contradict each other: orig (standard), copy, stop\n"
        "  --param NAME=VALUE   a strap of the board\n"
        "  --object NAME=FILE   a file the firmware may read: tls.ca, tls.certificate, tls.key\n"
        "  --netns PATH         the network namespace the CPU runs in\n"
        "  --can N=PATH         wires CAN node N (0, 1) to the bus that listens at PATH\n"
        "  --jtag PATH          the debug connector: a UNIX socket for OpenOCD's remote_bitbang\n"
        "  --help\n";

static struct board board = {
        .nvm = -1,
        .netns = -1,
        .flash = {.geometry = &flash_tc375},
        .cpu = {.pid_fd = -1, .trace = -1, .flash = -1},
        .uart = {.input = -1, .output = -1},
        .ssw_end_ns = INSTANT_NEVER,
        .watchdog_ns = INSTANT_NEVER,
        .frozen_ns = INSTANT_NEVER,
        .watchdog_left_ns = INSTANT_NEVER,
        .debug = {.ram_fd = -1},
        .control = {.fd = -1},
};

static _Noreturn void fail(const char *what, const char *which)
{
	fprintf(stderr, "vboard: %s: %s\n", which, what);
	exit(2);
}

static void option_name(const char *value)
{
	board.name = value;
}
static void option_boot(const char *value)
{
	board.boot_path = value;
}
static void option_application(const char *value)
{
	board.flash.application_path = value;
}
static void option_bank_a(const char *value)
{
	board.flash.package_path[0] = value;
}
static void option_bank_b(const char *value)
{
	board.flash.package_path[1] = value;
}
static void option_flash(const char *value)
{
	board.flash.path = value;
}

static void option_geometry(const char *value)
{
	if (strcmp(value, flash_tc375.name) == 0)
		board.flash.geometry = &flash_tc375;
	else if (strcmp(value, flash_sweep.name) == 0)
		board.flash.geometry = &flash_sweep;
	else
		fail("tc375 or sweep expected", value);
}

static void option_swap_policy(const char *value)
{
	static const char *const names[] = {"orig", "copy", "stop"};
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(value, names[i]) == 0) {
			board.flash.policy = (enum ssw_policy)i;
			return;
		}
	}
	fail("orig, copy or stop expected", value);
}

static void option_control(const char *value)
{
	int type;
	socklen_t length = sizeof type;
	char *end;
	errno = 0;
	long fd = strtol(value, &end, 10);
	if (errno || *end || end == value || fd < 3 || fd > 65535)
		fail("not a descriptor", value);
	if (getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_STREAM)
		fail("the control channel has to be a stream socket", value);
	fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	board.control.fd = (int)fd;
}

static void option_nvm(const char *value)
{
	static char error[512];
	board.nvm = nvm_open(value, error, sizeof error);
	if (board.nvm < 0)
		fail(error, "non-volatile memory");
}

static void option_netns(const char *value)
{
	board.netns = open(value, O_RDONLY | O_CLOEXEC);
	if (board.netns < 0)
		fail(strerror(errno), value);
}

/* NAME=VALUE, the name behind a prefix. */
static void set_pair(const char *prefix, const char *pair)
{
	char name[256];
	const char *equals = strchr(pair, '=');
	if (!equals || equals == pair)
		fail("NAME=… expected", pair);
	int length = snprintf(name, sizeof name, "%s%.*s", prefix, (int)(equals - pair), pair);
	if (length >= (int)sizeof name || straps_set(&board.straps, name, equals + 1) < 0)
		fail("no room for it, or a line break in it", pair);
}

static void option_param(const char *value)
{
	set_pair("", value);
}
static void option_object(const char *value)
{
	set_pair(STRAPS_OBJECT, value);
}

static void option_can(const char *value)
{
	if (value[0] < '0' || value[0] >= '0' + CPU_MAX_CAN || value[1] != '=' || !value[2])
		fail("N=PATH expected, N 0 or 1", value);
	board.can_path[value[0] - '0'] = value + 2;
}

static const char *jtag_path;
static void option_jtag(const char *value)
{
	jtag_path = value;
}

static void read_options(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*take)(const char *value);
	} options[] = {{"--name", option_name},
	               {"--control-fd", option_control},
	               {"--boot", option_boot},
	               {"--application", option_application},
	               {"--bank-a", option_bank_a},
	               {"--bank-b", option_bank_b},
	               {"--flash", option_flash},
	               {"--geometry", option_geometry},
	               {"--swap-policy", option_swap_policy},
	               {"--nvm", option_nvm},
	               {"--param", option_param},
	               {"--object", option_object},
	               {"--netns", option_netns},
	               {"--can", option_can},
	               {"--jtag", option_jtag}};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			fputs(usage, stdout);
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

static void check_options(void)
{
	const struct {
		const char *name;
		bool given;
	} needed[] = {{"--name", board.name != NULL},
	              {"--control-fd", board.control.fd >= 0},
	              {"--boot", board.boot_path != NULL},
	              {"--nvm", board.nvm >= 0}};
	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
		if (!needed[i].given)
			fail("is needed (--help tells more)", needed[i].name);
	}
}

/* The standard one is no secret: a board of a rig that needs one has its own. */
#define PASSWORD "5a17c0de9b3e4f2281d6a07c3e95b4f80c6d2e1ff0a3947b6852d91e7c40ab36"

/* The password of the UCBs is the factory's: a parameter that is set later is a wrong one. */
static void read_password(void)
{
	const char *text = straps_get(&board.straps, "flash.password");
	if (!text) {
		straps_set(&board.straps, "flash.password", PASSWORD);
		text = PASSWORD;
	}
	if (strlen(text) != 64 || strspn(text, "0123456789abcdefABCDEF") != 64)
		fail("64 hex digits expected", "flash.password");
	for (int i = 0; i < 8; i++) {
		char word[9] = "";
		memcpy(word, text + 8 * i, 8);
		board.flash.password[i] = (uint32_t)strtoul(word, NULL, 16);
	}
}

static void open_flash(void)
{
	char error[512];
	read_password();
	if (board_flash_open(&board, error, sizeof error) < 0)
		fail(error, "flash");
}

static void open_debug(void)
{
	int r = debug_memory_open(&board);
	if (r < 0)
		fail(strerror(-r), "RAM");
	if (jtag_path && jtag_server_open(&board, jtag_path) < 0)
		fail(strerror(errno), jtag_path);
}

enum { POLL_CONTROL, POLL_CONSOLE, POLL_TRACE, POLL_FLASH, POLL_CPU, POLL_JTAG, POLL_ADAPTER, POLL_COUNT };

/* Fills in what may be read now; returns when to wake at the latest. */
static uint64_t poll_fill(struct pollfd *fds)
{
	const bool room = control_has_room(&board.control);
	uint64_t now_ns = instant_ns();
	uint64_t wake_ns = INSTANT_NEVER;
	uint64_t console_ns = board.uart.output >= 0 && room ? uart_ready_ns(&board.uart, now_ns) : INSTANT_NEVER;
	fds[POLL_CONTROL] = (struct pollfd){.fd = board.control.fd};
	fds[POLL_CONTROL].events = (short)((room ? POLLIN : 0) | (control_has_output(&board.control) ? POLLOUT : 0));
	fds[POLL_CONSOLE] = (struct pollfd){.fd = console_ns == 0 ? board.uart.output : -1, .events = POLLIN};
	fds[POLL_TRACE] = (struct pollfd){.fd = room ? board.cpu.trace : -1, .events = POLLIN};
	fds[POLL_FLASH] = (struct pollfd){.fd = room ? board.cpu.flash : -1, .events = POLLIN};
	fds[POLL_CPU] = (struct pollfd){.fd = room ? board.cpu.pid_fd : -1, .events = POLLIN};
	fds[POLL_JTAG] = (struct pollfd){.fd = room ? jtag_server_listener() : -1, .events = POLLIN};
	fds[POLL_ADAPTER].fd = jtag_server_adapter(&fds[POLL_ADAPTER].events);
	if (!room)
		fds[POLL_ADAPTER].fd = -1;
	if (console_ns != 0)
		wake_ns = console_ns;
	/* Without room the board stands still, its watchdog too: the bench, not the firmware, is what is late. */
	if (room && board_deadline_ns(&board) < wake_ns)
		wake_ns = board_deadline_ns(&board);
	return wake_ns;
}

static int poll_until(struct pollfd *fds, uint64_t wake_ns)
{
	struct timespec timeout = {0};
	uint64_t now_ns = instant_ns();
	if (wake_ns > now_ns) {
		timeout.tv_sec = (time_t)((wake_ns - now_ns) / 1000000000u);
		timeout.tv_nsec = (long)((wake_ns - now_ns) % 1000000000u);
	}
	return ppoll(fds, POLL_COUNT, wake_ns == INSTANT_NEVER ? NULL : &timeout, NULL);
}

/* What the CPU said comes before what it did: console, trace, its end, and requests last. The flash has its own time: what
 * is due there does not wait for a CPU that talks without end. */
static void serve(const struct pollfd *fds)
{
	if (control_has_room(&board.control))
		board_flash_tick(&board, instant_ns());
	if (fds[POLL_CONSOLE].revents && board.uart.output >= 0)
		uart_read(&board.uart, &board.control);
	else if (fds[POLL_TRACE].revents && board.cpu.trace >= 0)
		board_trace(&board);
	else if (fds[POLL_FLASH].revents && board.cpu.flash >= 0)
		board_flash_serve(&board);
	else if (fds[POLL_CPU].revents && board.cpu.pid_fd >= 0)
		board_cpu_ended(&board);
	else if (control_has_room(&board.control))
		board_tick(&board, instant_ns());
	if (fds[POLL_ADAPTER].fd >= 0 && fds[POLL_ADAPTER].revents && control_has_room(&board.control))
		jtag_server_serve();
	if (fds[POLL_JTAG].revents)
		jtag_server_accept();
	if (fds[POLL_CONTROL].revents) {
		control_flush(&board.control);
		control_receive(&board.control, board_request, &board);
	}
}

static void run(void)
{
	while (!board.control.closed) {
		struct pollfd fds[POLL_COUNT];
		uint64_t wake_ns = poll_fill(fds);
		if (poll_until(fds, wake_ns) < 0 && errno != EINTR)
			fail(strerror(errno), "poll");
		serve(fds);
	}
	cpu_end(&board.cpu);
	jtag_server_close();
	debug_memory_close(&board);
	straps_clear(&board.straps);
	board_flash_close(&board);
}

int main(int argc, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_TIMERSLACK, 1UL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is told as a full disk is */
	signal(SIGINT, SIG_IGN);  /* a terminal's Ctrl-C is for the runner, which still needs the board to end well */
	read_options(argc, argv);
	check_options();
	open_flash();
	open_debug();
	run();
	return 0;
}
