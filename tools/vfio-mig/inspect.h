/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a stream says that matters for loading it.
 */
#ifndef VFIO_MIG_INSPECT_H
#define VFIO_MIG_INSPECT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "format.h"

struct findings {
	bool good;		/* no problem at all */
	char problem[160];	/* the first one; if end_wrong, one of those */
	uint64_t end;		/* offset of the record that ends it, or 0 */
	bool end_wrong;		/* a problem that shows there, or after it */
	const char *mismatch;	/* why it does not fit the device, or NULL */
};

/* Reads the whole file and prints nothing. */
void stream_judge(FILE *file, const struct device_limits *limits,
		  struct findings *findings);

#endif
