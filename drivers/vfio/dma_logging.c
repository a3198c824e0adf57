// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA logging: user space has a device's writes to memory logged, and reads the
 * log.  Requests are checked here.  A driver (struct vfio_log_ops) is never
 * started twice, and never stopped or read without having been started.
 *
 * vfio_dma_logging.lock protects the session of a device.  It is held over the
 * driver's callbacks, so they never run at the same time.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/interval_tree.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/rbtree.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "private.h"

#define LOG_RANGES_MAX \
	(PAGE_SIZE / sizeof(struct vfio_device_feature_dma_logging_range))

static struct vfio_dma_logging *vfio_logging(struct vfio_device *device)
{
	return &vfio_device_private(device)->logging;
}

void vfio_dma_logging_init(struct vfio_device *device)
{
	mutex_init(&vfio_logging(device)->lock);
}

static bool vfio_log_page_size_valid(u64 size)
{
	return size <= ULONG_MAX && is_power_of_2(size);
}

/* iova + length must not overflow either, as drivers may compute it. */
static int vfio_log_check_range(u64 iova, u64 length)
{
	u64 end;

	if (!length)
		return -EINVAL;
	if (check_add_overflow(iova, length, &end) || end > ULONG_MAX)
		return -EOVERFLOW;
	return 0;
}

/* Build the tree at @root: one of @nodes for each of @ranges. */
static int
vfio_log_build_tree(const struct vfio_device_feature_dma_logging_range *ranges,
		    u32 count, u64 page_size, struct interval_tree_node *nodes,
		    struct rb_root_cached *root)
{
	u32 i;
	int ret;

	for (i = 0; i < count; i++) {
		u64 iova = ranges[i].iova, length = ranges[i].length;

		if (!IS_ALIGNED(iova | length, page_size))
			return -EINVAL;
		ret = vfio_log_check_range(iova, length);
		if (ret)
			return ret;
		nodes[i].start = iova;
		nodes[i].last = iova + length - 1;
		if (interval_tree_iter_first(root, nodes[i].start,
					     nodes[i].last))
			return -EINVAL;
		interval_tree_insert(&nodes[i], root);
	}
	return 0;
}

static int vfio_log_begin(struct vfio_device *device,
			  struct rb_root_cached *root, u32 count,
			  u64 *page_size, u64 *session)
{
	struct vfio_dma_logging *logging = vfio_logging(device);
	int ret = -EINVAL;

	if (mutex_lock_killable(&logging->lock))
		return -EINTR;
	if (logging->session)
		goto unlock;
	ret = device->log_ops->log_start(device, root, count, page_size);
	if (ret)
		goto unlock;
	WRITE_ONCE(logging->since, ktime_get_boottime_seconds());
	WRITE_ONCE(logging->session, ++logging->last_session);
	*session = logging->session;
unlock:
	mutex_unlock(&logging->lock);
	return ret;
}

int vfio_dma_logging_start(
	struct vfio_device *device,
	struct vfio_device_feature_dma_logging_control *control, u64 *session)
{
	struct vfio_device_feature_dma_logging_range *ranges;
	struct rb_root_cached root = RB_ROOT_CACHED;
	struct interval_tree_node *nodes;
	int ret;

	if (!control->num_ranges ||
	    !vfio_log_page_size_valid(control->page_size))
		return -EINVAL;
	if (control->num_ranges > LOG_RANGES_MAX)
		return -E2BIG;

	ranges = memdup_array_user(u64_to_user_ptr(control->ranges),
				   control->num_ranges, sizeof(*ranges));
	if (IS_ERR(ranges))
		return PTR_ERR(ranges);
	nodes = kcalloc(control->num_ranges, sizeof(*nodes),
			GFP_KERNEL_ACCOUNT);
	if (!nodes) {
		ret = -ENOMEM;
		goto free_ranges;
	}

	ret = vfio_log_build_tree(ranges, control->num_ranges,
				  control->page_size, nodes, &root);
	if (!ret)
		ret = vfio_log_begin(device, &root, control->num_ranges,
				     &control->page_size, session);
	kfree(nodes);
free_ranges:
	kfree(ranges);
	return ret;
}

/*
 * If the driver fails to stop, the session stays on.  User space may try again;
 * otherwise the last close does.
 */
static int vfio_log_end(struct vfio_device *device)
{
	struct vfio_dma_logging *logging = vfio_logging(device);
	int ret;

	lockdep_assert_held(&logging->lock);
	ret = device->log_ops->log_stop(device);
	if (ret)
		dev_warn_ratelimited(device->dev,
				     "vfio: DMA logging does not stop (%d); reset the device, then close it\n",
				     ret);
	else
		WRITE_ONCE(logging->session, 0);
	return ret;
}

void vfio_dma_logging_undo_start(struct vfio_device *device, u64 session)
{
	struct vfio_dma_logging *logging = vfio_logging(device);

	mutex_lock(&logging->lock);
	if (logging->session == session)
		vfio_log_end(device);
	mutex_unlock(&logging->lock);
}

int vfio_dma_logging_stop(struct vfio_device *device)
{
	struct vfio_dma_logging *logging = vfio_logging(device);
	int ret = -EINVAL;

	if (mutex_lock_killable(&logging->lock))
		return -EINTR;
	if (logging->session)
		ret = vfio_log_end(device);
	mutex_unlock(&logging->lock);
	return ret;
}

void vfio_dma_logging_close(struct vfio_device *device)
{
	struct vfio_dma_logging *logging = vfio_logging(device);

	mutex_lock(&logging->lock);
	if (logging->session)
		vfio_log_end(device);
	WRITE_ONCE(logging->session, 0);
	mutex_unlock(&logging->lock);
}

static int vfio_log_read_part(struct iova_bitmap *bitmap, unsigned long iova,
			      size_t length, void *opaque)
{
	struct vfio_device *device = opaque;

	return device->log_ops->log_read_and_clear(device, iova, length,
						   bitmap);
}

static int
vfio_log_read(struct vfio_device *device,
	      const struct vfio_device_feature_dma_logging_report *report)
{
	struct iova_bitmap *bitmap;
	int ret;

	bitmap = iova_bitmap_alloc(report->iova, report->length,
				   report->page_size,
				   u64_to_user_ptr(report->bitmap));
	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap);
	ret = iova_bitmap_for_each(bitmap, device, vfio_log_read_part);
	iova_bitmap_free(bitmap);
	return ret;
}

int vfio_dma_logging_report(
	struct vfio_device *device,
	const struct vfio_device_feature_dma_logging_report *report)
{
	struct vfio_dma_logging *logging = vfio_logging(device);
	int ret;

	if (report->page_size < SZ_4K ||
	    !vfio_log_page_size_valid(report->page_size))
		return -EINVAL;
	ret = vfio_log_check_range(report->iova, report->length);
	if (ret)
		return ret;

	if (mutex_lock_killable(&logging->lock))
		return -EINTR;
	ret = logging->session ? vfio_log_read(device, report) : -EINVAL;
	mutex_unlock(&logging->lock);
	return ret;
}
