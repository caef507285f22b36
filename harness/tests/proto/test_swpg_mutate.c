/* SPDX-License-Identifier: Apache-2.0 */
/* Packages made wrong on purpose: each has the defect that its word says, and only that one where it can be alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "swpg_maker.h"
#include "test_proto.h"

#define LENGTH 40000u
#define ANEW   ",+crc,+digest,+sign"

static struct swpg_key *key;
static struct bytes package;

static void setup(void)
{
	key = maker_key(1);
	package = (struct bytes){0};
}

static void teardown(void)
{
	swpg_key_free(key);
	bytes_free(&package);
}

static void mutate(const char *words)
{
	struct error err = {0};

	ck_assert_msg(swpg_mutate(&package, words, key, &err) == 0, "%s: %s", words, err.message);
}

/* wanted: the begin of every line in order, '|' between them; "" = accepted. */
static void assert_lines(const char *words, const char *findings, const char *wanted)
{
	const char *line = findings;

	while (*wanted) {
		size_t length = strcspn(wanted, "|");

		ck_assert_msg(strncmp(line, wanted, length) == 0, "%s: \"%s\" instead of \"%s\"", words, findings, wanted);
		wanted += length + (wanted[length] == '|');
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	ck_assert_msg(*line == '\0', "%s: also \"%s\"", words, line);
}

static void check(const char *words, uint8_t compression, const char *wanted)
{
	char *findings;

	bytes_free(&package);
	maker_package(&package, key, compression, LENGTH);
	mutate(words);
	findings = maker_findings(&package, key, 7);
	assert_lines(words, findings, wanted);
	free(findings);
}

struct expectation {
	const char *words, *wanted;
};

/* Of packages that are not compressed. */
static const struct expectation plain[] = {
        {"magic=0x53575046", "parse: offset 0, magic"},
        {"magic=0x47505753", "parse: offset 0, magic"},
        {"target_ecu_id=0" ANEW, "target_ecu_id: 0x0000"},
        {"target_ecu_id=0xffff" ANEW, "target_ecu_id: 0xffff"},
        {"target_ecu_id=0x11" ANEW, ""}, /* right, for another board */
        {"target_ecu_id=0x11", "crc32: |digest: "},
        {"software_type=0" ANEW, "software_type: 0 is unknown"},
        {"software_type=4" ANEW, "software_type: 4 is unknown"},
        {"software_type=255" ANEW, "software_type: 255 is unknown"},
        {"software_type=2" ANEW, "software_type: 2 (bootloader)"},
        {"software_type=3" ANEW, "software_type: 3 (calibration)"},
        {"compression=2" ANEW, "compression: 2 is unknown"},
        {"compression=255" ANEW, "compression: 255 is unknown"},
        {"compression=1" ANEW, "offset 66, payload: gzip stream incorrect header check"},
        {"payload_size=0", "parse: offset 8, payload_size"},
        {"payload_size=-1", "parse: offset 8, payload_size"},
        {"payload_size=+1", "parse: offset 8, payload_size"},
        {"payload_size=0xffffffff", "parse: offset 8, payload_size"},
        {"uncompressed_size=-1" ANEW, "uncompressed_size: 39999"},
        {"uncompressed_size=0" ANEW, "uncompressed_size: 0|uncompressed_size: 0, but"},
        {"uncompressed_size=0xffffffff" ANEW, "uncompressed_size: 4294967295, at most|uncompressed_size: 4294967295, but"},
        {"version=9.9.9.9" ANEW, "version_serial: 0x01020304"},
        {"version=9.9.9.9,version_serial=0x09090909" ANEW, ""},
        {"version_serial=0" ANEW, "version_serial: 0x00000000"},
        {"version_timestamp=0" ANEW, "version_timestamp: 0, not before"},
        {"version_timestamp=1577836799" ANEW, "version_timestamp: 1577836799, not before"},
        {"version_timestamp=1577836800" ANEW, ""},
        {"version_timestamp=0xffffffff" ANEW, "version_timestamp: 4294967295 is later"},
        {"crc32=0", "crc32: 00000000|digest: "},
        {"crc32=0xffffffff,+digest,+sign", "crc32: ffffffff"},
        {"kind=0", "crc32: |kind: 0, the package is not signed|trailer_length: 96"},
        {"kind=2" ANEW, "kind: 2 is unknown"},
        {"kind=0xffffffff" ANEW, "kind: 4294967295 is unknown"},
        {"trailer_length=0", "parse: offset 8"},
        {"trailer_length=0xffffffff", "parse: offset 8"},
        {"key_id=3" ANEW, "key_id: 3, the key at hand is 1"},
        {"source_ecu_id=0xffff" ANEW, "source_ecu_id: 0xffff"},
        {"source_ecu_id=0x0e00" ANEW, ""},
        {"hop_count=8", ""},
        {"hop_count=9", "hop_count: 9"},
        {"hop_count=0xffff", "hop_count: 65535"},
        {"sequence_number=0" ANEW, "sequence_number: 0"},
        {"security_counter=0" ANEW, "security_counter: absent"},
        {"security_counter=6" ANEW, "security_counter: 6, at least 7"},
        {"security_counter=-1" ANEW, "security_counter: 6, at least 7"},
        {"security_counter=0xffffffff" ANEW, ""},
        {"reserved=0000000000000001" ANEW, "reserved: "},
        {"reserved=0100000000000000" ANEW, "reserved: "},
        {"+crc,+digest,+sign", ""},
        {"+sign", ""},
        /* CRC right, digest wrong; both right, another image's signature; all three */
        {"payload-flip=0", "crc32: |digest: "},
        {"payload-flip=319999,+crc", "digest: "},
        {"payload-flip=5,+crc,+digest", "signature: is not one"},
        {"payload-flip=5,+crc,+digest,+sign", ""},
        {"payload-flip=5,payload-flip=5", ""},
        {"flip=0", "parse: offset 0, magic"},
        {"flip=511", "reserved: |crc32: |digest: "},
        {"flip=512", "crc32: |digest: "},
        {"header-flip=32", "crc32: |digest: "},
        {"trailer-flip=0", "digest: |signature: is not one"},
        {"trailer-flip=256", "signature: is not one"},
        {"trailer-flip=767", "signature: is not one"},
        {"cut=1", "parse: offset 8, payload_size"},
        {"cut=96", "parse: offset 8, payload_size"},
        {"cut=40097", "parse: offset 63: ends within the header"},
        {"cut=40160", "parse: offset 0: ends within the header"},
        {"pad=1", "parse: offset 8, payload_size"},
        {"pad=0", ""},
        {"truncate-payload=1" ANEW, "uncompressed_size: 40000, but payload_size is 39999"},
        {"truncate-payload=1,uncompressed_size=-1" ANEW, ""},
        {"truncate-payload=40000" ANEW, "payload_size: 0|uncompressed_size: 40000, but"},
        {"gzip=extra,compression=0" ANEW, "uncompressed_size: 40000, but"},
        {"signature=zero", "signature: r is 0|signature: s is 0"},
        {"signature=r-zero", "signature: r is 0"},
        {"signature=s-zero", "signature: s is 0"},
        {"signature=r-n", "signature: r is not below"},
        {"signature=s-n", "signature: s is not below"},
        {"signature=der" ANEW, "trailer_length: "},
        {"signature=short" ANEW, "trailer_length: 95"},
        {"signature=long" ANEW, "trailer_length: 97"},
        {"signature=absent", "crc32: |kind: 0, the package is not signed"},
        {"signature=absent,+crc", "kind: 0, the package is not signed"},
        {"signature=absent,kind=1,+crc", "trailer_length: 0"},
        {"nested" ANEW, "payload: the software is a package itself"},
        {"concatenated", "parse: offset 8, payload_size"},
        {"+crc-of-payload,+digest-of-payload,+sign", ""}, /* the same bytes */
};

/* Of compressed ones. */
static const struct expectation compressed[] = {
        {"compression=0" ANEW, "uncompressed_size: 40000, but payload_size is"},
        {"compression=0,uncompressed_size=0" ANEW, "uncompressed_size: 0|uncompressed_size: 0, but"},
        {"uncompressed_size=-1" ANEW, "offset "},
        {"uncompressed_size=+1" ANEW, "uncompressed_size: 40001, the payload decompresses to 40000"},
        {"truncate-payload=1" ANEW, "offset "},
        {"truncate-payload=8" ANEW, "offset "},
        {"truncate-payload=9" ANEW, "offset "},
        {"gzip=truncated" ANEW, "offset "},
        {"gzip=trailer-crc" ANEW, "offset "},
        {"gzip=trailer-size" ANEW, "offset "},
        {"gzip=multi-member" ANEW, "offset "},
        {"gzip=dictionary" ANEW, "offset "},
        {"gzip=flags" ANEW, "offset 68, payload: gzip stream unknown header flags set"},
        {"gzip=extra" ANEW, ""},  /* legal */
        {"gzip=stored" ANEW, ""}, /* legal */
        {"gzip=bomb" ANEW, "offset "},
        {"gzip=far-distance" ANEW, "offset "},
        {"gzip=empty" ANEW, "uncompressed_size: 40000, the payload decompresses to 0"},
        {"gzip=raw" ANEW, "offset 66, payload: gzip stream incorrect header check"},
        {"gzip-output=40001" ANEW, "offset "},
        {"gzip-output=40000" ANEW, ""},
        {"gzip-output=39999" ANEW, "uncompressed_size: 40000, the payload decompresses to 39999"},
        {"nested" ANEW, "payload: the software is a package itself"},
        {"signature=short" ANEW, "trailer_length: 95"},
        {"+digest-of-payload,+sign", "digest: "},
        {"+crc-of-payload,+digest,+sign", "crc32: "},
        {"cut=1", "parse: offset 8"},
        {"+crc,+digest,+sign", ""},
};

START_TEST(plain_package_has_its_defect)
{
	check(plain[_i].words, 0, plain[_i].wanted);
}
END_TEST

START_TEST(compressed_package_has_its_defect)
{
	check(compressed[_i].words, 1, compressed[_i].wanted);
	/* A package that was not compressed becomes one. */
	if (strncmp(compressed[_i].words, "gzip", 4) == 0)
		check(compressed[_i].words, 0, compressed[_i].wanted);
}
END_TEST

/* ---- the streams themselves, read with zlib ------------------------------------------------------------------------ */

/* Inflates from *at; returns zlib's last status. */
static int inflate_at(const uint8_t *stream, size_t length, size_t *at, int window, const uint8_t *dictionary, size_t dictionary_length,
                      struct bytes *out)
{
	z_stream z = {.next_in = (z_const Bytef *)stream + *at, .avail_in = (uInt)(length - *at)};
	static uint8_t chunk[1 << 16];
	int status;

	ck_assert_int_eq(inflateInit2(&z, window), Z_OK);
	if (dictionary)
		ck_assert_int_eq(inflateSetDictionary(&z, dictionary, (uInt)dictionary_length), Z_OK);
	do {
		z.next_out = chunk;
		z.avail_out = sizeof(chunk);
		status = inflate(&z, Z_NO_FLUSH);
		ck_assert_int_eq(bytes_append(out, chunk, sizeof(chunk) - z.avail_out), 0);
	} while (status == Z_OK);
	*at = length - z.avail_in;
	inflateEnd(&z);
	return status;
}

static const uint8_t *stream_of(const char *words, size_t *ret_length)
{
	struct swpg_view view;
	struct error err;

	bytes_free(&package);
	maker_package(&package, key, 0, LENGTH);
	mutate(words);
	ck_assert_int_eq(swpg_parse(package.data, package.length, &view, &err), 0);
	*ret_length = view.payload_length;
	return view.payload;
}

START_TEST(several_members_are_the_software_together)
{
	uint8_t software[LENGTH];
	struct bytes out = {0};
	size_t length, at = 0;
	const uint8_t *stream = stream_of("gzip=multi-member", &length);

	maker_software(software, LENGTH);
	ck_assert_int_eq(inflate_at(stream, length, &at, 31, NULL, 0, &out), Z_STREAM_END);
	ck_assert_uint_lt(at, length);
	ck_assert_uint_lt(out.length, LENGTH);
	ck_assert_int_eq(inflate_at(stream, length, &at, 31, NULL, 0, &out), Z_STREAM_END);
	ck_assert_uint_eq(at, length);
	ck_assert_uint_eq(out.length, LENGTH);
	ck_assert_mem_eq(out.data, software, LENGTH);
	bytes_free(&out);
}
END_TEST

START_TEST(dictionary_is_what_is_missing)
{
	uint8_t software[LENGTH];
	struct bytes out = {0};
	size_t length, at = 10;
	const uint8_t *stream = stream_of("gzip=dictionary", &length);

	maker_software(software, LENGTH);
	ck_assert_int_eq(inflate_at(stream, length, &at, -15, software, 16384, &out), Z_STREAM_END);
	ck_assert_uint_eq(at, length - 8);
	ck_assert_uint_eq(out.length, LENGTH);
	ck_assert_mem_eq(out.data, software, LENGTH);
	bytes_free(&out);
}
END_TEST

START_TEST(bomb_is_one)
{
	struct bytes out = {0};
	size_t length, at = 0;
	const uint8_t *stream = stream_of("gzip=bomb", &length);

	ck_assert_int_eq(inflate_at(stream, length, &at, 31, NULL, 0, &out), Z_STREAM_END);
	ck_assert_uint_ge(out.length, 16 * LENGTH);
	ck_assert_uint_ge(out.length / length, 900);
	bytes_free(&out);
}
END_TEST

/* RFC 1952, 2.3.1: FLG bits FHCRC 2, FEXTRA 4, FNAME 8, FCOMMENT 16; reserved 0xe0. */
START_TEST(headers_have_what_they_say)
{
	size_t length;
	const uint8_t *stream = stream_of("gzip=extra", &length);

	ck_assert_uint_eq(stream[3], 0x1e);
	ck_assert_uint_eq(stream[10] | stream[11] << 8, 65535);
	stream = stream_of("gzip=flags", &length);
	ck_assert_uint_eq(stream[3], 0xe0);
	stream = stream_of("gzip=stored", &length);
	ck_assert_uint_eq(stream[10] & 6, 0); /* BTYPE 00 */
	ck_assert_uint_gt(length, LENGTH);
	stream = stream_of("gzip=empty", &length);
	ck_assert_uint_eq(length, 20);
	stream = stream_of("gzip=raw", &length);
	ck_assert_uint_eq(length, LENGTH);
	stream = stream_of("gzip=far-distance", &length);
	ck_assert_uint_eq(length, 10 + 6 + 8);
}
END_TEST

START_TEST(der_is_der_and_right)
{
	const uint8_t *trailer;
	size_t length;
	char *findings;

	maker_package(&package, key, 0, LENGTH);
	mutate("signature=der" ANEW);
	trailer = package.data + 64 + LENGTH;
	length = package.length - 64 - LENGTH - 32;
	ck_assert_uint_eq(trailer[32], 0x30); /* SEQUENCE */
	ck_assert_uint_eq(trailer[33], length - 2);
	ck_assert_uint_eq(trailer[34], 0x02); /* INTEGER */
	ck_assert_uint_eq(package.data[36], length + 32);
	findings = maker_findings(&package, key, 0);
	ck_assert_ptr_nonnull(strstr(findings, "trailer_length"));
	free(findings);
}
END_TEST

START_TEST(nested_holds_the_package_itself)
{
	struct bytes inner = {0};

	maker_package(&package, key, 1, LENGTH);
	ck_assert_int_eq(bytes_append(&inner, package.data, package.length), 0);
	mutate("nested");
	ck_assert_uint_eq(package.length, 64 + inner.length + 96);
	ck_assert_mem_eq(package.data + 64, inner.data, inner.length);
	bytes_free(&package);
	maker_package(&package, key, 1, LENGTH);
	mutate("concatenated");
	ck_assert_uint_eq(package.length, 2 * inner.length);
	ck_assert_mem_eq(package.data, inner.data, inner.length);
	ck_assert_mem_eq(package.data + inner.length, inner.data, inner.length);
	bytes_free(&inner);
}
END_TEST

/* ---- words that cannot be ------------------------------------------------------------------------------------------- */

static const struct expectation impossible[] = {
        {"color=3", "neither"},
        {"flip", "needs a value"},
        {"flip=", "no number"},
        {"flip=x", "no number"},
        {"flip=12k", "no number"},
        {"flip=-1", "no number"},
        {"flip=99999999", "bits"},
        {"header-flip=512", "512 bits"},
        {"trailer-flip=768", "768 bits"},
        {"cut=99999999", "at most"},
        {"pad=99999999999", "more than"},
        {"pad=260000000,pad=10000000", "at most"},
        {"pad=130000000,concatenated,concatenated", "too big"},
        {"truncate-payload=40001", "at most 40000"},
        {"nested=1", "takes no value"},
        {"+crc=1", "takes no value"},
        {"gzip=fast", "there are truncated"},
        {"signature=forged", "there are zero"},
        {"hop_count=65536", "more than 65535"},
        {"software_type=256", "more than 255"},
        {"version=1.2.3", "has the form"},
        {"version=1.2.3.4.5", "has the form"},
        {"version=1.2.3.256", "more than 255"},
        {"crc32=1.2.3.4", "no number"},
        {"reserved=00", "8 bytes"},
        {"reserved=xx", "8 bytes"},
        {"magic", "needs a value"},
        {"flip=1,,flip=2", "empty word"},
        {"thiswordisfartoolongtobeanythingthatisknown=1", "too long"},
        {"signature=absent,+sign", "no trailer with a signature"},
        {"signature=absent,+digest", "no trailer with a digest"},
        {"signature=absent,signature=zero", "no signature of 64"},
        {"cut=40150,magic=1", "no whole header"},
        {"cut=40150,pad=100,+crc", "no whole header"},
        {"cut=40150,pad=100,payload-flip=1", "no whole header"},
        {"cut=40150,nested", "no whole header"},
};

START_TEST(impossible_words_change_nothing)
{
	const struct expectation *e = &impossible[_i];
	struct error err = {0};
	char *findings;

	maker_package(&package, key, 0, LENGTH);
	ck_assert_int_lt(swpg_mutate(&package, e->words, key, &err), 0);
	ck_assert_int_eq(err.domain, ERROR_USAGE);
	ck_assert_msg(strstr(err.message, e->wanted) != NULL, "%s: %s", e->words, err.message);
	findings = maker_findings(&package, key, 0);
	ck_assert_str_eq(findings, "");
	free(findings);
}
END_TEST

START_TEST(signing_needs_a_key_and_a_package)
{
	struct swpg_key *public = maker_public(1);
	struct error err;

	maker_package(&package, key, 0, LENGTH);
	ck_assert_int_lt(swpg_mutate(&package, "+sign", NULL, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "key"));
	ck_assert_int_lt(swpg_mutate(&package, "+sign", public, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "private"));
	package.length--;
	ck_assert_int_lt(swpg_mutate(&package, "pad=1", key, &err), 0);
	swpg_key_free(public);
}
END_TEST

/* What is right of some package passes without one; what hangs on the package is left to it. */
START_TEST(words_are_checked_without_a_package)
{
	static const char *const right[] = {"flip=99999999",
	                                    "cut=99999999",
	                                    "truncate-payload=40001",
	                                    "version=1.2.3.4,+crc,+digest,+sign",
	                                    "gzip=bomb",
	                                    "signature=der",
	                                    "reserved=0011223344556677",
	                                    "hop_count=+1",
	                                    "nested",
	                                    ""};
	static const char *const wrong[] = {"color=3",       "flip",        "flip=x",        "header-flip=512",  "trailer-flip=768",
	                                    "nested=1",      "+crc=1",      "gzip=fast",     "signature=forged", "hop_count=65536",
	                                    "version=1.2.3", "reserved=00", "crc32=1.2.3.4", "flip=1,,flip=2",   "pad=99999999999"};
	struct error why;

	for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++)
		ck_assert_msg(swpg_mutation_check(right[i], &why) == 0, "%s: %s", right[i], why.message);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		ck_assert_msg(swpg_mutation_check(wrong[i], &why) < 0, "%s passes", wrong[i]);
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof(*(table)))

Suite *swpg_mutate_suite(void)
{
	Suite *suite = suite_create("swpg mutate");
	TCase *tcase = tcase_create("wrong packages");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, plain_package_has_its_defect, 0, COUNT(plain));
	tcase_add_loop_test(tcase, compressed_package_has_its_defect, 0, COUNT(compressed));
	tcase_add_test(tcase, several_members_are_the_software_together);
	tcase_add_test(tcase, dictionary_is_what_is_missing);
	tcase_add_test(tcase, bomb_is_one);
	tcase_add_test(tcase, headers_have_what_they_say);
	tcase_add_loop_test(tcase, der_is_der_and_right, 0, 8);
	tcase_add_test(tcase, nested_holds_the_package_itself);
	tcase_add_loop_test(tcase, impossible_words_change_nothing, 0, COUNT(impossible));
	tcase_add_test(tcase, words_are_checked_without_a_package);
	tcase_add_test(tcase, signing_needs_a_key_and_a_package);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return suite;
}
