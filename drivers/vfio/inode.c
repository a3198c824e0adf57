// SPDX-License-Identifier: GPL-2.0-only
/*
 * The inodes of devices.  All mappings of a device are made with the mapping
 * (address_space) of its inode, whichever of its files they are made with, so
 * unmap_mapping_range() finds them all.  The inodes are those of a file system
 * that only the kernel mounts.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>

#include "private.h"

#define VFIO_FS_MAGIC	0x5646494f	/* "VFIO" */

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
