/* SPDX-License-Identifier: Apache-2.0 */
/* Files and directories -> one program. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lang_private.h"

#define DIRECTORY_DEPTH_MAX 32

/* Files to read, each once, however often it is named. */
struct file_set {
	struct {
		char *path;
		dev_t device;
		ino_t inode;
	} *items;
	unsigned count;
};

static void file_set_free(struct file_set *set)
{
	for (unsigned i = 0; i < set->count; i++)
		free(set->items[i].path);
	free(set->items);
}

static void file_set_add(struct checker *checker, struct file_set *set, const char *path, const struct stat *status)
{
	void *grown;
	char *copy;

	for (unsigned i = 0; i < set->count; i++)
		if (set->items[i].device == status->st_dev && set->items[i].inode == status->st_ino)
			return;
	copy = strdup(path);
	grown = copy ? realloc(set->items, (set->count + 1) * sizeof(*set->items)) : NULL;
	if (!grown) {
		free(copy);
		checker_no_memory(checker);
		return;
	}
	set->items = grown;
	set->items[set->count].path = copy;
	set->items[set->count].device = status->st_dev;
	set->items[set->count].inode = status->st_ino;
	set->count++;
}

static void add_path(struct checker *checker, struct file_set *set, const char *path, unsigned depth);

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void add_directory(struct checker *checker, struct file_set *set, const char *path, unsigned depth)
{
	struct dirent **entries;
	size_t length = strlen(path);
	int count = scandir(path, &entries, visible, alphasort);
	char *child;

	if (count < 0) {
		checker_error(checker, (struct place){.file = place_intern(path)}, "cannot read the directory: %s", strerror(errno));
		return;
	}
	for (int i = 0; i < count; i++) {
		if (asprintf(&child, "%s%s%s", path, length > 0 && path[length - 1] == '/' ? "" : "/", entries[i]->d_name) < 0) {
			checker_no_memory(checker);
		} else {
			add_path(checker, set, child, depth + 1);
			free(child);
		}
		free(entries[i]);
	}
	free(entries);
}

/* depth 0: named on the command line. Below that only *.yaml counts, and links to directories are not followed. */
static void add_path(struct checker *checker, struct file_set *set, const char *path, unsigned depth)
{
	struct stat status, link;
	size_t length = strlen(path);

	if (stat(path, &status) < 0 || lstat(path, &link) < 0) {
		/* A dangling link below a directory is nobody's test case. */
		if (depth == 0)
			checker_error(checker, (struct place){.file = place_intern(path)}, "cannot open: %s", strerror(errno));
		return;
	}
	if (S_ISDIR(status.st_mode)) {
		if (depth == 0 || (depth < DIRECTORY_DEPTH_MAX && !S_ISLNK(link.st_mode)))
			add_directory(checker, set, path, depth);
		return;
	}
	if (depth == 0 && !S_ISREG(status.st_mode)) {
		checker_error(checker, (struct place){.file = place_intern(path)}, "is no regular file");
		return;
	}
	if (depth == 0 || (S_ISREG(status.st_mode) && length > 5 && strcmp(path + length - 5, ".yaml") == 0))
		file_set_add(checker, set, path, &status);
}

static void read_path(struct checker *checker, const char *path, struct program *program)
{
	struct value *tree;
	struct error err;

	if (value_parse_file(path, &tree, &err) < 0) {
		checker_add(checker, &err);
		return;
	}
	read_file(checker, tree, program);
	value_free(tree);
}

struct case_rank {
	const struct case_def *definition;
	unsigned index;
};

static int compare_ranks(const void *a, const void *b)
{
	const struct case_rank *left = a, *right = b;
	int order = strcmp(left->definition->id, right->definition->id);

	return order ? order : (left->index > right->index) - (left->index < right->index);
}

static void check_ids(struct checker *checker, const struct program *program)
{
	struct case_rank *ranks = calloc(program->count + 1, sizeof(*ranks));
	const struct case_def *first = NULL, *other;

	if (!ranks) {
		checker_no_memory(checker);
		return;
	}
	for (unsigned i = 0; i < program->count; i++)
		ranks[i] = (struct case_rank){.definition = program->cases[i], .index = i};
	qsort(ranks, program->count, sizeof(*ranks), compare_ranks);
	for (unsigned i = 0; i < program->count; i++) {
		other = ranks[i].definition;
		if (!first || strcmp(first->id, other->id) != 0)
			first = other;
		else if (other->id[0] != '?')
			checker_error(checker, other->place, "the id \"%s\" is taken: %s:%u:%u has it", other->id, first->place.file,
			              first->place.line, first->place.column);
	}
	free(ranks);
}

/* The end of every load: ids, and the program or the errors. */
static int finish(struct checker *checker, struct program *program, struct program **ret)
{
	check_ids(checker, program);
	if (checker->found > 0) {
		error_list_sort(checker->errors);
		program_free(program);
		return -EINVAL;
	}
	*ret = program;
	return 0;
}

int program_load(const char *const *paths, unsigned path_count, const struct step_registry *registry, struct program **ret,
                 struct error_list *errors)
{
	struct checker checker = {.registry = registry, .errors = errors};
	struct program *program = calloc(1, sizeof(*program));
	struct file_set files = {0};

	if (!program) {
		checker_no_memory(&checker);
		return -EINVAL;
	}
	for (unsigned i = 0; i < path_count; i++)
		add_path(&checker, &files, paths[i], 0);
	if (files.count == 0 && checker.found == 0)
		checker_error(&checker, (struct place){.file = place_intern(path_count > 0 ? paths[0] : "")}, "there is no *.yaml here");
	for (unsigned i = 0; i < files.count; i++)
		read_path(&checker, files.items[i].path, program);
	file_set_free(&files);
	return finish(&checker, program, ret);
}

int program_load_text(const char *name, const char *text, size_t length, const struct step_registry *registry, struct program **ret,
                      struct error_list *errors)
{
	struct checker checker = {.registry = registry, .errors = errors};
	struct program *program = calloc(1, sizeof(*program));
	struct value *tree;
	struct error err;

	if (!program) {
		checker_no_memory(&checker);
		return -EINVAL;
	}
	if (value_parse_text(name, text, length, &tree, &err) < 0) {
		checker_add(&checker, &err);
	} else {
		read_file(&checker, tree, program);
		value_free(tree);
	}
	return finish(&checker, program, ret);
}

void program_free(struct program *program)
{
	if (!program)
		return;
	for (unsigned i = 0; i < program->count; i++)
		case_free(program->cases[i]);
	free(program->cases);
	free(program);
}
