/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CRC-32C (Castagnoli), reflected, for vfio-mig and for the selftests.
 *
 * A checksum begins with ~0 and is inverted at its end, as
 * linux/vfio_migration_stream.h says.
 */
#ifndef VFIO_MIG_CRC32C_H
#define VFIO_MIG_CRC32C_H

#include <stddef.h>
#include <stdint.h>

static inline uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
	static const uint32_t table[] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
		0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	const uint8_t *byte = data;

	while (size--) {
		crc ^= *byte++;
		crc = table[crc & 15] ^ crc >> 4;
		crc = table[crc & 15] ^ crc >> 4;
	}
	return crc;
}

#endif
