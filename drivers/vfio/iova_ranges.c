// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arithmetic on sets of IOVA ranges, for DMA loggers whose hardware tracks
 * fewer ranges than the user gave.
 */
#include <linux/bug.h>
#include <linux/export.h>
#include <linux/interval_tree.h>
#include <linux/limits.h>
#include <linux/rbtree.h>

#include "private.h"

static struct interval_tree_node *
vfio_iova_range_next(struct interval_tree_node *node)
{
	return rb_entry_safe(rb_next(&node->rb), struct interval_tree_node, rb);
}

static struct interval_tree_node *
vfio_iova_range_first(struct rb_root_cached *root)
{
	return rb_entry_safe(rb_first_cached(root), struct interval_tree_node,
			     rb);
}

/* Merge @next into @node, which it follows.  @next leaves the tree. */
static void vfio_iova_range_absorb(struct rb_root_cached *root,
				   struct interval_tree_node *node,
				   struct interval_tree_node *next)
{
	interval_tree_remove(next, root);
	interval_tree_remove(node, root);
	node->last = next->last;
	interval_tree_insert(node, root);
}

/* The range before the smallest gap */
static struct interval_tree_node *
vfio_iova_range_nearest(struct rb_root_cached *root)
{
	struct interval_tree_node *node, *next, *nearest = NULL;
	unsigned long smallest = ULONG_MAX;

	for (node = vfio_iova_range_first(root); node; node = next) {
		next = vfio_iova_range_next(node);
		if (next && next->start - node->last <= smallest) {
			smallest = next->start - node->last;
			nearest = node;
		}
	}
	return nearest;
}

/**
 * vfio_combine_iova_ranges - merge ranges until at most a given number is left
 * @root: interval tree of disjoint ranges
 * @cur_nodes: number of ranges
 * @req_nodes: number of ranges wanted, at least 1
 *
 * Merges neighbours with the smallest gaps first, so the result covers few
 * addresses that were in no range.  Nodes that are merged into others leave the
 * tree; the caller frees them.
 */
void vfio_combine_iova_ranges(struct rb_root_cached *root, u32 cur_nodes,
			      u32 req_nodes)
{
	struct interval_tree_node *node;

	if (WARN_ON_ONCE(!req_nodes))
		return;

	for (; cur_nodes > req_nodes; cur_nodes--) {
		/* Down to one range the order of the merges does not matter. */
		node = req_nodes == 1 ? vfio_iova_range_first(root) :
					vfio_iova_range_nearest(root);
		if (WARN_ON_ONCE(!node || !vfio_iova_range_next(node)))
			return;
		vfio_iova_range_absorb(root, node, vfio_iova_range_next(node));
	}
}
EXPORT_SYMBOL_GPL(vfio_combine_iova_ranges);
