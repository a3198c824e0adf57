// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a function: binding, open and close, resets.  Each is passed on
 * to vfio-pci-core and to the migration library, in the order that they need.
 */
#include <linux/export.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "private.h"

/* ---- What vfio.ko calls ---- */

static int check_driver(struct vfio_pci_migration *pci)
{
	const struct vfio_pci_mig_driver *driver = vfio_pci_mig_driver(pci);
	struct pci_dev *pdev = pci->core.pdev;
	u64 sizes[PCI_STD_NUM_BARS];
	unsigned int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		sizes[i] = pci_resource_len(pdev, i);
	if (vfio_pci_mig_traps_valid(driver, sizes) &&
	    vfio_pci_mig_counters_valid(driver))
		return 0;
	pci_err(pdev, "vfio: the driver's traps or counters are out of order or not in its BARs\n");
	return -EINVAL;
}

/**
 * vfio_pci_mig_init_dev - set up a device
 * @vdev: the function
 *
 * For vfio_device_ops.init.  Calls the driver's init().
 *
 * Return: 0, -EINVAL after a message if the driver's description is wrong, or
 * the error of init() or of vfio-pci-core.
 */
int vfio_pci_mig_init_dev(struct vfio_device *vdev)
{
	struct vfio_pci_migration *pci = vdev_to_vfio_pci_mig(vdev);
	const struct vfio_pci_mig_driver *driver = vfio_pci_mig_driver(pci);
	int ret;

	ret = vfio_pci_core_init_dev(vdev);
	if (ret)
		return ret;
	vfio_pci_mig_log_init(pci);
	if (driver->init)
		ret = driver->init(pci);
	if (!ret)
		ret = check_driver(pci);
	if (!ret)
		ret = vfio_mig_init(&pci->mig, vdev, &pci->core.memory_lock,
				    &driver->mig);
	if (ret) {
		mutex_destroy(&pci->log_lock);
		vfio_pci_core_release_dev(vdev);
	}
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_init_dev);

/**
 * vfio_pci_mig_release_dev - undo vfio_pci_mig_init_dev()
 * @vdev: the function
 *
 * For vfio_device_ops.release.
 */
void vfio_pci_mig_release_dev(struct vfio_device *vdev)
{
	struct vfio_pci_migration *pci = vdev_to_vfio_pci_mig(vdev);

	vfio_mig_release(&pci->mig);
	mutex_destroy(&pci->log_lock);
	vfio_pci_core_release_dev(vdev);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_release_dev);

static int map_bars(struct vfio_pci_migration *pci)
{
	unsigned long bars = vfio_pci_mig_driver(pci)->bars;
	unsigned int bar;
	int ret = 0;

	for_each_set_bit(bar, &bars, PCI_STD_NUM_BARS) {
		ret = vfio_pci_core_setup_barmap(&pci->core, bar);
		if (ret)
			break;
	}
	return ret;
}

/**
 * vfio_pci_mig_open_device - the first user opens the device
 * @vdev: the function
 *
 * For vfio_device_ops.open_device.  Enables the device, maps the BARs that the
 * driver uses and calls its open().
 *
 * Return: 0 or an error of vfio-pci-core.
 */
int vfio_pci_mig_open_device(struct vfio_device *vdev)
{
	struct vfio_pci_migration *pci = vdev_to_vfio_pci_mig(vdev);
	const struct vfio_pci_mig_driver *driver = vfio_pci_mig_driver(pci);
	int ret;

	ret = vfio_pci_core_enable(&pci->core);
	if (ret)
		return ret;
	ret = map_bars(pci);
	if (ret)
		goto err_disable;
	mutex_lock(&pci->mig.lock);
	if (pci->mig.image_size) {
		memset(pci->mig.image, 0, pci->mig.image_size);
		memset(pci->mig.incoming, 0, pci->mig.image_size);
	}
	vfio_pci_mig_counters_open(pci);
	if (driver->open)
		driver->open(pci);
	vfio_pci_mig_log_open(pci);
	pci->opened = true;
	pci->lost = false;
	mutex_unlock(&pci->mig.lock);
	vfio_pci_core_finish_enable(&pci->core);
	return 0;

err_disable:
	vfio_pci_core_disable(&pci->core);
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_open_device);

/**
 * vfio_pci_mig_close_device - the last user closes the device
 * @vdev: the function
 *
 * For vfio_device_ops.close_device.  Ends DMA logging and calls the driver's
 * mig.close() while the device is still enabled.
 */
void vfio_pci_mig_close_device(struct vfio_device *vdev)
{
	struct vfio_pci_migration *pci = vdev_to_vfio_pci_mig(vdev);

	vfio_pci_mig_log_close(pci);
	/* A link error from now on does not concern the next user. */
	mutex_lock(&pci->mig.lock);
	pci->opened = false;
	pci->lost = false;
	mutex_unlock(&pci->mig.lock);
	pci->closing = true;
	vfio_mig_close(&pci->mig);
	pci->closing = false;
	/* vfio-pci-core turns bus mastering off. */
	mutex_lock(&pci->mig.lock);
	pci->dma_off = false;
	mutex_unlock(&pci->mig.lock);
	vfio_pci_core_close_device(vdev);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_close_device);

/* ---- What the PCI core calls ---- */

/**
 * vfio_pci_mig_probe - bind a driver to a function
 * @pdev: the function
 * @driver: the driver's description, which must stay in place until
 *	vfio_pci_mig_remove()
 *
 * For pci_driver.probe.
 *
 * Return: 0 or a negative errno.
 */
int vfio_pci_mig_probe(struct pci_dev *pdev,
		       const struct vfio_pci_mig_driver *driver)
{
	struct vfio_pci_migration *pci;
	struct vfio_device *vdev;
	int ret;

	vdev = _vfio_alloc_device(driver->size, &pdev->dev, &driver->ops);
	if (IS_ERR(vdev))
		return PTR_ERR(vdev);
	pci = vdev_to_vfio_pci_mig(vdev);
	dev_set_drvdata(&pdev->dev, &pci->core);
	ret = vfio_pci_core_register_device(&pci->core);
	if (ret)
		vfio_put_device(vdev);
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_probe);

/**
 * vfio_pci_mig_remove - undo vfio_pci_mig_probe()
 * @pdev: the function
 *
 * For pci_driver.remove.
 */
void vfio_pci_mig_remove(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	WRITE_ONCE(vdev_to_vfio_pci_mig(&core->vdev)->leaving, true);
	vfio_pci_core_unregister_device(core);
	vfio_put_device(&core->vdev);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_remove);

static struct vfio_pci_migration *pdev_to_vfio_pci_mig(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	return vdev_to_vfio_pci_mig(&core->vdev);
}

static void reset_prepare(struct pci_dev *pdev)
{
	vfio_mig_reset_prepare(&pdev_to_vfio_pci_mig(pdev)->mig);
}

/* The state lock is held since reset_prepare(), and released here. */
static void reset_done(struct pci_dev *pdev)
{
	struct vfio_pci_migration *pci = pdev_to_vfio_pci_mig(pdev);

	pci->lost = false;
	vfio_pci_mig_dma_on(pci);
	vfio_pci_mig_log_reset(pci);
	vfio_mig_reset_done(&pci->mig);
}

/*
 * The link is frozen, or dead for good: the function cannot be relied on until
 * it has been reset.  The PCI core may give up before, without telling, so no
 * lock is held until the reset; the state is ERROR instead.
 */
static void function_lost(struct vfio_pci_migration *pci)
{
	vfio_mig_lock(&pci->mig, false);
	if (pci->opened) {
		pci->lost = true;
		if (pci->mig.state != VFIO_DEVICE_STATE_ERROR)
			vfio_mig_error(&pci->mig, -EIO);
	}
	vfio_mig_unlock(&pci->mig, false);
}

static pci_ers_result_t error_detected(struct pci_dev *pdev,
				       pci_channel_state_t channel)
{
	if (channel != pci_channel_io_normal)
		function_lost(pdev_to_vfio_pci_mig(pdev));
	return vfio_pci_core_aer_err_detected(pdev, channel);
}

/* The link has recovered, by a reset that has reset the function, too. */
static void resume(struct pci_dev *pdev)
{
	struct vfio_pci_migration *pci = pdev_to_vfio_pci_mig(pdev);

	reset_prepare(pdev);
	if (pci->lost)
		reset_done(pdev);
	else
		mutex_unlock(&pci->mig.lock);
}

/* For pci_driver.err_handler */
const struct pci_error_handlers vfio_pci_mig_err_handlers = {
	.reset_prepare = reset_prepare,
	.reset_done = reset_done,
	.error_detected = error_detected,
	.resume = resume,
};
EXPORT_SYMBOL_GPL(vfio_pci_mig_err_handlers);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Library for VFIO PCI drivers with migration");
