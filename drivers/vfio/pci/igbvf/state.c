// SPDX-License-Identifier: GPL-2.0-only
/*
 * The records of a VF's state and the rules of what is valid in them.  Works
 * on memory alone.  Each record is checked by itself, as soon as it has come,
 * since some users of migration can't deal with a refusal at the end.
 */
#include <linux/bitfield.h>
#include <linux/errno.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "state.h"

const struct igbvf_reg igbvf_rx_regs[RING_REGS] = {
	[RING_DCTL]	= { VTQ_DCTL,	VTQ_RXDCTL_MASK },
	[RING_BAL]	= { VTQ_BAL,	VTQ_BAL_MASK },
	[RING_BAH]	= { VTQ_BAH,	U32_MAX },
	[RING_LEN]	= { VTQ_LEN,	VTQ_LEN_MASK },
	[RING_SRRCTL]	= { VTQ_SRRCTL,	VTQ_SRRCTL_MASK },
	[RING_CTL]	= { VTQ_CTL,	VTQ_CTL_MASK },
	[RING_HEAD]	= { VTQ_HEAD,	VTQ_INDEX_MASK },
	[RING_TAIL]	= { VTQ_TAIL,	VTQ_INDEX_MASK },
};

const struct igbvf_reg igbvf_tx_regs[RING_REGS] = {
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

const struct igbvf_reg igbvf_irq_regs[IRQ_REGS] = {
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

/* The checks return what is wrong, or NULL. */

static const char *check_identity(const struct igbvf_image *image,
				  const struct igbvf_identity *self)
{
	const struct igbvf_identity *id = &image->identity;

	if (id->pci_id != self->pci_id || id->bar_size != self->bar_size)
		return "it is of another kind of device";
	if (id->queues > self->queues || id->vectors > self->vectors)
		return "its VF had more queues or vectors than this one";
	return NULL;
}

static bool regs_fit(const u32 *value, const struct igbvf_reg *regs, int count)
{
	int i;

	for (i = 0; i < count; i++)
		if (value[i] & ~regs[i].mask)
			return false;
	return true;
}

static const char *check_rings(const struct igbvf_image *image,
			       const struct igbvf_identity *self)
{
	unsigned int i;

	for (i = 0; i < IGBVF_RINGS; i++) {
		const u32 *ring = image->rings.reg[i];
		u32 descs = ring[RING_LEN] / VTQ_DESC_SIZE;

		if (!regs_fit(ring, igbvf_ring_regs(i), RING_REGS))
			return "a queue register has bits that no guest can set";
		/* What a disabled queue says is of no consequence yet. */
		if (!(ring[RING_DCTL] & VTQ_DCTL_ENABLE) || !descs)
			continue;
		if (ring[RING_HEAD] >= descs || ring[RING_TAIL] >= descs)
			return "head or tail is outside of its queue";
	}
	return NULL;
}

static const char *check_irq(const struct igbvf_image *image,
			     const struct igbvf_identity *self)
{
	u64 ivar = image->irq.reg[IRQ_IVAR0] |
		   (u64)image->irq.reg[IRQ_IVAR_MISC] << 32;

	if (!regs_fit(image->irq.reg, igbvf_irq_regs, IRQ_REGS))
		return "an interrupt register has bits that no guest can set";
	for (; ivar; ivar >>= 8)
		if (ivar & VTIVAR_VALID &&
		    FIELD_GET(VTIVAR_VECTOR, ivar) >= self->vectors)
			return "a cause is mapped to a vector that is not there";
	return NULL;
}

static const char *check_mbx(const struct igbvf_image *image,
			     const struct igbvf_identity *self)
{
	if (image->mbx.flags & ~(IGBVF_MBX_VFU | IGBVF_MBX_REQUEST) ||
	    image->mbx.events & ~V2PMAILBOX_EVENTS)
		return "unknown bits in the mailbox";
	return NULL;
}

static bool address_valid(const u32 words[2])
{
	u8 mac[ETH_ALEN];

	igbvf_mac_from_words(mac, words);
	return is_valid_ether_addr(mac) && !(words[1] >> 16);
}

static const char *check_pf(const struct igbvf_image *image,
			    const struct igbvf_identity *self)
{
	const struct igbvf_pf *pf = &image->pf;
	u32 i;

	if (pf->flags & ~(IGBVF_PF_CTS | IGBVF_PF_MAC))
		return "unknown flags in the PF's settings";
	if (pf->flags & IGBVF_PF_MAC && !address_valid(pf->mac))
		return "the MAC address is not one";
	if (pf->filters > IGBVF_PF_FILTERS || pf->vlans > IGBVF_PF_VLANS ||
	    pf->multicasts > FIELD_MAX(MBX_INFO) ||
	    pf->promisc > FIELD_MAX(MBX_INFO) || pf->lpe > MBX_LPE_MASK)
		return "a setting of the PF is out of range";
	for (i = 0; i < pf->filters; i++)
		if (!address_valid(pf->filter[i]))
			return "a unicast filter is no MAC address";
	for (i = 0; i < pf->vlans; i++)
		if (pf->vlan[i] >= VLAN_N_VID)
			return "a VLAN ID is out of range";
	return NULL;
}

static const char *check_stats(const struct igbvf_image *image,
			       const struct igbvf_identity *self)
{
	return NULL;	/* any count is one */
}

#define RECORD(name, member, more)					\
	[IGBVF_RECORD_##name - 1] = {					\
		.type = IGBVF_RECORD_##name,				\
		.version = IGBVF_RECORD_VERSION,			\
		.flags = VFIO_MIG_TYPE_REQUIRED | (more),		\
		.min_length = sizeof_field(struct igbvf_image, member),	\
		.max_length = sizeof_field(struct igbvf_image, member),	\
	}

/* By type; each fits one block of the stream, and so comes in one piece */
const struct vfio_mig_record_type igbvf_records[IGBVF_RECORDS] = {
	RECORD(IDENTITY, identity, 0),
	RECORD(PF, pf, VFIO_MIG_TYPE_REPEATS),
	RECORD(RINGS, rings, 0),
	RECORD(INTERRUPTS, irq, 0),
	RECORD(MAILBOX, mbx, 0),
	RECORD(STATISTICS, stats, 0),
};

static const struct {
	size_t offset;
	const char *(*check)(const struct igbvf_image *image,
			     const struct igbvf_identity *self);
} parts[IGBVF_RECORDS] = {
	{ offsetof(struct igbvf_image, identity), check_identity },
	{ offsetof(struct igbvf_image, pf), check_pf },
	{ offsetof(struct igbvf_image, rings), check_rings },
	{ offsetof(struct igbvf_image, irq), check_irq },
	{ offsetof(struct igbvf_image, mbx), check_mbx },
	{ offsetof(struct igbvf_image, stats), check_stats },
};

/**
 * igbvf_stream_size - bytes of a stream, but for changes during PRE_COPY
 */
unsigned long igbvf_stream_size(void)
{
	unsigned long size = sizeof(struct vfio_mig_stream_header) +
			     vfio_mig_record_size(0);
	unsigned int i;

	for (i = 0; i < IGBVF_RECORDS; i++)
		size += vfio_mig_record_size(igbvf_records[i].max_length);
	return size;
}

/**
 * igbvf_image_check - can this state be loaded?
 * @image: the state
 * @self: the VF to load it into
 *
 * Return: what is wrong, or NULL.
 */
const char *igbvf_image_check(const struct igbvf_image *image,
			      const struct igbvf_identity *self)
{
	const char *why = NULL;
	unsigned int i;

	for (i = 0; i < IGBVF_RECORDS && !why; i++)
		why = parts[i].check(image, self);
	return why;
}

/**
 * igbvf_write_record - append a part of a state to a stream
 * @to: the stream
 * @image: the state
 * @type: which part
 *
 * Return: 0 or an error.
 */
int igbvf_write_record(struct vfio_mig_writer *to,
		       const struct igbvf_image *image,
		       enum igbvf_record_type type)
{
	const u32 *word = (void *)image + parts[type - 1].offset;
	size_t left = igbvf_records[type - 1].max_length;
	__le32 raw;
	int ret;

	ret = vfio_mig_record_begin(to, type, IGBVF_RECORD_VERSION,
				    VFIO_MIG_RECORD_MANDATORY, left);
	for (; !ret && left; left -= sizeof(raw)) {
		raw = cpu_to_le32(*word++);
		ret = vfio_mig_record_data(to, &raw, sizeof(raw));
	}
	return ret;
}

/**
 * igbvf_read_record - take in a part of a state
 * @from: the record, all of it
 * @image: where to put it
 * @self: the VF that it is for
 * @why: what is wrong, if it is refused
 *
 * Return: 0 or -EINVAL.
 */
int igbvf_read_record(const struct vfio_mig_payload *from,
		      struct igbvf_image *image,
		      const struct igbvf_identity *self, const char **why)
{
	unsigned int index = from->type - igbvf_records;
	u32 *word = (void *)image + parts[index].offset;
	size_t at;

	for (at = 0; at < from->len; at += sizeof(*word))
		*word++ = get_unaligned_le32(from->data + at);
	*why = parts[index].check(image, self);
	return *why ? -EINVAL : 0;
}
