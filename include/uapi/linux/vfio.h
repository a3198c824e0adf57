/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * VFIO: devices driven from user space behind an IOMMU. The ABI.
 *
 * Everything that crosses the boundary between the vfio modules and user
 * space is in this file and nowhere else: ioctl numbers, the structures they
 * take, and the indices and capabilities by which a device describes itself.
 * Names, values and layouts are those of Linux 7.3, which include those of 6.12,
 * whatever kernel the modules are built for. A call for what the kernel or the
 * device does not have fails.
 *
 * In the order of the file:
 *   conventions, container, group, binding to iommufd,
 *   device (info, regions, interrupts, reset), bus specific parts,
 *   device features (power, bus master, migration, DMA logging),
 *   IOMMU back ends (type1, sPAPR TCE and EEH).
 */
#ifndef _UAPIVFIO_H
#define _UAPIVFIO_H

#include <linux/types.h>
#include <linux/ioctl.h>

/* Lets user space include this file as it is in the source tree. */
#if !defined(__KERNEL__) && !defined(__EXPORTED_HEADERS__) && !defined(__user)
#define __user
#endif

/* ------------------------------------------------------------------------
 * Conventions
 * ------------------------------------------------------------------------
 *
 * An ioctl number carries no size: a structure says how long it is in its
 * first member, argsz, which the caller sets to the bytes it provides. Too
 * few for the fixed part is EINVAL; more than the kernel knows is accepted,
 * so a structure can grow at its end. Where the kernel has more to tell than
 * fits (capability chains), it says so by writing the needed size to argsz,
 * and the caller asks again with a larger buffer.
 *
 * Unknown bits in a flags member are refused with EINVAL in requests, and
 * must be ignored by the reader in answers. Reserved members are zero.
 *
 * Unless an ioctl says otherwise it returns 0, or -1 with errno. EFAULT is
 * always possible, ENOTTY is the answer to an ioctl that the fd, or the
 * device behind it, does not have.
 */
#define VFIO_TYPE	(';')
#define VFIO_BASE	100

/**
 * struct vfio_info_cap_header - head of a link in a capability chain
 * @id: what the capability is; the name space is that of the ioctl
 * @version: version of the capability's layout; higher ones only add members
 * @next: offset of the next header from the start of the structure that the
 *	ioctl filled, 0 in the last one. Not relative to this header.
 *
 * The chain starts at the cap_offset member of the structure (0: no chain),
 * which is valid if the structure's CAPS flag is set.
 */
struct vfio_info_cap_header {
	__u16	id;
	__u16	version;
	__u32	next;
};

/* ------------------------------------------------------------------------
 * Container: an I/O address space, opened as /dev/vfio/vfio
 * ------------------------------------------------------------------------
 */

/**
 * VFIO_GET_API_VERSION - version of this interface
 *
 * Return: VFIO_API_VERSION. Anything else: do not go on.
 */
#define VFIO_GET_API_VERSION	_IO(VFIO_TYPE, VFIO_BASE + 0)

#define VFIO_API_VERSION	0

/**
 * VFIO_CHECK_EXTENSION - is an IOMMU model or an extension offered?
 *
 * The argument is one of the numbers below. Before VFIO_SET_IOMMU the answer
 * is that of any available back end, afterwards that of the chosen one.
 *
 * Return: 0 for no, a positive number for yes.
 */
#define VFIO_CHECK_EXTENSION	_IO(VFIO_TYPE, VFIO_BASE + 1)

/* IOMMU models, which are also the argument of VFIO_SET_IOMMU */
#define VFIO_TYPE1_IOMMU		1 /* x86 like: map any IOVA to memory */
#define VFIO_SPAPR_TCE_IOMMU		2 /* POWER, one fixed DMA window */
#define VFIO_TYPE1v2_IOMMU		3 /* type1; unmap never splits */
/* Extensions */
#define VFIO_DMA_CC_IOMMU		4 /* DMA is always cache coherent */
#define VFIO_EEH			5 /* VFIO_EEH_PE_OP is available */
/* IOMMU models, continued */
#define __VFIO_RESERVED_TYPE1_NESTING_IOMMU	6 /* retired, not offered */
#define VFIO_TYPE1_NESTING_IOMMU __VFIO_RESERVED_TYPE1_NESTING_IOMMU
#define VFIO_SPAPR_TCE_v2_IOMMU		7 /* POWER, memory pre-registered */
#define VFIO_NOIOMMU_IOMMU		8 /* no isolation at all; taints */
/* Extensions, continued */
#define VFIO_UNMAP_ALL			9 /* VFIO_DMA_UNMAP_FLAG_ALL */
#define VFIO_UPDATE_VADDR		10 /* VFIO_DMA_*MAP_FLAG_VADDR */

/**
 * VFIO_SET_IOMMU - choose the IOMMU model of the container
 *
 * The argument is an IOMMU model. The groups that are in the container are
 * attached to the new back end, all or none.
 *
 * Errors: EINVAL no group in the container, or a model is set already;
 * ENODEV no back end offers the model; what the back end says of a group.
 */
#define VFIO_SET_IOMMU		_IO(VFIO_TYPE, VFIO_BASE + 2)

/* ------------------------------------------------------------------------
 * Group: devices that the IOMMU cannot tell apart, opened as /dev/vfio/N
 * ------------------------------------------------------------------------
 *
 * A group has one user: a second open is EBUSY, also while one of its
 * devices is open as a character device.
 */

/**
 * struct vfio_group_status - argument of VFIO_GROUP_GET_STATUS
 * @argsz: see the conventions
 * @flags: out: VFIO_GROUP_FLAGS_*
 */
struct vfio_group_status {
	__u32	argsz;
	__u32	flags;
/* No device of the group is owned by a host driver that does DMA. */
#define VFIO_GROUP_FLAGS_VIABLE		(1 << 0)
/* The group is in a container. */
#define VFIO_GROUP_FLAGS_CONTAINER_SET	(1 << 1)
};

/** VFIO_GROUP_GET_STATUS - argument: struct vfio_group_status */
#define VFIO_GROUP_GET_STATUS		_IO(VFIO_TYPE, VFIO_BASE + 3)

/**
 * VFIO_GROUP_SET_CONTAINER - put the group in a container
 *
 * The argument points to a __s32, the fd of a container. The first group to
 * join decides nothing; the model is chosen by VFIO_SET_IOMMU, and groups
 * that join after it are attached at once.
 *
 * Errors: EBADF no such fd; EBADFD fd is no container; EINVAL the group is in
 * one already; EBUSY or EPERM the group is not viable.
 */
#define VFIO_GROUP_SET_CONTAINER	_IO(VFIO_TYPE, VFIO_BASE + 4)

/**
 * VFIO_GROUP_UNSET_CONTAINER - take the group out of its container
 *
 * No argument. When the last group leaves, the container loses its model and
 * all mappings. Errors: EINVAL in no container; EBUSY a device is open.
 */
#define VFIO_GROUP_UNSET_CONTAINER	_IO(VFIO_TYPE, VFIO_BASE + 5)

/**
 * VFIO_GROUP_GET_DEVICE_FD - open a device of the group
 *
 * The argument points to the name of the device as a string: for PCI
 * "DDDD:BB:DD.F", and where a VF token is in force, " vf_token=UUID" after
 * it. May be called again for another fd to the same device.
 *
 * Return: the device's fd (close-on-exec). Errors: EINVAL the group is in no
 * container, or its container has no model; ENODEV no such device; EACCES
 * the VF token is missing or wrong.
 */
#define VFIO_GROUP_GET_DEVICE_FD	_IO(VFIO_TYPE, VFIO_BASE + 6)

/* ------------------------------------------------------------------------
 * Device as a character device, /dev/vfio/devices/vfioN, with iommufd
 * ------------------------------------------------------------------------
 *
 * The fd gives no access to the device until it is bound to an iommufd: until
 * then every other ioctl, and read, write and mmap, are EINVAL.
 */

/**
 * struct vfio_device_bind_iommufd - argument of VFIO_DEVICE_BIND_IOMMUFD
 * @argsz: see the conventions
 * @flags: VFIO_DEVICE_BIND_FLAG_*
 * @iommufd: in: the iommufd that will own the device's DMA
 * @out_devid: out: the device's object id in that iommufd
 * @token_uuid_ptr: in: with VFIO_DEVICE_BIND_FLAG_TOKEN, user address of the 16
 *	bytes of a VF token; see VFIO_DEVICE_FEATURE_PCI_VF_TOKEN
 */
struct vfio_device_bind_iommufd {
	__u32		argsz;
	__u32		flags;
#define VFIO_DEVICE_BIND_FLAG_TOKEN	(1 << 0)
	__s32		iommufd;
	__u32		out_devid;
	__aligned_u64	token_uuid_ptr;
};

/**
 * VFIO_DEVICE_BIND_IOMMUFD - claim the device for an iommufd
 *
 * Lasts until the fd is closed. Errors: EINVAL bound already, opened by way
 * of a group, an unknown flag, or a token for a device that has none; EACCES
 * the VF token is missing or wrong; EBADF or EBADFD no iommufd; EBUSY the group
 * is open or has another owner.
 */
#define VFIO_DEVICE_BIND_IOMMUFD	_IO(VFIO_TYPE, VFIO_BASE + 18)

/**
 * struct vfio_device_attach_iommufd_pt - argument of
 *	VFIO_DEVICE_ATTACH_IOMMUFD_PT
 * @argsz: see the conventions
 * @flags: VFIO_DEVICE_ATTACH_PASID: attach @pasid of the device, not the device
 * @pt_id: in: an IOAS or hardware page table of the bound iommufd; out: the
 *	hardware page table that the device uses
 * @pasid: in: a PASID of the device
 */
struct vfio_device_attach_iommufd_pt {
	__u32	argsz;
	__u32	flags;
#define VFIO_DEVICE_ATTACH_PASID	(1 << 0)
	__u32	pt_id;
	__u32	pasid;
};

/**
 * VFIO_DEVICE_ATTACH_IOMMUFD_PT - give the device an I/O address space
 *
 * On a device that is attached already, the new space replaces the old one
 * without a moment of none. With VFIO_DEVICE_ATTACH_PASID: EINVAL before Linux
 * 6.15, EOPNOTSUPP if the device's driver cannot attach PASIDs.
 */
#define VFIO_DEVICE_ATTACH_IOMMUFD_PT	_IO(VFIO_TYPE, VFIO_BASE + 19)

/**
 * struct vfio_device_detach_iommufd_pt - argument of
 *	VFIO_DEVICE_DETACH_IOMMUFD_PT
 * @argsz: see the conventions
 * @flags: VFIO_DEVICE_DETACH_PASID: detach @pasid of the device
 * @pasid: in: a PASID of the device
 */
struct vfio_device_detach_iommufd_pt {
	__u32	argsz;
	__u32	flags;
#define VFIO_DEVICE_DETACH_PASID	(1 << 0)
	__u32	pasid;
};

/**
 * VFIO_DEVICE_DETACH_IOMMUFD_PT - block all DMA of the device
 *
 * The device stays bound and can be attached again.
 */
#define VFIO_DEVICE_DETACH_IOMMUFD_PT	_IO(VFIO_TYPE, VFIO_BASE + 20)

/* ------------------------------------------------------------------------
 * Device information
 * ------------------------------------------------------------------------
 */

/**
 * struct vfio_device_info - argument of VFIO_DEVICE_GET_INFO
 * @argsz: see the conventions; grows if the capabilities need more
 * @flags: out: VFIO_DEVICE_FLAGS_*
 * @num_regions: out: one more than the highest region index
 * @num_irqs: out: one more than the highest interrupt index
 * @cap_offset: out: first capability, with VFIO_DEVICE_FLAGS_CAPS
 * @pad: zero
 */
struct vfio_device_info {
	__u32	argsz;
	__u32	flags;
#define VFIO_DEVICE_FLAGS_RESET		(1 << 0) /* has VFIO_DEVICE_RESET */
/* The kind of device: it decides what the indices mean */
#define VFIO_DEVICE_FLAGS_PCI		(1 << 1)
#define VFIO_DEVICE_FLAGS_PLATFORM	(1 << 2)
#define VFIO_DEVICE_FLAGS_AMBA		(1 << 3)
#define VFIO_DEVICE_FLAGS_CCW		(1 << 4)
#define VFIO_DEVICE_FLAGS_AP		(1 << 5)
#define VFIO_DEVICE_FLAGS_FSL_MC	(1 << 6)
#define VFIO_DEVICE_FLAGS_CAPS		(1 << 7) /* cap_offset is valid */
#define VFIO_DEVICE_FLAGS_CDX		(1 << 8)
	__u32	num_regions;
	__u32	num_irqs;
	__u32	cap_offset;
	__u32	pad;
};

/** VFIO_DEVICE_GET_INFO - argument: struct vfio_device_info */
#define VFIO_DEVICE_GET_INFO		_IO(VFIO_TYPE, VFIO_BASE + 7)

/*
 * What a mediated device's sysfs attribute device_api says: the interface
 * that its fd will have.
 */
#define VFIO_DEVICE_API_PCI_STRING		"vfio-pci"
#define VFIO_DEVICE_API_PLATFORM_STRING		"vfio-platform"
#define VFIO_DEVICE_API_AMBA_STRING		"vfio-amba"
#define VFIO_DEVICE_API_CCW_STRING		"vfio-ccw"
#define VFIO_DEVICE_API_AP_STRING		"vfio-ap"

/* Capabilities of zPCI functions (s390); their layout: linux/vfio_zdev.h */
#define VFIO_DEVICE_INFO_CAP_ZPCI_BASE		1
#define VFIO_DEVICE_INFO_CAP_ZPCI_GROUP		2
#define VFIO_DEVICE_INFO_CAP_ZPCI_UTIL		3
#define VFIO_DEVICE_INFO_CAP_ZPCI_PFIP		4

/* The path to host memory completes PCIe AtomicOps: see the struct below */
#define VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP	5

/**
 * struct vfio_device_info_cap_pci_atomic_comp - capability
 *	VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP
 * @header: the chain
 * @flags: operand sizes that the root complex completes for this device
 * @reserved: zero
 */
struct vfio_device_info_cap_pci_atomic_comp {
	struct vfio_info_cap_header header;
	__u32 flags;
#define VFIO_PCI_ATOMIC_COMP32	(1 << 0)
#define VFIO_PCI_ATOMIC_COMP64	(1 << 1)
#define VFIO_PCI_ATOMIC_COMP128	(1 << 2)
	__u32 reserved;
};

/* ------------------------------------------------------------------------
 * Regions: the parts of the device that are read, written or mapped
 * ------------------------------------------------------------------------
 */

/**
 * struct vfio_region_info - argument of VFIO_DEVICE_GET_REGION_INFO
 * @argsz: see the conventions; grows if the capabilities need more
 * @flags: out: VFIO_REGION_INFO_FLAG_*
 * @index: in: the region, below vfio_device_info.num_regions
 * @cap_offset: out: first capability, with VFIO_REGION_INFO_FLAG_CAPS
 * @size: out: bytes; 0 for a region that the device does not have
 * @offset: out: where the region starts in the file, for pread(), pwrite()
 *	and mmap(). Opaque: it must not be computed from the index.
 */
struct vfio_region_info {
	__u32	argsz;
	__u32	flags;
#define VFIO_REGION_INFO_FLAG_READ	(1 << 0)
#define VFIO_REGION_INFO_FLAG_WRITE	(1 << 1)
#define VFIO_REGION_INFO_FLAG_MMAP	(1 << 2) /* see also SPARSE_MMAP */
#define VFIO_REGION_INFO_FLAG_CAPS	(1 << 3) /* cap_offset is valid */
	__u32	index;
	__u32	cap_offset;
	__aligned_u64	size;
	__aligned_u64	offset;
};

/**
 * VFIO_DEVICE_GET_REGION_INFO - argument: struct vfio_region_info
 *
 * Errors: EINVAL no such index.
 */
#define VFIO_DEVICE_GET_REGION_INFO	_IO(VFIO_TYPE, VFIO_BASE + 8)

/* Capability: only some areas of the region can be mapped */
#define VFIO_REGION_INFO_CAP_SPARSE_MMAP	1

/**
 * struct vfio_region_sparse_mmap_area - an area that can be mapped
 * @offset: from the start of the region
 * @size: bytes
 */
struct vfio_region_sparse_mmap_area {
	__aligned_u64	offset;
	__aligned_u64	size;
};

/**
 * struct vfio_region_info_cap_sparse_mmap - capability
 *	VFIO_REGION_INFO_CAP_SPARSE_MMAP
 * @header: the chain
 * @nr_areas: entries in @areas; 0 means that nothing can be mapped
 * @reserved: zero
 * @areas: the areas; outside of them the region is for read() and write()
 */
struct vfio_region_info_cap_sparse_mmap {
	struct vfio_info_cap_header header;
	__u32	nr_areas;
	__u32	reserved;
	struct vfio_region_sparse_mmap_area areas[];
};

/*
 * Capability: what a region is. Indices from the bus's NUM_REGIONS on have no
 * fixed meaning, and this capability names it.
 */
#define VFIO_REGION_INFO_CAP_TYPE	2

/**
 * struct vfio_region_info_cap_type - capability VFIO_REGION_INFO_CAP_TYPE
 * @header: the chain
 * @type: a VFIO_REGION_TYPE_*
 * @subtype: which one of its kind, a VFIO_REGION_SUBTYPE_* of the type
 */
struct vfio_region_info_cap_type {
	struct vfio_info_cap_header header;
	__u32 type;
	__u32 subtype;
};

/* Types of regions that a PCI vendor defines: this bit and the vendor id */
#define VFIO_REGION_TYPE_PCI_VENDOR_TYPE	(1 << 31)
#define VFIO_REGION_TYPE_PCI_VENDOR_MASK	(0xffff)

/* Types of regions that are defined here */
#define VFIO_REGION_TYPE_GFX			(1)
#define VFIO_REGION_TYPE_CCW			(2)
#define VFIO_REGION_TYPE_MIGRATION_DEPRECATED	(3) /* never to be reused */

/* Subtypes of PCI vendor 8086: what an integrated GPU needs of the host */
#define VFIO_REGION_SUBTYPE_INTEL_IGD_OPREGION	(1) /* firmware's OpRegion */
#define VFIO_REGION_SUBTYPE_INTEL_IGD_HOST_CFG	(2) /* host bridge's config */
#define VFIO_REGION_SUBTYPE_INTEL_IGD_LPC_CFG	(3) /* LPC bridge's config */

/* Subtype of PCI vendor 10de, and of 1014: NVLink2, no longer offered */
#define VFIO_REGION_SUBTYPE_NVIDIA_NVLINK2_RAM	(1)
#define VFIO_REGION_SUBTYPE_IBM_NVLINK2_ATSD	(1)

/* Subtype of VFIO_REGION_TYPE_GFX: the EDID of a virtual display */
#define VFIO_REGION_SUBTYPE_GFX_EDID		(1)

/**
 * struct vfio_region_gfx_edid - registers at the start of the EDID region
 * @edid_offset: ro: where in the region the EDID blob is written
 * @edid_max_size: ro: the largest blob
 * @edid_size: rw: bytes of the blob that are valid
 * @max_xres: ro: widest mode of the device, 0 if it has no limit
 * @max_yres: ro: highest mode of the device, 0 if it has no limit
 * @link_state: rw: a VFIO_DEVICE_GFX_LINK_STATE_*
 *
 * To change a display: link down, write the blob, set its size, link up.
 */
struct vfio_region_gfx_edid {
	__u32 edid_offset;
	__u32 edid_max_size;
	__u32 edid_size;
	__u32 max_xres;
	__u32 max_yres;
	__u32 link_state;
#define VFIO_DEVICE_GFX_LINK_STATE_UP    1
#define VFIO_DEVICE_GFX_LINK_STATE_DOWN  2
};

/* Subtypes of VFIO_REGION_TYPE_CCW; their layout: linux/vfio_ccw.h */
#define VFIO_REGION_SUBTYPE_CCW_ASYNC_CMD	(1) /* halt, clear */
#define VFIO_REGION_SUBTYPE_CCW_SCHIB		(2) /* subchannel information */
#define VFIO_REGION_SUBTYPE_CCW_CRW		(3) /* channel report words */

/*
 * Version 1 of the migration protocol, a region. No driver offers it; what
 * replaced it is VFIO_DEVICE_FEATURE_MIGRATION. Only the names are kept.
 */
#define VFIO_REGION_SUBTYPE_MIGRATION_DEPRECATED (1)

/**
 * struct vfio_device_migration_info - registers of the v1 migration region
 * @device_state: VFIO_DEVICE_STATE_V1_* bits
 * @reserved: zero
 * @pending_bytes: bytes still to be saved
 * @data_offset: where in the region the data is
 * @data_size: bytes of data there
 */
struct vfio_device_migration_info {
	__u32 device_state;
#define VFIO_DEVICE_STATE_V1_STOP	(0)
#define VFIO_DEVICE_STATE_V1_RUNNING	(1 << 0)
#define VFIO_DEVICE_STATE_V1_SAVING	(1 << 1)
#define VFIO_DEVICE_STATE_V1_RESUMING	(1 << 2)
#define VFIO_DEVICE_STATE_MASK		(VFIO_DEVICE_STATE_V1_RUNNING | \
					 VFIO_DEVICE_STATE_V1_SAVING | \
					 VFIO_DEVICE_STATE_V1_RESUMING)

/* RESUMING goes with no other bit. */
#define VFIO_DEVICE_STATE_VALID(state) \
	(!((state) & VFIO_DEVICE_STATE_V1_RESUMING) || \
	 ((state) & VFIO_DEVICE_STATE_MASK) == VFIO_DEVICE_STATE_V1_RESUMING)

/* SAVING with RESUMING, and nothing else, says error. */
#define VFIO_DEVICE_STATE_IS_ERROR(state) \
	(((state) & VFIO_DEVICE_STATE_MASK) == \
	 (VFIO_DEVICE_STATE_V1_SAVING | VFIO_DEVICE_STATE_V1_RESUMING))

#define VFIO_DEVICE_STATE_SET_ERROR(state) \
	(((state) & ~VFIO_DEVICE_STATE_MASK) | \
	 VFIO_DEVICE_STATE_V1_SAVING | VFIO_DEVICE_STATE_V1_RESUMING)

	__u32 reserved;
	__aligned_u64 pending_bytes;
	__aligned_u64 data_offset;
	__aligned_u64 data_size;
};

/*
 * Capability without content beyond its header: the region may be mapped
 * also where it holds the MSI-X table. The table itself is still the
 * kernel's, and interrupts are set up with VFIO_DEVICE_SET_IRQS.
 */
#define VFIO_REGION_INFO_CAP_MSIX_MAPPABLE	3

/* Capabilities of NVLink2 regions, no longer offered */
#define VFIO_REGION_INFO_CAP_NVLINK2_SSATGT	4

/**
 * struct vfio_region_info_cap_nvlink2_ssatgt - capability
 *	VFIO_REGION_INFO_CAP_NVLINK2_SSATGT
 * @header: the chain
 * @tgt: address of the GPU's memory in the system's address space
 */
struct vfio_region_info_cap_nvlink2_ssatgt {
	struct vfio_info_cap_header header;
	__aligned_u64 tgt;
};

#define VFIO_REGION_INFO_CAP_NVLINK2_LNKSPD	5

/**
 * struct vfio_region_info_cap_nvlink2_lnkspd - capability
 *	VFIO_REGION_INFO_CAP_NVLINK2_LNKSPD
 * @header: the chain
 * @link_speed: speed of the link, as the firmware names it
 * @__pad: zero
 */
struct vfio_region_info_cap_nvlink2_lnkspd {
	struct vfio_info_cap_header header;
	__u32 link_speed;
	__u32 __pad;
};

/* ------------------------------------------------------------------------
 * Interrupts
 * ------------------------------------------------------------------------
 */

/**
 * struct vfio_irq_info - argument of VFIO_DEVICE_GET_IRQ_INFO
 * @argsz: see the conventions
 * @flags: out: VFIO_IRQ_INFO_*
 * @index: in: the kind of interrupt, below vfio_device_info.num_irqs
 * @count: out: how many of them the device has; 0 for none
 */
struct vfio_irq_info {
	__u32	argsz;
	__u32	flags;
/* Can be delivered to an eventfd. */
#define VFIO_IRQ_INFO_EVENTFD		(1 << 0)
/* Has ACTION_MASK and ACTION_UNMASK. */
#define VFIO_IRQ_INFO_MASKABLE		(1 << 1)
/* Is masked by the kernel when it fires, until the user unmasks it. */
#define VFIO_IRQ_INFO_AUTOMASKED	(1 << 2)
/* All that will be used must be set up in one call: to add one, disable. */
#define VFIO_IRQ_INFO_NORESIZE		(1 << 3)
	__u32	index;
	__u32	count;
};

/**
 * VFIO_DEVICE_GET_IRQ_INFO - argument: struct vfio_irq_info
 *
 * Errors: EINVAL no such index.
 */
#define VFIO_DEVICE_GET_IRQ_INFO	_IO(VFIO_TYPE, VFIO_BASE + 9)

/**
 * struct vfio_irq_set - argument of VFIO_DEVICE_SET_IRQS
 * @argsz: size of the header and of @data
 * @flags: one VFIO_IRQ_SET_DATA_* and one VFIO_IRQ_SET_ACTION_*
 * @index: the kind of interrupt
 * @start: first interrupt that is meant
 * @count: how many are meant
 * @data: by the DATA flag: nothing; @count bytes, each true or false; or
 *	@count __s32, each an eventfd or -1
 *
 * =======  ====================  =========================================
 * action   data                  meaning
 * =======  ====================  =========================================
 * TRIGGER  EVENTFD               deliver interrupt i to eventfd i; an fd of
 *                                -1 takes its eventfd away
 * TRIGGER  NONE, BOOL            loop back: behave as if the device had
 *                                raised them (BOOL: those that are true)
 * TRIGGER  NONE with count 0     tear down all interrupts of the index
 * MASK     NONE, BOOL            mask them (those that are true)
 * UNMASK   NONE, BOOL            unmask them (those that are true)
 * UNMASK   EVENTFD               unmask i whenever eventfd i is signalled;
 *                                -1 stops that
 * =======  ====================  =========================================
 */
struct vfio_irq_set {
	__u32	argsz;
	__u32	flags;
#define VFIO_IRQ_SET_DATA_NONE		(1 << 0)
#define VFIO_IRQ_SET_DATA_BOOL		(1 << 1)
#define VFIO_IRQ_SET_DATA_EVENTFD	(1 << 2)
#define VFIO_IRQ_SET_ACTION_MASK	(1 << 3)
#define VFIO_IRQ_SET_ACTION_UNMASK	(1 << 4)
#define VFIO_IRQ_SET_ACTION_TRIGGER	(1 << 5)
	__u32	index;
	__u32	start;
	__u32	count;
	__u8	data[];
};

/**
 * VFIO_DEVICE_SET_IRQS - argument: struct vfio_irq_set
 *
 * Errors: EINVAL flags, index, range or size do not fit together; ENOTTY the
 * index does not have the action; EBADF a bad eventfd. What a failed call
 * has set up is taken back.
 */
#define VFIO_DEVICE_SET_IRQS		_IO(VFIO_TYPE, VFIO_BASE + 10)

#define VFIO_IRQ_SET_DATA_TYPE_MASK	(VFIO_IRQ_SET_DATA_NONE | \
					 VFIO_IRQ_SET_DATA_BOOL | \
					 VFIO_IRQ_SET_DATA_EVENTFD)
#define VFIO_IRQ_SET_ACTION_TYPE_MASK	(VFIO_IRQ_SET_ACTION_MASK | \
					 VFIO_IRQ_SET_ACTION_UNMASK | \
					 VFIO_IRQ_SET_ACTION_TRIGGER)

/* ------------------------------------------------------------------------
 * Reset
 * ------------------------------------------------------------------------
 */

/**
 * VFIO_DEVICE_RESET - bring the device back to its state after power on
 *
 * No argument. The migration state becomes RUNNING, whatever it was, and an
 * open data_fd is dead. Errors: EINVAL without VFIO_DEVICE_FLAGS_RESET;
 * EAGAIN another task holds the lock of the device, and may be waiting for
 * its user.
 */
#define VFIO_DEVICE_RESET		_IO(VFIO_TYPE, VFIO_BASE + 11)

/* ------------------------------------------------------------------------
 * PCI
 * ------------------------------------------------------------------------
 */

/* Regions. A 64-bit BAR has the index of its lower half, the other is empty */
enum {
	VFIO_PCI_BAR0_REGION_INDEX,
	VFIO_PCI_BAR1_REGION_INDEX,
	VFIO_PCI_BAR2_REGION_INDEX,
	VFIO_PCI_BAR3_REGION_INDEX,
	VFIO_PCI_BAR4_REGION_INDEX,
	VFIO_PCI_BAR5_REGION_INDEX,
	VFIO_PCI_ROM_REGION_INDEX,
	VFIO_PCI_CONFIG_REGION_INDEX,	/* virtualised config space */
	VFIO_PCI_VGA_REGION_INDEX,	/* legacy VGA, offset is the address */
	/* The last of the fixed ones; beyond it, VFIO_REGION_INFO_CAP_TYPE */
	VFIO_PCI_NUM_REGIONS = 9
};

/* Interrupts. At most one of INTX, MSI and MSIX is enabled at a time */
enum {
	VFIO_PCI_INTX_IRQ_INDEX,
	VFIO_PCI_MSI_IRQ_INDEX,
	VFIO_PCI_MSIX_IRQ_INDEX,
	VFIO_PCI_ERR_IRQ_INDEX,		/* uncorrected error reported (AER) */
	VFIO_PCI_REQ_IRQ_INDEX,		/* the host asks to release the device */
	/* Fixed for all time: more need a capability of their own */
	VFIO_PCI_NUM_IRQS = 5
};

/**
 * struct vfio_pci_dependent_device - a function that a hot reset affects
 * @group_id: its IOMMU group, unless the info's flag DEV_ID is set
 * @devid: its id in the caller's iommufd, if the flag is set, or
 *	VFIO_PCI_DEVID_OWNED, VFIO_PCI_DEVID_NOT_OWNED
 * @segment: PCI domain
 * @bus: PCI bus
 * @devfn: PCI device and function
 */
struct vfio_pci_dependent_device {
	union {
		__u32   group_id;
		__u32	devid;
/* Owned by the caller's iommufd by way of its group, without an id. */
#define VFIO_PCI_DEVID_OWNED		0
/* Not owned by the caller's iommufd, which so may not reset. */
#define VFIO_PCI_DEVID_NOT_OWNED	-1
	};
	__u16	segment;
	__u8	bus;
	__u8	devfn;
};

/**
 * struct vfio_pci_hot_reset_info - argument of
 *	VFIO_DEVICE_GET_PCI_HOT_RESET_INFO
 * @argsz: see the conventions
 * @flags: out: VFIO_PCI_HOT_RESET_FLAG_*
 * @count: out: number of entries of @devices
 * @devices: out: every function on the slot or bus
 */
struct vfio_pci_hot_reset_info {
	__u32	argsz;
	__u32	flags;
/* Opened as a character device: entries have devid, not group_id. */
#define VFIO_PCI_HOT_RESET_FLAG_DEV_ID		(1 << 0)
/* With DEV_ID: all of them are owned, the reset will be allowed. */
#define VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED	(1 << 1)
	__u32	count;
	struct vfio_pci_dependent_device	devices[];
};

/**
 * VFIO_DEVICE_GET_PCI_HOT_RESET_INFO - what would a hot reset hit?
 *
 * Errors: ENOSPC @devices is too small, and count says what is needed;
 * ENODEV neither slot nor bus can be reset.
 */
#define VFIO_DEVICE_GET_PCI_HOT_RESET_INFO	_IO(VFIO_TYPE, VFIO_BASE + 12)

/**
 * struct vfio_pci_hot_reset - argument of VFIO_DEVICE_PCI_HOT_RESET
 * @argsz: size of the header and of @group_fds
 * @flags: zero
 * @count: entries of @group_fds; 0 if the device was opened as a character
 *	device, where the iommufd is the proof of ownership
 * @group_fds: an fd for each IOMMU group that is affected
 */
struct vfio_pci_hot_reset {
	__u32	argsz;
	__u32	flags;
	__u32	count;
	__s32	group_fds[];
};

/**
 * VFIO_DEVICE_PCI_HOT_RESET - reset the slot or bus that the device is on
 *
 * Errors: EINVAL an affected function is not the caller's, or the fds are no
 * groups; ENODEV neither slot nor bus can be reset.
 */
#define VFIO_DEVICE_PCI_HOT_RESET	_IO(VFIO_TYPE, VFIO_BASE + 13)

/**
 * struct vfio_device_ioeventfd - argument of VFIO_DEVICE_IOEVENTFD
 * @argsz: see the conventions
 * @flags: one of VFIO_DEVICE_IOEVENTFD_*, the width of the store
 * @offset: where in the device's file, aligned to the width
 * @data: the value that is stored
 * @fd: the eventfd; -1 removes the entry with the same offset, data, width
 * @reserved: zero
 */
struct vfio_device_ioeventfd {
	__u32	argsz;
	__u32	flags;
#define VFIO_DEVICE_IOEVENTFD_8		(1 << 0) /* 1 byte */
#define VFIO_DEVICE_IOEVENTFD_16	(1 << 1) /* 2 bytes */
#define VFIO_DEVICE_IOEVENTFD_32	(1 << 2) /* 4 bytes */
#define VFIO_DEVICE_IOEVENTFD_64	(1 << 3) /* 8 bytes */
#define VFIO_DEVICE_IOEVENTFD_SIZE_MASK	(0xf)
	__aligned_u64	offset;
	__aligned_u64	data;
	__s32	fd;
	__u32	reserved;
};

/**
 * VFIO_DEVICE_IOEVENTFD - store a value in a BAR when an eventfd is signalled
 *
 * So a doorbell that is trapped needs no exit to user space. Errors: EINVAL
 * not in a BAR, misaligned, or over the MSI-X table; EEXIST there already;
 * ENODEV nothing to remove; ENOSPC the device has too many.
 */
#define VFIO_DEVICE_IOEVENTFD		_IO(VFIO_TYPE, VFIO_BASE + 16)

/* ------------------------------------------------------------------------
 * Channel I/O (s390)
 * ------------------------------------------------------------------------
 */
enum {
	VFIO_CCW_CONFIG_REGION_INDEX,	/* struct ccw_io_region */
	VFIO_CCW_NUM_REGIONS
};

enum {
	VFIO_CCW_IO_IRQ_INDEX,		/* an I/O operation has finished */
	VFIO_CCW_CRW_IRQ_INDEX,		/* a channel report word is there */
	VFIO_CCW_REQ_IRQ_INDEX,		/* the host asks to release the device */
	VFIO_CCW_NUM_IRQS
};

/* ------------------------------------------------------------------------
 * Adjunct processor (s390)
 * ------------------------------------------------------------------------
 */
enum {
	VFIO_AP_REQ_IRQ_INDEX,		/* the host asks to release the device */
	VFIO_AP_CFG_CHG_IRQ_INDEX,	/* the configuration has changed */
	VFIO_AP_NUM_IRQS
};

/* ------------------------------------------------------------------------
 * Displays of mediated GPUs
 * ------------------------------------------------------------------------
 */

/**
 * struct vfio_device_gfx_plane_info - argument of VFIO_DEVICE_QUERY_GFX_PLANE
 * @argsz: see the conventions
 * @flags: in: VFIO_GFX_PLANE_TYPE_*
 * @drm_plane_type: in: a DRM_PLANE_TYPE_*
 * @drm_format: out: DRM fourcc of the pixels
 * @drm_format_mod: out: DRM format modifier (tiling)
 * @width: out: pixels
 * @height: out: lines
 * @stride: out: bytes from line to line
 * @size: out: bytes of the plane, from page to page
 * @x_pos: out: horizontal position, of a cursor
 * @y_pos: out: vertical position, of a cursor
 * @x_hot: out: horizontal position of the cursor's hot spot
 * @y_hot: out: vertical position of the cursor's hot spot
 * @region_index: out, type REGION: the region that holds the pixels
 * @dmabuf_id: out, type DMABUF: names the buffer to
 *	VFIO_DEVICE_GET_GFX_DMABUF; a new id means a new buffer
 * @reserved: zero
 *
 * All sizes are 0 while the guest has not set up the plane.
 */
struct vfio_device_gfx_plane_info {
	__u32 argsz;
	__u32 flags;
/* Only ask whether the type that is set as well is offered. */
#define VFIO_GFX_PLANE_TYPE_PROBE (1 << 0)
/* The plane is a dma-buf. */
#define VFIO_GFX_PLANE_TYPE_DMABUF (1 << 1)
/* The plane is in a region of the device. */
#define VFIO_GFX_PLANE_TYPE_REGION (1 << 2)
	__u32 drm_plane_type;
	__u32 drm_format;
	__aligned_u64 drm_format_mod;
	__u32 width;
	__u32 height;
	__u32 stride;
	__u32 size;
	__u32 x_pos;
	__u32 y_pos;
	__u32 x_hot;
	__u32 y_hot;
	union {
		__u32 region_index;
		__u32 dmabuf_id;
	};
	__u32 reserved;
};

/**
 * VFIO_DEVICE_QUERY_GFX_PLANE - argument: struct vfio_device_gfx_plane_info
 *
 * Errors: EINVAL the type is not offered; ENODEV the device has no display.
 */
#define VFIO_DEVICE_QUERY_GFX_PLANE	_IO(VFIO_TYPE, VFIO_BASE + 14)

/**
 * VFIO_DEVICE_GET_GFX_DMABUF - the dma-buf of a plane
 *
 * The argument points to a __u32, the dmabuf_id of a plane.
 *
 * Return: an fd of the dma-buf. Errors: EINVAL, ENODEV the id has gone.
 */
#define VFIO_DEVICE_GET_GFX_DMABUF	_IO(VFIO_TYPE, VFIO_BASE + 15)

/* ------------------------------------------------------------------------
 * Device features
 * ------------------------------------------------------------------------
 */

/**
 * struct vfio_device_feature - argument of VFIO_DEVICE_FEATURE
 * @argsz: size of the header and of @data
 * @flags: which feature (in VFIO_DEVICE_FEATURE_MASK) and what to do
 * @data: the feature's structure, where it has one
 */
struct vfio_device_feature {
	__u32	argsz;
	__u32	flags;
#define VFIO_DEVICE_FEATURE_MASK	(0xffff) /* a feature's number */
#define VFIO_DEVICE_FEATURE_GET		(1 << 16) /* read @data */
#define VFIO_DEVICE_FEATURE_SET		(1 << 17) /* write @data */
/* Only say whether the device has the feature, and GET or SET if set. */
#define VFIO_DEVICE_FEATURE_PROBE	(1 << 18)
	__u8	data[];
};

/**
 * VFIO_DEVICE_FEATURE - read, write or probe an optional feature
 *
 * Without PROBE exactly one of GET and SET is given. PROBE has no effect on
 * the device, takes no @data, and may be combined with both.
 *
 * Errors: ENOTTY the device does not have the feature; EINVAL the feature
 * cannot be read or written, unknown flags, or @data too short.
 */
#define VFIO_DEVICE_FEATURE		_IO(VFIO_TYPE, VFIO_BASE + 17)

/*
 * SET: the VF token of a PF, 16 bytes of a UUID. While a PF and its VFs are
 * all with vfio, a VF is opened with the token that was set on the PF, and a
 * PF whose VFs are in use with the one that it had. See
 * VFIO_GROUP_GET_DEVICE_FD for how it is passed.
 */
#define VFIO_DEVICE_FEATURE_PCI_VF_TOKEN	(0)

/* ---- Low power ---- */

/*
 * SET, no data: the device will not be used for a while and may be put in
 * the deepest power state that the platform has. Any access but through
 * config space or a BAR mapping wakes it for the time of the access; mappings
 * fault until the low power state is left.
 */
#define VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY	3

/**
 * struct vfio_device_low_power_entry_with_wakeup - data of
 *	VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP
 * @wakeup_eventfd: signalled when the device is woken by other means than
 *	the user, which also ends the low power state
 * @reserved: zero
 */
struct vfio_device_low_power_entry_with_wakeup {
	__s32 wakeup_eventfd;
	__u32 reserved;
};

/* SET: as LOW_POWER_ENTRY, but stay awake once woken, and tell. */
#define VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP 4

/* SET, no data: leave the low power state; the device is usable on return. */
#define VFIO_DEVICE_FEATURE_LOW_POWER_EXIT	5

/* ---- Bus master (CDX) ---- */

/**
 * struct vfio_device_feature_bus_master - data of
 *	VFIO_DEVICE_FEATURE_BUS_MASTER
 * @op: allow the device to do DMA, or not
 */
struct vfio_device_feature_bus_master {
	__u32 op;
#define		VFIO_DEVICE_FEATURE_CLEAR_MASTER	0
#define		VFIO_DEVICE_FEATURE_SET_MASTER		1
};

/* SET. A PCI device does not have it: its command register does this. */
#define VFIO_DEVICE_FEATURE_BUS_MASTER		10

/* ---- A dma-buf of a BAR ---- */

/**
 * struct vfio_region_dma_range - a part of a region
 * @offset: from the start of the region, a multiple of the page size
 * @length: bytes, a multiple of the page size
 */
struct vfio_region_dma_range {
	__u64 offset;
	__u64 length;
};

/**
 * struct vfio_device_feature_dma_buf - data of VFIO_DEVICE_FEATURE_DMA_BUF
 * @region_index: the region
 * @open_flags: of the new fd, as for open()
 * @flags: zero
 * @nr_ranges: entries of @dma_ranges
 * @dma_ranges: the parts of the region, in the order of the dma-buf
 */
struct vfio_device_feature_dma_buf {
	__u32	region_index;
	__u32	open_flags;
	__u32	flags;
	__u32	nr_ranges;
	struct vfio_region_dma_range dma_ranges[];
};

/*
 * GET: returns the fd of a dma-buf with parts of a BAR, which drivers of other
 * devices can map for DMA. It is revoked while the user resets the device, in low
 * power and with memory decoding off, and for good when the device is closed:
 * its users have to unmap it, and cannot map it meanwhile. ENOTTY if the driver
 * or the kernel does not have it; EINVAL if a range is empty, not a multiple of
 * pages or beyond the end of the BAR, if all ranges together are longer than the
 * BAR, or if the BAR cannot be mapped.
 */
#define VFIO_DEVICE_FEATURE_DMA_BUF		11

/* ------------------------------------------------------------------------
 * Migration
 * ------------------------------------------------------------------------
 *
 * The state of a device is carried from a source to a destination as an
 * opaque stream of bytes: read from a data_fd on one side, written to one on
 * the other. A state machine says when. User space moves the device to a
 * state, the kernel takes it there arc by arc, and the ioctl returns when it
 * is there.
 *
 * A typical save: RUNNING -> PRE_COPY -> PRE_COPY_P2P -> STOP_COPY -> STOP;
 * a typical load: RUNNING -> RESUMING -> RUNNING.
 */

/**
 * struct vfio_device_feature_migration - data of
 *	VFIO_DEVICE_FEATURE_MIGRATION
 * @flags: out: what the device is able to do, a set that has STOP_COPY
 */
struct vfio_device_feature_migration {
	__aligned_u64 flags;
/* Has STOP, STOP_COPY and RESUMING; no device lacks it. */
#define VFIO_MIGRATION_STOP_COPY	(1 << 0)
/* Has RUNNING_P2P, and with PRE_COPY also PRE_COPY_P2P. */
#define VFIO_MIGRATION_P2P		(1 << 1)
/* Has PRE_COPY, and VFIO_MIG_GET_PRECOPY_INFO on the data_fd. */
#define VFIO_MIGRATION_PRE_COPY		(1 << 2)
};

/* GET. ENOTTY: the device cannot be migrated. */
#define VFIO_DEVICE_FEATURE_MIGRATION 1

/**
 * enum vfio_device_mig_state - state of the migration state machine
 * @VFIO_DEVICE_STATE_ERROR: Failed, and the device is of no use. Never
 *	reached by request; left by a reset only.
 * @VFIO_DEVICE_STATE_STOP: No DMA, no interrupts, no change of the internal
 *	state. Accesses to registers do the host no harm, and change nothing.
 * @VFIO_DEVICE_STATE_RUNNING: Fully operational: where a device is when it
 *	is opened, and after every reset.
 * @VFIO_DEVICE_STATE_STOP_COPY: As STOP, and the data_fd gives the state, or
 *	what of it PRE_COPY has not given, up to end of file.
 * @VFIO_DEVICE_STATE_RESUMING: As STOP, and the data_fd takes a state. It is
 *	validated and loaded when RESUMING is left for STOP.
 * @VFIO_DEVICE_STATE_RUNNING_P2P: As RUNNING, but the device starts no DMA
 *	to other devices, and has finished the DMA that it had started. It
 *	still answers theirs. So devices that talk to each other can be stopped
 *	and started one after the other, and none finds another stopped.
 * @VFIO_DEVICE_STATE_PRE_COPY: As RUNNING, and the data_fd gives state early.
 *	There is no end of file; what changes later is given later.
 * @VFIO_DEVICE_STATE_PRE_COPY_P2P: As RUNNING_P2P, and the data_fd as in
 *	PRE_COPY.
 * @VFIO_DEVICE_STATE_NR: Number of states, not a state.
 *
 * The arcs that a device takes; P and C mark those that need P2P or PRE_COPY,
 * !P those that exist only without P2P:
 *
 * ============  ============  ======  ====================================
 * from          to            needs   data_fd
 * ============  ============  ======  ====================================
 * RUNNING       STOP          !P
 * STOP          RUNNING       !P
 * RUNNING       RUNNING_P2P   P
 * RUNNING_P2P   RUNNING       P
 * RUNNING_P2P   STOP          P
 * STOP          RUNNING_P2P   P
 * STOP          STOP_COPY             opens one to read
 * STOP_COPY     STOP                  ends
 * STOP          RESUMING              opens one to write
 * RESUMING      STOP                  ends; the state is loaded
 * RUNNING       PRE_COPY      C       opens one to read
 * PRE_COPY      RUNNING       C       ends
 * PRE_COPY      STOP_COPY     C, !P   goes on
 * RUNNING_P2P   PRE_COPY_P2P  P, C    opens one to read
 * PRE_COPY_P2P  RUNNING_P2P   P, C    ends
 * PRE_COPY      PRE_COPY_P2P  P, C    goes on
 * PRE_COPY_P2P  PRE_COPY      P, C    goes on
 * PRE_COPY_P2P  STOP_COPY     P, C    goes on
 * ============  ============  ======  ====================================
 *
 * A request for any other state takes the shortest way over these arcs, on
 * which no data_fd is opened and ended in between: RUNNING to STOP_COPY goes
 * by STOP, RESUMING to STOP_COPY likewise. There is no way from STOP_COPY to
 * PRE_COPY or PRE_COPY_P2P, from ERROR, or to ERROR.
 *
 * PRE_COPY, PRE_COPY_P2P and STOP_COPY share one data_fd. A session ends when
 * they, or RESUMING, are left; by a reset, an error, or the closing of the
 * device. From then on every operation on the data_fd is ENODEV.
 *
 * In STOP, STOP_COPY, RESUMING and ERROR the user of the device must expect
 * that its MMIO does not respond as usual. In all states config space and
 * interrupts can be set up.
 */
enum vfio_device_mig_state {
	VFIO_DEVICE_STATE_ERROR = 0,
	VFIO_DEVICE_STATE_STOP = 1,
	VFIO_DEVICE_STATE_RUNNING = 2,
	VFIO_DEVICE_STATE_STOP_COPY = 3,
	VFIO_DEVICE_STATE_RESUMING = 4,
	VFIO_DEVICE_STATE_RUNNING_P2P = 5,
	VFIO_DEVICE_STATE_PRE_COPY = 6,
	VFIO_DEVICE_STATE_PRE_COPY_P2P = 7,
	VFIO_DEVICE_STATE_NR,
};

/**
 * struct vfio_device_feature_mig_state - data of
 *	VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE
 * @device_state: SET: the state to go to; GET: out: the present state
 * @data_fd: out: SET: the new data_fd (close-on-exec) if the last arc opened
 *	one, else -1; GET: -1. On an error -1 as well.
 *
 * The data_fd has no file position: pread() and lseek() are ESPIPE. It does
 * not matter into which reads and writes the stream is cut. O_NONBLOCK, poll() and
 * signals work as with a pipe.
 *
 * Reading: 0 is the end of the state, only in STOP_COPY. ENOMSG is "no more
 * for now", only in PRE_COPY*. Writing: data that can be seen to be wrong is
 * refused at once.
 */
struct vfio_device_feature_mig_state {
	__u32 device_state;
	__s32 data_fd;
};

/*
 * GET, SET. SET of the present state does nothing. If SET fails, the device
 * is where the walk stopped, and GET says where; if that is ERROR, only a
 * reset helps. The kernel does not go back by itself.
 *
 * Errors of SET: EINVAL no such state, not offered, no way there, or (leaving
 * RESUMING) data that is incomplete or not for this device; EIO the device did
 * not comply; EMFILE, EFAULT the data_fd could not be handed over.
 */
#define VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE 2

/**
 * struct vfio_precopy_info - argument of VFIO_MIG_GET_PRECOPY_INFO
 * @argsz: see the conventions
 * @flags: out: VFIO_PRECOPY_INFO_*, if the user has set
 *	VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2; otherwise left unchanged
 * @initial_bytes: out: estimate of the bytes of the first pass that have not
 *	been read yet. Not 0 at first, falls to 0. A device that is stopped
 *	earlier has a longer downtime.
 * @dirty_bytes: out: estimate of the bytes that became stale after they had
 *	been read, 0 at first. May grow as well as fall.
 *
 * The sum is what read() can give now; there may be more in STOP_COPY.
 */
struct vfio_precopy_info {
	__u32 argsz;
	__u32 flags;
/*
 * New initial data has come on the stream since the last call: initial_bytes has
 * risen, unless a read() has taken the data already, and falls to 0 again as it is
 * read; dirty_bytes starts again at 0.
 */
#define VFIO_PRECOPY_INFO_REINIT	(1 << 0)
	__aligned_u64 initial_bytes;
	__aligned_u64 dirty_bytes;
};

/**
 * VFIO_MIG_GET_PRECOPY_INFO - argument: struct vfio_precopy_info
 *
 * An ioctl of the data_fd. Errors: EINVAL not in PRE_COPY or PRE_COPY_P2P;
 * ENODEV the session has ended.
 */
#define VFIO_MIG_GET_PRECOPY_INFO _IO(VFIO_TYPE, VFIO_BASE + 21)

/**
 * struct vfio_device_feature_mig_data_size - data of
 *	VFIO_DEVICE_FEATURE_MIG_DATA_SIZE
 * @stop_copy_length: out: estimate of the bytes that a move to STOP_COPY now
 *	would leave to be read
 */
struct vfio_device_feature_mig_data_size {
	__aligned_u64 stop_copy_length;
};

/* GET, in any state */
#define VFIO_DEVICE_FEATURE_MIG_DATA_SIZE 9

/*
 * SET, no data: have VFIO_MIG_GET_PRECOPY_INFO fill in the flags of its answer.
 * Holds until the device is closed. ENOTTY: the device has no PRE_COPY.
 */
#define VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2 12

/* ---- Errors of zPCI functions (s390) ---- */

/**
 * struct vfio_device_feature_zpci_err - data of VFIO_DEVICE_FEATURE_ZPCI_ERROR
 * @data: what the function has reported
 */
struct vfio_device_feature_zpci_err {
	__aligned_u64 data;
};

/* GET */
#define VFIO_DEVICE_FEATURE_ZPCI_ERROR 13

/* ---- DMA logging: which memory has the device written? ---- */

/**
 * struct vfio_device_feature_dma_logging_control - data of
 *	VFIO_DEVICE_FEATURE_DMA_LOGGING_START
 * @page_size: in: wanted granularity, a power of two; out: the one used
 * @num_ranges: in: entries at @ranges, not 0
 * @__reserved: zero
 * @ranges: in: user address of struct vfio_device_feature_dma_logging_range
 */
struct vfio_device_feature_dma_logging_control {
	__aligned_u64 page_size;
	__u32 num_ranges;
	__u32 __reserved;
	__aligned_u64 ranges;
};

/**
 * struct vfio_device_feature_dma_logging_range - a range to watch
 * @iova: first address, a multiple of the page size
 * @length: bytes, a multiple of the page size, not 0
 */
struct vfio_device_feature_dma_logging_range {
	__aligned_u64 iova;
	__aligned_u64 length;
};

/*
 * SET: log the device's writes to the ranges, from now on. One at a time.
 * Errors: EINVAL page size or alignment, an overlap, or logging is on;
 * EOVERFLOW a range leaves the address space; E2BIG more ranges than the
 * kernel takes (at least those that fit a page are taken).
 */
#define VFIO_DEVICE_FEATURE_DMA_LOGGING_START 6

/* SET, no data: end it. EINVAL: logging is off. */
#define VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP 7

/**
 * struct vfio_device_feature_dma_logging_report - data of
 *	VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT
 * @iova: first address; the first bit stands for the page from here on
 * @length: bytes, not 0; a last page that is not full has a bit, too
 * @page_size: bytes for a bit, a power of two of 4096 or more
 * @bitmap: user address of __u64 words, a bit for each page, low bits first
 */
struct vfio_device_feature_dma_logging_report {
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 page_size;
	__aligned_u64 bitmap;
};

/*
 * GET: read the log of a range and clear it. Sets the bits of the pages that
 * were written since the last time, and leaves all others as they are. The
 * range should be one that is watched.
 * Errors: EINVAL page size or length, or logging is off; EOVERFLOW the range
 * leaves the address space; EFAULT the bitmap cannot be written: what was
 * read before has its bits, the rest is still in the log.
 */
#define VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT 8

/* ------------------------------------------------------------------------
 * Type1: an IOMMU that maps any IOVA to user memory, by ioctls of a container
 * ------------------------------------------------------------------------
 */

/**
 * struct vfio_iommu_type1_info - argument of VFIO_IOMMU_GET_INFO
 * @argsz: see the conventions; grows if the capabilities need more
 * @flags: out: VFIO_IOMMU_INFO_*
 * @iova_pgsizes: out: page sizes of the IOMMU, a bit each; mappings are
 *	aligned to the smallest
 * @cap_offset: out: first capability, with VFIO_IOMMU_INFO_CAPS
 * @pad: zero
 */
struct vfio_iommu_type1_info {
	__u32	argsz;
	__u32	flags;
#define VFIO_IOMMU_INFO_PGSIZES (1 << 0) /* iova_pgsizes is valid */
#define VFIO_IOMMU_INFO_CAPS	(1 << 1) /* cap_offset is valid */
	__aligned_u64	iova_pgsizes;
	__u32   cap_offset;
	__u32   pad;
};

/* Capability: the IOVAs that may be mapped */
#define VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE  1

/**
 * struct vfio_iova_range - a range of IOVAs
 * @start: first address
 * @end: last address (inclusive)
 */
struct vfio_iova_range {
	__u64	start;
	__u64	end;
};

/**
 * struct vfio_iommu_type1_info_cap_iova_range - capability
 *	VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE
 * @header: the chain
 * @nr_iovas: entries in @iova_ranges
 * @reserved: zero
 * @iova_ranges: in ascending order, what the IOMMU reaches without what is
 *	reserved. A group that joins may make them smaller.
 */
struct vfio_iommu_type1_info_cap_iova_range {
	struct	vfio_info_cap_header header;
	__u32	nr_iovas;
	__u32	reserved;
	struct	vfio_iova_range iova_ranges[];
};

/* Capability: VFIO_IOMMU_DIRTY_PAGES */
#define VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION  2

/**
 * struct vfio_iommu_type1_info_cap_migration - capability
 *	VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION
 * @header: the chain
 * @flags: zero
 * @pgsize_bitmap: granularities at which dirty pages are tracked, a bit each
 * @max_dirty_bitmap_size: bytes of the largest bitmap that one request takes
 */
struct vfio_iommu_type1_info_cap_migration {
	struct	vfio_info_cap_header header;
	__u32	flags;
	__u64	pgsize_bitmap;
	__u64	max_dirty_bitmap_size;
};

/* Capability: how many mappings are left */
#define VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL 3

/**
 * struct vfio_iommu_type1_info_dma_avail - capability
 *	VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL
 * @header: the chain
 * @avail: mappings that can still be made in this container
 */
struct vfio_iommu_type1_info_dma_avail {
	struct	vfio_info_cap_header header;
	__u32	avail;
};

/** VFIO_IOMMU_GET_INFO - argument: struct vfio_iommu_type1_info */
#define VFIO_IOMMU_GET_INFO _IO(VFIO_TYPE, VFIO_BASE + 12)

/**
 * struct vfio_iommu_type1_dma_map - argument of VFIO_IOMMU_MAP_DMA
 * @argsz: see the conventions
 * @flags: VFIO_DMA_MAP_FLAG_*
 * @vaddr: address of the memory in the calling process
 * @iova: where the device sees it
 * @size: bytes; all three are multiples of the smallest IOMMU page
 */
struct vfio_iommu_type1_dma_map {
	__u32	argsz;
	__u32	flags;
#define VFIO_DMA_MAP_FLAG_READ (1 << 0)		/* the device may read */
#define VFIO_DMA_MAP_FLAG_WRITE (1 << 1)	/* the device may write */
/*
 * Give a mapping whose address was taken away by VFIO_DMA_UNMAP_FLAG_VADDR a
 * new one, for the same iova and size. Excludes READ and WRITE.
 */
#define VFIO_DMA_MAP_FLAG_VADDR (1 << 2)
	__u64	vaddr;
	__u64	iova;
	__u64	size;
};

/**
 * VFIO_IOMMU_MAP_DMA - let the devices of the container see memory
 *
 * The memory is pinned and accounted to the process's RLIMIT_MEMLOCK.
 *
 * Errors: EINVAL flags, alignment, size 0, or IOVAs that may not be mapped;
 * EOVERFLOW the range wraps; EEXIST some of it is mapped; ENOSPC too many
 * mappings; ENOMEM over the limit; EFAULT no memory at vaddr; with VADDR: ENOENT no such mapping.
 */
#define VFIO_IOMMU_MAP_DMA _IO(VFIO_TYPE, VFIO_BASE + 13)

/**
 * struct vfio_bitmap - a bitmap of dirty pages
 * @pgsize: bytes for a bit
 * @size: bytes of memory at @data, a multiple of 8
 * @data: bits, the lowest page in the lowest bit of the first word
 */
struct vfio_bitmap {
	__u64        pgsize;
	__u64        size;
	__u64 __user *data;
};

/**
 * struct vfio_iommu_type1_dma_unmap - argument of VFIO_IOMMU_UNMAP_DMA
 * @argsz: see the conventions; includes @data if that is used
 * @flags: VFIO_DMA_UNMAP_FLAG_*
 * @iova: first address
 * @size: bytes; out: bytes that were unmapped
 * @data: with GET_DIRTY_BITMAP, a struct vfio_bitmap
 */
struct vfio_iommu_type1_dma_unmap {
	__u32	argsz;
	__u32	flags;
/*
 * Report the dirty pages of what is unmapped: sets bits, clears none. Tracking
 * must be on, and no other flag set.
 */
#define VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP (1 << 0)
/* Unmap everything; iova and size are 0. */
#define VFIO_DMA_UNMAP_FLAG_ALL		     (1 << 1)
/*
 * Keep the mapping for the devices, forget the address in the process, until
 * VFIO_DMA_MAP_FLAG_VADDR gives another: for a process that replaces itself.
 */
#define VFIO_DMA_UNMAP_FLAG_VADDR	     (1 << 2)
	__u64	iova;
	__u64	size;
	__u8    data[];
};

/**
 * VFIO_IOMMU_UNMAP_DMA - take memory from the devices
 *
 * Unmaps every mapping in the range, none of which may reach beyond it
 * (VFIO_TYPE1v2_IOMMU; VFIO_TYPE1_IOMMU may unmap more than was asked for).
 * Nothing mapped is no error: size returns 0.
 *
 * Errors: EINVAL flags, alignment, or a range that cuts a mapping; EOVERFLOW
 * the range wraps; EFAULT the bitmap; EBUSY the driver of an emulated device
 * does not unpin, or, with VADDR, there is such a device.
 */
#define VFIO_IOMMU_UNMAP_DMA _IO(VFIO_TYPE, VFIO_BASE + 14)

/**
 * struct vfio_iommu_type1_dirty_bitmap - argument of VFIO_IOMMU_DIRTY_PAGES
 * @argsz: see the conventions; includes @data if that is used
 * @flags: exactly one VFIO_IOMMU_DIRTY_PAGES_FLAG_*
 * @data: with GET_BITMAP, a struct vfio_iommu_type1_dirty_bitmap_get
 */
struct vfio_iommu_type1_dirty_bitmap {
	__u32        argsz;
	__u32        flags;
#define VFIO_IOMMU_DIRTY_PAGES_FLAG_START	(1 << 0) /* start tracking */
#define VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP	(1 << 1) /* and stop it */
#define VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP	(1 << 2) /* read and clear */
	__u8         data[];
};

/**
 * struct vfio_iommu_type1_dirty_bitmap_get - what GET_BITMAP reads
 * @iova: first address
 * @size: bytes; the range covers whole mappings
 * @bitmap: where the answer goes
 */
struct vfio_iommu_type1_dirty_bitmap_get {
	__u64              iova;
	__u64              size;
	struct vfio_bitmap bitmap;
};

/**
 * VFIO_IOMMU_DIRTY_PAGES - argument: struct vfio_iommu_type1_dirty_bitmap
 *
 * A page counts as dirty if a device can have written it: where a device has
 * all of the memory pinned, that is every page, each time.
 *
 * Errors: EINVAL flags, page size, size of the bitmap, a range that cuts a
 * mapping, GET_BITMAP without START; EOVERFLOW the range wraps; EFAULT the
 * bitmap; EACCES the container is VFIO_TYPE1_IOMMU.
 */
#define VFIO_IOMMU_DIRTY_PAGES             _IO(VFIO_TYPE, VFIO_BASE + 17)

/* ------------------------------------------------------------------------
 * sPAPR TCE: the IOMMU of POWER, DMA windows of fixed place, by ioctls of a
 * container; VFIO_IOMMU_MAP_DMA and UNMAP_DMA work in a window
 * ------------------------------------------------------------------------
 */

/*
 * No argument: turn the windows on and off. Model 1 accounts the whole window
 * as locked memory while it is on.
 */
#define VFIO_IOMMU_ENABLE	_IO(VFIO_TYPE, VFIO_BASE + 15)
#define VFIO_IOMMU_DISABLE	_IO(VFIO_TYPE, VFIO_BASE + 16)

/**
 * struct vfio_iommu_spapr_tce_ddw_info - dynamic DMA windows
 * @pgsizes: page sizes that a window may have, a bit each
 * @max_dynamic_windows_supported: how many windows there may be
 * @levels: most levels of a window's table
 */
struct vfio_iommu_spapr_tce_ddw_info {
	__u64 pgsizes;
	__u32 max_dynamic_windows_supported;
	__u32 levels;
};

/**
 * struct vfio_iommu_spapr_tce_info - argument of
 *	VFIO_IOMMU_SPAPR_TCE_GET_INFO
 * @argsz: see the conventions; @ddw is filled if it includes it
 * @flags: out: VFIO_IOMMU_SPAPR_INFO_*
 * @dma32_window_start: out: bus address of the default window
 * @dma32_window_size: out: bytes of the default window
 * @ddw: out: with VFIO_IOMMU_SPAPR_INFO_DDW
 */
struct vfio_iommu_spapr_tce_info {
	__u32 argsz;
	__u32 flags;
#define VFIO_IOMMU_SPAPR_INFO_DDW	(1 << 0) /* windows can be created */
	__u32 dma32_window_start;
	__u32 dma32_window_size;
	struct vfio_iommu_spapr_tce_ddw_info ddw;
};

/** VFIO_IOMMU_SPAPR_TCE_GET_INFO - argument: struct vfio_iommu_spapr_tce_info */
#define VFIO_IOMMU_SPAPR_TCE_GET_INFO	_IO(VFIO_TYPE, VFIO_BASE + 12)

/**
 * struct vfio_iommu_spapr_register_memory - argument of
 *	VFIO_IOMMU_SPAPR_REGISTER_MEMORY and _UNREGISTER_MEMORY
 * @argsz: see the conventions
 * @flags: zero
 * @vaddr: start of the memory in the calling process
 * @size: bytes
 */
struct vfio_iommu_spapr_register_memory {
	__u32	argsz;
	__u32	flags;
	__u64	vaddr;
	__u64	size;
};

/*
 * Model 2: pin and account memory once, before any of it is mapped, so that
 * mapping is cheap. Memory is unregistered as it was registered, and not
 * while it is mapped (EBUSY).
 */
#define VFIO_IOMMU_SPAPR_REGISTER_MEMORY	_IO(VFIO_TYPE, VFIO_BASE + 17)
#define VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY	_IO(VFIO_TYPE, VFIO_BASE + 18)

/**
 * struct vfio_iommu_spapr_tce_create - argument of
 *	VFIO_IOMMU_SPAPR_TCE_CREATE
 * @argsz: see the conventions
 * @flags: zero
 * @page_shift: in: log2 of the page size
 * @__resv1: zero
 * @window_size: in: bytes
 * @levels: in: levels of the table
 * @__resv2: zero
 * @start_addr: out: bus address of the new window
 */
struct vfio_iommu_spapr_tce_create {
	__u32 argsz;
	__u32 flags;
	__u32 page_shift;
	__u32 __resv1;
	__u64 window_size;
	__u32 levels;
	__u32 __resv2;
	__u64 start_addr;
};

/** VFIO_IOMMU_SPAPR_TCE_CREATE - make a DMA window */
#define VFIO_IOMMU_SPAPR_TCE_CREATE	_IO(VFIO_TYPE, VFIO_BASE + 19)

/**
 * struct vfio_iommu_spapr_tce_remove - argument of
 *	VFIO_IOMMU_SPAPR_TCE_REMOVE
 * @argsz: see the conventions
 * @flags: zero
 * @start_addr: bus address of the window, as it was created
 */
struct vfio_iommu_spapr_tce_remove {
	__u32 argsz;
	__u32 flags;
	__u64 start_addr;
};

/** VFIO_IOMMU_SPAPR_TCE_REMOVE - remove a DMA window */
#define VFIO_IOMMU_SPAPR_TCE_REMOVE	_IO(VFIO_TYPE, VFIO_BASE + 20)

/* ------------------------------------------------------------------------
 * EEH: the error recovery of PCI on POWER, by an ioctl of a container
 * ------------------------------------------------------------------------
 */

/**
 * struct vfio_eeh_pe_err - an error to inject
 * @type: width of the address: 0 for 32 bits, 1 for 64 bits
 * @func: kind of error, as EEH numbers them
 * @addr: PCI address that triggers it
 * @mask: bits of @addr that count
 */
struct vfio_eeh_pe_err {
	__u32 type;
	__u32 func;
	__u64 addr;
	__u64 mask;
};

/**
 * struct vfio_eeh_pe_op - argument of VFIO_EEH_PE_OP
 * @argsz: see the conventions; includes the union for INJECT_ERR only
 * @flags: zero
 * @op: one of VFIO_EEH_PE_*
 * @err: INJECT_ERR: the error
 */
struct vfio_eeh_pe_op {
	__u32 argsz;
	__u32 flags;
	__u32 op;
	union {
		struct vfio_eeh_pe_err err;
	};
};

/* Operations */
#define VFIO_EEH_PE_DISABLE		0 /* turn EEH off for the devices */
#define VFIO_EEH_PE_ENABLE		1 /* and on */
#define VFIO_EEH_PE_UNFREEZE_IO		2 /* let MMIO through again */
#define VFIO_EEH_PE_UNFREEZE_DMA	3 /* let DMA through again */
#define VFIO_EEH_PE_GET_STATE		4 /* returns a VFIO_EEH_PE_STATE_* */
#define VFIO_EEH_PE_RESET_DEACTIVATE	5 /* release the reset */
#define VFIO_EEH_PE_RESET_HOT		6 /* assert a hot reset */
#define VFIO_EEH_PE_RESET_FUNDAMENTAL	7 /* assert a fundamental reset */
#define VFIO_EEH_PE_CONFIGURE		8 /* restore bridges after a reset */
#define VFIO_EEH_PE_INJECT_ERR		9 /* inject @err */

/* States */
#define VFIO_EEH_PE_STATE_NORMAL	0 /* works */
#define VFIO_EEH_PE_STATE_RESET		1 /* in reset */
#define VFIO_EEH_PE_STATE_STOPPED	2 /* MMIO and DMA are blocked */
#define VFIO_EEH_PE_STATE_STOPPED_DMA	4 /* DMA is blocked */
#define VFIO_EEH_PE_STATE_UNAVAIL	5 /* not available */

/** VFIO_EEH_PE_OP - argument: struct vfio_eeh_pe_op */
#define VFIO_EEH_PE_OP			_IO(VFIO_TYPE, VFIO_BASE + 21)

#endif /* _UAPIVFIO_H */
