/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where the program sleeps. */
#include "port_posix.h"

#include <poll.h>
#include <time.h>

#define POLL_COUNT (PORT_MAX_SOCKETS + PORT_POSIX_LINGER_COUNT + PORT_CAN_NODES + 3)

/* One sleep's descriptors; what is ready is told to `ready`, which says whether the caller has something to do. */
struct wait_set {
	struct pollfd fds[POLL_COUNT];
	bool (*ready[POLL_COUNT])(int index, short events);
	int index[POLL_COUNT];
	nfds_t count;
};

static bool console_unserved;
static uint64_t wake_us = UINT64_MAX;

void port_wake_at(uint64_t deadline_us)
{
	if (deadline_us < wake_us)
		wake_us = deadline_us;
}

void port_posix_console_served(bool ended)
{
	console_unserved = ended;
}

static bool socket_ready(int index, short events)
{
	struct port_posix_socket *s = port_posix_socket_get((port_socket)index);
	if (events & (POLLIN | POLLHUP | POLLERR))
		s->unserved = true;
	if (events & (POLLOUT | POLLHUP | POLLERR))
		s->want_write = false;
	return true;
}

/* port_posix_linger_poll() looks after these. */
static bool linger_ready(int index, short events)
{
	return false;
}

static bool console_ready(int index, short events)
{
	console_unserved = true;
	return (events & POLLIN) != 0;
}

static bool link_ready(int index, short events)
{
	return port_posix_link_update();
}

static bool flash_ready(int index, short events)
{
	return port_posix_flash_ready();
}

static void set_add(struct wait_set *set, int fd, short events, bool (*ready)(int, short), int index)
{
	set->fds[set->count] = (struct pollfd){.fd = fd, .events = events};
	set->ready[set->count] = ready;
	set->index[set->count++] = index;
}

static void set_fill(struct wait_set *set)
{
	set->count = 0;
	for (int i = 0; i < PORT_MAX_SOCKETS; i++) {
		const struct port_posix_socket *s = port_posix_socket_get((port_socket)i);
		if (!s)
			continue;
		short events = s->connecting ? POLLOUT : (short)((s->unserved ? 0 : POLLIN) | (s->want_write ? POLLOUT : 0));
		if (events)
			set_add(set, s->fd, events, socket_ready, i);
	}
	for (int i = 0; i < PORT_POSIX_LINGER_COUNT; i++) {
		if (port_posix_linger_fd(i) >= 0)
			set_add(set, port_posix_linger_fd(i), POLLIN, linger_ready, i);
	}
	for (int i = 0; i < (int)PORT_CAN_NODES; i++) {
		if (port_posix_can_fd(i) >= 0)
			set_add(set, port_posix_can_fd(i), POLLIN, port_posix_can_ready, i);
	}
	if (!console_unserved)
		set_add(set, PORT_FD_CONSOLE_IN, POLLIN, console_ready, 0);
	if (port_posix_flash_fd() >= 0)
		set_add(set, port_posix_flash_fd(), POLLIN, flash_ready, 0);
	if (port_posix_link_fd() >= 0)
		set_add(set, port_posix_link_fd(), POLLIN, link_ready, 0);
}

/* Sleeps once, for most_ns at most; true when there is a reason to return to the caller. */
static bool sleep_once(uint64_t most_ns)
{
	struct wait_set set;
	set_fill(&set);
	struct timespec timeout = {.tv_sec = (time_t)(most_ns / 1000000000u), .tv_nsec = (long)(most_ns % 1000000000u)};
	bool work = false;
	uint64_t asleep_ns = port_posix_now_ns();
	int ready = ppoll(set.fds, set.count, most_ns == UINT64_MAX ? NULL : &timeout, NULL);
	for (nfds_t i = 0; ready > 0 && i < set.count; i++) {
		if (set.fds[i].revents && set.ready[i](set.index[i], set.fds[i].revents))
			work = true;
	}
	port_posix_flash_slept(asleep_ns);
	return work;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void port_wait(uint64_t deadline_us)
{
	bool flash = port_posix_flash_waiting(); /* each forgets it when it is asked */
	bool woken = port_posix_can_waiting() || flash;
	for (;;) {
		uint64_t most_ns = smaller(port_posix_watchdog_kick(), port_posix_linger_poll());
		uint64_t now_us = port_time_us();
		uint64_t until_us = smaller(deadline_us, wake_us);
		if (now_us >= wake_us)
			wake_us = UINT64_MAX;
		if (woken || now_us >= until_us)
			return;
		/* Beyond a day a sleep need not be exact, and nothing overflows. */
		uint64_t left_ns = smaller(until_us - now_us, UINT64_C(86400000000)) * 1000;
		if (until_us != UINT64_MAX || most_ns != UINT64_MAX)
			most_ns = smaller(most_ns, left_ns);
		woken = sleep_once(most_ns);
	}
}
