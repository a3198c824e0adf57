// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest driver in miniature and its peer.
 *
 * Descriptor formats: Intel 82576 datasheet, sections "Advanced Receive
 * Descriptors" and "Advanced Transmit Data Descriptor".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/pci_regs.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "iommu.h"
#include "nic.h"
#include "sysfs.h"
#include "util.h"

#define SRRCTL_2K_ADV	((1U << 25) | 2)
#define TX_DONE		(1U << 0)	/* write-back: olinfo_status */
#define TX_DATA		(3U << 20)
#define TX_EOP		(1U << 24)
#define TX_IFCS		(1U << 25)
#define TX_RS		(1U << 27)
#define TX_DEXT		(1U << 29)
#define TX_PAYLEN_SHIFT	14
#define IVAR_VALID	0x80

static volatile struct desc *rx_ring(struct nic *nic)
{
	return (volatile struct desc *)nic->mem;
}

static volatile struct desc *tx_ring(struct nic *nic)
{
	return (volatile struct desc *)(nic->mem + 4096);
}

static size_t rx_buffer(unsigned int i)
{
	return 2 * 4096 + i * FRAME_SIZE;
}

static size_t tx_buffer(unsigned int i)
{
	return rx_buffer(RING_SIZE + i);
}

void vf_vectors_on(const struct vdev *v)
{
	unsigned int i;

	reg_write(v, 0, VTEIMC, ALL_VECTORS);
	/* Causes of an earlier user survive a reset. */
	reg_write(v, 0, VTEICR, ALL_VECTORS);
	for (i = 0; i < NR_VECTORS; i++)
		reg_write(v, 0, EITR0 + 4 * i, 0);
	reg_write(v, 0, VTEIAC, ALL_VECTORS);
	reg_write(v, 0, VTEIAM, 0);
	reg_write(v, 0, VTEIMS, ALL_VECTORS);
}

void vf_raise(const struct vdev *v, uint32_t vectors)
{
	reg_write(v, 0, VTEICS, vectors);
}

void nic_alloc(struct nic *nic)
{
	*nic = (struct nic){ .mem = mem_alloc(NIC_MEM) };
}

void nic_free(struct nic *nic)
{
	mem_free(nic->mem, NIC_MEM);
}

void nic_attach(struct nic *nic, struct vdev *v)
{
	nic->v = v;
	must(dma_map(v->container, NIC_IOVA, nic->mem, NIC_MEM));
	if (!nic->trapped)
		nic->regs = vdev_map_region(v, 0);
}

void nic_detach(struct nic *nic)
{
	if (nic->regs)
		vdev_unmap_region(nic->v, 0, (void *)nic->regs);
	must(dma_unmap(nic->v->container, NIC_IOVA, NIC_MEM));
	nic->regs = NULL;
	nic->v = NULL;
}

/* Page 0 is never mapped: the migration driver traps it. */
static bool is_mapped(const struct nic *nic, uint32_t reg)
{
	return nic->regs && reg >= 4096;
}

uint32_t nic_read(struct nic *nic, uint32_t reg)
{
	return is_mapped(nic, reg) ? nic->regs[reg / 4] :
				     reg_read(nic->v, 0, reg);
}

void nic_write(struct nic *nic, uint32_t reg, uint32_t value)
{
	if (is_mapped(nic, reg))
		nic->regs[reg / 4] = value;
	else
		reg_write(nic->v, 0, reg, value);
}

/* Reads V2PMAILBOX; bits that the read clears are kept until asked for. */
static bool mbx_bits(struct nic *nic, uint32_t bits)
{
	nic->mbx_seen |= nic_read(nic, V2PMAILBOX);
	if (!(nic->mbx_seen & bits))
		return false;
	nic->mbx_seen &= ~bits;
	return true;
}

static bool mbx_take(struct nic *nic)
{
	uint32_t value;

	nic_write(nic, V2PMAILBOX, V2PMAILBOX_VFU);
	value = nic_read(nic, V2PMAILBOX);
	nic->mbx_seen |= value & (V2PMAILBOX_PFSTS | V2PMAILBOX_PFACK |
				  V2PMAILBOX_RSTI | V2PMAILBOX_RSTD);
	return value & V2PMAILBOX_VFU;
}

static int mbx_silent(struct nic *nic, const char *what)
{
	fprintf(stderr, "# %s: the PF does not %s message %#x: seen %#x, now V2PMAILBOX %#x\n",
		nic->v->bdf, what, nic_read(nic, VMBMEM), nic->mbx_seen,
		nic_read(nic, V2PMAILBOX));
	return -ETIMEDOUT;
}

int nic_mbx(struct nic *nic, uint32_t msg[static MBX_WORDS],
	    unsigned int words)
{
	unsigned int i;

	if (!poll_until(mbx_take(nic)))
		return mbx_silent(nic, "give the buffer for");
	/* Ignore the answer to an earlier message. */
	nic->mbx_seen &= ~(V2PMAILBOX_PFSTS | V2PMAILBOX_PFACK);
	for (i = 0; i < words; i++)
		nic_write(nic, VMBMEM + 4 * i, msg[i]);
	nic_write(nic, V2PMAILBOX, V2PMAILBOX_REQ);
	if (!poll_until(mbx_bits(nic, V2PMAILBOX_PFSTS)))
		return mbx_silent(nic, "answer");
	if (!poll_until(mbx_take(nic)))
		return mbx_silent(nic, "give the buffer back after its answer to");
	for (i = 0; i < MBX_WORDS; i++)
		msg[i] = nic_read(nic, VMBMEM + 4 * i);
	nic_write(nic, V2PMAILBOX, V2PMAILBOX_ACK);
	return 0;
}

int nic_mbx_reset(struct nic *nic)
{
	uint32_t msg[MBX_WORDS] = { MBX_RESET };
	int ret;

	ret = nic_mbx(nic, msg, 1);
	if (ret)
		return ret;
	if (msg[0] == (MBX_RESET | MBX_ACK))
		memcpy(nic->mac, &msg[1], sizeof(nic->mac));
	else if (msg[0] != (MBX_RESET | MBX_NACK))
		return -EPROTO;
	return 0;
}

int nic_mbx_mac(struct nic *nic, uint32_t request, const uint8_t mac[static 6])
{
	uint32_t msg[MBX_WORDS] = { request };
	int ret;

	memcpy(&msg[1], mac, 6);
	ret = nic_mbx(nic, msg, 3);
	if (ret)
		return ret;
	return msg[0] & MBX_NACK ? -EPERM : 0;
}

int nic_set_mac(struct nic *nic, const uint8_t mac[static 6])
{
	int ret = nic_mbx_mac(nic, MBX_SET_MAC_ADDR, mac);

	if (!ret)
		memcpy(nic->mac, mac, 6);
	return ret;
}

/*
 * A MAC for a guest whose PF assigned none.  Each is new, as a PF may remember
 * those of earlier guests.
 */
static void new_mac(uint8_t mac[static 6])
{
	if (getrandom(mac, 6, 0) != 6)
		die("getrandom: %s", strerror(errno));
	mac[0] = 0x02;
}

/* Reset handshake, frame size and MAC: 0 or -errno */
static int introduce(struct nic *nic)
{
	/* The frame size of an earlier user survives resets of the VF. */
	uint32_t frame_size[MBX_WORDS] = { MBX_SET_LPE, FRAME_SIZE };
	static const uint8_t none[6];
	uint8_t mac[6];
	int ret;

	memset(nic->mac, 0, sizeof(nic->mac));
	ret = nic_mbx_reset(nic);
	if (!ret && !memcmp(nic->mac, none, sizeof(none))) {
		new_mac(mac);
		ret = nic_set_mac(nic, mac);
	}
	return ret ?: nic_mbx(nic, frame_size, 2);
}

void nic_up(struct nic *nic)
{
	unsigned int i;

	memset(nic->mem, 0, NIC_MEM);
	nic->mbx_seen = 0;
	cfg_command(nic->v, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	nic_write(nic, VTCTRL, VTCTRL_RST);
	nic_read(nic, STATUS);
	/*
	 * igb checks for resets first, then for messages.  If it sees the
	 * message that follows this reset before it sees the reset, it answers,
	 * then handles the reset and ignores all further messages: retry.
	 */
	if (introduce(nic))
		must(introduce(nic));

	nic_write(nic, VTEIMC, ALL_VECTORS);
	nic_write(nic, RXDCTL, 0);
	nic_write(nic, TXDCTL, 0);
	nic_write(nic, RDBAL, NIC_IOVA);
	nic_write(nic, RDBAH, 0);
	nic_write(nic, RDLEN, RING_SIZE * sizeof(struct desc));
	nic_write(nic, SRRCTL, SRRCTL_2K_ADV);
	nic_write(nic, RDH, 0);
	nic_write(nic, RDT, 0);
	nic_write(nic, TDBAL, NIC_IOVA + 4096);
	nic_write(nic, TDBAH, 0);
	nic_write(nic, TDLEN, RING_SIZE * sizeof(struct desc));
	/* An earlier user may have enabled head write-back. */
	nic_write(nic, TDWBAL, 0);
	nic_write(nic, TDWBAH, 0);
	nic_write(nic, TDH, 0);
	nic_write(nic, TDT, 0);
	nic_write(nic, RXDCTL, DCTL_ENABLE);
	nic_write(nic, TXDCTL, DCTL_ENABLE);

	/* A descriptor stays free: head == tail means empty. */
	for (i = 0; i < RING_SIZE - 1; i++)
		rx_ring(nic)[i].addr = NIC_IOVA + rx_buffer(i);
	nic->rx_next = 0;
	nic->tx_next = 0;
	nic_write(nic, RDT, RING_SIZE - 1);
}

void nic_irqs_up(struct nic *nic, const int32_t fds[static NR_VECTORS])
{
	must(irq_eventfds(nic->v, VFIO_PCI_MSIX_IRQ_INDEX, 0, fds,
			  NR_VECTORS));
	nic_write(nic, VTIVAR0, (IVAR_VALID | VECTOR_TX) << 8 |
				(IVAR_VALID | VECTOR_RX));
	nic_write(nic, VTIVAR_MISC, IVAR_VALID | VECTOR_MBX);
	vf_vectors_on(nic->v);
}

static size_t frame_build(uint8_t *frame, const uint8_t *dst,
			  const uint8_t *src, const void *payload, size_t len)
{
	memcpy(frame, dst, 6);
	memcpy(frame + 6, src, 6);
	frame[12] = ETH_TYPE_TEST >> 8;
	frame[13] = ETH_TYPE_TEST & 0xff;
	memcpy(frame + ETH_HEADER, payload, len);
	/* Short ones are padded: the switch in the NIC drops runts. */
	if (len < 46) {
		memset(frame + ETH_HEADER + len, 0, 46 - len);
		len = 46;
	}
	return ETH_HEADER + len;
}

static bool is_test_frame(const uint8_t *frame, size_t len)
{
	return len > ETH_HEADER && frame[12] == ETH_TYPE_TEST >> 8 &&
	       frame[13] == (ETH_TYPE_TEST & 0xff);
}

void nic_send_later(struct nic *nic, const uint8_t dst[static 6],
		    const void *payload, size_t len)
{
	unsigned int i = nic->tx_next;
	volatile struct desc *desc = &tx_ring(nic)[i];

	if (len > FRAME_SIZE - ETH_HEADER)
		die("frame of %zu bytes", len);
	len = frame_build(nic->mem + tx_buffer(i), dst, nic->mac, payload,
			  len);
	desc->addr = NIC_IOVA + tx_buffer(i);
	desc->tx_status = len << TX_PAYLEN_SHIFT;
	desc->tx_command = TX_DEXT | TX_RS | TX_IFCS | TX_EOP | TX_DATA | len;
	nic->tx_next = (i + 1) % RING_SIZE;
	__sync_synchronize();
	nic_write(nic, TDT, nic->tx_next);
}

void nic_send(struct nic *nic, const uint8_t dst[static 6],
	      const void *payload, size_t len)
{
	volatile struct desc *desc = &tx_ring(nic)[nic->tx_next];

	nic_send_later(nic, dst, payload, len);
	if (!poll_until(desc->tx_status & TX_DONE))
		die("%s: frame not sent: TDH %u TDT %u TXDCTL %#x",
		    nic->v->bdf, nic_read(nic, TDH), nic_read(nic, TDT),
		    nic_read(nic, TXDCTL));
}

size_t nic_receive_now(struct nic *nic, void *payload, size_t size)
{
	for (;;) {
		unsigned int i = nic->rx_next;
		volatile struct desc *desc = &rx_ring(nic)[i];
		uint8_t *frame = nic->mem + rx_buffer(i);
		unsigned int free = (i + RING_SIZE - 1) % RING_SIZE;
		size_t len = 0;

		if (!(desc->rx_status & RX_DONE))
			return 0;
		__sync_synchronize();
		if (is_test_frame(frame, desc->rx_length)) {
			len = desc->rx_length - ETH_HEADER;
			if (len > size)
				len = size;
			memcpy(payload, frame + ETH_HEADER, len);
		}
		/* Post a buffer again: the one before this. */
		desc->header = 0;
		rx_ring(nic)[free].header = 0;
		rx_ring(nic)[free].addr = NIC_IOVA + rx_buffer(free);
		nic->rx_next = (i + 1) % RING_SIZE;
		__sync_synchronize();
		nic_write(nic, RDT, i);
		if (len)
			return len;
	}
}

size_t nic_receive(struct nic *nic, void *payload, size_t size)
{
	size_t len = 0;

	poll_until((len = nic_receive_now(nic, payload, size)));
	return len;
}

void peer_open(struct peer *peer, const char *pf_bdf)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_TYPE_TEST),
	};
	struct ifreq ifr = {};
	char name[32];

	if (!pci_netdev(pf_bdf, name))
		die("%s has no network interface", pf_bdf);
	peer->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC,
			  htons(ETH_TYPE_TEST));
	if (peer->fd < 0)
		die("packet socket: %s", strerror(errno));
	peer->ifindex = if_nametoindex(name);
	addr.sll_ifindex = peer->ifindex;
	if (bind(peer->fd, (void *)&addr, sizeof(addr)))
		die("%s: bind: %s", name, strerror(errno));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%.15s", name);
	must(sys_ioctl(peer->fd, SIOCGIFHWADDR, &ifr));
	memcpy(peer->mac, ifr.ifr_hwaddr.sa_data, 6);
}

void peer_close(struct peer *peer)
{
	sys_close(peer->fd);
}

void peer_send(struct peer *peer, const uint8_t dst[static 6],
	       const void *payload, size_t len)
{
	uint8_t frame[JUMBO_SIZE + ETH_HEADER];

	if (len > JUMBO_SIZE)
		die("frame of %zu bytes", len);
	len = frame_build(frame, dst, peer->mac, payload, len);
	if (must(sys_write(peer->fd, frame, len)) != (ssize_t)len)
		die("short frame");
}

size_t peer_receive(struct peer *peer, void *payload, size_t size)
{
	struct pollfd poll_fd = { .fd = peer->fd, .events = POLLIN };
	uint64_t end = now_ms() + WATCHDOG_MS;
	uint8_t frame[FRAME_SIZE];
	struct sockaddr_ll from;
	socklen_t from_len;
	ssize_t ret;

	while (now_ms() < end && poll(&poll_fd, 1, WATCHDOG_MS) > 0) {
		from_len = sizeof(from);
		ret = recvfrom(peer->fd, frame, sizeof(frame), MSG_DONTWAIT,
			       (void *)&from, &from_len);
		if (ret < 0 || from.sll_pkttype == PACKET_OUTGOING)
			continue;
		if (!is_test_frame(frame, ret))
			continue;
		ret -= ETH_HEADER;
		if ((size_t)ret > size)
			ret = size;
		memcpy(payload, frame + ETH_HEADER, ret);
		return ret;
	}
	return 0;
}

/* Unique for each frame of each process. */
static uint64_t frame_seed(uint64_t *count)
{
	return (uint64_t)getpid() << 32 |
	       __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
}

void nic_ping_pong(struct nic *nic, struct peer *peer)
{
	static uint64_t count;
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };
	uint8_t out[256], in[256];
	uint64_t seed;
	unsigned int i;

	seed = frame_seed(&count);
	for (i = 0; i < sizeof(out); i++)
		out[i] = prng(&seed);
	nic_send(nic, all, out, sizeof(out));
	do {
		if (!peer_receive(peer, in, sizeof(in)))
			die("%s: what it sent did not arrive", nic->v->bdf);
	} while (memcmp(in, out, sizeof(out)));

	seed = frame_seed(&count);
	for (i = 0; i < sizeof(out); i++)
		out[i] = prng(&seed);
	peer_send(peer, nic->mac, out, sizeof(out));
	do {
		if (!nic_receive(nic, in, sizeof(in)))
			die("%s: received nothing: RDH %u RDT %u RXDCTL %#x",
			    nic->v->bdf, nic_read(nic, RDH),
			    nic_read(nic, RDT), nic_read(nic, RXDCTL));
	} while (memcmp(in, out, sizeof(out)));
}
