/* SPDX-License-Identifier: GPL-2.0-only */
#include_next <linux/iommufd.h>
#ifndef VFIO_COMPAT_IOMMUFD_H
#define VFIO_COMPAT_IOMMUFD_H

#include <linux/version.h>

/* Since Linux 6.15 a device is attached with a PASID, or without one. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
#define iommufd_device_attach(idev, pt_id) \
	iommufd_device_attach(idev, IOMMU_NO_PASID, pt_id)
#define iommufd_device_replace(idev, pt_id) \
	iommufd_device_replace(idev, IOMMU_NO_PASID, pt_id)
#define iommufd_device_detach(idev) \
	iommufd_device_detach(idev, IOMMU_NO_PASID)
#endif

#endif /* VFIO_COMPAT_IOMMUFD_H */
