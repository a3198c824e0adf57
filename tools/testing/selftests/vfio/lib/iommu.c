// SPDX-License-Identifier: GPL-2.0-only
/*
 * Containers, groups and DMA mappings.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "iommu.h"
#include "sysfs.h"
#include "util.h"

int container_open(void)
{
	return must(sys_open("/dev/vfio/vfio", O_RDWR));
}

int container_set_iommu(int container, int type)
{
	return sys_ioctl(container, VFIO_SET_IOMMU, (void *)(long)type);
}

int container_has(int container, int extension)
{
	return sys_ioctl(container, VFIO_CHECK_EXTENSION,
			 (void *)(long)extension);
}

int group_open(int group)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/vfio/%d", group);
	return sys_open(path, O_RDWR);
}

int group_status(int fd, uint32_t *flags)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int ret = sys_ioctl(fd, VFIO_GROUP_GET_STATUS, &status);

	*flags = status.flags;
	return ret;
}

int group_set_container(int fd, int container)
{
	return sys_ioctl(fd, VFIO_GROUP_SET_CONTAINER, &container);
}

int group_unset_container(int fd)
{
	return sys_ioctl(fd, VFIO_GROUP_UNSET_CONTAINER, NULL);
}

int group_get_device(int fd, const char *name)
{
	return sys_ioctl(fd, VFIO_GROUP_GET_DEVICE_FD, name);
}

int container_add(int container, const char *bdf)
{
	int ret, fd;

	ret = pci_bind(bdf, DRV_VFIO_PCI);
	if (ret)
		die("%s: vfio-pci does not take it: %s", bdf, strerror(-ret));
	fd = must(group_open(pci_group(bdf)));
	must(group_set_container(fd, container));
	return fd;
}

int dma_map_flags(int container, uint64_t iova, const void *mem,
		  uint64_t size, uint32_t flags)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = flags,
		.vaddr = (uintptr_t)mem,
		.iova = iova,
		.size = size,
	};

	return sys_ioctl(container, VFIO_IOMMU_MAP_DMA, &map);
}

int dma_map(int container, uint64_t iova, const void *mem, uint64_t size)
{
	return dma_map_flags(container, iova, mem, size, MAP_RW);
}

int64_t dma_unmap_flags(int container, uint64_t iova, uint64_t size,
			uint32_t flags)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = flags,
		.iova = iova,
		.size = size,
	};
	int ret = sys_ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap);

	return ret < 0 ? ret : (int64_t)unmap.size;
}

int64_t dma_unmap(int container, uint64_t iova, uint64_t size)
{
	return dma_unmap_flags(container, iova, size, 0);
}

int64_t dma_unmap_dirty(int container, uint64_t iova, uint64_t size,
			uint64_t pgsize, void *bitmap, uint64_t bitmap_size)
{
	struct {
		struct vfio_iommu_type1_dma_unmap unmap;
		struct vfio_bitmap bitmap;
	} arg = {
		.unmap = {
			.argsz = sizeof(arg),
			.flags = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP,
			.iova = iova,
			.size = size,
		},
		.bitmap = {
			.pgsize = pgsize,
			.size = bitmap_size,
			.data = bitmap,
		},
	};
	int ret = sys_ioctl(container, VFIO_IOMMU_UNMAP_DMA, &arg);

	return ret < 0 ? ret : (int64_t)arg.unmap.size;
}

int dirty_log(int container, uint32_t flags)
{
	struct vfio_iommu_type1_dirty_bitmap arg = {
		.argsz = sizeof(arg),
		.flags = flags,
	};

	return sys_ioctl(container, VFIO_IOMMU_DIRTY_PAGES, &arg);
}

int dirty_bitmap(int container, uint64_t iova, uint64_t size, uint64_t pgsize,
		 void *bitmap, uint64_t bitmap_size)
{
	struct {
		struct vfio_iommu_type1_dirty_bitmap dirty;
		struct vfio_iommu_type1_dirty_bitmap_get get;
	} arg = {
		.dirty = {
			.argsz = sizeof(arg),
			.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
		},
		.get = {
			.iova = iova,
			.size = size,
			.bitmap = {
				.pgsize = pgsize,
				.size = bitmap_size,
				.data = bitmap,
			},
		},
	};

	return sys_ioctl(container, VFIO_IOMMU_DIRTY_PAGES, &arg);
}

struct vfio_iommu_type1_info *iommu_info(int container)
{
	struct vfio_iommu_type1_info *info;
	uint32_t size = sizeof(*info);

	for (;;) {
		info = calloc(1, size);
		info->argsz = size;
		must(sys_ioctl(container, VFIO_IOMMU_GET_INFO, info));
		if (info->argsz <= size)
			return info;
		size = info->argsz;
		free(info);
	}
}

const void *info_cap(const void *info, size_t size, uint32_t first,
		     uint16_t id)
{
	const struct vfio_info_cap_header *cap;
	uint32_t at, links = 0;

	for (at = first; at; at = cap->next) {
		if (at % 8 || at + sizeof(*cap) > size)
			die("capability at offset %u of %zu", at, size);
		if (++links > 64)
			die("capability chain is a loop");
		cap = (const void *)((const char *)info + at);
		if (cap->id == id)
			return cap;
	}
	return NULL;
}

const struct vfio_iommu_type1_info_cap_iova_range *
iommu_iova_ranges(const struct vfio_iommu_type1_info *info)
{
	if (!(info->flags & VFIO_IOMMU_INFO_CAPS))
		return NULL;
	return info_cap(info, info->argsz, info->cap_offset,
			VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
}

const struct vfio_iommu_type1_info_dma_avail *
iommu_dma_avail(const struct vfio_iommu_type1_info *info)
{
	if (!(info->flags & VFIO_IOMMU_INFO_CAPS))
		return NULL;
	return info_cap(info, info->argsz, info->cap_offset,
			VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
}

uint32_t dma_avail(int container)
{
	struct vfio_iommu_type1_info *info = iommu_info(container);
	const struct vfio_iommu_type1_info_dma_avail *cap;
	uint32_t avail;

	cap = iommu_dma_avail(info);
	if (!cap)
		die("IOMMU_GET_INFO has no capability DMA_AVAIL");
	avail = cap->avail;
	free(info);
	return avail;
}
