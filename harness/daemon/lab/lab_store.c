/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the end of a run to its place in the book. Until RUN_DONE is committed the directory stays, and every step can be done again: after
 * kill -9 the next daemon begins with the first.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab_private.h"
#include "store.h"

#define REPORT_LIMIT_NS (120 * LAB_SECOND_NS)
#define LINE_MOST       (1 << 20)
#define WORDS_KEPT      720

static bool file_there(const struct lab_run *run, const char *name)
{
	char path[PATH_MAX];
	struct stat status;
	(void)snprintf(path, sizeof(path), "%s/%s", run->directory, name);
	return lstat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* ---- its end ---- */

static int book_the_end(struct lab_run *run, struct error *err)
{
	struct lab *lab = run->job->lab;
	int64_t ended_ns = run->exit.ended_utc_ns ? run->exit.ended_utc_ns : lab_utc_ns();
	if (run->record->state == RUN_ENDED)
		return 0;
	int r = book_run_ended(lab->book, run->record->id, run->exit.exit_status, run->exit.signal, ended_ns, err);
	if (r < 0)
		return r;
	run->record->state = RUN_ENDED;
	run->record->ended_utc_ns = ended_ns;
	return 0;
}

static bool crashed(const struct lab_run *run)
{
	return strcmp(run->exit.reason, "lost") == 0 || (strcmp(run->exit.reason, "exited") == 0 && run->exit.signal > 0);
}

/* The rig is cleaned while the results are stored. */
static int end(struct lab_run *run, struct error *err)
{
	int r = book_the_end(run, err);
	if (r == 0 && run->rig && run->rig->lease.id == run->record->lease && run->rig->lease.state == LEASE_ACTIVE) {
		if (crashed(run) && !run->not_begun)
			run->rig->wants_test = true;
		r = lab_rig_lease_cleaning(run->rig, "the run ended", err);
		if (r == 0)
			lab_rig_advance(run->rig);
	}
	if (r == 0 && run->tail) {
		struct error ignored = {0};
		(void)!tail_finish(run->tail, &ignored); /* what cannot be read now is in the file all the same */
	}
	return r;
}

/* ---- its reports, when it could not make them itself ---- */

static void on_reported(const struct errand_result *result, void *context)
{
	struct lab_run *run = context;
	errand_free(run->errand);
	run->errand = NULL;
	run->reported = true;
	lab_run_advance(run);
}

/* 1: wait for it. */
static int make_reports(struct lab_run *run, struct error *err)
{
	const struct lab *lab = run->job->lab;
	const char *environment[10], *const words[] = {lab->config->bench_program, "report", "out", "--portable", NULL};
	if (run->errand)
		return 1;
	if (run->reported || file_there(run, "out/results.json") || !file_there(run, "out/events.jsonl"))
		return 0;
	lab_environment(lab, NULL, environment);
	int r = errand_start(&run->errand, lab->event, lab->config->daemon_program, run->directory, words, environment, REPORT_LIMIT_NS,
	                     on_reported, run, err);
	return r < 0 ? r : 1;
}

/* ---- its files ---- */

static void on_stored(const struct error *error, void *context)
{
	struct lab_run *run = context;
	if (error) {
		store_free(run->store);
		run->store = NULL;
		lab_again(run->job->lab, error);
		return;
	}
	run->stage = STAGE_BOOK;
	lab_run_advance(run);
}

static int store_its_files(struct lab_run *run, struct error *err)
{
	struct lab *lab = run->job->lab;
	if (run->store)
		return 1;
	int r = store_new(&run->store, lab->book, err);
	if (r == 0)
		r = store_add_run(run->store, run->directory, err);
	if (r == 0)
		r = store_start(run->store, lab->event, on_stored, run, err);
	if (r < 0) {
		store_free(run->store);
		run->store = NULL;
	}
	return r < 0 ? r : 1;
}

/* ---- the book ---- */

/* Where the line begins that ends there. */
static off_t line_begin(int fd, off_t end)
{
	char piece[4096];
	const off_t most = end > LINE_MOST ? end - LINE_MOST : 0;
	while (end > most) {
		size_t want = end < (off_t)sizeof(piece) ? (size_t)end : sizeof(piece);
		ssize_t n = pread(fd, piece, want, end - (off_t)want);
		const char *newline = n == (ssize_t)want ? memrchr(piece, '\n', want) : NULL;
		if (newline)
			return end - (off_t)want + (newline - piece) + 1;
		end -= (off_t)want;
	}
	return end;
}

/* Without what is only white at the end. */
static off_t words_end(int fd)
{
	char piece[4096];
	struct stat status;
	if (fstat(fd, &status) < 0)
		return 0;
	off_t begin = status.st_size > (off_t)sizeof(piece) ? status.st_size - (off_t)sizeof(piece) : 0;
	ssize_t n = pread(fd, piece, sizeof(piece), begin);
	while (n > 0 && (unsigned char)piece[n - 1] <= ' ')
		n--;
	return n > 0 ? begin + n : 0;
}

/* The last line of its output, as text that any reader takes. What is wrong stands at the beginning of a line, so that is what stays of a
 * long one. */
static void read_last_words(const struct lab_run *run, char words[WORDS_KEPT])
{
	char path[PATH_MAX], line[2 * WORDS_KEPT];
	size_t length = 0;
	words[0] = '\0';
	(void)snprintf(path, sizeof(path), "%s/output.log", run->directory);
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	const off_t end = words_end(fd), begin = line_begin(fd, end);
	ssize_t n = pread(fd, line, end - begin < (off_t)sizeof(line) - 1 ? (size_t)(end - begin) : sizeof(line) - 1, begin);
	close(fd);
	for (ssize_t i = 0; i < n; i++) {
		const char c = (unsigned char)line[i] >= 0x20 && (unsigned char)line[i] < 0x7f ? line[i] : '?';
		if (c != ' ' || length == 0 || line[length - 1] != ' ') /* columns of a table */
			line[length++] = c;
	}
	line[length] = '\0';
	health_brief(line, words, WORDS_KEPT);
}

static int book_boards(struct lab_run *run, const json_t *results, struct error *err)
{
	struct lost_board boards[VERDICT_BOARDS_MAX];
	size_t count = verdict_lost_boards(results, run->rig ? run->rig->facts.roles : NULL, boards);
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = book_board_error(run->job->lab->book, run->record->rig, boards[i].role, boards[i].text, err);
	return r;
}

static int book_health(struct lab_run *run, const struct run_verdict *verdict, struct error *err)
{
	if (!run->rig)
		return 0;
	if (verdict->bench_error)
		return lab_rig_health(run->rig, HEALTH_RUN_BENCH_ERROR, verdict->bench_text, run->job->record->id, run->record->id, err);
	return verdict->good ? lab_rig_health(run->rig, HEALTH_RUN_GOOD, NULL, run->job->record->id, run->record->id, err) : 0;
}

static int book_artefacts(const struct lab_run *run, struct error *err)
{
	size_t count;
	const struct stored_file *files = store_files(run->store, &count);
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = book_artefact_add(run->job->lab->book, run->record->id, files[i].name, files[i].sha256, files[i].size, err);
	return r;
}

static void judge(struct lab_run *run, const json_t *results, struct run_verdict *verdict)
{
	char words[WORDS_KEPT];
	read_last_words(run, words);
	run_verdict(&run->exit, results, words, verdict);
	lab_disk_excuse(run, results, verdict);
	bool was_asked = strcmp(run->exit.reason, "cancelled") == 0 || verdict->outcome == OUTCOME_CANCELLED;
	if (run->not_begun) {
		verdict->outcome = OUTCOME_ERROR;
		verdict->cause = "bench";
		verdict->crashed = false;
		(void)snprintf(verdict->reason, sizeof(verdict->reason), REASON_NOT_BEGUN "the daemon ended before");
	} else if (run->stop == STOP_DAEMON && was_asked) {
		verdict->outcome = OUTCOME_CANCELLED;
		(void)snprintf(verdict->reason, sizeof(verdict->reason), REASON_STOPPED);
	} else if (run->job->record->cancelled && was_asked) {
		verdict->outcome = OUTCOME_CANCELLED;
		(void)snprintf(verdict->reason, sizeof(verdict->reason), "the job was cancelled");
	}
	if (verdict->outcome != OUTCOME_ERROR)
		verdict->cause = NULL;
}

static int book_it(struct lab_run *run, const json_t *results, const struct run_verdict *verdict, struct error *err)
{
	struct book *book = run->job->lab->book;
	int r = book_artefacts(run, err);
	/* What a stopped daemon interrupted is done again as a whole: its verdicts would count twice. */
	if (r == 0 && results && !(verdict->outcome == OUTCOME_CANCELLED && run->stop == STOP_DAEMON)) {
		r = book_results_add(book, run->record->id, results, err);
		run->results_bad |= r == -EINVAL;
	}
	if (r == 0 && results && !verdict->no_space)
		r = book_boards(run, results, err);
	if (r == 0)
		r = book_health(run, verdict, err);
	return r == 0 ? book_run_done(book, run->record->id, verdict->outcome, verdict->cause, verdict->reason, err) : r;
}

static int commit(struct lab_run *run, const json_t *results, const struct run_verdict *verdict, struct error *err)
{
	struct book *book = run->job->lab->book;
	int r = book_begin(book, err);
	if (r < 0)
		return r;
	r = book_it(run, results, verdict, err);
	if (r == 0)
		r = book_commit(book, err);
	if (r < 0) {
		book_roll_back(book);
		if (run->rig)
			lab_rig_reload_record(run->rig);
	}
	return r;
}

static void remember(struct lab_run *run, const struct run_verdict *verdict)
{
	struct lab *lab = run->job->lab;
	run->record->state = RUN_DONE;
	run->record->outcome = verdict->outcome;
	free(run->record->reason);
	run->record->reason = strdup(verdict->reason);
	free(run->record->cause);
	run->record->cause = verdict->cause ? strdup(verdict->cause) : NULL;
	lab->figures.runs_by_outcome[verdict->outcome]++;
	lab->figures.bench_errors += verdict->bench_error;
	if (verdict->crashed && run->rig)
		run->rig->wants_test = true;
}

static int store_in_book(struct lab_run *run, struct error *err)
{
	struct run_verdict verdict;
	const json_t *results = run->results_bad ? NULL : store_results(run->store);
	judge(run, results, &verdict);
	int r = commit(run, results, &verdict, err);
	if (r == 0)
		remember(run, &verdict);
	return r;
}

/* ---- after it ---- */

static void finish(struct lab_run *run)
{
	struct lab *lab = run->job->lab;
	struct lab_rig *rig = run->rig;
	struct error error = {0};
	lab_tell(lab, LAB_RUN_STORING, run->record->id, NULL);
	tail_free(run->tail);
	run->tail = NULL;
	store_free(run->store);
	run->store = NULL;
	if (folder_remove(lab->remover, run->directory, &error) < 0)
		lab_again(lab, &error); /* the next start sweeps it */
	run->stage = STAGE_DONE;
	run->job->open_count--;
	lab_tell_run(lab, run->record->id);
	if (rig) {
		rig->judging--;
		lab_tell_rig(rig);
		lab_rig_advance(rig);
	}
	lab_job_advance(run->job);
	lab_turn_soon(lab);
}

/* One step. 0: on with the next, 1: something is waited for, -errno: again later. */
static int step(struct lab_run *run, struct error *err)
{
	int r = 0;
	switch (run->stage) {
	case STAGE_END:
		r = end(run, err);
		break;
	case STAGE_REPORT:
		r = make_reports(run, err);
		break;
	case STAGE_FILES:
		return store_its_files(run, err);
	case STAGE_BOOK:
		r = store_in_book(run, err);
		if (r == 0)
			finish(run);
		else if (r == -EINVAL && run->results_bad)
			return 0; /* once more, without the results */
		return r == 0 ? 1 : r;
	default:
		return 1;
	}
	if (r == 0)
		run->stage++;
	return r;
}

void lab_run_advance(struct lab_run *run)
{
	struct lab *lab = run->job->lab;
	struct error error = {0};
	int r;
	do
		r = step(run, &error);
	while (r == 0);
	if (r < 0)
		lab_again(lab, &error);
}
