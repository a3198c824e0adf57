# SPDX-License-Identifier: GPL-2.0-only
# What is built as external modules: m, y or n, as the help of each symbol in
# drivers/vfio/**/Kconfig says.  Change it on the command line:
#	make CONFIG_IGBVF_VFIO_PCI=n
CONFIG_VFIO ?= m
CONFIG_VFIO_GROUP ?= y
CONFIG_VFIO_CONTAINER ?= $(CONFIG_VFIO_GROUP)
CONFIG_VFIO_VIRQFD ?= y
# Without effect on a kernel that has no debugfs.
CONFIG_VFIO_DEBUGFS ?= y
CONFIG_VFIO_IOMMU_TYPE1 ?= m
CONFIG_VFIO_MIGRATION ?= m
CONFIG_VFIO_PCI_CORE ?= m
CONFIG_VFIO_PCI_MMAP ?= y
CONFIG_VFIO_PCI_INTX ?= y
CONFIG_VFIO_PCI ?= m
CONFIG_VFIO_PCI_MIGRATION ?= $(CONFIG_VFIO_MIGRATION)
CONFIG_IGBVF_VFIO_PCI ?= m

# In a kernel tree, Kconfig sees to it.
ifeq ($(CONFIG_VFIO_GROUP)-$(filter y,$(CONFIG_VFIO_CONTAINER)),y-)
$(error CONFIG_VFIO_GROUP=y needs CONFIG_VFIO_CONTAINER=y: groups get their \
	address spaces from containers)
endif

# As the kernel's own answer says; Debian's kernel has none.
CONFIG_IOMMUFD ?= n
CONFIG_VFIO_DEVICE_CDEV ?= n
ifeq ($(CONFIG_VFIO_DEVICE_CDEV)-$(filter y m,$(CONFIG_IOMMUFD)),y-)
$(error CONFIG_VFIO_DEVICE_CDEV=y needs CONFIG_IOMMUFD=y or m, as the kernel \
	has it)
endif

# Not offered: said here so that the kernel's own answer does not count.
CONFIG_VFIO_NOIOMMU := n

# KUnit tests, for a kernel that has CONFIG_KUNIT; Debian's has not.
CONFIG_VFIO_KUNIT_TEST ?= n

VFIO_SYMBOLS := VFIO VFIO_GROUP VFIO_CONTAINER VFIO_VIRQFD VFIO_IOMMU_TYPE1 \
		VFIO_MIGRATION VFIO_PCI_CORE VFIO_PCI_MMAP VFIO_PCI_INTX VFIO_PCI \
		VFIO_PCI_MIGRATION IGBVF_VFIO_PCI VFIO_DEVICE_CDEV \
		VFIO_NOIOMMU VFIO_DEBUGFS IOMMUFD VFIO_KUNIT_TEST
