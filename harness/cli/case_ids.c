/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "case_ids.h"
#include "commands.h"

#define MOST_IDS 100000

/* An id as a pattern that fits nothing else: the brackets of parameters would be a set of characters. */
static char *pattern_of(const char *id, size_t length)
{
	char *pattern = malloc(2 * length + 1), *end = pattern;
	for (size_t i = 0; pattern && i < length; i++) {
		if (strchr("\\*?[]", id[i]))
			*end++ = '\\';
		*end++ = id[i];
	}
	if (pattern)
		*end = '\0';
	return pattern;
}

static int read_ids(FILE *file, const char *path, char **ids, size_t *count)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t length;
	int status = 0;
	while (status == 0 && (length = getline(&line, &size, file)) >= 0) {
		while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
			length--;
		if (length == 0)
			continue;
		if (*count == MOST_IDS)
			status = command_usage_error("run", "%s has more than %d ids", path, MOST_IDS);
		else if ((ids[*count] = pattern_of(line, (size_t)length)))
			(*count)++;
		else
			status = EXIT_BENCH;
	}
	free(line);
	if (status == 0 && ferror(file))
		status = command_usage_error("run", "%s cannot be read: %s", path, strerror(errno));
	return status;
}

int case_ids_load(const char *path, char ***ret)
{
	size_t count = 0;
	FILE *file = fopen(path, "re");
	if (!file)
		return command_usage_error("run", "%s cannot be opened: %s", path, strerror(errno));
	char **ids = calloc(MOST_IDS + 1, sizeof(*ids));
	int status = ids ? read_ids(file, path, ids, &count) : EXIT_BENCH;
	fclose(file);
	if (status == 0 && count == 0)
		status = command_usage_error("run", "%s has no ids", path);
	if (status != 0) {
		case_ids_free(ids);
		return status;
	}
	*ret = ids;
	return 0;
}

void case_ids_free(char **ids)
{
	for (char **id = ids; id && *id; id++)
		free(*id);
	free(ids);
}
