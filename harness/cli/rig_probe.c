/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench rig probe: a board's debug probe by hand. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#define READ_MAX   (1u << 20)
#define VERB_BYTES 16384 /* that the slowest probe moves within a verb's deadline */
#define PATIENCE   30    /* times a verb's deadline, for files */

struct verb {
	const char *name, *words;
	int least, most;
	int (*run)(struct probe *, char **words, int count, struct error *err);
};

/* ---- numbers ---- */

static int number(const char *text, const char *what, uint64_t limit, uint64_t *ret, struct error *err)
{
	char *end;
	errno = 0;
	*ret = strtoull(text, &end, 0);
	if (text[0] >= '0' && text[0] <= '9' && !*end && !errno && *ret <= limit)
		return 0;
	return error_set(err, ERROR_USAGE, EINVAL, "%s must be a number up to 0x%" PRIx64 ", like 0x20000000, not \"%s\"", what, limit,
	                 text);
}

static int address_of(const char *text, uint32_t *ret, struct error *err)
{
	uint64_t value;
	int r = number(text, "the address", UINT32_MAX, &value, err);
	*ret = (uint32_t)value;
	return r;
}

/* The widest accesses that a range allows: registers take nothing else. */
static unsigned width_of(uint32_t address, size_t length)
{
	return (address | length) % 4 == 0 ? 4 : (address | length) % 2 == 0 ? 2 : 1;
}

static int64_t patience_for(const struct probe *probe, uint64_t length)
{
	return loop_now_ns() + (1 + (int64_t)(length / VERB_BYTES)) * probe_verb_ns(probe);
}

static int64_t patience(const struct probe *probe)
{
	return loop_now_ns() + PATIENCE * probe_verb_ns(probe);
}

/* ---- verbs ---- */

static int identify(struct probe *probe, char **words, int count, struct error *err)
{
	struct probe_identity identity;
	bool halted = false;
	(void)words;
	(void)count;
	int r = probe_identify(probe, &identity, probe_deadline_ns(probe), err);
	if (r == 0)
		r = probe_halted(probe, &halted, probe_deadline_ns(probe), err);
	if (r == 0)
		(void)printf("IDCODE 0x%08" PRIx32 ", unique id 0x%016" PRIx64 ", slot %s, %s\n", identity.idcode, identity.unique_id,
		             identity.slot[0] ? identity.slot : "not known", halted ? "halted" : "running");
	return r;
}

static int halt(struct probe *probe, char **words, int count, struct error *err)
{
	(void)words;
	(void)count;
	return probe_halt(probe, probe_deadline_ns(probe), err);
}

static int resume(struct probe *probe, char **words, int count, struct error *err)
{
	(void)words;
	(void)count;
	return probe_resume(probe, probe_deadline_ns(probe), err);
}

static int reset(struct probe *probe, char **words, int count, struct error *err)
{
	static const char *const kinds[] = {"system", "application", "halt", NULL};
	static const enum probe_reset resets[] = {PROBE_RESET_SYSTEM, PROBE_RESET_APPLICATION, PROBE_RESET_HALT};
	int kind = 0;
	while (count > 0 && kinds[kind] && strcmp(kinds[kind], words[0]))
		kind++;
	if (!kinds[kind])
		return error_set(err, ERROR_USAGE, EINVAL, "a reset is system, application or halt, not \"%s\"", words[0]);
	return probe_reset(probe, resets[kind], probe_deadline_ns(probe), err);
}

static void print_line(uint32_t address, const uint8_t *bytes, size_t length)
{
	(void)printf("%08" PRIx32, address);
	for (size_t i = 0; i < 16; i++)
		if (i < length)
			(void)printf(" %02x", bytes[i]);
		else
			(void)fputs("   ", stdout);
	(void)fputs("  ", stdout);
	for (size_t i = 0; i < length; i++)
		(void)putchar(bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '.');
	(void)putchar('\n');
}

static int read_memory(struct probe *probe, char **words, int count, struct error *err)
{
	uint64_t length;
	uint32_t address;
	(void)count;
	int r = address_of(words[0], &address, err);
	if (r == 0)
		r = number(words[1], "the length", READ_MAX, &length, err);
	if (r < 0)
		return r;
	uint8_t *bytes = malloc(length ? length : 1);
	if (!bytes)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	r = probe_read(probe, address, width_of(address, length), bytes, length, patience_for(probe, length), err);
	for (size_t i = 0; r == 0 && i < length; i += 16)
		print_line(address + (uint32_t)i, bytes + i, length - i < 16 ? length - i : 16);
	free(bytes);
	return r;
}

static int write_memory(struct probe *probe, char **words, int count, struct error *err)
{
	struct bytes data = {0};
	uint32_t address;
	int r = address_of(words[0], &address, err);
	for (int i = 1; r == 0 && i < count; i++) {
		struct bytes part = {0};
		if (bytes_parse_hex(words[i], &part) < 0)
			r = error_set(err, ERROR_USAGE, EINVAL, "bytes are pairs of hex digits, like \"01 02 ff\", not \"%s\"", words[i]);
		else if (bytes_append(&data, part.data, part.length) < 0)
			r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
		bytes_free(&part);
	}
	if (r == 0)
		r = probe_write(probe, address, width_of(address, data.length), data.data, data.length, patience_for(probe, data.length),
		                err);
	bytes_free(&data);
	return r;
}

static int load(struct probe *probe, char **words, int count, struct error *err)
{
	uint32_t address;
	(void)count;
	int r = address_of(words[0], &address, err);
	return r < 0 ? r : probe_load(probe, address, words[1], patience(probe), err);
}

static int program(struct probe *probe, char **words, int count, struct error *err)
{
	uint32_t address;
	(void)count;
	int r = address_of(words[0], &address, err);
	return r < 0 ? r : probe_program(probe, address, words[1], patience(probe), err);
}

static int dump(struct probe *probe, char **words, int count, struct error *err)
{
	uint64_t length;
	uint32_t address;
	(void)count;
	int r = address_of(words[0], &address, err);
	if (r == 0)
		r = number(words[1], "the length", UINT32_MAX, &length, err);
	return r < 0 ? r : probe_dump(probe, address, (size_t)length, words[2], patience(probe), err);
}

static int command(struct probe *probe, char **words, int count, struct error *err)
{
	struct bytes text = {0};
	char *answer = NULL;
	int r = 0;
	for (int i = 0; r == 0 && i < count; i++)
		if ((i && bytes_append_u8(&text, ' ') < 0) || bytes_append(&text, words[i], strlen(words[i])) < 0)
			r = -ENOMEM;
	if (r == 0)
		r = bytes_append_u8(&text, 0);
	r = r < 0 ? error_set(err, ERROR_BENCH, ENOMEM, "out of memory")
	          : probe_command(probe, (const char *)text.data, &answer, probe_deadline_ns(probe), err);
	if (r == 0 && answer[0])
		(void)printf("%s\n", answer);
	free(answer);
	bytes_free(&text);
	return r;
}

#define MANY 1000
static const struct verb verbs[] = {
        {"identify", "", 0, 0, identify},
        {"halt", "", 0, 0, halt},
        {"resume", "", 0, 0, resume},
        {"reset", " [system|application|halt]", 0, 1, reset},
        {"read", " ADDRESS LENGTH", 2, 2, read_memory},
        {"write", " ADDRESS BYTES", 2, MANY, write_memory},
        {"load", " ADDRESS FILE", 2, 2, load},
        {"dump", " ADDRESS LENGTH FILE", 3, 3, dump},
        {"program", " ADDRESS FILE", 2, 2, program},
        {"command", " TEXT…", 1, MANY, command},
};

static const struct verb *verb_of(const char *name)
{
	const char *names[sizeof(verbs) / sizeof(*verbs) + 1] = {NULL};
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		names[i] = verbs[i].name;
	int index = rig_word("verb of a probe", name, names);
	return index < 0 ? NULL : &verbs[index];
}

static int probe(const struct rig_call *call)
{
	struct rig_live live;
	struct probe *probe;
	struct error error = {0};
	const char *role = call->words[0];
	const struct verb *verb = verb_of(call->words[1]);
	int count = call->count - 2;
	const struct value *map = verb ? rig_role(call, role) : NULL;
	if (!map)
		return EXIT_USAGE;
	if (!value_get(map, "probe"))
		return command_usage_error("rig", "%s has no `probe` in the rig file", role);
	if (count < verb->least || count > verb->most)
		return command_usage_error("rig", "it is `rig probe ROLE %s%s`", verb->name, verb->words);
	int status = rig_live_start(&live, call, role);
	if (status)
		return status;
	int r = rig_live_boot(&live, &error);
	if (r == 0)
		r = rig_live_probe(&live, &probe, &error);
	/* A probe or board that does not answer is found within one verb's time; only what is long has longer. */
	if (r == 0)
		r = probe_identify(probe, NULL, loop_now_ns() + probe_verb_ns(probe), &error);
	if (r == 0)
		r = verb->run(probe, call->words + 2, count, &error);
	(void)fflush(stdout);
	rig_live_stop(&live);
	if (r < 0)
		return rig_fail(&error);
	return 0;
}

const struct rig_verb rig_verb_probe = {.name = "probe", .options = "", .words = "ROLE VERB …", .least = 2, .most = 2 + MANY, .run = probe};
