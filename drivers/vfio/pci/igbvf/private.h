/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of igbvf-vfio-pci share: the device, its state, and the calls
 * from one file into another.
 *
 * Calls go down this list, except that queues.c and log.c call each other:
 * while DMA is logged, the guest's view of the receive queues is in log.c.
 *
 *	main.c		life, page 0
 *	arcs.c		migration
 *	log.c		DMA logging
 *	queues.c	registers of queues and interrupts
 *	pf.c		what the driver asks of the PF
 *	mailbox.c	messages to and from the PF
 *	settings.c	what the PF has acknowledged
 *	state.c		tables of records and registers
 *	regs.c		single registers
 *
 * Locks are those of struct vfio_migration.  The state lock protects all
 * members of struct igbvf_device, and the registers.  All functions are called
 * with it held, and those that reach a register with memory_lock, too.
 */
#ifndef IGBVF_PRIVATE_H
#define IGBVF_PRIVATE_H

#include <linux/vfio_pci_migration.h>

#include "regs.h"
#include "stream.h"

/* The image: a member for each record in stream.h */
struct igbvf_image {
	struct igbvf_identity identity;
	struct igbvf_pf pf;
	struct igbvf_rings rings;
	struct igbvf_interrupts irq;
	struct igbvf_mailbox mbx;
	struct igbvf_statistics stats;
};

/**
 * struct igbvf_expected - values of registers that the guest has not written to
 * @ring: registers of the queues, except for tails; valid while the guest is
 *	served with DMA off
 * @irq: interrupt registers, except for EIMS; likewise
 * @tail: tails of the queues, since they were last set up or parked
 */
struct igbvf_expected {
	u32 ring[IGBVF_RINGS][RING_TAIL];
	u32 irq[IRQ_EIMS];
	u32 tail[IGBVF_RINGS];
};

/**
 * struct igbvf_device - a VF
 * @pci: the VF for the libraries; the first member
 * @self: the VF's identity record
 * @image: the VF's state.  @image.pf, and @image.mbx except for its memory, are
 *	always up to date, the other records while the VF is stopped
 * @incoming: in RESUMING: the state that has been loaded so far
 * @request_expires: when the guest no longer waits for an answer to its request
 * @expected: what registers hold unless the guest has written to them
 * @applied: while DMA is logged: registers of the receive queues that the guest
 *	has written and this driver has passed on to the device; the head as the
 *	guest was shown it last
 * @disabling: bit N: receive queue N was to be disabled, and is not yet
 * @stats_ahead: what is added to each counter for the guest
 * @tried: in RESUMING: what the PF was last asked whether it would do it
 * @trials: in RESUMING: how often it was asked that
 * @untracked: neither the VF nor the IOMMU tells what the VF writes to memory;
 *	set when the VF is opened
 * @loadable: queues can be set up in the middle of a ring
 * @loadable_known: that was tried: when the VF was opened, or at the begin of a
 *	load, with the PF up.  Kept from one user to the next
 * @pf_asked: the PF was asked for something, and does not know yet that the
 *	user is gone
 * @pf_was_reset: the PF was reset since the driver's last handshake with it.
 *	Collected from reads of V2PMAILBOX, which clear the bits that say so
 * @pf_agreed: in RESUMING: the PF has done what @incoming.pf says
 */
struct igbvf_device {
	struct vfio_pci_migration pci;
	struct igbvf_identity self;
	struct igbvf_image image;
	struct igbvf_image incoming;
	ktime_t request_expires;
	struct igbvf_expected expected;
	u32 applied[IGBVF_QUEUES][RING_TAIL];
	u32 disabling;
	u32 stats_ahead[IGBVF_STATISTICS];
	struct igbvf_pf tried;
	unsigned int trials;
	bool untracked;
	bool loadable;
	bool loadable_known;
	bool pf_asked;
	bool pf_was_reset;
	bool pf_agreed;
};

static inline struct igbvf_device *mig_to_igbvf(struct vfio_migration *mig)
{
	return container_of(mig, struct igbvf_device, pci.mig);
}

static inline void __iomem *igbvf_reg(struct igbvf_device *vf, u32 offset)
{
	return vf->pci.core.barmap[VFIO_PCI_BAR0_REGION_INDEX] + offset;
}

/* A MAC address in two words, as in the mailbox; their last two bytes are 0. */
static inline void igbvf_mac_copy(u32 to[2], const u32 from[2])
{
	to[0] = from[0];
	to[1] = from[1] & U16_MAX;
}

/* regs.c */
u32 igbvf_read(struct igbvf_device *vf, u32 offset);
void igbvf_write(struct igbvf_device *vf, u32 offset, u32 value);

/* arcs.c */
#define IGBVF_ARCS	15
extern const struct vfio_mig_arc igbvf_arcs[IGBVF_ARCS];
int igbvf_save(struct vfio_migration *mig, struct vfio_mig_writer *to);
int igbvf_load(struct vfio_migration *mig,
	       const struct vfio_mig_payload *payload, const char **why);
int igbvf_agree_with_pf(struct vfio_migration *mig);

/* state.c */
extern const struct vfio_mig_record_type igbvf_records[IGBVF_RECORD_STATISTICS];
extern const struct vfio_pci_mig_reg igbvf_irq_regs[IRQ_REGS];
extern const struct vfio_pci_mig_reg *const igbvf_ring_regs[IGBVF_RINGS];

/* settings.c */
void igbvf_settings_reset(struct igbvf_pf *pf);
void igbvf_settings_mac(struct igbvf_pf *pf, const u32 mac[2]);
void igbvf_settings_acknowledged(struct igbvf_pf *pf, const u32 *request);

/* mailbox.c */
u32 igbvf_mbx_guest_read(struct igbvf_device *vf);
void igbvf_mbx_guest_mem(struct igbvf_device *vf);
void igbvf_mbx_guest_write(struct igbvf_device *vf, u32 value);
void igbvf_mbx_reset(struct vfio_migration *mig);
void igbvf_mbx_settle(struct igbvf_device *vf);
bool igbvf_mbx_pf_is_down(struct igbvf_device *vf);
bool igbvf_mbx_has_news(struct igbvf_device *vf);
void igbvf_mbx_load(struct igbvf_device *vf);
u32 igbvf_mbx_status(struct igbvf_device *vf);
int igbvf_mbx_exchange(struct igbvf_device *vf, u32 head, const u32 *args,
		       unsigned int count, u32 answer[3]);

/* pf.c */
int igbvf_pf_reset(struct igbvf_device *vf, u32 mac[2]);
bool igbvf_pf_was_reset(struct igbvf_device *vf);
int igbvf_pf_try(struct igbvf_device *vf);
int igbvf_pf_replay(struct igbvf_device *vf);
int igbvf_pf_clear_user(struct igbvf_device *vf, bool reset);

/* queues.c; receive rings come first: ring N is receive queue N */
u32 igbvf_ring_read(struct igbvf_device *vf, unsigned int ring, u32 offset);
void igbvf_ring_write(struct igbvf_device *vf, unsigned int ring, u32 offset,
		      u32 value);
int igbvf_ring_wait(struct igbvf_device *vf, unsigned int ring, bool enabled);
void igbvf_queues_try(struct igbvf_device *vf);
int igbvf_queues_stop(struct igbvf_device *vf, bool bus_master);
void igbvf_queues_park(struct igbvf_device *vf);
void igbvf_queues_watch(struct igbvf_device *vf);
void igbvf_queues_take_over(struct igbvf_device *vf);
void igbvf_queues_reset(struct igbvf_device *vf);
void igbvf_queues_doorbells(struct igbvf_device *vf);
int igbvf_queues_load(struct igbvf_device *vf);
int igbvf_queues_run(struct igbvf_device *vf, bool mailbox);
void igbvf_queues_watch_ring(struct igbvf_device *vf, unsigned int ring);

/* log.c */
extern const struct vfio_pci_mig_log_driver igbvf_log;
bool igbvf_log_read(struct igbvf_device *vf, unsigned int ring, u32 offset,
		    u32 *value);
void igbvf_log_stopped(struct igbvf_device *vf);
void igbvf_log_disable(struct igbvf_device *vf);
void igbvf_log_loaded(struct igbvf_device *vf, unsigned int ring);
bool igbvf_log_started(struct igbvf_device *vf, unsigned int ring);

#endif
