/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDS server (ISO 14229-1:2020): sessions, S3, P2/P2*, security access, the NRC precedence of clause 8.7, and the
 * services of a reference ECU. Transport-independent: the application hands in requests and is handed responses.
 * Several services live in files of their own; a new service is one file plus one line in uds_services.c.
 *
 * Several testers: ISO 14229-1 leaves it to the implementation. Here a session other than the default one belongs to the
 * tester that entered it, and the security access with it, until it ends: by its owner's 10, by S3 or by a reset. To other
 * testers the server answers meanwhile as in the default session and locked (F186 reads 01); their 10, 11 and 27 get
 * 0x22, and their requests, TesterPresent of any kind included, do not restart S3 (it stands still while one of them is
 * under way). The default session belongs to nobody. A tester is what the transport calls so: the `tester` of
 * uds_server_request(); several that share one source address are one.
 */
#ifndef FIRMWARE_CORE_UDS_SERVER_H
#define FIRMWARE_CORE_UDS_SERVER_H

#include "../port.h"

#define UDS_MAX_RESPONSE 4095u

struct uds_server_config {
	uint16_t p2_ms;                 /* 50 */
	uint16_t p2_star_ms;            /* 5000 */
	uint32_t s3_ms;                 /* 5000 */
	uint32_t security_delay_ms;     /* 10000, after security_attempts wrong keys */
	uint8_t security_attempts;      /* 3 */
	bool programming_from_extended; /* false; true: programmingSession only from extended, otherwise 0x22 */
};
void uds_server_config_load(struct uds_server_config *config); /* parameters "uds.*" */

/* Sends a response to the tester. The data is copied or sent before the call returns. */
typedef void (*uds_respond)(void *context, uint16_t tester, const uint8_t *data, size_t length);

/* A data identifier the application adds (22, and 2E where write is not NULL); see uds_did.h for built-in ones. */
struct uds_did {
	uint16_t id;
	uint16_t length;                       /* fixed length in bytes; 0 = variable */
	uint8_t read_sessions, write_sessions; /* bit n = session n+1 allowed; 0 = not at all */
	uint8_t write_security;                /* level needed to write, 0 none */
	/* Returns the number of bytes written to buffer (<= size). */
	size_t (*read)(void *context, uint8_t *buffer, size_t size);
	/* Returns 0 or an NRC. */
	uint8_t (*write)(void *context, const uint8_t *data, size_t length);
	void *context;
	uint8_t read_security; /* level needed to read, 0 none */
};

/* What the built-in identification DIDs answer. The texts are the caller's, for the life of the program. */
struct uds_identity {
	uint8_t vin[17];              /* F190 until one is written; all 0xFF = not programmed */
	const char *serial_number;    /* F18C */
	const char *software_version; /* F195 */
	const char *part_number;      /* F187 */
};

struct uds_application {
	const struct uds_did *dids;
	size_t did_count;
	uds_respond respond;
	void *context;
	/* Asked at ECUReset, after the positive response went out. */
	void (*reset)(void *context, uint8_t type);
	const struct uds_identity *identity; /* may be NULL: identification DIDs other than F186 are unknown */
	uint16_t max_response;               /* bytes that the transport takes, 0 = UDS_MAX_RESPONSE; longer -> 0x14 */
	uint16_t subnode;                    /* node number that CommunicationControl 04/05 may name, 0 = none */
};

void uds_server_start(const struct uds_server_config *, const struct uds_application *);
/* A request of the tester with this source address. functional: the request came to a functional address. A request while one is under way
 * is answered 0x21 (functional TesterPresent excepted). */
void uds_server_request(uint16_t tester, bool functional, const uint8_t *data, size_t length, uint64_t now_us);
/* Timers, long routines, delayed answers. */
void uds_server_poll(uint64_t now_us, uint64_t *ret_deadline_us);

#endif
