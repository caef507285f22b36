/* SPDX-License-Identifier: Apache-2.0 */
/* Every request there is. openapi.json describes them, and a test compares the two. */
#include "../lab/lease_journal.h"
#include "api_private.h"
#include "job_request.h"

#define API   "/api/v1"
#define SMALL API_SMALL_BODY

static const struct http_route routes[] = {
        {"PUT", API "/blobs/{sha256}", ROLE_OPERATOR, UINT64_MAX, api_blob_put, api_blob_body, api_blob_drop},
        {"HEAD", API "/blobs/{sha256}", ROLE_VIEWER, 0, api_blob_head},
        {"GET", API "/jobs", ROLE_VIEWER, 0, api_jobs_list},
        {"POST", API "/jobs", ROLE_OPERATOR, JOB_REQUEST_BODY_MAX, api_job_submit},
        {"GET", API "/jobs/{id}", ROLE_VIEWER, 0, api_job_get},
        {"POST", API "/jobs/{id}/cancel", ROLE_OPERATOR, SMALL, api_job_cancel},
        {"POST", API "/jobs/{id}/rerun", ROLE_OPERATOR, SMALL, api_job_rerun},
        {"PUT", API "/jobs/{id}/pin", ROLE_OPERATOR, SMALL, api_job_pin},
        {"DELETE", API "/jobs/{id}/pin", ROLE_OPERATOR, SMALL, api_job_unpin},
        {"GET", API "/jobs/{id}/log", ROLE_VIEWER, 0, api_job_log},
        {"GET", API "/jobs/{id}/results.json", ROLE_VIEWER, 0, api_job_results},
        {"GET", API "/jobs/{id}/junit.xml", ROLE_VIEWER, 0, api_job_junit},
        {"GET", API "/jobs/{id}/report.html", ROLE_VIEWER, 0, api_job_report},
        {"GET", API "/jobs/{id}/files/{path*}", ROLE_VIEWER, 0, api_job_file},
        {"GET", API "/runs/{id}", ROLE_VIEWER, 0, api_run_get},
        {"GET", API "/runs/{id}/artefacts/{name}", ROLE_VIEWER, 0, api_run_artefact},
        {"GET", API "/runs/{id}/timeline", ROLE_VIEWER, 0, api_run_timeline},
        {"GET", API "/runs/{id}/events", ROLE_VIEWER, 0, api_run_events},
        {"GET", API "/rigs", ROLE_VIEWER, 0, api_rigs_list},
        {"GET", API "/rigs/{name}", ROLE_VIEWER, 0, api_rig_get},
        {"GET", API "/rigs/{name}/health", ROLE_VIEWER, 0, api_rig_health},
        {"POST", API "/rigs/{name}/lease", ROLE_OPERATOR, SMALL, api_rig_lease},
        {"POST", API "/rigs/{name}/quarantine", ROLE_ADMIN, SMALL, api_rig_quarantine},
        {"POST", API "/rigs/{name}/recover", ROLE_OPERATOR, SMALL, api_rig_recover},
        {"GET", API "/leases/{id}", ROLE_VIEWER, 0, api_lease_get},
        {"POST", API "/leases/{id}/heartbeat", ROLE_OPERATOR, SMALL, api_lease_heartbeat},
        {"POST", API "/leases/{id}/journal", ROLE_OPERATOR, LEASE_JOURNAL_LINES, api_lease_journal},
        {"GET", API "/leases/{id}/events", ROLE_VIEWER, 0, api_lease_events},
        {"DELETE", API "/leases/{id}", ROLE_OPERATOR, SMALL, api_lease_end},
        {"GET", API "/matrix", ROLE_VIEWER, 0, api_matrix},
        {"GET", API "/cases/{id}/history", ROLE_VIEWER, 0, api_case_history},
        {"GET", API "/measurements", ROLE_VIEWER, 0, api_measurements},
        {"GET", API "/measurements/{series}/trend", ROLE_VIEWER, 0, api_trend},
        {"GET", API "/events", ROLE_VIEWER, 0, api_events},
        {"POST", API "/session", ROLE_NOBODY, SMALL, api_session_begin},
        {"GET", API "/session", ROLE_VIEWER, 0, api_session_get},
        {"DELETE", API "/session", ROLE_VIEWER, SMALL, api_session_end},
        {"GET", API "/tokens", ROLE_ADMIN, 0, api_tokens_list},
        {"POST", API "/tokens", ROLE_ADMIN, SMALL, api_token_add},
        {"DELETE", API "/tokens/{id}", ROLE_ADMIN, SMALL, api_token_remove},
        {"GET", API "/status", ROLE_VIEWER, 0, api_status},
        {"GET", API "/openapi.json", ROLE_VIEWER, 0, api_description},
        {"GET", "/metrics", ROLE_VIEWER, 0, api_metrics},
        {"GET", "/healthz", ROLE_NOBODY, 0, api_health},
        /* Pages: somebody without a token gets them too, to give one. They lie in folders of one level, so that nothing below /api is
           taken for one. */
        {"GET", "/", ROLE_NOBODY, 0, api_page},
        {"GET", "/{file}", ROLE_NOBODY, 0, api_page},
        {"GET", "/{folder}/{file}", ROLE_NOBODY, 0, api_page},
};

const struct http_route *api_routes(size_t *ret_count)
{
	*ret_count = API_COUNT(routes);
	return routes;
}
