/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <string.h>

#include "../../faults/fault.h"

struct application app;

static enum doip_diag_nack on_diagnostic(void *context, uint16_t source, uint16_t target, const uint8_t *data, size_t length)
{
	static uint8_t response[4096];
	app.requests++;
	app.last_source = source;
	app.last_target = target;
	app.last_length = length;
	fake_time_advance(app.takes_us);
	if (app.stop)
		doip_entity_stop();
	if (app.respond) {
		memset(response, 0, sizeof response);
		response[0] = (uint8_t)(data[0] + 0x40);
		if (length > 1)
			response[1] = data[1];
		doip_entity_send(target, app.response_to ? app.response_to : source, response, app.response_length);
	}
	return app.answer;
}

static void on_node(void *context, uint16_t address, bool connected)
{
	app.node_up += connected;
	app.node_down += !connected;
}

static int on_authenticate(void *context, uint16_t source, const uint8_t *oem, size_t length)
{
	app.oem_length = length;
	return app.authenticated;
}

static int on_confirm(void *context, uint16_t source)
{
	return app.confirmed;
}

void bench_prepare(void)
{
	doip_entity_stop();
	fake_port_clear();
	memset(&app, 0, sizeof app);
	app.respond = true;
	app.response_length = 2;
	app.authenticated = app.confirmed = 1;
	fake_param_set("doip.vin", "WDB00000000000001");
	fake_param_set("doip.eid", "0200000000a1");
	fake_param_set("doip.udp", UDP);
	fake_param_set("doip.udp_broadcast", UDP_ALL);
	fake_param_set("doip.plain", PLAIN);
	fake_param_set("doip.tls", SECURE);
}

void bench_start(void)
{
	static const struct doip_entity_handlers handlers = {
	        .diagnostic = on_diagnostic, .node_changed = on_node, .authenticate = on_authenticate, .confirm = on_confirm};
	struct doip_entity_config config = {.logical_address = ENTITY};
	fault_load();
	doip_entity_config_load(&config);
	ck_assert_int_eq(doip_entity_start(&config, &handlers, fake_tls_config()), PORT_OK);
	settle();
}

void bench_end(void)
{
	doip_entity_stop();
	ck_assert_uint_eq(fake_sockets_open(), 0);
}

void run_until(uint64_t time_us)
{
	unsigned busy = 0;
	for (;;) {
		uint64_t deadline;
		doip_entity_poll(port_time_us(), &deadline);
		if (deadline > port_time_us())
			busy = 0;
		ck_assert_msg(++busy < 2000, "the entity asks to be called without end");
		if (deadline > time_us)
			break;
		if (deadline > port_time_us())
			fake_time_set(deadline);
	}
	if (time_us > port_time_us())
		fake_time_set(time_us);
	uint64_t ignored;
	doip_entity_poll(port_time_us(), &ignored);
}

void run_for(uint64_t us)
{
	run_until(port_time_us() + us);
}
void settle(void)
{
	run_until(port_time_us());
}

static int connect_to(const char *to)
{
	int peer = fake_peer_connect("10.0.0.9:0", to);
	ck_assert_int_ge(peer, 0);
	settle();
	return peer;
}

int tester(void)
{
	return connect_to(PLAIN);
}
int tester_tls(void)
{
	return connect_to(SECURE);
}

size_t compose(uint8_t *out, uint8_t version, uint16_t type, const void *payload, size_t length)
{
	const uint8_t head[8] = {version,
	                         (uint8_t)(version ^ 0xFF),
	                         (uint8_t)(type >> 8),
	                         (uint8_t)type,
	                         (uint8_t)(length >> 24),
	                         (uint8_t)(length >> 16),
	                         (uint8_t)(length >> 8),
	                         (uint8_t)length};
	memcpy(out, head, sizeof head);
	if (length > 0)
		memcpy(out + sizeof head, payload, length);
	return sizeof head + length;
}

void send_raw(int peer, const void *data, size_t length)
{
	ck_assert_uint_eq(fake_peer_send(peer, data, length), length);
	settle();
}

void send_message(int peer, uint16_t type, const void *payload, size_t length)
{
	static uint8_t bytes[8200];
	send_raw(peer, bytes, compose(bytes, 0x03, type, payload, length));
}

void send_activation(int peer, uint16_t source, uint8_t type)
{
	const uint8_t payload[7] = {(uint8_t)(source >> 8), (uint8_t)source, type};
	send_message(peer, 0x0005, payload, sizeof payload);
}

void send_alive(int peer, uint16_t source)
{
	const uint8_t payload[2] = {(uint8_t)(source >> 8), (uint8_t)source};
	send_message(peer, 0x0008, payload, sizeof payload);
}

void send_diagnostic(int peer, uint16_t source, uint16_t target, const void *data, size_t length)
{
	static uint8_t payload[8192];
	payload[0] = (uint8_t)(source >> 8);
	payload[1] = (uint8_t)source;
	payload[2] = (uint8_t)(target >> 8);
	payload[3] = (uint8_t)target;
	memcpy(payload + 4, data, length);
	send_message(peer, 0x8001, payload, length + 4);
}

bool next_message(int peer, struct message *ret_message)
{
	uint8_t head[8];
	if (fake_peer_available(peer) == 0)
		return false;
	ck_assert_uint_eq(fake_peer_take(peer, head, sizeof head), sizeof head);
	ret_message->version = head[0];
	ret_message->inverse = head[1];
	ret_message->type = (uint16_t)(head[2] << 8 | head[3]);
	ret_message->length = (uint32_t)head[4] << 24 | (uint32_t)head[5] << 16 | (uint32_t)head[6] << 8 | head[7];
	ck_assert_uint_eq(head[0] ^ head[1], 0xFF);
	ck_assert_uint_le(ret_message->length, sizeof ret_message->payload);
	ck_assert_uint_eq(fake_peer_take(peer, ret_message->payload, ret_message->length), ret_message->length);
	return true;
}

struct message expect_message(int peer, uint16_t type)
{
	static struct message m;
	memset(&m, 0, sizeof m);
	ck_assert_msg(next_message(peer, &m), "no message, wanted type %04x", type);
	ck_assert_msg(m.type == type, "type %04x (first byte %02x), wanted %04x", m.type, m.payload[0], type);
	return m;
}

void expect_nothing(int peer)
{
	ck_assert_uint_eq(fake_peer_available(peer), 0);
}

void expect_header_nack(int peer, uint8_t code)
{
	struct message m = expect_message(peer, 0x0000);
	ck_assert_uint_eq(m.length, 1);
	ck_assert_uint_eq(m.payload[0], code);
}

void expect_activation(int peer, uint8_t code)
{
	struct message m = expect_message(peer, 0x0006);
	ck_assert_uint_eq(m.payload[4], code);
}

void expect_ack(int peer, uint16_t type, uint8_t code)
{
	struct message m = expect_message(peer, type);
	ck_assert_uint_ge(m.length, 5);
	ck_assert_uint_eq(m.payload[4], code);
}

void expect_open(int peer)
{
	ck_assert_int_eq(fake_peer_state(peer), FAKE_PEER_OPEN);
}

void expect_closed(int peer)
{
	run_for(300 * MS);
	ck_assert_int_eq(fake_peer_state(peer), FAKE_PEER_FINISHED);
}

int active_tester(uint16_t source)
{
	int peer = tester();
	send_activation(peer, source, 0x00);
	expect_activation(peer, 0x10);
	return peer;
}

void expect_alive_exchange(int peer, uint16_t source)
{
	static const uint8_t request[2] = {0x3E, 0x00};
	send_diagnostic(peer, source, ENTITY, request, sizeof request);
	expect_ack(peer, 0x8002, 0x00);
	struct message m = expect_message(peer, 0x8001);
	ck_assert_uint_eq(m.payload[0] << 8 | m.payload[1], ENTITY);
	ck_assert_uint_eq(m.payload[2] << 8 | m.payload[3], source);
	ck_assert_uint_eq(m.payload[4], 0x7E);
	expect_nothing(peer);
}
