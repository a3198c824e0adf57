// SPDX-License-Identifier: GPL-2.0-only
/*
 * BARs with traps for user space: region information says which pages can be
 * mapped, and mmap() that would bypass a trap is refused.  A device with traps
 * has no ioeventfds.
 */
#include <linux/export.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#include "../../put_info.h"
#include "private.h"

/* Says which pages of the BAR can be mapped: those without traps. */
static int add_areas(struct vfio_pci_migration *pci,
		     struct vfio_region_info *info, struct vfio_info_cap *caps)
{
	const struct vfio_pci_mig_driver *driver = vfio_pci_mig_driver(pci);
	struct vfio_region_info_cap_sparse_mmap *sparse;
	unsigned int count;
	int ret = 0;

	sparse = kzalloc(struct_size(sparse, areas, 2 * driver->nr_traps + 1),
			 GFP_KERNEL_ACCOUNT);
	if (!sparse)
		return -ENOMEM;
	count = vfio_pci_mig_areas(driver, info->index, info->size,
				   sparse->areas);
	if (count) {
		sparse->header.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP;
		sparse->header.version = 1;
		sparse->nr_areas = count;
		ret = vfio_info_add_capability(caps, &sparse->header,
					       struct_size(sparse, areas,
							   count));
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	}
	kfree(sparse);
	return ret;
}

/* Says that the pages with the MSI-X table can be mapped, too. */
static int add_msix(struct vfio_info_cap *caps)
{
	struct vfio_info_cap_header header = {
		.id = VFIO_REGION_INFO_CAP_MSIX_MAPPABLE,
		.version = 1,
	};

	return vfio_info_add_capability(caps, &header, sizeof(header));
}

static int add_caps(struct vfio_pci_migration *pci,
		    struct vfio_region_info *info, struct vfio_info_cap *caps)
{
	int ret;

	if (!pci->core.bar_mmap_supported[info->index])
		return 0;
	ret = add_areas(pci, info, caps);
	if (!ret && caps->size && pci->core.msix_bar == info->index)
		ret = add_msix(caps);
	return ret;
}

/* For a BAR with traps */
static int describe_bar(struct vfio_pci_migration *pci,
			struct vfio_region_info *info,
			struct vfio_info_cap *caps)
{
	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	info->offset = VFIO_PCI_INDEX_TO_OFFSET(info->index);
	info->size = pci_resource_len(pci->core.pdev, info->index);
	info->cap_offset = 0;
	return add_caps(pci, info, caps);
}

static long bar_info(struct vfio_pci_migration *pci,
		     struct vfio_region_info *info,
		     struct vfio_region_info __user *arg)
{
	struct vfio_info_cap caps = {};
	long ret;

	ret = describe_bar(pci, info, &caps);
	if (ret) {
		kfree(caps.buf);
		return ret;
	}
	return vfio_put_info(arg, info, sizeof(*info), &info->argsz,
			     &info->flags, VFIO_REGION_INFO_FLAG_CAPS,
			     &info->cap_offset, &caps);
}

static bool has_traps(struct vfio_pci_migration *pci, unsigned int bar)
{
	return vfio_pci_mig_trapped(vfio_pci_mig_driver(pci), bar, 0, U64_MAX);
}

static long get_region_info(struct vfio_pci_migration *pci, unsigned long arg)
{
	struct vfio_region_info __user *user = (void __user *)arg;
	struct vfio_region_info info;

	if (copy_from_user(&info, user, sizeof(info)))
		return -EFAULT;
	if (info.argsz < sizeof(info))
		return -EINVAL;
	/*
	 * vfio-pci-core reads the index again.  If the user has changed it, the
	 * user is told to map what mmap() will refuse.
	 */
	if (!has_traps(pci, info.index))
		return vfio_pci_core_ioctl(&pci->core.vdev,
					   VFIO_DEVICE_GET_REGION_INFO, arg);
	return bar_info(pci, &info, user);
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
/**
 * vfio_pci_mig_get_region_info - VFIO_DEVICE_GET_REGION_INFO, since Linux 6.19
 * @vdev: the function
 * @info: in: the index of the region; out: all other members
 * @caps: out: the capabilities of the region
 *
 * For vfio_device_ops.get_region_info_caps.
 *
 * Return: 0 or an error.
 */
int vfio_pci_mig_get_region_info(struct vfio_device *vdev,
				 struct vfio_region_info *info,
				 struct vfio_info_cap *caps)
{
	struct vfio_pci_migration *pci = vdev_to_vfio_pci_mig(vdev);

	if (has_traps(pci, info->index))
		return describe_bar(pci, info, caps);
	return vfio_pci_ioctl_get_region_info(vdev, info, caps);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_get_region_info);
#endif

/*
 * The write of an ioeventfd would bypass a trap.  To look at the user's
 * structure does not help: vfio-pci-core reads it again, and by then the user
 * may have changed the offset.
 */
static bool has_ioeventfds(struct vfio_pci_migration *pci)
{
	return !vfio_pci_mig_driver(pci)->nr_traps;
}

/**
 * vfio_pci_mig_ioctl - ioctl() of the device file
 * @vdev: the function
 * @cmd: VFIO_DEVICE_*
 * @arg: its argument
 *
 * For vfio_device_ops.ioctl.
 *
 * Return: the result of the ioctl; -ENOTTY for VFIO_DEVICE_IOEVENTFD if the
 * driver has traps.
 */
long vfio_pci_mig_ioctl(struct vfio_device *vdev, unsigned int cmd,
			unsigned long arg)
{
	struct vfio_pci_migration *pci = vdev_to_vfio_pci_mig(vdev);

	switch (cmd) {
	case VFIO_DEVICE_GET_REGION_INFO:
		return get_region_info(pci, arg);
	case VFIO_DEVICE_IOEVENTFD:
		if (!has_ioeventfds(pci))
			return -ENOTTY;
		break;
	}
	return vfio_pci_core_ioctl(vdev, cmd, arg);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_ioctl);

/**
 * vfio_pci_mig_mmap - mmap() of the device file
 * @vdev: the function
 * @vma: the mapping
 *
 * For vfio_device_ops.mmap.
 *
 * Return: 0, -EINVAL if the mapping has a trap in it and is not that of the
 * page of doorbells alone, or an error of vfio-pci-core.
 */
int vfio_pci_mig_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	struct vfio_pci_migration *pci = vdev_to_vfio_pci_mig(vdev);
	u64 pos = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 count = vma->vm_end - vma->vm_start, alike = count;
	const struct vfio_pci_mig_trap *trap;
	int ret;

	trap = vfio_pci_mig_trap_at(vfio_pci_mig_driver(pci),
				    VFIO_PCI_OFFSET_TO_INDEX(pos),
				    pos & VFIO_PCI_OFFSET_MASK, &alike);
	if (alike < count || (trap && !vfio_pci_mig_trap_maps(trap)))
		return -EINVAL;
	ret = vfio_pci_core_mmap(vdev, vma);
	if (!ret && trap)
		vfio_pci_mig_doorbells_mmap(pci, vma);
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_mmap);
