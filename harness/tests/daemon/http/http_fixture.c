/* SPDX-License-Identifier: Apache-2.0 */
#include "http_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct seen seen;
unsigned serve_port;
char serve_directory[64], serve_path[96];

static struct {
	pthread_t thread;
	sd_event *event;
	struct http_server *server;
	int stop_fd;
	char certificate[128], key[128];
} run;

/* ---- routes ---- */

static void on_hello(struct http_request *request, void *context)
{
	http_answer_json(request, 200,
	                 json_pack("{s:s, s:s, s:i, s:b}", "hello", "world", "user", http_user(request), "role", (int)http_role(request),
	                           "local", http_is_local(request)));
}

static void on_item(struct http_request *request, void *context)
{
	int64_t id, limit;

	if (http_parameter_id(request, "id", &id) && http_query_number(request, "limit", 1, 1000, 100, &limit))
		http_answer_json(request, 200, json_pack("{s:I, s:I}", "id", (json_int_t)id, "limit", (json_int_t)limit));
}

static void on_path(struct http_request *request, void *context)
{
	const char *query = http_query(request, "q");

	http_answer_json(request, 200, json_pack("{s:s, s:s?}", "path", http_parameter(request, "path"), "q", query));
}

static void on_name(struct http_request *request, void *context)
{
	http_answer_json(request, 200, json_pack("{s:s}", "name", http_parameter(request, "name")));
}

static void on_json(struct http_request *request, void *context)
{
	json_t *json = http_body_json(request);

	if (json)
		http_answer_json(request, 201, json_deep_copy(json));
}

static int upload_body(struct http_request *request, const void *data, size_t length, void *context, struct error *err)
{
	if (!data) {
		if (http_query(request, "refuse"))
			return error_set(err, ERROR_USAGE, EBUSY, "not now");
		seen.began++;
		http_set_state(request, malloc(1));
		return 0;
	}
	seen.uploaded += (long long)length;
	if (http_query(request, "full") && seen.uploaded > 100000)
		return error_set(err, ERROR_BENCH, ENOSPC, "the disk is full");
	return 0;
}

static void upload_drop(struct http_request *request, void *context)
{
	free(http_state(request));
	seen.dropped++;
}

static void on_upload(struct http_request *request, void *context)
{
	free(http_state(request));
	seen.finished++;
	http_answer_empty(request, 201);
}

static int on_later(sd_event_source *source, uint64_t now_us, void *context)
{
	http_answer_json(context, 200, json_pack("{s:b}", "later", 1));
	sd_event_source_unref(source);
	return 0;
}

static void on_keep(struct http_request *request, void *context)
{
	sd_event_source *source;
	int64_t ms;

	if (!http_query_number(request, "ms", 0, 60000, 20, &ms))
		return;
	seen.kept++;
	ck_assert_int_ge(sd_event_add_time_relative(run.event, &source, CLOCK_MONOTONIC, (uint64_t)ms * 1000, 1, on_later, request), 0);
}

static void on_file(struct http_request *request, void *context)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/file", serve_directory);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(dprintf(fd, "%09d\n", i), 10);
	http_answer_file(request, fd, 10000, http_query(request, "text") ? "text/plain" : "text/html", http_query(request, "download"),
	                 "tag");
}

static void on_page(struct http_request *request, void *context)
{
	http_answer_text(request, "text/html; charset=utf-8", "<p>page", 7, http_query(request, "v"));
}

static void on_cookie(struct http_request *request, void *context)
{
	http_set_cookie(request, "secret-viewer", 43200);
	http_answer_empty(request, 204);
}

static void on_failure(struct http_request *request, void *context)
{
	struct error err = {0};
	int64_t code;

	if (!http_query_number(request, "code", 1, 200, EIO, &code))
		return;
	http_answer_failure(
	        request,
	        error_set_place(&err, ERROR_USAGE, (int)code, ((struct place){.file = "a.yaml", .line = 3, .column = 9}), "bad \xff"),
	        &err);
}

static void on_nothing(struct http_request *request, void *context)
{
	http_answer_empty(request, 204);
}

/* ---- streams ---- */

struct lines {
	struct http_stream *stream;
	sd_event_source *timer;
	long long left, total;
	int period_ms;
	unsigned number;
	bool endless;
};

static ssize_t lines_fill(void *context, char *buffer, size_t size)
{
	struct lines *lines = context;
	size_t used = 0;

	seen.filled++;
	while ((lines->left > 0 || lines->endless) && size - used >= 200) {
		used += (size_t)snprintf(buffer + used, 200, "data: line %u %0*d\n\n", lines->number++, 80, 0);
		lines->left--;
		seen.lines++;
	}
	if (used > 0)
		return (ssize_t)used;
	return lines->period_ms ? 0 : -ENODATA;
}

static int lines_more(sd_event_source *source, uint64_t now_us, void *context)
{
	struct lines *lines = context;

	lines->left += lines->total;
	http_stream_wake(lines->stream);
	http_stream_wake(lines->stream);
	(void)sd_event_source_set_time_relative(source, (uint64_t)lines->period_ms * 1000);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static void lines_closed(void *context)
{
	struct lines *lines = context;

	sd_event_source_disable_unref(lines->timer);
	free(lines);
	seen.closed++;
}

/* ?count=N lines, every period= ms again (0: once); endless=1: as many as are taken. */
static void on_lines(struct http_request *request, void *context)
{
	static const struct http_stream_calls calls = {lines_fill, lines_closed};
	struct lines *lines = calloc(1, sizeof(*lines));
	int64_t count, period;

	if (!http_query_number(request, "count", 0, 100000, 10, &count) || !http_query_number(request, "period", 0, 100000, 0, &period)) {
		free(lines);
		return;
	}
	lines->total = lines->left = count;
	lines->period_ms = (int)period;
	lines->endless = http_query(request, "endless");
	lines->stream = http_answer_stream(request, http_query(request, "text") ? "text/plain" : "text/event-stream", &calls, lines);
	if (lines->stream && period > 0)
		(void)sd_event_add_time_relative(run.event, &lines->timer, CLOCK_MONOTONIC, (uint64_t)period * 1000, 1, lines_more, lines);
}

static const struct http_route routes[] = {
        {"GET", "/", ROLE_NOBODY, 0, on_page, NULL, NULL},
        {"GET", "/healthz", ROLE_NOBODY, 0, on_nothing, NULL, NULL},
        {"GET", "/api/v1/hello", ROLE_VIEWER, 0, on_hello, NULL, NULL},
        {"GET", "/api/v1/items/{id}", ROLE_VIEWER, 0, on_item, NULL, NULL},
        {"DELETE", "/api/v1/items/{id}", ROLE_OPERATOR, 0, on_nothing, NULL, NULL},
        {"GET", "/api/v1/names/{name}", ROLE_VIEWER, 0, on_name, NULL, NULL},
        {"GET", "/api/v1/files/{path*}", ROLE_VIEWER, 0, on_path, NULL, NULL},
        {"GET", "/api/v1/file", ROLE_VIEWER, 0, on_file, NULL, NULL},
        {"GET", "/api/v1/page", ROLE_VIEWER, 0, on_page, NULL, NULL},
        {"POST", "/api/v1/json", ROLE_VIEWER, 4096, on_json, NULL, NULL},
        {"PUT", "/api/v1/upload", ROLE_VIEWER, 64u << 20, on_upload, upload_body, upload_drop},
        {"GET", "/api/v1/keep", ROLE_VIEWER, 0, on_keep, NULL, NULL},
        {"POST", "/api/v1/cookie", ROLE_VIEWER, 0, on_cookie, NULL, NULL},
        {"GET", "/api/v1/failure", ROLE_VIEWER, 0, on_failure, NULL, NULL},
        {"GET", "/api/v1/lines", ROLE_VIEWER, 0, on_lines, NULL, NULL},
        {"POST", "/api/v1/operate", ROLE_OPERATOR, 0, on_nothing, NULL, NULL},
        {"POST", "/api/v1/administer", ROLE_ADMIN, 0, on_nothing, NULL, NULL},
};

static enum token_role token_of(const char *token, bool cookie, char *name, void *context)
{
	static const struct {
		const char *token;
		enum token_role role;
	} known[] = {{"secret-viewer", ROLE_VIEWER}, {"secret-operator", ROLE_OPERATOR}, {"secret-admin", ROLE_ADMIN}};

	for (size_t i = 0; i < 3; i++)
		if (strcmp(token, known[i].token) == 0) {
			(void)snprintf(name, 65, "%s%s", cookie ? "cookie-" : "", token + 7);
			return known[i].role;
		}
	return ROLE_NOBODY;
}

/* ---- the server's thread ---- */

struct http_limits short_limits(void)
{
	struct http_limits limits = http_limits_default;

	limits.tick_ms = 50;
	limits.comment_ms = 200;
	limits.header_ms = 1500;
	limits.window_ms = 500;
	limits.quiet_s = 1;
	limits.idle_s = 2;
	limits.linger_ms = 500;
	return limits;
}

static int on_stop(sd_event_source *source, int fd, uint32_t events, void *context)
{
	return sd_event_exit(run.event, 0);
}

static void *serve_loop(void *context)
{
	ck_assert_int_ge(sd_event_loop(run.event), 0);
	http_server_free(run.server);
	sd_event_unref(run.event);
	return NULL;
}

static void make_certificate(void)
{
	const char *argv[] = {"openssl",
	                      "req",
	                      "-x509",
	                      "-newkey",
	                      "ec",
	                      "-pkeyopt",
	                      "ec_paramgen_curve:prime256v1",
	                      "-nodes",
	                      "-days",
	                      "2",
	                      "-subj",
	                      "/CN=localhost",
	                      "-addext",
	                      "subjectAltName=DNS:localhost,IP:127.0.0.1",
	                      "-keyout",
	                      run.key,
	                      "-out",
	                      run.certificate,
	                      NULL};
	pid_t pid;
	int status;

	(void)snprintf(run.certificate, sizeof(run.certificate), "%s/certificate.pem", serve_directory);
	(void)snprintf(run.key, sizeof(run.key), "%s/key.pem", serve_directory);
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 2);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

void serve(const struct serve_options *options)
{
	static const char *const names[] = {"bench.example", NULL};
	struct http_listen listen = {.socket_fd = -1, .tcp_fd = -1, .names = names, .loopback_role = options->loopback_role};
	struct error err = {0};
	sd_event_source *source;

	memset(&seen, 0, sizeof(seen));
	(void)snprintf(serve_directory, sizeof(serve_directory), "/tmp/http-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(serve_directory));
	(void)snprintf(serve_path, sizeof(serve_path), "%s/socket", serve_directory);
	if (options->what & SERVE_LOCAL)
		listen.socket_path = serve_path;
	if (options->what & (SERVE_TCP | SERVE_TLS))
		listen.address = "127.0.0.1:0";
	if (options->what & SERVE_TLS) {
		make_certificate();
		listen.certificate = run.certificate;
		listen.key = run.key;
	}
	ck_assert_int_ge(sd_event_new(&run.event), 0);
	run.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_ge(sd_event_add_io(run.event, &source, run.stop_fd, EPOLLIN, on_stop, NULL), 0);
	sd_event_source_set_floating(source, 1);
	sd_event_source_unref(source);
	if (http_server_new_limited(&run.server, run.event, &listen, routes, sizeof(routes) / sizeof(routes[0]), token_of, NULL,
	                            options->limits.tick_ms ? &options->limits : &http_limits_default, &err) < 0)
		ck_abort_msg("%s", err.message);
	serve_port = http_server_port(run.server);
	ck_assert_int_eq(pthread_create(&run.thread, NULL, serve_loop, NULL), 0);
}

void serve_default(void)
{
	struct serve_options options = {.what = SERVE_LOCAL | SERVE_TCP, .loopback_role = ROLE_VIEWER, .limits = short_limits()};

	serve(&options);
}

void serve_end(void)
{
	char path[160];
	static const char *const left[] = {"file", "certificate.pem", "key.pem"};

	ck_assert_int_eq(eventfd_write(run.stop_fd, 1), 0);
	ck_assert_int_eq(pthread_join(run.thread, NULL), 0);
	close(run.stop_fd);
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", serve_directory, left[i]);
		(void)unlink(path);
	}
	/* Also says that the socket is gone. */
	ck_assert_int_eq(rmdir(serve_directory), 0);
}

/* ---- raw clients ---- */

int dial(void)
{
	struct sockaddr_in address = {
	        .sin_family = AF_INET, .sin_port = htons((uint16_t)serve_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

int dial_local(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", serve_path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

void put_bytes(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length > 0) {
		ssize_t n = send(fd, at, length, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += n;
		length -= (size_t)n;
	}
}

void put(int fd, const char *bytes)
{
	put_bytes(fd, bytes, strlen(bytes));
}

static char answer[4 << 20];

static size_t take_some(int fd, size_t used, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	ssize_t n;

	if (used + 1 >= sizeof(answer) || poll(&poll_fd, 1, timeout_ms) <= 0)
		return 0;
	n = recv(fd, answer + used, sizeof(answer) - used - 1, 0);
	return n > 0 ? (size_t)n : 0;
}

const char *take_all(int fd, int timeout_ms)
{
	size_t used = 0, n;

	while ((n = take_some(fd, used, timeout_ms)) > 0)
		used += n;
	answer[used] = '\0';
	return answer;
}

const char *take_answer(int fd)
{
	size_t used = 0, n, wanted = 1;
	const char *end, *length;

	answer[0] = '\0';
	while (used < wanted && (n = take_some(fd, used, 5000)) > 0) {
		used += n;
		answer[used] = '\0';
		end = strstr(answer, "\r\n\r\n");
		length = strcasestr(answer, "\r\nContent-Length: ");
		wanted = !end ? used + 1 : (size_t)(end - answer) + 4 + (length && length < end ? strtoul(length + 18, NULL, 10) : 0);
	}
	return answer;
}

int status_of(const char *text)
{
	int status = 0;

	return sscanf(text, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

const char *ask(const char *bytes)
{
	int fd = dial();
	const char *got;

	put(fd, bytes);
	got = take_all(fd, 3000);
	close(fd);
	return got;
}

const char *ask_local(const char *bytes)
{
	int fd = dial_local();
	const char *got;

	put(fd, bytes);
	got = take_all(fd, 3000);
	close(fd);
	return got;
}

bool is_closed_within(int fd, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	char waste[4096];

	while (poll(&poll_fd, 1, timeout_ms) > 0)
		if (recv(fd, waste, sizeof(waste), 0) <= 0)
			return true;
	return false;
}

bool wait_for(atomic_int *number, int value, int timeout_ms)
{
	for (; timeout_ms > 0 && *number < value; timeout_ms -= 5)
		usleep(5000);
	return *number == value;
}

void assert_error(const char *text, int status, const char *code)
{
	char wanted[80];

	(void)snprintf(wanted, sizeof(wanted), "{\"error\":{\"code\":\"%s\",\"message\":\"", code);
	ck_assert_msg(status_of(text) == status, "%d expected, not:\n%.600s", status, text);
	ck_assert_msg(strstr(text, wanted), "%s expected, not:\n%.1000s", code, text);
	ck_assert_ptr_nonnull(strstr(text, "X-Content-Type-Options: nosniff"));
	ck_assert_ptr_nonnull(strstr(text, "Content-Security-Policy: default-src 'self'"));
}
