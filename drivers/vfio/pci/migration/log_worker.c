// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worker of DMA logging: looks at the doorbells, reads the descriptors that
 * the guest has posted, records their buffers, and only then gives the
 * descriptors to the device.
 *
 * It reads guest memory with none of its locks held: the memory may be a mapping
 * of the device, and the VMM decides how long a page fault takes.  The
 * generation of a ring tells whether the ring has changed meanwhile.
 *
 * A guest's doorbell is a write to memory, which does not wake the worker.  So
 * it polls while there is traffic.  When several looks have found nothing, it
 * takes the shadow out of the guest's mapping and sleeps.  The guest's next
 * access faults and wakes it.  Nothing wakes it when a device answers again,
 * after low power mode for instance, so until then it goes on polling.
 */
#include <linux/delay.h>
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include <trace/events/vfio_dma_log.h>

#include "private.h"

/* The time between two looks; it grows while nothing is found. */
#define LOOK_MIN_US	400
#define LOOK_MAX_US	2000
/* The same while the device does not answer */
#define LOOK_DEAF_US	20000
/* The worker sleeps after this many looks that find nothing. */
#define LOOKS_TO_REST	6
/*
 * The driver's areas(), which reads the device, is called at one look of this
 * many.
 */
#define LOOKS_TO_AREAS	16

/**
 * struct batch - descriptors of a ring, to be read and recorded
 * @ring: number of the ring
 * @generation: generation of the ring when the batch was made
 * @iova: IOVA of the first descriptor
 * @first: index of the first descriptor
 * @count: descriptors
 * @scan: START reads them, as the device may have them already
 */
struct batch {
	unsigned int ring;
	u32 generation;
	u64 iova;
	u32 first;
	u32 count;
	bool scan;
};

/* What a look has found; the largest of all rings counts. */
enum look {
	LOOK_NOTHING,
	LOOK_DEAF,	/* the device runs, but can't be given doorbells */
	LOOK_NEWS,
	LOOK_FULL,	/* a full batch: more may be there, so look again at once */
	LOOK_STUCK,	/* the guest's descriptors can't be read */
};

/*
 * May the device use its rings?  It may receive while its memory does not
 * answer, too.  memory_lock and state lock held
 */
static bool is_running(const struct vfio_pci_mig_log *log)
{
	return log->on && vfio_mig_is_running(&log->pci->mig);
}

/* May doorbells be passed on?  memory_lock and state lock held */
static bool can_look(const struct vfio_pci_mig_log *log)
{
	return is_running(log) && vfio_pci_mig_memory_usable(log->pci);
}

/*
 * Has START still to look at descriptors of the ring?  It does so whether the
 * device answers or not, as it reads memory only.  memory_lock and state lock
 * held
 */
static bool needs_scan(const struct vfio_pci_mig_log *log,
		       const struct vfio_pci_mig_log_ring *ring)
{
	return is_running(log) && ring->active && !ring->untracked &&
	       ring->scanned < ring->setup.count;
}

static void post_descs(struct vfio_pci_mig_log *log, unsigned int index,
		       u32 next)
{
	log->rings[index].setup.next = next;
	vfio_pci_mig_driver_log(log->pci)->post(log->pci, index, next);
}

/* All memory is reported, so descriptors need not be read. */
static void post_untracked(struct vfio_pci_mig_log *log, unsigned int index)
{
	struct vfio_pci_mig_log_ring *ring = &log->rings[index];
	u32 tail = vfio_pci_mig_driver_log(log->pci)->tail(log->pci, index);

	if (tail < ring->setup.count && tail != ring->setup.next)
		post_descs(log, index, tail);
}

/*
 * Fills in the next descriptors of a ring to be read; false if there are none.
 */
static bool next_batch(struct vfio_pci_mig_log *log, unsigned int index,
		       struct batch *batch)
{
	struct vfio_pci_mig_log_ring *ring = &log->rings[index];
	size_t size = vfio_pci_mig_driver_log(log->pci)->desc_size;
	u32 first, end;

	batch->scan = needs_scan(log, ring);
	if (!batch->scan && (!can_look(log) || !ring->active))
		return false;
	if (ring->untracked) {
		post_untracked(log, index);
		return false;
	}
	if (batch->scan) {
		first = ring->scanned;
		end = ring->setup.count;
	} else {
		first = ring->setup.next;
		end = vfio_pci_mig_driver_log(log->pci)->tail(log->pci, index);
		if (end >= ring->setup.count || end == first)
			return false;
		if (end < first)
			end = ring->setup.count;	/* up to the wrap */
	}
	batch->ring = index;
	batch->generation = ring->generation;
	batch->first = first;
	batch->count = min_t(u32, end - first, SZ_4K / size);
	batch->iova = ring->setup.iova + first * size;
	return true;
}

static void record_batch(struct vfio_pci_mig_log *log,
			 const struct batch *batch)
{
	struct vfio_pci_mig_log_ring *ring = &log->rings[batch->ring];
	const struct vfio_pci_mig_log_driver *driver =
		vfio_pci_mig_driver_log(log->pci);
	const void *desc = log->descs;
	u64 iova[VFIO_PCI_MIG_BUFFERS];
	bool exact = true;
	u32 i;

	mutex_lock(&log->dirty_lock);
	for (i = 0; i < batch->count; i++, desc += driver->desc_size)
		if (driver->buffers(&ring->setup, desc, iova) || !batch->scan)
			exact &= vfio_pci_mig_log_ring_record(ring, log->dirty,
							      batch->first + i,
							      iova);
	vfio_pci_mig_log_ring_marked(log, batch->ring, exact);
	mutex_unlock(&log->dirty_lock);
}

/* The ring is as it was when the batch was made. */
static enum look batch_failed(struct vfio_pci_mig_log *log,
			      const struct batch *batch, int error)
{
	/* -ESRCH: the process that owns the memory has exited. */
	if (error != -ESRCH)
		vfio_mig_err(&log->pci->mig, "descriptors at IOVA %#llx can't be read (%d): %s\n",
			     batch->iova, error,
			     batch->scan ? "all of the VM's memory counts as written to while the ring is in use" :
			     "nothing is received until they can, or until DMA logging ends");
	if (!batch->scan)
		return LOOK_STUCK;
	trace_vfio_dma_log_overflow(&log->pci->core.vdev, batch->ring, true);
	mutex_lock(&log->dirty_lock);
	log->rings[batch->ring].untracked = true;
	mutex_unlock(&log->dirty_lock);
	return LOOK_NEWS;
}

/* Records and posts descriptors, if they were read without an error. */
static enum look batch_done(struct vfio_pci_mig_log *log,
			    const struct batch *batch, int error)
{
	struct vfio_pci_mig_log_ring *ring = &log->rings[batch->ring];
	u32 end = batch->first + batch->count;

	if (!(batch->scan ? needs_scan(log, ring) : can_look(log)) ||
	    ring->generation != batch->generation)
		return LOOK_NEWS;
	if (error)
		return batch_failed(log, batch, error);
	record_batch(log, batch);
	if (batch->scan)
		ring->scanned = end;
	else
		post_descs(log, batch->ring, end % ring->setup.count);
	return LOOK_FULL;
}

/* What a look finds where nothing can be passed on; locks as above */
static enum look found_nothing(const struct vfio_pci_mig_log *log)
{
	return is_running(log) && !can_look(log) ? LOOK_DEAF : LOOK_NOTHING;
}

static enum look look_at_ring(struct vfio_pci_mig_log *log, unsigned int index)
{
	size_t size = vfio_pci_mig_driver_log(log->pci)->desc_size;
	struct batch batch;
	enum look result;
	int error;

	vfio_mig_lock(&log->pci->mig, false);
	if (!next_batch(log, index, &batch)) {
		result = found_nothing(log);
		goto out_unlock;
	}
	vfio_mig_unlock(&log->pci->mig, false);
	error = vfio_dma_rw(&log->pci->core.vdev, batch.iova, log->descs,
			    batch.count * size, false);
	vfio_mig_lock(&log->pci->mig, false);
	result = batch_done(log, &batch, error);
	if (result == LOOK_FULL && batch.count < SZ_4K / size)
		result = LOOK_NEWS;
out_unlock:
	vfio_mig_unlock(&log->pci->mig, false);
	return result;
}

/* Wakes START when all descriptors that the device already had are recorded. */
static void end_scan(struct vfio_pci_mig_log *log)
{
	unsigned int i;

	vfio_mig_lock(&log->pci->mig, false);
	for (i = 0; i < vfio_pci_mig_driver_log(log->pci)->nr_rings; i++)
		if (needs_scan(log, &log->rings[i]))
			break;
	if (i == vfio_pci_mig_driver_log(log->pci)->nr_rings && log->on) {
		WRITE_ONCE(log->scanning, false);
		wake_up(&log->wait);
	}
	vfio_mig_unlock(&log->pci->mig, false);
}

static enum look sync_shadow(struct vfio_pci_mig_log *log, unsigned int looks)
{
	enum look result;

	vfio_mig_lock(&log->pci->mig, false);
	if (can_look(log)) {
		vfio_pci_mig_driver_log(log->pci)->sync(log->pci);
		if (!(looks % LOOKS_TO_AREAS))
			vfio_pci_mig_driver_log(log->pci)->areas(log->pci);
	}
	result = found_nothing(log);
	vfio_mig_unlock(&log->pci->mig, false);
	return result;
}

static enum look look_at_rings(struct vfio_pci_mig_log *log, unsigned int looks)
{
	enum look result = sync_shadow(log, looks);
	unsigned int i;

	for (i = 0; i < vfio_pci_mig_driver_log(log->pci)->nr_rings; i++)
		result = max(result, look_at_ring(log, i));
	if (READ_ONCE(log->scanning))
		end_scan(log);
	return result;
}

/*
 * Sleeps until there is a doorbell.  The guest may have rung one before the
 * page was taken away, so this looks once more.  kicked is cleared first, so
 * that no wake-up is lost.
 */
static void sleep_until_doorbell(struct vfio_pci_mig_log *log)
{
	WRITE_ONCE(log->kicked, false);
	down_write(&log->pci->core.memory_lock);
	if (log->on)
		vfio_pci_mig_doorbells_zap(log->pci);
	up_write(&log->pci->core.memory_lock);
	if (look_at_rings(log, 0) == LOOK_NOTHING)
		wait_event_freezable(log->wait, READ_ONCE(log->kicked) ||
						kthread_should_stop());
}

int vfio_pci_mig_log_worker(void *data)
{
	struct vfio_pci_mig_log *log = data;
	struct mem_cgroup *old = set_active_memcg(log->memcg);
	unsigned int looks = 0, idle = LOOKS_TO_REST, us = LOOK_MIN_US;

	allow_signal(SIGKILL);	/* ends a wait for user memory */
	set_freezable();
	while (!kthread_freezable_should_stop(NULL)) {
		switch (look_at_rings(log, looks++)) {
		case LOOK_FULL:
			cond_resched();
			idle = 0;
			continue;
		case LOOK_NEWS:
			us = LOOK_MIN_US;
			idle = 0;
			break;
		case LOOK_STUCK:
			us = LOOK_MAX_US;
			idle = 0;
			break;
		case LOOK_DEAF:
			us = LOOK_DEAF_US;
			idle = 0;
			break;
		case LOOK_NOTHING:
			us = min(2 * us, LOOK_MAX_US);
			idle++;
			break;
		}
		if (idle < LOOKS_TO_REST) {
			usleep_range(us, 2 * us);
			continue;
		}
		sleep_until_doorbell(log);
		us = LOOK_MIN_US;
		idle = 0;
	}
	set_active_memcg(old);
	return 0;
}
