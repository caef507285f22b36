/* SPDX-License-Identifier: Apache-2.0 */
#include "ota_check.h"

#include <errno.h>
#include <string.h>

#include "ota_package.h"

int flash_check_place(const struct step_call *call, const struct value *known, struct error *err)
{
	static const char *const others[] = {"area", "offset", NULL};

	(void)known;
	if (!value_get(call->args, "area") && !value_get(call->args, "address"))
		return call_refuse(call, "area", err, "needs `area` or `address`");
	return call_check_alone(call, "address", others, "it is a place by itself", err);
}

int ota_check_mutation(const struct step_call *call, const struct value *known, struct error *err)
{
	const char *text = known_text(known, "mutate");
	struct error why;

	if (!text || swpg_mutation_check(text, &why) == 0)
		return 0;
	return call_refuse(call, "mutate", err, "`mutate`: %s", why.message);
}

int ota_check_version(const struct step_call *call, const struct value *known, struct error *err)
{
	const char *text = known_text(known, "version");
	uint8_t version[4];
	struct error why;

	if (!text || ota_version_parse(text, version, &why) == 0)
		return 0;
	return call_refuse(call, "version", err, "%s", why.message);
}

static bool in_case(const struct step_call *call)
{
	return strstr(call->id, "/setup/") || strstr(call->id, "/steps/") || strstr(call->id, "/always/");
}

int ota_check_remembered(const struct step_call *call, const struct value *known, const char *step, const char *by, struct error *err)
{
	const char *name = known_text(known, "untouched");
	const struct value *given;

	if (!name || !in_case(call))
		return 0;
	for (const struct step_call *before = call->previous; before; before = before->previous) {
		given = strcmp(before->def->name, step) == 0 ? value_get(before->args, by) : NULL;
		if (given && (given->type != VALUE_TEXT || strstr(given->text, "${") || strcmp(given->text, name) == 0))
			return 0;
	}
	return call_refuse(call, "untouched", err, "no %s before this step has `%s: %s`", step, by, name);
}

int ota_check_judges(const struct step_call *call, const char *const *arguments, const char *list, struct error *err)
{
	for (const char *const *name = arguments; *name; name++)
		if (value_get(call->args, *name))
			return 0;
	return call->expect ? 0 : call_refuse(call, "role", err, "there is nothing to judge: it needs %s", list);
}
