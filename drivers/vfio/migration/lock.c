// SPDX-License-Identifier: GPL-2.0-only
/*
 * The locks that the functions of a driver run under: memory_lock, if the
 * device has one, and inside of it the state lock.  private.h has the whole
 * lock order; struct vfio_migration says what the two protect.
 */
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>

#include "private.h"

static void memory_unlock(struct vfio_migration *mig, bool exclusive)
{
	if (mig->memory_lock && exclusive)
		up_write(mig->memory_lock);
	else if (mig->memory_lock)
		up_read(mig->memory_lock);
}

/**
 * vfio_mig_lock - take memory_lock and the state lock
 * @mig: migration
 * @exclusive: take memory_lock for write, not for read
 *
 * For paths that cannot fail, such as the last close.  System calls use
 * vfio_mig_lock_killable().
 *
 * Context: May sleep, for as long as a device or its PF takes to answer.
 * User memory must not be touched until vfio_mig_unlock().
 */
void vfio_mig_lock(struct vfio_migration *mig, bool exclusive)
{
	if (mig->memory_lock && exclusive)
		down_write(mig->memory_lock);
	else if (mig->memory_lock)
		down_read(mig->memory_lock);
	mutex_lock(&mig->lock);
}
EXPORT_SYMBOL_GPL(vfio_mig_lock);

/**
 * vfio_mig_lock_killable - vfio_mig_lock() for a system call
 * @mig: migration
 * @exclusive: take memory_lock for write, not for read
 *
 * Context: as vfio_mig_lock().
 *
 * Return: 0 with both locks held, or -EINTR with none of them if the task is
 * being killed.
 */
int vfio_mig_lock_killable(struct vfio_migration *mig, bool exclusive)
{
	int ret = 0;

	if (mig->memory_lock)
		ret = exclusive ? down_write_killable(mig->memory_lock) :
				  down_read_killable(mig->memory_lock);
	if (ret)
		return ret;
	ret = mutex_lock_killable(&mig->lock);
	if (ret)
		memory_unlock(mig, exclusive);
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_mig_lock_killable);

static int mig_trylock(struct vfio_migration *mig)
{
	if (mig->memory_lock && !down_read_trylock(mig->memory_lock))
		return -EAGAIN;
	if (mutex_trylock(&mig->lock))
		return 0;
	memory_unlock(mig, false);
	return -EAGAIN;
}

int vfio_mig_lock_io(struct vfio_migration *mig, bool nowait)
{
	if (nowait)
		return mig_trylock(mig);
	if (mig->memory_lock && down_read_interruptible(mig->memory_lock))
		return -ERESTARTSYS;
	if (!mutex_lock_interruptible(&mig->lock))
		return 0;
	memory_unlock(mig, false);
	return -ERESTARTSYS;
}

/**
 * vfio_mig_unlock - release what vfio_mig_lock() has taken
 * @mig: migration
 * @exclusive: as for vfio_mig_lock()
 */
void vfio_mig_unlock(struct vfio_migration *mig, bool exclusive)
{
	mutex_unlock(&mig->lock);
	memory_unlock(mig, exclusive);
}
EXPORT_SYMBOL_GPL(vfio_mig_unlock);
