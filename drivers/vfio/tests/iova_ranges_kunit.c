// SPDX-License-Identifier: GPL-2.0-only
/*
 * Merging of IOVA ranges: at most the wanted number is left, every address that
 * was in a range still is, and as few addresses as possible are added.
 */
#include <kunit/test.h>
#include <linux/interval_tree.h>
#include <linux/limits.h>
#include <linux/sort.h>
#include <linux/vfio.h>

#define MAX_RANGES	8

struct iova_range {
	unsigned long first;
	unsigned long last;
};

struct merge_case {
	const char *name;
	unsigned int want;
	struct iova_range in[MAX_RANGES];	/* ends with last 0 */
	struct iova_range out[MAX_RANGES];
};

static const struct merge_case cases[] = {
	{ "nothing to do", 2,
	  { { 0x1000, 0x1fff }, { 0x3000, 0x3fff } },
	  { { 0x1000, 0x1fff }, { 0x3000, 0x3fff } } },
	{ "room for more", 5,
	  { { 0x1000, 0x1fff } },
	  { { 0x1000, 0x1fff } } },
	{ "smallest gap first", 2,
	  { { 0x1000, 0x1fff }, { 0x9000, 0x9fff }, { 0xb000, 0xbfff } },
	  { { 0x1000, 0x1fff }, { 0x9000, 0xbfff } } },
	{ "smallest gap at the start", 2,
	  { { 0x1000, 0x1fff }, { 0x3000, 0x3fff }, { 0xb000, 0xbfff } },
	  { { 0x1000, 0x3fff }, { 0xb000, 0xbfff } } },
	{ "neighbours without a gap", 3,
	  { { 0, 0xfff }, { 0x1000, 0x1fff }, { 0x3000, 0x3fff },
	    { 0x8000, 0x8fff } },
	  { { 0, 0x1fff }, { 0x3000, 0x3fff }, { 0x8000, 0x8fff } } },
	{ "chain of merges", 2,
	  { { 0, 0xfff }, { 0x2000, 0x2fff }, { 0x5000, 0x5fff },
	    { 0x9000, 0x9fff }, { 0x100000, 0x100fff } },
	  { { 0, 0x9fff }, { 0x100000, 0x100fff } } },
	{ "one hull", 1,
	  { { 0x1000, 0x1fff }, { 0x80000000, 0x80000fff },
	    { 0x90000000, 0x90000fff } },
	  { { 0x1000, 0x90000fff } } },
	{ "ends of the space", 1,
	  { { 0, 0xfff }, { ULONG_MAX - 0xfff, ULONG_MAX } },
	  { { 0, ULONG_MAX } } },
	{ "gaps at the end of the space", 2,
	  { { 0, 0xfff }, { ULONG_MAX - 0x2fff, ULONG_MAX - 0x2000 },
	    { ULONG_MAX - 0xfff, ULONG_MAX } },
	  { { 0, 0xfff }, { ULONG_MAX - 0x2fff, ULONG_MAX } } },
	{ "no gap but a huge one", 1,
	  { { 0, 0 }, { ULONG_MAX, ULONG_MAX } },
	  { { 0, ULONG_MAX } } },
};

static void case_desc(const struct merge_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(merge, cases, case_desc);

/* Only the first range may be the single address 0. */
static unsigned int count(const struct iova_range *ranges)
{
	unsigned int nr = 1;

	while (nr < MAX_RANGES && ranges[nr].last)
		nr++;
	return nr;
}

static void insert(struct kunit *test, struct rb_root_cached *root,
		   const struct iova_range *ranges, unsigned int nr)
{
	struct interval_tree_node *nodes;
	unsigned int i;

	nodes = kunit_kcalloc(test, nr, sizeof(*nodes), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, nodes);
	for (i = 0; i < nr; i++) {
		nodes[i].start = ranges[i].first;
		nodes[i].last = ranges[i].last;
		interval_tree_insert(&nodes[i], root);
	}
}

static void merges_the_nearest(struct kunit *test)
{
	const struct merge_case *c = test->param_value;
	struct rb_root_cached root = RB_ROOT_CACHED;
	struct interval_tree_node *node;
	unsigned int i = 0;

	insert(test, &root, c->in, count(c->in));
	vfio_combine_iova_ranges(&root, count(c->in), c->want);
	for (node = interval_tree_iter_first(&root, 0, ULONG_MAX); node;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX), i++) {
		KUNIT_ASSERT_LT(test, i, count(c->out));
		KUNIT_EXPECT_EQ(test, node->start, c->out[i].first);
		KUNIT_EXPECT_EQ(test, node->last, c->out[i].last);
	}
	KUNIT_EXPECT_EQ(test, i, count(c->out));
}

static int cmp_ulong(const void *a, const void *b)
{
	const unsigned long *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/*
 * Many ranges with gaps of all sizes: the addresses that are added are those of
 * the smallest gaps, whatever the order of the merges.
 */
static void adds_as_little_as_can_be(struct kunit *test)
{
	enum { NR = 200 };
	unsigned long gap[NR - 1], pos = 0, added = 0, expected = 0;
	unsigned long covered = 0;
	struct interval_tree_node *node;
	struct iova_range *in;
	u32 seed = 1, want;
	unsigned int i;

	in = kunit_kcalloc(test, NR, sizeof(*in), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, in);
	for (i = 0; i < NR; i++) {
		in[i].first = pos;
		in[i].last = pos + 0xfff;
		covered += 0x1000;
		pos += 0x1000;
		seed = seed * 1664525 + 1013904223;
		if (i < NR - 1) {
			gap[i] = (seed >> 8) & ~0xfff;
			pos += gap[i];
		}
	}
	sort(gap, NR - 1, sizeof(gap[0]), cmp_ulong, NULL);

	for (want = NR; want; want--) {
		struct rb_root_cached root = RB_ROOT_CACHED;
		unsigned int left = 0;

		if (want < NR)
			expected += gap[NR - 1 - want];
		insert(test, &root, in, NR);
		vfio_combine_iova_ranges(&root, NR, want);
		added = 0;
		for (node = interval_tree_iter_first(&root, 0, ULONG_MAX); node;
		     node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
			added += node->last - node->start + 1;
			left++;
		}
		KUNIT_ASSERT_EQ(test, left, want);
		KUNIT_ASSERT_EQ(test, added - covered, expected);
	}
}

static struct kunit_case iova_ranges_cases[] = {
	KUNIT_CASE_PARAM(merges_the_nearest, merge_gen_params),
	KUNIT_CASE(adds_as_little_as_can_be),
	{}
};

static struct kunit_suite iova_ranges_suite = {
	.name = "vfio_iova_ranges",
	.test_cases = iova_ranges_cases,
};

kunit_test_suite(iova_ranges_suite);
