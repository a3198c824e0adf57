/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory whose missing pages never come: a userfaultfd that no process reads.
 */
#ifndef VFIO_TEST_USERFAULT_H
#define VFIO_TEST_USERFAULT_H

#include <stddef.h>

/*
 * From now on, pages of the memory that are missing stay missing, until the
 * returned fd is closed.  -errno if the kernel has no userfaultfd.
 */
int userfault_never(void *mem, size_t size);

/* Waits until a task needs a page of the memory, which still does not come. */
void userfault_wait(int fd);

/* The pages come after all, with these contents. */
void userfault_fill(int fd, void *mem, const void *data, size_t size);

#endif
