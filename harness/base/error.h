/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors that carry their place. Functions that can fail return 0 or -errno and take `struct error *err` last;
 * err may be NULL. The struct is filled only on failure, and the first cause is kept in front when a caller adds
 * its own context with error_prefix().
 */
#ifndef HARNESS_BASE_ERROR_H
#define HARNESS_BASE_ERROR_H

#include <stdarg.h>

#define WARN_UNUSED       __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* A place in a YAML (or other input) file; line and column count from 1, 0 = unknown. file is borrowed from an
 * interned table that lives as long as the program (see place_intern()). */
struct place {
	const char *file;
	unsigned line, column;
};

/* Returns a copy of the string that lives until the program ends; equal strings give equal pointers. */
const char *place_intern(const char *file);

enum error_domain {
	ERROR_NONE = 0,
	ERROR_USAGE,    /* command line or invalid file: exit status 2 */
	ERROR_BENCH,    /* harness, rig, operating system: cause bench */
	ERROR_DUT,      /* the device under test misbehaved */
	ERROR_TESTCASE, /* the test case asks for what cannot be */
	ERROR_OPERATOR, /* cancelled */
};

struct error {
	enum error_domain domain;
	int code;           /* positive errno, 0 if none fits */
	char message[1024]; /* UTF-8, no newline at the end */
	struct place place; /* input file place, if any */
	const char *source; /* C file:line that raised it */
};

/* Fills *err (if not NULL) and returns -code (or -EINVAL when code is 0), so that a caller can `return error_set(…)`. */
#define error_set(err, domain, code, ...)              error_set_at((err), (domain), (code), (struct place){0}, __FILE_NAME__, __LINE__, __VA_ARGS__)
#define error_set_place(err, domain, code, place, ...) error_set_at((err), (domain), (code), (place), __FILE_NAME__, __LINE__, __VA_ARGS__)
int error_set_at(struct error *err, enum error_domain domain, int code, struct place place, const char *source_file, int source_line,
                 const char *format, ...) PRINTF_LIKE(7, 8);

/* Puts "text: " in front of the message. */
void error_prefix(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* The name of the code, "ENOSPC", for who has to act by it: of the domain bench, the others have codes of their own meaning. NULL: none. */
const char *error_code_name(const struct error *err);

/* "file:line:column: message", or the message alone when no place is known, into buffer. Returns buffer. */
const char *error_describe(const struct error *err, char *buffer, unsigned size);

#endif
