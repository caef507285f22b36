/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A probe behind a server of the GDB remote protocol: qemu, Renode, gdbserver, J-Link, pyOCD, OpenOCD.
 *
 * A server stops the target when a client connects, and answers about memory only while it stands. So the target is let run again after
 * each access, unless somebody halted it: what a running board notices is a pause. A width of 1, 2 or 4 is an access of its own only for a
 * length of exactly that; longer ones are the server's business. A width of 8 is always a packet of its own for each.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../probe_private.h"
#include "../rack.h"
#include "probe_gdb.h"

#define STANDARD_PACKET 400 /* what a server that announces nothing takes */
#define LEAST_PACKET    64
#define PIECE_MAX       2048 /* bytes: qemu refuses more than half of a packet of 4096 */
#define OUTPUT_MAX      65536

static struct gdb *gdb_of(const struct probe *probe)
{
	return probe->state;
}

/* ---- the rig file ---- */

static bool is_address(const char *text, void *why)
{
	return gdb_address_check(text, why) == 0;
}

static int gdb_check(const struct value *map, struct error *err)
{
	static const char *const strange[] = {"config", "adapter_serial", "target", "idcode", "program", "variables", "reset_line"};
	const struct value *address = value_get(map, "address");
	struct error why = {0};
	char where[128];
	for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++)
		if (value_get(map, strange[i]))
			return error_set_place(err, ERROR_USAGE, EINVAL, value_get(map, strange[i])->place,
			                       "`%s` is nothing for a probe with driver gdb", strange[i]);
	if (!address)
		return error_set_place(err, ERROR_USAGE, EINVAL, map->place, "a probe with driver gdb lacks `address`");
	int bad = rack_first_bad(address->text, is_address, &why);
	if (bad <= 0)
		return bad < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
	return error_set_place(err, ERROR_USAGE, EINVAL, address->place, "%.600s%s", why.message,
	                       rack_bad_text(address->text, bad, where, sizeof(where)));
}

/* ---- questions ---- */

/* What a target tells by itself, in between. */
static bool is_stop(const char *answer, size_t length)
{
	return length >= 3 && (answer[0] == 'T' || answer[0] == 'S') && bytes_hex_digit(answer[1]) >= 0 && bytes_hex_digit(answer[2]) >= 0;
}

static bool is_end(const char *answer, size_t length)
{
	return length >= 3 && (answer[0] == 'W' || answer[0] == 'X') && bytes_hex_digit(answer[1]) >= 0;
}

static bool is_output(const char *answer, size_t length)
{
	return length >= 1 && answer[0] == 'O' && strcmp(answer, "OK") != 0;
}

static int ended(struct gdb *gdb, const char *answer, struct error *err)
{
	int r = error_set(err, ERROR_BENCH, EPIPE, "GDB server %s: what it debugged came to its end (\"%.20s\")",
	                  gdb_link_address(gdb->link), answer);
	gdb_link_close(gdb->link);
	gdb->link = NULL;
	return r;
}

/* The next packet that is an answer. */
static int receive(struct gdb *gdb, const char *what, const char **ret, size_t *ret_length, int64_t deadline_ns, struct error *err)
{
	for (;;) {
		int r = gdb_link_receive(gdb->link, what, ret, ret_length, deadline_ns, err);
		if (r < 0)
			return r;
		if (is_end(*ret, *ret_length))
			return ended(gdb, *ret, err);
		if (!is_stop(*ret, *ret_length) && !is_output(*ret, *ret_length))
			return 0;
	}
}

int gdb_ask_bytes(struct gdb *gdb, const struct bytes *question, const char *what, const char **ret, size_t *ret_length,
                  int64_t deadline_ns, struct error *err)
{
	int r = gdb_link_send(gdb->link, question->data, question->length, deadline_ns, err);
	return r < 0 ? r : receive(gdb, what, ret, ret_length, deadline_ns, err);
}

int gdb_ask(struct gdb *gdb, const char *question, const char **ret, size_t *ret_length, int64_t deadline_ns, struct error *err)
{
	int r = gdb_link_send(gdb->link, question, strlen(question), deadline_ns, err);
	return r < 0 ? r : receive(gdb, question, ret, ret_length, deadline_ns, err);
}

int gdb_strange_answer(struct gdb *gdb, const char *question, const char *answer, struct error *err)
{
	char *clean = console_clean(answer, strnlen(answer, 60));
	int r = error_set(err, ERROR_BENCH, EBADMSG, "GDB server %s: answers \"%.40s\" with \"%s\"", gdb_link_address(gdb->link), question,
	                  clean ? clean : "?");
	free(clean);
	gdb_link_close(gdb->link); /* who knows what comes next */
	gdb->link = NULL;
	return r;
}

/* ---- running and standing ---- */

static int wait_stop(struct gdb *gdb, int64_t deadline_ns, struct error *err)
{
	const char *answer;
	size_t length;
	for (;;) {
		int r = gdb_link_receive(gdb->link, "halting", &answer, &length, deadline_ns, err);
		if (r < 0)
			return r;
		if (is_end(answer, length))
			return ended(gdb, answer, err);
		if (is_stop(answer, length)) {
			gdb->standing = true;
			return 0;
		}
	}
}

/* It may have stopped by itself: a breakpoint, an exception. */
static int look_whether_stopped(struct gdb *gdb, struct error *err)
{
	const char *answer;
	size_t length;
	while (!gdb->standing && gdb_link_poll(gdb->link, &answer, &length)) {
		if (is_end(answer, length))
			return ended(gdb, answer, err);
		gdb->standing = is_stop(answer, length);
		gdb->wanted_halted = gdb->wanted_halted || gdb->standing;
	}
	if (gdb_link_alive(gdb->link))
		return 0;
	return error_set(err, ERROR_BENCH, EPIPE, "GDB server %s: the connection is gone", gdb_link_address(gdb->link));
}

static int stop(struct gdb *gdb, int64_t deadline_ns, struct error *err)
{
	int r = look_whether_stopped(gdb, err);
	if (r < 0 || gdb->standing)
		return r;
	r = gdb_link_send_byte(gdb->link, GDB_INTERRUPT, deadline_ns, err);
	return r < 0 ? r : wait_stop(gdb, deadline_ns, err);
}

static int go(struct gdb *gdb, int64_t deadline_ns, struct error *err)
{
	const char *command = gdb->continues ? "vCont;c" : "c";
	if (!gdb->standing)
		return 0;
	int r = gdb_link_send(gdb->link, command, strlen(command), deadline_ns, err);
	if (r == 0)
		gdb->standing = false;
	return r;
}

/* After an access, whatever came of it: the first error counts. */
static int go_on(struct gdb *gdb, int r, int64_t deadline_ns, struct error *err)
{
	if (gdb->wanted_halted || !gdb->link || (r < 0 && !gdb_link_alive(gdb->link)))
		return r;
	int went = go(gdb, deadline_ns, r < 0 ? NULL : err);
	return r < 0 ? r : went;
}

/* ---- connecting ---- */

static void read_features(struct gdb *gdb, const char *features, bool *ret_trust)
{
	static const char size[] = "PacketSize=";
	*ret_trust = gdb->memory_map = false;
	for (const char *at = features; at; at = strchr(at, ';') ? strchr(at, ';') + 1 : NULL) {
		if (!strncmp(at, size, sizeof(size) - 1))
			gdb->packet = strtoul(at + sizeof(size) - 1, NULL, 16);
		else if (!strncmp(at, "QStartNoAckMode+", 16))
			*ret_trust = true;
		else if (!strncmp(at, "qXfer:memory-map:read+", 22))
			gdb->memory_map = true;
	}
	if (gdb->packet < LEAST_PACKET)
		gdb->packet = STANDARD_PACKET;
	if (gdb->packet > GDB_PACKET_MAX)
		gdb->packet = GDB_PACKET_MAX;
}

/* qemu's server writes RAM and ROM alone and says OK to all else, unless it is told that addresses are physical. Then nothing is refused:
 * what is not there reads as 0. The mode outlives a connection. */
static int choose_addresses(struct gdb *gdb, bool physical, int64_t deadline_ns, struct error *err)
{
	const char *answer;
	size_t length;
	int r = gdb_ask(gdb, "qqemu.PhyMemMode", &answer, &length, deadline_ns, err);
	if (r < 0)
		return r;
	const bool known = !strcmp(answer, "0") || !strcmp(answer, "1");
	gdb->unsure_writes = known && !physical;
	if (!known)
		return physical ? error_set(err, ERROR_BENCH, EOPNOTSUPP, "GDB server %s: it is not qemu's: `physical` is nothing for it",
		                            gdb_link_address(gdb->link))
		                : 0;
	if ((answer[0] == '1') == physical)
		return 0;
	r = gdb_ask(gdb, physical ? "Qqemu.PhyMemMode:1" : "Qqemu.PhyMemMode:0", &answer, &length, deadline_ns, err);
	return r < 0 || !strcmp(answer, "OK") ? r : gdb_strange_answer(gdb, "Qqemu.PhyMemMode", answer, err);
}

static int agree(struct gdb *gdb, int64_t deadline_ns, struct error *err)
{
	const char *answer;
	size_t length;
	bool trust;
	int r = gdb_ask(gdb, "qSupported:multiprocess-;swbreak-;hwbreak-;vContSupported+", &answer, &length, deadline_ns, err);
	if (r < 0)
		return r;
	read_features(gdb, answer, &trust);
	if (trust) {
		r = gdb_ask(gdb, "QStartNoAckMode", &answer, &length, deadline_ns, err);
		if (r == 0 && !strcmp(answer, "OK"))
			gdb_link_trust(gdb->link);
	}
	if (r == 0)
		r = gdb_ask(gdb, "vCont?", &answer, &length, deadline_ns, err);
	if (r == 0)
		gdb->continues = !strncmp(answer, "vCont", 5) && strstr(answer, ";c");
	return r;
}

/* `?` is answered by why the target stands; only a server without a target says otherwise. */
static int ask_why(struct gdb *gdb, int64_t deadline_ns, struct error *err)
{
	const char *answer;
	size_t length;
	int r = gdb_link_send(gdb->link, "?", 1, deadline_ns, err);
	if (r == 0)
		r = gdb_link_receive(gdb->link, "?", &answer, &length, deadline_ns, err);
	if (r < 0)
		return r;
	if (is_end(answer, length))
		return ended(gdb, answer, err);
	if (!is_stop(answer, length))
		return gdb_strange_answer(gdb, "?", answer, err);
	gdb->standing = true;
	return 0;
}

static int try_packed_writes(struct gdb *gdb, int64_t deadline_ns, struct error *err)
{
	const char *answer;
	size_t length;
	int r = gdb_ask(gdb, "X0,0:", &answer, &length, deadline_ns, err);
	if (r == 0)
		gdb->packed_writes = !strcmp(answer, "OK");
	return r;
}

static void gdb_disconnect(struct probe *probe)
{
	struct gdb *gdb = gdb_of(probe);
	const char *answer;
	size_t length;
	const int64_t deadline_ns = loop_now_ns() + INT64_C(200) * 1000000;
	/* A server whose client just goes away may leave the target standing. */
	if (gdb->link && gdb_link_alive(gdb->link) && !gdb->wanted_halted && stop(gdb, deadline_ns, NULL) == 0)
		(void)!gdb_ask(gdb, "D", &answer, &length, deadline_ns, NULL);
	gdb_link_close(gdb->link);
	gdb->link = NULL;
	gdb->standing = false;
}

static int gdb_connect(struct probe *probe, int64_t deadline_ns, struct error *err)
{
	struct gdb *gdb = gdb_of(probe);
	const struct value *physical = value_get(probe->map, "physical");
	gdb_link_close(gdb->link);
	gdb->link = NULL;
	gdb->standing = false;
	gdb->packet = 0;
	int r = gdb_link_open(&gdb->link, probe->board->rig->loop, map_text(probe->map, "address"), deadline_ns, err);
	if (r < 0)
		return r;
	r = agree(gdb, deadline_ns, err);
	if (r == 0)
		r = ask_why(gdb, deadline_ns, err);
	if (r == 0)
		r = try_packed_writes(gdb, deadline_ns, err);
	if (r == 0)
		r = choose_addresses(gdb, physical && physical->boolean, deadline_ns, err);
	r = r < 0 ? r : go_on(gdb, 0, deadline_ns, err);
	if (r < 0) {
		gdb_link_close(gdb->link);
		gdb->link = NULL;
	}
	return r;
}

static bool gdb_connected(const struct probe *probe)
{
	const struct gdb *gdb = gdb_of(probe);
	return gdb->link && gdb_link_alive(gdb->link);
}

static int gdb_open(struct probe *probe, struct error *err)
{
	probe->state = calloc(1, sizeof(struct gdb));
	return probe->state ? 0 : error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

static void gdb_close(struct probe *probe)
{
	if (!probe->state)
		return;
	gdb_disconnect(probe);
	free(probe->state);
	probe->state = NULL;
}

/* ---- verbs ---- */

static int gdb_halt(struct probe *probe, bool halted, int64_t deadline_ns, struct error *err)
{
	struct gdb *gdb = gdb_of(probe);
	int r = halted ? stop(gdb, deadline_ns, err) : look_whether_stopped(gdb, err);
	if (r == 0 && !halted)
		r = go(gdb, deadline_ns, err);
	if (r == 0)
		gdb->wanted_halted = halted;
	return r;
}

static int gdb_halted(struct probe *probe, bool *ret, int64_t deadline_ns, struct error *err)
{
	struct gdb *gdb = gdb_of(probe);
	(void)deadline_ns;
	int r = look_whether_stopped(gdb, err);
	*ret = gdb->standing;
	return r;
}

int gdb_refused(const struct gdb *gdb, const char *verb, uint32_t address, const char *answer, struct error *err)
{
	return error_set(err, ERROR_DUT, EFAULT, "%s %08Xh is refused (GDB server %s: \"%.60s\")", verb, (unsigned)address,
	                 gdb_link_address(gdb->link), answer);
}

static size_t largest_piece(const struct gdb *gdb, unsigned width)
{
	size_t piece = (gdb->packet - GDB_PACKET_FRAME) / 2;
	if (width == 8)
		return width;
	if (piece > PIECE_MAX)
		piece = PIECE_MAX;
	return piece / width * width;
}

static int read_piece(struct gdb *gdb, uint32_t address, uint8_t *buffer, size_t length, size_t *ret_got, int64_t deadline_ns,
                      struct error *err)
{
	char question[40];
	const char *answer;
	size_t answer_length;
	(void)snprintf(question, sizeof(question), "m%" PRIx32 ",%zx", address, length);
	int r = gdb_ask(gdb, question, &answer, &answer_length, deadline_ns, err);
	if (r < 0)
		return r;
	if (answer[0] == 'E' && (answer_length % 2 || answer[1] == '.'))
		return gdb_refused(gdb, "reading", address, answer, err);
	ssize_t got = gdb_hex_bytes(answer, answer_length, buffer, length);
	if (got < 0)
		return gdb_strange_answer(gdb, question, answer, err);
	if (got == 0)
		return gdb_refused(gdb, "reading", address, "nothing", err);
	*ret_got = (size_t)got;
	return 0;
}

static int read_all(struct gdb *gdb, uint32_t address, unsigned width, uint8_t *buffer, size_t length, int64_t deadline_ns,
                    struct error *err)
{
	const size_t piece = largest_piece(gdb, width);
	int r = 0;
	/* A server may give less than was asked for. */
	for (size_t done = 0, got = 0; r == 0 && done < length; done += got) {
		r = read_piece(gdb, address + (uint32_t)done, buffer + done, length - done < piece ? length - done : piece, &got,
		               deadline_ns, err);
		if (r == 0 && width == 8 && got != width)
			r = error_set(err, ERROR_BENCH, EOPNOTSUPP,
			              "GDB server %s: gives %zu bytes of 8 at once: it does no accesses of 64 bits",
			              gdb_link_address(gdb->link), got);
	}
	return r;
}

static int gdb_read(struct probe *probe, uint32_t address, unsigned width, void *buffer, size_t length, int64_t deadline_ns,
                    struct error *err)
{
	struct gdb *gdb = gdb_of(probe);
	int r = stop(gdb, deadline_ns, err);
	if (r == 0)
		r = read_all(gdb, address, width, buffer, length, deadline_ns, err);
	return go_on(gdb, r, deadline_ns, err);
}

/* X takes the bytes as they are, M as hex digits. */
static int write_question(const struct gdb *gdb, struct bytes *question, uint32_t address, const uint8_t *data, size_t length)
{
	char head[40];
	int n = snprintf(head, sizeof(head), "%c%" PRIx32 ",%zx:", gdb->packed_writes ? 'X' : 'M', address, length);
	int r = bytes_append(question, head, (size_t)n);
	if (r < 0)
		return r;
	return gdb->packed_writes ? bytes_append(question, data, length) : gdb_append_hex(question, data, length);
}

static int write_piece(struct gdb *gdb, uint32_t address, const uint8_t *data, size_t length, int64_t deadline_ns, struct error *err)
{
	struct bytes question = {0};
	const char *answer;
	size_t answer_length;
	int r = write_question(gdb, &question, address, data, length) < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory") : 0;
	if (r == 0)
		r = gdb_link_send(gdb->link, question.data, question.length, deadline_ns, err);
	bytes_free(&question);
	if (r == 0)
		r = receive(gdb, "writing memory", &answer, &answer_length, deadline_ns, err);
	if (r < 0 || !strcmp(answer, "OK"))
		return r;
	return answer[0] == 'E' ? gdb_refused(gdb, "writing", address, answer, err)
	                        : gdb_strange_answer(gdb, "writing memory", answer, err);
}

/* Whether what the server said OK to was done. */
static int look_at_written(struct gdb *gdb, uint32_t address, unsigned width, const uint8_t *data, size_t length, int64_t deadline_ns,
                           struct error *err)
{
	uint8_t now[PIECE_MAX];
	int r = 0;
	for (size_t done = 0, part; r == 0 && done < length; done += part) {
		const uint32_t at = address + (uint32_t)done;
		part = length - done < sizeof(now) ? length - done : sizeof(now);
		r = read_all(gdb, at, width, now, part, deadline_ns, err);
		if (r == 0 && memcmp(now, data + done, part) != 0)
			r = error_set(err, ERROR_BENCH, EOPNOTSUPP,
			              "GDB server %s: says that it wrote %08Xh and did not: without `physical: true` in the rig file qemu "
			              "writes no device registers",
			              gdb_link_address(gdb->link), (unsigned)at);
	}
	return r;
}

static int gdb_write(struct probe *probe, uint32_t address, unsigned width, const void *data, size_t length, int64_t deadline_ns,
                     struct error *err)
{
	struct gdb *gdb = gdb_of(probe);
	const size_t piece = largest_piece(gdb, width);
	int r = stop(gdb, deadline_ns, err);
	for (size_t done = 0; r == 0 && done < length; done += piece)
		r = write_piece(gdb, address + (uint32_t)done, (const uint8_t *)data + done, length - done < piece ? length - done : piece,
		                deadline_ns, err);
	if (r == 0 && gdb->unsure_writes)
		r = look_at_written(gdb, address, width, data, length, deadline_ns, err);
	return go_on(gdb, r, deadline_ns, err);
}

/* ---- flash ---- */

static int gdb_program(struct probe *probe, uint32_t address, const char *path, int64_t deadline_ns, struct error *err)
{
	struct gdb *gdb = gdb_of(probe);
	const uint8_t *data;
	size_t length;
	int r = probe_file_length(path, address, &length, err);
	if (r == 0)
		r = probe_file_map(path, length, &data, err);
	if (r < 0)
		return r;
	r = stop(gdb, deadline_ns, err);
	if (r == 0)
		r = gdb_flash_program(gdb, address, data, length, deadline_ns, err);
	probe_file_unmap(data, length);
	return go_on(gdb, r, deadline_ns, err);
}

/* ---- the server's own commands ---- */

static int take_output(struct bytes *output, const char *digits, size_t length)
{
	uint8_t part[GDB_PACKET_MAX / 2];
	ssize_t n = gdb_hex_bytes(digits, length, part, sizeof(part));
	if (n < 0 || output->length + (size_t)n > OUTPUT_MAX)
		return n < 0 ? -EBADMSG : 0; /* what is over the limit is left out */
	return bytes_append(output, part, (size_t)n);
}

/* Its output comes in O packets before the answer, or is the answer. */
static int command_answer(struct gdb *gdb, const char *command, struct bytes *output, int64_t deadline_ns, struct error *err)
{
	const char *answer;
	size_t length;
	for (;;) {
		int r = gdb_link_receive(gdb->link, command, &answer, &length, deadline_ns, err);
		if (r < 0)
			return r;
		if (is_end(answer, length))
			return ended(gdb, answer, err);
		if (!strcmp(answer, "OK"))
			return 0;
		if (length == 0)
			return error_set(err, ERROR_BENCH, EOPNOTSUPP, "GDB server %s: it has no monitor commands",
			                 gdb_link_address(gdb->link));
		if (is_stop(answer, length))
			continue;
		if (answer[0] == 'E' && (length % 2 || answer[1] == '.'))
			return error_set(err, ERROR_BENCH, EREMOTEIO, "GDB server %s: refuses \"%.60s\" (%.60s)",
			                 gdb_link_address(gdb->link), command, answer);
		bool more = is_output(answer, length);
		r = take_output(output, answer + more, length - more);
		if (r < 0)
			return r == -ENOMEM ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory")
			                    : gdb_strange_answer(gdb, command, answer, err);
		if (!more)
			return 0;
	}
}

static int monitor(struct gdb *gdb, const char *command, struct bytes *output, int64_t deadline_ns, struct error *err)
{
	struct bytes question = {0};
	int r = bytes_append(&question, "qRcmd,", 6);
	if (r == 0)
		r = gdb_append_hex(&question, command, strlen(command));
	if (r < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	else if (question.length > gdb->packet)
		r = error_set(err, ERROR_TESTCASE, EMSGSIZE, "the command is longer than the server takes");
	else
		r = gdb_link_send(gdb->link, question.data, question.length, deadline_ns, err);
	bytes_free(&question);
	return r < 0 ? r : command_answer(gdb, command, output, deadline_ns, err);
}

static int gdb_reset(struct probe *probe, enum probe_reset kind, int64_t deadline_ns, struct error *err)
{
	struct gdb *gdb = gdb_of(probe);
	struct bytes output = {0};
	const char *key = kind == PROBE_RESET_HALT ? "monitor_halt" : "monitor_reset", *command = map_text(probe->map, key);
	if (kind == PROBE_RESET_APPLICATION)
		return error_set(err, ERROR_BENCH, EOPNOTSUPP,
		                 "the GDB remote protocol knows one kind of reset: there is no application reset");
	if (!command)
		return error_set_place(err, ERROR_BENCH, EOPNOTSUPP, probe->map->place,
		                       "`probe` has no `%s`: how the server does it is not known", key);
	int r = stop(gdb, deadline_ns, err);
	if (r == 0)
		r = monitor(gdb, command, &output, deadline_ns, err);
	bytes_free(&output);
	if (r == 0)
		gdb->wanted_halted = kind == PROBE_RESET_HALT;
	return go_on(gdb, r, deadline_ns, err);
}

/* Lines stay lines; what ends them, and every other control character, is none of the text. */
static char *answer_text(const struct bytes *output)
{
	struct bytes text = {0};
	const char *at = (const char *)output->data, *end = at + output->length;
	int r = 0;
	while (r == 0 && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at)), *next = newline ? newline + 1 : end;
		size_t length = (size_t)((newline ? newline : end) - at);
		length -= length > 0 && at[length - 1] == '\r';
		char *line = console_clean(at, length);
		r = line ? bytes_append(&text, line, strlen(line)) : -ENOMEM;
		if (r == 0 && next < end)
			r = bytes_append_u8(&text, '\n');
		free(line);
		at = next;
	}
	if (r == 0)
		r = bytes_append_u8(&text, '\0');
	if (r == 0)
		return (char *)text.data;
	bytes_free(&text);
	return NULL;
}

static int gdb_command(struct probe *probe, const char *command, char **ret_answer, int64_t deadline_ns, struct error *err)
{
	struct gdb *gdb = gdb_of(probe);
	struct bytes output = {0};
	int r = stop(gdb, deadline_ns, err);
	if (r == 0)
		r = monitor(gdb, command, &output, deadline_ns, err);
	r = go_on(gdb, r, deadline_ns, err);
	if (r == 0 && !(*ret_answer = answer_text(&output)))
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	bytes_free(&output);
	return r;
}

const struct probe_driver probe_driver_gdb = {
        .name = "gdb",
        .check = gdb_check,
        .open = gdb_open,
        .close = gdb_close,
        .connected = gdb_connected,
        .disconnect = gdb_disconnect,
        .connect = gdb_connect,
        .halt = gdb_halt,
        .halted = gdb_halted,
        .reset = gdb_reset,
        .read = gdb_read,
        .write = gdb_write,
        .program = gdb_program,
        .command = gdb_command,
};
