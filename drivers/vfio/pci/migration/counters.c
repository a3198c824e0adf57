// SPDX-License-Identifier: GPL-2.0-only
/*
 * Read-only counters.  Their values differ between devices, and a guest takes a
 * counter that goes back for one that has wrapped.  So the guest sees the
 * counter plus an offset, and while the device does not react to accesses, the
 * value that it saw last.  Counters are 32 bits wide and wrap.
 */
#include <linux/export.h>
#include <linux/io.h>

#include "private.h"

static const struct vfio_pci_mig_counters *
counters_of(const struct vfio_pci_migration *pci)
{
	return vfio_pci_mig_driver(pci)->counters;
}

static u32 *shown_of(struct vfio_pci_migration *pci)
{
	return (void *)pci + counters_of(pci)->shown;
}

static u32 *ahead_of(struct vfio_pci_migration *pci)
{
	return (void *)pci + counters_of(pci)->ahead;
}

static u32 hw_count(struct vfio_pci_migration *pci, unsigned int index)
{
	const struct vfio_pci_mig_counters *counters = counters_of(pci);

	return ioread32(pci->core.barmap[counters->bar] +
			counters->regs[index]);
}

/* What the guest sees while the device reacts to accesses */
static u32 guest_count(struct vfio_pci_migration *pci, unsigned int index)
{
	return hw_count(pci, index) + ahead_of(pci)[index];
}

bool vfio_pci_mig_counters_valid(const struct vfio_pci_mig_driver *driver)
{
	const struct vfio_pci_mig_counters *counters = driver->counters;
	unsigned int i;

	if (!counters)
		return true;
	for (i = 0; i < counters->count; i++)
		if (!vfio_pci_mig_trapped(driver, counters->bar,
					  counters->regs[i], sizeof(u32)))
			return false;
	return driver->bars & BIT(counters->bar);
}

void vfio_pci_mig_counters_open(struct vfio_pci_migration *pci)
{
	if (counters_of(pci))
		memset(ahead_of(pci), 0, counters_of(pci)->count * sizeof(u32));
}

bool vfio_pci_mig_counter_read(struct vfio_pci_migration *pci,
			       unsigned int bar, u64 offset, u32 *value)
{
	const struct vfio_pci_mig_counters *counters = counters_of(pci);
	unsigned int i;

	if (!counters || counters->bar != bar)
		return false;
	for (i = 0; i < counters->count; i++)
		if (counters->regs[i] == offset)
			break;
	if (i == counters->count)
		return false;
	*value = vfio_mig_serves(&pci->mig) ? guest_count(pci, i) :
					      shown_of(pci)[i];
	return true;
}

/**
 * vfio_pci_mig_counters_stop - copy the guest's view of the counters to the
 * image
 * @mig: migration of a function with vfio_pci_mig_driver.counters
 *
 * For an arc to a state in which the device does not react to accesses: as the
 * arc's function, or called by it.
 *
 * Context: memory_lock and state lock held.
 *
 * Return: 0.
 */
int vfio_pci_mig_counters_stop(struct vfio_migration *mig)
{
	struct vfio_pci_migration *pci = mig_to_vfio_pci_mig(mig);
	unsigned int i;

	for (i = 0; i < counters_of(pci)->count; i++)
		shown_of(pci)[i] = guest_count(pci, i);
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_counters_stop);

/**
 * vfio_pci_mig_counters_run - let the counters go on from the image's values
 * @mig: migration of a function with vfio_pci_mig_driver.counters
 *
 * For an arc to a state in which the device reacts to accesses: as the arc's
 * function, or called by it.
 *
 * Context: memory_lock and state lock held.
 *
 * Return: 0.
 */
int vfio_pci_mig_counters_run(struct vfio_migration *mig)
{
	struct vfio_pci_migration *pci = mig_to_vfio_pci_mig(mig);
	unsigned int i;

	for (i = 0; i < counters_of(pci)->count; i++)
		ahead_of(pci)[i] = shown_of(pci)[i] - hw_count(pci, i);
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_counters_run);
