// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA logging for a device that does not log: START and STOP, what the driver
 * reports about its rings, and resets while logging is on.
 *
 * A network device writes to buffers that descriptors name.  While logging is
 * on, the device gets no descriptor before its buffers are recorded: the
 * guest's doorbells go to a page of memory (doorbells.c), and the worker passes
 * them on (log_worker.c).
 *
 * Documentation/driver-api/vfio-dma-tracking.rst says why that is sound.
 */
#include <linux/device.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/pm_runtime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <trace/events/vfio_dma_log.h>

#include "private.h"

/* ---- Marks that are not exact ---- */

void vfio_pci_mig_log_ring_marked(struct vfio_pci_mig_log *log,
				  unsigned int ring, bool exact)
{
	if (!exact && !log->rings[ring].untracked)
		trace_vfio_dma_log_overflow(&log->pci->core.vdev, ring, false);
}

void vfio_pci_mig_log_area_mark(struct vfio_pci_mig_log *log,
				const struct vfio_pci_mig_log_area *area)
{
	if (!vfio_pci_mig_dirty_mark(log->dirty, area->iova, area->length))
		trace_vfio_dma_log_overflow(&log->pci->core.vdev,
					    VFIO_DMA_LOG_NO_RING, false);
}

static void ring_end(struct vfio_pci_mig_log *log, unsigned int ring)
{
	bool exact = vfio_pci_mig_log_ring_end(&log->rings[ring], log->dirty);

	vfio_pci_mig_log_ring_marked(log, ring, exact);
}

/* ---- What a driver reports about its rings ---- */

/**
 * vfio_pci_mig_ring_begin - the device is about to use a ring
 * @pci: the function; DMA is logged
 * @ring: number of the ring
 * @setup: the ring.  The device must not have descriptors from @setup->next on
 *	until the driver's post() gives them to it
 *
 * For the driver's begin() and sync(), and where it lets the device run.  Ends
 * the ring first if it is in use.
 *
 * Context: memory_lock and state lock held.
 */
void vfio_pci_mig_ring_begin(struct vfio_pci_migration *pci, unsigned int ring,
			     const struct vfio_pci_mig_ring *setup)
{
	struct vfio_pci_mig_log *log = pci->log;

	lockdep_assert_held(&pci->mig.lock);
	mutex_lock(&log->dirty_lock);
	ring_end(log, ring);
	if (!vfio_pci_mig_log_ring_begin(&log->rings[ring], setup)) {
		trace_vfio_dma_log_overflow(&pci->core.vdev, ring, true);
		vfio_mig_err(&pci->mig, "ring %u can't be tracked, for lack of memory or since the guest has set it up badly: all of the VM's memory counts as written to while it is in use\n",
			     ring);
	}
	mutex_unlock(&log->dirty_lock);
	vfio_pci_mig_log_wake(pci);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_ring_begin);

/**
 * vfio_pci_mig_ring_end - the device no longer uses a ring
 * @pci: the function; DMA is logged
 * @ring: number of the ring
 *
 * To be called when the device cannot write to the ring's buffers any more.
 *
 * Context: memory_lock and state lock held.
 */
void vfio_pci_mig_ring_end(struct vfio_pci_migration *pci, unsigned int ring)
{
	struct vfio_pci_mig_log *log = pci->log;

	lockdep_assert_held(&pci->mig.lock);
	mutex_lock(&log->dirty_lock);
	ring_end(log, ring);
	mutex_unlock(&log->dirty_lock);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_ring_end);

/**
 * vfio_pci_mig_area - set a range to which the device may write at any time
 * @pci: the function; DMA is logged
 * @area: number of the area
 * @iova: the first byte
 * @length: bytes; 0: no range
 *
 * For the driver's areas(), or where it learns of a change.
 *
 * Context: State lock held.
 */
void vfio_pci_mig_area(struct vfio_pci_migration *pci, unsigned int area,
		       u64 iova, u64 length)
{
	struct vfio_pci_mig_log_area *old = &pci->log->areas[area];

	lockdep_assert_held(&pci->mig.lock);
	if (old->iova == iova && old->length == length)
		return;
	mutex_lock(&pci->log->dirty_lock);
	/* The device may have written to the old range until now. */
	vfio_pci_mig_log_area_mark(pci->log, old);
	old->iova = iova;
	old->length = length;
	mutex_unlock(&pci->log->dirty_lock);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_area);

/* ---- While logging is on ---- */

/**
 * vfio_pci_mig_log_sync - take over what the guest has written to the shadow
 * @pci: the function; does nothing if DMA is not logged
 *
 * Calls the driver's sync(), if the device runs, and areas().  The worker
 * passes doorbells on later.
 *
 * Context: memory_lock and state lock held.
 */
void vfio_pci_mig_log_sync(struct vfio_pci_migration *pci)
{
	lockdep_assert_held(&pci->mig.lock);
	if (!vfio_pci_mig_logs(pci))
		return;
	if (vfio_mig_is_running(&pci->mig))
		vfio_pci_mig_driver_log(pci)->sync(pci);
	vfio_pci_mig_driver_log(pci)->areas(pci);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_log_sync);

static void end_rings(struct vfio_pci_mig_log *log)
{
	unsigned int i;

	mutex_lock(&log->dirty_lock);
	for (i = 0; i < vfio_pci_mig_driver_log(log->pci)->nr_rings; i++)
		ring_end(log, i);
	mutex_unlock(&log->dirty_lock);
}

/**
 * vfio_pci_mig_log_reset - the device has been reset, and its rings with it
 * @pci: the function; does nothing if DMA is not logged
 *
 * What the device wrote before is still reported.  The library calls this for
 * the resets that reach it.  A driver calls it when it has reset the device, or
 * has let the guest reset it.
 *
 * Context: State lock held.
 */
void vfio_pci_mig_log_reset(struct vfio_pci_migration *pci)
{
	lockdep_assert_held(&pci->mig.lock);
	if (!vfio_pci_mig_logs(pci))
		return;
	end_rings(pci->log);
	vfio_pci_mig_driver_log(pci)->begin(pci);
	vfio_pci_mig_driver_log(pci)->areas(pci);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_log_reset);

/* ---- From the first START until close ---- */

static void log_destroy(struct vfio_pci_mig_log *log)
{
	if (!IS_ERR_OR_NULL(log->worker)) {
		/* The worker may wait for user memory that never comes. */
		send_sig(SIGKILL, log->worker, 1);
		kthread_stop(log->worker);
	}
	if (log->page)
		__free_page(log->page);
	mem_cgroup_put(log->memcg);
	mutex_destroy(&log->dirty_lock);
	kfree(log->rings);
	kfree(log->areas);
	kfree(log->descs);
	kvfree(log->taken);
	kfree(log);
}

static struct vfio_pci_mig_log *log_alloc(struct vfio_pci_migration *pci)
{
	const struct vfio_pci_mig_log_driver *driver =
		vfio_pci_mig_driver_log(pci);
	struct vfio_pci_mig_log *log;

	log = kzalloc(sizeof(*log), GFP_KERNEL_ACCOUNT);
	if (!log)
		return NULL;
	log->pci = pci;
	mutex_init(&log->dirty_lock);
	init_waitqueue_head(&log->wait);
	log->memcg = get_mem_cgroup_from_mm(current->mm);
	log->page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	log->rings = kcalloc(driver->nr_rings, sizeof(*log->rings),
			     GFP_KERNEL_ACCOUNT);
	log->areas = kcalloc(driver->nr_areas, sizeof(*log->areas),
			     GFP_KERNEL_ACCOUNT);
	log->descs = kmalloc(SZ_4K, GFP_KERNEL_ACCOUNT);
	log->taken = kvmalloc(sizeof(*log->taken), GFP_KERNEL_ACCOUNT);
	if (log->page && log->rings && log->areas && log->descs && log->taken)
		return log;
	log_destroy(log);
	return NULL;
}

static int log_create(struct vfio_pci_migration *pci)
{
	struct vfio_pci_mig_log *log = log_alloc(pci);
	int ret;

	if (!log)
		return -ENOMEM;
	log->worker = kthread_run(vfio_pci_mig_log_worker, log, "vfio-log/%s",
				  pci_name(pci->core.pdev));
	if (IS_ERR(log->worker)) {
		ret = PTR_ERR(log->worker);
		log_destroy(log);
		return ret;
	}
	vfio_mig_lock(&pci->mig, true);
	pci->log = log;
	vfio_mig_unlock(&pci->mig, true);
	return 0;
}

/* ---- START, STOP ---- */

/* Exchanges the device's page of doorbells for the shadow. */
static int switch_on(struct vfio_pci_migration *pci,
		     struct vfio_pci_mig_dirty *dirty)
{
	struct vfio_pci_mig_log *log = pci->log;
	int ret;

	ret = vfio_mig_lock_killable(&pci->mig, true);
	if (ret)
		return ret;
	if (!vfio_pci_mig_memory_usable(pci)) {
		ret = -EIO;
		goto out_unlock;
	}
	vfio_pci_mig_prepare(&pci->mig);
	vfio_pci_mig_doorbells_zap(pci);
	log->dirty = dirty;
	log->on = true;
	log->scanning = true;
	clear_page(page_address(log->page));
	vfio_pci_mig_driver_log(pci)->begin(pci);
	vfio_pci_mig_driver_log(pci)->areas(pci);
	vfio_pci_mig_log_wake(pci);
out_unlock:
	vfio_mig_unlock(&pci->mig, true);
	return ret;
}

/*
 * Gives the guest the device's page again.  The worker no longer uses dirty.
 * If the device is awake, it gets what the shadow holds, even if the user has
 * it in low power mode: the doorbells must be there when the mode ends.
 */
static void switch_off(struct vfio_pci_migration *pci, bool awake)
{
	struct vfio_pci_mig_log *log = pci->log;
	struct vfio_pci_mig_dirty *dirty = log->dirty;

	vfio_mig_lock(&pci->mig, true);
	vfio_pci_mig_doorbells_zap(pci);
	if (awake && vfio_pci_mig_memory_enabled(pci)) {
		vfio_pci_mig_prepare(&pci->mig);
		vfio_pci_mig_driver_log(pci)->end(pci);
	}
	end_rings(log);
	memset(log->areas, 0,
	       vfio_pci_mig_driver_log(pci)->nr_areas * sizeof(*log->areas));
	log->on = false;
	log->dirty = NULL;
	vfio_mig_unlock(&pci->mig, true);
	vfio_pci_mig_dirty_free(dirty);
}

static void log_end(struct vfio_pci_migration *pci)
{
	bool awake = pm_runtime_resume_and_get(pci->core.vdev.dev) >= 0;

	switch_off(pci, awake);
	trace_vfio_dma_log_stop(&pci->core.vdev);
	if (awake)
		pm_runtime_put(pci->core.vdev.dev);
}

static int log_begin(struct vfio_pci_migration *pci,
		     struct rb_root_cached *ranges, u32 count)
{
	struct vfio_pci_mig_dirty *dirty;
	int ret = 0;

	if (!pci->log)
		ret = log_create(pci);
	if (ret)
		return ret;
	dirty = vfio_pci_mig_dirty_alloc(ranges, count);
	if (IS_ERR(dirty))
		return PTR_ERR(dirty);
	ret = pm_runtime_resume_and_get(pci->core.vdev.dev);
	if (ret < 0)
		goto err_free;
	ret = switch_on(pci, dirty);
	pm_runtime_put(pci->core.vdev.dev);
	if (ret)
		goto err_free;
	/*
	 * No REPORT has to contain what the device wrote before START returned.
	 */
	ret = wait_event_state(pci->log->wait, !READ_ONCE(pci->log->scanning),
			       (TASK_KILLABLE | TASK_FREEZABLE));
	if (ret)
		log_end(pci);
	return ret;

err_free:
	vfio_pci_mig_dirty_free(dirty);
	return ret;
}

static struct vfio_pci_migration *log_lock(struct vfio_device *vdev)
{
	struct vfio_pci_migration *pci = vdev_to_vfio_pci_mig(vdev);
	int ret = mutex_lock_killable(&pci->log_lock);

	return ret ? ERR_PTR(ret) : pci;
}

static int log_start(struct vfio_device *vdev, struct rb_root_cached *ranges,
		     u32 count, u64 *page_size)
{
	struct vfio_pci_migration *pci;
	u64 begin = ktime_get_ns();
	int ret = -EINVAL;

	if (*page_size < SZ_4K)
		return -EINVAL;
	pci = log_lock(vdev);
	if (IS_ERR(pci))
		return PTR_ERR(pci);
	if (!vfio_pci_mig_logs(pci))
		ret = log_begin(pci, ranges, count);
	mutex_unlock(&pci->log_lock);
	trace_vfio_dma_log_start(vdev, count, ret, ktime_get_ns() - begin);
	if (!ret)
		*page_size = SZ_4K;
	return ret;
}

static int log_stop(struct vfio_device *vdev)
{
	struct vfio_pci_migration *pci = log_lock(vdev);
	int ret = -EINVAL;

	if (IS_ERR(pci))
		return PTR_ERR(pci);
	if (vfio_pci_mig_logs(pci)) {
		log_end(pci);
		ret = 0;
	}
	mutex_unlock(&pci->log_lock);
	return ret;
}

static int log_read_and_clear(struct vfio_device *vdev, unsigned long iova,
			      unsigned long length, struct iova_bitmap *to)
{
	struct vfio_pci_migration *pci = log_lock(vdev);
	int ret = -EINVAL;

	if (IS_ERR(pci))
		return PTR_ERR(pci);
	if (vfio_pci_mig_logs(pci))
		ret = vfio_pci_mig_log_report(pci, iova, length, to);
	mutex_unlock(&pci->log_lock);
	return ret;
}

static const struct vfio_log_ops vfio_pci_mig_log_ops = {
	.log_start = log_start,
	.log_stop = log_stop,
	.log_read_and_clear = log_read_and_clear,
};

/* ---- The life of the device ---- */

/*
 * Linux's vfio.ko reports with the IOVA bitmaps of iommufd.
 */
#ifdef VFIO_CORE_OF_LINUX
#define CORE_CAN_REPORT	IS_ENABLED(CONFIG_IOMMUFD_DRIVER)
#else
#define CORE_CAN_REPORT	true
#endif

/*
 * A user is offered DMA logging or not, from open to close.  Never on arm64,
 * where a guest maps registers as device memory, and does not see what the
 * kernel writes to memory in their place.
 */
static void offer_logging(struct vfio_pci_migration *pci, bool offered)
{
	if (!CORE_CAN_REPORT || !IS_ENABLED(CONFIG_X86) ||
	    !vfio_pci_mig_driver_log(pci))
		return;
	pci->core.vdev.log_ops = offered ? &vfio_pci_mig_log_ops : NULL;
}

void vfio_pci_mig_log_init(struct vfio_pci_migration *pci)
{
	mutex_init(&pci->log_lock);
	offer_logging(pci, true);
}

void vfio_pci_mig_log_open(struct vfio_pci_migration *pci)
{
	const struct vfio_pci_mig_log_driver *driver =
		vfio_pci_mig_driver_log(pci);
	bool offered = !vfio_iommufd_device_ictx(&pci->core.vdev);

	if (offered && driver && driver->usable)
		offered = driver->usable(pci);
	offer_logging(pci, offered);
}

void vfio_pci_mig_log_close(struct vfio_pci_migration *pci)
{
	struct vfio_pci_mig_log *log = pci->log;

	offer_logging(pci, true);
	if (!log)
		return;
	if (log->on)
		log_end(pci);
	/* A reset, which may come from sysfs at any time, looks at pci->log. */
	vfio_mig_lock(&pci->mig, true);
	pci->log = NULL;
	vfio_mig_unlock(&pci->mig, true);
	log_destroy(log);
}
