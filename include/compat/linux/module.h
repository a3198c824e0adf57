/* SPDX-License-Identifier: GPL-2.0-only */
#include_next <linux/module.h>
#ifndef VFIO_COMPAT_MODULE_H
#define VFIO_COMPAT_MODULE_H

#include <linux/version.h>

/* Since Linux 6.13 the name space is a string. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#undef MODULE_IMPORT_NS
#define MODULE_IMPORT_NS(ns)	MODULE_INFO(import_ns, __stringify(ns))
#endif

#endif /* VFIO_COMPAT_MODULE_H */
