// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module vfio.ko: starts and stops its parts, lists the interfaces by which
 * user space opens devices, and owns the class of the vfioN devices.
 */
#include <linux/device/class.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/module.h>

#include "private.h"

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
