// SPDX-License-Identifier: GPL-2.0-only
/*
 * A set of pages out of the ranges of IOVAs that a START names: the dirty set.
 *
 * A bitmap covers 128 MiB of a range.  It is allocated when a page in it is
 * marked for the first time.  If that fails, all of its pages count as dirty:
 * to send a page too often costs time, to send it too rarely corrupts the VM.
 *
 * No locks: callers have dirty_lock.
 */
#include <kunit/static_stub.h>
#include <linux/bitmap.h>
#include <linux/interval_tree.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include "private.h"

#define CHUNK_SHIFT	15
static_assert(BIT(CHUNK_SHIFT) == VFIO_PCI_MIG_DIRTY_PAGES);

/* Bitmaps of all ranges: they cover 64 TiB, and the table takes 4 MiB. */
#define MAX_CHUNKS	SZ_512K

/* In place of a bitmap: all of its pages are dirty. */
#define ALL_DIRTY	((unsigned long *)1)

/**
 * struct dirty_range - a range of START
 * @first: number of the first page
 * @last: number of the last page
 * @chunks: the bitmaps of the range; NULL or empty where no page is dirty.  The
 *	number of the first page of a bitmap is a multiple of
 *	VFIO_PCI_MIG_DIRTY_PAGES
 */
struct dirty_range {
	u64 first;
	u64 last;
	unsigned long **chunks;
};

struct vfio_pci_mig_dirty {
	unsigned long **chunks;
	u64 nr_chunks;
	unsigned int nr_ranges;
	struct dirty_range ranges[] __counted_by(nr_ranges);
};

static u64 chunk_count(const struct dirty_range *range)
{
	return (range->last >> CHUNK_SHIFT) - (range->first >> CHUNK_SHIFT) + 1;
}

static unsigned long **chunk_of(const struct dirty_range *range, u64 page)
{
	return &range->chunks[(page >> CHUNK_SHIFT) -
			      (range->first >> CHUNK_SHIFT)];
}

unsigned long *vfio_pci_mig_dirty_chunk(void)
{
	KUNIT_STATIC_STUB_REDIRECT(vfio_pci_mig_dirty_chunk);
	return kzalloc(SZ_4K, VFIO_PCI_MIG_GFP_MAYFAIL);
}

/* Copies the ranges in ascending order, so that range_from() can search. */
static void add_ranges(struct vfio_pci_mig_dirty *dirty,
		       struct rb_root_cached *root)
{
	struct interval_tree_node *node;
	struct dirty_range *range = dirty->ranges;

	for (node = interval_tree_iter_first(root, 0, ULONG_MAX); node;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
		range->first = node->start >> VFIO_PCI_MIG_DIRTY_SHIFT;
		range->last = node->last >> VFIO_PCI_MIG_DIRTY_SHIFT;
		dirty->nr_chunks += chunk_count(range);
		range++;
	}
}

/*
 * Allocates an empty set for ranges that do not overlap, charged to the caller.
 * -E2BIG if they are too large, or -ENOMEM
 */
struct vfio_pci_mig_dirty *
vfio_pci_mig_dirty_alloc(struct rb_root_cached *ranges, unsigned int count)
{
	struct vfio_pci_mig_dirty *dirty;
	unsigned long **chunks;
	unsigned int i;
	int ret = -ENOMEM;

	dirty = kvzalloc(struct_size(dirty, ranges, count), GFP_KERNEL_ACCOUNT);
	if (!dirty)
		return ERR_PTR(-ENOMEM);
	dirty->nr_ranges = count;
	add_ranges(dirty, ranges);
	if (dirty->nr_chunks > MAX_CHUNKS)
		ret = -E2BIG;
	else
		dirty->chunks = kvcalloc(dirty->nr_chunks, sizeof(*chunks),
					 GFP_KERNEL_ACCOUNT);
	if (!dirty->chunks) {
		kvfree(dirty);
		return ERR_PTR(ret);
	}
	chunks = dirty->chunks;
	for (i = 0; i < count; i++) {
		dirty->ranges[i].chunks = chunks;
		chunks += chunk_count(&dirty->ranges[i]);
	}
	return dirty;
}

void vfio_pci_mig_dirty_free(struct vfio_pci_mig_dirty *dirty)
{
	u64 i;

	if (!dirty)
		return;
	for (i = 0; i < dirty->nr_chunks; i++)
		if (dirty->chunks[i] != ALL_DIRTY)
			kfree(dirty->chunks[i]);
	kvfree(dirty->chunks);
	kvfree(dirty);
}

/* The first range that ends at @page or behind; the end of the array if none */
static struct dirty_range *range_from(struct vfio_pci_mig_dirty *dirty,
				      u64 page)
{
	unsigned int low = 0, high = dirty->nr_ranges, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (dirty->ranges[middle].last < page)
			low = middle + 1;
		else
			high = middle;
	}
	return &dirty->ranges[low];
}

/* The last page up to @last in the same bitmap as @first */
static u64 chunk_end(u64 first, u64 last)
{
	return min(last, first | (VFIO_PCI_MIG_DIRTY_PAGES - 1));
}

static bool chunk_mark(unsigned long **chunk, u64 first, u64 last)
{
	if (!*chunk)
		*chunk = vfio_pci_mig_dirty_chunk() ?: ALL_DIRTY;
	if (*chunk == ALL_DIRTY)
		return false;
	bitmap_set(*chunk, first % VFIO_PCI_MIG_DIRTY_PAGES, last - first + 1);
	return true;
}

bool vfio_pci_mig_dirty_mark(struct vfio_pci_mig_dirty *dirty, u64 iova,
			     u64 length)
{
	u64 page, first, last, end;
	struct dirty_range *range;
	bool exact = true;

	if (!length)
		return true;
	if (check_add_overflow(iova, length - 1, &end))
		end = U64_MAX;
	page = iova >> VFIO_PCI_MIG_DIRTY_SHIFT;
	end >>= VFIO_PCI_MIG_DIRTY_SHIFT;
	for (range = range_from(dirty, page);
	     range < dirty->ranges + dirty->nr_ranges && range->first <= end;
	     range++) {
		last = min(range->last, end);
		for (first = max(range->first, page); first <= last;
		     first = chunk_end(first, last) + 1)
			exact &= chunk_mark(chunk_of(range, first), first,
					    chunk_end(first, last));
	}
	return exact;
}

void vfio_pci_mig_dirty_mark_all(struct vfio_pci_mig_dirty *dirty)
{
	u64 i;

	for (i = 0; i < dirty->nr_chunks; i++) {
		if (dirty->chunks[i] != ALL_DIRTY)
			kfree(dirty->chunks[i]);
		dirty->chunks[i] = ALL_DIRTY;
	}
}

/*
 * Replaces ALL_DIRTY by a bitmap, as some of the pages are about to be taken
 * out.  Without memory all stay dirty, and are reported again later.  That is
 * not traced: it was when they began to count as dirty.
 */
static void chunk_expand(unsigned long **chunk)
{
	unsigned long *bits = vfio_pci_mig_dirty_chunk();

	if (!bits)
		return;
	bitmap_fill(bits, VFIO_PCI_MIG_DIRTY_PAGES);
	*chunk = bits;
}

/* Moves bits from a bitmap to @to; false if none was set. */
static bool chunk_take(unsigned long **chunk, u64 first, u64 last,
		       unsigned long *to)
{
	unsigned int start = first % VFIO_PCI_MIG_DIRTY_PAGES;
	unsigned int count = last - first + 1;

	if (!*chunk)
		return false;
	if (*chunk == ALL_DIRTY)
		chunk_expand(chunk);
	bitmap_zero(to, VFIO_PCI_MIG_DIRTY_PAGES);
	bitmap_set(to, start, count);
	if (*chunk == ALL_DIRTY)
		return true;
	bitmap_and(to, to, *chunk, VFIO_PCI_MIG_DIRTY_PAGES);
	bitmap_clear(*chunk, start, count);
	return !bitmap_empty(to, VFIO_PCI_MIG_DIRTY_PAGES);
}

bool vfio_pci_mig_dirty_take(struct vfio_pci_mig_dirty *dirty,
			     struct vfio_pci_mig_dirty_part *part)
{
	struct dirty_range *range = range_from(dirty, part->next);
	u64 first, last;
	bool taken;

	for (; range < dirty->ranges + dirty->nr_ranges; range++) {
		last = min(range->last, part->last);
		for (first = max(range->first, part->next); first <= last;
		     first = part->next) {
			part->next = chunk_end(first, last) + 1;
			part->base = ALIGN_DOWN(first,
						VFIO_PCI_MIG_DIRTY_PAGES);
			taken = chunk_take(chunk_of(range, first), first,
					   part->next - 1, part->bits);
			if (taken)
				return true;
		}
	}
	return false;
}
