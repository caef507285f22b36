/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for hilbenchd (--keep, --errand) and for the commands that a keeper may meet: stand_in DO [NUMBER]. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../../daemon/job/keeper.h"

static void wait_forever(void)
{
	for (;;)
		(void)pause();
}

static int do_quit(long number)
{
	return (int)number;
}

static int do_exit(long number)
{
	(void)printf("leaving with %ld\n", number);
	return (int)number;
}

static int do_crash(long number)
{
	(void)signal(SIGSEGV, SIG_DFL); /* what a sanitizer does about it is not of interest */
	(void)raise(SIGSEGV);
	return 0;
}

static int do_hang(long number)
{
	wait_forever();
	return 0;
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	interrupted = 1;
}

/* Ends as a runner does: cleanly, by SIGINT. */
static int do_wait(long number)
{
	struct sigaction action = {.sa_handler = on_interrupt};
	(void)sigaction(SIGINT, &action, NULL);
	(void)puts("ready");
	(void)fflush(stdout);
	while (!interrupted)
		(void)usleep(10000);
	return (int)number;
}

/* As do_wait(), and says what its keeper left for it to read. */
static int do_ask(long number)
{
	char path[4096], text[1024] = "";
	struct sigaction action = {.sa_handler = on_interrupt};
	(void)sigaction(SIGINT, &action, NULL);
	(void)puts("ready");
	(void)fflush(stdout);
	while (!interrupted)
		(void)usleep(10000);
	(void)snprintf(path, sizeof(path), "%s/stop", getenv("HILBENCH_KEEPER"));
	FILE *file = fopen(path, "re");
	if (file && fgets(text, sizeof(text), file))
		(void)printf("stop %s\n", text);
	else
		(void)puts("stop none");
	return file && fclose(file) == 0 ? (int)number : 0;
}

static int do_stubborn(long number)
{
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	wait_forever();
	return 0;
}

/* `number` processes below it that hide as well as they can, and replace each other. */
static int do_bomb(long number)
{
	for (long i = 0; i < number; i++) {
		pid_t pid = fork();
		if (pid < 0)
			break;
		if (pid > 0)
			continue;
		(void)setsid();
		(void)signal(SIGTERM, SIG_IGN);
		for (;;) {
			pid_t child = fork();
			if (child == 0)
				wait_forever();
			(void)waitpid(child, NULL, 0); /* killed: the next one */
		}
	}
	return 0;
}

static int do_daemonise(long number)
{
	if (fork() == 0) {
		(void)setsid();
		if (fork() != 0)
			_exit(0);
		(void)chdir("/");
		wait_forever();
	}
	(void)wait(NULL);
	if (number > 0)
		wait_forever();
	return 0;
}

static int do_flood(long number)
{
	static char block[65536];
	memset(block, 'x', sizeof(block));
	for (long i = 0; number == 0 || i < number; i++)
		if (write(STDOUT_FILENO, block, sizeof(block)) < 0)
			return errno == ENOSPC ? 28 : 29;
	return 0;
}

/* In many files, so that no limit of a file's size stops it. */
static int do_scatter(long number)
{
	static char block[65536];
	char name[32];
	for (long i = 0; i < number; i++) {
		(void)snprintf(name, sizeof(name), "f%ld", i);
		int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		if (fd < 0 || write(fd, block, sizeof(block)) < 0)
			return 30;
		(void)close(fd);
	}
	wait_forever();
	return 0;
}

static int do_eat(long mib)
{
	if (fork() == 0) {
		volatile char *memory = malloc((size_t)mib << 20);
		for (size_t i = 0; memory && i < (size_t)mib << 20; i += 1024)
			memory[i] = 1;
		wait_forever();
	}
	wait_forever();
	return 0;
}

static int do_events(long number)
{
	FILE *journal = fopen("../out/events.jsonl", "ae");
	for (long i = 0; journal && i < number; i++) {
		(void)fputs("{}\n", journal);
		(void)fflush(journal);
		(void)usleep(50000);
	}
	return journal && fclose(journal) == 0 ? 0 : 1;
}

/* The environment, what is open, and where it is. */
static int do_tell(long number)
{
	char here[4096] = "";
	sigset_t mask;
	(void)!getcwd(here, sizeof(here));
	(void)sigprocmask(SIG_BLOCK, NULL, &mask);
	for (char **variable = environ; *variable; variable++)
		(void)printf("%s\n", *variable);
	for (int fd = 3; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			(void)printf("open %d\n", fd);
	(void)printf("here %s\nblocked %d\n", here, sigismember(&mask, SIGTERM) || sigismember(&mask, SIGCHLD));
	(void)fputs("to the errors\n", stderr);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*act)(long);
	} acts[] = {{"exit", do_exit},         {"quit", do_quit},           {"crash", do_crash}, {"hang", do_hang},       {"wait", do_wait},
	            {"stubborn", do_stubborn}, {"bomb", do_bomb},           {"flood", do_flood}, {"scatter", do_scatter}, {"eat", do_eat},
	            {"events", do_events},     {"daemonise", do_daemonise}, {"tell", do_tell},   {"ask", do_ask}};
	if (argc > 2 && strcmp(argv[1], "--keep") == 0)
		return keeper_main(argv[2]);
	if (argc > 1 && strcmp(argv[1], "--errand") == 0)
		return errand_main(argc, argv);
	for (size_t i = 0; argc > 1 && i < sizeof(acts) / sizeof(*acts); i++)
		if (strcmp(argv[1], acts[i].name) == 0)
			return acts[i].act(argc > 2 ? strtol(argv[2], NULL, 10) : 0);
	return 99;
}
