/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of igbvf-vfio-pci share: the device, its lock and the calls
 * from one file into another.
 *
 * Locks, outermost first:
 *	core.memory_lock	the BAR answers: read-held for access to registers,
 *				write-held for an FLR
 *	mig.lock		the state lock: all members of struct
 *				igbvf_device, and the registers
 * Their rules are those of struct vfio_migration.
 */
#ifndef IGBVF_H
#define IGBVF_H

#include <linux/io.h>
#include <linux/vfio_migration.h>
#include <linux/vfio_pci_core.h>

#include "state.h"

/* Page 0 of BAR0 goes through the driver; with larger pages, all of it. */
#define IGBVF_TRAPPED	(IS_ALIGNED(SZ_4K, PAGE_SIZE) ? SZ_4K : IGBVF_BAR_SIZE)

/**
 * struct igbvf_device - a VF
 * @core: what it is to vfio-pci-core
 * @mig: what it is to vfio-migration
 * @regs: BAR0; NULL while closed
 * @self: what this VF is
 * @image: the VF's state.  @image.pf, and @image.mbx but for its memory, are
 *	kept up all the time, the rest is true while the VF does not run
 * @incoming: in RESUMING: the state that has come so far
 * @streamed: in PRE_COPY: @image.pf as it was streamed last
 * @request_expires: when the guest's unanswered request is none any more
 * @tail_left: what the tail registers read after they were last set up or
 *	parked; another value is a doorbell that the guest rang since
 * @stats_offset: guest's view of a counter minus the counter
 * @bus_master: the guest's wish, while the VF does not run
 * @pf_asked: since it was opened, the PF was asked for something
 * @pf_agreed: in RESUMING: the PF does for the VF what @incoming.pf says
 */
struct igbvf_device {
	struct vfio_pci_core_device core;
	struct vfio_migration mig;
	void __iomem *regs;
	struct igbvf_identity self;
	struct igbvf_image image;
	struct igbvf_image incoming;
	struct igbvf_pf streamed;
	ktime_t request_expires;
	u32 tail_left[IGBVF_RINGS];
	u32 stats_offset[IGBVF_STATISTICS];
	bool bus_master;
	bool pf_asked;
	bool pf_agreed;
};

/* For what an operator can do something about */
#define igbvf_err(vf, fmt, ...) \
	dev_err_ratelimited((vf)->core.vdev.dev, fmt, ##__VA_ARGS__)

static inline struct igbvf_device *to_igbvf(struct vfio_device *vdev)
{
	return container_of(vdev, struct igbvf_device, core.vdev);
}

static inline struct igbvf_device *mig_to_igbvf(struct vfio_migration *mig)
{
	return container_of(mig, struct igbvf_device, mig);
}

/*
 * Does page 0 answer as usual?  While it does not, the image does.  State lock
 * held.
 */
static inline bool igbvf_serves(struct igbvf_device *vf)
{
	return vfio_mig_is_running(&vf->mig) ||
	       vf->mig.state == VFIO_DEVICE_STATE_RUNNING_P2P ||
	       vf->mig.state == VFIO_DEVICE_STATE_PRE_COPY_P2P;
}

static inline u32 igbvf_read(struct igbvf_device *vf, u32 offset)
{
	return ioread32(vf->regs + offset);
}

static inline void igbvf_write(struct igbvf_device *vf, u32 offset, u32 value)
{
	iowrite32(value, vf->regs + offset);
}

/* arcs.c */
extern const struct vfio_mig_driver igbvf_migration;
void igbvf_command_written(struct igbvf_device *vf, bool was_running);

/* mailbox.c */
u32 igbvf_mbx_read(struct igbvf_device *vf);
u32 igbvf_mbx_guest_read(struct igbvf_device *vf);
void igbvf_mbx_guest_write(struct igbvf_device *vf, u32 value);
void igbvf_mbx_reset(struct igbvf_device *vf);
void igbvf_mbx_settle(struct igbvf_device *vf);
bool igbvf_mbx_has_news(struct igbvf_device *vf);
void igbvf_mbx_load(struct igbvf_device *vf);
int igbvf_pf_reset(struct igbvf_device *vf, u32 mac[2]);
int igbvf_pf_try(struct igbvf_device *vf, const struct igbvf_pf *pf);
int igbvf_pf_replay(struct igbvf_device *vf, const struct igbvf_pf *pf);
void igbvf_pf_forget(struct igbvf_device *vf, const struct igbvf_pf *pf);

/* queues.c */
int igbvf_queues_stop(struct igbvf_device *vf);
void igbvf_queues_park(struct igbvf_device *vf);
void igbvf_queues_reset(struct igbvf_device *vf);
void igbvf_queues_doorbells(struct igbvf_device *vf);
int igbvf_queues_load(struct igbvf_device *vf);
int igbvf_queues_run(struct igbvf_device *vf, bool mailbox);

/* stats.c */
bool igbvf_stats_read(struct igbvf_device *vf, u32 offset, u32 *value);
void igbvf_stats_stop(struct igbvf_device *vf);
void igbvf_stats_run(struct igbvf_device *vf);

/* access.c */
ssize_t igbvf_region_read(struct vfio_device *vdev, char __user *buf,
			  size_t count, loff_t *ppos);
ssize_t igbvf_region_write(struct vfio_device *vdev, const char __user *buf,
			   size_t count, loff_t *ppos);

#endif
