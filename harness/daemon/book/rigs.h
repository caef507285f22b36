/* SPDX-License-Identifier: Apache-2.0 */
/* Rigs, their health, and who has them. */
#ifndef HARNESS_DAEMON_BOOK_RIGS_H
#define HARNESS_DAEMON_BOOK_RIGS_H

#include "book.h"

enum rig_health { HEALTH_HEALTHY, HEALTH_SUSPECT, HEALTH_QUARANTINED };
const char *rig_health_name(enum rig_health);

struct rig_record {
	char *name;
	enum rig_health health;
	char *reason;
	int64_t since_utc_ns;
	unsigned bench_errors; /* in a row */
	unsigned recoveries;   /* that failed in a row */
	bool online;
};
void rig_record_free(struct rig_record *);

enum lease_kind { LEASE_JOB, LEASE_PERSON, LEASE_RECOVERY };
enum lease_state { LEASE_ACTIVE, LEASE_CLEANING, LEASE_OVER };
const char *lease_kind_name(enum lease_kind);
const char *lease_state_name(enum lease_state);
struct lease_record {
	int64_t id, job, run; /* job and run 0 for a person */
	char *rig, *holder, *note;
	enum lease_kind kind;
	enum lease_state state;
	char *secret_hash;                                                     /* SHA-256 of the secret in hexadecimal, NULL for a job */
	int64_t granted_utc_ns, expires_utc_ns, deadline_utc_ns, ended_utc_ns; /* expires: by heartbeat, 0 without one */
	char *end_reason;
};
void lease_record_free(struct lease_record *);

/* A rig of the configuration: added when it is new; what is known of its health stays. Those that are no longer named stay too (history).
 */
int book_rig_known(struct book *, const char *name, const char *pool, const char *file, struct error *err) WARN_UNUSED;
int book_rig(struct book *, const char *name, struct rig_record **ret, struct error *err) WARN_UNUSED;
/* Writes every field of the record, and the entry of the health log (text NULL: none) in one transaction. */
int book_rig_changed(struct book *, const struct rig_record *, const char *entry_kind, const char *text, int64_t job, int64_t run,
                     struct error *err) WARN_UNUSED;
int book_board_error(struct book *, const char *rig, const char *role, const char *text, struct error *err) WARN_UNUSED;
int book_health_entry(struct book *, const char *rig, const char *kind, const char *text, int64_t job, int64_t run,
                      struct error *err) WARN_UNUSED;

/* -EBUSY: the rig has a lease that is not over. Sets id and granted_utc_ns. */
int book_lease_add(struct book *, struct lease_record *, struct error *err) WARN_UNUSED;
int book_lease(struct book *, int64_t id, struct lease_record **ret, struct error *err) WARN_UNUSED;
/* Those that are not LEASE_OVER. */
int book_leases_open(struct book *, struct lease_record ***ret, size_t *ret_count, struct error *err) WARN_UNUSED;
/* The wall clock was set: when it was granted and its deadline, by the new one. -EALREADY when it is no longer active. */
int book_lease_moved(struct book *, int64_t id, int64_t by_ns, struct error *err) WARN_UNUSED;
int book_lease_renewed(struct book *, int64_t id, int64_t expires_utc_ns, struct error *err) WARN_UNUSED;
/* -EALREADY when it is no longer active. */
int book_lease_cleaning(struct book *, int64_t id, const char *why, struct error *err) WARN_UNUSED;
int book_lease_over(struct book *, int64_t id, struct error *err) WARN_UNUSED;

/* {"health", "reason", "since", "bench_errors", "online", "lease", "boards"} of one rig; the rest is the lab's. */
int book_rig_json(struct book *, const char *name, json_t **ret, struct error *err) WARN_UNUSED;
int book_health_json(struct book *, const char *rig, unsigned limit, int64_t before, json_t **ret, struct error *err) WARN_UNUSED;
int book_lease_json(struct book *, int64_t id, json_t **ret, struct error *err) WARN_UNUSED;

#endif
