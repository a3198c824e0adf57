/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VFIO device: what sysfs says of it, opening it by way of its group or by its
 * node, and its migration features.  What fails has been explained on standard error when
 * a function here returns false, unless it says otherwise.
 */
#ifndef VFIO_MIG_DEVICE_H
#define VFIO_MIG_DEVICE_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>

/* What is known of a device without opening it */
struct device_name {
	char name[64];		/* as in sysfs: 0000:01:10.0 */
	char driver[64];
	char vfio[32];		/* vfioN */
	char ids[16];		/* PCI vendor:device, or "" */
	unsigned int group;
	bool by_node;		/* to be opened by its node */
};

struct device {
	struct device_name id;
	int container;		/* or an iommufd */
	int group;		/* or -1 */
	int fd;
	int kmsg;		/* the kernel's log from the opening on, or -1 */
};

/*
 * The VFIO driver that is made for the PCI function at @sysfs, if a module of
 * this kernel has one; alias.c.  Explains nothing.
 */
bool device_variant_driver(const char *sysfs, char driver[static 64]);

/*
 * @name: as in sysfs, where the PCI domain may be left out; or of the node,
 * /dev/vfio/devices/vfioN, by which the device is to be opened then.
 */
bool device_find(struct device_name *id, const char *name);

enum open_result {
	OPENED,
	IN_USE,			/* by another process; not explained */
	NOT_OPENED,
};

/*
 * @token: the VF token of a VF whose PF is with a VFIO driver, or NULL.  The
 * device is reset by this, and once more when it is closed.
 */
enum open_result device_open(struct device *dev, const struct device_name *id,
			     const char *token);
void device_explain_in_use(const struct device_name *id);
/* Of a device that can't migrate: names the driver that could, if any. */
void device_explain_variant(const struct device_name *id);
void device_close(struct device *dev);

/* VFIO_MIGRATION_*; 0 if the device can't migrate, which is not explained */
uint32_t device_migration_flags(const struct device *dev);
bool device_has_dma_logging(const struct device *dev);

/* These return 0 or an errno, and explain nothing. */
int device_get_state(const struct device *dev, uint32_t *state);
/* *@data_fd, if asked for: what came with it, or -1 */
int device_set_state(const struct device *dev, uint32_t state, int *data_fd);
int device_data_size(const struct device *dev, uint64_t *size);
int device_reset(const struct device *dev);

/* How many MSI-X vectors a PCI device has; 0 if it has none or is none */
uint32_t device_msix_vectors(const struct device *dev);

/*
 * What the kernel has logged on this device since it was opened: @line is
 * called with each message.
 */
void device_kernel_log(struct device *dev, void (*line)(const char *text));

#endif
