/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port contract: everything that portable firmware (core/, boot/, app/) may ask of the chip below it.
 *
 * Rules for a port
 *  - One thread. No call blocks, but for port_wait() and port_delay_until_us().
 *  - No call allocates on behalf of the caller; handles are small indices into the port's static tables.
 *  - Every output parameter is left untouched unless PORT_OK is returned.
 *  - Times are microseconds since the CPU left reset (a restart begins again at the port's reset time).
 *  - A stream that has something to read ends port_wait() until it has been asked once; a layer that leaves bytes
 *    unread (because it has no room) is not woken for them again until it next asks. So: read until PORT_WOULD_BLOCK,
 *    or come back when the room is there.
 */
#ifndef FIRMWARE_PORT_H
#define FIRMWARE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum port_status {
	PORT_OK = 0,
	PORT_WOULD_BLOCK, /* nothing to do now; ask again after port_wait() */
	PORT_CLOSED,      /* the peer ended the stream in an orderly way */
	PORT_FAILED,      /* reset by the peer, unreachable, or a fault of the port */
	PORT_FULL,        /* the port's static table is full */
	PORT_INVALID,     /* bad argument */
	PORT_ABSENT,      /* no such parameter or object */
};

/* ---- time ------------------------------------------------------------------------------------------------ */

/* Microseconds since the CPU left reset; never goes back. */
uint64_t port_time_us(void);

/* Sleeps until a socket may have something to do, console input came, or deadline_us is reached.
 * UINT64_MAX: no deadline. Spurious returns are allowed. Kicks the watchdog. */
void port_wait(uint64_t deadline_us);

/* The next port_wait() returns at deadline_us at the latest, whatever its caller asks for. For layers that have no say
 * in their caller's deadline; forgotten once that time is reached. The earliest of several requests counts. */
void port_wake_at(uint64_t deadline_us);

/* Blocks until deadline_us: only for boot stages, where nothing else runs yet. */
void port_delay_until_us(uint64_t deadline_us);

/* ---- console --------------------------------------------------------------------------------------------- */

/* Writes to the board's console (best effort, a full UART drops nothing but may wait one character time). */
void port_console_write(const char *text, size_t length);

/* Takes what was typed into the console: number of bytes, 0 when there is nothing. */
size_t port_console_read(char *buffer, size_t size);

/* Entropy from the chip's TRNG. Never fails (a port without entropy must not start). */
void port_random(uint8_t *buffer, size_t length);

/* ---- parameters (calibration data, read only) ------------------------------------------------------------ */

/* A board parameter by name ("doip.logical_address"). Names: docs/reference/virtual-board.md.
 * u32: decimal or 0x hexadecimal. text: NUL terminated into buffer[size], PORT_INVALID if it does not fit.
 * PORT_ABSENT when it is not set; *ret_value is then untouched, so a caller presets its default. */
enum port_status port_param_u32(const char *name, uint32_t *ret_value);
enum port_status port_param_text(const char *name, char *buffer, size_t size);

/* A read-only object by name ("tls.ca", "tls.certificate", "tls.key"), in DER or PEM, held by the port for the
 * life of the program (PEM objects include the terminating NUL in *ret_length, as mbedTLS asks). */
enum port_status port_object(const char *name, const uint8_t **ret_data, size_t *ret_length);

/* ---- non-volatile memory (survives power off) ------------------------------------------------------------- */

#define PORT_NVM_SIZE 4096u
enum port_status port_nvm_read(uint32_t offset, uint8_t *buffer, size_t length);
enum port_status port_nvm_write(uint32_t offset, const uint8_t *data, size_t length);

/* ---- debug RAM (docs/reference/probe.md) ------------------------------------------------------------------------- */

#define PORT_RAM_BEGIN 0x20000000u
#define PORT_RAM_SIZE  0x10000u
/* RAM that a debugger may write while the CPU runs or is held in reset: the bytes at an address of the chip, NULL when they do
 * not lie in it. Kept over resets, 0 at power-on. */
const volatile uint8_t *port_ram(uint32_t address, size_t length);

/* ---- flash (docs/reference/flash.md, docs/reference/update.md) --------------------------------------------------- */

#define PORT_FLASH_BURST     256u /* bytes of a PFLASH write burst; a page has 32 */
#define PORT_FLASH_DATA_PAGE 8u   /* DFLASH and UCB */

struct port_flash_geometry {
	uint32_t bank[2]; /* physical base addresses of bank A and B; bank[0] is also where the running bank is mapped */
	uint32_t bank_size, sector_size;
	uint32_t boot_size;                         /* protected area at the begin of each bank; the application area follows */
	uint32_t data, data_size, data_sector_size; /* DFLASH */
	uint32_t swap_orig, swap_copy, ucb_size;    /* UCB_SWAP_ORIG and UCB_SWAP_COPY */
};
/* NULL: the port has no flash. */
const struct port_flash_geometry *port_flash_geometry(void);
/* SCU_STMEM1: 0 bank A is mapped to bank[0], 1 bank B is. Changes at a power-on or system reset only. */
uint8_t port_flash_active(void);

/* Reads at a *mapped* address (as the CPU does; DFLASH and UCB are never remapped). PORT_FAILED: uncorrectable ECC
 * error or an erased PFLASH page (the trap was handled); PORT_WOULD_BLOCK: the bank is busy; PORT_INVALID: no memory. */
enum port_status port_flash_read(uint32_t address, uint8_t *buffer, size_t length);

/* Commands take *physical* addresses. They begin and go on by themselves; the end ends port_wait().
 * PORT_OK begun; PORT_WOULD_BLOCK the bank is busy; PORT_INVALID sequence error (alignment, length, sectors over the
 * bank's end, 1..32 of them); PORT_FAILED protection error. program: 32 or 256 bytes in a bank, 8 in DFLASH and UCB. */
enum port_status port_flash_erase(uint32_t address, uint32_t sectors);
enum port_status port_flash_program(uint32_t address, const uint8_t *data, size_t length);
/* The last command on the bank (or DFLASH/UCB) that holds the physical address: PORT_WOULD_BLOCK still busy, PORT_OK,
 * PORT_FAILED verify error (PVER, EVER). */
enum port_status port_flash_result(uint32_t address);
/* UCB commands are allowed between these two. PORT_FAILED: wrong password, no further try until the next reset. */
enum port_status port_flash_unlock(const uint32_t password[8]);
void port_flash_lock(void);

/* The board's supply, mV. */
uint32_t port_supply_mv(void);

/* ---- reset ------------------------------------------------------------------------------------------------ */

enum port_reset { PORT_RESET_SYSTEM, PORT_RESET_APPLICATION };
enum port_reset_reason { PORT_REASON_POWER_ON, PORT_REASON_SYSTEM, PORT_REASON_APPLICATION, PORT_REASON_WATCHDOG, PORT_REASON_EXTERNAL };
_Noreturn void port_reset(enum port_reset kind);
enum port_reset_reason port_reset_reason(void);

/* Bootloader only: hands the CPU to the program of `length` bytes at the mapped flash address. Exactly these bytes run.
 * Returns only when they cannot be run (PORT_FAILED) or read (PORT_INVALID). On a port without flash (geometry NULL)
 * both are 0 and the port's own application starts; PORT_ABSENT when it has none. */
enum port_status port_start_application(uint32_t address, uint32_t length);

/* ---- network ---------------------------------------------------------------------------------------------- */

typedef int16_t port_socket; /* index into the port's table */
#define PORT_NO_SOCKET   ((port_socket) - 1)
#define PORT_MAX_SOCKETS 24

struct port_endpoint {
	uint8_t family;      /* 4 or 6 */
	uint8_t address[16]; /* IPv4 in the first four bytes; network order */
	uint16_t port;       /* host order */
	uint32_t scope_id;   /* IPv6 link-local only */
};

/* "192.168.1.1:13400" or "[fe80::1%2]:13400"; PORT_INVALID otherwise. */
enum port_status port_endpoint_parse(const char *text, struct port_endpoint *ret_endpoint);

enum port_status port_tcp_listen(const struct port_endpoint *local, uint8_t backlog, port_socket *ret_socket);
enum port_status port_tcp_accept(port_socket listener, port_socket *ret_socket, struct port_endpoint *ret_peer);
/* Starts a connection; local may be NULL. The end is asked for with port_tcp_connected(). */
enum port_status port_tcp_connect(const struct port_endpoint *local, const struct port_endpoint *remote, port_socket *ret_socket);
/* PORT_OK connected, PORT_WOULD_BLOCK under way, PORT_FAILED refused, reset or unreachable. */
enum port_status port_tcp_connected(port_socket socket);
/* Sends or receives what it can; PORT_OK means at least one byte. Nagle is off. */
enum port_status port_tcp_send(port_socket socket, const uint8_t *data, size_t length, size_t *ret_sent);
enum port_status port_tcp_receive(port_socket socket, uint8_t *buffer, size_t size, size_t *ret_received);
/* Orderly close of the sending direction, then the handle is freed (the stack finishes what was queued). */
void port_tcp_close(port_socket socket);
/* RST at once, then the handle is freed. */
void port_tcp_abort(port_socket socket);

/* broadcast: may send to broadcast addresses. Several sockets may share an address and port. */
enum port_status port_udp_open(const struct port_endpoint *local, bool broadcast, port_socket *ret_socket);
/* Joins an IPv6 or IPv4 multicast group on the socket's interface. */
enum port_status port_udp_join(port_socket socket, const struct port_endpoint *group);
enum port_status port_udp_send(port_socket socket, const struct port_endpoint *remote, const uint8_t *data, size_t length);
enum port_status port_udp_receive(port_socket socket, uint8_t *buffer, size_t size, size_t *ret_received, struct port_endpoint *ret_remote);
void port_udp_close(port_socket socket);

/* True while the physical link is up; a change ends port_wait(). */
bool port_link_up(void);

/* ---- CAN ---------------------------------------------------------------------------------------------------- */

#define PORT_CAN_MAX_DATA 64u
#define PORT_CAN_NODES    2u

enum port_can_flag {                        /* bits of port_can_frame.flags */
	             PORT_CAN_EXTENDED = 1, /* 29-bit identifier */
	             PORT_CAN_REMOTE = 2,   /* classic remote frame: length is the requested DLC, no data */
	             PORT_CAN_FD = 4,       /* FDF */
	             PORT_CAN_BRS = 8,      /* data phase at the data bit rate (FD only) */
	             PORT_CAN_ESI = 16,     /* the sender was error passive (FD only, set by the controller) */
};
struct port_can_frame {
	uint32_t id;
	uint8_t flags;
	uint8_t length; /* bytes: 0..8, FD also 12, 16, 20, 24, 32, 48, 64 */
	uint8_t data[PORT_CAN_MAX_DATA];
	uint64_t time_us; /* received frames: end of frame, the board's clock */
};
enum port_can_state { PORT_CAN_ACTIVE, PORT_CAN_WARNING, PORT_CAN_PASSIVE, PORT_CAN_BUS_OFF };

/* Joins bus number `node` (0, 1). PORT_ABSENT: the board is not wired to it. Idempotent. */
enum port_status port_can_open(uint8_t node);
/* Queues a frame in the controller (at most 16 wait). PORT_WOULD_BLOCK: the queue is full; PORT_FAILED: bus-off;
 * PORT_INVALID: illegal length or flags. *ret_ticket (may be NULL) is for port_can_sent(). */
enum port_status port_can_send(uint8_t node, const struct port_can_frame *frame, uint32_t *ret_ticket);
/* PORT_OK: acknowledged on the bus; PORT_WOULD_BLOCK: still waiting; PORT_FAILED: given up (bus-off, controller reset). */
enum port_status port_can_sent(uint8_t node, uint32_t ticket);
/* Takes a frame that still waits out of the controller. One that is on the bus just then has its try to the end, but no
 * other; port_can_sent() tells what became of it: PORT_FAILED once it was given up. PORT_OK: it waited; PORT_FAILED: no such
 * frame waits; PORT_ABSENT. */
enum port_status port_can_cancel(uint8_t node, uint32_t ticket);
/* Next received frame (own frames are not received). PORT_WOULD_BLOCK: none; frames lost to a full receive queue are
 * counted in port_can_lost(). */
enum port_status port_can_receive(uint8_t node, struct port_can_frame *ret_frame);
enum port_can_state port_can_state(uint8_t node, uint8_t *ret_transmit_errors, uint8_t *ret_receive_errors);
uint32_t port_can_lost(uint8_t node);
/* Leaves bus-off: the controller waits for 128 x 11 recessive bits (ISO 11898-1), then is error active. */
enum port_status port_can_recover(uint8_t node);

/* ---- trace (test builds only; a release port does nothing) ------------------------------------------------ */

/* One line of the TLS key log (NSS format) to the debug trace port. Never to the console. */
void port_trace_secret(const char *line);

/* ---- the program ------------------------------------------------------------------------------------------- */

/* The entry of a program (bootloader or application), called by the port once it is ready. Its return ends the CPU. */
int application_main(void);

#endif
