// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traps, against a map with the trap of each byte.  Each byte of a BAR belongs
 * to the trap that covers it or to none, accesses are cut where that changes,
 * and all pages without a trap can be mapped.
 */
#include <kunit/test.h>
#include <linux/align.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../private.h"

#define BAR		2
#define SIZE		(8 * PAGE_SIZE)
#define MAX_TRAPS	5

static u32 no_read(struct vfio_pci_migration *pci, u64 offset)
{
	return 0;
}

static void no_write(struct vfio_pci_migration *pci, u64 offset, u32 value)
{
}

#define TRAP(_bar, _start, _end)					\
	{ .bar = (_bar), .start = (_start), .end = (_end),		\
	  .read = no_read, .write = no_write }

#define DOORBELLS(_start)						\
	{ .bar = BAR, .start = (_start), .end = (_start) + SZ_4K,	\
	  .doorbells = true }

static const struct layout {
	const char *name;
	struct vfio_pci_mig_trap traps[MAX_TRAPS];
	unsigned int count;
} layouts[] = {
	{ "none", {}, 0 },
	{ "of another BAR", { TRAP(1, 0, 64), TRAP(3, 0, 64) }, 2 },
	{ "first page", { TRAP(BAR, 0, PAGE_SIZE) }, 1 },
	{ "last register", { TRAP(BAR, SIZE - 4, SIZE) }, 1 },
	{ "all", { TRAP(BAR, 0, SIZE) }, 1 },
	{ "two in a page", { TRAP(BAR, PAGE_SIZE + 4, PAGE_SIZE + 8),
			     TRAP(BAR, PAGE_SIZE + 12, PAGE_SIZE + 64) }, 2 },
	{ "side by side", { TRAP(BAR, 0x100, 0x200),
			    TRAP(BAR, 0x200, 0x208) }, 2 },
	{ "over a border", { TRAP(BAR, 2 * PAGE_SIZE - 4, 2 * PAGE_SIZE + 4),
			     TRAP(BAR, 3 * PAGE_SIZE, 5 * PAGE_SIZE),
			     TRAP(BAR, 5 * PAGE_SIZE + 8, 6 * PAGE_SIZE) }, 3 },
	{ "doorbells", { TRAP(BAR, 0, PAGE_SIZE), DOORBELLS(2 * PAGE_SIZE) }, 2 },
	{ "doorbells between traps", { TRAP(BAR, 0x100, PAGE_SIZE),
				       DOORBELLS(PAGE_SIZE),
				       TRAP(BAR, 2 * PAGE_SIZE, SIZE) }, 3 },
	{ "neighbours", { TRAP(1, 0, SIZE), TRAP(BAR, PAGE_SIZE, PAGE_SIZE + 4),
			  TRAP(BAR, 7 * PAGE_SIZE, SIZE), TRAP(4, 0, 4) }, 4 },
};

static void layout_desc(const struct layout *layout, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", layout->name);
}

KUNIT_ARRAY_PARAM(layout, layouts, layout_desc);

static const struct vfio_pci_mig_log_driver log_driver;

static struct vfio_pci_mig_driver driver_of(const struct layout *layout)
{
	return (struct vfio_pci_mig_driver) {
		.bars = BIT(BAR),
		.log = &log_driver,
		.traps = layout->traps,
		.nr_traps = layout->count,
	};
}

/* For each byte, 0 or the number of its trap */
static u8 *draw(struct kunit *test, const struct layout *layout)
{
	u8 *map = kunit_kzalloc(test, SIZE, GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, map);
	for (i = 0; i < layout->count; i++)
		if (layout->traps[i].bar == BAR)
			memset(map + layout->traps[i].start, i + 1,
			       layout->traps[i].end - layout->traps[i].start);
	return map;
}

/* Can the page be mapped?  If it has no trap, or is the page of doorbells */
static bool page_is_free(const struct layout *layout, const u8 *map, u64 page)
{
	if (map[page] && layout->traps[map[page] - 1].doorbells)
		return PAGE_SIZE == SZ_4K;
	return !memchr_inv(map + page, 0, PAGE_SIZE);
}

static bool has_doorbells(const struct layout *layout, u64 start, u64 end)
{
	unsigned int i;

	for (i = 0; i < layout->count; i++)
		if (layout->traps[i].doorbells &&
		    layout->traps[i].start < end && layout->traps[i].end > start)
			return true;
	return false;
}

static void accesses_are_cut(struct kunit *test)
{
	static const u64 counts[] = { 1, 4, 7, PAGE_SIZE, SIZE };
	const struct layout *layout = test->param_value;
	struct vfio_pci_mig_driver driver = driver_of(layout);
	const u8 *map = draw(test, layout);
	const struct vfio_pci_mig_trap *trap, *mine;
	u64 offset, count, alike = U64_MAX;
	unsigned int i;

	/* Backwards: @alike counts the bytes from here with the same trap. */
	for (offset = SIZE; offset-- > 0; ) {
		if (map[offset] != (offset + 1 < SIZE ? map[offset + 1] : 0))
			alike = 1;
		else if (alike != U64_MAX)
			alike++;
		mine = map[offset] ? &layout->traps[map[offset] - 1] : NULL;
		for (i = 0; i < ARRAY_SIZE(counts); i++) {
			count = counts[i];
			trap = vfio_pci_mig_trap_at(&driver, BAR, offset,
						    &count);
			if (trap == mine && count == min(alike, counts[i]) &&
			    vfio_pci_mig_trapped(&driver, BAR, offset,
						 counts[i]) ==
			    (mine || count < counts[i]))
				continue;
			KUNIT_FAIL(test, "%llu bytes at %#llx: %llu of trap %td",
				   counts[i], offset, count,
				   trap ? trap - layout->traps : -1);
			return;
		}
	}
	/* No trap is beyond the end or in another BAR. */
	KUNIT_EXPECT_FALSE(test, vfio_pci_mig_trapped(&driver, BAR, SIZE,
						      U64_MAX - SIZE));
	KUNIT_EXPECT_FALSE(test, vfio_pci_mig_trapped(&driver, 0, 0, U64_MAX));
	KUNIT_EXPECT_FALSE(test, vfio_pci_mig_trapped(&driver, -1, 0, U64_MAX));
}

static void the_rest_can_be_mapped(struct kunit *test)
{
	const struct layout *layout = test->param_value;
	struct vfio_pci_mig_driver driver = driver_of(layout);
	struct vfio_region_sparse_mmap_area areas[2 * MAX_TRAPS + 1];
	const u8 *map = draw(test, layout);
	unsigned int count, i;
	bool mapped;
	u64 page, end = 0;

	count = vfio_pci_mig_areas(&driver, BAR, SIZE, areas);
	KUNIT_ASSERT_LE(test, count, 2 * layout->count + 1);
	for (i = 0; i < count; i++) {
		/* In order, not empty, whole pages, none cut in two */
		KUNIT_EXPECT_TRUE(test, !i || areas[i].offset > end ||
				  (areas[i].offset == end &&
				   has_doorbells(layout, end - 1, end + 1)));
		KUNIT_EXPECT_TRUE(test, areas[i].size);
		KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(areas[i].offset |
						     areas[i].size));
		end = areas[i].offset + areas[i].size;
		/* Doorbells are an area of their own. */
		KUNIT_EXPECT_TRUE(test, areas[i].size == SZ_4K ||
				  !has_doorbells(layout, areas[i].offset, end));
		KUNIT_EXPECT_LE(test, end, SIZE);
	}
	for (page = 0; page < SIZE; page += PAGE_SIZE) {
		mapped = false;
		for (i = 0; i < count; i++)
			if (page >= areas[i].offset &&
			    page < areas[i].offset + areas[i].size)
				mapped = true;
		KUNIT_EXPECT_EQ(test, page_is_free(layout, map, page), mapped);
	}
}

static void good_tables(struct kunit *test)
{
	const struct layout *layout = test->param_value;
	struct vfio_pci_mig_driver driver = driver_of(layout);
	u64 sizes[PCI_STD_NUM_BARS] = { 0, SIZE, SIZE, SIZE, SIZE, 0 };

	KUNIT_EXPECT_TRUE(test, vfio_pci_mig_traps_valid(&driver, sizes));
}

static void bad_tables(struct kunit *test)
{
	static const struct layout bad[] = {
		{ "beyond the end", { TRAP(BAR, SIZE - 4, SIZE + 4) }, 1 },
		{ "no BAR", { TRAP(PCI_STD_NUM_BARS, 0, 4) }, 1 },
		{ "an empty BAR", { TRAP(0, 0, 4) }, 1 },
		{ "empty", { TRAP(BAR, 8, 8) }, 1 },
		{ "backwards", { TRAP(BAR, 8, 4) }, 1 },
		{ "start is odd", { TRAP(BAR, 2, 8) }, 1 },
		{ "end is odd", { TRAP(BAR, 0, 6) }, 1 },
		{ "overlapping", { TRAP(BAR, 0, 8), TRAP(BAR, 4, 12) }, 2 },
		{ "out of order", { TRAP(BAR, 8, 12), TRAP(BAR, 0, 4) }, 2 },
		{ "BARs out of order", { TRAP(BAR, 0, 4), TRAP(1, 0, 4) }, 2 },
		{ "doorbells in the middle of a page", { DOORBELLS(8) }, 1 },
		{ "no functions", { { .bar = BAR, .end = 4 } }, 1 },
	};
	u64 sizes[PCI_STD_NUM_BARS] = { 0, SIZE, SIZE, SIZE, SIZE, 0 };
	struct vfio_pci_mig_driver driver;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		driver = driver_of(&bad[i]);
		KUNIT_EXPECT_FALSE_MSG(test,
				       vfio_pci_mig_traps_valid(&driver, sizes),
				       "%s", bad[i].name);
	}
}

static struct kunit_case traps_cases[] = {
	KUNIT_CASE_PARAM(accesses_are_cut, layout_gen_params),
	KUNIT_CASE_PARAM(the_rest_can_be_mapped, layout_gen_params),
	KUNIT_CASE_PARAM(good_tables, layout_gen_params),
	KUNIT_CASE(bad_tables),
	{}
};

static struct kunit_suite traps_suite = {
	.name = "vfio_pci_mig_traps",
	.test_cases = traps_cases,
};

kunit_test_suite(traps_suite);
