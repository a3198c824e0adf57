# SPDX-License-Identifier: GPL-2.0-only
# What is built as external modules: m, y or n.  drivers/vfio/**/Kconfig has the
# help of each symbol.  Change a value on the command line:
#	make CONFIG_IGBVF_VFIO_PCI=n
CONFIG_VFIO ?= m
CONFIG_VFIO_GROUP ?= y
CONFIG_VFIO_CONTAINER ?= $(CONFIG_VFIO_GROUP)
CONFIG_VFIO_VIRQFD ?= y
# Has no effect on a kernel without debugfs.
CONFIG_VFIO_DEBUGFS ?= y
CONFIG_VFIO_IOMMU_TYPE1 ?= m
CONFIG_VFIO_MIGRATION ?= m
CONFIG_VFIO_PCI_CORE ?= m
CONFIG_VFIO_PCI_MMAP ?= y
CONFIG_VFIO_PCI_INTX ?= y
CONFIG_VFIO_PCI ?= m
CONFIG_VFIO_PCI_MIGRATION ?= $(CONFIG_VFIO_MIGRATION)
CONFIG_IGBVF_VFIO_PCI ?= m

# In a kernel tree, Kconfig makes sure of this.
ifeq ($(CONFIG_VFIO_GROUP)-$(filter y,$(CONFIG_VFIO_CONTAINER)),y-)
$(error CONFIG_VFIO_GROUP=y needs CONFIG_VFIO_CONTAINER=y: groups get their \
	address spaces from containers)
endif

# These have to be as in the configuration of the kernel.  Debian's has no
# iommufd.
CONFIG_IOMMUFD ?= n
CONFIG_VFIO_DEVICE_CDEV ?= n
ifeq ($(CONFIG_VFIO_DEVICE_CDEV)-$(filter y m,$(CONFIG_IOMMUFD)),y-)
$(error CONFIG_VFIO_DEVICE_CDEV=y needs CONFIG_IOMMUFD=y or m, the value of \
	the kernel)
endif

# This tree has no no-IOMMU mode.  Set here because the kernel's configuration
# may have it on.
CONFIG_VFIO_NOIOMMU := n

# CONFIG_VFIO_PCI_DMABUF is the kernel's own: y, or not there.

# KUnit tests, for a kernel with CONFIG_KUNIT, which Debian's does not have.
CONFIG_VFIO_KUNIT_TEST ?= n

VFIO_SYMBOLS := VFIO VFIO_GROUP VFIO_CONTAINER VFIO_VIRQFD VFIO_IOMMU_TYPE1 \
		VFIO_MIGRATION VFIO_PCI_CORE VFIO_PCI_MMAP VFIO_PCI_INTX VFIO_PCI \
		VFIO_PCI_MIGRATION IGBVF_VFIO_PCI VFIO_DEVICE_CDEV \
		VFIO_NOIOMMU VFIO_DEBUGFS IOMMUFD VFIO_KUNIT_TEST
