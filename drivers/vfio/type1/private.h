/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vfio_iommu_type1.ko: what its files share.
 *
 *   main.c      module, backend ops, the ioctls' user copies
 *   map.c       requests: map, unmap, new vaddr
 *   emulated.c  emulated devices: pin_pages, dma_rw, unmap notices
 *   domain.c    groups and IOMMU domains
 *   dirty.c     dirty page tracking
 *   pin.c       a mapping's pages: pin, record, charge, unpin
 *   tree.c      the mappings by IOVA
 *   pin_tree.c  the pages that emulated devices have pinned
 *   iova.c      arithmetic on IOVAs, and which may be mapped
 *
 * Calls go down this list, never up.
 *
 * Locks, outermost first:
 *
 *   devices_lock	the devices to notify of unmaps; held while the
 *			dma_unmap of their drivers runs
 *   (driver)		locks that a driver's dma_unmap takes.  The driver may
 *			hold them when it pins, unpins or copies, so pin_pages,
 *			unpin_pages and dma_rw do not take devices_lock
 *   lock		the rest of the container's state, with the mappings.
 *			Held while pages are pinned, and so over page faults
 *   mmap_lock		(mm)
 *
 * All byte ranges are [first, last], because a range may end with the last byte
 * of the address space.
 */
#ifndef VFIO_TYPE1_PRIVATE_H
#define VFIO_TYPE1_PRIVATE_H

#include <linux/bits.h>
#include <linux/interval_tree.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/vfio.h>
#include <linux/xarray.h>

#include "../iommu_driver.h"

/* Most pages that one call pins; their pointers fill one page */
#define TYPE1_BATCH		(PAGE_SIZE / sizeof(struct page *))

/*
 * A run ends where the IOVA is a multiple of this many pages (1 GiB with pages
 * of 4 KiB): its length fits the bit field, and the largest IOMMU pages fit a
 * run.
 */
#define TYPE1_RUN_SHIFT		18
#define TYPE1_RUN_MAX		BIT(TYPE1_RUN_SHIFT)
#define TYPE1_RUN_BITS		(TYPE1_RUN_SHIFT + 1)
#define TYPE1_ORDER_BITS	5
#define TYPE1_PFN_BITS		40

/* type1_run.order of device memory, which is neither pinned nor charged */
#define TYPE1_NO_PIN		(BIT(TYPE1_ORDER_BITS) - 1)

/**
 * struct type1_run - contiguous physical memory behind contiguous IOVAs
 * @pfn: first page frame
 * @npages: how many, 1 to TYPE1_RUN_MAX
 * @order: 0 for small pages, the order of huge pages, or TYPE1_NO_PIN.  The run
 *	has one pin for each aligned block of 2^@order page frames that it
 *	overlaps, on its first page in the block
 */
struct type1_run {
	u64 pfn:TYPE1_PFN_BITS;
	u64 npages:TYPE1_RUN_BITS;
	u64 order:TYPE1_ORDER_BITS;
};

/**
 * struct type1_run_block - some runs of a mapping
 * @next: the next block
 * @nr: runs in use
 * @max: runs that fit
 * @run: the runs, in the order of IOVAs
 */
struct type1_run_block {
	struct type1_run_block *next;
	unsigned int nr;
	unsigned int max;
	struct type1_run run[] __counted_by(max);
};

/**
 * struct type1_runs - the memory behind a mapping, from its first IOVA on
 * @first: blocks, in the order of IOVAs
 * @last: the block that is being filled
 * @nr_pages: pages in all runs
 * @nr_pinned: the part of them that is pinned, which device memory is not
 */
struct type1_runs {
	struct type1_run_block *first;
	struct type1_run_block *last;
	unsigned long nr_pages;
	unsigned long nr_pinned;
};

/**
 * struct type1_pin - a page that emulated devices have pinned
 * @node: link in type1_mapping.pins, ordered by @index
 * @index: page of the mapping
 * @page: the page
 * @refs: calls of pin_pages that have not been undone
 */
struct type1_pin {
	struct rb_node node;
	unsigned long index;
	struct page *page;
	unsigned long refs;
};

/**
 * struct type1_owner - the process that a mapping's memory belongs to
 * @task: its thread group leader, whose RLIMIT_MEMLOCK applies; referenced
 * @mm: its memory, whose locked_vm is charged.  Held by mmgrab(), so the
 *	process may have exited
 * @lock_cap: it had CAP_IPC_LOCK, so that no limit applies
 * @charged: pages that it is charged for
 */
struct type1_owner {
	struct task_struct *task;
	struct mm_struct *mm;
	bool lock_cap;
	unsigned long charged;
};

/**
 * struct type1_mapping - user memory at a range of IOVAs
 * @node: the range; link in type1_iommu.mappings
 * @vaddr: address of the memory in the owner's mm, if @vaddr_valid
 * @prot: IOMMU_READ, IOMMU_WRITE: the access that devices have
 * @vaddr_valid: user space has not invalidated @vaddr
 * @in_iommu: pinned as a whole, and mapped in every domain of the container
 * @all_dirty: the next report shows every page as dirty
 * @stuck: an IOMMU driver failed to unmap it.  The mapping is freed, but its
 *	pages stay pinned and charged forever
 * @owner: the process that the memory belongs to
 * @runs: pages of the mapping; empty unless @in_iommu
 * @pins: pages that emulated devices have pinned, struct type1_pin
 * @nr_pins: number of @pins
 * @dirty: pages dirtied since the last report: bitmaps of one page each, in the
 *	order of the mapping's pages
 */
struct type1_mapping {
	struct interval_tree_node node;
	unsigned long vaddr;
	int prot;
	bool vaddr_valid;
	bool in_iommu;
	bool all_dirty;
	bool stuck;
	struct type1_owner owner;
	struct type1_runs runs;
	struct rb_root pins;
	unsigned long nr_pins;
	struct xarray dirty;
};

/**
 * struct type1_group - a group in a container
 * @next: link in type1_domain.groups or type1_iommu.emulated_groups
 * @iommu_group: the group; the core holds the reference
 */
struct type1_group {
	struct list_head next;
	struct iommu_group *iommu_group;
};

/**
 * struct type1_domain - an IOMMU domain with the container's mappings
 * @next: link in type1_iommu.domains
 * @domain: the domain
 * @groups: groups attached to it, struct type1_group; never empty
 * @coherent: the IOMMU keeps its devices' DMA coherent with the CPU's caches
 */
struct type1_domain {
	struct list_head next;
	struct iommu_domain *domain;
	struct list_head groups;
	bool coherent;
};

/**
 * struct type1_ranges - IOVAs that may be mapped
 * @nr: how many ranges
 * @range: the ranges, in ascending order
 */
struct type1_ranges {
	unsigned int nr;
	struct vfio_iova_range range[] __counted_by(nr);
};

/**
 * struct type1_iommu - the backend's state of a container
 * @v2: VFIO_TYPE1v2_IOMMU semantics; constant
 * @lock: protects everything that follows, up to @devices_lock
 * @mappings: struct type1_mapping by IOVA
 * @domains: struct type1_domain; empty without physical groups
 * @emulated_groups: struct type1_group of emulated devices
 * @ranges: IOVAs that may be mapped; NULL: any
 * @pgsize_bitmap: page sizes that every domain supports, PAGE_SIZE or more
 * @dma_avail: how many more mappings may be made
 * @nr_vaddr_invalid: mappings whose vaddr is invalid
 * @dirty_tracking: between START and STOP
 * @batch: TYPE1_BATCH page pointers, scratch memory of the pinning loop
 * @devices_lock: protects @devices
 * @devices: emulated devices with dma_unmap, linked by vfio_device.iommu_entry
 */
struct type1_iommu {
	bool v2;

	struct mutex lock;		/* what follows */
	struct rb_root_cached mappings;
	struct list_head domains;
	struct list_head emulated_groups;
	struct type1_ranges *ranges;
	unsigned long pgsize_bitmap;
	unsigned int dma_avail;
	unsigned int nr_vaddr_invalid;
	bool dirty_tracking;
	struct page **batch;

	struct mutex devices_lock;	/* what follows */
	struct list_head devices;
};

/**
 * struct type1_unmap_req - an unmap request whose flags have been checked
 * @first: first IOVA
 * @last: last IOVA
 * @vaddr_only: keep the mappings, but invalidate their vaddr
 * @bitmap: where to report dirty pages before unmapping, or NULL
 */
struct type1_unmap_req {
	unsigned long first;
	unsigned long last;
	bool vaddr_only;
	const struct vfio_bitmap *bitmap;
};

static inline unsigned int type1_pgshift(struct type1_iommu *iommu)
{
	return __ffs(iommu->pgsize_bitmap);
}

static inline unsigned long type1_npages(struct type1_mapping *m)
{
	/* last - first + 1 would be 0 for the whole address space. */
	return ((m->node.last - m->node.start) >> PAGE_SHIFT) + 1;
}

/* main.c */
extern bool type1_allow_unsafe_interrupts;
extern bool type1_disable_hugepages;

/* tree.c; iommu->lock held */
struct type1_mapping *type1_first_mapping(struct type1_iommu *iommu,
					  unsigned long first,
					  unsigned long last);
struct type1_mapping *type1_next_mapping(struct type1_mapping *m,
					 unsigned long first,
					 unsigned long last);
int type1_check_no_bisect(struct type1_iommu *iommu, unsigned long first,
			  unsigned long last);
void type1_insert_mapping(struct type1_iommu *iommu, struct type1_mapping *m);
void type1_remove_mapping(struct type1_iommu *iommu, struct type1_mapping *m);

#define type1_for_each_mapping(m, iommu, first, last)			\
	for ((m) = type1_first_mapping(iommu, first, last); (m);	\
	     (m) = type1_next_mapping(m, first, last))

/* pin_tree.c; iommu->lock held */
struct type1_pin *type1_pin_from(struct type1_mapping *m, unsigned long index);
struct type1_pin *type1_next_pin(struct type1_pin *pin);
struct type1_pin *type1_find_pin(struct type1_mapping *m, unsigned long index);
void type1_insert_pin(struct type1_mapping *m, struct type1_pin *pin);
void type1_remove_pin(struct type1_mapping *m, struct type1_pin *pin);

/* map.c; iommu->lock held */
int type1_map(struct type1_iommu *iommu,
	      const struct vfio_iommu_type1_dma_map *map);
int type1_update_vaddr(struct type1_iommu *iommu,
		       const struct vfio_iommu_type1_dma_map *map);
int type1_unmap(struct type1_iommu *iommu, const struct type1_unmap_req *req,
		u64 *unmapped);
void type1_destroy_mappings(struct type1_iommu *iommu);

/* pin.c; iommu->lock held */
int type1_pin_mapping(struct type1_iommu *iommu, struct type1_mapping *m);
void type1_unpin_mapping(struct type1_mapping *m);
int type1_pin_page(struct type1_mapping *m, unsigned long index,
		   struct page **page);
void type1_unpin_page(struct type1_mapping *m, struct page *page);
int type1_recharge(struct type1_mapping *m);
void type1_owner_init(struct type1_owner *owner);
void type1_owner_put(struct type1_owner *owner);
int type1_owner_change(struct type1_owner *owner);
#if IS_ENABLED(CONFIG_KUNIT)
unsigned long type1_run_room(struct type1_mapping *m);
int type1_append_run(struct type1_mapping *m, unsigned long pfn,
		     unsigned long npages, unsigned int order);
#endif

/* domain.c; iommu->lock held */
int type1_attach_physical(struct type1_iommu *iommu,
			  struct iommu_group *iommu_group);
bool type1_detach_physical(struct type1_iommu *iommu,
			   struct iommu_group *iommu_group);
struct type1_group *type1_find_group(struct list_head *groups,
				     struct iommu_group *iommu_group);
struct type1_domain *type1_find_domain(struct type1_iommu *iommu,
				       struct iommu_group *iommu_group);
int type1_map_domains(struct type1_iommu *iommu, struct type1_mapping *m);
void type1_unmap_domains(struct type1_iommu *iommu, struct type1_mapping *m);
bool type1_all_coherent(struct type1_iommu *iommu);
#if IS_ENABLED(CONFIG_KUNIT)
int type1_replay(struct type1_iommu *iommu, struct type1_domain *d);
#endif

/* iova.c; no lock */
int type1_check_range(u64 start, u64 size, unsigned long *first,
		      unsigned long *last);
struct type1_ranges *type1_usable_ranges(u64 start, u64 end,
					 struct list_head *regions);
bool type1_iova_allowed(const struct type1_ranges *ranges,
			unsigned long first, unsigned long last);

/* dirty.c; iommu->lock held */
int type1_check_bitmap(struct type1_iommu *iommu, unsigned long first,
		       unsigned long last, const struct vfio_bitmap *bitmap);
int type1_dirty_report(struct type1_iommu *iommu, unsigned long first,
		       unsigned long last, const struct vfio_bitmap *bitmap);
void type1_dirty_stop(struct type1_iommu *iommu);
void type1_dirty_mark(struct type1_mapping *m, unsigned long index,
		      unsigned long npages);
void type1_dirty_clear(struct type1_mapping *m);

/* Bytes of the largest dirty bitmap of one request: 2^31 pages */
#define TYPE1_DIRTY_BITMAP_MAX	BIT_ULL(28)

/* emulated.c; iommu->lock held in the first four only */
int type1_attach_emulated(struct type1_iommu *iommu,
			  struct iommu_group *iommu_group);
bool type1_detach_emulated(struct type1_iommu *iommu,
			   struct iommu_group *iommu_group);
void type1_drop_pins(struct type1_iommu *iommu);
int type1_wait_unpinned(struct type1_iommu *iommu, unsigned long first,
			unsigned long last);
int type1_pin_pages(void *iommu_data, struct iommu_group *iommu_group,
		    dma_addr_t user_iova, int npage, int prot,
		    struct page **pages);
void type1_unpin_pages(void *iommu_data, dma_addr_t user_iova, int npage);
void type1_register_device(void *iommu_data, struct vfio_device *vdev);
void type1_unregister_device(void *iommu_data, struct vfio_device *vdev);
int type1_dma_rw(void *iommu_data, dma_addr_t user_iova, void *data,
		 size_t count, bool write);

#endif /* VFIO_TYPE1_PRIVATE_H */
