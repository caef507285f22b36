/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of events and boot stages that test cases may name: those of docs/reference/journal.md. A driver that brings a
 * kind or a stage of its own adds it here and there. */
#include <stdio.h>
#include <string.h>

#include "../base/suggest.h"
#include "lang_private.h"

const char *const event_kinds[] = {"run.begin",
                                   "run.end",
                                   "case.begin",
                                   "case.end",
                                   "step.begin",
                                   "step.end",
                                   "note",
                                   "power.on",
                                   "power.off",
                                   "power.cut",
                                   "supply.set",
                                   "supply.measure",
                                   "supply.profile",
                                   "supply.trip",
                                   "flash",
                                   "flash.map",
                                   "ota.begin",
                                   "ota.stage",
                                   "ota.end",
                                   "ota.switch",
                                   "ota.sweep",
                                   "sweep.end",
                                   "reset",
                                   "console.line",
                                   "boot.stage",
                                   "board.dead",
                                   "board.fault",
                                   "probe.connect",
                                   "probe.lost",
                                   "probe.identify",
                                   "probe.halt",
                                   "probe.resume",
                                   "probe.reset",
                                   "probe.read",
                                   "probe.write",
                                   "probe.load",
                                   "probe.dump",
                                   "probe.compare",
                                   "probe.program",
                                   "probe.command",
                                   "tcp.syn",
                                   "tcp.established",
                                   "tcp.refused",
                                   "tcp.fin",
                                   "tcp.reset",
                                   "tcp.segment",
                                   "tls.client_hello",
                                   "tls.server_hello",
                                   "tls.client_finished",
                                   "tls.finished",
                                   "tls.alert",
                                   "doip",
                                   "link.fault",
                                   "doip.tx",
                                   "doip.rx",
                                   "tcp.open",
                                   "tcp.opened",
                                   "tcp.closed",
                                   "tls.open",
                                   "tls.opened",
                                   "tls.failed",
                                   "uds.tx",
                                   "uds.rx",
                                   "can.rx",
                                   "can.tx",
                                   "can.error",
                                   "can.state",
                                   "can.lost",
                                   "can.fault",
                                   "isotp.tx",
                                   "isotp.rx",
                                   "secoc.tx",
                                   "secoc.rx",
                                   "secoc.sweep",
                                   "endpoint.injected",
                                   "message.tx",
                                   "message.rx",
                                   "measure.sample",
                                   "measure.result",
                                   NULL};
const char *const boot_stages[] = {"ssw", "bootloader", "application", "rtos",    "server",   "client", "connected",
                                   "tls", "activated",  "endpoint",    "message", "recovery", NULL};

static void check_word(struct checker *checker, const char *what, const char *const *words, const char *word, struct place place)
{
	char hint[160];

	for (const char *const *known = words; *known; known++)
		if (strcmp(*known, word) == 0)
			return;
	checker_error(checker, place, "unknown %s \"%s\"%s", what, word, suggest_text(word, words, hint, sizeof(hint)));
}

/* The stages are few: all of them help more than the nearest one. */
static void check_boot_stage(struct checker *checker, const char *word, struct place place)
{
	char hint[160], list[300] = "";
	size_t length = 0;

	for (const char *const *known = boot_stages; *known; known++) {
		if (strcmp(*known, word) == 0)
			return;
		if (length < sizeof(list))
			length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s", length ? ", " : "", *known);
	}
	checker_error(checker, place, "unknown boot stage \"%s\"%s: it is one of %s", word,
	              suggest_text(word, boot_stages, hint, sizeof(hint)), list);
}

void check_event_kind(struct checker *checker, const char *kind, struct place place)
{
	check_word(checker, "event", event_kinds, kind, place);
}

void check_stage(struct checker *checker, const char *kind, const struct value *where)
{
	const struct value *stage = where && where->type == VALUE_MAP ? value_get(where, "stage") : NULL;
	struct value *resolved;

	if (!kind || strcmp(kind, "boot.stage") != 0 || !stage)
		return;
	checker_resolve(checker, stage, &resolved);
	if (resolved && resolved->type == VALUE_TEXT)
		check_boot_stage(checker, resolved->text, stage->place);
	value_free(resolved);
}

static void check_event_arg(struct checker *checker, const struct step_call *call, const struct arg_def *arg, const struct value *written)
{
	struct value *resolved;

	checker_resolve(checker, written, &resolved);
	if (resolved && resolved->type == VALUE_TEXT && (arg->flags & ARG_EVENT)) {
		check_event_kind(checker, resolved->text, written->place);
		check_stage(checker, resolved->text, value_get(call->args, "where"));
	} else if (resolved && resolved->type == VALUE_TEXT) {
		check_boot_stage(checker, resolved->text, written->place);
	}
	value_free(resolved);
}

void check_call_event(struct checker *checker, const struct step_call *call)
{
	for (const struct arg_def *arg = call->def->args; arg && arg->name; arg++) {
		const struct value *written = value_get(call->args, arg->name);

		if (written && (arg->flags & (ARG_EVENT | ARG_STAGE)) && written->type == VALUE_TEXT)
			check_event_arg(checker, call, arg, written);
	}
}
