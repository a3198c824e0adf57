// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds devices in sysfs, and tells why one can't be opened as a VFIO device.
 */
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "paths.h"
#include "util.h"

#define NODE_PREFIX	"/dev/vfio/devices/"

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

/* Finds a PCI function that no VFIO driver has. */
static bool find_pci_function(struct device_name *id, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s", name);
	if (access(path, F_OK))
		return false;
	strcpy(id->name, name);
	return true;
}

static bool find_by_name(struct device_name *id, const char *name,
			 struct reasons *why)
{
	char full[64];

	if (!strncmp(name, NODE_PREFIX, strlen(NODE_PREFIX))) {
		if (find_node(id, name + strlen(NODE_PREFIX)))
			return true;
	} else if (!*name || *name == '.' || strlen(name) > 48 ||
		   strchr(name, '/') || strchr(name, ' ')) {
		reason_add(why, "no-device", EFFECT_NO,
			   "%s: not the name of a device", name);
		reason_remedy(why, "give an address like 0000:01:10.0");
		return false;
	} else {
		snprintf(full, sizeof(full), "0000:%s", name);
		if (find_vfio_device(id, name) || find_vfio_device(id, full) ||
		    find_pci_function(id, name) || find_pci_function(id, full))
			return true;
	}
	reason_add(why, "no-device", EFFECT_NO, "%s: no such device", name);
	return false;
}

/* The directory of the device in sysfs */
static void device_path(const struct device_name *id, char path[static 256])
{
	if (*id->vfio)
		snprintf(path, 256, VFIO_CLASS "/%s/device", id->vfio);
	else
		snprintf(path, 256, PCI_DEVICES "/%s", id->name);
}

bool device_find(struct device_name *id, const char *name,
		 struct reasons *why)
{
	char dir[256], path[PATH_MAX], group[16];
	unsigned long vendor, device;

	memset(id, 0, sizeof(*id));
	if (!find_by_name(id, name, why))
		return false;

	device_path(id, dir);
	snprintf(path, sizeof(path), "%s/driver", dir);
	if (!link_name(path, id->driver, sizeof(id->driver)))
		id->driver[0] = 0;
	if (read_pci_ids(dir, &vendor, &device))
		snprintf(id->ids, sizeof(id->ids), "%04lx:%04lx", vendor,
			 device);
	snprintf(path, sizeof(path), "%s/iommu_group", dir);
	id->has_group = link_name(path, group, sizeof(group));
	if (id->has_group)
		id->group = strtoul(group, NULL, 10);
	device_find_variant(id, dir);
	return true;
}

/* Is the PCI function @entry a VF, or bound to a VFIO driver? */
static bool function_name(const char *entry, char name[static 64])
{
	char path[PATH_MAX];

	if (*entry == '.' || strlen(entry) >= 64)
		return false;
	strcpy(name, entry);
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/vfio-dev", name);
	if (!access(path, F_OK))
		return true;
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/physfn", name);
	return !access(path, F_OK);
}

/* Is the parent of the VFIO device @entry no PCI function? */
static bool other_name(const char *entry, char name[static 64])
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), VFIO_CLASS "/%s/device", entry);
	if (!link_name(path, name, 64))
		return false;
	snprintf(path, sizeof(path), PCI_DEVICES "/%s", name);
	return access(path, F_OK);
}

static int for_each_entry(const char *dir, bool (*find)(const char *entry,
				       char name[static 64]),
			  void (*each)(const char *name, void *context),
			  void *context)
{
	int entries_count, count = 0, i;
	struct dirent **entries;
	char name[64];

	entries_count = scandir(dir, &entries, NULL, alphasort);
	if (entries_count < 0)
		return -1;
	for (i = 0; i < entries_count; i++) {
		if (find(entries[i]->d_name, name)) {
			each(name, context);
			count++;
		}
		free(entries[i]);
	}
	free(entries);
	return count;
}

int device_for_each(void (*each)(const char *name, void *context),
		    void *context)
{
	int functions = for_each_entry(PCI_DEVICES, function_name, each,
				       context);
	int others = for_each_entry(VFIO_CLASS, other_name, each, context);

	if (functions < 0)
		return others;
	return others < 0 ? functions : functions + others;
}

/* ---- Explanations ---- */

/* A driver whose module is not loaded does not probe. */
static bool driver_loaded(const char *driver)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), PCI_DRIVERS "/%s", driver);
	return !access(path, F_OK);
}

/* Adds the commands that bind @id to the VFIO driver for it. */
static void remedy_bind(const struct device_name *id, struct reasons *why)
{
	const char *driver = *id->module ? id->variant : "vfio-pci";

	if (!*driver) {
		reason_remedy(why, "modprobe %s, and ask again: then the name of its driver is known",
			      id->module);
		return;
	}
	if (*id->driver)
		reason_remedy(why, "echo %s >" PCI_DEVICES
			      "/%s/driver/unbind; ", id->name, id->name);
	if (!driver_loaded(driver))
		reason_remedy(why, "modprobe %s; ", driver);
	reason_remedy(why, "echo %s >" PCI_DEVICES
		      "/%s/driver_override; echo %s >" SYSFS "/bus/pci/drivers_probe",
		      driver, id->name, id->name);
}

bool device_is_usable(const struct device_name *id, struct reasons *why)
{
	unsigned int before = why->count;

	if (!*id->vfio && !*id->driver) {
		reason_add(why, "no-driver", EFFECT_NO, "%s has no driver",
			   id->name);
		reason_remedy(why, "bind it: ");
		remedy_bind(id, why);
	} else if (!*id->vfio) {
		reason_add(why, "host-driver", EFFECT_NO,
			   "%s is bound to %s, which is not a VFIO driver",
			   id->name, id->driver);
		reason_remedy(why, "bind it to another (this ends its use by the host): ");
		remedy_bind(id, why);
	}
	if (!id->has_group) {
		reason_add(why, "no-iommu-group", EFFECT_NO,
			   "%s has no IOMMU group", id->name);
		reason_remedy(why, "turn the IOMMU on, in the firmware's setup and e.g. with intel_iommu=on");
	}
	return why->count == before;
}

void device_explain_no_migration(const struct device_name *id,
				 struct reasons *why)
{
	if (*id->module && strcmp(id->variant, id->driver)) {
		reason_add(why, "other-driver", EFFECT_NO,
			   "%s can't migrate: its driver %s has no support for it; the driver for it is %s%s",
			   id->name, id->driver,
			   *id->variant ? "" : "in the module ",
			   *id->variant ? id->variant : id->module);
		reason_remedy(why, "bind it to that: ");
		remedy_bind(id, why);
	} else if (*id->module) {
		reason_add(why, "not-offered", EFFECT_NO,
			   "%s can't migrate: its driver %s can migrate devices, but does not offer it for this one",
			   id->name, id->driver);
		reason_remedy(why, "see dmesg: firmware or PF may have to permit it");
	} else {
		reason_add(why, "no-migration-driver", EFFECT_NO,
			   "%s can't migrate: its driver %s has no support for it, and no module of this kernel is made for this device (none has an alias vfio_pci: that matches)",
			   id->name, id->driver);
	}
}
