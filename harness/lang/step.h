/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The step registry: one table is the source of the validator, `hilbench check`, `hilbench steps`, the JSON Schema
 * and docs/reference/steps.md. A new step is one `struct step_def` in a file of run/steps/ plus one line in
 * run/steps/registry.c.
 */
#ifndef HARNESS_LANG_STEP_H
#define HARNESS_LANG_STEP_H

#include "../base/value.h"

struct step_context; /* run/step_context.h: what a step may use while it runs */
struct step_call;

enum arg_flags {
	ARG_REQUIRED = 1,
	ARG_LIST = 2,           /* a list of `type`; a single value is taken as a list of one */
	ARG_ROLE = 4,           /* text naming a role of the rig */
	ARG_LINK = 8,           /* text naming a link of the rig */
	ARG_STEPS = 16,         /* a block: a list of steps */
	ARG_EXPECT = 32,        /* a map: result field -> matcher (see below) */
	ARG_SAVE = 64,          /* a map: variable name -> result field */
	ARG_ANY = 128,          /* any value, kept as it is */
	ARG_NAME = 256,         /* text that names something the case itself defines (a measurement, a connection); of a
	                         * STEP_BLOCK step, the one called "as" names a variable that its block may use */
	ARG_SCALAR = 512,       /* the step may be written with this argument alone: `- wait: 50ms` */
	ARG_POSITIVE = 1024,    /* integers, durations, sizes: above zero */
	ARG_REGEX = 2048,       /* text: a POSIX extended regular expression */
	ARG_EVENT = 4096,       /* text: a kind of event of the journal; an argument "where" holds fields of its data */
	ARG_MEASURE = 8192,     /* text: id of a measurement of the case */
	ARG_BEGINS = 16384,     /* with ARG_MEASURE: the step begins a sample of it */
	ARG_IDENTITY = 32768,   /* text: an identity of the rig */
	ARG_CAN = 65536,        /* text: a bus of the rig; its default is looked for too */
	ARG_PARAMETER = 131072, /* text: a parameter of the board that the argument "role" names, for the argument "value" */
	ARG_STAGE = 262144,     /* text: a boot stage */
	ARG_PACKAGE = 524288,   /* text: a package, a file or one of the fixtures */
	ARG_KEY = 1048576,      /* text: a key, a file or one of the fixtures */
	ARG_ENDPOINT = 2097152, /* text: shorter than the `endpoint_size` of the role that the argument "role" names */
	ARG_FILE = 4194304,     /* text: a file that is read, of the run's directory or from where the run was started */
	ARG_MADE = 8388608,     /* text: a file that the step makes, in the run's directory */
};
struct arg_def {
	const char *name; /* NULL ends the table */
	enum value_type type;
	unsigned flags;
	const char *default_text;   /* as it would be written; NULL none */
	const char *const *choices; /* VALUE_TEXT: NULL-terminated allowed words, or NULL */
	int64_t minimum, maximum;   /* integers; both 0 = no range */
	const char *doc;            /* one sentence, ends with a full stop */
};
/* A field of the step's result, usable in expect: and save:. */
struct result_def {
	const char *name;
	enum value_type type;
	const char *doc;
	const char *const *choices; /* VALUE_TEXT: NULL-terminated, every word it can be, or NULL */
};

enum step_flags {
	STEP_ACTION = 1,    /* changes something: moves the event mark (waiting steps look back to the last action) */
	STEP_BLOCK = 2,     /* has ARG_STEPS; the executor runs the block through run() */
	STEP_ALWAYS_OK = 4, /* may stand in `always` after a cancel */
};
struct step_def {
	const char *name;    /* "doip.activate" */
	const char *doc;     /* a paragraph */
	const char *example; /* YAML, or NULL */
	unsigned flags;
	const struct arg_def *args;
	const struct result_def *results; /* NULL-name terminated, or NULL */
	const char *const *capabilities;  /* capabilities of the rig it needs, NULL-terminated, or NULL */
	/* 0: done, results are set and expect: was evaluated. -errno with err->domain telling the cause
	 * (ERROR_DUT -> fail, ERROR_BENCH -> error/bench, ERROR_TESTCASE, ERROR_OPERATOR). */
	int (*run)(struct step_context *, const struct step_call *, struct error *);
	/* What no argument shows by itself: arguments that contradict each other. `known` is a map of the arguments whose values
	 * are known, converted, with their defaults: of a written program all that do not hang on the run, at run time all.
	 * Called by program_load() and before run(). 0, or -errno with ERROR_USAGE and a place. NULL: nothing to check. */
	int (*check)(const struct step_call *, const struct value *known, struct error *);
};

struct step_registry {
	const struct step_def *const *steps;
	unsigned count;
};
const struct step_def *step_registry_find(const struct step_registry *, const char *name);

/* A matcher of `expect:`; written as a bare value (= eq; for bytes a text with ".." or "??" is a pattern, as with bytes:) or a map with one
 * of: eq, ne, in_range: [lo, hi], one_of: [..], bytes: "62 f1 90 ..", (".." = any rest, "??" = any byte), matches: REGEX (POSIX extended),
 * at_least, at_most, absent: true, present: true. */

/* One written step: arguments are validated at load; those with ${…} are resolved and converted at call time. */
struct step_call {
	const struct step_def *def;
	struct place place;
	char *id;                 /* "CASE/steps/3" (+ "/0/…" inside blocks) */
	char *text;               /* the step on one line, for messages */
	struct value *args;       /* map; defaults NOT filled in */
	struct step_block *block; /* for the ARG_STEPS argument, or NULL */
	struct value *expect;     /* map, or NULL */
	struct value *save;       /* map, or NULL */
	/* Written before it in the case, blocks included; for step_def.check while the case is being read, NULL: the first. */
	const struct step_call *previous;
};
struct step_block {
	struct step_call **calls;
	unsigned count;
};

#endif
