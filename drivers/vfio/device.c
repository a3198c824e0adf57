// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of a vfio_device: allocation, registration, the wait for its users at
 * unregistration, open counts, and the device sets in which devices share a
 * reset scope.  Reaches the interfaces by which users open a device (group.c,
 * cdev.c) only through vfio_interfaces.
 *
 * dev_sets_lock protects the table of sets and vfio_device_set.device_count;
 * dev_set->lock the members of a set and their open counts.
 */
#include <linux/cdev.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/idr.h>
#include <linux/iommu.h>
#include <linux/kdev_t.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "private.h"

/* Time between calls of ops->request while a device is being unregistered */
#define VFIO_REQUEST_INTERVAL	(10 * HZ)

static DEFINE_IDA(vfio_device_ida);

static DEFINE_MUTEX(dev_sets_lock);
static DEFINE_XARRAY(dev_sets);		/* set_id -> struct vfio_device_set */

/* Find or create the set, and count one more member. */
static struct vfio_device_set *vfio_get_device_set(void *set_id)
{
	unsigned long key = (unsigned long)set_id;
	struct vfio_device_set *dev_set;
	int ret;

	mutex_lock(&dev_sets_lock);
	dev_set = xa_load(&dev_sets, key);
	if (dev_set)
		goto count;

	dev_set = kzalloc(sizeof(*dev_set), GFP_KERNEL);
	if (!dev_set) {
		dev_set = ERR_PTR(-ENOMEM);
		goto unlock;
	}
	dev_set->set_id = set_id;
	mutex_init(&dev_set->lock);
	INIT_LIST_HEAD(&dev_set->device_list);

	ret = xa_err(xa_store(&dev_sets, key, dev_set, GFP_KERNEL));
	if (ret) {
		mutex_destroy(&dev_set->lock);
		kfree(dev_set);
		dev_set = ERR_PTR(ret);
		goto unlock;
	}
count:
	dev_set->device_count++;
unlock:
	mutex_unlock(&dev_sets_lock);
	return dev_set;
}

static void vfio_put_device_set(struct vfio_device_set *dev_set)
{
	mutex_lock(&dev_sets_lock);
	if (!--dev_set->device_count) {
		xa_erase(&dev_sets, (unsigned long)dev_set->set_id);
		mutex_destroy(&dev_set->lock);
		kfree(dev_set);
	}
	mutex_unlock(&dev_sets_lock);
}

static void vfio_leave_device_set(struct vfio_device *device)
{
	struct vfio_device_set *dev_set = device->dev_set;

	if (!dev_set)
		return;

	mutex_lock(&dev_set->lock);
	list_del(&device->dev_set_list);
	mutex_unlock(&dev_set->lock);
	device->dev_set = NULL;
	vfio_put_device_set(dev_set);
}

/**
 * vfio_assign_device_set - put a device into a reset scope
 * @device: the device, not registered yet
 * @set_id: any pointer that is the same for all devices of the scope and for
 *	no other device, e.g. the PCI slot or bus that is reset as a whole
 *
 * If the driver does not call this, registration gives the device a set of its
 * own.
 *
 * Return: 0 or a negative errno.
 */
int vfio_assign_device_set(struct vfio_device *device, void *set_id)
{
	struct vfio_device_set *dev_set;

	if (WARN_ON(!set_id))
		return -EINVAL;

	dev_set = vfio_get_device_set(set_id);
	if (IS_ERR(dev_set))
		return PTR_ERR(dev_set);

	vfio_leave_device_set(device);
	mutex_lock(&dev_set->lock);
	device->dev_set = dev_set;
	list_add_tail(&device->dev_set_list, &dev_set->device_list);
	mutex_unlock(&dev_set->lock);
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_assign_device_set);

/**
 * vfio_device_set_open_count - count the open files of a reset scope
 * @dev_set: the set; the caller holds its lock
 *
 * During open_device and close_device the file that is being opened or closed
 * counts as open.
 *
 * Return: open files of all devices in the set.
 */
unsigned int vfio_device_set_open_count(struct vfio_device_set *dev_set)
{
	struct vfio_device *member;
	unsigned int count = 0;

	lockdep_assert_held(&dev_set->lock);
	list_for_each_entry(member, &dev_set->device_list, dev_set_list)
		count += member->open_count;
	return count;
}
EXPORT_SYMBOL_GPL(vfio_device_set_open_count);

/**
 * vfio_find_device_in_devset - find the member that drives a device
 * @dev_set: the set; the caller holds its lock
 * @dev: parent device
 *
 * Return: the member whose parent is @dev, or NULL.
 */
struct vfio_device *
vfio_find_device_in_devset(struct vfio_device_set *dev_set,
			   struct device *dev)
{
	struct vfio_device *member;

	lockdep_assert_held(&dev_set->lock);
	list_for_each_entry(member, &dev_set->device_list, dev_set_list)
		if (member->dev == dev)
			return member;
	return NULL;
}
EXPORT_SYMBOL_GPL(vfio_find_device_in_devset);

/* Last reference to the embedded device dropped */
static void vfio_device_release(struct device *dev)
{
	struct vfio_device *device =
		container_of(dev, struct vfio_device, device);

	vfio_leave_device_set(device);
	if (device->ops->release)
		device->ops->release(device);
	vfio_put_inode(device->inode);
	ida_free(&vfio_device_ida, device->index);
	kvfree(vfio_device_private(device));
}

static int vfio_device_init(struct vfio_device *device, struct device *dev,
			    const struct vfio_device_ops *ops)
{
	int ret;

	ret = ida_alloc_max(&vfio_device_ida, MINORMASK, GFP_KERNEL);
	if (ret < 0)
		return ret;
	device->index = ret;
	device->dev = dev;
	device->ops = ops;
	vfio_dma_logging_init(device);
	vfio_opener_init(vfio_device_opener(device));

	device->inode = vfio_get_inode();
	if (IS_ERR(device->inode)) {
		ret = PTR_ERR(device->inode);
		goto err_index;
	}

	if (ops->init) {
		ret = ops->init(device);
		if (ret)
			goto err_inode;
	}

	device_initialize(&device->device);
	device->device.release = vfio_device_release;
	device->device.class = vfio_device_class;
	device->device.parent = dev;
	return 0;

err_inode:
	vfio_put_inode(device->inode);
err_index:
	/* ops->init may have assigned a set before it failed. */
	vfio_leave_device_set(device);
	ida_free(&vfio_device_ida, device->index);
	return ret;
}

/**
 * _vfio_alloc_device - vfio_alloc_device() for a structure of @size bytes
 * @size: of the driver's structure, with its struct vfio_device at the start
 * @dev: the parent device
 * @ops: callbacks
 *
 * Return: the device, or an ERR_PTR().  Freed by the last vfio_put_device().
 */
struct vfio_device *_vfio_alloc_device(size_t size, struct device *dev,
				       const struct vfio_device_ops *ops)
{
	const size_t offset = offsetof(struct vfio_device_private, device);
	struct vfio_device_private *private;
	int ret;

	if (WARN_ON(size < sizeof(struct vfio_device)))
		return ERR_PTR(-EINVAL);

	private = kvzalloc(size_add(offset, size), GFP_KERNEL);
	if (!private)
		return ERR_PTR(-ENOMEM);

	ret = vfio_device_init(&private->device, dev, ops);
	if (ret) {
		kvfree(private);
		return ERR_PTR(ret);
	}
	return &private->device;
}
EXPORT_SYMBOL_GPL(_vfio_alloc_device);

/* Refuse, with a message, a device that would fail only when it is used. */
static int vfio_device_check(struct vfio_device *device,
			     enum vfio_group_type type)
{
	const struct vfio_device_ops *ops = device->ops;
	const struct vfio_log_ops *log = device->log_ops;
	struct device *dev = device->dev;

	if (IS_ENABLED(CONFIG_IOMMUFD) &&
	    !(ops->bind_iommufd && ops->unbind_iommufd &&
	      ops->attach_ioas && ops->detach_ioas)) {
		dev_err(dev, "vfio: driver %s lacks an iommufd operation\n",
			ops->name);
		return -EINVAL;
	}

	if (log && !(log->log_start && log->log_stop &&
		     log->log_read_and_clear)) {
		dev_err(dev, "vfio: driver %s lacks a DMA logging operation\n",
			ops->name);
		return -EINVAL;
	}

	/* User space cannot flush the CPU's caches, so DMA must be coherent. */
	if (type == VFIO_IOMMU &&
	    !device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY)) {
		dev_err(dev,
			"vfio: no IOMMU with cache-coherent DMA; enable the IOMMU (firmware setup, intel_iommu=on)\n");
		return -EINVAL;
	}

	return vfio_migration_check(device);
}

static void vfio_device_leave(struct vfio_device *device)
{
	const struct vfio_interface *const *i;

	for (i = vfio_interfaces; *i; i++)
		if ((*i)->leave)
			(*i)->leave(device);
}

static int vfio_device_join(struct vfio_device *device,
			    enum vfio_group_type type)
{
	const struct vfio_interface *const *i;
	int ret;

	for (i = vfio_interfaces; *i; i++) {
		ret = (*i)->join(device, type);
		if (ret)
			goto err_leave;
	}
	return 0;

err_leave:
	while (i != vfio_interfaces) {
		i--;
		if ((*i)->leave)
			(*i)->leave(device);
	}
	return ret;
}

static void vfio_device_publish(struct vfio_device *device)
{
	const struct vfio_interface *const *i;

	for (i = vfio_interfaces; *i; i++)
		if ((*i)->publish)
			(*i)->publish(device);
}

static void vfio_device_hide(struct vfio_device *device)
{
	const struct vfio_interface *const *i;

	for (i = vfio_interfaces; *i; i++)
		if ((*i)->hide)
			(*i)->hide(device);
}

/* NULL if devices have no nodes; their device number is 0 then. */
static struct cdev *vfio_device_cdev(struct vfio_device *device)
{
#if IS_ENABLED(CONFIG_VFIO_DEVICE_CDEV)
	return &device->cdev;
#else
	return NULL;
#endif
}

static int vfio_device_register(struct vfio_device *device,
				enum vfio_group_type type)
{
	int ret;

	ret = vfio_device_check(device, type);
	if (ret)
		return ret;

	if (!device->dev_set) {
		ret = vfio_assign_device_set(device, device);
		if (ret)
			return ret;
	}

	ret = dev_set_name(&device->device, "vfio%u", device->index);
	if (ret)
		return ret;

	ret = vfio_device_join(device, type);
	if (ret)
		return ret;

	init_completion(&device->comp);
	refcount_set(&device->refcount, 1);
	vfio_debugfs_add(device);
	/* Users may open the device's node from now on, if it has one. */
	ret = cdev_device_add(vfio_device_cdev(device), &device->device);
	if (ret)
		goto err_debugfs;

	vfio_device_publish(device);
	return 0;

err_debugfs:
	vfio_debugfs_remove(device);
	vfio_device_leave(device);
	return ret;
}

/**
 * vfio_register_group_dev - make a device that does DMA available to user space
 * @device: the device; mig_ops, log_ops and migration_flags are set if it has
 *	them
 *
 * The device must be behind an IOMMU that confines it.  Users may open it from
 * now on.
 *
 * Return: 0 or a negative errno; -EINVAL, and a message says why, if the device
 * cannot be registered.
 */
int vfio_register_group_dev(struct vfio_device *device)
{
	return vfio_device_register(device, VFIO_IOMMU);
}
EXPORT_SYMBOL_GPL(vfio_register_group_dev);

/**
 * vfio_register_emulated_iommu_dev - make a device that does no DMA available
 * @device: the device, whose driver accesses user memory only through
 *	vfio_pin_pages() and vfio_dma_rw()
 *
 * The device gets an IOMMU group of its own.
 *
 * Return: as vfio_register_group_dev().
 */
int vfio_register_emulated_iommu_dev(struct vfio_device *device)
{
	return vfio_device_register(device, VFIO_EMULATED_IOMMU);
}
EXPORT_SYMBOL_GPL(vfio_register_emulated_iommu_dev);

/**
 * vfio_device_try_get_registration - keep a device registered
 * @device: the device
 *
 * Return: true, and vfio_unregister_group_dev() waits until the caller calls
 * vfio_device_put_registration(); false if the last reference has been put.
 */
bool vfio_device_try_get_registration(struct vfio_device *device)
{
	return refcount_inc_not_zero(&device->refcount);
}
EXPORT_SYMBOL_GPL(vfio_device_try_get_registration);

/**
 * vfio_device_put_registration - undo vfio_device_try_get_registration()
 * @device: the device, which may be freed as soon as this returns
 */
void vfio_device_put_registration(struct vfio_device *device)
{
	if (refcount_dec_and_test(&device->refcount))
		complete(&device->comp);
}
EXPORT_SYMBOL_GPL(vfio_device_put_registration);

static void vfio_device_say_in_use(struct vfio_device *device)
{
	char opener[VFIO_OPENER_NAME];

	dev_warn(device->dev,
		 "vfio: still in use, opened last by %s; %s (%d) waits until all of its files are closed and unmapped\n",
		 vfio_opener_name(vfio_device_opener(device), opener),
		 current->comm, task_pid_nr(current));
}

/*
 * Drop the registration's own reference and wait until the device is closed.
 * Unregistration cannot fail, so a signal does not end the wait.  After a
 * signal or a long time, log which process opened the device.
 */
static void vfio_device_wait_unused(struct vfio_device *device)
{
	struct completion *comp = &device->comp;
	bool interrupted = false;
	unsigned int asked = 0;
	long left;

	vfio_device_put_registration(device);
	left = try_wait_for_completion(comp);
	while (left <= 0) {
		if (device->ops->request)
			device->ops->request(device, asked);

		if (interrupted)
			left = wait_for_completion_timeout(comp,
							   VFIO_REQUEST_INTERVAL);
		else
			left = wait_for_completion_interruptible_timeout(comp,
									 VFIO_REQUEST_INTERVAL);
		if (left < 0 || (!left && !asked))
			vfio_device_say_in_use(device);
		interrupted |= left < 0;
		asked++;
	}
}

/**
 * vfio_unregister_group_dev - withdraw a device from user space
 * @device: the device
 *
 * The device cannot be opened any more.  If it is open, ops->request is called
 * repeatedly until it is closed.
 */
void vfio_unregister_group_dev(struct vfio_device *device)
{
	vfio_device_hide(device);
	cdev_device_del(vfio_device_cdev(device), &device->device);
	vfio_device_wait_unused(device);
	vfio_debugfs_remove(device);
	/*
	 * References may keep the device after its parent is gone, so resets
	 * of the other devices in the set must not find it.
	 */
	vfio_leave_device_set(device);
	vfio_device_leave(device);
}
EXPORT_SYMBOL_GPL(vfio_unregister_group_dev);

static struct module *vfio_device_owner(struct vfio_device *device)
{
	return device->dev->driver ? device->dev->driver->owner : NULL;
}

/* Fails if the driver is being unloaded. */
static int vfio_device_first_open(struct vfio_device *device,
				  const struct vfio_address_space *space)
{
	int ret;

	if (!try_module_get(vfio_device_owner(device)))
		return -ENODEV;

	ret = vfio_address_space_open(device, space);
	if (ret)
		goto err_module;
	if (device->ops->open_device)
		ret = device->ops->open_device(device);
	if (ret)
		goto err_space;
	return 0;

err_space:
	vfio_address_space_close(device);
err_module:
	module_put(vfio_device_owner(device));
	return ret;
}

static void vfio_device_last_close(struct vfio_device *device)
{
	vfio_dma_logging_close(device);
	vfio_migration_set_precopy_info_v2(device, false);
	if (device->ops->close_device)
		device->ops->close_device(device);
	vfio_address_space_close(device);
	module_put(vfio_device_owner(device));
}

int vfio_device_open(struct vfio_device *device,
		     const struct vfio_address_space *space)
{
	int ret = 0;

	lockdep_assert_held(&device->dev_set->lock);
	if (++device->open_count == 1)
		ret = vfio_device_first_open(device, space);
	if (ret)
		device->open_count--;
	else
		vfio_opener_set(vfio_device_opener(device));
	return ret;
}

void vfio_device_close(struct vfio_device *device)
{
	lockdep_assert_held(&device->dev_set->lock);
	if (device->open_count == 1)
		vfio_device_last_close(device);
	device->open_count--;
}
