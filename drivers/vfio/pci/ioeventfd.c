// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_DEVICE_IOEVENTFD: an eventfd whose signal writes a fixed value to a
 * fixed offset in a BAR, so that the guest's write to a doorbell does not go
 * through the VMM.
 *
 * ioeventfds_lock protects the list and its length.  The write to the BAR
 * happens in the context of the signal, or in a worker if it has to wait for
 * memory_lock.
 */
#include <linux/eventfd.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "private.h"

#define VFIO_PCI_MAX_IOEVENTFDS	1000

struct vfio_pci_ioeventfd {
	struct list_head next;
	struct vfio_pci_core_device *vdev;
	struct virqfd *virqfd;
	void __iomem *addr;
	u64 data;
	loff_t pos;
	unsigned int bar;
	unsigned int count;
	bool test_mem;
};

static void ioeventfd_write(struct vfio_pci_ioeventfd *ioeventfd)
{
	switch (ioeventfd->count) {
	case 1:
		iowrite8(ioeventfd->data, ioeventfd->addr);
		break;
	case 2:
		iowrite16(ioeventfd->data, ioeventfd->addr);
		break;
	case 4:
		iowrite32(ioeventfd->data, ioeventfd->addr);
		break;
	case 8:
		iowrite64(ioeventfd->data, ioeventfd->addr);
		break;
	}
}

/* Caller holds memory_lock for read if the target is memory. */
static void ioeventfd_write_if_enabled(struct vfio_pci_ioeventfd *ioeventfd)
{
	if (!ioeventfd->test_mem || vfio_pci_memory_usable(ioeventfd->vdev))
		ioeventfd_write(ioeventfd);
}

/* Atomic context.  Returns 1 if ioeventfd_thread() has to do the write. */
static int ioeventfd_handler(void *opaque, void *unused)
{
	struct vfio_pci_ioeventfd *ioeventfd = opaque;
	struct vfio_pci_core_device *vdev = ioeventfd->vdev;

	if (ioeventfd->test_mem && !down_read_trylock(&vdev->memory_lock))
		return 1;
	ioeventfd_write_if_enabled(ioeventfd);
	if (ioeventfd->test_mem)
		up_read(&vdev->memory_lock);
	return 0;
}

static void ioeventfd_thread(void *opaque, void *unused)
{
	struct vfio_pci_ioeventfd *ioeventfd = opaque;

	guard(rwsem_read)(&ioeventfd->vdev->memory_lock);
	ioeventfd_write_if_enabled(ioeventfd);
}

/* Caller holds ioeventfds_lock. */
static void ioeventfd_remove(struct vfio_pci_core_device *vdev,
			     struct vfio_pci_ioeventfd *ioeventfd)
{
	vfio_virqfd_disable(&ioeventfd->virqfd);
	list_del(&ioeventfd->next);
	vdev->ioeventfds_nr--;
	kfree(ioeventfd);
}

/* Caller holds ioeventfds_lock. */
static struct vfio_pci_ioeventfd *
ioeventfd_find(struct vfio_pci_core_device *vdev,
	       const struct vfio_pci_ioeventfd *key)
{
	struct vfio_pci_ioeventfd *ioeventfd;

	list_for_each_entry(ioeventfd, &vdev->ioeventfds_list, next)
		if (ioeventfd->pos == key->pos && ioeventfd->bar == key->bar &&
		    ioeventfd->data == key->data &&
		    ioeventfd->count == key->count)
			return ioeventfd;
	return NULL;
}

/* Caller holds ioeventfds_lock. */
static int ioeventfd_add(struct vfio_pci_core_device *vdev,
			 const struct vfio_pci_ioeventfd *key, int fd)
{
	struct vfio_pci_ioeventfd *ioeventfd;
	int ret;

	if (vdev->ioeventfds_nr >= VFIO_PCI_MAX_IOEVENTFDS)
		return -ENOSPC;

	ioeventfd = kmemdup(key, sizeof(*key), GFP_KERNEL_ACCOUNT);
	if (!ioeventfd)
		return -ENOMEM;

	ret = vfio_virqfd_enable(ioeventfd, ioeventfd_handler,
				 ioeventfd_thread, NULL, &ioeventfd->virqfd,
				 fd);
	if (ret) {
		kfree(ioeventfd);
		return ret;
	}

	list_add(&ioeventfd->next, &vdev->ioeventfds_list);
	vdev->ioeventfds_nr++;
	return 0;
}

/* Check the request, and fill @key with what to write and where. */
static int ioeventfd_parse(struct vfio_pci_core_device *vdev,
			   const struct vfio_device_ioeventfd *req,
			   struct vfio_pci_ioeventfd *key)
{
	unsigned int count = req->flags & VFIO_DEVICE_IOEVENTFD_SIZE_MASK;
	u64 index = VFIO_PCI_OFFSET_TO_INDEX(req->offset);
	u64 pos = req->offset & VFIO_PCI_OFFSET_MASK;
	u64 len;

	if (req->flags & ~VFIO_DEVICE_IOEVENTFD_SIZE_MASK)
		return -EINVAL;
	if (hweight32(count) != 1 || req->fd < -1)
		return -EINVAL;
	if (index > VFIO_PCI_BAR5_REGION_INDEX)
		return -EINVAL;

	len = pci_resource_len(vdev->pdev, index);
	if (count > len || pos > len - count || !IS_ALIGNED(pos, count))
		return -EINVAL;

	/* The kernel owns the MSI-X table. */
	if (index == vdev->msix_bar &&
	    pos < (u64)vdev->msix_offset + vdev->msix_size &&
	    pos + count > vdev->msix_offset)
		return -EINVAL;

	*key = (struct vfio_pci_ioeventfd) {
		.vdev = vdev,
		.data = req->data,
		.pos = pos,
		.bar = index,
		.count = count,
		.test_mem = pci_resource_flags(vdev->pdev, index) &
			    IORESOURCE_MEM,
	};
	return 0;
}

int vfio_pci_ioctl_ioeventfd(struct vfio_pci_core_device *vdev,
			     void __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_device_ioeventfd, fd);
	struct vfio_pci_ioeventfd *old, key;
	struct vfio_device_ioeventfd req = {};
	int ret;

	if (copy_from_user(&req, arg, minsz))
		return -EFAULT;
	if (req.argsz < minsz)
		return -EINVAL;

	ret = ioeventfd_parse(vdev, &req, &key);
	if (ret)
		return ret;

	ret = vfio_pci_core_setup_barmap(vdev, key.bar);
	if (ret)
		return ret;
	key.addr = vdev->barmap[key.bar] + key.pos;

	guard(mutex)(&vdev->ioeventfds_lock);
	old = ioeventfd_find(vdev, &key);
	if (req.fd >= 0)
		return old ? -EEXIST : ioeventfd_add(vdev, &key, req.fd);
	if (!old)
		return -ENODEV;
	ioeventfd_remove(vdev, old);
	return 0;
}

/* The device is being disabled. */
void vfio_pci_ioeventfds_free(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_ioeventfd *ioeventfd, *next;

	guard(mutex)(&vdev->ioeventfds_lock);
	list_for_each_entry_safe(ioeventfd, next, &vdev->ioeventfds_list, next)
		ioeventfd_remove(vdev, ioeventfd);
}
