/* SPDX-License-Identifier: Apache-2.0 */
/* Captures, read back by our own walk over the blocks, and by tshark where it is installed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../link/datagram.h"
#include "link_test.h"

#define TSHARK_MISSING "tshark is not installed: what it would say of a capture was not tried"

static struct bytes read_file(const char *path)
{
	struct bytes content = {0};
	uint8_t buffer[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY);

	ck_assert_int_ge(fd, 0);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		ck_assert_int_eq(bytes_append(&content, buffer, (size_t)n), 0);
	(void)close(fd);
	return content;
}

/* The types of all blocks as text ("SIDPP": section, interface, secrets, packet, statistics T); fails unless the file is whole. */
static void blocks(const char *path, char *text, size_t size)
{
	struct bytes file = read_file(path);
	size_t count = 0;
	uint32_t type, length, again;

	for (size_t at = 0; at < file.length; at += length) {
		ck_assert_uint_ge(file.length - at, 12);
		memcpy(&type, file.data + at, 4);
		memcpy(&length, file.data + at + 4, 4);
		ck_assert(length >= 12 && length % 4 == 0 && length <= file.length - at);
		memcpy(&again, file.data + at + length - 4, 4);
		ck_assert_uint_eq(again, length);
		if (count + 1 < size)
			text[count++] = type == 0x0a0d0d0a ? 'S'
			                : type == 1        ? 'I'
			                : type == 6        ? 'P'
			                : type == 10       ? 'D'
			                : type == 5        ? 'T'
			                                   : '?';
	}
	text[count] = '\0';
	bytes_free(&file);
}

static unsigned lines_in(const struct bytes *text)
{
	unsigned count = 0;

	for (size_t i = 0; i < text->length; i++)
		count += text->data[i] == '\n';
	return count;
}

/* Lines that tshark prints; -1: no tshark. options: up to four further ones. */
static int tshark_lines(const char *filter, const char *const options[4])
{
	const char *argv[24] = {"tshark", "-n",
	                        "-r",     bench.path,
	                        "-o",     "tcp.check_checksum:TRUE",
	                        "-o",     "ip.check_checksum:TRUE",
	                        "-o",     "udp.check_checksum:TRUE"};
	struct bytes out = {0};
	unsigned n = 10;
	int r;

	for (unsigned i = 0; i < 4 && options && options[i]; i++)
		argv[n++] = options[i];
	argv[n++] = "-Y";
	argv[n] = filter;
	r = run_program(argv, &out);
	if (r == 0)
		r = (int)lines_in(&out);
	else
		ck_assert_msg(r == -ENOENT, "tshark said %d", r);
	bytes_free(&out);
	return r < 0 ? -1 : r;
}

static const char complaints[] = "_ws.malformed || tcp.analysis.flags || tcp.checksum.status == 0 || ip.checksum.status == 0 || "
                                 "udp.checksum.status == 0 || _ws.expert.severity >= 0x800000";
static const char *const doip_options[4] = {"-o", "tcp.try_heuristic_first:TRUE", "-d", "tls.port==13400,doip"};

START_TEST(test_rebuilt_packets)
{
	static uint8_t data[5000000];
	struct capture_flow *flow;
	int n;

	bench_open_capture(false);
	flow = capture_flow_new(bench.capture, "127.1.9.1:40000", "127.1.2.1:13401", instant_now());
	ck_assert_ptr_nonnull(flow);
	ck_assert_ptr_null(capture_flow_new(bench.capture, "127.1.9.1:40000", "127.1.2.1:13401", instant_now()));
	capture_flow_data(flow, true, activation_request, sizeof(activation_request), instant_now());
	capture_flow_data(flow, false, activation_response, sizeof(activation_response), instant_now());
	capture_flow_data(flow, true, data, sizeof(data), instant_now());
	capture_flow_data(flow, false, data, 1461, instant_now());
	capture_flow_end(flow, true, false, instant_now());
	flow = capture_flow_new(bench.capture, "[::1]:40000", "[::1]:13401", instant_now());
	capture_flow_data(flow, false, data, 3333, instant_now());
	capture_flow_end(flow, false, true, instant_now());
	capture_refused(bench.capture, "127.1.9.1:40001", "127.1.2.1:13401", instant_now());
	capture_datagram(bench.capture, "127.1.9.1:40000", "255.255.255.255:13401", "odd", 3, instant_now());
	capture_datagram(bench.capture, "[::1]:40000", "[::1]:13401", "even", 4, instant_now());
	ck_assert_ptr_null(capture_flow_new(bench.capture, "nonsense", "127.1.2.1:13401", instant_now()));
	ck_assert_ptr_null(capture_flow_new(NULL, "127.1.9.1:1", "127.1.2.1:13401", instant_now()));
	capture_flow_data(NULL, true, data, 1, instant_now());
	capture_flow_end(NULL, true, true, instant_now());
	bench_close_capture();
	n = tshark_lines("udp", NULL);
	if (n < 0) {
		printf("SKIPPED: %s\n", TSHARK_MISSING);
		return;
	}
	ck_assert_int_eq(n, 2);
	ck_assert_int_eq(tshark_lines(complaints, NULL), 0);
	ck_assert_int_eq(tshark_lines("tcp.flags.syn == 1", NULL), 6 - 1);
	ck_assert_int_eq(tshark_lines("tcp.flags.fin == 1", NULL), 2);
	ck_assert_int_eq(tshark_lines("tcp.flags.reset == 1", NULL), 2);
	ck_assert_int_eq(tshark_lines("tcp.checksum.status == 1 && ip.checksum.status == 1", NULL) > 3000, 1);
}
END_TEST

/* ---- secrets ---- */

static void converse(uint16_t version, bool twice)
{
	struct stream_environment environment = bench_environment("tester:x");
	struct tls_identity ours = identity("tester", "vmg.hilbench.test"), theirs = identity("vmg", NULL);
	struct party client = {0}, server = {0};
	struct stream_handlers handlers = party_handlers(&client);
	struct stream_listener *listener;
	char address[64];

	(void)snprintf(address, sizeof(address), "127.0.77.%u:13400", (unsigned)getpid() % 250 + 1);
	ours.minimum_version = ours.maximum_version = version;
	ck_assert_int_eq(stream_listen(&listener, &environment, address, &theirs, party_accept, &server, NULL), 0);
	for (unsigned i = 0; i < (twice ? 2 : 1); i++) {
		client.opened = server.opened = server.closed = client.closed = false;
		bytes_clear(&client.received);
		bytes_clear(&server.received);
		ck_assert_int_eq(
		        stream_connect(&client.stream, &environment, NULL, stream_listener_address(listener), &ours, &handlers, NULL), 0);
		wait_for(&client.opened);
		party_send(&client, activation_request, sizeof(activation_request));
		party_wait(&server, sizeof(activation_request));
		party_send(&server, activation_response, sizeof(activation_response));
		party_wait(&client, sizeof(activation_response));
		stream_shutdown(client.stream);
		wait_for(&client.closed);
		wait_for(&server.closed);
		stream_free(client.stream);
		client.stream = NULL;
	}
	party_free(&client);
	party_free(&server);
	stream_listener_free(listener);
}

START_TEST(test_decryption)
{
	char text[256];
	int n;

	bench_open_capture(true);
	converse(_i ? 0x0304 : 0x0303, true);
	bench_close_capture();
	blocks(bench.path, text, sizeof(text));
	ck_assert_int_eq(strncmp(text, "SIDP", 4), 0);
	ck_assert_ptr_null(strchr(text + 3, 'D'));
	n = tshark_lines("doip.type == 0x0006", doip_options);
	if (n < 0) {
		printf("SKIPPED: %s\n", TSHARK_MISSING);
		return;
	}
	ck_assert_int_eq(n, 2);
	ck_assert_int_eq(tshark_lines("doip.type == 0x0005", doip_options), 2);
	ck_assert_int_eq(tshark_lines(complaints, doip_options), 0);
}
END_TEST

START_TEST(test_no_secrets_without_leave)
{
	char text[256];

	bench_open_capture(false);
	converse(0x0304, false);
	bench_close_capture();
	blocks(bench.path, text, sizeof(text));
	ck_assert_ptr_null(strchr(text, 'D'));
}
END_TEST

START_TEST(test_secret_lines)
{
	static const char line[] = "CLIENT_RANDOM 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff 00ff\n";
	char text[64];
	struct stat status;

	bench_open_capture(true);
	capture_secret(bench.capture, line);
	capture_secret(bench.capture, line);
	capture_secret(bench.capture, "# comment");
	capture_secret(bench.capture, "");
	capture_secret(bench.capture, "client_random 00 11");
	capture_secret(bench.capture, "CLIENT_RANDOM 00 11 22");
	capture_secret(bench.capture, "CLIENT_RANDOM 00 zz");
	capture_secret(NULL, line);
	bench_close_capture();
	blocks(bench.path, text, sizeof(text));
	ck_assert_str_eq(text, "SID");
	ck_assert_int_eq(stat(bench.path, &status), 0);
	ck_assert_int_eq(status.st_mode & 0777, 0600);
}
END_TEST

/* What a crash leaves: the child never closes its capture. */
START_TEST(test_crash)
{
	char text[64];
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (loop_new(&bench.loop, NULL) < 0) /* the parent's does not work here */
			_exit(1);
		bench_open_capture(true);
		capture_datagram(bench.capture, "127.0.0.1:1", "127.0.0.1:2", "x", 1, instant_now());
		capture_secret(bench.capture, "CLIENT_RANDOM 00 11");
		capture_datagram(bench.capture, "127.0.0.1:1", "127.0.0.1:2", "x", 1, instant_now());
		pump_ms(200);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	blocks(bench.path, text, sizeof(text));
	ck_assert_str_eq(text, "SIPDP");
}
END_TEST

START_TEST(test_full_disk)
{
	static uint8_t data[1400];
	struct rlimit before, limit;
	struct error err = {0};
	char text[256];

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	bench_open_capture(true);
	limit = (struct rlimit){100000, before.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (unsigned i = 0; i < 100; i++)
		capture_datagram(bench.capture, "127.0.0.1:1", "127.0.0.1:2", data, sizeof(data), instant_now());
	ck_assert(capture_failed(bench.capture, &err));
	ck_assert_int_eq(err.domain, ERROR_BENCH);
	ck_assert_int_eq(err.code, EFBIG);
	capture_secret(bench.capture, "CLIENT_RANDOM 00 11");
	ck_assert_int_eq(capture_close(bench.capture, &err), -EFBIG);
	bench.capture = NULL;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	blocks(bench.path, text, sizeof(text));
	ck_assert_uint_gt(strlen(text), 40);
	ck_assert_uint_lt(strlen(text), 102);
}
END_TEST

START_TEST(test_exists)
{
	struct capture *other = NULL;
	struct error err = {0};

	bench_open_capture(false);
	ck_assert_int_eq(capture_open(&other, bench.loop, bench.path, false, &err), -EEXIST);
	ck_assert_ptr_null(other);
	ck_assert_int_eq(capture_open(&other, bench.loop, "/nonexistent/x", false, &err), -ENOENT);
	ck_assert_int_eq(capture_close(NULL, NULL), 0);
}
END_TEST

/* ---- the kernel's own packets ---- */

static void on_frame(const uint8_t *frame, size_t length, struct instant at, void *context)
{
	if (length > 40 && frame[12] == 0x08 && frame[13] == 0x00)
		(*(unsigned *)context)++;
}

static bool three_frames(void *context)
{
	return *(unsigned *)context >= 3;
}

START_TEST(test_device)
{
	struct stream_environment environment;
	struct datagram_socket *inside, *outside;
	struct error err = {0};
	unsigned frames = 0;
	int n, r;
	char text[64];

	bench_open_capture(false);
	r = capture_device(bench.capture, "lo", -1, "127.0.78.0/24", on_frame, &frames, &err);
	if (r == -EPERM || r == -EACCES) {
		printf("SKIPPED: no privilege to capture: %s\n", err.message);
		return;
	}
	ck_assert_msg(r == 0, "%s", err.message);
	ck_assert_int_eq(capture_device(bench.capture, "no-such-device", -1, NULL, NULL, NULL, &err), -ENODEV);
	ck_assert_int_eq(capture_device(bench.capture, "lo", -1, "127.0.0.0/33", NULL, NULL, &err), -EINVAL);
	ck_assert_int_eq(capture_device(bench.capture, "lo", -1, "words", NULL, NULL, &err), -EINVAL);
	environment = (struct stream_environment){bench.loop, NULL, NULL, "tester:x", NULL, NULL};
	ck_assert_int_eq(datagram_open(&inside, &environment, "127.0.78.1:0", false, NULL, NULL, NULL), 0);
	ck_assert_int_eq(datagram_open(&outside, &environment, "127.0.79.1:0", false, NULL, NULL, NULL), 0);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(datagram_send(outside, datagram_local(outside, text), "outside", 7, NULL), 0);
		ck_assert_int_eq(datagram_send(inside, datagram_local(inside, text), "inside", 6, NULL), 0);
	}
	wait_until(three_frames, &frames);
	pump_ms(20);
	ck_assert_uint_eq(frames, 3);
	/* From outside to inside counts too. */
	ck_assert_int_eq(datagram_send(outside, datagram_local(inside, text), "in", 2, NULL), 0);
	datagram_free(inside);
	datagram_free(outside);
	bench_close_capture();
	blocks(bench.path, text, sizeof(text));
	ck_assert_str_eq(text, "SIIPPPPT");
	n = tshark_lines("eth && udp && frame.interface_name == \"lo\"", NULL);
	if (n >= 0)
		ck_assert_int_eq(n, 4);
}
END_TEST

Suite *capture_suite(void)
{
	Suite *suite = suite_create("capture");
	TCase *tests = tcase_create("capture");

	tcase_add_checked_fixture(tests, bench_setup, bench_teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, test_rebuilt_packets);
	tcase_add_loop_test(tests, test_decryption, 0, 2);
	tcase_add_test(tests, test_no_secrets_without_leave);
	tcase_add_test(tests, test_secret_lines);
	tcase_add_test(tests, test_crash);
	tcase_add_test(tests, test_full_disk);
	tcase_add_test(tests, test_exists);
	tcase_add_test(tests, test_device);
	suite_add_tcase(suite, tests);
	return suite;
}
