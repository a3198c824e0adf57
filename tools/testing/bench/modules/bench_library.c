// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that uses the migration library, whose arcs do nothing and which has
 * no state.  The library costs what a state change costs more here than in
 * bench_walk.c.
 */
#include <linux/module.h>
#include <linux/vfio_migration.h>

#include "bench.h"

struct bench_library {
	struct vfio_device vdev;
	struct vfio_migration mig;
};

static struct bench_library *to_library(struct vfio_device *vdev)
{
	return container_of(vdev, struct bench_library, vdev);
}

static const struct vfio_mig_arc library_arcs[] = {
	VFIO_MIG_ARC(RUNNING, RUNNING_P2P),
	VFIO_MIG_ARC(RUNNING_P2P, RUNNING),
	VFIO_MIG_ARC(RUNNING_P2P, STOP),
	VFIO_MIG_ARC(STOP, RUNNING_P2P),
	VFIO_MIG_ARC(STOP, STOP_COPY),
	VFIO_MIG_ARC(STOP_COPY, STOP),
	VFIO_MIG_ARC(STOP, RESUMING),
	VFIO_MIG_ARC(RESUMING, STOP),
	VFIO_MIG_ARC(RUNNING, PRE_COPY),
	VFIO_MIG_ARC(PRE_COPY, RUNNING),
	VFIO_MIG_ARC(RUNNING_P2P, PRE_COPY_P2P),
	VFIO_MIG_ARC(PRE_COPY_P2P, RUNNING_P2P),
	VFIO_MIG_ARC(PRE_COPY, PRE_COPY_P2P),
	VFIO_MIG_ARC(PRE_COPY_P2P, PRE_COPY),
	VFIO_MIG_ARC(PRE_COPY_P2P, STOP_COPY),
};

static int library_save(struct vfio_migration *mig, struct vfio_mig_writer *to)
{
	return 0;
}

static unsigned long library_data_size(struct vfio_migration *mig)
{
	return 0;
}

static void library_nothing(struct vfio_migration *mig)
{
}

static const struct vfio_mig_driver library_migration = {
	.flags = BENCH_FLAGS,
	.arcs = library_arcs,
	.nr_arcs = ARRAY_SIZE(library_arcs),
	.save = library_save,
	.data_size = library_data_size,
	.quiesce = library_nothing,
	.reset = library_nothing,
};

static int library_init(struct vfio_device *vdev)
{
	return vfio_mig_init(&to_library(vdev)->mig, vdev, NULL,
			     &library_migration);
}

static void library_release(struct vfio_device *vdev)
{
	vfio_mig_release(&to_library(vdev)->mig);
}

static void library_close(struct vfio_device *vdev)
{
	vfio_mig_close(&to_library(vdev)->mig);
}

static const struct vfio_device_ops library_ops = {
	.name = "vfio_bench_library",
	.init = library_init,
	.release = library_release,
	.close_device = library_close,
	BENCH_EMULATED_OPS,
};

struct vfio_device *bench_library_alloc(struct device *dev)
{
	struct bench_library *library;

	library = vfio_alloc_device(bench_library, vdev, dev, &library_ops);
	return IS_ERR(library) ? ERR_CAST(library) : &library->vdev;
}
