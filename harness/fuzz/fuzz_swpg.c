/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses: a package to judge and open, a campaign, software to build (and words to make it wrong), or a campaign
 * to make wrong. What was built right opens again, and what fails changes nothing. */
#include "../proto/swpg.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define WORDS_MAX 96

static void judge(const uint8_t *data, size_t size)
{
	struct bytes findings = {0}, software = {0};
	struct swpg_view view;

	if (swpg_parse(data, size, &view, NULL) < 0)
		return;
	/* Without a key there is always something to say. */
	if (swpg_verify(&view, NULL, 1, &findings, NULL) < 0 || findings.length == 0)
		abort();
	if (swpg_software(&view, 1u << 20, &software, NULL) == 0 && software.length != view.fields.uncompressed_size)
		abort();
	if (swpg_installed(&view, &software, NULL) == 0 && software.length != 64 + view.fields.uncompressed_size + view.trailer_length)
		abort();
	bytes_free(&findings);
	bytes_free(&software);
}

static void open_campaign(const uint8_t *data, size_t size)
{
	struct swpg_campaign_entry entries[SWPG_CAMPAIGN_MAX];
	const uint8_t *at;
	size_t count;

	if (swpg_campaign_parse(data, size, entries, SWPG_CAMPAIGN_MAX, &count, NULL) < 0)
		return;
	at = entries[0].package;
	for (size_t i = 0; i < count; i++) {
		if (entries[i].package != at)
			abort();
		at += entries[i].length;
		judge(entries[i].package, entries[i].length);
	}
	if (at != data + size)
		abort();
}

/* Takes a zero-terminated text off the front. */
static size_t take_words(const uint8_t *data, size_t size, char words[WORDS_MAX])
{
	size_t length = 0;

	for (; length < size && length < WORDS_MAX - 1 && data[length]; length++)
		words[length] = (char)data[length];
	words[length] = '\0';
	return length < size ? length + 1 : length;
}

static void make_wrong(const uint8_t *data, size_t size, uint8_t compression)
{
	const struct swpg_options options = {
	        .target = 0x91, .compression = compression, .version = {1}, .timestamp = 1767225600, .sequence = 1, .security_counter = 1};
	struct bytes package = {0}, opened = {0}, before = {0};
	char words[WORDS_MAX];
	size_t taken = take_words(data, size, words);
	struct swpg_view view;

	if (taken == size)
		return;
	data += taken;
	size -= taken;
	if (swpg_build(&options, data, size, &package, NULL) < 0 || swpg_parse(package.data, package.length, &view, NULL) < 0 ||
	    swpg_software(&view, size, &opened, NULL) < 0 || opened.length != size || memcmp(opened.data, data, size) != 0)
		abort();
	if (bytes_append(&before, package.data, package.length) < 0)
		abort();
	if (swpg_mutate(&package, words, NULL, NULL) == 0)
		judge(package.data, package.length);
	else if (package.length != before.length || memcmp(package.data, before.data, before.length) != 0)
		abort();
	bytes_free(&package);
	bytes_free(&opened);
	bytes_free(&before);
}

static void make_campaign_wrong(const uint8_t *data, size_t size)
{
	struct bytes campaign = {0};
	char words[WORDS_MAX];
	size_t taken = take_words(data, size, words);

	if (bytes_append(&campaign, data + taken, size - taken) < 0)
		abort();
	if (swpg_campaign_mutate(&campaign, words, NULL) == 0)
		open_campaign(campaign.data, campaign.length);
	bytes_free(&campaign);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] % 8 == 0)
		judge(data + 1, size - 1);
	else if (data[0] % 8 == 1)
		open_campaign(data + 1, size - 1);
	else if (data[0] % 8 <= 3)
		make_wrong(data + 1, size - 1, data[0] % 8 - 2);
	else
		make_campaign_wrong(data + 1, size - 1);
	return 0;
}
