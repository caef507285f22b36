/* SPDX-License-Identifier: Apache-2.0 */
/* Campaigns: right ones open, and whatever is wrong with the table is told with its offset. */
#include <stdlib.h>
#include <string.h>

#include "swpg_maker.h"
#include "test_proto.h"

#define PACKAGES 3

static struct swpg_key *key;
static struct bytes packages[PACKAGES], campaign;
static const uint16_t targets[PACKAGES] = {0x0091, 0x0011, 0x0e00};

static void setup(void)
{
	struct error err;

	key = maker_key(1);
	campaign = (struct bytes){0};
	for (int i = 0; i < PACKAGES; i++) {
		struct swpg_options options = maker_options(key, i == 1);
		uint8_t software[500];

		options.target = targets[i];
		maker_software(software, sizeof(software));
		packages[i] = (struct bytes){0};
		ck_assert_int_eq(swpg_build(&options, software, 100u + (unsigned)i, &packages[i], &err), 0);
	}
	ck_assert_int_eq(swpg_campaign_build(packages, PACKAGES, &campaign, &err), 0);
}

static void teardown(void)
{
	swpg_key_free(key);
	bytes_free(&campaign);
	for (int i = 0; i < PACKAGES; i++)
		bytes_free(&packages[i]);
}

static int parse(struct error *err)
{
	struct swpg_campaign_entry entries[SWPG_CAMPAIGN_MAX];
	uint8_t *copy = malloc(campaign.length ? campaign.length : 1);
	size_t count;
	int r;

	memcpy(copy, campaign.data, campaign.length);
	r = swpg_campaign_parse(copy, campaign.length, entries, SWPG_CAMPAIGN_MAX, &count, err);
	free(copy);
	return r;
}

START_TEST(packages_come_out_as_they_went_in)
{
	struct swpg_campaign_entry entries[SWPG_CAMPAIGN_MAX];
	struct error err;
	size_t count, at = 8 + PACKAGES * 16 + 4;

	ck_assert_mem_eq(campaign.data, "\x47\x4b\x50\x46\x01\x00\x03\x00\x91\x00\x00\x00\x3c\x00\x00\x00", 16);
	ck_assert_int_eq(swpg_campaign_parse(campaign.data, campaign.length, entries, SWPG_CAMPAIGN_MAX, &count, &err), 0);
	ck_assert_uint_eq(count, PACKAGES);
	for (int i = 0; i < PACKAGES; i++) {
		ck_assert_uint_eq(entries[i].target, targets[i]);
		ck_assert_uint_eq((size_t)(entries[i].package - campaign.data), at);
		ck_assert_uint_eq(entries[i].length, packages[i].length);
		ck_assert_mem_eq(entries[i].package, packages[i].data, packages[i].length);
		at += packages[i].length;
	}
	ck_assert_uint_eq(at, campaign.length);
	ck_assert_int_eq(swpg_campaign_parse(campaign.data, campaign.length, entries, PACKAGES, &count, &err), 0);
	ck_assert_int_lt(swpg_campaign_parse(campaign.data, campaign.length, entries, PACKAGES - 1, &count, &err), 0);
}
END_TEST

START_TEST(every_bit_and_length_counts)
{
	struct error err;
	size_t whole = campaign.length;

	for (size_t bit = 0; bit < whole * 8; bit++) {
		campaign.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_msg(parse(&err) < 0, "bit %zu", bit);
		ck_assert_int_eq(err.domain, ERROR_USAGE);
		ck_assert_ptr_nonnull(strstr(err.message, "offset "));
		campaign.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (campaign.length = 0; campaign.length < whole; campaign.length++)
		ck_assert_int_lt(parse(&err), 0);
	ck_assert_int_eq(parse(&err), 0);
}
END_TEST

START_TEST(what_cannot_be_joined_is_refused)
{
	struct bytes many[SWPG_CAMPAIGN_MAX + 1], none = {0}, twice[2] = {packages[0], packages[0]}, broken[1] = {packages[0]};
	struct error err;

	for (size_t i = 0; i <= SWPG_CAMPAIGN_MAX; i++)
		many[i] = packages[0];
	ck_assert_int_lt(swpg_campaign_build(many, 0, &none, &err), 0);
	ck_assert_int_lt(swpg_campaign_build(many, SWPG_CAMPAIGN_MAX + 1, &none, &err), 0);
	ck_assert_int_lt(swpg_campaign_build(twice, 2, &none, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "twice"));
	broken[0].length--;
	ck_assert_int_lt(swpg_campaign_build(broken, 1, &none, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "package 0"));
	ck_assert_uint_eq(none.length, 0);
}
END_TEST

static const struct {
	const char *words, *wanted; /* "" = accepted */
} defects[] = {
        {"magic=1,+crc", "magic"},
        {"version=2,+crc", "version: 2"},
        {"version=0,+crc", "version: 0"},
        {"count=0,+crc", "count: 0"},
        {"count=17,+crc", "count: 17"},
        {"count=-1", "crc32 of the table"},
        {"count=+1", "crc32 of the table"},
        {"target.0=0,+crc", "entry 0, target_ecu_id: 0x0000"},
        {"target.2=0xffff,+crc", "entry 2, target_ecu_id: 0xffff"},
        {"target.1=0x91,+crc", "entry 1, target_ecu_id: 0x0091, its package is for 0x0011"},
        {"target.1=0x12,+crc", "entry 1, target_ecu_id: 0x0012, its package is for 0x0011"},
        {"reserved.1=1,+crc", "entry 1, reserved"},
        {"offset.0=+1,+crc", "entry 0, offset"},
        {"offset.1=-1,+crc", "entry 1, offset"},
        {"offset.1=0xffffffff,+crc", "entry 1, offset"},
        {"length.2=+1,+crc", "entry 2, length"},
        {"length.2=0xffffffff,+crc", "entry 2, length"},
        {"length.0=63,+crc", "entry 0, length"},
        {"length.2=-1,+crc", "behind the last package"},
        {"length.0=-1,+crc", "entry 1, offset"},
        {"crc32.1=0", "crc32 of the table"},
        {"+crc", ""},
        {"missing=0", "entry 0, crc32"},
        {"missing=2", "entry 2, length"},
        {"missing=0,+crc", "its package is for"},
        {"dropped=1", ""}, /* partial, but right */
        {"duplicate=1", "there twice"},
        {"reversed", "entry 0, offset"},
        {"reversed,+crc", "entry 0, offset"},
        {"flip=100", "crc32 of the table"},
        {"flip=2000", "entry 0, crc32"},
        {"cut=1", "entry 2, length"},
        {"cut=100000", "cannot: at most"},
        {"pad=1", "behind the last package"},
        {"pad=0", ""},
        {"target.3=1", "cannot: 3 entries"},
        {"target=1", "cannot: neither"},
        {"magic.0=1", "cannot: neither"},
        {"missing", "cannot: needs a value"},
        {"colour.1=2", "cannot: neither"},
        {"version=65536", "cannot: more than"},
        {"dropped=0,dropped=0,dropped=0", "cannot: 1 to 16"},
};

START_TEST(campaign_has_its_defect)
{
	const char *words = defects[_i].words, *wanted = defects[_i].wanted;
	struct error err = {.message = ""};
	bool cannot = strncmp(wanted, "cannot: ", 8) == 0;
	int r = swpg_campaign_mutate(&campaign, words, &err);

	ck_assert_msg((r < 0) == cannot, "%s: %s", words, err.message);
	if (!cannot)
		r = parse(&err);
	ck_assert_msg((r < 0) == (*wanted != '\0'), "%s: %s", words, err.message);
	if (*wanted)
		ck_assert_msg(strstr(err.message, wanted + (cannot ? 8 : 0)) != NULL, "%s: %s", words, err.message);
	if (cannot)
		ck_assert_int_eq(parse(&err), 0);
}
END_TEST

Suite *swpg_campaign_suite(void)
{
	Suite *suite = suite_create("swpg campaign");
	TCase *tcase = tcase_create("campaigns");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, packages_come_out_as_they_went_in);
	tcase_add_test(tcase, every_bit_and_length_counts);
	tcase_add_test(tcase, what_cannot_be_joined_is_refused);
	tcase_add_loop_test(tcase, campaign_has_its_defect, 0, (int)(sizeof(defects) / sizeof(*defects)));
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return suite;
}
