// SPDX-License-Identifier: GPL-2.0-only
/*
 * What passes between KVM and VFIO.  KVM is handed files by its user and asks
 * here, by symbol name, what they are; neither module depends on the other.
 * A device holds a reference to the VM that uses it from its first open to
 * its last close.
 */
#include <linux/export.h>
#include <linux/file.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#if IS_ENABLED(CONFIG_KVM)
#include <linux/kvm_host.h>
#endif

#include "private.h"

#if IS_ENABLED(CONFIG_KVM)
void vfio_device_get_kvm(struct vfio_device *device, struct kvm *kvm)
{
	bool (*get)(struct kvm *kvm);
	void (*put)(struct kvm *kvm);
	bool alive;

	lockdep_assert_held(&device->dev_set->lock);
	if (!kvm)
		return;

	/* The reference to this symbol keeps KVM loaded until it is put. */
	put = symbol_get(kvm_put_kvm);
	if (!put)
		return;

	get = symbol_get(kvm_get_kvm_safe);
	if (!get)
		goto err_put;
	alive = get(kvm);
	symbol_put(kvm_get_kvm_safe);
	if (!alive)
		goto err_put;

	device->put_kvm = put;
	device->kvm = kvm;
	return;

err_put:
	symbol_put(kvm_put_kvm);
}

void vfio_device_put_kvm(struct vfio_device *device)
{
	lockdep_assert_held(&device->dev_set->lock);
	if (!device->kvm)
		return;

	device->put_kvm(device->kvm);
	device->put_kvm = NULL;
	device->kvm = NULL;
	symbol_put(kvm_put_kvm);
}
#else
void vfio_device_get_kvm(struct vfio_device *device, struct kvm *kvm)
{
}

void vfio_device_put_kvm(struct vfio_device *device)
{
}
#endif

/**
 * vfio_file_is_valid - is this a file of VFIO?
 * @file: the file
 *
 * Return: true for an open group or device.
 */
bool vfio_file_is_valid(struct file *file)
{
	return vfio_file_is_group(file) || vfio_device_file_from(file);
}
EXPORT_SYMBOL_GPL(vfio_file_is_valid);

/**
 * vfio_file_enforced_coherent - can't the devices behind a file bypass caches?
 * @file: an open group or device
 *
 * Return: false if a device behind @file may do DMA that the IOMMU does not
 * make cache-coherent, so that the VM's own cache control has to be obeyed;
 * true otherwise, and for any other file.
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
 * vfio_file_set_kvm - tell a file which VM its devices are for
 * @file: an open group or device
 * @kvm: the VM, or NULL when that ends
 *
 * Counts for devices that are opened after this; one with a node of its own is
 * when it is bound to an iommufd.  The caller keeps @kvm valid until it has set
 * NULL.  A device file that was opened through a group has got its VM from the
 * group.
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
