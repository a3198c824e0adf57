/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a VF's state is in memory, and the rules of what is valid.  How it is
 * streamed is in stream.h.  This file and state.c know memory only, no device.
 */
#ifndef IGBVF_STATE_H
#define IGBVF_STATE_H

#include <linux/if_ether.h>
#include <linux/vfio_migration.h>

#include "regs.h"
#include "stream.h"

/* All that a save carries; a member for each record in stream.h */
struct igbvf_image {
	struct igbvf_identity identity;
	struct igbvf_pf pf;
	struct igbvf_rings rings;
	struct igbvf_interrupts irq;
	struct igbvf_mailbox mbx;
	struct igbvf_statistics stats;
};

#define IGBVF_RECORDS		6

extern const struct vfio_mig_record_type igbvf_records[IGBVF_RECORDS];

/* A register and the bits of it that a guest may set */
struct igbvf_reg {
	u16 offset;
	u32 mask;
};

extern const struct igbvf_reg igbvf_rx_regs[RING_REGS];
extern const struct igbvf_reg igbvf_tx_regs[RING_REGS];
extern const struct igbvf_reg igbvf_irq_regs[IRQ_REGS];

static inline bool igbvf_ring_is_rx(unsigned int ring)
{
	return ring < IGBVF_QUEUES;
}

static inline const struct igbvf_reg *igbvf_ring_regs(unsigned int ring)
{
	return igbvf_ring_is_rx(ring) ? igbvf_rx_regs : igbvf_tx_regs;
}

/* The mailbox carries addresses in two words, first byte lowest. */
static inline void igbvf_mac_from_words(u8 mac[ETH_ALEN], const u32 words[2])
{
	int i;

	for (i = 0; i < ETH_ALEN; i++)
		mac[i] = words[i / 4] >> (8 * (i % 4));
}

unsigned long igbvf_stream_size(void);
const char *igbvf_image_check(const struct igbvf_image *image,
			      const struct igbvf_identity *self);
int igbvf_write_record(struct vfio_mig_writer *to,
		       const struct igbvf_image *image,
		       enum igbvf_record_type type);
int igbvf_read_record(const struct vfio_mig_payload *from,
		      struct igbvf_image *image,
		      const struct igbvf_identity *self, const char **why);

#endif
