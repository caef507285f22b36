/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody may do. Each role may do what those before it may. */
#ifndef HARNESS_DAEMON_ROLE_H
#define HARNESS_DAEMON_ROLE_H

enum token_role { ROLE_NOBODY, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN };

#endif
