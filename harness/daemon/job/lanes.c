/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lanes of a journal. First the lines are looked at without parsing them, to know what is in which lane and where in the file; then only
 * what goes into the answer is parsed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../report/event.h"
#include "descendants.h"
#include "lane.h"
#include "tail.h"

#define LANES_MAX     96 /* more than that are drawn together */
#define STEPS_MAX     8  /* steps within steps */
#define LIMIT_MAX     20000
#define STEP_NS       INT64_C(10000000)
#define WINDOW        (256u << 10)
#define ITEM_LINE_MAX (64u << 10) /* of an item; longer lines are named only */
#define LABEL_LIMIT   96

enum phase { PHASE_SCAN, PHASE_PARSE, PHASE_DONE };

struct chosen {
	struct lane_item item;
	unsigned lane;
	bool failed;
};
struct lanes {
	enum phase phase;
	int file;
	int64_t from_ns, to_ns, first_ns, last_ns;
	unsigned limit, count, step_depth;
	bool begun, is_virtual;
	struct lane lanes[LANES_MAX];
	char *window; /* WINDOW bytes at first; a longer line makes it longer */
	size_t window_size, window_length;
	uint64_t window_offset;
	struct chosen *chosen;
	unsigned chosen_count, parsed;
	json_t **items; /* an array a lane */
	json_t *answer;
	uint64_t seen;
};

/* ---- lanes ---- */

static struct lane *lane_named(struct lanes *lanes, enum lane_kind kind, unsigned depth, unsigned importance, const char *name)
{
	struct lane *lane;
	for (unsigned i = 0; i < lanes->count; i++) {
		lane = &lanes->lanes[i];
		/* Rare things do not wait behind chatter for a place. */
		if (lane->kind == kind && lane->depth == depth && lane->importance == importance && strcmp(lane->name, name) == 0)
			return lane;
	}
	if (lanes->count == LANES_MAX)
		return &lanes->lanes[LANES_MAX - 1];
	lane = &lanes->lanes[lanes->count++];
	lane->kind = kind;
	lane->depth = depth;
	lane->importance = importance;
	(void)snprintf(lane->name, sizeof(lane->name), "%s", name);
	return lane;
}

/* "board:zgw" and "boot": "boot zgw". Only what a name may have: what is escaped in JSON, or not ASCII, is "?". */
static void lane_name(const struct line_head *head, const struct lane_plan *plan, char *name, size_t size)
{
	const char *colon = memchr(head->channel, ':', head->channel_length);
	const char *who = colon ? colon + 1 : head->channel;
	const size_t length = (size_t)(head->channel + head->channel_length - who);
	const bool tester = colon && colon - head->channel == 6 && memcmp(head->channel, "tester", 6) == 0;
	const bool alone = plan->prefix && plan->prefix[0] && !colon;
	(void)snprintf(name, size, "%s%s%s%.*s", plan->prefix ? plan->prefix : "", plan->prefix && plan->prefix[0] && !alone ? " " : "",
	               tester ? "tester " : "", alone ? 0 : (int)(length < 48 ? length : 48), who);
	for (char *c = name; *c; c++)
		if (*c == '\\' || *c < ' ' || *c >= 0x7f)
			*c = '?';
}

static struct lane *lane_of(struct lanes *lanes, const struct line_head *head, const struct lane_plan *plan)
{
	char name[sizeof(((struct lane *)NULL)->name)];
	if (plan->lane == LANE_CASE)
		return lane_named(lanes, LANE_CASE, 0, 0, "case");
	if (plan->lane == LANE_STEP) {
		unsigned depth = plan->act == ACT_BEGIN ? lanes->step_depth : lanes->step_depth > 0 ? lanes->step_depth - 1 : 0;
		depth = depth < STEPS_MAX ? depth : STEPS_MAX - 1;
		(void)snprintf(name, sizeof(name), depth ? "step %u" : "step", depth + 1);
		return lane_named(lanes, LANE_STEP, depth, 0, name);
	}
	lane_name(head, plan, name, sizeof(name));
	return lane_named(lanes, plan->lane, 0, plan->importance, name);
}

static bool in_range(const struct lanes *lanes, const struct lane_item *item)
{
	const int64_t end_ns = item->end_ns == LANE_NO_END ? item->t_ns : item->end_ns;
	return end_ns >= lanes->from_ns && (lanes->to_ns < 0 || item->t_ns <= lanes->to_ns);
}

static bool item_put(struct lanes *lanes, struct lane *lane, const struct lane_item *item, bool failed)
{
	if (!in_range(lanes, item))
		return true;
	lanes->seen++;
	return lane_put(lane, failed ? 0 : 1, item, lanes->limit < 2 ? 2 : lanes->limit);
}

static bool open_close(struct lanes *lanes, struct lane *lane, int64_t end_ns, bool failed)
{
	if (!lane->is_open)
		return true;
	lane->is_open = false;
	/* Stamps of different clocks may cross. */
	lane->open.end_ns = end_ns < lane->open.t_ns ? lane->open.t_ns : end_ns;
	return item_put(lanes, lane, &lane->open, failed);
}

/* ---- the first look ---- */

static bool has(const char *line, size_t length, const char *text)
{
	return memmem(line, length, text, strlen(text)) != NULL;
}

/* Whether it is what one looks for in a lane. */
static bool is_failure(const struct line_head *head, const char *line, size_t length)
{
	if (line_kind_is(head, "case.end") || line_kind_is(head, "step.end"))
		return has(line, length, "\"verdict\":\"fail\"") || has(line, length, "\"verdict\":\"error\"");
	return line_kind_is(head, "tls.alert") || line_kind_is(head, "tls.failed") || line_kind_begins(head, "board.") ||
	       line_kind_is(head, "probe.lost") || line_kind_is(head, "supply.trip") || line_kind_is(head, "can.lost");
}

static void steps_count(struct lanes *lanes, const struct line_head *head)
{
	if (line_kind_is(head, "step.begin"))
		lanes->step_depth++;
	else if (line_kind_is(head, "step.end") && lanes->step_depth > 0)
		lanes->step_depth--;
	else if (line_kind_is(head, "case.begin"))
		lanes->step_depth = 0;
}

static bool plan_do(struct lanes *lanes, struct lane *lane, enum lane_act act, const struct lane_item *item, bool failed)
{
	const bool ends = act != ACT_POINT;
	if (act == ACT_END && lane->is_open) {
		lane->open.end_line = item->begin_line;
		lane->open.end_length = item->begin_length;
	}
	const bool was_open = lane->is_open;
	if (ends && !open_close(lanes, lane, item->t_ns, failed))
		return false;
	if (act == ACT_BEGIN || act == ACT_NEXT) {
		lane->open = *item;
		lane->is_open = true;
		return true;
	}
	return act == ACT_END && was_open ? true : item_put(lanes, lane, item, failed);
}

/* A board without power does not boot any more, whatever its last stage was. */
static bool power_gone(struct lanes *lanes, const struct line_head *head, int64_t t_ns)
{
	const struct lane_plan boot = {LANE_BOOT, ACT_BREAK, "boot", 1};
	return !line_kind_is(head, "power.off") || open_close(lanes, lane_of(lanes, head, &boot), t_ns, false);
}

static void run_begins(struct lanes *lanes, const char *line, size_t length)
{
	lanes->is_virtual = has(line, length, "\"virtual\":true");
}

static bool line_look(struct lanes *lanes, const char *line, size_t length, uint64_t offset)
{
	struct line_head head;
	if (!line_head(line, length, &head))
		return true;
	if (!lanes->begun) {
		lanes->begun = true;
		lanes->first_ns = head.t_ns;
	}
	if (line_kind_is(&head, "run.begin"))
		run_begins(lanes, line, length);
	const struct lane_item item = {.t_ns = head.t_ns - lanes->first_ns,
	                               .end_ns = LANE_NO_END,
	                               .begin_line = offset,
	                               .begin_length = (uint32_t)(length < UINT32_MAX ? length : UINT32_MAX),
	                               .end_line = LANE_NO_LINE};
	if (item.t_ns > lanes->last_ns)
		lanes->last_ns = item.t_ns;
	const struct lane_plan plan = lane_plan(&head);
	bool done = plan.act == ACT_NONE || (power_gone(lanes, &head, item.t_ns) && plan_do(lanes, lane_of(lanes, &head, &plan), plan.act,
	                                                                                    &item, is_failure(&head, line, length)));
	steps_count(lanes, &head);
	return done;
}

/* Whole lines of the window; then what is left moves to its begin. */
static bool window_look(struct lanes *lanes)
{
	char *line = lanes->window, *newline;
	char *const end = lanes->window + lanes->window_length;
	bool fine = true;
	while (fine && (newline = memchr(line, '\n', (size_t)(end - line)))) {
		fine = line_look(lanes, line, (size_t)(newline - line), lanes->window_offset + (uint64_t)(line - lanes->window));
		line = newline + 1;
	}
	lanes->window_offset += (uint64_t)(line - lanes->window);
	lanes->window_length = (size_t)(end - line);
	memmove(lanes->window, line, lanes->window_length);
	return fine;
}

static int window_fill(struct lanes *lanes)
{
	if (lanes->window_length == lanes->window_size) {
		char *grown = lanes->window_size > SIZE_MAX / 4 ? NULL : realloc(lanes->window, lanes->window_size * 2);
		if (!grown)
			return -ENOMEM;
		lanes->window = grown;
		lanes->window_size *= 2;
	}
	ssize_t n = pread(lanes->file, lanes->window + lanes->window_length, lanes->window_size - lanes->window_length,
	                  (off_t)(lanes->window_offset + lanes->window_length));
	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	lanes->window_length += (size_t)n;
	return n > 0;
}

/* ---- what goes into the answer ---- */

static int by_place(const void *a, const void *b)
{
	const struct chosen *one = a, *other = b;
	return (one->item.begin_line > other->item.begin_line) - (one->item.begin_line < other->item.begin_line);
}

static void shelf_choose(struct lanes *lanes, unsigned lane, unsigned number)
{
	const struct lane_shelf *shelf = &lanes->lanes[lane].shelves[number];
	for (unsigned i = 0; i < shelf->share; i++) {
		const size_t at = (size_t)((uint64_t)i * shelf->count / shelf->share);
		lanes->chosen[lanes->chosen_count++] = (struct chosen){.item = shelf->items[at], .lane = lane, .failed = number == 0};
	}
}

static int choose(struct lanes *lanes)
{
	for (unsigned i = 0; i < lanes->count; i++)
		if (!open_close(lanes, &lanes->lanes[i], LANE_OPEN, false))
			return -ENOMEM;
	lanes_share(lanes->lanes, lanes->count, lanes->limit);
	lanes->chosen = calloc(lanes->limit, sizeof(*lanes->chosen));
	lanes->items = calloc(LANES_MAX, sizeof(json_t *));
	if (!lanes->chosen || !lanes->items)
		return -ENOMEM;
	for (unsigned i = 0; i < lanes->count; i++)
		for (unsigned number = 0; number < LANE_SHELVES; number++)
			shelf_choose(lanes, i, number);
	qsort(lanes->chosen, lanes->chosen_count, sizeof(*lanes->chosen), by_place);
	return 0;
}

static json_t *line_parse(const struct lanes *lanes, uint64_t offset, uint32_t length)
{
	char line[ITEM_LINE_MAX];
	if (offset == LANE_NO_LINE || length > sizeof(line) || pread(lanes->file, line, length, (off_t)offset) != (ssize_t)length)
		return NULL;
	return json_loadb(line, length, 0, NULL);
}

static const char *member(const json_t *data, const char *key)
{
	return json_string_value(json_object_get(data, key));
}

/* A name for the few pixels of an item. NULL: the whole text has to do. */
static const char *label_of(enum lane_kind lane, const char *kind, const json_t *data, const char *text)
{
	static const char *const names[] = {[LANE_CASE] = "id", [LANE_STEP] = "name", [LANE_BOOT] = "stage", [LANE_DOIP] = "name"};
	const char *name = (size_t)lane < sizeof(names) / sizeof(*names) && names[lane] ? member(data, names[lane]) : NULL;
	if (name)
		return name;
	if (lane == LANE_CONSOLE || lane == LANE_CAN)
		return text;
	if (lane == LANE_POWER && strcmp(kind, "power.on") == 0)
		return "on";
	if (lane == LANE_TLS && (strcmp(kind, "tls.client_hello") == 0 || strcmp(kind, "tls.open") == 0))
		return "handshake";
	return kind;
}

static bool one_of(const char *kind, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(kind, *list) == 0)
			return true;
	return false;
}

static const char *level_of(const struct chosen *chosen, const char *kind, const json_t *end_data)
{
	static const char *const warnings[] = {"can.error", "can.lost",    "can.fault", "link.fault",     "tcp.refused",
	                                       "tcp.reset", "supply.trip", "power.cut", "board.given_up", NULL};
	const char *verdict = member(end_data, "verdict");
	if (verdict)
		return verdict;
	if (strncmp(kind, "case.", 5) == 0 || strncmp(kind, "step.", 5) == 0)
		return "";
	if (chosen->failed)
		return "error";
	return one_of(kind, warnings) ? "warn" : "info";
}

/* What the line says, then what its end says. */
static json_t *detail_of(enum lane_kind lane, const struct report_event *row, const json_t *data, const json_t *end)
{
	const json_t *end_data = json_object_get(end, "data");
	const char *title = lane == LANE_CASE ? member(data, "title") : NULL, *text = title ? title : row->text;
	const char *verdict = member(end_data, "verdict"), *message = member(end_data, "message");
	struct report_event ended;
	json_t *detail = NULL;
	if (verdict)
		return json_sprintf("%s — %s%s%s", text, verdict, message ? ": " : "", message ? message : "");
	if (end && report_event_describe(end, &ended) == 0) {
		if (ended.text[0])
			detail = json_sprintf("%s%s%s", text, text[0] ? " — " : "", ended.text);
		report_event_clear(&ended);
	}
	return detail ? detail : json_string(text);
}

/* At most LABEL_LIMIT bytes, no character cut in two. */
static json_t *label_json(const char *label)
{
	size_t length = strlen(label);
	if (length <= LABEL_LIMIT)
		return json_string(label);
	length = LABEL_LIMIT;
	while (length > 0 && ((unsigned char)label[length] & 0xC0) == 0x80)
		length--;
	return json_sprintf("%.*s…", (int)length, label);
}

static json_t *end_json(int64_t end_ns, int64_t last_ns)
{
	return end_ns == LANE_NO_END ? json_null() : json_integer(end_ns == LANE_OPEN ? last_ns : end_ns);
}

static json_t *item_json(const struct lanes *lanes, const struct chosen *chosen)
{
	const struct lane_item *item = &chosen->item;
	const struct lane *lane = &lanes->lanes[chosen->lane];
	json_t *begin = line_parse(lanes, item->begin_line, item->begin_length), *end = line_parse(lanes, item->end_line, item->end_length);
	const json_t *data = json_object_get(begin, "data");
	struct report_event row;
	json_t *json = NULL;
	if (!begin || report_event_describe(begin, &row) < 0) {
		json = json_pack("{s:I,s:o,s:s,s:s,s:s}", "t", (json_int_t)item->t_ns, "end", end_json(item->end_ns, lanes->last_ns),
		                 "label", lane->name, "detail", "the line cannot be read", "level", "warn");
	} else {
		const char *kind = row.kind ? row.kind : "";
		json = json_pack("{s:I,s:o,s:o,s:o,s:s}", "t", (json_int_t)item->t_ns, "end", end_json(item->end_ns, lanes->last_ns),
		                 "label", label_json(label_of(lane->kind, kind, data, row.text)), "detail",
		                 detail_of(lane->kind, &row, data, end), "level", level_of(chosen, kind, json_object_get(end, "data")));
		report_event_clear(&row);
	}
	json_decref(begin);
	json_decref(end);
	return json;
}

/* Rare things and chatter of one name are drawn together. */
static unsigned drawn_in(const struct lanes *lanes, unsigned lane)
{
	const struct lane *wanted = &lanes->lanes[lane];
	for (unsigned i = 0; i < lane; i++)
		if (lanes->lanes[i].kind == wanted->kind && strcmp(lanes->lanes[i].name, wanted->name) == 0)
			return i;
	return lane;
}

static int item_parse(struct lanes *lanes, const struct chosen *chosen)
{
	const unsigned lane = drawn_in(lanes, chosen->lane);
	if (!lanes->items[lane])
		lanes->items[lane] = json_array();
	json_t *json = item_json(lanes, chosen);
	return json && json_array_append_new(lanes->items[lane], json) == 0 ? 0 : -ENOMEM;
}

static int answer_lanes(struct lanes *lanes, json_t *array)
{
	for (unsigned kind = LANE_CASE; kind <= LANE_OTHER; kind++)
		for (unsigned i = 0; i < lanes->count; i++) {
			if (lanes->lanes[i].kind != kind || !lanes->items[i])
				continue;
			json_t *lane = json_pack("{s:s,s:s,s:o}", "name", lanes->lanes[i].name, "kind", lane_kind_name(kind), "items",
			                         lanes->items[i]);
			lanes->items[i] = NULL;
			if (json_array_append_new(array, lane) < 0)
				return -ENOMEM;
		}
	return 0;
}

static int answer(struct lanes *lanes)
{
	json_t *array = json_array();
	int r = array ? answer_lanes(lanes, array) : -ENOMEM;
	lanes->answer = json_pack("{s:I,s:I,s:b,s:o,s:I}", "begin_ns", (json_int_t)lanes->from_ns, "end_ns",
	                          (json_int_t)(lanes->to_ns >= 0 ? lanes->to_ns : lanes->last_ns), "virtual", lanes->is_virtual, "lanes",
	                          array, "left_off", (json_int_t)(lanes->seen - lanes->chosen_count));
	return r == 0 && !lanes->answer ? -ENOMEM : r;
}

/* ---- in steps ---- */

static int scan(struct lanes *lanes)
{
	int more = window_fill(lanes);
	if (more < 0)
		return more;
	if (!window_look(lanes))
		return -ENOMEM;
	if (more)
		return 0;
	lanes->phase = PHASE_PARSE;
	return choose(lanes);
}

static int parse(struct lanes *lanes)
{
	if (lanes->parsed < lanes->chosen_count)
		return item_parse(lanes, &lanes->chosen[lanes->parsed++]);
	lanes->phase = PHASE_DONE;
	return answer(lanes);
}

int lanes_begin(struct lanes **ret, const char *journal_path, int64_t from_ns, int64_t to_ns, unsigned limit, struct error *err)
{
	struct lanes *lanes = calloc(1, sizeof(*lanes));
	char *window = malloc(WINDOW);
	if (!lanes || !window) {
		free(lanes);
		free(window);
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	}
	limit = limit < 1 ? 1 : limit > LIMIT_MAX ? LIMIT_MAX : limit;
	*lanes = (struct lanes){
	        .from_ns = from_ns > 0 ? from_ns : 0, .to_ns = to_ns, .limit = limit, .window = window, .window_size = WINDOW};
	lanes->file = open(journal_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (lanes->file < 0) {
		int code = errno;
		(void)lanes_end(lanes);
		return error_set(err, ERROR_BENCH, code, "cannot read %s: %s", journal_path, strerror(code));
	}
	*ret = lanes;
	return 0;
}

int lanes_step(struct lanes *lanes, struct error *err)
{
	const int64_t until_ns = clock_ns(CLOCK_MONOTONIC) + STEP_NS;
	int r = 0;
	while (r == 0 && lanes->phase != PHASE_DONE && clock_ns(CLOCK_MONOTONIC) < until_ns)
		r = lanes->phase == PHASE_SCAN ? scan(lanes) : parse(lanes);
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "cannot read the journal: %s", strerror(-r));
	return lanes->phase != PHASE_DONE;
}

json_t *lanes_end(struct lanes *lanes)
{
	json_t *answer = lanes->answer;
	for (unsigned i = 0; i < lanes->count; i++) {
		lane_clear(&lanes->lanes[i]);
		if (lanes->items)
			json_decref(lanes->items[i]);
	}
	if (lanes->file >= 0)
		(void)close(lanes->file);
	free((void *)lanes->items);
	free(lanes->chosen);
	free(lanes->window);
	free(lanes);
	return answer;
}

int timeline_lanes(const char *journal_path, int64_t from_ns, int64_t to_ns, unsigned limit, json_t **ret, struct error *err)
{
	struct lanes *lanes;
	int r = lanes_begin(&lanes, journal_path, from_ns, to_ns, limit, err);
	if (r < 0)
		return r;
	do
		r = lanes_step(lanes, err);
	while (r > 0);
	*ret = lanes_end(lanes);
	return r;
}
