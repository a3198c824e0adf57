/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Huge pages of the machine's pool.  The pool gets its old size back when the
 * program ends.
 */
#ifndef VFIO_TEST_HUGETLB_H
#define VFIO_TEST_HUGETLB_H

#include <stdbool.h>
#include <stddef.h>

/* Makes sure that @pages are free, enlarging the pool if necessary. */
bool hugetlb_reserve(unsigned int pages);
/* The number of free pages in the pool. */
long hugetlb_free(void);

/* Private memory of the pool's pages; @size is a multiple of theirs. */
void *hugetlb_alloc(size_t size);
/* 0 if the machine has no such pages. */
size_t hugetlb_size(void);

#endif
