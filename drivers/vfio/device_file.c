// SPDX-License-Identifier: GPL-2.0-only
/*
 * The open file of a device, whichever interface it came from.  Once access is
 * granted, hands read, write, mmap and ioctl to the driver, and
 * VFIO_DEVICE_FEATURE to feature.c.  Keeps no state of the device and takes no
 * lock.
 */
#include <linux/anon_inodes.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pm_runtime.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <trace/events/vfio.h>

#include "private.h"

struct vfio_device_file *
vfio_device_file_alloc(struct vfio_device *device,
		       const struct vfio_device_file_ops *ops)
{
	struct vfio_device_file *df;

	df = kzalloc(sizeof(*df), GFP_KERNEL_ACCOUNT);
	if (!df)
		return ERR_PTR(-ENOMEM);
	df->device = device;
	df->ops = ops;
	spin_lock_init(&df->kvm_lock);
	return df;
}

void vfio_device_file_free(struct vfio_device_file *df)
{
	vfio_device_put_registration(df->device);
	kfree(df);
}

void vfio_device_file_grant(struct vfio_device_file *df)
{
	/* A thread that sees this sees the device open, too. */
	smp_store_release(&df->access_granted, true);
}

bool vfio_device_file_granted(struct vfio_device_file *df)
{
	/* Pairs with vfio_device_file_grant() */
	return smp_load_acquire(&df->access_granted);
}

int vfio_device_file_release(struct inode *inode, struct file *file)
{
	struct vfio_device_file *df = file->private_data;

	if (vfio_device_file_granted(df))
		df->ops->close(df);
	vfio_device_file_free(df);
	return 0;
}

static long vfio_device_reset(struct vfio_device *device, unsigned long arg)
{
	ktime_t start = ktime_get();
	long ret;

	ret = device->ops->ioctl(device, VFIO_DEVICE_RESET, arg);
	trace_vfio_device_reset(device, ret,
				ktime_to_ns(ktime_sub(ktime_get(), start)));
	return ret;
}

static long vfio_device_ioctl(struct vfio_device_file *df, unsigned int cmd,
			      unsigned long arg)
{
	struct vfio_device *device = df->device;

	switch (cmd) {
	case VFIO_DEVICE_FEATURE:
		return vfio_ioctl_device_feature(device, (void __user *)arg);
	case VFIO_DEVICE_GET_REGION_INFO:
		return vfio_ioctl_region_info(device, (void __user *)arg);
	case VFIO_DEVICE_ATTACH_IOMMUFD_PT:
		if (df->ops->attach)
			return df->ops->attach(df, (void __user *)arg);
		break;
	case VFIO_DEVICE_DETACH_IOMMUFD_PT:
		if (df->ops->detach)
			return df->ops->detach(df, (void __user *)arg);
		break;
	case VFIO_DEVICE_RESET:
		if (device->ops->ioctl)
			return vfio_device_reset(device, arg);
		break;
	}
	if (!device->ops->ioctl)
		return -EINVAL;
	return device->ops->ioctl(device, cmd, arg);
}

/*
 * Wakes the device for the time of an ioctl, even if the user has put it to
 * sleep (VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY).
 */
static long vfio_device_ioctl_awake(struct vfio_device_file *df,
				    unsigned int cmd, unsigned long arg)
{
	struct vfio_device *device = df->device;
	long ret;

	ret = pm_runtime_resume_and_get(device->dev);
	if (ret) {
		dev_err_ratelimited(device->dev,
				    "vfio: cannot be woken up (%ld); remove and rescan it, or reset it\n",
				    ret);
		return -EIO;
	}
	ret = vfio_device_ioctl(df, cmd, arg);
	pm_runtime_put(device->dev);
	return ret;
}

long vfio_device_file_ioctl(struct file *file, unsigned int cmd,
			    unsigned long arg)
{
	struct vfio_device_file *df = file->private_data;

	/* The driver must not see this ioctl, even if the file lacks it. */
	if (IS_ENABLED(CONFIG_VFIO_DEVICE_CDEV) &&
	    cmd == VFIO_DEVICE_BIND_IOMMUFD)
		return df->ops->bind ?
		       df->ops->bind(df, (void __user *)arg) : -EINVAL;
	if (!vfio_device_file_granted(df))
		return -EINVAL;
	if (pm_runtime_enabled(df->device->dev))
		return vfio_device_ioctl_awake(df, cmd, arg);
	return vfio_device_ioctl(df, cmd, arg);
}

ssize_t vfio_device_file_read(struct file *file, char __user *buf, size_t count,
			      loff_t *ppos)
{
	struct vfio_device_file *df = file->private_data;
	struct vfio_device *device = df->device;

	if (!vfio_device_file_granted(df) || !device->ops->read)
		return -EINVAL;
	return device->ops->read(device, buf, count, ppos);
}

ssize_t vfio_device_file_write(struct file *file, const char __user *buf,
			       size_t count, loff_t *ppos)
{
	struct vfio_device_file *df = file->private_data;
	struct vfio_device *device = df->device;

	if (!vfio_device_file_granted(df) || !device->ops->write)
		return -EINVAL;
	return device->ops->write(device, buf, count, ppos);
}

int vfio_device_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct vfio_device_file *df = file->private_data;
	struct vfio_device *device = df->device;

	if (!vfio_device_file_granted(df) || !device->ops->mmap)
		return -EINVAL;
	return device->ops->mmap(device, vma);
}

/* Tells in /proc/PID/fdinfo which device the file is for. */
void vfio_device_file_show_fdinfo(struct seq_file *seq, struct file *file)
{
	struct vfio_device_file *df = file->private_data;
	char *path = kobject_get_path(&df->device->dev->kobj, GFP_KERNEL);

	if (!path)
		return;
	seq_printf(seq, "vfio-device-syspath: /sys%s\n", path);
	kfree(path);
}

static const struct file_operations vfio_device_fops = {
	.owner		= THIS_MODULE,
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

struct file *vfio_device_file_create(struct vfio_device_file *df)
{
	struct file *file;

	file = anon_inode_getfile("[vfio-device]", &vfio_device_fops, df,
				  O_RDWR);
	if (IS_ERR(file))
		return file;

	/* Offsets select regions: pread() and pwrite(), but no file position */
	file->f_mode |= FMODE_PREAD | FMODE_PWRITE;
	/* One address space per device: unmap_mapping_range() finds them all */
	file->f_mapping = df->device->inode->i_mapping;
	return file;
}

struct vfio_device_file *vfio_device_file_from(struct file *file)
{
	if (file->f_op->release != vfio_device_file_release)
		return NULL;
	return file->private_data;
}
