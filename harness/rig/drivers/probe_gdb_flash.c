/* SPDX-License-Identifier: Apache-2.0 */
/* Flash by a GDB server: the memory map says where it is, vFlashErase, vFlashWrite and vFlashDone program it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "probe_gdb.h"
#include "probe_gdb_map.h"

#define MAP_MAX 65536 /* bytes of XML */

/* ---- the map ---- */

static int no_flash(const struct gdb *gdb, const char *why, struct error *err)
{
	return error_set(err, ERROR_BENCH, EOPNOTSUPP, "GDB server %s: this server does not program flash (%s)",
	                 gdb_link_address(gdb->link), why);
}

/* One piece; 1: there is more, 0: it was the last. */
static int read_map_piece(struct gdb *gdb, struct bytes *xml, int64_t deadline_ns, struct error *err)
{
	char question[64];
	const char *answer;
	size_t length;
	(void)snprintf(question, sizeof(question), "qXfer:memory-map:read::%zx,%zx", xml->length, (gdb->packet - GDB_PACKET_FRAME) / 2);
	int r = gdb_ask(gdb, question, &answer, &length, deadline_ns, err);
	if (r < 0)
		return r;
	if (length == 0 || answer[0] == 'E')
		return no_flash(gdb, "it gives no memory map", err);
	if ((answer[0] != 'm' && answer[0] != 'l') || (answer[0] == 'm' && length == 1) || xml->length + length > MAP_MAX)
		return gdb_strange_answer(gdb, question, answer, err);
	if (bytes_append(xml, answer + 1, length - 1) < 0)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	return answer[0] == 'm';
}

static int read_map(struct gdb *gdb, struct gdb_map *ret, int64_t deadline_ns, struct error *err)
{
	struct bytes xml = {0};
	const char *why;
	int r = gdb->memory_map ? 1 : no_flash(gdb, "it has no memory map", err);
	while (r > 0)
		r = read_map_piece(gdb, &xml, deadline_ns, err);
	if (r == 0 && gdb_map_parse((const char *)xml.data, xml.length, ret, &why) < 0)
		r = error_set(err, ERROR_BENCH, EBADMSG, "GDB server %s: its memory map is of no use: %s", gdb_link_address(gdb->link),
		              why);
	if (r == 0 && ret->count == 0)
		r = no_flash(gdb, "its memory map has no flash", err);
	bytes_free(&xml);
	return r;
}

/* All of a range has to be flash. */
static int check_range(const struct gdb *gdb, const struct gdb_map *map, uint64_t address, uint64_t end, struct error *err)
{
	for (const struct gdb_flash_region *region; address < end; address = region->start + region->length) {
		region = gdb_map_find(map, address);
		if (!region)
			return error_set(err, ERROR_TESTCASE, EINVAL, "there is no flash at %08" PRIX64 "h (memory map of GDB server %s)",
			                 address, gdb_link_address(gdb->link));
	}
	return 0;
}

/* ---- the three questions ---- */

static int ask_flash(struct gdb *gdb, const struct bytes *question, const char *verb, uint64_t address, int64_t deadline_ns,
                     struct error *err)
{
	const char *answer;
	size_t length;
	int r = gdb_ask_bytes(gdb, question, verb, &answer, &length, deadline_ns, err);
	if (r < 0 || !strcmp(answer, "OK"))
		return r;
	if (length == 0)
		return no_flash(gdb, "it does not know the packets for it", err);
	return answer[0] == 'E' ? gdb_refused(gdb, verb, (uint32_t)address, answer, err) : gdb_strange_answer(gdb, verb, answer, err);
}

static int erase(struct gdb *gdb, uint64_t begin, uint64_t end, int64_t deadline_ns, struct error *err)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "vFlashErase:%" PRIx64 ",%" PRIx64, begin, end - begin);
	const struct bytes question = {.data = (uint8_t *)text, .length = (size_t)n};
	return ask_flash(gdb, &question, "erasing", begin, deadline_ns, err);
}

/* Region after region: blocks differ in size. */
static int erase_range(struct gdb *gdb, const struct gdb_map *map, uint64_t address, uint64_t end, int64_t deadline_ns, struct error *err)
{
	int r = 0;
	while (r == 0 && address < end) {
		const struct gdb_flash_region *region = gdb_map_find(map, address);
		const uint64_t region_end = region->start + region->length, last = (end < region_end ? end : region_end) - 1;
		const uint64_t first_block = address - (address - region->start) % region->block;
		const uint64_t behind = last - (last - region->start) % region->block + region->block;
		r = erase(gdb, first_block, behind, deadline_ns, err);
		address = region_end;
	}
	return r;
}

static int write_piece(struct gdb *gdb, uint32_t address, const uint8_t *data, size_t length, int64_t deadline_ns, struct error *err)
{
	struct bytes question = {0};
	char head[40];
	int n = snprintf(head, sizeof(head), "vFlashWrite:%" PRIx32 ":", address);
	int r = bytes_append(&question, head, (size_t)n);
	if (r == 0)
		r = bytes_append(&question, data, length);
	r = r < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory")
	          : ask_flash(gdb, &question, "programming", address, deadline_ns, err);
	bytes_free(&question);
	return r;
}

/* A piece fits into a packet whatever has to be escaped in it. */
static int write_range(struct gdb *gdb, uint32_t address, const uint8_t *data, size_t length, int64_t deadline_ns, struct error *err)
{
	const size_t piece = (gdb->packet - GDB_PACKET_FRAME) / 2;
	int r = 0;
	for (size_t done = 0; r == 0 && done < length; done += piece)
		r = write_piece(gdb, address + (uint32_t)done, data + done, length - done < piece ? length - done : piece, deadline_ns,
		                err);
	return r;
}

int gdb_flash_program(struct gdb *gdb, uint32_t address, const uint8_t *data, size_t length, int64_t deadline_ns, struct error *err)
{
	static const char done[] = "vFlashDone";
	const struct bytes question = {.data = (uint8_t *)(uintptr_t)done, .length = sizeof(done) - 1};
	const uint64_t end = (uint64_t)address + length;
	struct gdb_map map;
	int r = read_map(gdb, &map, deadline_ns, err);
	if (r == 0)
		r = check_range(gdb, &map, address, end, err);
	if (r == 0)
		r = erase_range(gdb, &map, address, end, deadline_ns, err);
	if (r == 0)
		r = write_range(gdb, address, data, length, deadline_ns, err);
	/* A server may keep everything until it is told that there is no more. */
	return r < 0 ? r : ask_flash(gdb, &question, "programming", address, deadline_ns, err);
}
