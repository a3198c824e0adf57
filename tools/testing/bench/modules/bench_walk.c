// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that does the bare minimum: asks the core for the next arc until the
 * device is in the target state, and makes an empty file for a data session.
 * So a state change costs here what the core and the kernel below it cost.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mutex.h>

#include "bench.h"

struct bench_walk {
	struct vfio_device vdev;
	struct mutex lock;	/* state */
	enum vfio_device_mig_state state;
};

static struct bench_walk *to_walk(struct vfio_device *vdev)
{
	return container_of(vdev, struct bench_walk, vdev);
}

static const struct file_operations walk_fops = {
	.owner = THIS_MODULE,
};

/* The states with a data session; those of one mask share a session. */
#define WALK_SAVING	(BIT(VFIO_DEVICE_STATE_STOP_COPY) | \
			 BIT(VFIO_DEVICE_STATE_PRE_COPY) | \
			 BIT(VFIO_DEVICE_STATE_PRE_COPY_P2P))
#define WALK_LOADING	BIT(VFIO_DEVICE_STATE_RESUMING)

static bool walk_opens_file(enum vfio_device_mig_state from,
			    enum vfio_device_mig_state to)
{
	return BIT(to) & WALK_LOADING ||
	       (BIT(to) & WALK_SAVING && !(BIT(from) & WALK_SAVING));
}

static struct file *walk_set_state(struct vfio_device *vdev,
				   enum vfio_device_mig_state target)
{
	struct bench_walk *walk = to_walk(vdev);
	enum vfio_device_mig_state next;
	struct file *filp = NULL;
	int ret;

	mutex_lock(&walk->lock);
	while (walk->state != target) {
		ret = vfio_mig_get_next_state(vdev, walk->state, target, &next);
		if (ret) {
			filp = ERR_PTR(ret);
			break;
		}
		if (walk_opens_file(walk->state, next)) {
			filp = anon_inode_getfile("[vfio-bench]", &walk_fops,
						  NULL, O_RDWR);
			if (IS_ERR(filp))
				break;
		}
		walk->state = next;
	}
	mutex_unlock(&walk->lock);
	return filp;
}

static int walk_get_state(struct vfio_device *vdev,
			  enum vfio_device_mig_state *state)
{
	struct bench_walk *walk = to_walk(vdev);

	mutex_lock(&walk->lock);
	*state = walk->state;
	mutex_unlock(&walk->lock);
	return 0;
}

static int walk_get_data_size(struct vfio_device *vdev, unsigned long *size)
{
	*size = 0;
	return 0;
}

static const struct vfio_migration_ops walk_migration_ops = {
	.migration_set_state = walk_set_state,
	.migration_get_state = walk_get_state,
	.migration_get_data_size = walk_get_data_size,
};

static int walk_init(struct vfio_device *vdev)
{
	struct bench_walk *walk = to_walk(vdev);

	mutex_init(&walk->lock);
	walk->state = VFIO_DEVICE_STATE_RUNNING;
	vdev->migration_flags = BENCH_FLAGS;
	vdev->mig_ops = &walk_migration_ops;
	return 0;
}

static void walk_close(struct vfio_device *vdev)
{
	to_walk(vdev)->state = VFIO_DEVICE_STATE_RUNNING;
}

static const struct vfio_device_ops walk_ops = {
	.name = "vfio_bench_walk",
	.init = walk_init,
	.close_device = walk_close,
	BENCH_EMULATED_OPS,
};

struct vfio_device *bench_walk_alloc(struct device *dev)
{
	struct bench_walk *walk;

	walk = vfio_alloc_device(bench_walk, vdev, dev, &walk_ops);
	return IS_ERR(walk) ? ERR_CAST(walk) : &walk->vdev;
}
