/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures what mbedTLS needs on a gateway: all its TLS sessions shake hands at the same time, in memory and in step,
 * with calloc and free interposed. The far ends run in the same process; their memory is not counted.
 *
 *     tls_memory SERVERS CLIENTS CERTIFICATES-FOLDER
 *
 * Last lines: heap_host, heap_target, heap_open (target, handshakes over) and stack, in bytes. heap_target is heap_host
 * less what record buffers of 4 KiB (MBEDTLS_SSL_IN_CONTENT_LEN and …OUT_CONTENT_LEN) save against the 16 KiB of the
 * packaged library; pointers stay those of the host, so a 32-bit target needs somewhat less.
 */
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <psa/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SESSIONS   16
#define PIPE_SIZE      65536
#define STACK_SIZE     (512 * 1024)
#define STACK_PAINT    0xA5
#define RECORD_HOST    16384u /* content of a record buffer as packaged */
#define RECORD_TARGET  4096u
#define RECORD_EXTRA   1024u /* header, IV, MAC, padding: what such a buffer holds besides */
#define BLOCK_OVERHEAD 16u   /* of a small allocator on the target, each block */
#define MAX_STEPS      2000

/* ---- counted memory -------------------------------------------------------------------------------------- */

struct block {
	size_t size;
	size_t counted; /* 1: the gateway's */
};

static struct {
	int counting;
	size_t live, live_target, peak_host, peak_target;
} memory;

void *__real_calloc(size_t count, size_t size);
void __real_free(void *pointer);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *pointer);

static int is_record_buffer(size_t size)
{
	return size >= RECORD_HOST && size < RECORD_HOST + RECORD_EXTRA;
}

static size_t target_size(size_t size)
{
	return (is_record_buffer(size) ? size - RECORD_HOST + RECORD_TARGET : size) + BLOCK_OVERHEAD;
}

void *__wrap_calloc(size_t count, size_t size)
{
	struct block *block;

	if (size != 0 && count > SIZE_MAX / 2 / size)
		return NULL;
	block = __real_calloc(1, sizeof(*block) + count * size);
	if (block == NULL)
		return NULL;
	block->size = count * size;
	block->counted = (size_t)memory.counting;
	if (memory.counting) {
		memory.live += block->size + BLOCK_OVERHEAD;
		memory.live_target += target_size(block->size);
		if (memory.live > memory.peak_host)
			memory.peak_host = memory.live;
		if (memory.live_target > memory.peak_target)
			memory.peak_target = memory.live_target;
	}
	return block + 1;
}

void __wrap_free(void *pointer)
{
	struct block *block = (struct block *)pointer - 1;

	if (pointer == NULL)
		return;
	if (block->counted) {
		memory.live -= block->size + BLOCK_OVERHEAD;
		memory.live_target -= target_size(block->size);
	}
	__real_free(block);
}

/* ---- sessions -------------------------------------------------------------------------------------------- */

struct pipe {
	unsigned char bytes[PIPE_SIZE];
	size_t length;
};

struct end {
	mbedtls_ssl_context ssl;
	struct pipe *in, *out;
	int counted;
};

struct side {
	mbedtls_x509_crt authorities, certificate;
	mbedtls_pk_context key;
	mbedtls_ssl_config server, client;
};

static struct {
	int servers, clients, total;
	const char *folder;
	struct side gateway, others;
	struct end near[MAX_SESSIONS], far[MAX_SESSIONS];
	struct pipe up[MAX_SESSIONS], down[MAX_SESSIONS];
	size_t open_target; /* after the handshakes, the larger of both versions */
} bench;

static void check(int result, const char *what)
{
	char text[128];

	if (result == 0)
		return;
	mbedtls_strerror(result, text, sizeof(text));
	fprintf(stderr, "tls_memory: %s: %s\n", what, text);
	exit(EXIT_FAILURE);
}

static int draw_random(void *context, unsigned char *buffer, size_t length)
{
	(void)context;
	return psa_generate_random(buffer, length) == PSA_SUCCESS ? 0 : -1;
}

static int pipe_send(void *context, const unsigned char *data, size_t length)
{
	struct pipe *pipe = ((struct end *)context)->out;

	if (length > sizeof(pipe->bytes) - pipe->length)
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	memcpy(pipe->bytes + pipe->length, data, length);
	pipe->length += length;
	return (int)length;
}

static int pipe_receive(void *context, unsigned char *buffer, size_t size)
{
	struct pipe *pipe = ((struct end *)context)->in;
	size_t count = size < pipe->length ? size : pipe->length;

	if (count == 0)
		return MBEDTLS_ERR_SSL_WANT_READ;
	memcpy(buffer, pipe->bytes, count);
	memmove(pipe->bytes, pipe->bytes + count, pipe->length - count);
	pipe->length -= count;
	return (int)count;
}

static void configure(mbedtls_ssl_config *config, struct side *side, int role)
{
	mbedtls_ssl_config_init(config);
	check(mbedtls_ssl_config_defaults(config, role, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT), "defaults");
	mbedtls_ssl_conf_rng(config, draw_random, NULL);
	mbedtls_ssl_conf_ca_chain(config, &side->authorities, NULL);
	mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
	check(mbedtls_ssl_conf_own_cert(config, &side->certificate, &side->key), "own certificate");
	/* As the firmware: no resumption. */
	if (role == MBEDTLS_SSL_IS_SERVER)
		mbedtls_ssl_conf_new_session_tickets(config, 0);
	else
		mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
}

static void load(struct side *side, const char *name)
{
	char path[512];

	mbedtls_x509_crt_init(&side->authorities);
	mbedtls_x509_crt_init(&side->certificate);
	mbedtls_pk_init(&side->key);
	snprintf(path, sizeof(path), "%s/ca.pem", bench.folder);
	check(mbedtls_x509_crt_parse_file(&side->authorities, path), path);
	snprintf(path, sizeof(path), "%s/%s.pem", bench.folder, name);
	check(mbedtls_x509_crt_parse_file(&side->certificate, path), path);
	snprintf(path, sizeof(path), "%s/%s.key", bench.folder, name);
	check(mbedtls_pk_parse_keyfile(&side->key, path, NULL, draw_random, NULL), path);
	configure(&side->server, side, MBEDTLS_SSL_IS_SERVER);
	configure(&side->client, side, MBEDTLS_SSL_IS_CLIENT);
}

static void set_version(struct side *side, mbedtls_ssl_protocol_version version)
{
	mbedtls_ssl_config *configs[2] = {&side->server, &side->client};

	for (int i = 0; i < 2; i++) {
		mbedtls_ssl_conf_min_tls_version(configs[i], version);
		mbedtls_ssl_conf_max_tls_version(configs[i], version);
	}
}

static void end_open(struct end *end, const mbedtls_ssl_config *config, struct pipe *in, struct pipe *out, const char *name)
{
	end->in = in;
	end->out = out;
	mbedtls_ssl_init(&end->ssl);
	check(mbedtls_ssl_setup(&end->ssl, config), "setup");
	if (name != NULL)
		check(mbedtls_ssl_set_hostname(&end->ssl, name), "host name");
	mbedtls_ssl_set_bio(&end->ssl, end, pipe_send, pipe_receive, NULL);
}

static void open_all(void)
{
	for (int i = 0; i < bench.total; i++) {
		int server = i < bench.servers;

		bench.up[i].length = 0;
		bench.down[i].length = 0;
		bench.near[i].counted = 1;
		bench.far[i].counted = 0;
		memory.counting = 1;
		end_open(&bench.near[i], server ? &bench.gateway.server : &bench.gateway.client, &bench.up[i], &bench.down[i],
		         server ? NULL : "vmg.hilbench.test");
		memory.counting = 0;
		end_open(&bench.far[i], server ? &bench.others.client : &bench.others.server, &bench.down[i], &bench.up[i],
		         server ? "zgw.hilbench.test" : NULL);
	}
}

static int end_step(struct end *end)
{
	int result = 0;

	if (mbedtls_ssl_is_handshake_over(&end->ssl))
		return 1;
	memory.counting = end->counted;
	result = mbedtls_ssl_handshake_step(&end->ssl);
	memory.counting = 0;
	if (result != MBEDTLS_ERR_SSL_WANT_READ && result != MBEDTLS_ERR_SSL_WANT_WRITE)
		check(result, "handshake");
	return 0;
}

/* One step of every handshake a round, so that all are in their most expensive phase together. */
static void shake_hands(void)
{
	int done = 0;

	for (int steps = 0; !done; steps++) {
		if (steps == MAX_STEPS)
			check(MBEDTLS_ERR_SSL_TIMEOUT, "handshakes do not end");
		done = 1;
		for (int i = 0; i < bench.total; i++)
			done &= end_step(&bench.near[i]) & end_step(&bench.far[i]);
	}
	if (memory.live_target > bench.open_target)
		bench.open_target = memory.live_target;
}

static void close_all(void)
{
	for (int i = 0; i < bench.total; i++) {
		mbedtls_ssl_free(&bench.near[i].ssl);
		mbedtls_ssl_free(&bench.far[i].ssl);
	}
}

static void run_version(mbedtls_ssl_protocol_version version, const char *name)
{
	size_t before = memory.live;

	memory.peak_host = memory.peak_target = 0;
	set_version(&bench.gateway, version);
	set_version(&bench.others, version);
	open_all();
	shake_hands();
	printf("%s: %d server and %d client handshakes at once: peak %zu bytes (16 KiB records), %zu (4 KiB records)\n", name,
	       bench.servers, bench.clients, memory.peak_host, memory.peak_target);
	close_all();
	/* What stays is the library's (key slots of PSA); a session's memory must not. */
	if (memory.live > before + 1024) {
		fprintf(stderr, "tls_memory: %zu bytes stay after the sessions\n", memory.live - before);
		exit(EXIT_FAILURE);
	}
}

struct result {
	size_t host, target;
};

static void *measure(void *context)
{
	struct result *result = context;

	memory.counting = 1;
	check(psa_crypto_init() == PSA_SUCCESS ? 0 : MBEDTLS_ERR_SSL_INTERNAL_ERROR, "psa_crypto_init");
	load(&bench.gateway, "zgw");
	memory.counting = 0;
	load(&bench.others, "vmg");
	run_version(MBEDTLS_SSL_VERSION_TLS1_2, "TLS 1.2");
	*result = (struct result){memory.peak_host, memory.peak_target};
	run_version(MBEDTLS_SSL_VERSION_TLS1_3, "TLS 1.3");
	if (memory.peak_target > result->target)
		*result = (struct result){memory.peak_host, memory.peak_target};
	return NULL;
}

/* Runs measure() on a stack of our own that was painted before; returns the bytes that lost their paint. */
static size_t run_on_painted_stack(struct result *result)
{
	static unsigned char stack[STACK_SIZE] __attribute__((aligned(4096)));
	pthread_attr_t attributes;
	pthread_t thread;
	size_t untouched = 0;

	memset(stack, STACK_PAINT, sizeof(stack));
	if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstack(&attributes, stack, sizeof(stack)) != 0 ||
	    pthread_create(&thread, &attributes, measure, result) != 0 || pthread_join(thread, NULL) != 0)
		check(MBEDTLS_ERR_SSL_INTERNAL_ERROR, "thread");
	while (untouched < sizeof(stack) && stack[untouched] == STACK_PAINT)
		untouched++;
	return sizeof(stack) - untouched;
}

int main(int argc, char **argv)
{
	struct result result;
	size_t stack;

	if (argc != 4) {
		fprintf(stderr, "usage: tls_memory SERVERS CLIENTS CERTIFICATES-FOLDER\n");
		return 2;
	}
	bench.servers = atoi(argv[1]);
	bench.clients = atoi(argv[2]);
	bench.total = bench.servers + bench.clients;
	bench.folder = argv[3];
	if (bench.servers < 0 || bench.clients < 0 || bench.total < 1 || bench.total > MAX_SESSIONS)
		return 2;
	stack = run_on_painted_stack(&result);
	printf("heap_host=%zu\nheap_target=%zu\nheap_open=%zu\nstack=%zu\n", result.host, result.target, bench.open_target, stack);
	return EXIT_SUCCESS;
}
