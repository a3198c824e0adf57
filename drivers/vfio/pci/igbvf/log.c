// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the VF writes to memory, for DMA logging: received frames to the buffers
 * that receive descriptors name; used descriptors back to the rings of all
 * queues; and transmit heads (datasheet, "Receive Descriptor Write Back
 * Format", "Transmit Descriptor Write-Back Format").
 *
 * While logging is on, the guest has the shadow, a page of memory, in place of
 * the receive queues' registers.  This file passes on to the device what the
 * guest writes there, except for the tails, which the library's worker passes
 * on when the buffers are recorded.
 */
#include <linux/bitfield.h>
#include <linux/sizes.h>

#include "private.h"

/* Areas: receive rings, transmit rings, written-back transmit heads */
#define AREA_RX(queue)		(queue)
#define AREA_TX(queue)		(IGBVF_QUEUES + (queue))
#define AREA_HEAD(queue)	(2 * IGBVF_QUEUES + (queue))
#define NR_AREAS		(3 * IGBVF_QUEUES)

/* SRRCTL.BSIZEPACKET is 0: the PF sets the size of buffers, to this at most. */
#define BUFFER_MAX		SZ_16K
/* SRRCTL.BSIZEHEADER is 0: the same for buffers of headers */
#define HEADER_MAX		(FIELD_MAX(VTQ_SRRCTL_BSIZEHEADER) * 64)

/* How often registers are read again if the guest changes them meanwhile */
#define SNAPSHOTS		4

static struct igbvf_device *pci_to_igbvf(struct vfio_pci_migration *pci)
{
	return mig_to_igbvf(&pci->mig);
}

/* ---- The guest's registers ---- */

static u32 *shadow(struct igbvf_device *vf, unsigned int queue, u32 offset)
{
	u32 *page = vfio_pci_mig_shadow(&vf->pci);

	return page + (VTRXQ(queue) + offset) % SZ_4K / sizeof(*page);
}

static u32 shadow_read(struct igbvf_device *vf, unsigned int queue, u32 offset)
{
	/* Later reads see what the guest has written before this value. */
	return smp_load_acquire(shadow(vf, queue, offset));
}

static void shadow_write(struct igbvf_device *vf, unsigned int queue,
			 u32 offset, u32 value)
{
	WRITE_ONCE(*shadow(vf, queue, offset), value);
}

/* Writes @value unless the guest has written something else than @old */
static bool shadow_replace(struct igbvf_device *vf, unsigned int queue,
			   u32 offset, u32 old, u32 value)
{
	return cmpxchg(shadow(vf, queue, offset), old, value) == old;
}

/* Does the guest have the shadow in place of this ring's registers? */
static bool is_shadowed(struct igbvf_device *vf, unsigned int ring)
{
	return ring < IGBVF_QUEUES && vfio_pci_mig_shadow(&vf->pci);
}

/*
 * Reads a register of a ring from the shadow.  False if the guest has the
 * device's register
 */
bool igbvf_log_read(struct igbvf_device *vf, unsigned int ring, u32 offset,
		    u32 *value)
{
	if (!is_shadowed(vf, ring))
		return false;
	*value = shadow_read(vf, ring, offset);
	return true;
}

/* Reads the registers of a queue, except for the tail, from the shadow. */
static void read_once(struct igbvf_device *vf, unsigned int queue, u32 *values)
{
	const struct vfio_pci_mig_reg *regs = igbvf_ring_regs[queue];

	for (unsigned int i = 0; i < RING_TAIL; i++)
		values[i] = regs[i].mask ?
			    shadow_read(vf, queue, regs[i].offset) &
			    regs[i].mask : 0;
}

/*
 * Reads registers as they were at one moment: values that are the same twice
 * were so in between.  False if the guest keeps changing them.
 */
static bool read_snapshot(struct igbvf_device *vf, unsigned int queue,
			  u32 values[RING_TAIL])
{
	u32 again[RING_TAIL];

	read_once(vf, queue, values);
	for (unsigned int i = 0; i < SNAPSHOTS; i++) {
		read_once(vf, queue, again);
		if (!memcmp(values, again, sizeof(again)))
			return true;
		memcpy(values, again, sizeof(again));
	}
	return false;
}

/* ---- Rings ---- */

static u64 ring_base(const u32 *regs)
{
	return (u64)regs[RING_BAH] << 32 | regs[RING_BAL];
}

static bool is_in_use(const u32 *regs)
{
	return regs[RING_DCTL] & VTQ_DCTL_ENABLE && regs[RING_LEN];
}

/* Begins a ring with the registers in vf->applied. */
static void ring_begin(struct igbvf_device *vf, unsigned int queue, u32 next,
		       bool in_use)
{
	const u32 *regs = vf->applied[queue];
	u32 packet = FIELD_GET(VTQ_SRRCTL_BSIZEPACKET, regs[RING_SRRCTL]);
	u32 header = FIELD_GET(VTQ_SRRCTL_BSIZEHEADER, regs[RING_SRRCTL]);
	u32 type = FIELD_GET(VTQ_SRRCTL_DESCTYPE, regs[RING_SRRCTL]);
	struct vfio_pci_mig_ring setup = {
		.iova = ring_base(regs),
		.count = regs[RING_LEN] / VTQ_DESC_SIZE,
		.next = next,
		.len = { packet * SZ_1K ?: BUFFER_MAX },
		.format = type,
		.in_use = in_use,
		.unknown = vf->disabling & BIT(queue),
	};

	if (type > VTQ_SRRCTL_ONE_BUFFER)
		setup.len[1] = header * 64 ?: HEADER_MAX;
	vfio_pci_mig_ring_begin(&vf->pci, queue, &setup);
}

/*
 * Finds the buffers of a descriptor in the format that the guest's driver
 * writes.  False if DD says that the device has used it and written its own
 * format
 */
static bool log_buffers(const struct vfio_pci_mig_ring *ring, const void *desc,
			u64 iova[VFIO_PCI_MIG_BUFFERS])
{
	const __le64 *words = desc;
	u64 second = le64_to_cpu(words[1]);

	iova[0] = le64_to_cpu(words[0]);
	iova[1] = ring->len[1] ? second & ~(u64)VTQ_DESC_DD :
				 VFIO_PCI_MIG_NO_BUFFER;
	if (ring->format == VTQ_SRRCTL_LEGACY)
		return !(second & VTQ_DESC_LEGACY_DD);
	return !(second & VTQ_DESC_DD);
}

static void set_area(struct igbvf_device *vf, unsigned int number, u64 iova,
		     u64 length)
{
	vfio_pci_mig_area(&vf->pci, number, iova, length);
}

static void set_tx_areas(struct igbvf_device *vf, unsigned int queue,
			 const u32 *regs)
{
	u64 head = (u64)regs[RING_WBAH] << 32 | regs[RING_WBAL];

	set_area(vf, AREA_TX(queue), ring_base(regs), regs[RING_LEN]);
	set_area(vf, AREA_HEAD(queue), head & ~(u64)VTQ_WBAL_ENABLE,
		 head & VTQ_WBAL_ENABLE ? sizeof(u32) : 0);
}

/* Transmit queues are on a page that stays mapped. */
static void sample_tx(struct igbvf_device *vf, unsigned int queue)
{
	u32 now[RING_HEAD];

	vfio_pci_mig_regs_read(igbvf_reg(vf, VTTXQ(queue)),
			       igbvf_ring_regs[IGBVF_QUEUES], RING_HEAD, now);
	set_tx_areas(vf, queue, now);
}

/* ---- Begin ---- */

/*
 * The device must enable a queue with the head and tail that it was given, and
 * this driver must know that it does.
 */
static bool log_usable(struct vfio_pci_migration *pci)
{
	return pci_to_igbvf(pci)->loadable;
}

static void log_begin(struct vfio_pci_migration *pci)
{
	struct igbvf_device *vf = pci_to_igbvf(pci);
	const struct vfio_pci_mig_reg *regs;

	vf->disabling = 0;
	for (unsigned int i = 0; i < IGBVF_QUEUES; i++) {
		regs = igbvf_ring_regs[i];
		for (unsigned int j = 0; j < RING_REGS; j++)
			if (regs[j].mask)
				shadow_write(vf, i, regs[j].offset,
					     igbvf_ring_read(vf, i,
							     regs[j].offset));
		read_once(vf, i, vf->applied[i]);
		if (vfio_mig_is_running(&pci->mig) && is_in_use(vf->applied[i]))
			ring_begin(vf, i, shadow_read(vf, i, VTQ_TAIL) &
					  VTQ_INDEX_MASK, true);
	}
}

/* ---- What the guest writes while the VF runs ---- */

/*
 * A queue has ended when the device says that it is disabled: then its writes
 * are done.  While the guest has bus mastering off, the device cannot write.
 */
static void queue_disable(struct igbvf_device *vf, unsigned int queue, u32 dctl)
{
	igbvf_ring_write(vf, queue, VTQ_DCTL, dctl & ~VTQ_DCTL_ENABLE);
	if (igbvf_ring_wait(vf, queue, false)) {
		vf->disabling |= BIT(queue);
		return;
	}
	vf->disabling &= ~BIT(queue);
	vfio_pci_mig_ring_end(&vf->pci, queue);
}

/*
 * Ends a queue that the device has disabled: late or, as after a reset of the
 * PF, by itself.  In the latter case, shows that to the guest in the shadow.
 */
static void queue_notice_disabled(struct igbvf_device *vf, unsigned int queue)
{
	u32 *applied = &vf->applied[queue][RING_DCTL], dctl;

	if (!(vf->disabling & BIT(queue)) && !(*applied & VTQ_DCTL_ENABLE))
		return;
	if (igbvf_ring_read(vf, queue, VTQ_DCTL) & VTQ_DCTL_ENABLE)
		return;
	vf->disabling &= ~BIT(queue);
	vfio_pci_mig_ring_end(&vf->pci, queue);
	if (!(*applied & VTQ_DCTL_ENABLE))
		return;
	*applied &= ~VTQ_DCTL_ENABLE;
	dctl = shadow_read(vf, queue, VTQ_DCTL);
	if ((dctl & VTQ_RXDCTL_MASK) == (*applied | VTQ_DCTL_ENABLE))
		shadow_replace(vf, queue, VTQ_DCTL, dctl,
			       dctl & ~VTQ_DCTL_ENABLE);
}

/*
 * Enables a queue.  Its tail is at its head, so the device has no descriptor
 * that is not recorded.  If the guest did not wait until the queue was
 * disabled, the device may still have buffers of the old ring, and the ring is
 * untracked.
 */
static void queue_enable(struct igbvf_device *vf, unsigned int queue)
{
	const u32 *regs = vf->applied[queue];

	set_area(vf, AREA_RX(queue), ring_base(regs), regs[RING_LEN]);
	ring_begin(vf, queue, regs[RING_HEAD], false);
	vf->disabling &= ~BIT(queue);
	igbvf_ring_write(vf, queue, VTQ_DCTL, regs[RING_DCTL]);
	igbvf_ring_wait(vf, queue, true);
}

/* Copies the device's head to the shadow, unless the guest has written one. */
static void queue_show_head(struct igbvf_device *vf, unsigned int queue)
{
	u32 head = igbvf_ring_read(vf, queue, VTQ_HEAD) & VTQ_INDEX_MASK;
	u32 *applied = &vf->applied[queue][RING_HEAD];

	if (head != *applied &&
	    shadow_replace(vf, queue, VTQ_HEAD, *applied, head))
		*applied = head;
}

static void queue_set_up(struct igbvf_device *vf, unsigned int queue, u32 *regs)
{
	u32 *applied = vf->applied[queue];

	if (applied[RING_DCTL] & VTQ_DCTL_ENABLE ||
	    (vf->disabling & BIT(queue) && is_in_use(regs)))
		queue_disable(vf, queue, applied[RING_DCTL]);
	/*
	 * The device may still write to the old ring, so that stays an area.
	 * The next ring can wait until the device or the guest is ready.
	 */
	if (vf->disabling & BIT(queue) && !is_in_use(regs)) {
		applied[RING_DCTL] = regs[RING_DCTL] & ~VTQ_DCTL_ENABLE;
		queue_show_head(vf, queue);
		return;
	}
	/*
	 * If the guest has not written the head, the device has the current
	 * one.
	 */
	if (regs[RING_HEAD] == applied[RING_HEAD]) {
		regs[RING_HEAD] = igbvf_ring_read(vf, queue, VTQ_HEAD) &
				  VTQ_INDEX_MASK;
		shadow_replace(vf, queue, VTQ_HEAD, applied[RING_HEAD],
			       regs[RING_HEAD]);
	}
	memcpy(applied, regs, sizeof(vf->applied[queue]));
	vfio_pci_mig_regs_write(igbvf_reg(vf, VTRXQ(queue)),
				igbvf_ring_regs[queue] + RING_BAL,
				RING_TAIL - RING_BAL, regs + RING_BAL);
	igbvf_ring_write(vf, queue, VTQ_TAIL, regs[RING_HEAD]);
	if (is_in_use(regs))
		queue_enable(vf, queue);
	else
		igbvf_ring_write(vf, queue, VTQ_DCTL, regs[RING_DCTL]);
}

/* The guest has set SWFLUSH, and may wait until it is clear. */
static void queue_flush(struct igbvf_device *vf, unsigned int queue)
{
	u32 dctl = shadow_read(vf, queue, VTQ_DCTL);

	if (!(dctl & VTQ_DCTL_SWFLUSH))
		return;
	igbvf_ring_write(vf, queue, VTQ_DCTL,
			 vf->applied[queue][RING_DCTL] | VTQ_DCTL_SWFLUSH);
	shadow_replace(vf, queue, VTQ_DCTL, dctl, dctl & ~VTQ_DCTL_SWFLUSH);
}

static void log_sync(struct vfio_pci_migration *pci)
{
	struct igbvf_device *vf = pci_to_igbvf(pci);
	u32 now[RING_TAIL];

	for (unsigned int i = 0; i < IGBVF_QUEUES; i++) {
		queue_flush(vf, i);
		if (vf->disabling & BIT(i))
			queue_notice_disabled(vf, i);
		if (read_snapshot(vf, i, now) &&
		    memcmp(now, vf->applied[i], sizeof(now)))
			queue_set_up(vf, i, now);
	}
}

/* Shows the guest what the device has changed by itself. */
static void queue_show_state(struct igbvf_device *vf, unsigned int queue)
{
	queue_notice_disabled(vf, queue);
	if (is_in_use(vf->applied[queue]))
		queue_show_head(vf, queue);
}

static void log_areas(struct vfio_pci_migration *pci)
{
	struct igbvf_device *vf = pci_to_igbvf(pci);

	for (unsigned int i = 0; i < IGBVF_QUEUES; i++) {
		const u32 *regs = vf->applied[i];

		if (vfio_mig_is_running(&pci->mig))
			queue_show_state(vf, i);
		set_area(vf, AREA_RX(i), ring_base(regs),
			 is_in_use(regs) || vf->disabling & BIT(i) ?
			 regs[RING_LEN] : 0);
		sample_tx(vf, i);
	}
}

static u32 log_tail(struct vfio_pci_migration *pci, unsigned int ring)
{
	struct igbvf_device *vf = pci_to_igbvf(pci);

	if (!is_in_use(vf->applied[ring]))
		return U32_MAX;
	return shadow_read(vf, ring, VTQ_TAIL) & VTQ_INDEX_MASK;
}

static void log_post(struct vfio_pci_migration *pci, unsigned int ring,
		     u32 index)
{
	igbvf_ring_write(pci_to_igbvf(pci), ring, VTQ_TAIL, index);
}

/* ---- End ---- */

/*
 * The VF runs: gives the device all that the guest has written to the shadow.
 */
static void end_running(struct igbvf_device *vf)
{
	u32 last;

	log_sync(&vf->pci);
	/* No ring has to wait any longer for the device to end another one. */
	vf->disabling = 0;
	log_sync(&vf->pci);
	for (unsigned int i = 0; i < IGBVF_QUEUES; i++) {
		last = shadow_read(vf, i, VTQ_TAIL) & VTQ_INDEX_MASK;
		if (!is_in_use(vf->applied[i]) ||
		    last < vf->applied[i][RING_LEN] / VTQ_DESC_SIZE)
			igbvf_ring_write(vf, i, VTQ_TAIL, last);
	}
}

static void log_end(struct vfio_pci_migration *pci)
{
	struct igbvf_device *vf = pci_to_igbvf(pci);

	if (vfio_mig_is_running(&pci->mig)) {
		end_running(vf);
		return;
	}
	/* The VF is stopped: what the guest has written goes into the image. */
	igbvf_queues_doorbells(vf);
	if (vfio_mig_serves(&pci->mig))
		igbvf_queues_take_over(vf);
	for (unsigned int i = 0; i < IGBVF_QUEUES; i++)
		igbvf_queues_watch_ring(vf, i);
}

/* ---- For the other files ---- */

/*
 * The VF has stopped and writes to no buffer any more.  The image has what the
 * device had: what the guest has written to the shadow since is still to be
 * taken over.
 *
 * The last sample of the transmit rings was taken before they were drained.
 * The rings in the image are those to which the device has written since.
 *
 * A queue that the guest has disabled with bus mastering off may still read as
 * enabled.  The guest sees the last heads, so that it counts as a write if it
 * writes another.
 */
void igbvf_log_stopped(struct igbvf_device *vf)
{
	if (!vfio_pci_mig_shadow(&vf->pci))
		return;
	for (unsigned int i = 0; i < IGBVF_QUEUES; i++) {
		set_tx_areas(vf, i, vf->image.rings.reg[IGBVF_QUEUES + i]);
		if (vf->disabling & BIT(i))
			vf->image.rings.reg[i][RING_DCTL] &= ~VTQ_DCTL_ENABLE;
		vf->disabling &= ~BIT(i);
		vfio_pci_mig_ring_end(&vf->pci, i);
		queue_show_head(vf, i);
		memcpy(vf->expected.ring[i], vf->applied[i],
		       sizeof(vf->expected.ring[i]));
	}
}

/* The guest resets a VF that does no DMA: the shadow shows disabled queues. */
void igbvf_log_disable(struct igbvf_device *vf)
{
	for (unsigned int i = 0; i < IGBVF_QUEUES; i++)
		if (is_shadowed(vf, i))
			shadow_write(vf, i, VTQ_DCTL,
				     shadow_read(vf, i, VTQ_DCTL) &
				     ~VTQ_DCTL_ENABLE);
}

/* A ring was set up from the image: copies its registers to the shadow. */
void igbvf_log_loaded(struct igbvf_device *vf, unsigned int ring)
{
	const struct vfio_pci_mig_reg *regs = igbvf_ring_regs[ring];
	const u32 *image = vf->image.rings.reg[ring];

	if (!is_shadowed(vf, ring))
		return;
	for (unsigned int i = 0; i < RING_TAIL; i++)
		if (regs[i].mask)
			shadow_write(vf, ring, regs[i].offset, image[i]);
	shadow_replace(vf, ring, VTQ_TAIL, vf->expected.tail[ring],
		       image[RING_TAIL]);
}

/*
 * A ring that was set up from the image was enabled, empty.  True if the worker
 * will give it its descriptors
 */
bool igbvf_log_started(struct igbvf_device *vf, unsigned int ring)
{
	if (!is_shadowed(vf, ring))
		return false;
	memcpy(vf->applied[ring], vf->image.rings.reg[ring],
	       sizeof(vf->applied[ring]));
	if (!is_in_use(vf->applied[ring]))
		return false;
	set_area(vf, AREA_RX(ring), ring_base(vf->applied[ring]),
		 vf->applied[ring][RING_LEN]);
	ring_begin(vf, ring, vf->applied[ring][RING_HEAD], false);
	return true;
}

const struct vfio_pci_mig_log_driver igbvf_log = {
	.nr_rings = IGBVF_QUEUES,
	.nr_areas = NR_AREAS,
	.desc_size = VTQ_DESC_SIZE,
	.usable = log_usable,
	.begin = log_begin,
	.sync = log_sync,
	.end = log_end,
	.areas = log_areas,
	.tail = log_tail,
	.post = log_post,
	.buffers = log_buffers,
};
