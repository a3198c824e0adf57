// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data sessions: streams of as many bytes as the test asks for.  Their contents
 * are a pattern that test and module compute, so that gigabytes need no memory.
 * A stream that is loaded is compared with the pattern as it comes.
 *
 * mock_session.lock protects the state of a session, and may be taken in an
 * arc.  io_lock makes readers and writers take turns.  It is held over user
 * copies, so it is taken before lock and never in an arc.
 */
#include <linux/anon_inodes.h>
#include <linux/delay.h>
#include <linux/kref.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "mock_session.h"

#define MOCK_CHUNK	4096

/*
 * A period of the pattern and MOCK_CHUNK more, so that each chunk is in one
 * piece.
 */
static u8 mock_patterns[MOCK_PERIOD + MOCK_CHUNK];

void mock_session_init(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(mock_patterns); i++)
		mock_patterns[i] = mock_pattern(i);
}

static const u8 *mock_bytes_at(u64 offset)
{
	u32 rest;

	div_u64_rem(offset, MOCK_PERIOD, &rest);
	return mock_patterns + rest;
}

struct mock_session {
	struct kref kref;
	struct mock_state state;
	bool saving;

	struct mutex io_lock;
	u8 *chunk;		/* under io_lock */

	struct mutex lock;	/* what follows */
	bool ended;
	bool running;
	u64 pos;
	wait_queue_head_t wait;
};

static void mock_session_release(struct kref *kref)
{
	struct mock_session *session =
		container_of(kref, struct mock_session, kref);

	kfree(session->chunk);
	kfree(session);
}

static void mock_session_put(struct mock_session *session)
{
	kref_put(&session->kref, mock_session_release);
}

/* Bytes that can be read now, 0 at the end, -ENOMSG at the end for now */
static ssize_t mock_readable(struct mock_session *session)
{
	u64 end = session->running ? session->state.initial :
				     session->state.size;

	lockdep_assert_held(&session->lock);
	if (session->ended)
		return -ENODEV;
	if (session->pos < end)
		return min(end - session->pos, SSIZE_MAX);
	return session->running ? -ENOMSG : 0;
}

/* Bytes that can be written now */
static ssize_t mock_writable(struct mock_session *session)
{
	lockdep_assert_held(&session->lock);
	if (session->ended)
		return -ENODEV;
	if (session->state.any)
		return SSIZE_MAX;
	if (session->pos >= session->state.size)
		return -ENOSPC;
	return min(session->state.size - session->pos, SSIZE_MAX);
}

static int mock_delay(struct mock_session *session)
{
	if (session->state.delay_ms &&
	    msleep_interruptible(session->state.delay_ms))
		return -EINTR;
	return signal_pending(current) ? -EINTR : 0;
}

/* Sets *pos to the next byte, and returns how much of @len to copy at once. */
static ssize_t mock_next_chunk(struct mock_session *session, size_t len,
			       u64 *pos)
{
	ssize_t can;

	guard(mutex)(&session->lock);
	can = session->saving ? mock_readable(session) :
				mock_writable(session);
	*pos = session->pos;
	return can > 0 ? min3((size_t)can, len, (size_t)MOCK_CHUNK) : can;
}

static int mock_advance(struct mock_session *session, size_t len)
{
	guard(mutex)(&session->lock);
	if (session->ended)
		return -ENODEV;
	session->pos += len;
	return 0;
}

static ssize_t mock_session_read(struct file *file, char __user *buf,
				 size_t len, loff_t *ppos)
{
	struct mock_session *session = file->private_data;
	size_t done = 0;
	ssize_t n = 0;
	u64 pos;

	guard(mutex)(&session->io_lock);
	while (done < len) {
		n = mock_next_chunk(session, len - done, &pos);
		if (n <= 0)
			break;
		if (copy_to_user(buf + done, mock_bytes_at(pos), n)) {
			n = -EFAULT;
			break;
		}
		done += n;
		n = mock_advance(session, n);
		if (!n)
			n = mock_delay(session);
		if (n)
			break;
	}
	return done ?: n;
}

static ssize_t mock_session_write(struct file *file, const char __user *buf,
				  size_t len, loff_t *ppos)
{
	struct mock_session *session = file->private_data;
	size_t done = 0;
	ssize_t n = 0;
	u64 pos;

	guard(mutex)(&session->io_lock);
	while (done < len) {
		n = mock_next_chunk(session, len - done, &pos);
		if (n <= 0)
			break;
		if (copy_from_user(session->chunk, buf + done, n)) {
			n = -EFAULT;
			break;
		}
		if (!session->state.any &&
		    memcmp(session->chunk, mock_bytes_at(pos), n)) {
			n = -EINVAL;
			break;
		}
		done += n;
		n = mock_advance(session, n);
		if (!n)
			n = mock_delay(session);
		if (n)
			break;
	}
	return done ?: n;
}

static __poll_t mock_session_poll(struct file *file, poll_table *table)
{
	struct mock_session *session = file->private_data;

	poll_wait(file, &session->wait, table);
	guard(mutex)(&session->lock);
	if (session->ended)
		return EPOLLERR | EPOLLHUP;
	if (!session->saving)
		return EPOLLOUT | EPOLLWRNORM;
	return mock_readable(session) == -ENOMSG ? 0 : EPOLLIN | EPOLLRDNORM;
}

static long mock_session_ioctl(struct file *file, unsigned int cmd,
			       unsigned long arg)
{
	struct mock_session *session = file->private_data;
	size_t minsz = offsetofend(struct vfio_precopy_info, dirty_bytes);
	struct vfio_precopy_info info;

	if (cmd != VFIO_MIG_GET_PRECOPY_INFO)
		return -ENOTTY;
	if (copy_from_user(&info, (void __user *)arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	scoped_guard(mutex, &session->lock) {
		if (session->ended)
			return -ENODEV;
		if (!session->running)
			return -EINVAL;
		info.initial_bytes = session->state.initial -
			min(session->state.initial, session->pos);
		info.dirty_bytes = 0;
	}
	return copy_to_user((void __user *)arg, &info, minsz) ? -EFAULT : 0;
}

static int mock_session_file_release(struct inode *inode, struct file *file)
{
	mock_session_put(file->private_data);
	return 0;
}

static const struct file_operations mock_save_fops = {
	.owner = THIS_MODULE,
	.read = mock_session_read,
	.poll = mock_session_poll,
	.unlocked_ioctl = mock_session_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = mock_session_file_release,
};

static const struct file_operations mock_load_fops = {
	.owner = THIS_MODULE,
	.write = mock_session_write,
	.poll = mock_session_poll,
	.release = mock_session_file_release,
};

static struct mock_session *mock_session_alloc(const struct mock_state *state)
{
	struct mock_session *session;

	session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	if (!session)
		return NULL;
	session->chunk = kmalloc(MOCK_CHUNK, GFP_KERNEL_ACCOUNT);
	if (!session->chunk) {
		kfree(session);
		return NULL;
	}
	kref_init(&session->kref);
	mutex_init(&session->io_lock);
	mutex_init(&session->lock);
	init_waitqueue_head(&session->wait);
	session->state = *state;
	return session;
}

struct file *mock_session_begin(const struct mock_state *state, bool saving,
				bool running, struct mock_session **begun)
{
	struct mock_session *session = mock_session_alloc(state);
	struct file *file;

	if (!session)
		return ERR_PTR(-ENOMEM);
	session->saving = saving;
	session->running = running;

	file = anon_inode_getfile("vfio_mock",
				  saving ? &mock_save_fops : &mock_load_fops,
				  session, saving ? O_RDONLY : O_WRONLY);
	if (IS_ERR(file)) {
		mock_session_put(session);
		return file;
	}
	stream_open(file->f_inode, file);
	kref_get(&session->kref);
	*begun = session;
	return file;
}

void mock_session_set_running(struct mock_session *session, bool running)
{
	scoped_guard(mutex, &session->lock)
		session->running = running;
	wake_up_all(&session->wait);
}

int mock_session_check(struct mock_session *session)
{
	guard(mutex)(&session->lock);
	return session->state.any || session->pos == session->state.size ?
		0 : -EINVAL;
}

void mock_session_end(struct mock_session *session)
{
	scoped_guard(mutex, &session->lock)
		session->ended = true;
	wake_up_all(&session->wait);
	mock_session_put(session);
}
