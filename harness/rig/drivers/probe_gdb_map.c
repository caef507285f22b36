/* SPDX-License-Identifier: Apache-2.0 */
#include "probe_gdb_map.h"

#include <errno.h>
#include <libxml/parser.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NAME(text) ((const xmlChar *)(text))

/* "4096" or "0x1000", as C writes numbers. */
static bool number(xmlChar *text, uint64_t *ret)
{
	const char *begin = (const char *)text;
	char *end = NULL;
	bool good = begin && *begin >= '0' && *begin <= '9';
	errno = 0;
	if (good)
		*ret = strtoull(begin, &end, 0);
	good = good && errno == 0 && end[strspn(end, " \t\r\n")] == '\0';
	xmlFree(text);
	return good;
}

static bool is(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && xmlStrEqual(node->name, NAME(name));
}

static bool block_size(const xmlNode *memory, uint64_t *ret)
{
	for (const xmlNode *node = memory->children; node; node = node->next) {
		xmlChar *name = is(node, "property") ? xmlGetProp(node, NAME("name")) : NULL;
		bool right = name && xmlStrEqual(name, NAME("blocksize"));
		xmlFree(name);
		if (right)
			return number(xmlNodeGetContent(node), ret) && *ret > 0;
	}
	return false;
}

static int take_flash(const xmlNode *memory, struct gdb_map *map, const char **ret_why)
{
	struct gdb_flash_region region;
	*ret_why = "a flash region lacks its start, length or block size";
	if (!number(xmlGetProp(memory, NAME("start")), &region.start) || !number(xmlGetProp(memory, NAME("length")), &region.length) ||
	    !block_size(memory, &region.block))
		return -EBADMSG;
	*ret_why = "a flash region is no whole number of blocks, or goes over the end of the memory";
	if (region.length == 0 || region.start > UINT64_MAX - region.length || region.start % region.block || region.length % region.block)
		return -EBADMSG;
	*ret_why = "it has too many flash regions";
	if (map->count == GDB_MAP_REGIONS)
		return -EBADMSG;
	map->flash[map->count++] = region;
	return 0;
}

static int take_map(const xmlNode *root, struct gdb_map *map, const char **ret_why)
{
	int r = 0;
	*ret_why = "it is no memory map";
	if (!root || !is(root, "memory-map"))
		return -EBADMSG;
	for (const xmlNode *node = root->children; node && r == 0; node = node->next) {
		xmlChar *type = is(node, "memory") ? xmlGetProp(node, NAME("type")) : NULL;
		if (type && xmlStrEqual(type, NAME("flash")))
			r = take_flash(node, map, ret_why);
		xmlFree(type);
	}
	return r;
}

int gdb_map_parse(const char *xml, size_t length, struct gdb_map *ret, const char **ret_why)
{
	/* Its document type is named, never loaded. */
	const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
	xmlDoc *document = length > INT_MAX ? NULL : xmlReadMemory(xml, (int)length, "memory-map", NULL, options);
	*ret = (struct gdb_map){0};
	*ret_why = "it is no XML";
	if (!document)
		return -EBADMSG;
	int r = take_map(xmlDocGetRootElement(document), ret, ret_why);
	xmlFreeDoc(document);
	return r;
}

const struct gdb_flash_region *gdb_map_find(const struct gdb_map *map, uint64_t address)
{
	for (unsigned i = 0; i < map->count; i++)
		if (address >= map->flash[i].start && address - map->flash[i].start < map->flash[i].length)
			return &map->flash[i];
	return NULL;
}
