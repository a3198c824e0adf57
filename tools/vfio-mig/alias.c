// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module that is made for a PCI function: one whose alias "vfio_pci:..."
 * says so, which is how variant drivers are found.  The vfio-pci module has
 * such an alias, too, for any function.
 */
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "device.h"
#include "util.h"

#define PREFIX	"vfio_pci:"

/* Drivers are named as their modules, but for this. */
static void module_to_driver(char *name)
{
	for (; *name; name++)
		if (*name == '_')
			*name = '-';
}

/* Is @line of modules.alias for a VFIO driver of @function, and whose? */
static bool alias_matches(const char *line, const char *function,
			  char driver[static 64])
{
	char alias[256];

	if (sscanf(line, "alias %255s %63s", alias, driver) != 2 ||
	    strncmp(alias, PREFIX, strlen(PREFIX)) ||
	    fnmatch(alias + strlen(PREFIX), function, 0))
		return false;
	module_to_driver(driver);
	return strcmp(driver, "vfio-pci");
}

bool device_variant_driver(const char *sysfs, char driver[static 64])
{
	char path[PATH_MAX], modalias[128], line[512];
	struct utsname kernel;
	bool found = false;
	FILE *aliases;

	snprintf(path, sizeof(path), "%s/modalias", sysfs);
	if (!read_line(path, modalias, sizeof(modalias)) ||
	    strncmp(modalias, "pci:", 4))
		return false;
	uname(&kernel);
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.alias",
		 kernel.release);
	aliases = fopen(path, "re");
	if (!aliases)
		return false;
	while (!found && fgets(line, sizeof(line), aliases))
		found = alias_matches(line, modalias + 4, driver);
	fclose(aliases);
	return found;
}
