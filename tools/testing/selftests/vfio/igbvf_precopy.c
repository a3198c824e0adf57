// SPDX-License-Identifier: GPL-2.0-only
/*
 * PRE_COPY and the P2P states on the VF: the data that can be read early, the
 * results of VFIO_MIG_GET_PRECOPY_INFO and poll(), what a destination refuses
 * before the source stops, and the VF while its DMA is off.
 */
#include <endian.h>
#include <linux/vfio_migration_stream.h>
#include <poll.h>

#include "test.h"
#include "device.h"
#include "migration.h"
#include "move.h"
#include "nic.h"

#include "../../../vfio-mig/crc32c.h"

FIXTURE(precopy) {
	struct vdev a;
	struct vdev b;
	struct nic nic;
	struct peer peer_b;
};

FIXTURE_SETUP(precopy)
{
	NEED_TWO_VFS();
	vdev_open(&self->a, func_bdf(FUNC_VF_A0), DRV_IGBVF_VFIO);
	vdev_open(&self->b, func_bdf(FUNC_VF_B0), DRV_IGBVF_VFIO);
	nic_alloc(&self->nic);
	peer_open(&self->peer_b, func_bdf(FUNC_PF_B));
}

FIXTURE_TEARDOWN(precopy)
{
	vdev_close(&self->a);
	vdev_close(&self->b);
}

static struct vfio_precopy_info info_of(int fd)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };

	must(sys_ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info));
	return info;
}

static bool readable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	if (poll(&poll_fd, 1, 0) < 0 || poll_fd.revents & ~POLLIN)
		die("poll: %#x", poll_fd.revents);
	return poll_fd.revents & POLLIN;
}

TEST_F(precopy, initial_bytes_fall_as_they_are_read)
{
	struct vfio_precopy_info info;
	uint64_t initial, read = 0;
	char buf[7];
	ssize_t ret;
	int fd;

	nic_attach(&self->nic, &self->a);
	nic_up(&self->nic);
	fd = must(mig_session(self->a.fd, PRE_COPY));
	info = info_of(fd);
	initial = info.initial_bytes;
	EXPECT_LT(0, initial);
	EXPECT_EQ(0, info.dirty_bytes);
	for (;;) {
		EXPECT_EQ(read < initial, readable(fd));
		ret = sys_read(fd, buf, sizeof(buf));
		if (ret == -ENOMSG)
			break;
		read += must(ret);
		info = info_of(fd);
		EXPECT_EQ(initial - read, info.initial_bytes);
		EXPECT_EQ(0, info.dirty_bytes);
	}
	EXPECT_EQ(initial, read);
	EXPECT_EQ(-ENOMSG, sys_read(fd, buf, sizeof(buf)));
	EXPECT_EQ(0, sys_read(fd, buf, 0));
	/* The VF was running. */
	nic_ping_pong(&self->nic, &self->peer_b);
	EXPECT_EQ(0, mig_set(self->a.fd, RUNNING, NULL));
	EXPECT_EQ(-ENODEV, sys_read(fd, buf, 1));
	nic_ping_pong(&self->nic, &self->peer_b);
	sys_close(fd);
}

/* A request that the PF grants has to be made at the destination as well. */
TEST_F(precopy, changes_are_dirty_bytes)
{
	uint32_t msg[MBX_WORDS] = { MBX_SET_LPE, 9000 };
	struct vfio_precopy_info info;
	struct stream s = {};
	size_t before;
	int fd;

	nic_attach(&self->nic, &self->a);
	nic_up(&self->nic);
	fd = must(mig_session(self->a.fd, PRE_COPY));
	stream_read_on(fd, &s, 4096);
	EXPECT_FALSE(readable(fd));

	must(nic_mbx(&self->nic, msg, 2));
	ASSERT_TRUE(msg[0] & MBX_ACK);
	EXPECT_TRUE(readable(fd));
	info = info_of(fd);
	EXPECT_EQ(0, info.initial_bytes);
	EXPECT_LT(0, info.dirty_bytes);
	before = s.size;
	stream_read_on(fd, &s, 10);
	EXPECT_EQ(info.dirty_bytes, s.size - before);
	EXPECT_EQ(0, info_of(fd).dirty_bytes);
	EXPECT_FALSE(readable(fd));

	/* The old value again is a change as well. */
	msg[0] = MBX_SET_LPE;
	msg[1] = 1522;
	must(nic_mbx(&self->nic, msg, 2));
	EXPECT_TRUE(readable(fd));

	must(mig_set(self->a.fd, STOP_COPY, NULL));
	stream_read_on(fd, &s, 4096);
	sys_close(fd);
	EXPECT_EQ(0, device_load(self->b.fd, &s));
	stream_free(&s);
}

#define PRECOPY_INFO_V2	(VFIO_DEVICE_FEATURE_SET |			\
			 VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2)

static uint32_t flags_of(int fd, uint32_t before)
{
	struct vfio_precopy_info info = {
		.argsz = sizeof(info), .flags = before,
	};

	must(sys_ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info));
	return info.flags;
}

/* After the opt-in, a change is new initial data, and is reported once. */
TEST_F(precopy, changes_are_initial_bytes_after_opt_in)
{
	uint32_t msg[MBX_WORDS] = { MBX_SET_LPE, 9000 };
	struct vfio_precopy_info info = { .argsz = sizeof(info), .flags = ~0 };
	struct stream s = {};
	size_t before;
	int fd;

	if (feature(self->a.fd, VFIO_DEVICE_FEATURE_PROBE | PRECOPY_INFO_V2,
		    NULL, 0))
		SKIP(return, "this kernel's vfio has no PRECOPY_INFOv2");
	EXPECT_EQ(-EINVAL, feature(self->a.fd, VFIO_DEVICE_FEATURE_GET |
				   VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2,
				   NULL, 0));
	nic_attach(&self->nic, &self->a);
	nic_up(&self->nic);
	fd = must(mig_session(self->a.fd, PRE_COPY));
	/* Without the opt-in, the flags are left unchanged. */
	EXPECT_EQ(~0U, flags_of(fd, ~0));
	must(feature(self->a.fd, PRECOPY_INFO_V2, NULL, 0));
	EXPECT_EQ(0, flags_of(fd, ~0));
	stream_read_on(fd, &s, 4096);
	EXPECT_EQ(0, flags_of(fd, 0));

	must(nic_mbx(&self->nic, msg, 2));
	ASSERT_TRUE(msg[0] & MBX_ACK);
	must(sys_ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info));
	EXPECT_EQ(VFIO_PRECOPY_INFO_REINIT, info.flags);
	EXPECT_LT(0, info.initial_bytes);
	EXPECT_EQ(0, info.dirty_bytes);
	EXPECT_EQ(0, flags_of(fd, ~0));
	EXPECT_EQ(info.initial_bytes, info_of(fd).initial_bytes);
	before = s.size;
	stream_read_on(fd, &s, 10);
	EXPECT_EQ(info.initial_bytes, s.size - before);
	EXPECT_EQ(0, info_of(fd).initial_bytes);

	/* Reported as well if the change is read before the question */
	msg[0] = MBX_SET_LPE;
	msg[1] = 1522;
	must(nic_mbx(&self->nic, msg, 2));
	stream_read_on(fd, &s, 4096);
	EXPECT_EQ(VFIO_PRECOPY_INFO_REINIT, flags_of(fd, 0));
	EXPECT_EQ(0, flags_of(fd, 0));

	must(mig_set(self->a.fd, STOP_COPY, NULL));
	stream_read_on(fd, &s, 4096);
	sys_close(fd);
	EXPECT_EQ(0, device_load(self->b.fd, &s));
	stream_free(&s);
}

/* The opt-in holds over a reset, until the device is closed. */
TEST_F(precopy, opt_in_ends_with_the_last_close)
{
	int fd;

	if (feature(self->a.fd, PRECOPY_INFO_V2, NULL, 0))
		SKIP(return, "this kernel's vfio has no PRECOPY_INFOv2");
	must(sys_ioctl(self->a.fd, VFIO_DEVICE_RESET, NULL));
	fd = must(mig_session(self->a.fd, PRE_COPY));
	EXPECT_EQ(0, flags_of(fd, ~0));
	sys_close(fd);
	reopen(&self->a);
	fd = must(mig_session(self->a.fd, PRE_COPY));
	EXPECT_EQ(~0U, flags_of(fd, ~0));
	sys_close(fd);
}

/* The guest's access wakes poll(). */
TEST_F(precopy, poll_waits_for_a_change)
{
	uint32_t msg[MBX_WORDS] = { MBX_SET_LPE, 4000 };
	struct pollfd poll_fd = { .events = POLLIN };
	struct stream s = {};
	int status;
	pid_t pid;

	nic_attach(&self->nic, &self->a);
	nic_up(&self->nic);
	poll_fd.fd = must(mig_session(self->a.fd, PRE_COPY));
	stream_read_on(poll_fd.fd, &s, 4096);
	pid = fork();
	if (!pid)
		_exit(poll(&poll_fd, 1, WATCHDOG_MS) == 1 ? 0 : 1);
	sleep_us(100000);
	must(nic_mbx(&self->nic, msg, 2));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	stream_free(&s);
}

TEST_F(precopy, info_is_for_pre_copy_only)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };
	int fd = must(mig_session(self->a.fd, PRE_COPY));

	info.argsz = sizeof(info) - 1;
	EXPECT_EQ(-EINVAL, sys_ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info));
	EXPECT_EQ(-EFAULT, sys_ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, NULL));
	EXPECT_EQ(-ENOTTY, sys_ioctl(fd, VFIO_DEVICE_RESET, NULL));
	info.argsz = sizeof(info);
	EXPECT_EQ(0, mig_set(self->a.fd, PRE_COPY_P2P, NULL));
	EXPECT_EQ(0, sys_ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info));
	EXPECT_EQ(0, mig_set(self->a.fd, STOP_COPY, NULL));
	EXPECT_EQ(-EINVAL, sys_ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info));
	EXPECT_TRUE(readable(fd));
	EXPECT_EQ(0, mig_set(self->a.fd, STOP, NULL));
	EXPECT_EQ(-ENODEV, sys_ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info));
	sys_close(fd);
}

/* Read in odd pieces across the transition, the stream loads the same state. */
TEST_F(precopy, stream_continues_in_stop_copy)
{
	static const size_t early[] = { 0, 1, 33, 77, 4096 };
	struct stream whole, again;
	unsigned int i;
	ssize_t ret;
	int fd, new;

	nic_attach(&self->nic, &self->a);
	nic_up(&self->nic);
	nic_ping_pong(&self->nic, &self->peer_b);
	whole = device_save(self->a.fd);
	for (i = 0; i < ARRAY_SIZE(early); i++) {
		struct stream s = { .data = malloc(4096) };

		must(mig_set(self->a.fd, RUNNING, NULL));
		must(mig_set(self->a.fd, STOP, NULL));
		must(mig_set(self->a.fd, RUNNING, NULL));
		fd = must(mig_session(self->a.fd, PRE_COPY));
		ret = sys_read(fd, s.data, early[i]);
		s.size = must(ret);
		EXPECT_EQ(0, mig_set(self->a.fd, STOP_COPY, &new));
		EXPECT_EQ(-1, new);
		stream_read_on(fd, &s, 5);
		EXPECT_EQ(0, sys_read(fd, s.data, 1));
		sys_close(fd);
		EXPECT_EQ(whole.size, s.size);
		EXPECT_EQ(0, device_load(self->b.fd, &s));
		again = device_save(self->b.fd);
		EXPECT_EQ(0, stream_diff(&s, &again));
		stream_free(&s);
		stream_free(&again);
	}
}

TEST_F(precopy, migrates_a_guest)
{
	struct nic *nic = &self->nic;
	struct stream s = {};
	size_t sent = 0;
	int from, to;

	nic_attach(nic, &self->a);
	nic_up(nic);
	nic_ping_pong(nic, &self->peer_b);
	from = must(mig_session(self->a.fd, PRE_COPY));
	to = must(mig_session(self->b.fd, RESUMING));
	stream_read_on(from, &s, 100);
	must(stream_write(to, s.data, s.size, 50));
	sent = s.size;
	nic_ping_pong(nic, &self->peer_b);
	must(mig_set(self->a.fd, PRE_COPY_P2P, NULL));
	must(mig_set(self->a.fd, STOP_COPY, NULL));
	stream_read_on(from, &s, 100);
	must(stream_write(to, s.data + sent, s.size - sent, 50));
	cfg_command(&self->b, 4 | 2, 0);
	nic_detach(nic);
	nic_attach(nic, &self->b);
	must(mig_set(self->b.fd, RUNNING, NULL));
	vdev_close(&self->a);
	nic_ping_pong(nic, &self->peer_b);
	sys_close(from);
	sys_close(to);
}

/* ---- Refused before the source stops ---- */

/* The checksums of the stream header, and of one record of @length bytes */
static void fix(struct stream *s, size_t length)
{
	static const size_t gap = 4;
	size_t sizes[] = {
		sizeof(struct vfio_mig_stream_header) - gap,
		sizeof(struct vfio_mig_record_header) - gap, length,
	};
	uint32_t sum = ~0U, crc;
	unsigned int i;
	size_t at = 0;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		sum = crc32c(sum, s->data + at, sizes[i]);
		crc = htole32(~sum);
		memcpy(s->data + at + sizes[i], &crc, gap);
		at += sizes[i] + gap;
	}
}

TEST_F(precopy, foreign_streams_are_refused_early)
{
	static const struct {
		const char *what;
		size_t at;
	} changes[] = {
		{ "another format version",
		  offsetof(struct vfio_mig_stream_header, format_version) },
		{ "another device's format",
		  offsetof(struct vfio_mig_stream_header, format) },
		{ "another PCI ID",
		  sizeof(struct vfio_mig_stream_header) +
		  sizeof(struct vfio_mig_record_header) + 2 },
		{ "more queues",
		  sizeof(struct vfio_mig_stream_header) +
		  sizeof(struct vfio_mig_record_header) + 8 },
	};
	struct stream s = {};
	unsigned int i;
	int fd;

	fd = must(mig_session(self->a.fd, PRE_COPY));
	stream_read_on(fd, &s, 4096);
	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		int to = must(mig_session(self->b.fd, RESUMING));

		s.data[changes[i].at] += 8;
		fix(&s, 16);
		EXPECT_EQ(-EINVAL, stream_write(to, s.data, s.size, 1)) {
			TH_LOG("%s", changes[i].what);
		}
		s.data[changes[i].at] -= 8;
		sys_close(to);
		must(device_reset(&self->b));
	}
	EXPECT_EQ(PRE_COPY, mig_get(self->a.fd));
	fix(&s, 16);
	i = must(mig_session(self->b.fd, RESUMING));
	EXPECT_EQ(0, stream_write(i, s.data, s.size, 1));
	sys_close(i);
	stream_free(&s);
}

static void pf_vf_mac(const char *pf, const char *mac)
{
	char name[32];

	if (!pci_netdev(pf, name))
		die("%s has no network interface", pf);
	if (shell("ip link set %s vf 0 mac %s", name, mac))
		die("%s: cannot set the VF's MAC", name);
}

/* The administrator of the other PF has set another MAC address. */
TEST_F(precopy, mac_policy_is_found_early)
{
	struct nic *nic = &self->nic;
	struct stream s = {};
	int from, to;

	nic_attach(nic, &self->a);
	nic_up(nic);
	pf_vf_mac(func_bdf(FUNC_PF_B), "02:00:00:00:00:99");
	from = must(mig_session(self->a.fd, PRE_COPY));
	to = must(mig_session(self->b.fd, RESUMING));
	stream_read_on(from, &s, 4096);
	EXPECT_EQ(-EPERM, stream_write(to, s.data, s.size, s.size));
	EXPECT_EQ(PRE_COPY, mig_get(self->a.fd));
	nic_ping_pong(nic, &self->peer_b);
	sys_close(to);
	pf_vf_mac(func_bdf(FUNC_PF_B), "00:00:00:00:00:00");
	must(device_reset(&self->b));

	/* Granted now; the destination does not take the guest's frames yet. */
	to = must(mig_session(self->b.fd, RESUMING));
	EXPECT_EQ(0, stream_write(to, s.data, s.size, s.size));
	nic_ping_pong(nic, &self->peer_b);
	sys_close(to);
	sys_close(from);
	stream_free(&s);
}

/*
 * The second transmit queue, which the guest driver does not use: it is empty,
 * but head and tail are behind its end.
 */
static void break_second_queue(struct nic *nic)
{
	enum { SECOND = 0x100, DESCS = 8 };

	nic_write(nic, SECOND + TDBAL, NIC_IOVA);
	nic_write(nic, SECOND + TDBAH, 0);
	nic_write(nic, SECOND + TDLEN, DESCS * 16);
	nic_write(nic, SECOND + TDH, DESCS);
	nic_write(nic, SECOND + TDT, DESCS);
	nic_write(nic, SECOND + TXDCTL, DCTL_ENABLE);
}

/*
 * A guest with invalid registers cannot be saved.  The VF has stopped by then,
 * so its state is STOP; it can run again.
 */
TEST_F(precopy, refused_save_leaves_it_stopped)
{
	static const uint32_t states[] = { RUNNING, PRE_COPY, PRE_COPY_P2P };
	struct nic *nic = &self->nic;
	unsigned int i;
	char byte;
	int fd;

	nic_attach(nic, &self->a);
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		nic_up(nic);
		break_second_queue(nic);
		must(mig_set(self->a.fd, states[i], &fd));
		EXPECT_EQ(-EIO, mig_set(self->a.fd, STOP_COPY, NULL));
		EXPECT_EQ(STOP, mig_get(self->a.fd));
		if (fd >= 0)
			EXPECT_EQ(-ENODEV, sys_read(fd, &byte, 1));
		sys_close(fd);
		ASSERT_EQ(0, mig_set(self->a.fd, RUNNING, NULL));
		nic_ping_pong(nic, &self->peer_b);
	}
}

/* ---- P2P ---- */

TEST_F(precopy, p2p_stops_dma_and_serves_accesses)
{
	static const uint32_t states[] = { RUNNING_P2P, PRE_COPY_P2P };
	uint8_t *before = malloc(NIC_MEM), mac[6];
	struct nic *nic = &self->nic;
	unsigned int i, n;

	nic_attach(nic, &self->a);
	nic_up(nic);
	for (n = 0; n < ARRAY_SIZE(states); n++) {
		nic_ping_pong(nic, &self->peer_b);
		must(mig_set(self->a.fd, states[n], NULL));
		memcpy(before, nic->mem, NIC_MEM);
		for (i = 0; i < 20; i++)
			peer_send(&self->peer_b, nic->mac, &i, sizeof(i));
		/* The mailbox works, and the PF's answer is saved. */
		memcpy(mac, nic->mac, 6);
		mac[5] ^= 1 + n;
		EXPECT_EQ(0, nic_set_mac(nic, mac));
		EXPECT_EQ(0, memcmp(before, nic->mem, NIC_MEM));
		must(mig_set(self->a.fd, RUNNING, NULL));
		EXPECT_EQ(0, memcmp(mac, nic->mac, 6));
	}
	nic_ping_pong(nic, &self->peer_b);
}

/* A doorbell that another device rings while DMA is off takes effect later. */
TEST_F(precopy, p2p_keeps_doorbells)
{
	struct nic *nic = &self->nic;
	uint32_t tail;

	nic_attach(nic, &self->a);
	nic_up(nic);
	nic_ping_pong(nic, &self->peer_b);
	tail = nic_read(nic, RDT);
	must(mig_set(self->a.fd, RUNNING_P2P, NULL));
	nic_write(nic, RDT, (tail + RING_SIZE - 1) % RING_SIZE);
	must(mig_set(self->a.fd, RUNNING, NULL));
	EXPECT_EQ((tail + RING_SIZE - 1) % RING_SIZE, nic_read(nic, RDT));
}

/*
 * Other registers that are written meanwhile are kept as well, also in a
 * migration.  In STOP, there are no writes.
 */
TEST_F(precopy, p2p_keeps_registers)
{
	enum { SECOND = 0x100 };
	struct nic *nic = &self->nic;
	struct stream s;

	nic_attach(nic, &self->a);
	nic_up(nic);
	nic_write(nic, EITR0, 0x100);
	nic_write(nic, VTEIAC, 0);
	nic_write(nic, VTEIAM, 0);
	nic_write(nic, VTEIMC, ALL_VECTORS);
	must(mig_set(self->a.fd, RUNNING_P2P, NULL));
	nic_write(nic, EITR0, 0x200);
	nic_write(nic, VTEIMS, 1U << VECTOR_RX);
	nic_write(nic, SECOND + RDBAL, NIC_IOVA);
	nic_write(nic, SECOND + RDLEN, 256);
	must(mig_set(self->a.fd, RUNNING, NULL));
	EXPECT_EQ(0x200, nic_read(nic, EITR0) & 0xfffc);
	EXPECT_EQ(1U << VECTOR_RX, nic_read(nic, VTEIMS));
	EXPECT_EQ(NIC_IOVA, nic_read(nic, SECOND + RDBAL));
	EXPECT_EQ(256, nic_read(nic, SECOND + RDLEN));
	nic_ping_pong(nic, &self->peer_b);

	must(mig_set(self->a.fd, STOP, NULL));
	nic_write(nic, EITR0, 0x300);
	must(mig_set(self->a.fd, RUNNING_P2P, NULL));
	nic_write(nic, SECOND + RDLEN, 384);
	s = device_save(self->a.fd);
	must(device_load(self->b.fd, &s));
	must(mig_set(self->b.fd, RUNNING, NULL));
	nic_detach(nic);
	nic_attach(nic, &self->b);
	EXPECT_EQ(0x200, nic_read(nic, EITR0) & 0xfffc);
	EXPECT_EQ(384, nic_read(nic, SECOND + RDLEN));
	stream_free(&s);
}

TEST_F(precopy, reset_ends_the_session)
{
	static const uint32_t states[] = {
		PRE_COPY, PRE_COPY_P2P, RUNNING_P2P,
	};
	unsigned int i;
	char byte;
	int fd;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		must(mig_set(self->a.fd, states[i], &fd));
		must(device_reset(&self->a));
		EXPECT_EQ(RUNNING, mig_get(self->a.fd));
		if (fd >= 0)
			EXPECT_EQ(-ENODEV, sys_read(fd, &byte, 1));
		sys_close(fd);
		nic_attach(&self->nic, &self->a);
		nic_up(&self->nic);
		nic_ping_pong(&self->nic, &self->peer_b);
		nic_detach(&self->nic);
	}
}

TEST_HARNESS_MAIN
