// SPDX-License-Identifier: GPL-2.0-only
/*
 * Emulated devices: their drivers access memory for them.  The drivers pin
 * single pages of the mappings, copy to and from the mappings, and are notified
 * before memory is unmapped.
 *
 * Pages are found, counted and charged here.  If a physical group has the same
 * memory pinned as a whole, that affects only the charge.
 */
#define pr_fmt(fmt) "vfio_iommu_type1: " fmt

#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/overflow.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "private.h"

/* How often drivers are notified of a range, which they may pin again */
#define UNPIN_TRIES	10

/* How often a page is faulted in that is gone again when it is to be copied */
#define FAULT_TRIES	100

/* Pin a page of a mapping, or count one more user of the pin.  No charge. */
static int get_page_pin(struct type1_mapping *m, unsigned long index,
			struct page **page)
{
	struct type1_pin *pin = type1_find_pin(m, index);
	int ret;

	if (pin) {
		pin->refs++;
		*page = pin->page;
		return 0;
	}

	pin = kzalloc(sizeof(*pin), GFP_KERNEL_ACCOUNT);
	if (!pin)
		return -ENOMEM;
	pin->index = index;
	pin->refs = 1;
	ret = type1_pin_page(m, index, &pin->page);
	if (ret)
		goto err_free;
	type1_insert_pin(m, pin);
	*page = pin->page;
	return 0;

err_free:
	kfree(pin);
	return ret;
}

/* The caller adapts the charge. */
static void drop_pin(struct type1_iommu *iommu, struct type1_mapping *m,
		     struct type1_pin *pin)
{
	if (iommu->dirty_tracking)
		type1_dirty_mark(m, pin->index, 1);
	type1_remove_pin(m, pin);
	type1_unpin_page(m, pin->page);
	kfree(pin);
}

static void put_page_pin(struct type1_iommu *iommu, struct type1_mapping *m,
			 unsigned long iova)
{
	struct type1_pin *pin = NULL;

	if (m)
		pin = type1_find_pin(m, (iova - m->node.start) >> PAGE_SHIFT);
	if (!pin)
		pr_err_ratelimited("a driver unpins IOVA %#lx, which it has not pinned\n",
				   iova);
	else if (!--pin->refs)
		drop_pin(iommu, m, pin);
}

/* Undo get_page_pin() for @npage pages, and the charge for them. */
static void put_page_pins(struct type1_iommu *iommu, unsigned long iova,
			  int npage)
{
	struct type1_mapping *m = NULL;

	for (; npage > 0; npage--, iova += PAGE_SIZE) {
		if (!m || iova < m->node.start || iova > m->node.last) {
			if (m)
				type1_recharge(m);
			m = type1_first_mapping(iommu, iova, iova);
		}
		put_page_pin(iommu, m, iova);
	}
	if (m)
		type1_recharge(m);
}

/* Charge for the pins in all mappings of a range, which has no gaps. */
static int charge_pins(struct type1_iommu *iommu, unsigned long first,
		       unsigned long last)
{
	struct type1_mapping *m;
	int ret = 0;

	type1_for_each_mapping(m, iommu, first, last) {
		ret = type1_recharge(m);
		if (ret)
			break;
	}
	return ret;
}

/* The mapping of a page, which must permit @prot */
static struct type1_mapping *mapping_for(struct type1_iommu *iommu,
					 unsigned long iova, int prot)
{
	struct type1_mapping *m = type1_first_mapping(iommu, iova, iova);

	if (!m)
		return ERR_PTR(-EINVAL);
	return (m->prot & prot) == prot ? m : ERR_PTR(-EPERM);
}

/**
 * type1_pin_pages - vfio_iommu_driver_ops.pin_pages
 * @iommu_data: the container
 * @iommu_group: group of the device
 * @user_iova: first IOVA; its offset in the page is ignored
 * @npage: number of pages
 * @prot: IOMMU_READ, IOMMU_WRITE: the access that the device needs
 * @pages: out: the pages
 *
 * The driver may hold locks that its dma_unmap takes.
 *
 * Return: @npage.  -EINVAL if a page is not mapped, or if no device is
 * registered for dma_unmap; -EPERM if a mapping does not permit @prot; -EACCES
 * unless the container is a VFIO_TYPE1v2_IOMMU; or the error of pinning or of
 * charging.  After an error nothing is pinned.
 */
int type1_pin_pages(void *iommu_data, struct iommu_group *iommu_group,
		    dma_addr_t user_iova, int npage, int prot,
		    struct page **pages)
{
	struct type1_iommu *iommu = iommu_data;
	unsigned long first = user_iova & PAGE_MASK, last, iova = first;
	struct type1_mapping *m = NULL;
	int i, ret = 0;

	if (!iommu || !pages || npage <= 0 || !prot || user_iova > ULONG_MAX ||
	    check_add_overflow(first, npage * PAGE_SIZE - 1, &last))
		return -EINVAL;
	if (!iommu->v2)
		return -EACCES;
	/* Without devices_lock: the driver may hold a lock of its dma_unmap. */
	if (list_empty(&iommu->devices))
		return -EINVAL;

	mutex_lock(&iommu->lock);
	for (i = 0; i < npage; i++, iova += PAGE_SIZE) {
		if (!m || iova > m->node.last)
			m = mapping_for(iommu, iova, prot);
		if (IS_ERR(m))
			ret = PTR_ERR(m);
		else
			ret = get_page_pin(m, (iova - m->node.start) >>
					      PAGE_SHIFT, &pages[i]);
		if (ret)
			goto err_unpin;
	}
	ret = charge_pins(iommu, first, last);
	if (ret)
		goto err_unpin;
	mutex_unlock(&iommu->lock);
	return npage;

err_unpin:
	put_page_pins(iommu, first, i);
	mutex_unlock(&iommu->lock);
	memset(pages, 0, npage * sizeof(*pages));
	return ret;
}

/**
 * type1_unpin_pages - vfio_iommu_driver_ops.unpin_pages
 * @iommu_data: the container
 * @user_iova: first IOVA
 * @npage: number of pages
 */
void type1_unpin_pages(void *iommu_data, dma_addr_t user_iova, int npage)
{
	struct type1_iommu *iommu = iommu_data;

	mutex_lock(&iommu->lock);
	put_page_pins(iommu, user_iova & PAGE_MASK, npage);
	mutex_unlock(&iommu->lock);
}

/**
 * type1_register_device - vfio_iommu_driver_ops.register_device
 * @iommu_data: the container
 * @vdev: an emulated device with dma_unmap
 */
void type1_register_device(void *iommu_data, struct vfio_device *vdev)
{
	struct type1_iommu *iommu = iommu_data;

	mutex_lock(&iommu->devices_lock);
	list_add_tail(&vdev->iommu_entry, &iommu->devices);
	mutex_unlock(&iommu->devices_lock);
}

/**
 * type1_unregister_device - vfio_iommu_driver_ops.unregister_device
 * @iommu_data: the container
 * @vdev: the device; on return its dma_unmap does not run any more
 */
void type1_unregister_device(void *iommu_data, struct vfio_device *vdev)
{
	struct type1_iommu *iommu = iommu_data;

	mutex_lock(&iommu->devices_lock);
	list_del(&vdev->iommu_entry);
	mutex_unlock(&iommu->devices_lock);
}

static void notify_unmap(struct type1_iommu *iommu, u64 iova, u64 size)
{
	struct vfio_device *vdev;

	mutex_lock(&iommu->devices_lock);
	list_for_each_entry(vdev, &iommu->devices, iommu_entry)
		vdev->ops->dma_unmap(vdev, iova, size);
	mutex_unlock(&iommu->devices_lock);
}

static struct type1_mapping *first_with_pins(struct type1_iommu *iommu,
					     unsigned long first,
					     unsigned long last)
{
	struct type1_mapping *m;

	type1_for_each_mapping(m, iommu, first, last)
		if (m->nr_pins)
			return m;
	return NULL;
}

/*
 * Notify drivers once for each mapping of the range that has pins.  Drops the
 * lock and takes it again for each.
 */
static int ask_to_unpin(struct type1_iommu *iommu, unsigned long first,
			unsigned long last)
{
	struct type1_mapping *m;
	unsigned long start, end;

	while ((m = first_with_pins(iommu, first, last))) {
		if (fatal_signal_pending(current))
			return -EINTR;
		start = m->node.start;
		end = m->node.last;
		mutex_unlock(&iommu->lock);
		notify_unmap(iommu, start, end - start + 1);
		mutex_lock(&iommu->lock);
		if (end >= last)
			break;
		first = end + 1;
	}
	return 0;
}

/**
 * type1_wait_unpinned - have drivers unpin a range
 * @iommu: the container, locked; if a page is pinned, the lock is dropped and
 *	taken again
 * @first: first IOVA
 * @last: last IOVA
 *
 * Return: 0 if no page of the range is pinned any more; -EBUSY if a driver does
 * not unpin; -EINTR.
 */
int type1_wait_unpinned(struct type1_iommu *iommu, unsigned long first,
			unsigned long last)
{
	struct type1_mapping *m;
	unsigned int tries;
	int ret;

	for (tries = 0; (m = first_with_pins(iommu, first, last)); tries++) {
		if (tries == UNPIN_TRIES) {
			pr_err_ratelimited("unmap of IOVA %#lx refused: the driver of an emulated device keeps %lu pages of it pinned; close that device and try again\n",
					   m->node.start, m->nr_pins);
			return -EBUSY;
		}
		ret = ask_to_unpin(iommu, first, last);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * struct access - bytes to copy, inside of one page
 * @iova: first IOVA
 * @data: kernel memory
 * @len: bytes
 * @write: copy from @data to the user's memory; otherwise to @data
 * @kthread: the caller is a kernel thread, and has no memory of its own
 * @mm: memory of the mapping's owner; a reference is held
 * @uaddr: address of the memory in @mm
 */
struct access {
	unsigned long iova;
	void *data;
	size_t len;
	bool write;
	bool kthread;
	struct mm_struct *mm;
	void __user *uaddr;
};

/* Finds the memory, for its owner or a kernel thread.  Caller holds the lock. */
static int find_memory(struct type1_iommu *iommu, struct access *a)
{
	struct type1_mapping *m;
	unsigned long offset;

	m = mapping_for(iommu, a->iova, a->write ? IOMMU_WRITE : IOMMU_READ);
	if (IS_ERR(m))
		return PTR_ERR(m);
	if (!m->vaddr_valid)
		return -EBUSY;
	if (!a->kthread && current->mm != m->owner.mm)
		return -EPERM;
	if (!mmget_not_zero(m->owner.mm))
		return -ESRCH;
	offset = a->iova - m->node.start;
	a->mm = m->owner.mm;
	a->uaddr = (void __user *)(m->vaddr + offset);
	if (a->write && iommu->dirty_tracking)
		type1_dirty_mark(m, offset >> PAGE_SHIFT, 1);
	return 0;
}

/* Copies if the page is present; -EFAULT if it is not. */
static int copy_present(const struct access *a)
{
	return a->write ? copy_to_user_nofault(a->uaddr, a->data, a->len) :
			  copy_from_user_nofault(a->data, a->uaddr, a->len);
}

/* Makes the page present, without a change of what it has. */
static int fault_in(const struct access *a)
{
	size_t left = a->write ? fault_in_safe_writeable(a->uaddr, a->len) :
				 fault_in_readable(a->uaddr, a->len);

	if (!left)
		return 0;
	return fatal_signal_pending(current) ? -EINTR : -EFAULT;
}

/*
 * Copies with the lock held, so that no copy follows an unmap that has
 * returned, and with page faults disabled.  User space decides how long a fault
 * takes, so the page is faulted in without the lock.  -EAGAIN: that is done,
 * and the copy has to be tried again, as the mapping may have gone meanwhile.
 */
static int rw_page(struct type1_iommu *iommu, struct access *a)
{
	int ret;

	if (mutex_lock_killable(&iommu->lock))
		return -EINTR;
	ret = find_memory(iommu, a);
	if (ret) {
		mutex_unlock(&iommu->lock);
		return ret;
	}
	if (a->kthread)
		kthread_use_mm(a->mm);
	ret = copy_present(a);
	mutex_unlock(&iommu->lock);
	if (ret)
		ret = fault_in(a) ?: -EAGAIN;
	if (a->kthread)
		kthread_unuse_mm(a->mm);
	mmput(a->mm);
	return ret;
}

/* User space may take the page away each time before it is copied. */
static int rw_page_retry(struct type1_iommu *iommu, struct access *a)
{
	unsigned int tries = 0;
	int ret;

	do {
		cond_resched();
		ret = rw_page(iommu, a);
	} while (ret == -EAGAIN && ++tries < FAULT_TRIES);
	return ret == -EAGAIN ? -EFAULT : ret;
}

/**
 * type1_dma_rw - vfio_iommu_driver_ops.dma_rw
 * @iommu_data: the container
 * @user_iova: first IOVA
 * @data: kernel memory
 * @count: bytes
 * @write: copy from @data to the user's memory; otherwise to @data
 *
 * For the process that owns the memory, and for kernel threads.  The lock is
 * not held while memory is faulted in, which may take forever: a fatal signal
 * ends it, also in a kernel thread that allows SIGKILL.
 *
 * Return: 0.  -EINVAL if the range is not mapped; -EPERM if a mapping does not
 * permit the access, or if the caller is another process; -EBUSY if the vaddr
 * of a mapping is invalid; -EFAULT if there is no memory; -ESRCH if the process
 * has exited; -EINTR.  After an error a part may have been copied.
 */
int type1_dma_rw(void *iommu_data, dma_addr_t user_iova, void *data,
		 size_t count, bool write)
{
	struct access a = {
		.iova = user_iova,
		.data = data,
		.write = write,
		.kthread = !current->mm,
	};
	struct type1_iommu *iommu = iommu_data;
	unsigned long last;
	int ret = 0;

	if (!count)
		return 0;
	if (a.iova != user_iova || check_add_overflow(a.iova, count - 1, &last))
		return -EINVAL;
	for (; count && !ret; count -= a.len) {
		a.len = min(count, PAGE_SIZE - offset_in_page(a.iova));
		ret = rw_page_retry(iommu, &a);
		a.iova += a.len;
		a.data += a.len;
	}
	return ret;
}

/**
 * type1_attach_emulated - add a group of emulated devices
 * @iommu: the container, locked
 * @iommu_group: a group that is not in it
 *
 * Return: 0; -EBUSY if the vaddr of a mapping is invalid; -ENOMEM.
 */
int type1_attach_emulated(struct type1_iommu *iommu,
			  struct iommu_group *iommu_group)
{
	struct type1_group *group;

	if (iommu->nr_vaddr_invalid)
		return -EBUSY;
	group = kzalloc(sizeof(*group), GFP_KERNEL_ACCOUNT);
	if (!group)
		return -ENOMEM;
	group->iommu_group = iommu_group;
	list_add_tail(&group->next, &iommu->emulated_groups);
	return 0;
}

/**
 * type1_detach_emulated - remove a group of emulated devices
 * @iommu: the container, locked
 * @iommu_group: the group
 *
 * Return: false if it is not an emulated group of the container.
 */
bool type1_detach_emulated(struct type1_iommu *iommu,
			   struct iommu_group *iommu_group)
{
	struct type1_group *group;

	group = type1_find_group(&iommu->emulated_groups, iommu_group);
	if (!group)
		return false;
	list_del(&group->next);
	kfree(group);
	return true;
}

/**
 * type1_drop_pins - unpin pages that drivers have left pinned
 * @iommu: the container, locked
 *
 * Called when a group has left.  Does nothing while a device is open, since its
 * driver will unpin its pages.
 */
void type1_drop_pins(struct type1_iommu *iommu)
{
	struct type1_mapping *m;
	struct type1_pin *pin;

	/* A device that is being opened cannot pin before this is done. */
	if (!list_empty(&iommu->devices))
		return;
	type1_for_each_mapping(m, iommu, 0, ULONG_MAX) {
		if (m->nr_pins)
			pr_err_ratelimited("the driver of an emulated device left %lu pages at IOVA %#lx pinned when it was closed\n",
					   m->nr_pins, m->node.start);
		while ((pin = type1_pin_from(m, 0)))
			drop_pin(iommu, m, pin);
		type1_recharge(m);
	}
}
