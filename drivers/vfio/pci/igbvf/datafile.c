// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data file of a session: a stream that is read in STOP_COPY and written
 * in RESUMING.
 *
 * User memory is copied without a lock.  That needs no more than this: what is
 * read does not change as long as the file exists, and what is written goes
 * through a buffer of its own.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include "igbvf.h"

static void session_put(struct igbvf_session *session)
{
	struct igbvf_device *vf = session->vf;

	if (!refcount_dec_and_test(&session->ref))
		return;
	kfree(session);
	vfio_put_device(&vf->core.vdev);
}

/* Takes the state lock if the session lasts. */
static int session_lock(struct igbvf_session *session)
{
	if (mutex_lock_interruptible(&session->vf->lock))
		return -ERESTARTSYS;
	if (session->ended) {
		mutex_unlock(&session->vf->lock);
		return -ENODEV;
	}
	return 0;
}

static ssize_t saving_read(struct file *filp, char __user *buf, size_t count,
			   loff_t *ppos)
{
	struct igbvf_session *session = filp->private_data;
	size_t pos, left;
	int ret;

	ret = session_lock(session);
	if (ret)
		return ret;
	pos = session->pos;
	count = min(count, session->len - pos);
	session->pos += count;
	if (pos == session->len)
		session->vf->departed = true;
	mutex_unlock(&session->vf->lock);

	left = copy_to_user(buf, session->data + pos, count);
	if (!left)
		return count;
	/* What was not delivered is read next, unless others read on. */
	ret = session_lock(session);
	if (ret)
		return ret;
	if (session->pos == pos + count)
		session->pos -= left;
	mutex_unlock(&session->vf->lock);
	return count > left ? count - left : -EFAULT;
}

/* Adds bytes to the stream and does what can be done with them. */
static int session_add(struct igbvf_session *session, const void *data,
		       size_t count)
{
	struct igbvf_device *vf = session->vf;
	const char *why;
	int ret;

	if (session->error)
		return session->error;
	if (count > IGBVF_STREAM_MAX - session->len)
		return -ENOSPC;
	memcpy(session->data + session->len, data, count);
	session->len += count;
	ret = igbvf_decode(&session->image, session->data, session->len,
			   &vf->self, &why);
	if (ret < 0)
		igbvf_err(vf, "the state to be loaded is refused: %s\n", why);
	else if (ret)	/* now is the time for a refusal by the PF, too */
		ret = igbvf_pf_replay(vf, &session->image.pf) ?: 1;
	session->complete = ret > 0;
	session->error = min(ret, 0);
	return session->error;
}

static ssize_t resuming_write(struct file *filp, const char __user *buf,
			      size_t count, loff_t *ppos)
{
	struct igbvf_session *session = filp->private_data;
	struct igbvf_device *vf = session->vf;
	void *data;
	int ret;

	if (!count)
		return 0;
	if (count > IGBVF_STREAM_MAX)
		return -ENOSPC;
	data = memdup_user(buf, count);
	if (IS_ERR(data))
		return PTR_ERR(data);
	ret = down_read_interruptible(&vf->core.memory_lock);
	if (ret)
		goto out_free;
	ret = session_lock(session);
	if (ret)
		goto out_up;
	ret = session_add(session, data, count);
	mutex_unlock(&vf->lock);
out_up:
	up_read(&vf->core.memory_lock);
out_free:
	kfree(data);
	return ret ?: count;
}

static __poll_t session_poll(struct file *filp, struct poll_table_struct *wait)
{
	struct igbvf_session *session = filp->private_data;

	poll_wait(filp, &session->wait, wait);
	if (READ_ONCE(session->ended))
		return EPOLLERR | EPOLLHUP;
	return session->saving ? EPOLLIN | EPOLLRDNORM :
				 EPOLLOUT | EPOLLWRNORM;
}

static int session_release(struct inode *inode, struct file *filp)
{
	session_put(filp->private_data);
	return 0;
}

static const struct file_operations saving_fops = {
	.owner = THIS_MODULE,
	.read = saving_read,
	.poll = session_poll,
	.release = session_release,
};

static const struct file_operations resuming_fops = {
	.owner = THIS_MODULE,
	.write = resuming_write,
	.poll = session_poll,
	.release = session_release,
};

/**
 * igbvf_session_open - begin a session
 * @vf: the VF, which has none and is awake; state lock held
 * @saving: for STOP_COPY; else for RESUMING
 *
 * Return: its file.  vf->session is the session, which igbvf_session_end()
 * ends whatever becomes of the file.
 */
struct file *igbvf_session_open(struct igbvf_device *vf, bool saving)
{
	struct igbvf_session *session;
	struct file *filp;

	session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	if (!session)
		return ERR_PTR(-ENOMEM);
	filp = anon_inode_getfile("igbvf-vfio-pci",
				  saving ? &saving_fops : &resuming_fops,
				  session, saving ? O_RDONLY : O_WRONLY);
	if (IS_ERR(filp)) {
		kfree(session);
		return filp;
	}
	stream_open(filp->f_inode, filp);

	/* The device stays awake for the session, which write() relies on. */
	pm_runtime_get_noresume(vf->core.vdev.dev);
	get_device(&vf->core.vdev.device);
	session->vf = vf;
	session->saving = saving;
	refcount_set(&session->ref, 2);
	init_waitqueue_head(&session->wait);
	vf->session = session;
	return filp;
}

/**
 * igbvf_session_end - end the session, if there is one
 * @vf: the VF; state lock held
 */
void igbvf_session_end(struct igbvf_device *vf)
{
	struct igbvf_session *session = vf->session;

	if (!session)
		return;
	vf->session = NULL;
	pm_runtime_put(vf->core.vdev.dev);
	WRITE_ONCE(session->ended, true);
	wake_up_all(&session->wait);
	session_put(session);
}
