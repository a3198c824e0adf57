// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_DEVICE_FEATURE_DMA_BUF: parts of a BAR for other devices.  What is
 * refused, which addresses an importer gets, and that it has unmapped them
 * before the device's memory is turned off.  dmabuf_importer.ko imports; it is
 * built for kernels on which vfio-pci has the feature, on others all is skipped.
 * On a kernel that has all that the feature needs, it must be there.
 */
#include <fcntl.h>
#include <libgen.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "device.h"
#include "dmabuf_importer.h"
#include "iommu.h"
#include "test.h"

#define PAGE	4096ULL
#define GET	(VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF)
#define SET	(VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_BUF)
#define PROBE	VFIO_DEVICE_FEATURE_PROBE

#define D3HOT		3
#define REVOCABLE	(IMPORTER_P2P | IMPORTER_REVOCABLE)

/* Linux 7.3 or later, with CONFIG_VFIO_PCI_DMABUF: it depends on P2PDMA alone. */
static bool kernel_has_all(void)
{
	unsigned int major, minor;
	struct utsname name;

	must(uname(&name));
	if (sscanf(name.release, "%u.%u", &major, &minor) != 2)
		die("what version is %s?", name.release);
	return (major > 7 || (major == 7 && minor >= 3)) &&
	       !shell("grep -qw pcim_p2pdma_provider /proc/kallsyms");
}

/* Where the importer is; NULL if this kernel lacks what the feature needs. */
static const char *importer_ko(void)
{
	const char *module = getenv("VFIO_TEST_MODULE");
	static char path[256];
	char *dir;

	if (!module || stock_modules())
		return NULL;
	dir = strdup(module);
	snprintf(path, sizeof(path), "%s/dmabuf_importer.ko", dirname(dir));
	free(dir);
	if (!access(path, R_OK))
		return path;
	if (kernel_has_all())
		die("no %s", path);
	return NULL;
}

#define NEED_IMPORTER() ({						\
	const char *__ko = importer_ko();				\
									\
	if (!__ko)							\
		SKIP(return, "this kernel's vfio-pci exports no dma-bufs");\
	__ko;								\
})

FIXTURE(dmabuf) {
	struct vdev v;
	const char *bdf;
	int importer;
};

FIXTURE_VARIANT(dmabuf) {
	const char *func;
	bool is_vf;	/* its memory cannot be turned off */
};

FIXTURE_VARIANT_ADD(dmabuf, vf) {
	.func = FUNC_VF_A1, .is_vf = true,
};

FIXTURE_VARIANT_ADD(dmabuf, e1000e) {
	.func = FUNC_E1000E,
};

FIXTURE_VARIANT_ADD(dmabuf, nvme) {
	.func = FUNC_NVME,
};

FIXTURE_SETUP(dmabuf)
{
	const char *ko = NEED_IMPORTER();

	self->bdf = NEED_FUNC(variant->func);
	if (!module_loaded("dmabuf_importer") && shell("insmod %s", ko))
		die("%s cannot be loaded", ko);
	self->importer = must(sys_open("/dev/dmabuf_importer", O_RDWR));
	vdev_open(&self->v, self->bdf, DRV_VFIO_PCI);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
}

FIXTURE_TEARDOWN(dmabuf)
{
	sys_close(self->importer);
	vdev_close(&self->v);
	EXPECT_EQ(0, module_unload("dmabuf_importer"));
}

/* ---- The exporter ---- */

struct request {
	uint32_t region;
	uint32_t open_flags;
	uint32_t flags;
	uint32_t nr_ranges;
	struct vfio_region_dma_range ranges[2];
};

/* A file descriptor or -errno.  @payload: bytes, of which @ranges are the end. */
static int get_ranges(const struct vdev *v, uint32_t op,
		      const struct request *r, size_t payload,
		      const struct vfio_region_dma_range *ranges)
{
	const size_t head = sizeof(struct vfio_device_feature_dma_buf);
	struct vfio_device_feature_dma_buf *get;
	struct vfio_device_feature *arg;
	int ret;

	arg = calloc(1, sizeof(*arg) + (payload > head ? payload : head));
	arg->argsz = sizeof(*arg) + payload;
	arg->flags = op;
	get = (void *)arg->data;
	get->region_index = r->region;
	get->open_flags = r->open_flags;
	get->flags = r->flags;
	get->nr_ranges = r->nr_ranges;
	if (payload > head)
		memcpy(get->dma_ranges, ranges, payload - head);
	ret = sys_ioctl(v->fd, VFIO_DEVICE_FEATURE, arg);
	free(arg);
	return ret;
}

static int get_dmabuf(const struct vdev *v, const struct request *r)
{
	return get_ranges(v, GET, r, sizeof(struct vfio_device_feature_dma_buf) +
			  r->nr_ranges * sizeof(r->ranges[0]), r->ranges);
}

/* One page of BAR0 */
static int get_page(const struct vdev *v)
{
	const struct request r = {
		.open_flags = O_RDWR | O_CLOEXEC,
		.nr_ranges = 1,
		.ranges = { { 0, PAGE } },
	};

	return must(get_dmabuf(v, &r));
}

TEST_F(dmabuf, bad_ranges_are_refused)
{
	const uint64_t size = vdev_region(&self->v, 0).size;
	const struct vfio_region_dma_range bad[][2] = {
		{ { 0, 0 } },
		{ { 0, PAGE / 2 } },
		{ { 0, PAGE + 1 } },
		{ { 1, PAGE } },
		{ { PAGE / 2, PAGE } },
		{ { size, PAGE } },
		{ { size - PAGE, 2 * PAGE } },
		{ { 0, size + PAGE } },
		{ { -PAGE, PAGE } },
		{ { -PAGE, 2 * PAGE } },
		{ { PAGE, -PAGE } },
		{ { 0, 1ULL << 63 } },
		/* The second, and the sum */
		{ { 0, PAGE }, { 0, 0 } },
		{ { 0, PAGE }, { size, PAGE } },
		{ { 0, 1ULL << 63 }, { 0, 1ULL << 63 } },
		{ { 0, -PAGE }, { 0, 2 * PAGE } },
		/* Together longer than the BAR */
		{ { 0, size }, { 0, PAGE } },
		{ { 0, PAGE }, { 0, size } },
	};
	struct request r = {};
	unsigned int i, fds = count_open_fds();

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		memcpy(r.ranges, bad[i], sizeof(r.ranges));
		r.nr_ranges = i < 12 ? 1 : 2;
		EXPECT_EQ(-EINVAL, get_dmabuf(&self->v, &r)) {
			TH_LOG("row %u", i);
		}
	}
	EXPECT_EQ(fds, count_open_fds());
}

TEST_F(dmabuf, bad_requests_are_refused)
{
	const size_t one = sizeof(struct vfio_device_feature_dma_buf) +
			   sizeof(struct vfio_region_dma_range);
	const struct request good = {
		.nr_ranges = 1, .ranges = { { 0, PAGE } },
	};
	static const uint32_t regions[] = {
		VFIO_PCI_ROM_REGION_INDEX, VFIO_PCI_CONFIG_REGION_INDEX,
		VFIO_PCI_VGA_REGION_INDEX, 9, 1000, 0xffffffff,
	};
	unsigned int i, fds = count_open_fds();
	const struct vdev *v = &self->v;
	struct request r = good;

	for (i = 0; i < ARRAY_SIZE(regions); i++) {
		r.region = regions[i];
		EXPECT_EQ(-EINVAL, get_dmabuf(v, &r));
	}
	/* BARs that cannot be mapped */
	for (i = 0; i < 6; i++) {
		r.region = i;
		if (!(vdev_region(v, i).flags & VFIO_REGION_INFO_FLAG_MMAP))
			EXPECT_EQ(-EINVAL, get_dmabuf(v, &r));
	}
	r = good;
	r.flags = 1;
	EXPECT_EQ(-EINVAL, get_dmabuf(v, &r));
	r = good;
	r.open_flags = O_RDWR | O_NONBLOCK;
	EXPECT_EQ(-EINVAL, get_dmabuf(v, &r));
	r.open_flags = 0x80000000;
	EXPECT_EQ(-EINVAL, get_dmabuf(v, &r));
	r = good;
	r.nr_ranges = 0;
	EXPECT_EQ(-EINVAL, get_ranges(v, GET, &r, one, r.ranges));
	/* The payload has fewer ranges than it says */
	r.nr_ranges = 2;
	EXPECT_EQ(-EINVAL, get_ranges(v, GET, &r, one, r.ranges));
	r.nr_ranges = 0xffffffff;
	EXPECT_EQ(-EINVAL, get_ranges(v, GET, &r, one, r.ranges));
	EXPECT_EQ(-EINVAL, get_ranges(v, GET, &good, one - 1, r.ranges));
	EXPECT_EQ(-EINVAL, get_ranges(v, GET, &good, 4, r.ranges));
	EXPECT_EQ(-EINVAL, get_ranges(v, GET, &good, 0, r.ranges));
	/* It can only be got */
	EXPECT_EQ(-EINVAL, get_ranges(v, SET, &good, one, good.ranges));
	EXPECT_EQ(-EINVAL, get_ranges(v, VFIO_DEVICE_FEATURE_DMA_BUF, &good,
				      one, good.ranges));
	EXPECT_EQ(-EINVAL, get_ranges(v, PROBE | SET, &good, one, good.ranges));
	EXPECT_EQ(0, get_ranges(v, PROBE | GET, &good, one, good.ranges));
	EXPECT_EQ(0, get_ranges(v, PROBE | GET, &good, 0, good.ranges));
	EXPECT_EQ(fds, count_open_fds());
}

/* @n times the same page: ranges may overlap, but not add up to more than BAR0. */
static int get_page_times(const struct vdev *v, unsigned int n)
{
	const size_t head = sizeof(struct vfio_device_feature_dma_buf);
	const struct request r = { .nr_ranges = n };
	struct vfio_region_dma_range *ranges;
	unsigned int i;
	int ret;

	ranges = calloc(n, sizeof(*ranges));
	for (i = 0; i < n; i++)
		ranges[i].length = PAGE;
	ret = get_ranges(v, GET, &r, head + n * sizeof(*ranges), ranges);
	free(ranges);
	return ret;
}

TEST_F(dmabuf, number_of_ranges_is_limited)
{
	const uint64_t size = vdev_region(&self->v, 0).size;
	int fd;

	EXPECT_EQ(-EINVAL, get_page_times(&self->v, size / PAGE + 1));
	fd = get_page_times(&self->v, size / PAGE);
	ASSERT_LE(0, fd);
	EXPECT_EQ(size, lseek(fd, 0, SEEK_END));
	sys_close(fd);
}

TEST_F(dmabuf, inaccessible_payload_is_refused)
{
	const size_t head = sizeof(struct vfio_device_feature) +
			    sizeof(struct vfio_device_feature_dma_buf);
	struct vfio_device_feature *arg = mem_at_page_end(head);
	struct vfio_device_feature_dma_buf *get = (void *)arg->data;

	arg->argsz = head + sizeof(struct vfio_region_dma_range);
	arg->flags = GET;
	get->nr_ranges = 1;
	EXPECT_EQ(-EFAULT, sys_ioctl(self->v.fd, VFIO_DEVICE_FEATURE, arg));
	arg = mem_at_page_end(sizeof(*arg));
	arg->argsz = head;
	arg->flags = GET;
	EXPECT_EQ(-EFAULT, sys_ioctl(self->v.fd, VFIO_DEVICE_FEATURE, arg));
}

TEST_F(dmabuf, file_is_as_asked_for)
{
	struct request r = {
		.open_flags = O_RDWR,
		.nr_ranges = 2,
		.ranges = { { PAGE, 2 * PAGE }, { 0, PAGE } },
	};
	int fd;

	fd = get_dmabuf(&self->v, &r);
	ASSERT_LE(0, fd);
	EXPECT_EQ(3 * PAGE, lseek(fd, 0, SEEK_END));
	EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(0, fcntl(fd, F_GETFD) & FD_CLOEXEC);
	/* The device's own file is there for that. */
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	sys_close(fd);

	r.open_flags = O_RDONLY | O_CLOEXEC;
	fd = get_dmabuf(&self->v, &r);
	ASSERT_LE(0, fd);
	EXPECT_EQ(O_RDONLY, fcntl(fd, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD) & FD_CLOEXEC);
	sys_close(fd);
}

/* ---- The importer ---- */

static int attach(FIXTURE_DATA(dmabuf) *self, int fd, uint32_t flags)
{
	struct importer_attach args = { .fd = fd, .flags = flags };
	unsigned int slot, function;

	if (sscanf(self->bdf, "%x:%x:%x.%x", &args.domain, &args.bus, &slot,
		   &function) != 4)
		die("%s is no PCI function", self->bdf);
	args.devfn = slot << 3 | function;
	return sys_ioctl(self->importer, IMPORTER_ATTACH, &args);
}

static int map(FIXTURE_DATA(dmabuf) *self, struct importer_map *map)
{
	return sys_ioctl(self->importer, IMPORTER_MAP, map);
}

static struct importer_state state(FIXTURE_DATA(dmabuf) *self)
{
	struct importer_state s;

	must(sys_ioctl(self->importer, IMPORTER_STATE, &s));
	return s;
}

/* A page of BAR0, attached and mapped */
static int get_mapped(FIXTURE_DATA(dmabuf) *self, uint32_t flags)
{
	int fd = get_page(&self->v);
	struct importer_map m;

	must(attach(self, fd, flags));
	must(map(self, &m));
	return fd;
}

static uint64_t bar0_address(const char *bdf)
{
	char text[1024];

	must(pci_attr_read(bdf, "resource", text, sizeof(text)));
	return strtoull(text, NULL, 16);
}

/*
 * The function itself imports: no bridge or IOMMU is between the two, and the
 * addresses are those of the BAR.
 */
TEST_F(dmabuf, importer_gets_the_addresses)
{
	const struct request r = {
		.nr_ranges = 2,
		.ranges = { { PAGE, 2 * PAGE }, { 0, PAGE } },
	};
	const uint64_t bar = bar0_address(self->bdf);
	struct importer_map m;
	int fd;

	fd = get_dmabuf(&self->v, &r);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, attach(self, fd, REVOCABLE));
	ASSERT_EQ(0, map(self, &m));
	ASSERT_EQ(2, m.count);
	EXPECT_EQ(bar + PAGE, m.entry[0].address);
	EXPECT_EQ(2 * PAGE, m.entry[0].length);
	EXPECT_EQ(bar, m.entry[1].address);
	EXPECT_EQ(PAGE, m.entry[1].length);
	EXPECT_EQ(0, state(self).invalidations);
}

TEST_F(dmabuf, importer_must_be_able_to_unmap)
{
	int fd = get_page(&self->v);

	EXPECT_EQ(-EOPNOTSUPP, attach(self, fd, 0));
	EXPECT_EQ(-EOPNOTSUPP, attach(self, fd, IMPORTER_P2P));
	EXPECT_EQ(-EOPNOTSUPP, attach(self, fd, IMPORTER_REVOCABLE));
	EXPECT_EQ(0, attach(self, fd, REVOCABLE));
}

/* ---- Revocation ---- */

#define EXPECT_REVOKED(count) do {					\
	struct importer_map __m;					\
									\
	EXPECT_EQ(count, state(self).invalidations);			\
	EXPECT_EQ(0, state(self).mapped);				\
	EXPECT_EQ(-ENODEV, map(self, &__m));				\
} while (0)

#define EXPECT_USABLE() do {						\
	struct importer_map __m;					\
									\
	EXPECT_EQ(0, map(self, &__m));					\
	EXPECT_EQ(1, state(self).mapped);				\
} while (0)

TEST_F(dmabuf, reset_revokes)
{
	get_mapped(self, REVOCABLE);
	if (!(vdev_info(&self->v).flags & VFIO_DEVICE_FLAGS_RESET))
		SKIP(return, "%s cannot be reset", self->bdf);
	ASSERT_EQ(0, device_reset(&self->v));
	EXPECT_EQ(1, state(self).invalidations);
	EXPECT_EQ(0, state(self).mapped);
	EXPECT_USABLE();
	ASSERT_EQ(0, device_reset(&self->v));
	EXPECT_EQ(2, state(self).invalidations);
	EXPECT_USABLE();
}

TEST_F(dmabuf, memory_off_revokes)
{
	get_mapped(self, REVOCABLE);
	cfg_command(&self->v, 0, PCI_COMMAND_MEMORY);
	if (variant->is_vf) {
		EXPECT_EQ(0, state(self).invalidations);
		return;
	}
	EXPECT_REVOKED(1);
	/* It is told once */
	cfg_command(&self->v, 0, PCI_COMMAND_MEMORY);
	if (vdev_info(&self->v).flags & VFIO_DEVICE_FLAGS_RESET)
		EXPECT_EQ(0, device_reset(&self->v));
	EXPECT_REVOKED(1);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	EXPECT_USABLE();
}

TEST_F(dmabuf, got_with_memory_off_is_revoked)
{
	if (variant->is_vf)
		SKIP(return, "a VF's memory cannot be turned off");
	cfg_command(&self->v, 0, PCI_COMMAND_MEMORY);
	ASSERT_EQ(0, attach(self, get_page(&self->v), REVOCABLE));
	EXPECT_REVOKED(0);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	EXPECT_USABLE();
}

TEST_F(dmabuf, d3_revokes)
{
	uint32_t pm = cfg_cap(&self->v, PCI_CAP_ID_PM);
	uint16_t ctrl;

	if (!pm)
		SKIP(return, "%s has no power management", self->bdf);
	get_mapped(self, REVOCABLE);
	ctrl = cfg_read16(&self->v, pm + PCI_PM_CTRL);
	cfg_write16(&self->v, pm + PCI_PM_CTRL, ctrl | D3HOT);
	EXPECT_REVOKED(1);
	cfg_write16(&self->v, pm + PCI_PM_CTRL, ctrl);
	EXPECT_USABLE();
}

TEST_F(dmabuf, low_power_revokes)
{
	get_mapped(self, REVOCABLE);
	ASSERT_EQ(0, feature(self->v.fd, VFIO_DEVICE_FEATURE_SET |
			     VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, NULL, 0));
	EXPECT_REVOKED(1);
	ASSERT_EQ(0, feature(self->v.fd, VFIO_DEVICE_FEATURE_SET |
			     VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, NULL, 0));
	EXPECT_USABLE();
}

/* The next user's open does not bring it back. */
TEST_F(dmabuf, close_revokes_for_good)
{
	int fd = get_mapped(self, REVOCABLE);

	vdev_close(&self->v);
	EXPECT_REVOKED(1);
	vdev_open(&self->v, self->bdf, DRV_VFIO_PCI);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	if (vdev_info(&self->v).flags & VFIO_DEVICE_FLAGS_RESET)
		EXPECT_EQ(0, device_reset(&self->v));
	EXPECT_REVOKED(1);

	/* Nor does it keep the driver. */
	vdev_close(&self->v);
	EXPECT_EQ(0, pci_bind(self->bdf, NULL));
	EXPECT_REVOKED(1);
	sys_close(fd);
	vdev_open(&self->v, self->bdf, DRV_VFIO_PCI);
}

/* The files end in any order, also when a process ends with all of them. */
TEST_F(dmabuf, files_close_in_any_order)
{
	int fd = get_mapped(self, REVOCABLE), last = get_page(&self->v);

	sys_close(fd);
	EXPECT_EQ(1, state(self).mapped);
	sys_close(self->importer);
	vdev_close(&self->v);
	sys_close(last);
	self->importer = must(sys_open("/dev/dmabuf_importer", O_RDWR));
	vdev_open(&self->v, self->bdf, DRV_VFIO_PCI);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	get_mapped(self, REVOCABLE);
	/* The end of this process closes this one. */
	get_page(&self->v);
}

/*
 * What is open with O_PATH outlives the file: such a dma-buf is not released,
 * but nobody can use it.  It is still the device's, for which nobody waits.
 */
TEST_F(dmabuf, without_a_file_it_is_closed)
{
	int fd = get_page(&self->v), path_fd, second = get_page(&self->v);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	path_fd = open(path, O_PATH | O_CLOEXEC);
	ASSERT_LE(0, path_fd);
	sys_close(fd);
	/* It is still revoked and restored as others are. */
	cfg_command(&self->v, 0, PCI_COMMAND_MEMORY);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);

	vdev_close(&self->v);
	EXPECT_EQ(0, pci_bind(self->bdf, NULL));
	sys_close(path_fd);
	sys_close(second);
	vdev_open(&self->v, self->bdf, DRV_VFIO_PCI);

	/* The other way round: released while the device is open */
	fd = get_page(&self->v);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	path_fd = open(path, O_PATH | O_CLOEXEC);
	ASSERT_LE(0, path_fd);
	sys_close(fd);
	sys_close(path_fd);
	vdev_close(&self->v);
	EXPECT_EQ(0, pci_bind(self->bdf, NULL));
	vdev_open(&self->v, self->bdf, DRV_VFIO_PCI);
}

/* ---- A task that turns memory off has to wait ---- */

struct off {
	pthread_t thread;
	const struct vdev *v;
	pid_t tid;
	bool done;
};

static void *turn_off(void *arg)
{
	struct off *off = arg;

	__atomic_store_n(&off->tid, syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	cfg_command(off->v, 0, PCI_COMMAND_MEMORY);
	__atomic_store_n(&off->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static bool is_done(struct off *off)
{
	return __atomic_load_n(&off->done, __ATOMIC_SEQ_CST);
}

/* Is the thread asleep in the kernel and not to be woken by signals? */
static bool sleeps(struct off *off)
{
	char path[64], text[256], *end;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat",
		 __atomic_load_n(&off->tid, __ATOMIC_SEQ_CST));
	if (file_read(path, text, sizeof(text)) < 0)
		return false;
	end = strrchr(text, ')');
	return end && end[2] == 'D';
}

/* Begins to turn memory off; returns when the importer has been told. */
static void off_begin(FIXTURE_DATA(dmabuf) *self, struct off *off)
{
	off->v = &self->v;
	if (pthread_create(&off->thread, NULL, turn_off, off))
		die("no thread");
	if (poll_until(state(self).invalidations == 1 &&
		       (is_done(off) || sleeps(off))))
		return;
	/* No signal ends the thread while it waits, nor this process. */
	sys_ioctl(self->importer, IMPORTER_DMA_END, NULL);
	sys_ioctl(self->importer, IMPORTER_UNMAP, NULL);
	die("%s: memory is neither off nor waiting", self->bdf);
}

static bool memory_is_on(const char *bdf)
{
	char config[PCI_COMMAND + 2];

	must(pci_attr_read(bdf, "config", config, sizeof(config)));
	return config[PCI_COMMAND] & PCI_COMMAND_MEMORY;
}

TEST_F(dmabuf, memory_is_on_until_unmapped)
{
	struct off off = {};
	struct importer_map m;

	if (variant->is_vf)
		SKIP(return, "a VF's memory cannot be turned off");
	get_mapped(self, REVOCABLE | IMPORTER_LATE);
	off_begin(self, &off);
	EXPECT_FALSE(is_done(&off));
	EXPECT_EQ(1, state(self).mapped);
	EXPECT_TRUE(memory_is_on(self->bdf));
	EXPECT_EQ(0, sys_ioctl(self->importer, IMPORTER_UNMAP, NULL));
	pthread_join(off.thread, NULL);
	EXPECT_FALSE(memory_is_on(self->bdf));
	EXPECT_EQ(-ENODEV, map(self, &m));
}

TEST_F(dmabuf, memory_is_on_until_dma_ends)
{
	struct off off = {};

	if (variant->is_vf)
		SKIP(return, "a VF's memory cannot be turned off");
	get_mapped(self, REVOCABLE);
	ASSERT_EQ(0, sys_ioctl(self->importer, IMPORTER_DMA, NULL));
	off_begin(self, &off);
	EXPECT_FALSE(is_done(&off));
	EXPECT_EQ(0, state(self).mapped);
	EXPECT_TRUE(memory_is_on(self->bdf));
	EXPECT_EQ(0, sys_ioctl(self->importer, IMPORTER_DMA_END, NULL));
	pthread_join(off.thread, NULL);
	EXPECT_FALSE(memory_is_on(self->bdf));
}

/* A dma-buf of the page that igbvf-vfio-pci traps would bypass the trap. */
TEST(igbvf_has_none)
{
	const struct request r = { .nr_ranges = 1, .ranges = { { 0, PAGE } } };
	struct vdev v;

	NEED_MODULE(DRV_IGBVF_VFIO);
	NEED_IMPORTER();
	vdev_open(&v, NEED_FUNC(FUNC_VF_A0), DRV_IGBVF_VFIO);
	EXPECT_EQ(-ENOTTY, get_dmabuf(&v, &r));
	EXPECT_EQ(-ENOTTY, get_ranges(&v, PROBE | GET, &r, 0, r.ranges));
	vdev_close(&v);
}

TEST_HARNESS_MAIN
