/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the UDS server share: the call in progress, the service table, the session and security state.
 * Only uds_*.c include this.
 */
#ifndef FIRMWARE_CORE_UDS_PRIVATE_H
#define FIRMWARE_CORE_UDS_PRIVATE_H

#include "uds_server.h"

/* Negative response codes, ISO 14229-1:2020 annex A.1. 0 stands for a positive response. */
enum uds_nrc {
	UDS_POSITIVE = 0x00,
	UDS_SERVICE_NOT_SUPPORTED = 0x11,
	UDS_SUB_FUNCTION_NOT_SUPPORTED = 0x12,
	UDS_INCORRECT_LENGTH = 0x13,
	UDS_RESPONSE_TOO_LONG = 0x14,
	UDS_BUSY_REPEAT_REQUEST = 0x21,
	UDS_CONDITIONS_NOT_CORRECT = 0x22,
	UDS_SEQUENCE_ERROR = 0x24,
	UDS_OUT_OF_RANGE = 0x31,
	UDS_ACCESS_DENIED = 0x33,
	UDS_INVALID_KEY = 0x35,
	UDS_ATTEMPTS_EXCEEDED = 0x36,
	UDS_DELAY_NOT_EXPIRED = 0x37,
	UDS_TRANSFER_SUSPENDED = 0x71,
	UDS_PROGRAMMING_FAILURE = 0x72,
	UDS_WRONG_BLOCK_COUNTER = 0x73,
	UDS_RESPONSE_PENDING = 0x78, /* returned by run(): the answer comes later, from resume() */
	UDS_SUB_FUNCTION_NOT_IN_SESSION = 0x7E,
	UDS_SERVICE_NOT_IN_SESSION = 0x7F,
};

enum uds_session { UDS_DEFAULT = 1, UDS_PROGRAMMING = 2, UDS_EXTENDED = 3 };

/* Bit n = session n + 1, as in struct uds_did. */
#define UDS_IN_DEFAULT     0x01u
#define UDS_IN_PROGRAMMING 0x02u
#define UDS_IN_EXTENDED    0x04u
#define UDS_IN_NON_DEFAULT (UDS_IN_PROGRAMMING | UDS_IN_EXTENDED)
#define UDS_IN_ALL         (UDS_IN_DEFAULT | UDS_IN_NON_DEFAULT)
/* With the above, of a service: while a tester owns the session, the others are answered 22. */
#define UDS_OF_OWNER 0x80u

#define UDS_ANY_LENGTH 0u /* "total": the handler checks the length itself */

/* The request being answered and the room for its answer. */
struct uds_call {
	uint16_t tester;
	bool functional;
	bool suppress;     /* suppressPosRspMsgIndicationBit of a service with sub-function */
	bool slow;         /* set by run(): the answer may not come in time, so 0x78 is sent at once */
	bool pending_sent; /* a 0x78 went out: suppression of any kind no longer applies */
	uint8_t service;
	uint8_t sub_function; /* without the suppress bit */
	const uint8_t *data;  /* the whole request, SID first; not valid in resume() */
	size_t length;
	uint8_t *out; /* the whole response, SID first; the engine has filled SID and sub-function echo */
	size_t out_size;
	size_t out_length;
	uint64_t now_us;
};

/* Checks run in the order of ISO 14229-1:2020 figures 5 and 6: 11, 7F, 13 (minimum), 12, 7E, 33, 24, 13 (total),
 * then run() with 22, 31 and what is special to the service. The 22 of UDS_OF_OWNER stands in the place of 7F and 7E: after 12. */
struct uds_sub_function {
	uint8_t id;
	uint8_t sessions;
	uint8_t security;                                 /* unlocked level needed, 0 none */
	uint16_t total;                                   /* exact request length with SID, UDS_ANY_LENGTH */
	uint8_t (*sequence)(const struct uds_call *call); /* UDS_POSITIVE or the NRC; may be NULL */
	uint8_t (*run)(struct uds_call *call);
};

struct uds_service {
	uint8_t id;
	uint8_t sessions; /* and UDS_OF_OWNER */
	uint8_t security;
	uint16_t minimum;                             /* request length with SID */
	const struct uds_sub_function *sub_functions; /* NULL: a service without sub-function, run() is used */
	uint8_t sub_function_count;
	uint8_t (*run)(struct uds_call *call);
	/* Continues a call that answered UDS_RESPONSE_PENDING; returns that again until done, with the time it next
	 * wants to be called. May be NULL when run() never returns it. */
	uint8_t (*resume)(struct uds_call *call, uint64_t *ret_deadline_us);
	void (*start)(uint64_t now_us);                                      /* at power-on; may be NULL */
	void (*session_changed)(enum uds_session from, enum uds_session to); /* every transition, S3 included; may be NULL */
	bool (*available)(void); /* false: this board does not have the service (11); NULL: every board has it */
};

extern const struct uds_service uds_services[];
extern const uint8_t uds_service_count;

/* ---- the engine's state (uds_server.c) ---- */
extern struct uds_server_config uds_config;
extern struct uds_application uds_application;
/* As the tester of the call under way is to see it: the default session while another tester owns a session. */
enum uds_session uds_session_active(void);
bool uds_session_in(uint8_t sessions);
/* True of everybody in the default session, else of the tester that entered the session. */
bool uds_session_owned_by(uint16_t tester);
/* The call under way is of a tester that does not own the session. */
bool uds_session_foreign(void);
/* A transition, also from a session to itself: tells every service. The tester of the call under way owns it. */
void uds_session_enter(enum uds_session session);
/* Asks for the application's reset handler once the answer of this call went out; until the reset all is busy. */
void uds_server_reset_after_answer(uint8_t type);
/* Appends to the answer; false when it does not fit (answer UDS_RESPONSE_TOO_LONG). */
bool uds_put(struct uds_call *call, const void *data, size_t length);
bool uds_put_u8(struct uds_call *call, uint8_t value);
bool uds_put_u16(struct uds_call *call, uint16_t value);

static inline uint16_t uds_get_u16(const uint8_t *data)
{
	return (uint16_t)(data[0] << 8 | data[1]);
}
static inline uint32_t uds_get_u24(const uint8_t *data)
{
	return (uint32_t)data[0] << 16 | (uint32_t)data[1] << 8 | data[2];
}

/* ---- security access (uds_security.c) ---- */
bool uds_security_unlocked(uint8_t level); /* level 0: always; others: for the session's owner only */

#define UDS_ARRAY_SIZE(array) (sizeof(array) / sizeof(*(array)))

#endif
