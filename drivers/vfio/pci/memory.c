// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gate in front of device memory: whether BARs and the ROM answer.
 *
 * They answer while the device is in D0 and decodes memory.  An access holds
 * memory_lock for read, from the check to its end.  A change (memory decoding,
 * power state, reset) holds memory_lock for write, zaps the user's mappings of
 * BARs and revokes dma-bufs; the next touch of a mapping faults, and mmap.c
 * checks again.  vfio_pci_unlock_memory() ends the change and makes dma-bufs
 * usable again.  So no access reaches a device that is off or being reset.
 */
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/pci.h>

#include "private.h"

/**
 * __vfio_pci_memory_enabled - whether the device's memory answers
 * @vdev: the device; memory_lock held for read or write
 *
 * Return: true in D0 while the user has memory decoding on.
 */
bool __vfio_pci_memory_enabled(struct vfio_pci_core_device *vdev)
{
	return vfio_pci_memory_enabled(vdev);
}
EXPORT_SYMBOL_GPL(__vfio_pci_memory_enabled);

void vfio_pci_zap_bars(struct vfio_pci_core_device *vdev)
{
	loff_t start = VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_BAR0_REGION_INDEX);
	loff_t end = VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_ROM_REGION_INDEX);

	lockdep_assert_held_write(&vdev->memory_lock);
	unmap_mapping_range(vdev->vdev.inode->i_mapping, start, end - start,
			    true);
	vfio_pci_dmabufs_revoke(vdev);
}

void vfio_pci_zap_and_lock_memory(struct vfio_pci_core_device *vdev)
{
	down_write(&vdev->memory_lock);
	vfio_pci_zap_bars(vdev);
}

void vfio_pci_unlock_memory(struct vfio_pci_core_device *vdev)
{
	vfio_pci_dmabufs_restore(vdev);
	up_write(&vdev->memory_lock);
}

void vfio_pci_restore_bars(struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev;
	unsigned int i;
	int pos;
	u32 bar;

	if (pdev->is_virtfn)
		return;
	for (i = 0; i < ARRAY_SIZE(vdev->rbar); i++) {
		pos = i < PCI_STD_NUM_BARS ? PCI_BASE_ADDRESS_0 + 4 * i :
					     PCI_ROM_ADDRESS;
		if (!pci_read_config_dword(pdev, pos, &bar) &&
		    bar != vdev->rbar[i])
			pci_write_config_dword(pdev, pos, vdev->rbar[i]);
	}
}

/*
 * Turn memory decoding in hardware on or off, below the user's view.  Returns
 * the old PCI_COMMAND.  A lost device reads as all ones, which must not be
 * written back.  Caller holds memory_lock for write.
 */
static u16 set_decoding(struct vfio_pci_core_device *vdev, bool on)
{
	u16 old, cmd;

	pci_read_config_word(vdev->pdev, PCI_COMMAND, &old);
	if (on && !(old & PCI_COMMAND_MEMORY))
		vfio_pci_restore_bars(vdev);

	spin_lock_irq(&vdev->irqlock);
	pci_read_config_word(vdev->pdev, PCI_COMMAND, &old);
	cmd = on ? old | PCI_COMMAND_MEMORY : old & ~PCI_COMMAND_MEMORY;
	if (cmd != old && !PCI_POSSIBLE_ERROR(old))
		pci_write_config_word(vdev->pdev, PCI_COMMAND, cmd);
	spin_unlock_irq(&vdev->irqlock);
	return old;
}

u16 vfio_pci_memory_force_on(struct vfio_pci_core_device *vdev)
{
	down_write(&vdev->memory_lock);
	return set_decoding(vdev, true);
}

void vfio_pci_memory_force_end(struct vfio_pci_core_device *vdev, u16 cmd)
{
	if (!(cmd & PCI_COMMAND_MEMORY))
		set_decoding(vdev, false);
	vfio_pci_unlock_memory(vdev);
}

static bool msix_enabled(struct vfio_pci_core_device *vdev)
{
	return vdev->irq_type == VFIO_PCI_MSIX_IRQ_INDEX;
}

void vfio_pci_msix_decoding_begin(struct vfio_pci_core_device *vdev)
{
	if (msix_enabled(vdev))
		set_decoding(vdev, true);
}

void vfio_pci_msix_decoding_end(struct vfio_pci_core_device *vdev)
{
	if (msix_enabled(vdev) && !vfio_pci_memory_enabled(vdev))
		set_decoding(vdev, false);
}
