/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts instructions, in a VM whose time stamp counter counts them (QEMU's
 * -icount), and prints what the programs of the benchmark have found.
 */
#ifndef VFIO_BENCH_COUNT_H
#define VFIO_BENCH_COUNT_H

#include <stdint.h>
#include <x86intrin.h>

#define COUNT_MAX	4000

/* What the repetitions of one thing have taken */
struct count {
	uint64_t cost[COUNT_MAX];
	unsigned int nr;
	uint64_t begin;
};

static inline uint64_t ticks(void)
{
	unsigned int cpu;

	return __rdtscp(&cpu);
}

/* Ends the program unless a tick is an instruction.  To be called first. */
void count_init(void);

/* Around each repetition; at most COUNT_MAX of them count. */
static inline void count_begin(struct count *c)
{
	c->begin = ticks();
}

void count_end(struct count *c);

/*
 * The average of the middle half: repetitions that a timer interrupt or another
 * process fell into are at the upper end.  Empties @c.
 */
double count_average(struct count *c);

/* The monotonic clock */
double seconds(void);

/*
 * One line of a table: what was done (@what), for how much of it the number is
 * (@unit), and the number.
 */
void __attribute__((format(printf, 3, 4)))
report(double value, const char *unit, const char *what, ...);

#endif
