// SPDX-License-Identifier: GPL-2.0-only
/*
 * Power: the D-state that the user sets, runtime PM of a device that nobody
 * has open, and the low power features, by which a user lets an open device
 * sleep.
 *
 * An open device is kept awake by a runtime PM reference.  Low power mode
 * (pm_runtime_engaged) gives that reference away until the user takes it back,
 * or any access wakes the device, if the user asked for that to be the end.
 *
 * memory_lock, held for write, protects D-state, pm_save, pm_runtime_engaged
 * and pm_wake_eventfd_ctx.  Runtime suspend and resume take it, and igate: so
 * nobody waits for runtime PM while holding one of them.
 */
#include <linux/eventfd.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "private.h"

/*
 * Does the function lose its state on the way from D3hot to D0?  The kernel's
 * own transitions restore it; those that the user asks for are ours.
 */
void vfio_pci_power_probe(struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev;
	u16 pmcsr;

	if (!pdev->pm_cap)
		return;
	pci_read_config_word(pdev, pdev->pm_cap + PCI_PM_CTRL, &pmcsr);
	vdev->needs_pm_restore = !(pmcsr & PCI_PM_CTRL_NO_SOFT_RESET);
}

static bool power_state_forgets(pci_power_t state)
{
	return state == PCI_D3hot || state == PCI_D3cold;
}

/*
 * COMMAND comes back as it was when the device left D0, but user and INTx may
 * have changed it since: @command is what it was at the end, or all ones if
 * the device did not answer.
 */
static void power_restore(struct vfio_pci_core_device *vdev, u16 command)
{
	struct pci_dev *pdev = vdev->pdev;

	pci_load_and_free_saved_state(pdev, &vdev->pm_save);
	pci_restore_state(pdev);
	if (PCI_POSSIBLE_ERROR(command))
		return;
	/* The device may have lost them before they were saved. */
	if (command & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY))
		vfio_pci_restore_bars(vdev);

	spin_lock_irq(&vdev->irqlock);
	pci_write_config_word(pdev, PCI_COMMAND, command);
	spin_unlock_irq(&vdev->irqlock);
}

int vfio_pci_set_power_state_locked(struct vfio_pci_core_device *vdev,
				    pci_power_t state)
{
	struct pci_saved_state *saved = NULL;
	struct pci_dev *pdev = vdev->pdev;
	bool to_d3, was_d3;
	u16 command;
	int ret;

	lockdep_assert_held_write(&vdev->memory_lock);

	/* VFs die with their PF's D0; there may be some a moment from now. */
	if (state != PCI_D0 && (pci_num_vf(pdev) || vdev->sriov_active))
		return -EBUSY;

	/*
	 * Done here so that no caller forgets it, not even one that has dropped
	 * memory_lock since it zapped.
	 */
	if (state != PCI_D0)
		vfio_pci_zap_bars(vdev);

	to_d3 = power_state_forgets(state);
	was_d3 = power_state_forgets(pdev->current_state);
	if (vdev->needs_pm_restore && to_d3 && !was_d3) {
		vfio_pci_msix_decoding_begin(vdev);
		pci_save_state(pdev);
		vfio_pci_msix_decoding_end(vdev);
		saved = pci_store_saved_state(pdev);
		if (!saved)
			return -ENOMEM;
	}

	pci_read_config_word(pdev, PCI_COMMAND, &command);
	ret = pci_set_power_state(pdev, state);
	if (ret) {
		kfree(saved);
		return ret;
	}

	if (saved) {
		/* Anything else may have woken the device, and left a copy */
		kfree(vdev->pm_save);
		vdev->pm_save = saved;
	} else if (vdev->pm_save && was_d3 && state == PCI_D0) {
		power_restore(vdev, command);
	}
	return 0;
}

void vfio_pci_set_power_state(struct vfio_pci_core_device *vdev,
			      pci_power_t state)
{
	guard(mutex)(&vdev->igate);
	vfio_pci_intx_mask(vdev);
	down_write(&vdev->memory_lock);
	if (state != vdev->pdev->current_state)
		vfio_pci_set_power_state_locked(vdev, state);
	up_write(&vdev->memory_lock);
	vfio_pci_intx_unmask(vdev);
}

/* With memory_lock held for write. */
static void low_power_disengage(struct vfio_pci_core_device *vdev)
{
	if (!vdev->pm_runtime_engaged)
		return;

	vdev->pm_runtime_engaged = false;
	pm_runtime_get_noresume(&vdev->pdev->dev);
	if (vdev->pm_wake_eventfd_ctx) {
		eventfd_ctx_put(vdev->pm_wake_eventfd_ctx);
		vdev->pm_wake_eventfd_ctx = NULL;
	}
}

/*
 * Consumes @wake on success.  The caller keeps the device awake, and the
 * device goes to sleep, if at all, when the last such reference is put.
 */
static int low_power_engage(struct vfio_pci_core_device *vdev,
			    struct eventfd_ctx *wake)
{
	int ret = -EINVAL;

	vfio_pci_zap_and_lock_memory(vdev);
	if (!vdev->pm_runtime_engaged) {
		vdev->pm_runtime_engaged = true;
		vdev->pm_wake_eventfd_ctx = wake;
		pm_runtime_put_noidle(&vdev->pdev->dev);
		ret = 0;
	}
	up_write(&vdev->memory_lock);
	return ret;
}

void vfio_pci_low_power_end(struct vfio_pci_core_device *vdev)
{
	down_write(&vdev->memory_lock);
	low_power_disengage(vdev);
	up_write(&vdev->memory_lock);

	/* If it was engaged: the reference is back, the device may sleep. */
	pm_runtime_resume(&vdev->pdev->dev);
}

int vfio_pci_feature_low_power_entry(struct vfio_pci_core_device *vdev,
				     u32 flags, void __user *arg, size_t argsz)
{
	int ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_SET, 0);

	if (ret != 1)
		return ret;
	return low_power_engage(vdev, NULL);
}

int vfio_pci_feature_low_power_wakeup(struct vfio_pci_core_device *vdev,
				      u32 flags, void __user *arg,
				      size_t argsz)
{
	struct vfio_device_low_power_entry_with_wakeup entry;
	struct eventfd_ctx *wake;
	int ret;

	ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_SET,
				 sizeof(entry));
	if (ret != 1)
		return ret;

	if (copy_from_user(&entry, arg, sizeof(entry)))
		return -EFAULT;
	if (entry.wakeup_eventfd < 0)
		return -EINVAL;

	wake = eventfd_ctx_fdget(entry.wakeup_eventfd);
	if (IS_ERR(wake))
		return PTR_ERR(wake);

	ret = low_power_engage(vdev, wake);
	if (ret)
		eventfd_ctx_put(wake);
	return ret;
}

int vfio_pci_feature_low_power_exit(struct vfio_pci_core_device *vdev,
				    u32 flags, void __user *arg, size_t argsz)
{
	int ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_SET, 0);

	if (ret != 1)
		return ret;

	guard(rwsem_write)(&vdev->memory_lock);
	low_power_disengage(vdev);
	return 0;
}

/*
 * The device sleeps: nobody has it open, or its user let it.  The PCI core
 * saves and restores a device that goes down from D0, so bring it there.
 */
static int vfio_pci_runtime_suspend(struct device *dev)
{
	struct vfio_pci_core_device *vdev = dev_get_drvdata(dev);

	/* Nobody could serve a device that raises INTx while it sleeps. */
	guard(mutex)(&vdev->igate);
	vfio_pci_intx_mask(vdev);

	down_write(&vdev->memory_lock);
	vfio_pci_set_power_state_locked(vdev, PCI_D0);
	vfio_pci_msix_decoding_begin(vdev);
	up_write(&vdev->memory_lock);
	return 0;
}

static int vfio_pci_runtime_resume(struct device *dev)
{
	struct vfio_pci_core_device *vdev = dev_get_drvdata(dev);

	guard(mutex)(&vdev->igate);
	down_write(&vdev->memory_lock);
	vfio_pci_msix_decoding_end(vdev);
	if (vdev->pm_wake_eventfd_ctx) {
		eventfd_signal(vdev->pm_wake_eventfd_ctx);
		low_power_disengage(vdev);
	}
	up_write(&vdev->memory_lock);

	vfio_pci_intx_unmask(vdev);
	return 0;
}

const struct dev_pm_ops vfio_pci_core_pm_ops = {
	RUNTIME_PM_OPS(vfio_pci_runtime_suspend, vfio_pci_runtime_resume,
		       NULL)
};
