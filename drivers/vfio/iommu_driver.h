/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What VFIO containers and IOMMU backends share.  A container does not know the
 * mappings; a backend does not know files.
 */
#ifndef VFIO_IOMMU_DRIVER_H
#define VFIO_IOMMU_DRIVER_H

#include <linux/types.h>

struct iommu_group;
struct module;
struct page;
struct vfio_device;

/**
 * enum vfio_group_type - how the devices of a group access user memory
 * @VFIO_IOMMU: a real IOMMU group: devices do DMA
 * @VFIO_EMULATED_IOMMU: a group made for an emulated device, whose driver uses
 *	pin_pages and dma_rw
 */
enum vfio_group_type {
	VFIO_IOMMU,
	VFIO_EMULATED_IOMMU,
};

/**
 * struct vfio_iommu_driver_ops - an IOMMU backend
 * @name: name of the backend
 * @owner: its module; a reference is held while a container uses it
 * @open: start a context for VFIO_SET_IOMMU with the type @arg; returns the
 *	context or an ERR_PTR()
 * @release: end a context; all groups are detached before
 * @ioctl: ioctls that the container does not handle itself, and
 *	VFIO_CHECK_EXTENSION; @iommu_data is NULL for VFIO_CHECK_EXTENSION of a
 *	container that has no backend yet
 * @attach_group: add a group to the context
 * @detach_group: remove a group from the context
 * @pin_pages: pin @npage pages at @user_iova for an emulated device of @group;
 *	returns @npage or an error
 * @unpin_pages: undo @pin_pages
 * @register_device: call vfio_device_ops.dma_unmap of this device before memory
 *	is unmapped.  Called for devices that have dma_unmap, at their first
 *	open, before they can pin
 * @unregister_device: undo @register_device; called at the last close
 * @dma_rw: copy between @data and user memory at @user_iova
 *
 * Callbacks may sleep.  @attach_group, @detach_group, @open and @release are
 * called with the container's lock held for write, @ioctl with it held for read
 * or, in VFIO_SET_IOMMU, for write, and the others while a device of the
 * container is open.
 */
struct vfio_iommu_driver_ops {
	const char *name;
	struct module *owner;
	void *(*open)(unsigned long arg);
	void (*release)(void *iommu_data);
	long (*ioctl)(void *iommu_data, unsigned int cmd, unsigned long arg);
	int (*attach_group)(void *iommu_data, struct iommu_group *group,
			    enum vfio_group_type type);
	void (*detach_group)(void *iommu_data, struct iommu_group *group);
	int (*pin_pages)(void *iommu_data, struct iommu_group *group,
			 dma_addr_t user_iova, int npage, int prot,
			 struct page **pages);
	void (*unpin_pages)(void *iommu_data, dma_addr_t user_iova,
			    int npage);
	void (*register_device)(void *iommu_data, struct vfio_device *vdev);
	void (*unregister_device)(void *iommu_data, struct vfio_device *vdev);
	int (*dma_rw)(void *iommu_data, dma_addr_t user_iova, void *data,
		      size_t count, bool write);
};

int vfio_register_iommu_driver(const struct vfio_iommu_driver_ops *ops);
void vfio_unregister_iommu_driver(const struct vfio_iommu_driver_ops *ops);

#endif /* VFIO_IOMMU_DRIVER_H */
