/* SPDX-License-Identifier: Apache-2.0 */
#include "can_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "../../link/can.h"

#define ID_MAX_11   0x7ff
#define CLASSIC_MAX 8
#define KEY_BYTES   16

bool known_integer(const struct value *known, const char *name, int64_t *ret)
{
	const struct value *value = value_get(known, name);

	if (!value || (value->type != VALUE_INTEGER && value->type != VALUE_SIZE && value->type != VALUE_DURATION))
		return false;
	*ret = value->integer;
	return true;
}

bool known_bool(const struct value *known, const char *name, bool *ret)
{
	const struct value *value = value_get(known, name);

	if (!value || value->type != VALUE_BOOL)
		return false;
	*ret = value->boolean;
	return true;
}

const char *known_text(const struct value *known, const char *name)
{
	const struct value *value = value_get(known, name);

	return value && value->type == VALUE_TEXT ? value->text : NULL;
}

const struct bytes *known_bytes(const struct value *known, const char *name)
{
	const struct value *value = value_get(known, name);

	return value && value->type == VALUE_BYTES ? &value->bytes : NULL;
}

int call_refuse(const struct step_call *call, const char *name, struct error *err, const char *format, ...)
{
	const struct value *written = value_get(call->args, name);
	char message[400];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return error_set_place(err, ERROR_USAGE, EINVAL, written ? written->place : call->place, "%s: %s", call->def->name, message);
}

int call_check_alone(const struct step_call *call, const char *name, const char *const *others, const char *why, struct error *err)
{
	if (!value_get(call->args, name))
		return 0;
	for (; *others; others++)
		if (value_get(call->args, *others))
			return call_refuse(call, *others, err, "`%s` does not go with `%s`: %s", *others, name, why);
	return 0;
}

int can_check_id(const struct step_call *call, const struct value *known, const char *id_name, struct error *err)
{
	int64_t id;
	bool extended;

	if (!known_integer(known, id_name, &id) || !known_bool(known, "extended", &extended) || extended || id <= ID_MAX_11)
		return 0;
	return call_refuse(call, id_name, err, "`%s` 0x%" PRIx64 " does not fit the 11 bits of a standard identifier (`extended` is false)",
	                   id_name, (uint64_t)id);
}

int can_check_length(const struct step_call *call, const struct value *known, const char *name, bool fd, struct error *err)
{
	struct can_message message = {.flags = fd ? CAN_MESSAGE_FD : 0};
	int64_t length;

	if (!known_integer(known, name, &length))
		return 0;
	message.length = (uint8_t)length;
	if (length >= 0 && length <= CAN_MESSAGE_MAX && can_message_check(&message, NULL) == 0)
		return 0;
	return call_refuse(call, name, err, "no %s frame has %" PRId64 " bytes (it has 0 to 8%s)", fd ? "CAN FD" : "classic", length,
	                   fd ? ", 12, 16, 20, 24, 32, 48 or 64" : "; `fd: true` allows more");
}

int can_check_bytes(const struct step_call *call, const struct value *known, const char *name, size_t limit, const char *what,
                    struct error *err)
{
	const struct bytes *bytes = known_bytes(known, name);

	if (!bytes || bytes->length <= limit)
		return 0;
	return call_refuse(call, name, err, "`%s` has %zu bytes, %s has at most %zu", name, bytes->length, what, limit);
}

static int check_remote(const struct step_call *call, const struct value *known, bool fd, struct error *err)
{
	static const char *const content[] = {"data", "padding", NULL};

	if (fd)
		return call_refuse(call, "remote", err, "CAN FD has no remote frames");
	for (const char *const *name = content; *name; name++)
		if (value_get(call->args, *name))
			return call_refuse(call, *name, err,
			                   "a remote frame carries no data: `%s` says nothing, `length` is what it asks for", *name);
	return can_check_length(call, known, "length", false, err);
}

/* What only CAN FD frames have. */
static int check_fd_bits(const struct step_call *call, const struct value *known, struct error *err)
{
	static const char *const bits[] = {"brs", "esi", NULL};
	bool on;

	for (const char *const *name = bits; *name; name++)
		if (known_bool(known, *name, &on) && on)
			return call_refuse(call, *name, err, "`%s` needs `fd: true`: a classic CAN frame has no such bit", *name);
	return 0;
}

static int check_data(const struct step_call *call, const struct value *known, bool fd, struct error *err)
{
	const struct bytes *data = known_bytes(known, "data");
	int64_t length;
	int r = can_check_bytes(call, known, "data", fd ? CAN_MESSAGE_MAX : CLASSIC_MAX,
	                        fd ? "a CAN FD frame" : "a classic CAN frame (`fd: true` allows more)", err);

	if (r == 0)
		r = can_check_length(call, known, "length", fd, err);
	if (r == 0 && data && known_integer(known, "length", &length) && (int64_t)data->length > length)
		r = call_refuse(call, "length", err, "`length` is %" PRId64 ", but `data` has %zu bytes", length, data->length);
	return r;
}

int can_check_frame(const struct step_call *call, const struct value *known, struct error *err)
{
	bool fd, remote;
	int r = can_check_id(call, known, "id", err);

	if (r < 0 || !known_bool(known, "fd", &fd))
		return r;
	if (!fd && (r = check_fd_bits(call, known, err)) < 0)
		return r;
	if (!known_bool(known, "remote", &remote))
		remote = false;
	return remote ? check_remote(call, known, fd, err) : check_data(call, known, fd, err);
}

int secoc_check_key(const struct step_call *call, const struct value *known, struct error *err)
{
	const struct bytes *key = known_bytes(known, "key");

	if (!key || key->length == KEY_BYTES)
		return 0;
	return call_refuse(call, "key", err, "`key` has %zu bytes, an AES-128 key has %d", key->length, KEY_BYTES);
}
