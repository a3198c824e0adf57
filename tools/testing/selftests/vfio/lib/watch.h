/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that a device can write, to find out if DMA logging reports each page
 * that it wrote.
 *
 * A step compares the memory, gets a report, and compares again.  A page that
 * the first comparison finds changed was written before this report, which has
 * to contain it.  A page that the second comparison finds changed may have been
 * written during the report: it has to be in this report or in the next one.
 *
 * Like a VMM that migrates, a step also copies each reported page to a second
 * memory, that of the destination.  After the last step with the device
 * stopped, both memories are equal.
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
	uint8_t *seen;		/* its contents at the last comparison */
	uint8_t *sent;		/* the destination's memory */
	/* Bitmaps, a bit for each page */
	uint64_t *report;	/* the last report, */
	uint64_t *before;	/* the one before it, */
	uint64_t *raced;	/* pages written during the last one */
	uint64_t *own;		/* pages that only the CPU writes */
};

struct watch {
	const struct vdev *v;
	struct watch_mem mem[WATCH_MEMS];
	unsigned int mems;
	log_range ranges[WATCH_RANGES];
	unsigned int nr_ranges;
	/* Pages that were found changed since watch_start() */
	unsigned long written;
	/* Bytes in the last report, and pages in it that are @own */
	size_t reported;
	unsigned int reported_own;
};

void watch_init(struct watch *w, const struct vdev *v);
/* Memory that is mapped for DMA already */
void watch_add(struct watch *w, uint64_t iova, void *mem, size_t size);
/* New memory, mapped here */
void watch_map(struct watch *w, uint64_t iova, size_t size);
/* The device does not write here; the CPU may, without watch_store(). */
void watch_own(struct watch *w, uint64_t iova, size_t size);

/* Starts logging of all watched memory, or of @ranges: 0 or -errno. */
int watch_start(struct watch *w);
int watch_start_ranges(struct watch *w, const log_range *ranges,
		       unsigned int count);
/*
 * One step: the number of pages that are missing in reports.  Each is printed.
 */
unsigned int watch_step(struct watch *w);

/* A write by the CPU, which need not be reported. */
void watch_store(struct watch *w, uint64_t iova, const void *data, size_t len);
/* Takes the present contents as written by the CPU. */
void watch_accept(struct watch *w);
void *watch_at(struct watch *w, uint64_t iova);

/* Has the page at @iova been written since the last comparison? */
bool watch_changed(struct watch *w, uint64_t iova);
/* Did the last report contain all pages of this range? */
bool watch_reported(struct watch *w, uint64_t iova, size_t size);
/* The number of pages in which the destination's memory differs. */
unsigned int watch_differs(struct watch *w);

#endif
