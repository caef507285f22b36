/* SPDX-License-Identifier: Apache-2.0 */
#include "port_posix.h"

#include <fcntl.h>
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

enum port_status port_start_application(uint32_t address, uint32_t length)
{
	(void)address;
	(void)length;
	if (!port_posix_on_board()) {
		if (!port_posix_application_path())
			return PORT_ABSENT;
		execv(port_posix_application_path(), port_posix_arguments());
		return PORT_FAILED;
	}
	if (fcntl(PORT_FD_APPLICATION, F_GETFD) < 0)
		return PORT_ABSENT;
	char name[] = "application";
	char *arguments[] = {name, NULL};
	fexecve(PORT_FD_APPLICATION, arguments, environ);
	return PORT_FAILED;
}
