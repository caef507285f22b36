/* SPDX-License-Identifier: Apache-2.0 */
/* A rig between its users: cleaned after every lease, looked at when nobody has it, brought back by a self-test. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab_private.h"

#define CHECK_LIMIT_NS (60 * LAB_SECOND_NS)
#define CHECK_AGAIN_NS (2 * LAB_SECOND_NS) /* one that was broken off */

/* ---- health ---- */

void lab_rig_due(struct lab_rig *rig)
{
	int64_t due_utc_ns = health_recovery_due_ns(rig->record, &rig->lab->config->health);
	rig->help_due_ns = 0;
	if (!due_utc_ns)
		return;
	/* From here on the wall clock may jump as it likes. */
	int64_t left_ns = due_utc_ns - lab_utc_ns(), most_ns = due_utc_ns - rig->record->since_utc_ns;
	left_ns = left_ns < 0 ? 0 : left_ns < most_ns ? left_ns : most_ns;
	rig->help_due_ns = lab_now_ns() + left_ns;
	lab_wake_at(rig->lab, rig->help_due_ns);
}

void lab_rig_reload_record(struct lab_rig *rig)
{
	struct error error = {0};
	struct rig_record *record;
	if (book_rig(rig->lab->book, rig->config->name, &record, &error) < 0) {
		lab_again(rig->lab, &error);
		return;
	}
	rig_record_free(rig->record);
	rig->record = record;
	rig->lab->fitness_changed = true;
	lab_rig_due(rig);
}

int lab_rig_health(struct lab_rig *rig, enum health_input input, const char *text, int64_t job, int64_t run, struct error *err)
{
	const char *kind = NULL;
	bool changed = health_next(rig->record, input, text, &rig->lab->config->health, lab_utc_ns(), &kind);
	if (!changed && !kind)
		return 0;
	const char *words = text && *text ? text : input == HEALTH_RUN_GOOD ? "a run without a fault of the bench" : "";
	char by_hand[600];
	if (input == HEALTH_BY_HAND) { /* "operator" alone does not say what was done */
		(void)snprintf(by_hand, sizeof(by_hand), "quarantined by %s", words);
		words = by_hand;
	}
	int r = book_rig_changed(rig->lab->book, rig->record, kind, kind ? words : NULL, job, run, err);
	if (r < 0) {
		lab_rig_reload_record(rig);
		return r;
	}
	rig->lab->fitness_changed = true;
	lab_rig_due(rig);
	return 0;
}

/* ---- what a verb said ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static void add_words(struct lab_rig *rig, const char *what, const char *why)
{
	char name[80], reason[240], text[sizeof(rig->words) + sizeof(name) + sizeof(reason) + 8];
	health_brief(what, name, sizeof(name));
	health_brief(why, reason, sizeof(reason));
	(void)snprintf(text, sizeof(text), "%s%s%s: %s", rig->words, rig->words[0] ? "; " : "", name, reason);
	health_brief(text, rig->words, sizeof(rig->words));
}

static void read_items(struct lab_rig *rig, const json_t *json)
{
	const json_t *item;
	size_t i;
	json_array_foreach (json_object_get(json, "items"), i, item)
		if (json_is_false(json_object_get(item, "ok")))
			add_words(rig, text_of(item, "resource"), text_of(item, "message"));
	json_array_foreach (json_object_get(json, "resources"), i, item)
		if (strcmp(text_of(item, "state"), "bad") == 0)
			add_words(rig, *text_of(item, "role") ? text_of(item, "role") : text_of(item, "name"), text_of(item, "problem"));
}

/* Text for people, of bytes from anywhere. */
static void plain(char *text)
{
	json_t *string = json_string(text);
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f || (!string && (unsigned char)*c >= 0x80))
			*c = ' ';
	json_decref(string);
}

/* Whether all is well; else rig->words says why. */
static bool judge(struct lab_rig *rig, const char *verb, const struct errand_result *result)
{
	rig->words[0] = '\0';
	if (result->timed_out) {
		(void)snprintf(rig->words, sizeof(rig->words), "%s did not end in time", verb);
		return false;
	}
	if (result->exit_status == 0)
		return true;
	char errors[320];
	json_t *json = json_loadb(result->output, result->output_length, 0, NULL);
	read_items(rig, json);
	json_decref(json);
	if (!rig->words[0] && result->exit_status < 0)
		(void)snprintf(rig->words, sizeof(rig->words), "%s was ended by signal %d", verb, result->signal);
	else if (!rig->words[0]) {
		health_brief(result->errors, errors, sizeof(errors));
		(void)snprintf(rig->words, sizeof(rig->words), "%s ended with status %d: %s", verb, result->exit_status, errors);
	}
	plain(rig->words);
	return false;
}

/* ---- verbs ---- */

static int begin(struct lab_rig *rig, enum rig_work work, const char *verb, int64_t limit_ns, errand_done done, struct error *err)
{
	const struct lab *lab = rig->lab;
	const char *environment[10], *const words[] = {lab->config->bench_program, "rig", "--rig", rig->config->file, verb, "--json", NULL};
	const char *variable = work == WORK_CLEANUP ? MARK_CLEANUP : MARK_JOB;
	char mark[80] = "";
	if (rig->lease.id && rig->lease.run)
		lab_mark(lab, variable, rig->lease.job, rig->lease.run, mark, sizeof(mark));
	else if (rig->lease.id)
		lab_mark(lab, variable, 0, rig->lease.id, mark, sizeof(mark));
	lab_environment(lab, *mark ? mark : NULL, environment);
	int r = errand_start(&rig->errand, lab->event, lab->config->daemon_program, "/", words, environment, limit_ns, done, rig, err);
	if (r < 0)
		return r;
	rig->work = work;
	return 0;
}

static void ended(struct lab_rig *rig)
{
	errand_free(rig->errand);
	rig->errand = NULL;
	rig->work = WORK_NONE;
}

/* ---- clean-up ---- */

static void forget_lease(struct lab_rig *rig)
{
	free(rig->lease.holder);
	free(rig->lease.note);
	free(rig->lease.secret_hash);
	rig->lease = (struct lab_lease){0};
}

static int book_cleanup(struct lab_rig *rig, struct error *err)
{
	struct lab *lab = rig->lab;
	char text[700];
	int r = book_begin(lab->book, err);
	if (r < 0)
		return r;
	(void)snprintf(text, sizeof(text), "clean-up failed: %s", rig->words);
	if (!rig->clean_good)
		r = lab_rig_health(rig, HEALTH_CLEANUP_FAILED, text, rig->lease.job, rig->lease.run, err);
	if (r == 0)
		r = book_lease_over(lab->book, rig->lease.id, err);
	if (r == 0)
		r = book_commit(lab->book, err);
	if (r < 0) {
		book_roll_back(lab->book);
		lab_rig_reload_record(rig);
	}
	return r;
}

static int after_cleanup(struct lab_rig *rig, struct error *err)
{
	int r = book_cleanup(rig, err);
	if (r < 0)
		return r;
	rig->lab->figures.cleanups++;
	rig->lab->figures.cleanups_failed += !rig->clean_good;
	rig->cleaned = false;
	forget_lease(rig);
	lab_tell_rig(rig);
	lab_turn_soon(rig->lab);
	return 0;
}

static void on_cleaned(const struct errand_result *result, void *context)
{
	struct lab_rig *rig = context;
	ended(rig);
	rig->clean_good = judge(rig, "the clean-up", result);
	rig->cleaned = true;
	lab_rig_advance(rig);
}

/* ---- self-test ---- */

static int book_test(struct lab_rig *rig, bool *ret_help, struct error *err)
{
	char text[700];
	/* A test between two users says nothing about a suspicion; it only can find something. */
	*ret_help = rig->record->health == HEALTH_QUARANTINED || rig->wants_help;
	if (rig->test_good)
		return *ret_help ? lab_rig_health(rig, HEALTH_RECOVERY_GOOD, "the self-test passed", 0, 0, err) : 0;
	(void)snprintf(text, sizeof(text), "self-test failed: %s", rig->words);
	return lab_rig_health(rig, HEALTH_RECOVERY_FAILED, text, 0, 0, err);
}

static int after_test(struct lab_rig *rig, struct error *err)
{
	struct lab *lab = rig->lab;
	bool help;
	int r = book_begin(lab->book, err);
	if (r < 0)
		return r;
	r = book_test(rig, &help, err);
	if (r == 0)
		r = book_lease_cleaning(lab->book, rig->lease.id, "the self-test is over", err);
	if (r == 0 || r == -EALREADY)
		r = book_commit(lab->book, err);
	if (r < 0) {
		book_roll_back(lab->book);
		lab_rig_reload_record(rig);
		return r;
	}
	lab->figures.recoveries += help && rig->test_good;
	lab->figures.recoveries_failed += help && !rig->test_good;
	rig->tested = rig->wants_test = rig->wants_help = false;
	rig->lease.state = LEASE_CLEANING;
	lab_tell_rig(rig);
	return 0;
}

static void on_tested(const struct errand_result *result, void *context)
{
	struct lab_rig *rig = context;
	ended(rig);
	rig->test_good = judge(rig, "the self-test", result);
	rig->tested = true;
	lab_rig_advance(rig);
}

static int lease_for_test(struct lab_rig *rig, struct error *err)
{
	struct lab *lab = rig->lab;
	char holder[] = "hilbenchd", nothing[] = "", *name = rig->record->name;
	struct lease_record lease = {.rig = name, .holder = holder, .note = nothing, .kind = LEASE_RECOVERY};
	int r = book_lease_add(lab->book, &lease, err);
	if (r < 0)
		return r;
	struct lease_times times = {0};
	lab_rig_leased(rig, &lease, &times);
	if (rig->wants_help || rig->record->health == HEALTH_QUARANTINED)
		r = book_health_entry(lab->book, name, "recovery", "a recovery by self-test begins", 0, 0, err);
	return r;
}

/* ---- looking at an idle rig ---- */

static void on_checked(const struct errand_result *result, void *context)
{
	struct lab_rig *rig = context;
	struct error error = {0};
	ended(rig);
	bool good = judge(rig, "the check", result), was_online = rig->record->online, first = !rig->checked;
	rig->check_due_ns = lab_now_ns() + rig->lab->config->check_interval_ns;
	lab_wake_at(rig->lab, rig->check_due_ns);
	if (lab_rig_health(rig, good ? HEALTH_CHECK_GOOD : HEALTH_CHECK_FAILED, good ? "it is there again" : rig->words, 0, 0, &error) <
	    0) {
		lab_again(rig->lab, &error);
		return;
	}
	rig->checked = true;
	rig->lab->fitness_changed |= first;
	if (first || was_online != rig->record->online)
		lab_tell_rig(rig);
	lab_turn_soon(rig->lab);
}

/* The file first: what it describes is what is looked at. */
static int look(struct lab_rig *rig, struct error *err)
{
	if (rig_facts_load(&rig->facts, rig->config->file))
		rig->lab->fitness_changed = true;
	if (!rig->facts.problem[0])
		return begin(rig, WORK_CHECK, "check", CHECK_LIMIT_NS, on_checked, err);
	rig->checked = true;
	rig->check_due_ns = lab_now_ns() + rig->lab->config->check_interval_ns;
	lab_wake_at(rig->lab, rig->check_due_ns);
	int r = lab_rig_health(rig, HEALTH_CHECK_FAILED, rig->facts.problem, 0, 0, err);
	lab_tell_rig(rig);
	lab_turn_soon(rig->lab);
	return r;
}

void lab_rig_interrupt_check(struct lab_rig *rig)
{
	if (rig->work != WORK_CHECK)
		return;
	ended(rig);
	int64_t again_ns = rig->lab->config->check_interval_ns < CHECK_AGAIN_NS ? rig->lab->config->check_interval_ns : CHECK_AGAIN_NS;
	rig->check_due_ns = lab_now_ns() + again_ns;
}

/* ---- leases ---- */

void lab_rig_leased(struct lab_rig *rig, const struct lease_record *record, const struct lease_times *times)
{
	int64_t ends_ns = times->deadline_ns;
	if (!ends_ns && record->deadline_utc_ns)
		ends_ns = lab_now_ns() + record->deadline_utc_ns - lab_utc_ns();
	lab_rig_interrupt_check(rig);
	rig->lease = (struct lab_lease){.id = record->id,
	                                .kind = record->kind,
	                                .state = record->state,
	                                .job = record->job,
	                                .run = record->run,
	                                .holder = record->holder ? strdup(record->holder) : NULL,
	                                .note = record->note ? strdup(record->note) : NULL,
	                                .secret_hash = record->secret_hash ? strdup(record->secret_hash) : NULL,
	                                .times = *times,
	                                .deadline_utc_ns = record->deadline_utc_ns,
	                                .ends_ns = ends_ns,
	                                .beats = record->expires_utc_ns != 0};
	rig->used = ++rig->lab->uses;
	if (lease_times_next_ns(times) != INT64_MAX)
		lab_wake_at(rig->lab, lease_times_next_ns(times));
	lab_tell_rig(rig);
}

int lab_rig_lease_cleaning(struct lab_rig *rig, const char *why, struct error *err)
{
	int r = book_lease_cleaning(rig->lab->book, rig->lease.id, why, err);
	if (r < 0 && r != -EALREADY)
		return r;
	rig->lease.state = LEASE_CLEANING;
	lab_journal_end(rig);
	lab_tell_rig(rig);
	return 0;
}

/* ---- what is to be done ---- */

static int go_on_with_lease(struct lab_rig *rig, struct error *err)
{
	const struct lab_config *config = rig->lab->config;
	lab_rig_interrupt_check(rig);
	if (rig->lease.state == LEASE_CLEANING)
		return begin(rig, WORK_CLEANUP, "cleanup", config->cleanup_limit_ns, on_cleaned, err);
	if (rig->lease.kind == LEASE_RECOVERY)
		return begin(rig, WORK_SELFTEST, "selftest", config->recovery_limit_ns, on_tested, err);
	return 0;
}

static bool needs_test(struct lab_rig *rig)
{
	/* A quarantined rig is tested when its recovery is due, and one that a person keeps apart when a person asks for it. */
	if (rig->record->health == HEALTH_QUARANTINED)
		rig->wants_test = false;
	return rig->wants_help || rig->wants_test || (rig->help_due_ns && lab_now_ns() >= rig->help_due_ns);
}

static bool needs_look(const struct lab_rig *rig)
{
	if (rig->lab->config->check_interval_ns <= 0)
		return !rig->checked && (rig->facts.problem[0] || !rig->facts.is_virtual);
	return !rig->check_due_ns || lab_now_ns() >= rig->check_due_ns;
}

static int go_on_idle(struct lab_rig *rig, struct error *err)
{
	if (!rig->lab->started || rig->lab->stopping || rig->reserved || rig->judging)
		return 0;
	if (needs_test(rig)) {
		lab_rig_interrupt_check(rig);
		int r = lease_for_test(rig, err);
		return r == 0 ? go_on_with_lease(rig, err) : r;
	}
	return rig->work == WORK_NONE && needs_look(rig) ? look(rig, err) : 0;
}

void lab_rig_advance(struct lab_rig *rig)
{
	struct error error = {0};
	int r = 0;
	if (rig->errand && rig->work != WORK_CHECK)
		return;
	if (rig->tested)
		r = after_test(rig, &error);
	if (r == 0 && rig->cleaned)
		r = after_cleanup(rig, &error);
	if (r == 0 && rig->lease.id)
		r = go_on_with_lease(rig, &error);
	else if (r == 0)
		r = go_on_idle(rig, &error);
	if (r < 0)
		lab_again(rig->lab, &error);
}

bool lab_rig_free(const struct lab_rig *rig)
{
	if (rig->lease.id || rig->reserved || rig->judging || rig->wants_test || rig->wants_help || rig->lab->stopping ||
	    !rig->lab->started)
		return false;
	if (!rig->facts.known)
		return false;
	/* A look at a virtual rig touches nothing and is broken off; one at a real rig has its instruments open. */
	return rig->facts.is_virtual || (rig->checked && rig->work != WORK_CHECK);
}
