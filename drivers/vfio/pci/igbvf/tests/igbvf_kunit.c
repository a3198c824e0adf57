// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues and mailbox of the driver, on registers in memory that behave as the
 * 82576's manual allows, which QEMU's model does not in every respect, and with
 * a PF that answers as igb does.  For DMA logging, the guest has a shadow of
 * its receive registers, as from the library.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/bitfield.h>
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/if_vlan.h>
#include <linux/ratelimit.h>
#include <linux/sizes.h>

#include "../../migration/private.h"
#include "../private.h"

#define MBX_CTS		BIT(29)
#define MBX_NACK	BIT(30)

#define RX		0	/* number of a ring */
#define TX		IGBVF_QUEUES
#define DESCS		64
#define STALL_MS	150	/* longer than a head may stand still */
#define MAX_REQUESTS	1024

/**
 * struct fake - a VF and its PF
 * @vf: the VF as the driver sees it
 * @pdev: a function for messages
 * @reg: registers as they are read
 * @tail_needs_enable: the tail of a disabled ring ignores writes
 * @enable_clears_head: enabling a ring sets its head to 0
 * @holds_nothing: registers of rings lose writes, as during a reset
 * @bus_master: disabled rings can write back what they have
 * @sends: transmit heads move on, by one for each time they are read
 * @alone: a transmit ring was drained while the other was disabled
 * @stalls: the next read of a transmit tail takes STALL_MS
 * @flushing: number of further reads that show SWFLUSH
 * @cut: a ring was disabled while it was flushed
 * @asked: first words of the messages to the PF
 * @address: the address in the last message
 * @requests: number of messages
 * @mute: the PF does not answer
 * @refuse: the PF refuses so many requests to clear filters
 * @reset_at: before this request is answered the PF is reset
 * @resets: how often the VF was reset by the driver
 * @strips: the PF strips VLAN tags
 * @vlans: VLANs of the VF that the PF has
 */
struct fake {
	struct igbvf_device vf;
	struct pci_dev pdev;
	u32 reg[IGBVF_BAR_SIZE / sizeof(u32)];
	bool tail_needs_enable;
	bool enable_clears_head;
	bool holds_nothing;
	bool bus_master;
	bool sends;
	bool alone;
	bool stalls;
	unsigned int flushing;
	bool cut;
	u32 asked[MAX_REQUESTS];
	u32 address[2];
	unsigned int requests;
	bool mute;
	unsigned int refuse;
	unsigned int reset_at;
	unsigned int resets;
	bool strips;
	DECLARE_BITMAP(vlans, VLAN_N_VID);
};

static struct fake *vf_to_fake(struct igbvf_device *vf)
{
	return container_of(vf, struct fake, vf);
}

static u32 *fake_reg(struct fake *fake, u32 offset)
{
	return &fake->reg[offset / sizeof(u32)];
}

static u32 ring_base(unsigned int ring)
{
	return ring < IGBVF_QUEUES ? VTRXQ(ring) : VTTXQ(ring - IGBVF_QUEUES);
}

static u32 *ring_reg(struct fake *fake, unsigned int ring, u32 offset)
{
	return fake_reg(fake, ring_base(ring) + offset);
}

/* ---- The PF ---- */

static bool pf_agrees(struct fake *fake, const u32 *message)
{
	u32 info = FIELD_GET(MBX_INFO, message[0]), vid = message[1];

	switch (FIELD_GET(MBX_TYPE, message[0])) {
	case MBX_RESET:
		return false;	/* igb compares the whole word */
	case MBX_SET_MAC:
		memcpy(fake->address, &message[1], sizeof(fake->address));
		if (info == MBX_MAC_FILTER_CLEAR && fake->refuse) {
			fake->refuse--;
			return false;
		}
		return true;
	case MBX_SET_VLAN:
		if (!vid && !info)
			return true;
		__assign_bit(vid, fake->vlans, info);
		fake->strips = vid;
		return true;
	default:
		return true;
	}
}

static void pf_answers(struct fake *fake)
{
	u32 *message = fake_reg(fake, VMBMEM);

	if (fake->requests < MAX_REQUESTS)
		fake->asked[fake->requests] = message[0];
	if (++fake->requests == fake->reset_at)
		*fake_reg(fake, V2PMAILBOX) |= V2PMAILBOX_RSTD;
	if (message[0] == MBX_RESET) {
		fake->strips = false;
		bitmap_zero(fake->vlans, VLAN_N_VID);
		message[0] |= MBX_NACK;		/* no MAC address yet */
	} else {
		message[0] |= MBX_CTS | (pf_agrees(fake, message) ? MBX_ACK :
								    MBX_NACK);
	}
	*fake_reg(fake, V2PMAILBOX) |= V2PMAILBOX_PFSTS | V2PMAILBOX_PFACK;
}

static void mailbox_write(struct fake *fake, u32 value)
{
	*fake_reg(fake, V2PMAILBOX) &= ~V2PMAILBOX_VFU;
	*fake_reg(fake, V2PMAILBOX) |= value & V2PMAILBOX_VFU;
	if (value & V2PMAILBOX_REQ && !fake->mute)
		pf_answers(fake);
}

static u32 mailbox_read(struct fake *fake)
{
	u32 value = *fake_reg(fake, V2PMAILBOX);

	*fake_reg(fake, V2PMAILBOX) &= ~V2PMAILBOX_EVENTS;
	return value;
}

/* ---- The VF ---- */

static void dctl_write(struct fake *fake, unsigned int ring, u32 value)
{
	u32 *dctl = ring_reg(fake, ring, VTQ_DCTL);

	if (value & VTQ_DCTL_SWFLUSH)
		fake->flushing = 3;
	if (*dctl & VTQ_DCTL_ENABLE && !(value & VTQ_DCTL_ENABLE)) {
		if (fake->flushing)
			fake->cut = true;
		if (!fake->bus_master)
			value |= VTQ_DCTL_ENABLE;
	}
	if (!(*dctl & VTQ_DCTL_ENABLE) && value & VTQ_DCTL_ENABLE &&
	    fake->enable_clears_head)
		*ring_reg(fake, ring, VTQ_HEAD) = 0;
	*dctl = value;
}

static u32 dctl_read(struct fake *fake, unsigned int ring)
{
	u32 *dctl = ring_reg(fake, ring, VTQ_DCTL);
	u32 value = *dctl;

	if (fake->flushing && !--fake->flushing)
		*dctl &= ~VTQ_DCTL_SWFLUSH;
	return value;
}

static u32 head_read(struct fake *fake, unsigned int ring)
{
	u32 *head = ring_reg(fake, ring, VTQ_HEAD);

	if (ring >= TX && fake->sends &&
	    *head != *ring_reg(fake, ring, VTQ_TAIL)) {
		*head = (*head + 1) % DESCS;
		fake->alone |= !(*ring_reg(fake, ring ^ 1, VTQ_DCTL) &
				 VTQ_DCTL_ENABLE);
	}
	return *head;
}

static u32 tail_read(struct fake *fake, unsigned int ring)
{
	if (ring >= TX && fake->stalls) {
		fake->stalls = false;
		msleep(STALL_MS);
	}
	return *ring_reg(fake, ring, VTQ_TAIL);
}

/* The ring to which a register belongs, or IGBVF_RINGS */
static unsigned int find_ring(u32 offset)
{
	unsigned int ring;

	for (ring = 0; ring < IGBVF_RINGS; ring++)
		if (offset >= ring_base(ring) &&
		    offset < ring_base(ring) + 0x100)
			break;
	return ring;
}

static u32 fake_read(struct igbvf_device *vf, u32 offset)
{
	struct fake *fake = vf_to_fake(vf);
	unsigned int ring = find_ring(offset);

	if (offset == V2PMAILBOX)
		return mailbox_read(fake);
	if (ring < IGBVF_RINGS && offset - ring_base(ring) == VTQ_DCTL)
		return dctl_read(fake, ring);
	if (ring < IGBVF_RINGS && offset - ring_base(ring) == VTQ_HEAD)
		return head_read(fake, ring);
	if (ring < IGBVF_RINGS && offset - ring_base(ring) == VTQ_TAIL)
		return tail_read(fake, ring);
	return *fake_reg(fake, offset);
}

static void fake_write(struct igbvf_device *vf, u32 offset, u32 value)
{
	struct fake *fake = vf_to_fake(vf);
	unsigned int ring = find_ring(offset);
	u32 reg = offset - (ring < IGBVF_RINGS ? ring_base(ring) : 0);

	if (offset == V2PMAILBOX)
		mailbox_write(fake, value);
	else if (offset == VTCTRL)
		fake->resets += !!(value & VTCTRL_RST);
	else if (offset == VTEIMS)
		*fake_reg(fake, VTEIMS) |= value;
	else if (offset == VTEIMC)
		*fake_reg(fake, VTEIMS) &= ~value;
	else if (ring == IGBVF_RINGS)
		*fake_reg(fake, offset) = value;
	else if (fake->holds_nothing)
		return;
	else if (reg == VTQ_DCTL)
		dctl_write(fake, ring, value);
	else if (reg != VTQ_TAIL || !fake->tail_needs_enable ||
		 *ring_reg(fake, ring, VTQ_DCTL) & VTQ_DCTL_ENABLE)
		*fake_reg(fake, offset) = value;
}

static struct fake *fake_new(struct kunit *test)
{
	struct fake *fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	struct vfio_pci_core_device *core;

	KUNIT_ASSERT_NOT_NULL(test, fake);
	core = &fake->vf.pci.core;
	fake->pdev.dev.init_name = "igbvf_kunit";
	core->pdev = &fake->pdev;
	core->vdev.dev = &fake->pdev.dev;
	/* Tables of registers are read and written as they are. */
	core->barmap[VFIO_PCI_BAR0_REGION_INDEX] = (void __iomem *)fake->reg;
	fake->vf.pci.mig.vdev = &core->vdev;
	mutex_init(&fake->vf.pci.mig.lock);
	ratelimit_default_init(&fake->vf.pci.mig.messages);
	fake->bus_master = true;
	*fake_reg(fake, VTSTATUS) = VTSTATUS_LU;
	kunit_activate_static_stub(test, igbvf_read, fake_read);
	kunit_activate_static_stub(test, igbvf_write, fake_write);
	return fake;
}

static void ring_set(struct fake *fake, unsigned int ring, u32 head, u32 tail)
{
	*ring_reg(fake, ring, VTQ_BAL) = 0x1000 * (ring + 1);
	*ring_reg(fake, ring, VTQ_LEN) = DESCS * VTQ_DESC_SIZE;
	*ring_reg(fake, ring, VTQ_HEAD) = head;
	*ring_reg(fake, ring, VTQ_TAIL) = tail;
	*ring_reg(fake, ring, VTQ_DCTL) = VTQ_DCTL_ENABLE;
}

static void expect_ring(struct kunit *test, struct fake *fake,
			unsigned int ring, u32 head, u32 tail)
{
	KUNIT_EXPECT_EQ(test, DESCS * VTQ_DESC_SIZE,
			*ring_reg(fake, ring, VTQ_LEN));
	KUNIT_EXPECT_EQ(test, head, *ring_reg(fake, ring, VTQ_HEAD));
	KUNIT_EXPECT_EQ(test, tail, *ring_reg(fake, ring, VTQ_TAIL));
	KUNIT_EXPECT_TRUE(test, *ring_reg(fake, ring, VTQ_DCTL) &
				VTQ_DCTL_ENABLE);
}

/* ---- Queues ---- */

static void stop_lets_all_be_sent(struct kunit *test)
{
	struct fake *fake = fake_new(test);
	u32 *image = fake->vf.image.rings.reg[TX];

	ring_set(fake, TX, 50, 10);
	fake->sends = true;
	KUNIT_EXPECT_EQ(test, 0, igbvf_queues_stop(&fake->vf, true));
	KUNIT_EXPECT_EQ(test, 10, image[RING_HEAD]);
	KUNIT_EXPECT_EQ(test, 10, image[RING_TAIL]);
}

/* The guest may disable the one while the other is drained. */
static void stop_drains_before_it_disables(struct kunit *test)
{
	struct fake *fake = fake_new(test);

	ring_set(fake, TX, 50, 10);
	ring_set(fake, TX + 1, 50, 10);
	fake->sends = true;
	KUNIT_EXPECT_EQ(test, 0, igbvf_queues_stop(&fake->vf, true));
	KUNIT_EXPECT_EQ(test, 10, fake->vf.image.rings.reg[TX][RING_HEAD]);
	KUNIT_EXPECT_EQ(test, 10, fake->vf.image.rings.reg[TX + 1][RING_HEAD]);
	KUNIT_EXPECT_FALSE(test, fake->alone);
}

/* The CPU has other work between two looks at the head, which moves on. */
static void stop_waits_after_a_stall(struct kunit *test)
{
	struct fake *fake = fake_new(test);
	u32 *image = fake->vf.image.rings.reg[TX];

	ring_set(fake, TX, 50, 10);
	fake->sends = true;
	fake->stalls = true;
	KUNIT_EXPECT_EQ(test, 0, igbvf_queues_stop(&fake->vf, true));
	KUNIT_EXPECT_EQ(test, 10, image[RING_HEAD]);
	KUNIT_EXPECT_EQ(test, 10, image[RING_TAIL]);
}

static void stop_leaves_what_cannot_be_sent(struct kunit *test)
{
	struct fake *fake = fake_new(test);
	u32 *image = fake->vf.image.rings.reg[TX];

	ring_set(fake, TX, 50, 10);
	*fake_reg(fake, VTSTATUS) = 0;
	KUNIT_EXPECT_EQ(test, 0, igbvf_queues_stop(&fake->vf, true));
	KUNIT_EXPECT_EQ(test, 50, image[RING_HEAD]);
	KUNIT_EXPECT_EQ(test, 10, image[RING_TAIL]);
}

static void stop_flushes_first(struct kunit *test)
{
	struct fake *fake = fake_new(test);

	ring_set(fake, RX, 1, 2);
	ring_set(fake, TX, 3, 3);
	KUNIT_EXPECT_EQ(test, 0, igbvf_queues_stop(&fake->vf, true));
	KUNIT_EXPECT_FALSE(test, fake->cut);
}

/* A ring stays enabled: a fault, unless the guest has bus mastering off. */
static void stop_without_bus_mastering(struct kunit *test)
{
	struct fake *fake = fake_new(test);
	u32 *image = fake->vf.image.rings.reg[RX];

	ring_set(fake, RX, 1, 2);
	fake->bus_master = false;
	KUNIT_EXPECT_EQ(test, -EIO, igbvf_queues_stop(&fake->vf, true));
	ring_set(fake, RX, 1, 2);
	KUNIT_EXPECT_EQ(test, 0, igbvf_queues_stop(&fake->vf, false));
	KUNIT_EXPECT_EQ(test, 1, image[RING_HEAD]);
	KUNIT_EXPECT_TRUE(test, image[RING_DCTL] & VTQ_DCTL_ENABLE);
	igbvf_queues_park(&fake->vf);
	KUNIT_EXPECT_EQ(test, 0, igbvf_queues_load(&fake->vf));
	KUNIT_EXPECT_EQ(test, 0, igbvf_queues_run(&fake->vf, false));
	expect_ring(test, fake, RX, 1, 2);
}

/* Stopped, parked, and back */
static void cancel(struct kunit *test, struct fake *fake)
{
	ring_set(fake, RX, 7, 5);
	ring_set(fake, TX, 9, 9);
	KUNIT_ASSERT_EQ(test, 0, igbvf_queues_stop(&fake->vf, true));
	igbvf_queues_park(&fake->vf);
	KUNIT_EXPECT_EQ(test, 0, *ring_reg(fake, RX, VTQ_LEN));
	KUNIT_ASSERT_EQ(test, 0, igbvf_queues_load(&fake->vf));
	KUNIT_ASSERT_EQ(test, 0, igbvf_queues_run(&fake->vf, false));
	expect_ring(test, fake, RX, 7, 5);
	expect_ring(test, fake, TX, 9, 9);
}

static void cancel_goes_on(struct kunit *test)
{
	cancel(test, fake_new(test));
}

static void cancel_goes_on_with_tails_as_they_are(struct kunit *test)
{
	struct fake *fake = fake_new(test);

	fake->tail_needs_enable = true;
	cancel(test, fake);
}

/* With an old tail, an enabled ring has descriptors that were not posted. */
static void load_refuses_a_tail_of_others(struct kunit *test)
{
	struct fake *fake = fake_new(test);
	u32 *image = fake->vf.image.rings.reg[RX];

	ring_set(fake, RX, 7, 5);
	KUNIT_ASSERT_EQ(test, 0, igbvf_queues_stop(&fake->vf, true));
	*ring_reg(fake, RX, VTQ_TAIL) = 0;
	fake->vf.expected.tail[RX] = 0;
	fake->tail_needs_enable = true;
	KUNIT_EXPECT_EQ(test, -EIO, igbvf_queues_load(&fake->vf));
	KUNIT_EXPECT_EQ(test, 5, image[RING_TAIL]);
	/* An old tail that happens to be the guest's is good, too. */
	*ring_reg(fake, RX, VTQ_TAIL) = 5;
	KUNIT_EXPECT_EQ(test, 0, igbvf_queues_load(&fake->vf));
	KUNIT_EXPECT_EQ(test, 0, igbvf_queues_run(&fake->vf, false));
	expect_ring(test, fake, RX, 7, 5);
}

static bool is_loadable(struct fake *fake)
{
	igbvf_queues_try(&fake->vf);
	return fake->vf.loadable;
}

static void what_a_device_takes_is_known_early(struct kunit *test)
{
	struct fake *fake = fake_new(test);
	u32 *before = kunit_kmalloc(test, sizeof(fake->reg), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, before);
	memcpy(before, fake->reg, sizeof(fake->reg));
	KUNIT_EXPECT_FALSE(test, fake->vf.loadable_known);
	KUNIT_EXPECT_TRUE(test, is_loadable(fake));
	KUNIT_EXPECT_TRUE(test, fake->vf.loadable_known);
	KUNIT_EXPECT_FALSE(test, fake->cut);
	KUNIT_EXPECT_MEMEQ(test, before, fake->reg, sizeof(fake->reg));
	fake->enable_clears_head = true;
	KUNIT_EXPECT_FALSE(test, is_loadable(fake));
	KUNIT_EXPECT_MEMEQ(test, before, fake->reg, sizeof(fake->reg));
	fake->enable_clears_head = false;
	fake->tail_needs_enable = true;
	KUNIT_EXPECT_FALSE(test, is_loadable(fake));
	KUNIT_EXPECT_MEMEQ(test, before, fake->reg, sizeof(fake->reg));
}

static int begin_load(struct fake *fake)
{
	for (unsigned int i = 0; i < IGBVF_ARCS; i++)
		if (igbvf_arcs[i].from == VFIO_DEVICE_STATE_STOP &&
		    igbvf_arcs[i].to == VFIO_DEVICE_STATE_RESUMING)
			return igbvf_arcs[i].take(&fake->vf.pci.mig);
	return -ENOENT;
}

/* A device that does not start in mid-ring is neither loaded nor logged. */
static void what_a_device_does_not_take_is_refused(struct kunit *test)
{
	struct fake *fake = fake_new(test);

	/* The PF was down since the driver was bound. */
	KUNIT_EXPECT_FALSE(test, igbvf_log.usable(&fake->vf.pci));
	fake->enable_clears_head = true;
	KUNIT_EXPECT_FALSE(test, is_loadable(fake));
	KUNIT_EXPECT_FALSE(test, igbvf_log.usable(&fake->vf.pci));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, begin_load(fake));
	fake->enable_clears_head = false;
	KUNIT_EXPECT_TRUE(test, is_loadable(fake));
	KUNIT_EXPECT_TRUE(test, igbvf_log.usable(&fake->vf.pci));
}

/* RUNNING_P2P: the VF is served, without DMA. */
static void go_to_p2p(struct kunit *test, struct fake *fake)
{
	KUNIT_ASSERT_EQ(test, 0,
			igbvf_queues_stop(&fake->vf, fake->bus_master));
	igbvf_queues_park(&fake->vf);
	igbvf_queues_watch(&fake->vf);
	igbvf_log_stopped(&fake->vf);
}

static void return_from_p2p(struct kunit *test, struct fake *fake)
{
	igbvf_queues_take_over(&fake->vf);
	KUNIT_ASSERT_EQ(test, 0, igbvf_queues_load(&fake->vf));
	KUNIT_ASSERT_EQ(test, 0, igbvf_queues_run(&fake->vf, false));
}

/* What the guest writes to a register of a ring, or to its shadow */
static void guest_ring_write(struct fake *fake, unsigned int ring, u32 offset,
			     u32 value)
{
	u32 *shadow = vfio_pci_mig_shadow(&fake->vf.pci);

	if (ring < IGBVF_QUEUES && shadow)
		shadow[(ring_base(ring) + offset) % SZ_4K / sizeof(u32)] =
			value;
	else
		igbvf_write(&fake->vf, ring_base(ring) + offset, value);
}

/* In a P2P state, the guest resets the VF and sets up a ring again. */
static void guest_resets_and_enables(struct fake *fake, unsigned int ring)
{
	*ring_reg(fake, ring, VTQ_DCTL) = 0;
	igbvf_queues_reset(&fake->vf);
	igbvf_log_disable(&fake->vf);
	guest_ring_write(fake, ring, VTQ_LEN, DESCS * VTQ_DESC_SIZE);
	guest_ring_write(fake, ring, VTQ_HEAD, 0);
	guest_ring_write(fake, ring, VTQ_DCTL, VTQ_DCTL_ENABLE);
	guest_ring_write(fake, ring, VTQ_TAIL, 3);
}

/*
 * It writes what the register had before the reset, as the ring was stopped
 * with bus mastering off and so stayed enabled.
 */
static void p2p_keeps_a_ring_that_is_set_up_again(struct kunit *test)
{
	static const unsigned int both[] = { RX, TX };

	for (unsigned int i = 0; i < ARRAY_SIZE(both); i++) {
		struct fake *fake = fake_new(test);

		ring_set(fake, both[i], 7, 7);
		fake->bus_master = false;
		go_to_p2p(test, fake);
		fake->bus_master = true;
		guest_resets_and_enables(fake, both[i]);
		return_from_p2p(test, fake);
		expect_ring(test, fake, both[i], 0, 3);
	}
}

/* Vectors that were unmasked before, and those that the guest unmasks */
static void p2p_keeps_unmasked_vectors(struct kunit *test)
{
	struct fake *fake = fake_new(test);

	igbvf_write(&fake->vf, VTEIMS, BIT(0));
	go_to_p2p(test, fake);
	KUNIT_EXPECT_EQ(test, 0, *fake_reg(fake, VTEIMS));
	igbvf_write(&fake->vf, VTEIMS, BIT(1) | BIT(2));
	igbvf_write(&fake->vf, VTEIMC, BIT(2));
	return_from_p2p(test, fake);
	KUNIT_EXPECT_EQ(test, BIT(0) | BIT(1), *fake_reg(fake, VTEIMS));
}

/* The guest is told, and sets up the VF again. */
static void cancel_with_the_pf_down(struct kunit *test)
{
	struct fake *fake = fake_new(test);
	struct igbvf_device *vf = &fake->vf;

	ring_set(fake, RX, 7, 5);
	KUNIT_ASSERT_EQ(test, 0, igbvf_queues_stop(vf, true));
	memset(fake->reg, 0, sizeof(fake->reg));
	KUNIT_EXPECT_FALSE(test, igbvf_mbx_pf_is_down(vf));
	*fake_reg(fake, V2PMAILBOX) = V2PMAILBOX_RSTI;
	fake->holds_nothing = true;
	KUNIT_ASSERT_TRUE(test, igbvf_mbx_pf_is_down(vf));
	KUNIT_EXPECT_TRUE(test, vf->image.mbx.events & V2PMAILBOX_RSTD);
	igbvf_queues_reset(vf);
	KUNIT_EXPECT_EQ(test, 0, igbvf_queues_load(vf));
	KUNIT_EXPECT_EQ(test, 0, igbvf_queues_run(vf, true));
	KUNIT_EXPECT_EQ(test, 0, *ring_reg(fake, RX, VTQ_DCTL));
}

/* ---- DMA logging ---- */

KUNIT_DEFINE_ACTION_WRAPPER(free_shadow, free_page, unsigned long);

/*
 * Logging begins, in RUNNING, with the state lock held until log_off().  The
 * dirty set has no ranges: nothing is marked in it.
 */
static struct vfio_pci_mig_log *log_on(struct kunit *test, struct fake *fake)
{
	struct vfio_pci_mig_log *log;
	unsigned long page = get_zeroed_page(GFP_KERNEL);

	KUNIT_ASSERT_NE(test, 0, page);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_shadow,
							   (void *)page));
	log = kunit_kzalloc(test, sizeof(*log), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, log);
	log->rings = kunit_kcalloc(test, igbvf_log.nr_rings,
				   sizeof(*log->rings), GFP_KERNEL);
	log->areas = kunit_kcalloc(test, igbvf_log.nr_areas,
				   sizeof(*log->areas), GFP_KERNEL);
	log->dirty = kunit_kzalloc(test, SZ_64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, log->rings);
	KUNIT_ASSERT_NOT_NULL(test, log->areas);
	KUNIT_ASSERT_NOT_NULL(test, log->dirty);
	log->pci = &fake->vf.pci;
	log->page = virt_to_page((void *)page);
	log->on = true;
	mutex_init(&log->dirty_lock);
	init_waitqueue_head(&log->wait);
	fake->vf.pci.log = log;
	fake->vf.pci.mig.state = VFIO_DEVICE_STATE_RUNNING;
	mutex_lock(&fake->vf.pci.mig.lock);
	igbvf_log.begin(&fake->vf.pci);
	igbvf_log.areas(&fake->vf.pci);
	return log;
}

static void log_off(struct fake *fake)
{
	for (unsigned int i = 0; i < IGBVF_QUEUES; i++)
		vfio_pci_mig_ring_end(&fake->vf.pci, i);
	mutex_unlock(&fake->vf.pci.mig.lock);
	fake->vf.pci.log = NULL;
}

struct desc_row {
	u32 format;
	u64 second;		/* the second quadword */
	bool used;
	u64 header;
};

/* Which descriptors of each format the device has used, and their buffers */
static void log_finds_buffers(struct kunit *test)
{
	enum { SPLIT = VTQ_SRRCTL_ONE_BUFFER + 1 };
	static const struct desc_row rows[] = {
		/* Bit 0 is part of the length, not DD. */
		{ VTQ_SRRCTL_LEGACY, 0, false },
		{ VTQ_SRRCTL_LEGACY, 1, false },
		{ VTQ_SRRCTL_LEGACY, VTQ_DESC_LEGACY_DD, true },
		{ VTQ_SRRCTL_ONE_BUFFER, 0, false },
		{ VTQ_SRRCTL_ONE_BUFFER, VTQ_DESC_DD, true },
		{ VTQ_SRRCTL_ONE_BUFFER, VTQ_DESC_LEGACY_DD, false },
		{ SPLIT, 0x5000, false, 0x5000 },
		{ SPLIT, 0x5000 | VTQ_DESC_DD, true },
		{ SPLIT, 0x5000 | VTQ_DESC_LEGACY_DD, false,
		  0x5000 | VTQ_DESC_LEGACY_DD },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct desc_row *row = &rows[i];
		struct vfio_pci_mig_ring ring = {
			.format = row->format,
			.len = { SZ_2K, row->format == SPLIT ? SZ_512 : 0 },
		};
		__le64 desc[2] = { cpu_to_le64(0x123456789000),
				   cpu_to_le64(row->second) };
		u64 iova[VFIO_PCI_MIG_BUFFERS];

		KUNIT_EXPECT_EQ_MSG(test, !row->used,
				    igbvf_log.buffers(&ring, desc, iova),
				    "row %u", i);
		if (row->used)
			continue;
		KUNIT_EXPECT_EQ(test, 0x123456789000, iova[0]);
		KUNIT_EXPECT_EQ(test, row->header ?: VFIO_PCI_MIG_NO_BUFFER,
				iova[1]);
	}
}

/* The shadow shows an enabled ring until the guest resets the VF. */
static void log_keeps_a_ring_that_is_set_up_again(struct kunit *test)
{
	struct fake *fake = fake_new(test);

	ring_set(fake, RX, 7, 5);
	log_on(test, fake);
	go_to_p2p(test, fake);
	guest_resets_and_enables(fake, RX);
	return_from_p2p(test, fake);
	/* The worker passes the tail on. */
	expect_ring(test, fake, RX, 0, 0);
	KUNIT_EXPECT_EQ(test, 3, igbvf_log.tail(&fake->vf.pci, RX));
	log_off(fake);
}

/* The guest replaces its transmit ring after the last sample. */
static void log_has_the_ring_of_the_end(struct kunit *test)
{
	struct fake *fake = fake_new(test);
	const struct vfio_pci_mig_log_area *ring, *head;
	struct vfio_pci_mig_log *log;

	ring_set(fake, TX, 9, 9);
	log = log_on(test, fake);
	ring = &log->areas[IGBVF_QUEUES];
	head = &log->areas[2 * IGBVF_QUEUES];
	KUNIT_EXPECT_EQ(test, *ring_reg(fake, TX, VTQ_BAL), ring->iova);
	KUNIT_EXPECT_EQ(test, 0, head->length);
	*ring_reg(fake, TX, VTQ_BAL) = 0x70000;
	*ring_reg(fake, TX, VTQ_WBAL) = 0x80000 | VTQ_WBAL_ENABLE;
	go_to_p2p(test, fake);
	KUNIT_EXPECT_EQ(test, 0x70000, ring->iova);
	KUNIT_EXPECT_EQ(test, DESCS * VTQ_DESC_SIZE, ring->length);
	KUNIT_EXPECT_EQ(test, 0x80000, head->iova);
	KUNIT_EXPECT_EQ(test, sizeof(u32), head->length);
	log_off(fake);
}

/*
 * The guest turns bus mastering off and disables the queue, which the device
 * cannot end.
 */
static struct vfio_pci_mig_log *disable_in_vain(struct kunit *test,
						struct fake *fake)
{
	struct vfio_pci_mig_log *log;

	ring_set(fake, RX, 7, 5);
	log = log_on(test, fake);
	fake->bus_master = false;
	guest_ring_write(fake, RX, VTQ_DCTL, 0);
	igbvf_log.sync(&fake->vf.pci);
	igbvf_log.areas(&fake->vf.pci);
	KUNIT_EXPECT_TRUE(test, *ring_reg(fake, RX, VTQ_DCTL) &
				VTQ_DCTL_ENABLE);
	return log;
}

static void log_keeps_a_queue_disabled(struct kunit *test)
{
	struct fake *fake = fake_new(test);
	u32 *image = fake->vf.image.rings.reg[RX];

	disable_in_vain(test, fake);
	go_to_p2p(test, fake);
	igbvf_queues_take_over(&fake->vf);
	KUNIT_EXPECT_EQ(test, 0, image[RING_DCTL] & VTQ_DCTL_ENABLE);
	log_off(fake);
}

/* The device has received since the guest was shown the head. */
static void log_keeps_a_head_that_is_written(struct kunit *test)
{
	struct fake *fake = fake_new(test);

	ring_set(fake, RX, 0, 5);
	log_on(test, fake);
	*ring_reg(fake, RX, VTQ_HEAD) = 2;
	go_to_p2p(test, fake);
	guest_ring_write(fake, RX, VTQ_HEAD, 0);
	return_from_p2p(test, fake);
	KUNIT_EXPECT_EQ(test, 0, *ring_reg(fake, RX, VTQ_HEAD));
	/* A guest that does not write it sees where the device is. */
	*ring_reg(fake, RX, VTQ_HEAD) = 3;
	go_to_p2p(test, fake);
	return_from_p2p(test, fake);
	KUNIT_EXPECT_EQ(test, 3, *ring_reg(fake, RX, VTQ_HEAD));
	log_off(fake);
}

/* The device may still write to the old ring, whatever the guest prepares. */
static void log_keeps_a_ring_until_it_ends(struct kunit *test)
{
	struct fake *fake = fake_new(test);
	struct igbvf_device *vf = &fake->vf;
	struct vfio_pci_mig_log *log;
	u32 *base = ring_reg(fake, RX, VTQ_BAL), old;

	log = disable_in_vain(test, fake);
	old = *base;
	guest_ring_write(fake, RX, VTQ_BAL, 0x70000);
	for (unsigned int i = 0; i < 3; i++) {
		igbvf_log.sync(&vf->pci);
		igbvf_log.areas(&vf->pci);
		KUNIT_EXPECT_EQ(test, old, *base);
		KUNIT_EXPECT_EQ(test, old, log->areas[RX].iova);
		KUNIT_EXPECT_EQ(test, DESCS * VTQ_DESC_SIZE,
				log->areas[RX].length);
	}
	fake->bus_master = true;
	*ring_reg(fake, RX, VTQ_DCTL) = 0;
	igbvf_log.sync(&vf->pci);
	KUNIT_EXPECT_EQ(test, 0x70000, *base);
	guest_ring_write(fake, RX, VTQ_DCTL, VTQ_DCTL_ENABLE);
	igbvf_log.sync(&vf->pci);
	KUNIT_EXPECT_EQ(test, 0x70000, log->areas[RX].iova);
	KUNIT_EXPECT_TRUE(test, *ring_reg(fake, RX, VTQ_DCTL) &
				VTQ_DCTL_ENABLE);
	log_off(fake);
}

/* Logging ends before the device has ended the ring. */
static void log_end_loses_no_register(struct kunit *test)
{
	struct fake *fake = fake_new(test);

	disable_in_vain(test, fake);
	guest_ring_write(fake, RX, VTQ_BAL, 0x70000);
	guest_ring_write(fake, RX, VTQ_TAIL, 2);
	igbvf_log.end(&fake->vf.pci);
	KUNIT_EXPECT_EQ(test, 0x70000, *ring_reg(fake, RX, VTQ_BAL));
	KUNIT_EXPECT_EQ(test, 2, *ring_reg(fake, RX, VTQ_TAIL));
	log_off(fake);
}

/* ---- The guest's mailbox ---- */

static void guest_writes(struct fake *fake, const u32 *message,
			 unsigned int count)
{
	igbvf_mbx_guest_write(&fake->vf, V2PMAILBOX_VFU);
	for (unsigned int i = 0; i < count; i++) {
		igbvf_mbx_guest_mem(&fake->vf);
		igbvf_write(&fake->vf, VMBMEM + i * sizeof(u32), message[i]);
	}
	igbvf_mbx_guest_write(&fake->vf, V2PMAILBOX_REQ);
}

static void guest_asks(struct fake *fake, u32 type, u32 info, u32 word)
{
	u32 message[3] = { type | FIELD_PREP(MBX_INFO, info), word };

	guest_writes(fake, message, ARRAY_SIZE(message));
	igbvf_mbx_guest_read(&fake->vf);
}

static struct fake *fake_with_guest(struct kunit *test)
{
	struct fake *fake = fake_new(test);

	fake->vf.pci.mig.state = VFIO_DEVICE_STATE_RUNNING;
	guest_asks(fake, MBX_RESET, 0, 0);
	KUNIT_ASSERT_EQ(test, IGBVF_PF_CTS, fake->vf.image.pf.flags);
	return fake;
}

static void reset_is_a_whole_word(struct kunit *test)
{
	struct fake *fake = fake_with_guest(test);
	struct igbvf_pf *pf = &fake->vf.image.pf;

	guest_asks(fake, MBX_SET_VLAN, 1, 5);
	guest_asks(fake, MBX_RESET, 1, 0);
	KUNIT_EXPECT_EQ(test, 1, pf->vlans);
	guest_asks(fake, MBX_RESET, 0, 0);
	KUNIT_EXPECT_EQ(test, 0, pf->vlans);
}

/* Also if the guest does not wait for them */
static void no_answer_is_missed(struct kunit *test)
{
	static const u32 add[3] = { MBX_SET_MAC | MBX_MAC_FILTER_ADD << 16,
				    0x11223302, 0x6655 };
	static const u32 lpe[2] = { MBX_SET_LPE, 9000 };
	struct fake *fake = fake_with_guest(test);
	struct igbvf_pf *pf = &fake->vf.image.pf;

	guest_writes(fake, add, ARRAY_SIZE(add));
	KUNIT_EXPECT_EQ(test, 0, pf->filters);
	guest_writes(fake, lpe, ARRAY_SIZE(lpe));
	KUNIT_EXPECT_EQ(test, 1, pf->filters);
	/* The second message does not take the buffer first. */
	igbvf_mbx_guest_mem(&fake->vf);
	igbvf_write(&fake->vf, VMBMEM, MBX_SET_PROMISC);
	igbvf_mbx_guest_write(&fake->vf, V2PMAILBOX_REQ);
	KUNIT_EXPECT_EQ(test, 9000, pf->lpe);
}

/* Has the guest's request, sent after @since, the time for which igbvf waits? */
static bool request_waits(struct fake *fake, ktime_t since)
{
	enum { IGBVF_WAITS_MS = 2000 };

	return !ktime_before(fake->vf.request_expires,
			     ktime_add_ms(since, IGBVF_WAITS_MS));
}

/* A request is kept as long as the guest waits for the answer. */
static void requests_expire(struct kunit *test)
{
	static const u32 request = MBX_SET_PROMISC;
	struct fake *fake = fake_with_guest(test);
	struct igbvf_device *vf = &fake->vf;
	ktime_t since = ktime_get();

	fake->mute = true;
	guest_writes(fake, &request, 1);
	KUNIT_EXPECT_TRUE(test, request_waits(fake, since));
	vf->request_expires = ktime_add_ms(ktime_get(), 60 * MSEC_PER_SEC);
	igbvf_mbx_settle(vf);
	KUNIT_EXPECT_TRUE(test, vf->image.mbx.flags & IGBVF_MBX_REQUEST);
	KUNIT_EXPECT_EQ(test, request, vf->image.mbx.mem[0]);
	/* It is sent again, and has its time again. */
	since = ktime_get();
	igbvf_mbx_load(vf);
	KUNIT_EXPECT_EQ(test, request, *fake_reg(fake, VMBMEM));
	KUNIT_EXPECT_TRUE(test, request_waits(fake, since));
	/* The guest has given up. */
	vf->request_expires = ktime_sub_ms(ktime_get(), 1);
	igbvf_mbx_settle(vf);
	KUNIT_EXPECT_FALSE(test, vf->image.mbx.flags & IGBVF_MBX_REQUEST);
}

/* After a replay a second PF has the VLANs and the stripping of the first. */
static void vlans_keep_their_order(struct kunit *test)
{
	static const u16 vids[] = { 0, 5, 6, 4095 };
	struct fake *fake = fake_with_guest(test), *other;
	u32 seed = 1;

	for (unsigned int i = 0; i < 300; i++) {
		seed = seed * 1664525 + 1013904223;
		guest_asks(fake, MBX_SET_VLAN, seed >> 30 & 1,
			   vids[seed >> 28 & 3]);
		/* Without any VLAN, the replay cannot set the stripping. */
		if (fake->strips &&
		    find_next_bit(fake->vlans, VLAN_N_VID, 1) == VLAN_N_VID)
			continue;
		other = fake_new(test);
		other->vf.incoming.pf = fake->vf.image.pf;
		KUNIT_ASSERT_EQ(test, 0, igbvf_pf_replay(&other->vf));
		KUNIT_ASSERT_EQ(test, fake->strips, other->strips);
		KUNIT_ASSERT_TRUE(test, bitmap_equal(fake->vlans, other->vlans,
						     VLAN_N_VID));
		kunit_kfree(test, other);
	}
}

/* ---- The driver's messages ---- */

static void repeats_are_not_tried_again(struct kunit *test)
{
	struct fake *fake = fake_new(test);
	struct igbvf_device *vf = &fake->vf;
	unsigned int each;

	vf->incoming.pf.flags = IGBVF_PF_CTS;
	vf->incoming.pf.multicasts = 1;
	KUNIT_ASSERT_EQ(test, 0, igbvf_pf_try(vf));
	each = fake->requests;
	KUNIT_EXPECT_LT(test, 1, each);
	for (unsigned int i = 0; i < 100; i++)
		KUNIT_ASSERT_EQ(test, 0, igbvf_pf_try(vf));
	KUNIT_EXPECT_EQ(test, each, fake->requests);

	for (unsigned int i = 0; i < 100; i++) {
		vf->incoming.pf.lpe = 1000 + i;
		KUNIT_ASSERT_EQ(test, 0, igbvf_pf_try(vf));
	}
	KUNIT_EXPECT_LT(test, fake->requests, 10 * each);
	/* The replay at the end asks for all in any case. */
	fake->requests = 0;
	KUNIT_EXPECT_EQ(test, 0, igbvf_pf_replay(vf));
	KUNIT_EXPECT_LT(test, 1, fake->requests);
}

static void resets_of_the_pf_are_noticed(struct kunit *test)
{
	struct fake *fake = fake_new(test);
	struct igbvf_device *vf = &fake->vf;

	/* A reset before the handshake does not matter. */
	*fake_reg(fake, V2PMAILBOX) = V2PMAILBOX_RSTD;
	vf->incoming.pf.flags = IGBVF_PF_CTS;
	KUNIT_ASSERT_EQ(test, 0, igbvf_pf_replay(vf));
	KUNIT_EXPECT_FALSE(test, igbvf_pf_was_reset(vf));
	igbvf_mbx_load(vf);
	KUNIT_EXPECT_EQ(test, 0, vf->image.mbx.events);

	for (unsigned int at = 2; at <= 3; at++) {
		fake->requests = 0;
		fake->reset_at = at;
		KUNIT_ASSERT_EQ(test, 0, igbvf_pf_replay(vf));
		KUNIT_ASSERT_LE(test, at, fake->requests);
		KUNIT_EXPECT_TRUE(test, igbvf_pf_was_reset(vf));
		vf->image.mbx.events = 0;
		igbvf_mbx_load(vf);
		KUNIT_EXPECT_EQ(test, V2PMAILBOX_RSTD, vf->image.mbx.events);
	}
}

static void all_is_forgotten(struct kunit *test)
{
	struct fake *fake = fake_new(test);
	struct igbvf_device *vf = &fake->vf;
	u32 clear = MBX_SET_MAC | MBX_MAC_FILTER_CLEAR << 16;

	/* No filter is known. */
	KUNIT_EXPECT_EQ(test, 0, igbvf_pf_clear_user(vf, true));
	KUNIT_EXPECT_EQ(test, 0, fake->resets);
	KUNIT_ASSERT_EQ(test, 2, fake->requests);
	KUNIT_EXPECT_EQ(test, MBX_RESET, fake->asked[0]);
	KUNIT_EXPECT_EQ(test, clear, fake->asked[1]);
	/* igb accepts only a unicast address that is not zero. */
	KUNIT_EXPECT_NE(test, 0, fake->address[0]);
	KUNIT_EXPECT_EQ(test, 0, fake->address[0] & 1);

	/* Without FLR, and with a handshake that was lost */
	fake->requests = 0;
	fake->refuse = 1;
	KUNIT_EXPECT_EQ(test, 0, igbvf_pf_clear_user(vf, false));
	KUNIT_EXPECT_EQ(test, 1, fake->resets);
	KUNIT_EXPECT_EQ(test, 4, fake->requests);
	KUNIT_EXPECT_EQ(test, MBX_RESET, fake->asked[2]);
	KUNIT_EXPECT_EQ(test, clear, fake->asked[3]);

	fake->refuse = 100;
	KUNIT_EXPECT_EQ(test, -EPERM, igbvf_pf_clear_user(vf, true));
}

static struct kunit_case igbvf_cases[] = {
	KUNIT_CASE(stop_lets_all_be_sent),
	KUNIT_CASE(stop_drains_before_it_disables),
	KUNIT_CASE(stop_waits_after_a_stall),
	KUNIT_CASE(stop_leaves_what_cannot_be_sent),
	KUNIT_CASE(stop_flushes_first),
	KUNIT_CASE(stop_without_bus_mastering),
	KUNIT_CASE(cancel_goes_on),
	KUNIT_CASE(cancel_goes_on_with_tails_as_they_are),
	KUNIT_CASE(load_refuses_a_tail_of_others),
	KUNIT_CASE(what_a_device_takes_is_known_early),
	KUNIT_CASE(what_a_device_does_not_take_is_refused),
	KUNIT_CASE(p2p_keeps_a_ring_that_is_set_up_again),
	KUNIT_CASE(p2p_keeps_unmasked_vectors),
	KUNIT_CASE(cancel_with_the_pf_down),
	KUNIT_CASE(log_finds_buffers),
	KUNIT_CASE(log_keeps_a_ring_that_is_set_up_again),
	KUNIT_CASE(log_has_the_ring_of_the_end),
	KUNIT_CASE(log_keeps_a_queue_disabled),
	KUNIT_CASE(log_keeps_a_head_that_is_written),
	KUNIT_CASE(log_keeps_a_ring_until_it_ends),
	KUNIT_CASE(log_end_loses_no_register),
	KUNIT_CASE(reset_is_a_whole_word),
	KUNIT_CASE(no_answer_is_missed),
	KUNIT_CASE(requests_expire),
	KUNIT_CASE(vlans_keep_their_order),
	KUNIT_CASE(repeats_are_not_tried_again),
	KUNIT_CASE(resets_of_the_pf_are_noticed),
	KUNIT_CASE(all_is_forgotten),
	{}
};

static struct kunit_suite igbvf_suite = {
	.name = "vfio_igbvf",
	.test_cases = igbvf_cases,
};

kunit_test_suite(igbvf_suite);
