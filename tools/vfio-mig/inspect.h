/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Judges whether a stream can be loaded.
 */
#ifndef VFIO_MIG_INSPECT_H
#define VFIO_MIG_INSPECT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "format.h"

struct findings {
	bool good;		/* no problem was found */
	char problem[160];	/* the first one, or the one for end_wrong */
	uint64_t end;		/* offset of the record END, or 0 */
	bool end_wrong;		/* the problem is in the record END, or after */
	const char *mismatch;	/* why the device can't take it, or NULL */
};

/* Reads the whole file.  Prints nothing. */
void stream_judge(FILE *file, const struct device_limits *limits,
		  struct findings *findings);

#endif
