// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that are opened by their nodes and bound to an iommufd, and how nodes
 * and groups exclude each other.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "test.h"
#include "device.h"
#include "iommu.h"
#include "kmsg.h"
#include "migration.h"
#include "mock.h"
#include "move.h"
#include "nic.h"
#include "node.h"

/* A function with vfio-pci, its node open and not bound to an iommufd */
FIXTURE(node) {
	const char *bdf;
	int iommufd;
	int fd;
};

FIXTURE_SETUP(node)
{
	NEED_NODES();
	self->bdf = NEED_FUNC(FUNC_E1000E);
	must(pci_bind(self->bdf, DRV_VFIO_PCI));
	self->iommufd = iommufd_open();
	self->fd = must(node_open("pci", self->bdf));
}

FIXTURE_TEARDOWN(node)
{
	sys_close(self->fd);
	sys_close(self->iommufd);
}

static int device_works(int fd, const char *bdf)
{
	struct vdev v = { .bdf = bdf, .fd = fd };

	return cfg_read16(&v, PCI_VENDOR_ID) == 0x8086;
}

TEST_F(node, cannot_be_used_before_bind)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct vfio_device_feature_migration migration;
	uint32_t pt = 1;
	char byte;

	EXPECT_EQ(-EINVAL, sys_ioctl(self->fd, VFIO_DEVICE_GET_INFO, &info));
	EXPECT_EQ(-EINVAL, sys_ioctl(self->fd, VFIO_DEVICE_RESET, NULL));
	EXPECT_EQ(-EINVAL, feature(self->fd, VFIO_DEVICE_FEATURE_GET |
				   VFIO_DEVICE_FEATURE_MIGRATION, &migration,
				   sizeof(migration)));
	EXPECT_EQ(-EINVAL, node_attach(self->fd, &pt));
	EXPECT_EQ(-EINVAL, node_detach(self->fd));
	EXPECT_EQ(-EINVAL, sys_pread(self->fd, &byte, 1, 0));
	EXPECT_EQ(-EINVAL, sys_pwrite(self->fd, &byte, 1, 0));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, page_size(), PROT_READ, MAP_SHARED,
				   self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(0, node_bind(self->fd, self->iommufd, NULL));
	EXPECT_EQ(0, sys_ioctl(self->fd, VFIO_DEVICE_GET_INFO, &info));
	EXPECT_TRUE(device_works(self->fd, self->bdf));
}

TEST_F(node, bind_refuses_bad_arguments)
{
	struct vfio_device_bind_iommufd good = {
		.argsz = sizeof(good),
		.iommufd = self->iommufd,
	}, bad, *read_only;
	int null = must(sys_open("/dev/null", O_RDWR)), group;

	bad = good;
	bad.argsz = offsetof(struct vfio_device_bind_iommufd,
			     token_uuid_ptr) - 1;
	EXPECT_EQ(-EINVAL, sys_ioctl(self->fd, VFIO_DEVICE_BIND_IOMMUFD, &bad));
	bad = good;
	bad.flags = 2;
	EXPECT_EQ(-EINVAL, sys_ioctl(self->fd, VFIO_DEVICE_BIND_IOMMUFD, &bad));
	EXPECT_EQ(-EINVAL, node_bind(self->fd, -1, NULL));
	EXPECT_EQ(-EBADF, node_bind(self->fd, 9999, NULL));
	EXPECT_EQ(-EBADFD, node_bind(self->fd, null, NULL));
	EXPECT_EQ(-EBADFD, node_bind(self->fd, self->fd, NULL));
	EXPECT_EQ(-EFAULT, sys_ioctl(self->fd, VFIO_DEVICE_BIND_IOMMUFD, NULL));

	/* The answer cannot be copied out: the bind is undone. */
	read_only = mem_alloc(page_size());
	*read_only = good;
	must(mprotect(read_only, page_size(), PROT_READ));
	EXPECT_EQ(-EFAULT, sys_ioctl(self->fd, VFIO_DEVICE_BIND_IOMMUFD,
				     read_only));

	/* Failed binds leave nothing behind: the group can be opened. */
	group = group_open(pci_group(self->bdf));
	EXPECT_LE(0, group);
	sys_close(group);
	EXPECT_EQ(0, node_bind(self->fd, self->iommufd, NULL));
	EXPECT_TRUE(device_works(self->fd, self->bdf));
}

TEST_F(node, has_one_user)
{
	int second = must(node_open("pci", self->bdf));
	int iommufd = iommufd_open();

	EXPECT_EQ(0, node_bind(self->fd, self->iommufd, NULL));
	EXPECT_EQ(-EINVAL, node_bind(self->fd, self->iommufd, NULL));
	EXPECT_EQ(-EINVAL, node_bind(second, self->iommufd, NULL));
	EXPECT_EQ(-EINVAL, node_bind(second, iommufd, NULL));
	sys_close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, node_bind(second, iommufd, NULL));
	EXPECT_TRUE(device_works(second, self->bdf));
	sys_close(second);
	sys_close(iommufd);
}

TEST_F(node, excludes_the_group)
{
	int group = must(group_open(pci_group(self->bdf)));

	EXPECT_EQ(-EBUSY, node_bind(self->fd, self->iommufd, NULL));
	sys_close(group);
	EXPECT_EQ(0, node_bind(self->fd, self->iommufd, NULL));
	EXPECT_EQ(-EBUSY, group_open(pci_group(self->bdf)));
	sys_close(self->fd);
	self->fd = -1;
	group = group_open(pci_group(self->bdf));
	EXPECT_LE(0, group);
	sys_close(group);
}

/* A device file of a group can be neither bound nor attached. */
TEST_F(node, has_ioctls_of_its_own)
{
	uint32_t pt = ioas_alloc(self->iommufd, false);
	struct vdev v;

	vdev_open(&v, self->bdf, DRV_VFIO_PCI);
	EXPECT_GT(0, node_bind(v.fd, self->iommufd, NULL));
	EXPECT_EQ(-ENOTTY, node_attach(v.fd, &pt));
	EXPECT_EQ(-ENOTTY, node_detach(v.fd));
	vdev_close(&v);
}

TEST_F(node, is_attached_and_detached)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
	}, *read_only;
	struct vfio_device_detach_iommufd_pt detach = {
		.argsz = sizeof(detach),
	};
	uint32_t ioas[2], pt, id;
	unsigned int i;

	ASSERT_EQ(0, node_bind(self->fd, self->iommufd, &id));
	EXPECT_LT(0, id);
	for (i = 0; i < 2; i++)
		ioas[i] = ioas_alloc(self->iommufd, false);

	pt = ~0;
	EXPECT_GT(0, node_attach(self->fd, &pt));
	pt = id;	/* not an I/O address space */
	EXPECT_GT(0, node_attach(self->fd, &pt));
	attach.pt_id = ioas[0];
	attach.flags = 2;
	EXPECT_EQ(-EINVAL, sys_ioctl(self->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
				     &attach));
	attach.flags = 0;
	attach.argsz = offsetof(struct vfio_device_attach_iommufd_pt,
				pasid) - 1;
	EXPECT_EQ(-EINVAL, sys_ioctl(self->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
				     &attach));
	attach.argsz = sizeof(attach);
	read_only = mem_alloc(page_size());
	*read_only = attach;
	must(mprotect(read_only, page_size(), PROT_READ));
	EXPECT_EQ(-EFAULT, sys_ioctl(self->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
				     read_only));
	detach.flags = 2;
	EXPECT_EQ(-EINVAL, sys_ioctl(self->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT,
				     &detach));
	detach.flags = 0;
	detach.argsz = offsetof(struct vfio_device_detach_iommufd_pt,
				pasid) - 1;
	EXPECT_EQ(-EINVAL, sys_ioctl(self->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT,
				     &detach));
	EXPECT_EQ(0, node_detach(self->fd));

	/* Attach, then replace; the kernel returns the hardware page table. */
	pt = ioas[0];
	EXPECT_EQ(0, node_attach(self->fd, &pt));
	EXPECT_NE(ioas[0], pt);
	pt = ioas[1];
	EXPECT_EQ(0, node_attach(self->fd, &pt));
	EXPECT_NE(ioas[1], pt);
	EXPECT_EQ(0, node_detach(self->fd));
	EXPECT_EQ(0, node_detach(self->fd));
	pt = ioas[0];
	EXPECT_EQ(0, node_attach(self->fd, &pt));
	/* The close detaches it. */
}

/* A device without PASIDs, or a kernel without them */
TEST_F(node, pasid_refused)
{
	/* 0 stands for the device itself; a PASID has 20 bits. */
	static const uint32_t no_pasid[] = { 0, 1U << 31, 0xffffffea, ~0U };
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.flags = VFIO_DEVICE_ATTACH_PASID,
		.pasid = 1,
	};
	struct vfio_device_detach_iommufd_pt detach = {
		.argsz = sizeof(detach),
		.flags = VFIO_DEVICE_DETACH_PASID,
		.pasid = 1,
	};
	unsigned int i;
	uint32_t pt;

	ASSERT_EQ(0, node_bind(self->fd, self->iommufd, NULL));
	pt = attach.pt_id = ioas_alloc(self->iommufd, false);
	for (i = 0; i < ARRAY_SIZE(no_pasid); i++) {
		attach.pasid = no_pasid[i];
		detach.pasid = no_pasid[i];
		EXPECT_EQ(-EINVAL, sys_ioctl(self->fd,
					     VFIO_DEVICE_ATTACH_IOMMUFD_PT,
					     &attach));
		EXPECT_EQ(-EINVAL, sys_ioctl(self->fd,
					     VFIO_DEVICE_DETACH_IOMMUFD_PT,
					     &detach));
	}
	attach.pasid = 1;
	detach.pasid = 1;
	EXPECT_GT(0, sys_ioctl(self->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
			       &attach));
	/* That has not changed the device's own attachment. */
	EXPECT_EQ(0, node_attach(self->fd, &pt));
	attach.argsz = offsetof(struct vfio_device_attach_iommufd_pt, pasid);
	EXPECT_EQ(-EINVAL, sys_ioctl(self->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
				     &attach));
	detach.argsz = offsetof(struct vfio_device_detach_iommufd_pt, pasid);
	EXPECT_EQ(-EINVAL, sys_ioctl(self->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT,
				     &detach));
	EXPECT_EQ(0, node_detach(self->fd));
}

TEST_F(node, goes_with_its_driver)
{
	struct attr_writer writer;
	char path[512];
	int request;
	struct vdev v = { .bdf = self->bdf, .fd = self->fd };

	must(node_path("pci", self->bdf, path, sizeof(path)));
	ASSERT_EQ(0, node_bind(self->fd, self->iommufd, NULL));
	request = request_eventfd_new(&v);
	writer_start(&writer, self->bdf, "driver/unbind", self->bdf);
	EXPECT_LE(1, eventfd_wait(request));
	EXPECT_TRUE(writer_waits(&writer));
	/* New opens fail; the open file keeps working. */
	EXPECT_TRUE(poll_until(access(path, F_OK)));
	EXPECT_TRUE(device_works(self->fd, self->bdf));
	sys_close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, writer_join(&writer));
}

/* Does /proc/self/fdinfo name this function for @fd? */
static bool fdinfo_names(int fd, const char *bdf)
{
	char link[128], want[PATH_MAX], path[64], line[PATH_MAX + 64];
	static const char key[] = "vfio-device-syspath: ";
	bool found = false;
	FILE *file;

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s", bdf);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	if (!realpath(link, want) || !file)
		die("no %s, or no %s", link, path);
	while (!found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		found = !strncmp(line, key, strlen(key)) &&
			!strcmp(line + strlen(key), want);
	}
	fclose(file);
	return found;
}

/* Before and after the bind */
TEST_F(node, fdinfo_names_the_device)
{
	EXPECT_TRUE(fdinfo_names(self->fd, self->bdf));
	ASSERT_EQ(0, node_bind(self->fd, self->iommufd, NULL));
	EXPECT_TRUE(fdinfo_names(self->fd, self->bdf));
}

TEST(fdinfo_names_the_device_of_a_group)
{
	struct vdev v;

	vdev_open(&v, NEED_FUNC(FUNC_E1000E), DRV_VFIO_PCI);
	EXPECT_TRUE(fdinfo_names(v.fd, v.bdf));
	vdev_close(&v);
}

/* ---- VFs ---- */

FIXTURE(vf_node) {
	struct vdev a;
	struct vdev b;
	struct nic nic;
	struct peer peer_a;
	struct peer peer_b;
};

FIXTURE_SETUP(vf_node)
{
	const char *a = NEED_FUNC(FUNC_VF_A0), *b = NEED_FUNC(FUNC_VF_B0);

	NEED_NODES();
	NEED_MODULE(DRV_IGBVF_VFIO);
	vdev_open_node(&self->a, a, DRV_IGBVF_VFIO);
	vdev_open_node(&self->b, b, DRV_IGBVF_VFIO);
	nic_alloc(&self->nic);
	peer_open(&self->peer_a, func_bdf(FUNC_PF_A));
	peer_open(&self->peer_b, func_bdf(FUNC_PF_B));
	nic_attach(&self->nic, &self->a);
	nic_up(&self->nic);
}

FIXTURE_TEARDOWN(vf_node)
{
	vdev_close(&self->a);
	vdev_close(&self->b);
}

TEST_F(vf_node, sends_and_receives)
{
	nic_ping_pong(&self->nic, &self->peer_b);
}

/*
 * The IOMMU does not track what the VF writes to memory, so a migration would
 * lose it: the VF cannot be saved.  It can be stopped and loaded.
 */
TEST_F(vf_node, is_not_saved_without_a_tracker)
{
	static const struct {
		uint32_t from, to, stays;
	} saves[] = {
		{ RUNNING, PRE_COPY, RUNNING },
		{ RUNNING_P2P, PRE_COPY_P2P, RUNNING_P2P },
		{ RUNNING, PRE_COPY_P2P, RUNNING_P2P },
		{ STOP, STOP_COPY, STOP },
		{ RUNNING, STOP_COPY, STOP },
	};
	int log = kmsg_open(), fd;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(saves); i++) {
		must(mig_set(self->a.fd, saves[i].from, NULL));
		EXPECT_EQ(-EOPNOTSUPP, mig_set(self->a.fd, saves[i].to, &fd));
		EXPECT_EQ(-1, fd);
		EXPECT_EQ(saves[i].stays, mig_get(self->a.fd));
		must(mig_set(self->a.fd, RUNNING, NULL));
	}
	EXPECT_TRUE(kmsg_said(log, self->a.bdf, "bound to an iommufd"));
	sys_close(log);
	nic_ping_pong(&self->nic, &self->peer_b);
}

TEST_F(vf_node, is_loaded)
{
	struct nic *nic = &self->nic;

	/* Saving works with a container, which reports all memory as dirty. */
	nic_detach(nic);
	reopen(&self->a);
	nic_attach(nic, &self->a);
	nic_up(nic);
	nic_ping_pong(nic, &self->peer_b);
	move(nic, &self->a, &self->b);
	vdev_close(&self->a);
	nic_ping_pong(nic, &self->peer_a);
}

/* The address space is replaced while the VF runs. */
TEST_F(vf_node, runs_on_in_another_address_space)
{
	uint32_t ioas = ioas_alloc(self->a.container, false), pt = ioas;

	must(ioas_map(self->a.container, ioas, NIC_IOVA, self->nic.mem,
		      NIC_MEM));
	nic_ping_pong(&self->nic, &self->peer_b);
	ASSERT_EQ(0, node_attach(self->a.fd, &pt));
	must(dma_unmap(self->a.container, NIC_IOVA, NIC_MEM));
	nic_ping_pong(&self->nic, &self->peer_b);
}

/* ---- An iommufd in place of a container ---- */

TEST(group_works_in_an_iommufd)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0);
	int iommufd, null, unused;
	struct peer peer;
	struct nic nic;
	struct vdev v;
	uint32_t flags;

	NEED_NODES();
	iommufd = iommufd_open();
	null = must(sys_open("/dev/null", O_RDWR));
	unused = must(container_add(iommufd, bdf));
	EXPECT_EQ(-EINVAL, group_set_container(unused, iommufd));
	must(group_status(unused, &flags));
	EXPECT_EQ(VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET,
		  flags);
	EXPECT_EQ(0, group_unset_container(unused));
	EXPECT_EQ(-EINVAL, group_unset_container(unused));
	EXPECT_EQ(-EBADFD, group_set_container(unused, null));
	sys_close(unused);

	/* The iommufd implements type1's ioctls. */
	vdev_open_in(&v, bdf, DRV_VFIO_PCI, iommufd);
	EXPECT_EQ(-EBUSY, group_unset_container(v.group));
	nic_alloc(&nic);
	peer_open(&peer, func_bdf(FUNC_PF_B));
	nic_attach(&nic, &v);
	nic_up(&nic);
	nic_ping_pong(&nic, &peer);
	vdev_close(&v);
	sys_close(iommufd);
}

TEST(vf_in_an_iommufd_is_not_saved)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0);
	struct vdev v;
	int iommufd;

	NEED_NODES();
	NEED_MODULE(DRV_IGBVF_VFIO);
	iommufd = iommufd_open();
	vdev_open_in(&v, bdf, DRV_IGBVF_VFIO, iommufd);
	EXPECT_EQ(-EOPNOTSUPP, mig_set(v.fd, PRE_COPY, NULL));
	EXPECT_EQ(-EOPNOTSUPP, mig_set(v.fd, STOP_COPY, NULL));
	EXPECT_EQ(STOP, mig_get(v.fd));
	vdev_close(&v);
	sys_close(iommufd);
}

/* ---- Devices without DMA ---- */

#define IOVA	(1ULL << 20)

FIXTURE(mock_node) {
	struct vdev v;
	uint32_t ioas;
	uint8_t *mem;
	size_t size;
};

FIXTURE_SETUP(mock_node)
{
	uint32_t pt;

	NEED_NODES();
	NEED_MODULE("vfio_mock");
	self->v = (struct vdev){
		.bdf = "vfio_mock.1", .container = iommufd_open(), .group = -1,
	};
	self->v.fd = must(node_open("platform", self->v.bdf));
	must(node_bind(self->v.fd, self->v.container, NULL));
	pt = self->ioas = ioas_alloc(self->v.container, false);
	must(node_attach(self->v.fd, &pt));
	self->size = 8 * page_size();
	self->mem = mem_alloc(self->size);
	*(uint64_t *)(self->mem + 3 * page_size()) = 0x1003;
	must(ioas_map(self->v.container, self->ioas, IOVA, self->mem,
		      self->size));
}

FIXTURE_TEARDOWN(mock_node)
{
	vdev_close(&self->v);
}

TEST_F(mock_node, pins_and_unpins)
{
	uint64_t first[MOCK_PIN_MAX];
	struct mock_events events;

	ASSERT_EQ(2, mock_pin(&self->v, IOVA + 3 * page_size(), 2, first));
	EXPECT_EQ(0x1003, first[0]);
	mock_unpin(&self->v, IOVA + 3 * page_size(), 2);
	EXPECT_GT(0, mock_pin(&self->v, IOVA + self->size, 1, NULL));

	ASSERT_EQ(4, mock_pin(&self->v, IOVA, 4, NULL));
	ASSERT_EQ(0, ioas_unmap(self->v.container, self->ioas, IOVA,
				self->size));
	events = mock_events(&self->v);
	EXPECT_LE(1, events.unmaps);
	EXPECT_GT(0, mock_pin(&self->v, IOVA, 1, NULL));
}

TEST_F(mock_node, reads_and_writes_memory)
{
	uint8_t data[64];

	memset(data, 0x5a, sizeof(data));
	ASSERT_EQ(0, mock_dma(&self->v, IOVA + page_size() - 32, data, 64,
			      true));
	EXPECT_EQ(0, memcmp(self->mem + page_size() - 32, data, 64));
	self->mem[page_size()] = 1;
	ASSERT_EQ(0, mock_dma(&self->v, IOVA + page_size() - 32, data, 64,
			      false));
	EXPECT_EQ(1, data[32]);
	EXPECT_GT(0, mock_dma(&self->v, IOVA - 32, data, 64, false));
	EXPECT_GT(0, mock_dma(&self->v, IOVA + self->size - 32, data, 64,
			      true));
}

TEST_F(mock_node, unpins_on_close_and_detach)
{
	long pins = pages_pinned_now();
	uint32_t pt = self->ioas;

	ASSERT_EQ(4, mock_pin(&self->v, IOVA, 4, NULL));
	ASSERT_EQ(0, node_detach(self->v.fd));
	EXPECT_GT(0, mock_pin(&self->v, IOVA, 1, NULL));
	ASSERT_EQ(0, node_attach(self->v.fd, &pt));
	ASSERT_EQ(4, mock_pin(&self->v, IOVA, 4, NULL));
	vdev_close(&self->v);
	EXPECT_EQ(pins, pages_pinned_now());
}

/* An ioctl of a node, in a thread, with its argument in slow memory */
struct slow_ioctl {
	pthread_t thread;
	int fd;
	unsigned long request;
	void *arg;
	long ret;
};

static void *slow_ioctl(void *arg)
{
	struct slow_ioctl *slow = arg;

	slow->ret = sys_ioctl(slow->fd, slow->request, slow->arg);
	return NULL;
}

static void *mock_page(const struct vdev *v)
{
	void *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
			  v->fd, 0);

	if (page == MAP_FAILED)
		die("no mapping of the mock device: %s", strerror(errno));
	return page;
}

/*
 * Starts the ioctl with a copy of @arg in the page of the mock device, and
 * waits until the kernel's write to that page blocks.
 */
static void slow_ioctl_start(struct slow_ioctl *slow, const struct vdev *v,
			     int fd, unsigned long request, const void *arg,
			     size_t size)
{
	void *page = mock_page(v);

	memcpy(page, arg, size);
	must(munmap(page, page_size()));
	*slow = (struct slow_ioctl){
		.fd = fd, .request = request, .arg = mock_page(v),
	};
	mock_hold(v, MOCK_HOLD_WRITE);
	if (pthread_create(&slow->thread, NULL, slow_ioctl, slow))
		die("no thread");
	if (!poll_until(mock_hold(v, MOCK_HOLD_WRITE) == 1))
		die("the kernel does not write to the argument");
}

static long slow_ioctl_end(struct slow_ioctl *slow, const struct vdev *v)
{
	mock_hold(v, 0);
	pthread_join(slow->thread, NULL);
	return slow->ret;
}

/* Other devices of the device set do not wait for this user's memory. */
TEST_F(mock_node, slow_memory_blocks_no_other_user)
{
	const char *bdf = NEED_FUNC(FUNC_E1000E);
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
	};
	int iommufd = iommufd_open(), fd, other;
	struct slow_ioctl slow;

	must(pci_bind(bdf, DRV_VFIO_PCI));
	fd = must(node_open("pci", bdf));
	other = must(node_open("pci", bdf));
	bind.iommufd = iommufd;
	attach.pt_id = ioas_alloc(iommufd, false);

	slow_ioctl_start(&slow, &self->v, fd, VFIO_DEVICE_BIND_IOMMUFD, &bind,
			 sizeof(bind));
	EXPECT_EQ(-EINVAL, node_bind(other, iommufd, NULL));
	EXPECT_EQ(-EINVAL, sys_ioctl(fd, VFIO_DEVICE_RESET, NULL));
	EXPECT_EQ(0, slow_ioctl_end(&slow, &self->v));
	EXPECT_NE(0, ((struct vfio_device_bind_iommufd *)slow.arg)->out_devid);
	EXPECT_TRUE(device_works(fd, bdf));

	slow_ioctl_start(&slow, &self->v, fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
			 &attach, sizeof(attach));
	EXPECT_EQ(-EINVAL, node_bind(other, iommufd, NULL));
	EXPECT_EQ(0, slow_ioctl_end(&slow, &self->v));
	EXPECT_NE(attach.pt_id,
		  ((struct vfio_device_attach_iommufd_pt *)slow.arg)->pt_id);
	EXPECT_EQ(0, node_detach(fd));
	sys_close(fd);
	EXPECT_EQ(0, node_bind(other, iommufd, NULL));
	sys_close(other);
	sys_close(iommufd);
}

TEST_F(mock_node, migrates)
{
	EXPECT_EQ(0, mig_set(self->v.fd, STOP_COPY, NULL));
	EXPECT_EQ(STOP_COPY, mig_get(self->v.fd));
}

TEST_HARNESS_MAIN
