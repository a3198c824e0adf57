// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the traps of a driver are in its BARs, and which pages without traps
 * can be mapped.  Pure arithmetic.
 */
#include <linux/align.h>
#include <linux/minmax.h>
#include <linux/mm.h>

#include "private.h"

#define for_each_trap(driver, trap)					\
	for ((trap) = (driver)->traps;					\
	     (trap) < (driver)->traps + (driver)->nr_traps; (trap)++)

static bool trap_valid(const struct vfio_pci_mig_driver *driver,
		       const struct vfio_pci_mig_trap *trap)
{
	if (!trap->doorbells)
		return !((trap->start | trap->end) % sizeof(u32)) &&
		       trap->read && trap->write;
	return driver->log && driver->bars & BIT(trap->bar) &&
	       IS_ALIGNED(trap->start, SZ_4K) &&
	       trap->end - trap->start == SZ_4K && !trap->read && !trap->write;
}

bool vfio_pci_mig_trap_maps(const struct vfio_pci_mig_trap *trap)
{
	return trap->doorbells && PAGE_SIZE == SZ_4K;
}

bool vfio_pci_mig_traps_valid(const struct vfio_pci_mig_driver *driver,
			      const u64 bar_sizes[PCI_STD_NUM_BARS])
{
	const struct vfio_pci_mig_trap *trap;
	unsigned int bar = 0;
	u64 end = 0;

	for_each_trap(driver, trap) {
		if (trap->bar >= PCI_STD_NUM_BARS || trap->bar < bar)
			return false;
		if (trap->bar > bar) {
			bar = trap->bar;
			end = 0;
		}
		if (trap->start < end || trap->end <= trap->start ||
		    trap->end > bar_sizes[bar] || !trap_valid(driver, trap))
			return false;
		end = trap->end;
	}
	return true;
}

const struct vfio_pci_mig_trap *
vfio_pci_mig_trap_at(const struct vfio_pci_mig_driver *driver,
		     unsigned int bar, u64 offset, u64 *count)
{
	const struct vfio_pci_mig_trap *trap;

	for_each_trap(driver, trap) {
		if (trap->bar != bar || trap->end <= offset)
			continue;
		if (trap->start <= offset) {
			*count = min(*count, trap->end - offset);
			return trap;
		}
		*count = min(*count, trap->start - offset);
		break;
	}
	return NULL;
}

bool vfio_pci_mig_trapped(const struct vfio_pci_mig_driver *driver,
			  unsigned int bar, u64 offset, u64 count)
{
	u64 free = count;

	return vfio_pci_mig_trap_at(driver, bar, offset, &free) ||
	       free < count;
}

unsigned int
vfio_pci_mig_areas(const struct vfio_pci_mig_driver *driver, unsigned int bar,
		   u64 size, struct vfio_region_sparse_mmap_area *areas)
{
	const struct vfio_pci_mig_trap *trap;
	unsigned int count = 0;
	u64 at = 0, end;

	for_each_trap(driver, trap) {
		if (trap->bar != bar)
			continue;
		end = ALIGN_DOWN(trap->start, PAGE_SIZE);
		if (end > at)
			areas[count++] = (struct vfio_region_sparse_mmap_area) {
				.offset = at,
				.size = end - at,
			};
		at = ALIGN(trap->end, PAGE_SIZE);
		if (vfio_pci_mig_trap_maps(trap))
			areas[count++] = (struct vfio_region_sparse_mmap_area) {
				.offset = trap->start,
				.size = trap->end - trap->start,
			};
	}
	if (size > at)
		areas[count++] = (struct vfio_region_sparse_mmap_area) {
			.offset = at,
			.size = size - at,
		};
	return count;
}
