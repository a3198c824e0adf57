/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An NVMe controller that reads and writes memory on demand: its admin queue,
 * polled, and commands that need no disk.  Tests look at memory to see if a
 * transfer happened; the status of a command is not looked at, as controllers
 * differ for transfers that the IOMMU blocks.
 */
#ifndef VFIO_TEST_NVME_H
#define VFIO_TEST_NVME_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"

#define NVME_DATA	4096	/* bytes of the Identify data */

struct nvme {
	struct vdev *v;
	uint8_t *mem;		/* two pages: submissions, completions */
	uint64_t iova;
	unsigned int next;	/* entry, the same in both queues */
	uint8_t phase;
	uint16_t id;
};

/* Maps two pages for the queues at @iova and starts the controller. */
void nvme_up(struct nvme *nvme, struct vdev *v, uint64_t iova);
/* Stops the controller and its DMA.  The queues stay mapped. */
void nvme_down(struct nvme *nvme);

/* The controller writes NVME_DATA bytes at @iova. */
void nvme_identify(struct nvme *nvme, uint64_t iova);
/* Is @data what Identify writes? */
bool nvme_identified(struct nvme *nvme, const void *data);

/*
 * The controller reads its clock, milliseconds in 48 bits, from 8 bytes at
 * @iova, and writes it there.
 */
void nvme_set_time(struct nvme *nvme, uint64_t iova);
void nvme_get_time(struct nvme *nvme, uint64_t iova);

#endif
