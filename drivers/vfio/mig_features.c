// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration state of a device: sets it, and has the function by which
 * drivers walk the state machine.  mig_fsm.c has the states and arcs; the
 * driver has the current state and the lock that protects it.
 */
#include <linux/bug.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/ktime.h>
#include <linux/nospec.h>

#include <trace/events/vfio.h>

#include "private.h"

#define MIG_FLAG_SETS	(2 * VFIO_MIGRATION_PRE_COPY)

/*
 * [flags][from][to]: the next state on the path, from vfio_mig_fsm_next();
 * ERROR if there is no path, and for flags that are not legal
 */
static u8 mig_next_hop[MIG_FLAG_SETS][VFIO_MIG_STATES][VFIO_MIG_STATES]
	__ro_after_init;
/* The states that share a data session with this state, a bit each */
static u8 mig_session[VFIO_MIG_STATES] __ro_after_init;

void __init vfio_migration_init(void)
{
	unsigned int flags, from, to;

	for (from = 0; from < VFIO_MIG_STATES; from++)
		for (to = 0; to < VFIO_MIG_STATES; to++)
			if (vfio_mig_fsm_same_session(from, to))
				mig_session[from] |= BIT(to);

	for (flags = 0; flags < MIG_FLAG_SETS; flags++) {
		if (!vfio_mig_flags_legal(flags))
			continue;
		for (from = 0; from < VFIO_MIG_STATES; from++)
			for (to = 0; to < VFIO_MIG_STATES; to++)
				mig_next_hop[flags][from][to] =
					vfio_mig_fsm_next(flags, from, to);
	}
}

int vfio_migration_check(struct vfio_device *device)
{
	const struct vfio_migration_ops *ops = device->mig_ops;

	if (!ops)
		return 0;

	if (!ops->migration_set_state || !ops->migration_get_state ||
	    !ops->migration_get_data_size) {
		dev_err(device->dev,
			"vfio: driver %s lacks a migration operation\n",
			device->ops->name);
		return -EINVAL;
	}
	if (!vfio_mig_flags_legal(device->migration_flags)) {
		dev_err(device->dev,
			"vfio: driver %s has illegal migration flags %#x\n",
			device->ops->name, device->migration_flags);
		return -EINVAL;
	}
	return 0;
}

/**
 * vfio_mig_get_next_state - the next arc on the path to a state
 * @device: a registered device with migration ops
 * @cur_fsm: the current state
 * @new_fsm: the state that user space asked for
 * @next_fsm: out: the state to go to next
 *
 * The driver goes to @next_fsm, which becomes @cur_fsm, and calls this again
 * until it has reached @new_fsm.  Each step is an arc that a device with these
 * migration_flags implements; states that they do not include are skipped.  If
 * @new_fsm is @cur_fsm, so is @next_fsm.
 *
 * Return: 0, or -EINVAL if there is no path: @new_fsm does not exist, is not
 * supported or is ERROR; @cur_fsm is ERROR, which only a reset leaves; or the
 * path would lead from STOP_COPY back to PRE_COPY.  If a device with these
 * migration_flags cannot be in @cur_fsm, the driver has a bug, which is logged
 * as a warning.
 */
int vfio_mig_get_next_state(struct vfio_device *device,
			    enum vfio_device_mig_state cur_fsm,
			    enum vfio_device_mig_state new_fsm,
			    enum vfio_device_mig_state *next_fsm)
{
	unsigned int flags = device->migration_flags;
	unsigned int to = new_fsm;

	*next_fsm = VFIO_DEVICE_STATE_ERROR;
	if (flags < MIG_FLAG_SETS && cur_fsm < VFIO_MIG_STATES &&
	    to < VFIO_MIG_STATES) {
		to = array_index_nospec(to, VFIO_MIG_STATES);
		*next_fsm = mig_next_hop[flags][cur_fsm][to];
	}
	if (*next_fsm == VFIO_DEVICE_STATE_ERROR) {
		WARN_ON_ONCE(!vfio_mig_flags_legal(flags) ||
			     !vfio_mig_fsm_has_state(flags, cur_fsm));
		return -EINVAL;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_mig_get_next_state);

/* Linux has it in struct vfio_device since 7.1. */
static u8 *precopy_info_v2(struct vfio_device *device)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 1, 0)
	return &device->precopy_info_v2;
#else
	return &vfio_device_private(device)->precopy_info_v2;
#endif
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 1, 0)
bool vfio_device_precopy_info_v2(struct vfio_device *device)
{
	return READ_ONCE(*precopy_info_v2(device));
}
EXPORT_SYMBOL_GPL(vfio_device_precopy_info_v2);
#endif

void vfio_migration_set_precopy_info_v2(struct vfio_device *device, bool on)
{
	WRITE_ONCE(*precopy_info_v2(device), on);
}

/* RUNNING has a path to every state that the device supports. */
static bool vfio_migration_supports(struct vfio_device *device, u32 to)
{
	unsigned int flags = device->migration_flags;

	return flags < MIG_FLAG_SETS &&
	       mig_next_hop[flags][VFIO_DEVICE_STATE_RUNNING][to] !=
	       VFIO_DEVICE_STATE_ERROR;
}

/* Is the device in one of these states? */
static bool vfio_migration_is_in(struct vfio_device *device,
				 unsigned int states)
{
	enum vfio_device_mig_state state;

	return !device->mig_ops->migration_get_state(device, &state) &&
	       states & BIT(state);
}

/*
 * Have the driver go to @to.  The number for a new data fd is reserved first,
 * so that the state does not change if no number is free.
 *
 * The driver is called even if the device is in @to already: only the driver
 * can tell, under its state lock.
 */
static int vfio_migration_go(struct vfio_device *device, u32 to,
			     struct vfio_data_fd *new)
{
	unsigned int session = mig_session[to];
	struct file *file;

	if (session && !vfio_migration_is_in(device, session)) {
		new->fd = get_unused_fd_flags(O_CLOEXEC);
		if (new->fd < 0)
			return new->fd;
	}
	file = device->mig_ops->migration_set_state(device, to);
	if (IS_ERR(file))
		return PTR_ERR(file);
	if (!file)
		return 0;

	/* Another thread has ended the session that was seen above. */
	if (new->fd < 0)
		new->fd = get_unused_fd_flags(O_CLOEXEC);
	if (new->fd < 0) {
		fput(file);
		return new->fd;
	}
	new->file = file;
	return 0;
}

static int vfio_migration_go_traced(struct vfio_device *device, u32 to,
				    struct vfio_data_fd *new)
{
	enum vfio_device_mig_state from;
	ktime_t start = ktime_get();
	int ret;

	/* Without the driver's lock: another thread may change the state. */
	if (device->mig_ops->migration_get_state(device, &from))
		from = VFIO_DEVICE_STATE_ERROR;
	ret = vfio_migration_go(device, to, new);
	trace_vfio_mig_set_state(device, from, to, ret,
				 new->file ? new->fd : -1,
				 ktime_to_ns(ktime_sub(ktime_get(), start)));
	return ret;
}

int vfio_migration_set_state(struct vfio_device *device, u32 to,
			     struct vfio_data_fd *new)
{
	if (to >= VFIO_MIG_STATES)
		return -EINVAL;
	to = array_index_nospec(to, VFIO_MIG_STATES);
	if (!vfio_migration_supports(device, to))
		return -EINVAL;

	if (trace_vfio_mig_set_state_enabled())
		return vfio_migration_go_traced(device, to, new);
	return vfio_migration_go(device, to, new);
}
