// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device with a large state without a meaning: tests what the migration
 * library does with gigabytes, and with a stream without records.  The state is
 * a pattern, produced as it is read and checked when it is loaded.
 *
 * Before it registers, it offers drivers to the library that must be refused.
 */
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vfio.h>
#include <linux/vfio_migration.h>

static ulong size = SZ_1G;
module_param(size, ulong, 0444);
MODULE_PARM_DESC(size, "Bytes of state, a multiple of 64 KiB");

static ulong step = SZ_1M;
module_param(step, ulong, 0444);
MODULE_PARM_DESC(step, "Bytes that are produced at a time, likewise");

#define BLOCK	SZ_64K

struct bulk {
	struct vfio_device vdev;
	struct vfio_migration mig;
	u64 *block;		/* BLOCK bytes; under mig.lock */
};

static struct bulk *to_bulk(struct vfio_device *vdev)
{
	return container_of(vdev, struct bulk, vdev);
}

/* The first word of a block is its number; the rest is 0. */
static int bulk_save(struct vfio_migration *mig, struct vfio_mig_writer *to)
{
	struct bulk *bulk = container_of(mig, struct bulk, mig);
	u64 end = min_t(u64, size, to->bytes + step);
	int ret;

	while (to->bytes < end) {
		bulk->block[0] = to->bytes / BLOCK;
		ret = vfio_mig_write(to, bulk->block, BLOCK);
		if (ret)
			return ret;
	}
	return end < size;
}

/* RESUMING -> STOP */
static int bulk_load(struct vfio_migration *mig)
{
	u64 pos, first;

	if (vfio_mig_loaded(mig) != size)
		return -EINVAL;
	for (pos = 0; pos < size; pos += BLOCK) {
		if (vfio_mig_read_loaded(mig, pos, &first, sizeof(first)) ||
		    first != pos / BLOCK)
			return -EINVAL;
	}
	return 0;
}

static const struct vfio_mig_arc bulk_arcs[] = {
	VFIO_MIG_ARC(RUNNING, STOP),
	VFIO_MIG_ARC(STOP, RUNNING),
	VFIO_MIG_ARC(STOP, STOP_COPY),
	VFIO_MIG_ARC(STOP_COPY, STOP),
	VFIO_MIG_ARC(STOP, RESUMING),
	VFIO_MIG_ARC(RESUMING, STOP, bulk_load),
	/* Beyond what a device with STOP_COPY alone has */
	VFIO_MIG_ARC(RUNNING, PRE_COPY),
};

#define BULK_ARCS	(ARRAY_SIZE(bulk_arcs) - 1)

static unsigned long bulk_data_size(struct vfio_migration *mig)
{
	return size;
}

static void bulk_nothing(struct vfio_migration *mig)
{
}

#define BULK_MIGRATION						\
	.flags = VFIO_MIGRATION_STOP_COPY,			\
	.arcs = bulk_arcs,					\
	.save = bulk_save,					\
	.data_size = bulk_data_size,				\
	.quiesce = bulk_nothing,				\
	.reset = bulk_nothing

static struct vfio_mig_driver bulk_migration = {
	BULK_MIGRATION,
	.nr_arcs = BULK_ARCS,
};

/* Each of these lacks something that a user would call. */
static const struct vfio_mig_driver bulk_wrong[] = {
	{ BULK_MIGRATION, .nr_arcs = BULK_ARCS - 1 },
	{ BULK_MIGRATION, .nr_arcs = BULK_ARCS + 1 },
	{ BULK_MIGRATION, .nr_arcs = BULK_ARCS, .format = "no records" },
	{ .flags = VFIO_MIGRATION_STOP_COPY, .arcs = bulk_arcs,
	  .nr_arcs = BULK_ARCS },
	{ .flags = VFIO_MIGRATION_PRE_COPY, .arcs = bulk_arcs,
	  .nr_arcs = BULK_ARCS },
};

static int bulk_check_refusals(struct bulk *bulk)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bulk_wrong); i++) {
		if (vfio_mig_init(&bulk->mig, &bulk->vdev, NULL,
				  &bulk_wrong[i]) == -EINVAL)
			continue;
		pr_err("vfio_bulk: driver %u with a gap was accepted\n", i);
		return -EPROTO;
	}
	return 0;
}

static long bulk_ioctl(struct vfio_device *vdev, unsigned int cmd,
		       unsigned long arg)
{
	struct bulk *bulk = to_bulk(vdev);

	if (cmd != VFIO_DEVICE_RESET)
		return -ENOTTY;
	vfio_mig_reset_prepare(&bulk->mig);
	vfio_mig_reset_done(&bulk->mig);
	return 0;
}

static int bulk_open(struct vfio_device *vdev)
{
	return 0;
}

static void bulk_close(struct vfio_device *vdev)
{
	vfio_mig_close(&to_bulk(vdev)->mig);
}

static int bulk_init(struct vfio_device *vdev)
{
	struct bulk *bulk = to_bulk(vdev);
	int ret;

	bulk_migration.max_bytes = size;
	bulk->block = kzalloc(BLOCK, GFP_KERNEL);
	if (!bulk->block)
		return -ENOMEM;
	ret = bulk_check_refusals(bulk);
	if (!ret)
		ret = vfio_mig_init(&bulk->mig, vdev, NULL, &bulk_migration);
	if (ret)
		kfree(bulk->block);
	return ret;
}

static void bulk_release(struct vfio_device *vdev)
{
	vfio_mig_release(&to_bulk(vdev)->mig);
	kfree(to_bulk(vdev)->block);
}

static const struct vfio_device_ops bulk_ops = {
	.name = "vfio_bulk",
	.init = bulk_init,
	.release = bulk_release,
	.open_device = bulk_open,
	.close_device = bulk_close,
	.ioctl = bulk_ioctl,
	.bind_iommufd = vfio_iommufd_emulated_bind,
	.unbind_iommufd = vfio_iommufd_emulated_unbind,
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
};

static int bulk_probe(struct platform_device *pdev)
{
	struct bulk *bulk;
	int ret;

	bulk = vfio_alloc_device(bulk, vdev, &pdev->dev, &bulk_ops);
	if (IS_ERR(bulk))
		return PTR_ERR(bulk);
	platform_set_drvdata(pdev, bulk);
	ret = vfio_register_emulated_iommu_dev(&bulk->vdev);
	if (ret)
		vfio_put_device(&bulk->vdev);
	return ret;
}

static void bulk_remove(struct platform_device *pdev)
{
	struct bulk *bulk = platform_get_drvdata(pdev);

	vfio_unregister_group_dev(&bulk->vdev);
	vfio_put_device(&bulk->vdev);
}

static struct platform_driver bulk_driver = {
	.remove = bulk_remove,
	.driver.name = "vfio_bulk",
};

static struct platform_device *bulk_pdev;

static int __init bulk_module_init(void)
{
	if (!size || size % BLOCK || !step || step % BLOCK)
		return -EINVAL;
	bulk_pdev = platform_create_bundle(&bulk_driver, bulk_probe,
					   NULL, 0, NULL, 0);
	return PTR_ERR_OR_ZERO(bulk_pdev);
}

static void __exit bulk_module_exit(void)
{
	platform_device_unregister(bulk_pdev);
	platform_driver_unregister(&bulk_driver);
}

module_init(bulk_module_init);
module_exit(bulk_module_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("VFIO device with a large state, for selftests");
