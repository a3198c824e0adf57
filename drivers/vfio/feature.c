// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_DEVICE_FEATURE: one table of the features that the core serves itself.
 * Checks and the user copies of payloads are done here; mig_features.c and
 * dma_logging.c do the work on kernel memory.  A feature that is not in the
 * table is the driver's.
 */
#include <linux/array_size.h>
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/stddef.h>
#include <linux/uaccess.h>

#include "private.h"

/**
 * struct vfio_feature - a feature that the core serves
 * @number: VFIO_DEVICE_FEATURE_*
 * @ops: VFIO_DEVICE_FEATURE_GET, _SET: what the feature supports
 * @size: bytes of payload
 * @logging: devices with log_ops have it; otherwise devices with mig_ops
 * @needs: VFIO_MIGRATION_* flags that a device must have to have it
 * @call: carry out @op, one of @ops; @arg is the payload, of @size bytes
 */
struct vfio_feature {
	u32 number;
	u32 ops;
	size_t size;
	bool logging;
	u32 needs;
	int (*call)(struct vfio_device *device, u32 op, void __user *arg);
};

static int vfio_feature_migration(struct vfio_device *device, u32 op,
				  void __user *arg)
{
	struct vfio_device_feature_migration __user *migration = arg;

	return put_user(device->migration_flags, &migration->flags);
}

static int
vfio_feature_get_state(struct vfio_device *device,
		       struct vfio_device_feature_mig_state __user *arg)
{
	enum vfio_device_mig_state state;
	int ret;

	ret = device->mig_ops->migration_get_state(device, &state);
	if (ret)
		return ret;
	if (put_user(state, &arg->device_state))
		return -EFAULT;
	return put_user(-1, &arg->data_fd);
}

/*
 * data_fd = -1 is written before anything is done.  So if the payload cannot be
 * written, nothing changes, and after an error user space finds no fd.
 */
static int
vfio_feature_set_state(struct vfio_device *device,
		       struct vfio_device_feature_mig_state __user *arg)
{
	struct vfio_data_fd new = { .fd = -EBADF };
	u32 state;
	int ret;

	if (get_user(state, &arg->device_state) || put_user(-1, &arg->data_fd))
		return -EFAULT;

	ret = vfio_migration_set_state(device, state, &new);
	if (!ret && new.file) {
		ret = put_user(new.fd, &arg->data_fd);
		if (!ret) {
			fd_install(new.fd, new.file);
			return 0;
		}
	}

	if (new.fd >= 0)
		put_unused_fd(new.fd);
	if (new.file)
		fput(new.file);
	return ret;
}

static int vfio_feature_mig_state(struct vfio_device *device, u32 op,
				  void __user *arg)
{
	if (op == VFIO_DEVICE_FEATURE_GET)
		return vfio_feature_get_state(device, arg);
	return vfio_feature_set_state(device, arg);
}

static int vfio_feature_data_size(struct vfio_device *device, u32 op,
				  void __user *arg)
{
	struct vfio_device_feature_mig_data_size __user *size = arg;
	unsigned long length = 0;
	int ret;

	ret = device->mig_ops->migration_get_data_size(device, &length);
	if (ret)
		return ret;
	return put_user(length, &size->stop_copy_length);
}

static int vfio_feature_precopy_info_v2(struct vfio_device *device, u32 op,
					void __user *arg)
{
	vfio_migration_set_precopy_info_v2(device, true);
	return 0;
}

/*
 * The payload is written back unchanged first, so that logging does not start
 * if the payload cannot be written.
 */
static int vfio_feature_log_start(struct vfio_device *device, u32 op,
				  void __user *arg)
{
	struct vfio_device_feature_dma_logging_control control;
	u64 session;
	int ret;

	if (copy_from_user(&control, arg, sizeof(control)) ||
	    copy_to_user(arg, &control, sizeof(control)))
		return -EFAULT;

	ret = vfio_dma_logging_start(device, &control, &session);
	if (ret)
		return ret;
	if (copy_to_user(arg, &control, sizeof(control))) {
		vfio_dma_logging_undo_start(device, session);
		return -EFAULT;
	}
	return 0;
}

static int vfio_feature_log_stop(struct vfio_device *device, u32 op,
				 void __user *arg)
{
	return vfio_dma_logging_stop(device);
}

/* The payload is only read: it says where the bitmap goes. */
static int vfio_feature_log_report(struct vfio_device *device, u32 op,
				   void __user *arg)
{
	struct vfio_device_feature_dma_logging_report report;

	if (copy_from_user(&report, arg, sizeof(report)))
		return -EFAULT;
	return vfio_dma_logging_report(device, &report);
}

static const struct vfio_feature vfio_features[] = {
	{
		.number = VFIO_DEVICE_FEATURE_MIGRATION,
		.ops = VFIO_DEVICE_FEATURE_GET,
		.size = sizeof(struct vfio_device_feature_migration),
		.call = vfio_feature_migration,
	}, {
		.number = VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
		.ops = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET,
		.size = sizeof(struct vfio_device_feature_mig_state),
		.call = vfio_feature_mig_state,
	}, {
		.number = VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
		.ops = VFIO_DEVICE_FEATURE_GET,
		.size = sizeof(struct vfio_device_feature_mig_data_size),
		.call = vfio_feature_data_size,
	}, {
		.number = VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2,
		.ops = VFIO_DEVICE_FEATURE_SET,
		.needs = VFIO_MIGRATION_PRE_COPY,
		.call = vfio_feature_precopy_info_v2,
	}, {
		.number = VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
		.ops = VFIO_DEVICE_FEATURE_SET,
		.size = sizeof(struct vfio_device_feature_dma_logging_control),
		.logging = true,
		.call = vfio_feature_log_start,
	}, {
		.number = VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP,
		.ops = VFIO_DEVICE_FEATURE_SET,
		.logging = true,
		.call = vfio_feature_log_stop,
	}, {
		.number = VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
		.ops = VFIO_DEVICE_FEATURE_GET,
		.size = sizeof(struct vfio_device_feature_dma_logging_report),
		.logging = true,
		.call = vfio_feature_log_report,
	},
};

static const struct vfio_feature *vfio_find_feature(u32 number)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vfio_features); i++)
		if (vfio_features[i].number == number)
			return &vfio_features[i];
	return NULL;
}

static bool vfio_has_feature(struct vfio_device *device,
			     const struct vfio_feature *feature)
{
	if (feature->needs & ~device->migration_flags)
		return false;
	return feature->logging ? !!device->log_ops : !!device->mig_ops;
}

/* Called with the device open and awake. */
long vfio_ioctl_device_feature(struct vfio_device *device,
			       struct vfio_device_feature __user *arg)
{
	const size_t minsz = offsetofend(struct vfio_device_feature, flags);
	const u32 ops = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET;
	const struct vfio_feature *feature;
	u32 argsz, flags;
	int ret;

	if (get_user(argsz, &arg->argsz) || get_user(flags, &arg->flags))
		return -EFAULT;
	if (argsz < minsz)
		return -EINVAL;
	if (flags & ~(VFIO_DEVICE_FEATURE_MASK | ops |
		      VFIO_DEVICE_FEATURE_PROBE))
		return -EINVAL;
	/* Only a probe may name both. */
	if ((flags & ops) == ops && !(flags & VFIO_DEVICE_FEATURE_PROBE))
		return -EINVAL;

	feature = vfio_find_feature(flags & VFIO_DEVICE_FEATURE_MASK);
	if (!feature) {
		if (!device->ops->device_feature)
			return -ENOTTY;
		return device->ops->device_feature(device, flags, arg->data,
						   argsz - minsz);
	}
	if (!vfio_has_feature(device, feature))
		return -ENOTTY;

	ret = vfio_check_feature(flags, argsz - minsz, feature->ops,
				 feature->size);
	if (ret <= 0)
		return ret;
	return feature->call(device, flags & ops, arg->data);
}
