/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The stream of device state of drivers that use the records of
 * vfio-migration.ko:
 *
 *	struct vfio_mig_stream_header
 *	struct vfio_mig_record_header, its payload	any number of times
 *	a record of type VFIO_MIG_RECORD_END, and nothing after it
 *
 * Numbers are little endian.  The payload of a record comes in blocks of
 * VFIO_MIG_BLOCK_SIZE bytes, of which the last may be shorter.  A checksum, a
 * __le32, follows each block.  A payload of 0 bytes has no block.
 *
 * Each checksum (those in the two headers, and that after each block) is the
 * CRC-32C of all bytes of the stream before it, other checksums left out.  So a
 * reader can rely on bytes as soon as the next checksum has come, which also
 * shows whether parts are missing, exchanged or repeated.
 *
 * The first record is of type VFIO_MIG_RECORD_IDENTITY: it says which kind of
 * device the state is of, and what that device has.  The driver defines the
 * contents of records under the name of its format.  A reader that does not
 * know the type or the version of a record skips the record if it is optional,
 * and refuses the stream if it is mandatory.
 *
 * What is read in PRE_COPY and in STOP_COPY is one stream, which ends in
 * STOP_COPY.  Of records that may come several times, the last counts.
 */
#ifndef _UAPI_LINUX_VFIO_MIGRATION_STREAM_H
#define _UAPI_LINUX_VFIO_MIGRATION_STREAM_H

#include <linux/types.h>

#define VFIO_MIG_STREAM_MAGIC		"VFIO-MIG"
#define VFIO_MIG_STREAM_VERSION		1
#define VFIO_MIG_BLOCK_SIZE		(1 << 16)

/**
 * struct vfio_mig_stream_header - the beginning of a stream
 * @magic: VFIO_MIG_STREAM_MAGIC, without a NUL
 * @format: name of the driver's record format, e.g. "82576-vf", padded with
 *	NULs
 * @min_version: the oldest version of @format whose readers may read the stream;
 *	0: @format_version
 * @version: version of the stream that this file describes,
 *	VFIO_MIG_STREAM_VERSION
 * @format_version: version of @format.  A reader of an older version refuses the
 *	stream, unless @min_version allows it; one of a newer version decides
 *	for itself which versions it reads
 * @crc: checksum
 */
struct vfio_mig_stream_header {
	__u8 magic[8];
	__u8 format[14];
	__le16 min_version;
	__le16 version;
	__le16 format_version;
	__le32 crc;
};

/* A reader that does not know this record must refuse the stream. */
#define VFIO_MIG_RECORD_MANDATORY	(1 << 0)

/**
 * struct vfio_mig_record_header - the beginning of a record
 * @type: VFIO_MIG_RECORD_*, or a type that the driver defines
 * @version: version of the payload's layout
 * @flags: VFIO_MIG_RECORD_MANDATORY or 0.  A reader refuses other bits
 * @length: bytes of payload, without checksums
 * @reserved: 0.  A reader refuses another value
 * @crc: checksum
 */
struct vfio_mig_record_header {
	__le16 type;
	__le16 version;
	__le32 flags;
	__le64 length;
	__le32 reserved;
	__le32 crc;
};

/* The driver defines types 2 to 0xfffe.  The payload of END has 0 bytes. */
#define VFIO_MIG_RECORD_IDENTITY	1
#define VFIO_MIG_RECORD_END		0xffff

#endif /* _UAPI_LINUX_VFIO_MIGRATION_STREAM_H */
