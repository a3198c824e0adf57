// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio_iommu_type1: the container backend for IOMMUs that map any IOVA to any
 * memory, a page at a time (x86, ARM).
 *
 * This file has the module, allocates and frees a container's state, copies the
 * arguments of ioctls from and to user space and checks their flags.  The other
 * files do the work, see private.h.
 */
#define pr_fmt(fmt) "vfio_iommu_type1: " fmt

#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "../put_info.h"
#include "private.h"

bool type1_allow_unsafe_interrupts;
module_param_named(allow_unsafe_interrupts, type1_allow_unsafe_interrupts,
		   bool, 0644);
MODULE_PARM_DESC(allow_unsafe_interrupts,
		 "Permit devices on machines without interrupt remapping, where they can raise any interrupt");

bool type1_disable_hugepages;
module_param_named(disable_hugepages, type1_disable_hugepages, bool, 0644);
MODULE_PARM_DESC(disable_hugepages,
		 "Never use large IOMMU pages");

static unsigned int dma_entry_limit = U16_MAX;
module_param(dma_entry_limit, uint, 0644);
MODULE_PARM_DESC(dma_entry_limit,
		 "Most mappings of a container (65535)");

/* Extensions that depend on the groups in the container */
static long check_state_extension(struct type1_iommu *iommu, unsigned long ext)
{
	long yes;

	if (!iommu)
		return 0;
	if (mutex_lock_killable(&iommu->lock))
		return -EINTR;
	if (ext == VFIO_UPDATE_VADDR)
		/* Drivers of emulated devices may use the vaddr at any time. */
		yes = list_empty(&iommu->emulated_groups);
	else
		yes = type1_all_coherent(iommu);
	mutex_unlock(&iommu->lock);
	return yes;
}

static long check_extension(struct type1_iommu *iommu, unsigned long ext)
{
	switch (ext) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return 1;
	case VFIO_UPDATE_VADDR:
	case VFIO_DMA_CC_IOMMU:
		return check_state_extension(iommu, ext);
	default:
		return 0;
	}
}

/*
 * Capabilities are filled in inside the chain, which is zeroed.  The padding of
 * structures on the stack would leak.
 */
static int add_migration_cap(struct type1_iommu *iommu,
			     struct vfio_info_cap *caps)
{
	struct vfio_iommu_type1_info_cap_migration *cap;
	struct vfio_info_cap_header *header;

	header = vfio_info_cap_add(caps, sizeof(*cap),
				   VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, 1);
	if (IS_ERR(header))
		return PTR_ERR(header);
	cap = container_of(header, typeof(*cap), header);
	cap->pgsize_bitmap = BIT(type1_pgshift(iommu));
	cap->max_dirty_bitmap_size = TYPE1_DIRTY_BITMAP_MAX;
	return 0;
}

static int add_dma_avail_cap(struct type1_iommu *iommu,
			     struct vfio_info_cap *caps)
{
	struct vfio_iommu_type1_info_dma_avail *cap;
	struct vfio_info_cap_header *header;

	header = vfio_info_cap_add(caps, sizeof(*cap),
				   VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1);
	if (IS_ERR(header))
		return PTR_ERR(header);
	cap = container_of(header, typeof(*cap), header);
	cap->avail = iommu->dma_avail;
	return 0;
}

static int add_iova_cap(struct type1_iommu *iommu, struct vfio_info_cap *caps)
{
	struct vfio_iommu_type1_info_cap_iova_range *cap;
	const struct type1_ranges *ranges = iommu->ranges;
	struct vfio_info_cap_header *header;

	if (!ranges)
		return 0;
	header = vfio_info_cap_add(caps, struct_size(cap, iova_ranges,
						     ranges->nr),
				   VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 1);
	if (IS_ERR(header))
		return PTR_ERR(header);
	cap = container_of(header, typeof(*cap), header);
	cap->nr_iovas = ranges->nr;
	memcpy(cap->iova_ranges, ranges->range,
	       flex_array_size(ranges, range, ranges->nr));
	return 0;
}

static long ioctl_get_info(struct type1_iommu *iommu, void __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_iommu_type1_info,
					 iova_pgsizes);
	struct vfio_iommu_type1_info info = {};
	struct vfio_info_cap caps = {};
	int ret;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;

	if (mutex_lock_killable(&iommu->lock))
		return -EINTR;
	info.flags = VFIO_IOMMU_INFO_PGSIZES;
	info.iova_pgsizes = iommu->pgsize_bitmap;
	ret = add_migration_cap(iommu, &caps);
	if (!ret)
		ret = add_dma_avail_cap(iommu, &caps);
	if (!ret)
		ret = add_iova_cap(iommu, &caps);
	mutex_unlock(&iommu->lock);
	if (ret) {
		kfree(caps.buf);
		return ret;
	}

	return vfio_put_info(arg, &info, sizeof(info), &info.argsz, &info.flags,
			     VFIO_IOMMU_INFO_CAPS, &info.cap_offset, &caps);
}

static long ioctl_map_dma(struct type1_iommu *iommu, void __user *arg)
{
	const u32 rw = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
	struct vfio_iommu_type1_dma_map map;
	int ret;

	if (copy_from_user(&map, arg, sizeof(map)))
		return -EFAULT;
	if (map.argsz < sizeof(map) ||
	    map.flags & ~(rw | VFIO_DMA_MAP_FLAG_VADDR) ||
	    !(map.flags & rw) == !(map.flags & VFIO_DMA_MAP_FLAG_VADDR))
		return -EINVAL;

	if (mutex_lock_killable(&iommu->lock))
		return -EINTR;
	if (map.flags & VFIO_DMA_MAP_FLAG_VADDR)
		ret = type1_update_vaddr(iommu, &map);
	else
		ret = type1_map(iommu, &map);
	mutex_unlock(&iommu->lock);
	return ret;
}

static bool range_is_aligned(struct type1_iommu *iommu, u64 iova, u64 size)
{
	return !((iova | size) & (BIT_ULL(type1_pgshift(iommu)) - 1));
}

static bool unmap_flags_valid(u32 flags)
{
	const u32 dirty = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
	const u32 other = VFIO_DMA_UNMAP_FLAG_ALL | VFIO_DMA_UNMAP_FLAG_VADDR;

	return !(flags & ~(dirty | other)) &&
	       !(flags & dirty && flags & other);
}

static long ioctl_unmap_dma(struct type1_iommu *iommu, void __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_iommu_type1_dma_unmap,
					 size);
	struct vfio_iommu_type1_dma_unmap unmap;
	struct vfio_bitmap bitmap;
	struct type1_unmap_req req = { .first = 0, .last = ULONG_MAX };
	bool all;
	int ret;

	if (copy_from_user(&unmap, arg, minsz))
		return -EFAULT;
	if (unmap.argsz < minsz || !unmap_flags_valid(unmap.flags))
		return -EINVAL;
	all = unmap.flags & VFIO_DMA_UNMAP_FLAG_ALL;
	req.vaddr_only = unmap.flags & VFIO_DMA_UNMAP_FLAG_VADDR;
	if (all) {
		if (unmap.iova || unmap.size)
			return -EINVAL;
	} else {
		ret = type1_check_range(unmap.iova, unmap.size, &req.first,
					&req.last);
		if (ret)
			return ret;
	}
	if (unmap.flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP) {
		if (unmap.argsz < minsz + sizeof(bitmap))
			return -EINVAL;
		if (copy_from_user(&bitmap, arg + minsz, sizeof(bitmap)))
			return -EFAULT;
		req.bitmap = &bitmap;
	}

	if (mutex_lock_killable(&iommu->lock))
		return -EINTR;
	if (!all && !range_is_aligned(iommu, unmap.iova, unmap.size))
		ret = -EINVAL;
	else
		ret = type1_unmap(iommu, &req, &unmap.size);
	mutex_unlock(&iommu->lock);
	if (ret)
		return ret;
	return copy_to_user(arg, &unmap, minsz) ? -EFAULT : 0;
}

static int get_dirty_bitmap(struct type1_iommu *iommu,
			    const struct vfio_iommu_type1_dirty_bitmap_get *get)
{
	unsigned long first, last;
	int ret;

	ret = type1_check_range(get->iova, get->size, &first, &last);
	if (ret)
		return ret;
	ret = type1_check_bitmap(iommu, first, last, &get->bitmap);
	if (ret)
		return ret;
	ret = type1_check_no_bisect(iommu, first, last);
	if (ret)
		return ret;
	return type1_dirty_report(iommu, first, last, &get->bitmap);
}

static long ioctl_dirty_pages(struct type1_iommu *iommu, void __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_iommu_type1_dirty_bitmap,
					 flags);
	struct vfio_iommu_type1_dirty_bitmap_get get;
	struct vfio_iommu_type1_dirty_bitmap dirty;
	int ret = 0;

	if (!iommu->v2)
		return -EACCES;
	if (copy_from_user(&dirty, arg, minsz))
		return -EFAULT;
	if (dirty.argsz < minsz)
		return -EINVAL;
	switch (dirty.flags) {
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_START:
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP:
		break;
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP:
		if (dirty.argsz < minsz + sizeof(get))
			return -EINVAL;
		if (copy_from_user(&get, arg + minsz, sizeof(get)))
			return -EFAULT;
		break;
	default:
		return -EINVAL;
	}

	if (mutex_lock_killable(&iommu->lock))
		return -EINTR;
	if (dirty.flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_START)
		iommu->dirty_tracking = true;
	else if (dirty.flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP)
		type1_dirty_stop(iommu);
	else
		ret = get_dirty_bitmap(iommu, &get);
	mutex_unlock(&iommu->lock);
	return ret;
}

static long type1_ioctl(void *iommu_data, unsigned int cmd, unsigned long arg)
{
	struct type1_iommu *iommu = iommu_data;
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case VFIO_CHECK_EXTENSION:
		return check_extension(iommu, arg);
	case VFIO_IOMMU_GET_INFO:
		return ioctl_get_info(iommu, uarg);
	case VFIO_IOMMU_MAP_DMA:
		return ioctl_map_dma(iommu, uarg);
	case VFIO_IOMMU_UNMAP_DMA:
		return ioctl_unmap_dma(iommu, uarg);
	case VFIO_IOMMU_DIRTY_PAGES:
		return ioctl_dirty_pages(iommu, uarg);
	default:
		return -ENOTTY;
	}
}

static int type1_attach_group(void *iommu_data, struct iommu_group *iommu_group,
			      enum vfio_group_type type)
{
	struct type1_iommu *iommu = iommu_data;
	int ret = -EINVAL;

	if (mutex_lock_killable(&iommu->lock))
		return -EINTR;
	if (type1_find_domain(iommu, iommu_group) ||
	    type1_find_group(&iommu->emulated_groups, iommu_group))
		goto out_unlock;
	if (type == VFIO_IOMMU)
		ret = type1_attach_physical(iommu, iommu_group);
	else if (type == VFIO_EMULATED_IOMMU)
		ret = type1_attach_emulated(iommu, iommu_group);
out_unlock:
	mutex_unlock(&iommu->lock);
	return ret;
}

static void type1_detach_group(void *iommu_data,
			       struct iommu_group *iommu_group)
{
	struct type1_iommu *iommu = iommu_data;

	mutex_lock(&iommu->lock);
	if (!type1_detach_physical(iommu, iommu_group))
		type1_detach_emulated(iommu, iommu_group);
	type1_drop_pins(iommu);
	if (list_empty(&iommu->domains) &&
	    list_empty(&iommu->emulated_groups))
		type1_destroy_mappings(iommu);
	mutex_unlock(&iommu->lock);
}

static void *type1_open(unsigned long type)
{
	struct type1_iommu *iommu;

	if (type != VFIO_TYPE1_IOMMU && type != VFIO_TYPE1v2_IOMMU)
		return ERR_PTR(-EINVAL);

	iommu = kzalloc(sizeof(*iommu), GFP_KERNEL_ACCOUNT);
	if (!iommu)
		return ERR_PTR(-ENOMEM);
	iommu->batch = kmalloc_array(TYPE1_BATCH, sizeof(*iommu->batch),
				     GFP_KERNEL_ACCOUNT);
	if (!iommu->batch) {
		kfree(iommu);
		return ERR_PTR(-ENOMEM);
	}
	iommu->v2 = type != VFIO_TYPE1_IOMMU;
	iommu->mappings = RB_ROOT_CACHED;
	iommu->pgsize_bitmap = PAGE_MASK;
	iommu->dma_avail = dma_entry_limit;
	INIT_LIST_HEAD(&iommu->domains);
	INIT_LIST_HEAD(&iommu->emulated_groups);
	INIT_LIST_HEAD(&iommu->devices);
	mutex_init(&iommu->lock);
	mutex_init(&iommu->devices_lock);
	return iommu;
}

static void type1_release(void *iommu_data)
{
	struct type1_iommu *iommu = iommu_data;

	/* All mappings are gone since the last group has left. */
	mutex_destroy(&iommu->devices_lock);
	mutex_destroy(&iommu->lock);
	kfree(iommu->ranges);
	kfree(iommu->batch);
	kfree(iommu);
}

static const struct vfio_iommu_driver_ops type1_ops = {
	.name = "vfio-iommu-type1",
	.owner = THIS_MODULE,
	.open = type1_open,
	.release = type1_release,
	.ioctl = type1_ioctl,
	.attach_group = type1_attach_group,
	.detach_group = type1_detach_group,
	.pin_pages = type1_pin_pages,
	.unpin_pages = type1_unpin_pages,
	.register_device = type1_register_device,
	.unregister_device = type1_unregister_device,
	.dma_rw = type1_dma_rw,
};

static int __init type1_init(void)
{
	return vfio_register_iommu_driver(&type1_ops);
}
module_init(type1_init);

static void __exit type1_exit(void)
{
	vfio_unregister_iommu_driver(&type1_ops);
}
module_exit(type1_exit);

MODULE_DESCRIPTION("VFIO container backend for Type1 IOMMUs");
MODULE_LICENSE("GPL");
