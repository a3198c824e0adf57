// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_DEVICE_GET_REGION_INFO.  Since Linux 6.19, drivers have an operation for
 * it.  Before, they implement the whole ioctl.
 */
#include <linux/slab.h>
#include <linux/stddef.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#include "private.h"
#include "put_info.h"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
long vfio_ioctl_region_info(struct vfio_device *device,
			    struct vfio_region_info __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_region_info, offset);
	struct vfio_info_cap caps = {};
	struct vfio_region_info info;
	int ret;

	if (!device->ops->get_region_info_caps)
		return -EINVAL;
	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;

	info.cap_offset = 0;
	ret = device->ops->get_region_info_caps(device, &info, &caps);
	if (ret) {
		kfree(caps.buf);
		return ret;
	}
	return vfio_put_info(arg, &info, sizeof(info), &info.argsz, &info.flags,
			     VFIO_REGION_INFO_FLAG_CAPS, &info.cap_offset,
			     &caps);
}
#else
long vfio_ioctl_region_info(struct vfio_device *device,
			    struct vfio_region_info __user *arg)
{
	if (!device->ops->ioctl)
		return -EINVAL;
	return device->ops->ioctl(device, VFIO_DEVICE_GET_REGION_INFO,
				  (unsigned long)arg);
}
#endif
