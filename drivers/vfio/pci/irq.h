/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the files of the interrupts only: irq.c, and intx.c and msi.c below
 * it.  Callers hold igate.
 */
#ifndef VFIO_PCI_IRQ_H
#define VFIO_PCI_IRQ_H

#include <linux/eventfd.h>
#include <linux/types.h>
#include <linux/vfio_pci_core.h>

/*
 * The eventfd that the user means by @fd: NULL for -1, an ERR_PTR() if @fd is
 * no eventfd.  The caller owns the reference.
 */
static inline struct eventfd_ctx *vfio_pci_irq_eventfd(s32 fd)
{
	return fd == -1 ? NULL : eventfd_ctx_fdget(fd);
}

/*
 * Actions of VFIO_DEVICE_SET_IRQS: the range @start, @count is inside of the
 * index; @flags say what @data holds.
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

/* Turn INTx of the device on or off, by its own interrupt disable bit. */
void vfio_pci_intx_set(struct vfio_pci_core_device *vdev, bool on);

/* Free the interrupts; the type is enabled. */
void vfio_pci_intx_disable(struct vfio_pci_core_device *vdev);
void vfio_pci_msi_disable(struct vfio_pci_core_device *vdev);

#endif
