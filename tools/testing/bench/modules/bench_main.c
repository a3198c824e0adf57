// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers the two devices that the benchmark compares: vfio_bench.0 has a
 * driver that does the bare minimum (bench_walk.c), vfio_bench.1 one that uses
 * the migration library (bench_library.c).  The same source is built for the
 * distribution's vfio.ko and for that of this tree.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/platform_device.h>

#include "bench.h"

static struct vfio_device *(* const bench_alloc[])(struct device *dev) = {
	bench_walk_alloc,
	bench_library_alloc,
};

#define BENCH_DEVICES	ARRAY_SIZE(bench_alloc)

static struct platform_device *pdevs[BENCH_DEVICES];

int bench_open(struct vfio_device *vdev)
{
	return 0;
}

static int bench_probe(struct platform_device *pdev)
{
	struct vfio_device *vdev;
	int ret;

	vdev = bench_alloc[pdev->id](&pdev->dev);
	if (IS_ERR(vdev))
		return PTR_ERR(vdev);
	ret = vfio_register_emulated_iommu_dev(vdev);
	if (ret) {
		vfio_put_device(vdev);
		return ret;
	}
	platform_set_drvdata(pdev, vdev);
	return 0;
}

static void bench_remove(struct platform_device *pdev)
{
	struct vfio_device *vdev = platform_get_drvdata(pdev);

	vfio_unregister_group_dev(vdev);
	vfio_put_device(vdev);
}

/* Linux's vfio.ko opens only devices that have a driver. */
static struct platform_driver bench_driver = {
	.probe = bench_probe,
	.remove = bench_remove,
	.driver.name = "vfio_bench",
};

static void bench_unregister(unsigned int count)
{
	while (count--)
		platform_device_unregister(pdevs[count]);
	platform_driver_unregister(&bench_driver);
}

static int __init bench_init(void)
{
	unsigned int i;
	int ret;

	ret = platform_driver_register(&bench_driver);
	if (ret)
		return ret;
	for (i = 0; i < BENCH_DEVICES; i++) {
		pdevs[i] = platform_device_register_simple("vfio_bench", i,
							   NULL, 0);
		if (IS_ERR(pdevs[i])) {
			bench_unregister(i);
			return PTR_ERR(pdevs[i]);
		}
	}
	return 0;
}

static void __exit bench_exit(void)
{
	bench_unregister(BENCH_DEVICES);
}

module_init(bench_init);
module_exit(bench_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("VFIO devices that do nothing, for benchmarks");
