// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the info of a region costs, and reading and writing registers and
 * configuration space by one system call each.
 */
#include <linux/pci_regs.h>
#include <stdio.h>

#include "count.h"
#include "device.h"
#include "nic.h"
#include "sysfs.h"
#include "util.h"

#define ROUNDS	2000

static void measure_info(const struct vdev *v, unsigned int index,
			 const char *what)
{
	static struct count get;
	union {
		struct vfio_region_info info;
		uint64_t room[32];
	} arg;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		arg.info = (struct vfio_region_info){
			.argsz = sizeof(arg),
			.index = index,
		};
		count_begin(&get);
		must(sys_ioctl(v->fd, VFIO_DEVICE_GET_REGION_INFO, &arg));
		count_end(&get);
	}
	report(count_average(&get), "call", "%s", what);
}

/* Writes back the value that was read. */
static void measure_access(const struct vdev *v, unsigned int index,
			   uint32_t offset, size_t size, const char *what)
{
	static struct count read, write;
	uint64_t at = vdev_region(v, index).offset + offset;
	uint32_t value;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		count_begin(&read);
		must(sys_pread(v->fd, &value, size, at));
		count_end(&read);
		count_begin(&write);
		must(sys_pwrite(v->fd, &value, size, at));
		count_end(&write);
	}
	report(count_average(&read), "call", "read %s", what);
	report(count_average(&write), "call", "write %s", what);
}

/* BAR 3 of the VF has the MSI-X table, so its region info has a capability. */
int main(int argc, char **argv)
{
	struct vdev v;

	if (argc != 2) {
		fprintf(stderr, "usage: region VF\n");
		return 2;
	}
	count_init();
	vdev_open(&v, argv[1], DRV_VFIO_PCI);
	measure_info(&v, VFIO_PCI_BAR0_REGION_INDEX,
		     "region info of a BAR");
	measure_info(&v, VFIO_PCI_BAR3_REGION_INDEX,
		     "region info of the MSI-X BAR");
	measure_info(&v, VFIO_PCI_CONFIG_REGION_INDEX,
		     "region info of config space");
	measure_access(&v, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2,
		       "config, PCI_COMMAND");
	measure_access(&v, VFIO_PCI_CONFIG_REGION_INDEX, PCI_BASE_ADDRESS_0, 4,
		       "config, PCI_BASE_ADDRESS_0");
	measure_access(&v, VFIO_PCI_CONFIG_REGION_INDEX, PCI_INTERRUPT_LINE, 1,
		       "config, PCI_INTERRUPT_LINE");
	measure_access(&v, VFIO_PCI_BAR0_REGION_INDEX, EITR0, 4,
		       "BAR, a register of 32 bits");
	vdev_close(&v);
	return 0;
}
