/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the kernel's files are.  The program that the tests run is built with a
 * ROOT: it sees the files in that directory and none of this host's.
 */
#ifndef VFIO_MIG_PATHS_H
#define VFIO_MIG_PATHS_H

#ifndef ROOT
#define ROOT ""
#endif

#define SYSFS		ROOT "/sys"
#define PCI_DEVICES	SYSFS "/bus/pci/devices"
#define PCI_DRIVERS	SYSFS "/bus/pci/drivers"
#define MODULES		SYSFS "/module"
#define VFIO_CLASS	SYSFS "/class/vfio-dev"
#define IOMMUFD_CLASS	SYSFS "/class/misc/iommu"
#define IOMMU_GROUPS	SYSFS "/kernel/iommu_groups"
#define VFIO_DEBUGFS	SYSFS "/kernel/debug/vfio"
#define KERNEL_LOG	ROOT "/dev/kmsg"
#define CONTAINER	ROOT "/dev/vfio/vfio"
#define GROUPS		ROOT "/dev/vfio"
#define NODES		ROOT "/dev/vfio/devices"
#define IOMMUFD		ROOT "/dev/iommu"
#define KERNEL_MODULES	ROOT "/lib/modules"

#endif
