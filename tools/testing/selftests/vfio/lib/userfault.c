// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory whose missing pages never come.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "userfault.h"
#include "util.h"

int userfault_never(void *mem, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)mem, .len = size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return -errno;
	must(sys_ioctl(fd, UFFDIO_API, &api));
	must(sys_ioctl(fd, UFFDIO_REGISTER, &reg));
	return fd;
}

void userfault_wait(int fd)
{
	struct uffd_msg msg;

	if (must(sys_read(fd, &msg, sizeof(msg))) != sizeof(msg) ||
	    msg.event != UFFD_EVENT_PAGEFAULT)
		die("userfaultfd reports no page fault");
}

void userfault_fill(int fd, void *mem, const void *data, size_t size)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)mem,
		.src = (uintptr_t)data,
		.len = size,
	};

	must(sys_ioctl(fd, UFFDIO_COPY, &copy));
}
