/* SPDX-License-Identifier: Apache-2.0 */
/* The pages: files that are part of the program. */
#include <stdlib.h>
#include <string.h>

#include "api_private.h"
#include "pages.h"

static int compare(const void *path, const void *file)
{
	return strcmp(path, ((const struct page_file *)file)->path);
}

void api_page(struct http_request *request, void *context)
{
	const char *folder = http_parameter(request, "folder"), *name = http_parameter(request, "file");
	char path[256];
	size_t room = sizeof(path);
	if (!name)
		name = "index.html";
	size_t before = folder ? strlen(folder) + 1 : 0, length = strlen(name);
	const struct page_file *file = NULL;
	if (before + length < room) {
		if (folder) {
			memcpy(path, folder, before - 1);
			path[before - 1] = '/';
		}
		memcpy(path + before, name, length + 1);
		file = bsearch(path, page_files, PAGE_FILE_COUNT, sizeof(page_files[0]), compare);
	}
	if (file)
		http_answer_text(request, file->content_type, (const char *)file->data, file->length, false);
	else
		http_answer_error(request, HTTP_NOT_FOUND, "there is no such page");
}
