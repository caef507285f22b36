/* SPDX-License-Identifier: Apache-2.0 */
#include "synthetic.h"

#include <check.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MS 1000000LL

static void path_of(const struct synthetic *s, const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", s->directory, name);
}

void synthetic_begin(struct synthetic *s)
{
	*s = (struct synthetic){.now_ns = 1000 * MS};
	snprintf(s->directory, sizeof(s->directory), "/tmp/hilbench-report-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(s->directory));
	char path[128];
	path_of(s, "events.jsonl", path, sizeof(path));
	s->file = fopen(path, "we");
	ck_assert_ptr_nonnull(s->file);
}

void synthetic_event(struct synthetic *s, const char *channel, const char *kind, const char *data_format, ...)
{
	s->now_ns += MS;
	fprintf(s->file, "{\"n\":%lu,\"t\":%" PRId64 ",\"clock\":\"user\",\"u\":1000,\"ch\":\"%s\",\"kind\":\"%s\"", ++s->number, s->now_ns,
	        channel, kind);
	if (data_format) {
		va_list arguments;
		va_start(arguments, data_format);
		fputs(",\"data\":", s->file);
		vfprintf(s->file, data_format, arguments);
		va_end(arguments);
	}
	fputs("}\n", s->file);
}

void synthetic_raw(struct synthetic *s, const void *data, size_t length)
{
	ck_assert_uint_eq(fwrite(data, 1, length, s->file), length);
}

void synthetic_run(struct synthetic *s, const char *host)
{
	synthetic_event(
	        s, "run", "run.begin",
	        "{\"version\":\"0.1.0\",\"utc\":\"2026-01-02T03:04:05Z\",\"realtime_offset_ns\":1767323044000000000,\"rig\":\"virtual\","
	        "\"rig_file\":\"rigs/virtual.yaml\",\"virtual\":true,\"seed\":42,\"arguments\":[\"hilbench\",\"run\"],\"host\":\"%s\"}",
	        host);
}

void synthetic_end(struct synthetic *s, int status, bool interrupted)
{
	synthetic_event(s, "run", "run.end", "{\"status\":%d,\"interrupted\":%s,\"clock_moved_ns\":0}", status,
	                interrupted ? "true" : "false");
}

void synthetic_case_begin(struct synthetic *s, const char *id, const char *file, int attempt)
{
	synthetic_event(
	        s, "case", "case.begin",
	        "{\"id\":\"%s\",\"title\":\"The case %s\",\"file\":\"%s\",\"line\":3,\"verifies\":[\"REQ-1\",\"REQ-%s\"],\"tags\":[\"t\"],"
	        "\"params\":{},\"attempt\":%d,\"of\":1,\"index\":1}",
	        id, id, file, id, attempt);
}

void synthetic_case_end(struct synthetic *s, const char *id, int attempt, const char *verdict, const char *cause, const char *message)
{
	synthetic_event(s, "case", "case.end",
	                "{\"id\":\"%s\",\"attempt\":%d,\"verdict\":\"%s\",\"cause\":\"%s\",\"message\":\"%s\",\"duration_ns\":1234567000}",
	                id, attempt, verdict, cause, message);
}

void synthetic_samples(struct synthetic *s, const char *case_id, unsigned count, bool result)
{
	for (unsigned i = 0; i < count; i++)
		synthetic_event(
		        s, "measure", "measure.sample",
		        "{\"id\":\"boot\",\"case\":\"%s\",\"value_ns\":%lld,\"uncertainty_ns\":5000,\"index\":%u,\"stages\":["
		        "{\"name\":\"ssw\",\"ns\":%lld,\"uncertainty_ns\":1000},{\"name\":\"<tls>\",\"ns\":%lld,\"uncertainty_ns\":4000}]}",
		        case_id, 200 * MS + i * MS, i + 1, 10 * MS + i, 190 * MS + i * MS - i);
	if (result)
		synthetic_event(
		        s, "measure", "measure.result",
		        "{\"id\":\"boot\",\"case\":\"%s\",\"title\":\"Boot & handshake\",\"unit\":\"ns\",\"virtual\":true,\"limit\":["
		        "{\"statistic\":\"p95\",\"op\":\"at_most\",\"value_ns\":220000000,\"verdict\":\"fail\"}],\"n\":%u,\"min_ns\":"
		        "200000000,"
		        "\"p50_ns\":214500000,\"p95_ns\":227550000,\"max_ns\":229000000,\"mean_ns\":214500000,\"uncertainty_ns\":5000}",
		        case_id, count);
}

void synthetic_sweep(struct synthetic *s, int accepted, bool complete)
{
	synthetic_event(s, "can:can0", "secoc.sweep",
	                "{\"id\":257,\"mode\":\"forgeries\",\"mac_bits\":16,\"attempts\":1,\"complete\":%s,\"sent\":196608,\"accepted\":%d,"
	                "\"rejected\":%d,\"by_chance\":1,\"unexplained\":%d,\"rate\":2200,\"expected\":3.0,\"confidence\":0.95,"
	                "\"lower\":1.232e-6,\"upper\":3.6741e-5}",
	                complete ? "true" : "false", accepted, 196608 - accepted, accepted - 1);
}

void synthetic_close(struct synthetic *s)
{
	ck_assert_int_eq(fclose(s->file), 0);
	s->file = NULL;
}

char *synthetic_read(const struct synthetic *s, const char *name)
{
	char path[128];
	path_of(s, name, path, sizeof(path));
	FILE *file = fopen(path, "re");
	ck_assert_msg(file != NULL, "no %s", path);
	char *text = NULL;
	size_t capacity = 0;
	ssize_t length = getdelim(&text, &capacity, '\0', file);
	ck_assert_msg(length > 0 && feof(file), "%s is empty or has a NUL", path);
	fclose(file);
	return text;
}

bool synthetic_has(const struct synthetic *s, const char *name)
{
	char path[128];
	path_of(s, name, path, sizeof(path));
	return access(path, F_OK) == 0;
}

void synthetic_remove(struct synthetic *s)
{
	DIR *directory = opendir(s->directory);
	for (struct dirent *entry; directory && (entry = readdir(directory));)
		unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
	rmdir(s->directory);
}
