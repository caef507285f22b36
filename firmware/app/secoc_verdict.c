/* SPDX-License-Identifier: Apache-2.0 */
#include "secoc_verdict.h"

#include "../core/console.h"
#include "can_bus.h"

/* The console is slower than the bus: under a flood it would hold up the node. */
#define LINES_A_SECOND 200u
#define SECOND_US      1000000u

static struct {
	uint64_t second_us; /* begin of the second that is counted */
	uint32_t lines, hidden;
} text;

static void say_hidden(void)
{
	struct console_line line;

	if (text.hidden == 0)
		return;
	console_begin(&line);
	console_text(&line, "secoc: verdicts not written, there were too many: ");
	console_decimal(&line, text.hidden);
	console_end(&line);
	text.hidden = 0;
}

static void write_line(uint16_t id, enum secoc_result result, uint64_t freshness, uint64_t now_us)
{
	struct console_line line;

	console_begin(&line);
	console_text(&line, "secoc: id=0x");
	console_hexadecimal(&line, id, 3);
	console_text(&line, " result=");
	console_decimal(&line, result);
	console_text(&line, " fv=");
	console_decimal(&line, freshness);
	console_text(&line, " t_us=");
	console_decimal(&line, now_us);
	console_end(&line);
}

static void tell_console(uint16_t id, enum secoc_result result, uint64_t freshness, uint64_t now_us)
{
	if (now_us - text.second_us >= SECOND_US) {
		say_hidden();
		text.second_us = now_us;
		text.lines = 0;
	}
	if (text.lines == LINES_A_SECOND) {
		text.hidden++;
		return;
	}
	text.lines++;
	write_line(id, result, freshness, now_us);
}

#ifdef FIRMWARE_TEST_BUILD

#define WAITING  64u
#define RETRY_US 200u
#define LENGTH   8u

static struct {
	bool on;
	struct port_can_frame frames[WAITING]; /* those that wait, the oldest at head */
	unsigned head, count;
	uint32_t lost;
} queue;

static void frames_start(void)
{
	uint32_t on = 1;

	(void)port_param_u32("secoc.verdict_frames", &on);
	queue.on = on != 0;
	queue.head = queue.count = 0;
	queue.lost = 0;
}

static void say_lost(void)
{
	struct console_line line;

	if (queue.lost == 0)
		return;
	console_begin(&line);
	console_text(&line, "secoc: verdict frames lost, the bus is full: ");
	console_decimal(&line, queue.lost);
	console_end(&line);
	queue.lost = 0;
}

static uint64_t frames_poll(uint64_t now_us)
{
	while (queue.count > 0) {
		enum port_status status = port_can_send(CAN_BUS_NODE, &queue.frames[queue.head], NULL);

		if (status == PORT_WOULD_BLOCK)
			return now_us + RETRY_US;
		queue.lost += status != PORT_OK;
		queue.head = (queue.head + 1) % WAITING;
		queue.count--;
	}
	say_lost();
	return UINT64_MAX;
}

static void tell_bus(uint16_t id, enum secoc_result result, uint64_t freshness, uint64_t now_us)
{
	struct port_can_frame *frame = &queue.frames[(queue.head + queue.count) % WAITING];

	if (!queue.on)
		return;
	if (queue.count == WAITING) {
		queue.lost++;
		return;
	}
	*frame = (struct port_can_frame){.id = SECOC_VERDICT_ID, .length = LENGTH};
	frame->data[0] = (uint8_t)(id >> 8);
	frame->data[1] = (uint8_t)id;
	frame->data[2] = (uint8_t)result;
	for (unsigned i = 0; i < 5; i++)
		frame->data[3 + i] = (uint8_t)(freshness >> (32 - 8 * i));
	queue.count++;
	(void)frames_poll(now_us);
}

#else

static void frames_start(void) {}

static uint64_t frames_poll(uint64_t now_us)
{
	(void)now_us;
	return UINT64_MAX;
}

static void tell_bus(uint16_t id, enum secoc_result result, uint64_t freshness, uint64_t now_us)
{
	(void)id;
	(void)result;
	(void)freshness;
	(void)now_us;
}

#endif

void secoc_verdict_start(void)
{
	text.second_us = port_time_us();
	text.lines = text.hidden = 0;
	frames_start();
}

/* The frame first: the console takes longer. */
void secoc_verdict(uint16_t id, enum secoc_result result, uint64_t freshness)
{
	uint64_t now_us = port_time_us();

	tell_bus(id, result, freshness, now_us);
	tell_console(id, result, freshness, now_us);
}

void secoc_verdict_poll(uint64_t now_us, uint64_t *ret_deadline_us)
{
	*ret_deadline_us = frames_poll(now_us);
	if (text.hidden == 0)
		return;
	if (now_us - text.second_us >= SECOND_US)
		say_hidden();
	else if (text.second_us + SECOND_US < *ret_deadline_us)
		*ret_deadline_us = text.second_us + SECOND_US;
}
