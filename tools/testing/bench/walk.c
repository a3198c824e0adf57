// SPDX-License-Identifier: GPL-2.0-only
/*
 * What walks of the migration state machine cost by ioctl(): each is taken many
 * times on a device whose arcs do nothing, and the time stamp counter is read
 * before and after.  Where that counts instructions (QEMU's -icount, which
 * make bench uses), the smallest count is that of a walk which no interrupt
 * fell into, and the same on a busy machine.
 *
 * Prints "unit" and what a tick is, then "DEVICE WALK MIN MEDIAN" for each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "device.h"
#include "migration.h"
#include "mock.h"
#include "util.h"

#define ROUNDS	2000
#define STEPS	10

static const struct walk {
	const char *name;
	uint8_t to[STEPS];	/* up to RUNNING again */
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

static uint64_t ticks(void)
{
	unsigned int cpu;

	return __rdtscp(&cpu);
}

static void walk(int device, const struct walk *walk)
{
	unsigned int i = 0;

	do {
		must(mig_set(device, walk->to[i], NULL));
	} while (walk->to[i++] != RUNNING);
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void measure(const struct vdev *v, const struct walk *w)
{
	static uint64_t cost[ROUNDS];
	uint64_t begin, own;
	unsigned int i;

	begin = ticks();
	own = ticks() - begin;
	for (i = 0; i < ROUNDS; i++) {
		begin = ticks();
		walk(v->fd, w);
		cost[i] = ticks() - begin - own;
	}
	qsort(cost, ROUNDS, sizeof(cost[0]), by_size);
	printf("%s %s %lu %lu\n", v->bdf, w->name, cost[0], cost[ROUNDS / 2]);
}

/* A loop of as many instructions tells whether a tick is one. */
static bool ticks_are_instructions(void)
{
	uint64_t begin, count = 1000000, loops = count / 2;

	begin = ticks();
	asm volatile("1: dec %0; jnz 1b" : "+r"(loops) : : "cc");
	begin = ticks() - begin;
	return begin > count / 100 * 98 && begin < count / 100 * 102;
}

int main(int argc, char **argv)
{
	struct vdev v;
	unsigned int i, j;

	if (argc < 2) {
		fprintf(stderr, "usage: walk DEVICE...\n");
		return 2;
	}
	printf("unit %s\n", ticks_are_instructions() ? "instructions" :
						       "TSC ticks");
	for (i = 1; i < argc; i++) {
		platform_open(&v, argv[i]);
		for (j = 0; j < ARRAY_SIZE(walks); j++)
			measure(&v, &walks[j]);
		vdev_close(&v);
	}
	return 0;
}
