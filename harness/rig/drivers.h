/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Board drivers. A driver turns requests into whatever moves the board, and calls board_*() of rig_private.h when
 * something happens. One file of rig/drivers/ plus one line in drivers.c.
 */
#ifndef HARNESS_RIG_DRIVERS_H
#define HARNESS_RIG_DRIVERS_H

#include "board_params.h"
#include "flash.h"
#include "rig.h"

/* The board's flash beside the product (flash.h). A member that is NULL: the driver cannot. */
struct board_flash_driver {
	int (*geometry)(struct rig_board *, struct rig_flash_geometry *ret, struct error *err);
	int (*status)(struct rig_board *, struct rig_flash_status *ret, bool *ret_changed, struct error *err);
	int (*read)(struct rig_board *, uint32_t address, void *buffer, size_t length, struct error *err);
	int (*write)(struct rig_board *, uint32_t address, const void *data, size_t length, struct error *err);
	int (*erase)(struct rig_board *, uint32_t address, uint32_t length, struct error *err);
	int (*defect)(struct rig_board *, const char *defect_or_null, uint32_t address, unsigned bit, struct error *err); /* NULL: heals */
	int (*erases)(struct rig_board *, uint32_t address, uint32_t *ret_count, struct error *err);
	int (*digest)(struct rig_board *, uint32_t address, uint32_t length, uint8_t ret_digest[32], struct error *err);
	int (*save)(struct rig_board *, const char *path, struct error *err);
	int (*load)(struct rig_board *, const char *path, struct error *err);
	int (*factory)(struct rig_board *, struct error *err);
	int (*install)(struct rig_board *, int bank, const char *path, struct error *err);
	int (*cut)(struct rig_board *, const struct rig_cut *cut_or_null, struct error *err);
	int (*supply)(struct rig_board *, uint32_t millivolts, struct error *err);
};

struct board_driver {
	const char *name;
	const struct board_param *params; /* that its boards know; NULL: not known, any is passed on */
	/* What the role's map must say for this driver; ERROR_USAGE with place. */
	int (*check)(const struct value *role, struct error *err);
	int (*open)(struct rig_board *, struct error *err);
	/* Ends everything of the board, waits for its children. */
	void (*close)(struct rig_board *);
	int (*power)(struct rig_board *, bool on, int64_t deadline_ns, struct instant *ret_at, struct error *err);
	/* After power on, when its event stands in the journal; `at` is the event's. May be NULL. */
	int (*settle)(struct rig_board *, struct instant at, int64_t deadline_ns, struct error *err);
	int (*reset)(struct rig_board *, int64_t deadline_ns, struct error *err);
	int (*hold)(struct rig_board *, bool on, int64_t deadline_ns, struct error *err);
	int (*set_param)(struct rig_board *, const char *name, const char *value_or_null, struct error *err);
	int (*input)(struct rig_board *, const void *data, size_t length, struct error *err);
	/* RTS and DTR of the console's port, negative: as it is. NULL: it has none. */
	int (*lines)(struct rig_board *, int rts, int dtr, struct error *err);
	/* What the bench itself may have to do with a boot that is missed, "" for nothing; true: it is its fault. May be NULL. */
	bool (*hint)(struct rig_board *, char *ret, size_t size);
	/* The board is no program of the harness: its endpoints are its own, its resets show only on its console, and the role has
	 * `power:`, `console:` and `reset:`. */
	bool external;
	/* -errno when the driver can no longer do its work (ERROR_BENCH). */
	int (*alive)(const struct rig_board *, struct error *err);
	/* Its end has begun, though alive() was not told yet. May be NULL. */
	bool (*going)(const struct rig_board *);
	const struct board_flash_driver *flash; /* NULL: no way to the flash but the product's */
};

/* Bus drivers: what a CAN bus of the rig is made of. They bring it up and say how the harness's channel is opened. */
struct bus_driver {
	const char *name;
	const char *channel; /* can_options.driver */
	const char *address; /* key of the bus's map that becomes can_options.address; NULL: the driver's own socket */
	bool gives_life;     /* it tells its load every second, from its begin on: silence means that it hangs */
	int (*check)(const struct value *bus, struct error *err); /* beyond the address; may be NULL */
	/* The rest may be NULL: there is nothing to bring up, nothing can be injected. */
	int (*open)(struct rig_bus *, struct error *err);
	void (*close)(struct rig_bus *);
	int (*request)(struct rig_bus *, json_t *stolen, json_t **ret_answer, struct error *err);
	void (*ask_names)(struct rig_bus *); /* of the nodes, without waiting: nodes[], then bus_names_known() */
	int (*alive)(const struct rig_bus *, struct error *err);
};

const struct board_driver *board_driver_find(const char *name);
extern const char *const board_driver_names[]; /* NULL-terminated */
extern const char *const link_driver_names[];
extern const char *const bus_driver_names[];
const struct bus_driver *bus_driver_find(const char *name);

extern const struct board_driver driver_vboard, driver_board;
extern const struct bus_driver driver_vbus, driver_socketcan, driver_cannelloni_udp, driver_cannelloni_tcp, driver_udp_multicast;

#endif
