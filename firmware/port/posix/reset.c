/* SPDX-License-Identifier: Apache-2.0 */
#include "port_posix.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern char **environ;

void port_reset(enum port_reset kind)
{
	if (!port_posix_on_board())
		port_posix_restart(kind);
	const char *line = kind == PORT_RESET_SYSTEM ? "reset system" : "reset application";
	send(PORT_FD_TRACE, line, strlen(line), MSG_NOSIGNAL);
	for (;;)
		pause(); /* the board ends this process */
}

enum port_reset_reason port_reset_reason(void)
{
	static const struct {
		const char *text;
		enum port_reset_reason reason;
	} reasons[] = {{"system", PORT_REASON_SYSTEM},
	               {"application", PORT_REASON_APPLICATION},
	               {"watchdog", PORT_REASON_WATCHDOG},
	               {"external", PORT_REASON_EXTERNAL}};
	const char *text = port_posix_parameter("reset.reason");
	for (size_t i = 0; text && i < sizeof reasons / sizeof *reasons; i++) {
		if (strcmp(text, reasons[i].text) == 0)
			return reasons[i].reason;
	}
	return PORT_REASON_POWER_ON;
}

/* On a port without flash. */
static enum port_status start_file(void)
{
	if (!port_posix_application_path())
		return PORT_ABSENT;
	execv(port_posix_application_path(), port_posix_arguments());
	return PORT_FAILED;
}

enum port_status port_start_application(uint32_t address, uint32_t length)
{
	int program;
	if (!port_posix_on_board())
		return start_file();
	enum port_status status = port_posix_flash_program(address, length, &program);
	if (status != PORT_OK)
		return status;
	char name[] = "application";
	char *arguments[] = {name, NULL};
	fexecve(program, arguments, environ);
	close(program);
	return PORT_FAILED;
}
