// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saving and loading for drivers that keep the state of a device in memory as a
 * struct of 32-bit words, its image, and say in their table of records which
 * record is which part.  Works on memory alone: the driver copies the image
 * from the device and to it.
 *
 * The state lock, which all callers hold, protects both images.
 */
#include <linux/device.h>
#include <linux/export.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "private.h"

static bool is_early(const struct vfio_mig_record_type *type)
{
	return type->flags & VFIO_MIG_TYPE_EARLY;
}

/*
 * The next record type after @type that is a part of the image; NULL: the first
 */
static const struct vfio_mig_record_type *
next_part(struct vfio_migration *mig, const struct vfio_mig_record_type *type)
{
	const struct vfio_mig_driver *driver = mig->driver;

	type = type ? type + 1 : driver->records;
	for (; type < driver->records + driver->nr_records; type++)
		if (type->flags & VFIO_MIG_TYPE_IMAGE)
			return type;
	return NULL;
}

#define for_each_part(mig, type)					\
	for ((type) = next_part((mig), NULL); (type);			\
	     (type) = next_part((mig), (type)))

int vfio_mig_image_init(struct vfio_migration *mig)
{
	const struct vfio_mig_record_type *type;

	mig->image_size = 0;
	for_each_part(mig, type) {
		if (type->min_length != type->max_length ||
		    type->max_length > VFIO_MIG_BLOCK_SIZE ||
		    (type->max_length | type->offset) % sizeof(u32) ||
		    !mig->image || !mig->incoming) {
			dev_err(mig->vdev->dev,
				"vfio: the driver's record %u can't be part of an image\n",
				type->type);
			return -EINVAL;
		}
		mig->image_size = max_t(size_t, mig->image_size,
					type->offset + type->max_length);
	}
	return 0;
}

/* Has a part changed since it was sent, and may it be sent again? */
static bool part_pending(struct vfio_migration *mig,
			 const struct vfio_mig_record_type *type)
{
	return is_early(type) && type->flags & VFIO_MIG_TYPE_REPEATS &&
	       memcmp(mig->session->streamed + type->offset,
		      mig->image + type->offset, type->max_length);
}

static int write_part(struct vfio_migration *mig, struct vfio_mig_writer *to,
		      const struct vfio_mig_record_type *type)
{
	const u32 *word = mig->image + type->offset;
	size_t left = type->max_length;
	u32 flags = 0;
	__le32 raw;
	int ret;

	if (type->flags & VFIO_MIG_TYPE_REQUIRED)
		flags = VFIO_MIG_RECORD_MANDATORY;
	ret = vfio_mig_record_begin(to, type->type, type->version, flags, left);
	for (; !ret && left; left -= sizeof(raw)) {
		raw = cpu_to_le32(*word++);
		ret = vfio_mig_record_data(to, &raw, sizeof(raw));
	}
	if (!ret)
		memcpy(mig->session->streamed + type->offset,
		       mig->image + type->offset, type->max_length);
	return ret;
}

/* The destination makes the same checks: what it would refuse is not sent. */
static int check_image(struct vfio_migration *mig)
{
	const struct vfio_mig_record_type *type;
	const char *why = NULL;

	for_each_part(mig, type) {
		if (type->check)
			why = type->check(mig, mig->image + type->offset);
		if (!why)
			continue;
		vfio_mig_err(mig, "can't be saved in the state that its guest has left it in: %s\n",
			     why);
		return -EIO;
	}
	return 0;
}

/**
 * vfio_mig_image_save - append to a stream what is due of an image
 * @mig: migration.  The driver has brought up to date, in PRE_COPY, the early
 *	parts of mig->image, in STOP_COPY all of it
 * @to: the stream
 *
 * For vfio_mig_driver.save.  Appends, in PRE_COPY, the early parts, and later
 * those of them that may be repeated and have changed; in STOP_COPY all that
 * the stream does not have yet.
 *
 * Context: State lock held.
 *
 * Return: 0, -EIO after a message if a check of the driver refuses the image,
 * or -ENOMEM.
 */
int vfio_mig_image_save(struct vfio_migration *mig, struct vfio_mig_writer *to)
{
	bool stopped = mig->state == VFIO_DEVICE_STATE_STOP_COPY;
	const struct vfio_mig_record_type *type;
	bool first = !to->bytes;
	int ret = 0;

	if (stopped)
		ret = check_image(mig);
	for_each_part(mig, type) {
		if (ret)
			break;
		if (is_early(type) ? first || part_pending(mig, type) : stopped)
			ret = write_part(mig, to, type);
	}
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_mig_image_save);

/**
 * vfio_mig_image_pending - what vfio_mig_image_save() would append in PRE_COPY
 * @mig: migration with a saving session
 *
 * For vfio_mig_driver.pending.
 *
 * Context: State lock held.
 *
 * Return: bytes.
 */
u64 vfio_mig_image_pending(struct vfio_migration *mig)
{
	const struct vfio_mig_record_type *type;
	u64 size = 0;

	for_each_part(mig, type)
		if (part_pending(mig, type))
			size += vfio_mig_record_size(type->max_length);
	return size;
}
EXPORT_SYMBOL_GPL(vfio_mig_image_pending);

/**
 * vfio_mig_image_load - put a part of an image into mig->incoming
 * @mig: migration
 * @payload: the record, in one piece
 * @why: set to the reason if the record is refused
 *
 * For vfio_mig_driver.load.  A driver that also has records without
 * VFIO_MIG_TYPE_IMAGE must not pass them on.  They are refused, without a
 * WARN(), which a stream from anywhere could trigger.
 *
 * Context: State lock held.
 *
 * Return: 0, or -EINVAL if the record's check refuses it.
 */
int vfio_mig_image_load(struct vfio_migration *mig,
			const struct vfio_mig_payload *payload,
			const char **why)
{
	const struct vfio_mig_record_type *type = payload->type;
	const char *wrong = NULL;
	size_t at;
	u32 *word;

	if (!(type->flags & VFIO_MIG_TYPE_IMAGE)) {
		*why = "the driver has no place for a record (a bug of the driver)";
		return -EINVAL;
	}
	word = mig->incoming + type->offset;
	for (at = 0; at < payload->len; at += sizeof(*word))
		*word++ = get_unaligned_le32(payload->data + at);
	if (type->check)
		wrong = type->check(mig, mig->incoming + type->offset);
	if (!wrong)
		return 0;
	*why = wrong;
	return -EINVAL;
}
EXPORT_SYMBOL_GPL(vfio_mig_image_load);

/**
 * vfio_mig_image_data_size - the size of a stream with all parts of an image
 * @mig: migration
 *
 * For vfio_mig_driver.data_size.
 *
 * Return: bytes.  Parts that PRE_COPY sends again are not counted twice.
 */
unsigned long vfio_mig_image_data_size(struct vfio_migration *mig)
{
	unsigned long size = sizeof(struct vfio_mig_stream_header) +
			     vfio_mig_record_size(0);
	const struct vfio_mig_record_type *type;

	for_each_part(mig, type)
		size += vfio_mig_record_size(type->max_length);
	return size;
}
EXPORT_SYMBOL_GPL(vfio_mig_image_data_size);
