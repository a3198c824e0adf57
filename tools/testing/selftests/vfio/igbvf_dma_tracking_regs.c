// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page of receive registers.  While DMA logging is on, the driver maps a
 * page of its own memory there instead of the device's.  Tested: which mappings
 * are possible, that mappings and read() and write() show the same registers,
 * that the exchange of the page loses no access, and that no other device can
 * write to it.
 */
#include <linux/pci_regs.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "device.h"
#include "dma_log.h"
#include "iommu.h"
#include "migration.h"
#include "nic.h"
#include "sigbus.h"

#define PAGE		4096ULL
#define DOORBELLS	(2 * PAGE)	/* of BAR0 */
#define QUEUE_1		0x100

static bool readable(volatile uint32_t *reg)
{
	uint32_t value;

	return !try_read(reg, &value);
}

/* ---- A VF, and its receive registers by each kind of access ---- */

FIXTURE(pages) {
	struct vdev v;
	char *bar;		/* as a VMM maps it */
	char *twin;		/* a second mapping of the page */
};

static void *map(const struct vdev *v, uint64_t offset, size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd,
		    vdev_region(v, 0).offset + offset);
}

FIXTURE_SETUP(pages)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0);

	NEED_MODULE(DRV_IGBVF_VFIO);
	sigbus_catch();
	vdev_open(&self->v, bdf, DRV_IGBVF_VFIO);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	self->bar = vdev_map_region(&self->v, 0);
	self->twin = map(&self->v, DOORBELLS, PAGE);
	ASSERT_NE(MAP_FAILED, self->twin);
	reg_write(&self->v, 0, VTCTRL, VTCTRL_RST);
}

FIXTURE_TEARDOWN(pages)
{
	log_close(&self->v);
}

static volatile uint32_t *mapped(FIXTURE_DATA(pages) *self, uint32_t reg)
{
	return (volatile uint32_t *)(self->bar + reg);
}

static volatile uint32_t *twin(FIXTURE_DATA(pages) *self, uint32_t reg)
{
	return (volatile uint32_t *)(self->twin + reg - DOORBELLS);
}

static int start(FIXTURE_DATA(pages) *self)
{
	return log_start_range(self->v.fd, 0, GiB);
}

/* ---- What can be mapped ---- */

TEST_F(pages, are_separate_areas)
{
	const struct vfio_region_info_cap_sparse_mmap *sparse;
	struct vfio_region_info *info;
	unsigned int i;

	info = vdev_region_caps(&self->v, 0);
	ASSERT_TRUE(info->flags & VFIO_REGION_INFO_FLAG_CAPS);
	sparse = info_cap(info, info->argsz, info->cap_offset,
			  VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	ASSERT_NE((void *)NULL, sparse);
	ASSERT_EQ(3, sparse->nr_areas);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ((i + 1) * PAGE, sparse->areas[i].offset);
		EXPECT_EQ(PAGE, sparse->areas[i].size);
	}
	free(info);
}

static void expect_mappings(struct __test_metadata *_metadata,
			    FIXTURE_DATA(pages) *self)
{
	static const struct {
		uint64_t offset;
		uint64_t size;
		bool good;
	} rows[] = {
		{ PAGE, PAGE, true },
		{ 2 * PAGE, PAGE, true },
		{ 3 * PAGE, PAGE, true },
		{ PAGE, 2 * PAGE, false },
		{ PAGE, 3 * PAGE, false },
		{ 2 * PAGE, 2 * PAGE, false },
		{ 0, 4 * PAGE, false },
		{ 0, PAGE, false },
	};
	unsigned int i;
	void *mem;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		errno = 0;
		mem = map(&self->v, rows[i].offset, rows[i].size);
		EXPECT_EQ(rows[i].good, mem != MAP_FAILED) {
			TH_LOG("%llu bytes at %#llx",
			       (unsigned long long)rows[i].size,
			       (unsigned long long)rows[i].offset);
		}
		if (mem != MAP_FAILED)
			munmap(mem, rows[i].size);
		else
			EXPECT_EQ(EINVAL, errno);
	}
	/* A mapping cannot grow. */
	EXPECT_EQ(MAP_FAILED, mremap(self->twin, PAGE, 2 * PAGE,
				     MREMAP_MAYMOVE));
	EXPECT_NE(0, remap_file_pages(self->twin, PAGE, 0, 0, 0));
	/* A private copy would not follow the device. */
	mem = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, self->v.fd,
		   vdev_region(&self->v, 0).offset + DOORBELLS);
	EXPECT_EQ(MAP_FAILED, mem);
}

TEST_F(pages, cannot_be_mapped_with_others)
{
	expect_mappings(_metadata, self);
	ASSERT_EQ(0, start(self));
	expect_mappings(_metadata, self);
	ASSERT_EQ(0, log_stop(self->v.fd));
	expect_mappings(_metadata, self);
}

static int ioeventfd(const struct vdev *v, uint32_t reg, uint32_t size, int fd)
{
	struct vfio_device_ioeventfd arg = {
		.argsz = sizeof(arg),
		.flags = size,
		.offset = vdev_region(v, 0).offset + reg,
		.data = 1,
		.fd = fd,
	};

	return sys_ioctl(v->fd, VFIO_DEVICE_IOEVENTFD, &arg);
}

/* ioeventfds would bypass logging. */
TEST_F(pages, have_no_ioeventfds)
{
	static const uint32_t regs[] = { DOORBELLS, RDT, RDT + QUEUE_1, TDT };
	int fd = eventfd_new();
	unsigned int i, logging;

	for (logging = 0; logging < 2; logging++) {
		for (i = 0; i < ARRAY_SIZE(regs); i++)
			EXPECT_EQ(-ENOTTY, ioeventfd(&self->v, regs[i],
						     VFIO_DEVICE_IOEVENTFD_32,
						     fd)) {
				TH_LOG("register %#x", regs[i]);
			}
		if (!logging)
			ASSERT_EQ(0, start(self));
	}
	sys_close(fd);
}

/* DMA by another device would bypass logging as well. */
TEST_F(pages, cannot_be_mapped_for_dma)
{
	const uint64_t iova = 0x40000000;
	unsigned int logging;
	char *whole = self->bar;

	for (logging = 0; logging < 2; logging++) {
		/* With and without a present page table entry */
		EXPECT_GT(0, dma_map(self->v.container, iova, self->twin,
				     PAGE));
		(void)*twin(self, RDT);
		EXPECT_GT(0, dma_map(self->v.container, iova, self->twin,
				     PAGE));
		EXPECT_GT(0, dma_map_flags(self->v.container, iova, self->twin,
					   PAGE, VFIO_DMA_MAP_FLAG_READ));
		/* Within a larger range, of which nothing stays mapped */
		EXPECT_GT(0, dma_map(self->v.container, iova, whole + PAGE,
				     3 * PAGE));
		EXPECT_EQ(0, dma_unmap(self->v.container, iova, 16 * PAGE));
		EXPECT_EQ(0, dma_map(self->v.container, iova, whole + PAGE,
				     PAGE));
		EXPECT_EQ(PAGE, dma_unmap(self->v.container, iova, PAGE));
		if (!logging)
			ASSERT_EQ(0, start(self));
	}
}

/* ---- Contents ---- */

/* Values that a guest may set while the queues are disabled */
static const struct {
	uint32_t reg;
	uint32_t value;
} settings[] = {
	{ RDBAL, 0x12345680 }, { RDBAH, 0x9a },
	{ RDLEN, 0x1000 }, { SRRCTL, 0x02000004 },
	{ RDBAL + QUEUE_1, 0xabcdef80 }, { RDBAH + QUEUE_1, 0x7 },
	{ RDLEN + QUEUE_1, 0x200 }, { SRRCTL + QUEUE_1, 0x02000002 },
};

static void expect_settings(struct __test_metadata *_metadata,
			    FIXTURE_DATA(pages) *self, uint32_t change)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		uint32_t value = settings[i].value ^ change;
		uint32_t reg = settings[i].reg;

		EXPECT_EQ(value, reg_read(&self->v, 0, reg)) {
			TH_LOG("register %#x", reg);
		}
		EXPECT_EQ(value, *mapped(self, reg));
		EXPECT_EQ(value, *twin(self, reg));
	}
}

enum way { BY_WRITE, BY_MAPPING, BY_TWIN };

static void set_by(FIXTURE_DATA(pages) *self, enum way way, uint32_t change)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		uint32_t value = settings[i].value ^ change;
		uint32_t reg = settings[i].reg;

		if (way == BY_WRITE)
			reg_write(&self->v, 0, reg, value);
		else if (way == BY_MAPPING)
			*mapped(self, reg) = value;
		else
			*twin(self, reg) = value;
	}
}

/* All kinds of access show the same before, during and after logging. */
TEST_F(pages, show_the_same_by_each_access)
{
	unsigned int i, round;
	uint32_t change = 0;

	for (round = 0; round < scaled(20); round++) {
		for (i = 0; i < 5; i++) {
			/* A bit that all of these registers have */
			change ^= 0x800;
			set_by(self, i % 3, change);
			expect_settings(_metadata, self, change);
		}
		/* Values are kept across START and STOP. */
		ASSERT_EQ(0, round % 2 ? log_stop(self->v.fd) : start(self));
		expect_settings(_metadata, self, change);
	}
}

/* A process that inherited the mapping, and one with a new mapping */
TEST_F(pages, show_the_same_to_other_processes)
{
	int status, said[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(said));
	set_by(self, BY_MAPPING, 0);
	pid = fork();
	if (!pid) {
		char *own;

		must(sys_read(said[0], &c, 1));
		own = map(&self->v, DOORBELLS, PAGE);
		if (own == MAP_FAILED ||
		    *mapped(self, RDBAL) != (0x12345680 ^ 0x800) ||
		    *(uint32_t *)(own + RDBAL - DOORBELLS) !=
		    (0x12345680 ^ 0x800))
			_exit(TEST_FAILED);
		*twin(self, RDBAH) = 0x55;
		_exit(0);
	}
	ASSERT_EQ(0, start(self));
	set_by(self, BY_TWIN, 0x800);
	must(sys_write(said[1], "!", 1));
	ASSERT_TRUE(poll_until(waitpid(pid, &status, WNOHANG) == pid));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0x55, *mapped(self, RDBAH));
	EXPECT_EQ(0x55, reg_read(&self->v, 0, RDBAH));
	ASSERT_EQ(0, log_stop(self->v.fd));
	EXPECT_EQ(0x55, *mapped(self, RDBAH));
}

/* A VMM without a mapping may pass on accesses of any size. */
TEST_F(pages, take_accesses_of_every_size)
{
	uint8_t bytes[16], again[16];
	unsigned int logging, size, at;

	for (logging = 0; logging < 2; logging++) {
		set_by(self, BY_WRITE, 0);
		ASSERT_EQ(16, region_read(&self->v, 0, RDBAL, bytes, 16));
		for (size = 1; size <= 8; size *= 2)
			for (at = 0; at < 16; at += size) {
				EXPECT_EQ(size, region_read(&self->v, 0,
							    RDBAL + at,
							    again + at, size));
			}
		EXPECT_EQ(0, memcmp(bytes, again, 16));
		/* The whole page; an access ends at the end of the page. */
		EXPECT_EQ(PAGE, region_read(&self->v, 0, DOORBELLS,
					    mem_alloc(PAGE), PAGE));
		EXPECT_EQ(8, region_read(&self->v, 0, DOORBELLS - 8, bytes,
					 16));
		EXPECT_EQ(8, region_read(&self->v, 0, DOORBELLS + PAGE - 8,
					 bytes, 16));
		if (!logging)
			ASSERT_EQ(0, start(self));
	}
	expect_settings(_metadata, self, 0);
}

/* System calls access the mapping as a buffer. */
TEST_F(pages, work_as_buffers_of_system_calls)
{
	const uint64_t bar = vdev_region(&self->v, 0).offset;
	void *buf = (void *)twin(self, RDBAL);
	unsigned int logging;

	for (logging = 0; logging < 2; logging++) {
		/* The reset zaps the mapping; the call faults it in. */
		EXPECT_EQ(0, device_reset(&self->v));
		EXPECT_EQ(4, sys_pread(self->v.fd, buf, 4, bar + STATUS));
		EXPECT_EQ(4, sys_pread(self->v.fd, buf, 4, bar + RDLEN));
		*twin(self, RDBAL) = 0x1000;
		EXPECT_EQ(0, device_reset(&self->v));
		EXPECT_EQ(4, sys_pwrite(self->v.fd, buf, 4, bar + EITR0));
		EXPECT_EQ(4, sys_pwrite(self->v.fd, buf, 4, bar + RDLEN));
		/* Long-term pins are refused. */
		EXPECT_EQ(logging ? -EFAULT : -EINVAL,
			  log_report(self->v.fd, 0, PAGE, PAGE, buf));
		if (!logging)
			ASSERT_EQ(0, start(self));
	}
}

/* ---- When it cannot be accessed ---- */

/* In low power, the pages cannot be accessed, like others of the BAR. */
TEST_F(pages, cannot_be_accessed_in_low_power)
{
	unsigned int logging;

	set_by(self, BY_MAPPING, 0);
	for (logging = 0; logging < 2; logging++) {
		EXPECT_TRUE(readable(twin(self, RDT)));
		ASSERT_EQ(0, low_power(&self->v,
				       VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY));
		EXPECT_FALSE(readable(twin(self, RDT)));
		EXPECT_FALSE(readable(mapped(self, RDT)));
		EXPECT_FALSE(readable(mapped(self, EITR0)));
		EXPECT_EQ(0, low_power(&self->v,
				       VFIO_DEVICE_FEATURE_LOW_POWER_EXIT));
		EXPECT_TRUE(readable(twin(self, RDT)));
		expect_settings(_metadata, self, 0);
		if (!logging)
			ASSERT_EQ(0, start(self));
	}
}

/* What the guest wrote just before reaches the device if logging ends then. */
TEST_F(pages, keep_writes_if_logging_ends_in_low_power)
{
	uint32_t change = 0;
	unsigned int i;

	for (i = 0; i < scaled(40); i++) {
		ASSERT_EQ(0, start(self));
		change ^= 0x800;
		set_by(self, BY_MAPPING, change);
		ASSERT_EQ(0, low_power(&self->v,
				       VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY));
		EXPECT_EQ(0, log_stop(self->v.fd));
		ASSERT_EQ(0, low_power(&self->v,
				       VFIO_DEVICE_FEATURE_LOW_POWER_EXIT));
		expect_settings(_metadata, self, change);
	}
}

/* After a reset, they can be accessed. */
TEST_F(pages, can_be_accessed_after_a_reset)
{
	unsigned int logging;

	for (logging = 0; logging < 2; logging++) {
		EXPECT_TRUE(readable(twin(self, RDT)));
		EXPECT_EQ(0, device_reset(&self->v));
		EXPECT_TRUE(readable(twin(self, RDT)));
		EXPECT_TRUE(readable(mapped(self, RDT)));
		set_by(self, BY_MAPPING, 0);
		expect_settings(_metadata, self, 0);
		if (!logging)
			ASSERT_EQ(0, start(self));
	}
}

/* Threads access the page while it is exchanged. */
struct toucher {
	volatile uint32_t *reg;
	bool stop;
	unsigned long turns;
	unsigned long wrong;
};

static void *touch(void *arg)
{
	struct toucher *t = arg;
	uint32_t value = 0x800;

	while (!__atomic_load_n(&t->stop, __ATOMIC_SEQ_CST)) {
		value += 0x80;
		*t->reg = value;
		t->wrong += *t->reg != value;
		__atomic_fetch_add(&t->turns, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static unsigned long turns_of(struct toucher *t)
{
	return __atomic_load_n(&t->turns, __ATOMIC_SEQ_CST);
}

/* A read returns the last write, from either page. */
TEST_F(pages, lose_no_write_when_exchanged)
{
	struct toucher t[] = {
		{ .reg = mapped(self, RDBAL) },
		{ .reg = twin(self, RDBAL + QUEUE_1) },
	};
	pthread_t threads[ARRAY_SIZE(t)];
	unsigned int i, round;
	unsigned long until;

	for (i = 0; i < ARRAY_SIZE(t); i++)
		pthread_create(&threads[i], NULL, touch, &t[i]);
	for (round = 0; round < scaled(100); round++) {
		ASSERT_EQ(0, start(self));
		for (i = 0; i < ARRAY_SIZE(t); i++) {
			until = turns_of(&t[i]) + 3;
			EXPECT_TRUE(poll_until(turns_of(&t[i]) > until));
		}
		ASSERT_EQ(0, log_stop(self->v.fd));
		for (i = 0; i < ARRAY_SIZE(t); i++) {
			until = turns_of(&t[i]) + 3;
			EXPECT_TRUE(poll_until(turns_of(&t[i]) > until));
		}
	}
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		__atomic_store_n(&t[i].stop, true, __ATOMIC_SEQ_CST);
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, t[i].wrong);
	}
}

TEST_HARNESS_MAIN
