/* SPDX-License-Identifier: Apache-2.0 */
/* Rigs in the hands of people. */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../../base/hex.h"
#include "lab_private.h"

#define SECRET_BYTES 32
#define HASH_SIZE    65

static int no_such(struct error *err, const char *what, const char *name)
{
	return error_set(err, ERROR_USAGE, ENOENT, "there is no %s \"%.100s\"", what, name);
}

/* ---- secrets ---- */

static int make_secret(char secret[LEASE_SECRET_SIZE], struct error *err)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint8_t random[SECRET_BYTES + 1] = {0};
	size_t length = 0;
	if (getrandom(random, SECRET_BYTES, 0) != SECRET_BYTES)
		return error_set(err, ERROR_BENCH, errno, "no random numbers: %s", strerror(errno));
	for (unsigned bit = 0; bit < SECRET_BYTES * 8; bit += 6) {
		unsigned two = (unsigned)random[bit / 8] << 8 | random[bit / 8 + 1];
		secret[length++] = letters[two >> (10 - bit % 8) & 63];
	}
	secret[length] = '\0';
	OPENSSL_cleanse(random, sizeof(random));
	return 0;
}

static bool hash_secret(const char *secret, char hash[HASH_SIZE])
{
	uint8_t digest[32];
	if (!EVP_Digest(secret, strlen(secret), digest, NULL, EVP_sha256(), NULL))
		return false;
	(void)hex_text(digest, sizeof(digest), hash);
	return true;
}

static bool fits(const struct lab_rig *rig, const char *secret)
{
	char hash[HASH_SIZE];
	return rig->lease.secret_hash && strlen(rig->lease.secret_hash) == HASH_SIZE - 1 && hash_secret(secret, hash) &&
	       CRYPTO_memcmp(hash, rig->lease.secret_hash, HASH_SIZE - 1) == 0;
}

/* ---- granting ---- */

/* "8h", "90min", "45s": in the unit that leaves nothing over. */
static const char *duration_text(int64_t duration_ns, char buffer[32])
{
	int64_t seconds = duration_ns / LAB_SECOND_NS;
	int64_t unit = seconds % 3600 == 0 ? 3600 : seconds % 60 == 0 ? 60 : 1;
	(void)snprintf(buffer, 32, "%lld%s", (long long)(seconds / unit), unit == 3600 ? "h" : unit == 60 ? "min" : "s");
	return buffer;
}

static int busy(const struct lab_rig *rig, struct error *err)
{
	const char *name = rig->config->name;
	if (rig->lease.id && rig->lease.state == LEASE_CLEANING)
		return error_set(err, ERROR_USAGE, EBUSY, "%s is being cleaned", name);
	if (rig->lease.id && rig->lease.kind == LEASE_JOB)
		return error_set(err, ERROR_USAGE, EBUSY, "%s runs job %lld", name, (long long)rig->lease.job);
	if (rig->lease.id && rig->lease.kind == LEASE_RECOVERY)
		return error_set(err, ERROR_USAGE, EBUSY, "%s is being tested", name);
	if (rig->lease.id) {
		char text[700];
		return error_set(err, ERROR_USAGE, EBUSY, "%s is %s", name, lab_lock_text(rig, text, sizeof(text)));
	}
	if (rig->reserved)
		return error_set(err, ERROR_USAGE, EBUSY, "%s is about to run job %lld", name, (long long)rig->reserved->record->id);
	return error_set(err, ERROR_USAGE, EBUSY, "%s is being looked at", name);
}

int lab_lease_check(const struct lab_rig *rig, const struct lab_lease_request *request, bool anyway, struct error *err)
{
	char why[700], limit[32];
	if (request->for_ns <= 0 || request->for_ns > rig->lab->config->lease_limit_ns)
		return error_set(err, ERROR_USAGE, EINVAL, "for: must be more than 0 and at most %s",
		                 duration_text(rig->lab->config->lease_limit_ns, limit));
	if (request->note && strlen(request->note) > 500)
		return error_set(err, ERROR_USAGE, EINVAL, "note: is too long");
	if (rig->lab->stopping)
		return error_set(err, ERROR_USAGE, ESHUTDOWN, "the daemon is ending");
	if (!anyway && !health_fit(&rig->shown, why, sizeof(why)))
		return error_set(err, ERROR_USAGE, EHOSTDOWN, "%s: %s", rig->config->name, why);
	/* An admin may take even what is being looked after, but not what somebody has. */
	if (!lab_rig_free(rig) && !(anyway && !rig->lease.id && !rig->reserved && !rig->judging))
		return busy(rig, err);
	return 0;
}

int lab_lease_now(struct lab_rig *rig, const struct lab_lease_request *request, bool anyway, int64_t *ret_id,
                  char secret[LEASE_SECRET_SIZE], struct error *err)
{
	struct lab *lab = rig->lab;
	char hash[HASH_SIZE], nothing[] = "";
	int r = lab_lease_check(rig, request, anyway, err);
	if (r == 0)
		r = make_secret(secret, err);
	if (r < 0)
		return r;
	if (!hash_secret(secret, hash))
		return error_set(err, ERROR_BENCH, ENOMEM, "SHA-256 failed");
	int64_t now_ns = lab_now_ns(), now_utc_ns = lab_utc_ns(), beat_ns = request->heartbeat ? lab->config->heartbeat_ns : 0;
	struct lease_record lease = {.rig = rig->record->name,
	                             .holder = (char *)request->by,
	                             .note = request->note ? (char *)request->note : nothing,
	                             .kind = LEASE_PERSON,
	                             .secret_hash = hash,
	                             .expires_utc_ns = beat_ns ? now_utc_ns + LEASE_BEATS * beat_ns : 0,
	                             .deadline_utc_ns = now_utc_ns + request->for_ns};
	r = book_lease_add(lab->book, &lease, err);
	if (r < 0)
		return r;
	struct lease_times times = lease_times_new(now_ns, request->for_ns, beat_ns);
	lab_rig_leased(rig, &lease, &times);
	*ret_id = lease.id;
	return 0;
}

int lab_lease(struct lab *lab, const struct lab_lease_request *request, bool anyway, int64_t *ret_id, char secret[LEASE_SECRET_SIZE],
              struct error *err)
{
	struct lab_rig *rig = lab_rig_find(lab, request->rig);
	if (!rig)
		return no_such(err, "rig", request->rig);
	lab_queue_rigs(lab); /* what is shown is as it is now */
	int r = lab_lease_check(rig, request, anyway, err);
	const char *first = r == 0 ? lab_waiter_first(lab, rig) : NULL;
	if (first)
		return error_set(err, ERROR_USAGE, EBUSY, "%s is kept for %.100s, who waits for it", rig->config->name, first);
	return r == 0 ? lab_lease_now(rig, request, anyway, ret_id, secret, err) : r;
}

/* ---- renewing, ending ---- */

static struct lab_rig *holder_of(const struct lab *lab, int64_t lease)
{
	for (size_t i = 0; lease && i < lab->config->rig_count; i++)
		if (lab->rigs[i].lease.id == lease)
			return &lab->rigs[i];
	return NULL;
}

/* The rig of a lease that is still somebody's. */
static int find_active(const struct lab *lab, int64_t id, struct lab_rig **ret, struct error *err)
{
	struct lease_record *record;
	*ret = holder_of(lab, id);
	if (*ret && (*ret)->lease.kind == LEASE_PERSON && (*ret)->lease.state == LEASE_ACTIVE &&
	    lease_times_judge(&(*ret)->lease.times, lab_now_ns()) != LEASE_EXPIRED) /* who beats before he was missed is not missed */
		return 0;
	int r = book_lease(lab->book, id, &record, err);
	if (r == -ENOENT)
		return error_set(err, ERROR_USAGE, ENOENT, "there is no lease %lld", (long long)id);
	if (r < 0)
		return r;
	enum lease_kind kind = record->kind;
	lease_record_free(record);
	if (kind != LEASE_PERSON)
		return error_set(err, ERROR_USAGE, EINVAL, "lease %lld is not a person's", (long long)id);
	return error_set(err, ERROR_USAGE, ESTALE, "lease %lld is over", (long long)id);
}

/* The rig of an active lease, for who has its secret. */
static int find_held(struct lab *lab, int64_t lease, const char *secret, struct lab_rig **ret, struct error *err)
{
	int r = find_active(lab, lease, ret, err);
	if (r == 0 && !fits(*ret, secret))
		return error_set(err, ERROR_USAGE, EACCES, "the secret is not that of lease %lld", (long long)lease);
	return r;
}

int lab_heartbeat(struct lab *lab, int64_t lease, const char *secret, struct error *err)
{
	struct lab_rig *rig;
	int r = find_held(lab, lease, secret, &rig, err);
	if (r < 0)
		return r;
	if (!rig->lease.beats)
		return 0;
	r = book_lease_renewed(lab->book, lease, lab_utc_ns() + LEASE_BEATS * lab->config->heartbeat_ns, err);
	if (r == 0)
		lease_times_beat(&rig->lease.times, lab_now_ns(), lab->config->heartbeat_ns);
	return r;
}

int lab_lease_write(struct lab *lab, int64_t lease, const char *secret, uint64_t from, const char *lines, size_t length, uint64_t *ret_next,
                    struct error *err)
{
	struct lab_rig *rig;
	*ret_next = 0;
	int r = find_held(lab, lease, secret, &rig, err);
	if (r < 0)
		return r;
	return lab_journal_write(rig, from, lines, length, ret_next, err);
}

struct lease_journal *lab_lease_journal(const struct lab *lab, int64_t lease)
{
	const struct lab_rig *rig = holder_of(lab, lease);
	return rig ? rig->lease.journal : NULL;
}

int lab_unlease(struct lab *lab, int64_t lease, const char *secret, const char *by, struct error *err)
{
	struct lab_rig *rig;
	char why[200];
	int r = find_active(lab, lease, &rig, err);
	if (r < 0)
		return r;
	if (secret && !fits(rig, secret))
		return error_set(err, ERROR_USAGE, EACCES, "the secret is not that of lease %lld", (long long)lease);
	(void)snprintf(why, sizeof(why), "%s by %.100s", secret ? "given back" : "broken", by);
	if (!secret)
		r = book_health_entry(lab->book, rig->config->name, "lease", why, 0, 0, err);
	if (r == 0)
		r = lab_rig_lease_cleaning(rig, why, err);
	if (r == 0)
		lab_rig_advance(rig);
	return r;
}

/* ---- what operators do to rigs ---- */

int lab_quarantine(struct lab *lab, const char *name, const char *reason, const char *by, struct error *err)
{
	struct lab_rig *rig = lab_rig_find(lab, name);
	char text[500];
	if (!rig)
		return no_such(err, "rig", name);
	if (!reason || !*reason || strlen(reason) > 300)
		return error_set(err, ERROR_USAGE, EINVAL, "reason: 1 to 300 characters are needed");
	(void)snprintf(text, sizeof(text), "%.100s: %s", by, reason);
	int r = lab_rig_health(rig, HEALTH_BY_HAND, text, 0, 0, err);
	if (r < 0)
		return r;
	rig->wants_help = false;
	lab_tell_rig(rig);
	lab_turn_soon(lab);
	return 0;
}

int lab_recover(struct lab *lab, const char *name, const char *by, struct error *err)
{
	struct lab_rig *rig = lab_rig_find(lab, name);
	char text[200];
	if (!rig)
		return no_such(err, "rig", name);
	if (lab->stopping)
		return error_set(err, ERROR_USAGE, ESHUTDOWN, "the daemon is ending");
	(void)snprintf(text, sizeof(text), "%.100s asked for a recovery", by);
	int r = book_health_entry(lab->book, name, "operator", text, 0, 0, err);
	if (r < 0)
		return r;
	rig->wants_help = true;
	lab_rig_advance(rig);
	return 0;
}
