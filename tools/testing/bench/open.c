// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long it takes to open and to close VFs: one VF, and all VFs at once by
 * one thread each, as when several VMs start or end together.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "count.h"
#include "device.h"
#include "sysfs.h"
#include "util.h"

#define ROUNDS	10
#define VFS_MAX	8

static pthread_barrier_t barrier;
static double opening, closing;		/* seconds; the barrier orders access */

struct user {
	pthread_t thread;
	const char *bdf;
};

/*
 * Adds to @spent the time from the start of the first thread to the end of the
 * last.
 */
static void together(void (*step)(struct vdev *v, const char *bdf),
		     struct vdev *v, const char *bdf, double *spent)
{
	if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
		*spent -= seconds();
	step(v, bdf);
	if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
		*spent += seconds();
}

static void open_step(struct vdev *v, const char *bdf)
{
	must(vdev_try_open(v, bdf));
}

static void close_step(struct vdev *v, const char *bdf)
{
	vdev_close(v);
}

static void *use(void *arg)
{
	struct user *user = arg;
	unsigned int i;
	struct vdev v;

	for (i = 0; i < ROUNDS; i++) {
		together(open_step, &v, user->bdf, &opening);
		together(close_step, &v, user->bdf, &closing);
	}
	return NULL;
}

static void measure(struct user *users, unsigned int nr)
{
	const char *what = nr > 1 ? "VFs at once" : "VF";
	unsigned int i;

	opening = closing = 0;
	pthread_barrier_init(&barrier, NULL, nr);
	for (i = 0; i < nr; i++)
		if (pthread_create(&users[i].thread, NULL, use, &users[i]))
			die("no thread");
	for (i = 0; i < nr; i++)
		pthread_join(users[i].thread, NULL);
	pthread_barrier_destroy(&barrier);
	report(opening / ROUNDS * 1000, "ms", "open %u %s", nr, what);
	report(closing / ROUNDS * 1000, "ms", "close %u %s", nr, what);
}

int main(int argc, char **argv)
{
	struct user users[VFS_MAX] = {};
	unsigned int i, nr = argc - 1;

	if (argc < 2 || nr > VFS_MAX) {
		fprintf(stderr, "usage: open VF...\n");
		return 2;
	}
	for (i = 0; i < nr; i++) {
		users[i].bdf = argv[i + 1];
		if (pci_bind(users[i].bdf, DRV_VFIO_PCI))
			die("%s: vfio-pci does not take it", users[i].bdf);
	}
	measure(users, 1);
	measure(users, nr);
	return 0;
}
