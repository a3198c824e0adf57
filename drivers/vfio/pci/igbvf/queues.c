// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data path's registers: stopping queues and interrupts so that nothing
 * is lost, reading them into the image, and setting them up from it.  Knows
 * nothing of migration states or of the PF.
 *
 * All functions: memory_lock and state lock held.
 */
#include <linux/bitfield.h>
#include <linux/iopoll.h>

#include "igbvf.h"

/*
 * Limits, not expectations: what is on its way ends within microseconds.
 * Packets that can't be sent (no link) stay in the ring and are sent later.
 */
#define DRAIN_US	10000
#define ENABLE_US	20000
#define POLL_US		10

static u32 ring_reg(unsigned int ring, u32 offset)
{
	if (igbvf_ring_is_rx(ring))
		return VTRXQ(ring) + offset;
	return VTTXQ(ring - IGBVF_QUEUES) + offset;
}

static u32 ring_read(struct igbvf_device *vf, unsigned int ring, u32 offset)
{
	return igbvf_read(vf, ring_reg(ring, offset));
}

static void ring_write(struct igbvf_device *vf, unsigned int ring, u32 offset,
		       u32 value)
{
	igbvf_write(vf, ring_reg(ring, offset), value);
}

static bool ring_works(const u32 *ring)
{
	return ring[RING_DCTL] & VTQ_DCTL_ENABLE && ring[RING_LEN];
}

static bool ring_drained(struct igbvf_device *vf, unsigned int ring)
{
	return ring_read(vf, ring, VTQ_HEAD) == ring_read(vf, ring, VTQ_TAIL);
}

/* Disables a ring; what is done is written back first. */
static int ring_disable(struct igbvf_device *vf, unsigned int ring, u32 dctl)
{
	ring_write(vf, ring, VTQ_DCTL, dctl | VTQ_DCTL_SWFLUSH);
	ring_write(vf, ring, VTQ_DCTL, dctl & ~VTQ_DCTL_ENABLE);
	return read_poll_timeout(ring_read, dctl, !(dctl & VTQ_DCTL_ENABLE),
				 POLL_US, ENABLE_US, false, vf, ring, VTQ_DCTL);
}

static void ring_save(struct igbvf_device *vf, unsigned int ring, u32 dctl)
{
	const struct igbvf_reg *regs = igbvf_ring_regs(ring);
	u32 *to = vf->image.rings.reg[ring];
	unsigned int i;

	for (i = 0; i < RING_REGS; i++)
		to[i] = regs[i].mask ?
			ring_read(vf, ring, regs[i].offset) & regs[i].mask : 0;
	to[RING_DCTL] = dctl;
}

static int ring_stop(struct igbvf_device *vf, unsigned int ring)
{
	u32 dctl = ring_read(vf, ring, VTQ_DCTL);
	bool drained;

	dctl &= igbvf_ring_regs(ring)[RING_DCTL].mask;
	if (dctl & VTQ_DCTL_ENABLE) {
		if (!igbvf_ring_is_rx(ring))
			read_poll_timeout(ring_drained, drained, drained,
					  POLL_US, DRAIN_US, false, vf, ring);
		if (ring_disable(vf, ring, dctl))
			return -EIO;
	}
	ring_save(vf, ring, dctl);
	return 0;
}

/**
 * igbvf_queues_stop - stop queues and read them and the interrupts
 * @vf: the VF
 *
 * Return: 0, or -EIO if a queue does not stop.
 */
int igbvf_queues_stop(struct igbvf_device *vf)
{
	u32 *irq = vf->image.irq.reg;
	unsigned int i;
	int ret;

	/* Transmit queues are last in the image, but take the longest. */
	for (i = IGBVF_RINGS; i-- > 0; ) {
		ret = ring_stop(vf, i);
		if (ret)
			return ret;
		vf->tail_left[i] = vf->image.rings.reg[i][RING_TAIL];
	}
	for (i = 0; i < IRQ_REGS; i++)
		irq[i] = igbvf_read(vf, igbvf_irq_regs[i].offset) &
			 igbvf_irq_regs[i].mask;
	/*
	 * A vector is masked on its own while its interrupt is handled (EIAC),
	 * and the mask does not tell that from one the guest has masked.
	 * Unmasking costs one interrupt that finds nothing to do.
	 */
	irq[IRQ_EIMS] |= irq[IRQ_EIAC];
	return 0;
}

/**
 * igbvf_queues_park - leave nothing that the guest could set off
 * @vf: the VF, stopped
 *
 * Without a length a ring is empty, whatever is written to its enable bit and
 * its tail: nothing is fetched, and no received frame uses up descriptors.
 */
void igbvf_queues_park(struct igbvf_device *vf)
{
	unsigned int i;

	igbvf_write(vf, VTEIMC, VTEI_ALL);
	for (i = 0; i < IGBVF_RINGS; i++)
		ring_write(vf, i, VTQ_LEN, 0);
}

/**
 * igbvf_queues_reset - the guest resets the VF, which disables all queues
 * @vf: the VF
 */
void igbvf_queues_reset(struct igbvf_device *vf)
{
	unsigned int i;

	for (i = 0; i < IGBVF_RINGS; i++)
		vf->image.rings.reg[i][RING_DCTL] &= ~VTQ_DCTL_ENABLE;
}

/*
 * A tail that is not as the driver has left it is a doorbell that the guest
 * rang while the VF did not run; unless the PF was reset, and all is zero.
 */
static void ring_doorbell(struct igbvf_device *vf, unsigned int ring)
{
	u32 tail = ring_read(vf, ring, VTQ_TAIL) & VTQ_INDEX_MASK;
	u32 *image = vf->image.rings.reg[ring];

	if (tail == vf->tail_left[ring])
		return;
	if (tail < image[RING_LEN] / VTQ_DESC_SIZE &&
	    ring_read(vf, ring, VTQ_BAL) == image[RING_BAL])
		image[RING_TAIL] = tail;
	vf->tail_left[ring] = tail;
}

/**
 * igbvf_queues_doorbells - take in doorbells rung while the VF did not run
 * @vf: the VF, stopped
 */
void igbvf_queues_doorbells(struct igbvf_device *vf)
{
	unsigned int i;

	for (i = 0; i < IGBVF_RINGS; i++)
		ring_doorbell(vf, i);
}

static int ring_load(struct igbvf_device *vf, unsigned int ring)
{
	const struct igbvf_reg *regs = igbvf_ring_regs(ring);
	const u32 *from = vf->image.rings.reg[ring];
	unsigned int i;

	ring_write(vf, ring, VTQ_DCTL, from[RING_DCTL] & ~VTQ_DCTL_ENABLE);
	for (i = RING_DCTL + 1; i < RING_TAIL; i++)
		if (regs[i].mask)
			ring_write(vf, ring, regs[i].offset, from[i]);
	/*
	 * Empty until it is enabled.  With a tail from earlier use the device
	 * would take descriptors that nobody has posted.
	 */
	ring_doorbell(vf, ring);
	ring_write(vf, ring, VTQ_TAIL, from[RING_HEAD]);
	vf->tail_left[ring] = ring_read(vf, ring, VTQ_TAIL) & VTQ_INDEX_MASK;

	if (ring_works(from) &&
	    (ring_read(vf, ring, VTQ_HEAD) != from[RING_HEAD] ||
	     vf->tail_left[ring] != from[RING_HEAD])) {
		igbvf_err(vf, "queue register block %#x does not take head and tail %u: this device can't be migrated to\n",
			  ring_reg(ring, 0), from[RING_HEAD]);
		return -EIO;
	}
	return 0;
}

/**
 * igbvf_queues_load - set up queues and interrupts, disabled, from the image
 * @vf: the VF, stopped
 *
 * Return: 0, or -EIO if the device does not take it.
 */
int igbvf_queues_load(struct igbvf_device *vf)
{
	unsigned int i;
	int ret;

	igbvf_write(vf, VTEIMC, VTEI_ALL);
	igbvf_queues_doorbells(vf);
	for (i = 0; i < IGBVF_RINGS; i++) {
		ret = ring_load(vf, i);
		if (ret)
			return ret;
	}
	for (i = 0; i < IRQ_EIMS; i++)
		igbvf_write(vf, igbvf_irq_regs[i].offset, vf->image.irq.reg[i]);
	return 0;
}

static int ring_enable(struct igbvf_device *vf, unsigned int ring)
{
	const u32 *image = vf->image.rings.reg[ring];
	u32 dctl, head;

	ring_write(vf, ring, VTQ_DCTL, image[RING_DCTL]);
	if (read_poll_timeout(ring_read, dctl, dctl & VTQ_DCTL_ENABLE, POLL_US,
			      ENABLE_US, false, vf, ring, VTQ_DCTL)) {
		igbvf_err(vf, "queue register block %#x can't be enabled: reset the device\n",
			  ring_reg(ring, 0));
		return -EIO;
	}
	head = ring_read(vf, ring, VTQ_HEAD);
	if (image[RING_LEN] && head != image[RING_HEAD]) {
		igbvf_err(vf, "queue register block %#x starts at %u instead of %u: this device can't be migrated to\n",
			  ring_reg(ring, 0), head, image[RING_HEAD]);
		return -EIO;
	}
	return 0;
}

/* The vector that nothing but the mailbox raises, as a mask */
static u32 mailbox_vector(const struct igbvf_device *vf)
{
	u32 misc = vf->image.irq.reg[IRQ_IVAR_MISC];
	u32 ivar = vf->image.irq.reg[IRQ_IVAR0];
	u32 vector;

	if (!(misc & VTIVAR_VALID))
		return 0;
	vector = BIT(FIELD_GET(VTIVAR_VECTOR, misc));
	for (; ivar; ivar >>= 8)
		if (ivar & VTIVAR_VALID)
			vector &= ~BIT(FIELD_GET(VTIVAR_VECTOR, ivar));
	return vector;
}

/**
 * igbvf_queues_run - let loaded queues and interrupts work
 * @vf: the VF, loaded, with bus mastering as the guest wants it
 * @mailbox: have the guest look at its mailbox, too
 *
 * Return: 0, or -EIO if the device does not start where it left off.
 */
int igbvf_queues_run(struct igbvf_device *vf, bool mailbox)
{
	u32 vectors = VTEI_ALL;
	unsigned int i;
	int ret;

	igbvf_write(vf, VTEIMS, vf->image.irq.reg[IRQ_EIMS]);
	for (i = 0; i < IGBVF_RINGS; i++) {
		if (!(vf->image.rings.reg[i][RING_DCTL] & VTQ_DCTL_ENABLE))
			continue;
		ret = ring_enable(vf, i);
		if (ret)
			return ret;
	}
	for (i = 0; i < IGBVF_RINGS; i++) {
		ring_doorbell(vf, i);
		ring_write(vf, i, VTQ_TAIL, vf->image.rings.reg[i][RING_TAIL]);
	}
	/* Causes that came up in the meantime are lost: have the guest look. */
	if (!mailbox)
		vectors &= ~mailbox_vector(vf);
	igbvf_write(vf, VTEICS, vectors);
	return 0;
}
