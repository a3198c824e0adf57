// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-pci-core.ko: the life of a PCI function under VFIO, and the entry
 * points of its file.
 *
 *	init_dev, register_device	the driver is bound; the device is not
 *					in use and suspended
 *	enable, finish_enable		first open: resumed, reset, described
 *	ioctl, read, write, mmap	in use
 *	close_device (disable)		last close: back to the state before
 *					the first open
 *	unregister_device, release_dev	the driver is unbound
 *
 * Each concern has a file of its own: see private.h, which also lists the
 * locks.
 */
#include <linux/aperture.h>
#include <linux/module.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/vgaarb.h>

#include "private.h"

/* Set by vfio_pci_core_set_params() */
static bool param_nointxmask;
static bool param_disable_idle_d3;

/**
 * vfio_pci_core_set_params - take over the module parameters of vfio-pci
 * @nointxmask: mask INTx at the interrupt controller, not at the device; the
 *	interrupt cannot be shared then
 * @is_disable_vga: ignored: VGA regions are never offered
 * @is_disable_idle_d3: do not suspend devices that are not in use
 *
 * @nointxmask applies to devices that are opened later, @is_disable_idle_d3 to
 * those that are allocated later.
 */
void vfio_pci_core_set_params(bool nointxmask, bool is_disable_vga,
			      bool is_disable_idle_d3)
{
	param_nointxmask = nointxmask;
	param_disable_idle_d3 = is_disable_idle_d3;
}
EXPORT_SYMBOL_GPL(vfio_pci_core_set_params);

/* ---- Life: allocation and registration ---- */

/**
 * vfio_pci_core_init_dev - the init callback of a vfio-pci driver
 * @core_vdev: the device, just allocated
 *
 * Return: 0.
 */
int vfio_pci_core_init_dev(struct vfio_device *core_vdev)
{
	struct vfio_pci_core_device *vdev = to_core(core_vdev);

	vdev->pdev = to_pci_dev(core_vdev->dev);
	vdev->irq_type = VFIO_PCI_IRQ_NONE;
	/* A driver may have set it: the memory was zeroed. */
	vdev->disable_idle_d3 |= param_disable_idle_d3;
	mutex_init(&vdev->igate);
	spin_lock_init(&vdev->irqlock);
	xa_init(&vdev->ctx);
	mutex_init(&vdev->ioeventfds_lock);
	init_rwsem(&vdev->memory_lock);
	INIT_LIST_HEAD(&vdev->dummy_resources_list);
	INIT_LIST_HEAD(&vdev->ioeventfds_list);
	INIT_LIST_HEAD(&vdev->sriov_pfs_item);
	vfio_pci_dmabufs_init(vdev);
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_pci_core_init_dev);

/**
 * vfio_pci_core_release_dev - the release callback of a vfio-pci driver
 * @core_vdev: the device, without any reference left
 */
void vfio_pci_core_release_dev(struct vfio_device *core_vdev)
{
	struct vfio_pci_core_device *vdev = to_core(core_vdev);

	mutex_destroy(&vdev->igate);
	mutex_destroy(&vdev->ioeventfds_lock);
	kfree(vdev->region);
	kfree(vdev->pm_save);
}
EXPORT_SYMBOL_GPL(vfio_pci_core_release_dev);

#define VGA_NORMAL	(VGA_RSRC_NORMAL_IO | VGA_RSRC_NORMAL_MEM)

/* For the VGA arbiter: no user of VFIO reaches the legacy ranges of VGA. */
static unsigned int vga_decodes(struct pci_dev *pdev, bool all)
{
	return VGA_NORMAL;
}

/*
 * Detach the host's firmware framebuffer and console from a display device:
 * they would go on drawing on it while it is reset and used by a VM.  They do
 * not come back when the device is given back.
 */
static int display_take(struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev;
	int ret;

	if (pdev->class >> 16 != PCI_BASE_CLASS_DISPLAY && !pci_is_vga(pdev))
		return 0;

	ret = aperture_remove_conflicting_pci_devices(pdev,
						      vdev->vdev.ops->name);
	if (ret || !pci_is_vga(pdev))
		return ret;

	/* Fails if the arbiter does not know the device: nothing to do then */
	if (!vga_client_register(pdev, vga_decodes))
		vga_set_legacy_decoding(pdev, VGA_NORMAL);
	return 0;
}

static void display_give_back(struct vfio_pci_core_device *vdev)
{
	if (!pci_is_vga(vdev->pdev))
		return;
	vga_client_unregister(vdev->pdev);
	vga_set_legacy_decoding(vdev->pdev,
				VGA_NORMAL | VGA_RSRC_LEGACY_MASK);
}

/**
 * vfio_pci_core_register_device - offer a PCI function to user space
 * @vdev: the device; its driver data is @vdev, and its migration and logging
 *	callbacks are set
 *
 * The last step of a driver's probe: the device may be opened before this
 * returns.
 *
 * A display device is taken from the host's firmware framebuffer and console.
 *
 * Return: 0; -EINVAL if @vdev is not an endpoint; -EBUSY for a PF that has VFs
 * already; -ENOMEM; errors of vfio_register_group_dev().
 */
int vfio_pci_core_register_device(struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev;
	struct device *dev = &pdev->dev;
	int ret;

	/* The error handlers and runtime PM find the device by its data */
	if (WARN_ON(vdev != dev_get_drvdata(dev)))
		return -EINVAL;
	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL) {
		pci_warn(pdev, "is a bridge: bind the functions behind it instead\n");
		return -EINVAL;
	}

	/* Another driver made these VFs: they may be in use. */
	if (pci_num_vf(pdev)) {
		pci_warn(pdev, "has VFs: remove them (sriov_numvfs) first\n");
		return -EBUSY;
	}

	ret = vfio_pci_dmabufs_probe(vdev);
	if (ret)
		return ret;

	ret = vfio_pci_reset_assign_set(vdev);
	if (ret)
		return ret;

	ret = vfio_pci_sriov_init(vdev);
	if (ret)
		return ret;

	ret = display_take(vdev);
	if (ret)
		goto err_sriov;

	vfio_pci_power_probe(vdev);

	/* Runtime PM starts from a device that is awake, as probe made it */
	pci_set_power_state(pdev, PCI_D0);
	dev->driver->pm = &vfio_pci_core_pm_ops;
	pm_runtime_allow(dev);
	if (!vdev->disable_idle_d3)
		pm_runtime_put(dev);

	ret = vfio_register_group_dev(&vdev->vdev);
	if (ret)
		goto err_power;
	return 0;

err_power:
	if (!vdev->disable_idle_d3)
		pm_runtime_get_noresume(dev);
	pm_runtime_forbid(dev);
	display_give_back(vdev);
err_sriov:
	vfio_pci_sriov_free(vdev);
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_pci_core_register_device);

/*
 * The device was closed while its driver was being unbound: the close could not
 * take the device lock that the reset needs.  The caller holds it.
 */
static void reset_late(struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev, *bridge;

	if (!vdev->needs_reset || !vdev->reset_works)
		return;

	if (vfio_pci_bridge_trylock(pdev, &bridge)) {
		pci_cfg_access_lock(pdev);
		pci_save_state(pdev);
		if (!__pci_reset_function_locked(pdev))
			vdev->needs_reset = false;
		pci_restore_state(pdev);
		pci_cfg_access_unlock(pdev);
		vfio_pci_bridge_unlock(bridge);
	}
	if (vdev->needs_reset)
		pci_notice(pdev,
			   "given back without a reset: to have it in a known state, write 1 to its reset file in sysfs\n");
}

/**
 * vfio_pci_core_unregister_device - take a PCI function back from user space
 * @vdev: the device
 *
 * The first step of a driver's remove.  Asks the users of the device and of its
 * VFs to close them, and waits until they have.
 */
void vfio_pci_core_unregister_device(struct vfio_pci_core_device *vdev)
{
	struct device *dev = &vdev->pdev->dev;

	vfio_pci_core_sriov_configure(vdev, 0);
	vfio_unregister_group_dev(&vdev->vdev);
	display_give_back(vdev);
	vfio_pci_sriov_free(vdev);

	if (!vdev->disable_idle_d3)
		pm_runtime_get_noresume(dev);
	pm_runtime_forbid(dev);
	reset_late(vdev);
}
EXPORT_SYMBOL_GPL(vfio_pci_core_unregister_device);

/* ---- Life: first open, last close ---- */

/* Devices whose INTx status bit or disable bit does not work (i40e, X550) */
static const struct pci_device_id broken_intx_ids[] = {
	{ PCI_VDEVICE(INTEL, 0x1563) },
	{ PCI_VDEVICE(INTEL, 0x1572) },
	{ PCI_VDEVICE(INTEL, 0x1574) },
	{ PCI_VDEVICE(INTEL, 0x1580) },
	{ PCI_VDEVICE(INTEL, 0x1581) },
	{ PCI_VDEVICE(INTEL, 0x1583) },
	{ PCI_VDEVICE(INTEL, 0x1584) },
	{ PCI_VDEVICE(INTEL, 0x1585) },
	{ PCI_VDEVICE(INTEL, 0x1586) },
	{ PCI_VDEVICE(INTEL, 0x1587) },
	{ PCI_VDEVICE(INTEL, 0x1588) },
	{ PCI_VDEVICE(INTEL, 0x1589) },
	{ PCI_VDEVICE(INTEL, 0x158a) },
	{ PCI_VDEVICE(INTEL, 0x158b) },
	{ PCI_VDEVICE(INTEL, 0x37d0) },
	{ PCI_VDEVICE(INTEL, 0x37d1) },
	{ PCI_VDEVICE(INTEL, 0x37d2) },
	{ }
};

/* Does the driver say that INTx can't be masked in the device's registers? */
static bool driver_nointxmask(struct vfio_pci_core_device *vdev)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
	return vdev->nointxmask;
#else
	return false;
#endif
}

static void intx_probe(struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev;

	if (param_nointxmask || driver_nointxmask(vdev))
		return;

	if (pdev->pin && pci_match_id(broken_intx_ids, pdev)) {
		pci_info(pdev, "INTx of this device is broken: not offered\n");
		vdev->nointx = true;
		return;
	}

	vdev->pci_2_3 = pci_intx_mask_supported(pdev);
}

static void msix_probe(struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev;
	u16 flags;
	u32 table;

	vdev->msix_bar = 0xff;
	vdev->msix_size = 0;
	vdev->has_dyn_msix = false;
	if (!pdev->msix_cap)
		return;

	pci_read_config_word(pdev, pdev->msix_cap + PCI_MSIX_FLAGS, &flags);
	pci_read_config_dword(pdev, pdev->msix_cap + PCI_MSIX_TABLE, &table);
	vdev->msix_bar = table & PCI_MSIX_TABLE_BIR;
	vdev->msix_offset = table & PCI_MSIX_TABLE_OFFSET;
	vdev->msix_size = ((flags & PCI_MSIX_FLAGS_QSIZE) + 1) *
			  PCI_MSIX_ENTRY_SIZE;
	vdev->has_dyn_msix = pci_msix_can_alloc_dyn(pdev);
}

/* Take the runtime PM reference that keeps an open device awake. */
static int get_awake(struct vfio_pci_core_device *vdev)
{
	if (vdev->disable_idle_d3)
		return 0;
	return pm_runtime_resume_and_get(&vdev->pdev->dev);
}

/* Undo get_awake(). */
static void put_awake(struct vfio_pci_core_device *vdev)
{
	if (!vdev->disable_idle_d3)
		pm_runtime_put(&vdev->pdev->dev);
}

/**
 * vfio_pci_core_enable - the first part of opening a device
 * @vdev: the device
 *
 * Wakes, enables and resets the device and builds what user space will see of
 * it.  A driver's open_device callback calls this, goes on with its own set-up
 * and then calls vfio_pci_core_finish_enable(), or vfio_pci_core_disable() if
 * the set-up fails.
 *
 * Return: 0, or -EAGAIN if the device is busy at the moment (being reset,
 * bound or unbound), or another error if it cannot be enabled.
 */
int vfio_pci_core_enable(struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev;
	int ret;

	ret = get_awake(vdev);
	if (ret < 0)
		return ret;

	/* No DMA before the user asks for it */
	pci_clear_master(pdev);
	ret = pci_enable_device(pdev);
	if (ret)
		goto err_put_awake;

	ret = vfio_pci_try_reset(pdev);
	if (ret == -EAGAIN)
		goto err_disable;
	vdev->reset_works = !ret;

	/* The last close restores this. */
	pci_save_state(pdev);
	vdev->pci_saved_state = pci_store_saved_state(pdev);
	if (!vdev->pci_saved_state) {
		ret = -ENOMEM;
		goto err_disable;
	}

	intx_probe(vdev);
	msix_probe(vdev);

	ret = vfio_pci_config_init(vdev);
	if (ret)
		goto err_saved_state;
	vfio_pci_barmaps_init(vdev);
	return 0;

err_saved_state:
	kfree(vdev->pci_saved_state);
	vdev->pci_saved_state = NULL;
err_disable:
	pci_disable_device(pdev);
err_put_awake:
	put_awake(vdev);
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_pci_core_enable);

/**
 * vfio_pci_core_finish_enable - the last part of opening a device
 * @vdev: the device
 *
 * To be called when nothing can fail any more: after this,
 * vfio_pci_core_close_device() undoes the open.
 */
void vfio_pci_core_finish_enable(struct vfio_pci_core_device *vdev)
{
	vfio_pci_mmap_probe(vdev);
	vfio_pci_token_user_add(vdev, 1);
}
EXPORT_SYMBOL_GPL(vfio_pci_core_finish_enable);

/*
 * Reset the function if it has a reset of its own, and restore the state that
 * vfio_pci_core_enable() saved.  Sets needs_reset if the device still needs a
 * reset, then of its slot or bus.
 */
static void restore_and_reset(struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev, *bridge;

	vdev->needs_reset = true;

	/* pci_restore_state() below restores this. */
	if (pci_load_and_free_saved_state(pdev, &vdev->pci_saved_state))
		pci_save_state(pdev);

	/* No decoding, no DMA and no INTx until then */
	pci_write_config_word(pdev, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE);

	/*
	 * A task that is unbinding the driver holds the device lock and waits
	 * for this close: do not wait for the lock.
	 */
	if (vdev->reset_works && vfio_pci_bridge_trylock(pdev, &bridge)) {
		if (pci_dev_trylock(pdev)) {
			if (!__pci_reset_function_locked(pdev))
				vdev->needs_reset = false;
			pci_dev_unlock(pdev);
		}
		vfio_pci_bridge_unlock(bridge);
	}
	pci_restore_state(pdev);
	/*
	 * Without a reset the device may still assert INTx.  A driver that
	 * enables the device turns INTx on again.
	 */
	if (vdev->needs_reset)
		pci_intx(pdev, 0);
}

/**
 * vfio_pci_core_disable - undo vfio_pci_core_enable()
 * @vdev: the device, no longer in use
 *
 * Part of vfio_pci_core_close_device(); a driver calls it only when its
 * open_device callback fails.
 */
void vfio_pci_core_disable(struct vfio_pci_core_device *vdev)
{
	struct vfio_device_set *dev_set = vdev->vdev.dev_set;
	struct pci_dev *pdev = vdev->pdev;

	lockdep_assert_held(&dev_set->lock);

	vfio_pci_dmabufs_close(vdev);
	vfio_pci_low_power_end(vdev);
	vfio_pci_set_power_state(vdev, PCI_D0);

	/* First stop interrupts, DMA and ioeventfds. */
	vfio_pci_irqs_disable(vdev);
	pci_clear_master(pdev);
	vfio_pci_ioeventfds_free(vdev);

	vfio_pci_regions_free(vdev);
	vfio_pci_config_free(vdev);
	vfio_pci_barmaps_free(vdev);
	vfio_pci_mmap_release(vdev);

	restore_and_reset(vdev);
	pci_disable_device(pdev);
	vdev->nointx = false;
	vdev->pci_2_3 = false;

	vfio_pci_reset_unused_set(dev_set);
	if (vdev->needs_reset && !vdev->reset_works)
		pci_notice_ratelimited(pdev,
				       "not reset on close (no function, slot or bus reset): its next user sees old state\n");
	put_awake(vdev);
}
EXPORT_SYMBOL_GPL(vfio_pci_core_disable);

/**
 * vfio_pci_core_close_device - the close_device callback of a vfio-pci driver
 * @core_vdev: the device
 */
void vfio_pci_core_close_device(struct vfio_device *core_vdev)
{
	struct vfio_pci_core_device *vdev = to_core(core_vdev);

	vfio_pci_token_user_add(vdev, -1);
	vfio_pci_core_disable(vdev);
}
EXPORT_SYMBOL_GPL(vfio_pci_core_close_device);

/**
 * vfio_pci_core_request - the request callback of a vfio-pci driver
 * @core_vdev: the device
 * @count: how often this was asked before
 */
void vfio_pci_core_request(struct vfio_device *core_vdev, unsigned int count)
{
	vfio_pci_signal_request(to_core(core_vdev), count);
}
EXPORT_SYMBOL_GPL(vfio_pci_core_request);

/**
 * vfio_pci_core_aer_err_detected - an uncorrectable error of the device
 * @pdev: the PCI function
 * @state: of its PCI channel; not used
 *
 * Signals the user's error eventfd and leaves the recovery to the user.
 *
 * Return: PCI_ERS_RESULT_CAN_RECOVER.
 */
pci_ers_result_t vfio_pci_core_aer_err_detected(struct pci_dev *pdev,
						pci_channel_state_t state)
{
	vfio_pci_signal_error(dev_get_drvdata(&pdev->dev));
	return PCI_ERS_RESULT_CAN_RECOVER;
}
EXPORT_SYMBOL_GPL(vfio_pci_core_aer_err_detected);

const struct pci_error_handlers vfio_pci_core_err_handlers = {
	.error_detected = vfio_pci_core_aer_err_detected,
};
EXPORT_SYMBOL_GPL(vfio_pci_core_err_handlers);

/* ---- The device file: ioctls ---- */

/*
 * Checks the range against the number of interrupts and copies the payload:
 * vfio_pci_set_irqs() gets a valid range and kernel memory.
 */
static int vfio_pci_ioctl_set_irqs(struct vfio_pci_core_device *vdev,
				   void __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_irq_set, count);
	struct vfio_irq_set hdr;
	size_t data_size = 0;
	void *data = NULL;
	int max = 0;
	int ret;

	if (copy_from_user(&hdr, arg, minsz))
		return -EFAULT;

	if (hdr.index < VFIO_PCI_NUM_IRQS)
		max = vfio_pci_irq_count(vdev, hdr.index);
	ret = vfio_set_irqs_validate_and_prepare(&hdr, max, VFIO_PCI_NUM_IRQS,
						 &data_size);
	if (ret)
		return ret;

	if (data_size) {
		data = memdup_user(arg + minsz, data_size);
		if (IS_ERR(data))
			return PTR_ERR(data);
	}

	mutex_lock(&vdev->igate);
	ret = vfio_pci_set_irqs(vdev, hdr.flags, hdr.index, hdr.start,
				hdr.count, data);
	mutex_unlock(&vdev->igate);
	kfree(data);
	return ret;
}

/**
 * vfio_pci_core_ioctl - the ioctl callback of a vfio-pci driver
 * @core_vdev: the device, kept awake by the caller
 * @cmd: VFIO_DEVICE_*
 * @arg: its argument
 *
 * Return: 0 or an error; -ENOTTY if a PCI device has no such ioctl.
 */
long vfio_pci_core_ioctl(struct vfio_device *core_vdev, unsigned int cmd,
			 unsigned long arg)
{
	struct vfio_pci_core_device *vdev = to_core(core_vdev);
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case VFIO_DEVICE_GET_INFO:
		return vfio_pci_ioctl_device_info(vdev, uarg);
	case VFIO_DEVICE_GET_REGION_INFO:
		return vfio_pci_ioctl_region_info(vdev, uarg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return vfio_pci_ioctl_irq_info(vdev, uarg);
	case VFIO_DEVICE_SET_IRQS:
		return vfio_pci_ioctl_set_irqs(vdev, uarg);
	case VFIO_DEVICE_RESET:
		return vfio_pci_ioctl_reset(vdev, uarg);
	case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
		return vfio_pci_ioctl_hot_reset_info(vdev, uarg);
	case VFIO_DEVICE_PCI_HOT_RESET:
		return vfio_pci_ioctl_hot_reset(vdev, uarg);
	case VFIO_DEVICE_IOEVENTFD:
		return vfio_pci_ioctl_ioeventfd(vdev, uarg);
	default:
		return -ENOTTY;
	}
}
EXPORT_SYMBOL_GPL(vfio_pci_core_ioctl);

/**
 * vfio_pci_core_ioctl_feature - the device_feature callback of a vfio-pci
 *	driver
 * @device: the device, kept awake by the caller
 * @flags: feature number and operation
 * @arg: the feature's payload
 * @argsz: its size
 *
 * Return: what the feature returns: 0, a file descriptor or an error; -ENOTTY
 * if vfio-pci-core has no such feature.
 */
int vfio_pci_core_ioctl_feature(struct vfio_device *device, u32 flags,
				void __user *arg, size_t argsz)
{
	struct vfio_pci_core_device *vdev = to_core(device);

	switch (flags & VFIO_DEVICE_FEATURE_MASK) {
	case VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY:
		return vfio_pci_feature_low_power_entry(vdev, flags, arg,
							argsz);
	case VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP:
		return vfio_pci_feature_low_power_wakeup(vdev, flags, arg,
							 argsz);
	case VFIO_DEVICE_FEATURE_LOW_POWER_EXIT:
		return vfio_pci_feature_low_power_exit(vdev, flags, arg, argsz);
	case VFIO_DEVICE_FEATURE_DMA_BUF:
		return vfio_pci_feature_dmabuf(vdev, flags, arg, argsz);
	case VFIO_DEVICE_FEATURE_PCI_VF_TOKEN:
		return vfio_pci_feature_token(vdev, flags, arg, argsz);
	default:
		return -ENOTTY;
	}
}
EXPORT_SYMBOL_GPL(vfio_pci_core_ioctl_feature);

/* ---- The device file: read and write ---- */

static ssize_t region_rw(struct vfio_pci_core_device *vdev, char __user *buf,
			 size_t count, loff_t *ppos, bool iswrite)
{
	u64 index = VFIO_PCI_OFFSET_TO_INDEX((u64)*ppos);
	struct vfio_pci_region *region;

	switch (index) {
	case VFIO_PCI_BAR0_REGION_INDEX ... VFIO_PCI_ROM_REGION_INDEX:
		return vfio_pci_bar_rw(vdev, buf, count, ppos, iswrite);
	case VFIO_PCI_CONFIG_REGION_INDEX:
		return vfio_pci_config_rw(vdev, buf, count, ppos, iswrite);
	}

	region = vfio_pci_region_get(vdev, index);
	if (!region)
		return -EINVAL;
	return region->ops->rw(vdev, buf, count, ppos, iswrite);
}

/* vfio.ko wakes the device for ioctls, but not for read and write. */
static ssize_t awake_rw(struct vfio_pci_core_device *vdev, char __user *buf,
			size_t count, loff_t *ppos, bool iswrite)
{
	ssize_t ret;

	if (!count)
		return 0;

	ret = pm_runtime_resume_and_get(&vdev->pdev->dev);
	if (ret < 0) {
		pci_info_ratelimited(vdev->pdev,
				     "does not wake up (%zd): unbind and rebind it, or reset its port\n",
				     ret);
		return -EIO;
	}
	ret = region_rw(vdev, buf, count, ppos, iswrite);
	pm_runtime_put(&vdev->pdev->dev);
	return ret;
}

/**
 * vfio_pci_core_read - the read callback of a vfio-pci driver
 * @core_vdev: the device
 * @buf: user memory
 * @count: its size
 * @ppos: offset in the device file; advanced
 *
 * Return: the bytes read, at most to the end of the region, or an error:
 * -EINVAL if no region is at *@ppos, -EIO while memory decoding is off.
 */
ssize_t vfio_pci_core_read(struct vfio_device *core_vdev, char __user *buf,
			   size_t count, loff_t *ppos)
{
	return awake_rw(to_core(core_vdev), buf, count, ppos, false);
}
EXPORT_SYMBOL_GPL(vfio_pci_core_read);

/**
 * vfio_pci_core_write - the write callback of a vfio-pci driver
 * @core_vdev: the device
 * @buf: user memory
 * @count: its size
 * @ppos: offset in the device file; advanced
 *
 * Return: the bytes written, at most to the end of the region, or an error, as
 * vfio_pci_core_read().
 */
ssize_t vfio_pci_core_write(struct vfio_device *core_vdev,
			    const char __user *buf, size_t count, loff_t *ppos)
{
	return awake_rw(to_core(core_vdev), (char __user *)buf, count, ppos,
			true);
}
EXPORT_SYMBOL_GPL(vfio_pci_core_write);

static void __exit vfio_pci_core_exit(void)
{
	/* Wait until all eventfds are freed (call_rcu() in irq.c). */
	rcu_barrier();
}
module_exit(vfio_pci_core_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("VFIO for PCI functions: the part that all drivers share");
