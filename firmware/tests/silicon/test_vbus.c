/* SPDX-License-Identifier: Apache-2.0 */
/* The bus's program for real: nodes on sockets, gateways, its control channel. */
#include "../../silicon/vbus_cannelloni.h"
#include "../../silicon/vbus_message.h"
#include "../../silicon/vbus_msgpack.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS    20000
#define INTEGRATION_NS 22000 /* 11 bits at 500 kbit/s */

static char folder[64], path[96];
static pid_t pid;
static int control;

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static json_t *ask(const char *fields)
{
	char text[16384];
	size_t length = 0;
	const int n = snprintf(text, sizeof text, "{\"id\":1,%s}\n", fields);
	ck_assert_int_eq(send(control, text, (size_t)n, MSG_NOSIGNAL), n);
	while (length == 0 || text[length - 1] != '\n') {
		struct pollfd fd = {.fd = control, .events = POLLIN};
		ck_assert_msg(poll(&fd, 1, PATIENCE_MS) == 1, "no answer to %s", fields);
		ssize_t got = recv(control, text + length, sizeof text - length, 0);
		ck_assert_int_gt(got, 0);
		length += (size_t)got;
	}
	json_t *answer = json_loadb(text, length, 0, NULL);
	ck_assert_ptr_nonnull(answer);
	return answer;
}

static void command(const char *fields)
{
	json_t *answer = ask(fields);
	ck_assert_msg(json_is_true(json_object_get(answer, "ok")), "%s: %s", fields, json_string_value(json_object_get(answer, "error")));
	json_decref(answer);
}

static void refused(const char *fields)
{
	json_t *answer = ask(fields);
	ck_assert_msg(json_is_false(json_object_get(answer, "ok")), "%s was taken", fields);
	json_decref(answer);
}

static json_int_t status_of(const char *name, const char *key)
{
	json_t *answer = ask("\"cmd\":\"status\""), *node;
	size_t i;
	json_int_t value = json_integer_value(json_object_get(answer, key));
	json_array_foreach (json_object_get(answer, "nodes"), i, node) {
		if (name && strcmp(json_string_value(json_object_get(node, "name")), name) == 0)
			value = json_integer_value(json_object_get(node, key));
	}
	json_decref(answer);
	return value;
}

static void start(const char *option, const char *value)
{
	int pair[2];
	char number[12];
	snprintf(folder, sizeof folder, "/tmp/vbus-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/bus", folder);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		fcntl(pair[1], F_SETFD, 0);
		snprintf(number, sizeof number, "%d", pair[1]);
		execl(getenv("TEST_VBUS"), "vbus", "--name", "can0", "--listen", path, "--nominal", "500000", "--data", "2000000",
		      "--control-fd", number, option, value, (char *)NULL);
		_exit(99);
	}
	close(pair[1]);
	control = pair[0];
	json_decref(ask("\"cmd\":\"status\""));
}

static void finish(void)
{
	int status;
	close(control);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ck_assert_int_ne(access(path, F_OK), 0);
	rmdir(folder);
}

static int dial(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

/* The next message; its length, 0 when none comes. */
static size_t next(int fd, uint8_t *message, int patience_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	if (poll(&p, 1, patience_ms) != 1)
		return 0;
	ssize_t n = recv(fd, message, VBUS_MESSAGE_MAX, 0);
	return n > 0 ? (size_t)n : 0;
}

/* The next message of that kind; others are passed over. */
static size_t expect(int fd, char kind, uint8_t *message)
{
	size_t n;
	while ((n = next(fd, message, PATIENCE_MS)) > 0 && message[0] != (uint8_t)kind)
		;
	ck_assert_msg(n > 0, "no message %c", kind);
	return n;
}

static int attach(const char *name, uint8_t flags)
{
	uint8_t message[VBUS_MESSAGE_MAX] = {'A', flags};
	int fd = dial();
	memcpy(message + 2, name, strlen(name));
	ck_assert_int_gt(send(fd, message, 2 + strlen(name), 0), 0);
	expect(fd, 'S', message);
	/* The node hears what begins 11 bits later, by the clock of the bus. */
	const json_int_t from_ns = status_of(NULL, "t");
	while (status_of(NULL, "t") < from_ns + INTEGRATION_NS)
		;
	return fd;
}

static void transmit(int fd, uint32_t ticket, uint32_t id, uint8_t flags, uint8_t length)
{
	uint8_t message[VBUS_MESSAGE_MAX] = {'T'};
	memcpy(message + 1, &ticket, 4);
	memcpy(message + 5, &id, 4);
	message[9] = flags;
	message[10] = length;
	for (int i = 0; i < length; i++)
		message[11 + i] = (uint8_t)i;
	ck_assert_int_gt(send(fd, message, 11u + length, 0), 0);
}

static uint64_t number(const uint8_t *bytes, int count)
{
	uint64_t value = 0;
	while (count-- > 0)
		value = value << 8 | bytes[count];
	return value;
}

START_TEST(three_nodes)
{
	uint8_t message[VBUS_MESSAGE_MAX];
	start(NULL, NULL);
	int a = attach("a", 0), b = attach("b", VBUS_RECEIVE_OWN), c = attach("c", VBUS_OBSERVER);
	const uint64_t from_ns = now_ns();
	transmit(b, 7, 0x101, CANBUS_FD | CANBUS_BRS, 16);
	ck_assert_uint_eq(expect(b, 'R', message), 25 + 16);
	ck_assert_uint_eq(expect(b, 'C', message), 13);
	ck_assert_uint_eq(number(message + 1, 4), 7);
	const uint64_t end_ns = number(message + 5, 8);
	ck_assert_uint_ge(end_ns, from_ns + 130000);
	ck_assert_uint_le(end_ns, now_ns());
	ck_assert_uint_eq(expect(a, 'R', message), 25 + 16);
	ck_assert_uint_eq(number(message + 9, 8), end_ns);
	ck_assert_uint_eq(number(message + 17, 2), 1);
	ck_assert_uint_eq(number(message + 19, 4), 0x101);
	ck_assert_uint_eq(message[40], 15);
	expect(c, 'R', message);
	ck_assert_uint_eq(expect(c, 'L', message), 19);
	ck_assert_uint_eq(number(message + 11, 4), 1);
	command("\"cmd\":\"corrupt\",\"can_id\":257,\"count\":2");
	transmit(a, 8, 0x101, 0, 2);
	ck_assert_uint_eq(expect(c, 'E', message), 17);
	ck_assert_uint_eq(message[11], CANBUS_ERROR_BIT);
	ck_assert_uint_eq(number(message + 12, 4), 0x101);
	expect(c, 'E', message);
	expect(a, 'C', message);
	ck_assert_int_eq(status_of(NULL, "errors"), 2);
	ck_assert_int_eq(status_of("a", "tec"), 15);
	close(a);
	close(b);
	close(c);
	finish();
}
END_TEST

START_TEST(faults_by_command)
{
	uint8_t message[VBUS_MESSAGE_MAX];
	start(NULL, NULL);
	int a = attach("a", 0), b = attach("b", 0);
	command("\"cmd\":\"short\",\"on\":true");
	transmit(a, 1, 5, 0, 1);
	ck_assert_uint_eq(expect(a, 'N', message), 6);
	ck_assert_uint_eq(message[5], CANBUS_REASON_BUS_OFF);
	command("\"cmd\":\"short\",\"on\":false");
	ck_assert_int_eq(send(a, "B", 1, 0), 1);
	do
		expect(a, 'S', message);
	while (message[11] != CANBUS_ACTIVE);
	command("\"cmd\":\"silence\",\"node\":\"b\",\"on\":true");
	transmit(a, 2, 5, 0, 1);
	ck_assert_uint_eq(next(b, message, 50), 0);
	command("\"cmd\":\"silence\",\"node\":\"b\",\"on\":false");
	expect(b, 'R', message);
	expect(a, 'C', message);
	refused("\"cmd\":\"silence\",\"node\":\"z\",\"on\":true");
	refused("\"cmd\":\"short\"");
	refused("\"cmd\":\"corrupt\"");
	refused("\"cmd\":\"corrupt\",\"can_id\":1,\"kind\":\"odd\"");
	refused("\"cmd\":\"corrupt\",\"can_id\":1,\"nth\":0");
	refused("\"cmd\":\"jump\"");
	finish();
}
END_TEST

/* A node that does not read loses frames, is told how many at the right place, and disturbs nobody. */
START_TEST(slow_receiver)
{
	uint8_t message[VBUS_MESSAGE_MAX];
	enum { FRAMES = 7000 };
	uint32_t got = 0, lost = 0, sent = 0, confirmed = 0, gaps = 0;
	start(NULL, NULL);
	int slow = attach("slow", 0), quick = attach("quick", 0);
	while (confirmed < FRAMES) {
		for (; sent < FRAMES && sent - confirmed < 12; sent++)
			transmit(quick, sent, 1, 0, 0);
		expect(quick, 'C', message);
		ck_assert_uint_eq(number(message + 1, 4), confirmed);
		confirmed++;
	}
	while (got + lost < FRAMES) {
		ck_assert_uint_gt(next(slow, message, PATIENCE_MS), 0);
		got += message[0] == 'R';
		if (message[0] == 'O') {
			lost += (uint32_t)number(message + 1, 4);
			gaps++;
		}
	}
	ck_assert_uint_eq(got + lost, FRAMES);
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_eq(gaps, 1);
	ck_assert_int_eq(status_of("slow", "lost"), lost);
	transmit(quick, 1, 2, 0, 0);
	expect(slow, 'R', message);
	finish();
}
END_TEST

START_TEST(garbage_of_nodes)
{
	uint8_t message[VBUS_MESSAGE_MAX];
	char rubbish[512];
	start(NULL, NULL);
	int good = attach("good", 0), bad = attach("bad", 0), wild = dial();
	ck_assert_int_gt(send(wild, "T123", 4, 0), 0); /* no attach */
	ck_assert_uint_eq(next(wild, message, PATIENCE_MS), 0);
	srand(4711);
	for (int i = 0; i < 3000; i++) {
		size_t length = (size_t)(rand() % (int)sizeof rubbish) + 1;
		for (size_t k = 0; k < length; k++)
			rubbish[k] = (char)rand();
		rubbish[0] = (char)(rubbish[0] & 0x7F);
		if (strchr("AXBT", rubbish[0]))
			rubbish[0] = '?';
		ck_assert_int_gt(send(bad, rubbish, length, 0), 0);
	}
	transmit(good, 1, 1, 0, 8);
	expect(good, 'C', message);
	expect(bad, 'R', message);
	ck_assert_int_eq(status_of("bad", "garbage"), 3000);
	transmit(bad, 9, 0x800, 0, 0);
	expect(bad, 'N', message);
	ck_assert_uint_eq(message[5], CANBUS_REASON_ILLEGAL);
	finish();
}
END_TEST

static uint16_t free_port(int type)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, type, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	getsockname(fd, (struct sockaddr *)&address, &length);
	close(fd);
	return ntohs(address.sin_port);
}

static const struct canbus_frame demo = {.id = 0x101, .flags = CANBUS_FD | CANBUS_BRS, .length = 16, .data = {1, 2, 3}};

START_TEST(cannelloni_datagrams)
{
	uint8_t message[VBUS_MESSAGE_MAX], bytes[CANNELLONI_PACKET_MAX];
	char option[64];
	struct canbus_frame frame;
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, bus = own;
	own.sin_port = htons(free_port(SOCK_DGRAM));
	bus.sin_port = htons(free_port(SOCK_DGRAM));
	snprintf(option, sizeof option, "127.0.0.1:%u,127.0.0.1:%u", ntohs(bus.sin_port), ntohs(own.sin_port));
	start("--cannelloni-udp", option);
	int tool = socket(AF_INET, SOCK_DGRAM, 0), node = attach("node", 0);
	ck_assert_int_eq(bind(tool, (struct sockaddr *)&own, sizeof own), 0);
	ck_assert_int_eq(connect(tool, (struct sockaddr *)&bus, sizeof bus), 0);
	/* Garbage first: none of it acknowledges for the tool or reaches the bus. */
	for (int i = 0; i < 1000; i++)
		send(tool, "\2\0\0\0\1garbage", 12, 0);
	send(tool, "", 0, 0);
	transmit(node, 1, 0x10, 0, 1);
	while (next(node, message, 100) > 0)
		ck_assert(message[0] == 'S' || message[0] == 'E');

	const size_t n = cannelloni_packet_encode(bytes, 0, &demo);
	ck_assert_int_eq(send(tool, bytes, n, 0), (ssize_t)n);
	unsigned received = 0, confirmed = 0; /* now it acknowledges; which comes first is a matter of chance */
	while (received + confirmed < 2) {
		ck_assert_uint_gt(next(node, message, PATIENCE_MS), 0);
		confirmed += message[0] == 'C';
		if (message[0] != 'R')
			continue;
		received++;
		ck_assert_uint_eq(number(message + 19, 4), 0x101);
		ck_assert_uint_eq(message[23], demo.flags);
	}
	ck_assert_uint_eq(received, 1);
	ck_assert_int_eq(recv(tool, bytes, sizeof bytes, 0), 5 + 5 + 1);
	ck_assert_int_eq(cannelloni_packet_decode(bytes, 11, &frame, 1), 1);
	ck_assert_uint_eq(frame.id, 0x10);
	ck_assert_int_ge(status_of("cannelloni-udp", "garbage"), 100); /* what the kernel's queue had room for */
	ck_assert_int_eq(status_of("cannelloni-udp", "received"), 1);
	finish();
}
END_TEST

START_TEST(cannelloni_stream)
{
	uint8_t message[VBUS_MESSAGE_MAX], bytes[4096];
	char option[64];
	struct canbus_frame frame;
	bool error_frame;
	struct sockaddr_in bus = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	bus.sin_port = htons(free_port(SOCK_STREAM));
	snprintf(option, sizeof option, ":%u", ntohs(bus.sin_port));
	start("--cannelloni-tcp", option);
	int tool = socket(AF_INET, SOCK_STREAM, 0), node = attach("node", 0);
	ck_assert_int_eq(connect(tool, (struct sockaddr *)&bus, sizeof bus), 0);
	ck_assert_int_eq(recv(tool, bytes, 12, MSG_WAITALL), 12);
	ck_assert_int_eq(memcmp(bytes, "CANNELLONIv1", 12), 0);
	/* 60 frames in one piece, more than a node's queue, then one byte after the other. */
	size_t n = 12;
	for (int i = 0; i < 60; i++) {
		frame = demo;
		frame.id = 0x200 + (uint32_t)i;
		n += cannelloni_frame_encode(bytes + n, &frame);
	}
	ck_assert_int_eq(send(tool, bytes, n, 0), (ssize_t)n);
	for (uint32_t i = 0; i < 60; i++) {
		expect(node, 'R', message);
		ck_assert_uint_eq(number(message + 19, 4), 0x200 + i);
	}
	n = cannelloni_frame_encode(bytes, &demo);
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(send(tool, bytes + i, 1, 0), 1);
	expect(node, 'R', message);
	transmit(node, 1, 0x10, CANBUS_EXTENDED, 8);
	ck_assert_int_eq(recv(tool, bytes, 13, MSG_WAITALL), 13);
	ck_assert_int_eq(cannelloni_frame_decode(bytes, 13, &frame, &error_frame), 13);
	ck_assert_uint_eq(frame.flags, CANBUS_EXTENDED);
	send(tool, "\0\0\0\1\377garbage", 12, 0);
	ck_assert_int_eq(recv(tool, bytes, 1, 0), 0); /* closed */
	tool = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(tool, (struct sockaddr *)&bus, sizeof bus), 0);
	send(tool, "HTTP", 4, 0);
	ck_assert_int_eq(recv(tool, bytes, 12, MSG_WAITALL), 12);
	ck_assert_int_le(recv(tool, bytes, 1, 0), 0);
	expect(node, 'C', message);
	finish();
}
END_TEST

START_TEST(multicast)
{
	uint8_t message[VBUS_MESSAGE_MAX], bytes[512];
	char option[64];
	struct canbus_frame frame;
	bool error_frame;
	const struct in_addr loopback = {htonl(INADDR_LOOPBACK)};
	struct sockaddr_in group = {.sin_family = AF_INET, .sin_port = htons(free_port(SOCK_DGRAM))};
	inet_pton(AF_INET, "239.74.163.2", &group.sin_addr);
	const struct ip_mreqn membership = {.imr_multiaddr = group.sin_addr, .imr_address = loopback, .imr_ifindex = 1};
	snprintf(option, sizeof option, "239.74.163.2:%u", ntohs(group.sin_port));
	start("--multicast", option);
	int out = socket(AF_INET, SOCK_DGRAM, 0), in = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
	setsockopt(in, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	ck_assert_int_eq(bind(in, (struct sockaddr *)&group, sizeof group), 0);
	ck_assert_int_eq(setsockopt(in, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof membership), 0);
	ck_assert_int_eq(setsockopt(out, IPPROTO_IP, IP_MULTICAST_IF, &membership, sizeof membership), 0);
	int node = attach("node", 0), other = attach("other", 0);
	size_t n = vbus_msgpack_encode(bytes, &demo, 0);
	ck_assert_int_eq(sendto(out, bytes, n, 0, (struct sockaddr *)&group, sizeof group), (ssize_t)n);
	expect(node, 'R', message);
	ck_assert_uint_eq(number(message + 19, 4), 0x101);
	ck_assert_int_eq(recv(in, bytes, sizeof bytes, 0), (ssize_t)n);
	transmit(node, 1, 0x22, CANBUS_FD, 64);
	expect(other, 'R', message);
	expect(other, 'R', message);
	ck_assert_uint_eq(number(message + 19, 4), 0x22);
	ssize_t got = recv(in, bytes, sizeof bytes, 0);
	ck_assert(got > 0 && vbus_msgpack_decode(bytes, (size_t)got, &frame, &error_frame));
	ck_assert_uint_eq(frame.id, 0x22);
	ck_assert_uint_eq(frame.length, 64);
	ck_assert_uint_eq(next(other, message, 50), 0); /* its own datagram came back to the bus, which does not take it */
	sendto(out, "\x81\xa1x", 3, 0, (struct sockaddr *)&group, sizeof group);
	const uint64_t limit_ns = now_ns() + PATIENCE_MS * UINT64_C(1000000);
	while (status_of("udp-multicast", "garbage") == 0)
		ck_assert_uint_lt(now_ns(), limit_ns);
	ck_assert_int_eq(status_of("udp-multicast", "received"), 1);
	finish();
}
END_TEST

static void stop_bus(void)
{
	kill(pid, SIGSTOP);
	ck_assert_int_eq(waitpid(pid, NULL, WUNTRACED), pid);
}

/* Nothing happens: no turn of the loop. And a node that is stopped for a while does not change the stamps' order. */
START_TEST(idle_and_late)
{
	uint8_t message[VBUS_MESSAGE_MAX];
	start(NULL, NULL);
	int a = attach("a", 0), b = attach("b", 0);
	char name[64];
	unsigned long before = 0, spent = 2;
	snprintf(name, sizeof name, "/proc/%d/stat", (int)pid);
	/* Again, when a turn was counted whole that was only a part. */
	for (int pass = 0; pass < 11 && (pass < 2 || spent > 1); pass++) {
		FILE *file = fopen(name, "r");
		unsigned long ticks[2];
		ck_assert_int_eq(fscanf(file, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &ticks[0], &ticks[1]), 2);
		fclose(file);
		spent = ticks[0] + ticks[1] - before;
		before += spent;
		/* a time in which nothing happens, which is what it measures */
		nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
	}
	ck_assert_uint_le(spent, 1);
	/* Sent while it is stopped, so that it takes them all in one turn, however late the last one is sent. */
	stop_bus();
	for (uint32_t i = 0; i < 16; i++)
		transmit(a, i, 0x100, 0, 8);
	kill(pid, SIGCONT);
	expect(b, 'R', message);
	stop_bus();
	/* Longer than its frames take: what it has to make up for is time, in which nothing happens. */
	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	kill(pid, SIGCONT);
	uint64_t end_ns = number(message + 9, 8);
	for (int i = 1; i < 16; i++) {
		expect(b, 'R', message);
		ck_assert_uint_eq(number(message + 1, 8), end_ns + 6000); /* the intermission, as if it had never stopped */
		end_ns = number(message + 9, 8);
	}
	finish();
}
END_TEST

START_TEST(command_line)
{
	static const char *const bad[][3] = {{"--nominal", "1", NULL}, {"--multicast", "127.0.0.1:5", NULL}, {"--what", "1", NULL}};
	char log[96];
	snprintf(folder, sizeof folder, "/tmp/vbus-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/bus", folder);
	snprintf(log, sizeof log, "%s/log", folder);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int status;
		pid_t child = fork();
		if (child == 0) {
			int fd = open(log, O_WRONLY | O_CREAT, 0600);
			dup2(fd, 2);
			execl(getenv("TEST_VBUS"), "vbus", "--name", "x", "--listen", path, "--nominal", "500000", bad[i][0], bad[i][1],
			      (char *)NULL);
			_exit(99);
		}
		waitpid(child, &status, 0);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 2);
	}
	unlink(log);
	rmdir(folder);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vbus");
	TCase *tests = tcase_create("vbus");
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, three_nodes);
	tcase_add_test(tests, faults_by_command);
	tcase_add_test(tests, slow_receiver);
	tcase_add_test(tests, garbage_of_nodes);
	tcase_add_test(tests, cannelloni_datagrams);
	tcase_add_test(tests, cannelloni_stream);
	tcase_add_test(tests, multicast);
	tcase_add_test(tests, idle_and_late);
	tcase_add_test(tests, command_line);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
