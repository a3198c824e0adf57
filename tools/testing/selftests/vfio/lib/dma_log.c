// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA logging.
 */
#include "device.h"
#include "dma_log.h"

int log_start(int device, uint64_t *page_size, const log_range *ranges,
	      uint32_t count)
{
	struct vfio_device_feature_dma_logging_control control = {
		.page_size = *page_size,
		.num_ranges = count,
		.ranges = (uintptr_t)ranges,
	};
	int ret;

	ret = feature(device, VFIO_DEVICE_FEATURE_SET |
		      VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
		      &control, sizeof(control));
	*page_size = control.page_size;
	return ret;
}

int log_start_range(int device, uint64_t iova, uint64_t length)
{
	log_range range = { .iova = iova, .length = length };
	uint64_t page_size = 4096;

	return log_start(device, &page_size, &range, 1);
}

int log_stop(int device)
{
	return feature(device, VFIO_DEVICE_FEATURE_SET |
		       VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, NULL, 0);
}

int log_report(int device, uint64_t iova, uint64_t length, uint64_t page_size,
	       void *bitmap)
{
	struct vfio_device_feature_dma_logging_report report = {
		.iova = iova,
		.length = length,
		.page_size = page_size,
		.bitmap = (uintptr_t)bitmap,
	};

	return feature(device, VFIO_DEVICE_FEATURE_GET |
		       VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
		       &report, sizeof(report));
}

void log_close(struct vdev *v)
{
	if (v->bdf)
		log_stop(v->fd);
	vdev_close(v);
}
