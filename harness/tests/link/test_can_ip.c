/* SPDX-License-Identifier: Apache-2.0 */
/* CAN over IP on loopback: two ends of ours, a foreign end with good and bad bytes; and SocketCAN where the kernel has none. */
#include <arpa/inet.h>
#include <linux/can.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../link/can_python_frame.h"
#include "can_test.h"

static struct seen a, b;
static int foreign;

static void setup(void)
{
	can_setup();
	a = b = (struct seen){0};
	foreign = -1;
}

static void teardown(void)
{
	can_close(a.can);
	can_close(b.can);
	if (foreign >= 0)
		(void)close(foreign);
	can_teardown();
}

static struct sockaddr_in loopback(unsigned port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Every kind of frame from one end to the other, in order. */
static void exchange(struct seen *from, struct seen *to)
{
	struct can_message sent[] = {classic(1, 0),
	                             classic(0x7FF, 8),
	                             fd_frame(0x101, 16),
	                             fd_frame(2, 64),
	                             {.id = 0x1FFFFFFF, .flags = CAN_MESSAGE_EXTENDED, .length = 3, .data = {9, 8, 7}},
	                             {.id = 4, .flags = CAN_MESSAGE_REMOTE, .length = 6}};
	const unsigned count = sizeof(sent) / sizeof(*sent);
	for (unsigned i = 0; i < count; i++)
		send_can(from, &sent[i]);
	ck_assert_uint_eq(from->sent, 0); /* never from inside can_send() */
	wait_count(&to->received, count);
	wait_count(&from->sent, count);
	for (unsigned i = 0; i < count; i++) {
		ck_assert_uint_eq(to->first[i].id, sent[i].id);
		ck_assert_uint_eq(to->first[i].flags, sent[i].flags);
		ck_assert_uint_eq(to->first[i].length, sent[i].length);
		ck_assert_mem_eq(to->first[i].data, sent[i].data, CAN_MESSAGE_MAX);
	}
	ck_assert_uint_eq(from->received, 0);
	ck_assert_uint_eq(to->lost_count, 0);
}

static void many(struct seen *from, struct seen *to)
{
	struct can_message message = fd_frame(3, 64);
	unsigned before = to->received, already = from->sent;
	for (unsigned i = 0; i < 1000; i++)
		send_can(from, &message);
	wait_count(&to->received, before + 1000);
	wait_count(&from->sent, already + 1000);
	ck_assert_uint_eq(to->lost_count, 0);
}

/* ---- cannelloni over UDP ---- */

static void open_udp_pair(void)
{
	char address[64];
	unsigned first = free_port(SOCK_DGRAM), second = free_port(SOCK_DGRAM);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u,127.0.0.1:%u", first, second);
	open_can(&a, "cannelloni-udp", address);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u,127.0.0.1:%u", second, first);
	open_can(&b, "cannelloni-udp", address);
}

START_TEST(udp_exchange)
{
	struct can_counters counters;
	open_udp_pair();
	exchange(&a, &b);
	can_close(a.can);
	can_close(b.can);
	a = b = (struct seen){0};
	open_udp_pair();
	exchange(&b, &a);
	many(&b, &a);
	ck_assert_int_eq(a.last.at.source, CLOCK_SOURCE_KERNEL);
	can_counters_read(a.can, &counters);
	ck_assert_uint_eq(counters.received, 1006);
	ck_assert_uint_eq(counters.errors, 0);
}
END_TEST

static unsigned open_udp_against_foreign(void)
{
	char address[64];
	unsigned ours = free_port(SOCK_DGRAM);
	struct sockaddr_in own = loopback(0), remote = loopback(ours);
	socklen_t size = sizeof(own);
	foreign = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(foreign, (struct sockaddr *)&own, size), 0);
	ck_assert_int_eq(getsockname(foreign, (struct sockaddr *)&own, &size), 0);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u,127.0.0.1:%u", ours, ntohs(own.sin_port));
	open_can(&a, "cannelloni-udp", address);
	ck_assert_int_eq(connect(foreign, (struct sockaddr *)&remote, sizeof(remote)), 0);
	return ours;
}

#define SAY(text) ck_assert_int_eq(send(foreign, text, sizeof(text) - 1, 0), sizeof(text) - 1)
#define DEMO      "\x02\x00\x00\x00\x01\x00\x00\x01\x01\x90\x01\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x01\x0f\x8a"

START_TEST(udp_bytes)
{
	uint8_t bytes[64];
	(void)open_udp_against_foreign();
	SAY(DEMO);
	wait_count(&a.received, 1);
	ck_assert_uint_eq(a.last.id, 0x101);
	ck_assert_uint_eq(a.last.length, 16);
	struct can_message message = a.last;
	send_can(&a, &message);
	wait_count(&a.sent, 1);
	ck_assert_int_eq(recv(foreign, bytes, sizeof(bytes), 0), 27);
	ck_assert_mem_eq(bytes, DEMO, 27);
}
END_TEST

START_TEST(udp_rubbish)
{
	struct can_counters counters;
	unsigned port = open_udp_against_foreign();
	SAY("hello");
	SAY("\x01\x00\x00\x00\x01\x00\x00\x01\x01\x00"); /* another version */
	SAY("\x02\x00\x00\x00\x05\x00\x00\x01\x01\x00"); /* five frames are said, one is there */
	SAY("\x02\x00\x01\x00\x01\x00\x00\x01\x01\x41"); /* 65 bytes of a classic frame */
	SAY("\x02\x00\x02\x00\x01\x00\x00\x01\x01\x8b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"); /* FD, 11 bytes: no DLC */
	SAY("\x02\x00\x03\x00\x01\x00\x00\x01\x01\x00\xff");                                             /* bytes too many */
	SAY("\x02\x01\x00\x00\x00"); /* an acknowledgement is no rubbish */
	/* A datagram of a stranger. */
	struct sockaddr_in other = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr("127.0.0.2")}, to = loopback(port);
	int stranger = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(stranger, (struct sockaddr *)&other, sizeof(other)), 0);
	ck_assert_int_eq(sendto(stranger, DEMO, 27, 0, (struct sockaddr *)&to, sizeof(to)), 27);
	(void)close(stranger);
	SAY("\x02\x00\x04\x00\x01\x00\x00\x01\x01\x00");
	wait_count(&a.received, 3); /* the first of the five, that before the bytes too many, and the last */
	can_counters_read(a.can, &counters);
	ck_assert_uint_eq(counters.errors, 7);
	ck_assert_uint_eq(counters.lost, 0);
	ck_assert_uint_eq(notes(), 1);
	SAY("\x02\x00\x07\x00\x01\x00\x00\x01\x01\x00"); /* 5 and 6 are missing */
	wait_count(&a.received, 4);
	ck_assert_uint_eq(a.lost_count, 2);
	SAY("\x02\x00\x00\x00\x01\x00\x00\x01\x01\x00"); /* the other end began anew */
	wait_count(&a.received, 5);
	ck_assert_uint_eq(a.lost_count, 2);
}
END_TEST

/* What the kernel's queue could not hold is counted. */
START_TEST(udp_overflow)
{
	struct can_counters counters;
	uint8_t datagram[] = "\x02\x00\x00\x00\x01\x00\x00\x01\x01\x00";
	const unsigned count = 40000;
	(void)open_udp_against_foreign();
	for (unsigned i = 0; i < count; i++)
		ck_assert_int_eq(send(foreign, datagram, 10, 0), 10); /* always number 0: only the kernel's count tells */
	SAY("\x02\x00\x01\x00\x01\x00\x00\x01\x02\x00");
	pump_ms(50);
	can_counters_read(a.can, &counters);
	while (counters.received + counters.lost < count) {
		pump_ms(20);
		can_counters_read(a.can, &counters);
	}
	ck_assert_uint_gt(counters.lost, 0);
	ck_assert_uint_le(counters.received + counters.lost, count + 1);
	ck_assert_uint_eq(a.lost_count, counters.lost);
}
END_TEST

/* ---- cannelloni over TCP ---- */

static unsigned listen_tcp(struct seen *seen)
{
	char address[64];
	unsigned port = free_port(SOCK_STREAM);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u,", port);
	open_can(seen, "cannelloni-tcp", address);
	return port;
}

START_TEST(tcp_exchange)
{
	char address[64];
	unsigned port = listen_tcp(&b);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	open_can(&a, "cannelloni-tcp", address);
	exchange(&a, &b);
	many(&a, &b);
	struct can_message message = fd_frame(7, 20);
	send_can(&b, &message);
	wait_count(&a.received, 1);
	can_close(b.can);
	b.can = NULL;
	wait_count(&a.closed, 1);
	ck_assert_ptr_nonnull(strstr(a.reason, "closed the connection"));
	ck_assert_int_eq(can_send(a.can, &message, NULL, NULL), -ENETDOWN);
}
END_TEST

static void connect_foreign(unsigned port)
{
	struct sockaddr_in address = loopback(port);
	foreign = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(foreign, (struct sockaddr *)&address, sizeof(address)), 0);
}

static bool foreign_is(void *context)
{
	struct pollfd poll_fd = {.fd = foreign, .events = *(const short *)context};
	return poll(&poll_fd, 1, 0) > 0;
}

/* Until the other end has answered (POLLIN) or closed (POLLRDHUP). */
static void await_foreign(short events)
{
	ck_assert_int_eq(loop_until(loop, foreign_is, &events, loop_now_ns() + 20000000000LL), 0);
}

START_TEST(tcp_rubbish)
{
	char bytes[64];
	struct can_message message = classic(1, 1);
	unsigned port = listen_tcp(&a);
	connect_foreign(port);
	SAY("GET / HTTP/1.1\r\n\r\n");
	await_foreign(POLLIN);
	ck_assert_int_eq(recv(foreign, bytes, 12, MSG_WAITALL), 12);
	ck_assert_mem_eq(bytes, "CANNELLONIv1", 12);
	await_foreign(POLLRDHUP);
	ck_assert_int_le(recv(foreign, bytes, sizeof(bytes), 0), 0); /* thrown out */
	(void)close(foreign);
	ck_assert_uint_eq(a.closed, 0); /* and the next may come */
	connect_foreign(port);
	send_can(&a, &message); /* waits for the greeting */
	pump_ms(10);
	ck_assert_uint_eq(a.sent, 0);
	SAY("CANNEL");
	pump_ms(10);
	SAY("LONIv1\x00\x00\x01");
	pump_ms(10);
	SAY("\x01\x90\x01\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x01\x0f");
	pump_ms(10);
	ck_assert_uint_eq(a.received, 0);
	SAY("\x8a");
	wait_count(&a.received, 1);
	wait_count(&a.sent, 1);
	SAY("\x00\x00\x00\x01\xff"); /* 127 bytes of FD data: nothing after it can be understood */
	SAY("\x00");
	ck_assert_int_eq(recv(foreign, bytes, 12 + 6, MSG_WAITALL), 18);
	ck_assert_mem_eq(bytes + 12, "\x00\x00\x00\x01\x01\x00", 6);
	await_foreign(POLLRDHUP);
	ck_assert_int_le(recv(foreign, bytes, sizeof(bytes), 0), 0);
}
END_TEST

START_TEST(tcp_nobody)
{
	char address[64];
	struct error err = {0};
	struct can *can = NULL;
	const struct can_handlers handlers = seen_handlers(&a);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", free_port(SOCK_STREAM));
	const struct can_options options = {.driver = "cannelloni-tcp", .address = address, .name = "x"};
	ck_assert_int_eq(can_open(&can, loop, timeline, &options, &handlers, &err), -ECONNREFUSED);
	ck_assert_int_eq(err.domain, ERROR_BENCH);
}
END_TEST

/* ---- multicast ---- */

START_TEST(multicast_exchange)
{
	char address[64];
	(void)snprintf(address, sizeof(address), "239.74.163.2:%u,lo", free_port(SOCK_DGRAM));
	open_can(&a, "udp-multicast", address);
	open_can(&b, "udp-multicast", address);
	exchange(&a, &b);
	many(&a, &b);
	ck_assert_uint_eq(a.received, 0); /* not its own */
	struct can_message message = fd_frame(7, 20);
	send_can(&b, &message);
	wait_count(&a.received, 1);
}
END_TEST

START_TEST(multicast_rubbish)
{
	char address[64];
	struct can_counters counters;
	unsigned port = free_port(SOCK_DGRAM);
	struct sockaddr_in to = loopback(port);
	struct ip_mreqn where = {.imr_ifindex = (int)if_nametoindex("lo")};
	(void)snprintf(address, sizeof(address), "239.74.163.2:%u,127.0.0.1", port);
	open_can(&a, "udp-multicast", address);
	to.sin_addr.s_addr = inet_addr("239.74.163.2");
	foreign = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_eq(setsockopt(foreign, IPPROTO_IP, IP_MULTICAST_IF, &where, sizeof(where)), 0);
	ck_assert_int_eq(connect(foreign, (struct sockaddr *)&to, sizeof(to)), 0);
	SAY("\x80");
	SAY("rubbish");
	struct can_message message = fd_frame(0x101, 16), impossible = {.id = 1, .flags = CAN_MESSAGE_FD, .length = 13};
	uint8_t bytes[PYTHON_FRAME_MAX];
	size_t length = python_frame_encode(&impossible, 0, bytes);
	ck_assert_int_eq(send(foreign, bytes, length, 0), (ssize_t)length);
	length = python_frame_encode(&message, 0, bytes);
	ck_assert_int_eq(send(foreign, bytes, length, 0), (ssize_t)length);
	wait_count(&a.received, 1);
	can_counters_read(a.can, &counters);
	ck_assert_uint_eq(counters.errors, 3);
	ck_assert_uint_eq(notes(), 1);
}
END_TEST

START_TEST(load_is_computed)
{
	struct can_counters counters;
	struct can_message message = fd_frame(3, 64);
	open_udp_pair();
	/* From the begin of a second to the next: 500 frames of about 0.35 ms. On a loaded machine they may reach into the next second, and
	 * what is read may be the load of the one after that: then it is done again. */
	bool in_time = false;
	for (unsigned tries = 0; tries < 20 && !in_time; tries++) {
		int64_t next_ns = (loop_now_ns() / 1000000000 + 1) * 1000000000;
		ck_assert_int_eq(loop_until(loop, NULL, NULL, next_ns + 1000000), -ETIMEDOUT);
		for (unsigned i = 0; i < 500; i++)
			send_can(&a, &message);
		wait_count(&b.received, 500 * (tries + 1));
		in_time = loop_now_ns() < next_ns + 900000000;
		ck_assert_int_eq(loop_until(loop, NULL, NULL, next_ns + 1010000000), -ETIMEDOUT);
		can_counters_read(b.can, &counters);
		in_time &= loop_now_ns() < next_ns + 1900000000;
	}
	ck_assert(in_time);
	ck_assert_uint_eq(counters.load_per_mille, (unsigned)(500 * can_frame_time_ns(&message, 500000, 2000000) / 1000000));
	ck_assert_int_eq(loop_until(loop, NULL, NULL, (loop_now_ns() / 1000000000 + 1) * 1000000000 + 10000000), -ETIMEDOUT);
	can_counters_read(b.can, &counters);
	ck_assert_uint_eq(counters.load_per_mille, 0);
}
END_TEST

START_TEST(socketcan_without_interface)
{
	struct error err = {0};
	struct can *can = NULL;
	const struct can_handlers handlers = seen_handlers(&a);
	const struct can_options options = {.driver = "socketcan", .address = "nocan7", .name = "x"};
	ck_assert_int_eq(can_open(&can, loop, timeline, &options, &handlers, &err), -ENODEV);
	ck_assert_ptr_nonnull(strstr(err.message, "nocan7"));
	int fd = socket(PF_CAN, SOCK_RAW, CAN_RAW);
	if (fd >= 0) {
		(void)close(fd);
		return;
	}
	/* An interface that is none of CAN, on a kernel without CAN: an error of the bench with its reason. */
	const struct can_options lo = {.driver = "socketcan", .address = "lo", .name = "x"};
	ck_assert_int_lt(can_open(&can, loop, timeline, &lo, &handlers, &err), 0);
	ck_assert_int_eq(err.domain, ERROR_BENCH);
	(void)puts("# socketcan with a real kernel is tested in the virtual machine: this kernel has no CAN");
}
END_TEST

Suite *can_ip_suite(void)
{
	Suite *suite = suite_create("can over ip");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 60);
	tcase_add_test(all, udp_exchange);
	tcase_add_test(all, udp_bytes);
	tcase_add_test(all, udp_rubbish);
	tcase_add_test(all, udp_overflow);
	tcase_add_test(all, tcp_exchange);
	tcase_add_test(all, tcp_rubbish);
	tcase_add_test(all, tcp_nobody);
	tcase_add_test(all, multicast_exchange);
	tcase_add_test(all, multicast_rubbish);
	tcase_add_test(all, load_is_computed);
	tcase_add_test(all, socketcan_without_interface);
	suite_add_tcase(suite, all);
	return suite;
}
