/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench rig: what a rig file holds, how its parts are, and its boards by hand. */
#include "rig.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/suggest.h"
#include "daemon_command.h"
#include "rig_lab.h"

#define EXIT_DUT 1 /* the board refuses, or does not boot */

static const struct rig_verb *const verbs[] = {
        &rig_verb_list,
        &rig_verb_check,
        &rig_verb_power,
        &rig_verb_reset,
        &rig_verb_console,
        &rig_verb_probe,
        &rig_verb_can,
        &rig_verb_net,
        &rig_verb_cleanup,
        &rig_verb_selftest,
        NULL,
};

int rig_fail(const struct error *error)
{
	int status = run_failure("rig", error);
	if (error->domain == ERROR_DUT)
		return EXIT_DUT;
	return error->domain == ERROR_TESTCASE ? EXIT_USAGE : status;
}

int rig_word(const char *what, const char *word, const char *const *words)
{
	char hint[160];
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], word))
			return i;
	(void)command_usage_error("rig", "there is no %s \"%s\"%s", what, word, suggest_text(word, words, hint, sizeof(hint)));
	return -1;
}

const struct value *rig_role(const struct rig_call *call, const char *name)
{
	const struct value *roles = value_get(rig_file_root(call->file), "roles");
	struct suggestion suggestion = {.word = name};
	char hint[160];
	for (unsigned i = 0; i < roles->map.count; i++) {
		if (!strcmp(roles->map.entries[i].key, name))
			return roles->map.entries[i].value;
		suggestion_offer(&suggestion, roles->map.entries[i].key);
	}
	(void)command_usage_error("rig", "the rig has no role \"%s\"%s", name, suggestion_text(&suggestion, hint, sizeof(hint)));
	return NULL;
}

static const struct rig_verb *verb_find(const char *name)
{
	const char *names[sizeof(verbs) / sizeof(*verbs) + 5];
	char hint[160];
	unsigned count = 0;
	for (; verbs[count]; count++) {
		if (!strcmp(verbs[count]->name, name))
			return verbs[count];
		names[count] = verbs[count]->name;
	}
	names[count++] = "lock";
	names[count++] = "unlock";
	names[count++] = "quarantine";
	names[count++] = "recover";
	names[count++] = "watch";
	names[count] = NULL;
	(void)command_usage_error("rig", "there is no \"%s\"%s", name, suggest_text(name, names, hint, sizeof(hint)));
	return NULL;
}

static const struct option options[] = {
        {"rig", required_argument, NULL, 'r'}, {"watch", no_argument, NULL, 'w'},        {"json", no_argument, NULL, 'j'},
        {"time", no_argument, NULL, 't'},      {"kind", required_argument, NULL, 'k'},   {"log", required_argument, NULL, 'l'},
        {"for", required_argument, NULL, 'f'}, {"within", required_argument, NULL, 'i'}, {0}};

static const char *option_name(char letter)
{
	for (const struct option *option = options; option->name; option++)
		if (option->val == letter)
			return option->name;
	return "?";
}

static int read_duration(const char *name, const char *text, int64_t *ret_ns)
{
	struct value *word = value_new_text(text), *duration = NULL;
	struct error error = {0};
	int r = word ? value_convert(word, VALUE_DURATION, &duration, &error) : -1;
	if (r == 0 && duration->integer > 0)
		*ret_ns = duration->integer;
	else
		r = command_usage_error("rig", "--%s takes a time like 10s, not \"%s\"", name, text);
	value_free(duration);
	value_free(word);
	return r == 0 ? 0 : EXIT_USAGE;
}

static int take_option(int option, struct rig_call *call, const char **path)
{
	switch (option) {
	case 'r':
		*path = optarg;
		return 0;
	case 'w':
		call->watch = true;
		return 0;
	case 'j':
		call->json = true;
		return 0;
	case 't':
		call->time = true;
		return 0;
	case 'k':
		call->kind = optarg;
		return 0;
	case 'l':
		call->log = optarg;
		return 0;
	case 'i':
		return read_duration("within", optarg, &call->within_ns);
	default:
		return read_duration("for", optarg, &call->for_ns);
	}
}

static int run_verb(const struct rig_verb *verb, struct rig_call *call, const char *path, const char *given)
{
	struct rig_file *file;
	struct error error = {0};
	for (const char *letter = given; *letter; letter++)
		if (*letter != 'r' && !strchr(verb->options, *letter))
			return command_usage_error("rig", "--%s does not go with %s", option_name(*letter), verb->name);
	if (call->count < verb->least || call->count > verb->most)
		return verb->words ? command_usage_error("rig", "it is `rig %s %s`", verb->name, verb->words)
		                   : command_usage_error("rig", "nothing goes behind `rig %s`", verb->name);
	if (rig_file_load(path, &file, &error) < 0)
		return rig_fail(&error);
	call->file = file;
	call->verb = verb->name;
	int status = verb->run(call);
	rig_file_free(file);
	return status;
}

/* The first word, if it is a verb of the daemon's: those have other options. */
static bool asks_daemon(int argc, char **argv)
{
	int i = 1;
	while (i < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0)
		i += strchr(argv[i], '=') ? 1 : 2;
	return i < argc && rig_lab_has(argv[i]);
}

static int run(int argc, char **argv)
{
	const char *path = "rigs/virtual.yaml";
	struct rig_call call = {0};
	char given[32] = "";
	int option;
	if (asks_daemon(argc, argv))
		return rig_lab_run(argc, argv);
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return command_usage_error(argv[0], "wrong or incomplete option %s", argv[optind - 1]);
		size_t used = strlen(given);
		if (!strchr(given, option) && used + 1 < sizeof(given))
			given[used] = (char)option;
		int status = take_option(option, &call, &path);
		if (status)
			return status;
	}
	if (optind == argc)
		return command_usage_error(
		        argv[0], "say one of list, check, power, reset, console, probe, can, net, cleanup, selftest, lock, unlock, "
		                 "quarantine, recover, watch");
	const struct rig_verb *verb = verb_find(argv[optind]);
	call.words = argv + optind + 1;
	call.count = argc - optind - 1;
	return verb ? run_verb(verb, &call, path, given) : EXIT_USAGE;
}

const struct command command_rig = {
        .name = "rig",
        .summary = "looks at the parts of a rig, and works with its boards by hand",
        .usage = "rig [--rig FILE] list|check|power|reset|console|probe|can|net|cleanup|selftest …\n"
                 "  --rig FILE              the rig (rigs/virtual.yaml)\n"
                 "  list                    roles, links, buses and identities of the rig file\n"
                 "  check [--json]          looks at every resource and says what is wrong with which cable or setting\n"
                 "  power ROLE on|off|cycle|status\n"
                 "  reset ROLE [--kind system|application|external]\n"
                 "  console ROLE [--log FILE] [--time] [--for TIME]\n"
                 "                          the console as it is; Ctrl-] ends; standard input goes to the board\n"
                 "  probe ROLE identify | halt | resume | reset [system|application|halt] | read ADDRESS LENGTH |\n"
                 "             write ADDRESS BYTES | load ADDRESS FILE | dump ADDRESS LENGTH FILE |\n"
                 "             compare ADDRESS FILE | program ADDRESS FILE | command TEXT…\n"
                 "                          LENGTH is a number of bytes or a size like 64KiB\n"
                 "  can [--watch]           state, counters, load and bit rates of each bus; --watch: again every second\n"
                 "  net                     links, addresses, and what answers a vehicle identification request\n"
                 "  cleanup [--json]        the safe state, after a user who may have died: boards off, resets released\n"
                 "  selftest [--within TIME] [--json]\n"
                 "                          boots every board from a cold start, asks who they are, and switches off (60s)\n"
                 "The boards of a virtual rig are there for as long as the command runs; real ones are taken as they are.\n\n"
                 "Rigs of the daemon, by their names:\n"
                 "  lock NAME [--for TIME] [--note TEXT] [-- COMMAND…]\n"
                 "                          takes it; with a command for as long as that runs (its rig file: HILBENCH_RIG_FILE)\n"
                 "  unlock NAME [--force]   gives it back; --force: an admin takes it from somebody else\n"
                 "  quarantine NAME REASON… gives it to nobody\n"
                 "  recover NAME [--wait]   a self-test decides whether it may be used again\n"
                 "  watch NAME              prints what happens on it, whoever has it, until it is given back; --summary: without\n"
                 "                          traffic; --json; --utc; --wait: until somebody has it; --board, --channel, --protocol,\n"
                 "                          --kind and --case as of `hilbench trace`\n" DAEMON_USAGE,
        .run = run,
};
