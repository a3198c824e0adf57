// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which bits of configuration space the user sees and which it can change:
 * tables of the registers of the header and of each capability, and the code
 * that applies the tables to the capabilities that the device has.
 *
 * config.c does what writes to special registers need, and fills in the values
 * that depend on more than configuration space (BARs, IDs of VFs).
 *
 * The device is not trusted: its lists may loop, its capabilities may overlap
 * or be longer than configuration space.  Each byte belongs to at most one
 * capability.
 */
#include <linux/bitmap.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "config.h"

/**
 * struct field - a register with a treatment of its own
 * @offset: of the register in its capability
 * @width: bytes: 1, 2 or 4
 * @hook: what a write does beyond changing bits
 * @write: bits that the user can change
 * @virt: virtual bits whose initial value is the device's
 * @initial: changes that value; optional
 * @zero: virtual bits whose initial value is 0
 * @w1c: bits that the device clears when a 1 is written
 */
struct field {
	u8 offset;
	u8 width;
	u8 hook;
	u32 write;
	u32 virt;
	u32 (*initial)(struct pci_dev *pdev, u32 value);
	u32 zero;
	u32 w1c;
};

/*
 * How the registers of a capability that no field describes are treated.  With
 * the first two, the user does not see the capability in the list.
 */
enum rest {
	UNLISTED,	/* read from the device, not written */
	HIDDEN,		/* read as 0 */
	FIXED,		/* read from the device, not written */
	RAW,		/* read from and written to the device */
};

/**
 * struct capability - how the user sees a capability
 * @rest: registers that are not in @fields
 * @whole: the kernel relies on its registers: it gets all its bytes, even if
 *	another capability seems to start inside of it
 * @len: bytes; 0: as @length says, or up to the next capability
 * @length: bytes, as read from the device; optional
 * @usable: false hides the capability from the user; NULL: always usable
 * @fields: registers that @rest does not fit; ends with one of width 0
 */
struct capability {
	enum rest rest;
	bool whole;
	u8 len;
	unsigned int (*length)(struct pci_dev *pdev, int pos);
	bool (*usable)(struct pci_dev *pdev);
	const struct field *fields;
};

/* ---- The standard header: config.c fills in BARs, ROM and pin ---- */

#define COMMAND_VIRT	(PCI_COMMAND_IO | PCI_COMMAND_MEMORY | \
			 PCI_COMMAND_SPECIAL | PCI_COMMAND_INVALIDATE | \
			 PCI_COMMAND_PARITY | PCI_COMMAND_SERR | \
			 PCI_COMMAND_FAST_BACK | PCI_COMMAND_INTX_DISABLE)
/* The host checks these for errors: the user can read, but not clear them. */
#define STATUS_W1C	(PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT | \
			 PCI_STATUS_REC_TARGET_ABORT | \
			 PCI_STATUS_REC_MASTER_ABORT | \
			 PCI_STATUS_SIG_SYSTEM_ERROR | \
			 PCI_STATUS_DETECTED_PARITY)

static const struct field header_fields[] = {
	{ PCI_COMMAND, 2, VFIO_PCI_CONFIG_COMMAND,
	  .virt = COMMAND_VIRT, .write = COMMAND_VIRT | PCI_COMMAND_MASTER },
	{ PCI_STATUS, 2, .virt = PCI_STATUS_CAP_LIST, .w1c = STATUS_W1C },
	{ PCI_CACHE_LINE_SIZE, 1, .virt = 0xff, .write = 0xff },
	{ PCI_LATENCY_TIMER, 1, .virt = 0xff, .write = 0xff },
	{ PCI_CAPABILITY_LIST, 1, .zero = 0xff },
	{ PCI_INTERRUPT_LINE, 1, .virt = 0xff, .write = 0xff },
	{ PCI_INTERRUPT_PIN, 1, .virt = 0xff },
	{ }
};

static const struct capability standard_header = {
	.rest = FIXED, .len = PCI_STD_HEADER_SIZEOF, .fields = header_fields
};

/* ---- Capabilities in the first 256 bytes ---- */

/* PME# is hidden: it would wake up the host, not the VM. */
static const struct field pm_fields[] = {
	{ PCI_PM_PMC, 2, .zero = PCI_PM_CAP_PME_MASK },
	{ PCI_PM_CTRL, 2, VFIO_PCI_CONFIG_PM_CTRL,
	  .zero = PCI_PM_CTRL_PME_ENABLE | PCI_PM_CTRL_PME_STATUS },
	{ }
};

static const struct field vpd_fields[] = {
	{ PCI_VPD_ADDR, 2, VFIO_PCI_CONFIG_VPD_ADDR,
	  .zero = 0xffff, .write = 0xffff },
	{ PCI_VPD_DATA, 4, .zero = ~0, .write = ~0 },
	{ }
};

static bool vpd_usable(struct pci_dev *pdev)
{
	/* Not set if a quirk of the PCI core says that VPD access hangs */
	return pdev->vpd.cap;
}

/*
 * The kernel owns the message; the user reads and writes a virtual one.  The
 * mask bits are the device's: they do no harm, and the user has no other way to
 * mask a vector.  Where there are none, the capability ends before them.
 */
#define MSI_FLAGS_VIRT	(PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE)

static const struct field msi32_fields[] = {
	{ PCI_MSI_FLAGS, 2, VFIO_PCI_CONFIG_MSI_FLAGS,
	  .zero = MSI_FLAGS_VIRT, .write = MSI_FLAGS_VIRT },
	{ PCI_MSI_ADDRESS_LO, 4, .zero = ~0, .write = ~3 },
	{ PCI_MSI_DATA_32, 2, .zero = 0xffff, .write = 0xffff },
	{ PCI_MSI_MASK_32, 4, .write = ~0 },
	{ }
};

static const struct field msi64_fields[] = {
	{ PCI_MSI_FLAGS, 2, VFIO_PCI_CONFIG_MSI_FLAGS,
	  .zero = MSI_FLAGS_VIRT, .write = MSI_FLAGS_VIRT },
	{ PCI_MSI_ADDRESS_LO, 4, .zero = ~0, .write = ~3 },
	{ PCI_MSI_ADDRESS_HI, 4, .zero = ~0, .write = ~0 },
	{ PCI_MSI_DATA_64, 2, .zero = 0xffff, .write = 0xffff },
	{ PCI_MSI_MASK_64, 4, .write = ~0 },
	{ }
};

static const struct capability msi32 = {
	.rest = FIXED, .whole = true, .len = PCI_MSI_DATA_32 + 2,
	.fields = msi32_fields
};

static const struct capability msi32_maskable = {
	.rest = FIXED, .whole = true, .len = PCI_MSI_PENDING_32 + 4,
	.fields = msi32_fields
};

static const struct capability msi64 = {
	.rest = FIXED, .whole = true, .len = PCI_MSI_DATA_64 + 2,
	.fields = msi64_fields
};

static const struct capability msi64_maskable = {
	.rest = FIXED, .whole = true, .len = PCI_MSI_PENDING_64 + 4,
	.fields = msi64_fields
};

static const struct capability *msi_variant(struct pci_dev *pdev, int pos)
{
	u16 flags;

	pci_read_config_word(pdev, pos + PCI_MSI_FLAGS, &flags);
	if (flags & PCI_MSI_FLAGS_64BIT)
		return flags & PCI_MSI_FLAGS_MASKBIT ? &msi64_maskable : &msi64;
	return flags & PCI_MSI_FLAGS_MASKBIT ? &msi32_maskable : &msi32;
}

#define PCIX_STATUS_W1C	(PCI_X_STATUS_SPL_DISC | PCI_X_STATUS_UNX_SPL | \
			 PCI_X_STATUS_SPL_ERR)

static const struct field pcix_fields[] = {
	{ PCI_X_CMD, 2, .write = PCI_X_CMD_ERO | PCI_X_CMD_MAX_READ |
			PCI_X_CMD_MAX_SPLIT },
	{ PCI_X_STATUS, 4, .write = PCIX_STATUS_W1C, .w1c = PCIX_STATUS_W1C },
	{ }
};

static unsigned int pcix_length(struct pci_dev *pdev, int pos)
{
	u16 cmd;

	pci_read_config_word(pdev, pos + PCI_X_CMD, &cmd);
	return PCI_X_CMD_VERSION(cmd) ? PCI_CAP_PCIX_SIZEOF_V2 :
					PCI_CAP_PCIX_SIZEOF_V0;
}

/*
 * The host decides on error reporting, payload size, tags and what depends on
 * the other end of the link, such as ASPM.  The user reads the payload and read
 * request sizes that it wrote, as drivers check that.  The hook sets the read
 * request size in the device, as far as the PCI core allows it, and does the
 * FLR.  As with Status, the host clears Device Status.
 */
#define DEVCTL_VIRT	(PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | \
			 PCI_EXP_DEVCTL_FERE | PCI_EXP_DEVCTL_URRE | \
			 PCI_EXP_DEVCTL_PAYLOAD | PCI_EXP_DEVCTL_READRQ)
#define DEVSTA_EPRD	0x0040	/* emergency power reduction detected */
#define DEVSTA_W1C	(PCI_EXP_DEVSTA_CED | PCI_EXP_DEVSTA_NFED | \
			 PCI_EXP_DEVSTA_FED | PCI_EXP_DEVSTA_URD | DEVSTA_EPRD)

static const struct field exp_fields[] = {
	{ PCI_EXP_DEVCTL, 2, VFIO_PCI_CONFIG_EXP_DEVCTL,
	  .virt = DEVCTL_VIRT,
	  .write = DEVCTL_VIRT | PCI_EXP_DEVCTL_RELAX_EN |
		   PCI_EXP_DEVCTL_NOSNOOP_EN },
	{ PCI_EXP_DEVSTA, 2, .w1c = DEVSTA_W1C },
	{ PCI_EXP_DEVCTL2, 2,
	  .write = PCI_EXP_DEVCTL2_COMP_TIMEOUT |
		   PCI_EXP_DEVCTL2_COMP_TMOUT_DIS |
		   PCI_EXP_DEVCTL2_ATOMIC_REQ | PCI_EXP_DEVCTL2_IDO_REQ_EN |
		   PCI_EXP_DEVCTL2_IDO_CMP_EN },
	{ }
};

/* From version 2 on all registers exist; unused ones read as 0. */
#define EXP_LEN_V2	(PCI_EXP_SLTSTA2 + 2)

static unsigned int exp_length(struct pci_dev *pdev, int pos)
{
	u16 flags;

	pci_read_config_word(pdev, pos + PCI_EXP_FLAGS, &flags);
	if ((flags & PCI_EXP_FLAGS_VERS) > 1)
		return EXP_LEN_V2;
	return pci_pcie_type(pdev) == PCI_EXP_TYPE_RC_END ?
	       PCI_CAP_EXP_RC_ENDPOINT_SIZEOF_V1 :
	       PCI_CAP_EXP_ENDPOINT_SIZEOF_V1;
}

static unsigned int vndr_length(struct pci_dev *pdev, int pos)
{
	u8 len;

	/* The byte after the list header is the length */
	pci_read_config_byte(pdev, pos + PCI_CAP_FLAGS, &len);
	return max_t(u8, len, PCI_CAP_FLAGS + 1);
}

static unsigned int sata_length(struct pci_dev *pdev, int pos)
{
	u8 regs;

	pci_read_config_byte(pdev, pos + PCI_SATA_REGS, &regs);
	return (regs & PCI_SATA_REGS_MASK) == PCI_SATA_REGS_INLINE ?
	       PCI_SATA_SIZEOF_LONG : PCI_SATA_SIZEOF_SHORT;
}

static const struct field af_fields[] = {
	{ PCI_AF_CTRL, 1, VFIO_PCI_CONFIG_AF_CTRL },
	{ }
};

/*
 * The null capability, and IDs that the specification does not assign: only the
 * header is known to be one.  The bytes after it are the device's own.
 */
static const struct capability header_only = {
	.rest = HIDDEN, .len = PCI_CAP_FLAGS
};

/*
 * Capabilities that are not here are unlisted: they belong to bridges and
 * slots.  EA is hidden: it has the host's addresses, not the emulated BARs.
 */
static const struct capability capabilities[PCI_CAP_ID_MAX + 1] = {
	[PCI_CAP_ID_PM] = { .rest = FIXED, .whole = true,
			    .len = PCI_PM_SIZEOF, .fields = pm_fields },
	[PCI_CAP_ID_AGP] = { .rest = FIXED, .len = PCI_AGP_SIZEOF },
	[PCI_CAP_ID_VPD] = { .rest = FIXED, .whole = true,
			     .len = PCI_CAP_VPD_SIZEOF, .usable = vpd_usable,
			     .fields = vpd_fields },
	[PCI_CAP_ID_SLOTID] = { .rest = FIXED, .len = PCI_CAP_SIZEOF },
	[PCI_CAP_ID_CHSWP] = { .rest = FIXED, .len = PCI_CAP_SIZEOF },
	[PCI_CAP_ID_PCIX] = { .rest = FIXED, .length = pcix_length,
			      .fields = pcix_fields },
	[PCI_CAP_ID_HT] = { .rest = FIXED },
	[PCI_CAP_ID_VNDR] = { .rest = RAW, .length = vndr_length },
	[PCI_CAP_ID_DBG] = { .rest = FIXED, .len = PCI_CAP_SIZEOF },
	[PCI_CAP_ID_SSVID] = { .rest = FIXED, .len = PCI_SSVID_DEVICE_ID + 2 },
	[PCI_CAP_ID_EXP] = { .rest = FIXED, .whole = true,
			     .length = exp_length, .fields = exp_fields },
	[PCI_CAP_ID_MSIX] = { .rest = FIXED, .whole = true,
			      .len = PCI_CAP_MSIX_SIZEOF },
	[PCI_CAP_ID_SATA] = { .rest = RAW, .length = sata_length },
	[PCI_CAP_ID_AF] = { .rest = FIXED, .whole = true,
			    .len = PCI_CAP_AF_SIZEOF, .fields = af_fields },
	[PCI_CAP_ID_EA] = { .rest = HIDDEN },
};

/* ---- Extended capabilities ---- */

#define ERR_UNC_BITS	0x07fff030	/* Uncorrectable Error registers */
#define ERR_COR_BITS	0x0000f1c1	/* Correctable Error registers */
#define ERR_CAP_TLP_LOG	0x00000800	/* TLP Prefix Log Present */

/*
 * The host's kernel has set the mask of correctable errors for itself, and
 * kernels differ: Linux 7.3 wants to know of advisory errors, 6.12 does not.  The
 * user sees the mask as it is after power-on (PCIe 6.0, 7.8.4.5), since VMMs refuse
 * to migrate between hosts where the initial values differ.
 */
static u32 err_cor_mask(struct pci_dev *pdev, u32 value)
{
	return pdev->devcap & PCI_EXP_DEVCAP_RBER ?
	       value | PCI_ERR_COR_ADV_NFAT : value;
}

static const struct field err_fields[] = {
	{ PCI_ERR_UNCOR_STATUS, 4, .write = ~0, .w1c = ~0 },
	{ PCI_ERR_UNCOR_MASK, 4, .virt = ~0, .write = ERR_UNC_BITS },
	{ PCI_ERR_UNCOR_SEVER, 4, .virt = ~0, .write = ERR_UNC_BITS },
	{ PCI_ERR_COR_STATUS, 4, .write = ~0, .w1c = ~0 },
	{ PCI_ERR_COR_MASK, 4, .virt = ~0, .write = ERR_COR_BITS,
	  .initial = err_cor_mask },
	{ }
};

static unsigned int err_length(struct pci_dev *pdev, int pos)
{
	u32 cap;

	pci_read_config_dword(pdev, pos + PCI_ERR_CAP, &cap);
	/* The root port's registers lie between the two logs */
	return cap & ERR_CAP_TLP_LOG ? 0x48 : PCI_ERR_ROOT_COMMAND;
}

static const struct field pwr_fields[] = {
	{ PCI_PWR_DSR, 1, .write = 0xff },
	{ }
};

static unsigned int vsec_length(struct pci_dev *pdev, int pos)
{
	u32 hdr;

	pci_read_config_dword(pdev, pos + PCI_VNDR_HEADER, &hdr);
	return max(PCI_VNDR_HEADER_LEN(hdr), PCI_VNDR_HEADER + 4U);
}

static unsigned int dvsec_length(struct pci_dev *pdev, int pos)
{
	u32 hdr;

	pci_read_config_dword(pdev, pos + PCI_DVSEC_HEADER1, &hdr);
	return max(PCI_DVSEC_HEADER1_LEN(hdr), PCI_DVSEC_HEADER2 + 2U);
}

static unsigned int acs_length(struct pci_dev *pdev, int pos)
{
	unsigned int bits;
	u16 cap;

	pci_read_config_word(pdev, pos + PCI_ACS_CAP, &cap);
	if (!(cap & PCI_ACS_EC))
		return PCI_ACS_EGRESS_CTL_V;
	bits = cap >> 8 ?: 256;
	return PCI_ACS_EGRESS_CTL_V + DIV_ROUND_UP(bits, 32) * 4;
}

static unsigned int rebar_length(struct pci_dev *pdev, int pos)
{
	u32 ctrl, nbars;

	pci_read_config_dword(pdev, pos + PCI_REBAR_CTRL, &ctrl);
	nbars = (ctrl & PCI_REBAR_CTRL_NBAR_MASK) >> PCI_REBAR_CTRL_NBAR_SHIFT;
	return PCI_REBAR_CAP + nbars * 8;
}

static unsigned int dpa_length(struct pci_dev *pdev, int pos)
{
	u32 cap;

	pci_read_config_dword(pdev, pos + PCI_DPA_CAP, &cap);
	return PCI_DPA_BASE_SIZEOF + (cap & PCI_DPA_CAP_SUBSTATE_MASK) + 1;
}

static unsigned int tph_length(struct pci_dev *pdev, int pos)
{
	u32 cap;

	pci_read_config_dword(pdev, pos + PCI_TPH_CAP, &cap);
	if ((cap & PCI_TPH_CAP_LOC_MASK) != PCI_TPH_LOC_CAP)
		return PCI_TPH_BASE_SIZEOF;
	return PCI_TPH_BASE_SIZEOF +
	       2 * (((cap & PCI_TPH_CAP_ST_MASK) >> PCI_TPH_CAP_ST_SHIFT) + 1);
}

/*
 * Capabilities that are not here are unlisted: they belong to ports, or are
 * newer than this table and may control what the host decides on.  Their length
 * is not known, and registers of the device may follow: the user can read all.
 *
 * The host uses the whole ones to control isolation, addresses and the link.
 */
static const struct capability ext_capabilities[PCI_EXT_CAP_ID_MAX + 1] = {
	[PCI_EXT_CAP_ID_ERR] = { .rest = FIXED, .length = err_length,
				 .fields = err_fields },
	[PCI_EXT_CAP_ID_VC] = { .rest = FIXED },
	[PCI_EXT_CAP_ID_DSN] = { .rest = FIXED, .len = PCI_EXT_CAP_DSN_SIZEOF },
	[PCI_EXT_CAP_ID_PWR] = { .rest = FIXED, .len = PCI_EXT_CAP_PWR_SIZEOF,
				 .fields = pwr_fields },
	[PCI_EXT_CAP_ID_MFVC] = { .rest = FIXED },
	[PCI_EXT_CAP_ID_VC9] = { .rest = FIXED },
	[PCI_EXT_CAP_ID_VNDR] = { .rest = RAW, .length = vsec_length },
	[PCI_EXT_CAP_ID_ACS] = { .rest = FIXED, .whole = true,
				 .length = acs_length },
	[PCI_EXT_CAP_ID_ARI] = { .rest = FIXED, .len = PCI_EXT_CAP_ARI_SIZEOF },
	[PCI_EXT_CAP_ID_ATS] = { .rest = FIXED, .whole = true,
				 .len = PCI_EXT_CAP_ATS_SIZEOF },
	[PCI_EXT_CAP_ID_SRIOV] = { .rest = HIDDEN, .whole = true,
				   .len = PCI_EXT_CAP_SRIOV_SIZEOF },
	[PCI_EXT_CAP_ID_MCAST] = { .rest = FIXED,
				   .len = PCI_EXT_CAP_MCAST_ENDPOINT_SIZEOF },
	[PCI_EXT_CAP_ID_PRI] = { .rest = HIDDEN, .whole = true,
				 .len = PCI_EXT_CAP_PRI_SIZEOF },
	[PCI_EXT_CAP_ID_REBAR] = { .rest = FIXED, .whole = true,
				 .length = rebar_length },
	[PCI_EXT_CAP_ID_DPA] = { .rest = FIXED, .length = dpa_length },
	[PCI_EXT_CAP_ID_TPH] = { .rest = FIXED, .length = tph_length },
	[PCI_EXT_CAP_ID_LTR] = { .rest = FIXED, .len = PCI_EXT_CAP_LTR_SIZEOF },
	[PCI_EXT_CAP_ID_SECPCI] = { .rest = FIXED },
	[PCI_EXT_CAP_ID_PASID] = { .rest = HIDDEN, .whole = true,
				   .len = PCI_EXT_CAP_PASID_SIZEOF },
	[PCI_EXT_CAP_ID_L1SS] = { .rest = FIXED, .whole = true,
				  .len = PCI_L1SS_CTL2 + 4 },
	[PCI_EXT_CAP_ID_PTM] = { .rest = FIXED, .len = PCI_PTM_CTRL + 4 },
	[PCI_EXT_CAP_ID_DVSEC] = { .rest = RAW, .length = dvsec_length },
	[PCI_EXT_CAP_ID_DLF] = { .rest = FIXED, .len = PCI_DLF_CAP + 8 },
	[PCI_EXT_CAP_ID_DOE] = { .rest = HIDDEN, .whole = true,
				 .len = PCI_DOE_CAP_SIZEOF },
};

/* IDs beyond the table; capabilities that are not usable or malformed */
static const struct capability unlisted = { .rest = UNLISTED };
static const struct capability hidden = { .rest = HIDDEN };

/* The most that fit: an extended capability has at least 8 bytes. */
#define MAX_FOUND ((PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / 8)

/* A capability as found in the device's list */
struct found {
	u16 pos;
	const struct capability *cap;
	u32 header;
	bool visible;
};

/**
 * struct builder - state while the permissions are being built
 * @config: the permissions
 * @pdev: the device
 * @claimed: bytes that belong to the header or to a capability
 * @found: the capabilities of one list, in its order
 * @nr_found: number of elements in @found
 * @bad: a list is malformed
 */
struct builder {
	struct vfio_pci_config *config;
	struct pci_dev *pdev;
	DECLARE_BITMAP(claimed, PCI_CFG_SPACE_EXP_SIZE);
	struct found found[MAX_FOUND];
	unsigned int nr_found;
	bool bad;
};

static u32 read_device(struct pci_dev *pdev, int pos, unsigned int width)
{
	u32 dword = 0;
	u16 word = 0;
	u8 byte = 0;

	switch (width) {
	case 1:
		pci_read_config_byte(pdev, pos, &byte);
		return byte;
	case 2:
		pci_read_config_word(pdev, pos, &word);
		return word;
	default:
		pci_read_config_dword(pdev, pos, &dword);
		return dword;
	}
}

/**
 * vfio_pci_config_virtualise() - replace a register by a virtual one
 * @config: permissions of the device, which is not in use yet
 * @pos: where in configuration space
 * @width: bytes
 * @value: initial value
 * @write: bits that the user can change
 */
void vfio_pci_config_virtualise(struct vfio_pci_config *config,
				unsigned int pos, unsigned int width,
				u32 value, u32 write)
{
	vfio_pci_config_put(config->virt + pos, width, ~0);
	vfio_pci_config_put(config->value + pos, width, value);
	vfio_pci_config_put(config->write + pos, width, write);
}

static void apply_field(struct builder *b, unsigned int pos,
			const struct field *field)
{
	struct vfio_pci_config *config = b->config;
	u32 initial = 0;

	pos += field->offset;
	if (field->virt)
		initial = read_device(b->pdev, pos, field->width);
	if (field->initial)
		initial = field->initial(b->pdev, initial);

	vfio_pci_config_put(config->virt + pos, field->width,
			    field->virt | field->zero);
	vfio_pci_config_put(config->value + pos, field->width,
			    field->virt & ~field->zero & initial);
	vfio_pci_config_put(config->write + pos, field->width, field->write);
	vfio_pci_config_put(config->w1c + pos, field->width, field->w1c);
	memset(config->hook + pos, field->hook, field->width);
}

static bool is_free(struct builder *b, unsigned int pos, unsigned int len)
{
	return find_next_bit(b->claimed, pos + len, pos) == pos + len;
}

/* Give the free bytes of [pos, pos + len) to a capability. */
static void claim(struct builder *b, unsigned int pos, unsigned int len,
		  const struct capability *cap)
{
	struct vfio_pci_config *config = b->config;
	const struct field *field;
	unsigned int i;

	for (i = pos; i < pos + len; i++) {
		if (test_bit(i, b->claimed))
			continue;
		config->virt[i] = cap->rest == HIDDEN ? 0xff : 0;
		config->write[i] = cap->rest == RAW ? 0xff : 0;
	}
	for (field = cap->fields; field && field->width; field++) {
		if (field->offset + field->width <= len &&
		    is_free(b, pos + field->offset, field->width))
			apply_field(b, pos, field);
	}
	bitmap_set(b->claimed, pos, len);
}

static void claim_found(struct builder *b, struct found *found,
			unsigned int header_len, unsigned int limit)
{
	const struct capability *cap = found->cap;
	unsigned int i, len = cap->len, next = limit;

	for (i = 0; i < b->nr_found; i++)
		if (b->found[i].pos > found->pos)
			next = min_t(unsigned int, next, b->found[i].pos);
	if (!len && cap->length)
		len = cap->length(b->pdev, found->pos);
	if (!len)
		len = next - found->pos;
	len = max(len, header_len);
	len = min(len, (cap->whole ? limit : next) - found->pos);

	if (!is_free(b, found->pos, cap->whole ? len : header_len)) {
		b->bad = true;
		cap = &hidden;
	} else if (cap->usable && !cap->usable(b->pdev)) {
		cap = &hidden;
	}
	found->visible = cap->rest == FIXED || cap->rest == RAW;
	if (!found->visible)
		claim(b, found->pos, header_len, &hidden);
	claim(b, found->pos, len, cap);
}

static void claim_all(struct builder *b, unsigned int header_len,
		      unsigned int limit)
{
	unsigned int i;

	for (i = 0; i < b->nr_found; i++)
		if (b->found[i].cap->whole)
			claim_found(b, &b->found[i], header_len, limit);
	for (i = 0; i < b->nr_found; i++)
		if (!b->found[i].cap->whole)
			claim_found(b, &b->found[i], header_len, limit);
}

/* Add a capability; false ends the list: no room, or the list loops. */
static bool add_found(struct builder *b, unsigned int pos, u32 header,
		      const struct capability *cap)
{
	struct found *found = &b->found[b->nr_found];
	unsigned int i;

	for (i = 0; i < b->nr_found; i++)
		if (b->found[i].pos == pos)
			break;
	if (i < b->nr_found || i == ARRAY_SIZE(b->found)) {
		b->bad = true;
		return false;
	}
	found->pos = pos;
	found->header = header;
	found->cap = cap;
	b->nr_found++;
	return true;
}

static const struct capability *standard_capability(struct pci_dev *pdev,
						    unsigned int pos, u8 id)
{
	if (id == PCI_CAP_ID_MSI)
		return msi_variant(pdev, pos);
	return id && id < ARRAY_SIZE(capabilities) ? &capabilities[id] :
						     &header_only;
}

static const struct capability *extended_capability(unsigned int id)
{
	if (!id)
		return &header_only;
	return id < ARRAY_SIZE(ext_capabilities) ? &ext_capabilities[id] :
						   &unlisted;
}

static void find_standard(struct builder *b)
{
	unsigned int pos;
	u16 header;

	b->nr_found = 0;
	if (!(read_device(b->pdev, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST))
		return;
	pos = read_device(b->pdev, PCI_CAPABILITY_LIST, 1) & ~3;
	while (pos) {
		header = read_device(b->pdev, pos, 2);
		if (pos < PCI_STD_HEADER_SIZEOF || header == 0xffff) {
			b->bad = true;
			return;
		}
		if (!add_found(b, pos, header & 0xff,
			       standard_capability(b->pdev, pos, header)))
			return;
		pos = header >> 8 & ~3;
	}
}

/* Link the capabilities that the user sees. */
static void link_standard(struct builder *b)
{
	struct vfio_pci_config *config = b->config;
	u8 *next = &config->value[PCI_CAPABILITY_LIST];
	struct found *found;
	unsigned int i;

	for (i = 0; i < b->nr_found; i++) {
		found = &b->found[i];
		if (!found->visible)
			continue;
		vfio_pci_config_virtualise(config, found->pos, 2,
					   found->header, 0);
		*next = found->pos;
		next = &config->value[found->pos + PCI_CAP_LIST_NEXT];
	}
	if (next == &config->value[PCI_CAPABILITY_LIST])
		config->value[PCI_STATUS] &= ~PCI_STATUS_CAP_LIST;
}

static void find_extended(struct builder *b)
{
	unsigned int pos = PCI_CFG_SPACE_SIZE;
	u32 header;

	b->nr_found = 0;
	do {
		header = read_device(b->pdev, pos, 4);
		/* No list reads as 0, or as ~0 if there is no access to it. */
		if (pos == PCI_CFG_SPACE_SIZE && (!header || header == ~0U))
			return;
		if (pos < PCI_CFG_SPACE_SIZE || header == ~0U) {
			b->bad = true;
			return;
		}
		if (!add_found(b, pos, header,
			       extended_capability(PCI_EXT_CAP_ID(header))))
			return;
		pos = PCI_EXT_CAP_NEXT(header);
	} while (pos);
}

/*
 * The list starts at a fixed offset: if the capability there is hidden, a null
 * capability (ID 0) takes its place and links to the next one.
 */
static void link_extended(struct builder *b)
{
	struct vfio_pci_config *config = b->config;
	unsigned int i, last = PCI_CFG_SPACE_SIZE;
	struct found *found;
	u32 header;

	for (i = 0; i < b->nr_found; i++) {
		found = &b->found[i];
		if (!found->visible)
			continue;
		/* ID and version; nothing follows yet */
		vfio_pci_config_virtualise(config, found->pos, 4,
					   found->header & 0xfffff, 0);
		if (found->pos != last) {
			header = vfio_pci_config_get(config->value + last, 4);
			vfio_pci_config_put(config->value + last, 4,
					    header | (u32)found->pos << 20);
		}
		last = found->pos;
	}
}

/**
 * vfio_pci_config_build() - apply the tables to a device
 * @config: zeroed
 * @pdev: the device, enabled and in D0
 *
 * Bytes that belong neither to the header nor to a capability are passed
 * through: drivers need them.
 *
 * Return: 0 or -ENOMEM.
 */
int vfio_pci_config_build(struct vfio_pci_config *config,
			  struct pci_dev *pdev)
{
	struct builder *b;

	b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	if (!b)
		return -ENOMEM;
	b->config = config;
	b->pdev = pdev;
	memset(config->write, 0xff, sizeof(config->write));

	claim(b, 0, PCI_STD_HEADER_SIZEOF, &standard_header);
	find_standard(b);
	claim_all(b, 2, PCI_CFG_SPACE_SIZE);
	link_standard(b);

	if (pdev->cfg_size > PCI_CFG_SPACE_SIZE) {
		find_extended(b);
		claim_all(b, 4, pdev->cfg_size);
		link_extended(b);
	}
	if (b->bad)
		dev_notice_ratelimited(&pdev->dev,
				       "malformed capability lists: the user sees only the well-formed capabilities\n");
	kfree(b);
	return 0;
}
