// SPDX-License-Identifier: GPL-2.0-only
/*
 * read() and write() of BARs and of the expansion ROM, and the kernel mapping
 * of BARs that they (and variant drivers) use.
 *
 * Each access to device memory holds memory_lock for read and checks that
 * memory answers, so that no access reaches a device that is off or being
 * reset.  User memory is copied without that lock: the buffer may be a mapping
 * of a BAR.
 *
 * barmap_lock, a leaf, serialises the first mapping of a BAR.  The mapping in
 * vdev->barmap stays until the device is disabled.
 */
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/ioport.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#include "config.h"
#include "private.h"

static DEFINE_MUTEX(barmap_lock);

/*
 * Begin and end an access to the device.  With @test_mem it is an access to
 * memory: begin returns -EIO if memory does not answer.
 */
static int vfio_pci_access_begin(struct vfio_pci_core_device *vdev,
				 bool test_mem)
{
	if (!test_mem)
		return 0;

	down_read(&vdev->memory_lock);
	if (vfio_pci_memory_enabled(vdev))
		return 0;

	up_read(&vdev->memory_lock);
	return -EIO;
}

static void vfio_pci_access_end(struct vfio_pci_core_device *vdev,
				bool test_mem)
{
	if (test_mem)
		up_read(&vdev->memory_lock);
}

/*
 * vfio_pci_core_iowrite{8,16,32,64}(), vfio_pci_core_ioread{8,16,32,64}():
 * one access to @io, an address in one of vdev->barmap.  With @test_mem, @io is
 * memory, and the access fails with -EIO while memory decoding is off.
 */
#define VFIO_PCI_IOWRITE(size)						\
int vfio_pci_core_iowrite##size(struct vfio_pci_core_device *vdev,	\
				bool test_mem, u##size val,		\
				void __iomem *io)			\
{									\
	int ret = vfio_pci_access_begin(vdev, test_mem);		\
									\
	if (ret)							\
		return ret;						\
	iowrite##size(val, io);						\
	vfio_pci_access_end(vdev, test_mem);				\
	return 0;							\
}									\
EXPORT_SYMBOL_GPL(vfio_pci_core_iowrite##size)

#define VFIO_PCI_IOREAD(size)						\
int vfio_pci_core_ioread##size(struct vfio_pci_core_device *vdev,	\
			       bool test_mem, u##size * val,		\
			       void __iomem *io)			\
{									\
	int ret = vfio_pci_access_begin(vdev, test_mem);		\
									\
	if (ret)							\
		return ret;						\
	*val = ioread##size(io);					\
	vfio_pci_access_end(vdev, test_mem);				\
	return 0;							\
}									\
EXPORT_SYMBOL_GPL(vfio_pci_core_ioread##size)

VFIO_PCI_IOWRITE(8);
VFIO_PCI_IOWRITE(16);
VFIO_PCI_IOWRITE(32);
VFIO_PCI_IOWRITE(64);
VFIO_PCI_IOREAD(8);
VFIO_PCI_IOREAD(16);
VFIO_PCI_IOREAD(32);
VFIO_PCI_IOREAD(64);

/*
 * One access of @width bytes between a BAR and user memory; user memory has the
 * bytes in the device's order (little endian).
 */
static int io_read(struct vfio_pci_core_device *vdev, bool test_mem,
		   void __iomem *io, char __user *buf, size_t width)
{
	int ret;
	u64 q;
	u32 l;
	u16 w;
	u8 b;

	switch (width) {
	case 8:
		ret = vfio_pci_core_ioread64(vdev, test_mem, &q, io);
		return ret ?: put_user(cpu_to_le64(q), (__le64 __user *)buf);
	case 4:
		ret = vfio_pci_core_ioread32(vdev, test_mem, &l, io);
		return ret ?: put_user(cpu_to_le32(l), (__le32 __user *)buf);
	case 2:
		ret = vfio_pci_core_ioread16(vdev, test_mem, &w, io);
		return ret ?: put_user(cpu_to_le16(w), (__le16 __user *)buf);
	default:
		ret = vfio_pci_core_ioread8(vdev, test_mem, &b, io);
		return ret ?: put_user(b, (u8 __user *)buf);
	}
}

static int io_write(struct vfio_pci_core_device *vdev, bool test_mem,
		    void __iomem *io, const char __user *buf, size_t width)
{
	__le64 q;
	__le32 l;
	__le16 w;
	u8 b;

	switch (width) {
	case 8:
		return get_user(q, (__le64 __user *)buf) ?:
		       vfio_pci_core_iowrite64(vdev, test_mem, le64_to_cpu(q),
					       io);
	case 4:
		return get_user(l, (__le32 __user *)buf) ?:
		       vfio_pci_core_iowrite32(vdev, test_mem, le32_to_cpu(l),
					       io);
	case 2:
		return get_user(w, (__le16 __user *)buf) ?:
		       vfio_pci_core_iowrite16(vdev, test_mem, le16_to_cpu(w),
					       io);
	default:
		return get_user(b, (u8 __user *)buf) ?:
		       vfio_pci_core_iowrite8(vdev, test_mem, b, io);
	}
}

/* The same for a range that is hidden from the user */
static int io_hidden(char __user *buf, size_t width, bool iswrite)
{
	u64 ones = ~0ULL;

	if (iswrite)
		return copy_from_user(&ones, buf, width) ? -EFAULT : 0;
	return copy_to_user(buf, &ones, width) ? -EFAULT : 0;
}

/* The widest aligned access at @off that stays within @room bytes */
static size_t io_width(loff_t off, size_t room)
{
	size_t width = sizeof(u64);

	while (width > room || (off & (width - 1)))
		width /= 2;
	return width;
}

/**
 * vfio_pci_core_do_io_rw - copy between a BAR and user memory
 * @vdev: the device
 * @test_mem: @io is device memory: -EIO while it does not answer
 * @io: start of the BAR, from vdev->barmap
 * @buf: user memory
 * @off: first byte, relative to @io
 * @count: bytes; the caller has checked that they are inside of the BAR
 * @x_start: first byte of a range that is hidden from the user
 * @x_end: end of that range, @x_start or lower if there is none
 * @iswrite: direction
 * @max_width: the widest access that the device supports
 *
 * Uses accesses as wide as alignment allows, so that an aligned access of 1,
 * 2, 4 or 8 bytes is one access of the device.  The hidden range reads as
 * ones, writes to it are dropped.
 *
 * Return: the bytes done, all of @count; or -EIO while memory decoding is
 * off, -EFAULT, -EINTR.
 */
ssize_t vfio_pci_core_do_io_rw(struct vfio_pci_core_device *vdev,
			       bool test_mem, void __iomem *io,
			       char __user *buf, loff_t off, size_t count,
			       size_t x_start, size_t x_end, bool iswrite,
			       enum vfio_pci_io_width max_width)
{
	size_t pos = off, end = off + count;

	while (pos < end) {
		char __user *ubuf = buf + (pos - off);
		bool hidden = pos >= x_start && pos < x_end;
		size_t stop = end, width;
		int ret;

		if (hidden)
			stop = min(end, x_end);
		else if (pos < x_start && x_start < x_end)
			stop = min(end, x_start);
		width = min_t(size_t, io_width(pos, stop - pos), max_width);

		if (hidden)
			ret = io_hidden(ubuf, width, iswrite);
		else if (iswrite)
			ret = io_write(vdev, test_mem, io + pos, ubuf, width);
		else
			ret = io_read(vdev, test_mem, io + pos, ubuf, width);
		if (ret)
			return ret;

		pos += width;
		if (!(pos & (PAGE_SIZE - 1))) {
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		}
	}
	return count;
}
EXPORT_SYMBOL_GPL(vfio_pci_core_do_io_rw);

/**
 * vfio_pci_core_setup_barmap - map a BAR for the kernel's use
 * @vdev: the device; enabled
 * @bar: 0 to 5
 *
 * Claims the BAR and fills vdev->barmap[@bar], unless an earlier call since the
 * device was opened has done so.  May be called concurrently.
 *
 * Return: 0, -EBUSY if another driver has claimed the BAR, -ENOMEM.
 */
int vfio_pci_core_setup_barmap(struct vfio_pci_core_device *vdev, int bar)
{
	struct pci_dev *pdev = vdev->pdev;
	void __iomem *io;
	int ret;

	/* Pairs with the store below */
	if (smp_load_acquire(&vdev->barmap[bar]))
		return 0;

	guard(mutex)(&barmap_lock);
	if (vdev->barmap[bar])
		return 0;

	ret = pci_request_selected_regions(pdev, BIT(bar), "vfio-pci");
	if (ret)
		return ret;

	io = pci_iomap(pdev, bar, 0);
	if (!io) {
		pci_release_selected_regions(pdev, BIT(bar));
		return -ENOMEM;
	}

	/* Pairs with the load above, which takes no lock */
	smp_store_release(&vdev->barmap[bar], io);
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_pci_core_setup_barmap);

/*
 * Ignores errors: vfio_pci_core_get_iomap() tells a driver that a BAR is not
 * mapped.
 */
void vfio_pci_barmaps_init(struct vfio_pci_core_device *vdev)
{
	int bar;

	if (LINUX_VERSION_CODE < KERNEL_VERSION(7, 2, 0))
		return;
	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if (pci_resource_len(vdev->pdev, bar))
			vfio_pci_core_setup_barmap(vdev, bar);
}

/* The device is being disabled and no longer in use. */
void vfio_pci_barmaps_free(struct vfio_pci_core_device *vdev)
{
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		if (!vdev->barmap[bar])
			continue;
		pci_iounmap(vdev->pdev, vdev->barmap[bar]);
		pci_release_selected_regions(vdev->pdev, BIT(bar));
		vdev->barmap[bar] = NULL;
	}
}

/*
 * Copy a part of the ROM's image to @buf; the rest of the ROM reads as ones.
 * The ROM is enabled meanwhile.  memory_lock is held for write, as only one
 * reader at a time can use the enable bit.
 */
static int vfio_pci_rom_copy(struct vfio_pci_core_device *vdev, u8 *buf,
			     size_t pos, size_t count)
{
	void __iomem *rom;
	size_t size;

	memset(buf, 0xff, count);

	guard(rwsem_write)(&vdev->memory_lock);
	if (!vfio_pci_memory_enabled(vdev))
		return -EIO;

	rom = pci_map_rom(vdev->pdev, &size);
	if (!rom)
		return -ENXIO;
	if (pos < size)
		memcpy_fromio(buf, rom + pos, min(count, size - pos));
	pci_unmap_rom(vdev->pdev, rom);
	return 0;
}

static void rom_probe(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_config *config = vfio_pci_config(vdev);
	void __iomem *rom;
	size_t image;
	u16 cmd;

	cmd = vfio_pci_memory_force_on(vdev);
	/* The ROM cannot be read outside of D0: try again the next time. */
	if (config->rom == VFIO_PCI_ROM_UNKNOWN &&
	    vdev->pdev->current_state == PCI_D0) {
		rom = pci_map_rom(vdev->pdev, &image);
		if (rom)
			pci_unmap_rom(vdev->pdev, rom);
		WRITE_ONCE(config->rom, rom ? VFIO_PCI_ROM_READABLE :
					      VFIO_PCI_ROM_UNREADABLE);
	}
	vfio_pci_memory_force_end(vdev, cmd);
}

/* Reads through the ROM to find out: not at open, and only once. */
size_t vfio_pci_rom_size(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_config *config = vfio_pci_config(vdev);
	size_t size = pci_resource_len(vdev->pdev, PCI_ROM_RESOURCE);

	if (!size)
		return 0;
	if (READ_ONCE(config->rom) == VFIO_PCI_ROM_UNKNOWN)
		rom_probe(vdev);
	return READ_ONCE(config->rom) == VFIO_PCI_ROM_READABLE ? size : 0;
}

static ssize_t vfio_pci_rom_read(struct vfio_pci_core_device *vdev,
				 char __user *buf, size_t pos, size_t count)
{
	size_t done = 0;
	ssize_t ret = 0;
	u8 *page;

	page = kmalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	if (!page)
		return -ENOMEM;

	while (done < count) {
		size_t part = min(count - done, PAGE_SIZE);

		ret = vfio_pci_rom_copy(vdev, page, pos + done, part);
		if (ret)
			break;
		if (copy_to_user(buf + done, page, part)) {
			ret = -EFAULT;
			break;
		}
		done += part;
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
	}

	kfree(page);
	return ret ?: done;
}

/*
 * read() and write() of the regions of BARs and the ROM.  The device is awake;
 * the caller holds no lock.
 */
ssize_t vfio_pci_bar_rw(struct vfio_pci_core_device *vdev, char __user *buf,
			size_t count, loff_t *ppos, bool iswrite)
{
	unsigned int index = VFIO_PCI_OFFSET_TO_INDEX(*ppos);
	u64 pos = *ppos & VFIO_PCI_OFFSET_MASK;
	struct pci_dev *pdev = vdev->pdev;
	u64 end = pci_resource_len(pdev, index);
	size_t x_start = 0, x_end = 0;
	ssize_t ret;

	if (pos >= end)
		return -EINVAL;
	count = min_t(u64, count, end - pos);

	if (index == PCI_ROM_RESOURCE) {
		if (iswrite)
			return -EINVAL;
		ret = vfio_pci_rom_read(vdev, buf, pos, count);
		goto out;
	}

	ret = vfio_pci_core_setup_barmap(vdev, index);
	if (ret)
		return ret;

	if (index == vdev->msix_bar) {
		x_start = vdev->msix_offset;
		x_end = x_start + vdev->msix_size;
	}

	ret = vfio_pci_core_do_io_rw(vdev,
				     pci_resource_flags(pdev, index) &
				     IORESOURCE_MEM,
				     vdev->barmap[index], buf, pos, count,
				     x_start, x_end, iswrite,
				     VFIO_PCI_IO_WIDTH_8);
out:
	if (ret > 0)
		*ppos += ret;
	return ret;
}
