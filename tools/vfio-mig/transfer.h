/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What save, load and check have in common.
 */
#ifndef VFIO_MIG_TRANSFER_H
#define VFIO_MIG_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"
#include "progress.h"

#define TRANSFER_CHUNK	(1024 * 1024)

/* The step that was refused */
struct refusal {
	const char *step;
	int error;
	uint64_t bytes;		/* bytes of state that were accepted */
};

/*
 * Opens a device that can migrate.  Adds reasons if it returns false; the
 * device's names are in @dev->id also then, if there is such a device.
 */
bool transfer_open(struct device *dev, const char *name, const char *token,
		   uint32_t *flags, struct reasons *why);

/*
 * Reports a step that the kernel refused, with the kernel's messages, on standard
 * error.  Returns EXIT_REFUSED.
 */
int transfer_refused(struct device *dev, const char *step, int error);

/* Goes from RUNNING to RESUMING and writes the file, up to the offset @end. */
bool transfer_in(struct device *dev, int in, uint64_t end,
		 struct progress *progress, struct refusal *refusal);

/* Writes the whole file and goes to STOP, which loads the state. */
bool transfer_load(struct device *dev, int in, struct progress *progress,
		   struct refusal *refusal);

#endif
