/* SPDX-License-Identifier: Apache-2.0 */
#include "lanes_plan.h"

#include <string.h>

const char *lane_kind_name(enum lane_kind kind)
{
	static const char *const names[] = {
	        [LANE_CASE] = "case", [LANE_STEP] = "step", [LANE_POWER] = "power",     [LANE_BOOT] = "boot",   [LANE_TLS] = "tls",
	        [LANE_DOIP] = "doip", [LANE_CAN] = "can",   [LANE_CONSOLE] = "console", [LANE_PROBE] = "probe", [LANE_OTHER] = "other"};
	return names[kind];
}

struct rule {
	const char *kind; /* with '*' at its end: every kind that begins so */
	struct lane_plan plan;
};

/* The first that fits. Kinds of docs/reference/journal.md. */
static const struct rule rules[] = {
        {"case.begin", {LANE_CASE, ACT_BEGIN, NULL, 0}},
        {"case.end", {LANE_CASE, ACT_END, NULL, 0}},
        {"step.begin", {LANE_STEP, ACT_BEGIN, NULL, 0}},
        {"step.end", {LANE_STEP, ACT_END, NULL, 0}},
        {"power.on", {LANE_POWER, ACT_BEGIN, "power", 0}},
        {"power.off", {LANE_POWER, ACT_END, "power", 0}},
        {"power.cut", {LANE_POWER, ACT_BREAK, "power", 0}},
        {"supply.trip", {LANE_POWER, ACT_POINT, "power", 0}},
        {"supply.measure", {LANE_OTHER, ACT_POINT, "supply", 2}},
        {"supply.*", {LANE_OTHER, ACT_POINT, "supply", 1}},
        {"boot.stage", {LANE_BOOT, ACT_NEXT, "boot", 1}},
        {"reset", {LANE_BOOT, ACT_BREAK, "boot", 1}},
        {"board.*", {LANE_BOOT, ACT_BREAK, "boot", 1}},
        {"can.rx", {LANE_CAN, ACT_POINT, "", 2}},
        {"can.tx", {LANE_CAN, ACT_POINT, "", 2}},
        {"console.line", {LANE_CONSOLE, ACT_POINT, "console", 2}},
        {"doip*", {LANE_DOIP, ACT_POINT, "doip", 2}},
        {"uds.*", {LANE_DOIP, ACT_POINT, "doip", 2}},
        {"message.*", {LANE_DOIP, ACT_POINT, "messages", 2}},
        {"tls.client_hello", {LANE_TLS, ACT_BEGIN, "tls", 1}},
        {"tls.open", {LANE_TLS, ACT_BEGIN, "tls", 1}},
        {"tls.finished", {LANE_TLS, ACT_END, "tls", 1}},
        {"tls.opened", {LANE_TLS, ACT_END, "tls", 1}},
        {"tls.failed", {LANE_TLS, ACT_BREAK, "tls", 1}},
        {"tls.alert", {LANE_TLS, ACT_BREAK, "tls", 1}},
        {"tls.*", {LANE_TLS, ACT_POINT, "tls", 2}},
        {"tcp.*", {LANE_TLS, ACT_POINT, "tls", 2}},
        {"link.fault", {LANE_TLS, ACT_POINT, "tls", 1}},
        {"can.error", {LANE_CAN, ACT_POINT, "", 2}},
        {"can.*", {LANE_CAN, ACT_POINT, "", 1}},
        {"isotp.*", {LANE_CAN, ACT_POINT, "", 2}},
        {"secoc.sweep", {LANE_CAN, ACT_POINT, "", 1}},
        {"secoc.*", {LANE_CAN, ACT_POINT, "", 2}},
        {"probe.read", {LANE_PROBE, ACT_POINT, "probe", 2}},
        {"probe.write", {LANE_PROBE, ACT_POINT, "probe", 2}},
        {"probe.*", {LANE_PROBE, ACT_POINT, "probe", 1}},
        {"ota.begin", {LANE_OTHER, ACT_BEGIN, "update", 1}},
        {"ota.end", {LANE_OTHER, ACT_END, "update", 1}},
        {"ota.*", {LANE_OTHER, ACT_POINT, "update", 1}},
        {"flash", {LANE_OTHER, ACT_POINT, "flash", 2}},
        {"flash.map", {LANE_OTHER, ACT_POINT, "flash", 1}},
        {"measure.sample", {LANE_OTHER, ACT_POINT, "measurements", 2}},
        {"measure.*", {LANE_OTHER, ACT_POINT, "measurements", 1}},
        {"run.*", {LANE_OTHER, ACT_NONE, NULL, 1}},
        {"note", {LANE_OTHER, ACT_POINT, "notes", 1}},
};

static bool fits(const struct line_head *head, const char *kind)
{
	const size_t length = strlen(kind);
	const bool open = kind[length - 1] == '*';
	return (open || head->kind_length == length) && head->kind_length >= length - open && memcmp(head->kind, kind, length - open) == 0;
}

struct lane_plan lane_plan(const struct line_head *head)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (fits(head, rules[i].kind))
			return rules[i].plan;
	return (struct lane_plan){LANE_OTHER, ACT_POINT, NULL, 1};
}
