/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VFIO_COMPAT_PFN_T_H
#define VFIO_COMPAT_PFN_T_H

#include <linux/version.h>

/* Linux 6.17 has removed it: page frame numbers are plain numbers. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#include_next <linux/pfn_t.h>
#else
#include <linux/types.h>

#define pfn_t	unsigned long
#define PFN_DEV	0

static inline pfn_t __pfn_to_pfn_t(unsigned long pfn, u64 flags)
{
	return pfn;
}
#endif

#endif /* VFIO_COMPAT_PFN_T_H */
