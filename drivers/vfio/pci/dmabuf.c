// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_DEVICE_FEATURE_DMA_BUF: parts of a BAR as a dma-buf, which drivers of
 * other devices (importers) map for DMA.
 *
 * Importers get at the device's memory by themselves, so that memory.c cannot
 * check their accesses.  Instead it revokes dma-bufs before it lets memory be
 * turned off: importers are told, and the revocation ends when the last of them
 * has unmapped the dma-buf.  Only importers that can be told may attach.  Until
 * memory is usable again, mapping fails with ENODEV.  The last close of the
 * device revokes its dma-bufs for good.
 *
 * A dma-buf holds the registration of the device until the device is closed.
 * Then it is detached from the device, and its file may stay open for as long as
 * its users like: that delays no unbinding of the driver.
 *
 * Whether a dma-buf is revoked changes with both memory_lock, held for write,
 * and its dma_resv lock held.  A dma-buf on the list may have no file any more:
 * its release, which may come late or in any task, does not take memory_lock.
 * list_lock protects the list.  A task that works on one of the list drops
 * list_lock meanwhile, and marks the dma-buf busy: the release waits.
 *
 * This file calls no other file of the module.
 */
#include <linux/atomic.h>
#include <linux/dma-buf-mapping.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/fcntl.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/pci-p2pdma.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "private.h"

#define MAX_RANGES	4096

/* A leaf.  Entries are added and marked busy with memory_lock held for write. */
static DEFINE_SPINLOCK(list_lock);

struct vfio_pci_dmabuf {
	struct dma_buf *dmabuf;
	struct vfio_pci_core_device *vdev; /* list_lock; NULL: it was closed */
	struct list_head node;	/* in vdev->dmabufs, or empty: list_lock */
	bool busy;		/* must not be released: list_lock */
	wait_queue_head_t idle;	/* not busy */
	bool revoked;		/* memory_lock for write and dma_resv lock */
	atomic_t mappings;	/* of importers; grows with dma_resv lock held */
	wait_queue_head_t unmapped;	/* mappings is 0 */
	struct p2pdma_provider *provider;
	size_t nr_ranges;
	struct phys_vec ranges[] __counted_by(nr_ranges);
};

/* ---- What importers call ---- */

static int dmabuf_attach(struct dma_buf *dmabuf,
			 struct dma_buf_attachment *attach)
{
	/* There are no struct pages behind it, and it may be revoked. */
	if (!attach->peer2peer || !dma_buf_attach_revocable(attach))
		return -EOPNOTSUPP;
	return 0;
}

/* It never moves: pinned importers are told of a revocation, too. */
static int dmabuf_pin(struct dma_buf_attachment *attach)
{
	return 0;
}

/* dma_buf_export() wants both, or none. */
static void dmabuf_unpin(struct dma_buf_attachment *attach)
{
}

static struct sg_table *dmabuf_map(struct dma_buf_attachment *attach,
				   enum dma_data_direction dir)
{
	struct vfio_pci_dmabuf *buf = attach->dmabuf->priv;
	struct sg_table *sgt;

	dma_resv_assert_held(attach->dmabuf->resv);
	if (buf->revoked)
		return ERR_PTR(-ENODEV);
	sgt = dma_buf_phys_vec_to_sgt(attach, buf->provider, buf->ranges,
				      buf->nr_ranges, attach->dmabuf->size,
				      dir);
	if (!IS_ERR(sgt))
		atomic_inc(&buf->mappings);
	return sgt;
}

static void dmabuf_unmap(struct dma_buf_attachment *attach,
			 struct sg_table *sgt, enum dma_data_direction dir)
{
	struct vfio_pci_dmabuf *buf = attach->dmabuf->priv;

	dma_buf_free_sgt(attach, sgt, dir);
	if (atomic_dec_and_test(&buf->mappings))
		wake_up(&buf->unmapped);
}

/*
 * Without a file there is no importer: if it is busy, then until DMA has ended
 * that importers have left behind.
 */
static void dmabuf_release(struct dma_buf *dmabuf)
{
	struct vfio_pci_dmabuf *buf = dmabuf->priv;
	struct vfio_pci_core_device *vdev;

	spin_lock(&list_lock);
	wait_event_cmd(buf->idle, !buf->busy, spin_unlock(&list_lock),
		       spin_lock(&list_lock));
	vdev = buf->vdev;
	list_del(&buf->node);
	spin_unlock(&list_lock);
	if (vdev)
		vfio_device_put_registration(&vdev->vdev);
	kvfree(buf);
}

/* No mmap: the device's own file has it. */
static const struct dma_buf_ops dmabuf_ops = {
	.attach = dmabuf_attach,
	.pin = dmabuf_pin,
	.unpin = dmabuf_unpin,
	.map_dma_buf = dmabuf_map,
	.unmap_dma_buf = dmabuf_unmap,
	.release = dmabuf_release,
};

/* ---- Revocation ---- */

/* Drop list_lock to work on a dma-buf of the list, which stays on the list. */
static void busy_begin(struct vfio_pci_dmabuf *buf)
	__releases(&list_lock)
{
	buf->busy = true;
	spin_unlock(&list_lock);
}

static void busy_end(struct vfio_pci_dmabuf *buf)
	__acquires(&list_lock)
{
	spin_lock(&list_lock);
	buf->busy = false;
	/* As soon as list_lock is dropped, a release may free it. */
	wake_up(&buf->idle);
}

static bool is_unmapped(struct vfio_pci_dmabuf *buf)
{
	return !atomic_read_acquire(&buf->mappings);
}

/*
 * An importer that can be told ends its DMA and unmaps soon.  The memory must
 * not be turned off before, so wait for an importer that has a bug, too.
 */
#define SOON	(10 * HZ)

static void warn_not_soon(struct vfio_pci_dmabuf *buf)
{
	dev_warn_ratelimited(&buf->vdev->pdev->dev,
			     "waits for the driver of another device to unmap a dma-buf of this one, or to end its DMA\n");
}

static void wait_unmapped(struct vfio_pci_dmabuf *buf)
{
	if (wait_event_timeout(buf->unmapped, is_unmapped(buf), SOON))
		return;
	warn_not_soon(buf);
	wait_event(buf->unmapped, is_unmapped(buf));
}

/* DMA that has begun: its fences have to signal. */
static void wait_fences(struct vfio_pci_dmabuf *buf)
{
	struct dma_resv *resv = buf->dmabuf->resv;

	if (dma_resv_wait_timeout(resv, DMA_RESV_USAGE_BOOKKEEP, false, SOON))
		return;
	warn_not_soon(buf);
	dma_resv_wait_timeout(resv, DMA_RESV_USAGE_BOOKKEEP, false,
			      MAX_SCHEDULE_TIMEOUT);
}

static void revoke(struct vfio_pci_dmabuf *buf)
{
	struct dma_resv *resv = buf->dmabuf->resv;

	dma_resv_lock(resv, NULL);
	if (!buf->revoked) {
		buf->revoked = true;
		dma_buf_invalidate_mappings(buf->dmabuf);
		wait_fences(buf);
	}
	dma_resv_unlock(resv);
	wait_unmapped(buf);
}

void vfio_pci_dmabufs_revoke(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_dmabuf *buf;

	lockdep_assert_held_write(&vdev->memory_lock);
	spin_lock(&list_lock);
	list_for_each_entry(buf, &vdev->dmabufs, node) {
		busy_begin(buf);
		revoke(buf);
		busy_end(buf);
	}
	spin_unlock(&list_lock);
}

static void restore(struct vfio_pci_dmabuf *buf)
{
	cond_resched();
	if (!buf->revoked)
		return;
	dma_resv_lock(buf->dmabuf->resv, NULL);
	buf->revoked = false;
	dma_resv_unlock(buf->dmabuf->resv);
}

/* A user may have very many: do not hold list_lock for all of them. */
static void restore_all(struct vfio_pci_core_device *vdev)
	__must_hold(&list_lock)
{
	struct vfio_pci_dmabuf *buf;

	list_for_each_entry(buf, &vdev->dmabufs, node) {
		if (!buf->revoked && !need_resched())
			continue;
		busy_begin(buf);
		restore(buf);
		busy_end(buf);
	}
}

void vfio_pci_dmabufs_restore(struct vfio_pci_core_device *vdev)
{
	lockdep_assert_held_write(&vdev->memory_lock);
	spin_lock(&list_lock);
	/* A device that is not open has no vconfig to look into, either. */
	if (!list_empty(&vdev->dmabufs) && vfio_pci_memory_usable(vdev))
		restore_all(vdev);
	spin_unlock(&list_lock);
}

/*
 * Off the list, nothing restores them.  Waits for no release: this task may be
 * the one that is to run it.
 */
void vfio_pci_dmabufs_close(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_dmabuf *buf;

	guard(rwsem_write)(&vdev->memory_lock);
	spin_lock(&list_lock);
	while (!list_empty(&vdev->dmabufs)) {
		buf = list_first_entry(&vdev->dmabufs, typeof(*buf), node);
		busy_begin(buf);
		revoke(buf);
		busy_end(buf);
		list_del_init(&buf->node);
		buf->vdev = NULL;
		vfio_device_put_registration(&vdev->vdev);
	}
	spin_unlock(&list_lock);
}

/* ---- Export ---- */

static bool has_dmabufs(struct vfio_pci_core_device *vdev)
{
	return vdev->pci_ops && vdev->pci_ops->get_dmabuf_phys;
}

int vfio_pci_dmabufs_probe(struct vfio_pci_core_device *vdev)
{
	return has_dmabufs(vdev) ? pcim_p2pdma_init(vdev->pdev) : 0;
}

/**
 * vfio_pci_core_fill_phys_vec - the physical addresses of ranges
 * @phys_vec: out: for each range
 * @dma_ranges: ranges of a region
 * @nr_ranges: their number
 * @start: physical address of the region
 * @len: bytes of the region
 *
 * Ranges may overlap.  But together they are not longer than the region: the
 * memory and time that a dma-buf costs are not up to its user.
 *
 * Return: 0, or -EINVAL if the region does not have the ranges.
 */
int vfio_pci_core_fill_phys_vec(struct phys_vec *phys_vec,
				struct vfio_region_dma_range *dma_ranges,
				size_t nr_ranges, phys_addr_t start,
				phys_addr_t len)
{
	phys_addr_t left = len;
	size_t i;

	for (i = 0; i < nr_ranges; i++) {
		struct vfio_region_dma_range *range = &dma_ranges[i];

		if (range->offset > len || range->length > len - range->offset ||
		    range->length > left)
			return -EINVAL;
		left -= range->length;
		phys_vec[i].paddr = start + range->offset;
		phys_vec[i].len = range->length;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_pci_core_fill_phys_vec);

/**
 * vfio_pci_core_get_dmabuf_phys - the get_dmabuf_phys callback for BARs
 * @vdev: the device; enabled
 * @provider: out: of the BAR
 * @region_index: the BAR
 * @phys_vec: out: for each range
 * @dma_ranges: ranges of the BAR
 * @nr_ranges: their number
 *
 * Return: 0; -EINVAL if the region is not a BAR that can be mapped, or does not
 * have the ranges; -ENODEV if the BAR belongs to another driver.
 */
int vfio_pci_core_get_dmabuf_phys(struct vfio_pci_core_device *vdev,
				  struct p2pdma_provider **provider,
				  unsigned int region_index,
				  struct phys_vec *phys_vec,
				  struct vfio_region_dma_range *dma_ranges,
				  size_t nr_ranges)
{
	struct pci_dev *pdev = vdev->pdev;

	if (region_index > VFIO_PCI_BAR5_REGION_INDEX ||
	    !vdev->bar_mmap_supported[region_index])
		return -EINVAL;
	if (IS_ERR(vfio_pci_core_get_iomap(vdev, region_index)))
		return -ENODEV;

	*provider = pcim_p2pdma_provider(pdev, region_index);
	if (!*provider)
		return -EINVAL;
	return vfio_pci_core_fill_phys_vec(phys_vec, dma_ranges, nr_ranges,
					   pci_resource_start(pdev, region_index),
					   pci_resource_len(pdev, region_index));
}
EXPORT_SYMBOL_GPL(vfio_pci_core_get_dmabuf_phys);

/* The size of all ranges, 0 if one of them, or the sum, is not valid. */
static size_t total_size(const struct vfio_region_dma_range *ranges,
			 size_t nr_ranges)
{
	size_t size = 0, i;

	for (i = 0; i < nr_ranges; i++)
		if (!ranges[i].length ||
		    !IS_ALIGNED(ranges[i].offset, PAGE_SIZE) ||
		    !IS_ALIGNED(ranges[i].length, PAGE_SIZE) ||
		    check_add_overflow(size, ranges[i].length, &size))
			return 0;
	return size;
}

/* Not on the list yet, and revoked: nothing is usable before publish(). */
static struct vfio_pci_dmabuf *
dmabuf_new(struct vfio_pci_core_device *vdev, unsigned int region_index,
	   struct vfio_region_dma_range *ranges, size_t nr_ranges)
{
	struct vfio_pci_dmabuf *buf;
	int ret;

	buf = kvzalloc(struct_size(buf, ranges, nr_ranges), GFP_KERNEL_ACCOUNT);
	if (!buf)
		return ERR_PTR(-ENOMEM);

	buf->nr_ranges = nr_ranges;
	buf->revoked = true;
	INIT_LIST_HEAD(&buf->node);
	init_waitqueue_head(&buf->idle);
	init_waitqueue_head(&buf->unmapped);
	ret = vdev->pci_ops->get_dmabuf_phys(vdev, &buf->provider, region_index,
					     buf->ranges, ranges, nr_ranges);
	if (ret) {
		kvfree(buf);
		return ERR_PTR(ret);
	}
	return buf;
}

/* Consumes @buf. */
static struct dma_buf *dmabuf_export(struct vfio_pci_dmabuf *buf, size_t size,
				     u32 open_flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	info.ops = &dmabuf_ops;
	info.size = size;
	info.flags = open_flags;
	info.priv = buf;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		kvfree(buf);
	else
		buf->dmabuf = dmabuf;
	return dmabuf;
}

/* Nobody has the dma-buf yet.  The device is open, so it is registered. */
static int publish(struct vfio_pci_core_device *vdev,
		   struct vfio_pci_dmabuf *buf)
{
	if (!vfio_device_try_get_registration(&vdev->vdev))
		return -ENODEV;

	guard(rwsem_write)(&vdev->memory_lock);
	guard(spinlock)(&list_lock);
	buf->revoked = !vfio_pci_memory_usable(vdev);
	buf->vdev = vdev;
	list_add_tail(&buf->node, &vdev->dmabufs);
	return 0;
}

static int dmabuf_get_fd(struct vfio_pci_core_device *vdev,
			 const struct vfio_device_feature_dma_buf *get,
			 struct vfio_region_dma_range *ranges)
{
	size_t size = total_size(ranges, get->nr_ranges);
	struct vfio_pci_dmabuf *buf;
	struct dma_buf *dmabuf;
	int fd;

	if (!size)
		return -EINVAL;
	buf = dmabuf_new(vdev, get->region_index, ranges, get->nr_ranges);
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	dmabuf = dmabuf_export(buf, size, get->open_flags);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	fd = publish(vdev, buf);
	if (!fd)
		fd = dma_buf_fd(dmabuf, get->open_flags);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

static bool get_is_valid(const struct vfio_device_feature_dma_buf *get,
			 size_t argsz)
{
	return !get->flags && !(get->open_flags & ~(O_ACCMODE | O_CLOEXEC)) &&
	       get->nr_ranges && get->nr_ranges <= MAX_RANGES &&
	       argsz >= struct_size(get, dma_ranges, get->nr_ranges);
}

int vfio_pci_feature_dmabuf(struct vfio_pci_core_device *vdev, u32 flags,
			    void __user *arg, size_t argsz)
{
	struct vfio_device_feature_dma_buf get;
	struct vfio_region_dma_range *ranges;
	int ret;

	if (!has_dmabufs(vdev))
		return -ENOTTY;

	ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_GET,
				 sizeof(get));
	if (ret != 1)
		return ret;
	if (copy_from_user(&get, arg, sizeof(get)))
		return -EFAULT;
	if (!get_is_valid(&get, argsz))
		return -EINVAL;

	ranges = vmemdup_array_user(arg + sizeof(get), get.nr_ranges,
				    sizeof(*ranges));
	if (IS_ERR(ranges))
		return PTR_ERR(ranges);
	ret = dmabuf_get_fd(vdev, &get, ranges);
	kvfree(ranges);
	return ret;
}

MODULE_IMPORT_NS(DMA_BUF);
