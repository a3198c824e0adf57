// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cdev interface: a node /dev/vfio/devices/vfioN for each device.  Its file
 * (device_file.c) gives no access until user space binds the device to an
 * iommufd, which opens the device.  iommufd has the I/O address spaces.
 *
 * A device can be open either through its node, by one file, or through its
 * group.
 */
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/kdev_t.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/uuid.h>

#include "driver_ops.h"
#include "private.h"

static dev_t cdev_first;

/* ---- Open and close ---- */

/*
 * Passes the token, or none, to the driver's match() as the user of a group
 * does: behind the name of the device.
 */
static int cdev_match_name(struct vfio_device *device, const uuid_t *token)
{
	char *name;
	int ret;

	if (!device->ops->match)
		return token ? -EINVAL : 0;
	name = token ? kasprintf(GFP_KERNEL, "%s vf_token=%pUb",
				 dev_name(device->dev), token) :
		       kstrdup(dev_name(device->dev), GFP_KERNEL);
	if (!name)
		return -ENOMEM;
	ret = device->ops->match(device, name);
	kfree(name);
	if (ret < 0)
		return ret;
	return ret || !token ? 0 : -EINVAL;
}

/* Whether a user that knows @token (NULL: none) may open the device */
static int cdev_check_token(struct vfio_device *device, const uuid_t *token)
{
	if (vfio_op_has_match_token(device))
		return vfio_op_match_token(device, token);
	return cdev_match_name(device, token);
}

/* Reads the token of VFIO_DEVICE_BIND_FLAG_TOKEN. */
static int cdev_get_token(struct vfio_device_bind_iommufd __user *arg,
			  u32 argsz, uuid_t *token)
{
	u64 from;

	if (argsz < offsetofend(struct vfio_device_bind_iommufd,
				token_uuid_ptr))
		return -EINVAL;
	if (copy_from_user(&from, &arg->token_uuid_ptr, sizeof(from)) ||
	    copy_from_user(token, u64_to_user_ptr(from), sizeof(*token)))
		return -EFAULT;
	return 0;
}

static void cdev_close_device(struct vfio_device *device)
{
	mutex_lock(&device->dev_set->lock);
	vfio_device_close(device);
	vfio_device_put_kvm(device);
	device->cdev_opened = false;
	mutex_unlock(&device->dev_set->lock);
}

static void cdev_close(struct vfio_device_file *df)
{
	cdev_close_device(df->device);
	iommufd_ctx_put(df->iommufd);
	vfio_group_unblock(df->device);
}

static void cdev_say_in_use(struct vfio_device *device)
{
	char opener[VFIO_OPENER_NAME];

	dev_info_ratelimited(device->dev,
			     "vfio: in use, opened last by %s; it has one user at a time\n",
			     vfio_opener_name(vfio_device_opener(device),
					      opener));
}

/* @token: the user's, or NULL.  Caller holds dev_set->lock. */
static int cdev_open_locked(struct vfio_device_file *df,
			    struct iommufd_ctx *ictx, const uuid_t *token)
{
	const struct vfio_address_space space = {
		.ops = &vfio_iommufd_space_ops,
		.iommufd = ictx,
	};
	struct vfio_device *device = df->device;
	int ret;

	/* Through this file or another one: a node has one user at a time. */
	if (vfio_device_file_granted(df) || device->open_count) {
		cdev_say_in_use(device);
		return -EINVAL;
	}
	/* The token of a PF may become that of its VFs, so this comes last. */
	ret = cdev_check_token(device, token);
	if (ret)
		return ret;

	spin_lock(&df->kvm_lock);
	vfio_device_get_kvm(device, df->kvm);
	spin_unlock(&df->kvm_lock);
	device->cdev_opened = true;
	ret = vfio_device_open(device, &space);
	if (ret) {
		device->cdev_opened = false;
		vfio_device_put_kvm(device);
	}
	return ret;
}

static int cdev_open(struct vfio_device_file *df, struct iommufd_ctx *ictx,
		     const uuid_t *token, u32 *id)
{
	struct vfio_device *device = df->device;
	int ret;

	if (mutex_lock_killable(&device->dev_set->lock))
		return -EINTR;
	ret = cdev_open_locked(df, ictx, token);
	if (!ret)
		*id = vfio_device_private(device)->iommufd_id;
	mutex_unlock(&device->dev_set->lock);
	return ret;
}

/*
 * Takes over the reference to @ictx if it succeeds.
 *
 * The id is written without dev_set->lock, because user space decides how long
 * the page fault of the write takes.  Meanwhile the device counts as open, so
 * no other file can bind it, and this file cannot use it until access is
 * granted.
 */
static int cdev_bind(struct vfio_device_file *df, struct iommufd_ctx *ictx,
		     const uuid_t *token, u32 __user *out_id)
{
	struct vfio_device *device = df->device;
	u32 id = 0;
	int ret;

	ret = vfio_group_block(device);
	if (ret)
		return ret;

	ret = cdev_open(df, ictx, token, &id);
	if (ret)
		goto err_unblock;
	if (put_user(id, out_id)) {
		ret = -EFAULT;
		goto err_close;
	}
	df->iommufd = ictx;
	vfio_device_file_grant(df);
	return 0;

err_close:
	cdev_close_device(device);
err_unblock:
	vfio_group_unblock(device);
	return ret;
}

/* ---- ioctls ---- */

static long cdev_ioctl_bind(struct vfio_device_file *df,
			    struct vfio_device_bind_iommufd __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_device_bind_iommufd,
					 out_devid);
	struct vfio_device_bind_iommufd bind;
	struct iommufd_ctx *ictx;
	bool has_token;
	uuid_t token;
	int ret;

	if (copy_from_user(&bind, arg, minsz))
		return -EFAULT;
	if (bind.argsz < minsz || bind.flags & ~VFIO_DEVICE_BIND_FLAG_TOKEN ||
	    bind.iommufd < 0)
		return -EINVAL;
	has_token = bind.flags & VFIO_DEVICE_BIND_FLAG_TOKEN;
	if (has_token) {
		ret = cdev_get_token(arg, bind.argsz, &token);
		if (ret)
			return ret;
	}
	if (vfio_device_file_granted(df))
		return -EINVAL;

	ictx = iommufd_ctx_from_fd(bind.iommufd);
	if (IS_ERR(ictx))
		return PTR_ERR(ictx);
	ret = cdev_bind(df, ictx, has_token ? &token : NULL, &arg->out_devid);
	if (ret)
		iommufd_ctx_put(ictx);
	return ret;
}

/* Detaches @pasid, or the device itself if that is NULL. */
static int cdev_detach(struct vfio_device *device, const u32 *pasid)
{
	int ret = 0;

	mutex_lock(&device->dev_set->lock);
	if (pasid)
		ret = vfio_op_pasid_detach(device, *pasid);
	else
		device->ops->detach_ioas(device);
	mutex_unlock(&device->dev_set->lock);
	return ret;
}

/* @from is the last member of the user's structure, which has @size bytes. */
static int cdev_get_pasid(const u32 __user *from, u32 argsz, size_t size,
			  u32 *pasid)
{
	if (argsz < size)
		return -EINVAL;
	if (get_user(*pasid, from))
		return -EFAULT;
	/* iommufd takes IOMMU_NO_PASID for the device itself. */
	return *pasid == IOMMU_NO_PASID || *pasid > INT_MAX ? -EINVAL : 0;
}

/*
 * The id is written twice, each time without dev_set->lock as in cdev_bind():
 * once before the attach, so that memory that cannot be written changes
 * nothing, and once after it.  If the second write fails, the device is
 * detached, because user space does not know what it is attached to.
 */
static long cdev_ioctl_attach(struct vfio_device_file *df,
			      struct vfio_device_attach_iommufd_pt __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_device_attach_iommufd_pt,
					 pt_id);
	struct vfio_device_attach_iommufd_pt attach;
	struct vfio_device *device = df->device;
	bool has_pasid;
	int ret;

	if (copy_from_user(&attach, arg, minsz))
		return -EFAULT;
	if (attach.argsz < minsz || attach.flags & ~VFIO_DEVICE_ATTACH_PASID)
		return -EINVAL;
	has_pasid = attach.flags & VFIO_DEVICE_ATTACH_PASID;
	if (has_pasid) {
		ret = cdev_get_pasid(&arg->pasid, attach.argsz, sizeof(attach),
				     &attach.pasid);
		if (ret)
			return ret;
	}
	if (put_user(attach.pt_id, &arg->pt_id))
		return -EFAULT;

	if (mutex_lock_killable(&device->dev_set->lock))
		return -EINTR;
	ret = has_pasid ? vfio_op_pasid_attach(device, attach.pasid,
					       &attach.pt_id) :
			  device->ops->attach_ioas(device, &attach.pt_id);
	mutex_unlock(&device->dev_set->lock);
	if (ret)
		return ret;

	if (put_user(attach.pt_id, &arg->pt_id)) {
		cdev_detach(device, has_pasid ? &attach.pasid : NULL);
		return -EFAULT;
	}
	return 0;
}

static long cdev_ioctl_detach(struct vfio_device_file *df,
			      struct vfio_device_detach_iommufd_pt __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_device_detach_iommufd_pt,
					 flags);
	struct vfio_device_detach_iommufd_pt detach;
	int ret;

	if (copy_from_user(&detach, arg, minsz))
		return -EFAULT;
	if (detach.argsz < minsz || detach.flags & ~VFIO_DEVICE_DETACH_PASID)
		return -EINVAL;
	if (!(detach.flags & VFIO_DEVICE_DETACH_PASID))
		return cdev_detach(df->device, NULL);
	ret = cdev_get_pasid(&arg->pasid, detach.argsz, sizeof(detach),
			     &detach.pasid);
	return ret ?: cdev_detach(df->device, &detach.pasid);
}

static const struct vfio_device_file_ops cdev_file_ops = {
	.close	= cdev_close,
	.bind	= cdev_ioctl_bind,
	.attach	= cdev_ioctl_attach,
	.detach	= cdev_ioctl_detach,
};

/* ---- The device nodes ---- */

static int vfio_cdev_fops_open(struct inode *inode, struct file *file)
{
	struct vfio_device *device =
		container_of(inode->i_cdev, struct vfio_device, cdev);
	struct vfio_device_file *df;

	if (!vfio_device_try_get_registration(device))
		return -ENODEV;
	df = vfio_device_file_alloc(device, &cdev_file_ops);
	if (IS_ERR(df)) {
		vfio_device_put_registration(device);
		return PTR_ERR(df);
	}
	file->private_data = df;
	/* One address space per device: unmap_mapping_range() finds them all */
	file->f_mapping = device->inode->i_mapping;
	return 0;
}

static const struct file_operations vfio_cdev_fops = {
	.owner		= THIS_MODULE,
	.open		= vfio_cdev_fops_open,
	.release	= vfio_device_file_release,
	.read		= vfio_device_file_read,
	.write		= vfio_device_file_write,
	.unlocked_ioctl	= vfio_device_file_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.mmap		= vfio_device_file_mmap,
	.show_fdinfo	= vfio_device_file_show_fdinfo,
	/* Aligned so that huge page-table entries can map device memory */
	.get_unmapped_area = thp_get_unmapped_area,
};

/* Once the vfioN device has a number, its registration creates the node. */
static int vfio_cdev_join(struct vfio_device *device, enum vfio_group_type type)
{
	device->device.devt = MKDEV(MAJOR(cdev_first), device->index);
	cdev_init(&device->cdev, &vfio_cdev_fops);
	device->cdev.owner = THIS_MODULE;
	return 0;
}

const struct vfio_interface vfio_cdev_interface = {
	.join = vfio_cdev_join,
};

static char *vfio_cdev_devnode(const struct device *dev, umode_t *mode)
{
	return kasprintf(GFP_KERNEL, "vfio/devices/%s", dev_name(dev));
}

int __init vfio_cdev_init(struct class *class)
{
	class->devnode = vfio_cdev_devnode;
	return alloc_chrdev_region(&cdev_first, 0, MINORMASK + 1, "vfio-dev");
}

void vfio_cdev_cleanup(void)
{
	unregister_chrdev_region(cdev_first, MINORMASK + 1);
}
