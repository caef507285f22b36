/* SPDX-License-Identifier: Apache-2.0 */
/* What the lab knows of a rig by its file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../rig/rig.h"
#include "rig_list.h"

/* Capabilities that follow from a rig's parts, beside those that its file names. */
static const char *const derived[] = {"can", "can-fd", "probe", "flash"};

static void texts_free(char **texts)
{
	for (char **text = texts; text && *text; text++)
		free(*text);
	free(texts);
}

static bool has(char **texts, const char *text)
{
	for (; *texts; texts++)
		if (strcmp(*texts, text) == 0)
			return true;
	return false;
}

static bool add(char **texts, unsigned *count, const char *text)
{
	if (has(texts, text))
		return true;
	texts[*count] = strdup(text);
	return texts[(*count)++] != NULL;
}

static char **capabilities_of(const struct rig_file *file)
{
	const struct value *list = value_get(rig_file_root(file), "capabilities");
	unsigned count = 0, listed = list && list->type == VALUE_LIST ? list->list.count : 0;
	char **texts = calloc(listed + sizeof(derived) / sizeof(*derived) + 2, sizeof(*texts));
	bool good = texts != NULL;
	for (unsigned i = 0; good && i < listed; i++)
		if (list->list.items[i]->type == VALUE_TEXT)
			good = add(texts, &count, list->list.items[i]->text);
	for (unsigned i = 0; good && i < sizeof(derived) / sizeof(*derived); i++)
		if (rig_file_has_capability(file, derived[i]))
			good = add(texts, &count, derived[i]);
	if (good && rig_file_is_virtual(file))
		good = add(texts, &count, "virtual");
	if (good)
		return texts;
	texts_free(texts);
	return NULL;
}

static char **roles_of(const struct rig_file *file)
{
	const struct value *map = value_get(rig_file_root(file), "roles");
	unsigned count = 0, listed = map && map->type == VALUE_MAP ? map->map.count : 0;
	char **texts = calloc(listed + 1, sizeof(*texts));
	bool good = texts != NULL;
	for (unsigned i = 0; good && i < listed; i++)
		good = add(texts, &count, map->map.entries[i].key);
	if (good)
		return texts;
	texts_free(texts);
	return NULL;
}

static const char **offers_of(char **capabilities, char **roles)
{
	size_t count = 0;
	for (char **text = capabilities; *text; text++)
		count++;
	for (char **text = roles; *text; text++)
		count++;
	const char **offers = calloc(count + 1, sizeof(*offers)), **end = offers;
	for (; offers && *capabilities; capabilities++)
		*end++ = *capabilities;
	for (; offers && *roles; roles++)
		*end++ = *roles;
	return offers;
}

static void take(struct rig_facts *facts, const struct rig_file *file)
{
	char **capabilities = capabilities_of(file), **roles = roles_of(file);
	const char **offers = capabilities && roles ? offers_of(capabilities, roles) : NULL;
	if (!offers) {
		texts_free(capabilities);
		texts_free(roles);
		(void)snprintf(facts->problem, sizeof(facts->problem), "out of memory");
		return;
	}
	texts_free(facts->capabilities);
	texts_free(facts->roles);
	free(facts->offers);
	facts->capabilities = capabilities;
	facts->roles = roles;
	facts->offers = offers;
	facts->is_virtual = rig_file_is_virtual(file);
	facts->known = true;
	facts->problem[0] = '\0';
}

static bool same(const struct rig_facts *facts, const struct stat *now)
{
	return facts->modified.tv_sec == now->st_mtim.tv_sec && facts->modified.tv_nsec == now->st_mtim.tv_nsec &&
	       facts->size == now->st_size && facts->inode == now->st_ino;
}

bool rig_facts_load(struct rig_facts *facts, const char *path)
{
	struct error error = {0};
	struct rig_file *file = NULL;
	struct stat now = {0};
	char text[1200];
	if (stat(path, &now) < 0) {
		bool news = !facts->problem[0];
		(void)snprintf(facts->problem, sizeof(facts->problem), "%.300s: %s", path, strerror(errno));
		facts->inode = 0; /* whatever comes in its place is read */
		return news;
	}
	if (facts->inode && same(facts, &now))
		return false;
	facts->modified = now.st_mtim;
	facts->size = now.st_size;
	facts->inode = now.st_ino;
	if (rig_file_load(path, &file, &error) < 0) {
		(void)snprintf(facts->problem, sizeof(facts->problem), "%.590s", error_describe(&error, text, sizeof(text)));
		return true;
	}
	take(facts, file);
	rig_file_free(file);
	return true;
}

void rig_facts_free(struct rig_facts *facts)
{
	texts_free(facts->capabilities);
	texts_free(facts->roles);
	free(facts->offers);
	*facts = (struct rig_facts){0};
}
