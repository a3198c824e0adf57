// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells what a device can do, its state, and whether it can be live-migrated.
 * If another process has the device open, this comes from sysfs and debugfs.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../drivers/vfio/mig_fsm.h"
#include "commands.h"
#include "device.h"
#include "flags.h"
#include "judge.h"
#include "paths.h"
#include "pf.h"
#include "reasons.h"
#include "util.h"

struct info {
	struct device_name id;
	bool in_use;
	char opener[64];	/* the process that opened it last, or "" */
	bool opened;
	bool has_flags;		/* these two are known */
	uint32_t flags;		/* 0: it has no migration */
	struct trackers trackers;
	char state[32];		/* "" if unknown */
	char logging[32];	/* "" if unknown */
	bool has_size;
	uint64_t size;
	struct pf pf;
	struct reasons why;
};

/* ---- Finding out ---- */

static void info_from_device(struct info *info, const struct device *dev)
{
	uint32_t state;

	info->opened = true;
	info->has_flags = true;
	info->flags = device_migration_flags(dev);
	info->trackers = (struct trackers){
		.driver = device_has_dma_logging(dev),
		.iommu = dev->iommu_tracks,
		.iommufd = dev->id.by_node,
	};
	if (!info->flags)
		return;
	if (!device_get_state(dev, &state))
		snprintf(info->state, sizeof(info->state), "%s",
			 vfio_mig_fsm_state_name(state));
	info->has_size = !device_data_size(dev, &info->size);
}

static void debugfs_path(const struct info *info, const char *file,
			 char path[static PATH_MAX])
{
	snprintf(path, PATH_MAX, VFIO_DEBUGFS "/%s/%s", info->id.name, file);
}

static void debugfs_line(const struct info *info, const char *file, char *line,
			 size_t size)
{
	char path[PATH_MAX];

	debugfs_path(info, file, path);
	if (!read_line(path, line, size))
		line[0] = 0;
}

/* Has the device this file in debugfs? */
static bool debugfs_has(const struct info *info, const char *file)
{
	char path[PATH_MAX];

	debugfs_path(info, file, path);
	return !access(path, F_OK);
}

/* One word a line: those of flag_names, and dirty-tracking */
static bool debugfs_features(struct info *info)
{
	char path[PATH_MAX], word[32];
	unsigned int i;
	FILE *file;

	debugfs_path(info, "migration/features", path);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fscanf(file, "%31s", word) == 1) {
		for (i = 0; i < FLAGS; i++)
			if (!strcmp(word, flag_names[i]))
				info->flags |= 1U << i;
		if (!strcmp(word, "dirty-tracking"))
			info->trackers.driver = true;
	}
	fclose(file);
	return true;
}

/*
 * Without opening the device.  Returns false if debugfs does not tell what it can
 * do: Linux 6.12's own has no "features", and no "opener".
 */
static bool info_from_debugfs(struct info *info)
{
	bool known = debugfs_has(info, "opener");

	debugfs_line(info, "migration/state", info->state,
		     sizeof(info->state));
	debugfs_line(info, "dma_logging", info->logging,
		     sizeof(info->logging));
	debugfs_line(info, "opener", info->opener, sizeof(info->opener));
	info->has_flags = debugfs_features(info) ||
			  (known && !debugfs_has(info, "migration"));
	if (*info->opener)
		info->in_use = true;
	info->trackers.maybe_iommufd = info->in_use &&
				       !access(IOMMUFD_CLASS, F_OK);
	return info->has_flags;
}

/*
 * While a device is in use, its features are those that its user has.  Otherwise
 * they are those that it has when opened through its group: bound to an iommufd,
 * it may have fewer.
 */
static bool info_without_opening(struct info *info)
{
	return debugfs_has(info, "opener") && info_from_debugfs(info) &&
	       (info->in_use || !device_opens_by_node(&info->id));
}

static void info_in_use(struct info *info)
{
	info->in_use = true;
	if (info_from_debugfs(info))
		return;
	device_explain_in_use(&info->id, &info->why);
	reason_remedy(&info->why, "this kernel's debugfs does not tell what it can do: ask when it is not in use");
}

static void info_open(struct info *info, const struct options *options)
{
	struct device dev;

	switch (device_open(&dev, &info->id, options->token, &info->why)) {
	case OPENED:
		info_from_device(info, &dev);
		device_close(&dev);
		break;
	case IN_USE:
		info_in_use(info);
		break;
	default:
		break;
	}
}

/* @closed: do not open the device if that is not necessary */
static void info_gather(struct info *info, const struct options *options,
			bool closed)
{
	pf_read(&info->pf, info->id.name);
	if (device_is_usable(&info->id, &info->why) &&
	    !(closed && info_without_opening(info)))
		info_open(info, options);
	if (info->has_flags && !info->flags)
		device_explain_no_migration(&info->id, &info->why);
	else if (info->has_flags)
		judge_tracking(&info->id, &info->trackers, &info->why);
	judge_pf(&info->id, &info->pf, &info->why);
}

static const char *info_answer(const struct info *info)
{
	return effect_answer(reasons_effect(&info->why));
}

/* ---- Output ---- */

static const char *driver_name(const struct info *info)
{
	return *info->id.driver ? info->id.driver : "none";
}

/* What tells which memory the device writes to? */
static const char *tracker_names(const struct trackers *trackers)
{
	if (trackers->driver && trackers->iommu)
		return "its driver's log, or the IOMMU through an iommufd";
	if (trackers->driver)
		return "its driver's log";
	if (trackers->iommu)
		return "the IOMMU, through an iommufd";
	if (trackers->maybe_iommufd)
		return "nothing, unless it is bound to an iommufd whose IOMMU does";
	return "nothing";
}

static void print_migration(const struct info *info)
{
	unsigned int i;

	if (info->has_flags) {
		printf("migration:   ");
		for (i = 0; i < FLAGS; i++)
			if (info->flags & 1U << i)
				printf(" %s", flag_names[i]);
		printf("%s\n", info->flags ? "" : " no");
	}
	if (info->has_flags)
		printf("tracked by:   %s\n", tracker_names(&info->trackers));
	if (*info->logging)
		printf("DMA logging:  %s\n", info->logging);
	if (*info->state)
		printf("state:        %s\n", info->state);
	if (info->has_size)
		printf("data size:    %llu\n", (unsigned long long)info->size);
}

static void print_text(const struct info *info)
{
	const struct device_name *id = &info->id;

	printf("device:       %s%s%s%s\n", id->name, *id->ids ? " (" : "",
	       id->ids, *id->ids ? ")" : "");
	printf("driver:       %s\n", driver_name(info));
	if (*id->vfio)
		printf("vfio device:  %s\n", id->vfio);
	if (id->has_group)
		printf("IOMMU group:  %u\n", id->group);
	if (*id->vfio)
		printf("in use:       %s%s%s\n", info->in_use ? "yes" : "no",
		       *info->opener ? ", opened last by " : "", info->opener);
	print_migration(info);
	pf_text(&info->pf);
	printf("migratable:   %s\n", info_answer(info));
	reasons_text(&info->why);
}

static void json_migration(const struct info *info)
{
	unsigned int i;

	if (info->has_flags) {
		json_open("migration", '[');
		for (i = 0; i < FLAGS; i++)
			if (info->flags & 1U << i)
				json_string(NULL, flag_names[i]);
		json_close(']');
		json_bool("dma_logging", info->trackers.driver);
	}
	if (info->opened && info->trackers.iommufd)
		json_bool("iommu_tracking", info->trackers.iommu);
	if (*info->logging)
		json_string("dma_logging_state", info->logging);
	if (*info->state)
		json_string("state", info->state);
	if (info->has_size)
		json_number("data_size", info->size);
}

static void print_json(const struct info *info)
{
	const struct device_name *id = &info->id;

	json_open(NULL, '{');
	json_number("schema", JSON_SCHEMA);
	json_string("device", id->name);
	json_string("live_migratable", info_answer(info));
	reasons_json(&info->why);
	if (*id->ids)
		json_string("pci_id", id->ids);
	if (*id->driver)
		json_string("driver", id->driver);
	else
		json_null("driver");
	if (*id->variant)
		json_string("variant_driver", id->variant);
	if (*id->module)
		json_string("variant_module", id->module);
	if (id->has_group)
		json_number("iommu_group", id->group);
	if (*id->vfio) {
		json_string("vfio_device", id->vfio);
		json_bool("in_use", info->in_use);
		json_migration(info);
	}
	if (*info->opener)
		json_string("opener", info->opener);
	pf_json(&info->pf);
	json_close('}');
}

/* A line for the list: the device, the answer, and what weighs most against it */
static void print_line(const struct info *info)
{
	enum effect effect = reasons_effect(&info->why);
	unsigned int i;

	printf("%-13s %-16s %-8s", info->id.name, driver_name(info),
	       effect_answer(effect));
	for (i = 0; i < info->why.count && effect; i++)
		if (info->why.list[i].effect == effect) {
			printf(" %s", info->why.list[i].code);
			break;
		}
	printf("\n");
}

/* ---- The command ---- */

static void list_device(const char *name, void *context)
{
	const struct options *options = context;
	static struct info info;

	memset(&info, 0, sizeof(info));
	/* A device that has been removed meanwhile is left out. */
	if (!device_find(&info.id, name, &info.why))
		return;
	info_gather(&info, options, true);
	if (options->json)
		print_json(&info);
	else
		print_line(&info);
}

static int info_all(const struct options *options)
{
	int count;

	if (options->json)
		json_open(NULL, '[');
	count = device_for_each(list_device, (void *)options);
	if (options->json) {
		json_close(']');
		json_end();
	}
	if (count < 0)
		complain("no devices in sysfs");
	else if (!count && !options->json)
		complain("no device has a VFIO driver, and there are no VFs");
	return count < 0 ? EXIT_REFUSED : EXIT_OK;
}

/* For programs this is an answer, too. */
static void info_not_found(struct info *info, const char *operand,
			   const struct options *options)
{
	if (!options->json) {
		reasons_complain(&info->why);
		return;
	}
	snprintf(info->id.name, sizeof(info->id.name), "%s", operand);
	print_json(info);
	json_end();
}

int command_info(char **operands, const struct options *options)
{
	static struct info info;

	if (!!*operands == options->all) {
		complain("give either a device or --all (see --help)");
		return EXIT_USAGE;
	}
	if (options->all)
		return info_all(options);
	if (!device_find(&info.id, *operands, &info.why)) {
		info_not_found(&info, *operands, options);
		return EXIT_REFUSED;
	}
	info_gather(&info, options, false);
	if (options->json) {
		print_json(&info);
		json_end();
	} else {
		print_text(&info);
	}
	return EXIT_OK;
}
