// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM asks about a file that user space has handed to it.  KVM finds these
 * functions by symbol name, so it does not depend on vfio.ko.  The file may be
 * a group's or a device's.
 */
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/spinlock.h>

#include "private.h"

/**
 * vfio_file_is_valid - is this a file of VFIO?
 * @file: any file
 *
 * Return: true for an open group or device.
 */
bool vfio_file_is_valid(struct file *file)
{
	return vfio_file_is_group(file) || vfio_device_file_from(file);
}
EXPORT_SYMBOL_GPL(vfio_file_is_valid);

/**
 * vfio_file_enforced_coherent - is all DMA behind a file cache-coherent?
 * @file: an open group or device
 *
 * Return: false if a device behind @file may do DMA that bypasses the CPU's
 * caches, so that KVM has to honour the guest's own cache control; true
 * otherwise, and for any other file.
 */
bool vfio_file_enforced_coherent(struct file *file)
{
	struct vfio_device_file *df = vfio_device_file_from(file);

	if (df)
		return device_iommu_capable(df->device->dev,
					    IOMMU_CAP_ENFORCE_CACHE_COHERENCY);
	return !vfio_group_file_not_coherent(file);
}
EXPORT_SYMBOL_GPL(vfio_file_enforced_coherent);

/**
 * vfio_file_set_kvm - set the VM that will use the devices of a file
 * @file: an open group or device
 * @kvm: the VM, or NULL to remove it
 *
 * Takes effect when a device is opened next: through the group, or, for a file
 * of /dev/vfio/devices, when it is bound to an iommufd.  KVM keeps @kvm valid
 * until it sets NULL.  A device file that came from a group uses the group's
 * VM, so setting one here has no effect.
 */
void vfio_file_set_kvm(struct file *file, struct kvm *kvm)
{
	struct vfio_device_file *df = vfio_device_file_from(file);

	if (!df) {
		vfio_group_file_set_kvm(file, kvm);
		return;
	}
	spin_lock(&df->kvm_lock);
	df->kvm = kvm;
	spin_unlock(&df->kvm_lock);
}
EXPORT_SYMBOL_GPL(vfio_file_set_kvm);
