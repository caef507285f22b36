/* SPDX-License-Identifier: Apache-2.0 */
/* The end device: endpoint in RAM, messages, connection, program. In virtual time. */
#include <stdlib.h>
#include <string.h>

#include "../fake_port.h"
#include "test_device.h"

void inject(uint32_t address, uint32_t length, const char *text)
{
	uint8_t *at = fake_ram() + (address - PORT_RAM_BEGIN);
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(length >> (8 * i));
	memcpy(at + 4, text, strlen(text));
}

int main(void)
{
	Suite *suite = suite_create("device");
	suite_add_tcase(suite, endpoint_cases());
	suite_add_tcase(suite, message_cases());
	suite_add_tcase(suite, client_cases());
	suite_add_tcase(suite, program_cases());
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
