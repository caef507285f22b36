/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of TCP_DATA sockets of a DoIP entity (ISO 13400-2:2019 clause 9): MCTS registered sockets and one in
 * reserve for a newcomer, plain and TLS together. Also the entity's whole state, which its parts share.
 *
 * Static RAM: DOIP_SLOT_COUNT * (outbox 4160 + inbox 128 + about 120) + DOIP_POOL_BUFFERS * DOIP_MAX_MESSAGE bytes:
 * about 52 KiB with 8 + 1 sockets. An application may shrink it with -DDOIP_MAX_SOCKETS=n.
 */
#ifndef FIRMWARE_CORE_DOIP_SOCKET_H
#define FIRMWARE_CORE_DOIP_SOCKET_H

#include "doip_entity.h"
#include "doip_inbox.h"
#include "doip_outbox.h"

#define DOIP_SLOT_COUNT   (DOIP_MAX_SOCKETS + 1)
#define DOIP_POOL_BUFFERS 3u
#define DOIP_OEM_SIZE     4u

enum doip_slot_state {
	DOIP_SLOT_FREE,
	DOIP_SLOT_ESTABLISHING, /* TLS handshake */
	DOIP_SLOT_OPEN,         /* no routing activation yet */
	DOIP_SLOT_WAITING,      /* its activation waits for an alive check of others */
	DOIP_SLOT_CONFIRMING,   /* registered, confirmation pending (0x11) */
	DOIP_SLOT_REGISTERED,   /* routing active */
	DOIP_SLOT_CLOSING,      /* last bytes going out, input thrown away */
};

struct doip_activation {
	uint16_t source;
	uint8_t type;
	bool has_oem;
	uint8_t oem[DOIP_OEM_SIZE];
};

struct doip_slot {
	enum doip_slot_state state;
	struct stream stream;
	bool failed;      /* a send failed outside the slot's own turn */
	bool handling;    /* its message is being handled: nothing is flushed, the ACK is not settled yet */
	uint8_t version;  /* of the last accepted header */
	uint16_t address; /* registered source address */
	uint64_t accepted_us, activity_us;
	bool stalled; /* the peer takes nothing since stalled_us */
	uint64_t stalled_us;
	uint64_t quiet_us, close_by_us;
	struct doip_activation activation;
	uint32_t order; /* of waiting newcomers */
	bool alive_asked, alive_answered;
	struct doip_inbox inbox;
	struct doip_outbox outbox;
};

struct doip_round { /* one alive check at a time */
	bool running;
	uint8_t newcomer; /* slot index */
	uint32_t order;
	uint8_t asked; /* number of sockets asked */
	uint64_t deadline_us;
};

struct doip_context {
	struct doip_entity_config config;
	struct doip_entity_handlers handlers;
	struct tls_config *server_tls;
	bool running;
	bool again;       /* there is more to do at once */
	uint64_t turn_us; /* begin of the turn: what came until then is read before a timer ends by it */
	uint64_t now_us;  /* read again as the turn goes on: timers begin by it */
	port_socket listener_plain, listener_tls;
	uint32_t order;
	struct doip_round round;
	struct doip_pool pool;
	struct doip_slot slots[DOIP_SLOT_COUNT];
	uint8_t pool_storage[DOIP_POOL_BUFFERS * DOIP_MAX_MESSAGE];
};

/* Accepts all that wait at the listeners; what has no place is accepted and closed (D089). */
void doip_sockets_accept(struct doip_context *context);
/* Open TCP_DATA sockets as the entity status reports them. */
uint8_t doip_sockets_open(const struct doip_context *context);
uint8_t doip_sockets_registered(const struct doip_context *context);
static inline bool doip_slot_registered(const struct doip_slot *slot)
{
	return slot->state == DOIP_SLOT_REGISTERED || slot->state == DOIP_SLOT_CONFIRMING;
}
/* NULL when that source address is not registered. */
struct doip_slot *doip_slot_by_address(struct doip_context *context, uint16_t address);

/* Sends what is queued; marks the slot as failed when the stream is broken. */
void doip_slot_flush(struct doip_context *context, struct doip_slot *slot);
void doip_slot_header_nack(struct doip_slot *slot, uint8_t code);
/* Orderly end after the queued bytes: input is thrown away for a short while, so that no RST overtakes the answer. */
void doip_slot_finish(struct doip_context *context, struct doip_slot *slot);
void doip_slot_finish_poll(struct doip_context *context, struct doip_slot *slot);
uint64_t doip_slot_finish_deadline(const struct doip_slot *slot);
/* Ends it at once: FIN when nothing is queued, else RST. */
void doip_slot_close(struct doip_context *context, struct doip_slot *slot);
void doip_slot_abort(struct doip_context *context, struct doip_slot *slot);

#endif
