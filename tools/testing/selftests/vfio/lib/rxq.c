// SPDX-License-Identifier: GPL-2.0-only
/*
 * A receive queue of the VF that the test drives.
 */
#include "flood.h"
#include "rxq.h"
#include "sysfs.h"
#include "util.h"

#define QUEUE_STRIDE	0x100

uint32_t rxq_read(const struct rxq *q, uint32_t reg)
{
	return nic_read(q->nic, reg + q->queue * QUEUE_STRIDE);
}

void rxq_write(const struct rxq *q, uint32_t reg, uint32_t value)
{
	nic_write(q->nic, reg + q->queue * QUEUE_STRIDE, value);
}

void rxq_disable(struct rxq *q)
{
	rxq_write(q, RXDCTL, 0);
	nic_read(q->nic, STATUS);
	if (!poll_until(!(rxq_read(q, RXDCTL) & DCTL_ENABLE)))
		die("%s: receive queue %u stays enabled", q->nic->v->bdf,
		    q->queue);
}

void rxq_enable(struct rxq *q, uint64_t ring, unsigned int size,
		uint32_t srrctl)
{
	static const struct desc none;
	unsigned int i;

	q->ring = ring;
	q->size = size;
	q->tail = 0;
	q->clean = 0;
	for (i = 0; i < size; i++)
		watch_store(q->w, ring + i * sizeof(none), &none, sizeof(none));
	rxq_write(q, RDBAL, ring);
	rxq_write(q, RDBAH, ring >> 32);
	rxq_write(q, RDLEN, size * sizeof(struct desc));
	rxq_write(q, SRRCTL, srrctl);
	rxq_write(q, RDH, 0);
	rxq_write(q, RDT, 0);
	rxq_write(q, RXDCTL, DCTL_ENABLE);
	if (!poll_until(rxq_read(q, RXDCTL) & DCTL_ENABLE))
		die("%s: receive queue %u is not enabled", q->nic->v->bdf,
		    q->queue);
}

static volatile struct desc *desc(const struct rxq *q, unsigned int i)
{
	return watch_at(q->w, q->ring + i * sizeof(struct desc));
}

void rxq_post(struct rxq *q, uint64_t addr, uint64_t header)
{
	struct desc new = { .addr = addr, .header = header };

	watch_store(q->w, q->ring + q->tail * sizeof(new), &new, sizeof(new));
	q->tail = (q->tail + 1) % q->size;
}

void rxq_doorbell(const struct rxq *q)
{
	__sync_synchronize();
	rxq_write(q, RDT, q->tail);
}

unsigned int rxq_room(const struct rxq *q)
{
	return (q->clean + q->size - q->tail - 1) % q->size;
}

unsigned int rxq_reap(struct rxq *q)
{
	unsigned int count = 0;

	while (q->clean != q->tail && desc(q, q->clean)->rx_status & RX_DONE) {
		q->clean = (q->clean + 1) % q->size;
		count++;
	}
	__sync_synchronize();
	return count;
}

void rxq_bed_open(struct rxq_bed *bed, const char *vf, const char *far_pf,
		  bool trapped)
{
	vdev_open(&bed->v, vf, DRV_IGBVF_VFIO);
	peer_open(&bed->peer, far_pf);
	nic_alloc(&bed->nic);
	bed->nic.trapped = trapped;
	nic_attach(&bed->nic, &bed->v);
	watch_init(&bed->w, &bed->v);
	bed->q = (struct rxq){ .nic = &bed->nic, .w = &bed->w };
}

void rxq_bed_send(struct rxq_bed *bed, size_t len)
{
	send_number(&bed->peer, bed->nic.mac, ++bed->number, len, &bed->seed);
}

bool rxq_bed_send_all(struct rxq_bed *bed, size_t len)
{
	return poll_until((rxq_bed_send(bed, len), rxq_reap(&bed->q),
			   bed->q.clean == bed->q.tail));
}
