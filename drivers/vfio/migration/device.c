// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration state of a device: the walk over the driver's arcs, and what
 * resets, errors and closes do to it.  The driver's arcs move the device, and
 * session.c has the data that they save and load.
 *
 * The state lock, vfio_migration.lock, protects state and session, and is held
 * over each arc.  No holder waits for user memory: so a reset can simply take
 * the lock, and the state is RUNNING when the reset is done.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/module.h>

#include <trace/events/vfio_migration.h>

#include "private.h"

/* ---- The walk ---- */

/**
 * vfio_mig_error - put a device into ERROR
 * @mig: migration
 * @error: a negative errno, for the caller to return
 *
 * For a device that the driver can no longer rely on: calls quiesce() and ends
 * the session.  Only a reset leaves ERROR.
 *
 * Context: memory_lock and state lock held: in an arc's function, in save() or
 * load_end(), or where a driver finds its device lost.
 *
 * Return: @error.
 */
int vfio_mig_error(struct vfio_migration *mig, int error)
{
	lockdep_assert_held(&mig->lock);
	mig->driver->quiesce(mig);
	vfio_mig_session_end(mig);
	mig->state = VFIO_DEVICE_STATE_ERROR;
	return error;
}
EXPORT_SYMBOL_GPL(vfio_mig_error);

/* The arc was taken, but save() failed in the state where it ends. */
static void mig_save_failed(struct vfio_migration *mig,
			    const struct vfio_mig_arc *arc, int error)
{
	const struct vfio_mig_arc *back = vfio_mig_undo_arc(mig, arc);

	if (back->take) {
		vfio_mig_prepare(mig);
		if (back->take(mig)) {
			if (mig->state != VFIO_DEVICE_STATE_ERROR)
				vfio_mig_error(mig, error);
			return;
		}
	}
	mig->state = back->to;
	vfio_mig_session_end(mig);
}

/* Takes an arc.  A session that it needs is open already. */
static int mig_do_arc(struct vfio_migration *mig,
		      const struct vfio_mig_arc *arc)
{
	int ret = 0;

	if (arc->from == VFIO_DEVICE_STATE_RESUMING)
		ret = vfio_mig_session_check(mig->session);
	if (!ret && arc->take) {
		vfio_mig_prepare(mig);
		ret = arc->take(mig);
	}
	if (ret)
		return ret;
	mig->state = arc->to;
	if (!vfio_mig_arc_saves(arc)) {
		if (vfio_mig_session_kind(arc->to) == VFIO_MIG_SAVING)
			vfio_mig_session_changed(mig->session);
		return 0;
	}
	ret = vfio_mig_session_save(mig->session);
	if (ret && mig->state != VFIO_DEVICE_STATE_ERROR)
		mig_save_failed(mig, arc, ret);
	return ret;
}

/*
 * Takes an arc and opens or ends the session.  Returns the data file if a
 * session was opened, else NULL, or an error pointer.
 */
static struct file *mig_take_arc(struct vfio_migration *mig,
				 enum vfio_device_mig_state to)
{
	enum vfio_mig_session_kind old = vfio_mig_session_kind(mig->state);
	enum vfio_mig_session_kind new = vfio_mig_session_kind(to);
	const struct vfio_mig_arc *arc = vfio_mig_find_arc(mig, mig->state, to);
	struct file *filp = NULL;
	int ret;

	if (!arc)
		return ERR_PTR(-EINVAL);
	if (new != VFIO_MIG_NO_SESSION && new != old) {
		filp = vfio_mig_file_open(mig, new == VFIO_MIG_SAVING);
		if (IS_ERR(filp))
			return filp;
	}
	ret = mig_do_arc(mig, arc);
	if (ret) {
		if (filp) {
			vfio_mig_session_end(mig);
			fput(filp);
		}
		return ERR_PTR(ret);
	}
	if (old != VFIO_MIG_NO_SESSION && new != old)
		vfio_mig_session_end(mig);
	return filp;
}

static struct file *mig_step_traced(struct vfio_migration *mig,
				    enum vfio_device_mig_state to)
{
	enum vfio_device_mig_state from = mig->state;
	u64 before = vfio_mig_session_bytes(mig->session);
	u64 bytes = from == VFIO_DEVICE_STATE_RESUMING ? before : 0;
	ktime_t start = ktime_get();
	struct file *filp;

	filp = mig_take_arc(mig, to);
	if (!IS_ERR(filp) && vfio_mig_session_kind(to) == VFIO_MIG_SAVING)
		bytes = vfio_mig_session_bytes(mig->session) - before;
	trace_vfio_mig_arc(mig->vdev, from, to, PTR_ERR_OR_ZERO(filp), bytes,
			   ktime_to_ns(ktime_sub(ktime_get(), start)));
	return filp;
}

static struct file *mig_step(struct vfio_migration *mig,
			     enum vfio_device_mig_state to)
{
	if (trace_vfio_mig_arc_enabled())
		return mig_step_traced(mig, to);
	return mig_take_arc(mig, to);
}

static struct file *mig_walk(struct vfio_migration *mig,
			     enum vfio_device_mig_state target)
{
	enum vfio_device_mig_state next;
	struct file *filp = NULL;
	int ret;

	while (mig->state != target) {
		if (vfio_mig_is_unreachable(mig->state, target))
			return ERR_PTR(-EINVAL);
		ret = vfio_mig_get_next_state(mig->vdev, mig->state, target,
					      &next);
		if (ret)
			return ERR_PTR(ret);
		/* Only the last arc of a path can open a session. */
		filp = mig_step(mig, next);
		if (IS_ERR(filp))
			break;
	}
	return filp;
}

/* ---- What vfio.ko calls ---- */

static struct vfio_migration *to_migration(struct vfio_device *vdev)
{
	return container_of(vdev->mig_ops, struct vfio_migration, ops);
}

/*
 * Takes the locks for the whole path to @target.  Whether the path needs
 * memory_lock for write depends on the state, which may change until the state
 * lock is held.
 */
static int mig_lock_path(struct vfio_migration *mig,
			 enum vfio_device_mig_state target, bool *exclusive)
{
	int ret;

	*exclusive = vfio_mig_path_is_exclusive(mig, READ_ONCE(mig->state),
						target);
	ret = vfio_mig_lock_killable(mig, *exclusive);
	if (ret || *exclusive ||
	    !vfio_mig_path_is_exclusive(mig, mig->state, target))
		return ret;
	vfio_mig_unlock(mig, false);
	*exclusive = true;
	return vfio_mig_lock_killable(mig, true);
}

static struct file *mig_set_state(struct vfio_device *vdev,
				  enum vfio_device_mig_state target)
{
	struct vfio_migration *mig = to_migration(vdev);
	struct file *filp;
	bool exclusive;
	int ret;

	ret = mig_lock_path(mig, target, &exclusive);
	if (ret)
		return ERR_PTR(ret);
	filp = mig_walk(mig, target);
	vfio_mig_unlock(mig, exclusive);
	return filp;
}

static int mig_get_state(struct vfio_device *vdev,
			 enum vfio_device_mig_state *state)
{
	struct vfio_migration *mig = to_migration(vdev);
	int ret = mutex_lock_killable(&mig->lock);

	if (ret)
		return ret;
	*state = mig->state;
	mutex_unlock(&mig->lock);
	return 0;
}

static int mig_get_data_size(struct vfio_device *vdev, unsigned long *size)
{
	struct vfio_migration *mig = to_migration(vdev);
	int ret = mutex_lock_killable(&mig->lock);

	if (ret)
		return ret;
	*size = mig->driver->data_size(mig);
	mutex_unlock(&mig->lock);
	return 0;
}

/* ---- What the driver calls ---- */

/**
 * vfio_mig_changed - pending() may return something else now
 * @mig: migration
 *
 * To be called when pending() of the driver may have changed between 0 and not
 * 0: poll() of the data file relies on it.  Calls pending() in PRE_COPY.
 *
 * Context: State lock held.
 */
void vfio_mig_changed(struct vfio_migration *mig)
{
	lockdep_assert_held(&mig->lock);
	if (mig->session)
		vfio_mig_session_changed(mig->session);
}
EXPORT_SYMBOL_GPL(vfio_mig_changed);

/**
 * vfio_mig_reset_prepare - the device is about to be reset
 * @mig: migration
 *
 * For pci_error_handlers.reset_prepare and the like.  Takes the state lock, so
 * no function of the driver runs until vfio_mig_reset_done().
 *
 * Context: May sleep.  The caller may hold memory_lock and the PCI device lock.
 */
void vfio_mig_reset_prepare(struct vfio_migration *mig)
{
	mutex_lock(&mig->lock);
}
EXPORT_SYMBOL_GPL(vfio_mig_reset_prepare);

/**
 * vfio_mig_reset_done - the device has been reset
 * @mig: migration, after vfio_mig_reset_prepare()
 *
 * Ends the session, calls the driver's reset(), sets the state to RUNNING and
 * releases the state lock.  To be called whether or not the device is open.
 */
void vfio_mig_reset_done(struct vfio_migration *mig)
{
	trace_vfio_mig_reset(mig->vdev, mig->state);
	vfio_mig_session_end(mig);
	mig->driver->reset(mig);
	mig->state = VFIO_DEVICE_STATE_RUNNING;
	mutex_unlock(&mig->lock);
}
EXPORT_SYMBOL_GPL(vfio_mig_reset_done);

/**
 * vfio_mig_close - the last user closes the device
 * @mig: migration
 *
 * For vfio_device_ops.close_device, before the driver disables the device.
 * Ends the session, calls the driver's close(), and sets the state to RUNNING
 * for the next user.  Waits, for bounded time, for operations on data files
 * that use the device.  Data files that are still open fail with ENODEV from
 * then on.
 *
 * Context: May sleep.  Takes memory_lock for write and the state lock.
 */
void vfio_mig_close(struct vfio_migration *mig)
{
	vfio_mig_lock(mig, true);
	vfio_mig_session_end(mig);
	if (mig->driver->close) {
		vfio_mig_prepare(mig);
		mig->driver->close(mig);
	}
	mig->state = VFIO_DEVICE_STATE_RUNNING;
	vfio_mig_unlock(mig, true);
	vfio_mig_wait_file_ops(mig);
}
EXPORT_SYMBOL_GPL(vfio_mig_close);

static int check_driver(struct vfio_migration *mig)
{
	const struct vfio_mig_driver *driver = mig->driver;
	unsigned int flags = driver->flags;

	if (!vfio_mig_flags_legal(flags)) {
		dev_err(mig->vdev->dev, "vfio: illegal migration flags %#x\n",
			flags);
		return -EINVAL;
	}
	if (!driver->save || !driver->data_size || !driver->quiesce ||
	    !driver->reset || (driver->format && !driver->load)) {
		dev_err(mig->vdev->dev,
			"vfio: the driver lacks a migration callback\n");
		return -EINVAL;
	}
	if (driver->format &&
	    strlen(driver->format) >
	    sizeof_field(struct vfio_mig_stream_header, format)) {
		dev_err(mig->vdev->dev,
			"vfio: the name of the driver's format is too long\n");
		return -EINVAL;
	}
	if (driver->format &&
	    (!driver->nr_records || driver->nr_records > VFIO_MIG_TYPES_MAX ||
	     driver->records[0].type != VFIO_MIG_RECORD_IDENTITY)) {
		dev_err(mig->vdev->dev,
			"vfio: the driver's records do not begin with its identity\n");
		return -EINVAL;
	}
	if (driver->format_min_version > driver->format_version ||
	    driver->format_oldest > driver->format_version) {
		dev_err(mig->vdev->dev,
			"vfio: the driver's format fits newer versions only\n");
		return -EINVAL;
	}
	return vfio_mig_arcs_init(mig) ?: vfio_mig_image_init(mig);
}

/**
 * vfio_mig_init - set up the migration of a device
 * @mig: part of the driver's device
 * @vdev: the device, before it is registered
 * @memory_lock: vfio_pci_core_device.memory_lock, or NULL
 * @driver: the driver's description, which must stay in place for the life of
 *	the device
 *
 * For vfio_device_ops.init.
 *
 * Return: 0, or -EINVAL after a message that names what @driver lacks.
 */
int vfio_mig_init(struct vfio_migration *mig, struct vfio_device *vdev,
		  struct rw_semaphore *memory_lock,
		  const struct vfio_mig_driver *driver)
{
	int ret;

	mig->driver = driver;
	mig->vdev = vdev;
	mig->memory_lock = memory_lock;
	mig->state = VFIO_DEVICE_STATE_RUNNING;
	mig->session = NULL;
	atomic_set(&mig->file_ops, 0);
	mig->ops = (struct vfio_migration_ops) {
		.migration_set_state = mig_set_state,
		.migration_get_state = mig_get_state,
		.migration_get_data_size = mig_get_data_size,
	};
	vdev->migration_flags = driver->flags;
	ret = check_driver(mig);
	if (ret)
		return ret;
	mutex_init(&mig->lock);
	/*
	 * A hot reset takes the locks of several devices, in the order of the
	 * bus.
	 */
	lockdep_register_key(&mig->lock_key);
	lockdep_set_class(&mig->lock, &mig->lock_key);
	ratelimit_default_init(&mig->messages);
	vdev->mig_ops = &mig->ops;
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_mig_init);

/**
 * vfio_mig_release - undo vfio_mig_init()
 * @mig: migration of a device without users
 *
 * For vfio_device_ops.release.
 */
void vfio_mig_release(struct vfio_migration *mig)
{
	mutex_destroy(&mig->lock);
	lockdep_unregister_key(&mig->lock_key);
}
EXPORT_SYMBOL_GPL(vfio_mig_release);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Migration library for VFIO drivers");
