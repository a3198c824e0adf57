/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the files of vfio-pci-migration.ko.
 *
 * Calls go down this list; log.c, log_report.c and log_worker.c also call each
 * other, and counters.c calls traps.c.
 *
 *	device.c, info.c, access.c		life; the device file
 *	log.c, log_report.c, log_worker.c	DMA logging
 *	doorbells.c, rings.c			what the guest posts
 *	dirty.c, dma.c, counters.c, traps.c
 *
 * helpers.c is for drivers only.
 *
 * Locks, outermost first:
 *
 *	log_lock	START, STOP and REPORT of DMA logging.  Held over
 *			accesses to user memory; no reset takes it
 *	mmap_lock	(mm)
 *	memory_lock	as in struct vfio_migration
 *	state lock	as in struct vfio_migration.  log->on changes with both
 *			held, memory_lock for write
 *	dirty_lock	(log) the dirty set, rings and areas.  Rings and areas
 *			change with the state lock held, too
 *
 * The worker of DMA logging reads guest memory with none of these held.
 */
#ifndef VFIO_PCI_MIG_PRIVATE_H
#define VFIO_PCI_MIG_PRIVATE_H

#include <linux/gfp.h>
#include <linux/vfio_pci_migration.h>

/*
 * If an allocation fails, more pages count as dirty.  So an allocation may fail:
 * at the limit of the VMM's cgroup, it must not make the OOM killer end the VMM.
 */
#define VFIO_PCI_MIG_GFP_MAYFAIL					\
	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

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

/* traps.c; an access is of @count bytes at @offset of the BAR */

/* Are the traps well formed, in order, and within BARs of these sizes? */
bool vfio_pci_mig_traps_valid(const struct vfio_pci_mig_driver *driver,
			      const u64 bar_sizes[PCI_STD_NUM_BARS]);
/*
 * The trap at @offset, or NULL.  *count is cut so that the access ends where
 * this trap ends or, if there is none, where the next one begins.
 */
const struct vfio_pci_mig_trap *
vfio_pci_mig_trap_at(const struct vfio_pci_mig_driver *driver,
		     unsigned int bar, u64 offset, u64 *count);
/* Does the access touch a trap? */
bool vfio_pci_mig_trapped(const struct vfio_pci_mig_driver *driver,
			  unsigned int bar, u64 offset, u64 count);
/* May the user map the trap, in a mapping of its own? */
bool vfio_pci_mig_trap_maps(const struct vfio_pci_mig_trap *trap);
/*
 * Fills in the areas of a BAR of @size bytes that can be mapped: two for each
 * trap, and one more, at most.  Returns how many.
 */
unsigned int
vfio_pci_mig_areas(const struct vfio_pci_mig_driver *driver, unsigned int bar,
		   u64 size, struct vfio_region_sparse_mmap_area *areas);

/* counters.c */

/* Are all counters of the driver in traps? */
bool vfio_pci_mig_counters_valid(const struct vfio_pci_mig_driver *driver);
/* The device is opened; state lock held */
void vfio_pci_mig_counters_open(struct vfio_pci_migration *pci);
/*
 * If the register is a counter, sets *value to what the guest sees and returns
 * true.  Locks as for a trap
 */
bool vfio_pci_mig_counter_read(struct vfio_pci_migration *pci,
			       unsigned int bar, u64 offset, u32 *value);

/* doorbells.c */

/* The trap that is the page of doorbells, or NULL */
const struct vfio_pci_mig_trap *
vfio_pci_mig_doorbells(const struct vfio_pci_mig_driver *driver);
/*
 * Turns a mapping of that page that vfio-pci-core has made into one whose page
 * can be exchanged.
 */
void vfio_pci_mig_doorbells_mmap(struct vfio_pci_migration *pci,
				 struct vm_area_struct *vma);
/* Removes the page from all page tables; memory_lock held for write */
void vfio_pci_mig_doorbells_zap(struct vfio_pci_migration *pci);
/* Serves read() or write() of a register of that page; locks as for a trap */
void vfio_pci_mig_doorbells_access(struct vfio_pci_migration *pci,
				   const struct vfio_pci_mig_trap *trap,
				   u64 offset, u32 *value, bool write);

/* dirty.c: a set of pages out of the ranges of a START; the caller locks it */
struct vfio_pci_mig_dirty;

struct vfio_pci_mig_dirty *
vfio_pci_mig_dirty_alloc(struct rb_root_cached *ranges, unsigned int count);
void vfio_pci_mig_dirty_free(struct vfio_pci_mig_dirty *dirty);
/* Allocates a bitmap, or returns NULL.  A KUnit test replaces it. */
unsigned long *vfio_pci_mig_dirty_chunk(void);
/*
 * Marks the pages of these bytes that are in a range.  Returns false if more
 * pages count as dirty now, because a bitmap could not be allocated.
 */
bool vfio_pci_mig_dirty_mark(struct vfio_pci_mig_dirty *dirty, u64 iova,
			     u64 length);
void vfio_pci_mig_dirty_mark_all(struct vfio_pci_mig_dirty *dirty);

/* Page numbers are IOVAs shifted right by this. */
#define VFIO_PCI_MIG_DIRTY_SHIFT	12
/* Pages of a bitmap */
#define VFIO_PCI_MIG_DIRTY_PAGES	(SZ_4K * BITS_PER_BYTE)

/**
 * struct vfio_pci_mig_dirty_part - pages that were taken out of a dirty set
 * @next: number of the next page to look at; the caller sets the first one
 * @last: number of the last page to look at; set by the caller
 * @base: number of the page of the first bit
 * @bits: bit N: page @base + N was dirty
 */
struct vfio_pci_mig_dirty_part {
	u64 next;
	u64 last;
	u64 base;
	DECLARE_BITMAP(bits, VFIO_PCI_MIG_DIRTY_PAGES);
};

/* Moves the next dirty pages to @part; false if none are left. */
bool vfio_pci_mig_dirty_take(struct vfio_pci_mig_dirty *dirty,
			     struct vfio_pci_mig_dirty_part *part);

/* rings.c: the buffers that the device has; dirty_lock held */

/**
 * struct vfio_pci_mig_log_ring - a ring, and its mirror
 * @setup: the ring as the driver has described it.  @setup.next moves on as
 *	descriptors are given to the device
 * @active: the device uses the ring
 * @untracked: the buffers cannot be tracked: there is no memory for the mirror,
 *	they cannot be known, or the ring's indices make no sense.  While the
 *	ring is active all memory counts as written to
 * @generation: changes whenever the ring begins or ends
 * @scanned: descriptors of a ring that was in use at its begin that START has
 *	looked at; @setup.count if there is nothing to scan
 * @last: the mirror: for each index VFIO_PCI_MIG_BUFFERS IOVAs, of the buffers
 *	that were posted there last
 */
struct vfio_pci_mig_log_ring {
	struct vfio_pci_mig_ring setup;
	bool active;
	bool untracked;
	u32 generation;
	u32 scanned;
	u64 *last;
};

/**
 * struct vfio_pci_mig_log_area - a range to which the device may write any time
 * @iova: the first byte
 * @length: bytes; 0: no such range
 */
struct vfio_pci_mig_log_area {
	u64 iova;
	u64 length;
};

/* The ring is inactive.  False if it is untracked */
bool vfio_pci_mig_log_ring_begin(struct vfio_pci_mig_log_ring *ring,
				 const struct vfio_pci_mig_ring *setup);
/* Marks all buffers in the mirror, and drops it.  As below */
bool vfio_pci_mig_log_ring_end(struct vfio_pci_mig_log_ring *ring,
			       struct vfio_pci_mig_dirty *dirty);
/*
 * Marks the buffers at @index, and puts them into the mirror.  False if more
 * memory than these buffers counts as dirty
 */
bool vfio_pci_mig_log_ring_record(struct vfio_pci_mig_log_ring *ring,
				  struct vfio_pci_mig_dirty *dirty, u32 index,
				  const u64 iova[VFIO_PCI_MIG_BUFFERS]);
/*
 * Marks all buffers in the mirror, as the device may have them.  False if more
 * memory than these buffers counts as dirty
 */
bool vfio_pci_mig_log_ring_mark(struct vfio_pci_mig_log_ring *ring,
				struct vfio_pci_mig_dirty *dirty);

/* log.c */

struct mem_cgroup;

/**
 * struct vfio_pci_mig_log - DMA logging of a device, from its first START until
 *	the device is closed
 * @pci: the device
 * @worker: the thread that looks at doorbells
 * @wait: where the worker waits for @kicked, and START for @scanning to end
 * @kicked: there may be a doorbell to look at
 * @on: logging is on
 * @scanning: START waits until the buffers that the device already had are
 *	recorded
 * @page: the shadow: what the user accesses in place of the device's doorbells
 * @memcg: the cgroup that is charged: that of the process that called START
 * @dirty_lock: protects the members from @dirty to @areas
 * @dirty: pages written to since the last REPORT; NULL: logging is off
 * @rings: vfio_pci_mig_log_driver.nr_rings rings
 * @areas: vfio_pci_mig_log_driver.nr_areas areas
 * @descs: the worker's copy of descriptors
 * @taken: pages that REPORT has taken out of @dirty; under log_lock
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
	struct mutex dirty_lock;	/* dirty to areas */
	struct vfio_pci_mig_dirty *dirty;
	struct vfio_pci_mig_log_ring *rings;
	struct vfio_pci_mig_log_area *areas;
	void *descs;
	struct vfio_pci_mig_dirty_part *taken;
};

/* Is logging on?  memory_lock or state lock held */
static inline bool vfio_pci_mig_logs(const struct vfio_pci_migration *pci)
{
	return pci->log && pci->log->on;
}

/* The device is about to be registered. */
void vfio_pci_mig_log_init(struct vfio_pci_migration *pci);
/* It is opened: offers DMA logging to this user or not.  State lock held */
void vfio_pci_mig_log_open(struct vfio_pci_migration *pci);
/* It is closed. */
void vfio_pci_mig_log_close(struct vfio_pci_migration *pci);

/*
 * Traces that marks of a ring's buffers were not @exact, unless the ring is
 * untracked: that was traced when it was found.  dirty_lock held
 */
void vfio_pci_mig_log_ring_marked(struct vfio_pci_mig_log *log,
				  unsigned int ring, bool exact);
/* Marks an area, and traces if that is not exact.  dirty_lock held */
void vfio_pci_mig_log_area_mark(struct vfio_pci_mig_log *log,
				const struct vfio_pci_mig_log_area *area);

/* log_report.c; logging is on, log_lock held: 0 or -EINTR */
int vfio_pci_mig_log_report(struct vfio_pci_migration *pci, unsigned long iova,
			    unsigned long length, struct iova_bitmap *to);

/* log_worker.c: the function of the worker's thread */
int vfio_pci_mig_log_worker(void *log);

/* dma.c */

/* These are called with memory_lock held. */

/* Does memory answer if the guest has set PCI_COMMAND to @command? */
bool vfio_pci_mig_memory_answers(const struct pci_dev *pdev, u16 command);
/* Does memory answer, of a function that the caller keeps awake? */
bool vfio_pci_mig_memory_enabled(const struct vfio_pci_migration *pci);
/* Is the function awake, and does its memory answer? */
bool vfio_pci_mig_memory_usable(const struct vfio_pci_migration *pci);

/* These are called with the state lock held. */

/* The bus master bit that the guest reads */
bool vfio_pci_mig_bus_master_shown(const struct vfio_pci_migration *pci);
/*
 * The guest has written @command to the low byte of PCI_COMMAND, or has written
 * to the register of the power state.  Both may turn bus mastering on: a change
 * of the power state restores the bit.  memory_lock held
 */
void vfio_pci_mig_command_written(struct vfio_pci_migration *pci, u8 command);
void vfio_pci_mig_power_written(struct vfio_pci_migration *pci);

/*
 * Does a write of @count bytes at @offset of configuration space contain one of
 * these two registers?  No lock is needed.
 */
bool vfio_pci_mig_may_master(const struct vfio_pci_migration *pci, u64 offset,
			     size_t count);

#endif /* VFIO_PCI_MIG_PRIVATE_H */
