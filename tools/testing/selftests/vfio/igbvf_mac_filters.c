// SPDX-License-Identifier: GPL-2.0-only
/*
 * Additional unicast addresses of a guest, which the PF keeps in a list shared
 * by all its VFs and in filters of its switch: they move with the guest, and
 * are removed neither too early nor too late.
 */
#include "test.h"
#include "device.h"
#include "iommu.h"
#include "migration.h"
#include "move.h"
#include "nic.h"

#define FILTER_CLEAR	(MBX_SET_MAC_ADDR | 1 << MBX_INFO_SHIFT)
#define FILTER_ADD	(MBX_SET_MAC_ADDR | 2 << MBX_INFO_SHIFT)

FIXTURE(filters) {
	struct vdev a;
	struct vdev b;
	struct nic nic;
	struct peer peer_a;
	struct peer peer_b;
	uint8_t address[6];	/* the guest's second address */
};

/* Does the PF grant the request? */
static bool filter(struct nic *nic, uint32_t request, const uint8_t *address)
{
	int ret = nic_mbx_mac(nic, request, address);

	if (ret && ret != -EPERM)
		die("the PF does not answer: %d", ret);
	return !ret;
}

/*
 * As Linux's igbvf does at each change of addresses: clears all, by an address
 * of zero, which the PF refuses, and adds all.
 */
static bool add_like_igbvf(struct nic *nic, const uint8_t *address)
{
	static const uint8_t none[6];

	if (filter(nic, FILTER_CLEAR, none))
		die("the PF has taken 00:00:00:00:00:00 for an address");
	return filter(nic, FILTER_ADD, address);
}

/* Does the guest get what is sent to its second address? */
static bool reaches(struct peer *peer, struct nic *nic, const uint8_t *address)
{
	char buf[16] = "";

	peer_send(peer, address, "second", 6);
	return nic_receive(nic, buf, sizeof(buf)) &&
	       !memcmp(buf, "second", 6);
}

FIXTURE_SETUP(filters)
{
	unsigned int i;

	NEED_TWO_VFS();
	move_open(&self->a, &self->b, &self->nic, &self->peer_a,
		  &self->peer_b);
	nic_attach(&self->nic, &self->a);
	nic_up(&self->nic);
	memcpy(self->address, self->nic.mac, 6);
	self->address[1] ^= 0x80;
	for (i = 0; i < 3; i++)
		ASSERT_TRUE(add_like_igbvf(&self->nic, self->address));
	ASSERT_TRUE(reaches(&self->peer_b, &self->nic, self->address));
}

FIXTURE_TEARDOWN(filters)
{
	vdev_close(&self->a);
	vdev_close(&self->b);
}

TEST_F(filters, move_with_the_guest)
{
	struct nic *nic = &self->nic;

	move(nic, &self->a, &self->b);
	vdev_close(&self->a);
	EXPECT_TRUE(reaches(&self->peer_b, nic, self->address));
	/* The source's PF has no filter left. */
	EXPECT_TRUE(reaches(&self->peer_a, nic, self->address));
	nic_ping_pong(nic, &self->peer_a);
}

/* A second guest on the destination's PF takes all filters but two. */
static void fill_but_two(struct nic *nic)
{
	uint8_t address[6] = { 0x02, 0xfe };
	unsigned int i, room = 0;

	do {
		address[5] = ++room;
	} while (filter(nic, FILTER_ADD, address));
	/* The last one was refused. */
	if (!filter(nic, FILTER_CLEAR, nic->mac))
		die("the PF does not clear filters");
	for (i = 1; i < room - 2; i++) {
		address[5] = i;
		if (!filter(nic, FILTER_ADD, address))
			die("the PF has less room than before");
	}
}

/* The guest added its address several times: the destination adds it once. */
TEST_F(filters, take_no_more_room_than_they_need)
{
	struct nic *nic = &self->nic, other;
	struct vdev v;

	vdev_open(&v, NEED_FUNC(FUNC_VF_B1), DRV_IGBVF_VFIO);
	nic_alloc(&other);
	nic_attach(&other, &v);
	nic_up(&other);
	fill_but_two(&other);
	move(nic, &self->a, &self->b);
	vdev_close(&self->a);
	EXPECT_TRUE(reaches(&self->peer_a, nic, self->address));
	filter(&other, FILTER_CLEAR, other.mac);
	vdev_close(&v);
}

/* Between VFs of one PF, where only one VF can have the filter */
TEST_F(filters, stay_until_the_guest_moves)
{
	struct nic *nic = &self->nic;
	struct stream s = {};
	struct vdev next;
	int from, to;

	vdev_open(&next, NEED_FUNC(FUNC_VF_A1), DRV_IGBVF_VFIO);
	from = must(mig_session(self->a.fd, PRE_COPY));
	to = must(mig_session(next.fd, RESUMING));
	stream_read_on(from, &s, 4096);
	ASSERT_EQ(0, stream_write(to, s.data, s.size, s.size));
	EXPECT_TRUE(reaches(&self->peer_b, nic, self->address));
	/* The load is cancelled, and the guest goes on at the source. */
	sys_close(to);
	sys_close(from);
	vdev_close(&next);
	must(mig_set(self->a.fd, RUNNING, NULL));
	EXPECT_TRUE(reaches(&self->peer_b, nic, self->address));
	stream_free(&s);

	vdev_open(&next, func_bdf(FUNC_VF_A1), DRV_IGBVF_VFIO);
	move(nic, &self->a, &next);
	vdev_close(&self->a);
	EXPECT_TRUE(reaches(&self->peer_b, nic, self->address));
	nic_detach(nic);
	vdev_close(&next);
}

/* A complete load that is cancelled, as by "vfio-mig check" */
TEST_F(filters, are_removed_with_a_cancelled_load)
{
	struct nic *nic = &self->nic;
	struct stream s = device_save(self->a.fd);

	must(device_load(self->b.fd, &s));
	must(device_reset(&self->b));
	vdev_close(&self->b);
	must(mig_set(self->a.fd, RUNNING, NULL));
	EXPECT_TRUE(reaches(&self->peer_b, nic, self->address));
	stream_free(&s);
}

/* ---- The next user of a VF does not get the last one's frames ---- */

/* Adds an address without reading the answer. */
static void add_unseen(struct nic *nic, const uint8_t *address)
{
	uint32_t words[2] = {};

	memcpy(words, address, 6);
	nic_write(nic, V2PMAILBOX, V2PMAILBOX_VFU);
	nic_write(nic, VMBMEM, FILTER_ADD);
	nic_write(nic, VMBMEM + 4, words[0]);
	nic_write(nic, VMBMEM + 8, words[1]);
	nic_write(nic, V2PMAILBOX, V2PMAILBOX_REQ);
	if (!poll_until(nic_read(nic, VMBMEM) & MBX_ACK))
		die("the PF does not add an address");
}

/* Opens the VF for a new user: frames to the old address do not arrive. */
static void expect_nothing_left(struct __test_metadata *_metadata,
				FIXTURE_DATA(filters) *self)
{
	struct nic *nic = &self->nic;
	char buf[16] = "";

	nic_detach(nic);
	reopen(&self->a);
	nic_attach(nic, &self->a);
	nic_up(nic);
	peer_send(&self->peer_b, self->address, "stale", 5);
	peer_send(&self->peer_b, nic->mac, "mine", 4);
	/* Frames stay in order: this one would come after it. */
	EXPECT_LT(0, nic_receive(nic, buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "mine", 4)) {
		TH_LOG("received \"%.5s\"", buf);
	}
}

TEST_F(filters, are_removed_if_the_answer_was_not_read)
{
	struct nic *nic = &self->nic;

	ASSERT_TRUE(filter(nic, FILTER_CLEAR, nic->mac));
	add_unseen(nic, self->address);
	expect_nothing_left(_metadata, self);
}

/* The guest's next message overwrites the answer. */
TEST_F(filters, are_removed_if_the_answer_was_overwritten)
{
	struct nic *nic = &self->nic;

	ASSERT_TRUE(filter(nic, FILTER_CLEAR, nic->mac));
	add_unseen(nic, self->address);
	nic_write(nic, VMBMEM, MBX_SET_LPE);
	nic_write(nic, VMBMEM + 4, FRAME_SIZE);
	nic_write(nic, V2PMAILBOX, V2PMAILBOX_REQ);
	ASSERT_TRUE(poll_until(nic_read(nic, VMBMEM) & MBX_ACK));
	expect_nothing_left(_metadata, self);
}

/* A load into a VF with a guest begins and is cancelled at once. */
TEST_F(filters, are_removed_when_a_load_begins)
{
	must(mig_set(self->a.fd, RESUMING, NULL));
	expect_nothing_left(_metadata, self);
}

TEST_F(filters, are_removed_after_a_reset_of_the_vf)
{
	add_unseen(&self->nic, self->address);
	must(device_reset(&self->a));
	expect_nothing_left(_metadata, self);
}

/* The PF is down at the close: the filter is removed at the next open. */
TEST_F(filters, are_removed_if_the_pf_was_down_at_close)
{
	struct nic *nic = &self->nic;

	add_unseen(nic, self->address);
	nic_detach(nic);
	pf_set(func_bdf(FUNC_PF_A), false);
	vdev_close(&self->a);
	pf_set(func_bdf(FUNC_PF_A), true);
	vdev_open(&self->a, func_bdf(FUNC_VF_A0), DRV_IGBVF_VFIO);
	nic_attach(nic, &self->a);
	expect_nothing_left(_metadata, self);
}

TEST_HARNESS_MAIN
