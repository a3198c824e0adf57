/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Progress of a transfer, on standard error.
 */
#ifndef VFIO_MIG_PROGRESS_H
#define VFIO_MIG_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: nothing is printed. */
struct progress {
	bool on;
	const char *verb;
	uint64_t expected;	/* 0 if not known */
	uint64_t bytes;
	uint64_t start, last;	/* in ms */
};

/* @verb: what is done to the bytes, in the past tense */
void progress_begin(struct progress *progress, const char *verb,
		    uint64_t expected, bool on);
void progress_add(struct progress *progress, uint64_t bytes);
/* Prints bytes and time. */
void progress_end(struct progress *progress);

#endif
