/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a VF's state is: in memory (struct igbvf_image) and as a stream.
 *
 * The stream, which a tool may read too:
 *
 *	struct igbvf_stream_header
 *	struct igbvf_record_header, its payload		any number of times
 *
 * Numbers are little endian, payloads are arrays of 32-bit words: that of a
 * known record is the struct of the same name below, whose members are all
 * words.  The identity comes first and END last; END's payload is one word,
 * the CRC-32C of all bytes before that word.  A record that a reader does not
 * know is skipped if it is optional and refused if it is mandatory, as is a
 * known one of another version; none comes twice.  Nothing follows END, and
 * the whole is IGBVF_STREAM_MAX bytes at most.
 *
 * This file and state.c know memory only, no device.
 */
#ifndef IGBVF_STATE_H
#define IGBVF_STATE_H

#include <linux/if_ether.h>
#include <linux/types.h>

#include "regs.h"

#define IGBVF_STREAM_MAGIC	"82576 VF"
#define IGBVF_STREAM_VERSION	1
#define IGBVF_STREAM_MAX	4096

struct igbvf_stream_header {
	u8 magic[8];
	__le32 version;
	__le32 reserved;	/* 0 */
};

#define IGBVF_RECORD_MANDATORY	BIT(0)

struct igbvf_record_header {
	__le16 type;
	__le16 version;
	__le16 flags;
	__le16 length;		/* of the payload, in bytes; a multiple of 4 */
};

enum igbvf_record_type {
	IGBVF_RECORD_IDENTITY = 1,
	IGBVF_RECORD_RINGS = 2,
	IGBVF_RECORD_INTERRUPTS = 3,
	IGBVF_RECORD_MAILBOX = 4,
	IGBVF_RECORD_PF = 5,
	IGBVF_RECORD_STATISTICS = 6,
	IGBVF_RECORD_END = 0xffff,
};

/**
 * struct igbvf_identity - what the VF is and how much it has
 * @pci_id: vendor in the low half, device in the high half
 * @bar_size: bytes of BAR0
 * @queues: pairs of receive and transmit queues
 * @vectors: of MSI-X
 */
struct igbvf_identity {
	u32 pci_id;
	u32 bar_size;
	u32 queues;
	u32 vectors;
};

/* Registers of a ring, in the order in which they are loaded */
enum igbvf_ring_reg {
	RING_DCTL,
	RING_BAL,
	RING_BAH,
	RING_LEN,
	RING_SRRCTL,
	RING_CTL,
	RING_WBAL,
	RING_WBAH,
	RING_HEAD,
	RING_TAIL,
	RING_REGS,
};

#define IGBVF_RINGS		(2 * IGBVF_QUEUES)

/**
 * struct igbvf_rings - the queues
 * @reg: first the receive rings, then the transmit rings.  What a kind of ring
 *	does not have is 0
 */
struct igbvf_rings {
	u32 reg[IGBVF_RINGS][RING_REGS];
};

/* Interrupt registers, in the order in which they are loaded */
enum igbvf_irq_reg {
	IRQ_PSRTYPE,
	IRQ_EITR0,
	IRQ_EITR1,
	IRQ_EITR2,
	IRQ_IVAR0,
	IRQ_IVAR_MISC,
	IRQ_EIAC,
	IRQ_EIAM,
	IRQ_EIMS,
	IRQ_REGS,
};

/**
 * struct igbvf_interrupts - interrupts and the packet split types
 * @reg: registers; EIMS is what is to be enabled when the VF runs
 */
struct igbvf_interrupts {
	u32 reg[IRQ_REGS];
};

#define IGBVF_MBX_VFU		BIT(0)	/* the guest has the buffer */
#define IGBVF_MBX_REQUEST	BIT(1)	/* sent, and not answered yet */

/**
 * struct igbvf_mailbox - the guest's view of the mailbox
 * @flags: IGBVF_MBX_*
 * @events: read-to-clear bits of V2PMAILBOX that the guest has not seen yet
 * @mem: VMBMEM; the request, if one is not answered yet
 */
struct igbvf_mailbox {
	u32 flags;
	u32 events;
	u32 mem[VMBMEM_WORDS];
};

#define IGBVF_PF_CTS		BIT(0)	/* a RESET was answered */
#define IGBVF_PF_MAC		BIT(1)	/* @mac is known */

/**
 * struct igbvf_pf - what the PF has acknowledged to this VF
 * @flags: IGBVF_PF_*
 * @mac: MAC address, in two words as in the mailbox
 * @promisc: info of the last SET_PROMISC
 * @lpe: largest frame; 0: never set
 * @multicasts: info of the last SET_MULTICAST; may exceed what is in @multicast
 * @multicast: hashes, two in a word as in the mailbox
 * @filters: how many of @filter are in use
 * @filter: further unicast addresses, like @mac
 * @vlans: how many of @vlan are in use
 * @vlan: VLAN IDs
 */
struct igbvf_pf {
	u32 flags;
	u32 mac[2];
	u32 promisc;
	u32 lpe;
	u32 multicasts;
	u32 multicast[MBX_MULTICAST_MAX / 2];
	u32 filters;
	u32 filter[MBX_FILTERS_MAX][2];
	u32 vlans;
	u32 vlan[MBX_VLANS_MAX];
};

#define IGBVF_STATISTICS	9

/**
 * struct igbvf_statistics - the counters on page 0 as the guest sees them
 * @count: by ascending address
 */
struct igbvf_statistics {
	u32 count[IGBVF_STATISTICS];
};

/**
 * struct igbvf_image - all that a save carries
 */
struct igbvf_image {
	struct igbvf_identity identity;
	struct igbvf_rings rings;
	struct igbvf_interrupts irq;
	struct igbvf_mailbox mbx;
	struct igbvf_pf pf;
	struct igbvf_statistics stats;
};

#define IGBVF_RECORDS		6	/* before END */
#define IGBVF_STREAM_SIZE						\
	(sizeof(struct igbvf_stream_header) + sizeof(struct igbvf_image) + \
	 (IGBVF_RECORDS + 1) * sizeof(struct igbvf_record_header) +	\
	 sizeof(__le32))

/* A register and the bits of it that a guest may set */
struct igbvf_reg {
	u16 offset;
	u32 mask;
};

extern const struct igbvf_reg igbvf_rx_regs[RING_REGS];
extern const struct igbvf_reg igbvf_tx_regs[RING_REGS];
extern const struct igbvf_reg igbvf_irq_regs[IRQ_REGS];

static inline bool igbvf_ring_is_rx(unsigned int ring)
{
	return ring < IGBVF_QUEUES;
}

static inline const struct igbvf_reg *igbvf_ring_regs(unsigned int ring)
{
	return igbvf_ring_is_rx(ring) ? igbvf_rx_regs : igbvf_tx_regs;
}

/* The mailbox carries addresses in two words, first byte lowest. */
static inline void igbvf_mac_from_words(u8 mac[ETH_ALEN], const u32 words[2])
{
	int i;

	for (i = 0; i < ETH_ALEN; i++)
		mac[i] = words[i / 4] >> (8 * (i % 4));
}

const char *igbvf_image_check(const struct igbvf_image *image,
			      const struct igbvf_identity *self);
void igbvf_encode(const struct igbvf_image *image, u8 *stream);
int igbvf_decode(struct igbvf_image *image, const u8 *stream, size_t len,
		 const struct igbvf_identity *self, const char **why);

#endif
