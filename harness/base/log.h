/* SPDX-License-Identifier: Apache-2.0 */
/* Messages for the person at the terminal (stderr). What belongs to a run goes onto the timeline instead. */
#ifndef HARNESS_BASE_LOG_H
#define HARNESS_BASE_LOG_H

#include "error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
void log_set_level(enum log_level);
void log_message(enum log_level, const char *format, ...) PRINTF_LIKE(2, 3);
#define log_error(...)   log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
