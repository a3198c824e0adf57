/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A data fd that a process still holds after its session has ended.
 */
#ifndef VFIO_TEST_SESSION_H
#define VFIO_TEST_SESSION_H

#include <fcntl.h>
#include <poll.h>

#include "test.h"
#include "util.h"

/* The session is over: POLLERR, and ENODEV from read() or write(). */
static inline void expect_session_over(struct __test_metadata *_metadata,
				       int fd)
{
	struct pollfd poll_fd = { .fd = fd };
	char c = 0;

	EXPECT_EQ(1, poll(&poll_fd, 1, 0));
	EXPECT_NE(0, poll_fd.revents & POLLERR);
	EXPECT_EQ(-ENODEV, fcntl(fd, F_GETFL) & O_WRONLY ?
			   sys_write(fd, &c, 1) : sys_read(fd, &c, 1));
}

#endif
