// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device with all states whose driver's functions fail or take long, as
 * module parameters say: tests how the migration library handles that.  Other
 * parameters count what was called.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>
#include <linux/vfio.h>
#include <linux/vfio_migration.h>

static unsigned int fail_save;
module_param(fail_save, uint, 0644);
MODULE_PARM_DESC(fail_save, "State in which the next save fails in its middle");

static unsigned int more_saves;
module_param(more_saves, uint, 0644);
MODULE_PARM_DESC(more_saves, "How often save() returns 1 in STOP_COPY");

static bool hold;
module_param(hold, bool, 0644);
MODULE_PARM_DESC(hold, "Loads, and the arc PRE_COPY -> PRE_COPY_P2P, wait until this is cleared");

static unsigned int load_ms;
module_param(load_ms, uint, 0644);
MODULE_PARM_DESC(load_ms, "Milliseconds that each load takes");

static unsigned int held;
module_param(held, uint, 0444);
MODULE_PARM_DESC(held, "Functions that wait for hold to be cleared");

static unsigned int loads;
module_param(loads, uint, 0444);
MODULE_PARM_DESC(loads, "Calls of load() for records of work");

static int begun;
module_param(begun, int, 0444);
MODULE_PARM_DESC(begun, "Sessions that arcs have begun and not undone");

static unsigned int shared;
module_param(shared, uint, 0444);
MODULE_PARM_DESC(shared, "Exclusive arcs taken without the lock for writing");

struct faulty {
	struct vfio_device vdev;
	struct vfio_migration mig;
	struct rw_semaphore memory_lock;
	bool dirty;		/* there is work to be streamed; mig.lock */
};

static struct faulty *to_faulty(struct vfio_device *vdev)
{
	return container_of(vdev, struct faulty, vdev);
}

static struct faulty *mig_to_faulty(struct vfio_migration *mig)
{
	return container_of(mig, struct faulty, mig);
}

/* Bounded, so that the machine does not hang if the test dies. */
static void wait_while_held(void)
{
	unsigned int tries = 6000;

	held++;
	while (READ_ONCE(hold) && tries--)
		usleep_range(5000, 10000);
	held--;
}

/* ---- Migration ---- */

#define RECORD_WORK	2

static const struct vfio_mig_record_type faulty_records[] = {
	{
		.type = VFIO_MIG_RECORD_IDENTITY,
		.version = 1,
		.flags = VFIO_MIG_TYPE_REQUIRED,
	}, {
		.type = RECORD_WORK,
		.version = 1,
		.flags = VFIO_MIG_TYPE_REPEATS,
		.min_length = sizeof(__le64),
		.max_length = sizeof(__le64),
	},
};

static int write_work(struct vfio_mig_writer *to)
{
	static const __le64 work;

	return vfio_mig_write_record(to, RECORD_WORK, 1, 0, &work,
				     sizeof(work));
}

/* A whole record and half of one are written before the failure. */
static int faulty_save(struct vfio_migration *mig, struct vfio_mig_writer *to)
{
	struct faulty *faulty = mig_to_faulty(mig);
	int ret = 0;

	if (!to->bytes)
		ret = vfio_mig_write_record(to, VFIO_MIG_RECORD_IDENTITY, 1,
					    VFIO_MIG_RECORD_MANDATORY, NULL, 0);
	ret = ret ?: write_work(to);
	if (!ret && fail_save == mig->state && !more_saves) {
		fail_save = VFIO_DEVICE_STATE_ERROR;
		return vfio_mig_record_begin(to, RECORD_WORK, 1, 0,
					     sizeof(__le64)) ?: -ENOSPC;
	}
	faulty->dirty = false;
	if (!ret && mig->state == VFIO_DEVICE_STATE_STOP_COPY && more_saves) {
		more_saves--;
		return 1;
	}
	return ret;
}

static u64 faulty_pending(struct vfio_migration *mig)
{
	return mig_to_faulty(mig)->dirty ?
	       vfio_mig_record_size(sizeof(__le64)) : 0;
}

static int faulty_load(struct vfio_migration *mig,
		       const struct vfio_mig_payload *payload, const char **why)
{
	if (payload->type->type != RECORD_WORK)
		return 0;
	loads++;
	if (load_ms)
		msleep(load_ms);
	wait_while_held();
	return 0;
}

static int begin(struct vfio_migration *mig)
{
	begun++;
	return 0;
}

static void check_exclusive(struct vfio_migration *mig)
{
	struct rw_semaphore *lock = mig->memory_lock;

	if (down_read_trylock(lock)) {
		up_read(lock);
		shared++;
	}
}

static int undo(struct vfio_migration *mig)
{
	begun--;
	check_exclusive(mig);
	return 0;
}

static int exclusive(struct vfio_migration *mig)
{
	check_exclusive(mig);
	wait_while_held();
	return 0;
}

static const struct vfio_mig_arc faulty_arcs[] = {
	VFIO_MIG_ARC(RUNNING,		RUNNING_P2P),
	VFIO_MIG_ARC(RUNNING_P2P,	RUNNING),
	VFIO_MIG_ARC(RUNNING_P2P,	STOP),
	VFIO_MIG_ARC(STOP,		RUNNING_P2P),
	VFIO_MIG_ARC(STOP,		STOP_COPY,	begin),
	VFIO_MIG_ARC(STOP_COPY,		STOP,		undo, VFIO_MIG_ARC_EXCLUSIVE),
	VFIO_MIG_ARC(STOP,		RESUMING),
	VFIO_MIG_ARC(RESUMING,		STOP),

	VFIO_MIG_ARC(RUNNING,		PRE_COPY,	begin),
	VFIO_MIG_ARC(PRE_COPY,		RUNNING,	undo, VFIO_MIG_ARC_EXCLUSIVE),
	VFIO_MIG_ARC(RUNNING_P2P,	PRE_COPY_P2P,	begin),
	VFIO_MIG_ARC(PRE_COPY_P2P,	RUNNING_P2P,	undo, VFIO_MIG_ARC_EXCLUSIVE),
	VFIO_MIG_ARC(PRE_COPY,		PRE_COPY_P2P,	exclusive, VFIO_MIG_ARC_EXCLUSIVE),
	VFIO_MIG_ARC(PRE_COPY_P2P,	PRE_COPY),
	VFIO_MIG_ARC(PRE_COPY_P2P,	STOP_COPY),
};

static unsigned long faulty_data_size(struct vfio_migration *mig)
{
	return SZ_4K;
}

static void faulty_quiesce(struct vfio_migration *mig)
{
}

static void faulty_reset(struct vfio_migration *mig)
{
	begun = 0;
}

static const struct vfio_mig_driver faulty_migration = {
	.flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P |
		 VFIO_MIGRATION_PRE_COPY,
	.arcs = faulty_arcs,
	.nr_arcs = ARRAY_SIZE(faulty_arcs),
	.format = "faulty",
	.format_version = 1,
	.records = faulty_records,
	.nr_records = ARRAY_SIZE(faulty_records),
	.save = faulty_save,
	.pending = faulty_pending,
	.load = faulty_load,
	.data_size = faulty_data_size,
	.quiesce = faulty_quiesce,
	.reset = faulty_reset,
};

/* ---- The device file ---- */

/* Whatever is written, there is work to be streamed. */
static ssize_t faulty_write(struct vfio_device *vdev, const char __user *buf,
			    size_t count, loff_t *pos)
{
	struct faulty *faulty = to_faulty(vdev);

	mutex_lock(&faulty->mig.lock);
	faulty->dirty = true;
	vfio_mig_changed(&faulty->mig);
	mutex_unlock(&faulty->mig.lock);
	return count;
}

static long faulty_ioctl(struct vfio_device *vdev, unsigned int cmd,
			 unsigned long arg)
{
	struct faulty *faulty = to_faulty(vdev);

	if (cmd != VFIO_DEVICE_RESET)
		return -ENOTTY;
	vfio_mig_reset_prepare(&faulty->mig);
	vfio_mig_reset_done(&faulty->mig);
	return 0;
}

static int faulty_open(struct vfio_device *vdev)
{
	return 0;
}

static void faulty_close(struct vfio_device *vdev)
{
	vfio_mig_close(&to_faulty(vdev)->mig);
}

/* ---- Life ---- */

static int faulty_init(struct vfio_device *vdev)
{
	struct faulty *faulty = to_faulty(vdev);

	init_rwsem(&faulty->memory_lock);
	return vfio_mig_init(&faulty->mig, vdev, &faulty->memory_lock,
			     &faulty_migration);
}

static void faulty_release(struct vfio_device *vdev)
{
	vfio_mig_release(&to_faulty(vdev)->mig);
}

static const struct vfio_device_ops faulty_ops = {
	.name = "vfio_faulty",
	.init = faulty_init,
	.release = faulty_release,
	.open_device = faulty_open,
	.close_device = faulty_close,
	.write = faulty_write,
	.ioctl = faulty_ioctl,
	.bind_iommufd = vfio_iommufd_emulated_bind,
	.unbind_iommufd = vfio_iommufd_emulated_unbind,
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
};

static int faulty_probe(struct platform_device *pdev)
{
	struct faulty *faulty;
	int ret;

	faulty = vfio_alloc_device(faulty, vdev, &pdev->dev, &faulty_ops);
	if (IS_ERR(faulty))
		return PTR_ERR(faulty);
	platform_set_drvdata(pdev, faulty);
	ret = vfio_register_emulated_iommu_dev(&faulty->vdev);
	if (ret)
		vfio_put_device(&faulty->vdev);
	return ret;
}

static void faulty_remove(struct platform_device *pdev)
{
	struct faulty *faulty = platform_get_drvdata(pdev);

	vfio_unregister_group_dev(&faulty->vdev);
	vfio_put_device(&faulty->vdev);
}

static struct platform_driver faulty_driver = {
	.remove = faulty_remove,
	.driver.name = "vfio_faulty",
};

static struct platform_device *faulty_pdev;

static int __init faulty_module_init(void)
{
	faulty_pdev = platform_create_bundle(&faulty_driver, faulty_probe,
					     NULL, 0, NULL, 0);
	return PTR_ERR_OR_ZERO(faulty_pdev);
}

static void __exit faulty_module_exit(void)
{
	platform_device_unregister(faulty_pdev);
	platform_driver_unregister(&faulty_driver);
}

module_init(faulty_module_init);
module_exit(faulty_module_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("VFIO device whose driver fails, for selftests");
