/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of igbvf-vfio-pci share: the device, its lock and the calls
 * from one file into another.
 *
 * Locks, outermost first:
 *	core.memory_lock	the BAR answers: read-held for access to registers,
 *				write-held for an FLR
 *	lock			the state lock: all members of struct igbvf_device
 *				and of its session, and the registers
 * A reset from outside holds the PCI device lock, perhaps core.memory_lock,
 * and takes the state lock; so with the state lock held the PCI device lock is
 * only tried.  User memory is never touched with either held, and everything
 * done with the state lock held ends in bounded time.
 */
#ifndef IGBVF_H
#define IGBVF_H

#include <linux/io.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/vfio_pci_core.h>
#include <linux/wait.h>

#include "state.h"

/* Page 0 of BAR0 goes through the driver; with larger pages, all of it. */
#define IGBVF_TRAPPED	(IS_ALIGNED(SZ_4K, PAGE_SIZE) ? SZ_4K : IGBVF_BAR_SIZE)

/**
 * struct igbvf_session - the stream of one stay in STOP_COPY or RESUMING
 * @ref: one for the device as long as the session lasts, one for the file
 * @vf: the device; a reference keeps its memory
 * @wait: woken when the session ends
 * @saving: STOP_COPY, else RESUMING
 * @ended: the file is of no more use
 * @error: why writing goes no further
 * @len: bytes of @data in use
 * @pos: bytes read
 * @complete: @image is what @data says, and the PF has been told
 * @image: what the bytes written mean
 * @data: the stream
 *
 * The file may outlive the session, and the session its file.  @data does not
 * change once a saving session is open.
 */
struct igbvf_session {
	refcount_t ref;
	struct igbvf_device *vf;
	wait_queue_head_t wait;
	bool saving;
	bool ended;
	int error;
	size_t len;
	size_t pos;
	bool complete;
	struct igbvf_image image;
	u8 data[IGBVF_STREAM_MAX];
};

/**
 * struct igbvf_device - a VF
 * @core: what it is to vfio-pci-core
 * @lock: the state lock
 * @state: migration state
 * @regs: BAR0; NULL while closed
 * @self: what this VF is
 * @image: the VF's state.  @image.pf, and @image.mbx but for its memory, are
 *	kept up all the time, the rest is true while the VF does not run
 * @request_expires: when the guest's unanswered request is none any more
 * @tail_left: what the tail registers read after they were last set up or
 *	parked; another value is a doorbell that the guest rang since
 * @stats_offset: guest's view of a counter minus the counter
 * @bus_master: the guest's wish, while the VF does not run
 * @departed: the state was read to its end, and the VF has not run since
 * @session: the session, in STOP_COPY and RESUMING
 */
struct igbvf_device {
	struct vfio_pci_core_device core;
	struct mutex lock;	/* see above */
	enum vfio_device_mig_state state;
	void __iomem *regs;
	struct igbvf_identity self;
	struct igbvf_image image;
	ktime_t request_expires;
	u32 tail_left[IGBVF_RINGS];
	u32 stats_offset[IGBVF_STATISTICS];
	bool bus_master;
	bool departed;
	struct igbvf_session *session;
};

/* For what an operator can do something about */
#define igbvf_err(vf, fmt, ...) \
	dev_err_ratelimited((vf)->core.vdev.dev, fmt, ##__VA_ARGS__)

static inline struct igbvf_device *to_igbvf(struct vfio_device *vdev)
{
	return container_of(vdev, struct igbvf_device, core.vdev);
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
extern const struct vfio_migration_ops igbvf_migration_ops;
void igbvf_was_reset(struct igbvf_device *vf);
void igbvf_command_written(struct igbvf_device *vf, bool was_running);
void igbvf_depart(struct igbvf_device *vf);

/* datafile.c */
struct file *igbvf_session_open(struct igbvf_device *vf, bool saving);
void igbvf_session_end(struct igbvf_device *vf);

/* mailbox.c */
u32 igbvf_mbx_read(struct igbvf_device *vf);
u32 igbvf_mbx_guest_read(struct igbvf_device *vf);
void igbvf_mbx_guest_write(struct igbvf_device *vf, u32 value);
void igbvf_mbx_reset(struct igbvf_device *vf);
void igbvf_mbx_settle(struct igbvf_device *vf);
void igbvf_mbx_load(struct igbvf_device *vf);
int igbvf_pf_reset(struct igbvf_device *vf, u32 mac[2]);
int igbvf_pf_replay(struct igbvf_device *vf, const struct igbvf_pf *pf);
void igbvf_pf_forget(struct igbvf_device *vf, const struct igbvf_pf *pf);

/* queues.c */
int igbvf_queues_stop(struct igbvf_device *vf);
void igbvf_queues_park(struct igbvf_device *vf);
void igbvf_queues_doorbells(struct igbvf_device *vf);
int igbvf_queues_load(struct igbvf_device *vf);
int igbvf_queues_run(struct igbvf_device *vf);

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
