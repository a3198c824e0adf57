/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A receive queue of the VF that the test itself drives, register by register
 * and descriptor by descriptor, also in ways that no driver would.  Its ring is
 * in watched memory.  nic_up() has to come first; another nic_up() gives the
 * queue back to the driver of nic.c.
 */
#ifndef VFIO_TEST_RXQ_H
#define VFIO_TEST_RXQ_H

#include "nic.h"
#include "watch.h"

/* Intel 82576 datasheet, "Split and Replication Receive Control" */
#define SRRCTL_ADVANCED		(1U << 25)
#define SRRCTL_SPLIT		(2U << 25)	/* by PSRTYPE */
#define SRRCTL_ALWAYS_SPLIT	(5U << 25)
#define SRRCTL_BUFFER(kib)	(kib)
#define SRRCTL_HEADER(bytes)	((bytes) / 64 << 8)

struct rxq {
	struct nic *nic;
	struct watch *w;
	unsigned int queue;	/* 0 or 1 */
	uint64_t ring;		/* IOVA */
	unsigned int size;	/* descriptors */
	unsigned int tail;	/* the next to be posted */
	unsigned int clean;	/* the next to be given back by the device */
};

uint32_t rxq_read(const struct rxq *q, uint32_t reg);
void rxq_write(const struct rxq *q, uint32_t reg, uint32_t value);

/*
 * Disables the queue as Linux's igbvf does: the write, then a read of STATUS.
 */
void rxq_disable(struct rxq *q);
/*
 * Sets up the disabled queue with an empty ring of @size
 * descriptors, and enables it.
 */
void rxq_enable(struct rxq *q, uint64_t ring, unsigned int size,
		uint32_t srrctl);

/* Posts a buffer at @addr and, for header split, one at @header. */
void rxq_post(struct rxq *q, uint64_t addr, uint64_t header);
void rxq_doorbell(const struct rxq *q);
/* The number of descriptors that can be posted */
unsigned int rxq_room(const struct rxq *q);
/* The number of descriptors that the device returned since the last call */
unsigned int rxq_reap(struct rxq *q);

/* A VF whose receive queue the test drives, and a peer that sends to it */
struct rxq_bed {
	struct vdev v;
	struct nic nic;
	struct peer peer;
	struct watch w;
	struct rxq q;
	uint64_t seed;		/* of the frames' contents */
	uint32_t number;	/* of the last frame that was sent */
};

/*
 * Opens the VF for a guest driver that has not started.  @trapped: the guest's
 * accesses go by read() and write(), not by a mapping.  No memory is watched
 * yet.
 */
void rxq_bed_open(struct rxq_bed *bed, const char *vf, const char *far_pf,
		  bool trapped);
/* Sends one frame of @len bytes. */
void rxq_bed_send(struct rxq_bed *bed, size_t len);
/* Sends frames until the device has returned all posted buffers. */
bool rxq_bed_send_all(struct rxq_bed *bed, size_t len);

#endif
