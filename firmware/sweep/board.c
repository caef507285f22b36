/* SPDX-License-Identifier: Apache-2.0 */
#include "board.h"

#include "../core/ota_image.h"
#include "../faults/fault.h"
#include "guard.h"
#include "shared.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CPU_LIMIT_S 60u /* real time of one program: it never sleeps */
#define MAX_BOOTS   6u
#define SUPPLY_MV   12000u

struct board *board_new(const struct setup *setup)
{
	struct flash_geometry geometry;
	struct board *board = calloc(1, sizeof(*board));

	setup_geometry(setup, &geometry);
	if (!board)
		return NULL;
	board->shared = shared_memory(sizeof(*board->shared));
	board->setup = setup;
	board->flash = shared_flash(&geometry);
	if (board->shared && board->flash)
		return board;
	board_free(board);
	return NULL;
}

void board_free(struct board *board)
{
	if (board)
		flash_free(board->flash);
	free(board);
}

void board_set(struct board *board, const struct flash *flash, const uint8_t *nvm, const struct knowledge *know)
{
	flash_copy(board->flash, flash);
	memset(board->shared, 0, sizeof(*board->shared));
	memcpy(board->shared->nvm, nvm, sizeof(board->shared->nvm));
	board->shared->know = *know;
	board->now_ns = 0;
	board->boots = 0;
	board->pending_count = 0;
}

/* ---- findings and the timeline ------------------------------------------------------------------------------------ */

void board_find(struct board *board, unsigned invariant, const char *format, ...)
{
	struct board_shared *shared = board->shared;
	struct finding *finding;
	va_list arguments;

	if (shared->finding_count == BOARD_MAX_FINDINGS)
		return;
	finding = &shared->findings[shared->finding_count++];
	finding->invariant = invariant;
	va_start(arguments, format);
	vsnprintf(finding->text, sizeof(finding->text), format, arguments);
	va_end(arguments);
	board_trace(board, "VIOLATION I%u: %s", invariant, finding->text);
}

bool board_found(const struct board *board)
{
	return board->shared->finding_count > 0;
}

void board_trace(const struct board *board, const char *format, ...)
{
	va_list arguments;
	uint64_t now_ns = board->now_ns;

	if (!board->trace)
		return;
	if (port_model_running())
		now_ns = port_model_now_ns();
	printf("%10.3f ms  ", (double)now_ns / 1e6);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

/* ---- the CPU ------------------------------------------------------------------------------------------------------- */

static struct board *running; /* in the process of a CPU */

/* The flash does not know of the CPU's end: what is under way comes to its end. */
static _Noreturn void leave(enum cpu_end end)
{
	uint64_t now_ns = port_model_now_ns(), next_ns;

	while ((next_ns = flash_poll(running->flash, now_ns)) != FLASH_NEVER)
		now_ns = next_ns;
	guard_end(running);
	running->shared->now_ns = now_ns;
	running->shared->end = (uint8_t)end;
	fflush(stdout);
	_exit(0);
}

static void on_reset(void *context, enum port_reset kind)
{
	(void)context;
	leave(kind == PORT_RESET_SYSTEM ? CPU_SYSTEM_RESET : CPU_APPLICATION_RESET);
}

static void on_stuck(void *context)
{
	(void)context;
	leave(CPU_STUCK);
}

static void on_console(void *context, const char *text, size_t length)
{
	const struct board *board = context;

	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
		length--;
	if (length > 0)
		board_trace(board, "console: %.*s", (int)length, text);
}

static void begin_pending(struct board *board)
{
	for (unsigned i = 0; i < board->pending_count; i++) {
		const struct operation *operation = board->pending[i];
		(void)flash_unlock(board->flash, setup_password);
		if (operation->kind == FLASH_PROGRAM)
			(void)flash_program(board->flash, operation->address, board->pending_log->data + operation->data, operation->length,
			                    operation->begin_ns);
		else
			(void)flash_erase(board->flash, operation->address, 1, operation->begin_ns);
		flash_lock(board->flash);
	}
}

static _Noreturn void cpu(struct board *board, cpu_program program)
{
	struct port_model model = {
	        .flash = board->flash,
	        .active = board->active,
	        .reason = board->reason,
	        .begin_ns = board->now_ns,
	        .parameters = setup_parameters(board->setup),
	        .objects = setup_objects(board->setup),
	        .nvm = board->shared->nvm,
	        .seed = board->setup->seed,
	        .supply_mv = SUPPLY_MV,
	        .reset = on_reset,
	        .stuck = on_stuck,
	        .console = on_console,
	        .context = board,
	};

	alarm(CPU_LIMIT_S);
	running = board;
	begin_pending(board);
	guard_begin(board);
	port_model_start(&model);
	program(board);
	leave(CPU_DONE);
}

enum cpu_end board_run(struct board *board, cpu_program program)
{
	enum cpu_end end = CPU_CRASHED;
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0)
		cpu(board, program);
	if (child < 0 || waitpid(child, &status, 0) != child) {
		perror("otasweep: cannot run a program");
		exit(3);
	}
	shared_flash_changed(board->flash);
	board->pending_count = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		end = (enum cpu_end)board->shared->end;
		board->now_ns = board->shared->now_ns;
	} else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
		end = CPU_HUNG;
	}
	return end;
}

/* ---- SSW and bootloader ---------------------------------------------------------------------------------------------- */

static void bootloader(struct board *board)
{
	fault_load();
	ota_image_start(board->setup->target);
	ota_boot(&board->shared->boot);
}

static bool ssw(struct board *board, enum board_release release)
{
	struct ssw_result result;

	board->boots++;
	if (release == RELEASE_WATCHDOG) { /* an application reset: the map stays */
		board->reason = PORT_REASON_WATCHDOG;
		board_trace(board, "watchdog reset, bank %c stays mapped", "AB"[board->active]);
		return true;
	}
	flash_power_on(board->flash);
	flash_reset(board->flash);
	ssw_evaluate(board->flash, board->setup->policy, &result);
	board->reason = release == RELEASE_POWER_ON ? PORT_REASON_POWER_ON : PORT_REASON_SYSTEM;
	board->active = result.active;
	board_trace(board, "%s: SSW maps bank %c (UCB_SWAP entries: ORIG %d, COPY %d%s)%s%s",
	            release == RELEASE_POWER_ON ? "power on" : "system reset", "AB"[result.active], result.orig_entry, result.copy_entry,
	            result.contradiction ? ", contradiction" : "", result.bootable ? "" : ", not bootable: ", result.reason);
	if (!result.bootable)
		board_find(board, 1, "the SSW finds nothing to boot: %s", result.reason);
	return result.bootable;
}

static const char *end_name(enum cpu_end end)
{
	static const char *const names[] = {"returned", "made a system reset",    "made an application reset", "waits for ever",
	                                    "crashed",  "does not come to an end"};

	return names[end];
}

static bool start_once(struct board *board, enum board_release release)
{
	static const char *const decisions[] = {"run", "swapped", "recovery"};
	enum cpu_end end;

	if (!ssw(board, release))
		return false;
	end = board_run(board, bootloader);
	if (board_found(board))
		return false;
	if (end != CPU_DONE) {
		board_find(board, 1, "the bootloader %s", end_name(end));
		return false;
	}
	const struct ota_boot_result *boot = &board->shared->boot;
	board_trace(board, "bootloader: %s%s%s, active image status %d, other %d", decisions[boot->decision], boot->trial ? ", trial" : "",
	            boot->rolled_back ? ", rolled back" : "", boot->active, boot->other);
	if (boot->decision == OTA_BOOT_RECOVERY)
		board_find(board, 1, "recovery: no approved image (active %d, other %d)", boot->active, boot->other);
	return boot->decision != OTA_BOOT_RECOVERY;
}

bool board_start(struct board *board, enum board_release release)
{
	for (unsigned boots = 0; boots < MAX_BOOTS; boots++) {
		if (!start_once(board, release))
			return false;
		if (board->shared->boot.decision == OTA_BOOT_RUN)
			return true;
		release = RELEASE_SYSTEM;
	}
	board_find(board, 1, "no image runs after %u boots", MAX_BOOTS);
	return false;
}
