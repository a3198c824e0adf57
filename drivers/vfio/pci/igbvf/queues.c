// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data path's registers: stopping queues and interrupts so that nothing
 * is lost, reading them into the image, and setting them up from it.  Knows
 * nothing of migration states or of the PF.
 */
#include <linux/bitfield.h>
#include <linux/iopoll.h>
#include <linux/ktime.h>

#include "private.h"

/*
 * Limits, not expectations: what is on its way ends within microseconds, unless
 * the link is slow, or shared with others that send much.  Packets that can't be
 * sent (no link) stay in the ring and are sent later.
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

/* Waits for the device to have a ring enabled or disabled: 0 or -ETIMEDOUT */
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

/* The doorbell that the guest has rung last */
static u32 guest_tail(struct igbvf_device *vf, unsigned int ring)
{
	return guest_read(vf, ring, VTQ_TAIL) & VTQ_INDEX_MASK;
}

/* Waits for a transmit ring to become empty, as long as that gets on. */
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
 * Disables a ring.  What is done is written back first: the device ends the
 * flush by itself, and the disabling when it has written all that is on its way.
 */
static int ring_disable(struct igbvf_device *vf, unsigned int ring, u32 dctl)
{
	u32 now;

	igbvf_ring_write(vf, ring, VTQ_DCTL, dctl | VTQ_DCTL_SWFLUSH);
	read_poll_timeout(igbvf_ring_read, now, !(now & VTQ_DCTL_SWFLUSH),
			  POLL_US, FLUSH_US, false, vf, ring, VTQ_DCTL);
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
		if (ring >= IGBVF_QUEUES && bus_master)	/* transmit */
			ring_drain(vf, ring);
		/*
		 * With bus mastering off, what is on its way does not leave the
		 * device, and the ring stays enabled.  The guest wants it so,
		 * and nothing moves.
		 */
		if (ring_disable(vf, ring, dctl) && bus_master)
			return -EIO;
	}
	vfio_pci_mig_regs_read(igbvf_reg(vf, rings[ring]), regs, RING_REGS,
			       image);
	image[RING_DCTL] = dctl;
	image[RING_TAIL] = guest_tail(vf, ring);
	vf->left.tail[ring] = image[RING_TAIL];
	return 0;
}

/*
 * Stops the queues and reads them and the interrupts.  -EIO if one does not stop.
 * @bus_master: the guest has it on
 */
int igbvf_queues_stop(struct igbvf_device *vf, bool bus_master)
{
	u32 *irq = vf->image.irq.reg;

	/* Transmit queues are last in the image, but take the longest. */
	for (unsigned int i = IGBVF_RINGS; i-- > 0; )
		if (ring_stop(vf, i, bus_master))
			return -EIO;
	vfio_pci_mig_regs_read(igbvf_reg(vf, 0), igbvf_irq_regs, IRQ_REGS, irq);
	/*
	 * A vector is masked on its own while its interrupt is handled (EIAC),
	 * and the mask does not tell that from one the guest has masked.
	 * Unmasking costs one interrupt that finds nothing to do.
	 */
	irq[IRQ_EIMS] |= irq[IRQ_EIAC];
	return 0;
}

/*
 * Leaves nothing that the guest could set off.  Without a length a ring is
 * empty, whatever is written to its enable bit and its tail: nothing is
 * fetched, and no received frame uses up descriptors.
 */
void igbvf_queues_park(struct igbvf_device *vf)
{
	igbvf_write(vf, VTEIMC, VTEI_ALL);
	for (unsigned int i = 0; i < IGBVF_RINGS; i++)
		igbvf_ring_write(vf, i, VTQ_LEN, 0);
}

/*
 * Registers of a VF that is served while its DMA is off, where the guest may set
 * them: what they hold before, and what is different then.  Not here: the tails,
 * which are doorbells, and EIMS, since parked vectors can't be told from those
 * that the guest masks.
 */
static void reg_take(u32 now, u32 *left, u32 *image)
{
	if (now != *left && image)
		*image = now;
	*left = now;
}

static void ring_take(struct igbvf_device *vf, unsigned int ring,
		      struct igbvf_image *image)
{
	const struct vfio_pci_mig_reg *regs = igbvf_ring_regs[ring];
	u32 now;

	for (unsigned int i = 0; i < RING_TAIL; i++) {
		now = regs[i].mask ? guest_read(vf, ring, regs[i].offset) : 0;
		reg_take(now & regs[i].mask, &vf->left.ring[ring][i],
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
			 &vf->left.irq[i], image ? &image->irq.reg[i] : NULL);
}

/* The guest sees the device's registers of a ring again, as they are now. */
void igbvf_queues_left(struct igbvf_device *vf, unsigned int ring)
{
	const struct vfio_pci_mig_reg *regs = igbvf_ring_regs[ring];

	vfio_pci_mig_regs_read(igbvf_reg(vf, rings[ring]), regs, RING_TAIL,
			       vf->left.ring[ring]);
	vf->left.tail[ring] = igbvf_ring_read(vf, ring, VTQ_TAIL) &
			      VTQ_INDEX_MASK;
}

void igbvf_queues_serve(struct igbvf_device *vf)
{
	queues_take(vf, NULL);
}

/* To the image.  Of no use after a reset of the PF: it has cleared all. */
void igbvf_queues_served(struct igbvf_device *vf)
{
	if (!(vf->image.mbx.events & V2PMAILBOX_RSTD))
		queues_take(vf, &vf->image);
}

/* The guest resets the VF, which disables all queues. */
void igbvf_queues_reset(struct igbvf_device *vf)
{
	for (unsigned int i = 0; i < IGBVF_RINGS; i++)
		vf->image.rings.reg[i][RING_DCTL] &= ~VTQ_DCTL_ENABLE;
}

/*
 * A tail that is not as the driver has left it is a doorbell that the guest
 * rang while the VF did not run; unless the PF was reset, and all is zero.
 */
static void ring_doorbell(struct igbvf_device *vf, unsigned int ring)
{
	u32 *image = vf->image.rings.reg[ring];
	u32 tail = guest_tail(vf, ring);

	if (tail == vf->left.tail[ring])
		return;
	if (tail < image[RING_LEN] / VTQ_DESC_SIZE &&
	    igbvf_ring_read(vf, ring, VTQ_BAL) == image[RING_BAL])
		image[RING_TAIL] = tail;
	vf->left.tail[ring] = tail;
}

/* Takes in doorbells that were rung while the VF did not run. */
void igbvf_queues_doorbells(struct igbvf_device *vf)
{
	for (unsigned int i = 0; i < IGBVF_RINGS; i++)
		ring_doorbell(vf, i);
}

/*
 * Does the ring start with the head and the tail that it had?  A device that does
 * not take the tail of a disabled ring may still have the right one.
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
	 * Empty until it is enabled.  With a tail from earlier use the device
	 * would take descriptors that nobody has posted.
	 */
	ring_doorbell(vf, ring);
	igbvf_ring_write(vf, ring, VTQ_TAIL, from[RING_HEAD]);
	igbvf_log_loaded(vf, ring);
	vf->left.tail[ring] = guest_tail(vf, ring);

	if (from[RING_DCTL] & VTQ_DCTL_ENABLE && from[RING_LEN] &&
	    !ring_is_loaded(vf, ring)) {
		vfio_mig_err(&vf->pci.mig, "queue register block %#x does not take head and tail %u: this device can't be migrated to\n",
			     rings[ring], from[RING_HEAD]);
		return -EIO;
	}
	return 0;
}

/*
 * Sets up queues and interrupts, disabled, from the image.  -EIO if the device
 * does not take it.
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

/*
 * Lets loaded queues and interrupts work, with bus mastering as the guest wants
 * it, and has the guest look at its @mailbox, too.  -EIO if the device does not
 * start where it left off.
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
	/* Causes that came up in the meantime are lost: have the guest look. */
	igbvf_write(vf, VTEICS,
		    mailbox ? VTEI_ALL : VTEI_ALL & ~mailbox_vector(vf));
	return 0;
}

/* An empty ring that begins in its middle: disabled, then enabled */
static bool ring_takes_indices(struct igbvf_device *vf, unsigned int ring)
{
	enum { DESCS = 8, MIDDLE = 3 };
	u32 was[RING_REGS], on;
	bool takes;

	vfio_pci_mig_regs_read(igbvf_reg(vf, rings[ring]),
			       igbvf_ring_regs[ring], RING_REGS, was);
	if (was[RING_DCTL] & VTQ_DCTL_ENABLE)
		return true;	/* it is not idle: nothing is tried */
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
 * Can queues be set up in mid-ring?  Looks at a VF that was just reset, with bus
 * mastering off: the rings that it tries are empty, and fetch nothing.
 */
bool igbvf_queues_loadable(struct igbvf_device *vf)
{
	for (unsigned int i = 0; i < IGBVF_RINGS; i++)
		if (!ring_takes_indices(vf, i))
			return false;
	return true;
}
