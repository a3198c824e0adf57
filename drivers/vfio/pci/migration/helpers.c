// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers that are words of a state: reading, writing and checking a table
 * of them.  Which these are, and when the device can take it, the driver
 * knows.
 */
#include <linux/export.h>
#include <linux/io.h>
#include <linux/vfio_pci_migration.h>

/**
 * vfio_pci_mig_regs_read - read registers
 * @base: what their offsets are relative to
 * @regs: the registers, read in this order
 * @count: how many
 * @values: where to put the bits that a guest can set
 */
void vfio_pci_mig_regs_read(const void __iomem *base,
			    const struct vfio_pci_mig_reg *regs,
			    unsigned int count, u32 *values)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		values[i] = regs[i].mask ?
			    ioread32(base + regs[i].offset) & regs[i].mask : 0;
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_regs_read);

/**
 * vfio_pci_mig_regs_write - write registers
 * @base: what their offsets are relative to
 * @regs: the registers, written in this order
 * @count: how many
 * @values: what to write to them; valid
 */
void vfio_pci_mig_regs_write(void __iomem *base,
			     const struct vfio_pci_mig_reg *regs,
			     unsigned int count, const u32 *values)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (regs[i].mask)
			iowrite32(values[i], base + regs[i].offset);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_regs_write);

/**
 * vfio_pci_mig_regs_valid - could a guest have set registers to these values?
 * @regs: the registers
 * @count: how many
 * @values: from somewhere else
 *
 * Return: true if no bits are set but those of the masks.
 */
bool vfio_pci_mig_regs_valid(const struct vfio_pci_mig_reg *regs,
			     unsigned int count, const u32 *values)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (values[i] & ~regs[i].mask)
			return false;
	return true;
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_regs_valid);
