// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stream of a VF's state: encoder, decoder and the rules of what is
 * valid.  Works on memory alone.  The decoder is fed as the bytes come and
 * refuses each record as soon as it is complete, since some users of
 * migration can't deal with a refusal at the end.
 */
#include <linux/bitfield.h>
#include <linux/crc32.h>
#include <linux/errno.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "state.h"

#define RECORD_VERSION	1

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
	if (pf->filters > MBX_FILTERS_MAX || pf->vlans > MBX_VLANS_MAX ||
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

#define RECORD(record_type, member, function) {			\
	.type = record_type,						\
	.offset = offsetof(struct igbvf_image, member),			\
	.length = sizeof_field(struct igbvf_image, member),		\
	.check = function,						\
}

/* In the order in which they are written */
static const struct record {
	u16 type;
	u16 offset;
	u16 length;
	const char *(*check)(const struct igbvf_image *image,
			     const struct igbvf_identity *self);
} records[] = {
	RECORD(IGBVF_RECORD_IDENTITY, identity, check_identity),
	RECORD(IGBVF_RECORD_RINGS, rings, check_rings),
	RECORD(IGBVF_RECORD_INTERRUPTS, irq, check_irq),
	RECORD(IGBVF_RECORD_MAILBOX, mbx, check_mbx),
	RECORD(IGBVF_RECORD_PF, pf, check_pf),
	RECORD(IGBVF_RECORD_STATISTICS, stats, check_stats),
};

/* In what has been seen of a stream, the bit above theirs stands for END. */
static_assert(ARRAY_SIZE(records) == IGBVF_RECORDS);
static_assert(IGBVF_STREAM_SIZE <= IGBVF_STREAM_MAX);

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

	for (i = 0; i < ARRAY_SIZE(records) && !why; i++)
		why = records[i].check(image, self);
	return why;
}

static u8 *put_record(u8 *to, u16 type, const u32 *payload, u16 length)
{
	struct igbvf_record_header header = {
		.type = cpu_to_le16(type),
		.version = cpu_to_le16(RECORD_VERSION),
		.flags = cpu_to_le16(IGBVF_RECORD_MANDATORY),
		.length = cpu_to_le16(length),
	};
	u16 i;

	memcpy(to, &header, sizeof(header));
	to += sizeof(header);
	for (i = 0; i < length; i += sizeof(u32))
		put_unaligned_le32(*payload++, to + i);
	return to + length;
}

static u32 checksum(const u8 *stream, size_t len)
{
	return ~__crc32c_le(~0, stream, len);
}

/**
 * igbvf_encode - write a state as a stream
 * @image: the state
 * @stream: IGBVF_STREAM_SIZE bytes
 *
 * The same state gives the same bytes.
 */
void igbvf_encode(const struct igbvf_image *image, u8 *stream)
{
	struct igbvf_stream_header header = {
		.magic = IGBVF_STREAM_MAGIC,
		.version = cpu_to_le32(IGBVF_STREAM_VERSION),
	};
	u32 crc = 0;
	unsigned int i;
	u8 *to = stream;

	memcpy(to, &header, sizeof(header));
	to += sizeof(header);
	for (i = 0; i < ARRAY_SIZE(records); i++)
		to = put_record(to, records[i].type,
				(void *)image + records[i].offset,
				records[i].length);
	to = put_record(to, IGBVF_RECORD_END, &crc, sizeof(crc)) - sizeof(crc);
	put_unaligned_le32(checksum(stream, to - stream), to);
}

/* A known record: all of it is in memory. */
static int take_payload(struct igbvf_image *image, const struct record *record,
			const u8 *payload, const struct igbvf_identity *self,
			const char **why)
{
	u32 *to = (void *)image + record->offset;
	unsigned int i;

	for (i = 0; i < record->length / sizeof(u32); i++)
		to[i] = get_unaligned_le32(payload + i * sizeof(u32));
	*why = record->check(image, self);
	return *why ? -EINVAL : 0;
}

static int take_record(struct igbvf_image *image, const u8 *stream, size_t at,
		       u32 *seen, const struct igbvf_identity *self,
		       const char **why)
{
	const struct igbvf_record_header *header = (const void *)(stream + at);
	const u8 *payload = (const u8 *)(header + 1);
	u16 length = le16_to_cpu(header->length);
	u16 type = le16_to_cpu(header->type);
	bool known = le16_to_cpu(header->version) == RECORD_VERSION;
	unsigned int i;

	for (i = 0; i < IGBVF_RECORDS; i++)
		if (records[i].type == type)
			break;
	known = known && (i < IGBVF_RECORDS || type == IGBVF_RECORD_END);

	*why = NULL;
	if (!*seen && type != IGBVF_RECORD_IDENTITY)
		*why = "it does not say first what it is of";
	else if (!known && header->flags & cpu_to_le16(IGBVF_RECORD_MANDATORY))
		*why = "a part is newer than this driver";
	else if (known && length != (i < IGBVF_RECORDS ? records[i].length : 4))
		*why = "a part has a wrong length";
	else if (*seen & BIT(i))
		*why = "a part comes twice";
	else if (known && i == IGBVF_RECORDS && *seen != BIT(i) - 1)
		*why = "a part is missing";
	else if (known && i == IGBVF_RECORDS &&
		 get_unaligned_le32(payload) !=
		 checksum(stream, payload - stream))
		*why = "its checksum is wrong";
	if (*why)
		return -EINVAL;
	if (known)
		*seen |= BIT(i);
	if (!known || i == IGBVF_RECORDS)
		return 0;
	return take_payload(image, &records[i], payload, self, why);
}

/**
 * igbvf_decode - read a stream as far as it has come
 * @image: what it says; all of it once the stream is complete
 * @stream: the stream from its beginning, aligned as kmalloc() does
 * @len: bytes that have come
 * @self: the VF that it is for
 * @why: what is wrong, if it is refused
 *
 * Return: 1 if this is all and it can be loaded, 0 if all is well so far,
 * -EINVAL if it can't be loaded.
 */
int igbvf_decode(struct igbvf_image *image, const u8 *stream, size_t len,
		 const struct igbvf_identity *self, const char **why)
{
	const struct igbvf_stream_header *header = (const void *)stream;
	const struct igbvf_record_header *record;
	size_t at = sizeof(*header), size;
	u32 seen = 0;
	int ret;

	if (len < at)
		return 0;
	*why = "it is not the state of an 82576 VF, or of another version";
	if (memcmp(header->magic, IGBVF_STREAM_MAGIC, sizeof(header->magic)) ||
	    le32_to_cpu(header->version) != IGBVF_STREAM_VERSION ||
	    header->reserved)
		return -EINVAL;
	while (!(seen & BIT(IGBVF_RECORDS))) {
		if (len - at < sizeof(*record))
			return 0;
		record = (const void *)(stream + at);
		size = sizeof(*record) + le16_to_cpu(record->length);
		*why = "a part has a wrong length";
		if (size % sizeof(u32) || at + size > IGBVF_STREAM_MAX)
			return -EINVAL;
		if (at + size > len)
			return 0;
		ret = take_record(image, stream, at, &seen, self, why);
		if (ret)
			return ret;
		at += size;
	}
	*why = "something follows its end";
	return at == len ? 1 : -EINVAL;
}
