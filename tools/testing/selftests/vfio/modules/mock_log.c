// SPDX-License-Identifier: GPL-2.0-only
/*
 * A DMA logger in software.  What the device "writes" comes from an ioctl and
 * is kept as a list of ranges until it is read.  It also checks what the core
 * promises to drivers, and counts violations (broken_promises).
 *
 * mock_log.lock protects the log.  The core makes one call at a time, but
 * ioctls may come at any time.
 */
#include <linux/interval_tree.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "mock_log.h"

/* Bytes written to, from @first to @last; whole granules of the log */
struct mock_dirty {
	struct list_head list;
	u64 first;
	u64 last;
};

static void mock_log_clear(struct mock_log *log)
{
	struct mock_dirty *dirty, *tmp;

	list_for_each_entry_safe(dirty, tmp, &log->dirty, list) {
		list_del(&dirty->list);
		kfree(dirty);
	}
}

void mock_log_init(struct mock_log *log)
{
	mutex_init(&log->lock);
	INIT_LIST_HEAD(&log->dirty);
}

void mock_log_open(struct mock_log *log)
{
	guard(mutex)(&log->lock);
	memset(&log->control, 0, sizeof(log->control));
	if (log->info.on)
		log->info.broken_promises++;
}

void mock_log_close(struct mock_log *log)
{
	guard(mutex)(&log->lock);
	/* The core stops logging before the close, or has tried to. */
	if (log->info.on && !log->control.stop_errno)
		log->info.broken_promises++;
	log->info.on = 0;
	mock_log_clear(log);
}

/* Callbacks come one at a time. */
static void mock_log_enter(struct mock_log *log)
{
	if (atomic_inc_return(&log->busy) != 1) {
		guard(mutex)(&log->lock);
		log->info.broken_promises++;
	}
}

static void mock_log_leave(struct mock_log *log)
{
	atomic_dec(&log->busy);
}

/*
 * Counts what is wrong with the ranges of a start, and keeps them for a test.
 */
static void mock_log_check(struct mock_log *log, struct rb_root_cached *ranges,
			   u32 nnodes, u64 page_size)
{
	struct interval_tree_node *node;
	u64 end = 0;
	u32 seen = 0;

	for (node = interval_tree_iter_first(ranges, 0, ULONG_MAX); node;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
		if (!IS_ALIGNED(node->start, page_size) ||
		    !IS_ALIGNED(node->last + 1, page_size) ||
		    node->last < node->start || node->last == ULONG_MAX ||
		    (seen && node->start < end))
			log->info.broken_promises++;
		end = node->last + 1;
		if (seen < MOCK_LOG_RANGES) {
			log->info.range[seen].iova = node->start;
			log->info.range[seen].length = end - node->start;
		}
		seen++;
	}
	if (seen != nnodes)
		log->info.broken_promises++;
	log->info.nranges = seen;
}

static int mock_log_do_start(struct mock_log *log,
			     struct rb_root_cached *ranges, u32 nnodes,
			     u64 *page_size)
{
	guard(mutex)(&log->lock);
	log->info.starts++;
	if (log->info.on)
		log->info.broken_promises++;
	if (log->control.start_errno)
		return -log->control.start_errno;
	mock_log_check(log, ranges, nnodes, *page_size);
	if (log->control.page_size)
		*page_size = log->control.page_size;
	log->info.page_size = *page_size;
	log->info.on = 1;
	return 0;
}

int mock_log_start(struct mock_log *log, struct rb_root_cached *ranges,
		   u32 nnodes, u64 *page_size)
{
	u64 unmap;
	int ret;

	mock_log_enter(log);
	ret = mock_log_do_start(log, ranges, nnodes, page_size);
	mock_log_leave(log);

	/* Now the core cannot copy its answer to the user. */
	scoped_guard(mutex, &log->lock) {
		unmap = log->control.start_unmaps;
		log->control.start_unmaps = 0;
	}
	if (unmap && vm_munmap(unmap, PAGE_SIZE))
		return -EFAULT;
	return ret;
}

static int mock_log_do_stop(struct mock_log *log)
{
	guard(mutex)(&log->lock);
	log->info.stops++;
	if (!log->info.on)
		log->info.broken_promises++;
	if (log->control.stop_errno)
		return -log->control.stop_errno;
	log->info.on = 0;
	mock_log_clear(log);
	return 0;
}

int mock_log_stop(struct mock_log *log)
{
	int ret;

	mock_log_enter(log);
	ret = mock_log_do_stop(log);
	mock_log_leave(log);
	return ret;
}

/* Removes [first, last], a part of @dirty, from the log. */
static int mock_log_cut(struct mock_dirty *dirty, u64 first, u64 last)
{
	struct mock_dirty *rest;

	if (first == dirty->first && last == dirty->last) {
		list_del(&dirty->list);
		kfree(dirty);
	} else if (first == dirty->first) {
		dirty->first = last + 1;
	} else if (last == dirty->last) {
		dirty->last = first - 1;
	} else {
		rest = kmalloc(sizeof(*rest), GFP_KERNEL_ACCOUNT);
		if (!rest)
			return -ENOMEM;
		rest->first = last + 1;
		rest->last = dirty->last;
		dirty->last = first - 1;
		/* Before @dirty, where the caller's iteration has been. */
		list_add_tail(&rest->list, &dirty->list);
	}
	return 0;
}

static int mock_log_do_read(struct mock_log *log, u64 iova, u64 length,
			    struct iova_bitmap *bitmap)
{
	u64 last = iova + length - 1, first, to, granule;
	struct mock_dirty *dirty, *tmp;
	int ret;

	guard(mutex)(&log->lock);
	log->info.reads++;
	if (!log->info.on || !length || last < iova)
		log->info.broken_promises++;
	if (log->control.read_errno && !log->control.good_reads)
		return -log->control.read_errno;
	if (log->control.good_reads)
		log->control.good_reads--;

	granule = log->info.page_size;
	list_for_each_entry_safe(dirty, tmp, &log->dirty, list) {
		if (dirty->last < iova || dirty->first > last)
			continue;
		first = round_down(max(dirty->first, iova), granule);
		to = min(dirty->last, last) | (granule - 1);
		ret = mock_log_cut(dirty, first, to);
		if (ret)
			return ret;
		iova_bitmap_set(bitmap, first, to - first + 1);
	}
	return 0;
}

int mock_log_read_and_clear(struct mock_log *log, unsigned long iova,
			    unsigned long length, struct iova_bitmap *dirty)
{
	int ret;

	mock_log_enter(log);
	ret = mock_log_do_read(log, iova, length, dirty);
	mock_log_leave(log);
	return ret;
}

/* The device writes: what is in the ranges of the start is logged. */
static long mock_log_write(struct mock_log *log, void __user *user)
{
	struct mock_log_range arg;
	struct mock_dirty *dirty;
	u64 last, start, end, granule;
	u32 i;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (!arg.length || check_add_overflow(arg.iova, arg.length - 1, &last))
		return -EINVAL;

	guard(mutex)(&log->lock);
	if (!log->info.on)
		return 0;
	granule = log->info.page_size;
	for (i = 0; i < min(log->info.nranges, MOCK_LOG_RANGES); i++) {
		start = log->info.range[i].iova;
		end = start + log->info.range[i].length - 1;
		if (last < start || arg.iova > end)
			continue;
		dirty = kmalloc(sizeof(*dirty), GFP_KERNEL_ACCOUNT);
		if (!dirty)
			return -ENOMEM;
		dirty->first = round_down(max(start, arg.iova), granule);
		dirty->last = min(end, last) | (granule - 1);
		list_add_tail(&dirty->list, &log->dirty);
	}
	return 0;
}

static long mock_log_set_control(struct mock_log *log, void __user *user)
{
	struct mock_log_control control;

	if (copy_from_user(&control, user, sizeof(control)))
		return -EFAULT;
	if (control.start_errno >= MAX_ERRNO ||
	    control.stop_errno >= MAX_ERRNO ||
	    control.read_errno >= MAX_ERRNO ||
	    (control.page_size && !is_power_of_2(control.page_size)))
		return -EINVAL;
	guard(mutex)(&log->lock);
	log->control = control;
	return 0;
}

static long mock_log_get_info(struct mock_log *log, void __user *user)
{
	struct mock_log_info *info __free(kfree) = NULL;

	scoped_guard(mutex, &log->lock)
		info = kmemdup(&log->info, sizeof(log->info), GFP_KERNEL);
	if (!info)
		return -ENOMEM;
	return copy_to_user(user, info, sizeof(*info)) ? -EFAULT : 0;
}

long mock_log_ioctl(struct mock_log *log, unsigned int cmd, void __user *user)
{
	switch (cmd) {
	case MOCK_LOG_WRITE:
		return mock_log_write(log, user);
	case MOCK_LOG_CONTROL:
		return mock_log_set_control(log, user);
	case MOCK_LOG_INFO:
		return mock_log_get_info(log, user);
	default:
		return -ENOTTY;
	}
}
