/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_LINK_RELAY_PRIVATE_H
#define HARNESS_LINK_RELAY_PRIVATE_H

#include "address.h"
#include "relay.h"

enum relay_chunk_kind { RELAY_DATA, RELAY_FIN, RELAY_RESET, RELAY_CUT };

/* What is on its way from one end to the other, in order. */
struct relay_chunk {
	struct relay_chunk *next;
	enum relay_chunk_kind kind;
	int64_t due_ns; /* not to be forwarded before */
	size_t length, sent;
	uint8_t data[];
};

/* One direction. */
struct relay_way {
	struct relay_chunk *first, *last;
	size_t queued;
	bool blocked; /* the receiver's socket takes no more at present */
	bool fin_passed;
	int64_t piece_due_ns;      /* of the next piece when splitting */
	uint64_t taken, cut_after; /* bytes taken from the sender; UINT64_MAX: no cut */
};

struct relay_connection;
struct relay_end {
	struct relay_connection *connection;
	bool client;
	int fd;
	sd_event_source *io;
	bool ended; /* it said FIN or RST */
};

struct relay_connection {
	struct relay_connection *next;
	struct relay *relay;
	uint64_t number;
	struct relay_end ends[2]; /* client, server */
	struct relay_way ways[2]; /* from the client, from the server */
	bool connecting;          /* to the server */
	bool held;                /* came while the cable was out: the server is not asked */
	bool silent;              /* of a node without power */
	bool closed;              /* to be freed at the end of the callback */
	bool first_fin_by_client, fin_seen;
	const char *cut_at; /* TLS event or NULL */
	bool cut_now;
	struct watch *watch;
	struct capture_flow *flow;
	struct instant accepted_at;
	char client[ADDRESS_TEXT_MAX];
};

/* The watch of a connection that ended: secrets of its last records may still be on their way. */
struct relay_ghost {
	struct relay_ghost *next;
	struct watch *watch;
	int64_t until_ns;
};

struct relay {
	struct loop *loop;
	struct timeline *timeline;
	struct capture *capture;
	char *channel;
	char listen_text[ADDRESS_TEXT_MAX];
	struct address target, original_target, source; /* source: length 0 = any */
	int fd;
	sd_event_source *io, *timer;
	uint64_t count;
	struct relay_connection *connections;
	struct relay_ghost *ghosts;
	watch_doip_describe describe;
	void *describe_context;
	bool journal_segments;
	/* faults */
	bool down, stalled[2];
	int64_t delay_ns, gap_ns;
	unsigned piece;
	uint64_t cut_after[2]; /* armed for the next connection */
	const char *cut_at;
};

/* data is stolen; conn and side are added where they are known. */
void relay_emit(struct relay *, struct instant at, const char *kind, const struct relay_connection *, const char *side, json_t *data);

/* ---- relay_connection.c ---- */
/* Takes an accepted descriptor. */
void relay_connection_new(struct relay *, int fd, const struct address *client, struct instant at);
/* Forwards what is due, sets what the descriptors wait for. */
void relay_connection_pump(struct relay_connection *);
/* When it has to be pumped again without anything happening; INT64_MAX: never. */
int64_t relay_connection_due_ns(const struct relay_connection *);
/* Closes both ends; tells nobody on the timeline. */
void relay_connection_close(struct relay_connection *, bool by_client, bool reset);
/* Closes both ends by RST and says link.fault; details is stolen. */
void relay_connection_cut(struct relay_connection *, json_t *details);
void relay_connection_free(struct relay_connection *); /* one that is closed */

/* ---- relay.c ---- frees what is closed, arms the timer: last thing of each callback */
void relay_tidy(struct relay *);

#endif
