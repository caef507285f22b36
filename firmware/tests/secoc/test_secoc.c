/* SPDX-License-Identifier: Apache-2.0 */
/* SecOC of the target. */
#include "suites.h"

#include <stdlib.h>

int main(void)
{
	Suite *suite = suite_create("secoc");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, secoc_vectors_case());
	suite_add_tcase(suite, secoc_rules_case());
	suite_add_tcase(suite, secoc_memory_case());
	suite_add_tcase(suite, secoc_fault_case());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
