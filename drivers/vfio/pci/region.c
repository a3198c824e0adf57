// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device specific regions: those that a variant driver adds to BARs, ROM and
 * configuration space; and how an access and a register overlap, for drivers
 * that emulate a part of a region.
 *
 * Regions are added while the device is being opened, before the user can reach
 * it, and freed at the last close: the array needs no lock.
 */
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "private.h"

/**
 * vfio_pci_core_register_dev_region - add a region to a device
 * @vdev: the device; being opened
 * @type: VFIO_REGION_TYPE_*, or vendor ID and VFIO_REGION_TYPE_PCI_VENDOR_TYPE
 * @subtype: meaning of the region within @type
 * @ops: callbacks; @ops->rw and @ops->release are mandatory, and @ops->mmap if
 *	@flags has VFIO_REGION_INFO_FLAG_MMAP
 * @size: bytes
 * @flags: VFIO_REGION_INFO_FLAG_*
 * @data: for the callbacks
 *
 * The region gets the next index from VFIO_PCI_NUM_REGIONS on, and lives until
 * the device is closed, when @ops->release is called.
 *
 * Return: 0, or -ENOMEM: the caller still owns @data then.
 */
int vfio_pci_core_register_dev_region(struct vfio_pci_core_device *vdev,
				      unsigned int type, unsigned int subtype,
				      const struct vfio_pci_regops *ops,
				      size_t size, u32 flags, void *data)
{
	struct vfio_pci_region *region;

	region = krealloc_array(vdev->region, vdev->num_regions + 1,
				sizeof(*region), GFP_KERNEL_ACCOUNT);
	if (!region)
		return -ENOMEM;

	vdev->region = region;
	vdev->region[vdev->num_regions++] = (struct vfio_pci_region) {
		.type = type,
		.subtype = subtype,
		.ops = ops,
		.data = data,
		.size = size,
		.flags = flags,
	};
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_pci_core_register_dev_region);

/* The region behind a region index that came from user space, or NULL */
struct vfio_pci_region *vfio_pci_region_get(struct vfio_pci_core_device *vdev,
					    u64 index)
{
	if (index < VFIO_PCI_NUM_REGIONS)
		return NULL;

	index -= VFIO_PCI_NUM_REGIONS;
	if (index >= vdev->num_regions)
		return NULL;

	return &vdev->region[array_index_nospec(index, vdev->num_regions)];
}

/* The device is being disabled. */
void vfio_pci_regions_free(struct vfio_pci_core_device *vdev)
{
	int i;

	for (i = 0; i < vdev->num_regions; i++)
		vdev->region[i].ops->release(vdev, &vdev->region[i]);

	vdev->num_regions = 0;
	kfree(vdev->region);
	vdev->region = NULL;
}

/**
 * vfio_pci_core_range_intersect_range - find the overlap of two ranges
 * @buf_start: start of the user's access
 * @buf_cnt: its length
 * @reg_start: start of the register or range of registers
 * @reg_cnt: its length
 * @buf_offset: out: offset of the overlap in the user's buffer
 * @intersect_count: out: length of the overlap
 * @register_offset: out: offset of the overlap in the register
 *
 * Return: true if the ranges overlap; if not, the results are not written.
 */
bool vfio_pci_core_range_intersect_range(loff_t buf_start, size_t buf_cnt,
					 loff_t reg_start, size_t reg_cnt,
					 loff_t *buf_offset,
					 size_t *intersect_count,
					 size_t *register_offset)
{
	loff_t start = max(buf_start, reg_start);
	size_t buf_skip = start - buf_start;
	size_t reg_skip = start - reg_start;

	if (buf_skip >= buf_cnt || reg_skip >= reg_cnt)
		return false;

	*buf_offset = buf_skip;
	*register_offset = reg_skip;
	*intersect_count = min(buf_cnt - buf_skip, reg_cnt - reg_skip);
	return true;
}
EXPORT_SYMBOL_GPL(vfio_pci_core_range_intersect_range);
