/* SPDX-License-Identifier: Apache-2.0 */
/* CAN interfaces of this machine: up, on the bus, with the bit rates of the rig file. */
#include <errno.h>
#include <inttypes.h>
#include <libsocketcan.h>
#include <linux/can/netlink.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../link/can_netlink.h"
#include "check_private.h"

static uint32_t rate_of(const struct value *map, const char *key)
{
	const struct value *value = value_get(map, key);
	return value ? (uint32_t)value->integer : 0;
}

/* Whether a run may set the rates of interfaces, and start them. */
static bool may_administer(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
	return syscall(SYS_capget, &header, data) == 0 && data[CAP_TO_INDEX(CAP_NET_ADMIN)].effective & CAP_TO_MASK(CAP_NET_ADMIN);
}

/* "500000" or "500000/2000000 FD", for people. */
static const char *rates_text(uint32_t nominal, uint32_t data, char *buffer, size_t size)
{
	(void)snprintf(buffer, size, data ? "%" PRIu32 "/%" PRIu32 : "%" PRIu32, nominal, data);
	return buffer;
}

/* What has to be typed so that the interface is up with the rates of the rig file. */
static const char *start_command(const struct value *map, const char *name, bool controller, char *buffer, size_t size)
{
	uint32_t nominal = rate_of(map, "nominal"), data = rate_of(map, "data");
	if (!controller)
		(void)snprintf(buffer, size, "`ip link set %s up`", name);
	else if (!nominal)
		(void)snprintf(buffer, size, "`ip link set %s up type can bitrate RATE` with the rate of the bus", name);
	else if (!data)
		(void)snprintf(buffer, size, "`ip link set %s up type can bitrate %" PRIu32 "`", name, nominal);
	else
		(void)snprintf(buffer, size, "`ip link set %s up type can bitrate %" PRIu32 " dbitrate %" PRIu32 " fd on`", name, nominal,
		               data);
	return buffer;
}

static void judge_rates(const struct value *map, const char *name, const struct can_interface *is, bool may, struct check_finding *finding)
{
	const uint32_t nominal = rate_of(map, "nominal"), data = rate_of(map, "data");
	char has[32], wanted[32], command[160];
	if (!is->is_can || !nominal || (is->nominal_bit_rate == nominal && (!data || is->data_bit_rate == data)))
		return;
	check_problem(finding, may ? RIG_CHECK_WARNING : RIG_CHECK_BAD, "%s has %s bit/s, the rig file says %s", name,
	              rates_text(is->nominal_bit_rate, is->data_bit_rate, has, sizeof(has)),
	              rates_text(nominal, data, wanted, sizeof(wanted)));
	check_remedy(finding, "a run sets them if it may (CAP_NET_ADMIN); by hand: `ip link set %s down`, then %s", name,
	             start_command(map, name, true, command, sizeof(command)));
}

void check_can_judge(const struct value *map, const char *name, const struct can_interface *is, bool bus_off, bool may,
                     struct check_finding *finding)
{
	char rates[32], command[160];
	check_found(finding, "%s, %s, %s bit/s%s", is->is_can ? "controller" : "virtual interface", is->up ? "up" : "down",
	            rates_text(is->nominal_bit_rate, is->data_bit_rate, rates, sizeof(rates)), is->fd ? ", FD" : "");
	/* With the rates of the rig file a run starts it. */
	if (!is->up) {
		check_problem(finding, is->is_can && rate_of(map, "nominal") && may ? RIG_CHECK_WARNING : RIG_CHECK_BAD, "%s is down",
		              name);
		check_remedy(finding, "%s", start_command(map, name, is->is_can, command, sizeof(command)));
		return;
	}
	if (bus_off) {
		check_problem(finding, RIG_CHECK_BAD, "%s is bus-off", name);
		check_remedy(finding,
		             "look at the bus: termination (60 ohm between CAN_H and CAN_L), swapped lines, other bit rate; then `ip link "
		             "set %s type can restart`",
		             name);
		return;
	}
	if (rate_of(map, "data") && !is->is_can && !is->fd) {
		check_problem(finding, RIG_CHECK_BAD, "%s takes no FD frames, the rig file has a `data` rate", name);
		check_remedy(finding, "`ip link set %s mtu 72` while it is down, or leave `data` out", name);
	}
	judge_rates(map, name, is, may, finding);
}

void check_can_interface(const struct value *map, const char *name, struct check_finding *finding)
{
	struct can_interface is;
	int state = 0;
	int r = can_netlink_read(name, &is);
	if (r < 0) {
		check_problem(finding, RIG_CHECK_BAD, "there is no CAN interface %s (%s)", name, strerror(-r));
		check_remedy(finding,
		             "is the CAN adapter plugged in and its driver loaded? `ip -details link show type can` lists what is there; "
		             "correct `interface` of the bus otherwise");
		return;
	}
	check_can_judge(map, name, &is, is.is_can && can_get_state(name, &state) == 0 && state == CAN_STATE_BUS_OFF, may_administer(),
	                finding);
}
