/* SPDX-License-Identifier: Apache-2.0 */
#include "ota_step.h"

#include <errno.h>

const char *const ota_capability[] = {"ota", NULL};
const char *const flash_capability[] = {"flash", NULL};
const char *const ota_outcome_words[] = {"done", "refused", "lost", NULL};
const char *const ota_bank_words[] = {"A", "B", "none", NULL};

int ota_results_set(struct step_context *context, const struct ota_client *client)
{
	if (step_result_text(context, "outcome", ota_outcome_name(client->outcome)) < 0 ||
	    step_result_integer(context, "nrc", client->nrc) < 0 || step_result_integer(context, "nack", client->doip_nack) < 0)
		return -ENOMEM;
	return step_result_integer(context, "pending", (int64_t)client->pending);
}

int ota_judge(struct ota_client *client, const struct step_call *call, struct error *err)
{
	if (client->outcome == OTA_DONE || ota_call_expects(call, "nrc") || ota_call_expects(call, "outcome") ||
	    ota_call_expects(call, "nack") || ota_call_expects(call, "at"))
		return 0;
	return ota_client_failed(client, err);
}
