/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the records of a driver's stream mean, as tables.
 */
#ifndef VFIO_MIG_FORMAT_H
#define VFIO_MIG_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

enum field_kind {
	FIELD_NUMBER,
	FIELD_HEX,
	FIELD_PCI_ID,
	FIELD_FLAGS,		/* names: of the bits */
	FIELD_REGISTERS,	/* names: of the words */
	FIELD_MAC,		/* two words, first byte lowest */
	/* Lists: the word before them says how many elements count. */
	FIELD_MACS,
	FIELD_NUMBERS,
	FIELD_HASHES,		/* two in a word */
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
	unsigned int words;	/* of payload, exactly */
	bool repeats;
	const struct field *fields;
	unsigned int nr_fields;
};

/* What a device is compared by; 0: it does not say */
struct device_limits {
	uint32_t pci_id;	/* vendor in the low half, device in the high */
	uint32_t vectors;	/* of MSI-X */
};

struct format {
	const char *name;
	unsigned int version;
	const struct record_type *records;	/* all are required */
	unsigned int nr_records;
	/*
	 * @words: the payload of IDENTITY.  What is wrong with loading this
	 * into such a device, or NULL
	 */
	const char *(*mismatch)(const uint32_t *words,
				const struct device_limits *limits);
};

extern const struct format format_82576;

/* NULL if there is none of this name. */
const struct format *format_find(const char *name);

#endif
