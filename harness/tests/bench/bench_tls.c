/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mutual TLS 1.3 handshake of the harness (OpenSSL) with the reference firmware (mbedTLS) over loopback, connect to
 * open, beside the same two libraries in memory. The two take turns; what is quoted is the median of the differences.
 *
 *   wanted: handshake minus floor, p50, at most 400 us
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../base/paths.h"
#include "../../base/stats.h"
#include "../../link/stream.h"
#include "child.h"

#define WARM_UP 20
#define SAMPLES 300

static char ca[4096], zgw_certificate[4096], zgw_key[4096], certificate[4096], key[4096];
static char address[48];

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "bench_tls: %s\n", what);
	exit(1);
}

static void fixture(const char *name, char *ret)
{
	struct error err;

	if (fixture_find(name, ret, 4096, &err) < 0)
		give_up(err.message);
}

static void find_fixtures(void)
{
	fixture("certificates/ca.pem", ca);
	fixture("certificates/zgw.pem", zgw_certificate);
	fixture("certificates/zgw.key", zgw_key);
	fixture("certificates/tester.pem", certificate);
	fixture("certificates/tester.key", key);
}

static void start_server(struct child *server)
{
	char endpoint[64], objects[3][4200], line[256];
	const char *arguments[] = {"--param",  endpoint,         "--param",  "boot.ssw_ms=0", "--param",  "boot.application_ms=0",
	                           "--param",  "boot.rtos_ms=0", "--object", objects[0],      "--object", objects[1],
	                           "--object", objects[2],       NULL};

	snprintf(address, sizeof address, "127.0.0.1:%d", 20000 + getpid() % 20000);
	snprintf(endpoint, sizeof endpoint, "doip.tls=%s", address);
	snprintf(objects[0], sizeof objects[0], "tls.ca=%s", ca);
	snprintf(objects[1], sizeof objects[1], "tls.certificate=%s", zgw_certificate);
	snprintf(objects[2], sizeof objects[2], "tls.key=%s", zgw_key);
	child_start(server, "zgw", arguments);
	if (!child_wait_line(server, "stage=server", line, sizeof line))
		give_up("zgw did not start");
}

struct attempt {
	struct instant opened;
	bool done, failed;
};

static void on_opened(struct stream *stream, void *context)
{
	struct attempt *attempt = context;

	attempt->opened = instant_now();
	attempt->done = true;
}

static void on_closed(struct stream *stream, enum stream_end end, void *context)
{
	struct attempt *attempt = context;

	attempt->failed = !attempt->done;
	attempt->done = true;
}

static bool attempt_done(void *context)
{
	return ((struct attempt *)context)->done;
}

static int64_t handshake(struct loop *loop, struct timeline *timeline, const struct tls_identity *identity)
{
	struct attempt attempt = {0};
	struct stream_environment environment = {loop, timeline, NULL, "tester:bench"};
	struct stream_handlers handlers = {.context = &attempt, .opened = on_opened, .closed = on_closed};
	struct stream *stream;
	struct error err;
	int64_t start = loop_now_ns();

	if (stream_connect(&stream, &environment, NULL, address, identity, &handlers, &err) < 0)
		give_up(err.message);
	if (loop_until(loop, attempt_done, &attempt, start + 5000000000) < 0 || attempt.failed)
		give_up("the handshake failed");
	stream_free(stream);
	return attempt.opened.ns - start;
}

static int64_t floor_sample(struct child *floor)
{
	char line[64];

	fputs("\n", floor->input);
	fflush(floor->input);
	if (!fgets(line, sizeof line, floor->output))
		give_up("the floor's program ended");
	return (int64_t)(strtod(line, NULL) * 1000);
}

int main(void)
{
	static int64_t full[SAMPLES], least[SAMPLES], difference[SAMPLES];
	const char *each[] = {"--each", NULL};
	struct tls_identity identity = {.ca = ca,
	                                .certificate = certificate,
	                                .key = key,
	                                .peer_name = "zgw.hilbench.test",
	                                .minimum_version = 0x0304,
	                                .maximum_version = 0x0304,
	                                .groups = "P-256:X25519",
	                                .verify_peer = true};
	struct child server, floor;
	struct timeline *timeline;
	struct loop *loop;
	struct error err;

	find_fixtures();
	start_server(&server);
	child_start(&floor, "bench_tls_memory", each);
	if (loop_new(&loop, &err) < 0 || timeline_new(&timeline, NULL, 1024, &err) < 0)
		give_up(err.message);
	for (int i = -WARM_UP; i < SAMPLES; i++) {
		int64_t memory = floor_sample(&floor), network = handshake(loop, timeline, &identity);

		if (i < 0)
			continue;
		full[i] = network;
		least[i] = memory;
		difference[i] = network - memory;
	}
	stats_sort(full, SAMPLES);
	stats_sort(least, SAMPLES);
	stats_sort(difference, SAMPLES);
	printf("TLS 1.3 handshake  through harness and firmware p50 %.1f us   in memory p50 %.1f us   difference p50 %.1f us, p95 %.1f us "
	       "(wanted: p50 <= 400)  n %d\n",
	       (double)full[SAMPLES / 2] / 1e3, (double)least[SAMPLES / 2] / 1e3, (double)difference[SAMPLES / 2] / 1e3,
	       (double)difference[SAMPLES * 95 / 100] / 1e3, SAMPLES);
	timeline_free(timeline);
	loop_free(loop);
	child_stop(&floor);
	child_stop(&server);
	return 0;
}
