// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty page tracking: which pages of the mappings may devices have written
 * since the last report?
 *
 * The writes of physical devices are unknown: while one is in the container,
 * each report shows every mapped page as dirty.  Emulated devices can write
 * only pages that they have pinned, and through dma_rw: each report shows
 * pinned pages as dirty, and other pages are marked when they are unpinned or
 * written.  Only parts of a mapping with marks need memory for these; if that
 * cannot be allocated, the whole mapping is reported as dirty.
 *
 * Linux ignores a physical group once its driver has called vfio_pin_pages().
 * This backend does not: no driver of a physical device calls it, and a pinned
 * page does not prove that the device writes no other.
 *
 * Marks are cleared only after they have been copied to the user.  Everything
 * here runs with the container's lock held.
 */
#include <linux/bitmap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "private.h"

/* Marks are allocated a page at a time, which has this many bits. */
#define CHUNK_BITS	(PAGE_SIZE * BITS_PER_BYTE)

/*
 * If an allocation fails, more pages count as dirty.  So an allocation may fail:
 * at the limit of a cgroup, it must not make the OOM killer end a process.
 */
#define GFP_MARKS	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* Bits that are collected and then copied, half a KiB on the stack */
#define WINDOW_BITS	4096UL

/* Bits that are written without a pause if they are all ones */
#define ONES_BITS	BIT(20)

/**
 * struct dirty_window - a part of a mapping's bits that is being collected
 * @first: IOVA of the first bit
 * @last: last IOVA of the last bit
 * @shift: log2 of the bytes that a bit stands for
 * @bits: the bits, and a word that stays 0
 */
struct dirty_window {
	unsigned long first;
	unsigned long last;
	unsigned int shift;
	DECLARE_BITMAP(bits, WINDOW_BITS + 64);
};

/* Set the bits of the part of [@first, @last] that is in the window. */
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
	struct type1_pin *pin;
	unsigned long iova;

	for (pin = type1_pin_from(m, (w->first - m->node.start) >> PAGE_SHIFT);
	     pin; pin = type1_next_pin(pin)) {
		iova = page_to_iova(m, pin->index);
		if (iova > w->last)
			break;
		window_set(w, iova, iova + PAGE_SIZE - 1);
	}
}

static void window_add_marks(struct dirty_window *w, struct type1_mapping *m)
{
	unsigned long first, last, chunk, start, end, base, iova, *bits;

	first = (w->first - m->node.start) >> PAGE_SHIFT;
	last = (min(w->last, m->node.last) - m->node.start) >> PAGE_SHIFT;
	xa_for_each_range(&m->dirty, chunk, bits, first / CHUNK_BITS,
			  last / CHUNK_BITS) {
		base = chunk * CHUNK_BITS;
		start = max(first, base) - base;
		for_each_set_bitrange_from(start, end, bits,
					   min(last - base + 1, CHUNK_BITS)) {
			iova = page_to_iova(m, base + start);
			window_set(w, iova,
				   iova + ((end - start) << PAGE_SHIFT) - 1);
		}
	}
}

/* Overwrite the bits of a user's word that are set in @mask. */
static int put_masked(u64 __user *to, u64 word, u64 mask)
{
	u64 old;

	if (mask != ~0ULL) {
		if (get_user(old, to))
			return -EFAULT;
		word = (old & ~mask) | (word & mask);
	}
	return put_user(word, to) ? -EFAULT : 0;
}

/* Word @i of @bits shifted up by @shift, or all ones if there are no bits */
static __always_inline u64 shifted_word(const u64 *bits, unsigned long i,
					unsigned int shift)
{
	u64 word;

	if (!bits)
		return ~0ULL;
	word = bits[i] << shift;
	if (i && shift)
		word |= bits[i - 1] >> (64 - shift);
	return word;
}

/*
 * Overwrite @nbits bits of the user's bitmap, from bit @at on, with @bits, or
 * with ones if @bits is NULL.  @bits has one spare word at its end.
 */
static int put_bits(u64 __user *to, unsigned long at, unsigned long nbits,
		    const u64 *bits)
{
	unsigned int shift = at % 64;
	unsigned long i, end = shift + nbits, last = (end - 1) / 64;
	u64 head = ~0ULL << shift, tail = ~0ULL >> (-end % 64);

	to += at / 64;
	if (!last)
		return put_masked(to, shifted_word(bits, 0, shift),
				  head & tail);
	if (put_masked(to, shifted_word(bits, 0, shift), head) ||
	    put_masked(to + last, shifted_word(bits, last, shift), tail))
		return -EFAULT;
	if (last == 1)
		return 0;

	if (!user_write_access_begin(to + 1, (last - 1) * sizeof(*to)))
		return -EFAULT;
	if (bits) {
		for (i = 1; i < last; i++)
			unsafe_put_user(shifted_word(bits, i, shift), to + i,
					efault);
	} else {
		for (i = 1; i < last; i++)
			unsafe_put_user(~0ULL, to + i, efault);
	}
	user_write_access_end();
	return 0;

efault:
	user_write_access_end();
	return -EFAULT;
}

/**
 * type1_dirty_clear - mark all pages of a mapping as clean
 * @m: the mapping
 */
void type1_dirty_clear(struct type1_mapping *m)
{
	unsigned long chunk, *bits;

	xa_for_each(&m->dirty, chunk, bits)
		free_page((unsigned long)bits);
	xa_destroy(&m->dirty);
	m->all_dirty = false;
}

/* The bits of a chunk of marks, allocated at first use; NULL: no memory */
static unsigned long *mark_chunk(struct type1_mapping *m, unsigned long chunk)
{
	unsigned long *bits = xa_load(&m->dirty, chunk);

	if (bits)
		return bits;
	bits = (unsigned long *)get_zeroed_page(GFP_MARKS);
	if (!bits)
		return NULL;
	if (xa_err(xa_store(&m->dirty, chunk, bits, GFP_MARKS))) {
		free_page((unsigned long)bits);
		return NULL;
	}
	return bits;
}

/**
 * type1_dirty_mark - mark pages as dirty
 * @m: a mapping of a container with dirty tracking on
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
 * type1_dirty_stop - stop dirty tracking
 * @iommu: the container
 */
void type1_dirty_stop(struct type1_iommu *iommu)
{
	struct type1_mapping *m;

	iommu->dirty_tracking = false;
	type1_for_each_mapping(m, iommu, 0, ULONG_MAX)
		type1_dirty_clear(m);
}

/**
 * type1_check_bitmap - check a request for a dirty bitmap
 * @iommu: the container
 * @first: first IOVA
 * @last: last IOVA
 * @bitmap: the user's bitmap
 *
 * Return: 0; -EINVAL if dirty tracking is off, if the page size is not the
 * smallest that is supported, if the range is not aligned to it, or if the
 * bitmap is too small or too large.
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

/* Write the bits of @m to a bitmap whose first bit is for IOVA @first. */
static int report_mapping(struct type1_mapping *m, unsigned long first,
			  unsigned int shift, u64 __user *to)
{
	bool all = m->in_iommu || m->all_dirty;
	struct dirty_window w = { .shift = shift };
	unsigned long nbits;
	int ret;

	for (w.first = m->node.start; ; w.first = w.last + 1) {
		nbits = min((m->node.last - w.first) >> shift,
			    (all ? ONES_BITS : WINDOW_BITS) - 1) + 1;
		w.last = w.first + (nbits << shift) - 1;
		if (!all) {
			bitmap_zero(w.bits, WINDOW_BITS);
			window_add_pins(&w, m);
			window_add_marks(&w, m);
		}
		ret = put_bits(to, (w.first - first) >> shift, nbits,
			       all ? NULL : (u64 *)w.bits);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		if (ret || w.last >= m->node.last)
			return ret;
		cond_resched();
	}
}

/**
 * type1_dirty_report - copy the dirty bits to the user, and clear them
 * @iommu: the container
 * @first: IOVA of the bitmap's first bit
 * @last: last IOVA; the range cuts no mapping
 * @bitmap: the user's bitmap, checked by type1_check_bitmap()
 *
 * Overwrites the bits of mappings and, like Linux, leaves all others as they
 * are.
 *
 * Return: 0; -EFAULT or -EINTR, and nothing is cleared.
 */
int type1_dirty_report(struct type1_iommu *iommu, unsigned long first,
		       unsigned long last, const struct vfio_bitmap *bitmap)
{
	struct type1_mapping *m;
	int ret;

	type1_for_each_mapping(m, iommu, first, last) {
		ret = report_mapping(m, first, type1_pgshift(iommu),
				     bitmap->data);
		if (ret)
			return ret;
	}
	type1_for_each_mapping(m, iommu, first, last)
		type1_dirty_clear(m);
	return 0;
}
