// SPDX-License-Identifier: GPL-2.0-only
/*
 * What devices can access: an NVMe controller writes to IOVAs and reads from
 * them, and the memory shows if it did.  type1_map.c tests the results of the
 * ioctls.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "hugetlb.h"
#include "iommu.h"
#include "nvme.h"
#include "test.h"

#define PG		4096ULL
#define QUEUES_IOVA	0x1000000ULL
#define IOVA		0x40000000ULL
#define FILL		0xa5

FIXTURE(dma) {
	struct vdev v;
	struct nvme nvme;
};

FIXTURE_SETUP(dma)
{
	const char *bdf = NEED_FUNC(FUNC_NVME);

	ASSERT_EQ(PG, page_size());
	vdev_open(&self->v, bdf, DRV_VFIO_PCI);
	nvme_up(&self->nvme, &self->v, QUEUES_IOVA);
}

FIXTURE_TEARDOWN(dma)
{
	if (self->v.bdf)
		nvme_down(&self->nvme);
	vdev_close(&self->v);
}

/* Does a write of the device to @iova arrive in the page @mem? */
static bool write_arrives(FIXTURE_DATA(dma) *self, uint64_t iova, void *mem)
{
	memset(mem, FILL, PG);
	nvme_identify(&self->nvme, iova);
	return nvme_identified(&self->nvme, mem);
}

static bool untouched(const void *mem, size_t size)
{
	const uint8_t *byte = mem;

	while (size--)
		if (*byte++ != FILL)
			return false;
	return true;
}

/* Does the page @mem stay as it is when the device writes to @iova? */
static bool write_is_lost(FIXTURE_DATA(dma) *self, uint64_t iova, void *mem)
{
	memset(mem, FILL, PG);
	nvme_identify(&self->nvme, iova);
	return untouched(mem, PG);
}

/* Does the device see what the process writes to *@mem, which is at @iova? */
static bool read_arrives(FIXTURE_DATA(dma) *self, uint64_t iova,
			 uint64_t *mem)
{
	static uint64_t now = 0x0123000000;	/* the clock advances */
	uint64_t *answer = (uint64_t *)(self->nvme.mem + PG / 2);

	now += BIT_ULL(32);
	*mem = now;
	nvme_set_time(&self->nvme, iova);
	*answer = 0;
	nvme_get_time(&self->nvme, QUEUES_IOVA + PG / 2);
	return (*answer & 0xffff00000000) == (now & 0xffff00000000);
}

TEST_F(dma, reaches_mapped_memory_only)
{
	uint8_t *mem = mem_alloc(4 * PG);
	int c = self->v.container;

	memset(mem, FILL, 4 * PG);
	EXPECT_TRUE(write_is_lost(self, IOVA, mem + PG));
	ASSERT_EQ(0, dma_map(c, IOVA, mem + PG, 2 * PG));
	EXPECT_TRUE(write_arrives(self, IOVA, mem + PG));
	EXPECT_TRUE(write_arrives(self, IOVA + PG, mem + 2 * PG));
	EXPECT_TRUE(read_arrives(self, IOVA, (uint64_t *)(mem + PG)));
	/* Before and after the mapping */
	EXPECT_TRUE(write_is_lost(self, IOVA - PG, mem));
	EXPECT_TRUE(write_is_lost(self, IOVA + 2 * PG, mem + 3 * PG));
	ASSERT_EQ(2 * PG, dma_unmap(c, IOVA, 2 * PG));
	EXPECT_TRUE(write_is_lost(self, IOVA, mem + PG));
	EXPECT_TRUE(write_is_lost(self, IOVA + PG, mem + 2 * PG));
	EXPECT_FALSE(read_arrives(self, IOVA, (uint64_t *)(mem + PG)));
	/* Other memory is mapped there. */
	ASSERT_EQ(0, dma_map(c, IOVA, mem + 3 * PG, PG));
	memset(mem, FILL, PG);
	EXPECT_TRUE(write_arrives(self, IOVA, mem + 3 * PG));
	EXPECT_TRUE(untouched(mem, PG));
}

TEST_F(dma, does_not_reach_unmapped_memory)
{
	uint8_t *mem = mem_alloc(PG);
	int i, c = self->v.container;

	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, dma_map(c, IOVA, mem, PG));
		EXPECT_TRUE(write_arrives(self, IOVA, mem));
		ASSERT_EQ(PG, i % 2 ? dma_unmap(c, IOVA - PG, 3 * PG) :
			  dma_unmap(c, IOVA, PG));
		EXPECT_TRUE(write_is_lost(self, IOVA, mem));
	}
}

TEST_F(dma, follows_the_directions_of_the_mapping)
{
	uint8_t *mem = mem_alloc(PG);
	int c = self->v.container;

	ASSERT_EQ(0, dma_map_flags(c, IOVA, mem, PG, VFIO_DMA_MAP_FLAG_READ));
	EXPECT_TRUE(read_arrives(self, IOVA, (uint64_t *)mem));
	EXPECT_TRUE(write_is_lost(self, IOVA, mem));
	ASSERT_EQ(PG, dma_unmap(c, IOVA, PG));

	ASSERT_EQ(0, dma_map_flags(c, IOVA, mem, PG, VFIO_DMA_MAP_FLAG_WRITE));
	/* Reads are not tried: few page tables can be write-only. */
	EXPECT_TRUE(write_arrives(self, IOVA, mem));
}

/* The first and the last page of every range that may be mapped. */
TEST_F(dma, reaches_the_ends_of_all_iova_ranges)
{
	const struct vfio_iommu_type1_info_cap_iova_range *cap;
	struct vfio_iommu_type1_info *info;
	uint8_t *mem = mem_alloc(PG);
	int c = self->v.container;
	uint64_t first, last;
	uint32_t i;

	info = iommu_info(c);
	cap = iommu_iova_ranges(info);
	ASSERT_NE(NULL, cap);
	for (i = 0; i < cap->nr_iovas; i++) {
		first = cap->iova_ranges[i].start ?: PG;
		last = cap->iova_ranges[i].end + 1 - PG;
		ASSERT_EQ(0, dma_map(c, first, mem, PG));
		ASSERT_EQ(0, dma_map(c, last, mem, PG));
		EXPECT_TRUE(write_arrives(self, first, mem));
		EXPECT_TRUE(write_arrives(self, last, mem));
		ASSERT_EQ(PG, dma_unmap(c, first, PG));
		EXPECT_TRUE(write_is_lost(self, first, mem));
		EXPECT_TRUE(write_arrives(self, last, mem));
		ASSERT_EQ(PG, dma_unmap(c, last, PG));
		EXPECT_TRUE(write_is_lost(self, last, mem));
	}
	free(info);
}

/* Checks each page of a mapping. */
static void check_pages(struct __test_metadata *_metadata,
			FIXTURE_DATA(dma) *self, uint8_t *mem, uint64_t iova,
			uint64_t pages)
{
	uint64_t i, step = pages > 256 ? 61 : 1;

	ASSERT_EQ(0, dma_map(self->v.container, iova, mem, pages * PG));
	memset(mem, FILL, pages * PG);
	for (i = 0; i < pages; i += step)
		nvme_identify(&self->nvme, iova + i * PG);
	nvme_identify(&self->nvme, iova + (pages - 1) * PG);
	for (i = 0; i < pages; i++) {
		bool hit = !(i % step) || i == pages - 1;

		EXPECT_TRUE(hit ? nvme_identified(&self->nvme, mem + i * PG) :
			    untouched(mem + i * PG, PG)) {
			TH_LOG("page %llu of %llu at %#llx",
			       (unsigned long long)i,
			       (unsigned long long)pages,
			       (unsigned long long)iova);
			break;
		}
	}
	ASSERT_EQ(pages * PG, dma_unmap(self->v.container, iova, pages * PG));
	memset(mem, FILL, PG);
	nvme_identify(&self->nvme, iova);
	nvme_identify(&self->nvme, iova + (pages - 1) * PG);
	EXPECT_TRUE(untouched(mem, PG));
}

TEST_F(dma, reaches_small_pages)
{
	uint8_t *mem = mem_alloc(1100 * PG);

	/* Small pages, not contiguous */
	madvise(mem, 1100 * PG, MADV_NOHUGEPAGE);
	check_pages(_metadata, self, mem, IOVA, 1);
	check_pages(_metadata, self, mem, IOVA + 3 * PG, 129);
	check_pages(_metadata, self, mem, IOVA, 1100);
	check_pages(_metadata, self, mem, IOVA + 2 * MiB - PG, 513);
}

TEST_F(dma, reaches_transparent_huge_pages)
{
	uint8_t *area = mem_alloc(8 * MiB);
	uint8_t *mem = (void *)(((uintptr_t)area + 2 * MiB - 1) & -(2 * MiB));

	if (madvise(mem, 6 * MiB, MADV_HUGEPAGE))
		SKIP(return, "no transparent huge pages");
	memset(mem, FILL, 6 * MiB);
	check_pages(_metadata, self, mem, IOVA, 6 * MiB / PG);
	/* Misaligned IOVA, and a start within a huge page */
	check_pages(_metadata, self, mem, IOVA + PG, 6 * MiB / PG);
	check_pages(_metadata, self, mem + PG, IOVA, 2 * MiB / PG);
	check_pages(_metadata, self, mem + 2 * MiB - PG, IOVA + 2 * MiB - PG,
		    2 * MiB / PG + 2);
}

TEST_F(dma, reaches_hugetlb)
{
	uint8_t *mem;

	if (hugetlb_size() != 2 * MiB || !hugetlb_reserve(2))
		SKIP(return, "no memory for huge pages of 2 MiB");
	mem = hugetlb_alloc(4 * MiB);
	check_pages(_metadata, self, mem, IOVA, 4 * MiB / PG);
	check_pages(_metadata, self, mem, IOVA + 7 * PG, 4 * MiB / PG);
	check_pages(_metadata, self, mem + 2 * MiB - PG, IOVA, 2);
}

TEST_F(dma, reaches_shared_memory)
{
	int fd = memfd_create("dma", MFD_CLOEXEC);
	uint8_t *mem, *twin;

	ASSERT_EQ(0, ftruncate(fd, 64 * PG));
	mem = mmap(NULL, 64 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	twin = mmap(NULL, 64 * PG, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_NE(MAP_FAILED, twin);
	check_pages(_metadata, self, mem, IOVA, 64);
	ASSERT_EQ(0, dma_map(self->v.container, IOVA, mem, 64 * PG));
	memset(mem, FILL, 64 * PG);
	nvme_identify(&self->nvme, IOVA + 5 * PG);
	EXPECT_TRUE(nvme_identified(&self->nvme, twin + 5 * PG));
	EXPECT_TRUE(untouched(twin + 6 * PG, PG));
}

/* Memory that was never touched must not stay the zero page. */
TEST_F(dma, reaches_fresh_memory)
{
	uint64_t *mem = mem_alloc(PG), nothing = *(volatile uint64_t *)mem;

	EXPECT_EQ(0, nothing);
	ASSERT_EQ(0, dma_map_flags(self->v.container, IOVA, mem, PG,
				   VFIO_DMA_MAP_FLAG_READ));
	EXPECT_TRUE(read_arrives(self, IOVA, mem));
}

/* A private file page is copied: the device accesses the copy. */
TEST_F(dma, reaches_the_copy_of_a_private_file_page)
{
	int fd = memfd_create("dma", MFD_CLOEXEC);
	uint8_t *mem, *file;

	ASSERT_EQ(0, ftruncate(fd, PG));
	file = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	mem = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, file);
	ASSERT_NE(MAP_FAILED, mem);
	memset(file, FILL, PG);
	EXPECT_EQ(FILL, *(volatile uint8_t *)mem);
	ASSERT_EQ(0, dma_map(self->v.container, IOVA, mem, PG));
	EXPECT_TRUE(write_arrives(self, IOVA, mem));
	EXPECT_TRUE(untouched(file, PG));
}

/*
 * After a fork, the device accesses the pages of the parent: both if the memory
 * was mapped before the fork, and if it is mapped after it.
 */
static void check_fork(struct __test_metadata *_metadata,
		       FIXTURE_DATA(dma) *self, uint8_t *mem, size_t size,
		       bool before)
{
	int c = self->v.container, pipe_fds[2], status;
	uint64_t at = size / PG - 1;
	pid_t child;
	char go;

	memset(mem, FILL, size);
	if (!before)
		ASSERT_EQ(0, dma_map(c, IOVA, mem, size));
	ASSERT_EQ(0, pipe(pipe_fds));
	child = fork();
	if (!child) {
		sys_close(pipe_fds[1]);
		memset(mem, 0x11, 4 * PG);
		sys_read(pipe_fds[0], &go, 1);
		/* The child has its own pages. */
		_exit(mem[0] == 0x11 &&
		      untouched(mem + 4 * PG, size - 4 * PG) ? 0 : 1);
	}
	mem[5 * PG] = FILL;
	if (before)
		ASSERT_EQ(0, dma_map(c, IOVA, mem, size));
	EXPECT_TRUE(write_arrives(self, IOVA, mem));
	EXPECT_TRUE(write_arrives(self, IOVA + 6 * PG, mem + 6 * PG));
	EXPECT_TRUE(write_arrives(self, IOVA + at * PG, mem + at * PG));
	EXPECT_TRUE(read_arrives(self, IOVA + PG, (uint64_t *)(mem + PG)));
	sys_close(pipe_fds[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(write_arrives(self, IOVA, mem));
	EXPECT_TRUE(write_arrives(self, IOVA + at * PG, mem + at * PG));
	EXPECT_EQ(size, dma_unmap(c, IOVA, size));
}

TEST_F(dma, reaches_the_parents_pages_after_fork)
{
	check_fork(_metadata, self, mem_alloc(8 * PG), 8 * PG, false);
	check_fork(_metadata, self, mem_alloc(8 * PG), 8 * PG, true);
}

TEST_F(dma, reaches_the_parents_huge_pages_after_fork)
{
	unsigned int before;
	uint8_t *mem;

	for (before = 0; before < 2; before++) {
		mem = mem_alloc(6 * MiB);
		mem = (void *)(((uintptr_t)mem + 2 * MiB - 1) & -(2 * MiB));
		if (madvise(mem, 4 * MiB, MADV_HUGEPAGE))
			SKIP(return, "no transparent huge pages");
		check_fork(_metadata, self, mem, 4 * MiB, before);
	}
}

TEST_F(dma, reaches_the_parents_hugetlb_after_fork)
{
	if (hugetlb_size() != 2 * MiB || !hugetlb_reserve(8))
		SKIP(return, "no memory for huge pages of 2 MiB");
	check_fork(_metadata, self, hugetlb_alloc(4 * MiB), 4 * MiB, false);
	check_fork(_metadata, self, hugetlb_alloc(4 * MiB), 4 * MiB, true);
}

/* Mapped memory stays pinned after munmap(). */
TEST_F(dma, reaches_pinned_memory_after_munmap)
{
	uint8_t *mem = mem_alloc(PG), *again;

	ASSERT_EQ(0, dma_map(self->v.container, IOVA, mem, PG));
	EXPECT_TRUE(read_arrives(self, IOVA, (uint64_t *)mem));
	mem_free(mem, PG);
	again = mmap(mem, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		     MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_EQ(mem, again);
	/* The device writes to the old page, not to the new mapping. */
	EXPECT_TRUE(write_is_lost(self, IOVA, again));
	EXPECT_FALSE(read_arrives(self, IOVA, (uint64_t *)again));
}

/* The device still reaches a mapping whose address was taken away. */
TEST_F(dma, reaches_memory_without_vaddr)
{
	int fd = memfd_create("dma", MFD_CLOEXEC), c = self->v.container;
	uint8_t *mem, *twin;

	ASSERT_EQ(0, ftruncate(fd, 4 * PG));
	mem = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, dma_map(c, IOVA, mem, 4 * PG));
	ASSERT_EQ(4 * PG, dma_unmap_flags(c, IOVA, 4 * PG,
					  VFIO_DMA_UNMAP_FLAG_VADDR));
	twin = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, twin);
	mem_free(mem, 4 * PG);
	EXPECT_TRUE(write_arrives(self, IOVA + PG, twin + PG));
	ASSERT_EQ(0, dma_map_flags(c, IOVA, twin, 4 * PG,
				   VFIO_DMA_MAP_FLAG_VADDR));
	EXPECT_TRUE(write_arrives(self, IOVA + 3 * PG, twin + 3 * PG));
	ASSERT_EQ(4 * PG, dma_unmap(c, IOVA, 4 * PG));
	EXPECT_TRUE(write_is_lost(self, IOVA + PG, twin + PG));
}

/* Groups that join and leave a container with mappings */

TEST_F(dma, reaches_memory_mapped_before_the_group_joined)
{
	const char *other = NEED_FUNC(FUNC_VF_A1);
	uint8_t *mem = mem_alloc(2 * PG);
	int container, group;
	struct vdev late;
	struct nvme nvme;

	/* At first, another device is in the container. */
	nvme_down(&self->nvme);
	vdev_close(&self->v);
	container = container_open();
	group = container_add(container, other);
	must(container_set_iommu(container, VFIO_TYPE1v2_IOMMU));
	ASSERT_EQ(0, dma_map(container, IOVA, mem, PG));

	vdev_open_in(&late, func_bdf(FUNC_NVME), DRV_VFIO_PCI, container);
	nvme_up(&nvme, &late, QUEUES_IOVA);
	self->nvme = nvme;
	self->nvme.v = &late;
	EXPECT_TRUE(write_arrives(self, IOVA, mem));
	ASSERT_EQ(0, dma_map(container, IOVA + PG, mem + PG, PG));
	EXPECT_TRUE(write_arrives(self, IOVA + PG, mem + PG));

	/* The first group leaves: the mappings stay. */
	ASSERT_EQ(0, group_unset_container(group));
	EXPECT_TRUE(write_arrives(self, IOVA, mem));
	EXPECT_TRUE(write_arrives(self, IOVA + PG, mem + PG));
	ASSERT_EQ(0, group_set_container(group, container));
	ASSERT_EQ(PG, dma_unmap(container, IOVA, PG));
	EXPECT_TRUE(write_is_lost(self, IOVA, mem));
	EXPECT_TRUE(write_arrives(self, IOVA + PG, mem + PG));
	nvme_down(&self->nvme);
	vdev_close(&late);
	sys_close(group);
	sys_close(container);
}

/* A group does not reach the mappings of another container. */
TEST_F(dma, does_not_reach_another_container)
{
	const char *other = NEED_FUNC(FUNC_VF_A1);
	uint8_t *mem = mem_alloc(2 * PG);
	int container, group;

	container = container_open();
	group = container_add(container, other);
	must(container_set_iommu(container, VFIO_TYPE1v2_IOMMU));
	ASSERT_EQ(0, dma_map(container, IOVA, mem, PG));
	EXPECT_TRUE(write_is_lost(self, IOVA, mem));
	ASSERT_EQ(0, dma_map(self->v.container, IOVA, mem + PG, PG));
	EXPECT_TRUE(write_arrives(self, IOVA, mem + PG));
	ASSERT_EQ(PG, dma_unmap(container, IOVA, PG));
	EXPECT_TRUE(write_arrives(self, IOVA, mem + PG));
	sys_close(group);
	sys_close(container);
}

/* The device file keeps the container. */
TEST_F(dma, works_after_container_and_group_are_closed)
{
	uint8_t *mem = mem_alloc(PG);

	ASSERT_EQ(0, dma_map(self->v.container, IOVA, mem, PG));
	sys_close(self->v.container);
	sys_close(self->v.group);
	EXPECT_TRUE(write_arrives(self, IOVA, mem));
	nvme_down(&self->nvme);
	sys_close(self->v.fd);
	self->v.bdf = NULL;
}

TEST_HARNESS_MAIN
