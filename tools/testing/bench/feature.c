// SPDX-License-Identifier: GPL-2.0-only
/*
 * What VFIO_DEVICE_FEATURE costs for features that do next to nothing: on the
 * device of bench_walk.c, and for one feature of vfio-pci on a PCI function.
 */
#include <stdio.h>

#include "count.h"
#include "device.h"
#include "mock.h"
#include "sysfs.h"
#include "util.h"

#define ROUNDS	2000

static void measure(const struct vdev *v, uint32_t flags, size_t size,
		    const char *what)
{
	static struct count call;
	union {
		struct vfio_device_feature feature;
		uint64_t room[8];
	} arg = {};
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		arg.feature.argsz = sizeof(arg.feature) + size;
		arg.feature.flags = flags;
		count_begin(&call);
		must(sys_ioctl(v->fd, VFIO_DEVICE_FEATURE, &arg));
		count_end(&call);
	}
	report(count_average(&call), "call", "feature %s", what);
}

#define PROBE_GET(name) \
	(VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET | \
	 VFIO_DEVICE_FEATURE_##name)
#define GET(name) \
	(VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_##name)

int main(int argc, char **argv)
{
	struct vdev v;

	if (argc != 3) {
		fprintf(stderr, "usage: feature FUNCTION BENCH-DEVICE\n");
		return 2;
	}
	count_init();
	platform_open(&v, argv[2]);
	measure(&v, PROBE_GET(MIGRATION), 0, "PROBE, MIGRATION");
	measure(&v, GET(MIGRATION),
		sizeof(struct vfio_device_feature_migration),
		"GET, MIGRATION");
	measure(&v, GET(MIG_DEVICE_STATE),
		sizeof(struct vfio_device_feature_mig_state),
		"GET, MIG_DEVICE_STATE");
	measure(&v, GET(MIG_DATA_SIZE),
		sizeof(struct vfio_device_feature_mig_data_size),
		"GET, MIG_DATA_SIZE");
	vdev_close(&v);
	vdev_open(&v, argv[1], DRV_VFIO_PCI);
	measure(&v, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET |
		VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, 0,
		"PROBE, LOW_POWER_ENTRY");
	vdev_close(&v);
	return 0;
}
