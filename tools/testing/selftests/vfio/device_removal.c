// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removal of drivers and devices: modules in use cannot be unloaded, the
 * removal of an open device asks its user and waits, an unused device is
 * removed at once.
 *
 * No time is measured: tests check that the removal still waits as long as the
 * device is open, and ends after the close.
 */
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"
#include "iommu.h"
#include "test.h"

#define TYPE1	"vfio_iommu_type1"

static bool device_works(struct vdev *v)
{
	return cfg_read16(v, PCI_VENDOR_ID) ==
	       pci_attr_number(v->bdf, "vendor");
}

FIXTURE(module) {
	const char *bdf;
	struct vdev v;
};

FIXTURE_SETUP(module)
{
	self->bdf = NEED_ANY_FUNC();
	vdev_open(&self->v, self->bdf, DRV_VFIO_PCI);
}

FIXTURE_TEARDOWN(module)
{
	vdev_close(&self->v);
}

/* Modules that are in use */

TEST_F(module, stays_for_an_open_device)
{
	static const char names[][20] = {
		"vfio_pci", "vfio_pci_core", TYPE1, "vfio",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		EXPECT_EQ(-EWOULDBLOCK, module_unload(names[i])) {
			TH_LOG("%s", names[i]);
		}
		EXPECT_TRUE(module_loaded(names[i]));
	}
	EXPECT_TRUE(device_works(&self->v));
	/* The device is the only user that the driver has. */
	EXPECT_EQ(1, module_refcount("vfio_pci"));
	/* The device file alone keeps the modules in use. */
	sys_close(self->v.container);
	sys_close(self->v.group);
	self->v.shared = true;
	self->v.group = -1;
	for (i = 0; i < ARRAY_SIZE(names); i++)
		EXPECT_EQ(-EWOULDBLOCK, module_unload(names[i])) {
			TH_LOG("%s", names[i]);
		}
	EXPECT_TRUE(device_works(&self->v));
	vdev_close(&self->v);
	EXPECT_EQ(0, module_refcount("vfio_pci"));
	EXPECT_EQ(0, module_refcount(TYPE1));
}

TEST_F(module, stays_for_an_open_container)
{
	int container, group;

	vdev_close(&self->v);
	ASSERT_EQ(0, module_refcount(TYPE1));
	container = container_open();
	EXPECT_EQ(0, module_refcount(TYPE1));
	/* An open container uses vfio. */
	EXPECT_EQ(-EWOULDBLOCK, module_unload("vfio"));
	group = container_add(container, self->bdf);
	EXPECT_EQ(0, module_refcount(TYPE1));
	must(container_set_iommu(container, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(1, module_refcount(TYPE1));
	EXPECT_EQ(-EWOULDBLOCK, module_unload(TYPE1));
	sys_close(container);
	EXPECT_EQ(1, module_refcount(TYPE1));
	EXPECT_EQ(-EWOULDBLOCK, module_unload(TYPE1));
	sys_close(group);
	EXPECT_EQ(0, module_refcount(TYPE1));
}

/* Failed calls leave no reference to a module. */
TEST_F(module, errors_leave_no_reference)
{
	long before = module_refcount("vfio_pci");
	int i;

	for (i = 0; i < 20; i++) {
		EXPECT_GT(0, group_open(pci_group(self->bdf)));
		EXPECT_EQ(-EINVAL, container_set_iommu(self->v.container,
						       VFIO_TYPE1v2_IOMMU));
		EXPECT_EQ(-ENODEV, group_get_device(self->v.group, "none"));
		EXPECT_EQ(-EFAULT, group_get_device(self->v.group, NULL));
	}
	EXPECT_EQ(before, module_refcount("vfio_pci"));
	EXPECT_EQ(1, module_refcount(TYPE1));
	vdev_close(&self->v);
	EXPECT_EQ(0, module_refcount("vfio_pci"));
	EXPECT_EQ(0, module_refcount(TYPE1));
}

TEST_F(module, backend_is_unloaded_below_a_container)
{
	int container, group;

	vdev_close(&self->v);
	container = container_open();
	group = container_add(container, self->bdf);
	ASSERT_EQ(0, module_unload(TYPE1));
	EXPECT_EQ(0, container_has(container, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(-ENODEV, container_set_iommu(container,
					       VFIO_TYPE1v2_IOMMU));
	module_load(TYPE1);
	EXPECT_EQ(1, container_has(container, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(0, container_set_iommu(container, VFIO_TYPE1v2_IOMMU));
	EXPECT_LE(0, group_get_device(group, self->bdf));
	sys_close(container);
	sys_close(group);
}

/* An open group does not hold the driver. */
TEST_F(module, driver_leaves_an_open_group)
{
	int container = container_open(), group;
	char driver[64];
	uint32_t flags;

	vdev_close(&self->v);
	group = container_add(container, self->bdf);
	must(container_set_iommu(container, VFIO_TYPE1v2_IOMMU));
	/* vfio-pci-core may have other users; vfio-pci has none. */
	ASSERT_EQ(0, module_unload("vfio_pci"));
	EXPECT_STREQ("", pci_driver(self->bdf, driver));
	EXPECT_EQ(-ENODEV, group_status(group, &flags));
	EXPECT_GT(0, group_get_device(group, self->bdf));
	EXPECT_EQ(-EWOULDBLOCK, module_unload("vfio"));
	module_load("vfio-pci");
	/* The driver_override is still set. */
	EXPECT_STREQ(DRV_VFIO_PCI, pci_driver(self->bdf, driver));
	sys_close(group);
	sys_close(container);
	vdev_open(&self->v, self->bdf, DRV_VFIO_PCI);
	EXPECT_TRUE(device_works(&self->v));
}

/* Devices that are in use */

TEST_F(module, unbind_waits_for_the_user)
{
	int request = request_eventfd_new(&self->v);
	struct attr_writer w;
	char driver[64];

	writer_start(&w, self->bdf, "driver/unbind", self->bdf);
	EXPECT_LE(1, eventfd_wait(request));
	EXPECT_TRUE(writer_waits(&w));
	/* The device works until it is closed. */
	EXPECT_TRUE(device_works(&self->v));
	EXPECT_EQ(0, dma_map(self->v.container, 0x10000, mem_alloc(4096),
			     4096));
	EXPECT_TRUE(writer_waits(&w));
	vdev_close(&self->v);
	EXPECT_EQ(0, writer_join(&w));
	EXPECT_STREQ("", pci_driver(self->bdf, driver));
}

/* New opens fail during the wait, which lasts until the last file is closed. */
TEST_F(module, unbind_waits_for_every_file)
{
	int fds[3], request, i;
	struct attr_writer w;

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = must(group_get_device(self->v.group, self->bdf));
	request = request_eventfd_new(&self->v);
	writer_start(&w, self->bdf, "driver/unbind", self->bdf);
	EXPECT_LE(1, eventfd_wait(request));
	EXPECT_EQ(-ENODEV, group_get_device(self->v.group, self->bdf));
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		sys_close(fds[i]);
		EXPECT_TRUE(writer_waits(&w));
	}
	EXPECT_TRUE(device_works(&self->v));
	EXPECT_EQ(-ENODEV, group_get_device(self->v.group, self->bdf));
	sys_close(self->v.fd);
	self->v.fd = -1;
	EXPECT_EQ(0, writer_join(&w));
}

/* Unbind waits also for a user without a request eventfd. */
TEST_F(module, unbind_waits_for_a_user_without_request_eventfd)
{
	struct attr_writer w;

	writer_start(&w, self->bdf, "driver/unbind", self->bdf);
	/* The unbind has begun when new opens fail. */
	EXPECT_TRUE(poll_until(({
		int fd = group_get_device(self->v.group, self->bdf);

		if (fd >= 0)
			sys_close(fd);
		fd == -ENODEV;
	})));
	EXPECT_TRUE(writer_waits(&w));
	EXPECT_TRUE(device_works(&self->v));
	vdev_close(&self->v);
	EXPECT_EQ(0, writer_join(&w));
}

/* The process that unbinds is killed: the device stays usable. */
TEST_F(module, killed_unbind_leaves_the_device_usable)
{
	int request = request_eventfd_new(&self->v), status;
	pid_t child;

	child = fork();
	if (!child) {
		/* Only the parent uses the device. */
		sys_close(self->v.fd);
		sys_close(self->v.group);
		sys_close(self->v.container);
		pci_attr_write(self->bdf, "driver/unbind", self->bdf);
		_exit(0);
	}
	EXPECT_LE(1, eventfd_wait(request));
	EXPECT_EQ(0, kill(child, SIGKILL));
	EXPECT_TRUE(device_works(&self->v));
	vdev_close(&self->v);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	/* The function works however far the unbind came. */
	vdev_open(&self->v, self->bdf, DRV_VFIO_PCI);
	EXPECT_TRUE(device_works(&self->v));
}

/* The user is killed with the device open. */
TEST_F(module, unbind_ends_when_the_user_is_killed)
{
	int status, said[2];
	struct attr_writer w;
	pid_t child;
	char c;

	vdev_close(&self->v);
	ASSERT_EQ(0, pipe(said));
	child = fork();
	if (!child) {
		struct vdev v;

		must(vdev_try_open(&v, self->bdf));
		must(dma_map(v.container, 0x10000, mem_alloc(4096), 4096));
		must(sys_write(said[1], "!", 1));
		for (;;)
			pause();
	}
	ASSERT_EQ(1, sys_read(said[0], &c, 1));
	writer_start(&w, self->bdf, "driver/unbind", self->bdf);
	EXPECT_TRUE(writer_waits(&w));
	EXPECT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, writer_join(&w));
}

TEST_F(module, binds_and_opens_without_leaks)
{
	long vfio = module_refcount("vfio"), pins = pages_pinned_now();
	unsigned int fds, i;

	vdev_close(&self->v);
	fds = count_open_fds();
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, pci_bind(self->bdf, NULL));
		vdev_open(&self->v, self->bdf, DRV_VFIO_PCI);
		ASSERT_TRUE(device_works(&self->v));
		ASSERT_EQ(0, dma_map(self->v.container, 0x10000,
				     mem_alloc(4096), 4096));
		vdev_close(&self->v);
	}
	EXPECT_EQ(fds, count_open_fds());
	EXPECT_EQ(pins, pages_pinned_now());
	EXPECT_EQ(0, module_refcount("vfio_pci"));
	EXPECT_EQ(0, module_refcount(TYPE1));
	/* The first count includes the fixture's open device. */
	EXPECT_GE(vfio, module_refcount("vfio"));
}

/* An open that races with unbind either fails or gets a working device. */

struct opener {
	pthread_t thread;
	const char *bdf;
	atomic_bool *stop;
	unsigned int opened;
	unsigned int broken;
};

static void *open_often(void *arg)
{
	struct opener *o = arg;
	struct vdev v;

	while (!atomic_load(o->stop)) {
		if (vdev_try_open(&v, o->bdf)) {
			sched_yield();
			continue;
		}
		o->opened++;
		if (!device_works(&v))
			o->broken++;
		vdev_close(&v);
	}
	return NULL;
}

TEST_F(module, open_during_unbind_fails_or_works)
{
	struct opener openers[2];
	atomic_bool stop = false;
	unsigned int i;

	vdev_close(&self->v);
	for (i = 0; i < ARRAY_SIZE(openers); i++) {
		openers[i] = (struct opener){
			.bdf = self->bdf, .stop = &stop,
		};
		ASSERT_EQ(0, pthread_create(&openers[i].thread, NULL,
					    open_often, &openers[i]));
	}
	for (i = 0; i < 15; i++) {
		EXPECT_EQ(0, pci_bind(self->bdf, NULL));
		EXPECT_EQ(0, pci_bind(self->bdf, DRV_VFIO_PCI));
	}
	atomic_store(&stop, true);
	for (i = 0; i < ARRAY_SIZE(openers); i++) {
		pthread_join(openers[i].thread, NULL);
		EXPECT_EQ(0, openers[i].broken);
	}
	vdev_open(&self->v, self->bdf, DRV_VFIO_PCI);
	EXPECT_TRUE(device_works(&self->v));
}

/* Functions that are removed from the machine */

static void open_and_close(struct __test_metadata *_metadata, const char *bdf)
{
	struct vdev v;

	vdev_open(&v, bdf, DRV_VFIO_PCI);
	EXPECT_TRUE(device_works(&v));
	vdev_close(&v);
}

/* Writes @text to @attr of @owner, which removes @bdf, open until then. */
static void remove_open_device(struct __test_metadata *_metadata,
			       const char *bdf, const char *owner,
			       const char *attr, const char *text)
{
	struct attr_writer w;
	struct vdev v;
	int request;

	vdev_open(&v, bdf, DRV_VFIO_PCI);
	request = request_eventfd_new(&v);
	writer_start(&w, owner, attr, text);
	EXPECT_LE(1, eventfd_wait(request));
	EXPECT_TRUE(writer_waits(&w));
	EXPECT_TRUE(device_works(&v));
	vdev_close(&v);
	EXPECT_EQ(0, writer_join(&w));
	EXPECT_FALSE(pci_exists(bdf));
}

TEST(removal_of_a_function_waits_for_its_user)
{
	const char *bdf = NEED_FUNC(FUNC_E1000E);

	remove_open_device(_metadata, bdf, bdf, "remove", "1");
	EXPECT_EQ(0, file_write("/sys/bus/pci/rescan", "1"));
	ASSERT_TRUE(pci_exists(bdf));
	open_and_close(_metadata, bdf);
}

TEST(removal_of_vfs_waits_for_their_users)
{
	const char *pf = NEED_FUNC(FUNC_PF_A), *bdf = NEED_FUNC(FUNC_VF_A1);

	remove_open_device(_metadata, bdf, pf, "sriov_numvfs", "0");
	EXPECT_EQ(0, pf_make_vfs(pf, 2));
	ASSERT_TRUE(pci_exists(bdf));
	open_and_close(_metadata, bdf);
}

/* Displays: the host's console and the VGA arbiter */

/* What the adapter decodes, from the VGA arbiter: "io+mem", "none" */
static void vga_state(const char *bdf, char *decodes, size_t size)
{
	char text[1024], *at, *end;
	int fd = must(sys_open("/dev/vga_arbiter", O_RDWR));
	ssize_t ret;

	snprintf(text, sizeof(text), "target PCI:%s", bdf);
	must(sys_write(fd, text, strlen(text)));
	ret = must(sys_read(fd, text, sizeof(text) - 1));
	text[ret] = '\0';
	at = strstr(text, "decodes=");
	if (!at || !strstr(text, bdf))
		die("%s: the arbiter says: %s", bdf, text);
	at += strlen("decodes=");
	end = strchrnul(at, ',');
	snprintf(decodes, size, "%.*s", (int)(end - at), at);
	sys_close(fd);
}

/* Is a VGA console bound? */
static bool vga_console_is_bound(void)
{
	char path[64], text[64];
	unsigned int i;

	for (i = 0; i < 16; i++) {
		snprintf(path, sizeof(path),
			 "/sys/class/vtconsole/vtcon%u/name", i);
		if (file_read(path, text, sizeof(text)) < 0 ||
		    !strstr(text, "VGA"))
			continue;
		snprintf(path, sizeof(path),
			 "/sys/class/vtconsole/vtcon%u/bind", i);
		if (file_read(path, text, sizeof(text)) > 0 && text[0] == '1')
			return true;
	}
	return false;
}

TEST(display_is_taken_from_the_host)
{
	const char *bdf = NEED_FUNC(FUNC_VGA);
	char decodes[32];
	struct vdev v;

	vga_state(bdf, decodes, sizeof(decodes));
	EXPECT_STREQ("io+mem", decodes);
	vdev_open(&v, bdf, DRV_VFIO_PCI);
	EXPECT_TRUE(device_works(&v));
	EXPECT_FALSE(vga_console_is_bound());
	vga_state(bdf, decodes, sizeof(decodes));
	EXPECT_STREQ("none", decodes);
	vdev_close(&v);
	ASSERT_EQ(0, pci_bind(bdf, NULL));
	vga_state(bdf, decodes, sizeof(decodes));
	EXPECT_STREQ("io+mem", decodes);
}

/* All modules are unloaded, and loaded again. */
TEST(all_modules_unload_and_load)
{
	/* In order of dependency */
	static const char * const names[] = {
		"vfio_mock", "igbvf_vfio_pci", "vfio_pci_migration",
		"vfio_migration", "vfio_pci", "vfio_pci_core", TYPE1, "vfio",
	};
	static const char * const funcs[] = {
		FUNC_VF_A0, FUNC_VF_A1, FUNC_VF_B0, FUNC_VF_B1, FUNC_E1000E,
		FUNC_NVME, FUNC_PAIR_0, FUNC_PAIR_1,
	};
	const char *bdf = NEED_ANY_FUNC(), *mock = getenv("VFIO_TEST_MODULE");
	bool was_loaded[ARRAY_SIZE(names)];
	char driver[64];
	struct vdev v;
	int i;

	must(pci_bind(bdf, DRV_VFIO_PCI));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		was_loaded[i] = module_loaded(names[i]);
		if (!was_loaded[i])
			continue;
		EXPECT_EQ(0, module_unload(names[i])) {
			TH_LOG("%s", names[i]);
		}
		EXPECT_FALSE(module_loaded(names[i]));
	}
	for (i = 0; i < ARRAY_SIZE(funcs); i++) {
		if (!func_bdf(funcs[i]))
			continue;
		/* No function is still bound to one of them. */
		pci_driver(func_bdf(funcs[i]), driver);
		EXPECT_EQ(NULL, strstr(driver, "vfio"));
	}
	EXPECT_NE(0, access("/sys/class/vfio", F_OK));
	EXPECT_NE(0, access("/sys/class/vfio-dev", F_OK));
	EXPECT_NE(0, access("/sys/class/misc/vfio", F_OK));
	EXPECT_GT(0, sys_open("/dev/vfio/vfio", O_RDWR));

	module_load("vfio-pci");
	/* The backend is loaded as a soft dependency. */
	EXPECT_TRUE(module_loaded(TYPE1));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (!was_loaded[i] || module_loaded(names[i]))
			continue;
		/* Modules that are not loaded as dependencies */
		if (strcmp(names[i], "vfio_mock"))
			module_load(names[i]);
		else if (mock)
			EXPECT_EQ(0, shell("insmod %s", mock));
	}
	EXPECT_STREQ(DRV_VFIO_PCI, pci_driver(bdf, driver));
	vdev_open(&v, bdf, DRV_VFIO_PCI);
	EXPECT_TRUE(device_works(&v));
	vdev_close(&v);
}

TEST_HARNESS_MAIN
