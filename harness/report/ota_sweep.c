/* SPDX-License-Identifier: Apache-2.0 */
#include "ota_sweep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_LIMIT 4 /* of a mad journal's objects */
#define NAME_SIZE   160

struct walk {
	void (*each)(void *context, const char *name, const char *value);
	void *context;
	int result;
};

static void tell(struct walk *walk, const char *name, const json_t *value)
{
	char number[TEXT_NUMBER_SIZE];
	const char *said = json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "";

	if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		said = number;
	} else if (json_is_real(value)) {
		said = text_real(json_real_value(value), number);
	} else if (json_is_string(value)) {
		said = json_string_value(value);
	}
	char *clean = text_clean(said, strlen(said), 0);
	if (clean)
		walk->each(walk->context, name, clean);
	else
		walk->result = -ENOMEM;
	free(clean);
}

static void walk_object(struct walk *walk, const char *prefix, const json_t *object, unsigned depth)
{
	const char *key;
	json_t *value;
	char name[NAME_SIZE];

	json_object_foreach ((json_t *)object, key, value) {
		snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "", key);
		char *clean = text_clean(name, strlen(name), 0);
		if (!clean)
			walk->result = -ENOMEM;
		else if (!json_is_object(value))
			tell(walk, clean, value);
		else if (depth < DEPTH_LIMIT)
			walk_object(walk, clean, value, depth + 1);
		free(clean);
	}
}

int ota_sweep_each(const json_t *sweep, void (*each)(void *context, const char *name, const char *value), void *context)
{
	struct walk walk = {.each = each, .context = context};

	walk_object(&walk, "", sweep, 0);
	return walk.result;
}

/* Those whose names do not say it all. */
static const char *explain(const char *name)
{
	static const char *const table[][2] = {
	        {"planned.total", "flash operations of the scenario"},
	        {"planned.selected", "operations that were to be cut"},
	        {"planned.points", "cuts that were to be made (not of --pairs and --random)"},
	        {"done.operations", "operations that were cut"},
	        {"done.done", "operations gone through"},
	        {"done.triples", "triples of cuts that were begun (--random)"},
	        {"done.complete", "the sweep was finished"},
	        {"done.points", "cuts that were made"},
	        {"done.states", "distinct flash states"},
	        {"done.same", "cuts whose flash state was seen before"},
	        {"done.settled", "recoveries known once the boot had settled"},
	        {"done.played", "recoveries told to the end"},
	        {"done.seconds", "time of this computer, s"},
	        {"done.wear.bank", "most erases of a bank's sector"},
	        {"done.wear.dflash", "most erases of a DFLASH sector"},
	        {"done.wear.ucb", "most erases of a UCB"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (!strcmp(table[i][0], name))
			return table[i][1];
	return "";
}

static void put_row(void *context, const char *name, const char *value)
{
	struct text *out = context;

	text_put(out, "<tr><td><code>");
	text_put_html(out, name);
	text_put(out, "</code></td><td class=\"number\">");
	text_put_html(out, value);
	text_printf(out, "</td><td>%s</td></tr>\n", explain(name));
}

void ota_sweep_put_section(struct text *out, const json_t *sweep)
{
	text_put(out, "<section><h2>The sweep</h2>\n<div class=\"scroll\"><table><thead><tr><th>Figure</th><th class=\"number\">Value</th>"
	              "<th></th></tr></thead><tbody>\n");
	if (ota_sweep_each(sweep, put_row, out) < 0)
		out->failed = true;
	text_put(out, "</tbody></table></div></section>\n");
}
