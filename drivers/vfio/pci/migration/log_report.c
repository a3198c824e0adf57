// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA logging: REPORT.  Takes the pages that were recorded since the previous
 * REPORT out of the dirty set.  Then it marks the buffers in the mirrors again,
 * for the next REPORT, as the device may still write to them.
 */
#include <linux/ktime.h>

#include <trace/events/vfio_dma_log.h>

#include "private.h"

/* Has the driver say where the areas are now: 0 or -EINTR */
static int update_areas(struct vfio_pci_migration *pci)
{
	int ret = vfio_mig_lock_killable(&pci->mig, false);

	if (ret)
		return ret;
	if (vfio_pci_mig_memory_usable(pci))
		vfio_pci_mig_log_sync(pci);
	vfio_mig_unlock(&pci->mig, false);
	return 0;
}

/* Marks the buffers in the mirror of a ring. */
static void mark_ring(struct vfio_pci_mig_log *log, unsigned int ring)
{
	bool exact;

	lockdep_assert_held(&log->dirty_lock);
	exact = vfio_pci_mig_log_ring_mark(&log->rings[ring], log->dirty);
	vfio_pci_mig_log_ring_marked(log, ring, exact);
}

/* Marks what the device may have written to and the worker does not record. */
static void mark_unrecorded(struct vfio_pci_mig_log *log)
{
	unsigned int i;

	for (i = 0; i < vfio_pci_mig_driver_log(log->pci)->nr_areas; i++)
		vfio_pci_mig_log_area_mark(log, &log->areas[i]);
	for (i = 0; i < vfio_pci_mig_driver_log(log->pci)->nr_rings; i++)
		if (log->rings[i].untracked)
			mark_ring(log, i);
}

static void mark_rings(struct vfio_pci_mig_log *log)
{
	unsigned int i;

	for (i = 0; i < vfio_pci_mig_driver_log(log->pci)->nr_rings; i++)
		mark_ring(log, i);
}

static bool take_part(struct vfio_pci_mig_log *log)
{
	bool taken;

	mutex_lock(&log->dirty_lock);
	taken = vfio_pci_mig_dirty_take(log->dirty, log->taken);
	mutex_unlock(&log->dirty_lock);
	return taken;
}

/*
 * Linux's iova_bitmap_set() may touch user memory, so none of the locks that a
 * reset takes is held.
 */
static void report_part(const struct vfio_pci_mig_dirty_part *part,
			struct iova_bitmap *to, u64 *pages, u64 *runs)
{
	unsigned long first, end;

	for_each_set_bitrange(first, end, part->bits,
			      VFIO_PCI_MIG_DIRTY_PAGES) {
		iova_bitmap_set(to, (part->base + first)
				    << VFIO_PCI_MIG_DIRTY_SHIFT,
				(end - first) << VFIO_PCI_MIG_DIRTY_SHIFT);
		*pages += end - first;
		(*runs)++;
	}
}

int vfio_pci_mig_log_report(struct vfio_pci_migration *pci, unsigned long iova,
			    unsigned long length, struct iova_bitmap *to)
{
	u64 pages = 0, runs = 0, begin = ktime_get_ns();
	struct vfio_pci_mig_log *log = pci->log;
	int ret;

	ret = update_areas(pci);
	if (ret)
		return ret;
	mutex_lock(&log->dirty_lock);
	mark_unrecorded(log);
	mutex_unlock(&log->dirty_lock);

	log->taken->next = iova >> VFIO_PCI_MIG_DIRTY_SHIFT;
	log->taken->last = (iova + length - 1) >> VFIO_PCI_MIG_DIRTY_SHIFT;
	while (take_part(log))
		report_part(log->taken, to, &pages, &runs);

	/* The device may still write to these buffers. */
	mutex_lock(&log->dirty_lock);
	mark_rings(log);
	mutex_unlock(&log->dirty_lock);
	trace_vfio_dma_log_report(&pci->core.vdev, iova, length, pages, runs,
				  ktime_get_ns() - begin);
	return 0;
}
