/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of this machine and of the boards, taps, capture devices, CAN buses. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../base/paths.h"
#include "../link/address.h"
#include "check_private.h"
#include "rack.h"

/* ---- shared ---- */

bool check_own_address(const char *text, char *ret_interface, size_t size)
{
	struct ifaddrs *all = NULL;
	struct in_addr wanted;
	bool found = false;
	if (inet_pton(AF_INET, text, &wanted) != 1 || getifaddrs(&all) < 0)
		return false;
	/* All of 127.0.0.0/8 is this machine's. */
	bool loopback = ntohl(wanted.s_addr) >> 24 == 127;
	for (const struct ifaddrs *at = all; at && !found; at = at->ifa_next) {
		if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET)
			continue;
		found = loopback ? (at->ifa_flags & IFF_LOOPBACK) != 0
		                 : ((const struct sockaddr_in *)(const void *)at->ifa_addr)->sin_addr.s_addr == wanted.s_addr;
		if (found)
			(void)snprintf(ret_interface, size, "%s", at->ifa_name);
	}
	freeifaddrs(all);
	return found;
}

static int path_address(const char *text, struct sockaddr_un *ret)
{
	if (strlen(text) >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)memcpy(ret->sun_path, text, strlen(text) + 1);
	return 0;
}

static int wait_connected(int fd, int64_t deadline_ns)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
	int code = 0;
	socklen_t length = sizeof(code);
	int64_t left_ns = deadline_ns - loop_now_ns();
	if (left_ns <= 0 || poll(&poll_fd, 1, (int)(left_ns / 1000000) + 1) <= 0)
		return -ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) < 0 ? -errno : -code;
}

int check_connect(const char *text, int64_t deadline_ns)
{
	struct sockaddr_un local;
	struct address address;
	const struct sockaddr *to = (const struct sockaddr *)&local;
	socklen_t length = sizeof(local);
	if (text[0] == '/' || text[0] == '.') {
		int r = path_address(text, &local);
		if (r < 0)
			return r;
	} else if (address_parse(text, &address, NULL) < 0) {
		return -EINVAL;
	} else {
		to = &address.any;
		length = address.length;
	}
	int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int r = connect(fd, to, length) == 0 ? 0 : errno == EINPROGRESS ? wait_connected(fd, deadline_ns) : -errno;
	(void)close(fd);
	return r;
}

/* A line of /proc/net/tcp: "  0: 0100007F:0CEA 00000000:0000 0A …", address in the machine's byte order, state 0A listening. */
static bool line_listens(const char *line, uint32_t address, unsigned port)
{
	unsigned long here, there;
	unsigned here_port, there_port, state;
	if (sscanf(line, " %*d: %8lX:%4X %8lX:%4X %2X", &here, &here_port, &there, &there_port, &state) != 5)
		return false;
	return state == 0x0A && here_port == port && (here == address || here == 0);
}

static bool file_has(const char *path, bool (*match)(const char *line, const void *context), const void *context)
{
	char line[600];
	bool found = false;
	FILE *file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = match(line, context);
	if (file)
		(void)fclose(file);
	return found;
}

static bool tcp_line(const char *line, const void *context)
{
	const struct sockaddr_in *wanted = context;
	return line_listens(line, wanted->sin_addr.s_addr, ntohs(wanted->sin_port));
}

/* "0000…: 00000002 00000000 00010000 0001 01 12345 /path": the flag 10000 is __SO_ACCEPTCON. */
static bool unix_line(const char *line, const void *context)
{
	unsigned flags;
	const char *path = strrchr(line, ' ');
	size_t length = strlen(context);
	return sscanf(line, "%*s %*s %*s %8X", &flags) == 1 && (flags & 0x10000) && path && !strncmp(path + 1, context, length) &&
	       path[1 + length] == '\n';
}

int check_listens(const char *text)
{
	struct address address;
	char host[INET_ADDRSTRLEN], interface[IF_NAMESIZE];
	if (text[0] == '/' || text[0] == '.')
		return file_has("/proc/net/unix", unix_line, text);
	if (address_parse(text, &address, NULL) < 0 || address.any.sa_family != AF_INET ||
	    !inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof(host)) || !check_own_address(host, interface, sizeof(interface)))
		return -ENOENT;
	return file_has("/proc/net/tcp", tcp_line, &address.v4);
}

static bool in_namespaces(const struct rig_file *file)
{
	const char *network = map_text(rig_file_root(file), "network");
	return network && !strcmp(network, "netns");
}

/* ---- address: of this machine as the tester ---- */

static void list_addresses(struct check_list *list, const struct check_kind *kind)
{
	const struct value *tester = value_get(rig_file_root(list->file), "tester");
	struct check_item *item = check_add(list, kind, "tester", tester);
	if (item)
		(void)snprintf(item->name, sizeof(item->name), "%s", map_text(tester, "address"));
}

static void look_at_address(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	char interface[IF_NAMESIZE];
	char *address = rack_expand(item->name, 1);
	if (in_namespaces(context->file))
		check_problem(finding, RIG_CHECK_NOT_ASKED, "a run makes the network that it lies in");
	else if (address && check_own_address(address, interface, sizeof(interface)))
		check_found(finding, "on %s", interface);
	else {
		check_problem(finding, RIG_CHECK_BAD, "no network interface of this machine has the address %s", item->name);
		check_remedy(finding,
		             "is the network cable to the rack in? `ip address add %s/24 dev INTERFACE`, or correct `tester.address`",
		             item->name);
	}
	free(address);
}

const struct check_kind check_kind_address = {.name = "address", .list = list_addresses, .look = look_at_address};

/* ---- endpoint: of a board ---- */

static void add_endpoints(struct check_list *list, const struct check_kind *kind, const struct value_entry *role)
{
	static const char *const keys[] = {"plain", "tls"};
	for (unsigned i = 0; i < 2; i++) {
		const char *text = map_text(role->value, keys[i]);
		struct check_item *item = text ? check_add(list, kind, role->key, role->value) : NULL;
		if (!item)
			continue;
		item->role = role->value;
		(void)snprintf(item->name, sizeof(item->name), "%s %s", keys[i], text);
		(void)snprintf(item->group, sizeof(item->group), "%s of %.60s", keys[i], role->key);
	}
}

static void list_endpoints(struct check_list *list, const struct check_kind *kind)
{
	check_each(list, kind, "roles", add_endpoints);
}

static void look_at_endpoint(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	const char *address = strchr(item->name, ' ') + 1;
	if (!board_driver_find(map_text(item->role, "driver"))->external) {
		check_problem(finding, RIG_CHECK_NOT_ASKED, "not powered");
		return;
	}
	int r = check_connect(address, check_deadline_ns(context));
	if (r == 0) {
		check_found(finding, "takes connections");
		return;
	}
	check_problem(finding, RIG_CHECK_WARNING, "%s: %s", address, strerror(-r)); /* judge_endpoints() knows of the power */
	if (r == -ECONNREFUSED)
		check_remedy(finding,
		             "a machine answers there, its DoIP server does not: has it booted? Correct `%.*s` of the role otherwise",
		             (int)strcspn(item->name, " "), item->name);
	else
		check_remedy(finding, "is the board's network cable in, does it have power, and is its address in this machine's network?");
}

const struct check_kind check_kind_endpoint = {.name = "endpoint", .instrument = true, .list = list_endpoints, .look = look_at_endpoint};

/* ---- link: where the tap listens ---- */

static void add_link(struct check_list *list, const struct check_kind *kind, const struct value_entry *link)
{
	struct check_item *item = check_add(list, kind, link->key, link->value);
	const char *listen = map_text(link->value, "listen");
	if (item)
		(void)snprintf(item->name, sizeof(item->name), "%s %s", map_text(link->value, "driver"), listen ? listen : "");
}

static void list_links(struct check_list *list, const struct check_kind *kind)
{
	check_each(list, kind, "links", add_link);
}

static void look_at_link(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	const char *listen = map_text(item->map, "listen");
	char *text = listen ? rack_expand(listen, 1) : NULL, interface[IF_NAMESIZE];
	size_t host = text ? strcspn(text, ":") : 0;
	if (in_namespaces(context->file) || !text) {
		check_problem(finding, RIG_CHECK_NOT_ASKED, "a run makes the network that it lies in");
		free(text);
		return;
	}
	int listens = rig_file_is_virtual(context->file) ? 0 : check_listens(text);
	text[host] = '\0';
	if (!check_own_address(text, interface, sizeof(interface))) {
		check_problem(finding, RIG_CHECK_BAD, "its tap cannot listen: no network interface of this machine has the address %s",
		              text);
		check_remedy(finding, "give the address to the interface of the rack's network, or correct `listen` of the link");
	} else if (listens == 1) {
		check_problem(finding, RIG_CHECK_BAD, "another program of this machine listens at %s already", listen);
		check_remedy(finding, "end it (`ss -ltnp` tells which it is), or correct `listen` of the link");
	} else {
		check_found(finding, "can listen on %s", interface);
	}
	free(text);
}

const struct check_kind check_kind_link = {.name = "link", .list = list_links, .look = look_at_link};

/* ---- capture ---- */

static void list_captures(struct check_list *list, const struct check_kind *kind)
{
	const struct value *capture = value_get(rig_file_root(list->file), "capture"),
	                   *devices = capture ? value_get(capture, "devices") : NULL;
	for (unsigned i = 0; devices && i < devices->list.count; i++) {
		struct check_item *item = check_add(list, kind, "rig", capture);
		if (item)
			(void)snprintf(item->name, sizeof(item->name), "%s", devices->list.items[i]->text);
	}
}

static void look_at_capture(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	(void)context;
	if (!if_nametoindex(item->name)) {
		check_problem(finding, RIG_CHECK_WARNING, "there is no network device %s: it is not captured", item->name);
		check_remedy(finding, "correct `capture.devices`");
		return;
	}
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		check_problem(finding, RIG_CHECK_WARNING, "%s cannot be captured: %s; the taps of the links still are", item->name,
		              strerror(errno));
		check_remedy(finding, "run with the capability CAP_NET_RAW if the kernel's own view is needed");
		return;
	}
	(void)close(fd);
	check_found(finding, "can be captured");
}

const struct check_kind check_kind_capture = {.name = "capture", .list = list_captures, .look = look_at_capture};

/* ---- bus ---- */

static void add_bus(struct check_list *list, const struct check_kind *kind, const struct value_entry *bus)
{
	struct check_item *item = check_add(list, kind, bus->key, bus->value);
	const char *where = map_text(bus->value, "interface") ? map_text(bus->value, "interface") : map_text(bus->value, "address");
	if (!item)
		return;
	(void)snprintf(item->name, sizeof(item->name), "%s %s", map_text(bus->value, "driver"), where ? where : "");
	(void)snprintf(item->group, sizeof(item->group), "bus %.60s", bus->key);
}

static void list_buses(struct check_list *list, const struct check_kind *kind)
{
	check_each(list, kind, "buses", add_bus);
}

static void look_at_tunnel(struct check_context *context, const struct value *map, struct check_finding *finding)
{
	const char *driver = map_text(map, "driver"), *address = map_text(map, "address");
	char remote[96];
	if (strcmp(driver, "cannelloni-tcp") || !address || address[strlen(address) - 1] == ',') {
		check_problem(finding, RIG_CHECK_NOT_ASKED, "whether somebody is at the other end shows when frames come");
		return;
	}
	(void)snprintf(remote, sizeof(remote), "%s", strchr(address, ',') ? strchr(address, ',') + 1 : address);
	int r = check_connect(remote, check_deadline_ns(context));
	if (r == 0) {
		check_found(finding, "takes connections");
		return;
	}
	check_problem(finding, RIG_CHECK_BAD, "CAN gateway %s: %s", remote, strerror(-r));
	check_remedy(finding, "is the gateway switched on, its network cable in, and `address` of the bus its address?");
}

static void look_at_bus(struct check_context *context, const struct check_item *item, struct check_finding *finding)
{
	const char *driver = map_text(item->map, "driver"), *interface = map_text(item->map, "interface");
	char path[512];
	struct error error = {0};
	if (!strcmp(driver, "socketcan") && interface)
		check_can_interface(item->map, interface, finding);
	else if (strcmp(driver, "vbus"))
		look_at_tunnel(context, item->map, finding);
	else if (program_find("vbus", path, sizeof(path), &error) == 0)
		check_found(finding, "modelled by %.200s", path);
	else {
		check_problem(finding, RIG_CHECK_BAD, "%s", error.message);
		check_remedy(finding, "install or build the bench completely: its program vbus is missing");
	}
}

const struct check_kind check_kind_bus = {.name = "bus", .instrument = true, .list = list_buses, .look = look_at_bus};
