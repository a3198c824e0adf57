// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocates memory in pages of each kind, and maps BARs.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "hugetlb.h"
#include "memory.h"
#include "util.h"

/*
 * The page allocator returns pages in ascending or descending order, so touch
 * every other page first, then those between.
 */
static void populate(char *mem, size_t size, size_t page)
{
	size_t at;

	for (at = 0; at < size; at += 2 * page)
		mem[at] = 1;
	for (at = page; at < size; at += 2 * page)
		mem[at] = 1;
}

/* Address space of @size bytes at a multiple of @size */
static char *reserve(size_t size)
{
	char *mem = mmap(NULL, 2 * size, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		die("no address space: %s", strerror(errno));
	return (char *)(((uintptr_t)mem + size - 1) / size * size);
}

static void *anonymous(size_t size, size_t page, int advice)
{
	void *mem = reserve(size);

	if (mmap(mem, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != mem)
		die("no memory: %s", strerror(errno));
	if (madvise(mem, size, advice))
		die("madvise: %s", strerror(errno));
	populate(mem, size, page);
	return mem;
}

void *memory_small(size_t size)
{
	return anonymous(size, SMALL_PAGE, MADV_NOHUGEPAGE);
}

void *memory_thp(size_t size)
{
	long before = proc_meminfo_kb("AnonHugePages");
	void *mem = anonymous(size, HUGE_PAGE, MADV_HUGEPAGE);

	if (proc_meminfo_kb("AnonHugePages") - before < (long)(size / KiB))
		die("the kernel has not given huge pages");
	return mem;
}

void *memory_hugetlb(size_t size)
{
	void *mem;

	if (hugetlb_size() != HUGE_PAGE || !hugetlb_reserve(size / HUGE_PAGE))
		die("no pool of huge pages");
	mem = hugetlb_alloc(size);
	populate(mem, size, HUGE_PAGE);
	return mem;
}

void *memory_bar(const struct vdev *v, unsigned int bar, size_t size)
{
	struct vfio_region_info info = vdev_region(v, bar);
	char *mem = reserve(info.size);

	if (mmap(mem, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 v->fd, info.offset) != mem)
		die("%s: BAR %u cannot be mapped: %s", v->bdf, bar,
		    strerror(errno));
	return mem;
}
