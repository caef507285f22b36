/* SPDX-License-Identifier: Apache-2.0 */
/* CAN buses of a rig: mistakes in the file, and the vbus driver against a scripted fake. The program is its own fake vbus
 * and vboard, installed under these names; what the fake does is in the bus's name. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../rig/bus_folder.h"
#include "../../rig/rig.h"

#define PROGRAMS_VARIABLE "HILBENCH_PROGRAMS"

static char directory[128];
static struct loop *loop;
static struct timeline *timeline;
static struct error error;
static struct rig_file *file;
static struct rig *rig;

static void setup(void)
{
	snprintf(directory, sizeof(directory), "/tmp/test-bus-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	error = (struct error){0};
	file = NULL;
	rig = NULL;
	ck_assert_int_eq(loop_new(&loop, &error), 0);
	ck_assert_int_eq(timeline_new(&timeline, NULL, 1000, &error), 0);
}

static void teardown(void)
{
	rig_stop(rig);
	rig_file_free(file);
	timeline_free(timeline);
	loop_free(loop);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
	pid_t pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", directory, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static const char *write_file(const char *text)
{
	static char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/rig.yaml", directory);
	FILE *out = fopen(path, "w");
	ck_assert_ptr_nonnull(out);
	fputs(text, out);
	fclose(out);
	return path;
}

/* ---- rig files ---- */

#define HEAD                                                                                                                               \
	"name: t\nvirtual: true\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\n"                                                  \
	"roles: {zgw: {driver: vboard, bootloader: vboard, application: vboard, address: 127.0.0.1}}\n"
#define VBUS "driver: vbus, nominal: 500000"

static const struct {
	const char *text, *place, *message;
} mistakes[] = {
        {"buses: {can0: {}}\n", ":5:15: ", "lacks `driver`"},
        {"buses: {can0: {driver: vbu}}\n", ":5:24: ", "did you mean \"vbus\""},
        {"buses: {can0: {driver: vbus}}\n", ":5:15: ", "lacks `nominal`"},
        {"buses: {can0: {driver: vbus, nominal: 5}}\n", ":5:39: ", "between 10000 and 1000000"},
        {"buses: {can0: {driver: vbus, nominl: 5}}\n", ":5:30: ", "did you mean \"nominal\""},
        {"buses: {\"can 0\": {" VBUS "}}\n", ":5:9: ", "cannot be called"},
        {"buses: {can0: {" VBUS ", boards: {zg: 0}}}\n", ":5:56: ", "did you mean \"zgw\""},
        {"buses: {can0: {" VBUS ", boards: {zgw: 8}}}\n", ":5:61: ", "0 to 7"},
        {"buses: {can0: {" VBUS ", boards: {zgw: one}}}\n", ":5:61: ", "number of a CAN node"},
        {"buses: {can0: {" VBUS ", boards: {zgw: 1}}, can1: {" VBUS ", boards: {zgw: 1}}}\n", ":5:118: ", "on bus can0 already"},
        {"buses: {can0: {driver: socketcan}}\n", ":5:15: ", "lacks `interface`"},
        {"buses: {can0: {driver: socketcan, interface: much-too-long-a-name}}\n", ":5:46: ", "name of an interface"},
        {"buses: {can0: {driver: cannelloni-udp, address: \"127.0.0.1:1\"}}\n", ":5:49: ", "local:port,remote:port"},
        {"buses: {can0: {driver: udp-multicast, address: \"127.0.0.1:1\"}}\n", ":5:48: ", "no multicast group"},
        {"buses: {can0: {" VBUS ", multicast: \"127.0.0.1:1\"}}\n", ":5:58: ", "no multicast group"},
        {"buses: {can0: {" VBUS ", cannelloni_tcp: nowhere}}\n", ":5:63: ", "`cannelloni_tcp` must be"},
        {"buses: {can0: {driver: socketcan, interface: can0, multicast: \"239.0.0.1:1\"}}\n", ":5:63: ", "driver vbus only"},
        {"buses: {can0: {" VBUS ", cannelloni_tcp: \"127.0.0.1:1\"}, can1: {" VBUS ", cannelloni_tcp: \"127.0.0.1:1\"}}\n",
         ":5:133: ", "used twice"},
        {"buses: []\n", ":5:8: ", "must be a map"},
        {"buses: {can0: {" VBUS ", data: 250000}}\n", ":5:53: ", "below `nominal` 500000"},
        {"buses: {can0: {driver: socketcan, interface: can0, nominal: 1000000, data: 999999}}\n", ":5:76: ", "never the slower one"},
};

START_TEST(file_mistakes)
{
	char text[4096], said[2048];
	snprintf(text, sizeof(text), HEAD "%s", mistakes[_i].text);
	ck_assert_int_lt(rig_file_load(write_file(text), &file, &error), 0);
	ck_assert_int_eq(error.domain, ERROR_USAGE);
	error_describe(&error, said, sizeof(said));
	ck_assert_msg(strstr(said, mistakes[_i].message), "%s", said);
	ck_assert_msg(strstr(said, mistakes[_i].place), "%s, wanted %s", said, mistakes[_i].place);
}
END_TEST

START_TEST(file_answers)
{
	ck_assert_int_eq(rig_file_load(write_file(HEAD "buses: {a: {" VBUS "}, b: {driver: socketcan, interface: can0}}\n"), &file, &error),
	                 0);
	ck_assert(rig_file_has_bus(file, "a") && rig_file_has_bus(file, "b") && !rig_file_has_bus(file, "zgw"));
	ck_assert(rig_file_has_capability(file, "can") && !rig_file_has_capability(file, "can-fd"));
	rig_file_free(file);
	ck_assert_int_eq(rig_file_load(write_file(HEAD "buses: {a: {" VBUS ", data: 2000000}}\n"), &file, &error), 0);
	ck_assert(rig_file_has_capability(file, "can-fd"));
	rig_file_free(file);
	ck_assert_int_eq(rig_file_load(write_file(HEAD), &file, &error), 0);
	ck_assert(!rig_file_has_bus(file, "a") && !rig_file_has_capability(file, "can"));
}
END_TEST

/* ---- the vbus driver ---- */

static struct rig_bus *start_in(const char *bus, const char *run_directory, bool buses_only)
{
	char text[1024];
	snprintf(text, sizeof(text), HEAD "buses: {%s: {" VBUS ", data: 2000000, boards: {zgw: 1}}}\n", bus);
	ck_assert_int_eq(rig_file_load(write_file(text), &file, &error), 0);
	const struct rig_options options = {.run_directory = run_directory, .buses_only = buses_only};
	if (rig_start(file, loop, timeline, &options, &rig, &error) < 0) {
		ck_assert_str_ne(error.message, "");
		return NULL;
	}
	return rig_bus_find(rig, bus);
}

static struct rig_bus *start(const char *bus)
{
	struct rig_bus *found = start_in(bus, directory, true);
	ck_assert_msg(found != NULL, "%s", error.message);
	return found;
}

struct wanted {
	const char *kind;
	const struct event *found;
};

static bool is_kind(const struct event *event, void *context)
{
	return !strcmp(event->kind, ((struct wanted *)context)->kind);
}

static bool event_came(void *context)
{
	struct wanted *wanted = context;
	wanted->found = timeline_find(timeline, 0, is_kind, wanted);
	return wanted->found != NULL;
}

/* The first event of this kind as text, "" when none comes. */
static const char *event_text(const char *kind)
{
	static char text[1024];
	struct wanted wanted = {.kind = kind};
	text[0] = '\0';
	if (loop_until(loop, event_came, &wanted, loop_now_ns() + INT64_C(20000000000)) < 0)
		return text;
	ck_assert_int_eq(strncmp(wanted.found->channel, "can:", 4), 0);
	char *dumped = json_dumps(wanted.found->data, JSON_COMPACT | JSON_SORT_KEYS);
	snprintf(text, sizeof(text), "%s", dumped);
	free(dumped);
	return text;
}

static void read_log(char *text, size_t size)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/can.log", directory);
	FILE *in = fopen(path, "r");
	ck_assert_ptr_nonnull(in);
	text[fread(text, 1, size - 1, in)] = '\0';
	fclose(in);
}

static unsigned observed, transmitted;

static void observe(const struct can_message *message, bool is_transmitted, void *context)
{
	struct rig_bus *bus = context;
	observed++;
	transmitted += is_transmitted;
	if (is_transmitted)
		rig_bus_unobserve(bus, observe, bus);
}

static bool is_transmitted(void *context)
{
	return transmitted > 0;
}

START_TEST(frames_are_seen)
{
	struct rig_bus *bus = start("echo");
	struct can_message message = {.id = 0x123, .flags = CAN_MESSAGE_FD | CAN_MESSAGE_BRS, .length = 2, .data = {0xAB, 0xCD}};
	char log[1024];
	observed = transmitted = 0;
	ck_assert_int_eq(rig_bus_observe(bus, observe, bus, &error), 0);
	ck_assert_str_eq(event_text("can.rx"), "{\"begin_ns\":5,\"flags\":[\"fd\",\"brs\"],\"hex\":\"6869\",\"id\":257,\"length\":2}");
	ck_assert_int_eq(can_send(rig_bus_channel(bus), &message, NULL, &error), 0);
	ck_assert_int_eq(loop_until(loop, is_transmitted, NULL, loop_now_ns() + INT64_C(20000000000)), 0);
	ck_assert_str_eq(event_text("can.tx"), "{\"flags\":[\"fd\",\"brs\"],\"hex\":\"abcd\",\"id\":291,\"length\":2}");
	ck_assert_uint_eq(observed, 2);
	ck_assert_int_eq(can_send(rig_bus_channel(bus), &message, NULL, &error), 0);
	ck_assert_int_eq(loop_until(loop, NULL, NULL, loop_now_ns() + 50000000), -ETIMEDOUT);
	ck_assert_uint_eq(observed, 2); /* it had enough */
	read_log(log, sizeof(log));
	ck_assert_ptr_nonnull(strstr(log, ") echo 101##16869\n"));
	ck_assert_ptr_nonnull(strstr(log, ") echo 123##1ABCD\n"));
	ck_assert_str_eq(event_text("can.error"), "{\"id\":257,\"kind\":\"crc\"}");
	ck_assert_str_eq(event_text("can.lost"), "{\"count\":3}");
	ck_assert_str_eq(event_text("can.state"), "{\"node\":\"ecu\",\"rec\":0,\"state\":\"error-passive\",\"tec\":128}");
}
END_TEST

START_TEST(injection)
{
	struct rig_bus *bus = start("echo");
	json_t *answer = NULL;
	ck_assert_int_eq(rig_bus_inject(bus, json_pack("{s:s,s:i}", "cmd", "corrupt", "id", 0x101), &error), 0);
	ck_assert_str_eq(event_text("can.fault"), "{\"action\":\"corrupt\",\"id\":257}");
	ck_assert_int_eq(rig_bus_inject_answer(bus, json_pack("{s:s}", "cmd", "status"), &answer, &error), 0);
	ck_assert_int_eq(json_array_size(json_object_get(answer, "nodes")), 2);
	json_decref(answer);
	ck_assert_int_eq(rig_bus_inject(bus, json_pack("{s:s}", "cmd", "nonsense"), &error), -EREMOTEIO);
	ck_assert_ptr_nonnull(strstr(error.message, "unheard of"));
	ck_assert_int_eq(rig_restore(rig, &error), 0);
	ck_assert_int_eq(rig_bus_inject_answer(bus, json_pack("{s:s}", "cmd", "status"), &answer, &error), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(answer, "restored")), 1);
	json_decref(answer);
	ck_assert_int_eq(rig_restore(rig, &error), 0); /* nothing was injected since */
	ck_assert_int_eq(rig_bus_inject_answer(bus, json_pack("{s:s}", "cmd", "status"), &answer, &error), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(answer, "restored")), 1);
	json_decref(answer);
}
END_TEST

static bool is_gone(void *context)
{
	return rig_check(rig, NULL) < 0;
}

START_TEST(bus_dies)
{
	struct rig_bus *bus = start("dies");
	ck_assert_int_eq(loop_until(loop, is_gone, NULL, loop_now_ns() + INT64_C(20000000000)), 0);
	ck_assert_int_lt(rig_check(rig, &error), 0);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_ptr_nonnull(strstr(error.message, "dies"));
	/* Its exit or its closed socket: whichever came first. */
	ck_assert_int_lt(rig_bus_inject(bus, json_pack("{s:s}", "cmd", "status"), &error), 0);
	rig_bus_restore(bus);
	ck_assert_int_lt(rig_restore(rig, &error), 0);
}
END_TEST

START_TEST(bus_drops_harness)
{
	struct rig_bus *bus = start("drops");
	ck_assert_int_eq(loop_until(loop, is_gone, NULL, loop_now_ns() + INT64_C(20000000000)), 0);
	ck_assert_int_lt(rig_bus_check(bus, &error), 0);
	ck_assert_ptr_null(rig_bus_channel(bus));
	ck_assert_ptr_nonnull(strstr(error.message, "the virtual bus is gone"));
}
END_TEST

/* It answers, it carries frames, and hangs before it ever told its load. */
START_TEST(bus_never_gives_a_sign_of_life)
{
	int64_t begin_ns = loop_now_ns();
	start("echo");
	ck_assert_int_eq(rig_check(rig, &error), 0);
	ck_assert_int_eq(loop_until(loop, is_gone, NULL, begin_ns + INT64_C(20000000000)), 0);
	ck_assert_int_lt(rig_check(rig, &error), 0);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_msg(strstr(error.message, "stands still") != NULL, "%s", error.message);
	ck_assert_int_lt(loop_now_ns() - begin_ns, INT64_C(19000000000));
}
END_TEST

static bool was_deaf(void *context)
{
	return rig_bus_deaf_ns(context) > 0;
}

START_TEST(deaf_node_is_known)
{
	struct rig_bus *bus = start("deafens");
	int64_t begin_ns = loop_now_ns();
	ck_assert_int_eq(loop_until(loop, was_deaf, bus, begin_ns + INT64_C(20000000000)), 0);
	ck_assert_str_eq(event_text("can.state"), "{\"node\":\"harness\",\"rec\":0,\"state\":\"bus-off\",\"tec\":256}");
	ck_assert_int_ge(rig_bus_deaf_ns(bus), begin_ns); /* as long as it lasts: now */
	ck_assert_int_le(rig_bus_deaf_ns(bus), loop_now_ns());
	rig_stop(rig);
	rig_file_free(file);
	rig = NULL;
	file = NULL;
	bus = start("echo");
	ck_assert_int_eq(loop_until(loop, NULL, NULL, loop_now_ns() + 50000000), -ETIMEDOUT);
	ck_assert_int_eq(rig_bus_deaf_ns(bus), 0);
}
END_TEST

/* ---- folders ---- */

static PRINTF_LIKE(1, 2) char *make_folder(const char *format, ...)
{
	static char path[PATH_MAX];
	char name[128], inside[PATH_MAX + 16];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(name, sizeof(name), format, arguments);
	va_end(arguments);
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(inside, sizeof(inside), "%s/can.log", path);
	int fd = open(inside, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	return path;
}

static PRINTF_LIKE(1, 2) bool is_there(const char *format, ...)
{
	char name[128], path[PATH_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(name, sizeof(name), format, arguments);
	va_end(arguments);
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

START_TEST(folders_of_the_dead_are_removed)
{
	struct bus_folder *own;
	char inside[PATH_MAX], link[PATH_MAX];
	pid_t dead = fork();
	if (dead == 0)
		_exit(0);
	waitpid(dead, NULL, 0);
	ck_assert_int_eq(bus_folder_new(&own, directory, "t", &error), 0);
	make_folder("t-%ld-77-abcdef", (long)dead);
	make_folder("t-%ld-78-abcdef", (long)getpid()); /* this process began at another time */
	make_folder("t-%ld-79-abcdefg", (long)dead);    /* none of ours */
	make_folder("u-%ld-80-abcdef", (long)dead);
	make_folder("t-x-80-abcdef");
	snprintf(link, sizeof(link), "%s/t-%ld-81-abcdef", directory, (long)dead);
	ck_assert_int_eq(symlink(make_folder("elsewhere"), link), 0);
	int held = open(make_folder("t-%ld-82-abcdef", (long)dead), O_RDONLY | O_DIRECTORY); /* alive in another PID namespace */
	ck_assert_int_eq(flock(held, LOCK_EX), 0);
	ck_assert_uint_eq(bus_folder_sweep(directory, "t"), 2);
	ck_assert(!is_there("t-%ld-77-abcdef", (long)dead) && !is_there("t-%ld-78-abcdef", (long)getpid()));
	ck_assert(is_there("t-%ld-79-abcdefg", (long)dead) && is_there("u-%ld-80-abcdef", (long)dead));
	ck_assert(is_there("t-x-80-abcdef") && is_there("t-%ld-81-abcdef", (long)dead));
	ck_assert(is_there("t-%ld-82-abcdef/can.log", (long)dead) && is_there("elsewhere/can.log"));
	close(held);
	ck_assert_int_eq(access(bus_folder_path(own), F_OK), 0);
	snprintf(inside, sizeof(inside), "%s", bus_folder_path(own));
	bus_folder_free(own);
	ck_assert_int_lt(access(inside, F_OK), 0);
	ck_assert_int_lt(bus_folder_new(&own, "/nonexistent", "t", &error), 0);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
}
END_TEST

START_TEST(bus_never_listens)
{
	ck_assert_ptr_null(start_in("deaf", directory, true));
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_ptr_nonnull(strstr(error.message, "bus deaf"));
}
END_TEST

/* A board on the bus is told where; a run directory with a long name does not matter. */
START_TEST(board_is_wired)
{
	char deep[PATH_MAX], path[PATH_MAX + 64], arguments[4096] = "";
	snprintf(deep, sizeof(deep), "%s/%0120d", directory, 0);
	pid_t pid = fork();
	if (pid == 0) {
		execlp("mkdir", "mkdir", deep, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	struct rig_bus *bus = start_in("echo", deep, false);
	ck_assert_msg(bus != NULL, "%s", error.message);
	snprintf(path, sizeof(path), "%s/vboard-zgw.log", deep);
	FILE *in = fopen(path, "r");
	ck_assert_ptr_nonnull(in);
	ck_assert_ptr_nonnull(fgets(arguments, sizeof(arguments), in));
	fclose(in);
	const char *wired = strstr(arguments, "--can 1=/tmp/hilbench-bus-");
	ck_assert_msg(wired != NULL, "%s", arguments);
	snprintf(path, sizeof(path), "%.*s", (int)strcspn(wired + 8, " \n"), wired + 8);
	ck_assert_int_eq(access(path, F_OK), 0);
	rig_stop(rig);
	rig = NULL;
	ck_assert_int_lt(access(path, F_OK), 0);
	*strrchr(path, '/') = '\0';
	ck_assert_int_lt(access(path, F_OK), 0);
}
END_TEST

START_TEST(real_bus)
{
	const char *text = HEAD "buses: {a: {driver: cannelloni-udp, address: \"127.0.0.1:39001,127.0.0.1:39002\"},"
	                        " b: {driver: cannelloni-udp, address: \"127.0.0.1:39002,127.0.0.1:39001\"}}\n";
	struct can_message message = {.id = 0x123, .length = 1, .data = {7}};
	ck_assert_int_eq(rig_file_load(write_file(text), &file, &error), 0);
	const struct rig_options options = {.run_directory = directory, .buses_only = true};
	ck_assert_msg(rig_start(file, loop, timeline, &options, &rig, &error) == 0, "%s", error.message);
	ck_assert_uint_eq(rig_bus_count(rig), 2);
	struct rig_bus *bus = rig_bus_at(rig, 0);
	ck_assert_int_eq(rig_bus_inject(bus, json_pack("{s:s,s:b}", "cmd", "short", "on", 1), &error), -ENOTSUP);
	ck_assert_int_eq(can_send(rig_bus_channel(bus), &message, NULL, &error), 0);
	ck_assert_str_eq(event_text("can.rx"), "{\"flags\":[],\"hex\":\"07\",\"id\":291,\"length\":1}");
	ck_assert_int_eq(rig_restore(rig, &error), 0);
}
END_TEST

START_TEST(no_interface)
{
	ck_assert_int_eq(rig_file_load(write_file(HEAD "buses: {a: {driver: socketcan, interface: nocan7}}\n"), &file, &error), 0);
	const struct rig_options options = {.run_directory = directory, .buses_only = true};
	ck_assert_int_eq(rig_start(file, loop, timeline, &options, &rig, &error), -ENODEV);
	ck_assert_ptr_nonnull(strstr(error.message, "nocan7"));
}
END_TEST

/* ---- the fake vbus ---- */

static const char *option_of(int argc, char **argv, const char *name)
{
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], name))
			return argv[i + 1];
	return "";
}

static void answer(FILE *control, json_t *request, unsigned *restored)
{
	static const char *const known[] = {"status", "corrupt", "short", "silence", "restore"};
	const char *command = json_string_value(json_object_get(request, "cmd"));
	int id = (int)json_integer_value(json_object_get(request, "id"));
	bool good = false;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		good = good || !strcmp(command, known[i]);
	if (!strcmp(command, "corrupt") && json_integer_value(json_object_get(request, "can_id")) != 0x101)
		good = false;
	*restored += !strcmp(command, "restore");
	if (good)
		fprintf(control,
		        "{\"id\":%d,\"ok\":true,\"t\":1,\"restored\":%u,\"nodes\":[{\"node\":0,\"name\":\"harness\"},"
		        "{\"node\":6,\"name\":\"ecu\"}]}\n",
		        id, *restored);
	else
		fprintf(control, "{\"id\":%d,\"ok\":false,\"error\":\"unheard of\"}\n", id);
	fflush(control);
}

static void say(int node, const void *data, size_t length)
{
	if (send(node, data, length, MSG_NOSIGNAL) < 0)
		_exit(3);
}
#define SAY(node, text) say(node, text, sizeof(text) - 1)

static void serve_node(int node, const char *mode)
{
	uint8_t message[128];
	ssize_t n = recv(node, message, sizeof(message), 0);
	if (n <= 0) {
		close(node);
		return;
	}
	if (message[0] == 'A' && !strcmp(mode, "dies"))
		_exit(7);
	if (message[0] == 'A' && !strcmp(mode, "drops"))
		shutdown(node, SHUT_RDWR);
	if (message[0] == 'A' && !strcmp(mode, "deafens")) {
		SAY(node, "S\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
		SAY(node, "S\0\0\0\0\0\0\0\0\0\0\x03\0\x01\0\0");
	}
	if (message[0] == 'A' && !strcmp(mode, "echo")) {
		SAY(node, "S\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");       /* its own */
		SAY(node, "S\0\0\0\0\0\0\0\0\x06\0\x02\x80\0\0\0"); /* of node 6 */
		SAY(node, "R\x05\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\x06\0\x01\x01\0\0\x0c\x02hi");
		SAY(node, "E\0\0\0\0\0\0\0\0\x06\0\x05\x01\x01\0\0\x0c");
		SAY(node, "O\x03\0\0\0");
	}
	if (message[0] == 'T') {
		uint8_t confirmed[13] = {'C', message[1], message[2], message[3], message[4]};
		say(node, confirmed, sizeof(confirmed));
	}
}

static int fake_vbus(int argc, char **argv)
{
	const char *mode = option_of(argc, argv, "--name");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	FILE *control = fdopen(3, "r+");
	char line[4096];
	unsigned restored = 0;
	int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0), node = -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", option_of(argc, argv, "--listen"));
	if (!control || strcmp(option_of(argc, argv, "--nominal"), "500000") || strcmp(option_of(argc, argv, "--data"), "2000000"))
		return 4;
	setvbuf(control, NULL, _IONBF, 0); /* two requests at once: the second must stay where poll() sees it */
	if (strcmp(mode, "deaf") && (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 4) < 0))
		return 5;
	for (;;) {
		struct pollfd pollers[] = {{3, POLLIN, 0}, {listener, POLLIN, 0}, {node, POLLIN, 0}};
		if (poll(pollers, 3, -1) < 0)
			return 6;
		if (pollers[0].revents) {
			if (!fgets(line, sizeof(line), control))
				return 0;
			json_t *request = json_loads(line, 0, NULL);
			answer(control, request, &restored);
			json_decref(request);
		}
		if (pollers[1].revents & POLLIN)
			node = accept(listener, NULL, NULL);
		else if (pollers[2].revents)
			serve_node(node, mode);
		if (pollers[2].revents & POLLHUP)
			node = -1;
	}
}

static int fake_vboard(int argc, char **argv)
{
	FILE *control = fdopen(3, "r+");
	char line[4096];
	for (int i = 1; i < argc; i++)
		printf("%s ", argv[i]);
	puts("");
	fflush(stdout);
	while (control && fgets(line, sizeof(line), control)) {
		json_t *request = json_loads(line, 0, NULL);
		fprintf(control, "{\"id\":%d,\"ok\":true,\"t\":1}\n", (int)json_integer_value(json_object_get(request, "id")));
		fflush(control);
		json_decref(request);
	}
	return 0;
}

static const char *const fakes[] = {"vboard", "vbus"};

static void install_fakes(void)
{
	static char place[] = "/tmp/test-bus-programs-XXXXXX";
	char self[PATH_MAX] = "", path[PATH_MAX];
	if (!mkdtemp(place) || readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
		abort();
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", place, fakes[i]);
		if (symlink(self, path) < 0)
			abort();
	}
	setenv(PROGRAMS_VARIABLE, place, 1);
}

static void remove_fakes(void)
{
	char path[PATH_MAX];
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", getenv(PROGRAMS_VARIABLE), fakes[i]);
		unlink(path);
	}
	rmdir(getenv(PROGRAMS_VARIABLE));
}

static Suite *bus_suite(void)
{
	Suite *suite = suite_create("buses");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 60);
	tcase_add_loop_test(all, file_mistakes, 0, (int)(sizeof(mistakes) / sizeof(*mistakes)));
	tcase_add_test(all, file_answers);
	tcase_add_test(all, frames_are_seen);
	tcase_add_test(all, injection);
	tcase_add_test(all, bus_dies);
	tcase_add_test(all, bus_drops_harness);
	tcase_add_test(all, bus_never_listens);
	tcase_add_test(all, bus_never_gives_a_sign_of_life);
	tcase_add_test(all, deaf_node_is_known);
	tcase_add_test(all, folders_of_the_dead_are_removed);
	tcase_add_test(all, board_is_wired);
	tcase_add_test(all, real_bus);
	tcase_add_test(all, no_interface);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];
	if (!strcmp(name, "vbus"))
		return fake_vbus(argc, argv);
	if (!strcmp(name, "vboard"))
		return fake_vboard(argc, argv);
	install_fakes();
	SRunner *runner = srunner_create(bus_suite());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	remove_fakes();
	return failed != 0;
}
