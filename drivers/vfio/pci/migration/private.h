/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the files of vfio-pci-migration.ko.
 *
 * Calls go down: device.c (life), info.c and access.c (the device file) ->
 * dma.c, traps.c and counters.c.  Locks are those of struct vfio_migration.
 */
#ifndef VFIO_PCI_MIG_PRIVATE_H
#define VFIO_PCI_MIG_PRIVATE_H

#include <linux/vfio_pci_migration.h>

static inline const struct vfio_pci_mig_driver *
vfio_pci_mig_driver(const struct vfio_pci_migration *pci)
{
	return container_of(pci->core.vdev.ops, struct vfio_pci_mig_driver,
			    ops);
}

/* traps.c; @count of accesses to the BAR begin at @offset */

/* Are the traps in order, and within BARs of these sizes? */
bool vfio_pci_mig_traps_valid(const struct vfio_pci_mig_driver *driver,
			      const u64 bar_sizes[PCI_STD_NUM_BARS]);
/*
 * The trap at an offset, or NULL.  *count is cut to where it ends, or where
 * the next one begins.
 */
const struct vfio_pci_mig_trap *
vfio_pci_mig_trap_at(const struct vfio_pci_mig_driver *driver,
		     unsigned int bar, u64 offset, u64 *count);
/* Is there a trap in these bytes? */
bool vfio_pci_mig_trapped(const struct vfio_pci_mig_driver *driver,
			  unsigned int bar, u64 offset, u64 count);
/*
 * What can be mapped of a BAR of so many bytes: fills in one area more than
 * there are traps, at most; returns how many.
 */
unsigned int
vfio_pci_mig_areas(const struct vfio_pci_mig_driver *driver, unsigned int bar,
		   u64 size, struct vfio_region_sparse_mmap_area *areas);

/* counters.c */

/* Are all counters of the driver in traps? */
bool vfio_pci_mig_counters_valid(const struct vfio_pci_mig_driver *driver);
/* State lock held */
void vfio_pci_mig_counters_open(struct vfio_pci_migration *pci);
/* Is it a counter, and what does the guest see?  Locks as for a trap */
bool vfio_pci_mig_counter_read(struct vfio_pci_migration *pci,
			       unsigned int bar, u64 offset, u32 *value);

/* access.c */

/*
 * Does the memory of a function answer, whose guest has set PCI_COMMAND to
 * @command?  memory_lock held
 */
bool vfio_pci_mig_memory_answers(const struct pci_dev *pdev, u16 command);

/* dma.c; state lock held */

/* Bus mastering as the guest is to read it */
bool vfio_pci_mig_bus_master_shown(const struct vfio_pci_migration *pci);
/*
 * The guest has written @command to the low byte of PCI_COMMAND; or something
 * else in configuration space, by which bus mastering may have come back, as a
 * change of the power state restores it.  memory_lock held
 */
void vfio_pci_mig_command_written(struct vfio_pci_migration *pci, u8 command);
void vfio_pci_mig_config_written(struct vfio_pci_migration *pci);

#endif /* VFIO_PCI_MIG_PRIVATE_H */
