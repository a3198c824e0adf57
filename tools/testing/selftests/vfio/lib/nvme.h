/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An NVMe controller as a machine that reads and writes memory on demand: its
 * admin queue, polled, and the commands that need no disk.  Where a transfer
 * goes through and where it does not is seen in memory only; what status the
 * controller gives a command whose transfer the IOMMU refused is its own.
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
	unsigned int next;	/* entry of both queues; they go in step */
	uint8_t phase;
	uint16_t id;
};

/* Starts the controller with its queues in two pages that are put at @iova. */
void nvme_up(struct nvme *nvme, struct vdev *v, uint64_t iova);
/* Stops it: it does no DMA any more.  The queues stay mapped. */
void nvme_down(struct nvme *nvme);

/* The controller writes NVME_DATA bytes at @iova. */
void nvme_identify(struct nvme *nvme, uint64_t iova);
/* Is this what Identify writes? */
bool nvme_identified(struct nvme *nvme, const void *data);

/*
 * The controller reads its clock, milliseconds in 48 bits, from 8 bytes at
 * @iova, and writes it there.
 */
void nvme_set_time(struct nvme *nvme, uint64_t iova);
void nvme_get_time(struct nvme *nvme, uint64_t iova);

#endif
