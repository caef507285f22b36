/* SPDX-License-Identifier: Apache-2.0 */
/* The interactive shell: shared by its files, and started by `hilbench shell` and `hilbench run --break-on-failure`. */
#ifndef HARNESS_CLI_SHELL_H
#define HARNESS_CLI_SHELL_H

#include "../run/session.h"
#include "shell_input.h"
#include "shell_log.h"

#define SHELL_WORDS_MAX 32
/* Words of `watch` and `events`: names of protocols, roles, patterns of channels and of kinds. */
struct shell_filter {
	char *words[SHELL_WORDS_MAX];
	unsigned count;
};

struct shell {
	struct loop *loop;
	struct timeline *timeline;
	const struct program_rig *rig; /* the rig file; NULL: there is none */
	const struct step_registry *registry;
	struct session *session; /* while there is one to talk to */
	struct shell_input *input;
	bool terminal;
	bool reading; /* waits for a line */
	bool quit;    /* asked to end */
	bool ended;   /* by a signal */
	bool hushed;  /* the line begins with a blank: it goes to no history */
	bool bench_told;
	unsigned line;                    /* typed so far */
	unsigned begins;                  /* number of the first line of what is being done */
	const char *text;                 /* what is being done */
	unsigned wrong;                   /* lines that were none, and steps that could not be done as they stand */
	int64_t begin_ns;                 /* of the run */
	const struct case_def *last_case; /* that was begun, for `restart` */
	struct program *programs[64];     /* owned: cases stay until the end */
	unsigned program_count;
	struct shell_filter watched;
	unsigned watch_lines, watch_dropped;
	int64_t watch_second_ns;
	struct shell_log log;
};

/* Reads lines from standard input; terminal: with editing, history and completion. */
int shell_open(struct shell *, struct loop *, struct timeline *, const struct program_rig *, bool terminal, struct error *err) WARN_UNUSED;
void shell_close(struct shell *);
/* Reads and does lines until the end, or, in a guided session, until the case is over or given up. */
void shell_talk(struct shell *, struct session *);
/* For executor_options.on_failure; the context is the shell. */
void shell_on_failure(struct session *, void *shell);
/* From the handlers of SIGINT, and of SIGTERM and SIGHUP. */
void shell_interrupt(struct shell *);
void shell_end(struct shell *);

/* ---- for the commands ---- */
struct shell_command {
	const char *name, *usage, *doc;
	void (*run)(struct shell *, const char *rest); /* what stands behind the name, without blanks at the ends */
};
extern const struct shell_command shell_commands[]; /* ended by a NULL name */
const struct shell_command *shell_command_find(const char *name, size_t length);

/* One line of text, or more, above what is being typed. */
void shell_say(struct shell *, const char *format, ...) PRINTF_LIKE(2, 3);
/* "typed:LINE:COLUMN: message": `at` points into shell->text (NULL: its begin). */
void shell_wrong(struct shell *, const char *at, const char *format, ...) PRINTF_LIKE(3, 4);
void shell_print_error(struct shell *, const struct error *);
/* Whether the group of the rig file (roles, links, buses) has the name; with a suggestion it is offered all of them. */
struct suggestion;
bool shell_group_has(const struct shell *, const char *group, const char *name, struct suggestion *or_null);
/* shell_wrong() for a word that is none of a command's; words is NULL-terminated. */
void shell_wrong_word(struct shell *, const char *at, size_t length, const char *what, const char *const *words);
/* The next word from *at on: its length, 0 at the end. *at is moved to its begin. */
size_t shell_word(const char **at);
/* Steps as they are typed. */
void shell_type(struct shell *, const char *text);
void shell_report_failure(struct shell *, const struct error *);
/* One line with what the last step gave; whole: every value in full, a line each. */
void shell_print_results(struct shell *, bool whole);

int shell_filter_add(struct shell_filter *, const char *word, size_t length);
void shell_filter_clear(struct shell_filter *);
void shell_watch_begin(struct shell *);
void shell_watch_end(struct shell *);

void shell_complete(void *shell, const char *line, size_t *ret_from, void (*add)(void *, const char *), void *list);

void shell_do_watch(struct shell *, const char *rest);
void shell_do_unwatch(struct shell *, const char *rest);
void shell_do_events(struct shell *, const char *rest);
void shell_do_load(struct shell *, const char *rest);
void shell_do_list(struct shell *, const char *rest);
void shell_do_where(struct shell *, const char *rest);
void shell_do_next(struct shell *, const char *rest);
void shell_do_step(struct shell *, const char *rest);
void shell_do_finish(struct shell *, const char *rest);
void shell_do_leave(struct shell *, const char *rest);
void shell_do_until(struct shell *, const char *rest);
void shell_do_continue(struct shell *, const char *rest);
void shell_do_break(struct shell *, const char *rest);
void shell_do_restart(struct shell *, const char *rest);
void shell_do_retry(struct shell *, const char *rest);
void shell_do_always(struct shell *, const char *rest);
void shell_do_save(struct shell *, const char *rest);
void shell_do_boards(struct shell *, const char *rest);
void shell_do_buses(struct shell *, const char *rest);
void shell_do_power(struct shell *, const char *rest);

#endif
