// SPDX-License-Identifier: GPL-2.0-only
/*
 * Power: the D-state that the user sets, runtime PM of a device that is not
 * open, and the low power features, by which the user lets an open device
 * suspend.
 *
 * A runtime PM reference keeps an open device awake.  Low power mode
 * (pm_runtime_engaged) puts that reference.  The mode ends, and the reference
 * is taken again, when the user leaves the mode or, if the user gave a wakeup
 * eventfd, when the device resumes.
 *
 * memory_lock, held for write, protects D-state, pm_save, pm_runtime_engaged
 * and pm_wake_eventfd_ctx.  Runtime suspend and resume take memory_lock and
 * igate: do not wait for runtime PM with one of them held.
 */
#include <linux/eventfd.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "private.h"

/*
 * Whether the function loses its state on the way from D3hot to D0.  The PCI
 * core restores it if the kernel changes the power state; this file restores it
 * if the user does.
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

static bool is_d3(pci_power_t state)
{
	return state == PCI_D3hot || state == PCI_D3cold;
}

/*
 * Restore the state that the device had when it left D0, except PCI_COMMAND,
 * which the user and INTx may have changed since: @command is its last value,
 * or all ones if the device did not answer.
 */
static void power_restore(struct vfio_pci_core_device *vdev, u16 command)
{
	struct pci_dev *pdev = vdev->pdev;

	pci_load_and_free_saved_state(pdev, &vdev->pm_save);
	pci_restore_state(pdev);
	if (PCI_POSSIBLE_ERROR(command))
		return;
	/* The device may have lost its BARs before they were saved. */
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

	/* VFs need their PF in D0; sriov_active: they are being enabled. */
	if (state != PCI_D0 && (pci_num_vf(pdev) || vdev->sriov_active))
		return -EBUSY;

	/*
	 * Not left to the callers: one of them drops memory_lock in D0, where a
	 * fault may map a BAR, before it leaves D0 again.
	 */
	if (state != PCI_D0)
		vfio_pci_zap_bars(vdev);

	to_d3 = is_d3(state);
	was_d3 = is_d3(pdev->current_state);
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
		/* A copy is left if something else has woken the device. */
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
	vfio_pci_unlock_memory(vdev);
	vfio_pci_intx_unmask(vdev);
}

/* Caller holds memory_lock for write. */
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
 * Consumes @wake on success.  The caller holds a runtime PM reference: the
 * device suspends when the last of these is put.
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

	/* The reference is back, but the device may be suspended: wake it. */
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

	down_write(&vdev->memory_lock);
	low_power_disengage(vdev);
	vfio_pci_unlock_memory(vdev);
	return 0;
}

/*
 * The device is not open, or in low power mode.  The PCI core saves and
 * restores the state of a device that suspends from D0, so put it into D0.
 */
static int vfio_pci_runtime_suspend(struct device *dev)
{
	struct vfio_pci_core_device *vdev = dev_get_drvdata(dev);

	/* A suspended device cannot be asked whether it asserts INTx. */
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
	vfio_pci_unlock_memory(vdev);

	vfio_pci_intx_unmask(vdev);
	return 0;
}

const struct dev_pm_ops vfio_pci_core_pm_ops = {
	RUNTIME_PM_OPS(vfio_pci_runtime_suspend, vfio_pci_runtime_resume,
		       NULL)
};
