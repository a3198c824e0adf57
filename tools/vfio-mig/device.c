// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an open device is asked: its migration features, a reset, and what the
 * kernel has logged about it.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device.h"
#include "util.h"

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
