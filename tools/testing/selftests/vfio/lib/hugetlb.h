/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Huge pages of the machine's pool.  The pool has its size of before when the
 * program ends.
 */
#ifndef VFIO_TEST_HUGETLB_H
#define VFIO_TEST_HUGETLB_H

#include <stdbool.h>
#include <stddef.h>

/* Are @pages free, if need be by making the pool larger? */
bool hugetlb_reserve(unsigned int pages);
/* Pages of the pool that nobody has. */
long hugetlb_free(void);

/* Private memory of the pool's pages; @size is a multiple of theirs. */
void *hugetlb_alloc(size_t size);
/* 0 if the machine has no such pages. */
size_t hugetlb_size(void);

#endif
