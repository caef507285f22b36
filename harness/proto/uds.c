/* SPDX-License-Identifier: Apache-2.0 */
#include "uds.h"

#include <string.h>

#define NEGATIVE_RESPONSE 0x7f
#define RESPONSE_PENDING  0x78
#define POSITIVE_OFFSET   0x40
#define NS_PER_MS         1000000LL
#define PENDING_LIMIT     50

struct code_name {
	uint8_t code;
	const char *name;
};

/* What a positive response repeats of its request: 0 nothing, else that many bytes after the service identifier. */
static const struct service {
	uint8_t sid;
	const char *name;
	uint8_t echo;
	bool subfunction; /* the first echoed byte is a sub-function: bit 7 (suppress) is not echoed */
	bool identifiers; /* the request is a list of 2-byte identifiers; the answer begins with one of them */
} services[] = {
        {0x10, "DiagnosticSessionControl", 1, true, false},
        {0x11, "ECUReset", 1, true, false},
        {0x14, "ClearDiagnosticInformation", 0, false, false},
        {0x19, "ReadDTCInformation", 1, true, false},
        {0x22, "ReadDataByIdentifier", 2, false, true},
        {0x23, "ReadMemoryByAddress", 0, false, false},
        {0x24, "ReadScalingDataByIdentifier", 2, false, false},
        {0x27, "SecurityAccess", 1, true, false},
        {0x28, "CommunicationControl", 1, true, false},
        {0x29, "Authentication", 1, true, false},
        {0x2a, "ReadDataByPeriodicIdentifier", 0, false, false},
        {0x2c, "DynamicallyDefineDataIdentifier", 1, true, false},
        {0x2e, "WriteDataByIdentifier", 2, false, false},
        {0x2f, "InputOutputControlByIdentifier", 2, false, false},
        {0x31, "RoutineControl", 3, true, false},
        {0x34, "RequestDownload", 0, false, false},
        {0x35, "RequestUpload", 0, false, false},
        {0x36, "TransferData", 1, false, false},
        {0x37, "RequestTransferExit", 0, false, false},
        {0x38, "RequestFileTransfer", 1, false, false},
        {0x3d, "WriteMemoryByAddress", 1, false, false},
        {0x3e, "TesterPresent", 1, true, false},
        {0x83, "AccessTimingParameter", 1, true, false},
        {0x84, "SecuredDataTransmission", 0, false, false},
        {0x85, "ControlDTCSetting", 1, true, false},
        {0x86, "ResponseOnEvent", 1, true, false},
        {0x87, "LinkControl", 1, true, false},
};

static const struct code_name nrcs[] = {
        /* ISO 14229-1:2020 Table A.1 */
        {0x10, "generalReject"},
        {0x11, "serviceNotSupported"},
        {0x12, "subFunctionNotSupported"},
        {0x13, "incorrectMessageLengthOrInvalidFormat"},
        {0x14, "responseTooLong"},
        {0x21, "busyRepeatRequest"},
        {0x22, "conditionsNotCorrect"},
        {0x24, "requestSequenceError"},
        {0x25, "noResponseFromSubnetComponent"},
        {0x26, "failurePreventsExecutionOfRequestedAction"},
        {0x31, "requestOutOfRange"},
        {0x33, "securityAccessDenied"},
        {0x34, "authenticationRequired"},
        {0x35, "invalidKey"},
        {0x36, "exceedNumberOfAttempts"},
        {0x37, "requiredTimeDelayNotExpired"},
        {0x38, "secureDataTransmissionRequired"},
        {0x39, "secureDataTransmissionNotAllowed"},
        {0x3a, "secureDataVerificationFailed"},
        {0x50, "certificateVerificationFailedInvalidTimePeriod"},
        {0x51, "certificateVerificationFailedInvalidSignature"},
        {0x52, "certificateVerificationFailedInvalidChainOfTrust"},
        {0x53, "certificateVerificationFailedInvalidType"},
        {0x54, "certificateVerificationFailedInvalidFormat"},
        {0x55, "certificateVerificationFailedInvalidContent"},
        {0x56, "certificateVerificationFailedInvalidScope"},
        {0x57, "certificateVerificationFailedInvalidCertificate"},
        {0x58, "ownershipVerificationFailed"},
        {0x59, "challengeCalculationFailed"},
        {0x5a, "settingAccessRightsFailed"},
        {0x5b, "sessionKeyCreationOrDerivationFailed"},
        {0x5c, "configurationDataUsageFailed"},
        {0x5d, "deAuthenticationFailed"},
        {0x70, "uploadDownloadNotAccepted"},
        {0x71, "transferDataSuspended"},
        {0x72, "generalProgrammingFailure"},
        {0x73, "wrongBlockSequenceCounter"},
        {0x78, "requestCorrectlyReceivedResponsePending"},
        {0x7e, "subFunctionNotSupportedInActiveSession"},
        {0x7f, "serviceNotSupportedInActiveSession"},
        {0x81, "rpmTooHigh"},
        {0x82, "rpmTooLow"},
        {0x83, "engineIsRunning"},
        {0x84, "engineIsNotRunning"},
        {0x85, "engineRunTimeTooLow"},
        {0x86, "temperatureTooHigh"},
        {0x87, "temperatureTooLow"},
        {0x88, "vehicleSpeedTooHigh"},
        {0x89, "vehicleSpeedTooLow"},
        {0x8a, "throttlePedalTooHigh"},
        {0x8b, "throttlePedalTooLow"},
        {0x8c, "transmissionRangeNotInNeutral"},
        {0x8d, "transmissionRangeNotInGear"},
        {0x8f, "brakeSwitchNotClosed"},
        {0x90, "shifterLeverNotInPark"},
        {0x91, "torqueConverterClutchLocked"},
        {0x92, "voltageTooHigh"},
        {0x93, "voltageTooLow"},
        {0x94, "resourceTemporarilyNotAvailable"},
};

static const struct service *service_find(uint8_t sid)
{
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (services[i].sid == sid)
			return &services[i];
	return NULL;
}

const char *uds_service_name(uint8_t sid)
{
	const struct service *service = service_find(sid);
	return service ? service->name : NULL;
}

const char *uds_nrc_name(uint8_t nrc)
{
	for (size_t i = 0; i < sizeof(nrcs) / sizeof(nrcs[0]); i++)
		if (nrcs[i].code == nrc)
			return nrcs[i].name;
	return NULL;
}

void uds_exchange_begin(struct uds_exchange *exchange, const uint8_t *request, size_t length, const struct uds_timing *timing,
                        bool expect_silence, int64_t now_ns)
{
	memset(exchange, 0, sizeof(*exchange));
	if (timing)
		exchange->timing = *timing;
	if (exchange->timing.p2_ns == 0)
		exchange->timing.p2_ns = 50 * NS_PER_MS;
	if (exchange->timing.p2_star_ns == 0)
		exchange->timing.p2_star_ns = 5000 * NS_PER_MS;
	if (exchange->timing.max_pending == 0)
		exchange->timing.max_pending = PENDING_LIMIT;
	exchange->request = request;
	exchange->request_length = length;
	exchange->expect_silence = expect_silence;
	exchange->outcome = UDS_WAITING;
	exchange->deadline_ns = now_ns + exchange->timing.p2_ns + exchange->timing.margin_ns;
}

/* A server may leave out identifiers it does not know, so the answer may begin with any of those asked for. */
static bool identifier_asked(const struct uds_exchange *exchange, const uint8_t *data, size_t length)
{
	if (length < 3 || exchange->request_length < 3)
		return true;
	for (size_t i = 1; i + 1 < exchange->request_length; i += 2)
		if (memcmp(exchange->request + i, data + 1, 2) == 0)
			return true;
	return false;
}

/* Compares what is there of the echo: a positive answer that is too short is still the answer, a wrong one. */
static bool echo_matches(const struct uds_exchange *exchange, const uint8_t *data, size_t length)
{
	const struct service *service = service_find(exchange->request[0]);
	if (!service)
		return true;
	if (service->identifiers)
		return identifier_asked(exchange, data, length);
	for (size_t i = 1; i <= service->echo && i < length && i < exchange->request_length; i++) {
		uint8_t mask = i == 1 && service->subfunction ? 0x7f : 0xff;
		if ((data[i] & mask) != (exchange->request[i] & mask))
			return false;
	}
	return true;
}

static bool finish(struct uds_exchange *exchange, enum uds_outcome outcome)
{
	exchange->outcome = outcome;
	return true;
}

static bool negative_receive(struct uds_exchange *exchange, uint8_t nrc, int64_t now_ns)
{
	exchange->nrc = nrc;
	if (nrc != RESPONSE_PENDING)
		return finish(exchange, UDS_NEGATIVE);
	/* After a 0x78 the final response is due even when it was to be suppressed (ISO 14229-1, 8.7.2). */
	exchange->expect_silence = false;
	exchange->pending++;
	if (exchange->pending > exchange->timing.max_pending)
		return finish(exchange, UDS_TIMEOUT);
	exchange->deadline_ns = now_ns + exchange->timing.p2_star_ns + exchange->timing.margin_ns;
	return false;
}

bool uds_exchange_receive(struct uds_exchange *exchange, const uint8_t *data, size_t length, int64_t now_ns)
{
	bool ended = exchange->outcome != UDS_WAITING;
	if (ended || length == 0 || exchange->request_length == 0) {
		exchange->stray++;
		return ended;
	}
	bool negative = length >= 3 && data[0] == NEGATIVE_RESPONSE && data[1] == exchange->request[0];
	bool positive = !negative && data[0] == (uint8_t)(exchange->request[0] + POSITIVE_OFFSET) && echo_matches(exchange, data, length);
	if (!negative && !positive) {
		exchange->stray++;
		return false;
	}
	bytes_clear(&exchange->response);
	if (bytes_append(&exchange->response, data, length) < 0)
		bytes_clear(&exchange->response); /* the outcome stands, its bytes are lost: see the header */
	return negative ? negative_receive(exchange, data[2], now_ns) : finish(exchange, UDS_POSITIVE);
}

bool uds_exchange_expire(struct uds_exchange *exchange, int64_t now_ns)
{
	if (exchange->outcome != UDS_WAITING)
		return true;
	if (now_ns < exchange->deadline_ns)
		return false;
	return finish(exchange, exchange->expect_silence ? UDS_SILENT : UDS_TIMEOUT);
}

void uds_exchange_clear(struct uds_exchange *exchange)
{
	bytes_free(&exchange->response);
	memset(exchange, 0, sizeof(*exchange));
}
