/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual time: it passes in port_wait() and nowhere else. */
#include "port_model_private.h"

#define NEVER     UINT64_MAX
#define NS_PER_US 1000u

const struct port_model *port_model;

static uint64_t now_ns, wake_ns;

void port_model_start(const struct port_model *model)
{
	port_model = model;
	now_ns = model->begin_ns;
	wake_ns = NEVER;
}

bool port_model_running(void)
{
	return port_model != NULL;
}

uint64_t port_model_now_ns(void)
{
	return now_ns;
}

uint64_t port_time_us(void)
{
	return (now_ns - port_model->begin_ns) / NS_PER_US;
}

static uint64_t to_ns(uint64_t deadline_us)
{
	if (deadline_us > (NEVER - port_model->begin_ns) / NS_PER_US)
		return NEVER;
	return port_model->begin_ns + deadline_us * NS_PER_US;
}

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

void port_wait(uint64_t deadline_us)
{
	uint64_t until_ns = earlier(to_ns(deadline_us), wake_ns);

	/* The end of a flash command ends the wait. */
	until_ns = earlier(until_ns, flash_poll(port_model->flash, now_ns));
	if (until_ns == NEVER)
		port_model->stuck(port_model->context);
	if (until_ns > now_ns)
		now_ns = until_ns;
	if (wake_ns <= now_ns)
		wake_ns = NEVER;
	(void)flash_poll(port_model->flash, now_ns);
}

void port_wake_at(uint64_t deadline_us)
{
	wake_ns = earlier(wake_ns, to_ns(deadline_us));
}

void port_delay_until_us(uint64_t deadline_us)
{
	uint64_t until_ns = to_ns(deadline_us);

	if (until_ns > now_ns)
		now_ns = until_ns;
	(void)flash_poll(port_model->flash, now_ns);
}
