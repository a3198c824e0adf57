// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver's table of arcs: checks that it is complete, finds the arc between
 * two states, and knows which paths have an exclusive arc.  device.c walks the
 * paths.
 */
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/string.h>

#include "private.h"

const struct vfio_mig_arc *
vfio_mig_find_arc(const struct vfio_migration *mig,
		  enum vfio_device_mig_state from,
		  enum vfio_device_mig_state to)
{
	u8 index = mig->arc[from][to];

	return index ? &mig->driver->arcs[index - 1] : NULL;
}

/*
 * vfio_mig_get_next_state() of Linux 6.12 warns in ERROR, and loops forever
 * from STOP_COPY to PRE_COPY, for which there is no path.
 */
bool vfio_mig_is_unreachable(enum vfio_device_mig_state from,
			     enum vfio_device_mig_state to)
{
	return from == VFIO_DEVICE_STATE_ERROR ||
	       (from == VFIO_DEVICE_STATE_STOP_COPY && vfio_mig_is_precopy(to));
}

/*
 * The function of the arc that leaves a state undoes what an arc to it has
 * begun: the arc back to where it began or, from STOP_COPY, where the device is
 * stopped, the arc to STOP.
 */
const struct vfio_mig_arc *
vfio_mig_undo_arc(const struct vfio_migration *mig,
		  const struct vfio_mig_arc *arc)
{
	bool stopped = arc->to == VFIO_DEVICE_STATE_STOP_COPY;

	if (!vfio_mig_arc_saves(arc))
		return NULL;
	return vfio_mig_find_arc(mig, arc->to,
				 stopped ? VFIO_DEVICE_STATE_STOP : arc->from);
}

/* Linux 6.12's vfio may pass a target state that does not exist. */
bool vfio_mig_path_is_exclusive(const struct vfio_migration *mig,
				enum vfio_device_mig_state from,
				enum vfio_device_mig_state target)
{
	return target < VFIO_MIG_STATES &&
	       mig->exclusive[from] & BIT(target);
}

static int check_arc_listed(struct vfio_migration *mig, unsigned int index)
{
	const struct vfio_mig_arc *arc = &mig->driver->arcs[index];
	u8 *known = &mig->arc[arc->from][arc->to];

	if (arc->from >= VFIO_MIG_STATES ||
	    arc->to >= VFIO_MIG_STATES || *known) {
		dev_err(mig->vdev->dev,
			"vfio: the driver's arc %u -> %u is listed twice or not possible\n",
			arc->from, arc->to);
		return -EINVAL;
	}
	*known = index + 1;
	return 0;
}

/* A state that the flags offer can be reached from RUNNING. */
static bool state_offered(struct vfio_migration *mig,
			  enum vfio_device_mig_state state)
{
	enum vfio_device_mig_state next;

	return !vfio_mig_get_next_state(mig->vdev, VFIO_DEVICE_STATE_RUNNING,
					state, &next);
}

/* The driver has the arc if, and only if, the device's flags offer it. */
static int check_arc(struct vfio_migration *mig,
		     enum vfio_device_mig_state from,
		     enum vfio_device_mig_state to)
{
	enum vfio_device_mig_state next;
	bool exists;

	exists = from != to && !vfio_mig_is_unreachable(from, to) &&
		 state_offered(mig, from) &&
		 !vfio_mig_get_next_state(mig->vdev, from, to, &next) &&
		 next == to;
	if (exists == !!mig->arc[from][to])
		return 0;
	dev_err(mig->vdev->dev, "vfio: the driver's arc %u -> %u %s\n", from,
		to, exists ? "is missing" :
			     "does not exist with its migration flags");
	return -EINVAL;
}

static int check_arcs(struct vfio_migration *mig)
{
	unsigned int i, from, to;
	int ret = 0;

	for (i = 0; i < mig->driver->nr_arcs && !ret; i++)
		ret = check_arc_listed(mig, i);
	for (from = 0; from < VFIO_MIG_STATES; from++)
		for (to = 0; to < VFIO_MIG_STATES && !ret; to++)
			ret = check_arc(mig, from, to);
	return ret;
}

/* Undoing the arc belongs to it: save() may fail where it ends. */
static bool is_exclusive(const struct vfio_migration *mig,
			 const struct vfio_mig_arc *arc)
{
	const struct vfio_mig_arc *undo = vfio_mig_undo_arc(mig, arc);

	return (arc->flags | (undo ? undo->flags : 0)) & VFIO_MIG_ARC_EXCLUSIVE;
}

/* The table of arcs is complete. */
static bool path_has_exclusive_arc(struct vfio_migration *mig,
				   enum vfio_device_mig_state state,
				   enum vfio_device_mig_state target)
{
	enum vfio_device_mig_state next;

	for (; state != target; state = next) {
		if (vfio_mig_is_unreachable(state, target) ||
		    !state_offered(mig, state) ||
		    vfio_mig_get_next_state(mig->vdev, state, target, &next))
			return false;
		if (is_exclusive(mig, vfio_mig_find_arc(mig, state, next)))
			return true;
	}
	return false;
}

static void find_exclusive_paths(struct vfio_migration *mig)
{
	unsigned int from, to;

	for (from = 0; from < VFIO_MIG_STATES; from++)
		for (to = 0; to < VFIO_MIG_STATES; to++)
			if (path_has_exclusive_arc(mig, from, to))
				mig->exclusive[from] |= BIT(to);
}

int vfio_mig_arcs_init(struct vfio_migration *mig)
{
	int ret;

	memset(mig->exclusive, 0, sizeof(mig->exclusive));
	memset(mig->arc, 0, sizeof(mig->arc));
	ret = check_arcs(mig);
	if (!ret)
		find_exclusive_paths(mig);
	return ret;
}
