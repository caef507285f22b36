/* SPDX-License-Identifier: Apache-2.0 */
#include "registry_for_tests.h"

#include <stddef.h>

static const char *const transports[] = {"tcp", "tls", "udp", NULL};
static const char *const relay[] = {"relay", NULL};

static const struct arg_def wait_args[] = {{"for", VALUE_DURATION, ARG_REQUIRED | ARG_SCALAR | ARG_POSITIVE, .doc = "How long."}, {NULL}};
static const struct step_def step_wait = {.name = "wait", .doc = "Waits. Nothing else.", .args = wait_args};

static const struct step_def step_ready = {.name = "rack.ready", .doc = "Waits until the rack is ready."};

static const struct arg_def power_args[] = {{"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE | ARG_LIST | ARG_SCALAR, .doc = "The boards."},
                                            {NULL}};
static const struct step_def step_power = {.name = "power.on", .doc = "Powers on.", .args = power_args, .flags = STEP_ACTION};

static const struct arg_def activate_args[] = {
        {"source", VALUE_INTEGER, 0, .default_text = "0x0e80", .minimum = 0, .maximum = 0xffff, .doc = "Logical address."},
        {"within", VALUE_DURATION, ARG_POSITIVE, .default_text = "2s", .doc = "Deadline."},
        {"link", VALUE_TEXT, ARG_LINK, .doc = "The link."},
        {"transport", VALUE_TEXT, 0, .default_text = "tcp", .choices = transports, .doc = "How."},
        {NULL}};
static const struct result_def activate_results[] = {{"code", VALUE_INTEGER, "Response code."},
                                                     {"elapsed", VALUE_DURATION, "From request to response."},
                                                     {"payload", VALUE_BYTES, "The message."},
                                                     {"name", VALUE_TEXT, "Its name."},
                                                     {"closed", VALUE_BOOL, "Whether the peer closed."},
                                                     {"targets", VALUE_LIST, "Addresses."},
                                                     {NULL}};
static const struct step_def step_activate = {.name = "doip.activate",
                                              .doc = "Activates routing.",
                                              .example = "- doip.activate: {source: 0x0e80, expect: {code: 0x10}}",
                                              .args = activate_args,
                                              .results = activate_results,
                                              .flags = STEP_ACTION};

static const struct arg_def send_args[] = {{"payload", VALUE_BYTES, ARG_REQUIRED | ARG_SCALAR, .doc = "What to send."},
                                           {"size", VALUE_SIZE, 0, .doc = "Padded to."},
                                           {"targets", VALUE_INTEGER, ARG_LIST, .minimum = 1, .maximum = 100, .doc = "Addresses."},
                                           {"factor", VALUE_NUMBER, 0, .doc = "A factor."},
                                           {"reuse", VALUE_BOOL, 0, .default_text = "false", .doc = "Whether to reuse the connection."},
                                           {NULL}};
static const struct step_def step_send = {.name = "doip.send", .doc = "Sends.", .args = send_args, .flags = STEP_ACTION};

static const struct arg_def repeat_args[] = {{"count", VALUE_INTEGER, ARG_REQUIRED | ARG_POSITIVE, .doc = "How often."},
                                             {"as", VALUE_TEXT, ARG_NAME, .doc = "Variable that counts from 0."},
                                             {"steps", VALUE_LIST, ARG_REQUIRED | ARG_STEPS, .doc = "What."},
                                             {NULL}};
static const struct step_def step_repeat = {.name = "repeat", .doc = "Repeats a block.", .args = repeat_args, .flags = STEP_BLOCK};

static const struct arg_def group_args[] = {{"steps", VALUE_LIST, ARG_REQUIRED | ARG_STEPS | ARG_SCALAR, .doc = "What."}, {NULL}};
static const struct step_def step_group = {.name = "group", .doc = "Runs a block.", .args = group_args, .flags = STEP_BLOCK};

static const struct arg_def note_args[] = {{"text", VALUE_TEXT, ARG_REQUIRED | ARG_SCALAR, .doc = "The text | of it."}, {NULL}};
static const struct step_def step_note = {.name = "note", .doc = "Writes a note.", .args = note_args, .flags = STEP_ALWAYS_OK};

static const struct arg_def await_args[] = {{"event", VALUE_TEXT, ARG_REQUIRED, .doc = "Kind."},
                                            {"where", VALUE_MAP, ARG_EXPECT, .doc = "Fields."},
                                            {"context", VALUE_NULL, ARG_ANY, .doc = "Anything."},
                                            {NULL}};
static const struct step_def step_await = {.name = "await", .doc = "Waits for an event.", .args = await_args};

static const struct arg_def watch_args[] = {{"event", VALUE_TEXT, ARG_REQUIRED | ARG_EVENT, .doc = "Kind."},
                                            {"where", VALUE_MAP, ARG_ANY, .doc = "Fields."},
                                            {"matches", VALUE_TEXT, ARG_REGEX, .doc = "Lines."},
                                            {"stage", VALUE_TEXT, ARG_STAGE, .doc = "Stage."},
                                            {NULL}};
static const struct step_def step_watch = {.name = "watch", .doc = "Waits for an event.", .args = watch_args};

static const struct arg_def begin_args[] = {{"id", VALUE_TEXT, ARG_REQUIRED | ARG_SCALAR | ARG_MEASURE | ARG_BEGINS, .doc = "Id."}, {NULL}};
static const struct step_def step_begin = {.name = "measure.begin", .doc = "Begins a sample.", .args = begin_args};
static const struct arg_def end_args[] = {{"id", VALUE_TEXT, ARG_REQUIRED | ARG_SCALAR | ARG_MEASURE, .doc = "Id."}, {NULL}};
static const struct step_def step_end = {.name = "measure.end", .doc = "Ends a sample.", .args = end_args};

static const struct arg_def param_args[] = {{"role", VALUE_TEXT, ARG_REQUIRED | ARG_ROLE, .doc = "The board."},
                                            {"name", VALUE_TEXT, ARG_REQUIRED | ARG_PARAMETER, .doc = "Its parameter."},
                                            {"value", VALUE_TEXT, ARG_ANY, .doc = "Its value."},
                                            {"identity", VALUE_TEXT, ARG_IDENTITY, .doc = "Whose."},
                                            {"bus", VALUE_TEXT, ARG_CAN, .default_text = "can0", .doc = "Which."},
                                            {NULL}};
static const struct step_def step_param = {.name = "board.param", .doc = "Sets a parameter.", .args = param_args};

static const struct step_def step_cut = {.name = "link.cut", .doc = "Cuts.", .capabilities = relay};

static const struct step_def *const steps[] = {&step_wait,   &step_ready, &step_power, &step_activate, &step_send,
                                               &step_repeat, &step_group, &step_note,  &step_await,    &step_cut,
                                               &step_watch,  &step_begin, &step_end,   &step_param};
static const struct step_registry registry = {.steps = steps, .count = sizeof(steps) / sizeof(steps[0])};

const struct step_registry *registry_for_tests(void)
{
	return &registry;
}
