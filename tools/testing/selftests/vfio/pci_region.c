// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions by read() and write(): GET_INFO and GET_REGION_INFO, accesses of each
 * width, the end of each region, the hidden MSI-X table, and ioeventfds.
 */
#include <linux/pci_regs.h>
#include <sys/mman.h>

#include "nic.h"
#include "pci_funcs.h"

#define NO_REGION	(~0U)

/* The BAR with the MSI-X table, and where the table is in it */
struct msix_table {
	unsigned int bar;
	uint32_t offset;
	uint32_t size;
};

static struct msix_table msix_table(const struct vdev *v)
{
	uint32_t at = cfg_cap(v, PCI_CAP_ID_MSIX);
	uint32_t table = cfg_read32(v, at + PCI_MSIX_TABLE);

	return (struct msix_table){
		.bar = table & PCI_MSIX_TABLE_BIR,
		.offset = table & PCI_MSIX_TABLE_OFFSET,
		.size = PCI_MSIX_ENTRY_SIZE *
			vdev_irq(v, VFIO_PCI_MSIX_IRQ_INDEX).count,
	};
}

TEST_F(pci, device_info_is_that_of_a_pci_device)
{
	struct vfio_device_info info = vdev_info(&self->v);

	EXPECT_TRUE(info.flags & VFIO_DEVICE_FLAGS_PCI);
	EXPECT_LE(VFIO_PCI_NUM_REGIONS, info.num_regions);
	EXPECT_EQ(VFIO_PCI_NUM_IRQS, info.num_irqs);
	if (variant->is_vf)
		EXPECT_TRUE(info.flags & VFIO_DEVICE_FLAGS_RESET);
}

TEST_F(pci, device_info_fits_argsz)
{
	struct vfio_device_info *info = mem_at_page_end(16);

	/* The oldest form, without capabilities, at the end of memory */
	memset(info, 0, 16);
	info->argsz = 16;
	EXPECT_EQ(0, sys_ioctl(self->v.fd, VFIO_DEVICE_GET_INFO, info));
	EXPECT_EQ(VFIO_PCI_NUM_IRQS, info->num_irqs);
	info->argsz = 15;
	EXPECT_EQ(-EINVAL, sys_ioctl(self->v.fd, VFIO_DEVICE_GET_INFO, info));
	info->argsz = 0;
	EXPECT_EQ(-EINVAL, sys_ioctl(self->v.fd, VFIO_DEVICE_GET_INFO, info));
	EXPECT_EQ(-EFAULT, sys_ioctl(self->v.fd, VFIO_DEVICE_GET_INFO, NULL));
}

TEST_F(pci, region_info_of_each_region)
{
	struct vfio_region_info config, rom, bar;
	char path[32];
	unsigned int i;

	for (i = 0; i < 6; i++) {
		bar = vdev_region(&self->v, i);
		EXPECT_EQ(i, bar.index);
		if (!bar.size) {
			EXPECT_EQ(0, bar.flags & (VFIO_REGION_INFO_FLAG_READ |
						  VFIO_REGION_INFO_FLAG_MMAP));
			continue;
		}
		EXPECT_TRUE(bar.flags & VFIO_REGION_INFO_FLAG_READ);
		EXPECT_TRUE(bar.flags & VFIO_REGION_INFO_FLAG_WRITE);
		snprintf(path, sizeof(path), "resource%u", i);
		EXPECT_TRUE(pci_attr_exists(self->bdf, path));
	}
	config = vdev_region(&self->v, VFIO_PCI_CONFIG_REGION_INDEX);
	EXPECT_EQ(PCI_CFG_SPACE_EXP_SIZE, config.size);
	EXPECT_EQ(VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
		  config.flags);
	rom = vdev_region(&self->v, VFIO_PCI_ROM_REGION_INDEX);
	EXPECT_EQ(0, rom.flags & VFIO_REGION_INFO_FLAG_WRITE);
}

TEST_F(pci, regions_do_not_overlap)
{
	struct vfio_region_info a, b;
	unsigned int i, j;

	for (i = 0; i < VFIO_PCI_VGA_REGION_INDEX; i++) {
		a = vdev_region(&self->v, i);
		for (j = 0; j < i; j++) {
			b = vdev_region(&self->v, j);
			EXPECT_TRUE(a.offset >= b.offset + b.size ||
				    b.offset >= a.offset + a.size);
		}
	}
}

TEST_F(pci, region_info_refuses_unknown_regions)
{
	static const uint32_t indices[] = {
		VFIO_PCI_VGA_REGION_INDEX, VFIO_PCI_NUM_REGIONS, 100,
		0x7fffffff, 0x80000000, 0xffffffff,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(indices); i++) {
		struct vfio_region_info info = {
			.argsz = sizeof(info),
			.index = indices[i],
		};

		if (indices[i] >= vdev_info(&self->v).num_regions ||
		    indices[i] == VFIO_PCI_VGA_REGION_INDEX)
			EXPECT_EQ(-EINVAL, vdev_region_get(&self->v, &info));
	}
}

TEST_F(pci, region_info_fits_argsz)
{
	struct vfio_region_info info = { .argsz = sizeof(info) - 1 };

	EXPECT_EQ(-EINVAL, vdev_region_get(&self->v, &info));
	info.argsz = 0;
	EXPECT_EQ(-EINVAL, vdev_region_get(&self->v, &info));
	EXPECT_EQ(-EFAULT, vdev_region_get(&self->v, NULL));
}

/* Buffers with different stale contents must be equal afterwards. */
TEST_F(pci, region_info_leaves_no_byte_unwritten)
{
	unsigned int i;

	for (i = 0; i < VFIO_PCI_VGA_REGION_INDEX; i++) {
		struct vfio_region_info *full = vdev_region_caps(&self->v, i);
		uint8_t *aa = malloc(full->argsz), *x55 = malloc(full->argsz);
		struct vfio_region_info *info;

		memset(aa, 0xaa, full->argsz);
		info = (void *)aa;
		info->argsz = full->argsz;
		info->index = i;
		ASSERT_EQ(0, vdev_region_get(&self->v, info));
		memset(x55, 0x55, full->argsz);
		info = (void *)x55;
		info->argsz = full->argsz;
		info->index = i;
		ASSERT_EQ(0, vdev_region_get(&self->v, info));
		/* cap_offset has a meaning only if there are capabilities. */
		if (!(full->flags & VFIO_REGION_INFO_FLAG_CAPS)) {
			((struct vfio_region_info *)aa)->cap_offset = 0;
			((struct vfio_region_info *)x55)->cap_offset = 0;
		}
		EXPECT_TRUE(all_bytes_written(aa, x55, full->argsz)) {
			TH_LOG("region %u, %u bytes", i, full->argsz);
		}
		free(full);
	}
}

/*
 * Room for the structure but not for the capabilities: the kernel returns the
 * size and writes nothing beyond argsz.
 */
TEST_F(pci, region_info_returns_the_size_of_capabilities)
{
	struct msix_table table = msix_table(&self->v);
	struct vfio_region_info *full, *info;

	full = vdev_region_caps(&self->v, table.bar);
	if (!(full->flags & VFIO_REGION_INFO_FLAG_CAPS))
		SKIP(return, "the BAR has no capabilities");
	info = mem_at_page_end(sizeof(*info));
	*info = (struct vfio_region_info){
		.argsz = sizeof(*info), .index = table.bar,
	};
	ASSERT_EQ(0, vdev_region_get(&self->v, info));
	EXPECT_TRUE(info->flags & VFIO_REGION_INFO_FLAG_CAPS);
	EXPECT_EQ(full->argsz, info->argsz);
	EXPECT_EQ(0, info->cap_offset);
}

TEST_F(pci, msix_bar_can_be_mapped)
{
	struct msix_table table = msix_table(&self->v);
	struct vfio_region_info *info = vdev_region_caps(&self->v, table.bar);

	if (!(info->flags & VFIO_REGION_INFO_FLAG_MMAP))
		SKIP(return, "BAR%u is smaller than a page", table.bar);
	ASSERT_TRUE(info->flags & VFIO_REGION_INFO_FLAG_CAPS);
	EXPECT_NE((void *)NULL, info_cap(info, info->argsz, info->cap_offset,
				 VFIO_REGION_INFO_CAP_MSIX_MAPPABLE));
}

TEST_F(pci, takes_accesses_of_every_width)
{
	uint32_t offset = variant->is_vf ? EITR0 : 0, reg, i;
	uint8_t bytes[8] = {};
	uint16_t words[2];
	uint64_t both;

	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	if (variant->is_vf)
		reg_write(&self->v, 0, offset, 0x12345678 & 0x7ffc);
	reg = reg_read(&self->v, 0, offset);
	ASSERT_EQ(8, region_read(&self->v, 0, offset, &both, 8));
	EXPECT_EQ(reg, (uint32_t)both);
	EXPECT_EQ(reg_read(&self->v, 0, offset + 4), (uint32_t)(both >> 32));
	/* Narrow accesses succeed; devices may ignore them. */
	for (i = 0; i < 4; i++)
		EXPECT_EQ(1, region_read(&self->v, 0, offset + i, bytes + i,
					 1));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(2, region_read(&self->v, 0, offset + 2 * i,
					 words + i, 2));
	/* Odd offsets and lengths */
	EXPECT_EQ(7, region_read(&self->v, 0, offset + 1, bytes, 7));
}

static void check_ends(struct __test_metadata *_metadata, struct vdev *v,
		       unsigned int index)
{
	struct vfio_region_info info = vdev_region(v, index);
	static const uint64_t beyond[] = {
		0, 1, 2, 4, 8, 4096, 1ULL << 31, 1ULL << 32, (1ULL << 40) - 8,
	};
	uint8_t buf[64];
	unsigned int i;

	/* The last bytes */
	for (i = 1; i <= 8 && info.size; i *= 2)
		EXPECT_EQ(i, region_read(v, index, info.size - i, buf, i)) {
			TH_LOG("region %u: last %u bytes", index, i);
		}
	/* At the end and beyond it, up to the next region */
	for (i = 0; i < ARRAY_SIZE(beyond); i++) {
		uint64_t at = info.size + beyond[i];

		if (at >= 1ULL << 40)
			at = (1ULL << 40) - 1;
		memset(buf, 0xa5, sizeof(buf));
		EXPECT_GE(0, region_read(v, index, at, buf, 4)) {
			TH_LOG("region %u: read at size + %#llx", index,
			       (unsigned long long)beyond[i]);
		}
		EXPECT_EQ(0xa5, buf[0]);
		if (info.flags & VFIO_REGION_INFO_FLAG_WRITE || !info.size)
			EXPECT_GE(0, region_write(v, index, at, buf, 4)) {
				TH_LOG("region %u: write at size + %#llx",
				       index, (unsigned long long)beyond[i]);
			}
	}
	/* Across the end: a short access, or an error */
	for (i = 2; i <= 64 && info.size; i *= 2) {
		memset(buf, 0xa5, sizeof(buf));
		EXPECT_GE((int)i / 2, region_read(v, index, info.size - i / 2,
						  buf, i)) {
			TH_LOG("region %u: %u bytes across", index, i);
		}
		EXPECT_EQ(0xa5, buf[i / 2]);
	}
}

TEST_F(pci, access_beyond_the_end_fails)
{
	unsigned int i;

	cfg_command(&self->v, PCI_COMMAND_MEMORY | PCI_COMMAND_IO, 0);
	for (i = 0; i < VFIO_PCI_VGA_REGION_INDEX; i++)
		check_ends(_metadata, &self->v, i);
}

TEST_F(pci, access_outside_of_regions_fails)
{
	uint64_t first = (uint64_t)vdev_info(&self->v).num_regions << 40;
	uint32_t value;

	EXPECT_EQ(-EINVAL, sys_pread(self->v.fd, &value, 4, first));
	EXPECT_EQ(-EINVAL, sys_pwrite(self->v.fd, &value, 4, first));
	EXPECT_EQ(-EINVAL, sys_pread(self->v.fd, &value, 4, 1ULL << 62));
	EXPECT_GT(0, sys_pread(self->v.fd, &value, 4,
			       0x7ffffffffffffffcULL));
	EXPECT_GT(0, sys_pread(self->v.fd, &value, 4, -4LL));
}

TEST_F(pci, bad_user_memory_is_refused)
{
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	EXPECT_EQ(0, region_read(&self->v, 0, 0, NULL, 0));
	EXPECT_EQ(0, region_write(&self->v, 0, 0, NULL, 0));
	EXPECT_EQ(-EFAULT, region_read(&self->v, 0, 8, NULL, 4));
	EXPECT_EQ(-EFAULT, region_write(&self->v, 0, 8, NULL, 4));
	EXPECT_GE(0, region_write(&self->v, VFIO_PCI_ROM_REGION_INDEX, 0,
				  NULL, 4));
}

TEST_F(pci, rom_can_be_read)
{
	uint64_t size = vdev_region(&self->v, VFIO_PCI_ROM_REGION_INDEX).size;
	uint8_t *rom;
	ssize_t ret;

	if (!size)
		SKIP(return, "%s has no ROM", self->bdf);
	rom = malloc(size);
	ret = region_read(&self->v, VFIO_PCI_ROM_REGION_INDEX, 0, rom, size);
	ASSERT_EQ(size, ret);
	EXPECT_GE(0, region_write(&self->v, VFIO_PCI_ROM_REGION_INDEX, 0,
				  "\x55\xaa", 2));
	/* A ROM begins with 55 AA; without one, all bits are set. */
	if (rom[0] != 0xff)
		EXPECT_EQ(0xaa55, rom[0] | rom[1] << 8);
}

/*
 * read() and write() do not reach the MSI-X table, and interrupts work whatever
 * was written.
 */
TEST_F(pci, msix_table_is_hidden)
{
	struct msix_table table = msix_table(&self->v);
	uint8_t *junk = malloc(table.size), *seen = malloc(table.size);
	int32_t fd = eventfd_new();
	uint32_t i;

	cfg_command(&self->v, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	must(irq_eventfds(&self->v, VFIO_PCI_MSIX_IRQ_INDEX, 0, &fd, 1));
	memset(junk, 0x5a, table.size);
	ASSERT_EQ(table.size, region_write(&self->v, table.bar, table.offset,
					   junk, table.size));
	ASSERT_EQ(table.size, region_read(&self->v, table.bar, table.offset,
					  seen, table.size));
	for (i = 0; i < table.size; i++)
		EXPECT_EQ(0xff, seen[i]) {
			TH_LOG("byte %u of the table", i);
			break;
		}
	/* In an access across its end, only the table is hidden. */
	ASSERT_EQ(8, region_read(&self->v, table.bar,
				 table.offset + table.size - 4, seen, 8));
	EXPECT_EQ(0xff, seen[3]);
	if (!variant->is_vf)
		return;
	vf_vectors_on(&self->v);
	vf_raise(&self->v, BIT(0));
	EXPECT_EQ(1, eventfd_wait(fd));
}

/* ioeventfds */

static int ioeventfd(const struct vdev *v, uint32_t flags, unsigned int index,
		     uint64_t offset, uint64_t data, int fd)
{
	struct vfio_device_ioeventfd arg = {
		.argsz = sizeof(arg),
		.flags = flags,
		.offset = ((uint64_t)index << 40) + offset,
		.data = data,
		.fd = fd,
	};

	return sys_ioctl(v->fd, VFIO_DEVICE_IOEVENTFD, &arg);
}

TEST_F(pci, ioeventfd_writes)
{
	int fd = eventfd_new();

	if (!variant->is_vf || variant->igbvf)
		SKIP(return, "the device has no register for this test");
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	reg_write(&self->v, 0, EITR0, 0);
	ASSERT_EQ(0, ioeventfd(&self->v, VFIO_DEVICE_IOEVENTFD_32, 0, EITR0,
			       0x1230, fd));
	/* The same again is refused; one with another value is not. */
	EXPECT_EQ(-EEXIST, ioeventfd(&self->v, VFIO_DEVICE_IOEVENTFD_32, 0,
				     EITR0, 0x1230, fd));
	EXPECT_EQ(0, reg_read(&self->v, 0, EITR0));
	eventfd_kick(fd);
	EXPECT_TRUE(poll_until(reg_read(&self->v, 0, EITR0) == 0x1230));

	ASSERT_EQ(0, ioeventfd(&self->v, VFIO_DEVICE_IOEVENTFD_32, 0, EITR0,
			       0x1230, -1));
	reg_write(&self->v, 0, EITR0, 0);
	eventfd_kick(fd);
	EXPECT_EQ(-ENODEV, ioeventfd(&self->v, VFIO_DEVICE_IOEVENTFD_32, 0,
				     EITR0, 0x1230, -1));
	EXPECT_EQ(0, reg_read(&self->v, 0, EITR0));
}

TEST_F(pci, ioeventfd_refuses_bad_arguments)
{
	struct msix_table table = msix_table(&self->v);
	uint64_t size = vdev_region(&self->v, 0).size;
	const uint32_t f32 = VFIO_DEVICE_IOEVENTFD_32;
	struct vdev *v = &self->v;
	int fd = eventfd_new();

	if (variant->igbvf)
		SKIP(return, "%s has no ioeventfds", variant->driver);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	/* Sizes: none, two, unknown */
	EXPECT_EQ(-EINVAL, ioeventfd(v, 0, 0, 0x1680, 0, fd));
	EXPECT_EQ(-EINVAL, ioeventfd(v, f32 | VFIO_DEVICE_IOEVENTFD_16, 0,
				     0x1680, 0, fd));
	EXPECT_EQ(-EINVAL, ioeventfd(v, f32 | 0x100, 0, 0x1680, 0, fd));
	EXPECT_EQ(-EINVAL, ioeventfd(v, 0x10, 0, 0x1680, 0, fd));
	/* Places */
	EXPECT_EQ(-EINVAL, ioeventfd(v, f32, 0, size, 0, fd));
	EXPECT_EQ(-EINVAL, ioeventfd(v, f32, 0, size - 2, 0, fd));
	EXPECT_EQ(-EINVAL, ioeventfd(v, f32, 0, (1ULL << 40) - 2, 0, fd));
	EXPECT_EQ(-EINVAL, ioeventfd(v, f32, table.bar, table.offset, 0, fd));
	EXPECT_EQ(-EINVAL, ioeventfd(v, f32, table.bar,
				     table.offset + table.size - 2, 0, fd));
	EXPECT_EQ(-EINVAL, ioeventfd(v, f32, VFIO_PCI_CONFIG_REGION_INDEX, 4,
				     0, fd));
	EXPECT_EQ(-EINVAL, ioeventfd(v, f32, VFIO_PCI_ROM_REGION_INDEX, 0, 0,
				     fd));
	EXPECT_EQ(-EINVAL, ioeventfd(v, f32, 100, 0, 0, fd));
	EXPECT_EQ(-EINVAL, ioeventfd(v, f32, 0x7fffff, 0, 0, fd));
	/* Eventfds */
	EXPECT_EQ(-EINVAL, ioeventfd(v, f32, 0, 0x1680, 0, -2));
	EXPECT_EQ(-EBADF, ioeventfd(v, f32, 0, 0x1680, 0, 9999));
	EXPECT_EQ(-EINVAL, ioeventfd(v, f32, 0, 0x1680, 0, v->container));
	EXPECT_EQ(-ENODEV, ioeventfd(v, f32, 0, 0x1680, 0, -1));
}

/*
 * An ioeventfd must not bypass a driver that emulates registers, whatever the
 * user writes to the structure while the kernel reads it: such a driver has
 * none, not even in pages that can be mapped.
 */
TEST_F(pci, ioeventfds_do_not_exist_with_traps)
{
	static const uint32_t regs[] = { VTCTRL, V2PMAILBOX, EITR0, TDT };
	int fd = eventfd_new();
	unsigned int i;

	if (!variant->igbvf)
		SKIP(return, "%s traps no page", variant->driver);
	for (i = 0; i < ARRAY_SIZE(regs); i++)
		EXPECT_EQ(-ENOTTY, ioeventfd(&self->v, VFIO_DEVICE_IOEVENTFD_32,
					     0, regs[i], 1, fd));
	EXPECT_EQ(-ENOTTY, ioeventfd(&self->v, VFIO_DEVICE_IOEVENTFD_32, 3, 0,
				     1, fd));
}

TEST_F(pci, ioeventfds_are_limited)
{
	int fd = eventfd_new(), ret = 0;
	unsigned int i;

	if (!variant->is_vf || variant->igbvf)
		SKIP(return, "the device has no register for this test");
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	for (i = 0; !ret && i < 5000; i++)
		ret = ioeventfd(&self->v, VFIO_DEVICE_IOEVENTFD_32, 0, EITR0,
				i, fd);
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_EQ(1001, i);
	/* One event fires all; the close of the device frees them. */
	eventfd_kick(fd);
}

TEST_F(pci, refuses_unknown_ioctls)
{
	EXPECT_EQ(-ENOTTY, sys_ioctl(self->v.fd, _IO(VFIO_TYPE, 0xff), NULL));
	EXPECT_EQ(-ENOTTY, sys_ioctl(self->v.fd, _IO('x', 1), NULL));
	EXPECT_EQ(-ENOTTY, sys_ioctl(self->v.fd, VFIO_DEVICE_QUERY_GFX_PLANE,
				     NULL));
}

TEST_HARNESS_MAIN
