// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty page tracking: which pages of the mappings may devices have written
 * since the last report?
 *
 * Physical devices tell nobody what they write: while one is in the container,
 * that is every mapped page, each time.  Emulated devices can only have written
 * what they have pinned, and what they wrote through dma_rw: pages that are
 * pinned count at each report, the others are marked when they are unpinned or
 * written.  Marks take memory only where there are some; if there is none to
 * be had, the whole mapping counts.
 *
 * Nothing is cleared before the user has got it.  Everything here runs with the
 * container's lock held.
 */
#include <linux/bitmap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "iommu_type1.h"

/* A page of bits: the unit of marks, and of what is reported in one go */
#define CHUNK_BITS	(PAGE_SIZE * BITS_PER_BYTE)
#define CHUNK_WORDS	(PAGE_SIZE / sizeof(u64))

/**
 * struct dirty_window - a piece of the bitmap that is being reported
 * @first: IOVA of the first bit
 * @last: last IOVA of the last bit
 * @shift: log2 of the bytes that a bit stands for
 * @bits: the bits
 */
struct dirty_window {
	unsigned long first;
	unsigned long last;
	unsigned int shift;
	unsigned long *bits;
};

/* Set the bits of [@first, @last], as far as the window has them */
static void window_set(struct dirty_window *w, unsigned long first,
		       unsigned long last)
{
	unsigned long bit, end;

	if (first > w->last || last < w->first)
		return;
	bit = (max(first, w->first) - w->first) >> w->shift;
	end = (min(last, w->last) - w->first) >> w->shift;
	bitmap_set(w->bits, bit, end - bit + 1);
}

static unsigned long page_to_iova(struct type1_mapping *m, unsigned long index)
{
	return m->node.start + (index << PAGE_SHIFT);
}

static void window_add_pins(struct dirty_window *w, struct type1_mapping *m)
{
	unsigned long iova = max(w->first, m->node.start);
	struct type1_pin *pin;

	for (pin = type1_pin_from(m, (iova - m->node.start) >> PAGE_SHIFT);
	     pin; pin = type1_next_pin(pin)) {
		iova = page_to_iova(m, pin->index);
		if (iova > w->last)
			break;
		window_set(w, iova, iova + PAGE_SIZE - 1);
	}
}

static void window_add_marks(struct dirty_window *w, struct type1_mapping *m)
{
	unsigned long first, last, chunk, start, end, iova, *bits;

	first = max(w->first, m->node.start) - m->node.start;
	last = min(w->last, m->node.last) - m->node.start;
	xa_for_each_range(&m->dirty, chunk, bits,
			  (first >> PAGE_SHIFT) / CHUNK_BITS,
			  (last >> PAGE_SHIFT) / CHUNK_BITS) {
		for_each_set_bitrange(start, end, bits, CHUNK_BITS) {
			iova = page_to_iova(m, chunk * CHUNK_BITS + start);
			window_set(w, iova,
				   iova + ((end - start) << PAGE_SHIFT) - 1);
		}
	}
}

static void fill_window(struct type1_iommu *iommu, struct dirty_window *w)
{
	struct type1_mapping *m;

	type1_for_each_mapping(m, iommu, w->first, w->last) {
		if (m->in_iommu || m->all_dirty) {
			window_set(w, m->node.start, m->node.last);
			continue;
		}
		window_add_pins(w, m);
		window_add_marks(w, m);
	}
}

/* Or @nr words into the user's; @old is scratch of the same size */
static int or_to_user(u64 __user *to, const u64 *words, u64 *old,
		      unsigned long nr)
{
	unsigned long i;

	if (!memchr_inv(words, 0, nr * sizeof(*words)))
		return 0;
	if (copy_from_user(old, to, nr * sizeof(*words)))
		return -EFAULT;
	for (i = 0; i < nr; i++)
		old[i] |= words[i];
	return copy_to_user(to, old, nr * sizeof(*words)) ? -EFAULT : 0;
}

/**
 * type1_dirty_forget - no page of a mapping is dirty
 * @m: the mapping
 */
void type1_dirty_forget(struct type1_mapping *m)
{
	unsigned long chunk, *bits;

	xa_for_each(&m->dirty, chunk, bits)
		free_page((unsigned long)bits);
	xa_destroy(&m->dirty);
	m->all_dirty = false;
}

/* The bits of a chunk of marks; all pages are dirty if there is no memory */
static unsigned long *mark_chunk(struct type1_mapping *m, unsigned long chunk)
{
	unsigned long *bits = xa_load(&m->dirty, chunk);

	if (bits)
		return bits;
	bits = (unsigned long *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!bits)
		return NULL;
	if (xa_err(xa_store(&m->dirty, chunk, bits, GFP_KERNEL))) {
		free_page((unsigned long)bits);
		return NULL;
	}
	return bits;
}

/**
 * type1_dirty_mark - pages have been written
 * @m: a mapping of a container that tracks
 * @index: first page of the mapping
 * @npages: how many
 */
void type1_dirty_mark(struct type1_mapping *m, unsigned long index,
		      unsigned long npages)
{
	unsigned long *bits, bit, n;

	for (; npages && !m->all_dirty; index += n, npages -= n) {
		bit = index % CHUNK_BITS;
		n = min(npages, CHUNK_BITS - bit);
		bits = mark_chunk(m, index / CHUNK_BITS);
		if (bits)
			bitmap_set(bits, bit, n);
		else
			m->all_dirty = true;
	}
}

/**
 * type1_dirty_stop - stop tracking
 * @iommu: the container
 */
void type1_dirty_stop(struct type1_iommu *iommu)
{
	struct type1_mapping *m;

	iommu->dirty_tracking = false;
	type1_for_each_mapping(m, iommu, 0, ULONG_MAX)
		type1_dirty_forget(m);
}

/**
 * type1_check_bitmap - is a request for a bitmap a good one?
 * @iommu: the container
 * @first: first IOVA
 * @last: last IOVA
 * @bitmap: where the answer is to go
 *
 * Return: 0; -EINVAL not tracking, another granularity than the smallest, a
 * range that is not aligned to it, or a bitmap that is too small or too large.
 */
int type1_check_bitmap(struct type1_iommu *iommu, unsigned long first,
		       unsigned long last, const struct vfio_bitmap *bitmap)
{
	unsigned int shift = type1_pgshift(iommu);
	u64 words;

	if (!iommu->dirty_tracking || bitmap->pgsize != BIT_ULL(shift))
		return -EINVAL;
	if ((first | (last + 1)) & (BIT(shift) - 1))
		return -EINVAL;
	words = ((last - first) >> shift) / 64 + 1;
	if (bitmap->size < words * sizeof(u64) ||
	    bitmap->size > TYPE1_DIRTY_BITMAP_MAX ||
	    !access_ok(bitmap->data, bitmap->size))
		return -EINVAL;
	return 0;
}

/**
 * type1_dirty_report - tell the user what is dirty, and forget it
 * @iommu: the container
 * @first: IOVA of the bitmap's first bit
 * @last: last IOVA; the range cuts no mapping
 * @bitmap: where the answer goes; passed type1_check_bitmap()
 *
 * Sets bits and clears none.  Memory of the user where there is no bit to set
 * is not touched.
 *
 * Return: 0; -EFAULT, -ENOMEM, -EINTR: then nothing is forgotten.
 */
int type1_dirty_report(struct type1_iommu *iommu, unsigned long first,
		       unsigned long last, const struct vfio_bitmap *bitmap)
{
	unsigned int shift = type1_pgshift(iommu);
	u64 __user *to = bitmap->data;
	struct dirty_window w = { .shift = shift };
	struct type1_mapping *m;
	unsigned long nbits;
	int ret = 0;
	u64 *old;

	w.bits = kmalloc(PAGE_SIZE, GFP_KERNEL);
	old = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!w.bits || !old) {
		ret = -ENOMEM;
		goto out_free;
	}

	for (w.first = first; ; w.first = w.last + 1, to += CHUNK_WORDS) {
		nbits = min((last - w.first) >> shift, CHUNK_BITS - 1) + 1;
		w.last = w.first + (nbits << shift) - 1;
		memset(w.bits, 0, PAGE_SIZE);
		fill_window(iommu, &w);
		ret = or_to_user(to, (u64 *)w.bits, old,
				 DIV_ROUND_UP(nbits, 64));
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		if (ret)
			goto out_free;
		if (w.last == last)
			break;
		cond_resched();
	}

	type1_for_each_mapping(m, iommu, first, last)
		type1_dirty_forget(m);
out_free:
	kfree(old);
	kfree(w.bits);
	return ret;
}
