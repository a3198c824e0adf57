/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registers of the Intel 82576's virtual function, as seen through its
 * BAR0, by the names of the datasheet ("Intel 82576EB Gigabit Ethernet
 * Controller Datasheet", chapter "Virtual Function Device Registers"), and the
 * protocol of its mailbox.  Masks hold the bits that a guest may write.
 */
#ifndef IGBVF_REGS_H
#define IGBVF_REGS_H

#include <linux/bits.h>

#define PCI_DEVICE_ID_INTEL_82576_VF	0x10ca

#define IGBVF_BAR_SIZE		0x4000

/* Page 0: control; not used on the data path */
#define VTCTRL			0x0000
#define VTCTRL_RST		BIT(26)
#define VTSTATUS		0x0008
#define VTSTATUS_LU		BIT(1)	/* link up */
#define VMBMEM			0x0800
#define V2PMAILBOX		0x0c40
#define V2PMAILBOX_REQ		BIT(0)	/* write: message for the PF */
#define V2PMAILBOX_ACK		BIT(1)	/* write: message of the PF read */
#define V2PMAILBOX_VFU		BIT(2)	/* buffer taken by the VF */
#define V2PMAILBOX_PFU		BIT(3)	/* buffer taken by the PF */
#define V2PMAILBOX_PFSTS	BIT(4)	/* message from the PF */
#define V2PMAILBOX_PFACK	BIT(5)	/* PF read the message */
#define V2PMAILBOX_RSTI		BIT(6)	/* PF in reset, or down */
#define V2PMAILBOX_RSTD		BIT(7)	/* reset done */
/* A read clears these. */
#define V2PMAILBOX_EVENTS	(V2PMAILBOX_PFSTS | V2PMAILBOX_PFACK | \
				 V2PMAILBOX_RSTD)
#define VTPSRTYPE		0x0f0c
#define VTPSRTYPE_MASK		0xe007ffff
#define VFGPRC			0x0f10
#define VFGPTC			0x0f14
#define VFGORC			0x0f18
#define VFGOTC			0x0f34
#define VFMPRC			0x0f3c
#define VFGPRLBC		0x0f40
#define VFGPTLBC		0x0f44
#define VFGORLBC		0x0f48
#define VFGOTLBC		0x0f50

/* Page 1: interrupts */
#define VTEICS			0x1520
#define VTEIMS			0x1524
#define VTEIMC			0x1528
#define VTEIAC			0x152c
#define VTEIAM			0x1530
#define VTEICR			0x1580
#define VTEI_ALL		GENMASK(2, 0)	/* three vectors */
#define VTEITR(n)		(0x1680 + 4 * (n))
#define VTEITR_MASK		0x0000fffc	/* without counters */
#define VTIVAR0			0x1700		/* a byte for each queue */
#define VTIVAR0_MASK		0x83838383
#define VTIVAR_MISC		0x1740
#define VTIVAR_MISC_MASK	0x00000083
#define VTIVAR_VALID		BIT(7)
#define VTIVAR_VECTOR		GENMASK(1, 0)

/* Pages 2 and 3: receive and transmit queues, with the same layout */
#define VTRX_PAGE		0x2000
#define VTRXQ(n)		(0x2800 + 0x100 * (n))
#define VTTXQ(n)		(0x3800 + 0x100 * (n))
#define VTQ_BAL			0x00
#define VTQ_BAL_MASK		0xffffff80
#define VTQ_BAH			0x04
#define VTQ_LEN			0x08
#define VTQ_LEN_MASK		0x000fff80
#define VTQ_SRRCTL		0x0c		/* receive */
#define VTQ_SRRCTL_MASK		0xcff03fff
#define VTQ_SRRCTL_BSIZEPACKET	GENMASK(6, 0)	/* in KiB; 0: as the PF says */
#define VTQ_SRRCTL_BSIZEHEADER	GENMASK(13, 8)	/* in 64 bytes */
#define VTQ_SRRCTL_DESCTYPE	GENMASK(27, 25)
#define VTQ_SRRCTL_LEGACY	0
#define VTQ_SRRCTL_ONE_BUFFER	1	/* above: the header has its own */
#define VTQ_HEAD		0x10
#define VTQ_CTL			0x14		/* RXCTL, TXCTL: DCA, ordering */
#define VTQ_CTL_MASK		0xff00ffff
#define VTQ_TAIL		0x18
#define VTQ_INDEX_MASK		0x0000ffff
#define VTQ_DCTL		0x28		/* RXDCTL, TXDCTL */
#define VTQ_RXDCTL_MASK		0x021f1f1f
#define VTQ_TXDCTL_MASK		0x0a1f1f1f
#define VTQ_DCTL_ENABLE		BIT(25)
#define VTQ_DCTL_SWFLUSH	BIT(26)		/* write back now */
#define VTQ_WBAL		0x38		/* transmit: head write-back */
#define VTQ_WBAL_MASK		0xfffffffd
#define VTQ_WBAH		0x3c
#define VTQ_WBAL_ENABLE		BIT(0)
#define VTQ_DESC_SIZE		16
/* In the second quadword of a receive descriptor: the device has used it. */
#define VTQ_DESC_DD		BIT(0)
#define VTQ_DESC_LEGACY_DD	BIT_ULL(32)

/* The first word of a mailbox message */
#define MBX_TYPE		GENMASK(15, 0)
#define MBX_RESET		0x01	/* answered with the MAC */
#define MBX_SET_MAC		0x02	/* info: which address */
#define MBX_MAC_OWN		0
#define MBX_MAC_FILTER_CLEAR	1
#define MBX_MAC_FILTER_ADD	2
#define MBX_SET_MULTICAST	0x03	/* info: how many hashes */
#define MBX_SET_VLAN		0x04	/* info: add it */
#define MBX_SET_LPE		0x05
#define MBX_SET_PROMISC		0x06	/* info: which */
#define MBX_INFO		GENMASK(23, 16)
#define MBX_ACK			BIT(31)	/* in an answer: the PF has agreed */

#define MBX_LPE_MASK		GENMASK(13, 0)	/* VMOLR.RLPML */
#define MBX_LPE_DEFAULT		1522

#endif
