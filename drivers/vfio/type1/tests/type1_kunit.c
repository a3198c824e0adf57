// SPDX-License-Identifier: GPL-2.0-only
/*
 * Intervals, ranges and sizes of the type 1 backend, above all where the
 * address space begins and ends: compared with tables of limits, and with
 * models of every page.
 *
 * The containers here have no group: memory is mapped, but never pinned.  The
 * only IOMMU is a bitmap, which is made to fail.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/iommu.h>
#include <linux/limits.h>
#include <linux/mman.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "../private.h"

#define TOP(bytes)	(U64_MAX - (bytes) + 1)	/* this far from the end */
#define RW		(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

/* The same sequence in every run */
static u32 next_random(u32 *seed, u32 below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

/* ---- Ranges from user space ---- */

struct range_case {
	const char *name;
	u64 start;
	u64 size;
	int ret;
	u64 last;
};

static const struct range_case range_cases[] = {
	{ "size 0", 0, 0, -EINVAL },
	{ "size 0 at the end", U64_MAX, 0, -EINVAL },
	{ "one byte", 0, 1, 0, 0 },
	{ "a page", 0x1000, 0x1000, 0, 0x1fff },
	{ "last byte", U64_MAX, 1, 0, U64_MAX },
	{ "last page", TOP(0x1000), 0x1000, 0, U64_MAX },
	{ "last page and one byte", TOP(0x1000), 0x1001, -EOVERFLOW },
	{ "all but one page", 0, TOP(0x1000), 0, TOP(0x1000) - 1 },
	{ "all but the first page", 0x1000, TOP(0x1000), 0, U64_MAX },
	{ "ends where it starts", 0x1000, U64_MAX, -EOVERFLOW },
	{ "all but the last byte", 0, U64_MAX, 0, U64_MAX - 1 },
	{ "all but the first byte", 1, U64_MAX, 0, U64_MAX },
	{ "wraps to 0", 2, U64_MAX, -EOVERFLOW },
	{ "halves of the space", BIT_ULL(63), BIT_ULL(63), 0, U64_MAX },
	{ "half and a byte", BIT_ULL(63), BIT_ULL(63) + 1, -EOVERFLOW },
	{ "both at the end", U64_MAX, U64_MAX, -EOVERFLOW },
};

static void range_desc(const struct range_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(range, range_cases, range_desc);

static void ranges_from_user_space(struct kunit *test)
{
	const struct range_case *c = test->param_value;
	unsigned long first = 1, last = 1;
	int ret = c->ret;

	if (!ret && (c->start > ULONG_MAX || c->last > ULONG_MAX))
		ret = -EOVERFLOW;
	KUNIT_EXPECT_EQ(test, ret,
			type1_check_range(c->start, c->size, &first, &last));
	if (!ret) {
		KUNIT_EXPECT_EQ(test, first, c->start);
		KUNIT_EXPECT_EQ(test, last, c->last);
	}
}

/* ---- IOVAs that may be mapped ---- */

#define MAX_REGIONS	5

struct usable_case {
	const char *name;
	u64 start;
	u64 end;
	struct {
		u64 start;
		u64 length;
		enum iommu_resv_type type;
	} resv[MAX_REGIONS];		/* ends with one of zeros */
	struct vfio_iova_range left[MAX_REGIONS + 1];	/* with an end of 0 */
};

#define RESV(first, length)	{ first, length, IOMMU_RESV_RESERVED }

static const struct usable_case usable_cases[] = {
	{ "nothing reserved", 0, U64_MAX, {}, { { 0, U64_MAX } } },
	{ "a hole for MSIs", 0, BIT_ULL(39) - 1,
	  { { 0xfee00000, 0x100000, IOMMU_RESV_MSI } },
	  { { 0, 0xfedfffff }, { 0xfef00000, BIT_ULL(39) - 1 } } },
	{ "at the start", 0, U64_MAX, { RESV(0, 0x1000) },
	  { { 0x1000, U64_MAX } } },
	{ "at the end", 0, U64_MAX, { RESV(TOP(0x1000), 0x1000) },
	  { { 0, TOP(0x1000) - 1 } } },
	{ "at both ends", 0, U64_MAX,
	  { RESV(TOP(0x1000), 0x1000), RESV(0, 0x1000) },
	  { { 0x1000, TOP(0x1000) - 1 } } },
	{ "everything", 0, U64_MAX,
	  { RESV(0, BIT_ULL(63)), RESV(BIT_ULL(63), BIT_ULL(63)) }, {} },
	{ "all of the aperture", 0x1000, 0x1fff, { RESV(0, 0x3000) }, {} },
	{ "exactly the aperture", 0x1000, 0x1fff, { RESV(0x1000, 0x1000) },
	  {} },
	{ "all but its ends", 0x1000, 0x4fff, { RESV(0x1001, 0x3ffe) },
	  { { 0x1000, 0x1000 }, { 0x4fff, 0x4fff } } },
	{ "outside of the aperture", 0x10000, 0x1ffff,
	  { RESV(0, 0x10000), RESV(0x20000, 0x1000) },
	  { { 0x10000, 0x1ffff } } },
	{ "across its borders", 0x10000, 0x1ffff,
	  { RESV(0xf000, 0x2000), RESV(0x1f000, 0x2000) },
	  { { 0x11000, 0x1efff } } },
	{ "out of order", 0, 0xffff,
	  { RESV(0x8000, 0x1000), RESV(0x2000, 0x1000) },
	  { { 0, 0x1fff }, { 0x3000, 0x7fff }, { 0x9000, 0xffff } } },
	{ "overlapping", 0, 0xffff,
	  { RESV(0x2000, 0x3000), RESV(0x4000, 0x3000) },
	  { { 0, 0x1fff }, { 0x7000, 0xffff } } },
	{ "one inside another", 0, 0xffff,
	  { RESV(0x2000, 0x6000), RESV(0x3000, 0x1000),
	    RESV(0x7fff, 1) },
	  { { 0, 0x1fff }, { 0x8000, 0xffff } } },
	{ "side by side", 0, 0xffff,
	  { RESV(0x2000, 0x1000), RESV(0x3000, 0x1000) },
	  { { 0, 0x1fff }, { 0x4000, 0xffff } } },
	{ "twice the same", 0, 0xffff,
	  { RESV(0x2000, 0x1000), RESV(0x2000, 0x1000) },
	  { { 0, 0x1fff }, { 0x3000, 0xffff } } },
	{ "a gap of a byte", 0, 0xffff,
	  { RESV(0x2000, 0x1000), RESV(0x3001, 0xfff) },
	  { { 0, 0x1fff }, { 0x3000, 0x3000 }, { 0x4000, 0xffff } } },
	{ "every type but the relaxable", 0, 0xffff,
	  { { 0x1000, 0x1000, IOMMU_RESV_DIRECT },
	    { 0x3000, 0x1000, IOMMU_RESV_DIRECT_RELAXABLE },
	    { 0x5000, 0x1000, IOMMU_RESV_MSI },
	    { 0x7000, 0x1000, IOMMU_RESV_SW_MSI } },
	  { { 0, 0xfff }, { 0x2000, 0x4fff }, { 0x6000, 0x6fff },
	    { 0x8000, 0xffff } } },
	{ "length 0", 0, 0xffff, { RESV(0, 0), RESV(0x2000, 0) },
	  { { 0, 0xffff } } },
	{ "no aperture in common", 0x2000, 0x1fff, {}, {} },
	{ "none in common, with regions", 0x8000, 0x1fff,
	  { RESV(0, 0x1000), RESV(0x3000, 0x1000), RESV(0x9000, 0x1000) }, {} },
};

static void usable_desc(const struct usable_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(usable, usable_cases, usable_desc);

static void add_region(struct kunit *test, struct list_head *regions,
		       u64 start, u64 length, enum iommu_resv_type type)
{
	struct iommu_resv_region *region;

	region = kunit_kzalloc(test, sizeof(*region), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, region);
	region->start = start;
	region->length = length;
	region->type = type;
	list_add_tail(&region->list, regions);
}

KUNIT_DEFINE_ACTION_WRAPPER(free_action, kfree, const void *);

static struct type1_ranges *usable(struct kunit *test, u64 start, u64 end,
				   struct list_head *regions)
{
	struct type1_ranges *ranges = type1_usable_ranges(start, end, regions);

	KUNIT_ASSERT_NOT_NULL(test, ranges);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, free_action, ranges));
	return ranges;
}

static void reserved_regions_are_left_out(struct kunit *test)
{
	const struct usable_case *c = test->param_value;
	struct type1_ranges *ranges;
	LIST_HEAD(regions);
	unsigned int i;

	for (i = 0; i < MAX_REGIONS && (c->resv[i].length || c->resv[i].type); i++)
		add_region(test, &regions, c->resv[i].start, c->resv[i].length,
			   c->resv[i].type);
	ranges = usable(test, c->start, c->end, &regions);
	for (i = 0; i <= MAX_REGIONS && c->left[i].end; i++) {
		KUNIT_ASSERT_LT(test, i, ranges->nr);
		KUNIT_EXPECT_EQ(test, ranges->range[i].start,
				c->left[i].start);
		KUNIT_EXPECT_EQ(test, ranges->range[i].end, c->left[i].end);
	}
	KUNIT_EXPECT_EQ(test, i, ranges->nr);
}

/* Every byte of a few, at both ends of the address space */
static void each_byte_is_usable_or_reserved(struct kunit *test)
{
	enum { SPACE = 64, ROUNDS = 300 };
	DECLARE_BITMAP(model, SPACE);
	unsigned int round, i, nr, first, len;
	u32 seed = 3;

	for (round = 0; round < ROUNDS; round++) {
		u64 base = round & 1 ? TOP(SPACE) : 0;
		struct type1_ranges *ranges;
		LIST_HEAD(regions);

		bitmap_fill(model, SPACE);
		for (nr = next_random(&seed, 6); nr; nr--) {
			first = next_random(&seed, SPACE);
			len = 1 + next_random(&seed, SPACE - first);
			len = min(len, 20);
			bitmap_clear(model, first, len);
			add_region(test, &regions, base + first, len,
				   IOMMU_RESV_RESERVED);
		}
		ranges = usable(test, base, base + SPACE - 1, &regions);
		for (i = 0; i < ranges->nr; i++) {
			KUNIT_EXPECT_LE(test, ranges->range[i].start,
					ranges->range[i].end);
			if (i)
				KUNIT_EXPECT_GT(test, ranges->range[i].start,
						ranges->range[i - 1].end);
		}
		for (i = 0; i < SPACE; i++)
			KUNIT_ASSERT_EQ_MSG(test, test_bit(i, model),
					    type1_iova_allowed(ranges, base + i,
							       base + i),
					    "round %u, byte %u", round, i);
		/* A range may be mapped if all of its bytes may. */
		for (i = 0; i < 100; i++) {
			first = next_random(&seed, SPACE);
			len = 1 + next_random(&seed, SPACE - first);
			KUNIT_ASSERT_EQ(test,
					find_next_zero_bit(model, first + len,
							   first) ==
					first + len,
					type1_iova_allowed(ranges,
							   base + first,
							   base + first + len -
							   1));
		}
	}
}

static void without_ranges_all_is_allowed(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, type1_iova_allowed(NULL, 0, ULONG_MAX));
}

/* ---- Containers ---- */

static void destroy(void *iommu)
{
	type1_destroy_mappings(iommu);
}

/* With a process that owns the mappings */
static struct type1_iommu *new_iommu(struct kunit *test, bool v2)
{
	struct type1_iommu *iommu;

	if (!current->mm)
		KUNIT_ASSERT_NE(test, 0UL,
				kunit_vm_mmap(test, NULL, 0, PAGE_SIZE,
					      PROT_READ | PROT_WRITE,
					      MAP_ANONYMOUS | MAP_PRIVATE, 0));
	KUNIT_ASSERT_NOT_NULL(test, current->mm);
	iommu = kunit_kzalloc(test, sizeof(*iommu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, iommu);
	iommu->v2 = v2;
	iommu->mappings = RB_ROOT_CACHED;
	iommu->pgsize_bitmap = PAGE_MASK;
	iommu->dma_avail = U16_MAX;
	INIT_LIST_HEAD(&iommu->domains);
	INIT_LIST_HEAD(&iommu->emulated_groups);
	INIT_LIST_HEAD(&iommu->devices);
	mutex_init(&iommu->lock);
	mutex_init(&iommu->devices_lock);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, destroy, iommu));
	return iommu;
}

static int map(struct type1_iommu *iommu, u64 iova, u64 size, u64 vaddr)
{
	struct vfio_iommu_type1_dma_map request = {
		.argsz = sizeof(request),
		.flags = RW,
		.vaddr = vaddr,
		.iova = iova,
		.size = size,
	};

	return type1_map(iommu, &request);
}

static int unmap(struct type1_iommu *iommu, u64 iova, u64 size, u64 *unmapped)
{
	struct type1_unmap_req req = {
		.first = iova,
		.last = iova + size - 1,
	};

	return type1_unmap(iommu, &req, unmapped);
}

struct map_case {
	const char *name;
	u64 iova;
	u64 size;
	u64 vaddr;
	int ret;
};

#define PG	PAGE_SIZE

static const struct map_case map_cases[] = {
	{ "a page", 0, PG, PG, 0 },
	{ "the last page", TOP(PG), PG, 0, 0 },
	{ "the last two pages", TOP(2 * PG), 2 * PG, 0, 0 },
	{ "memory at the end", 0, PG, TOP(PG), 0 },
	{ "all but a page", PG, TOP(PG), 0, 0 },
	{ "size 0", PG, 0, PG, -EINVAL },
	{ "wraps", TOP(PG), 2 * PG, 0, -EOVERFLOW },
	{ "memory wraps", 0, 2 * PG, TOP(PG), -EOVERFLOW },
	{ "size is ~0", 0, U64_MAX, 0, -EINVAL },
	{ "size is ~0 behind the start", PG, U64_MAX, 0, -EOVERFLOW },
	{ "largest size that wraps", PG, TOP(1), 0, -EOVERFLOW },
	{ "IOVA within a page", 1, PG, 0, -EINVAL },
	{ "size within a page", 0, PG + 1, 0, -EINVAL },
	{ "memory within a page", 0, PG, PG / 2, -EINVAL },
	{ "IOVA in the last page", U64_MAX, PG, 0, -EOVERFLOW },
	{ "last byte", U64_MAX, 1, 0, -EINVAL },
};

static void map_desc(const struct map_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(map, map_cases, map_desc);

static void map_at_the_borders(struct kunit *test)
{
	const struct map_case *c = test->param_value;
	struct type1_iommu *iommu = new_iommu(test, true);
	u64 unmapped = 1;

	KUNIT_EXPECT_EQ(test, c->ret, map(iommu, c->iova, c->size, c->vaddr));
	KUNIT_EXPECT_EQ(test, iommu->dma_avail, U16_MAX - !c->ret);
	if (c->ret)
		return;
	KUNIT_EXPECT_EQ(test, -EEXIST,
			map(iommu, c->iova, c->size, c->vaddr));
	KUNIT_EXPECT_EQ(test, 0, unmap(iommu, c->iova, c->size, &unmapped));
	KUNIT_EXPECT_EQ(test, unmapped, c->size);
	KUNIT_EXPECT_EQ(test, iommu->dma_avail, U16_MAX);
}

static void map_obeys_the_largest_minimum_page(struct kunit *test)
{
	struct type1_iommu *iommu = new_iommu(test, true);

	iommu->pgsize_bitmap = SZ_64K | SZ_2M;
	KUNIT_EXPECT_EQ(test, -EINVAL, map(iommu, SZ_4K, SZ_64K, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, map(iommu, 0, SZ_4K, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, map(iommu, 0, SZ_64K, SZ_4K));
	KUNIT_EXPECT_EQ(test, 0, map(iommu, TOP(SZ_64K), SZ_64K, 0));
	iommu->pgsize_bitmap = BIT(63);
	KUNIT_EXPECT_EQ(test, -EINVAL, map(iommu, 0, SZ_1G, 0));
	KUNIT_EXPECT_EQ(test, 0, map(iommu, 0, BIT_ULL(63), 0));
}

static void map_stays_in_the_usable_ranges(struct kunit *test)
{
	struct type1_iommu *iommu = new_iommu(test, true);
	LIST_HEAD(regions);

	add_region(test, &regions, 4 * PG, 2 * PG, IOMMU_RESV_MSI);
	iommu->ranges = usable(test, 0, 10 * PG - 1, &regions);
	KUNIT_EXPECT_EQ(test, -EINVAL, map(iommu, 4 * PG, PG, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, map(iommu, 3 * PG, 2 * PG, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, map(iommu, 3 * PG, 4 * PG, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, map(iommu, 9 * PG, 2 * PG, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, map(iommu, TOP(PG), PG, 0));
	KUNIT_EXPECT_EQ(test, 0, map(iommu, 0, 4 * PG, 0));
	KUNIT_EXPECT_EQ(test, 0, map(iommu, 6 * PG, 4 * PG, 0));
}

static void number_of_mappings_is_limited(struct kunit *test)
{
	struct type1_iommu *iommu = new_iommu(test, true);
	u64 unmapped;

	iommu->dma_avail = 2;
	KUNIT_EXPECT_EQ(test, 0, map(iommu, 0, PG, 0));
	KUNIT_EXPECT_EQ(test, 0, map(iommu, PG, PG, 0));
	KUNIT_EXPECT_EQ(test, -ENOSPC, map(iommu, 2 * PG, PG, 0));
	KUNIT_EXPECT_EQ(test, -EEXIST, map(iommu, 0, PG, 0));
	KUNIT_EXPECT_EQ(test, 0, unmap(iommu, 0, PG, &unmapped));
	KUNIT_EXPECT_EQ(test, 0, map(iommu, 2 * PG, PG, 0));
	KUNIT_EXPECT_EQ(test, iommu->dma_avail, 0);
}

/* ---- A model of a container: every page ---- */

#define MODEL_PAGES	24

struct model {
	u64 base;
	unsigned int first[MODEL_PAGES];	/* of the mapping, plus 1; 0: none */
	unsigned int pages[MODEL_PAGES];	/* of the mapping */
};

static bool model_is_free(const struct model *model, unsigned int first,
			  unsigned int pages)
{
	for (; pages; first++, pages--)
		if (model->first[first])
			return false;
	return true;
}

static void model_set(struct model *model, unsigned int first,
		      unsigned int pages, bool mapped)
{
	unsigned int i;

	for (i = first; i < first + pages; i++) {
		model->first[i] = mapped ? first + 1 : 0;
		model->pages[i] = mapped ? pages : 0;
	}
}

/* Is there a mapping that begins before page i and contains it? */
static bool model_cuts(const struct model *model, unsigned int i)
{
	return i < MODEL_PAGES && model->first[i] && model->first[i] - 1 != i;
}

static int model_unmap(struct model *model, bool v2, unsigned int first,
		       unsigned int pages, u64 *unmapped)
{
	unsigned int i, begin, n;

	*unmapped = 0;
	if (v2 && (model_cuts(model, first) ||
		   model_cuts(model, first + pages)))
		return -EINVAL;
	if (model_cuts(model, first))
		return 0;	/* VFIO_TYPE1_IOMMU stops here. */
	for (i = first; i < first + pages; i++) {
		if (!model->first[i])
			continue;
		begin = model->first[i] - 1;
		n = model->pages[i];
		*unmapped += n * PAGE_SIZE;
		model_set(model, begin, n, false);
	}
	return 0;
}

static void check_model(struct kunit *test, struct type1_iommu *iommu,
			const struct model *model)
{
	unsigned int i, mappings = 0;
	struct type1_mapping *m;

	for (i = 0; i < MODEL_PAGES; i++) {
		unsigned long iova = model->base + i * PAGE_SIZE;

		m = type1_first_mapping(iommu, iova, iova + PAGE_SIZE - 1);
		KUNIT_ASSERT_EQ(test, !!m, !!model->first[i]);
		if (!m)
			continue;
		mappings += model->first[i] - 1 == i;
		KUNIT_ASSERT_EQ(test, m->node.start, model->base +
				(model->first[i] - 1) * PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, type1_npages(m), model->pages[i]);
	}
	KUNIT_ASSERT_EQ(test, iommu->dma_avail, U16_MAX - mappings);
}

struct container_case {
	const char *name;
	bool v2;
	u64 base;
};

static const struct container_case container_cases[] = {
	{ "v2, start of the space", true, 0 },
	{ "v2, end of the space", true, TOP(MODEL_PAGES * PAGE_SIZE) },
	{ "v2, middle", true, BIT_ULL(63) - 8 * PAGE_SIZE },
	{ "v1, start of the space", false, 0 },
	{ "v1, end of the space", false, TOP(MODEL_PAGES * PAGE_SIZE) },
};

static void container_desc(const struct container_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(container, container_cases, container_desc);

static void map_and_unmap_at_random(struct kunit *test)
{
	enum { ROUNDS = 4000 };
	const struct container_case *c = test->param_value;
	struct type1_iommu *iommu = new_iommu(test, c->v2);
	struct model model = { .base = c->base };
	unsigned int round, first, pages, refused = 0, cut = 0;
	u64 iova, unmapped, expected;
	u32 seed = 7;
	int ret;

	for (round = 0; round < ROUNDS; round++) {
		first = next_random(&seed, MODEL_PAGES);
		pages = 1 + next_random(&seed, min(MODEL_PAGES - first, 9U));
		iova = model.base + first * PAGE_SIZE;
		if (next_random(&seed, 5) < 3) {
			ret = model_is_free(&model, first, pages) ? 0 : -EEXIST;
			refused += !!ret;
			KUNIT_ASSERT_EQ(test, ret,
					map(iommu, iova, pages * PAGE_SIZE, 0));
			if (!ret)
				model_set(&model, first, pages, true);
		} else {
			ret = model_unmap(&model, c->v2, first, pages,
					  &expected);
			cut += !!ret;
			KUNIT_ASSERT_EQ(test, ret,
					unmap(iommu, iova, pages * PAGE_SIZE,
					      &unmapped));
			KUNIT_ASSERT_EQ(test, unmapped, expected);
		}
		check_model(test, iommu, &model);
	}
	/* Both cases have occurred. */
	KUNIT_EXPECT_GT(test, refused, ROUNDS / 20);
	if (c->v2)
		KUNIT_EXPECT_GT(test, cut, ROUNDS / 20);
}

/* Every range over two mappings with a gap: does it cut one? */
static void ranges_that_cut_mappings(struct kunit *test)
{
	const struct container_case *c = test->param_value;
	struct type1_iommu *iommu = new_iommu(test, c->v2);
	struct model model = { .base = c->base };
	unsigned int first, pages;

	model_set(&model, 3, 4, true);
	model_set(&model, 9, MODEL_PAGES - 9, true);
	KUNIT_ASSERT_EQ(test, 0, map(iommu, c->base + 3 * PG, 4 * PG, 0));
	KUNIT_ASSERT_EQ(test, 0, map(iommu, c->base + 9 * PG,
				     (MODEL_PAGES - 9) * PG, 0));
	for (first = 0; first < MODEL_PAGES; first++) {
		for (pages = 1; pages <= MODEL_PAGES - first; pages++) {
			bool cuts = model_cuts(&model, first) ||
				    model_cuts(&model, first + pages);
			u64 iova = c->base + first * PG;

			KUNIT_EXPECT_EQ_MSG(test, cuts ? -EINVAL : 0,
					    type1_check_no_bisect(iommu, iova,
								  iova + pages *
								  PG - 1),
					    "%u pages from %u on", pages,
					    first);
		}
	}
	KUNIT_EXPECT_EQ(test, 0, type1_check_no_bisect(iommu, 0, ULONG_MAX));
}

static void unmap_all(struct kunit *test)
{
	const struct container_case *c = test->param_value;
	struct type1_iommu *iommu = new_iommu(test, c->v2);
	struct type1_unmap_req all = { .first = 0, .last = ULONG_MAX };
	u64 unmapped;

	KUNIT_ASSERT_EQ(test, 0, map(iommu, 0, PG, 0));
	KUNIT_ASSERT_EQ(test, 0, map(iommu, BIT_ULL(40), 5 * PG, 0));
	KUNIT_ASSERT_EQ(test, 0, map(iommu, TOP(PG), PG, 0));
	KUNIT_EXPECT_EQ(test, 0, type1_unmap(iommu, &all, &unmapped));
	KUNIT_EXPECT_EQ(test, unmapped, 7 * PG);
	KUNIT_EXPECT_EQ(test, 0, type1_unmap(iommu, &all, &unmapped));
	KUNIT_EXPECT_EQ(test, unmapped, 0);
	KUNIT_EXPECT_EQ(test, iommu->dma_avail, U16_MAX);
}

static void new_vaddr(struct kunit *test)
{
	struct type1_iommu *iommu = new_iommu(test, true);
	struct vfio_iommu_type1_dma_map update = {
		.flags = VFIO_DMA_MAP_FLAG_VADDR,
		.iova = TOP(2 * PG),
		.size = 2 * PG,
		.vaddr = 16 * PG,
	};
	struct type1_unmap_req take = {
		.first = 0,
		.last = ULONG_MAX,
		.vaddr_only = true,
	};
	u64 size;

	KUNIT_ASSERT_EQ(test, 0, map(iommu, TOP(2 * PG), 2 * PG, PG));
	KUNIT_EXPECT_EQ(test, -EINVAL, type1_update_vaddr(iommu, &update));
	KUNIT_EXPECT_EQ(test, 0, type1_unmap(iommu, &take, &size));
	KUNIT_EXPECT_EQ(test, size, 2 * PG);
	KUNIT_EXPECT_EQ(test, iommu->nr_vaddr_invalid, 1);
	KUNIT_EXPECT_EQ(test, -EINVAL, type1_unmap(iommu, &take, &size));

	update.size = PG;
	KUNIT_EXPECT_EQ(test, -EINVAL, type1_update_vaddr(iommu, &update));
	update.iova += PG;
	KUNIT_EXPECT_EQ(test, -EINVAL, type1_update_vaddr(iommu, &update));
	update.size = 2 * PG;
	KUNIT_EXPECT_EQ(test, -EOVERFLOW, type1_update_vaddr(iommu, &update));
	update.iova = 0;
	KUNIT_EXPECT_EQ(test, -ENOENT, type1_update_vaddr(iommu, &update));
	update.iova = TOP(2 * PG);
	update.vaddr = TOP(PG);
	KUNIT_EXPECT_EQ(test, -EOVERFLOW, type1_update_vaddr(iommu, &update));
	update.vaddr = 16 * PG;
	KUNIT_EXPECT_EQ(test, 0, type1_update_vaddr(iommu, &update));
	KUNIT_EXPECT_EQ(test, iommu->nr_vaddr_invalid, 0);
	KUNIT_EXPECT_EQ(test, 16 * PG,
			type1_first_mapping(iommu, ULONG_MAX,
					    ULONG_MAX)->vaddr);
}

/* ---- Dirty bitmaps ---- */

#define BITMAP_BYTES	(3 * PAGE_SIZE)

struct bitmap_case {
	const char *name;
	u64 first;
	u64 last;
	u64 size;
	int ret;
	u64 pgsize;		/* 0: the right one */
};

static const struct bitmap_case bitmap_cases[] = {
	{ "a page", 0, PG - 1, 8, 0 },
	{ "a page, no room", 0, PG - 1, 7, -EINVAL },
	{ "a page, none at all", 0, PG - 1, 0, -EINVAL },
	{ "64 pages", 0, 64 * PG - 1, 8, 0 },
	{ "65 pages", 0, 65 * PG - 1, 16, 0 },
	{ "65 pages, one word", 0, 65 * PG - 1, 15, -EINVAL },
	{ "more room than needed", PG, 2 * PG - 1, PG, 0 },
	{ "largest bitmap", 0, PG - 1, TYPE1_DIRTY_BITMAP_MAX, 0 },
	{ "larger than that", 0, PG - 1, TYPE1_DIRTY_BITMAP_MAX + 1, -EINVAL },
	{ "size is ~0", 0, PG - 1, U64_MAX, -EINVAL },
	{ "most pages", 0, (PG << 31) - 1, TYPE1_DIRTY_BITMAP_MAX, 0 },
	{ "one more", 0, (PG << 31) + PG - 1, TYPE1_DIRTY_BITMAP_MAX,
	  -EINVAL },
	{ "all of the space", 0, U64_MAX, TYPE1_DIRTY_BITMAP_MAX, -EINVAL },
	{ "all of the space, small", 0, U64_MAX, 8, -EINVAL },
	{ "last page", TOP(PG), U64_MAX, 8, 0 },
	{ "last 64 pages", TOP(64 * PG), U64_MAX, 8, 0 },
	{ "last 65 pages", TOP(65 * PG), U64_MAX, 15, -EINVAL },
	{ "starts within a page", 8, PG - 1, 8, -EINVAL },
	{ "ends within a page", 0, PG, 8, -EINVAL },
	{ "pgsize 1", 0, PG - 1, BITMAP_BYTES, -EINVAL, 1 },
	{ "pgsize twice a page", 0, PG - 1, 8, -EINVAL, 2 * PG },
	{ "pgsize no power of two", 0, PG - 1, 8, -EINVAL, PG + 1 },
	{ "pgsize ~0", 0, PG - 1, 8, -EINVAL, U64_MAX },
};

static void bitmap_desc(const struct bitmap_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(bitmap, bitmap_cases, bitmap_desc);

static u64 __user *user_bitmap(struct kunit *test)
{
	unsigned long addr = kunit_vm_mmap(test, NULL, 0, BITMAP_BYTES,
					   PROT_READ | PROT_WRITE,
					   MAP_ANONYMOUS | MAP_PRIVATE, 0);

	KUNIT_ASSERT_NE(test, addr, 0UL);
	KUNIT_ASSERT_LT(test, addr, TASK_SIZE);
	return (u64 __user *)addr;
}

static void size_of_dirty_bitmaps(struct kunit *test)
{
	const struct bitmap_case *c = test->param_value;
	struct type1_iommu *iommu = new_iommu(test, true);
	struct vfio_bitmap bitmap = {
		.pgsize = c->pgsize ?: PG,
		.size = c->size,
		/* Never accessed, and far from the end of user space */
		.data = (u64 __user *)PG,
	};

	KUNIT_EXPECT_EQ(test, -EINVAL,
			type1_check_bitmap(iommu, c->first, c->last, &bitmap));
	iommu->dirty_tracking = true;
	KUNIT_EXPECT_EQ(test, c->ret,
			type1_check_bitmap(iommu, c->first, c->last, &bitmap));
	/* Not to kernel memory */
	bitmap.data = (u64 __user *)iommu;
	KUNIT_EXPECT_EQ(test, -EINVAL,
			type1_check_bitmap(iommu, c->first, c->last, &bitmap));
}

static void bitmap_of_larger_pages(struct kunit *test)
{
	struct type1_iommu *iommu = new_iommu(test, true);
	struct vfio_bitmap bitmap = {
		.pgsize = BIT_ULL(63),
		.size = 8,
		.data = user_bitmap(test),
	};

	iommu->dirty_tracking = true;
	iommu->pgsize_bitmap = BIT(63);
	KUNIT_EXPECT_EQ(test, 0,
			type1_check_bitmap(iommu, 0, ULONG_MAX, &bitmap));
	KUNIT_EXPECT_EQ(test, 0, type1_check_bitmap(iommu, BIT(63), ULONG_MAX,
						    &bitmap));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			type1_check_bitmap(iommu, BIT(62), ULONG_MAX, &bitmap));
	bitmap.pgsize = PG;
	KUNIT_EXPECT_EQ(test, -EINVAL,
			type1_check_bitmap(iommu, 0, PG - 1, &bitmap));
}

/*
 * Two mappings and a gap, longer than a chunk of marks (32768 pages), at the
 * end of the address space: exactly the marked pages are reported, once.
 */
#define FIRST_PAGES	33000UL
#define GAP_PAGES	77UL
#define LAST_PAGES	40000UL
#define ALL_PAGES	(FIRST_PAGES + GAP_PAGES + LAST_PAGES)

static int report(struct kunit *test, struct type1_iommu *iommu,
		  unsigned long first, unsigned long last,
		  struct vfio_bitmap *bitmap, unsigned long *bits)
{
	int ret = type1_check_bitmap(iommu, first, last, bitmap);

	if (ret)
		return ret;
	ret = type1_dirty_report(iommu, first, last, bitmap);
	KUNIT_ASSERT_EQ(test, 0,
			copy_from_user(bits, bitmap->data, BITMAP_BYTES));
	return ret;
}

static void marks_are_reported_once(struct kunit *test)
{
	static const unsigned long marks[][2] = {
		/* first page of the mapping, pages */
		{ 0, 1 }, { 63, 2 }, { 1000, 500 }, { 32767, 1 }, { 32768, 1 },
		{ 32700, 200 }, { 32999, 1 },
	};
	struct type1_iommu *iommu = new_iommu(test, true);
	struct vfio_bitmap bitmap = {
		.pgsize = PG,
		.size = BITMAP_BYTES,
		.data = user_bitmap(test),
	};
	unsigned long *bits, *expected, first = TOP(ALL_PAGES * PG);
	struct type1_mapping *m[2];
	unsigned int i, k;

	bits = kunit_kzalloc(test, BITMAP_BYTES, GFP_KERNEL);
	expected = kunit_kzalloc(test, BITMAP_BYTES, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bits);
	KUNIT_ASSERT_NOT_NULL(test, expected);
	KUNIT_ASSERT_LT(test, ALL_PAGES, BITMAP_BYTES * BITS_PER_BYTE);

	iommu->dirty_tracking = true;
	KUNIT_ASSERT_EQ(test, 0, map(iommu, first, FIRST_PAGES * PG, 0));
	KUNIT_ASSERT_EQ(test, 0, map(iommu, TOP(LAST_PAGES * PG),
				     LAST_PAGES * PG, 0));
	m[0] = type1_first_mapping(iommu, first, first);
	m[1] = type1_first_mapping(iommu, ULONG_MAX, ULONG_MAX);

	/*
	 * Only bits of mappings are overwritten; those of the gap and beyond
	 * the mappings stay as they were.
	 */
	memset(expected, 0xff, BITMAP_BYTES);
	KUNIT_ASSERT_EQ(test, 0,
			copy_to_user(bitmap.data, expected, BITMAP_BYTES));
	bitmap_clear(expected, 0, FIRST_PAGES);
	bitmap_clear(expected, FIRST_PAGES + GAP_PAGES, LAST_PAGES);

	for (k = 0; k < 2; k++) {
		unsigned long start = k ? FIRST_PAGES + GAP_PAGES : 0;

		for (i = 0; i < ARRAY_SIZE(marks); i++) {
			type1_dirty_mark(m[k], marks[i][0], marks[i][1]);
			bitmap_set(expected, start + marks[i][0], marks[i][1]);
		}
	}
	type1_dirty_mark(m[1], LAST_PAGES - 1, 1);
	__set_bit(ALL_PAGES - 1, expected);

	KUNIT_ASSERT_EQ(test, 0, report(test, iommu, first, ULONG_MAX, &bitmap,
					bits));
	for (i = 0; i < BITMAP_BYTES * BITS_PER_BYTE; i++)
		KUNIT_ASSERT_EQ_MSG(test, test_bit(i, bits),
				    test_bit(i, expected), "page %u", i);

	KUNIT_ASSERT_EQ(test, 0, clear_user(bitmap.data, BITMAP_BYTES));
	KUNIT_ASSERT_EQ(test, 0, report(test, iommu, first, ULONG_MAX, &bitmap,
					bits));
	KUNIT_EXPECT_PTR_EQ(test, NULL, memchr_inv(bits, 0, BITMAP_BYTES));
}

/* Small mappings next to each other, whose bits share words */
static void neighbours_share_words(struct kunit *test)
{
	static const unsigned int sizes[] = { 1, 62, 3, 64, 65, 5, 128, 2, 1 };
	struct type1_iommu *iommu = new_iommu(test, true);
	struct vfio_bitmap bitmap = {
		.pgsize = PG,
		.size = BITMAP_BYTES,
		.data = user_bitmap(test),
	};
	unsigned long *bits, at = 7, base = 100;
	DECLARE_BITMAP(expected, 512);
	struct type1_mapping *m;
	unsigned int i;

	bits = kunit_kzalloc(test, BITMAP_BYTES, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bits);
	bitmap_fill(expected, 512);
	KUNIT_ASSERT_EQ(test, 0, copy_to_user(bitmap.data, expected, 64));
	iommu->dirty_tracking = true;
	for (i = 0; i < ARRAY_SIZE(sizes); at += sizes[i++]) {
		KUNIT_ASSERT_EQ(test, 0, map(iommu, (base + at) * PG,
					     sizes[i] * PG, 0));
		m = type1_first_mapping(iommu, (base + at) * PG,
					(base + at) * PG);
		bitmap_clear(expected, at, sizes[i]);
		if (i % 3 == 0) {
			m->all_dirty = true;
			bitmap_set(expected, at, sizes[i]);
		} else if (i % 3 == 1) {
			type1_dirty_mark(m, sizes[i] - 1, 1);
			__set_bit(at + sizes[i] - 1, expected);
		}
	}
	KUNIT_ASSERT_LT(test, at, 512);
	KUNIT_ASSERT_EQ(test, 0, report(test, iommu, base * PG,
					(base + 512) * PG - 1, &bitmap, bits));
	for (i = 0; i < 512; i++)
		KUNIT_EXPECT_EQ_MSG(test, test_bit(i, bits),
				    test_bit(i, expected), "page %u", i);
}

/* A whole mapping, and a range that begins in a gap */
static void whole_mappings_are_reported(struct kunit *test)
{
	struct type1_iommu *iommu = new_iommu(test, true);
	struct vfio_bitmap bitmap = {
		.pgsize = PG,
		.size = BITMAP_BYTES,
		.data = user_bitmap(test),
	};
	unsigned long *bits;
	unsigned int i;

	bits = kunit_kzalloc(test, BITMAP_BYTES, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bits);
	iommu->dirty_tracking = true;
	KUNIT_ASSERT_EQ(test, 0, map(iommu, 100 * PG, 40000 * PG, 0));
	type1_first_mapping(iommu, 100 * PG, 100 * PG)->all_dirty = true;

	KUNIT_ASSERT_EQ(test, 0, report(test, iommu, 33 * PG, 50033 * PG - 1,
					&bitmap, bits));
	for (i = 0; i < BITMAP_BYTES * BITS_PER_BYTE; i++)
		KUNIT_ASSERT_EQ_MSG(test, test_bit(i, bits),
				    i >= 67 && i < 40067, "page %u", i);
}

static void marks_stay_after_a_fault(struct kunit *test)
{
	struct type1_iommu *iommu = new_iommu(test, true);
	struct vfio_bitmap bitmap = { .pgsize = PG, .size = 8 };
	struct type1_mapping *m;
	u64 __user *data = user_bitmap(test);
	unsigned long *bits;

	bits = kunit_kzalloc(test, BITMAP_BYTES, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bits);
	iommu->dirty_tracking = true;
	KUNIT_ASSERT_EQ(test, 0, map(iommu, 0, 64 * PG, 0));
	m = type1_first_mapping(iommu, 0, 0);
	type1_dirty_mark(m, 7, 1);

	bitmap.data = (u64 __user *)8;	/* nothing is mapped there */
	KUNIT_EXPECT_EQ(test, -EFAULT,
			type1_dirty_report(iommu, 0, 64 * PG - 1, &bitmap));
	bitmap.data = data;
	KUNIT_EXPECT_EQ(test, 0, report(test, iommu, 0, 64 * PG - 1, &bitmap,
					bits));
	KUNIT_EXPECT_EQ(test, bits[0], BIT(7));
}

/* ---- Runs of page frames ---- */

/* No page here is pinned, so there is none to unpin. */
static void forget_runs(void *mapping)
{
	struct type1_mapping *m = mapping;

	m->stuck = true;
	type1_unpin_mapping(m);
}

static struct type1_mapping *new_mapping(struct kunit *test,
					 unsigned long iova,
					 unsigned long pages)
{
	struct type1_mapping *m;

	m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m);
	m->node.start = iova;
	m->node.last = iova + pages * PAGE_SIZE - 1;
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, forget_runs, m));
	return m;
}

/* Append @npages contiguous frames, as many at once as fit the run */
static void append(struct kunit *test, struct type1_mapping *m,
		   unsigned long pfn, unsigned long npages, unsigned int order)
{
	unsigned long n;

	for (; npages; pfn += n, npages -= n) {
		n = min(npages, type1_run_room(m));
		KUNIT_ASSERT_EQ(test, 0, type1_append_run(m, pfn, n, order));
	}
}

/* Runs follow each other, none crosses a border, and the sum is right. */
static unsigned int check_runs(struct kunit *test, struct type1_mapping *m)
{
	const struct type1_run_block *block;
	unsigned long pos = m->node.start >> PAGE_SHIFT, pages = 0, pinned = 0;
	unsigned int i, runs = 0;

	for (block = m->runs.first; block; block = block->next) {
		KUNIT_ASSERT_LE(test, block->nr, block->max);
		for (i = 0; i < block->nr; i++, runs++) {
			const struct type1_run *r = &block->run[i];

			KUNIT_ASSERT_GT(test, (u64)r->npages, 0);
			KUNIT_ASSERT_EQ(test, pos >> TYPE1_RUN_SHIFT,
					(pos + r->npages - 1) >>
					TYPE1_RUN_SHIFT);
			pos += r->npages;
			pages += r->npages;
			pinned += r->order != TYPE1_NO_PIN ? r->npages : 0;
		}
		if (!block->next)
			KUNIT_ASSERT_PTR_EQ(test, block, m->runs.last);
	}
	KUNIT_EXPECT_EQ(test, pages, m->runs.nr_pages);
	KUNIT_EXPECT_EQ(test, pinned, m->runs.nr_pinned);
	return runs;
}

static void runs_end_at_their_borders(struct kunit *test)
{
	struct type1_mapping *m = new_mapping(test, 0, 4 * TYPE1_RUN_MAX);

	append(test, m, 1000, 3 * TYPE1_RUN_MAX, 0);
	KUNIT_EXPECT_EQ(test, check_runs(test, m), 3);
	KUNIT_EXPECT_EQ(test, m->runs.nr_pages, 3 * TYPE1_RUN_MAX);
	KUNIT_EXPECT_EQ(test, (u64)m->runs.first->run[0].npages, TYPE1_RUN_MAX);

	m = new_mapping(test, (TYPE1_RUN_MAX - 1) * PAGE_SIZE,
			TYPE1_RUN_MAX + 2);
	append(test, m, 1000, TYPE1_RUN_MAX + 2, 0);
	KUNIT_EXPECT_EQ(test, check_runs(test, m), 3);
	KUNIT_EXPECT_EQ(test, (u64)m->runs.first->run[0].npages, 1);
}

static void runs_at_the_end_of_the_space(struct kunit *test)
{
	struct type1_mapping *m = new_mapping(test, TOP(5 * PAGE_SIZE), 5);

	append(test, m, 1000, 5, 0);
	KUNIT_EXPECT_EQ(test, check_runs(test, m), 1);
	/* The next IOVA would be 0 */
	KUNIT_EXPECT_EQ(test, type1_run_room(m), TYPE1_RUN_MAX);
}

static void contiguous_frames_are_one_run(struct kunit *test)
{
	struct type1_mapping *m = new_mapping(test, 0, 100);

	append(test, m, 10, 5, 0);
	append(test, m, 15, 5, 0);		/* goes on */
	append(test, m, 20, 5, TYPE1_NO_PIN);		/* not pinned */
	append(test, m, 25, 5, TYPE1_NO_PIN);
	append(test, m, 31, 1, TYPE1_NO_PIN);		/* a gap */
	append(test, m, 30, 1, TYPE1_NO_PIN);		/* backwards */
	append(test, m, 30, 1, TYPE1_NO_PIN);		/* the same again */
	append(test, m, 31, 1, 0);
	KUNIT_EXPECT_EQ(test, check_runs(test, m), 6);
	KUNIT_EXPECT_EQ(test, m->runs.nr_pages, 24);
	KUNIT_EXPECT_EQ(test, m->runs.nr_pinned, 11);
}

/* One pin for each block of huge pages: runs join where blocks end. */
static void huge_pages_are_pinned_as_blocks(struct kunit *test)
{
	struct type1_mapping *m = new_mapping(test, 0, 5000);
	struct type1_run *r;

	append(test, m, 512 + 10, 502, 9);	/* the rest of a huge page */
	append(test, m, 1024, 512, 9);		/* goes on */
	append(test, m, 1536, 100, 9);		/* a part of the next one */
	KUNIT_EXPECT_EQ(test, check_runs(test, m), 1);
	append(test, m, 1636, 412, 9);		/* its rest: another pin */
	KUNIT_EXPECT_EQ(test, check_runs(test, m), 2);
	append(test, m, 2048, 512, 9);
	KUNIT_EXPECT_EQ(test, check_runs(test, m), 2);
	append(test, m, 2560, 512, 0);		/* small pages */
	append(test, m, 3072, 512, 10);		/* another size */
	KUNIT_EXPECT_EQ(test, check_runs(test, m), 4);
	r = m->runs.last->run;
	KUNIT_EXPECT_EQ(test, (u64)r[0].pfn, 522);
	KUNIT_EXPECT_EQ(test, (u64)r[0].npages, 1114);
	KUNIT_EXPECT_EQ(test, (u64)r[1].pfn, 1636);
	KUNIT_EXPECT_EQ(test, (u64)r[1].npages, 924);
}

static void many_runs(struct kunit *test)
{
	enum { NR = 3000 };
	struct type1_mapping *m = new_mapping(test, 0, NR);
	unsigned int i;

	for (i = 0; i < NR; i++)
		append(test, m, 2 * i, 1, i & 1 ? 0 : TYPE1_NO_PIN);
	KUNIT_EXPECT_EQ(test, check_runs(test, m), NR);
	KUNIT_EXPECT_EQ(test, m->runs.nr_pinned, NR / 2);
}

static void frames_beyond_the_field_are_refused(struct kunit *test)
{
	struct type1_mapping *m = new_mapping(test, 0, 10);
	unsigned long max = BIT(TYPE1_PFN_BITS) - 1;

	KUNIT_EXPECT_EQ(test, -EFAULT, type1_append_run(m, max + 1, 1, 0));
	KUNIT_EXPECT_EQ(test, m->runs.nr_pages, 0);
	KUNIT_EXPECT_EQ(test, 0, type1_append_run(m, max, 1, 0));
	KUNIT_EXPECT_EQ(test, (u64)m->runs.first->run[0].pfn, max);
}

/* ---- IOMMU drivers that fail ---- */

#define FAKE_PAGES	16UL
#define NO_PAGE		ULONG_MAX

/* An IOMMU domain for IOVAs from 0 on: a bitmap of mapped pages */
struct fake_domain {
	struct iommu_domain domain;
	struct type1_domain d;
	DECLARE_BITMAP(mapped, FAKE_PAGES);
	unsigned long map_fails_at;	/* this page; those before are mapped */
	bool unmap_fails;
	bool unmap_takes_more;
};

static int fake_map(struct iommu_domain *domain, unsigned long iova,
		    phys_addr_t paddr, size_t pgsize, size_t pgcount, int prot,
		    gfp_t gfp, size_t *mapped)
{
	struct fake_domain *fake = container_of(domain, typeof(*fake), domain);
	unsigned long page = iova / PAGE_SIZE;

	for (; pgcount; pgcount--, page++) {
		if (page == fake->map_fails_at)
			return -ENOMEM;
		__set_bit(page, fake->mapped);
		*mapped += PAGE_SIZE;
	}
	return 0;
}

static size_t fake_unmap(struct iommu_domain *domain, unsigned long iova,
			 size_t pgsize, size_t pgcount,
			 struct iommu_iotlb_gather *gather)
{
	struct fake_domain *fake = container_of(domain, typeof(*fake), domain);

	if (fake->unmap_fails)
		return 0;
	bitmap_clear(fake->mapped, iova / PAGE_SIZE, pgcount);
	return pgcount * pgsize * (fake->unmap_takes_more ? 2 : 1);
}

static phys_addr_t fake_iova_to_phys(struct iommu_domain *domain,
				     dma_addr_t iova)
{
	struct fake_domain *fake = container_of(domain, typeof(*fake), domain);

	return test_bit(iova / PAGE_SIZE, fake->mapped) ? iova + SZ_1M : 0;
}

static const struct iommu_domain_ops fake_ops = {
	.map_pages = fake_map,
	.unmap_pages = fake_unmap,
	.iova_to_phys = fake_iova_to_phys,
};

static struct fake_domain *new_fake(struct kunit *test)
{
	struct fake_domain *fake;

	fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake);
	fake->domain.type = IOMMU_DOMAIN_UNMANAGED;
	fake->domain.ops = &fake_ops;
	fake->domain.pgsize_bitmap = PAGE_SIZE;
	fake->d.domain = &fake->domain;
	INIT_LIST_HEAD(&fake->d.groups);
	fake->map_fails_at = NO_PAGE;
	return fake;
}

/* A mapping of FAKE_PAGES at 0, in no domain and without memory */
static struct type1_mapping *fake_mapping(struct kunit *test,
					  struct type1_iommu *iommu,
					  unsigned int order)
{
	struct type1_mapping *m;

	KUNIT_ASSERT_EQ(test, 0, map(iommu, 0, FAKE_PAGES * PG, 0));
	m = type1_first_mapping(iommu, 0, 0);
	KUNIT_ASSERT_EQ(test, 0,
			type1_append_run(m, 256, FAKE_PAGES / 2, order));
	KUNIT_ASSERT_EQ(test, 0,
			type1_append_run(m, 1000, FAKE_PAGES / 2, order));
	return m;
}

/* If mapping in a new domain fails, other domains are not affected. */
static void failing_replay_leaves_mappings_alone(struct kunit *test)
{
	struct type1_iommu *iommu = new_iommu(test, true);
	struct fake_domain *old = new_fake(test), *new = new_fake(test);
	struct type1_mapping *m = fake_mapping(test, iommu, TYPE1_NO_PIN);
	unsigned long at;

	list_add_tail(&old->d.next, &iommu->domains);
	KUNIT_EXPECT_EQ(test, 0, type1_map_domains(iommu, m));
	KUNIT_EXPECT_TRUE(test, bitmap_full(old->mapped, FAKE_PAGES));
	m->in_iommu = true;

	for (at = 0; at < FAKE_PAGES; at++) {
		new->map_fails_at = at;
		new->unmap_fails = false;
		KUNIT_EXPECT_EQ(test, -ENOMEM, type1_replay(iommu, &new->d));
		KUNIT_EXPECT_TRUE(test, bitmap_empty(new->mapped, FAKE_PAGES));
		new->unmap_fails = true;
		KUNIT_EXPECT_EQ(test, -ENOMEM, type1_replay(iommu, &new->d));
		KUNIT_EXPECT_FALSE(test, m->stuck);
		KUNIT_EXPECT_TRUE(test, m->in_iommu);
		bitmap_zero(new->mapped, FAKE_PAGES);
	}
	type1_unmap_domains(iommu, m);
	KUNIT_EXPECT_FALSE(test, m->stuck);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(old->mapped, FAKE_PAGES));
	m->in_iommu = false;
	INIT_LIST_HEAD(&iommu->domains);
}

/* A map that fails in the second domain is undone in both. */
static void failing_map_is_undone(struct kunit *test)
{
	struct type1_iommu *iommu = new_iommu(test, true);
	struct fake_domain *one = new_fake(test), *two = new_fake(test);
	struct type1_mapping *m = fake_mapping(test, iommu, TYPE1_NO_PIN);
	unsigned long at;

	list_add_tail(&one->d.next, &iommu->domains);
	list_add_tail(&two->d.next, &iommu->domains);
	for (at = 0; at < FAKE_PAGES; at++) {
		two->map_fails_at = at;
		KUNIT_EXPECT_EQ(test, -ENOMEM, type1_map_domains(iommu, m));
		KUNIT_EXPECT_TRUE(test, bitmap_empty(one->mapped, FAKE_PAGES));
		KUNIT_EXPECT_TRUE(test, bitmap_empty(two->mapped, FAKE_PAGES));
		KUNIT_EXPECT_FALSE(test, m->stuck);
	}
	one->unmap_fails = true;
	KUNIT_EXPECT_EQ(test, -ENOMEM, type1_map_domains(iommu, m));
	KUNIT_EXPECT_TRUE(test, m->stuck);
	INIT_LIST_HEAD(&iommu->domains);
}

/* Some IOMMUs unmap all of a large page. */
static void unmapping_more_is_no_failure(struct kunit *test)
{
	struct type1_iommu *iommu = new_iommu(test, true);
	struct type1_mapping *m = fake_mapping(test, iommu, TYPE1_NO_PIN);
	struct fake_domain *fake = new_fake(test);

	list_add_tail(&fake->d.next, &iommu->domains);
	KUNIT_EXPECT_EQ(test, 0, type1_map_domains(iommu, m));
	fake->unmap_takes_more = true;
	type1_unmap_domains(iommu, m);
	KUNIT_EXPECT_FALSE(test, m->stuck);
	INIT_LIST_HEAD(&iommu->domains);
}

/* Memory that stays pinned stays charged, even after the mapping is freed. */
static void stuck_memory_stays_charged(struct kunit *test)
{
	struct type1_iommu *iommu = new_iommu(test, true);
	/* Only the runs say that it is pinned; nothing is unpinned here. */
	struct type1_mapping *m = fake_mapping(test, iommu, 0);
	struct fake_domain *fake = new_fake(test);
	struct mm_struct *mm = current->mm;
	unsigned long charged, before;
	u64 unmapped;

	before = mm->locked_vm;
	KUNIT_ASSERT_EQ(test, 0, type1_recharge(m));
	charged = mm->locked_vm;
	KUNIT_EXPECT_EQ(test, charged, before + FAKE_PAGES);
	list_add_tail(&fake->d.next, &iommu->domains);
	KUNIT_EXPECT_EQ(test, 0, type1_map_domains(iommu, m));
	m->in_iommu = true;
	fake->unmap_fails = true;
	KUNIT_EXPECT_EQ(test, 0, unmap(iommu, 0, FAKE_PAGES * PG, &unmapped));
	KUNIT_EXPECT_EQ(test, mm->locked_vm, charged);
	KUNIT_EXPECT_NULL(test, type1_first_mapping(iommu, 0, ULONG_MAX));
	KUNIT_EXPECT_EQ(test, 0, account_locked_vm(mm, FAKE_PAGES, false));
	INIT_LIST_HEAD(&iommu->domains);
}

static struct kunit_case type1_range_cases[] = {
	KUNIT_CASE_PARAM(ranges_from_user_space, range_gen_params),
	KUNIT_CASE_PARAM(reserved_regions_are_left_out, usable_gen_params),
	KUNIT_CASE(each_byte_is_usable_or_reserved),
	KUNIT_CASE(without_ranges_all_is_allowed),
	{}
};

static struct kunit_suite type1_range_suite = {
	.name = "vfio_type1_ranges",
	.test_cases = type1_range_cases,
};

static struct kunit_case type1_mapping_cases[] = {
	KUNIT_CASE_PARAM(map_at_the_borders, map_gen_params),
	KUNIT_CASE(map_obeys_the_largest_minimum_page),
	KUNIT_CASE(map_stays_in_the_usable_ranges),
	KUNIT_CASE(number_of_mappings_is_limited),
	KUNIT_CASE_PARAM(map_and_unmap_at_random, container_gen_params),
	KUNIT_CASE_PARAM(ranges_that_cut_mappings, container_gen_params),
	KUNIT_CASE_PARAM(unmap_all, container_gen_params),
	KUNIT_CASE(new_vaddr),
	{}
};

static struct kunit_suite type1_mapping_suite = {
	.name = "vfio_type1_mappings",
	.test_cases = type1_mapping_cases,
};

static struct kunit_case type1_dirty_cases[] = {
	KUNIT_CASE_PARAM(size_of_dirty_bitmaps, bitmap_gen_params),
	KUNIT_CASE(bitmap_of_larger_pages),
	KUNIT_CASE(marks_are_reported_once),
	KUNIT_CASE(neighbours_share_words),
	KUNIT_CASE(whole_mappings_are_reported),
	KUNIT_CASE(marks_stay_after_a_fault),
	{}
};

static struct kunit_suite type1_dirty_suite = {
	.name = "vfio_type1_dirty",
	.test_cases = type1_dirty_cases,
};

static struct kunit_case type1_run_cases[] = {
	KUNIT_CASE(runs_end_at_their_borders),
	KUNIT_CASE(runs_at_the_end_of_the_space),
	KUNIT_CASE(contiguous_frames_are_one_run),
	KUNIT_CASE(huge_pages_are_pinned_as_blocks),
	KUNIT_CASE(many_runs),
	KUNIT_CASE(frames_beyond_the_field_are_refused),
	{}
};

static struct kunit_suite type1_run_suite = {
	.name = "vfio_type1_runs",
	.test_cases = type1_run_cases,
};

static struct kunit_case type1_domain_cases[] = {
	KUNIT_CASE(failing_replay_leaves_mappings_alone),
	KUNIT_CASE(failing_map_is_undone),
	KUNIT_CASE(unmapping_more_is_no_failure),
	KUNIT_CASE(stuck_memory_stays_charged),
	{}
};

static struct kunit_suite type1_domain_suite = {
	.name = "vfio_type1_domains",
	.test_cases = type1_domain_cases,
};

kunit_test_suites(&type1_range_suite, &type1_mapping_suite,
		  &type1_dirty_suite, &type1_run_suite, &type1_domain_suite);
