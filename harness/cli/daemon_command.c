/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon_command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run_directory.h"

bool daemon_option(struct daemon_where *where, int option, const char *text)
{
	if (option == DAEMON_OPTION_URL)
		where->url = text;
	else if (option == DAEMON_OPTION_TOKEN_FILE)
		where->token_file = text;
	else if (option == DAEMON_OPTION_CA_FILE)
		where->ca_file = text;
	else
		return false;
	return true;
}

int daemon_fail(const char *command, const struct error *error)
{
	struct error plain = *error;
	(void)daemon_plain(error->message, plain.message, sizeof(plain.message));
	/* What is said of several rigs is a line for each. */
	for (size_t i = 0; plain.message[i]; i++)
		if (error->message[i] == '\n')
			plain.message[i] = '\n';
	return run_failure(command, &plain);
}

int daemon_number(const char *command, const char *name, const char *text, int64_t least, int64_t most, int64_t *ret)
{
	char *end;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	if (!*text || *end || errno || *text == ' ' || number < least || number > most)
		return command_usage_error(command, "%s must be a number from %" PRId64 " to %" PRId64 ", not \"%s\"", name, least, most,
		                           text);
	*ret = number;
	return 0;
}

int daemon_job_number(const char *command, const char *text, int64_t *ret)
{
	return daemon_number(command, "the job", text, 1, INT64_MAX, ret);
}

int daemon_duration(const char *command, const char *name, const char *text)
{
	struct value *word = value_new_text(text), *duration = NULL;
	struct error error = {0};
	/* Days are the daemon's: the language has none. */
	size_t digits = strspn(text, "0123456789");
	bool days = digits > 0 && digits < 6 && !strcmp(text + digits, "d") && atoi(text) > 0;
	int r = days ? 0 : word ? value_convert(word, VALUE_DURATION, &duration, &error) : -ENOMEM;
	if (r == 0 && !days && duration->integer <= 0)
		r = -EINVAL;
	value_free(duration);
	value_free(word);
	return r == 0 ? 0 : command_usage_error(command, "%s takes a time like 90s, 10min or 2h, not \"%s\"", name, text);
}

const char *daemon_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

int64_t daemon_integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const char *daemon_plain(const char *text, char *buffer, size_t size)
{
	size_t length = strnlen(text, size - 1);
	/* Not in the middle of a character. */
	while (length > 0 && text[length] && ((unsigned char)text[length] & 0xc0) == 0x80)
		length--;
	for (size_t i = 0; i < length; i++)
		buffer[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
	buffer[length] = '\0';
	return buffer;
}

void daemon_print_json(const json_t *json)
{
	(void)json_dumpf(json, stdout, JSON_COMPACT);
	(void)putchar('\n');
}
