/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOVA bitmaps, source-compatible with Linux 6.12.  IOMMU drivers use those of
 * the kernel, if it has CONFIG_IOMMUFD_DRIVER.  Without it, the names mean
 * VFIO's (linux/vfio_iova_bitmap.h), or empty functions in code that is built
 * in while vfio is a module.  VFIO drivers always use VFIO's, as they include
 * linux/vfio.h.
 */
#ifndef _IOVA_BITMAP_H_
#define _IOVA_BITMAP_H_

#include <linux/errno.h>
#include <linux/types.h>

struct iova_bitmap;

/**
 * typedef iova_bitmap_fn_t - fill in a part of a bitmap
 * @bitmap: the bitmap, for iova_bitmap_set()
 * @iova: first IOVA of the part
 * @length: bytes of the part
 * @opaque: as passed to iova_bitmap_for_each()
 *
 * Return: 0, or a negative errno, which ends the iteration.
 */
typedef int (*iova_bitmap_fn_t)(struct iova_bitmap *bitmap,
				unsigned long iova, size_t length,
				void *opaque);

#if IS_ENABLED(CONFIG_IOMMUFD_DRIVER)

struct iova_bitmap *iova_bitmap_alloc(unsigned long iova, size_t length,
				      unsigned long page_size,
				      u64 __user *data);
void iova_bitmap_free(struct iova_bitmap *bitmap);
int iova_bitmap_for_each(struct iova_bitmap *bitmap, void *opaque,
			 iova_bitmap_fn_t fn);
void iova_bitmap_set(struct iova_bitmap *bitmap,
		     unsigned long iova, size_t length);

#elif IS_REACHABLE(CONFIG_VFIO)

#include <linux/vfio_iova_bitmap.h>

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
