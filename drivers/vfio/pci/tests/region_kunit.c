// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions that a driver adds, by their index; and the overlap of an access and
 * a register, against a check of each byte.
 */
#include <kunit/test.h>
#include <linux/limits.h>

#include "../private.h"

#define NR_REGIONS	3
#define N		7	/* starts and lengths of ranges, from 0 on */

struct overlap {
	loff_t buf_offset;
	size_t count;
	size_t register_offset;
};

/* False, and all zeros, if no byte is in both */
static bool overlap_by_bytes(loff_t buf, size_t buf_cnt, loff_t reg,
			     size_t reg_cnt, struct overlap *overlap)
{
	size_t i;

	*overlap = (struct overlap) {};
	for (i = 0; i < buf_cnt; i++) {
		if (buf + i < reg || buf + i - reg >= reg_cnt)
			continue;
		if (!overlap->count++) {
			overlap->buf_offset = i;
			overlap->register_offset = buf + i - reg;
		}
	}
	return overlap->count;
}

static void check_overlap(struct kunit *test, loff_t buf, size_t buf_cnt,
			  loff_t reg, size_t reg_cnt)
{
	struct overlap should, is = {};
	bool common = overlap_by_bytes(buf, buf_cnt, reg, reg_cnt, &should);

	KUNIT_EXPECT_EQ(test, common,
			vfio_pci_core_range_intersect_range(buf, buf_cnt, reg,
							    reg_cnt,
							    &is.buf_offset,
							    &is.count,
							    &is.register_offset));
	if (!memcmp(&should, &is, sizeof(is)))
		return;
	KUNIT_FAIL(test, "%zu at %lld, %zu at %lld: %lld, %zu, %zu", buf_cnt,
		   buf, reg_cnt, reg, is.buf_offset, is.count,
		   is.register_offset);
}

/* All short ranges near each other, in low and in high regions */
static void overlaps(struct kunit *test)
{
	static const loff_t bases[] = {
		0, U32_MAX - N, 9LL << 40, LLONG_MAX - 2 * N,
	};
	unsigned int base, i;

	for (base = 0; base < ARRAY_SIZE(bases); base++)
		for (i = 0; i < N * N * N * N; i++)
			check_overlap(test, bases[base] + i % N, i / N % N,
				      bases[base] + i / N / N % N,
				      i / N / N / N);
}

/* No overlap: the results are not written. */
static void apart(struct kunit *test)
{
	struct overlap is = { 1, 2, 3 };

	KUNIT_EXPECT_FALSE(test,
			   vfio_pci_core_range_intersect_range(0, SIZE_MAX / 2,
							       LLONG_MAX, 1,
							       &is.buf_offset,
							       &is.count,
							       &is.register_offset));
	KUNIT_EXPECT_EQ(test, is.buf_offset, 1);
	KUNIT_EXPECT_EQ(test, is.count, 2);
	KUNIT_EXPECT_EQ(test, is.register_offset, 3);
}

/* region->data counts the releases. */
static void count_release(struct vfio_pci_core_device *vdev,
			  struct vfio_pci_region *region)
{
	(*(unsigned int *)region->data)++;
}

static const struct vfio_pci_regops ops = {
	.release = count_release,
};

static void check_region(struct kunit *test, struct vfio_pci_core_device *vdev,
			 unsigned int i, void *data)
{
	struct vfio_pci_region *region;

	region = vfio_pci_region_get(vdev, VFIO_PCI_NUM_REGIONS + i);
	KUNIT_ASSERT_NOT_NULL(test, region);
	KUNIT_EXPECT_EQ(test, region->type, VFIO_REGION_TYPE_PCI_VENDOR_TYPE | i);
	KUNIT_EXPECT_EQ(test, region->subtype, 10 + i);
	KUNIT_EXPECT_EQ(test, region->size, 100 * i);
	KUNIT_EXPECT_EQ(test, region->flags, VFIO_REGION_INFO_FLAG_READ << i);
	KUNIT_EXPECT_PTR_EQ(test, region->ops, &ops);
	KUNIT_EXPECT_PTR_EQ(test, region->data, data);
}

static void check_no_region(struct kunit *test,
			    struct vfio_pci_core_device *vdev, u64 index)
{
	KUNIT_EXPECT_PTR_EQ_MSG(test, vfio_pci_region_get(vdev, index), NULL,
				"index %llu", index);
}

static void regions(struct kunit *test)
{
	struct vfio_pci_core_device *vdev;
	unsigned int released[NR_REGIONS] = {};
	unsigned int i;

	vdev = kunit_kzalloc(test, sizeof(*vdev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vdev);
	check_no_region(test, vdev, VFIO_PCI_NUM_REGIONS);

	for (i = 0; i < NR_REGIONS; i++)
		KUNIT_ASSERT_EQ(test, 0,
				vfio_pci_core_register_dev_region(vdev,
					VFIO_REGION_TYPE_PCI_VENDOR_TYPE | i,
					10 + i, &ops, 100 * i,
					VFIO_REGION_INFO_FLAG_READ << i,
					&released[i]));
	for (i = 0; i < NR_REGIONS; i++)
		check_region(test, vdev, i, &released[i]);
	check_no_region(test, vdev, 0);
	check_no_region(test, vdev, VFIO_PCI_NUM_REGIONS - 1);
	check_no_region(test, vdev, VFIO_PCI_NUM_REGIONS + NR_REGIONS);
	check_no_region(test, vdev, (1ULL << 32) + VFIO_PCI_NUM_REGIONS);
	check_no_region(test, vdev, U64_MAX);

	/* The device closes, and closes again without regions. */
	vfio_pci_regions_free(vdev);
	vfio_pci_regions_free(vdev);
	for (i = 0; i < NR_REGIONS; i++)
		KUNIT_EXPECT_EQ(test, released[i], 1);
	check_no_region(test, vdev, VFIO_PCI_NUM_REGIONS);
}

static struct kunit_case region_cases[] = {
	KUNIT_CASE(overlaps),
	KUNIT_CASE(apart),
	KUNIT_CASE(regions),
	{}
};

static struct kunit_suite region_suite = {
	.name = "vfio_pci_region",
	.test_cases = region_cases,
};

kunit_test_suite(region_suite);
