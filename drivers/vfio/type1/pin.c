// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a mapping: pinned, charged to RLIMIT_MEMLOCK, recorded as runs
 * of contiguous page frames, and unpinned.
 *
 * Huge pages are pinned and unpinned as a whole.  Because the runs are
 * recorded, nothing is read back from an IOMMU's page tables.
 *
 * Not here: IOMMU domains, and when a mapping has to be pinned.
 */
#include <kunit/visibility.h>
#include <linux/hugetlb.h>
#include <linux/overflow.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "private.h"

/* Page-table leaves that are visited in one hold of the mmap_lock */
#define LEAVES_MAX		1024

/* Pages that are charged at once, and that are unpinned without a pause */
#define CHARGE_STEP		16384UL
#define UNPIN_STEP		4096UL

#define RUN_BLOCK_MIN_BYTES	64

/* Charge @owner for @want pages in total.  Fails only if the charge rises. */
static int try_charge(struct type1_owner *owner, unsigned long want)
{
	struct mm_struct *mm = owner->mm;
	int ret;

	if (want == owner->charged)
		return 0;
	if (want < owner->charged) {
		mmap_write_lock(mm);
		__account_locked_vm(mm, owner->charged - want, false,
				    owner->task, true);
		mmap_write_unlock(mm);
		owner->charged = want;
		return 0;
	}

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	ret = __account_locked_vm(mm, want - owner->charged, true,
				  owner->task, owner->lock_cap);
	mmap_write_unlock(mm);
	if (!ret)
		owner->charged = want;
	return ret;
}

/* The same, with a message if the limit is exceeded */
static int set_charge(struct type1_owner *owner, unsigned long want)
{
	int ret = try_charge(owner, want);

	if (ret == -ENOMEM)
		pr_warn_ratelimited("%s[%d]: DMA mapping refused: more memory would be locked than RLIMIT_MEMLOCK (%lu bytes) allows; raise it (ulimit -l) or grant CAP_IPC_LOCK\n",
				    owner->task->comm,
				    task_tgid_nr(owner->task),
				    task_rlimit(owner->task, RLIMIT_MEMLOCK));
	return ret;
}

/**
 * type1_owner_init - make the calling process the owner of a mapping
 * @owner: the mapping's owner; nothing is charged yet
 */
void type1_owner_init(struct type1_owner *owner)
{
	*owner = (struct type1_owner) {
		.task = get_task_struct(current->group_leader),
		.mm = current->mm,
		.lock_cap = capable(CAP_IPC_LOCK),
	};
	mmgrab(owner->mm);
}

/**
 * type1_owner_put - undo type1_owner_init()
 * @owner: the mapping's owner; what is still charged is uncharged
 */
void type1_owner_put(struct type1_owner *owner)
{
	set_charge(owner, 0);
	mmdrop(owner->mm);
	put_task_struct(owner->task);
}

/**
 * type1_owner_change - make the calling process owner, and charge it
 * @owner: the mapping's owner
 *
 * Return: 0; -ENOMEM if the caller's limit does not allow it; -EINTR.
 */
int type1_owner_change(struct type1_owner *owner)
{
	struct type1_owner new;
	int ret;

	if (owner->mm == current->mm)
		return 0;
	type1_owner_init(&new);
	ret = set_charge(&new, owner->charged);
	if (ret) {
		type1_owner_put(&new);
		return ret;
	}
	swap(*owner, new);
	type1_owner_put(&new);
	return 0;
}

/**
 * type1_recharge - charge for the pages of a mapping that are pinned
 * @m: the mapping
 *
 * If the mapping is pinned as a whole, pages that emulated devices have pinned
 * count once.  Fails only if the charge rises.
 *
 * Return: 0; -ENOMEM if the limit is exceeded; -EINTR.
 */
int type1_recharge(struct type1_mapping *m)
{
	return set_charge(&m->owner, max(m->runs.nr_pinned, m->nr_pins));
}

/* Pages that are charged for but not pinned yet */
static unsigned long charged_ahead(const struct type1_mapping *m)
{
	return m->owner.charged - min(m->owner.charged, m->runs.nr_pinned);
}

/*
 * Charge for at least one more page, and for as many of those that follow as
 * the limit allows, because each charge takes the mmap_lock for write.  If some
 * turn out to be device memory, type1_recharge() lowers the charge at the end.
 */
static int charge_more(struct type1_mapping *m)
{
	unsigned long now = m->runs.nr_pinned, step;
	int ret = -ENOMEM;

	step = min(CHARGE_STEP, type1_npages(m) - m->runs.nr_pages);
	for (; step > 1 && ret == -ENOMEM; step /= 2)
		ret = try_charge(&m->owner, max(now + step, m->nr_pins));
	return ret == -ENOMEM ? set_charge(&m->owner, now + 1) : ret;
}

/* Pages that fit a run at the end of the runs of the mapping */
VISIBLE_IF_KUNIT unsigned long type1_run_room(struct type1_mapping *m)
{
	unsigned long pos = (m->node.start >> PAGE_SHIFT) + m->runs.nr_pages;

	return TYPE1_RUN_MAX - (pos & (TYPE1_RUN_MAX - 1));
}

static struct type1_run *new_run(struct type1_runs *runs)
{
	struct type1_run_block *block = runs->last;
	size_t bytes = RUN_BLOCK_MIN_BYTES;

	if (block && block->nr < block->max)
		return &block->run[block->nr++];

	if (block)
		bytes = min_t(size_t, PAGE_SIZE,
			      2 * struct_size(block, run, block->max));
	block = kmalloc(bytes, GFP_KERNEL_ACCOUNT);
	if (!block)
		return NULL;
	block->next = NULL;
	block->nr = 1;
	block->max = (bytes - sizeof(*block)) / sizeof(block->run[0]);
	if (runs->last)
		runs->last->next = block;
	else
		runs->first = block;
	runs->last = block;
	return &block->run[0];
}

/* Can a run be extended by pages at @pfn, with one pin for each block? */
static bool run_continues(const struct type1_run *r, unsigned long pfn,
			  unsigned int order)
{
	return r->pfn + r->npages == pfn && r->order == order &&
	       (order == TYPE1_NO_PIN || !(pfn & (BIT(order) - 1)));
}

/* Appends @npages pages, at most type1_run_room(); all or none. */
VISIBLE_IF_KUNIT int type1_append_run(struct type1_mapping *m,
				      unsigned long pfn, unsigned long npages,
				      unsigned int order)
{
	struct type1_runs *runs = &m->runs;
	struct type1_run *r = NULL;

	if (pfn >> TYPE1_PFN_BITS)
		return -EFAULT;
	if (runs->last && type1_run_room(m) != TYPE1_RUN_MAX)
		r = &runs->last->run[runs->last->nr - 1];
	if (r && run_continues(r, pfn, order)) {
		r->npages += npages;
	} else {
		r = new_run(runs);
		if (!r)
			return -ENOMEM;
		*r = (struct type1_run) {
			.pfn = pfn,
			.npages = npages,
			.order = order,
		};
	}
	runs->nr_pages += npages;
	if (order != TYPE1_NO_PIN)
		runs->nr_pinned += npages;
	return 0;
}

/* How many of @nr pages are contiguous memory */
static unsigned long contiguous_pages(struct page **pages, unsigned long nr)
{
	struct page *page = pages[0];
	unsigned long i;

	for (i = 1; i < nr; i++)
		if (page_to_pfn(pages[i]) != page_to_pfn(page) + i)
			break;
	return i;
}

static unsigned int gup_flags(struct type1_mapping *m)
{
	return FOLL_LONGTERM | (m->prot & IOMMU_WRITE ? FOLL_WRITE : 0);
}

/*
 * Pins up to @nr pages of the calling process's own memory, up to the first one
 * that would have to be faulted in.
 */
static long pin_present(struct type1_mapping *m, unsigned long vaddr,
			unsigned long nr, struct page **pages)
{
	if (m->owner.mm != current->mm)
		return 0;
	return pin_user_pages_fast(vaddr, nr, gup_flags(m) | FOLL_NOFAULT,
				   pages);
}

/*
 * Pins up to @nr pages, and faults them in.  The caller holds the mmap_lock,
 * and a reference to the users of a foreign mm.  The lock is never dropped, so
 * a fault for userfaultfd fails at once: user space might answer it late or
 * never, and the container is locked.
 */
static long pin_faulting(struct type1_mapping *m, unsigned long vaddr,
			 unsigned long nr, struct page **pages)
{
	return pin_user_pages_remote(m->owner.mm, vaddr, nr, gup_flags(m),
				     pages, NULL) ?: -EFAULT;
}

/*
 * The order of the huge page that maps @addr; 0 if none does.  The caller holds
 * the mmap_lock, which keeps the page tables, and a pin on @page.  The entry
 * may have changed since @page was pinned, so it is compared with @page.
 */
static unsigned int huge_order(struct vm_area_struct *vma, unsigned long addr,
			       struct page *page, bool write)
{
	struct folio *folio = page_folio(page);
	pud_t *pudp;
	pmd_t pmd;

	if (is_vm_hugetlb_page(vma))
		return huge_page_order(hstate_vma(vma));
	if (folio_order(folio) < PMD_ORDER || folio_is_zone_device(folio))
		return 0;
	pudp = pud_offset(p4d_offset(pgd_offset(vma->vm_mm, addr), addr), addr);
	if (!pud_present(pudp_get(pudp)) || pud_leaf(pudp_get(pudp)))
		return 0;
	pmd = pmdp_get_lockless(pmd_offset(pudp, addr));
	if (!pmd_present(pmd) || !pmd_leaf(pmd) || (write && !pmd_write(pmd)) ||
	    pmd_pfn(pmd) + ((addr & ~PMD_MASK) >> PAGE_SHIFT) !=
	    page_to_pfn(page))
		return 0;
	return PMD_ORDER;
}

/*
 * Pin the next pages of a mapping, which are in @vma, and fault them in: huge
 * pages with one pin each, and the first small page after them.  -EAGAIN: the
 * caller has to charge for them first.  Called with the mmap_lock held.
 */
static int pin_leaves(struct type1_mapping *m, struct vm_area_struct *vma,
		      unsigned long vaddr)
{
	unsigned int leaves = 0, order;
	unsigned long room, n, first;
	struct page *page;
	int ret;

	do {
		room = min3(type1_run_room(m),
			    type1_npages(m) - m->runs.nr_pages,
			    (vma->vm_end - vaddr) >> PAGE_SHIFT);
		room = min(room, charged_ahead(m));
		if (!room)
			return leaves ? 0 : -EAGAIN;
		ret = pin_faulting(m, vaddr, 1, &page);
		if (ret < 0)
			return leaves ? 0 : ret;
		first = page_to_pfn(page);
		order = huge_order(vma, vaddr, page, m->prot & IOMMU_WRITE);
		n = BIT(order) - (first & (BIT(order) - 1));
		n = min(n, room);
		ret = type1_append_run(m, first, n, order);
		if (ret) {
			unpin_user_page(page);
			return ret;
		}
		vaddr += n << PAGE_SHIFT;
	} while (order && ++leaves < LEAVES_MAX);
	return 0;
}

/*
 * Pin the next pages of a mapping, with one pin each, up to where a huge page
 * may begin or the charge ends.  Pinning none is not an error: add_next() finds
 * out why.
 */
static int pin_small(struct type1_iommu *iommu, struct type1_mapping *m)
{
	unsigned long vaddr = m->vaddr + (m->runs.nr_pages << PAGE_SHIFT);
	struct page **pages = iommu->batch;
	unsigned long i, len, nr;
	long got;
	int ret;

	nr = -(vaddr >> PAGE_SHIFT) & (BIT(PMD_ORDER) - 1);
	nr = min3(nr, TYPE1_BATCH, type1_npages(m) - m->runs.nr_pages);
	nr = min(nr, charged_ahead(m));
	if (!nr)
		return 0;
	got = pin_present(m, vaddr, nr, pages);
	if (got <= 0) {
		if (mmap_read_lock_killable(m->owner.mm))
			return -EINTR;
		got = pin_faulting(m, vaddr, nr, pages);
		mmap_read_unlock(m->owner.mm);
	}
	for (i = 0; (long)i < got; i += len) {
		len = min(got - i, type1_run_room(m));
		len = contiguous_pages(pages + i, len);
		ret = type1_append_run(m, page_to_pfn(pages[i]), len, 0);
		if (ret) {
			/* The caller unpins the pages that are in runs. */
			unpin_user_pages(pages + i, got - i);
			return ret;
		}
	}
	return 0;
}

/* Pages of the page-table leaf that maps @addr; its lock is held. */
static unsigned long leaf_pages(struct mm_struct *mm, unsigned long addr)
{
	p4d_t *p4dp = p4d_offset(pgd_offset(mm, addr), addr);
	pud_t *pudp = pud_offset(p4dp, addr);
	pud_t pud = pudp_get(pudp);

	if (pud_leaf(pud))
		return PUD_SIZE >> PAGE_SHIFT;
	if (pmd_leaf(pmdp_get(pmd_offset(pudp, addr))))
		return PMD_SIZE >> PAGE_SHIFT;
	return 1;
}

/* Is this memory that could be freed and reused while it is not pinned? */
static bool pfns_need_pin(unsigned long pfn, unsigned long npages)
{
	for (; npages; pfn++, npages--)
		if (pfn_valid(pfn) && !PageReserved(pfn_to_page(pfn)))
			return true;
	return false;
}

/*
 * Appends page frames that a driver has mapped at @vaddr: at least one, and as
 * many as are present, contiguous and fit the run.  -ENOENT: the caller has to
 * fault @vaddr in.  Called with the mmap_lock held.
 */
static int append_present_pfns(struct type1_mapping *m,
			       struct vm_area_struct *vma, unsigned long vaddr)
{
	struct follow_pfnmap_args args = { .vma = vma };
	unsigned long max, n, leaf, pfn = 0, total = 0;
	unsigned int leaves;

	max = min3(type1_run_room(m), type1_npages(m) - m->runs.nr_pages,
		   (vma->vm_end - vaddr) >> PAGE_SHIFT);
	for (leaves = 0; leaves < LEAVES_MAX && total < max; leaves++) {
		args.address = vaddr + (total << PAGE_SHIFT);
		if (follow_pfnmap_start(&args))
			break;
		leaf = leaf_pages(vma->vm_mm, args.address);
		follow_pfnmap_end(&args);
		n = leaf - ((args.address >> PAGE_SHIFT) & (leaf - 1));
		n = min(n, max - total);
		if (!total)
			pfn = args.pfn;
		if (args.pfn != pfn + total)
			break;
		if ((m->prot & IOMMU_WRITE && !args.writable) ||
		    pfns_need_pin(args.pfn, n)) {
			if (!total)
				return -EFAULT;
			break;
		}
		total += n;
	}
	return total ? type1_append_run(m, pfn, total, TYPE1_NO_PIN) : -ENOENT;
}

/*
 * Record the next pages of a mapping, which a driver has mapped (BARs).  Called
 * with the mmap_lock held, and does not drop it.
 */
static int add_pfnmap(struct type1_mapping *m, struct vm_area_struct *vma,
		      unsigned long vaddr)
{
	bool write = m->prot & IOMMU_WRITE;
	int ret;

	if (!(vma->vm_flags & (write ? VM_WRITE : VM_READ)))
		return -EFAULT;
	ret = append_present_pfns(m, vma, vaddr);
	if (ret != -ENOENT)
		return ret;
	ret = fixup_user_fault(vma->vm_mm, vaddr, FAULT_FLAG_REMOTE |
			       (write ? FAULT_FLAG_WRITE : 0), NULL);
	if (!ret)
		ret = append_present_pfns(m, vma, vaddr);
	return ret == -ENOENT ? -EFAULT : ret;
}

/* Pin or record the next pages of a mapping.  -EAGAIN: charge for them. */
static int add_next(struct type1_mapping *m)
{
	struct mm_struct *mm = m->owner.mm;
	struct vm_area_struct *vma;
	unsigned long vaddr;
	int ret;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vaddr = untagged_addr_remote(mm, m->vaddr +
				     (m->runs.nr_pages << PAGE_SHIFT));
	vma = vma_lookup(mm, vaddr);
	if (!vma)
		ret = -EFAULT;
	else if (vma->vm_flags & VM_PFNMAP)
		ret = add_pfnmap(m, vma, vaddr);
	else
		ret = pin_leaves(m, vma, vaddr);
	mmap_read_unlock(mm);
	return ret;
}

/* Release the pins of a run: one for each block of its order. */
static void unpin_run(const struct type1_run *r, bool dirty)
{
	unsigned long pfn = r->pfn, left = r->npages, n, pins;
	unsigned int blocks = 0;

	if (r->order == TYPE1_NO_PIN)
		return;
	for (; left; pfn += n, left -= n) {
		if (r->order) {
			n = BIT(r->order) - (pfn & (BIT(r->order) - 1));
			n = min(n, left);
			pins = 1;
		} else {
			n = min(left, UNPIN_STEP);
			pins = n;
		}
		unpin_user_page_range_dirty_lock(pfn_to_page(pfn), pins, dirty);
		if (pins > 1 || !(++blocks % UNPIN_STEP))
			cond_resched();
	}
}

static void free_runs(struct type1_runs *runs)
{
	struct type1_run_block *block, *next;

	for (block = runs->first; block; block = next) {
		next = block->next;
		kfree(block);
	}
	*runs = (struct type1_runs) {};
}

/**
 * type1_unpin_mapping - unpin the memory of a mapping
 * @m: the mapping, which is in no domain any more, or stuck
 *
 * Pins of emulated devices stay, and are still charged.  A mapping that is
 * stuck keeps its pins and its charge forever.
 */
void type1_unpin_mapping(struct type1_mapping *m)
{
	bool dirty = m->prot & IOMMU_WRITE;
	struct type1_run_block *block;
	unsigned int i;

	if (m->stuck) {
		free_runs(&m->runs);
		return;
	}
	for (block = m->runs.first; block; block = block->next) {
		for (i = 0; i < block->nr; i++)
			unpin_run(&block->run[i], dirty);
		cond_resched();
	}
	free_runs(&m->runs);
	type1_recharge(m);
}

/**
 * type1_pin_mapping - pin the memory of a mapping and charge for it
 * @iommu: the container
 * @m: a mapping that is not pinned
 *
 * Memory is faulted in.  Device memory (VM_PFNMAP) is recorded without a pin:
 * the driver that has mapped it may revoke it, and is responsible for what a
 * device then finds there.  A fatal signal ends this early.
 *
 * Return: 0.  -EFAULT if there is no memory, if it does not permit the access
 * that @m permits, or if its fault is for userfaultfd; -ENOMEM if the limit is
 * exceeded or there is no memory for the runs; -EBUSY if the vaddr is invalid;
 * -ESRCH if the process has exited; -EINTR.  After an error nothing is pinned.
 */
int type1_pin_mapping(struct type1_iommu *iommu, struct type1_mapping *m)
{
	bool foreign = m->owner.mm != current->mm;
	int ret = 0;

	if (!m->vaddr_valid)
		return -EBUSY;
	if (foreign && !mmget_not_zero(m->owner.mm))
		return -ESRCH;

	while (m->runs.nr_pages < type1_npages(m)) {
		ret = add_next(m);
		if (!ret)
			ret = pin_small(iommu, m);
		else if (ret == -EAGAIN)
			ret = charge_more(m);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		if (ret)
			break;
		cond_resched();
	}
	if (ret)
		type1_unpin_mapping(m);
	else
		type1_recharge(m);	/* maybe for less */

	if (foreign)
		mmput(m->owner.mm);
	return ret;
}

/**
 * type1_pin_page - pin one page of a mapping
 * @m: the mapping
 * @index: page of the mapping
 * @page: out: the page
 *
 * The caller charges for it.
 *
 * Return: 0; -EFAULT, -ESRCH or -EBUSY as type1_pin_mapping().
 */
int type1_pin_page(struct type1_mapping *m, unsigned long index,
		   struct page **page)
{
	unsigned long vaddr = m->vaddr + (index << PAGE_SHIFT);
	bool foreign = m->owner.mm != current->mm;
	long ret;

	if (!m->vaddr_valid)
		return -EBUSY;
	if (foreign && !mmget_not_zero(m->owner.mm))
		return -ESRCH;
	ret = pin_present(m, vaddr, 1, page);
	if (ret <= 0) {
		mmap_read_lock(m->owner.mm);
		ret = pin_faulting(m, vaddr, 1, page);
		mmap_read_unlock(m->owner.mm);
	}
	if (foreign)
		mmput(m->owner.mm);
	return ret < 0 ? ret : 0;
}

/**
 * type1_unpin_page - undo type1_pin_page()
 * @m: the mapping
 * @page: the page
 */
void type1_unpin_page(struct type1_mapping *m, struct page *page)
{
	unpin_user_page_range_dirty_lock(page, 1, m->prot & IOMMU_WRITE);
}
