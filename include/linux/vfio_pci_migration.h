/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The library for variant drivers of vfio-pci with live migration
 * (vfio-pci-migration.ko): what they need between vfio-pci-core and the
 * migration library.
 *
 * A driver embeds a struct vfio_pci_migration at the beginning of its device,
 * and describes the device in a struct vfio_pci_mig_driver.  The library does
 * the rest: binding, open and close; registers that the driver serves while the
 * rest of the BAR is mapped; bus mastering that is off while the device is
 * stopped, without the guest seeing it; resets; and DMA logging.
 *
 * Works with the vfio.ko and vfio-pci-core.ko of this tree as well as with
 * those of Linux 6.12.
 */
#ifndef VFIO_PCI_MIGRATION_H
#define VFIO_PCI_MIGRATION_H

#include <linux/ktime.h>
#include <linux/pci.h>
#include <linux/types.h>
#include <linux/version.h>
#include <linux/vfio_migration.h>
#include <linux/vfio_pci_core.h>

struct vfio_pci_mig_log;

/**
 * struct vfio_pci_migration - a PCI function with migration
 * @core: the function for vfio-pci-core; the first member
 * @mig: the function for the migration library
 */
struct vfio_pci_migration {
	struct vfio_pci_core_device core;
	struct vfio_migration mig;
	/* private: under mig.lock */
	bool dma_off;		/* bus mastering is off, unseen by the guest */
	bool bus_master;	/* while dma_off: the bit that the guest sees */
	bool opened;		/* the device has a user */
	bool lost;		/* the link was frozen, and not yet reset */
	bool closing;		/* in the last close; under dev_set->lock */
	bool leaving;		/* the driver is being unbound; never cleared */
	/* private: of DMA logging */
	struct mutex log_lock;	/* START, STOP and REPORT, one at a time */
	struct vfio_pci_mig_log *log;	/* NULL until the first START */
};

/**
 * struct vfio_pci_mig_trap - registers that the driver serves
 * @bar: number of the BAR
 * @start: offset of the first register in the BAR; a multiple of 4
 * @end: offset behind the last register; a multiple of 4
 * @read: returns what the user reads from the register at @offset in the BAR.
 *	Also called if the user reads only a part of the register
 * @write: the user writes @value to the register at @offset in the BAR
 * @doorbells: the trap is the page of SZ_4K with the doorbells of the receive
 *	queues, and @read and @write are NULL.  The user can map it, in a
 *	mapping of its own.  Its accesses go to the device or, while DMA is
 *	logged, to a page of memory
 *
 * @read and @write are called with memory_lock (for read) and the state lock
 * held, with the device awake and its memory decoding on.  While decoding is
 * off, an access fails with EIO, as with any other register.
 *
 * The user cannot map pages in which traps are, except that of @doorbells.  The
 * other registers of these pages are read and written through vfio-pci-core.
 * All other pages of the BAR can be mapped.
 */
struct vfio_pci_mig_trap {
	unsigned int bar;
	u64 start;
	u64 end;
	u32 (*read)(struct vfio_pci_migration *pci, u64 offset);
	void (*write)(struct vfio_pci_migration *pci, u64 offset, u32 value);
	bool doorbells;
};

/* A descriptor names this many buffers at most. */
#define VFIO_PCI_MIG_BUFFERS		2

/* In place of the IOVA of a buffer: there is none. */
#define VFIO_PCI_MIG_NO_BUFFER		U64_MAX

/**
 * struct vfio_pci_mig_ring - a ring of descriptors that name buffers
 * @iova: IOVA of the first descriptor
 * @count: descriptors in the ring
 * @next: index of the first descriptor that the device does not have yet
 * @len: bytes that the device may write to each buffer of a descriptor
 * @format: format of the descriptors, for the driver's buffers()
 * @in_use: the device has descriptors whose buffers are not recorded
 * @unknown: the device may have buffers that no descriptor names any more: all
 *	memory counts as written to while the ring is in use
 *
 * @iova, @count and @next come from the guest and may make no sense.
 */
struct vfio_pci_mig_ring {
	u64 iova;
	u32 count;
	u32 next;
	u32 len[VFIO_PCI_MIG_BUFFERS];
	u32 format;
	bool in_use;
	bool unknown;
};

/**
 * struct vfio_pci_mig_log_driver - DMA logging for a device that does not log
 * @nr_rings: rings of descriptors that name the buffers to which the device
 *	writes
 * @nr_areas: ranges of IOVAs to which the device may write at any time, such as
 *	the rings themselves
 * @desc_size: bytes of a descriptor; 4096 at most
 * @usable: can DMA of this device be logged?  Called when the device is opened,
 *	after the driver's open(); state lock held.  Optional: yes
 * @begin: logging begins, or the device was reset.  Fills the page that
 *	vfio_pci_mig_shadow() returns with the device's registers, and calls
 *	vfio_pci_mig_ring_begin() for each ring that is in use
 * @sync: passes on to the device what the user has written to that page, except
 *	for doorbells.  Also called before each access to a trap, so that the
 *	guest's accesses take effect in their order
 * @end: logging ends.  Writes what the page holds to the device, doorbells
 *	included
 * @areas: calls vfio_pci_mig_area() for each area, as it is now, and shows the
 *	guest what the device has changed by itself.  Called before each access
 *	to a trap, in each REPORT, and now and then
 * @tail: returns the index behind the last descriptor that the guest has posted
 *	to @ring; an index outside of the ring if there is none
 * @post: gives the device the descriptors of @ring before @index
 * @buffers: finds the buffers of the descriptor @desc, with
 *	VFIO_PCI_MIG_NO_BUFFER for those that it does not have.  Returns false
 *	if the device has used the descriptor, and overwritten the addresses
 *
 * All are called with memory_lock and the state lock held and with the device
 * awake, except that @usable, and @begin after a reset, may be called without
 * memory_lock.  @buffers looks at its arguments only.  @sync, @tail and @post
 * are called only in states in which the device runs.
 *
 * What the page, the descriptors and the rings hold comes from the guest.
 */
struct vfio_pci_mig_log_driver {
	unsigned int nr_rings;
	unsigned int nr_areas;
	size_t desc_size;

	bool (*usable)(struct vfio_pci_migration *pci);
	void (*begin)(struct vfio_pci_migration *pci);
	void (*sync)(struct vfio_pci_migration *pci);
	void (*end)(struct vfio_pci_migration *pci);
	void (*areas)(struct vfio_pci_migration *pci);
	u32 (*tail)(struct vfio_pci_migration *pci, unsigned int ring);
	void (*post)(struct vfio_pci_migration *pci, unsigned int ring,
		     u32 index);
	bool (*buffers)(const struct vfio_pci_mig_ring *ring, const void *desc,
			u64 iova[VFIO_PCI_MIG_BUFFERS]);
};

/**
 * struct vfio_pci_mig_counters - read-only counters of a device
 * @bar: number of the BAR: one of vfio_pci_mig_driver.bars.  The counters are
 *	in traps, whose functions are not called for them
 * @regs: offsets of the counters in the BAR; 32 bits each
 * @count: elements of @regs
 * @shown: offset of an array of @count u32 in the driver's device, a part of
 *	its image: what the guest sees while the device does not react to
 *	accesses
 * @ahead: offset of another such array: what is added to a counter for the
 *	guest while the device reacts
 *
 * The guest must not see a counter jump or go back, but no driver can set it:
 * see vfio_pci_mig_counters_stop() and vfio_pci_mig_counters_run().
 */
struct vfio_pci_mig_counters {
	unsigned int bar;
	const u32 *regs;
	unsigned int count;
	size_t shown;
	size_t ahead;
};

/**
 * struct vfio_pci_mig_driver - a variant driver
 * @ops: VFIO_PCI_MIG_OPS(name).  A driver may replace some of its functions by
 *	functions that call them
 * @mig: the migration of its devices, with vfio_pci_mig_prepare() and
 *	vfio_pci_mig_quiesce(), or functions that call them, as @mig.prepare and
 *	@mig.quiesce
 * @size: bytes of the driver's device, which begins with a struct
 *	vfio_pci_migration
 * @bars: bit N: the driver uses BAR N, which is mapped at core.barmap[N] while
 *	the device is open
 * @traps: registers that the driver serves, by ascending BAR and offset
 * @nr_traps: elements of @traps
 * @counters: read-only counters in @traps; NULL: none
 * @log: DMA logging, if one of @traps is the page of doorbells; NULL: none
 * @init: sets up the driver's part of the device.  Returns 0, or a negative
 *	errno that refuses the device.  core.pdev may be read; nothing is
 *	allocated, as nothing is called to undo it.  Optional
 * @open: the device has been opened and enabled.  Its images and counters are
 *	zero.  Called with the state lock held.  Optional
 */
struct vfio_pci_mig_driver {
	struct vfio_device_ops ops;
	struct vfio_mig_driver mig;
	size_t size;
	unsigned int bars;
	const struct vfio_pci_mig_trap *traps;
	unsigned int nr_traps;
	const struct vfio_pci_mig_counters *counters;
	const struct vfio_pci_mig_log_driver *log;

	int (*init)(struct vfio_pci_migration *pci);
	void (*open)(struct vfio_pci_migration *pci);
};

static inline struct vfio_pci_migration *
vdev_to_vfio_pci_mig(struct vfio_device *vdev)
{
	return container_of(vdev, struct vfio_pci_migration, core.vdev);
}

static inline struct vfio_pci_migration *
mig_to_vfio_pci_mig(struct vfio_migration *mig)
{
	return container_of(mig, struct vfio_pci_migration, mig);
}

/* For a struct pci_driver; the driver's probe() calls vfio_pci_mig_probe(). */
int vfio_pci_mig_probe(struct pci_dev *pdev,
		       const struct vfio_pci_mig_driver *driver);
void vfio_pci_mig_remove(struct pci_dev *pdev);
extern const struct pci_error_handlers vfio_pci_mig_err_handlers;

/* For a struct vfio_device_ops */
int vfio_pci_mig_init_dev(struct vfio_device *vdev);
void vfio_pci_mig_release_dev(struct vfio_device *vdev);
int vfio_pci_mig_open_device(struct vfio_device *vdev);
void vfio_pci_mig_close_device(struct vfio_device *vdev);
long vfio_pci_mig_ioctl(struct vfio_device *vdev, unsigned int cmd,
			unsigned long arg);
ssize_t vfio_pci_mig_read(struct vfio_device *vdev, char __user *buf,
			  size_t count, loff_t *ppos);
ssize_t vfio_pci_mig_write(struct vfio_device *vdev, const char __user *buf,
			   size_t count, loff_t *ppos);
int vfio_pci_mig_mmap(struct vfio_device *vdev, struct vm_area_struct *vma);

/* The operations that struct vfio_device_ops has got since Linux 6.12 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
#define VFIO_PCI_MIG_PASID_OPS						\
		.pasid_attach_ioas = vfio_iommufd_physical_pasid_attach_ioas, \
		.pasid_detach_ioas = vfio_iommufd_physical_pasid_detach_ioas,
#else
#define VFIO_PCI_MIG_PASID_OPS
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
#define VFIO_PCI_MIG_TOKEN_OPS						\
		.match_token_uuid = vfio_pci_core_match_token_uuid,
#else
#define VFIO_PCI_MIG_TOKEN_OPS
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
int vfio_pci_mig_get_region_info(struct vfio_device *vdev,
				 struct vfio_region_info *info,
				 struct vfio_info_cap *caps);
#define VFIO_PCI_MIG_REGION_OPS						\
		.get_region_info_caps = vfio_pci_mig_get_region_info,
#else
#define VFIO_PCI_MIG_REGION_OPS
#endif

/**
 * VFIO_PCI_MIG_OPS - the struct vfio_device_ops of a driver
 * @_name: name of the driver
 */
#define VFIO_PCI_MIG_OPS(_name)						\
	{								\
		.name = (_name),					\
		.init = vfio_pci_mig_init_dev,				\
		.release = vfio_pci_mig_release_dev,			\
		.open_device = vfio_pci_mig_open_device,		\
		.close_device = vfio_pci_mig_close_device,		\
		.ioctl = vfio_pci_mig_ioctl,				\
		.device_feature = vfio_pci_core_ioctl_feature,		\
		.read = vfio_pci_mig_read,				\
		.write = vfio_pci_mig_write,				\
		.mmap = vfio_pci_mig_mmap,				\
		.request = vfio_pci_core_request,			\
		.match = vfio_pci_core_match,				\
		.bind_iommufd = vfio_iommufd_physical_bind,		\
		.unbind_iommufd = vfio_iommufd_physical_unbind,		\
		.attach_ioas = vfio_iommufd_physical_attach_ioas,	\
		.detach_ioas = vfio_iommufd_physical_detach_ioas,	\
		VFIO_PCI_MIG_PASID_OPS					\
		VFIO_PCI_MIG_TOKEN_OPS					\
		VFIO_PCI_MIG_REGION_OPS					\
	}

/**
 * module_vfio_pci_mig_driver() - a module that consists of one driver
 * @_driver: its struct vfio_pci_mig_driver
 * @_name: its name
 * @_table: its table of struct pci_device_id
 *
 * A driver that needs more in its struct pci_driver writes one itself.
 */
#define module_vfio_pci_mig_driver(_driver, _name, _table)		\
static int _driver##_probe(struct pci_dev *pdev,			\
			   const struct pci_device_id *id)		\
{									\
	return vfio_pci_mig_probe(pdev, &(_driver));			\
}									\
									\
static struct pci_driver _driver##_pci = {				\
	.name = (_name),						\
	.id_table = (_table),						\
	.probe = _driver##_probe,					\
	.remove = vfio_pci_mig_remove,					\
	.err_handler = &vfio_pci_mig_err_handlers,			\
	.driver_managed_dma = true,					\
};									\
module_pci_driver(_driver##_pci)

/* For the members prepare and quiesce of a struct vfio_mig_driver */
void vfio_pci_mig_prepare(struct vfio_migration *mig);
void vfio_pci_mig_quiesce(struct vfio_migration *mig);

/* For the functions of arcs */
int vfio_pci_mig_dma_off(struct vfio_pci_migration *pci);
void vfio_pci_mig_dma_on(struct vfio_pci_migration *pci);
int vfio_pci_mig_counters_stop(struct vfio_migration *mig);
int vfio_pci_mig_counters_run(struct vfio_migration *mig);
int vfio_pci_mig_flr(struct vfio_pci_migration *pci);

/* For DMA logging; state lock held */
u32 *vfio_pci_mig_shadow(struct vfio_pci_migration *pci);
void vfio_pci_mig_log_sync(struct vfio_pci_migration *pci);
void vfio_pci_mig_log_reset(struct vfio_pci_migration *pci);
void vfio_pci_mig_log_wake(struct vfio_pci_migration *pci);
void vfio_pci_mig_ring_begin(struct vfio_pci_migration *pci, unsigned int ring,
			     const struct vfio_pci_mig_ring *setup);
void vfio_pci_mig_ring_end(struct vfio_pci_migration *pci, unsigned int ring);
void vfio_pci_mig_area(struct vfio_pci_migration *pci, unsigned int area,
		       u64 iova, u64 length);

/**
 * struct vfio_pci_mig_reg - a register whose value is a word of an image
 * @offset: offset of the register, relative to a base that the caller passes
 * @mask: the bits that a guest can set.  0: there is no such register, and the
 *	word is 0
 */
struct vfio_pci_mig_reg {
	u32 offset;
	u32 mask;
};

void vfio_pci_mig_regs_read(const void __iomem *base,
			    const struct vfio_pci_mig_reg *regs,
			    unsigned int count, u32 *values);
void vfio_pci_mig_regs_write(void __iomem *base,
			     const struct vfio_pci_mig_reg *regs,
			     unsigned int count, const u32 *values);
bool vfio_pci_mig_regs_valid(const struct vfio_pci_mig_reg *regs,
			     unsigned int count, const u32 *values);

/**
 * struct vfio_pci_mig_wait - a bounded wait for a device to answer
 *
 * Use it as::
 *
 *	struct vfio_pci_mig_wait wait = vfio_pci_mig_wait_begin(100, 10);
 *
 *	do {
 *		if (it has answered)
 *			return 0;
 *	} while (vfio_pci_mig_wait_more(&wait));
 *	return -EIO;
 *
 * read_poll_timeout() sleeps from the beginning.  This is for answers of
 * software, such as the PF's driver: most come sooner than a sleep would end,
 * some take milliseconds, and the software may need this CPU.
 */
struct vfio_pci_mig_wait {
	/* private: */
	unsigned int polls;
	unsigned int min_polls;
	ktime_t end;
	bool over;
};

struct vfio_pci_mig_wait vfio_pci_mig_wait_begin(unsigned int ms,
						 unsigned int min_polls);
bool vfio_pci_mig_wait_more(struct vfio_pci_mig_wait *wait);

#endif /* VFIO_PCI_MIGRATION_H */
