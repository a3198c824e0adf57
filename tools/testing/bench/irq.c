// SPDX-License-Identifier: GPL-2.0-only
/*
 * What VFIO_DEVICE_SET_IRQS costs for MSI-X: turning all vectors on and off, as
 * when a guest's driver starts and ends; another eventfd for one vector, as
 * when a guest changes its affinity; and a trigger by the user.
 */
#include <linux/pci_regs.h>
#include <stdio.h>
#include <string.h>

#include "count.h"
#include "device.h"
#include "nic.h"
#include "sysfs.h"
#include "util.h"

#define ROUNDS	1000
#define INDEX	VFIO_PCI_MSIX_IRQ_INDEX

struct set_eventfds {
	struct vfio_irq_set set;
	int32_t fds[NR_VECTORS];
};

static void set_eventfds(struct set_eventfds *arg, uint32_t start,
			 uint32_t count, const int32_t *fds)
{
	arg->set = (struct vfio_irq_set){
		.argsz = sizeof(arg->set) + count * sizeof(*fds),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD |
			 VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = INDEX,
		.start = start,
		.count = count,
	};
	memcpy(arg->fds, fds, count * sizeof(*fds));
}

static struct vfio_irq_set set_none(uint32_t start, uint32_t count)
{
	return (struct vfio_irq_set){
		.argsz = sizeof(struct vfio_irq_set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = INDEX,
		.start = start,
		.count = count,
	};
}

static void set(const struct vdev *v, const void *arg, struct count *c)
{
	count_begin(c);
	must(sys_ioctl(v->fd, VFIO_DEVICE_SET_IRQS, arg));
	count_end(c);
}

static void measure_on_off(const struct vdev *v, const int32_t *fds)
{
	static struct count on, off;
	struct vfio_irq_set none = set_none(0, 0);
	struct set_eventfds all;
	unsigned int i;

	set_eventfds(&all, 0, NR_VECTORS, fds);
	for (i = 0; i < ROUNDS; i++) {
		set(v, &all, &on);
		set(v, &none, &off);
	}
	report(count_average(&on), "call", "MSI-X on, three vectors");
	report(count_average(&off), "call", "MSI-X off");
}

static void measure_swap(const struct vdev *v, const int32_t *fds)
{
	static struct count swap;
	struct set_eventfds one[2];
	unsigned int i;

	set_eventfds(&one[0], 1, 1, &fds[NR_VECTORS]);
	set_eventfds(&one[1], 1, 1, &fds[1]);
	for (i = 0; i < ROUNDS; i++)
		set(v, &one[i % 2], &swap);
	report(count_average(&swap), "call",
	       "another eventfd for one vector");
}

static void measure_loopback(const struct vdev *v, int32_t fd)
{
	static struct count trigger;
	struct vfio_irq_set raise = set_none(1, 1);
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		set(v, &raise, &trigger);
		if (eventfd_take(fd) != 1)
			die("the eventfd has not been signalled");
	}
	report(count_average(&trigger), "call",
	       "loopback trigger of one vector");
}

int main(int argc, char **argv)
{
	int32_t fds[NR_VECTORS + 1];
	struct set_eventfds all;
	struct vdev v;
	unsigned int i;

	if (argc != 2) {
		fprintf(stderr, "usage: irq VF\n");
		return 2;
	}
	count_init();
	vdev_open(&v, argv[1], DRV_VFIO_PCI);
	cfg_command(&v, PCI_COMMAND_MASTER, 0);
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = eventfd_new();
	measure_on_off(&v, fds);
	set_eventfds(&all, 0, NR_VECTORS, fds);
	must(sys_ioctl(v.fd, VFIO_DEVICE_SET_IRQS, &all));
	measure_swap(&v, fds);
	measure_loopback(&v, fds[1]);
	vdev_close(&v);
	return 0;
}
