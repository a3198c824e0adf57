/* SPDX-License-Identifier: GPL-2.0-only */
#include_next <linux/crc32.h>
#ifndef VFIO_COMPAT_CRC32_H
#define VFIO_COMPAT_CRC32_H

#include <linux/version.h>

/* Linux 6.15 has renamed it. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
#define __crc32c_le	crc32c
#endif

#endif /* VFIO_COMPAT_CRC32_H */
