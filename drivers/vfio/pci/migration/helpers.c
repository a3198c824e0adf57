// SPDX-License-Identifier: GPL-2.0-only
/*
 * Small helpers for drivers: tables of registers whose values are words of a
 * device's state, and bounded waiting for a device, or for software behind it,
 * to answer.
 */
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/vfio_pci_migration.h>

/* ---- Registers ---- */

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

/* ---- Waiting ---- */

/* The first looks follow each other without a sleep. */
#define BUSY_POLLS	100

/**
 * vfio_pci_mig_wait_begin - begin to wait
 * @ms: for how long, at most
 * @min_polls: but look so many times, at least: if this CPU was away, what
 *	answers may have been, too
 *
 * Return: what vfio_pci_mig_wait_more() works with.
 */
struct vfio_pci_mig_wait vfio_pci_mig_wait_begin(unsigned int ms,
						 unsigned int min_polls)
{
	return (struct vfio_pci_mig_wait) {
		.min_polls = min_polls,
		.end = ktime_add_ms(ktime_get(), ms),
	};
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_wait_begin);

/**
 * vfio_pci_mig_wait_more - pause between two looks; may sleep
 * @wait: begun
 *
 * Return: false if there were enough.
 */
bool vfio_pci_mig_wait_more(struct vfio_pci_mig_wait *wait)
{
	if (wait->polls++ < BUSY_POLLS)
		udelay(5);
	else
		usleep_range(50, 200);
	return wait->polls < wait->min_polls ||
	       ktime_before(ktime_get(), wait->end);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_wait_more);
