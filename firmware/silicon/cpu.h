/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU: a child process that runs the firmware. */
#ifndef FIRMWARE_SILICON_CPU_H
#define FIRMWARE_SILICON_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "straps.h"

#define CPU_MAX_OBJECTS  16
#define CPU_MAX_CAN      2
#define CPU_FIRST_OBJECT 7 /* descriptors of the CPU: docs/reference/virtual-board.md */
#define CPU_FIRST_CAN    (CPU_FIRST_OBJECT + CPU_MAX_OBJECTS)
#define CPU_RAM          (CPU_FIRST_CAN + CPU_MAX_CAN)

struct cpu {
	pid_t pid;      /* 0: none */
	int pid_fd;     /* readable when it ended; -1 none */
	int trace;      /* our end of the debug trace, -1 none */
	int flash;      /* our end of the way to the flash, -1 none */
	char exit[512]; /* how the last one ended */
};

/* What the CPU is given; the descriptors stay the caller's. */
struct cpu_start {
	int program; /* what it runs: a descriptor of an executable */
	int netns;   /* -1: ours */
	int console_input, console_output, parameters, nvm;
	int objects[CPU_MAX_OBJECTS];
	size_t object_count;
	int can[CPU_MAX_CAN]; /* connections to buses, -1: none */
	int ram;              /* memory that it shares with the debugger */
};

/* Returns when the program runs (exec succeeded). -1: it does not, cpu->exit tells why. */
int cpu_start(struct cpu *cpu, const struct cpu_start *start);
/* Ends it at once and reaps it; cpu->exit tells how it ended. No-op without a process. */
void cpu_end(struct cpu *cpu);
/* It does nothing any more, and nobody hears it; cpu_end() follows. No-op without a process. */
void cpu_freeze(struct cpu *cpu);
/* The debugger stops it, and it stands still when this returns; lets it go on. No-ops without a process. */
void cpu_halt(const struct cpu *cpu);
void cpu_resume(const struct cpu *cpu);
/* After pid_fd became readable: reaps it. */
void cpu_reap(struct cpu *cpu);

#endif
