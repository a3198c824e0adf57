/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own, and what its user space interface has got since Linux 6.12 */
#include_next <linux/vfio.h>

/* Since Linux 7.1 */
#ifndef VFIO_PRECOPY_INFO_REINIT
#define VFIO_PRECOPY_INFO_REINIT	(1 << 0)
#endif
