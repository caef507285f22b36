/* SPDX-License-Identifier: Apache-2.0 */
#include "submit_named.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct named {
	char *name;
	enum case_file_kind kind;
	struct place place;
	size_t order;
};
struct names {
	struct named *items;
	size_t count, capacity;
};

/* ---- collecting ---- */

static int take(const struct case_file *file, void *context, struct error *err)
{
	struct names *names = context;
	if (!file->name)
		return 0;
	if (names->count == names->capacity) {
		size_t capacity = names->capacity * 2 + 64;
		struct named *grown = realloc(names->items, capacity * sizeof(*grown));
		if (!grown)
			return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
		names->items = grown;
		names->capacity = capacity;
	}
	struct named *named = &names->items[names->count];
	*named = (struct named){.name = strdup(file->name), .kind = file->kind, .place = file->place, .order = names->count};
	if (!named->name)
		return error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	names->count++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct named *one = a, *other = b;
	int difference = strcmp(one->name, other->name);
	if (!difference)
		difference = (one->kind > other->kind) - (one->kind < other->kind);
	return difference ? difference : (one->order > other->order) - (one->order < other->order);
}

static int by_order(const void *a, const void *b)
{
	const struct named *one = a, *other = b;
	return (one->order > other->order) - (one->order < other->order);
}

/* A suite names the same file in many cases: once is enough, where it is named first. */
static void thin(struct names *names)
{
	size_t kept = 0;
	if (names->count == 0)
		return;
	qsort(names->items, names->count, sizeof(*names->items), by_name);
	for (size_t i = 0; i < names->count; i++) {
		const struct named *last = kept ? &names->items[kept - 1] : NULL;
		if (last && last->kind == names->items[i].kind && !strcmp(last->name, names->items[i].name))
			free(names->items[i].name);
		else
			names->items[kept++] = names->items[i];
	}
	names->count = kept;
	qsort(names->items, kept, sizeof(*names->items), by_order);
}

static bool is_made(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->items[i].kind == CASE_FILE_MADE && !strcmp(names->items[i].name, name))
			return true;
	return false;
}

/* ---- judging ---- */

static int refuse(const struct named *named, const char *why, struct error *err)
{
	return error_set_place(err, ERROR_USAGE, EINVAL, named->place, "%s: %s", named->name, why);
}

/* Without "." and empty parts. */
static int clean(const struct named *named, char ret[SUBMIT_NAME_MAX + 1], struct error *err)
{
	size_t length = 0;
	if (named->name[0] == '/')
		return refuse(named,
		              "an absolute path does not travel with a job: name the file from the folder that hilbench is started in",
		              err);
	for (const char *at = named->name; *at;) {
		size_t n = strcspn(at, "/");
		if (n == 2 && at[0] == '.' && at[1] == '.')
			return refuse(
			        named,
			        "a path with \"..\" does not travel with a job: start hilbench in a folder that holds both, or give it by "
			        "--directory, and name the file from there",
			        err);
		if (length + n + 1 > SUBMIT_NAME_MAX)
			return refuse(named, "the name is too long to be sent", err);
		if (n > 0 && !(n == 1 && at[0] == '.')) {
			if (length > 0)
				ret[length++] = '/';
			memcpy(ret + length, at, n);
			length += n;
		}
		at += n + (at[n] == '/');
	}
	ret[length] = '\0';
	return length > 0 ? 0 : refuse(named, "it is a directory", err);
}

static int add_key(const struct named *named, bool there, bool (*is_fixture)(const char *, bool), struct error *err)
{
	if (!there)
		return is_fixture(named->name, true)
		               ? 0
		               : refuse(named, "there is no such file here, and no key of this name among the fixtures", err);
	return refuse(
	        named,
	        "a private key does not travel: files of a job can be fetched by everybody who may look at the lab. Sign the package here "
	        "(hilbench package) and name the package, or have the key put among the fixtures of the lab and name it there",
	        err);
}

/* As a run looks: a package or a key without a slash is a fixture; other files may be of the run's directory. */
static int add(struct submit_files *files, const struct names *names, const struct named *named, bool (*is_fixture)(const char *, bool),
               struct error *err)
{
	char name[SUBMIT_NAME_MAX + 1];
	bool slash = strchr(named->name, '/'), there = access(named->name, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
	if (named->kind == CASE_FILE_MADE || (named->kind != CASE_FILE_DATA && !slash))
		return 0;
	if (named->kind == CASE_FILE_KEY)
		return add_key(named, there, is_fixture, err);
	if (!there && named->kind == CASE_FILE_PACKAGE)
		return is_fixture(named->name, false) ? 0 : refuse(named, "there is no such file here, and no fixture of this name", err);
	if (named->kind == CASE_FILE_DATA && is_made(names, named->name))
		there = there && named->name[0] != '/';
	else if (!there && slash)
		return refuse(named, "there is no such file here", err);
	if (!there)
		return 0;
	int r = clean(named, name, err);
	return r == 0 ? submit_files_add(files, name, named->place, err) : r;
}

int submit_named_add(struct submit_files *files, const struct program *program, const struct case_filter *filter,
                     bool (*is_fixture)(const char *name, bool key), struct error *err)
{
	struct names names = {0};
	int r = program_files(program, filter, take, &names, err);
	thin(&names);
	for (size_t i = 0; r == 0 && i < names.count; i++)
		r = add(files, &names, &names.items[i], is_fixture, err);
	for (size_t i = 0; i < names.count; i++)
		free(names.items[i].name);
	free(names.items);
	return r;
}
