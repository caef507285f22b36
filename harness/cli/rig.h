/* SPDX-License-Identifier: Apache-2.0 */
/* The sub-commands of `hilbench rig`: one file rig_NAME.c and one line in rig.c each. */
#ifndef HARNESS_CLI_RIG_H
#define HARNESS_CLI_RIG_H

#include "../rig/attach.h"
#include "../rig/bus_folder.h"
#include "../rig/rig.h"
#include "../rig/rig_lock.h"
#include "commands.h"
#include "run_directory.h"

#define RIG_SECOND_NS     INT64_C(1000000000)
#define RIG_NUMBER_LEGEND "N: the number of the rack, which a run takes when it starts"

/* What the options said; each verb allows some of them. */
struct rig_call {
	const struct rig_file *file;
	const char *verb;
	char **words; /* after the verb, NULL-terminated */
	int count;
	bool watch, json, time;
	const char *kind, *log;
	int64_t for_ns, within_ns; /* 0: not given */
};
struct rig_verb {
	const char *name;
	const char *options; /* letters of rig.c that it allows */
	const char *words;   /* for messages: "ROLE on|off|cycle|status"; NULL: none */
	int least, most;     /* number of words */
	int (*run)(const struct rig_call *);
};
extern const struct rig_verb rig_verb_list, rig_verb_check, rig_verb_power, rig_verb_reset, rig_verb_console, rig_verb_probe, rig_verb_can,
        rig_verb_net, rig_verb_cleanup, rig_verb_selftest;

/* "hilbench rig: message" on stderr; the exit status that fits. */
int rig_fail(const struct error *);
/* The role's map; NULL after a message that knows similar names. */
const struct value *rig_role(const struct rig_call *, const char *name);
/* Index of a word in a NULL-terminated list, -1 after a message. */
int rig_word(const char *what, const char *word, const char *const *words);

/* Boards for as long as a command needs them: the whole rack when it is virtual, else one board of it as it stands. */
struct rig_live {
	const struct rig_file *file;
	struct loop *loop;
	struct timeline *timeline;
	struct bus_folder *folder;
	struct rig_lock *lock;
	struct rig *rig;               /* virtual */
	struct rig_board *board;       /* virtual: of the role */
	struct rig_attached *attached; /* real: of the role */
};
/* SIGINT, SIGTERM and SIGHUP cancel the loop from then on. */
void rig_catch_signals(struct loop *);
/* role NULL: no board is attached. SIGINT, SIGTERM and SIGHUP cancel the loop from then on. 0 or the exit status, after a message; then
 * there is nothing to stop. */
int rig_live_start(struct rig_live *ret, const struct rig_call *, const char *role);
void rig_live_stop(struct rig_live *);
/* When the message names a log in the folder that goes with the command: moves it to /tmp and names that. Before rig_live_stop(). */
void rig_live_keep_log(struct rig_live *, struct error *);
/* Virtual: every board on, and the role booted and connected, at most for 20 s. Real: nothing to do. */
int rig_live_boot(struct rig_live *, struct error *err) WARN_UNUSED;
/* A virtual board, or all, without waiting for the boot. */
int rig_live_power_all(struct rig_live *, struct error *err) WARN_UNUSED;
int rig_live_probe(struct rig_live *, struct probe **ret, struct error *err) WARN_UNUSED;

#endif
