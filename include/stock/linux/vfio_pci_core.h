/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own, and what later kernels have taken away */
#include_next <linux/vfio_pci_core.h>
#ifndef VFIO_STOCK_PCI_CORE_H
#define VFIO_STOCK_PCI_CORE_H

#include <linux/err.h>
#include <linux/version.h>

/* Since Linux 7.2, BARs are mapped while the device is enabled. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
static inline int vfio_pci_core_setup_barmap(struct vfio_pci_core_device *vdev,
					     int bar)
{
	return PTR_ERR_OR_ZERO((__force void *)
			       vfio_pci_core_get_iomap(vdev, bar));
}
#endif

#endif /* VFIO_STOCK_PCI_CORE_H */
