// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the user sees of configuration space and what it can change there.  The
 * device is an array of 4 KiB behind a bus of its own, so that a test can make
 * any capability, and any malformed one.
 *
 * The tables list each bit that the user can change, in the device or in the
 * virtual copy; all other bits must stay as they are.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/fs.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/mman.h>
#include <linux/pci.h>
#include <linux/uaccess.h>

#include "../config.h"
#include "../private.h"

#define SPACE		PCI_CFG_SPACE_EXP_SIZE
#define CAP		0x40	/* where a capability is put */
#define NEXT		0xc0	/* and one behind it */
#define EXT		0x100
#define EXT_NEXT	0x800

/**
 * struct fake - a device
 * @space: its configuration space
 * @w1c: bits that are cleared by writing a 1
 * @accesses: reads and writes so far
 * @decoded_at_0: memory decoding was turned on while BAR 0 was 0
 * @intx_on_locked: INTx was turned on with memory_lock held
 * @rom_written: the address of the ROM was written
 * @inode: of the device file; nothing is mapped
 * @bus: the bus it is on
 * @pdev: the device
 * @vdev: the device as config.c sees it
 * @config: the permissions
 */
struct fake {
	u8 space[SPACE];
	u8 w1c[SPACE];
	unsigned int accesses;
	bool decoded_at_0;
	bool intx_on_locked;
	bool rom_written;
	struct inode inode;
	struct pci_bus bus;
	struct pci_dev pdev;
	struct vfio_pci_core_device vdev;
	struct vfio_pci_config config;
};

static int fake_read(struct pci_bus *bus, unsigned int devfn, int where,
		     int size, u32 *value)
{
	struct fake *fake = container_of(bus, struct fake, bus);

	fake->accesses++;
	if (where < 0 || where + size > SPACE) {
		*value = ~0;
		return PCIBIOS_BAD_REGISTER_NUMBER;
	}
	*value = vfio_pci_config_get(fake->space + where, size);
	return PCIBIOS_SUCCESSFUL;
}

static int fake_write(struct pci_bus *bus, unsigned int devfn, int where,
		      int size, u32 value)
{
	struct fake *fake = container_of(bus, struct fake, bus);
	u32 old, w1c;

	fake->accesses++;
	if (where < 0 || where + size > SPACE)
		return PCIBIOS_BAD_REGISTER_NUMBER;
	if (where == PCI_COMMAND && value & PCI_COMMAND_MEMORY &&
	    !vfio_pci_config_get(fake->space + PCI_BASE_ADDRESS_0, 4))
		fake->decoded_at_0 = true;
	if (where == PCI_COMMAND && !(value & PCI_COMMAND_INTX_DISABLE) &&
	    rwsem_is_locked(&fake->vdev.memory_lock))
		fake->intx_on_locked = true;
	if (where == PCI_ROM_ADDRESS)
		fake->rom_written = true;
	old = vfio_pci_config_get(fake->space + where, size);
	w1c = vfio_pci_config_get(fake->w1c + where, size);
	vfio_pci_config_put(fake->space + where, size,
			    (value & ~w1c) | (old & w1c & ~value));
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops fake_ops = {
	.read = fake_read,
	.write = fake_write,
};

static struct fake *new_fake(struct kunit *test)
{
	struct fake *fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fake);
	fake->bus.ops = &fake_ops;
	fake->pdev.bus = &fake->bus;
	fake->pdev.dev.init_name = "fake";
	fake->pdev.cfg_size = SPACE;
	fake->pdev.vpd.cap = CAP;
	fake->vdev.pdev = &fake->pdev;
	fake->vdev.pci_config_map = fake->config.hook;
	fake->vdev.vconfig = fake->config.value;
	fake->vdev.irq_type = VFIO_PCI_IRQ_NONE;
	fake->vdev.vdev.inode = &fake->inode;
	fake->inode.i_mapping = &fake->inode.i_data;
	address_space_init_once(&fake->inode.i_data);
	mutex_init(&fake->vdev.igate);
	spin_lock_init(&fake->vdev.irqlock);
	init_rwsem(&fake->vdev.memory_lock);
	xa_init(&fake->vdev.ctx);
	vfio_pci_dmabufs_init(&fake->vdev);
	return fake;
}

static void put(struct fake *fake, unsigned int pos, unsigned int width,
		u32 value)
{
	vfio_pci_config_put(fake->space + pos, width, value);
}

/* A capability at @pos, after which the list goes on at @next */
static void put_cap(struct fake *fake, unsigned int pos, u8 id, u8 next)
{
	put(fake, PCI_STATUS, 2, PCI_STATUS_CAP_LIST);
	if (!fake->space[PCI_CAPABILITY_LIST])
		fake->space[PCI_CAPABILITY_LIST] = pos;
	put(fake, pos, 2, id | next << 8);
}

static void put_ext_cap(struct fake *fake, unsigned int pos, u16 id, u16 next)
{
	put(fake, pos, 4, id | 1 << 16 | (u32)next << 20);
}

static void build(struct kunit *test, struct fake *fake)
{
	memset(&fake->config, 0, sizeof(fake->config));
	KUNIT_ASSERT_EQ(test, 0,
			vfio_pci_config_build(&fake->config, &fake->pdev));
}

/* The user's view of a register */
static u32 see(const struct fake *fake, unsigned int pos, unsigned int width)
{
	const struct vfio_pci_config *config = &fake->config;
	u32 virt = vfio_pci_config_get(config->virt + pos, width);

	return (vfio_pci_config_get(fake->space + pos, width) & ~virt) |
	       (vfio_pci_config_get(config->value + pos, width) & virt);
}

/* Does the list that the user sees have this capability? */
static bool sees_cap(struct kunit *test, const struct fake *fake,
		     unsigned int pos)
{
	unsigned int at, n = 0;

	if (!(see(fake, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST))
		return false;
	at = see(fake, PCI_CAPABILITY_LIST, 1);
	for (; at && at != pos; at = see(fake, at + PCI_CAP_LIST_NEXT, 1)) {
		KUNIT_ASSERT_GE(test, at, PCI_STD_HEADER_SIZEOF);
		KUNIT_ASSERT_TRUE(test, IS_ALIGNED(at, 4));
		KUNIT_ASSERT_LT(test, n++, 48);	/* it ends */
	}
	return at == pos;
}

static bool sees_ext_cap(struct kunit *test, const struct fake *fake,
			 unsigned int pos)
{
	unsigned int at = PCI_CFG_SPACE_SIZE, n = 0;

	for (; at && at != pos; at = PCI_EXT_CAP_NEXT(see(fake, at, 4))) {
		KUNIT_ASSERT_GE(test, at, PCI_CFG_SPACE_SIZE);
		KUNIT_ASSERT_LT(test, n++, (SPACE - PCI_CFG_SPACE_SIZE) / 4);
	}
	return at == pos && PCI_EXT_CAP_ID(see(fake, at, 4));
}

/* ---- What each capability lets the user do ---- */

/**
 * struct reg - a register that the user can change, in part
 * @offset: in the capability
 * @width: bytes
 * @device: bits that it can change in the device
 * @copy: bits that it can change in the virtual copy
 * @hidden: bits that it sees as 0 whatever the device says
 */
struct reg {
	u8 offset;
	u8 width;
	u32 device;
	u32 copy;
	u32 hidden;
};

#define MAX_REGS	10

/**
 * struct view - a capability as the user sees it
 * @name: of the capability
 * @id: PCI_CAP_ID_* or PCI_EXT_CAP_ID_*
 * @len: bytes
 * @raw: passed through, except for the header
 * @seed: values in the device that give its variant and length
 * @regs: all that the user can change, unless @raw
 */
struct view {
	const char *name;
	u16 id;
	u16 len;
	bool raw;
	struct {
		u8 offset;
		u8 width;
		u32 value;
	} seed[2];
	struct reg regs[MAX_REGS];
};

#define MSI_CTRL	{ 2, 2, 0, 0x0071, 0x0071 }

static const struct view views[] = {
	{ "PM", PCI_CAP_ID_PM, 8, .regs = {
		{ 2, 2, 0, 0, 0xf800 },		/* no PME */
		{ 4, 2, 0, 0, 0x8100 },
	} },
	{ "AGP", PCI_CAP_ID_AGP, 12 },
	{ "VPD", PCI_CAP_ID_VPD, 8, .regs = {
		{ 2, 2, 0, 0xffff, 0xffff },
		{ 4, 4, 0, ~0, ~0 },
	} },
	{ "slot ID", PCI_CAP_ID_SLOTID, 4 },
	{ "CompactPCI", PCI_CAP_ID_CHSWP, 4 },
	{ "MSI, 32 bits", PCI_CAP_ID_MSI, 10, .regs = {
		MSI_CTRL,
		{ 4, 4, 0, ~3, ~0 }, { 8, 2, 0, 0xffff, 0xffff },
	} },
	{ "MSI, 32 bits, masks", PCI_CAP_ID_MSI, 20,
	  .seed = { { 2, 2, PCI_MSI_FLAGS_MASKBIT } }, .regs = {
		MSI_CTRL,
		{ 4, 4, 0, ~3, ~0 }, { 8, 2, 0, 0xffff, 0xffff },
		{ 12, 4, ~0, 0, 0 },
	} },
	{ "MSI, 64 bits", PCI_CAP_ID_MSI, 14,
	  .seed = { { 2, 2, PCI_MSI_FLAGS_64BIT } }, .regs = {
		MSI_CTRL,
		{ 4, 4, 0, ~3, ~0 }, { 8, 4, 0, ~0, ~0 },
		{ 12, 2, 0, 0xffff, 0xffff },
	} },
	{ "MSI, 64 bits, masks", PCI_CAP_ID_MSI, 24,
	  .seed = { { 2, 2, PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT } },
	  .regs = {
		MSI_CTRL,
		{ 4, 4, 0, ~3, ~0 }, { 8, 4, 0, ~0, ~0 },
		{ 12, 2, 0, 0xffff, 0xffff }, { 16, 4, ~0, 0, 0 },
	} },
	{ "PCI-X", PCI_CAP_ID_PCIX, 8, .regs = {
		{ 2, 2, 0x007e, 0, 0 }, { 4, 4, 0x200c0000, 0, 0 },
	} },
	{ "PCI-X, mode 2", PCI_CAP_ID_PCIX, 24,
	  .seed = { { 2, 2, 1 << 12 } }, .regs = {
		{ 2, 2, 0x007e, 0, 0 }, { 4, 4, 0x200c0000, 0, 0 },
	} },
	{ "vendor", PCI_CAP_ID_VNDR, 37, true, { { 2, 1, 37 } } },
	{ "vendor, no length", PCI_CAP_ID_VNDR, 3, true },
	{ "debug port", PCI_CAP_ID_DBG, 4 },
	{ "subsystem", PCI_CAP_ID_SSVID, 8 },
	{ "MSI-X", PCI_CAP_ID_MSIX, 12 },
	{ "SATA", PCI_CAP_ID_SATA, 8, true },
	{ "SATA, index in config", PCI_CAP_ID_SATA, 16, true,
	  { { 4, 1, 0xf } } },
	{ "AF", PCI_CAP_ID_AF, 6 },
	{ "Express, version 1", PCI_CAP_ID_EXP, 20,
	  .seed = { { 2, 2, 1 } }, .regs = {
		{ 8, 2, 0x0810, 0x70ef, 0 },
	} },
	{ "Express, version 2", PCI_CAP_ID_EXP, 60,
	  .seed = { { 2, 2, 2 } }, .regs = {
		{ 8, 2, 0x0810, 0x70ef, 0 },
		{ 0x28, 2, 0x035f, 0, 0 },
	} },
	{ "Express, ASPM L0s and L1", PCI_CAP_ID_EXP, 60,
	  .seed = { { 2, 2, 2 }, { 16, 2, 0x0043 } }, .regs = {
		{ 8, 2, 0x0810, 0x70ef, 0 },
		{ 0x28, 2, 0x035f, 0, 0 },
	} },
};

static const struct view ext_views[] = {
	{ "AER", PCI_EXT_CAP_ID_ERR, 0x2c, .regs = {
		{ 4, 4, ~0, 0, 0 },
		{ 8, 4, 0, 0x07fff030, 0 }, { 12, 4, 0, 0x07fff030, 0 },
		{ 16, 4, ~0, 0, 0 }, { 20, 4, 0, 0x0000f1c1, 0 },
	} },
	{ "AER, prefix log", PCI_EXT_CAP_ID_ERR, 0x48,
	  .seed = { { 0x18, 4, 0x800 } }, .regs = {
		{ 4, 4, ~0, 0, 0 },
		{ 8, 4, 0, 0x07fff030, 0 }, { 12, 4, 0, 0x07fff030, 0 },
		{ 16, 4, ~0, 0, 0 }, { 20, 4, 0, 0x0000f1c1, 0 },
	} },
	{ "serial number", PCI_EXT_CAP_ID_DSN, 12 },
	{ "power budget", PCI_EXT_CAP_ID_PWR, 16, .regs = {
		{ 4, 1, 0xff, 0, 0 },
	} },
	{ "vendor", PCI_EXT_CAP_ID_VNDR, 0x123, true,
	  { { 4, 4, 0x12300001 } } },
	{ "vendor, no length", PCI_EXT_CAP_ID_VNDR, 8, true },
	{ "ACS", PCI_EXT_CAP_ID_ACS, 8 },
	{ "ACS, 33 egress bits", PCI_EXT_CAP_ID_ACS, 16,
	  .seed = { { 4, 2, 33 << 8 | PCI_ACS_EC } } },
	{ "ACS, 256 egress bits", PCI_EXT_CAP_ID_ACS, 40,
	  .seed = { { 4, 2, PCI_ACS_EC } } },
	{ "ARI", PCI_EXT_CAP_ID_ARI, 8 },
	{ "ATS", PCI_EXT_CAP_ID_ATS, 8 },
	{ "multicast", PCI_EXT_CAP_ID_MCAST, 40 },
	{ "resizable BAR, 1", PCI_EXT_CAP_ID_REBAR, 12,
	  .seed = { { 8, 4, 1 << 5 } } },
	{ "resizable BAR, 6", PCI_EXT_CAP_ID_REBAR, 52,
	  .seed = { { 8, 4, 6 << 5 } } },
	{ "DPA, 1 state", PCI_EXT_CAP_ID_DPA, 17 },
	{ "DPA, 32 states", PCI_EXT_CAP_ID_DPA, 48,
	  .seed = { { 4, 4, 31 } } },
	{ "TPH", PCI_EXT_CAP_ID_TPH, 12 },
	{ "TPH, table of 64", PCI_EXT_CAP_ID_TPH, 140,
	  .seed = { { 4, 4, 63 << 16 | 1 << 9 } } },
	{ "LTR", PCI_EXT_CAP_ID_LTR, 8 },
	{ "L1 substates", PCI_EXT_CAP_ID_L1SS, 16 },
	{ "PTM", PCI_EXT_CAP_ID_PTM, 12 },
	{ "designated vendor", PCI_EXT_CAP_ID_DVSEC, 0x80, true,
	  { { 4, 4, 0x08001234 } } },
	{ "designated vendor, no length", PCI_EXT_CAP_ID_DVSEC, 10, true },
	{ "data link feature", PCI_EXT_CAP_ID_DLF, 12 },
};

static void view_desc(const struct view *view, char *desc)
{
	strscpy(desc, view->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(view, views, view_desc);
KUNIT_ARRAY_PARAM(ext_view, ext_views, view_desc);

static const struct reg *reg_at(const struct reg *regs, unsigned int offset)
{
	for (; regs->width; regs++)
		if (offset >= regs->offset &&
		    offset < regs->offset + regs->width)
			return regs;
	return NULL;
}

/* Check all bytes of the capability after its header of @header bytes. */
static void check_regs(struct kunit *test, const struct fake *fake,
		       unsigned int pos, unsigned int header, unsigned int len,
		       const struct reg *regs, bool raw)
{
	const struct vfio_pci_config *config = &fake->config;
	unsigned int i, shift;

	for (i = header; i < len; i++) {
		u8 device = 0, copy = 0, hidden = 0, virt, write, seen;
		const struct reg *reg = reg_at(regs, i);

		if (reg) {
			shift = 8 * (i - reg->offset);
			device = reg->device >> shift;
			copy = reg->copy >> shift;
			hidden = reg->hidden >> shift;
		} else if (raw) {
			device = 0xff;
		}
		virt = config->virt[pos + i];
		write = config->write[pos + i];
		seen = see(fake, pos + i, 1);
		KUNIT_EXPECT_EQ_MSG(test, write & ~virt, device,
				    "changes in the device, offset %#x", i);
		KUNIT_EXPECT_EQ_MSG(test, write & virt, copy,
				    "changes in the copy, offset %#x", i);
		KUNIT_EXPECT_EQ_MSG(test, seen,
				    fake->space[pos + i] & ~hidden,
				    "value, offset %#x", i);
	}
}

/* Bytes that belong to no capability are passed through. */
static void check_own(struct kunit *test, const struct fake *fake,
		      unsigned int first, unsigned int end)
{
	for (; first < end; first++) {
		KUNIT_EXPECT_EQ_MSG(test, fake->config.virt[first], 0,
				    "at %#x", first);
		KUNIT_EXPECT_EQ_MSG(test, fake->config.write[first], 0xff,
				    "at %#x", first);
	}
}

/*
 * Clear a capability, except for its variant and length, and with @with set the
 * bits that the user does not see from the device.
 */
static void fill(struct fake *fake, unsigned int pos, unsigned int header,
		 const struct view *view, u8 with)
{
	unsigned int i;

	memset(fake->space + pos + header, 0, view->len - header);
	for (i = 0; i < ARRAY_SIZE(view->seed); i++)
		if (view->seed[i].width)
			put(fake, pos + view->seed[i].offset,
			    view->seed[i].width, view->seed[i].value);
	if (!with)
		return;
	for (i = 0; i < MAX_REGS && view->regs[i].width; i++) {
		const struct reg *reg = &view->regs[i];
		u32 old = vfio_pci_config_get(fake->space + pos + reg->offset,
					      reg->width);

		put(fake, pos + reg->offset, reg->width,
		    old | reg->hidden | reg->copy);
	}
}

static void standard_capabilities(struct kunit *test)
{
	const struct view *view = test->param_value;
	struct fake *fake = new_fake(test);
	unsigned int with;

	for (with = 0; with < 2; with++) {
		put_cap(fake, CAP, view->id, 0);
		fill(fake, CAP, 2, view, with);
		build(test, fake);
		KUNIT_EXPECT_TRUE(test, sees_cap(test, fake, CAP));
		KUNIT_EXPECT_EQ(test, see(fake, CAP, 2), view->id);
		check_regs(test, fake, CAP, 2, view->len, view->regs,
			   view->raw);
		check_own(test, fake, CAP + view->len, PCI_CFG_SPACE_SIZE);
	}
}

static void extended_capabilities(struct kunit *test)
{
	const struct view *view = test->param_value;
	struct fake *fake = new_fake(test);
	unsigned int with;

	for (with = 0; with < 2; with++) {
		put_ext_cap(fake, EXT, view->id, 0);
		fill(fake, EXT, 4, view, with);
		build(test, fake);
		KUNIT_EXPECT_TRUE(test, sees_ext_cap(test, fake, EXT));
		KUNIT_EXPECT_EQ(test, see(fake, EXT, 4), view->id | 1 << 16);
		check_regs(test, fake, EXT, 4, view->len, view->regs,
			   view->raw);
		check_own(test, fake, EXT + view->len, SPACE);
	}
}

/* The next capability begins before this one is complete */
static void cut_short_by_the_next(struct kunit *test)
{
	const struct view *view = test->param_value;
	static const u8 whole[] = {
		PCI_CAP_ID_PM, PCI_CAP_ID_VPD, PCI_CAP_ID_MSI,
		PCI_CAP_ID_MSIX, PCI_CAP_ID_EXP, PCI_CAP_ID_AF
	};
	struct fake *fake = new_fake(test);
	bool stays = memchr(whole, view->id, sizeof(whole));
	unsigned int cut;

	for (cut = 4; cut < view->len; cut += 4) {
		memset(fake->space, 0, PCI_CFG_SPACE_SIZE);
		put_cap(fake, CAP, view->id, CAP + cut);
		fill(fake, CAP, 2, view, 0);
		put_cap(fake, CAP + cut, PCI_CAP_ID_SSVID, 0);
		build(test, fake);
		KUNIT_EXPECT_TRUE(test, sees_cap(test, fake, CAP));
		/* What the kernel relies on keeps all of its bytes. */
		KUNIT_EXPECT_EQ(test, stays,
				!sees_cap(test, fake, CAP + cut));
		if (stays) {
			struct reg regs[MAX_REGS + 1] = {};

			memcpy(regs, view->regs, sizeof(view->regs));
			check_regs(test, fake, CAP, 2, view->len, regs, false);
		} else {
			static const struct reg none = {};

			check_regs(test, fake, CAP + cut, 2, 8, &none, false);
		}
	}
}

/* It claims more bytes than there are */
static void cut_short_by_the_end(struct kunit *test)
{
	const struct view *view = test->param_value;
	struct fake *fake = new_fake(test);
	unsigned int left, i;

	for (left = 4; left < view->len; left += 4) {
		unsigned int pos = PCI_CFG_SPACE_SIZE - left;

		if (pos < PCI_STD_HEADER_SIZEOF)
			break;
		memset(fake->space, 0, SPACE);
		put_cap(fake, pos, view->id, 0);
		fill(fake, pos, 2, view, 0);
		memset(fake->space + PCI_CFG_SPACE_SIZE, 0, SPACE / 2);
		build(test, fake);
		/* It does not reach into what follows, */
		check_own(test, fake, PCI_CFG_SPACE_SIZE, SPACE);
		/* and a register that is cut off cannot be written. */
		for (i = 0; i < MAX_REGS && view->regs[i].width; i++)
			if (view->regs[i].offset < left && !view->raw &&
			    view->regs[i].offset + view->regs[i].width > left)
				KUNIT_EXPECT_EQ(test, 0,
						fake->config.write[pos +
						view->regs[i].offset]);
	}
}

static void extended_cut_short_by_the_end(struct kunit *test)
{
	const struct view *view = test->param_value;
	struct fake *fake = new_fake(test);
	unsigned int left;
	static const struct reg none = {};

	for (left = 4; left < view->len; left += 4) {
		unsigned int pos = SPACE - left;

		memset(fake->space, 0, SPACE);
		put_ext_cap(fake, EXT, PCI_EXT_CAP_ID_DSN, pos);
		put_ext_cap(fake, pos, view->id, 0);
		/* The length is only put where it fits. */
		if (view->seed[0].width && left >= 12)
			put(fake, pos + view->seed[0].offset,
			    view->seed[0].width, view->seed[0].value);
		build(test, fake);
		KUNIT_EXPECT_TRUE(test, sees_ext_cap(test, fake, pos));
		if (view->seed[0].width && left < 12)
			continue;
		if (!view->raw && !view->regs[0].width)
			check_regs(test, fake, pos, 4, left, &none, false);
	}
}

/* ---- The header ---- */

static const struct reg header_regs[] = {
	{ PCI_COMMAND, 2, 0x0004, 0x075b, 0 },
	{ PCI_CACHE_LINE_SIZE, 1, 0, 0xff, 0 },
	{ PCI_LATENCY_TIMER, 1, 0, 0xff, 0 },
	{ PCI_INTERRUPT_LINE, 1, 0, 0xff, 0 },
	{ PCI_CAPABILITY_LIST, 1, 0, 0, 0xff },
	{ }
};

static void header(struct kunit *test)
{
	static const u8 patterns[] = { 0x00, 0xff, 0x5a };
	struct fake *fake = new_fake(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		memset(fake->space, patterns[i], PCI_STD_HEADER_SIZEOF);
		/* There are no capabilities */
		fake->space[PCI_STATUS] &= ~PCI_STATUS_CAP_LIST;
		build(test, fake);
		check_regs(test, fake, 0, 0, PCI_STD_HEADER_SIZEOF,
			   header_regs, false);
	}
}

/* ---- Lists ---- */

static bool known_id(const struct view *known, unsigned int nr,
		     unsigned int id)
{
	for (; nr--; known++)
		if (known->id == id)
			return true;
	return false;
}

/*
 * The user's list has none of them.  What follows the header is passed through
 * if the ID is not assigned, and can only be read if the table leaves the ID
 * out.
 */
static void unknown_capabilities_are_hidden(struct kunit *test)
{
	struct fake *fake = new_fake(test);
	unsigned int id, i;

	for (id = 0; id <= U8_MAX; id++) {
		bool assigned = id && id <= PCI_CAP_ID_MAX;

		if (known_id(views, ARRAY_SIZE(views), id) ||
		    id == PCI_CAP_ID_HT || id == PCI_CAP_ID_EA)
			continue;
		memset(fake->space, 0xff, PCI_CFG_SPACE_SIZE);
		fake->space[PCI_CAPABILITY_LIST] = 0;
		put_cap(fake, CAP, id, NEXT);
		put_cap(fake, NEXT, PCI_CAP_ID_SSVID, 0);
		build(test, fake);
		KUNIT_EXPECT_FALSE_MSG(test, sees_cap(test, fake, CAP),
				       "ID %#x", id);
		KUNIT_EXPECT_TRUE_MSG(test, sees_cap(test, fake, NEXT),
				      "ID %#x", id);
		KUNIT_EXPECT_EQ(test, see(fake, CAP, 2), 0);
		KUNIT_EXPECT_EQ(test, 0,
				vfio_pci_config_get(fake->config.write + CAP,
						    2));
		for (i = CAP + 2; i < NEXT; i++) {
			KUNIT_ASSERT_EQ_MSG(test, see(fake, i, 1), 0xff,
					    "ID %#x at %#x", id, i);
			KUNIT_ASSERT_EQ_MSG(test, fake->config.write[i],
					    assigned ? 0 : 0xff,
					    "ID %#x at %#x", id, i);
		}
	}
}

/* It has the host's addresses: not a byte of it is seen. */
static void enhanced_allocation_is_hidden(struct kunit *test)
{
	struct fake *fake = new_fake(test);
	unsigned int i;

	memset(fake->space, 0xff, PCI_CFG_SPACE_SIZE);
	fake->space[PCI_CAPABILITY_LIST] = 0;
	put_cap(fake, CAP, PCI_CAP_ID_EA, NEXT);
	put_cap(fake, NEXT, PCI_CAP_ID_SSVID, 0);
	build(test, fake);
	KUNIT_EXPECT_FALSE(test, sees_cap(test, fake, CAP));
	for (i = CAP; i < NEXT; i++) {
		KUNIT_ASSERT_EQ(test, see(fake, i, 1), 0);
		KUNIT_ASSERT_EQ(test, fake->config.write[i], 0);
	}
}

static void unknown_extended_capabilities_are_hidden(struct kunit *test)
{
	/* Listed, and as long as there is room before the next one */
	static const u16 to_the_next[] = {
		PCI_EXT_CAP_ID_VC, PCI_EXT_CAP_ID_MFVC, PCI_EXT_CAP_ID_VC9,
		PCI_EXT_CAP_ID_SECPCI
	};
	static const struct {
		u16 id;
		u16 len;
	} owned[] = {
		{ PCI_EXT_CAP_ID_SRIOV, 0x40 }, { PCI_EXT_CAP_ID_PRI, 16 },
		{ PCI_EXT_CAP_ID_PASID, 8 }, { PCI_EXT_CAP_ID_DOE, 0x18 },
	};
	struct fake *fake = new_fake(test);
	unsigned int id, i, hidden;
	bool listed;

	for (id = 0; id <= U16_MAX; id += id < 0x60 ? 1 : 0x3f1) {
		if (known_id(ext_views, ARRAY_SIZE(ext_views), id))
			continue;
		memset(fake->space + EXT, 0xff, SPACE - EXT);
		put_ext_cap(fake, EXT, id, EXT_NEXT);
		put_ext_cap(fake, EXT_NEXT, PCI_EXT_CAP_ID_DSN, 0);
		build(test, fake);
		for (i = 0; i < ARRAY_SIZE(to_the_next); i++)
			if (id == to_the_next[i])
				break;
		listed = i < ARRAY_SIZE(to_the_next);
		KUNIT_EXPECT_EQ_MSG(test, listed,
				    sees_ext_cap(test, fake, EXT),
				    "ID %#x", id);
		KUNIT_EXPECT_TRUE_MSG(test, sees_ext_cap(test, fake, EXT_NEXT),
				      "ID %#x", id);
		if (listed)
			continue;
		/* What the host owns cannot even be read. */
		hidden = 4;
		for (i = 0; i < ARRAY_SIZE(owned); i++)
			if (id == owned[i].id)
				hidden = owned[i].len;
		for (i = 4; i < EXT_NEXT - EXT; i++) {
			bool own = !id || (hidden > 4 && i >= hidden);

			KUNIT_ASSERT_EQ_MSG(test, see(fake, EXT + i, 1),
					    i < hidden ? 0 : 0xff,
					    "ID %#x at %#x", id, i);
			KUNIT_ASSERT_EQ_MSG(test, fake->config.write[EXT + i],
					    own ? 0xff : 0,
					    "ID %#x at %#x", id, i);
		}
	}
}

/* A raw capability gives no access to registers that the kernel relies on. */
static void whole_extended_capabilities(struct kunit *test)
{
	static const struct {
		u16 id;
		u16 len;
	} whole[] = {
		{ PCI_EXT_CAP_ID_ACS, 8 }, { PCI_EXT_CAP_ID_ATS, 8 },
		{ PCI_EXT_CAP_ID_REBAR, 12 }, { PCI_EXT_CAP_ID_L1SS, 16 },
		{ PCI_EXT_CAP_ID_SRIOV, 0x40 }, { PCI_EXT_CAP_ID_PRI, 16 },
		{ PCI_EXT_CAP_ID_PASID, 8 },
	};
	struct fake *fake = new_fake(test);
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(whole); i++) {
		memset(fake->space + EXT, 0, SPACE - EXT);
		put_ext_cap(fake, EXT, PCI_EXT_CAP_ID_DSN, EXT_NEXT + 4);
		put_ext_cap(fake, EXT_NEXT + 4, PCI_EXT_CAP_ID_VNDR, EXT_NEXT);
		/* Its length; for a Resizable BAR: one BAR */
		put(fake, EXT_NEXT + 8, 4, 0x02000021);
		put_ext_cap(fake, EXT_NEXT, whole[i].id, 0);
		build(test, fake);
		KUNIT_EXPECT_FALSE(test,
				   sees_ext_cap(test, fake, EXT_NEXT + 4));
		for (k = 4; k < whole[i].len; k++)
			KUNIT_ASSERT_EQ_MSG(test, 0,
					    fake->config.write[EXT_NEXT + k],
					    "ID %#x at %#x", whole[i].id, k);
	}
}

static void error_mask_is_that_of_power_on(struct kunit *test)
{
	const unsigned int mask = PCI_ERR_COR_MASK, last = SPACE - 16;
	struct fake *fake = new_fake(test);
	u32 virt;

	put_ext_cap(fake, EXT, PCI_EXT_CAP_ID_ERR, 0);
	build(test, fake);
	KUNIT_EXPECT_EQ(test, see(fake, EXT + mask, 4), 0);
	virt = vfio_pci_config_get(fake->config.virt + PCI_COMMAND, 2);

	fake->pdev.devcap = PCI_EXP_DEVCAP_RBER;
	build(test, fake);
	KUNIT_EXPECT_EQ(test, see(fake, EXT + mask, 4), PCI_ERR_COR_ADV_NFAT);

	/* Another capability is where the register would be. */
	put_ext_cap(fake, EXT, PCI_EXT_CAP_ID_ERR, EXT + mask);
	put_ext_cap(fake, EXT + mask, PCI_EXT_CAP_ID_ATS, 0);
	build(test, fake);
	KUNIT_EXPECT_EQ(test, see(fake, EXT + mask, 4),
			PCI_EXT_CAP_ID_ATS | 1 << 16);

	/* The register would be behind the end. */
	put_ext_cap(fake, EXT, PCI_EXT_CAP_ID_DSN, last);
	put_ext_cap(fake, last, PCI_EXT_CAP_ID_ERR, 0);
	build(test, fake);
	KUNIT_EXPECT_TRUE(test, sees_ext_cap(test, fake, last));
	KUNIT_EXPECT_EQ(test, virt,
			vfio_pci_config_get(fake->config.virt + PCI_COMMAND,
					    2));
}

static void vpd_is_hidden_where_it_hangs(struct kunit *test)
{
	struct fake *fake = new_fake(test);

	fake->pdev.vpd.cap = 0;
	put_cap(fake, CAP, PCI_CAP_ID_VPD, 0);
	build(test, fake);
	KUNIT_EXPECT_FALSE(test, sees_cap(test, fake, CAP));
	KUNIT_EXPECT_EQ(test, fake->config.write[CAP + PCI_VPD_ADDR], 0);
}

static void list_ends_where_nothing_is_visible(struct kunit *test)
{
	struct fake *fake = new_fake(test);

	put_cap(fake, CAP, PCI_CAP_ID_EA, NEXT);
	put_cap(fake, NEXT, PCI_CAP_ID_SHPC, 0);
	build(test, fake);
	KUNIT_EXPECT_EQ(test, 0, see(fake, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
	KUNIT_EXPECT_EQ(test, 0, see(fake, PCI_CAPABILITY_LIST, 1));

	/* A hidden one at the end leaves no link to it. */
	memset(fake->space, 0, SPACE);
	put_cap(fake, CAP, PCI_CAP_ID_PM, NEXT);
	put_cap(fake, NEXT, PCI_CAP_ID_EA, 0);
	build(test, fake);
	KUNIT_EXPECT_EQ(test, CAP, see(fake, PCI_CAPABILITY_LIST, 1));
	KUNIT_EXPECT_EQ(test, 0, see(fake, CAP + PCI_CAP_LIST_NEXT, 1));

	put_ext_cap(fake, EXT, PCI_EXT_CAP_ID_SRIOV, EXT_NEXT);
	put_ext_cap(fake, EXT_NEXT, PCI_EXT_CAP_ID_DOE, 0);
	build(test, fake);
	KUNIT_EXPECT_EQ(test, 0, see(fake, EXT, 4));
}

static void links_are_read_only(struct kunit *test)
{
	struct fake *fake = new_fake(test);

	put_cap(fake, CAP, PCI_CAP_ID_VNDR, NEXT);
	put_cap(fake, NEXT, PCI_CAP_ID_VNDR, 0);
	put_ext_cap(fake, EXT, PCI_EXT_CAP_ID_VNDR, EXT_NEXT);
	put_ext_cap(fake, EXT_NEXT, PCI_EXT_CAP_ID_VNDR, 0);
	build(test, fake);
	KUNIT_EXPECT_EQ(test, 0,
			vfio_pci_config_get(fake->config.write + CAP, 2));
	KUNIT_EXPECT_EQ(test, 0,
			vfio_pci_config_get(fake->config.write + NEXT, 2));
	KUNIT_EXPECT_EQ(test, 0,
			vfio_pci_config_get(fake->config.write + EXT, 4));
	KUNIT_EXPECT_EQ(test, 0,
			vfio_pci_config_get(fake->config.write + EXT_NEXT, 4));
}

static void lists_that_loop_end(struct kunit *test)
{
	struct fake *fake = new_fake(test);

	put_cap(fake, CAP, PCI_CAP_ID_PM, NEXT);
	put_cap(fake, NEXT, PCI_CAP_ID_SSVID, CAP);
	put_ext_cap(fake, EXT, PCI_EXT_CAP_ID_DSN, EXT_NEXT);
	put_ext_cap(fake, EXT_NEXT, PCI_EXT_CAP_ID_LTR, EXT_NEXT);
	build(test, fake);
	KUNIT_EXPECT_TRUE(test, sees_cap(test, fake, NEXT));
	KUNIT_EXPECT_EQ(test, 0, see(fake, NEXT + PCI_CAP_LIST_NEXT, 1));
	KUNIT_EXPECT_TRUE(test, sees_ext_cap(test, fake, EXT_NEXT));
	KUNIT_EXPECT_EQ(test, 0, PCI_EXT_CAP_NEXT(see(fake, EXT_NEXT, 4)));
}

static void lists_that_go_astray_end(struct kunit *test)
{
	struct fake *fake = new_fake(test);

	/* Into the header, and to where nothing answers */
	put_cap(fake, CAP, PCI_CAP_ID_PM, PCI_BASE_ADDRESS_0);
	put_ext_cap(fake, EXT, PCI_EXT_CAP_ID_DSN, EXT_NEXT);
	put(fake, EXT_NEXT, 4, ~0);
	build(test, fake);
	KUNIT_EXPECT_TRUE(test, sees_cap(test, fake, CAP));
	KUNIT_EXPECT_EQ(test, 0, see(fake, CAP + PCI_CAP_LIST_NEXT, 1));
	KUNIT_EXPECT_EQ(test, 0, fake->config.write[PCI_BASE_ADDRESS_0]);
	KUNIT_EXPECT_EQ(test, 0, PCI_EXT_CAP_NEXT(see(fake, EXT, 4)));

	/* From the extended capabilities into the first 256 bytes */
	put_ext_cap(fake, EXT, PCI_EXT_CAP_ID_DSN, CAP);
	build(test, fake);
	KUNIT_EXPECT_EQ(test, 0, PCI_EXT_CAP_NEXT(see(fake, EXT, 4)));
}

static void as_many_as_fit(struct kunit *test)
{
	struct fake *fake = new_fake(test);
	unsigned int pos;

	/* At every fourth byte: more than are well-formed */
	for (pos = EXT; pos < SPACE; pos += 4)
		put_ext_cap(fake, pos, PCI_EXT_CAP_ID_LTR,
			    pos + 4 < SPACE ? pos + 4 : 0);
	for (pos = CAP; pos < PCI_CFG_SPACE_SIZE; pos += 4)
		put_cap(fake, pos, PCI_CAP_ID_SSVID,
			pos + 4 < PCI_CFG_SPACE_SIZE ? pos + 4 : 0);
	build(test, fake);
	for (pos = CAP; pos < PCI_CFG_SPACE_SIZE; pos += 4)
		KUNIT_EXPECT_TRUE(test, sees_cap(test, fake, pos));
	KUNIT_EXPECT_FALSE(test, sees_ext_cap(test, fake, SPACE));
}

static void conventional_device_has_256_bytes(struct kunit *test)
{
	struct fake *fake = new_fake(test);

	fake->pdev.cfg_size = PCI_CFG_SPACE_SIZE;
	put_ext_cap(fake, EXT, PCI_EXT_CAP_ID_SRIOV, 0);
	build(test, fake);
	check_own(test, fake, PCI_CFG_SPACE_SIZE, SPACE);
}

/* ---- Random bytes ---- */

static u32 next_random(u32 *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Random bytes, with headers that are likely to look like capabilities */
static void fill_at_random(struct fake *fake, u32 *seed)
{
	unsigned int i, n;

	for (i = 0; i < SPACE; i++)
		fake->space[i] = next_random(seed);
	put(fake, PCI_STATUS, 2, PCI_STATUS_CAP_LIST);
	fake->space[PCI_CAPABILITY_LIST] = CAP + next_random(seed) % 0xc0;
	for (n = next_random(seed) % 48; n; n--)
		put(fake, CAP + (next_random(seed) % 48) * 4, 2,
		    next_random(seed) % 0x18 |
		    (CAP + next_random(seed) % 0xc0) << 8);
	for (n = next_random(seed) % 500; n; n--)
		put_ext_cap(fake, EXT + (next_random(seed) % 960) * 4,
			    next_random(seed) % 0x30,
			    EXT + (next_random(seed) % 960) * 4);
}

/* What the user must not change in the device, in a listed capability */
static void check_guarded(struct kunit *test, const struct fake *fake,
			  unsigned int pos)
{
	const struct vfio_pci_config *config = &fake->config;
	unsigned int i, len = 0;

	switch (see(fake, pos, 1)) {
	case PCI_CAP_ID_MSI:
		len = 10;
		break;
	case PCI_CAP_ID_MSIX:
		len = 12;
		break;
	case PCI_CAP_ID_PM:
		len = 8;
		break;
	}
	for (i = pos; i < pos + len && i < PCI_CFG_SPACE_SIZE; i++)
		KUNIT_ASSERT_EQ_MSG(test, 0,
				    config->write[i] & ~config->virt[i],
				    "at %#x of the capability at %#x", i, pos);
}

static void random_devices_do_no_harm(struct kunit *test)
{
	enum { ROUNDS = 400 };
	struct fake *fake = new_fake(test);
	unsigned int round, pos, lists = 0, i;
	u32 seed = 5;

	for (round = 0; round < ROUNDS; round++) {
		fill_at_random(fake, &seed);
		build(test, fake);
		/* Both lists end, and the header is as on any device. */
		KUNIT_ASSERT_FALSE(test, sees_cap(test, fake, SPACE));
		KUNIT_ASSERT_FALSE(test, sees_ext_cap(test, fake, SPACE));
		for (i = 0; i < PCI_STD_HEADER_SIZEOF; i++) {
			const struct reg *reg = reg_at(header_regs, i);
			u8 device = 0;

			if (reg)
				device = reg->device >> 8 * (i - reg->offset);
			KUNIT_ASSERT_EQ(test, device,
					fake->config.write[i] &
					~fake->config.virt[i]);
		}
		for (i = 0; i < SPACE; i++)
			KUNIT_ASSERT_LT(test, fake->config.hook[i],
					VFIO_PCI_CONFIG_NR_HOOKS);
		if (!(see(fake, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST))
			continue;
		pos = see(fake, PCI_CAPABILITY_LIST, 1);
		for (; pos; pos = see(fake, pos + PCI_CAP_LIST_NEXT, 1)) {
			check_guarded(test, fake, pos);
			lists++;
		}
	}
	/* The headers did look like capabilities. */
	KUNIT_EXPECT_GT(test, lists, ROUNDS);
}

/* ---- Reads and writes ---- */

static ssize_t rw(struct fake *fake, char __user *buf, loff_t pos, size_t len,
		  bool write)
{
	return vfio_pci_config_rw(&fake->vdev, buf, len, &pos, write);
}

static char __user *user_buffer(struct kunit *test)
{
	unsigned long addr = kunit_vm_mmap(test, NULL, 0, SPACE,
					   PROT_READ | PROT_WRITE,
					   MAP_ANONYMOUS | MAP_PRIVATE, 0);

	KUNIT_ASSERT_NE(test, addr, 0UL);
	KUNIT_ASSERT_LT(test, addr, TASK_SIZE);
	return (char __user *)addr;
}

/* A device without hooks; some bits are cleared by writing a 1 */
static void put_plain_device(struct fake *fake, u32 *seed)
{
	unsigned int i;

	for (i = 0; i < SPACE; i++)
		fake->space[i] = next_random(seed);
	fake->space[PCI_CAPABILITY_LIST] = 0;
	put_cap(fake, CAP, PCI_CAP_ID_VNDR, 0x60);
	fake->space[CAP + 2] = 19;
	put_cap(fake, 0x60, PCI_CAP_ID_SSVID, 0x70);
	put_cap(fake, 0x70, PCI_CAP_ID_PCIX, 0x90);
	put_cap(fake, 0x90, PCI_CAP_ID_EA, 0xa0);
	put_cap(fake, 0xa0, PCI_CAP_ID_EXP, 0);
	put(fake, 0xa0 + PCI_EXP_FLAGS, 2, 2);
	put_ext_cap(fake, EXT, PCI_EXT_CAP_ID_ERR, EXT_NEXT);
	put_ext_cap(fake, EXT_NEXT, PCI_EXT_CAP_ID_SRIOV, 0);
	put(fake, 0x70 + PCI_X_CMD, 2, 0);
	/* From the specifications, not from the tables of config_perm.c */
	vfio_pci_config_put(fake->w1c + PCI_STATUS, 2, 0xf900);
	vfio_pci_config_put(fake->w1c + 0x70 + PCI_X_STATUS, 4, 0x200c0000);
	vfio_pci_config_put(fake->w1c + 0xa0 + PCI_EXP_DEVSTA, 2, 0x004f);
	vfio_pci_config_put(fake->w1c + EXT + PCI_ERR_UNCOR_STATUS, 4, ~0);
	vfio_pci_config_put(fake->w1c + EXT + PCI_ERR_COR_STATUS, 4, ~0);
}

static void reads_of_any_size_agree(struct kunit *test)
{
	struct fake *fake = new_fake(test);
	char __user *buf = user_buffer(test);
	unsigned int i, k, pos, len;
	u32 seed = 11;
	u8 *bytes;

	bytes = kunit_kzalloc(test, SPACE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bytes);
	put_plain_device(fake, &seed);
	build(test, fake);
	for (i = 0; i < 300; i++) {
		pos = next_random(&seed) % SPACE;
		len = next_random(&seed) % (i & 1 ? 9 : SPACE);
		len = min(len, SPACE - pos);
		KUNIT_ASSERT_EQ(test, len, rw(fake, buf, pos, len, false));
		KUNIT_ASSERT_EQ(test, 0, copy_from_user(bytes, buf, len));
		for (k = 0; k < len; k++)
			KUNIT_ASSERT_EQ_MSG(test, bytes[k],
					    see(fake, pos + k, 1), "at %#x",
					    pos + k);
	}
}

static void writes_change_what_they_may(struct kunit *test)
{
	struct fake *fake = new_fake(test);
	char __user *buf = user_buffer(test);
	unsigned int i, k, pos, len;
	struct fake *old;
	u32 seed = 13;
	u8 *bytes;

	bytes = kunit_kzalloc(test, SPACE, GFP_KERNEL);
	old = kunit_kzalloc(test, sizeof(*old), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bytes);
	KUNIT_ASSERT_NOT_NULL(test, old);

	for (i = 0; i < 2000; i++) {
		if (i % 50 == 0) {
			put_plain_device(fake, &seed);
			build(test, fake);
		}
		pos = PCI_STATUS + next_random(&seed) % (SPACE - PCI_STATUS);
		if (i & 1)
			pos = PCI_STATUS + next_random(&seed) % 0x140;
		len = 1 + next_random(&seed) % 12;
		len = min(len, SPACE - pos);
		/* The fake device cannot do what hooks do. */
		if (memchr_inv(fake->config.hook + pos, VFIO_PCI_CONFIG_PLAIN,
			       len))
			continue;
		for (k = 0; k < len; k++)
			bytes[k] = next_random(&seed);
		memcpy(old->space, fake->space, SPACE);
		memcpy(&old->config, &fake->config, sizeof(fake->config));
		KUNIT_ASSERT_EQ(test, 0, copy_to_user(buf, bytes, len));
		KUNIT_ASSERT_EQ(test, len, rw(fake, buf, pos, len, true));

		for (k = 0; k < SPACE; k++) {
			bool hit = k >= pos && k < pos + len;
			u8 virt = fake->config.virt[k];
			u8 new = hit ? bytes[k - pos] : 0;
			u8 mask = hit ? fake->config.write[k] : 0;
			u8 w1c = fake->w1c[k];
			u8 expected;

			expected = (old->config.value[k] & ~(mask & virt)) |
				   (new & mask & virt);
			KUNIT_ASSERT_EQ_MSG(test, fake->config.value[k],
					    expected, "copy at %#x", k);
			mask &= ~virt;
			expected = (old->space[k] & ~(mask & ~w1c)) |
				   (new & mask & ~w1c);
			expected &= ~(new & mask & w1c);
			KUNIT_ASSERT_EQ_MSG(test, fake->space[k], expected,
					    "device at %#x, write of %u at %#x",
					    k, len, pos);
		}
	}
}

static void accesses_beyond_the_end(struct kunit *test)
{
	static const struct {
		loff_t pos;
		size_t len;
		ssize_t ret;
	} cases[] = {
		{ 0, SPACE, SPACE },
		{ 0, 0, 0 },
		{ SPACE - 1, 1, 1 },
		{ SPACE - 4, 4, 4 },
		{ SPACE - 4, 5, -EFAULT },
		{ SPACE, 1, -EFAULT },
		{ SPACE, 0, -EFAULT },
		{ 0, SPACE + 1, -EFAULT },
		{ 1, SIZE_MAX, -EFAULT },
		{ SPACE - 1, SIZE_MAX, -EFAULT },
		{ VFIO_PCI_OFFSET_MASK, 1, -EFAULT },
		{ VFIO_PCI_OFFSET_MASK, SIZE_MAX, -EFAULT },
	};
	struct fake *fake = new_fake(test);
	char __user *buf = user_buffer(test);
	unsigned int i;

	build(test, fake);
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, cases[i].ret,
				    rw(fake, buf, cases[i].pos, cases[i].len,
				       false), "case %u", i);
	fake->pdev.cfg_size = PCI_CFG_SPACE_SIZE;
	KUNIT_EXPECT_EQ(test, 1, rw(fake, buf, 255, 1, false));
	KUNIT_EXPECT_EQ(test, -EFAULT, rw(fake, buf, 255, 2, false));
	KUNIT_EXPECT_EQ(test, -EFAULT, rw(fake, buf, 256, 1, false));
	/* A buffer that is not mapped */
	KUNIT_EXPECT_EQ(test, -EFAULT, rw(fake, (char __user *)8, 0, 4, false));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			rw(fake, (char __user *)8, 0x3c, 4, true));
}

/* ---- Registers where a write does more than change bits ---- */

#define BAR0	0xfeb00000

static u32 device_has(const struct fake *fake, unsigned int pos,
		      unsigned int width)
{
	return vfio_pci_config_get(fake->space + pos, width);
}

/* The user writes a register; what pwrite() would return. */
static ssize_t write_reg(struct kunit *test, struct fake *fake,
			 char __user *buf, unsigned int pos,
			 unsigned int width, u32 value)
{
	u8 bytes[4];

	vfio_pci_config_put(bytes, width, value);
	KUNIT_ASSERT_EQ(test, 0, copy_to_user(buf, bytes, width));
	return rw(fake, buf, pos, width, true);
}

/* What a reset that the PCI core does not know of leaves in the header */
static void lose_header(struct fake *fake)
{
	put(fake, PCI_COMMAND, 2, 0);
	put(fake, PCI_BASE_ADDRESS_0, 4, 0);
	fake->decoded_at_0 = false;
}

static void command_after_a_reset_of_its_own(struct kunit *test)
{
	const u16 on = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	struct fake *fake = new_fake(test);
	char __user *buf = user_buffer(test);
	u16 cmd;

	fake->vdev.rbar[0] = BAR0;
	put(fake, PCI_BASE_ADDRESS_0, 4, BAR0);
	put(fake, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
	build(test, fake);
	KUNIT_EXPECT_EQ(test, 2, write_reg(test, fake, buf, PCI_COMMAND, 2,
					   on));

	/* The user writes the value that it sees already. */
	lose_header(fake);
	KUNIT_EXPECT_EQ(test, 2, write_reg(test, fake, buf, PCI_COMMAND, 2,
					   on));
	KUNIT_EXPECT_EQ(test, BAR0, device_has(fake, PCI_BASE_ADDRESS_0, 4));
	KUNIT_EXPECT_EQ(test, on | PCI_COMMAND_INTX_DISABLE,
			device_has(fake, PCI_COMMAND, 2));
	KUNIT_EXPECT_FALSE(test, fake->decoded_at_0);

	/* The kernel turns decoding on for itself. */
	lose_header(fake);
	cmd = vfio_pci_memory_force_on(&fake->vdev);
	vfio_pci_memory_force_end(&fake->vdev, cmd);
	KUNIT_EXPECT_EQ(test, BAR0, device_has(fake, PCI_BASE_ADDRESS_0, 4));
	KUNIT_EXPECT_FALSE(test, fake->decoded_at_0);

	/* A device that does not answer is left alone. */
	memset(fake->space, 0xff, PCI_STD_HEADER_SIZEOF);
	KUNIT_EXPECT_EQ(test, 2, write_reg(test, fake, buf, PCI_COMMAND, 2,
					   on));
	KUNIT_EXPECT_EQ(test, 0xffff, device_has(fake, PCI_COMMAND, 2));
}

/* A device that is lost while the kernel has turned decoding on for itself */
static void lost_device_is_not_written_to(struct kunit *test)
{
	struct fake *fake = new_fake(test);
	u16 cmd;

	build(test, fake);
	cmd = vfio_pci_memory_force_on(&fake->vdev);
	KUNIT_EXPECT_EQ(test, PCI_COMMAND_MEMORY,
			device_has(fake, PCI_COMMAND, 2));
	memset(fake->space, 0xff, PCI_STD_HEADER_SIZEOF);
	vfio_pci_memory_force_end(&fake->vdev, cmd);
	KUNIT_EXPECT_EQ(test, 0xffff, device_has(fake, PCI_COMMAND, 2));

	/* Lost before and after */
	cmd = vfio_pci_memory_force_on(&fake->vdev);
	vfio_pci_memory_force_end(&fake->vdev, cmd);
	KUNIT_EXPECT_EQ(test, 0xffff, device_has(fake, PCI_COMMAND, 2));
}

static void memory_without_a_bit_is_always_on(struct kunit *test)
{
	struct fake *fake = new_fake(test);
	struct vfio_pci_core_device *vdev = &fake->vdev;

	build(test, fake);
	KUNIT_EXPECT_FALSE(test, vfio_pci_memory_enabled(vdev));
	fake->pdev.no_command_memory = 1;
	KUNIT_EXPECT_TRUE(test, vfio_pci_memory_enabled(vdev));
	fake->pdev.current_state = PCI_D3hot;
	KUNIT_EXPECT_FALSE(test, vfio_pci_memory_enabled(vdev));
}

/* Whether a ROM can be read is found out later, as that takes long. */
static void open_leaves_the_rom_alone(struct kunit *test)
{
	struct fake *fake = new_fake(test);
	struct resource *rom = &fake->pdev.resource[PCI_ROM_RESOURCE];

	rom->start = BAR0;
	rom->end = BAR0 + SZ_64K - 1;
	rom->flags = IORESOURCE_MEM;
	KUNIT_ASSERT_EQ(test, 0, vfio_pci_config_init(&fake->vdev));
	KUNIT_EXPECT_FALSE(test, fake->rom_written);
	KUNIT_EXPECT_EQ(test, vfio_pci_config(&fake->vdev)->rom,
			VFIO_PCI_ROM_UNKNOWN);
	vfio_pci_config_free(&fake->vdev);
}

/* The fake device has no way to be reset. */
static void function_level_reset_that_fails(struct kunit *test)
{
	struct fake *fake = new_fake(test);
	char __user *buf = user_buffer(test);

	put_cap(fake, CAP, PCI_CAP_ID_EXP, NEXT);
	put(fake, CAP + PCI_EXP_FLAGS, 2, 2);
	put_cap(fake, NEXT, PCI_CAP_ID_AF, 0);
	put(fake, NEXT + PCI_AF_CAP, 1, PCI_AF_CAP_FLR);
	fake->pdev.devcap = PCI_EXP_DEVCAP_FLR;
	build(test, fake);
	KUNIT_EXPECT_EQ(test, 2, write_reg(test, fake, buf,
					   CAP + PCI_EXP_DEVCTL, 2,
					   PCI_EXP_DEVCTL_BCR_FLR |
					   PCI_EXP_DEVCTL_RELAX_EN));
	KUNIT_EXPECT_EQ(test, PCI_EXP_DEVCTL_RELAX_EN,
			device_has(fake, CAP + PCI_EXP_DEVCTL, 2));
	KUNIT_EXPECT_EQ(test, 1, write_reg(test, fake, buf,
					   NEXT + PCI_AF_CTRL, 1,
					   PCI_AF_CTRL_FLR));
	KUNIT_EXPECT_EQ(test, 0, device_has(fake, NEXT + PCI_AF_CTRL, 1));
}

/* ---- INTx, by an interrupt that only this test raises ---- */

static void free_soft_irq(void *irq)
{
	irq_free_desc((unsigned long)irq);
}

static void intx_up(struct kunit *test, struct fake *fake)
{
	int irq = irq_alloc_desc(NUMA_NO_NODE);
	s32 none = -1;

	KUNIT_ASSERT_GT(test, irq, 0);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, free_soft_irq,
						  (void *)(long)irq));
	irq_set_chip_and_handler(irq, &dummy_irq_chip, handle_simple_irq);
	irq_modify_status(irq, IRQ_NOREQUEST, 0);

	fake->pdev.irq = irq;
	fake->pdev.pin = 1;
	fake->vdev.pci_2_3 = true;
	mutex_lock(&fake->vdev.igate);
	KUNIT_EXPECT_EQ(test, 0,
			vfio_pci_set_irqs(&fake->vdev,
					  VFIO_IRQ_SET_DATA_EVENTFD |
					  VFIO_IRQ_SET_ACTION_TRIGGER,
					  VFIO_PCI_INTX_IRQ_INDEX, 0, 1,
					  &none));
	mutex_unlock(&fake->vdev.igate);
	KUNIT_ASSERT_EQ(test, fake->vdev.irq_type, VFIO_PCI_INTX_IRQ_INDEX);
}

static void intx_hold(struct fake *fake, bool hold)
{
	mutex_lock(&fake->vdev.igate);
	if (hold)
		vfio_pci_intx_mask(&fake->vdev);
	else
		vfio_pci_intx_unmask(&fake->vdev);
	mutex_unlock(&fake->vdev.igate);
}

/* Another device asserts the line while this one is held. */
static void held_intx_touches_nothing(struct kunit *test)
{
	struct fake *fake = new_fake(test);

	build(test, fake);
	intx_up(test, fake);
	fake->accesses = 0;
	generic_handle_irq_safe(fake->pdev.irq);
	KUNIT_EXPECT_NE(test, 0, fake->accesses);

	intx_hold(fake, true);
	fake->accesses = 0;
	generic_handle_irq_safe(fake->pdev.irq);
	KUNIT_EXPECT_EQ(test, 0, fake->accesses);

	intx_hold(fake, false);
	vfio_pci_irqs_disable(&fake->vdev);
}

static void interrupt_disable_bit_follows_intx(struct kunit *test)
{
	struct fake *fake = new_fake(test);
	char __user *buf = user_buffer(test);
	int hold;

	build(test, fake);
	intx_up(test, fake);
	for (hold = 0; hold < 2; hold++) {
		intx_hold(fake, hold);
		put(fake, PCI_COMMAND, 2, 0);
		KUNIT_EXPECT_EQ(test, 2, write_reg(test, fake, buf,
						   PCI_COMMAND, 2,
						   PCI_COMMAND_MASTER));
		KUNIT_EXPECT_EQ(test, device_has(fake, PCI_COMMAND, 2),
				PCI_COMMAND_MASTER |
				(hold ? PCI_COMMAND_INTX_DISABLE : 0));
	}
	intx_hold(fake, false);
	vfio_pci_irqs_disable(&fake->vdev);
	put(fake, PCI_COMMAND, 2, 0);
	KUNIT_EXPECT_EQ(test, 2, write_reg(test, fake, buf, PCI_COMMAND, 2,
					   0));
	KUNIT_EXPECT_EQ(test, device_has(fake, PCI_COMMAND, 2),
			PCI_COMMAND_INTX_DISABLE);
}

/*
 * pci_free_irq_vectors() turns INTx on without a lock, if that has not been
 * done.  The fake device has no vector.
 */
static void intx_is_on_before_vectors_are_freed(struct kunit *test)
{
	struct fake *fake = new_fake(test);

	build(test, fake);
	put(fake, PCI_COMMAND, 2,
	    PCI_COMMAND_INTX_DISABLE | PCI_COMMAND_MASTER);
	fake->vdev.msix_size = PCI_MSIX_ENTRY_SIZE;
	fake->vdev.irq_type = VFIO_PCI_MSIX_IRQ_INDEX;
	mutex_lock(&fake->vdev.igate);
	KUNIT_EXPECT_EQ(test, 0,
			vfio_pci_set_irqs(&fake->vdev,
					  VFIO_IRQ_SET_DATA_NONE |
					  VFIO_IRQ_SET_ACTION_TRIGGER,
					  VFIO_PCI_MSIX_IRQ_INDEX, 0, 0, NULL));
	mutex_unlock(&fake->vdev.igate);
	KUNIT_EXPECT_EQ(test, fake->vdev.irq_type, VFIO_PCI_IRQ_NONE);
	KUNIT_EXPECT_TRUE(test, fake->intx_on_locked);
	KUNIT_EXPECT_EQ(test, device_has(fake, PCI_COMMAND, 2),
			PCI_COMMAND_INTX_DISABLE | PCI_COMMAND_MASTER);
}

/* ---- AtomicOps on the way to memory ---- */

static struct fake *new_port(struct kunit *test, unsigned int type,
			     u32 devcap2)
{
	struct fake *fake = new_fake(test);

	fake->pdev.pcie_cap = CAP;
	fake->pdev.pcie_flags_reg = 2 | type << 4;
	put(fake, CAP + PCI_EXP_DEVCAP2, 4, devcap2);
	return fake;
}

static void put_below(struct fake *fake, struct fake *port)
{
	fake->bus.parent = &port->bus;
	fake->bus.self = &port->pdev;
}

static void atomic_operations(struct kunit *test)
{
	const u32 route = PCI_EXP_DEVCAP2_ATOMIC_ROUTE;
	struct fake *root = new_port(test, PCI_EXP_TYPE_ROOT_PORT,
				     PCI_EXP_DEVCAP2_ATOMIC_COMP32 |
				     PCI_EXP_DEVCAP2_ATOMIC_COMP64);
	struct fake *up = new_port(test, PCI_EXP_TYPE_UPSTREAM, route);
	struct fake *down = new_port(test, PCI_EXP_TYPE_DOWNSTREAM, route);
	struct fake *end = new_port(test, PCI_EXP_TYPE_ENDPOINT, 0);
	const u32 both = VFIO_PCI_ATOMIC_COMP32 | VFIO_PCI_ATOMIC_COMP64;
	struct pci_dev *pdev = &end->pdev;

	/* Without a port above it there is no path. */
	KUNIT_EXPECT_EQ(test, 0, vfio_pci_atomic_completions(pdev));
	put_below(end, root);
	KUNIT_EXPECT_EQ(test, both, vfio_pci_atomic_completions(pdev));
	/* Being asked changes nothing in the device. */
	KUNIT_EXPECT_EQ(test, 0, device_has(end, CAP + PCI_EXP_DEVCTL2, 2));

	put_below(end, down);
	put_below(down, up);
	put_below(up, root);
	KUNIT_EXPECT_EQ(test, both, vfio_pci_atomic_completions(pdev));
	put(up, CAP + PCI_EXP_DEVCTL2, 2, PCI_EXP_DEVCTL2_ATOMIC_EGRESS_BLOCK);
	KUNIT_EXPECT_EQ(test, 0, vfio_pci_atomic_completions(pdev));
	put(up, CAP + PCI_EXP_DEVCTL2, 2, 0);
	put(down, CAP + PCI_EXP_DEVCAP2, 4, 0);
	KUNIT_EXPECT_EQ(test, 0, vfio_pci_atomic_completions(pdev));

	/* Part of the root complex, and not PCI Express at all */
	end->pdev.pcie_flags_reg = 2 | PCI_EXP_TYPE_RC_END << 4;
	KUNIT_EXPECT_EQ(test, both | VFIO_PCI_ATOMIC_COMP128,
			vfio_pci_atomic_completions(pdev));
	end->pdev.pcie_cap = 0;
	KUNIT_EXPECT_EQ(test, 0, vfio_pci_atomic_completions(pdev));
}

static struct kunit_case config_perm_cases[] = {
	KUNIT_CASE_PARAM(standard_capabilities, view_gen_params),
	KUNIT_CASE_PARAM(extended_capabilities, ext_view_gen_params),
	KUNIT_CASE_PARAM(cut_short_by_the_next, view_gen_params),
	KUNIT_CASE_PARAM(cut_short_by_the_end, view_gen_params),
	KUNIT_CASE_PARAM(extended_cut_short_by_the_end, ext_view_gen_params),
	KUNIT_CASE(header),
	KUNIT_CASE(unknown_capabilities_are_hidden),
	KUNIT_CASE(enhanced_allocation_is_hidden),
	KUNIT_CASE(unknown_extended_capabilities_are_hidden),
	KUNIT_CASE(whole_extended_capabilities),
	KUNIT_CASE(error_mask_is_that_of_power_on),
	KUNIT_CASE(vpd_is_hidden_where_it_hangs),
	KUNIT_CASE(list_ends_where_nothing_is_visible),
	KUNIT_CASE(links_are_read_only),
	KUNIT_CASE(lists_that_loop_end),
	KUNIT_CASE(lists_that_go_astray_end),
	KUNIT_CASE(as_many_as_fit),
	KUNIT_CASE(conventional_device_has_256_bytes),
	KUNIT_CASE(random_devices_do_no_harm),
	{}
};

static struct kunit_suite config_perm_suite = {
	.name = "vfio_pci_config_perm",
	.test_cases = config_perm_cases,
};

static struct kunit_case config_rw_cases[] = {
	KUNIT_CASE(reads_of_any_size_agree),
	KUNIT_CASE(writes_change_what_they_may),
	KUNIT_CASE(accesses_beyond_the_end),
	KUNIT_CASE(command_after_a_reset_of_its_own),
	KUNIT_CASE(lost_device_is_not_written_to),
	KUNIT_CASE(memory_without_a_bit_is_always_on),
	KUNIT_CASE(open_leaves_the_rom_alone),
	KUNIT_CASE(function_level_reset_that_fails),
	KUNIT_CASE(held_intx_touches_nothing),
	KUNIT_CASE(interrupt_disable_bit_follows_intx),
	KUNIT_CASE(intx_is_on_before_vectors_are_freed),
	KUNIT_CASE(atomic_operations),
	{}
};

static struct kunit_suite config_rw_suite = {
	.name = "vfio_pci_config_rw",
	.test_cases = config_rw_cases,
};

kunit_test_suites(&config_perm_suite, &config_rw_suite);
