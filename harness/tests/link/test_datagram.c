/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "../../link/datagram.h"
#include "link_test.h"

struct inbox {
	unsigned count;
	bool any;
	struct bytes last;
	char from[64];
	struct instant at;
};

static void on_received(struct datagram_socket *socket, const uint8_t *data, size_t length, const char *from, struct instant at,
                        void *context)
{
	struct inbox *inbox = context;

	inbox->count++;
	inbox->any = true;
	inbox->at = at;
	bytes_clear(&inbox->last);
	ck_assert_int_eq(bytes_append(&inbox->last, data, length), 0);
	(void)snprintf(inbox->from, sizeof(inbox->from), "%s", from);
}

START_TEST(test_exchange)
{
	struct stream_environment environment = bench_environment("tester:udp");
	struct datagram_socket *a, *b;
	struct inbox inbox = {0}, none = {0};
	char address_a[64], address_b[64];

	ck_assert_int_eq(datagram_open(&a, &environment, "127.0.0.1:0", false, on_received, &none, NULL), 0);
	ck_assert_int_eq(datagram_open(&b, &environment, "127.0.0.1:0", false, on_received, &inbox, NULL), 0);
	ck_assert_int_eq(datagram_send(a, datagram_local(b, address_b), "hello", 5, NULL), 0);
	wait_for(&inbox.any);
	ck_assert_uint_eq(inbox.last.length, 5);
	ck_assert_str_eq(inbox.from, datagram_local(a, address_a));
	ck_assert_int_le(inbox.at.ns, loop_now_ns() + 100000);
	inbox.any = false;
	ck_assert_int_eq(datagram_send(a, address_b, "", 0, NULL), 0);
	wait_for(&inbox.any);
	ck_assert_uint_eq(inbox.last.length, 0);
	ck_assert_int_eq(datagram_send(a, "nowhere", "x", 1, NULL), -EINVAL);
	ck_assert_int_eq(datagram_send(a, "127.255.255.255:9", "x", 1, NULL), -EACCES);
	datagram_free(a);
	datagram_free(b);
	bytes_free(&inbox.last);
}
END_TEST

START_TEST(test_broadcast)
{
	struct stream_environment environment = bench_environment("tester:udp");
	struct datagram_socket *sender, *first, *second;
	struct inbox inboxes[2] = {{0}}, none = {0};
	char address[64], to[64];

	ck_assert_int_eq(datagram_open(&sender, &environment, "0.0.0.0:0", true, on_received, &none, NULL), 0);
	ck_assert_int_eq(datagram_open(&first, &environment, "0.0.0.0:0", true, on_received, &inboxes[0], NULL), 0);
	(void)datagram_local(first, address);
	ck_assert_int_eq(datagram_open(&second, &environment, address, true, on_received, &inboxes[1], NULL), 0);
	(void)snprintf(to, sizeof(to), "127.255.255.255%s", strchr(address, ':'));
	ck_assert_int_eq(datagram_send(sender, to, "all", 3, NULL), 0);
	wait_for(&inboxes[0].any);
	wait_for(&inboxes[1].any);
	datagram_free(sender);
	datagram_free(first);
	datagram_free(second);
	bytes_free(&inboxes[0].last);
	bytes_free(&inboxes[1].last);
}
END_TEST

static void on_received_free(struct datagram_socket *socket, const uint8_t *data, size_t length, const char *from, struct instant at,
                             void *context)
{
	datagram_free(socket);
	*(bool *)context = true;
}

START_TEST(test_free_in_handler)
{
	struct stream_environment environment = bench_environment("tester:udp");
	struct datagram_socket *a, *b;
	char address[64];
	bool freed = false;

	ck_assert_int_eq(datagram_open(&a, &environment, "127.0.0.1:0", false, NULL, NULL, NULL), 0);
	ck_assert_int_eq(datagram_open(&b, &environment, "127.0.0.1:0", false, on_received_free, &freed, NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(datagram_send(a, datagram_local(b, address), "x", 1, NULL), 0);
	wait_for(&freed);
	datagram_free(a);
}
END_TEST

Suite *datagram_suite(void)
{
	Suite *suite = suite_create("datagram");
	TCase *tests = tcase_create("datagram");

	tcase_add_checked_fixture(tests, bench_setup, bench_teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, test_exchange);
	tcase_add_test(tests, test_broadcast);
	tcase_add_test(tests, test_free_in_handler);
	suite_add_tcase(suite, tests);
	return suite;
}
