// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eventfds that trigger a callback: user space or KVM signals the eventfd, and
 * a driver unmasks its interrupt.  A virqfd ends when its driver disables it or
 * when the last file of the eventfd is closed, whichever is first.
 *
 * virqfd_lock protects the drivers' pointers to their virqfds, and so decides
 * which of the two ends a virqfd.  It is a leaf, and is taken with interrupts
 * off when the eventfd wakes up its waiters.
 */
#include <linux/eventfd.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "private.h"

static DEFINE_SPINLOCK(virqfd_lock);

/*
 * Ordered, so that a flush that was queued while a virqfd was alive is done
 * before the work that frees the virqfd.
 */
static struct workqueue_struct *virqfd_wq;

/*
 * For thread callbacks.  They may wait for locks of a device, and user space
 * may trigger any number of them, which would delay other work in a system
 * queue.
 */
static struct workqueue_struct *virqfd_inject_wq;

/* Caller holds virqfd_lock and has found the virqfd through its pointer. */
static void virqfd_end(struct virqfd *virqfd)
{
	lockdep_assert_held(&virqfd_lock);
	*virqfd->pvirqfd = NULL;
	queue_work(virqfd_wq, &virqfd->shutdown);
}

static void virqfd_trigger(struct virqfd *virqfd)
{
	if (virqfd->handler && !virqfd->handler(virqfd->opaque, virqfd->data))
		return;
	if (virqfd->thread)
		queue_work(virqfd_inject_wq, &virqfd->inject);
}

/* Called with the lock of the eventfd's wait queue held and interrupts off. */
static int virqfd_wakeup(wait_queue_entry_t *wait, unsigned int mode,
			 int sync, void *key)
{
	struct virqfd *virqfd = container_of(wait, struct virqfd, wait);
	__poll_t events = key_to_poll(key);
	unsigned long flags;
	u64 count;

	if (events & EPOLLIN) {
		eventfd_ctx_do_read(virqfd->eventfd, &count);
		virqfd_trigger(virqfd);
	}

	if (events & EPOLLHUP) {
		spin_lock_irqsave(&virqfd_lock, flags);
		if (*virqfd->pvirqfd == virqfd)
			virqfd_end(virqfd);
		spin_unlock_irqrestore(&virqfd_lock, flags);
	}
	return 0;
}

static void virqfd_poll_queue(struct file *file, wait_queue_head_t *wqh,
			      poll_table *pt)
{
	struct virqfd *virqfd = container_of(pt, struct virqfd, pt);

	add_wait_queue(wqh, &virqfd->wait);
}

static void virqfd_inject_work(struct work_struct *work)
{
	struct virqfd *virqfd = container_of(work, struct virqfd, inject);

	virqfd->thread(virqfd->opaque, virqfd->data);
}

static void virqfd_flush_work(struct work_struct *work)
{
	struct virqfd *virqfd = container_of(work, struct virqfd, flush_inject);

	flush_work(&virqfd->inject);
}

/* Runs once for each virqfd, after its driver's pointer has been cleared. */
static void virqfd_shutdown_work(struct work_struct *work)
{
	struct virqfd *virqfd = container_of(work, struct virqfd, shutdown);
	u64 count;

	eventfd_ctx_remove_wait_queue(virqfd->eventfd, &virqfd->wait, &count);
	flush_work(&virqfd->inject);
	eventfd_ctx_put(virqfd->eventfd);
	kfree(virqfd);
}

static int virqfd_publish(struct virqfd *virqfd)
{
	int ret = 0;

	spin_lock_irq(&virqfd_lock);
	if (*virqfd->pvirqfd)
		ret = -EBUSY;
	else
		*virqfd->pvirqfd = virqfd;
	spin_unlock_irq(&virqfd_lock);
	return ret;
}

static int virqfd_attach(struct virqfd *virqfd, struct file *file)
{
	int ret;

	virqfd->eventfd = eventfd_ctx_fileget(file);
	if (IS_ERR(virqfd->eventfd))
		return PTR_ERR(virqfd->eventfd);

	ret = virqfd_publish(virqfd);
	if (ret) {
		eventfd_ctx_put(virqfd->eventfd);
		return ret;
	}

	/* The eventfd may have been signalled before. */
	if (vfs_poll(file, &virqfd->pt) & EPOLLIN)
		virqfd_trigger(virqfd);
	return 0;
}

/**
 * vfio_virqfd_enable - have an eventfd trigger a callback
 * @opaque: first argument of the callbacks
 * @handler: called for each signal, in atomic context; returns whether to call
 *	@thread.  NULL: always call @thread
 * @thread: called from a work queue, or NULL
 * @data: second argument of the callbacks
 * @pvirqfd: the driver's pointer to the virqfd; set to NULL when it ends
 * @fd: the eventfd
 *
 * The caller serialises this against vfio_virqfd_disable() for the same
 * @pvirqfd.
 *
 * Return: 0; -EBUSY if @pvirqfd is in use; -EBADF or -EINVAL if @fd is not an
 * eventfd; or -ENOMEM.
 */
int vfio_virqfd_enable(void *opaque, int (*handler)(void *, void *),
		       void (*thread)(void *, void *), void *data,
		       struct virqfd **pvirqfd, int fd)
{
	struct virqfd *virqfd;
	struct fd f;
	int ret;

	virqfd = kzalloc(sizeof(*virqfd), GFP_KERNEL_ACCOUNT);
	if (!virqfd)
		return -ENOMEM;

	virqfd->pvirqfd = pvirqfd;
	virqfd->opaque = opaque;
	virqfd->handler = handler;
	virqfd->thread = thread;
	virqfd->data = data;
	INIT_WORK(&virqfd->shutdown, virqfd_shutdown_work);
	INIT_WORK(&virqfd->inject, virqfd_inject_work);
	INIT_WORK(&virqfd->flush_inject, virqfd_flush_work);
	init_waitqueue_func_entry(&virqfd->wait, virqfd_wakeup);
	init_poll_funcptr(&virqfd->pt, virqfd_poll_queue);

	ret = -EBADF;
	f = fdget(fd);
	if (fd_empty(f))
		goto err_free;

	/* The reference to the file keeps the eventfd open. */
	ret = virqfd_attach(virqfd, fd_file(f));
	fdput(f);
	if (ret)
		goto err_free;
	return 0;

err_free:
	kfree(virqfd);
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_virqfd_enable);

/**
 * vfio_virqfd_disable - end a virqfd
 * @pvirqfd: the driver's pointer to the virqfd, or to NULL
 *
 * When this returns, no callback of the virqfd runs or will run, even if user
 * space has ended it by closing the eventfd.  May sleep, and also waits for
 * other virqfds that are ending.  So the caller holds no lock that the thread
 * callback of any virqfd takes, such as memory_lock of vfio-pci-core.
 */
void vfio_virqfd_disable(struct virqfd **pvirqfd)
{
	unsigned long flags;

	spin_lock_irqsave(&virqfd_lock, flags);
	if (*pvirqfd)
		virqfd_end(*pvirqfd);
	spin_unlock_irqrestore(&virqfd_lock, flags);

	flush_workqueue(virqfd_wq);
}
EXPORT_SYMBOL_GPL(vfio_virqfd_disable);

/**
 * vfio_virqfd_flush_thread - wait for the thread callback
 * @pvirqfd: the driver's pointer to the virqfd, or to NULL
 *
 * When this returns, a thread callback that was pending at the call has run.
 * May sleep, with the same rule for locks as vfio_virqfd_disable().
 */
void vfio_virqfd_flush_thread(struct virqfd **pvirqfd)
{
	unsigned long flags;

	spin_lock_irqsave(&virqfd_lock, flags);
	if (*pvirqfd && (*pvirqfd)->thread)
		queue_work(virqfd_wq, &(*pvirqfd)->flush_inject);
	spin_unlock_irqrestore(&virqfd_lock, flags);

	flush_workqueue(virqfd_wq);
}
EXPORT_SYMBOL_GPL(vfio_virqfd_flush_thread);

int __init vfio_virqfd_init(void)
{
	virqfd_inject_wq = alloc_workqueue("vfio-virqfd-inject", WQ_UNBOUND, 0);
	if (!virqfd_inject_wq)
		return -ENOMEM;
	virqfd_wq = alloc_ordered_workqueue("vfio-virqfd", 0);
	if (!virqfd_wq) {
		destroy_workqueue(virqfd_inject_wq);
		return -ENOMEM;
	}
	return 0;
}

void vfio_virqfd_cleanup(void)
{
	destroy_workqueue(virqfd_wq);
	destroy_workqueue(virqfd_inject_wq);
}
