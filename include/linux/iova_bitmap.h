/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bitmap in user memory that has a bit for each page of a range of IOVAs,
 * for those who report which of them a device has written: DMA loggers.
 *
 * Source-compatible with Linux 6.12.  A kernel with CONFIG_IOMMUFD_DRIVER has
 * these functions itself, and they are used; else vfio.ko has them.  What is
 * built in while vfio is a module (IOMMU drivers) does without.
 */
#ifndef _IOVA_BITMAP_H_
#define _IOVA_BITMAP_H_

#include <linux/errno.h>
#include <linux/types.h>

struct iova_bitmap;

/**
 * typedef iova_bitmap_fn_t - fill in a part of the bitmap
 * @bitmap: for iova_bitmap_set()
 * @iova: first IOVA of the part
 * @length: bytes of it
 * @opaque: what iova_bitmap_for_each() was given
 *
 * Return: 0, or a negative errno, which ends the iteration.
 */
typedef int (*iova_bitmap_fn_t)(struct iova_bitmap *bitmap,
				unsigned long iova, size_t length,
				void *opaque);

#if IS_ENABLED(CONFIG_IOMMUFD_DRIVER) || IS_REACHABLE(CONFIG_VFIO)

struct iova_bitmap *iova_bitmap_alloc(unsigned long iova, size_t length,
				      unsigned long page_size,
				      u64 __user *data);
void iova_bitmap_free(struct iova_bitmap *bitmap);
int iova_bitmap_for_each(struct iova_bitmap *bitmap, void *opaque,
			 iova_bitmap_fn_t fn);
void iova_bitmap_set(struct iova_bitmap *bitmap,
		     unsigned long iova, size_t length);

#else

static inline struct iova_bitmap *
iova_bitmap_alloc(unsigned long iova, size_t length, unsigned long page_size,
		  u64 __user *data)
{
	return NULL;
}

static inline void iova_bitmap_free(struct iova_bitmap *bitmap)
{
}

static inline int iova_bitmap_for_each(struct iova_bitmap *bitmap, void *opaque,
				       iova_bitmap_fn_t fn)
{
	return -EOPNOTSUPP;
}

static inline void iova_bitmap_set(struct iova_bitmap *bitmap,
				   unsigned long iova, size_t length)
{
}

#endif

#endif /* _IOVA_BITMAP_H_ */
