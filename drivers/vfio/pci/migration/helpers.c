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
 * vfio_pci_mig_regs_read - read a table of registers
 * @base: address to which the offsets in @regs are added
 * @regs: the registers, in the order in which they are read
 * @count: elements of @regs and of @values
 * @values: where to put the values, without bits that a guest cannot set
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
 * vfio_pci_mig_regs_write - write a table of registers
 * @base: address to which the offsets in @regs are added
 * @regs: the registers, in the order in which they are written
 * @count: elements of @regs and of @values
 * @values: the values, for which vfio_pci_mig_regs_valid() is true
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
 * @count: elements of @regs and of @values
 * @values: the values, such as those of a stream
 *
 * Return: true if no bit outside of the masks is set.
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

/* So many polls follow each other without a sleep. */
#define BUSY_POLLS	100

/**
 * vfio_pci_mig_wait_begin - begin a bounded wait
 * @ms: milliseconds after which the wait ends
 * @min_polls: polls before which it does not end: if this CPU has not run for a
 *	while, the software that answers may not have run either
 *
 * Return: the state of the wait, for vfio_pci_mig_wait_more().
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
 * vfio_pci_mig_wait_more - pause until the next poll
 * @wait: from vfio_pci_mig_wait_begin()
 *
 * The last poll is one after the time has passed: if this CPU had other work
 * meanwhile, the caller has not polled for a while.
 *
 * Context: May sleep.
 *
 * Return: false if the wait has ended.
 */
bool vfio_pci_mig_wait_more(struct vfio_pci_mig_wait *wait)
{
	if (wait->over)
		return false;
	if (wait->polls++ < BUSY_POLLS)
		udelay(5);
	else
		usleep_range(50, 200);
	wait->over = wait->polls >= wait->min_polls &&
		     !ktime_before(ktime_get(), wait->end);
	return true;
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_wait_more);
