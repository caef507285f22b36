/* SPDX-License-Identifier: Apache-2.0 */
/* D081-D083: what an application says when an activation type needs authentication or confirmation. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../app/consent.h"
#include "../fake_port.h"

#define TESTER_1 0x0E80u
#define TESTER_2 0x0E81u
#define MS       1000ull

static const uint8_t right[4] = {0x68, 0x69, 0x6C, 0x21};

static void start(const char *name, const char *value)
{
	fake_port_clear();
	if (name != NULL)
		fake_param_set(name, value);
	consent_start();
}

static int authenticate(const void *oem, size_t length)
{
	return consent_authenticate(NULL, TESTER_1, oem, length);
}

START_TEST(the_secret_grants)
{
	static const uint8_t wrong[4] = {0x68, 0x69, 0x6C, 0x20};

	start("doip.activation_secret", _i == 0 ? "68696c21" : "68696C21");
	ck_assert_int_eq(authenticate(right, 4), CONSENT_GRANTED);
	ck_assert_int_eq(authenticate(wrong, 4), CONSENT_REFUSED);
	ck_assert_int_eq(authenticate(right, 0), CONSENT_REFUSED);
	ck_assert_str_eq(fake_console(), "");
}
END_TEST

START_TEST(nothing_grants_without_a_secret)
{
	static const uint8_t zero[4];
	static const char *const secrets[] = {NULL, "", "68696c2", "68696c211", "68696c2x", "0x68696c"};

	start(secrets[_i] == NULL ? NULL : "doip.activation_secret", secrets[_i]);
	ck_assert_int_eq(authenticate(right, 4), CONSENT_REFUSED);
	ck_assert_int_eq(authenticate(zero, 4), CONSENT_REFUSED);
	ck_assert_int_eq(authenticate(zero, 0), CONSENT_REFUSED);
	ck_assert_int_eq(strstr(fake_console(), "doip.activation_secret") != NULL, _i >= 2);
}
END_TEST

START_TEST(confirmation_by_parameter)
{
	static const struct {
		const char *value;
		int consent;
		bool complains;
	} cases[] = {{NULL, CONSENT_GRANTED, false},      {"granted", CONSENT_GRANTED, false}, {"refused", CONSENT_REFUSED, false},
	             {"pending", CONSENT_PENDING, false}, {"perhaps", CONSENT_REFUSED, true},  {"", CONSENT_REFUSED, true}};

	start(cases[_i].value == NULL ? NULL : "doip.confirmation", cases[_i].value);
	ck_assert_int_eq(consent_confirm(NULL, TESTER_1), cases[_i].consent);
	ck_assert_int_eq(fake_console()[0] != '\0', cases[_i].complains);
}
END_TEST

START_TEST(pending_becomes_granted)
{
	start("doip.confirmation", "pending");
	ck_assert_int_eq(consent_confirm(NULL, TESTER_1), CONSENT_PENDING);
	fake_time_advance(200 * MS);
	ck_assert_int_eq(consent_confirm(NULL, TESTER_2), CONSENT_PENDING);
	fake_time_advance(100 * MS - 1);
	ck_assert_int_eq(consent_confirm(NULL, TESTER_1), CONSENT_PENDING); /* asking again does not begin anew */
	fake_time_advance(1);
	ck_assert_int_eq(consent_confirm(NULL, TESTER_1), CONSENT_GRANTED);
	ck_assert_int_eq(consent_confirm(NULL, TESTER_1), CONSENT_GRANTED);
	ck_assert_int_eq(consent_confirm(NULL, TESTER_2), CONSENT_PENDING);
	consent_forget(TESTER_1);
	ck_assert_int_eq(consent_confirm(NULL, TESTER_1), CONSENT_PENDING);
	fake_time_advance(200 * MS);
	ck_assert_int_eq(consent_confirm(NULL, TESTER_2), CONSENT_GRANTED);
}
END_TEST

START_TEST(the_wait_is_a_parameter)
{
	fake_port_clear();
	fake_param_set("doip.confirmation", "pending");
	fake_param_set("doip.confirmation_ms", "2");
	consent_start();
	ck_assert_int_eq(consent_confirm(NULL, TESTER_1), CONSENT_PENDING);
	fake_time_advance(2 * MS);
	ck_assert_int_eq(consent_confirm(NULL, TESTER_1), CONSENT_GRANTED);
}
END_TEST

/* There is room for as many as may activate; what comes beyond is refused, and a place that was left is taken again. */
START_TEST(room_for_all)
{
	unsigned taken = 0;

	start("doip.confirmation", "pending");
	while (taken < 100 && consent_confirm(NULL, (uint16_t)(TESTER_1 + taken)) == CONSENT_PENDING)
		taken++;
	ck_assert_uint_eq(taken, 8);
	consent_forget(TESTER_2);
	ck_assert_int_eq(consent_confirm(NULL, (uint16_t)(TESTER_1 + taken)), CONSENT_PENDING);
	ck_assert_int_eq(consent_confirm(NULL, TESTER_2), CONSENT_REFUSED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("consent");
	TCase *tcase = tcase_create("consent");
	tcase_add_loop_test(tcase, the_secret_grants, 0, 2);
	tcase_add_loop_test(tcase, nothing_grants_without_a_secret, 0, 6);
	tcase_add_loop_test(tcase, confirmation_by_parameter, 0, 6);
	tcase_add_test(tcase, pending_becomes_granted);
	tcase_add_test(tcase, the_wait_is_a_parameter);
	tcase_add_test(tcase, room_for_all);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
