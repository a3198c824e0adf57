// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ioctl()s cost that change the migration state, on devices whose arcs do
 * nothing.
 */
#include <stdio.h>

#include "count.h"
#include "device.h"
#include "migration.h"
#include "mock.h"
#include "util.h"

#define ROUNDS	2000
#define STEPS	10

static const struct walk {
	const char *name;
	uint8_t to[STEPS];	/* target states; the last one is RUNNING */
} walks[] = {
	{ "no-arc", { RUNNING } },
	{ "running-p2p-running", { RUNNING_P2P, RUNNING } },
	{ "running-stop-running", { STOP, RUNNING } },
	{ "save", { STOP_COPY, STOP, RUNNING } },
	{ "save-precopy", { PRE_COPY, STOP_COPY, RUNNING } },
	{ "load", { RESUMING, RUNNING } },
	{ "round", { RUNNING_P2P, PRE_COPY_P2P, STOP_COPY, STOP, RESUMING,
		     STOP, RUNNING_P2P, PRE_COPY, RUNNING } },
};

static void walk(int device, const struct walk *walk)
{
	unsigned int i = 0;

	do {
		must(mig_set(device, walk->to[i], NULL));
	} while (walk->to[i++] != RUNNING);
}

static void measure(const struct vdev *v, const struct walk *w)
{
	static struct count cost;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		count_begin(&cost);
		walk(v->fd, w);
		count_end(&cost);
	}
	report(count_average(&cost), v->bdf, "%s", w->name);
}

int main(int argc, char **argv)
{
	struct vdev v;
	unsigned int i, j;

	if (argc < 2) {
		fprintf(stderr, "usage: walk DEVICE...\n");
		return 2;
	}
	count_init();
	for (i = 1; i < argc; i++) {
		platform_open(&v, argv[i]);
		for (j = 0; j < ARRAY_SIZE(walks); j++)
			measure(&v, &walks[j]);
		vdev_close(&v);
	}
	return 0;
}
