// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_DEVICE_FEATURE: one table of the features that the core serves itself.
 * Checks, user copies of the payload and the installation of new files are done
 * here, once; a feature's function sees the payload in kernel memory only.  A
 * feature that is not in the table is the driver's.
 */
#include <linux/array_size.h>
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/stddef.h>
#include <linux/uaccess.h>

#include "private.h"

/**
 * struct vfio_feature - a feature that the core serves
 * @number: VFIO_DEVICE_FEATURE_*
 * @ops: VFIO_DEVICE_FEATURE_GET if it can be read, _SET if it can be set
 * @size: bytes of payload
 * @of_log_ops: devices with log_ops have it; else those with mig_ops
 * @get: answer
 * @get_asks: the payload of GET is the question, and the answer goes where
 *	that says: it is read, and not written
 * @set: carry out
 * @set_answers: SET writes its payload back
 * @no_file: then, and if the answer is the number of a file: the bits that say
 *	"none", to be set in the payload
 * @undo: then: the answer could not be delivered; what can be undone is
 */
struct vfio_feature {
	u32 number;
	u32 ops;
	u32 size;
	bool of_log_ops;
	bool get_asks;
	bool set_answers;
	int (*get)(struct vfio_device *device, union vfio_feature_data *data);
	int (*set)(struct vfio_device *device, union vfio_feature_data *data,
		   struct vfio_feature_fd *new);
	const union vfio_feature_data *no_file;
	void (*undo)(struct vfio_device *device, union vfio_feature_data *data);
};

static const union vfio_feature_data vfio_no_data_fd = {
	.mig_state = { .data_fd = -1 },
};

static const struct vfio_feature vfio_mig_state_feature = {
	.number = VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
	.ops = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET,
	.size = sizeof(struct vfio_device_feature_mig_state),
	.get = vfio_migration_get_state,
	.set = vfio_migration_set_state,
	.set_answers = true,
	.no_file = &vfio_no_data_fd,
};

/* All others */
static const struct vfio_feature vfio_features[] = {
	{
		.number = VFIO_DEVICE_FEATURE_MIGRATION,
		.ops = VFIO_DEVICE_FEATURE_GET,
		.size = sizeof(struct vfio_device_feature_migration),
		.get = vfio_migration_get_flags,
	}, {
		.number = VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
		.ops = VFIO_DEVICE_FEATURE_SET,
		.size = sizeof(struct vfio_device_feature_dma_logging_control),
		.of_log_ops = true,
		.set = vfio_dma_logging_start,
		.set_answers = true,
		.undo = vfio_dma_logging_undo_start,
	}, {
		.number = VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP,
		.ops = VFIO_DEVICE_FEATURE_SET,
		.size = 0,
		.of_log_ops = true,
		.set = vfio_dma_logging_stop,
	}, {
		.number = VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
		.ops = VFIO_DEVICE_FEATURE_GET,
		.size = sizeof(struct vfio_device_feature_dma_logging_report),
		.of_log_ops = true,
		.get = vfio_dma_logging_report,
		.get_asks = true,
	}, {
		.number = VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
		.ops = VFIO_DEVICE_FEATURE_GET,
		.size = sizeof(struct vfio_device_feature_mig_data_size),
		.get = vfio_migration_get_data_size,
	},
};

static const struct vfio_feature *vfio_find_feature(u32 number)
{
	const struct vfio_feature *feature;

	if (number == vfio_mig_state_feature.number)
		return &vfio_mig_state_feature;
	for (feature = vfio_features;
	     feature < vfio_features + ARRAY_SIZE(vfio_features); feature++)
		if (feature->number == number)
			return feature;
	return NULL;
}

/*
 * Payloads are a few words.  To copy these one by one takes a fraction of what
 * copy_from_user() and copy_to_user() with a variable length do.  Nothing may
 * be called in between: user memory is open to the kernel.
 */
static int vfio_feature_copy_in(union vfio_feature_data *data,
				const void __user *from, u32 size)
{
	const u64 __user *words = from;
	u64 *copy = data->words;
	unsigned int i;

	if (!user_read_access_begin(words, size))
		return -EFAULT;
	for (i = 0; i < size / sizeof(u64); i++)
		unsafe_get_user(copy[i], words + i, fault);
	user_read_access_end();
	return 0;

fault:
	user_read_access_end();
	return -EFAULT;
}

/*
 * For SET with an answer: the refusal is written at once.  So a buffer that
 * cannot take an answer is found out before anything is done, and an error
 * later on leaves the right answer behind.
 */
static __always_inline int
vfio_feature_copy_in_refusing(union vfio_feature_data *data, void __user *arg,
			      const struct vfio_feature *feature)
{
	/* A pointer: UBSAN would check an array's bounds by a call. */
	const u64 *none = feature->no_file ? feature->no_file->words : NULL;
	u64 __user *words = arg;
	u64 *copy = data->words;
	unsigned int i;

	if (!user_access_begin(words, feature->size))
		return -EFAULT;
	for (i = 0; i < feature->size / sizeof(u64); i++) {
		unsafe_get_user(copy[i], words + i, fault);
		if (none)
			copy[i] |= none[i];
		unsafe_put_user(copy[i], words + i, fault);
	}
	user_access_end();
	return 0;

fault:
	user_access_end();
	return -EFAULT;
}

static __always_inline int
vfio_feature_copy_out(void __user *to, const union vfio_feature_data *data,
		      u32 size)
{
	const u64 *copy = data->words;
	u64 __user *words = to;
	unsigned int i;

	if (!user_write_access_begin(words, size))
		return -EFAULT;
	for (i = 0; i < size / sizeof(u64); i++)
		unsafe_put_user(copy[i], words + i, fault);
	user_write_access_end();
	return 0;

fault:
	user_write_access_end();
	return -EFAULT;
}

static int vfio_feature_get(struct vfio_device *device,
			    const struct vfio_feature *feature,
			    void __user *arg)
{
	union vfio_feature_data data = {};
	int ret;

	if (feature->get_asks) {
		ret = vfio_feature_copy_in(&data, arg, feature->size);
		return ret ?: feature->get(device, &data);
	}
	ret = feature->get(device, &data);
	return ret ?: vfio_feature_copy_out(arg, &data, feature->size);
}

/* Give the user the file if he knows its number, else drop both. */
static void vfio_feature_finish_fd(struct vfio_feature_fd *new, bool known)
{
	if (new->file && known) {
		fd_install(new->fd, new->file);
		return;
	}
	put_unused_fd(new->fd);
	if (new->file)
		fput(new->file);
}

static __always_inline int
vfio_feature_set_answering(struct vfio_device *device,
			   const struct vfio_feature *feature,
			   void __user *arg)
{
	struct vfio_feature_fd new = { .fd = -EBADF };
	union vfio_feature_data data;
	int ret;

	ret = vfio_feature_copy_in_refusing(&data, arg, feature);
	if (ret)
		return ret;
	ret = feature->set(device, &data, &new);
	/* That there is no file has been said. */
	if (!ret && (new.file || !feature->no_file)) {
		ret = vfio_feature_copy_out(arg, &data, feature->size);
		if (ret && feature->undo)
			feature->undo(device, &data);
	}
	if (new.fd >= 0)
		vfio_feature_finish_fd(&new, !ret);
	return ret;
}

static int vfio_feature_set(struct vfio_device *device,
			    const struct vfio_feature *feature,
			    void __user *arg)
{
	union vfio_feature_data data;
	int ret;

	ret = vfio_feature_copy_in(&data, arg, feature->size);
	return ret ?: feature->set(device, &data, NULL);
}

static int vfio_feature_call(struct vfio_device *device, u32 argsz, u32 flags,
			     void __user *data)
{
	const size_t minsz = offsetofend(struct vfio_device_feature, flags);
	const struct vfio_feature *feature;
	u32 ops;
	int ret;

	if (argsz < minsz)
		return -EINVAL;
	if (flags & ~(VFIO_DEVICE_FEATURE_MASK | VFIO_DEVICE_FEATURE_GET |
		      VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_PROBE))
		return -EINVAL;

	/* Both at once is a question that only a probe can ask. */
	ops = flags & (VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET);
	if (ops == (VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET) &&
	    !(flags & VFIO_DEVICE_FEATURE_PROBE))
		return -EINVAL;

	feature = vfio_find_feature(flags & VFIO_DEVICE_FEATURE_MASK);
	if (!feature) {
		if (!device->ops->device_feature)
			return -ENOTTY;
		return device->ops->device_feature(device, flags, data,
						   argsz - minsz);
	}
	if (!(feature->of_log_ops ? (const void *)device->log_ops :
				    device->mig_ops))
		return -ENOTTY;

	ret = vfio_check_feature(flags, argsz - minsz, feature->ops,
				 feature->size);
	if (ret <= 0)
		return ret;

	if (ops == VFIO_DEVICE_FEATURE_GET)
		return vfio_feature_get(device, feature, data);
	if (feature->set_answers)
		return vfio_feature_set_answering(device, feature, data);
	return vfio_feature_set(device, feature, data);
}

/*
 * SET_STATE is what a VMM calls while its VM stands still: it is carried out at
 * once if nothing is wrong with it.
 *
 * Runs with the device open and awake.
 */
long vfio_ioctl_device_feature(struct vfio_device *device,
			       struct vfio_device_feature __user *arg)
{
	const struct vfio_feature *mig_state = &vfio_mig_state_feature;
	u32 argsz, flags;

	if (!user_read_access_begin(arg, sizeof(*arg)))
		return -EFAULT;
	unsafe_get_user(argsz, &arg->argsz, fault);
	unsafe_get_user(flags, &arg->flags, fault);
	user_read_access_end();

	if (flags == (mig_state->number | VFIO_DEVICE_FEATURE_SET) &&
	    argsz >= sizeof(*arg) + mig_state->size && device->mig_ops)
		return vfio_feature_set_answering(device, mig_state, arg->data);
	return vfio_feature_call(device, argsz, flags, arg->data);

fault:
	user_read_access_end();
	return -EFAULT;
}
