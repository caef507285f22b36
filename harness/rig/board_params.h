/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters that the boards of a driver know: a table per driver, so that a misspelt name or value is refused before
 * anything runs instead of leaving the board at its default.
 */
#ifndef HARNESS_RIG_BOARD_PARAMS_H
#define HARNESS_RIG_BOARD_PARAMS_H

#include "../base/value.h"

enum board_param_kind {
	PARAM_TEXT,     /* maximum: longest length in bytes; minimum: shortest, when it is not empty */
	PARAM_VIN,      /* 17 digits and capital letters without I, O and Q, or empty */
	PARAM_NUMBER,   /* decimal or 0x…, minimum … maximum */
	PARAM_NUMBERS,  /* list of numbers, with commas */
	PARAM_FLAG,     /* 0 or 1 */
	PARAM_HEX,      /* `maximum` bytes as hex digits without spaces, or empty */
	PARAM_ADDRESS,  /* IPv4 address */
	PARAM_ENDPOINT, /* IPv4 address:port, or empty */
	PARAM_WORD,     /* one of words */
	PARAM_WORDS,    /* any of words, with commas */
	PARAM_NEEDS,    /* NUMBER[:WORD+WORD…], with commas */
};
struct board_param {
	const char *name; /* NULL ends a table */
	enum board_param_kind kind;
	int64_t minimum, maximum;
	const char *const *words; /* NULL-terminated */
};

/* Names that begin so are free: images made for tests have parameters of their own. */
#define BOARD_PARAM_FREE "test."

/* A name, and its value unless that is NULL, against a table (NULL: everything is accepted). 0, or -EINVAL, ERROR_USAGE at
 * the place of the one that is wrong. `${rack}` in a value counts as 1. */
int board_param_check(const struct board_param *table, const char *name, struct place name_place, const char *value,
                      struct place value_place, struct error *err) WARN_UNUSED;
/* A whole `params:` map of a rig file. */
int board_params_check(const struct board_param *table, const struct value *map, struct error *err) WARN_UNUSED;

/* What the virtual boards' firmware knows: docs/reference/virtual-board.md, virtual-bus.md. */
extern const struct board_param vboard_params[];
/* Names for the parameter `fault`: docs/reference/faults.md. */
extern const char *const vboard_faults[];

#endif
