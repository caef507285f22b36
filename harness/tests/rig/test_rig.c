/* SPDX-License-Identifier: Apache-2.0 */
/* Rig files with every kind of mistake, the console, rack numbers, the passive tap, and the vboard driver against a
 * scripted fake. The program is its own fake: installed under the name "vboard" beside itself. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../base/bytes.h"
#include "../../rig/child.h"
#include "../../rig/console.h"
#include "../../rig/link_tap.h"
#include "../../rig/rack.h"
#include "../../rig/rig.h"

static char directory[PATH_MAX - 64];
static struct loop *loop;
static struct timeline *timeline;
static struct error error;
static struct rig_file *started; /* of start() */

static void setup(void)
{
	snprintf(directory, sizeof(directory), "/tmp/test-rig-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	memset(&error, 0, sizeof(error));
	ck_assert_int_eq(loop_new(&loop, &error), 0);
	ck_assert_int_eq(timeline_new(&timeline, NULL, 10000, &error), 0);
}

static void teardown(void)
{
	char command[PATH_MAX];
	rig_file_free(started);
	started = NULL;
	timeline_free(timeline);
	loop_free(loop);
	pid_t pid = fork();
	if (pid == 0) {
		snprintf(command, sizeof(command), "%s", directory);
		execlp("rm", "rm", "-rf", command, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static const char *write_file(const char *name, const char *text)
{
	static char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	return path;
}

/* ---- rig files ---- */

#define HEAD "name: t\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\n"
#define ROLE "{driver: vboard, bootloader: b, application: a, address: 127.0.0.1"

static const struct {
	const char *text, *place, *message;
} mistakes[] = {
        {HEAD "rolls: {}\n", ":3:1: ", "`rolls`"},
        {HEAD "rolls: {}\n", ":3:1: ", "did you mean \"roles\""},
        {HEAD, ":1:1: ", "lacks `roles`"},
        {HEAD "roles: {zgw: {driver: vbord, address: 127.0.0.1}}\n", ":3:23: ", "did you mean \"vboard\""},
        {HEAD "roles: {zgw: {driver: vboard, address: 127.0.0.1}}\n", ":3:14: ", "lacks `bootloader`"},
        {HEAD "roles: {zgw: " ROLE ", plain: nowhere}}\n", ":3:89: ", "`plain` must be"},
        {HEAD "roles: {zgw: " ROLE ", plain: \"127.0.0.1:70000\"}}\n", ":3:89: ", "`plain` must be"},
        {HEAD "roles: {zgw: " ROLE ", logical_address: 65536}}\n", ":3:99: ", "between 0 and 65535"},
        {HEAD "roles: {zgw: " ROLE ", eid: 20}}\n", ":3:87: ", "six bytes"},
        {HEAD "roles: {zgw: " ROLE ", vin: \"${rak}\"}}\n", ":3:87: ", "unknown variable"},
        {HEAD "roles: {zgw: " ROLE ", vin: WHB7VMG000000E00}}\n", ":3:87: ", "17 digits and capital letters"},
        {HEAD "roles: {zgw: " ROLE ", vin: WHB7VMG00000000E00}}\n", ":3:87: ", "17 digits and capital letters"},
        {HEAD "roles: {zgw: " ROLE ", vin: WHB7VMG0000000O00}}\n", ":3:87: ", "without I, O and Q"},
        {HEAD "roles: {zgw: " ROLE ", vin: whb7vmg0000000e00}}\n", ":3:87: ", "capital letters"},
        {HEAD "roles: {zgw: " ROLE ", vin: 12345678901234567}}\n", ":3:87: ", "must be text"},
        /* Good on the first racks only. */
        {HEAD "roles: {zgw: " ROLE ", vin: \"WHB7VMG000000E00${rack}\"}}\n", ":3:87: ", "on rack 10: \"WHB7VMG000000E0010\""},
        {HEAD "roles: {zgw: " ROLE ", plain: \"127.0.0.3${rack}:13400\"}}\n", ":3:89: ", "on rack 10: \"127.0.0.310:13400\""},
        {HEAD "roles: {zgw: " ROLE ", plain: \"127.0.0.1:60${rack}00\"}}\n", ":3:89: ", "on rack 10: \"127.0.0.1:601000\""},
        {HEAD "roles: {zgw: " ROLE ", params: {doip.max_sockets: \"${rack}\"}}}\n", ":3:109: ", "on rack 9: \"9\""},
        {HEAD "roles: {zgw: " ROLE ", eid: \"02 00 00 00 91\"}}\n", ":3:87: ", "six bytes"},
        {HEAD "roles: {zgw: " ROLE ", gid: \"02 00 00 00 00 00 91\"}}\n", ":3:87: ", "six bytes"},
        {HEAD "roles: {zgw: " ROLE ", logical_address: -1}}\n", ":3:99: ", "between 0 and 65535"},
        {HEAD "roles: {tester: " ROLE "}}\n", ":3:9: ", "cannot be a role"},
        {HEAD "roles: {zgw: " ROLE ", tls: \"127.0.0.1:1\"}, vmg: " ROLE ", plain: \"127.0.0.1:1\"}}\n", ":3:183: ", "used twice"},
        {HEAD "roles:\n  zgw: {driver: vboard, bootloader: b, application: a, address: 127.3.2.1}\n"
              "  vmg: {driver: vboard, bootloader: b, application: a, address: 127.3.2.1}\n",
         ":5:65: ", "that of `zgw` already"},
        {HEAD "roles: {zgw: " ROLE ", last_stage: rtoss}}\n", ":3:94: ", "unknown last_stage \"rtoss\" (did you mean \"rtos\"?)"},
        {HEAD "roles: {zgw: " ROLE "}}\nlinks: {a: {driver: relay, client: zwg, server: zgw, target: \"127.0.0.1:1\"}}\n",
         ":4:36: ", "did you mean \"zgw\""},
        {HEAD "roles: {zgw: " ROLE "}}\nlinks: {a: {driver: relay, client: zgw, server: zgw, target: \"127.0.0.1:1\"}}\n",
         ":4:12: ", "lacks `listen`"},
        {HEAD "roles: {zgw: " ROLE "}}\nvirtual: yes\n", ":4:10: ", "true or false"},
        {HEAD "roles: {zgw: " ROLE "}}\nname: again\n", ":4:1: ", "name"},
        {HEAD "roles: {zgw: " ROLE ", params: {a: [1]}}}\n", ":3:94: ", "one value"},
        {HEAD "roles: {zgw: " ROLE ", params: {doip.max_sokets: 4}}}\n", ":3:91: ", "did you mean \"doip.max_sockets\""},
        {HEAD "roles: {zgw: " ROLE ", params: {doip.max_sockets: four}}}\n", ":3:109: ", "a number from 1 to 8"},
        {HEAD "roles: {zgw: " ROLE ", params: {fault: \"no-boot,slow-handshak\"}}}\n", ":3:98: ", "did you mean \"slow-handshake\""},
        {HEAD "roles: []\n", ":3:8: ", "must be a map"},
        {"", "", ""},
};

START_TEST(rig_file_mistakes)
{
	struct rig_file *file = NULL;
	char text[2048];
	const char *path = write_file("rig.yaml", mistakes[_i].text);
	ck_assert_int_lt(rig_file_load(path, &file, &error), 0);
	ck_assert_int_eq(error.domain, ERROR_USAGE);
	error_describe(&error, text, sizeof(text));
	ck_assert_msg(strstr(text, mistakes[_i].message), "%s", text);
	ck_assert_msg(strstr(text, mistakes[_i].place), "%s, wanted %s", text, mistakes[_i].place);
	ck_assert_ptr_null(file);
}
END_TEST

/* ---- what two roles cannot share ---- */

#define CONSOLE_A  "{driver: serial, device: /dev/a}"
#define CONSOLE_B  "{driver: serial, device: /dev/b}"
#define RELAY      "{driver: command, on: [/bin/true], off: [/bin/true]}"
#define SCPI(more) "{driver: scpi, address: \"127.0.0.1:5025\", voltage: 12V, current_limit: 1A" more "}"
#define OPENOCD    ", probe: {driver: openocd, config: [a], target: t, adapter_serial: "
#define RESET      ", reset: {driver: gpio, chip: /dev/gpiochip0, line: "

static const struct {
	const char *power[2], *console[2], *more[2];
	const char *message; /* NULL: they are different */
} shared[] = {
        {{RELAY, RELAY}, {CONSOLE_A, CONSOLE_B}, {"", ""}, NULL},
        {{RELAY, RELAY}, {CONSOLE_A, CONSOLE_A}, {"", ""}, "console /dev/a is that of `zgw` already ("},
        {{RELAY, RELAY}, {CONSOLE_A, "{driver: pty, path: /dev/a}"}, {"", ""}, "console /dev/a is that of `zgw`"},
        {{RELAY, RELAY},
         {"{driver: tcp, address: \"127.0.0.1:0401\"}", "{driver: tcp, address: \"127.0.0.1:401\"}"},
         {"", ""},
         "console 127.0.0.1:401 is that of `zgw`"},
        {{SCPI(", channel: 1"), SCPI(", channel: 2")}, {CONSOLE_A, CONSOLE_B}, {"", ""}, NULL},
        {{SCPI(", channel: 2"), SCPI(", channel: 2")}, {CONSOLE_A, CONSOLE_B}, {"", ""}, "the supply's channel 2 is that of `zgw`"},
        {{SCPI(""), SCPI("")}, {CONSOLE_A, CONSOLE_B}, {"", ""}, "the supply 127.0.0.1:5025 is that of `zgw`"},
        {{SCPI(", channel: 2"), SCPI("")}, {CONSOLE_A, CONSOLE_B}, {"", ""}, "this supply lacks `channel`"},
        {{"{driver: gpio, chip: c, line: 3}", "{driver: gpio, chip: c, line: 3}"},
         {CONSOLE_A, CONSOLE_B},
         {"", ""},
         "the GPIO line 3 is that of `zgw`"},
        {{"{driver: gpio, chip: c, line: 3}", "{driver: gpio, chip: c, line: 4}"}, {CONSOLE_A, CONSOLE_B}, {"", ""}, NULL},
        {{"{driver: gpio, chip: /dev/gpiochip0, line: 3}", RELAY},
         {CONSOLE_A, CONSOLE_B},
         {"", RESET "3}"},
         "the GPIO line 3 is that of `zgw`"},
        {{RELAY, RELAY}, {CONSOLE_A, CONSOLE_B}, {OPENOCD "X}", OPENOCD "X}"}, "the adapter X is that of `zgw`"},
        {{RELAY, RELAY}, {CONSOLE_A, CONSOLE_B}, {OPENOCD "12}", OPENOCD "12, variables: {channel: 1}}"}, "the adapter 12 is that of"},
        {{RELAY, RELAY}, {CONSOLE_A, CONSOLE_B}, {OPENOCD "X}", OPENOCD "Y}"}, NULL},
        {{RELAY, RELAY}, {CONSOLE_A, CONSOLE_B}, {OPENOCD "X, variables: {channel: 0}}", OPENOCD "X, variables: {channel: 1}}"}, NULL},
        {{RELAY, RELAY},
         {CONSOLE_A, CONSOLE_B},
         {", probe: {driver: gdb, address: \"127.0.0.1:3333\"}", ", probe: {driver: gdb, address: \"127.0.0.1:3333\"}"},
         "the GDB server 127.0.0.1:3333 is that of `zgw`"},
};

START_TEST(shared_by_two_roles)
{
	static const char *const roles[] = {"zgw", "ecu"};
	struct rig_file *file = NULL;
	char text[2048] = HEAD "roles:\n", described[2048];
	for (int i = 0; i < 2; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
		               "  %s: {driver: board, address: 127.0.0.%d, console: %s, power: %s%s}\n", roles[i], i + 2,
		               shared[_i].console[i], shared[_i].power[i], shared[_i].more[i]);
	int r = rig_file_load(write_file("rig.yaml", text), &file, &error);
	if (!shared[_i].message) {
		ck_assert_msg(r == 0, "%s", error.message);
		rig_file_free(file);
		return;
	}
	ck_assert_int_lt(r, 0);
	ck_assert_int_eq(error.domain, ERROR_USAGE);
	ck_assert_msg(strstr(error_describe(&error, described, sizeof(described)), shared[_i].message) != NULL, "%s", described);
	/* The places of both: the second one's line is the error's. */
	ck_assert_msg(error.place.line == 5 && error.place.column > 1 && strstr(error.message, "rig.yaml:4:"), "%s", described);
}
END_TEST

static const struct {
	const char *assignment, *message; /* NULL: accepted */
} assignments[] = {
        {"zgw:doip.max_sockets=1", NULL},
        {"zgw:doip.max_sockets=0x2", NULL},
        {"zgw:doip.vin=", NULL},
        {"zgw:doip.eid=0200000000ff", NULL},
        {"zgw:doip.plain=127.${rack}.2.1:13400", NULL},
        {"zgw:doip.activations=0x00,0xe1:auth+tls", NULL},
        {"zgw:fault=no-boot,activation-code", NULL},
        {"zgw:test.whatever=1", NULL},
        {"zgw:doip.max_sokets=1", "did you mean \"doip.max_sockets\""},
        {"zgw:doip.max_sockets=9", "from 1 to 8"},
        {"zgw:doip.max_sockets=0x", "from 1 to 8"},
        {"zgw:doip.max_sockets=4 ", "from 1 to 8"},
        {"zgw:doip.vin=SHORT", "17 characters"},
        {"zgw:doip.vin=WHB7ZGW0000000091", NULL},
        {"zgw:doip.vin=WHB7ZGW00000000Q1", "without I, O and Q"},
        {"zgw:doip.logical_address=0x10000", "from 0 to 65535"},
        {"zgw:doip.gid=020000000000ff", "12 hex digits"},
        {"zgw:doip.eid=02", "12 hex digits"},
        {"zgw:doip.plain=127.0.0.1", "address and port"},
        {"zgw:net.address=localhost", "IPv4 address"},
        {"zgw:doip.testers=0x0e80,x", "cannot be \"x\""},
        {"zgw:doip.activations=0xe1:auth+tsl", "NUMBER:NEED"},
        {"zgw:client.tls=true", "0 or 1"},
        {"zgw:doip.confirmation=grantd", "did you mean \"granted\""},
        {"zgw:fault=no-boot,activaton-code", "did you mean \"activation-code\""},
        {"zwg:doip.max_sockets=1", "no role"},
        {"zgw:doip.max_sockets", "ROLE:NAME=VALUE"},
};

START_TEST(parameters_are_known)
{
	struct rig_file *file = NULL;
	ck_assert_int_eq(rig_file_load(write_file("rig.yaml", HEAD "roles: {zgw: " ROLE "}}\n"), &file, &error), 0);
	int r = rig_file_set_param(file, assignments[_i].assignment, &error);
	ck_assert_msg((r == 0) == !assignments[_i].message, "%s: %s", assignments[_i].assignment, error.message);
	if (assignments[_i].message) {
		ck_assert_int_eq(error.domain, ERROR_USAGE);
		ck_assert_msg(strstr(error.message, assignments[_i].message), "%s", error.message);
	}
	rig_file_free(file);
}
END_TEST

START_TEST(rig_file_absent)
{
	struct rig_file *file = NULL;
	ck_assert_int_lt(rig_file_load("/nonexistent/rig.yaml", &file, &error), 0);
	ck_assert_str_ne(error.message, "");
}
END_TEST

START_TEST(rig_file_answers)
{
	struct rig_file *file = NULL;
	const char *path = write_file("rig.yaml", HEAD "virtual: true\ncapabilities: [tls]\nroles: {zgw: " ROLE "}}\n");
	ck_assert_int_eq(rig_file_load(path, &file, &error), 0);
	ck_assert(rig_file_has_role(file, "zgw") && !rig_file_has_role(file, "vmg"));
	ck_assert(rig_file_has_capability(file, "tls") && !rig_file_has_capability(file, "relay"));
	ck_assert(!rig_file_has_link(file, "x") && rig_file_is_virtual(file));
	ck_assert_str_eq(rig_file_name(file), "t");
	rig_file_free(file);
	json_t *schema = schema_rig();
	ck_assert(json_is_object(json_object_get(json_object_get(schema, "properties"), "roles")));
	json_decref(schema);
}
END_TEST

/* ---- rack numbers ---- */

START_TEST(rack_numbers)
{
	unsigned first, second, again;
	int first_fd, second_fd, again_fd;
	setenv("XDG_RUNTIME_DIR", directory, 1);
	ck_assert_int_eq(rack_take(0, &first, &first_fd, &error), 0);
	ck_assert_int_eq(rack_take(0, &second, &second_fd, &error), 0);
	ck_assert_uint_eq(first, 1);
	ck_assert_uint_eq(second, 2);
	close(first_fd);
	ck_assert_int_eq(rack_take(0, &again, &again_fd, &error), 0);
	ck_assert_uint_eq(again, 1);
	close(again_fd);
	close(second_fd);
	ck_assert_int_eq(rack_take(RACK_NUMBER_LIMIT, &again, &again_fd, &error), -EBUSY);
	char *text = rack_expand("127.${rack}.1.${rack}", 200);
	ck_assert_str_eq(text, "127.200.1.200");
	free(text);
}
END_TEST

/* ---- console ---- */

struct seen {
	unsigned lines, stages, faults, notes;
	size_t longest;
	char last[4200], note[256];
	json_t *stage;
};

static void see(const struct event *event, void *context)
{
	struct seen *seen = context;
	const char *text = json_string_value(json_object_get(event->data, "text"));
	if (!strcmp(event->kind, "console.line")) {
		seen->lines++;
		snprintf(seen->last, sizeof(seen->last), "%s", text);
		if (strlen(text) > seen->longest)
			seen->longest = strlen(text);
	} else if (!strcmp(event->kind, "boot.stage")) {
		seen->stages++;
		json_decref(seen->stage);
		seen->stage = json_incref(event->data);
	} else if (!strcmp(event->kind, "board.fault")) {
		seen->faults++;
	} else if (!strcmp(event->kind, "note")) {
		seen->notes++;
		snprintf(seen->note, sizeof(seen->note), "%s", text);
	}
}

static void feed(struct console *console, const char *text)
{
	console_bytes(console, text, strlen(text), instant_now());
}

START_TEST(console_lines)
{
	struct seen seen = {0};
	struct console *console;
	ck_assert_int_eq(timeline_observe(timeline, see, &seen), 0);
	ck_assert_int_eq(console_new(&console, timeline, directory, "zgw", "board:zgw", NULL, NULL, &error), 0);
	feed(console, "half ");
	ck_assert_uint_eq(seen.lines, 0);
	feed(console, "a line\r\n\r\n@boot stage=server t_us=210392 udp=127.1.2.1:13400 entity=0x0e00\r\n! broken\r\n");
	ck_assert_uint_eq(seen.lines, 3);
	ck_assert_uint_eq(seen.stages, 1);
	ck_assert_uint_eq(seen.faults, 1);
	ck_assert_int_eq(json_integer_value(json_object_get(seen.stage, "t_us")), 210392);
	ck_assert_str_eq(json_string_value(json_object_get(seen.stage, "stage")), "server");
	ck_assert_str_eq(json_string_value(json_object_get(seen.stage, "udp")), "127.1.2.1:13400");
	ck_assert_str_eq(json_string_value(json_object_get(seen.stage, "entity")), "0x0e00");
	console_bytes(console, "\x00\x07\xff\xc3\xa4\xed\xa0\x80\t\n", 10, instant_now());
	ck_assert_str_eq(seen.last, "\\x00\\x07\\xff\xc3\xa4\\xed\\xa0\\x80\t");
	feed(console, "no end");
	console_free(console);
	ck_assert_str_eq(seen.last, "no end");
	timeline_unobserve(timeline, see, &seen);
	json_decref(seen.stage);
}
END_TEST

START_TEST(console_floods)
{
	struct seen seen = {0};
	struct console *console;
	struct instant at = instant_now();
	ck_assert_int_eq(timeline_observe(timeline, see, &seen), 0);
	ck_assert_int_eq(console_new(&console, timeline, directory, "zgw", "board:zgw", NULL, NULL, &error), 0);
	for (unsigned i = 0; i < 5000; i++)
		console_bytes(console, "x\n", 2, at);
	ck_assert_uint_ge(seen.lines, CONSOLE_LINES_BURST * 9 / 10);
	ck_assert_uint_le(seen.lines, CONSOLE_LINES_BURST);
	ck_assert_uint_eq(console_flood(console), 5000);
	console_bytes(console, "@boot stage=tls t_us=7\n", 23, at); /* no flood hides a marker */
	ck_assert_uint_eq(seen.stages, 1);
	unsigned before = seen.lines;
	at.ns += 1000000000;
	for (unsigned i = 0; i < 5000; i++)
		console_bytes(console, "x\n", 2, at);
	ck_assert_uint_le(seen.lines - before, CONSOLE_LINES_A_SECOND);
	console_calm(console);
	ck_assert_uint_eq(console_flood(console), 0);
	at.ns += 20 * INT64_C(1000000000);
	console_bytes(console, "later\n", 6, at);
	ck_assert_uint_eq(seen.notes, 2);
	ck_assert_ptr_nonnull(strstr(seen.note, "5000 lines in a second"));
	char *endless = malloc(5000);
	memset(endless, 'y', 5000);
	console_bytes(console, endless, 5000, at);
	ck_assert_uint_eq(seen.longest, CONSOLE_LINE_BYTES);
	free(endless);
	console_free(console);
	timeline_unobserve(timeline, see, &seen);
	char path[PATH_MAX];
	struct stat status;
	snprintf(path, sizeof(path), "%s/console-zgw.log", directory);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_eq(status.st_size, 20000 + 23 + 6 + 5000);
	json_decref(seen.stage);
}
END_TEST

START_TEST(console_markers_in_rubbish)
{
	static char rubbish[CONSOLE_LINE_BYTES + 100];
	struct seen seen = {0};
	struct console *console;
	struct instant at = instant_now();
	ck_assert_int_eq(timeline_observe(timeline, see, &seen), 0);
	ck_assert_int_eq(console_new(&console, timeline, directory, "zgw", "board:zgw", NULL, NULL, &error), 0);
	console_bytes(console, "!\x00\xff@bo\x01@boot stage=rtos t_us=12\r\n", 33, at);
	ck_assert_uint_eq(seen.stages, 1);
	ck_assert_uint_eq(seen.faults, 0);
	ck_assert_str_eq(json_string_value(json_object_get(seen.stage, "stage")), "rtos");
	ck_assert_int_eq(json_integer_value(json_object_get(seen.stage, "t_us")), 12);
	/* Where a line without an end is split there may be a marker: at each place of it. */
	memset(rubbish, 0xf0, sizeof(rubbish));
	for (unsigned cut = 0; cut <= 30; cut++) {
		console_bytes(console, rubbish, CONSOLE_LINE_BYTES - cut, at);
		feed(console, "@boot stage=server t_us=9\r\n");
		ck_assert_uint_eq(seen.stages, 2 + cut);
		ck_assert_int_eq(json_integer_value(json_object_get(seen.stage, "t_us")), 9);
	}
	for (unsigned i = 0; i < 5000; i++)
		console_bytes(console, rubbish, CONSOLE_LINE_BYTES, at);
	console_free(console);
	timeline_unobserve(timeline, see, &seen);
	char path[PATH_MAX];
	struct stat status;
	snprintf(path, sizeof(path), "%s/console-zgw.log", directory);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_eq(status.st_size, CONSOLE_RAW_BYTES);
	ck_assert_uint_le(seen.lines, CONSOLE_LINES_BURST);
	json_decref(seen.stage);
}
END_TEST

/* ---- the passive tap ---- */

static size_t make_frame(uint8_t *frame, bool from_client, uint32_t sequence, uint8_t flags, const char *payload)
{
	size_t length = strlen(payload), total = 40 + length;
	memset(frame, 0, 54);
	be16_write(frame + 12, 0x0800);
	frame[14] = 0x45;
	be16_write(frame + 16, (uint16_t)total);
	frame[23] = 6;
	be32_write(frame + 26, from_client ? 0x0a000002 : 0x0a000001);
	be32_write(frame + 30, from_client ? 0x0a000001 : 0x0a000002);
	be16_write(frame + 34, from_client ? 40000 : 13400);
	be16_write(frame + 36, from_client ? 13400 : 40000);
	be32_write(frame + 38, sequence);
	frame[46] = 0x50;
	frame[47] = flags;
	memcpy(frame + 54, payload, length);
	return 54 + length;
}

static char kinds[512];

static void note_kind(const struct event *event, void *context)
{
	(void)snprintf(kinds + strlen(kinds), sizeof(kinds) - strlen(kinds), "%s ", event->kind);
}

static void pass(struct link_tap *tap, bool from_client, uint32_t sequence, uint8_t flags, const char *payload)
{
	uint8_t frame[256];
	size_t length = make_frame(frame, from_client, sequence, flags, payload);
	link_tap_frame(frame, length, instant_now(), tap);
	for (size_t cut = 0; cut < length; cut += 7) /* rubbish must not matter */
		if (cut < 54)
			link_tap_frame(frame, cut, instant_now(), tap);
}

START_TEST(tap_follows)
{
	struct link_tap *tap = link_tap_new(timeline, "link:x", "10.0.0.1:13400", NULL);
	ck_assert_ptr_nonnull(tap);
	kinds[0] = '\0';
	ck_assert_int_eq(timeline_observe(timeline, note_kind, NULL), 0);
	pass(tap, true, 100, 0x02, "");
	pass(tap, true, 100, 0x02, ""); /* SYN again */
	pass(tap, false, 500, 0x12, "");
	pass(tap, true, 101, 0x10, "");
	ck_assert_uint_eq(link_tap_connections(tap), 1);
	/* An alive check request in two pieces, the second first, and the first one twice. */
	uint8_t frame[128];
	size_t length = make_frame(frame, false, 505, 0x18, "xxxx");
	memcpy(frame + 54, "\x00\x00\x00\x00", 4);
	link_tap_frame(frame, length, instant_now(), tap);
	length = make_frame(frame, false, 501, 0x18, "xxxx");
	memcpy(frame + 54, "\x03\xfc\x00\x07", 4);
	link_tap_frame(frame, length, instant_now(), tap);
	link_tap_frame(frame, length, instant_now(), tap);
	pass(tap, true, 101, 0x11, "");
	ck_assert_uint_eq(link_tap_connections(tap), 0);
	pass(tap, false, 509, 0x14, "");
	link_tap_free(tap);
	timeline_unobserve(timeline, note_kind, NULL);
	ck_assert_str_eq(kinds, "tcp.syn tcp.established doip tcp.fin tcp.reset ");
}
END_TEST

/* ---- the vboard driver ---- */

#define RIG_HEAD "name: t\nvirtual: true\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\n"

static struct rig *start(const char *mode)
{
	char text[1024];
	struct rig *rig = NULL;
	snprintf(text, sizeof(text),
	         RIG_HEAD
	         "roles: {zgw: {driver: vboard, bootloader: vboard, application: vboard, address: 127.0.0.1, params: {test.mode: %s}}}\n",
	         mode);
	ck_assert_int_eq(rig_file_load(write_file("rig.yaml", text), &started, &error), 0);
	const struct rig_options options = {.run_directory = directory};
	int r = rig_start(started, loop, timeline, &options, &rig, &error);
	ck_assert_msg(r == 0 || error.message[0], "no message");
	return r < 0 ? NULL : rig;
}

static bool is_dead(void *context)
{
	return rig_check(context, NULL) < 0;
}

static int64_t soon(void)
{
	return loop_now_ns() + INT64_C(10000000000);
}

static bool is_ready(void *context)
{
	return rig_board_ready(context);
}

static bool is_halted(void *context)
{
	return rig_board_halted(context) && *rig_board_fault(context);
}

/* Only what this child wrote counts: its log goes on behind the ones before. */
START_TEST(child_that_ends_is_quoted)
{
	char log[] = "/tmp/child-log-XXXXXX", *const speaks[] = {"/bin/sh", "-c", "echo first; echo 'no space: zgw.bin' >&2; exit 3", NULL};
	char *const silent[] = {"/bin/sh", "-c", "exit 3", NULL};
	struct child_options options = {.title = "board zgw", .program = "vboard", .arguments = speaks, .log = log};
	struct child *child = NULL;
	int fd = mkstemp(log);

	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_lt(child_start(&child, loop, timeline, &options, &error), 0);
	ck_assert_msg(strstr(error.message, "(its log ends with \"no space: zgw.bin\")") != NULL, "%s", error.message);
	child_end(child);
	child = NULL;
	options.arguments = silent;
	ck_assert_int_lt(child_start(&child, loop, timeline, &options, &error), 0);
	ck_assert_msg(strstr(error.message, "its log") == NULL, "%s", error.message);
	child_end(child);
	unlink(log);
}
END_TEST

START_TEST(driver_good)
{
	struct rig *rig = start("good");
	ck_assert_msg(rig != NULL, "%s", error.message);
	struct rig_board *board = rig_board_find(rig, "zgw");
	ck_assert_int_eq(rig_board_power(board, true, soon(), &error), 0);
	ck_assert(rig_board_powered(board));
	ck_assert_int_eq(loop_until(loop, is_ready, board, soon()), 0);
	ck_assert_str_eq(rig_board_stage(board), "server");
	ck_assert(rig_board_ready(board));
	ck_assert_int_eq(rig_board_set_param(board, "test.a", "b", &error), 0);
	ck_assert_int_lt(rig_board_set_param(board, "doip.max_sokets", "1", &error), 0);
	ck_assert_int_eq(error.domain, ERROR_TESTCASE);
	ck_assert_int_eq(rig_restore(rig, &error), 0);
	ck_assert_msg(!rig_board_powered(board), "a board that ran with other parameters must not go on");
	rig_stop(rig);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(firmware_halts)
{
	struct rig *rig = start("halts");
	ck_assert_msg(rig != NULL, "%s", error.message);
	struct rig_board *board = rig_board_find(rig, "zgw");
	ck_assert_int_eq(rig_board_power(board, true, soon(), &error), 0);
	ck_assert_int_eq(loop_until(loop, is_halted, board, soon()), 0);
	ck_assert(rig_board_halted(board) && !rig_board_ready(board));
	ck_assert_str_eq(rig_board_fault(board), "\"! fault: unknown name x\"");
	ck_assert(rig_board_knows_stage(board, "tls") && rig_board_knows_stage(board, "server") && !rig_board_knows_stage(board, "servr"));
	ck_assert_int_eq(rig_board_power(board, false, soon(), &error), 0);
	ck_assert(!rig_board_halted(board));
	ck_assert_str_eq(rig_board_fault(board), "");
	rig_stop(rig);
}
END_TEST

START_TEST(driver_dies)
{
	struct rig *rig = start("dies");
	ck_assert_msg(rig != NULL, "%s", error.message);
	ck_assert_int_lt(rig_board_power(rig_board_at(rig, 0), true, soon(), &error), 0);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_int_eq(loop_until(loop, is_dead, rig, soon()), 0);
	ck_assert_int_lt(rig_check(rig, &error), 0);
	ck_assert_ptr_nonnull(strstr(error.message, "zgw"));
	rig_stop(rig);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

static pid_t only_child(void)
{
	FILE *file = fopen("/proc/thread-self/children", "re");
	int pid = 0;
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%d", &pid), 1);
	fclose(file);
	return pid;
}

/* What the kernel knows before the loop has told it. */
START_TEST(driver_is_going)
{
	struct rig *rig = start("good");
	siginfo_t info;
	ck_assert_msg(rig != NULL, "%s", error.message);
	ck_assert(!rig_going(rig));
	const pid_t pid = only_child();
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	ck_assert(rig_going(rig));
	ck_assert_int_eq(rig_check(rig, &error), 0);
	ck_assert_int_eq(loop_until(loop, is_dead, rig, soon()), 0);
	ck_assert(rig_going(rig));
	rig_stop(rig);
}
END_TEST

START_TEST(driver_hangs)
{
	struct rig *rig = start("hangs");
	ck_assert_msg(rig != NULL, "%s", error.message);
	int64_t begin_ns = loop_now_ns();
	ck_assert_int_eq(rig_board_power(rig_board_at(rig, 0), true, begin_ns + INT64_C(300000000), &error), -ETIMEDOUT);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_int_lt(loop_now_ns() - begin_ns, INT64_C(10000000000));
	rig_stop(rig); /* a vboard that does not end is killed */
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(driver_nonsense)
{
	struct rig *rig = start("nonsense");
	ck_assert_msg(rig != NULL, "%s", error.message);
	ck_assert_int_eq(rig_board_power(rig_board_at(rig, 0), true, soon(), &error), 0);
	rig_stop(rig);
}
END_TEST

START_TEST(driver_refuses)
{
	struct rig *rig = start("refuses");
	ck_assert_msg(rig != NULL, "%s", error.message);
	ck_assert_int_lt(rig_board_power(rig_board_at(rig, 0), true, soon(), &error), 0);
	ck_assert_ptr_nonnull(strstr(error.message, "no power today"));
	rig_stop(rig);
}
END_TEST

START_TEST(driver_floods)
{
	struct seen seen = {0};
	struct rig *rig = start("floods");
	ck_assert_msg(rig != NULL, "%s", error.message);
	ck_assert_int_eq(timeline_observe(timeline, see, &seen), 0);
	ck_assert_int_eq(rig_board_power(rig_board_at(rig, 0), true, loop_now_ns() + INT64_C(20000000000), &error), 0);
	ck_assert_int_eq(rig_board_power(rig_board_at(rig, 0), false, loop_now_ns() + INT64_C(20000000000), &error), 0);
	rig_stop(rig);
	ck_assert_uint_le(seen.lines, CONSOLE_LINES_BURST + 10 * CONSOLE_LINES_A_SECOND);
	ck_assert_uint_ge(seen.notes, 1);
	timeline_unobserve(timeline, see, &seen);
	json_decref(seen.stage);
}
END_TEST

START_TEST(program_missing)
{
	struct rig_file *file = NULL;
	struct rig *rig = NULL;
	const char *path = write_file("rig.yaml", RIG_HEAD
	                              "roles:\n  zgw:\n    driver: vboard\n    bootloader: vboard\n    application: no-such-image\n"
	                              "    address: 127.0.0.1\n");
	ck_assert_int_eq(rig_file_load(path, &file, &error), 0);
	const struct rig_options options = {.run_directory = directory};
	ck_assert_int_lt(rig_start(file, loop, timeline, &options, &rig, &error), 0);
	ck_assert_ptr_nonnull(strstr(error.message, "no-such-image"));
	ck_assert_uint_eq(error.place.line, 8);
	rig_file_free(file);
}
END_TEST

START_TEST(port_used)
{
	struct rig_file *file = NULL;
	struct rig *rig = NULL;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	char text[512];
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	getsockname(fd, (struct sockaddr *)&address, &size);
	snprintf(text, sizeof(text),
	         RIG_HEAD "roles:\n  zgw:\n    driver: vboard\n    bootloader: vboard\n    application: vboard\n    address: 127.0.0.1\n   "
	                  " plain: 127.0.0.1:%u\n",
	         ntohs(address.sin_port));
	ck_assert_int_eq(rig_file_load(write_file("rig.yaml", text), &file, &error), 0);
	const struct rig_options options = {.run_directory = directory};
	ck_assert_int_lt(rig_start(file, loop, timeline, &options, &rig, &error), 0);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_int_eq(error.code, EADDRINUSE);
	ck_assert_uint_eq(error.place.line, 10);
	close(fd);
	rig_file_free(file);
}
END_TEST

/* ---- the fake vboard ---- */

static const char *mode_of(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strncmp(argv[i], "test.mode=", 10))
			return argv[i] + 10;
	return "good";
}

static void answer_power(const char *mode, FILE *channel, int id, bool on)
{
	if (!strcmp(mode, "dies"))
		_exit(7);
	if (!strcmp(mode, "hangs"))
		for (;;)
			pause();
	if (!strcmp(mode, "nonsense"))
		fputs("this is no "
		      "JSON\n[1,2]\n{\"id\":\"text\"}\n{\"id\":99,\"ok\":false}\n{\"event\":\"console\",\"data\":\"zz\"}\n{\"event\":7}\n",
		      channel);
	for (unsigned i = 0; !strcmp(mode, "floods") && i < 20000; i++)
		fputs("{\"event\":\"console\",\"t\":1,\"data\":\"ff00ff0d0a\"}\n", channel);
	if (!strcmp(mode, "refuses"))
		fprintf(channel, "{\"id\":%d,\"ok\":false,\"error\":\"no power today\"}\n", id);
	else
		fprintf(channel, "{\"id\":%d,\"ok\":true,\"t\":1}\n", id);
	if (on && !strcmp(mode, "halts")) /* "! fault: unknown name x" */
		fputs("{\"event\":\"console\",\"t\":2,\"data\":\"21206661756c743a20756e6b6e6f776e206e616d6520780d0a\"}\n", channel);
	if (on) /* "@boot stage=server t_us=1" */
		fputs("{\"event\":\"console\",\"t\":2,\"data\":\"40626f6f742073746167653d73657276657220745f75733d310d0a\"}\n", channel);
	fflush(channel);
}

static int fake_vboard(int argc, char **argv)
{
	const char *mode = mode_of(argc, argv);
	FILE *channel = fdopen(3, "r+");
	char line[4096];
	int id;
	while (channel && fgets(line, sizeof(line), channel)) {
		json_t *request = json_loads(line, 0, NULL);
		const char *command = json_string_value(json_object_get(request, "cmd"));
		id = (int)json_integer_value(json_object_get(request, "id"));
		if (command && !strcmp(command, "power"))
			answer_power(mode, channel, id, json_is_true(json_object_get(request, "on")));
		else
			fprintf(channel, "{\"id\":%d,\"ok\":true,\"t\":1}\n", id);
		fflush(channel);
		json_decref(request);
	}
	return 0;
}

/* Outside of a test, so without its assertions. */
static void install_fake(void)
{
	static char place[] = "/tmp/test-rig-programs-XXXXXX";
	char self[PATH_MAX] = "", path[PATH_MAX];
	if (!mkdtemp(place) || readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
		abort();
	snprintf(path, sizeof(path), "%s/vboard", place);
	if (symlink(self, path) < 0)
		abort();
	setenv("HILBENCH_PROGRAMS", place, 1);
}

static void remove_fake(void)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/vboard", getenv("HILBENCH_PROGRAMS"));
	unlink(path);
	rmdir(getenv("HILBENCH_PROGRAMS"));
}

static Suite *suite(void)
{
	Suite *suite = suite_create("rig");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 60);
	tcase_add_loop_test(all, rig_file_mistakes, 0, (int)(sizeof(mistakes) / sizeof(*mistakes)) - 1);
	tcase_add_loop_test(all, shared_by_two_roles, 0, (int)(sizeof(shared) / sizeof(*shared)));
	tcase_add_loop_test(all, parameters_are_known, 0, (int)(sizeof(assignments) / sizeof(*assignments)));
	tcase_add_test(all, rig_file_absent);
	tcase_add_test(all, rig_file_answers);
	tcase_add_test(all, rack_numbers);
	tcase_add_test(all, console_lines);
	tcase_add_test(all, console_floods);
	tcase_add_test(all, console_markers_in_rubbish);
	tcase_add_test(all, tap_follows);
	tcase_add_test(all, child_that_ends_is_quoted);
	tcase_add_test(all, driver_good);
	tcase_add_test(all, firmware_halts);
	tcase_add_test(all, driver_dies);
	tcase_add_test(all, driver_is_going);
	tcase_add_test(all, driver_hangs);
	tcase_add_test(all, driver_nonsense);
	tcase_add_test(all, driver_refuses);
	tcase_add_test(all, driver_floods);
	tcase_add_test(all, program_missing);
	tcase_add_test(all, port_used);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	if (!strcmp(slash ? slash + 1 : argv[0], "vboard"))
		return fake_vboard(argc, argv);
	install_fake();
	SRunner *runner = srunner_create(suite());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	remove_fake();
	return failed != 0;
}
