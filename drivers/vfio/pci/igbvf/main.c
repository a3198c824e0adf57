// SPDX-License-Identifier: GPL-2.0-only
/*
 * igbvf-vfio-pci: VFIO for the virtual function of the Intel 82576, with live
 * migration.  This file is the glue: binding, open and close, resets, and what
 * user space is told of BAR0.  The rest of what a VFIO PCI device does is
 * vfio-pci-core's.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "igbvf.h"

#define DRIVER_NAME	"igbvf-vfio-pci"

static int igbvf_open_device(struct vfio_device *vdev)
{
	struct igbvf_device *vf = to_igbvf(vdev);
	int ret;

	ret = vfio_pci_core_enable(&vf->core);
	if (ret)
		return ret;
	ret = vfio_pci_core_setup_barmap(&vf->core, VFIO_PCI_BAR0_REGION_INDEX);
	if (ret)
		goto err_disable;

	mutex_lock(&vf->mig.lock);
	vf->regs = vf->core.barmap[VFIO_PCI_BAR0_REGION_INDEX];
	vf->pf_asked = false;
	memset(&vf->image, 0, sizeof(vf->image));
	memset(&vf->incoming, 0, sizeof(vf->incoming));
	memset(vf->stats_offset, 0, sizeof(vf->stats_offset));
	mutex_unlock(&vf->mig.lock);
	vfio_pci_core_finish_enable(&vf->core);
	return 0;

err_disable:
	vfio_pci_core_disable(&vf->core);
	return ret;
}

static void igbvf_close_device(struct vfio_device *vdev)
{
	vfio_mig_close(&to_igbvf(vdev)->mig);
	vfio_pci_core_close_device(vdev);
}

/* BAR0 can be mapped but for page 0. */
static int add_sparse_mmap(struct vfio_info_cap *caps)
{
	struct vfio_region_info_cap_sparse_mmap *sparse;
	size_t size = struct_size(sparse, areas, 1);
	int ret;

	sparse = kzalloc(size, GFP_KERNEL);
	if (!sparse)
		return -ENOMEM;
	sparse->header.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP;
	sparse->header.version = 1;
	sparse->nr_areas = 1;
	sparse->areas[0].offset = IGBVF_TRAPPED;
	sparse->areas[0].size = IGBVF_BAR_SIZE - IGBVF_TRAPPED;
	ret = vfio_info_add_capability(caps, &sparse->header, size);
	kfree(sparse);
	return ret;
}

static long bar0_info(struct vfio_region_info *info,
		      struct vfio_region_info __user *arg)
{
	struct vfio_info_cap caps = {};
	long ret = 0;

	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	info->offset = VFIO_PCI_INDEX_TO_OFFSET(info->index);
	info->size = IGBVF_BAR_SIZE;
	info->cap_offset = 0;
	if (IGBVF_TRAPPED < IGBVF_BAR_SIZE) {
		ret = add_sparse_mmap(&caps);
		if (ret)
			return ret;
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP |
			       VFIO_REGION_INFO_FLAG_CAPS;
	}
	if (info->argsz < sizeof(*info) + caps.size) {
		info->argsz = sizeof(*info) + caps.size;
	} else if (caps.size) {
		vfio_info_cap_shift(&caps, sizeof(*info));
		info->cap_offset = sizeof(*info);
		if (copy_to_user(arg + 1, caps.buf, caps.size))
			ret = -EFAULT;
	}
	kfree(caps.buf);
	if (!ret && copy_to_user(arg, info, sizeof(*info)))
		ret = -EFAULT;
	return ret;
}

static long igbvf_region_info(struct vfio_device *vdev, unsigned long arg)
{
	struct vfio_region_info __user *user = (void __user *)arg;
	struct vfio_region_info info;

	if (copy_from_user(&info, user, sizeof(info)))
		return -EFAULT;
	if (info.argsz < sizeof(info))
		return -EINVAL;
	if (info.index != VFIO_PCI_BAR0_REGION_INDEX)
		return vfio_pci_core_ioctl(vdev, VFIO_DEVICE_GET_REGION_INFO,
					   arg);
	return bar0_info(&info, user);
}

/* An eventfd that writes to page 0 would go past the driver. */
static long igbvf_ioeventfd(struct vfio_device *vdev, unsigned long arg)
{
	struct vfio_device_ioeventfd info;

	if (copy_from_user(&info, (void __user *)arg,
			   offsetofend(struct vfio_device_ioeventfd, fd)))
		return -EFAULT;
	if (info.offset < IGBVF_TRAPPED)
		return -EINVAL;
	return vfio_pci_core_ioctl(vdev, VFIO_DEVICE_IOEVENTFD, arg);
}

static long igbvf_ioctl(struct vfio_device *vdev, unsigned int cmd,
			unsigned long arg)
{
	switch (cmd) {
	case VFIO_DEVICE_GET_REGION_INFO:
		return igbvf_region_info(vdev, arg);
	case VFIO_DEVICE_IOEVENTFD:
		return igbvf_ioeventfd(vdev, arg);
	default:
		return vfio_pci_core_ioctl(vdev, cmd, arg);
	}
}

static int igbvf_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	if ((u64)vma->vm_pgoff << PAGE_SHIFT < IGBVF_TRAPPED)
		return -EINVAL;
	return vfio_pci_core_mmap(vdev, vma);
}

static int igbvf_init_dev(struct vfio_device *vdev)
{
	struct igbvf_device *vf = to_igbvf(vdev);
	struct pci_dev *pdev = to_pci_dev(vdev->dev);
	int vectors = pci_msix_vec_count(pdev);
	int ret;

	/* Migration relies on both; no 82576 VF is without. */
	if (!pdev->is_virtfn || vectors < 0 ||
	    pci_resource_len(pdev, 0) < IGBVF_BAR_SIZE) {
		pci_err(pdev, "is no virtual function of an 82576\n");
		return -ENODEV;
	}
	vf->self = (struct igbvf_identity) {
		.pci_id = pdev->device << 16 | pdev->vendor,
		.bar_size = IGBVF_BAR_SIZE,
		.queues = IGBVF_QUEUES,
		.vectors = vectors,
	};
	ret = vfio_mig_init(&vf->mig, vdev, &vf->core.memory_lock,
			    &igbvf_migration);
	return ret ?: vfio_pci_core_init_dev(vdev);
}

static void igbvf_release_dev(struct vfio_device *vdev)
{
	vfio_mig_release(&to_igbvf(vdev)->mig);
	vfio_pci_core_release_dev(vdev);
}

static const struct vfio_device_ops igbvf_ops = {
	.name = DRIVER_NAME,
	.init = igbvf_init_dev,
	.release = igbvf_release_dev,
	.open_device = igbvf_open_device,
	.close_device = igbvf_close_device,
	.ioctl = igbvf_ioctl,
	.device_feature = vfio_pci_core_ioctl_feature,
	.read = igbvf_region_read,
	.write = igbvf_region_write,
	.mmap = igbvf_mmap,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
	.bind_iommufd = vfio_iommufd_physical_bind,
	.unbind_iommufd = vfio_iommufd_physical_unbind,
	.attach_ioas = vfio_iommufd_physical_attach_ioas,
	.detach_ioas = vfio_iommufd_physical_detach_ioas,
};

static int igbvf_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct igbvf_device *vf;
	int ret;

	vf = vfio_alloc_device(igbvf_device, core.vdev, &pdev->dev, &igbvf_ops);
	if (IS_ERR(vf))
		return PTR_ERR(vf);
	dev_set_drvdata(&pdev->dev, &vf->core);
	ret = vfio_pci_core_register_device(&vf->core);
	if (ret)
		vfio_put_device(&vf->core.vdev);
	return ret;
}

static void igbvf_remove(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	vfio_pci_core_unregister_device(core);
	vfio_put_device(&core->vdev);
}

static struct igbvf_device *pdev_to_igbvf(struct pci_dev *pdev)
{
	return to_igbvf(&((struct vfio_pci_core_device *)
			  dev_get_drvdata(&pdev->dev))->vdev);
}

static void igbvf_reset_prepare(struct pci_dev *pdev)
{
	vfio_mig_reset_prepare(&pdev_to_igbvf(pdev)->mig);
}

static void igbvf_reset_done(struct pci_dev *pdev)
{
	vfio_mig_reset_done(&pdev_to_igbvf(pdev)->mig);
}

static pci_ers_result_t igbvf_error_detected(struct pci_dev *pdev,
					     pci_channel_state_t channel)
{
	/* A frozen link is reset, and the VF with it. */
	if (channel == pci_channel_io_frozen) {
		igbvf_reset_prepare(pdev);
		igbvf_reset_done(pdev);
	}
	return vfio_pci_core_aer_err_detected(pdev, channel);
}

static const struct pci_error_handlers igbvf_err_handlers = {
	.reset_prepare = igbvf_reset_prepare,
	.reset_done = igbvf_reset_done,
	.error_detected = igbvf_error_detected,
};

static const struct pci_device_id igbvf_table[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_INTEL,
					  PCI_DEVICE_ID_INTEL_82576_VF) },
	{}
};
MODULE_DEVICE_TABLE(pci, igbvf_table);

static struct pci_driver igbvf_driver = {
	.name = DRIVER_NAME,
	.id_table = igbvf_table,
	.probe = igbvf_probe,
	.remove = igbvf_remove,
	.err_handler = &igbvf_err_handlers,
	.driver_managed_dma = true,
};
module_pci_driver(igbvf_driver);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("VFIO with live migration for virtual functions of the Intel 82576");
