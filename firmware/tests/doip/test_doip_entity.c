/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "bench.h"

int main(void)
{
	SRunner *runner = srunner_create(suite_header());
	srunner_add_suite(runner, suite_udp());
	srunner_add_suite(runner, suite_activation());
	srunner_add_suite(runner, suite_timers());
	srunner_add_suite(runner, suite_diagnostic());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
