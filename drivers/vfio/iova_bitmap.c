// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bitmaps in user memory, with a bit for each page of a range of IOVAs.  A
 * window moves over the bitmap: its user pages are pinned, and the caller's
 * function is called for this part of the range only.  So terabytes need no
 * more memory than a few pages do, and setting a bit cannot fail.  Pages that
 * cannot be pinned are noticed before the device is read, which clears its log.
 *
 * No locks: a bitmap belongs to the task that iterates over it.  Bits are set
 * with atomic operations, because user space may write to the same words.
 */
#include <linux/align.h>
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/bits.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio_iova_bitmap.h>

/*
 * Bits of a window: 1 MiB of user memory, or 32 GiB in pages of 4 KiB.  A
 * window may begin and end in the middle of a user page.
 */
#define WINDOW_SHIFT	23
#define WINDOW_PAGES	(SZ_1M / PAGE_SIZE + 1)

#define PAGE_BITS_SHIFT	(PAGE_SHIFT + 3)
#define PAGE_BITS	BIT(PAGE_BITS_SHIFT)

/**
 * struct iova_span - a range of IOVAs
 * @first: first address
 * @last: last address; less than @first if the range is empty
 */
struct iova_span {
	unsigned long first;
	unsigned long last;
};

#define EMPTY_SPAN	((struct iova_span){ .first = ULONG_MAX, .last = 0 })

/**
 * struct iova_bitmap - a bitmap, and the window on it
 * @all: the IOVAs that the bitmap has bits for
 * @shift: log2 of the bytes that a bit stands for
 * @base: user address of the page in which the bitmap begins
 * @origin: number of its first bit in that page
 * @window: the IOVAs whose bits are pinned; empty unless the caller's function
 *	is running
 * @missed: IOVAs that were set outside of the window
 * @first_page: number of the first pinned page, counted from @base
 * @npages: pinned pages
 * @written: a bit was set in them
 * @pages: the pages
 */
struct iova_bitmap {
	struct iova_span all;
	unsigned int shift;
	unsigned long base;
	unsigned long origin;

	struct iova_span window;
	struct iova_span missed;
	unsigned long first_page;
	unsigned long npages;
	bool written;
	struct page *pages[];
};

static bool span_empty(const struct iova_span *span)
{
	return span->first > span->last;
}

static struct iova_span span_intersect(const struct iova_span *a,
				       const struct iova_span *b)
{
	return (struct iova_span){
		.first = max(a->first, b->first),
		.last = min(a->last, b->last),
	};
}

/* Number of the bit for @iova, counted from @base */
static unsigned long iova_to_place(const struct iova_bitmap *bitmap,
				   unsigned long iova)
{
	return bitmap->origin + ((iova - bitmap->all.first) >> bitmap->shift);
}

/*
 * A word of all ones is written without an atomic operation, because it cannot
 * clear a bit.  Pages begin at a word, so no word crosses pages.
 */
static void set_bits_of_page(struct page *page, unsigned long first,
			     unsigned long last)
{
	unsigned long *words = kmap_local_page(page);
	unsigned long i;

	for (i = BIT_WORD(first); i <= BIT_WORD(last); i++) {
		unsigned long mask = ~0UL;

		if (i == BIT_WORD(first))
			mask &= BITMAP_FIRST_WORD_MASK(first);
		if (i == BIT_WORD(last))
			mask &= BITMAP_LAST_WORD_MASK(last + 1);
		if (mask == ~0UL)
			WRITE_ONCE(words[i], mask);
		else
			atomic_long_or(mask, (atomic_long_t *)&words[i]);
	}
	kunmap_local(words);
}

/* @span is not empty and lies in the window. */
static void set_span(struct iova_bitmap *bitmap, const struct iova_span *span)
{
	unsigned long place = iova_to_place(bitmap, span->first);
	unsigned long last = iova_to_place(bitmap, span->last);
	unsigned long end;

	for (; place <= last; place = end + 1) {
		end = min(last, place | (PAGE_BITS - 1));
		set_bits_of_page(bitmap->pages[(place >> PAGE_BITS_SHIFT) -
					       bitmap->first_page],
				 place % PAGE_BITS, end % PAGE_BITS);
	}
	bitmap->written = true;
}

static void close_window(struct iova_bitmap *bitmap)
{
	unpin_user_pages_dirty_lock(bitmap->pages, bitmap->npages,
				    bitmap->written);
	bitmap->npages = 0;
	bitmap->written = false;
	bitmap->window = EMPTY_SPAN;
}

/*
 * Windows end where an aligned block of addresses ends, so that the border of a
 * window does not cut a larger page that a device logs.
 */
static struct iova_span first_window(const struct iova_bitmap *bitmap,
				     const struct iova_span *span)
{
	unsigned int shift = bitmap->shift + WINDOW_SHIFT;
	unsigned long last = ULONG_MAX;

	if (shift < BITS_PER_LONG)
		last = span->first | (BIT(shift) - 1);
	return (struct iova_span){
		.first = span->first,
		.last = min(last, span->last),
	};
}

/* Pin the user pages with the bits for the first part of @span. */
static int open_window(struct iova_bitmap *bitmap,
		       const struct iova_span *span)
{
	struct iova_span window = first_window(bitmap, span);
	unsigned long page, end;
	int got;

	page = iova_to_place(bitmap, window.first) >> PAGE_BITS_SHIFT;
	end = (iova_to_place(bitmap, window.last) >> PAGE_BITS_SHIFT) + 1;
	bitmap->first_page = page;
	while (page < end) {
		got = pin_user_pages_fast(bitmap->base + (page << PAGE_SHIFT),
					  end - page, FOLL_WRITE,
					  bitmap->pages + bitmap->npages);
		if (got <= 0) {
			close_window(bitmap);
			return got ?: -EFAULT;
		}
		bitmap->npages += got;
		page += got;
	}
	bitmap->window = window;
	return 0;
}

/* Call @fn for @span, which is a part of the bitmap, window by window. */
static int walk_windows(struct iova_bitmap *bitmap, struct iova_span span,
			void *opaque, iova_bitmap_fn_t fn)
{
	unsigned long last;
	int ret;

	for (;; span.first = last + 1) {
		ret = open_window(bitmap, &span);
		if (ret)
			return ret;
		last = bitmap->window.last;
		ret = fn(bitmap, span.first, last - span.first + 1, opaque);
		close_window(bitmap);
		if (ret || last == span.last)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
}

static int set_window(struct iova_bitmap *bitmap, unsigned long iova,
		      size_t length, void *opaque)
{
	set_span(bitmap, &bitmap->window);
	return 0;
}

/**
 * iova_bitmap_for_each - call a function for a bitmap, part by part
 * @bitmap: the bitmap
 * @opaque: passed to @fn
 * @fn: called for each part, from the lowest IOVA on.  Sets bits with
 *	iova_bitmap_set(), may sleep, and does not access @bitmap otherwise
 *
 * The user's memory for a part is pinned before @fn is called for it.  If that
 * fails, the bits of the parts before are set, and @fn is not called for the
 * parts after.
 *
 * Context: process; may sleep and takes mmap_lock, but not while @fn runs.
 * Return: 0; the error that @fn returned; -EFAULT if the memory cannot be
 * written; -EINTR if the task is being killed.
 */
int iova_bitmap_for_each(struct iova_bitmap *bitmap, void *opaque,
			 iova_bitmap_fn_t fn)
{
	int ret, err;

	bitmap->missed = EMPTY_SPAN;
	ret = walk_windows(bitmap, bitmap->all, opaque, fn);
	if (span_empty(&bitmap->missed))
		return ret;
	err = walk_windows(bitmap, bitmap->missed, NULL, set_window);
	return ret ?: err;
}
EXPORT_SYMBOL_GPL(vfio_iova_bitmap_for_each);

static void add_missed(struct iova_bitmap *bitmap, unsigned long first,
		       unsigned long last)
{
	bitmap->missed.first = min(bitmap->missed.first, first);
	bitmap->missed.last = max(bitmap->missed.last, last);
}

/**
 * iova_bitmap_set - set the bits for a range of IOVAs
 * @bitmap: the bitmap that the caller's function got from
 *	iova_bitmap_for_each()
 * @iova: first address
 * @length: bytes
 *
 * Addresses that the bitmap has no bits for are ignored.  A range may reach
 * beyond the part that the function was called for, for instance because the
 * device logs larger pages.  Bits outside of the part are set at the end of
 * iova_bitmap_for_each(); if there are several such ranges, the bits between
 * them are set as well.
 *
 * Context: any that may use kmap_local_page().
 */
void iova_bitmap_set(struct iova_bitmap *bitmap,
		     unsigned long iova, size_t length)
{
	struct iova_span span, inside;

	if (!length)
		return;
	span.first = iova;
	if (check_add_overflow(iova, length - 1, &span.last))
		span.last = ULONG_MAX;
	span = span_intersect(&span, &bitmap->all);
	if (span_empty(&span))
		return;

	inside = span_intersect(&span, &bitmap->window);
	if (!span_empty(&inside))
		set_span(bitmap, &inside);
	if (span.first < bitmap->window.first)
		add_missed(bitmap, span.first,
			   min(span.last, bitmap->window.first - 1));
	if (span.last > bitmap->window.last)
		add_missed(bitmap, max(span.first, bitmap->window.last + 1),
			   span.last);
}
EXPORT_SYMBOL_GPL(vfio_iova_bitmap_set);

/**
 * iova_bitmap_alloc - allocate a bitmap that is in user memory
 * @iova: first IOVA
 * @length: bytes, not 0
 * @page_size: bytes that a bit stands for, a power of two.  The first bit
 *	stands for the bytes from @iova on
 * @data: the user's memory: one bit for each page, including a last page that
 *	@length does not fill
 *
 * Return: the bitmap, to be freed with iova_bitmap_free(); or an ERR_PTR():
 * -EINVAL; -EOVERFLOW if the range exceeds the address space; -EFAULT if @data
 * exceeds user space; -ENOMEM.
 */
struct iova_bitmap *iova_bitmap_alloc(unsigned long iova, size_t length,
				      unsigned long page_size,
				      u64 __user *data)
{
	unsigned long user = (unsigned long)data;
	struct iova_bitmap *bitmap;
	unsigned long last, bits, npages, origin;

	if (!length || !is_power_of_2(page_size))
		return ERR_PTR(-EINVAL);
	if (check_add_overflow(iova, length - 1, &last))
		return ERR_PTR(-EOVERFLOW);
	/* A big-endian bitmap consists of 64-bit words, not of bytes. */
	if (IS_ENABLED(CONFIG_CPU_BIG_ENDIAN) &&
	    !IS_ALIGNED(user, sizeof(u64)))
		return ERR_PTR(-EINVAL);

	bits = ((last - iova) >> ilog2(page_size)) + 1;
	if (!access_ok(data, DIV_ROUND_UP(bits, BITS_PER_BYTE)))
		return ERR_PTR(-EFAULT);

	origin = offset_in_page(user) * BITS_PER_BYTE;
	npages = ((origin + bits - 1) >> PAGE_BITS_SHIFT) + 1;
	bitmap = kzalloc(struct_size(bitmap, pages, min(npages, WINDOW_PAGES)),
			 GFP_KERNEL_ACCOUNT);
	if (!bitmap)
		return ERR_PTR(-ENOMEM);
	bitmap->all.first = iova;
	bitmap->all.last = last;
	bitmap->shift = ilog2(page_size);
	bitmap->base = user & PAGE_MASK;
	bitmap->origin = origin;
	bitmap->window = EMPTY_SPAN;
	return bitmap;
}
EXPORT_SYMBOL_GPL(vfio_iova_bitmap_alloc);

/**
 * iova_bitmap_free - free a bitmap
 * @bitmap: from iova_bitmap_alloc()
 *
 * The bits in the user's memory stay set.
 */
void iova_bitmap_free(struct iova_bitmap *bitmap)
{
	kfree(bitmap);
}
EXPORT_SYMBOL_GPL(vfio_iova_bitmap_free);
