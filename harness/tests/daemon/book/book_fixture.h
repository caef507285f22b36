/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the book share: a state directory and records to put into it. */
#ifndef HARNESS_TESTS_DAEMON_BOOK_BOOK_FIXTURE_H
#define HARNESS_TESTS_DAEMON_BOOK_BOOK_FIXTURE_H

#include <check.h>
#include <stdio.h>

#include "daemon/book/book_private.h"
#include "daemon/book/jobs.h"
#include "daemon/book/results.h"
#include "daemon/book/rigs.h"
#include "daemon/book/tokens.h"

#define PATH_SIZE 512
#define ck_done(expression)                                                                                                                \
	do {                                                                                                                               \
		int ck_r = (expression);                                                                                                   \
		ck_assert_msg(ck_r >= 0, "%s: %d: %s", #expression, ck_r, fixture_error.message);                                          \
	} while (0)
#define ck_fails(number, expression)                                                                                                       \
	do {                                                                                                                               \
		int ck_r = (expression);                                                                                                   \
		ck_assert_msg(ck_r == -(number), "%s: %d instead of %d: %s", #expression, ck_r, -(number), fixture_error.message);         \
		ck_assert_int_ne(fixture_error.message[0], 0);                                                                             \
	} while (0)

extern struct error fixture_error;
extern char fixture_directory[PATH_SIZE]; /* not made yet */
extern struct book *fixture_book;         /* of fixture_open() */

void fixture_begin(void); /* checked fixture: a new place for a directory */
void fixture_end(void);   /* closes the book, removes the directory */
void fixture_open(void);  /* asserts */
void fixture_close(void);
/* Rigs v1, v2, v3. */
void fixture_rigs(struct book *);
/* A job with two files; key may be NULL. */
int fixture_job(struct book *, const char *series, const char *rig, const char *key, int64_t *ret_id, struct error *);
/* A run through all its states, its lease too. */
int fixture_whole_run(struct book *, int64_t job, const char *rig, enum job_outcome, int64_t *ret_id, struct error *);
/* Breaches, each printed. */
unsigned fixture_breaches(struct book *, bool deep);
void fixture_remove(const char *directory);
void fixture_file(char path[PATH_SIZE], const char *name);
/* The bytes of a file; freed by the caller. */
unsigned char *fixture_read(const char *path, size_t *ret_size);
void fixture_write(const char *path, const void *bytes, size_t size);

#endif
