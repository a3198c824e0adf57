// SPDX-License-Identifier: GPL-2.0-only
/*
 * Talks to the virtual devices of vfio_mock.ko.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iommu.h"
#include "mock.h"
#include "sysfs.h"
#include "util.h"

static int platform_group(const char *name)
{
	char path[96], target[256], *slash;
	ssize_t len;

	snprintf(path, sizeof(path),
		 "/sys/bus/platform/devices/%s/iommu_group", name);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		die("%s: %s", path, strerror(errno));
	target[len] = '\0';
	slash = strrchr(target, '/');
	return atoi(slash + 1);
}

void platform_open(struct vdev *v, const char *name)
{
	*v = (struct vdev){ .bdf = name, .container = container_open() };
	v->group = must(group_open(platform_group(name)));
	must(group_set_container(v->group, v->container));
	must(container_set_iommu(v->container, VFIO_TYPE1v2_IOMMU));
	v->fd = must(group_get_device(v->group, name));
}

void mock_open(struct vdev *v, unsigned int flags)
{
	static char names[8][16];
	char *name = names[flags % 8];

	snprintf(name, sizeof(names[0]), "vfio_mock.%u", flags % 8);
	platform_open(v, name);
}

int mock_next_state(const struct vdev *v, unsigned int flags,
		    unsigned int cur, unsigned int new, unsigned int *next)
{
	struct mock_next_state arg = {
		.flags = flags,
		.cur = cur,
		.new = new,
	};

	must(sys_ioctl(v->fd, MOCK_NEXT_STATE, &arg));
	*next = arg.next;
	return arg.ret;
}

struct mock_arcs mock_arcs(const struct vdev *v)
{
	struct mock_arcs arcs = {};

	must(sys_ioctl(v->fd, MOCK_ARCS, &arcs));
	return arcs;
}

void mock_fail(const struct vdev *v, unsigned int from, unsigned int to,
	       int error, bool broken)
{
	struct mock_fail fail = {
		.from = from,
		.to = to,
		.error = error,
		.broken = broken,
	};

	must(sys_ioctl(v->fd, MOCK_FAIL, &fail));
}

void mock_set_state(const struct vdev *v, struct mock_state state)
{
	must(sys_ioctl(v->fd, MOCK_STATE, &state));
}

int mock_pin(const struct vdev *v, uint64_t iova, unsigned int npage,
	     uint64_t *first)
{
	struct mock_pin arg = { .iova = iova, .npage = npage, .write = 1 };
	int ret;

	ret = sys_ioctl(v->fd, MOCK_PIN, &arg);
	if (ret > 0 && first)
		memcpy(first, arg.first, ret * sizeof(*first));
	return ret;
}

void mock_unpin(const struct vdev *v, uint64_t iova, unsigned int npage)
{
	struct mock_pin arg = { .iova = iova, .npage = npage };

	must(sys_ioctl(v->fd, MOCK_UNPIN, &arg));
}

int mock_dma(const struct vdev *v, uint64_t iova, void *data, uint32_t len,
	     bool write)
{
	struct mock_dma arg = {
		.iova = iova,
		.data = (uintptr_t)data,
		.len = len,
		.write = write,
	};

	return sys_ioctl(v->fd, MOCK_DMA, &arg);
}

struct mock_events mock_events(const struct vdev *v)
{
	struct mock_events events = {};

	must(sys_ioctl(v->fd, MOCK_EVENTS, &events));
	return events;
}

unsigned int mock_hold(const struct vdev *v, uint32_t where)
{
	struct mock_hold hold = { .where = where };

	must(sys_ioctl(v->fd, MOCK_HOLD, &hold));
	return hold.held;
}

void mock_log_write(const struct vdev *v, uint64_t iova, uint64_t length)
{
	struct mock_log_range range = { .iova = iova, .length = length };

	must(sys_ioctl(v->fd, MOCK_LOG_WRITE, &range));
}

void mock_log_control(const struct vdev *v, struct mock_log_control control)
{
	must(sys_ioctl(v->fd, MOCK_LOG_CONTROL, &control));
}

struct mock_log_info mock_log_info(const struct vdev *v)
{
	struct mock_log_info info = {};

	must(sys_ioctl(v->fd, MOCK_LOG_INFO, &info));
	return info;
}
