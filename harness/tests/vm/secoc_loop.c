/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secoc_loop FROM TO classic|fd: secured PDUs made by proto/secoc go out on the interface FROM and are verified as they
 * came in on TO, both through link/can. Right ones are accepted; replays, every bit flipped and wrong MACs are not; and
 * after them a right one is accepted again, so that a dead bus cannot look like a refusal.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../base/loop.h"
#include "../../link/can.h"
#include "../../proto/secoc.h"
#include "lines.h"

enum { ID = 0x101, GOOD_FRAMES = 300, PDU_MAX = 64 };
#define LIMIT_NS INT64_C(30000000000)

struct bench {
	struct loop *loop;
	struct can *from, *to;
	struct secoc_layout layout;
	struct secoc_key *key;
	bool fd;
	const char *name;
	uint64_t sent, last; /* freshness of the sender and of the receiver */
	unsigned arrived, accepted, wrong_form, confirmed;
	uint8_t pdu[PDU_MAX]; /* the newest that was sent */
	size_t pdu_length;
};

static void received(struct can *can, const struct can_message *message, void *context)
{
	struct bench *bench = context;
	if (message->id != ID)
		return;
	bench->arrived++;
	if (message->length != bench->pdu_length || !(message->flags & CAN_MESSAGE_FD) != !bench->fd)
		bench->wrong_form++;
	uint64_t candidate = secoc_candidate(&bench->layout, message->data, message->length, bench->last);
	if (!secoc_is_right(bench->key, &bench->layout, message->data, message->length, candidate))
		return;
	bench->accepted++;
	bench->last = candidate;
}

static void confirmed(struct can *can, const struct can_message *message, void *context)
{
	struct bench *bench = context;
	bench->confirmed++;
}

static bool all_came(void *context)
{
	const struct bench *bench = context;
	return bench->arrived > 0 && bench->confirmed > 0;
}

/* Sends the PDU that stands in bench->pdu and waits until it came and was confirmed. Whether it was accepted. */
static int send_pdu(struct bench *bench, struct error *err)
{
	struct can_message message = {.id = ID, .length = (uint8_t)bench->pdu_length};
	if (bench->fd)
		message.flags = CAN_MESSAGE_FD | CAN_MESSAGE_BRS;
	memcpy(message.data, bench->pdu, bench->pdu_length);
	bench->arrived = bench->accepted = bench->confirmed = 0;
	int result = can_send(bench->from, &message, NULL, err);
	if (result < 0)
		return result;
	result = loop_until(bench->loop, all_came, bench, loop_now_ns() + LIMIT_NS);
	if (result < 0)
		return error_set(err, ERROR_BENCH, -result, "%u arrived, %u confirmed", bench->arrived, bench->confirmed);
	return (int)bench->accepted;
}

static int make_pdu(struct bench *bench, uint64_t freshness, const struct secoc_mutation *mutation, struct error *err)
{
	uint8_t authentic[PDU_MAX] = {0};
	for (unsigned i = 0; i < bench->layout.authentic_bytes; i++)
		authentic[i] = (uint8_t)(freshness * 13 + i * 5);
	struct bytes pdu = {0};
	int result = secoc_make(bench->key, &bench->layout, authentic, freshness, mutation, &pdu);
	if (result < 0)
		return error_set(err, ERROR_BENCH, -result, "the secured PDU cannot be made");
	memcpy(bench->pdu, pdu.data, pdu.length);
	bench->pdu_length = pdu.length;
	bytes_free(&pdu);
	return 0;
}

static int send_made(struct bench *bench, uint64_t freshness, const struct secoc_mutation *mutation, struct error *err)
{
	int result = make_pdu(bench, freshness, mutation, err);
	return result < 0 ? result : send_pdu(bench, err);
}

/* count right frames; all are accepted. */
static bool good(struct bench *bench, unsigned count, const char *when)
{
	struct error err = {0};
	char name[192];
	snprintf(name, sizeof(name), "SecOC %s: %u right %s accepted%s", bench->name, count, count == 1 ? "PDU is" : "PDUs are", when);
	for (unsigned i = 0; i < count; i++) {
		int result = send_made(bench, ++bench->sent, NULL, &err);
		if (result != 1)
			return line_check(false, name, "number %u: %s", i + 1, result < 0 ? err.message : "refused");
	}
	return line_check(bench->wrong_form == 0, name, "%u came in another form than they were sent", bench->wrong_form);
}

static void refused(struct bench *bench, int result, const char *what, const struct error *err)
{
	char name[128], after[96];
	snprintf(name, sizeof(name), "SecOC %s: %s is refused", bench->name, what);
	snprintf(after, sizeof(after), " after %s", what);
	if (line_check(result == 0, name, "%s", result < 0 ? err->message : "accepted"))
		(void)good(bench, 1, after);
}

static void replay(struct bench *bench)
{
	struct error err = {0};
	refused(bench, send_pdu(bench, &err), "a replay", &err);
}

static void every_bit(struct bench *bench)
{
	struct error err = {0};
	int result = 0;
	char what[64];
	snprintf(what, sizeof(what), "each of %zu flipped bits", bench->pdu_length * 8);
	for (unsigned bit = 0; bit < bench->pdu_length * 8 && result == 0; bit++) {
		struct secoc_mutation flip = {.has_flip_bit = true, .flip_bit = bit};
		result = send_made(bench, bench->sent + 1, &flip, &err);
	}
	refused(bench, result, what, &err);
}

static void wrong_macs(struct bench *bench)
{
	static const struct {
		const char *what;
		struct secoc_mutation mutation;
	} wrong[] = {
	        {"a MAC of zeros", {.zero_mac = true}},
	        {"a MAC of ones", {.ones_mac = true}},
	        {"a random MAC", {.random_mac = true, .seed = 20}},
	        {"a MAC of which 8 bits are right", {.has_mac_bits_right = true, .mac_bits_right = 8}},
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct error err = {0};
		refused(bench, send_made(bench, bench->sent + 1, &wrong[i].mutation, &err), wrong[i].what, &err);
	}
}

static int open_bench(struct bench *bench, const char *from, const char *to, struct error *err)
{
	static const uint8_t key[16] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
	struct can_handlers handlers = {.context = bench, .received = received};
	struct can_options options = {.driver = "socketcan", .address = to, .name = "receiver", .fd = bench->fd};
	int result = loop_new(&bench->loop, err);
	if (result == 0)
		result = secoc_key_new(&bench->key, key);
	if (result == 0)
		result = can_open(&bench->to, bench->loop, NULL, &options, &handlers, err);
	options.address = from;
	options.name = "sender";
	handlers = (struct can_handlers){.context = bench, .sent = confirmed};
	if (result == 0)
		result = can_open(&bench->from, bench->loop, NULL, &options, &handlers, err);
	return result;
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: secoc_loop FROM TO classic|fd\n");
		return 2;
	}
	struct bench bench = {.fd = strcmp(argv[3], "fd") == 0, .last = 250, .sent = 250};
	char name[64];
	snprintf(name, sizeof(name), "over %s, %s", argv[1], bench.fd ? "FD, demo layout" : "classic, profile 1");
	bench.name = name;
	bench.layout = (struct secoc_layout){.data_id = ID, .authentic_bytes = bench.fd ? 13 : 4};
	struct error err = {0};
	int result = secoc_layout_preset(bench.fd ? "demo" : "profile1", &bench.layout);
	if (result == 0)
		result = open_bench(&bench, argv[1], argv[2], &err);
	if (result < 0) {
		line_check(false, "SecOC: interfaces", "%s", err.code != 0 ? err.message : strerror(-result));
	} else if (good(&bench, GOOD_FRAMES, "")) {
		replay(&bench);
		every_bit(&bench);
		wrong_macs(&bench);
	}
	can_close(bench.from);
	can_close(bench.to);
	secoc_key_free(bench.key);
	loop_free(bench.loop);
	return lines_status();
}
