/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench token: who may ask the daemon over the network. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../base/suggest.h"
#include "commands.h"
#include "daemon_command.h"

#define COMMAND "token"

struct call {
	struct daemon_client *client;
	char **words;
	const char *expires;
	bool json;
};

/* RFC 3339 in UTC has the order of its letters. In the second in which it expires it may still be good. */
static bool is_expired(const json_t *token)
{
	const char *expires = daemon_text(token, "expires");
	char now[24] = "";
	time_t seconds = time(NULL);
	struct tm parts;
	if (gmtime_r(&seconds, &parts))
		(void)strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%S", &parts);
	return *expires && strncmp(expires, now, 19) < 0;
}

static int add(const struct call *call, struct error *err)
{
	static const char *const roles[] = {"viewer", "operator", "admin", NULL};
	json_t *answer = NULL;
	char hint[160];
	unsigned i = 0;
	while (roles[i] && strcmp(roles[i], call->words[1]) != 0)
		i++;
	if (!roles[i])
		return error_set(err, ERROR_USAGE, EINVAL, "a role is viewer, operator or admin, not \"%s\"%s", call->words[1],
		                 suggest_text(call->words[1], roles, hint, sizeof(hint)));
	json_t *body = json_pack("{s:s,s:s,s:s?}", "name", call->words[0], "role", call->words[1], "expires", call->expires);
	if (!body)
		return error_set(err, ERROR_USAGE, EINVAL, "the name is no UTF-8");
	int r = daemon_post(call->client, body, &answer, err, "/api/v1/tokens");
	if (r == 0) {
		(void)fprintf(stderr, "token %" PRId64 " of %s: it is shown only now\n", daemon_integer(answer, "id"), call->words[0]);
		(void)puts(daemon_text(answer, "token"));
	}
	json_decref(answer);
	return r;
}

static int list(const struct call *call, struct error *err)
{
	json_t *answer = NULL, *token;
	char name[80];
	size_t i;
	int r = daemon_get(call->client, &answer, err, "/api/v1/tokens");
	if (r == 0 && call->json) {
		daemon_print_json(json_object_get(answer, "tokens"));
		json_decref(answer);
		return 0;
	}
	if (r == 0)
		(void)printf("%6s  %-9s  %-19s  %-19s  %s\n", "id", "role", "made (UTC)", "expires (UTC)", "name");
	json_array_foreach (json_object_get(answer, "tokens"), i, token)
		(void)printf("%6" PRId64 "  %-9s  %-19.19s  %-19.19s  %s%s\n", daemon_integer(token, "id"), daemon_text(token, "role"),
		             daemon_text(token, "made"), *daemon_text(token, "expires") ? daemon_text(token, "expires") : "never",
		             daemon_plain(daemon_text(token, "name"), name, sizeof(name)), is_expired(token) ? "  (expired)" : "");
	json_decref(answer);
	return r;
}

static int drop(const struct call *call, struct error *err)
{
	char path[80];
	char *end;
	long long id = strtoll(call->words[0], &end, 10);
	if (*end || id <= 0)
		return error_set(err, ERROR_USAGE, EINVAL, "a token goes by its number, which `hilbench token list` tells, not \"%s\"",
		                 call->words[0]);
	(void)snprintf(path, sizeof(path), "/api/v1/tokens/%lld", id);
	return daemon_ask(call->client, &(struct daemon_request){.method = "DELETE", .path = path}, NULL, NULL, err);
}

static const struct verb {
	const char *name, *words;
	int count;
	int (*run)(const struct call *, struct error *);
} verbs[] = {{"add", " NAME ROLE", 2, add}, {"list", "", 0, list}, {"remove", " ID", 1, drop}};

static const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
	        {"expires", required_argument, NULL, 'e'}, {"json", no_argument, NULL, 'j'}, DAEMON_OPTIONS, {0}};
	struct daemon_where where = {0};
	struct call call = {0};
	struct error error = {0};
	int option, status = 0;
	optind = 0;
	opterr = 0;
	while (status == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return command_usage_error(COMMAND, "wrong or incomplete option %s", argv[optind - 1]);
		if (option == 'j')
			call.json = true;
		else if (!daemon_option(&where, option, optarg))
			status = daemon_duration(COMMAND, "--expires", call.expires = optarg);
	}
	if (status)
		return status;
	const struct verb *verb = optind < argc ? verb_find(argv[optind]) : NULL;
	if (!verb)
		return command_usage_error(COMMAND, "say one of add, list, remove");
	call.words = argv + optind + 1;
	if (argc - optind - 1 != verb->count)
		return command_usage_error(COMMAND, "it is `token %s%s`", verb->name, verb->words);
	if (call.json && verb->run != list)
		return command_usage_error(COMMAND, "--json goes with list");
	if (call.expires && verb->run != add)
		return command_usage_error(COMMAND, "--expires goes with add");
	int r = daemon_client_new(&call.client, &where, &error);
	if (r == 0)
		r = verb->run(&call, &error);
	daemon_client_free(call.client);
	return r < 0 ? daemon_fail(COMMAND, &error) : 0;
}

const struct command command_token = {
        .name = COMMAND,
        .summary = "makes, lists and removes tokens of the daemon",
        .usage = "token add NAME viewer|operator|admin [--expires D] | list [--json] | remove ID\n\n"
                 "  --expires D        after so long, e.g. 90d; without: never\n"
                 "  --json             as the API has them, a list\n" DAEMON_USAGE,
        .run = run,
};
