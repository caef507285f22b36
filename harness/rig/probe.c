/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe_private.h"

#define VERB_NS     INT64_C(5000000000)
#define SLOT_BYTES  16
#define HEX_SHOWN   64 /* bytes of data in the journal: files are not copied into it */
#define ANSWER_TEXT 400

/* One line a driver: harness/rig/drivers/probe_NAME.c. */
static const struct probe_driver *const drivers[] = {&probe_driver_openocd, &probe_driver_gdb, NULL};
const char *const probe_driver_names[] = {"openocd", "gdb", NULL};

static const struct probe_driver *driver_find(const char *name)
{
	for (const struct probe_driver *const *driver = drivers; *driver; driver++)
		if (!strcmp((*driver)->name, name))
			return *driver;
	return NULL;
}

/* ---- the rig file ---- */

bool probe_number(const struct value *value, uint64_t *ret)
{
	char *end;
	if (value->type == VALUE_INTEGER && value->integer >= 0) {
		*ret = (uint64_t)value->integer;
		return true;
	}
	if (value->type != VALUE_TEXT || value->text[0] < '0' || value->text[0] > '9')
		return false;
	errno = 0;
	*ret = strtoull(value->text, &end, 0);
	return !errno && !*end;
}

static int verb_ns(const struct value *map, int64_t *ret, struct error *err)
{
	const struct value *text = value_get(map, "deadline");
	struct value *duration = NULL;
	*ret = VERB_NS;
	if (!text)
		return 0;
	int r = value_convert(text, VALUE_DURATION, &duration, err);
	if (r == 0 && duration->integer <= 0)
		r = error_set_place(err, ERROR_USAGE, ERANGE, text->place, "`deadline` must be above zero");
	if (r == 0)
		*ret = duration->integer;
	value_free(duration);
	return r;
}

int probe_check_map(const struct value *map, struct error *err)
{
	const struct value *unique = value_get(map, "unique_id"), *slot = value_get(map, "slot");
	uint64_t number;
	int64_t limit_ns;
	int r = verb_ns(map, &limit_ns, err);
	if (r == 0 && unique && !probe_number(value_get(unique, "value"), &number))
		r = error_set_place(err, ERROR_USAGE, EINVAL, value_get(unique, "value")->place,
		                    "the `value` of unique_id must be a number of at most 64 bits, like 0x67310484c3c02165");
	if (r == 0 && slot && strlen(map_text(slot, "value")) > SLOT_BYTES)
		r = error_set_place(err, ERROR_USAGE, ERANGE, value_get(slot, "value")->place, "a slot has at most %d characters",
		                    SLOT_BYTES);
	return r < 0 ? r : driver_find(map_text(map, "driver"))->check(map, err);
}

int probe_check_files(const struct rig_file *file, const struct value *map, struct error *err)
{
	const struct probe_driver *driver = driver_find(map_text(map, "driver"));
	return driver->check_files ? driver->check_files(file, map, err) : 0;
}

/* ---- begin and end ---- */

int probe_open(struct rig_board *board, struct error *err)
{
	const struct value *map = value_get(board->map, "probe");
	if (!map)
		return 0;
	struct probe *probe = calloc(1, sizeof(*probe));
	if (!probe)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	board->probe = probe;
	*probe = (struct probe){.board = board, .map = map, .driver = driver_find(map_text(map, "driver"))};
	int r = verb_ns(map, &probe->verb_ns, err);
	return r < 0 ? r : probe->driver->open(probe, err);
}

void probe_close(struct rig_board *board)
{
	if (!board->probe)
		return;
	board->probe->driver->close(board->probe);
	free(board->probe);
	board->probe = NULL;
}

struct probe *rig_board_probe(struct rig_board *board)
{
	return board->probe;
}

const char *probe_driver_name(const struct probe *probe)
{
	return probe->driver->name;
}

int probe_process(const struct probe *probe)
{
	return probe->driver->process ? probe->driver->process(probe) : 0;
}

int64_t probe_verb_ns(const struct probe *probe)
{
	return probe->verb_ns;
}

int64_t probe_deadline_ns(const struct probe *probe)
{
	return loop_now_ns() + probe->verb_ns;
}

/* ---- connecting ---- */

static void emit(const struct probe *probe, const char *kind, json_t *stolen)
{
	timeline_emit_now(probe->board->rig->timeline, probe->board->channel, kind, stolen);
}

/* Once for every connection that stood. */
static void lose(struct probe *probe, const char *reason)
{
	if (probe->identified)
		emit(probe, "probe.lost", json_pack("{s:s}", "reason", reason));
	probe->identified = false;
}

/* Says whose probe it is, and why a board cannot answer. */
static int finish(struct probe *probe, int r, struct error *err)
{
	if (r >= 0)
		return r;
	if (!probe->driver->connected(probe))
		lose(probe, err ? err->message : "?");
	error_prefix(err, r == -EFAULT && !probe->board->powered ? "probe of %s, which has no power" : "probe of %s", probe->board->role);
	return r;
}

static int connect_now(struct probe *probe, int64_t deadline_ns, struct error *err)
{
	int64_t begin_ns = loop_now_ns();
	if (probe->driver->connected(probe))
		return 0;
	lose(probe, "it ended while nobody used it");
	int r = probe->driver->connect(probe, deadline_ns, err);
	if (r == 0)
		emit(probe, "probe.connect",
		     json_pack("{s:s,s:i,s:I}", "driver", probe->driver->name, "pid", probe_process(probe), "duration_ns",
		               (json_int_t)(loop_now_ns() - begin_ns)));
	return r;
}

static int read_identity(struct probe *probe, struct probe_identity *identity, int64_t deadline_ns, struct error *err)
{
	const struct value *unique = value_get(probe->map, "unique_id"), *slot = value_get(probe->map, "slot");
	uint8_t bytes[8];
	int r = probe->driver->identify ? probe->driver->identify(probe, identity, deadline_ns, err) : 0;
	if (r == 0 && unique)
		r = probe->driver->read(probe, (uint32_t)value_get(unique, "address")->integer, 4, bytes, sizeof(bytes), deadline_ns, err);
	for (int i = 7; r == 0 && unique && i >= 0; i--)
		identity->unique_id = identity->unique_id << 8 | bytes[i];
	if (r == 0 && slot)
		r = probe->driver->read(probe, (uint32_t)value_get(slot, "address")->integer, 4, identity->slot, SLOT_BYTES, deadline_ns,
		                        err);
	return r;
}

/* What the board says of itself may be anything. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static int another_board(struct probe *probe, struct error *err, const char *format, ...) PRINTF_LIKE(3, 4);
static int another_board(struct probe *probe, struct error *err, const char *format, ...)
{
	char text[200];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	probe->driver->disconnect(probe); /* whoever plugs in the right one need not end the run */
	return error_set_place(err, ERROR_BENCH, EXDEV, probe->map->place, "another board answers: %s; nothing was written", text);
}

static int compare_identity(struct probe *probe, const struct probe_identity *is, struct error *err)
{
	const struct value *idcode = value_get(probe->map, "idcode"), *unique = value_get(probe->map, "unique_id"),
	                   *slot = value_get(probe->map, "slot");
	uint64_t wanted = 0;
	if (idcode && is->idcode == 0)
		return another_board(probe, err, "the adapter tells no IDCODE, 0x%08" PRIx64 " is expected", (uint64_t)idcode->integer);
	if (idcode && (uint32_t)idcode->integer != is->idcode)
		return another_board(probe, err, "its IDCODE is 0x%08" PRIx32 ", not 0x%08" PRIx64, is->idcode, (uint64_t)idcode->integer);
	if (unique && probe_number(value_get(unique, "value"), &wanted) && wanted != is->unique_id)
		return another_board(probe, err, "its unique id is 0x%016" PRIx64 ", not 0x%016" PRIx64, is->unique_id, wanted);
	if (slot && strcmp(map_text(slot, "value"), is->slot))
		return another_board(probe, err, "it says that it is in slot \"%s\", not \"%s\"", is->slot, map_text(slot, "value"));
	return 0;
}

static int identify_now(struct probe *probe, int64_t deadline_ns, struct error *err)
{
	struct probe_identity identity = {0};
	char id[24];
	int r = read_identity(probe, &identity, deadline_ns, err);
	make_printable(identity.slot);
	if (r == -EFAULT && probe->board->powered) { /* the right board would answer there */
		if (err)
			err->domain = ERROR_BENCH;
		error_prefix(
		        err,
		        "the board cannot be identified: is the probe plugged into another one, or is an address of the rig file wrong?");
		return -EXDEV;
	}
	if (r < 0) {
		error_prefix(err, "the board cannot be identified");
		return r;
	}
	r = compare_identity(probe, &identity, err);
	if (r < 0)
		return r;
	snprintf(id, sizeof(id), "0x%016" PRIx64, identity.unique_id);
	emit(probe, "probe.identify",
	     json_pack("{s:I,s:s,s:s}", "idcode", (json_int_t)identity.idcode, "unique_id", id, "slot", identity.slot));
	probe->identity = identity;
	probe->identified = true;
	return 0;
}

/* Connected to the right board. */
static int ready(struct probe *probe, int64_t deadline_ns, struct error *err)
{
	int r = connect_now(probe, deadline_ns, err);
	return r < 0 || probe->identified ? r : identify_now(probe, deadline_ns, err);
}

/* The same for what changes nothing: a board that cannot say who it is may still be looked at. */
static int ready_to_look(struct probe *probe, int64_t deadline_ns, struct error *err)
{
	int r = ready(probe, deadline_ns, err);
	return r == -EFAULT ? 0 : r;
}

int probe_identify(struct probe *probe, struct probe_identity *ret, int64_t deadline_ns, struct error *err)
{
	int r = connect_now(probe, deadline_ns, err);
	if (r == 0)
		r = identify_now(probe, deadline_ns, err);
	if (r == 0 && ret)
		*ret = probe->identity;
	return finish(probe, r, err);
}

/* ---- run control ---- */

static int halt(struct probe *probe, bool on, int64_t deadline_ns, struct error *err)
{
	int r = ready(probe, deadline_ns, err);
	if (r == 0) {
		probe->board->debugged = true;
		r = probe->driver->halt(probe, on, deadline_ns, err);
	}
	if (r == 0)
		emit(probe, on ? "probe.halt" : "probe.resume", NULL);
	return finish(probe, r, err);
}

int probe_halt(struct probe *probe, int64_t deadline_ns, struct error *err)
{
	return halt(probe, true, deadline_ns, err);
}

int probe_resume(struct probe *probe, int64_t deadline_ns, struct error *err)
{
	return halt(probe, false, deadline_ns, err);
}

int probe_halted(struct probe *probe, bool *ret, int64_t deadline_ns, struct error *err)
{
	int r = ready_to_look(probe, deadline_ns, err);
	if (r == 0)
		r = probe->driver->halted(probe, ret, deadline_ns, err);
	return finish(probe, r, err);
}

int probe_reset(struct probe *probe, enum probe_reset kind, int64_t deadline_ns, struct error *err)
{
	static const char *const names[] = {"system", "application", "halt"};
	int r = ready(probe, deadline_ns, err);
	if (r == 0) {
		board_resets(probe->board);
		probe->board->debugged = probe->board->debugged || kind == PROBE_RESET_HALT;
		r = probe->driver->reset(probe, kind, deadline_ns, err);
	}
	if (r == 0)
		emit(probe, "probe.reset", json_pack("{s:s}", "kind", names[kind]));
	return finish(probe, r, err);
}

/* ---- memory ---- */

static json_t *access_json(uint32_t address, size_t length, const void *data)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;
	char hex[2 * HEX_SHOWN + 1];
	size_t shown = length < HEX_SHOWN ? length : HEX_SHOWN;
	for (size_t i = 0; i < shown; i++) {
		hex[2 * i] = digits[bytes[i] >> 4];
		hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	hex[2 * shown] = '\0';
	json_t *object = json_pack("{s:I,s:I,s:s}", "address", (json_int_t)address, "length", (json_int_t)length, "hex", hex);
	if (shown < length)
		json_object_set_new(object, "truncated", json_integer((json_int_t)(length - shown)));
	return object;
}

static int check_range(uint32_t address, unsigned width, size_t length, struct error *err)
{
	if (width != 1 && width != 2 && width != 4 && width != 8)
		return error_set(err, ERROR_TESTCASE, EINVAL, "an access is 1, 2, 4 or 8 bytes wide, not %u", width);
	if (address % width || length % width)
		return error_set(err, ERROR_TESTCASE, EINVAL, "address %08Xh and length %zu are no multiples of the width %u",
		                 (unsigned)address, length, width);
	if (length > UINT64_C(0x100000000) - address)
		return error_set(err, ERROR_TESTCASE, ERANGE, "%zu bytes at %08Xh go over the end of the memory", length,
		                 (unsigned)address);
	return 0;
}

int probe_read(struct probe *probe, uint32_t address, unsigned width, void *buffer, size_t length, int64_t deadline_ns, struct error *err)
{
	int r = check_range(address, width, length, err);
	if (r == 0)
		r = ready_to_look(probe, deadline_ns, err);
	if (r == 0)
		r = probe->driver->read(probe, address, width, buffer, length, deadline_ns, err);
	if (r == 0)
		emit(probe, "probe.read", access_json(address, length, buffer));
	return finish(probe, r, err);
}

int probe_write(struct probe *probe, uint32_t address, unsigned width, const void *data, size_t length, int64_t deadline_ns,
                struct error *err)
{
	int r = check_range(address, width, length, err);
	if (r == 0)
		r = ready(probe, deadline_ns, err);
	if (r == 0) {
		probe->board->debugged = true;
		r = probe->driver->write(probe, address, width, data, length, deadline_ns, err);
	}
	if (r == 0)
		emit(probe, "probe.write", access_json(address, length, data));
	return finish(probe, r, err);
}

/* ---- files: probe_file.c does without the driver's help what it does not give ---- */

static json_t *file_json(uint32_t address, size_t length, const char *path)
{
	json_t *name = json_string(path);
	return json_pack("{s:I,s:I,s:o}", "address", (json_int_t)address, "length", (json_int_t)length, "file",
	                 name ? name : json_string("?")); /* a name that is no UTF-8 */
}

int probe_load(struct probe *probe, uint32_t address, const char *path, int64_t deadline_ns, struct error *err)
{
	size_t length = 0;
	int r = probe_file_length(path, address, &length, err);
	if (r == 0)
		r = ready(probe, deadline_ns, err);
	if (r == 0) {
		probe->board->debugged = true;
		r = probe_file_load(probe, address, path, length, deadline_ns, err);
	}
	if (r == 0)
		emit(probe, "probe.load", file_json(address, length, path));
	return finish(probe, r, err);
}

int probe_dump(struct probe *probe, uint32_t address, size_t length, const char *path, int64_t deadline_ns, struct error *err)
{
	int r = check_range(address, 1, length, err);
	if (r == 0)
		r = ready_to_look(probe, deadline_ns, err);
	if (r == 0)
		r = probe_file_dump(probe, address, length, path, deadline_ns, err);
	if (r == 0)
		emit(probe, "probe.dump", file_json(address, length, path));
	return finish(probe, r, err);
}

static int compare(struct probe *probe, uint32_t address, const char *path, size_t *ret_offset, int64_t deadline_ns, struct error *err)
{
	size_t length = 0, offset = SIZE_MAX;
	int r = probe_file_length(path, address, &length, err);
	if (r == 0)
		r = ready_to_look(probe, deadline_ns, err);
	if (r == 0)
		r = probe_file_compare(probe, address, path, length, &offset, deadline_ns, err);
	if (r < 0)
		return r;
	json_t *data = file_json(address, length, path);
	json_object_set_new(data, "equal", json_boolean(offset == SIZE_MAX));
	if (offset != SIZE_MAX)
		json_object_set_new(data, "offset", json_integer((json_int_t)offset));
	emit(probe, "probe.compare", data);
	*ret_offset = offset;
	return 0;
}

int probe_compare(struct probe *probe, uint32_t address, const char *path, size_t *ret_offset, int64_t deadline_ns, struct error *err)
{
	return finish(probe, compare(probe, address, path, ret_offset, deadline_ns, err), err);
}

static int program(struct probe *probe, uint32_t address, const char *path, int64_t deadline_ns, struct error *err)
{
	size_t length = 0, offset = SIZE_MAX;
	int r = probe->driver->program ? probe_file_length(path, address, &length, err)
	                               : error_set(err, ERROR_BENCH, EOPNOTSUPP, "the driver %s cannot program flash", probe->driver->name);
	if (r == 0)
		r = ready(probe, deadline_ns, err);
	if (r < 0)
		return r;
	probe->board->debugged = true;
	r = probe->driver->program(probe, address, path, deadline_ns, err);
	if (r < 0)
		return r;
	emit(probe, "probe.program", file_json(address, length, path));
	r = compare(probe, address, path, &offset, deadline_ns, err);
	if (r == 0 && offset != SIZE_MAX)
		return error_set(err, ERROR_DUT, EIO, "the flash at %08Xh differs from %s after it was programmed",
		                 (unsigned)(address + offset), path);
	return r;
}

int probe_program(struct probe *probe, uint32_t address, const char *path, int64_t deadline_ns, struct error *err)
{
	return finish(probe, program(probe, address, path, deadline_ns, err), err);
}

/* ---- people ---- */

int probe_command(struct probe *probe, const char *command, char **ret_answer, int64_t deadline_ns, struct error *err)
{
	int r = probe->driver->command
	                ? ready(probe, deadline_ns, err)
	                : error_set(err, ERROR_BENCH, EOPNOTSUPP, "the driver %s has no language of its own", probe->driver->name);
	if (r == 0) {
		probe->board->debugged = true; /* it may have done anything */
		r = probe->driver->command(probe, command, ret_answer, deadline_ns, err);
	}
	if (r == 0) {
		size_t length = strlen(*ret_answer);
		json_t *answer = json_stringn(*ret_answer, length < ANSWER_TEXT ? length : ANSWER_TEXT), *text = json_string(command);
		emit(probe, "probe.command",
		     json_pack("{s:o,s:o}", "command", text ? text : json_string("?"), "answer", answer ? answer : json_string("?")));
	}
	return finish(probe, r, err);
}
