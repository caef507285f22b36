/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of rig/ and its drivers only. */
#ifndef HARNESS_RIG_RIG_PRIVATE_H
#define HARNESS_RIG_RIG_PRIVATE_H

#include "console.h"
#include "drivers.h"
#include "rig.h"

struct network;
struct supply;
struct bus_folder;

struct rig_file {
	char *path, *directory;
	struct value *root;
};

struct board_stages {
	char names[12][24];
	unsigned count;
};

struct rig_board {
	struct rig *rig;
	char *role, *channel;
	const struct value *map; /* the role in the expanded rig file */
	const struct board_driver *driver;
	void *state; /* the driver's */
	struct console *console;
	struct supply *supply; /* the driver's; NULL: its power is switched in another way */
	struct value *params;  /* as the rig file says: map of texts, expanded, with what the role's keys imply */
	bool altered;          /* a case changed a parameter since rig_restore() */
	bool powered, held, dead;
	bool flash_changed; /* since the factory's state: rig_flash_changed() */
	bool cut_armed, supply_changed;
	struct probe *probe;            /* NULL: it has none */
	bool debugged;                  /* a probe halted it or wrote to it since it had no power */
	char *jtag;                     /* the socket of its debug connector, NULL: none */
	struct bus_folder *jtag_folder; /* made for it because the run directory's name is too long, or NULL */
	struct board_stages stages;     /* since the last reset */
	struct board_stages shown;      /* since the rig started */
	char fault[512];                /* lines with `!` since the last reset */
	bool halted;
	char stage[24], last_stage[24];
};

struct rig_link {
	struct rig *rig;
	char *name, *channel;
	const struct value *map;
	struct rig_board *client, *server;
	struct relay *relay;          /* NULL: the rig has no tap here */
	struct link_tap *tap;         /* passive watch of a veth device, or NULL */
	int64_t syn_ns, activated_ns; /* the newest connection attempt, the newest activation marker of the client */
};

struct bus_observer {
	rig_bus_observer notify; /* NULL: removed while observers were being told */
	void *context;
};

#define BUS_NODES_MAX 64 /* of a virtual bus */
#define BUS_HELD_MAX  32

struct rig_bus {
	struct rig *rig;
	char *name, *channel;
	const struct value *map;
	const struct bus_driver *driver;
	void *state;  /* the driver's */
	char *socket; /* virtual bus: where nodes connect; NULL: none */
	struct can *can;
	bool gone; /* the channel was closed by the other side: reason */
	char reason[128];
	bool altered;          /* something was injected since rig_bus_restore() */
	int64_t silent_ns;     /* when a sign of life was first found missing, 0: it was not */
	int64_t opened_ns;     /* when the channel was opened */
	sd_event_source *look; /* wakes who waits, so that a bus that stands still is seen although nothing comes */
	bool deaf;             /* the harness's own node is bus-off, or stopped */
	int64_t deaf_ns;       /* when it last ceased to be, 0: it never was */
	struct bus_observer *observers;
	unsigned observer_count, telling;
	struct bus_node {
		char name[64]; /* "": not known */
		enum can_bus_state state;
	} nodes[BUS_NODES_MAX];
	struct bus_change {
		unsigned node, tec, rec;
		enum can_bus_state state;
		struct instant at;
	} held[BUS_HELD_MAX]; /* changes of state that wait for the names of the nodes */
	unsigned held_count;
};

struct rig {
	const struct rig_file *file;
	struct loop *loop;
	struct timeline *timeline;
	const char *directory;
	uint64_t seed;
	watch_doip_describe describe;
	unsigned number; /* rack number, 0: none */
	int number_fd;
	struct value *root;   /* the file with ${rack} expanded */
	struct value *values; /* map of group to map of key to value */
	struct capture *capture;
	struct network *network; /* NULL: loopback */
	struct rig_board *boards;
	unsigned board_count;
	struct rig_link *links;
	unsigned link_count;
	struct rig_bus *buses;
	unsigned bus_count;
	int can_log; /* -1: not open */
	bool can_log_failed;
};

/* What drivers tell. */
void board_console(struct rig_board *, const void *data, size_t length, struct instant at);
void board_secret(struct rig_board *, const char *line);
void board_was_reset(struct rig_board *, const char *kind, int64_t boot, struct instant at);
void board_fault(struct rig_board *, const char *line);
/* A reset that the bench is about to make in another way than rig_board_reset(). */
void board_resets(struct rig_board *);
void board_died(struct rig_board *, const char *exit, struct instant at);
/* Flash: data is STOLEN. */
void board_flash_done(struct rig_board *, json_t *stolen, struct instant at);
void board_flash_mapped(struct rig_board *, int active, struct instant at);
void board_power_cut(struct rig_board *, json_t *stolen, struct instant at);
/* Disarms what a case armed, and learns whether the flash has changed. */
int board_flash_look(struct rig_board *, struct error *err) WARN_UNUSED;

int board_open(struct rig *, struct rig_board *, const struct value_entry *, struct error *err) WARN_UNUSED;
void board_close(struct rig_board *);
/* The role's text value by key, NULL when absent. */
const char *map_text(const struct value *map, const char *key);
/* A file that the rig file names: as it is, relative to the rig file, or among the fixtures. */
int rig_file_find(const struct rig_file *, const struct value *name, char *ret, size_t size, struct error *err) WARN_UNUSED;
/* Appends to a map of the value tree; takes ownership of `stolen` in every case. 0 or -ENOMEM. */
int map_put(struct value *map, const char *key, struct value *stolen) WARN_UNUSED;
struct value *map_new(void);
/* Interned copy for identities: lives as long as the program. */
const char *rig_intern(const char *);

#endif
