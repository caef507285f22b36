/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef HARNESS_DAEMON_API_API_PRIVATE_H
#define HARNESS_DAEMON_API_API_PRIVATE_H

#include <limits.h>
#include <sys/queue.h>

#include "../book/blobs.h"
#include "../book/book.h"
#include "api.h"
#include "fields.h"
#include "hub.h"
#include "lag.h"
#include "sessions.h"
#include "throttle.h"

#define API_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define API_SMALL_BODY   (64u << 10)
#define API_SCRATCH      (128u << 10) /* the longest line of a journal that a viewer gets */

/* Somebody with an open stream. First in the structures of its kinds. */
enum viewer_kind { VIEWER_LIVE, VIEWER_RUN, VIEWER_LOG, VIEWER_LEASE };
struct viewer {
	LIST_ENTRY(viewer) link;
	struct api *api;
	struct http_stream *stream;
	enum viewer_kind kind;
	int64_t id; /* of the run, the lease */
};
struct lease_wait;
struct timeline;
struct upload;
struct api {
	sd_event *event;
	struct book *book;
	struct lab *lab;
	struct api_options options;
	struct hub *hub;
	struct throttle *throttle;
	struct sessions *sessions;
	struct lag *lag;
	LIST_HEAD(, viewer) viewers;
	LIST_HEAD(, lease_wait) waits;
	LIST_HEAD(, timeline) timelines;
	LIST_HEAD(, upload) uploads; /* whose end is waited for */
	sd_event_source *throttle_timer;
	unsigned viewer_count, timeline_count;
	uint64_t dropped; /* viewers of runs and leases */
	int64_t started_utc_ns;
	bool stopping;
	char *scratch; /* API_SCRATCH bytes, for one call at a time */
};

/* ---- api.c ---- */
/* The api, or NULL after an answer: it ends. */
struct api *api_enter(struct http_request *, void *context);
/* json with the status, or what went wrong; takes json. */
void api_answer(struct http_request *, int r, const struct error *, unsigned status, json_t *json);
void api_fail(struct http_request *, int r, const struct error *);
/* Answers a GET of one thing of the lab, by the parameter "id". add (may be NULL): puts in what the lab does not know. */
void api_answer_one(struct http_request *, void *context, int (*get)(struct lab *, int64_t id, json_t **ret, struct error *err),
                    void (*add)(struct api *, int64_t id, json_t *thing));
int64_t api_now_ns(void); /* CLOCK_BOOTTIME */
int64_t api_utc_ns(void);
/* limit and before of a list. */
bool api_read_page(struct http_request *, unsigned *ret_limit, int64_t *ret_before);

/* ---- viewers.c ---- */
/* Begins the stream; the viewer belongs to it from here on, and closed() of the calls frees it after viewer_gone(). */
void viewer_open(struct viewer *, struct api *, enum viewer_kind, int64_t id, struct http_request *, const char *content_type,
                 const struct http_stream_calls *);
void viewer_gone(struct viewer *);
/* id 0: all of the kind. */
void viewers_wake(struct api *, enum viewer_kind, int64_t id);

/* ---- api_files.c ---- */
const char *file_content_type(const char *name);
/* Whether a browser is to show it; it is offered as a file otherwise. */
bool file_is_shown(const char *name);
/* An artefact's name: no folder, nothing hidden. */
bool file_name_clean(const char *name);
/* A regular file below a directory, without following links; *ret_size: now. -ENOENT (ERROR_USAGE). */
int file_open_below(const char *directory, const char *name, int *ret_fd, uint64_t *ret_size, struct error *err) WARN_UNUSED;
/* Answers with a blob that a look-up of the book found (r: what it said). */
void answer_blob(struct api *, struct http_request *, int r, struct error *err, const char *sha256, const char *name);
/* The file of a run, of a stored one or of one that runs. */
int run_file_open(struct api *, int64_t run, const char *name, int *ret_fd, uint64_t *ret_size, char sha256[BLOB_NAME_SIZE],
                  struct error *err) WARN_UNUSED;

/* The directory in which the file of a run lies whose others are in `out`. */
void run_file_directory(const char *out, const char *name, char directory[PATH_MAX]);

/* ---- run_listing.c ---- */
/* "artefacts" of a run whose directory is `out`: sizes so far, no digests. */
json_t *run_listing(const char *out);

/* ---- what the lab tells ---- */
void live_tell(struct api *, enum lab_event, int64_t id, const json_t *data);
int live_start(struct api *, struct error *err) WARN_UNUSED;
void live_stop(struct api *);
void run_viewers_storing(struct api *, int64_t run);
void lease_waits_end(struct api *);
void timelines_end(struct api *);
void uploads_end(struct api *); /* the server is gone: nobody gets the answers */

/* ---- handlers ---- */
#define HANDLER(name) void name(struct http_request *, void *)
HANDLER(api_blob_put);
HANDLER(api_blob_head);
int api_blob_body(struct http_request *, const void *data, size_t length, void *context, struct error *err);
void api_blob_drop(struct http_request *, void *context);
HANDLER(api_jobs_list);
HANDLER(api_job_submit);
HANDLER(api_job_get);
HANDLER(api_job_cancel);
HANDLER(api_job_rerun);
HANDLER(api_job_pin);
HANDLER(api_job_unpin);
HANDLER(api_job_log);
HANDLER(api_job_results);
HANDLER(api_job_junit);
HANDLER(api_job_report);
HANDLER(api_job_file);
HANDLER(api_run_get);
HANDLER(api_run_artefact);
HANDLER(api_run_timeline);
HANDLER(api_run_events);
HANDLER(api_rigs_list);
HANDLER(api_rig_get);
HANDLER(api_rig_health);
HANDLER(api_rig_quarantine);
HANDLER(api_rig_recover);
HANDLER(api_rig_lease);
HANDLER(api_lease_heartbeat);
HANDLER(api_lease_get);
HANDLER(api_lease_journal);
HANDLER(api_lease_events);
HANDLER(api_lease_end);
HANDLER(api_matrix);
HANDLER(api_case_history);
HANDLER(api_measurements);
HANDLER(api_trend);
HANDLER(api_events);
HANDLER(api_session_begin);
HANDLER(api_session_end);
HANDLER(api_session_get);
HANDLER(api_tokens_list);
HANDLER(api_token_add);
HANDLER(api_token_remove);
HANDLER(api_status);
HANDLER(api_metrics);
HANDLER(api_health);
HANDLER(api_description);
HANDLER(api_page);

#endif
