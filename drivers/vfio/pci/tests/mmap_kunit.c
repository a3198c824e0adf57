// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a huge page-table entry may map a part of a BAR, against a check of
 * each page that the entry covers.
 */
#include <kunit/test.h>
#include <linux/mm.h>

#include "../private.h"

#define BAR		2
#define FAR_AWAY	(1UL << 38)	/* aligned to any entry */

/* A mapping, in pages; addresses are relative to FAR_AWAY */
struct mapping {
	unsigned long start;
	unsigned long len;
	unsigned long offset;	/* in the BAR */
	unsigned long bar_pfn;
};

/* All pages are in the mapping, and the first is aligned in the device */
static bool fits_by_pages(const struct mapping *m, unsigned long page,
			  unsigned long n)
{
	unsigned long i, first = page - page % n, pfn = 0;

	for (i = first; i < first + n; i++) {
		if (i < m->start || i - m->start >= m->len)
			return false;
		pfn = m->bar_pfn + m->offset + (i - m->start);
		if (i == first && pfn % n)
			return false;
	}
	return true;
}

static void check_mapping(struct kunit *test,
			  struct vfio_pci_core_device *vdev,
			  const struct mapping *m, unsigned int order)
{
	unsigned long page, n = 1UL << order;
	struct vm_area_struct vma = {
		.vm_start = FAR_AWAY + (m->start << PAGE_SHIFT),
		.vm_end = FAR_AWAY + ((m->start + m->len) << PAGE_SHIFT),
		.vm_pgoff = (VFIO_PCI_INDEX_TO_OFFSET(BAR) >> PAGE_SHIFT) +
			    m->offset,
		.vm_private_data = vdev,
	};
	unsigned long pages[] = {
		m->start, m->start + m->len / 2, m->start + m->len - 1,
	};
	unsigned int i;

	vdev->pdev->resource[BAR].start = PFN_PHYS(m->bar_pfn);
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		page = pages[i];
		KUNIT_EXPECT_EQ_MSG(test,
			vfio_pci_huge_entry_fits(&vma, FAR_AWAY +
						 (page << PAGE_SHIFT), order),
			fits_by_pages(m, page, n),
			"order %u, page %lu of [%lu, +%lu), offset %lu, bar %lu",
			order, page, m->start, m->len, m->offset, m->bar_pfn);
	}
}

static void check_order(struct kunit *test, unsigned int order)
{
	struct vfio_pci_core_device *vdev;
	unsigned long n = 1UL << order;
	unsigned long starts[] = { 0, 1, n - 1, n, 3 * n };
	unsigned long lens[] = { 1, n - 1, n, n + 1, 2 * n, 3 * n - 1 };
	unsigned long offsets[] = { 0, 1, n - 1, n };
	unsigned long bars[] = { 1024 * n, 1024 * n + n / 2, 1024 * n + 1 };
	unsigned int i, j, k, l;

	vdev = kunit_kzalloc(test, sizeof(*vdev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vdev);
	vdev->pdev = kunit_kzalloc(test, sizeof(*vdev->pdev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vdev->pdev);

	for (i = 0; i < ARRAY_SIZE(starts); i++)
		for (j = 0; j < ARRAY_SIZE(lens); j++)
			for (k = 0; k < ARRAY_SIZE(offsets); k++)
				for (l = 0; l < ARRAY_SIZE(bars); l++)
					check_mapping(test, vdev,
						      &(struct mapping) {
							starts[i], lens[j],
							offsets[k], bars[l]
						      }, order);
}

static void huge_entries(struct kunit *test)
{
	check_order(test, 1);
	check_order(test, 3);
	check_order(test, PMD_SHIFT - PAGE_SHIFT);
}

static struct kunit_case mmap_cases[] = {
	KUNIT_CASE(huge_entries),
	{}
};

static struct kunit_suite mmap_suite = {
	.name = "vfio_pci_mmap",
	.test_cases = mmap_cases,
};

kunit_test_suite(mmap_suite);
