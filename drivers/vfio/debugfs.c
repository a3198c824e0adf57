// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/vfio: for each registered device what an operator or a
 * driver's author wants to know of its migration.  Nothing in here changes
 * anything, and nothing depends on it: a directory that can't be made is not
 * there.  Documentation/ABI/testing/debugfs-vfio lists the files.
 *
 * What has happened is counted from registration on, in a struct vfio_debugfs,
 * which exists from vfio_debugfs_add() to vfio_debugfs_remove().  Its lock is a
 * leaf and protects all counts but those of the data fds: they are there as
 * long as the device is, as a data fd may be, and atomic.
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "mig_fsm.h"
#include "vfio.h"

/**
 * struct vfio_arc_count - what became of one arc
 * @taken: how often it was taken to its end
 * @failed: how often it failed
 * @last: ns that it took last, whether or not it failed
 * @longest: ns that it took at most
 */
struct vfio_arc_count {
	u64 taken;
	u64 failed;
	u64 last;
	u64 longest;
};

/**
 * struct vfio_debugfs - what is counted of a device that can migrate
 * @device: the device
 * @set_state: how often SET_STATE was called, and passed the first checks
 * @lock: all that follows
 * @arcs: by where they begin and end
 * @refused: how often it failed
 * @error: of the last one that failed
 * @wanted: the state that this one asked for
 * @resets: how often VFIO_DEVICE_RESET succeeded
 * @walker: the task that is on an arc, or NULL.  Only compared, never followed
 * @from: where that arc begins
 * @to: where it ends
 * @start: when it was set out on
 */
struct vfio_debugfs {
	struct vfio_device *device;
	atomic64_t set_state;
	spinlock_t lock;	/* all that follows */
	struct vfio_arc_count arcs[VFIO_MIG_STATES][VFIO_MIG_STATES];
	u64 refused;
	int error;
	u8 wanted;
	u64 resets;
	struct task_struct *walker;
	u8 from, to;
	u64 start;
};

static struct dentry *debugfs_root;

static void vfio_debugfs_end_arc(struct vfio_debugfs *debugfs, int result,
				 u64 now)
{
	struct vfio_arc_count *arc = &debugfs->arcs[debugfs->from][debugfs->to];

	lockdep_assert_held(&debugfs->lock);
	if (result)
		arc->failed++;
	else
		arc->taken++;
	arc->last = now - debugfs->start;
	arc->longest = max(arc->longest, arc->last);
	WRITE_ONCE(debugfs->walker, NULL);
}

/*
 * One look at the clock for each arc: a walk is long enough without.  Where
 * one arc ends, the next one begins.
 */
void vfio_debugfs_arc(struct vfio_device *device, unsigned int from,
		      unsigned int to)
{
	struct vfio_debugfs *debugfs = vfio_device_private(device)->debugfs;
	u64 now;

	if (!debugfs)
		return;
	now = local_clock();
	spin_lock(&debugfs->lock);
	/* Drivers ask for the next arc when the one before is done. */
	if (debugfs->walker == current && debugfs->to == from)
		vfio_debugfs_end_arc(debugfs, 0, now);
	WRITE_ONCE(debugfs->walker, from == to ? NULL : current);
	debugfs->from = from;
	debugfs->to = to;
	debugfs->start = now;
	spin_unlock(&debugfs->lock);
}

void vfio_debugfs_set_state(struct vfio_device *device, unsigned int to,
			    int result)
{
	struct vfio_debugfs *debugfs = vfio_device_private(device)->debugfs;

	if (!debugfs)
		return;
	atomic64_inc(&debugfs->set_state);
	/* Nobody but current makes it the walker. */
	if (READ_ONCE(debugfs->walker) != current && !result)
		return;
	spin_lock(&debugfs->lock);
	if (debugfs->walker == current)
		vfio_debugfs_end_arc(debugfs, result, local_clock());
	if (result) {
		debugfs->refused++;
		debugfs->error = result;
		debugfs->wanted = to;
	}
	spin_unlock(&debugfs->lock);
}

void vfio_debugfs_reset(struct vfio_device *device)
{
	struct vfio_debugfs *debugfs = vfio_device_private(device)->debugfs;

	if (!debugfs)
		return;
	spin_lock(&debugfs->lock);
	debugfs->resets++;
	spin_unlock(&debugfs->lock);
}

/* Before its user can do anything with it */
void vfio_debugfs_open(struct vfio_device *device)
{
	struct vfio_data_count *data = &vfio_device_private(device)->data;

	atomic64_set(&data->fds, 0);
	atomic64_set(&data->read, 0);
	atomic64_set(&data->written, 0);
}

void vfio_debugfs_data_fd(struct vfio_device *device)
{
	atomic64_inc(&vfio_device_private(device)->data.fds);
}

/**
 * vfio_mig_count_data - bytes went through a data fd
 * @device: the device; referenced, but it may be closed
 * @saving: they were read; else they were written
 * @bytes: how many
 *
 * For drivers that make the data files themselves; the migration library does
 * it for the others.  Context: any.
 */
void vfio_mig_count_data(struct vfio_device *device, bool saving, size_t bytes)
{
	struct vfio_data_count *data = &vfio_device_private(device)->data;

	atomic64_add(bytes, saving ? &data->read : &data->written);
}
EXPORT_SYMBOL_GPL(vfio_mig_count_data);

/*
 * Drivers answer while the device is open, which dev_set->lock keeps it.  One
 * that nobody has open will be running when it is opened.
 */
static int state_show(struct seq_file *seq, void *unused)
{
	struct vfio_debugfs *debugfs = seq->private;
	struct vfio_device *device = debugfs->device;
	enum vfio_device_mig_state state = VFIO_DEVICE_STATE_RUNNING;
	int ret = 0;

	if (mutex_lock_interruptible(&device->dev_set->lock))
		return -EINTR;
	if (device->open_count)
		ret = device->mig_ops->migration_get_state(device, &state);
	mutex_unlock(&device->dev_set->lock);
	if (ret)
		return ret;
	seq_printf(seq, "%s\n", vfio_mig_fsm_state_name(state));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(state);

static int features_show(struct seq_file *seq, void *unused)
{
	struct vfio_debugfs *debugfs = seq->private;
	struct vfio_device *device = debugfs->device;

	if (device->migration_flags & VFIO_MIGRATION_STOP_COPY)
		seq_puts(seq, "stop-copy\n");
	if (device->migration_flags & VFIO_MIGRATION_P2P)
		seq_puts(seq, "p2p\n");
	if (device->migration_flags & VFIO_MIGRATION_PRE_COPY)
		seq_puts(seq, "pre-copy\n");
	if (device->log_ops)
		seq_puts(seq, "dirty-tracking\n");
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(features);

/* One "name value" per line, for people and for awk alike */
static int counters_show(struct seq_file *seq, void *unused)
{
	struct vfio_debugfs *debugfs = seq->private;
	u64 refused, resets;
	unsigned int wanted;
	int error;

	spin_lock(&debugfs->lock);
	refused = debugfs->refused;
	resets = debugfs->resets;
	error = debugfs->error;
	wanted = debugfs->wanted;
	spin_unlock(&debugfs->lock);

	seq_printf(seq, "set_state %llu\n",
		   (u64)atomic64_read(&debugfs->set_state));
	seq_printf(seq, "set_state_failed %llu\n", refused);
	seq_printf(seq, "last_error %d\n", error);
	seq_printf(seq, "last_error_state %s\n",
		   error ? vfio_mig_fsm_state_name(wanted) : "-");
	seq_printf(seq, "resets %llu\n", resets);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

static int data_show(struct seq_file *seq, void *unused)
{
	struct vfio_debugfs *debugfs = seq->private;
	struct vfio_data_count *data =
		&vfio_device_private(debugfs->device)->data;

	seq_printf(seq, "fds %llu\n", (u64)atomic64_read(&data->fds));
	seq_printf(seq, "bytes_read %llu\n", (u64)atomic64_read(&data->read));
	seq_printf(seq, "bytes_written %llu\n",
		   (u64)atomic64_read(&data->written));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(data);

static int arcs_show(struct seq_file *seq, void *unused)
{
	struct vfio_debugfs *debugfs = seq->private;
	struct vfio_arc_count arc;
	unsigned int from, to;

	seq_printf(seq, "%-12s %-12s %8s %8s %12s %12s\n", "from", "to",
		   "taken", "failed", "last_ns", "longest_ns");
	for (from = 0; from < VFIO_MIG_STATES; from++) {
		for (to = 0; to < VFIO_MIG_STATES; to++) {
			spin_lock(&debugfs->lock);
			arc = debugfs->arcs[from][to];
			spin_unlock(&debugfs->lock);
			if (!arc.taken && !arc.failed)
				continue;
			seq_printf(seq, "%-12s %-12s %8llu %8llu %12llu %12llu\n",
				   vfio_mig_fsm_state_name(from),
				   vfio_mig_fsm_state_name(to),
				   arc.taken, arc.failed, arc.last, arc.longest);
		}
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(arcs);

static void vfio_debugfs_add_migration(struct vfio_device *device)
{
	struct vfio_debugfs *debugfs;
	struct dentry *dir;

	debugfs = kzalloc(sizeof(*debugfs), GFP_KERNEL);
	if (!debugfs)
		return;
	debugfs->device = device;
	spin_lock_init(&debugfs->lock);
	vfio_device_private(device)->debugfs = debugfs;

	dir = debugfs_create_dir("migration", device->debug_root);
	debugfs_create_file("state", 0400, dir, debugfs, &state_fops);
	debugfs_create_file("features", 0400, dir, debugfs, &features_fops);
	debugfs_create_file("counters", 0400, dir, debugfs, &counters_fops);
	debugfs_create_file("data", 0400, dir, debugfs, &data_fops);
	debugfs_create_file("arcs", 0400, dir, debugfs, &arcs_fops);
}

/* Before the device has users */
void vfio_debugfs_add(struct vfio_device *device)
{
	device->debug_root = debugfs_create_dir(dev_name(device->dev),
						debugfs_root);
	if (!IS_ERR(device->debug_root) && device->mig_ops)
		vfio_debugfs_add_migration(device);
}

/* The device has no users any more; readers are waited for. */
void vfio_debugfs_remove(struct vfio_device *device)
{
	debugfs_remove_recursive(device->debug_root);
	device->debug_root = NULL;
	kfree(vfio_device_private(device)->debugfs);
	vfio_device_private(device)->debugfs = NULL;
}

void __init vfio_debugfs_init(void)
{
	debugfs_root = debugfs_create_dir("vfio", NULL);
}

void vfio_debugfs_cleanup(void)
{
	debugfs_remove_recursive(debugfs_root);
}
