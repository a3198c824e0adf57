/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the files of vfio-migration.ko.
 *
 * Calls go down: device.c (the walk, resets, closes) -> file.c (data files) ->
 * session.c -> buffer.c and record.c.  arcs.c and lock.c are leaves.  image.c,
 * which drivers call and device.c initialises, calls record.c.
 *
 * Locks, outermost first.  A task that holds one may take those below it:
 *
 *	session io_lock	(file.c) one reader or writer of a data file at a time.
 *			Held over user copies, and so outside of
 *	mmap_lock	(mm)
 *	memory_lock	whether the device answers: vfio_migration.memory_lock
 *	state lock	vfio_migration.lock: state and session of the device,
 *			and what the driver protects with it
 *
 * The state lock may be held for seconds, while a device or its PF does not
 * answer.  So poll() does not take it, O_NONBLOCK only tries it, and a signal
 * ends the wait of other system calls.  A reset and the last close wait.
 *
 * A session is ended with the state lock held, perhaps by a reset.  So the end
 * of a session only tries io_lock: a reset never waits for user memory, and
 * never has to be deferred.
 */
#ifndef VFIO_MIGRATION_PRIVATE_H
#define VFIO_MIGRATION_PRIVATE_H

#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/uio.h>
#include <linux/version.h>
#include <linux/vfio_migration.h>
#include <linux/wait.h>
#include <linux/xarray.h>

/* buffer.c */

/**
 * struct vfio_mig_buffer - a queue of bytes
 * @chunks: memory of VFIO_MIG_CHUNK bytes each, by position in the stream
 * @start: position of the first byte in the buffer; moved by the consumer
 * @end: position behind the last byte; moved by the producer
 *
 * One producer and one consumer may use it at the same time, without a lock.
 * Memory is charged to the cgroup of the producer.
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
 * Append bytes of @from, or remove bytes from the start of the buffer to @to.
 * Return how many bytes were moved, which may be fewer if a signal is pending;
 * 0 if the buffer is empty; or a negative errno if no byte was moved.
 */
ssize_t vfio_mig_buffer_add(struct vfio_mig_buffer *buffer,
			    struct iov_iter *from);
ssize_t vfio_mig_buffer_take(struct vfio_mig_buffer *buffer,
			     struct iov_iter *to);
/*
 * Copies @len bytes at position @pos without removing them: 0, or -EINVAL if
 * they are not all in the buffer
 */
int vfio_mig_buffer_peek(struct vfio_mig_buffer *buffer, u64 pos, void *data,
			 size_t len);

/* session.c */

/**
 * struct vfio_mig_session - a data session: a stream that is saved (PRE_COPY,
 *	PRE_COPY_P2P, STOP_COPY) or loaded (RESUMING)
 * @ref: one reference of the device while the session lasts, one of the file
 * @mig: the device's migration.  The file may follow this pointer only between
 *	vfio_mig_session_enter() and vfio_mig_session_leave()
 * @wait: woken when poll() may return something else
 * @saving: the user reads the stream; else the user writes it
 * @max_bytes: bytes that a written stream without records may have
 * @io_lock: see above
 * @buffer: the stream, unless it is written in records.  The holder of the
 *	state lock and the holder of @io_lock are producer and consumer
 * @bounce: VFIO_MIG_CHUNK bytes between the user's copy and the reader, for a
 *	written stream of records; under @io_lock
 * @end_lock: protects @ended; a leaf
 * @ended: the session is over; set under the state lock and @end_lock
 * @complete: the end of the stream is in the buffer or was read; under the
 *	state lock
 * @due: read() would return something else than ENOMSG even if the buffer is
 *	empty: save() has something to add, or the stream ends.  Written under
 *	the state lock, read without it
 * @initial_end: position in the stream at which initial_bytes of
 *	VFIO_MIG_GET_PRECOPY_INFO end; under the state lock
 * @initial_seen: the @initial_end that the user knows of: if they differ, there is
 *	new initial data, which VFIO_PRECOPY_INFO_REINIT tells of.  Written under
 *	the state lock at first, then when the flag has reached the user, without
 *	a lock.  If two threads ask at once, the flag may be told twice
 * @writer: appends to @buffer; under the state lock
 * @reader: checks a written stream of records; under the state lock, except for
 *	@reader.format, which does not change: NULL without records
 * @loaded: bytes of the stream that @reader has taken; under the state lock
 * @streamed: with an image: a copy of the parts that were sent, by which
 *	changes in PRE_COPY are found; under the state lock
 *
 * The file may outlive the session, and the session the file.  The file may
 * also outlive the device and its driver, and does not hold them: a data file
 * that a process keeps open delays neither close nor module removal.
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
	spinlock_t end_lock;	/* ended */
	bool ended;
	bool complete;
	bool due;
	u64 initial_end;
	u64 initial_seen;
	struct vfio_mig_writer writer;
	struct vfio_mig_reader reader;
	u64 loaded;
	void *streamed;
};

/*
 * Between enter and leave session->mig may be used; the last close waits for
 * it.  Enter fails if the session has ended.  User memory must not be touched
 * in between.
 */
bool vfio_mig_session_enter(struct vfio_mig_session *session);
void vfio_mig_session_leave(struct vfio_mig_session *session);
/* All sessions have ended: waits until the last operation has left. */
void vfio_mig_wait_file_ops(struct vfio_migration *mig);

/* Called with the state lock held, except for put() and drop_data() */

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
/* Frees the data of an ended session, unless another task holds io_lock. */
void vfio_mig_session_drop_data(struct vfio_mig_session *session);
/*
 * Updates session->due and wakes poll(): read() may return something else now.
 */
void vfio_mig_session_changed(struct vfio_mig_session *session);
/*
 * Calls the driver's save() if something is due in mig->state: 0 or an error.
 */
int vfio_mig_session_save(struct vfio_mig_session *session);
/*
 * Passes bytes of a stream of records to the reader, with one call of load() at
 * most.  Returns how many were taken, or the error that refuses the stream.
 */
ssize_t vfio_mig_session_load(struct vfio_mig_session *session,
			      const void *data, size_t len);
/* Bytes that were saved or loaded so far; 0 if @session is NULL */
u64 vfio_mig_session_bytes(const struct vfio_mig_session *session);
/* 0 if the written stream is complete and good, else an error */
int vfio_mig_session_check(struct vfio_mig_session *session);

/* file.c */

/* Begins a session: its data file, or an error pointer; state lock held */
struct file *vfio_mig_file_open(struct vfio_migration *mig, bool saving);

/* image.c */

/* Sets mig->image_size: 0, or -EINVAL after a message */
int vfio_mig_image_init(struct vfio_migration *mig);

/* arcs.c */

/* Fills mig->arc and mig->exclusive: 0, or -EINVAL after a message */
int vfio_mig_arcs_init(struct vfio_migration *mig);
/* NULL if the device has no such arc */
const struct vfio_mig_arc *
vfio_mig_find_arc(const struct vfio_migration *mig,
		  enum vfio_device_mig_state from,
		  enum vfio_device_mig_state to);
/* True if vfio_mig_get_next_state() must not be called: there is no path. */
bool vfio_mig_is_unreachable(enum vfio_device_mig_state from,
			     enum vfio_device_mig_state to);
/*
 * The arc that is taken if save() fails where @arc ends; NULL if save() is not
 * called there
 */
const struct vfio_mig_arc *
vfio_mig_undo_arc(const struct vfio_migration *mig,
		  const struct vfio_mig_arc *arc);
/*
 * Does the path have an arc with VFIO_MIG_ARC_EXCLUSIVE, or one that such an arc
 * may have to undo?
 */
bool vfio_mig_path_is_exclusive(const struct vfio_migration *mig,
				enum vfio_device_mig_state from,
				enum vfio_device_mig_state target);

/* lock.c */

/*
 * vfio_mig_lock() for read(), write() and ioctl() of a data file.  0,
 * -ERESTARTSYS, or -EAGAIN if @nowait is set and another task has one of the
 * locks
 */
int vfio_mig_lock_io(struct vfio_migration *mig, bool nowait);

/* Called before each function of the driver that may reach the device */
static inline void vfio_mig_prepare(struct vfio_migration *mig)
{
	if (mig->driver->prepare)
		mig->driver->prepare(mig);
}

/* Whether the user knows VFIO_PRECOPY_INFO_REINIT */
static inline bool vfio_mig_precopy_info_v2(struct vfio_device *vdev)
{
#ifndef VFIO_CORE_OF_LINUX
	return vfio_device_precopy_info_v2(vdev);
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(7, 1, 0)
	return READ_ONCE(vdev->precopy_info_v2);
#else
	return false;
#endif
}

static inline bool vfio_mig_is_precopy(enum vfio_device_mig_state state)
{
	return state == VFIO_DEVICE_STATE_PRE_COPY ||
	       state == VFIO_DEVICE_STATE_PRE_COPY_P2P;
}

/*
 * Is save() called where the arc ends?  Between PRE_COPY and PRE_COPY_P2P, the
 * next read() calls it, or the next VFIO_MIG_GET_PRECOPY_INFO of a user that
 * knows its flags.
 */
static inline bool vfio_mig_arc_saves(const struct vfio_mig_arc *arc)
{
	return vfio_mig_session_kind(arc->to) == VFIO_MIG_SAVING &&
	       !(vfio_mig_is_precopy(arc->from) && vfio_mig_is_precopy(arc->to));
}

#endif /* VFIO_MIGRATION_PRIVATE_H */
