/* SPDX-License-Identifier: Apache-2.0 */
/* The debug probe that OpenOCD drives. Whatever is special about a board stands in its configuration file, as procedures with fixed names
 * (docs/reference/probe.md); without them OpenOCD's generic commands are used. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../probe_private.h"
#include "../rig_keys.h"
#include "../words.h"
#include "probe_openocd_rpc.h"

#define ELEMENTS      1024u /* of one read_memory or write_memory */
#define BURST         256u
#define START_STEP_NS 1000000
#define END_NS        200000000
#define ERASE_STEP    0x80000u /* bytes an erase command takes at most: 32 sectors of 16 KiB */

struct openocd {
	struct openocd_process *process; /* NULL: not started, or ended */
	struct openocd_rpc *rpc;         /* NULL: not connected */
	char *target;                    /* as one word of a script */
	char log[PATH_MAX];
};

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
}

/* ---- the rig file ---- */

static bool is_variable(const char *name)
{
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_')
			return false;
	return *name && !isdigit((unsigned char)*name);
}

static int openocd_check(const struct value *map, struct error *err)
{
	static const char *const keys[] = {"config",   "adapter_serial", "target",    "idcode",     "unique_id", "slot",
	                                   "deadline", "program",        "variables", "reset_line", NULL};
	const struct value *config = value_get(map, "config"), *variables = value_get(map, "variables");
	int r = rig_keys_of_driver(map, "openocd", keys, err);
	if (r < 0)
		return r;
	if (!config || config->list.count == 0)
		return error_set_place(err, ERROR_USAGE, EINVAL, map->place, "a probe with driver openocd lacks `config`");
	if (!value_get(map, "target"))
		return error_set_place(err, ERROR_USAGE, EINVAL, map->place, "a probe with driver openocd lacks `target`");
	for (unsigned i = 0; variables && i < variables->map.count; i++)
		if (!is_variable(variables->map.entries[i].key))
			return error_set_place(err, ERROR_USAGE, EINVAL, variables->map.entries[i].key_place,
			                       "\"%s\" is no name of a variable: letters, digits and _", variables->map.entries[i].key);
	return 0;
}

static int openocd_open(struct probe *probe, struct error *err)
{
	struct openocd *openocd = calloc(1, sizeof(*openocd));
	if (!openocd)
		return out_of_memory(err);
	probe->state = openocd;
	openocd->target = openocd_quoted(map_text(probe->map, "target"));
	snprintf(openocd->log, sizeof(openocd->log), "%s/openocd-%s.log", probe->board->rig->directory, probe->board->role);
	return openocd->target ? 0 : out_of_memory(err);
}

static void end_process(struct openocd *openocd, bool well)
{
	openocd_rpc_close(openocd->rpc);
	openocd_process_end(openocd->process, well);
	openocd->rpc = NULL;
	openocd->process = NULL;
}

static void openocd_disconnect(struct probe *probe)
{
	end_process(probe->state, true);
}

static void openocd_close(struct probe *probe)
{
	struct openocd *openocd = probe->state;
	if (!openocd)
		return;
	end_process(openocd, true);
	free(openocd->target);
	free(openocd);
	probe->state = NULL;
}

static bool openocd_connected(const struct probe *probe)
{
	const struct openocd *openocd = probe->state;
	return openocd->rpc && openocd_process_alive(openocd->process) && openocd_rpc_alive(openocd->rpc);
}

static int openocd_process_of(const struct probe *probe)
{
	const struct openocd *openocd = probe->state;
	return openocd->process ? openocd_process_id(openocd->process) : 0;
}

/* ---- the command line ---- */

/* A command with one word behind it that may hold anything. */
static void word_command(struct words *words, const char *command, const char *text)
{
	char *word = openocd_quoted(text);
	words_add(words, "-c");
	words_add(words, "%s %s", command, word ? word : "");
	words->failed = words->failed || !word;
	free(word);
}

static char *scalar_text(const struct value *value)
{
	return value->type == VALUE_TEXT ? strdup(value->text) : value_describe(value);
}

/* The value with ${jtag} as the debug connector's path. */
static char *expand_jtag(const struct probe *probe, const struct value *value, struct error *err)
{
	char *text = scalar_text(value), *at = text ? strstr(text, PROBE_JTAG) : NULL, *whole = NULL;
	if (!text)
		out_of_memory(err);
	if (!at)
		return text;
	if (!probe->board->jtag)
		error_set_place(err, ERROR_USAGE, EINVAL, value->place, PROBE_JTAG ": the board has no debug connector that is a socket");
	else if (asprintf(&whole, "%.*s%s%s", (int)(at - text), text, probe->board->jtag, at + strlen(PROBE_JTAG)) < 0) {
		whole = NULL;
		out_of_memory(err);
	}
	free(text);
	return whole;
}

static int word_variables(struct words *words, const struct probe *probe, struct error *err)
{
	const struct value *variables = value_get(probe->map, "variables"), *serial = value_get(probe->map, "adapter_serial");
	for (unsigned i = 0; variables && i < variables->map.count; i++) {
		char command[200], *text = expand_jtag(probe, variables->map.entries[i].value, err);
		if (!text)
			return err && err->domain == ERROR_USAGE ? -EINVAL : -ENOMEM;
		snprintf(command, sizeof(command), "set %s", variables->map.entries[i].key);
		word_command(words, command, text);
		free(text);
	}
	char *text = serial ? scalar_text(serial) : NULL;
	if (text)
		word_command(words, "adapter serial", text);
	free(text);
	return 0;
}

/* Beside the rig file, among the shared ones, or for OpenOCD itself to find. */
static void word_config(struct words *words, const struct probe *probe, const struct value *name)
{
	char path[PATH_MAX], *absolute;
	if (openocd_find_config(probe->board->rig->file, name, path, sizeof(path)) < 0) {
		char *word = openocd_quoted(name->text);
		words_add(words, "-c");
		words_add(words, "source [find %s]", word ? word : "");
		words->failed = words->failed || !word;
		free(word);
		return;
	}
	absolute = probe_file_absolute(path);
	if (absolute)
		word_command(words, "source", absolute);
	words->failed = words->failed || !absolute;
	free(absolute);
}

static int build_words(struct words *words, const struct probe *probe, const char *first, const char *last, struct error *err)
{
	static const char servers[] = "gdb_port disabled; telnet_port disabled; tcl_port 0";
	const struct value *config = value_get(probe->map, "config");
	const char *line = map_text(probe->map, "reset_line");
	char path[PATH_MAX];
	int r = openocd_find_program(probe->map, path, sizeof(path), err);
	if (r < 0)
		return r;
	words_add(words, "%s", path);
	if (first) {
		words_add(words, "-c");
		words_add(words, "%s", first);
	}
	words_add(words, "-c");
	words_add(words, "%s", servers);
	r = word_variables(words, probe, err);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < config->list.count; i++)
		word_config(words, probe, config->list.items[i]);
	if (line && !strcmp(line, "none")) {
		words_add(words, "-c");
		words_add(words, "reset_config none");
	}
	words_add(words, "-c");
	words_add(words, "%s", servers); /* whatever the configuration says */
	words_add(words, "-c");
	words_add(words, "%s", last);
	return words->failed ? out_of_memory(err) : 0;
}

int openocd_words_to_read(struct words *words, const struct probe *probe, struct error *err)
{
	/* Nothing is opened before `init`, and a configuration that calls it itself is not let. */
	return build_words(words, probe, "proc init {} shutdown", "shutdown", err);
}

/* ---- scripts ---- */

static bool ended(void *context)
{
	return !openocd_process_alive(context);
}

/* The connection failed: says why, and ends the program, so that the next call starts it anew. */
static int broken(struct probe *probe, int r, uint64_t mark, const char *doing, struct error *err)
{
	struct openocd *openocd = probe->state;
	char errors[600];
	/* A program that ends closes its connections first. */
	if (r == -EPIPE && openocd->rpc && !openocd_rpc_alive(openocd->rpc) &&
	    loop_until(probe->board->rig->loop, ended, openocd->process, loop_now_ns() + END_NS) == -ECANCELED)
		r = -ECANCELED;
	openocd_process_errors(openocd->process, mark, errors, sizeof(errors));
	const char *reason = openocd_process_reason(openocd->process), *colon = errors[0] ? ": " : "";
	const bool says = openocd_process_mark(openocd->process) > openocd_process_begin(openocd->process);
	if (r == -ECANCELED)
		error_set(err, ERROR_OPERATOR, ECANCELED, "cancelled");
	else if (r == -ENOMEM)
		out_of_memory(err);
	else if (r == -ETIMEDOUT)
		error_set(err, ERROR_BENCH, ETIMEDOUT,
		          "OpenOCD did not answer in time (%s): it, its adapter or the adapter's cable hangs%s%s", doing, colon, errors);
	else if (openocd_process_alive(openocd->process))
		error_set(err, ERROR_BENCH, EPIPE, "OpenOCD has lost its adapter (%s)%s%s", doing, colon, errors);
	else
		error_set(err, ERROR_BENCH, EPIPE, "OpenOCD %s (%s)%s%s%s%s", reason, doing, colon, errors, says ? "; see " : "",
		          says ? openocd->log : "");
	end_process(openocd, r == -ECANCELED);
	return r;
}

/* Whether its log has an error since the mark with one of the words. */
static bool log_has(struct openocd *openocd, uint64_t mark, const char *const *words)
{
	for (; *words; words++) {
		const char *line = openocd_process_said(openocd->process, mark, *words);
		const char *error = line ? strstr(line, "Error") : NULL; /* a script's place may stand before it */
		if (error && error <= strstr(line, *words))
			return true;
	}
	return false;
}

/* The access port itself answered that its access failed: the adapter works. */
static const char *const port_words[] = {"STICKY ERROR", NULL};

/* Errors of the transport, as OpenOCD's adapters word them, in its log. That it could not find out where an access failed is one only
 * when the access port said nothing: after many queued accesses a refused one may hide where it was. */
static bool adapter_lost(struct openocd *openocd, uint64_t mark)
{
	static const char *const sure[] = {"Error on socket",
	                                   "LIBUSB_ERROR",
	                                   "JTAG scan chain interrogation failed",
	                                   "remote_bitbang",
	                                   "unable to open",
	                                   "transfer failed",
	                                   NULL};
	static const char *const unsure[] = {"failed to find out where", NULL};
	return log_has(openocd, mark, sure) || (log_has(openocd, mark, unsure) && !log_has(openocd, mark, port_words));
}

/* "… at 0x1234: …", "… address 0x1234 …" */
static bool address_in(const char *text, uint32_t *ret)
{
	static const char *const before[] = {" at 0x", " address 0x"};
	for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++) {
		const char *at = strstr(text, before[i]);
		if (!at)
			continue;
		*ret = (uint32_t)strtoul(at + strlen(before[i]), NULL, 16);
		return true;
	}
	return false;
}

/* Whether it was the board that refused an access. *ret_known: *ret is where, as OpenOCD or a procedure tells; else it stays. */
static bool refused(struct openocd *openocd, uint64_t mark, const char *answer, uint32_t *ret, bool *ret_known)
{
	static const char *const memory[] = {"Failed to read memory at 0x", "Failed to write memory at 0x"};
	static const char *const flash[] = {
	        "failed erasing sectors", "error writing to flash", "flash write failed", "protected", "is locked", "access denied", NULL};
	for (size_t i = 0; i < sizeof(memory) / sizeof(*memory); i++) {
		const char *line = openocd_process_said(openocd->process, mark, memory[i]);
		if (line && address_in(strstr(line, "memory"), ret))
			return *ret_known = true;
	}
	/* What procedures of a configuration say, and OpenOCD's own commands. */
	const char *said = strstr(answer, "refused");
	if (said && (said == answer || said[-1] == '\n')) {
		*ret_known = address_in(said, ret) || *ret_known;
		return true;
	}
	return strstr(answer, "failed to read memory") || strstr(answer, "failed to write memory") || log_has(openocd, mark, port_words) ||
	       log_has(openocd, mark, flash);
}

static int tell_refused(const char *doing, bool known, uint32_t at, const char *answer, const char *errors, struct error *err)
{
	char where[32] = "";
	const char *why = *answer ? answer : errors;
	if (known)
		snprintf(where, sizeof(where), " at %08Xh", (unsigned)at);
	return error_set(err, ERROR_DUT, EFAULT, "the board refuses an access%s (%s)%s%.*s", where, doing, *why ? ": " : "",
	                 (int)strcspn(why, "\n"), why);
}

/* Runs a script. Its error is the board's when an access was refused (at `address` unless OpenOCD says where), else the bench's. */
static int run(struct probe *probe, const char *doing, const char *script, const uint32_t *address, char **ret_answer, int64_t deadline_ns,
               struct error *err)
{
	struct openocd *openocd = probe->state;
	uint64_t mark = openocd_process_mark(openocd->process);
	char *answer = NULL, errors[600];
	uint32_t at = address ? *address : 0;
	bool good = false, known = address != NULL;
	int r = openocd_rpc_run(openocd->rpc, script, deadline_ns, &good, &answer);
	if (r < 0 || (!good && adapter_lost(openocd, mark))) {
		free(answer);
		return broken(probe, r < 0 ? r : -EPIPE, mark, doing, err);
	}
	if (good) {
		*ret_answer = answer;
		return 0;
	}
	openocd_process_errors(openocd->process, mark, errors, sizeof(errors));
	if (refused(openocd, mark, answer, &at, &known))
		r = tell_refused(doing, known, at, answer, errors, err);
	else
		r = error_set(err, ERROR_BENCH, EREMOTEIO, "OpenOCD says (%s): %s%s%s", doing, answer, errors[0] ? "; " : "", errors);
	free(answer);
	return r;
}

static int run_format(struct probe *, const char *doing, const uint32_t *address, char **ret_answer, int64_t deadline_ns, struct error *,
                      const char *format, ...) PRINTF_LIKE(7, 8);
static int run_format(struct probe *probe, const char *doing, const uint32_t *address, char **ret_answer, int64_t deadline_ns,
                      struct error *err, const char *format, ...)
{
	char *script = NULL, *answer = NULL;
	va_list arguments;
	va_start(arguments, format);
	int length = vasprintf(&script, format, arguments);
	va_end(arguments);
	if (length < 0)
		return out_of_memory(err);
	int r = run(probe, doing, script, address, &answer, deadline_ns, err);
	free(script);
	if (r == 0 && ret_answer)
		*ret_answer = answer;
	else
		free(answer);
	return r;
}

/* ---- connecting ---- */

/* Its port stands in its log, which wakes nobody: it is looked for every millisecond of the few that a start takes. */
static int wait_port(struct probe *probe, int64_t deadline_ns)
{
	struct openocd *openocd = probe->state;
	for (;;) {
		const bool alive = openocd_process_alive(openocd->process);
		if (openocd_process_port(openocd->process))
			return 0;
		if (!alive)
			return -EPIPE;
		const int64_t now_ns = loop_now_ns();
		if (now_ns >= deadline_ns)
			return -ETIMEDOUT;
		if (loop_until(probe->board->rig->loop, ended, openocd->process, now_ns + START_STEP_NS) == -ECANCELED)
			return -ECANCELED;
	}
}

static int start(struct probe *probe, int64_t deadline_ns, struct error *err)
{
	struct openocd *openocd = probe->state;
	struct words words = {0};
	int r = build_words(&words, probe, NULL, "init", err);
	if (r == 0)
		r = openocd_process_start(&openocd->process, probe->board->rig->loop, words.items, openocd->log, err);
	words_free(&words);
	if (r < 0)
		return r;
	const uint64_t begin = openocd_process_begin(openocd->process);
	r = wait_port(probe, deadline_ns);
	return r < 0 ? broken(probe, r, begin, "start", err) : 0;
}

/* The server listens before the adapter is up: ready is who has examined the target. */
static int check_target(struct probe *probe, int64_t deadline_ns, struct error *err)
{
	struct openocd *openocd = probe->state;
	char *answer = NULL;
	int r = run_format(probe, "looking for the target", NULL, &answer, deadline_ns, err,
	                   "if {[lsearch -exact [target names] %s] < 0} {join [target names] {, }} else {targets %s; format =%%d [%s "
	                   "was_examined]}",
	                   openocd->target, openocd->target, openocd->target);
	if (r < 0)
		return r;
	const char *name = map_text(probe->map, "target");
	if (answer[0] != '=')
		r = error_set_place(err, ERROR_BENCH, ENOENT, value_get(probe->map, "target")->place,
		                    "the configuration has no target \"%s\", but: %s", name, answer);
	else if (strcmp(answer, "=1")) {
		char errors[600];
		openocd_process_errors(openocd->process, openocd_process_begin(openocd->process), errors, sizeof(errors));
		r = error_set(err, ERROR_BENCH, ENODEV,
		              "the target %s does not answer: is the adapter plugged in, and does the board have power? %s", name, errors);
	}
	free(answer);
	return r;
}

static int connect_parts(struct probe *probe, int64_t deadline_ns, struct error *err)
{
	struct openocd *openocd = probe->state;
	int r = start(probe, deadline_ns, err);
	if (r == 0)
		r = openocd_rpc_open(&openocd->rpc, probe->board->rig->loop, openocd->process, deadline_ns, err);
	if (r == 0)
		r = check_target(probe, deadline_ns, err);
	if (r == 0)
		r = run_format(probe, "rig_connected", NULL, NULL, deadline_ns, err,
		               "if {[info commands rig_connected] ne {}} rig_connected");
	return r;
}

static int openocd_connect(struct probe *probe, int64_t deadline_ns, struct error *err)
{
	end_process(probe->state, false);
	int r = connect_parts(probe, deadline_ns, err);
	if (r < 0)
		end_process(probe->state, false);
	return r;
}

static int openocd_identify(struct probe *probe, struct probe_identity *ret, int64_t deadline_ns, struct error *err)
{
	char *answer = NULL;
	int r = run_format(probe, "reading the IDCODE", NULL, &answer, deadline_ns, err,
	                   "if {[info commands rig_idcode] ne {}} {rig_idcode} elseif {[llength [jtag names]]} "
	                   "{jtag cget [lindex [jtag names] 0] -idcode} else {expr 0}");
	if (r < 0)
		return r;
	ret->idcode = (uint32_t)strtoul(answer, NULL, 0);
	free(answer);
	return 0;
}

/* ---- run control ---- */

static long ms_left(int64_t deadline_ns)
{
	int64_t left = (deadline_ns - loop_now_ns()) / 1000000;
	return left < 1 ? 1 : left > 3600000 ? 3600000 : (long)left;
}

static int openocd_halt(struct probe *probe, bool halted, int64_t deadline_ns, struct error *err)
{
	if (halted)
		return run_format(probe, "halt", NULL, NULL, deadline_ns, err,
		                  "if {[info commands rig_halt] ne {}} rig_halt else {halt %ld}", ms_left(deadline_ns));
	return run_format(probe, "resume", NULL, NULL, deadline_ns, err, "if {[info commands rig_resume] ne {}} rig_resume else resume");
}

static int openocd_halted(struct probe *probe, bool *ret, int64_t deadline_ns, struct error *err)
{
	const struct openocd *openocd = probe->state;
	char *answer = NULL;
	int r = run_format(probe, "asking for the state", NULL, &answer, deadline_ns, err,
	                   "if {[info commands rig_halted] ne {}} rig_halted else {%s arp_poll; expr {[%s curstate] eq {halted}}}",
	                   openocd->target, openocd->target);
	if (r == 0)
		*ret = !strcmp(answer, "1");
	free(answer);
	return r;
}

static int openocd_reset(struct probe *probe, enum probe_reset kind, int64_t deadline_ns, struct error *err)
{
	static const char *const names[] = {"system", "application", "halt"};
	static const char *const generic[] = {
	        "reset run", "error {this configuration knows no application reset: it has no procedure rig_reset}", "reset halt"};
	return run_format(probe, "reset", NULL, NULL, deadline_ns, err, "if {[info commands rig_reset] ne {}} {rig_reset %s} else {%s}",
	                  names[kind], generic[kind]);
}

/* ---- memory ---- */

static int parse_elements(const char *answer, unsigned width, uint8_t *to, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *end;
		unsigned long long value = strtoull(answer, &end, 16);
		if (end == answer)
			return -EPROTO;
		for (unsigned k = 0; k < width; k++)
			to[i * width + k] = (uint8_t)(value >> 8 * k);
		answer = end;
	}
	return 0;
}

/* OpenOCD refuses what its target or its access port cannot do in one access, before anything has gone to the board. */
static int explain_wide(const struct probe *probe, unsigned width, uint64_t mark, int r, struct error *err)
{
	static const char *const gone_out[] = {"STICKY ERROR", "Failed to read memory at", "Failed to write memory at", NULL};
	struct openocd *openocd = probe->state;
	if (width != 8 || (r != -EREMOTEIO && r != -EFAULT) || log_has(openocd, mark, gone_out))
		return r;
	char said[160];
	(void)snprintf(said, sizeof(said), "%.159s", err ? err->message : "");
	return error_set(
	        err, ERROR_BENCH, EOPNOTSUPP,
	        "%s; it seems that OpenOCD's target %s does no accesses of 64 bits (an ARM MEM-AP only with the large data extension, "
	        "which OpenOCD 0.12 does not know); two of 32 bits would not be the same to a device's register: for memory, say "
	        "`width: 4`",
	        said, map_text(probe->map, "target"));
}

static int openocd_read(struct probe *probe, uint32_t address, unsigned width, void *buffer, size_t length, int64_t deadline_ns,
                        struct error *err)
{
	const struct openocd *openocd = probe->state;
	const uint64_t mark = openocd_process_mark(openocd->process);
	int r = 0;
	for (size_t done = 0; r == 0 && done < length;) {
		const size_t left = (length - done) / width, count = left < ELEMENTS ? left : ELEMENTS;
		const uint32_t at = address + (uint32_t)done;
		char *answer = NULL;
		r = run_format(probe, "read", &at, &answer, deadline_ns, err, "%s read_memory 0x%" PRIx32 " %u %zu", openocd->target, at,
		               8 * width, count);
		if (r == 0 && parse_elements(answer, width, (uint8_t *)buffer + done, count) < 0)
			r = error_set(err, ERROR_BENCH, EPROTO, "OpenOCD answers a read with \"%.60s\"", answer);
		free(answer);
		done += count * width;
	}
	return explain_wide(probe, width, mark, r, err);
}

static int append_elements(struct bytes *script, unsigned width, const uint8_t *from, size_t count)
{
	char text[24];
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		uint64_t value = 0;
		for (unsigned k = width; k-- > 0;)
			value = value << 8 | from[i * width + k];
		r = bytes_append(script, text, (size_t)snprintf(text, sizeof(text), " 0x%" PRIx64, value));
	}
	return r;
}

/* Runs "HEAD {elements}". */
static int run_elements(struct probe *probe, const char *doing, uint32_t at, const char *head, unsigned width, const uint8_t *from,
                        size_t count, int64_t deadline_ns, struct error *err)
{
	struct bytes script = {0};
	char *answer = NULL;
	int r = bytes_append(&script, head, strlen(head));
	if (r == 0)
		r = append_elements(&script, width, from, count);
	if (r == 0)
		r = bytes_append(&script, "}", 2);
	r = r < 0 ? out_of_memory(err) : run(probe, doing, (const char *)script.data, &at, &answer, deadline_ns, err);
	bytes_free(&script);
	free(answer);
	return r;
}

static int openocd_write(struct probe *probe, uint32_t address, unsigned width, const void *data, size_t length, int64_t deadline_ns,
                         struct error *err)
{
	const struct openocd *openocd = probe->state;
	const uint64_t mark = openocd_process_mark(openocd->process);
	int r = 0;
	for (size_t done = 0; r == 0 && done < length;) {
		const size_t left = (length - done) / width, count = left < ELEMENTS ? left : ELEMENTS;
		const uint32_t at = address + (uint32_t)done;
		char *head = NULL;
		if (asprintf(&head, "%s write_memory 0x%" PRIx32 " %u {", openocd->target, at, 8 * width) < 0)
			return out_of_memory(err);
		r = run_elements(probe, "write", at, head, width, (const uint8_t *)data + done, count, deadline_ns, err);
		free(head);
		done += count * width;
	}
	return explain_wide(probe, width, mark, r, err);
}

/* ---- files ---- */

/* "COMMAND PATH ADDRESS TAIL" with the path as one word. */
static int run_file(struct probe *probe, const char *command, const char *path, uint32_t address, const char *tail, int64_t deadline_ns,
                    struct error *err)
{
	char *absolute = probe_file_absolute(path), *word = absolute ? openocd_quoted(absolute) : NULL;
	int r = word ? run_format(probe, command, &address, NULL, deadline_ns, err, "%s %s 0x%" PRIx32 " %s", command, word, address, tail)
	             : out_of_memory(err);
	free(absolute);
	free(word);
	return r;
}

static int openocd_load(struct probe *probe, uint32_t address, const char *path, int64_t deadline_ns, struct error *err)
{
	return run_file(probe, "load_image", path, address, "bin", deadline_ns, err);
}

static int openocd_dump(struct probe *probe, uint32_t address, size_t length, const char *path, int64_t deadline_ns, struct error *err)
{
	char text[24];
	snprintf(text, sizeof(text), "%zu", length);
	return run_file(probe, "dump_image", path, address, text, deadline_ns, err);
}

static int has_flash_procedures(struct probe *probe, bool *ret, int64_t deadline_ns, struct error *err)
{
	char *answer = NULL;
	int r = run_format(probe, "looking for procedures", NULL, &answer, deadline_ns, err,
	                   "expr {[info commands rig_flash_erase] ne {} && [info commands rig_flash_write] ne {}}");
	if (r == 0)
		*ret = !strcmp(answer, "1");
	free(answer);
	return r;
}

static int erase(struct probe *probe, uint32_t address, size_t length, int64_t deadline_ns, struct error *err)
{
	int r = 0;
	for (size_t done = 0; r == 0 && done < length; done += ERASE_STEP) {
		const uint32_t at = address + (uint32_t)done;
		const size_t part = length - done < ERASE_STEP ? length - done : ERASE_STEP;
		r = run_format(probe, "erase", &at, NULL, deadline_ns, err, "rig_flash_erase 0x%" PRIx32 " %zu", at, part);
	}
	return r;
}

static int write_bursts(struct probe *probe, uint32_t address, FILE *file, const char *path, int64_t deadline_ns, struct error *err)
{
	uint8_t burst[BURST];
	char head[64];
	size_t n;
	int r = 0;
	while (r == 0 && (n = fread(burst, 1, sizeof(burst), file)) > 0) {
		memset(burst + n, 0, sizeof(burst) - n); /* the erased state */
		snprintf(head, sizeof(head), "rig_flash_write 0x%" PRIx32 " {", address);
		r = run_elements(probe, "program", address, head, 4, burst, (n + 3) / 4, deadline_ns, err);
		address += (uint32_t)n;
	}
	if (r == 0 && ferror(file))
		return error_set(err, ERROR_BENCH, EIO, "cannot read %s", path);
	return r;
}

static int openocd_program(struct probe *probe, uint32_t address, const char *path, int64_t deadline_ns, struct error *err)
{
	size_t length;
	bool own = false;
	int r = has_flash_procedures(probe, &own, deadline_ns, err);
	if (r < 0)
		return r;
	if (!own)
		return run_file(probe, "flash write_image erase", path, address, "bin", deadline_ns, err);
	r = probe_file_length(path, address, &length, err);
	if (r == 0)
		r = erase(probe, address, length, deadline_ns, err);
	FILE *file = r == 0 ? fopen(path, "re") : NULL;
	if (r == 0 && !file)
		return error_set(err, ERROR_TESTCASE, errno, "cannot read %s: %s", path, strerror(errno));
	if (r == 0)
		r = write_bursts(probe, address, file, path, deadline_ns, err);
	if (file)
		fclose(file);
	return r;
}

/* ---- people ---- */

static int openocd_command(struct probe *probe, const char *command, char **ret_answer, int64_t deadline_ns, struct error *err)
{
	char *word = openocd_quoted(command);
	int r = word ? run_format(probe, "a command", NULL, ret_answer, deadline_ns, err, "capture %s", word) : out_of_memory(err);
	free(word);
	return r;
}

const struct probe_driver probe_driver_openocd = {
        .name = "openocd",
        .check = openocd_check,
        .check_files = openocd_check_files,
        .open = openocd_open,
        .close = openocd_close,
        .connected = openocd_connected,
        .disconnect = openocd_disconnect,
        .connect = openocd_connect,
        .identify = openocd_identify,
        .halt = openocd_halt,
        .halted = openocd_halted,
        .reset = openocd_reset,
        .read = openocd_read,
        .write = openocd_write,
        .load = openocd_load,
        .dump = openocd_dump,
        .program = openocd_program,
        .command = openocd_command,
        .process = openocd_process_of,
};
