/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables that describe the records of a driver's stream.
 */
#ifndef VFIO_MIG_FORMAT_H
#define VFIO_MIG_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

enum field_kind {
	FIELD_NUMBER,
	FIELD_HEX,
	FIELD_PCI_ID,
	FIELD_FLAGS,		/* field.names has the names of the bits */
	FIELD_REGISTERS,	/* field.names has the names of the words */
	FIELD_MAC,		/* two words; the first byte is the lowest */
	/* Lists: the word in front of a list has the number of its elements. */
	FIELD_MACS,
	FIELD_NUMBERS,
	FIELD_HASHES,		/* two in each word */
};

/* One or more words of a payload */
struct field {
	const char *name;
	unsigned int first, words;
	enum field_kind kind;
	const char *const *names;
};

struct record_type {
	unsigned int type, version;
	const char *name;
	unsigned int words;	/* exact length of the payload */
	bool repeats;
	const struct field *fields;
	unsigned int nr_fields;
};

/* What a stream is compared with; 0: the device does not tell */
struct device_limits {
	uint32_t pci_id;	/* vendor in the low half, device in the high */
	uint32_t vectors;	/* MSI-X */
};

struct format {
	const char *name;
	unsigned int version;
	unsigned int oldest;	/* version that can be decoded */
	const struct record_type *records;	/* a stream has all of them */
	unsigned int nr_records;
	/*
	 * Compares the payload of the record IDENTITY with a device.  Returns
	 * why the device can't take the stream, or NULL.
	 */
	const char *(*mismatch)(const uint32_t *words,
				const struct device_limits *limits);
};

extern const struct format format_82576;

/* NULL if no format has this name */
const struct format *format_find(const char *name);

#endif
