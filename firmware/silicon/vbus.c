/* SPDX-License-Identifier: Apache-2.0 */
/* The virtual bus's program: options and the loop, in which the model's time follows CLOCK_MONOTONIC. */
#include "vbus.h"

#include "instant.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOAD_INTERVAL_NS UINT64_C(1000000000)

static const char usage[] = "usage: vbus --name NAME --listen PATH --nominal BIT/S [options]\n"
                            "The copper of one CAN (FD) bus; nodes are connections to the socket PATH (docs/reference/virtual-bus.md).\n"
                            "  --data BIT/S                            data bit rate; without: a classic bus\n"
                            "  --control-fd N                          control channel (JSON lines); its end is ours\n"
                            "  --cannelloni-udp LOCAL:PORT,REMOTE:PORT\n"
                            "  --cannelloni-tcp LOCAL:PORT\n"
                            "  --multicast GROUP:PORT[,INTERFACE]      python-can's udp_multicast (default interface: lo)\n"
                            "  --help\n";

static struct vbus vbus = {.listener = -1, .tcp_listener = -1, .load_at_ns = CANBUS_NEVER, .control = {.fd = -1}};
static const char *gateways[8][2]; /* option, value */
static size_t gateway_count;
static volatile sig_atomic_t ended;

static _Noreturn void fail(const char *what, const char *which)
{
	fprintf(stderr, "vbus: %s: %s\n", which, what);
	exit(2);
}

/* ---- options ------------------------------------------------------------------------------------------------- */

static uint32_t number(const char *option, const char *value)
{
	char *end;
	errno = 0;
	unsigned long long n = strtoull(value, &end, 10);
	if (errno || *end || *value < '0' || *value > '9' || n > UINT32_MAX)
		fail("a number is expected", option);
	return (uint32_t)n;
}

static void set_control(const char *value)
{
	int type;
	socklen_t length = sizeof type;
	const uint32_t fd = number("--control-fd", value);
	if (fd < 3 || fd > 65535 || getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_STREAM)
		fail("the control channel has to be a stream socket", value);
	fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	vbus.control.fd = (int)fd;
}

static void take_option(const char *option, const char *value)
{
	if (strcmp(option, "--name") == 0)
		vbus.name = value;
	else if (strcmp(option, "--listen") == 0)
		vbus.path = value;
	else if (strcmp(option, "--nominal") == 0)
		vbus.nominal = number(option, value);
	else if (strcmp(option, "--data") == 0)
		vbus.data = number(option, value);
	else if (strcmp(option, "--control-fd") == 0)
		set_control(value);
	else if (strcmp(option, "--cannelloni-udp") != 0 && strcmp(option, "--cannelloni-tcp") != 0 && strcmp(option, "--multicast") != 0)
		fail("unknown option (--help tells the known ones)", option);
	else if (gateway_count == sizeof gateways / sizeof *gateways)
		fail("too many gateways", option);
	else {
		gateways[gateway_count][0] = option;
		gateways[gateway_count++][1] = value;
	}
}

static void read_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		if (strcmp(argv[i], "--help") == 0) {
			fputs(usage, stdout);
			exit(0);
		}
		if (i + 1 == argc)
			fail("a value is missing (--help tells more)", argv[i]);
		take_option(argv[i], argv[i + 1]);
	}
	if (!vbus.name || !*vbus.name)
		fail("is needed (--help tells more)", "--name");
	if (!vbus.path)
		fail("is needed (--help tells more)", "--listen");
}

static void open_gateways(void)
{
	char error[256];
	for (size_t i = 0; i < gateway_count; i++) {
		const char *option = gateways[i][0], *value = gateways[i][1];
		int r;
		if (strcmp(option, "--cannelloni-udp") == 0)
			r = vbus_gateway_udp(&vbus, value, error, sizeof error);
		else if (strcmp(option, "--cannelloni-tcp") == 0)
			r = vbus_gateway_tcp(&vbus, value, error, sizeof error);
		else
			r = vbus_gateway_multicast(&vbus, value, error, sizeof error);
		if (r < 0)
			fail(error, value);
	}
}

/* ---- events and load ----------------------------------------------------------------------------------------- */

static void on_event(void *context, const struct canbus_event *event)
{
	if (vbus.gateway_of[event->node])
		vbus_gateway_event(&vbus, vbus.gateway_of[event->node], event);
	vbus_nodes_event(&vbus, event);
}

static void report_load(void)
{
	struct canbus_counts counts;
	while (vbus.load_at_ns <= vbus.now_ns)
		vbus.load_at_ns += LOAD_INTERVAL_NS;
	canbus_counts(vbus.bus, vbus.now_ns, &counts);
	const uint64_t elapsed_ns = vbus.now_ns - vbus.load_from_ns;
	const uint64_t permille = elapsed_ns ? (counts.busy_ns - vbus.load_busy_ns) * 1000 / elapsed_ns : 0;
	vbus.load_permille = (uint16_t)(permille > 1000 ? 1000 : permille);
	vbus.load_from_ns = vbus.now_ns;
	vbus.load_busy_ns = counts.busy_ns;
	vbus_nodes_load(&vbus, vbus.now_ns, &counts);
}

/* ---- the loop ------------------------------------------------------------------------------------------------ */

struct poll_set {
	struct pollfd fds[VBUS_MAX_POLL];
	void (*serve[VBUS_MAX_POLL])(void *what, short events);
	void *what[VBUS_MAX_POLL];
	nfds_t count;
};

static void serve_control(void *what, short events)
{
	control_flush(&vbus.control);
	control_receive(&vbus.control, vbus_request, &vbus);
}
static void serve_listener(void *what, short events)
{
	vbus_accept(&vbus);
}
static void serve_tcp(void *what, short events)
{
	vbus_gateway_accept(&vbus);
}
static void serve_client(void *what, short events)
{
	vbus_client_serve(&vbus, what, events);
}
static void serve_gateway(void *what, short events)
{
	vbus_gateway_serve(&vbus, what, events);
}

static void add(struct poll_set *set, int fd, short events, void (*serve)(void *, short), void *what)
{
	if (fd < 0)
		return;
	set->fds[set->count] = (struct pollfd){.fd = fd, .events = events};
	set->serve[set->count] = serve;
	set->what[set->count++] = what;
}

static void fill(struct poll_set *set)
{
	const short control = (short)((control_has_room(&vbus.control) ? POLLIN : 0) | (control_has_output(&vbus.control) ? POLLOUT : 0));
	set->count = 0;
	add(set, vbus.control.fd, control, serve_control, NULL);
	add(set, vbus.listener, POLLIN, serve_listener, NULL);
	add(set, vbus.tcp_listener, POLLIN, serve_tcp, NULL);
	for (size_t i = 0; i < CANBUS_MAX_NODES; i++) {
		if (vbus.clients[i].used)
			add(set, vbus.clients[i].fd, vbus_client_events(&vbus.clients[i]), serve_client, &vbus.clients[i]);
	}
	for (size_t i = 0; i < VBUS_MAX_GATEWAYS; i++) {
		if (vbus.gateways[i].used && !vbus.gateways[i].closing)
			add(set, vbus.gateways[i].fd, vbus_gateway_events(&vbus.gateways[i]), serve_gateway, &vbus.gateways[i]);
	}
}

static int sleep_until(struct poll_set *set, uint64_t wake_ns)
{
	struct timespec timeout = {0};
	const uint64_t now_ns = instant_ns();
	if (wake_ns > now_ns) {
		timeout.tv_sec = (time_t)((wake_ns - now_ns) / 1000000000u);
		timeout.tv_nsec = (long)((wake_ns - now_ns) % 1000000000u);
	}
	return ppoll(set->fds, set->count, wake_ns == CANBUS_NEVER ? NULL : &timeout, NULL);
}

/* What comes in one turn came at the same time; it begins behind everything the bus has done before. */
static void turn(void)
{
	struct poll_set set;
	uint64_t wake_ns = canbus_next_ns(vbus.bus);
	fill(&set);
	if (sleep_until(&set, wake_ns < vbus.load_at_ns ? wake_ns : vbus.load_at_ns) < 0 && errno != EINTR)
		fail(strerror(errno), "poll");
	vbus.now_ns = instant_ns();
	for (nfds_t i = 0; i < set.count; i++) {
		if (set.fds[i].revents)
			set.serve[i](set.what[i], set.fds[i].revents);
	}
	canbus_advance(vbus.bus, vbus.now_ns);
	for (size_t i = 0; i < CANBUS_MAX_NODES; i++) {
		if (vbus.clients[i].used && vbus.clients[i].closing)
			vbus_client_close(&vbus, &vbus.clients[i]);
	}
	vbus_gateways_tend(&vbus);
	if (vbus.now_ns >= vbus.load_at_ns)
		report_load();
}

static void on_signal(int number)
{
	ended = 1;
}

static void open_bus(void)
{
	char error[256];
	const struct canbus_config config = {.nominal = vbus.nominal, .data = vbus.data, .sink = on_event};
	vbus.now_ns = instant_ns();
	vbus.bus = canbus_new(&config);
	if (!vbus.bus)
		fail("bit rates go from 1000 to 20000000", "--nominal, --data");
	canbus_advance(vbus.bus, vbus.now_ns);
	open_gateways();
	vbus.listener = vbus_listen(vbus.path, error, sizeof error);
	if (vbus.listener < 0)
		fail(error, vbus.path);
	vbus.load_from_ns = vbus.now_ns;
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	if (vbus.control.fd >= 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGINT, SIG_IGN); /* a terminal's Ctrl-C is for the runner, which still needs the bus to end well */
	} else {
		signal(SIGINT, on_signal);
	}
	prctl(PR_SET_TIMERSLACK, 1UL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, on_signal);
	open_bus();
	while (!vbus.control.closed && !ended)
		turn();
	unlink(vbus.path);
	for (size_t i = 0; i < CANBUS_MAX_NODES; i++) {
		if (vbus.clients[i].used)
			vbus_client_close(&vbus, &vbus.clients[i]);
	}
	for (size_t i = 0; i < VBUS_MAX_GATEWAYS; i++) {
		vbus.gateways[i].closing = true;
		vbus.gateways[i].end_by_ns = 1; /* at once */
	}
	vbus_gateways_tend(&vbus);
	canbus_free(vbus.bus);
	return 0;
}
