/* SPDX-License-Identifier: Apache-2.0 */
#include "board.h"

#include "instant.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS        UINT64_C(1000000)
#define FROZEN_MS 20

static void report_dead(struct board *board, const char *exit)
{
	board->state = BOARD_DEAD;
	board->halted = false;
	board->ssw_end_ns = board->watchdog_ns = INSTANT_NEVER;
	control_event(&board->control,
	              json_pack("{s:s, s:I, s:s, s:s}", "event", "cpu", "t", (json_int_t)instant_ns(), "state", "dead", "exit", exit));
}

void board_report_reset(struct board *board, const char *kind)
{
	control_event(&board->control, json_pack("{s:s, s:I, s:s, s:i}", "event", "reset", "t", (json_int_t)board->release_ns, "kind", kind,
	                                         "boot", (int)board->boots));
}

/* Ends the CPU and lets everything it said be read. */
static void stop(struct board *board, enum board_state state)
{
	cpu_end(&board->cpu);
	board->frozen_ns = INSTANT_NEVER;
	uart_close(&board->uart, &board->control);
	board->state = state;
	board->halted = false;
	board->ssw_end_ns = board->watchdog_ns = INSTANT_NEVER;
}

/* Checks what the CPU will need, so that a missing file is told where the reset was asked for. */
static int prepare(struct board *board, char *error, size_t error_size)
{
	size_t objects = 0;
	for (const struct strap *s = board->straps.first; s; s = s->next) {
		if (strncmp(s->name, STRAPS_OBJECT, sizeof STRAPS_OBJECT - 1) != 0)
			continue;
		if (access(s->value, R_OK) < 0) {
			snprintf(error, error_size, "%s %s: %s", s->name, s->value, strerror(errno));
			return -1;
		}
		if (++objects > CPU_MAX_OBJECTS) {
			snprintf(error, error_size, "a board has at most %d objects", CPU_MAX_OBJECTS);
			return -1;
		}
	}
	return 0;
}

/* Releases reset: the SSW begins. The caller reports it. */
static void release(struct board *board, const char *reason)
{
	board->boots++;
	board->fresh = false;
	board->reason = reason;
	board->release_ns = instant_ns();
	board->ssw_end_ns = board->release_ns + straps_get_u32(&board->straps, "boot.ssw_ms", 10) * MS;
	board->state = BOARD_SSW;
	board->ssw_told = false;
	board_flash_reset(board);
}

static void lose_power(struct board *board)
{
	board->powered = false;
	debug_memory_power_off(board); /* which asks what the flash is doing */
	board_flash_power_off(board);
}

/* Nobody has asked for it, so nobody has seen to it yet that the system under this process tells no other board of its end,
 * as it does when it closes its sockets: it stands still for a moment, in which who watches learns of the cut. */
void board_power_lost(struct board *board)
{
	cpu_freeze(&board->cpu);
	uart_close(&board->uart, &board->control);
	board->state = BOARD_OFF;
	board->ssw_end_ns = board->watchdog_ns = INSTANT_NEVER;
	board->frozen_ns = instant_ns() + FROZEN_MS * MS;
	lose_power(board);
}

/* A CPU that still stands there without power. */
static void end_frozen(struct board *board)
{
	if (board->frozen_ns != INSTANT_NEVER)
		stop(board, BOARD_OFF);
}

int board_power(struct board *board, bool on, uint64_t *ret_t_ns, char *error, size_t error_size)
{
	end_frozen(board);
	*ret_t_ns = instant_ns();
	if (!on) {
		stop(board, BOARD_OFF);
		if (board->powered)
			lose_power(board);
	} else if (!board->powered && board->held) {
		board->powered = true;
		board_flash_power_on(board);
		board->fresh = true;
		board->state = BOARD_HELD;
	} else if (!board->powered) {
		if (prepare(board, error, error_size) < 0)
			return -1;
		board->powered = true;
		board_flash_power_on(board);
		release(board, "power-on");
		*ret_t_ns = board->release_ns;
	}
	return 0;
}

int board_reset(struct board *board, const char *kind, uint64_t *ret_t_ns, char *error, size_t error_size)
{
	if (!board->powered || board->held) {
		snprintf(error, error_size, board->powered ? "the board is held in reset" : "the board has no power");
		return -1;
	}
	if (prepare(board, error, error_size) < 0)
		return -1;
	stop(board, BOARD_SSW);
	release(board, kind);
	board_report_reset(board, kind);
	*ret_t_ns = board->release_ns;
	return 0;
}

static int hold(struct board *board, enum board_hold_line line, bool on, uint64_t *ret_t_ns, char *error, size_t error_size)
{
	unsigned lines = on ? board->hold_lines | line : board->hold_lines & ~(unsigned)line;
	*ret_t_ns = instant_ns();
	if (on && board->held) {
		board->hold_lines = lines;
		return 0;
	}
	if (on) {
		board->hold_lines = lines;
		board->held = true;
		if (board->powered)
			stop(board, BOARD_HELD);
		return 0;
	}
	if (lines) {
		board->hold_lines = lines;
		return 0;
	}
	if (board->held && board->powered) {
		if (prepare(board, error, error_size) < 0)
			return -1;
		bool fresh = board->fresh;
		release(board, fresh ? "power-on" : "external");
		board_report_reset(board, fresh ? "power" : "external");
		*ret_t_ns = board->release_ns;
	}
	board->hold_lines = 0;
	board->held = false;
	return 0;
}

int board_hold(struct board *board, bool on, uint64_t *ret_t_ns, char *error, size_t error_size)
{
	return hold(board, BOARD_HOLD_CONTROL, on, ret_t_ns, error, error_size);
}

int board_srst(struct board *board, bool on, char *error, size_t error_size)
{
	uint64_t t_ns;
	return hold(board, BOARD_HOLD_SRST, on, &t_ns, error, error_size);
}

/* A connection to each bus that the board is wired to. A bus that is not there is no reason not to boot: the firmware
 * then finds no controller. */
static void open_can(struct board *board, struct cpu_start *start)
{
	for (int i = 0; i < CPU_MAX_CAN; i++) {
		char name[16], number[16];
		start->can[i] = board->can_path[i] ? wire_connect(board->can_path[i]) : -1;
		if (board->can_path[i] && start->can[i] < 0)
			fprintf(stderr, "vboard: %s: %s: %s\n", board->name, board->can_path[i], strerror(errno));
		snprintf(name, sizeof name, "can.%d.fd", i);
		snprintf(number, sizeof number, "%d", CPU_FIRST_CAN + i);
		straps_set(&board->straps, name, start->can[i] >= 0 ? number : NULL);
	}
}

static void close_can(const struct cpu_start *start)
{
	for (int i = 0; i < CPU_MAX_CAN; i++) {
		if (start->can[i] >= 0)
			close(start->can[i]);
	}
}

/* The board's own facts, beside the straps. */
static void set_facts(struct board *board)
{
	char text[32];
	straps_set(&board->straps, "board.name", board->name);
	straps_set(&board->straps, "reset.reason", board->reason);
	snprintf(text, sizeof text, "%" PRIu64, board->release_ns);
	straps_set(&board->straps, "reset.time_ns", text);
	snprintf(text, sizeof text, "%u", board->boots);
	straps_set(&board->straps, "reset.boot", text);
	snprintf(text, sizeof text, "%d", CPU_RAM);
	straps_set(&board->straps, "ram.fd", text);
}

static void open_objects(const struct board *board, struct cpu_start *start)
{
	for (const struct strap *s = board->straps.first; s; s = s->next) {
		/* One that vanished since the reset is absent for the CPU, which then says so. */
		if (strncmp(s->name, STRAPS_OBJECT, sizeof STRAPS_OBJECT - 1) == 0 && start->object_count < CPU_MAX_OBJECTS)
			start->objects[start->object_count++] = open(s->value, O_RDONLY | O_CLOEXEC);
	}
}

static void start_cpu(struct board *board, int program)
{
	struct cpu_start start = {.program = program, .netns = board->netns, .nvm = board->nvm, .ram = board->debug.ram_fd};
	uint32_t baud = straps_get_u32(&board->straps, "console.baud", 921600);
	set_facts(board);
	open_can(board, &start);
	start.parameters = image_parameters(&board->straps, CPU_FIRST_OBJECT);
	if (start.parameters < 0 || uart_open(&board->uart, baud, &start.console_input, &start.console_output) < 0) {
		if (start.parameters >= 0)
			close(start.parameters);
		close_can(&start);
		report_dead(board, "no descriptors left");
		return;
	}
	open_objects(board, &start);
	int r = cpu_start(&board->cpu, &start);
	close(start.parameters);
	close(start.console_input);
	close(start.console_output);
	close_can(&start);
	for (size_t i = 0; i < start.object_count; i++) {
		if (start.objects[i] >= 0)
			close(start.objects[i]);
	}
	if (r < 0) {
		uart_close(&board->uart, &board->control);
		report_dead(board, board->cpu.exit);
		return;
	}
	board->state = BOARD_RUNNING;
}

static void arm_watchdog(struct board *board, uint64_t now_ns)
{
	uint32_t watchdog_ms = straps_get_u32(&board->straps, "watchdog.ms", 0);
	board->watchdog_ns = watchdog_ms ? now_ns + watchdog_ms * MS : INSTANT_NEVER;
	if (board->halted) { /* it stands still with its CPU, which had kicked it before */
		board->watchdog_left_ns = watchdog_ms ? watchdog_ms * MS : INSTANT_NEVER;
		board->watchdog_ns = INSTANT_NEVER;
	}
}

static void boot_from_flash(struct board *board)
{
	int program = board_flash_bootloader(board, board->cpu.exit, sizeof board->cpu.exit);
	if (program < 0) {
		report_dead(board, board->cpu.exit);
		return;
	}
	start_cpu(board, program);
	close(program);
}

/* What the SSW does, once a reset. An application reset, which the watchdog's is too, leaves the map as it is. */
static void tell_ssw(struct board *board, uint64_t now_ns)
{
	char line[96];
	int length = snprintf(line, sizeof line, "@boot stage=ssw t_us=%" PRIu64 " boot=%u reason=%s\r\n",
	                      (now_ns - board->release_ns) / 1000, board->boots, board->reason);
	control_event_console(&board->control, now_ns, (const uint8_t *)line, (size_t)length);
	if (strcmp(board->reason, "application") != 0 && strcmp(board->reason, "watchdog") != 0)
		board_flash_map(board);
	board->ssw_told = true;
}

static void end_ssw(struct board *board, uint64_t now_ns)
{
	if (board->flash.next_ns != INSTANT_NEVER) { /* a command goes on: the flash cannot be read before its end */
		board->ssw_end_ns = board->flash.next_ns;
		return;
	}
	board->ssw_end_ns = INSTANT_NEVER;
	if (!board->ssw_told)
		tell_ssw(board, now_ns);
	if (board->halted)
		return; /* before the first instruction */
	boot_from_flash(board);
	if (board->state == BOARD_RUNNING)
		arm_watchdog(board, now_ns);
}

/* A reset that the board makes of itself: nobody waits for an answer. */
static void reset_self(struct board *board, const char *kind)
{
	char error[512];
	uint64_t t_ns;
	if (board_reset(board, kind, &t_ns, error, sizeof error) < 0) {
		stop(board, BOARD_DEAD);
		snprintf(board->cpu.exit, sizeof board->cpu.exit, "%s", error);
		report_dead(board, board->cpu.exit);
	}
}

void board_halt(struct board *board, bool on)
{
	uint64_t now_ns = instant_ns();
	if (board->halted == on)
		return;
	board->halted = on;
	if (board->state == BOARD_SSW && !on && board->ssw_told)
		board->ssw_end_ns = now_ns;
	if (board->state != BOARD_RUNNING)
		return;
	if (on) {
		cpu_halt(&board->cpu);
		board->watchdog_left_ns = board->watchdog_ns;
		board->watchdog_ns = INSTANT_NEVER;
		if (board->watchdog_left_ns != INSTANT_NEVER)
			board->watchdog_left_ns = board->watchdog_left_ns > now_ns ? board->watchdog_left_ns - now_ns : 0;
	} else {
		board->watchdog_ns = board->watchdog_left_ns == INSTANT_NEVER ? INSTANT_NEVER : now_ns + board->watchdog_left_ns;
		cpu_resume(&board->cpu);
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t board_deadline_ns(const struct board *board)
{
	uint64_t cpu_ns = earlier(earlier(board->ssw_end_ns, board->watchdog_ns), board->frozen_ns);
	return earlier(cpu_ns, board_flash_deadline_ns(board));
}

void board_tick(struct board *board, uint64_t now_ns)
{
	board_flash_tick(board, now_ns);
	if (now_ns >= board->frozen_ns)
		stop(board, BOARD_OFF);
	else if (now_ns >= board->ssw_end_ns)
		end_ssw(board, now_ns);
	else if (now_ns >= board->watchdog_ns)
		reset_self(board, "watchdog");
}

void board_trace(struct board *board)
{
	char packet[1024];
	ssize_t n = recv(board->cpu.trace, packet, sizeof packet - 1, MSG_DONTWAIT);
	uint64_t now_ns = instant_ns();
	if (n <= 0) {
		if (n == 0) { /* its end is told by the process's own descriptor */
			close(board->cpu.trace);
			board->cpu.trace = -1;
		}
		return;
	}
	packet[n] = '\0';
	if (strcmp(packet, "reset system") == 0 || strcmp(packet, "reset application") == 0) {
		reset_self(board, packet[6] == 's' ? "system" : "application");
	} else if (strcmp(packet, "kick") == 0) {
		arm_watchdog(board, now_ns);
	} else if (strncmp(packet, "secret ", 7) == 0) {
		control_event(&board->control,
		              json_pack("{s:s, s:I, s:s}", "event", "secret", "t", (json_int_t)now_ns, "line", packet + 7));
	}
}

void board_cpu_ended(struct board *board)
{
	if (board->frozen_ns != INSTANT_NEVER) {
		end_frozen(board);
		return;
	}
	uint64_t watchdog_ns = board->watchdog_ns;
	cpu_reap(&board->cpu);
	uart_close(&board->uart, &board->control);
	report_dead(board, board->cpu.exit);
	board->watchdog_ns = watchdog_ns; /* nobody kicks it any more, and it has a clock of its own */
}
