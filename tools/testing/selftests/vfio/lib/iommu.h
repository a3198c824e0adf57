/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Containers, groups and DMA mappings: thin wrappers of the ioctls, which
 * return the kernel's result: 0, a count, or -errno.
 */
#ifndef VFIO_TEST_IOMMU_H
#define VFIO_TEST_IOMMU_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAP_RW		(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

int container_open(void);
int container_set_iommu(int container, int type);
int container_has(int container, int extension);

/* Opens /dev/vfio/GROUP: a file descriptor or -errno. */
int group_open(int group);
int group_status(int fd, uint32_t *flags);
int group_set_container(int fd, int container);
int group_unset_container(int fd);
int group_get_device(int fd, const char *name);
/*
 * Gives the function to vfio-pci and puts its group into the container: the
 * group's file descriptor.  A failure ends the test.
 */
int container_add(int container, const char *bdf);

int dma_map(int container, uint64_t iova, const void *mem, uint64_t size);
int dma_map_flags(int container, uint64_t iova, const void *mem,
		  uint64_t size, uint32_t flags);
/* The number of bytes unmapped, or -errno. */
int64_t dma_unmap(int container, uint64_t iova, uint64_t size);
int64_t dma_unmap_flags(int container, uint64_t iova, uint64_t size,
			uint32_t flags);
/* Unmaps and reads the dirty bitmap, one bit per @pgsize. */
int64_t dma_unmap_dirty(int container, uint64_t iova, uint64_t size,
			uint64_t pgsize, void *bitmap, uint64_t bitmap_size);

/* VFIO_IOMMU_DIRTY_PAGES with one of its flags and no payload. */
int dirty_log(int container, uint32_t flags);
int dirty_bitmap(int container, uint64_t iova, uint64_t size, uint64_t pgsize,
		 void *bitmap, uint64_t bitmap_size);

/* VFIO_IOMMU_GET_INFO with all its capabilities; the caller frees it. */
struct vfio_iommu_type1_info *iommu_info(int container);

/* The capability @id in a chain that starts at @first in @info, or NULL. */
const void *info_cap(const void *info, size_t size, uint32_t first,
		     uint16_t id);

const struct vfio_iommu_type1_info_cap_iova_range *
iommu_iova_ranges(const struct vfio_iommu_type1_info *info);
const struct vfio_iommu_type1_info_dma_avail *
iommu_dma_avail(const struct vfio_iommu_type1_info *info);
/* The number of mappings that the container still allows. */
uint32_t dma_avail(int container);

#endif
