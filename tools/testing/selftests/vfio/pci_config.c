// SPDX-License-Identifier: GPL-2.0-only
/*
 * Configuration space as the guest sees it: passed through, emulated and
 * read-only bits, and its end.
 */
#include <linux/pci_regs.h>

#include "pci_funcs.h"

#define CONFIG	VFIO_PCI_CONFIG_REGION_INDEX

/*
 * Clears COMMAND and BARs, as a reset does that the device performs on its own
 * without the kernel's knowledge.
 */
static void forget_config(const char *bdf)
{
	static const uint32_t zeroes[6];
	int fd = real_config_open(bdf);

	must(sys_pwrite(fd, zeroes, 2, PCI_COMMAND));
	must(sys_pwrite(fd, zeroes, sizeof(zeroes), PCI_BASE_ADDRESS_0));
	sys_close(fd);
}

TEST_F(pci, ids_are_those_of_the_function)
{
	const struct vdev *v = &self->v;

	EXPECT_EQ(pci_attr_number(self->bdf, "vendor"),
		  cfg_read16(v, PCI_VENDOR_ID));
	EXPECT_EQ(pci_attr_number(self->bdf, "device"),
		  cfg_read16(v, PCI_DEVICE_ID));
	EXPECT_EQ(pci_attr_number(self->bdf, "subsystem_vendor"),
		  cfg_read16(v, PCI_SUBSYSTEM_VENDOR_ID));
	EXPECT_EQ(pci_attr_number(self->bdf, "subsystem_device"),
		  cfg_read16(v, PCI_SUBSYSTEM_ID));
	EXPECT_EQ(pci_attr_number(self->bdf, "class"),
		  cfg_read32(v, PCI_CLASS_REVISION) >> 8);
}

TEST_F(pci, every_byte_can_be_read_alone)
{
	uint64_t size = vdev_region(&self->v, CONFIG).size;
	uint8_t *bulk = malloc(size), *bytes = malloc(size);
	uint16_t *words = malloc(size);
	uint32_t at;

	ASSERT_TRUE(size == PCI_CFG_SPACE_SIZE ||
		    size == PCI_CFG_SPACE_EXP_SIZE);
	ASSERT_EQ(size, region_read(&self->v, CONFIG, 0, bulk, size));
	for (at = 0; at < size; at++)
		bytes[at] = cfg_read8(&self->v, at);
	for (at = 0; at < size; at += 2)
		words[at / 2] = cfg_read16(&self->v, at);
	EXPECT_EQ(0, memcmp(bulk, bytes, size));
	EXPECT_EQ(0, memcmp(bulk, words, size));
	/* Odd offsets and lengths are split into accesses. */
	ASSERT_EQ(61, region_read(&self->v, CONFIG, 1, bytes, 61));
	EXPECT_EQ(0, memcmp(bulk + 1, bytes, 61));
	ASSERT_EQ(7, region_read(&self->v, CONFIG, size - 7, bytes, 7));
	EXPECT_EQ(0, memcmp(bulk + size - 7, bytes, 7));
}

TEST_F(pci, access_beyond_the_end_fails)
{
	uint64_t size = vdev_region(&self->v, CONFIG).size;
	uint8_t buf[16];
	ssize_t ret;

	memset(buf, 0xa5, sizeof(buf));
	EXPECT_EQ(1, region_read(&self->v, CONFIG, size - 1, buf, 1));
	EXPECT_GE(0, region_read(&self->v, CONFIG, size, buf, 1));
	EXPECT_GE(0, region_read(&self->v, CONFIG, size + 4, buf, 4));
	EXPECT_GE(0, region_write(&self->v, CONFIG, size, buf, 4));
	/* Across the end: a short access or an error. */
	memset(buf, 0xa5, sizeof(buf));
	ret = region_read(&self->v, CONFIG, size - 4, buf, 16);
	EXPECT_GE(4, ret);
	EXPECT_EQ(0xa5, buf[4]);
	EXPECT_EQ(0xa5, buf[15]);
	EXPECT_GE(4, region_write(&self->v, CONFIG, size - 4, buf, 16));
}

TEST_F(pci, bad_user_memory_is_refused)
{
	uint8_t *mem = mem_at_page_end(2);

	EXPECT_EQ(-EFAULT, region_read(&self->v, CONFIG, 0, NULL, 4));
	EXPECT_EQ(-EFAULT, region_write(&self->v, CONFIG, 0, NULL, 4));
	EXPECT_EQ(2, region_read(&self->v, CONFIG, 0, mem, 2));
	EXPECT_EQ(-EFAULT, region_read(&self->v, CONFIG, 0, mem, 4));
}

/*
 * Sizes a BAR as operating systems do.  The device's real BAR must not change.
 */
TEST_F(pci, bars_are_sized_and_emulated)
{
	const struct vdev *v = &self->v;
	unsigned int bar;

	for (bar = 0; bar < 6; bar++) {
		uint32_t at = PCI_BASE_ADDRESS_0 + 4 * bar;
		uint64_t size = vdev_region(v, bar).size;
		uint32_t real = real_config(self->bdf, at, 4);
		uint32_t old = cfg_read32(v, at), low, high = ~0U;
		uint64_t mask;
		bool is_64 = false;

		cfg_write32(v, at, ~0U);
		low = cfg_read32(v, at);
		if (!size) {
			EXPECT_EQ(0, low);
			continue;
		}
		if (low & PCI_BASE_ADDRESS_SPACE_IO) {
			mask = low & PCI_BASE_ADDRESS_IO_MASK;
			mask |= 0xffff0000;
		} else {
			mask = low & PCI_BASE_ADDRESS_MEM_MASK;
			is_64 = (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) ==
				PCI_BASE_ADDRESS_MEM_TYPE_64;
		}
		if (is_64) {
			cfg_write32(v, at + 4, ~0U);
			high = cfg_read32(v, at + 4);
			cfg_write32(v, at + 4, 0);
		}
		mask |= (uint64_t)high << 32;
		EXPECT_EQ(size, ~mask + 1) {
			TH_LOG("BAR%u", bar);
		}
		/* An address within the mask reads back. */
		cfg_write32(v, at, 0xf0000000 | (size - 1));
		EXPECT_EQ(0xf0000000 & (uint32_t)mask,
			  cfg_read32(v, at) & (uint32_t)mask);
		EXPECT_EQ(old & 0xf, cfg_read32(v, at) & 0xf);
		/* So do single bytes. */
		cfg_write8(v, at + 3, 0xe5);
		EXPECT_EQ(0xe5 & (uint8_t)(mask >> 24), cfg_read8(v, at + 3));
		cfg_write32(v, at, old);
		EXPECT_EQ(real, real_config(self->bdf, at, 4));
		if (is_64)
			bar++;
	}
}

TEST_F(pci, rom_bar_is_sized)
{
	uint64_t size = vdev_region(&self->v, VFIO_PCI_ROM_REGION_INDEX).size;
	uint32_t real = real_config(self->bdf, PCI_ROM_ADDRESS, 4);
	uint32_t old = cfg_read32(&self->v, PCI_ROM_ADDRESS), mask;

	cfg_write32(&self->v, PCI_ROM_ADDRESS, PCI_ROM_ADDRESS_MASK);
	mask = cfg_read32(&self->v, PCI_ROM_ADDRESS) & PCI_ROM_ADDRESS_MASK;
	EXPECT_EQ(size, (uint64_t)(uint32_t)(~mask + 1) * !!mask);
	cfg_write32(&self->v, PCI_ROM_ADDRESS, old);
	EXPECT_EQ(real, real_config(self->bdf, PCI_ROM_ADDRESS, 4));
}

TEST_F(pci, read_only_registers_do_not_change)
{
	static const struct {
		uint32_t at;
		uint32_t size;
	} fields[] = {
		{ PCI_VENDOR_ID, 2 }, { PCI_DEVICE_ID, 2 },
		{ PCI_REVISION_ID, 1 }, { PCI_CLASS_PROG, 1 },
		{ PCI_CLASS_DEVICE, 2 }, { PCI_HEADER_TYPE, 1 },
		{ PCI_CARDBUS_CIS, 4 }, { PCI_SUBSYSTEM_VENDOR_ID, 2 },
		{ PCI_SUBSYSTEM_ID, 2 }, { PCI_CAPABILITY_LIST, 1 },
		{ PCI_INTERRUPT_PIN, 1 }, { PCI_MIN_GNT, 1 },
		{ PCI_MAX_LAT, 1 },
	};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		for (j = 0; j < fields[i].size; j++) {
			uint32_t at = fields[i].at + j;
			uint8_t old = cfg_read8(&self->v, at);

			cfg_write8(&self->v, at, ~old);
			EXPECT_EQ(old, cfg_read8(&self->v, at)) {
				TH_LOG("byte %#x", at);
			}
		}
	}
}

TEST_F(pci, interrupt_line_is_emulated)
{
	cfg_write8(&self->v, PCI_INTERRUPT_LINE, 0x5a);
	EXPECT_EQ(0x5a, cfg_read8(&self->v, PCI_INTERRUPT_LINE));
	cfg_write8(&self->v, PCI_INTERRUPT_LINE, 0x0b);
	EXPECT_EQ(0x0b, cfg_read8(&self->v, PCI_INTERRUPT_LINE));
	if (variant->is_vf)
		EXPECT_EQ(0, cfg_read8(&self->v, PCI_INTERRUPT_PIN));
}

TEST_F(pci, command_register_is_emulated_in_part)
{
	const struct vdev *v = &self->v;
	uint32_t value;

	cfg_write16(v, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	EXPECT_EQ(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
		  cfg_read16(v, PCI_COMMAND) &
		  (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
	EXPECT_TRUE(real_config(self->bdf, PCI_COMMAND, 2) &
		    PCI_COMMAND_MASTER);
	EXPECT_EQ(4, region_read(v, 0, 8, &value, 4));

	/* Off, for the guest and for the device */
	cfg_write16(v, PCI_COMMAND, 0);
	EXPECT_EQ(0, cfg_read16(v, PCI_COMMAND) &
		     (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
	EXPECT_FALSE(real_config(self->bdf, PCI_COMMAND, 2) &
		     PCI_COMMAND_MASTER);
	/* The PF enables a VF's memory: the VF's bit is emulated. */
	if (variant->is_vf) {
		EXPECT_EQ(4, region_read(v, 0, 8, &value, 4));
	} else {
		EXPECT_EQ(-EIO, region_read(v, 0, 8, &value, 4));
		EXPECT_EQ(-EIO, region_write(v, 0, 8, &value, 4));
	}

	cfg_write8(v, PCI_COMMAND, PCI_COMMAND_MEMORY);
	EXPECT_EQ(PCI_COMMAND_MEMORY, cfg_read16(v, PCI_COMMAND) &
				      PCI_COMMAND_MEMORY);
	EXPECT_EQ(4, region_read(v, 0, 8, &value, 4));
}

/* Bits that the device does not implement stay 0. */
TEST_F(pci, command_register_has_only_implemented_bits)
{
	cfg_write16(&self->v, PCI_COMMAND, 0xffff);
	EXPECT_EQ(0, cfg_read16(&self->v, PCI_COMMAND) & 0xf800);
	cfg_write16(&self->v, PCI_COMMAND, PCI_COMMAND_MEMORY);
	EXPECT_EQ(PCI_COMMAND_MEMORY, cfg_read16(&self->v, PCI_COMMAND) &
				      (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
}

/*
 * A guest restores COMMAND after a reset by the device itself.  The kernel sees
 * no change of the value, but the device must decode again.
 */
TEST_F(pci, command_can_be_restored_after_the_devices_own_reset)
{
	uint16_t on = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	const struct vdev *v = &self->v;
	uint32_t bar, reg;

	if (variant->is_vf)
		SKIP(return, "a VF has no BARs of its own");
	cfg_write16(v, PCI_COMMAND, on);
	bar = real_config(self->bdf, PCI_BASE_ADDRESS_0, 4);
	reg = reg_read(v, 0, 8);
	ASSERT_NE(0, bar);

	forget_config(self->bdf);
	ASSERT_NE(bar, real_config(self->bdf, PCI_BASE_ADDRESS_0, 4));
	cfg_write16(v, PCI_COMMAND, on);
	EXPECT_EQ(bar, real_config(self->bdf, PCI_BASE_ADDRESS_0, 4));
	EXPECT_EQ(on | PCI_COMMAND_INTX_DISABLE,
		  real_config(self->bdf, PCI_COMMAND, 2));
	EXPECT_EQ(reg, reg_read(v, 0, 8));
}

/* The kernel turns on decoding to access the MSI-X table. */
TEST_F(pci, msix_works_after_the_devices_own_reset)
{
	int32_t fd = eventfd_new();
	uint32_t bar;

	if (variant->is_vf)
		SKIP(return, "a VF has no BARs of its own");
	cfg_write16(&self->v, PCI_COMMAND, PCI_COMMAND_MEMORY);
	bar = real_config(self->bdf, PCI_BASE_ADDRESS_0, 4);
	forget_config(self->bdf);
	ASSERT_EQ(0, irq_eventfds(&self->v, VFIO_PCI_MSIX_IRQ_INDEX, 0, &fd,
				  1));
	EXPECT_EQ(bar, real_config(self->bdf, PCI_BASE_ADDRESS_0, 4));
}

/* INTx sets the interrupt disable bit, in use or not. */
TEST_F(pci, intx_works_after_the_devices_own_reset)
{
	const struct vdev *v = &self->v;
	int32_t fd = eventfd_new();
	int masked;

	if (!vdev_irq(v, VFIO_PCI_INTX_IRQ_INDEX).count)
		SKIP(return, "%s has no INTx", self->bdf);
	cfg_write16(v, PCI_COMMAND, PCI_COMMAND_MEMORY);
	ASSERT_EQ(0, irq_eventfds(v, VFIO_PCI_INTX_IRQ_INDEX, 0, &fd, 1));
	for (masked = 1; masked >= 0; masked--) {
		ASSERT_EQ(0, masked ? irq_mask(v, VFIO_PCI_INTX_IRQ_INDEX) :
				      irq_unmask(v, VFIO_PCI_INTX_IRQ_INDEX));
		forget_config(self->bdf);
		cfg_write16(v, PCI_COMMAND, PCI_COMMAND_MEMORY);
		EXPECT_EQ(masked ? PCI_COMMAND_INTX_DISABLE : 0,
			  real_config(self->bdf, PCI_COMMAND, 2) &
			  PCI_COMMAND_INTX_DISABLE);
	}
}

/* The guest reads back its sizes; the real payload size does not change. */
TEST_F(pci, payload_size_is_emulated)
{
	uint32_t at = cfg_cap(&self->v, PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL;
	uint16_t sizes = PCI_EXP_DEVCTL_PAYLOAD_512B |
			 PCI_EXP_DEVCTL_READRQ_1024B;
	uint16_t both = PCI_EXP_DEVCTL_PAYLOAD | PCI_EXP_DEVCTL_READRQ;
	uint16_t old = cfg_read16(&self->v, at);
	uint32_t real = real_config(self->bdf, at, 2);

	cfg_write16(&self->v, at, (old & ~both) | sizes);
	EXPECT_EQ(sizes, cfg_read16(&self->v, at) & both);
	EXPECT_EQ(real & PCI_EXP_DEVCTL_PAYLOAD,
		  real_config(self->bdf, at, 2) & PCI_EXP_DEVCTL_PAYLOAD);
	cfg_write16(&self->v, at, old);
}

TEST_F(pci, capability_list_is_read_only)
{
	const struct vdev *v = &self->v;
	unsigned int links = 0;
	uint8_t at;

	ASSERT_TRUE(cfg_read16(v, PCI_STATUS) & PCI_STATUS_CAP_LIST);
	for (at = cfg_read8(v, PCI_CAPABILITY_LIST); at;
	     at = cfg_read8(v, at + PCI_CAP_LIST_NEXT)) {
		ASSERT_LE(PCI_STD_HEADER_SIZEOF, at);
		ASSERT_EQ(0, at % 4);
		ASSERT_GT(48, ++links);
		/* ID and link cannot be written. */
		cfg_write16(v, at, 0xffff);
		ASSERT_EQ(real_config(self->bdf, at, 1), cfg_read8(v, at));
		ASSERT_NE(0xff, cfg_read8(v, at + 1));
	}
	EXPECT_NE(0, cfg_cap(v, PCI_CAP_ID_EXP));
	EXPECT_NE(0, cfg_cap(v, PCI_CAP_ID_MSIX));
}

TEST_F(pci, extended_capability_list_is_read_only)
{
	const struct vdev *v = &self->v;
	unsigned int links = 0;
	uint32_t at, header;

	ASSERT_EQ(PCI_CFG_SPACE_EXP_SIZE, vdev_region(v, CONFIG).size);
	header = cfg_read32(v, PCI_CFG_SPACE_SIZE);
	if (!header && !real_config(self->bdf, PCI_CFG_SPACE_SIZE, 4))
		SKIP(return, "%s has no extended capabilities", self->bdf);
	for (at = PCI_CFG_SPACE_SIZE; at; at = PCI_EXT_CAP_NEXT(header)) {
		ASSERT_LE(PCI_CFG_SPACE_SIZE, at);
		ASSERT_EQ(0, at % 4);
		ASSERT_GT(960, ++links);
		header = cfg_read32(v, at);
		cfg_write32(v, at, ~header);
		ASSERT_EQ(header, cfg_read32(v, at));
	}
	/* A VF user does not see these. */
	EXPECT_EQ(0, cfg_ext_cap(v, PCI_EXT_CAP_ID_SRIOV));
}

/*
 * The host's kernel may want to know of advisory errors, as Linux 7.3 does.  The user
 * does not see that: VMMs compare the configuration spaces of two hosts.
 */
TEST_F(pci, advisory_errors_are_masked_at_first)
{
	uint32_t exp = cfg_cap(&self->v, PCI_CAP_ID_EXP);
	uint32_t err = cfg_ext_cap(&self->v, PCI_EXT_CAP_ID_ERR);

	if (!err || !(cfg_read32(&self->v, exp + PCI_EXP_DEVCAP) &
		      PCI_EXP_DEVCAP_RBER))
		SKIP(return, "%s has no advisory errors", self->bdf);
	EXPECT_TRUE(cfg_read32(&self->v, err + PCI_ERR_COR_MASK) &
		    PCI_ERR_COR_ADV_NFAT);
}

TEST_F(pci, msix_capability_is_emulated)
{
	uint32_t at = cfg_cap(&self->v, PCI_CAP_ID_MSIX);
	uint16_t flags = cfg_read16(&self->v, at + PCI_MSIX_FLAGS);
	uint32_t table = cfg_read32(&self->v, at + PCI_MSIX_TABLE);
	uint32_t pba = cfg_read32(&self->v, at + PCI_MSIX_PBA);

	EXPECT_EQ(vdev_irq(&self->v, VFIO_PCI_MSIX_IRQ_INDEX).count,
		  (flags & PCI_MSIX_FLAGS_QSIZE) + 1);
	cfg_write16(&self->v, at + PCI_MSIX_FLAGS,
		    flags | PCI_MSIX_FLAGS_ENABLE);
	EXPECT_FALSE(real_config(self->bdf, at + PCI_MSIX_FLAGS, 2) &
		     PCI_MSIX_FLAGS_ENABLE);
	cfg_write16(&self->v, at + PCI_MSIX_FLAGS, flags ^ 0x7ff);
	EXPECT_EQ(flags & 0x7ff, cfg_read16(&self->v, at + PCI_MSIX_FLAGS) &
				 0x7ff);
	cfg_write32(&self->v, at + PCI_MSIX_TABLE, ~table);
	EXPECT_EQ(table, cfg_read32(&self->v, at + PCI_MSIX_TABLE));
	cfg_write32(&self->v, at + PCI_MSIX_PBA, ~pba);
	EXPECT_EQ(pba, cfg_read32(&self->v, at + PCI_MSIX_PBA));
}

TEST_F(pci, msi_capability_is_emulated)
{
	uint32_t at = cfg_cap(&self->v, PCI_CAP_ID_MSI);
	uint32_t real;

	if (!at)
		SKIP(return, "%s has no MSI", self->bdf);
	real = real_config(self->bdf, at + PCI_MSI_ADDRESS_LO, 4);
	/* The guest reads back its own address and data ... */
	cfg_write32(&self->v, at + PCI_MSI_ADDRESS_LO, 0xfee01004);
	EXPECT_EQ(0xfee01004, cfg_read32(&self->v, at + PCI_MSI_ADDRESS_LO));
	/* ... but the device keeps the kernel's. */
	EXPECT_EQ(real, real_config(self->bdf, at + PCI_MSI_ADDRESS_LO, 4));
	cfg_write16(&self->v, at + PCI_MSI_FLAGS,
		    cfg_read16(&self->v, at + PCI_MSI_FLAGS) |
		    PCI_MSI_FLAGS_ENABLE);
	EXPECT_FALSE(real_config(self->bdf, at + PCI_MSI_FLAGS, 2) &
		     PCI_MSI_FLAGS_ENABLE);
}

TEST_F(pci, enters_and_leaves_d3hot)
{
	uint32_t at = cfg_cap(&self->v, PCI_CAP_ID_PM), value;

	if (!at)
		SKIP(return, "%s has no power management", self->bdf);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	ASSERT_EQ(4, region_read(&self->v, 0, 8, &value, 4));
	cfg_write16(&self->v, at + PCI_PM_CTRL, 3);
	EXPECT_EQ(3, cfg_read16(&self->v, at + PCI_PM_CTRL) &
		     PCI_PM_CTRL_STATE_MASK);
	EXPECT_EQ(-EIO, region_read(&self->v, 0, 8, &value, 4));
	cfg_write16(&self->v, at + PCI_PM_CTRL, 0);
	EXPECT_EQ(0, cfg_read16(&self->v, at + PCI_PM_CTRL) &
		     PCI_PM_CTRL_STATE_MASK);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	EXPECT_EQ(4, region_read(&self->v, 0, 8, &value, 4));
}

/*
 * Changes in D3hot take effect afterwards, whatever wakes the device.
 */
TEST_F(pci, command_written_in_d3hot_takes_effect)
{
	uint32_t at = cfg_cap(&self->v, PCI_CAP_ID_PM);
	const struct vdev *v = &self->v;
	uint16_t want = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	int reset;

	if (!at)
		SKIP(return, "%s has no power management", self->bdf);
	for (reset = 0; reset < 2; reset++) {
		cfg_write16(v, PCI_COMMAND, 0);
		cfg_write16(v, at + PCI_PM_CTRL, 3);
		cfg_write16(v, PCI_COMMAND, want);
		if (reset) {
			ASSERT_EQ(0, device_reset(v));
		} else {
			cfg_write16(v, at + PCI_PM_CTRL, 0);
		}
		EXPECT_EQ(want, cfg_read16(v, PCI_COMMAND) & want);
		EXPECT_EQ(want, real_config(self->bdf, PCI_COMMAND, 2) & want);
		/* INTx has no handler: it stays disabled. */
		EXPECT_TRUE(real_config(self->bdf, PCI_COMMAND, 2) &
			    PCI_COMMAND_INTX_DISABLE);
	}
}

/* A device that was closed in D3hot works for the next user. */
TEST_F(pci, works_after_close_in_d3hot)
{
	uint32_t at = cfg_cap(&self->v, PCI_CAP_ID_PM), value;

	if (!at)
		SKIP(return, "%s has no power management", self->bdf);
	cfg_write16(&self->v, at + PCI_PM_CTRL, 3);
	vdev_close(&self->v);
	vdev_open(&self->v, self->bdf, variant->driver);
	EXPECT_EQ(0, cfg_read16(&self->v, at + PCI_PM_CTRL) &
		     PCI_PM_CTRL_STATE_MASK);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	EXPECT_EQ(4, region_read(&self->v, 0, 8, &value, 4));
}

/* After random writes, the host works, and so does the device after a reset. */
TEST_F(pci, random_writes_do_no_harm)
{
	uint64_t seed = 0x6f70656e73656573, size, value;
	unsigned int i;
	uint32_t reg;

	size = vdev_region(&self->v, CONFIG).size;
	TH_LOG("seed %#llx", (unsigned long long)seed);
	for (i = 0; i < scaled(5000); i++) {
		value = prng(&seed);
		region_write(&self->v, CONFIG, prng(&seed) % size, &value,
			     1 + prng(&seed) % 8);
	}
	if (vdev_info(&self->v).flags & VFIO_DEVICE_FLAGS_RESET)
		EXPECT_EQ(0, device_reset(&self->v));
	vdev_close(&self->v);
	vdev_open(&self->v, self->bdf, variant->driver);
	EXPECT_EQ(pci_attr_number(self->bdf, "vendor"),
		  cfg_read16(&self->v, PCI_VENDOR_ID));
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	EXPECT_EQ(4, region_read(&self->v, 0, 8, &reg, 4));
}

TEST_HARNESS_MAIN
