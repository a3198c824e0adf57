// SPDX-License-Identifier: GPL-2.0-only
/*
 * What page faults on a mapped BAR cost when each of its pages is read in turn.
 */
#include <linux/pci_regs.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "count.h"
#include "device.h"
#include "memory.h"
#include "sysfs.h"
#include "util.h"

#define ROUNDS	40

static unsigned long faults_now(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

static void touch(volatile const char *mem, size_t size)
{
	size_t at;

	for (at = 0; at < size; at += SMALL_PAGE)
		(void)mem[at];
}

int main(int argc, char **argv)
{
	static struct count absent, present;
	unsigned long faults = 0;
	unsigned int i, bar;
	double cost;
	struct vdev v;
	size_t size;
	char *mem;

	if (argc != 3) {
		fprintf(stderr, "usage: fault FUNCTION BAR\n");
		return 2;
	}
	bar = atoi(argv[2]);
	count_init();
	vdev_open(&v, argv[1], DRV_VFIO_PCI);
	cfg_command(&v, PCI_COMMAND_MEMORY, 0);
	size = vdev_region(&v, bar).size;
	for (i = 0; i < ROUNDS; i++) {
		mem = memory_bar(&v, bar, size);
		faults -= faults_now();
		count_begin(&absent);
		touch(mem, size);
		count_end(&absent);
		faults += faults_now();
		count_begin(&present);
		touch(mem, size);
		count_end(&present);
		munmap(mem, size);
	}
	cost = count_average(&absent) - count_average(&present);
	report(cost / (size / MiB), "MiB", "page faults on a BAR");
	report(cost * ROUNDS / faults, "fault", "page faults on a BAR");
	report(1.0 * faults / ROUNDS / (size / MiB), "MiB",
	       "number of faults on a BAR");
	vdev_close(&v);
	return 0;
}
