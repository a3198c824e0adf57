// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arithmetic on IOVAs: ranges that user space passes, and the ranges that may
 * be mapped.  Pure logic on numbers, which main.c, map.c and domain.c provide.
 */
#include <linux/iommu.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "private.h"

/**
 * type1_check_range - convert a start and a size from user space to a range
 * @start: IOVA or virtual address
 * @size: bytes
 * @first: out: the first byte
 * @last: out: the last byte
 *
 * Return: 0; -EINVAL if @size is 0; -EOVERFLOW if the range wraps or exceeds
 * the kernel's addresses.
 */
int type1_check_range(u64 start, u64 size, unsigned long *first,
		      unsigned long *last)
{
	if (!size)
		return -EINVAL;
	if (overflows_type(start, *first) ||
	    check_add_overflow(start, size - 1, last))
		return -EOVERFLOW;
	*first = start;
	return 0;
}

static int cmp_range(const void *a, const void *b)
{
	const struct vfio_iova_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static struct type1_ranges *regions_to_ranges(struct list_head *regions)
{
	struct iommu_resv_region *region;
	struct type1_ranges *resv;
	unsigned int nr = 0;

	list_for_each_entry(region, regions, list)
		nr++;
	resv = kzalloc(struct_size(resv, range, nr), GFP_KERNEL_ACCOUNT);
	if (!resv)
		return NULL;
	resv->nr = nr;
	nr = 0;
	list_for_each_entry(region, regions, list) {
		if (region->type == IOMMU_RESV_DIRECT_RELAXABLE ||
		    !region->length)
			continue;
		resv->range[nr].start = region->start;
		resv->range[nr].end = region->start + region->length - 1;
		nr++;
	}
	resv->nr = nr;
	sort(resv->range, nr, sizeof(resv->range[0]), cmp_range, NULL);
	return resv;
}

/* [@start, @end] without the sorted ranges of @resv */
static struct type1_ranges *subtract_ranges(u64 start, u64 end,
					    const struct type1_ranges *resv)
{
	const struct vfio_iova_range *r;
	struct type1_ranges *out;
	unsigned int nr = 0;

	out = kzalloc(struct_size(out, range, resv->nr + 1),
		      GFP_KERNEL_ACCOUNT);
	if (!out)
		return NULL;
	out->nr = resv->nr + 1;
	for (r = resv->range; r < resv->range + resv->nr; r++) {
		if (r->end < start)
			continue;
		if (r->start > end)
			break;
		if (r->start > start)
			out->range[nr++] = (struct vfio_iova_range) {
				.start = start,
				.end = r->start - 1,
			};
		if (r->end >= end)
			goto out;
		start = r->end + 1;
	}
	if (start <= end)
		out->range[nr++] = (struct vfio_iova_range) {
			.start = start,
			.end = end,
		};
out:
	out->nr = nr;
	return out;
}

/**
 * type1_usable_ranges - compute which IOVAs may be mapped
 * @start: the first IOVA that the IOMMU translates
 * @end: the last one
 * @regions: struct iommu_resv_region: IOVAs that must not be mapped; in any
 *	order, and they may overlap
 *
 * Return: [@start, @end] without @regions, to be freed by kfree(); NULL if out
 * of memory.
 */
struct type1_ranges *type1_usable_ranges(u64 start, u64 end,
					 struct list_head *regions)
{
	struct type1_ranges *resv, *ranges;

	resv = regions_to_ranges(regions);
	if (!resv)
		return NULL;
	ranges = subtract_ranges(start, end, resv);
	kfree(resv);
	return ranges;
}

/**
 * type1_iova_allowed - may a range of IOVAs be mapped?
 * @ranges: IOVAs that may be mapped; NULL: all
 * @first: first IOVA
 * @last: last IOVA
 *
 * Return: true if they lie in one usable range.
 */
bool type1_iova_allowed(const struct type1_ranges *ranges,
			unsigned long first, unsigned long last)
{
	unsigned int i;

	if (!ranges)
		return true;
	for (i = 0; i < ranges->nr; i++)
		if (first >= ranges->range[i].start &&
		    last <= ranges->range[i].end)
			return true;
	return false;
}
