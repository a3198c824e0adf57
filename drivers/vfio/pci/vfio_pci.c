// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-pci.ko: the driver for any PCI function.  It adds only module parameters
 * to vfio-pci-core.  It binds to what user space names: by driver_override,
 * new_id or the ids= parameter.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/version.h>
#include <linux/vfio.h>
#include <linux/vfio_pci_core.h>

static char ids[1024] __initdata;
module_param_string(ids, ids, sizeof(ids), 0);
MODULE_PARM_DESC(ids, "Devices to bind to: vendor:device[:subvendor[:subdevice[:class[:class_mask]]]], in hex, with commas between them");

static bool nointxmask;
module_param(nointxmask, bool, 0444);
MODULE_PARM_DESC(nointxmask, "Do not use the INTx disable bit of devices, if it does not work; their interrupt cannot be shared then (default: no)");

static bool disable_vga;
module_param(disable_vga, bool, 0444);
MODULE_PARM_DESC(disable_vga, "Accepted for compatibility: VGA ranges are not offered (default: no)");

static bool disable_idle_d3;
module_param(disable_idle_d3, bool, 0444);
MODULE_PARM_DESC(disable_idle_d3, "Do not suspend devices that are not open (default: no)");

static bool enable_sriov;
#ifdef CONFIG_PCI_IOV
module_param(enable_sriov, bool, 0644);
MODULE_PARM_DESC(enable_sriov, "Let sriov_numvfs make VFs of PFs bound to vfio-pci; only for PFs whose VFs work without a PF driver (default: no)");
#endif

static bool disable_denylist;
module_param(disable_denylist, bool, 0444);
MODULE_PARM_DESC(disable_denylist, "Also bind to devices by which an untrusted user can harm the host (default: no)");

/* Functions by which a user can hang the host or reach beyond its own VF */
static const struct pci_device_id denylist[] = {
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_C3XXX) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_C3XXX_VF) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_C62X) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_C62X_VF) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_DH895XCC) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_DH895XCC_VF) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_DSA_SPR0) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_IAX_SPR0) },
	{ }
};

static int vfio_pci_open_device(struct vfio_device *core_vdev)
{
	struct vfio_pci_core_device *vdev =
		container_of(core_vdev, struct vfio_pci_core_device, vdev);
	int ret;

	ret = vfio_pci_core_enable(vdev);
	if (ret)
		return ret;
	vfio_pci_core_finish_enable(vdev);
	return 0;
}

static const struct vfio_device_ops vfio_pci_ops = {
	.name = "vfio-pci",
	.init = vfio_pci_core_init_dev,
	.release = vfio_pci_core_release_dev,
	.bind_iommufd = vfio_iommufd_physical_bind,
	.unbind_iommufd = vfio_iommufd_physical_unbind,
	.attach_ioas = vfio_iommufd_physical_attach_ioas,
	.detach_ioas = vfio_iommufd_physical_detach_ioas,
	.open_device = vfio_pci_open_device,
	.close_device = vfio_pci_core_close_device,
	.read = vfio_pci_core_read,
	.write = vfio_pci_core_write,
	.ioctl = vfio_pci_core_ioctl,
	.mmap = vfio_pci_core_mmap,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
	.pasid_attach_ioas = vfio_iommufd_physical_pasid_attach_ioas,
	.pasid_detach_ioas = vfio_iommufd_physical_pasid_detach_ioas,
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
	.match_token_uuid = vfio_pci_core_match_token_uuid,
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
	.get_region_info_caps = vfio_pci_ioctl_get_region_info,
#endif
	.device_feature = vfio_pci_core_ioctl_feature,
};

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
static const struct vfio_pci_device_ops vfio_pci_dmabuf_ops = {
	.get_dmabuf_phys = vfio_pci_core_get_dmabuf_phys,
};
#endif

static int vfio_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct vfio_pci_core_device *vdev;
	int ret;

	if (!disable_denylist && pci_match_id(denylist, pdev)) {
		pci_warn(pdev,
			 "on the denylist, as its user can harm the host: vfio-pci.disable_denylist=1 allows it\n");
		return -EINVAL;
	}

	vdev = vfio_alloc_device(vfio_pci_core_device, vdev, &pdev->dev,
				 &vfio_pci_ops);
	if (IS_ERR(vdev))
		return PTR_ERR(vdev);

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
	vdev->pci_ops = &vfio_pci_dmabuf_ops;
#endif
	dev_set_drvdata(&pdev->dev, vdev);
	ret = vfio_pci_core_register_device(vdev);
	if (ret)
		vfio_put_device(&vdev->vdev);
	return ret;
}

static void vfio_pci_remove(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *vdev = dev_get_drvdata(&pdev->dev);

	vfio_pci_core_unregister_device(vdev);
	vfio_put_device(&vdev->vdev);
}

static int vfio_pci_sriov_configure(struct pci_dev *pdev, int nr_virtfn)
{
	struct vfio_pci_core_device *vdev = dev_get_drvdata(&pdev->dev);

	if (!enable_sriov) {
		if (nr_virtfn)
			pci_info(pdev, "no VFs made: set the module parameter vfio-pci.enable_sriov=1 to allow them\n");
		return -ENOENT;
	}
	return vfio_pci_core_sriov_configure(vdev, nr_virtfn);
}

/* Any device, but only if its driver_override is vfio-pci */
static const struct pci_device_id vfio_pci_table[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_ANY_ID, PCI_ANY_ID) },
	{ }
};
MODULE_DEVICE_TABLE(pci, vfio_pci_table);

static struct pci_driver vfio_pci_driver = {
	.name = "vfio-pci",
	.id_table = vfio_pci_table,
	.probe = vfio_pci_probe,
	.remove = vfio_pci_remove,
	.sriov_configure = vfio_pci_sriov_configure,
	.err_handler = &vfio_pci_core_err_handlers,
	/* The IOMMU domain belongs to the user, not to the DMA API */
	.driver_managed_dma = true,
};

/* One element of ids=.  A wrong one does not keep the others out. */
static void __init add_id(const char *id)
{
	unsigned int vendor, device, subvendor = PCI_ANY_ID;
	unsigned int subdevice = PCI_ANY_ID, class = 0, class_mask = 0;
	int fields, ret;

	fields = sscanf(id, "%x:%x:%x:%x:%x:%x", &vendor, &device, &subvendor,
			&subdevice, &class, &class_mask);
	if (fields < 2) {
		pr_warn("vfio-pci: ids: \"%s\" is not vendor:device\n", id);
		return;
	}

	ret = pci_add_dynid(&vfio_pci_driver, vendor, device, subvendor,
			    subdevice, class, class_mask, 0);
	if (ret)
		pr_warn("vfio-pci: ids: \"%s\" not added (%d)\n", id, ret);
}

static void __init add_ids(void)
{
	char *id, *rest = ids;

	while ((id = strsep(&rest, ",")))
		if (*id)
			add_id(id);
}

static int __init vfio_pci_init(void)
{
	int ret;

	vfio_pci_core_set_params(nointxmask, disable_vga, disable_idle_d3);

	ret = pci_register_driver(&vfio_pci_driver);
	if (ret)
		return ret;
	add_ids();
	if (disable_denylist)
		pr_warn("vfio-pci: the denylist is off: users of some devices can harm the host\n");
	return 0;
}

static void __exit vfio_pci_exit(void)
{
	pci_unregister_driver(&vfio_pci_driver);
}

module_init(vfio_pci_init);
module_exit(vfio_pci_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("VFIO for any PCI function");
