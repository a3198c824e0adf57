// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices in I/O address spaces of iommufd: what drivers use for the iommufd
 * operations of struct vfio_device_ops, and how the core calls these.  Does not
 * know which interface the device was opened by.
 *
 * A device is bound from before its driver's open_device to after its
 * close_device.  dev_set->lock protects the iommufd that it is bound to, and
 * whether it is attached.
 */
#include <linux/bug.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/lockdep.h>
#include <linux/overflow.h>
#include <linux/sched.h>

#include "private.h"

/* ---- The address space of a device that is open in an iommufd ---- */

static int iommufd_space_open(struct vfio_device *device)
{
	struct vfio_device_private *private = vfio_device_private(device);

	lockdep_assert_held(&device->dev_set->lock);
	return device->ops->bind_iommufd(device, private->space.iommufd,
					 &private->iommufd_id);
}

static void iommufd_space_close(struct vfio_device *device)
{
	lockdep_assert_held(&device->dev_set->lock);
	device->ops->unbind_iommufd(device);
}

static void iommufd_space_unpin_pages(struct vfio_device *device,
				      dma_addr_t iova, int npage)
{
	unsigned long start = iova & PAGE_MASK;

	if (!device->iommufd_access)
		return;
	for (; npage; npage--, start += PAGE_SIZE)
		iommufd_access_unpin_pages(device->iommufd_access, start,
					   PAGE_SIZE);
}

/*
 * Pins page by page: iommufd unpins only the ranges that were pinned, but a
 * driver may unpin some of the pages that one call has pinned.
 */
static int iommufd_space_pin_pages(struct vfio_device *device, dma_addr_t iova,
				   int npage, int prot, struct page **pages)
{
	unsigned int flags = prot & IOMMU_WRITE ? IOMMUFD_ACCESS_RW_WRITE : 0;
	unsigned long start = iova & PAGE_MASK, last;
	int i, ret;

	if (!device->iommufd_access || iova > ULONG_MAX ||
	    check_add_overflow(start, npage * PAGE_SIZE - 1, &last))
		return -EINVAL;
	for (i = 0; i < npage; i++) {
		ret = iommufd_access_pin_pages(device->iommufd_access,
					       start + i * PAGE_SIZE,
					       PAGE_SIZE, &pages[i], flags);
		if (ret)
			goto err_unpin;
	}
	return npage;

err_unpin:
	iommufd_space_unpin_pages(device, start, i);
	return ret;
}

static int iommufd_space_dma_rw(struct vfio_device *device, dma_addr_t iova,
				void *data, size_t len, bool write)
{
	unsigned int flags = write ? IOMMUFD_ACCESS_RW_WRITE : 0;

	if (!device->iommufd_access || iova > ULONG_MAX)
		return -EINVAL;
	if (!current->mm)
		flags |= IOMMUFD_ACCESS_RW_KTHREAD;
	return iommufd_access_rw(device->iommufd_access, iova, data, len,
				 flags);
}

const struct vfio_address_space_ops vfio_iommufd_space_ops = {
	.open		= iommufd_space_open,
	.close		= iommufd_space_close,
	.pin_pages	= iommufd_space_pin_pages,
	.unpin_pages	= iommufd_space_unpin_pages,
	.dma_rw		= iommufd_space_dma_rw,
};

/* ---- An iommufd in place of a container ---- */

struct iommufd_ctx *vfio_iommufd_container(struct file *file)
{
	struct iommufd_ctx *ictx = iommufd_ctx_from_file(file);
	int ret;

	if (IS_ERR(ictx))
		return ERR_PTR(-EBADFD);
	ret = iommufd_vfio_compat_ioas_create(ictx);
	if (!ret)
		return ictx;
	iommufd_ctx_put(ictx);
	return ERR_PTR(ret);
}

int vfio_iommufd_attach_container(struct vfio_device *device)
{
	u32 ioas_id;
	int ret;

	lockdep_assert_held(&device->dev_set->lock);
	ret = iommufd_vfio_compat_ioas_get_id(vfio_device_space(device)->iommufd,
					      &ioas_id);
	return ret ?: device->ops->attach_ioas(device, &ioas_id);
}

/* ---- Queries of drivers and of vfio-pci-core ---- */

/**
 * vfio_iommufd_device_ictx - the iommufd that a device with DMA is bound to
 * @vdev: the device; dev_set->lock held
 *
 * Return: the context, without a reference, or NULL.
 */
struct iommufd_ctx *vfio_iommufd_device_ictx(struct vfio_device *vdev)
{
	lockdep_assert_held(&vdev->dev_set->lock);
	if (!vdev->iommufd_device)
		return NULL;
	return iommufd_device_to_ictx(vdev->iommufd_device);
}
EXPORT_SYMBOL_GPL(vfio_iommufd_device_ictx);

/**
 * vfio_iommufd_get_dev_id - the id of a device in an iommufd
 * @vdev: the device; dev_set->lock held
 * @ictx: the iommufd
 *
 * Return: the device's id in @ictx, which is > 0; -ENOENT if the device is not
 * bound to @ictx but its IOMMU group is, so that no other user can open the
 * device; otherwise -ENODEV.
 */
int vfio_iommufd_get_dev_id(struct vfio_device *vdev,
			    struct iommufd_ctx *ictx)
{
	struct iommu_group *iommu_group;
	bool owned;

	if (vfio_iommufd_device_ictx(vdev) == ictx)
		return iommufd_device_to_id(vdev->iommufd_device);

	iommu_group = iommu_group_get(vdev->dev);
	if (!iommu_group)
		return -ENODEV;
	owned = iommufd_ctx_has_group(ictx, iommu_group);
	iommu_group_put(iommu_group);
	return owned ? -ENOENT : -ENODEV;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_get_dev_id);

/* ---- Devices that do DMA ---- */

/**
 * vfio_iommufd_physical_bind - bind a device that does DMA to an iommufd
 * @vdev: the device; dev_set->lock held
 * @ictx: the iommufd
 * @out_device_id: out: the device's id in @ictx
 *
 * For vfio_device_ops.bind_iommufd.  The device's IOMMU group belongs to @ictx
 * from now on.  The device's DMA is blocked until it is attached.
 *
 * Return: 0; -EPERM without interrupt remapping, where a device of that group
 * could raise any interrupt; or another error.
 */
int vfio_iommufd_physical_bind(struct vfio_device *vdev,
			       struct iommufd_ctx *ictx, u32 *out_device_id)
{
	struct iommufd_device *idev;

	idev = iommufd_device_bind(ictx, vdev->dev, out_device_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	vfio_iommufd_init_pasids(vdev);
	vdev->iommufd_device = idev;
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_physical_bind);

/**
 * vfio_iommufd_physical_unbind - undo vfio_iommufd_physical_bind()
 * @vdev: the device, attached or not; dev_set->lock held
 *
 * For vfio_device_ops.unbind_iommufd.
 */
void vfio_iommufd_physical_unbind(struct vfio_device *vdev)
{
	vfio_iommufd_detach_pasids(vdev);
	vfio_iommufd_physical_detach_ioas(vdev);
	iommufd_device_unbind(vdev->iommufd_device);
	vdev->iommufd_device = NULL;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_physical_unbind);

/**
 * vfio_iommufd_physical_attach_ioas - put a bound device into an address space
 * @vdev: the device; dev_set->lock held.  If it is in one already, the new one
 *	replaces that
 * @pt_id: in: an I/O address space or a hardware page table; out: the page
 *	table that the device is attached to
 *
 * For vfio_device_ops.attach_ioas.
 *
 * Return: 0; or an error, and nothing has changed.
 */
int vfio_iommufd_physical_attach_ioas(struct vfio_device *vdev, u32 *pt_id)
{
	int ret;

	lockdep_assert_held(&vdev->dev_set->lock);
	if (WARN_ON(!vdev->iommufd_device))
		return -EINVAL;
	if (vdev->iommufd_attached)
		return iommufd_device_replace(vdev->iommufd_device, pt_id);
	ret = iommufd_device_attach(vdev->iommufd_device, pt_id);
	if (!ret)
		vdev->iommufd_attached = true;
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_physical_attach_ioas);

/**
 * vfio_iommufd_physical_detach_ioas - take a device out of its address space
 * @vdev: the device, attached or not; dev_set->lock held
 *
 * For vfio_device_ops.detach_ioas.
 */
void vfio_iommufd_physical_detach_ioas(struct vfio_device *vdev)
{
	lockdep_assert_held(&vdev->dev_set->lock);
	if (WARN_ON(!vdev->iommufd_device) || !vdev->iommufd_attached)
		return;
	iommufd_device_detach(vdev->iommufd_device);
	vdev->iommufd_attached = false;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_physical_detach_ioas);

/* ---- Devices that use vfio_pin_pages() and vfio_dma_rw() ---- */

/*
 * iommufd calls this without any lock of VFIO's, and not after the access has
 * been destroyed.
 */
static void emulated_unmap(void *data, unsigned long iova,
			   unsigned long length)
{
	struct vfio_device *vdev = data;

	if (vdev->ops->dma_unmap)
		vdev->ops->dma_unmap(vdev, iova, length);
}

static const struct iommufd_access_ops emulated_access_ops = {
	.needs_pin_pages = 1,
	.unmap = emulated_unmap,
};

/**
 * vfio_iommufd_emulated_bind - bind a device that does no DMA to an iommufd
 * @vdev: the device; dev_set->lock held
 * @ictx: the iommufd
 * @out_device_id: out: the device's id in @ictx
 *
 * For vfio_device_ops.bind_iommufd.
 *
 * Return: 0 or an error.
 */
int vfio_iommufd_emulated_bind(struct vfio_device *vdev,
			       struct iommufd_ctx *ictx, u32 *out_device_id)
{
	struct iommufd_access *access;

	lockdep_assert_held(&vdev->dev_set->lock);
	access = iommufd_access_create(ictx, &emulated_access_ops, vdev,
				       out_device_id);
	if (IS_ERR(access))
		return PTR_ERR(access);
	vdev->iommufd_access = access;
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_emulated_bind);

/**
 * vfio_iommufd_emulated_unbind - undo vfio_iommufd_emulated_bind()
 * @vdev: the device, attached or not; dev_set->lock held
 *
 * For vfio_device_ops.unbind_iommufd.
 */
void vfio_iommufd_emulated_unbind(struct vfio_device *vdev)
{
	vfio_iommufd_emulated_detach_ioas(vdev);
	iommufd_access_destroy(vdev->iommufd_access);
	vdev->iommufd_access = NULL;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_emulated_unbind);

/**
 * vfio_iommufd_emulated_attach_ioas - let a driver access an address space
 * @vdev: the device; dev_set->lock held.  If it has one already, the new one
 *	replaces that
 * @pt_id: the I/O address space
 *
 * For vfio_device_ops.attach_ioas.
 *
 * Return: 0; or an error, and nothing has changed.
 */
int vfio_iommufd_emulated_attach_ioas(struct vfio_device *vdev, u32 *pt_id)
{
	int ret;

	lockdep_assert_held(&vdev->dev_set->lock);
	if (WARN_ON(!vdev->iommufd_access))
		return -EINVAL;
	if (vdev->iommufd_attached)
		return iommufd_access_replace(vdev->iommufd_access, *pt_id);
	ret = iommufd_access_attach(vdev->iommufd_access, *pt_id);
	if (!ret)
		vdev->iommufd_attached = true;
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_emulated_attach_ioas);

/**
 * vfio_iommufd_emulated_detach_ioas - end a driver's access to an address space
 * @vdev: the device, attached or not; dev_set->lock held
 *
 * For vfio_device_ops.detach_ioas.  Calls ops->dma_unmap, so that the driver
 * unpins what it has pinned.
 */
void vfio_iommufd_emulated_detach_ioas(struct vfio_device *vdev)
{
	lockdep_assert_held(&vdev->dev_set->lock);
	if (WARN_ON(!vdev->iommufd_access) || !vdev->iommufd_attached)
		return;
	iommufd_access_detach(vdev->iommufd_access);
	vdev->iommufd_attached = false;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_emulated_detach_ioas);
