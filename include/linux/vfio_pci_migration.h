/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Variant drivers of vfio-pci with live migration (vfio-pci-migration.ko):
 * what all of them need between vfio-pci-core and the migration library.
 *
 * A driver embeds a struct vfio_pci_migration at the beginning of its device,
 * and describes itself in a struct vfio_pci_mig_driver.  It gets the life of
 * the device, registers that are served by its own functions while the rest
 * of the BAR is mapped, bus mastering that is off while the device is stopped
 * without the guest seeing it, and resets.
 *
 * Works with the vfio.ko and vfio-pci-core.ko of this tree as well as with
 * those of Linux 6.12.
 */
#ifndef VFIO_PCI_MIGRATION_H
#define VFIO_PCI_MIGRATION_H

#include <linux/ktime.h>
#include <linux/pci.h>
#include <linux/types.h>
#include <linux/vfio_migration.h>
#include <linux/vfio_pci_core.h>

struct vfio_pci_mig_log;

/**
 * struct vfio_pci_migration - a PCI function with migration
 * @core: what it is to vfio-pci-core; first
 * @mig: what it is to vfio-migration
 */
struct vfio_pci_migration {
	struct vfio_pci_core_device core;
	struct vfio_migration mig;
	/* private: under mig.lock */
	bool dma_off;		/* bus mastering is off below the guest's view */
	bool bus_master;	/* the guest's wish, while dma_off */
	bool opened;		/* there is a user */
	bool lost;		/* its link is frozen, or was and is to be reset */
	bool closing;		/* the last user closes it; under dev_set->lock */
	bool leaving;		/* its driver is being taken away; only ever set */
	/* private: of DMA logging */
	struct mutex log_lock;	/* START, STOP and REPORT, one at a time */
	struct vfio_pci_mig_log *log;	/* NULL until the first START */
};

/**
 * struct vfio_pci_mig_trap - registers that are not mapped, but served
 * @bar: of this BAR ...
 * @start: ... those from here ...
 * @end: ... up to here, exclusive; both are multiples of 4
 * @read: the user reads the register at an offset into the BAR.  Where it
 *	wants a part of one it is called all the same
 * @write: the user writes that register
 * @doorbells: it is one page of SZ_4K with the doorbells of the receive queues:
 *	the user can map it, alone, and reads and writes the device or, while
 *	DMA is logged, a page of memory in its place.  @read and @write are NULL
 *
 * Both are called with memory_lock (for reading) and the state lock held, and
 * with the device awake and its memory decoding on.  Where that is off, the
 * access fails with EIO, as that to any other register.
 *
 * The user can map the other pages of the BAR.  What there is besides in the
 * pages of a trap it reads and writes through vfio-pci-core.
 */
struct vfio_pci_mig_trap {
	unsigned int bar;
	u64 start;
	u64 end;
	u32 (*read)(struct vfio_pci_migration *pci, u64 offset);
	void (*write)(struct vfio_pci_migration *pci, u64 offset, u32 value);
	bool doorbells;
};

/* A descriptor names this many buffers, at most. */
#define VFIO_PCI_MIG_BUFFERS		2

/* No buffer */
#define VFIO_PCI_MIG_NO_BUFFER		U64_MAX

/**
 * struct vfio_pci_mig_ring - a ring of descriptors that name buffers
 * @iova: where it is
 * @count: descriptors in it
 * @next: index of the first descriptor that the device does not have
 * @len: bytes that the device may write to each buffer of a descriptor
 * @format: of the descriptors; the driver's own
 * @in_use: the device has descriptors of it that nobody has recorded
 * @unknown: the device may have buffers that nobody knows of: all memory counts
 *	as written to while the ring is in use
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
 * @nr_rings: rings that name the buffers to which the device writes
 * @nr_areas: ranges of IOVAs to which it may write at any time, such as the
 *	rings themselves
 * @desc_size: bytes of a descriptor
 * @usable: can it be done with this device?  Asked when it is opened, after the
 *	driver's open().  Optional: yes
 * @begin: logging begins, or the device was reset: fill the page that
 *	vfio_pci_mig_shadow() returns with the registers, and call
 *	vfio_pci_mig_ring_begin() for each ring that is in use
 * @sync: the user may have written registers in that page: take over what is
 *	not a doorbell.  Called before each access to a trap, too, so that what
 *	a guest writes there takes effect in order
 * @end: logging ends: have the device hold what the page does, doorbells
 *	included
 * @areas: call vfio_pci_mig_area() for each area, as it is now, and show the guest
 *	what the device has changed by itself.  Called before each access to a
 *	trap, each report, and now and then
 * @tail: index of the first descriptor of a ring that the guest has not posted;
 *	beyond the ring: it has posted none
 * @post: give the device the descriptors of a ring up to an index, exclusive
 * @buffers: the buffers of a descriptor that is not used yet; those that it does
 *	not have are VFIO_PCI_MIG_NO_BUFFER.  Returns false if the device has
 *	used it, and written over the addresses
 *
 * All are called with memory_lock and the state lock held, and the device
 * awake, but for @usable, @begin after a reset, where memory_lock need not be
 * held, and @buffers, which looks at its arguments only.  @sync, @tail and @post are
 * called in states in which the device runs.
 *
 * What the page, the descriptors and the rings say comes from the guest.
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
 * struct vfio_pci_mig_counters - counters that a guest can read, but nobody set
 * @bar: where they are: in traps, whose functions then do not see them, of a
 *	BAR that the driver uses
 * @regs: their offsets
 * @count: how many
 * @shown: offset in the driver's device of as many words, part of its image:
 *	what the guest sees while the device does not react to accesses
 * @ahead: offset in the driver's device of as many words: how much more than
 *	the counter the guest sees while it does
 */
struct vfio_pci_mig_counters {
	unsigned int bar;
	const u32 *regs;
	unsigned int count;
	size_t shown;
	size_t ahead;
};

/**
 * struct vfio_pci_mig_driver - what a variant driver has to say
 * @ops: VFIO_PCI_MIG_OPS(name), or with some functions of the driver's own,
 *	which call those of there
 * @mig: what it has to say about migration.  For @mig.prepare and @mig.quiesce
 *	there are vfio_pci_mig_prepare() and vfio_pci_mig_quiesce()
 * @size: of its device
 * @bars: bits: BARs that it uses itself, which are in core.barmap while the
 *	device is open
 * @traps: registers that are served, by ascending BAR and offset
 * @nr_traps: how many ranges
 * @counters: which of them are counters that nobody can set; NULL: none
 * @log: how to know what it writes to memory, if one of @traps is its doorbells;
 *	NULL: nobody knows
 * @init: set up what is the driver's own, with core.pdev to look at; an error
 *	refuses the device.  There is no undoing: no memory is allocated here.
 *	Optional
 * @open: the device is opened, and enabled, and its images are zero; state lock
 *	held.  Optional
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

/* For a struct pci_driver.  .probe calls the first of them. */
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

/**
 * VFIO_PCI_MIG_OPS - the vfio_device_ops of a driver
 * @_name: its name
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
	}

/**
 * module_vfio_pci_mig_driver() - a module that is nothing but one driver
 * @_driver: its struct vfio_pci_mig_driver
 * @_name: its name
 * @_table: the struct pci_device_id that it is for
 *
 * A driver with more in its struct pci_driver writes that down itself.
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

/* For a struct vfio_mig_driver */
void vfio_pci_mig_prepare(struct vfio_migration *mig);
void vfio_pci_mig_quiesce(struct vfio_migration *mig);

/* For arcs */
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
 * struct vfio_pci_mig_reg - a register whose value is a word of the state
 * @offset: where it is
 * @mask: the bits of it that a guest can set; 0: there is none, and the word
 *	is 0
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
 * struct vfio_pci_mig_wait - waiting, for bounded time, for a device to answer
 *
 * To be used as::
 *
 *	struct vfio_pci_mig_wait wait = vfio_pci_mig_wait_begin(100, 10);
 *
 *	do {
 *		if (it has answered)
 *			return 0;
 *	} while (vfio_pci_mig_wait_more(&wait));
 *	return -EIO;
 *
 * Unlike read_poll_timeout(), which sleeps from the beginning, this is for
 * answers by software elsewhere, such as the PF's driver: most of them come
 * sooner than a sleep may end, some take milliseconds, and some come from a CPU
 * that is this one.
 */
struct vfio_pci_mig_wait {
	/* private: */
	unsigned int polls;
	unsigned int min_polls;
	ktime_t end;
};

struct vfio_pci_mig_wait vfio_pci_mig_wait_begin(unsigned int ms,
						 unsigned int min_polls);
bool vfio_pci_mig_wait_more(struct vfio_pci_mig_wait *wait);

#endif /* VFIO_PCI_MIGRATION_H */
