// SPDX-License-Identifier: GPL-2.0-only
/*
 * Progress of a transfer, on standard error.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

void progress_begin(struct progress *progress, const char *verb,
		    uint64_t expected, bool on)
{
	*progress = (struct progress){
		.on = on, .verb = verb, .expected = expected,
		.start = now_ms(),
	};
	progress->last = progress->start;
}

/* Prints a line that overwrites itself, if standard error is a terminal. */
void progress_add(struct progress *progress, uint64_t bytes)
{
	uint64_t now = now_ms();

	progress->bytes += bytes;
	if (!progress->on || now - progress->last < 200 || !isatty(2))
		return;
	progress->last = now;
	fprintf(stderr, "\r%s %llu", progress->verb,
		(unsigned long long)progress->bytes);
	if (progress->expected)
		fprintf(stderr, " of %llu bytes",
			(unsigned long long)progress->expected);
	else
		fprintf(stderr, " bytes");
	fprintf(stderr, "\033[K");
}

void progress_end(struct progress *progress)
{
	uint64_t ms = now_ms() - progress->start;

	if (!progress->on)
		return;
	if (isatty(2))
		fprintf(stderr, "\r\033[K");
	fprintf(stderr, "%s %llu bytes in %llu.%03llu s\n", progress->verb,
		(unsigned long long)progress->bytes,
		(unsigned long long)ms / 1000, (unsigned long long)ms % 1000);
}
