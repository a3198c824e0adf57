// SPDX-License-Identifier: GPL-2.0-only
/*
 * A deliberate fault, preloaded into QEMU: hides from QEMU all pages of a
 * device's DMA log but those that have been in every report since logging
 * began.  Those are the rings, so the VM goes on; but most buffers that the
 * device wrote are not sent to the destination.  Works for one device with
 * memory of up to MAX_PAGES.
 */
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_PAGES	(1U << 19)
#define WORD_BITS	64

#define REPORT	(VFIO_DEVICE_FEATURE_GET | \
		 VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT)
#define START	(VFIO_DEVICE_FEATURE_SET | \
		 VFIO_DEVICE_FEATURE_DMA_LOGGING_START)

/* By IOVA: the pages that have been in every report */
static uint64_t always[MAX_PAGES / WORD_BITS];

static void filter(const struct vfio_device_feature_dma_logging_report *report)
{
	uint64_t *bitmap = (uint64_t *)(uintptr_t)report->bitmap;
	uint64_t first = report->iova / report->page_size;
	uint64_t i, page, bit;

	for (i = 0; i < report->length / report->page_size; i++) {
		page = first + i;
		bit = 1ULL << i % WORD_BITS;
		if (page >= MAX_PAGES)
			return;
		if (!(bitmap[i / WORD_BITS] & bit))
			always[page / WORD_BITS] &= ~(1ULL << page % WORD_BITS);
		else if (!(always[page / WORD_BITS] & 1ULL << page % WORD_BITS))
			bitmap[i / WORD_BITS] &= ~bit;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	struct vfio_device_feature *feature;
	va_list args;
	int ret;

	va_start(args, request);
	feature = va_arg(args, void *);
	va_end(args);
	ret = syscall(SYS_ioctl, fd, request, feature);
	if (ret || request != VFIO_DEVICE_FEATURE)
		return ret;
	if (feature->flags == START)
		memset(always, 0xff, sizeof(always));
	if (feature->flags == REPORT)
		filter((void *)feature->data);
	return ret;
}
