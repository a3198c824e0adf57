// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls that describe a device: GET_INFO, GET_REGION_INFO, GET_IRQ_INFO.
 * They only report what the files for regions and interrupts know.
 */
#include <linux/ioport.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "../put_info.h"
#include "private.h"

/* Whether @port, of a switch, forwards AtomicOps upstream */
static bool atomics_pass(struct pci_dev *port)
{
	u32 cap;
	u16 ctl;

	if (pcie_capability_read_dword(port, PCI_EXP_DEVCAP2, &cap) ||
	    !(cap & PCI_EXP_DEVCAP2_ATOMIC_ROUTE))
		return false;
	if (pci_pcie_type(port) != PCI_EXP_TYPE_UPSTREAM)
		return true;
	return !pcie_capability_read_word(port, PCI_EXP_DEVCTL2, &ctl) &&
	       !(ctl & PCI_EXP_DEVCTL2_ATOMIC_EGRESS_BLOCK);
}

/*
 * The PCI_EXP_DEVCAP2_ATOMIC_COMP* bits of the device's root port, if all ports
 * on the way forward AtomicOps.  pci_enable_atomic_ops_to_root() finds them,
 * too, but would also enable AtomicOps in the device, which is up to the user.
 */
static u32 root_port_completions(struct pci_dev *pdev)
{
	const u32 sizes = PCI_EXP_DEVCAP2_ATOMIC_COMP32 |
			  PCI_EXP_DEVCAP2_ATOMIC_COMP64 |
			  PCI_EXP_DEVCAP2_ATOMIC_COMP128;
	struct pci_dev *port;
	u32 cap;

	/* Integrated into the root complex: no port is on the way. */
	if (pci_is_pcie(pdev) && pci_pcie_type(pdev) == PCI_EXP_TYPE_RC_END)
		return sizes;

	for (port = pci_upstream_bridge(pdev); port;
	     port = pci_upstream_bridge(port)) {
		if (!pci_is_pcie(port))
			return 0;
		switch (pci_pcie_type(port)) {
		case PCI_EXP_TYPE_ROOT_PORT:
			if (pcie_capability_read_dword(port, PCI_EXP_DEVCAP2,
						       &cap))
				return 0;
			return cap & sizes;
		case PCI_EXP_TYPE_UPSTREAM:
		case PCI_EXP_TYPE_DOWNSTREAM:
			if (atomics_pass(port))
				break;
			return 0;
		default:
			return 0;
		}
	}
	return 0;
}

u32 vfio_pci_atomic_completions(struct pci_dev *pdev)
{
	u32 flags = 0, sizes;
	u16 devctl2;

	/* The PF's driver decides for its VFs, by the PF's enable bit. */
	if (pdev->is_virtfn) {
		pdev = pci_physfn(pdev);
		if (pcie_capability_read_word(pdev, PCI_EXP_DEVCTL2, &devctl2) ||
		    !(devctl2 & PCI_EXP_DEVCTL2_ATOMIC_REQ))
			return 0;
	}

	sizes = root_port_completions(pdev);
	if (sizes & PCI_EXP_DEVCAP2_ATOMIC_COMP32)
		flags |= VFIO_PCI_ATOMIC_COMP32;
	if (sizes & PCI_EXP_DEVCAP2_ATOMIC_COMP64)
		flags |= VFIO_PCI_ATOMIC_COMP64;
	if (sizes & PCI_EXP_DEVCAP2_ATOMIC_COMP128)
		flags |= VFIO_PCI_ATOMIC_COMP128;
	return flags;
}

static int add_atomic_cap(struct vfio_pci_core_device *vdev,
			  struct vfio_info_cap *caps)
{
	struct vfio_device_info_cap_pci_atomic_comp cap = {
		.header.id = VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP,
		.header.version = 1,
		.flags = vfio_pci_atomic_completions(vdev->pdev),
	};

	if (!cap.flags)
		return 0;
	return vfio_info_add_capability(caps, &cap.header, sizeof(cap));
}

int vfio_pci_ioctl_device_info(struct vfio_pci_core_device *vdev,
			       void __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_device_info, num_irqs);
	struct vfio_device_info info = {};
	struct vfio_info_cap caps = {};
	int ret;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;

	info.flags = VFIO_DEVICE_FLAGS_PCI;
	if (vdev->reset_works)
		info.flags |= VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = VFIO_PCI_NUM_REGIONS + vdev->num_regions;
	info.num_irqs = VFIO_PCI_NUM_IRQS;

	ret = add_atomic_cap(vdev, &caps);
	if (ret) {
		kfree(caps.buf);
		return ret;
	}
	return vfio_put_info(arg, &info, sizeof(info), &info.argsz, &info.flags,
			     VFIO_DEVICE_FLAGS_CAPS, &info.cap_offset, &caps);
}

static int add_msix_mappable_cap(struct vfio_info_cap *caps)
{
	struct vfio_info_cap_header cap = {
		.id = VFIO_REGION_INFO_CAP_MSIX_MAPPABLE,
		.version = 1,
	};

	return vfio_info_add_capability(caps, &cap, sizeof(cap));
}

static int bar_info(struct vfio_pci_core_device *vdev,
		    struct vfio_region_info *info, struct vfio_info_cap *caps)
{
	info->size = pci_resource_len(vdev->pdev, info->index);
	if (!info->size)
		return 0;

	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	if (!vdev->bar_mmap_supported[info->index])
		return 0;

	info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	if (info->index == vdev->msix_bar)
		return add_msix_mappable_cap(caps);
	return 0;
}

static int dev_region_info(struct vfio_pci_core_device *vdev,
			   struct vfio_region_info *info,
			   struct vfio_info_cap *caps)
{
	struct vfio_region_info_cap_type type = {
		.header.id = VFIO_REGION_INFO_CAP_TYPE,
		.header.version = 1,
	};
	struct vfio_pci_region *region;
	int ret;

	region = vfio_pci_region_get(vdev, info->index);
	if (!region)
		return -EINVAL;

	info->size = region->size;
	info->flags = region->flags;
	type.type = region->type;
	type.subtype = region->subtype;

	ret = vfio_info_add_capability(caps, &type.header, sizeof(type));
	if (ret || !region->ops->add_capability)
		return ret;
	return region->ops->add_capability(vdev, region, caps);
}

/**
 * vfio_pci_ioctl_get_region_info - the get_region_info_caps callback of a
 *	vfio-pci driver
 * @core_vdev: the device, kept awake by the caller
 * @info: in: the index of the region; out: all other members
 * @caps: out: the capabilities of the region
 *
 * Return: 0, -EINVAL if there is no such region, or -ENOMEM.
 */
int vfio_pci_ioctl_get_region_info(struct vfio_device *core_vdev,
				   struct vfio_region_info *info,
				   struct vfio_info_cap *caps)
{
	struct vfio_pci_core_device *vdev = to_core(core_vdev);

	info->flags = 0;
	info->cap_offset = 0;
	info->size = 0;
	info->offset = VFIO_PCI_INDEX_TO_OFFSET(info->index);

	switch (info->index) {
	case VFIO_PCI_CONFIG_REGION_INDEX:
		info->size = vdev->pdev->cfg_size;
		info->flags = VFIO_REGION_INFO_FLAG_READ |
			      VFIO_REGION_INFO_FLAG_WRITE;
		return 0;
	case VFIO_PCI_BAR0_REGION_INDEX ... VFIO_PCI_BAR5_REGION_INDEX:
		return bar_info(vdev, info, caps);
	case VFIO_PCI_ROM_REGION_INDEX:
		info->size = vfio_pci_rom_size(vdev);
		if (info->size)
			info->flags = VFIO_REGION_INFO_FLAG_READ;
		return 0;
	case VFIO_PCI_VGA_REGION_INDEX:
		return -EINVAL;
	default:
		return dev_region_info(vdev, info, caps);
	}
}
EXPORT_SYMBOL_GPL(vfio_pci_ioctl_get_region_info);

int vfio_pci_ioctl_region_info(struct vfio_pci_core_device *vdev,
			       void __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_region_info, offset);
	struct vfio_info_cap caps = {};
	struct vfio_region_info info;
	int ret;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;

	ret = vfio_pci_ioctl_get_region_info(&vdev->vdev, &info, &caps);
	if (ret) {
		kfree(caps.buf);
		return ret;
	}

	if (!caps.size)
		return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
	return vfio_put_info(arg, &info, sizeof(info), &info.argsz, &info.flags,
			     VFIO_REGION_INFO_FLAG_CAPS, &info.cap_offset,
			     &caps);
}

int vfio_pci_ioctl_irq_info(struct vfio_pci_core_device *vdev,
			    void __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_irq_info, count);
	struct vfio_irq_info info;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz || info.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;

	/* Conventional PCI does not report errors to the function's driver. */
	if (info.index == VFIO_PCI_ERR_IRQ_INDEX && !pci_is_pcie(vdev->pdev))
		return -EINVAL;

	info.count = vfio_pci_irq_count(vdev, info.index);
	info.flags = vfio_pci_irq_flags(vdev, info.index);
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}
