// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data file of a session: read, write, poll and ioctl.
 *
 * Only io_lock, which makes readers and writers take turns, is held over user
 * copies.  So the session may end in the middle of a copy: after taking the
 * state lock, this file checks whether the session has ended.  It does not call
 * the driver; session.c does.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "private.h"

static bool io_nowait(const struct kiocb *iocb)
{
	return iocb->ki_flags & IOCB_NOWAIT ||
	       iocb->ki_filp->f_flags & O_NONBLOCK;
}

/*
 * Takes io_lock: 0, -ENODEV if the session has ended, -EAGAIN or -ERESTARTSYS
 */
static int io_begin(struct vfio_mig_session *session, struct kiocb *iocb)
{
	if (io_nowait(iocb)) {
		if (!mutex_trylock(&session->io_lock))
			return READ_ONCE(session->ended) ? -ENODEV : -EAGAIN;
	} else if (mutex_lock_interruptible(&session->io_lock)) {
		return -ERESTARTSYS;
	}
	if (!READ_ONCE(session->ended))
		return 0;
	mutex_unlock(&session->io_lock);
	return -ENODEV;
}

static void io_end(struct vfio_mig_session *session)
{
	mutex_unlock(&session->io_lock);
	/* If the session ended meanwhile, the data could not be freed. */
	if (READ_ONCE(session->ended))
		vfio_mig_session_drop_data(session);
}

/*
 * Takes memory_lock and the state lock: 0, -ENODEV if the session has ended, or
 * an error of vfio_mig_lock_io()
 */
static int session_lock(struct vfio_mig_session *session, bool nowait)
{
	int ret;

	if (!vfio_mig_session_enter(session))
		return -ENODEV;
	ret = vfio_mig_lock_io(session->mig, nowait);
	if (ret)
		goto err_leave;
	if (!session->ended)
		return 0;
	vfio_mig_unlock(session->mig, false);
	ret = -ENODEV;
err_leave:
	vfio_mig_session_leave(session);
	return ret;
}

static void session_unlock(struct vfio_mig_session *session)
{
	vfio_mig_unlock(session->mig, false);
	vfio_mig_session_leave(session);
}

/*
 * The buffer is empty: calls save() if something is due.  1 if the buffer has
 * bytes now; 0 at the end of the stream; -ENOMSG if more may come later in
 * PRE_COPY; or an error
 */
static int session_refill(struct vfio_mig_session *session, bool nowait)
{
	int ret;

	ret = session_lock(session, nowait);
	if (ret)
		return ret;
	ret = vfio_mig_session_save(session);
	if (!ret && vfio_mig_buffer_fill(&session->buffer))
		ret = 1;
	else if (!ret && !session->complete)
		ret = -ENOMSG;
	session_unlock(session);
	return ret;
}

static ssize_t saving_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct vfio_mig_session *session = iocb->ki_filp->private_data;
	ssize_t ret;

	ret = io_begin(session, iocb);
	if (ret)
		return ret;
	if (!iov_iter_count(to))
		goto out_end;
	/* After an error the rest of the buffer is an incomplete stream. */
	ret = READ_ONCE(session->writer.error);
	if (ret)
		goto out_end;
	if (!vfio_mig_buffer_fill(&session->buffer)) {
		ret = session_refill(session, io_nowait(iocb));
		if (ret <= 0)
			goto out_end;
	}
	ret = vfio_mig_buffer_take(&session->buffer, to);
out_end:
	io_end(session);
	return ret;
}

/*
 * Passes @len bytes of bounce to the driver, unit by unit.  The driver may take
 * long for each, and a stream from anywhere may have many: so the locks are
 * released between two units, where a reset or another thread may get them and
 * a signal ends the write().
 *
 * Returns the bytes taken, or the error that refuses the stream: then it no
 * longer matters how much was taken.
 */
static ssize_t load_bounce(struct vfio_mig_session *session, size_t len,
			   bool nowait)
{
	size_t done = 0;
	ssize_t ret;

	while (done < len) {
		ret = session_lock(session, nowait);
		if (ret)
			return done ?: ret;
		ret = vfio_mig_session_load(session, session->bounce + done,
					    len - done);
		session_unlock(session);
		if (ret < 0)
			return ret;
		done += ret;
		cond_resched();
		if (signal_pending(current))
			break;
	}
	return done;
}

/* A stream of records is checked and loaded while it is written. */
static ssize_t write_records(struct vfio_mig_session *session,
			     struct iov_iter *from, bool nowait)
{
	ssize_t done = 0, ret;
	size_t copied;

	while (iov_iter_count(from)) {
		copied = copy_from_iter(session->bounce, VFIO_MIG_CHUNK, from);
		if (!copied)
			return done ?: -EFAULT;
		ret = load_bounce(session, copied, nowait);
		if (ret < 0)
			return session->reader.error || !done ? ret : done;
		done += ret;
		if ((size_t)ret < copied || signal_pending(current))
			break;
	}
	return done;
}

/* Bytes without a record format are kept in the buffer. */
static ssize_t write_bytes(struct vfio_mig_session *session,
			   struct iov_iter *from)
{
	u64 max = session->max_bytes;
	u64 fill = vfio_mig_buffer_fill(&session->buffer);

	if (!iov_iter_count(from))
		return 0;
	if (fill >= max)
		return -ENOSPC;
	iov_iter_truncate(from, max - fill);
	return vfio_mig_buffer_add(&session->buffer, from);
}

static ssize_t resuming_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct vfio_mig_session *session = iocb->ki_filp->private_data;
	ssize_t ret;

	ret = io_begin(session, iocb);
	if (ret)
		return ret;
	if (session->reader.format)
		ret = write_records(session, from, io_nowait(iocb));
	else
		ret = write_bytes(session, from);
	io_end(session);
	return ret;
}

/* Does not take the state lock, which another task may hold for seconds. */
static __poll_t session_poll(struct file *filp, struct poll_table_struct *wait)
{
	struct vfio_mig_session *session = filp->private_data;

	poll_wait(filp, &session->wait, wait);
	if (READ_ONCE(session->ended))
		return EPOLLERR | EPOLLHUP;
	if (!session->saving)
		return EPOLLOUT | EPOLLWRNORM;
	/* Would read() return something else than ENOMSG? */
	if (READ_ONCE(session->due) || READ_ONCE(session->writer.error) ||
	    vfio_mig_buffer_fill(&session->buffer))
		return EPOLLIN | EPOLLRDNORM;
	return 0;
}

/* State lock held */
static int precopy_info(struct vfio_mig_session *session,
			struct vfio_precopy_info *info)
{
	struct vfio_migration *mig = session->mig;
	/* A read() may move the start meanwhile, but nobody the end. */
	u64 start = READ_ONCE(session->buffer.start);
	u64 fill = session->buffer.end - start;

	if (!vfio_mig_is_precopy(mig->state))
		return -EINVAL;
	if (session->writer.error)
		return session->writer.error;
	info->initial_bytes = 0;
	if (start < session->initial_end)
		info->initial_bytes = session->initial_end - start;
	info->dirty_bytes = fill - min(fill, info->initial_bytes);
	if (mig->driver->pending)
		info->dirty_bytes += mig->driver->pending(mig);
	return 0;
}

/*
 * precopy_info() for a user that knows the flags.  Puts new initial data on the
 * stream, because the user decides by this answer whether to stop the device; but
 * not if much is unread, as this call must not make the stream grow without a
 * limit.  Sets *@end to the end of the initial data that the answer tells of.
 * Caller holds memory_lock and the state lock.
 */
static int precopy_info_v2(struct vfio_mig_session *session,
			   struct vfio_precopy_info *info, u64 *end)
{
	int ret;

	if (vfio_mig_is_precopy(session->mig->state) &&
	    session->mig->driver->reinit &&
	    vfio_mig_buffer_fill(&session->buffer) < VFIO_MIG_CHUNK) {
		ret = vfio_mig_session_save(session);
		if (ret)
			return ret;
	}
	ret = precopy_info(session, info);
	if (ret)
		return ret;
	*end = session->initial_end;
	info->flags = READ_ONCE(session->initial_seen) == *end ? 0 :
		      VFIO_PRECOPY_INFO_REINIT;
	return 0;
}

static long saving_ioctl(struct file *filp, unsigned int cmd,
			 unsigned long arg)
{
	size_t minsz = offsetofend(struct vfio_precopy_info, dirty_bytes);
	struct vfio_mig_session *session = filp->private_data;
	struct vfio_precopy_info info;
	u64 end = 0;
	long ret;

	if (cmd != VFIO_MIG_GET_PRECOPY_INFO)
		return -ENOTTY;
	if (copy_from_user(&info, (void __user *)arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	ret = session_lock(session, false);
	if (ret)
		return ret;
	if (vfio_mig_precopy_info_v2(session->mig->vdev))
		ret = precopy_info_v2(session, &info, &end);
	else
		ret = precopy_info(session, &info);
	session_unlock(session);
	if (ret)
		return ret;
	/* If this fails, the user has not seen the flag: it is told again. */
	if (copy_to_user((void __user *)arg, &info, minsz))
		return -EFAULT;
	if (end)
		WRITE_ONCE(session->initial_seen, end);
	return 0;
}

static int session_release(struct inode *inode, struct file *filp)
{
	vfio_mig_session_put(filp->private_data);
	return 0;
}

static const struct file_operations saving_fops = {
	.owner = THIS_MODULE,
	.read_iter = saving_read,
	.poll = session_poll,
	.unlocked_ioctl = saving_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = session_release,
};

static const struct file_operations resuming_fops = {
	.owner = THIS_MODULE,
	.write_iter = resuming_write,
	.poll = session_poll,
	.release = session_release,
};

struct file *vfio_mig_file_open(struct vfio_migration *mig, bool saving)
{
	struct vfio_mig_session *session;
	struct file *filp;

	session = vfio_mig_session_create(mig, saving);
	if (IS_ERR(session))
		return ERR_CAST(session);
	filp = anon_inode_getfile("[vfio-migration]",
				  saving ? &saving_fops : &resuming_fops,
				  session, saving ? O_RDONLY : O_WRONLY);
	if (IS_ERR(filp)) {
		vfio_mig_session_put(session);
		return filp;
	}
	stream_open(filp->f_inode, filp);
	vfio_mig_session_begin(session);
	return filp;
}
