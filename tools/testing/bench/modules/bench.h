/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the files of vfio_bench.ko, which has two VFIO devices with all
 * migration states that do nothing in any of them.
 */
#ifndef VFIO_BENCH_H
#define VFIO_BENCH_H

#include <linux/vfio.h>

/*
 * Return a device, which the caller gives back with vfio_put_device(), or an
 * error.
 */
struct vfio_device *bench_walk_alloc(struct device *dev);
struct vfio_device *bench_library_alloc(struct device *dev);

int bench_open(struct vfio_device *vdev);

/* Operations of both devices, which differ only in migration */
#define BENCH_EMULATED_OPS						\
	.open_device = bench_open,					\
	.bind_iommufd = vfio_iommufd_emulated_bind,			\
	.unbind_iommufd = vfio_iommufd_emulated_unbind,			\
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,		\
	.detach_ioas = vfio_iommufd_emulated_detach_ioas

#define BENCH_FLAGS	(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | \
			 VFIO_MIGRATION_PRE_COPY)

#endif
