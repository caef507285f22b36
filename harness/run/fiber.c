/* SPDX-License-Identifier: Apache-2.0 */
#include "fiber.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_SANITIZED
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define FIBER_SANITIZED
#endif
#ifdef FIBER_SANITIZED
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_SIZE ((size_t)8 << 20) /* as a main thread has; only what is used becomes memory */
#define GUARD_SIZE ((size_t)64 << 10)

struct fiber {
	ucontext_t own, caller;
	void (*run)(void *);
	void *argument;
	char *stack; /* the guard first: stacks grow down */
	bool ended;
	/* What the address sanitizer has to know of a change of stacks. */
	void *own_fake, *caller_fake;
	const void *caller_stack;
	size_t caller_size;
};

/* The sanitizer is told before and after each change; `keep` is where it keeps its own of the stack that is left, NULL: for good. */
static void leave_stack(void **keep, const void *stack, size_t size)
{
#ifdef FIBER_SANITIZED
	__sanitizer_start_switch_fiber(keep, stack, size);
#else
	(void)keep, (void)stack, (void)size;
#endif
}

static void enter_stack(void *kept, const void **ret_stack, size_t *ret_size)
{
#ifdef FIBER_SANITIZED
	__sanitizer_finish_switch_fiber(kept, ret_stack, ret_size);
#else
	(void)kept, (void)ret_stack, (void)ret_size;
#endif
}

/* makecontext() passes nothing but int: the pointer comes in two halves. */
static void begin(unsigned high, unsigned low)
{
	struct fiber *fiber = (struct fiber *)((uintptr_t)high << 32 | low); /* NOLINT(performance-no-int-to-ptr) */
	enter_stack(NULL, &fiber->caller_stack, &fiber->caller_size);
	fiber->run(fiber->argument);
	fiber->ended = true;
	leave_stack(NULL, fiber->caller_stack, fiber->caller_size);
	(void)setcontext(&fiber->caller);
}

int fiber_new(struct fiber **ret, void (*run)(void *), void *argument)
{
	struct fiber *fiber = calloc(1, sizeof(*fiber));
	if (!fiber)
		return -ENOMEM;
	fiber->run = run;
	fiber->argument = argument;
	fiber->stack =
	        mmap(NULL, STACK_SIZE + GUARD_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (fiber->stack == MAP_FAILED || mprotect(fiber->stack, GUARD_SIZE, PROT_NONE) < 0 || getcontext(&fiber->own) < 0) {
		int r = -errno;
		if (fiber->stack == MAP_FAILED)
			fiber->stack = NULL;
		fiber_free(fiber);
		return r;
	}
	fiber->own.uc_stack.ss_sp = fiber->stack + GUARD_SIZE;
	fiber->own.uc_stack.ss_size = STACK_SIZE;
	makecontext(&fiber->own, (void (*)(void))begin, 2, (unsigned)((uint64_t)(uintptr_t)fiber >> 32), (unsigned)(uintptr_t)fiber);
	*ret = fiber;
	return 0;
}

bool fiber_resume(struct fiber *fiber)
{
	leave_stack(&fiber->caller_fake, fiber->stack + GUARD_SIZE, STACK_SIZE);
	(void)swapcontext(&fiber->caller, &fiber->own);
	enter_stack(fiber->caller_fake, NULL, NULL);
	return fiber->ended;
}

void fiber_yield(struct fiber *fiber)
{
	leave_stack(&fiber->own_fake, fiber->caller_stack, fiber->caller_size);
	(void)swapcontext(&fiber->own, &fiber->caller);
	enter_stack(fiber->own_fake, &fiber->caller_stack, &fiber->caller_size);
}

void fiber_free(struct fiber *fiber)
{
	if (!fiber)
		return;
	if (fiber->stack)
		(void)munmap(fiber->stack, STACK_SIZE + GUARD_SIZE);
	free(fiber);
}
