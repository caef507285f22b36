/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_TESTS_PROTO_TEST_PROTO_H
#define HARNESS_TESTS_PROTO_TEST_PROTO_H

#include <check.h>

Suite *doip_suite(void);
Suite *uds_suite(void);
Suite *isotp_suite(void);
Suite *secoc_suite(void);
Suite *swpg_suite(void);
Suite *swpg_mutate_suite(void);
Suite *swpg_campaign_suite(void);

#endif
