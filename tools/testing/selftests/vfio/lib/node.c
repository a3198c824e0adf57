// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nodes of devices, and iommufd.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "node.h"
#include "sysfs.h"
#include "util.h"

bool nodes_present(void)
{
	return !access("/dev/iommu", F_OK) && !access("/dev/vfio/devices", F_OK);
}

int iommufd_open(void)
{
	return must(sys_open("/dev/iommu", O_RDWR));
}

uint32_t ioas_alloc(int iommufd, bool compat)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct iommu_vfio_ioas set = {
		.size = sizeof(set),
		.op = IOMMU_VFIO_IOAS_SET,
	};

	must(sys_ioctl(iommufd, IOMMU_IOAS_ALLOC, &alloc));
	set.ioas_id = alloc.out_ioas_id;
	if (compat)
		must(sys_ioctl(iommufd, IOMMU_VFIO_IOAS, &set));
	return alloc.out_ioas_id;
}

int ioas_map(int iommufd, uint32_t ioas, uint64_t iova, const void *mem,
	     uint64_t size)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)mem,
		.length = size,
		.iova = iova,
	};

	return sys_ioctl(iommufd, IOMMU_IOAS_MAP, &map);
}

int ioas_unmap(int iommufd, uint32_t ioas, uint64_t iova, uint64_t size)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = ioas,
		.iova = iova,
		.length = size,
	};

	return sys_ioctl(iommufd, IOMMU_IOAS_UNMAP, &unmap);
}

int node_path(const char *bus, const char *name, char *path, size_t size)
{
	struct dirent *entry;
	int ret = -ENOENT;
	char dir[128];
	DIR *d;

	snprintf(dir, sizeof(dir), "/sys/bus/%s/devices/%s/vfio-dev", bus,
		 name);
	d = opendir(dir);
	if (!d)
		return -errno;
	while ((entry = readdir(d))) {
		if (strncmp(entry->d_name, "vfio", 4))
			continue;
		snprintf(path, size, "/dev/vfio/devices/%s", entry->d_name);
		ret = 0;
	}
	closedir(d);
	return ret;
}

int node_open(const char *bus, const char *name)
{
	char path[512];
	int ret;

	ret = node_path(bus, name, path, sizeof(path));
	return ret ?: sys_open(path, O_RDWR);
}

int node_bind(int fd, int iommufd, uint32_t *id)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommufd,
	};
	int ret = sys_ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind);

	if (!ret && id)
		*id = bind.out_devid;
	return ret;
}

int node_attach(int fd, uint32_t *pt)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = *pt,
	};
	int ret = sys_ioctl(fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);

	*pt = attach.pt_id;
	return ret;
}

int node_detach(int fd)
{
	struct vfio_device_detach_iommufd_pt detach = {
		.argsz = sizeof(detach),
	};

	return sys_ioctl(fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach);
}

void vdev_open_node_in(struct vdev *v, const char *bdf, const char *driver,
		       int iommufd, uint32_t ioas)
{
	int ret = pci_bind(bdf, driver);

	if (ret)
		die("%s: %s does not take it: %s", bdf, driver,
		    strerror(-ret));
	*v = (struct vdev){
		.bdf = bdf, .container = iommufd, .group = -1, .shared = true,
	};
	v->fd = must(node_open("pci", bdf));
	must(node_bind(v->fd, iommufd, NULL));
	must(node_attach(v->fd, &ioas));
}

void vdev_open_node(struct vdev *v, const char *bdf, const char *driver)
{
	int iommufd = iommufd_open();

	vdev_open_node_in(v, bdf, driver, iommufd, ioas_alloc(iommufd, true));
	v->shared = false;
}
