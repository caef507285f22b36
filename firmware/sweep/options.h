/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIRMWARE_SWEEP_OPTIONS_H
#define FIRMWARE_SWEEP_OPTIONS_H

#include "explore.h"

struct options {
	struct setup setup;
	struct selection selection;
	struct point point; /* to be replayed */
	bool replay;
	unsigned jobs;
};
/* False: a message was printed. Files stay in memory for the life of the program. */
bool options_read(struct options *options, int argc, char **argv);

#endif
