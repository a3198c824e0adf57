// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data path's registers: stops queues and interrupts so that nothing is
 * lost, reads them into the image, and sets them up from it.  Knows nothing of
 * migration states or of the PF.
 */
#include <linux/bitfield.h>
#include <linux/iopoll.h>
#include <linux/ktime.h>

#include "private.h"

/*
 * Limits.  Mostly the queues become empty within microseconds, unless the link
 * is slow or shared with others that send much.  Packets that cannot be sent
 * for lack of a link stay in the ring and are sent later.
 */
#define DRAIN_MS	1000	/* in all, while the head moves on */
#define DRAIN_STILL_MS	100	/* without any progress, with a link */
#define DRAIN_NO_LINK_MS 10
#define FLUSH_US	500
#define ENABLE_US	20000
#define POLL_US		10

static const u16 rings[IGBVF_RINGS] = {
	VTRXQ(0), VTRXQ(1), VTTXQ(0), VTTXQ(1),
};

u32 igbvf_ring_read(struct igbvf_device *vf, unsigned int ring, u32 offset)
{
	return igbvf_read(vf, rings[ring] + offset);
}

void igbvf_ring_write(struct igbvf_device *vf, unsigned int ring, u32 offset,
		      u32 value)
{
	igbvf_write(vf, rings[ring] + offset, value);
}

/* Waits until the device has enabled or disabled a ring: 0 or -ETIMEDOUT */
int igbvf_ring_wait(struct igbvf_device *vf, unsigned int ring, bool enabled)
{
	u32 now;

	return read_poll_timeout(igbvf_ring_read, now,
				 !(now & VTQ_DCTL_ENABLE) == !enabled, POLL_US,
				 ENABLE_US, false, vf, ring, VTQ_DCTL);
}

/* A register of a ring as the guest sees it */
static u32 guest_read(struct igbvf_device *vf, unsigned int ring, u32 offset)
{
	u32 value;

	if (igbvf_log_read(vf, ring, offset, &value))
		return value;
	return igbvf_ring_read(vf, ring, offset);
}

/* The tail that the guest has written last */
static u32 guest_tail(struct igbvf_device *vf, unsigned int ring)
{
	return guest_read(vf, ring, VTQ_TAIL) & VTQ_INDEX_MASK;
}

/* Waits until a transmit ring is empty, or its head no longer moves. */
static void ring_drain(struct igbvf_device *vf, unsigned int ring)
{
	unsigned int still_ms = igbvf_read(vf, VTSTATUS) & VTSTATUS_LU ?
				DRAIN_STILL_MS : DRAIN_NO_LINK_MS;
	struct vfio_pci_mig_wait still = vfio_pci_mig_wait_begin(still_ms, 0);
	ktime_t end = ktime_add_ms(ktime_get(), DRAIN_MS);
	u32 head = igbvf_ring_read(vf, ring, VTQ_HEAD), last = head;

	while (head != igbvf_ring_read(vf, ring, VTQ_TAIL) &&
	       vfio_pci_mig_wait_more(&still) &&
	       ktime_before(ktime_get(), end)) {
		head = igbvf_ring_read(vf, ring, VTQ_HEAD);
		if (head != last)
			still = vfio_pci_mig_wait_begin(still_ms, 0);
		last = head;
	}
}

/*
 * Disables a ring: 0 or -ETIMEDOUT.  First the device writes back used
 * descriptors, and clears SWFLUSH when it has; it clears ENABLE when all of its
 * writes are done.  So it is no error if SWFLUSH stays set; the debug message
 * helps to find out why a card has left a descriptor out.
 */
static int ring_disable(struct igbvf_device *vf, unsigned int ring, u32 dctl)
{
	u32 now;

	igbvf_ring_write(vf, ring, VTQ_DCTL, dctl | VTQ_DCTL_SWFLUSH);
	if (read_poll_timeout(igbvf_ring_read, now, !(now & VTQ_DCTL_SWFLUSH),
			      POLL_US, FLUSH_US, false, vf, ring, VTQ_DCTL))
		pci_dbg(vf->pci.core.pdev, "queue register block %#x: flush not ended after %d us\n",
			rings[ring], FLUSH_US);
	igbvf_ring_write(vf, ring, VTQ_DCTL, dctl & ~VTQ_DCTL_ENABLE);
	return igbvf_ring_wait(vf, ring, false);
}

static int ring_stop(struct igbvf_device *vf, unsigned int ring,
		     bool bus_master)
{
	const struct vfio_pci_mig_reg *regs = igbvf_ring_regs[ring];
	u32 dctl = igbvf_ring_read(vf, ring, VTQ_DCTL) & regs[RING_DCTL].mask;
	u32 *image = vf->image.rings.reg[ring];

	if (dctl & VTQ_DCTL_ENABLE) {
		/*
		 * While the guest has bus mastering off, pending writes do not
		 * leave the device, so the ring may stay enabled.  That is no
		 * error, as the ring does nothing either.
		 */
		if (ring_disable(vf, ring, dctl) && bus_master)
			return -EIO;
	}
	vfio_pci_mig_regs_read(igbvf_reg(vf, rings[ring]), regs, RING_REGS,
			       image);
	image[RING_DCTL] = dctl;
	image[RING_TAIL] = guest_tail(vf, ring);
	vf->expected.tail[ring] = image[RING_TAIL];
	return 0;
}

/*
 * Stops the queues, and reads them and the interrupt registers into the image.
 * -EIO if a queue does not stop.  @bus_master: the guest has bus mastering on
 */
int igbvf_queues_stop(struct igbvf_device *vf, bool bus_master)
{
	u32 *irq = vf->image.irq.reg;

	/*
	 * This may take long, and the guest may run meanwhile.  So no queue is
	 * disabled before: a guest that disables it then would not be seen.
	 */
	for (unsigned int i = IGBVF_QUEUES; i < IGBVF_RINGS && bus_master; i++)
		if (igbvf_ring_read(vf, i, VTQ_DCTL) & VTQ_DCTL_ENABLE)
			ring_drain(vf, i);
	/* Transmit queues first, so that they are still empty. */
	for (unsigned int i = IGBVF_RINGS; i-- > 0; )
		if (ring_stop(vf, i, bus_master))
			return -EIO;
	vfio_pci_mig_regs_read(igbvf_reg(vf, 0), igbvf_irq_regs, IRQ_REGS, irq);
	/*
	 * The device masks a vector of EIAC by itself while its interrupt is
	 * handled, and EIMS does not tell whether it or the guest has masked
	 * the vector.  So all of EIAC are unmasked, at the cost of one
	 * interrupt that finds nothing to do.
	 */
	irq[IRQ_EIMS] |= irq[IRQ_EIAC];
	return 0;
}

/*
 * Makes sure that the guest cannot start DMA or interrupts by writing
 * registers.  A ring without a length is empty, whatever the guest writes to
 * its enable bit and its tail: the device fetches nothing, and a received frame
 * uses no descriptor.
 */
void igbvf_queues_park(struct igbvf_device *vf)
{
	igbvf_write(vf, VTEIMC, VTEI_ALL);
	for (unsigned int i = 0; i < IGBVF_RINGS; i++)
		igbvf_ring_write(vf, i, VTQ_LEN, 0);
}

/*
 * While the VF is served with DMA off, the guest may write registers.  What
 * they hold before is kept in vf->expected, and what differs later is the
 * guest's and goes into the image.  Not for tails, which are doorbells, and not
 * for EIMS: parking masks all vectors, so those that are unmasked later are the
 * guest's.
 */
static void reg_take(u32 now, u32 *expected, u32 *image)
{
	if (now != *expected && image)
		*image = now;
	*expected = now;
}

static void ring_take(struct igbvf_device *vf, unsigned int ring,
		      struct igbvf_image *image)
{
	const struct vfio_pci_mig_reg *regs = igbvf_ring_regs[ring];
	u32 now;

	for (unsigned int i = 0; i < RING_TAIL; i++) {
		now = regs[i].mask ? guest_read(vf, ring, regs[i].offset) : 0;
		reg_take(now & regs[i].mask, &vf->expected.ring[ring][i],
			 image ? &image->rings.reg[ring][i] : NULL);
	}
}

static void queues_take(struct igbvf_device *vf, struct igbvf_image *image)
{
	const struct vfio_pci_mig_reg *regs = igbvf_irq_regs;

	for (unsigned int i = 0; i < IGBVF_RINGS; i++)
		ring_take(vf, i, image);
	for (unsigned int i = 0; i < IRQ_EIMS; i++)
		reg_take(igbvf_read(vf, regs[i].offset) & regs[i].mask,
			 &vf->expected.irq[i],
			 image ? &image->irq.reg[i] : NULL);
	if (image)
		image->irq.reg[IRQ_EIMS] |= igbvf_read(vf, VTEIMS) & VTEI_ALL;
}

/*
 * The guest sees the device's registers of a ring again: expects those values.
 */
void igbvf_queues_watch_ring(struct igbvf_device *vf, unsigned int ring)
{
	const struct vfio_pci_mig_reg *regs = igbvf_ring_regs[ring];

	vfio_pci_mig_regs_read(igbvf_reg(vf, rings[ring]), regs, RING_TAIL,
			       vf->expected.ring[ring]);
	vf->expected.tail[ring] = igbvf_ring_read(vf, ring, VTQ_TAIL) &
				  VTQ_INDEX_MASK;
}

/* The VF is served with DMA off from now on. */
void igbvf_queues_watch(struct igbvf_device *vf)
{
	queues_take(vf, NULL);
}

/*
 * Takes into the image what the guest has written since.  After a reset of the
 * PF, which has cleared all registers, there is nothing to take.
 */
void igbvf_queues_take_over(struct igbvf_device *vf)
{
	if (!(vf->image.mbx.events & V2PMAILBOX_RSTD))
		queues_take(vf, &vf->image);
}

/* The guest has reset the VF: all queues are disabled. */
void igbvf_queues_reset(struct igbvf_device *vf)
{
	for (unsigned int i = 0; i < IGBVF_RINGS; i++) {
		vf->image.rings.reg[i][RING_DCTL] &= ~VTQ_DCTL_ENABLE;
		vf->expected.ring[i][RING_DCTL] &= ~VTQ_DCTL_ENABLE;
	}
}

/*
 * A tail with an unexpected value is a doorbell that the guest has rung while
 * the VF did not run, unless a reset of the PF has cleared all registers.
 */
static void ring_doorbell(struct igbvf_device *vf, unsigned int ring)
{
	u32 *image = vf->image.rings.reg[ring];
	u32 tail = guest_tail(vf, ring);

	if (tail == vf->expected.tail[ring])
		return;
	if (tail < image[RING_LEN] / VTQ_DESC_SIZE &&
	    igbvf_ring_read(vf, ring, VTQ_BAL) == image[RING_BAL])
		image[RING_TAIL] = tail;
	vf->expected.tail[ring] = tail;
}

/* Takes doorbells into the image that were rung while the VF did not run. */
void igbvf_queues_doorbells(struct igbvf_device *vf)
{
	for (unsigned int i = 0; i < IGBVF_RINGS; i++)
		ring_doorbell(vf, i);
}

/*
 * Does the ring start with the image's head, and a tail at the head?  A device
 * that ignores a write to the tail of a disabled ring may still have the
 * image's tail, which is good as well.
 */
static bool ring_is_loaded(struct igbvf_device *vf, unsigned int ring)
{
	u32 tail = igbvf_ring_read(vf, ring, VTQ_TAIL) & VTQ_INDEX_MASK;
	const u32 *from = vf->image.rings.reg[ring];

	return igbvf_ring_read(vf, ring, VTQ_HEAD) == from[RING_HEAD] &&
	       (tail == from[RING_HEAD] || tail == from[RING_TAIL]);
}

static int ring_load(struct igbvf_device *vf, unsigned int ring)
{
	const struct vfio_pci_mig_reg *regs = igbvf_ring_regs[ring];
	const u32 *from = vf->image.rings.reg[ring];

	igbvf_ring_write(vf, ring, VTQ_DCTL, from[RING_DCTL] & ~VTQ_DCTL_ENABLE);
	vfio_pci_mig_regs_write(igbvf_reg(vf, rings[ring]), regs + RING_BAL,
				RING_TAIL - RING_BAL, from + RING_BAL);
	/*
	 * The ring is empty until it is enabled.  With an old tail the device
	 * would take descriptors that the guest has not posted.
	 */
	ring_doorbell(vf, ring);
	igbvf_ring_write(vf, ring, VTQ_TAIL, from[RING_HEAD]);
	igbvf_log_loaded(vf, ring);
	vf->expected.tail[ring] = guest_tail(vf, ring);

	if (from[RING_DCTL] & VTQ_DCTL_ENABLE && from[RING_LEN] &&
	    !ring_is_loaded(vf, ring)) {
		vfio_mig_err(&vf->pci.mig, "queue register block %#x does not take head and tail %u: this device can't be migrated to\n",
			     rings[ring], from[RING_HEAD]);
		return -EIO;
	}
	return 0;
}

/*
 * Sets up queues and interrupts from the image, disabled.  -EIO after a message
 * if the device does not take the values.
 */
int igbvf_queues_load(struct igbvf_device *vf)
{
	igbvf_write(vf, VTEIMC, VTEI_ALL);
	igbvf_queues_doorbells(vf);
	for (unsigned int i = 0; i < IGBVF_RINGS; i++)
		if (ring_load(vf, i))
			return -EIO;
	vfio_pci_mig_regs_write(igbvf_reg(vf, 0), igbvf_irq_regs, IRQ_EIMS,
				vf->image.irq.reg);
	return 0;
}

static int ring_enable(struct igbvf_device *vf, unsigned int ring)
{
	const u32 *image = vf->image.rings.reg[ring];
	u32 head;

	igbvf_ring_write(vf, ring, VTQ_DCTL, image[RING_DCTL]);
	if (igbvf_ring_wait(vf, ring, true)) {
		vfio_mig_err(&vf->pci.mig, "queue register block %#x can't be enabled: reset the device\n",
			     rings[ring]);
		return -EIO;
	}
	head = igbvf_ring_read(vf, ring, VTQ_HEAD);
	if (image[RING_LEN] && head != image[RING_HEAD]) {
		vfio_mig_err(&vf->pci.mig, "queue register block %#x starts at %u instead of %u: this device can't be migrated to\n",
			     rings[ring], head, image[RING_HEAD]);
		return -EIO;
	}
	return 0;
}

/* The vector, as a mask, that the mailbox raises and no queue does; or 0 */
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

/*
 * Enables queues and interrupts that igbvf_queues_load() has set up.  Bus
 * mastering is as the guest has set it.  @mailbox: also raise the mailbox
 * interrupt.  -EIO after a message if the device does not start where the old
 * one stopped
 */
int igbvf_queues_run(struct igbvf_device *vf, bool mailbox)
{
	igbvf_write(vf, VTEIMS, vf->image.irq.reg[IRQ_EIMS]);
	for (unsigned int i = 0; i < IGBVF_RINGS; i++)
		if (vf->image.rings.reg[i][RING_DCTL] & VTQ_DCTL_ENABLE &&
		    ring_enable(vf, i))
			return -EIO;
	for (unsigned int i = 0; i < IGBVF_RINGS; i++) {
		ring_doorbell(vf, i);
		if (!igbvf_log_started(vf, i))
			igbvf_ring_write(vf, i, VTQ_TAIL,
					 vf->image.rings.reg[i][RING_TAIL]);
	}
	/* Interrupt causes were lost in the meantime: raise all vectors. */
	igbvf_write(vf, VTEICS,
		    mailbox ? VTEI_ALL : VTEI_ALL & ~mailbox_vector(vf));
	return 0;
}

/* Can an empty ring begin in its middle?  Tried disabled, then enabled */
static bool ring_takes_indices(struct igbvf_device *vf, unsigned int ring)
{
	enum { DESCS = 8, MIDDLE = 3 };
	u32 was[RING_REGS], on;
	bool takes;

	vfio_pci_mig_regs_read(igbvf_reg(vf, rings[ring]),
			       igbvf_ring_regs[ring], RING_REGS, was);
	if (was[RING_DCTL] & VTQ_DCTL_ENABLE)
		return true;	/* in use: cannot be tried */
	igbvf_ring_write(vf, ring, VTQ_LEN, DESCS * VTQ_DESC_SIZE);
	igbvf_ring_write(vf, ring, VTQ_HEAD, MIDDLE);
	igbvf_ring_write(vf, ring, VTQ_TAIL, MIDDLE);
	takes = igbvf_ring_read(vf, ring, VTQ_HEAD) == MIDDLE &&
		igbvf_ring_read(vf, ring, VTQ_TAIL) == MIDDLE;
	if (takes) {
		on = was[RING_DCTL] | VTQ_DCTL_ENABLE;
		igbvf_ring_write(vf, ring, VTQ_DCTL, on);
		takes = !igbvf_ring_wait(vf, ring, true) &&
			igbvf_ring_read(vf, ring, VTQ_HEAD) == MIDDLE;
		takes = !ring_disable(vf, ring, on) && takes;
	}
	vfio_pci_mig_regs_write(igbvf_reg(vf, rings[ring]),
				igbvf_ring_regs[ring], RING_REGS, was);
	return takes;
}

/*
 * Finds out whether queues can be set up in the middle of a ring.  For a VF that
 * was just reset, with bus mastering off and its PF up.  The rings that are
 * tried are empty, so the device fetches nothing.
 */
void igbvf_queues_try(struct igbvf_device *vf)
{
	unsigned int i = 0;

	while (i < IGBVF_RINGS && ring_takes_indices(vf, i))
		i++;
	vf->loadable = i == IGBVF_RINGS;
	vf->loadable_known = true;
}
