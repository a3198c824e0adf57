// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens a device: through its group, which is put into a new container, or, if
 * the user named the node or the kernel has no groups, through its node, which
 * is bound to a new iommufd.  Nothing is mapped for the device's DMA.  A step
 * that fails adds a reason, which says what an operator can do about it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#if __has_include(<linux/iommufd.h>)
#include <linux/iommufd.h>
#endif
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device.h"
#include "paths.h"
#include "util.h"

void device_explain_in_use(const struct device_name *id, struct reasons *why)
{
	if (id->by_node)
		reason_add(why, "in-use", EFFECT_UNKNOWN,
			   "%s: in use by another process, such as a VM; only one can open it, by its node or its group %u",
			   id->name, id->group);
	else
		reason_add(why, "in-use", EFFECT_UNKNOWN,
			   "%s: group %u is in use by another process, such as a VM; only one can open /dev/vfio/%u",
			   id->name, id->group, id->group);
}

/* A step failed for a reason that only the errno tells. */
static void explain_error(struct reasons *why, const char *what)
{
	if (errno == EACCES || errno == EPERM) {
		reason_add(why, "no-access", EFFECT_UNKNOWN, "%s: %s", what,
			   strerror(errno));
		reason_remedy(why, "run vfio-mig as root");
	} else {
		reason_add(why, "not-opened", EFFECT_UNKNOWN, "%s: %s", what,
			   strerror(errno));
		reason_remedy(why, "see dmesg");
	}
}

/* Names the devices of the group that drivers of the host use. */
static void explain_not_viable(const struct device_name *id,
			       struct reasons *why)
{
	char path[PATH_MAX], driver[64];
	struct dirent *entry;
	DIR *dir;

	reason_add(why, "group-not-viable", EFFECT_NO,
		   "%s: group %u has devices that drivers of the host use",
		   id->name, id->group);
	reason_remedy(why, "unbind these, or bind them to vfio-pci:");
	snprintf(path, sizeof(path), IOMMU_GROUPS "/%u/devices", id->group);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, id->name))
			continue;
		snprintf(path, sizeof(path),
			 IOMMU_GROUPS "/%u/devices/%.128s/driver", id->group,
			 entry->d_name);
		if (link_name(path, driver, sizeof(driver)))
			reason_remedy(why, " %s (%s)", entry->d_name, driver);
	}
	closedir(dir);
}

static enum open_result open_group(struct device *dev, struct reasons *why)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char path[32];

	snprintf(path, sizeof(path), GROUPS "/%u", dev->id.group);
	dev->group = open(path, O_RDWR | O_CLOEXEC);
	if (dev->group < 0) {
		if (errno == EBUSY)
			return IN_USE;
		explain_error(why, path);
		return NOT_OPENED;
	}
	if (ioctl(dev->group, VFIO_GROUP_GET_STATUS, &status)) {
		explain_error(why, path);
		return NOT_OPENED;
	}
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		explain_not_viable(&dev->id, why);
		return NOT_OPENED;
	}
	return OPENED;
}

static void explain_backend(const struct device_name *id, struct reasons *why)
{
	if (errno == EPERM) {
		reason_add(why, "unsafe-interrupts", EFFECT_NO,
			   "%s: the IOMMU does not isolate its interrupts",
			   id->name);
		reason_remedy(why, "turn interrupt remapping on, or accept the risk with vfio_iommu_type1.allow_unsafe_interrupts=1");
	} else if (errno == ENODEV) {
		reason_add(why, "no-backend", EFFECT_NO,
			   "no IOMMU backend is loaded");
		reason_remedy(why, "modprobe vfio_iommu_type1");
	} else {
		explain_error(why, "VFIO_SET_IOMMU");
	}
}

/* An fd, or -1 after the reason was added */
static int open_or_explain(const char *path, struct reasons *why)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		explain_error(why, path);
	return fd;
}

static bool open_container(struct device *dev, struct reasons *why)
{
	dev->container = open_or_explain(CONTAINER, why);
	if (dev->container < 0)
		return false;
	if (ioctl(dev->group, VFIO_GROUP_SET_CONTAINER, &dev->container)) {
		if (errno == EBUSY || errno == EPERM)
			explain_not_viable(&dev->id, why);
		else
			explain_error(why, "VFIO_GROUP_SET_CONTAINER");
		return false;
	}
	if (!ioctl(dev->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return true;
	explain_backend(&dev->id, why);
	return false;
}

static void explain_token(const struct device_name *id, struct reasons *why)
{
	reason_add(why, "vf-token", EFFECT_UNKNOWN,
		   "%s: the VF token is missing or wrong", id->name);
	reason_remedy(why, "give the one that the PF's user has set (--vf-token)");
}

/* A token was given for a device that has none. */
static void explain_no_token(const struct device_name *id, struct reasons *why)
{
	reason_add(why, "not-opened", EFFECT_UNKNOWN, "%s: it has no VF token",
		   id->name);
	reason_remedy(why, "leave --vf-token out");
}

static bool open_device(struct device *dev, const char *token,
			struct reasons *why)
{
	char name[256];

	snprintf(name, sizeof(name), token ? "%s vf_token=%s" : "%s",
		 dev->id.name, token);
	dev->fd = ioctl(dev->group, VFIO_GROUP_GET_DEVICE_FD, name);
	if (dev->fd >= 0)
		return true;
	if (errno == EACCES)
		explain_token(&dev->id, why);
	else if (errno == EINVAL && token)
		explain_no_token(&dev->id, why);
	else
		explain_error(why, dev->id.name);
	return false;
}

bool device_opens_by_node(const struct device_name *id)
{
	char node[64], group[32];

	snprintf(node, sizeof(node), NODES "/%s", id->vfio);
	snprintf(group, sizeof(group), GROUPS "/%u", id->group);
	return id->by_node || (access(group, F_OK) && !access(node, F_OK));
}

/*
 * Does the IOMMU track what this device writes to memory?  Only an iommufd makes
 * use of that.
 */
static bool iommu_tracks(int iommufd, unsigned int device)
{
#ifdef IOMMU_GET_HW_INFO
	struct iommu_hw_info info = { .size = sizeof(info), .dev_id = device };

	return !ioctl(iommufd, IOMMU_GET_HW_INFO, &info) &&
	       info.out_capabilities & IOMMU_HW_CAP_DIRTY_TRACKING;
#else
	(void)iommufd;
	(void)device;
	return false;
#endif
}

/*
 * Returns 0 or an errno.  A device that is bound, but not attached to an address
 * space, has no DMA.
 */
static int bind_node(struct device *dev, const char *token)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind), .iommufd = dev->container,
	};
	uint8_t uuid[16];

	if (token && parse_uuid(token, uuid)) {
		bind.flags = VFIO_DEVICE_BIND_FLAG_TOKEN;
		bind.token_uuid_ptr = (uintptr_t)uuid;
	}
	if (ioctl(dev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		return errno;
	dev->iommu_tracks = iommu_tracks(dev->container, bind.out_devid);
	return 0;
}

/*
 * The bind with a token was refused with EINVAL: the device is in use, or has no
 * token, or the kernel takes none.  A bind without it tells.
 */
static enum open_result explain_refused_token(struct device *dev,
					      struct reasons *why)
{
	switch (bind_node(dev, NULL)) {
	case 0:
		explain_no_token(&dev->id, why);
		return NOT_OPENED;
	case EACCES:
		reason_add(why, "vf-token", EFFECT_UNKNOWN,
			   "%s: this kernel takes no VF token for a node",
			   dev->id.name);
		reason_remedy(why, "name the device by its address, if this kernel has groups");
		return NOT_OPENED;
	default:
		return IN_USE;
	}
}

static enum open_result open_node(struct device *dev, const char *token,
				  struct reasons *why)
{
	char path[64];

	snprintf(path, sizeof(path), NODES "/%s", dev->id.vfio);
	dev->container = open_or_explain(IOMMUFD, why);
	if (dev->container < 0)
		return NOT_OPENED;
	dev->fd = open_or_explain(path, why);
	if (dev->fd < 0)
		return NOT_OPENED;
	switch (bind_node(dev, token)) {
	case 0:
		return OPENED;
	case EINVAL:	/* Open by another file of this node */
		return token ? explain_refused_token(dev, why) : IN_USE;
	case EBUSY:	/* Open through the group */
		return IN_USE;
	case EACCES:
		explain_token(&dev->id, why);
		return NOT_OPENED;
	default:
		explain_error(why, path);
		return NOT_OPENED;
	}
}

static enum open_result open_by_group(struct device *dev, const char *token,
				      struct reasons *why)
{
	enum open_result result = open_group(dev, why);

	if (result == OPENED &&
	    !(open_container(dev, why) && open_device(dev, token, why)))
		result = NOT_OPENED;
	return result;
}

enum open_result device_open(struct device *dev, const struct device_name *id,
			     const char *token, struct reasons *why)
{
	enum open_result result;

	*dev = (struct device){
		.id = *id, .container = -1, .group = -1, .fd = -1,
	};
	dev->kmsg = open(KERNEL_LOG, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (dev->kmsg >= 0)
		lseek(dev->kmsg, 0, SEEK_END);

	dev->id.by_node = device_opens_by_node(id);
	result = dev->id.by_node ? open_node(dev, token, why) :
				    open_by_group(dev, token, why);
	if (result != OPENED)
		device_close(dev);
	return result;
}

void device_close(struct device *dev)
{
	int *fds[] = { &dev->fd, &dev->group, &dev->container, &dev->kmsg };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}
