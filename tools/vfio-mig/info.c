// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints what a device can do, and its state.  If another process has the
 * device open, the information comes from sysfs and debugfs.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "../../drivers/vfio/mig_fsm.h"
#include "commands.h"
#include "device.h"
#include "flags.h"
#include "util.h"

struct info {
	bool in_use;
	bool opened;
	bool migrates;
	uint32_t flags;
	bool dma_logging;
	char state[32];		/* "" if unknown */
	char logging[32];	/* of a device in use; "" if unknown */
	bool has_size;
	uint64_t size;
};

static void info_from_device(struct info *info, const struct device *dev)
{
	uint32_t state;

	info->opened = true;
	info->flags = device_migration_flags(dev);
	info->migrates = info->flags;
	info->dma_logging = device_has_dma_logging(dev);
	if (!info->migrates)
		return;
	if (!device_get_state(dev, &state))
		snprintf(info->state, sizeof(info->state), "%s",
			 vfio_mig_fsm_state_name(state));
	info->has_size = !device_data_size(dev, &info->size);
}

static void debugfs_line(const struct device_name *id, const char *file,
			 char *line, size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/kernel/debug/vfio/%s/%s", id->name,
		 file);
	if (!read_line(path, line, size))
		line[0] = 0;
}

/* For a device in use */
static void info_from_debugfs(struct info *info, const struct device_name *id)
{
	info->in_use = true;
	debugfs_line(id, "migration/state", info->state, sizeof(info->state));
	debugfs_line(id, "dma_logging", info->logging, sizeof(info->logging));
}

static void print_text(const struct device_name *id, const struct info *info)
{
	unsigned int i;

	printf("device:       %s%s%s%s\n", id->name, *id->ids ? " (" : "",
	       id->ids, *id->ids ? ")" : "");
	printf("driver:       %s\n", id->driver);
	printf("vfio device:  %s\n", id->vfio);
	printf("IOMMU group:  %u\n", id->group);
	printf("in use:       %s\n", info->in_use ? "yes" : "no");
	if (info->opened) {
		printf("migration:   ");
		for (i = 0; i < FLAGS; i++)
			if (info->flags & 1U << i)
				printf(" %s", flag_names[i]);
		printf("%s\n", info->migrates ? "" : " no");
		if (!info->migrates)
			device_explain_variant(id);
		printf("DMA logging:  %s\n", info->dma_logging ? "yes" : "no");
	}
	if (*info->logging)
		printf("DMA logging:  %s\n", info->logging);
	if (*info->state)
		printf("state:        %s\n", info->state);
	if (info->has_size)
		printf("data size:    %llu\n", (unsigned long long)info->size);
}

static void print_json(const struct device_name *id, const struct info *info)
{
	unsigned int i;

	json_open(NULL, '{');
	json_string("device", id->name);
	if (*id->ids)
		json_string("pci_id", id->ids);
	json_string("driver", id->driver);
	json_string("vfio_device", id->vfio);
	json_number("iommu_group", id->group);
	json_bool("in_use", info->in_use);
	if (info->opened) {
		json_open("migration", '[');
		for (i = 0; i < FLAGS; i++)
			if (info->flags & 1U << i)
				json_string(NULL, flag_names[i]);
		json_close(']');
		json_bool("dma_logging", info->dma_logging);
	}
	if (*info->logging)
		json_string("dma_logging_state", info->logging);
	if (*info->state)
		json_string("state", info->state);
	if (info->has_size)
		json_number("data_size", info->size);
	json_close('}');
	json_end();
}

int command_info(char **operands, const struct options *options)
{
	struct info info = {};
	struct device_name id;
	struct device dev;

	if (!device_find(&id, operands[0]))
		return EXIT_REFUSED;
	switch (device_open(&dev, &id, options->token)) {
	case OPENED:
		info_from_device(&info, &dev);
		device_close(&dev);
		break;
	case IN_USE:
		info_from_debugfs(&info, &id);
		break;
	default:
		return EXIT_REFUSED;
	}
	if (options->json)
		print_json(&id, &info);
	else
		print_text(&id, &info);
	return EXIT_OK;
}
