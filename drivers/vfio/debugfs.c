// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/vfio: for each registered device what an operator or a
 * driver's author wants to know of its migration.  Nothing in here changes
 * anything, and nothing depends on it: a directory that can't be made is not
 * there.  Documentation/ABI/testing/debugfs-vfio lists the files.
 *
 * What has happened is counted in struct vfio_counts, which is part of the
 * device.  That is cheap, because a walk is: no lock, and no clock (what takes
 * how long, tracepoints tell).
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include "private.h"

static struct dentry *debugfs_root;

void vfio_debugfs_failed(struct vfio_device *device, unsigned int to,
			 int error)
{
	struct vfio_counts *counts = vfio_counts(device);
	/* Each arc that was begun fails once at most. */
	unsigned int arc = xchg(&counts->arc, 0);

	if (arc)
		atomic64_inc(&counts->failed[arc]);
	atomic64_inc(&counts->refused);
	WRITE_ONCE(counts->wanted, to);
	WRITE_ONCE(counts->error, error);
}

void vfio_debugfs_reset(struct vfio_device *device)
{
	atomic64_inc(&vfio_counts(device)->resets);
}

/* Before its user can do anything with it */
void vfio_debugfs_open(struct vfio_device *device)
{
	struct vfio_counts *counts = vfio_counts(device);

	atomic64_set(&counts->data_fds, 0);
	atomic64_set(&counts->data_read, 0);
	atomic64_set(&counts->data_written, 0);
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
	struct vfio_counts *counts = vfio_counts(device);

	atomic64_add(bytes, saving ? &counts->data_read :
				     &counts->data_written);
}
EXPORT_SYMBOL_GPL(vfio_mig_count_data);

/*
 * Drivers answer while the device is open, which dev_set->lock keeps it.  One
 * that nobody has open will be running when it is opened.
 */
static int state_show(struct seq_file *seq, void *unused)
{
	struct vfio_device *device = seq->private;
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
	struct vfio_device *device = seq->private;

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

static void show_count(struct seq_file *seq, const char *name,
		       const atomic64_t *count)
{
	seq_printf(seq, "%s %llu\n", name, (u64)atomic64_read(count));
}

/* One "name value" per line, for people and for awk alike */
static int counters_show(struct seq_file *seq, void *unused)
{
	struct vfio_counts *counts = vfio_counts(seq->private);
	int error = READ_ONCE(counts->error);

	show_count(seq, "set_state", &counts->set_state);
	show_count(seq, "set_state_failed", &counts->refused);
	seq_printf(seq, "last_error %d\n", error);
	seq_printf(seq, "last_error_state %s\n", error ?
		   vfio_mig_fsm_state_name(READ_ONCE(counts->wanted)) : "-");
	show_count(seq, "resets", &counts->resets);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

static int data_show(struct seq_file *seq, void *unused)
{
	struct vfio_counts *counts = vfio_counts(seq->private);

	show_count(seq, "fds", &counts->data_fds);
	show_count(seq, "bytes_read", &counts->data_read);
	show_count(seq, "bytes_written", &counts->data_written);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(data);

static void show_arc(struct seq_file *seq, unsigned int from, unsigned int to)
{
	struct vfio_counts *counts = vfio_counts(seq->private);
	unsigned int arc = from * VFIO_MIG_STATES + to;
	/* In this order: what fails was begun. */
	u64 failed = atomic64_read_acquire(&counts->failed[arc]);
	u64 begun = READ_ONCE(counts->begun[arc]);

	if (from != to && begun)
		seq_printf(seq, "%-12s %-12s %8llu %8llu\n",
			   vfio_mig_fsm_state_name(from),
			   vfio_mig_fsm_state_name(to), begun - failed, failed);
}

static int arcs_show(struct seq_file *seq, void *unused)
{
	unsigned int from, to;

	seq_printf(seq, "%-12s %-12s %8s %8s\n", "from", "to", "taken",
		   "failed");
	for (from = 0; from < VFIO_MIG_STATES; from++)
		for (to = 0; to < VFIO_MIG_STATES; to++)
			show_arc(seq, from, to);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(arcs);

static int dma_logging_show(struct seq_file *seq, void *unused)
{
	struct vfio_device *device = seq->private;
	struct vfio_dma_logging *logging =
		&vfio_device_private(device)->logging;

	if (READ_ONCE(logging->session))
		seq_printf(seq, "on for %lld s\n",
			   ktime_get_boottime_seconds() -
			   READ_ONCE(logging->since));
	else
		seq_puts(seq, "off\n");
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(dma_logging);

/* Empty if nobody has the device open; it may be closed in the meantime. */
static int opener_show(struct seq_file *seq, void *unused)
{
	struct vfio_device *device = seq->private;
	char opener[VFIO_OPENER_NAME];

	if (READ_ONCE(device->open_count))
		seq_printf(seq, "%s\n",
			   vfio_opener_name(vfio_device_opener(device),
					    opener));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(opener);

static void vfio_debugfs_add_migration(struct vfio_device *device)
{
	struct dentry *dir;

	dir = debugfs_create_dir("migration", device->debug_root);
	debugfs_create_file("state", 0400, dir, device, &state_fops);
	debugfs_create_file("features", 0400, dir, device, &features_fops);
	debugfs_create_file("counters", 0400, dir, device, &counters_fops);
	debugfs_create_file("data", 0400, dir, device, &data_fops);
	debugfs_create_file("arcs", 0400, dir, device, &arcs_fops);
}

/* Before users find the device, as the counts begin here. */
void vfio_debugfs_add(struct vfio_device *device)
{
	/* Its driver may have asked for the way before. */
	memset(vfio_counts(device), 0, sizeof(struct vfio_counts));
	device->debug_root = debugfs_create_dir(dev_name(device->dev),
						debugfs_root);
	if (IS_ERR(device->debug_root))
		return;
	debugfs_create_file("opener", 0400, device->debug_root, device,
			    &opener_fops);
	if (device->log_ops)
		debugfs_create_file("dma_logging", 0400, device->debug_root,
				    device, &dma_logging_fops);
	if (device->mig_ops)
		vfio_debugfs_add_migration(device);
}

/* The device has no users any more; readers are waited for. */
void vfio_debugfs_remove(struct vfio_device *device)
{
	debugfs_remove_recursive(device->debug_root);
	device->debug_root = NULL;
}

void __init vfio_debugfs_init(void)
{
	debugfs_root = debugfs_create_dir("vfio", NULL);
}

void vfio_debugfs_cleanup(void)
{
	debugfs_remove_recursive(debugfs_root);
}
