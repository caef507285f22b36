/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The debug probe beside OpenOCD alone, on the same virtual board in the same run: a client that does nothing but send and receive at
 * OpenOCD's TCL server. The two take turns, one read or load each, so that what else the machine does hits both; of reads the median
 * counts, of the few long loads the fastest.
 *
 *   read of a word by the probe / by the bare client        wanted: at most 1.20
 *   load of 64 KiB by the probe / by the bare client        wanted: at most 1.20
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../rig/probe.h"

#define READS  3000
#define LOADS  9
#define WANTED 1.20
#define RAM    0x20000000u
#define ROLE                                                                                                                               \
	"name: b\nvirtual: true\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\nroles:\n  zgw:\n    driver: vboard\n"              \
	"    bootloader: bootloader\n    application: zgw\n    address: 127.0.0.1\n    logical_address: 0x91\n"                            \
	"    objects: {ota.key.1: keys/ota-1.pub}\n    probe: {driver: openocd, config: [\"%s\"], variables: {jtag: \"${jtag}\"}, "        \
	"target: vb.mem, idcode: 0x4ba00477}\n"

static struct error error;
static char directory[64], image[96];
static struct rig *rig;

static _Noreturn void give_up(const char *what)
{
	(void)fprintf(stderr, "%s: %s\n", what, error.message);
	exit(1);
}

static void ok(int r, const char *what)
{
	if (r < 0)
		give_up(what);
}

static int64_t soon(void)
{
	return loop_now_ns() + INT64_C(30000000000);
}

/* ---- OpenOCD alone ---- */

/* The port that the probe's OpenOCD listens on stands in its log. */
static int connect_bare(void)
{
	char path[128], line[512];
	unsigned port = 0;
	(void)snprintf(path, sizeof(path), "%s/openocd-zgw.log", directory);
	FILE *log = fopen(path, "r");
	while (log && fgets(line, sizeof(line), log))
		(void)sscanf(line, "Info : Listening on port %u for tcl", &port);
	if (log)
		(void)fclose(log);
	const struct sockaddr_in address = {
	        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		give_up("the bare client does not connect");
	return fd;
}

static void bare(int fd, const char *command)
{
	char answer[4096];
	ssize_t n;
	size_t total = 0;
	if (send(fd, command, strlen(command), 0) != (ssize_t)strlen(command))
		give_up("send");
	do {
		n = recv(fd, answer, sizeof(answer), 0);
		total += n > 0 ? (size_t)n : 0;
	} while (n > 0 && answer[n - 1] != '\x1a');
	if (n <= 0 || total < 2) /* "" is what a failure looks like */
		give_up("OpenOCD's answer");
}

static double bare_read(int fd)
{
	int64_t begin_ns = loop_now_ns();
	bare(fd, "vb.mem read_memory 0x20000000 32 1\x1a");
	return (double)(loop_now_ns() - begin_ns) / 1e3;
}

static double bare_load(int fd)
{
	char command[256];
	(void)snprintf(command, sizeof(command), "load_image %s 0x20000000 bin\x1a", image);
	int64_t begin_ns = loop_now_ns();
	bare(fd, command);
	return (double)(loop_now_ns() - begin_ns) / 1e6;
}

/* ---- the probe ---- */

static double probed_read(struct probe *probe)
{
	uint8_t word[4];
	int64_t begin_ns = loop_now_ns();
	ok(probe_read(probe, RAM, 4, word, 4, soon(), &error), "read");
	return (double)(loop_now_ns() - begin_ns) / 1e3;
}

static double probed_load(struct probe *probe)
{
	int64_t begin_ns = loop_now_ns();
	ok(probe_load(probe, RAM, image, soon(), &error), "load");
	return (double)(loop_now_ns() - begin_ns) / 1e6;
}

/* ---- the run ---- */

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static int show(const char *what, const char *unit, double *probe, double *alone, unsigned count, unsigned which)
{
	qsort(probe, count, sizeof(*probe), by_size);
	qsort(alone, count, sizeof(*alone), by_size);
	const double a = probe[which], b = alone[which];
	printf("%-16s probe %9.1f %s   OpenOCD alone %9.1f %s   ratio %.3f (wanted: at most %.2f)\n", what, a, unit, b, unit, a / b,
	       WANTED);
	return a / b <= WANTED ? 0 : 1;
}

static void write_image(void)
{
	(void)snprintf(image, sizeof(image), "%s/image.bin", directory);
	FILE *file = fopen(image, "w");
	for (unsigned i = 0; file && i < 65536; i++)
		(void)putc((int)(i * 31 >> 3 & 0xff), file);
	if (!file || fclose(file) != 0)
		give_up(image);
}

static struct probe *start(struct loop *loop, struct timeline *timeline, struct rig_file **ret_file)
{
	const struct rig_options options = {.run_directory = directory};
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/rig.yaml", directory);
	FILE *file = fopen(path, "w");
	if (!file || fprintf(file, ROLE, getenv("TEST_PROBE_CONFIG")) < 0 || fclose(file) != 0)
		give_up(path);
	ok(rig_file_load(path, ret_file, &error), "rig file");
	ok(rig_start(*ret_file, loop, timeline, &options, &rig, &error), "rig");
	struct rig_board *board = rig_board_find(rig, "zgw");
	ok(rig_board_power(board, true, soon(), &error), "power");
	struct probe *probe = rig_board_probe(board);
	ok(probe_halt(probe, soon(), &error), "probe"); /* the machine is for the two */
	return probe;
}

static void remove_directory(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", directory, NULL);
		_exit(127);
	}
	(void)waitpid(pid, NULL, 0);
}

int main(void)
{
	static double reads[2][READS], loads[2][LOADS];
	struct loop *loop;
	struct timeline *timeline;
	struct rig_file *file;
	(void)snprintf(directory, sizeof(directory), "/tmp/bench-probe-XXXXXX");
	if (!mkdtemp(directory))
		give_up(directory);
	write_image();
	ok(loop_new(&loop, &error), "loop");
	ok(timeline_new(&timeline, directory, 1000, &error), "journal");
	struct probe *probe = start(loop, timeline, &file);
	int fd = connect_bare();
	for (int i = 0; i < READS; i++) {
		reads[0][i] = probed_read(probe);
		reads[1][i] = bare_read(fd);
	}
	for (int i = 0; i < LOADS; i++) {
		loads[0][i] = probed_load(probe);
		loads[1][i] = bare_load(fd);
	}
	int failed = show("read of a word", "us", reads[0], reads[1], READS, READS / 2) +
	             show("load of 64 KiB", "ms", loads[0], loads[1], LOADS, 0);
	close(fd);
	rig_stop(rig);
	rig_file_free(file);
	timeline_free(timeline);
	loop_free(loop);
	remove_directory();
	return failed ? 1 : 0;
}
