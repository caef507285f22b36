/* SPDX-License-Identifier: Apache-2.0 */
/* hilbench rig selftest: whether a rig can be used: every board boots from a cold start, connects, and is the one that the rig file says.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../link/datagram.h"
#include "../proto/doip.h"
#include "../rig/probe.h"
#include "rig_work.h"

#define WITHIN_NS (60 * RIG_SECOND_NS)
#define OFF_NS    RIG_SECOND_NS
#define POWER_NS  (10 * RIG_SECOND_NS)
#define ANSWER_NS (2 * RIG_SECOND_NS) /* A_DoIP_Ctrl */

static void name_part(char *ret, size_t size, const char *part, const char *role)
{
	(void)snprintf(ret, size, "%s %.60s", part, role);
}

static bool is_meant(const struct rig_board *board)
{
	return !rig_board_on_demand(board);
}

/* ---- boot ---- */

static bool is_decided(void *context)
{
	const struct rig_board *board = context;
	return rig_board_ready(board) || rig_board_dead(board) || rig_board_halted(board) || rig_board_check(board, NULL) < 0;
}

static void boot_board(struct rig_work *work, struct rig_board *board, int64_t begin_ns)
{
	struct error error = {0};
	char name[80];
	name_part(name, sizeof(name), "boot", rig_board_role(board));
	int r = loop_until(work->loop, is_decided, board, work->end_ns);
	int64_t ms = (loop_now_ns() - begin_ns) / 1000000;
	if (rig_board_check(board, &error) < 0)
		rig_work_item(work, false, name, "%s", error.message);
	else if (rig_board_ready(board))
		rig_work_item(work, true, name, "booted to \"%s\" and connected within %" PRId64 " ms", rig_board_stage(board), ms);
	else
		rig_work_item(work, false, name, "%s, its last stage is \"%s\"%s%s",
		              r == -ECANCELED           ? "cancelled"
		              : rig_board_dead(board)   ? "its CPU ended"
		              : rig_board_halted(board) ? "it stopped"
		                                        : "not booted and connected in time",
		              rig_board_stage(board), rig_board_fault(board)[0] ? ", it said " : "", rig_board_fault(board));
}

/* The rack is off since it was started: a while of it, so that it is a cold start. */
static void boot_all(struct rig_work *work, struct rig *rig)
{
	struct error error = {0};
	char name[80];
	if (!rig_file_is_virtual(work->call->file))
		(void)!loop_until(work->loop, NULL, NULL, loop_now_ns() + OFF_NS);
	int64_t begin_ns = loop_now_ns();
	for (unsigned i = 0; i < rig_board_count(rig); i++) {
		struct rig_board *board = rig_board_at(rig, i);
		if (!is_meant(board))
			continue;
		name_part(name, sizeof(name), "power", rig_board_role(board));
		if (rig_board_power(board, true, loop_now_ns() + POWER_NS, &error) < 0)
			rig_work_item(work, false, name, "%s", error.message);
		else
			rig_work_item(work, true, name, "on");
	}
	for (unsigned i = 0; i < rig_board_count(rig); i++)
		if (is_meant(rig_board_at(rig, i)) && rig_board_powered(rig_board_at(rig, i)))
			boot_board(work, rig_board_at(rig, i), begin_ns);
}

/* ---- who they are ---- */

struct answer {
	bool come;
	char vin[18];
	uint16_t address;
};

static void on_datagram(struct datagram_socket *socket, const uint8_t *data, size_t length, const char *from, struct instant at,
                        void *context)
{
	struct answer *answer = context;
	struct doip_message message;
	(void)socket;
	(void)from;
	(void)at;
	if (doip_decode(data, length, UINT32_MAX, &message) <= 0 || message.type != DOIP_ANNOUNCEMENT || message.malformed)
		return;
	answer->come = true;
	answer->address = message.identity.address;
	(void)snprintf(answer->vin, sizeof(answer->vin), "%s", message.identity.vin);
}

static bool has_come(void *context)
{
	return ((const struct answer *)context)->come;
}

static int ask(struct rig_work *work, struct rig *rig, const char *to, struct answer *ret, struct error *err)
{
	const struct stream_environment environment = {.loop = work->loop, .timeline = work->timeline, .channel = "tester:selftest"};
	const struct value *local = rig_value(rig, "tester", "address");
	struct datagram_socket *socket = NULL;
	struct bytes request = {0};
	int r = datagram_open(&socket, &environment, local->text, false, on_datagram, ret, err);
	if (r == 0 && doip_encode(&request, DOIP_IDENTIFICATION_REQUEST, NULL, 0, NULL) < 0)
		r = error_set(err, ERROR_BENCH, ENOMEM, "out of memory");
	if (r == 0)
		r = datagram_send(socket, to, request.data, request.length, err);
	if (r == 0 && loop_until(work->loop, has_come, ret, loop_now_ns() + ANSWER_NS) < 0)
		r = error_set(err, ERROR_DUT, ETIMEDOUT, "no answer to a vehicle identification request at %s within 2 s", to);
	datagram_free(socket);
	bytes_free(&request);
	return r;
}

static void check_vin(struct rig_work *work, struct rig *rig, const struct rig_board *board)
{
	const char *role = rig_board_role(board);
	const struct value *udp = rig_value(rig, role, "udp"), *vin = rig_value(rig, role, "vin"),
	                   *number = rig_value(rig, role, "logical_address");
	struct answer answer = {0};
	struct error error = {0};
	char name[80];
	if (!udp || !vin || udp->type != VALUE_TEXT || vin->type != VALUE_TEXT)
		return;
	name_part(name, sizeof(name), "identity", role);
	if (ask(work, rig, udp->text, &answer, &error) < 0)
		rig_work_item(work, false, name, "%s", error.message);
	else if (strcmp(answer.vin, vin->text) != 0)
		rig_work_item(work, false, name, "its VIN is %s, not %s", answer.vin, vin->text);
	else if (number && number->type == VALUE_INTEGER && number->integer != answer.address)
		rig_work_item(work, false, name, "its logical address is 0x%04x, not 0x%04x", answer.address, (unsigned)number->integer);
	else
		rig_work_item(work, true, name, "VIN %s, logical address 0x%04x", answer.vin, answer.address);
}

static void check_probe(struct rig_work *work, struct rig_board *board)
{
	struct probe *probe = rig_board_probe(board);
	struct probe_identity identity = {0};
	struct error error = {0};
	char name[80];
	if (!probe)
		return;
	name_part(name, sizeof(name), "probe", rig_board_role(board));
	if (probe_identify(probe, &identity, probe_deadline_ns(probe), &error) < 0)
		rig_work_item(work, false, name, "%s", error.message);
	else
		rig_work_item(work, true, name, "IDCODE 0x%08" PRIx32 ", unique id 0x%016" PRIx64 ", slot %s", identity.idcode,
		              identity.unique_id, identity.slot[0] ? identity.slot : "not known");
}

/* ---- buses, the end ---- */

static void check_bus(struct rig_work *work, struct rig_bus *bus)
{
	struct can_counters counters = {0};
	struct error error = {0};
	struct can *can = rig_bus_channel(bus);
	char name[80];
	name_part(name, sizeof(name), "bus", rig_bus_name(bus));
	if (rig_bus_check(bus, &error) < 0 || !can) {
		rig_work_item(work, false, name, "%s", error.message);
		return;
	}
	can_counters_read(can, &counters);
	rig_work_item(work, counters.state != CAN_BUS_OFF && counters.state != CAN_BUS_STOPPED, name, "%s, tec %u, rec %u",
	              can_state_name(counters.state), counters.tec, counters.rec);
}

static void power_off(struct rig_work *work, struct rig_board *board)
{
	struct error error = {0};
	char name[80];
	if (!rig_board_powered(board))
		return;
	name_part(name, sizeof(name), "off", rig_board_role(board));
	if (rig_board_power(board, false, loop_now_ns() + POWER_NS, &error) < 0)
		rig_work_item(work, false, name, "%s", error.message);
	else
		rig_work_item(work, true, name, "off");
}

static void look_at(struct rig_work *work, struct rig *rig)
{
	boot_all(work, rig);
	for (unsigned i = 0; i < rig_board_count(rig); i++) {
		struct rig_board *board = rig_board_at(rig, i);
		if (!is_meant(board) || !rig_board_ready(board))
			continue;
		check_vin(work, rig, board);
		check_probe(work, board);
	}
	for (unsigned i = 0; i < rig_bus_count(rig); i++)
		check_bus(work, rig_bus_at(rig, i));
	rig_work_rearm(work); /* whoever interrupts it does not leave a rig that is on */
	for (unsigned i = rig_board_count(rig); i-- > 0;)
		power_off(work, rig_board_at(rig, i));
}

static int selftest(const struct rig_call *call)
{
	struct rig_work work;
	struct error error = {0};
	struct rig *rig = NULL;
	if (rig_work_begin(&work, call, call->within_ns ? call->within_ns : WITHIN_NS)) {
		const struct rig_options options = {.run_directory = bus_folder_path(work.folder)};
		int r = rig_file_check_files(call->file, &error);
		if (r == 0)
			r = rig_start(call->file, work.loop, work.timeline, &options, &rig, &error);
		if (r < 0)
			rig_work_item(&work, false, "rig", "cannot be started: %s", error.message);
		else
			look_at(&work, rig);
		rig_stop(rig);
	}
	return rig_work_end(&work);
}

const struct rig_verb rig_verb_selftest = {.name = "selftest", .options = "ji", .run = selftest};
