/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bitmap in user memory that has a bit for each page of a range of IOVAs.
 * DMA loggers report in it which pages a device has written.
 *
 * The API and the names that drivers use are those of linux/iova_bitmap.h in
 * Linux 6.12.  VFIO does not use the bitmaps that a kernel with
 * CONFIG_IOMMUFD_DRIVER has for IOMMUs: they report no error if the bitmap
 * cannot be written, and may lose bits that user space or another device sets.
 */
#ifndef _LINUX_VFIO_IOVA_BITMAP_H
#define _LINUX_VFIO_IOVA_BITMAP_H

#include <linux/iova_bitmap.h>
#include <linux/types.h>

struct iova_bitmap *vfio_iova_bitmap_alloc(unsigned long iova, size_t length,
					   unsigned long page_size,
					   u64 __user *data);
void vfio_iova_bitmap_free(struct iova_bitmap *bitmap);
int vfio_iova_bitmap_for_each(struct iova_bitmap *bitmap, void *opaque,
			      iova_bitmap_fn_t fn);
void vfio_iova_bitmap_set(struct iova_bitmap *bitmap, unsigned long iova,
			  size_t length);

#define iova_bitmap_alloc	vfio_iova_bitmap_alloc
#define iova_bitmap_free	vfio_iova_bitmap_free
#define iova_bitmap_for_each	vfio_iova_bitmap_for_each
#define iova_bitmap_set		vfio_iova_bitmap_set

#endif /* _LINUX_VFIO_IOVA_BITMAP_H */
