/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last step of every ioctl that returns a structure with capabilities
 * behind it.  Inline, because vfio-pci-migration.ko also runs on the vfio.ko of
 * Linux 6.12, which exports no such function.
 */
#ifndef VFIO_PUT_INFO_H
#define VFIO_PUT_INFO_H

#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/types.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

/**
 * vfio_put_info - copy a structure, and its capabilities if they fit
 * @arg: the user's memory
 * @info: the structure, with argsz as the user has set it
 * @size: bytes of @info
 * @info_argsz: &info->argsz; set to what is needed if there is too little room
 *	for the capabilities
 * @info_flags: &info->flags
 * @caps_flag: set in there if there are capabilities
 * @info_offset: &info->cap_offset; set if the capabilities are copied
 * @caps: the capabilities, maybe none; freed
 *
 * Return: 0 or -EFAULT.
 */
static inline int vfio_put_info(void __user *arg, void *info, size_t size,
				u32 *info_argsz, u32 *info_flags, u32 caps_flag,
				u32 *info_offset, struct vfio_info_cap *caps)
{
	size_t argsz = *info_argsz;
	int ret = 0;

	if (caps->size) {
		*info_flags |= caps_flag;
		if (argsz < size + caps->size) {
			*info_argsz = size + caps->size;
		} else {
			vfio_info_cap_shift(caps, size);
			*info_offset = size;
			if (copy_to_user(arg + size, caps->buf, caps->size))
				ret = -EFAULT;
		}
	}
	if (copy_to_user(arg, info, min(argsz, size)))
		ret = -EFAULT;

	kfree(caps->buf);
	return ret;
}

#endif /* VFIO_PUT_INFO_H */
