// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vfio/vfio: a container is the I/O address space of the groups in it.
 * This file finds the IOMMU backend that user space asks for and hands it the
 * groups and the ioctls.  The backend has the mappings; group.c claims the DMA
 * of the groups.
 *
 * container->lock protects the members and the backend: held for write while
 * either changes, for read over an ioctl of the backend.  backends_lock
 * protects the list of registered backends.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "private.h"

/**
 * struct vfio_container - an open /dev/vfio/vfio
 * @kref: one reference for the file, one for each member
 * @lock: protects the rest
 * @members: the groups in it, struct vfio_container_member
 * @ops: the backend, with a reference to its module, or NULL
 * @iommu_data: the backend's context
 */
struct vfio_container {
	struct kref kref;
	struct rw_semaphore lock;
	struct list_head members;
	const struct vfio_iommu_driver_ops *ops;
	void *iommu_data;
};

struct vfio_backend {
	struct list_head next;
	const struct vfio_iommu_driver_ops *ops;
};

/* A container has no name, so messages name the task that uses it. */
#define container_notice(fmt, ...) \
	pr_notice_ratelimited("vfio: %s (%d): " fmt, current->comm, \
			      task_pid_nr(current), ##__VA_ARGS__)

static DEFINE_MUTEX(backends_lock);
static LIST_HEAD(backends);

/*
 * The container calls some operations without checking that they exist, and
 * needs others to undo what it has done.
 */
static bool vfio_backend_is_complete(const struct vfio_iommu_driver_ops *ops)
{
	return ops->open && ops->release && ops->ioctl && ops->attach_group &&
	       ops->detach_group && !ops->pin_pages == !ops->unpin_pages &&
	       !ops->register_device == !ops->unregister_device;
}

/**
 * vfio_register_iommu_driver - offer an IOMMU backend to containers
 * @ops: the backend; stays valid until it is unregistered
 *
 * Return: 0 or a negative errno.  -EINVAL if @ops is registered already; if it
 * lacks open, release, ioctl, attach_group or detach_group; or if it has only
 * one of pin_pages and unpin_pages, or of register_device and
 * unregister_device.
 */
int vfio_register_iommu_driver(const struct vfio_iommu_driver_ops *ops)
{
	struct vfio_backend *backend, *other;

	if (!vfio_backend_is_complete(ops)) {
		pr_err("vfio: IOMMU backend %s lacks an operation\n",
		       ops->name);
		return -EINVAL;
	}

	backend = kzalloc(sizeof(*backend), GFP_KERNEL);
	if (!backend)
		return -ENOMEM;
	backend->ops = ops;

	mutex_lock(&backends_lock);
	list_for_each_entry(other, &backends, next) {
		if (other->ops == ops) {
			mutex_unlock(&backends_lock);
			kfree(backend);
			return -EINVAL;
		}
	}
	list_add(&backend->next, &backends);
	mutex_unlock(&backends_lock);
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_register_iommu_driver);

/**
 * vfio_unregister_iommu_driver - withdraw an IOMMU backend
 * @ops: the backend.  No container uses it, since containers hold a reference
 *	to its module
 */
void vfio_unregister_iommu_driver(const struct vfio_iommu_driver_ops *ops)
{
	struct vfio_backend *backend;

	mutex_lock(&backends_lock);
	list_for_each_entry(backend, &backends, next) {
		if (backend->ops == ops) {
			list_del(&backend->next);
			kfree(backend);
			break;
		}
	}
	mutex_unlock(&backends_lock);
}
EXPORT_SYMBOL_GPL(vfio_unregister_iommu_driver);

/* VFIO_CHECK_EXTENSION of a backend that has no context yet */
static long vfio_backend_check_extension(const struct vfio_backend *backend,
					 unsigned long arg)
{
	return backend->ops->ioctl(NULL, VFIO_CHECK_EXTENSION, arg);
}

static int vfio_container_attach_all(struct vfio_container *container,
				     const struct vfio_iommu_driver_ops *ops,
				     void *iommu_data)
{
	struct vfio_container_member *member;
	int ret;

	list_for_each_entry(member, &container->members, next) {
		ret = ops->attach_group(iommu_data, member->iommu_group,
					member->type);
		if (ret)
			goto err_detach;
	}
	return 0;

err_detach:
	list_for_each_entry_continue_reverse(member, &container->members, next)
		ops->detach_group(iommu_data, member->iommu_group);
	return ret;
}

/* Caller holds container->lock for write; the backend's module is held. */
static int vfio_container_start(struct vfio_container *container,
				const struct vfio_iommu_driver_ops *ops,
				unsigned long type)
{
	void *iommu_data;
	int ret;

	iommu_data = ops->open(type);
	if (IS_ERR(iommu_data))
		return PTR_ERR(iommu_data);

	ret = vfio_container_attach_all(container, ops, iommu_data);
	if (ret) {
		ops->release(iommu_data);
		return ret;
	}
	container->ops = ops;
	container->iommu_data = iommu_data;
	return 0;
}

/* Caller holds container->lock for write; the last member has left. */
static void vfio_container_stop(struct vfio_container *container)
{
	const struct vfio_iommu_driver_ops *ops = container->ops;

	ops->release(container->iommu_data);
	container->ops = NULL;
	container->iommu_data = NULL;
	module_put(ops->owner);
}

static long vfio_container_ioctl_check_extension(struct vfio_container *container,
						 unsigned long arg)
{
	struct vfio_backend *backend;
	long ret = 0;

	if (down_read_killable(&container->lock))
		return -EINTR;
	if (container->ops) {
		ret = container->ops->ioctl(container->iommu_data,
					    VFIO_CHECK_EXTENSION, arg);
		goto unlock;
	}

	/* No backend is chosen yet: does any of them have the extension? */
	mutex_lock(&backends_lock);
	list_for_each_entry(backend, &backends, next) {
		ret = vfio_backend_check_extension(backend, arg);
		if (ret > 0)
			break;
	}
	mutex_unlock(&backends_lock);
unlock:
	up_read(&container->lock);
	return ret;
}

/* Uses the first backend that has the type and accepts all members. */
static long vfio_container_ioctl_set_iommu(struct vfio_container *container,
					   unsigned long type)
{
	bool none, known = false;
	struct vfio_backend *backend;
	long ret = -ENODEV;

	if (down_write_killable(&container->lock))
		return -EINTR;
	if (container->ops || list_empty(&container->members)) {
		if (container->ops)
			container_notice("VFIO_SET_IOMMU: the container has its IOMMU already\n");
		else
			container_notice("VFIO_SET_IOMMU before VFIO_GROUP_SET_CONTAINER: no group is in the container\n");
		up_write(&container->lock);
		return -EINVAL;
	}

	mutex_lock(&backends_lock);
	none = list_empty(&backends);
	list_for_each_entry(backend, &backends, next) {
		if (!try_module_get(backend->ops->owner))
			continue;
		if (vfio_backend_check_extension(backend, type) > 0) {
			known = true;
			ret = vfio_container_start(container, backend->ops,
						   type);
			if (!ret)
				break;
		}
		module_put(backend->ops->owner);
	}
	mutex_unlock(&backends_lock);
	up_write(&container->lock);

	if (none)
		container_notice("no IOMMU backend is loaded: modprobe vfio_iommu_type1\n");
	else if (!known)
		container_notice("VFIO_SET_IOMMU: no loaded IOMMU backend has type %lu\n",
				 type);
	return ret;
}

static long vfio_container_ioctl_backend(struct vfio_container *container,
					 unsigned int cmd, unsigned long arg)
{
	long ret = -EINVAL;

	if (down_read_killable(&container->lock))
		return -EINTR;
	if (container->ops)
		ret = container->ops->ioctl(container->iommu_data, cmd, arg);
	else
		container_notice("ioctl %#x of a container before VFIO_SET_IOMMU\n",
				 cmd);
	up_read(&container->lock);
	return ret;
}

static long vfio_container_fops_ioctl(struct file *file, unsigned int cmd,
				      unsigned long arg)
{
	struct vfio_container *container = file->private_data;

	switch (cmd) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return vfio_container_ioctl_check_extension(container, arg);
	case VFIO_SET_IOMMU:
		return vfio_container_ioctl_set_iommu(container, arg);
	default:
		return vfio_container_ioctl_backend(container, cmd, arg);
	}
}

static int vfio_container_fops_open(struct inode *inode, struct file *file)
{
	struct vfio_container *container;

	container = kzalloc(sizeof(*container), GFP_KERNEL_ACCOUNT);
	if (!container)
		return -ENOMEM;

	kref_init(&container->kref);
	init_rwsem(&container->lock);
	INIT_LIST_HEAD(&container->members);
	file->private_data = container;
	return 0;
}

static void vfio_container_free(struct kref *kref)
{
	kfree(container_of(kref, struct vfio_container, kref));
}

static int vfio_container_fops_release(struct inode *inode, struct file *file)
{
	struct vfio_container *container = file->private_data;

	kref_put(&container->kref, vfio_container_free);
	return 0;
}

static const struct file_operations vfio_container_fops = {
	.owner		= THIS_MODULE,
	.open		= vfio_container_fops_open,
	.release	= vfio_container_fops_release,
	.unlocked_ioctl	= vfio_container_fops_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

struct vfio_container *vfio_container_from_file(struct file *file)
{
	return file->f_op == &vfio_container_fops ? file->private_data : NULL;
}

int vfio_container_attach(struct vfio_container *container,
			  struct vfio_container_member *member)
{
	int ret = 0;

	if (down_write_killable(&container->lock))
		return -EINTR;
	if (container->ops)
		ret = container->ops->attach_group(container->iommu_data,
						   member->iommu_group,
						   member->type);
	if (!ret) {
		list_add(&member->next, &container->members);
		kref_get(&container->kref);
	}
	up_write(&container->lock);
	return ret;
}

void vfio_container_detach(struct vfio_container *container,
			   struct vfio_container_member *member)
{
	down_write(&container->lock);
	if (container->ops)
		container->ops->detach_group(container->iommu_data,
					     member->iommu_group);
	list_del(&member->next);
	if (container->ops && list_empty(&container->members))
		vfio_container_stop(container);
	up_write(&container->lock);
	kref_put(&container->kref, vfio_container_free);
}

bool vfio_container_has_backend(struct vfio_container *container)
{
	bool has;

	down_read(&container->lock);
	has = container->ops;
	up_read(&container->lock);
	return has;
}

/*
 * The address space of a device that was opened through a member: so there is a
 * backend, and it stays.
 */

static int container_space_open(struct vfio_device *device)
{
	struct vfio_container *container = vfio_device_space(device)->container;

	if (device->ops->dma_unmap && container->ops->register_device)
		container->ops->register_device(container->iommu_data, device);
	return 0;
}

static void container_space_close(struct vfio_device *device)
{
	struct vfio_container *container = vfio_device_space(device)->container;

	if (device->ops->dma_unmap && container->ops->unregister_device)
		container->ops->unregister_device(container->iommu_data,
						  device);
}

static int container_space_pin_pages(struct vfio_device *device,
				     dma_addr_t iova, int npage, int prot,
				     struct page **pages)
{
	const struct vfio_address_space *space = vfio_device_space(device);
	struct vfio_container *container = space->container;

	if (!container->ops->pin_pages)
		return -EOPNOTSUPP;
	return container->ops->pin_pages(container->iommu_data,
					 space->iommu_group, iova, npage, prot,
					 pages);
}

static void container_space_unpin_pages(struct vfio_device *device,
					dma_addr_t iova, int npage)
{
	struct vfio_container *container = vfio_device_space(device)->container;

	container->ops->unpin_pages(container->iommu_data, iova, npage);
}

static int container_space_dma_rw(struct vfio_device *device, dma_addr_t iova,
				  void *data, size_t len, bool write)
{
	struct vfio_container *container = vfio_device_space(device)->container;

	if (!container->ops->dma_rw)
		return -EOPNOTSUPP;
	return container->ops->dma_rw(container->iommu_data, iova, data, len,
				      write);
}

const struct vfio_address_space_ops vfio_container_space_ops = {
	.open		= container_space_open,
	.close		= container_space_close,
	.pin_pages	= container_space_pin_pages,
	.unpin_pages	= container_space_unpin_pages,
	.dma_rw		= container_space_dma_rw,
};

static struct miscdevice vfio_container_dev = {
	.minor = VFIO_MINOR,
	.name = "vfio",
	.fops = &vfio_container_fops,
	.nodename = "vfio/vfio",
	.mode = 0666,
};

int __init vfio_container_init(void)
{
	return misc_register(&vfio_container_dev);
}

void vfio_container_cleanup(void)
{
	misc_deregister(&vfio_container_dev);
}

MODULE_ALIAS_MISCDEV(VFIO_MINOR);
MODULE_ALIAS("devname:vfio/vfio");
