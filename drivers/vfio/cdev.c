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
#include <linux/iommufd.h>
#include <linux/kdev_t.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "private.h"

static dev_t cdev_first;

/* ---- Open and close ---- */

/* Refuse the device if it needs a VF token: this interface cannot pass one. */
static int cdev_check_token(struct vfio_device *device)
{
	char *name;
	int ret;

	if (!device->ops->match)
		return 0;
	name = kstrdup(dev_name(device->dev), GFP_KERNEL);
	if (!name)
		return -ENOMEM;
	ret = device->ops->match(device, name);
	kfree(name);
	return ret < 0 ? ret : 0;
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

/* Caller holds dev_set->lock. */
static int cdev_open_locked(struct vfio_device_file *df,
			    struct iommufd_ctx *ictx)
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
		     u32 *id)
{
	struct vfio_device *device = df->device;
	int ret;

	if (mutex_lock_killable(&device->dev_set->lock))
		return -EINTR;
	ret = cdev_open_locked(df, ictx);
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
		     u32 __user *out_id)
{
	struct vfio_device *device = df->device;
	u32 id = 0;
	int ret;

	ret = vfio_group_block(device);
	if (ret)
		return ret;

	ret = cdev_open(df, ictx, &id);
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
	int ret;

	if (copy_from_user(&bind, arg, minsz))
		return -EFAULT;
	if (bind.argsz < minsz || bind.flags || bind.iommufd < 0)
		return -EINVAL;
	if (vfio_device_file_granted(df))
		return -EINVAL;
	ret = cdev_check_token(df->device);
	if (ret)
		return ret;

	ictx = iommufd_ctx_from_fd(bind.iommufd);
	if (IS_ERR(ictx))
		return PTR_ERR(ictx);
	ret = cdev_bind(df, ictx, &arg->out_devid);
	if (ret)
		iommufd_ctx_put(ictx);
	return ret;
}

static void cdev_detach(struct vfio_device *device)
{
	mutex_lock(&device->dev_set->lock);
	device->ops->detach_ioas(device);
	mutex_unlock(&device->dev_set->lock);
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
	int ret;

	if (copy_from_user(&attach, arg, minsz))
		return -EFAULT;
	if (attach.argsz < minsz || attach.flags)
		return -EINVAL;
	if (put_user(attach.pt_id, &arg->pt_id))
		return -EFAULT;

	if (mutex_lock_killable(&device->dev_set->lock))
		return -EINTR;
	ret = device->ops->attach_ioas(device, &attach.pt_id);
	mutex_unlock(&device->dev_set->lock);
	if (ret)
		return ret;

	if (put_user(attach.pt_id, &arg->pt_id)) {
		cdev_detach(device);
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

	if (copy_from_user(&detach, arg, minsz))
		return -EFAULT;
	if (detach.argsz < minsz || detach.flags)
		return -EINVAL;

	cdev_detach(df->device);
	return 0;
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
