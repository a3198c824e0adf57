/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The records of an 82576 VF's state, in a stream as described in
 * uapi/linux/vfio_migration_stream.h.  A payload is an array of 32-bit words,
 * little endian in the stream: the struct that is named like the record, whose
 * members are all words.  Programs may include this file: it needs only
 * linux/types.h.
 *
 * IDENTITY and PF come first, while the VF still runs (PRE_COPY).  PF may come
 * again if its contents have changed, and the last one counts.  The others come
 * once, when the VF is stopped.  All are mandatory.
 */
#ifndef IGBVF_STREAM_H
#define IGBVF_STREAM_H

#include <linux/types.h>

#define IGBVF_STREAM_FORMAT	"82576-vf"
#define IGBVF_STREAM_VERSION	2
#define IGBVF_RECORD_VERSION	1	/* of each of them */

enum igbvf_record_type {
	IGBVF_RECORD_IDENTITY = 1,	/* VFIO_MIG_RECORD_IDENTITY */
	IGBVF_RECORD_PF = 2,
	IGBVF_RECORD_RINGS = 3,
	IGBVF_RECORD_INTERRUPTS = 4,
	IGBVF_RECORD_MAILBOX = 5,
	IGBVF_RECORD_STATISTICS = 6,
};

/**
 * struct igbvf_identity - the kind of VF and its resources
 * @pci_id: vendor ID in the low half, device ID in the high half
 * @bar_size: bytes of BAR0
 * @queues: pairs of receive and transmit queues
 * @vectors: MSI-X vectors
 */
struct igbvf_identity {
	__u32 pci_id;
	__u32 bar_size;
	__u32 queues;
	__u32 vectors;
};

#define IGBVF_PF_CTS		(1 << 0)	/* a RESET was answered */
#define IGBVF_PF_MAC		(1 << 1)	/* @mac is valid */

#define IGBVF_PF_MULTICASTS	30	/* hashes, two in a word */
#define IGBVF_PF_FILTERS	24	/* the device has so many RAL/RAH */
#define IGBVF_PF_VLANS		32	/* the device has so many VLVF */

/**
 * struct igbvf_pf - what the PF has acknowledged to this VF
 * @flags: IGBVF_PF_*
 * @mac: MAC address, in two words as in the mailbox
 * @promisc: info field of the last SET_PROMISC
 * @lpe: bytes of the largest frame; 0: never set
 * @multicasts: info field of the last SET_MULTICAST, the number of hashes; may
 *	exceed those in @multicast
 * @multicast: hashes, two in a word as in the mailbox
 * @filters: elements of @filter in use
 * @filter: further unicast addresses, each as in @mac
 * @vlans: elements of @vlan in use
 * @vlan: VLAN IDs
 */
struct igbvf_pf {
	__u32 flags;
	__u32 mac[2];
	__u32 promisc;
	__u32 lpe;
	__u32 multicasts;
	__u32 multicast[IGBVF_PF_MULTICASTS / 2];
	__u32 filters;
	__u32 filter[IGBVF_PF_FILTERS][2];
	__u32 vlans;
	__u32 vlan[IGBVF_PF_VLANS];
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

#define IGBVF_QUEUES		2	/* receive and transmit queues, each */
#define IGBVF_RINGS		(2 * IGBVF_QUEUES)

/**
 * struct igbvf_rings - the queues
 * @reg: the receive rings, then the transmit rings.  A register that a kind of
 *	ring does not have is 0
 */
struct igbvf_rings {
	__u32 reg[IGBVF_RINGS][RING_REGS];
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
 * @reg: registers; EIMS has the vectors that are enabled when the VF runs
 */
struct igbvf_interrupts {
	__u32 reg[IRQ_REGS];
};

#define IGBVF_MBX_VFU		(1 << 0)	/* the guest has the buffer */
#define IGBVF_MBX_REQUEST	(1 << 1)	/* sent, not answered yet */

#define IGBVF_VMBMEM_WORDS	16

/**
 * struct igbvf_mailbox - the guest's view of the mailbox
 * @flags: IGBVF_MBX_*
 * @events: read-to-clear bits of V2PMAILBOX that the guest has not seen yet
 * @mem: VMBMEM, or a request that is not answered yet
 */
struct igbvf_mailbox {
	__u32 flags;
	__u32 events;
	__u32 mem[IGBVF_VMBMEM_WORDS];
};

#define IGBVF_STATISTICS	9

/**
 * struct igbvf_statistics - the counters on page 0 as the guest sees them
 * @count: by ascending address
 */
struct igbvf_statistics {
	__u32 count[IGBVF_STATISTICS];
};

#endif
