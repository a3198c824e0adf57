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

/* A driver's name has "-" where its module's name has "_". */
static void module_to_driver(char *name)
{
	for (; *name; name++)
		if (*name == '_')
			*name = '-';
}

/*
 * Does @line of modules.alias name a variant driver for @function?  Then its
 * name is in @driver.
 */
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
	snprintf(path, sizeof(path), KERNEL_MODULES "/%s/modules.alias",
		 kernel.release);
	aliases = fopen(path, "re");
	if (!aliases)
		return false;
	while (!found && fgets(line, sizeof(line), aliases))
		found = alias_matches(line, modalias + 4, driver);
	fclose(aliases);
	return found;
}
