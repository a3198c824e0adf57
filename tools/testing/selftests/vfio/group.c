// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups and containers: exclusive use, order of setup and release, and the
 * error of each wrong call.  type1_map.c tests mappings, device_removal.c
 * drivers that are unbound, vf_token.c tokens.
 */
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"
#include "iommu.h"
#include "kmsg.h"
#include "mock.h"
#include "test.h"

#define VIABLE		VFIO_GROUP_FLAGS_VIABLE
#define IN_CONTAINER	VFIO_GROUP_FLAGS_CONTAINER_SET
#define NAME_MAX_LEN	4096	/* a page: longest name of a device */

/*
 * Repeats a call until the log gives the reason of the refusal, as messages are
 * rate-limited.  Counts tries, as a busy machine may need longer for one try
 * than the rate limit lasts.
 */
#define told_until(cond) ({						\
	unsigned int __tries = 2000;					\
	bool __said;							\
									\
	while (!(__said = (cond)) && --__tries)				\
		sleep_us(10000);					\
	__said;								\
})

FIXTURE(group) {
	const char *bdf;
	int nr;
	int container;
	int group;
};

FIXTURE_SETUP(group)
{
	self->bdf = NEED_ANY_FUNC();
	must(pci_bind(self->bdf, DRV_VFIO_PCI));
	self->nr = pci_group(self->bdf);
	self->container = container_open();
	self->group = must(group_open(self->nr));
}

FIXTURE_TEARDOWN(group)
{
	sys_close(self->group);
	sys_close(self->container);
}

/* The group in the container, ready for GET_DEVICE_FD */
static void join(FIXTURE_DATA(group) *self)
{
	must(group_set_container(self->group, self->container));
	must(container_set_iommu(self->container, VFIO_TYPE1v2_IOMMU));
}

static uint32_t status(int group)
{
	uint32_t flags;

	must(group_status(group, &flags));
	return flags;
}

/* Can the device's identity be read? */
static bool device_works(int fd, const char *bdf)
{
	struct vdev v = { .bdf = bdf, .fd = fd };

	return cfg_read16(&v, PCI_VENDOR_ID) == pci_attr_number(bdf, "vendor");
}

/*
 * Is the function free?  Its driver can be unbound (which would wait for a user
 * for ever: the watchdog ends that), and it can be opened again.
 */
static bool is_released(const char *bdf)
{
	struct vdev v;

	if (pci_bind(bdf, NULL) || pci_bind(bdf, DRV_VFIO_PCI))
		return false;
	if (vdev_try_open(&v, bdf))
		return false;
	vdev_close(&v);
	return true;
}

/* Opening */

TEST_F(group, is_opened_once)
{
	int again;

	EXPECT_EQ(-EBUSY, group_open(self->nr));
	EXPECT_EQ(-EBUSY, group_open(self->nr));
	sys_close(self->group);
	self->group = group_open(self->nr);
	EXPECT_LE(0, self->group);

	/* A duplicate descriptor keeps the group open. */
	again = dup(self->group);
	sys_close(self->group);
	EXPECT_EQ(-EBUSY, group_open(self->nr));
	sys_close(again);
	self->group = group_open(self->nr);
	EXPECT_LE(0, self->group);
}

TEST_F(group, second_user_is_refused)
{
	int wstatus;
	pid_t child;

	child = fork();
	if (!child) {
		bool ok;

		/* Without the inherited descriptor */
		sys_close(self->group);
		ok = group_open(self->nr) == -EBUSY;
		_exit(ok ? 0 : 1);
	}
	ASSERT_EQ(child, waitpid(child, &wstatus, 0));
	EXPECT_EQ(0, wstatus);
	EXPECT_EQ(VIABLE, status(self->group));
}

static void *open_and_close(void *arg)
{
	static atomic_int users;
	int nr = *(int *)arg, i, fd;
	long bad = 0;

	for (i = 0; i < 300; i++) {
		fd = group_open(nr);
		if (fd == -EBUSY)
			continue;
		if (fd < 0 || atomic_fetch_add(&users, 1))
			bad++;
		atomic_fetch_sub(&users, 1);
		if (fd >= 0)
			sys_close(fd);
	}
	return (void *)bad;
}

TEST_F(group, is_opened_by_one_of_many_threads)
{
	pthread_t threads[4];
	unsigned int i;
	void *bad;

	sys_close(self->group);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, open_and_close,
					    &self->nr));
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], &bad);
		EXPECT_EQ(NULL, bad);
	}
	self->group = group_open(self->nr);
	EXPECT_LE(0, self->group);
}

/* A child can use it as well; the group is free when both have closed it. */
TEST_F(group, works_in_a_child_that_inherits_it)
{
	int go[2], wstatus, device;
	pid_t child;
	char c;

	join(self);
	device = must(group_get_device(self->group, self->bdf));
	ASSERT_EQ(0, pipe(go));
	child = fork();
	if (!child) {
		bool ok;

		sys_close(go[1]);
		sys_read(go[0], &c, 1);
		/* The parent has closed its descriptors by now. */
		ok = device_works(device, self->bdf) &&
		     status(self->group) == (VIABLE | IN_CONTAINER) &&
		     group_open(self->nr) == -EBUSY;
		_exit(ok ? 0 : 1);
	}
	sys_close(go[0]);
	sys_close(device);
	sys_close(self->group);
	sys_close(self->container);
	EXPECT_EQ(-EBUSY, group_open(self->nr));
	sys_close(go[1]);
	ASSERT_EQ(child, waitpid(child, &wstatus, 0));
	EXPECT_EQ(0, wstatus);
	EXPECT_TRUE(is_released(self->bdf));
	self->group = -1;
	self->container = -1;
}

/* GET_STATUS */

TEST_F(group, status_flags_follow_container)
{
	EXPECT_EQ(VIABLE, status(self->group));
	must(group_set_container(self->group, self->container));
	EXPECT_EQ(VIABLE | IN_CONTAINER, status(self->group));
	must(group_unset_container(self->group));
	EXPECT_EQ(VIABLE, status(self->group));
}

TEST_F(group, status_needs_full_argsz)
{
	struct vfio_group_status *arg = mem_at_page_end(sizeof(*arg));
	uint32_t size;

	for (size = 0; size < sizeof(*arg); size++) {
		*arg = (struct vfio_group_status){ .argsz = size };
		EXPECT_EQ(-EINVAL, sys_ioctl(self->group,
					     VFIO_GROUP_GET_STATUS, arg));
	}
	*arg = (struct vfio_group_status){
		.argsz = sizeof(*arg), .flags = 0xffffffff,
	};
	EXPECT_EQ(0, sys_ioctl(self->group, VFIO_GROUP_GET_STATUS, arg));
	EXPECT_EQ(VIABLE, arg->flags);
	arg->argsz = 4096;
	EXPECT_EQ(0, sys_ioctl(self->group, VFIO_GROUP_GET_STATUS, arg));
	EXPECT_EQ(-EFAULT, sys_ioctl(self->group, VFIO_GROUP_GET_STATUS,
				     NULL));
	EXPECT_EQ(-EFAULT, sys_ioctl(self->group, VFIO_GROUP_GET_STATUS,
				     (char *)arg + 4));
}

/* SET_CONTAINER, UNSET_CONTAINER */

TEST_F(group, set_container_refuses_other_files)
{
	int pair[2], closed = dup(0), i;
	int others[] = {
		must(sys_open("/dev/null", O_RDWR)),
		must(sys_open("/proc/self/status", O_RDONLY)),
		must(sys_open("/dev", O_RDONLY)),
		must(sys_open("/dev/vfio", O_RDONLY)),
		memfd_create("group", 0),
		eventfd(0, 0),
		self->group,
		-1, -1,
	};

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	others[7] = pair[0];
	ASSERT_EQ(0, pipe(pair));
	others[8] = pair[0];
	for (i = 0; i < ARRAY_SIZE(others); i++)
		EXPECT_EQ(-EBADFD, group_set_container(self->group,
						       others[i])) {
			TH_LOG("descriptor %d of the list", i);
		}
	sys_close(closed);
	EXPECT_EQ(-EBADF, group_set_container(self->group, closed));
	EXPECT_EQ(-EBADF, group_set_container(self->group, 0x7fffffff));
	EXPECT_EQ(-EBADF, group_set_container(self->group, -1));
	EXPECT_EQ(-EBADF, group_set_container(self->group, INT32_MIN));
	/* An O_PATH descriptor is not an open container. */
	EXPECT_EQ(-EBADF, group_set_container(self->group,
					      must(sys_open("/dev/vfio/vfio",
							    O_PATH))));
	EXPECT_EQ(-EFAULT, sys_ioctl(self->group, VFIO_GROUP_SET_CONTAINER,
				     NULL));
	EXPECT_EQ(VIABLE, status(self->group));
	EXPECT_EQ(0, group_set_container(self->group, self->container));
}

TEST_F(group, set_container_twice_is_refused)
{
	int other = container_open();

	ASSERT_EQ(0, group_set_container(self->group, self->container));
	EXPECT_EQ(-EINVAL, group_set_container(self->group, self->container));
	EXPECT_EQ(-EINVAL, group_set_container(self->group, other));
	ASSERT_EQ(0, container_set_iommu(self->container, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(-EINVAL, group_set_container(self->group, other));
	/* The group is still in the first container. */
	EXPECT_EQ(-EINVAL, container_set_iommu(other, VFIO_TYPE1v2_IOMMU));
	ASSERT_EQ(0, group_unset_container(self->group));
	EXPECT_EQ(0, group_set_container(self->group, other));
	EXPECT_EQ(0, container_set_iommu(other, VFIO_TYPE1v2_IOMMU));
	sys_close(other);
}

TEST_F(group, leaves_its_container)
{
	int device, again;

	EXPECT_EQ(-EINVAL, group_unset_container(self->group));
	join(self);
	device = must(group_get_device(self->group, self->bdf));
	again = must(group_get_device(self->group, self->bdf));
	EXPECT_EQ(-EBUSY, group_unset_container(self->group));
	EXPECT_EQ(VIABLE | IN_CONTAINER, status(self->group));
	sys_close(device);
	EXPECT_EQ(-EBUSY, group_unset_container(self->group));
	EXPECT_TRUE(device_works(again, self->bdf));
	sys_close(again);
	EXPECT_EQ(0, group_unset_container(self->group));
	EXPECT_EQ(-EINVAL, group_unset_container(self->group));
	EXPECT_EQ(-EINVAL, group_get_device(self->group, self->bdf));
}

/* A container that loses its last group is like new. */
TEST_F(group, last_one_clears_the_container)
{
	void *mem = mem_alloc(4096);
	int i;

	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-EINVAL, dma_map(self->container, 0x10000, mem,
					   4096));
		EXPECT_EQ(-EINVAL, container_set_iommu(self->container,
						       VFIO_TYPE1v2_IOMMU));
		must(group_set_container(self->group, self->container));
		EXPECT_EQ(-EINVAL, dma_map(self->container, 0x10000, mem,
					   4096));
		must(container_set_iommu(self->container, i % 2 ?
					 VFIO_TYPE1_IOMMU :
					 VFIO_TYPE1v2_IOMMU));
		/* No mapping of the last round is left. */
		EXPECT_EQ(0, dma_map(self->container, 0x10000, mem, 4096));
		must(group_unset_container(self->group));
	}
}

TEST_F(group, shares_a_container)
{
	const char *bdf = NEED_FUNC(FUNC_NVME);
	void *mem = mem_alloc(4096);
	int other, device;

	if (pci_group(bdf) == self->nr)
		SKIP(return, "only one group");
	join(self);
	other = container_add(self->container, bdf);
	EXPECT_EQ(0, dma_map(self->container, 0x10000, mem, 4096));
	device = must(group_get_device(other, bdf));
	/* A group opens its own devices only. */
	EXPECT_EQ(-ENODEV, group_get_device(other, self->bdf));
	EXPECT_EQ(-ENODEV, group_get_device(self->group, bdf));
	EXPECT_EQ(-EBUSY, group_unset_container(other));
	EXPECT_EQ(0, group_unset_container(self->group));
	EXPECT_TRUE(device_works(device, bdf));
	/* The other group keeps backend and mappings. */
	EXPECT_EQ(-EEXIST, dma_map(self->container, 0x10000, mem, 4096));
	EXPECT_EQ(0, group_set_container(self->group, self->container));
	EXPECT_EQ(VIABLE | IN_CONTAINER, status(self->group));
	EXPECT_TRUE(device_works(must(group_get_device(self->group,
						       self->bdf)),
				 self->bdf));
	sys_close(device);
	sys_close(other);
}

/* GET_DEVICE_FD */

TEST_F(group, opens_no_device_without_an_iommu)
{
	EXPECT_EQ(-EINVAL, group_get_device(self->group, self->bdf));
	must(group_set_container(self->group, self->container));
	/* The container has no IOMMU yet. */
	EXPECT_EQ(-EINVAL, group_get_device(self->group, self->bdf));
	must(container_set_iommu(self->container, VFIO_TYPE1v2_IOMMU));
	EXPECT_LE(0, group_get_device(self->group, self->bdf));
}

TEST_F(group, opens_devices_by_exact_name)
{
	static const struct {
		const char *before;
		int shorten;	/* characters taken from the function's name */
		const char *after;
		int error;
	} names[] = {
		{ "", BDF_LEN, "", ENODEV },
		{ "", BDF_LEN, "nothing", ENODEV },
		{ "", BDF_LEN, "ffff:ff:1f.7", ENODEV },
		{ " ", 0, "", ENODEV },
		{ "x", 0, "", ENODEV },
		{ "", 1, "", ENODEV },
		{ "", 2, "", ENODEV },
		{ "", 0, "0", ENODEV },
		{ "", 0, "\n", ENODEV },
		{ "", 0, "/", ENODEV },
		{ "", 0, " x", EINVAL },
		{ "", 0, " unknown=1", EINVAL },
	};
	char name[64];
	unsigned int i;

	join(self);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		int len = strlen(self->bdf) - names[i].shorten;

		snprintf(name, sizeof(name), "%s%.*s%s", names[i].before,
			 len < 0 ? 0 : len, self->bdf, names[i].after);
		EXPECT_EQ(-names[i].error, group_get_device(self->group,
							    name)) {
			TH_LOG("\"%s\"", name);
		}
	}
	EXPECT_EQ(-EFAULT, group_get_device(self->group, NULL));
	EXPECT_EQ(0, group_unset_container(self->group));
}

TEST_F(group, refuses_names_without_end)
{
	char *name = mem_alloc(3 * NAME_MAX_LEN), *end;
	size_t len = strlen(self->bdf);

	join(self);
	memset(name, 'a', 3 * NAME_MAX_LEN);
	EXPECT_EQ(-EINVAL, group_get_device(self->group, name));
	memcpy(name, self->bdf, len);
	EXPECT_EQ(-EINVAL, group_get_device(self->group, name));
	/* Blanks after the name are not an option. */
	memset(name + len, ' ', 3 * NAME_MAX_LEN - len);
	EXPECT_EQ(-EINVAL, group_get_device(self->group, name));
	name[NAME_MAX_LEN - 1] = '\0';
	EXPECT_LE(0, group_get_device(self->group, name));
	/* A string without a terminator before its memory ends */
	end = mem_at_page_end(len);
	memcpy(end, self->bdf, len);
	EXPECT_EQ(-EFAULT, group_get_device(self->group, end));
	/* A terminator in the last byte */
	end = mem_at_page_end(len + 1);
	memcpy(end, self->bdf, len + 1);
	EXPECT_LE(0, group_get_device(self->group, end));
}

/* Without a free descriptor, nothing is opened and nothing leaks. */
TEST_F(group, opens_nothing_without_a_free_descriptor)
{
	struct rlimit limit, none;
	unsigned int fds;
	int fd, i;

	join(self);
	must(getrlimit(RLIMIT_NOFILE, &limit));
	fd = dup(0);
	sys_close(fd);
	fds = count_open_fds();
	none = (struct rlimit){ .rlim_cur = fd, .rlim_max = limit.rlim_max };
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	for (i = 0; i < 10; i++)
		EXPECT_EQ(-EMFILE, group_get_device(self->group, self->bdf));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(fds, count_open_fds());
	/* This would fail if a device were still open. */
	EXPECT_EQ(0, group_unset_container(self->group));
	join(self);
	fd = group_get_device(self->group, self->bdf);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(device_works(fd, self->bdf));
	sys_close(fd);
	sys_close(self->group);
	EXPECT_TRUE(is_released(self->bdf));
	self->group = -1;
}

TEST_F(group, opens_the_same_device_again)
{
	struct vdev a = { .bdf = self->bdf }, b = { .bdf = self->bdf };
	int fds[50], i;

	join(self);
	a.fd = must(group_get_device(self->group, self->bdf));
	EXPECT_EQ(FD_CLOEXEC, fcntl(a.fd, F_GETFD));
	EXPECT_EQ(O_RDWR, fcntl(a.fd, F_GETFL) & O_ACCMODE);
	b.fd = must(group_get_device(self->group, self->bdf));
	EXPECT_NE(a.fd, b.fd);
	/* The second open does not reset the device. */
	cfg_write8(&a, PCI_INTERRUPT_LINE, 0x5a);
	EXPECT_EQ(0x5a, cfg_read8(&b, PCI_INTERRUPT_LINE));
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = must(group_get_device(self->group, self->bdf));
	EXPECT_EQ(0x5a, cfg_read8(&b, PCI_INTERRUPT_LINE));
	sys_close(a.fd);
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		sys_close(fds[i]);
	EXPECT_EQ(0x5a, cfg_read8(&b, PCI_INTERRUPT_LINE));
	EXPECT_EQ(-EBUSY, group_unset_container(self->group));
	sys_close(b.fd);
	EXPECT_EQ(0, group_unset_container(self->group));
}

/* SET_IOMMU and the container's other calls */

TEST_F(group, reports_api_version)
{
	EXPECT_EQ(VFIO_API_VERSION, sys_ioctl(self->container,
					      VFIO_GET_API_VERSION, NULL));
	join(self);
	EXPECT_EQ(VFIO_API_VERSION, sys_ioctl(self->container,
					      VFIO_GET_API_VERSION, NULL));
}

TEST_F(group, sets_known_iommu_types_once)
{
	static const int unknown[] = {
		0, VFIO_SPAPR_TCE_IOMMU, VFIO_DMA_CC_IOMMU, VFIO_EEH,
		VFIO_SPAPR_TCE_v2_IOMMU, VFIO_NOIOMMU_IOMMU, 11, 1000,
		INT32_MAX, INT32_MIN, -1,
	};
	unsigned int i;

	/* Without a group every type is refused. */
	EXPECT_EQ(-EINVAL, container_set_iommu(self->container,
					       VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(-EINVAL, container_set_iommu(self->container, 1000));
	must(group_set_container(self->group, self->container));
	for (i = 0; i < ARRAY_SIZE(unknown); i++)
		EXPECT_EQ(-ENODEV, container_set_iommu(self->container,
						       unknown[i])) {
			TH_LOG("type %d", unknown[i]);
		}
	/* Extensions that are not types */
	EXPECT_GT(0, container_set_iommu(self->container, VFIO_UNMAP_ALL));
	EXPECT_GT(0, container_set_iommu(self->container, VFIO_UPDATE_VADDR));
	EXPECT_EQ(-EINVAL, group_get_device(self->group, self->bdf));
	ASSERT_EQ(0, container_set_iommu(self->container, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(-EINVAL, container_set_iommu(self->container,
					       VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(-EINVAL, container_set_iommu(self->container,
					       VFIO_TYPE1_IOMMU));
	EXPECT_EQ(-EINVAL, container_set_iommu(self->container, 1000));
}

TEST_F(group, refuses_unknown_ioctls)
{
	static const unsigned int requests[] = {
		_IO(VFIO_TYPE, 0xff), _IO('x', 1), VFIO_DEVICE_GET_INFO,
		VFIO_DEVICE_RESET, 0, 0xffffffff,
	};
	char byte;
	int i;

	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		EXPECT_EQ(-EINVAL, sys_ioctl(self->container, requests[i],
					     NULL));
		EXPECT_EQ(-ENOTTY, sys_ioctl(self->group, requests[i], NULL));
	}
	EXPECT_EQ(-EINVAL, sys_ioctl(self->container, VFIO_IOMMU_GET_INFO,
				     NULL));
	EXPECT_EQ(-ENOTTY, sys_ioctl(self->group, VFIO_SET_IOMMU, NULL));
	join(self);
	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		EXPECT_EQ(-ENOTTY, sys_ioctl(self->container, requests[i],
					     NULL));
		EXPECT_EQ(-ENOTTY, sys_ioctl(self->group, requests[i], NULL));
	}
	/* Neither file can be read or written. */
	EXPECT_EQ(-EINVAL, sys_read(self->container, &byte, 1));
	EXPECT_EQ(-EINVAL, sys_write(self->container, &byte, 1));
	EXPECT_EQ(-EINVAL, sys_read(self->group, &byte, 1));
	EXPECT_EQ(-EINVAL, sys_write(self->group, &byte, 1));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED,
				   self->container, 0));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED,
				   self->group, 0));
}

/* For calls in the wrong order, the log says what is missing. */
TEST_F(group, wrong_order_is_explained)
{
	void *mem = mem_alloc(page_size());
	int log = kmsg_open(), device;

	if (stock_modules())
		SKIP(return, "the distribution's core is not tested");
	EXPECT_TRUE(told_until(group_get_device(self->group, self->bdf) < 0 &&
			       kmsg_said(log, "VFIO_GROUP_GET_DEVICE_FD",
					 "before VFIO_GROUP_SET_CONTAINER")));
	EXPECT_TRUE(told_until(group_unset_container(self->group) < 0 &&
			       kmsg_said(log, "VFIO_GROUP_UNSET_CONTAINER",
					 "in no container")));
	EXPECT_TRUE(told_until(container_set_iommu(self->container,
						   VFIO_TYPE1v2_IOMMU) < 0 &&
			       kmsg_said(log, "VFIO_SET_IOMMU",
					 "before VFIO_GROUP_SET_CONTAINER")));
	must(group_set_container(self->group, self->container));
	EXPECT_TRUE(told_until(group_get_device(self->group, self->bdf) < 0 &&
			       kmsg_said(log, "VFIO_GROUP_GET_DEVICE_FD",
					 "before VFIO_SET_IOMMU")));
	EXPECT_TRUE(told_until(dma_map(self->container, 0x10000, mem,
				       page_size()) < 0 &&
			       kmsg_said(log, "0x3b71",
					 "before VFIO_SET_IOMMU")));
	EXPECT_TRUE(told_until(container_set_iommu(self->container, 1000) < 0 &&
			       kmsg_said(log, "VFIO_SET_IOMMU", "type 1000")));
	must(container_set_iommu(self->container, VFIO_TYPE1v2_IOMMU));
	EXPECT_TRUE(told_until(container_set_iommu(self->container,
						   VFIO_TYPE1v2_IOMMU) < 0 &&
			       kmsg_said(log, "VFIO_SET_IOMMU",
					 "has its IOMMU already")));
	EXPECT_TRUE(told_until(group_set_container(self->group,
						   self->container) < 0 &&
			       kmsg_said(log, "VFIO_GROUP_SET_CONTAINER",
					 "it is in a container")));
	device = must(group_get_device(self->group, self->bdf));
	EXPECT_TRUE(told_until(group_unset_container(self->group) < 0 &&
			       kmsg_said(log, "VFIO_GROUP_UNSET_CONTAINER",
					 "1 of its devices are open")));
	sys_close(device);
}

/* The log and debugfs name the process that uses a device. */

static bool opener_is(const char *bdf, const char *name)
{
	char path[128], text[64];

	snprintf(path, sizeof(path), "/sys/kernel/debug/vfio/%s/opener", bdf);
	if (access("/sys/kernel/debug/vfio", F_OK))
		return true;	/* CONFIG_VFIO_DEBUGFS=n */
	must(file_read(path, text, sizeof(text)));
	return !strncmp(text, name, strlen(name)) &&
	       (!*name == !*text);
}

/* A process that has a BAR mapped and all files closed */
static void *map_a_bar(const struct vdev *v)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info), .index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	void *bar;

	must(sys_ioctl(v->fd, VFIO_DEVICE_GET_REGION_INFO, &info));
	bar = mmap(NULL, page_size(), PROT_READ, MAP_SHARED, v->fd,
		   info.offset);
	if (bar == MAP_FAILED)
		die("BAR 0 is not mapped: %s", strerror(errno));
	return bar;
}

static void interrupted(int sig)
{
}

TEST(user_is_named)
{
	const char *bdf = NEED_FUNC(FUNC_E1000E);
	struct sigaction action = { .sa_handler = interrupted };
	int log = kmsg_open(), nr;
	struct attr_writer remover;
	struct vdev v;
	char self[32];
	void *bar;

	if (stock_modules())
		SKIP(return, "the distribution's core is not tested");
	snprintf(self, sizeof(self), "(%d)", getpid());
	vdev_open(&v, bdf, DRV_VFIO_PCI);
	nr = pci_group(bdf);
	bar = map_a_bar(&v);
	vdev_close(&v);

	EXPECT_TRUE(told_until(group_open(nr) == -EBUSY &&
			       kmsg_said(log, "opened last by", self)));
	EXPECT_TRUE(opener_is(bdf, "group ("));
	writer_start(&remover, bdf, "driver/unbind", bdf);
	must(sigaction(SIGUSR1, &action, NULL));
	EXPECT_TRUE(told_until(!pthread_kill(remover.thread, SIGUSR1) &&
			       kmsg_said(log, bdf, self)));
	EXPECT_TRUE(writer_waits(&remover));
	must(munmap(bar, page_size()));
	EXPECT_EQ(0, writer_join(&remover));

	must(pci_bind(bdf, DRV_VFIO_PCI));
	EXPECT_TRUE(opener_is(bdf, ""));
}

/* Closing */

/* In any order, the last close releases everything. */
TEST_F(group, is_released_by_the_last_close)
{
	static const uint8_t orders[6][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 },
		{ 2, 0, 1 }, { 2, 1, 0 },
	};
	void *mem = mem_alloc(16 * 4096);
	long pinned = pages_pinned_now();
	unsigned int i;

	sys_close(self->group);
	sys_close(self->container);
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		const uint8_t *order = orders[i];
		struct vdev v;
		int *fds[] = { &v.container, &v.group, &v.fd };

		ASSERT_EQ(0, vdev_try_open(&v, self->bdf));
		ASSERT_EQ(0, dma_map(v.container, 0x10000, mem, 16 * 4096));
		sys_close(*fds[order[0]]);
		if (order[0] != 2)
			EXPECT_TRUE(device_works(v.fd, self->bdf));
		sys_close(*fds[order[1]]);
		if (order[2] == 2) {
			/* The device alone works, and keeps the group. */
			EXPECT_TRUE(device_works(v.fd, self->bdf));
			EXPECT_EQ(-EBUSY, group_open(self->nr));
			EXPECT_EQ(16, pages_pinned_now() - pinned);
		}
		sys_close(*fds[order[2]]);
		EXPECT_EQ(0, pages_pinned_now() - pinned);
		EXPECT_TRUE(is_released(self->bdf)) {
			TH_LOG("order %u %u %u", order[0], order[1], order[2]);
		}
	}
	self->group = -1;
	self->container = -1;
}

/* The driver is unbound while only the group is open. */
TEST_F(group, loses_its_function_while_open)
{
	uint32_t flags;

	join(self);
	ASSERT_EQ(0, pci_bind(self->bdf, NULL));
	EXPECT_EQ(-ENODEV, group_status(self->group, &flags));
	EXPECT_GT(0, group_get_device(self->group, self->bdf));
	EXPECT_GT(0, group_unset_container(self->group));
	EXPECT_EQ(-ENODEV, group_set_container(self->group, self->container));
	/* The container has no group any more. */
	EXPECT_EQ(-EINVAL, container_set_iommu(self->container,
					       VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(-ENOENT, group_open(self->nr));
	/* The function can be bound again while the old file is open. */
	EXPECT_TRUE(is_released(self->bdf));
	EXPECT_EQ(-ENODEV, group_status(self->group, &flags));
}

/* All calls at once, from independent threads */

struct hammer {
	pthread_t thread;
	FIXTURE_DATA(group) *self;
	unsigned int nr;
};

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	FIXTURE_DATA(group) *self = h->self;
	uint32_t flags;
	int i, fd;

	for (i = 0; i < 200; i++) {
		switch (h->nr % 4) {
		case 0:
			group_set_container(self->group, self->container);
			container_set_iommu(self->container,
					    VFIO_TYPE1v2_IOMMU);
			break;
		case 1:
			group_unset_container(self->group);
			group_status(self->group, &flags);
			break;
		default:
			fd = group_get_device(self->group, self->bdf);
			if (fd < 0)
				break;
			if (!device_works(fd, self->bdf))
				return (void *)1L;
			sys_close(fd);
		}
	}
	return NULL;
}

TEST_F(group, survives_concurrent_calls)
{
	struct hammer hammers[4];
	unsigned int i;
	void *bad;

	for (i = 0; i < ARRAY_SIZE(hammers); i++) {
		hammers[i] = (struct hammer){ .self = self, .nr = i };
		ASSERT_EQ(0, pthread_create(&hammers[i].thread, NULL, hammer,
					    &hammers[i]));
	}
	for (i = 0; i < ARRAY_SIZE(hammers); i++) {
		pthread_join(hammers[i].thread, &bad);
		EXPECT_EQ(NULL, bad);
	}
	if (status(self->group) & IN_CONTAINER)
		EXPECT_EQ(0, group_unset_container(self->group));
	sys_close(self->group);
	EXPECT_TRUE(is_released(self->bdf));
	self->group = -1;
}

/* Only a group that leaves a busy container has to wait. */

struct unmapper {
	pthread_t thread;
	int container;
	uint64_t iova;
	uint64_t size;
	int64_t ret;
};

static void *unmap(void *arg)
{
	struct unmapper *u = arg;

	u->ret = dma_unmap(u->container, u->iova, u->size);
	return NULL;
}

TEST(group_leaves_a_busy_container)
{
	const char *bdf = NEED_FUNC(FUNC_E1000E), *other = NEED_FUNC(FUNC_NVME);
	struct unmapper unmapper = { .iova = 0x10000, .size = page_size() };
	struct attr_writer remover;
	struct vdev v;
	int group;

	if (stock_modules())
		SKIP(return, "the distribution's core is not tested");
	NEED_MODULE("vfio_mock");
	must(pci_bind(other, NULL));
	mock_open(&v, VFIO_MIGRATION_STOP_COPY);
	group = container_add(v.container, bdf);
	unmapper.container = v.container;
	must(dma_map(v.container, unmapper.iova, mem_alloc(unmapper.size),
		     unmapper.size));
	ASSERT_EQ(1, mock_pin(&v, unmapper.iova, 1, NULL));

	mock_hold(&v, MOCK_HOLD_UNMAP);
	ASSERT_EQ(0, pthread_create(&unmapper.thread, NULL, unmap, &unmapper));
	ASSERT_TRUE(poll_until(mock_hold(&v, MOCK_HOLD_UNMAP) == 1));
	writer_start(&remover, bdf, "driver/unbind", bdf);
	EXPECT_TRUE(writer_waits(&remover));
	/* The group's node is gone while the removal waits. */
	EXPECT_TRUE(poll_until(group_open(pci_group(bdf)) == -ENOENT));
	EXPECT_EQ(0, pci_bind(other, DRV_VFIO_PCI));
	EXPECT_EQ(0, pci_bind(other, NULL));
	EXPECT_TRUE(writer_waits(&remover));

	mock_hold(&v, 0);
	pthread_join(unmapper.thread, NULL);
	EXPECT_EQ(unmapper.size, unmapper.ret);
	EXPECT_EQ(0, writer_join(&remover));
	EXPECT_GT(0, group_unset_container(group));
	sys_close(group);
	vdev_close(&v);
}

/* Two functions in one group */

#define NATIVE	"e1000"

FIXTURE(pair) {
	const char *bdf[2];
	int nr;
};

FIXTURE_SETUP(pair)
{
	self->bdf[0] = NEED_FUNC(FUNC_PAIR_0);
	self->bdf[1] = NEED_FUNC(FUNC_PAIR_1);
	self->nr = pci_group(self->bdf[0]);
	if (self->nr != pci_group(self->bdf[1]))
		SKIP(return, "the two functions are not in one group");
	if (shell("modprobe -q %s", NATIVE))
		SKIP(return, "no driver %s", NATIVE);
	must(pci_bind(self->bdf[0], DRV_VFIO_PCI));
}

FIXTURE_TEARDOWN(pair)
{
}

/* A group with a function of a host driver cannot be used. */
TEST_F(pair, is_not_viable_with_a_host_driver)
{
	int container = container_open(), group, log = kmsg_open();
	char driver[64];

	ASSERT_EQ(0, pci_bind(self->bdf[1], NATIVE));
	group = must(group_open(self->nr));
	EXPECT_EQ(0, status(group));
	EXPECT_EQ(-EPERM, group_set_container(group, container));
	EXPECT_EQ(0, status(group));
	/* The log names the device and its driver. */
	EXPECT_TRUE(told_until(!status(group) &&
			       kmsg_said(log, self->bdf[1],
					 "is bound to " NATIVE)));
	EXPECT_TRUE(told_until(group_set_container(group, container) &&
			       kmsg_said(log, self->bdf[1],
					 "is bound to " NATIVE)));
	EXPECT_EQ(-EINVAL, group_get_device(group, self->bdf[0]));
	EXPECT_EQ(-EINVAL, container_set_iommu(container,
					       VFIO_TYPE1v2_IOMMU));
	EXPECT_STREQ(NATIVE, pci_driver(self->bdf[1], driver));

	/* The group is viable when the host's driver is unbound. */
	ASSERT_EQ(0, pci_bind(self->bdf[1], NULL));
	EXPECT_EQ(VIABLE, status(group));
	EXPECT_EQ(0, group_set_container(group, container));
	EXPECT_EQ(0, container_set_iommu(container, VFIO_TYPE1v2_IOMMU));
	EXPECT_LE(0, group_get_device(group, self->bdf[0]));
	EXPECT_EQ(-ENODEV, group_get_device(group, self->bdf[1]));
}

/* A host driver cannot bind to a group that user space uses. */
TEST_F(pair, stays_viable)
{
	char driver[64];
	struct vdev v;
	int i;

	ASSERT_EQ(0, pci_bind(self->bdf[1], NULL));
	vdev_open(&v, self->bdf[0], DRV_VFIO_PCI);
	for (i = 0; i < 2; i++) {
		EXPECT_NE(0, pci_bind(self->bdf[1], NATIVE));
		EXPECT_STREQ("", pci_driver(self->bdf[1], driver));
		EXPECT_TRUE(device_works(v.fd, self->bdf[0]));
		if (!i) {
			/* A device file alone keeps the group in use. */
			sys_close(v.container);
			sys_close(v.group);
		}
	}
	sys_close(v.fd);
	EXPECT_EQ(0, pci_bind(self->bdf[1], NATIVE));
}

TEST_F(pair, opens_both_functions)
{
	int container = container_open(), group, fd[2];

	ASSERT_EQ(0, pci_bind(self->bdf[1], DRV_VFIO_PCI));
	group = container_add(container, self->bdf[0]);
	must(container_set_iommu(container, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(-EBUSY, group_open(self->nr));
	fd[0] = must(group_get_device(group, self->bdf[0]));
	fd[1] = must(group_get_device(group, self->bdf[1]));
	EXPECT_TRUE(device_works(fd[0], self->bdf[0]));
	EXPECT_TRUE(device_works(fd[1], self->bdf[1]));
	sys_close(fd[0]);
	EXPECT_EQ(-EBUSY, group_unset_container(group));
	/* Unbinding a closed function does not affect the other. */
	EXPECT_EQ(0, pci_bind(self->bdf[0], NULL));
	EXPECT_TRUE(device_works(fd[1], self->bdf[1]));
	EXPECT_EQ(-ENODEV, group_get_device(group, self->bdf[0]));
	EXPECT_EQ(0, pci_bind(self->bdf[0], DRV_VFIO_PCI));
	fd[0] = group_get_device(group, self->bdf[0]);
	EXPECT_LE(0, fd[0]);
	sys_close(container);
	sys_close(group);
	sys_close(fd[1]);
	EXPECT_TRUE(device_works(fd[0], self->bdf[0]));
	EXPECT_EQ(-EBUSY, group_open(self->nr));
	sys_close(fd[0]);
	EXPECT_TRUE(is_released(self->bdf[0]));
	EXPECT_TRUE(is_released(self->bdf[1]));
}

TEST_HARNESS_MAIN
