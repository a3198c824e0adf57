// SPDX-License-Identifier: GPL-2.0-only
/*
 * States that earlier versions of igbvf-vfio-pci have saved: this version loads
 * them and the guest runs on, or it refuses them.
 *
 * A state fits only the guest that it was saved with.  So the guest of this
 * program does the same each time, and igbvf_old_streams.h has what earlier
 * drivers saved for it.  A driver with a new version of the format fails the last
 * test, which prints the lines to be added to that file.
 */
#include <linux/vfio_migration_stream.h>
#include <stdio.h>
#include <string.h>

#include "test.h"
#include "device.h"
#include "migration.h"
#include "move.h"
#include "nic.h"
#include "igbvf_old_streams.h"

static const uint8_t guest_mac[6] = { 0x02, 0x82, 0x57, 0x60, 0x10, 0xca };
static const uint8_t group[6] = { 0x01, 0x00, 0x5e, 0x01, 0x02, 0x03 };

FIXTURE(old)
{
	struct vdev a;
	struct vdev b;
	struct nic nic;
	struct peer peer_a;
	struct peer peer_b;
};

FIXTURE_SETUP(old)
{
	NEED_TWO_VFS();
	move_open(&self->a, &self->b, &self->nic, &self->peer_a,
		  &self->peer_b);
}

FIXTURE_TEARDOWN(old)
{
	vdev_close(&self->a);
	vdev_close(&self->b);
}

static void ask_pf(struct nic *nic, uint32_t request, uint32_t argument)
{
	uint32_t msg[MBX_WORDS] = { request, argument };

	must(nic_mbx(nic, msg, 2));
	if (!(msg[0] & MBX_ACK))
		die("the PF refused request %#x", request);
}

/* What the guest does before it is saved; never change it. */
static void guest_runs(struct nic *nic, struct vdev *v, struct peer *peer)
{
	unsigned int i;

	nic_attach(nic, v);
	nic_up(nic);
	must(nic_set_mac(nic, guest_mac));
	/* Hash of the address, as igbvf computes it (MO = 0: bits 47:36) */
	ask_pf(nic, MBX_SET_MULTICAST | 1 << MBX_INFO_SHIFT,
	       (group[4] >> 4 | group[5] << 4) & 0xfff);
	for (i = 0; i < 5; i++)
		nic_ping_pong(nic, peer);
}

/* For igbvf_old_streams.h: the stream as elements of an array */
static void print_stream(const struct stream *stream, uint32_t sent)
{
	size_t i;

	printf("# sent: %u\n", sent);
	for (i = 0; i < stream->size; i++)
		printf("%s0x%02x,%s", i % 12 ? " " : "#\t", stream->data[i],
		       i % 12 == 11 || i == stream->size - 1 ? "\n" : "");
}

/* The VF of a host with an earlier driver is saved, and loaded here. */
TEST_F(old, is_loaded_and_runs_on)
{
	struct nic *nic = &self->nic;
	struct stream now;
	unsigned int i;
	char buf[64];

	for (i = 0; i < ARRAY_SIZE(old_streams); i++) {
		TH_LOG("%s", old_streams[i].made_by);
		guest_runs(nic, &self->a, &self->peer_b);
		now = device_save(self->a.fd);
		stream_free(&now);
		nic_detach(nic);

		ASSERT_EQ(0, device_load(self->b.fd, &old_streams[i].stream));
		config_restore(&self->b, &self->a);
		reopen(&self->a);
		nic_attach(nic, &self->b);
		must(mig_set(self->b.fd, RUNNING, NULL));
		nic_ping_pong(nic, &self->peer_a);
		peer_send(&self->peer_a, group, "group", 5);
		ASSERT_LT(0, nic_receive(nic, buf, sizeof(buf)));
		EXPECT_EQ(0, memcmp(buf, "group", 5));
		EXPECT_EQ(old_streams[i].sent + 1, nic_read(nic, VFGPTC));
		nic_detach(nic);
		reopen(&self->b);
	}
}

/* A stream that no later driver reads does no harm: the VF works after a reset. */
TEST_F(old, without_records_is_refused)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(refused_streams); i++) {
		TH_LOG("%s", refused_streams[i].made_by);
		EXPECT_EQ(-EINVAL, device_load(self->b.fd,
					       &refused_streams[i].stream));
		reopen(&self->b);
		guest_runs(&self->nic, &self->b, &self->peer_a);
		nic_detach(&self->nic);
	}
}

/* What the driver saves now has the header and the length of the last old stream. */
TEST_F(old, newest_is_like_a_present_one)
{
	const struct stream *newest =
		&old_streams[ARRAY_SIZE(old_streams) - 1].stream;
	struct stream now;
	uint32_t sent;
	bool alike;

	guest_runs(&self->nic, &self->a, &self->peer_b);
	sent = nic_read(&self->nic, VFGPTC);
	now = device_save(self->a.fd);
	alike = now.size == newest->size &&
		!memcmp(now.data, newest->data,
			sizeof(struct vfio_mig_stream_header));
	EXPECT_TRUE(alike);
	if (!alike)
		print_stream(&now, sent);
	stream_free(&now);
}

TEST_HARNESS_MAIN
