/* SPDX-License-Identifier: Apache-2.0 */
/* TCP and UDP packets rebuilt from what sockets carried: RFC 9293, RFC 768, RFC 791, RFC 8200. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "capture_private.h"

#define MTU          1500
#define TTL          64
#define WINDOW_SCALE 7
#define SYN_OPTIONS  8             /* maximum segment size, no-operation, window scale */
#define ACK_EVERY    (512U * 1024) /* well inside the window of 8 MiB that the SYN told */
#define UDP_HEADER   8
#define TCP_HEADER   20
#define IPV4_HEADER  20
#define IPV6_HEADER  40
#define DATAGRAM_MAX 65535

struct capture_flow {
	struct capture *capture;
	struct capture_flow *next;
	struct address ends[2]; /* client, server */
	uint32_t next_sequence[2];
	uint32_t unacknowledged[2];
};

static uint32_t sum_words(uint32_t sum, const void *data, size_t length)
{
	const uint8_t *p = data;

	for (; length > 1; length -= 2, p += 2)
		sum += be16_read(p);
	return length ? sum + ((uint32_t)p[0] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The Internet checksum of a transport PDU with its pseudo header (RFC 9293 clause 3.1, RFC 8200 clause 8.1). */
static uint16_t transport_checksum(const struct address *from, const struct address *to, uint8_t protocol, const uint8_t *pdu,
                                   size_t length)
{
	uint32_t sum = (uint32_t)protocol + (uint32_t)(length >> 16) + (uint32_t)(length & 0xffff);

	if (from->any.sa_family == AF_INET6) {
		sum = sum_words(sum, &from->v6.sin6_addr, 16);
		sum = sum_words(sum, &to->v6.sin6_addr, 16);
	} else {
		sum = sum_words(sum, &from->v4.sin_addr, 4);
		sum = sum_words(sum, &to->v4.sin_addr, 4);
	}
	return fold(sum_words(sum, pdu, length));
}

static size_t ip_header_size(const struct address *address)
{
	return address->any.sa_family == AF_INET6 ? IPV6_HEADER : IPV4_HEADER;
}

static void put_ip_header(uint8_t *p, const struct address *from, const struct address *to, uint8_t protocol, size_t payload)
{
	static uint16_t identification;

	if (from->any.sa_family == AF_INET6) {
		memset(p, 0, 8);
		p[0] = 0x60;
		be16_write(p + 4, (uint16_t)payload);
		p[6] = protocol;
		p[7] = TTL;
		memcpy(p + 8, &from->v6.sin6_addr, 16);
		memcpy(p + 24, &to->v6.sin6_addr, 16);
		return;
	}
	memset(p, 0, IPV4_HEADER);
	p[0] = 0x45;
	be16_write(p + 2, (uint16_t)(IPV4_HEADER + payload));
	be16_write(p + 4, ++identification);
	be16_write(p + 6, 0x4000); /* do not fragment */
	p[8] = TTL;
	p[9] = protocol;
	memcpy(p + 12, &from->v4.sin_addr, 4);
	memcpy(p + 16, &to->v4.sin_addr, 4);
	be16_write(p + 10, fold(sum_words(0, p, IPV4_HEADER)));
}

static size_t segment_size(const struct capture_flow *flow)
{
	return MTU - ip_header_size(&flow->ends[0]) - TCP_HEADER;
}

static void put_syn_options(const struct capture_flow *flow, uint8_t *p)
{
	p[0] = 2;
	p[1] = 4;
	be16_write(p + 2, (uint16_t)segment_size(flow));
	p[4] = 1;
	p[5] = 3;
	p[6] = 3;
	p[7] = WINDOW_SCALE;
}

/* One segment; length at most segment_size(). */
static void write_segment(struct capture_flow *flow, bool from_client, uint8_t flags, const uint8_t *data, size_t length, struct instant at)
{
	unsigned self = from_client ? 0 : 1, other = 1 - self;
	const struct address *from = &flow->ends[self], *to = &flow->ends[other];
	size_t options = flags & TH_SYN ? SYN_OPTIONS : 0, ip = ip_header_size(from), tcp = TCP_HEADER + options;
	uint8_t packet[MTU], *p = packet + ip;

	put_ip_header(packet, from, to, IPPROTO_TCP, tcp + length);
	be16_write(p, address_port(from));
	be16_write(p + 2, address_port(to));
	be32_write(p + 4, flow->next_sequence[self]);
	be32_write(p + 8, flags & TH_ACK ? flow->next_sequence[other] : 0);
	p[12] = (uint8_t)(tcp / 4 << 4);
	p[13] = flags;
	be16_write(p + 14, flags & TH_RST ? 0 : UINT16_MAX);
	memset(p + 16, 0, 4);
	if (options)
		put_syn_options(flow, p + TCP_HEADER);
	if (length > 0)
		memcpy(p + tcp, data, length);
	be16_write(p + 16, transport_checksum(from, to, IPPROTO_TCP, p, tcp + length));
	capture_packet(flow->capture, CAPTURE_TAP, packet, ip + tcp + length, ip + tcp + length, at);
	flow->next_sequence[self] += (uint32_t)length + (flags & (TH_SYN | TH_FIN) ? 1 : 0);
	flow->unacknowledged[self] += (uint32_t)length;
	if (flags & TH_ACK)
		flow->unacknowledged[other] = 0;
}

static bool same_end(const struct address *a, const struct address *b)
{
	return a->length == b->length && memcmp(&a->any, &b->any, a->length) == 0;
}

/* Fills a flow for two parsed addresses; false when they are none or of two families. */
static bool flow_init(struct capture_flow *flow, struct capture *capture, const char *client, const char *server)
{
	static uint32_t connections;

	*flow = (struct capture_flow){.capture = capture};
	if (address_parse(client, &flow->ends[0], NULL) < 0 || address_parse(server, &flow->ends[1], NULL) < 0 ||
	    flow->ends[0].any.sa_family != flow->ends[1].any.sa_family)
		return false;
	/* Each connection has numbers of its own, as real ones have: readers take equal ones for a retransmission. */
	connections++;
	flow->next_sequence[0] = connections * 2654435761U;
	flow->next_sequence[1] = ~flow->next_sequence[0] + connections;
	return true;
}

struct capture_flow *capture_flow_new(struct capture *capture, const char *client, const char *server, struct instant at)
{
	struct capture_flow flow, *kept;

	if (!capture || !flow_init(&flow, capture, client, server) || capture_device_shows(capture, &flow.ends[0], &flow.ends[1]))
		return NULL;
	for (const struct capture_flow *other = capture->flows; other; other = other->next) {
		if (same_end(&other->ends[0], &flow.ends[0]) && same_end(&other->ends[1], &flow.ends[1]))
			return NULL;
	}
	kept = malloc(sizeof(*kept));
	if (!kept)
		return NULL;
	*kept = flow;
	kept->next = capture->flows;
	capture->flows = kept;
	write_segment(kept, true, TH_SYN, NULL, 0, at);
	write_segment(kept, false, TH_SYN | TH_ACK, NULL, 0, at);
	write_segment(kept, true, TH_ACK, NULL, 0, at);
	return kept;
}

void capture_flow_data(struct capture_flow *flow, bool from_client, const void *data, size_t length, struct instant at)
{
	const uint8_t *p = data;
	size_t piece;

	if (!flow)
		return;
	for (; length > 0; length -= piece, p += piece) {
		piece = length < segment_size(flow) ? length : segment_size(flow);
		write_segment(flow, from_client, piece == length ? TH_ACK | TH_PUSH : TH_ACK, p, piece, at);
		if (flow->unacknowledged[from_client ? 0 : 1] >= ACK_EVERY)
			write_segment(flow, !from_client, TH_ACK, NULL, 0, at);
	}
}

static void flow_unlink(struct capture_flow *flow)
{
	struct capture_flow **place = &flow->capture->flows;

	while (*place && *place != flow)
		place = &(*place)->next;
	if (*place)
		*place = flow->next;
}

void capture_flow_end(struct capture_flow *flow, bool by_client, bool reset, struct instant at)
{
	if (!flow)
		return;
	if (reset) {
		write_segment(flow, by_client, TH_RST | TH_ACK, NULL, 0, at);
	} else {
		write_segment(flow, by_client, TH_FIN | TH_ACK, NULL, 0, at);
		write_segment(flow, !by_client, TH_FIN | TH_ACK, NULL, 0, at);
		write_segment(flow, by_client, TH_ACK, NULL, 0, at);
	}
	flow_unlink(flow);
	free(flow);
}

void capture_flows_free(struct capture *capture)
{
	while (capture->flows) {
		struct capture_flow *flow = capture->flows;

		capture->flows = flow->next;
		free(flow);
	}
}

void capture_refused(struct capture *capture, const char *client, const char *server, struct instant at)
{
	struct capture_flow flow;

	if (!capture || !flow_init(&flow, capture, client, server) || capture_device_shows(capture, &flow.ends[0], &flow.ends[1]))
		return;
	write_segment(&flow, true, TH_SYN, NULL, 0, at);
	flow.next_sequence[1] = 0; /* a closed port has no sequence (RFC 9293 clause 3.10.7.1) */
	write_segment(&flow, false, TH_RST | TH_ACK, NULL, 0, at);
}

void capture_datagram(struct capture *capture, const char *from, const char *to, const void *data, size_t length, struct instant at)
{
	struct address source, destination;
	size_t ip;
	uint16_t checksum;
	uint8_t *packet, *p;

	if (!capture || address_parse(from, &source, NULL) < 0 || address_parse(to, &destination, NULL) < 0 ||
	    source.any.sa_family != destination.any.sa_family || capture_device_shows(capture, &source, &destination))
		return;
	ip = ip_header_size(&source);
	if (length > DATAGRAM_MAX - ip - UDP_HEADER)
		return;
	packet = malloc(ip + UDP_HEADER + length);
	if (!packet)
		return;
	p = packet + ip;
	put_ip_header(packet, &source, &destination, IPPROTO_UDP, UDP_HEADER + length);
	be16_write(p, address_port(&source));
	be16_write(p + 2, address_port(&destination));
	be16_write(p + 4, (uint16_t)(UDP_HEADER + length));
	be16_write(p + 6, 0);
	if (length > 0)
		memcpy(p + UDP_HEADER, data, length);
	checksum = transport_checksum(&source, &destination, IPPROTO_UDP, p, UDP_HEADER + length);
	be16_write(p + 6, checksum ? checksum : UINT16_MAX); /* 0 would mean that there is none (RFC 768) */
	capture_packet(capture, CAPTURE_TAP, packet, ip + UDP_HEADER + length, ip + UDP_HEADER + length, at);
	free(packet);
}
