/* SPDX-License-Identifier: Apache-2.0 */
/* What a trace was asked for and did not find: silence would look as if nothing had happened in the run. */
#ifndef HARNESS_CLI_TRACE_NOTICE_H
#define HARNESS_CLI_TRACE_NOTICE_H

#include "../report/trace.h"

/* After a whole journal: a line on standard error for each kind, channel and protocol that no event of it has, with what it has in their
 * place; when nothing was taken though each of them is there, a line that says so. */
void trace_notice(const struct trace *, unsigned long taken);

#endif
