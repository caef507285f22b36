/* SPDX-License-Identifier: Apache-2.0 */
#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtnetlink.h"

struct node {
	const char *role; /* borrowed from the rig file */
	int netns;
	char path[64];
};

struct network {
	const struct value *root;
	int own; /* the bench's namespace */
	struct node *nodes;
	unsigned node_count;
	char devices[32][IFNAMSIZ]; /* bridges and bench-side ends, for network_close() */
	unsigned device_count;
};

static int failed(struct error *err, int r, const char *what, const char *name)
{
	return error_set(err, ERROR_BENCH, -r, "network: cannot %s %s: %s", what, name, strerror(-r));
}

/* ---- the bench's own namespace ---- */

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* Root inside a user namespace of our own is all the privilege that is needed, and it ends at its border. */
static int become_root(void)
{
	char map[64];
	uid_t uid = getuid();
	gid_t gid = getgid();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return -errno;
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
	int r = write_text("/proc/self/uid_map", map);
	if (r == 0)
		r = write_text("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)gid);
	return r < 0 ? r : write_text("/proc/self/gid_map", map);
}

/* Once in the life of the process: a rack that is built again finds itself in its namespace already. */
static int leave_machine(struct error *err)
{
	static bool left;
	if (left)
		return 0;
	int r = geteuid() == 0 && unshare(CLONE_NEWNET) == 0 ? 0 : become_root();
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r,
		                 "this user may not make network namespaces (%s): run as root, allow unprivileged user namespaces, or use "
		                 "the loopback rig",
		                 strerror(-r));
	left = true;
	return 0;
}

static int own_namespace(void)
{
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static int device_up(const char *name)
{
	int fd = rtnetlink_open();
	int r = fd < 0 ? fd : rtnetlink_device_set(fd, name, true, NULL);
	if (fd >= 0)
		close(fd);
	return r;
}

/* ---- addresses ---- */

/* "192.168.1.1/24" */
static int parse_address(const struct value *value, uint32_t *ret_address, unsigned *ret_prefix, struct error *err)
{
	char text[32] = "", *slash, *end = text;
	struct in_addr parsed;
	if (value->type == VALUE_TEXT)
		snprintf(text, sizeof(text), "%s", value->text);
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	unsigned long prefix = slash && *slash ? strtoul(slash, &end, 10) : 99;
	if (prefix > 32 || *end || inet_pton(AF_INET, text, &parsed) != 1)
		return error_set_place(err, ERROR_USAGE, EINVAL, value->place, "a network address must look like 192.168.1.1/24");
	*ret_address = ntohl(parsed.s_addr);
	*ret_prefix = (unsigned)prefix;
	return 0;
}

static int set_address(const char *device, const struct value *value, struct error *err)
{
	uint32_t address = 0;
	unsigned prefix = 0;
	int r = parse_address(value, &address, &prefix, err);
	if (r < 0)
		return r;
	int fd = rtnetlink_open();
	if (fd < 0)
		return failed(err, fd, "open the routing socket for", device);
	r = rtnetlink_address_add(fd, device, address, prefix);
	if (r == 0)
		r = rtnetlink_device_set(fd, device, true, NULL);
	close(fd);
	return r < 0 ? failed(err, r, "set the address of", device) : 0;
}

/* ---- building ---- */

static int remember(struct network *network, const char *device, struct error *err)
{
	if (network->device_count == sizeof(network->devices) / sizeof(network->devices[0]))
		return error_set(err, ERROR_USAGE, E2BIG, "network: too many devices");
	snprintf(network->devices[network->device_count++], IFNAMSIZ, "%s", device);
	return 0;
}

/* The tester stands on the bridge itself. */
static int add_bridge(struct network *network, const struct value_entry *entry, struct error *err)
{
	int fd = rtnetlink_open();
	if (strlen(entry->key) >= IFNAMSIZ - 4)
		return error_set_place(err, ERROR_USAGE, EINVAL, entry->key_place, "the name of a network has at most %d characters",
		                       IFNAMSIZ - 5);
	int r = fd < 0 ? fd : rtnetlink_bridge_add(fd, entry->key);
	if (fd >= 0)
		close(fd);
	if (r < 0)
		return failed(err, r, "make the bridge", entry->key);
	r = remember(network, entry->key, err);
	return r < 0 ? r : set_address(entry->key, entry->value, err);
}

static int add_netns(struct network *network, struct node *node, struct error *err)
{
	if (unshare(CLONE_NEWNET) < 0)
		return failed(err, -errno, "make the namespace of", node->role);
	node->netns = own_namespace();
	int r = node->netns < 0 ? -errno : device_up("lo");
	if (setns(network->own, CLONE_NEWNET) < 0)
		r = -errno;
	snprintf(node->path, sizeof(node->path), "/proc/%d/fd/%d", (int)getpid(), node->netns);
	return r < 0 ? failed(err, r, "prepare the namespace of", node->role) : 0;
}

static int bench_end(const char *role, const char *bridge, char *ret, size_t size, struct place place, struct error *err)
{
	int length = snprintf(ret, size, "%s-%s", role, bridge);
	if (length < 0 || (size_t)length >= size)
		return error_set_place(err, ERROR_USAGE, EINVAL, place, "\"%s-%s\" is too long for the name of a device (%zu characters)",
		                       role, bridge, size - 1);
	return 0;
}

static int plug_in(struct network *network, const struct node *node, const struct value_entry *entry, struct error *err)
{
	char device[IFNAMSIZ];
	int r = bench_end(node->role, entry->key, device, sizeof(device), entry->key_place, err);
	if (r < 0)
		return r;
	int fd = rtnetlink_open();
	r = fd < 0 ? fd : rtnetlink_veth_add(fd, device, entry->key, node->netns);
	if (r == 0)
		r = rtnetlink_device_set(fd, device, true, entry->key);
	if (fd >= 0)
		close(fd);
	if (r < 0)
		return failed(err, r, "plug in", device);
	r = remember(network, device, err);
	if (r < 0)
		return r;
	if (setns(node->netns, CLONE_NEWNET) < 0)
		return failed(err, -errno, "enter the namespace of", node->role);
	r = set_address(entry->key, entry->value, err);
	if (setns(network->own, CLONE_NEWNET) < 0)
		return failed(err, -errno, "leave the namespace of", node->role);
	return r;
}

static const struct value *networks_of(const struct value *map)
{
	return map ? value_get(map, "networks") : NULL;
}

static int add_node(struct network *network, const struct value_entry *role, struct error *err)
{
	const struct value *networks = networks_of(role->value);
	struct node *node = &network->nodes[network->node_count++];
	node->role = role->key;
	node->netns = -1;
	if (!networks)
		return error_set_place(err, ERROR_USAGE, EINVAL, role->value->place, "%s lacks `networks`: `network: netns` needs them",
		                       role->key);
	int r = add_netns(network, node, err);
	for (unsigned i = 0; r == 0 && i < networks->map.count; i++)
		r = plug_in(network, node, &networks->map.entries[i], err);
	return r;
}

static int build(struct network *network, struct error *err)
{
	const struct value *tester = networks_of(value_get(network->root, "tester")), *roles = value_get(network->root, "roles");
	if (!tester)
		return error_set_place(err, ERROR_USAGE, EINVAL, value_get(network->root, "tester")->place, "`tester` lacks `networks`");
	network->own = own_namespace();
	network->nodes = calloc(roles->map.count, sizeof(*network->nodes));
	if (network->own < 0 || !network->nodes)
		return failed(err, -ENOMEM, "open", "the bench's namespace");
	int r = device_up("lo");
	if (r < 0)
		return failed(err, r, "set up", "lo");
	for (unsigned i = 0; r == 0 && i < tester->map.count; i++)
		r = add_bridge(network, &tester->map.entries[i], err);
	for (unsigned i = 0; r == 0 && i < roles->map.count; i++)
		r = add_node(network, &roles->map.entries[i], err);
	return r;
}

int network_open(struct network **ret, const struct value *root, struct error *err)
{
	struct network *network = calloc(1, sizeof(*network));
	if (!network)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	network->root = root;
	network->own = -1;
	int r = leave_machine(err);
	if (r == 0)
		r = build(network, err);
	if (r < 0) {
		network_close(network);
		return r;
	}
	*ret = network;
	return 0;
}

void network_close(struct network *network)
{
	if (!network)
		return;
	int fd = network->device_count ? rtnetlink_open() : -1;
	for (unsigned i = 0; fd >= 0 && i < network->device_count; i++)
		(void)!rtnetlink_device_delete(fd, network->devices[i]);
	if (fd >= 0)
		close(fd);
	for (unsigned i = 0; i < network->node_count; i++)
		if (network->nodes[i].netns >= 0)
			close(network->nodes[i].netns);
	if (network->own >= 0)
		close(network->own);
	free(network->nodes);
	free(network);
}

const char *network_path(const struct network *network, const char *role)
{
	for (unsigned i = 0; network && i < network->node_count; i++)
		if (!strcmp(network->nodes[i].role, role))
			return network->nodes[i].path;
	return NULL;
}

const char *network_device(const struct network *network, const char *link)
{
	const struct value *links = network ? value_get(network->root, "links") : NULL, *map = links ? value_get(links, link) : NULL;
	const struct value *client = map ? value_get(map, "client") : NULL, *bridge = map ? value_get(map, "network") : NULL;
	char name[64];
	if (!client || !bridge)
		return NULL;
	snprintf(name, sizeof(name), "%s-%s", client->text, bridge->text);
	for (unsigned i = 0; i < network->device_count; i++)
		if (!strcmp(network->devices[i], name))
			return network->devices[i];
	return NULL;
}

int network_set_link(struct network *network, const char *link, bool up, struct error *err)
{
	const char *device = network_device(network, link);
	if (!device)
		return error_set(err, ERROR_TESTCASE, ENODEV, "the rig has no device for link %s", link);
	int fd = rtnetlink_open();
	int r = fd < 0 ? fd : rtnetlink_device_set(fd, device, up, NULL);
	if (fd >= 0)
		close(fd);
	return r < 0 ? failed(err, r, up ? "plug in" : "unplug", device) : 0;
}
