// SPDX-License-Identifier: GPL-2.0-only
/*
 * The requests that make, change and remove mappings.
 *
 * Requests arrive here as kernel copies whose flags are known to be valid.
 * tree.c finds mappings, pin.c pins their memory, and domain.c maps it in the
 * IOMMU.
 */
#define pr_fmt(fmt) "vfio_iommu_type1: " fmt

#include <linux/slab.h>

#include "private.h"

/* A mapping that is neither pinned nor in the tree yet */
static struct type1_mapping *
new_mapping(const struct vfio_iommu_type1_dma_map *map)
{
	struct type1_mapping *m;

	m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);
	if (!m)
		return NULL;
	m->node.start = map->iova;
	m->node.last = map->iova + map->size - 1;
	m->vaddr = map->vaddr;
	m->vaddr_valid = true;
	if (map->flags & VFIO_DMA_MAP_FLAG_READ)
		m->prot |= IOMMU_READ;
	if (map->flags & VFIO_DMA_MAP_FLAG_WRITE)
		m->prot |= IOMMU_WRITE;
	type1_owner_init(&m->owner);
	m->pins = RB_ROOT;
	xa_init_flags(&m->dirty, XA_FLAGS_ACCOUNT);
	return m;
}

/* The mapping is not in the tree, and is in no domain and unpinned or stuck. */
static void free_mapping(struct type1_mapping *m)
{
	type1_dirty_clear(m);
	if (m->stuck)
		m->owner.charged = 0;	/* the charge stays forever */
	type1_owner_put(&m->owner);
	kfree(m);
}

static int pin_and_map(struct type1_iommu *iommu, struct type1_mapping *m)
{
	int ret;

	if (list_empty(&iommu->domains))
		return 0;
	ret = type1_pin_mapping(iommu, m);
	if (ret)
		return ret;
	ret = type1_map_domains(iommu, m);
	if (ret)
		type1_unpin_mapping(m);
	else
		m->in_iommu = true;
	return ret;
}

/* Check that addresses fit the kernel's types, are aligned and do not wrap. */
static int check_map(struct type1_iommu *iommu,
		     const struct vfio_iommu_type1_dma_map *map)
{
	unsigned long mask = BIT(type1_pgshift(iommu)) - 1;
	unsigned long first, last;
	int ret;

	ret = type1_check_range(map->iova, map->size, &first, &last) ?:
	      type1_check_range(map->vaddr, map->size, &first, &last);
	if (ret)
		return ret;
	if ((map->iova | map->vaddr | map->size) & mask)
		return -EINVAL;
	return 0;
}

/* Say why [@first, @last] cannot be mapped, and the nearest range that can. */
static void warn_not_allowed(struct type1_iommu *iommu, unsigned long first,
			     unsigned long last)
{
	const struct vfio_iova_range *r = iommu->ranges->range;
	const struct vfio_iova_range *end = r + iommu->ranges->nr;

	/* The range with @first, or the next one, or the last one */
	while (r + 1 < end && r->end < first)
		r++;
	pr_warn_ratelimited("%s[%d]: DMA mapping of IOVAs %#lx-%#lx refused: they are reserved (as for interrupts) or beyond the IOMMU's width; the nearest usable range is %#llx-%#llx (VFIO_IOMMU_GET_INFO has all of them)\n",
			    current->comm, task_tgid_nr(current), first, last,
			    r->start, r->end);
}

/**
 * type1_map - make a mapping
 * @iommu: the container, locked
 * @map: the request, with flags READ or WRITE or both
 *
 * Return: 0.  -EINVAL if the size is 0, an address is not aligned, or the IOVAs
 * may not be mapped; -EOVERFLOW if the range wraps; -EEXIST if a part is
 * mapped; -ENOSPC if there are too many mappings; or the error of pinning or of
 * the IOMMU driver.
 */
int type1_map(struct type1_iommu *iommu,
	      const struct vfio_iommu_type1_dma_map *map)
{
	struct type1_mapping *m;
	unsigned long last;
	int ret;

	ret = check_map(iommu, map);
	if (ret)
		return ret;
	last = map->iova + map->size - 1;
	if (type1_first_mapping(iommu, map->iova, last))
		return -EEXIST;
	if (!iommu->dma_avail) {
		pr_warn_ratelimited("%s[%d]: DMA mapping refused: the container has as many mappings as it may have; map larger pieces, or raise the module parameter dma_entry_limit, which applies to new containers\n",
				    current->comm, task_tgid_nr(current));
		return -ENOSPC;
	}
	if (!type1_iova_allowed(iommu->ranges, map->iova, last)) {
		warn_not_allowed(iommu, map->iova, last);
		return -EINVAL;
	}

	m = new_mapping(map);
	if (!m)
		return -ENOMEM;
	ret = pin_and_map(iommu, m);
	if (ret) {
		free_mapping(m);
		return ret;
	}
	type1_insert_mapping(iommu, m);
	iommu->dma_avail--;
	return 0;
}

/**
 * type1_update_vaddr - give a mapping a new virtual address
 * @iommu: the container, locked
 * @map: the request, with the flag VADDR
 *
 * The calling process need not be the one that made the mapping.  It says that
 * its memory at vaddr is the memory that is mapped.
 *
 * Return: 0.  -EINVAL if an address is not aligned, the size differs, or the
 * vaddr is still valid; -EOVERFLOW if the range wraps; -ENOENT if there is no
 * mapping; -ENOMEM if the caller's limit is exceeded; -EINTR.
 */
int type1_update_vaddr(struct type1_iommu *iommu,
		       const struct vfio_iommu_type1_dma_map *map)
{
	struct type1_mapping *m;
	int ret;

	ret = check_map(iommu, map);
	if (ret)
		return ret;
	m = type1_first_mapping(iommu, map->iova, map->iova);
	if (!m)
		return -ENOENT;
	if (m->vaddr_valid || m->node.start != map->iova ||
	    m->node.last != map->iova + map->size - 1)
		return -EINVAL;

	ret = type1_owner_change(&m->owner);
	if (ret)
		return ret;
	m->vaddr = map->vaddr;
	m->vaddr_valid = true;
	iommu->nr_vaddr_invalid--;
	return 0;
}

/* Invalidate the vaddr of all mappings in a range, or of none. */
static int invalidate_vaddrs(struct type1_iommu *iommu,
			     const struct type1_unmap_req *req, u64 *size)
{
	struct type1_mapping *m;

	if (!list_empty(&iommu->emulated_groups))
		return -EBUSY;
	type1_for_each_mapping(m, iommu, req->first, req->last)
		if (!m->vaddr_valid)
			return -EINVAL;
	type1_for_each_mapping(m, iommu, req->first, req->last) {
		m->vaddr_valid = false;
		iommu->nr_vaddr_invalid++;
		*size += m->node.last - m->node.start + 1;
	}
	return 0;
}

/* No emulated device has a page of the mapping pinned. */
static void destroy_mapping(struct type1_iommu *iommu, struct type1_mapping *m)
{
	type1_remove_mapping(iommu, m);
	iommu->dma_avail++;
	if (!m->vaddr_valid)
		iommu->nr_vaddr_invalid--;
	if (m->in_iommu) {
		type1_unmap_domains(iommu, m);
		type1_unpin_mapping(m);
	}
	free_mapping(m);
}

static int check_unmap(struct type1_iommu *iommu,
		       const struct type1_unmap_req *req)
{
	int ret = 0;

	if (iommu->v2)
		ret = type1_check_no_bisect(iommu, req->first, req->last);
	if (!ret && req->bitmap)
		ret = type1_check_bitmap(iommu, req->first, req->last,
					 req->bitmap);
	return ret;
}

/**
 * type1_unmap - unmap all mappings in a range, or invalidate their vaddr
 * @iommu: the container, locked; the lock is dropped while emulated devices
 *	are asked to unpin
 * @req: the request
 * @unmapped: out: bytes unmapped
 *
 * VFIO_TYPE1v2_IOMMU refuses a range that cuts a mapping.  VFIO_TYPE1_IOMMU
 * stops at a mapping that begins before the range, and unmaps the whole of a
 * mapping that reaches beyond its end.
 *
 * Return: 0.  -EINVAL if a mapping would be cut or the bitmap is not valid;
 * -EBUSY if an emulated device does not unpin; -EFAULT if the bitmap cannot be
 * written.  After an error nothing is unmapped.
 */
int type1_unmap(struct type1_iommu *iommu, const struct type1_unmap_req *req,
		u64 *unmapped)
{
	struct type1_mapping *m;
	int ret;

	*unmapped = 0;
	ret = check_unmap(iommu, req);
	if (ret)
		return ret;
	if (req->vaddr_only)
		return invalidate_vaddrs(iommu, req, unmapped);

	ret = type1_wait_unpinned(iommu, req->first, req->last);
	if (!ret) /* mappings may have changed while the lock was dropped */
		ret = check_unmap(iommu, req);
	if (!ret && req->bitmap)
		ret = type1_dirty_report(iommu, req->first, req->last,
					 req->bitmap);
	if (ret)
		return ret;

	while ((m = type1_first_mapping(iommu, req->first, req->last))) {
		if (m->node.start < req->first)
			break;
		*unmapped += m->node.last - m->node.start + 1;
		destroy_mapping(iommu, m);
		cond_resched();
	}
	return 0;
}

/**
 * type1_destroy_mappings - unmap everything
 * @iommu: the container, locked; it has no groups any more
 */
void type1_destroy_mappings(struct type1_iommu *iommu)
{
	struct type1_mapping *m;

	while ((m = type1_first_mapping(iommu, 0, ULONG_MAX))) {
		destroy_mapping(iommu, m);
		cond_resched();
	}
}
