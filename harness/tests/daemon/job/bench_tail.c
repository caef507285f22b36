/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What following a journal costs: 20,000 events a second for some seconds, with 50 readers at summary level; then how fast it could be at
 * most, beside read(2) of the same file.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../../daemon/job/tail.h"

#define READERS 50
#define RATE    20000
#define SECONDS 5
#define BUFFER  65536

struct bench {
	sd_event *event;
	struct tail_reader readers[READERS];
	uint64_t bytes, wanted;
	char *buffer;
};

static double seconds(int clock_id)
{
	struct timespec now;
	clock_gettime(clock_id, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static long resident_kb(void)
{
	char line[256];
	long kb = 0;
	FILE *status = fopen("/proc/self/status", "re");
	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, "VmRSS:", 6) == 0)
			kb = strtol(line + 6, NULL, 10);
	if (status)
		(void)fclose(status);
	return kb;
}

/* As a busy run: mostly frames, every hundredth line something that a summary has. */
static int line_make(char *line, size_t size, unsigned n)
{
	const long long t = 1000000000LL + n * 50000LL;
	if (n % 100 == 0)
		return snprintf(
		        line, size,
		        "{\"n\":%u,\"t\":%lld,\"clock\":\"user\",\"u\":1000,\"ch\":\"case\",\"kind\":\"step.begin\",\"step\":\"load/steps/"
		        "%u\",\"data\":{\"id\":\"load/steps/%u\",\"name\":\"can.send\",\"text\":\"can.send: {bus: can0}\"}}\n",
		        n, t, n / 100, n / 100);
	return snprintf(
	        line, size,
	        "{\"n\":%u,\"t\":%lld,\"clock\":\"kernel\",\"u\":2000,\"ch\":\"can:can0\",\"kind\":\"can.rx\",\"step\":\"load/steps/%u\","
	        "\"data\":{\"id\":%u,\"flags\":[\"fd\",\"brs\"],\"length\":16,\"hex\":\"00112233445566778899aabbccddeeff\",\"begin_ns\":%"
	        "lld}}\n",
	        n, t, n / 100, n % 2048, t);
}

/* One write(2) a line, as the runner does, RATE of them a second. */
static void writer(const char *path)
{
	char line[512];
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	const double begin = seconds(CLOCK_MONOTONIC);
	for (unsigned n = 1; n <= RATE * SECONDS; n++) {
		int length = line_make(line, sizeof(line), n);
		if (write(fd, line, (size_t)length) != length)
			_exit(1);
		double ahead = begin + (double)n / RATE - seconds(CLOCK_MONOTONIC);
		if (ahead > 0.002)
			(void)usleep((useconds_t)(ahead * 1e6));
	}
	_exit(0);
}

static void on_change(struct tail *tail, void *context)
{
	struct bench *bench = context;
	size_t length;
	for (unsigned i = 0; i < READERS; i++)
		while (tail_read(tail, &bench->readers[i], bench->buffer, BUFFER, &length, NULL) == 0 && length > 0)
			bench->bytes += length;
	if (tail_progress(tail)->events >= bench->wanted)
		(void)sd_event_exit(bench->event, 0);
}

static double follow(const char *path, bool summary, double *ret_cpu_s, uint64_t *ret_bytes, long *ret_kb)
{
	struct bench bench = {.wanted = RATE * SECONDS, .buffer = malloc(BUFFER)};
	struct tail *tail;
	if (sd_event_new(&bench.event) < 0)
		return 0;
	for (unsigned i = 0; i < READERS; i++)
		bench.readers[i].summary = summary;
	const double begin = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	if (tail_new(&tail, bench.event, path, on_change, &bench, NULL) == 0) {
		(void)sd_event_loop(bench.event);
		*ret_kb = resident_kb();
		tail_free(tail);
	}
	*ret_cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	*ret_bytes = bench.bytes;
	sd_event_unref(bench.event);
	free(bench.buffer);
	return seconds(CLOCK_MONOTONIC) - begin;
}

static double floor_read(const char *path)
{
	static char buffer[BUFFER];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	while (fd >= 0 && read(fd, buffer, sizeof(buffer)) > 0)
		;
	(void)close(fd);
	return seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
}

static int step_cost(const char *path)
{
	struct lanes *lanes;
	double begin = seconds(CLOCK_MONOTONIC), longest = 0;
	int r = lanes_begin(&lanes, path, 0, -1, 4000, NULL);
	while (r >= 0) {
		double before = seconds(CLOCK_MONOTONIC);
		r = lanes_step(lanes, NULL);
		double took = seconds(CLOCK_MONOTONIC) - before;
		longest = took > longest ? took : longest;
		if (r == 0)
			break;
	}
	json_decref(lanes_end(lanes));
	(void)printf("timeline of it: %.1f ms, in steps of at most %.1f ms\n", (seconds(CLOCK_MONOTONIC) - begin) * 1e3, longest * 1e3);
	return r;
}

int main(void)
{
	char path[] = "/tmp/hilbench-bench-tail-XXXXXX";
	double cpu_s, wall_s;
	uint64_t bytes;
	struct stat file;
	int status, fd = mkstemp(path);
	if (fd < 0)
		return 1;
	(void)close(fd);
	const long before_kb = resident_kb();
	long after_kb = 0, other_kb;
	pid_t pid = fork();
	if (pid == 0)
		writer(path);
	wall_s = follow(path, true, &cpu_s, &bytes, &after_kb);
	(void)waitpid(pid, &status, 0);
	(void)stat(path, &file);
	(void)printf(
	        "%.0f events/s followed by %d readers at summary level: %.1f %% of a core; VmRSS %ld kB at the begin, %ld kB at the end\n",
	        RATE * SECONDS / wall_s, READERS, 100 * cpu_s / wall_s, before_kb, after_kb);
	const double floor_s = floor_read(path);
	(void)printf("the same %.1f MB by read(2) alone: %.1f ms of a core (%.2f %% while it is written)\n", (double)file.st_size / 1e6,
	             floor_s * 1e3, 100 * floor_s / wall_s);
	wall_s = follow(path, true, &cpu_s, &bytes, &other_kb);
	(void)printf("all of it at once, summary: %.0f ms of a core, %.1f million events/s\n", cpu_s * 1e3, RATE * SECONDS / cpu_s / 1e6);
	wall_s = follow(path, false, &cpu_s, &bytes, &other_kb);
	(void)printf("all of it at once, everything: %.0f ms of a core for %.0f MB\n", cpu_s * 1e3, (double)bytes / 1e6);
	int r = step_cost(path);
	(void)unlink(path);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 && r == 0 ? 0 : 1;
}
