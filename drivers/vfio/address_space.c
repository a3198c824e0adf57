// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a device without DMA of its own reaches its user's memory: by IOVA,
 * through the I/O address space that the user opened it in.  Checks the
 * driver's arguments and finds that address space; pinning and copying are
 * the backend's.
 */
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/export.h>

#include "private.h"

/* A driver may ask from open_device to the end of close_device. */
static bool vfio_dma_is_open(struct vfio_device *device)
{
	return !WARN_ON_ONCE(!READ_ONCE(device->open_count));
}

/*
 * From open to close the driver may pin, and is told of unmaps.  These enclose
 * its open_device and close_device, which may pin and unpin themselves.
 */
int vfio_dma_open(struct vfio_device *device, struct iommufd_ctx *ictx)
{
	struct vfio_container *container = vfio_group_container(device);

	if (ictx)
		return vfio_iommufd_bind(device, ictx);
	if (container)
		vfio_container_register_device(container, device);
	return 0;
}

void vfio_dma_close(struct vfio_device *device)
{
	struct vfio_container *container = vfio_group_container(device);

	if (vfio_device_private(device)->iommufd)
		vfio_iommufd_unbind(device);
	else if (container)
		vfio_container_unregister_device(container, device);
}

/**
 * vfio_pin_pages - pin pages of the user's memory
 * @device: an open device whose driver has ops->dma_unmap
 * @iova: address of the first page
 * @npage: how many, at most VFIO_PIN_PAGES_MAX_ENTRIES
 * @prot: IOMMU_READ, IOMMU_WRITE: what the device will do to them
 * @pages: where to put them
 *
 * The pages stay in place until vfio_unpin_pages(), for which ops->dma_unmap
 * may ask.
 *
 * Return: @npage, or a negative errno, and nothing is pinned.
 */
int vfio_pin_pages(struct vfio_device *device, dma_addr_t iova,
		   int npage, int prot, struct page **pages)
{
	struct vfio_container *container;

	if (!pages || npage <= 0 || !device->ops->dma_unmap)
		return -EINVAL;
	if (npage > VFIO_PIN_PAGES_MAX_ENTRIES)
		return -E2BIG;

	if (!vfio_dma_is_open(device))
		return -EINVAL;
	if (device->iommufd_access)
		return vfio_iommufd_pin_pages(device, iova, npage, prot, pages);
	container = vfio_group_container(device);
	if (!container)
		return -EINVAL;
	return vfio_container_pin_pages(container,
					vfio_group_iommu_group(device), iova,
					npage, prot, pages);
}
EXPORT_SYMBOL(vfio_pin_pages);

/**
 * vfio_unpin_pages - undo vfio_pin_pages(), for all or some of its pages
 * @device: the device
 * @iova: address of the first page
 * @npage: how many
 */
void vfio_unpin_pages(struct vfio_device *device, dma_addr_t iova, int npage)
{
	struct vfio_container *container;

	if (WARN_ON_ONCE(npage <= 0 || !device->ops->dma_unmap))
		return;

	if (!vfio_dma_is_open(device))
		return;
	if (device->iommufd_access) {
		vfio_iommufd_unpin_pages(device, iova, npage);
		return;
	}
	container = vfio_group_container(device);
	if (container)
		vfio_container_unpin_pages(container, iova, npage);
}
EXPORT_SYMBOL(vfio_unpin_pages);

/**
 * vfio_dma_rw - copy between kernel and user memory, by IOVA
 * @device: an open device
 * @iova: address in the user's I/O address space
 * @data: kernel buffer
 * @len: bytes
 * @write: true to write to user memory, false to read from it
 *
 * Return: 0 or a negative errno; part of @len may have been copied then.
 */
int vfio_dma_rw(struct vfio_device *device, dma_addr_t iova, void *data,
		size_t len, bool write)
{
	struct vfio_container *container;

	if (!data || !len)
		return -EINVAL;

	if (!vfio_dma_is_open(device))
		return -EINVAL;
	if (device->iommufd_access)
		return vfio_iommufd_dma_rw(device, iova, data, len, write);
	container = vfio_group_container(device);
	if (!container)
		return -EINVAL;
	return vfio_container_dma_rw(container, iova, data, len, write);
}
EXPORT_SYMBOL(vfio_dma_rw);
