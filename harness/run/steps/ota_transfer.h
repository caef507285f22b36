/* SPDX-License-Identifier: Apache-2.0 */
/* The stages of an installation, and a transfer that steps share within a case. */
#ifndef HARNESS_RUN_STEPS_OTA_TRANSFER_H
#define HARNESS_RUN_STEPS_OTA_TRANSFER_H

#include "ota_client.h"

#define OTA_TRANSFER_KIND "ota.transfer"

/* A transfer that was begun: what is sent next. Case-scoped, by role. */
struct ota_transfer {
	struct bytes package;
	size_t begin, position; /* bytes of the package: where RequestDownload began, what comes next */
	size_t block;           /* data bytes a TransferData */
	uint8_t counter;        /* of the next block */
	uint8_t dfi;
	size_t last_begin, last_length; /* of the block before */
	uint32_t crc;                   /* CRC-32 of what was transferred since RequestDownload */
	uint64_t blocks;
};
/* Takes the package (it is then empty); a transfer of this role that there was is gone. */
int ota_transfer_new(struct step_context *, const char *role, struct bytes *package, struct ota_transfer **ret,
                     struct error *err) WARN_UNUSED;

int ota_stage_offer(struct ota_client *, const struct bytes *package, struct error *err) WARN_UNUSED;
/* Of the candidate's area, as much as the package needs there. */
int ota_stage_erase(struct ota_client *, const struct bytes *package, struct error *err) WARN_UNUSED;
/* limit: data bytes a block at most, 0: what the board takes. */
int ota_stage_request(struct ota_client *, struct ota_transfer *, size_t limit, struct error *err) WARN_UNUSED;
/* One TransferData; the position moves on when it was taken and `advance`. */
int ota_stage_block(struct ota_client *, struct ota_transfer *, uint8_t counter, const void *data, size_t length, bool advance,
                    struct error *err) WARN_UNUSED;
/* At most so many blocks (UINT64_MAX: all that is left), a pause after each. */
int ota_stage_transfer(struct ota_client *, struct ota_transfer *, uint64_t blocks, int64_t pace_ns, struct error *err) WARN_UNUSED;
int ota_stage_exit(struct ota_client *, const struct ota_transfer *, bool with_crc, struct error *err) WARN_UNUSED;
int ota_stage_check(struct ota_client *, struct error *err) WARN_UNUSED;
/* Programming session and security access. */
int ota_stage_enter(struct ota_client *, struct error *err) WARN_UNUSED;

#endif
