/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes -> a DoIP entity over TCP and UDP on the fake port. The input is a list of records: one byte says what is
 * done (low nibble) and to which of four connections (high nibble), one byte how many bytes follow, then the bytes.
 * Built with libFuzzer (option fuzzing), else a program that replays the files named on its command line.
 */
#include <string.h>

#include "../../core/doip_entity.h"
#include "../fake_port.h"
#include "fake_tls.h"

#define CONNECTIONS 4
#define PLAIN       "10.0.0.2:13400"
#define SECURE      "10.0.0.2:3496"
#define POLL_LIMIT  100000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int peers[CONNECTIONS];

static enum doip_diag_nack on_diagnostic(void *context, uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	static uint8_t echo[4095];
	if (length > sizeof echo)
		length = sizeof echo;
	memcpy(echo, data, length);
	(void)doip_entity_send(target, source, echo, length);
	return data[0] == 0xFF ? DOIP_DIAG_UNREACHABLE : DOIP_DIAG_ACCEPTED;
}

static int on_confirm(void *context, uint16_t source)
{
	return source & 1 ? 2 : 1;
}

static void poll_for(uint64_t us)
{
	uint64_t end = port_time_us() + us, deadline;
	for (unsigned i = 0;; i++) {
		doip_entity_poll(port_time_us(), &deadline);
		if (i == POLL_LIMIT)
			__builtin_trap(); /* it never comes to rest */
		if (deadline > end)
			break;
		if (deadline > port_time_us())
			fake_time_set(deadline);
	}
	fake_time_set(end);
}

/* What the entity says has to be whole messages with a valid pattern. */
static void check_output(int peer)
{
	uint8_t head[8], sink[512];
	if (fake_peer_state(peer) == FAKE_PEER_RESET)
		return;
	while (fake_peer_available(peer) >= sizeof head) {
		fake_peer_take(peer, head, sizeof head);
		size_t length = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
		if ((head[0] ^ head[1]) != 0xFF || length > 4099 || length > fake_peer_available(peer))
			__builtin_trap();
		while (length > 0)
			length -= fake_peer_take(peer, sink, length < sizeof sink ? length : sizeof sink);
	}
}

static void record(uint8_t what, const uint8_t *bytes, size_t length)
{
	int *peer = &peers[(what >> 4) % CONNECTIONS];
	uint8_t argument = length > 0 ? bytes[0] : 0;
	switch (what & 0x0F) {
	case 0:
		*peer = fake_peer_connect("10.0.0.9:0", argument & 1 ? SECURE : PLAIN);
		break;
	case 1:
		if (*peer >= 0)
			fake_peer_close(*peer);
		*peer = -1;
		break;
	case 2:
		if (*peer >= 0)
			fake_peer_abort(*peer);
		*peer = -1;
		break;
	case 3:
		poll_for((uint64_t)argument * 50000);
		break;
	case 4:
		fake_udp_send("10.0.0.9:50000", PLAIN, bytes, length);
		break;
	default:
		if (*peer >= 0)
			fake_peer_send(*peer, bytes, length);
		break;
	}
	poll_for(0);
	if (*peer >= 0)
		check_output(*peer);
	struct fake_datagram datagram;
	while (fake_udp_take(&datagram))
		if (datagram.length < 8 || (datagram.data[0] ^ datagram.data[1]) != 0xFF)
			__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct doip_entity_handlers handlers = {.diagnostic = on_diagnostic, .confirm = on_confirm};
	struct doip_entity_config config = {.logical_address = 0x0091};
	fake_port_clear();
	fake_param_set("doip.udp", PLAIN);
	fake_param_set("doip.announce_to", "255.255.255.255:13400");
	fake_param_set("doip.plain", PLAIN);
	fake_param_set("doip.tls", SECURE);
	fake_param_set("doip.max_sockets", "2");
	doip_entity_config_load(&config);
	if (doip_entity_start(&config, &handlers, fake_tls_config()) != PORT_OK)
		__builtin_trap();
	memset(peers, 0xFF, sizeof peers);
	for (size_t at = 0; at + 2 <= size;) {
		size_t length = data[at + 1];
		if (length > size - at - 2)
			length = size - at - 2;
		record(data[at], data + at + 2, length);
		at += 2 + length;
	}
	doip_entity_stop();
	if (fake_sockets_open() != 0)
		__builtin_trap();
	return 0;
}
