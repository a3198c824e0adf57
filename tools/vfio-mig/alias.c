// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds the variant driver for a PCI function: the module with an alias
 * "vfio_pci:..." that matches the function.  The vfio-pci module has such an
 * alias, too, which matches every function.
 */
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "device.h"
#include "paths.h"
#include "util.h"

#define PREFIX	"vfio_pci:"

bool driver_same_name(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (*a != *b && !(strchr("-_", *a) && strchr("-_", *b)))
			return false;
	return *a == *b;
}

/*
 * Does @line of modules.alias name a variant driver's module for @function?  Then
 * its name is in @module.
 */
static bool alias_matches(const char *line, const char *function,
			  char module[static 64])
{
	char alias[256];

	if (sscanf(line, "alias %255s %63s", alias, module) != 2 ||
	    strncmp(alias, PREFIX, strlen(PREFIX)) ||
	    fnmatch(alias + strlen(PREFIX), function, 0))
		return false;
	return !driver_same_name(module, "vfio-pci");
}

/* @function: its alias, without "pci:" */
static bool find_module(const char *function, char module[static 64])
{
	char path[PATH_MAX], line[512];
	struct utsname kernel;
	bool found = false;
	FILE *aliases;

	uname(&kernel);
	snprintf(path, sizeof(path), KERNEL_MODULES "/%s/modules.alias",
		 kernel.release);
	aliases = fopen(path, "re");
	if (!aliases)
		return false;
	while (!found && fgets(line, sizeof(line), aliases))
		found = alias_matches(line, function, module);
	fclose(aliases);
	return found;
}

/* Only a module that is loaded tells its driver's name: the two may differ. */
static void find_driver(struct device_name *id)
{
	char path[PATH_MAX], entry[64];

	snprintf(path, sizeof(path), MODULES "/%s/drivers", id->module);
	if (driver_same_name(id->module, id->driver))
		strcpy(id->variant, id->driver);
	else if (find_entry(path, "pci:", entry, sizeof(entry)))
		strcpy(id->variant, entry + strlen("pci:"));
}

void device_find_variant(struct device_name *id, const char *sysfs)
{
	char path[PATH_MAX], modalias[128];

	id->module[0] = 0;
	id->variant[0] = 0;
	snprintf(path, sizeof(path), "%s/modalias", sysfs);
	if (!read_line(path, modalias, sizeof(modalias)) ||
	    strncmp(modalias, "pci:", 4))
		return;
	if (find_module(modalias + 4, id->module))
		find_driver(id);
	else
		id->module[0] = 0;
}
