/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kinds of memory that VMs have.  All of it is present, and pages that are
 * neighbours here are none in physical memory, as on a host that has run for
 * long: so the cost does not depend on what the page allocator has left.
 */
#ifndef VFIO_BENCH_MEMORY_H
#define VFIO_BENCH_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "device.h"

#define SMALL_PAGE	4096UL
#define HUGE_PAGE	(2UL << 20)

/* @size: a multiple of two pages.  The memory is never freed. */
void *memory_small(size_t size);
void *memory_thp(size_t size);
void *memory_hugetlb(size_t size);

/*
 * Maps the first @size bytes of a BAR, at an address that is aligned as the BAR
 * is.  No page of it is present.  munmap() frees it.
 */
void *memory_bar(const struct vdev *v, unsigned int bar, size_t size);

#endif
