/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A receive queue of the VF, driven register by register and descriptor by
 * descriptor: with what the driver in nic.c would never do.  Its ring lies in
 * memory that is watched.  nic_up() comes first, and nic_up() ends it.
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

/* Disables the queue as Linux's igbvf does, with a read of STATUS behind. */
void rxq_disable(struct rxq *q);
/*
 * Sets up the queue, which is disabled, with an empty ring of @size
 * descriptors, and enables it.
 */
void rxq_enable(struct rxq *q, uint64_t ring, unsigned int size,
		uint32_t srrctl);

/* The next descriptor: for buffers at @addr and, with header split, @header */
void rxq_post(struct rxq *q, uint64_t addr, uint64_t header);
void rxq_doorbell(const struct rxq *q);
/* Descriptors that can be posted */
unsigned int rxq_room(const struct rxq *q);
/* Descriptors that the device has given back since the last call */
unsigned int rxq_reap(struct rxq *q);

/* A VF whose receive queue the test drives, and a peer that sends to it */
struct rxq_bed {
	struct vdev v;
	struct nic nic;
	struct peer peer;
	struct watch w;
	struct rxq q;
	uint64_t seed;		/* of what the frames contain */
	uint32_t number;	/* of the last frame that was sent */
};

/*
 * Opens the VF for a guest driver that has not touched it yet; @trapped: it
 * reaches all registers by read() and write().  Nothing is watched yet, and the
 * queue is still the guest driver's.
 */
void rxq_bed_open(struct rxq_bed *bed, const char *vf, const char *far_pf,
		  bool trapped);
/* Sends one frame of @len bytes. */
void rxq_bed_send(struct rxq_bed *bed, size_t len);
/* Sends frames until the device has given back all that is posted. */
bool rxq_bed_send_all(struct rxq_bed *bed, size_t len);

#endif
