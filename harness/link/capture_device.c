/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's own packets of one network device: packet(7). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "capture_private.h"
#include "pcapng.h"
#include "stamp.h"

#define FRAME_MAX      (72U * 1024) /* an offloaded super frame has up to 64 KiB and its headers */
#define RECEIVE_BUFFER (4 * 1024 * 1024)
#define FRAMES_AT_ONCE 64 /* then the rest of the loop has its turn */

struct capture_device {
	struct capture *capture;
	struct capture_device *next;
	int fd;
	sd_event_source *source;
	unsigned interface;
	bool failed, has_prefix;
	uint32_t net, mask; /* with has_prefix: what the kernel lets through, host order */
	capture_frame_observer observer;
	void *context;
	uint8_t frame[FRAME_MAX];
};

/* A socket of another network namespace: a socket stays in the one in which it was made. */
static int socket_in(int netns_fd, struct error *err)
{
	int own = -1, fd, code;

	if (netns_fd >= 0) {
		own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
		if (own < 0)
			return error_set(err, ERROR_BENCH, errno, "cannot open the own network namespace: %s", strerror(errno));
		if (setns(netns_fd, CLONE_NEWNET) < 0) {
			code = errno;
			(void)close(own);
			return error_set(err, ERROR_BENCH, code, "cannot enter the network namespace: %s", strerror(code));
		}
	}
	/* Protocol 0: nothing arrives before bind(), so that the filter misses nothing. */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	code = errno;
	if (own >= 0) {
		/* Going on in a foreign namespace would send the rest of the run astray. */
		if (setns(own, CLONE_NEWNET) < 0)
			abort();
		(void)close(own);
	}
	if (fd < 0)
		return error_set(err, ERROR_BENCH, code, "cannot capture: %s", strerror(code));
	return fd;
}

static int parse_prefix(const char *text, uint32_t *ret_net, uint32_t *ret_mask, struct error *err)
{
	const char *slash = strchr(text, '/');
	char host[INET_ADDRSTRLEN];
	struct in_addr address;
	unsigned long bits = 32;
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	char *end = NULL;

	if (slash)
		bits = strtoul(slash + 1, &end, 10);
	if (length >= sizeof(host) || bits > 32 || (slash && (end == slash + 1 || *end)))
		return error_set(err, ERROR_TESTCASE, EINVAL, "'%s' is not a prefix such as 127.1.0.0/16", text);
	memcpy(host, text, length);
	host[length] = '\0';
	if (inet_pton(AF_INET, host, &address) != 1)
		return error_set(err, ERROR_TESTCASE, EINVAL, "'%s' is not a prefix such as 127.1.0.0/16", text);
	*ret_mask = bits ? UINT32_MAX << (32 - bits) : 0;
	*ret_net = ntohl(address.s_addr) & *ret_mask;
	return 0;
}

/* In the kernel: IPv4 with source or destination, or ARP with sender or target, inside the prefix. */
static int set_filter(int fd, uint32_t net, uint32_t mask)
{
	/* Jump offsets count from the next instruction; 15 refuses, 16 takes. */
	struct sock_filter code[] = {
	        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IP, 0, 6),
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 26),
	        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, net, 11, 0),
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 30),
	        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, net, 8, 7),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_ARP, 0, 6),
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 28),
	        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, net, 4, 0),
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 38),
	        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, net, 1, 0),
	        BPF_STMT(BPF_RET | BPF_K, 0),
	        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

/* Takes up to `most` frames; returns how many. */
static unsigned read_frames(struct capture_device *device, unsigned most)
{
	for (unsigned i = 0; i < most; i++) {
		_Alignas(struct cmsghdr) char control[STAMP_CONTROL_SIZE];
		struct sockaddr_ll from = {0};
		struct iovec part = {device->frame, sizeof(device->frame)};
		struct msghdr message = {.msg_name = &from,
		                         .msg_namelen = sizeof(from),
		                         .msg_iov = &part,
		                         .msg_iovlen = 1,
		                         .msg_control = control,
		                         .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(device->fd, &message, MSG_DONTWAIT | MSG_TRUNC);
		size_t kept;
		struct instant at;

		if (n < 0) {
			device->failed = errno != EAGAIN && errno != EINTR && errno != ENETDOWN;
			return i;
		}
		/* The loopback device shows each packet as it leaves and as it arrives. */
		if (from.sll_hatype == ARPHRD_LOOPBACK && from.sll_pkttype == PACKET_OUTGOING)
			continue;
		kept = (size_t)n < sizeof(device->frame) ? (size_t)n : sizeof(device->frame);
		at = stamp_of_message(&message);
		capture_packet(device->capture, device->interface, device->frame, kept, (size_t)n, at);
		if (device->observer)
			device->observer(device->frame, kept, at, device->context);
	}
	return most;
}

static int on_frames(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct capture_device *device = context;

	(void)read_frames(device, FRAMES_AT_ONCE);
	/* A device that went away is not asked again; the capture goes on without it. */
	if (device->failed)
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

/* Binds to the device by its index in the socket's own namespace. */
static int bind_device(int fd, const char *name, struct error *err)
{
	struct ifreq request = {0};
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int size = RECEIVE_BUFFER;

	if (strlen(name) >= sizeof(request.ifr_name))
		return error_set(err, ERROR_TESTCASE, EINVAL, "'%s' is no name of a network device", name);
	memcpy(request.ifr_name, name, strlen(name));
	if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot capture on %s: %s", name, strerror(errno));
	address.sll_ifindex = request.ifr_ifindex;
	stamp_enable(fd);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(err, ERROR_BENCH, errno, "cannot capture on %s: %s", name, strerror(errno));
	return 0;
}

static int open_socket(const char *name, int netns_fd, const char *prefix, struct error *err)
{
	uint32_t net = 0, mask = 0;
	int fd, r = 0;

	if (prefix)
		r = parse_prefix(prefix, &net, &mask, err);
	if (r < 0)
		return r;
	fd = socket_in(netns_fd, err);
	if (fd < 0)
		return fd;
	if (prefix)
		r = set_filter(fd, net, mask);
	if (r < 0)
		r = error_set(err, ERROR_BENCH, -r, "cannot set the capture's filter: %s", strerror(-r));
	else
		r = bind_device(fd, name, err);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	return fd;
}

static bool inside(const struct capture_device *device, const struct address *address)
{
	return address->any.sa_family == AF_INET && (ntohl(address->v4.sin_addr.s_addr) & device->mask) == device->net;
}

bool capture_device_shows(const struct capture *capture, const struct address *a, const struct address *b)
{
	for (const struct capture_device *device = capture->devices; device; device = device->next)
		if (device->has_prefix && (inside(device, a) || inside(device, b)))
			return true;
	return false;
}

int capture_device(struct capture *capture, const char *name, int netns_fd, const char *prefix, capture_frame_observer observer,
                   void *context, struct error *err)
{
	struct capture_device *device;
	int r, fd;

	if (!capture || !capture->loop)
		return error_set(err, ERROR_BENCH, EINVAL, "there is no capture");
	fd = open_socket(name, netns_fd, prefix, err);
	if (fd < 0)
		return fd;
	device = calloc(1, sizeof(*device));
	r = device ? capture_interface(capture, PCAPNG_LINKTYPE_ETHERNET, name, "packets of the kernel") : -ENOMEM;
	if (r >= 0) {
		device->interface = (unsigned)r;
		r = sd_event_add_io(loop_event(capture->loop), &device->source, fd, EPOLLIN, on_frames, device);
	}
	if (r < 0) {
		free(device);
		(void)close(fd);
		return error_set(err, ERROR_BENCH, -r, "cannot capture on %s: %s", name, strerror(-r));
	}
	device->has_prefix = prefix && netns_fd < 0 && parse_prefix(prefix, &device->net, &device->mask, NULL) == 0;
	device->capture = capture;
	device->fd = fd;
	device->observer = observer;
	device->context = context;
	device->next = capture->devices;
	capture->devices = device;
	return 0;
}

void capture_devices_close(struct capture *capture)
{
	while (capture->devices) {
		struct capture_device *device = capture->devices;
		struct tpacket_stats stats = {0};
		socklen_t size = sizeof(stats);

		capture->devices = device->next;
		/* A busy device may bring more than can be read: what was in the buffer when the run ended is enough. */
		for (unsigned i = 0; i < 1024 && !device->failed && read_frames(device, FRAMES_AT_ONCE) == FRAMES_AT_ONCE; i++)
			;
		if (getsockopt(device->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0)
			capture_statistics(capture, device->interface, stats.tp_packets, stats.tp_drops);
		sd_event_source_disable_unref(device->source);
		(void)close(device->fd);
		free(device);
	}
}
