/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rig: what a rig file describes, and the rack once it is brought up. Test cases name roles and links; the rig
 * file binds them to drivers. A driver is one file of rig/drivers/ plus one line in rig/drivers.c.
 */
#ifndef HARNESS_RIG_RIG_H
#define HARNESS_RIG_RIG_H

#include "../base/loop.h"
#include "../base/timeline.h"
#include "../base/value.h"
#include "../link/can.h"
#include "../link/capture.h"
#include "../link/relay.h"
#include "../link/stream.h"

/* One role: a board with its power, console, parameters and addresses. */
struct rig_board;
struct rig_link;

struct rig_file;                                                                           /* parsed and checked, nothing started */
int rig_file_load(const char *path, struct rig_file **ret, struct error *err) WARN_UNUSED; /* every error with file:line:column */
/* Whether the programs, objects and certificates that it names are there. ERROR_USAGE at the place that names a missing one. */
int rig_file_check_files(const struct rig_file *, struct error *err) WARN_UNUSED;
void rig_file_free(struct rig_file *);
/* Sets a board parameter in place of the file's: "zgw:fault=slow-handshake". ERROR_USAGE: not of that form, no such role, or
 * not a parameter that the board knows. */
int rig_file_set_param(struct rig_file *, const char *assignment, struct error *err) WARN_UNUSED;
/* A parameter of a role's board, and its value unless that is NULL, as its driver knows them. -EINVAL, ERROR_USAGE at a place. */
int rig_file_check_param(const struct rig_file *, const char *role, const char *name, struct place name_place, const char *value,
                         struct place value_place, struct error *err) WARN_UNUSED;
bool rig_file_has_role(const struct rig_file *, const char *role);
bool rig_file_has_link(const struct rig_file *, const char *link);
bool rig_file_has_identity(const struct rig_file *, const char *identity);
bool rig_file_has_bus(const struct rig_file *, const char *bus);
/* "virtual", "netns", "tls", "relay", "power", …; "can" and "can-fd" when there is such a bus. */
bool rig_file_has_capability(const struct rig_file *, const char *capability);
/* The file's own tree, unexpanded: for showing it. */
const struct value *rig_file_root(const struct rig_file *);
bool rig_file_is_virtual(const struct rig_file *);
const char *rig_file_name(const struct rig_file *);
json_t *schema_rig(void); /* New reference */

struct rig;
struct rig_options {
	const char *run_directory;
	uint64_t seed;
	watch_doip_describe describe; /* decoded fields of the doip events on links; NULL: none */
	bool buses_only;              /* neither boards nor links nor capture: to look at the buses */
};
/* Reserves what the rig needs (rack number, namespaces), starts drivers with every board powered off, relays, capture. */
int rig_start(const struct rig_file *, struct loop *, struct timeline *, const struct rig_options *, struct rig **ret,
              struct error *err) WARN_UNUSED;
/* Powers off, stops drivers, waits for every child. Always succeeds in leaving nothing behind. */
void rig_stop(struct rig *);

struct rig_board *rig_board_find(struct rig *, const char *role); /* NULL: no such role */
struct rig_link *rig_link_find(struct rig *, const char *link);
struct capture *rig_capture(struct rig *);

/* Values for ${rig.ROLE.KEY}: address, plain, tls, logical_address, vin, eid, gid and everything under the role's
 * `profile:`; ${rig.tester.address} … NULL when absent. */
const struct value *rig_value(const struct rig *, const char *role, const char *key);
/* TLS identity by name ("tester", "vmg", "expired", "wrong-ca", "wrong-name", "none", …) from the rig's `identities:`. */
int rig_identity(const struct rig *, const char *name, struct tls_identity *ret, struct error *err) WARN_UNUSED;

/* Power, reset, parameters: asynchronous requests acknowledged by the driver; these pump the loop until done or deadline. */
int rig_board_power(struct rig_board *, bool on, int64_t deadline_ns,
                    struct error *err) WARN_UNUSED; /* emits power.on / power.off with the driver's stamp */
/* Nobody uses the board any more: its power is switched off, once, where the rig file says `off_at_end: true`. rig_stop() does it for
 * those of which it was not asked; whoever is to know of a failure asks before. */
int rig_board_end(struct rig_board *, struct error *err) WARN_UNUSED;
/* Its power stays as it is when the rig stops, whatever the rig file says. */
void rig_board_keep(struct rig_board *);
int rig_board_reset(struct rig_board *, int64_t deadline_ns, struct error *err) WARN_UNUSED;
int rig_board_hold(struct rig_board *, bool on, int64_t deadline_ns, struct error *err) WARN_UNUSED;
int rig_board_set_param(struct rig_board *, const char *name, const char *value_or_null, struct error *err) WARN_UNUSED;
int rig_board_restore_params(struct rig_board *, struct error *err) WARN_UNUSED; /* back to the rig file's */
int rig_board_input(struct rig_board *, const void *data, size_t length, struct error *err) WARN_UNUSED;
bool rig_board_powered(const struct rig_board *);
/* Fails (ERROR_BENCH) when the board's driver or vboard died. */
int rig_board_check(const struct rig_board *, struct error *err) WARN_UNUSED;
struct relay *rig_link_relay(struct rig_link *); /* NULL on rigs without a tap */
/* Physical link up/down where the rig can (netns); else by the relay. */
int rig_link_set(struct rig_link *, bool up, struct error *err) WARN_UNUSED;
const char *rig_link_address(const struct rig_link *); /* where the client connects to */

/* ---- CAN buses: of each the rig holds one channel open, writes can.log and the can.* events ---- */
struct rig_bus;
struct rig_bus *rig_bus_find(struct rig *, const char *name); /* NULL: no such bus */
unsigned rig_bus_count(const struct rig *);
struct rig_bus *rig_bus_at(struct rig *, unsigned index); /* in the order of the rig file */
const char *rig_bus_name(const struct rig_bus *);
/* The harness's channel: can_send(), can_counters_read(), can_recover(). Its handlers belong to the rig. NULL when the
 * bus is gone (rig_bus_check() says why). */
struct can *rig_bus_channel(struct rig_bus *);
/* When the harness's own node was last known not to hear (bus-off, interface stopped), CLOCK_MONOTONIC ns: now when it
 * does not, 0 when it always did. */
int64_t rig_bus_deaf_ns(struct rig_bus *);
/* Every frame right after its event and its line in can.log: received ones, and with `transmitted` those of
 * can_send() once they were on the bus. An observer may send and may remove itself or others. */
typedef void (*rig_bus_observer)(const struct can_message *, bool transmitted, void *context);
int rig_bus_observe(struct rig_bus *, rig_bus_observer, void *context, struct error *err) WARN_UNUSED;
void rig_bus_unobserve(struct rig_bus *, rig_bus_observer, void *context);
/* Virtual bus control (docs/reference/virtual-bus.md): {"cmd": "corrupt" | "short" | "silence" | "status", …}. STOLEN.
 * Pumps the loop until the answer; emits can.fault. *ret_answer (may be NULL) is a new reference. -ENOTSUP where the
 * bus is real, -EREMOTEIO refused (err says why), -EPIPE the bus is gone, -ETIMEDOUT. */
int rig_bus_inject_answer(struct rig_bus *, json_t *command, json_t **ret_answer, struct error *err) WARN_UNUSED;
int rig_bus_inject(struct rig_bus *, json_t *command, struct error *err) WARN_UNUSED;
/* Takes back every injection; rig_restore() does it for all. */
void rig_bus_restore(struct rig_bus *);
/* Fails (ERROR_BENCH) when the bus is gone: vbus died, the interface went down or was removed. */
int rig_bus_check(struct rig_bus *, struct error *err) WARN_UNUSED;
/* A sign of life is overdue, though it may only lie unread: look again after 100 ms of events. */
bool rig_suspect(const struct rig *);
/* A board's driver is just ending, though rig_check() was not told yet. Takes its time: for whoever saw something end. */
bool rig_going(const struct rig *);

/* ---- what the executor and the generic steps ask beyond that ---- */
unsigned rig_board_count(const struct rig *);
struct rig_board *rig_board_at(struct rig *, unsigned index); /* in the order of the rig file: servers first */
const char *rig_board_role(const struct rig_board *);
unsigned rig_link_count(const struct rig *);
struct rig_link *rig_link_at(struct rig *, unsigned index);
const char *rig_link_name(const struct rig_link *);
/* The stage of the newest boot marker since the last reset or power on, "" before the first. */
const char *rig_board_stage(const struct rig_board *);
/* Whether the stage was seen since the last reset or power on. */
bool rig_board_reached(const struct rig_board *, const char *stage);
const char *rig_board_last_stage(const struct rig_board *); /* at which it counts as booted */
bool rig_board_on_demand(const struct rig_board *);         /* rack.ready needs it to be named */
bool rig_board_dead(const struct rig_board *);              /* its CPU ended by itself */
/* The lines that began with `!` since the last reset or power on, quoted; "" when there were none. */
const char *rig_board_fault(const struct rig_board *);
/* Lines in the busiest second of a console that floods since the last reset or power on; 0: it does not. */
unsigned rig_board_flood(const struct rig_board *);
/* The firmware said of itself that it stopped: "! fault: …" and "! bootloader: …". */
bool rig_board_halted(const struct rig_board *);
/* Every stage of the boot chain (docs/reference/virtual-board.md), NULL-terminated. */
extern const char *const rig_stage_names[];
/* One of these, or one that the board has shown since the rig started. */
bool rig_board_knows_stage(const struct rig_board *, const char *stage);
/* Booted, and every link of which it is the client is connected and activated. */
bool rig_board_ready(const struct rig_board *);
/* rig_board_check() of all. */
int rig_check(const struct rig *, struct error *err) WARN_UNUSED;
/* The known state between cases: links whole, parameters as in the rig file, boards that ran with other parameters,
 * are held or are dead powered off. */
int rig_restore(struct rig *, struct error *err) WARN_UNUSED;
/* Every value for ${rig.GROUP.KEY}; stops when the callback fails. */
int rig_each_value(const struct rig *, int (*callback)(const char *group, const char *key, const struct value *, void *context),
                   void *context);

#endif
