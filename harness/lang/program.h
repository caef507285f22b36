/* SPDX-License-Identifier: Apache-2.0 */
/* A checked test program: YAML files -> cases (one for every combination of `params`). */
#ifndef HARNESS_LANG_PROGRAM_H
#define HARNESS_LANG_PROGRAM_H

#include "step.h"

/* One end of a measurement: the first event with this kind (and channel, and data fields) in the sample's window. */
struct event_selector {
	char *kind;          /* "power.on" */
	char *role, *link;   /* channel: board:ROLE or link:LINK; NULL any */
	struct value *where; /* map of data fields that must be equal, or NULL */
	struct place place;
};
enum measure_statistic { STATISTIC_P50, STATISTIC_P95, STATISTIC_MAX, STATISTIC_MIN, STATISTIC_MEAN };
struct measure_limit {
	enum measure_statistic statistic;
	bool at_most;
	int64_t value_ns;
	struct place place;
};
struct measure_stage {
	char *name;
	struct event_selector to;
};
struct measure_def {
	char *id, *title;
	struct event_selector from, to;
	struct measure_stage *stages;
	unsigned stage_count; /* in order; each runs from the end of the one before; a stage whose event is missing is skipped */
	struct measure_limit *limits;
	unsigned limit_count;
	unsigned samples; /* that the case must reach; fewer is a failure */
	struct place place;
};

struct case_def {
	char *id; /* stable: "doip.header-nack-pattern", with params "doip.x[version=2]" */
	char *title;
	char **verifies, **tags,
	        **
	                requires; /* NULL-terminated */
	struct place place;
	int64_t timeout_ns;        /* default 60 s */
	int64_t always_timeout_ns; /* default 15 s */
	struct step_block setup, steps, always;
	struct measure_def *measures;
	unsigned measure_count;
	struct value *params; /* map name -> value of this combination, or NULL */
	struct value *retry;  /* reserved */
};
struct program {
	struct case_def **cases;
	unsigned count;
};

/* Collects every error it can (up to limit) rather than the first one. */
struct error_list {
	struct error *items;
	unsigned count, capacity;
	unsigned limit;   /* 0: 100 */
	unsigned dropped; /* errors past the limit */
};
void error_list_add(struct error_list *, const struct error *);
void error_list_sort(struct error_list *); /* by file, line, column; program_load() does it */
void error_list_free(struct error_list *);

/* Reads files (directories are searched for *.yaml, sorted) and checks everything that needs no rig: structure,
 * steps, arguments, variables, case ids unique over all files. 0, or -EINVAL with at least one error in the list. */
int program_load(const char *const *paths, unsigned path_count, const struct step_registry *, struct program **ret,
                 struct error_list *errors) WARN_UNUSED;
/* The same for one text; name stands for the file in places. */
int program_load_text(const char *name, const char *text, size_t length, const struct step_registry *, struct program **ret,
                      struct error_list *errors) WARN_UNUSED;
void program_free(struct program *);

/* Selects cases: any of the tags (none given: all) and none of those written "!tag"; any of the patterns (fnmatch) for
 * the id, with or without its "[…]", an exact id matching itself. Both lists NULL-terminated or NULL. */
struct case_filter {
	const char *const *tags, *const *patterns;
};
bool case_selected(const struct case_def *, const struct case_filter *);

/* What a rig offers, asked without knowing rigs: see program_check_rig(). */
struct program_rig {
	bool (*has_role)(void *context, const char *role);
	bool (*has_link)(void *context, const char *link);
	bool (*has_capability)(void *context, const char *capability);
	void *context;
	/* The rest may be NULL: not known, not checked. */
	bool (*has_identity)(void *context, const char *identity);
	bool (*has_bus)(void *context, const char *bus);
	/* A parameter of the role's board and, unless it is NULL, its value: 0, or -EINVAL with ERROR_USAGE at one of the places. */
	int (*check_param)(void *context, const char *role, const char *name, struct place name_place, const char *value,
	                   struct place value_place, struct error *err);
	/* A package (`key` false) or a key by the name that a step gives it: 0, or -errno with err filled when it is not there. */
	int (*check_file)(void *context, const char *name, bool key, struct error *err);
	/* A value of a role or of its profile, borrowed; NULL: it has none. */
	const struct value *(*value)(void *context, const char *role, const char *key);
};
/* What the case's requires: asks for and the rig lacks (borrowed), or NULL: such a case is skipped on that rig. */
const char *case_missing(const struct case_def *, const struct program_rig *);
/* Checks the roles, links, capabilities, identities, buses and board parameters of every case that the rig can run. 0, or -EINVAL with
 * errors added. */
int program_check_rig(const struct program *, const struct program_rig *, struct error_list *errors) WARN_UNUSED;

/* A file that a step of a case names (docs/reference/test-case-file.md says where a run looks for it). */
enum case_file_kind {
	CASE_FILE_PACKAGE, /* a file when the name has a slash and there is one, else one of the fixtures */
	CASE_FILE_KEY,     /* the same */
	CASE_FILE_DATA,    /* of the run's directory, else from where the run was started */
	CASE_FILE_MADE,    /* made by the step, in the run's directory */
};
struct case_file {
	const char *name; /* borrowed; NULL: only the run will know it */
	enum case_file_kind kind;
	struct place place;
};
/* Negative -errno with err filled ends the listing. */
typedef int (*case_file_take)(const struct case_file *, void *context, struct error *err);
/* Every file that the cases name which the filter selects (NULL: all), as often as they name it. Defaults of arguments are fixtures and not
 * told. */
int program_files(const struct program *, const struct case_filter *, case_file_take, void *context, struct error *err) WARN_UNUSED;

/* Variables at run time: params and saved results and "rig.*" values; later definitions win. */
struct scope;
struct scope *scope_new(void);
void scope_free(struct scope *);
int scope_set(struct scope *, const char *name, struct value *stolen) WARN_UNUSED;
const struct value *scope_get(const struct scope *, const char *name);
/* The variable at an index from 0, and its name; NULL behind the last. */
const struct value *scope_at(const struct scope *, unsigned index, const char **ret_name);

/* Steps outside a case, as somebody types them: a YAML list of steps. Every name in `variables` counts as defined; their
 * values are looked at when a step runs. Ids are PREFIX/0, PREFIX/1, … 0, or -EINVAL with at least one error in the list.
 * Release with step_block_clear(). */
int step_block_load_text(const char *name, const char *text, size_t length, const struct step_registry *, const char *prefix,
                         const struct scope *variables, struct step_block *ret, struct error_list *errors) WARN_UNUSED;
void step_block_clear(struct step_block *);

/* Resolves ${…} in a tree into a new tree. Undefined: ERROR_TESTCASE at the place. */
int value_resolve(const struct value *, const struct scope *, struct value **ret, struct error *err) WARN_UNUSED;

/* An argument of a call, resolved and converted to its declared type; the default if absent; NULL value with 0 when
 * absent without default. Result is owned by the caller. */
int step_call_arg(const struct step_call *, const char *name, const struct scope *, struct value **ret, struct error *err) WARN_UNUSED;

/* Runs the check of the call's step on the arguments that the scope lets know (step.h). 0, or -errno with err filled. */
int step_call_check(const struct step_call *, const struct scope *, struct error *err) WARN_UNUSED;

/* Checks a map of expectations against a result map. 0 all hold; -EBADMSG: one does not, err (ERROR_DUT) carries the
 * place of the expectation, *ret_expected and *ret_actual are newly allocated texts. */
int expect_check(const struct value *expect, const struct value *results, const struct scope *, char **ret_expected, char **ret_actual,
                 struct error *err) WARN_UNUSED;

/* JSON Schema (draft 2020-12) of test case files, from the registry. New reference. */
json_t *schema_testcase(const struct step_registry *);
/* docs/reference/steps.md, Markdown. Newly allocated. */
char *steps_markdown(const struct step_registry *);
/* The section of one step. Newly allocated. */
char *step_markdown(const struct step_def *);

#endif
