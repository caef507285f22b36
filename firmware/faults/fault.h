/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named misbehaviours, so that the bench can prove that it sees them. Compiled into test builds only: in a release
 * build fault_active() is the constant false and no name of a fault is in the image.
 *
 * A board is started with the parameter "fault" = comma-separated names. To add one: a line here.
 */
#ifndef FIRMWARE_FAULTS_FAULT_H
#define FIRMWARE_FAULTS_FAULT_H

#include <stdbool.h>

/* X(symbol, name): what it does */
#define FAULT_LIST(X)                                                                                                                      \
	X(FAULT_ACTIVATION_CODE, "activation-code")                   /* testers (0x0E00..0x0FFF) are answered 0x11, not 0x10 */           \
	X(FAULT_ACCEPT_EXPIRED, "accept-expired")                     /* an expired peer certificate is accepted */                        \
	X(FAULT_ACCEPT_ANY_CA, "accept-any-ca")                       /* a peer certificate of any issuer is accepted */                   \
	X(FAULT_ACCEPT_ANY_NAME, "accept-any-name")                   /* the server's name is not checked */                               \
	X(FAULT_NO_CLIENT_CERTIFICATE, "no-client-auth")              /* a client without certificate is accepted */                       \
	X(FAULT_SLOW_HANDSHAKE, "slow-handshake")                     /* every handshake starts 300 ms late */                             \
	X(FAULT_HEADER_NACK_MISSING, "header-nack-missing")           /* unknown payload types are dropped silently */                     \
	X(FAULT_ALIVE_CHECK_MISSING, "alive-check-missing")           /* a second tester with a registered address is accepted at once */  \
	X(FAULT_ACK_AFTER_RESPONSE, "ack-after-response")             /* 0x8001 is sent before 0x8002 */                                   \
	X(FAULT_SUPPRESS_IGNORED, "suppress-ignored")                 /* suppressPosRspMsgIndicationBit has no effect */                   \
	X(FAULT_BOOT_HANG, "boot-hang")                               /* hangs after the application stage */                              \
	X(FAULT_NO_BOOT, "no-boot")                                   /* nothing after the SSW */                                          \
	X(FAULT_CONSOLE_FLOOD, "console-flood")                       /* writes binary rubbish to the console without end */               \
	X(FAULT_SECOC_REPLAY, "secoc-replay-accepted")                /* an old freshness is accepted again */                             \
	X(FAULT_SECOC_ADVANCE, "secoc-advance-on-failure")            /* a rejected PDU moves the freshness */                             \
	X(FAULT_SECOC_ONE_BYTE, "secoc-mac-one-byte")                 /* only the first byte of the MAC is compared */                     \
	X(FAULT_SECOC_NO_DATA_ID, "secoc-no-data-id")                 /* the MAC does not cover the data id */                             \
	X(FAULT_SECOC_LITTLE_ENDIAN, "secoc-little-endian-freshness") /* the freshness is little-endian under the MAC */                   \
	X(FAULT_SECOC_WRAP_CRASH, "secoc-wrap-crash") /* an accepted jump over the wrap of the sent bits ends the program */               \
	X(FAULT_SECOC_COORDINATION, "secoc-unauthenticated-coordination") /* coordination messages are not verified */                     \
	X(FAULT_SECOC_VOLATILE, "secoc-freshness-volatile")               /* the freshness is lost at power off */                         \
	X(FAULT_ISOTP_WRONG_SN, "isotp-wrong-sn-accepted")                /* sequence numbers are not looked at */                         \
	X(FAULT_ISOTP_STMIN_IGNORED, "isotp-stmin-ignored")               /* consecutive frames without a gap */                           \
	X(FAULT_OTA_NO_COPY, "ota-swap-no-copy")                          /* UCB_SWAP_COPY is not written */                               \
	X(FAULT_OTA_OLD_FIRST, "ota-swap-old-first")                      /* the old entry is invalidated before the new is confirmed */   \
	X(FAULT_OTA_TORN_MARKER, "ota-torn-marker-trusted")               /* a swap entry counts by its marker alone */                    \
	X(FAULT_OTA_COPY_ADDRESS, "ota-copy-wrong-address")               /* COPY goes to AF406E00h */                                     \
	X(FAULT_OTA_MAPPED_ERASE, "ota-mapped-erase")                     /* flash commands take mapped addresses */                       \
	X(FAULT_OTA_CONFIRM_EARLY, "ota-confirm-before-verify")           /* the image is marked bootable before it is verified */         \
	X(FAULT_OTA_COUNTER_EARLY, "ota-counter-before-confirm")          /* the security counter rises at activation */                   \
	X(FAULT_OTA_WRAP, "ota-block-wrap-01")                            /* the block counter wraps from FF to 01 */                      \
	X(FAULT_OTA_NO_SIGNATURE, "ota-signature-ignored")                /* signatures are not verified */                                \
	X(FAULT_OTA_NO_COUNTER, "ota-counter-ignored")                    /* a lower security counter is accepted */                       \
	X(FAULT_OTA_NO_TARGET, "ota-target-ignored")                      /* an image for another board is accepted */                     \
	X(FAULT_OTA_NO_ROLLBACK, "ota-no-rollback")                       /* an unconfirmed image runs for ever */                         \
	X(FAULT_OTA_MUTE, "ota-never-confirms")                           /* the application refuses to be confirmed */                    \
	X(FAULT_OTA_RESUME_UNSURE, "ota-resume-unsure")                   /* a resume trusts the sector in which the cut was */            \
	X(FAULT_ENDPOINT_NO_BOUND, "endpoint-no-bound")                   /* the length of an injected endpoint is not checked */          \
	X(FAULT_DEVICE_NO_VERIFY, "device-no-verify")                     /* production mode takes any gateway */

#define FAULT_ENUM(symbol, name) symbol,
enum fault { FAULT_LIST(FAULT_ENUM) FAULT_COUNT };
#undef FAULT_ENUM

#ifdef FIRMWARE_TEST_BUILD
/* Reads the parameter "fault"; unknown names are reported on the console and make the program stop. */
void fault_load(void);
bool fault_active(enum fault);
#else
static inline void fault_load(void) {}
#define fault_active(fault) false
#endif

#endif
