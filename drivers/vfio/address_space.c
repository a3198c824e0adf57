// SPDX-License-Identifier: GPL-2.0-only
/*
 * The I/O address space that a device is open in, and how a driver whose device
 * does no DMA reaches its user's memory through it, by IOVA.  Checks the
 * driver's arguments; container.c and iommufd.c do the work.
 */
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/export.h>

#include "private.h"

int vfio_address_space_open(struct vfio_device *device,
			    const struct vfio_address_space *space)
{
	struct vfio_device_private *private = vfio_device_private(device);
	int ret;

	/* Before open(), because dma_unmap may be called from then on */
	private->space = *space;
	ret = space->ops->open(device);
	if (ret)
		private->space = (struct vfio_address_space) {};
	return ret;
}

void vfio_address_space_close(struct vfio_device *device)
{
	struct vfio_device_private *private = vfio_device_private(device);

	private->space.ops->close(device);
	private->space = (struct vfio_address_space) {};
}

/* NULL, with a warning, if a driver calls while its device is closed */
static const struct vfio_address_space_ops *
vfio_space_ops(struct vfio_device *device)
{
	const struct vfio_address_space_ops *ops =
		READ_ONCE(vfio_device_private(device)->space.ops);

	WARN_ON_ONCE(!ops);
	return ops;
}

/**
 * vfio_pin_pages - pin pages of the user's memory
 * @device: an open device whose driver has ops->dma_unmap
 * @iova: address of the first page
 * @npage: how many, at most VFIO_PIN_PAGES_MAX_ENTRIES
 * @prot: IOMMU_READ, IOMMU_WRITE: how the device will access them
 * @pages: where to store them
 *
 * The pages stay pinned until vfio_unpin_pages().  When ops->dma_unmap is
 * called for them, the driver must unpin them.
 *
 * Return: @npage; or a negative errno, and nothing is pinned.
 */
int vfio_pin_pages(struct vfio_device *device, dma_addr_t iova,
		   int npage, int prot, struct page **pages)
{
	const struct vfio_address_space_ops *ops;

	if (!pages || npage <= 0 || !device->ops->dma_unmap)
		return -EINVAL;
	if (npage > VFIO_PIN_PAGES_MAX_ENTRIES)
		return -E2BIG;

	ops = vfio_space_ops(device);
	return ops ? ops->pin_pages(device, iova, npage, prot, pages) : -EINVAL;
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
	const struct vfio_address_space_ops *ops;

	if (WARN_ON_ONCE(npage <= 0 || !device->ops->dma_unmap))
		return;

	ops = vfio_space_ops(device);
	if (ops)
		ops->unpin_pages(device, iova, npage);
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
 * Return: 0; or a negative errno, and part of @data may have been copied.
 */
int vfio_dma_rw(struct vfio_device *device, dma_addr_t iova, void *data,
		size_t len, bool write)
{
	const struct vfio_address_space_ops *ops;

	if (!data || !len)
		return -EINVAL;

	ops = vfio_space_ops(device);
	return ops ? ops->dma_rw(device, iova, data, len, write) : -EINVAL;
}
EXPORT_SYMBOL(vfio_dma_rw);
