/* SPDX-License-Identifier: Apache-2.0 */
#include "rig_lab.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "daemon_command.h"
#include "lease.h"
#include "rig_watch.h"

#define COMMAND     "rig"
#define LOOK_US     500000
#define INTERRUPTED 130

struct call {
	struct daemon_client *client;
	const char *name, *duration, *note;
	char **words; /* behind the name, NULL-terminated */
	int count;
	bool has_command, wait, force, summary, json, utc;
	struct trace_choice choice;
};

/* ---- lock, unlock ---- */

static int hold(const struct call *call, struct lease *lease)
{
	struct error error = {0};
	bool lost = false;
	int r = lease_keep(call->client, lease, &error), status = EXIT_BENCH;
	if (r == 0)
		status = rig_hold(lease, call->words, &lost);
	else
		status = daemon_fail(COMMAND, &error);
	r = lease_end(call->client, lease, &error);
	if (r < 0 && !(r == -ESTALE && lost)) { /* else it was said */
		int failure = daemon_fail(COMMAND, &error);
		status = status && r != -ESTALE ? status : failure;
	}
	return status;
}

static int lock(const struct call *call)
{
	const struct lease_request request = {
	        .rig = call->name, .duration = call->duration, .note = call->note, .heartbeat = call->has_command, .wait = call->wait};
	struct lease lease;
	struct error error = {0};
	/* Who cannot give it back is not to have it. */
	int r = call->has_command ? 0 : lease_store_check(call->name, &error);
	if (r == 0)
		r = lease_take(call->client, &request, &lease, &error);
	lease_forget_over(call->client);
	if (r < 0)
		return daemon_fail(COMMAND, &error);
	if (call->has_command)
		return hold(call, &lease);
	r = lease_store(call->client, &lease, &error);
	if (r < 0) { /* the disk filled up meanwhile */
		struct error ignored;
		(void)!lease_give_back(call->client, lease.id, lease.secret, &ignored);
	} else {
		(void)printf("%s is yours until %.19s UTC; `hilbench rig unlock %s` gives it back\nrig file %s\n", lease.rig,
		             lease.deadline, lease.rig, lease.file);
	}
	lease_clear(&lease);
	return r < 0 ? daemon_fail(COMMAND, &error) : 0;
}

static int get_rig(const struct call *call, json_t **ret, struct error *err)
{
	char *name = daemon_escape(call->name, false);
	int r = name ? daemon_get(call->client, ret, err, "/api/v1/rigs/%s", name) : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	free(name);
	return r;
}

/* By an admin, of whoever has it. */
static int break_lease(const struct call *call, struct error *err)
{
	json_t *rig = NULL;
	int r = get_rig(call, &rig, err);
	int64_t id = daemon_integer(json_object_get(rig, "lease"), "id");
	json_decref(rig);
	if (r == 0 && id <= 0)
		return error_set(err, ERROR_USAGE, ESTALE, "nobody has %s", call->name);
	return r < 0 ? r : lease_give_back(call->client, id, NULL, err);
}

static int give_back(const struct call *call, struct error *err)
{
	struct lease lease;
	int r = lease_load(call->client, call->name, &lease, err);
	if (r == -ENOENT) {
		json_t *rig = NULL;
		r = get_rig(call, &rig, err); /* there may be none of this name */
		json_decref(rig);
		if (r < 0)
			return r;
		return error_set(err, ERROR_USAGE, ENOENT, "you hold no lock of %s here; an admin takes it from others with --force",
		                 call->name);
	}
	if (r < 0)
		return r;
	r = lease_give_back(call->client, lease.id, lease.secret, err);
	if (r == 0 || r == -ESTALE || r == -ENOENT)
		lease_forget(call->name);
	lease_clear(&lease);
	return r;
}

static int unlock(const struct call *call)
{
	struct error error = {0};
	int r = call->force ? break_lease(call, &error) : give_back(call, &error);
	if (r == -ESTALE && !call->force) {
		(void)printf("the lock of %s was over already\n", call->name);
		return 0;
	}
	if (r < 0)
		return daemon_fail(COMMAND, &error);
	(void)printf("%s is being cleaned, and free then\n", call->name);
	return 0;
}

/* ---- health ---- */

static char *join(char **words)
{
	size_t length = 1;
	for (char **word = words; *word; word++)
		length += strlen(*word) + 1;
	char *text = calloc(1, length), *to = text;
	for (char **word = words; text && *word; word++)
		to = stpcpy(stpcpy(to, word == words ? "" : " "), *word);
	return text;
}

static int quarantine(const struct call *call)
{
	struct error error = {0};
	char *name = daemon_escape(call->name, false), *reason = join(call->words);
	json_t *body = reason ? json_pack("{s:s}", "reason", reason) : NULL;
	int r = name && body ? daemon_post(call->client, body, NULL, &error, "/api/v1/rigs/%s/quarantine", name)
	                     : error_set(&error, ERROR_USAGE, EINVAL, "the reason is no UTF-8");
	free(name);
	free(reason);
	if (r < 0)
		return daemon_fail(COMMAND, &error);
	(void)printf("%s is quarantined\n", call->name);
	return 0;
}

/* Number of the newest entry of the health log, and whether a self-test began behind `mark`. */
static int look_at_log(const struct call *call, int64_t mark, int64_t *ret_newest, bool *ret_begun, struct error *err)
{
	char *name = daemon_escape(call->name, false);
	json_t *log = NULL, *entry;
	size_t i;
	int r = name ? daemon_get(call->client, &log, err, "/api/v1/rigs/%s/health?limit=20", name)
	             : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	free(name);
	json_array_foreach (json_object_get(log, "entries"), i, entry) {
		int64_t id = daemon_integer(entry, "id");
		*ret_newest = id > *ret_newest ? id : *ret_newest;
		if (id > mark && !strcmp(daemon_text(entry, "kind"), "recovery"))
			*ret_begun = true;
	}
	json_decref(log);
	return r;
}

static int tell_health(const struct call *call, const json_t *rig)
{
	char reason[400];
	bool good = !strcmp(daemon_text(rig, "health"), "healthy") && !json_is_false(json_object_get(rig, "online"));
	(void)printf("%s is %s%s%s\n", call->name, json_is_false(json_object_get(rig, "online")) ? "offline" : daemon_text(rig, "health"),
	             *daemon_text(rig, "reason") ? ": " : "", daemon_plain(daemon_text(rig, "reason"), reason, sizeof(reason)));
	return good ? 0 : EXIT_BENCH;
}

static int await_recovery(const struct call *call, int64_t mark)
{
	struct error error = {0};
	bool begun = false, told = false;
	for (;;) {
		json_t *rig = NULL;
		int64_t newest = 0;
		int r = look_at_log(call, mark, &newest, &begun, &error);
		if (r == 0)
			r = get_rig(call, &rig, &error);
		if (r == 0 && begun && json_is_null(json_object_get(rig, "lease"))) {
			int status = tell_health(call, rig);
			json_decref(rig);
			return status;
		}
		if (r == 0 && !begun && !told && json_is_object(json_object_get(rig, "lease"))) {
			(void)printf("%s is in use: the self-test begins when it is free\n", call->name);
			(void)fflush(stdout);
			told = true;
		}
		json_decref(rig);
		if (r == -ECANCELED || daemon_client_signal(call->client))
			return INTERRUPTED;
		if (r < 0 && !daemon_is_away(r))
			return daemon_fail(COMMAND, &error);
		(void)usleep(LOOK_US);
	}
}

static int recover(const struct call *call)
{
	struct error error = {0};
	int64_t mark = 0;
	bool ignored = false;
	char *name = daemon_escape(call->name, false);
	int r = look_at_log(call, INT64_MAX, &mark, &ignored, &error);
	if (r == 0)
		r = name ? daemon_post(call->client, NULL, NULL, &error, "/api/v1/rigs/%s/recover", name) : -ENOMEM;
	free(name);
	if (r == 0 && call->wait)
		r = daemon_client_catch_signals(call->client, &error);
	if (r < 0)
		return daemon_fail(COMMAND, &error);
	if (call->wait)
		return await_recovery(call, mark);
	(void)printf("the self-test of %s begins when it is free; `hilbench status --rigs` tells how it went\n", call->name);
	return 0;
}

/* ---- looking on ---- */

static int watch(const struct call *call)
{
	return rig_watch(call->client, &(struct rig_watch){.rig = call->name,
	                                                   .wait = call->wait,
	                                                   .summary = call->summary,
	                                                   .json = call->json,
	                                                   .utc = call->utc,
	                                                   .choice = call->choice});
}

/* ---- the verbs ---- */

static const struct verb {
	const char *name, *words;
	const char *options; /* letters that it allows */
	int least;           /* words behind the name */
	bool open;           /* more of them */
	int (*run)(const struct call *);
} verbs[] = {{"lock", "NAME [--for TIME] [--note TEXT] [--wait] [-- COMMAND…]", "fnw", 0, true, lock},
             {"unlock", "NAME [--force]", "x", 0, false, unlock},
             {"quarantine", "NAME REASON…", "", 1, true, quarantine},
             {"recover", "NAME [--wait]", "w", 0, false, recover},
             {"watch",
              "NAME [--board ROLE] [--channel GLOB] [--protocol NAME] [--kind GLOB] [--case GLOB] [--summary] [--json] [--utc] [--wait]",
              "csjuw", 0, false, watch}};

static const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

bool rig_lab_has(const char *name)
{
	return verb_find(name) != NULL;
}

/* Words behind "--" are the command's, and those before are ours. */
static int count_own(int argc, char **argv)
{
	int own = 0;
	while (own < argc && strcmp(argv[own], "--") != 0)
		own++;
	return own;
}

static bool *flag_of(struct call *call, int option)
{
	return option == 'w'   ? &call->wait
	       : option == 's' ? &call->summary
	       : option == 'j' ? &call->json
	       : option == 'u' ? &call->utc
	                       : &call->force;
}

static int take_options(struct call *call, struct daemon_where *where, char *given, int argc, char **argv)
{
	static const struct option options[] = {{"for", required_argument, NULL, 'f'},
	                                        {"note", required_argument, NULL, 'n'},
	                                        {"wait", no_argument, NULL, 'w'},
	                                        {"force", no_argument, NULL, 'x'},
	                                        {"summary", no_argument, NULL, 's'},
	                                        {"json", no_argument, NULL, 'j'},
	                                        {"utc", no_argument, NULL, 'u'},
	                                        TRACE_CHOICE_OPTIONS,
	                                        DAEMON_OPTIONS,
	                                        {0}};
	int option, status = 0;
	optind = 0;
	opterr = 0;
	while (status == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return command_usage_error(COMMAND, "wrong or incomplete option %s", argv[optind - 1]);
		if (daemon_option(where, option, optarg))
			continue;
		const int letter = trace_choice_has(option) ? 'c' : option;
		if (!strchr(given, letter))
			*(given + strlen(given)) = (char)letter;
		if (letter == 'c')
			status = trace_choice_take(&call->choice, COMMAND, option, optarg);
		else if (option == 'f')
			status = daemon_duration(COMMAND, "--for", call->duration = optarg);
		else if (option == 'n')
			call->note = optarg;
		else
			*flag_of(call, option) = true;
	}
	return status;
}

static int run_verb(const struct verb *verb, struct call *call, const struct daemon_where *where)
{
	struct error error = {0};
	int status = daemon_client_new(&call->client, where, &error) < 0 ? daemon_fail(COMMAND, &error) : verb->run(call);
	daemon_client_free(call->client);
	return status;
}

int rig_lab_run(int argc, char **argv)
{
	struct daemon_where where = {0};
	struct call call = {0};
	char given[16] = "";
	int own = count_own(argc, argv);
	bool dashes = own < argc;
	char *kept = argv[own];
	argv[own] = NULL;
	int status = take_options(&call, &where, given, own, argv);
	argv[own] = kept;
	if (status)
		return status;
	const struct verb *verb = verb_find(argv[optind]);
	for (const char *letter = given; *letter; letter++)
		if (!strchr(verb->options, *letter))
			return command_usage_error(COMMAND, "it is `rig %s %s`", verb->name, verb->words);
	int words = own - optind - 2;
	call.name = argv[optind + 1];
	call.words = dashes ? argv + own + 1 : argv + optind + 2;
	call.count = dashes ? argc - own - 1 : words;
	call.has_command = dashes && call.count > 0;
	bool right = verb->run == lock ? words == 0 && (!dashes || call.has_command)
	                               : !dashes && words >= verb->least && (verb->open || words == verb->least);
	if (!right)
		return command_usage_error(COMMAND, "it is `rig %s %s`", verb->name, verb->words);
	return run_verb(verb, &call, &where);
}
