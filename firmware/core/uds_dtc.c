/* SPDX-License-Identifier: Apache-2.0 */
#include "uds_dtc.h"

#include "uds_nvm.h"
#include "uds_private.h"

#include <string.h>

#define ALL_GROUPS    0xFFFFFFu
#define AFTER_CLEAR   (UDS_DTC_NOT_COMPLETED_SINCE_CLEAR | UDS_DTC_NOT_COMPLETED_THIS_CYCLE)
#define RECORD_LENGTH (2 * UDS_DTC_COUNT)

static const uint32_t codes[UDS_DTC_COUNT] = {UDS_DTC_SELF_TEST, UDS_DTC_NO_VIN, UDS_DTC_LOST_PEER};

static struct {
	uint8_t status[UDS_DTC_COUNT];
	uint8_t age[UDS_DTC_COUNT]; /* cycles without failure, for confirmed codes */
	bool frozen;
} store;

static bool save(void)
{
	uint8_t record[RECORD_LENGTH];

	memcpy(record, store.status, UDS_DTC_COUNT);
	memcpy(record + UDS_DTC_COUNT, store.age, UDS_DTC_COUNT);
	return uds_nvm_store(UDS_NVM_DTC, record, sizeof(record));
}

uint32_t uds_dtc_code(uint8_t index)
{
	return codes[index];
}
uint8_t uds_dtc_status(uint8_t index)
{
	return store.status[index];
}
void uds_dtc_freeze(bool frozen)
{
	store.frozen = frozen;
}
bool uds_dtc_frozen(void)
{
	return store.frozen;
}

void uds_dtc_load(void)
{
	uint8_t record[RECORD_LENGTH];
	size_t length;

	memset(&store, 0, sizeof(store));
	memset(store.status, AFTER_CLEAR, sizeof(store.status));
	if (uds_nvm_load(UDS_NVM_DTC, record, sizeof(record), &length) && length == sizeof(record)) {
		memcpy(store.status, record, UDS_DTC_COUNT);
		memcpy(store.age, record + UDS_DTC_COUNT, UDS_DTC_COUNT);
	}
	uds_dtc_new_cycle();
}

static void cycle_one(uint8_t index)
{
	uint8_t status = store.status[index];
	bool tested = (status & UDS_DTC_NOT_COMPLETED_THIS_CYCLE) == 0;
	bool failed = (status & UDS_DTC_FAILED_THIS_CYCLE) != 0;

	if (tested && !failed) {
		status &= (uint8_t)~UDS_DTC_PENDING;
		if ((status & UDS_DTC_CONFIRMED) != 0 && ++store.age[index] >= UDS_DTC_AGING_CYCLES) {
			status &= (uint8_t)~(UDS_DTC_CONFIRMED | UDS_DTC_FAILED_SINCE_CLEAR);
			store.age[index] = 0;
		}
	}
	status &= (uint8_t)~(UDS_DTC_TEST_FAILED | UDS_DTC_FAILED_THIS_CYCLE);
	store.status[index] = status | UDS_DTC_NOT_COMPLETED_THIS_CYCLE;
}

void uds_dtc_new_cycle(void)
{
	for (uint8_t i = 0; i < UDS_DTC_COUNT; i++)
		cycle_one(i);
	(void)save(); /* what cannot be stored is still right until the next reset */
}

static void report_failed(uint8_t index)
{
	store.status[index] |=
	        UDS_DTC_TEST_FAILED | UDS_DTC_FAILED_THIS_CYCLE | UDS_DTC_PENDING | UDS_DTC_CONFIRMED | UDS_DTC_FAILED_SINCE_CLEAR;
	store.age[index] = 0;
}

bool uds_dtc_report(uint32_t code, bool failed)
{
	uint8_t before;

	for (uint8_t i = 0; i < UDS_DTC_COUNT; i++) {
		if (codes[i] != code)
			continue;
		if (store.frozen)
			return true;
		before = store.status[i];
		store.status[i] &= (uint8_t)~(AFTER_CLEAR | UDS_DTC_TEST_FAILED);
		if (failed)
			report_failed(i);
		if (store.status[i] != before)
			(void)save();
		return true;
	}
	return false;
}

uint8_t uds_dtc_clear(uint32_t group)
{
	bool found = false;

	for (uint8_t i = 0; i < UDS_DTC_COUNT; i++) {
		if (group != ALL_GROUPS && group != codes[i])
			continue;
		store.status[i] = AFTER_CLEAR;
		store.age[i] = 0;
		found = true;
	}
	if (!found)
		return UDS_OUT_OF_RANGE;
	return save() ? UDS_POSITIVE : UDS_PROGRAMMING_FAILURE;
}
