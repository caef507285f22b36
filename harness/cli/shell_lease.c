/* SPDX-License-Identifier: Apache-2.0 */
#include "shell_lease.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon_command.h"
#include "shell.h"

#define COMMAND "shell"

int shell_lease_begin(struct shell_lease *ret, const struct daemon_where *where, const char *rig)
{
	struct error error = {0};
	*ret = (struct shell_lease){.lease = {.control = -1, .lost = -1}};
	const struct lease_request request = {.rig = rig, .note = "hilbench shell", .heartbeat = true};
	int r = daemon_client_new(&ret->client, where, &error);
	if (r == 0)
		r = lease_take(ret->client, &request, &ret->lease, &error);
	if (r == 0)
		r = lease_keep(ret->client, &ret->lease, &error);
	if (r == 0 && access(ret->lease.file, R_OK) < 0)
		r = error_set(&error, ERROR_USAGE, ENOENT, "%s is used where it stands: its rig file %s is not on this machine", rig,
		              ret->lease.file);
	if (r < 0)
		return shell_lease_end(ret, daemon_fail(COMMAND, &error));
	(void)printf("%s is yours until %.19s UTC at most; its rig file is %s\n", rig, ret->lease.deadline, ret->lease.file);
	(void)fflush(stdout);
	return 0;
}

static int on_lost(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct shell_lease *lease = context;
	char why[900];
	if (!lease_hear(&lease->lease, why, sizeof(why))) {
		shell_say(lease->shell, "%s\n", why);
		return 0;
	}
	lease->lost = true;
	shell_say(lease->shell, "the lease of %s is lost: %s; the session ends\n", lease->lease.rig, why);
	shell_end(lease->shell);
	return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

int shell_lease_watch(struct shell_lease *lease, struct shell *shell, const char *directory, struct error *err)
{
	lease->shell = shell;
	int r = lease_show(&lease->lease, directory, err);
	if (r < 0)
		return r;
	r = sd_event_add_io(loop_event(shell->loop), &lease->source, lease->lease.lost, EPOLLIN, on_lost, lease);
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot watch the lease: %s", strerror(-r)) : 0;
}

void shell_lease_unwatch(struct shell_lease *lease)
{
	lease->source = sd_event_source_disable_unref(lease->source);
}

int shell_lease_end(struct shell_lease *lease, int status)
{
	struct error error = {0};
	int r = lease->lease.id ? lease_end(lease->client, &lease->lease, &error) : 0;
	if (r < 0 && !lease->lost) {
		int failure = daemon_fail(COMMAND, &error);
		status = status && r != -ESTALE ? status : failure;
	}
	daemon_client_free(lease->client);
	lease->client = NULL;
	return lease->lost ? EXIT_BENCH : status;
}
