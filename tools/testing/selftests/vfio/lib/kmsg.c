// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/kmsg: each read() is one record.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"
#include "util.h"

int kmsg_open(void)
{
	int fd = must(sys_open("/dev/kmsg", O_RDONLY | O_NONBLOCK));

	if (lseek(fd, 0, SEEK_END) < 0)
		die("/dev/kmsg: %s", strerror(errno));
	return fd;
}

bool kmsg_said(int fd, const char *bdf, const char *text)
{
	char record[8192];
	bool said = false;
	ssize_t ret;

	/* EPIPE: records were overwritten before they were read. */
	while ((ret = sys_read(fd, record, sizeof(record) - 1)) > 0 ||
	       ret == -EPIPE) {
		if (ret < 0)
			continue;
		record[ret] = '\0';
		said |= strstr(record, bdf) && strstr(record, text);
	}
	return said;
}
