// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio_iommu_type1: results of MAP_DMA, UNMAP_DMA and IOMMU_GET_INFO for right
 * and wrong arguments.  type1_memory.c tests what is pinned and charged,
 * type1_dma.c what devices can access.
 */
#include <stdio.h>
#include <string.h>

#include "iommu.h"
#include "kmsg.h"
#include "test.h"

/* Page size of the CPU, and the smallest of the IOMMU */
#define PG		4096ULL
#define MEM_PAGES	1100
#define IOVA		0x10000000ULL
#define MSI_FIRST	0xfee00000ULL
#define MSI_LAST	0xfeefffffULL

FIXTURE(type1) {
	int container;
	int group;
	char *mem;	/* exactly MEM_PAGES pages */
};

FIXTURE_VARIANT(type1) {
	int type;
	bool v2;
};

FIXTURE_VARIANT_ADD(type1, v1) {
	.type = VFIO_TYPE1_IOMMU,
};

FIXTURE_VARIANT_ADD(type1, v2) {
	.type = VFIO_TYPE1v2_IOMMU, .v2 = true,
};

FIXTURE_SETUP(type1)
{
	const char *bdf = NEED_ANY_FUNC();

	ASSERT_EQ(PG, page_size());
	self->mem = mem_at_page_end(MEM_PAGES * PG);
	self->container = container_open();
	self->group = container_add(self->container, bdf);
	must(container_set_iommu(self->container, variant->type));
}

FIXTURE_TEARDOWN(type1)
{
	sys_close(self->group);
	sys_close(self->container);
}

/* Maps pages of the test's memory. */
static int map(FIXTURE_DATA(type1) *self, uint64_t iova, uint64_t pages)
{
	return dma_map(self->container, iova, self->mem, pages * PG);
}

/* The number of pages unmapped, or -errno. */
static int64_t unmap(FIXTURE_DATA(type1) *self, uint64_t iova, uint64_t pages)
{
	int64_t ret = dma_unmap(self->container, iova, pages * PG);

	return ret < 0 ? ret : (int64_t)(ret / PG);
}

static int64_t unmap_all(FIXTURE_DATA(type1) *self)
{
	int64_t ret = dma_unmap_flags(self->container, 0, 0,
				      VFIO_DMA_UNMAP_FLAG_ALL);

	return ret < 0 ? ret : (int64_t)(ret / PG);
}

/* Is nothing mapped, by the kernel's count of mappings? */
static bool nothing_mapped(FIXTURE_DATA(type1) *self, uint32_t avail_empty)
{
	return dma_avail(self->container) == avail_empty;
}

/* Mapping */

TEST_F(type1, maps_and_unmaps_all_sizes)
{
	static const uint64_t sizes[] = {
		1, 2, 3, 7, 8, 9, 63, 64, 65, 511, 512, 513, 1023, 1024, 1025,
		MEM_PAGES,
	};
	static const uint64_t iovas[] = {
		0, PG, IOVA, IOVA + PG, IOVA + 2 * MiB - PG, 1 * GiB,
		4 * GiB - 2 * MiB, 4 * GiB, 512 * GiB - PG,
	};
	struct vfio_iommu_type1_info *info = iommu_info(self->container);
	const struct vfio_iommu_type1_info_cap_iova_range *cap;
	uint32_t avail = dma_avail(self->container);
	unsigned int i, j;
	uint64_t top;

	cap = iommu_iova_ranges(info);
	ASSERT_NE(NULL, cap);
	top = cap->iova_ranges[cap->nr_iovas - 1].end;
	for (i = 0; i < ARRAY_SIZE(iovas); i++) {
		if (iovas[i] + MEM_PAGES * PG > top)
			continue;
		for (j = 0; j < ARRAY_SIZE(sizes); j++) {
			EXPECT_EQ(0, map(self, iovas[i], sizes[j])) {
				TH_LOG("%llu pages at %#llx",
				       (unsigned long long)sizes[j],
				       (unsigned long long)iovas[i]);
			}
			EXPECT_EQ(sizes[j], unmap(self, iovas[i], sizes[j]));
		}
	}
	EXPECT_TRUE(nothing_mapped(self, avail));
}

TEST_F(type1, maps_in_each_direction)
{
	int c = self->container;

	EXPECT_EQ(0, dma_map_flags(c, IOVA, self->mem, PG,
				   VFIO_DMA_MAP_FLAG_READ));
	EXPECT_EQ(0, dma_map_flags(c, IOVA + PG, self->mem, PG,
				   VFIO_DMA_MAP_FLAG_WRITE));
	EXPECT_EQ(0, dma_map_flags(c, IOVA + 2 * PG, self->mem, PG, MAP_RW));
	EXPECT_EQ(3, unmap(self, IOVA, 3));
}

/* A request and its result; errors are positive. */
struct request {
	char what[48];
	uint32_t argsz;
	uint32_t flags;
	uint64_t vaddr;		/* offset in the test's memory */
	uint64_t iova;
	uint64_t size;
	int error;
};

#define MAP_ARGSZ	sizeof(struct vfio_iommu_type1_dma_map)
#define UNMAP_ARGSZ	offsetof(struct vfio_iommu_type1_dma_unmap, data)

static const struct request bad_maps[] = {
	{ "argsz 0", 0, MAP_RW, 0, IOVA, PG, EINVAL },
	{ "argsz 8", 8, MAP_RW, 0, IOVA, PG, EINVAL },
	{ "argsz short", MAP_ARGSZ - 1, MAP_RW, 0, IOVA, PG, EINVAL },
	{ "no flag", MAP_ARGSZ, 0, 0, IOVA, PG, EINVAL },
	{ "unknown flag", MAP_ARGSZ, MAP_RW | 8, 0, IOVA, PG, EINVAL },
	{ "last flag", MAP_ARGSZ, MAP_RW | BIT(31), 0, IOVA, PG, EINVAL },
	{ "only unknown flags", MAP_ARGSZ, 0xf0, 0, IOVA, PG, EINVAL },
	{ "VADDR and READ", MAP_ARGSZ, VFIO_DMA_MAP_FLAG_VADDR |
	  VFIO_DMA_MAP_FLAG_READ, 0, IOVA, PG, EINVAL },
	{ "VADDR and WRITE", MAP_ARGSZ, VFIO_DMA_MAP_FLAG_VADDR |
	  VFIO_DMA_MAP_FLAG_WRITE, 0, IOVA, PG, EINVAL },
	{ "VADDR of nothing", MAP_ARGSZ, VFIO_DMA_MAP_FLAG_VADDR, 0, IOVA, PG,
	  ENOENT },
	{ "size 0", MAP_ARGSZ, MAP_RW, 0, IOVA, 0, EINVAL },
	{ "size 1", MAP_ARGSZ, MAP_RW, 0, IOVA, 1, EINVAL },
	{ "size below a page", MAP_ARGSZ, MAP_RW, 0, IOVA, PG - 1, EINVAL },
	{ "size above a page", MAP_ARGSZ, MAP_RW, 0, IOVA, PG + 1, EINVAL },
	{ "size of 1.5 pages", MAP_ARGSZ, MAP_RW, 0, IOVA, PG + PG / 2,
	  EINVAL },
	{ "iova off by 1", MAP_ARGSZ, MAP_RW, 0, IOVA + 1, PG, EINVAL },
	{ "iova off by 512", MAP_ARGSZ, MAP_RW, 0, IOVA + 512, PG, EINVAL },
	{ "vaddr off by 1", MAP_ARGSZ, MAP_RW, 1, IOVA, PG, EINVAL },
	{ "vaddr off by 512", MAP_ARGSZ, MAP_RW, 512, IOVA, PG, EINVAL },
	{ "IOVAs that wrap", MAP_ARGSZ, MAP_RW, 0, -PG, 2 * PG, EOVERFLOW },
	{ "IOVAs that wrap by a page", MAP_ARGSZ, MAP_RW, 0, -3 * PG, 4 * PG,
	  EOVERFLOW },
	{ "all IOVAs but a page, from a page on", MAP_ARGSZ, MAP_RW, 0,
	  2 * PG, -PG, EOVERFLOW },
	{ "addresses that wrap", MAP_ARGSZ, MAP_RW, 0, 0, -PG, EOVERFLOW },
	{ "the last IOVAs", MAP_ARGSZ, MAP_RW, 0, -PG, PG, EINVAL },
	{ "the last IOVAs, two pages", MAP_ARGSZ, MAP_RW, 0, -2 * PG, 2 * PG,
	  EINVAL },
	{ "the MSI window", MAP_ARGSZ, MAP_RW, 0, MSI_FIRST, PG, EINVAL },
	{ "the MSI window's end", MAP_ARGSZ, MAP_RW, 0, MSI_LAST + 1 - PG, PG,
	  EINVAL },
	{ "into the MSI window", MAP_ARGSZ, MAP_RW, 0, MSI_FIRST - PG, 2 * PG,
	  EINVAL },
	{ "out of the MSI window", MAP_ARGSZ, MAP_RW, 0, MSI_LAST + 1 - PG,
	  2 * PG, EINVAL },
	{ "around the MSI window", MAP_ARGSZ, MAP_RW, 0, MSI_FIRST - PG,
	  MSI_LAST + 1 - MSI_FIRST + 2 * PG, EINVAL },
	{ "memory that ends too early", MAP_ARGSZ, MAP_RW, 0, IOVA,
	  (MEM_PAGES + 1) * PG, EFAULT },
	{ "memory that begins too late", MAP_ARGSZ, MAP_RW, MEM_PAGES * PG,
	  IOVA, PG, EFAULT },
	{ "64 GiB of memory that is not there", MAP_ARGSZ, MAP_RW, 0, 4 * GiB,
	  64 * GiB, EFAULT },
};

static int request_map(FIXTURE_DATA(type1) *self, const struct request *req)
{
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = req->argsz,
		.flags = req->flags,
		.vaddr = (uintptr_t)self->mem + req->vaddr,
		.iova = req->iova,
		.size = req->size,
	};

	return sys_ioctl(self->container, VFIO_IOMMU_MAP_DMA, &arg);
}

TEST_F(type1, map_refuses_bad_requests)
{
	uint32_t avail = dma_avail(self->container);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad_maps); i++) {
		EXPECT_EQ(-bad_maps[i].error,
			  request_map(self, &bad_maps[i])) {
			TH_LOG("%s", bad_maps[i].what);
		}
		EXPECT_TRUE(nothing_mapped(self, avail));
	}
	/* The failed requests left nothing: the whole range is free. */
	EXPECT_EQ(0, map(self, IOVA, MEM_PAGES));
	EXPECT_EQ(MEM_PAGES, unmap_all(self));
	EXPECT_EQ(-EFAULT, sys_ioctl(self->container, VFIO_IOMMU_MAP_DMA,
				     NULL));
}

/* Random numbers: refused with any error. */
TEST_F(type1, map_refuses_nonsense)
{
	static const uint64_t odd[] = {
		0, 1, PG - 1, PG, BIT_ULL(31), BIT_ULL(32), BIT_ULL(47),
		BIT_ULL(63), -PG, -1ULL,
	};
	uint32_t avail = dma_avail(self->container);
	unsigned int i, j, k;

	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		for (j = 0; j < ARRAY_SIZE(odd); j++) {
			for (k = 0; k < ARRAY_SIZE(odd); k++) {
				int ret = dma_map(self->container, odd[i],
						  (void *)odd[j], odd[k]);

				EXPECT_GT(0, ret) {
					TH_LOG("iova %#llx vaddr %#llx size %#llx",
					       (unsigned long long)odd[i],
					       (unsigned long long)odd[j],
					       (unsigned long long)odd[k]);
				}
			}
		}
	}
	EXPECT_TRUE(nothing_mapped(self, avail));
}

TEST_F(type1, map_refuses_kernel_addresses)
{
	static const uint64_t places[] = {
		0x0000800000000000ULL, 0xffff800000000000ULL,
		0xffff888000000000ULL, 0xffffffff81000000ULL, -PG,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		EXPECT_EQ(-EFAULT, dma_map(self->container, IOVA,
					   (void *)places[i], PG)) {
			TH_LOG("%#llx", (unsigned long long)places[i]);
		}
	}
}

TEST_F(type1, map_refuses_overlap)
{
	int i;

	ASSERT_EQ(0, map(self, IOVA, 4));
	/* The same range, a part, a larger one, across each end */
	EXPECT_EQ(-EEXIST, map(self, IOVA, 4));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(-EEXIST, map(self, IOVA + i * PG, 1));
	EXPECT_EQ(-EEXIST, map(self, IOVA - PG, 6));
	EXPECT_EQ(-EEXIST, map(self, IOVA - PG, 2));
	EXPECT_EQ(-EEXIST, map(self, IOVA + 3 * PG, 2));
	EXPECT_EQ(-EEXIST, map(self, IOVA, 5));
	/* Adjacent ranges */
	EXPECT_EQ(0, map(self, IOVA - PG, 1));
	EXPECT_EQ(0, map(self, IOVA + 4 * PG, 1));
	EXPECT_EQ(6, unmap_all(self));
	EXPECT_EQ(0, map(self, IOVA, 4));
}

/*
 * Each IOVA range of GET_INFO can be mapped to its last page, and no further.
 */
TEST_F(type1, iova_ranges_are_exact)
{
	struct vfio_iommu_type1_info *info = iommu_info(self->container);
	const struct vfio_iommu_type1_info_cap_iova_range *cap;
	uint32_t i;

	cap = iommu_iova_ranges(info);
	ASSERT_NE(NULL, cap);
	for (i = 0; i < cap->nr_iovas; i++) {
		uint64_t first = cap->iova_ranges[i].start;
		uint64_t next = cap->iova_ranges[i].end + 1;

		EXPECT_EQ(0, map(self, first, 1));
		EXPECT_EQ(1, unmap(self, first, 1));
		EXPECT_EQ(0, map(self, next - PG, 1)) {
			TH_LOG("last page of the range that ends before %#llx",
			       (unsigned long long)next);
		}
		EXPECT_EQ(1, unmap(self, next - PG, 1));
		EXPECT_EQ(0, map(self, next - MEM_PAGES * PG, MEM_PAGES));
		EXPECT_EQ(MEM_PAGES, unmap_all(self));
		if (first) {
			EXPECT_EQ(-EINVAL, map(self, first - PG, 1));
			EXPECT_EQ(-EINVAL, map(self, first - PG, 2));
		}
		if (next) {
			EXPECT_EQ(-EINVAL, map(self, next, 1));
			EXPECT_EQ(-EINVAL, map(self, next - PG, 2));
		}
	}
	free(info);
}

/* The log names the refused IOVAs and the usable ranges. */
TEST_F(type1, refused_iovas_are_named)
{
	struct vfio_iommu_type1_info *info = iommu_info(self->container);
	const struct vfio_iommu_type1_info_cap_iova_range *cap;
	char range[64];
	int log = kmsg_open();

	cap = iommu_iova_ranges(info);
	ASSERT_NE(NULL, cap);
	/* Messages are rate-limited: repeat. */
	EXPECT_TRUE(poll_until(map(self, MSI_FIRST, 1) == -EINVAL &&
			       kmsg_said(log, "0xfee00000-0xfee00fff refused",
					 "VFIO_IOMMU_GET_INFO")));
	snprintf(range, sizeof(range), "usable range is %#llx-%#llx",
		 (unsigned long long)cap->iova_ranges[cap->nr_iovas - 1].start,
		 (unsigned long long)cap->iova_ranges[cap->nr_iovas - 1].end);
	EXPECT_TRUE(poll_until(map(self, -PG, 1) == -EINVAL &&
			       kmsg_said(log, "0xfffffffffffff000-", range)));
	free(info);
	sys_close(log);
}

/* Unmapping */

static const struct request bad_unmaps[] = {
	{ "argsz 0", 0, 0, 0, IOVA, PG, EINVAL },
	{ "argsz short", UNMAP_ARGSZ - 1, 0, 0, IOVA, PG, EINVAL },
	{ "unknown flag", UNMAP_ARGSZ, 8, 0, IOVA, PG, EINVAL },
	{ "last flag", UNMAP_ARGSZ, BIT(31), 0, IOVA, PG, EINVAL },
	{ "size 0", UNMAP_ARGSZ, 0, 0, IOVA, 0, EINVAL },
	{ "size 0 at 0", UNMAP_ARGSZ, 0, 0, 0, 0, EINVAL },
	{ "size 1", UNMAP_ARGSZ, 0, 0, IOVA, 1, EINVAL },
	{ "size above a page", UNMAP_ARGSZ, 0, 0, IOVA, PG + 1, EINVAL },
	{ "size of all ones", UNMAP_ARGSZ, 0, 0, 0, -1ULL, EINVAL },
	{ "iova off by 1", UNMAP_ARGSZ, 0, 0, IOVA + 1, PG, EINVAL },
	{ "IOVAs that wrap", UNMAP_ARGSZ, 0, 0, -PG, 2 * PG, EOVERFLOW },
	{ "IOVAs that wrap to the mapping", UNMAP_ARGSZ, 0, 0, IOVA, -PG,
	  EOVERFLOW },
	{ "ALL from somewhere", UNMAP_ARGSZ, VFIO_DMA_UNMAP_FLAG_ALL, 0, IOVA,
	  0, EINVAL },
	{ "ALL of a size", UNMAP_ARGSZ, VFIO_DMA_UNMAP_FLAG_ALL, 0, 0, PG,
	  EINVAL },
	{ "ALL of a range", UNMAP_ARGSZ, VFIO_DMA_UNMAP_FLAG_ALL, 0, IOVA, PG,
	  EINVAL },
	{ "ALL of all but a page", UNMAP_ARGSZ, VFIO_DMA_UNMAP_FLAG_ALL, 0, 0,
	  -PG, EINVAL },
	{ "bitmap and ALL", UNMAP_ARGSZ + sizeof(struct vfio_bitmap),
	  VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP | VFIO_DMA_UNMAP_FLAG_ALL, 0,
	  0, 0, EINVAL },
	{ "bitmap and VADDR", UNMAP_ARGSZ + sizeof(struct vfio_bitmap),
	  VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP | VFIO_DMA_UNMAP_FLAG_VADDR, 0,
	  IOVA, 4 * PG, EINVAL },
	{ "bitmap without room", UNMAP_ARGSZ,
	  VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP, 0, IOVA, 4 * PG, EINVAL },
};

static int request_unmap(FIXTURE_DATA(type1) *self, const struct request *req)
{
	struct {
		struct vfio_iommu_type1_dma_unmap unmap;
		struct vfio_bitmap bitmap;
	} arg = {
		.unmap = {
			.argsz = req->argsz,
			.flags = req->flags,
			.iova = req->iova,
			.size = req->size,
		},
	};

	return sys_ioctl(self->container, VFIO_IOMMU_UNMAP_DMA, &arg);
}

TEST_F(type1, unmap_refuses_bad_requests)
{
	unsigned int i;

	ASSERT_EQ(0, map(self, IOVA, 4));
	for (i = 0; i < ARRAY_SIZE(bad_unmaps); i++)
		EXPECT_EQ(-bad_unmaps[i].error,
			  request_unmap(self, &bad_unmaps[i])) {
			TH_LOG("%s", bad_unmaps[i].what);
		}
	EXPECT_EQ(-EFAULT, sys_ioctl(self->container, VFIO_IOMMU_UNMAP_DMA,
				     NULL));
	EXPECT_EQ(4, unmap(self, IOVA, 4));
}

TEST_F(type1, unmap_of_nothing_succeeds)
{
	EXPECT_EQ(0, unmap(self, IOVA, 1));
	EXPECT_EQ(0, unmap(self, 0, 1));
	EXPECT_EQ(0, unmap(self, 0, MEM_PAGES));
	/* Also where nothing can be mapped */
	EXPECT_EQ(0, unmap(self, MSI_FIRST, 1));
	EXPECT_EQ(0, dma_unmap(self->container, 1ULL << 63, PG));
	EXPECT_EQ(0, dma_unmap(self->container, -PG, PG));
	EXPECT_EQ(0, dma_unmap(self->container, -2 * PG, 2 * PG));
	EXPECT_EQ(0, dma_unmap(self->container, PG, -PG));
	EXPECT_EQ(0, dma_unmap(self->container, 0, -PG));
	EXPECT_EQ(0, unmap_all(self));
	ASSERT_EQ(0, map(self, IOVA, 1));
	EXPECT_EQ(0, unmap(self, IOVA + PG, 10));
	EXPECT_EQ(0, unmap(self, IOVA - 10 * PG, 10));
	EXPECT_EQ(1, unmap(self, IOVA, 1));
	EXPECT_EQ(0, unmap(self, IOVA, 1));
}

/* A range may contain several mappings and holes. */
TEST_F(type1, unmap_takes_all_mappings_in_the_range)
{
	uint32_t avail = dma_avail(self->container);
	uint64_t i;

	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, map(self, IOVA + i * 8 * PG, 1 + i % 8));
	EXPECT_EQ(avail - 64, dma_avail(self->container));
	EXPECT_EQ(1 + 2 + 3, unmap(self, IOVA, 3 * 8));
	EXPECT_EQ(8 * 36 - (1 + 2 + 3) - 8, unmap(self, IOVA + 10 * PG,
						  64 * 8 - 10 - 8));
	EXPECT_EQ(avail - 1, dma_avail(self->container));
	/* The address space without its last page, or without its first */
	EXPECT_EQ(8 * PG, dma_unmap(self->container, PG, -PG));
	ASSERT_EQ(0, map(self, 0, 4));
	ASSERT_EQ(0, map(self, IOVA, 4));
	EXPECT_EQ(8 * PG, dma_unmap(self->container, 0, -PG));
	EXPECT_TRUE(nothing_mapped(self, avail));
}

TEST_F(type1, unmap_all_takes_everything)
{
	struct vfio_iommu_type1_info *info = iommu_info(self->container);
	const struct vfio_iommu_type1_info_cap_iova_range *cap;
	uint32_t avail = dma_avail(self->container);
	uint64_t last;

	cap = iommu_iova_ranges(info);
	ASSERT_NE(NULL, cap);
	last = cap->iova_ranges[cap->nr_iovas - 1].end + 1 - PG;
	free(info);
	ASSERT_EQ(0, map(self, 0, 1));
	ASSERT_EQ(0, map(self, IOVA, 7));
	ASSERT_EQ(0, map(self, last, 1));
	EXPECT_EQ(9, unmap_all(self));
	EXPECT_TRUE(nothing_mapped(self, avail));
	EXPECT_EQ(0, unmap_all(self));
	EXPECT_EQ(0, map(self, IOVA, 7));
}

/* v2 never splits a mapping, and a refused request unmaps nothing. */
TEST_F(type1, v2_splits_no_mapping)
{
	uint32_t avail = dma_avail(self->container);
	int i;

	if (!variant->v2)
		SKIP(return, "v2 only");
	ASSERT_EQ(0, map(self, IOVA, 4));
	ASSERT_EQ(0, map(self, IOVA + 8 * PG, 4));
	for (i = 1; i < 4; i++) {
		EXPECT_EQ(-EINVAL, unmap(self, IOVA, i));
		EXPECT_EQ(-EINVAL, unmap(self, IOVA + i * PG, 4 - i));
		EXPECT_EQ(-EINVAL, unmap(self, IOVA + i * PG, 1));
		EXPECT_EQ(-EINVAL, unmap(self, IOVA + i * PG, 12 - i));
		EXPECT_EQ(-EINVAL, unmap(self, IOVA, 8 + i));
		EXPECT_EQ(-EINVAL, unmap(self, IOVA - PG, 9 + i));
		EXPECT_EQ(-EINVAL, dma_unmap(self->container, IOVA + i * PG,
					     -(IOVA + i * PG)));
	}
	EXPECT_EQ(avail - 2, dma_avail(self->container));
	EXPECT_EQ(-EEXIST, map(self, IOVA, 1));
	EXPECT_EQ(4, unmap(self, IOVA, 4));
	EXPECT_EQ(4, unmap(self, IOVA + PG, 50));
}

/*
 * In v1, a range that ends within a mapping unmaps all of the mapping; a range
 * that starts within a mapping leaves that mapped.
 */
TEST_F(type1, v1_unmaps_more_or_nothing)
{
	uint32_t avail = dma_avail(self->container);

	if (variant->v2)
		SKIP(return, "v1 only");
	ASSERT_EQ(0, map(self, IOVA, 4));
	EXPECT_EQ(0, unmap(self, IOVA + PG, 1));
	EXPECT_EQ(0, unmap(self, IOVA + 3 * PG, 1));
	EXPECT_EQ(0, unmap(self, IOVA + PG, 100));
	EXPECT_EQ(-EEXIST, map(self, IOVA + PG, 1));
	EXPECT_EQ(4, unmap(self, IOVA, 1));
	ASSERT_EQ(0, map(self, IOVA, 4));
	EXPECT_EQ(4, unmap(self, IOVA - 2 * PG, 3));
	ASSERT_EQ(0, map(self, IOVA, 4));
	ASSERT_EQ(0, map(self, IOVA + 4 * PG, 4));
	EXPECT_EQ(8, unmap(self, IOVA, 5));
	EXPECT_TRUE(nothing_mapped(self, avail));
}

/* The address of a mapping taken away and given back */

#define VADDR_MAP	VFIO_DMA_MAP_FLAG_VADDR
#define VADDR_UNMAP	VFIO_DMA_UNMAP_FLAG_VADDR

TEST_F(type1, updates_the_address_of_a_mapping)
{
	const uint64_t all = VFIO_DMA_UNMAP_FLAG_ALL | VADDR_UNMAP;
	uint32_t avail = dma_avail(self->container);
	int c = self->container;

	ASSERT_EQ(0, map(self, IOVA, 4));
	ASSERT_EQ(0, map(self, IOVA + 4 * PG, 4));
	EXPECT_EQ(-EINVAL, dma_map_flags(c, IOVA, self->mem, 4 * PG,
					 VADDR_MAP));
	EXPECT_EQ(4 * PG, dma_unmap_flags(c, IOVA, 4 * PG, VADDR_UNMAP));
	/* Taken away twice; both, one of which is taken away already */
	EXPECT_EQ(-EINVAL, dma_unmap_flags(c, IOVA, 4 * PG, VADDR_UNMAP));
	EXPECT_EQ(-EINVAL, dma_unmap_flags(c, IOVA, 8 * PG, VADDR_UNMAP));
	/* The IOVAs are still mapped. */
	EXPECT_EQ(-EEXIST, map(self, IOVA, 4));
	EXPECT_EQ(avail - 2, dma_avail(c));
	/* Another size, another place, misaligned */
	EXPECT_EQ(-EINVAL, dma_map_flags(c, IOVA, self->mem, 3 * PG,
					 VADDR_MAP));
	EXPECT_EQ(-EINVAL, dma_map_flags(c, IOVA, self->mem, 5 * PG,
					 VADDR_MAP));
	EXPECT_EQ(-ENOENT, dma_map_flags(c, IOVA - PG, self->mem, PG,
					 VADDR_MAP));
	EXPECT_EQ(-EINVAL, dma_map_flags(c, IOVA, self->mem + 1, 4 * PG,
					 VADDR_MAP));
	EXPECT_EQ(-EINVAL, dma_map_flags(c, IOVA + 4 * PG, self->mem, 4 * PG,
					 VADDR_MAP));
	EXPECT_EQ(0, dma_map_flags(c, IOVA, self->mem, 4 * PG, VADDR_MAP));
	EXPECT_EQ(8 * PG, dma_unmap_flags(c, 0, 0, all));
	EXPECT_EQ(0, dma_map_flags(c, IOVA + 4 * PG, self->mem, 4 * PG,
				   VADDR_MAP));
	/* Unmap one mapping with and one without an address. */
	EXPECT_EQ(8, unmap(self, IOVA, 8));
	EXPECT_TRUE(nothing_mapped(self, avail));
	EXPECT_EQ(0, dma_unmap_flags(c, 0, 0, all));
}

/* The limit on the number of mappings */

#define LIMIT	"/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"

TEST_F(type1, entries_are_counted)
{
	uint32_t avail = dma_avail(self->container);
	uint64_t i;

	for (i = 1; i <= 100; i++) {
		ASSERT_EQ(0, map(self, IOVA + i * PG, 1));
		EXPECT_EQ(avail - i, dma_avail(self->container));
	}
	EXPECT_EQ(-EEXIST, map(self, IOVA + PG, 1));
	EXPECT_EQ(-EINVAL, map(self, MSI_FIRST, 1));
	EXPECT_EQ(avail - 100, dma_avail(self->container));
	for (i = 1; i <= 50; i++)
		EXPECT_EQ(1, unmap(self, IOVA + i * PG, 1));
	EXPECT_EQ(avail - 50, dma_avail(self->container));
	EXPECT_EQ(50, unmap_all(self));
	EXPECT_TRUE(nothing_mapped(self, avail));
}

TEST_F(type1, entries_are_limited)
{
	int container, group, ret, log = kmsg_open();
	char before[16];
	uint64_t i;

	ret = file_read(LIMIT, before, sizeof(before));
	if (ret < 0 || file_write(LIMIT, "5"))
		SKIP(return, "dma_entry_limit cannot be set");
	/* A container has the limit from when it was opened. */
	EXPECT_LT(5, dma_avail(self->container));
	sys_close(self->group);
	container = container_open();
	group = container_add(container, func_any());
	ret = container_set_iommu(container, variant->type);
	file_write(LIMIT, before);
	ASSERT_EQ(0, ret);

	EXPECT_EQ(5, dma_avail(container));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(0, dma_map(container, IOVA + i * PG, self->mem, PG));
	EXPECT_EQ(0, dma_avail(container));
	EXPECT_TRUE(poll_until(dma_map(container, IOVA + 5 * PG, self->mem,
				       PG) == -ENOSPC &&
			       kmsg_said(log, "mapping refused",
					 "dma_entry_limit")));
	sys_close(log);
	EXPECT_EQ(PG, dma_unmap(container, IOVA, PG));
	EXPECT_EQ(0, dma_map(container, IOVA + 5 * PG, self->mem, PG));
	EXPECT_EQ(-ENOSPC, dma_map(container, IOVA, self->mem, PG));
	EXPECT_EQ(5 * PG, dma_unmap_flags(container, 0, 0,
					  VFIO_DMA_UNMAP_FLAG_ALL));
	EXPECT_EQ(5, dma_avail(container));
	sys_close(group);
	sys_close(container);
}

/* IOMMU_GET_INFO */

#define INFO_MIN	offsetof(struct vfio_iommu_type1_info, cap_offset)

TEST_F(type1, info_fits_argsz)
{
	struct vfio_iommu_type1_info *full = iommu_info(self->container), *info;
	uint32_t size;

	for (size = 0; size < INFO_MIN; size++) {
		full->argsz = size;
		EXPECT_EQ(-EINVAL, sys_ioctl(self->container,
					     VFIO_IOMMU_GET_INFO, full));
	}
	free(full);
	full = iommu_info(self->container);
	EXPECT_EQ(-EFAULT, sys_ioctl(self->container, VFIO_IOMMU_GET_INFO,
				     NULL));

	/* What does not fit is not written: accessible memory ends there. */
	for (size = INFO_MIN; size < full->argsz; size += 4) {
		info = mem_at_page_end(size);
		info->argsz = size;
		ASSERT_EQ(0, sys_ioctl(self->container, VFIO_IOMMU_GET_INFO,
				       info)) {
			TH_LOG("argsz %u", size);
		}
		EXPECT_EQ(full->argsz, info->argsz);
		EXPECT_EQ(full->flags, info->flags);
		EXPECT_EQ(full->iova_pgsizes, info->iova_pgsizes);
		if (size >= sizeof(*info))
			EXPECT_EQ(0, info->cap_offset);
	}
	info = mem_at_page_end(size);
	info->argsz = size;
	EXPECT_EQ(0, sys_ioctl(self->container, VFIO_IOMMU_GET_INFO, info));
	EXPECT_EQ(0, memcmp(info, full, size));
	free(full);
}

TEST_F(type1, info_has_each_capability_once)
{
	struct vfio_iommu_type1_info *info = iommu_info(self->container);
	const struct vfio_iommu_type1_info_cap_iova_range *ranges;
	const struct vfio_iommu_type1_info_cap_migration *mig;
	const struct vfio_iommu_type1_info_dma_avail *avail;
	const struct vfio_info_cap_header *cap;
	uint32_t at, i, seen = 0;
	uint64_t last = 0;

	EXPECT_EQ(VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS, info->flags);
	EXPECT_TRUE(info->iova_pgsizes & PG);
	EXPECT_EQ(0, info->iova_pgsizes & (PG - 1));
	EXPECT_EQ(0, info->pad);

	/* Each once, version 1, aligned, within the structure */
	for (at = info->cap_offset; at; at = cap->next) {
		ASSERT_EQ(0, at % 8);
		ASSERT_LE(sizeof(*info), at);
		ASSERT_LE(at + sizeof(*cap), info->argsz);
		cap = (void *)info + at;
		EXPECT_EQ(1, cap->version);
		ASSERT_GT(32, cap->id);
		EXPECT_EQ(0, seen & BIT(cap->id));
		seen |= BIT(cap->id);
		ASSERT_TRUE(!cap->next || cap->next > at);
	}
	EXPECT_EQ(BIT(VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE) |
		  BIT(VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION) |
		  BIT(VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL), seen);

	mig = info_cap(info, info->argsz, info->cap_offset,
		       VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION);
	ASSERT_NE(NULL, mig);
	EXPECT_EQ(0, mig->flags);
	EXPECT_EQ(PG, mig->pgsize_bitmap);
	EXPECT_EQ(256 * MiB, mig->max_dirty_bitmap_size);

	avail = iommu_dma_avail(info);
	ASSERT_NE(NULL, avail);
	EXPECT_LT(0, avail->avail);

	ranges = iommu_iova_ranges(info);
	ASSERT_NE(NULL, ranges);
	ASSERT_LE(1, ranges->nr_iovas);
	EXPECT_EQ(0, ranges->reserved);
	EXPECT_GE(info->argsz, (char *)&ranges->iova_ranges[ranges->nr_iovas] -
		  (char *)info);
	for (i = 0; i < ranges->nr_iovas; i++) {
		const struct vfio_iova_range *r = &ranges->iova_ranges[i];

		EXPECT_LT(r->start, r->end);
		EXPECT_EQ(0, r->start % PG);
		EXPECT_EQ(0, (r->end + 1) % PG);
		EXPECT_TRUE(r->end < MSI_FIRST || r->start > MSI_LAST);
		if (i)
			EXPECT_LT(last, r->start);
		last = r->end;
	}
	free(info);
}

/* Buffers with different stale contents must be equal afterwards. */
TEST_F(type1, info_leaves_no_byte_unwritten)
{
	struct vfio_iommu_type1_info *aa = iommu_info(self->container), *x55;
	uint32_t size = aa->argsz, i;

	x55 = malloc(size);
	memset(aa, 0xaa, size);
	memset(x55, 0x55, size);
	aa->argsz = size;
	x55->argsz = size;
	ASSERT_EQ(0, sys_ioctl(self->container, VFIO_IOMMU_GET_INFO, aa));
	ASSERT_EQ(0, sys_ioctl(self->container, VFIO_IOMMU_GET_INFO, x55));
	for (i = 0; i < size; i++)
		EXPECT_EQ(((char *)aa)[i], ((char *)x55)[i]) {
			TH_LOG("byte %u of %u", i, size);
		}
	free(aa);
	free(x55);
}

/* CHECK_EXTENSION */

static const struct {
	unsigned long extension;
	int before;	/* before SET_IOMMU: of any backend */
	int after;
} extensions[] = {
	{ 0, 0, 0 },
	{ VFIO_TYPE1_IOMMU, 1, 1 },
	{ VFIO_SPAPR_TCE_IOMMU, 0, 0 },
	{ VFIO_TYPE1v2_IOMMU, 1, 1 },
	{ VFIO_EEH, 0, 0 },
	{ VFIO_TYPE1_NESTING_IOMMU, 0, 0 },
	{ VFIO_SPAPR_TCE_v2_IOMMU, 0, 0 },
	{ VFIO_NOIOMMU_IOMMU, 0, 0 },
	{ VFIO_UNMAP_ALL, 1, 1 },
	{ VFIO_UPDATE_VADDR, 0, 1 },
	{ 11, 0, 0 },
	{ 0x7fffffff, 0, 0 },
	{ 0x80000001, 0, 0 },
	{ 0xffffffff, 0, 0 },
	{ 0x100000001, 0, 0 },
	{ -1UL, 0, 0 },
};

static int check_extension(int container, unsigned long extension)
{
	return sys_ioctl(container, VFIO_CHECK_EXTENSION, (void *)extension);
}

TEST_F(type1, reports_extensions)
{
	int fresh = container_open(), ret;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(extensions); i++) {
		unsigned long extension = extensions[i].extension;

		EXPECT_EQ(extensions[i].before,
			  check_extension(fresh, extension)) {
			TH_LOG("%#lx before SET_IOMMU", extension);
		}
		EXPECT_EQ(extensions[i].after,
			  check_extension(self->container, extension)) {
			TH_LOG("%#lx after SET_IOMMU", extension);
		}
	}
	/* Whether DMA is coherent depends on the machine. */
	EXPECT_EQ(0, check_extension(fresh, VFIO_DMA_CC_IOMMU));
	ret = check_extension(self->container, VFIO_DMA_CC_IOMMU);
	EXPECT_TRUE(ret == 0 || ret == 1);
	sys_close(fresh);
}

TEST_F(type1, refuses_unknown_ioctls)
{
	EXPECT_EQ(-ENOTTY, sys_ioctl(self->container, _IO(VFIO_TYPE, 0xff),
				     NULL));
	EXPECT_EQ(-ENOTTY, sys_ioctl(self->container, _IO('x', 1), NULL));
	EXPECT_EQ(-ENOTTY, sys_ioctl(self->container, VFIO_IOMMU_ENABLE,
				     NULL));
	EXPECT_EQ(-ENOTTY, sys_ioctl(self->container, VFIO_DEVICE_GET_INFO,
				     NULL));
}

TEST_HARNESS_MAIN
