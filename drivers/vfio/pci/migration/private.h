/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the files of vfio-pci-migration.ko.
 *
 * Calls go down: device.c (life), info.c and access.c (the device file) ->
 * log.c, log_report.c and log_worker.c (DMA logging) -> doorbells.c, rings.c ->
 * dirty.c, and dma.c, traps.c and counters.c.
 *
 * Locks, outermost first:
 *
 *	log_lock	START, STOP and REPORT of DMA logging.  Held over
 *			accesses to user memory; no reset takes it
 *	mmap_lock	(mm)
 *	memory_lock	as in struct vfio_migration
 *	state lock	likewise; log->on changes with both held, memory_lock for
 *			writing
 *	dirty_lock	(log) the dirty set, rings and areas.  Rings and areas are
 *			changed with the state lock held, too
 *
 * The worker of DMA logging reads guest memory, with no lock held.
 */
#ifndef VFIO_PCI_MIG_PRIVATE_H
#define VFIO_PCI_MIG_PRIVATE_H

#include <linux/vfio_pci_migration.h>

static inline const struct vfio_pci_mig_driver *
vfio_pci_mig_driver(const struct vfio_pci_migration *pci)
{
	return container_of(pci->core.vdev.ops, struct vfio_pci_mig_driver,
			    ops);
}

static inline const struct vfio_pci_mig_log_driver *
vfio_pci_mig_driver_log(const struct vfio_pci_migration *pci)
{
	return vfio_pci_mig_driver(pci)->log;
}

/* traps.c; @count of accesses to the BAR begin at @offset */

/* Are the traps in order, and within BARs of these sizes? */
bool vfio_pci_mig_traps_valid(const struct vfio_pci_mig_driver *driver,
			      const u64 bar_sizes[PCI_STD_NUM_BARS]);
/*
 * The trap at an offset, or NULL.  *count is cut to where it ends, or where
 * the next one begins.
 */
const struct vfio_pci_mig_trap *
vfio_pci_mig_trap_at(const struct vfio_pci_mig_driver *driver,
		     unsigned int bar, u64 offset, u64 *count);
/* Is there a trap in these bytes? */
bool vfio_pci_mig_trapped(const struct vfio_pci_mig_driver *driver,
			  unsigned int bar, u64 offset, u64 count);
/* Can the user map this trap, in a mapping of its own? */
bool vfio_pci_mig_trap_maps(const struct vfio_pci_mig_trap *trap);
/*
 * What can be mapped of a BAR of so many bytes: fills in two areas for each
 * trap and one more, at most; returns how many.
 */
unsigned int
vfio_pci_mig_areas(const struct vfio_pci_mig_driver *driver, unsigned int bar,
		   u64 size, struct vfio_region_sparse_mmap_area *areas);

/* counters.c */

/* Are all counters of the driver in traps? */
bool vfio_pci_mig_counters_valid(const struct vfio_pci_mig_driver *driver);
/* State lock held */
void vfio_pci_mig_counters_open(struct vfio_pci_migration *pci);
/* Is it a counter, and what does the guest see?  Locks as for a trap */
bool vfio_pci_mig_counter_read(struct vfio_pci_migration *pci,
			       unsigned int bar, u64 offset, u32 *value);

/* doorbells.c */

/* The trap that is the doorbells' page, or NULL */
const struct vfio_pci_mig_trap *
vfio_pci_mig_doorbells(const struct vfio_pci_mig_driver *driver);
/* Has vfio-pci-core's mapping of that page become one that can be swapped. */
void vfio_pci_mig_doorbells_mmap(struct vfio_pci_migration *pci,
				 struct vm_area_struct *vma);
/* Removes it from all page tables; memory_lock held for writing */
void vfio_pci_mig_doorbells_zap(struct vfio_pci_migration *pci);
/* One register of that page, by read() or write(); locks as for a trap */
void vfio_pci_mig_doorbells_access(struct vfio_pci_migration *pci,
				   const struct vfio_pci_mig_trap *trap,
				   u64 offset, u32 *value, bool write);

/* access.c */

/*
 * Does the memory of a function answer, whose guest has set PCI_COMMAND to
 * @command?  memory_lock held
 */
bool vfio_pci_mig_memory_answers(const struct pci_dev *pdev, u16 command);
/* The same for this function, which may be asleep; memory_lock held */
bool vfio_pci_mig_answers(const struct vfio_pci_migration *pci);

/* dirty.c: the pages that were written to, of the ranges of a START */
struct vfio_pci_mig_dirty;

struct vfio_pci_mig_dirty *
vfio_pci_mig_dirty_alloc(struct rb_root_cached *ranges, unsigned int count);
void vfio_pci_mig_dirty_free(struct vfio_pci_mig_dirty *dirty);
/* Memory for a bitmap, or NULL; for a test to take its place */
unsigned long *vfio_pci_mig_dirty_chunk(void);
/*
 * Marks the pages of these bytes, as far as they are in a range.  False if more
 * pages count as dirty now, since there was no memory for the fact.
 */
bool vfio_pci_mig_dirty_mark(struct vfio_pci_mig_dirty *dirty, u64 iova,
			     u64 length);
void vfio_pci_mig_dirty_mark_all(struct vfio_pci_mig_dirty *dirty);

#define VFIO_PCI_MIG_DIRTY_SHIFT	12	/* of a page */
#define VFIO_PCI_MIG_DIRTY_PAGES	(SZ_4K * BITS_PER_BYTE)

/**
 * struct vfio_pci_mig_dirty_part - pages that were taken out of a dirty set
 * @next: page number, where to look next; set by the caller at first
 * @last: where to stop, inclusive
 * @base: page number of the first bit
 * @bits: one for each page
 */
struct vfio_pci_mig_dirty_part {
	u64 next;
	u64 last;
	u64 base;
	DECLARE_BITMAP(bits, VFIO_PCI_MIG_DIRTY_PAGES);
};

/* Takes the next dirty pages out of the set; false if there are none left. */
bool vfio_pci_mig_dirty_take(struct vfio_pci_mig_dirty *dirty,
			     struct vfio_pci_mig_dirty_part *part);

/* rings.c: buffers that the device has, and areas; dirty_lock held */

/**
 * struct vfio_pci_mig_log_ring - a ring, and the buffers that the device has
 * @setup: as the driver has set it up; @setup.next moves on
 * @active: the device uses it
 * @blind: there is no memory to remember its buffers, or they can't be known, or
 *	its indices make no sense: while it is active all memory counts as
 *	written
 * @generation: changes whenever it begins or ends
 * @scanned: descriptors that have been looked at, of a ring that was in use
 * @last: by index, VFIO_PCI_MIG_BUFFERS each: the buffers that were posted last
 */
struct vfio_pci_mig_log_ring {
	struct vfio_pci_mig_ring setup;
	bool active;
	bool blind;
	u32 generation;
	u32 scanned;
	u64 *last;
};

/**
 * struct vfio_pci_mig_log_area - a range to which the device writes at any time
 * @iova: where it begins
 * @length: bytes; 0: there is none
 */
struct vfio_pci_mig_log_area {
	u64 iova;
	u64 length;
};

bool vfio_pci_mig_log_ring_begin(struct vfio_pci_mig_log_ring *ring,
				 const struct vfio_pci_mig_ring *setup);
void vfio_pci_mig_log_ring_end(struct vfio_pci_mig_log_ring *ring,
			       struct vfio_pci_mig_dirty *dirty);
/* The buffers at an index are these from now on: false as for marking */
bool vfio_pci_mig_log_ring_record(struct vfio_pci_mig_log_ring *ring,
				  struct vfio_pci_mig_dirty *dirty, u32 index,
				  const u64 iova[VFIO_PCI_MIG_BUFFERS]);
/* Marks all buffers that the device may have. */
bool vfio_pci_mig_log_ring_mark(struct vfio_pci_mig_log_ring *ring,
				struct vfio_pci_mig_dirty *dirty);

/* log.c */

struct mem_cgroup;

/**
 * struct vfio_pci_mig_log - DMA logging of a device, from its first START until
 *	it is closed
 * @pci: the device
 * @worker: looks at the doorbells
 * @wait: the worker waits here for @kicked, and START for the worker
 * @kicked: there may be something to see
 * @on: logging
 * @scanning: START waits, until the buffers that the device already had are
 *	recorded
 * @page: takes the place of the device's doorbells
 * @memcg: whom to charge: that of the process that called START
 * @dirty_lock: the members below
 * @dirty: pages written since the last report; NULL: not logging
 * @rings: of the driver
 * @areas: of the driver
 * @descs: descriptors that the worker has read
 * @taken: REPORT's
 */
struct vfio_pci_mig_log {
	struct vfio_pci_migration *pci;
	struct task_struct *worker;
	wait_queue_head_t wait;
	bool kicked;
	bool on;
	bool scanning;
	struct page *page;
	struct mem_cgroup *memcg;
	struct mutex dirty_lock;	/* see above */
	struct vfio_pci_mig_dirty *dirty;
	struct vfio_pci_mig_log_ring *rings;
	struct vfio_pci_mig_log_area *areas;
	void *descs;
	struct vfio_pci_mig_dirty_part *taken;
};

/* With memory_lock or the state lock held */
static inline bool vfio_pci_mig_logs(const struct vfio_pci_migration *pci)
{
	return pci->log && pci->log->on;
}

/* The device is about to be registered. */
void vfio_pci_mig_log_init(struct vfio_pci_migration *pci);
/* It is opened: sets vdev->log_ops for its user.  State lock held */
void vfio_pci_mig_log_open(struct vfio_pci_migration *pci);
/* It is closed. */
void vfio_pci_mig_log_close(struct vfio_pci_migration *pci);

/* log_report.c; log_lock held, while logging */
int vfio_pci_mig_log_report(struct vfio_pci_migration *pci, unsigned long iova,
			    unsigned long length, struct iova_bitmap *to);

/* log_worker.c: the function of a kernel thread */
int vfio_pci_mig_log_worker(void *log);

/* dma.c; state lock held */

/* Bus mastering as the guest is to read it */
bool vfio_pci_mig_bus_master_shown(const struct vfio_pci_migration *pci);
/*
 * The guest has written @command to the low byte of PCI_COMMAND; or something
 * else in configuration space, by which bus mastering may have come back, as a
 * change of the power state restores it.  memory_lock held
 */
void vfio_pci_mig_command_written(struct vfio_pci_migration *pci, u8 command);
void vfio_pci_mig_config_written(struct vfio_pci_migration *pci);

#endif /* VFIO_PCI_MIG_PRIVATE_H */
