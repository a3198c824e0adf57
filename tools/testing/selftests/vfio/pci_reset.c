// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reset of one function, by VFIO_DEVICE_RESET and by the FLR bit of the PCI
 * Express capability: what it clears and keeps, and in which conditions it
 * works. pci_hot_reset.c tests resets of buses.
 */
#include <linux/pci_regs.h>
#include <pthread.h>

#include "kmsg.h"
#include "migration.h"
#include "nic.h"
#include "pci_funcs.h"

/* A register that a driver sets and a reset clears, and its bits */
struct witness {
	uint32_t offset;
	uint32_t set;
	uint32_t bits;
};

static struct witness witness(const FIXTURE_VARIANT(pci) *variant)
{
	if (variant->is_vf)
		return (struct witness){ RXDCTL, DCTL_ENABLE, DCTL_ENABLE };
	/* 82574L: RCTL.EN; NVMe: CC.IOSQES, IOCQES */
	if (!strcmp(variant->func, FUNC_E1000E))
		return (struct witness){ 0x100, BIT(1), BIT(1) };
	return (struct witness){ 0x14, 0x460000, 0xff0000 };
}

static bool can_reset(const struct vdev *v)
{
	return vdev_info(v).flags & VFIO_DEVICE_FLAGS_RESET;
}

/* Does a reset clear registers?  A reset by power states may not. */
static bool reset_clears(const struct vdev *v)
{
	char methods[64];

	return can_reset(v) &&
	       pci_attr_read(v->bdf, "reset_method", methods,
			     sizeof(methods)) > 0 &&
	       strstr(methods, "flr");
}

TEST_F(pci, works_if_info_says_so)
{
	EXPECT_EQ(can_reset(&self->v) ? 0 : -EINVAL, device_reset(&self->v));
}

TEST_F(pci, clears_the_device)
{
	struct witness w = witness(variant);

	if (!reset_clears(&self->v))
		SKIP(return, "%s has no function level reset", self->bdf);
	cfg_command(&self->v, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	reg_write(&self->v, 0, w.offset, w.set);
	ASSERT_EQ(w.set, reg_read(&self->v, 0, w.offset) & w.bits);
	ASSERT_EQ(0, device_reset(&self->v));
	EXPECT_EQ(0, reg_read(&self->v, 0, w.offset) & w.bits);
}

TEST_F(pci, keeps_the_configuration)
{
	const uint32_t size = vdev_region(&self->v,
				VFIO_PCI_CONFIG_REGION_INDEX).size;
	uint8_t *before = malloc(size), *after = malloc(size);
	uint32_t i;

	if (!can_reset(&self->v))
		SKIP(return, "%s cannot be reset", self->bdf);
	cfg_command(&self->v, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	cfg_write32(&self->v, PCI_BASE_ADDRESS_0, 0xfeb00000);
	cfg_write8(&self->v, PCI_INTERRUPT_LINE, 10);
	ASSERT_EQ(size, region_read(&self->v, VFIO_PCI_CONFIG_REGION_INDEX, 0,
				    before, size));
	ASSERT_EQ(0, device_reset(&self->v));
	ASSERT_EQ(size, region_read(&self->v, VFIO_PCI_CONFIG_REGION_INDEX, 0,
				    after, size));
	for (i = 0; i < size; i++) {
		/* Status registers may change. */
		if (i / 2 == PCI_STATUS / 2 || before[i] == after[i])
			continue;
		if (i >= PCI_STD_HEADER_SIZEOF)
			continue;
		EXPECT_EQ(before[i], after[i]) {
			TH_LOG("byte %#x", i);
		}
	}
}

TEST_F(pci, works_by_the_flr_bit)
{
	uint32_t at = cfg_cap(&self->v, PCI_CAP_ID_EXP);
	struct witness w = witness(variant);
	uint32_t cap;
	uint16_t ctl;

	ASSERT_NE(0, at);
	cap = cfg_read32(&self->v, at + PCI_EXP_DEVCAP);
	ctl = cfg_read16(&self->v, at + PCI_EXP_DEVCTL);
	if (!(cap & PCI_EXP_DEVCAP_FLR))
		SKIP(return, "%s has no function level reset", self->bdf);
	cfg_command(&self->v, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	reg_write(&self->v, 0, w.offset, w.set);
	ASSERT_EQ(w.set, reg_read(&self->v, 0, w.offset) & w.bits);
	cfg_write16(&self->v, at + PCI_EXP_DEVCTL,
		    ctl | PCI_EXP_DEVCTL_BCR_FLR);
	EXPECT_EQ(0, reg_read(&self->v, 0, w.offset) & w.bits);
	EXPECT_FALSE(cfg_read16(&self->v, at + PCI_EXP_DEVCTL) &
		     PCI_EXP_DEVCTL_BCR_FLR);
	EXPECT_TRUE(cfg_read16(&self->v, PCI_COMMAND) & PCI_COMMAND_MEMORY);
}

TEST_F(pci, happens_between_users)
{
	struct witness w = witness(variant);

	if (!reset_clears(&self->v))
		SKIP(return, "%s has no function level reset", self->bdf);
	cfg_command(&self->v, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	reg_write(&self->v, 0, w.offset, w.set);
	vdev_close(&self->v);
	vdev_open(&self->v, self->bdf, variant->driver);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	EXPECT_EQ(0, reg_read(&self->v, 0, w.offset) & w.bits);
	/* Bus mastering is off for the next user. */
	EXPECT_FALSE(cfg_read16(&self->v, PCI_COMMAND) & PCI_COMMAND_MASTER);
}

TEST_F(pci, works_in_d3hot)
{
	uint32_t at = cfg_cap(&self->v, PCI_CAP_ID_PM), value;

	if (!at || !can_reset(&self->v))
		SKIP(return, "%s: no power management or no reset", self->bdf);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	cfg_write16(&self->v, at + PCI_PM_CTRL, 3);
	ASSERT_EQ(0, device_reset(&self->v));
	EXPECT_EQ(0, cfg_read16(&self->v, at + PCI_PM_CTRL) &
		     PCI_PM_CTRL_STATE_MASK);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	EXPECT_EQ(4, region_read(&self->v, 0, 8, &value, 4));
}

/*
 * A function that is alone on its bus may be reset by a bus reset.  The PCI
 * core warns if the bridge is not locked.
 */
TEST(reset_by_the_bus_works)
{
	const char *bdf = NEED_FUNC(FUNC_E1000E);
	int log = kmsg_open(), ret;
	char methods[64];
	struct vdev v;

	must(pci_attr_read(bdf, "reset_method", methods, sizeof(methods)));
	if (pci_attr_write(bdf, "reset_method", "bus"))
		SKIP(return, "%s cannot be reset by its bus", bdf);
	vdev_open(&v, bdf, DRV_VFIO_PCI);
	/* The emulated port may not get its link up again. */
	ret = device_reset(&v);
	EXPECT_TRUE(ret == 0 || ret == -ENOTTY || ret == -EINVAL);
	vdev_close(&v);
	EXPECT_FALSE(kmsg_said(log, "", "unlocked secondary bus reset"));
	EXPECT_EQ(0, pci_attr_write(bdf, "reset_method", "default"));
	vdev_open(&v, bdf, DRV_VFIO_PCI);
	EXPECT_NE(0xffff, cfg_read16(&v, PCI_VENDOR_ID));
	vdev_close(&v);
}

static void *reset_often(void *arg)
{
	struct vdev *v = arg;
	unsigned int i;
	int ret;

	for (i = 0; i < 8; i++) {
		ret = device_reset(v);
		/* Another thread's reset may be in progress. */
		if (ret && ret != -EAGAIN)
			die("reset: %d", ret);
	}
	return NULL;
}

static void *read_often(void *arg)
{
	struct vdev *v = arg;
	uint32_t value, i;

	for (i = 0; i < 500; i++) {
		region_read(v, 0, 8, &value, 4);
		region_read(v, VFIO_PCI_CONFIG_REGION_INDEX, 0, &value, 4);
		region_write(v, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND,
			     &(uint16_t){ PCI_COMMAND_MEMORY }, 2);
	}
	return NULL;
}

TEST_F(pci, works_from_many_threads)
{
	static void *(*const fns[])(void *) = {
		reset_often, reset_often, reset_often, read_often, read_often,
	};
	pthread_t threads[ARRAY_SIZE(fns)];
	unsigned int i;
	uint32_t value;

	if (!can_reset(&self->v))
		SKIP(return, "%s cannot be reset", self->bdf);
	for (i = 0; i < ARRAY_SIZE(fns); i++)
		pthread_create(&threads[i], NULL, fns[i], &self->v);
	for (i = 0; i < ARRAY_SIZE(fns); i++)
		pthread_join(threads[i], NULL);
	ASSERT_EQ(0, device_reset(&self->v));
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	EXPECT_EQ(4, region_read(&self->v, 0, 8, &value, 4));
}

TEST_F(pci, works_under_traffic)
{
	struct peer peer;
	struct nic nic;
	unsigned int i;

	if (!variant->is_vf)
		SKIP(return, "no guest driver for %s", self->bdf);
	nic_alloc(&nic);
	nic_attach(&nic, &self->v);
	peer_open(&peer, func_bdf(FUNC_PF_B));
	for (i = 0; i < 3; i++) {
		nic_up(&nic);
		nic_ping_pong(&nic, &peer);
		peer_send(&peer, nic.mac, "in flight", 9);
		ASSERT_EQ(0, device_reset(&self->v));
	}
	nic_up(&nic);
	nic_ping_pong(&nic, &peer);
}

/* Migration: each kind of reset in each state leads to RUNNING. */

FIXTURE(migratable) {
	struct vdev v;
	struct nic nic;
	struct peer peer;
};

FIXTURE_VARIANT(migratable) {
	uint32_t state;
};

FIXTURE_VARIANT_ADD(migratable, running) { .state = RUNNING };
FIXTURE_VARIANT_ADD(migratable, stop) { .state = STOP };
FIXTURE_VARIANT_ADD(migratable, stop_copy) { .state = STOP_COPY };
FIXTURE_VARIANT_ADD(migratable, resuming) { .state = RESUMING };
FIXTURE_VARIANT_ADD(migratable, error) { .state = ERROR };

FIXTURE_SETUP(migratable)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0);

	NEED_MODULE(DRV_IGBVF_VFIO);
	vdev_open(&self->v, bdf, DRV_IGBVF_VFIO);
	nic_alloc(&self->nic);
	nic_attach(&self->nic, &self->v);
	nic_up(&self->nic);
	peer_open(&self->peer, func_bdf(FUNC_PF_B));
}

FIXTURE_TEARDOWN(migratable)
{
	vdev_close(&self->v);
}

/*
 * Brings the device to @state; to ERROR, or as far as possible, by no stream.
 */
static int enter(struct vdev *v, uint32_t state)
{
	int fd = -1;

	if (state == ERROR) {
		fd = must(mig_session(v->fd, RESUMING));
		if (!mig_set(v->fd, STOP, NULL))
			die("an empty stream was loaded");
	} else {
		must(mig_set(v->fd, state, &fd));
	}
	return fd;
}

static void check_works(struct __test_metadata *_metadata,
			FIXTURE_DATA(migratable) *self)
{
	EXPECT_EQ(RUNNING, mig_get(self->v.fd));
	nic_up(&self->nic);
	nic_ping_pong(&self->nic, &self->peer);
	EXPECT_EQ(0, mig_set(self->v.fd, STOP_COPY, NULL));
}

TEST_F(migratable, device_reset_leads_to_running)
{
	int fd = enter(&self->v, variant->state);
	char byte;

	ASSERT_EQ(0, device_reset(&self->v));
	if (fd >= 0)
		EXPECT_EQ(variant->state == STOP_COPY ? -ENODEV : -EBADF,
			  sys_read(fd, &byte, 1));
	sys_close(fd);
	check_works(_metadata, self);
}

TEST_F(migratable, flr_bit_leads_to_running)
{
	uint32_t at = cfg_cap(&self->v, PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL;

	enter(&self->v, variant->state);
	cfg_write16(&self->v, at, cfg_read16(&self->v, at) |
				  PCI_EXP_DEVCTL_BCR_FLR);
	check_works(_metadata, self);
}

/* The VMM is killed; the next one opens a working device. */
TEST_F(migratable, kill_of_the_user_leads_to_running)
{
	const char *bdf = self->v.bdf;
	int status;
	pid_t pid;

	nic_detach(&self->nic);
	vdev_close(&self->v);
	pid = fork();
	if (!pid) {
		vdev_open(&self->v, bdf, DRV_IGBVF_VFIO);
		nic_attach(&self->nic, &self->v);
		nic_up(&self->nic);
		enter(&self->v, variant->state);
		kill(getpid(), SIGKILL);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	vdev_open(&self->v, bdf, DRV_IGBVF_VFIO);
	nic_attach(&self->nic, &self->v);
	check_works(_metadata, self);
}

TEST_HARNESS_MAIN
