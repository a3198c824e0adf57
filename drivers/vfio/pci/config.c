// SPDX-License-Identifier: GPL-2.0-only
/*
 * Configuration space as the user reads and writes it: the access itself, the
 * registers where a write does more than change bits (hooks), and the values
 * that only the kernel knows (BARs and their sizes, IDs of VFs, interrupt pin).
 *
 * config_perm.c decides which bits are virtual, which bits the user can change
 * and which capabilities the user sees.
 *
 * Concurrent accesses are as independent of each other as on a bus.  Hooks take
 * the locks that they need: COMMAND takes igate (INTx), memory_lock (whether
 * memory answers) and irqlock (the INTx handler changes the register, too).
 */
#include <linux/bitfield.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "config.h"
#include "private.h"

/* ---- Access to the device: waits while the PCI core resets it ---- */

static int read_device(struct vfio_pci_core_device *vdev, unsigned int pos,
		       unsigned int width, u32 *value)
{
	struct pci_dev *pdev = vdev->pdev;
	u16 word;
	u8 byte;
	int ret;

	switch (width) {
	case 1:
		ret = pci_user_read_config_byte(pdev, pos, &byte);
		*value = byte;
		break;
	case 2:
		ret = pci_user_read_config_word(pdev, pos, &word);
		*value = word;
		break;
	default:
		ret = pci_user_read_config_dword(pdev, pos, value);
		break;
	}
	return ret;
}

static int write_device(struct vfio_pci_core_device *vdev, unsigned int pos,
			unsigned int width, u32 value)
{
	struct pci_dev *pdev = vdev->pdev;

	switch (width) {
	case 1:
		return pci_user_write_config_byte(pdev, pos, value);
	case 2:
		return pci_user_write_config_word(pdev, pos, value);
	default:
		return pci_user_write_config_dword(pdev, pos, value);
	}
}

static u32 all_ones(unsigned int width)
{
	return GENMASK(width * 8 - 1, 0);
}

/* Change the virtual bits among [pos, pos + width) that the user may change. */
static void write_virtual(struct vfio_pci_config *config, unsigned int pos,
			  unsigned int width, u32 value)
{
	u32 mask = vfio_pci_config_get(config->virt + pos, width) &
		   vfio_pci_config_get(config->write + pos, width);
	u32 old = vfio_pci_config_get(config->value + pos, width);

	vfio_pci_config_put(config->value + pos, width,
			    (old & ~mask) | (value & mask));
}

static int config_read(struct vfio_pci_core_device *vdev, unsigned int pos,
		       unsigned int width, u32 *value)
{
	struct vfio_pci_config *config = vfio_pci_config(vdev);
	u32 virt = vfio_pci_config_get(config->virt + pos, width);
	u32 bits = 0;
	int ret;

	if (virt != all_ones(width)) {
		ret = read_device(vdev, pos, width, &bits);
		if (ret)
			return ret;
	}
	*value = (bits & ~virt) |
		 (vfio_pci_config_get(config->value + pos, width) & virt);
	return 0;
}

/* Change bits, in the device and in the virtual copy, and do no more. */
static int write_plain(struct vfio_pci_core_device *vdev, unsigned int pos,
		       unsigned int width, u32 value)
{
	struct vfio_pci_config *config = vfio_pci_config(vdev);
	u32 virt = vfio_pci_config_get(config->virt + pos, width);
	u32 mask = vfio_pci_config_get(config->write + pos, width) & ~virt;
	u32 old, w1c;
	int ret;

	write_virtual(config, pos, width, value);
	if (!mask)
		return 0;
	if (mask != all_ones(width)) {
		ret = read_device(vdev, pos, width, &old);
		if (ret)
			return ret;
		w1c = vfio_pci_config_get(config->w1c + pos, width);
		value = (old & ~mask & ~w1c) | (value & mask);
	}
	return write_device(vdev, pos, width, value);
}

/* ---- Registers with hooks ---- */

#define COMMAND_DECODE	(PCI_COMMAND_IO | PCI_COMMAND_MEMORY)
/* The bits that the user's writes change in the device */
#define COMMAND_HW	(COMMAND_DECODE | PCI_COMMAND_MASTER)

/*
 * Write the bits of @mask in @command to the device, and the interrupt disable
 * bit as the state of INTx needs it.  A reset that the PCI core does not know
 * of may have cleared that bit, and the BARs: restore the BARs before the
 * device decodes anything.
 *
 * The INTx handler also changes this register (irqlock), and a reset by the PCI
 * core restores it (pci_cfg_access_lock()).
 */
static void write_device_command(struct vfio_pci_core_device *vdev, u16 command,
				 u16 mask)
{
	struct pci_dev *pdev = vdev->pdev;
	u16 old;

	pci_cfg_access_lock(pdev);
	pci_read_config_word(pdev, PCI_COMMAND, &old);
	if (PCI_POSSIBLE_ERROR(old))
		goto out_unlock;
	if (command & mask & ~old & COMMAND_DECODE)
		vfio_pci_restore_bars(vdev);

	spin_lock_irq(&vdev->irqlock);
	pci_read_config_word(pdev, PCI_COMMAND, &old);
	command = (old & ~mask) | (command & mask);
	if (vfio_pci_intx_is_off(vdev))
		command |= PCI_COMMAND_INTX_DISABLE;
	if (!PCI_POSSIBLE_ERROR(old))
		pci_write_config_word(pdev, PCI_COMMAND, command);
	spin_unlock_irq(&vdev->irqlock);
out_unlock:
	pci_cfg_access_unlock(pdev);
}

static int write_command(struct vfio_pci_core_device *vdev, unsigned int pos,
			 unsigned int width, u32 value)
{
	struct vfio_pci_config *config = vfio_pci_config(vdev);
	u32 byte_mask = all_ones(width) << 8 * (pos - PCI_COMMAND);
	u16 old, new, changed, mask = COMMAND_HW;

	value <<= 8 * (pos - PCI_COMMAND);
	if (vdev->pdev->no_command_memory)
		mask &= ~COMMAND_DECODE;
	mask &= byte_mask;

	mutex_lock(&vdev->igate);

	old = vfio_pci_config_get(config->value + PCI_COMMAND, 2);
	new = (old & ~byte_mask) | (value & byte_mask);
	changed = old ^ new;

	if (changed & old & mask & COMMAND_DECODE)
		vfio_pci_zap_and_lock_memory(vdev);
	else
		down_write(&vdev->memory_lock);
	write_device_command(vdev, value, mask);
	write_virtual(config, PCI_COMMAND, 2, new);
	vfio_pci_unlock_memory(vdev);

	if (changed & PCI_COMMAND_INTX_DISABLE)
		vfio_pci_intx_disable_bit(vdev, new & PCI_COMMAND_INTX_DISABLE);

	mutex_unlock(&vdev->igate);
	return 0;
}

/*
 * Power management: let the PCI core change the power state.  A state that the
 * device does not have is ignored, as the specification says.
 */
static int write_pm_ctrl(struct vfio_pci_core_device *vdev, unsigned int pos,
			 unsigned int width, u32 value)
{
	static const pci_power_t states[] = {
		PCI_D0, PCI_D1, PCI_D2, PCI_D3hot
	};
	pci_power_t state = states[value & PCI_PM_CTRL_STATE_MASK];

	/* The state is in the register's lower byte. */
	if (!(pos & 1))
		vfio_pci_set_power_state(vdev, state);
	return 0;
}

/*
 * VPD: when the user writes the address, four bytes are transferred, in the
 * direction that the flag gives.  The flag flips when that is done.  If it
 * fails, the flag stays, and the user times out.
 */
static int write_vpd_addr(struct vfio_pci_core_device *vdev, unsigned int pos,
			  unsigned int width, u32 value)
{
	u8 *cap = vdev->vconfig + ALIGN_DOWN(pos, 4);
	u8 data[4];
	u16 addr;

	write_plain(vdev, pos, width, value);
	/* The flag is in the upper byte: wait for a write of that. */
	if (!((pos + width) & 3)) {
		addr = vfio_pci_config_get(cap + PCI_VPD_ADDR, 2);
		if (addr & PCI_VPD_ADDR_F) {
			memcpy(data, cap + PCI_VPD_DATA, sizeof(data));
			if (pci_write_vpd(vdev->pdev, addr & PCI_VPD_ADDR_MASK,
					  sizeof(data), data) != sizeof(data))
				return 0;
		} else {
			if (pci_read_vpd(vdev->pdev, addr, sizeof(data),
					 data) != sizeof(data))
				return 0;
			memcpy(cap + PCI_VPD_DATA, data, sizeof(data));
		}
		vfio_pci_config_put(cap + PCI_VPD_ADDR, 2,
				    addr ^ PCI_VPD_ADDR_F);
	}
	return 0;
}

/* MSI: all virtual; limits the number of vectors to what the device has. */
static int write_msi_flags(struct vfio_pci_core_device *vdev, unsigned int pos,
			   unsigned int width, u32 value)
{
	/* The number is in the lower byte; the upper byte is read-only. */
	if (!(pos & 1) &&
	    FIELD_GET(PCI_MSI_FLAGS_QSIZE, value) > vdev->msi_qmax)
		value = (value & ~PCI_MSI_FLAGS_QSIZE) |
			FIELD_PREP(PCI_MSI_FLAGS_QSIZE, vdev->msi_qmax);
	return write_plain(vdev, pos, width, value);
}

/*
 * The user wrote the bit of a function level reset.  The write succeeds even if
 * the reset does not: a register has no way to report an error.
 */
static void write_flr(struct vfio_pci_core_device *vdev)
{
	int ret = vfio_pci_reset_function(vdev);

	if (ret)
		pci_notice_ratelimited(vdev->pdev,
				       "function level reset by configuration space not done (%d): use VFIO_DEVICE_RESET, or close the device\n",
				       ret);
}

/* Device control: read request size and function level reset */
static int write_exp_devctl(struct vfio_pci_core_device *vdev,
			    unsigned int pos, unsigned int width, u32 value)
{
	struct pci_dev *pdev = vdev->pdev;
	int readrq, ret;

	ret = write_plain(vdev, pos, width, value);
	if (ret)
		return ret;

	/* Both are in the upper byte.  A VF uses its PF's read request size. */
	if (width == 1) {
		if (!(pos & 1))
			return 0;
		value <<= 8;
	}
	readrq = 128 << FIELD_GET(PCI_EXP_DEVCTL_READRQ, value);
	if (!pdev->is_virtfn && readrq <= 4096 &&
	    readrq != pcie_get_readrq(pdev))
		pcie_set_readrq(pdev, readrq);

	if (value & PCI_EXP_DEVCTL_BCR_FLR &&
	    pdev->devcap & PCI_EXP_DEVCAP_FLR)
		write_flr(vdev);
	return 0;
}

/* Advanced Features: function level reset of a device without PCI Express */
static int write_af_ctrl(struct vfio_pci_core_device *vdev, unsigned int pos,
			 unsigned int width, u32 value)
{
	u32 caps;
	int ret;

	ret = read_device(vdev, pos - PCI_AF_CTRL + PCI_AF_CAP, 1, &caps);
	if (ret)
		return ret;
	if (value & PCI_AF_CTRL_FLR && caps & PCI_AF_CAP_FLR)
		write_flr(vdev);
	return 0;
}

/*
 * Each writes @width bytes at @pos, all of which belong to the register.  No
 * lock is held.
 */
static int (*const write_hooks[VFIO_PCI_CONFIG_NR_HOOKS])
	(struct vfio_pci_core_device *vdev, unsigned int pos,
	 unsigned int width, u32 value) = {
	[VFIO_PCI_CONFIG_COMMAND] = write_command,
	[VFIO_PCI_CONFIG_PM_CTRL] = write_pm_ctrl,
	[VFIO_PCI_CONFIG_VPD_ADDR] = write_vpd_addr,
	[VFIO_PCI_CONFIG_MSI_FLAGS] = write_msi_flags,
	[VFIO_PCI_CONFIG_EXP_DEVCTL] = write_exp_devctl,
	[VFIO_PCI_CONFIG_AF_CTRL] = write_af_ctrl,
};

static int config_write(struct vfio_pci_core_device *vdev, unsigned int pos,
			unsigned int width, u32 value)
{
	u8 hook = vfio_pci_config(vdev)->hook[pos];

	return hook == VFIO_PCI_CONFIG_PLAIN ?
	       write_plain(vdev, pos, width, value) :
	       write_hooks[hook](vdev, pos, width, value);
}

/* ---- The user's accesses ---- */

/* Whether [pos, pos + width) has one hook, or none */
static bool same_hook(const struct vfio_pci_config *config, unsigned int pos,
		      unsigned int width)
{
	unsigned int i;

	for (i = 1; i < width; i++)
		if (config->hook[pos + i] != config->hook[pos])
			return false;
	return true;
}

/*
 * The most bytes, up to @count, that can be accessed at once: naturally
 * aligned, and of one register if that has a hook.
 */
static unsigned int access_width(const struct vfio_pci_config *config,
				 unsigned int pos, size_t count)
{
	unsigned int width = 4;

	while (width > 1 && (width > count || pos & (width - 1) ||
			     !same_hook(config, pos, width)))
		width >>= 1;
	return width;
}

static int get_user_value(const char __user *buf, unsigned int width,
			  u32 *value)
{
	__le32 dword;
	__le16 word;
	u8 byte;

	switch (width) {
	case 1:
		if (get_user(byte, (u8 __user *)buf))
			return -EFAULT;
		*value = byte;
		return 0;
	case 2:
		if (get_user(word, (__le16 __user *)buf))
			return -EFAULT;
		*value = le16_to_cpu(word);
		return 0;
	default:
		if (get_user(dword, (__le32 __user *)buf))
			return -EFAULT;
		*value = le32_to_cpu(dword);
		return 0;
	}
}

static int put_user_value(char __user *buf, unsigned int width, u32 value)
{
	switch (width) {
	case 1:
		return put_user((u8)value, (u8 __user *)buf);
	case 2:
		return put_user(cpu_to_le16(value), (__le16 __user *)buf);
	default:
		return put_user(cpu_to_le32(value), (__le32 __user *)buf);
	}
}

ssize_t vfio_pci_config_rw(struct vfio_pci_core_device *vdev, char __user *buf,
			   size_t count, loff_t *ppos, bool iswrite)
{
	struct vfio_pci_config *config = vfio_pci_config(vdev);
	u64 pos = *ppos & VFIO_PCI_OFFSET_MASK;
	unsigned int width;
	size_t done = 0;
	u32 value;
	int ret = 0;

	if (pos >= vdev->pdev->cfg_size || count > vdev->pdev->cfg_size - pos)
		return -EFAULT;

	for (; done < count; done += width, pos += width) {
		width = access_width(config, pos, count - done);
		if (iswrite) {
			ret = get_user_value(buf + done, width, &value);
			if (!ret)
				ret = config_write(vdev, pos, width, value);
		} else {
			ret = config_read(vdev, pos, width, &value);
			if (!ret)
				ret = put_user_value(buf + done, width, value);
		}
		if (ret)
			break;
	}

	*ppos += done;
	return done ?: ret;
}

/* ---- Initial values: BARs, ROM, IDs and pin ---- */

static bool bar_exists(struct vfio_pci_core_device *vdev, int bar)
{
	return pci_resource_len(vdev->pdev, bar) &&
	       pci_resource_flags(vdev->pdev, bar) &
	       (IORESOURCE_IO | IORESOURCE_MEM);
}

/*
 * An emulated BAR: the address bits below its size cannot be changed, so that
 * the user can size it.
 */
static void init_bar(struct vfio_pci_core_device *vdev, int bar)
{
	struct vfio_pci_config *config = vfio_pci_config(vdev);
	unsigned int pos = PCI_BASE_ADDRESS_0 + 4 * bar;
	unsigned long flags = pci_resource_flags(vdev->pdev, bar);
	u64 mask = ~(pci_resource_len(vdev->pdev, bar) - 1);
	u64 start = vdev->rbar[bar];
	u32 type;

	if (flags & IORESOURCE_IO) {
		type = PCI_BASE_ADDRESS_SPACE_IO;
		mask &= PCI_BASE_ADDRESS_IO_MASK;
	} else {
		type = flags & (PCI_BASE_ADDRESS_MEM_TYPE_MASK |
				PCI_BASE_ADDRESS_MEM_PREFETCH);
		mask &= PCI_BASE_ADDRESS_MEM_MASK;
		if (flags & IORESOURCE_MEM_64)
			type |= PCI_BASE_ADDRESS_MEM_TYPE_64;
		if (flags & IORESOURCE_PREFETCH)
			type |= PCI_BASE_ADDRESS_MEM_PREFETCH;
	}

	vfio_pci_config_virtualise(config, pos, 4, (start & mask) | type, mask);
	if (flags & IORESOURCE_MEM_64 && bar < PCI_STD_NUM_BARS - 1)
		vfio_pci_config_virtualise(config, pos + 4, 4,
					   vdev->rbar[bar + 1] & (u32)(mask >> 32),
					   mask >> 32);
}

static void init_bars(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_config *config = vfio_pci_config(vdev);
	struct pci_dev *pdev = vdev->pdev;
	resource_size_t rom_size;
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		pci_read_config_dword(pdev, PCI_BASE_ADDRESS_0 + 4 * bar,
				      &vdev->rbar[bar]);
	pci_read_config_dword(pdev, PCI_ROM_ADDRESS, &vdev->rbar[bar]);

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		if (!bar_exists(vdev, bar)) {
			vfio_pci_config_virtualise(config, PCI_BASE_ADDRESS_0 +
						   4 * bar, 4, 0, 0);
			continue;
		}
		init_bar(vdev, bar);
		if (pci_resource_flags(pdev, bar) & IORESOURCE_MEM_64)
			bar++;
	}

	rom_size = pci_resource_len(pdev, PCI_ROM_RESOURCE);
	vfio_pci_config_virtualise(config, PCI_ROM_ADDRESS, 4, 0,
				   rom_size ? ~(rom_size - 1) |
					      PCI_ROM_ADDRESS_ENABLE : 0);
}

static void init_values(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_config *config = vfio_pci_config(vdev);
	struct pci_dev *pdev = vdev->pdev;
	u16 flags;

	init_bars(vdev);

	/* In a VF the device reads these as all ones. */
	if (pdev->is_virtfn) {
		vfio_pci_config_virtualise(config, PCI_VENDOR_ID, 2,
					   pdev->vendor, 0);
		vfio_pci_config_virtualise(config, PCI_DEVICE_ID, 2,
					   pdev->device, 0);
	}
	/* Memory of such a device always answers: the user sees the bit set. */
	if (pdev->no_command_memory)
		config->value[PCI_COMMAND] |= PCI_COMMAND_MEMORY;

	/* intx.c owns the device's bit; the user's bit starts as 0. */
	pci_intx(pdev, 0);
	config->value[PCI_COMMAND + 1] &= ~(PCI_COMMAND_INTX_DISABLE >> 8);
	vdev->virq_disabled = false;

	if (!vfio_pci_irq_count(vdev, VFIO_PCI_INTX_IRQ_INDEX))
		config->value[PCI_INTERRUPT_PIN] = 0;

	vdev->msi_qmax = 0;
	if (pdev->msi_cap) {
		pci_read_config_word(pdev, pdev->msi_cap + PCI_MSI_FLAGS,
				     &flags);
		vdev->msi_qmax = FIELD_GET(PCI_MSI_FLAGS_QMASK, flags);
	}
}

int vfio_pci_config_init(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_config *config;
	int ret;

	config = kvzalloc(sizeof(*config), GFP_KERNEL_ACCOUNT);
	if (!config)
		return -ENOMEM;

	ret = vfio_pci_config_build(config, vdev->pdev);
	if (ret) {
		kvfree(config);
		return ret;
	}
	vdev->pci_config_map = config->hook;
	vdev->vconfig = config->value;
	init_values(vdev);
	return 0;
}

void vfio_pci_config_free(struct vfio_pci_core_device *vdev)
{
	if (!vdev->pci_config_map)
		return;
	kvfree(vfio_pci_config(vdev));
	vdev->pci_config_map = NULL;
	vdev->vconfig = NULL;
}
