/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the readers of the language; nobody outside lang/ includes this. */
#ifndef HARNESS_LANG_PRIVATE_H
#define HARNESS_LANG_PRIVATE_H

#include "program.h"

/* Reading state: errors are collected, never thrown, so that one pass tells everything that is wrong. */
struct checker {
	const struct step_registry *registry;
	struct error_list *errors;
	unsigned found; /* errors so far, counted even past the list's limit */
	/* Of the case being read: */
	const char *case_id;
	const struct step_call *newest; /* step that was read last */
	struct scope *known;            /* params of this combination: their values are known now */
	struct {
		char **names;
		unsigned count;
	} saved; /* variables that steps before this one set */
};
void checker_error(struct checker *, struct place, const char *format, ...) PRINTF_LIKE(3, 4);
void checker_add(struct checker *, const struct error *); /* drops an error that is in the list already */
void checker_no_memory(struct checker *);
void checker_save_name(struct checker *, const char *name);
bool checker_has_saved(const struct checker *, const char *name);
void checker_forget(struct checker *); /* the saved names, between cases */

/* ${…} in texts. */
struct variable_ref {
	size_t begin, end; /* bytes of "${name}" in the text */
	char name[128];
};
/* Finds the next reference from *at on ("$${" is an escaped "${"). 1: found, *at is behind it; 0: none left; -EINVAL:
 * not closed, or not a name. */
int variable_next(const char *text, size_t *at, struct variable_ref *ret);
bool variable_name_ok(const char *name);

/* State of the references in a tree. */
enum references {
	REFERENCES_NONE,  /* as written */
	REFERENCES_KNOWN, /* value_resolve() with checker->known gives the value */
	REFERENCES_OPEN,  /* known only at run time */
	REFERENCES_BAD,   /* an error was added */
};
enum references checker_references(struct checker *, const struct value *);
/* *ret: the value with known references resolved (owned by the caller), or NULL when it is open or bad. */
void checker_resolve(struct checker *, const struct value *, struct value **ret);

/* Structure. */
void checker_keys(struct checker *, const struct value *map, const char *const *allowed, const char *what);
/* Newly allocated text of a scalar, parameters resolved, or NULL with an error added. */
char *checker_text(struct checker *, const struct value *, const char *what);
/* NULL-terminated texts of a list (or of a single text), appended to what *texts holds. */
void checker_texts(struct checker *, const struct value *, const char *what, char ***texts);
void texts_free(char **texts);
/* A duration above zero; *ret is untouched on an error. */
void checker_duration(struct checker *, const struct value *, const char *what, int64_t *ret_ns);

/* Conversion by an argument's definition, ranges and choices included; for load and run time alike. */
int arg_convert(const struct arg_def *, const struct value *resolved, struct value **ret, struct error *err) WARN_UNUSED;
const struct arg_def *arg_find(const struct step_def *, const char *name);

/* Steps. prefix: "CASE/steps". Appends to the block; numbering goes on where the block ends. */
void read_block(struct checker *, const struct value *list, const char *prefix, struct step_block *);

void read_measures(struct checker *, const struct value *list, struct case_def *);
void measures_free(struct measure_def *, unsigned count);

/* fields NULL: any name. */
void check_expectations(struct checker *, const struct value *map, const struct step_def *, const struct result_def *fields);

/* A kind of event that a case names; of boot.stage also the stage in `where`. */
void check_event_kind(struct checker *, const char *kind, struct place);
void check_stage(struct checker *, const char *kind, const struct value *where);
void check_call_event(struct checker *, const struct step_call *);
/* Once the case's steps and measurements are read. */
void check_measure_use(struct checker *, const struct case_def *);

#define SAMPLES_MAX 1000000
extern const char *const event_kinds[], *const boot_stages[]; /* NULL-terminated */
extern const char *const statistic_names[];                   /* by enum measure_statistic, NULL-terminated */
extern const char *const *const case_keys, *const *const defaults_keys, *const *const measure_keys;

/* A parsed file's tree -> cases appended to the program. */
void read_file(struct checker *, const struct value *tree, struct program *);
void case_free(struct case_def *);

#endif
