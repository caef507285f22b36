/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a stream of DoIP messages: the decoder never reads past them and always makes progress. */
#include <stdlib.h>

#include "../proto/doip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t offset = 0;
	for (;;) {
		struct doip_message m;
		ssize_t n = doip_decode(data + offset, size - offset, 4096, &m);
		if (n <= 0)
			return 0;
		if ((size_t)n > size - offset || n != (ssize_t)m.length + DOIP_HEADER_LENGTH)
			abort();
		json_t *object = doip_to_json(&m);
		char *text = json_dumps(object, 0); /* NULL if a string is not UTF-8 */
		if (!text)
			abort();
		free(text);
		json_decref(object);
		offset += (size_t)n;
	}
}
