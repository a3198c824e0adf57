// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts instructions, reads the clock and prints results.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "count.h"
#include "util.h"

static uint64_t own;	/* instructions that counting takes */

/*
 * Runs a loop of a known number of instructions; takes the best of ten tries,
 * as an interrupt may come.
 */
static bool ticks_are_instructions(void)
{
	uint64_t begin, spent, best = UINT64_MAX, count = 100000, loops;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		loops = count / 2;
		begin = ticks();
		asm volatile("1: dec %0; jnz 1b" : "+r"(loops) : : "cc");
		spent = ticks() - begin;
		if (spent < best)
			best = spent;
	}
	return best > count / 100 * 98 && best < count / 100 * 102;
}

void count_init(void)
{
	static struct count nothing;
	unsigned int i;

	if (!ticks_are_instructions())
		die("the time stamp counter does not count instructions");
	for (i = 0; i < COUNT_MAX; i++) {
		count_begin(&nothing);
		count_end(&nothing);
	}
	own = count_average(&nothing);
}

void count_end(struct count *c)
{
	uint64_t end = ticks();

	if (c->nr < COUNT_MAX)
		c->cost[c->nr++] = end - c->begin - own;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

double count_average(struct count *c)
{
	unsigned int i, from = c->nr / 4, to = c->nr - from;
	double sum = 0;

	if (!c->nr)
		die("nothing was counted");
	qsort(c->cost, c->nr, sizeof(c->cost[0]), by_size);
	for (i = from; i < to; i++)
		sum += c->cost[i];
	c->nr = 0;
	return sum / (to - from);
}

double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

void report(double value, const char *unit, const char *what, ...)
{
	va_list args;

	va_start(args, what);
	vprintf(what, args);
	va_end(args);
	printf("\t%s\t%.1f\n", unit, value);
}
