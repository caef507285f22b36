/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inner parts of the POSIX port, and what a test may ask of it. Portable firmware includes ../../port.h only.
 */
#ifndef FIRMWARE_PORT_POSIX_H
#define FIRMWARE_PORT_POSIX_H

#include "../../port.h"

/* The file descriptors a virtual board gives its CPU (docs/reference/virtual-board.md). */
enum { PORT_FD_CONSOLE_IN = 0, PORT_FD_CONSOLE_OUT = 1, PORT_FD_TRACE = 3, PORT_FD_PARAMETERS = 4, PORT_FD_FLASH = 5, PORT_FD_NVM = 6 };

/* Reads the board's descriptors, or the command line when there is no board. Ends the process with status 2 and a
 * message on standard error when something is wrong. */
void port_posix_start(int argc, char **argv);

/* True when a virtual board drives this process. */
bool port_posix_on_board(void);

/* Re-executes this program from its command line (without a board, a reset is that). Never returns. */
_Noreturn void port_posix_restart(enum port_reset kind);

/* The application's path given on the command line, NULL when there is none, and the arguments to hand on. */
const char *port_posix_application_path(void);
char **port_posix_arguments(void);

/* Parameters and objects. Texts and data are copied. -1: no room, or a malformed line. */
int port_posix_parameter_set(const char *name, const char *value);
int port_posix_parameters_parse(const char *text);
int port_posix_object_set(const char *name, const void *data, size_t length);
int port_posix_object_read(const char *name, int fd);
/* The value of a parameter, NULL when it is not set. Valid until the next set. */
const char *port_posix_parameter(const char *name);
/* Calls back for every parameter whose name begins with prefix. */
void port_posix_parameters_each(const char *prefix, void (*call)(const char *rest, const char *value));

/* Clock: CLOCK_MONOTONIC ns that counts as zero. */
void port_posix_clock_start(uint64_t reset_time_ns);
uint64_t port_posix_now_ns(void);
/* The board's time at an instant of CLOCK_MONOTONIC, 0 when that lies before its reset. */
uint64_t port_posix_board_us(uint64_t monotonic_ns);

/* NVM backing: a descriptor of a PORT_NVM_SIZE file, or -1 for memory that is lost at the end. -1 on failure. */
int port_posix_nvm_open(int fd);

/* Debug RAM: the board's descriptor, or -1 without a board. -1 on failure. */
int port_posix_ram_open(int fd);

/* Link state: watches the carrier of a network device. -1: there is none of that name. */
int port_posix_link_open(const char *device);
int port_posix_link_fd(void); /* to poll, -1 none */
/* Asks for the state afresh; true when it changed. */
bool port_posix_link_update(void);

/* CAN: the descriptor to poll for a node (-1 none), what to call when it is readable, and whether frames that were read
 * along with something else have not yet been told. */
int port_posix_can_fd(int node);
bool port_posix_can_ready(int node, short events);
bool port_posix_can_waiting(void);

/* Flash: the descriptor to poll (-1 none: there is no board), what to call when it is readable, what to call at the end of every
 * sleep, and whether the end of a command that came along with an answer has not yet been told. */
int port_posix_flash_fd(void);
bool port_posix_flash_ready(void);
void port_posix_flash_slept(uint64_t asleep_ns);
bool port_posix_flash_waiting(void);
/* Asks the board for the geometry; false: it does not answer. */
bool port_posix_flash_open(void);
/* A program's descriptor with exactly these bytes of the flash. */
enum port_status port_posix_flash_program(uint32_t address, uint32_t length, int *ret_fd);

/* Console input was asked for: it may end a sleep again, unless it has ended. */
void port_posix_console_served(bool ended);

/* Key log: file descriptor to append lines to without a board, -1 none. */
void port_posix_key_log(int fd);

/* Watchdog: kicks when it is due; returns the longest time to sleep in ns (UINT64_MAX without a watchdog). */
void port_posix_watchdog_start(uint32_t watchdog_ms);
uint64_t port_posix_watchdog_kick(void);

/* Socket table, shared by tcp.c, udp.c and wait.c. */
struct port_posix_socket {
	int fd; /* -1: free */
	bool connecting;
	bool want_write; /* a send was refused: wake when there is room again */
	bool unserved;   /* reported readable and not asked since: not polled until it is asked */
};
/* NULL for a handle that is not open. */
struct port_posix_socket *port_posix_socket_get(port_socket socket);
/* Puts a descriptor into the table; PORT_FULL closes it. */
enum port_status port_posix_socket_add(int fd, bool connecting, port_socket *ret_socket);
/* Frees the handle; the descriptor is the caller's. */
int port_posix_socket_take(port_socket socket);
size_t port_posix_socket_count(void);
/* Closes a descriptor once the peer has ended too: what arrives until then is thrown away, for at most a second. */
#define PORT_POSIX_LINGER_COUNT 16
void port_posix_linger(int fd);
int port_posix_linger_fd(int slot); /* -1: free */
/* Ends those that are due; returns the time until the next one is, in ns. */
uint64_t port_posix_linger_poll(void);

/* Addresses. */
struct sockaddr_storage;
unsigned int port_posix_sockaddr(const struct port_endpoint *endpoint, struct sockaddr_storage *ret_address);
void port_posix_endpoint(const struct sockaddr_storage *address, struct port_endpoint *ret_endpoint);

#endif
