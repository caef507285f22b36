/* SPDX-License-Identifier: Apache-2.0 */
#include "probe_openocd_rpc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define END          0x1a
#define ANSWER_LIMIT (16u << 20)

struct openocd_rpc {
	struct loop *loop;
	struct openocd_process *process;
	int fd;
	sd_event_source *source;
	struct bytes input, output;
	size_t sent;
	bool connecting, gone, answered;
};

/* ---- words ---- */

int openocd_quote(struct bytes *script, const char *text)
{
	char word[5];
	if (!*text)
		return bytes_append(script, "{}", 2);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		const bool plain = (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || *c >= 0x80;
		int length = 1;
		if (plain || strchr("_/.-+:,=@%", *c))
			word[0] = (char)*c;
		else if (*c > ' ' && *c < 0x7f)
			length = snprintf(word, sizeof(word), "\\%c", *c);
		else
			length = snprintf(word, sizeof(word), "\\%03o", *c);
		if (bytes_append(script, word, (size_t)length) < 0)
			return -ENOMEM;
	}
	return 0;
}

char *openocd_quoted(const char *text)
{
	struct bytes word = {0};
	if (openocd_quote(&word, text) < 0 || bytes_append_u8(&word, 0) < 0) {
		bytes_free(&word);
		return NULL;
	}
	return (char *)word.data;
}

/* ---- the connection ---- */

static void put(struct openocd_rpc *rpc)
{
	while (rpc->sent < rpc->output.length) {
		ssize_t n = send(rpc->fd, rpc->output.data + rpc->sent, rpc->output.length - rpc->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			rpc->gone = true;
		if (n < 0)
			break;
		rpc->sent += (size_t)n;
	}
	const bool waits = rpc->connecting || (!rpc->gone && rpc->sent < rpc->output.length);
	sd_event_source_set_io_events(rpc->source, EPOLLIN | (waits ? EPOLLOUT : 0));
}

static void get(struct openocd_rpc *rpc)
{
	uint8_t buffer[65536];
	ssize_t n = recv(rpc->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || rpc->input.length + (size_t)n > ANSWER_LIMIT || bytes_append(&rpc->input, buffer, (size_t)n) < 0) {
		rpc->gone = true;
		return;
	}
	rpc->answered = rpc->input.data[rpc->input.length - 1] == END;
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct openocd_rpc *rpc = context;
	int code = 0;
	socklen_t size = sizeof(code);
	if (rpc->connecting && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
		rpc->connecting = false;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0 || code)
			rpc->gone = true;
	}
	if (!rpc->gone && (events & EPOLLOUT))
		put(rpc);
	if (!rpc->gone && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		get(rpc);
	if (rpc->gone)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

static bool connected(void *context)
{
	const struct openocd_rpc *rpc = context;
	return !rpc->connecting || rpc->gone || !openocd_process_alive(rpc->process);
}

static int begin(struct openocd_rpc *rpc, struct error *err)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)openocd_process_port(rpc->process))};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	rpc->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rpc->connecting = true;
	if (rpc->fd < 0 || (connect(rpc->fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno != EINPROGRESS))
		return error_set(err, ERROR_BENCH, errno, "cannot connect to OpenOCD's TCL server: %s", strerror(errno));
	int r = sd_event_add_io(loop_event(rpc->loop), &rpc->source, rpc->fd, EPOLLIN | EPOLLOUT, on_ready, rpc);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot watch a socket: %s", strerror(-r)) : 0;
}

int openocd_rpc_open(struct openocd_rpc **ret, struct loop *loop, struct openocd_process *process, int64_t deadline_ns, struct error *err)
{
	struct openocd_rpc *rpc = calloc(1, sizeof(*rpc));
	if (!rpc)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*rpc = (struct openocd_rpc){.loop = loop, .process = process, .fd = -1};
	int r = begin(rpc, err);
	if (r == 0)
		r = loop_until(loop, connected, rpc, deadline_ns);
	if (r == -ECANCELED)
		error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	else if (r == -ETIMEDOUT || (r == 0 && (rpc->gone || rpc->connecting)))
		r = error_set(err, ERROR_BENCH, ECONNREFUSED, "OpenOCD's TCL server takes no connection");
	if (r < 0) {
		openocd_rpc_close(rpc);
		return r;
	}
	*ret = rpc;
	return 0;
}

void openocd_rpc_close(struct openocd_rpc *rpc)
{
	if (!rpc)
		return;
	sd_event_source_disable_unref(rpc->source);
	if (rpc->fd >= 0)
		close(rpc->fd);
	bytes_free(&rpc->input);
	bytes_free(&rpc->output);
	free(rpc);
}

bool openocd_rpc_alive(const struct openocd_rpc *rpc)
{
	return !rpc->gone;
}

/* ---- scripts ---- */

static bool over(void *context)
{
	const struct openocd_rpc *rpc = context;
	return rpc->answered || rpc->gone || !openocd_process_alive(rpc->process);
}

/* The server's answers tell no status: the script is run by `catch`, and its status stands in front of its result. */
static int wrap(struct bytes *request, const char *script)
{
	static const char head[] = "join [list [catch ", tail[] = " m] $m]\x1a";
	bytes_clear(request);
	if (bytes_append(request, head, sizeof(head) - 1) < 0 || openocd_quote(request, script) < 0 ||
	    bytes_append(request, tail, sizeof(tail) - 1) < 0)
		return -ENOMEM;
	return 0;
}

int openocd_rpc_run(struct openocd_rpc *rpc, const char *script, int64_t deadline_ns, bool *ret_good, char **ret_answer)
{
	if (rpc->gone || !openocd_process_alive(rpc->process))
		return -EPIPE;
	if (wrap(&rpc->output, script) < 0)
		return -ENOMEM;
	bytes_clear(&rpc->input);
	rpc->sent = 0;
	rpc->answered = false;
	put(rpc);
	int r = loop_until(rpc->loop, over, rpc, deadline_ns);
	if (r == -ETIMEDOUT || r == -ECANCELED)
		return r;
	if (r < 0 || !rpc->answered)
		return -EPIPE;
	char *answer = (char *)rpc->input.data, *end;
	answer[rpc->input.length - 1] = '\0';
	const long status = strtol(answer, &end, 10);
	if (end == answer || (*end && *end != ' '))
		return -EPIPE; /* "" is what it answers when its adapter is gone */
	char *copy = strdup(*end ? end + 1 : "");
	if (!copy)
		return -ENOMEM;
	*ret_good = status == 0;
	*ret_answer = copy;
	return 0;
}
