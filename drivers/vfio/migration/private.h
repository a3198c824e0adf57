/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the files of vfio-migration.ko.
 *
 * Calls go down: device.c (the walk, resets, closes) -> file.c (data files) ->
 * session.c -> buffer.c and record.c; all -> lock.c.  Drivers call image.c.
 *
 * Locks, outermost first.  A task that holds one may take those below it:
 *
 *	session io_lock	(file.c) one reader or writer of a data file at a time.
 *			Held over user copies, and so outside of
 *	mmap_lock	(mm)
 *	memory_lock	the device answers; see vfio_migration.memory_lock
 *	state lock	vfio_migration.lock: state and session of the device,
 *			and what the driver protects with it
 *
 * The state lock may be held for seconds, while a device or its PF does not
 * answer.  So poll() does without it, O_NONBLOCK only tries it, and other system
 * calls can be killed while they wait for it; a reset and the last close cannot.
 *
 * Whoever ends a session holds the state lock and may be a reset, so it only
 * tries io_lock.  This is what makes a reset never wait for user memory, and
 * the reason why none has to be put off.
 */
#ifndef VFIO_MIGRATION_PRIVATE_H
#define VFIO_MIGRATION_PRIVATE_H

#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/uio.h>
#include <linux/vfio_migration.h>
#include <linux/wait.h>
#include <linux/xarray.h>

/* buffer.c */

/**
 * struct vfio_mig_buffer - bytes, in the order in which they were added
 * @chunks: memory for them, by position
 * @start: where those begin that are still there; moved by the consumer
 * @end: where they end; moved by the producer
 *
 * Takes one producer and one consumer at a time, without a lock.  Memory is
 * charged to the producer's cgroup.
 */
struct vfio_mig_buffer {
	struct xarray chunks;
	unsigned long start;
	unsigned long end;
};

#define VFIO_MIG_CHUNK	((size_t)SZ_64K)

void vfio_mig_buffer_init(struct vfio_mig_buffer *buffer);
void vfio_mig_buffer_free(struct vfio_mig_buffer *buffer);
unsigned long vfio_mig_buffer_fill(const struct vfio_mig_buffer *buffer);

/*
 * Bytes from @from to the end of the buffer, or from its start to @to.  Return
 * how many were moved, 0 if the buffer is empty, or an error if none were.
 */
ssize_t vfio_mig_buffer_add(struct vfio_mig_buffer *buffer,
			    struct iov_iter *from);
ssize_t vfio_mig_buffer_take(struct vfio_mig_buffer *buffer,
			     struct iov_iter *to);
/* Copies from the middle, and leaves the bytes there. */
int vfio_mig_buffer_peek(struct vfio_mig_buffer *buffer, u64 pos, void *data,
			 size_t len);

/* session.c */

/**
 * struct vfio_mig_session - the stream of one stay in the saving group or in
 *	RESUMING
 * @ref: one for the device as long as the session lasts, one for the file
 * @mig: whose session it is; from the file it is reached only by
 *	vfio_mig_session_enter()
 * @wait: woken when poll() may have something new to say
 * @saving: the stream is read; else it is written
 * @max_bytes: of a stream that is not made of records: it has no more
 * @io_lock: see above
 * @buffer: the stream; if it is written in records, not used.  Producer and
 *	consumer are who holds the state lock and who holds @io_lock
 * @bounce: of a written stream of records: bytes on their way; under @io_lock
 * @end_lock: a leaf
 * @ended: the session is over; set under the state lock and @end_lock
 * @complete: the end of the stream is in the buffer; set under the state lock
 * @due: read() has more to say than the buffer: save() has something to add, or
 *	the stream ends.  Written under the state lock, and read without it
 * @initial_end: where dirty bytes begin; under the state lock
 * @writer: writes @buffer; under the state lock
 * @reader: reads what comes in records; under the state lock, but for its format,
 *	which is NULL if the stream is not made of records
 * @loaded: bytes of records that were taken in; under the state lock
 * @streamed: of a driver with an image: as much of it as has been saved, in
 *	PRE_COPY; under the state lock
 *
 * The file may outlive the session, and the session its file.  It may also
 * outlive the device and its driver, which it does not hold: so a data file that
 * somebody has kept is in nobody's way.
 */
struct vfio_mig_session {
	refcount_t ref;
	struct vfio_migration *mig;
	wait_queue_head_t wait;
	bool saving;
	u64 max_bytes;
	struct mutex io_lock;	/* see above */
	struct vfio_mig_buffer buffer;
	void *bounce;
	spinlock_t end_lock;	/* the next member */
	bool ended;
	bool complete;
	bool due;
	u64 initial_end;
	struct vfio_mig_writer writer;
	struct vfio_mig_reader reader;
	u64 loaded;
	void *streamed;
};

/*
 * From enter to leave, which the last close waits for, there is session->mig.
 * Enter fails if the session has ended.  Nobody waits for user memory between.
 */
bool vfio_mig_session_enter(struct vfio_mig_session *session);
void vfio_mig_session_leave(struct vfio_mig_session *session);
void vfio_mig_wait_file_ops(struct vfio_migration *mig);

/* All of these with the state lock held, but put() and drop_data() */

/* Returns a session with one reference, the file's, or an error pointer. */
struct vfio_mig_session *vfio_mig_session_create(struct vfio_migration *mig,
						 bool saving);
/*
 * Makes it the device's session, with a reference of its own.  The device is
 * open and awake, and stays awake until the session ends.
 */
void vfio_mig_session_begin(struct vfio_mig_session *session);
void vfio_mig_session_end(struct vfio_migration *mig);
void vfio_mig_session_put(struct vfio_mig_session *session);
/* Frees the data of an ended session unless somebody is at it. */
void vfio_mig_session_drop_data(struct vfio_mig_session *session);
/* What read() would return may have changed: brings @due up to date for poll(). */
void vfio_mig_session_changed(struct vfio_mig_session *session);
/* Has save() write what is due in mig->state. */
int vfio_mig_session_save(struct vfio_mig_session *session);
/*
 * Takes in bytes of a stream of records, with one call of load() at most.
 * Returns how many, or the error for which the stream is refused.
 */
ssize_t vfio_mig_session_load(struct vfio_mig_session *session,
			      const void *data, size_t len);
/* How long the stream is by now; 0 without a session */
u64 vfio_mig_session_bytes(const struct vfio_mig_session *session);
/* Is what was written a whole stream? */
int vfio_mig_session_check(struct vfio_mig_session *session);

/* file.c */

/*
 * Begins a session, and returns its data file or an error pointer; state lock
 * held
 */
struct file *vfio_mig_file_open(struct vfio_migration *mig, bool saving);

/* image.c */

/* Sets mig->image_size.  0, or -EINVAL after a message */
int vfio_mig_image_init(struct vfio_migration *mig);

/* arcs.c */

/* Fills mig->arc and mig->exclusive: 0, or -EINVAL after a message */
int vfio_mig_arcs_init(struct vfio_migration *mig);
/* NULL if the device has no such arc */
const struct vfio_mig_arc *
vfio_mig_find_arc(const struct vfio_migration *mig,
		  enum vfio_device_mig_state from,
		  enum vfio_device_mig_state to);
/* Must vfio_mig_get_next_state() not be asked for this way? */
bool vfio_mig_is_unreachable(enum vfio_device_mig_state from,
			     enum vfio_device_mig_state to);
/* Is there an arc with VFIO_MIG_ARC_EXCLUSIVE on the way? */
bool vfio_mig_way_is_exclusive(const struct vfio_migration *mig,
			       enum vfio_device_mig_state from,
			       enum vfio_device_mig_state target);

/* lock.c */

/*
 * vfio_mig_lock() for read() and write() of a data file.  0, -ERESTARTSYS, or
 * -EAGAIN if @nowait is set and another task has one of the locks
 */
int vfio_mig_lock_io(struct vfio_migration *mig, bool nowait);

/* To be called before each function of the driver that may reach the device */
static inline void vfio_mig_prepare(struct vfio_migration *mig)
{
	if (mig->driver->prepare)
		mig->driver->prepare(mig);
}

static inline bool vfio_mig_is_precopy(enum vfio_device_mig_state state)
{
	return state == VFIO_DEVICE_STATE_PRE_COPY ||
	       state == VFIO_DEVICE_STATE_PRE_COPY_P2P;
}

#endif /* VFIO_MIGRATION_PRIVATE_H */
