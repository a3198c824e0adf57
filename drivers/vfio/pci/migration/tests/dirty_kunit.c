// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty set and the mirrors of rings, against a model that knows each page.
 * Each marked page within the ranges is taken out exactly once.  Without memory
 * for a bitmap more pages are taken out, never fewer.  Buffers in a mirror are
 * marked again until they are replaced.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/interval_tree.h>
#include <linux/slab.h>

#include "../private.h"

/*
 * The model covers so many pages from 0 on: a little more than three bitmaps.
 */
#define PAGES	(3 * VFIO_PCI_MIG_DIRTY_PAGES + 100)
#define BYTES(pages) ((u64)(pages) << VFIO_PCI_MIG_DIRTY_SHIFT)

struct page_range {
	u64 first;
	u64 last;
};

struct set {
	struct kunit *test;
	struct vfio_pci_mig_dirty *dirty;
	struct vfio_pci_mig_dirty_part *part;
	unsigned long *within;	/* pages of the ranges */
	unsigned long *model;	/* dirty pages */
	unsigned long *taken;
	u32 seed;
};

/* The same sequence in each run */
static u32 next_random(u32 *seed, u32 below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

static unsigned long *pages_alloc(struct kunit *test)
{
	unsigned long *pages = kunit_kcalloc(test, BITS_TO_LONGS(PAGES),
					     sizeof(long), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pages);
	return pages;
}

static struct vfio_pci_mig_dirty *
dirty_of(struct kunit *test, const struct page_range *ranges, unsigned int count)
{
	struct rb_root_cached root = RB_ROOT_CACHED;
	struct interval_tree_node *nodes;
	unsigned int i;

	nodes = kunit_kcalloc(test, count, sizeof(*nodes), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, nodes);
	for (i = 0; i < count; i++) {
		nodes[i].start = BYTES(ranges[i].first);
		nodes[i].last = BYTES(ranges[i].last + 1) - 1;
		interval_tree_insert(&nodes[i], &root);
	}
	return vfio_pci_mig_dirty_alloc(&root, count);
}

static void free_dirty(void *dirty)
{
	vfio_pci_mig_dirty_free(dirty);
}

static void set_up(struct set *set, struct kunit *test,
		   const struct page_range *ranges, unsigned int count)
{
	unsigned int i;

	*set = (struct set) {
		.test = test,
		.within = pages_alloc(test),
		.model = pages_alloc(test),
		.taken = pages_alloc(test),
		.part = kunit_kzalloc(test, sizeof(*set->part), GFP_KERNEL),
		.dirty = dirty_of(test, ranges, count),
		.seed = 1,
	};
	KUNIT_ASSERT_NOT_NULL(test, set->part);
	KUNIT_ASSERT_FALSE(test, IS_ERR(set->dirty));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_dirty,
							   set->dirty));
	for (i = 0; i < count; i++)
		bitmap_set(set->within, ranges[i].first,
			   min_t(u64, ranges[i].last, PAGES - 1) -
			   ranges[i].first + 1);
}

/* Marks bytes, in the set and in the model. */
static bool mark(struct set *set, u64 iova, u64 length)
{
	u64 page;

	for (page = iova >> VFIO_PCI_MIG_DIRTY_SHIFT;
	     page < PAGES && BYTES(page) < iova + length; page++)
		if (test_bit(page, set->within))
			__set_bit(page, set->model);
	return vfio_pci_mig_dirty_mark(set->dirty, iova, length);
}

static void take(struct set *set, u64 first, u64 last)
{
	unsigned long bit;

	bitmap_zero(set->taken, PAGES);
	set->part->next = first;
	set->part->last = last;
	while (vfio_pci_mig_dirty_take(set->dirty, set->part))
		for_each_set_bit(bit, set->part->bits,
				 VFIO_PCI_MIG_DIRTY_PAGES) {
			KUNIT_ASSERT_GE(set->test, set->part->base + bit, first);
			KUNIT_ASSERT_LE(set->test, set->part->base + bit, last);
			KUNIT_ASSERT_LT(set->test, set->part->base + bit, PAGES);
			KUNIT_EXPECT_FALSE(set->test,
					   test_and_set_bit(set->part->base + bit,
							    set->taken));
		}
}

/* What is taken out is exactly what the model has there, and is gone then. */
static void take_exactly(struct set *set, u64 first, u64 last)
{
	u64 page;

	take(set, first, last);
	for (page = 0; page < PAGES; page++) {
		bool due = page >= first && page <= last &&
			   test_bit(page, set->model);

		if (due == test_bit(page, set->taken))
			continue;
		KUNIT_FAIL(set->test, "page %llu is %s", page,
			   due ? "missing" : "too much");
		return;
	}
	bitmap_andnot(set->model, set->model, set->taken, PAGES);
}

static const struct page_range some_ranges[] = {
	{ 3, 3 }, { 5, 40000 }, { 40001, 40001 }, { 70000, PAGES - 1 },
};

static void random_marks_are_taken(struct kunit *test)
{
	struct set set;
	unsigned int i, j;
	u64 first;

	set_up(&set, test, some_ranges, ARRAY_SIZE(some_ranges));
	for (i = 0; i < 60; i++) {
		for (j = 0; j < 50; j++)
			KUNIT_EXPECT_TRUE(test,
				mark(&set, next_random(&set.seed, BYTES(PAGES / 64)) * 64ULL,
				     next_random(&set.seed, 5) ?
				     next_random(&set.seed, SZ_16K) :
				     next_random(&set.seed, SZ_64M)));
		first = next_random(&set.seed, PAGES);
		take_exactly(&set, first,
			     first + next_random(&set.seed, PAGES - first));
	}
	take_exactly(&set, 0, U64_MAX >> VFIO_PCI_MIG_DIRTY_SHIFT);
	take_exactly(&set, 0, U64_MAX >> VFIO_PCI_MIG_DIRTY_SHIFT);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(set.taken, PAGES));
}

static void borders(struct kunit *test)
{
	struct set set;

	set_up(&set, test, some_ranges, ARRAY_SIZE(some_ranges));
	KUNIT_EXPECT_TRUE(test, mark(&set, BYTES(3), 0));
	KUNIT_EXPECT_TRUE(test, mark(&set, BYTES(4), SZ_4K));
	KUNIT_EXPECT_TRUE(test, mark(&set, BYTES(6) - 1, 1));
	KUNIT_EXPECT_TRUE(test, mark(&set, BYTES(40001) - 1, 2));
	KUNIT_EXPECT_TRUE(test, mark(&set, BYTES(2), BYTES(2)));
	take_exactly(&set, 0, PAGES);
	/* Up to the last address, and beyond it */
	KUNIT_EXPECT_TRUE(test, vfio_pci_mig_dirty_mark(set.dirty, U64_MAX, 1));
	KUNIT_EXPECT_TRUE(test, vfio_pci_mig_dirty_mark(set.dirty,
							U64_MAX - 100, SZ_16K));
	take_exactly(&set, 0, U64_MAX >> VFIO_PCI_MIG_DIRTY_SHIFT);
}

static void sizes(struct kunit *test)
{
	static const struct page_range largest = {
		0, SZ_512K * (u64)VFIO_PCI_MIG_DIRTY_PAGES - 1
	};
	static const struct page_range larger = {
		1, SZ_512K * (u64)VFIO_PCI_MIG_DIRTY_PAGES
	};
	struct vfio_pci_mig_dirty *dirty = dirty_of(test, &largest, 1);

	KUNIT_ASSERT_FALSE(test, IS_ERR(dirty));
	vfio_pci_mig_dirty_free(dirty);
	KUNIT_EXPECT_EQ(test, -E2BIG, PTR_ERR(dirty_of(test, &larger, 1)));
}

/* ---- Without memory ---- */

static unsigned long *no_chunk(void)
{
	return NULL;
}

static void without_memory_more_is_dirty(struct kunit *test)
{
	struct set set;

	set_up(&set, test, some_ranges, ARRAY_SIZE(some_ranges));
	mark(&set, BYTES(70000), SZ_4K);
	kunit_activate_static_stub(test, vfio_pci_mig_dirty_chunk, no_chunk);
	KUNIT_EXPECT_FALSE(test, mark(&set, BYTES(100), 1));
	KUNIT_EXPECT_TRUE(test, mark(&set, BYTES(70005), 1));
	/* Still no memory: all pages are taken out, each time. */
	take(&set, 0, PAGES);
	KUNIT_EXPECT_TRUE(test, bitmap_subset(set.model, set.taken, PAGES));
	take(&set, 50, 200);
	KUNIT_EXPECT_EQ(test, 151, bitmap_weight(set.taken, PAGES));
	kunit_deactivate_static_stub(test, vfio_pci_mig_dirty_chunk);
	/* With memory: pages taken out are gone, the others are not. */
	take(&set, 50, 200);
	KUNIT_EXPECT_EQ(test, 151, bitmap_weight(set.taken, PAGES));
	take(&set, 50, 200);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(set.taken, PAGES));
	take(&set, 201, 300);
	KUNIT_EXPECT_EQ(test, 100, bitmap_weight(set.taken, PAGES));
}

static void all_is_dirty(struct kunit *test)
{
	struct set set;

	set_up(&set, test, some_ranges, ARRAY_SIZE(some_ranges));
	mark(&set, BYTES(100), 1);
	vfio_pci_mig_dirty_mark_all(set.dirty);
	take(&set, 0, PAGES);
	KUNIT_EXPECT_TRUE(test, bitmap_equal(set.taken, set.within, PAGES));
	take(&set, 0, PAGES);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(set.taken, PAGES));
}

/* ---- Rings ---- */

static const struct vfio_pci_mig_ring ring_setup = {
	.iova = BYTES(9), .count = 8, .next = 3, .len = { SZ_2K, SZ_1K },
};

static void record(struct set *set, struct vfio_pci_mig_log_ring *ring,
		   u32 index, u64 page, u64 header)
{
	u64 iova[VFIO_PCI_MIG_BUFFERS] = { BYTES(page), header };

	KUNIT_EXPECT_TRUE(set->test,
			  vfio_pci_mig_log_ring_record(ring, set->dirty, index,
						       iova));
}

static void expect_pages(struct set *set, const u64 *pages, unsigned int count)
{
	unsigned int i;

	take(set, 0, PAGES);
	KUNIT_EXPECT_EQ(set->test, count, bitmap_weight(set->taken, PAGES));
	for (i = 0; i < count; i++)
		KUNIT_EXPECT_TRUE(set->test, test_bit(pages[i], set->taken));
}

static void buffers_stay_until_replaced(struct kunit *test)
{
	struct vfio_pci_mig_log_ring ring = {};
	struct set set;

	set_up(&set, test, some_ranges, ARRAY_SIZE(some_ranges));
	KUNIT_ASSERT_TRUE(test, vfio_pci_mig_log_ring_begin(&ring, &ring_setup));
	record(&set, &ring, 3, 10, VFIO_PCI_MIG_NO_BUFFER);
	record(&set, &ring, 4, 11, BYTES(20) - 1);
	expect_pages(&set, (u64[]){ 10, 11, 19, 20 }, 4);
	/* A REPORT marks them again; a replaced one is in one more REPORT. */
	KUNIT_EXPECT_TRUE(test, vfio_pci_mig_log_ring_mark(&ring, set.dirty));
	record(&set, &ring, 3, 12, VFIO_PCI_MIG_NO_BUFFER);
	expect_pages(&set, (u64[]){ 10, 11, 19, 20, 12 }, 5);
	KUNIT_EXPECT_TRUE(test, vfio_pci_mig_log_ring_mark(&ring, set.dirty));
	expect_pages(&set, (u64[]){ 11, 19, 20, 12 }, 4);
	/* When the ring ends, its buffers are marked once more. */
	KUNIT_EXPECT_TRUE(test, vfio_pci_mig_log_ring_end(&ring, set.dirty));
	KUNIT_EXPECT_TRUE(test, vfio_pci_mig_log_ring_end(&ring, set.dirty));
	KUNIT_EXPECT_TRUE(test, vfio_pci_mig_log_ring_mark(&ring, set.dirty));
	expect_pages(&set, (u64[]){ 11, 19, 20, 12 }, 4);
	expect_pages(&set, NULL, 0);
}

/* A caller that marks buffers is told that more memory counts as dirty. */
static void rings_tell_of_missing_memory(struct kunit *test)
{
	u64 iova[VFIO_PCI_MIG_BUFFERS] = { BYTES(10), VFIO_PCI_MIG_NO_BUFFER };
	struct vfio_pci_mig_log_ring ring = {};
	struct set set;

	set_up(&set, test, some_ranges, ARRAY_SIZE(some_ranges));
	KUNIT_ASSERT_TRUE(test, vfio_pci_mig_log_ring_begin(&ring, &ring_setup));
	kunit_activate_static_stub(test, vfio_pci_mig_dirty_chunk, no_chunk);
	KUNIT_EXPECT_FALSE(test, vfio_pci_mig_log_ring_record(&ring, set.dirty,
							      3, iova));
	KUNIT_EXPECT_FALSE(test, vfio_pci_mig_log_ring_mark(&ring, set.dirty));
	KUNIT_EXPECT_FALSE(test, vfio_pci_mig_log_ring_end(&ring, set.dirty));
	KUNIT_EXPECT_TRUE(test, vfio_pci_mig_log_ring_end(&ring, set.dirty));
	kunit_deactivate_static_stub(test, vfio_pci_mig_dirty_chunk);
}

static void indices_out_of_range_are_untracked(struct kunit *test)
{
	struct vfio_pci_mig_ring setup = ring_setup;
	struct vfio_pci_mig_log_ring ring = {};
	u64 iova[VFIO_PCI_MIG_BUFFERS] = { BYTES(10), BYTES(11) };
	struct set set;

	set_up(&set, test, some_ranges, ARRAY_SIZE(some_ranges));
	setup.next = setup.count;
	KUNIT_EXPECT_FALSE(test, vfio_pci_mig_log_ring_begin(&ring, &setup));
	KUNIT_EXPECT_FALSE(test, vfio_pci_mig_log_ring_record(&ring, set.dirty,
							      0, iova));
	KUNIT_EXPECT_FALSE(test, vfio_pci_mig_log_ring_mark(&ring, set.dirty));
	take(&set, 0, PAGES);
	KUNIT_EXPECT_TRUE(test, bitmap_equal(set.taken, set.within, PAGES));
	KUNIT_EXPECT_FALSE(test, vfio_pci_mig_log_ring_end(&ring, set.dirty));
	take(&set, 0, PAGES);
	KUNIT_EXPECT_TRUE(test, bitmap_equal(set.taken, set.within, PAGES));
	take(&set, 0, PAGES);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(set.taken, PAGES));
}

static struct kunit_case dirty_cases[] = {
	KUNIT_CASE(random_marks_are_taken),
	KUNIT_CASE(borders),
	KUNIT_CASE(sizes),
	KUNIT_CASE(without_memory_more_is_dirty),
	KUNIT_CASE(all_is_dirty),
	KUNIT_CASE(buffers_stay_until_replaced),
	KUNIT_CASE(rings_tell_of_missing_memory),
	KUNIT_CASE(indices_out_of_range_are_untracked),
	{}
};

static struct kunit_suite dirty_suite = {
	.name = "vfio_pci_mig_dirty",
	.test_cases = dirty_cases,
};

kunit_test_suite(dirty_suite);
