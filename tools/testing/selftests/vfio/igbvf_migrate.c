// SPDX-License-Identifier: GPL-2.0-only
/*
 * Migration from one VF to a VF of another PF, as a guest sees it.  The guest
 * is the driver of lib/nic.c, whose memory stays while its device changes; its
 * peers send and receive on the PFs' interfaces.
 */
#include <linux/pci_regs.h>

#include "test.h"
#include "device.h"
#include "flood.h"
#include "iommu.h"
#include "kmsg.h"
#include "migration.h"
#include "move.h"
#include "nic.h"

FIXTURE(migrate) {
	struct vdev a;
	struct vdev b;
	struct nic nic;
	struct peer peer_a;
	struct peer peer_b;
};

FIXTURE_SETUP(migrate)
{
	NEED_TWO_VFS();
	move_open(&self->a, &self->b, &self->nic, &self->peer_a,
		  &self->peer_b);
}

FIXTURE_TEARDOWN(migrate)
{
	vdev_close(&self->a);
	vdev_close(&self->b);
}

TEST_F(migrate, traffic_goes_on)
{
	struct nic *nic = &self->nic;
	unsigned int i;

	nic_attach(nic, &self->a);
	nic_up(nic);
	for (i = 0; i < 5; i++)
		nic_ping_pong(nic, &self->peer_b);

	move(nic, &self->a, &self->b);
	vdev_close(&self->a);
	for (i = 0; i < 5; i++) {
		nic_ping_pong(nic, &self->peer_a);
		nic_ping_pong(nic, &self->peer_b);
	}
}

/* At every position in the rings */
TEST_F(migrate, traffic_goes_on_after_many_moves)
{
	struct vdev *from = &self->a, *to = &self->b, *tmp;
	struct peer *far = &self->peer_b, *near = &self->peer_a, *t;
	struct nic *nic = &self->nic;
	unsigned int round, i;

	nic_attach(nic, from);
	nic_up(nic);
	for (round = 0; round < 12; round++) {
		for (i = 0; i < round + 1; i++)
			nic_ping_pong(nic, far);
		move(nic, from, to);
		reopen(from);
		nic_ping_pong(nic, near);
		tmp = from;
		from = to;
		to = tmp;
		t = far;
		far = near;
		near = t;
	}
}

/* Moves a guest with interrupts; the VMM sets them up in RESUMING. */
static void move_with_irqs(struct nic *nic, struct vdev *from, struct vdev *to,
			   const int32_t fds[static NR_VECTORS])
{
	struct stream s = device_save(from->fd);
	int fd;

	fd = must(mig_session(to->fd, RESUMING));
	must(stream_write(fd, s.data, s.size, 4096));
	config_restore(to, from);
	must(irq_eventfds(to, VFIO_PCI_MSIX_IRQ_INDEX, 0, fds, NR_VECTORS));
	sys_close(fd);
	nic_detach(nic);
	nic_attach(nic, to);
	must(mig_set(to->fd, RUNNING, NULL));
	vdev_close(from);
	stream_free(&s);
}

static void irqs_up(struct nic *nic, int32_t fds[static NR_VECTORS])
{
	unsigned int i;

	for (i = 0; i < NR_VECTORS; i++)
		fds[i] = eventfd_new();
	nic_up(nic);
	nic_irqs_up(nic, fds);
}

TEST_F(migrate, interrupts_go_on)
{
	struct nic *nic = &self->nic;
	int32_t fds[NR_VECTORS];
	char buf[64];

	nic_attach(nic, &self->a);
	irqs_up(nic, fds);
	nic_ping_pong(nic, &self->peer_b);
	EXPECT_LT(0, eventfd_wait(fds[VECTOR_RX]));
	EXPECT_LT(0, eventfd_wait(fds[VECTOR_TX]));
	eventfd_take(fds[VECTOR_MBX]);

	move_with_irqs(nic, &self->a, &self->b, fds);
	/*
	 * The vectors of the queues fire once, as the guest would wait for ever
	 * for a cause that got lost.
	 */
	EXPECT_LT(0, eventfd_wait(fds[VECTOR_RX]));
	EXPECT_LT(0, eventfd_wait(fds[VECTOR_TX]));
	peer_send(&self->peer_a, nic->mac, "hello", 5);
	EXPECT_LT(0, nic_receive(nic, buf, sizeof(buf)));
	EXPECT_LT(0, eventfd_wait(fds[VECTOR_RX]));
	nic_send(nic, self->peer_a.mac, "hello", 5);
	EXPECT_LT(0, eventfd_wait(fds[VECTOR_TX]));
	/* The mailbox's does not: igbvf would take that for a link change. */
	EXPECT_EQ(0, eventfd_take(fds[VECTOR_MBX]));
}

/* The PF's answer is pending when the guest is stopped. */
TEST_F(migrate, unread_mail_is_announced)
{
	struct nic *nic = &self->nic;
	int32_t fds[NR_VECTORS];

	nic_attach(nic, &self->a);
	irqs_up(nic, fds);
	nic_write(nic, V2PMAILBOX, V2PMAILBOX_VFU);
	nic_write(nic, VMBMEM, MBX_SET_LPE);
	nic_write(nic, VMBMEM + 4, 1522);
	nic_write(nic, V2PMAILBOX, V2PMAILBOX_REQ);
	/* The answer is there; the guest has not read it. */
	ASSERT_TRUE(poll_until(nic_read(nic, VMBMEM) & MBX_ACK));
	eventfd_take(fds[VECTOR_MBX]);

	move_with_irqs(nic, &self->a, &self->b, fds);
	EXPECT_LT(0, eventfd_wait(fds[VECTOR_MBX]));
	EXPECT_NE(0, nic_read(nic, V2PMAILBOX) & V2PMAILBOX_PFSTS);
	EXPECT_EQ(MBX_SET_LPE | MBX_CTS | MBX_ACK, nic_read(nic, VMBMEM));
}

TEST_F(migrate, state_is_small)
{
	struct stream s;

	nic_attach(&self->nic, &self->a);
	nic_up(&self->nic);
	nic_ping_pong(&self->nic, &self->peer_a);
	s = device_save(self->a.fd);
	TH_LOG("%zu bytes of device state", s.size);
	EXPECT_GT(4096, s.size);
	EXPECT_LE((int64_t)s.size, mig_data_size(self->a.fd));
}

TEST_F(migrate, second_save_is_equal)
{
	struct stream first, again;
	size_t at;

	nic_attach(&self->nic, &self->a);
	nic_up(&self->nic);
	nic_ping_pong(&self->nic, &self->peer_b);
	first = move_stopped(&self->nic, &self->a, &self->b);
	again = device_save(self->b.fd);
	at = stream_diff(&first, &again);
	EXPECT_EQ(0, at) {
		TH_LOG("%zu and %zu bytes differ at %zu", first.size,
		       again.size, at - 1);
	}
	/* The source has not changed either. */
	stream_free(&again);
	again = device_save(self->a.fd);
	at = stream_diff(&first, &again);
	EXPECT_EQ(0, at) {
		TH_LOG("source: %zu and %zu bytes differ at %zu", first.size,
		       again.size, at - 1);
	}
}

TEST_F(migrate, save_is_equal_after_running)
{
	struct stream first, again;

	nic_attach(&self->nic, &self->a);
	nic_up(&self->nic);
	nic_ping_pong(&self->nic, &self->peer_b);
	first = move_stopped(&self->nic, &self->a, &self->b);
	vdev_close(&self->a);
	must(mig_set(self->b.fd, RUNNING, NULL));
	must(mig_set(self->b.fd, STOP, NULL));
	again = device_save(self->b.fd);
	EXPECT_EQ(0, stream_diff(&first, &again));
}

/* A VF that no driver has used, and one that a driver has left */
TEST_F(migrate, works_without_a_guest_driver)
{
	struct stream first, again;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		first = device_save(self->a.fd);
		must(device_load(self->b.fd, &first));
		again = device_save(self->b.fd);
		EXPECT_EQ(0, stream_diff(&first, &again));
		EXPECT_EQ(0, mig_set(self->a.fd, RUNNING, NULL));
		EXPECT_EQ(0, mig_set(self->b.fd, RUNNING, NULL));
		stream_free(&first);
		stream_free(&again);
		if (i)
			break;
		nic_attach(&self->nic, &self->a);
		nic_up(&self->nic);
		nic_write(&self->nic, RXDCTL, 0);
		nic_write(&self->nic, TXDCTL, 0);
		nic_write(&self->nic, VTEIMC, ALL_VECTORS);
		nic_detach(&self->nic);
		must(device_reset(&self->b));
	}
	/* A driver that is loaded later works. */
	must(device_reset(&self->b));
	nic_attach(&self->nic, &self->b);
	nic_up(&self->nic);
	nic_ping_pong(&self->nic, &self->peer_b);
}

TEST_F(migrate, works_during_probe)
{
	struct stream s;

	nic_attach(&self->nic, &self->a);
	cfg_command(&self->a, PCI_COMMAND_MASTER, 0);
	nic_write(&self->nic, VTCTRL, VTCTRL_RST);
	must(nic_mbx_reset(&self->nic));
	/* The ring has an address, but no length, and is not enabled. */
	nic_write(&self->nic, RDBAL, NIC_IOVA);
	nic_write(&self->nic, TDBAL, NIC_IOVA + 4096);
	s = move_stopped(&self->nic, &self->a, &self->b);
	must(mig_set(self->b.fd, RUNNING, NULL));
	vdev_close(&self->a);
	EXPECT_EQ(NIC_IOVA, nic_read(&self->nic, RDBAL));
	EXPECT_EQ(NIC_IOVA + 4096, nic_read(&self->nic, TDBAL));
	nic_up(&self->nic);
	nic_ping_pong(&self->nic, &self->peer_b);
	stream_free(&s);
}

TEST_F(migrate, cancel_loses_nothing)
{
	struct nic *nic = &self->nic;
	struct stream s;
	uint8_t mac[6];
	unsigned int i;
	char buf[64];
	int fd;

	nic_attach(nic, &self->a);
	nic_up(nic);
	memcpy(mac, nic->mac, 6);
	for (i = 0; i < 4; i++) {
		nic_ping_pong(nic, &self->peer_b);
		switch (i) {
		case 0:	/* nothing read, fd closed before */
			fd = must(mig_session(self->a.fd, STOP_COPY));
			sys_close(fd);
			must(mig_set(self->a.fd, RUNNING, NULL));
			break;
		case 1:	/* half read, straight back */
			fd = must(mig_session(self->a.fd, STOP_COPY));
			must(sys_read(fd, buf, sizeof(buf)));
			must(mig_set(self->a.fd, RUNNING, NULL));
			EXPECT_EQ(-ENODEV, sys_read(fd, buf, 1));
			sys_close(fd);
			break;
		case 2:	/* STOP and back */
			must(mig_set(self->a.fd, STOP, NULL));
			must(mig_set(self->a.fd, RUNNING, NULL));
			break;
		case 3:	/* all read, back through STOP */
			s = device_save(self->a.fd);
			stream_free(&s);
			must(mig_set(self->a.fd, RUNNING, NULL));
			break;
		}
		nic_ping_pong(nic, &self->peer_a);
		nic_ping_pong(nic, &self->peer_b);
	}
	EXPECT_EQ(0, memcmp(mac, nic->mac, 6));
}

/* A doorbell that is rung in STOP takes effect later. */
TEST_F(migrate, doorbell_in_stop_is_kept)
{
	struct nic *nic = &self->nic;
	char buf[64] = {};

	nic_attach(nic, &self->a);
	nic_up(nic);
	nic_ping_pong(nic, &self->peer_b);
	must(mig_set(self->a.fd, STOP, NULL));
	/*
	 * The guest is stopped as well, so this should not happen; it must not
	 * damage the rings.
	 */
	nic_write(nic, TDT, nic_read(nic, TDT));
	nic_write(nic, RXDCTL, DCTL_ENABLE);
	nic_write(nic, TXDCTL, DCTL_ENABLE);
	peer_send(&self->peer_b, nic->mac, "lost", 4);
	must(mig_set(self->a.fd, RUNNING, NULL));
	nic_ping_pong(nic, &self->peer_b);
	EXPECT_EQ(0, nic_receive_now(nic, buf, sizeof(buf)));
}

/* The device does not write to memory in STOP. */
TEST_F(migrate, stop_ends_dma)
{
	struct nic *nic = &self->nic;
	uint8_t *before = malloc(NIC_MEM);
	unsigned int i;

	nic_attach(nic, &self->a);
	nic_up(nic);
	nic_ping_pong(nic, &self->peer_b);
	must(mig_set(self->a.fd, STOP, NULL));
	memcpy(before, nic->mem, NIC_MEM);
	nic_write(nic, RXDCTL, DCTL_ENABLE);
	for (i = 0; i < 20; i++)
		peer_send(&self->peer_b, nic->mac, &i, sizeof(i));
	/* Frames that were sent before had time to arrive. */
	sleep_us(100000);
	EXPECT_EQ(0, memcmp(before, nic->mem, NIC_MEM));
	must(mig_set(self->a.fd, RUNNING, NULL));
	nic_ping_pong(nic, &self->peer_b);
}

TEST_F(migrate, second_load_replaces_the_first)
{
	struct stream s, other;

	nic_attach(&self->nic, &self->a);
	nic_up(&self->nic);
	s = device_save(self->a.fd);

	must(device_load(self->b.fd, &s));
	must(mig_set(self->b.fd, RUNNING, NULL));
	/* The same stream again */
	must(device_load(self->b.fd, &s));
	other = device_save(self->b.fd);
	EXPECT_EQ(0, stream_diff(&s, &other));
	/* A stream that is refused, after two good ones */
	other.data[0] ^= 0xff;
	EXPECT_GT(0, device_load(self->b.fd, &other));
	must(device_reset(&self->b));
	/* A short stream: data of the earlier sessions is gone. */
	other.data[0] ^= 0xff;
	other.size /= 2;
	EXPECT_GT(0, device_load(self->b.fd, &other));
	must(device_reset(&self->b));
	must(device_load(self->b.fd, &s));
}

/* As for suspend and resume of a VM on one host */
TEST_F(migrate, loads_into_the_same_vf)
{
	struct nic *nic = &self->nic;
	struct stream s;

	nic_attach(nic, &self->a);
	nic_up(nic);
	nic_ping_pong(nic, &self->peer_b);
	s = device_save(self->a.fd);
	must(device_reset(&self->a));
	must(device_load(self->a.fd, &s));
	cfg_command(&self->a, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY, 0);
	must(mig_set(self->a.fd, RUNNING, NULL));
	nic_ping_pong(nic, &self->peer_b);
}

static const uint32_t counters[] = { VFGPRC, VFGPTC, VFGORC, VFGOTC, VFMPRC };

/*
 * The guest's counters continue from their values: igbvf takes a counter that
 * goes backwards for an overflow and adds 2^32.
 */
TEST_F(migrate, statistics_do_not_jump)
{
	uint32_t before[ARRAY_SIZE(counters)], after;
	struct nic *nic = &self->nic;
	unsigned int i;

	nic_attach(nic, &self->a);
	nic_up(nic);
	for (i = 0; i < 7; i++)
		nic_ping_pong(nic, &self->peer_b);
	must(mig_set(self->a.fd, STOP, NULL));
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		before[i] = nic_read(nic, counters[i]);
	EXPECT_LT(0, before[0]);
	EXPECT_LT(0, before[1]);
	must(mig_set(self->a.fd, RUNNING, NULL));
	must(mig_set(self->a.fd, STOP, NULL));
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		EXPECT_EQ(before[i], nic_read(nic, counters[i]));

	move(nic, &self->a, &self->b);
	vdev_close(&self->a);
	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		after = nic_read(nic, counters[i]);
		EXPECT_LE(before[i], after);
			/*
			 * Only neighbour discovery and the like is on the wire.
			 */
		EXPECT_GT(before[i] + 100000, after) {
			TH_LOG("counter %#x: %u, now %u", counters[i],
			       before[i], after);
		}
	}
	nic_ping_pong(nic, &self->peer_b);
	EXPECT_LT(before[1], nic_read(nic, VFGPTC));
}

/* The destination's PF is asked for what the source's PF granted. */
TEST_F(migrate, what_the_pf_granted_moves_along)
{
	uint32_t msg[MBX_WORDS] = { MBX_SET_MULTICAST | 1 << MBX_INFO_SHIFT };
	static const uint8_t group[6] = { 0x01, 0x00, 0x5e, 0x01, 0x02, 0x03 };
	struct nic *nic = &self->nic;
	uint32_t mbmem;
	char buf[64];

	nic_attach(nic, &self->a);
	nic_up(nic);
	/* Hash of the address, as igbvf computes it (MO = 0: bits 47:36) */
	msg[1] = (group[4] >> 4 | group[5] << 4) & 0xfff;
	must(nic_mbx(nic, msg, 2));
	EXPECT_EQ(MBX_ACK, msg[0] & (MBX_ACK | MBX_NACK));
	peer_send(&self->peer_b, group, "before", 6);
	ASSERT_LT(0, nic_receive(nic, buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "before", 6));
	mbmem = nic_read(nic, VMBMEM);

	move(nic, &self->a, &self->b);
	vdev_close(&self->a);
	EXPECT_EQ(mbmem, nic_read(nic, VMBMEM));
	peer_send(&self->peer_a, group, "after", 5);
	ASSERT_LT(0, nic_receive(nic, buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "after", 5));
	/* The mailbox works without a new handshake. */
	EXPECT_EQ(0, nic_set_mac(nic, nic->mac));
	nic_ping_pong(nic, &self->peer_a);
}

/* igbvf's check of the link: the mailbox is unchanged and can be locked. */
static void look_at_link(struct __test_metadata *_metadata, struct nic *nic,
			 uint32_t mbmem)
{
	EXPECT_NE(0, nic_read(nic, STATUS) & STATUS_LU);
	nic_write(nic, V2PMAILBOX, V2PMAILBOX_VFU);
	EXPECT_NE(0, nic_read(nic, V2PMAILBOX) & V2PMAILBOX_VFU);
	EXPECT_EQ(mbmem, nic_read(nic, VMBMEM));
	nic_write(nic, V2PMAILBOX, V2PMAILBOX_ACK);
	EXPECT_EQ(mbmem, nic_read(nic, VMBMEM));
}

TEST_F(migrate, link_stays_up)
{
	struct vdev *from = &self->a, *to = &self->b, *tmp;
	struct nic *nic = &self->nic;
	unsigned int round;
	uint32_t mbmem;

	nic_attach(nic, from);
	nic_up(nic);
	nic_set_mac(nic, nic->mac);
	mbmem = nic_read(nic, VMBMEM);
	EXPECT_NE(0, mbmem & MBX_CTS);
	for (round = 0; round < 10; round++) {
		move(nic, from, to);
		look_at_link(_metadata, nic, mbmem);
		sleep_us(1000);
		look_at_link(_metadata, nic, mbmem);
		reopen(from);
		tmp = from;
		from = to;
		to = tmp;
	}
}

/* The source's PF drops the MAC, or it would receive the guest's frames. */
TEST_F(migrate, source_is_freed)
{
	struct nic *nic = &self->nic;
	char buf[64];

	nic_attach(nic, &self->a);
	nic_up(nic);
	nic_ping_pong(nic, &self->peer_b);
	move(nic, &self->a, &self->b);
	vdev_close(&self->a);
	peer_send(&self->peer_a, nic->mac, "across", 6);
	ASSERT_LT(0, nic_receive(nic, buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "across", 6));
}

/* Under a flood, no frame is received twice or out of order. */
static unsigned int drain(struct nic *nic, uint32_t *last)
{
	unsigned int count = 0;
	uint32_t number;

	while (nic_receive_now(nic, &number, sizeof(number))) {
		if (number <= *last)
			die("frame %u after frame %u", number, *last);
		*last = number;
		count++;
	}
	return count;
}

TEST_F(migrate, flood_is_received_in_order)
{
	struct nic *nic = &self->nic;
	struct flood f = { .peer = &self->peer_b };
	unsigned int i, received = 0;
	uint32_t last = 0;

	nic_attach(nic, &self->a);
	nic_up(nic);
	f.mac = nic->mac;
	flood_start(&f);
	for (i = 0; i < 10; i++) {
		ASSERT_TRUE(poll_until(drain(nic, &last)));
		must(mig_set(self->a.fd, i % 2 ? STOP : STOP_COPY, NULL));
		received += drain(nic, &last);
		sleep_us(1000 * i);
		EXPECT_EQ(0, drain(nic, &last));
		must(mig_set(self->a.fd, RUNNING, NULL));
	}
	ASSERT_TRUE(poll_until(drain(nic, &last)));
	flood_stop(&f);
	nic_ping_pong(nic, &self->peer_b);
}

/*
 * Memory use after 100 rounds of save and load.  Slab is shared with the rest
 * of the machine: the bound allows for that, but not for one page per round.
 */
TEST_F(migrate, hundred_rounds_do_not_leak)
{
	const unsigned int rounds = 100;
	long slab = 0, available = 0, grown;
	struct stream s, again;
	unsigned int i;

	if (scaled(rounds) != rounds)
		SKIP(return, "the kernel's own checkers look for leaks");
	nic_attach(&self->nic, &self->a);
	nic_up(&self->nic);
	s = device_save(self->a.fd);
	for (i = 0; i < rounds + 10; i++) {
		if (i == 10) {
			slab = proc_meminfo_kb("SUnreclaim");
			available = proc_meminfo_kb("MemAvailable");
		}
		must(device_load(self->b.fd, &s));
		again = device_save(self->b.fd);
		ASSERT_EQ(0, stream_diff(&s, &again));
		stream_free(&again);
		if (i % 10 == 5)
			must(device_reset(&self->b));
	}
	grown = proc_meminfo_kb("SUnreclaim") - slab;
	TH_LOG("%u rounds: SUnreclaim %+ld kB, MemAvailable %+ld kB", rounds,
	       grown, proc_meminfo_kb("MemAvailable") - available);
	EXPECT_GT(4L * rounds, grown);
	EXPECT_LT(-4L * rounds - 8192,
		  proc_meminfo_kb("MemAvailable") - available);
}

TEST_F(migrate, load_fails_while_the_pf_is_down)
{
	struct nic *nic = &self->nic;
	struct stream s;
	int fd, ret;

	nic_attach(nic, &self->a);
	nic_up(nic);
	nic_ping_pong(nic, &self->peer_b);
	s = device_save(self->a.fd);
	pf_set(func_bdf(FUNC_PF_B), false);
	/* Refused at RESUMING or, at the latest, by the load */
	fd = ret = mig_session(self->b.fd, RESUMING);
	if (fd >= 0) {
		must(stream_write(fd, s.data, s.size, s.size));
		ret = mig_set(self->b.fd, STOP, NULL);
		sys_close(fd);
	}
	pf_set(func_bdf(FUNC_PF_B), true);
	EXPECT_EQ(-EIO, ret);
	/* The guest goes on at the source ... */
	must(mig_set(self->a.fd, RUNNING, NULL));
	nic_ping_pong(nic, &self->peer_b);
	/* ... and can be moved when the PF is up. */
	must(device_reset(&self->b));
	move(nic, &self->a, &self->b);
	vdev_close(&self->a);
	nic_ping_pong(nic, &self->peer_a);
}

/*
 * The source's PF is reset in STOP, which clears the VF's registers: the saved
 * values count.
 */
TEST_F(migrate, survives_a_pf_reset_in_stop)
{
	struct nic *nic = &self->nic;

	nic_attach(nic, &self->a);
	nic_up(nic);
	nic_ping_pong(nic, &self->peer_b);
	must(mig_set(self->a.fd, STOP, NULL));
	pf_set(func_bdf(FUNC_PF_A), false);
	pf_set(func_bdf(FUNC_PF_A), true);
	move(nic, &self->a, &self->b);
	vdev_close(&self->a);
	nic_ping_pong(nic, &self->peer_a);
}

/* Is one refusal of B logged after a hundred of A? */
static bool refusal_is_told(struct __test_metadata *_metadata,
			    FIXTURE_DATA(migrate) *self, int log)
{
	unsigned int i;

	for (i = 0; i < 100; i++)
		EXPECT_EQ(-EINVAL, mig_set(self->a.fd, RUNNING, NULL));
	EXPECT_EQ(-EINVAL, mig_set(self->b.fd, RUNNING, NULL));
	return kmsg_said(log, self->b.bdf, "is cut short");
}

/*
 * Messages are rate-limited for each device on its own.
 * Repeated, as B's own messages may be limited.
 */
TEST_F(migrate, messages_are_limited_per_device)
{
	int log = kmsg_open(), a, b;

	a = must(mig_session(self->a.fd, RESUMING));
	b = must(mig_session(self->b.fd, RESUMING));
	EXPECT_TRUE(poll_until(refusal_is_told(_metadata, self, log)));
	sys_close(a);
	sys_close(b);
	sys_close(log);
}

TEST_F(migrate, times_are_reported)
{
	struct stream s;
	uint64_t t[6];
	int fd;

	nic_attach(&self->nic, &self->a);
	nic_up(&self->nic);
	nic_ping_pong(&self->nic, &self->peer_b);
	/* For information: the machine may be slow. */
	t[0] = now_ms();
	must(mig_set(self->a.fd, STOP, NULL));
	t[1] = now_ms();
	s = device_save(self->a.fd);
	t[2] = now_ms();
	fd = must(mig_session(self->b.fd, RESUMING));
	t[3] = now_ms();
	must(stream_write(fd, s.data, s.size, s.size));
	must(mig_set(self->b.fd, STOP, NULL));
	t[4] = now_ms();
	must(mig_set(self->b.fd, RUNNING, NULL));
	t[5] = now_ms();
	sys_close(fd);
	stream_free(&s);
	TH_LOG("ms: stop %d save %d resuming %d load %d run %d",
	       (int)(t[1] - t[0]), (int)(t[2] - t[1]), (int)(t[3] - t[2]),
	       (int)(t[4] - t[3]), (int)(t[5] - t[4]));
}

TEST_HARNESS_MAIN
