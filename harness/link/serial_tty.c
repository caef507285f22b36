/* SPDX-License-Identifier: Apache-2.0 */
/* Serial ports of Linux: tty_ioctl(4). Any speed is set with struct termios2, which <termios.h> does not know. */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serial_private.h"

#define FASTEST_BAUD  3000000
#define STANDARD_BAUD 115200

static int open_failed(const char *path, int code, struct error *err)
{
	switch (code) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return error_set(err, ERROR_BENCH, code, "%s: there is no such device: is it plugged in?", path);
	case EACCES:
	case EPERM:
		return error_set(err, ERROR_BENCH, code, "%s: no permission; serial ports usually belong to the group dialout", path);
	case EBUSY:
		return error_set(err, ERROR_BENCH, code, "%s: in use by another program (`fuser %s` tells which)", path, path);
	default:
		return error_set(err, ERROR_BENCH, code, "%s: %s", path, strerror(code));
	}
}

/* Raw 8N1: every byte as it is. */
static void make_raw(struct termios2 *settings, uint32_t baud)
{
	settings->c_iflag = IGNBRK | IGNPAR;
	settings->c_oflag = 0;
	settings->c_lflag = 0;
	settings->c_cflag = CS8 | CREAD | CLOCAL | BOTHER | (BOTHER << IBSHIFT);
	settings->c_ispeed = settings->c_ospeed = baud;
	settings->c_cc[VMIN] = 0;
	settings->c_cc[VTIME] = 0;
}

static int set_up(int fd, const char *path, uint32_t baud, struct error *err)
{
	struct termios2 settings;
	if (ioctl(fd, TCGETS2, &settings) < 0)
		return error_set(err, ERROR_BENCH, errno, "%s: not a serial port (%s)", path, strerror(errno));
	make_raw(&settings, baud);
	if (ioctl(fd, TCSETS2, &settings) < 0 || ioctl(fd, TCGETS2, &settings) < 0)
		return error_set(err, ERROR_BENCH, errno, "%s: cannot be set to %u baud: %s", path, baud, strerror(errno));
	uint32_t off = settings.c_ospeed > baud ? settings.c_ospeed - baud : baud - settings.c_ospeed;
	/* An asynchronous receiver bears about 4 % in all; half of that is the other side's. */
	if (off > baud / 50)
		return error_set(err, ERROR_BENCH, ERANGE, "%s: cannot do %u baud, the nearest is %u", path, baud, settings.c_ospeed);
	return 0;
}

int serial_tty_open(const char *path, uint32_t baud, struct error *err)
{
	baud = baud ? baud : STANDARD_BAUD;
	if (baud > FASTEST_BAUD)
		return error_set(err, ERROR_BENCH, EINVAL, "%s: %u baud is above %d", path, baud, FASTEST_BAUD);
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return open_failed(path, errno, err);
	int r = ioctl(fd, TIOCEXCL) < 0 && errno != ENOTTY ? open_failed(path, errno, err) : set_up(fd, path, baud, err);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	(void)ioctl(fd, TCFLSH, TCIFLUSH); /* what came before nobody asked for */
	return fd;
}

int serial_tty_lines(int fd, const char *path, bool rts, bool dtr, struct error *err)
{
	int set = (rts ? TIOCM_RTS : 0) | (dtr ? TIOCM_DTR : 0), clear = (TIOCM_RTS | TIOCM_DTR) & ~set;
	if ((clear && ioctl(fd, TIOCMBIC, &clear) < 0) || (set && ioctl(fd, TIOCMBIS, &set) < 0))
		return error_set(err, ERROR_BENCH, errno, "%s: RTS and DTR cannot be set: %s", path, strerror(errno));
	return 0;
}

void serial_tty_state(int fd, const char *path, struct serial_state *ret)
{
	struct termios2 settings = {0};
	struct serial_icounter_struct counters = {0};
	const char *name = strrchr(path, '/');
	*ret = (struct serial_state){0};
	if (ioctl(fd, TCGETS2, &settings) < 0)
		settings.c_ospeed = 0;
	(void)snprintf(ret->text, sizeof(ret->text), "%.60s at %u 8N1", name ? name + 1 : path, settings.c_ospeed);
	if (ioctl(fd, TIOCGICOUNT, &counters) < 0)
		return;
	ret->frame_errors = (unsigned)counters.frame;
	ret->overruns = (unsigned)(counters.overrun + counters.buf_overrun);
	ret->breaks = (unsigned)counters.brk;
}
