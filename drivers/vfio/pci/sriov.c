// SPDX-License-Identifier: GPL-2.0-only
/*
 * SR-IOV: VFs of a PF that vfio-pci owns.
 *
 * While such a PF has VFs it is on a list, where its VFs find it.  New VFs get
 * the PF's driver as their driver_override: a driver of the host must not trust
 * a VF whose PF is in user space.
 */
#include <linux/device.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include "private.h"

/* PFs with VFs, linked by sriov_pfs_item; the mutex protects the list */
static LIST_HEAD(sriov_pfs);
static DEFINE_MUTEX(sriov_pfs_mutex);

static int set_driver_override(struct pci_dev *pdev, const char *name)
{
#ifdef VFIO_PCI_DRIVER_OVERRIDE_IN_DEVICE
	return device_set_driver_override(&pdev->dev, name);
#else
	pdev->driver_override = kstrdup(name, GFP_KERNEL);
	return pdev->driver_override ? 0 : -ENOMEM;
#endif
}

static int vfio_pci_bus_notifier(struct notifier_block *nb,
				 unsigned long action, void *data)
{
	struct vfio_pci_core_device *vdev =
		container_of(nb, struct vfio_pci_core_device, nb);
	struct pci_dev *pdev = to_pci_dev(data);
	struct pci_driver *drv;

	if (!pdev->is_virtfn || pci_physfn(pdev) != vdev->pdev)
		return NOTIFY_OK;

	switch (action) {
	case BUS_NOTIFY_ADD_DEVICE:
		if (set_driver_override(pdev, vdev->vdev.ops->name))
			pci_warn(vdev->pdev,
				 "VF %s: no memory for its driver_override: any driver may bind to it\n",
				 pci_name(pdev));
		else
			pci_info(vdev->pdev, "VF %s is for driver %s only\n",
				 pci_name(pdev), vdev->vdev.ops->name);
		break;
	case BUS_NOTIFY_BOUND_DRIVER:
		drv = pci_dev_driver(pdev);
		if (drv && drv != pci_dev_driver(vdev->pdev))
			pci_warn(vdev->pdev,
				 "VF %s is bound to driver %s while its PF is in user space\n",
				 pci_name(pdev), drv->name);
		break;
	}
	return NOTIFY_OK;
}

static struct vfio_pci_core_device *find_pf(struct pci_dev *pf)
{
	struct vfio_pci_core_device *cur;

	guard(mutex)(&sriov_pfs_mutex);
	list_for_each_entry(cur, &sriov_pfs, sriov_pfs_item)
		if (cur->pdev == pf)
			return cur;
	return NULL;
}

/* Before registration. */
int vfio_pci_sriov_init(struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev;
	int ret;

	if (pdev->is_virtfn) {
		/*
		 * The PF stays bound longer than its VFs: no reference needed.
		 * NULL if the PF has another driver.
		 */
		vdev->sriov_pf_core_dev = find_pf(pci_physfn(pdev));
		return 0;
	}

	if (!pdev->is_physfn)
		return 0;

	ret = vfio_pci_token_init(vdev);
	if (ret)
		return ret;

	vdev->nb.notifier_call = vfio_pci_bus_notifier;
	ret = bus_register_notifier(&pci_bus_type, &vdev->nb);
	if (ret)
		vfio_pci_token_free(vdev);
	return ret;
}

/* After unregistration. */
void vfio_pci_sriov_free(struct vfio_pci_core_device *vdev)
{
	if (!vdev->vf_token)
		return;

	bus_unregister_notifier(&pci_bus_type, &vdev->nb);
	vfio_pci_token_free(vdev);
}

/* The PF may be open: take the locks against its user's changes. */
static void set_sriov_active(struct vfio_pci_core_device *vdev, bool active)
{
	guard(mutex)(&vdev->igate);
	vfio_pci_intx_mask(vdev);
	down_write(&vdev->memory_lock);
	if (active)
		vfio_pci_set_power_state_locked(vdev, PCI_D0);
	vdev->sriov_active = active;
	vfio_pci_unlock_memory(vdev);
	vfio_pci_intx_unmask(vdev);
}

static void sriov_unlist(struct vfio_pci_core_device *vdev)
{
	mutex_lock(&sriov_pfs_mutex);
	list_del_init(&vdev->sriov_pfs_item);
	mutex_unlock(&sriov_pfs_mutex);
}

static int sriov_enable(struct vfio_pci_core_device *vdev, int nr_virtfn)
{
	struct pci_dev *pdev = vdev->pdev;
	int ret;

	mutex_lock(&sriov_pfs_mutex);
	if (!list_empty(&vdev->sriov_pfs_item)) {
		mutex_unlock(&sriov_pfs_mutex);
		return -EBUSY;
	}
	/* Listed first: pci_enable_sriov() probes VFs, and they look for it. */
	list_add_tail(&vdev->sriov_pfs_item, &sriov_pfs);
	mutex_unlock(&sriov_pfs_mutex);

	/* The PF stays awake, and in D0, for as long as it has VFs */
	ret = pm_runtime_resume_and_get(&pdev->dev);
	if (ret)
		goto err_unlist;
	set_sriov_active(vdev, true);

	ret = pci_enable_sriov(pdev, nr_virtfn);
	if (ret)
		goto err_inactive;
	return nr_virtfn;

err_inactive:
	set_sriov_active(vdev, false);
	pm_runtime_put(&pdev->dev);
err_unlist:
	sriov_unlist(vdev);
	return ret;
}

static void sriov_disable(struct vfio_pci_core_device *vdev)
{
	if (pci_num_vf(vdev->pdev)) {
		pci_disable_sriov(vdev->pdev);
		set_sriov_active(vdev, false);
		pm_runtime_put(&vdev->pdev->dev);
	}
	sriov_unlist(vdev);
}

/**
 * vfio_pci_core_sriov_configure - make or remove VFs of a PF
 * @vdev: the PF
 * @nr_virtfn: number of VFs; 0 removes them, which waits for their users
 *
 * For the sriov_configure callback of a driver, with the device lock held.
 *
 * Return: @nr_virtfn or an error; -EBUSY if there are VFs already.
 */
int vfio_pci_core_sriov_configure(struct vfio_pci_core_device *vdev,
				  int nr_virtfn)
{
	device_lock_assert(&vdev->pdev->dev);

	if (nr_virtfn)
		return sriov_enable(vdev, nr_virtfn);
	sriov_disable(vdev);
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_pci_core_sriov_configure);
