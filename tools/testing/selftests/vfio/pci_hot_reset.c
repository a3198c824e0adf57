// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hot reset: the reset of a bus and all its functions, which only a user may
 * request that owns all of them.  The pair of functions shares a bus and a
 * group; a VF shares its bus with a PF that igb drives.
 */
#include <linux/pci_regs.h>

#include "test.h"
#include "device.h"
#include "iommu.h"
#include "node.h"

#define MAX_DEVICES	16

static int hot_reset_info(int fd, struct vfio_pci_hot_reset_info *info,
			  unsigned int room)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info) + room * sizeof(info->devices[0]);
	return sys_ioctl(fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info);
}

static struct vfio_pci_hot_reset_info *info_alloc(void)
{
	return calloc(1, sizeof(struct vfio_pci_hot_reset_info) +
			 MAX_DEVICES *
			 sizeof(struct vfio_pci_dependent_device));
}

static int hot_reset(int fd, const int32_t *groups, uint32_t count)
{
	struct {
		struct vfio_pci_hot_reset head;
		int32_t fds[32];
	} arg = {
		.head = { .argsz = sizeof(arg), .count = count },
	};

	if (count && count <= 32)
		memcpy(arg.fds, groups, count * sizeof(*groups));
	return sys_ioctl(fd, VFIO_DEVICE_PCI_HOT_RESET, &arg);
}

static bool names(const struct vfio_pci_dependent_device *device,
		  const char *bdf)
{
	char name[BDF_LEN];

	snprintf(name, sizeof(name), "%04x:%02x:%02x.%u", device->segment,
		 device->bus, device->devfn >> 3, device->devfn & 7);
	return !strcmp(name, bdf);
}

/* Both functions of the pair, opened by one user */
FIXTURE(pair) {
	struct vdev first;
	struct vdev second;
	const char *bdf[2];
};

FIXTURE_SETUP(pair)
{
	self->bdf[0] = NEED_FUNC(FUNC_PAIR_0);
	self->bdf[1] = NEED_FUNC(FUNC_PAIR_1);
	must(pci_bind(self->bdf[1], DRV_VFIO_PCI));
	vdev_open(&self->first, self->bdf[0], DRV_VFIO_PCI);
	self->second = self->first;
	self->second.bdf = self->bdf[1];
	self->second.fd = must(group_get_device(self->first.group,
						self->bdf[1]));
}

FIXTURE_TEARDOWN(pair)
{
	sys_close(self->second.fd);
	vdev_close(&self->first);
}

TEST_F(pair, info_lists_all_functions)
{
	struct vfio_pci_hot_reset_info *info = info_alloc();
	unsigned int i, j, found = 0;

	ASSERT_EQ(0, hot_reset_info(self->first.fd, info, MAX_DEVICES));
	EXPECT_EQ(0, info->flags);
	ASSERT_LE(2, info->count);
	ASSERT_GE(MAX_DEVICES, info->count);
	for (i = 0; i < info->count; i++) {
		for (j = 0; j < 2; j++) {
			if (!names(&info->devices[i], self->bdf[j]))
				continue;
			found++;
			EXPECT_EQ(pci_group(self->bdf[j]),
				  info->devices[i].group_id);
		}
	}
	EXPECT_EQ(2, found);
}

TEST_F(pair, info_tells_how_much_room_it_needs)
{
	struct vfio_pci_hot_reset_info *info = info_alloc();
	uint32_t count, room;

	ASSERT_EQ(0, hot_reset_info(self->first.fd, info, MAX_DEVICES));
	count = info->count;
	for (room = 0; room < count; room++) {
		EXPECT_EQ(-ENOSPC, hot_reset_info(self->first.fd, info, room));
		EXPECT_EQ(count, info->count);
	}
	EXPECT_EQ(0, hot_reset_info(self->first.fd, info, count));
	info->argsz = 8;
	EXPECT_EQ(-EINVAL, sys_ioctl(self->first.fd,
				     VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
				     info));
	EXPECT_EQ(-EFAULT, sys_ioctl(self->first.fd,
				     VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
				     NULL));
	/* An argsz of 4 GiB */
	info = info_alloc();
	info->argsz = 0xffffffff;
	EXPECT_EQ(0, sys_ioctl(self->first.fd,
			       VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info));
	EXPECT_EQ(count, info->count);
}

TEST_F(pair, is_reset_with_the_right_group)
{
	uint32_t value;

	cfg_command(&self->first, PCI_COMMAND_MEMORY, 0);
	cfg_command(&self->second, PCI_COMMAND_MEMORY, 0);
	/* 82540EM: RCTL.EN, which only a reset clears */
	reg_write(&self->first, 0, 0x100, 2);
	reg_write(&self->second, 0, 0x100, 2);
	ASSERT_EQ(2, reg_read(&self->second, 0, 0x100) & 2);
	ASSERT_EQ(0, hot_reset(self->first.fd, &self->first.group, 1));
	EXPECT_EQ(0, reg_read(&self->first, 0, 0x100) & 2);
	EXPECT_EQ(0, reg_read(&self->second, 0, 0x100) & 2);
	EXPECT_EQ(4, region_read(&self->first, 0, 8, &value, 4));
}

TEST_F(pair, is_not_reset_without_the_group)
{
	struct vfio_pci_hot_reset short_arg = { .argsz = 4 };
	const char *other = func_bdf(FUNC_NVME);
	int32_t groups[32];
	unsigned int i;
	int fd = self->first.fd;

	for (i = 0; i < ARRAY_SIZE(groups); i++)
		groups[i] = self->first.group;
	/* No group, too many, files that are not groups */
	EXPECT_GT(0, hot_reset(fd, NULL, 0));
	EXPECT_EQ(-EINVAL, hot_reset(fd, groups, 32));
	EXPECT_EQ(-EINVAL, hot_reset(fd, groups, 0xffffffff));
	EXPECT_EQ(-EINVAL, hot_reset(fd, groups, 0x40000001));
	groups[0] = 9999;
	EXPECT_EQ(-EBADF, hot_reset(fd, groups, 1));
	groups[0] = -1;
	EXPECT_EQ(-EBADF, hot_reset(fd, groups, 1));
	groups[0] = self->first.container;
	EXPECT_EQ(-EINVAL, hot_reset(fd, groups, 1));
	groups[0] = fd;
	EXPECT_EQ(-EINVAL, hot_reset(fd, groups, 1));
	/* The right group and a wrong file */
	groups[0] = self->first.group;
	groups[1] = 9999;
	EXPECT_EQ(-EBADF, hot_reset(fd, groups, 2));
	EXPECT_EQ(-EINVAL, sys_ioctl(fd, VFIO_DEVICE_PCI_HOT_RESET,
				     &short_arg));
	EXPECT_EQ(-EFAULT, sys_ioctl(fd, VFIO_DEVICE_PCI_HOT_RESET, NULL));
	if (!other)
		return;
	/* Another group */
	must(pci_bind(other, DRV_VFIO_PCI));
	groups[0] = must(group_open(pci_group(other)));
	EXPECT_EQ(-EINVAL, hot_reset(fd, groups, 1));
}

TEST_F(pair, flags_are_reserved)
{
	struct {
		struct vfio_pci_hot_reset head;
		int32_t fd;
	} arg = {
		.head = { .argsz = sizeof(arg), .flags = 1, .count = 1 },
		.fd = self->first.group,
	};

	EXPECT_EQ(-EINVAL, sys_ioctl(self->first.fd,
				     VFIO_DEVICE_PCI_HOT_RESET, &arg));
}

/* A kernel driver has the other function: the user may not reset it. */
TEST_F(pair, is_not_reset_under_another_driver)
{
	sys_close(self->second.fd);
	self->second.fd = -1;
	must(pci_bind(self->bdf[1], NULL));
	EXPECT_GT(0, hot_reset(self->first.fd, &self->first.group, 1));
	must(pci_bind(self->bdf[1], DRV_VFIO_PCI));
	EXPECT_EQ(0, hot_reset(self->first.fd, &self->first.group, 1));
}

/* A function of the pair cannot be reset alone. */
TEST_F(pair, has_no_function_reset)
{
	bool can = vdev_info(&self->first).flags & VFIO_DEVICE_FLAGS_RESET;

	EXPECT_EQ(can ? 0 : -EINVAL, device_reset(&self->first));
}

/* ---- With an iommufd as the proof ---- */

FIXTURE(node_pair) {
	const char *bdf[2];
	int iommufd;
	int fd[2];
	uint32_t id[2];
};

FIXTURE_SETUP(node_pair)
{
	unsigned int i;

	NEED_NODES();
	self->bdf[0] = NEED_FUNC(FUNC_PAIR_0);
	self->bdf[1] = NEED_FUNC(FUNC_PAIR_1);
	self->iommufd = iommufd_open();
	for (i = 0; i < 2; i++) {
		must(pci_bind(self->bdf[i], DRV_VFIO_PCI));
		self->fd[i] = must(node_open("pci", self->bdf[i]));
		must(node_bind(self->fd[i], self->iommufd, &self->id[i]));
	}
}

FIXTURE_TEARDOWN(node_pair)
{
	sys_close(self->fd[0]);
	sys_close(self->fd[1]);
	sys_close(self->iommufd);
}

/* The IDs of both functions in the information of the first one */
static uint32_t pair_info(int fd, const char *bdf[static 2], int32_t id[static 2])
{
	struct vfio_pci_hot_reset_info *info = info_alloc();
	unsigned int i, j, found = 0;
	uint32_t flags;

	must(hot_reset_info(fd, info, MAX_DEVICES));
	for (i = 0; i < info->count; i++) {
		for (j = 0; j < 2; j++) {
			if (!names(&info->devices[i], bdf[j]))
				continue;
			id[j] = info->devices[i].devid;
			found++;
		}
	}
	if (found != 2)
		die("%u of the two functions are listed", found);
	flags = info->flags;
	free(info);
	return flags;
}

#define BY_ID	VFIO_PCI_HOT_RESET_FLAG_DEV_ID
#define OWNED	VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED

TEST_F(node_pair, is_reset_with_one_iommufd)
{
	int32_t id[2];

	EXPECT_EQ(BY_ID | OWNED, pair_info(self->fd[0], self->bdf, id));
	EXPECT_EQ(self->id[0], id[0]);
	EXPECT_EQ(self->id[1], id[1]);
	/* Device files do not count as groups. */
	EXPECT_EQ(-EINVAL, hot_reset(self->fd[0], self->fd, 1));
	EXPECT_EQ(0, hot_reset(self->fd[0], NULL, 0));
	EXPECT_EQ(0, hot_reset(self->fd[1], NULL, 0));
}

/* A closed function belongs to the iommufd that has its group. */
TEST_F(node_pair, is_reset_with_the_second_closed)
{
	int32_t id[2];
	int other = iommufd_open();

	sys_close(self->fd[1]);
	self->fd[1] = must(node_open("pci", self->bdf[1]));
	EXPECT_GT(0, node_bind(self->fd[1], other, NULL));
	sys_close(other);
	EXPECT_EQ(BY_ID | OWNED, pair_info(self->fd[0], self->bdf, id));
	EXPECT_EQ(self->id[0], id[0]);
	EXPECT_EQ(VFIO_PCI_DEVID_OWNED, id[1]);
	EXPECT_EQ(0, hot_reset(self->fd[0], NULL, 0));
}

/* igb drives the PF of the VF. */
TEST(node_of_a_vf_does_not_own_the_pf)
{
	struct vfio_pci_hot_reset_info *info = info_alloc();
	const char *pf = NEED_FUNC(FUNC_PF_A);
	struct vdev v;
	unsigned int i;
	int ret;

	NEED_NODES();
	vdev_open_node(&v, func_bdf(FUNC_VF_A1), DRV_VFIO_PCI);
	ret = hot_reset_info(v.fd, info, MAX_DEVICES);
	EXPECT_TRUE(!ret || ret == -ENODEV);
	for (i = 0; !ret && i < info->count; i++) {
		EXPECT_EQ(BY_ID, info->flags);
		if (names(&info->devices[i], pf))
			EXPECT_EQ(VFIO_PCI_DEVID_NOT_OWNED,
				  (int32_t)info->devices[i].devid);
	}
	EXPECT_GT(0, hot_reset(v.fd, NULL, 0));
	vdev_close(&v);
}

/*
 * VFs are in no common device set: a call on one never waits for another, and
 * the information of one VF lists the others as not owned.
 */
TEST(node_of_a_vf_does_not_own_other_vfs)
{
	const char *bdf[2] = { NEED_FUNC(FUNC_VF_A0), NEED_FUNC(FUNC_VF_A1) };
	struct vfio_pci_hot_reset_info *info = info_alloc();
	unsigned int i, found = 0;
	int iommufd, fd[2];

	NEED_NODES();
	iommufd = iommufd_open();
	for (i = 0; i < 2; i++) {
		must(pci_bind(bdf[i], DRV_VFIO_PCI));
		fd[i] = must(node_open("pci", bdf[i]));
		must(node_bind(fd[i], iommufd, NULL));
	}
	if (hot_reset_info(fd[1], info, MAX_DEVICES))
		SKIP(return, "the bus of the VFs cannot be reset");
	for (i = 0; i < info->count; i++) {
		if (!names(&info->devices[i], bdf[0]))
			continue;
		found++;
		EXPECT_EQ(VFIO_PCI_DEVID_NOT_OWNED,
			  (int32_t)info->devices[i].devid);
	}
	EXPECT_EQ(1, found);
	EXPECT_EQ(-EINVAL, hot_reset(fd[1], NULL, 0));
}

FIXTURE(vf) {
	struct vdev v;
};

FIXTURE_SETUP(vf)
{
	vdev_open(&self->v, NEED_FUNC(FUNC_VF_A1), DRV_VFIO_PCI);
}

FIXTURE_TEARDOWN(vf)
{
	vdev_close(&self->v);
}

TEST_F(vf, user_of_a_vf_cannot_reset_the_pf)
{
	struct vfio_pci_hot_reset_info *info = info_alloc();
	const char *pf = func_bdf(FUNC_PF_A);
	unsigned int i, found = 0;
	char driver[64];
	int ret;

	ret = hot_reset_info(self->v.fd, info, MAX_DEVICES);
	if (!ret) {
		for (i = 0; i < info->count; i++)
			found += names(&info->devices[i], pf);
		EXPECT_EQ(1, found);
	} else {
		EXPECT_EQ(-ENODEV, ret);
	}
	EXPECT_GT(0, hot_reset(self->v.fd, &self->v.group, 1));
	EXPECT_STREQ("igb", pci_driver(pf, driver));
	EXPECT_EQ(0, device_reset(&self->v));
}

FIXTURE(alone) {
	struct vdev v;
};

FIXTURE_SETUP(alone)
{
	vdev_open(&self->v, NEED_FUNC(FUNC_E1000E), DRV_VFIO_PCI);
}

FIXTURE_TEARDOWN(alone)
{
	vdev_close(&self->v);
}

/* A function behind its own root port is alone on its bus. */
TEST_F(alone, info_lists_itself)
{
	struct vfio_pci_hot_reset_info *info = info_alloc();

	ASSERT_EQ(0, hot_reset_info(self->v.fd, info, MAX_DEVICES));
	EXPECT_EQ(1, info->count);
	EXPECT_TRUE(names(&info->devices[0], self->v.bdf));
}

/*
 * The emulated port may not get its link up after the reset; the device works
 * in either case.
 */
TEST_F(alone, device_is_usable_after)
{
	uint32_t value;
	int ret;

	ret = hot_reset(self->v.fd, &self->v.group, 1);
	EXPECT_TRUE(ret == 0 || ret == -ENOTTY);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	EXPECT_EQ(4, region_read(&self->v, 0, 8, &value, 4));
	EXPECT_NE(0xffffffff, value);
}

TEST_HARNESS_MAIN
