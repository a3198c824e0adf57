// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data sessions: their life, and the calls of the driver's save() and load()
 * for their streams.  The file by which a user reads or writes one is in
 * file.c.
 *
 * The state lock protects mig->session, and is held over all calls of the
 * driver.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include <trace/events/vfio_migration.h>

#include "private.h"

static int session_put_bytes(struct vfio_mig_writer *writer, const void *data,
			     size_t len)
{
	struct vfio_mig_session *session =
		container_of(writer, struct vfio_mig_session, writer);
	struct kvec vec = { .iov_base = (void *)data, .iov_len = len };
	struct iov_iter from;
	ssize_t ret;

	iov_iter_kvec(&from, ITER_SOURCE, &vec, 1, len);
	ret = vfio_mig_buffer_add(&session->buffer, &from);
	if (ret < 0)
		return ret;
	return ret == len ? 0 : -ENOMEM;
}

/* Calls save().  Fails if a write has failed, even if save() ignores that. */
static int session_append(struct vfio_mig_session *session)
{
	struct vfio_migration *mig = session->mig;
	int ret;

	vfio_mig_prepare(mig);
	ret = mig->driver->save(mig, &session->writer);
	return session->writer.error ?: ret;
}

static int session_load_record(struct vfio_mig_reader *reader,
			       const struct vfio_mig_payload *payload,
			       const char **why)
{
	struct vfio_migration *mig =
		container_of(reader, struct vfio_mig_session, reader)->mig;

	vfio_mig_prepare(mig);
	return mig->driver->load(mig, payload, why);
}

bool vfio_mig_session_enter(struct vfio_mig_session *session)
{
	bool lasts;

	spin_lock(&session->end_lock);
	lasts = !session->ended;
	if (lasts)
		atomic_inc(&session->mig->file_ops);
	spin_unlock(&session->end_lock);
	return lasts;
}

void vfio_mig_session_leave(struct vfio_mig_session *session)
{
	atomic_t *file_ops = &session->mig->file_ops;

	/*
	 * After the last decrement file_ops may be freed: only its address
	 * counts.
	 */
	if (atomic_dec_and_test(file_ops))
		wake_up_var(file_ops);
}

void vfio_mig_wait_file_ops(struct vfio_migration *mig)
{
	wait_var_event(&mig->file_ops, !atomic_read(&mig->file_ops));
}

static void session_free(struct vfio_mig_session *session)
{
	vfio_mig_buffer_free(&session->buffer);
	vfio_mig_reader_free(&session->reader);
	kvfree(session->bounce);
	kvfree(session->streamed);
	mutex_destroy(&session->io_lock);
	kfree(session);
}

void vfio_mig_session_put(struct vfio_mig_session *session)
{
	if (refcount_dec_and_test(&session->ref))
		session_free(session);
}

static struct vfio_mig_session *session_alloc(struct vfio_migration *mig,
					      bool saving)
{
	const struct vfio_mig_driver *driver = mig->driver;
	struct vfio_mig_session *session;

	session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	if (!session)
		return NULL;
	if (!saving && driver->format) {
		session->bounce = kvmalloc(VFIO_MIG_CHUNK, GFP_KERNEL_ACCOUNT);
		if (!session->bounce)
			goto err_free;
	}
	if (saving && mig->image_size) {
		session->streamed = kvzalloc(mig->image_size,
					     GFP_KERNEL_ACCOUNT);
		if (!session->streamed)
			goto err_free;
	}
	refcount_set(&session->ref, 1);
	session->mig = mig;
	session->saving = saving;
	session->max_bytes = driver->max_bytes;
	spin_lock_init(&session->end_lock);
	init_waitqueue_head(&session->wait);
	mutex_init(&session->io_lock);
	vfio_mig_buffer_init(&session->buffer);
	session->writer.put = session_put_bytes;
	session->writer.min_version = driver->format_min_version;
	session->reader = (struct vfio_mig_reader) {
		.format = driver->format,
		.format_version = driver->format_version,
		.oldest_version = driver->format_oldest,
		.types = driver->records,
		.nr_types = driver->nr_records,
		.load = session_load_record,
	};
	return session;

err_free:
	kfree(session);
	return NULL;
}

struct vfio_mig_session *vfio_mig_session_create(struct vfio_migration *mig,
						 bool saving)
{
	const struct vfio_mig_driver *driver = mig->driver;
	struct vfio_mig_session *session;
	int ret = 0;

	session = session_alloc(mig, saving);
	if (!session)
		return ERR_PTR(-ENOMEM);
	if (saving && driver->format)
		ret = vfio_mig_write_header(&session->writer, driver->format,
					    driver->format_version);
	if (!ret)
		return session;
	vfio_mig_session_put(session);
	return ERR_PTR(ret);
}

void vfio_mig_session_begin(struct vfio_mig_session *session)
{
	struct vfio_migration *mig = session->mig;

	lockdep_assert_held(&mig->lock);
	if (!session->saving && mig->image_size)
		memset(mig->incoming, 0, mig->image_size);
	pm_runtime_get_noresume(mig->vdev->dev);
	refcount_inc(&session->ref);
	mig->session = session;
	trace_vfio_mig_data_open(mig->vdev, session->saving, 0);
}

void vfio_mig_session_end(struct vfio_migration *mig)
{
	struct vfio_mig_session *session = mig->session;

	lockdep_assert_held(&mig->lock);
	if (!session)
		return;
	trace_vfio_mig_data_end(mig->vdev, session->saving,
				session->saving ?
				READ_ONCE(session->buffer.start) :
				vfio_mig_session_bytes(session));
	mig->session = NULL;
	pm_runtime_put(mig->vdev->dev);
	spin_lock(&session->end_lock);
	WRITE_ONCE(session->ended, true);
	spin_unlock(&session->end_lock);
	wake_up_all(&session->wait);
	vfio_mig_session_drop_data(session);
	vfio_mig_session_put(session);
}

void vfio_mig_session_drop_data(struct vfio_mig_session *session)
{
	if (!mutex_trylock(&session->io_lock))
		return;
	vfio_mig_buffer_free(&session->buffer);
	kvfree(session->bounce);
	session->bounce = NULL;
	mutex_unlock(&session->io_lock);
}

static int session_save_precopy(struct vfio_mig_session *session)
{
	const struct vfio_mig_driver *driver = session->mig->driver;
	bool first = !session->initial_end;
	int ret;

	if (!first && (!driver->pending || !driver->pending(session->mig)))
		return 0;
	ret = session_append(session);
	if (ret < 0)
		return ret;
	if (first)
		session->initial_seen = session->buffer.end;
	if (first || (driver->reinit &&
		      vfio_mig_precopy_info_v2(session->mig->vdev)))
		session->initial_end = session->buffer.end;
	return 0;
}

static int session_save_stopped(struct vfio_mig_session *session)
{
	const struct vfio_mig_driver *driver = session->mig->driver;
	int ret;

	if (session->complete)
		return 0;
	ret = session_append(session);
	if (ret)
		return min(ret, 0);
	if (driver->format) {
		ret = vfio_mig_write_end(&session->writer);
		if (ret)
			return ret;
	}
	WRITE_ONCE(session->complete, true);
	return 0;
}

void vfio_mig_session_changed(struct vfio_mig_session *session)
{
	struct vfio_migration *mig = session->mig;
	bool due = mig->state == VFIO_DEVICE_STATE_STOP_COPY;

	lockdep_assert_held(&mig->lock);
	if (session->saving && vfio_mig_is_precopy(mig->state) &&
	    mig->driver->pending)
		due = mig->driver->pending(mig);
	WRITE_ONCE(session->due, due);
	wake_up_all(&session->wait);
}

int vfio_mig_session_save(struct vfio_mig_session *session)
{
	int ret;

	lockdep_assert_held(&session->mig->lock);
	if (session->writer.error)
		return session->writer.error;
	if (session->mig->state == VFIO_DEVICE_STATE_STOP_COPY)
		ret = session_save_stopped(session);
	else
		ret = session_save_precopy(session);
	/*
	 * The buffer may end in the middle of a record, so no later save() can
	 * continue the stream.
	 */
	if (ret)
		WRITE_ONCE(session->writer.error, ret);
	vfio_mig_session_changed(session);
	return ret;
}

ssize_t vfio_mig_session_load(struct vfio_mig_session *session,
			      const void *data, size_t len)
{
	struct vfio_migration *mig = session->mig;
	struct vfio_mig_reader *reader = &session->reader;
	ssize_t used;

	lockdep_assert_held(&mig->lock);
	if (reader->error)
		return reader->error;
	used = vfio_mig_reader_push_unit(reader, data, len);
	if (used < 0) {
		if (reader->why)
			vfio_mig_err(mig, "the state to be loaded is refused: %s\n",
				     reader->why);
		return used;
	}
	session->loaded += used;
	if (!vfio_mig_reader_complete(reader) || session->complete)
		return used;
	session->complete = true;
	if (mig->driver->load_end) {
		vfio_mig_prepare(mig);
		reader->error = mig->driver->load_end(mig);
	}
	return reader->error ?: used;
}

u64 vfio_mig_session_bytes(const struct vfio_mig_session *session)
{
	if (!session)
		return 0;
	if (!session->saving && session->mig->driver->format)
		return session->loaded;
	return READ_ONCE(session->buffer.end);
}

int vfio_mig_session_check(struct vfio_mig_session *session)
{
	struct vfio_migration *mig = session->mig;

	if (!mig->driver->format)
		return 0;
	if (session->reader.error)
		return session->reader.error;
	if (session->complete)
		return 0;
	vfio_mig_err(mig, "the state to be loaded is cut short: see why the source has not sent all of it\n");
	return -EINVAL;
}

/**
 * vfio_mig_loaded - how many bytes were written in RESUMING
 * @mig: migration of a driver without record format, in RESUMING
 *
 * Context: State lock held.
 *
 * Return: bytes.
 */
u64 vfio_mig_loaded(struct vfio_migration *mig)
{
	return vfio_mig_buffer_fill(&mig->session->buffer);
}
EXPORT_SYMBOL_GPL(vfio_mig_loaded);

/**
 * vfio_mig_read_loaded - copy bytes that were written in RESUMING
 * @mig: migration of a driver without record format, in RESUMING
 * @offset: bytes of the stream before the first one to copy
 * @data: where to put them
 * @len: how many bytes
 *
 * Context: State lock held.
 *
 * Return: 0, or -EINVAL if not all of them were written.
 */
int vfio_mig_read_loaded(struct vfio_migration *mig, u64 offset, void *data,
			 size_t len)
{
	return vfio_mig_buffer_peek(&mig->session->buffer, offset, data, len);
}
EXPORT_SYMBOL_GPL(vfio_mig_read_loaded);
