/* SPDX-License-Identifier: Apache-2.0 */
/* Traces as text: one line an event, as JSON lines, as CSV (RFC 4180), and as candump's log. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "../link/can.h"
#include "../report/event.h"
#include "../report/text.h"
#include "trace_sink.h"

struct text_sink {
	const struct trace *trace;
	const char *path;
	FILE *file;
	bool utc;
};

int trace_file_open(const char *path, FILE **ret, struct error *err)
{
	FILE *file = path ? fopen(path, "we") : stdout;
	if (!file)
		return error_set(err, ERROR_BENCH, errno, "cannot write %s: %s", path, strerror(errno));
	*ret = file;
	return 0;
}

int trace_file_close(FILE *file, const char *path, struct error *err)
{
	bool failed = fflush(file) != 0 || ferror(file);
	int code = errno;
	if (path && fclose(file) != 0 && !failed) {
		failed = true;
		code = errno;
	}
	return failed ? error_set(err, ERROR_BENCH, code ? code : EIO, "cannot write %s: %s", path ? path : "standard output",
	                          strerror(code))
	              : 0;
}

static int text_open(void **ret, const struct trace *trace, const char *path, bool utc, struct error *err)
{
	struct text_sink *sink = calloc(1, sizeof(*sink));
	if (!sink)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	*sink = (struct text_sink){.trace = trace, .path = path, .utc = utc};
	int r = trace_file_open(path, &sink->file, err);
	if (r < 0) {
		free(sink);
		return r;
	}
	*ret = sink;
	return 0;
}

static int text_close(void *state, struct error *err)
{
	struct text_sink *sink = state;
	int r = trace_file_close(sink->file, sink->path, err);
	free(sink);
	return r;
}

static bool knows_all(const char *kind)
{
	(void)kind;
	return true;
}

static const char *time_text(const struct text_sink *sink, int64_t at_ns, char *buffer)
{
	return sink->utc ? text_utc(at_ns + sink->trace->realtime_offset_ns, buffer) : text_seconds(at_ns - sink->trace->begin_ns, buffer);
}

static int write_failed(const struct text_sink *sink, struct error *err)
{
	return error_set(err, ERROR_BENCH, errno ? errno : EIO, "cannot write %s: %s", sink->path ? sink->path : "standard output",
	                 strerror(errno));
}

static int text_event(void *state, const json_t *event, struct error *err)
{
	struct text_sink *sink = state;
	struct report_event row;
	char time[TEXT_NUMBER_SIZE];
	if (report_event_describe(event, &row) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	int r = fprintf(sink->file, sink->utc ? "%s  %-16s %-18s %s\n" : "%12s  %-16s %-18s %s\n", time_text(sink, row.at_ns, time),
	                row.channel ? row.channel : "", row.kind ? row.kind : "", row.text);
	report_event_clear(&row);
	return r < 0 ? write_failed(sink, err) : 0;
}

static int json_event(void *state, const json_t *event, struct error *err)
{
	struct text_sink *sink = state;
	if (json_dumpf(event, sink->file, JSON_COMPACT) < 0 || fputc('\n', sink->file) == EOF)
		return write_failed(sink, err);
	return 0;
}

static int csv_open(void **ret, const struct trace *trace, const char *path, bool utc, struct error *err)
{
	int r = text_open(ret, trace, path, utc, err);
	if (r == 0 && fputs("n,time_s,utc,clock,uncertainty_ns,channel,kind,step,text,hex\r\n", ((struct text_sink *)*ret)->file) == EOF)
		r = write_failed(*ret, err);
	return r;
}

/* A field that a spreadsheet would take for a formula is kept a text. */
static void csv_put(FILE *file, const char *text)
{
	bool formula = text && strchr("=+-@", text[0]) && text[0] != '\0';
	(void)fputs(formula ? ",\"'" : ",\"", file);
	for (; text && *text; text++) {
		if (*text == '"')
			(void)fputc('"', file);
		(void)fputc(*text, file);
	}
	(void)fputc('"', file);
}

static int csv_event(void *state, const json_t *event, struct error *err)
{
	struct text_sink *sink = state;
	struct report_event row;
	char seconds[TEXT_NUMBER_SIZE], utc[TEXT_NUMBER_SIZE];
	if (report_event_describe(event, &row) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	(void)fprintf(sink->file, "%" PRId64 ",%s,%s", event_integer(event, "n", 0),
	              text_seconds(row.at_ns - sink->trace->begin_ns, seconds), text_utc(row.at_ns + sink->trace->realtime_offset_ns, utc));
	csv_put(sink->file, json_string_value(json_object_get(event, "clock")));
	(void)fprintf(sink->file, ",%" PRId64, event_integer(event, "u", 0));
	csv_put(sink->file, row.channel);
	csv_put(sink->file, row.kind);
	csv_put(sink->file, json_string_value(json_object_get(event, "step")));
	csv_put(sink->file, row.text);
	csv_put(sink->file, json_string_value(json_object_get(json_object_get(event, "data"), "hex")));
	int r = fputs("\r\n", sink->file);
	report_event_clear(&row);
	return r == EOF || ferror(sink->file) ? write_failed(sink, err) : 0;
}

/* ---- candump ---- */

static bool knows_frames(const char *kind)
{
	return strcmp(kind, "can.rx") == 0 || strcmp(kind, "can.tx") == 0;
}

static uint8_t flags_of(const json_t *data)
{
	static const struct {
		const char *name;
		uint8_t flag;
	} names[] = {{"ext", CAN_MESSAGE_EXTENDED},
	             {"rtr", CAN_MESSAGE_REMOTE},
	             {"fd", CAN_MESSAGE_FD},
	             {"brs", CAN_MESSAGE_BRS},
	             {"esi", CAN_MESSAGE_ESI}};
	const json_t *flag;
	size_t i;
	uint8_t flags = 0;
	json_array_foreach (json_object_get(data, "flags"), i, flag)
		for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
			if (json_is_string(flag) && strcmp(json_string_value(flag), names[k].name) == 0)
				flags |= names[k].flag;
	return flags;
}

int trace_can_message(const json_t *event, struct can_message *ret)
{
	const json_t *data = json_object_get(event, "data");
	const char *hex = json_string_value(json_object_get(data, "hex"));
	struct can_message message = {.id = (uint32_t)event_integer(data, "id", 0),
	                              .flags = flags_of(data),
	                              .length = (uint8_t)event_integer(data, "length", 0),
	                              .at = {.ns = event_integer(event, "t", 0)}};
	struct bytes bytes = {0};
	if (hex && bytes_parse_hex(hex, &bytes) < 0)
		return -EINVAL;
	if (bytes.length <= sizeof(message.data) && bytes.length > 0)
		memcpy(message.data, bytes.data, bytes.length);
	bytes_free(&bytes);
	if (can_message_check(&message, NULL) < 0)
		return -EINVAL;
	*ret = message;
	return 0;
}

static int candump_event(void *state, const json_t *event, struct error *err)
{
	struct text_sink *sink = state;
	struct can_message message;
	char line[CAN_LOG_LINE_MAX];
	const char *channel = json_string_value(json_object_get(event, "ch")), *bus = channel ? strchr(channel, ':') : NULL;
	if (!knows_frames(json_string_value(json_object_get(event, "kind"))))
		return 0;
	if (trace_can_message(event, &message) < 0)
		return error_set(err, ERROR_BENCH, EBADMSG, "event %" PRId64 " is not a CAN frame", event_integer(event, "n", 0));
	/* The log's writer adds this process's offset of the wall clock; the run had its own. */
	message.at.ns += sink->trace->realtime_offset_ns - clock_run_offset_ns();
	int length = can_log_format(&message, bus ? bus + 1 : "can", line, sizeof(line));
	if (length < 0 || fwrite(line, 1, (size_t)length, sink->file) != (size_t)length)
		return write_failed(sink, err);
	return 0;
}

const struct trace_sink trace_sink_text = {.name = "text",
                                           .doc = "one decoded line an event",
                                           .open = text_open,
                                           .event = text_event,
                                           .close = text_close,
                                           .knows = knows_all};
const struct trace_sink trace_sink_json = {.name = "json",
                                           .doc = "the events as they are, one a line",
                                           .open = text_open,
                                           .event = json_event,
                                           .close = text_close,
                                           .knows = knows_all};
const struct trace_sink trace_sink_csv = {.name = "csv",
                                          .doc = "a table (RFC 4180) for spreadsheets",
                                          .open = csv_open,
                                          .event = csv_event,
                                          .close = text_close,
                                          .knows = knows_all};
const struct trace_sink trace_sink_candump = {.name = "candump",
                                              .doc = "the CAN frames as candump -L writes them",
                                              .open = text_open,
                                              .event = candump_event,
                                              .close = text_close,
                                              .knows = knows_frames};
