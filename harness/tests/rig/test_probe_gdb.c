/* SPDX-License-Identifier: Apache-2.0 */
/* The probe by the GDB remote protocol: packets, a scripted server that misbehaves, and qemu's own stub on a machine without software but
 * for some bytes that count in RAM. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../rig/attach.h"
#include "../../rig/drivers/probe_gdb_map.h"
#include "../../rig/drivers/probe_gdb_packet.h"

#define SECOND_NS INT64_C(1000000000)

static char directory[100], address[128];
static struct loop *loop;
static struct timeline *timeline;
static struct rig_file *file;
static struct rig_attached *attached;
static struct probe *probe;
static struct error error;
static pid_t server;

/* ---- packets ---- */

static const struct {
	const char *bytes;
	enum gdb_item item;
	const char *data;
} packets[] = {
        {"$OK#9a", GDB_PACKET, "OK"},
        {"$#00", GDB_PACKET, ""},
        {"+", GDB_ACK, NULL},
        {"-", GDB_NAK, NULL},
        {"$OK#9b", GDB_BAD_SUM, NULL},
        {"$OK#xx", GDB_BAD_SUM, NULL},
        {"$0* #7a", GDB_PACKET, "0000"},    /* "*" and a blank: three more */
        {"$xy*!#3c", GDB_PACKET, "xyyyyy"}, /* four more */
        {"$*!#4b", GDB_MALFORMED, NULL},    /* a run of nothing */
        {"$a}#de", GDB_MALFORMED, NULL},    /* an escape of nothing */
        {"$a}\x03"
         "b#43",
         GDB_PACKET, "a#b"},
        {"%Stop#a6", GDB_NOTIFICATION, "Stop"},
        {"$half$OK#9a", GDB_PACKET, "OK"}, /* broken off and sent again */
        {"noise\r\n$OK#9A", GDB_PACKET, "OK"},
};

START_TEST(packets_are_decoded)
{
	static struct gdb_decoder decoder;
	const char *bytes = packets[_i].bytes;
	/* At once, and a byte at a time. */
	for (size_t step = strlen(bytes); step; step = step == 1 ? 0 : 1) {
		enum gdb_item item = GDB_MORE;
		memset(&decoder, 0, sizeof(decoder));
		for (size_t done = 0; done < strlen(bytes) && item == GDB_MORE; done += step) {
			const uint8_t *at = (const uint8_t *)bytes + done;
			size_t left = step;
			item = gdb_decode(&decoder, &at, &left);
			ck_assert(item != GDB_MORE || left == 0);
		}
		ck_assert_msg(item == packets[_i].item, "%s: %d", bytes, (int)item);
		if (packets[_i].data)
			ck_assert_str_eq(decoder.data, packets[_i].data);
	}
}
END_TEST

START_TEST(what_is_encoded_is_decoded)
{
	static struct gdb_decoder decoder;
	uint8_t every[512];
	struct bytes packet = {0};
	for (size_t i = 0; i < sizeof(every); i++)
		every[i] = (uint8_t)i;
	ck_assert_int_eq(gdb_encode(&packet, every, sizeof(every)), 0);
	ck_assert_uint_eq(packet.length, gdb_escaped_length(every, sizeof(every)) + 4);
	const uint8_t *at = packet.data;
	size_t left = packet.length;
	memset(&decoder, 0, sizeof(decoder));
	ck_assert_int_eq(gdb_decode(&decoder, &at, &left), GDB_PACKET);
	ck_assert_uint_eq(left, 0);
	ck_assert_uint_eq(decoder.length, sizeof(every));
	ck_assert_mem_eq(decoder.data, every, sizeof(every));
	bytes_free(&packet);
}
END_TEST

START_TEST(what_never_ends_is_given_up)
{
	static struct gdb_decoder decoder;
	uint8_t piece[1024];
	enum gdb_item item = GDB_MORE;
	unsigned count = 0;
	memset(&decoder, 0, sizeof(decoder));
	memset(piece, _i ? '0' : 'x', sizeof(piece));
	piece[0] = _i ? '$' : 'x';
	while (item == GDB_MORE && count++ < 64) {
		const uint8_t *at = piece;
		size_t left = sizeof(piece);
		item = gdb_decode(&decoder, &at, &left);
		piece[0] = piece[1];
	}
	ck_assert_int_eq(item, _i ? GDB_TOO_LONG : GDB_NOISE);
}
END_TEST

/* ---- memory maps ---- */

#define MAP(regions) "<?xml version=\"1.0\"?><!DOCTYPE memory-map SYSTEM \"gdb-memory-map.dtd\"><memory-map>" regions "</memory-map>"
#define FLASH(start, length, block)                                                                                                        \
	"<memory type=\"flash\" start=\"" start "\" length=\"" length "\"><property name=\"blocksize\">" block "</property></memory>"
#define RAM         "<memory type=\"ram\" start=\"0x20000000\" length=\"0x10000\"/>"
#define TWO_FLASHES MAP(FLASH("0x08000000", "0x1000", "0x400") RAM FLASH("0x08001000", "0x2000", "0x1000"))

static const struct {
	const char *xml;
	unsigned count;
	const char *why; /* NULL: good */
} maps[] = {
        {TWO_FLASHES, 2, NULL},
        {MAP(RAM), 0, NULL},
        {MAP(FLASH("4096", "8192", "x1024")), 0, "lacks"},
        {MAP(FLASH("4096", "8192", "1024\n")), 1, NULL},
        {"", 0, "no XML"},
        {"<memory-map>", 0, "no XML"},
        {"<target/>", 0, "no memory map"},
        {MAP(FLASH("0", "0x1000", "0")), 0, "block size"},
        {MAP(FLASH("0", "0x1000", "-1")), 0, "block size"},
        {MAP(FLASH("0", "0x1001", "0x1000")), 0, "whole number of blocks"},
        {MAP(FLASH("0x10", "0x1000", "0x1000")), 0, "whole number of blocks"},
        {MAP(FLASH("0", "0", "0x1000")), 0, "whole number of blocks"},
        {MAP(FLASH("0xfffffffffffff000", "0x2000", "0x1000")), 0, "over the end"},
        {MAP("<memory type=\"flash\" start=\"0\" length=\"16\"/>"), 0, "block size"},
        {MAP("<memory type=\"flash\" length=\"16\"/>"), 0, "start"},
};

START_TEST(maps_are_read)
{
	struct gdb_map map;
	const char *why = "";
	int r = gdb_map_parse(maps[_i].xml, strlen(maps[_i].xml), &map, &why);
	ck_assert_msg((r == 0) == !maps[_i].why, "%s: %d %s", maps[_i].xml, r, why);
	if (r < 0) {
		ck_assert_int_eq(r, -EBADMSG);
		ck_assert_msg(strstr(why, maps[_i].why), "%s: %s", maps[_i].xml, why);
		return;
	}
	ck_assert_uint_eq(map.count, maps[_i].count);
	if (_i == 0) {
		ck_assert_ptr_eq(gdb_map_find(&map, 0x08000fff), &map.flash[0]);
		ck_assert_ptr_eq(gdb_map_find(&map, 0x08001000), &map.flash[1]);
		ck_assert_ptr_null(gdb_map_find(&map, 0x08003000));
		ck_assert_ptr_null(gdb_map_find(&map, 0x07ffffff));
		ck_assert_uint_eq(map.flash[1].block, 0x1000);
	}
}
END_TEST

/* ---- a rig with a probe ---- */

static void setup(void)
{
	(void)snprintf(directory, sizeof(directory), "/tmp/test-gdb-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(address, sizeof(address), "%s/gdb", directory);
	memset(&error, 0, sizeof(error));
	server = 0;
	ck_assert_int_eq(loop_new(&loop, &error), 0);
	ck_assert_int_eq(timeline_new(&timeline, NULL, 100, &error), 0);
}

static void teardown(void)
{
	static const char *const names[] = {"gdb", "rig.yaml", "image", "dump"};
	char path[200];
	rig_detach(attached);
	attached = NULL;
	rig_file_free(file);
	file = NULL;
	timeline_free(timeline);
	loop_free(loop);
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(directory);
}

static void attach(const char *more)
{
	char path[200];
	(void)snprintf(path, sizeof(path), "%s/rig.yaml", directory);
	FILE *out = fopen(path, "w");
	ck_assert_ptr_nonnull(out);
	(void)fprintf(out,
	              "name: gdb\ntester: {address: 127.0.0.1, logical_address: 0x0e80}\nroles:\n  zgw:\n    driver: board\n    address: "
	              "127.0.0.2\n"
	              "    power: {driver: command, on: [/bin/true], off: [/bin/true]}\n    console: {driver: pty, path: /dev/null}\n"
	              "    probe: {driver: gdb, address: %s%s}\n",
	              address, more);
	ck_assert_int_eq(fclose(out), 0);
	int r = rig_file_load(path, &file, &error);
	ck_assert_msg(r == 0, "%s", error.message);
	ck_assert_int_eq(rig_attach(&attached, file, loop, timeline, "zgw", directory, &error), 0);
	ck_assert_int_eq(rig_attached_probe(attached, &probe, &error), 0);
}

static int64_t within(int64_t ms)
{
	return loop_now_ns() + ms * 1000000;
}

/* ---- a server that does as it is told ---- */

static int accept_one(int listener)
{
	int fd = accept(listener, NULL, NULL);
	if (fd < 0)
		_exit(1);
	return fd;
}

static int listen_here(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(name.sun_path, address, strlen(address) + 1);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	ck_assert_int_eq(listen(fd, 4), 0);
	return fd;
}

struct fake {
	int fd;
	bool trusted;
	struct gdb_decoder decoder;
	uint8_t input[4096];
	size_t at, length;
};

static void fake_send(struct fake *fake, const char *text)
{
	struct bytes packet = {0};
	if (gdb_encode(&packet, text, strlen(text)) < 0 || write(fake->fd, packet.data, packet.length) < 0)
		_exit(1);
	bytes_free(&packet);
}

static void fake_raw(struct fake *fake, const char *text)
{
	if (write(fake->fd, text, strlen(text)) < 0)
		_exit(1);
}

/* The next packet, or an interrupt (which the decoder takes for noise). */
static const char *fake_next(struct fake *fake)
{
	for (;;) {
		while (fake->length > 0) {
			const uint8_t *data = fake->input + fake->at;
			if (fake->decoder.place == GDB_OUTSIDE && *data == GDB_INTERRUPT) {
				fake->at++;
				fake->length--;
				return "\x03";
			}
			size_t left = 1;
			enum gdb_item item = gdb_decode(&fake->decoder, &data, &left);
			fake->at++;
			fake->length--;
			if (item == GDB_NAK)
				return "-";
			if (item == GDB_PACKET)
				return fake->decoder.data;
		}
		ssize_t n = read(fake->fd, fake->input, sizeof(fake->input));
		if (n <= 0)
			_exit(0);
		fake->at = 0;
		fake->length = (size_t)n;
	}
}

/* ---- its flash: two regions, and nothing is kept before vFlashDone ---- */

#define FLASH_BEGIN 0x08000000u
#define FLASH_SIZE  0x3000u
#define FLASH_OLD   0x5a

static struct {
	uint8_t now[FLASH_SIZE], then[FLASH_SIZE];
} flash;

static void send_bytes(struct fake *fake, const uint8_t *data, size_t length)
{
	char text[2 * 256 + 1];
	for (size_t i = 0; i < length; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", data[i]);
	fake_send(fake, text);
}

static void send_map(struct fake *fake, const char *question, const char *misdeed)
{
	const char *xml = strstr(misdeed, "no regions") ? MAP(RAM) : strstr(misdeed, "bad map") ? "<memory-map>" : TWO_FLASHES;
	size_t offset, length, all = strlen(xml);
	char piece[256];
	if (sscanf(question, "qXfer:memory-map:read::%zx,%zx", &offset, &length) != 2 || offset > all || length >= sizeof(piece))
		_exit(1);
	(void)snprintf(piece, sizeof(piece), "%c%.*s", all - offset > length ? 'm' : 'l', (int)length, xml + offset);
	fake_send(fake, piece);
}

static const char *erase_flash(unsigned at, unsigned length, const char *misdeed)
{
	const unsigned block = at < FLASH_BEGIN + 0x1000 ? 0x400 : 0x1000, end = block == 0x400 ? 0x1000 : FLASH_SIZE;
	if (strstr(misdeed, "erase fails") || at % block || length % block || length == 0 || at - FLASH_BEGIN + length > end)
		return "E01";
	memset(flash.then + (at - FLASH_BEGIN), 0xff, length);
	return "OK";
}

/* Bits are only cleared. */
static const char *write_flash(unsigned at, const char *data, size_t length, const char *misdeed)
{
	if (strstr(misdeed, "write fails") || at < FLASH_BEGIN || at - FLASH_BEGIN + length > FLASH_SIZE)
		return "E.memtype";
	for (size_t i = 0; i < length; i++)
		flash.then[at - FLASH_BEGIN + i] &= (uint8_t)data[i];
	return "OK";
}

/* false: nothing of flash. */
static bool serve_flash(struct fake *fake, const char *question, const char *misdeed)
{
	unsigned at, length;
	int head = 0;
	if (!strncmp(question, "qSupported", 10)) {
		fake_send(fake, "PacketSize=80;qXfer:memory-map:read+");
	} else if (!strncmp(question, "qXfer", 5)) {
		send_map(fake, question, misdeed);
	} else if (!strncmp(question, "vFlash", 6) && strstr(misdeed, "unknown")) {
		fake_send(fake, "");
	} else if (sscanf(question, "vFlashErase:%x,%x", &at, &length) == 2) {
		fake_send(fake, erase_flash(at, length, misdeed));
	} else if (sscanf(question, "vFlashWrite:%x:%n", &at, &head) == 1 && head) {
		fake_send(fake, write_flash(at, question + head, fake->decoder.length - (size_t)head, misdeed));
	} else if (!strcmp(question, "vFlashDone")) {
		if (!strstr(misdeed, "forgets"))
			memcpy(flash.now, flash.then, sizeof(flash.now));
		fake_send(fake, strstr(misdeed, "done fails") ? "E05" : "OK");
	} else if (sscanf(question, "m%x,%x", &at, &length) == 2 && at >= FLASH_BEGIN && at - FLASH_BEGIN + length <= FLASH_SIZE &&
	           length <= 256) {
		send_bytes(fake, flash.now + (at - FLASH_BEGIN), length);
	} else {
		return false;
	}
	return true;
}

/* Answers as any server does, and as the misdeed says when memory is read. */
static void fake_serve(int listener, const char *misdeed)
{
	static struct fake fake;
	bool naked = false;
	memset(&fake, 0, sizeof(fake));
	fake.fd = accept_one(listener);
	for (;;) {
		const char *question = fake_next(&fake);
		if (*question == GDB_INTERRUPT) {
			fake_send(&fake, "T02thread:01;");
			continue;
		}
		if (*question == '-') {
			fake_send(&fake, "64636261"); /* "the same again" */
			continue;
		}
		if (!fake.trusted && !strcmp(misdeed, "refuses once") && !naked && *question == 'm') {
			naked = true;
			fake_raw(&fake, "-");
			continue;
		}
		if (!fake.trusted && !strcmp(misdeed, "refuses always") && *question == 'm') {
			fake_raw(&fake, "-");
			continue;
		}
		if (!fake.trusted)
			fake_raw(&fake, "+");
		if (strstr(misdeed, "flash") && serve_flash(&fake, question, misdeed))
			continue;
		if (!strncmp(question, "qSupported", 10))
			fake_send(&fake, strstr(misdeed, "no-ack") ? "PacketSize=400;QStartNoAckMode+" : "PacketSize=400");
		else if (!strcmp(question, "QStartNoAckMode")) {
			fake_send(&fake, "OK");
			fake.trusted = true;
		} else if (!strcmp(question, "vCont?"))
			fake_send(&fake, "vCont;c;C;s;S");
		else if (!strcmp(question, "?"))
			fake_send(&fake, "T05thread:01;");
		else if (!strcmp(question, "X0,0:"))
			fake_send(&fake, "");
		else if (*question == 'v' || *question == 'c')
			continue; /* it runs */
		else if (*question == 'D')
			fake_send(&fake, "OK");
		else if (strstr(misdeed, "qemu") && strstr(question, "qemu.PhyMemMode"))
			fake_send(&fake, *question == 'Q' ? "OK" : "0");
		else if (strstr(misdeed, "talks") && !strncmp(question, "qRcmd,", 6)) {
			fake_send(&fake, "O66697273740d0a");             /* "first\r\n" */
			fake_send(&fake, "O7365636f6e64");               /* "second" */
			fake_send(&fake, "O0a0a091b5b316d66617374ff0a"); /* "\n\n\t\x1b[1mfast\xff\n" */
			fake_send(&fake, "OK");
		} else if (*question == 'M')
			fake_send(&fake, strstr(misdeed, "E-answer") ? "E14" : "OK");
		else if (*question != 'm')
			fake_send(&fake, "");
		else if (strstr(misdeed, "only eights"))
			fake_send(&fake, strstr(question, ",8") ? "6162636465666768" : "E01");
		else if (strstr(misdeed, "wrong sum once"))
			fake_raw(&fake, "$64636261#00");
		else if (strstr(misdeed, "silence"))
			(void)poll(NULL, 0, 20000);
		else if (strstr(misdeed, "garbage")) {
			for (unsigned i = 0; i < 400; i++)
				fake_raw(&fake, "HTTP/1.1 400 Bad\r\n");
		} else if (strstr(misdeed, "huge")) {
			fake_raw(&fake, "$");
			for (unsigned i = 0; i < 4000; i++)
				fake_raw(&fake, "0000000000");
		} else if (strstr(misdeed, "closes")) {
			fake_raw(&fake, "$6463");
			(void)close(fake.fd);
			fake.fd = accept_one(listener);
			memset(&fake.decoder, 0, sizeof(fake.decoder));
			fake.trusted = false;
			misdeed = "";
		} else if (strstr(misdeed, "E-answer"))
			fake_send(&fake, "E0e");
		else if (strstr(misdeed, "no hex"))
			fake_send(&fake, "646361zz");
		else if (strstr(misdeed, "exits"))
			fake_send(&fake, "W00");
		else if (strstr(misdeed, "chatters")) {
			fake_raw(&fake, "%Stop:T05#62+++");
			fake_send(&fake, "O68690a");
			fake_send(&fake, "T05");
			fake_send(&fake, "64636261");
		} else
			fake_send(&fake, "64636261");
	}
}

static void serve(const char *misdeed)
{
	int listener = listen_here();
	server = fork();
	if (server == 0) {
		(void)signal(SIGPIPE, SIG_IGN);
		(void)alarm(30);
		fake_serve(listener, misdeed);
	}
	(void)close(listener);
}

static const struct {
	const char *misdeed;
	int code;
	const char *message;
	enum error_domain domain;
} misdeeds[] = {
        {"none", 0, NULL, 0},
        {"no-ack", 0, NULL, 0},
        {"refuses once", 0, NULL, 0},
        {"refuses always", EREMOTEIO, "refuses a packet", ERROR_BENCH},
        {"wrong sum once", 0, NULL, 0},
        {"no-ack, wrong sum once", EBADMSG, "checksum", ERROR_BENCH},
        {"silence", ETIMEDOUT, "no answer in time", ERROR_BENCH},
        {"garbage", EPROTO, "not the GDB remote protocol", ERROR_BENCH},
        {"huge", EMSGSIZE, "longer than any", ERROR_BENCH},
        {"closes", ECONNRESET, "closed the connection", ERROR_BENCH},
        {"E-answer", EFAULT, "reading 20000000h is refused", ERROR_DUT},
        {"no hex", EBADMSG, "646361zz", ERROR_BENCH},
        {"exits", EPIPE, "came to its end", ERROR_BENCH},
        {"chatters", 0, NULL, 0},
};

START_TEST(misbehaving_servers)
{
	uint8_t bytes[4] = {0};
	serve(misdeeds[_i].misdeed);
	attach("");
	int64_t begin_ns = loop_now_ns();
	/* Only silence is told by the deadline; everything else at once, long before it. */
	int r = probe_read(probe, 0x20000000, 4, bytes, 4, within(misdeeds[_i].code == ETIMEDOUT ? 1000 : 25000), &error);
	ck_assert_msg(r == -misdeeds[_i].code, "%s: %d %s", misdeeds[_i].misdeed, r, error.message);
	ck_assert_int_lt(loop_now_ns() - begin_ns, 15 * SECOND_NS);
	if (r == 0) {
		ck_assert_mem_eq(bytes, "dcba", 4);
		return;
	}
	ck_assert_int_eq(error.domain, misdeeds[_i].domain);
	ck_assert_msg(strstr(error.message, misdeeds[_i].message), "%s", error.message);
	ck_assert_msg(strstr(error.message, "probe of zgw"), "%s", error.message);
	/* Who accepts again is asked again. */
	if (!strcmp(misdeeds[_i].misdeed, "closes"))
		ck_assert_msg(probe_read(probe, 0x20000000, 4, bytes, 4, within(20000), &error) == 0, "%s", error.message);
}
END_TEST

START_TEST(eight_bytes_are_one_packet)
{
	char bytes[25] = "";
	serve("only eights");
	attach("");
	ck_assert_int_eq(probe_read(probe, 0x20000000, 4, bytes, 24, loop_now_ns() + 20 * SECOND_NS, &error), -EFAULT);
	ck_assert_msg(probe_read(probe, 0x20000000, 8, bytes, 24, loop_now_ns() + 20 * SECOND_NS, &error) == 0, "%s", error.message);
	ck_assert_str_eq(bytes, "abcdefghabcdefghabcdefgh");
}
END_TEST

START_TEST(half_an_access_is_refused)
{
	char bytes[8];
	serve("none");
	attach("");
	ck_assert_int_eq(probe_read(probe, 0x20000000, 8, bytes, 8, loop_now_ns() + 20 * SECOND_NS, &error), -EOPNOTSUPP);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_msg(strstr(error.message, "no accesses of 64 bits"), "%s", error.message);
}
END_TEST

START_TEST(nobody_listens)
{
	uint8_t bytes[4];
	attach("");
	ck_assert_int_eq(probe_read(probe, 0, 4, bytes, 4, within(20000), &error), -ENOENT);
	ck_assert_msg(strstr(error.message, address), "%s", error.message);
}
END_TEST

/* Lines stay lines; what steers a terminal is shown, not sent to it. */
START_TEST(monitor_output_is_lines)
{
	char *answer = NULL;
	serve("talks");
	attach("");
	ck_assert_msg(probe_command(probe, "info", &answer, within(5000), &error) == 0, "%s", error.message);
	ck_assert_str_eq(answer, "first\nsecond\n\n\t\\x1b[1mfast\\xff");
	free(answer);
}
END_TEST

/* A server that says OK and does nothing: qemu's, to a device register. With physical addresses it is believed. */
START_TEST(writes_that_are_not_done)
{
	serve("qemu");
	attach("");
	ck_assert_int_eq(probe_write(probe, 0x20000000, 4, "1234", 4, within(5000), &error), -EOPNOTSUPP);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_msg(strstr(error.message, "20000000h") && strstr(error.message, "physical: true"), "%s", error.message);
	/* It says "dcba" whatever it is asked. */
	ck_assert_msg(probe_write(probe, 0x20000000, 4, "dcba", 4, within(5000), &error) == 0, "%s", error.message);
}
END_TEST

START_TEST(physical_addresses)
{
	serve("qemu");
	attach(", physical: true");
	ck_assert_msg(probe_write(probe, 0x20000000, 4, "1234", 4, within(5000), &error) == 0, "%s", error.message);
}
END_TEST

START_TEST(physical_addresses_are_for_qemu)
{
	serve("none");
	attach(", physical: true");
	ck_assert_int_eq(probe_write(probe, 0x20000000, 4, "1234", 4, within(5000), &error), -EOPNOTSUPP);
	ck_assert_msg(strstr(error.message, "`physical` is nothing for it"), "%s", error.message);
}
END_TEST

START_TEST(resets_need_their_commands)
{
	serve("none");
	attach("");
	ck_assert_int_eq(probe_reset(probe, PROBE_RESET_SYSTEM, within(20000), &error), -EOPNOTSUPP);
	ck_assert_msg(strstr(error.message, "monitor_reset"), "%s", error.message);
	ck_assert_int_eq(probe_reset(probe, PROBE_RESET_APPLICATION, within(20000), &error), -EOPNOTSUPP);
}
END_TEST

/* ---- flash ---- */

static char image_path[200];

static void write_file(size_t length)
{
	static uint8_t content[0x2000];
	(void)snprintf(image_path, sizeof(image_path), "%s/image", directory);
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (uint8_t)(i + i / 256); /* everything that has to be escaped, too */
	int fd = open(image_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content, length), (ssize_t)length);
	ck_assert_int_eq(close(fd), 0);
}

static void serve_with_flash(const char *misdeed)
{
	memset(&flash, FLASH_OLD, sizeof(flash));
	serve(misdeed);
	attach("");
}

static uint8_t flash_byte(uint32_t at)
{
	uint8_t byte;
	int r = probe_read(probe, at, 1, &byte, 1, within(20000), &error);
	ck_assert_msg(r == 0, "%s", error.message);
	return byte;
}

/* Over both regions: the last block of the one and the first of the other are erased, no other. */
START_TEST(flash_is_programmed)
{
	serve_with_flash("flash");
	write_file(0x1300);
	int r = probe_program(probe, FLASH_BEGIN + 0xc10, image_path, within(20000), &error);
	ck_assert_msg(r == 0, "%s", error.message);
	ck_assert_uint_eq(flash_byte(FLASH_BEGIN + 0xbff), FLASH_OLD);
	ck_assert_uint_eq(flash_byte(FLASH_BEGIN + 0xc0f), 0xff);
	ck_assert_uint_eq(flash_byte(FLASH_BEGIN + 0xc11), 1);
	ck_assert_uint_eq(flash_byte(FLASH_BEGIN + 0x1f10), 0xff);
	ck_assert_uint_eq(flash_byte(FLASH_BEGIN + 0x1fff), 0xff);
	ck_assert_uint_eq(flash_byte(FLASH_BEGIN + 0x2000), FLASH_OLD);
}
END_TEST

static const struct {
	const char *misdeed;
	uint32_t at;
	int code;
	enum error_domain domain;
	const char *message;
} flash_misdeeds[] = {
        {"none", FLASH_BEGIN, EOPNOTSUPP, ERROR_BENCH, "this server does not program flash (it has no memory map)"},
        {"flash, no regions", FLASH_BEGIN, EOPNOTSUPP, ERROR_BENCH, "its memory map has no flash"},
        {"flash, unknown", FLASH_BEGIN, EOPNOTSUPP, ERROR_BENCH, "does not know the packets"},
        {"flash, bad map", FLASH_BEGIN, EBADMSG, ERROR_BENCH, "its memory map is of no use: it is no XML"},
        {"flash", 0x20000000, EINVAL, ERROR_TESTCASE, "there is no flash at 20000000h"},
        {"flash", FLASH_BEGIN + 0x2ff0, EINVAL, ERROR_TESTCASE, "there is no flash at 08003000h"},
        {"flash, erase fails", FLASH_BEGIN + 0x10, EFAULT, ERROR_DUT, "erasing 08000000h is refused"},
        {"flash, write fails", FLASH_BEGIN, EFAULT, ERROR_DUT, "programming 08000000h is refused"},
        {"flash, done fails", FLASH_BEGIN, EFAULT, ERROR_DUT, "E05"},
        {"flash, forgets", FLASH_BEGIN, EIO, ERROR_DUT, "differs from"},
};

START_TEST(flash_misbehaves)
{
	serve_with_flash(flash_misdeeds[_i].misdeed);
	write_file(0x100);
	int r = probe_program(probe, flash_misdeeds[_i].at, image_path, within(20000), &error);
	ck_assert_msg(r == -flash_misdeeds[_i].code, "%s: %d %s", flash_misdeeds[_i].misdeed, r, error.message);
	ck_assert_int_eq(error.domain, flash_misdeeds[_i].domain);
	ck_assert_msg(strstr(error.message, flash_misdeeds[_i].message), "%s", error.message);
}
END_TEST

/* ---- qemu ---- */

/* 7C00h: cli; xor ax, ax; mov ds, ax; inc dword [0x1000]; jmp back. */
static const uint8_t boot_code[] = {0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x66, 0xff, 0x06, 0x00, 0x10, 0xeb, 0xf9};
#define COUNTER 0x1000u
#define SCRATCH 0x20000u

static const char *qemu_path(void)
{
	static const char *const paths[] = {"/usr/bin/qemu-system-x86_64", "/usr/bin/qemu-system-i386"};
	for (unsigned i = 0; i < 2; i++)
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	return NULL;
}

static void write_image(const char *path)
{
	uint8_t sector[512] = {0};
	memcpy(sector, boot_code, sizeof(boot_code));
	sector[510] = 0x55;
	sector[511] = 0xaa;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, sector, sizeof(sector)), sizeof(sector));
	ck_assert_int_eq(close(fd), 0);
}

/* There, and ready for who connects: its file comes a moment earlier. */
static bool listens(const char *path)
{
	char line[512];
	unsigned flags = 0;
	bool found = false;
	FILE *sockets = fopen("/proc/net/unix", "re");
	ck_assert_ptr_nonnull(sockets);
	while (!found && fgets(line, sizeof(line), sockets))
		found = strstr(line, path) && sscanf(line, "%*s %*s %*s %x", &flags) == 1 && flags & 0x10000; /* __SO_ACCEPTCON */
	(void)fclose(sockets);
	return found;
}

static void start_qemu(void)
{
	char image[200], gdb[200], drive[240];
	(void)snprintf(image, sizeof(image), "%s/image", directory);
	(void)snprintf(gdb, sizeof(gdb), "unix:%s,server=on,wait=off", address);
	(void)snprintf(drive, sizeof(drive), "file=%s,format=raw,if=floppy", image);
	write_image(image);
	server = fork();
	if (server == 0) {
		int null = open("/dev/null", O_RDWR);
		(void)dup2(null, 0);
		(void)dup2(null, 1);
		(void)alarm(120);
		execl(qemu_path(), "qemu", "-accel", "tcg", "-m", "16", "-nodefaults", "-nographic", "-boot", "a", "-drive", drive, "-gdb",
		      gdb, NULL);
		_exit(127);
	}
	for (unsigned i = 0; i < 1200 && !listens(address); i++)
		(void)poll(NULL, 0, 50);
	ck_assert(listens(address));
}

static uint32_t counter(void)
{
	uint8_t bytes[4];
	int r = probe_read(probe, COUNTER, 4, bytes, 4, within(20000), &error);
	ck_assert_msg(r == 0, "%s", error.message);
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void wait_counting(void)
{
	int64_t end_ns = loop_now_ns() + 60 * SECOND_NS;
	uint32_t before = counter();
	while (counter() == before) {
		ck_assert_msg(loop_now_ns() < end_ns, "the boot sector does not run");
		(void)poll(NULL, 0, 100);
	}
}

START_TEST(qemu_halts_and_resumes)
{
	bool halted = true;
	start_qemu();
	attach("");
	/* Reading stops the machine only for a moment: it boots, and counts. */
	wait_counting();
	ck_assert_int_eq(probe_halted(probe, &halted, within(20000), &error), 0);
	ck_assert(!halted);
	ck_assert_int_eq(probe_halt(probe, within(20000), &error), 0);
	ck_assert_int_eq(probe_halted(probe, &halted, within(20000), &error), 0);
	ck_assert(halted);
	uint32_t before = counter();
	(void)poll(NULL, 0, 100);
	ck_assert_uint_eq(counter(), before);
	ck_assert_int_eq(probe_resume(probe, within(20000), &error), 0);
	wait_counting();
}
END_TEST

START_TEST(qemu_memory)
{
	static uint8_t out[10000], in[sizeof(out)];
	start_qemu();
	attach("");
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + i / 256);
	memset(out + 2000, 0, 3000); /* run lengths, where a server packs */
	ck_assert_msg(probe_write(probe, SCRATCH, 4, out, sizeof(out), within(20000), &error) == 0, "%s", error.message);
	ck_assert_msg(probe_read(probe, SCRATCH, 4, in, sizeof(in), within(20000), &error) == 0, "%s", error.message);
	ck_assert_mem_eq(in, out, sizeof(out));
	ck_assert_msg(probe_write(probe, SCRATCH + 16, 8, "written in one..", 16, loop_now_ns() + 20 * SECOND_NS, &error) == 0, "%s",
	              error.message);
	ck_assert_msg(probe_read(probe, SCRATCH + 16, 8, in, 16, loop_now_ns() + 20 * SECOND_NS, &error) == 0, "%s", error.message);
	ck_assert_mem_eq(in, "written in one..", 16);
	/* A single byte in the middle. */
	ck_assert_int_eq(probe_write(probe, SCRATCH + 5, 1, "#", 1, within(20000), &error), 0);
	ck_assert_int_eq(probe_read(probe, SCRATCH + 4, 1, in, 3, within(20000), &error), 0);
	ck_assert(in[0] == out[4] && in[1] == '#' && in[2] == out[6]);
}
END_TEST

START_TEST(qemu_resets_by_its_monitor)
{
	char *answer = NULL;
	bool halted = false;
	start_qemu();
	attach(", monitor_reset: system_reset, monitor_halt: system_reset");
	wait_counting();
	ck_assert_msg(probe_reset(probe, PROBE_RESET_SYSTEM, within(20000), &error) == 0, "%s", error.message);
	wait_counting();
	ck_assert_int_eq(probe_reset(probe, PROBE_RESET_HALT, within(20000), &error), 0);
	ck_assert_int_eq(probe_halted(probe, &halted, within(20000), &error), 0);
	ck_assert(halted);
	ck_assert_msg(probe_command(probe, "info version", &answer, within(20000), &error) == 0, "%s", error.message);
	ck_assert_msg(strchr(answer, '.') != NULL && !strchr(answer, '\\') && !strchr(answer, '\n'), "%s", answer);
	free(answer);
}
END_TEST

START_TEST(qemu_killed_and_started_anew)
{
	uint8_t bytes[4];
	start_qemu();
	attach("");
	(void)counter();
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	int64_t begin_ns = loop_now_ns();
	ck_assert_int_lt(probe_read(probe, SCRATCH, 4, bytes, 4, within(2000), &error), 0);
	ck_assert_int_eq(error.domain, ERROR_BENCH);
	ck_assert_int_lt(loop_now_ns() - begin_ns, 15 * SECOND_NS);
	(void)unlink(address);
	start_qemu();
	(void)counter();
}
END_TEST

START_TEST(qemu_programs_no_flash)
{
	start_qemu();
	attach("");
	(void)snprintf(image_path, sizeof(image_path), "%s/image", directory);
	ck_assert_int_eq(probe_program(probe, 0, image_path, within(20000), &error), -EOPNOTSUPP);
	ck_assert_msg(strstr(error.message, "this server does not program flash"), "%s", error.message);
	/* It still answers. */
	(void)counter();
}
END_TEST

START_TEST(qemu_another_board)
{
	start_qemu();
	attach(", slot: {address: 0x20000, value: zgw}");
	ck_assert_int_eq(probe_write(probe, SCRATCH, 4, "zgw\0", 4, within(20000), &error), -EXDEV);
	ck_assert_msg(strstr(error.message, "another board answers"), "%s", error.message);
}
END_TEST

/* ---- gdbserver ---- */

#define GDBSERVER "/usr/bin/gdbserver"
#define REAL_DATA 0x10000000u /* of gdb_target: the linker is told so */

static char target_path[PATH_MAX];

static uint32_t real_counter(void)
{
	uint8_t bytes[4];
	int r = probe_read(probe, REAL_DATA, 4, bytes, 4, within(20000), &error);
	ck_assert_msg(r == 0, "%s", error.message);
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* It tells its port on its standard error. */
static void start_gdbserver(void)
{
	char text[400] = "";
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	server = fork();
	if (server == 0) {
		(void)dup2(ends[1], 2);
		(void)close(ends[0]);
		(void)alarm(60);
		execl(GDBSERVER, "gdbserver", "--once", "--no-startup-with-shell", "127.0.0.1:0", target_path, NULL);
		_exit(127);
	}
	(void)close(ends[1]);
	for (size_t length = 0; !strstr(text, "port ") || !strchr(strstr(text, "port "), '\n');) {
		ssize_t n = read(ends[0], text + length, sizeof(text) - 1 - length);
		ck_assert_msg(n > 0, "gdbserver: %s", text);
		length += (size_t)n;
	}
	(void)close(ends[0]);
	(void)snprintf(address, sizeof(address), "\"127.0.0.1:%d\"", atoi(strstr(text, "port ") + 5));
}

START_TEST(gdbserver_halts_resumes_and_writes)
{
	const uint8_t number[4] = {0, 0, 0, 0x40};
	bool halted = false;
	start_gdbserver();
	attach("");
	int64_t end_ns = loop_now_ns() + 40 * SECOND_NS;
	for (uint32_t before = real_counter(); real_counter() == before; (void)poll(NULL, 0, 20))
		ck_assert_msg(loop_now_ns() < end_ns, "the program does not run");
	ck_assert_msg(probe_halt(probe, within(20000), &error) == 0, "%s", error.message);
	ck_assert_int_eq(probe_halted(probe, &halted, within(20000), &error), 0);
	ck_assert(halted);
	uint32_t before = real_counter();
	(void)poll(NULL, 0, 50);
	ck_assert_uint_eq(real_counter(), before);
	ck_assert_msg(probe_write(probe, REAL_DATA, 4, number, 4, within(20000), &error) == 0, "%s", error.message);
	ck_assert_uint_eq(real_counter(), 0x40000000);
	ck_assert_int_eq(probe_resume(probe, within(20000), &error), 0);
	while (real_counter() == 0x40000000)
		ck_assert_msg(loop_now_ns() < end_ns, "the program does not go on");
	ck_assert_uint_ge(real_counter(), 0x40000001);
	/* Memory that is not there. */
	uint8_t byte;
	ck_assert_int_eq(probe_read(probe, 0x10, 1, &byte, 1, within(20000), &error), -EFAULT);
	ck_assert_int_eq(error.domain, ERROR_DUT);
	/* Halted, it is not let go at the end: the server takes it along. */
	ck_assert_int_eq(probe_halt(probe, within(20000), &error), 0);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("probe by the GDB remote protocol");
	TCase *codec = tcase_create("packets"), *fake = tcase_create("servers"), *qemu = tcase_create("qemu"),
	      *real = tcase_create("gdbserver");
	tcase_add_loop_test(codec, packets_are_decoded, 0, sizeof(packets) / sizeof(*packets));
	tcase_add_test(codec, what_is_encoded_is_decoded);
	tcase_add_loop_test(codec, what_never_ends_is_given_up, 0, 2);
	tcase_add_checked_fixture(fake, setup, teardown);
	tcase_add_loop_test(fake, misbehaving_servers, 0, sizeof(misdeeds) / sizeof(*misdeeds));
	tcase_add_test(fake, eight_bytes_are_one_packet);
	tcase_add_test(fake, half_an_access_is_refused);
	tcase_add_test(fake, nobody_listens);
	tcase_add_test(fake, resets_need_their_commands);
	tcase_add_test(fake, monitor_output_is_lines);
	tcase_add_test(fake, writes_that_are_not_done);
	tcase_add_test(fake, physical_addresses);
	tcase_add_test(fake, physical_addresses_are_for_qemu);
	tcase_add_loop_test(codec, maps_are_read, 0, sizeof(maps) / sizeof(*maps));
	tcase_add_test(fake, flash_is_programmed);
	tcase_add_loop_test(fake, flash_misbehaves, 0, sizeof(flash_misdeeds) / sizeof(*flash_misdeeds));
	tcase_add_checked_fixture(qemu, setup, teardown);
	tcase_set_timeout(qemu, 120);
	if (qemu_path()) {
		tcase_add_test(qemu, qemu_halts_and_resumes);
		tcase_add_test(qemu, qemu_memory);
		tcase_add_test(qemu, qemu_resets_by_its_monitor);
		tcase_add_test(qemu, qemu_killed_and_started_anew);
		tcase_add_test(qemu, qemu_another_board);
		tcase_add_test(qemu, qemu_programs_no_flash);
	} else {
		(void)fputs("qemu is not installed: its stub was not tried\n", stderr);
	}
	suite_add_tcase(suite, codec);
	suite_add_tcase(suite, fake);
	suite_add_tcase(suite, qemu);
	tcase_add_checked_fixture(real, setup, teardown);
	tcase_set_timeout(real, 60);
	if (argc > 1 && access(GDBSERVER, X_OK) == 0) {
		(void)snprintf(target_path, sizeof(target_path), "%s", argv[1]);
		tcase_add_test(real, gdbserver_halts_resumes_and_writes);
	} else {
		(void)fputs("gdbserver is not installed, or no program was named: it was not tried\n", stderr);
	}
	suite_add_tcase(suite, real);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
