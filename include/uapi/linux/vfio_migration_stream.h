/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The stream of device state that drivers write which use the record stream of
 * vfio-migration.ko:
 *
 *	struct vfio_mig_stream_header
 *	struct vfio_mig_record_header, its payload	any number of times
 *	a record of type VFIO_MIG_RECORD_END, and nothing after it
 *
 * Numbers are little endian.  The payload of a record comes in blocks of
 * VFIO_MIG_BLOCK_SIZE bytes, the last of them shorter if need be, each
 * followed by a checksum; a payload of 0 bytes has no block.
 *
 * Every checksum (those in the two headers, and that after each block) is the
 * CRC-32C of all bytes of the stream before it, other checksums left out.  So
 * bytes may be relied on as soon as the next checksum is there, and parts that
 * are missing, exchanged or repeated are noticed with the next checksum.
 *
 * The first record is of type VFIO_MIG_RECORD_IDENTITY: what the device is,
 * and what it has.  What records carry is the driver's, named by format.  A
 * reader that does not know the type or the version of a record skips it if
 * it is optional, and refuses the stream if it is mandatory.
 *
 * What is read in PRE_COPY and in STOP_COPY is one stream: STOP_COPY ends it.
 * Of records that may come again, the last counts.
 */
#ifndef _UAPI_LINUX_VFIO_MIGRATION_STREAM_H
#define _UAPI_LINUX_VFIO_MIGRATION_STREAM_H

#include <linux/types.h>

#define VFIO_MIG_STREAM_MAGIC		"VFIO-MIG"
#define VFIO_MIG_STREAM_VERSION		1
#define VFIO_MIG_BLOCK_SIZE		(1 << 16)

/**
 * struct vfio_mig_stream_header - how a stream begins
 * @magic: VFIO_MIG_STREAM_MAGIC, without a NUL
 * @format: whose records these are, e.g. "82576-vf"; padded with NULs
 * @version: of what this file says, VFIO_MIG_STREAM_VERSION
 * @format_version: of @format; a reader of another version refuses the stream
 * @crc: checksum
 */
struct vfio_mig_stream_header {
	__u8 magic[8];
	__u8 format[16];
	__le16 version;
	__le16 format_version;
	__le32 crc;
};

/* A reader that does not know this record must refuse the stream. */
#define VFIO_MIG_RECORD_MANDATORY	(1 << 0)

/**
 * struct vfio_mig_record_header - what stands before a payload
 * @type: what it is; VFIO_MIG_RECORD_*, or the driver's
 * @version: of the payload's layout
 * @flags: VFIO_MIG_RECORD_MANDATORY or 0; a reader refuses other bits
 * @length: bytes of payload, checksums not counted
 * @reserved: 0
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

/* 2 to 0xfffe are the driver's.  The payload of END has 0 bytes. */
#define VFIO_MIG_RECORD_IDENTITY	1
#define VFIO_MIG_RECORD_END		0xffff

#endif /* _UAPI_LINUX_VFIO_MIGRATION_STREAM_H */
