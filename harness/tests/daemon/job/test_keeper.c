/* SPDX-License-Identifier: Apache-2.0 */
/* Keepers and errands with commands that behave in every bad way; afterwards nothing of them may be left. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../../daemon/job/given.h"
#include "../../../daemon/job/keeper.h"

#define SECOND_NS INT64_C(1000000000)

static char root[256], mark[64];
static unsigned directories;

struct seen {
	sd_event *event;
	struct keeper_exit exit;
	unsigned calls;
};

static void on_ended(const struct keeper_exit *exit, void *context)
{
	struct seen *seen = context;
	seen->exit = *exit;
	seen->calls++;
	(void)sd_event_exit(seen->event, 0);
}

static const char *program(void)
{
	return getenv("TEST_STAND_IN");
}

static void setup(void)
{
	const char *below = getenv("TMPDIR");
	(void)snprintf(root, sizeof(root), "%s/hilbench-keeper-XXXXXX", below ? below : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(root));
	(void)snprintf(mark, sizeof(mark), "HILBENCH_JOB=test-%s", root + strlen(root) - 6);
}

static void remove_tree(const char *path)
{
	DIR *directory = opendir(path);
	char name[512];
	for (struct dirent *entry; directory && (entry = readdir(directory));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			(void)snprintf(name, sizeof(name), "%.240s/%.255s", path, entry->d_name);
			if (unlink(name) < 0)
				remove_tree(name);
		}
	if (directory)
		(void)closedir(directory);
	(void)rmdir(path);
}

/* Processes that carry the mark and are no zombies. */
static unsigned marked(void)
{
	static char environment[1 << 16];
	unsigned found = 0;
	char path[300];
	DIR *processes = opendir("/proc");
	for (struct dirent *entry; (entry = readdir(processes));) {
		(void)snprintf(path, sizeof(path), "/proc/%s/environ", entry->d_name);
		int fd = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? open(path, O_RDONLY) : -1;
		if (fd < 0)
			continue;
		ssize_t n = read(fd, environment, sizeof(environment));
		found += n > 0 && memmem(environment, (size_t)n, mark, strlen(mark) + 1) != NULL;
		(void)close(fd);
	}
	(void)closedir(processes);
	return found;
}

static void teardown(void)
{
	ck_assert_uint_eq(marked(), 0);
	remove_tree(root);
}

static const char *directory_new(void)
{
	static char path[300];
	char name[320];
	(void)snprintf(path, sizeof(path), "%s/%u", root, ++directories);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	(void)snprintf(name, sizeof(name), "%s/files", path);
	ck_assert_int_eq(mkdir(name, 0755), 0);
	(void)snprintf(name, sizeof(name), "%s/out", path);
	ck_assert_int_eq(mkdir(name, 0755), 0);
	return path;
}

/* The order to do `what` with `number`; limits are those of `base`. */
static struct keeper_order order_of(const struct keeper_order *base, const char *what, const char *number)
{
	static const char *argv[4], *environment[3];
	struct keeper_order order = *base;
	argv[0] = program();
	argv[1] = what;
	argv[2] = number;
	environment[0] = mark;
	environment[1] = "ASAN_OPTIONS=detect_leaks=0";
	order.argv = argv;
	order.environment = environment;
	if (order.time_limit_ns == 0)
		order.time_limit_ns = 60 * SECOND_NS;
	return order;
}

static struct kept *start(struct seen *seen, const char *directory, const struct keeper_order *base, const char *what, const char *number)
{
	struct kept *kept = NULL;
	struct error err = {0};
	const struct keeper_order order = order_of(base, what, number);
	ck_assert_int_ge(sd_event_new(&seen->event), 0);
	ck_assert_msg(kept_start(&kept, seen->event, program(), directory, &order, on_ended, seen, &err) == 0, "%s", err.message);
	ck_assert(!kept_adopted(kept));
	return kept;
}

static void finish(struct seen *seen, struct kept *kept)
{
	ck_assert_int_ge(sd_event_loop(seen->event), 0);
	ck_assert_uint_eq(seen->calls, 1);
	kept_free(kept);
	sd_event_unref(seen->event);
}

static struct keeper_exit run(const struct keeper_order *base, const char *what, const char *number)
{
	struct seen seen = {0};
	finish(&seen, start(&seen, directory_new(), base, what, number));
	return seen.exit;
}

static void file_read(const char *directory, const char *name, char *text, size_t size)
{
	char path[400];
	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	int fd = open(path, O_RDONLY);
	ssize_t n = fd >= 0 ? read(fd, text, size - 1) : 0;
	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		(void)close(fd);
}

static void wait_for(const char *directory, const char *name, const char *text)
{
	char found[4096];
	for (unsigned i = 0; i < 4000; i++) {
		file_read(directory, name, found, sizeof(found));
		if (strstr(found, text))
			return;
		(void)usleep(10000);
	}
	ck_abort_msg("%s/%s has no \"%s\"", directory, name, text);
}

static pid_t keeper_pid(const char *directory)
{
	char text[64];
	wait_for(directory, "lock", "\n");
	file_read(directory, "lock", text, sizeof(text));
	return (pid_t)strtol(text, NULL, 10);
}

/* ---- files of the job ---- */

#define ABC_SHA "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void file_write(const char *directory, const char *name, const char *text, size_t length)
{
	char path[400];
	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, length, file), length);
	ck_assert_int_eq(fclose(file), 0);
}

/* A run that gets the file `from` of the store (the tests' root) under this name. */
static struct keeper_exit run_given(const char *directory, const char *from, const char *sha256, const char *path)
{
	struct seen seen = {0};
	struct error err = {0};
	const struct keeper_order order = {.store = root, .output_bytes = 1 << 20};
	struct given_file files[] = {{path, sha256, ""}, {"in/a folder/other", ABC_SHA, "abc"}};
	(void)snprintf(files[0].from, sizeof(files[0].from), "%s", from);
	file_write(root, "abc", "abc", 3);
	ck_assert_msg(given_write(directory, files, 2, &err) == 0, "%s", err.message);
	finish(&seen, start(&seen, directory, &order, "exit", "3"));
	return seen.exit;
}

START_TEST(files_are_given)
{
	char text[16];
	struct stat status;
	const char *directory = directory_new();
	struct keeper_exit exit = run_given(directory, "abc", ABC_SHA, "my cases/a b.yaml");
	ck_assert_msg(strcmp(exit.reason, "exited") == 0, "%s: %s", exit.reason, exit.message);
	ck_assert_int_eq(exit.exit_status, 3);
	file_read(directory, "files/my cases/a b.yaml", text, sizeof(text));
	ck_assert_str_eq(text, "abc");
	file_read(directory, "files/in/a folder/other", text, sizeof(text));
	ck_assert_str_eq(text, "abc");
	/* A copy: what runs may write to it, and the store does not see that. */
	char path[400];
	(void)snprintf(path, sizeof(path), "%s/files/in/a folder/other", directory);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_uint_eq(status.st_nlink, 1);
	ck_assert_int_eq(status.st_mode & 07777, 0644);
	file_write(directory, "files/in/a folder/other", "x", 1);
	file_read(root, "abc", text, sizeof(text));
	ck_assert_str_eq(text, "abc");
}
END_TEST

static const struct {
	const char *from, *sha256, *path, *words;
} bad_files[] = {
        {"abc", "007816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "a.yaml", "a.yaml: the stored file 00"},
        {"none", ABC_SHA, "a.yaml", "cannot read the stored a.yaml: No such file"},
        {".", ABC_SHA, "a.yaml", "the stored file " ABC_SHA " is damaged"},
        {"abc", ABC_SHA, "/etc/passwd", "files.list is damaged"},
        {"abc", "12", "a.yaml", "files.list is damaged"},
        {"abc", ABC_SHA, "in/a folder/other", "cannot make in/a folder/other: File exists"},
        {"abc", ABC_SHA, "in", "cannot make in/a folder: Not a directory"},
};

START_TEST(bad_files_start_nothing)
{
	const char *directory = directory_new();
	struct keeper_exit exit = run_given(directory, bad_files[_i].from, bad_files[_i].sha256, bad_files[_i].path);
	ck_assert_str_eq(exit.reason, "start");
	ck_assert_msg(strstr(exit.message, bad_files[_i].words) != NULL, "%s", exit.message);
	ck_assert_int_eq(exit.exit_status, -1);
	ck_assert_int_eq(exit.signal, -1);
}
END_TEST

/* What is given may be larger than what the run may write. */
START_TEST(given_files_are_no_output)
{
	static char large[4 << 20];
	static const char sha256[] = "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8";
	const char *directory = directory_new();
	file_write(root, "large", large, sizeof(large));
	struct keeper_exit exit = run_given(directory, "large", sha256, "packages/large.swpg");
	ck_assert_msg(strcmp(exit.reason, "exited") == 0, "%s: %s", exit.reason, exit.message);
	ck_assert_int_eq(exit.exit_status, 3);
}
END_TEST

/* Neither is what says which they are: a limit may be lower than the names of many files are long. */
START_TEST(list_of_given_files_is_no_output)
{
	static char names[200][400];
	static struct given_file files[200];
	struct seen seen = {0};
	struct error err = {0};
	const struct keeper_order order = {.store = root, .output_bytes = 64 << 10};
	const char *directory = directory_new();
	file_write(root, "abc", "abc", 3);
	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%0190d/%0190u", 0, i);
		files[i] = (struct given_file){names[i], ABC_SHA, "abc"};
	}
	ck_assert_msg(given_write(directory, files, 200, &err) == 0, "%s", err.message);
	finish(&seen, start(&seen, directory, &order, "exit", "3"));
	ck_assert_msg(strcmp(seen.exit.reason, "exited") == 0, "%s: %s", seen.exit.reason, seen.exit.message);
	ck_assert_int_eq(seen.exit.exit_status, 3);
}
END_TEST

/* Not after the disk is full: nothing is started, and the reason is that of a run that meets it later. */
START_TEST(files_leave_room_on_the_disk)
{
	struct seen seen = {0};
	struct error err = {0};
	const struct keeper_order order = {.store = root, .free_bytes = UINT64_C(1) << 62};
	const struct given_file file = {"a.yaml", ABC_SHA, "abc"};
	const char *directory = directory_new();
	file_write(root, "abc", "abc", 3);
	ck_assert_msg(given_write(directory, &file, 1, &err) == 0, "%s", err.message);
	finish(&seen, start(&seen, directory, &order, "exit", "3"));
	ck_assert_str_eq(seen.exit.reason, "disk");
	ck_assert_msg(strncmp(seen.exit.message, "cannot write a.yaml: ", 21) == 0, "%s", seen.exit.message);
	ck_assert_int_eq(seen.exit.exit_status, -1);
}
END_TEST

/* Before there is a command to be ended: the file has no end for a while. */
START_TEST(cancelled_while_it_copies)
{
	struct seen seen = {0};
	struct error err = {0};
	const char *directory = directory_new();
	const struct keeper_order order = {.store = root};
	const struct given_file file = {"holes", ABC_SHA, "holes"};
	char path[300];
	file_write(root, "holes", "", 0);
	(void)snprintf(path, sizeof(path), "%s/holes", root);
	ck_assert_int_eq(truncate(path, INT64_C(16) << 30), 0);
	ck_assert_int_eq(given_write(directory, &file, 1, &err), 0);
	struct kept *kept = start(&seen, directory, &order, "exit", "3");
	for (unsigned i = 0; i < 1000; i++) {
		char text[2];
		file_read(directory, "files/holes", text, sizeof(text));
		(void)snprintf(path, sizeof(path), "%s/files/holes", directory);
		if (access(path, F_OK) == 0)
			break;
		(void)usleep(10000);
	}
	kept_cancel(kept);
	finish(&seen, kept);
	ck_assert_str_eq(seen.exit.reason, "cancelled");
	ck_assert_int_eq(seen.exit.exit_status, -1);
}
END_TEST

/* ---- ends ---- */

START_TEST(exit_status_is_told)
{
	const struct keeper_order base = {.output_bytes = 1 << 20, .memory_bytes = UINT64_C(4) << 30, .free_bytes = 1};
	struct keeper_exit exit = run(&base, "exit", "7");
	ck_assert_str_eq(exit.reason, "exited");
	ck_assert_int_eq(exit.exit_status, 7);
	ck_assert_int_eq(exit.signal, -1);
	ck_assert_uint_eq(exit.strays, 0);
	ck_assert_uint_gt(exit.max_rss_bytes, 0);
	ck_assert_int_gt(exit.started_utc_ns, 1600000000 * SECOND_NS);
	ck_assert_int_ge(exit.ended_utc_ns, exit.started_utc_ns);
}
END_TEST

START_TEST(crash_is_told)
{
	struct keeper_exit exit = run(&(struct keeper_order){0}, "crash", NULL);
	ck_assert_str_eq(exit.reason, "exited");
	ck_assert_int_eq(exit.exit_status, -1);
	ck_assert_int_eq(exit.signal, SIGSEGV);
}
END_TEST

START_TEST(command_gets_what_the_order_says_and_nothing_else)
{
	struct seen seen = {0};
	char text[8192], expected[400];
	const char *directory = directory_new();
	ck_assert_int_ge(open("/dev/null", O_RDONLY), 3); /* inherited if nobody takes care */
	finish(&seen, start(&seen, directory, &(struct keeper_order){0}, "tell", NULL));
	file_read(directory, "output.log", text, sizeof(text));
	(void)snprintf(expected, sizeof(expected), "here %s/files\n", directory);
	ck_assert_msg(strstr(text, expected) && strstr(text, "blocked 0") && strstr(text, "to the errors") && strstr(text, mark), "%s",
	              text);
	ck_assert_msg(!strstr(text, "open ") && !strstr(text, "PATH="), "%s", text);
}
END_TEST

START_TEST(what_cannot_start_says_why)
{
	struct seen seen = {0};
	struct error err = {0};
	struct kept *kept;
	static const char *const argv[] = {"/nowhere/at-all", NULL}, *const environment[] = {NULL};
	const struct keeper_order order = {.argv = argv, .environment = environment, .time_limit_ns = SECOND_NS};
	ck_assert_int_ge(sd_event_new(&seen.event), 0);
	ck_assert_int_eq(kept_start(&kept, seen.event, program(), directory_new(), &order, on_ended, &seen, &err), 0);
	finish(&seen, kept);
	ck_assert_str_eq(seen.exit.reason, "start");
	ck_assert_ptr_nonnull(strstr(seen.exit.message, "/nowhere/at-all"));
}
END_TEST

START_TEST(keeper_that_cannot_start_is_an_error)
{
	struct seen seen = {0};
	struct error err = {0};
	struct kept *kept;
	const struct keeper_order order = order_of(&(struct keeper_order){0}, "exit", "0");
	ck_assert_int_ge(sd_event_new(&seen.event), 0);
	ck_assert_int_lt(kept_start(&kept, seen.event, "/nowhere/hilbenchd", directory_new(), &order, on_ended, &seen, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "/nowhere/hilbenchd"));
	sd_event_unref(seen.event);
}
END_TEST

START_TEST(directory_is_used_once)
{
	struct seen seen = {0};
	struct error err = {0};
	struct kept *kept;
	const char *directory = directory_new();
	finish(&seen, start(&seen, directory, &(struct keeper_order){0}, "exit", "0"));
	const struct keeper_order order = order_of(&(struct keeper_order){0}, "exit", "0");
	ck_assert_int_ge(sd_event_new(&seen.event), 0);
	ck_assert_int_eq(kept_start(&kept, seen.event, program(), directory, &order, on_ended, &seen, &err), -EEXIST);
	sd_event_unref(seen.event);
}
END_TEST

/* ---- limits ---- */

START_TEST(hang_ends_at_the_time_limit)
{
	const struct keeper_order base = {.time_limit_ns = 3 * SECOND_NS, .grace_ns = 40 * SECOND_NS};
	struct keeper_exit exit = run(&base, "wait", "5");
	ck_assert_str_eq(exit.reason, "time_limit");
	ck_assert_int_eq(exit.exit_status, 5); /* SIGINT was enough */
	ck_assert_int_ge(exit.ended_utc_ns - exit.started_utc_ns, 3 * SECOND_NS);
}
END_TEST

/* What is interrupted at a limit can tell that from a person's cancel. */
START_TEST(limit_says_why_before_it_interrupts)
{
	struct seen seen = {0};
	char text[2048];
	const struct keeper_order base = {.time_limit_ns = 3 * SECOND_NS, .grace_ns = 40 * SECOND_NS};
	char directory[300];
	(void)snprintf(directory, sizeof(directory), "%s", directory_new());
	finish(&seen, start(&seen, directory, &base, "ask", "3"));
	ck_assert_str_eq(seen.exit.reason, "time_limit");
	ck_assert_int_eq(seen.exit.exit_status, 3);
	file_read(directory, "output.log", text, sizeof(text));
	ck_assert_msg(strstr(text, "stop {\"reason\":\"time_limit\",\"message\":\"not done after 3 s\"}") != NULL, "%s", text);
	seen = (struct seen){0};
	const struct keeper_order long_enough = {.grace_ns = 40 * SECOND_NS};
	(void)snprintf(directory, sizeof(directory), "%s", directory_new());
	struct kept *kept = start(&seen, directory, &long_enough, "ask", "3");
	wait_for(directory, "output.log", "ready");
	kept_cancel(kept);
	finish(&seen, kept);
	ck_assert_str_eq(seen.exit.reason, "cancelled");
	file_read(directory, "output.log", text, sizeof(text));
	ck_assert_msg(strstr(text, "stop none") != NULL, "%s", text);
}
END_TEST

START_TEST(who_ignores_sigint_is_killed_after_the_grace)
{
	const struct keeper_order base = {.time_limit_ns = 3 * SECOND_NS, .grace_ns = SECOND_NS / 5};
	struct keeper_exit exit = run(&base, "stubborn", NULL);
	ck_assert_str_eq(exit.reason, "time_limit");
	ck_assert_int_eq(exit.signal, SIGKILL);
}
END_TEST

START_TEST(silence_ends_it)
{
	const struct keeper_order base = {.silence_limit_ns = 3 * SECOND_NS, .grace_ns = SECOND_NS};
	ck_assert_str_eq(run(&base, "hang", NULL).reason, "silence");
	ck_assert_str_eq(run(&base, "events", "100").reason, "exited"); /* 5 s, but not silent */
}
END_TEST

START_TEST(flood_ends_it)
{
	const struct keeper_order base = {.output_bytes = 4 << 20, .grace_ns = SECOND_NS};
	ck_assert_str_eq(run(&base, "flood", NULL).reason, "output");
	ck_assert_str_eq(run(&base, "scatter", "100").reason, "output");
}
END_TEST

START_TEST(memory_ends_it)
{
	const struct keeper_order base = {.memory_bytes = 128 << 20, .grace_ns = 30 * SECOND_NS};
	struct keeper_exit exit = run(&base, "eat", "300");
	ck_assert_str_eq(exit.reason, "memory");
	ck_assert_int_eq(exit.signal, SIGKILL);
	ck_assert_uint_gt(exit.max_rss_bytes, 128 << 20);
	ck_assert_uint_eq(exit.strays, 1);
}
END_TEST

START_TEST(low_disk_ends_it_cleanly)
{
	const struct keeper_order base = {.free_bytes = UINT64_C(1) << 60, .grace_ns = 30 * SECOND_NS};
	struct keeper_exit exit = run(&base, "wait", "3");
	ck_assert_str_eq(exit.reason, "disk");
	ck_assert_int_eq(exit.exit_status, 3);
}
END_TEST

START_TEST(full_disk_does_not_hide_the_end)
{
	struct seen seen = {0};
	struct statvfs disk;
	char text[4096];
	/* This test is a process of its own, and so is what it mounts. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", root, "tmpfs", 0, "size=512k") < 0) {
		(void)fprintf(stderr, "no file system of its own: %s\n", strerror(errno));
		return;
	}
	const char *directory = directory_new();
	finish(&seen, start(&seen, directory, &(struct keeper_order){0}, "flood", NULL));
	ck_assert_int_eq(statvfs(root, &disk), 0);
	ck_assert_uint_le(disk.f_bfree, 1); /* what was reserved for the reason of a limit is given back */
	ck_assert_str_eq(seen.exit.reason, "exited");
	ck_assert_int_eq(seen.exit.exit_status, 28);
	file_read(directory, "exit.json", text, sizeof(text));
	ck_assert_int_eq(text[strlen(text) - 1], '}');
	(void)umount2(root, MNT_DETACH);
}
END_TEST

/* ---- what is left ---- */

START_TEST(daemonised_processes_are_ended)
{
	struct keeper_exit exit = run(&(struct keeper_order){0}, "daemonise", NULL);
	ck_assert_str_eq(exit.reason, "exited");
	ck_assert_int_eq(exit.exit_status, 0);
	ck_assert_uint_eq(exit.strays, 1);
}
END_TEST

START_TEST(fork_bomb_is_ended)
{
	struct keeper_exit exit = run(&(struct keeper_order){0}, "bomb", "60");
	ck_assert_str_eq(exit.reason, "exited");
	ck_assert_uint_ge(exit.strays, 60);
	ck_assert_int_lt(exit.ended_utc_ns - exit.started_utc_ns, 45 * SECOND_NS);
}
END_TEST

/* ---- cancel ---- */

START_TEST(cancel_is_gentle_and_may_come_at_once)
{
	struct seen seen = {0};
	const struct keeper_order base = {.grace_ns = 40 * SECOND_NS};
	const char *directory = directory_new();
	struct kept *kept = start(&seen, directory, &base, "wait", "130");
	wait_for(directory, "output.log", "ready");
	kept_cancel(kept);
	kept_cancel(kept);
	finish(&seen, kept);
	ck_assert_str_eq(seen.exit.reason, "cancelled");
	ck_assert_int_eq(seen.exit.exit_status, 130);
	seen = (struct seen){0};
	kept = start(&seen, directory_new(), &base, "hang", NULL);
	kept_cancel(kept);
	finish(&seen, kept);
	ck_assert_str_eq(seen.exit.reason, "cancelled");
}
END_TEST

/* ---- kill -9 ---- */

START_TEST(keeper_killed_leaves_nothing)
{
	struct seen seen = {0};
	const char *directory = directory_new();
	struct kept *kept = start(&seen, directory, &(struct keeper_order){0}, "daemonise", "1");
	for (unsigned i = 0; marked() < 2 && i < 3000; i++)
		(void)usleep(10000);
	ck_assert_uint_eq(marked(), 2);
	ck_assert_int_eq(kill(keeper_pid(directory), SIGKILL), 0);
	finish(&seen, kept);
	ck_assert_str_eq(seen.exit.reason, "lost");
	ck_assert_uint_ge(seen.exit.strays, 1); /* the command itself dies with its keeper */
	ck_assert_uint_eq(marked(), 0);
}
END_TEST

/* Jobs of two daemons may have the same number. */
START_TEST(strays_of_one_keeper_are_not_those_of_another)
{
	struct seen one = {0}, other = {0};
	char directory[300];
	const struct keeper_order base = {.grace_ns = 40 * SECOND_NS};
	(void)snprintf(directory, sizeof(directory), "%s", directory_new());
	const char *other_directory = directory_new();
	struct kept *kept = start(&one, directory, &base, "wait", "0"), *other_kept = start(&other, other_directory, &base, "wait", "6");
	wait_for(directory, "output.log", "ready");
	wait_for(other_directory, "output.log", "ready");
	ck_assert_int_eq(kill(keeper_pid(directory), SIGKILL), 0);
	finish(&one, kept);
	ck_assert_str_eq(one.exit.reason, "lost");
	ck_assert_uint_eq(marked(), 1);
	kept_cancel(other_kept);
	finish(&other, other_kept);
	ck_assert_str_eq(other.exit.reason, "cancelled");
}
END_TEST

/* Another process starts the keeper and is killed. */
static void start_and_die(const char *directory, const struct keeper_order *base, const char *what, const char *number)
{
	pid_t daemon = fork();
	if (daemon == 0) {
		struct seen seen = {0};
		(void)start(&seen, directory, base, what, number);
		(void)raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(daemon, NULL, 0), daemon);
}

static struct kept *adopt(struct seen *seen, const char *directory)
{
	struct kept *kept;
	struct error err = {0};
	ck_assert_int_ge(sd_event_new(&seen->event), 0);
	ck_assert_msg(kept_adopt(&kept, seen->event, directory, on_ended, seen, &err) == 0, "%s", err.message);
	ck_assert(kept_adopted(kept));
	return kept;
}

START_TEST(daemon_killed_and_the_run_goes_on)
{
	struct seen seen = {0};
	const char *directory = directory_new();
	start_and_die(directory, &(struct keeper_order){0}, "events", "10");
	finish(&seen, adopt(&seen, directory));
	ck_assert_str_eq(seen.exit.reason, "exited");
	ck_assert_int_eq(seen.exit.exit_status, 0);
}
END_TEST

START_TEST(adopted_run_can_be_cancelled)
{
	struct seen seen = {0};
	const char *directory = directory_new();
	start_and_die(directory, &(struct keeper_order){.grace_ns = 40 * SECOND_NS}, "wait", "9");
	wait_for(directory, "output.log", "ready");
	struct kept *kept = adopt(&seen, directory);
	kept_cancel(kept); /* before it was even found */
	finish(&seen, kept);
	ck_assert_str_eq(seen.exit.reason, "cancelled");
	ck_assert_int_eq(seen.exit.exit_status, 9);
}
END_TEST

START_TEST(end_without_a_daemon_is_found)
{
	struct seen seen = {0};
	const char *directory = directory_new();
	start_and_die(directory, &(struct keeper_order){0}, "exit", "4");
	wait_for(directory, "exit.json", "}");
	finish(&seen, adopt(&seen, directory));
	ck_assert_str_eq(seen.exit.reason, "exited");
	ck_assert_int_eq(seen.exit.exit_status, 4);
}
END_TEST

START_TEST(both_killed_is_lost)
{
	struct seen seen = {0};
	const char *directory = directory_new();
	start_and_die(directory, &(struct keeper_order){0}, "daemonise", "1");
	for (unsigned i = 0; marked() < 2 && i < 3000; i++)
		(void)usleep(10000);
	ck_assert_int_eq(kill(keeper_pid(directory), SIGKILL), 0);
	finish(&seen, adopt(&seen, directory));
	ck_assert_str_eq(seen.exit.reason, "lost");
	ck_assert_uint_eq(marked(), 0);
}
END_TEST

static void lock_file(const char *directory, pid_t pid, bool locked)
{
	char path[400], text[32];
	(void)snprintf(path, sizeof(path), "%s/lock", directory);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	ck_assert_int_ge(fd, 0);
	(void)snprintf(text, sizeof(text), "%d\n", (int)pid);
	ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
	if (locked)
		ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	else
		(void)close(fd);
}

/* The number of a dead keeper now belongs to another process: it must not be taken for one, and nothing must happen to it. */
START_TEST(reused_process_number_fools_nobody)
{
	for (int locked = 0; locked < 2; locked++) {
		struct seen seen = {0};
		const char *directory = directory_new();
		pid_t other = fork();
		if (other == 0)
			for (;;)
				(void)pause();
		lock_file(directory, other, locked);
		struct kept *kept = adopt(&seen, directory);
		kept_cancel(kept);
		finish(&seen, kept);
		ck_assert_str_eq(seen.exit.reason, "lost");
		ck_assert_int_eq(waitpid(other, NULL, WNOHANG), 0);
		ck_assert_int_eq(kill(other, SIGKILL), 0);
		ck_assert_int_eq(waitpid(other, NULL, 0), other);
	}
}
END_TEST

START_TEST(damaged_files_are_lost_runs)
{
	static const char *const texts[] = {"", "{", "[]", "{\"reason\":1}"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct seen seen = {0};
		char path[400];
		const char *directory = directory_new();
		for (unsigned k = 0; k < 2; k++) {
			(void)snprintf(path, sizeof(path), "%s/%s", directory, k ? "exit.json" : "order.json");
			FILE *file = fopen(path, "we");
			ck_assert_int_ge(fputs(texts[i], file), 0);
			ck_assert_int_eq(fclose(file), 0);
		}
		finish(&seen, adopt(&seen, directory));
		ck_assert_str_eq(seen.exit.reason, "lost");
	}
}
END_TEST

/* ---- errands ---- */

struct done {
	sd_event *event;
	struct errand *errand;
	struct errand_result result;
	char output[4096], errors[4096];
	unsigned calls;
	bool free_in_callback;
};

static void on_done(const struct errand_result *result, void *context)
{
	struct done *done = context;
	done->result = *result;
	(void)snprintf(done->output, sizeof(done->output), "%s", result->output);
	(void)snprintf(done->errors, sizeof(done->errors), "%s", result->errors);
	done->calls++;
	if (done->free_in_callback)
		errand_free(done->errand);
	(void)sd_event_exit(done->event, 0);
}

static void errand_begin(struct done *done, const char *what, const char *number, int64_t limit_ns)
{
	const char *const argv[] = {program(), what, number, NULL}, *const environment[] = {mark, "ASAN_OPTIONS=detect_leaks=0", NULL};
	struct error err = {0};
	ck_assert_int_ge(sd_event_new(&done->event), 0);
	ck_assert_msg(errand_start(&done->errand, done->event, program(), "/", argv, environment, limit_ns, on_done, done, &err) == 0, "%s",
	              err.message);
}

static void errand_wait(struct done *done)
{
	ck_assert_int_ge(sd_event_loop(done->event), 0);
	ck_assert_uint_eq(done->calls, 1);
	if (!done->free_in_callback)
		errand_free(done->errand);
	sd_event_unref(done->event);
}

static void errand_do(struct done *done, const char *what, const char *number, int64_t limit_ns)
{
	errand_begin(done, what, number, limit_ns);
	errand_wait(done);
}

START_TEST(errand_tells_its_end_and_output)
{
	struct done done = {.free_in_callback = true}, other = {0}, crash = {0};
	errand_do(&done, "tell", NULL, 20 * SECOND_NS);
	ck_assert_int_eq(done.result.exit_status, 0);
	ck_assert_ptr_nonnull(strstr(done.output, "here /\n"));
	ck_assert_ptr_null(strstr(done.output, "open "));
	ck_assert_str_eq(done.errors, "to the errors\n");
	errand_do(&other, "exit", "11", 20 * SECOND_NS);
	ck_assert_int_eq(other.result.exit_status, 11);
	ck_assert_uint_eq(other.result.output_length, strlen("leaving with 11\n"));
	errand_do(&crash, "crash", NULL, 20 * SECOND_NS);
	ck_assert_int_eq(crash.result.signal, SIGSEGV);
	ck_assert_int_eq(crash.result.exit_status, -1);
}
END_TEST

/* With files of a job, and where these are. */
START_TEST(errand_of_an_order)
{
	const char *directory = directory_new();
	struct done good = {0}, bad = {0};
	struct given_file file = {"a.yaml", ABC_SHA, "abc"};
	struct error err = {0};
	struct keeper_order order = order_of(&(struct keeper_order){.store = root}, "tell", NULL);
	file_write(root, "abc", "abc", 3);
	ck_assert_int_eq(given_write(directory, &file, 1, &err), 0);
	ck_assert_int_ge(sd_event_new(&good.event), 0);
	ck_assert_int_eq(errand_start_order(&good.errand, good.event, program(), directory, &order, 20 * SECOND_NS, on_done, &good, &err),
	                 0);
	errand_wait(&good);
	ck_assert_int_eq(good.result.exit_status, 0);
	ck_assert_ptr_nonnull(strstr(good.output, "/files\n"));
	ck_assert_ptr_nonnull(strstr(good.output, mark));
	char text[8];
	file_read(directory, "files/a.yaml", text, sizeof(text));
	ck_assert_str_eq(text, "abc");
	/* There already: nothing is started. */
	ck_assert_int_ge(sd_event_new(&bad.event), 0);
	ck_assert_int_eq(errand_start_order(&bad.errand, bad.event, program(), directory, &order, 20 * SECOND_NS, on_done, &bad, &err), 0);
	errand_wait(&bad);
	ck_assert_int_eq(bad.result.exit_status, 127);
	ck_assert_ptr_nonnull(strstr(bad.errors, "cannot make a.yaml: File exists"));
}
END_TEST

static void order_errand(struct done *done, const char *directory, const struct keeper_order *order)
{
	struct error err = {0};
	ck_assert_int_ge(sd_event_new(&done->event), 0);
	ck_assert_int_eq(errand_start_order(&done->errand, done->event, program(), directory, order, 20 * SECOND_NS, on_done, done, &err),
	                 0);
	errand_wait(done);
}

/* Who only looks at names gets no copy, whatever the file holds. */
START_TEST(errand_that_only_looks_at_names)
{
	struct stat status;
	struct done linked = {0}, none = {0};
	struct given_file package = {"in/big.swpg", ABC_SHA, "big", true}, missing = {"in/none", ABC_SHA, "none", true};
	char path[400];
	struct error err = {0};
	struct keeper_order order = order_of(&(struct keeper_order){.store = root}, "tell", NULL);
	file_write(root, "big", "not abc", 7);
	const char *directory = directory_new();
	ck_assert_int_eq(given_write(directory, &package, 1, &err), 0);
	order_errand(&linked, directory, &order);
	ck_assert_int_eq(linked.result.exit_status, 0);
	(void)snprintf(path, sizeof(path), "%s/files/in/big.swpg", directory);
	ck_assert(lstat(path, &status) == 0 && S_ISLNK(status.st_mode));
	ck_assert(stat(path, &status) == 0 && status.st_size == 7);
	directory = directory_new();
	ck_assert_int_eq(given_write(directory, &missing, 1, &err), 0);
	order_errand(&none, directory, &order);
	ck_assert_int_eq(none.result.exit_status, 127);
	ck_assert_ptr_nonnull(strstr(none.errors, "cannot read the stored in/none"));
}
END_TEST

START_TEST(errand_output_is_bounded)
{
	struct done done = {0};
	errand_do(&done, "flood", "100", 20 * SECOND_NS);
	ck_assert_int_eq(done.result.exit_status, 0);
	ck_assert_uint_eq(done.result.output_length, 1 << 20);
}
END_TEST

START_TEST(errand_ends_at_its_limit)
{
	struct done done = {0}, strays = {0};
	errand_do(&done, "daemonise", "1", SECOND_NS / 5);
	ck_assert(done.result.timed_out);
	ck_assert_int_eq(done.result.signal, SIGKILL);
	ck_assert_uint_eq(marked(), 0);
	errand_do(&strays, "daemonise", NULL, 20 * SECOND_NS);
	ck_assert(!strays.result.timed_out);
	ck_assert_uint_eq(marked(), 0);
}
END_TEST

static void wait_until_gone(void)
{
	for (unsigned i = 0; marked() > 0 && i < 3000; i++)
		(void)usleep(10000);
	ck_assert_uint_eq(marked(), 0);
}

START_TEST(errand_that_is_not_wanted_any_more_is_killed)
{
	struct done done = {0};
	errand_begin(&done, "daemonise", "1", 60 * SECOND_NS);
	(void)usleep(100000);
	errand_free(done.errand);
	wait_until_gone();
	ck_assert_int_ge(sd_event_run(done.event, 30000000), 0); /* waits for the helper */
	ck_assert_uint_eq(done.calls, 0);
	ck_assert_int_lt(waitpid(-1, NULL, WNOHANG), 0);
	sd_event_unref(done.event);
}
END_TEST

START_TEST(errand_dies_with_the_daemon)
{
	pid_t daemon = fork();
	if (daemon == 0) {
		struct done done = {0};
		errand_begin(&done, "daemonise", "1", 60 * SECOND_NS);
		(void)usleep(200000);
		(void)raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(daemon, NULL, 0), daemon);
	wait_until_gone();
}
END_TEST

START_TEST(errand_of_nothing_says_so)
{
	struct done done = {0};
	const char *const argv[] = {"/nowhere/at-all", NULL}, *const environment[] = {NULL};
	ck_assert_int_ge(sd_event_new(&done.event), 0);
	ck_assert_int_eq(errand_start(&done.errand, done.event, program(), NULL, argv, environment, SECOND_NS, on_done, &done, NULL), 0);
	ck_assert_int_ge(sd_event_loop(done.event), 0);
	ck_assert_int_eq(done.result.exit_status, 127);
	ck_assert_ptr_nonnull(strstr(done.errors, "/nowhere/at-all"));
	errand_free(done.errand);
	sd_event_unref(done.event);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	        files_are_given,
	        given_files_are_no_output,
	        list_of_given_files_is_no_output,
	        files_leave_room_on_the_disk,
	        cancelled_while_it_copies,
	        exit_status_is_told,
	        crash_is_told,
	        command_gets_what_the_order_says_and_nothing_else,
	        what_cannot_start_says_why,
	        keeper_that_cannot_start_is_an_error,
	        directory_is_used_once,
	        hang_ends_at_the_time_limit,
	        limit_says_why_before_it_interrupts,
	        who_ignores_sigint_is_killed_after_the_grace,
	        silence_ends_it,
	        flood_ends_it,
	        memory_ends_it,
	        low_disk_ends_it_cleanly,
	        full_disk_does_not_hide_the_end,
	        daemonised_processes_are_ended,
	        fork_bomb_is_ended,
	        cancel_is_gentle_and_may_come_at_once,
	        keeper_killed_leaves_nothing,
	        strays_of_one_keeper_are_not_those_of_another,
	        daemon_killed_and_the_run_goes_on,
	        adopted_run_can_be_cancelled,
	        end_without_a_daemon_is_found,
	        both_killed_is_lost,
	        reused_process_number_fools_nobody,
	        damaged_files_are_lost_runs,
	        errand_tells_its_end_and_output,
	        errand_of_an_order,
	        errand_that_only_looks_at_names,
	        errand_output_is_bounded,
	        errand_ends_at_its_limit,
	        errand_that_is_not_wanted_any_more_is_killed,
	        errand_dies_with_the_daemon,
	        errand_of_nothing_says_so,
	};
	Suite *suite = suite_create("keeper");
	TCase *cases = tcase_create("keeper");
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_set_timeout(cases, 120);
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tcase_add_test(cases, tests[i]);
	tcase_add_loop_test(cases, bad_files_start_nothing, 0, sizeof(bad_files) / sizeof(*bad_files));
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
