/* SPDX-License-Identifier: Apache-2.0 */
/* How the boards and buses are, and saving what was typed. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/suggest.h"
#include "../rig/rig.h"
#include "shell.h"

static bool has_rig(struct shell *shell)
{
	if (session_rig(shell->session))
		return true;
	shell_say(shell, "there is no rack\n");
	return false;
}

static const char *board_state(const struct rig_board *board, char *buffer, size_t size)
{
	struct error error = {0};
	if (rig_board_check(board, &error) < 0)
		snprintf(buffer, size, "bench: %s", error.message);
	else if (rig_board_dead(board))
		snprintf(buffer, size, "its CPU ended by itself");
	else if (*rig_board_fault(board))
		snprintf(buffer, size, "%s", rig_board_fault(board));
	else
		snprintf(buffer, size, "%s", !rig_board_powered(board) ? "" : rig_board_ready(board) ? "ready" : "not ready");
	return buffer;
}

void shell_do_boards(struct shell *shell, const char *rest)
{
	char state[1200];
	struct rig *rig = session_rig(shell->session);
	for (unsigned i = 0; has_rig(shell) && i < rig_board_count(rig); i++) {
		const struct rig_board *board = rig_board_at(rig, i);
		shell_say(shell, "  %-10s %-4s %-12s %s\n", rig_board_role(board), rig_board_powered(board) ? "on" : "off",
		          rig_board_stage(board), board_state(board, state, sizeof(state)));
	}
}

void shell_do_power(struct shell *shell, const char *rest)
{
	struct rig *rig = session_rig(shell->session);
	size_t length = shell_word(&rest);
	const char *state = rest + length;
	size_t state_length = shell_word(&state);
	char step[256];
	if (length == 0) {
		for (unsigned i = 0; has_rig(shell) && i < rig_board_count(rig); i++)
			shell_say(shell, "  %-10s %s\n", rig_board_role(rig_board_at(rig, i)),
			          rig_board_powered(rig_board_at(rig, i)) ? "on" : "off");
		return;
	}
	bool on = state_length == 2 && !strncmp(state, "on", 2), off = state_length == 3 && !strncmp(state, "off", 3);
	static const char *const states[] = {"on", "off", NULL};
	char role[128], hint[160];
	struct suggestion suggestion = {.word = role};
	snprintf(role, sizeof(role), "%.*s", (int)length, rest);
	if (!shell_group_has(shell, "roles", role, &suggestion)) {
		shell_wrong(shell, rest, "the rig has no role \"%s\"%s", role, suggestion_text(&suggestion, hint, sizeof(hint)));
		return;
	}
	if (!on && !off && state_length > 0) {
		shell_wrong_word(shell, state, state_length, "state: power ROLE on, or power ROLE off", states);
		return;
	}
	if (!on && !off) {
		shell_wrong(shell, state, "power ROLE on, or power ROLE off");
		return;
	}
	/* The step does it, so that it stands in the journal and in what is saved. */
	snprintf(step, sizeof(step), "board.power_%s %.*s", on ? "on" : "off", (int)length, rest);
	shell_type(shell, step);
}

void shell_do_buses(struct shell *shell, const char *rest)
{
	struct rig *rig = session_rig(shell->session);
	for (unsigned i = 0; has_rig(shell) && i < rig_bus_count(rig); i++) {
		struct rig_bus *bus = rig_bus_at(rig, i);
		struct can_counters counters = {0};
		struct error error = {0};
		struct can *can = rig_bus_channel(bus);
		if (rig_bus_check(bus, &error) < 0 || !can) {
			shell_say(shell, "  %-10s gone: %s\n", rig_bus_name(bus), error.message);
			continue;
		}
		can_counters_read(can, &counters);
		shell_say(shell, "  %-10s %-13s tec %u rec %u received %" PRIu64 " sent %" PRIu64 " errors %" PRIu64 " lost %" PRIu64 "\n",
		          rig_bus_name(bus), can_state_name(counters.state), counters.tec, counters.rec, counters.received, counters.sent,
		          counters.errors, counters.lost);
	}
}

/* ---- save ---- */

/* What is written must be a file that `hilbench check` takes. */
static bool checks(struct shell *shell, const char *path, const char *text)
{
	struct program *program = NULL;
	struct error_list errors = {0};
	bool right = program_load_text(path, text, strlen(text), shell->registry, &program, &errors) == 0;
	for (unsigned i = 0; i < errors.count; i++)
		shell_print_error(shell, &errors.items[i]);
	if (right)
		program_free(program);
	error_list_free(&errors);
	return right;
}

static void write_file(struct shell *shell, const char *path, const char *text)
{
	size_t length = strlen(text);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0) {
		shell_wrong(shell, NULL, "cannot create %s: %s", path, strerror(errno));
		return;
	}
	ssize_t n = write(fd, text, length);
	int code = n < 0 ? errno : ENOSPC;
	if (close(fd) < 0 || n != (ssize_t)length) {
		unlink(path);
		shell_wrong(shell, NULL, "cannot write %s: %s", path, strerror(code));
		return;
	}
	shell_say(shell, "saved in %s\n", path);
	if (session_case(shell->session))
		shell_say(shell, "it has what was typed only: what the steps of %s had done before is not in it\n",
		          session_case(shell->session)->id);
}

/* "dir/brake-test.yaml": brake-test. */
static void id_of_path(const char *path, char *id, size_t size)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path, *dot = strrchr(name, '.');
	snprintf(id, size, "%.*s", dot && dot > name ? (int)(dot - name) : (int)strlen(name), name);
}

void shell_do_save(struct shell *shell, const char *rest)
{
	char path[1024] = "", id[256] = "", *text = NULL;
	struct error error = {0};
	bool all = false;
	size_t length;
	for (; (length = shell_word(&rest)) > 0; rest += length) {
		if (*path && length == 3 && !strncmp(rest, "all", 3)) {
			all = true;
		} else if ((*path && *id) || length >= sizeof(id)) {
			static const char *const words[] = {"all", NULL};
			shell_wrong_word(shell, rest, length, "word of save FILE [ID] [all]", words);
			return;
		} else {
			snprintf(*path ? id : path, *path ? sizeof(id) : sizeof(path), "%.*s", (int)length, rest);
		}
	}
	if (!*path) {
		shell_wrong(shell, NULL, "save into which file?");
		return;
	}
	if (!*id)
		id_of_path(path, id, sizeof(id));
	if (shell_log_write(&shell->log, id, all, &text, &error) < 0)
		shell_wrong(shell, NULL, "%s", error.message);
	else if (!checks(shell, path, text))
		shell_wrong(shell, NULL, "nothing is written: it would be no valid case");
	else
		write_file(shell, path, text);
	free(text);
}
