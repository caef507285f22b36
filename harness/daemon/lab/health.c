/* SPDX-License-Identifier: Apache-2.0 */
/* The health of a rig: what follows from what was seen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health.h"

/* How a reason begins that a person gave: such a quarantine ends only when a person asks for it. The text that follows says who. */
#define BY_HAND      "by hand: "
#define MOST_DOUBLED 6 /* 2^6: at most 64 times */
#define REASON_SIZE  440
#define FIRST_SIZE   200 /* of two reasons in one */
#define FAILED_TOO   "; the recovery failed: "
#define MARK         "…"

void health_brief(const char *text, char *buffer, size_t size)
{
	size_t length = strlen(text);
	bool cut = length >= size;
	if (size == 0)
		return;
	if (cut) {
		length = size > strlen(MARK) ? size - 1 - strlen(MARK) : 0;
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
	}
	memmove(buffer, text, length);
	buffer[length] = '\0';
	if (cut && size > strlen(MARK))
		memcpy(buffer + length, MARK, sizeof(MARK));
}

static void set_reason(struct rig_record *record, const char *prefix, const char *text, int64_t now_utc_ns)
{
	char *reason = NULL;
	/* Without memory the old reason is better than none. */
	if (asprintf(&reason, "%s%s", prefix, text ? text : "") >= 0) {
		if (strlen(reason) >= REASON_SIZE)
			health_brief(reason, reason, REASON_SIZE);
		free(record->reason);
		record->reason = reason;
	}
	record->since_utc_ns = now_utc_ns;
}

static void set_state(struct rig_record *record, enum rig_health health, const char *text, int64_t now_utc_ns)
{
	record->health = health;
	set_reason(record, "", text, now_utc_ns);
}

static bool by_hand(const struct rig_record *record)
{
	return record->health == HEALTH_QUARANTINED && record->reason && strncmp(record->reason, BY_HAND, strlen(BY_HAND)) == 0;
}

static bool good_run(struct rig_record *record, int64_t now_utc_ns, const char **kind)
{
	if (record->health == HEALTH_QUARANTINED || (record->health == HEALTH_HEALTHY && record->bench_errors == 0))
		return false;
	set_state(record, HEALTH_HEALTHY, "", now_utc_ns);
	record->bench_errors = 0;
	*kind = "recovered";
	return true;
}

static void quarantine(struct rig_record *record, const char *text, int64_t now_utc_ns)
{
	set_state(record, HEALTH_QUARANTINED, text, now_utc_ns);
	record->recoveries = 0;
}

static bool bench_error(struct rig_record *record, const char *text, const struct health_rules *rules, int64_t now_utc_ns,
                        const char **kind)
{
	record->bench_errors++;
	*kind = "bench_error";
	if (record->health == HEALTH_QUARANTINED)
		return true;
	if (record->bench_errors >= rules->quarantine_after) {
		quarantine(record, text, now_utc_ns);
		*kind = "quarantined";
	} else if (record->health == HEALTH_HEALTHY) {
		set_state(record, HEALTH_SUSPECT, text, now_utc_ns);
		*kind = "suspect";
	} else {
		set_state(record, HEALTH_SUSPECT, text, now_utc_ns);
	}
	return true;
}

static bool cleanup_failed(struct rig_record *record, const char *text, int64_t now_utc_ns, const char **kind)
{
	*kind = record->health == HEALTH_QUARANTINED ? "cleanup" : "quarantined";
	if (record->health == HEALTH_QUARANTINED)
		return false;
	char said[REASON_SIZE], away[FIRST_SIZE], both[sizeof(said) + sizeof(away) + 40];
	/* What could not be reached before could not be cleaned either: whoever reads the one is to know of the other. */
	if (!record->online && record->health == HEALTH_HEALTHY && record->reason && *record->reason) {
		health_brief(text, said, FIRST_SIZE);
		health_brief(record->reason, away, sizeof(away));
		(void)snprintf(both, sizeof(both), "%s; it was offline before: %s", said, away);
		text = both;
	}
	quarantine(record, text, now_utc_ns);
	return true;
}

/* Still offline, for another reason; a rig that was never seen has none yet. */
static bool still_offline(struct rig_record *record, const char *text, const char **kind)
{
	const char *reason = record->reason ? record->reason : "";
	int64_t since_utc_ns = record->since_utc_ns;
	if (record->health != HEALTH_HEALTHY || strcmp(reason, text ? text : "") == 0)
		return false;
	if (!*reason)
		*kind = "offline";
	set_reason(record, "", text, since_utc_ns);
	return true;
}

static bool checked(struct rig_record *record, bool good, const char *text, int64_t now_utc_ns, const char **kind)
{
	if (record->online == good)
		return !good && still_offline(record, text, kind);
	bool seen = record->health != HEALTH_HEALTHY || (record->reason && *record->reason);
	record->online = good;
	/* A suspect or quarantined rig keeps the reason for that. */
	if (record->health == HEALTH_HEALTHY)
		set_reason(record, "", good ? "" : text, now_utc_ns);
	/* A rig that is seen for the first time was not away. */
	if (good)
		*kind = seen ? "online" : NULL;
	else
		*kind = "offline";
	return true;
}

static bool recovery_good(struct rig_record *record, int64_t now_utc_ns, const char **kind)
{
	*kind = "recovered";
	if (record->health == HEALTH_HEALTHY && record->online && record->bench_errors == 0 && record->recoveries == 0)
		return false;
	set_state(record, HEALTH_HEALTHY, "", now_utc_ns);
	record->online = true; /* it answered just now */
	record->bench_errors = record->recoveries = 0;
	return true;
}

/* Why it was quarantined, and why it still is: the newest is what is to be repaired now. */
static void add_failure(struct rig_record *record, const char *text, int64_t now_utc_ns)
{
	char first[FIRST_SIZE], both[FIRST_SIZE + REASON_SIZE];
	const char *old = record->reason ? record->reason : "", *failed = strstr(old, FAILED_TOO);
	size_t length = failed ? (size_t)(failed - old) : strlen(old);
	char *only = strndup(old, length);
	if (!only)
		return;
	health_brief(only, first, sizeof(first));
	bool same = strcmp(only, text) == 0;
	(void)snprintf(both, sizeof(both), "%s%s", first, FAILED_TOO);
	size_t begun = strlen(both);
	health_brief(text, both + begun, sizeof(both) - begun);
	set_reason(record, "", same ? only : both, now_utc_ns);
	free(only);
}

/* `since` is renewed: the next try counts from this one. */
static bool recovery_failed(struct rig_record *record, const char *text, int64_t now_utc_ns, const char **kind)
{
	if (record->health != HEALTH_QUARANTINED) {
		quarantine(record, text, now_utc_ns);
		record->recoveries = 1;
		*kind = "quarantined";
		return true;
	}
	record->since_utc_ns = now_utc_ns;
	add_failure(record, text ? text : "", now_utc_ns);
	record->recoveries++;
	*kind = "recovery";
	return true;
}

bool health_next(struct rig_record *record, enum health_input input, const char *text, const struct health_rules *rules, int64_t now_utc_ns,
                 const char **ret_kind)
{
	*ret_kind = NULL;
	switch (input) {
	case HEALTH_RUN_GOOD:
		return good_run(record, now_utc_ns, ret_kind);
	case HEALTH_RUN_BENCH_ERROR:
		return bench_error(record, text, rules, now_utc_ns, ret_kind);
	case HEALTH_CLEANUP_FAILED:
		return cleanup_failed(record, text, now_utc_ns, ret_kind);
	case HEALTH_CHECK_FAILED:
		return checked(record, false, text, now_utc_ns, ret_kind);
	case HEALTH_CHECK_GOOD:
		return checked(record, true, text, now_utc_ns, ret_kind);
	case HEALTH_RECOVERY_GOOD:
		return recovery_good(record, now_utc_ns, ret_kind);
	case HEALTH_RECOVERY_FAILED:
		return recovery_failed(record, text, now_utc_ns, ret_kind);
	case HEALTH_BY_HAND:
		quarantine(record, "", now_utc_ns);
		set_reason(record, BY_HAND, text, now_utc_ns);
		*ret_kind = "operator";
		return true;
	}
	return false;
}

int64_t health_recovery_due_ns(const struct rig_record *record, const struct health_rules *rules)
{
	if (record->health != HEALTH_QUARANTINED || by_hand(record) || rules->recovery_after_ns == 0)
		return 0;
	unsigned doubled = record->recoveries < MOST_DOUBLED ? record->recoveries : MOST_DOUBLED;
	int64_t delay_ns, due_ns;
	if (__builtin_mul_overflow(rules->recovery_after_ns, (int64_t)1 << doubled, &delay_ns) ||
	    __builtin_add_overflow(record->since_utc_ns, delay_ns, &due_ns))
		return INT64_MAX;
	return due_ns > 0 ? due_ns : 1;
}

bool health_fit(const struct rig_record *record, char *buffer, unsigned size)
{
	const char *reason = record->reason && *record->reason ? record->reason : "no reason is known";
	char text[REASON_SIZE + 600];
	if (size)
		buffer[0] = '\0';
	if (record->health != HEALTH_QUARANTINED && record->online)
		return true;
	(void)snprintf(text, sizeof(text), "%s: %.1000s", record->health == HEALTH_QUARANTINED ? "quarantined" : "offline", reason);
	health_brief(text, buffer, size);
	return false;
}
