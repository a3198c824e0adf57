/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kinds of memory that VMs have.  All pages are present, and virtual
 * neighbours are no physical neighbours, as on a host that has run for long.
 * So the cost does not depend on the state of the page allocator.
 */
#ifndef VFIO_BENCH_MEMORY_H
#define VFIO_BENCH_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "device.h"

#define SMALL_PAGE	4096UL
#define HUGE_PAGE	(2UL << 20)

/* @size is a multiple of two pages.  The memory is never freed. */
void *memory_small(size_t size);
void *memory_thp(size_t size);
void *memory_hugetlb(size_t size);

/*
 * Maps the first @size bytes of a BAR, at an address with the BAR's alignment.
 * No page is present.  munmap() removes the mapping.
 */
void *memory_bar(const struct vdev *v, unsigned int bar, size_t size);

#endif
