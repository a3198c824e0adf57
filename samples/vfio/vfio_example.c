// SPDX-License-Identifier: GPL-2.0-only
/*
 * An example of a driver with migration: a virtual device that consists of
 * memory, which its user reads and writes.  The memory is the device's state.
 * Has no DMA, interrupts or P2P states.
 *
 * Documentation/driver-api/vfio-migration.rst explains it.
 */
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>
#include <linux/vfio_migration.h>
#include <linux/vmalloc.h>

static unsigned int size = 1 << 20;
module_param(size, uint, 0444);
MODULE_PARM_DESC(size, "Bytes of memory that the device has");

struct example {
	struct vfio_device vdev;
	struct vfio_migration mig;
	u8 *memory;		/* protected by mig.lock */
	u8 *incoming;		/* data of a load, protected by mig.lock */
};

static struct example *to_example(struct vfio_device *vdev)
{
	return container_of(vdev, struct example, vdev);
}

/* ---- Migration ---- */

#define RECORD_MEMORY	2

static const struct vfio_mig_record_type example_records[] = {
	{
		.type = VFIO_MIG_RECORD_IDENTITY,
		.version = 1,
		.flags = VFIO_MIG_TYPE_REQUIRED,
		.min_length = sizeof(__le32),
		.max_length = sizeof(__le32),
	}, {
		.type = RECORD_MEMORY,
		.version = 1,
		.flags = VFIO_MIG_TYPE_REQUIRED,
		.max_length = U32_MAX,
	},
};

/* The identity record has the size of the memory. */
static int example_save(struct vfio_migration *mig, struct vfio_mig_writer *to)
{
	struct example *ex = container_of(mig, struct example, mig);
	__le32 identity = cpu_to_le32(size);

	return vfio_mig_write_record(to, VFIO_MIG_RECORD_IDENTITY, 1,
				     VFIO_MIG_RECORD_MANDATORY, &identity,
				     sizeof(identity)) ?:
	       vfio_mig_write_record(to, RECORD_MEMORY, 1,
				     VFIO_MIG_RECORD_MANDATORY, ex->memory,
				     size);
}

static int example_load(struct vfio_migration *mig,
			const struct vfio_mig_payload *payload,
			const char **why)
{
	struct example *ex = container_of(mig, struct example, mig);
	__le32 identity;

	if (payload->type->type == VFIO_MIG_RECORD_IDENTITY) {
		memcpy(&identity, payload->data, sizeof(identity));
		if (le32_to_cpu(identity) == size)
			return 0;
		*why = "its device has another size of memory";
		return -EINVAL;
	}
	if (payload->length != size) {
		*why = "its memory has another size than its identity says";
		return -EINVAL;
	}
	memcpy(ex->incoming + payload->offset, payload->data, payload->len);
	return 0;
}

/* RESUMING -> STOP: the loaded data becomes the device's memory. */
static int example_load_done(struct vfio_migration *mig)
{
	struct example *ex = container_of(mig, struct example, mig);

	swap(ex->memory, ex->incoming);
	return 0;
}

/* The device does nothing on its own, so RUNNING -> STOP needs no function. */
static const struct vfio_mig_arc example_arcs[] = {
	VFIO_MIG_ARC(RUNNING, STOP),
	VFIO_MIG_ARC(STOP, RUNNING),
	VFIO_MIG_ARC(STOP, STOP_COPY),
	VFIO_MIG_ARC(STOP_COPY, STOP),
	VFIO_MIG_ARC(STOP, RESUMING),
	VFIO_MIG_ARC(RESUMING, STOP, example_load_done),
};

static unsigned long example_data_size(struct vfio_migration *mig)
{
	return sizeof(struct vfio_mig_stream_header) +
	       vfio_mig_record_size(sizeof(__le32)) +
	       vfio_mig_record_size(size) + vfio_mig_record_size(0);
}

static void example_quiesce(struct vfio_migration *mig)
{
}

static void example_reset(struct vfio_migration *mig)
{
	struct example *ex = container_of(mig, struct example, mig);

	memset(ex->memory, 0, size);
}

static const struct vfio_mig_driver example_migration = {
	.flags = VFIO_MIGRATION_STOP_COPY,
	.arcs = example_arcs,
	.nr_arcs = ARRAY_SIZE(example_arcs),
	.format = "example",
	.format_version = 1,
	.records = example_records,
	.nr_records = ARRAY_SIZE(example_records),
	.save = example_save,
	.load = example_load,
	.data_size = example_data_size,
	.quiesce = example_quiesce,
	.reset = example_reset,
};

/* ---- The device file ---- */

/* User memory is not accessed with the state lock held: copy page by page. */
static ssize_t example_access(struct vfio_device *vdev, char __user *to,
			      const char __user *from, size_t count,
			      loff_t *pos)
{
	struct example *ex = to_example(vdev);
	u8 *page;

	if (*pos < 0 || *pos >= size)
		return -EINVAL;
	count = min3(count, (size_t)(size - *pos), PAGE_SIZE);
	page = kmalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	if (!page || (from && copy_from_user(page, from, count))) {
		kfree(page);
		return page ? -EFAULT : -ENOMEM;
	}
	mutex_lock(&ex->mig.lock);
	if (from && vfio_mig_is_running(&ex->mig))
		memcpy(ex->memory + *pos, page, count);
	else if (to)
		memcpy(page, ex->memory + *pos, count);
	mutex_unlock(&ex->mig.lock);
	if (to && copy_to_user(to, page, count))
		count = -EFAULT;
	else
		*pos += count;
	kfree(page);
	return count;
}

static ssize_t example_read(struct vfio_device *vdev, char __user *buf,
			    size_t count, loff_t *pos)
{
	return example_access(vdev, buf, NULL, count, pos);
}

static ssize_t example_write(struct vfio_device *vdev, const char __user *buf,
			     size_t count, loff_t *pos)
{
	return example_access(vdev, NULL, buf, count, pos);
}

static long example_ioctl(struct vfio_device *vdev, unsigned int cmd,
			  unsigned long arg)
{
	struct example *ex = to_example(vdev);

	if (cmd != VFIO_DEVICE_RESET)
		return -ENOTTY;
	vfio_mig_reset_prepare(&ex->mig);
	vfio_mig_reset_done(&ex->mig);
	return 0;
}

static int example_open(struct vfio_device *vdev)
{
	return 0;
}

static void example_close(struct vfio_device *vdev)
{
	vfio_mig_close(&to_example(vdev)->mig);
}

/* ---- Life cycle ---- */

static int example_init(struct vfio_device *vdev)
{
	struct example *ex = to_example(vdev);
	int ret;

	ex->memory = vzalloc(size);
	ex->incoming = vzalloc(size);
	ret = ex->memory && ex->incoming ?
		vfio_mig_init(&ex->mig, vdev, NULL, &example_migration) :
		-ENOMEM;
	if (ret) {
		vfree(ex->memory);
		vfree(ex->incoming);
	}
	return ret;
}

static void example_release(struct vfio_device *vdev)
{
	struct example *ex = to_example(vdev);

	vfio_mig_release(&ex->mig);
	vfree(ex->memory);
	vfree(ex->incoming);
}

static const struct vfio_device_ops example_ops = {
	.name = "vfio_example",
	.init = example_init,
	.release = example_release,
	.open_device = example_open,
	.close_device = example_close,
	.read = example_read,
	.write = example_write,
	.ioctl = example_ioctl,
	.bind_iommufd = vfio_iommufd_emulated_bind,
	.unbind_iommufd = vfio_iommufd_emulated_unbind,
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
};

static int example_probe(struct platform_device *pdev)
{
	struct example *ex;
	int ret;

	ex = vfio_alloc_device(example, vdev, &pdev->dev, &example_ops);
	if (IS_ERR(ex))
		return PTR_ERR(ex);
	platform_set_drvdata(pdev, ex);
	ret = vfio_register_emulated_iommu_dev(&ex->vdev);
	if (ret)
		vfio_put_device(&ex->vdev);
	return ret;
}

static void example_remove(struct platform_device *pdev)
{
	struct example *ex = platform_get_drvdata(pdev);

	vfio_unregister_group_dev(&ex->vdev);
	vfio_put_device(&ex->vdev);
}

/*
 * An open VFIO device holds a reference to the module of its parent's driver.
 */
static struct platform_driver example_driver = {
	.remove = example_remove,
	.driver.name = "vfio_example",
};

static struct platform_device *example_pdev;

static int __init example_module_init(void)
{
	example_pdev = platform_create_bundle(&example_driver, example_probe,
					      NULL, 0, NULL, 0);
	return PTR_ERR_OR_ZERO(example_pdev);
}

static void __exit example_module_exit(void)
{
	platform_device_unregister(example_pdev);
	platform_driver_unregister(&example_driver);
}

module_init(example_module_init);
module_exit(example_module_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Example of a VFIO driver with migration");
