/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void out_put(struct control *c, const char *text, size_t length)
{
	if (c->out_sent) {
		memmove(c->out, c->out + c->out_sent, c->out_length - c->out_sent);
		c->out_length -= c->out_sent;
		c->out_sent = 0;
	}
	/* Sources are not read above the high mark, and none of them makes a line as long as what lies above it. */
	if (length > sizeof c->out - c->out_length) {
		c->closed = true;
		return;
	}
	memcpy(c->out + c->out_length, text, length);
	c->out_length += length;
}

static void out_put_json(struct control *c, json_t *object)
{
	if (!object)
		return; /* a text in it was no UTF-8 */
	char *text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (!text) {
		c->closed = true; /* out of memory: the board cannot tell what it does */
		return;
	}
	out_put(c, text, strlen(text));
	out_put(c, "\n", 1);
	free(text);
	control_flush(c);
}

void control_flush(struct control *c)
{
	while (!c->closed && c->out_sent < c->out_length) {
		ssize_t n = send(c->fd, c->out + c->out_sent, c->out_length - c->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0)
			c->out_sent += (size_t)n;
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR)
			c->closed = true;
	}
	c->out_length = c->out_sent = 0;
}

static json_t *id_of(const json_t *request)
{
	json_t *id = json_object_get(request, "id");
	return id ? json_incref(id) : json_null();
}

void control_answer(struct control *c, const json_t *request, uint64_t t_ns, json_t *fields)
{
	json_object_set_new(fields, "id", id_of(request));
	json_object_set_new(fields, "ok", json_true());
	if (t_ns)
		json_object_set_new(fields, "t", json_integer((json_int_t)t_ns));
	out_put_json(c, fields);
}

void control_refuse(struct control *c, const json_t *request, const char *format, ...)
{
	char text[512];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	json_t *error = json_string(text);
	if (!error)
		error = json_string("bad request"); /* the text quotes what is no UTF-8 */
	out_put_json(c, json_pack("{s:o, s:b, s:o}", "id", id_of(request), "ok", 0, "error", error));
}

void control_event(struct control *c, json_t *event)
{
	out_put_json(c, event);
}

void control_event_console(struct control *c, uint64_t t_ns, const uint8_t *data, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char head[80], hex[512];
	int head_length = snprintf(head, sizeof head, "{\"event\":\"console\",\"t\":%" PRIu64 ",\"data\":\"", t_ns);
	out_put(c, head, (size_t)head_length);
	while (length) {
		size_t part = 0;
		for (; part < sizeof hex && length; length--) {
			hex[part++] = digits[*data >> 4];
			hex[part++] = digits[*data++ & 15];
		}
		out_put(c, hex, part);
	}
	out_put(c, "\"}\n", 3);
	control_flush(c);
}

static void take_line(struct control *c, const char *line, size_t length, control_request call, void *context)
{
	json_error_t error;
	json_t *root = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
	if (c->in_overlong)
		control_refuse(c, NULL, "a request has at most %u bytes", CONTROL_LINE_LIMIT);
	else if (!root)
		control_refuse(c, NULL, "not JSON: %s (column %d)", error.text, error.column);
	else if (!json_is_object(root))
		control_refuse(c, NULL, "a request is an object");
	else
		call(context, root);
	c->in_overlong = false;
	json_decref(root);
}

/* Takes the lines in the buffer; those for which there is no room stay. */
static void take_lines(struct control *c, control_request call, void *context)
{
	size_t at = 0;
	while (at < c->in_length && control_has_room(c) && !c->closed) {
		char *end = memchr(c->in + at, '\n', c->in_length - at);
		if (!end)
			break;
		size_t length = (size_t)(end - (c->in + at));
		take_line(c, c->in + at, length, call, context);
		at += length + 1;
	}
	memmove(c->in, c->in + at, c->in_length - at);
	c->in_length -= at;
	if (c->in_length == sizeof c->in && !memchr(c->in, '\n', c->in_length)) {
		c->in_overlong = true;
		c->in_length = 0;
	}
}

void control_receive(struct control *c, control_request call, void *context)
{
	/* Above the high mark, requests that came before may still wait in the buffer: they are taken first. */
	if (control_has_room(c) && c->in_length < sizeof c->in) {
		ssize_t n = recv(c->fd, c->in + c->in_length, sizeof c->in - c->in_length, MSG_DONTWAIT);
		if (n > 0)
			c->in_length += (size_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			c->closed = true;
	}
	take_lines(c, call, context);
}
