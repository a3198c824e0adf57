// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapped BARs: which parts can be mapped, what a mapping shows, and that
 * accesses fail while the device's memory is off and work again afterwards.
 */
#include <linux/pci_regs.h>
#include <pthread.h>
#include <sys/mman.h>

#include "nic.h"
#include "pci_funcs.h"
#include "sigbus.h"

#define PAGE	4096UL

static void *try_map(const struct vdev *v, unsigned int index,
		     uint64_t offset, size_t size, int prot, int flags)
{
	return mmap(NULL, size, prot, flags, v->fd,
		    vdev_region(v, index).offset + offset);
}

static void *map_rw(const struct vdev *v, unsigned int index, uint64_t offset,
		    size_t size)
{
	return try_map(v, index, offset, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED);
}

/*
 * A part of BAR0 that every function lets map, and a register in it that only
 * changes when it is written.
 */
static uint64_t window(const FIXTURE_VARIANT(pci) *variant)
{
	return variant->is_vf ? PAGE : 0;
}

/*
 * Turns memory on and maps the window; try_read() and try_write() can be used.
 */
static volatile uint32_t *map_window(const struct vdev *v,
				     const FIXTURE_VARIANT(pci) *variant)
{
	void *mem;

	sigbus_catch();
	cfg_command(v, PCI_COMMAND_MEMORY, 0);
	mem = map_rw(v, 0, window(variant), PAGE);
	if (mem == MAP_FAILED)
		die("%s: BAR0 cannot be mapped", v->bdf);
	return mem;
}

static uint32_t quiet_register(const FIXTURE_VARIANT(pci) *variant)
{
	/* EITR0 of the VF, CTRL of the 82574L, CAP of an NVMe controller */
	return variant->is_vf ? EITR0 : 0;
}

TEST_F(pci, shows_what_pread_shows)
{
	uint32_t at = quiet_register(variant), value;
	volatile uint32_t *reg;
	char *mem;

	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	mem = map_rw(&self->v, 0, window(variant), PAGE);
	ASSERT_NE(MAP_FAILED, mem);
	reg = (uint32_t *)(mem + at - window(variant));
	EXPECT_EQ(reg_read(&self->v, 0, at), *reg);
	if (!variant->is_vf)
		return;
	*reg = 0x1540;
	EXPECT_EQ(0x1540, reg_read(&self->v, 0, at));
	value = 0x2a80;
	reg_write(&self->v, 0, at, value);
	EXPECT_EQ(value, *reg);
}

TEST_F(pci, bad_mappings_are_refused)
{
	const struct vdev *v = &self->v;
	uint64_t size = vdev_region(v, 0).size, at = window(variant);

	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	/* Beyond the end, across it, more than the BAR */
	EXPECT_EQ(MAP_FAILED, map_rw(v, 0, size, PAGE));
	EXPECT_EQ(MAP_FAILED, map_rw(v, 0, size - PAGE, 2 * PAGE));
	EXPECT_EQ(MAP_FAILED, map_rw(v, 0, at, size + PAGE));
	EXPECT_EQ(MAP_FAILED, map_rw(v, 0, size + 64 * MiB, PAGE));
	/* Private mappings are refused. */
	EXPECT_EQ(MAP_FAILED, try_map(v, 0, at, PAGE, PROT_READ, MAP_PRIVATE));
	EXPECT_EQ(EINVAL, errno);
	/* Regions without memory */
	EXPECT_EQ(MAP_FAILED, map_rw(v, VFIO_PCI_CONFIG_REGION_INDEX, 0,
				     PAGE));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_rw(v, VFIO_PCI_ROM_REGION_INDEX, 0, PAGE));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, v->fd,
				   100ULL << 40));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, v->fd,
				   1ULL << 62));
}

TEST_F(pci, regions_say_what_can_be_mapped)
{
	const struct vdev *v = &self->v;
	struct vfio_region_info info;
	unsigned int i;
	void *mem;

	cfg_command(&self->v, PCI_COMMAND_MEMORY | PCI_COMMAND_IO, 0);
	for (i = 0; i < 6; i++) {
		info = vdev_region(v, i);
		if (!info.size)
			continue;
		/* Another test checks the list of areas. */
		if (variant->igbvf && !i)
			mem = map_rw(v, i, PAGE, PAGE);
		else
			mem = map_rw(v, i, 0,
				     info.size < PAGE ? PAGE : info.size);
		EXPECT_EQ(!!(info.flags & VFIO_REGION_INFO_FLAG_MMAP),
			  mem != MAP_FAILED) {
			TH_LOG("BAR%u", i);
		}
	}
}

/* igbvf-vfio-pci traps page 0; the list of areas omits it. */
TEST_F(pci, trapped_page_is_no_area)
{
	const struct vfio_region_info_cap_sparse_mmap *sparse;
	struct vfio_region_info *info;
	uint64_t mapped = 0;
	unsigned int i;
	void *mem;

	if (!variant->igbvf)
		SKIP(return, "%s maps all of it", variant->driver);
	info = vdev_region_caps(&self->v, 0);
	ASSERT_TRUE(info->flags & VFIO_REGION_INFO_FLAG_CAPS);
	sparse = info_cap(info, info->argsz, info->cap_offset,
			  VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	ASSERT_NE((void *)NULL, sparse);
	ASSERT_LT(0, sparse->nr_areas);
	for (i = 0; i < sparse->nr_areas; i++) {
		EXPECT_LE(PAGE, sparse->areas[i].offset);
		EXPECT_GE(info->size, sparse->areas[i].offset +
				      sparse->areas[i].size);
		mem = map_rw(&self->v, 0, sparse->areas[i].offset,
			     sparse->areas[i].size);
		EXPECT_NE(MAP_FAILED, mem);
		mapped += sparse->areas[i].size;
	}
	EXPECT_EQ(info->size - PAGE, mapped);

	EXPECT_EQ(MAP_FAILED, map_rw(&self->v, 0, 0, PAGE));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_rw(&self->v, 0, 0, info->size));
	EXPECT_EQ(MAP_FAILED, map_rw(&self->v, 0, 0, 2 * PAGE));
	EXPECT_EQ(MAP_FAILED, try_map(&self->v, 0, 0, PAGE, PROT_READ,
				      MAP_SHARED));
	/* Nor can a mapping grow to it or move to it. */
	mem = map_rw(&self->v, 0, PAGE, PAGE);
	ASSERT_NE(MAP_FAILED, mem);
	EXPECT_EQ(MAP_FAILED, mremap(mem, PAGE, 8 * PAGE, MREMAP_MAYMOVE));
	EXPECT_NE(0, remap_file_pages(mem, PAGE, 0, 0, 0));
}

TEST_F(pci, faults_while_memory_is_off)
{
	volatile uint32_t *reg;
	uint32_t before, value;

	if (variant->is_vf)
		SKIP(return, "a VF's memory is its PF's to switch");
	reg = map_window(&self->v, variant);
	ASSERT_EQ(0, try_read(reg, &before));

	cfg_command(&self->v, 0, PCI_COMMAND_MEMORY);
	EXPECT_EQ(-EFAULT, try_read(reg, &value));
	EXPECT_EQ(-EFAULT, try_write(reg, 0));
	/* A mapping made now is just as dead. */
	value = 0;
	EXPECT_EQ(-EFAULT, try_read(map_rw(&self->v, 0, 0, PAGE), &value));

	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	EXPECT_EQ(0, try_read(reg, &value));
	EXPECT_EQ(before, value);
}

TEST_F(pci, faults_in_d3hot)
{
	uint32_t at = cfg_cap(&self->v, PCI_CAP_ID_PM), value;
	volatile uint32_t *reg;

	if (!at)
		SKIP(return, "%s has no power management", self->bdf);
	reg = map_window(&self->v, variant);
	ASSERT_EQ(0, try_read(reg, &value));
	cfg_write16(&self->v, at + PCI_PM_CTRL, 3);
	EXPECT_EQ(-EFAULT, try_read(reg, &value));
	cfg_write16(&self->v, at + PCI_PM_CTRL, 0);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	EXPECT_EQ(0, try_read(reg, &value));
}

/* A VF's memory can be accessed with the memory bit off. */
TEST_F(pci, memory_of_a_vf_is_always_on)
{
	uint32_t value = 0;
	void *mem;

	if (!variant->is_vf)
		SKIP(return, "%s is no VF", self->bdf);
	sigbus_catch();
	cfg_write16(&self->v, PCI_COMMAND, PCI_COMMAND_MASTER);
	mem = map_rw(&self->v, 0, window(variant), PAGE);
	ASSERT_NE(MAP_FAILED, mem);
	EXPECT_EQ(0, try_read(mem, &value));
	EXPECT_EQ(0, dma_map(self->v.container, 0x100000, mem, PAGE));
	EXPECT_EQ(4, region_read(&self->v, 0, quiet_register(variant), &value,
				 4));
	/* Clearing the bit does not zap the mapping. */
	cfg_write16(&self->v, PCI_COMMAND, PCI_COMMAND_MEMORY);
	cfg_write16(&self->v, PCI_COMMAND, 0);
	EXPECT_EQ(0, try_read(mem, &value));
}

TEST_F(pci, works_again_after_reset)
{
	uint32_t at = quiet_register(variant), before, value;
	volatile uint32_t *reg;
	char *mem;

	if (!(vdev_info(&self->v).flags & VFIO_DEVICE_FLAGS_RESET))
		SKIP(return, "%s cannot be reset", self->bdf);
	sigbus_catch();
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	mem = map_rw(&self->v, 0, window(variant), PAGE);
	ASSERT_NE(MAP_FAILED, mem);
	reg = (uint32_t *)(mem + at - window(variant));
	ASSERT_EQ(0, try_read(reg, &before));
	ASSERT_EQ(0, device_reset(&self->v));
	EXPECT_EQ(0, try_read(reg, &value));
	EXPECT_EQ(reg_read(&self->v, 0, at), value);
}

TEST_F(pci, outlives_the_device_fd)
{
	volatile uint32_t *reg;
	uint32_t value;

	reg = map_window(&self->v, variant);
	ASSERT_EQ(0, try_read(reg, &value));
	sys_close(self->v.fd);
	/* The mapping holds the device open: it can be used. */
	EXPECT_EQ(0, try_read(reg, &value));
	munmap((void *)reg, PAGE);
	self->v.fd = -1;
}

TEST_F(pci, can_be_unmapped_in_part)
{
	struct vfio_region_info bar = vdev_region(&self->v, 0);
	volatile uint32_t *first, *second;
	uint32_t value;
	char *mem;

	if (bar.size - window(variant) < 2 * PAGE)
		SKIP(return, "BAR0 has too few pages");
	if (variant->igbvf)
		SKIP(return, "no two pages of BAR0 can be mapped as one");
	sigbus_catch();
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	mem = map_rw(&self->v, 0, window(variant), 2 * PAGE);
	ASSERT_NE(MAP_FAILED, mem);
	first = (uint32_t *)mem;
	second = (uint32_t *)(mem + PAGE);
	ASSERT_EQ(0, try_read(second, &value));
	/* Unmapping a part leaves the rest mapped. */
	ASSERT_EQ(0, munmap(mem, PAGE));
	EXPECT_EQ(0, try_read(second, &value));
	first = map_rw(&self->v, 0, window(variant), PAGE);
	EXPECT_EQ(0, try_read(first, &value));
	/* A read-only mapping is possible. */
	mem = try_map(&self->v, 0, window(variant), PAGE, PROT_READ,
		      MAP_SHARED);
	ASSERT_NE(MAP_FAILED, mem);
	EXPECT_EQ(0, try_read((uint32_t *)mem, &value));
}

TEST_F(pci, mapping_of_a_child_faults_as_well)
{
	volatile uint32_t *reg;
	uint32_t value;
	int status;
	pid_t pid;

	if (variant->is_vf)
		SKIP(return, "a VF's memory is its PF's to switch");
	reg = map_window(&self->v, variant);
	ASSERT_EQ(0, try_read(reg, &value));
	pid = fork();
	if (!pid) {
		if (try_read(reg, &value))
			_exit(1);
		cfg_command(&self->v, 0, PCI_COMMAND_MEMORY);
		_exit(try_read(reg, &value) == -EFAULT ? 0 : 2);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(-EFAULT, try_read(reg, &value));
}

/* Threads touch the mapping during resets and while memory is switched. */

struct toucher {
	volatile uint32_t *reg;
	bool stop;
	unsigned long good;
	unsigned long bad;
};

static void *touch(void *arg)
{
	struct toucher *t = arg;
	uint32_t value;

	while (!__atomic_load_n(&t->stop, __ATOMIC_SEQ_CST)) {
		if (try_read(t->reg, &value))
			__atomic_fetch_add(&t->bad, 1, __ATOMIC_SEQ_CST);
		else
			__atomic_fetch_add(&t->good, 1, __ATOMIC_SEQ_CST);
		sleep_us(10);
	}
	return NULL;
}

TEST_F(pci, survives_access_while_memory_is_switched)
{
	struct toucher t = {};
	pthread_t threads[2];
	unsigned int i;
	bool resets;

	resets = vdev_info(&self->v).flags & VFIO_DEVICE_FLAGS_RESET;
	t.reg = map_window(&self->v, variant);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, touch, &t);
	for (i = 0; i < 200; i++) {
		cfg_command(&self->v, 0, PCI_COMMAND_MEMORY);
		sleep_us(20);
		cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
		if (resets && i % 50 == 49)
			must(device_reset(&self->v));
		madvise((void *)t.reg, PAGE, MADV_DONTNEED);
	}
	EXPECT_TRUE(poll_until(__atomic_load_n(&t.good, __ATOMIC_SEQ_CST)));
	t.stop = true;
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	TH_LOG("%lu reads, %lu refused", t.good, t.bad);
	EXPECT_EQ(0, try_read(t.reg, &i));
}

/*
 * The kernel wakes a device in D3hot to free its MSI-X vectors.  A mapping that
 * is touched meanwhile must fault afterwards.
 */
TEST_F(pci, faults_while_msix_is_disabled_in_d3hot)
{
	uint32_t at = cfg_cap(&self->v, PCI_CAP_ID_PM), value;
	int32_t fd = eventfd_new();
	struct toucher t = {};
	pthread_t thread;
	unsigned int i;

	if (!at)
		SKIP(return, "%s has no power management", self->bdf);
	t.reg = map_window(&self->v, variant);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, irq_eventfds(&self->v, VFIO_PCI_MSIX_IRQ_INDEX, 0,
					  &fd, 1));
		cfg_write16(&self->v, at + PCI_PM_CTRL, 3);
		t.stop = false;
		pthread_create(&thread, NULL, touch, &t);
		ASSERT_TRUE(poll_until(__atomic_load_n(&t.bad,
						       __ATOMIC_SEQ_CST)));
		ASSERT_EQ(0, irq_disable(&self->v, VFIO_PCI_MSIX_IRQ_INDEX));
		__atomic_store_n(&t.stop, true, __ATOMIC_SEQ_CST);
		pthread_join(thread, NULL);
		ASSERT_EQ(3, cfg_read16(&self->v, at + PCI_PM_CTRL) &
			     PCI_PM_CTRL_STATE_MASK);
		ASSERT_EQ(-EFAULT, try_read(t.reg, &value));
		cfg_write16(&self->v, at + PCI_PM_CTRL, 0);
		cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	}
	TH_LOG("touched %lu times meanwhile", t.good);
}

/* Low power entry: mappings fault, until the exit. */
TEST_F(pci, faults_in_low_power)
{
	volatile uint32_t *reg;
	uint32_t value;

	reg = map_window(&self->v, variant);
	ASSERT_EQ(0, try_read(reg, &value));
	ASSERT_EQ(0, feature(self->v.fd, VFIO_DEVICE_FEATURE_SET |
				VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, NULL, 0));
	EXPECT_EQ(-EFAULT, try_read(reg, &value));
	EXPECT_EQ(-EINVAL, feature(self->v.fd, VFIO_DEVICE_FEATURE_SET |
				VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, NULL, 0));
	ASSERT_EQ(0, feature(self->v.fd, VFIO_DEVICE_FEATURE_SET |
				VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, NULL, 0));
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	EXPECT_EQ(0, try_read(reg, &value));
	/* Closed in low power, the device works for the next user. */
	ASSERT_EQ(0, feature(self->v.fd, VFIO_DEVICE_FEATURE_SET |
				VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, NULL, 0));
	munmap((void *)reg, PAGE);
	vdev_close(&self->v);
	vdev_open(&self->v, self->bdf, variant->driver);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	EXPECT_EQ(4, region_read(&self->v, 0, window(variant), &value, 4));
}

/*
 * BARs that are large enough for page table entries of 2 MiB and 1 GiB.  The
 * size of the page tables shows which entries are used.
 */

#define LARGE		(2 * MiB)
#define PART		(64 * MiB)	/* at most that much is touched */

FIXTURE(big) {
	struct vdev v;
	unsigned int bar;
	uint64_t size;
};

FIXTURE_SETUP(big)
{
	const char *bdf = NEED_FUNC(FUNC_BIG_BAR);
	struct vfio_region_info info;
	unsigned int i;

	vdev_open(&self->v, bdf, DRV_VFIO_PCI);
	for (i = 0; i < 6; i++) {
		info = vdev_region(&self->v, i);
		if (!(info.flags & VFIO_REGION_INFO_FLAG_MMAP) ||
		    info.size <= self->size)
			continue;
		self->bar = i;
		self->size = info.size;
	}
	if (self->size < 2 * LARGE)
		die("%s has no BAR of 4 MiB or more", bdf);
	sigbus_catch();
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
}

FIXTURE_TEARDOWN(big)
{
	vdev_close(&self->v);
}

/*
 * Maps a part of the BAR at an address that is @skew above a multiple of @align.
 * Touches the page behind the mapping, so that upper page tables exist.
 */
static char *map_aligned(FIXTURE_DATA(big) *self, uint64_t offset, size_t size,
			 size_t align, size_t skew)
{
	char *room, *at;

	room = mmap(NULL, size + 2 * align, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	at = (char *)(((uintptr_t)room + align - 1) / align * align) + skew;
	at = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		  self->v.fd,
		  vdev_region(&self->v, self->bar).offset + offset);
	if (at == MAP_FAILED)
		die("mmap of %zu MiB: %s", size >> 20, strerror(errno));
	*(volatile char *)(at + size) = 1;
	return at;
}

static size_t part(const FIXTURE_DATA(big) *self)
{
	return self->size < PART ? self->size : PART;
}

/* The growth of the page tables, in KiB, when each page is read */
static long tables_for(const char *mem, size_t size, size_t step)
{
	size_t at;
	long before;

	/* The first call itself needs memory. */
	proc_status_kb("VmPTE");
	before = proc_status_kb("VmPTE");
	for (at = 0; at < size; at += step)
		(void)*(volatile uint32_t *)(mem + at);
	return proc_status_kb("VmPTE") - before;
}

/* Is the BAR memory?  Other BARs cannot be compared. */
static bool bar_is_memory(const FIXTURE_DATA(big) *self)
{
	reg_write(&self->v, self->bar, 0, 0x5a5aa5a5);
	return reg_read(&self->v, self->bar, 0) == 0x5a5aa5a5;
}

/* Writes its offset to a word of each quarter MiB, by pwrite(). */
static void mark(const FIXTURE_DATA(big) *self)
{
	uint32_t at;

	for (at = 0; at < part(self); at += MiB / 4)
		reg_write(&self->v, self->bar, at, ~at);
}

/* Does @mem, which maps the BAR from @offset on, contain the marks? */
static bool shows_marks(const char *mem, uint64_t offset, size_t size)
{
	uint64_t at = (offset + MiB / 4 - 1) / (MiB / 4) * (MiB / 4);
	uint32_t value;

	for (; at < offset + size; at += MiB / 4)
		if (try_read((uint32_t *)(mem + at - offset), &value) ||
		    value != ~(uint32_t)at)
			return false;
	return true;
}

TEST_F(big, is_mapped_by_large_entries)
{
	size_t size = part(self);
	char *mem = map_aligned(self, 0, size, LARGE, 0);

	/* Pages take 4 KiB of tables for each 2 MiB. */
	EXPECT_GT((long)(size / LARGE * 4 / 2),
		  tables_for(mem, size, PAGE));
}

TEST_F(big, is_aligned_for_large_entries)
{
	char *mem = map_rw(&self->v, self->bar, 0, self->size);

	ASSERT_NE(MAP_FAILED, mem);
	EXPECT_EQ(0, (uintptr_t)mem % LARGE);
}

TEST_F(big, is_mapped_by_entries_of_a_gigabyte)
{
	char *mem;

	if (self->size < GiB)
		SKIP(return, "the BAR has only %u MiB",
		     (unsigned int)(self->size >> 20));
	mem = map_aligned(self, 0, GiB, GiB, 0);
	/* One entry, in an existing table */
	EXPECT_EQ(0, tables_for(mem, GiB, LARGE));
}

TEST_F(big, shows_what_pwrite_wrote)
{
	size_t size = part(self), end = size - sizeof(uint32_t);
	char *mem = map_aligned(self, 0, size, LARGE, 0);

	if (!bar_is_memory(self))
		SKIP(return, "the BAR is not memory");
	mark(self);
	EXPECT_TRUE(shows_marks(mem, 0, size));
	*(volatile uint32_t *)(mem + end) = 0x12345678;
	EXPECT_EQ(0x12345678, reg_read(&self->v, self->bar, end));
	*(volatile uint32_t *)(mem + LARGE - 4) = 0x9abcdef0;
	EXPECT_EQ(0x9abcdef0, reg_read(&self->v, self->bar, LARGE - 4));
}

/* Address or size allow no large entries, or not for all of the mapping. */
TEST_F(big, is_right_where_large_entries_do_not_fit)
{
	size_t size = 2 * LARGE;
	char *mem;

	if (!bar_is_memory(self))
		SKIP(return, "the BAR is not memory");
	mark(self);
	mem = map_aligned(self, 0, size, LARGE, PAGE);
	EXPECT_TRUE(shows_marks(mem, 0, size));
	mem = map_aligned(self, PAGE, size - 2 * PAGE, LARGE, 0);
	EXPECT_TRUE(shows_marks(mem, PAGE, size - 2 * PAGE));
	mem = map_aligned(self, PAGE, size - 2 * PAGE, LARGE, PAGE);
	EXPECT_TRUE(shows_marks(mem, PAGE, size - 2 * PAGE));
	mem = map_aligned(self, LARGE - PAGE, LARGE + PAGE, LARGE,
			  LARGE - PAGE);
	EXPECT_TRUE(shows_marks(mem, LARGE - PAGE, LARGE + PAGE));
	/* The mapping ends at its size, not at the end of an entry. */
	mem = map_aligned(self, 0, LARGE + PAGE, LARGE, 0);
	EXPECT_TRUE(shows_marks(mem, 0, LARGE + PAGE));
	EXPECT_EQ(1, *(volatile char *)(mem + LARGE + PAGE));
}

TEST_F(big, faults_while_memory_is_off)
{
	size_t size = part(self);
	char *mem = map_aligned(self, 0, size, LARGE, 0);
	uint32_t value, i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, try_read((uint32_t *)mem, &value));
		ASSERT_EQ(0, try_read((uint32_t *)(mem + size - 4), &value));
		cfg_command(&self->v, 0, PCI_COMMAND_MEMORY);
		EXPECT_EQ(-EFAULT, try_read((uint32_t *)mem, &value));
		EXPECT_EQ(-EFAULT, try_read((uint32_t *)(mem + size - 4),
					    &value));
		cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	}
}

/* Unmapping a part of a large entry leaves the rest mapped. */
TEST_F(big, can_be_unmapped_in_part)
{
	char *mem = map_aligned(self, 0, 2 * LARGE, LARGE, 0);
	uint32_t value;
	int status;
	pid_t pid;

	if (!bar_is_memory(self))
		SKIP(return, "the BAR is not memory");
	mark(self);
	ASSERT_TRUE(shows_marks(mem, 0, 2 * LARGE));
	ASSERT_EQ(0, mprotect(mem, PAGE, PROT_READ));
	EXPECT_TRUE(shows_marks(mem, 0, 2 * LARGE));
	ASSERT_EQ(0, mprotect(mem, PAGE, PROT_READ | PROT_WRITE));
	*(volatile uint32_t *)(mem + 8) = 77;
	EXPECT_EQ(77, reg_read(&self->v, self->bar, 8));
	pid = fork();
	if (!pid)
		_exit(!shows_marks(mem, 0, 2 * LARGE));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, munmap(mem + PAGE, LARGE - 2 * PAGE));
	EXPECT_EQ(0, try_read((uint32_t *)mem, &value));
	EXPECT_EQ(~0U, value);
	EXPECT_TRUE(shows_marks(mem + LARGE, LARGE, LARGE));
}

/* Such mappings can be mapped for peer-to-peer DMA. */
TEST_F(big, can_be_mapped_for_dma)
{
	size_t size = part(self);
	char *mem = map_aligned(self, 0, size, LARGE, 0);

	ASSERT_EQ(0, dma_map(self->v.container, 4 * GiB, mem, size));
	EXPECT_EQ(size, dma_unmap(self->v.container, 4 * GiB, size));
	/* Without a page at each end */
	ASSERT_EQ(0, dma_map(self->v.container, 4 * GiB, mem + PAGE,
			     2 * LARGE - 2 * PAGE));
	EXPECT_EQ(2 * LARGE - 2 * PAGE,
		  dma_unmap(self->v.container, 4 * GiB, 2 * LARGE - 2 * PAGE));
}

TEST_HARNESS_MAIN
