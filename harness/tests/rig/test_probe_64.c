/* SPDX-License-Identifier: Apache-2.0 */
/* The probe by the GDB remote protocol on cores of 64 bits, both byte orders: qemu's servers of AArch64 and RISC-V, whose RAM is loaded
 * with some instructions by the probe itself. Without any of them the test is skipped. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../rig/attach.h"

#define SKIPPED   77 /* as meson counts it */
#define SECOND_NS INT64_C(1000000000)
#define COUNTER   0x1000u /* from the begin of the RAM: eight bytes that are counted up by the eight bytes behind them */
#define WORDS_MAX 24
#define BEHIND    0xdeadbeefu /* by so much the lower half is behind the upper one, so that no byte order looks like another */

#define A64_COUNT                                                                                                                          \
	0x00, 0x10, 0xa8, 0xd2,         /*    movz x0, #0x4080, lsl #16 */                                                                 \
	        0x00, 0x00, 0x82, 0xf2, /*    movk x0, #0x1000 */                                                                          \
	        0x02, 0x04, 0x40, 0xf9, /*    ldr x2, [x0, #8] */                                                                          \
	        0x01, 0x00, 0x40, 0xf9, /* 1: ldr x1, [x0] */                                                                              \
	        0x21, 0x00, 0x02, 0x8b, /*    add x1, x1, x2 */                                                                            \
	        0x01, 0x00, 0x00, 0xf9, /*    str x1, [x0] */                                                                              \
	        0xfd, 0xff, 0xff, 0x17  /*    b 1b */

static const uint8_t a64_little[] = {A64_COUNT};
/* SCTLR_EL1.EE: data is big-endian, instructions never are. */
static const uint8_t a64_big[] = {0x03,     0x10, 0x38, 0xd5, /* mrs x3, sctlr_el1 */
                                  0x63,     0x00, 0x67, 0xb2, /* orr x3, x3, #1 << 25 */
                                  0x03,     0x10, 0x18, 0xd5, /* msr sctlr_el1, x3 */
                                  0xdf,     0x3f, 0x03, 0xd5, /* isb */
                                  A64_COUNT};
static const uint8_t rv64[] = {0x97, 0x12, 0x00, 0x00,  /*    auipc t0, 1 */
                               0x83, 0xb3, 0x82, 0x00,  /*    ld t2, 8(t0) */
                               0x03, 0xb3, 0x02, 0x00,  /* 1: ld t1, 0(t0) */
                               0x33, 0x03, 0x73, 0x00,  /*    add t1, t1, t2 */
                               0x23, 0xb0, 0x62, 0x00,  /*    sd t1, 0(t0) */
                               0x6f, 0xf0, 0x5f, 0xff}; /*    j 1b */

static const struct machine {
	const char *name, *program;
	const char *words[12];
	uint32_t ram, device; /* device: a register of 64 bits that reads as it was written */
	uint64_t value;       /* of which it keeps all bits */
	bool big;
	const uint8_t *code;
	size_t code_length;
} machines[] = {
        {"aarch64, little-endian",
         "qemu-system-aarch64",
         {"-M", "virt,gic-version=3", "-cpu", "cortex-a53", "-device", "loader,addr=0x40800000,cpu-num=0"},
         0x40800000, /* behind the device tree, which a reset writes anew */
         0x08006100, /* GICD_IROUTER32 */
         0x00030201,
         false,
         a64_little,
         sizeof(a64_little)},
        {"aarch64, big-endian data",
         "qemu-system-aarch64",
         {"-M", "virt,gic-version=3", "-cpu", "cortex-a53", "-device", "loader,addr=0x40800000,cpu-num=0"},
         0x40800000, /* behind the device tree, which a reset writes anew */
         0x08006100,
         0x00030201,
         true,
         a64_big,
         sizeof(a64_big)},
        {"riscv64",
         "qemu-system-riscv64",
         {"-M", "virt", "-bios", "none"},
         0x80000000,
         0x02004000, /* mtimecmp */
         0x1122334455667788,
         false,
         rv64,
         sizeof(rv64)},
};

static char directory[64], address[100], image[100];
static const struct machine *machine;
static struct loop *loop;
static struct timeline *timeline;
static struct rig_file *file;
static struct rig_attached *attached;
static struct probe *probe;
static struct error error;
static pid_t server;

static int64_t soon(void)
{
	return loop_now_ns() + 30 * SECOND_NS;
}

static void good(int r)
{
	ck_assert_msg(r == 0, "%s: %s", machine->name, error.message);
}

static void write_file(const char *path, const void *data, size_t length)
{
	FILE *out = fopen(path, "we");
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(data, 1, length, out), length);
	ck_assert_int_eq(fclose(out), 0);
}

static void setup(void)
{
	(void)snprintf(directory, sizeof(directory), "/tmp/test-probe64-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(address, sizeof(address), "%s/gdb", directory);
	(void)snprintf(image, sizeof(image), "%s/image", directory);
	memset(&error, 0, sizeof(error));
	ck_assert_int_eq(loop_new(&loop, &error), 0);
	ck_assert_int_eq(timeline_new(&timeline, NULL, 100, &error), 0);
}

static void teardown(void)
{
	char rig[100];
	rig_detach(attached);
	attached = NULL;
	rig_file_free(file);
	file = NULL;
	timeline_free(timeline);
	loop_free(loop);
	if (server > 0) {
		(void)kill(server, SIGKILL);
		(void)waitpid(server, NULL, 0);
	}
	server = 0;
	(void)snprintf(rig, sizeof(rig), "%s/rig.yaml", directory);
	(void)unlink(rig);
	(void)unlink(address);
	(void)unlink(image);
	(void)rmdir(directory);
}

static bool find_program(const char *name, char *ret, size_t size)
{
	for (const char *at = getenv("PATH"); at && *at; at += *at == ':') {
		size_t length = strcspn(at, ":");
		(void)snprintf(ret, size, "%.*s/%s", (int)length, at, name);
		if (length && access(ret, X_OK) == 0)
			return true;
		at += length;
	}
	return false;
}

/* There, and ready for who connects: its file comes a moment earlier. */
static bool listens(void)
{
	char line[512];
	unsigned flags = 0;
	bool found = false;
	FILE *sockets = fopen("/proc/net/unix", "re");
	ck_assert_ptr_nonnull(sockets);
	while (!found && fgets(line, sizeof(line), sockets))
		found = strstr(line, address) && sscanf(line, "%*s %*s %*s %x", &flags) == 1 && flags & 0x10000; /* __SO_ACCEPTCON */
	(void)fclose(sockets);
	return found;
}

static void start_qemu(void)
{
	char gdb[160];
	const char *words[WORDS_MAX] = {"qemu", "-accel", "tcg", "-m", "16", "-nodefaults", "-nographic", "-S", "-gdb", gdb};
	unsigned count = 10;
	(void)snprintf(gdb, sizeof(gdb), "unix:%s,server=on,wait=off", address);
	for (unsigned i = 0; machine->words[i]; i++)
		words[count++] = machine->words[i];
	words[count] = NULL;
	server = fork();
	if (server == 0) {
		(void)alarm(120);
		execvp(machine->program, (char *const *)(uintptr_t)words);
		_exit(127);
	}
	for (unsigned i = 0; i < 1200 && !listens() && waitpid(server, NULL, WNOHANG) == 0; i++)
		(void)poll(NULL, 0, 50);
	ck_assert_msg(listens(), "%s: qemu does not start", machine->name);
}

static void attach(const char *more)
{
	char path[100], text[900];
	(void)snprintf(path, sizeof(path), "%s/rig.yaml", directory);
	int length = snprintf(text, sizeof(text),
	                      "name: wide\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\nroles:\n  zgw:\n    driver: board\n"
	                      "    address: 127.0.0.2\n    power: {driver: command, on: [/bin/true], off: [/bin/true]}\n"
	                      "    console: {driver: pty, path: /dev/null}\n    probe: {driver: gdb, address: %s, monitor_reset: "
	                      "system_reset, monitor_halt: system_reset%s}\n",
	                      address, more);
	write_file(path, text, (size_t)length);
	good(rig_file_load(path, &file, &error));
	good(rig_attach(&attached, file, loop, timeline, "zgw", directory, &error));
	good(rig_attached_probe(attached, &probe, &error));
}

/* As the core stores a number of 64 bits. */
static void store(uint64_t value, uint8_t bytes[8])
{
	for (unsigned i = 0; i < 8; i++)
		bytes[machine->big ? 7 - i : i] = (uint8_t)(value >> 8 * i);
}

static uint64_t counter(void)
{
	uint8_t bytes[8];
	uint64_t value = 0;
	good(probe_read(probe, machine->ram + COUNTER, 8, bytes, 8, soon(), &error));
	for (unsigned i = 0; i < 8; i++)
		value |= (uint64_t)bytes[machine->big ? 7 - i : i] << 8 * i;
	return value;
}

static void wait_counting(void)
{
	int64_t end_ns = loop_now_ns() + 60 * SECOND_NS;
	uint64_t before = counter(), now;
	while ((now = counter()) == before) {
		ck_assert_msg(loop_now_ns() < end_ns, "%s: what was loaded does not run", machine->name);
		(void)poll(NULL, 0, 20);
	}
	/* Both halves are counted up by one: a read that is torn would show. */
	ck_assert_uint_eq((uint32_t)(now >> 32), (uint32_t)now + BEHIND);
}

static void load_counter(void)
{
	uint8_t words[16];
	write_file(image, machine->code, machine->code_length);
	good(probe_load(probe, machine->ram, image, soon(), &error));
	store((uint32_t)0 - BEHIND, words);
	store(UINT64_C(0x100000001), words + 8);
	good(probe_write(probe, machine->ram + COUNTER, 8, words, sizeof(words), soon(), &error));
}

START_TEST(counts_in_64_bits)
{
	bool halted = false;
	size_t offset = 0;
	machine = &machines[_i];
	start_qemu();
	attach("");
	good(probe_halt(probe, soon(), &error));
	load_counter();
	good(probe_compare(probe, machine->ram, image, &offset, soon(), &error));
	ck_assert_uint_eq(offset, SIZE_MAX);
	/* What stood at the reset address before is forgotten: the core begins with what was loaded. */
	good(probe_reset(probe, PROBE_RESET_SYSTEM, soon(), &error));
	wait_counting();
	good(probe_halt(probe, soon(), &error));
	good(probe_halted(probe, &halted, soon(), &error));
	ck_assert(halted);
	uint64_t before = counter();
	(void)poll(NULL, 0, 50);
	ck_assert_uint_eq(counter(), before);
	good(probe_resume(probe, soon(), &error));
	wait_counting();
	good(probe_reset(probe, PROBE_RESET_HALT, soon(), &error));
	before = counter();
	ck_assert_uint_eq(counter(), before);
}
END_TEST

/* A register of a device is written in one access where the rig file says that addresses are physical; elsewhere qemu says OK and does
 * nothing, which must not pass for a write. */
START_TEST(device_registers)
{
	uint8_t bytes[8], out[8];
	machine = &machines[_i];
	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(machine->value >> 8 * i); /* these devices are little-endian, whatever the data */
	start_qemu();
	attach("");
	good(probe_halt(probe, soon(), &error));
	ck_assert_int_eq(probe_write(probe, machine->device, 8, out, 8, soon(), &error), -EOPNOTSUPP);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_msg(strstr(error.message, "physical: true"), "%s", error.message);
	ck_assert_int_eq(probe_read(probe, 0xf0000000, 8, bytes, 8, soon(), &error), -EFAULT);
	ck_assert_int_eq(error.domain, ERROR_DUT);
	rig_detach(attached);
	attached = NULL;
	rig_file_free(file);
	file = NULL;
	memset(&error, 0, sizeof(error));
	attach(", physical: true");
	good(probe_halt(probe, soon(), &error));
	good(probe_write(probe, machine->device, 8, out, 8, soon(), &error));
	good(probe_read(probe, machine->device, 8, bytes, 8, soon(), &error));
	ck_assert_mem_eq(bytes, out, 8);
}
END_TEST

/* Eight bytes that begin in the middle of eight are no access of 64 bits. */
START_TEST(unaligned)
{
	uint8_t bytes[8];
	machine = &machines[_i];
	start_qemu();
	attach("");
	ck_assert_int_lt(probe_read(probe, machine->ram + 4, 8, bytes, 8, soon(), &error), 0);
	ck_assert_int_eq(error.domain, ERROR_TESTCASE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe on cores of 64 bits");
	TCase *tcase = tcase_create("qemu");
	char path[PATH_MAX];
	int tried = 0;
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 180);
	for (int i = 0; i < (int)(sizeof(machines) / sizeof(*machines)); i++) {
		if (!find_program(machines[i].program, path, sizeof(path))) {
			(void)fprintf(stderr, "%s is not installed: %s was not tried\n", machines[i].program, machines[i].name);
			continue;
		}
		tried++;
		tcase_add_loop_test(tcase, counts_in_64_bits, i, i + 1);
		tcase_add_loop_test(tcase, device_registers, i, i + 1);
		tcase_add_loop_test(tcase, unaligned, i, i + 1);
	}
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : tried ? EXIT_SUCCESS : SKIPPED;
}
