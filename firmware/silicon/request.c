/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of the control channel. */
#include "request.h"

#include <errno.h>
#include <string.h>

#include "instant.h"

static void finish(struct board *board, json_t *request, int r, uint64_t t_ns, const char *error)
{
	if (r < 0)
		control_refuse(&board->control, request, "%s", error);
	else
		control_answer(&board->control, request, t_ns, json_object());
}

static void do_switch(struct board *board, json_t *request, int (*action)(struct board *, bool, uint64_t *, char *, size_t))
{
	char error[512];
	uint64_t t_ns = 0;
	json_t *on = json_object_get(request, "on");
	if (!json_is_boolean(on)) {
		control_refuse(&board->control, request, "\"on\" has to be true or false");
		return;
	}
	int r = action(board, json_is_true(on), &t_ns, error, sizeof error);
	finish(board, request, r, t_ns, error);
}

static void do_power(struct board *board, json_t *request)
{
	unsigned boots = board->boots;
	do_switch(board, request, board_power);
	if (board->boots != boots)
		board_report_reset(board, "power");
}

static void do_hold(struct board *board, json_t *request)
{
	do_switch(board, request, board_hold);
}

static void do_reset(struct board *board, json_t *request)
{
	char error[512];
	uint64_t t_ns = 0;
	const char *kind = json_string_value(json_object_get(request, "kind"));
	if (!kind || strcmp(kind, "external") != 0) {
		control_refuse(&board->control, request, "\"kind\" has to be \"external\"");
		return;
	}
	int r = board_reset(board, "external", &t_ns, error, sizeof error);
	finish(board, request, r, t_ns, error);
}

/* A strap's value as text; NULL with *ret_remove for null, NULL without for what is no value. */
static const char *value_text(json_t *value, char *number, size_t size, bool *ret_remove)
{
	*ret_remove = json_is_null(value);
	if (json_is_integer(value)) {
		snprintf(number, size, "%lld", (long long)json_integer_value(value));
		return number;
	}
	if (json_is_boolean(value))
		return json_is_true(value) ? "1" : "0";
	return json_string_value(value);
}

static void do_set(struct board *board, json_t *request)
{
	char number[32];
	bool remove;
	const char *name = json_string_value(json_object_get(request, "param"));
	const char *value = value_text(json_object_get(request, "value"), number, sizeof number, &remove);
	if (!name || (!value && !remove)) {
		control_refuse(&board->control, request, "\"param\" has to be a string, \"value\" a string, a number, a boolean or null");
		return;
	}
	int r = straps_set(&board->straps, name, value);
	finish(board, request, r, instant_ns(),
	       r == -EINVAL ? "a name has no '=', and no line breaks are allowed" : "no room for this parameter");
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
	return at ? (int)(at - digits) : -1;
}

int request_hex(const char *text, uint8_t *data, size_t size)
{
	size_t length = strlen(text);
	if (length % 2 || length / 2 > size)
		return -1;
	for (size_t i = 0; i < length / 2; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return -1;
		data[i] = (uint8_t)(high << 4 | low);
	}
	return (int)(length / 2);
}

static void do_input(struct board *board, json_t *request)
{
	static uint8_t data[4096];
	const char *text = json_string_value(json_object_get(request, "data"));
	int length = text ? request_hex(text, data, sizeof data) : -1;
	if (length < 0) {
		control_refuse(&board->control, request, "\"data\" has to be hex of at most %zu bytes", sizeof data);
		return;
	}
	uint64_t t_ns = instant_ns();
	int r = length ? uart_write(&board->uart, data, (size_t)length) : 0;
	if (r == -ENOTCONN)
		control_refuse(&board->control, request, "the CPU does not run");
	else if (r < length)
		control_refuse(&board->control, request, "the console's input is full: %d bytes taken", r < 0 ? 0 : r);
	else
		control_answer(&board->control, request, t_ns, json_object());
}

static void do_status(struct board *board, json_t *request)
{
	static const char *const states[] = {"off", "held", "ssw", "running", "dead"};
	control_answer(&board->control, request, instant_ns(),
	               json_pack("{s:b, s:s, s:b, s:i, s:i, s:s}", "power", (int)board->powered, "cpu", states[board->state], "halted",
	                         (int)board->halted, "pid", (int)board->cpu.pid, "resets", (int)board->boots, "exit",
	                         board->state == BOARD_DEAD ? board->cpu.exit : ""));
}

static const struct request_command *command_find(const struct request_command *table, const char *name)
{
	for (; name && table->name; table++) {
		if (strcmp(table->name, name) == 0)
			return table;
	}
	return NULL;
}

void board_request(void *context, json_t *request)
{
	static const struct request_command commands[] = {{"power", do_power}, {"reset", do_reset},   {"hold", do_hold}, {"set", do_set},
	                                                  {"input", do_input}, {"status", do_status}, {NULL, NULL}};
	struct board *board = context;
	const char *name = json_string_value(json_object_get(request, "cmd"));
	const struct request_command *command = command_find(commands, name);
	if (!command)
		command = command_find(request_flash, name);
	if (command)
		command->run(board, request);
	else
		control_refuse(&board->control, request, "unknown command \"%.40s\"", name ? name : "");
}
