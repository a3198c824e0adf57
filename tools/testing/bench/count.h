/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts instructions, in a VM whose time stamp counter counts them (QEMU's
 * -icount), and prints the results of the benchmark's programs.
 */
#ifndef VFIO_BENCH_COUNT_H
#define VFIO_BENCH_COUNT_H

#include <stdint.h>
#include <x86intrin.h>

#define COUNT_MAX	4000

/* The costs of the repetitions of one operation */
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

/* Call this first.  Ends the program unless a tick is an instruction. */
void count_init(void);

/* Call these around each repetition; at most COUNT_MAX of them count. */
static inline void count_begin(struct count *c)
{
	c->begin = ticks();
}

void count_end(struct count *c);

/*
 * Returns the average of the middle half, and empties @c.  The upper quarter
 * has the repetitions that a timer interrupt or another process made longer.
 */
double count_average(struct count *c);

/* The monotonic clock */
double seconds(void);

/*
 * Prints one line of a table: the operation, the unit that @value is for, and
 * @value.
 */
void __attribute__((format(printf, 3, 4)))
report(double value, const char *unit, const char *what, ...);

#endif
