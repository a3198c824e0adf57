/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device that is opened by its node and bound to an iommufd.  Wrappers of
 * ioctls return the kernel's result.
 */
#ifndef VFIO_TEST_NODE_H
#define VFIO_TEST_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device.h"

/* Does this kernel have iommufd and nodes? */
bool nodes_present(void);

int iommufd_open(void);
/* A new I/O address space; @compat: type1's ioctls on the iommufd act on it */
uint32_t ioas_alloc(int iommufd, bool compat);
int ioas_map(int iommufd, uint32_t ioas, uint64_t iova, const void *mem,
	     uint64_t size);
int ioas_unmap(int iommufd, uint32_t ioas, uint64_t iova, uint64_t size);

/*
 * Path of the node of a device on @bus ("pci"), which has a driver; -ENOENT if
 * it has no node.
 */
int node_path(const char *bus, const char *name, char *path, size_t size);
int node_open(const char *bus, const char *name);
int node_bind(int fd, int iommufd, uint32_t *id);
int node_attach(int fd, uint32_t *pt);
int node_detach(int fd);

/*
 * Opens the function by its node: @container is an iommufd, and type1's ioctls
 * reach the address space that the device is in.
 */
void vdev_open_node(struct vdev *v, const char *bdf, const char *driver);
/* The same with another device's iommufd and its address space @ioas */
void vdev_open_node_in(struct vdev *v, const char *bdf, const char *driver,
		       int iommufd, uint32_t ioas);

#endif
