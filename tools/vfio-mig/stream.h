/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads a stream of device state (uapi/linux/vfio_migration_stream.h) from a
 * file, in bounded memory, and judges it as a driver would.  What it finds is
 * told to a listener as it goes.
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
	char format[17];
	unsigned int version, format_version;
	const struct format *known;	/* or NULL */
};

struct stream_record {
	uint64_t offset;		/* in the file */
	unsigned int type, version;
	bool mandatory;
	uint64_t length;		/* of the payload */
	const struct record_type *known; /* as such of a known format, or NULL */
	bool intact;			/* all there, and its checksums hold */
	/* Its words, if known and of the right length; else NULL */
	const uint32_t *words;
	unsigned int count;
};

struct stream_listener {
	void (*header)(const struct stream_header *header, void *context);
	void (*record)(const struct stream_record *record, void *context);
	void (*problem)(uint64_t offset, const char *what, void *context);
	void *context;
};

/* The whole file: true if there is no problem. */
bool stream_read(FILE *file, const struct stream_listener *listener);

#endif
