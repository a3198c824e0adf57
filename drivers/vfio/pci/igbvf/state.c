// SPDX-License-Identifier: GPL-2.0-only
/*
 * The records of a VF's state, and what is valid in them.  Works on memory
 * alone.  Each record is checked by itself, as soon as it has come, because
 * some VMMs cannot handle a refusal at the end.
 */
#include <linux/bitfield.h>
#include <linux/if_vlan.h>

#include "private.h"

/* A register that a kind of ring does not have has no mask. */
static const struct vfio_pci_mig_reg rx_regs[RING_REGS] = {
	[RING_DCTL]	= { VTQ_DCTL,	VTQ_RXDCTL_MASK },
	[RING_BAL]	= { VTQ_BAL,	VTQ_BAL_MASK },
	[RING_BAH]	= { VTQ_BAH,	U32_MAX },
	[RING_LEN]	= { VTQ_LEN,	VTQ_LEN_MASK },
	[RING_SRRCTL]	= { VTQ_SRRCTL,	VTQ_SRRCTL_MASK },
	[RING_CTL]	= { VTQ_CTL,	VTQ_CTL_MASK },
	[RING_HEAD]	= { VTQ_HEAD,	VTQ_INDEX_MASK },
	[RING_TAIL]	= { VTQ_TAIL,	VTQ_INDEX_MASK },
};

static const struct vfio_pci_mig_reg tx_regs[RING_REGS] = {
	[RING_DCTL]	= { VTQ_DCTL,	VTQ_TXDCTL_MASK },
	[RING_BAL]	= { VTQ_BAL,	VTQ_BAL_MASK },
	[RING_BAH]	= { VTQ_BAH,	U32_MAX },
	[RING_LEN]	= { VTQ_LEN,	VTQ_LEN_MASK },
	[RING_CTL]	= { VTQ_CTL,	VTQ_CTL_MASK },
	[RING_WBAL]	= { VTQ_WBAL,	VTQ_WBAL_MASK },
	[RING_WBAH]	= { VTQ_WBAH,	U32_MAX },
	[RING_HEAD]	= { VTQ_HEAD,	VTQ_INDEX_MASK },
	[RING_TAIL]	= { VTQ_TAIL,	VTQ_INDEX_MASK },
};

/* Offsets are relative to VTRXQ() or VTTXQ() of the queue. */
const struct vfio_pci_mig_reg *const igbvf_ring_regs[IGBVF_RINGS] = {
	rx_regs, rx_regs, tx_regs, tx_regs,
};

const struct vfio_pci_mig_reg igbvf_irq_regs[IRQ_REGS] = {
	[IRQ_PSRTYPE]	= { VTPSRTYPE,	VTPSRTYPE_MASK },
	[IRQ_EITR0]	= { VTEITR(0),	VTEITR_MASK },
	[IRQ_EITR1]	= { VTEITR(1),	VTEITR_MASK },
	[IRQ_EITR2]	= { VTEITR(2),	VTEITR_MASK },
	[IRQ_IVAR0]	= { VTIVAR0,	VTIVAR0_MASK },
	[IRQ_IVAR_MISC]	= { VTIVAR_MISC, VTIVAR_MISC_MASK },
	[IRQ_EIAC]	= { VTEIAC,	VTEI_ALL },
	[IRQ_EIAM]	= { VTEIAM,	VTEI_ALL },
	[IRQ_EIMS]	= { VTEIMS,	VTEI_ALL },
};

/* The checks return NULL, or the reason against the record for a message. */

static const char *check_identity(struct vfio_migration *mig, const void *part)
{
	const struct igbvf_identity *self = &mig_to_igbvf(mig)->self;
	const struct igbvf_identity *id = part;

	if (id->pci_id != self->pci_id || id->bar_size != self->bar_size)
		return "it is of another kind of device";
	if (id->queues > self->queues || id->vectors > self->vectors)
		return "its VF had more queues or vectors than this one";
	return NULL;
}

static const char *check_rings(struct vfio_migration *mig, const void *part)
{
	const struct igbvf_rings *rings = part;

	for (unsigned int i = 0; i < IGBVF_RINGS; i++) {
		const u32 *ring = rings->reg[i];
		u32 descs = ring[RING_LEN] / VTQ_DESC_SIZE;

		if (!vfio_pci_mig_regs_valid(igbvf_ring_regs[i], RING_REGS,
					     ring))
			return "a queue register has bits that no guest can set";
		/* The registers of a disabled queue have no effect yet. */
		if (!(ring[RING_DCTL] & VTQ_DCTL_ENABLE) || !descs)
			continue;
		if (ring[RING_HEAD] >= descs || ring[RING_TAIL] >= descs)
			return "a queue's head or tail is out of range";
	}
	return NULL;
}

static const char *check_irq(struct vfio_migration *mig, const void *part)
{
	const struct igbvf_interrupts *irq = part;
	u64 ivar = irq->reg[IRQ_IVAR0] | (u64)irq->reg[IRQ_IVAR_MISC] << 32;

	if (!vfio_pci_mig_regs_valid(igbvf_irq_regs, IRQ_REGS, irq->reg))
		return "an interrupt register has bits that no guest can set";
	for (; ivar; ivar >>= 8)
		if (ivar & VTIVAR_VALID && FIELD_GET(VTIVAR_VECTOR, ivar) >=
					   mig_to_igbvf(mig)->self.vectors)
			return "an interrupt is mapped to a vector that does not exist";
	return NULL;
}

static const char *check_mbx(struct vfio_migration *mig, const void *part)
{
	const struct igbvf_mailbox *mbx = part;

	if (mbx->flags & ~(IGBVF_MBX_VFU | IGBVF_MBX_REQUEST) ||
	    mbx->events & ~V2PMAILBOX_EVENTS)
		return "the mailbox has unknown bits";
	return NULL;
}

/* A MAC address in two words, first byte lowest: unicast, and not zero */
static bool address_valid(const u32 words[2])
{
	return (words[0] || words[1]) && !(words[0] & 1) && !(words[1] >> 16);
}

static const char *check_pf(struct vfio_migration *mig, const void *part)
{
	const struct igbvf_pf *pf = part;

	if (pf->flags & ~(IGBVF_PF_CTS | IGBVF_PF_MAC))
		return "the PF's settings have unknown flags";
	if (pf->flags & IGBVF_PF_MAC && !address_valid(pf->mac))
		return "the MAC address is not valid";
	if (pf->filters > IGBVF_PF_FILTERS || pf->vlans > IGBVF_PF_VLANS ||
	    pf->multicasts > FIELD_MAX(MBX_INFO) ||
	    pf->promisc > FIELD_MAX(MBX_INFO) || pf->lpe > MBX_LPE_MASK)
		return "a setting of the PF is out of range";
	for (u32 i = 0; i < pf->filters; i++)
		if (!address_valid(pf->filter[i]))
			return "a unicast filter is not a valid MAC address";
	for (u32 i = 0; i < pf->vlans; i++)
		if (pf->vlan[i] >= VLAN_N_VID)
			return "a VLAN ID is out of range";
	return NULL;
}

#define RECORD(name, member, flags, check)				\
	VFIO_MIG_IMAGE_RECORD(IGBVF_RECORD_##name, IGBVF_RECORD_VERSION, \
			      VFIO_MIG_TYPE_REQUIRED | (flags),		\
			      struct igbvf_image, member, check)

#define REPEATS	(VFIO_MIG_TYPE_EARLY | VFIO_MIG_TYPE_REPEATS)

const struct vfio_mig_record_type igbvf_records[IGBVF_RECORD_STATISTICS] = {
	RECORD(IDENTITY,	identity,	VFIO_MIG_TYPE_EARLY, check_identity),
	RECORD(PF,		pf,		REPEATS,	check_pf),
	RECORD(RINGS,		rings,		0,		check_rings),
	RECORD(INTERRUPTS,	irq,		0,		check_irq),
	RECORD(MAILBOX,		mbx,		0,		check_mbx),
	RECORD(STATISTICS,	stats,		0,		NULL),
};
