/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VFIO device: its names in sysfs, opening it through its group or its node,
 * and its migration features.  No function prints anything.
 */
#ifndef VFIO_MIG_DEVICE_H
#define VFIO_MIG_DEVICE_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>

#include "reasons.h"

/* What sysfs tells about a device, without opening it */
struct device_name {
	char name[64];		/* as in sysfs: 0000:01:10.0 */
	char driver[64];	/* or "" */
	char vfio[32];		/* vfioN, or "": it has no VFIO driver */
	char ids[16];		/* PCI vendor:device, or "" */
	bool has_group;
	unsigned int group;
	bool by_node;		/* open the node, not the group */
	char module[64];	/* the module of the variant driver for it, or "" */
	char variant[64];	/* that driver, or "": the module is not loaded */
};

struct device {
	struct device_name id;
	int container;		/* or an iommufd */
	int group;		/* or -1 */
	int fd;
	int kmsg;		/* kernel log since the opening, or -1 */
	bool iommu_tracks;	/* the IOMMU tracks its writes, for an iommufd */
};

/*
 * In alias.c.  Finds the variant driver for the PCI function at @sysfs among
 * the modules of the running kernel.  Prints nothing.
 */
void device_find_variant(struct device_name *id, const char *sysfs);

/* Are they equal, if "-" is "_"? */
bool driver_same_name(const char *a, const char *b);

/* ---- find.c ---- */

/*
 * @name: the name in sysfs, with or without the PCI domain, or the node,
 * /dev/vfio/devices/vfioN; then device_open() opens that node.
 * Returns false, with a reason, if there is no such device.
 */
bool device_find(struct device_name *id, const char *name,
		 struct reasons *why);

/* Can it be opened?  Adds a reason if it has no VFIO driver or no IOMMU group. */
bool device_is_usable(const struct device_name *id, struct reasons *why);

/* Adds the reason for which an open device has no migration. */
void device_explain_no_migration(const struct device_name *id,
				 struct reasons *why);

/*
 * Calls @each for all devices that have a VFIO driver, and for all VFs.  Returns
 * their number, or -1 if sysfs has neither PCI functions nor VFIO devices.
 */
int device_for_each(void (*each)(const char *name, void *context),
		    void *context);

/* ---- open.c ---- */

enum open_result {
	OPENED,
	IN_USE,			/* by another process; no reason was added */
	NOT_OPENED,		/* a reason was added */
};

/*
 * @token: the VF token, a UUID, if the VF's PF is bound to a VFIO driver, or NULL.
 * Opening the device resets it, and so does closing it.
 */
enum open_result device_open(struct device *dev, const struct device_name *id,
			     const char *token, struct reasons *why);
/* Would device_open() open the node, not the group? */
bool device_opens_by_node(const struct device_name *id);
void device_explain_in_use(const struct device_name *id, struct reasons *why);
void device_close(struct device *dev);

/* ---- device.c ---- */

/* VFIO_MIGRATION_*; 0 if the device can't migrate */
uint32_t device_migration_flags(const struct device *dev);
bool device_has_dma_logging(const struct device *dev);

/* These return 0 or an errno. */
int device_get_state(const struct device *dev, uint32_t *state);
/* @data_fd: NULL, or where to put the data fd, or -1 if there is none */
int device_set_state(const struct device *dev, uint32_t state, int *data_fd);
int device_data_size(const struct device *dev, uint64_t *size);
int device_reset(const struct device *dev);

/* The number of MSI-X vectors; 0 for a device that is not PCI */
uint32_t device_msix_vectors(const struct device *dev);

/*
 * Calls @line with each message that the kernel has logged about this device
 * since it was opened.
 */
void device_kernel_log(struct device *dev, void (*line)(const char *text));

#endif
