// SPDX-License-Identifier: GPL-2.0-only
/*
 * read() and write() of the device file: traps, and PCI_COMMAND.  All other
 * accesses are passed to vfio-pci-core.  The driver serves its traps.
 *
 * User memory is touched with no lock held: it may be a mapping of the BAR,
 * whose fault takes memory_lock.
 */
#include <linux/export.h>
#include <linux/pm_runtime.h>
#include <linux/uaccess.h>

#include "private.h"

/* ---- Traps ---- */

/* memory_lock and state lock held */
static void trap_dispatch(struct vfio_pci_migration *pci,
			  const struct vfio_pci_mig_trap *trap, u64 offset,
			  u32 *value, bool write)
{
	if (trap->doorbells)
		vfio_pci_mig_doorbells_access(pci, trap, offset, value, write);
	else if (write)
		trap->write(pci, offset, *value);
	else if (!vfio_pci_mig_counter_read(pci, trap->bar, offset, value))
		*value = trap->read(pci, offset);
}

/* Accesses one register.  memory_lock keeps resets away. */
static int trap_access(struct vfio_pci_migration *pci,
		       const struct vfio_pci_mig_trap *trap, u64 offset,
		       u32 *value, bool write)
{
	int ret;

	ret = vfio_mig_lock_killable(&pci->mig, false);
	if (ret)
		return ret;
	if (vfio_pci_mig_memory_enabled(pci)) {
		/* The guest's earlier writes to the page of doorbells. */
		vfio_pci_mig_log_sync(pci);
		trap_dispatch(pci, trap, offset, value, write);
	} else {
		ret = -EIO;
	}
	vfio_mig_changed(&pci->mig);	/* the access may have changed it */
	vfio_mig_unlock(&pci->mig, false);
	return ret;
}

/*
 * Registers are 32 bits wide.  Any part of one can be read.  What a write to a
 * part means differs between devices, so it is refused.
 */
static ssize_t trap_read(struct vfio_pci_migration *pci,
			 const struct vfio_pci_mig_trap *trap,
			 char __user *buf, size_t count, u64 offset)
{
	size_t done, part;
	u32 value, byte;
	int ret;

	for (done = 0; done < count; done += part) {
		byte = (offset + done) % sizeof(u32);
		part = min(sizeof(u32) - byte, count - done);
		ret = trap_access(pci, trap, offset + done - byte, &value,
				  false);
		if (ret)
			return done ?: ret;
		value = (__force u32)cpu_to_le32(value);
		if (copy_to_user(buf + done, (u8 *)&value + byte, part))
			return -EFAULT;
	}
	return done;
}

static ssize_t trap_write(struct vfio_pci_migration *pci,
			  const struct vfio_pci_mig_trap *trap,
			  const char __user *buf, size_t count, u64 offset)
{
	size_t done;
	__le32 raw;
	u32 value;
	int ret;

	if (offset % sizeof(u32) || count % sizeof(u32))
		return -EINVAL;
	for (done = 0; done < count; done += sizeof(u32)) {
		if (copy_from_user(&raw, buf + done, sizeof(raw)))
			return -EFAULT;
		value = le32_to_cpu(raw);
		ret = trap_access(pci, trap, offset + done, &value, true);
		if (ret)
			return done ?: ret;
	}
	return done;
}

/*
 * The trap in which an access begins, or NULL.  *count is cut so that the
 * access lies in this trap, or in none.
 */
static const struct vfio_pci_mig_trap *
find_trap(struct vfio_pci_migration *pci, loff_t pos, size_t *count)
{
	const struct vfio_pci_mig_trap *trap;
	u64 part = *count;

	trap = vfio_pci_mig_trap_at(vfio_pci_mig_driver(pci),
				    VFIO_PCI_OFFSET_TO_INDEX(pos),
				    pos & VFIO_PCI_OFFSET_MASK, &part);
	*count = part;
	return trap;
}

/* ---- PCI_COMMAND ---- */

/*
 * The offset of the low byte of PCI_COMMAND in an access at @pos, or -1 if the
 * access does not contain it
 */
static ssize_t command_byte(loff_t pos, size_t count)
{
	u64 offset = pos & VFIO_PCI_OFFSET_MASK;

	if (VFIO_PCI_OFFSET_TO_INDEX(pos) != VFIO_PCI_CONFIG_REGION_INDEX ||
	    offset > PCI_COMMAND || count <= PCI_COMMAND - offset)
		return -1;
	return PCI_COMMAND - offset;
}

/*
 * Replaces the bus master bit in the user's buffer by the guest's:
 * vfio-pci-core has read the register, where the bit may be off while the
 * device is stopped.
 */
static int command_show(struct vfio_pci_migration *pci, u8 __user *byte)
{
	bool on;
	u8 value;
	int ret;

	ret = mutex_lock_killable(&pci->mig.lock);
	if (ret)
		return ret;
	on = vfio_pci_mig_bus_master_shown(pci);
	mutex_unlock(&pci->mig.lock);
	if (get_user(value, byte))
		return -EFAULT;
	value = (value & ~PCI_COMMAND_MASTER) | (on ? PCI_COMMAND_MASTER : 0);
	return put_user(value, byte) ? -EFAULT : 0;
}

static ssize_t core_read(struct vfio_pci_migration *pci, char __user *buf,
			 size_t count, loff_t *ppos)
{
	ssize_t command = command_byte(*ppos, count);
	ssize_t ret;
	int error;

	ret = vfio_pci_core_read(&pci->core.vdev, buf, count, ppos);
	if (command < 0 || ret <= command)
		return ret;
	error = command_show(pci, (u8 __user *)buf + command);
	return error ?: ret;
}

static ssize_t core_write(struct vfio_pci_migration *pci,
			  const char __user *buf, size_t count, loff_t *ppos)
{
	ssize_t command = command_byte(*ppos, count);
	loff_t pos = *ppos;
	ssize_t ret;
	u8 value;

	if (command >= 0 && get_user(value, (const u8 __user *)buf + command))
		return -EFAULT;
	ret = vfio_pci_core_write(&pci->core.vdev, buf, count, ppos);
	if (ret <= 0 ||
	    VFIO_PCI_OFFSET_TO_INDEX(pos) != VFIO_PCI_CONFIG_REGION_INDEX ||
	    !vfio_pci_mig_may_master(pci, pos & VFIO_PCI_OFFSET_MASK, ret))
		return ret;
	/*
	 * No signal may interrupt this: bus mastering must not stay on.  Another
	 * task may hold the lock for as long as a PF takes to answer, so other
	 * writes do not wait for it.
	 */
	vfio_mig_lock(&pci->mig, false);
	if (command >= 0 && ret > command)
		vfio_pci_mig_command_written(pci, value);
	else
		vfio_pci_mig_power_written(pci);
	vfio_mig_unlock(&pci->mig, false);
	return ret;
}

/* ---- The device file ---- */

static ssize_t trap_rw(struct vfio_pci_migration *pci,
		       const struct vfio_pci_mig_trap *trap, char __user *buf,
		       size_t count, u64 offset, bool write)
{
	ssize_t ret;

	ret = pm_runtime_resume_and_get(pci->core.vdev.dev);
	if (ret < 0)
		return ret;
	if (write)
		ret = trap_write(pci, trap, buf, count, offset);
	else
		ret = trap_read(pci, trap, buf, count, offset);
	pm_runtime_put(pci->core.vdev.dev);
	return ret;
}

static ssize_t device_rw(struct vfio_device *vdev, char __user *buf,
			 size_t count, loff_t *ppos, bool write)
{
	struct vfio_pci_migration *pci = vdev_to_vfio_pci_mig(vdev);
	const struct vfio_pci_mig_trap *trap = find_trap(pci, *ppos, &count);
	ssize_t ret;

	if (!trap)
		return write ? core_write(pci, buf, count, ppos) :
			       core_read(pci, buf, count, ppos);
	ret = trap_rw(pci, trap, buf, count, *ppos & VFIO_PCI_OFFSET_MASK,
		      write);
	if (ret > 0)
		*ppos += ret;
	return ret;
}

/**
 * vfio_pci_mig_read - read() of the device file
 * @vdev: the function
 * @buf: destination
 * @count: bytes
 * @ppos: region and offset; moved on
 *
 * For vfio_device_ops.read.
 *
 * Return: bytes read, fewer than @count where a trap begins or ends, or a
 * negative errno.
 */
ssize_t vfio_pci_mig_read(struct vfio_device *vdev, char __user *buf,
			  size_t count, loff_t *ppos)
{
	return device_rw(vdev, buf, count, ppos, false);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_read);

/**
 * vfio_pci_mig_write - write() of the device file
 * @vdev: the function
 * @buf: source
 * @count: bytes
 * @ppos: region and offset; moved on
 *
 * For vfio_device_ops.write.
 *
 * Return: bytes written, fewer than @count where a trap begins or ends, or a
 * negative errno: -EINVAL if a part of a register in a trap is written.
 */
ssize_t vfio_pci_mig_write(struct vfio_device *vdev, const char __user *buf,
			   size_t count, loff_t *ppos)
{
	return device_rw(vdev, (char __user *)buf, count, ppos, true);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_write);
