// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pool of huge pages.
 *
 * Test processes may be killed, so the parent of all of them saves the size of
 * the pool and restores it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "hugetlb.h"
#include "util.h"

#define POOL	"/proc/sys/vm/nr_hugepages"

static char size_at_start[32];

static void __attribute__((constructor)) save_pool(void)
{
	if (file_read(POOL, size_at_start, sizeof(size_at_start)) < 0)
		size_at_start[0] = '\0';
}

static void __attribute__((destructor)) restore_pool(void)
{
	char now[32];

	if (size_at_start[0] && file_read(POOL, now, sizeof(now)) > 0 &&
	    strcmp(now, size_at_start))
		file_write(POOL, size_at_start);
}

bool hugetlb_reserve(unsigned int pages)
{
	char size[32];
	long more;

	if (!size_at_start[0])
		return false;
	more = pages - hugetlb_free();
	if (more > 0) {
		snprintf(size, sizeof(size), "%ld",
			 proc_meminfo_kb("HugePages_Total") + more);
		file_write(POOL, size);
	}
	return hugetlb_free() >= pages;
}

long hugetlb_free(void)
{
	/* A number of pages, although meminfo is in kB. */
	return proc_meminfo_kb("HugePages_Free");
}

void *hugetlb_alloc(size_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			 MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (mem == MAP_FAILED)
		die("no huge pages: %s", strerror(errno));
	return mem;
}

size_t hugetlb_size(void)
{
	return size_at_start[0] ? proc_meminfo_kb("Hugepagesize") * KiB : 0;
}
