// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses to the device file that the driver has a part in: the registers on
 * page 0 of BAR0 (mailbox, statistics, reset), and PCI_COMMAND.  All others
 * are vfio-pci-core's.
 */
#include <linux/pm_runtime.h>
#include <linux/uaccess.h>

#include "igbvf.h"

#define VMBMEM_END	(VMBMEM + IGBVF_VMBMEM_WORDS * sizeof(u32))

/* A guest reads a register; locks held. */
static u32 page0_read(struct igbvf_device *vf, u32 offset)
{
	u32 value;

	if (offset == V2PMAILBOX)
		return igbvf_mbx_guest_read(vf);
	if (igbvf_stats_read(vf, offset, &value))
		return value;
	if (offset >= VMBMEM && offset < VMBMEM_END &&
	    !igbvf_serves(vf))
		return vf->image.mbx.mem[(offset - VMBMEM) / sizeof(u32)];
	return igbvf_read(vf, offset);
}

/* A guest writes a register; locks held.  What does not run does not react. */
static void page0_write(struct igbvf_device *vf, u32 offset, u32 value)
{
	if (!igbvf_serves(vf) && offset < SZ_4K)
		return;
	if (offset == V2PMAILBOX) {
		igbvf_mbx_guest_write(vf, value);
		return;
	}
	if (offset == VTCTRL && value & VTCTRL_RST) {
		igbvf_mbx_reset(vf);
		igbvf_queues_reset(vf);
	}
	igbvf_write(vf, offset, value);
}

/* One register, with the device awake and not in the middle of a reset */
static int page0_access(struct igbvf_device *vf, u32 offset, u32 *value,
			bool write)
{
	struct pci_dev *pdev = vf->core.pdev;
	int ret = 0;

	down_read(&vf->core.memory_lock);
	mutex_lock(&vf->mig.lock);
	if (pdev->current_state == PCI_D3hot ||
	    pdev->current_state == PCI_D3cold)
		ret = -EIO;
	else if (write)
		page0_write(vf, offset, *value);
	else
		*value = page0_read(vf, offset);
	vfio_mig_changed(&vf->mig);	/* perhaps: the PF has answered */
	mutex_unlock(&vf->mig.lock);
	up_read(&vf->core.memory_lock);
	return ret;
}

/*
 * Registers are 32 bits wide.  Any part of one can be read; a write of a part
 * has no meaning that the datasheet defines, and is refused.
 */
static ssize_t page0_user_read(struct igbvf_device *vf, char __user *buf,
			       size_t count, u32 offset)
{
	size_t done, part;
	u32 value, byte;
	int ret;

	for (done = 0; done < count; done += part) {
		byte = (offset + done) % sizeof(u32);
		part = min(sizeof(u32) - byte, count - done);
		ret = page0_access(vf, offset + done - byte, &value, false);
		if (ret)
			return done ?: ret;
		value = (__force u32)cpu_to_le32(value);
		if (copy_to_user(buf + done, (u8 *)&value + byte, part))
			return -EFAULT;
	}
	return done;
}

static ssize_t page0_user_write(struct igbvf_device *vf,
				const char __user *buf, size_t count,
				u32 offset)
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
		ret = page0_access(vf, offset + done, &value, true);
		if (ret)
			return done ?: ret;
	}
	return done;
}

/* How much of an access that starts at @pos goes to page 0 */
static size_t page0_part(loff_t pos, size_t count)
{
	u64 offset = pos & VFIO_PCI_OFFSET_MASK;

	if (VFIO_PCI_OFFSET_TO_INDEX(pos) != VFIO_PCI_BAR0_REGION_INDEX ||
	    offset >= IGBVF_TRAPPED)
		return 0;
	return min_t(u64, count, IGBVF_TRAPPED - offset);
}

/* Where in an access to config space PCI_COMMAND's low byte is, or -1 */
static ssize_t command_byte(loff_t pos, size_t count)
{
	u64 offset = pos & VFIO_PCI_OFFSET_MASK;

	if (VFIO_PCI_OFFSET_TO_INDEX(pos) != VFIO_PCI_CONFIG_REGION_INDEX ||
	    offset > PCI_COMMAND || count <= PCI_COMMAND - offset)
		return -1;
	return PCI_COMMAND - offset;
}

static bool is_running(struct igbvf_device *vf)
{
	bool running;

	mutex_lock(&vf->mig.lock);
	running = vfio_mig_is_running(&vf->mig);
	mutex_unlock(&vf->mig.lock);
	return running;
}

/* Shows bus mastering as the guest wants it. */
static int command_show(struct igbvf_device *vf, u8 __user *byte)
{
	bool add;
	u8 value;

	mutex_lock(&vf->mig.lock);
	add = !vfio_mig_is_running(&vf->mig) && vf->bus_master;
	mutex_unlock(&vf->mig.lock);
	if (!add)
		return 0;
	if (get_user(value, byte) ||
	    put_user((u8)(value | PCI_COMMAND_MASTER), byte))
		return -EFAULT;
	return 0;
}

/**
 * igbvf_region_read - read() of the device file
 * @vdev: the VF
 * @buf: destination
 * @count: bytes
 * @ppos: region and offset
 *
 * Return: bytes read, which may be fewer where page 0 ends, or an error.
 */
ssize_t igbvf_region_read(struct vfio_device *vdev, char __user *buf,
			  size_t count, loff_t *ppos)
{
	struct igbvf_device *vf = to_igbvf(vdev);
	size_t part = page0_part(*ppos, count);
	ssize_t command = command_byte(*ppos, count);
	ssize_t ret;

	if (!part) {
		ret = vfio_pci_core_read(vdev, buf, count, ppos);
		if (command >= 0 && ret > command &&
		    command_show(vf, (u8 __user *)buf + command))
			return -EFAULT;
		return ret;
	}
	ret = pm_runtime_resume_and_get(vdev->dev);
	if (ret < 0)
		return ret;
	ret = page0_user_read(vf, buf, part, *ppos & VFIO_PCI_OFFSET_MASK);
	pm_runtime_put(vdev->dev);
	if (ret > 0)
		*ppos += ret;
	return ret;
}

/**
 * igbvf_region_write - write() of the device file
 * @vdev: the VF
 * @buf: source
 * @count: bytes
 * @ppos: region and offset
 *
 * Return: bytes written, which may be fewer where page 0 ends, or an error.
 */
ssize_t igbvf_region_write(struct vfio_device *vdev, const char __user *buf,
			   size_t count, loff_t *ppos)
{
	struct igbvf_device *vf = to_igbvf(vdev);
	size_t part = page0_part(*ppos, count);
	ssize_t command = command_byte(*ppos, count);
	bool was_running;
	ssize_t ret;

	if (!part) {
		was_running = command >= 0 && is_running(vf);
		ret = vfio_pci_core_write(vdev, buf, count, ppos);
		if (command >= 0 && ret > command) {
			mutex_lock(&vf->mig.lock);
			igbvf_command_written(vf, was_running);
			mutex_unlock(&vf->mig.lock);
		}
		return ret;
	}
	ret = pm_runtime_resume_and_get(vdev->dev);
	if (ret < 0)
		return ret;
	ret = page0_user_write(vf, buf, part, *ppos & VFIO_PCI_OFFSET_MASK);
	pm_runtime_put(vdev->dev);
	if (ret > 0)
		*ppos += ret;
	return ret;
}
