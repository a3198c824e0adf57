// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module vfio.ko: starts and stops its parts, lists the interfaces by which
 * user space opens devices, and owns what all devices share: the class of the
 * vfioN devices and the file system that their inodes come from.
 */
#include <linux/device/class.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>

#include "private.h"

#define VFIO_FS_MAGIC	0x5646494f	/* "VFIO" */

struct class *vfio_device_class;

const struct vfio_interface *const vfio_interfaces[] = {
#if IS_ENABLED(CONFIG_VFIO_GROUP)
	&vfio_group_interface,
#endif
#if IS_ENABLED(CONFIG_VFIO_DEVICE_CDEV)
	&vfio_cdev_interface,
#endif
	NULL
};

/* Mounted while there is a device: a permanent mount would pin the module. */
static struct vfsmount *vfio_fs_mount;
static int vfio_fs_users;

static int vfio_fs_init_context(struct fs_context *fc)
{
	return init_pseudo(fc, VFIO_FS_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type vfio_fs_type = {
	.name = "vfio",
	.owner = THIS_MODULE,
	.init_fs_context = vfio_fs_init_context,
	.kill_sb = kill_anon_super,
};

struct inode *vfio_get_inode(void)
{
	struct inode *inode;
	int ret;

	ret = simple_pin_fs(&vfio_fs_type, &vfio_fs_mount, &vfio_fs_users);
	if (ret)
		return ERR_PTR(ret);

	inode = alloc_anon_inode(vfio_fs_mount->mnt_sb);
	if (IS_ERR(inode))
		simple_release_fs(&vfio_fs_mount, &vfio_fs_users);
	return inode;
}

void vfio_put_inode(struct inode *inode)
{
	iput(inode);
	simple_release_fs(&vfio_fs_mount, &vfio_fs_users);
}

static int __init vfio_init(void)
{
	int ret;

	vfio_migration_init();

	ret = vfio_virqfd_init();
	if (ret)
		return ret;

	vfio_device_class = class_create("vfio-dev");
	if (IS_ERR(vfio_device_class)) {
		ret = PTR_ERR(vfio_device_class);
		goto err_virqfd;
	}

	ret = vfio_cdev_init(vfio_device_class);
	if (ret)
		goto err_class;

	ret = vfio_container_init();
	if (ret)
		goto err_cdev;

	ret = vfio_group_init();
	if (ret)
		goto err_container;

	vfio_debugfs_init();
	return 0;

err_container:
	vfio_container_cleanup();
err_cdev:
	vfio_cdev_cleanup();
err_class:
	class_destroy(vfio_device_class);
err_virqfd:
	vfio_virqfd_cleanup();
	return ret;
}

static void __exit vfio_exit(void)
{
	vfio_debugfs_cleanup();
	vfio_group_cleanup();
	vfio_container_cleanup();
	vfio_cdev_cleanup();
	class_destroy(vfio_device_class);
	vfio_virqfd_cleanup();
}

module_init(vfio_init);
module_exit(vfio_exit);

MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(IOMMUFD);
MODULE_IMPORT_NS(IOMMUFD_VFIO);
MODULE_DESCRIPTION("VFIO: devices for user space, with live migration");
MODULE_SOFTDEP("post: vfio_iommu_type1");
