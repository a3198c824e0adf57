// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs to read the dirty bitmap of a type 1 container, with a bit for
 * each 4 KiB.  All memory is dirty, as it always is for a device that does not
 * log.
 */
#include <stdio.h>

#include "count.h"
#include "device.h"
#include "iommu.h"
#include "memory.h"
#include "sysfs.h"
#include "util.h"

#define IOVA	GiB
#define SIZE	(64 * MiB)
#define ROUNDS	100

static void measure(const struct vdev *v, char *mem, uint64_t chunk,
		    const char *what)
{
	static struct count get;
	static uint64_t bitmap[SIZE / SMALL_PAGE / 64];
	unsigned int i;
	uint64_t at;

	for (at = 0; at < SIZE; at += chunk)
		must(dma_map(v->container, IOVA + at, mem + at, chunk));
	must(dirty_log(v->container, VFIO_IOMMU_DIRTY_PAGES_FLAG_START));
	for (i = 0; i < ROUNDS; i++) {
		count_begin(&get);
		must(dirty_bitmap(v->container, IOVA, SIZE, SMALL_PAGE, bitmap,
				  sizeof(bitmap)));
		count_end(&get);
	}
	for (i = 0; i < ARRAY_SIZE(bitmap); i++)
		if (bitmap[i] != UINT64_MAX)
			die("some memory is not dirty");
	must(dirty_log(v->container, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP));
	must(dma_unmap(v->container, IOVA, SIZE));
	report(count_average(&get) / (SIZE / MiB), "MiB", "%s", what);
}

int main(int argc, char **argv)
{
	struct vdev v;
	void *mem;

	if (argc != 2) {
		fprintf(stderr, "usage: dirty FUNCTION\n");
		return 2;
	}
	count_init();
	vdev_open(&v, argv[1], DRV_VFIO_PCI);
	mem = memory_thp(SIZE);
	measure(&v, mem, SIZE, "dirty bitmap, of one mapping");
	measure(&v, mem, MiB, "dirty bitmap, of mappings of 1 MiB");
	vdev_close(&v);
	return 0;
}
