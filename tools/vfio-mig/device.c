// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens a device: through its group, which is put into a new container, or, if
 * the user named the node or the kernel has no groups, through its node, which
 * is bound to a new iommufd.  Nothing is mapped for the device's DMA.  If an
 * operator can do something about a step that fails, a message says what.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device.h"
#include "util.h"

#define VFIO_CLASS	"/sys/class/vfio-dev"
#define PCI_DEVICES	"/sys/bus/pci/devices"
#define IOMMU_GROUPS	"/sys/kernel/iommu_groups"
#define NODES		"/dev/vfio/devices/"

/* Reads the PCI vendor and device from the attributes in @dir. */
static bool read_pci_ids(const char *dir, unsigned long *vendor,
			 unsigned long *device)
{
	char path[PATH_MAX], text[16];

	snprintf(path, sizeof(path), "%s/vendor", dir);
	if (!read_line(path, text, sizeof(text)))
		return false;
	*vendor = strtoul(text, NULL, 16) & 0xffff;
	snprintf(path, sizeof(path), "%s/device", dir);
	if (!read_line(path, text, sizeof(text)))
		return false;
	*device = strtoul(text, NULL, 16) & 0xffff;
	return true;
}

/* Says how to bind a PCI function, and to which driver. */
static void explain_binding(const char *name)
{
	char path[256], driver[64];

	snprintf(path, sizeof(path), PCI_DEVICES "/%.64s", name);
	if (!device_variant_driver(path, driver))
		strcpy(driver, "vfio-pci");
	complain("bind it: echo %s >" PCI_DEVICES
		 "/%s/driver_override; echo %s >/sys/bus/pci/drivers_probe",
		 driver, name, name);
}

static void explain_not_found(const char *name)
{
	char path[PATH_MAX], driver[64];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s", name);
	if (access(path, F_OK)) {
		complain("%s: no such device", name);
		return;
	}
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver", name);
	if (!link_name(path, driver, sizeof(driver))) {
		complain("%s has no driver", name);
		explain_binding(name);
		return;
	}
	complain("%s is bound to %s, which is not a VFIO driver", name, driver);
	complain("unbind it (this ends its use by the host): echo %s >"
		 PCI_DEVICES "/%s/driver/unbind", name, name);
	explain_binding(name);
}

/* Finds the vfioN whose parent has this name. */
static bool find_vfio_device(struct device_name *id, const char *name)
{
	char path[PATH_MAX], parent[64];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	dir = opendir(VFIO_CLASS);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		if (strlen(entry->d_name) >= sizeof(id->vfio))
			continue;
		snprintf(path, sizeof(path), VFIO_CLASS "/%s/device",
			 entry->d_name);
		if (!link_name(path, parent, sizeof(parent)) ||
		    strcmp(parent, name))
			continue;
		strcpy(id->vfio, entry->d_name);
		strcpy(id->name, parent);
		found = true;
	}
	closedir(dir);
	return found;
}

/* Finds the device whose node has this name. */
static bool find_node(struct device_name *id, const char *node)
{
	char path[PATH_MAX];

	if (strlen(node) >= sizeof(id->vfio) || strchr(node, '/'))
		return false;
	snprintf(path, sizeof(path), VFIO_CLASS "/%s/device", node);
	if (!link_name(path, id->name, sizeof(id->name)))
		return false;
	strcpy(id->vfio, node);
	id->by_node = true;
	return true;
}

static bool find_by_name(struct device_name *id, const char *name)
{
	char path[PATH_MAX], full[64];

	if (!strncmp(name, NODES, strlen(NODES))) {
		if (find_node(id, name + strlen(NODES)))
			return true;
		complain("%s: no such device", name);
		return false;
	}
	if (!*name || strlen(name) > 48 || strchr(name, '/') ||
	    strchr(name, ' ')) {
		complain("%s: not the name of a device; give an address like 0000:01:10.0",
			 name);
		return false;
	}
	snprintf(full, sizeof(full), "0000:%s", name);
	if (find_vfio_device(id, name) || find_vfio_device(id, full))
		return true;
	snprintf(path, sizeof(path), PCI_DEVICES "/%s", full);
	explain_not_found(access(path, F_OK) ? name : full);
	return false;
}

bool device_find(struct device_name *id, const char *name)
{
	char path[PATH_MAX], group[16];
	unsigned long vendor, device;

	memset(id, 0, sizeof(*id));
	if (!find_by_name(id, name))
		return false;

	snprintf(path, sizeof(path), VFIO_CLASS "/%s/device/driver", id->vfio);
	if (!link_name(path, id->driver, sizeof(id->driver)))
		strcpy(id->driver, "none");
	snprintf(path, sizeof(path), VFIO_CLASS "/%s/device", id->vfio);
	if (read_pci_ids(path, &vendor, &device))
		snprintf(id->ids, sizeof(id->ids), "%04lx:%04lx", vendor,
			 device);

	snprintf(path, sizeof(path), VFIO_CLASS "/%s/device/iommu_group",
		 id->vfio);
	if (!link_name(path, group, sizeof(group))) {
		complain("%s has no IOMMU group: turn the IOMMU on, e.g. with intel_iommu=on",
			 id->name);
		return false;
	}
	id->group = strtoul(group, NULL, 10);
	return true;
}

void device_explain_in_use(const struct device_name *id)
{
	if (id->by_node)
		complain("%s: in use by another process, such as a VM; only one can open it, by its node or its group %u",
			 id->name, id->group);
	else
		complain("%s: group %u is in use by another process, such as a VM; only one can open /dev/vfio/%u",
			 id->name, id->group, id->group);
}

void device_explain_variant(const struct device_name *id)
{
	char path[PATH_MAX], driver[64];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s", id->name);
	if (!device_variant_driver(path, driver) || !strcmp(driver, id->driver))
		return;
	complain("the driver for it is %s: echo %s >" PCI_DEVICES "/%s/driver/unbind",
		 driver, id->name, id->name);
	explain_binding(id->name);
}

/* Names the devices of the group that drivers of the host use. */
static void explain_not_viable(const struct device_name *id)
{
	char path[PATH_MAX], driver[64];
	struct dirent *entry;
	DIR *dir;

	complain("%s: group %u has devices that drivers of the host use; unbind these, or bind them to vfio-pci:",
		 id->name, id->group);
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
			complain("  %s (%s)", entry->d_name, driver);
	}
	closedir(dir);
}

static enum open_result open_group(struct device *dev)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char path[32];

	snprintf(path, sizeof(path), "/dev/vfio/%u", dev->id.group);
	dev->group = open(path, O_RDWR | O_CLOEXEC);
	if (dev->group < 0) {
		if (errno == EBUSY)
			return IN_USE;
		complain("%s: %s%s", path, strerror(errno),
			 errno == EACCES ? ": are you root?" : "");
		return NOT_OPENED;
	}
	if (ioctl(dev->group, VFIO_GROUP_GET_STATUS, &status)) {
		complain("%s: %s", path, strerror(errno));
		return NOT_OPENED;
	}
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		explain_not_viable(&dev->id);
		return NOT_OPENED;
	}
	return OPENED;
}

static bool open_container(struct device *dev)
{
	dev->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (dev->container < 0) {
		complain("/dev/vfio/vfio: %s", strerror(errno));
		return false;
	}
	if (ioctl(dev->group, VFIO_GROUP_SET_CONTAINER, &dev->container)) {
		if (errno == EBUSY || errno == EPERM)
			explain_not_viable(&dev->id);
		else
			complain("%s: container: %s", dev->id.name,
				 strerror(errno));
		return false;
	}
	if (!ioctl(dev->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return true;
	if (errno == EPERM)
		complain("%s: the IOMMU does not isolate its interrupts: turn interrupt remapping on, or accept the risk with vfio_iommu_type1.allow_unsafe_interrupts=1",
			 dev->id.name);
	else if (errno == ENODEV)
		complain("no IOMMU backend: modprobe vfio_iommu_type1");
	else
		complain("%s: IOMMU: %s", dev->id.name, strerror(errno));
	return false;
}

static bool open_device(struct device *dev, const char *token)
{
	char name[256];

	snprintf(name, sizeof(name), token ? "%s vf_token=%s" : "%s",
		 dev->id.name, token);
	dev->fd = ioctl(dev->group, VFIO_GROUP_GET_DEVICE_FD, name);
	if (dev->fd >= 0)
		return true;
	if (errno == EACCES)
		complain("%s: its PF is bound to a VFIO driver, too: give the token that the PF's user has set (--vf-token)",
			 dev->id.name);
	else
		complain("%s: can't be opened: %s; see dmesg", dev->id.name,
			 strerror(errno));
	return false;
}

/* Is the device to be opened by its node? */
static bool opens_by_node(const struct device_name *id)
{
	char node[64], group[32];

	snprintf(node, sizeof(node), NODES "%s", id->vfio);
	snprintf(group, sizeof(group), "/dev/vfio/%u", id->group);
	return id->by_node || (access(group, F_OK) && !access(node, F_OK));
}

/* A device that is bound, but not attached to an address space, has no DMA. */
static enum open_result open_node(struct device *dev)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	char path[64];

	snprintf(path, sizeof(path), NODES "%s", dev->id.vfio);
	dev->container = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (dev->container < 0) {
		complain("/dev/iommu: %s", strerror(errno));
		return NOT_OPENED;
	}
	dev->fd = open(path, O_RDWR | O_CLOEXEC);
	if (dev->fd < 0) {
		complain("%s: %s%s", path, strerror(errno),
			 errno == EACCES ? ": are you root?" : "");
		return NOT_OPENED;
	}
	bind.iommufd = dev->container;
	if (!ioctl(dev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		return OPENED;
	/* Open through the group, or by another file of this node */
	if (errno == EBUSY || errno == EINVAL)
		return IN_USE;
	complain("%s: can't be opened: %s%s", path, strerror(errno),
		 errno == EACCES ? ": its PF is bound to a VFIO driver, too: name the VF by its address, with --vf-token" :
				   "; see dmesg");
	return NOT_OPENED;
}

static enum open_result open_by_group(struct device *dev, const char *token)
{
	enum open_result result = open_group(dev);

	if (result == OPENED &&
	    !(open_container(dev) && open_device(dev, token)))
		result = NOT_OPENED;
	return result;
}

enum open_result device_open(struct device *dev, const struct device_name *id,
			     const char *token)
{
	enum open_result result;

	*dev = (struct device){
		.id = *id, .container = -1, .group = -1, .fd = -1,
	};
	dev->kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (dev->kmsg >= 0)
		lseek(dev->kmsg, 0, SEEK_END);

	dev->id.by_node = opens_by_node(id);
	result = dev->id.by_node ? open_node(dev) : open_by_group(dev, token);
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

/* The payloads of the features that are used here */
struct feature {
	struct vfio_device_feature header;
	union {
		struct vfio_device_feature_migration migration;
		struct vfio_device_feature_mig_state state;
		struct vfio_device_feature_mig_data_size size;
	};
};

static int device_feature(const struct device *dev, uint32_t flags,
			  struct feature *feature)
{
	feature->header.argsz = sizeof(*feature);
	feature->header.flags = flags;
	return ioctl(dev->fd, VFIO_DEVICE_FEATURE, feature) ? errno : 0;
}

uint32_t device_migration_flags(const struct device *dev)
{
	struct feature feature = {};

	if (device_feature(dev, VFIO_DEVICE_FEATURE_GET |
			   VFIO_DEVICE_FEATURE_MIGRATION, &feature))
		return 0;
	return feature.migration.flags;
}

bool device_has_dma_logging(const struct device *dev)
{
	struct feature feature = {};

	return !device_feature(dev, VFIO_DEVICE_FEATURE_PROBE |
			       VFIO_DEVICE_FEATURE_SET |
			       VFIO_DEVICE_FEATURE_DMA_LOGGING_START, &feature);
}

int device_get_state(const struct device *dev, uint32_t *state)
{
	struct feature feature = {};
	int error;

	error = device_feature(dev, VFIO_DEVICE_FEATURE_GET |
			       VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &feature);
	*state = feature.state.device_state;
	return error;
}

int device_set_state(const struct device *dev, uint32_t state, int *data_fd)
{
	struct feature feature = { .state.device_state = state };
	int error;

	error = device_feature(dev, VFIO_DEVICE_FEATURE_SET |
			       VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &feature);
	if (data_fd)
		*data_fd = error ? -1 : feature.state.data_fd;
	else if (!error && feature.state.data_fd >= 0)
		close(feature.state.data_fd);
	return error;
}

int device_data_size(const struct device *dev, uint64_t *size)
{
	struct feature feature = {};
	int error;

	error = device_feature(dev, VFIO_DEVICE_FEATURE_GET |
			       VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, &feature);
	*size = feature.size.stop_copy_length;
	return error;
}

int device_reset(const struct device *dev)
{
	return ioctl(dev->fd, VFIO_DEVICE_RESET) ? errno : 0;
}

uint32_t device_msix_vectors(const struct device *dev)
{
	struct vfio_irq_info irq = {
		.argsz = sizeof(irq), .index = VFIO_PCI_MSIX_IRQ_INDEX,
	};

	if (!*dev->id.ids || ioctl(dev->fd, VFIO_DEVICE_GET_IRQ_INFO, &irq))
		return 0;
	return irq.count;
}

/* @record: "priority,sequence,time,flags;message\n KEY=value\n..." */
static const char *log_message(const struct device *dev, char *record)
{
	char *message = strchr(record, ';'), *end;

	if (!message || !strstr(message, dev->id.name))
		return NULL;
	message++;
	end = strchr(message, '\n');
	if (end)
		*end = 0;
	return message;
}

void device_kernel_log(struct device *dev, void (*line)(const char *text))
{
	const char *message;
	char record[8192];
	ssize_t len;

	while (dev->kmsg >= 0) {
		len = read(dev->kmsg, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)	/* some were overwritten */
			continue;
		if (len <= 0)
			break;
		record[len] = 0;
		message = log_message(dev, record);
		if (message)
			line(message);
	}
}
