// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worker of DMA logging: looks at the doorbells, reads the descriptors that
 * the guest has posted, records their buffers, and only then gives them to the
 * device.
 *
 * Guest memory is read with no lock held: it may be a mapping of the device, or
 * take as long to appear as its owner likes.  What has become of the ring in
 * the meantime is seen by its generation.
 *
 * A guest's doorbell is a write to memory, which wakes nobody.  So the worker
 * looks again and again while there is traffic.  When there was none for a
 * while, it takes the page away from the guest and sleeps: the guest's next
 * access faults, and wakes it.
 */
#include <linux/delay.h>
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include <trace/events/vfio_dma_log.h>

#include "private.h"

/* Between two looks; longer and longer while nothing is found */
#define LOOK_MIN_US	400
#define LOOK_MAX_US	2000
#define LOOKS_TO_REST	6
/* How often the device is asked what it does by itself */
#define LOOKS_TO_AREAS	16

/**
 * struct batch - descriptors of a ring, to be read and recorded
 * @ring: which
 * @generation: of the ring
 * @iova: where they are
 * @first: index of the first of them
 * @count: how many
 * @scan: the device may have them already
 */
struct batch {
	unsigned int ring;
	u32 generation;
	u64 iova;
	u32 first;
	u32 count;
	bool scan;
};

enum look {
	LOOK_NOTHING,
	LOOK_NEWS,
	LOOK_FULL,	/* there may be more, which need not be waited for */
	LOOK_STUCK,	/* the guest's descriptors can't be read */
};

/* Are there doorbells to look at?  Locks held */
static bool works(struct vfio_pci_mig_log *log)
{
	return log->on && vfio_mig_is_running(&log->pci->mig) &&
	       vfio_pci_mig_answers(log->pci);
}

static void post(struct vfio_pci_mig_log *log, unsigned int index, u32 next)
{
	log->rings[index].setup.next = next;
	vfio_pci_mig_driver_log(log->pci)->post(log->pci, index, next);
}

/* Nothing is known of its buffers, and all memory is reported. */
static void serve_blindly(struct vfio_pci_mig_log *log, unsigned int index)
{
	struct vfio_pci_mig_log_ring *ring = &log->rings[index];
	u32 tail = vfio_pci_mig_driver_log(log->pci)->tail(log->pci, index);

	ring->scanned = ring->setup.count;
	if (tail < ring->setup.count && tail != ring->setup.next)
		post(log, index, tail);
}

/* What is next to be read of a ring; false if there is nothing. */
static bool next_batch(struct vfio_pci_mig_log *log, unsigned int index,
		       struct batch *batch)
{
	struct vfio_pci_mig_log_ring *ring = &log->rings[index];
	size_t size = vfio_pci_mig_driver_log(log->pci)->desc_size;
	u32 first, end;

	if (!ring->active)
		return false;
	if (ring->blind) {
		serve_blindly(log, index);
		return false;
	}
	batch->scan = ring->scanned < ring->setup.count;
	if (batch->scan) {
		first = ring->scanned;
		end = ring->setup.count;
	} else {
		first = ring->setup.next;
		end = vfio_pci_mig_driver_log(log->pci)->tail(log->pci, index);
		if (end >= ring->setup.count || end == first)
			return false;
		if (end < first)
			end = ring->setup.count;	/* first the upper part */
	}
	batch->ring = index;
	batch->generation = ring->generation;
	batch->first = first;
	batch->count = min_t(u32, end - first, SZ_4K / size);
	batch->iova = ring->setup.iova + first * size;
	return true;
}

static void record(struct vfio_pci_mig_log *log, const struct batch *batch)
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
	mutex_unlock(&log->dirty_lock);
	if (!exact)
		trace_vfio_dma_log_overflow(&log->pci->core.vdev, batch->ring,
					    false);
}

/* The descriptors have been read, unless there was an error. */
static enum look batch_done(struct vfio_pci_mig_log *log,
			    const struct batch *batch, int error)
{
	struct vfio_pci_mig_log_ring *ring = &log->rings[batch->ring];
	u32 end = batch->first + batch->count;

	if (!works(log) || !ring->active ||
	    ring->generation != batch->generation)
		return LOOK_NEWS;
	/* Whose memory it was is gone, and closes the device. */
	if (error == -ESRCH)
		return LOOK_STUCK;
	if (error) {
		vfio_mig_err(&log->pci->mig, "descriptors at IOVA %#llx can't be read (%d): %s\n",
			     batch->iova, error,
			     batch->scan ? "all of the VM's memory counts as written to while the ring is in use" :
			     "nothing is received until they can, or until DMA logging ends");
		if (!batch->scan)
			return LOOK_STUCK;
		trace_vfio_dma_log_overflow(&log->pci->core.vdev, batch->ring,
					    true);
		mutex_lock(&log->dirty_lock);
		ring->blind = true;
		mutex_unlock(&log->dirty_lock);
		return LOOK_NEWS;
	}
	record(log, batch);
	if (batch->scan)
		ring->scanned = end;
	else
		post(log, batch->ring, end % ring->setup.count);
	return LOOK_FULL;
}

static enum look look_at_ring(struct vfio_pci_mig_log *log, unsigned int index)
{
	size_t size = vfio_pci_mig_driver_log(log->pci)->desc_size;
	enum look result = LOOK_NOTHING;
	struct batch batch;
	int error;

	vfio_mig_lock(&log->pci->mig, false);
	if (!works(log) || !next_batch(log, index, &batch))
		goto out_unlock;
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

/* START waits until all that the device has is recorded. */
static void end_scan(struct vfio_pci_mig_log *log)
{
	unsigned int i;

	vfio_mig_lock(&log->pci->mig, false);
	for (i = 0; i < vfio_pci_mig_driver_log(log->pci)->nr_rings; i++)
		if (log->rings[i].active && works(log) &&
		    log->rings[i].scanned < log->rings[i].setup.count)
			break;
	if (i == vfio_pci_mig_driver_log(log->pci)->nr_rings && log->on) {
		WRITE_ONCE(log->scanning, false);
		wake_up(&log->wait);
	}
	vfio_mig_unlock(&log->pci->mig, false);
}

static void sync(struct vfio_pci_mig_log *log, unsigned int looks)
{
	vfio_mig_lock(&log->pci->mig, false);
	if (works(log)) {
		vfio_pci_mig_driver_log(log->pci)->sync(log->pci);
		if (!(looks % LOOKS_TO_AREAS))
			vfio_pci_mig_driver_log(log->pci)->areas(log->pci);
	}
	vfio_mig_unlock(&log->pci->mig, false);
}

static enum look look(struct vfio_pci_mig_log *log, unsigned int looks)
{
	enum look result = LOOK_NOTHING;
	unsigned int i;

	sync(log, looks);
	for (i = 0; i < vfio_pci_mig_driver_log(log->pci)->nr_rings; i++)
		result = max(result, look_at_ring(log, i));
	if (READ_ONCE(log->scanning))
		end_scan(log);
	return result;
}

/*
 * Sleeps until there is a doorbell.  One that was rung before the page was
 * taken away is seen by the look after that.
 */
static void rest(struct vfio_pci_mig_log *log)
{
	WRITE_ONCE(log->kicked, false);
	down_write(&log->pci->core.memory_lock);
	if (log->on)
		vfio_pci_mig_doorbells_zap(log->pci);
	up_write(&log->pci->core.memory_lock);
	if (look(log, 0) == LOOK_NOTHING)
		wait_event_freezable(log->wait, READ_ONCE(log->kicked) ||
						kthread_should_stop());
}

int vfio_pci_mig_log_worker(void *data)
{
	struct vfio_pci_mig_log *log = data;
	struct mem_cgroup *old = set_active_memcg(log->memcg);
	unsigned int looks = 0, idle = LOOKS_TO_REST, us = LOOK_MIN_US;

	allow_signal(SIGKILL);	/* so that no wait for user memory is forever */
	set_freezable();
	while (!kthread_freezable_should_stop(NULL)) {
		switch (look(log, looks++)) {
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
		case LOOK_NOTHING:
			us = min(2 * us, LOOK_MAX_US);
			idle++;
			break;
		}
		if (idle < LOOKS_TO_REST) {
			usleep_range(us, 2 * us);
			continue;
		}
		rest(log);
		us = LOOK_MIN_US;
		idle = 0;
	}
	set_active_memcg(old);
	return 0;
}
