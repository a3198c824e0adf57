// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that is mapped for DMA: which kinds can be mapped, what is charged
 * against RLIMIT_MEMLOCK, what is pinned and for how long, and that charge and
 * pins are released however the mapping ends.
 *
 * VmLck is the charge of the process.  The machine's count of pins has one for
 * each small page and one for each huge page.  Tests use small pages unless
 * they ask for huge ones.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "device.h"
#include "hugetlb.h"
#include "iommu.h"
#include "test.h"
#include "userfault.h"

#define PG		4096ULL
#define IOVA		0x10000000ULL

/* What is charged and pinned, in pages */
struct charge {
	long locked;
	long pinned;
};

FIXTURE(memory) {
	int container;
	int group;
	struct charge start;
};

static struct charge charge_now(void)
{
	return (struct charge){
		.locked = proc_status_kb("VmLck") * KiB / PG,
		.pinned = pages_pinned_now(),
	};
}

FIXTURE_SETUP(memory)
{
	const char *bdf = NEED_ANY_FUNC();

	ASSERT_EQ(PG, page_size());
	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	self->start = charge_now();
	self->container = container_open();
	self->group = container_add(self->container, bdf);
	must(container_set_iommu(self->container, VFIO_TYPE1v2_IOMMU));
}

FIXTURE_TEARDOWN(memory)
{
	sys_close(self->group);
	sys_close(self->container);
}

/* Pages that were charged and pinned since the test began. */
#define EXPECT_CHARGE(pages_locked, pages_pinned) do {			\
	struct charge __now = charge_now();				\
									\
	EXPECT_EQ((long)(pages_locked),					\
		  __now.locked - self->start.locked);			\
	EXPECT_EQ((long)(pages_pinned),					\
		  __now.pinned - self->start.pinned);			\
} while (0)

static int64_t unmap_all(int container)
{
	return dma_unmap_flags(container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL);
}

/* Kinds of memory */

/* Memory of one kind */
struct kind {
	char *mem;
	uint64_t pages;
	uint32_t flags;
	uint64_t huge;		/* size of its huge pages; 0: they are small */
	bool perhaps;		/* some pages may be small */
};

/* The smallest number of pins for @n pages from page @at on. */
static uint64_t fewest_pins(const struct kind *k, uint64_t at, uint64_t n)
{
	uint64_t first = (uintptr_t)k->mem + at * PG, last = first + n * PG - 1;

	return k->huge ? last / k->huge - first / k->huge + 1 : n;
}

#define EXPECT_KIND(k, pages, fewest) do {				\
	struct charge __now = charge_now();				\
	long __pins = __now.pinned - self->start.pinned;		\
									\
	EXPECT_EQ((long)(pages), __now.locked - self->start.locked);	\
	EXPECT_LE((long)(fewest), __pins);				\
	EXPECT_GE((long)((k)->perhaps ? (pages) : (fewest)), __pins);	\
} while (0)

/* Maps the memory as a whole, then in pieces: charged is what is mapped. */
static void check_kind(struct __test_metadata *_metadata,
		       FIXTURE_DATA(memory) *self, const struct kind *k)
{
	static const uint64_t pieces[] = { 1, 3, 64, 511, 512, 513 };
	uint64_t pages = k->pages, at, n, i, pins = 0, size;
	int c = self->container;

	ASSERT_EQ(0, dma_map_flags(c, IOVA, k->mem, pages * PG, k->flags));
	EXPECT_KIND(k, pages, fewest_pins(k, 0, pages));
	EXPECT_EQ(pages * PG, dma_unmap(c, IOVA, pages * PG));
	EXPECT_CHARGE(0, 0);

	/* IOVA and memory aligned differently */
	ASSERT_EQ(0, dma_map_flags(c, IOVA + PG, k->mem, pages * PG,
				   k->flags));
	EXPECT_KIND(k, pages, fewest_pins(k, 0, pages));
	EXPECT_EQ(pages * PG, dma_unmap(c, IOVA + PG, pages * PG));
	EXPECT_CHARGE(0, 0);

	for (at = 0, i = 0; at < pages; at += n, i++) {
		n = pieces[i % ARRAY_SIZE(pieces)];
		n = n > pages - at ? pages - at : n;
		ASSERT_EQ(0, dma_map_flags(c, IOVA + at * PG, k->mem + at * PG,
					   n * PG, k->flags));
		pins += fewest_pins(k, at, n);
		EXPECT_KIND(k, at + n, pins);
	}
	/* Every second piece, then the rest */
	n = 0;
	for (at = 0, i = 0; at < pages; i++) {
		size = pieces[i % ARRAY_SIZE(pieces)];
		size = size > pages - at ? pages - at : size;
		if (i % 2) {
			EXPECT_EQ(size * PG, dma_unmap(c, IOVA + at * PG,
						       size * PG));
			n += size;
			pins -= fewest_pins(k, at, size);
			EXPECT_KIND(k, pages - n, pins);
		}
		at += size;
	}
	EXPECT_EQ((pages - n) * PG, unmap_all(c));
	EXPECT_CHARGE(0, 0);
}

static void check_memory(struct __test_metadata *_metadata,
			 FIXTURE_DATA(memory) *self, char *mem, uint64_t pages,
			 uint32_t flags)
{
	struct kind k = { .mem = mem, .pages = pages, .flags = flags };

	check_kind(_metadata, self, &k);
}

static void check_huge(struct __test_metadata *_metadata,
		       FIXTURE_DATA(memory) *self, char *mem, uint64_t pages,
		       uint64_t huge, bool perhaps)
{
	struct kind k = {
		.mem = mem, .pages = pages, .flags = MAP_RW,
		.huge = huge, .perhaps = perhaps,
	};

	check_kind(_metadata, self, &k);
}

TEST_F(memory, of_small_pages_is_charged)
{
	char *mem = mem_alloc(2000 * PG);

	madvise(mem, 2000 * PG, MADV_NOHUGEPAGE);
	check_memory(_metadata, self, mem, 2000, MAP_RW);
	check_memory(_metadata, self, mem, 1, MAP_RW);
}

TEST_F(memory, never_touched_is_charged)
{
	char *mem = mem_alloc(100 * PG);

	check_memory(_metadata, self, mem, 100, VFIO_DMA_MAP_FLAG_READ);
	mem = mem_alloc(100 * PG);
	check_memory(_metadata, self, mem, 100, MAP_RW);
}

TEST_F(memory, of_transparent_huge_pages_is_charged)
{
	char *area = mem_alloc(10 * MiB);
	char *mem = (void *)(((uintptr_t)area + 2 * MiB - 1) & -(2 * MiB));

	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	if (madvise(mem, 8 * MiB, MADV_HUGEPAGE))
		SKIP(return, "no transparent huge pages");
	memset(mem, 1, 8 * MiB);
	check_huge(_metadata, self, mem, 8 * MiB / PG, 2 * MiB, true);
	check_huge(_metadata, self, mem + PG, 8 * MiB / PG - 1, 2 * MiB, true);
	check_huge(_metadata, self, mem + 511 * PG, 514, 2 * MiB, true);
	/* Small pages between huge ones */
	ASSERT_EQ(0, mprotect(mem + 2 * MiB, PG, PROT_READ));
	ASSERT_EQ(0, mprotect(mem + 2 * MiB, PG, PROT_READ | PROT_WRITE));
	check_huge(_metadata, self, mem, 8 * MiB / PG, 2 * MiB, true);
	/* A huge page that is split while a part of it is mapped */
	mem += 4 * MiB;
	ASSERT_EQ(0, dma_map(self->container, IOVA, mem + 10 * PG, 20 * PG));
	EXPECT_EQ(0, munmap(mem + 40 * PG, PG));
	EXPECT_EQ(0, mprotect(mem + 15 * PG, PG, PROT_READ));
	EXPECT_EQ(20, charge_now().locked - self->start.locked);
	EXPECT_LT(0, charge_now().pinned - self->start.pinned);
	EXPECT_EQ(20 * PG, unmap_all(self->container));
	EXPECT_CHARGE(0, 0);
}

TEST_F(memory, of_hugetlb_is_charged)
{
	size_t huge = hugetlb_size();
	char *mem;

	if (!huge || !hugetlb_reserve(4))
		SKIP(return, "no memory for huge pages");
	mem = hugetlb_alloc(4 * huge);
	check_huge(_metadata, self, mem, 4 * huge / PG, huge, false);
	check_huge(_metadata, self, mem + PG, 4 * huge / PG - 1, huge, false);
	check_huge(_metadata, self, mem + huge - PG, 2, huge, false);
}

/* Pages return to the pool after the last user has released them. */
TEST_F(memory, hugetlb_pages_return)
{
	size_t huge = hugetlb_size();
	long before;
	char *mem;

	if (!huge || !hugetlb_reserve(4))
		SKIP(return, "no memory for huge pages");
	before = hugetlb_free();
	mem = hugetlb_alloc(4 * huge);
	ASSERT_EQ(0, dma_map(self->container, IOVA, mem, 2 * huge));
	ASSERT_EQ(0, dma_map(self->container, IOVA + 2 * huge,
			     mem + 2 * huge + 5 * PG, huge));
	EXPECT_EQ(before - 4, hugetlb_free());
	mem_free(mem, 4 * huge);
	/* The process has unmapped them; the devices use all four. */
	EXPECT_EQ(before - 4, hugetlb_free());
	EXPECT_EQ(2 * huge, dma_unmap(self->container, IOVA, 2 * huge));
	EXPECT_EQ(before - 2, hugetlb_free());
	EXPECT_EQ(huge, unmap_all(self->container));
	EXPECT_EQ(before, hugetlb_free());
	EXPECT_CHARGE(0, 0);
}

TEST_F(memory, that_is_shared_is_charged)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);
	char *mem;

	ASSERT_EQ(0, ftruncate(fd, 700 * PG));
	mem = mmap(NULL, 700 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, mem);
	check_memory(_metadata, self, mem, 700, MAP_RW);
}

TEST_F(memory, of_a_file_is_charged)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char *mem;

	ASSERT_LE(0, fd);
	mem = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, mem);
	check_memory(_metadata, self, mem, 4, MAP_RW);
	EXPECT_EQ(0, memcmp(mem, "\177ELF", 4));
}

/* One mapping with parts of different kinds */
TEST_F(memory, of_mixed_kinds_is_charged)
{
	char *mem = mem_alloc(64 * PG);
	int fd = memfd_create("memory", MFD_CLOEXEC);

	ASSERT_EQ(0, ftruncate(fd, 8 * PG));
	ASSERT_EQ(mem + 8 * PG,
		  mmap(mem + 8 * PG, 8 * PG, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED, fd, 0));
	ASSERT_EQ(mem + 32 * PG,
		  mmap(mem + 32 * PG, 4 * PG, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED, fd, PG));
	check_memory(_metadata, self, mem, 64, MAP_RW);
}

/* Memory that is mapped twice is pinned twice and charged twice. */
TEST_F(memory, mapped_twice_is_charged_twice)
{
	char *mem = mem_alloc(10 * PG);
	int c = self->container;

	ASSERT_EQ(0, dma_map(c, IOVA, mem, 10 * PG));
	ASSERT_EQ(0, dma_map(c, IOVA + 10 * PG, mem, 10 * PG));
	EXPECT_CHARGE(20, 20);
	EXPECT_EQ(10 * PG, dma_unmap(c, IOVA, 10 * PG));
	EXPECT_CHARGE(10, 10);
	EXPECT_EQ(10 * PG, unmap_all(c));
	EXPECT_CHARGE(0, 0);
}

/* Memory that cannot be mapped */

TEST_F(memory, read_only_cannot_be_mapped_for_writing)
{
	char *mem = mem_alloc(8 * PG);
	int c = self->container;

	memset(mem, 1, 8 * PG);
	ASSERT_EQ(0, mprotect(mem, 8 * PG, PROT_READ));
	EXPECT_EQ(-EFAULT, dma_map(c, IOVA, mem, 8 * PG));
	EXPECT_EQ(-EFAULT, dma_map_flags(c, IOVA, mem, 8 * PG,
					 VFIO_DMA_MAP_FLAG_WRITE));
	EXPECT_CHARGE(0, 0);
	EXPECT_EQ(0, dma_map_flags(c, IOVA, mem, 8 * PG,
				   VFIO_DMA_MAP_FLAG_READ));
	EXPECT_CHARGE(8, 8);
	EXPECT_EQ(8 * PG, unmap_all(c));
	ASSERT_EQ(0, mprotect(mem, 8 * PG, PROT_NONE));
	EXPECT_EQ(-EFAULT, dma_map_flags(c, IOVA, mem, 8 * PG,
					 VFIO_DMA_MAP_FLAG_READ));
	EXPECT_CHARGE(0, 0);
}

/* Pages before the bad page are unpinned again. */
TEST_F(memory, with_a_bad_page_is_refused)
{
	static const uint64_t places[] = { 0, 1, 511, 512, 1500, 1999 };
	char *mem = mem_alloc(2000 * PG);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		char *bad = mem + places[i] * PG;

		ASSERT_EQ(0, mprotect(bad, PG, PROT_READ));
		EXPECT_EQ(-EFAULT, dma_map(self->container, IOVA, mem,
					   2000 * PG));
		EXPECT_CHARGE(0, 0);
		ASSERT_EQ(0, mprotect(bad, PG, PROT_READ | PROT_WRITE));
		ASSERT_EQ(0, munmap(bad, PG));
		EXPECT_EQ(-EFAULT, dma_map(self->container, IOVA, mem,
					   2000 * PG));
		EXPECT_CHARGE(0, 0);
		ASSERT_EQ(bad, mmap(bad, PG, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				    -1, 0));
	}
	EXPECT_EQ(0, dma_map(self->container, IOVA, mem, 2000 * PG));
	EXPECT_CHARGE(2000, 2000);
}

/* A mapping that is larger than its file */
TEST_F(memory, beyond_the_end_of_a_file_is_refused)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);
	char *mem;

	ASSERT_EQ(0, ftruncate(fd, 2 * PG));
	mem = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, mem);
	EXPECT_EQ(-EFAULT, dma_map(self->container, IOVA, mem, 4 * PG));
	EXPECT_CHARGE(0, 0);
	EXPECT_EQ(0, dma_map(self->container, IOVA, mem, 2 * PG));
	/* A truncated file: its pages stay pinned. */
	EXPECT_EQ(0, ftruncate(fd, 0));
	EXPECT_CHARGE(2, 2);
	EXPECT_EQ(2 * PG, unmap_all(self->container));
	EXPECT_CHARGE(0, 0);
}

/* Memory of devices */

static char *map_bar(const struct vdev *v, unsigned int bar, size_t *size)
{
	struct vfio_region_info info = vdev_region(v, bar);
	char *mem;

	*size = info.size;
	mem = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd,
		   info.offset);
	if (mem == MAP_FAILED)
		die("%s: BAR%u cannot be mapped", v->bdf, bar);
	return mem;
}

/* A BAR can be mapped for other devices, and is not charged. */
TEST_F(memory, of_a_bar_is_not_charged)
{
	const char *bdf = NEED_FUNC(FUNC_E1000E);
	int c = self->container;
	struct vdev v;
	size_t size;
	char *mem;

	vdev_open_in(&v, bdf, DRV_VFIO_PCI, c);
	cfg_command(&v, PCI_COMMAND_MEMORY, 0);
	mem = map_bar(&v, 0, &size);
	EXPECT_EQ(0, dma_map(c, IOVA, mem, size));
	EXPECT_CHARGE(0, 0);
	EXPECT_EQ(-EEXIST, dma_map(c, IOVA, mem, size));
	EXPECT_EQ(size, dma_unmap(c, IOVA, size));
	EXPECT_EQ(0, dma_map(c, IOVA + PG, mem + PG, size - PG));
	EXPECT_EQ(size - PG, unmap_all(c));
	EXPECT_CHARGE(0, 0);
	vdev_close(&v);
}

/* A BAR between memory: only the memory is charged. */
TEST_F(memory, around_a_bar_is_charged)
{
	const char *bdf = NEED_FUNC(FUNC_E1000E);
	struct vfio_region_info info;
	int c = self->container;
	char *mem, *bar;
	struct vdev v;
	size_t size;

	vdev_open_in(&v, bdf, DRV_VFIO_PCI, c);
	cfg_command(&v, PCI_COMMAND_MEMORY, 0);
	info = vdev_region(&v, 0);
	mem = mem_alloc(info.size + 8 * PG);
	bar = mmap(mem + 5 * PG, info.size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED, v.fd, info.offset);
	ASSERT_EQ(mem + 5 * PG, bar);
	size = info.size + 8 * PG;
	EXPECT_EQ(0, dma_map(c, IOVA, mem, size));
	EXPECT_CHARGE(8, 8);
	EXPECT_EQ(size, dma_unmap(c, IOVA, size));
	EXPECT_CHARGE(0, 0);
	vdev_close(&v);
}

/* A BAR cannot be mapped while memory decoding is off. */
TEST_F(memory, of_a_bar_that_is_off_is_refused)
{
	const char *bdf = NEED_FUNC(FUNC_E1000E);
	int c = self->container;
	struct vdev v;
	size_t size;
	char *mem;

	vdev_open_in(&v, bdf, DRV_VFIO_PCI, c);
	mem = map_bar(&v, 0, &size);
	cfg_command(&v, 0, PCI_COMMAND_MEMORY);
	EXPECT_EQ(-EFAULT, dma_map(c, IOVA, mem, size));
	EXPECT_CHARGE(0, 0);
	cfg_command(&v, PCI_COMMAND_MEMORY, 0);
	EXPECT_EQ(0, dma_map(c, IOVA, mem, size));
	/* Decoding is switched off, and the VMA zapped, while it is mapped. */
	cfg_command(&v, 0, PCI_COMMAND_MEMORY);
	EXPECT_EQ(size, dma_unmap(c, IOVA, size));
	EXPECT_CHARGE(0, 0);
	vdev_close(&v);
}

/* The limit */

/* Drops CAP_IPC_LOCK, so that RLIMIT_MEMLOCK applies to this process. */
static void be_limited(uint64_t limit)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];
	struct rlimit rlimit = { .rlim_cur = limit, .rlim_max = limit };

	if (setrlimit(RLIMIT_MEMLOCK, &rlimit) ||
	    syscall(SYS_capget, &header, data))
		die("no limit: %s", strerror(errno));
	data[0].effective &= ~BIT(CAP_IPC_LOCK);
	data[0].permitted &= ~BIT(CAP_IPC_LOCK);
	if (syscall(SYS_capset, &header, data))
		die("capset: %s", strerror(errno));
}

TEST_F(memory, limit_is_exact)
{
	char *mem = mem_alloc(1000 * PG);
	int c = self->container;

	be_limited(600 * PG);
	/* Above the limit: nothing is charged or pinned. */
	EXPECT_EQ(-ENOMEM, dma_map(c, IOVA, mem, 601 * PG));
	EXPECT_CHARGE(0, 0);
	EXPECT_EQ(-ENOMEM, dma_map(c, IOVA, mem, 1000 * PG));
	EXPECT_CHARGE(0, 0);
	/* Exactly the limit */
	EXPECT_EQ(0, dma_map(c, IOVA, mem, 600 * PG));
	EXPECT_CHARGE(600, 600);
	EXPECT_EQ(-ENOMEM, dma_map(c, IOVA + 600 * PG, mem, PG));
	EXPECT_EQ(-EEXIST, dma_map(c, IOVA, mem, PG));
	EXPECT_CHARGE(600, 600);
	EXPECT_EQ(600 * PG, unmap_all(c));
	EXPECT_CHARGE(0, 0);
	/* In pieces; unmapped pages can be mapped again. */
	EXPECT_EQ(0, dma_map(c, IOVA, mem, 300 * PG));
	EXPECT_EQ(0, dma_map(c, IOVA + 300 * PG, mem, 300 * PG));
	EXPECT_EQ(-ENOMEM, dma_map(c, IOVA + 600 * PG, mem, PG));
	EXPECT_EQ(300 * PG, dma_unmap(c, IOVA, 300 * PG));
	EXPECT_EQ(0, dma_map(c, IOVA + 600 * PG, mem, 300 * PG));
	EXPECT_CHARGE(600, 600);
}

TEST_F(memory, limit_of_zero_refuses_all)
{
	char *mem = mem_alloc(PG);

	be_limited(0);
	EXPECT_EQ(-ENOMEM, dma_map(self->container, IOVA, mem, PG));
	EXPECT_CHARGE(0, 0);
}

TEST_F(memory, limit_counts_what_mlock_locked)
{
	char *mem = mem_alloc(20 * PG);

	be_limited(20 * PG);
	ASSERT_EQ(0, mlock(mem, 5 * PG));
	EXPECT_EQ(-ENOMEM, dma_map(self->container, IOVA, mem, 16 * PG));
	EXPECT_EQ(0, dma_map(self->container, IOVA, mem, 15 * PG));
	EXPECT_CHARGE(20, 15);
	EXPECT_EQ(15 * PG, unmap_all(self->container));
	EXPECT_CHARGE(5, 0);
}

/* The limit applies to huge pages and shared memory as well. */
TEST_F(memory, limit_counts_all_kinds)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);
	size_t huge = hugetlb_size();
	char *mem;

	ASSERT_EQ(0, ftruncate(fd, 101 * PG));
	mem = mmap(NULL, 101 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, mem);
	if (huge && !hugetlb_reserve(1))
		huge = 0;
	be_limited(100 * PG);
	EXPECT_EQ(-ENOMEM, dma_map(self->container, IOVA, mem, 101 * PG));
	EXPECT_CHARGE(0, 0);
	if (!huge)
		return;
	mem = hugetlb_alloc(huge);
	EXPECT_EQ(-ENOMEM, dma_map(self->container, IOVA, mem, huge));
	EXPECT_CHARGE(0, 0);
	EXPECT_EQ(0, dma_map(self->container, IOVA, mem, 100 * PG));
	EXPECT_CHARGE(100, 1);
}

/* BARs are not charged, however little is left of the limit. */
TEST_F(memory, limit_does_not_count_bars)
{
	const char *bdf = NEED_FUNC(FUNC_E1000E);
	struct vfio_region_info info;
	int c = self->container;
	char *mem, *bar;
	struct vdev v;

	vdev_open_in(&v, bdf, DRV_VFIO_PCI, c);
	cfg_command(&v, PCI_COMMAND_MEMORY, 0);
	info = vdev_region(&v, 0);
	mem = mem_alloc(info.size + 8 * PG);
	bar = mmap(mem + 4 * PG, info.size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED, v.fd, info.offset);
	ASSERT_EQ(mem + 4 * PG, bar);
	be_limited(8 * PG);
	EXPECT_EQ(0, dma_map(c, IOVA, mem, info.size + 8 * PG));
	EXPECT_CHARGE(8, 8);
	EXPECT_EQ(0, dma_map(c, 2 * IOVA, bar, info.size));
	EXPECT_EQ(-ENOMEM, dma_map(c, 3 * IOVA, bar, info.size + PG));
	EXPECT_CHARGE(8, 8);
	EXPECT_EQ(2 * info.size + 8 * PG, unmap_all(c));
	EXPECT_CHARGE(0, 0);
	vdev_close(&v);
}

/* Userfaultfd */

TEST_F(memory, userfault_is_an_error)
{
	char *mem = mem_alloc(600 * PG);
	int c = self->container, fd;

	memset(mem, 1, 200 * PG);
	fd = userfault_never(mem, 600 * PG);
	if (fd < 0)
		SKIP(return, "no userfaultfd");
	EXPECT_EQ(-EFAULT, dma_map(c, IOVA, mem + 200 * PG, 400 * PG));
	EXPECT_EQ(-EFAULT, dma_map(c, IOVA, mem, 600 * PG));
	EXPECT_EQ(-EFAULT, dma_map(c, IOVA, mem + 199 * PG, 2 * PG));
	EXPECT_EQ(-EFAULT, dma_map_flags(c, IOVA, mem + 200 * PG, PG,
					 VFIO_DMA_MAP_FLAG_READ));
	EXPECT_CHARGE(0, 0);
	/* What is there can be mapped. */
	EXPECT_EQ(0, dma_map(c, IOVA, mem, 200 * PG));
	EXPECT_CHARGE(200, 200);
	sys_close(fd);
	EXPECT_EQ(0, dma_map(c, IOVA + GiB, mem, 600 * PG));
	EXPECT_CHARGE(800, 800);
}

TEST_F(memory, userfault_of_huge_pages_is_an_error)
{
	size_t huge = hugetlb_size();
	char *mem;

	if (!huge || !hugetlb_reserve(2))
		SKIP(return, "no memory for huge pages");
	mem = hugetlb_alloc(2 * huge);
	mem[0] = 1;
	if (userfault_never(mem, 2 * huge) < 0)
		SKIP(return, "no userfaultfd");
	EXPECT_EQ(-EFAULT, dma_map(self->container, IOVA, mem, 2 * huge));
	EXPECT_CHARGE(0, 0);
	EXPECT_EQ(0, dma_map(self->container, IOVA, mem, huge));
	EXPECT_CHARGE(huge / PG, 1);
}

/* The order in which group, container and device are closed */

TEST_F(memory, is_released_when_the_group_leaves)
{
	char *mem = mem_alloc(700 * PG);

	ASSERT_EQ(0, dma_map(self->container, IOVA, mem, 700 * PG));
	EXPECT_CHARGE(700, 700);
	EXPECT_EQ(0, group_unset_container(self->group));
	EXPECT_CHARGE(0, 0);
}

TEST_F(memory, is_released_when_the_group_is_closed)
{
	char *mem = mem_alloc(700 * PG);

	ASSERT_EQ(0, dma_map(self->container, IOVA, mem, 700 * PG));
	sys_close(self->group);
	EXPECT_CHARGE(0, 0);
	self->group = -1;
}

TEST_F(memory, is_released_by_the_group_after_the_container)
{
	char *mem = mem_alloc(700 * PG);

	ASSERT_EQ(0, dma_map(self->container, IOVA, mem, 700 * PG));
	sys_close(self->container);
	self->container = -1;
	/* The group still holds the container. */
	EXPECT_CHARGE(700, 700);
	sys_close(self->group);
	self->group = -1;
	EXPECT_CHARGE(0, 0);
}

TEST_F(memory, is_released_when_the_device_is_closed_last)
{
	const char *bdf = func_any();
	char *mem = mem_alloc(700 * PG);
	int device;

	ASSERT_EQ(0, dma_map(self->container, IOVA, mem, 700 * PG));
	device = group_get_device(self->group, bdf);
	ASSERT_LE(0, device);
	sys_close(self->container);
	sys_close(self->group);
	self->container = -1;
	self->group = -1;
	EXPECT_CHARGE(700, 700);
	sys_close(device);
	EXPECT_CHARGE(0, 0);
}

/*
 * Two groups: each mapping is charged once, made before or after the second
 * joins.
 */
TEST_F(memory, of_two_groups_is_charged_once)
{
	const char *bdf = NEED_FUNC(FUNC_NVME);
	char *mem = mem_alloc(700 * PG);
	int c = self->container, group;

	if (pci_group(bdf) == pci_group(func_any()))
		SKIP(return, "only one group");
	ASSERT_EQ(0, dma_map(c, IOVA, mem, 300 * PG));
	group = container_add(c, bdf);
	EXPECT_CHARGE(300, 300);
	ASSERT_EQ(0, dma_map(c, IOVA + 300 * PG, mem, 400 * PG));
	EXPECT_CHARGE(700, 700);
	EXPECT_EQ(300 * PG, dma_unmap(c, IOVA, 300 * PG));
	EXPECT_CHARGE(400, 400);
	/* The first group leaves; the second keeps all mappings. */
	EXPECT_EQ(0, group_unset_container(self->group));
	EXPECT_CHARGE(400, 400);
	EXPECT_EQ(-EEXIST, dma_map(c, IOVA + 300 * PG, mem, 400 * PG));
	EXPECT_EQ(0, dma_map(c, IOVA, mem, 100 * PG));
	EXPECT_CHARGE(500, 500);
	EXPECT_EQ(0, group_unset_container(group));
	EXPECT_CHARGE(0, 0);
	sys_close(group);
}

/* Processes */

/* Opens another group, maps, writes to the pipe, and waits to be killed. */
static void __attribute__((noreturn))
map_and_wait(const char *bdf, int say, uint64_t pages, bool huge)
{
	char *mem = huge ? hugetlb_alloc(pages * PG) : mem_alloc(pages * PG);
	int container = container_open(), device, group;

	group = container_add(container, bdf);
	must(container_set_iommu(container, VFIO_TYPE1v2_IOMMU));
	device = must(group_get_device(group, bdf));
	must(dma_map(container, IOVA, mem, pages * PG));
	must(sys_write(say, "!", 1));
	for (;;)
		pause();
	(void)device;
}

static void kill_with_mappings(struct __test_metadata *_metadata,
			       FIXTURE_DATA(memory) *self, uint64_t pages,
			       bool huge)
{
	const char *bdf = func_any();
	int say[2], status;
	pid_t child;
	char word;

	sys_close(self->group);
	self->group = -1;
	ASSERT_EQ(0, pipe(say));
	child = fork();
	if (!child)
		map_and_wait(bdf, say[1], pages, huge);
	sys_close(say[1]);
	ASSERT_EQ(1, sys_read(say[0], &word, 1));
	EXPECT_EQ(huge ? pages * PG / hugetlb_size() : pages,
		  pages_pinned_now() - self->start.pinned);
	EXPECT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_CHARGE(0, 0);
	/* The group can be opened at once. */
	self->group = group_open(pci_group(bdf));
	EXPECT_LE(0, self->group);
}

TEST_F(memory, is_released_when_the_process_is_killed)
{
	kill_with_mappings(_metadata, self, 5000, false);
}

TEST_F(memory, of_hugetlb_is_released_when_the_process_is_killed)
{
	size_t huge = hugetlb_size();
	long before;

	if (!huge || !hugetlb_reserve(4))
		SKIP(return, "no memory for huge pages");
	before = hugetlb_free();
	kill_with_mappings(_metadata, self, 4 * huge / PG, true);
	EXPECT_EQ(before, hugetlb_free());
}

/* The process is killed at any point of a MAP_DMA. */
TEST_F(memory, is_released_when_killed_during_map)
{
	const char *bdf = func_any();
	unsigned int round;
	int say[2], status;
	pid_t child;
	char word;

	sys_close(self->group);
	self->group = -1;
	for (round = 0; round < 10; round++) {
		ASSERT_EQ(0, pipe(say));
		child = fork();
		if (!child) {
			int container = container_open();

			container_add(container, bdf);
			must(container_set_iommu(container,
						 VFIO_TYPE1v2_IOMMU));
			must(sys_write(say[1], "!", 1));
			for (;;) {
				must(dma_map(container, IOVA,
					     mem_alloc(64 * MiB), 64 * MiB));
				must(unmap_all(container));
			}
		}
		sys_close(say[1]);
		ASSERT_EQ(1, sys_read(say[0], &word, 1));
		sys_close(say[0]);
		sleep_us(1000 << round);
		EXPECT_EQ(0, kill(child, SIGKILL));
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		EXPECT_CHARGE(0, 0);
	}
}

/* A child inherits the container; the memory is charged to the parent. */
TEST_F(memory, unmapped_by_a_child_is_released)
{
	char *mem = mem_alloc(100 * PG);
	int c = self->container, status;
	pid_t child;

	ASSERT_EQ(0, dma_map(c, IOVA, mem, 100 * PG));
	ASSERT_EQ(0, dma_map(c, IOVA + 100 * PG, mem, 50 * PG));
	child = fork();
	if (!child) {
		/* The child's charge is and stays 0. */
		bool ok = proc_status_kb("VmLck") == 0 &&
			  dma_unmap(c, IOVA, 100 * PG) == 100 * PG &&
			  proc_status_kb("VmLck") == 0;

		_exit(ok ? 0 : 1);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_CHARGE(50, 50);
	EXPECT_EQ(50 * PG, unmap_all(c));
	EXPECT_CHARGE(0, 0);
}

/* A mapping by a child is charged to the child, and outlives it. */
TEST_F(memory, mapped_by_a_child_is_charged_to_it)
{
	int c = self->container, status;
	pid_t child;

	child = fork();
	if (!child) {
		char *mem = mem_alloc(100 * PG);
		bool ok = !dma_map(c, IOVA, mem, 100 * PG) &&
			  proc_status_kb("VmLck") == 100 * PG / KiB;

		_exit(ok ? 0 : 1);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_CHARGE(0, 100);
	EXPECT_EQ(100 * PG, dma_unmap(c, IOVA, 100 * PG));
	EXPECT_CHARGE(0, 0);
}

/*
 * A mapping whose address another process updates is charged to that process.
 */
TEST_F(memory, handed_over_is_charged_to_the_new_owner)
{
	int fd = memfd_create("memory", MFD_CLOEXEC), go[2], done[2];
	int c = self->container, status;
	pid_t child;
	char *mem;
	char word;

	ASSERT_EQ(0, ftruncate(fd, 100 * PG));
	mem = mmap(NULL, 100 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, dma_map(c, IOVA, mem, 100 * PG));
	ASSERT_EQ(100 * PG, dma_unmap_flags(c, IOVA, 100 * PG,
					    VFIO_DMA_UNMAP_FLAG_VADDR));
	EXPECT_CHARGE(100, 100);
	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, pipe(done));
	child = fork();
	if (!child) {
		bool ok = !dma_map_flags(c, IOVA, mem, 100 * PG,
					 VFIO_DMA_MAP_FLAG_VADDR) &&
			  proc_status_kb("VmLck") == 100 * PG / KiB;

		sys_close(go[1]);
		must(sys_write(done[1], ok ? "y" : "n", 1));
		sys_read(go[0], &word, 1);
		ok = proc_status_kb("VmLck") == 0;
		_exit(ok ? 0 : 1);
	}
	ASSERT_EQ(1, sys_read(done[0], &word, 1));
	EXPECT_EQ('y', word);
	EXPECT_CHARGE(0, 100);
	EXPECT_EQ(100 * PG, unmap_all(c));
	EXPECT_CHARGE(0, 0);
	sys_close(go[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

/* The limit of the new owner applies. */
TEST_F(memory, handed_over_beyond_the_limit_is_refused)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);
	int c = self->container, status;
	pid_t child;
	char *mem;

	ASSERT_EQ(0, ftruncate(fd, 100 * PG));
	mem = mmap(NULL, 100 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, dma_map(c, IOVA, mem, 100 * PG));
	ASSERT_EQ(100 * PG, dma_unmap_flags(c, IOVA, 100 * PG,
					    VFIO_DMA_UNMAP_FLAG_VADDR));
	child = fork();
	if (!child) {
		be_limited(99 * PG);
		_exit(dma_map_flags(c, IOVA, mem, 100 * PG,
				    VFIO_DMA_MAP_FLAG_VADDR) == -ENOMEM &&
		      proc_status_kb("VmLck") == 0 ? 0 : 1);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_CHARGE(100, 100);
	EXPECT_EQ(100 * PG, unmap_all(c));
	EXPECT_CHARGE(0, 0);
}

/* Threads */

#define NR_THREADS	4
#define ROUNDS		scaled(150)

struct worker {
	pthread_t thread;
	int container;
	unsigned int nr;
	char *mem;
	unsigned int won;
	int error;	/* unexpected result, or 0 */
};

static void run_workers(struct worker *workers, int container, char *mem,
			void *(*function)(void *))
{
	unsigned int i;

	for (i = 0; i < NR_THREADS; i++) {
		workers[i] = (struct worker){
			.container = container, .nr = i, .mem = mem,
		};
		if (pthread_create(&workers[i].thread, NULL, function,
				   &workers[i]))
			die("no thread");
	}
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(workers[i].thread, NULL);
}

/* Each thread maps its own range. */
static void *map_own_place(void *arg)
{
	struct worker *w = arg;
	uint64_t iova = IOVA + w->nr * GiB, random = w->nr + 1, n;
	int64_t ret;
	int i;

	for (i = 0; i < ROUNDS && !w->error; i++) {
		n = 1 + prng(&random) % 600;
		ret = dma_map(w->container, iova, w->mem, n * PG);
		if (!ret)
			ret = dma_map(w->container, iova + n * PG, w->mem, PG);
		if (!ret && dma_map(w->container, iova, w->mem, PG) != -EEXIST)
			ret = -EEXIST;
		free(iommu_info(w->container));
		if (!ret && i % 2)
			ret = dma_unmap(w->container, iova, n * PG) - n * PG;
		if (!ret)
			ret = dma_unmap(w->container, iova, GiB) -
			      (i % 2 ? PG : (n + 1) * PG);
		w->error = ret;
	}
	return NULL;
}

TEST_F(memory, is_mapped_by_threads_in_own_ranges)
{
	uint32_t avail = dma_avail(self->container);
	struct worker workers[NR_THREADS];
	char *mem = mem_alloc(600 * PG);
	unsigned int i;

	run_workers(workers, self->container, mem, map_own_place);
	for (i = 0; i < NR_THREADS; i++)
		EXPECT_EQ(0, workers[i].error);
	EXPECT_EQ(avail, dma_avail(self->container));
	EXPECT_CHARGE(0, 0);
}

/* All threads map the same range: one succeeds each time. */
static void *map_same_place(void *arg)
{
	struct worker *w = arg;
	int64_t ret;
	int i;

	for (i = 0; i < ROUNDS * 4 && !w->error; i++) {
		ret = dma_map(w->container, IOVA, w->mem, 3 * PG);
		if (ret == -EEXIST)
			continue;
		if (!ret) {
			w->won++;
			ret = dma_unmap(w->container, IOVA, 3 * PG) - 3 * PG;
		}
		w->error = ret;
	}
	return NULL;
}

TEST_F(memory, is_mapped_by_one_thread_in_a_shared_range)
{
	struct worker workers[NR_THREADS];
	char *mem = mem_alloc(3 * PG);
	unsigned int i, won = 0;

	run_workers(workers, self->container, mem, map_same_place);
	for (i = 0; i < NR_THREADS; i++) {
		EXPECT_EQ(0, workers[i].error);
		won += workers[i].won;
	}
	EXPECT_LT(0, won);
	EXPECT_CHARGE(0, 0);
}

/* One thread unmaps all IOVAs and memory again and again. */
static void *map_and_lose(void *arg)
{
	struct worker *w = arg;
	char *mem = w->mem + w->nr * 64 * PG;
	int64_t ret = 0;
	int i;

	for (i = 0; i < ROUNDS * 2 && !w->error; i++) {
		if (!w->nr) {
			ret = unmap_all(w->container);
		} else if (w->nr == 1) {
			/* Another thread's memory */
			munmap(mem + 64 * PG, 32 * PG);
			mmap(mem + 64 * PG, 32 * PG, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		} else {
			ret = dma_map(w->container, IOVA + i * 64 * PG, mem,
				      64 * PG);
			if (ret == -EEXIST || ret == -EFAULT)
				ret = 0;
		}
		w->error = ret < 0 ? ret : 0;
	}
	return NULL;
}

TEST_F(memory, is_released_under_concurrent_unmaps)
{
	uint32_t avail = dma_avail(self->container);
	struct worker workers[NR_THREADS];
	char *mem = mem_alloc(NR_THREADS * 64 * PG);
	unsigned int i;

	run_workers(workers, self->container, mem, map_and_lose);
	for (i = 0; i < NR_THREADS; i++)
		EXPECT_EQ(0, workers[i].error);
	EXPECT_LE(0, unmap_all(self->container));
	EXPECT_EQ(avail, dma_avail(self->container));
	EXPECT_CHARGE(0, 0);
}

/* A group joins and leaves while threads map and unmap. */
static void *move_a_group(void *arg)
{
	const char *bdf = func_bdf(FUNC_NVME);
	struct worker *w = arg;
	int i, group;

	if (w->nr)
		return map_own_place(arg);
	group = group_open(pci_group(bdf));
	for (i = 0; i < 30 && !w->error; i++) {
		w->error = group_set_container(group, w->container);
		if (!w->error)
			w->error = group_unset_container(group);
	}
	sys_close(group);
	return NULL;
}

TEST_F(memory, is_released_under_a_moving_group)
{
	const char *bdf = NEED_FUNC(FUNC_NVME);
	struct worker workers[NR_THREADS];
	char *mem = mem_alloc(600 * PG);
	unsigned int i;

	must(pci_bind(bdf, DRV_VFIO_PCI));
	if (pci_group(bdf) == pci_group(func_any()))
		SKIP(return, "only one group");
	run_workers(workers, self->container, mem, move_a_group);
	for (i = 0; i < NR_THREADS; i++)
		EXPECT_EQ(0, workers[i].error);
	EXPECT_CHARGE(0, 0);
}

TEST_HARNESS_MAIN
