/* SPDX-License-Identifier: Apache-2.0 */
/* Rows become something: a record, a list of records, JSON. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "book_private.h"

#define LIST_ROOM 16 /* at first; doubled whenever it is full */

int book_each(struct book *book, book_reader read, void *context, struct error *err, const char *sql, const struct book_value *values,
              size_t count)
{
	sqlite3_stmt *rows;
	bool more = true;
	int r = book_select(book, &rows, err, sql, values, count);

	while (r >= 0 && more && (r = book_next(book, rows, err)) > 0) {
		r = read(book, rows, context, err);
		more = r == 0;
	}
	book_select_end(book, rows);
	return r;
}

/* ---- one ---- */
struct first {
	book_reader read;
	void *ret;
};

static int read_first(struct book *book, sqlite3_stmt *row, void *context, struct error *err)
{
	const struct first *first = context;
	int r = first->read(book, row, first->ret, err);

	return r < 0 ? r : 1;
}

int book_one(struct book *book, book_reader read, void *ret, struct error *err, const char *sql, const struct book_value *values,
             size_t count)
{
	struct first first = {.read = read, .ret = ret};

	return book_each(book, read_first, &first, err, sql, values, count);
}

int book_by_id(struct book *book, const char *what, int64_t id, book_reader read, void *ret, struct error *err, const char *sql)
{
	int r = book_one(book, read, ret, err, sql, VALUES(INTEGER(id)));

	if (r == 0)
		return error_set(err, ERROR_BENCH, ENOENT, "there is no %s %" PRId64, what, id);
	return r < 0 ? r : 0;
}

/* ---- a list ---- */
struct list {
	book_reader read;
	char *things; /* pointers, of the reader's own type */
	size_t count, room;
};

static int list_append(struct book *book, sqlite3_stmt *row, void *context, struct error *err)
{
	struct list *list = context;
	int r;

	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : LIST_ROOM;
		char *more = reallocarray(list->things, room, sizeof(void *));

		if (!more)
			return book_no_memory(err);
		list->things = more;
		list->room = room;
	}
	r = list->read(book, row, list->things + list->count * sizeof(void *), err);
	if (r >= 0)
		list->count++;
	return r;
}

int book_list(struct book *book, book_reader read, void (*drop)(void *thing), void *ret, size_t *ret_count, struct error *err,
              const char *sql, const struct book_value *values, size_t count)
{
	struct list list = {.read = read};
	int r = book_each(book, list_append, &list, err, sql, values, count);

	if (r >= 0) {
		memcpy(ret, &list.things, sizeof(list.things));
		*ret_count = list.count;
		return 0;
	}
	for (size_t i = 0; i < list.count; i++) {
		void *thing;

		memcpy(&thing, list.things + i * sizeof(thing), sizeof(thing));
		drop(thing);
	}
	free(list.things);
	return r;
}

/* ---- JSON ---- */
struct json_list {
	book_json_reader read;
	json_t *into;
};

static int json_append(struct book *book, sqlite3_stmt *row, void *context, struct error *err)
{
	const struct json_list *list = context;

	return json_array_append_new(list->into, list->read(row)) < 0 ? book_no_memory(err) : 0;
}

int book_json_list(struct book *book, book_json_reader read, json_t *into, struct error *err, const char *sql,
                   const struct book_value *values, size_t count)
{
	struct json_list list = {.read = read, .into = into};

	return into ? book_each(book, json_append, &list, err, sql, values, count) : book_no_memory(err);
}
