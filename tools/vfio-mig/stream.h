/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads a stream of device state (uapi/linux/vfio_migration_stream.h) from a
 * file, in bounded memory, and makes the checks that a driver would make.
 * Tells a listener what it finds, in the order of the file.
 */
#ifndef VFIO_MIG_STREAM_H
#define VFIO_MIG_STREAM_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "format.h"

struct stream_header {
	char format[15];
	unsigned int version, format_version;
	unsigned int min_version;	/* of a driver that can read it; or 0 */
	const struct format *known;	/* or NULL */
};

struct stream_record {
	uint64_t offset;		/* in the file */
	unsigned int type, version;
	bool mandatory;
	uint64_t length;		/* of the payload */
	const struct record_type *known; /* its description, or NULL */
	bool intact;			/* complete, with right checksums */
	/* The payload, if the record is known and as long as described */
	const uint32_t *words;
	unsigned int count;
};

struct stream_listener {
	void (*header)(const struct stream_header *header, void *context);
	void (*record)(const struct stream_record *record, void *context);
	void (*problem)(uint64_t offset, const char *what, void *context);
	void *context;
};

/* Reads the whole file.  Returns true if there is no problem. */
bool stream_read(FILE *file, const struct stream_listener *listener);

#endif
