/* SPDX-License-Identifier: Apache-2.0 */
#include <curl/curl.h>
#include <stdlib.h>

#include "http_fixture.h"

int main(void)
{
	Suite *suite = suite_create("http");
	SRunner *runner;
	int failed;

	curl_global_init(CURL_GLOBAL_ALL);
	add_route_tests(suite);
	add_request_tests(suite);
	add_who_tests(suite);
	add_hostile_tests(suite);
	add_stream_tests(suite);
	add_socket_tests(suite);
	add_tls_tests(suite);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	curl_global_cleanup();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
