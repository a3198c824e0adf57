// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting for a device, or for software behind it, to answer.
 */
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/ktime.h>
#include <linux/vfio_pci_migration.h>

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
