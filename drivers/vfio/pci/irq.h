/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the files of the interrupts: irq.c, which distributes, intx.c and
 * msi.c.  In all of it the caller holds igate.
 */
#ifndef VFIO_PCI_IRQ_H
#define VFIO_PCI_IRQ_H

#include <linux/types.h>
#include <linux/vfio_pci_core.h>

/* irq_type while neither INTx nor MSI nor MSI-X is enabled */
#define VFIO_PCI_IRQ_NONE	VFIO_PCI_NUM_IRQS

/*
 * Actions of VFIO_DEVICE_SET_IRQS: @start and @count are within the index,
 * @data is as @flags tell.
 */
int vfio_pci_intx_set_mask(struct vfio_pci_core_device *vdev, u32 flags,
			   unsigned int index, unsigned int start,
			   unsigned int count, void *data);
int vfio_pci_intx_set_unmask(struct vfio_pci_core_device *vdev, u32 flags,
			     unsigned int index, unsigned int start,
			     unsigned int count, void *data);
int vfio_pci_intx_set_trigger(struct vfio_pci_core_device *vdev, u32 flags,
			      unsigned int index, unsigned int start,
			      unsigned int count, void *data);
int vfio_pci_msi_set_trigger(struct vfio_pci_core_device *vdev, u32 flags,
			     unsigned int index, unsigned int start,
			     unsigned int count, void *data);

/* Tear down; the type is enabled. */
void vfio_pci_intx_disable(struct vfio_pci_core_device *vdev);
void vfio_pci_msi_disable(struct vfio_pci_core_device *vdev);

/* The user changed PCI_COMMAND_INTX_DISABLE, enabled INTx or not. */
void vfio_pci_intx_disable_bit(struct vfio_pci_core_device *vdev,
			       bool disabled);

/*
 * Does the interrupt disable bit of the device have to be set?  With irqlock
 * held.
 */
bool vfio_pci_intx_is_off(struct vfio_pci_core_device *vdev);

/*
 * The eventfd that the user means by @fd: NULL for -1, an ERR_PTR() for what
 * is none.  Owned by the caller.
 */
struct eventfd_ctx *vfio_pci_irq_eventfd(s32 fd);

#endif
