/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_PORT_MODEL_PORT_MODEL_PRIVATE_H
#define FIRMWARE_PORT_MODEL_PORT_MODEL_PRIVATE_H

#include "port_model.h"

extern const struct port_model *port_model; /* the board of this process */

#endif
