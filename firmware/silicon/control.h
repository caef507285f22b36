/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control channel: JSON lines over one stream socket (docs/reference/virtual-board.md). What goes out is kept in
 * a bounded buffer; while that is full, control_has_room() is false and nothing that produces events may be read.
 */
#ifndef FIRMWARE_SILICON_CONTROL_H
#define FIRMWARE_SILICON_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#define CONTROL_LINE_LIMIT 65536u
#define CONTROL_OUT_LIMIT  262144u /* above the high mark, room for the longest answer: 64 KiB of flash in hex */
#define CONTROL_OUT_HIGH   65536u

struct control {
	int fd;
	bool closed; /* the other side is gone */
	size_t in_length;
	bool in_overlong; /* the rest of a line that does not fit is thrown away */
	size_t out_length, out_sent;
	char in[CONTROL_LINE_LIMIT];
	char out[CONTROL_OUT_LIMIT];
};

static inline bool control_has_room(const struct control *c)
{
	return c->out_length - c->out_sent < CONTROL_OUT_HIGH;
}
static inline bool control_has_output(const struct control *c)
{
	return c->out_length > c->out_sent;
}

/* Calls back for every complete request while there is room for answers; root is borrowed. */
typedef void (*control_request)(void *context, json_t *request);
void control_receive(struct control *control, control_request call, void *context);
/* Sends what can be sent now. */
void control_flush(struct control *control);

/* Answers. The object is taken over; id, ok and t (unless 0) are added. */
void control_answer(struct control *control, const json_t *request, uint64_t t_ns, json_t *fields);
void control_refuse(struct control *control, const json_t *request, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Events. The object is taken over. */
void control_event(struct control *control, json_t *event);
void control_event_console(struct control *control, uint64_t t_ns, const uint8_t *data, size_t length);

#endif
