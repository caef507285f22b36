/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by check*.c only. A kind of resource is one struct check_kind and one line in check.c. */
#ifndef HARNESS_RIG_CHECK_PRIVATE_H
#define HARNESS_RIG_CHECK_PRIVATE_H

#include "check.h"
#include "group_guard.h"
#include "rig_private.h"

#define CHECK_STEP_NS (INT64_C(1500) * 1000000) /* a single question to an instrument or another machine */

enum check_power { CHECK_POWER_UNKNOWN, CHECK_POWER_OFF, CHECK_POWER_ON };
struct check_kind;
struct check_item {
	const struct check_kind *kind;
	const struct value *map;  /* of the resource */
	const struct value *role; /* the map of the role that needs it, or NULL */
	char owner[64], name[160];
	char group[96];         /* items of the same group are looked at one after the other, in order */
	enum check_power power; /* of a role's supply, as it was told */
	bool told;              /* the look at it has come to its end */
	/* Whether it is looked at depends on the power of the role: not before the supply has told, each in a group of its own, as one
	 * instrument feeds many boards. */
	bool after_supply;
};

struct check_list {
	const struct rig_file *file;
	const char *folder; /* for logs, of this check alone; NULL: there is none, `no_folder` says why */
	const char *no_folder;
	struct check_item *items;
	unsigned count;
	bool failed; /* out of memory */
};
/* A new item, zero but for kind, owner and group (which is the owner): NULL when out of memory (noted). */
struct check_item *check_add(struct check_list *, const struct check_kind *, const char *owner, const struct value *map);

struct check_finding {
	enum rig_check_state state;
	char found[240], problem[1100], remedy[400];
	bool refused; /* the last problem was no worse than the one before */
};
void check_found(struct check_finding *, const char *format, ...) PRINTF_LIKE(2, 3);
/* Of the problem that was told just before; left out when that one was not taken and another has its remedy already. */
void check_remedy(struct check_finding *, const char *format, ...) PRINTF_LIKE(2, 3);
/* The state gets worse, never better; the first problem of the worst state is told. */
void check_problem(struct check_finding *, enum rig_check_state, const char *format, ...) PRINTF_LIKE(3, 4);

/* What the items of a group know of each other: they run in one process. */
struct check_context {
	const struct rig_file *file;
	const char *folder, *no_folder; /* of the list */
	struct group_guard guard;       /* of this process' group; begins with the first program */
	struct loop *loop;
	struct timeline *timeline;
	int64_t deadline_ns;
	char powered_role[64]; /* whose power was asked last */
	enum check_power power;
	char dead_address[96]; /* an instrument that does not answer is asked once */
	struct error dead;
};
enum check_power check_power_of(const struct check_context *, const struct check_item *);
/* The end of the next question. */
int64_t check_deadline_ns(const struct check_context *);
/* A rig that has a loop, a timeline and this role's map, and no more: for drivers. board may be NULL. */
void check_rig(const struct check_context *, const struct check_item *, struct rig *ret, struct rig_board *ret_board);

struct check_kind {
	const char *name;
	bool instrument; /* not asked while somebody else has the rig */
	void (*list)(struct check_list *, const struct check_kind *);
	void (*look)(struct check_context *, const struct check_item *, struct check_finding *ret);
};
extern const struct check_kind check_kind_program, check_kind_package, check_kind_object, check_kind_identity, check_kind_supply,
        check_kind_console, check_kind_reset, check_kind_probe, check_kind_adapter, check_kind_board, check_kind_bus, check_kind_address,
        check_kind_endpoint, check_kind_link, check_kind_capture;

/* Calls add(list, kind, entry) for each entry of the rig file's group ("roles", "links", …). */
void check_each(struct check_list *, const struct check_kind *, const char *group,
                void (*add)(struct check_list *, const struct check_kind *, const struct value_entry *));

/* ---- shared looks ---- */

/* A program of PATH, or with a `/` as it is. 0, -ENOENT or -EACCES. */
int check_find_program(const char *name, char *ret, size_t size);
/* The line with the word, else the first one, of what a program prints for one argument; "" when there is none. */
void check_program_says(struct check_context *, const char *path, const char *argument, const char *word, char *ret, size_t size);
/* Certificate, key and authorities, each a path or NULL. intended: the defect that it has on purpose, or NULL. */
void check_certificate(const char *certificate, const char *key, const char *ca, const char *intended, struct check_finding *);
/* The defect that a name ends with: "tester-expired" has "expired" on purpose. NULL: none. */
const char *check_intended(const char *name);
/* Which processes have the device open: "python3 (process 123)"; false: none that may be seen. */
bool check_device_users(const char *path, char *ret, size_t size);
/* The network interface that has the IPv4 address; false: none. */
bool check_own_address(const char *address, char *ret_interface, size_t size);
/* A TCP connection that is closed at once: 0, -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH, … */
int check_connect(const char *address, int64_t deadline_ns);
/* What to do about a device that may not be opened: which group, or which udev rule of the subsystem. */
void check_permission_remedy(struct check_finding *, const char *path, const char *subsystem);
/* What to do about a GPIO line that is not to be had. key: of the rig file, "power" or "reset". */
void check_gpio_remedy(struct check_finding *, int code, const char *chip, const char *key);
struct can_interface;
void check_can_interface(const struct value *map, const char *name, struct check_finding *);
/* may: a run may set rates and start interfaces. */
void check_can_judge(const struct value *map, const char *name, const struct can_interface *, bool bus_off, bool may,
                     struct check_finding *);
/* Whether a program of this machine listens at an address of it, as the kernel tells, without connecting: 1, 0, -ENOENT (not ours). */
int check_listens(const char *address);

#endif
