// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree of a container's mappings, ordered by IOVA: look-up, insertion and
 * removal.  Everything here runs with the container's lock held.
 */
#include <linux/interval_tree.h>

#include "private.h"

static struct type1_mapping *to_mapping(struct interval_tree_node *node)
{
	return node ? container_of(node, struct type1_mapping, node) : NULL;
}

/**
 * type1_first_mapping - the first mapping that touches a range
 * @iommu: the container
 * @first: first IOVA
 * @last: last IOVA
 *
 * Return: the mapping, or NULL.
 */
struct type1_mapping *type1_first_mapping(struct type1_iommu *iommu,
					  unsigned long first,
					  unsigned long last)
{
	return to_mapping(interval_tree_iter_first(&iommu->mappings, first,
						   last));
}

/**
 * type1_next_mapping - the next mapping that touches a range
 * @m: the mapping before, which touches the range as well
 * @first: first IOVA
 * @last: last IOVA
 *
 * Return: the mapping, or NULL.
 */
struct type1_mapping *type1_next_mapping(struct type1_mapping *m,
					 unsigned long first,
					 unsigned long last)
{
	return to_mapping(interval_tree_iter_next(&m->node, first, last));
}

/**
 * type1_check_no_bisect - check that a range cuts no mapping in two
 * @iommu: the container
 * @first: first IOVA
 * @last: last IOVA
 *
 * Return: 0; -EINVAL if a mapping is partly inside.
 */
int type1_check_no_bisect(struct type1_iommu *iommu, unsigned long first,
			  unsigned long last)
{
	struct type1_mapping *m;

	m = type1_first_mapping(iommu, first, first);
	if (m && m->node.start != first)
		return -EINVAL;
	m = type1_first_mapping(iommu, last, last);
	if (m && m->node.last != last)
		return -EINVAL;
	return 0;
}

/**
 * type1_insert_mapping - put a mapping into the tree
 * @iommu: the container, which has no mapping that overlaps
 * @m: the mapping
 */
void type1_insert_mapping(struct type1_iommu *iommu, struct type1_mapping *m)
{
	interval_tree_insert(&m->node, &iommu->mappings);
}

/**
 * type1_remove_mapping - take a mapping out of the tree
 * @iommu: the container
 * @m: the mapping
 */
void type1_remove_mapping(struct type1_iommu *iommu, struct type1_mapping *m)
{
	interval_tree_remove(&m->node, &iommu->mappings);
}
