/* SPDX-License-Identifier: Apache-2.0 */
#include "port_posix.h"

#include <string.h>
#include <unistd.h>

#define OBJECT_COUNT 16 /* TLS, and the keys of package signatures */

static struct {
	char name[48];
	const uint8_t *data;
	size_t length;
} objects[OBJECT_COUNT];
static size_t object_count;
static uint8_t pool[65536];
static size_t pool_used;

/* Takes the bytes that the caller has put at the end of the pool (one more byte is free there). */
static int take(const char *name, size_t length)
{
	static const char pem[] = "-----BEGIN";
	size_t slot = 0;
	while (slot < object_count && strcmp(objects[slot].name, name) != 0)
		slot++;
	if (slot == OBJECT_COUNT || strlen(name) >= sizeof objects[slot].name)
		return -1;
	uint8_t *data = pool + pool_used;
	data[length] = '\0';
	bool text = memmem(data, length, pem, sizeof pem - 1) != NULL;
	memcpy(objects[slot].name, name, strlen(name) + 1);
	objects[slot].data = data;
	objects[slot].length = length + text;
	object_count += slot == object_count;
	pool_used += length + 1;
	return 0;
}

int port_posix_object_set(const char *name, const void *data, size_t length)
{
	if (length >= sizeof pool - pool_used)
		return -1;
	memcpy(pool + pool_used, data, length);
	return take(name, length);
}

int port_posix_object_read(const char *name, int fd)
{
	size_t length = 0;
	for (;;) {
		size_t room = sizeof pool - pool_used - length;
		if (room < 2)
			return -1;
		/* pread: the bootloader reads the same description before the application does. */
		ssize_t n = pread(fd, pool + pool_used + length, room - 1, (off_t)length);
		if (n < 0)
			return -1;
		if (n == 0)
			return take(name, length);
		length += (size_t)n;
	}
}

enum port_status port_object(const char *name, const uint8_t **ret_data, size_t *ret_length)
{
	for (size_t i = 0; i < object_count; i++) {
		if (strcmp(objects[i].name, name) == 0) {
			*ret_data = objects[i].data;
			*ret_length = objects[i].length;
			return PORT_OK;
		}
	}
	return PORT_ABSENT;
}
