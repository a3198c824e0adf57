// SPDX-License-Identifier: GPL-2.0-only
/*
 * The group interface: a node /dev/vfio/<N> for each IOMMU group that has a
 * registered device.  Its single user puts the group into a container, or into
 * an iommufd instead, and then opens devices.  Containers and iommufds are in
 * container.c and iommufd.c, open devices in device_file.c.
 *
 * Locks: groups.lock protects the list of groups and nr_devices, and is never
 * held while waiting for users.  group_lock protects the user of a group and
 * its container or iommufd; device_lock the devices that the user may open;
 * kvm_ref_lock the VM.
 *
 * An open device holds a reference to the group's file.  So a group with open
 * devices is not released, and stays in its container.
 */
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/kdev_t.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "private.h"

/**
 * struct vfio_group - an IOMMU group that users can own
 * @dev: its kref is the lifetime of this object; one reference for the
 *	devices, one for the open file
 * @cdev: /dev/vfio/<N>
 * @next: link in groups.list
 * @nr_devices: registered devices; the last one removes the node.  Under
 *	groups.lock
 * @opener: the process that last opened the group, or one of its devices
 *	through the device's own node; has a lock of its own
 * @group_lock: protects the members up to @member
 * @opened_file: the file of the single user, or NULL
 * @container: the container that the group is in, or NULL
 * @iommufd: the iommufd that it is in instead, with a reference, or NULL
 * @container_users: devices that are open in @container or @iommufd
 * @node_users: devices that are open through their own nodes
 * @member: the group's place in @container.  member.iommu_group is set as long
 *	as the group has devices, even without a container
 * @device_lock: protects @device_list
 * @device_list: devices that can be opened, linked by vfio_device.group_next
 * @kvm_ref_lock: protects @kvm
 * @kvm: the VM of the user, valid while set
 */
struct vfio_group {
	struct device dev;
	struct cdev cdev;
	struct list_head next;
	unsigned int nr_devices;

	struct vfio_opener opener;

	struct mutex group_lock;	/* the next six members */
	struct file *opened_file;
	struct vfio_container *container;
	struct iommufd_ctx *iommufd;
	unsigned int container_users;
	unsigned int node_users;
	struct vfio_container_member member;

	struct mutex device_lock;	/* device_list */
	struct list_head device_list;

	spinlock_t kvm_ref_lock;	/* kvm */
	struct kvm *kvm;
};

static struct {
	struct mutex lock;		/* list, and nr_devices of its members */
	struct list_head list;
	struct class *class;
	struct ida minors;
	dev_t first;
} groups = {
	.lock = __MUTEX_INITIALIZER(groups.lock),
	.list = LIST_HEAD_INIT(groups.list),
	.minors = IDA_INIT(groups.minors),
};

static const struct file_operations vfio_group_fops;

static struct vfio_group *vfio_group_from_file(struct file *file)
{
	return file->f_op == &vfio_group_fops ? file->private_data : NULL;
}

/* ---- Messages ---- */

static void vfio_group_say_in_use(struct vfio_group *group)
{
	char opener[VFIO_OPENER_NAME];

	dev_info_ratelimited(&group->dev,
			     "in use, opened last by %s; it has one user at a time: close and unmap all of its files and devices first\n",
			     vfio_opener_name(&group->opener, opener));
}

/*
 * True if the driver of @dev leaves DMA to user space: a VFIO driver, or one
 * with driver_managed_dma.  Caller holds device_lock() of @dev, which has a
 * driver.
 */
static bool vfio_group_allows_driver(struct vfio_group *group,
				     struct device *dev)
{
	struct vfio_device *device;
	bool found = false;

	if (dev_is_pci(dev) && to_pci_driver(dev->driver)->driver_managed_dma)
		return true;

	mutex_lock(&group->device_lock);
	list_for_each_entry(device, &group->device_list, group_next)
		found |= device->dev == dev;
	mutex_unlock(&group->device_lock);
	return found;
}

/* For iommu_group_for_each_dev(), which a return value of 1 ends */
static int vfio_group_name_blocker(struct device *dev, void *data)
{
	struct vfio_group *group = data;
	int found = 0;

	/*
	 * No waiting here: a driver that is being bound or unbound holds this
	 * lock, and may wait for one of ours.
	 */
	if (!device_trylock(dev))
		return 0;
	if (dev->driver && !vfio_group_allows_driver(group, dev)) {
		dev_notice_ratelimited(&group->dev,
				       "not viable: %s is bound to %s; unbind it, or bind it to vfio-pci, too\n",
				       dev_name(dev), dev->driver->name);
		found = 1;
	}
	device_unlock(dev);
	return found;
}

/* Caller holds group_lock; the group has devices. */
static void vfio_group_say_not_viable(struct vfio_group *group)
{
	if (iommu_group_for_each_dev(group->member.iommu_group, group,
				     vfio_group_name_blocker))
		return;
	dev_notice_ratelimited(&group->dev,
			       "not viable: another user owns the DMA of this IOMMU group; unbind all of its devices from their host drivers, and close them where they are open\n");
}

/* ---- A group in a container ---- */

/* Caller holds group_lock.  The group has devices and is in no container. */
static int vfio_group_attach(struct vfio_group *group,
			     struct vfio_container *container)
{
	struct vfio_container_member *member = &group->member;
	int ret;

	if (member->type == VFIO_IOMMU) {
		ret = iommu_group_claim_dma_owner(member->iommu_group, group);
		if (ret) {
			vfio_group_say_not_viable(group);
			return ret;
		}
	}

	ret = vfio_container_attach(container, member);
	if (ret)
		goto err_owner;

	group->container = container;
	return 0;

err_owner:
	if (member->type == VFIO_IOMMU)
		iommu_group_release_dma_owner(member->iommu_group);
	return ret;
}

static bool vfio_group_is_attached(const struct vfio_group *group)
{
	return group->container || group->iommufd;
}

/*
 * Caller holds group_lock.  No device of the group is open, so iommufd has
 * nothing of the group any more.
 */
static void vfio_group_detach(struct vfio_group *group)
{
	struct vfio_container_member *member = &group->member;

	if (group->iommufd) {
		iommufd_ctx_put(group->iommufd);
		group->iommufd = NULL;
		return;
	}
	vfio_container_detach(group->container, member);
	group->container = NULL;
	if (member->type == VFIO_IOMMU)
		iommu_group_release_dma_owner(member->iommu_group);
}

/* ---- Open devices: the group stays in the container or iommufd ---- */

/* Before the first open.  Caller holds group_lock. */
static void vfio_group_get_user(struct vfio_group *group,
				struct vfio_device *device)
{
	get_file(group->opened_file);
	group->container_users++;

	spin_lock(&group->kvm_ref_lock);
	vfio_device_get_kvm(device, group->kvm);
	spin_unlock(&group->kvm_ref_lock);
}

/* After the last close.  Caller holds group_lock. */
static void vfio_group_put_user(struct vfio_group *group,
				struct vfio_device *device)
{
	vfio_device_put_kvm(device);
	group->container_users--;
	fput(group->opened_file);
}

/* Caller holds group_lock and dev_set->lock. */
static int vfio_group_open_in_container(struct vfio_group *group,
					struct vfio_device *device)
{
	const struct vfio_address_space space = {
		.ops = &vfio_container_space_ops,
		.container = group->container,
		.iommu_group = group->member.iommu_group,
	};

	return vfio_device_open(device, &space);
}

#if IS_ENABLED(CONFIG_IOMMUFD)
/* Caller holds group_lock and dev_set->lock. */
static int vfio_group_open_in_iommufd(struct vfio_group *group,
				      struct vfio_device *device)
{
	const struct vfio_address_space space = {
		.ops = &vfio_iommufd_space_ops,
		.iommufd = group->iommufd,
	};
	int ret;

	ret = vfio_device_open(device, &space);
	if (ret || device->open_count > 1)
		return ret;
	ret = vfio_iommufd_attach_container(device);
	if (ret)
		vfio_device_close(device);
	return ret;
}

/* Caller holds group_lock. */
static int vfio_group_set_iommufd(struct vfio_group *group, struct file *file)
{
	struct iommufd_ctx *ictx = vfio_iommufd_container(file);

	if (IS_ERR(ictx))
		return PTR_ERR(ictx);
	group->iommufd = ictx;
	return 0;
}
#else
static int vfio_group_open_in_iommufd(struct vfio_group *group,
				      struct vfio_device *device)
{
	return -EINVAL;
}

static int vfio_group_set_iommufd(struct vfio_group *group, struct file *file)
{
	return -EBADFD;
}
#endif

/* Caller holds group_lock and dev_set->lock. */
static int vfio_group_open_one(struct vfio_group *group,
			       struct vfio_device *device)
{
	return group->iommufd ? vfio_group_open_in_iommufd(group, device) :
				vfio_group_open_in_container(group, device);
}

static bool vfio_group_can_open(struct vfio_group *group)
{
	if (!vfio_group_is_attached(group)) {
		dev_notice_ratelimited(&group->dev,
				       "VFIO_GROUP_GET_DEVICE_FD before VFIO_GROUP_SET_CONTAINER\n");
		return false;
	}
	if (group->container &&
	    !vfio_container_has_backend(group->container)) {
		dev_notice_ratelimited(&group->dev,
				       "VFIO_GROUP_GET_DEVICE_FD before VFIO_SET_IOMMU of its container\n");
		return false;
	}
	return true;
}

static int vfio_group_open_locked(struct vfio_group *group,
				  struct vfio_device *device)
{
	int ret;

	lockdep_assert_held(&group->group_lock);
	if (!vfio_group_can_open(group))
		return -EINVAL;

	if (mutex_lock_killable(&device->dev_set->lock))
		return -EINTR;
	if (!device->open_count)
		vfio_group_get_user(group, device);
	ret = vfio_group_open_one(group, device);
	if (!device->open_count)
		vfio_group_put_user(group, device);
	mutex_unlock(&device->dev_set->lock);
	return ret;
}

static void vfio_group_close_device(struct vfio_device_file *df)
{
	struct vfio_device *device = df->device;
	struct vfio_group *group = device->group;

	mutex_lock(&group->group_lock);
	mutex_lock(&device->dev_set->lock);
	vfio_device_close(device);
	if (!device->open_count)
		vfio_group_put_user(group, device);
	mutex_unlock(&device->dev_set->lock);
	mutex_unlock(&group->group_lock);
}

static const struct vfio_device_file_ops vfio_group_file_ops = {
	.close = vfio_group_close_device,
};

/* Takes over the caller's registration reference, even if it fails. */
static struct file *vfio_group_open_device(struct vfio_group *group,
					   struct vfio_device *device)
{
	struct vfio_device_file *df;
	struct file *file;
	int ret;

	df = vfio_device_file_alloc(device, &vfio_group_file_ops);
	if (IS_ERR(df)) {
		vfio_device_put_registration(device);
		return ERR_CAST(df);
	}

	ret = mutex_lock_killable(&group->group_lock);
	if (!ret) {
		ret = vfio_group_open_locked(group, device);
		mutex_unlock(&group->group_lock);
	}
	if (ret) {
		file = ERR_PTR(ret);
		goto err_free;
	}
	vfio_device_file_grant(df);

	file = vfio_device_file_create(df);
	if (IS_ERR(file))
		goto err_close;
	return file;

err_close:
	vfio_group_close_device(df);
err_free:
	vfio_device_file_free(df);
	return file;
}

static int vfio_device_match(struct vfio_device *device, char *name)
{
	if (device->ops->match)
		return device->ops->match(device, name);
	return !strcmp(dev_name(device->dev), name);
}

/* The device that @name stands for, with a registration reference */
static struct vfio_device *vfio_group_find_device(struct vfio_group *group,
						  char *name)
{
	struct vfio_device *device, *found = ERR_PTR(-ENODEV);
	int ret;

	mutex_lock(&group->device_lock);
	list_for_each_entry(device, &group->device_list, group_next) {
		ret = vfio_device_match(device, name);
		if (!ret)
			continue;
		if (ret < 0)
			found = ERR_PTR(ret);
		else if (vfio_device_try_get_registration(device))
			found = device;
		break;
	}
	mutex_unlock(&group->device_lock);
	return found;
}

/* ---- The file of a group ---- */

static int vfio_group_ioctl_get_status(struct vfio_group *group,
				       struct vfio_group_status __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_group_status, flags);
	struct vfio_group_status status;
	int ret = 0;

	if (copy_from_user(&status, arg, minsz))
		return -EFAULT;
	if (status.argsz < minsz)
		return -EINVAL;
	status.flags = 0;

	if (mutex_lock_killable(&group->group_lock))
		return -EINTR;
	if (!group->member.iommu_group)
		ret = -ENODEV;
	else if (vfio_group_is_attached(group))
		status.flags = VFIO_GROUP_FLAGS_CONTAINER_SET |
			       VFIO_GROUP_FLAGS_VIABLE;
	else if (!iommu_group_dma_owner_claimed(group->member.iommu_group))
		status.flags = VFIO_GROUP_FLAGS_VIABLE;
	else
		vfio_group_say_not_viable(group);
	mutex_unlock(&group->group_lock);
	if (ret)
		return ret;

	return copy_to_user(arg, &status, minsz) ? -EFAULT : 0;
}

/* Caller holds group_lock. */
static int vfio_group_set_container_locked(struct vfio_group *group,
					   struct file *file)
{
	struct vfio_container *container = vfio_container_from_file(file);

	if (vfio_group_is_attached(group)) {
		dev_notice_ratelimited(&group->dev,
				       "VFIO_GROUP_SET_CONTAINER: it is in a container already; call VFIO_GROUP_UNSET_CONTAINER first\n");
		return -EINVAL;
	}
	if (!group->member.iommu_group)
		return -ENODEV;
	if (container)
		return vfio_group_attach(group, container);

	return vfio_group_set_iommufd(group, file);
}

static int vfio_group_set_container(struct vfio_group *group,
				    struct file *file)
{
	int ret;

	if (mutex_lock_killable(&group->group_lock))
		return -EINTR;
	ret = vfio_group_set_container_locked(group, file);
	mutex_unlock(&group->group_lock);
	return ret;
}

static int vfio_group_ioctl_set_container(struct vfio_group *group,
					  int __user *arg)
{
	struct fd f;
	int fd, ret;

	if (get_user(fd, arg))
		return -EFAULT;

	f = fdget(fd);
	if (fd_empty(f))
		return -EBADF;
	ret = vfio_group_set_container(group, fd_file(f));
	fdput(f);
	return ret;
}

/* Caller holds group_lock. */
static int vfio_group_unset_container_locked(struct vfio_group *group)
{
	if (!vfio_group_is_attached(group)) {
		dev_notice_ratelimited(&group->dev,
				       "VFIO_GROUP_UNSET_CONTAINER: it is in no container\n");
		return -EINVAL;
	}
	if (group->container_users) {
		dev_notice_ratelimited(&group->dev,
				       "VFIO_GROUP_UNSET_CONTAINER: %u of its devices are open; close them first\n",
				       group->container_users);
		return -EBUSY;
	}
	vfio_group_detach(group);
	return 0;
}

static int vfio_group_ioctl_unset_container(struct vfio_group *group)
{
	int ret;

	if (mutex_lock_killable(&group->group_lock))
		return -EINTR;
	ret = vfio_group_unset_container_locked(group);
	mutex_unlock(&group->group_lock);
	return ret;
}

static int vfio_group_get_device_fd(struct vfio_group *group, char *name)
{
	struct vfio_device *device;
	struct file *file;
	int fd;

	device = vfio_group_find_device(group, name);
	if (IS_ERR(device))
		return PTR_ERR(device);

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		vfio_device_put_registration(device);
		return fd;
	}

	file = vfio_group_open_device(group, device);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

static int vfio_group_ioctl_get_device_fd(struct vfio_group *group,
					  char __user *arg)
{
	char *name;
	int ret;

	name = strndup_user(arg, PAGE_SIZE);
	if (IS_ERR(name))
		return PTR_ERR(name);
	ret = vfio_group_get_device_fd(group, name);
	kfree(name);
	return ret;
}

static long vfio_group_fops_ioctl(struct file *file, unsigned int cmd,
				  unsigned long arg)
{
	struct vfio_group *group = file->private_data;
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case VFIO_GROUP_GET_STATUS:
		return vfio_group_ioctl_get_status(group, uarg);
	case VFIO_GROUP_SET_CONTAINER:
		return vfio_group_ioctl_set_container(group, uarg);
	case VFIO_GROUP_UNSET_CONTAINER:
		return vfio_group_ioctl_unset_container(group);
	case VFIO_GROUP_GET_DEVICE_FD:
		return vfio_group_ioctl_get_device_fd(group, uarg);
	default:
		return -ENOTTY;
	}
}

static int vfio_group_fops_open(struct inode *inode, struct file *file)
{
	struct vfio_group *group =
		container_of(inode->i_cdev, struct vfio_group, cdev);
	int ret = 0;

	if (mutex_lock_killable(&group->group_lock))
		return -EINTR;
	if (!group->member.iommu_group) {
		ret = -ENODEV;
	} else if (group->opened_file || group->node_users) {
		ret = -EBUSY;
	} else {
		get_device(&group->dev);
		group->opened_file = file;
		file->private_data = group;
		vfio_opener_set(&group->opener);
	}
	mutex_unlock(&group->group_lock);

	if (ret == -EBUSY)
		vfio_group_say_in_use(group);
	return ret;
}

static int vfio_group_fops_release(struct inode *inode, struct file *file)
{
	struct vfio_group *group = file->private_data;

	mutex_lock(&group->group_lock);
	if (vfio_group_is_attached(group))
		vfio_group_detach(group);
	group->opened_file = NULL;
	mutex_unlock(&group->group_lock);
	put_device(&group->dev);
	return 0;
}

static const struct file_operations vfio_group_fops = {
	.owner		= THIS_MODULE,
	.open		= vfio_group_fops_open,
	.release	= vfio_group_fops_release,
	.unlocked_ioctl	= vfio_group_fops_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

/* ---- Groups and their devices ---- */

static void vfio_group_release(struct device *dev)
{
	struct vfio_group *group = container_of(dev, struct vfio_group, dev);

	mutex_destroy(&group->device_lock);
	mutex_destroy(&group->group_lock);
	ida_free(&groups.minors, MINOR(group->dev.devt));
	kfree(group);
}

static struct vfio_group *vfio_group_alloc(struct iommu_group *iommu_group,
					   enum vfio_group_type type)
{
	struct vfio_group *group;
	int minor;

	group = kzalloc(sizeof(*group), GFP_KERNEL);
	if (!group)
		return ERR_PTR(-ENOMEM);

	minor = ida_alloc_max(&groups.minors, MINORMASK, GFP_KERNEL);
	if (minor < 0) {
		kfree(group);
		return ERR_PTR(minor);
	}

	vfio_opener_init(&group->opener);
	mutex_init(&group->group_lock);
	mutex_init(&group->device_lock);
	spin_lock_init(&group->kvm_ref_lock);
	INIT_LIST_HEAD(&group->device_list);
	group->member.iommu_group = iommu_group;
	group->member.type = type;

	cdev_init(&group->cdev, &vfio_group_fops);
	group->cdev.owner = THIS_MODULE;
	device_initialize(&group->dev);
	group->dev.devt = MKDEV(MAJOR(groups.first), minor);
	group->dev.class = groups.class;
	group->dev.release = vfio_group_release;
	return group;
}

/* Caller holds groups.lock. */
static struct vfio_group *vfio_group_create(struct iommu_group *iommu_group,
					    enum vfio_group_type type)
{
	struct vfio_group *group;
	int ret;

	group = vfio_group_alloc(iommu_group, type);
	if (IS_ERR(group))
		return group;

	ret = dev_set_name(&group->dev, "%d", iommu_group_id(iommu_group));
	if (ret)
		goto err_put;

	/* Users may open the node from now on. */
	ret = cdev_device_add(&group->cdev, &group->dev);
	if (ret)
		goto err_put;

	iommu_group_ref_get(iommu_group);
	list_add(&group->next, &groups.list);
	return group;

err_put:
	put_device(&group->dev);
	return ERR_PTR(ret);
}

/* Caller holds groups.lock. */
static struct vfio_group *vfio_group_find(struct iommu_group *iommu_group)
{
	struct vfio_group *group;

	list_for_each_entry(group, &groups.list, next)
		if (group->member.iommu_group == iommu_group)
			return group;
	return NULL;
}

/*
 * Make an IOMMU group for a device that is not behind an IOMMU.  Tools tell it
 * from groups of hardware by its name in /sys/kernel/iommu_groups.
 */
static struct iommu_group *vfio_group_make_iommu_group(struct device *dev)
{
	struct iommu_group *iommu_group;
	int ret;

	iommu_group = iommu_group_alloc();
	if (IS_ERR(iommu_group))
		return iommu_group;

	ret = iommu_group_set_name(iommu_group, "vfio-noiommu");
	if (ret)
		goto err_put;
	ret = iommu_group_add_device(iommu_group, dev);
	if (ret)
		goto err_put;
	return iommu_group;

err_put:
	iommu_group_put(iommu_group);
	return ERR_PTR(ret);
}

static int vfio_group_join(struct vfio_device *device,
			   enum vfio_group_type type)
{
	struct iommu_group *iommu_group;
	struct vfio_group *group;

	if (type == VFIO_EMULATED_IOMMU)
		iommu_group = vfio_group_make_iommu_group(device->dev);
	else
		iommu_group = iommu_group_get(device->dev);
	if (IS_ERR(iommu_group))
		return PTR_ERR(iommu_group);
	if (!iommu_group) {
		dev_err(device->dev, "vfio: in no IOMMU group\n");
		return -EINVAL;
	}

	mutex_lock(&groups.lock);
	group = vfio_group_find(iommu_group);
	if (!group)
		group = vfio_group_create(iommu_group, type);
	if (!IS_ERR(group))
		group->nr_devices++;
	mutex_unlock(&groups.lock);

	if (IS_ERR(group) && type == VFIO_EMULATED_IOMMU)
		iommu_group_remove_device(device->dev);
	iommu_group_put(iommu_group);
	if (IS_ERR(group))
		return PTR_ERR(group);

	device->group = group;
	return 0;
}

/*
 * The last device is gone.  Drop the IOMMU group even if a user still has the
 * group open: that file is of no use any more, and the container loses the
 * mappings that it had for the group.
 *
 * This waits for ioctls of the container, so the caller holds no lock that
 * other groups need.  If new devices of the same IOMMU group are registered
 * meanwhile, their group is not viable until this is done.
 */
static void vfio_group_drop_iommu_group(struct vfio_group *group)
{
	struct iommu_group *iommu_group = group->member.iommu_group;

	mutex_lock(&group->group_lock);
	if (vfio_group_is_attached(group))
		vfio_group_detach(group);
	group->member.iommu_group = NULL;
	mutex_unlock(&group->group_lock);
	iommu_group_put(iommu_group);
}

static void vfio_group_leave(struct vfio_device *device)
{
	struct vfio_group *group = device->group;

	if (group->member.type == VFIO_EMULATED_IOMMU)
		iommu_group_remove_device(device->dev);

	mutex_lock(&groups.lock);
	if (--group->nr_devices) {
		mutex_unlock(&groups.lock);
		return;
	}
	list_del(&group->next);
	cdev_device_del(&group->cdev, &group->dev);
	mutex_unlock(&groups.lock);

	vfio_group_drop_iommu_group(group);
	put_device(&group->dev);
}

static void vfio_group_publish(struct vfio_device *device)
{
	struct vfio_group *group = device->group;

	mutex_lock(&group->device_lock);
	list_add(&device->group_next, &group->device_list);
	mutex_unlock(&group->device_lock);
}

static void vfio_group_hide(struct vfio_device *device)
{
	struct vfio_group *group = device->group;

	mutex_lock(&group->device_lock);
	list_del(&device->group_next);
	mutex_unlock(&group->device_lock);
}

const struct vfio_interface vfio_group_interface = {
	.join		= vfio_group_join,
	.leave		= vfio_group_leave,
	.publish	= vfio_group_publish,
	.hide		= vfio_group_hide,
};

int vfio_group_block(struct vfio_device *device)
{
	struct vfio_group *group = device->group;
	int ret = 0;

	if (mutex_lock_killable(&group->group_lock))
		return -EINTR;
	if (group->opened_file) {
		ret = -EBUSY;
	} else {
		group->node_users++;
		vfio_opener_set(&group->opener);
	}
	mutex_unlock(&group->group_lock);

	if (ret)
		vfio_group_say_in_use(group);
	return ret;
}

void vfio_group_unblock(struct vfio_device *device)
{
	struct vfio_group *group = device->group;

	mutex_lock(&group->group_lock);
	group->node_users--;
	mutex_unlock(&group->group_lock);
}

/* ---- Questions about a file, for KVM and vfio-pci-core ---- */

/**
 * vfio_file_iommu_group - the IOMMU group behind a file
 * @file: any file
 *
 * Only KVM on machines with an sPAPR IOMMU uses it.
 *
 * Return: the IOMMU group with a reference; NULL on other machines, for other
 * files, and for a group whose devices are gone.
 */
struct iommu_group *vfio_file_iommu_group(struct file *file)
{
	struct vfio_group *group = vfio_group_from_file(file);
	struct iommu_group *iommu_group = NULL;

	if (!IS_ENABLED(CONFIG_SPAPR_TCE_IOMMU) || !group)
		return NULL;

	mutex_lock(&group->group_lock);
	if (group->member.iommu_group) {
		iommu_group = group->member.iommu_group;
		iommu_group_ref_get(iommu_group);
	}
	mutex_unlock(&group->group_lock);
	return iommu_group;
}
EXPORT_SYMBOL_GPL(vfio_file_iommu_group);

/**
 * vfio_file_is_group - is this the file of a group?
 * @file: any file
 *
 * Return: true for an open /dev/vfio/<N>.
 */
bool vfio_file_is_group(struct file *file)
{
	return vfio_group_from_file(file);
}
EXPORT_SYMBOL_GPL(vfio_file_is_group);

/**
 * vfio_file_has_dev - does a device belong to the group of a file?
 * @file: any file
 * @device: a registered device
 *
 * Return: true if @file is the open group of @device.
 */
bool vfio_file_has_dev(struct file *file, struct vfio_device *device)
{
	struct vfio_group *group = vfio_group_from_file(file);

	return group && group == device->group;
}
EXPORT_SYMBOL_GPL(vfio_file_has_dev);

void vfio_group_file_set_kvm(struct file *file, struct kvm *kvm)
{
	struct vfio_group *group = vfio_group_from_file(file);

	if (!group)
		return;

	spin_lock(&group->kvm_ref_lock);
	group->kvm = kvm;
	spin_unlock(&group->kvm_ref_lock);
}

bool vfio_group_file_not_coherent(struct file *file)
{
	struct vfio_group *group = vfio_group_from_file(file);
	struct vfio_device *device;
	bool found = false;

	if (!group)
		return false;

	mutex_lock(&group->device_lock);
	list_for_each_entry(device, &group->device_list, group_next) {
		found = !device_iommu_capable(device->dev,
					      IOMMU_CAP_ENFORCE_CACHE_COHERENCY);
		if (found)
			break;
	}
	mutex_unlock(&group->device_lock);
	return found;
}

/* ---- The device nodes ---- */

static char *vfio_group_devnode(const struct device *dev, umode_t *mode)
{
	return kasprintf(GFP_KERNEL, "vfio/%s", dev_name(dev));
}

int __init vfio_group_init(void)
{
	int ret;

	groups.class = class_create("vfio");
	if (IS_ERR(groups.class))
		return PTR_ERR(groups.class);
	groups.class->devnode = vfio_group_devnode;

	ret = alloc_chrdev_region(&groups.first, 0, MINORMASK + 1, "vfio");
	if (ret)
		goto err_class;
	return 0;

err_class:
	class_destroy(groups.class);
	return ret;
}

void vfio_group_cleanup(void)
{
	unregister_chrdev_region(groups.first, MINORMASK + 1);
	class_destroy(groups.class);
	ida_destroy(&groups.minors);
}
