// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resets: of the function (VFIO_DEVICE_RESET), and of the slot or bus that it
 * is on (hot reset), which also resets the other functions there.
 *
 * The functions that a hot reset affects form a device set of vfio.ko.  A hot
 * reset holds the lock of the set.  It needs every function on the slot or bus
 * to be in the set, and all of them to belong to the caller, or none to be
 * open.
 *
 * During any reset, for each function that it affects: igate is held and INTx
 * masked, as PCI_COMMAND is saved and restored; memory_lock is held for write
 * and mappings are zapped.
 */
#include <linux/file.h>
#include <linux/iommu.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "private.h"

/*
 * Go to D0 first: the reset would do that by itself, but without restoring the
 * state that the device lost in D3hot.  Caller holds igate, and memory_lock for
 * write.
 */
static void reset_begin(struct vfio_pci_core_device *vdev)
{
	vfio_pci_set_power_state_locked(vdev, PCI_D0);
	vfio_pci_msix_decoding_begin(vdev);
}

/* @done: the function was reset, so no interrupt is pending any more. */
static void reset_end(struct vfio_pci_core_device *vdev, bool done)
{
	if (done)
		vfio_pci_msi_reset_done(vdev);
	vfio_pci_msix_decoding_end(vdev);
	vfio_pci_unlock_memory(vdev);
}

/*
 * Whether a reset of the function may be a reset of its bus, which the PCI core
 * does only if the function is alone there.  If not, the bridge is not locked:
 * functions of one bus can be opened and reset at the same time.
 */
static bool reset_needs_bridge(struct pci_dev *pdev)
{
	return !pdev->is_virtfn && pci_upstream_bridge(pdev) &&
	       list_is_singular(&pdev->bus->devices);
}

bool vfio_pci_bridge_trylock(struct pci_dev *pdev, struct pci_dev **bridge)
{
	*bridge = reset_needs_bridge(pdev) ? pci_upstream_bridge(pdev) : NULL;
	return !*bridge || pci_dev_trylock(*bridge);
}

void vfio_pci_bridge_unlock(struct pci_dev *bridge)
{
	if (bridge)
		pci_dev_unlock(bridge);
}

int vfio_pci_try_reset(struct pci_dev *pdev)
{
	struct pci_dev *bridge;
	int ret;

	if (!vfio_pci_bridge_trylock(pdev, &bridge))
		return -EAGAIN;
	ret = pci_try_reset_function(pdev);
	vfio_pci_bridge_unlock(bridge);
	return ret;
}

int vfio_pci_reset_function(struct vfio_pci_core_device *vdev)
{
	int ret;

	mutex_lock(&vdev->igate);
	vfio_pci_intx_mask(vdev);
	vfio_pci_zap_and_lock_memory(vdev);
	reset_begin(vdev);

	ret = vfio_pci_try_reset(vdev->pdev);

	reset_end(vdev, !ret);
	vfio_pci_intx_unmask(vdev);
	mutex_unlock(&vdev->igate);
	return ret;
}

int vfio_pci_ioctl_reset(struct vfio_pci_core_device *vdev, void __user *arg)
{
	int ret;

	if (!vdev->reset_works)
		return -EINVAL;

	ret = vfio_pci_reset_function(vdev);
	/* -EAGAIN: another task holds the device; the user may try again. */
	if (ret && ret != -EAGAIN)
		pci_notice_ratelimited(vdev->pdev,
				       "the reset failed (%d): if it does so again, close the device, then remove and rescan it\n",
				       ret);
	return ret;
}

/* ---- Walks over the functions that a reset of the slot or bus affects ---- */

struct reset_walk {
	int (*fn)(struct pci_dev *pdev, void *data);
	void *data;
	struct pci_bus *bus;
	struct pci_slot *slot;	/* only functions below this, or NULL for all */
	int ret;
};

/* The slot of @bus that @pdev is in or below */
static struct pci_slot *slot_on_bus(struct pci_dev *pdev, struct pci_bus *bus)
{
	pdev = pci_physfn(pdev);
	while (pdev && pdev->bus != bus)
		pdev = pdev->bus->self;
	return pdev ? pdev->slot : NULL;
}

static int reset_walk_one(struct pci_dev *pdev, void *data)
{
	struct reset_walk *walk = data;

	if (walk->slot && slot_on_bus(pdev, walk->bus) != walk->slot)
		return 0;
	walk->ret = walk->fn(pdev, walk->data);
	return walk->ret;
}

static bool can_reset_slot(struct pci_dev *pdev)
{
	return !pci_probe_reset_slot(pdev->slot);
}

static bool can_reset_slot_or_bus(struct pci_dev *pdev)
{
	return can_reset_slot(pdev) || !pci_probe_reset_bus(pdev->bus);
}

/*
 * Call @fn for each function that pci_reset_bus(@pdev) would affect.  Stops at
 * the first error and returns it.
 */
static int walk_affected(struct pci_dev *pdev,
			 int (*fn)(struct pci_dev *pdev, void *data),
			 void *data)
{
	struct reset_walk walk = {
		.fn = fn,
		.data = data,
		.bus = pdev->bus,
		.slot = can_reset_slot(pdev) ? pdev->slot : NULL,
	};

	pci_walk_bus(pdev->bus, reset_walk_one, &walk);
	return walk.ret;
}

static int count_one(struct pci_dev *pdev, void *data)
{
	unsigned int *count = data;

	(*count)++;
	return 0;
}

/* ---- The device set ---- */

int vfio_pci_reset_assign_set(struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev;

	/*
	 * A set of its own: a root bus cannot be reset, and a VF's user cannot
	 * reset the VF's bus, which is the PF's or has no bridge.  So VFs can
	 * be opened and closed at the same time.
	 */
	if (pci_is_root_bus(pdev->bus) || pdev->is_virtfn)
		return vfio_assign_device_set(&vdev->vdev, vdev);
	/* The reset of a slot affects no other slot. */
	if (can_reset_slot(pdev))
		return vfio_assign_device_set(&vdev->vdev, pdev->slot);
	return vfio_assign_device_set(&vdev->vdev, pdev->bus);
}

static int check_in_set(struct pci_dev *pdev, void *data)
{
	struct vfio_device_set *dev_set = data;

	return vfio_find_device_in_devset(dev_set, &pdev->dev) ? 0 : -ENODEV;
}

/*
 * A function through which the slot or bus can be reset.  NULL if it cannot be
 * reset, or if a function there is not in the set: it has another driver, or
 * none.
 */
static struct pci_dev *dev_set_resettable(struct vfio_device_set *dev_set)
{
	struct vfio_pci_core_device *vdev;
	struct pci_dev *pdev;

	lockdep_assert_held(&dev_set->lock);
	if (list_empty(&dev_set->device_list))
		return NULL;

	vdev = list_first_entry(&dev_set->device_list,
				struct vfio_pci_core_device,
				vdev.dev_set_list);
	pdev = vdev->pdev;
	if (!can_reset_slot_or_bus(pdev))
		return NULL;
	if (walk_affected(pdev, check_in_set, dev_set))
		return NULL;
	return pdev;
}

static void dev_set_put_awake(struct vfio_device_set *dev_set,
			      struct vfio_device *stop)
{
	struct vfio_device *cur;

	list_for_each_entry(cur, &dev_set->device_list, dev_set_list) {
		if (cur == stop)
			break;
		pm_runtime_put(cur->dev);
	}
}

/* Wake all functions of the set and keep them awake. */
static int dev_set_get_awake(struct vfio_device_set *dev_set)
{
	struct vfio_device *cur;
	int ret;

	list_for_each_entry(cur, &dev_set->device_list, dev_set_list) {
		ret = pm_runtime_resume_and_get(cur->dev);
		if (ret < 0) {
			dev_set_put_awake(dev_set, cur);
			return ret;
		}
	}
	return 0;
}

/*
 * Take igate and memory_lock of all functions of the set.  dev_set->lock is
 * held, so that only one task at a time takes several of them.
 */
static void dev_set_lock_all(struct vfio_device_set *dev_set)
{
	struct vfio_device *cur;

	list_for_each_entry(cur, &dev_set->device_list, dev_set_list) {
		struct vfio_pci_core_device *vdev = to_core(cur);

		mutex_lock_nest_lock(&vdev->igate, &dev_set->lock);
		vfio_pci_intx_mask(vdev);
	}
	list_for_each_entry(cur, &dev_set->device_list, dev_set_list) {
		struct vfio_pci_core_device *vdev = to_core(cur);

		down_write_nest_lock(&vdev->memory_lock, &dev_set->lock);
		vfio_pci_zap_bars(vdev);
		reset_begin(vdev);
	}
}

static void dev_set_unlock_all(struct vfio_device_set *dev_set, bool done)
{
	struct vfio_device *cur;

	list_for_each_entry(cur, &dev_set->device_list, dev_set_list)
		reset_end(to_core(cur), done);
	list_for_each_entry(cur, &dev_set->device_list, dev_set_list) {
		struct vfio_pci_core_device *vdev = to_core(cur);

		vfio_pci_intx_unmask(vdev);
		mutex_unlock(&vdev->igate);
	}
}

static int dev_set_reset(struct vfio_device_set *dev_set)
{
	struct pci_dev *pdev = dev_set_resettable(dev_set);
	struct vfio_device *cur;
	int ret;

	if (!pdev)
		return -EINVAL;

	ret = dev_set_get_awake(dev_set);
	if (ret)
		return ret;

	dev_set_lock_all(dev_set);
	ret = pci_reset_bus(pdev);
	if (!ret)
		list_for_each_entry(cur, &dev_set->device_list, dev_set_list)
			to_core(cur)->needs_reset = false;
	dev_set_unlock_all(dev_set, !ret);

	dev_set_put_awake(dev_set, NULL);
	return ret;
}

static bool dev_set_needs_reset(struct vfio_device_set *dev_set)
{
	struct vfio_device *cur;

	list_for_each_entry(cur, &dev_set->device_list, dev_set_list)
		if (to_core(cur)->needs_reset)
			return true;
	return false;
}

void vfio_pci_reset_unused_set(struct vfio_device_set *dev_set)
{
	lockdep_assert_held(&dev_set->lock);

	/* The device that is being closed still counts as open. */
	if (vfio_device_set_open_count(dev_set) <= 1 &&
	    dev_set_needs_reset(dev_set))
		dev_set_reset(dev_set);
}

/* ---- VFIO_DEVICE_GET_PCI_HOT_RESET_INFO ---- */

struct info_fill {
	struct vfio_device *asking;
	struct iommufd_ctx *iommufd;	/* of @asking; NULL: report groups */
	struct vfio_pci_dependent_device *devices;
	unsigned int room;
	unsigned int count;
	bool owned;	/* @iommufd owns all so far */
};

/* Caller holds dev_set->lock. */
static s32 devid_of(struct pci_dev *pdev, struct info_fill *fill)
{
	struct vfio_device *device;
	int id = -ENODEV;

	device = vfio_find_device_in_devset(fill->asking->dev_set, &pdev->dev);
	if (device)
		id = vfio_iommufd_get_dev_id(device, fill->iommufd);
	if (id > 0)
		return id;
	if (id == -ENOENT)
		return VFIO_PCI_DEVID_OWNED;
	fill->owned = false;
	return VFIO_PCI_DEVID_NOT_OWNED;
}

/* Functions beyond the user's array are only counted. */
static int info_fill_one(struct pci_dev *pdev, void *data)
{
	struct info_fill *fill = data;
	struct vfio_pci_dependent_device *info;
	struct iommu_group *group;

	if (fill->count++ >= fill->room)
		return 0;

	/* A function without a group cannot belong to a user: no reset. */
	group = iommu_group_get(&pdev->dev);
	if (!group)
		return -EPERM;

	info = &fill->devices[fill->count - 1];
	if (fill->iommufd)
		info->devid = devid_of(pdev, fill);
	else
		info->group_id = iommu_group_id(group);
	info->segment = pci_domain_nr(pdev->bus);
	info->bus = pdev->bus->number;
	info->devfn = pdev->devfn;
	iommu_group_put(group);
	return 0;
}

/* Reports device IDs if the device was opened by its cdev, else groups. */
static int info_fill(struct vfio_pci_core_device *vdev, struct info_fill *fill)
{
	struct vfio_device_set *dev_set = vdev->vdev.dev_set;

	guard(mutex)(&dev_set->lock);
	if (vfio_device_cdev_opened(&vdev->vdev)) {
		fill->iommufd = vfio_iommufd_device_ictx(&vdev->vdev);
		fill->owned = true;
	}
	return walk_affected(vdev->pdev, info_fill_one, fill);
}

static u32 info_flags(const struct info_fill *fill)
{
	if (!fill->iommufd)
		return 0;
	return VFIO_PCI_HOT_RESET_FLAG_DEV_ID |
	       (fill->owned ? VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED : 0);
}

int vfio_pci_ioctl_hot_reset_info(struct vfio_pci_core_device *vdev,
				  void __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_pci_hot_reset_info, count);
	struct vfio_pci_hot_reset_info hdr;
	struct info_fill fill = { .asking = &vdev->vdev };
	unsigned int affected = 0;
	int ret;

	if (copy_from_user(&hdr, arg, minsz))
		return -EFAULT;
	if (hdr.argsz < minsz)
		return -EINVAL;

	if (!can_reset_slot_or_bus(vdev->pdev))
		return -ENODEV;

	walk_affected(vdev->pdev, count_one, &affected);
	fill.room = min_t(size_t, affected,
			  (hdr.argsz - minsz) / sizeof(*fill.devices));
	fill.devices = kcalloc(max(fill.room, 1u), sizeof(*fill.devices),
			       GFP_KERNEL_ACCOUNT);
	if (!fill.devices)
		return -ENOMEM;

	/* Functions may have been added since: the second count holds. */
	ret = info_fill(vdev, &fill);
	if (ret)
		goto out_free;

	hdr.flags = info_flags(&fill);
	hdr.count = fill.count;
	if (copy_to_user(arg, &hdr, minsz)) {
		ret = -EFAULT;
		goto out_free;
	}
	if (fill.count > fill.room)
		ret = -ENOSPC;
	else if (copy_to_user(arg + minsz, fill.devices,
			      fill.count * sizeof(*fill.devices)))
		ret = -EFAULT;

out_free:
	kfree(fill.devices);
	return ret;
}

/* ---- VFIO_DEVICE_PCI_HOT_RESET ---- */

struct group_files {
	struct file **files;
	unsigned int count;
};

static void group_files_put(struct group_files *groups)
{
	while (groups->count)
		fput(groups->files[--groups->count]);
	kfree(groups->files);
}

/* Take references on the group files that prove the ownership of groups. */
static int group_files_get(struct group_files *groups, s32 __user *ufds,
			   unsigned int count)
{
	s32 *fds;
	int ret = 0;

	fds = memdup_array_user(ufds, count, sizeof(*fds));
	if (IS_ERR(fds))
		return PTR_ERR(fds);

	groups->files = kcalloc(count, sizeof(*groups->files),
				GFP_KERNEL_ACCOUNT);
	if (!groups->files) {
		ret = -ENOMEM;
		goto out_free;
	}

	while (groups->count < count) {
		struct file *file = fget(fds[groups->count]);

		if (!file) {
			ret = -EBADF;
			break;
		}
		groups->files[groups->count++] = file;
		if (!vfio_file_is_group(file)) {
			ret = -EINVAL;
			break;
		}
	}
	if (ret)
		group_files_put(groups);
out_free:
	kfree(fds);
	return ret;
}

static bool group_files_have(const struct group_files *groups,
			     struct vfio_device *device)
{
	unsigned int i;

	for (i = 0; i < groups->count; i++)
		if (vfio_file_has_dev(groups->files[i], device))
			return true;
	return false;
}

static int hot_reset_with_groups(struct vfio_device_set *dev_set,
				 const struct group_files *groups)
{
	struct vfio_device *cur;

	guard(mutex)(&dev_set->lock);
	list_for_each_entry(cur, &dev_set->device_list, dev_set_list)
		if (!group_files_have(groups, cur))
			return -EINVAL;
	return dev_set_reset(dev_set);
}

/*
 * The iommufd is the proof of ownership: each function is bound to it, or is
 * one that no other user can open.
 */
static int hot_reset_with_iommufd(struct vfio_pci_core_device *vdev)
{
	struct vfio_device_set *dev_set = vdev->vdev.dev_set;
	struct iommufd_ctx *ictx;
	struct vfio_device *cur;
	int id;

	guard(mutex)(&dev_set->lock);
	ictx = vfio_iommufd_device_ictx(&vdev->vdev);
	if (!ictx)
		return -EINVAL;
	list_for_each_entry(cur, &dev_set->device_list, dev_set_list) {
		id = vfio_iommufd_get_dev_id(cur, ictx);
		if (id <= 0 && id != -ENOENT)
			return -EINVAL;
	}
	return dev_set_reset(dev_set);
}

int vfio_pci_ioctl_hot_reset(struct vfio_pci_core_device *vdev,
			     void __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_pci_hot_reset, count);
	struct group_files groups = {};
	struct vfio_pci_hot_reset hdr;
	unsigned int affected = 0;
	int ret;

	if (copy_from_user(&hdr, arg, minsz))
		return -EFAULT;
	if (hdr.argsz < minsz || hdr.flags)
		return -EINVAL;

	if (!can_reset_slot_or_bus(vdev->pdev))
		return -ENODEV;
	if (vfio_device_cdev_opened(&vdev->vdev))
		return hdr.count ? -EINVAL : hot_reset_with_iommufd(vdev);

	/* The number of functions bounds the array of groups. */
	walk_affected(vdev->pdev, count_one, &affected);
	if (!hdr.count || hdr.count > affected)
		return -EINVAL;

	ret = group_files_get(&groups, arg + minsz, hdr.count);
	if (ret)
		return ret;

	ret = hot_reset_with_groups(vdev->vdev.dev_set, &groups);
	group_files_put(&groups);
	return ret;
}
