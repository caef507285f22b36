/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench rig probe: a board's debug probe by hand. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rig.h"

#define READ_MAX   (1u << 20)
#define VERB_BYTES 16384 /* that the slowest probe moves within a verb's deadline */
#define PATIENCE   30    /* times a verb's deadline, for files */

/* What the words behind a verb say: checked before any board is touched. */
struct arguments {
	uint32_t address;
	uint64_t length;
	struct bytes data; /* or the words of a command, with a NUL */
	const char *file;
	enum probe_reset kind;
};
struct verb {
	const char *name;
	const char *form;  /* a letter of `readers` a word; the last one takes what is left */
	const char *words; /* for messages */
	int least, most;
	int (*run)(struct probe *, const struct arguments *, struct error *err);
};

/* ---- words ---- */

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

/* 64, 0x40, or as the test language has it: 64B, 1KiB. */
static int number(const char *text, const char *what, uint64_t limit, bool size, uint64_t *ret, struct error *err)
{
	struct value *word = size ? value_new_text(text) : NULL, *converted = NULL;
	char *end;
	errno = 0;
	*ret = strtoull(text, &end, 0);
	bool good = text[0] >= '0' && text[0] <= '9' && !*end && !errno;
	if (!good && word && value_convert(word, VALUE_SIZE, &converted, NULL) == 0 && converted->integer >= 0) {
		*ret = (uint64_t)converted->integer;
		good = true;
	}
	value_free(converted);
	value_free(word);
	if (good && *ret <= limit && (!size || *ret > 0))
		return 0;
	return error_set(err, ERROR_USAGE, EINVAL, "%s must be a number %s 0x%" PRIx64 ", like %s, not \"%s\"", what,
	                 size ? "from 1 to" : "up to", limit, size ? "64, 0x40 or 64KiB" : "0x20000000", text);
}

static int read_address(char **words, int count, struct arguments *ret, struct error *err)
{
	uint64_t value;
	(void)count;
	int r = number(words[0], "the address", UINT32_MAX, false, &value, err);
	ret->address = (uint32_t)value;
	return r;
}

static int read_length(char **words, int count, struct arguments *ret, struct error *err)
{
	(void)count;
	int r = number(words[0], "the length", UINT32_MAX, true, &ret->length, err);
	if (r == 0 && ret->length > UINT64_C(0x100000000) - ret->address)
		return error_set(err, ERROR_USAGE, ERANGE, "%" PRIu64 " bytes at 0x%08" PRIx32 " go over the end of the memory",
		                 ret->length, ret->address);
	return r;
}

static int read_short_length(char **words, int count, struct arguments *ret, struct error *err)
{
	int r = read_length(words, count, ret, err);
	if (r == 0 && ret->length > READ_MAX)
		return error_set(err, ERROR_USAGE, ERANGE, "the length is at most 1MiB: dump takes more");
	return r;
}

static int read_file(char **words, int count, struct arguments *ret, struct error *err)
{
	struct stat status;
	(void)count;
	ret->file = words[0];
	if (access(ret->file, R_OK) < 0 || stat(ret->file, &status) < 0)
		return error_set(err, ERROR_USAGE, errno, "cannot read %s: %s", ret->file, strerror(errno));
	if (!S_ISREG(status.st_mode) || status.st_size == 0)
		return error_set(err, ERROR_USAGE, EINVAL, "%s is %s", ret->file, S_ISREG(status.st_mode) ? "empty" : "no file");
	if ((uint64_t)status.st_size > UINT64_C(0x100000000) - ret->address)
		return error_set(err, ERROR_USAGE, EFBIG, "%s goes over the end of the memory at 0x%08" PRIx32, ret->file, ret->address);
	return 0;
}

/* It is made beside its place and renamed: the folder has to take it. */
static int read_new_file(char **words, int count, struct arguments *ret, struct error *err)
{
	char folder[PATH_MAX];
	struct stat status;
	const char *slash = strrchr(words[0], '/');
	(void)count;
	ret->file = words[0];
	(void)snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - words[0]) + 1 : 1, slash ? words[0] : ".");
	if (access(folder, W_OK | X_OK) < 0)
		return error_set(err, ERROR_USAGE, errno, "cannot write %s: %s", ret->file, strerror(errno));
	if (stat(ret->file, &status) == 0 && !S_ISREG(status.st_mode))
		return error_set(err, ERROR_USAGE, EINVAL, "cannot write %s: it is no file", ret->file);
	return 0;
}

static int read_bytes(char **words, int count, struct arguments *ret, struct error *err)
{
	for (int i = 0; i < count; i++) {
		struct bytes part = {0};
		int r = bytes_parse_hex(words[i], &part);
		if (r < 0)
			r = error_set(err, ERROR_USAGE, EINVAL, "bytes are pairs of hex digits, like \"01 02 ff\", not \"%s\"", words[i]);
		else if (bytes_append(&ret->data, part.data, part.length) < 0)
			r = out_of_memory(err);
		bytes_free(&part);
		if (r < 0)
			return r;
	}
	return ret->data.length ? 0 : error_set(err, ERROR_USAGE, EINVAL, "there is nothing to write");
}

static int read_kind(char **words, int count, struct arguments *ret, struct error *err)
{
	static const char *const kinds[] = {"system", "application", "halt", NULL};
	static const enum probe_reset resets[] = {PROBE_RESET_SYSTEM, PROBE_RESET_APPLICATION, PROBE_RESET_HALT};
	int kind = 0;
	(void)count;
	while (kinds[kind] && strcmp(kinds[kind], words[0]) != 0)
		kind++;
	if (!kinds[kind])
		return error_set(err, ERROR_USAGE, EINVAL, "a reset is system, application or halt, not \"%s\"", words[0]);
	ret->kind = resets[kind];
	return 0;
}

static int read_text(char **words, int count, struct arguments *ret, struct error *err)
{
	for (int i = 0; i < count; i++)
		if ((i && bytes_append_u8(&ret->data, ' ') < 0) || bytes_append(&ret->data, words[i], strlen(words[i])) < 0)
			return out_of_memory(err);
	return bytes_append_u8(&ret->data, 0) < 0 ? out_of_memory(err) : 0;
}

static const struct reader {
	char letter;
	int (*read)(char **words, int count, struct arguments *ret, struct error *err);
} readers[] = {{'a', read_address},  {'l', read_length}, {'s', read_short_length}, {'f', read_file},
               {'n', read_new_file}, {'b', read_bytes},  {'k', read_kind},         {'t', read_text}};

static int read_words(const struct verb *verb, char **words, int count, struct arguments *ret, struct error *err)
{
	int r = 0;
	for (int i = 0; r == 0 && i < count && verb->form[i]; i++)
		for (size_t k = 0; k < sizeof(readers) / sizeof(*readers); k++)
			if (readers[k].letter == verb->form[i])
				r = readers[k].read(words + i, verb->form[i + 1] ? 1 : count - i, ret, err);
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

static int identify(struct probe *probe, const struct arguments *arguments, struct error *err)
{
	struct probe_identity identity;
	char idcode[16], id[24]; /* a GDB server tells neither */
	bool halted = false;
	(void)arguments;
	int r = probe_identify(probe, &identity, probe_deadline_ns(probe), err);
	if (r == 0)
		r = probe_halted(probe, &halted, probe_deadline_ns(probe), err);
	if (r < 0)
		return r;
	(void)snprintf(idcode, sizeof(idcode), identity.idcode ? "0x%08" PRIx32 : "not known", identity.idcode);
	(void)snprintf(id, sizeof(id), identity.unique_id ? "0x%016" PRIx64 : "not known", identity.unique_id);
	(void)printf("IDCODE %s, unique id %s, slot %s, %s\n", idcode, id, identity.slot[0] ? identity.slot : "not known",
	             halted ? "halted" : "running");
	return 0;
}

static int halt(struct probe *probe, const struct arguments *arguments, struct error *err)
{
	(void)arguments;
	return probe_halt(probe, probe_deadline_ns(probe), err);
}

static int resume(struct probe *probe, const struct arguments *arguments, struct error *err)
{
	(void)arguments;
	return probe_resume(probe, probe_deadline_ns(probe), err);
}

static int reset(struct probe *probe, const struct arguments *arguments, struct error *err)
{
	return probe_reset(probe, arguments->kind, probe_deadline_ns(probe), err);
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

static int read_memory(struct probe *probe, const struct arguments *arguments, struct error *err)
{
	const size_t length = (size_t)arguments->length;
	const uint32_t address = arguments->address;
	uint8_t *bytes = malloc(length);
	if (!bytes)
		return out_of_memory(err);
	int r = probe_read(probe, address, width_of(address, length), bytes, length, patience_for(probe, length), err);
	for (size_t i = 0; r == 0 && i < length; i += 16)
		print_line(address + (uint32_t)i, bytes + i, length - i < 16 ? length - i : 16);
	free(bytes);
	return r;
}

static int write_memory(struct probe *probe, const struct arguments *arguments, struct error *err)
{
	const struct bytes *data = &arguments->data;
	return probe_write(probe, arguments->address, width_of(arguments->address, data->length), data->data, data->length,
	                   patience_for(probe, data->length), err);
}

static int load(struct probe *probe, const struct arguments *arguments, struct error *err)
{
	return probe_load(probe, arguments->address, arguments->file, patience(probe), err);
}

static int program(struct probe *probe, const struct arguments *arguments, struct error *err)
{
	return probe_program(probe, arguments->address, arguments->file, patience(probe), err);
}

static int dump(struct probe *probe, const struct arguments *arguments, struct error *err)
{
	return probe_dump(probe, arguments->address, (size_t)arguments->length, arguments->file, patience(probe), err);
}

static int compare(struct probe *probe, const struct arguments *arguments, struct error *err)
{
	size_t offset = 0;
	int r = probe_compare(probe, arguments->address, arguments->file, &offset, patience(probe), err);
	if (r < 0)
		return r;
	if (offset != SIZE_MAX)
		return error_set(err, ERROR_DUT, EIO, "the memory is not what %s has: they differ from byte %zu on, at %08" PRIX32 "h",
		                 arguments->file, offset, arguments->address + (uint32_t)offset);
	(void)printf("the memory is what %s has\n", arguments->file);
	return 0;
}

static int command(struct probe *probe, const struct arguments *arguments, struct error *err)
{
	char *answer = NULL;
	int r = probe_command(probe, (const char *)arguments->data.data, &answer, probe_deadline_ns(probe), err);
	if (r == 0 && answer[0])
		(void)printf("%s\n", answer);
	free(answer);
	return r;
}

#define MANY 1000
static const struct verb verbs[] = {
        {"identify", "", "", 0, 0, identify},
        {"halt", "", "", 0, 0, halt},
        {"resume", "", "", 0, 0, resume},
        {"reset", "k", " [system|application|halt]", 0, 1, reset},
        {"read", "as", " ADDRESS LENGTH", 2, 2, read_memory},
        {"write", "ab", " ADDRESS BYTES", 2, MANY, write_memory},
        {"load", "af", " ADDRESS FILE", 2, 2, load},
        {"dump", "aln", " ADDRESS LENGTH FILE", 3, 3, dump},
        {"compare", "af", " ADDRESS FILE", 2, 2, compare},
        {"program", "af", " ADDRESS FILE", 2, 2, program},
        {"command", "t", " TEXT…", 1, MANY, command},
};

static const struct verb *verb_of(const char *name)
{
	const char *names[sizeof(verbs) / sizeof(*verbs) + 1] = {NULL};
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		names[i] = verbs[i].name;
	int index = rig_word("verb of a probe", name, names);
	return index < 0 ? NULL : &verbs[index];
}

static int run_verb(const struct rig_call *call, const struct verb *verb, const struct arguments *arguments)
{
	struct rig_live live;
	struct probe *probe;
	struct error error = {0};
	int status = rig_live_start(&live, call, call->words[0]);
	if (status)
		return status;
	int r = rig_live_boot(&live, &error);
	if (r == 0)
		r = rig_live_probe(&live, &probe, &error);
	/* A probe or board that does not answer is found within one verb's time; only what is long has longer. */
	if (r == 0)
		r = probe_identify(probe, NULL, loop_now_ns() + probe_verb_ns(probe), &error);
	if (r == 0)
		r = verb->run(probe, arguments, &error);
	(void)fflush(stdout);
	if (r < 0)
		rig_live_keep_log(&live, &error);
	rig_live_stop(&live);
	return r < 0 ? rig_fail(&error) : 0;
}

static int probe(const struct rig_call *call)
{
	struct arguments arguments = {.kind = PROBE_RESET_SYSTEM};
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
	int status = read_words(verb, call->words + 2, count, &arguments, &error) < 0 ? rig_fail(&error) : run_verb(call, verb, &arguments);
	bytes_free(&arguments.data);
	return status;
}

const struct rig_verb rig_verb_probe = {.name = "probe", .options = "", .words = "ROLE VERB …", .least = 2, .most = 2 + MANY, .run = probe};
