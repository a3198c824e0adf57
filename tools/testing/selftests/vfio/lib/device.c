// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices: open, regions, interrupts, features.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"
#include "iommu.h"
#include "sysfs.h"
#include "util.h"

static int open_in(struct vdev *v)
{
	int ret;

	v->fd = -1;
	v->group = group_open(pci_group(v->bdf));
	if (v->group < 0)
		return v->group;
	ret = group_set_container(v->group, v->container);
	if (ret)
		goto err_close_group;
	if (!v->shared) {
		ret = container_set_iommu(v->container, VFIO_TYPE1v2_IOMMU);
		if (ret)
			goto err_close_group;
	}
	ret = group_get_device(v->group, v->bdf);
	if (ret < 0)
		goto err_close_group;
	v->fd = ret;
	return 0;

err_close_group:
	sys_close(v->group);
	v->group = -1;
	return ret;
}

int vdev_try_open(struct vdev *v, const char *bdf)
{
	int container = sys_open("/dev/vfio/vfio", O_RDWR);
	int ret;

	if (container < 0)
		return container;
	*v = (struct vdev){ .bdf = bdf, .container = container };
	ret = open_in(v);
	if (ret)
		sys_close(v->container);
	return ret;
}

void vdev_open(struct vdev *v, const char *bdf, const char *driver)
{
	int ret;

	ret = pci_bind(bdf, driver);
	if (ret)
		die("%s: %s does not take it: %s", bdf, driver,
		    strerror(-ret));
	ret = vdev_try_open(v, bdf);
	if (ret)
		die("%s (%s): cannot be opened: %s", bdf, driver,
		    strerror(-ret));
}

void vdev_open_in(struct vdev *v, const char *bdf, const char *driver,
		  int container)
{
	int ret;

	ret = pci_bind(bdf, driver);
	if (ret)
		die("%s: %s does not take it: %s", bdf, driver,
		    strerror(-ret));
	*v = (struct vdev){
		.bdf = bdf, .container = container, .shared = true,
	};
	ret = open_in(v);
	if (ret)
		die("%s (%s): cannot be opened: %s", bdf, driver,
		    strerror(-ret));
}

void vdev_close(struct vdev *v)
{
	if (!v->bdf)
		return;
	sys_close(v->fd);
	sys_close(v->group);
	if (!v->shared)
		sys_close(v->container);
	v->bdf = NULL;
}

struct vfio_device_info vdev_info(const struct vdev *v)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	must(sys_ioctl(v->fd, VFIO_DEVICE_GET_INFO, &info));
	return info;
}

int vdev_region_get(const struct vdev *v, struct vfio_region_info *info)
{
	return sys_ioctl(v->fd, VFIO_DEVICE_GET_REGION_INFO, info);
}

struct vfio_region_info vdev_region(const struct vdev *v, unsigned int index)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = index,
	};

	must(vdev_region_get(v, &info));
	return info;
}

struct vfio_region_info *vdev_region_caps(const struct vdev *v,
					  unsigned int index)
{
	struct vfio_region_info *info;
	uint32_t size = sizeof(*info);

	for (;;) {
		info = calloc(1, size);
		info->argsz = size;
		info->index = index;
		must(vdev_region_get(v, info));
		if (info->argsz <= size)
			return info;
		size = info->argsz;
		free(info);
	}
}

struct vfio_irq_info vdev_irq(const struct vdev *v, unsigned int index)
{
	struct vfio_irq_info info = {
		.argsz = sizeof(info),
		.index = index,
	};

	must(sys_ioctl(v->fd, VFIO_DEVICE_GET_IRQ_INFO, &info));
	return info;
}

static void map_area(const struct vdev *v, const struct vfio_region_info *info,
		     char *mem, uint64_t offset, uint64_t size)
{
	if (mmap(mem + offset, size, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, v->fd,
		 info->offset + offset) == MAP_FAILED)
		die("%s: mmap of region %u, %#llx bytes at %#llx: %s", v->bdf,
		    info->index, (unsigned long long)size,
		    (unsigned long long)offset, strerror(errno));
}

static const struct vfio_region_info_cap_sparse_mmap *
sparse_areas(const struct vfio_region_info *info)
{
	if (!(info->flags & VFIO_REGION_INFO_FLAG_CAPS))
		return NULL;
	return info_cap(info, info->argsz, info->cap_offset,
			VFIO_REGION_INFO_CAP_SPARSE_MMAP);
}

void *vdev_map_region(const struct vdev *v, unsigned int index)
{
	struct vfio_region_info *info = vdev_region_caps(v, index);
	const struct vfio_region_info_cap_sparse_mmap *sparse;
	unsigned int i;
	char *mem;

	mem = mmap(NULL, info->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0);
	if (mem == MAP_FAILED)
		die("no room for region %u of %s", index, v->bdf);
	sparse = sparse_areas(info);
	if (!sparse)
		map_area(v, info, mem, 0, info->size);
	for (i = 0; sparse && i < sparse->nr_areas; i++)
		map_area(v, info, mem, sparse->areas[i].offset,
			 sparse->areas[i].size);
	free(info);
	return mem;
}

void vdev_unmap_region(const struct vdev *v, unsigned int index, void *mem)
{
	mem_free(mem, vdev_region(v, index).size);
}

ssize_t region_read(const struct vdev *v, unsigned int index, uint64_t offset,
		    void *buf, size_t len)
{
	return sys_pread(v->fd, buf, len,
			 vdev_region(v, index).offset + offset);
}

ssize_t region_write(const struct vdev *v, unsigned int index, uint64_t offset,
		     const void *buf, size_t len)
{
	return sys_pwrite(v->fd, buf, len,
			  vdev_region(v, index).offset + offset);
}

static void load(const struct vdev *v, unsigned int index, uint32_t offset,
		 void *value, size_t size)
{
	ssize_t ret = region_read(v, index, offset, value, size);

	if (ret != (ssize_t)size)
		die("%s: region %u: read of %zu at %#x: %zd", v->bdf, index,
		    size, offset, ret);
}

static void store(const struct vdev *v, unsigned int index, uint32_t offset,
		  const void *value, size_t size)
{
	ssize_t ret = region_write(v, index, offset, value, size);

	if (ret != (ssize_t)size)
		die("%s: region %u: write of %zu at %#x: %zd", v->bdf, index,
		    size, offset, ret);
}

uint32_t reg_read(const struct vdev *v, unsigned int bar, uint32_t offset)
{
	uint32_t value;

	load(v, bar, offset, &value, sizeof(value));
	return value;
}

void reg_write(const struct vdev *v, unsigned int bar, uint32_t offset,
	       uint32_t value)
{
	store(v, bar, offset, &value, sizeof(value));
}

uint8_t cfg_read8(const struct vdev *v, uint32_t offset)
{
	uint8_t value;

	load(v, VFIO_PCI_CONFIG_REGION_INDEX, offset, &value, sizeof(value));
	return value;
}

uint16_t cfg_read16(const struct vdev *v, uint32_t offset)
{
	uint16_t value;

	load(v, VFIO_PCI_CONFIG_REGION_INDEX, offset, &value, sizeof(value));
	return value;
}

uint32_t cfg_read32(const struct vdev *v, uint32_t offset)
{
	uint32_t value;

	load(v, VFIO_PCI_CONFIG_REGION_INDEX, offset, &value, sizeof(value));
	return value;
}

void cfg_write8(const struct vdev *v, uint32_t offset, uint8_t value)
{
	store(v, VFIO_PCI_CONFIG_REGION_INDEX, offset, &value, sizeof(value));
}

void cfg_write16(const struct vdev *v, uint32_t offset, uint16_t value)
{
	store(v, VFIO_PCI_CONFIG_REGION_INDEX, offset, &value, sizeof(value));
}

void cfg_write32(const struct vdev *v, uint32_t offset, uint32_t value)
{
	store(v, VFIO_PCI_CONFIG_REGION_INDEX, offset, &value, sizeof(value));
}

void cfg_command(const struct vdev *v, uint16_t set, uint16_t clear)
{
	uint16_t command = cfg_read16(v, PCI_COMMAND);

	cfg_write16(v, PCI_COMMAND, (command & ~clear) | set);
}

uint32_t cfg_cap(const struct vdev *v, uint8_t id)
{
	unsigned int links = 0;
	uint8_t at;

	if (!(cfg_read16(v, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return 0;
	for (at = cfg_read8(v, PCI_CAPABILITY_LIST); at;
	     at = cfg_read8(v, at + PCI_CAP_LIST_NEXT)) {
		if (++links > 48)
			die("%s: capability list is a loop", v->bdf);
		if (cfg_read8(v, at) == id)
			return at;
	}
	return 0;
}

uint32_t cfg_ext_cap(const struct vdev *v, uint16_t id)
{
	unsigned int links = 0;
	uint32_t at, header;

	if (vdev_region(v, VFIO_PCI_CONFIG_REGION_INDEX).size <=
	    PCI_CFG_SPACE_SIZE)
		return 0;
	for (at = PCI_CFG_SPACE_SIZE; at; at = PCI_EXT_CAP_NEXT(header)) {
		if (++links > 960)
			die("%s: extended capability list is a loop", v->bdf);
		header = cfg_read32(v, at);
		if (header && PCI_EXT_CAP_ID(header) == id)
			return at;
	}
	return 0;
}

int irq_set(const struct vdev *v, uint32_t flags, uint32_t index,
	    uint32_t start, uint32_t count, const void *data, size_t size)
{
	struct vfio_irq_set *set = calloc(1, sizeof(*set) + size);
	int ret;

	*set = (struct vfio_irq_set){
		.argsz = sizeof(*set) + size,
		.flags = flags,
		.index = index,
		.start = start,
		.count = count,
	};
	if (size)
		memcpy(set->data, data, size);
	ret = sys_ioctl(v->fd, VFIO_DEVICE_SET_IRQS, set);
	free(set);
	return ret;
}

int irq_eventfds(const struct vdev *v, uint32_t index, uint32_t start,
		 const int32_t *fds, uint32_t count)
{
	return irq_set(v, VFIO_IRQ_SET_DATA_EVENTFD |
			  VFIO_IRQ_SET_ACTION_TRIGGER,
		       index, start, count, fds, count * sizeof(*fds));
}

int irq_unmask_eventfd(const struct vdev *v, uint32_t index, int32_t fd)
{
	return irq_set(v, VFIO_IRQ_SET_DATA_EVENTFD |
			  VFIO_IRQ_SET_ACTION_UNMASK,
		       index, 0, 1, &fd, sizeof(fd));
}

int irq_trigger(const struct vdev *v, uint32_t index, uint32_t start,
		uint32_t count)
{
	return irq_set(v, VFIO_IRQ_SET_DATA_NONE |
			  VFIO_IRQ_SET_ACTION_TRIGGER,
		       index, start, count, NULL, 0);
}

int irq_mask(const struct vdev *v, uint32_t index)
{
	return irq_set(v, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK,
		       index, 0, 1, NULL, 0);
}

int irq_unmask(const struct vdev *v, uint32_t index)
{
	return irq_set(v, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK,
		       index, 0, 1, NULL, 0);
}

int irq_disable(const struct vdev *v, uint32_t index)
{
	return irq_trigger(v, index, 0, 0);
}

int eventfd_new(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		die("eventfd: %s", strerror(errno));
	return fd;
}

uint64_t eventfd_take(int fd)
{
	uint64_t count;
	ssize_t ret = sys_read(fd, &count, sizeof(count));

	if (ret == -EAGAIN)
		return 0;
	must(ret);
	return count;
}

int request_eventfd_new(const struct vdev *v)
{
	int fd = eventfd_new();

	must(irq_eventfds(v, VFIO_PCI_REQ_IRQ_INDEX, 0, &fd, 1));
	return fd;
}

uint64_t eventfd_wait(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	if (poll(&poll_fd, 1, WATCHDOG_MS) < 0)
		die("poll: %s", strerror(errno));
	return eventfd_take(fd);
}

void eventfd_kick(int fd)
{
	uint64_t one = 1;

	must(sys_write(fd, &one, sizeof(one)));
}

int device_reset(const struct vdev *v)
{
	return sys_ioctl(v->fd, VFIO_DEVICE_RESET, NULL);
}

int feature(int fd, uint32_t flags, void *data, size_t size)
{
	uint64_t buf[64] = {};
	struct vfio_device_feature *arg = (void *)buf;
	int ret;

	if (sizeof(*arg) + size > sizeof(buf))
		die("feature payload of %zu bytes", size);
	arg->argsz = sizeof(*arg) + size;
	arg->flags = flags;
	if (size)
		memcpy(arg->data, data, size);
	ret = sys_ioctl(fd, VFIO_DEVICE_FEATURE, arg);
	if (size)
		memcpy(data, arg->data, size);
	return ret;
}

int low_power(const struct vdev *v, uint32_t entry_or_exit)
{
	return feature(v->fd, VFIO_DEVICE_FEATURE_SET | entry_or_exit, NULL, 0);
}

bool all_bytes_written(const void *with_aa, const void *with_55, size_t size)
{
	return !memcmp(with_aa, with_55, size);
}
