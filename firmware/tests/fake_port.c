/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_port.h"

#include <setjmp.h>
#include <string.h>

#define CONNECTIONS     64
#define DATAGRAMS       64
#define PARAMETERS      64
#define OBJECTS         8
#define GROUPS          4
#define CONSOLE_SIZE    16384u
#define TEXT_SIZE       256u
#define EPHEMERAL_FIRST 49152u
#define CAN_RECEIVED    64u
#define CAN_QUEUE       16u
#define CAN_TICKETS     1024u

struct pipe_bytes {
	uint8_t data[FAKE_PIPE_SIZE];
	size_t head, filled;
};

struct connection {
	bool used, begun_by_firmware, accepted, refused;
	bool peer_finished, peer_reset, firmware_finished, firmware_reset, handle_open;
	struct port_endpoint firmware, peer;
	port_socket listener;
	size_t window, segment;
	struct pipe_bytes to_firmware, to_peer;
};

enum socket_kind { SOCKET_FREE, SOCKET_LISTENER, SOCKET_STREAM, SOCKET_UDP };

struct fake_socket {
	enum socket_kind kind;
	struct port_endpoint local;
	int connection;
	uint8_t backlog;
};

struct datagram_queue {
	struct fake_datagram items[DATAGRAMS];
	port_socket target[DATAGRAMS];
	unsigned count;
};

struct fake_can {
	bool wired, opened, manual;
	struct port_can_frame sent[FAKE_CAN_SENT], received[CAN_RECEIVED];
	uint32_t sent_ticket[FAKE_CAN_SENT];
	unsigned sent_head, sent_count, received_head, received_count, waiting, recoveries, cancelled;
	enum port_status ticket[CAN_TICKETS]; /* of the newest tickets, by number */
	uint32_t last_ticket, lost;
	enum port_can_state state;
	uint8_t transmit_errors, receive_errors;
};

static struct {
	uint64_t now_us;
	uint64_t random_state;
	bool link_up;
	char console[CONSOLE_SIZE];
	size_t console_length;
	char secret[TEXT_SIZE];
	struct {
		char name[TEXT_SIZE], value[TEXT_SIZE];
	} parameters[PARAMETERS];
	struct {
		char name[TEXT_SIZE];
		const uint8_t *data;
		size_t length;
	} objects[OBJECTS];
	uint8_t nvm[PORT_NVM_SIZE];
	uint8_t ram[PORT_RAM_SIZE];
	enum port_reset_reason reason;
	struct fake_socket sockets[PORT_MAX_SOCKETS];
	int next_connection;
	struct port_endpoint groups[GROUPS];
	unsigned group_count;
	struct {
		unsigned every, count;
		enum port_status status;
	} failures[FAKE_OPERATIONS];
	void (*wait_hook)(void *context);
	void *wait_context;
	uint16_t ephemeral;
	struct fake_can can[PORT_CAN_NODES];
	uint32_t supply_mv;
	uint32_t started_address, started_length;
} fake;

/* Megabytes: a clear touches of them only what was in use. */
static struct connection connections[CONNECTIONS];
static struct datagram_queue inward, outward; /* what lies behind their count is never read */

static struct {
	uint64_t (*next_us)(void);
	void (*after)(void);
} device;

static jmp_buf run_exit;
static bool run_armed;

void fake_port_clear(void)
{
	memset(&fake, 0, sizeof fake);
	for (int i = 0; i < CONNECTIONS; i++)
		connections[i].used = false; /* the rest when it is taken */
	inward.count = 0;
	outward.count = 0;
	memset(fake.nvm, 0xFF, sizeof fake.nvm);
	fake.link_up = true;
	fake.ephemeral = EPHEMERAL_FIRST;
	fake.supply_mv = 12000;
	fake_random_seed(1);
}

/* ---- bytes under way ---------------------------------------------------------------------------------------- */

static size_t pipe_put(struct pipe_bytes *pipe, const uint8_t *data, size_t length, size_t capacity)
{
	size_t room = capacity > pipe->filled ? capacity - pipe->filled : 0;
	if (length > room)
		length = room;
	for (size_t i = 0; i < length; i++)
		pipe->data[(pipe->head + pipe->filled + i) % FAKE_PIPE_SIZE] = data[i];
	pipe->filled += length;
	return length;
}

static size_t pipe_get(struct pipe_bytes *pipe, uint8_t *buffer, size_t size)
{
	if (size > pipe->filled)
		size = pipe->filled;
	for (size_t i = 0; i < size; i++)
		buffer[i] = pipe->data[(pipe->head + i) % FAKE_PIPE_SIZE];
	pipe->head = (pipe->head + size) % FAKE_PIPE_SIZE;
	pipe->filled -= size;
	return size;
}

static bool fails(enum fake_operation operation, enum port_status *ret_status)
{
	if (fake.failures[operation].every == 0 || ++fake.failures[operation].count % fake.failures[operation].every != 0)
		return false;
	*ret_status = fake.failures[operation].status;
	return true;
}

void fake_fail_every(enum fake_operation operation, unsigned n, enum port_status status)
{
	fake.failures[operation].every = n;
	fake.failures[operation].count = 0;
	fake.failures[operation].status = status;
}

/* ---- time, link, console ------------------------------------------------------------------------------------ */

void fake_time_set(uint64_t time_us)
{
	fake.now_us = time_us;
}
void fake_time_advance(uint64_t us)
{
	fake.now_us += us;
}
uint64_t port_time_us(void)
{
	return fake.now_us;
}
void fake_link_set(bool up)
{
	fake.link_up = up;
}
bool port_link_up(void)
{
	return fake.link_up;
}

void fake_wait_hook(void (*hook)(void *context), void *context)
{
	fake.wait_hook = hook;
	fake.wait_context = context;
}

static _Noreturn void leave_run(enum fake_end end)
{
	if (!run_armed)
		__builtin_trap(); /* the test did not expect the firmware to stop: use fake_run() */
	run_armed = false;
	longjmp(run_exit, (int)end);
}

void fake_wait_device(uint64_t (*next_us)(void), void (*after)(void))
{
	device.next_us = next_us;
	device.after = after;
}

void port_wait(uint64_t deadline_us)
{
	uint64_t device_us = device.next_us ? device.next_us() : UINT64_MAX;
	uint64_t until_us = device_us < deadline_us ? device_us : deadline_us;
	if (fake.wait_hook)
		fake.wait_hook(fake.wait_context);
	else if (until_us == UINT64_MAX)
		leave_run(FAKE_HALTED);
	if (until_us != UINT64_MAX && until_us > fake.now_us)
		fake.now_us = until_us;
	if (device.after)
		device.after();
}

void port_delay_until_us(uint64_t deadline_us)
{
	if (deadline_us > fake.now_us)
		fake.now_us = deadline_us;
}

enum fake_end fake_run(void (*function)(void *context), void *context)
{
	run_armed = true;
	int end = setjmp(run_exit);
	if (end == 0) {
		function(context);
		run_armed = false;
	}
	return (enum fake_end)end;
}

_Noreturn void port_reset(enum port_reset kind)
{
	leave_run(kind == PORT_RESET_SYSTEM ? FAKE_RESET_SYSTEM : FAKE_RESET_APPLICATION);
}
enum port_reset_reason port_reset_reason(void)
{
	return fake.reason;
}
void fake_reset_reason_set(enum port_reset_reason reason)
{
	fake.reason = reason;
}

void fake_supply_set(uint32_t millivolts)
{
	fake.supply_mv = millivolts;
}
uint32_t port_supply_mv(void)
{
	return fake.supply_mv;
}

_Noreturn void fake_application_started(uint32_t address, uint32_t length)
{
	fake.started_address = address;
	fake.started_length = length;
	leave_run(FAKE_STARTED);
}
void fake_started(uint32_t *ret_address, uint32_t *ret_length)
{
	*ret_address = fake.started_address;
	*ret_length = fake.started_length;
}
_Noreturn void fake_power_lost(void)
{
	leave_run(FAKE_POWER_LOST);
}

/* ---- no flash, unless fake_flash.c is linked ----------------------------------------------------------------- */

#define WEAK __attribute__((weak))

WEAK enum port_status port_start_application(uint32_t address, uint32_t length)
{
	return PORT_ABSENT;
}
WEAK const struct port_flash_geometry *port_flash_geometry(void)
{
	return NULL;
}
WEAK uint8_t port_flash_active(void)
{
	return 0;
}
WEAK enum port_status port_flash_read(uint32_t address, uint8_t *buffer, size_t length)
{
	return PORT_INVALID;
}
WEAK enum port_status port_flash_erase(uint32_t address, uint32_t sectors)
{
	return PORT_FAILED;
}
WEAK enum port_status port_flash_program(uint32_t address, const uint8_t *data, size_t length)
{
	return PORT_FAILED;
}
WEAK enum port_status port_flash_result(uint32_t address)
{
	return PORT_FAILED;
}
WEAK enum port_status port_flash_unlock(const uint32_t password[8])
{
	return PORT_FAILED;
}
WEAK void port_flash_lock(void) {}

void port_console_write(const char *text, size_t length)
{
	if (length >= CONSOLE_SIZE) {
		text += length - (CONSOLE_SIZE - 1);
		length = CONSOLE_SIZE - 1;
	}
	if (fake.console_length + length >= CONSOLE_SIZE) {
		size_t drop = fake.console_length + length - (CONSOLE_SIZE - 1);
		memmove(fake.console, fake.console + drop, fake.console_length - drop);
		fake.console_length -= drop;
	}
	memcpy(fake.console + fake.console_length, text, length);
	fake.console_length += length;
	fake.console[fake.console_length] = '\0';
}

const char *fake_console(void)
{
	return fake.console;
}

void fake_console_clear(void)
{
	fake.console_length = 0;
	fake.console[0] = '\0';
}

void fake_random_seed(uint64_t seed)
{
	fake.random_state = seed * 0x9E3779B97F4A7C15u + 1;
}

void port_random(uint8_t *buffer, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		fake.random_state ^= fake.random_state << 13;
		fake.random_state ^= fake.random_state >> 7;
		fake.random_state ^= fake.random_state << 17;
		buffer[i] = (uint8_t)(fake.random_state >> 24);
	}
}

static void text_copy(char *to, const char *from)
{
	size_t length = strlen(from);
	if (length >= TEXT_SIZE)
		length = TEXT_SIZE - 1;
	memcpy(to, from, length);
	to[length] = '\0';
}

void port_trace_secret(const char *line)
{
	text_copy(fake.secret, line);
}
const char *fake_secret(void)
{
	return fake.secret;
}

/* ---- parameters, objects, NVM ------------------------------------------------------------------------------- */

static int parameter_find(const char *name)
{
	for (int i = 0; i < PARAMETERS; i++)
		if (strcmp(fake.parameters[i].name, name) == 0)
			return i;
	return -1;
}

void fake_param_set(const char *name, const char *value)
{
	int index = parameter_find(name);
	if (value == NULL) {
		if (index >= 0)
			fake.parameters[index].name[0] = '\0';
		return;
	}
	if (index < 0)
		index = parameter_find("");
	if (index < 0)
		__builtin_trap();
	text_copy(fake.parameters[index].name, name);
	text_copy(fake.parameters[index].value, value);
}

enum port_status port_param_text(const char *name, char *buffer, size_t size)
{
	int index = name[0] ? parameter_find(name) : -1;
	if (index < 0)
		return PORT_ABSENT;
	size_t length = strlen(fake.parameters[index].value);
	if (length >= size)
		return PORT_INVALID;
	memcpy(buffer, fake.parameters[index].value, length + 1);
	return PORT_OK;
}

static int digit_of(char c, unsigned base)
{
	int value = -1;
	if (c >= '0' && c <= '9')
		value = c - '0';
	else if (c >= 'a' && c <= 'f')
		value = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		value = c - 'A' + 10;
	return value >= 0 && (unsigned)value < base ? value : -1;
}

static const char *number_parse(const char *text, unsigned base, uint64_t limit, uint64_t *ret_value)
{
	const char *begin = text;
	uint64_t value = 0;
	for (; digit_of(*text, base) >= 0; text++) {
		value = value * base + (unsigned)digit_of(*text, base);
		if (value > limit)
			return NULL;
	}
	*ret_value = value;
	return text == begin ? NULL : text;
}

enum port_status port_param_u32(const char *name, uint32_t *ret_value)
{
	char text[TEXT_SIZE];
	enum port_status status = port_param_text(name, text, sizeof text);
	if (status != PORT_OK)
		return status;
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	uint64_t value;
	const char *end = number_parse(hex ? text + 2 : text, hex ? 16 : 10, UINT32_MAX, &value);
	if (end == NULL || *end != '\0')
		return PORT_INVALID;
	*ret_value = (uint32_t)value;
	return PORT_OK;
}

void fake_object_set(const char *name, const void *data, size_t length)
{
	int place = -1;
	for (int i = OBJECTS - 1; i >= 0; i--)
		if (fake.objects[i].name[0] == '\0' || strcmp(fake.objects[i].name, name) == 0)
			place = i;
	if (place < 0)
		__builtin_trap();
	text_copy(fake.objects[place].name, name);
	fake.objects[place].data = data;
	fake.objects[place].length = length;
}

enum port_status port_object(const char *name, const uint8_t **ret_data, size_t *ret_length)
{
	for (int i = 0; i < OBJECTS; i++) {
		if (fake.objects[i].data == NULL || strcmp(fake.objects[i].name, name) != 0)
			continue;
		*ret_data = fake.objects[i].data;
		*ret_length = fake.objects[i].length;
		return PORT_OK;
	}
	return PORT_ABSENT;
}

uint8_t *fake_ram(void)
{
	return fake.ram;
}

const volatile uint8_t *port_ram(uint32_t address, size_t length)
{
	if (address < PORT_RAM_BEGIN || address - PORT_RAM_BEGIN > PORT_RAM_SIZE || length > PORT_RAM_SIZE - (address - PORT_RAM_BEGIN))
		return NULL;
	return fake.ram + (address - PORT_RAM_BEGIN);
}

uint8_t *fake_nvm(void)
{
	return fake.nvm;
}

static bool nvm_inside(uint32_t offset, size_t length)
{
	return offset <= PORT_NVM_SIZE && length <= PORT_NVM_SIZE - offset;
}

enum port_status port_nvm_read(uint32_t offset, uint8_t *buffer, size_t length)
{
	enum port_status status;
	if (!nvm_inside(offset, length))
		return PORT_INVALID;
	if (fails(FAKE_NVM, &status))
		return status;
	memcpy(buffer, fake.nvm + offset, length);
	return PORT_OK;
}

enum port_status port_nvm_write(uint32_t offset, const uint8_t *data, size_t length)
{
	enum port_status status;
	if (!nvm_inside(offset, length))
		return PORT_INVALID;
	if (fails(FAKE_NVM, &status))
		return status;
	memcpy(fake.nvm + offset, data, length);
	return PORT_OK;
}

/* ---- endpoints ---------------------------------------------------------------------------------------------- */

static const char *parse_v4(const char *text, struct port_endpoint *endpoint)
{
	endpoint->family = 4;
	for (int i = 0; i < 4; i++) {
		uint64_t value;
		text = number_parse(text, 10, 255, &value);
		if (text == NULL || (i < 3 && *text++ != '.'))
			return NULL;
		endpoint->address[i] = (uint8_t)value;
	}
	return text;
}

/* Up to eight groups with at most one "::". */
static const char *parse_v6(const char *text, struct port_endpoint *endpoint)
{
	uint8_t groups[16];
	int count = 0, gap = -1;
	endpoint->family = 6;
	if (text[0] == ':' && text[1] == ':')
		gap = 0, text += 2;
	while (*text != ']' && *text != '%') {
		uint64_t value;
		text = count < 8 ? number_parse(text, 16, 0xFFFF, &value) : NULL;
		if (text == NULL)
			return NULL;
		groups[2 * count] = (uint8_t)(value >> 8);
		groups[2 * count + 1] = (uint8_t)value;
		count++;
		if (*text != ':')
			continue;
		text++;
		if (*text == ':') {
			if (gap >= 0)
				return NULL;
			gap = count;
			text++;
		}
	}
	if (gap < 0 ? count != 8 : count > 7)
		return NULL;
	int head = gap < 0 ? count : gap;
	memcpy(endpoint->address, groups, (size_t)head * 2);
	memcpy(endpoint->address + 16 - (count - head) * 2, groups + head * 2, (size_t)(count - head) * 2);
	return text;
}

enum port_status port_endpoint_parse(const char *text, struct port_endpoint *ret_endpoint)
{
	struct port_endpoint endpoint = {0};
	uint64_t value;
	if (*text == '[') {
		text = parse_v6(text + 1, &endpoint);
		if (text != NULL && *text == '%') {
			text = number_parse(text + 1, 10, UINT32_MAX, &value);
			endpoint.scope_id = text != NULL ? (uint32_t)value : 0;
		}
		if (text == NULL || *text++ != ']')
			return PORT_INVALID;
	} else {
		text = parse_v4(text, &endpoint);
	}
	if (text == NULL || *text != ':')
		return PORT_INVALID;
	text = number_parse(text + 1, 10, 65535, &value);
	if (text == NULL || *text != '\0')
		return PORT_INVALID;
	endpoint.port = (uint16_t)value;
	*ret_endpoint = endpoint;
	return PORT_OK;
}

static struct port_endpoint endpoint_of(const char *text)
{
	struct port_endpoint endpoint;
	if (port_endpoint_parse(text, &endpoint) != PORT_OK)
		__builtin_trap();
	return endpoint;
}

static bool address_any(const struct port_endpoint *e)
{
	for (int i = 0; i < (e->family == 4 ? 4 : 16); i++)
		if (e->address[i] != 0)
			return false;
	return true;
}

static bool bound_to(const struct port_endpoint *local, const struct port_endpoint *to)
{
	if (local->family != to->family || local->port != to->port)
		return false;
	return address_any(local) || memcmp(local->address, to->address, local->family == 4 ? 4 : 16) == 0;
}

/* ---- the port's table --------------------------------------------------------------------------------------- */

static port_socket socket_take(enum socket_kind kind)
{
	for (port_socket i = 0; i < PORT_MAX_SOCKETS; i++) {
		if (fake.sockets[i].kind != SOCKET_FREE)
			continue;
		memset(&fake.sockets[i], 0, sizeof fake.sockets[i]);
		fake.sockets[i].kind = kind;
		fake.sockets[i].connection = -1;
		return i;
	}
	return PORT_NO_SOCKET;
}

static struct fake_socket *socket_get(port_socket handle, enum socket_kind kind)
{
	if (handle < 0 || handle >= PORT_MAX_SOCKETS || fake.sockets[handle].kind != kind)
		__builtin_trap(); /* a handle that is not open: always a bug of the firmware */
	return &fake.sockets[handle];
}

unsigned fake_sockets_open(void)
{
	unsigned count = 0;
	for (int i = 0; i < PORT_MAX_SOCKETS; i++)
		count += fake.sockets[i].kind != SOCKET_FREE;
	return count;
}

/* Takes one that was never used, else the one that ended longest ago (the search goes round). */
static int connection_take(void)
{
	for (int n = 0; n < CONNECTIONS; n++) {
		int i = fake.next_connection;
		fake.next_connection = (i + 1) % CONNECTIONS;
		struct connection *c = &connections[i];
		if (c->used && !c->firmware_finished && !c->firmware_reset && !c->refused)
			continue;
		memset(c, 0, sizeof *c);
		c->used = true;
		c->window = FAKE_PIPE_SIZE;
		c->listener = PORT_NO_SOCKET;
		return i;
	}
	__builtin_trap();
}

enum port_status port_tcp_listen(const struct port_endpoint *local, uint8_t backlog, port_socket *ret_socket)
{
	enum port_status status;
	if (fails(FAKE_OPEN, &status))
		return status;
	port_socket handle = socket_take(SOCKET_LISTENER);
	if (handle == PORT_NO_SOCKET)
		return PORT_FULL;
	fake.sockets[handle].local = *local;
	fake.sockets[handle].backlog = backlog;
	*ret_socket = handle;
	return PORT_OK;
}

enum port_status port_tcp_accept(port_socket listener, port_socket *ret_socket, struct port_endpoint *ret_peer)
{
	enum port_status status;
	socket_get(listener, SOCKET_LISTENER);
	if (fails(FAKE_ACCEPT, &status))
		return status;
	for (int i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &connections[i];
		if (!c->used || c->listener != listener || c->accepted)
			continue;
		port_socket handle = socket_take(SOCKET_STREAM);
		if (handle == PORT_NO_SOCKET)
			return PORT_FULL;
		fake.sockets[handle].connection = i;
		c->accepted = true;
		c->handle_open = true;
		*ret_socket = handle;
		*ret_peer = c->peer;
		return PORT_OK;
	}
	return PORT_WOULD_BLOCK;
}

enum port_status port_tcp_connect(const struct port_endpoint *local, const struct port_endpoint *remote, port_socket *ret_socket)
{
	enum port_status status;
	if (fails(FAKE_OPEN, &status))
		return status;
	port_socket handle = socket_take(SOCKET_STREAM);
	if (handle == PORT_NO_SOCKET)
		return PORT_FULL;
	int index = connection_take();
	struct connection *c = &connections[index];
	c->begun_by_firmware = true;
	c->handle_open = true;
	c->peer = *remote;
	if (local != NULL)
		c->firmware = *local;
	fake.sockets[handle].connection = index;
	*ret_socket = handle;
	return PORT_OK;
}

static struct connection *connection_of(port_socket handle)
{
	return &connections[socket_get(handle, SOCKET_STREAM)->connection];
}

enum port_status port_tcp_connected(port_socket handle)
{
	struct connection *c = connection_of(handle);
	if (c->refused || c->peer_reset)
		return PORT_FAILED;
	return c->accepted ? PORT_OK : PORT_WOULD_BLOCK;
}

static size_t segment_of(const struct connection *c, size_t length)
{
	return c->segment != 0 && length > c->segment ? c->segment : length;
}

enum port_status port_tcp_send(port_socket handle, const uint8_t *data, size_t length, size_t *ret_sent)
{
	struct connection *c = connection_of(handle);
	enum port_status status;
	if (length == 0)
		return PORT_INVALID;
	if (fails(FAKE_SEND, &status))
		return status;
	if (c->refused || c->peer_reset)
		return PORT_FAILED;
	if (!c->accepted)
		return PORT_WOULD_BLOCK;
	size_t sent = pipe_put(&c->to_peer, data, segment_of(c, length), c->window);
	if (sent == 0)
		return PORT_WOULD_BLOCK;
	*ret_sent = sent;
	return PORT_OK;
}

enum port_status port_tcp_receive(port_socket handle, uint8_t *buffer, size_t size, size_t *ret_received)
{
	struct connection *c = connection_of(handle);
	enum port_status status;
	if (size == 0)
		return PORT_INVALID;
	if (fails(FAKE_RECEIVE, &status))
		return status;
	if (c->refused || c->peer_reset)
		return PORT_FAILED;
	size_t received = pipe_get(&c->to_firmware, buffer, segment_of(c, size));
	if (received == 0)
		return c->peer_finished ? PORT_CLOSED : PORT_WOULD_BLOCK;
	*ret_received = received;
	return PORT_OK;
}

static void stream_release(port_socket handle, bool reset)
{
	struct connection *c = connection_of(handle);
	c->handle_open = false;
	if (reset || c->to_firmware.filled > 0)
		c->firmware_reset = true; /* closing with unread input makes a stack send RST */
	else
		c->firmware_finished = true;
	fake.sockets[handle].kind = SOCKET_FREE;
}

void port_tcp_close(port_socket handle)
{
	if (handle >= 0 && handle < PORT_MAX_SOCKETS && fake.sockets[handle].kind == SOCKET_LISTENER) {
		for (int i = 0; i < CONNECTIONS; i++)
			if (connections[i].used && connections[i].listener == handle && !connections[i].accepted)
				connections[i].firmware_reset = true;
		fake.sockets[handle].kind = SOCKET_FREE;
		return;
	}
	stream_release(handle, false);
}

void port_tcp_abort(port_socket handle)
{
	stream_release(handle, true);
}

/* ---- the test's side of TCP --------------------------------------------------------------------------------- */

static struct connection *peer_get(int peer)
{
	if (peer < 0 || peer >= CONNECTIONS || !connections[peer].used)
		__builtin_trap();
	return &connections[peer];
}

int fake_peer_connect(const char *from, const char *to)
{
	struct port_endpoint target = endpoint_of(to);
	for (port_socket i = 0; i < PORT_MAX_SOCKETS; i++) {
		if (fake.sockets[i].kind != SOCKET_LISTENER || !bound_to(&fake.sockets[i].local, &target))
			continue;
		int index = connection_take();
		struct connection *c = &connections[index];
		c->listener = i;
		c->firmware = target;
		c->peer = endpoint_of(from);
		if (c->peer.port == 0)
			c->peer.port = fake.ephemeral++;
		return index;
	}
	return -1;
}

int fake_peer_incoming(void)
{
	for (int i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &connections[i];
		if (c->used && c->begun_by_firmware && !c->accepted && !c->refused && c->handle_open)
			return i;
	}
	return -1;
}

void fake_peer_accept(int peer)
{
	peer_get(peer)->accepted = true;
}
void fake_peer_refuse(int peer)
{
	peer_get(peer)->refused = true;
}

size_t fake_peer_send(int peer, const void *data, size_t length)
{
	struct connection *c = peer_get(peer);
	if (c->firmware_finished || c->firmware_reset) {
		c->firmware_reset = true;
		return 0;
	}
	return pipe_put(&c->to_firmware, data, length, FAKE_PIPE_SIZE);
}

size_t fake_peer_take(int peer, void *buffer, size_t size)
{
	return pipe_get(&peer_get(peer)->to_peer, buffer, size);
}
size_t fake_peer_available(int peer)
{
	return peer_get(peer)->to_peer.filled;
}
void fake_peer_close(int peer)
{
	peer_get(peer)->peer_finished = true;
}
void fake_peer_abort(int peer)
{
	peer_get(peer)->peer_reset = true;
}
void fake_peer_window(int peer, size_t window)
{
	peer_get(peer)->window = window > FAKE_PIPE_SIZE ? FAKE_PIPE_SIZE : window;
}
void fake_peer_segment(int peer, size_t segment)
{
	peer_get(peer)->segment = segment;
}

enum fake_peer_state fake_peer_state(int peer)
{
	const struct connection *c = peer_get(peer);
	if (c->firmware_reset)
		return FAKE_PEER_RESET;
	if (c->firmware_finished)
		return FAKE_PEER_FINISHED;
	return c->accepted ? FAKE_PEER_OPEN : FAKE_PEER_WAITING;
}

/* ---- UDP ---------------------------------------------------------------------------------------------------- */

enum port_status port_udp_open(const struct port_endpoint *local, bool broadcast, port_socket *ret_socket)
{
	enum port_status status;
	(void)broadcast;
	if (fails(FAKE_OPEN, &status))
		return status;
	port_socket handle = socket_take(SOCKET_UDP);
	if (handle == PORT_NO_SOCKET)
		return PORT_FULL;
	fake.sockets[handle].local = *local;
	*ret_socket = handle;
	return PORT_OK;
}

enum port_status port_udp_join(port_socket handle, const struct port_endpoint *group)
{
	enum port_status status;
	socket_get(handle, SOCKET_UDP);
	if (fails(FAKE_JOIN, &status))
		return status;
	if (fake.group_count == GROUPS)
		return PORT_FULL;
	fake.groups[fake.group_count++] = *group;
	return PORT_OK;
}

bool fake_udp_joined(const char *group)
{
	struct port_endpoint wanted = endpoint_of(group);
	for (unsigned i = 0; i < fake.group_count; i++)
		if (fake.groups[i].family == wanted.family && memcmp(fake.groups[i].address, wanted.address, 16) == 0)
			return true;
	return false;
}

static bool queue_put(struct datagram_queue *queue, port_socket target, const struct port_endpoint *from, const struct port_endpoint *to,
                      const uint8_t *data, size_t length)
{
	if (queue->count == DATAGRAMS || length > FAKE_DATAGRAM_SIZE)
		return false;
	struct fake_datagram *item = &queue->items[queue->count];
	item->from = *from;
	item->to = *to;
	item->length = length;
	if (length > 0)
		memcpy(item->data, data, length);
	queue->target[queue->count++] = target;
	return true;
}

static void queue_remove(struct datagram_queue *queue, unsigned index)
{
	queue->count--;
	memmove(&queue->items[index], &queue->items[index + 1], (queue->count - index) * sizeof queue->items[0]);
	memmove(&queue->target[index], &queue->target[index + 1], (queue->count - index) * sizeof queue->target[0]);
}

enum port_status port_udp_send(port_socket handle, const struct port_endpoint *remote, const uint8_t *data, size_t length)
{
	enum port_status status;
	struct fake_socket *s = socket_get(handle, SOCKET_UDP);
	if (fails(FAKE_UDP_SEND, &status))
		return status;
	return queue_put(&outward, handle, &s->local, remote, data, length) ? PORT_OK : PORT_WOULD_BLOCK;
}

enum port_status port_udp_receive(port_socket handle, uint8_t *buffer, size_t size, size_t *ret_received, struct port_endpoint *ret_remote)
{
	enum port_status status;
	socket_get(handle, SOCKET_UDP);
	if (fails(FAKE_UDP_RECEIVE, &status))
		return status;
	for (unsigned i = 0; i < inward.count; i++) {
		if (inward.target[i] != handle)
			continue;
		const struct fake_datagram *item = &inward.items[i];
		size_t length = item->length < size ? item->length : size; /* the rest of a longer datagram is lost */
		memcpy(buffer, item->data, length);
		*ret_received = length;
		*ret_remote = item->from;
		queue_remove(&inward, i);
		return PORT_OK;
	}
	return PORT_WOULD_BLOCK;
}

void port_udp_close(port_socket handle)
{
	socket_get(handle, SOCKET_UDP)->kind = SOCKET_FREE;
}

bool fake_udp_send(const char *from, const char *to, const void *data, size_t length)
{
	struct port_endpoint source = endpoint_of(from), target = endpoint_of(to);
	for (port_socket i = 0; i < PORT_MAX_SOCKETS; i++)
		if (fake.sockets[i].kind == SOCKET_UDP && bound_to(&fake.sockets[i].local, &target))
			return queue_put(&inward, i, &source, &target, data, length);
	return false;
}

bool fake_udp_take(struct fake_datagram *ret_datagram)
{
	if (outward.count == 0)
		return false;
	*ret_datagram = outward.items[0];
	queue_remove(&outward, 0);
	return true;
}

/* ---- CAN ---------------------------------------------------------------------------------------------------- */

static struct fake_can *can_get(uint8_t node)
{
	if (node >= PORT_CAN_NODES)
		__builtin_trap();
	return &fake.can[node];
}

/* A node that was not opened is the firmware's bug, but the contract has an answer for it. */
static struct fake_can *can_opened(uint8_t node)
{
	return node < PORT_CAN_NODES && fake.can[node].opened ? &fake.can[node] : NULL;
}

enum port_status port_can_open(uint8_t node)
{
	enum port_status status;
	if (node >= PORT_CAN_NODES || !fake.can[node].wired)
		return PORT_ABSENT;
	if (fails(FAKE_OPEN, &status))
		return status;
	fake.can[node].opened = true;
	return PORT_OK;
}

static bool can_legal(const struct port_can_frame *frame)
{
	bool fd = frame->flags & PORT_CAN_FD;
	uint8_t n = frame->length;
	if (frame->id > (frame->flags & PORT_CAN_EXTENDED ? 0x1FFFFFFFu : 0x7FFu))
		return false;
	if (fd ? (frame->flags & PORT_CAN_REMOTE) != 0 : (frame->flags & (PORT_CAN_BRS | PORT_CAN_ESI)) != 0)
		return false;
	return n <= 8 || (fd && (n == 12 || n == 16 || n == 20 || n == 24 || n == 32 || n == 48 || n == 64));
}

enum port_status port_can_send(uint8_t node, const struct port_can_frame *frame, uint32_t *ret_ticket)
{
	enum port_status status;
	struct fake_can *can = can_opened(node);
	if (can == NULL || !can_legal(frame))
		return can == NULL ? PORT_ABSENT : PORT_INVALID;
	if (fails(FAKE_CAN_SEND, &status))
		return status;
	if (can->state == PORT_CAN_BUS_OFF)
		return PORT_FAILED;
	if (can->waiting == CAN_QUEUE)
		return PORT_WOULD_BLOCK;
	if (can->sent_count == FAKE_CAN_SENT)
		__builtin_trap(); /* the test does not take what the firmware sends */
	unsigned place = (can->sent_head + can->sent_count++) % FAKE_CAN_SENT;
	uint32_t ticket = ++can->last_ticket;
	can->sent[place] = *frame;
	can->sent[place].time_us = fake.now_us;
	can->sent_ticket[place] = ticket;
	can->ticket[ticket % CAN_TICKETS] = can->manual ? PORT_WOULD_BLOCK : PORT_OK;
	can->waiting += can->manual;
	if (ret_ticket != NULL)
		*ret_ticket = ticket;
	return PORT_OK;
}

enum port_status port_can_sent(uint8_t node, uint32_t ticket)
{
	const struct fake_can *can = can_opened(node);
	if (can == NULL || ticket - 1 >= can->last_ticket || can->last_ticket - ticket >= CAN_TICKETS)
		return PORT_FAILED;
	return can->ticket[ticket % CAN_TICKETS];
}

enum port_status port_can_cancel(uint8_t node, uint32_t ticket)
{
	struct fake_can *can = can_opened(node);
	if (can == NULL || port_can_sent(node, ticket) != PORT_WOULD_BLOCK)
		return can == NULL ? PORT_ABSENT : PORT_FAILED;
	can->ticket[ticket % CAN_TICKETS] = PORT_FAILED;
	can->waiting--;
	can->cancelled++;
	return PORT_OK;
}

enum port_status port_can_receive(uint8_t node, struct port_can_frame *ret_frame)
{
	struct fake_can *can = can_opened(node);
	if (can == NULL || can->received_count == 0)
		return can == NULL ? PORT_ABSENT : PORT_WOULD_BLOCK;
	*ret_frame = can->received[can->received_head];
	can->received_head = (can->received_head + 1) % CAN_RECEIVED;
	can->received_count--;
	return PORT_OK;
}

enum port_can_state port_can_state(uint8_t node, uint8_t *ret_transmit_errors, uint8_t *ret_receive_errors)
{
	const struct fake_can *can = can_get(node);
	if (ret_transmit_errors != NULL)
		*ret_transmit_errors = can->transmit_errors;
	if (ret_receive_errors != NULL)
		*ret_receive_errors = can->receive_errors;
	return can->state;
}

uint32_t port_can_lost(uint8_t node)
{
	return can_get(node)->lost;
}

enum port_status port_can_recover(uint8_t node)
{
	struct fake_can *can = can_opened(node);
	if (can == NULL)
		return PORT_ABSENT;
	can->recoveries++;
	return PORT_OK;
}

void fake_can_wire(uint8_t node)
{
	can_get(node)->wired = true;
}
bool fake_can_opened(uint8_t node)
{
	return can_get(node)->opened;
}

bool fake_can_take(uint8_t node, struct port_can_frame *ret_frame, uint32_t *ret_ticket)
{
	struct fake_can *can = can_get(node);
	if (can->sent_count == 0)
		return false;
	*ret_frame = can->sent[can->sent_head];
	if (ret_ticket != NULL)
		*ret_ticket = can->sent_ticket[can->sent_head];
	can->sent_head = (can->sent_head + 1) % FAKE_CAN_SENT;
	can->sent_count--;
	return true;
}

bool fake_can_inject(uint8_t node, const struct port_can_frame *frame)
{
	struct fake_can *can = can_get(node);
	if (can->received_count == CAN_RECEIVED) {
		can->lost++;
		return false;
	}
	unsigned place = (can->received_head + can->received_count++) % CAN_RECEIVED;
	can->received[place] = *frame;
	can->received[place].time_us = fake.now_us;
	return true;
}

void fake_can_state_set(uint8_t node, enum port_can_state state, uint8_t transmit_errors, uint8_t receive_errors)
{
	struct fake_can *can = can_get(node);
	can->state = state;
	can->transmit_errors = transmit_errors;
	can->receive_errors = receive_errors;
	if (state != PORT_CAN_BUS_OFF)
		return;
	for (unsigned i = 0; i < CAN_TICKETS; i++) /* the queue is given up */
		if (can->ticket[i] == PORT_WOULD_BLOCK)
			can->ticket[i] = PORT_FAILED;
	can->waiting = 0;
}

void fake_can_automatic(uint8_t node, bool on)
{
	can_get(node)->manual = !on;
}

void fake_can_confirm(uint8_t node, uint32_t ticket, bool acknowledged)
{
	struct fake_can *can = can_get(node);
	if (can->ticket[ticket % CAN_TICKETS] != PORT_WOULD_BLOCK)
		__builtin_trap(); /* not a ticket that waits */
	can->ticket[ticket % CAN_TICKETS] = acknowledged ? PORT_OK : PORT_FAILED;
	can->waiting--;
}

unsigned fake_can_cancelled(uint8_t node)
{
	return can_get(node)->cancelled;
}

unsigned fake_can_recoveries(uint8_t node)
{
	return can_get(node)->recoveries;
}
