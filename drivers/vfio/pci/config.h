/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual configuration space of an open device.  config_perm.c builds it
 * at open, config.c serves reads and writes from it, and bar.c keeps there what
 * it knows about the ROM.
 */
#ifndef VFIO_PCI_CONFIG_H
#define VFIO_PCI_CONFIG_H

#include <linux/container_of.h>
#include <linux/types.h>
#include <linux/unaligned.h>
#include <linux/vfio_pci_core.h>
#include <uapi/linux/pci_regs.h>

/* Registers where a write does more than change bits */
enum vfio_pci_config_hook {
	VFIO_PCI_CONFIG_PLAIN,
	VFIO_PCI_CONFIG_COMMAND,
	VFIO_PCI_CONFIG_PM_CTRL,
	VFIO_PCI_CONFIG_VPD_ADDR,
	VFIO_PCI_CONFIG_MSI_FLAGS,
	VFIO_PCI_CONFIG_EXP_DEVCTL,
	VFIO_PCI_CONFIG_AF_CTRL,
	VFIO_PCI_CONFIG_NR_HOOKS
};

/* Whether the ROM can be read; found out at the first question */
enum vfio_pci_config_rom {
	VFIO_PCI_ROM_UNKNOWN,
	VFIO_PCI_ROM_READABLE,
	VFIO_PCI_ROM_UNREADABLE
};

/**
 * struct vfio_pci_config - permissions and values, one element per byte
 * @hook: enum vfio_pci_config_hook of the register that the byte is part of;
 *	the device's pci_config_map points here
 * @value: the virtual bits; the device's vconfig points here
 * @virt: bits that are read from @value, not from the device
 * @write: bits that the user can change: in @value if virtual, else in the
 *	device
 * @w1c: bits that the device clears when a 1 is written to them: a write that
 *	is to change other bits of the register writes 0 to these
 * @rom: what bar.c has found out about the ROM; written with memory_lock held
 *	for write
 *
 * All but @value and @rom is constant while the device is open.  @value has no
 * lock: of concurrent writes to a register, one comes last.  The COMMAND
 * register, which other files rely on, changes only with igate and memory_lock
 * (for write) held.
 */
struct vfio_pci_config {
	u8 hook[PCI_CFG_SPACE_EXP_SIZE];
	u8 value[PCI_CFG_SPACE_EXP_SIZE];
	u8 virt[PCI_CFG_SPACE_EXP_SIZE];
	u8 write[PCI_CFG_SPACE_EXP_SIZE];
	u8 w1c[PCI_CFG_SPACE_EXP_SIZE];
	enum vfio_pci_config_rom rom;
};

static inline struct vfio_pci_config *
vfio_pci_config(struct vfio_pci_core_device *vdev)
{
	return container_of(vdev->pci_config_map, struct vfio_pci_config,
			    hook[0]);
}

/* Registers are little endian; @width is 1, 2 or 4. */
static inline u32 vfio_pci_config_get(const u8 *bytes, unsigned int width)
{
	switch (width) {
	case 1:
		return *bytes;
	case 2:
		return get_unaligned_le16(bytes);
	default:
		return get_unaligned_le32(bytes);
	}
}

static inline void vfio_pci_config_put(u8 *bytes, unsigned int width,
				       u32 value)
{
	switch (width) {
	case 1:
		*bytes = value;
		break;
	case 2:
		put_unaligned_le16(value, bytes);
		break;
	default:
		put_unaligned_le32(value, bytes);
		break;
	}
}

void vfio_pci_config_virtualise(struct vfio_pci_config *config,
				unsigned int pos, unsigned int width,
				u32 value, u32 write);
int vfio_pci_config_build(struct vfio_pci_config *config,
			  struct pci_dev *pdev);

#endif
