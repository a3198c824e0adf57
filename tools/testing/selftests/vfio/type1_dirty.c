// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_IOMMU_DIRTY_PAGES and the bitmap of VFIO_IOMMU_UNMAP_DMA, with a
 * physical group: all mapped pages are dirty each time, so the test knows each
 * bit. emulated_dma.c tests the dirty pages of emulated devices.
 */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "iommu.h"
#include "test.h"

#define PG		4096ULL
#define IOVA		0x10000000ULL
#define MEM_PAGES	2048
#define MAX_BITMAP	(256 * MiB)

#define START		VFIO_IOMMU_DIRTY_PAGES_FLAG_START
#define STOP		VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP
#define GET		VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP

FIXTURE(dirty) {
	int container;
	int group;
	char *mem;
};

FIXTURE_SETUP(dirty)
{
	const char *bdf = NEED_ANY_FUNC();

	ASSERT_EQ(PG, page_size());
	self->mem = mem_alloc(MEM_PAGES * PG);
	self->container = container_open();
	self->group = container_add(self->container, bdf);
	must(container_set_iommu(self->container, VFIO_TYPE1v2_IOMMU));
}

FIXTURE_TEARDOWN(dirty)
{
	sys_close(self->group);
	sys_close(self->container);
}

/* Bytes of a bitmap: whole words of 64 pages. */
static uint64_t bitmap_bytes(uint64_t pages)
{
	return (pages + 63) / 64 * 8;
}

static void map_pages(FIXTURE_DATA(dirty) *self, uint64_t first, uint64_t pages)
{
	must(dma_map(self->container, IOVA + first * PG, self->mem,
		     pages * PG));
}

/* Reads the dirty bitmap of @pages from page @first on. */
static int get(FIXTURE_DATA(dirty) *self, uint64_t first, uint64_t pages,
	       void *bitmap)
{
	return dirty_bitmap(self->container, IOVA + first * PG, pages * PG, PG,
			    bitmap, bitmap_bytes(pages));
}

static bool bit(const void *bitmap, uint64_t nr)
{
	return ((const uint8_t *)bitmap)[nr / 8] >> nr % 8 & 1;
}

/* Of the first @all bits, are only @first to @first + @n - 1 set? */
static bool just_these(const void *bitmap, uint64_t all, uint64_t first,
		       uint64_t n)
{
	uint64_t i;

	for (i = 0; i < all; i++)
		if (bit(bitmap, i) != (i >= first && i < first + n))
			return false;
	return true;
}

/* Arguments */

#define HEADER	offsetof(struct vfio_iommu_type1_dirty_bitmap, data)
#define FULL	(HEADER + sizeof(struct vfio_iommu_type1_dirty_bitmap_get))

static int request(FIXTURE_DATA(dirty) *self, uint32_t argsz, uint32_t flags)
{
	struct vfio_iommu_type1_dirty_bitmap arg = {
		.argsz = argsz, .flags = flags,
	};

	return sys_ioctl(self->container, VFIO_IOMMU_DIRTY_PAGES, &arg);
}

TEST_F(dirty, refuses_bad_flags)
{
	static const uint32_t bad[] = {
		0, START | STOP, START | GET, STOP | GET, START | STOP | GET,
		8, START | 8, STOP | 8, GET | 8, START | BIT(31), BIT(31),
		0xffffffff,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, request(self, FULL, bad[i])) {
			TH_LOG("flags %#x", bad[i]);
		}
	EXPECT_EQ(-EINVAL, request(self, 0, START));
	EXPECT_EQ(-EINVAL, request(self, HEADER - 1, START));
	EXPECT_EQ(-EFAULT, sys_ioctl(self->container, VFIO_IOMMU_DIRTY_PAGES,
				     NULL));
	/* Logging is still off. */
	map_pages(self, 0, 1);
	EXPECT_EQ(-EINVAL, get(self, 0, 1, &(uint64_t){ 0 }));
	EXPECT_EQ(0, request(self, HEADER, START));
	EXPECT_EQ(-EINVAL, request(self, HEADER, GET));
	EXPECT_EQ(-EINVAL, request(self, FULL - 1, GET));
	EXPECT_EQ(0, get(self, 0, 1, &(uint64_t){ 0 }));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, request(self, FULL, bad[i]));
	/* Logging is still on. */
	EXPECT_EQ(0, get(self, 0, 1, &(uint64_t){ 0 }));
	EXPECT_EQ(0, request(self, HEADER, STOP));
}

TEST_F(dirty, is_not_in_v1)
{
	uint64_t word = 0;

	sys_close(self->group);
	sys_close(self->container);
	self->container = container_open();
	self->group = container_add(self->container, func_any());
	must(container_set_iommu(self->container, VFIO_TYPE1_IOMMU));
	map_pages(self, 0, 1);
	EXPECT_EQ(-EACCES, dirty_log(self->container, START));
	EXPECT_EQ(-EACCES, dirty_log(self->container, STOP));
	EXPECT_EQ(-EACCES, get(self, 0, 1, &word));
	EXPECT_EQ(0, word);
}

TEST_F(dirty, starts_and_stops)
{
	int c = self->container, i;
	uint64_t word;

	map_pages(self, 0, 3);
	for (i = 0; i < 3; i++) {
		word = 0;
		EXPECT_EQ(-EINVAL, get(self, 0, 3, &word));
		EXPECT_EQ(0, word);
		EXPECT_EQ(0, dirty_log(c, START));
		EXPECT_EQ(0, dirty_log(c, START));
		EXPECT_EQ(0, get(self, 0, 3, &word));
		EXPECT_EQ(7, word);
		EXPECT_EQ(0, dirty_log(c, STOP));
		EXPECT_EQ(0, dirty_log(c, STOP));
	}
	/* Nothing mapped at all */
	EXPECT_EQ(0, dirty_log(c, START));
	EXPECT_EQ(3 * PG, dma_unmap(c, IOVA, 3 * PG));
	word = 0;
	EXPECT_EQ(0, get(self, 0, 3, &word));
	EXPECT_EQ(0, word);
	/* Map and close while logging is on. */
	map_pages(self, 5, 2);
	EXPECT_EQ(0, get(self, 0, 64, &word));
	EXPECT_EQ(3 << 5, word);
}

TEST_F(dirty, takes_the_smallest_page_size_only)
{
	static const uint64_t bad[] = {
		0, 1, 2, 512, 2048, 4095, 4097, 8192, 12288, 2 * MiB, 1 * GiB,
		BIT_ULL(31), BIT_ULL(32), BIT_ULL(32) + PG, BIT_ULL(63), -1ULL,
		-PG,
	};
	int c = self->container;
	uint64_t bitmap[4] = {};
	unsigned int i;

	map_pages(self, 0, 64);
	ASSERT_EQ(0, dirty_log(c, START));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, dirty_bitmap(c, IOVA, 64 * PG, bad[i],
						bitmap, sizeof(bitmap))) {
			TH_LOG("page size %#llx", (unsigned long long)bad[i]);
		}
		EXPECT_EQ(-EINVAL, dma_unmap_dirty(c, IOVA, 64 * PG, bad[i],
						   bitmap, sizeof(bitmap))) {
			TH_LOG("page size %#llx", (unsigned long long)bad[i]);
		}
		EXPECT_EQ(0, bitmap[0] | bitmap[1] | bitmap[2] | bitmap[3]);
	}
	EXPECT_EQ(64 * PG, dma_unmap_dirty(c, IOVA, 64 * PG, PG, bitmap,
					   sizeof(bitmap)));
}

TEST_F(dirty, refuses_bad_ranges)
{
	static const struct {
		uint64_t iova;
		uint64_t size;
		int error;
	} bad[] = {
		{ IOVA, 0, EINVAL },
		{ IOVA, 1, EINVAL },
		{ IOVA, PG + 1, EINVAL },
		{ IOVA, PG - 1, EINVAL },
		{ IOVA + 1, PG, EINVAL },
		{ IOVA + 512, 2 * PG, EINVAL },
		{ -PG, 2 * PG, EOVERFLOW },
		{ IOVA, -PG, EOVERFLOW },
		{ -PG, -PG, EOVERFLOW },
	};
	int c = self->container;
	uint64_t bitmap[4] = {};
	unsigned int i;

	map_pages(self, 0, 4);
	ASSERT_EQ(0, dirty_log(c, START));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-bad[i].error,
			  dirty_bitmap(c, bad[i].iova, bad[i].size, PG, bitmap,
				       sizeof(bitmap))) {
			TH_LOG("%#llx bytes at %#llx",
			       (unsigned long long)bad[i].size,
			       (unsigned long long)bad[i].iova);
		}
		EXPECT_EQ(-bad[i].error,
			  dma_unmap_dirty(c, bad[i].iova, bad[i].size, PG,
					  bitmap, sizeof(bitmap)));
	}
	EXPECT_EQ(0, bitmap[0]);
	/* The last page of the address space, not mapped */
	EXPECT_EQ(0, dirty_bitmap(c, -PG, PG, PG, bitmap, 8));
	EXPECT_EQ(0, dirty_bitmap(c, -64 * PG, 64 * PG, PG, bitmap, 8));
	EXPECT_EQ(0, bitmap[0]);
	EXPECT_EQ(0, dma_unmap_dirty(c, -PG, PG, PG, bitmap, 8));
}

TEST_F(dirty, range_must_cover_mappings)
{
	uint8_t bitmap[8] = {};
	int i;

	map_pages(self, 4, 4);
	map_pages(self, 8, 4);
	ASSERT_EQ(0, dirty_log(self->container, START));
	for (i = 5; i < 8; i++) {
		EXPECT_EQ(-EINVAL, get(self, i, 8 - i, bitmap));
		EXPECT_EQ(-EINVAL, get(self, i, 12 - i, bitmap));
		EXPECT_EQ(-EINVAL, get(self, 4, i - 4, bitmap));
		EXPECT_EQ(-EINVAL, get(self, 0, i, bitmap));
		EXPECT_EQ(-EINVAL, get(self, 4, i, bitmap));
		EXPECT_EQ(-EINVAL, get(self, i, 1, bitmap));
		EXPECT_EQ(-EINVAL, dma_unmap_dirty(self->container,
						   IOVA + 4 * PG,
						   (i - 4) * PG, PG, bitmap,
						   8));
	}
	EXPECT_TRUE(just_these(bitmap, 64, 0, 0));
	EXPECT_EQ(0, get(self, 4, 4, bitmap));
	EXPECT_TRUE(just_these(bitmap, 64, 0, 4));
	memset(bitmap, 0, 8);
	EXPECT_EQ(0, get(self, 3, 10, bitmap));
	EXPECT_TRUE(just_these(bitmap, 64, 1, 8));
}

TEST_F(dirty, refuses_short_bitmaps)
{
	int c = self->container;
	uint64_t bitmap[8] = {};

	map_pages(self, 0, 130);
	ASSERT_EQ(0, dirty_log(c, START));
	EXPECT_EQ(-EINVAL, dirty_bitmap(c, IOVA, 130 * PG, PG, bitmap, 0));
	EXPECT_EQ(-EINVAL, dirty_bitmap(c, IOVA, 130 * PG, PG, bitmap, 8));
	EXPECT_EQ(-EINVAL, dirty_bitmap(c, IOVA, 130 * PG, PG, bitmap, 16));
	/* 130 bits fit into 17 bytes, but need three words. */
	EXPECT_EQ(-EINVAL, dirty_bitmap(c, IOVA, 130 * PG, PG, bitmap, 17));
	EXPECT_EQ(-EINVAL, dirty_bitmap(c, IOVA, 130 * PG, PG, bitmap, 23));
	EXPECT_EQ(-EINVAL, dirty_bitmap(c, IOVA, 130 * PG, PG, bitmap,
					MAX_BITMAP + 8));
	EXPECT_EQ(-EINVAL, dirty_bitmap(c, IOVA, 130 * PG, PG, bitmap, -8ULL));
	EXPECT_EQ(-EINVAL, dirty_bitmap(c, IOVA, 130 * PG, PG, bitmap,
					-1ULL));
	EXPECT_EQ(-EINVAL, dma_unmap_dirty(c, IOVA, 130 * PG, PG, bitmap, 16));
	EXPECT_EQ(-EINVAL, dma_unmap_dirty(c, IOVA, 130 * PG, PG, bitmap,
					   MAX_BITMAP + 8));
	EXPECT_EQ(0, bitmap[0] | bitmap[1] | bitmap[2] | bitmap[3]);
	EXPECT_EQ(0, dirty_bitmap(c, IOVA, 130 * PG, PG, bitmap, 24));
	EXPECT_EQ(0, dirty_bitmap(c, IOVA, 130 * PG, PG, bitmap, 64));
	EXPECT_TRUE(just_these(bitmap, 8 * 64, 0, 130));
}

/* Contents of the bitmap */

static const uint64_t shapes[] = {
	1, 2, 7, 8, 9, 31, 32, 33, 63, 64, 65, 127, 128, 129, 130, 511, 512,
	513, 1000, 1024, MEM_PAGES,
};

/* One mapping; the bitmap ends at the end of accessible memory. */
TEST_F(dirty, has_all_pages_of_a_mapping)
{
	unsigned int i, round;

	ASSERT_EQ(0, dirty_log(self->container, START));
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		uint64_t n = shapes[i];
		uint8_t *bitmap = mem_at_page_end(bitmap_bytes(n));

		map_pages(self, 0, n);
		/* All pages are dirty each time. */
		for (round = 0; round < 3; round++) {
			memset(bitmap, 0, bitmap_bytes(n));
			ASSERT_EQ(0, get(self, 0, n, bitmap));
			EXPECT_TRUE(just_these(bitmap, bitmap_bytes(n) * 8, 0,
					       n)) {
				TH_LOG("%llu pages", (unsigned long long)n);
			}
		}
		memset(bitmap, 0, bitmap_bytes(n));
		EXPECT_EQ(n * PG, dma_unmap_dirty(self->container, IOVA,
						  n * PG, PG, bitmap,
						  bitmap_bytes(n)));
		EXPECT_TRUE(just_these(bitmap, bitmap_bytes(n) * 8, 0, n));
	}
}

/* A mapping that begins at any bit of a word */
TEST_F(dirty, has_only_the_mapping_in_a_range)
{
	static const uint64_t starts[] = { 1, 3, 8, 31, 63, 64, 65, 100, 127 };
	uint64_t all = 4096;
	unsigned int i, j;
	uint8_t *bitmap = mem_at_page_end(all / 8);

	ASSERT_EQ(0, dirty_log(self->container, START));
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		for (j = 0; j < ARRAY_SIZE(starts); j++) {
			map_pages(self, starts[j], shapes[i]);
			memset(bitmap, 0, all / 8);
			ASSERT_EQ(0, get(self, 0, all, bitmap));
			EXPECT_TRUE(just_these(bitmap, all, starts[j],
					       shapes[i])) {
				TH_LOG("%llu pages from %llu on",
				       (unsigned long long)shapes[i],
				       (unsigned long long)starts[j]);
			}
			EXPECT_EQ(shapes[i] * PG,
				  dma_unmap(self->container, IOVA, all * PG));
		}
	}
}

TEST_F(dirty, has_the_pages_of_many_mappings)
{
	uint8_t expected[256] = {}, bitmap[256] = {};
	uint64_t random = 12345, at = 0, n, i;

	ASSERT_EQ(0, dirty_log(self->container, START));
	for (;;) {
		at += prng(&random) % 20;
		n = 1 + prng(&random) % 70;
		if (at + n > 2048)
			break;
		map_pages(self, at, n);
		for (i = at; i < at + n; i++)
			expected[i / 8] |= 1 << i % 8;
		at += n;
	}
	ASSERT_EQ(0, get(self, 0, 2048, bitmap));
	for (i = 0; i < 2048; i++)
		EXPECT_EQ(bit(expected, i), bit(bitmap, i)) {
			TH_LOG("page %llu", (unsigned long long)i);
		}
}

/* The kernel does not touch the bits of unmapped IOVAs. */
TEST_F(dirty, bits_of_no_mapping_are_left_alone)
{
	uint8_t bitmap[64];

	map_pages(self, 10, 3);
	ASSERT_EQ(0, dirty_log(self->container, START));
	memset(bitmap, 0x50, sizeof(bitmap));
	ASSERT_EQ(0, dirty_bitmap(self->container, IOVA, 256 * PG, PG, bitmap,
				  32));
	EXPECT_EQ(0x50, bitmap[0]);
	EXPECT_EQ(0x5c, bitmap[1]);
	EXPECT_EQ(0x50, bitmap[2]);
	EXPECT_EQ(0x50, bitmap[31]);
	EXPECT_EQ(0x50, bitmap[32]);
	EXPECT_EQ(0x50, bitmap[63]);
}

/* The kernel does not touch the bitmap behind the range. */
TEST_F(dirty, touches_nothing_behind_the_range)
{
	uint8_t bitmap[64];
	unsigned int i;

	map_pages(self, 0, 70);
	ASSERT_EQ(0, dirty_log(self->container, START));
	memset(bitmap, 0, sizeof(bitmap));
	memset(bitmap + 16, 0xa5, sizeof(bitmap) - 16);
	ASSERT_EQ(0, dirty_bitmap(self->container, IOVA, 70 * PG, PG, bitmap,
				  sizeof(bitmap)));
	EXPECT_TRUE(just_these(bitmap, 128, 0, 70));
	for (i = 16; i < sizeof(bitmap); i++)
		EXPECT_EQ(0xa5, bitmap[i]);
	EXPECT_EQ(70 * PG, dma_unmap_dirty(self->container, IOVA, 70 * PG, PG,
					   bitmap, sizeof(bitmap)));
	for (i = 16; i < sizeof(bitmap); i++)
		EXPECT_EQ(0xa5, bitmap[i]);
}

TEST_F(dirty, takes_bitmaps_at_any_address)
{
	uint8_t buf[128];
	unsigned int i;

	map_pages(self, 3, 130);
	ASSERT_EQ(0, dirty_log(self->container, START));
	for (i = 0; i < 16; i++) {
		memset(buf, 0, sizeof(buf));
		ASSERT_EQ(0, get(self, 0, 200, buf + i));
		EXPECT_TRUE(just_these(buf + i, 8 * 32, 3, 130)) {
			TH_LOG("bitmap at an address of %u modulo 16", i);
		}
		EXPECT_TRUE(just_these(buf, 8 * i, 0, 0));
	}
}

/* A bitmap that cannot be written is an error. */
TEST_F(dirty, refuses_unwritable_bitmaps)
{
	uint64_t pages = 2 * PG * 8;
	uint8_t *bitmap = mem_alloc(3 * PG);
	int c = self->container, i;

	/* One page of zero bits, then one page of dirty bits */
	ASSERT_EQ(0, dma_map_flags(c, IOVA + PG * 8 * PG, self->mem,
				   MEM_PAGES * PG, MAP_RW));
	ASSERT_EQ(0, dirty_log(c, START));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, mprotect(bitmap + PG, PG,
				      i ? PROT_NONE : PROT_READ));
		EXPECT_EQ(-EFAULT, get(self, 0, pages, bitmap));
		EXPECT_EQ(-EFAULT, dma_unmap_dirty(c, IOVA, pages * PG, PG,
						   bitmap,
						   bitmap_bytes(pages)));
	}
	EXPECT_EQ(-EFAULT, get(self, 0, pages, NULL));
	/* A kernel address */
	EXPECT_GT(0, get(self, 0, pages, (void *)0xffff888000000000UL));
	EXPECT_GT(0, get(self, 0, pages, (void *)-4096L));
	EXPECT_GT(0, get(self, 0, pages, (void *)0x7fffffffeff8UL));
	/* The memory is still mapped and still dirty. */
	ASSERT_EQ(0, mprotect(bitmap + PG, PG, PROT_READ | PROT_WRITE));
	memset(bitmap, 0, 2 * PG);
	ASSERT_EQ(0, get(self, 0, pages, bitmap));
	EXPECT_TRUE(just_these(bitmap, pages, PG * 8, MEM_PAGES));
	EXPECT_EQ(MEM_PAGES * PG, dma_unmap(c, IOVA, pages * PG));
}

/* The bitmap itself may be memory that is mapped for DMA. */
TEST_F(dirty, takes_a_bitmap_that_is_mapped_for_dma)
{
	map_pages(self, 0, MEM_PAGES);
	ASSERT_EQ(0, dirty_log(self->container, START));
	ASSERT_EQ(0, get(self, 0, MEM_PAGES, self->mem));
	EXPECT_TRUE(just_these(self->mem, MEM_PAGES + 64, 0, MEM_PAGES));
}

TEST_F(dirty, takes_huge_ranges)
{
	uint64_t all = MAX_BITMAP * 8, at = 3 * GiB / PG;
	uint8_t *bitmap = mmap(NULL, MAX_BITMAP + PG, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			       0);
	uint64_t *words = (uint64_t *)bitmap, i;
	int c = self->container;

	ASSERT_NE(MAP_FAILED, bitmap);
	ASSERT_EQ(0, dma_map(c, 0, self->mem, PG));
	ASSERT_EQ(0, dma_map(c, at * PG + 5 * PG, self->mem, 100 * PG));
	ASSERT_EQ(0, dirty_log(c, START));
	ASSERT_EQ(0, dirty_bitmap(c, 0, all * PG, PG, bitmap, MAX_BITMAP));
	EXPECT_EQ(1, words[0]);
	EXPECT_EQ(0, words[at / 64 - 1]);
	EXPECT_TRUE(just_these(bitmap + at / 8, 4096, 5, 100));
	for (i = at / 64 + 64; i < 16 * GiB / PG / 64; i++)
		EXPECT_EQ(0, words[i]);

	/* One page more would need a bitmap that is too large. */
	EXPECT_EQ(-EINVAL, dirty_bitmap(c, 0, (all + 1) * PG, PG, bitmap,
					MAX_BITMAP));
	EXPECT_EQ(-EINVAL, dirty_bitmap(c, 0, (all + 1) * PG, PG, bitmap,
					MAX_BITMAP + 8));
	EXPECT_EQ(-EINVAL, dirty_bitmap(c, 0, -PG, PG, bitmap, MAX_BITMAP));
	EXPECT_EQ(-EINVAL, dirty_bitmap(c, PG, 1ULL << 63, PG, bitmap,
					MAX_BITMAP));
	/* Where numbers of bits and bytes overflow */
	EXPECT_EQ(-EINVAL, dirty_bitmap(c, 0, 1ULL << 63, PG, bitmap, 8));
	EXPECT_EQ(-EINVAL, dirty_bitmap(c, 0, -PG, PG, bitmap, 0));
}

TEST_F(dirty, unmap_returns_the_bitmap)
{
	uint64_t word = 0;
	int c = self->container;

	map_pages(self, 0, 3);
	map_pages(self, 8, 4);
	/* Refused while logging is off */
	EXPECT_EQ(-EINVAL, dma_unmap_dirty(c, IOVA, 3 * PG, PG, &word, 8));
	ASSERT_EQ(0, dirty_log(c, START));
	EXPECT_EQ(3 * PG, dma_unmap_dirty(c, IOVA, 3 * PG, PG, &word, 8));
	EXPECT_EQ(7, word);
	word = 0;
	EXPECT_EQ(0, dma_unmap_dirty(c, IOVA, 3 * PG, PG, &word, 8));
	EXPECT_EQ(0, word);
	EXPECT_EQ(0, get(self, 0, 64, &word));
	EXPECT_EQ(0xf00, word);
	ASSERT_EQ(0, dirty_log(c, STOP));
	EXPECT_EQ(-EINVAL, dma_unmap_dirty(c, IOVA + 8 * PG, 4 * PG, PG, &word,
					   8));
	EXPECT_EQ(4 * PG, dma_unmap(c, IOVA + 8 * PG, 4 * PG));
}

/* Threads map, unmap and read the bitmap at once. */

struct worker {
	pthread_t thread;
	FIXTURE_DATA(dirty) *self;
	unsigned int nr;
	int error;
};

static void *map_and_ask(void *arg)
{
	struct worker *w = arg;
	int c = w->self->container, i;
	uint64_t bitmap[4], first = w->nr * 256;
	int64_t ret = 0;

	for (i = 0; i < 100 && !ret; i++) {
		if (!w->nr) {
			ret = dirty_log(c, START);
			continue;
		}
		memset(bitmap, 0, sizeof(bitmap));
		ret = dma_map(c, IOVA + (first + 3) * PG, w->self->mem,
			      200 * PG);
		if (!ret)
			ret = get(w->self, first, 256, bitmap);
		if (!ret && !just_these(bitmap, 256, 3, 200))
			ret = -ERANGE;
		if (!ret)
			ret = dma_unmap_dirty(c, IOVA + (first + 3) * PG,
					      200 * PG, PG, bitmap, 32) -
			      200 * PG;
	}
	w->error = ret;
	return NULL;
}

TEST_F(dirty, survives_concurrent_calls)
{
	struct worker workers[4];
	unsigned int i;

	ASSERT_EQ(0, dirty_log(self->container, START));
	for (i = 0; i < 4; i++) {
		workers[i] = (struct worker){ .self = self, .nr = i };
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL,
					    map_and_ask, &workers[i]));
	}
	for (i = 0; i < 4; i++) {
		pthread_join(workers[i].thread, NULL);
		EXPECT_EQ(0, workers[i].error);
	}
}

TEST_HARNESS_MAIN
