/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may activate: the authentication and the confirmation that an activation type can ask for (ISO 13400-2:2019,
 * 3.DoIP-061, 3.DoIP-063, 3.DoIP-105), decided by parameters in place of a person or a back end.
 */
#ifndef FIRMWARE_APP_CONSENT_H
#define FIRMWARE_APP_CONSENT_H

#include "../port.h"

/* As struct doip_entity_handlers wants it. */
enum consent { CONSENT_REFUSED = 0, CONSENT_GRANTED = 1, CONSENT_PENDING = 2 };

/* Reads doip.activation_secret, doip.confirmation and doip.confirmation_ms; what is not understood is reported on the
 * console and refuses. */
void consent_start(void);

/* enum consent: granted when the OEM field is the secret; never without a secret. */
int consent_authenticate(void *context, uint16_t source, const uint8_t *oem, size_t oem_length);

/* enum consent. A confirmation that is pending is granted once it has been under way for doip.confirmation_ms. */
int consent_confirm(void *context, uint16_t source);

/* The source's connection ended: it has to be confirmed anew. */
void consent_forget(uint16_t source);

#endif
