/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls of the operations that struct vfio_device_ops has got since Linux 6.12,
 * and the errors on kernels that do not have them.
 */
#ifndef VFIO_DRIVER_OPS_H
#define VFIO_DRIVER_OPS_H

#include <linux/errno.h>
#include <linux/types.h>
#include <linux/version.h>
#include <linux/vfio.h>

static inline bool vfio_op_has_match_token(struct vfio_device *device)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
	return device->ops->match_token_uuid;
#else
	return false;
#endif
}

/*
 * Whether a user that knows @token (NULL: none) may open the device.  Call only
 * if vfio_op_has_match_token().
 */
static inline int vfio_op_match_token(struct vfio_device *device,
				      const uuid_t *token)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
	return device->ops->match_token_uuid(device, token);
#else
	return -EINVAL;
#endif
}

/* Caller holds dev_set->lock. */
static inline int vfio_op_pasid_attach(struct vfio_device *device, u32 pasid,
				       u32 *pt_id)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
	if (device->ops->pasid_attach_ioas)
		return device->ops->pasid_attach_ioas(device, pasid, pt_id);
	return -EOPNOTSUPP;
#else
	return -EINVAL;
#endif
}

/* Caller holds dev_set->lock. */
static inline int vfio_op_pasid_detach(struct vfio_device *device, u32 pasid)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
	if (!device->ops->pasid_detach_ioas)
		return -EOPNOTSUPP;
	device->ops->pasid_detach_ioas(device, pasid);
	return 0;
#else
	return -EINVAL;
#endif
}

#endif /* VFIO_DRIVER_OPS_H */
