// SPDX-License-Identifier: GPL-2.0-only
/*
 * The groups of a container, the IOMMU domains that they are attached to, and
 * the IOVAs that all of them can use.
 *
 * Groups share a domain where the IOMMU driver permits it.  Every domain has
 * every mapping: a new domain gets those that exist already.
 *
 * Everything here runs with the container's lock held.
 */
#define pr_fmt(fmt) "vfio_iommu_type1: " fmt

#include <kunit/visibility.h>
#include <linux/device.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "private.h"

/* Small IOMMU pages that are mapped without a pause */
#define SMALL_STEP	16384UL

/*
 * Unmap what an IOMMU driver has mapped before it failed.  The driver for Intel
 * IOMMUs (Linux 6.12) leaves such pages mapped and reports that it has mapped
 * none, so that iommu_map() does not unmap them either.  They must go, because
 * the caller unpins the memory.  False: some are still mapped.
 */
static bool unmap_remains(struct iommu_domain *domain, unsigned long iova,
			  size_t size)
{
	size_t at, done;

	for (at = 0; at < size; at += done) {
		done = PAGE_SIZE;
		if (!iommu_iova_to_phys(domain, iova + at))
			continue;
		/* Unmaps more than PAGE_SIZE if a large page is there */
		done = iommu_unmap(domain, iova + at, PAGE_SIZE);
		if (!done)
			return false;
	}
	return true;
}

/* Unmap a range.  False: a part is still mapped. */
static bool unmap_range(struct iommu_domain *domain, unsigned long iova,
			size_t size)
{
	/* Unmaps more than @size if a large page reaches beyond the end */
	return !size || iommu_unmap(domain, iova, size) >= size;
}

/* How many bytes of a run one iommu_map() call gets */
static size_t map_step(const struct type1_run *r, unsigned long iova)
{
	if (type1_disable_hugepages)
		return PAGE_SIZE;
	/* Not aligned to each other, so that no large page fits */
	if ((PFN_PHYS(r->pfn) ^ iova) & ~PMD_MASK)
		return SMALL_STEP << PAGE_SHIFT;
	return TYPE1_RUN_MAX << PAGE_SHIFT;
}

/*
 * Map @r from @iova on, all or nothing.  After an error, sets *@clean to false
 * if a part is still mapped.
 */
static int map_run(struct iommu_domain *domain, unsigned long iova, int prot,
		   const struct type1_run *r, bool *clean)
{
	size_t size = (size_t)r->npages << PAGE_SHIFT, done, n;
	size_t step = map_step(r, iova);
	phys_addr_t phys = PFN_PHYS(r->pfn);
	int ret;

	for (done = 0; done < size; done += n) {
		n = min(step, size - done);
		ret = iommu_map(domain, iova + done, phys + done, n,
				prot | IOMMU_CACHE, GFP_KERNEL_ACCOUNT);
		if (ret) {
			*clean &= unmap_remains(domain, iova + done, n);
			goto err_unmap;
		}
		if (fatal_signal_pending(current)) {
			done += n;
			ret = -EINTR;
			goto err_unmap;
		}
		cond_resched();
	}
	return 0;

err_unmap:
	*clean &= unmap_range(domain, iova, done);
	return ret;
}

/*
 * Unmap @npages from the start of @m on, in pieces that do not cut runs.
 * False: a part is still mapped.
 */
static bool unmap_domain(struct iommu_domain *domain, struct type1_mapping *m,
			 unsigned long npages)
{
	unsigned long pos = m->node.start >> PAGE_SHIFT;
	bool clean = true;
	unsigned long n;

	for (; npages; pos += n, npages -= n) {
		n = min(npages, TYPE1_RUN_MAX - (pos & (TYPE1_RUN_MAX - 1)));
		clean &= unmap_range(domain, pos << PAGE_SHIFT,
				     n << PAGE_SHIFT);
		cond_resched();
	}
	return clean;
}

/* The same as map_run(), for all of @m */
static int map_domain(struct iommu_domain *domain, struct type1_mapping *m,
		      bool *clean)
{
	const struct type1_run_block *block;
	const struct type1_run *r;
	unsigned long done = 0;
	unsigned int i;
	int ret;

	for (block = m->runs.first; block; block = block->next) {
		for (i = 0; i < block->nr; i++) {
			r = &block->run[i];
			ret = map_run(domain,
				      m->node.start + (done << PAGE_SHIFT),
				      m->prot, r, clean);
			if (ret)
				goto err_unmap;
			done += r->npages;
		}
	}
	return 0;

err_unmap:
	*clean &= unmap_domain(domain, m, done);
	return ret;
}

/* A domain still maps the memory of @m, so devices may access it. */
static void set_stuck(struct type1_mapping *m)
{
	m->stuck = true;
	pr_err_ratelimited("the IOMMU driver failed to unmap IOVAs %#lx-%#lx: their memory stays pinned and charged until the machine is rebooted\n",
			   m->node.start, m->node.last);
}

/**
 * type1_map_domains - add a mapping to every domain
 * @iommu: the container
 * @m: the mapping, pinned, in no domain yet
 *
 * Return: 0; or the error of the IOMMU driver or -EINTR, and the mapping is in
 * no domain, or stuck.
 */
int type1_map_domains(struct type1_iommu *iommu, struct type1_mapping *m)
{
	struct type1_domain *d;
	bool clean = true;
	int ret;

	list_for_each_entry(d, &iommu->domains, next) {
		ret = map_domain(d->domain, m, &clean);
		if (ret)
			goto err_unmap;
	}
	return 0;

err_unmap:
	list_for_each_entry_continue_reverse(d, &iommu->domains, next)
		clean &= unmap_domain(d->domain, m, type1_npages(m));
	if (!clean)
		set_stuck(m);
	return ret;
}

/**
 * type1_unmap_domains - remove a mapping from every domain
 * @iommu: the container
 * @m: a mapping that is in every domain
 *
 * On return no device can access the memory.  If an IOMMU driver has failed,
 * the mapping is stuck instead.
 */
void type1_unmap_domains(struct type1_iommu *iommu, struct type1_mapping *m)
{
	struct type1_domain *d;
	bool clean = true;

	list_for_each_entry(d, &iommu->domains, next)
		clean &= unmap_domain(d->domain, m, type1_npages(m));
	if (!clean)
		set_stuck(m);
}

/**
 * type1_all_coherent - is all DMA coherent with the CPU's caches?
 * @iommu: the container
 *
 * Return: true if every domain enforces that.
 */
bool type1_all_coherent(struct type1_iommu *iommu)
{
	struct type1_domain *d;

	list_for_each_entry(d, &iommu->domains, next)
		if (!d->coherent)
			return false;
	return true;
}

/**
 * type1_find_group - find a group on a list
 * @groups: list of struct type1_group
 * @iommu_group: the group
 *
 * Return: the group's entry, or NULL.
 */
struct type1_group *type1_find_group(struct list_head *groups,
				     struct iommu_group *iommu_group)
{
	struct type1_group *group;

	list_for_each_entry(group, groups, next)
		if (group->iommu_group == iommu_group)
			return group;
	return NULL;
}

/**
 * type1_find_domain - find the domain that a group is attached to
 * @iommu: the container
 * @iommu_group: the group
 *
 * Return: the domain, or NULL.
 */
struct type1_domain *type1_find_domain(struct type1_iommu *iommu,
				       struct iommu_group *iommu_group)
{
	struct type1_domain *d;

	list_for_each_entry(d, &iommu->domains, next)
		if (type1_find_group(&d->groups, iommu_group))
			return d;
	return NULL;
}

/*
 * Page sizes that all domains and @extra support.  In place of sizes below
 * PAGE_SIZE there is PAGE_SIZE, which the IOMMU maps as several pages.
 */
static unsigned long common_pgsizes(struct type1_iommu *iommu,
				    struct type1_domain *extra)
{
	unsigned long bitmap = extra ? extra->domain->pgsize_bitmap : ULONG_MAX;
	struct type1_domain *d;

	list_for_each_entry(d, &iommu->domains, next)
		bitmap &= d->domain->pgsize_bitmap;
	if (bitmap & ~PAGE_MASK)
		bitmap = (bitmap & PAGE_MASK) | PAGE_SIZE;
	return bitmap;
}

static void free_resv_regions(struct list_head *regions)
{
	struct iommu_resv_region *region, *next;

	list_for_each_entry_safe(region, next, regions, list) {
		list_del(&region->list);
		kfree(region);
	}
}

/* Add the IOVAs that the groups of @d cannot use to @regions. */
static int get_resv_regions(struct type1_domain *d, struct list_head *regions)
{
	struct type1_group *group;
	int ret;

	list_for_each_entry(group, &d->groups, next) {
		ret = iommu_get_group_resv_regions(group->iommu_group, regions);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * IOVAs that all groups of all domains can use.  @extra is a group that is
 * about to be added, and @fresh its domain, which is in no list yet; both may
 * be NULL.
 */
static struct type1_ranges *usable_ranges(struct type1_iommu *iommu,
					  struct type1_domain *fresh,
					  struct iommu_group *extra)
{
	struct type1_ranges *ranges = NULL;
	u64 start = 0, end = ULONG_MAX;
	struct type1_domain *d;
	LIST_HEAD(regions);
	int ret = 0;

	if (fresh) {
		start = fresh->domain->geometry.aperture_start;
		end = min(end, fresh->domain->geometry.aperture_end);
	}
	if (extra)
		ret = iommu_get_group_resv_regions(extra, &regions);
	list_for_each_entry(d, &iommu->domains, next) {
		if (ret)
			break;
		start = max(start, d->domain->geometry.aperture_start);
		end = min(end, d->domain->geometry.aperture_end);
		ret = get_resv_regions(d, &regions);
	}
	if (ret)
		goto out_free;

	ranges = type1_usable_ranges(start, end, &regions);
	if (!ranges)
		ret = -ENOMEM;
out_free:
	free_resv_regions(&regions);
	return ranges ? ranges : ERR_PTR(ret);
}

/*
 * For iommu_group_for_each_dev(), which keeps the device in the group.  Stops
 * at the first device, as any will do.
 */
static int alloc_domain(struct device *dev, void *data)
{
	*(struct iommu_domain **)data = iommu_paging_domain_alloc(dev);
	return 1;
}

static int not_coherent(struct device *dev, void *data)
{
	return !device_iommu_capable(dev, IOMMU_CAP_ENFORCE_CACHE_COHERENCY);
}

/* Attach the group to an existing domain.  NULL: it fits none. */
static struct type1_domain *attach_existing_domain(struct type1_iommu *iommu,
					struct iommu_group *iommu_group)
{
	bool coherent = !iommu_group_for_each_dev(iommu_group, NULL,
						  not_coherent);
	struct type1_domain *d;

	list_for_each_entry(d, &iommu->domains, next)
		if (d->coherent == coherent &&
		    !iommu_attach_group(d->domain, iommu_group))
			return d;
	return NULL;
}

/*
 * If the IOMMU translates MSIs like other writes, the kernel maps the doorbells
 * in a window that the IOMMU driver has reserved for them.
 */
static int prepare_msi(struct iommu_domain *domain,
		       struct iommu_group *iommu_group)
{
	const struct iommu_resv_region *region, *window = NULL;
	LIST_HEAD(regions);
	int ret;

	ret = iommu_get_group_resv_regions(iommu_group, &regions);
	if (ret)
		goto out_free;
	list_for_each_entry(region, &regions, list) {
		if (region->type == IOMMU_RESV_MSI) {
			window = NULL;
			break;
		}
		if (region->type == IOMMU_RESV_SW_MSI)
			window = region;
	}
	if (window)
		ret = iommu_get_msi_cookie(domain, window->start);
	if (ret == -ENODEV) /* the kernel does not need the window */
		ret = 0;
out_free:
	free_resv_regions(&regions);
	return ret;
}

/* A domain with the group and without mappings, in no list yet */
static struct type1_domain *new_domain(struct iommu_group *iommu_group)
{
	struct iommu_domain *domain = ERR_PTR(-ENODEV);
	struct type1_domain *d;
	int ret;

	d = kzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);
	if (!d)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&d->groups);

	iommu_group_for_each_dev(iommu_group, &domain, alloc_domain);
	if (IS_ERR(domain)) {
		ret = PTR_ERR(domain);
		goto err_free;
	}
	ret = iommu_attach_group(domain, iommu_group);
	if (ret)
		goto err_domain;
	ret = prepare_msi(domain, iommu_group);
	if (ret)
		goto err_detach;
	if (domain->ops->enforce_cache_coherency)
		d->coherent = domain->ops->enforce_cache_coherency(domain);
	d->domain = domain;
	return d;

err_detach:
	iommu_detach_group(domain, iommu_group);
err_domain:
	iommu_domain_free(domain);
err_free:
	kfree(d);
	return ERR_PTR(ret);
}

static void free_domain(struct type1_domain *d)
{
	/* Frees the page tables, so the mappings need not be unmapped. */
	iommu_domain_free(d->domain);
	kfree(d);
}

/* Are all mappings within @ranges? */
static bool mappings_fit(struct type1_iommu *iommu,
			 const struct type1_ranges *ranges)
{
	struct type1_mapping *m;

	type1_for_each_mapping(m, iommu, 0, ULONG_MAX)
		if (!type1_iova_allowed(ranges, m->node.start, m->node.last))
			return false;
	return true;
}

/*
 * Add all mappings to a new domain; if it is the first domain, pin them.  After
 * an error some may be pinned and in this domain without being in_iommu: the
 * caller frees the domain and unpins them.
 */
VISIBLE_IF_KUNIT int type1_replay(struct type1_iommu *iommu,
				  struct type1_domain *d)
{
	struct type1_mapping *m;
	bool clean = true;
	int ret;

	type1_for_each_mapping(m, iommu, 0, ULONG_MAX) {
		if (!m->in_iommu) {
			ret = type1_pin_mapping(iommu, m);
			if (ret)
				return ret;
		}
		ret = map_domain(d->domain, m, &clean);
		if (ret)
			return ret;
	}
	type1_for_each_mapping(m, iommu, 0, ULONG_MAX)
		m->in_iommu = true;
	return 0;
}

/* Unpin mappings that are in no domain. */
static void unpin_unmapped(struct type1_iommu *iommu)
{
	struct type1_mapping *m;

	type1_for_each_mapping(m, iommu, 0, ULONG_MAX)
		if (!m->in_iommu)
			type1_unpin_mapping(m);
}

/*
 * IOVAs that may be mapped once the group has been added.  An error if there
 * are none, or if a mapping is outside.
 */
static struct type1_ranges *ranges_with(struct type1_iommu *iommu,
					struct type1_domain *fresh,
					struct iommu_group *iommu_group)
{
	struct type1_ranges *ranges = usable_ranges(iommu, fresh, iommu_group);

	if (IS_ERR(ranges))
		return ranges;
	if (!ranges->nr || !mappings_fit(iommu, ranges)) {
		pr_warn_ratelimited("group %d: cannot use the IOVAs that are mapped in the container\n",
				    iommu_group_id(iommu_group));
		kfree(ranges);
		return ERR_PTR(-EINVAL);
	}
	return ranges;
}

static void set_ranges(struct type1_iommu *iommu, struct type1_ranges *ranges)
{
	kfree(iommu->ranges);
	iommu->ranges = ranges;
}

/* A new domain with the group and all mappings, in no list yet */
static struct type1_domain *add_domain(struct type1_iommu *iommu,
				       struct iommu_group *iommu_group)
{
	struct type1_ranges *ranges;
	unsigned long pgsizes;
	struct type1_domain *d;
	int ret;

	d = new_domain(iommu_group);
	if (IS_ERR(d))
		return d;
	pgsizes = common_pgsizes(iommu, d);
	if (!pgsizes) {
		ret = -EINVAL;
		goto err_detach;
	}
	/* Some IOMMU drivers set the aperture only at the attach. */
	ranges = ranges_with(iommu, d, iommu_group);
	if (IS_ERR(ranges)) {
		ret = PTR_ERR(ranges);
		goto err_detach;
	}
	ret = type1_replay(iommu, d);
	if (ret)
		goto err_free;
	set_ranges(iommu, ranges);
	iommu->pgsize_bitmap = pgsizes;
	return d;

err_free:
	kfree(ranges);
err_detach:
	iommu_detach_group(d->domain, iommu_group);
	free_domain(d);
	unpin_unmapped(iommu);
	return ERR_PTR(ret);
}

/**
 * type1_attach_physical - add a group of devices that do DMA
 * @iommu: the container
 * @iommu_group: a group that is not in it
 *
 * Return: 0; -EPERM if its devices could raise any interrupt; -EINVAL if it
 * cannot use the IOVAs of a mapping, or if the IOMMU driver refuses; or the
 * error of pinning, of charging or of the IOMMU driver.
 */
int type1_attach_physical(struct type1_iommu *iommu,
			  struct iommu_group *iommu_group)
{
	struct type1_ranges *ranges;
	struct type1_group *group;
	struct type1_domain *d;
	int ret;

	if (!type1_allow_unsafe_interrupts &&
	    !iommu_group_has_isolated_msi(iommu_group)) {
		pr_warn_ratelimited("group %d: without interrupt remapping its devices could raise any interrupt of this machine; to permit that, set the module parameter allow_unsafe_interrupts=1\n",
				    iommu_group_id(iommu_group));
		return -EPERM;
	}

	group = kzalloc(sizeof(*group), GFP_KERNEL_ACCOUNT);
	if (!group)
		return -ENOMEM;
	group->iommu_group = iommu_group;

	/* Before the group is attached to a domain that has mappings already */
	ranges = ranges_with(iommu, NULL, iommu_group);
	if (IS_ERR(ranges)) {
		ret = PTR_ERR(ranges);
		goto err_free;
	}
	d = attach_existing_domain(iommu, iommu_group);
	if (d) {
		set_ranges(iommu, ranges);
	} else {
		kfree(ranges);
		d = add_domain(iommu, iommu_group);
		if (IS_ERR(d)) {
			ret = PTR_ERR(d);
			goto err_free;
		}
		list_add_tail(&d->next, &iommu->domains);
	}
	list_add_tail(&group->next, &d->groups);
	return 0;

err_free:
	kfree(group);
	return ret;
}

/* The last physical group has left: mappings need not be pinned as a whole. */
static void unpin_all_mappings(struct type1_iommu *iommu)
{
	struct type1_mapping *m;

	type1_for_each_mapping(m, iommu, 0, ULONG_MAX) {
		m->in_iommu = false;
		m->all_dirty = iommu->dirty_tracking;
	}
	unpin_unmapped(iommu);
}

/**
 * type1_detach_physical - remove a group of devices that do DMA
 * @iommu: the container
 * @iommu_group: the group
 *
 * Return: false if it is not a physical group of the container.
 */
bool type1_detach_physical(struct type1_iommu *iommu,
			   struct iommu_group *iommu_group)
{
	struct type1_domain *d = type1_find_domain(iommu, iommu_group);
	struct type1_ranges *ranges = NULL;
	struct type1_group *group;

	if (!d)
		return false;

	iommu_detach_group(d->domain, iommu_group);
	group = type1_find_group(&d->groups, iommu_group);
	list_del(&group->next);
	kfree(group);
	if (list_empty(&d->groups)) {
		list_del(&d->next);
		free_domain(d);
		if (list_empty(&iommu->domains))
			unpin_all_mappings(iommu);
	}

	iommu->pgsize_bitmap = common_pgsizes(iommu, NULL);
	if (!list_empty(&iommu->domains))
		ranges = usable_ranges(iommu, NULL, NULL);
	if (!IS_ERR(ranges)) /* otherwise the narrower ranges stay */
		set_ranges(iommu, ranges);
	return true;
}
