// SPDX-License-Identifier: GPL-2.0-only
/*
 * What mapping memory for DMA and unmapping it costs: MAP_DMA and UNMAP_DMA of
 * one range in a type 1 container, for each kind of memory.
 */
#include <linux/pci_regs.h>
#include <stdio.h>

#include "count.h"
#include "device.h"
#include "iommu.h"
#include "memory.h"
#include "sysfs.h"
#include "util.h"

#define IOVA	GiB
#define ROUNDS	60

static void measure(const struct vdev *v, void *mem, size_t size,
		    const char *kind)
{
	static struct count map, unmap;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		count_begin(&map);
		must(dma_map(v->container, IOVA, mem, size));
		count_end(&map);
		count_begin(&unmap);
		must(dma_unmap(v->container, IOVA, size));
		count_end(&unmap);
	}
	report(count_average(&map) / (size / MiB), "MiB", "map %s", kind);
	report(count_average(&unmap) / (size / MiB), "MiB", "unmap %s", kind);
}

int main(int argc, char **argv)
{
	struct vdev v;

	if (argc != 3) {
		fprintf(stderr, "usage: map FUNCTION BAR\n");
		return 2;
	}
	count_init();
	vdev_open(&v, argv[1], DRV_VFIO_PCI);
	cfg_command(&v, PCI_COMMAND_MEMORY, 0);
	measure(&v, memory_small(4 * MiB), 4 * MiB, "4 KiB pages");
	measure(&v, memory_thp(32 * MiB), 32 * MiB, "THP");
	measure(&v, memory_hugetlb(32 * MiB), 32 * MiB, "hugetlb");
	measure(&v, memory_bar(&v, atoi(argv[2]), 4 * MiB), 4 * MiB,
		"a BAR");
	vdev_close(&v);
	return 0;
}
