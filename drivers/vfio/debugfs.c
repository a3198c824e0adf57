// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/vfio: the state of each registered device, for operators
 * and authors of drivers.  The files are read-only, and nothing depends on
 * them: if a directory cannot be created, it is missing.  They are listed in
 * Documentation/ABI/testing/debugfs-vfio.
 *
 * Tracepoints show the transitions and how long they take
 * (include/trace/events/vfio*.h).
 */
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/seq_file.h>

#include "private.h"

static struct dentry *debugfs_root;

/*
 * Drivers report the state while the device is open; dev_set->lock keeps it
 * from being closed.  A closed device will be RUNNING when it is opened.
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

/* Empty if the device is closed; it may be closed while this runs. */
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
}

void vfio_debugfs_add(struct vfio_device *device)
{
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

/* The device has no users any more.  Waits for readers of the files. */
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
