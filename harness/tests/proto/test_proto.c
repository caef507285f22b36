/* SPDX-License-Identifier: Apache-2.0 */
#include "test_proto.h"

#include <stdlib.h>

int main(void)
{
	SRunner *runner = srunner_create(doip_suite());
	srunner_add_suite(runner, uds_suite());
	srunner_add_suite(runner, isotp_suite());
	srunner_add_suite(runner, secoc_suite());
	srunner_add_suite(runner, swpg_suite());
	srunner_add_suite(runner, swpg_mutate_suite());
	srunner_add_suite(runner, swpg_campaign_suite());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
