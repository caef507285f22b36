/* SPDX-License-Identifier: Apache-2.0 */
#include "order.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096

static int path_of(char path[PATH_SIZE], const char *directory, const char *name, struct error *err)
{
	int n = snprintf(path, PATH_SIZE, "%s/%s", directory, name);
	return n < 0 || n >= PATH_SIZE ? error_set(err, ERROR_BENCH, ENAMETOOLONG, "%s: the name is too long", directory) : 0;
}

static int write_whole(int fd, const char *data, size_t length, off_t offset)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = pwrite(fd, data + done, length - done, offset + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

/* ---- order.json ---- */

const char *order_mark(const struct keeper_order *order)
{
	const char *mark = NULL; /* the last counts: an order may itself come from a command of another keeper */
	for (const char *const *variable = order->environment; variable && *variable; variable++)
		if (strncmp(*variable, KEEPER_MARK, strlen(KEEPER_MARK)) == 0)
			mark = *variable;
	return mark;
}

/* NULL: a text is not UTF-8, or out of memory. */
static json_t *texts_json(const char *const *list)
{
	json_t *array = json_array();
	for (; list && *list; list++)
		if (json_array_append_new(array, json_string(*list)) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *order_json(const char *directory, const struct keeper_order *order)
{
	json_t *environment = texts_json(order->environment);
	char *real = realpath(directory, NULL);
	if (environment && real)
		(void)json_array_append_new(environment, json_sprintf(KEEPER_MARK "%s", real));
	free(real);
	return json_pack("{s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:s*}", "argv", texts_json(order->argv), "environment", environment,
	                 "time_limit_ns", (json_int_t)order->time_limit_ns, "silence_limit_ns", (json_int_t)order->silence_limit_ns,
	                 "grace_ns", (json_int_t)order->grace_ns, "output_bytes", (json_int_t)order->output_bytes, "memory_bytes",
	                 (json_int_t)order->memory_bytes, "free_bytes", (json_int_t)order->free_bytes, "store", order->store);
}

/* Not flushed to the disk: after a loss of power there is no process left that the order could concern. */
static int order_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int r = write_whole(fd, text, strlen(text), 0);
	(void)close(fd);
	return r;
}

int order_write(const char *directory, const struct keeper_order *order, struct error *err)
{
	char path[PATH_SIZE], temporary[PATH_SIZE];
	int r = path_of(path, directory, "order.json", err);
	if (r == 0)
		r = path_of(temporary, directory, "order.json.new", err);
	if (r < 0)
		return r;
	json_t *json = order_json(directory, order);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (!text)
		return error_set(err, ERROR_BENCH, EINVAL, "the command or its environment is not UTF-8");
	r = order_put(temporary, text);
	free(text);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	return r < 0 ? error_set(err, ERROR_BENCH, -r, "cannot write %s: %s", path, strerror(-r)) : 0;
}

/* NULL: no array of texts. */
static const char **texts_of(const json_t *array)
{
	const char **list = json_is_array(array) ? calloc(json_array_size(array) + 1, sizeof(*list)) : NULL;
	for (size_t i = 0; list && i < json_array_size(array); i++) {
		list[i] = json_string_value(json_array_get(array, i));
		if (!list[i]) {
			free(list);
			return NULL;
		}
	}
	return list;
}

int order_read(const char *directory, struct order_file *ret, struct error *err)
{
	char path[PATH_SIZE];
	json_error_t where;
	json_int_t time_limit, silence, grace, output, memory, free_bytes;
	json_t *argv, *environment;
	int r = path_of(path, directory, "order.json", err);
	if (r < 0)
		return r;
	struct order_file file = {.json = json_load_file(path, 0, &where)};
	if (!file.json)
		return error_set(err, ERROR_BENCH, ENOENT, "%s: %s", path, where.text);
	if (json_unpack_ex(file.json, &where, 0, "{s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:I}", "argv", &argv, "environment", &environment,
	                   "time_limit_ns", &time_limit, "silence_limit_ns", &silence, "grace_ns", &grace, "output_bytes", &output,
	                   "memory_bytes", &memory, "free_bytes", &free_bytes) < 0) {
		order_clear(&file);
		return error_set(err, ERROR_BENCH, EBADMSG, "%s: %s", path, where.text);
	}
	file.order = (struct keeper_order){.argv = texts_of(argv),
	                                   .environment = texts_of(environment),
	                                   .time_limit_ns = time_limit,
	                                   .silence_limit_ns = silence,
	                                   .grace_ns = grace > 0 ? grace : 0,
	                                   .output_bytes = (uint64_t)output,
	                                   .memory_bytes = (uint64_t)memory,
	                                   .free_bytes = (uint64_t)free_bytes,
	                                   .store = json_string_value(json_object_get(file.json, "store"))};
	if (!file.order.argv || !file.order.argv[0] || !file.order.environment) {
		order_clear(&file);
		return error_set(err, ERROR_BENCH, EBADMSG, "%s: no command", path);
	}
	*ret = file;
	return 0;
}

void order_clear(struct order_file *file)
{
	free((void *)file->order.argv);
	free((void *)file->order.environment);
	json_decref(file->json);
	*file = (struct order_file){0};
}

/* ---- exit.json ---- */

int exit_reserve(const char *directory, struct error *err)
{
	static const char zeroes[EXIT_SIZE_MAX];
	char path[PATH_SIZE];
	int r = path_of(path, directory, "exit.json.new", err);
	if (r < 0)
		return r;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	r = fd < 0 ? -errno : -posix_fallocate(fd, 0, EXIT_SIZE_MAX);
	if (r == -EOPNOTSUPP || r == -EINVAL)
		r = write_whole(fd, zeroes, sizeof(zeroes), 0);
	if (r == 0)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return error_set(err, ERROR_BENCH, -r, "cannot make %s: %s", path, strerror(-r));
}

static json_t *number_or_null(int number)
{
	return number >= 0 ? json_integer(number) : json_null();
}

/* A message that was cut within a character is no text any more. */
static json_t *message_json(const char *message)
{
	size_t length = strlen(message);
	json_t *json = json_stringn(message, length);
	for (unsigned i = 0; !json && i < 4 && length > 0; i++)
		json = json_stringn(message, --length);
	return json ? json : json_string("(not a text)");
}

static json_t *exit_json(const struct keeper_exit *exit)
{
	return json_pack("{s:o,s:o,s:s,s:o,s:I,s:I,s:I,s:i}", "exit_status", number_or_null(exit->exit_status), "signal",
	                 number_or_null(exit->signal), "reason", exit->reason, "message", message_json(exit->message), "started_utc_ns",
	                 (json_int_t)exit->started_utc_ns, "ended_utc_ns", (json_int_t)exit->ended_utc_ns, "max_rss_bytes",
	                 (json_int_t)exit->max_rss_bytes, "strays", (int)exit->strays);
}

static void directory_sync(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	(void)close(fd);
}

int exit_write(const char *directory, int reserved, const struct keeper_exit *exit, struct error *err)
{
	char path[PATH_SIZE], temporary[PATH_SIZE], text[EXIT_SIZE_MAX];
	int r = path_of(path, directory, "exit.json", err);
	if (r == 0)
		r = path_of(temporary, directory, "exit.json.new", err);
	if (r < 0)
		return r;
	json_t *json = exit_json(exit);
	size_t length = json ? json_dumpb(json, text, sizeof(text), JSON_COMPACT) : 0;
	json_decref(json);
	if (length == 0 || length > sizeof(text))
		return error_set(err, ERROR_BENCH, EINVAL, "the end of the command cannot be told");
	r = write_whole(reserved, text, length, 0);
	if (r == 0 && (ftruncate(reserved, (off_t)length) < 0 || fsync(reserved) < 0 || rename(temporary, path) < 0))
		r = -errno;
	if (r < 0)
		return error_set(err, ERROR_BENCH, -r, "cannot write %s: %s", path, strerror(-r));
	directory_sync(directory);
	return 0;
}

static int integer_or(const json_t *json, const char *key, int fallback)
{
	const json_t *member = json_object_get(json, key);
	return json_is_integer(member) ? (int)json_integer_value(member) : fallback;
}

int exit_read(const char *directory, struct keeper_exit *ret)
{
	char path[PATH_SIZE];
	const char *reason, *message;
	json_int_t started, ended, max_rss;
	int r = path_of(path, directory, "exit.json", NULL);
	if (r < 0 || access(path, F_OK) < 0)
		return r < 0 ? r : -errno;
	json_t *json = json_load_file(path, 0, NULL);
	if (!json || json_unpack(json, "{s:s,s:s,s:I,s:I,s:I}", "reason", &reason, "message", &message, "started_utc_ns", &started,
	                         "ended_utc_ns", &ended, "max_rss_bytes", &max_rss) < 0) {
		json_decref(json);
		return -EBADMSG;
	}
	*ret = (struct keeper_exit){.exit_status = integer_or(json, "exit_status", -1),
	                            .signal = integer_or(json, "signal", -1),
	                            .started_utc_ns = started,
	                            .ended_utc_ns = ended,
	                            .max_rss_bytes = (uint64_t)max_rss,
	                            .strays = (unsigned)integer_or(json, "strays", 0)};
	(void)snprintf(ret->reason, sizeof(ret->reason), "%s", reason);
	(void)snprintf(ret->message, sizeof(ret->message), "%s", message);
	json_decref(json);
	return 0;
}
