/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The DMA logging features of a device; each returns 0 or -errno.
 */
#ifndef VFIO_TEST_DMA_LOG_H
#define VFIO_TEST_DMA_LOG_H

#include <linux/vfio.h>
#include <stdint.h>

#include "device.h"

typedef struct vfio_device_feature_dma_logging_range log_range;

/* *@page_size: in: the request; out: the kernel's answer, on failure as well */
int log_start(int device, uint64_t *page_size, const log_range *ranges,
	      uint32_t count);
/* One range, pages of 4 KiB. */
int log_start_range(int device, uint64_t iova, uint64_t length);
int log_stop(int device);
int log_report(int device, uint64_t iova, uint64_t length, uint64_t page_size,
	       void *bitmap);

/*
 * Ends logging, if it is on, and closes @v.  The worker that logs reads the memory
 * of the user.  If the user's process exits meanwhile, its mappings of the device
 * last until the worker is done, and the device can't be opened before.
 */
void log_close(struct vdev *v);

#endif
