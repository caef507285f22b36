/* SPDX-License-Identifier: Apache-2.0 */
/* Everybody who has an open stream. */
#include "api_private.h"

void viewer_open(struct viewer *viewer, struct api *api, enum viewer_kind kind, int64_t id, struct http_request *request,
                 const char *content_type, const struct http_stream_calls *calls)
{
	viewer->api = api;
	viewer->kind = kind;
	viewer->id = id;
	LIST_INSERT_HEAD(&api->viewers, viewer, link);
	api->viewer_count++;
	struct http_stream *stream = http_answer_stream(request, content_type, calls, viewer);
	if (stream) /* else it is freed already */
		viewer->stream = stream;
}

void viewer_gone(struct viewer *viewer)
{
	LIST_REMOVE(viewer, link);
	viewer->api->viewer_count--;
}

void viewers_wake(struct api *api, enum viewer_kind kind, int64_t id)
{
	struct viewer *viewer;
	LIST_FOREACH(viewer, &api->viewers, link)
	{
		if (viewer->stream && viewer->kind == kind && (id == 0 || viewer->id == id))
			http_stream_wake(viewer->stream);
	}
}
