// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM that uses a device: the device holds a reference to it from its first
 * open to its last close.  KVM is found by symbol name, so vfio.ko does not
 * depend on it.
 */
#include <linux/lockdep.h>
#include <linux/module.h>
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

	/* Keeps KVM loaded until symbol_put() */
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
