/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the test protocol (docs/reference/test-protocol.md) from the programs that run inside the virtual machine. */
#ifndef HARNESS_TESTS_VM_LINES_H
#define HARNESS_TESTS_VM_LINES_H

#include <stdarg.h>
#include <stdbool.h>

/* Prints "ok NAME", or "not ok NAME - REASON"; the reason is formatted. Returns condition. */
bool line_check(bool condition, const char *name, const char *reason, ...) __attribute__((format(printf, 3, 4)));
void line_skip(const char *name, const char *reason);
/* Exit status of main(): 1 when something was not ok. */
int lines_status(void);

#endif
