/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of a case by number, id and round. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session_private.h"

bool session_here(const struct session *session, struct session_place *ret)
{
	if (session->walk.inside) {
		*ret = session->walk.here;
		return true;
	}
	*ret = (struct session_place){.call = session_step_at(session, session->position), .number = {session->position + 1}};
	return ret->call != NULL;
}

const char *session_place_text(const struct session_place *place, char buffer[SESSION_PLACE_TEXT])
{
	size_t used = (size_t)snprintf(buffer, SESSION_PLACE_TEXT, "%u", place->number[0]);
	for (unsigned i = 0; i < place->depth && used < SESSION_PLACE_TEXT; i++) {
		used += (size_t)snprintf(buffer + used, SESSION_PLACE_TEXT - used, ".%s", place->block[i]->def->name);
		if (place->round[i] && used < SESSION_PLACE_TEXT)
			used += (size_t)snprintf(buffer + used, SESSION_PLACE_TEXT - used, "[%" PRId64 "]", place->round[i]);
		if (used < SESSION_PLACE_TEXT)
			used += (size_t)snprintf(buffer + used, SESSION_PLACE_TEXT - used, ".%u", place->number[i + 1]);
	}
	return buffer;
}

/* ---- by id ---- */

static bool has_id(const struct case_def *def, const struct step_call *call, const char *id)
{
	const size_t length = strlen(def->id);
	return !strcmp(call->id, id) ||
	       (!strncmp(call->id, def->id, length) && call->id[length] == '/' && !strcmp(call->id + length + 1, id));
}

/* Looks at the step of *place, then into its block; *place becomes that of the step that is found. */
static bool find_id(const struct case_def *def, const char *id, struct session_place *place)
{
	const struct step_call *call = place->call;
	if (has_id(def, call, id))
		return true;
	if (!call->block || place->depth == SESSION_DEPTH)
		return false;
	place->block[place->depth++] = call;
	for (unsigned i = 0; i < call->block->count; i++) {
		place->call = call->block->calls[i];
		place->number[place->depth] = i + 1;
		if (find_id(def, id, place))
			return true;
	}
	place->depth--;
	place->call = call;
	return false;
}

/* ---- by number ---- */

/* *at is moved behind it. 0: none, or too large. */
static unsigned read_number(const char **at)
{
	char *end;
	if (**at < '0' || **at > '9')
		return 0;
	unsigned long number = strtoul(*at, &end, 10);
	*at = end;
	return number <= 100000000 ? (unsigned)number : 0;
}

/* What may stand between two numbers: ".repeat", "[2]", then ".". */
static int read_between(const char **at, const struct step_call *call, int64_t *ret_round)
{
	const size_t name = strlen(call->def->name);
	*ret_round = 0;
	if (**at == '.' && !strncmp(*at + 1, call->def->name, name) && ((*at)[name + 1] == '.' || (*at)[name + 1] == '['))
		*at += name + 1;
	if (**at == '[') {
		(*at)++;
		*ret_round = read_number(at);
		if (*ret_round == 0 || **at != ']')
			return -EINVAL;
		(*at)++;
	}
	if (**at != '.')
		return -EINVAL;
	(*at)++;
	return 0;
}

static int no_such(const char *text, unsigned count, const char *of, struct error *err)
{
	return error_set(err, ERROR_USAGE, ENOENT, "\"%s\" is no number of a step (1 to %u%s), and no id: `list` shows them", text, count,
	                 of);
}

static int find_number(const struct session *session, const char *text, struct session_place *ret, struct error *err)
{
	const char *at = text;
	char path[SESSION_PLACE_TEXT], of[SESSION_PLACE_TEXT + 16] = "";
	unsigned count = session_step_count(session);
	*ret = (struct session_place){0};
	for (;;) {
		unsigned number = read_number(&at);
		if (number < 1 || number > count)
			return no_such(text, count, of, err);
		ret->call = ret->depth ? ret->call->block->calls[number - 1] : session_step_at(session, number - 1);
		ret->number[ret->depth] = number;
		if (!*at)
			return 0;
		if (!ret->call->block)
			return error_set(err, ERROR_USAGE, ENOENT, "step %s (%s) has no block", session_place_text(ret, path),
			                 ret->call->def->name);
		if (ret->depth == SESSION_DEPTH || read_between(&at, ret->call, &ret->round[ret->depth]) < 0)
			return error_set(err, ERROR_USAGE, ENOENT,
			                 "\"%s\" is no number of a step: as 2, 2.1 or, in the third round only, 2.%s[3].1", text,
			                 ret->call->def->name);
		snprintf(of, sizeof(of), " in %s", session_place_text(ret, path));
		count = ret->call->block->count;
		ret->block[ret->depth++] = ret->call;
	}
}

int session_find(const struct session *session, const char *text, struct session_place *ret, struct error *err)
{
	for (unsigned i = 0; i < session_step_count(session); i++) {
		*ret = (struct session_place){.call = session_step_at(session, i), .number = {i + 1}};
		if (find_id(session->def, text, ret))
			return 0;
	}
	return find_number(session, text, ret, err);
}

/* ---- where to stop ---- */

/* A place to stop at has round 0 where any will do. */
static bool matches(const struct session_place *wanted, const struct session_place *place)
{
	bool same = wanted->call == place->call;
	for (unsigned i = 0; same && i < wanted->depth; i++)
		same = wanted->round[i] == 0 || wanted->round[i] == place->round[i];
	return same;
}

static bool equal(const struct session_place *a, const struct session_place *b)
{
	return a->call == b->call && memcmp(a->round, b->round, sizeof(a->round)) == 0;
}

bool session_stops_at(const struct session *session, const struct session_place *place)
{
	for (unsigned i = 0; i < session->break_count; i++)
		if (matches(&session->breaks[i], place))
			return true;
	if (session->until && matches(session->until, place))
		return true;
	if (session->until_name && !strcmp(session->until_name, place->call->def->name))
		return true;
	switch (session->pace) {
	case PACE_STEP:
		return true;
	case PACE_NEXT:
		return place->depth <= session->pace_depth;
	case PACE_OUT:
		return place->depth < session->pace_depth;
	case PACE_RUN:
		break;
	}
	/* What was to come inside of a step is no longer to come behind it. */
	return session->until && place->depth == 0 && place->number[0] > session->until->number[0];
}

bool session_break(struct session *session, const struct session_place *place)
{
	for (unsigned i = 0; i < session->break_count; i++)
		if (equal(&session->breaks[i], place)) {
			session->breaks[i] = session->breaks[--session->break_count];
			return false;
		}
	struct session_place *grown = realloc(session->breaks, (session->break_count + 1) * sizeof(*grown));
	if (!grown)
		return false;
	session->breaks = grown;
	grown[session->break_count++] = *place;
	return true;
}

const struct session_place *session_break_at(const struct session *session, unsigned index)
{
	return index < session->break_count ? &session->breaks[index] : NULL;
}

bool session_breaks_at(const struct session *session, const struct step_call *call)
{
	for (unsigned i = 0; i < session->break_count; i++)
		if (session->breaks[i].call == call)
			return true;
	return false;
}
