// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buffers that a device has.  The mirror of a ring has, by index, the
 * buffers that were posted there last.  The device may write to a buffer until
 * another one is posted at its index, which the guest does when it has seen
 * that the device is done with the first.
 *
 * A buffer is put into the dirty set when it is recorded.  A REPORT takes it
 * out, and puts the buffers of all mirrors back in, as the device may still
 * write to them.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "private.h"

static bool mark_buffers(struct vfio_pci_mig_log_ring *ring,
			 struct vfio_pci_mig_dirty *dirty,
			 const u64 iova[VFIO_PCI_MIG_BUFFERS])
{
	bool exact = true;
	unsigned int i;

	for (i = 0; i < VFIO_PCI_MIG_BUFFERS; i++)
		if (iova[i] != VFIO_PCI_MIG_NO_BUFFER)
			exact &= vfio_pci_mig_dirty_mark(dirty, iova[i],
							 ring->setup.len[i]);
	return exact;
}

bool vfio_pci_mig_log_ring_begin(struct vfio_pci_mig_log_ring *ring,
				 const struct vfio_pci_mig_ring *setup)
{
	size_t size = array3_size(setup->count, VFIO_PCI_MIG_BUFFERS,
				  sizeof(*ring->last));

	ring->setup = *setup;
	ring->active = true;
	ring->generation++;
	ring->scanned = setup->in_use ? 0 : setup->count;
	ring->last = kvmalloc(size, VFIO_PCI_MIG_GFP_MAYFAIL);
	ring->untracked = !ring->last || setup->next >= setup->count ||
			  setup->unknown;
	if (ring->untracked)
		return false;
	memset(ring->last, 0xff, size);		/* VFIO_PCI_MIG_NO_BUFFER */
	return true;
}

bool vfio_pci_mig_log_ring_end(struct vfio_pci_mig_log_ring *ring,
			       struct vfio_pci_mig_dirty *dirty)
{
	bool exact = vfio_pci_mig_log_ring_mark(ring, dirty);

	if (!ring->active)
		return true;
	kvfree(ring->last);
	ring->last = NULL;
	ring->active = false;
	ring->generation++;
	return exact;
}

bool vfio_pci_mig_log_ring_record(struct vfio_pci_mig_log_ring *ring,
				  struct vfio_pci_mig_dirty *dirty, u32 index,
				  const u64 iova[VFIO_PCI_MIG_BUFFERS])
{
	if (ring->untracked)
		return false;
	memcpy(&ring->last[index * VFIO_PCI_MIG_BUFFERS], iova,
	       VFIO_PCI_MIG_BUFFERS * sizeof(*iova));
	return mark_buffers(ring, dirty, iova);
}

bool vfio_pci_mig_log_ring_mark(struct vfio_pci_mig_log_ring *ring,
				struct vfio_pci_mig_dirty *dirty)
{
	bool exact = true;
	u32 i;

	if (!ring->active)
		return true;
	if (ring->untracked) {
		vfio_pci_mig_dirty_mark_all(dirty);
		return false;
	}
	for (i = 0; i < ring->setup.count; i++)
		exact &= mark_buffers(ring, dirty,
				      &ring->last[i * VFIO_PCI_MIG_BUFFERS]);
	return exact;
}
