/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest driver in miniature for the VF of the Intel 82576, one queue pair
 * and three MSI-X vectors, used as Linux's igbvf uses them; and a peer on the
 * other side of the wire, a packet socket on a PF's interface.
 *
 * A struct nic is the guest driver's state in memory: rings, buffers, indices.
 * A migration is a change of the device that it points to.
 */
#ifndef VFIO_TEST_NIC_H
#define VFIO_TEST_NIC_H

#include <stddef.h>
#include <stdint.h>

#include "device.h"

/* Intel 82576 datasheet, "Virtual Function Device Registers" */
enum vf_reg {
	VTCTRL		= 0x0000,
	STATUS		= 0x0008,
	VMBMEM		= 0x0800,	/* 16 dwords */
	V2PMAILBOX	= 0x0c40,
	PSRTYPE		= 0x0f0c,
	VFGPRC		= 0x0f10,
	VFGPTC		= 0x0f14,
	VFGORC		= 0x0f18,
	VFGOTC		= 0x0f34,
	VFMPRC		= 0x0f3c,
	VTEICS		= 0x1520,
	VTEIMS		= 0x1524,
	VTEIMC		= 0x1528,
	VTEIAC		= 0x152c,
	VTEIAM		= 0x1530,
	VTEICR		= 0x1580,
	EITR0		= 0x1680,
	VTIVAR0		= 0x1700,
	VTIVAR_MISC	= 0x1740,
	RDBAL		= 0x2800,
	RDBAH		= 0x2804,
	RDLEN		= 0x2808,
	SRRCTL		= 0x280c,
	RDH		= 0x2810,
	RDT		= 0x2818,
	RXDCTL		= 0x2828,
	TDBAL		= 0x3800,
	TDBAH		= 0x3804,
	TDLEN		= 0x3808,
	TDH		= 0x3810,
	TDT		= 0x3818,
	TXDCTL		= 0x3828,
	TDWBAL		= 0x3838,
	TDWBAH		= 0x383c,
};

#define VTCTRL_RST		(1U << 26)
#define STATUS_LU		(1U << 1)
#define V2PMAILBOX_REQ		(1U << 0)
#define V2PMAILBOX_ACK		(1U << 1)
#define V2PMAILBOX_VFU		(1U << 2)
#define V2PMAILBOX_PFU		(1U << 3)
#define V2PMAILBOX_PFSTS	(1U << 4)
#define V2PMAILBOX_PFACK	(1U << 5)
#define V2PMAILBOX_RSTI		(1U << 6)
#define V2PMAILBOX_RSTD		(1U << 7)
#define DCTL_ENABLE		(1U << 25)
#define VECTOR_TX		0
#define VECTOR_RX		1
#define VECTOR_MBX		2
#define NR_VECTORS		3
#define ALL_VECTORS		7U

/* Mailbox messages (word 0) */
#define MBX_RESET		0x01
#define MBX_SET_MAC_ADDR	0x02
#define MBX_SET_MULTICAST	0x03
#define MBX_SET_VLAN		0x04
#define MBX_SET_LPE		0x05
#define MBX_INFO_SHIFT		16
#define MBX_CTS			(1U << 29)
#define MBX_NACK		(1U << 30)
#define MBX_ACK			(1U << 31)
#define MBX_WORDS		16

#define RING_SIZE		32
#define FRAME_SIZE		2048
#define JUMBO_SIZE		(9 * 1024)	/* what a peer can send */
/* The guest's memory: two rings of a page each and their buffers */
#define NIC_MEM			(2 * 4096 + 2 * RING_SIZE * FRAME_SIZE)
#define NIC_IOVA		0x100000
#define NIC_RX_RING		NIC_IOVA
#define NIC_TX_RING		(NIC_IOVA + 4096)
#define NIC_RX_BUFFERS		(NIC_IOVA + 2 * 4096)
#define NIC_TX_BUFFERS		(NIC_RX_BUFFERS + RING_SIZE * FRAME_SIZE)

#define ETH_TYPE_TEST		0x88b5	/* IEEE 802: local experimental */
#define ETH_HEADER		14

struct desc {
	uint64_t addr;
	union {
		uint64_t header;	/* receive, to the device */
		struct {		/* receive, from the device */
			uint32_t rx_status;
			uint16_t rx_length;
			uint16_t rx_vlan;
		};
		struct {		/* transmit, to the device */
			uint32_t tx_command;
			uint32_t tx_status;
		};
	};
};

#define RX_DONE			(1U << 0)	/* write-back: status */
#define RX_EOP			(1U << 1)

struct nic {
	struct vdev *v;
	bool trapped;			/* by read() and write() only */
	volatile uint32_t *regs;	/* BAR0 as far as it can be mapped */
	uint8_t *mem;			/* NIC_MEM bytes at NIC_IOVA */
	unsigned int rx_next;		/* next descriptor to be filled */
	unsigned int tx_next;		/* next descriptor to be used */
	uint8_t mac[6];
	uint32_t mbx_seen;		/* read-to-clear bits, kept for later */
};

/*
 * The VF's interrupts without its queues.  vf_vectors_on() clears what is
 * pending and unmasks all vectors; vf_raise() raises @vectors by software.
 */
void vf_vectors_on(const struct vdev *v);
void vf_raise(const struct vdev *v, uint32_t vectors);

/* Memory for a NIC, not mapped anywhere yet. */
void nic_alloc(struct nic *nic);
void nic_free(struct nic *nic);
/* Attaches the NIC to a device: maps memory and registers, accesses neither. */
void nic_attach(struct nic *nic, struct vdev *v);
void nic_detach(struct nic *nic);
/*
 * The driver's probe and open: bus mastering, the reset handshake, a MAC,
 * rings, enable.
 */
void nic_up(struct nic *nic);
/* Interrupts of @nic to the three eventfds, as igbvf maps the causes. */
void nic_irqs_up(struct nic *nic, const int32_t fds[static NR_VECTORS]);

uint32_t nic_read(struct nic *nic, uint32_t reg);
void nic_write(struct nic *nic, uint32_t reg, uint32_t value);

/*
 * Sends a mailbox message of @words to the PF and puts the answer's words in
 * their place: 0, or -ETIMEDOUT.
 */
int nic_mbx(struct nic *nic, uint32_t msg[static MBX_WORDS],
	    unsigned int words);
int nic_mbx_reset(struct nic *nic);
/*
 * A mailbox request with an address: 0, -EPERM if the PF refuses, -ETIMEDOUT.
 */
int nic_mbx_mac(struct nic *nic, uint32_t request,
		const uint8_t mac[static 6]);
int nic_set_mac(struct nic *nic, const uint8_t mac[static 6]);

/* Gives one frame to the device. */
void nic_send_later(struct nic *nic, const uint8_t dst[static 6],
		    const void *payload, size_t len);
/* Sends one frame and waits until the device has done it. */
void nic_send(struct nic *nic, const uint8_t dst[static 6],
	      const void *payload, size_t len);
/*
 * The payload of the next test frame: its length, 0 if none came in time.
 * Other frames are dropped.
 */
size_t nic_receive(struct nic *nic, void *payload, size_t size);
/* The same without waiting. */
size_t nic_receive_now(struct nic *nic, void *payload, size_t size);

/* The other side. */
struct peer {
	int fd;
	int ifindex;
	uint8_t mac[6];
};

void peer_open(struct peer *peer, const char *pf_bdf);
void peer_close(struct peer *peer);
void peer_send(struct peer *peer, const uint8_t dst[static 6],
	       const void *payload, size_t len);
size_t peer_receive(struct peer *peer, void *payload, size_t size);

/*
 * One frame each way, each with its own contents; fails the test if one does
 * not arrive as it was sent.
 */
void nic_ping_pong(struct nic *nic, struct peer *peer);

#endif
