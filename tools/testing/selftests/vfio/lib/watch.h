/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that a device can write, and whether DMA logging tells of each page
 * that it wrote.
 *
 * A step looks at the memory, has a report made, and looks again.  A page that
 * the first look finds changed was written between two reports: the second of
 * them has to have it.  A page that the second look finds changed may have been
 * written while the report was made: it has to be in that one or in the next.
 *
 * Like a VMM that migrates, a step also copies each page reported to a second
 * memory, the destination's.  After the last step with the device stopped both
 * are the same.
 */
#ifndef VFIO_TEST_WATCH_H
#define VFIO_TEST_WATCH_H

#include "device.h"
#include "dma_log.h"

#define WATCH_PAGE	4096ULL
#define WATCH_MEMS	8
#define WATCH_RANGES	8

struct watch_mem {
	uint64_t iova;
	size_t size;
	uint8_t *mem;
	uint8_t *seen;		/* what it held at the last look */
	uint8_t *sent;		/* the destination's memory */
	/* Bitmaps, a bit for each page */
	uint64_t *report;	/* the last report, */
	uint64_t *before;	/* the one before it, */
	uint64_t *raced;	/* what was written around the last one */
	uint64_t *own;		/* what only the CPU writes */
};

struct watch {
	const struct vdev *v;
	struct watch_mem mem[WATCH_MEMS];
	unsigned int mems;
	log_range ranges[WATCH_RANGES];
	unsigned int nr_ranges;
	/* Pages that were found changed since watch_start() */
	unsigned long written;
	/* Bytes in the last report, and pages of them that are @own */
	size_t reported;
	unsigned int reported_own;
};

void watch_init(struct watch *w, const struct vdev *v);
/* Memory that is mapped for DMA already */
void watch_add(struct watch *w, uint64_t iova, void *mem, size_t size);
/* New memory, mapped here */
void watch_map(struct watch *w, uint64_t iova, size_t size);
/* The device has no reason to write here; the CPU may, without telling. */
void watch_own(struct watch *w, uint64_t iova, size_t size);

/* Begins to log all of the memory, or the ranges given: 0 or -errno. */
int watch_start(struct watch *w);
int watch_start_ranges(struct watch *w, const log_range *ranges,
		       unsigned int count);
/*
 * A step: the number of pages that no report has, but should.  Each is named on
 * stderr.
 */
unsigned int watch_step(struct watch *w);

/* The CPU writes: that is not for the device to tell. */
void watch_store(struct watch *w, uint64_t iova, const void *data, size_t len);
/* Whatever the memory holds now was written by the CPU. */
void watch_accept(struct watch *w);
void *watch_at(struct watch *w, uint64_t iova);

/* Has the page at @iova been written since the last look? */
bool watch_changed(struct watch *w, uint64_t iova);
/* Did the last report have all pages of this? */
bool watch_reported(struct watch *w, uint64_t iova, size_t size);
/* The pages in which the destination's memory is not the same. */
unsigned int watch_differs(struct watch *w);

#endif
