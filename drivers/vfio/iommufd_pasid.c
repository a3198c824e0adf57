// SPDX-License-Identifier: GPL-2.0-only
/*
 * PASIDs of devices in I/O address spaces of iommufd; iommufd.c does the same for
 * devices.  iommufd supports PASIDs since Linux 6.15.
 *
 * dev_set->lock protects which PASIDs of a device are attached.
 */
#include <linux/bug.h>
#include <linux/export.h>
#include <linux/idr.h>
#include <linux/iommufd.h>
#include <linux/lockdep.h>
#include <linux/version.h>

#include "private.h"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
/*
 * iommufd's functions are called in parentheses, because include/compat has
 * macros of the same names, without a PASID.
 */

/**
 * vfio_iommufd_physical_pasid_attach_ioas - put a PASID of a bound device into
 *	an address space
 * @vdev: the device; dev_set->lock held
 * @pasid: the PASID.  If it is in an address space already, the new one replaces
 *	that
 * @pt_id: in: an I/O address space or a hardware page table; out: the page
 *	table that the PASID is attached to
 *
 * For vfio_device_ops.pasid_attach_ioas.
 *
 * Return: 0; or an error, and nothing has changed.
 */
int vfio_iommufd_physical_pasid_attach_ioas(struct vfio_device *vdev,
					    u32 pasid, u32 *pt_id)
{
	int ret;

	lockdep_assert_held(&vdev->dev_set->lock);
	if (WARN_ON(!vdev->iommufd_device))
		return -EINVAL;
	if (ida_exists(&vdev->pasids, pasid))
		return (iommufd_device_replace)(vdev->iommufd_device, pasid,
						pt_id);
	ret = ida_alloc_range(&vdev->pasids, pasid, pasid, GFP_KERNEL_ACCOUNT);
	if (ret < 0)
		return ret;
	ret = (iommufd_device_attach)(vdev->iommufd_device, pasid, pt_id);
	if (ret)
		ida_free(&vdev->pasids, pasid);
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_physical_pasid_attach_ioas);

/**
 * vfio_iommufd_physical_pasid_detach_ioas - take a PASID of a device out of its
 *	address space
 * @vdev: the device; dev_set->lock held
 * @pasid: the PASID, attached or not
 *
 * For vfio_device_ops.pasid_detach_ioas.
 */
void vfio_iommufd_physical_pasid_detach_ioas(struct vfio_device *vdev,
					     u32 pasid)
{
	lockdep_assert_held(&vdev->dev_set->lock);
	if (WARN_ON(!vdev->iommufd_device) ||
	    !ida_exists(&vdev->pasids, pasid))
		return;
	(iommufd_device_detach)(vdev->iommufd_device, pasid);
	ida_free(&vdev->pasids, pasid);
}
EXPORT_SYMBOL_GPL(vfio_iommufd_physical_pasid_detach_ioas);

void vfio_iommufd_init_pasids(struct vfio_device *vdev)
{
	ida_init(&vdev->pasids);
}

void vfio_iommufd_detach_pasids(struct vfio_device *vdev)
{
	int pasid;

	while ((pasid = ida_find_first(&vdev->pasids)) >= 0)
		vfio_iommufd_physical_pasid_detach_ioas(vdev, pasid);
}
#endif
